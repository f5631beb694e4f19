"""What a class tells its instructor, those on it, and its administrators (domain.md §9: N9, N12 and N19 to N21; decision 0032)."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from chalicelib.domain import classes as rules_of
from chalicelib.domain.calendar import london_day
from chalicelib.domain.catalogue import Catalogue, owner_of
from chalicelib.domain.classes import Class, ClassStatus, Seats
from chalicelib.domain.enrolment import Enrolment, Status
from chalicelib.domain.events import Event, EventType
from chalicelib.domain.message_settings import MOST_DAYS_BEFORE
from chalicelib.domain.timers import Timer
from chalicelib.services import administrators, waiting
from chalicelib.services.enrolment import said_of
from chalicelib.storage import classes as stored
from chalicelib.storage import keys, message_settings, outbox, people, rules, timers
from chalicelib.storage.base import new_id
from chalicelib.storage.class_lists import roster
from chalicelib.storage.message_settings import settings_of
from chalicelib.storage.transaction import Transaction, retried

TOGETHER = 25
"""Reminders, or timers, written in one transaction."""

JUST_BOOKED = timedelta(days=1)
"""Whoever has had their place for less than that knows of it: they are not reminded."""


# --- the instructor -----------------------------------------------------------------------------------------------


def tell_instructor(
    transaction: Transaction, before: Class | None, after: Class, catalogue: Catalogue, now: datetime
) -> None:
    """Add to a transaction that makes or changes a class: what its instructor has to know, and whoever was that before.

    Each is told of the class as they have or had it. Of a class that is over nobody is told (domain.md §8), nor whoever has left.
    """
    if rules_of.over(after, now) and (before is None or rules_of.over(before, now)):
        return
    had, has = before.instructor if before else None, after.instructor
    said = said_of_class(after, catalogue)
    if has != had:
        if before and had:
            former = said_of_class(before, catalogue) | {"revision": after.revision}
            _tell(transaction, EventType.INSTRUCTOR_CHANGED, after, now, former_instructor=had, **former)
        if has and after.status is not ClassStatus.CANCELLED:
            _tell(transaction, EventType.INSTRUCTOR_CHANGED, after, now, instructor=has, **said)
    elif before and has and before.status is not after.status is ClassStatus.CANCELLED:
        _tell(transaction, EventType.TAUGHT_CLASS_CANCELLED, after, now, instructor=has, **said)
    elif before and has and _as_taught(before) != _as_taught(after):
        was = said_of_class(before, catalogue)
        former = {name: was[name] for name in ("sessions", "venue", "link")}
        _tell(transaction, EventType.TAUGHT_CLASS_CHANGED, after, now, instructor=has, former=former, **said)


def tell_of_batch(transaction: Transaction, classes: Sequence[Class], catalogue: Catalogue, now: datetime) -> None:
    """Add to the transaction that completes a schedule: one message of all its classes to their instructor (domain.md §8).

    They differ in nothing but their dates. Of those that are over nobody is told, nor whoever has left.
    """
    taught = [each for each in classes if each.instructor and not rules_of.over(each, now)]
    if not taught:
        return
    listed = [{"class": each.id, "sessions": _sessions(each)} for each in taught]
    first = taught[0]
    data = said_of_class(first, catalogue) | {"classes": listed}
    _tell(transaction, EventType.INSTRUCTOR_CHANGED, first, now, instructor=first.instructor, **data)


def _tell(
    transaction: Transaction,
    type_: EventType,
    class_: Class,
    now: datetime,
    *,
    instructor: str | None = None,
    former_instructor: str | None = None,
    **data: Any,
) -> None:
    """Add an event that tells one who teaches or taught, unless they have left."""
    told = {"instructor": instructor} if instructor else {"former_instructor": former_instructor}
    if not people.left_by(owner_of(class_.id), [*filter(None, told.values())], london_day(now)):
        _emit(transaction, type_, class_, now, **told, **data)


def _emit(transaction: Transaction, type_: EventType, class_: Class, now: datetime, **data: Any) -> None:
    outbox.emit(transaction, Event(new_id(now), type_, owner_of(class_.id), None, now, data))


def _as_taught(class_: Class) -> tuple[Any, ...]:
    return class_.sessions, class_.starts_at, class_.ends_at, class_.venue, class_.link


def said_of_class(class_: Class, catalogue: Catalogue) -> dict[str, Any]:
    """What the event of a class says for messages about it."""
    course = catalogue.courses.get(class_.course)
    return {
        "class": class_.id,
        "revision": class_.revision,
        "course": class_.course,
        "title": course.title if course else class_.title,
        "sessions": _sessions(class_),
        "venue": catalogue.venue_name(class_.venue),
        "link": class_.link,
        "joining_instructions": class_.joining_instructions or (course.joining_instructions if course else ""),
        "reason": class_.reason,
    }


def _sessions(class_: Class) -> list[list[str]]:
    return [[each.starts_at.isoformat(), each.ends_at.isoformat()] for each in class_.sessions]


# --- what is looked at before it starts ---------------------------------------------------------------------------


def look_ahead(transaction: Transaction, class_: Class, now: datetime) -> None:
    """Add to a transaction that makes or moves a class: what rings before it."""
    if ahead := stored.ahead_of(class_, settings_of(owner_of(class_.id)), now):
        timers.set_timer(transaction, ahead)


def follow_settings(timer: Timer, now: datetime, time_left: Callable[[], bool]) -> bool:
    """Set what rings before every class of the next days by settings that were changed; those further ahead come to it by
    themselves. False if time ran out before. Safe to repeat: what rings beside it, and finds nothing to do, was set before.
    """
    settings, _ = message_settings.settings_now(timer.employer)
    ahead = (
        found
        for class_, _ in stored.classes_between(timer.employer, now, now + timedelta(days=MOST_DAYS_BEFORE + 1))
        if (found := stored.ahead_of(class_, settings, now))
    )
    while together := list(islice(ahead, TOGETHER)):
        _set(together)
        if not time_left():
            return False
    timers.rung(timer)
    return True


@retried
def _set(together: Sequence[Timer]) -> None:
    transaction = Transaction()
    for each in together:
        timers.set_timer(transaction, each)
    transaction.commit()


def ring(timer: Timer, now: datetime, time_left: Callable[[], bool]) -> bool:
    """Do what is due before a class starts: remind those on it (N20), and tell its administrators if too few are coming (N21; it is
    never cancelled by itself, domain.md §2). False if time ran out before.

    Safe to repeat: each reminder is one event whose id follows from class, instant and learner, and administrators are told in the
    transaction that takes the timer away and sets the next. Of several instants that have passed, as after an outage, only the last
    is reminded of.
    """
    transaction = Transaction()
    timers.ring(transaction, timer)
    if found := _as_set_for(timer, now):
        class_, seats = found
        settings = settings_of(timer.employer)
        reminding = _due(class_, settings.class_reminder_days, timer, now)
        if reminding and not _remind_all(class_, reminding, time_left):
            return False
        if _due(class_, settings.minimum_check_days, timer, now) and rules_of.minimum_not_met(class_, seats):
            _tell_too_few(transaction, class_, seats, now)
        look_ahead(transaction, class_, now)
    transaction.commit()
    return True


def _as_set_for(timer: Timer, now: datetime) -> tuple[Class, Seats] | None:
    """The class of a timer, strongly consistent; None if it is gone, cancelled, has started, or starts at another time by now, for
    which it has a timer of its own.
    """
    loaded = stored.class_with_seats(timer.facts["class"], consistent=True)
    if loaded is None or loaded[0].status is ClassStatus.CANCELLED or rules_of.started(loaded[0], now):
        return None
    starts_at = loaded[0].starts_at
    return loaded if starts_at and keys.instant(starts_at) == timer.facts["starts_at"] else None


def _due(class_: Class, days: Sequence[int], timer: Timer, now: datetime) -> datetime | None:
    """The last of the instants so many days before a class that have come since the timer was to ring, if there is one."""
    return max((at for at in rules_of.before_start(class_, days) if timer.at <= at <= now), default=None)


def _remind_all(class_: Class, at: datetime, time_left: Callable[[], bool]) -> bool:
    placed = (
        each
        for employer in waiting.employers_of(class_.id)
        for each in roster(employer, class_.id, only_open=True)
        if each.status is Status.CONFIRMED and at - _confirmed_at(each) >= JUST_BOOKED
    )
    catalogue = rules.catalogue_now(owner_of(class_.id))
    instructions = said_of_class(class_, catalogue)["joining_instructions"]
    while together := list(islice(placed, TOGETHER)):
        _write([_reminder(each, at, instructions) for each in together])
        if not time_left():
            return False
    return True


def _confirmed_at(enrolment: Enrolment) -> datetime:
    return next(each.at for each in reversed(enrolment.history) if each.status is Status.CONFIRMED)


def _reminder(placed: Enrolment, at: datetime, instructions: str) -> Event:
    id_ = f"class-reminder.{placed.class_id}.{at:%Y%m%dT%H%M}.{placed.person}"
    data = said_of(placed) | {"to": placed.person, "joining_instructions": instructions}
    return Event(id_, EventType.CLASS_REMINDER, placed.employer, None, at, data)


@retried
def _write(reminders: Sequence[Event]) -> None:
    outbox.emit_missing(reminders)


def _tell_too_few(transaction: Transaction, class_: Class, seats: Seats, now: datetime) -> None:
    owner = owner_of(class_.id)
    catalogue = rules.catalogue_now(owner)
    course = catalogue.courses.get(class_.course)
    told = administrators.for_subject(owner, course.subject if course else "", now)
    counts = {"confirmed": seats.taken, "minimum": class_.minimum, "waiting": seats.waiting}
    data = said_of_class(class_, catalogue) | counts | {"administrators": told}
    _emit(transaction, EventType.MINIMUM_NOT_MET, class_, now, **data)
