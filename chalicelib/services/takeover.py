"""Taking over a learner's history from the system used before: awards, and enrolments as they stand. Tells nobody."""

from collections.abc import Sequence
from datetime import datetime

from chalicelib.domain.approvals import steps
from chalicelib.domain.attendance import absence
from chalicelib.domain.competency import Award
from chalicelib.domain.enrolment import Enrolment, Status
from chalicelib.domain.events import Event, EventType
from chalicelib.services.approvals import timer_of
from chalicelib.storage import attendance, audit, classes, learner, outbox, timers
from chalicelib.storage import enrolment as enrolments
from chalicelib.storage.awards import AwardRow
from chalicelib.storage.base import new_id
from chalicelib.storage.transaction import Transaction, retried

RECORDS_A_TRANSACTION = 24
"""An enrolment takes up to four actions of the hundred: its row, its seat and two timers."""


def take_over(
    actor: str, employer: str, person: str, awards: Sequence[Award], taken: Sequence[Enrolment], now: datetime
) -> None:
    """Write what a learner brings along. Seats of the enrolments are counted, whatever the maximum: they were taken elsewhere.

    In transactions of 24 records; an award is put under its natural key and an enrolment only once, so that a repetition after
    a crash finishes and counts no seat twice. What follows from an enrolment goes with it: when to remind of a request, and that
    somebody did not attend.
    """
    records: list[Award | Enrolment] = [*awards, *taken]
    for start in range(0, len(records), RECORDS_A_TRANSACTION):
        _write(actor, employer, person, records[start : start + RECORDS_A_TRANSACTION], now)


@retried
def _write(actor: str, employer: str, person: str, records: Sequence[Award | Enrolment], now: datetime) -> None:
    transaction = Transaction()
    for record in records:
        if isinstance(record, Award):
            transaction.put(AwardRow.of(person, employer, record))
        elif not enrolments.exists(record):
            enrolments.take_over(transaction, record)
            _what_follows(transaction, record)
    outbox.emit(transaction, Event(new_id(now), EventType.LEARNER_CHANGED, employer, person, now))
    facts = {"records": len(records)}
    audit.record(transaction, audit.Entry(employer, actor, "history.taken-over", now, person, facts))
    transaction.commit()


def _what_follows(transaction: Transaction, taken: Enrolment) -> None:
    if taken.status is Status.REQUESTED:
        for step, at in steps(taken):
            timers.set_timer(transaction, timer_of(taken, step, at))
    if taken.status is Status.DID_NOT_ATTEND:
        person, found = learner.learner(taken.person, taken.employer), classes.class_with_seats(taken.class_id)
        if person and found:
            attendance.keep(transaction, None, absence(taken, person, found[0]))
