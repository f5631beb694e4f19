"""A catalogue as a file: written for spreadsheets, judged as a whole when it comes back, and kept (decision 0015)."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from chalicelib.domain import catalogue_editing, catalogue_file, prerequisites
from chalicelib.domain.actor import Actor
from chalicelib.domain.catalogue_editing import WORDS
from chalicelib.domain.catalogue_file import Known, Row, Sheet
from chalicelib.domain.errors import FieldError, Invalid
from chalicelib.domain.people import NATIONAL
from chalicelib.services import catalogue_items
from chalicelib.storage import catalogue, keys, people, rules
from chalicelib.storage.transaction import Transaction, retried

ROWS_A_TRANSACTION = 90
"""DynamoDB takes 100 actions; the rest is for the version and the audit."""

LETTERS_A_TRANSACTION = 300_000
"""Of the entries as they were and are: an audit entry takes 400 kB, a transaction 4 MB."""

MOST_TAKEN_AWAY = 50
"""Courses of a file that may lose an offering: each is looked for among the classes to come."""

ADDED, CHANGED, UNCHANGED = "added", "changed", "unchanged"


class Imported(msgspec.Struct, frozen=True):
    """How many rows of a file were added, changed or as they were already."""

    added: int
    changed: int
    unchanged: int


def exported(actor: Actor, owner: str) -> str:
    """An owner's catalogue as CSV: the employer's own, or the nation's without its drafts. Raises Invalid for another owner."""
    if owner not in (actor.employer, NATIONAL):
        raise Invalid(FieldError("query.owner", f"is neither {actor.employer} nor {NATIONAL}"))
    return catalogue_file.write(rules.catalogue_now(owner), owner, with_drafts=owner == actor.employer)


def imported(actor: Actor, raw: bytes, now: datetime) -> Imported:
    """Add and change what a CSV file names in the catalogue of the actor's employer; what it does not name stays as it is.

    The whole file is checked first and nothing is written unless all of it is right. Raises Invalid naming what is not by row and
    column, or PrerequisiteCycle. Up to 90 rows of the table are one transaction; more are several, of which a repetition after a
    crash finishes the rest.
    """
    sheet = Sheet(raw)
    states: dict[int, str] = {}
    _take(actor, sheet, states, set(), now)
    counts = Counter(states.values())
    return Imported(counts[ADDED], counts[CHANGED], counts[UNCHANGED])


@retried
def _take(actor: Actor, sheet: Sheet, states: dict[int, str], written: set[int], now: datetime) -> None:
    """Write what a file changes, and note in `states` what became of each row when it was first looked at.

    If somebody else changes the catalogue meanwhile, what is not `written` is judged again, and then written.
    """
    owner = actor.employer
    rulebook, known = rules.rulebook_and_catalogue(owner, consistent=True)
    employers = rules.employers() if owner == NATIONAL else ()
    there = people.names_of(owner, sheet.people())
    rows = catalogue_file.judge(sheet, owner, Known(known, rulebook, employers, there), written)
    changing = sorted((row for row in rows if row.changes), key=_rank)
    _refuse_taking_away_by_rows(changing, now)
    after = catalogue_editing.with_entries(known, (row.after for row in changing))
    prerequisites.refuse_cycle(known, after, rulebook)
    for row in rows:
        states.setdefault(row.number, _state(row))
    for number, batch in enumerate(_batches(changing)):
        _write(actor, batch, known.version[0] + number, now)
        written.update(change.row.number for change in batch)


def _rank(row: Row) -> int:
    """What is named comes before what names it: subjects first, learning paths last."""
    return list(WORDS).index(type(row.after))


def _state(row: Row) -> str:
    if row.before is None:
        return ADDED
    return CHANGED if row.changes else UNCHANGED


def _refuse_taking_away_by_rows(rows: Iterable[Row], now: datetime) -> None:
    losing = [
        (row.number, row.before, gone)
        for row in rows
        if row.before and (gone := catalogue_editing.taken_away(row.before, row.after))
    ]
    if len(losing) > MOST_TAKEN_AWAY:
        raise Invalid(
            FieldError("body", f"takes offerings away from more than {MOST_TAKEN_AWAY} courses: send it in parts")
        )
    wrong = [
        FieldError(
            f"row {number}.offerings", f"lacks an offering, or changes its mode, that class {stay[0]} to come is of"
        )
        for number, course, gone in losing
        if (stay := catalogue_items.classes_to_come(course, gone, now))
    ]
    if wrong:
        raise Invalid(*wrong)


class _Change(NamedTuple):
    """What a row writes: its rows of the table, and how the entry was and is."""

    row: Row
    difference: catalogue.Difference
    letters: int

    @classmethod
    def of(cls, row: Row) -> "_Change":
        whole = json.dumps([msgspec.to_builtins(row.before), msgspec.to_builtins(row.after)])
        return cls(row, catalogue.Difference.between(row.before, row.after), len(whole))


def _batches(rows: Iterable[Row]) -> Iterator[list[_Change]]:
    """As many changes together as fit a transaction; what one row of the file writes is never divided."""
    batch: list[_Change] = []
    actions = letters = 0
    for change in map(_Change.of, rows):
        actions, letters = actions + len(change.difference), letters + change.letters
        if batch and (actions > ROWS_A_TRANSACTION or letters > LETTERS_A_TRANSACTION):
            yield batch
            batch, actions, letters = [], len(change.difference), change.letters
        batch.append(change)
    if batch:
        yield batch


def _write(actor: Actor, batch: Sequence[_Change], version: int, now: datetime) -> None:
    transaction = Transaction()
    for change in batch:
        change.difference.add_to(transaction)
    rules.move_version(transaction, actor.employer, keys.CATALOGUE, version)
    facts: dict[str, list[Any]] = {_state(change.row): [] for change in batch}
    for row, _, _ in batch:
        facts[_state(row)].append({"kind": WORDS[type(row.after)], "id": row.after.id, **_audited(row)})
    catalogue_items.record(transaction, actor.person, actor.employer, "catalogue.imported", now, facts)
    transaction.commit()


def _audited(row: Row) -> dict[str, Any]:
    """What an audit entry keeps of a row: what differs, before and after, of something new all of it."""
    after = catalogue_items.said(row.after)
    if row.before is None:
        return {"after": after}
    before = catalogue_items.said(row.before)
    differing = [name for name in after if getattr(row.before, name) != getattr(row.after, name)]
    return {"before": {name: before[name] for name in differing}, "after": {name: after[name] for name in differing}}
