"""Writing definitions (structure, competencies, requirements) so that a repetition ends in the same state."""

from collections.abc import Sequence
from datetime import datetime

from chalicelib.domain.requirements import Target, TargetKind
from chalicelib.services import rule_changes
from chalicelib.storage import audit, keys, rules
from chalicelib.storage.base import Record
from chalicelib.storage.transaction import Transaction, retried

ROWS_A_TRANSACTION = 90
"""DynamoDB takes 100 actions; the rest is for the version, the audit, and the job with its event."""


def define(actor: str, owner: str, action: str, rows: Sequence[Record], now: datetime) -> str | None:
    """Put the rows in transactions of 90, and announce the change once, in the last of them; the id of the job that follows.

    Each transaction moves the owner's rules version and leaves a consistent state, and definitions are put whole, so that after a
    crash a repetition finishes. It is announced to everybody: a repetition may hold only what was not written before the crash.
    """
    job_id = None
    for start in range(0, len(rows), ROWS_A_TRANSACTION):
        end = start + ROWS_A_TRANSACTION
        job_id = _put(actor, owner, action, rows[start:end], now, end >= len(rows))
    return job_id


@retried
def _put(actor: str, owner: str, action: str, rows: Sequence[Record], now: datetime, announced: bool) -> str | None:
    transaction = Transaction()
    for row in rows:
        transaction.put(row)
    job_id = None
    if announced:
        job_id = rule_changes.announce(transaction, actor, owner, [Target(TargetKind.EMPLOYER, owner)], now)
    else:
        rules.move_version(transaction, owner, keys.RULES)
    facts = {"rows": len(rows), "first": rows[0].sk, "last": rows[-1].sk}
    audit.record(transaction, audit.Entry(owner, actor, action, now, facts=facts))
    transaction.commit()
    return job_id
