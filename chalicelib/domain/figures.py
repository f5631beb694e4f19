"""The figures of units: the formulas of BI (domain.md §3) and sums over the organisation tree."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Protocol, Self, TypeVar

from chalicelib.domain.compliance import Rate
from chalicelib.domain.people import Unit
from chalicelib.domain.projection import Counts


def compliance_percent(counts: Counts) -> Decimal | None:
    """Achieved / Required x 100, two decimals half up; None ("n/a") where nothing is required, as in the other two."""
    return Rate(counts.required, counts.achieved).percent


def predicted_percent(counts: Counts) -> Decimal | None:
    """What compliance becomes if nobody renews what expires soon: (Achieved - Expiring Soon) / Required x 100."""
    return Rate(counts.required, counts.achieved - counts.expiring).percent


def predicted_percent_with_enrolments(counts: Counts) -> Decimal | None:
    """The same if everybody completes the classes they hold a place on: Future Enrolments count as achieved."""
    return Rate(counts.required, counts.achieved - counts.expiring + counts.future).percent


# --- the organisation tree ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Place:
    """A unit in the tree. `parent` is None at the top, also where the parent named is unknown; depth 0 is the top."""

    unit: Unit
    parent: str | None
    depth: int


def tree(units: Mapping[str, Unit], day: date) -> tuple[Place, ...]:
    """Every unit once, as the tree is on a day: depth first, each above those below it, siblings by name.

    What hangs on an unknown unit is at the top. What is in or under a cycle begins at its first unit by name, so that nobody
    is lost.
    """
    children: dict[str | None, list[Unit]] = {}
    by_name = sorted(units.values(), key=lambda unit: (unit.name, unit.id))
    for unit in by_name:
        parent = unit.parent_on(day)
        children.setdefault(parent if parent in units else None, []).append(unit)
    seen: set[str] = set()
    places: list[Place] = []
    for top in (*children.get(None, ()), *by_name):
        places += _branch(top, children, seen)
    return tuple(places)


def _branch(top: Unit, children: Mapping[str | None, Sequence[Unit]], seen: set[str]) -> Iterator[Place]:
    waiting = [Place(top, None, 0)]
    while waiting:
        place = waiting.pop()
        if place.unit.id in seen:
            continue
        seen.add(place.unit.id)
        yield place
        below = children.get(place.unit.id, ())
        waiting += [Place(unit, place.unit.id, place.depth + 1) for unit in reversed(below)]


def branch_of(places: Sequence[Place], unit: str) -> tuple[Place, ...]:
    """The unit and all those below it, in the order of the tree; empty for a unit that is not in it."""
    for start, place in enumerate(places):
        if place.unit.id == unit:
            following = enumerate(places[start + 1 :], start + 1)
            end = next((at for at, each in following if each.depth <= place.depth), len(places))
            return tuple(places[start:end])
    return ()


class Summable(Protocol):
    """What can be added up over a tree."""

    def __add__(self, other: Self, /) -> Self:
        """The sum of both."""


T = TypeVar("T", bound=Summable)


def with_those_below(places: Sequence[Place], own: Mapping[str, T], nothing: T) -> dict[str, T]:
    """For each unit of a tree or branch: its own plus all below it. Parents are sums at read, so moving a unit needs no write."""
    totals = {place.unit.id: own.get(place.unit.id, nothing) for place in places}
    for place in reversed(places):
        if place.parent in totals:
            totals[place.parent] += totals[place.unit.id]
    return totals
