"""Enrolment: its states, who may be placed, who may withdraw (domain.md §2)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from chalicelib.domain import errors
from chalicelib.domain.access import Access, AccessMode
from chalicelib.domain.calendar import london_day, long_day
from chalicelib.domain.catalogue import Course, CourseStatus, Grants, Mode, live_on
from chalicelib.domain.classes import Class, ClassStatus, Seats, Session
from chalicelib.domain.people import Employment
from chalicelib.domain.prerequisites import Checked


class Status(StrEnum):
    """The states of an enrolment (domain.md §2). Only the last four hold, or held, a seat."""

    REQUESTED = "requested"
    WAITLISTED = "waitlisted"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"
    CANCELLED = "cancelled"
    CONFIRMED = "confirmed"
    COMPLETED = "completed"
    ATTENDED_NOT_COMPLETED = "attended - not completed"
    DID_NOT_ATTEND = "did not attend"


OPEN = frozenset({Status.REQUESTED, Status.WAITLISTED, Status.CONFIRMED})
"""States from which something can still happen."""

SEATED = frozenset({Status.CONFIRMED, Status.COMPLETED, Status.ATTENDED_NOT_COMPLETED, Status.DID_NOT_ATTEND})
"""States that count against the maximum of a class."""


@dataclass(frozen=True, slots=True)
class HistoryRow:
    """One change: the state reached, the UTC instant, who made it, and why if they said so."""

    status: Status
    at: datetime
    by: str
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Enrolment:
    """One attempt of one person at one class, with what their own pages and messages show of the class.

    `revision` rises with every change; the calendar request carries it as SEQUENCE (domain.md §9).
    `counted` says whether a seat of the class was counted for it; a class without a maximum counts none. `class_revision` is the
    class's when these facts were copied from it, `venue` the name of its place. `passed_over`: when a seat freed for somebody
    waiting, they held one on another class at the same time; the class no longer counts them as waiting, until a seat is theirs.
    """

    person: str
    employer: str
    class_id: str
    attempt: int
    course: str
    title: str
    mode: Mode
    grants: tuple[Grants, ...]
    starts_at: datetime | None
    ends_at: datetime | None
    sessions: tuple[Session, ...]
    venue: str | None
    status: Status
    placed_at: datetime
    history: tuple[HistoryRow, ...]
    revision: int = 1
    counted: bool = False
    class_revision: int = 1
    link: str | None = None
    passed_over: bool = False

    @property
    def id(self) -> str:
        """The enrolment as its owner names it: class and attempt."""
        return f"{self.class_id}~{self.attempt}"

    @property
    def open(self) -> bool:
        """Whether something can still happen to it."""
        return self.status in OPEN

    @property
    def seated(self) -> bool:
        """Whether it holds a seat that the class counts."""
        return self.counted and self.status in SEATED

    @property
    def awaiting(self) -> bool:
        """Whether the class counts it among those waiting for a seat."""
        return self.status is Status.WAITLISTED and not self.passed_over

    def overlaps(self, class_: "Class | Enrolment") -> bool:
        """Whether this enrolment holds a seat at the time of that class (touching ends do not overlap)."""
        if self.status is not Status.CONFIRMED:
            return False
        mine = self.sessions or _span(self.starts_at, self.ends_at)
        theirs = class_.sessions or _span(class_.starts_at, class_.ends_at)
        return any(a.starts_at < b.ends_at and b.starts_at < a.ends_at for a in mine for b in theirs)

    def moved_to(self, status: Status, at: datetime, by: str, reason: str | None = None) -> "Enrolment":
        """The same enrolment in another state, its history one row longer and its revision one higher."""
        row = HistoryRow(status, at, by, reason)
        return replace(self, status=status, history=(*self.history, row), revision=self.revision + 1)


def _span(starts_at: datetime | None, ends_at: datetime | None) -> tuple[Session, ...]:
    return (Session(starts_at, ends_at),) if starts_at and ends_at else ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a learner may place themselves on a class now: the status it would give, or the refusal and its facts.

    `advised` are the advisory prerequisites that are not met: a warning, and no refusal.
    """

    status: Status | None
    refusal: errors.Refusal | None = None
    advised: tuple[Checked, ...] = ()

    def or_refuse(self) -> Status:
        """The status given; raises the refusal if there is one."""
        if self.refusal is not None:
            raise self.refusal
        assert self.status is not None
        return self.status


def judge_self_enrolment(
    course: Course,
    class_: Class,
    seats: Seats,
    access: Access,
    mine: Iterable[Enrolment],
    now: datetime,
    prerequisites: Sequence[Checked] = (),
) -> Verdict:
    """May this learner enrol on this class now? The first rule that says no decides (domain.md §2 and §5).

    `mine` are the person's enrolments at every employer: nobody can be in two places, or on one class twice. `prerequisites` are
    those of the course as they stand on the day to judge them (`day_that_counts`). What is missing comes before approval: no
    manager could help with it.
    """
    enrolments = tuple(mine)
    refusal = (
        _refused_by_course(course, london_day(now))
        or _refused_by_class(class_, now)
        or _refused_by_own_enrolments(class_, enrolments)
        or _refused_by_access(access)
        or _refused_by_prerequisites(prerequisites, day_that_counts(class_, now))
        or _refused_by_mode(access)
        or _refused_by_seats(seats)
    )
    advised = tuple(each for each in prerequisites if each.advised)
    return Verdict(None, refusal, advised) if refusal else Verdict(Status.CONFIRMED, advised=advised)


def day_that_counts(class_: Class, now: datetime) -> date:
    """The London day on which prerequisites must be valid: that of the class's start, today without one (domain.md §5)."""
    return london_day(class_.starts_at or now)


def completed_courses(enrolments: Iterable[Enrolment]) -> frozenset[str]:
    """The courses somebody has completed, however long ago."""
    return frozenset(each.course for each in enrolments if each.status is Status.COMPLETED)


def _refused_by_course(course: Course, today: date) -> errors.Refusal | None:
    if live_on(course, today):
        return None
    days = {"starts_on": course.starts_on, "ends_on": course.ends_on}
    why = "not offered today" if course.status is CourseStatus.LIVE else course.status
    return errors.CourseNotLive(
        f"This course is {why}.",
        status=course.status.value,
        **{name: str(day) for name, day in days.items() if day},
    )


def _refused_by_class(class_: Class, now: datetime) -> errors.Refusal | None:
    if class_.status is ClassStatus.CANCELLED:
        return errors.ClassCancelled("This class was cancelled.")
    if class_.starts_at is not None and class_.starts_at <= now:
        return errors.ClassPast("This class has already started.", starts_at=class_.starts_at.isoformat())
    if class_.status in (ClassStatus.PLANNED, ClassStatus.CLOSED):
        return errors.ClassNotOpen(f"This class is {class_.status}.", status=class_.status.value)
    today = london_day(now)
    if class_.enrol_from and today < class_.enrol_from:
        return errors.EnrolmentNotOpen("Enrolment has not begun.", enrol_from=class_.enrol_from.isoformat())
    if class_.enrol_until and today > class_.enrol_until:
        return errors.EnrolmentNotOpen("Enrolment has ended.", enrol_until=class_.enrol_until.isoformat())
    return None


def _refused_by_own_enrolments(class_: Class, enrolments: tuple[Enrolment, ...]) -> errors.Refusal | None:
    for enrolment in enrolments:
        if enrolment.class_id == class_.id and _blocks_another(enrolment):
            return errors.AlreadyEnrolled(
                f"You are already on this class: {enrolment.status}.",
                enrolment=enrolment.id,
                status=enrolment.status.value,
            )
    for enrolment in enrolments:
        if enrolment.overlaps(class_):
            return errors.Clash(
                "You hold a seat on another class at the same time.", enrolment=enrolment.id, title=enrolment.title
            )
    return None


def _blocks_another(enrolment: Enrolment) -> bool:
    """A dated class is taken once; e-learning may be repeated, but only one attempt is open at a time."""
    return enrolment.open or (enrolment.starts_at is not None and enrolment.status in SEATED)


def _refused_by_access(access: Access) -> errors.Refusal | None:
    if access.visible:
        return None
    return errors.AccessNotMet("You meet none of the access rules of this course.")


def _refused_by_prerequisites(prerequisites: Sequence[Checked], day: date) -> errors.Refusal | None:
    missing = [each for each in prerequisites if each.missing]
    if not missing:
        return None
    names = ", ".join(each.name or "a course that you cannot find yourself" for each in missing)
    first = list(dict.fromkeys(course.title for each in missing for course in each.courses))
    return errors.PrerequisiteMissing(
        f"Before this course comes what you do not hold, or will not on {long_day(day)}: {names}.",
        way_out=f"Do first: {', or '.join(first)}." if first else None,
        on=str(day),
        missing=[_said(each) for each in missing],
    )


def _said(missing: Checked) -> dict[str, Any]:
    """What is missing, and where to get it. A course that the learner cannot find is not named."""
    wanted = missing.prerequisite
    return {
        "kind": wanted.kind.value,
        "id": wanted.id if missing.name else None,
        "level": wanted.level,
        "name": missing.name,
        "courses": [{"id": course.id, "title": course.title} for course in missing.courses],
    }


def _refused_by_mode(access: Access) -> errors.Refusal | None:
    if access.mode is AccessMode.APPROVAL:
        return errors.ApprovalNeeded("This course needs your manager's approval.")
    if access.mode is AccessMode.ADMINISTRATOR:
        return errors.AdministratorOnly("Only the learning team enrols people on this course.")
    return None


def _refused_by_seats(seats: Seats) -> errors.Refusal | None:
    if seats.free is None or (seats.free > 0 and seats.waiting == 0):
        return None
    why = "Every seat on this class is taken." if seats.free == 0 else "Others are waiting for the seats that are free."
    return errors.ClassFull(why, maximum=seats.maximum, free=seats.free, waiting=seats.waiting)


def next_attempt(class_id: str, mine: Iterable[Enrolment]) -> int:
    """The number of the learner's next attempt at a class, from 1."""
    return max((enrolment.attempt for enrolment in mine if enrolment.class_id == class_id), default=0) + 1


def withdraw(enrolment: Enrolment, now: datetime, by: str) -> Enrolment:
    """The learner gives the place back; allowed from any open state until the class starts (domain.md §2)."""
    if not enrolment.open:
        raise errors.NotOpenToWithdraw(f"This enrolment is already {enrolment.status}.", status=enrolment.status.value)
    if enrolment.starts_at is not None and enrolment.starts_at <= now:
        raise errors.TooLateToWithdraw("The class has started.", starts_at=enrolment.starts_at.isoformat())
    return enrolment.moved_to(Status.WITHDRAWN, now, by)


def lost_by_leaving(enrolments: Iterable[Enrolment], employment: Employment | None, today: date) -> list[Enrolment]:
    """Open enrolments that somebody cannot keep because their employment is over, or will be on the day of the class.

    A class on or before the last day of service is kept, and its outcome may still be noted. What has no date is lost once they
    have left. An employment that was cancelled altogether keeps nothing.
    """
    return [
        each
        for each in enrolments
        if each.open
        and (employment is None or employment.left_before(london_day(each.starts_at) if each.starts_at else today))
    ]


EMPLOYMENT_ENDS = "employment here ends"
"""Why a leaver's enrolment was withdrawn, for its history; the message says it to the learner."""


def release(enrolment: Enrolment, now: datetime, by: str) -> Enrolment:
    """The service gives a leaver's place back, from any open state."""
    return enrolment.moved_to(Status.WITHDRAWN, now, by, EMPLOYMENT_ENDS)


# --- what becomes of enrolments when their class changes (domain.md §2) ---------------------------------------

HISTORY = SEATED - {Status.CONFIRMED}
"""Closed states in which somebody was there, or should have been: what the class was is corrected for them, too."""

CLASS_CLOSED = "the class takes nobody new"
CLASS_PLANNED = "the class is being planned again"


def following(enrolment: Enrolment, class_: Class, title: str, venue: str | None, at: datetime, by: str) -> Enrolment:
    """The enrolment as the class, now changed, leaves it; the very same one if nothing of it changes.

    A cancelled class cancels what is open, a closed one what is requested, and a planned one sends those with a seat to the
    waiting list, in the order in which they were placed. Otherwise dates, place, link and title follow those of the class. What was
    given up or refused stays as it was, so does the history of a class without dates, in which there is nothing to put right, and
    nothing goes back to an earlier revision of the class.
    """
    follows = enrolment.open or (enrolment.status in HISTORY and class_.starts_at is not None)
    if enrolment.class_revision > class_.revision or not follows:
        return enrolment
    if class_.status is ClassStatus.CANCELLED:
        return enrolment.moved_to(Status.CANCELLED, at, by, class_.reason) if enrolment.open else enrolment
    if class_.status is ClassStatus.CLOSED and enrolment.status is Status.REQUESTED:
        return enrolment.moved_to(Status.CANCELLED, at, by, CLASS_CLOSED)
    after = replace(
        enrolment,
        title=title,
        starts_at=class_.starts_at,
        ends_at=class_.ends_at,
        sessions=class_.sessions,
        venue=venue,
        link=class_.link,
    )
    if class_.status is ClassStatus.PLANNED and enrolment.status is Status.CONFIRMED:
        after = after.moved_to(Status.WAITLISTED, at, by, CLASS_PLANNED)
    elif after != enrolment:
        after = replace(after, revision=after.revision + 1)
    return replace(after, class_revision=class_.revision) if after != enrolment else enrolment


def moved(before: Enrolment, after: Enrolment) -> bool:
    """Whether a learner has to be told of what changed: dates, place or link (domain.md §9, N12)."""
    return (before.sessions, before.starts_at, before.ends_at, before.venue, before.link) != (
        after.sessions,
        after.starts_at,
        after.ends_at,
        after.venue,
        after.link,
    )


def told_of(before: Enrolment, after: Enrolment, now: datetime) -> bool:
    """Whether a change of a class is news: not if it was over, and is (domain.md §8: past classes tell nobody)."""
    return any(each.ends_at is None or each.ends_at > now for each in (before, after))


def promoted(enrolment: Enrolment, class_: Class, at: datetime, by: str) -> Enrolment:
    """Somebody waiting gets a seat; they keep the moment at which they joined the list."""
    after = enrolment.moved_to(Status.CONFIRMED, at, by)
    return replace(after, counted=class_.maximum is not None, passed_over=False)


def passed_over(enrolment: Enrolment) -> Enrolment:
    """Somebody waiting who cannot take the seat that is theirs to have: they stay on the list, and hold up nobody."""
    return replace(enrolment, passed_over=True, revision=enrolment.revision + 1)


def in_the_way(class_: Class, mine: Iterable[Enrolment]) -> Enrolment | None:
    """A seat held on another class at the same time, if there is one: whoever holds it is passed over (domain.md §2)."""
    return next((each for each in mine if each.class_id != class_.id and each.overlaps(class_)), None)


def no_longer_passed_over(mine: Iterable[Enrolment]) -> list[Enrolment]:
    """Of somebody's enrolments everywhere, places on waiting lists for which they were passed over and nothing is in the way any
    more: as they are once they count as waiting again.
    """
    everywhere = tuple(mine)
    return [
        replace(each, passed_over=False, revision=each.revision + 1)
        for each in everywhere
        if each.passed_over
        and each.status is Status.WAITLISTED
        and not any(other.overlaps(each) for other in everywhere)
    ]
