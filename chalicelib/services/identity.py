"""From a verified login to an actor: person, employer, roles (architecture §2)."""

import os
from datetime import datetime

from chalicelib.domain.actor import Actor
from chalicelib.domain.calendar import london_day
from chalicelib.domain.errors import EmployerNeeded, EmployerNotYours, Unauthenticated
from chalicelib.domain.learner import Learner
from chalicelib.domain.people import NATIONAL
from chalicelib.domain.permissions import Role
from chalicelib.services import roles
from chalicelib.storage import learner, people


def identify(login: str, employer: str | None, now: datetime) -> Actor:
    """The actor behind a login, at the employer named or at the only one they have.

    Two round trips: the login's person, then everything of that person, so that a revoked grant is gone with the next request
    and routes about oneself read nothing again. Raises Unauthenticated, EmployerNeeded or EmployerNotYours.
    """
    person = people.person_of_login(login)
    if person is None and login == os.environ.get("FIRST_ADMINISTRATOR"):
        person = roles.appoint_first_administrator(login, now)
    if person is None:
        raise Unauthenticated("Nobody here has this login.", way_out="Ask your employer to register you.")
    mine = learner.learners(person)
    national = _roles(mine.get(NATIONAL), now)
    chosen = employer or _only_employer(mine)
    own = mine.get(chosen)
    held = _roles(own, now) | national
    if not held:
        raise EmployerNotYours(f"You have no role at employer {chosen}.", employer=chosen)
    return Actor(person, chosen, held, own)


def _roles(at_employer: Learner | None, now: datetime) -> frozenset[Role]:
    return at_employer.roles_on(london_day(now)) if at_employer else frozenset()


def _only_employer(mine: dict[str, Learner]) -> str:
    employers = sorted(set(mine) - {NATIONAL}) or sorted(mine)
    if len(employers) != 1:
        raise EmployerNeeded("You belong to several employers.", employers=employers)
    return employers[0]


def employers_of(person: str) -> list[str]:
    """Every employer a person has to do with."""
    return sorted(learner.learners(person))


def manages_anyone(actor: Actor) -> bool:
    """Whether the actor supervises anybody at this employer: what makes a manager (domain.md §1)."""
    return people.supervises_anyone(actor.employer, actor.person)
