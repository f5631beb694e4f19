"""Classes: their dates, places and states, and what is wrong or doubtful about them (domain.md §2 and §8)."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Any

from chalicelib.domain.calendar import EARLIEST, LATEST, LONDON, london_day, long_day
from chalicelib.domain.catalogue import Catalogue, Course, CourseStatus, Mode
from chalicelib.domain.errors import FieldError
from chalicelib.domain.people import NATIONAL
from chalicelib.domain.requirements import Rulebook


class ClassStatus(StrEnum):
    """The states of a class (domain.md §2). Full is not stored: it follows from the seats."""

    PLANNED = "planned"
    NORMAL = "normal"
    FULL = "full"
    CLOSED = "closed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Session:
    """One sitting of a class, as UTC instants."""

    starts_at: datetime
    ends_at: datetime

    def overlaps(self, other: "Session") -> bool:
        """Whether two sittings have a moment in common; touching ends do not."""
        return self.starts_at < other.ends_at and other.starts_at < self.ends_at


class NoSuchTime(ValueError):
    """A civil time that the clocks skip when they go forward, or that lies outside the calendar."""


def session_on(day: date, from_: time, until: time, until_day: date | None = None) -> Session:
    """A sitting at civil times of a London day: 09:00 stays 09:00 across clock changes (domain.md §8).

    It ends on the day it begins unless told, as training of a night shift is. A time that comes twice, when the clocks go back, is
    the first of the two. Raises NoSuchTime for one that does not come.
    """
    return Session(_instant(day, from_), _instant(until_day or day, until))


def _instant(day: date, at: time) -> datetime:
    if not EARLIEST <= day <= LATEST:
        raise NoSuchTime(f"{day} lies outside {EARLIEST} to {LATEST}")
    civil = datetime.combine(day, at, tzinfo=LONDON)
    instant = civil.astimezone(UTC)
    if instant.astimezone(LONDON).time() != at:
        raise NoSuchTime(f"the clocks skip {at:%H:%M} on {long_day(day)}")
    return instant


@dataclass(frozen=True, slots=True)
class Class:
    """A class of an offering. E-learning has no dates and no maximum.

    `enrol_from` and `enrol_until` are the first and last London day on which one may enrol. `venue` is the id of one in the
    register, `link` where an online classroom meets, `joining_instructions` stand in place of the course's. `only_units` narrows
    who can find it to these units and those below (domain.md §5). `by_need`: its waiting list is ordered by need of what it awards,
    then by time (§2, decision 0025), otherwise by time alone. `batch` names the schedule it came from. `reason` says why it was
    cancelled. `revision` rises with every change, so that of two administrators at once the second is told.
    """

    id: str
    course: str
    offering: str
    title: str
    mode: Mode
    status: ClassStatus
    starts_at: datetime | None
    ends_at: datetime | None
    minimum: int
    maximum: int | None
    venue: str | None = None
    instructor: str | None = None
    enrol_from: date | None = None
    enrol_until: date | None = None
    sessions: tuple[Session, ...] = ()
    link: str | None = None
    joining_instructions: str = ""
    only_units: tuple[str, ...] = ()
    by_need: bool = False
    batch: str | None = None
    reason: str | None = None
    revision: int = 1


@dataclass(frozen=True, slots=True)
class Seats:
    """The places of a class: maximum (None: without limit), taken, and people waiting."""

    maximum: int | None
    taken: int
    waiting: int

    @property
    def free(self) -> int | None:
        """Places nobody holds; None without limit. Never negative, though a class may be overbooked (domain.md §2)."""
        return None if self.maximum is None else max(0, self.maximum - self.taken)


def status_shown(class_: Class, seats: Seats) -> ClassStatus:
    """Full is automatic when seats are taken up to the maximum, and ends when one frees (domain.md §2)."""
    if class_.status is ClassStatus.NORMAL and seats.free == 0:
        return ClassStatus.FULL
    return class_.status


def in_sessions(class_: Class, sessions: Iterable[Session]) -> Class:
    """The class with these sittings, from the first start to the last end; an undated one without."""
    held = tuple(sorted(sessions, key=lambda each: each.starts_at))
    starts_at = held[0].starts_at if held else None
    return replace(
        class_, sessions=held, starts_at=starts_at, ends_at=max((each.ends_at for each in held), default=None)
    )


def copied(class_: Class, day: date) -> Class:
    """A class like this one that begins on another day: civil times, gaps between sessions and enrolment dates as they were.

    Everything else is taken over, enrolments never; what was closed or cancelled is open again (domain.md §8). An enrolment date
    that would leave the calendar becomes its end: what was open for ever still is. Raises NoSuchTime.
    """
    if class_.starts_at is None:
        return replace(class_, status=_opened(class_.status), batch=None, reason=None, revision=1)
    later = day - class_.starts_at.astimezone(LONDON).date()
    again = replace(
        class_,
        status=_opened(class_.status),
        enrol_from=class_.enrol_from and _within_calendar(class_.enrol_from, later),
        enrol_until=class_.enrol_until and _within_calendar(class_.enrol_until, later),
        batch=None,
        reason=None,
        revision=1,
    )
    return in_sessions(
        again, [Session(_later(each.starts_at, later), _later(each.ends_at, later)) for each in class_.sessions]
    )


def _opened(status: ClassStatus) -> ClassStatus:
    return ClassStatus.NORMAL if status in (ClassStatus.CLOSED, ClassStatus.CANCELLED) else status


def _within_calendar(day: date, later: timedelta) -> date:
    number = day.toordinal() + later.days
    return date.fromordinal(min(max(number, EARLIEST.toordinal()), LATEST.toordinal()))


def _later(instant: datetime, by: timedelta) -> datetime:
    civil = instant.astimezone(LONDON)
    return _instant(civil.date() + by, civil.time())


def minimum_not_met(class_: Class, seats: Seats) -> bool:
    """Whether fewer hold seats than the class needs; a cancelled one needs nobody (domain.md §2)."""
    return class_.status is not ClassStatus.CANCELLED and seats.taken < class_.minimum


_FOLLOWED = ("status", "starts_at", "ends_at", "sessions", "venue", "link", "by_need")


def concerns_enrolments(before: Class, after: Class) -> bool:
    """Whether a change does something to the enrolments of a class: a state, dates, place, link, the order of those
    who wait, or more seats.
    """
    more_seats = before.maximum is not None and after.maximum is not None and after.maximum > before.maximum
    return more_seats or any(getattr(before, name) != getattr(after, name) for name in _FOLLOWED)


# --- states (domain.md §2) ------------------------------------------------------------------------------------

NEXT: dict[ClassStatus, frozenset[ClassStatus]] = {
    ClassStatus.PLANNED: frozenset({ClassStatus.NORMAL, ClassStatus.CLOSED, ClassStatus.CANCELLED}),
    ClassStatus.NORMAL: frozenset({ClassStatus.PLANNED, ClassStatus.CLOSED, ClassStatus.CANCELLED}),
    ClassStatus.FULL: frozenset(),
    ClassStatus.CLOSED: frozenset({ClassStatus.PLANNED, ClassStatus.NORMAL, ClassStatus.CANCELLED}),
    ClassStatus.CANCELLED: frozenset(),
}
"""To which states whoever may edit a class moves it. Full follows from the seats and is set by nobody; Cancelled is final."""


def started(class_: Class, now: datetime) -> bool:
    """Whether a class has begun; one without dates never has."""
    return class_.starts_at is not None and class_.starts_at <= now


def over(class_: Class, now: datetime) -> bool:
    """Whether the end of a class is gone, which is all that past means (domain.md §2)."""
    return class_.ends_at is not None and class_.ends_at <= now


def why_not_to(class_: Class, status: ClassStatus, now: datetime) -> str | None:
    """Why a class cannot be moved to a state; None if it can, or is in it."""
    if status is class_.status:
        return None
    if status is ClassStatus.FULL:
        return "a class is full by its seats; set its maximum instead"
    if status not in NEXT[class_.status]:
        return f"a {class_.status} class does not become {status}"
    if status is ClassStatus.PLANNED and started(class_, now):
        return "a class that has started is planned no more"
    return None


def before_start(class_: Class, days: Iterable[int]) -> list[datetime]:
    """The instants so many days before a class starts, at the same time of day in London; none before a class without dates. Civil
    days are counted, so that a change of the clocks moves none of them.
    """
    if class_.starts_at is None:
        return []
    civil = class_.starts_at.astimezone(LONDON)
    return sorted((civil - timedelta(days=each)).astimezone(UTC) for each in days)


# --- what is wrong --------------------------------------------------------------------------------------------

LONGEST_SESSION = timedelta(hours=24)
MOST_SESSIONS = 30
"""So that a change of all of a class fits one transaction."""

MOST_PLACES = 10_000


def wrong_fields(class_: Class, catalogue: Catalogue, rulebook: Rulebook) -> list[FieldError]:
    """Whatever of a class cannot be, each with the field and the reason; empty if it may be saved."""
    course = catalogue.courses.get(class_.course)
    return [
        *_wrong_offering(class_, course),
        *_wrong_sessions(class_),
        *_wrong_places(class_),
        *_wrong_enrolment_dates(class_),
        *_wrong_venue(class_, catalogue),
        *_wrong_units(class_, rulebook),
    ]


def _wrong_offering(class_: Class, course: Course | None) -> Iterator[FieldError]:
    if course is None:
        yield FieldError("course", "is not in the catalogue")
        return
    if course.status is CourseStatus.WITHDRAWN:
        yield FieldError("course", "is withdrawn")
    offering = next((each for each in course.offerings if each.id == class_.offering), None)
    if offering is None:
        yield FieldError("offering", "is not an offering of this course")
    elif offering.mode is not class_.mode:
        yield FieldError("offering", f"is {offering.mode}, and the class is {class_.mode}")
    if class_.link and class_.mode is Mode.CLASSROOM:
        yield FieldError("link", "is for what is held online")


def _wrong_sessions(class_: Class) -> Iterator[FieldError]:
    if class_.mode is Mode.E_LEARNING:
        if class_.sessions or class_.starts_at or class_.ends_at:
            yield FieldError("sessions", "e-learning has no dates")
        return
    if not class_.sessions:
        yield FieldError("sessions", "a class needs at least one")
    if len(class_.sessions) > MOST_SESSIONS:
        yield FieldError("sessions", f"a class has at most {MOST_SESSIONS}")
    for number, session in enumerate(class_.sessions):
        where = f"sessions[{number}]"
        if session.ends_at <= session.starts_at:
            yield FieldError(where, "ends before it starts")
        elif session.ends_at - session.starts_at > LONGEST_SESSION:
            yield FieldError(where, "is longer than a day")
        elif class_.starts_at and class_.ends_at and not class_.starts_at <= session.starts_at <= class_.ends_at:
            yield FieldError(where, "lies outside the class")
        if number and session.starts_at < class_.sessions[number - 1].ends_at:
            yield FieldError(where, "begins before the one before it has ended")


def _wrong_places(class_: Class) -> Iterator[FieldError]:
    if class_.mode is Mode.E_LEARNING:
        if class_.maximum is not None:
            yield FieldError("maximum", "e-learning has places without limit")
        return
    if class_.maximum is None:
        yield FieldError("maximum", "a class with dates needs one")
    elif not 1 <= class_.maximum <= MOST_PLACES:
        yield FieldError("maximum", f"must be 1 to {MOST_PLACES}")
    elif class_.maximum < class_.minimum:
        yield FieldError("maximum", "is below the minimum")
    if class_.minimum < 0:
        yield FieldError("minimum", "must not be below 0")


def _wrong_enrolment_dates(class_: Class) -> Iterator[FieldError]:
    for name in ("enrol_from", "enrol_until"):
        day = getattr(class_, name)
        if day and not EARLIEST <= day <= LATEST:
            yield FieldError(name, f"lies outside {EARLIEST} to {LATEST}")
    if class_.enrol_from and class_.enrol_until and class_.enrol_until < class_.enrol_from:
        yield FieldError("enrol_until", "lies before enrol_from")


def _wrong_venue(class_: Class, catalogue: Catalogue) -> Iterator[FieldError]:
    if class_.venue is None:
        return
    venue = catalogue.venues.get(class_.venue)
    if catalogue.employer == NATIONAL:
        yield FieldError("venue", "is an employer's: a national class has none")
    elif venue is None:
        yield FieldError("venue", "is not in the register of venues")
    elif not venue.in_use:
        yield FieldError("venue", "is out of use")
    if class_.mode is Mode.E_LEARNING:
        yield FieldError("venue", "e-learning has no venue")


def _wrong_units(class_: Class, rulebook: Rulebook) -> Iterator[FieldError]:
    for number, unit in enumerate(class_.only_units):
        if rulebook.employer == NATIONAL:
            yield FieldError(f"only_units[{number}]", "a national class is not narrowed to units of an employer")
        elif unit not in rulebook.units:
            yield FieldError(f"only_units[{number}]", "is not a unit of this employer")
        elif unit in class_.only_units[:number]:
            yield FieldError(f"only_units[{number}]", "is named twice")


# --- what is doubtful -----------------------------------------------------------------------------------------


class CautionKind(StrEnum):
    """What an administrator should know of before saving a class."""

    VENUE_TAKEN = "venue taken"
    INSTRUCTOR_TAKEN = "instructor taken"
    VENUE_TOO_SMALL = "venue too small"
    BELOW_CONFIRMED = "maximum below confirmed"
    IN_THE_PAST = "in the past"
    NOBODY_CAN_ENROL = "nobody can enrol"
    COURSE_NOT_LIVE = "course not live"


REFUSED_UNLESS_ACCEPTED = frozenset(
    {CautionKind.VENUE_TAKEN, CautionKind.INSTRUCTOR_TAKEN, CautionKind.VENUE_TOO_SMALL}
)
"""Cautions with which a class is saved only if whoever saves it says so; of the others they are told."""


@dataclass(frozen=True, slots=True)
class Caution:
    """Something doubtful about a class: what kind, a sentence, and the facts behind it."""

    kind: CautionKind
    detail: str
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Held:
    """A sitting that takes a venue and an instructor, of whichever class."""

    class_id: str
    session: Session
    venue: str | None = None
    instructor: str | None = None


def sittings(class_: Class) -> Iterator[Held]:
    """What a class holds; nothing once it is cancelled."""
    if class_.status is not ClassStatus.CANCELLED:
        yield from (Held(class_.id, each, class_.venue, class_.instructor) for each in class_.sessions)


def cautions(planned: Sequence[Class], held: Iterable[Held], catalogue: Catalogue) -> dict[str, tuple[Caution, ...]]:
    """What is doubtful about planned classes, by their id: against what is held, and among themselves (domain.md §8).

    What a planned class holds already, before it is changed, does not count against it. Each other class is named once for a venue
    and once for an instructor, with the first sitting in its way.
    """
    ids = {each.id for each in planned}
    new = [each for class_ in planned for each in sittings(class_)]
    all_ = [*new, *(each for each in held if each.class_id not in ids)]
    found: dict[str, dict[tuple[CautionKind, str], Caution]] = defaultdict(dict)
    for kind, resource_of in (
        (CautionKind.VENUE_TAKEN, lambda each: each.venue),
        (CautionKind.INSTRUCTOR_TAKEN, lambda each: each.instructor),
    ):
        for mine, other in _in_each_others_way(all_, resource_of):
            if mine.class_id in ids:
                found[mine.class_id].setdefault((kind, other.class_id), _taken(kind, mine, other, catalogue))
    for class_ in planned:
        if caution := _too_small(class_, catalogue):
            found[class_.id][caution.kind, class_.id] = caution
    return {class_id: tuple(each.values()) for class_id, each in found.items()}


def _in_each_others_way(held: Iterable[Held], resource_of: Callable[[Held], str | None]) -> Iterator[tuple[Held, Held]]:
    """Each two sittings of different classes that overlap on one resource, both ways round, by one pass in order of start."""
    by_resource: dict[str, list[Held]] = defaultdict(list)
    for each in held:
        if resource := resource_of(each):
            by_resource[resource].append(each)
    for together in by_resource.values():
        running: list[Held] = []
        for each in sorted(together, key=lambda one: one.session.starts_at):
            running = [one for one in running if one.session.ends_at > each.session.starts_at]
            for other in running:
                if other.class_id != each.class_id:
                    yield from ((each, other), (other, each))
            running.append(each)


def _taken(kind: CautionKind, mine: Held, other: Held, catalogue: Catalogue) -> Caution:
    if kind is CautionKind.VENUE_TAKEN:
        who = f"{catalogue.venue_name(mine.venue)} is taken by"
        facts: dict[str, Any] = {"venue": mine.venue}
    else:
        who, facts = "The instructor has", {"instructor": mine.instructor}
    start, end = (each.astimezone(LONDON) for each in (other.session.starts_at, other.session.ends_at))
    return Caution(
        kind,
        f"{who} another class on {long_day(start.date())}, {start:%H:%M} to {end:%H:%M}.",
        {
            **facts,
            "class": other.class_id,
            "starts_at": other.session.starts_at.isoformat(),
            "ends_at": other.session.ends_at.isoformat(),
        },
    )


def _too_small(class_: Class, catalogue: Catalogue) -> Caution | None:
    venue = catalogue.venues.get(class_.venue) if class_.venue else None
    if venue is None or venue.capacity is None or class_.maximum is None or class_.maximum <= venue.capacity:
        return None
    return Caution(
        CautionKind.VENUE_TOO_SMALL,
        f"{venue.name} holds {venue.capacity} people, and the class has {class_.maximum} places.",
        {"venue": venue.id, "capacity": venue.capacity, "maximum": class_.maximum},
    )


def worth_knowing(
    class_: Class, catalogue: Catalogue, now: datetime, seats: Seats | None = None
) -> tuple[Caution, ...]:
    """What is doubtful about a class in itself: whoever saves it is told, and need not accept it. Nothing of a cancelled one."""
    if class_.status is ClassStatus.CANCELLED:
        return ()
    found = (
        in_the_past(class_, now),
        below_confirmed(class_, seats) if seats else None,
        nobody_can_enrol(class_, now),
        course_not_live(class_, catalogue, now),
    )
    return tuple(each for each in found if each)


def below_confirmed(class_: Class, seats: Seats) -> Caution | None:
    """A maximum below the seats taken: allowed, everybody keeps their seat, and nobody is promoted (domain.md §2)."""
    if class_.maximum is None or seats.taken <= class_.maximum:
        return None
    return Caution(
        CautionKind.BELOW_CONFIRMED,
        f"{seats.taken} people hold seats, and there are {class_.maximum} places. All keep their seats.",
        {"taken": seats.taken, "maximum": class_.maximum},
    )


def in_the_past(class_: Class, now: datetime) -> Caution | None:
    """A class that has begun: allowed, to record what was held, and nobody is told of it (domain.md §8)."""
    if class_.starts_at is None or not started(class_, now):
        return None
    return Caution(
        CautionKind.IN_THE_PAST,
        "The class lies in the past: nobody is told of it.",
        {"starts_at": class_.starts_at.isoformat()},
    )


def nobody_can_enrol(class_: Class, now: datetime) -> Caution | None:
    """Enrolment dates that let nobody in: over today, or behind the start. Allowed, for whoever adds people afterwards (§8)."""
    opens, closed = class_.enrol_from, class_.enrol_until
    if started(class_, now):
        return None
    if closed and closed < london_day(now):
        return Caution(
            CautionKind.NOBODY_CAN_ENROL,
            f"Enrolment closed on {long_day(closed)}: nobody can enrol.",
            {"enrol_until": closed.isoformat()},
        )
    if opens and class_.starts_at and opens > london_day(class_.starts_at):
        return Caution(
            CautionKind.NOBODY_CAN_ENROL,
            f"Enrolment opens on {long_day(opens)}, after the class starts: nobody can enrol.",
            {"enrol_from": opens.isoformat()},
        )
    return None


def course_not_live(class_: Class, catalogue: Catalogue, now: datetime) -> Caution | None:
    """A course that is a draft, or that cannot be found on the day of the class: allowed, to plan ahead of it."""
    course = catalogue.courses.get(class_.course)
    if course is None:
        return None
    day = london_day(class_.starts_at or now)
    if course.status is CourseStatus.DRAFT:
        why = "is a draft: nobody finds its classes before it is live"
    elif course.starts_on and day < course.starts_on:
        why = f"begins on {long_day(course.starts_on)}, after the class starts"
    elif course.ends_on and course.ends_on < day:
        why = f"ends on {long_day(course.ends_on)}, before the class starts"
    else:
        return None
    return Caution(CautionKind.COURSE_NOT_LIVE, f"The course {why}.", {"course": course.id})
