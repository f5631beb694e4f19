"""The figures of units, from their counters alone: never from the records of people (architecture §3).

Counters are as of the last projection of each assignment, within seconds of a change. Parents are sums at read. And what a unit
is required by the rules set for it and above it.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date

import msgspec

from chalicelib.domain import figures
from chalicelib.domain.errors import FieldError, Invalid, NotFound
from chalicelib.domain.figures import Place
from chalicelib.domain.people import Unit
from chalicelib.domain.projection import NOTHING, Counts
from chalicelib.domain.requirements import Requirement, Rulebook
from chalicelib.storage import projection, rules

MANY = 4
"""Counters by competency are read as a whole once a branch is a fourth of all units; below that, unit by unit."""


class UnitFigures(msgspec.Struct, frozen=True):
    """A unit in the tree, with the counts of itself and all units below it."""

    place: Place
    counts: Counts


class UnitPage(msgspec.Struct, frozen=True):
    """A page of units in the order of the tree, how many there are in all, and where to go on."""

    units: tuple[UnitFigures, ...]
    total: int
    next_offset: int | None


def listed(employer: str, parent: str | None, levels: int | None, limit: int, offset: int, today: date) -> UnitPage:
    """Units depth first: all, or those below `parent`; of these, only so many levels. One query besides the rules.

    Raises Invalid if there is no such parent.
    """
    own = projection.counters(employer)
    places = tree_with(rules.rulebook(employer), _in_use(own), today)
    shown = places
    if parent is not None:
        branch = figures.branch_of(places, parent)
        if not branch:
            raise Invalid(FieldError("query.parent", "is not a unit of this employer"))
        shown = branch[1:]
    if levels is not None and shown:
        shown = tuple(place for place in shown if place.depth < shown[0].depth + levels)
    totals = figures.with_those_below(places, own, NOTHING)
    page = tuple(UnitFigures(place, totals[place.unit.id]) for place in shown[offset : offset + limit])
    return UnitPage(page, len(shown), offset + limit if offset + limit < len(shown) else None)


class CompetencyFigures(msgspec.Struct, frozen=True):
    """One competency in a unit and all units below it; `title` is what people read."""

    competency: str
    title: str
    counts: Counts


class UnitCompliance(msgspec.Struct, frozen=True):
    """One unit: with all units below it, alone, each child with those below it, and by competency."""

    place: Place
    counts: Counts
    own: Counts
    children: tuple[UnitFigures, ...]
    competencies: tuple[CompetencyFigures, ...]


def compliance(employer: str, unit: str, today: date) -> UnitCompliance:
    """The compliance of a unit, of its children, and by competency. Raises NotFound if the employer has no such unit."""
    rulebook = rules.rulebook(employer)
    own = projection.counters(employer)
    places = tree_with(rulebook, _in_use(own), today)
    branch = figures.branch_of(places, unit)
    if not branch:
        raise NotFound("There is no such unit.", unit=unit)
    totals = figures.with_those_below(branch, own, NOTHING)
    return UnitCompliance(
        place=branch[0],
        counts=totals[unit],
        own=own.get(unit, NOTHING),
        children=tuple(UnitFigures(each, totals[each.unit.id]) for each in branch if each.parent == unit),
        competencies=_by_competency(rulebook, [place.unit.id for place in branch], len(places)),
    )


def tree_with(rulebook: Rulebook, counted: Iterable[str], day: date) -> tuple[Place, ...]:
    """The tree of units on a day. One in which people count, but which the structure does not know (any more), is at the top."""
    return figures.tree({**{unit: Unit(unit, unit, None) for unit in counted}, **rulebook.units}, day)


def _in_use(own: Mapping[str, Counts]) -> list[str]:
    return [unit for unit, counts in own.items() if counts != NOTHING]


def _by_competency(rulebook: Rulebook, units: Sequence[str], of_all: int) -> tuple[CompetencyFigures, ...]:
    wanted = None if len(units) * MANY >= of_all and len(units) > MANY else units
    found = projection.counters_by_competency(rulebook.employer, wanted)
    sums: dict[str, Counts] = {}
    for unit in units:
        for competency, counts in found.get(unit, {}).items():
            sums[competency] = sums.get(competency, NOTHING) + counts
    figured = (
        CompetencyFigures(name, title_of(rulebook, name), counts) for name, counts in sums.items() if counts != NOTHING
    )
    return tuple(sorted(figured, key=lambda each: (each.title, each.competency)))


def title_of(rulebook: Rulebook, competency: str) -> str:
    """What people read of a competency; its full name where it stands in no framework."""
    known = rulebook.competencies.get(competency)
    return known.title if known else competency


# --- what is required in a unit -------------------------------------------------------------------------------


class UnitRequirements(msgspec.Struct, frozen=True):
    """The rules that reach whoever is in a unit on a day, with the rulebook that names them: widest target first, then by title."""

    rulebook: Rulebook
    unit: str
    on: date
    rules: tuple[Requirement, ...]


def requirements(employer: str, unit: str, on: date) -> UnitRequirements:
    """What was or will be required in a unit by the rules of the employer and of the units above it, as the tree is on that day.

    Rules of staff groups, jobs, positions, learner groups and persons are left out: they hang on the assignment. Raises NotFound
    if the employer has no such unit.
    """
    rulebook = rules.rulebook(employer)
    if unit not in rulebook.units:
        raise NotFound("There is no such unit.", unit=unit)
    found = [
        each
        for target in rulebook.targets_above(unit, on)
        for each in sorted(rulebook.requirements.get(target, ()), key=lambda each: title_of(rulebook, each.competency))
        if each.in_force_on(on)
    ]
    return UnitRequirements(rulebook, unit, on, tuple(found))
