"""What is due: the timekeeper asks, the worker rings (domain.md §2 and §5, decision 0024).

Whoever rings a timer judges what is there by then. What it asks for and the timer's end are one transaction where only once will
do; elsewhere a repetition finds what is left.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from chalicelib.domain import approvals as rules_of
from chalicelib.domain.approvals import Step
from chalicelib.domain.calendar import london_day
from chalicelib.domain.classes import Class, started
from chalicelib.domain.enrolment import Enrolment, Status
from chalicelib.domain.events import Event, EventType
from chalicelib.domain.external_training import ExternalTraining, asked_instead
from chalicelib.domain.external_training import Status as Training
from chalicelib.domain.learner import Learner
from chalicelib.domain.people import NATIONAL, chosen_assignment
from chalicelib.domain.timers import Timer, TimerKind
from chalicelib.observability import log_fault
from chalicelib.services import (
    approvals,
    auto_enrolment,
    certifications,
    class_notices,
    external_training,
    notices,
    transfers,
    unreachable,
    waiting,
)
from chalicelib.services.enrolment import said_of, tell
from chalicelib.services.waiting import Unseen
from chalicelib.storage import audit, classes, outbox, queues, rules
from chalicelib.storage import enrolment as enrolments
from chalicelib.storage import external_training as trainings
from chalicelib.storage import learner as learners
from chalicelib.storage import timers as stored
from chalicelib.storage.base import new_id
from chalicelib.storage.timers import AlreadyRung
from chalicelib.storage.transaction import Transaction, retried

TIMERS = "system:timers"
"""Who escalates and ends requests and waiting lists, in history and audit."""

SETTLED = timedelta(minutes=1)
"""How late timers ring, so that the indexes show whoever asked just before a class started."""

PATIENCE = timedelta(hours=1)
"""How long after its instant a timer that fails is given back to the queue. Later ones the timekeeper alone tries again."""

AT_ONCE = 25
"""Timers read at once."""


class SomeFailed(Exception):
    """Some timers could not be looked after: the queue delivers the work again."""


# --- the timekeeper ---------------------------------------------------------------------------------------------


def queue_what_is_due(now: datetime) -> int:
    """Hand the worker every owner of timers of which one is due: one query for each; how many there were."""
    owners = sorted({*rules.employers(), NATIONAL})
    due = [each for each in owners if stored.due(each, now - SETTLED, 1)]
    queues.queue_works([{"kind": "timers", "employer": each} for each in due])
    return len(due)


# --- the worker -------------------------------------------------------------------------------------------------


def ring(employer: str, now: datetime, time_left: Callable[[], bool]) -> bool:
    """Look after every timer of an owner that is due; False if time ran out before.

    One that fails stays, and those behind it go on: then it raises SomeFailed in the end, for as long as PATIENCE lasts, lest what
    is broken for good fills the dead-letter queue. Safe to repeat, and to do twice at once.
    """
    failed = 0
    for timer in _due(employer, now - SETTLED):
        if not time_left():
            return False
        try:
            if not _RING[timer.kind](timer, now, time_left):
                return False
        except AlreadyRung:
            continue
        except Exception as fault:
            log_fault(fault, employer=employer, timer=timer.kind.value, subject=timer.subject)
            failed += now - timer.at <= PATIENCE
    if failed:
        raise SomeFailed(f"{failed} timers")
    return True


def _due(employer: str, now: datetime) -> Iterator[Timer]:
    last: Timer | None = None
    while page := stored.due(employer, now, AT_ONCE, last):
        yield from page
        last = page[-1]


# --- requests that nobody decides on (domain.md §5) --------------------------------------------------------------


@retried
def _ring_approval(timer: Timer, now: datetime, _time_left: Callable[[], bool]) -> bool:
    """Remind, escalate or end a request, if that is what is due; else there is nothing to do any more."""
    learner = _learner_of(timer)
    request = learner.enrolment(timer.facts["enrolment"]) if learner else None
    transaction = Transaction()
    stored.ring(transaction, timer)
    step = Step(timer.facts["step"])
    if learner and request and rules_of.step_due(request, now) is step:
        if step is Step.LAPSE:
            _lapse_request(transaction, learner, request, now)
        else:
            _ask_again(transaction, learner, request, step, now)
    transaction.commit()
    return True


def _learner_of(timer: Timer) -> Learner | None:
    return learners.learner(timer.facts["person"], timer.employer, consistent=True)


def _lapse_request(transaction: Transaction, learner: Learner, request: Enrolment, now: datetime) -> None:
    after = request.moved_to(Status.CANCELLED, now, TIMERS, rules_of.NOT_DECIDED)
    enrolments.withdraw(transaction, learner, request, after)
    _tell_ended(transaction, request, after, now)


def _ask_again(transaction: Transaction, learner: Learner, request: Enrolment, step: Step, now: datetime) -> None:
    """Remind whoever was asked; or ask somebody else, who is told of it as the learner is."""
    approver = _to_ask(learner, request.approver, request.post.assignment if request.post else None, step, now)
    if approver == request.approver:
        if approver is not None:
            _tell_due(transaction, learner, request, now, person=None)
        return
    after = replace(request, approver=approver, revision=request.revision + 1)
    enrolments.rewrite(transaction, request, after)
    _tell_due(transaction, learner, after, now, person=after.person)
    facts = {"enrolment": after.id, "from": request.approver, "to": approver}
    audit.record(transaction, audit.Entry(after.employer, TIMERS, "approval.escalated", now, after.person, facts))


def _to_ask(learner: Learner, approver: str | None, assignment: str | None, step: Step, now: datetime) -> str | None:
    """Whom a request waits for from now on: to be reminded, who supervises the assignment now, else who was asked, unless they have
    left; escalated, who is above them. None: the learning administrators.
    """
    if approver is None:
        return None
    today = london_day(now)
    asked = learners.learner(approver, learner.employer)
    still_here = asked is not None and bool(asked.roles_on(today))
    if asked and still_here and step is Step.ESCALATE:
        above = approvals.who_approves(asked, chosen_assignment(asked.assignments_on(today), None), now)
        return None if above == learner.person.id else above
    through = chosen_assignment(learner.assignments_on(today), assignment)
    return approvals.who_approves(learner, through, now) or (approver if still_here else None)


def _tell_due(
    transaction: Transaction, learner: Learner, request: Enrolment, now: datetime, person: str | None
) -> None:
    """Add the event that a request waits: to whoever is asked, and to its learner if that is somebody else than before."""
    data = said_of(request) | approvals.said_of_asking(learner, request, now) | {"passed_on": person is not None}
    outbox.emit(transaction, Event(new_id(now), EventType.APPROVAL_DUE, request.employer, person, now, data))


@retried
def _ring_external_training(timer: Timer, now: datetime, _time_left: Callable[[], bool]) -> bool:
    """Remind of external training that waits for approval, or escalate it; it never lapses."""
    request = trainings.request(timer.employer, timer.facts["person"], timer.facts["training"])
    learner = _learner_of(timer)
    transaction = Transaction()
    stored.ring(transaction, timer)
    step = Step(timer.facts["step"])
    due = request and request.status is Training.SUBMITTED and rules_of.step_after(now - request.submitted_at) is step
    if learner and request and due:
        _ask_again_of_training(transaction, learner, request, step, now)
    transaction.commit()
    return True


def _ask_again_of_training(
    transaction: Transaction, learner: Learner, request: ExternalTraining, step: Step, now: datetime
) -> None:
    approver = _to_ask(learner, request.approver, request.assignment, step, now)
    after = asked_instead(request, approver)
    if approver is not None:
        external_training.ask(transaction, learner, after, now, again=True, passed_on=approver != request.approver)
    if approver != request.approver:
        trainings.change(transaction, request, after)
        facts = {"training": request.id, "from": request.approver, "to": approver}
        audit.record(
            transaction, audit.Entry(request.employer, TIMERS, "approval.escalated", now, request.person, facts)
        )


# --- classes that start (domain.md §2) ---------------------------------------------------------------------------


def _ring_class_start(timer: Timer, now: datetime, time_left: Callable[[], bool]) -> bool:
    """End the waiting list and the requests of a class that has started, each in its own transaction; False if time ran out.

    A class that was moved rings again when it starts. Raises Unseen if people wait whom the list does not show.
    """
    loaded = classes.class_with_seats(timer.subject, consistent=True)
    if loaded is not None and started(loaded[0], now):
        for listed in _open(loaded[0]):
            _end_at_start(listed, now)
            if not time_left():
                return False
        after = classes.class_with_seats(timer.subject, consistent=True)
        if after is not None and started(after[0], now) and after[1].waiting:
            raise Unseen(timer.subject)
    stored.rung(timer)
    return True


def _open(class_: Class) -> Iterator[Enrolment]:
    """Who waits for a class or asks for it, at every employer. May lag a moment behind."""
    yield from enrolments.waiting_list(class_.id)
    for employer in waiting.employers_of(class_.id):
        yield from enrolments.requested(employer, class_.id)


@retried
def _end_at_start(listed: Enrolment, now: datetime) -> None:
    """End a place on a waiting list or a request, if the class has started then."""
    found = learners.as_it_stands(listed)
    loaded = classes.class_with_seats(listed.class_id, consistent=True)
    if found is None or loaded is None or not started(loaded[0], now):
        return
    learner, before = found
    if before.status not in (Status.WAITLISTED, Status.REQUESTED):
        return
    after = before.moved_to(Status.CANCELLED, now, TIMERS, rules_of.CLASS_STARTED)
    transaction = Transaction()
    enrolments.follow_class(transaction, learner, loaded[0], before, after)
    _tell_ended(transaction, before, after, now)
    transaction.commit()


def _tell_ended(transaction: Transaction, before: Enrolment, after: Enrolment, now: datetime) -> None:
    """Add N8: that a wait or a request was ended by time."""
    waited = before.status is Status.WAITLISTED
    tell(transaction, EventType.ENROLMENT_LAPSED, TIMERS, after, now, waited=waited)


# --- training to arrange (domain.md §4) --------------------------------------------------------------------------


def _ring_auto_enrolment(timer: Timer, now: datetime, _time_left: Callable[[], bool]) -> bool:
    """Have somebody looked at for whom something is tried again."""
    auto_enrolment.look_again(timer, now)
    return True


_RING: dict[TimerKind, Callable[[Timer, datetime, Callable[[], bool]], bool]] = {
    TimerKind.APPROVAL: _ring_approval,
    TimerKind.EXTERNAL_TRAINING: _ring_external_training,
    TimerKind.CLASS_START: _ring_class_start,
    TimerKind.CERTIFICATION: certifications.ring,
    TimerKind.AUTO_ENROLMENT: _ring_auto_enrolment,
    TimerKind.CLASS_AHEAD: class_notices.ring,
    TimerKind.CLASS_DAYS: class_notices.follow_settings,
    TimerKind.UNREACHABLE: unreachable.ring,
    TimerKind.NOTICE: notices.ring,
    TimerKind.TRANSFER: transfers.ring,
}
"""Who looks after a timer of each kind: False if time ran out."""
