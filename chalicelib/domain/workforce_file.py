"""A workforce file: how its bytes become rows, its rows messages, and what is refused, by row or as a whole.

A file is refused whole where nobody could say with certainty what its rows are: another encoding, another header, an open quote.
Everything else concerns one row, and the others go on.
"""

import csv
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from chalicelib.domain.errors import FieldError
from chalicelib.domain.people import EmploymentKind
from chalicelib.domain.workforce import AssignmentSection, Change, PersonSection, ServiceSection

PERSON = ("first_name", "last_name", "title", "email", "login")
EMPLOYMENT = ("employment", "employed_from", "employed_until")
ASSIGNMENT = (
    *("assignment", "from", "until"),
    *("unit", "position", "job", "staff_group"),
    *("supervisor", "primary", "ended"),
)
COLUMNS = (
    "message_id",
    "sequence",
    "employee_number",
    *PERSON,
    *EMPLOYMENT,
    *ASSIGNMENT,
    "learner_groups",
    "person_id",
)
"""Every column a file may have. The order is free; a section is said if one of its columns is filled in."""

NEEDED = ("sequence", "employee_number")
"""The columns no file may leave out."""

LARGEST_FILE = 200 * 2**20
"""Bytes: twice the largest file that was asked for."""

LONGEST_RECORD = 256 * 2**10
"""Bytes of one row. Longer ones are no rows: a quote was not closed, or lines do not end as they should."""


class FileRefused(Exception):
    """The file cannot be taken as a whole: a sentence that says why, what to do, and the columns that are wrong, if it is they."""

    def __init__(self, sentence: str, way_out: str, *errors: FieldError) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.way_out = way_out
        self.errors = errors


SAVE_AS_UTF8 = "Save it as “CSV UTF-8 (comma delimited)” and send it again."
MEND_QUOTES = (
    "Put text that holds commas, quotes or line breaks in quotes, double the quotes inside it, and send the file again."
)


SEND_AGAIN = "Send the whole file again."
NAME_COLUMNS = f"Name the columns in the first row; there may be {', '.join(COLUMNS)}."


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
                raise _malformed(self.at.row + 1, self.at.line + 1, "field larger")
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
    if wrong.startswith(("unexpected end", "field larger")):
        return FileRefused(f"{where} opens a quote that is not closed, or does not end.", MEND_QUOTES)
    if wrong.startswith("new-line"):
        return FileRefused(f"{where} has a carriage return without a line feed.", SAVE_AS_UTF8)
    return FileRefused(f"{where} has something behind a closing quote.", MEND_QUOTES)


# --- the header ---------------------------------------------------------------------------------------------


def header(records: Records) -> tuple[str, ...]:
    """The columns of a file, from its first record. Raises FileRefused naming every column that is wrong."""
    columns = tuple(name.strip().casefold() for name in next(records, []))
    if not any(columns):
        raise FileRefused("The file is empty, or its first row is.", NAME_COLUMNS)
    if len(columns) == 1 and re.search(r"[;\t]", columns[0]):
        raise FileRefused("The columns are not separated by commas.", SAVE_AS_UTF8)
    # What stands in a wrong column is not repeated: without a header it is somebody's name.
    wrong = [
        FieldError(f"column {number}", "is not known" if name not in COLUMNS else f"repeats {name}")
        for number, name in enumerate(columns, start=1)
        if name not in COLUMNS or name in columns[: number - 1]
    ]
    wrong += [FieldError(name, "is missing") for name in NEEDED if name not in columns]
    if wrong:
        raise FileRefused(
            "The first row does not name the columns of a workforce file.",
            NAME_COLUMNS,
            *wrong,
        )
    return columns


# --- a record to a message ----------------------------------------------------------------------------------


def is_blank(fields: Sequence[str]) -> bool:
    """Whether a record is an empty row, such as spreadsheets leave at the end. It counts as a row and says nothing."""
    return not any(field.strip() for field in fields)


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the file: its number, its message unless it cannot be read as one, and what is wrong with its fields, by column.

    `message_id` and `employee_number` are for the report, None where what was written is neither.
    """

    number: int
    message_id: str | None
    employee_number: str | None
    change: Change | None
    errors: tuple[FieldError, ...] = ()


def row_of(number: int, fields: Sequence[str], columns: Sequence[str], default_id: str) -> Row:
    """Read a record. A row without a message id has `default_id`."""
    if len(fields) != len(columns):
        error = FieldError("row", f"has {len(fields)} fields where the header has {len(columns)}")
        return Row(number, None, None, None, (error,))
    raw = dict(zip(columns, fields, strict=True))
    wrong = [
        FieldError(name, "begins like a formula: with =, +, -, @, a tab or a carriage return")
        for name, value in raw.items()
        if value.lstrip(" ")[:1] in _FORMULA
    ]
    reading = _Reading({name: " ".join(value.split()) for name, value in raw.items()}, wrong)
    change = reading.change(default_id)
    return Row(
        number,
        change.id if _SHOWABLE.fullmatch(change.id) else None,
        change.employee_number if _SHOWABLE.fullmatch(change.employee_number) else None,
        None if reading.wrong else change,
        tuple(reading.wrong),
    )


_FORMULA = frozenset("=+-@\t\r")
_SHOWABLE = re.compile(r"\w[\w.:/|~-]{0,79}", re.ASCII)
_SEQUENCE = re.compile(r"[0-9]{1,16}")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_YES = {"yes": True, "y": True, "true": True, "1": True, "no": False, "n": False, "false": False, "0": False}
_LONG_AGO = date(1900, 1, 1)


class _Reading:
    """The values of one row, and what was found wrong with them so far."""

    def __init__(self, values: Mapping[str, str], wrong: list[FieldError]) -> None:
        self._values = values
        self.wrong = wrong

    def change(self, default_id: str) -> Change:
        """The message of the row; of use only if nothing was found wrong."""
        return Change(
            id=self._text("message_id") or default_id,
            sequence=self._sequence(),
            employee_number=self._needed("employee_number"),
            person=self._person() if self._says(PERSON) else None,
            employment=self._service() if self._says(EMPLOYMENT) else None,
            assignments=(self._assignment(),) if self._says(ASSIGNMENT) else (),
            learner_groups=self._groups(),
            person_id=self._text("person_id"),
        )

    def _says(self, columns: Sequence[str]) -> bool:
        return any(self._values.get(name) for name in columns)

    def _text(self, name: str) -> str | None:
        return self._values.get(name) or None

    def _refuse(self, name: str, reason: str) -> None:
        if not any(each.field == name for each in self.wrong):
            self.wrong.append(FieldError(name, reason))

    def _needed(self, name: str) -> str:
        value = self._text(name)
        if value is None:
            self._refuse(name, "is missing")
        return value or ""

    def _sequence(self) -> int:
        value = self._needed("sequence")
        if value and not _SEQUENCE.fullmatch(value):
            self._refuse("sequence", "is not a whole number")
            return 0
        return int(value or 0)

    def _day(self, name: str) -> date | None:
        value = self._text(name)
        if value is None:
            return None
        try:
            if _DAY.fullmatch(value):  # Python reads 20261123 and 2026-W48-1 as well
                return date.fromisoformat(value)
        except ValueError:
            pass
        self._refuse(name, "is not a day written like 2026-11-23")
        return None

    def _needed_day(self, name: str) -> date:
        if self._text(name) is None:
            self._refuse(name, "is missing")
        return self._day(name) or _LONG_AGO

    def _yes(self, name: str, otherwise: bool) -> bool:
        value = self._text(name)
        if value is not None and value.casefold() not in _YES:
            self._refuse(name, "is neither yes nor no")
        return _YES.get((value or "").casefold(), otherwise)

    def _person(self) -> PersonSection:
        return PersonSection(
            self._needed("first_name"),
            self._needed("last_name"),
            self._text("title"),
            self._text("email"),
            self._text("login"),
        )

    def _service(self) -> ServiceSection:
        kind = self._needed("employment").casefold()
        if kind and kind not in set(EmploymentKind):
            self._refuse("employment", "is none of " + ", ".join(EmploymentKind))
            kind = EmploymentKind.EMPLOYEE
        starts_on = self._needed_day("employed_from")
        return ServiceSection(EmploymentKind(kind or "employee"), starts_on, self._day("employed_until"))

    def _assignment(self) -> AssignmentSection:
        return AssignmentSection(
            self._needed("assignment"),
            self._needed_day("from"),
            self._day("until"),
            self._text("unit"),
            self._text("position"),
            self._text("job"),
            self._text("staff_group"),
            self._text("supervisor"),
            self._yes("primary", otherwise=True),
            self._yes("ended", otherwise=False),
        )

    def _groups(self) -> tuple[str, ...] | None:
        """Learner groups, separated by semicolons; a lone semicolon says that there are none."""
        value = self._text("learner_groups")
        return None if value is None else tuple(filter(None, (each.strip() for each in value.split(";"))))


# --- fields of a message as columns -------------------------------------------------------------------------

_COLUMN_OF = {
    "id": "message_id",
    "person": "last_name",
    "employment": "employment",
    "employment.kind": "employment",
    "employment.starts_on": "employed_from",
    "employment.ends_on": "employed_until",
    "assignments": "assignment",
    "assignments.number": "assignment",
    "assignments.starts_on": "from",
    "assignments.ends_on": "until",
    "assignments.cancelled": "ended",
}


def as_column(error: FieldError) -> FieldError:
    """An error of a message under the name of the column it came from: `assignments[0].starts_on` is `from`."""
    path = re.sub(r"\[\d+\]", "", error.field)
    return FieldError(_COLUMN_OF.get(path, path.rpartition(".")[2]), error.reason)
