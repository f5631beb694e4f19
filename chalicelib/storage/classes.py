"""Classes with their seats and sessions."""

import heapq
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from itertools import chain, islice
from typing import Any

from pynamodb.attributes import BooleanAttribute, ListAttribute, NumberAttribute, UnicodeAttribute

from chalicelib.domain.catalogue import Mode, owner_of
from chalicelib.domain.classes import LONGEST_SESSION, Class, ClassStatus, Held, Seats, Session, before_start
from chalicelib.domain.message_settings import MOST_DAYS_BEFORE, MessageSettings
from chalicelib.domain.timers import Timer, TimerKind
from chalicelib.storage import keys
from chalicelib.storage.base import DayAttribute, InstantAttribute, Record
from chalicelib.storage.timers import TimerRow
from chalicelib.storage.transaction import Transaction


class ClassRow(Record, discriminator="class"):
    """`E#504#CLS#k` / `META`."""

    course = UnicodeAttribute()
    offering = UnicodeAttribute()
    title = UnicodeAttribute()
    mode = UnicodeAttribute()
    starts_at = InstantAttribute(null=True)
    ends_at = InstantAttribute(null=True)
    minimum = NumberAttribute()
    venue = UnicodeAttribute(null=True)
    instructor = UnicodeAttribute(null=True)
    enrol_from = DayAttribute(null=True)
    enrol_until = DayAttribute(null=True)
    link = UnicodeAttribute(null=True)
    joining_instructions = UnicodeAttribute(null=True)
    only_units = ListAttribute(null=True, of=UnicodeAttribute)
    by_need = BooleanAttribute(null=True)
    batch = UnicodeAttribute(null=True)
    reason = UnicodeAttribute(null=True)
    revision = NumberAttribute(default=1)

    @classmethod
    def of(cls, class_: Class) -> "ClassRow":
        """The row of a class without what its seats say."""
        return cls(
            keys.class_(owner_of(class_.id), class_.id),
            keys.META,
            course=class_.course,
            offering=class_.offering,
            title=class_.title,
            mode=class_.mode.value,
            starts_at=class_.starts_at,
            ends_at=class_.ends_at,
            minimum=class_.minimum,
            venue=class_.venue,
            instructor=class_.instructor,
            enrol_from=class_.enrol_from,
            enrol_until=class_.enrol_until,
            link=class_.link,
            joining_instructions=class_.joining_instructions or None,
            only_units=list(class_.only_units) or None,
            by_need=class_.by_need or None,
            batch=class_.batch,
            reason=class_.reason,
            revision=class_.revision,
        )


class SeatsRow(Record, discriminator="seats"):
    """`E#504#CLS#k` / `SEATS`: status, maximum, taken, waiting; changed only by guarded updates.

    `revision` is the class's, so that a booking can make sure that it has seen the class as it is.

    It carries what a list of classes shows, and stands in the index by month (gsi1) and by course (gsi2): decision 0003.
    """

    status = UnicodeAttribute()
    maximum = NumberAttribute(null=True)
    taken = NumberAttribute(default=0)
    waiting = NumberAttribute(default=0)
    minimum = NumberAttribute()
    title = UnicodeAttribute()
    mode = UnicodeAttribute()
    offering = UnicodeAttribute()
    venue = UnicodeAttribute(null=True)
    instructor = UnicodeAttribute(null=True)
    starts_at = InstantAttribute(null=True)
    ends_at = InstantAttribute(null=True)
    only_units = ListAttribute(null=True, of=UnicodeAttribute)
    revision = NumberAttribute(default=1)

    @classmethod
    def key_of(cls, class_id: str) -> "SeatsRow":
        """A row that holds nothing but its key, to update through."""
        return cls(keys.class_(owner_of(class_id), class_id), keys.SEATS)

    @classmethod
    def of(cls, class_: Class) -> "SeatsRow":
        """The row of a new class, with no seat taken."""
        owner = owner_of(class_.id)
        sort = keys.class_sort(class_.starts_at, class_.id)
        return cls(
            keys.class_(owner, class_.id),
            keys.SEATS,
            gsi1pk=keys.classes_of_month(owner, class_.starts_at) if class_.starts_at else None,
            gsi1sk=sort if class_.starts_at else None,
            gsi2pk=keys.classes_of_course(owner, class_.course),
            gsi2sk=sort,
            status=class_.status.value,
            maximum=class_.maximum,
            minimum=class_.minimum,
            title=class_.title,
            mode=class_.mode.value,
            offering=class_.offering,
            venue=class_.venue,
            instructor=class_.instructor,
            starts_at=class_.starts_at,
            ends_at=class_.ends_at,
            only_units=list(class_.only_units) or None,
            revision=class_.revision,
        )

    def seats(self) -> Seats:
        """The places of the class."""
        maximum = None if self.maximum is None else int(self.maximum)
        return Seats(maximum, int(self.taken), int(self.waiting))

    def summary(self) -> tuple[Class, Seats]:
        """The class as lists show it (without sessions and enrolment dates) and its places."""
        seats = self.seats()
        summary = Class(
            id=self.pk.rpartition(keys.SEPARATOR)[2],
            course=self.gsi2pk.rpartition(keys.SEPARATOR)[2],
            offering=self.offering,
            title=self.title,
            mode=Mode(self.mode),
            status=ClassStatus(self.status),
            starts_at=self.starts_at,
            ends_at=self.ends_at,
            minimum=int(self.minimum),
            maximum=seats.maximum,
            venue=self.venue,
            instructor=self.instructor,
            only_units=tuple(map(str, self.only_units or ())),
            revision=int(self.revision),
        )
        return summary, seats


class SessionRow(Record, discriminator="session"):
    """`E#504#CLS#k` / `SES#n`; gsi1 by venue, gsi2 by instructor, unless the class is cancelled."""

    starts_at = InstantAttribute()
    ends_at = InstantAttribute()

    @classmethod
    def of(cls, class_: Class, number: int, session: Session) -> "SessionRow":
        """The row of the nth session of a class."""
        owner = owner_of(class_.id)
        start = keys.class_sort(session.starts_at, class_.id)
        cancelled = class_.status is ClassStatus.CANCELLED
        venue = None if cancelled else class_.venue
        instructor = None if cancelled else class_.instructor
        return cls(
            keys.class_(owner, class_.id),
            keys.session(number),
            gsi1pk=keys.venue(owner, venue) if venue else None,
            gsi1sk=start if venue else None,
            gsi2pk=keys.instructor(owner, instructor) if instructor else None,
            gsi2sk=start if instructor else None,
            starts_at=session.starts_at,
            ends_at=session.ends_at,
        )

    def held(self) -> Held:
        """What the session takes of venue and instructor."""
        venue, instructor = (key.rpartition(keys.SEPARATOR)[2] if key else None for key in (self.gsi1pk, self.gsi2pk))
        return Held(self.pk.rpartition(keys.SEPARATOR)[2], Session(self.starts_at, self.ends_at), venue, instructor)


LEFT = "LEFT"


class VenueLeftRow(Record, discriminator="venue left"):
    """`E#504#VEN#room-1` / `LEFT`: a class that was at a venue and was moved or cancelled, which the index forgets."""

    class_id = UnicodeAttribute()


def rows_of_class(class_: Class) -> list[Record]:
    """Every row of a new class."""
    return [
        ClassRow.of(class_),
        SeatsRow.of(class_),
        *(SessionRow.of(class_, number, session) for number, session in enumerate(class_.sessions, 1)),
        *([start_of(class_)] if class_.starts_at else []),
    ]


def start_of(class_: Class) -> TimerRow:
    """The row that rings when a dated class starts: then requests and waiting lists end (domain.md §2)."""
    assert class_.starts_at is not None
    return TimerRow.of(Timer(owner_of(class_.id), class_.starts_at, TimerKind.CLASS_START, class_.id))


def ahead_of(class_: Class, settings: MessageSettings, now: datetime) -> Timer | None:
    """The timer of the next instant, of those still to come, at which to look at a class before it starts: to remind those on it,
    and to see whether enough are coming (domain.md §9); MOST_DAYS_BEFORE at the latest, when the settings of that day say what
    comes next. None if there is none, or the class is cancelled.

    It is of one start, so that one of a class that was moved is known to be out of date, and never the same row as that of another
    start. When it rings, it sets the next: one row for each class, however many instants.
    """
    instants = before_start(class_, {MOST_DAYS_BEFORE, *settings.days_before_class})
    at = min((each for each in instants if each > now), default=None)
    if at is None or class_.starts_at is None or class_.status is ClassStatus.CANCELLED:
        return None
    starts_at = keys.instant(class_.starts_at)
    facts = {"class": class_.id, "starts_at": starts_at}
    return Timer(owner_of(class_.id), at, TimerKind.CLASS_AHEAD, f"{class_.id}~{starts_at}", facts)


_COUNTED = {"pk", "sk", "kind", "taken", "waiting"}


def change(transaction: Transaction, before: Class, after: Class) -> None:
    """Add to a transaction: a class as it is now, if it still has the revision that was read. Its counters stay as they are.

    Class, seats and sessions move together, so that nobody can be placed on what has just changed.
    """
    transaction.replace(ClassRow.of(after), ClassRow.revision == before.revision)
    if before.venue and (after.venue != before.venue or after.status is ClassStatus.CANCELLED):
        transaction.put(VenueLeftRow(keys.venue(owner_of(after.id), before.venue), LEFT, class_id=after.id))
    seats = SeatsRow.of(after)
    now = {name: (attribute, getattr(seats, name)) for name, attribute in SeatsRow.get_attributes().items()}
    steps = [
        attribute.remove() if value is None else attribute.set(value)
        for name, (attribute, value) in now.items()
        if name not in _COUNTED
    ]
    transaction.update(SeatsRow.key_of(after.id), steps, SeatsRow.revision == before.revision)
    for number, session in enumerate(after.sessions, 1):
        transaction.put(SessionRow.of(after, number, session))
    if after.starts_at and after.starts_at != before.starts_at:
        transaction.put(start_of(after))  # the one before finds, when it rings, that the class has not started
    for number in range(len(after.sessions) + 1, len(before.sessions) + 1):
        transaction.delete(SessionRow(keys.class_(owner_of(after.id), after.id), keys.session(number)))


def check(transaction: Transaction, class_: Class) -> None:
    """Add to a transaction: only if the class is still as it was read, which says when it is, and whether it was held."""
    seats = SeatsRow.key_of(class_.id)
    transaction.check(SeatsRow, seats.pk, seats.sk, SeatsRow.revision == class_.revision)


def class_with_seats(class_id: str, consistent: bool = False) -> tuple[Class, Seats] | None:
    """A class with its sessions and places, by one query; None if there is none."""
    meta: ClassRow | None = None
    seats_row: SeatsRow | None = None
    sessions: list[Session] = []
    for row in Record.query(keys.class_(owner_of(class_id), class_id), consistent_read=consistent):
        if isinstance(row, ClassRow):
            meta = row
        elif isinstance(row, SeatsRow):
            seats_row = row
        elif isinstance(row, SessionRow):
            sessions.append(Session(row.starts_at, row.ends_at))
    if meta is None or seats_row is None:
        return None
    seats = seats_row.seats()
    class_ = Class(
        id=class_id,
        course=meta.course,
        offering=meta.offering,
        title=meta.title,
        mode=Mode(meta.mode),
        status=ClassStatus(seats_row.status),
        starts_at=meta.starts_at,
        ends_at=meta.ends_at,
        minimum=int(meta.minimum),
        maximum=seats.maximum,
        venue=meta.venue,
        instructor=meta.instructor,
        enrol_from=meta.enrol_from,
        enrol_until=meta.enrol_until,
        sessions=tuple(sessions),
        link=meta.link,
        joining_instructions=meta.joining_instructions or "",
        only_units=tuple(map(str, meta.only_units or ())),
        by_need=bool(meta.by_need),
        batch=meta.batch,
        reason=meta.reason,
        revision=int(meta.revision),
    )
    return class_, seats


def classes_of_course(
    course_id: str, employer: str, since: datetime, limit: int, shows: Callable[[Class], bool]
) -> list[tuple[Class, Seats]]:
    """The next classes of a course from an instant on, then e-learning, that `shows` lets through: its owner's, and the employer's
    own of a national course. Up to `limit` of each, so that many dates do not hide the e-learning.

    Two index queries for each owner, of which a page more is read only while too few have been let through.
    """
    from_now_on = Record.gsi2sk.between(keys.instant(since), keys.UNDATED)
    without_date = Record.gsi2sk.startswith(keys.UNDATED)
    found: list[tuple[Class, Seats]] = []
    for when in (from_now_on, without_date):
        listed = _listed(course_id, employer, when, page_size=limit)
        found += islice((each for each in listed if shows(each[0])), limit)
    return found


def dated_of_course(course_id: str, employer: str, first: datetime, last: datetime) -> Iterator[tuple[Class, Seats]]:
    """All classes of a course that start from `first` on and before `last`, by start, of the same owners as `classes_of_course`."""
    return _listed(course_id, employer, Record.gsi2sk.between(keys.instant(first), keys.instant(last)))


def _listed(course_id: str, employer: str, when: Any, page_size: int | None = None) -> Iterator[tuple[Class, Seats]]:
    """The classes of a course in a part of the index, its owner's and the employer's own, as they stand in it."""
    owners = tuple(dict.fromkeys((owner_of(course_id), employer)))
    of_each = (
        Record.gsi2.query(keys.classes_of_course(owner, course_id), when, page_size=page_size) for owner in owners
    )
    rows = heapq.merge(*of_each, key=lambda row: str(row.gsi2sk))
    return (row.summary() for row in rows if isinstance(row, SeatsRow))


def of_course(owner: str, course_id: str, since: datetime | None = None) -> Iterator[Class]:
    """An owner's classes of a course, e-learning last: all, or those that start from an instant on. May lag a moment."""
    from_then_on = Record.gsi2sk >= keys.instant(since) if since else None
    for row in Record.gsi2.query(keys.classes_of_course(owner, course_id), from_then_on):
        if isinstance(row, SeatsRow):
            yield row.summary()[0]


def one_at_venue(owner: str, venue: str) -> str | None:
    """The id of a class that is or ever was at a venue, if there is one. The index of those that are there may lag a moment."""
    pk = keys.venue(owner, venue)
    there = (row.held().class_id for row in Record.gsi1.query(pk, limit=1) if isinstance(row, SessionRow))
    left = (str(row.class_id) for row in VenueLeftRow.query(pk, consistent_read=True))
    return next(chain(there, left), None)


def summaries(class_ids: Iterable[str]) -> list[tuple[Class, Seats]]:
    """Classes as lists show them, each with its places as they are now, by start."""
    wanted = {(keys.class_(owner_of(each), each), keys.SEATS) for each in class_ids}
    found = [row.summary() for row in SeatsRow.batch_get(wanted, consistent_read=True)]
    return sorted(found, key=lambda each: sort_of(each[0]))


def held_at_venue(owner: str, venue: str, first: datetime, last: datetime) -> Iterator[Held]:
    """The sittings of an owner's classes at a venue between two instants; those of cancelled classes are gone from the index."""
    yield from _held(Record.gsi1, Record.gsi1sk, keys.venue(owner, venue), first, last)


def held_by_instructor(owner: str, person: str, first: datetime, last: datetime) -> Iterator[Held]:
    """The sittings that somebody teaches for an owner between two instants, like `held_at_venue`."""
    yield from _held(Record.gsi2, Record.gsi2sk, keys.instructor(owner, person), first, last)


def _held(index: Any, sort: Any, pk: str, first: datetime, last: datetime) -> Iterator[Held]:
    began = sort.between(keys.instant(first - LONGEST_SESSION), keys.instant(last))
    for row in index.query(pk, began):
        if isinstance(row, SessionRow) and first < row.ends_at:
            yield row.held()


def classes_between(
    owner: str, first: datetime, last: datetime, after: str | None = None, page_size: int | None = None
) -> Iterator[tuple[Class, Seats]]:
    """An owner's classes that start from `first` on and before `last`, by start, with their places.

    One index query for each UTC month, read as far as the caller goes on; `after` is the `sort_of` of the class to go on behind,
    `page_size` how many are read at once.
    """
    start = max(keys.instant(first), after or "")
    for month in _months(first, last):
        for row in Record.gsi1.query(
            keys.classes_of_month(owner, month),
            Record.gsi1sk.between(start, keys.instant(last)),
            page_size=page_size,
        ):
            if isinstance(row, SeatsRow) and row.gsi1sk != after:
                yield row.summary()


def sort_of(class_: Class) -> str:
    """Where a class stands among those of its owner, by start."""
    return keys.class_sort(class_.starts_at, class_.id)


def _months(first: datetime, last: datetime) -> Iterator[datetime]:
    month = first.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    while month < last:
        yield month
        month = month.replace(year=month.year + month.month // 12, month=month.month % 12 + 1)
