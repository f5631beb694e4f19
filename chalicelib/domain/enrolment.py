"""Enrolment: its states, who takes it from one to another, and what becomes of it when its class changes (domain.md §2)."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import IntEnum, StrEnum

from chalicelib.domain import errors
from chalicelib.domain.calendar import london_day
from chalicelib.domain.catalogue import Grants, Mode
from chalicelib.domain.classes import Class, ClassStatus, Session
from chalicelib.domain.people import Employment


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

OUTCOMES = SEATED - {Status.CONFIRMED}
"""What is noted of a learner once the class has started: was there and completed it, was there and did not, was not there."""


class Party(StrEnum):
    """As who somebody changes an enrolment. Administrators: learning administrators, and class administrators in their subjects."""

    LEARNER = "learner"
    MANAGER = "manager"
    INSTRUCTOR = "instructor"
    ADMINISTRATOR = "administrator"
    SYSTEM = "system"


_LEARNER, _MANAGER, _INSTRUCTOR = Party.LEARNER, Party.MANAGER, Party.INSTRUCTOR
_ADMINISTRATOR, _SYSTEM = Party.ADMINISTRATOR, Party.SYSTEM
_PLACING = frozenset({_LEARNER, _MANAGER, _ADMINISTRATOR, _SYSTEM})
_WITHDRAWING = frozenset({_LEARNER, _MANAGER, _ADMINISTRATOR, _SYSTEM})
_CANCELLING = frozenset({_ADMINISTRATOR, _SYSTEM})
_MARKING = frozenset({_INSTRUCTOR, _ADMINISTRATOR, _SYSTEM})
_CORRECTING = frozenset({_ADMINISTRATOR})
_APPROVING = frozenset({_MANAGER, _ADMINISTRATOR})

MOVES: dict[Status | None, dict[Status, frozenset[Party]]] = {
    None: {
        Status.REQUESTED: frozenset({_LEARNER}),
        Status.CONFIRMED: _PLACING,
        Status.WAITLISTED: _PLACING,
    },
    Status.REQUESTED: {
        Status.CONFIRMED: _APPROVING | {_SYSTEM},  # of somebody who moved to where nobody has to approve
        Status.WAITLISTED: _APPROVING | {_SYSTEM},
        Status.REJECTED: _APPROVING,
        Status.WITHDRAWN: _WITHDRAWING,
        Status.CANCELLED: _CANCELLING,
    },
    Status.WAITLISTED: {
        Status.CONFIRMED: frozenset({_ADMINISTRATOR, _SYSTEM}),
        Status.WITHDRAWN: _WITHDRAWING,
        Status.CANCELLED: _CANCELLING,
    },
    Status.CONFIRMED: {
        Status.WAITLISTED: frozenset({_ADMINISTRATOR, _SYSTEM}),
        Status.WITHDRAWN: _WITHDRAWING,
        Status.CANCELLED: _CANCELLING,
        **dict.fromkeys(OUTCOMES, _MARKING),
    },
    **{before: dict.fromkeys(SEATED - {before}, _CORRECTING) for before in OUTCOMES},
}
"""Who takes an enrolment from which state to which; None is before there was one (domain.md §2). Nothing else can happen to it."""


def may_move(before: Status | None, after: Status, party: Party) -> bool:
    """Whether somebody may take an enrolment from one state to another (domain.md §2)."""
    return party in MOVES.get(before, {}).get(after, frozenset())


class Need(IntEnum):
    """How much somebody needs what a class awards: what comes first on a waiting list by need (domain.md §2)."""

    RED = 1
    AMBER = 2
    OTHER = 3


@dataclass(frozen=True, slots=True)
class Post:
    """The assignment through which somebody was placed, as it was then: its number, unit and position.

    Whoever holds another post later has moved, and access is judged again (decision 0025).
    """

    assignment: str
    unit: str
    position: str


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

    `post` is the assignment it was asked for through; None for whoever holds none. `approver` is who is asked while it is
    requested, None the learning administrators. `need` orders a waiting list by need, None one by time. `overridden` names the
    rules that an administrator set aside to place the learner (kinds of refusal); the reason stands in the history. `score` is in
    per cent. `to_verify` is what its completion is worth and an administrator has still to check and award. `email` is where
    messages about it go; None: to the learner's own address (domain.md §9).
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
    post: Post | None = None
    approver: str | None = None
    need: Need | None = None
    overridden: tuple[str, ...] = ()
    score: float | None = None
    to_verify: tuple[Grants, ...] = ()
    email: str | None = None

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

    def reached(self, status: Status, by: str) -> bool:
        """Whether somebody brought it to this state, and nothing has happened since: a repetition changes nothing."""
        return (self.history[-1].status, self.history[-1].by) == (status, by) and self.status is status

    @property
    def waits_by_need(self) -> bool:
        """Whether it stands on a waiting list that is ordered by need."""
        return self.status is Status.WAITLISTED and self.need is not None

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


def next_attempt(class_id: str, mine: Iterable[Enrolment]) -> int:
    """The number of the learner's next attempt at a class, from 1."""
    return max((enrolment.attempt for enrolment in mine if enrolment.class_id == class_id), default=0) + 1


def completed_courses(enrolments: Iterable[Enrolment]) -> frozenset[str]:
    """The courses somebody has completed, however long ago."""
    return frozenset(each.course for each in enrolments if each.status is Status.COMPLETED)


def refuse_move(
    enrolment: Enrolment, to: Status, party: Party, from_: frozenset[Status] = OPEN, way_out: str | None = None
) -> None:
    """May somebody other than its learner take an enrolment from one of these states to another? As MOVES says.

    Raises EnrolmentNotThere (with this way out, if one is given) if it is in none of them, and NotPermitted where only others may.
    """
    if enrolment.status not in from_:
        raise errors.EnrolmentNotThere(
            f"This enrolment is {enrolment.status}.",
            way_out=way_out,
            enrolment=enrolment.id,
            status=enrolment.status.value,
            since=enrolment.history[-1].at.isoformat(),
        )
    if not may_move(enrolment.status, to, party):
        raise errors.NotPermitted("Only the learning team may do this.", way_out="Ask the learning team.")


def withdraw(enrolment: Enrolment, now: datetime, by: str) -> Enrolment:
    """Learners give their place back; allowed from any open state until the class starts (domain.md §2)."""
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

CLASS_CLOSED = "the class takes nobody new"
CLASS_PLANNED = "the class is still being planned"
CLASS_FULL = "every seat is taken, or others wait for those that are free"


def following(enrolment: Enrolment, class_: Class, title: str, venue: str | None, at: datetime, by: str) -> Enrolment:
    """The enrolment as the class, now changed, leaves it; the very same one if nothing of it changes.

    A cancelled class cancels what is open, a closed one what is requested, and a planned one sends those with a seat to the
    waiting list, in the order in which they were placed. Otherwise dates, place, link and title follow those of the class. What was
    given up or refused stays as it was, so does the history of a class without dates, in which there is nothing to put right, and
    nothing goes back to an earlier revision of the class.
    """
    follows = enrolment.open or (enrolment.status in OUTCOMES and class_.starts_at is not None)
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


def over(enrolment: Enrolment, now: datetime) -> bool:
    """Whether its class is over: then nobody is told what becomes of it (domain.md §8: past classes tell nobody)."""
    return enrolment.ends_at is not None and enrolment.ends_at <= now


def promoted(enrolment: Enrolment, class_: Class, at: datetime, by: str, reason: str | None = None) -> Enrolment:
    """Somebody waiting gets a seat; they keep the moment at which they joined the list."""
    after = enrolment.moved_to(Status.CONFIRMED, at, by, reason)
    return replace(after, counted=class_.maximum is not None, passed_over=False)


def sent_back(enrolment: Enrolment, at: datetime, by: str, reason: str) -> Enrolment:
    """Somebody with a seat goes back to the waiting list, behind those who wait already: their turn has been."""
    return replace(enrolment.moved_to(Status.WAITLISTED, at, by, reason), placed_at=at)


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
