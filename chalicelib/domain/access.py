"""Learner access: who can see an item and who may enrol (domain.md §5)."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from itertools import combinations

from chalicelib.domain.calendar import EARLIEST, LATEST
from chalicelib.domain.errors import FieldError
from chalicelib.domain.people import NATIONAL, Assignment
from chalicelib.domain.requirements import Rulebook, Target, TargetKind


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


def standpoints(
    person: str,
    groups: Iterable[str],
    assignments: Sequence[Assignment],
    rulebook: Rulebook,
    day: date,
) -> tuple[Standpoint, ...]:
    """The ways in which a learner of the rulebook's employer meets rules on a day: one for each assignment that counts, one if
    there is none. All share the person, the employer and the learner groups, so that a group and a unit may stand in one rule.
    """
    own = {Target(TargetKind.LEARNER_GROUP, group) for group in groups}
    own |= {Target(TargetKind.PERSON, person), Target(TargetKind.EMPLOYER, rulebook.employer)}
    if not assignments:
        return (Standpoint(None, None, frozenset(own)),)
    return tuple(
        Standpoint(each.number, each.unit, frozenset(own.union(rulebook.targets_of(each, day)))) for each in assignments
    )


def within(standpoints: tuple[Standpoint, ...], units: Iterable[str]) -> tuple[Standpoint, ...]:
    """The standpoints to which a class is open that is narrowed to these units and those below; all of them without any unit.

    What is decided from these is decided through one assignment: it lies in the unit and meets the rule of the course.
    """
    wanted = {Target(TargetKind.UNIT, unit) for unit in units}
    return tuple(each for each in standpoints if not wanted.isdisjoint(each.targets)) if wanted else standpoints


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


def decide(rules: Sequence[AccessRule], standpoints: Sequence[Standpoint], day: date) -> Access:
    """The most permissive mode over all assignments; without any rule, approval for every learner (domain.md §5).

    Whoever has no standpoint (no learner here, or outside the units of a class) finds nothing.
    """
    if not rules:
        return Access(AccessMode.APPROVAL if standpoints else None)
    met = [
        Access(rule.mode, rule, standpoint.assignment)
        for rule in rules
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


# --- why ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Trial:
    """One rule held against one standpoint: whether it is in force, and each of its targets with whether it is met.

    `open_to` says whether the class, if it is about one, is open to the standpoint's unit.
    """

    rule: AccessRule
    standpoint: Standpoint
    in_force: bool
    targets: tuple[tuple[Target, bool], ...]
    open_to: bool = True

    @property
    def met(self) -> bool:
        """Whether this rule gives its mode through this standpoint."""
        return self.in_force and self.open_to and all(met for _, met in self.targets)


def explain(
    rules: Iterable[AccessRule], standpoints: tuple[Standpoint, ...], day: date, only_units: Iterable[str] = ()
) -> tuple[Trial, ...]:
    """Every rule against every standpoint, and what of it holds: why somebody can find an item, or cannot."""
    open_to = within(standpoints, only_units)
    return tuple(
        Trial(
            rule,
            standpoint,
            rule.in_force_on(day),
            tuple((target, _falls_under(target, rule.include_below, standpoint)) for target in rule.targets),
            standpoint in open_to,
        )
        for rule in rules
        for standpoint in standpoints
    )


# --- setting them ---------------------------------------------------------------------------------------------

_ONE_OF_A_KIND = tuple(kind for kind in TargetKind if kind not in (TargetKind.UNIT, TargetKind.LEARNER_GROUP))
"""Of these nobody has two at once through one assignment: two of them in one rule could never be met."""


def wrong_fields(rules: Sequence[AccessRule], rulebook: Rulebook, employers: Iterable[str]) -> Iterator[FieldError]:
    """Each field of a list of rules that cannot be, as `rules[0].targets[1].id` (domain.md §5).

    `employers` are those that a national item may be restricted to: it knows no other target, since units, positions and people
    are an employer's own. Whether a person aimed at exists is not in the rules and left to the caller.
    """
    known = frozenset(employers)
    for place, rule in enumerate(rules):
        where = f"rules[{place}]"
        for number, target in enumerate(rule.targets):
            if reason := _wrong_target(target, rulebook, known):
                yield FieldError(f"{where}.targets[{number}].id", reason)
        kinds = [target.kind for target in rule.targets]
        if twice := next((kind for kind in _ONE_OF_A_KIND if kinds.count(kind) > 1), None):
            yield FieldError(f"{where}.targets", f"has two of kind {twice}, which nobody meets: make them two rules")
        if _units_apart(rule, rulebook):
            yield FieldError(
                f"{where}.targets",
                "has two units that hold no assignment together, so nobody meets it: make them two rules",
            )
        for name, day in (("starts_on", rule.starts_on), ("ends_on", rule.ends_on)):
            if day is not None and not EARLIEST <= day <= LATEST:
                yield FieldError(f"{where}.{name}", f"lies outside {EARLIEST} to {LATEST}")
        if rule.starts_on and rule.ends_on and rule.ends_on < rule.starts_on:
            yield FieldError(f"{where}.ends_on", "lies before starts_on")


def _units_apart(rule: AccessRule, rulebook: Rulebook) -> bool:
    """Whether a rule names two units of which, while it is in force, neither lies under the other, or is aimed at itself alone."""
    first, last = rule.starts_on or EARLIEST, rule.ends_on or LATEST
    units = dict.fromkeys(target for target in rule.targets if target.kind is TargetKind.UNIT)
    return any(
        not rule.include_below or not rulebook.may_meet(one, other, first, last)
        for one, other in combinations(units, 2)
        if rulebook.knows(one) and rulebook.knows(other)
    )


def _wrong_target(target: Target, rulebook: Rulebook, employers: frozenset[str]) -> str | None:
    if rulebook.employer == NATIONAL:
        of_one = target.kind is TargetKind.EMPLOYER and target.id in employers
        return None if of_one else "is no employer: what is national can be restricted to employers only"
    return None if rulebook.knows(target) else "is not known at this employer"
