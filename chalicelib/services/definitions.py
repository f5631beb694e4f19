"""Writing definitions (structure, competencies, requirements) so that a repetition ends in the same state."""

from collections.abc import Sequence
from datetime import datetime

from chalicelib.domain.requirements import Target, TargetKind
from chalicelib.services import rule_changes
from chalicelib.storage import audit
from chalicelib.storage.base import Record
from chalicelib.storage.transaction import Transaction, retried

ROWS_A_TRANSACTION = 90
"""DynamoDB takes 100 actions; the rest is for the version, the audit, and the job with its event."""


def define(actor: str, owner: str, action: str, rows: Sequence[Record], now: datetime) -> str | None:
    """Put the rows in transactions of 90, each announced to everybody; the id of the last job that follows.

    Each transaction moves the owner's rules version with its own job, so that whatever a crash leaves behind is followed; and
    definitions are put whole, so that a repetition finishes.
    """
    job_id = None
    for start in range(0, len(rows), ROWS_A_TRANSACTION):
        job_id = _put(actor, owner, action, rows[start : start + ROWS_A_TRANSACTION], now)
    return job_id


@retried
def _put(actor: str, owner: str, action: str, rows: Sequence[Record], now: datetime) -> str | None:
    transaction = Transaction()
    for row in rows:
        transaction.put(row)
    job_id = rule_changes.announce(transaction, actor, owner, [Target(TargetKind.EMPLOYER, owner)], now)
    facts = {"rows": len(rows), "first": rows[0].sk, "last": rows[-1].sk}
    audit.record(transaction, audit.Entry(owner, actor, action, now, facts=facts))
    transaction.commit()
    return job_id
