"""An employer's structure: the tree of its units, and the names of jobs, positions, staff groups and learner groups."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

from chalicelib.domain.calendar import EARLIEST, LATEST
from chalicelib.domain.errors import FieldError
from chalicelib.domain.people import Unit
from chalicelib.domain.requirements import Rulebook, Target, TargetKind
from chalicelib.domain.workforce import wrong_text

NAMED = (TargetKind.JOB, TargetKind.POSITION, TargetKind.STAFF_GROUP, TargetKind.LEARNER_GROUP)
"""What has an id and a name but no place in the tree."""

_ID = re.compile(r"[\w.-]{1,80}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Placing:
    """A unit as it shall be: called so, and under `parent` from a day on; one that is new, from the beginning."""

    id: str
    name: str
    parent: str | None
    since: date

    def of(self, known: Unit | None) -> Unit:
        """The unit that comes of it, given the unit as it is, if it is any yet."""
        if known is None:
            return Unit(self.id, self.name, self.parent)
        return replace(known, name=self.name).moved(self.parent, self.since)


@dataclass(frozen=True, slots=True)
class StructureChange:
    """Units, and named things, to add or to have otherwise. What is not mentioned stays."""

    units: Sequence[Placing] = ()
    names: Sequence[tuple[Target, str]] = ()

    def new_units(self, rulebook: Rulebook) -> list[Unit]:
        """The units that are not so already, as they become."""
        return [unit for unit in self._units_after(rulebook) if rulebook.units.get(unit.id) != unit]

    def new_names(self, rulebook: Rulebook) -> list[tuple[Target, str]]:
        """The names that are not so already."""
        return [(target, name) for target, name in self.names if rulebook.names.get(target) != name]

    def _units_after(self, rulebook: Rulebook) -> list[Unit]:
        return [each.of(rulebook.units.get(each.id)) for each in self.units]

    def wrong_fields(self, rulebook: Rulebook) -> tuple[FieldError, ...]:
        """Every field that is wrong: ids, names, unknown parents, units that would be above themselves."""
        return tuple(self._wrong(rulebook))

    def _wrong(self, rulebook: Rulebook) -> Iterator[FieldError]:
        if not self.units and not self.names:
            yield FieldError("units", "nothing is given: neither units nor names")
        yield from _wrong_names("units", [(each.id, each.name) for each in self.units])
        yield from _wrong_names("names", [(target.id, name) for target, name in self.names])
        yield from _twice("units", [each.id for each in self.units])
        yield from _twice("names", [target for target, _ in self.names])
        after = {**rulebook.units, **{each.id: each for each in self._units_after(rulebook)}}
        days = [EARLIEST, *sorted({since for each in after.values() for since, _ in each.moves})]
        for index, each in enumerate(self.units):
            if not EARLIEST <= each.since <= LATEST:
                yield FieldError(f"units[{index}].from", f"lies outside {EARLIEST} to {LATEST}")
            elif reason := _wrong_parent(each, rulebook.units, after) or _circle(each.id, after, days):
                yield FieldError(f"units[{index}].parent", reason)


def moved(units: Iterable[Unit], rulebook: Rulebook) -> list[Unit]:
    """Those of the units that come under others than before, on whatever day, or are new."""
    known = rulebook.units
    return [unit for unit in units if unit.id not in known or known[unit.id].moves != unit.moves]


def _wrong_names(where: str, given: Iterable[tuple[str, str]]) -> Iterator[FieldError]:
    for index, (id_, name) in enumerate(given):
        if not _ID.fullmatch(id_):
            yield FieldError(f"{where}[{index}].id", "takes up to 80 letters, digits and . _ -")
        if reason := wrong_text(name):
            yield FieldError(f"{where}[{index}].name", reason)


def _twice(where: str, ids: Sequence[object]) -> Iterator[FieldError]:
    seen: set[object] = set()
    for index, each in enumerate(ids):
        if each in seen:
            yield FieldError(f"{where}[{index}].id", "is given twice")
        seen.add(each)


def _wrong_parent(unit: Placing, before: Mapping[str, Unit], after: Mapping[str, Unit]) -> str | None:
    if unit.parent is None:
        top = not before or (unit.id in before and before[unit.id].first_parent is None)
        return None if top else "is missing: only the employer itself has no unit above it"
    return None if unit.parent in after else "is no unit of this employer"


def _circle(unit: str, after: Mapping[str, Unit], days: Iterable[date]) -> str | None:
    """The way from a unit up to itself, on the first of these days on which there is one."""
    for day in days:
        above: list[str] = []
        current = after[unit].parent_on(day)
        while current is not None and current in after and current not in above:
            above.append(current)
            if current == unit:
                since = "" if day == EARLIEST else f" from {day}"
                return f"would put the unit below itself{since}: {' - '.join([unit, *above])}"
            current = after[current].parent_on(day)
    return None
