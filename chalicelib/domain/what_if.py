"""A draft of requirements tried out on the workforce as it is, without touching it (pure; issue 3, "What if")."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date

from chalicelib.domain import requirements
from chalicelib.domain.compliance import Colour
from chalicelib.domain.errors import FieldError
from chalicelib.domain.projection import NOTHING, Counts, Row, Snapshot
from chalicelib.domain.requirements import Requirement, Rulebook, Target


@dataclass(frozen=True, slots=True)
class End:
    """A requirement taken away: the one that began on `starts_on`, or every one of this target and competency."""

    target: Target
    competency: str
    starts_on: date | None = None

    def means(self, requirement: Requirement) -> bool:
        """Whether it is this requirement that ends."""
        same = (requirement.target, requirement.competency) == (self.target, self.competency)
        return same and self.starts_on in (None, requirement.starts_on)


@dataclass(frozen=True, slots=True)
class Draft:
    """Changes thought of together: requirements that end, requirements added, and another amber window in months."""

    end: tuple[End, ...] = ()
    add: tuple[Requirement, ...] = ()
    amber_months: int | None = None


def with_changes(rulebook: Rulebook, draft: Draft) -> Rulebook:
    """The rules as they would be: what ends is gone, and what is added stands in place of one begun on the same day."""
    replaced = {each.key for each in draft.add}
    kept = [
        each
        for rules in rulebook.requirements.values()
        for each in rules
        if each.key not in replaced and not any(end.means(each) for end in draft.end)
    ]
    months = rulebook.amber_months if draft.amber_months is None else draft.amber_months
    return replace(rulebook, requirements=by_target((*kept, *draft.add)), amber_months=months)


def by_target(requirements: Iterable[Requirement]) -> dict[Target, tuple[Requirement, ...]]:
    """Requirements as a rulebook keeps them."""
    found: dict[Target, tuple[Requirement, ...]] = {}
    for each in requirements:
        found[each.target] = (*found.get(each.target, ()), each)
    return found


def wrong_fields(draft: Draft, rulebook: Rulebook) -> tuple[FieldError, ...]:
    """Every wrong field of a draft, as `add[0].target`; what ends must be there to end."""
    there = [each for rules in rulebook.requirements.values() for each in rules]
    wrong = [
        FieldError(f"add[{place}].{each.field}", each.reason)
        for place, added in enumerate(draft.add)
        for each in requirements.wrong_fields(added, rulebook)
    ]
    wrong += [
        FieldError(f"end[{place}]", "there is no such requirement")
        for place, end in enumerate(draft.end)
        if not any(end.means(each) for each in there)
    ]
    return tuple(wrong)


EVERYTHING = ""
"""Stands for all competencies together."""


@dataclass(frozen=True, slots=True)
class Effect:
    """What a draft does to rows: the counts before and after, how many rows are no longer required, and whom it turns red.

    `turn_red` are the persons with a row that is red after and was not red, or not required, before; each counts once, however
    many assignments they hold.
    """

    before: Counts = NOTHING
    after: Counts = NOTHING
    no_longer: int = 0
    turn_red: frozenset[str] = frozenset()

    def __add__(self, other: "Effect") -> "Effect":
        """The effects together; a person in both counts once."""
        return Effect(
            self.before + other.before,
            self.after + other.after,
            self.no_longer + other.no_longer,
            self.turn_red | other.turn_red,
        )

    @property
    def changes_something(self) -> bool:
        """Whether anything differs between before and after."""
        return self.before != self.after or self.no_longer > 0 or bool(self.turn_red)


NO_EFFECT = Effect()


def compare(before: Snapshot, after: Snapshot) -> dict[str, Effect]:
    """The effect on one assignment, judged on one day under the rules as they are and as they would be.

    By competency, each that is required before or after, and EVERYTHING. Empty if the assignment is not counted.
    """
    if not before.counted:
        return {}
    old = {row.competency: row for row in before.rows}
    new = {row.competency: row for row in after.rows}
    effects = {each: _effect(before.facts.person, old.get(each), new.get(each)) for each in old.keys() | new.keys()}
    no_longer = len(old.keys() - new.keys())
    turn_red = frozenset[str]().union(*(each.turn_red for each in effects.values()))
    return {EVERYTHING: Effect(before.total, after.total, no_longer, turn_red), **effects}


def _effect(person: str, before: Row | None, after: Row | None) -> Effect:
    return Effect(
        before.counts if before else NOTHING,
        after.counts if after else NOTHING,
        int(before is not None and after is None),
        frozenset((person,)) if _red(after) and not _red(before) else frozenset(),
    )


def _red(row: Row | None) -> bool:
    return row is not None and row.colour is Colour.RED
