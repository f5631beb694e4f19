"""What is required of whom, and why (domain.md §1, "Overlaps")."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING

from chalicelib.domain.calendar import EARLIEST, LATEST
from chalicelib.domain.competency import Competency, MalformedName, parse_name
from chalicelib.domain.errors import FieldError
from chalicelib.domain.people import Assignment, Unit

if TYPE_CHECKING:
    from chalicelib.domain.catalogue import Grants


class TargetKind(StrEnum):
    """The levels at which a requirement may be set (domain.md §1)."""

    EMPLOYER = "ORG"
    UNIT = "UNIT"
    STAFF_GROUP = "GRP"
    JOB = "JOB"
    POSITION = "POS"
    LEARNER_GROUP = "LGR"
    PERSON = "PERSON"


@dataclass(frozen=True, slots=True)
class Target:
    """Whom a rule is aimed at: the kind and the id of an employer, unit, staff group, job, position, group or person."""

    kind: TargetKind
    id: str


@dataclass(frozen=True, slots=True)
class Requirement:
    """One rule: whoever is under `target` must hold `competency` at `minimum_level` between these London days."""

    target: Target
    competency: str
    minimum_level: int
    starts_on: date
    ends_on: date | None = None

    def in_force_on(self, day: date) -> bool:
        """First and last day included."""
        return self.starts_on <= day and (self.ends_on is None or day <= self.ends_on)

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What tells it apart, and how lists are sorted: kind and id of the target, competency, first day."""
        return self.target.kind.value, self.target.id, self.competency, self.starts_on.isoformat()

    def overlaps(self, other: "Requirement") -> bool:
        """Whether there is a day on which both are in force."""
        before = self.ends_on is not None and self.ends_on < other.starts_on
        after = other.ends_on is not None and other.ends_on < self.starts_on
        return not (before or after)

    def rewrites(self, before: "Requirement", today: date) -> bool:
        """Whether putting this in place of one with its key changes what was required on a day before today, or since its
        beginning: the level of one that has begun, or an end that lies, or is to lie, before yesterday.
        """
        if before.starts_on > today:
            return False
        yesterday = today - timedelta(days=1)
        ends = [min(each.ends_on or date.max, yesterday) for each in (before, self)]
        return before.minimum_level != self.minimum_level or ends[0] != ends[1]


@dataclass(frozen=True, slots=True)
class Exemption:
    """A person need not hold a competency between these London days, both included, and why. It always ends."""

    competency: str
    reason: str
    starts_on: date
    ends_on: date

    def in_force_on(self, day: date) -> bool:
        """First and last day included."""
        return self.starts_on <= day <= self.ends_on


@dataclass(frozen=True, slots=True)
class Because:
    """Why something is required: the rule, and the assignment through which it reaches the person (None: a group or the person)."""

    requirement: Requirement
    assignment: str | None


@dataclass(frozen=True, slots=True)
class Required:
    """A competency required of somebody: the highest level asked for, and every reason."""

    competency: str
    level: int
    because: tuple[Because, ...]


@dataclass(frozen=True, slots=True)
class HeldBack:
    """What rules ask of somebody and is not required all the same: they are exempt, or (None) the competency is not in use."""

    asked: Required
    exemption: Exemption | None


RENEWAL_LEADS = (90, 60, 30, 7, 0)
"""How many days before an award's last valid day learners are reminded, unless the employer says otherwise (domain.md §9, N14)."""


@dataclass(frozen=True)
class Rulebook:
    """All rules of one employer that compliance needs, as of one rules version: small enough to keep in memory.

    `renewal_leads` are days before expiry on which people are reminded, the longest first; without any, nobody is.
    `auto_enrolment`: training is arranged for whoever is due (domain.md §4), `auto_enrol_applicants`: for applicants, too.
    """

    employer: str
    version: tuple[int, int]
    requirements: Mapping[Target, tuple[Requirement, ...]]
    units: Mapping[str, Unit]
    competencies: Mapping[str, Competency]
    amber_months: int = 3
    names: Mapping[Target, str] = field(default_factory=dict)
    renewal_leads: tuple[int, ...] = RENEWAL_LEADS
    auto_enrolment: bool = False
    auto_enrol_applicants: bool = False

    def unit_and_above(self, unit: str, day: date) -> Iterator[str]:
        """The unit, then its ancestors of that day upwards. Stops at an unknown or repeated unit instead of failing."""
        seen: set[str] = set()
        current: str | None = unit
        while current is not None and current not in seen:
            seen.add(current)
            yield current
            known = self.units.get(current)
            current = known.parent_on(day) if known else None

    def moves_above(self, unit: str, day: date) -> Iterator[date]:
        """Later days on which the unit, or one above it on that day, comes under another."""
        for each in self.unit_and_above(unit, day):
            if known := self.units.get(each):
                yield from (since for since, _ in known.moves_after(day))

    def moves_after(self, day: date) -> tuple[date, ...]:
        """Every later day on which the tree changes."""
        return tuple(sorted({since for unit in self.units.values() for since, _ in unit.moves_after(day)}))

    def knows(self, target: Target) -> bool:
        """Whether the employer has such a target. Persons stand in no rulebook: any may exist."""
        match target.kind:
            case TargetKind.EMPLOYER:
                return target.id == self.employer
            case TargetKind.UNIT:
                return target.id in self.units
            case TargetKind.PERSON:
                return True
            case _:
                return target in self.names

    def may_meet(self, one: Target, other: Target, first: date, last: date) -> bool:
        """Whether one person can be under both between two days: different kinds always, of one kind the same, or a unit and
        one then above it.
        """
        if one.kind is not other.kind or one == other:
            return True
        days = (first, *(day for day in self.moves_after(first) if day <= last))
        return one.kind is TargetKind.UNIT and any(
            one.id in self.unit_and_above(other.id, day) or other.id in self.unit_and_above(one.id, day) for day in days
        )

    def targets_above(self, unit: str, day: date) -> Iterator[Target]:
        """The employer, then the units of that day from the top down to the unit: whatever is set at these, the unit inherits."""
        yield Target(TargetKind.EMPLOYER, self.employer)
        for each in reversed(tuple(self.unit_and_above(unit, day))):
            yield Target(TargetKind.UNIT, each)

    def targets_of(self, assignment: Assignment, day: date) -> Iterator[Target]:
        """Every target an assignment falls under in the tree of that day, widest first."""
        yield from self.targets_above(assignment.unit, day)
        yield Target(TargetKind.STAFF_GROUP, assignment.staff_group)
        yield Target(TargetKind.JOB, assignment.job)
        yield Target(TargetKind.POSITION, assignment.position)

    def required_by(self, targets: Iterable[Target], assignment: str | None, day: date) -> list[Because]:
        """The rules in force on that day at these targets, of competencies then in use."""
        return [
            Because(requirement, assignment)
            for target in targets
            for requirement in self.requirements.get(target, ())
            if requirement.in_force_on(day) and self.in_use_on(requirement.competency, day)
        ]

    def in_use_on(self, competency: str, day: date) -> bool:
        """Whether a competency may be required on a day. One that stands in no framework is not held back."""
        known = self.competencies.get(competency)
        return known is None or known.in_use_on(day)

    @cached_property
    def counts_for(self) -> Mapping[str, frozenset[str]]:
        """For each competency that covers others: all it covers, directly and through those, itself left out."""
        return {name: covered for name in self.competencies if (covered := self._covered_by(name))}

    def _covered_by(self, name: str) -> frozenset[str]:
        found: set[str] = set()
        waiting = [name]
        while waiting:
            known = self.competencies.get(waiting.pop())
            new = set(known.covers) - found if known else set()
            found |= new
            waiting += new
        return frozenset(found - {name})

    def meets(self, required: Required, competency: str, level: int) -> bool:
        """Whether holding a competency at a level is what is required, or covers it, and is high enough."""
        same = competency == required.competency or required.competency in self.counts_for.get(competency, ())
        return same and level >= required.level

    def given_by(self, required: Required, grants: "Iterable[Grants]") -> bool:
        """Whether one of these awards is what is required."""
        return any(self.meets(required, each.competency, each.level) for each in grants)

    def counting_for(self, competency: str) -> Iterator[str]:
        """The competencies that satisfy one: itself, and those that cover it."""
        yield competency
        yield from (name for name, covered in self.counts_for.items() if competency in covered)

    def required_of(
        self,
        person: str | None,
        assignments: Iterable[Assignment],
        groups: Iterable[str],
        day: date,
        exemptions: Iterable[Exemption] = (),
    ) -> dict[str, Required]:
        """The person's requirements: the union over assignments, learner groups and the person's own rules, less exemptions."""
        reasons = [
            because
            for assignment in assignments
            for because in self.required_by(self.targets_of(assignment, day), assignment.number, day)
        ]
        own = [Target(TargetKind.LEARNER_GROUP, group) for group in groups]
        if person is not None:
            own.append(Target(TargetKind.PERSON, person))
        reasons += self.required_by(own, None, day)
        exempt = {each.competency for each in exemptions if each.in_force_on(day)}
        return merge(each for each in reasons if each.requirement.competency not in exempt)

    def held_back_from(
        self,
        person: str | None,
        assignments: Iterable[Assignment],
        groups: Iterable[str],
        day: date,
        exemptions: Iterable[Exemption],
    ) -> dict[str, HeldBack]:
        """What `required_of` leaves out on that day although rules in force ask for it, and why: to explain, not to judge."""
        asked = replace(self, competencies={}).required_of(person, assignments, groups, day)
        ends_last = sorted((each for each in exemptions if each.in_force_on(day)), key=lambda each: each.ends_on)
        exempt = {each.competency: each for each in ends_last}
        return {
            name: HeldBack(required, exempt.get(name) if self.in_use_on(name, day) else None)
            for name, required in asked.items()
            if name in exempt or not self.in_use_on(name, day)
        }


def merge(reasons: Iterable[Because]) -> dict[str, Required]:
    """Same competency twice: the highest level, all origins listed (domain.md §1)."""
    by_competency: dict[str, list[Because]] = {}
    for because in reasons:
        by_competency.setdefault(because.requirement.competency, []).append(because)
    return {
        competency: Required(
            competency, max(because.requirement.minimum_level for because in because_of), tuple(because_of)
        )
        for competency, because_of in by_competency.items()
    }


# --- setting one ----------------------------------------------------------------------------------------------

_KIND_WORDS = {
    TargetKind.EMPLOYER: "code",
    TargetKind.UNIT: "unit",
    TargetKind.STAFF_GROUP: "staff group",
    TargetKind.JOB: "job",
    TargetKind.POSITION: "position",
    TargetKind.LEARNER_GROUP: "learner group",
    TargetKind.PERSON: "person",
}


def wrong_fields(requirement: Requirement, rulebook: Rulebook) -> Iterator[FieldError]:
    """Each field of a requirement that cannot be: target or competency unknown, or not in use; a level off its scale; wrong days.

    Whether a person aimed at exists is not in the rules and left to the caller.
    """
    target, starts_on, ends_on = requirement.target, requirement.starts_on, requirement.ends_on
    if not rulebook.knows(target):
        yield FieldError("target", f"is no {_KIND_WORDS[target.kind]} of this employer")
    competency = rulebook.competencies.get(requirement.competency)
    if competency is None:
        yield FieldError("competency", "is in no framework this employer uses")
    else:
        if not competency.in_use_on(starts_on):
            yield FieldError("competency", "is not in use on the day the requirement starts")
        if not competency.has_level(requirement.minimum_level):
            yield FieldError("minimum_level", f"is not on its scale of 1 to {len(competency.levels)}")
    for field_, day in (("starts_on", starts_on), ("ends_on", ends_on)):
        if day is not None and not EARLIEST <= day <= LATEST:
            yield FieldError(field_, f"lies outside {EARLIEST} to {LATEST}")
    if ends_on is not None and ends_on < starts_on:
        yield FieldError("ends_on", "lies before starts_on")


def required_twice(requirement: Requirement, rulebook: Rulebook) -> tuple[Requirement, ...]:
    """Other requirements of the same thing under another period that can meet the same person while both are in force.

    "Fire Safety - 1 Year" and "- 2 Years" are different competencies, so that whoever is under both has to hold both: the
    administrator is warned (domain.md §1, "Overlaps").
    """
    about = _about(requirement.competency)
    twins = {name for name in rulebook.competencies if name != requirement.competency and _about(name) == about}
    if about is None or not twins:
        return ()
    found = (
        each
        for target, rules in rulebook.requirements.items()
        for each in rules
        if each.competency in twins
        and each.overlaps(requirement)
        and rulebook.may_meet(requirement.target, target, *_together(requirement, each))
    )
    return tuple(sorted(found, key=lambda each: each.key))


def _together(one: Requirement, other: Requirement) -> tuple[date, date]:
    """The first and last day on which two that overlap are both in force."""
    return max(one.starts_on, other.starts_on), min(one.ends_on or date.max, other.ends_on or date.max)


def _about(name: str) -> tuple[str, str | None, str | None] | None:
    """What a competency is about, whatever its period; None if its name follows no pattern."""
    try:
        return parse_name(name).about
    except MalformedName:
        return None
