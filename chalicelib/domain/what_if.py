"""A draft of requirements tried out on the workforce as it is, without touching it (pure; issue 3, "What if")."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date

from chalicelib.domain.compliance import Colour
from chalicelib.domain.projection import Row, Snapshot
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
    replaced = {_key(each) for each in draft.add}
    kept = [
        each
        for rules in rulebook.requirements.values()
        for each in rules
        if _key(each) not in replaced and not any(end.means(each) for end in draft.end)
    ]
    months = rulebook.amber_months if draft.amber_months is None else draft.amber_months
    return replace(rulebook, requirements=by_target((*kept, *draft.add)), amber_months=months)


def by_target(requirements: Iterable[Requirement]) -> dict[Target, tuple[Requirement, ...]]:
    """Requirements as a rulebook keeps them."""
    found: dict[Target, tuple[Requirement, ...]] = {}
    for each in requirements:
        found[each.target] = (*found.get(each.target, ()), each)
    return found


def _key(requirement: Requirement) -> tuple[Target, str, date]:
    return requirement.target, requirement.competency, requirement.starts_on


@dataclass(frozen=True, slots=True)
class Effect:
    """What a draft does to rows: how many are required and achieved before and after, and whom it turns red.

    `turn_red` are the persons with a row that is red after and was not red, or not required, before; each counts once, however
    many assignments they hold. `no_longer` are the rows required before and not after.
    """

    required_before: int = 0
    achieved_before: int = 0
    required_after: int = 0
    achieved_after: int = 0
    no_longer: int = 0
    turn_red: frozenset[str] = frozenset()

    def __add__(self, other: "Effect") -> "Effect":
        """The effects together; a person in both counts once."""
        return Effect(
            self.required_before + other.required_before,
            self.achieved_before + other.achieved_before,
            self.required_after + other.required_after,
            self.achieved_after + other.achieved_after,
            self.no_longer + other.no_longer,
            self.turn_red | other.turn_red,
        )


NO_EFFECT = Effect()


def compare(before: Snapshot, after: Snapshot) -> dict[str, Effect]:
    """What changes for one assignment, by competency: every one required before or after. Empty if it is not counted."""
    if not before.counted:
        return {}
    old = {row.competency: row for row in before.rows}
    new = {row.competency: row for row in after.rows}
    return {
        competency: _effect(before.facts.person, old.get(competency), new.get(competency))
        for competency in old.keys() | new.keys()
    }


def _effect(person: str, before: Row | None, after: Row | None) -> Effect:
    turns_red = _red(after) and not _red(before)
    return Effect(
        required_before=before is not None,
        achieved_before=before is not None and not _red(before),
        required_after=after is not None,
        achieved_after=after is not None and not _red(after),
        no_longer=before is not None and after is None,
        turn_red=frozenset((person,)) if turns_red else frozenset(),
    )


def _red(row: Row | None) -> bool:
    return row is not None and row.colour is Colour.RED
