"""Finding people, and seeing only those one may see."""

from datetime import datetime
from typing import Any

import msgspec

from chalicelib.domain.actor import Actor
from chalicelib.domain.calendar import london_day
from chalicelib.domain.errors import FieldError, Invalid, NotFound
from chalicelib.domain.learner import Learner
from chalicelib.domain.permissions import Capability
from chalicelib.storage import learner as learners
from chalicelib.storage import people
from chalicelib.storage.people import Found


def visible(actor: Actor, person: str, capability: Capability, now: datetime) -> Learner:
    """The learner at the actor's employer, if the capability reaches them; raises NotFound otherwise, existing or not."""
    target = somebody(actor, person)
    if target is None or not actor.may_see(capability, target, london_day(now)):
        raise NotFound("There is no such person, or not for you.", person=person)
    return target


def somebody(actor: Actor, person: str) -> Learner | None:
    """A learner at the actor's employer, whether or not the actor may see them; oneself as read with the request."""
    return actor.learner if actor.learner and person == actor.person else learners.learner(person, actor.employer)


class FoundPage(msgspec.Struct, frozen=True):
    """A page of people found, and where to go on."""

    people: tuple[Found, ...]
    after: Any


def search(actor: Actor, name: str | None, number: str | None, limit: int, after: Any) -> FoundPage:
    """People of the actor's employer by employee number, or by the beginning of the last name and then of the first.

    Either name may have several words, so every way to tell last from first is looked up, the longest last name first. A position
    to go on from is the way and the position in it.
    """
    if number is not None:
        return FoundPage(tuple(people.with_number(actor.employer, number)), None)
    ways = _ways_to_split((name or "").casefold().split())
    place, position = _going_on(after, len(ways))
    page: list[Found] = []
    while place < len(ways) and len(page) < limit:
        found, position = people.with_name(actor.employer, *ways[place], limit - len(page), position)
        page += found
        place += position is None
    return FoundPage(tuple(page), [place, position] if place < len(ways) else None)


LONGEST_LAST_NAME = 8
"""Words of a last name that is followed by a first name; without one it may have any number."""


def _ways_to_split(words: list[str]) -> list[tuple[str, str]]:
    """Last name and the beginning of the first name, in every way the words may be meant."""
    places = range(min(len(words) - 1, LONGEST_LAST_NAME), 0, -1)
    return [(" ".join(words), ""), *((" ".join(words[:place]), " ".join(words[place:])) for place in places)]


def _going_on(after: Any, ways: int) -> tuple[int, Any]:
    match after:
        case None:
            return 0, None
        case [int(place), position] if place < ways:
            return place, position
    raise Invalid(FieldError("body.cursor", "is not a cursor given out for this list"))
