"""Schedules: the plan of a batch of classes. The classes themselves are rows like any other (decision 0019)."""

from collections.abc import Iterator, Sequence
from datetime import datetime

import msgspec
from pynamodb.attributes import JSONAttribute, UnicodeAttribute

from chalicelib.domain.classes import Class, Seats
from chalicelib.domain.message_settings import MessageSettings
from chalicelib.domain.schedules import Schedule
from chalicelib.storage import keys
from chalicelib.storage.base import Record
from chalicelib.storage.classes import SeatsRow, ahead_of, rows_of_class
from chalicelib.storage.timers import set_timer
from chalicelib.storage.transaction import Transaction


class ScheduleRow(Record, discriminator="schedule"):
    """`E#504#BAT#b` / META: the schedule as it was made; gsi1 by when, for the list of them.

    `fingerprint` is of the request, if it had an Idempotency-Key.
    """

    schedule_ = JSONAttribute(attr_name="schedule")
    fingerprint = UnicodeAttribute(null=True)

    @classmethod
    def of(cls, schedule: Schedule, fingerprint: str | None) -> "ScheduleRow":
        """The row of a schedule."""
        key = keys.schedule(schedule.employer, schedule.id)
        return cls(
            key,
            keys.META,
            gsi1pk=keys.schedules(schedule.employer),
            gsi1sk=sort_of(schedule),
            schedule_=msgspec.to_builtins(schedule),
            fingerprint=fingerprint,
        )

    def schedule(self) -> Schedule:
        """The schedule of this row."""
        return msgspec.convert(self.schedule_, Schedule)


def schedule(employer: str, batch: str) -> tuple[Schedule, str | None] | None:
    """A schedule and the fingerprint of the request that made it, read strongly consistent; None if there is none."""
    try:
        row = ScheduleRow.get(keys.schedule(employer, batch), keys.META, consistent_read=True)
    except ScheduleRow.DoesNotExist:
        return None
    return row.schedule(), row.fingerprint


def create(transaction: Transaction, schedule: Schedule, fingerprint: str | None) -> None:
    """Add to a transaction: the plan of a new batch."""
    transaction.create(ScheduleRow.of(schedule, fingerprint))


def create_classes(
    transaction: Transaction, classes: Sequence[Class], settings: MessageSettings, now: datetime
) -> None:
    """Add to a transaction: classes, with their seats, sessions and timers."""
    for class_ in classes:
        for row in rows_of_class(class_):
            transaction.create(row)
        if ahead := ahead_of(class_, settings, now):
            set_timer(transaction, ahead)


def rows_for(class_: Class) -> int:
    """How many writes of a transaction a class takes at most."""
    return len(rows_of_class(class_)) + 1


def written(schedule: Schedule) -> dict[str, tuple[Class, Seats]]:
    """The classes of a schedule that are written, as lists show them, with their places: one batch read of half a unit for each."""
    wanted = [(SeatsRow.key_of(class_id).pk, keys.SEATS) for class_id in schedule.class_ids]
    found = (row.summary() for row in SeatsRow.batch_get(wanted, consistent_read=True))
    return {class_.id: (class_, seats) for class_, seats in found}


def complete(schedules: Sequence[Schedule]) -> set[str]:
    """The ids of those whose last class is written, and so all of it: parts are written in order, each whole or not at all."""
    last = {schedule.class_ids[-1]: schedule.id for schedule in schedules}
    found = SeatsRow.batch_get([(SeatsRow.key_of(class_id).pk, keys.SEATS) for class_id in last])
    return {last[row.summary()[0].id] for row in found}


def newest_first(employer: str, after: str | None, page_size: int) -> Iterator[Schedule]:
    """An employer's schedules, newest first, read as far as the caller goes on; `after` is the `sort_of` of one. May lag."""
    before = ScheduleRow.gsi1sk < after if after else None
    pk = keys.schedules(employer)
    rows = Record.gsi1.query(pk, before, scan_index_forward=False, page_size=page_size)
    return (row.schedule() for row in rows if isinstance(row, ScheduleRow))


def sort_of(schedule: Schedule) -> str:
    """Where a schedule stands among those of its employer, by when it was made."""
    return keys.schedule_sort(schedule.made_at, schedule.id)
