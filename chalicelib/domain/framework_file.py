"""A framework as CSV, there and back: what is written is read back the same (decision 0008).

All or nothing: every row is checked, every wrong field named by row and column, and nothing is taken unless all is right.
"""

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date

from chalicelib.domain import csv_file, framework
from chalicelib.domain.competency import ONE_LEVEL, Competency
from chalicelib.domain.csv_file import FORMULA, FileRefused, Position, Records, begins_like_formula, harmless, is_blank
from chalicelib.domain.errors import FieldError, Invalid

COLUMNS = ("name", "renewal_months", "levels", "covers", "starts_on", "ends_on")
"""Every column; none may be left out, so that leaving one out cannot mean to empty it."""

NEVER = "none"
"""What stands in `renewal_months` of a competency that never renews. An empty cell means: as the name says."""

MOST_ROWS = 5_000
MOST_ERRORS = 100
"""Wrong fields that are listed; of the others, how many there are."""

_BYTE_ORDER_MARK = "\ufeff"
_LOST = "\ufffd"
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_MONTHS = re.compile(r"[0-9]{1,4}")


# --- writing ------------------------------------------------------------------------------------------------


def write(competencies: Iterable[Competency]) -> str:
    """The competencies by name, one to a row; levels and covers one to a line within their cell.

    With a byte order mark, by which Excel knows UTF-8, and no cell that a spreadsheet takes for a formula.
    """
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for each in sorted(competencies, key=lambda each: each.name):
        writer.writerow(map(harmless, _cells(each)))
    return _BYTE_ORDER_MARK + text.getvalue()


def _cells(competency: Competency) -> Sequence[str]:
    return (
        competency.name,
        NEVER if competency.renewal_months is None else str(competency.renewal_months),
        "\n".join(competency.levels),
        "\n".join(competency.covers),
        competency.starts_on.isoformat() if competency.starts_on else "",
        competency.ends_on.isoformat() if competency.ends_on else "",
    )


# --- reading ------------------------------------------------------------------------------------------------


def read(raw: bytes, owner: str, known: Mapping[str, Competency]) -> tuple[Competency, ...]:
    """The competencies of a file. Raises Invalid naming what is wrong by row, as a spreadsheet numbers them, and column.

    `known` are those the owner's people may have to do with, by name; what a row covers may also stand in another row.
    """
    try:
        reading = _Reading(raw)
    except FileRefused as refused:
        columns = (FieldError(f"row 1.{each.field}", each.reason) for each in refused.errors)
        raise Invalid(FieldError("body", f"{refused.sentence} {refused.way_out}"), *columns) from refused
    rows, found = [*reading.found], [*reading.found.values()]
    named = {(row, error.field) for row, error in reading.wrong}
    together = [(rows[place], error) for place, error in framework.wrong_fields(found, owner, known)]
    wrong = reading.wrong + [each for each in together if (each[0], each[1].field) not in named]
    if wrong:
        raise Invalid(*_listed(wrong))
    return tuple(found)


def _listed(wrong: Iterable[tuple[int, FieldError]]) -> Iterable[FieldError]:
    ordered = sorted(wrong, key=lambda each: each[0])
    for row, error in ordered[:MOST_ERRORS]:
        yield FieldError(f"row {row}.{error.field}" if error.field else f"row {row}", error.reason)
    if len(ordered) > MOST_ERRORS:
        yield FieldError("body", f"has {len(ordered) - MOST_ERRORS} more wrong fields than are listed")


class _Reading:
    """The rows of a file, as far as each can be understood alone: the competency by row, and what is wrong by row."""

    def __init__(self, raw: bytes) -> None:
        self.found: dict[int, Competency] = {}
        self.wrong: list[tuple[int, FieldError]] = []
        self._rows: dict[str, int] = {}
        taken = 0
        records = Records((raw,), Position())
        columns = csv_file.header(records, COLUMNS, COLUMNS, "framework")
        for cells in records:
            if is_blank(cells):
                continue
            taken += 1
            if taken > MOST_ROWS:
                raise FileRefused(f"The file has more than {MOST_ROWS} rows.", "Send it in parts.")
            if len(cells) == len(columns):
                self._take(records.at.row, dict(zip(columns, cells, strict=True)))
            else:
                self._refuse(records.at.row, "", f"has {len(cells)} fields where the header has {len(columns)}")

    def _take(self, row: int, cells: Mapping[str, str]) -> None:
        for column, cell in cells.items():
            if begins_like_formula(cell):
                self._refuse(row, column, FORMULA)
            elif _LOST in cell:  # a gateway on the way replaces what it cannot read
                self._refuse(row, column, "has a character that was lost on the way: the file was not UTF-8")
        name = _plain(cells["name"])
        first = self._rows.setdefault(name, row)
        if first != row:
            self._refuse(row, "name", f"stands in row {first} already")
            return
        self.found[row] = framework.define(
            name,
            self._months(row, name, _plain(cells["renewal_months"])),
            _lines(cells["levels"]) or ONE_LEVEL,
            _lines(cells["covers"]),
            self._day(row, "starts_on", _plain(cells["starts_on"])),
            self._day(row, "ends_on", _plain(cells["ends_on"])),
        )

    def _refuse(self, row: int, column: str, reason: str) -> None:
        self.wrong.append((row, FieldError(column, reason)))

    def _months(self, row: int, name: str, cell: str) -> int | None:
        if not cell:
            return framework.period_by_name(name)
        if cell.casefold() == NEVER:
            return None
        if not _MONTHS.fullmatch(cell):
            self._refuse(row, "renewal_months", f"is neither a whole number nor {NEVER}")
            return None
        return int(cell)

    def _day(self, row: int, column: str, cell: str) -> date | None:
        if not cell:
            return None
        try:
            if _DAY.fullmatch(cell):  # Python reads 20261123 and 2026-W48-1 as well
                return date.fromisoformat(cell)
        except ValueError:
            pass
        self._refuse(row, column, "is not a day written like 2026-11-23")
        return None


def _plain(cell: str) -> str:
    return " ".join(cell.split())


def _lines(cell: str) -> tuple[str, ...]:
    return tuple(line for each in cell.splitlines() if (line := _plain(each)))
