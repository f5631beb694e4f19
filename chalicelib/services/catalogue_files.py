"""A catalogue as a file: written for spreadsheets, judged as a whole when it comes back, and kept (decision 0015)."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

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
    sheet = catalogue_file.parse(raw, actor.employer)
    states: dict[int, str] = {}
    _take(actor, sheet, states, now)
    counts = Counter(states.values())
    return Imported(counts[ADDED], counts[CHANGED], counts[UNCHANGED])


@retried
def _take(actor: Actor, sheet: Sheet, states: dict[int, str], now: datetime) -> None:
    """Write what a file changes, and note in `states` what became of each row when it was first looked at.

    If somebody else changes the catalogue meanwhile, the file is judged again, and the rest is written.
    """
    owner = actor.employer
    rulebook, known = rules.rulebook_and_catalogue(owner, consistent=True)
    employers = rules.employers() if owner == NATIONAL else ()
    there = people.names_of(owner, sheet.people())
    rows = catalogue_file.judge(sheet, owner, Known(known, rulebook, employers, there))
    changing = [row for row in rows if row.changes]
    _refuse_taking_away_by_rows(changing, now)
    after = catalogue_editing.with_entries(known, (row.after for row in changing))
    prerequisites.refuse_cycle(known, after, rulebook)
    for row in rows:
        states.setdefault(row.number, _state(row))
    for number, batch in enumerate(_batches(changing)):
        _write(actor, batch, known.version[0] + number, now)


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


def _batches(rows: Iterable[Row]) -> Iterator[list[tuple[Row, catalogue.Difference]]]:
    """Rows of the file with what they write, as many together as fit a transaction; what one writes is never divided."""
    batch: list[tuple[Row, catalogue.Difference]] = []
    room = ROWS_A_TRANSACTION
    for row in rows:
        difference = catalogue.Difference.between(row.before, row.after)
        if batch and len(difference) > room:
            yield batch
            batch, room = [], ROWS_A_TRANSACTION
        batch.append((row, difference))
        room -= len(difference)
    if batch:
        yield batch


def _write(actor: Actor, batch: Sequence[tuple[Row, catalogue.Difference]], version: int, now: datetime) -> None:
    transaction = Transaction()
    for _, difference in batch:
        difference.add_to(transaction)
    rules.move_version(transaction, actor.employer, keys.CATALOGUE, version)
    facts: dict[str, list[Any]] = {_state(row): [] for row, _ in batch}
    for row, _ in batch:
        facts[_state(row)].append([WORDS[type(row.after)], row.after.id, row.after.revision])
    catalogue_items.record(transaction, actor.person, actor.employer, "catalogue.imported", now, facts)
    transaction.commit()
