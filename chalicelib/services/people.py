"""Finding people, and seeing only those one may see."""

from datetime import datetime
from typing import Any

import msgspec

from chalicelib.domain.actor import Actor
from chalicelib.domain.calendar import london_day
from chalicelib.domain.errors import NotFound
from chalicelib.domain.learner import Learner
from chalicelib.domain.permissions import Capability
from chalicelib.storage import learner as learners
from chalicelib.storage import people
from chalicelib.storage.people import Found


def visible(actor: Actor, person: str, capability: Capability, now: datetime) -> Learner:
    """The learner at the actor's employer, if the capability reaches them; raises NotFound otherwise, existing or not."""
    if actor.learner and person == actor.person:
        target: Learner | None = actor.learner
    else:
        target = learners.learner(person, actor.employer)
    if target is None or not actor.may_see(capability, target, london_day(now)):
        raise NotFound("There is no such person, or not for you.", person=person)
    return target


class FoundPage(msgspec.Struct, frozen=True):
    """A page of people found, and where to go on."""

    people: tuple[Found, ...]
    after: Any


def search(actor: Actor, name: str | None, number: str | None, limit: int, after: Any) -> FoundPage:
    """People of the actor's employer by employee number, or by the beginning of the last name and then of the first."""
    if number is not None:
        return FoundPage(tuple(people.with_number(actor.employer, number)), None)
    last, _, first = " ".join((name or "").casefold().split()).partition(" ")
    page, following = people.with_name(actor.employer, last, first, limit, after)
    return FoundPage(tuple(page), following)
