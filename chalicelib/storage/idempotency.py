"""What a POST with an Idempotency-Key answered, kept for a day in the same transaction as its change."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import msgspec
from pynamodb.attributes import TTLAttribute, UnicodeAttribute

from chalicelib.storage import keys
from chalicelib.storage.base import Record
from chalicelib.storage.transaction import AlreadyDone, Transaction

KEPT = timedelta(days=1)


class IdempotencyRow(Record, discriminator="idempotency"):
    """`IDEM#p#key` / the same."""

    fingerprint = UnicodeAttribute()
    answer = UnicodeAttribute()
    expires_at = TTLAttribute()


class Idempotency(msgspec.Struct, frozen=True):
    """One use of a key: whose it is, what was asked (a hash of route and body), and how the answer is presented."""

    person: str
    key: str
    fingerprint: str
    present: Callable[[Any], Any]

    def remember(self, transaction: Transaction, result: Any, now: datetime) -> None:
        """Add to a transaction: the answer to give to a repetition. If the key was used, nothing commits: AlreadyDone."""
        pk = keys.idempotency(self.person, self.key)
        row = IdempotencyRow(
            pk, pk, fingerprint=self.fingerprint, answer=json.dumps(self.present(result)), expires_at=now + KEPT
        )
        transaction.create(row, otherwise=AlreadyDone())


def answered(use: Idempotency) -> tuple[str, Any] | None:
    """The fingerprint and answer kept for a key, or None if it was never used."""
    pk = keys.idempotency(use.person, use.key)
    try:
        row = IdempotencyRow.get(pk, pk, consistent_read=True)
    except IdempotencyRow.DoesNotExist:
        return None
    return row.fingerprint, json.loads(row.answer)
