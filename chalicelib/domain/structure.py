"""An employer's structure: the tree of its units, and the names of jobs, positions, staff groups and learner groups."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from chalicelib.domain.errors import FieldError
from chalicelib.domain.people import Unit
from chalicelib.domain.requirements import Rulebook, Target, TargetKind
from chalicelib.domain.workforce import wrong_text

NAMED = (TargetKind.JOB, TargetKind.POSITION, TargetKind.STAFF_GROUP, TargetKind.LEARNER_GROUP)
"""What has an id and a name but no place in the tree."""

_ID = re.compile(r"[\w.-]{1,80}", re.ASCII)


@dataclass(frozen=True, slots=True)
class StructureChange:
    """Units, and named things, to add or to have otherwise. What is not mentioned stays."""

    units: Sequence[Unit] = ()
    names: Sequence[tuple[Target, str]] = ()

    def beyond(self, rulebook: Rulebook) -> "StructureChange":
        """Only what is not so already."""
        return StructureChange(
            [each for each in self.units if rulebook.units.get(each.id) != each],
            [(target, name) for target, name in self.names if rulebook.names.get(target) != name],
        )

    def moved(self, rulebook: Rulebook) -> list[Target]:
        """The units that come under others than before: new ones, and those with another parent."""
        return [
            Target(TargetKind.UNIT, each.id)
            for each in self.units
            if each.id not in rulebook.units or rulebook.units[each.id].parent != each.parent
        ]

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
        after = {**rulebook.units, **{each.id: each for each in self.units}}
        for index, each in enumerate(self.units):
            if reason := _wrong_parent(each, rulebook.units, after):
                yield FieldError(f"units[{index}].parent", reason)


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


def _wrong_parent(unit: Unit, before: Mapping[str, Unit], after: Mapping[str, Unit]) -> str | None:
    if unit.parent is None:
        top = not before or (unit.id in before and before[unit.id].parent is None)
        return None if top else "is missing: only the employer itself has no unit above it"
    if unit.parent not in after:
        return "is no unit of this employer"
    above: list[str] = []
    current: str | None = unit.parent
    while current is not None and current in after and current not in above:
        above.append(current)
        if current == unit.id:
            return f"would put the unit below itself: {' - '.join([unit.id, *above])}"
        current = after[current].parent
    return None
