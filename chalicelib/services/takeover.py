"""Taking over a learner's history from the system used before: awards, and enrolments as they stand. Tells nobody."""

from collections.abc import Sequence
from datetime import datetime

from chalicelib.domain.competency import Award
from chalicelib.domain.enrolment import Enrolment
from chalicelib.domain.events import Event, EventType
from chalicelib.storage import audit, outbox
from chalicelib.storage import enrolment as enrolments
from chalicelib.storage.awards import AwardRow
from chalicelib.storage.base import new_id
from chalicelib.storage.transaction import Transaction, retried

RECORDS_A_TRANSACTION = 45
"""An enrolment takes two actions of the hundred: its row and its seat."""


def take_over(
    actor: str, employer: str, person: str, awards: Sequence[Award], taken: Sequence[Enrolment], now: datetime
) -> None:
    """Write what a learner brings along. Seats of the enrolments are counted, whatever the maximum: they were taken elsewhere.

    In transactions of 45 records; an award is put under its natural key and an enrolment only once, so that a repetition after
    a crash finishes and counts no seat twice.
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
    outbox.emit(transaction, Event(new_id(now), EventType.LEARNER_CHANGED, employer, person, now))
    facts = {"records": len(records)}
    audit.record(transaction, audit.Entry(employer, actor, "history.taken-over", now, person, facts))
    transaction.commit()
