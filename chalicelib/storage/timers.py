"""Timers of an employer, in the order in which they ring."""

from datetime import datetime

from pynamodb.attributes import JSONAttribute

from chalicelib.domain.timers import Timer, TimerKind
from chalicelib.storage import keys
from chalicelib.storage.base import InstantAttribute, Record
from chalicelib.storage.transaction import Transaction


class TimerRow(Record, discriminator="timer"):
    """`E#504#TMR` / `2026-12-01T09:00:00Z#class start#504-c17`."""

    at = InstantAttribute()
    facts = JSONAttribute()

    @classmethod
    def of(cls, timer: Timer) -> "TimerRow":
        """The row of a timer."""
        return cls(
            keys.timers(timer.employer),
            keys.timer_sort(timer.at, timer.kind.value, timer.subject),
            at=timer.at,
            facts=timer.facts,
        )

    def timer(self) -> Timer:
        """The timer of this row."""
        _, kind, subject = self.sk.split(keys.SEPARATOR, 2)
        return Timer(self.pk.split(keys.SEPARATOR)[1], self.at, TimerKind(kind), subject, self.facts)


def set_timer(transaction: Transaction, timer: Timer) -> None:
    """Add to a transaction: a timer. Set again, it is the same one."""
    transaction.put(TimerRow.of(timer))


def set_at_once(timer: Timer) -> None:
    """Set a timer by itself, before what it is for: where many changes share it, no transaction of theirs holds up another's."""
    TimerRow.of(timer).save()


def due(employer: str, now: datetime, limit: int, after: Timer | None = None) -> list[Timer]:
    """Up to `limit` timers whose instant has come, earliest first, behind one: one query."""
    place = TimerRow.of(after).sk if after else ""
    rows = TimerRow.query(
        keys.timers(employer), Record.sk.between(place or "0", keys.instant(now) + "~"), limit=limit + bool(after)
    )
    return [row.timer() for row in rows if row.sk != place][:limit]


class AlreadyRung(Exception):
    """Somebody else has looked after this timer."""


def ring(transaction: Transaction, timer: Timer) -> None:
    """Add to the transaction that does what a timer asks for: the timer gone. AlreadyRung if it is: it is done once."""
    transaction.delete(TimerRow.of(timer), Record.pk.exists(), otherwise=AlreadyRung())


def rung(timer: Timer) -> None:
    """A timer has been looked after: take it away."""
    TimerRow.of(timer).delete()
