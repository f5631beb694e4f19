"""Joiners, movers and leavers: what a message may say, and how messages add up to what is known of somebody.

Messages arrive twice, late and out of order. So what is known of a person at an employer is a set of *registers*, and the
message with the highest *stamp* (sequence, then id) decides what each holds: one register for the person, one for each period of
service (by its first day), one for each validity of an assignment (by its number and first day), one for each membership of a
learner group (by group and first day). What follows from registers together, such as the day on which a validity gives way to
the next, is worked out and never written back into them. Therefore any order of the same messages, however often repeated, ends
in the same state (decision 0010).
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import pairwise
from typing import Generic, TypeVar

from chalicelib.domain.calendar import EARLIEST, LATEST
from chalicelib.domain.errors import FieldError
from chalicelib.domain.people import Assignment, Employment, EmploymentKind, PeriodOfService
from chalicelib.domain.requirements import Rulebook, Target, TargetKind

Stamp = tuple[int, str]
"""The sequence of a message in its feed, and its id where two have the same."""

T = TypeVar("T")


# --- what a message says ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PersonSection:
    """Who somebody is. The section is whole: what it leaves out is not held any longer."""

    first_name: str
    last_name: str
    title: str | None = None
    email: str | None = None
    login: str | None = None


@dataclass(frozen=True, slots=True)
class ServiceSection:
    """A period of service from its first to its last day. `cancelled`: it never was (an offer taken back, a mistake)."""

    kind: EmploymentKind
    starts_on: date
    ends_on: date | None = None
    cancelled: bool = False


@dataclass(frozen=True, slots=True)
class AssignmentSection:
    """An assignment as it stands from a day on, and until the next validity of it unless `ends_on` comes first.

    `ended`: from that day on it is not held. `cancelled`: that validity never was. Either carries no facts. `supervisor` is an
    employee number in a message, and a person id in what is known.
    """

    number: str
    starts_on: date
    ends_on: date | None = None
    unit: str | None = None
    position: str | None = None
    job: str | None = None
    staff_group: str | None = None
    supervisor: str | None = None
    primary: bool = True
    ended: bool = False
    cancelled: bool = False

    @property
    def held(self) -> bool:
        """Whether it says that the assignment is held, and is no mere marker."""
        return not (self.ended or self.cancelled)

    def bare(self) -> "AssignmentSection":
        """Itself; a marker without the facts a sender may have left in it."""
        if self.held:
            return self
        return AssignmentSection(self.number, self.starts_on, ended=self.ended, cancelled=self.cancelled)


@dataclass(frozen=True, slots=True)
class GroupSection:
    """Being in a learner group from a day on, until `ends_on` if that is given. `cancelled`: it never was."""

    group: str
    starts_on: date
    ends_on: date | None = None
    cancelled: bool = False


@dataclass(frozen=True, slots=True)
class Change:
    """One message about one person. A section left out says nothing.

    `person_id` joins somebody whom another employer registered.
    """

    id: str
    sequence: int
    employee_number: str
    person: PersonSection | None = None
    employment: ServiceSection | None = None
    assignments: Sequence[AssignmentSection] = ()
    learner_groups: Sequence[GroupSection] = ()
    person_id: str | None = None

    @property
    def stamp(self) -> Stamp:
        """What orders this message among others about the same person."""
        return (self.sequence, self.id)


# --- what is known ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Register(Generic[T]):
    """What the newest message about one thing said, and that message's stamp; None: written before there were messages."""

    value: T
    stamp: Stamp | None


@dataclass(frozen=True, slots=True)
class Personnel:
    """What is known of one person at one employer."""

    person: Register[PersonSection] | None = None
    periods: Mapping[date, Register[ServiceSection]] = field(default_factory=dict)
    validities: Mapping[tuple[str, date], Register[AssignmentSection]] = field(default_factory=dict)
    memberships: Mapping[tuple[str, date], Register[GroupSection]] = field(default_factory=dict)

    def employment(self, employer: str, number: str) -> Employment | None:
        """The latest period of service with the earlier ones; None if none was ever real."""
        return employment_of((each.value for each in self.periods.values()), employer, number)

    def ends(self) -> dict[tuple[str, date], date | None]:
        """The effective last day of each validity that is held: its own, or the day before the next one of the assignment."""
        last_days: dict[tuple[str, date], date | None] = {}
        following: AssignmentSection | None = None
        for _, each in sorted(self.validities.items(), reverse=True):
            section = each.value
            if section.cancelled:
                continue
            if section.held:
                replaced = following is not None and following.number == section.number
                last_days[section.number, section.starts_on] = (
                    _earliest(section.ends_on, _day_before(following.starts_on))
                    if replaced and following
                    else section.ends_on
                )
            following = section
        return last_days

    def assignments(self) -> tuple[Assignment, ...]:
        """The assignments held, a row for each validity, none of which overlaps another of the same assignment."""
        return tuple(
            as_assignment(self.validities[key].value, last_day) for key, last_day in sorted(self.ends().items())
        )


def employment_of(periods: Iterable[ServiceSection], employer: str, number: str) -> Employment | None:
    """The latest period of service with the earlier ones, each ending before the next begins; None if all were cancelled."""
    real = sorted((each for each in periods if not each.cancelled), key=lambda each: each.starts_on)
    if not real:
        return None
    earlier = tuple(
        PeriodOfService(each.kind, each.starts_on, _earliest(each.ends_on, _day_before(following.starts_on)))
        for each, following in pairwise(real)
    )
    latest = real[-1]
    return Employment(employer, latest.kind, number, latest.starts_on, latest.ends_on, earlier)


def section_of(assignment: Assignment) -> AssignmentSection:
    """An assignment as a message would have given it."""
    return AssignmentSection(
        assignment.number,
        assignment.starts_on,
        assignment.ends_on,
        assignment.unit,
        assignment.position,
        assignment.job,
        assignment.staff_group,
        assignment.supervisor,
        assignment.primary,
    )


def as_assignment(section: AssignmentSection, ends_on: date | None) -> Assignment:
    """A validity that is held as an assignment, with its effective last day."""
    return Assignment(
        section.number,
        section.unit or "",
        section.position or "",
        section.job or "",
        section.staff_group or "",
        section.supervisor,
        section.primary,
        section.starts_on,
        ends_on,
    )


def _day_before(day: date) -> date:
    return day - timedelta(days=1)


def _earliest(own: date | None, other: date) -> date:
    return other if own is None else min(own, other)


def section_name(section: AssignmentSection | GroupSection) -> str:
    """How the section is named among those changed."""
    if isinstance(section, GroupSection):
        return f"learner group {section.group} from {section.starts_on}"
    return f"assignment {section.number} from {section.starts_on}"


# --- a message applied --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Applied:
    """What is known after a message. `changed` names the sections whose content it changed; `newer` says whether the message was
    the newest for anything, even if it said what was known; `repeated` whether this very message decided something before.
    """

    personnel: Personnel
    changed: tuple[str, ...]
    newer: bool
    repeated: bool


def apply(known: Personnel, change: Change) -> Applied:
    """What is known once the message has been taken in. Sections older than what is known already change nothing."""
    stamp = change.stamp
    changed: list[str] = []
    newer = repeated = False

    def taken(name: str, before: Register[T] | None, value: T) -> Register[T] | None:
        nonlocal newer, repeated
        repeated = repeated or (before is not None and before.stamp == stamp)
        if before is not None and before.stamp is not None and before.stamp >= stamp:
            return None
        newer = True
        if before is None or before.value != value:
            changed.append(name)
        return Register(value, stamp)

    person = taken("person", known.person, change.person) if change.person else None
    periods = dict(known.periods)
    if change.employment:
        service = change.employment
        period = taken(f"employment from {service.starts_on}", periods.get(service.starts_on), service)
        periods |= {service.starts_on: period} if period else {}
    validities = dict(known.validities)
    for each in change.assignments:
        key = (each.number, each.starts_on)
        validity = taken(section_name(each), validities.get(key), each.bare())
        validities |= {key: validity} if validity else {}
    memberships = dict(known.memberships)
    for group in change.learner_groups:
        at = (group.group, group.starts_on)
        membership = taken(section_name(group), memberships.get(at), group)
        memberships |= {at: membership} if membership else {}
    after = Personnel(person or known.person, periods, validities, memberships)
    return Applied(after, tuple(changed), newer, repeated)


# --- what is wrong with a message ---------------------------------------------------------------------------

LONGEST_TEXT = 80

_MESSAGE_ID = re.compile(r"[\w.:/|~-]{1,80}", re.ASCII)
_NUMBER = re.compile(r"\w[\w-]{0,19}", re.ASCII)
_ASSIGNMENT_NUMBER = re.compile(r"\w[\w.-]{0,39}", re.ASCII)
_PERSON_ID = re.compile(r"[\w.~-]{1,80}", re.ASCII)
_EMAIL = re.compile(r"[^@\s<>()\[\],;:\\\"]{1,64}@[\w-]+(\.[\w-]+)+")
_LOGIN = re.compile(r"[\w.@+-]{1,80}", re.ASCII)
_UNSHOWN = frozenset({"Cc", "Cs", "Zl", "Zp"})

MAX_ASSIGNMENTS = 15
"""Validities in one message: as many as fit one transaction together with those they shorten and the supervisors they name."""

MAX_GROUPS = 10
"""Memberships of learner groups in one message."""

_FACTS = (
    ("unit", TargetKind.UNIT),
    ("position", TargetKind.POSITION),
    ("job", TargetKind.JOB),
    ("staff_group", TargetKind.STAFF_GROUP),
)


def wrong_fields(change: Change, rulebook: Rulebook) -> tuple[FieldError, ...]:
    """Every field of a message that is wrong in itself or names what the employer does not have."""
    return tuple(_wrong(change, rulebook))


def _wrong(change: Change, rulebook: Rulebook) -> Iterator[FieldError]:
    if not _MESSAGE_ID.fullmatch(change.id):
        yield FieldError("id", "takes up to 80 letters, digits and . : / | ~ _ -")
    if not 0 <= change.sequence < 2**53:
        yield FieldError("sequence", "is a whole number from 0 to 9007199254740991")
    if not _NUMBER.fullmatch(change.employee_number):
        yield FieldError("employee_number", "takes up to 20 letters, digits, _ and -")
    if change.person_id is not None and not _PERSON_ID.fullmatch(change.person_id):
        yield FieldError("person_id", "is not the id of a person")
    if not (change.person or change.employment or change.assignments or change.learner_groups):
        yield FieldError("person", "the message says nothing: give person, employment, assignments or learner_groups")
    if change.person:
        yield from _wrong_person(change.person)
    if change.employment:
        yield from _wrong_days("employment", change.employment.starts_on, change.employment.ends_on)
    if len(change.assignments) > MAX_ASSIGNMENTS:
        yield FieldError("assignments", f"are more than {MAX_ASSIGNMENTS} in one message")
    for index, each in enumerate(change.assignments):
        yield from _wrong_assignment(f"assignments[{index}]", each, change.employee_number, rulebook)
    yield from _overlaps(change.assignments)
    yield from _wrong_groups(change.learner_groups, rulebook)


def _wrong_person(person: PersonSection) -> Iterator[FieldError]:
    for name in ("first_name", "last_name", "title"):
        text = getattr(person, name)
        if text is not None and (reason := wrong_text(text)):
            yield FieldError(f"person.{name}", reason)
    if person.email is not None and not (_EMAIL.fullmatch(person.email) and len(person.email) <= 254):
        yield FieldError("person.email", "is not an e-mail address")
    if person.login is not None and not _LOGIN.fullmatch(person.login):
        yield FieldError("person.login", "takes up to 80 letters, digits and . @ + _ -")


def wrong_text(text: str) -> str | None:
    """Why a text cannot be a name; None if it can."""
    if not text.strip():
        return "is empty"
    if len(text) > LONGEST_TEXT:
        return f"is longer than {LONGEST_TEXT} characters"
    if "#" in text or any(unicodedata.category(each) in _UNSHOWN for each in text):
        return "contains # or control characters"
    return None


def _wrong_days(where: str, starts_on: date, ends_on: date | None) -> Iterator[FieldError]:
    for name, day in (("starts_on", starts_on), ("ends_on", ends_on)):
        if day is not None and not EARLIEST <= day <= LATEST:
            yield FieldError(f"{where}.{name}", f"lies outside {EARLIEST} to {LATEST}")
    if ends_on is not None and ends_on < starts_on:
        yield FieldError(f"{where}.ends_on", "lies before starts_on")


def _wrong_assignment(where: str, each: AssignmentSection, own: str, rulebook: Rulebook) -> Iterator[FieldError]:
    if not _ASSIGNMENT_NUMBER.fullmatch(each.number):
        yield FieldError(f"{where}.number", "takes up to 40 letters, digits and . _ -")
    yield from _wrong_days(where, each.starts_on, each.ends_on)
    if each.ended and each.cancelled:
        yield FieldError(f"{where}.cancelled", "is said together with ended; one of them only")
    if each.ended and each.ends_on is not None:
        yield FieldError(f"{where}.ends_on", "is said together with ended, which holds from starts_on on")
    if not each.held:
        return
    for name, kind in _FACTS:
        yield from _unknown(f"{where}.{name}", kind, getattr(each, name), rulebook)
    if each.supervisor is not None and not _NUMBER.fullmatch(each.supervisor):
        yield FieldError(f"{where}.supervisor", "is not an employee number")
    if each.supervisor == own:
        yield FieldError(f"{where}.supervisor", "is the person's own employee number")


def _unknown(where: str, kind: TargetKind, given: str | None, rulebook: Rulebook) -> Iterator[FieldError]:
    if not given:
        yield FieldError(where, "is missing")
    elif Target(kind, given) not in rulebook.names:
        yield FieldError(where, "is not known at this employer")


def _overlaps(assignments: Sequence[AssignmentSection]) -> Iterator[FieldError]:
    """Two validities of one assignment in one message that claim the same days."""
    ordered = sorted(enumerate(assignments), key=lambda each: (each[1].number, each[1].starts_on))
    for (_, one), (index, other) in pairwise(ordered):
        if one.number != other.number:
            continue
        if one.starts_on == other.starts_on:
            yield FieldError(f"assignments[{index}].starts_on", "is given twice for this assignment")
    real = [each for each in ordered if not each[1].cancelled]
    for (_, one), (index, other) in pairwise(real):
        if one.number == other.number and one.ends_on is not None and one.starts_on < other.starts_on <= one.ends_on:
            yield FieldError(
                f"assignments[{index}].starts_on", f"overlaps the validity from {one.starts_on} to {one.ends_on}"
            )


def _wrong_groups(groups: Sequence[GroupSection], rulebook: Rulebook) -> Iterator[FieldError]:
    if len(groups) > MAX_GROUPS:
        yield FieldError("learner_groups", f"are more than {MAX_GROUPS} in one message")
    seen: set[tuple[str, date]] = set()
    for index, each in enumerate(groups):
        where = f"learner_groups[{index}]"
        yield from _unknown(f"{where}.group", TargetKind.LEARNER_GROUP, each.group, rulebook)
        yield from _wrong_days(where, each.starts_on, each.ends_on)
        if (each.group, each.starts_on) in seen:
            yield FieldError(f"{where}.starts_on", "is given twice for this group")
        seen.add((each.group, each.starts_on))


def missing_sections(after: Personnel) -> tuple[FieldError, ...]:
    """What has to be known before anything else may be said of somebody: who they are, and as what they belong here."""
    missing = []
    if after.person is None:
        missing.append(FieldError("person", "is missing: nobody with this employee number is known"))
    if not after.periods:
        missing.append(FieldError("employment", "is missing: this person has no employment here"))
    return tuple(missing)
