"""What a change of a class does to its enrolments: a job of small transactions, one for each learner (decision 0018).

Each enrolment is compared with the class as it stands and brought up to date with its event, so that a repetition after a crash
finds what is left, everybody is told once, and however jobs overtake one another the class as it is now has the last word.
"""

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

import msgspec

from chalicelib.domain import enrolment as rules_of
from chalicelib.domain.attendance import absence
from chalicelib.domain.calendar import london_day
from chalicelib.domain.catalogue import Catalogue, owner_of
from chalicelib.domain.classes import Class, ClassStatus, Seats, started
from chalicelib.domain.enrolment import Enrolment, Status
from chalicelib.domain.errors import NotFound
from chalicelib.domain.events import EventType
from chalicelib.domain.jobs import Job, JobKind
from chalicelib.domain.learner import Learner
from chalicelib.domain.placing import refused_by_leaving
from chalicelib.domain.waiting import ranked
from chalicelib.services import jobs, waiting
from chalicelib.services.enrolment import copied_to_manager, count_again, everywhere, note, said_of, tell
from chalicelib.services.waiting import WAITING_LIST, Unseen
from chalicelib.storage import attendance, rules
from chalicelib.storage import classes as stored
from chalicelib.storage import enrolment as enrolments
from chalicelib.storage import learner as learners
from chalicelib.storage.class_lists import roster
from chalicelib.storage.transaction import Transaction, retried


class Walk(msgspec.Struct, frozen=True):
    """How far a job has come on the rosters of a class: behind which enrolment of which employer it goes on, how many it has
    changed, and how many seats and people waiting it has seen.
    """

    employer: str = ""
    after: str = ""
    changed: int = 0
    seated: int = 0
    waiting: int = 0
    finished: bool = False


def start(transaction: Transaction, actor: str, class_: Class, now: datetime) -> Job:
    """Add to the transaction that changes a class: the job that brings its enrolments up to date and promotes who can be."""
    facts = {"class": class_.id, "revision": class_.revision}
    return jobs.start(transaction, owner_of(class_.id), JobKind.CLASS, actor, [class_.id], facts, now)


def follow(job: Job, class_id: str, now: datetime, time_left: Callable[[], bool], walk: Walk) -> Walk:
    """Bring the enrolments of the class up to date, from where a walk has come until there is no time left; how far it came then.

    Safe to repeat. Raises Unseen if the rosters show less than the class counts, so that nobody is left behind who booked just
    before. Those whom a class does not count (without a maximum; requested) are found by looking again some seconds later.
    """
    catalogue = rules.catalogue_now(owner_of(class_id))
    class_, _ = _class(class_id)
    if walk == Walk() and not waiting.rank_all(class_, now, time_left):
        return walk
    only_open = class_.maximum is None and class_.starts_at is None  # there, nothing else could follow
    places = _Places(class_)
    for employer in waiting.employers_of(class_id):
        if employer < walk.employer:
            continue
        after = walk.after if employer == walk.employer else ""
        for listed in roster(employer, class_id, after, only_open):
            now_is = listed
            if _followed(listed, class_, catalogue, job.by, now) is not listed:
                now_is = _bring_up_to_date(listed, catalogue, job.by, now, places) or listed
            walk = Walk(
                employer,
                enrolments.place_on_roster(listed),
                walk.changed + (now_is.revision > listed.revision),
                walk.seated + now_is.seated,
                walk.waiting + now_is.awaiting,
            )
            if not time_left():
                return walk
    _, seats = _class(class_id)
    if (walk.seated, walk.waiting) != (seats.taken, seats.waiting):
        raise Unseen(class_id)
    return msgspec.structs.replace(walk, finished=True)


class _Places:
    """Which place on the waiting list somebody has who is sent there: counted once, when it is first asked for.

    Those still to follow them from a seat to the list count, too. Of a list by need it is not known before all of them are there.
    """

    def __init__(self, class_: Class) -> None:
        self._class = class_
        self._placed: list[datetime] | None = None

    def of(self, enrolment: Enrolment) -> int | None:
        """The place, from 1; None on a list by need."""
        if enrolment.waits_by_need:
            return None
        if self._placed is None:
            rosters = (roster(each, self._class.id, only_open=True) for each in waiting.employers_of(self._class.id))
            listed = (each for one in rosters for each in one)
            self._placed = sorted(each.placed_at for each in listed if each.awaiting or each.status is Status.CONFIRMED)
        return bisect_left(self._placed, enrolment.placed_at) + 1


class _Read(msgspec.Struct, frozen=True):
    """A class and one learner's enrolment on it as they stand, strongly consistent."""

    class_: Class
    seats: Seats
    learner: Learner
    enrolment: Enrolment


def _read(listed: Enrolment) -> _Read | None:
    loaded = stored.class_with_seats(listed.class_id, consistent=True)
    found = learners.as_it_stands(listed)
    return _Read(*loaded, *found) if loaded and found else None


# --- bringing enrolments up to date -------------------------------------------------------------------------------


def _followed(enrolment: Enrolment, class_: Class, catalogue: Catalogue, by: str, now: datetime) -> Enrolment:
    course = catalogue.courses.get(class_.course)
    title = course.title if course else enrolment.title
    return rules_of.following(enrolment, class_, title, catalogue.venue_name(class_.venue), now, by)


@retried
def _bring_up_to_date(
    listed: Enrolment, catalogue: Catalogue, by: str, now: datetime, places: _Places
) -> Enrolment | None:
    """The enrolment as it is then; None if there is none. What differs by the list is judged on what is read again."""
    read = _read(listed)
    if read is None:
        return None
    before = read.enrolment
    after = _followed(before, read.class_, catalogue, by, now)
    if after is before:
        return before
    if after.passed_over and not rules_of.in_the_way(read.class_, everywhere(read.learner)):
        after = replace(after, passed_over=False)
    if after.status is Status.WAITLISTED and after.status is not before.status:
        after = ranked(after, read.class_.by_need, read.learner, rules.rulebook_now(after.employer), london_day(now))
    transaction = Transaction()
    enrolments.follow_class(transaction, read.learner, read.class_, before, after)
    attendance.keep(transaction, absence(before, read.learner, read.class_), absence(after, read.learner, read.class_))
    freed = count_again(transaction, read.learner, after)
    if after.awaiting and not before.awaiting and started(read.class_, now):
        transaction.put(stored.start_of(read.class_))  # rung before they came to wait, it ends their wait, too
    _tell_of(transaction, read, after, catalogue, by, now, places, freed)
    transaction.commit()
    return after


def _tell_of(
    transaction: Transaction,
    read: _Read,
    after: Enrolment,
    catalogue: Catalogue,
    by: str,
    now: datetime,
    places: _Places,
    freed: list[str],
) -> None:
    """Add the event of a change: with a message if it is news to the learner, else only that their records changed."""
    before = read.enrolment
    type_ = _news(before, after)
    if type_ is None or (rules_of.over(before, now) and rules_of.over(after, now)):
        note(transaction, type_, by, after, now, freed)
        return
    clash = rules_of.in_the_way(read.class_, everywhere(read.learner)) if after.status is Status.CONFIRMED else None
    more = waiting.said_of(after, places.of(after)) if type_ is EventType.ENROLMENT_WAITLISTED else {}
    if type_ is EventType.ENROLMENT_CANCELLED:
        more = copied_to_manager(read.learner, after, by, now)
    former = said_of(before)
    tell(
        transaction,
        type_,
        by,
        after,
        now,
        _instructions(read.class_, catalogue),
        in_calendar=before.status is Status.CONFIRMED,
        former={name: former[name] for name in ("sessions", "venue", "link")},
        clash=clash.title if clash else None,
        promote=freed,
        **more,
    )


def _news(before: Enrolment, after: Enrolment) -> EventType | None:
    if after.status is not before.status:
        return EventType.ENROLMENT_CANCELLED if after.status is Status.CANCELLED else EventType.ENROLMENT_WAITLISTED
    return EventType.ENROLMENT_CHANGED if after.open and rules_of.moved(before, after) else None


def _instructions(class_: Class, catalogue: Catalogue) -> str:
    course = catalogue.courses.get(class_.course)
    return class_.joining_instructions or (course.joining_instructions if course else "")


# --- promoting (domain.md §2) -------------------------------------------------------------------------------------


def promote(class_id: str, now: datetime, time_left: Callable[[], bool]) -> bool:
    """Give free seats to those waiting, in the order of the list, until seats or waiters run out or the class starts; False if
    time ran out before.

    Whoever holds a seat elsewhere at that time is passed over. Raises Unseen if the list lags behind the class or those on it.
    """
    if not _gives_seats(*_class(class_id), now):
        return True
    catalogue = rules.catalogue_now(owner_of(class_id))
    for listed in enrolments.waiting_list(class_id):
        if not _promote(listed, catalogue, now):
            break
        if not time_left():
            return False
    class_, seats = _class(class_id)
    if seats.waiting and _gives_seats(class_, seats, now):
        raise Unseen(class_id)
    return True


def _class(class_id: str) -> tuple[Class, Seats]:
    loaded = stored.class_with_seats(class_id, consistent=True)
    if loaded is None:
        raise NotFound("There is no such class.", class_id=class_id)
    return loaded


def _gives_seats(class_: Class, seats: Seats, now: datetime) -> bool:
    return class_.status is ClassStatus.NORMAL and not started(class_, now) and seats.free != 0


@retried
def _promote(listed: Enrolment, catalogue: Catalogue, now: datetime) -> bool:
    """Give somebody a seat, or pass them over; False if there is none to give. Whoever will have left is about to lose their place
    on the list, too.
    """
    read = _read(listed)
    if read is None or read.enrolment.status is not Status.WAITLISTED:
        return True
    class_, before = read.class_, read.enrolment
    if not _gives_seats(class_, read.seats, now):
        return False
    if enrolments.place_on_roster(before) != enrolments.place_on_roster(listed):
        raise Unseen(class_.id)  # ranked again meanwhile: it may be the turn of others
    clash = rules_of.in_the_way(class_, everywhere(read.learner))
    if refused_by_leaving(class_, read.learner.employment, now) or (clash and before.passed_over):
        return True
    transaction = Transaction()
    more: dict[str, Any]
    if clash:
        after = rules_of.passed_over(before)
        type_, more = EventType.ENROLMENT_PASSED_OVER, {"clash": clash.title}
    else:
        current = _followed(before, class_, catalogue, WAITING_LIST, now)
        after = rules_of.promoted(current, class_, now, WAITING_LIST)
        type_, more = EventType.ENROLMENT_PROMOTED, copied_to_manager(read.learner, after, WAITING_LIST, now)
    enrolments.follow_class(transaction, read.learner, class_, before, after)
    tell(transaction, type_, WAITING_LIST, after, now, _instructions(class_, catalogue), **more)
    transaction.commit()
    return True
