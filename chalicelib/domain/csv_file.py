"""CSV files that come from outside: bytes to records, the header, and what no cell may hold.

A file is refused whole where nobody could say with certainty what its rows are: another encoding, another header, an open quote.
"""

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from chalicelib.domain.errors import FieldError, Invalid

LONGEST_RECORD = 256 * 2**10
"""Bytes of one row. Longer ones are no rows: a quote was not closed, or lines do not end as they should."""

csv.field_size_limit(LONGEST_RECORD)  # of the whole process; a field by itself is no reason to refuse a file


class FileRefused(Exception):
    """The file cannot be taken as a whole: a sentence that says why, what to do, and the columns that are wrong, if it is they."""

    def __init__(self, sentence: str, way_out: str, *errors: FieldError) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.way_out = way_out
        self.errors = errors


SAVE_AS_UTF8 = "Save it as “CSV UTF-8 (comma delimited)” and send it again."
TOO_LONG = "too long"
MEND_QUOTES = (
    "Put text that holds commas, quotes or line breaks in quotes, double the quotes inside it, and send the file again."
)


# --- bytes to records ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Position:
    """A place between two records: bytes before it, and how many records and lines those are. Reading can begin there."""

    offset: int = 0
    row: int = 0
    line: int = 0


class Records:
    """The records of a file from a position on. `at` is the position behind the last one given.

    Takes the bytes in chunks of any size and never holds more than one chunk and one record. Rows are numbered as a spreadsheet
    numbers them: the header is row 1, and a line break within quotes begins no new row.
    """

    def __init__(self, chunks: Iterable[bytes], at: Position) -> None:
        self.at = at
        self._offset, self._line = at.offset, at.line
        self._reader = csv.reader(self._lines(chunks), strict=True)

    def __iter__(self) -> Iterator[list[str]]:
        return self

    def __next__(self) -> list[str]:
        row, line = self.at.row + 1, self.at.line + 1
        try:
            fields = next(self._reader)
        except csv.Error as wrong:
            raise _malformed(row, line, str(wrong)) from wrong
        self.at = Position(self._offset, row, self._line)
        return fields

    def _lines(self, chunks: Iterable[bytes]) -> Iterator[str]:
        for line in _split(chunks):
            if self._offset == 0:
                _check_beginning(line)
            self._line += 1
            if self._offset + len(line) - self.at.offset > LONGEST_RECORD:
                raise _malformed(self.at.row + 1, self.at.line + 1, TOO_LONG)
            text = self._text(line)
            self._offset += len(line)
            yield text

    def _text(self, line: bytes) -> str:
        try:
            return line.decode("utf-8-sig" if self._offset == 0 else "utf-8")
        except UnicodeDecodeError as wrong:
            raise FileRefused(
                f"The file is not UTF-8: line {self._line} has the byte 0x{line[wrong.start]:02X} at position "
                f"{self._offset + wrong.start + 1} of the file. It was probably saved as Windows-1252 (ANSI).",
                SAVE_AS_UTF8,
            ) from None


def _split(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Lines with their ends; one that does not end is cut where it is too long for a record."""
    rest = b""
    for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            yield line + b"\n"
        if len(rest) > LONGEST_RECORD:
            yield rest
            rest = b""
    if rest:
        yield rest


def _check_beginning(line: bytes) -> None:
    if line.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\x00" in line:
        raise FileRefused("The file is not UTF-8: from its first line on it is UTF-16 (“Unicode text”).", SAVE_AS_UTF8)


def _malformed(row: int, line: int, wrong: str) -> FileRefused:
    where = f"Row {row}, which begins on line {line},"
    if wrong == TOO_LONG:
        limit = f"{LONGEST_RECORD // 2**10} kB"
        return FileRefused(
            f"{where} is longer than {limit}; perhaps it opens a quote and does not close it.", MEND_QUOTES
        )
    if wrong.startswith("unexpected end"):
        return FileRefused(f"{where} opens a quote that is not closed.", MEND_QUOTES)
    if wrong.startswith("new-line"):
        return FileRefused(f"{where} has a carriage return without a line feed.", SAVE_AS_UTF8)
    return FileRefused(f"{where} has something behind a closing quote.", MEND_QUOTES)


# --- the header ---------------------------------------------------------------------------------------------


def header(records: Records, columns: Sequence[str], needed: Sequence[str], what: str) -> tuple[str, ...]:
    """The columns of a file, from its first record. Raises FileRefused naming every column that is wrong.

    `columns` are all it may have, `needed` those it may not leave out, `what` is the kind of file.
    """
    way_out = f"Name the columns in the first row; there may be {', '.join(columns)}."
    found = tuple(name.strip().casefold() for name in next(records, []))
    if not any(found):
        raise FileRefused("The file is empty, or its first row is.", way_out)
    if len(found) == 1 and re.search(r"[;\t]", found[0]):
        raise FileRefused("The columns are not separated by commas.", SAVE_AS_UTF8)
    # What stands in a wrong column is not repeated: without a header it is somebody's name.
    wrong = [
        FieldError(f"column {number}", "is not known" if name not in columns else f"repeats {name}")
        for number, name in enumerate(found, start=1)
        if name not in columns or name in found[: number - 1]
    ]
    wrong += [FieldError(name, "is missing") for name in needed if name not in found]
    if wrong:
        raise FileRefused(f"The first row does not name the columns of a {what}.", way_out, *wrong)
    return found


# --- a record -----------------------------------------------------------------------------------------------


def is_blank(fields: Sequence[str]) -> bool:
    """Whether a record is an empty row, such as spreadsheets leave at the end. It counts as a row and says nothing."""
    return not any(field.strip() for field in fields)


FORMULA = "begins like a formula: with =, +, -, @, a tab or a carriage return"
"""Why a cell is refused that a spreadsheet would carry out."""

_FORMULA = frozenset("=+-@\t\r")


def begins_like_formula(value: str) -> bool:
    """Whether a spreadsheet might take a cell for a formula."""
    return value.lstrip(" ")[:1] in _FORMULA


def harmless(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{cell}" if begins_like_formula(cell) else cell


# --- a whole table --------------------------------------------------------------------------------------------

BYTE_ORDER_MARK = "\ufeff"
"""What a file that goes out begins with: by it Excel knows UTF-8."""

MOST_ROWS = 5_000
"""Rows of a file that is judged as a whole."""

MOST_ERRORS = 100
"""Wrong cells that are listed; of the others, how many there are."""

LOST = "has a character that was lost on the way: the file was not UTF-8"
"""Why a cell is refused in which a gateway has replaced what it could not read."""

_REPLACEMENT = "\ufffd"
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


class Table:
    """A file of a few thousand rows that is judged as a whole: its cells by row and column, and what is wrong, likewise."""

    def __init__(self, raw: bytes, columns: Sequence[str], what: str) -> None:
        """Raises Invalid for a file that is no such table; none of the columns may be left out. `what` is the kind of file."""
        self.rows: dict[int, dict[str, str]] = {}
        self.wrong: list[tuple[int, FieldError]] = []
        try:
            self._read(Records((raw,), Position()), columns, what)
        except FileRefused as refused:
            named = (FieldError(f"row 1.{each.field}", each.reason) for each in refused.errors)
            raise Invalid(FieldError("body", f"{refused.sentence} {refused.way_out}"), *named) from refused

    def _read(self, records: Records, columns: Sequence[str], what: str) -> None:
        found = header(records, columns, columns, what)
        filled = 0
        for cells in records:
            if is_blank(cells):
                continue
            filled += 1
            if filled > MOST_ROWS:
                raise FileRefused(f"The file has more than {MOST_ROWS} rows.", "Send it in parts.")
            if len(cells) == len(found):
                self.rows[records.at.row] = dict(zip(found, cells, strict=True))
            else:
                self.refuse(records.at.row, "", f"has {len(cells)} fields where the header has {len(found)}")

    def refuse(self, row: int, column: str, reason: str) -> None:
        """Note that a cell is wrong, or a whole row (no column)."""
        self.wrong.append((row, FieldError(column, reason)))

    def refuse_all_wrong(self, together: Iterable[tuple[int, FieldError]]) -> None:
        """Raise Invalid if anything is wrong: with a cell by itself, or, of other cells, by what all rows make together."""
        named = {(row, error.field) for row, error in self.wrong}
        wrong = self.wrong + [(row, error) for row, error in together if (row, error.field) not in named]
        if wrong:
            raise Invalid(*_told(wrong))


def _told(wrong: Iterable[tuple[int, FieldError]]) -> Iterator[FieldError]:
    ordered = sorted(wrong, key=lambda each: each[0])
    for row, error in ordered[:MOST_ERRORS]:
        yield FieldError(f"row {row}.{error.field}" if error.field else f"row {row}", error.reason)
    if len(ordered) > MOST_ERRORS:
        yield FieldError("body", f"has {len(ordered) - MOST_ERRORS} more wrong fields than are listed")


def is_lost(cell: str) -> bool:
    """Whether a gateway on the way has replaced what it could not read."""
    return _REPLACEMENT in cell


NO_DAY = "is not a day written like 2026-11-23"


def day(cell: str) -> date | None:
    """The day that a cell names; None for an empty one. Raises ValueError for what is none."""
    if cell and not _DAY.fullmatch(cell):  # Python reads 20261123 and 2026-W48-1 as well
        raise ValueError(NO_DAY)
    return date.fromisoformat(cell) if cell else None
