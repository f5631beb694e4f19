"""Transfers of training between employers, their queues, and what employers have set about them (domain.md §7)."""

from collections.abc import Iterable
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from pynamodb.attributes import BooleanAttribute, JSONAttribute, ListAttribute, NumberAttribute, UnicodeAttribute

from chalicelib.domain.competency import Award, Origin
from chalicelib.domain.transfers import Because, HistoryRow, Item, ItemState, Settings, Status, Transfer
from chalicelib.storage import keys
from chalicelib.storage.base import DayAttribute, Record
from chalicelib.storage.cursor import going_on
from chalicelib.storage.rules import SettingsRow
from chalicelib.storage.transaction import Transaction


class Queue(StrEnum):
    """What waits for whom: our release, our decision on items, or another employer's release of what we asked for."""

    RELEASE = "release"
    DECISION = "decision"
    UNDER_WAY = "under-way"


class TransferRow(Record, discriminator="transfer"):
    """`P#p` / `IAT#ulid`; while it is open, gsi1 lists it for the employer that asked, gsi2 for the one that is to release it."""

    to = UnicodeAttribute()
    origin = UnicodeAttribute()
    consented_on = DayAttribute()
    status = UnicodeAttribute()
    history = JSONAttribute()
    items = JSONAttribute(null=True)
    revision = NumberAttribute()

    @classmethod
    def of(cls, transfer: Transfer) -> "TransferRow":
        """The row of a transfer."""
        row = cls(
            keys.person(transfer.person),
            keys.transfer(transfer.id),
            to=transfer.to,
            origin=transfer.origin,
            consented_on=transfer.consented_on,
            status=transfer.status.value,
            history=[[row.status.value, row.at.isoformat(), row.by, row.reason] for row in transfer.history],
            items=[_stored(each) for each in transfer.items] or None,
            revision=transfer.revision,
        )
        asked = (transfer.asked_at, transfer.person, transfer.id)
        if transfer.is_open:
            waits_for = Queue.UNDER_WAY if transfer.status is Status.MATCHED else Queue.DECISION
            row.gsi1pk = keys.transfers_to(transfer.to)
            row.gsi1sk = keys.transfer_sort(waits_for.value, *asked)
        if transfer.status is Status.MATCHED:
            row.gsi2pk = keys.transfers_from(transfer.origin)
            row.gsi2sk = keys.transfer_sort(Queue.RELEASE.value, *asked)
        return row

    def transfer(self) -> Transfer:
        """The transfer of this row."""
        return Transfer(
            id=self.sk.split(keys.SEPARATOR)[1],
            person=self.pk.split(keys.SEPARATOR)[1],
            to=self.to,
            origin=self.origin,
            consented_on=self.consented_on,
            status=Status(self.status),
            history=tuple(
                HistoryRow(Status(status), datetime.fromisoformat(at), by, reason)
                for status, at, by, reason in self.history
            ),
            items=tuple(_item(number, each) for number, each in enumerate(self.items or (), 1)),
            revision=int(self.revision),
        )


def _stored(item: Item) -> dict[str, Any]:
    award = item.award
    expires_on = award.expires_on.isoformat() if award.expires_on else None
    held = [award.competency, award.level, award.awarded_on.isoformat(), expires_on, award.origin.value, award.source]
    decided = {"because": item.because, "by": item.by, "reason": item.reason}
    return {"award": held, "state": item.state.value, **{name: value for name, value in decided.items() if value}}


def _item(number: int, stored: dict[str, Any]) -> Item:
    competency, level, awarded_on, expires_on, origin, source = stored["award"]
    expires = date.fromisoformat(expires_on) if expires_on else None
    award = Award(competency, level, date.fromisoformat(awarded_on), expires, Origin(origin), source)
    because = Because(stored["because"]) if "because" in stored else None
    return Item(number, award, ItemState(stored["state"]), because, stored.get("by"), stored.get("reason"))


def transfer(person_id: str, transfer_id: str) -> Transfer | None:
    """A transfer, read strongly consistent; None if there is none."""
    try:
        row = TransferRow.get(keys.person(person_id), keys.transfer(transfer_id), consistent_read=True)
    except TransferRow.DoesNotExist:
        return None
    return row.transfer()


def of_person(person_id: str) -> list[Transfer]:
    """Somebody's transfers between whichever employers, newest first, strongly consistent: one short query."""
    rows = TransferRow.query(
        keys.person(person_id),
        TransferRow.sk.startswith(keys.TRANSFERS),
        scan_index_forward=False,
        consistent_read=True,
    )
    return [row.transfer() for row in rows]


def create(transaction: Transaction, transfer: Transfer) -> None:
    """Add to a transaction: a new transfer."""
    transaction.create(TransferRow.of(transfer))


def change(transaction: Transaction, before: Transfer, after: Transfer) -> None:
    """Add to a transaction: a transfer as it is now, if nobody changed it since it was read. It joins and leaves queues by that."""
    transaction.replace(TransferRow.of(after), TransferRow.revision == before.revision)


def waiting_in(employer: str, queue: Queue, limit: int, after: Any) -> tuple[list[Transfer], Any]:
    """A page of one of an employer's queues, first asked first, and where to go on. May lag a moment behind."""
    beginning = queue.value + keys.SEPARATOR
    if queue is Queue.RELEASE:
        pk = keys.transfers_from(employer)
        after = going_on(going_on(after, "gsi2pk", pk), "gsi2sk", beginning, begins=True)
        query = Record.gsi2.query(pk, Record.gsi2sk.startswith(beginning), limit=limit, last_evaluated_key=after)
    else:
        pk = keys.transfers_to(employer)
        after = going_on(going_on(after, "gsi1pk", pk), "gsi1sk", beginning, begins=True)
        query = Record.gsi1.query(pk, Record.gsi1sk.startswith(beginning), limit=limit, last_evaluated_key=after)
    return [row.transfer() for row in query if isinstance(row, TransferRow)], query.last_evaluated_key


# --- settings -------------------------------------------------------------------------------------------------


class TransferSettingsRow(Record, discriminator="transfer settings"):
    """`E#504` / `TRANSFERS`: what an employer has set about transfers."""

    automatic_release = BooleanAttribute(default=False)
    recognised = ListAttribute(null=True, of=UnicodeAttribute)


def settings_of(employer: str) -> Settings:
    """What an employer has set about transfers, strongly consistent; the usual where it has set nothing."""
    try:
        row = TransferSettingsRow.get(keys.owner(employer), keys.TRANSFER_SETTINGS, consistent_read=True)
    except TransferSettingsRow.DoesNotExist:
        return Settings()
    recognised = None if row.recognised is None else frozenset(map(str, row.recognised))
    return Settings(bool(row.automatic_release), recognised)


def set_settings(transaction: Transaction, employer: str, settings: Settings) -> None:
    """Add to a transaction: what an employer sets about transfers."""
    recognised = None if settings.recognised is None else sorted(settings.recognised)
    transaction.put(
        TransferSettingsRow(
            keys.owner(employer),
            keys.TRANSFER_SETTINGS,
            automatic_release=settings.automatic_release,
            recognised=recognised,
        )
    )


# --- names ----------------------------------------------------------------------------------------------------


def employer_names(employers: Iterable[str]) -> dict[str, str]:
    """The names of employers by their code, or the code of one without a name: one batch read."""
    wanted = list(dict.fromkeys(employers))
    rows = SettingsRow.batch_get((keys.owner(each), keys.SETTINGS) for each in wanted) if wanted else ()
    named = {str(row.pk.partition(keys.SEPARATOR)[2]): str(row.name) for row in rows}
    return {each: named.get(each, each) for each in wanted}
