"""Writing definitions (structure, competencies, requirements) so that a repetition changes nothing."""

from collections.abc import Sequence
from datetime import datetime

from chalicelib.storage import audit, keys, rules
from chalicelib.storage.base import Record
from chalicelib.storage.transaction import Transaction

ROWS_A_TRANSACTION = 90
"""DynamoDB takes 100 actions; the rest is for the version and the audit."""


def define(actor: str, owner: str, action: str, rows: Sequence[Record], now: datetime) -> None:
    """Put the rows and move the owner's rules version, in transactions of 90 rows.

    Each transaction leaves a consistent state and definitions are put whole, so that after a crash a repetition finishes.
    """
    for start in range(0, len(rows), ROWS_A_TRANSACTION):
        chunk = rows[start : start + ROWS_A_TRANSACTION]
        transaction = Transaction()
        for row in chunk:
            transaction.put(row)
        rules.move_version(transaction, owner, keys.RULES)
        facts = {"rows": len(chunk), "first": chunk[0].sk, "last": chunk[-1].sk}
        audit.record(transaction, audit.Entry(owner, actor, action, now, facts=facts))
        transaction.commit()
