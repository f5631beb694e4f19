"""Writing definitions (structure, competencies, requirements) so that a repetition ends in the same state."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from chalicelib.domain.requirements import Target, TargetKind
from chalicelib.services import rule_changes
from chalicelib.storage import audit, keys, rules
from chalicelib.storage.base import Record
from chalicelib.storage.transaction import Transaction, retried

ROWS_A_TRANSACTION = 90
"""DynamoDB takes 100 actions; the rest is for the version, the audit, a job and a few events."""

MOST_PERSONS = 5
"""Persons told one by one; more are announced as a change for everybody, since each takes an action of the transaction."""


def define(
    actor: str,
    owner: str,
    action: str,
    rows: Sequence[Record],
    now: datetime,
    reach: Iterable[Target] | None = None,
) -> str | None:
    """Put the rows in transactions of 90, and announce the change once, in the last of them; the id of the job that follows.

    Each transaction moves the owner's rules version and leaves a consistent state, and definitions are put whole, so that after a
    crash a repetition finishes. `reach` are the targets at which something changes; everybody at the employer unless told.
    """
    targets = _everybody(owner) if reach is None else _few(owner, reach)
    job_id = None
    for start in range(0, len(rows), ROWS_A_TRANSACTION):
        end = start + ROWS_A_TRANSACTION
        job_id = _put(actor, owner, action, rows[start:end], now, targets if end >= len(rows) else None)
    return job_id


@retried
def _put(
    actor: str, owner: str, action: str, rows: Sequence[Record], now: datetime, announced: Sequence[Target] | None
) -> str | None:
    transaction = Transaction()
    for row in rows:
        transaction.put(row)
    job_id = None
    if announced is None:
        rules.move_version(transaction, owner, keys.RULES)
    else:
        job_id = rule_changes.announce(transaction, actor, owner, announced, now)
    facts = {"rows": len(rows), "first": rows[0].sk, "last": rows[-1].sk}
    audit.record(transaction, audit.Entry(owner, actor, action, now, facts=facts))
    transaction.commit()
    return job_id


def _everybody(owner: str) -> list[Target]:
    return [Target(TargetKind.EMPLOYER, owner)]


def _few(owner: str, reach: Iterable[Target]) -> list[Target]:
    targets = list(dict.fromkeys(reach))
    others = [each for each in targets if each.kind is not TargetKind.PERSON]
    return targets if len(targets) - len(others) <= MOST_PERSONS else [*others, *_everybody(owner)]
