"""What a change of a class does to its enrolments: a job of small transactions, one for each learner (decision 0018).

Each enrolment is compared with the class as it stands and brought up to date with its event, so that a repetition after a crash
finds what is left, everybody is told once, and however jobs overtake one another the class as it is now has the last word.
"""

from collections.abc import Iterator
from datetime import datetime
from heapq import merge
from typing import Any

import msgspec

from chalicelib.domain import enrolment as rules_of
from chalicelib.domain.catalogue import Catalogue, owner_of
from chalicelib.domain.classes import Class, ClassStatus, Seats, started
from chalicelib.domain.enrolment import Enrolment, Status
from chalicelib.domain.errors import NotFound
from chalicelib.domain.events import Event, EventType
from chalicelib.domain.jobs import Job, JobKind
from chalicelib.domain.learner import Learner
from chalicelib.domain.people import NATIONAL
from chalicelib.services import jobs
from chalicelib.services.enrolment import tell
from chalicelib.storage import classes as stored
from chalicelib.storage import enrolment as enrolments
from chalicelib.storage import learner as learners
from chalicelib.storage import outbox, rules
from chalicelib.storage.base import new_id
from chalicelib.storage.class_lists import roster
from chalicelib.storage.transaction import Transaction, retried

WAITING_LIST = "system:waiting-list"
"""Who promotes, in history and audit."""


class WaitersUnseen(Exception):
    """The class counts people waiting whom its list does not show yet: the queue delivers the work again."""


def start(transaction: Transaction, actor: str, class_: Class, now: datetime) -> Job:
    """Add to the transaction that changes a class: the job that brings its enrolments up to date and promotes who can be."""
    facts = {"class": class_.id, "revision": class_.revision}
    return jobs.start(transaction, owner_of(class_.id), JobKind.CLASS, actor, [class_.id], facts, now)


def follow(job: Job, class_id: str, now: datetime) -> dict[str, Any]:
    """Bring every enrolment of the class up to date, then promote; how many were changed and promoted. Safe to repeat."""
    catalogue = rules.catalogue_now(owner_of(class_id))
    changed = promoted = 0
    for employer in _employers_of(class_id):
        for enrolment in roster(employer, class_id):
            changed += _bring_up_to_date(enrolment, catalogue, job.by, now)
    promoted = promote(class_id, catalogue, now)
    return {"changed": changed, "promoted": promoted}


def _employers_of(class_id: str) -> list[str]:
    """Whose people can be on a class: its owner's, and of a national one everybody's."""
    owner = owner_of(class_id)
    return rules.employers() if owner == NATIONAL else [owner]


class _Read(msgspec.Struct, frozen=True):
    """A class and one learner's enrolment on it as they stand, strongly consistent."""

    class_: Class
    seats: Seats
    learner: Learner
    enrolment: Enrolment


def _read(listed: Enrolment) -> _Read | None:
    loaded = stored.class_with_seats(listed.class_id, consistent=True)
    learner = learners.learner(listed.person, listed.employer, consistent=True)
    enrolment = next((each for each in learner.enrolments if each.id == listed.id), None) if learner else None
    return _Read(*loaded, learner, enrolment) if loaded and learner and enrolment else None


# --- bringing enrolments up to date -------------------------------------------------------------------------------


@retried
def _bring_up_to_date(listed: Enrolment, catalogue: Catalogue, by: str, now: datetime) -> bool:
    read = _read(listed)
    if read is None:
        return False
    class_, before = read.class_, read.enrolment
    course = catalogue.courses.get(class_.course)
    title = course.title if course else before.title
    after = rules_of.following(before, class_, title, catalogue.venue_name(class_.venue), now, by)
    if after is before:
        return False
    transaction = Transaction()
    enrolments.follow_class(transaction, read.learner, class_, before, after)
    _tell_of(transaction, read, after, catalogue, by, now)
    transaction.commit()
    return True


def _tell_of(
    transaction: Transaction, read: _Read, after: Enrolment, catalogue: Catalogue, by: str, now: datetime
) -> None:
    """Add the event of a change: with a message if it is news to the learner, else only that their records changed."""
    before = read.enrolment
    type_ = _news(before, after)
    if type_ is None or not rules_of.told_of(before, after, now):
        outbox.emit(transaction, Event(new_id(now), EventType.LEARNER_CHANGED, after.employer, after.person, now))
        return
    clash = rules_of.in_the_way(read.class_, _everywhere(read.learner)) if after.status is Status.CONFIRMED else None
    tell(
        transaction,
        type_,
        by,
        after,
        now,
        _instructions(read.class_, catalogue),
        in_calendar=before.status is Status.CONFIRMED,
        former={
            "sessions": [[each.starts_at.isoformat(), each.ends_at.isoformat()] for each in before.sessions],
            "venue": before.venue,
            "link": before.link,
        },
        clash=clash.title if clash else None,
    )


def _news(before: Enrolment, after: Enrolment) -> EventType | None:
    if after.status is not before.status:
        return EventType.ENROLMENT_CANCELLED if after.status is Status.CANCELLED else EventType.ENROLMENT_WAITLISTED
    return EventType.ENROLMENT_CHANGED if after.open and rules_of.moved(before, after) else None


def _instructions(class_: Class, catalogue: Catalogue) -> str:
    course = catalogue.courses.get(class_.course)
    return class_.joining_instructions or (course.joining_instructions if course else "")


def _everywhere(learner: Learner) -> tuple[Enrolment, ...]:
    return (*learner.enrolments, *learner.elsewhere)


# --- promoting (domain.md §2) -------------------------------------------------------------------------------------


def promote(class_id: str, catalogue: Catalogue, now: datetime) -> int:
    """Give free seats to those waiting, first in first, until seats or waiters run out or the class starts; how many got one.

    Whoever holds a seat elsewhere at that time is passed over. Raises WaitersUnseen if the list lags behind the class.
    """
    promoted = 0
    if not _gives_seats(*_class(class_id), now):
        return promoted
    for waiting in _waiting(class_id):
        outcome = _promote(waiting, catalogue, now)
        if outcome is None:
            break
        promoted += outcome
    class_, seats = _class(class_id)
    if seats.waiting and _gives_seats(class_, seats, now):
        raise WaitersUnseen(class_id)
    return promoted


def _waiting(class_id: str) -> Iterator[Enrolment]:
    lists = [enrolments.waiting_list(employer, class_id) for employer in _employers_of(class_id)]
    return merge(*lists, key=lambda each: each.placed_at)


def _class(class_id: str) -> tuple[Class, Seats]:
    loaded = stored.class_with_seats(class_id, consistent=True)
    if loaded is None:
        raise NotFound("There is no such class.", class_id=class_id)
    return loaded


def _gives_seats(class_: Class, seats: Seats, now: datetime) -> bool:
    return class_.status is ClassStatus.NORMAL and not started(class_, now) and seats.free != 0


@retried
def _promote(listed: Enrolment, catalogue: Catalogue, now: datetime) -> bool | None:
    """Whether somebody got a seat; None if there is none to give."""
    read = _read(listed)
    if read is None or read.enrolment.status is not Status.WAITLISTED:
        return False
    class_, before = read.class_, read.enrolment
    if not _gives_seats(class_, read.seats, now):
        return None
    clash = rules_of.in_the_way(class_, _everywhere(read.learner))
    if clash and before.passed_over:
        return False
    transaction = Transaction()
    if clash:
        after = rules_of.passed_over(before)
        type_, more = EventType.ENROLMENT_PASSED_OVER, {"clash": clash.title}
    else:
        after = rules_of.promoted(before, class_, now, WAITING_LIST)
        type_, more = EventType.ENROLMENT_PROMOTED, {}
    enrolments.follow_class(transaction, read.learner, class_, before, after)
    tell(transaction, type_, WAITING_LIST, after, now, _instructions(class_, catalogue), **more)
    transaction.commit()
    return clash is None
