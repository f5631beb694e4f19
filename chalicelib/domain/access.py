"""Learner access: who can see an item and who may enrol (domain.md §5)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from chalicelib.domain.requirements import Target, TargetKind


class AccessMode(StrEnum):
    """What meeting a rule allows: enrol oneself, ask the manager, or be enrolled by the learning team."""

    SELF_ENROL = "self-enrol"
    APPROVAL = "approval"
    ADMINISTRATOR = "administrator only"


_MOST_PERMISSIVE_FIRST = tuple(AccessMode)


@dataclass(frozen=True, slots=True)
class AccessRule:
    """One rule. All its targets must hold together (AND); several rules are alternatives (OR).

    `include_below` extends a unit to the units under it. A rule without targets is met by every learner.
    """

    id: str
    mode: AccessMode
    targets: tuple[Target, ...] = ()
    include_below: bool = True
    starts_on: date | None = None
    ends_on: date | None = None

    def in_force_on(self, day: date) -> bool:
        """First and last day included; an open end is no bound."""
        return (self.starts_on is None or self.starts_on <= day) and (self.ends_on is None or day <= self.ends_on)


@dataclass(frozen=True, slots=True)
class Standpoint:
    """One way in which a learner meets rules: an assignment (or none), with every target it falls under.

    `unit` is the unit itself; `targets` hold it and all units above it.
    """

    assignment: str | None
    unit: str | None
    targets: frozenset[Target]


@dataclass(frozen=True, slots=True)
class Access:
    """The verdict: the mode allowed (None: the item cannot be found), the rule that gave it, through which assignment.

    `rule` is None where no rule restricts the item, so that the default of the brief applies.
    """

    mode: AccessMode | None
    rule: AccessRule | None = None
    assignment: str | None = None

    @property
    def visible(self) -> bool:
        """Learners who meet no rule cannot find the item (brief: Learner Access)."""
        return self.mode is not None


def decide(rules: Iterable[AccessRule], standpoints: Sequence[Standpoint], day: date) -> Access:
    """The most permissive mode over all assignments; without any rule, approval for everybody (domain.md §5)."""
    restricting = tuple(rules)
    if not restricting:
        return Access(AccessMode.APPROVAL)
    met = [
        Access(rule.mode, rule, standpoint.assignment)
        for rule in restricting
        if rule.in_force_on(day)
        for standpoint in standpoints
        if _meets(rule, standpoint)
    ]
    return min(met, key=_permissiveness, default=Access(None))


def _permissiveness(access: Access) -> int:
    assert access.mode is not None
    return _MOST_PERMISSIVE_FIRST.index(access.mode)


def _meets(rule: AccessRule, standpoint: Standpoint) -> bool:
    return all(_falls_under(target, rule.include_below, standpoint) for target in rule.targets)


def _falls_under(target: Target, include_below: bool, standpoint: Standpoint) -> bool:
    if target.kind is TargetKind.UNIT and not include_below:
        return target.id == standpoint.unit
    return target in standpoint.targets
