"""From a verified login to an actor: person, employer, roles (architecture §2)."""

import os
from datetime import date, datetime

from chalicelib.domain.actor import Actor
from chalicelib.domain.calendar import london_day
from chalicelib.domain.errors import EmployerNeeded, EmployerNotYours, Unauthenticated
from chalicelib.domain.learner import Learner
from chalicelib.domain.people import NATIONAL
from chalicelib.domain.permissions import Role
from chalicelib.storage import learner, people


def identify(login: str, employer: str | None, now: datetime) -> Actor:
    """The actor behind a login, at the employer named or at the only one where they have a role today.

    Two round trips: the login's person, then everything of that person, so that a revoked grant is gone with the next request
    and routes about oneself need no further reading. Raises Unauthenticated, EmployerNeeded or EmployerNotYours.
    """
    today = london_day(now)
    person = people.person_of_login(login)
    mine = learner.learners(person) if person else {}
    if login == os.environ.get("FIRST_ADMINISTRATOR") and NATIONAL not in mine:
        from chalicelib.services import roles  # once in the life of an installation

        person = roles.appoint_first_administrator(login, person, now) or person
        mine = learner.learners(person, consistent=True) if person else {}
    if person is None:
        raise Unauthenticated("Nobody here has this login.", way_out="Ask your employer to register you.")
    employers = tuple(sorted(each for each, own in mine.items() if own.roles_on(today)))
    chosen = employer or _only(employers)
    held = _roles(mine.get(chosen), today) | _national(mine.get(NATIONAL), today)
    if not held:
        raise EmployerNotYours(f"You have no role at employer {chosen}.", employer=chosen)
    return Actor(person, chosen, held, mine.get(chosen), employers)


def _roles(at_employer: Learner | None, today: date) -> frozenset[Role]:
    return at_employer.roles_on(today) if at_employer else frozenset()


def _national(at_nation: Learner | None, today: date) -> frozenset[Role]:
    """The national administrator is one at every employer; no other role reaches beyond its own."""
    return _roles(at_nation, today) & {Role.NATIONAL_ADMINISTRATOR}


def _only(employers: tuple[str, ...]) -> str:
    chosen = [each for each in employers if each != NATIONAL] or list(employers)
    if not chosen:
        raise EmployerNotYours(
            "You have no role at any employer today.", way_out="Ask your employer, or whoever granted it."
        )
    if len(chosen) > 1:
        raise EmployerNeeded("You belong to several employers.", employers=chosen)
    return chosen[0]


def manages_anyone(actor: Actor, now: datetime) -> bool:
    """Whether the actor supervises anybody at this employer today: what makes a manager (domain.md §1)."""
    return people.supervises_anyone(actor.employer, actor.person, london_day(now))
