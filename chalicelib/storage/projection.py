"""Snapshots and the counters of units: always written together, so that the counters are the sum of the snapshots."""

import secrets
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Any

from pynamodb.attributes import NumberAttribute
from pynamodb.expressions.update import Action

from chalicelib.domain.events import Event
from chalicelib.domain.projection import NOTHING, Counts, Snapshot
from chalicelib.storage import keys, outbox
from chalicelib.storage.base import InstantAttribute, Record
from chalicelib.storage.people import MembershipRow
from chalicelib.storage.snapshots import SnapshotRow
from chalicelib.storage.transaction import Transaction

MOST_ACTIONS = 95
"""Actions of one transaction of snapshots and counters, besides an event; DynamoDB takes 100."""

Change = tuple[Snapshot | None, Snapshot | None]
"""A snapshot before and after; None where there is none."""


class CounterRow(Record, discriminator="counter"):
    """`E#504#AGG` / `UNIT#u`, and `E#504#CAG` / `UNIT#u#competency`: changed by exact differences only."""

    assignments = NumberAttribute(default=0)
    required = NumberAttribute(default=0)
    achieved = NumberAttribute(default=0)
    expiring = NumberAttribute(default=0)
    future = NumberAttribute(default=0)

    def counts(self) -> Counts:
        """The counts of this row."""
        return Counts(
            int(self.assignments or 0),
            int(self.required or 0),
            int(self.achieved or 0),
            int(self.expiring or 0),
            int(self.future or 0),
        )

    @classmethod
    def adding(cls, difference: Counts) -> list[Action]:
        """The update that adds a difference, leaving out what stays."""
        numbers = {name: getattr(difference, name) for name in Counts.__slots__}
        return [cls.kind.set(cls), *(getattr(cls, name).add(number) for name, number in numbers.items() if number)]


class RunRow(Record, discriminator="run"):
    """`RUN#2026-12-01` / `E#504`: what the daily run found due and changed at an employer; zero counts included."""

    due = NumberAttribute(default=0)
    changed = NumberAttribute(default=0)
    finished_at = InstantAttribute(null=True)


def record_run(day: date, employer: str, due: int, changed: int, finished_at: datetime | None) -> None:
    """Add to the row of an employer's daily run; it is finished once nothing was left to do."""
    actions: list[Action] = [RunRow.kind.set(RunRow), RunRow.due.add(due), RunRow.changed.add(changed)]
    if finished_at:
        actions.append(RunRow.finished_at.set(finished_at))
    RunRow(keys.run(day), keys.owner(employer)).update(actions)


# --- reading --------------------------------------------------------------------------------------------------


def snapshots_of(person: str, employer: str) -> tuple[Snapshot, ...]:
    """The snapshots of one person at one employer, strongly consistent."""
    prefix = keys.at_employer(employer) + "CMP" + keys.SEPARATOR
    rows = SnapshotRow.query(keys.person(person), SnapshotRow.sk.startswith(prefix), consistent_read=True)
    return tuple(row.snapshot() for row in rows)


def snapshots_of_unit(employer: str, unit: str, limit: int, after: Any = None) -> tuple[list[Snapshot], Any]:
    """A page of the snapshots in the view of a unit (`-`: of those without a unit), and where to go on. May lag a moment."""
    query = Record.gsi1.query(
        keys.unit_view(employer, unit),
        Record.gsi1sk.startswith("CMP" + keys.SEPARATOR),
        limit=limit,
        last_evaluated_key=after,
    )
    page = [row.snapshot() for row in query if isinstance(row, SnapshotRow)]
    return page, query.last_evaluated_key


def pages_of_unit(employer: str, unit: str, size: int) -> Iterator[list[Snapshot]]:
    """Every snapshot in the view of a unit, page by page."""
    after: Any = None
    while True:
        page, after = snapshots_of_unit(employer, unit, size, after)
        yield page
        if after is None:
            return


def due_by(employer: str, day: date, limit: int, after: Any = None) -> tuple[list[Snapshot], Any]:
    """A page of the snapshots that time changes on that day or before, earliest first, and where to go on. May lag a moment."""
    end = day.isoformat() + chr(ord(keys.SEPARATOR) + 1)
    query = Record.gsi2.query(keys.due(employer), Record.gsi2sk < end, limit=limit, last_evaluated_key=after)
    page = [row.snapshot() for row in query if isinstance(row, SnapshotRow)]
    return page, query.last_evaluated_key


def as_they_stand(snapshots: Iterable[Snapshot]) -> list[Snapshot]:
    """The same snapshots (up to 100) as written last, strongly consistent; those that are gone are left out."""
    wanted = [
        (keys.person(each.facts.person), keys.snapshot(each.facts.employer, each.facts.number)) for each in snapshots
    ]
    return [row.snapshot() for row in SnapshotRow.batch_get(wanted, consistent_read=True)]


def members_of(employer: str, group: str) -> list[str]:
    """The ids of the members of a learner group, present and to come. May lag a moment."""
    rows = Record.gsi1.query(keys.members(employer, group))
    return list(dict.fromkeys(row.pk.split(keys.SEPARATOR)[1] for row in rows if isinstance(row, MembershipRow)))


def counters(employer: str, consistent: bool = False) -> dict[str, Counts]:
    """The counters of every unit in which somebody has an assignment, or had."""
    rows = CounterRow.query(keys.counters(employer), consistent_read=consistent)
    return {str(row.sk.partition(keys.SEPARATOR)[2]): row.counts() for row in rows}


def counters_by_competency(
    employer: str, units: Sequence[str] | None = None, consistent: bool = False
) -> dict[str, dict[str, Counts]]:
    """The counters of each competency in these units, a query each; None: in all units, one query."""
    pk = keys.competency_counters(employer)
    found: dict[str, dict[str, Counts]] = defaultdict(dict)
    prefixes = [None] if units is None else [keys.unit_counter(unit) + keys.SEPARATOR for unit in units]
    for prefix in prefixes:
        within = CounterRow.sk.startswith(prefix) if prefix else None
        for row in CounterRow.query(pk, within, consistent_read=consistent):
            _, unit, competency = row.sk.split(keys.SEPARATOR)
            found[unit][competency] = row.counts()
    return dict(found)


def counters_of_unit(employer: str, unit: str) -> tuple[Counts, dict[str, Counts]]:
    """The counters of one unit, in all and by competency, strongly consistent."""
    key = CounterRow.sk == keys.unit_counter(unit)
    rows = CounterRow.query(keys.counters(employer), key, consistent_read=True)
    total = next((row.counts() for row in rows), NOTHING)
    return total, counters_by_competency(employer, [unit], consistent=True).get(unit, {})


# --- writing --------------------------------------------------------------------------------------------------


_Counter = tuple[str, str, str | None]
"""A counter: employer, unit, and competency or None for the unit's total."""


Follow = Callable[[Sequence[Change]], Event | None]
"""The event that follows from changes written in one transaction, if any does."""


def commit(changes: Iterable[Change], follow: Follow = lambda _: None) -> None:
    """Write snapshots and add their exact differences to the counters. Raises Stale if a snapshot was changed meanwhile.

    As few transactions as 95 actions each allow; each is exact in itself, and has the event that follows from the changes it
    completes. After Stale some may be committed.
    """
    together: list[Change] = []
    complete: list[Change] = []
    sums: dict[_Counter, Counts] = {}
    for before, after in changes:
        change = before, after and _marked(after)
        for step in _steps(change):
            added = _added(sums, _differences(step))
            if together and len(together) + 1 + len(added) > MOST_ACTIONS:
                _write(together, sums, follow(complete))
                together, complete, added = [], [], _differences(step)
            together.append(step)
            sums = added
            if step[1] is not change[1]:  # the next step writes the same snapshot
                _write(together, sums, follow(complete))
                together, complete, sums = [], [], {}
        complete.append(change)
    if together:
        _write(together, sums, follow(complete))


def _differences(change: Change) -> dict[_Counter, Counts]:
    """What a change adds to each counter, zero left out."""
    before, after = (_counters_of(each) for each in change)
    return _added(after, {at: -counts for at, counts in before.items()})


def first_rows(snapshots: Iterable[Snapshot]) -> list[Record]:
    """The rows of an employer's very first snapshots, and of all counters they add up to: to load many people at once."""
    sums: dict[_Counter, Counts] = {}
    rows: list[Record] = []
    for snapshot in snapshots:
        rows.append(SnapshotRow.of(_marked(snapshot)))
        for at, counts in _counters_of(snapshot).items():
            sums[at] = sums.get(at, NOTHING) + counts
    for at, counts in sums.items():
        row = _counter_row(*at)
        for name in Counts.__slots__:
            setattr(row, name, getattr(counts, name))
        rows.append(row)
    return rows


def _counters_of(snapshot: Snapshot | None) -> dict[_Counter, Counts]:
    if snapshot is None or not snapshot.counted or snapshot.unit is None:
        return {}
    employer, unit = snapshot.facts.employer, snapshot.unit
    found: dict[_Counter, Counts] = {(employer, unit, None): snapshot.total}
    for competency, counts in snapshot.by_competency.items():
        found[employer, unit, competency] = counts
    return found


def _added(sums: dict[_Counter, Counts], more: dict[_Counter, Counts]) -> dict[_Counter, Counts]:
    both = sums | {at: sums.get(at, NOTHING) + counts for at, counts in more.items()}
    return {at: counts for at, counts in both.items() if counts != NOTHING}


def _steps(change: Change) -> Iterator[Change]:
    """The change itself, or, where it moves too many counters for one transaction, several over snapshots with fewer rows."""
    before, after = change
    if 1 + len(_differences(change)) <= MOST_ACTIONS:
        yield change
        return
    rows_a_step = MOST_ACTIONS - 3  # besides the snapshot and the totals of two units
    at = before
    while at and at.counted and at.rows:
        less = _marked(replace(at, rows=at.rows[:-rows_a_step]))
        yield at, less
        at = less
    if after and after.counted:
        for count in range(rows_a_step, len(after.rows), rows_a_step):
            more = _marked(replace(after, rows=after.rows[:count]))
            yield at, more
            at = more
    yield at, after


def _marked(snapshot: Snapshot) -> Snapshot:
    """The snapshot as it will be written, under a revision that no writing of it ever had.

    Counting up would not do: a snapshot deleted and made anew would begin again, and be taken for the one before.
    """
    return replace(snapshot, revision=1 + secrets.randbits(52))


def _write(changes: Sequence[Change], differences: dict[_Counter, Counts], event: Event | None) -> None:
    transaction = Transaction()
    if event is not None:
        outbox.emit(transaction, event)
    for before, after in changes:
        if after is not None:
            row = SnapshotRow.of(after)
            condition = SnapshotRow.revision == before.revision if before else SnapshotRow.pk.does_not_exist()
            transaction.replace(row, condition)
        elif before is not None:
            transaction.delete(SnapshotRow.of(before), SnapshotRow.revision == before.revision)
    for at, difference in differences.items():
        transaction.update(_counter_row(*at), CounterRow.adding(difference))
    transaction.commit()


def _counter_row(employer: str, unit: str, competency: str | None) -> CounterRow:
    if competency is None:
        return CounterRow(keys.counters(employer), keys.unit_counter(unit))
    return CounterRow(keys.competency_counters(employer), keys.competency_counter(unit, competency))
