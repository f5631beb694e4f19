"""A workforce file: how its records become messages, and what is refused of them.

What is wrong with a row concerns that row alone, and the others go on; what concerns the file is in `csv_file`.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from chalicelib.domain import csv_file
from chalicelib.domain.calendar import EARLIEST
from chalicelib.domain.csv_file import FORMULA, Records, begins_like_formula
from chalicelib.domain.errors import FieldError
from chalicelib.domain.people import EmploymentKind
from chalicelib.domain.workforce import AssignmentSection, Change, GroupSection, PersonSection, ServiceSection

PERSON = ("first_name", "last_name", "title", "email", "login")
EMPLOYMENT = ("employment", "employed_from", "employed_until")
ASSIGNMENT = (
    *("assignment", "from", "until"),
    *("unit", "position", "job", "staff_group"),
    *("supervisor", "primary", "ended"),
)
GROUPS = ("learner_groups", "groups_from", "groups_until")
COLUMNS = (
    "message_id",
    "sequence",
    "employee_number",
    *PERSON,
    *EMPLOYMENT,
    *ASSIGNMENT,
    "cancelled",
    *GROUPS,
    "person_id",
)
"""Every column a file may have. The order is free; a section is said if one of its columns is filled in, or if it is cancelled.

`cancelled` names the sections of the row that never were: `employment`, `assignment`, `learner_groups`, or several, separated by
semicolons.
"""

NEEDED = ("sequence", "employee_number")
"""The columns no file may leave out."""

LARGEST_FILE = 200 * 2**20
"""Bytes: twice the largest file that was asked for."""

SEND_AGAIN = "Send the whole file again."


def header(records: Records) -> tuple[str, ...]:
    """The columns of a file, from its first record. Raises FileRefused naming every column that is wrong."""
    return csv_file.header(records, COLUMNS, NEEDED, "workforce file")


# --- a record to a message ----------------------------------------------------------------------------------


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
    wrong = [FieldError(name, FORMULA) for name, value in raw.items() if begins_like_formula(value)]
    reading = _Reading({name: " ".join(value.split()) for name, value in raw.items()}, wrong)
    change = reading.change(default_id)
    return Row(
        number,
        change.id if _SHOWABLE.fullmatch(change.id) else None,
        change.employee_number if _SHOWABLE.fullmatch(change.employee_number) else None,
        None if reading.wrong else change,
        tuple(reading.wrong),
    )


_SHOWABLE = re.compile(r"\w[\w.:/|~-]{0,79}", re.ASCII)
_SEQUENCE = re.compile(r"[0-9]{1,16}")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_YES = {"yes": True, "y": True, "true": True, "1": True, "no": False, "n": False, "false": False, "0": False}


class _Reading:
    """The values of one row, and what was found wrong with them so far."""

    def __init__(self, values: Mapping[str, str], wrong: list[FieldError]) -> None:
        self._values = values
        self.wrong = wrong

    def change(self, default_id: str) -> Change:
        """The message of the row; of use only if nothing was found wrong."""
        cancelled = self._cancelled()
        return Change(
            id=self._text("message_id") or default_id,
            sequence=self._sequence(),
            employee_number=self._needed("employee_number"),
            person=self._person() if self._says(PERSON) else None,
            employment=self._service("employment" in cancelled) if self._says(EMPLOYMENT, cancelled) else None,
            assignments=(self._assignment("assignment" in cancelled),) if self._says(ASSIGNMENT, cancelled) else (),
            learner_groups=self._groups("learner_groups" in cancelled) if self._says(GROUPS, cancelled) else (),
            person_id=self._text("person_id"),
        )

    def _says(self, columns: Sequence[str], cancelled: Collection[str] = ()) -> bool:
        return columns[0] in cancelled or any(self._values.get(name) for name in columns)

    def _cancelled(self) -> frozenset[str]:
        """The sections that never were, each named by its first column."""
        named = [each.casefold() for each in self._list("cancelled")]
        if not set(named) <= {EMPLOYMENT[0], ASSIGNMENT[0], GROUPS[0]}:
            self._refuse("cancelled", "is none of employment, assignment, learner_groups")
        return frozenset(named)

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
        return self._day(name) or EARLIEST

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

    def _service(self, cancelled: bool) -> ServiceSection:
        kind = self._needed("employment").casefold()
        if kind and kind not in set(EmploymentKind):
            self._refuse("employment", "is none of " + ", ".join(EmploymentKind))
            kind = EmploymentKind.EMPLOYEE
        starts_on = self._needed_day("employed_from")
        return ServiceSection(EmploymentKind(kind or "employee"), starts_on, self._day("employed_until"), cancelled)

    def _assignment(self, cancelled: bool) -> AssignmentSection:
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
            cancelled,
        )

    def _groups(self, cancelled: bool) -> tuple[GroupSection, ...]:
        """Memberships from `groups_from` on; if that is empty, from the first day of the row's period of service."""
        names = dict.fromkeys(self._list("learner_groups"))
        if not names:
            self._refuse("learner_groups", "is missing")
        with_service = not self._text("groups_from") and self._says(EMPLOYMENT)
        starts_on = self._needed_day("employed_from" if with_service else "groups_from")
        ends_on = self._day("groups_until")
        return tuple(GroupSection(name, starts_on, ends_on, cancelled) for name in names)

    def _list(self, name: str) -> tuple[str, ...]:
        """Values separated by semicolons."""
        return tuple(filter(None, (each.strip() for each in (self._text(name) or "").split(";"))))


# --- fields of a message as columns -------------------------------------------------------------------------

_COLUMN_OF = {
    "id": "message_id",
    "person": "last_name",
    "employment": "employment",
    "employment.kind": "employment",
    "employment.starts_on": "employed_from",
    "employment.ends_on": "employed_until",
    "learner_groups.group": "learner_groups",
    "learner_groups.starts_on": "groups_from",
    "learner_groups.ends_on": "groups_until",
    "assignments": "assignment",
    "assignments.number": "assignment",
    "assignments.starts_on": "from",
    "assignments.ends_on": "until",
}


def as_column(error: FieldError) -> FieldError:
    """An error of a message under the name of the column it came from: `assignments[0].starts_on` is `from`."""
    path = re.sub(r"\[\d+\]", "", error.field)
    return FieldError(_COLUMN_OF.get(path, path.rpartition(".")[2]), error.reason)
