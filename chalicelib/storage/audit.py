"""The audit: who changed what, when, and why. Append only; never read to make the product work."""

from datetime import datetime
from typing import Any

import msgspec
from pynamodb.attributes import JSONAttribute, UnicodeAttribute

from chalicelib.domain.calendar import london_day
from chalicelib.storage import keys
from chalicelib.storage.base import AuditTable, new_id
from chalicelib.storage.transaction import Transaction


class AuditRow(AuditTable):
    """`E#504#day#shard` / ulid; by person through the index `person`."""

    actor = UnicodeAttribute()
    action = UnicodeAttribute()
    person_pk = UnicodeAttribute(null=True)
    at = UnicodeAttribute()
    facts = JSONAttribute()


class Entry(msgspec.Struct, frozen=True):
    """One change: the employer it belongs to, who made it (a person id or a named system), to whom, and the facts.

    Facts hold ids, states and rules, never names or addresses.
    """

    employer: str
    actor: str
    action: str
    at: datetime
    person: str | None = None
    facts: dict[str, Any] = {}


def record(transaction: Transaction, entry: Entry) -> None:
    """Add to a transaction: the audit entry. Nothing without an actor is written."""
    if not entry.actor:
        raise ValueError("An audit entry needs an actor.")
    entry_id = new_id(entry.at)
    transaction.create(
        AuditRow(
            keys.audit(entry.employer, london_day(entry.at), entry_id),
            entry_id,
            actor=entry.actor,
            action=entry.action,
            person_pk=keys.person(entry.person) if entry.person else None,
            at=keys.instant(entry.at),
            facts=entry.facts,
        )
    )
