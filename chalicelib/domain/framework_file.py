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
from chalicelib.domain.csv_file import BYTE_ORDER_MARK, FORMULA, Table, begins_like_formula, harmless

COLUMNS = ("name", "renewal_months", "levels", "covers", "starts_on", "ends_on")
"""Every column; none may be left out, so that leaving one out cannot mean to empty it."""

NEVER = "none"
"""What stands in `renewal_months` of a competency that never renews. An empty cell means: as the name says."""

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
    return BYTE_ORDER_MARK + text.getvalue()


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
    reading = _Reading(raw)
    rows, found = [*reading.found], [*reading.found.values()]
    together = ((rows[place], error) for place, error in framework.wrong_fields(found, owner, known))
    reading.table.refuse_all_wrong(together)
    return tuple(found)


class _Reading:
    """The rows of a file, as far as each can be understood alone: the competency by row."""

    def __init__(self, raw: bytes) -> None:
        self.table = Table(raw, COLUMNS, "framework")
        self.found: dict[int, Competency] = {}
        self._rows: dict[str, int] = {}
        for row, cells in self.table.rows.items():
            self._take(row, cells)

    def _take(self, row: int, cells: Mapping[str, str]) -> None:
        for column, cell in cells.items():
            if begins_like_formula(cell):
                self._refuse(row, column, FORMULA)
            elif csv_file.is_lost(cell):
                self._refuse(row, column, csv_file.LOST)
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
        self.table.refuse(row, column, reason)

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
        try:
            return csv_file.day(cell)
        except ValueError:
            self._refuse(row, column, csv_file.NO_DAY)
            return None


def _plain(cell: str) -> str:
    return " ".join(cell.split())


def _lines(cell: str) -> tuple[str, ...]:
    return tuple(line for each in cell.splitlines() if (line := _plain(each)))
