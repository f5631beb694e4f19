"""A workforce file of fictional people who join the demo trust, some rows of which are wrong:

    python -m infrastructure.demo.workforce_csv --rows 10000 --bad 20 > people.csv

The same arguments give the same file. The wrong rows are told on standard error, so that they can be compared with the report.
"""

import argparse
import csv
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from random import Random

from chalicelib.domain.calendar import london_day
from chalicelib.domain.workforce_file import COLUMNS

from .facts import Facts, PeopleFacts
from .organisation import plan_departments, plan_organisation
from .plan import DEFAULT_STAFF, staff_number
from .reading import load_facts
from .trust import Organisation, Position

FIRST_NUMBER = 60_000_001
"""Nobody of the demo trust has an employee number from here on."""

FIRST_ROW = 2
"""Rows are counted as a spreadsheet counts them: the header is row 1."""

Row = dict[str, str]


@dataclass(frozen=True, slots=True)
class Mistake:
    """Something that goes wrong in a row: the column that will be named, and what it makes of a good row."""

    column: str
    make: Callable[[Row], Row]


MISTAKES = (
    Mistake("unit", lambda row: {**row, "unit": "MOON-001"}),
    Mistake("position", lambda row: {**row, "position": ""}),
    Mistake("job", lambda row: {**row, "job": "LION-TAMER"}),
    Mistake("employed_from", lambda row: {**row, "employed_from": "31/02/2026"}),
    Mistake("until", lambda row: {**row, "until": "2001-01-01"}),
    Mistake("last_name", lambda row: {**row, "last_name": f"=HYPERLINK({row['last_name']})"}),
    Mistake("email", lambda row: {**row, "email": "nowhere"}),
    Mistake("sequence", lambda row: {**row, "sequence": "first"}),
    Mistake("employee_number", lambda row: {**row, "employee_number": ""}),
    Mistake("employment", lambda row: {**row, "employment": "volunteer"}),
    Mistake("supervisor", lambda row: {**row, "supervisor": row["employee_number"]}),
    Mistake("row", lambda row: {**row, "one column too many": "x"}),
)


@dataclass(frozen=True, slots=True)
class Line:
    """A row of the file, and the column that is wrong with it, if one is."""

    number: int
    fields: list[str]
    wrong: str | None


def lines(rows: int, bad: int, staff: int, today: date, facts: Facts | None = None) -> Iterator[Line]:
    """`rows` people who join a demo trust of `staff` employees, `bad` of them with a mistake, at random places."""
    facts = facts or load_facts()
    departments = plan_departments(facts.organisation, staff)
    organisation = plan_organisation(facts, departments, today)
    joiners = _Joiners(facts, organisation, today)
    wrong = set(Random(f"bad rows {rows} {bad}").sample(range(rows), bad))
    mistakes = 0
    for index in range(rows):
        row, mistake = joiners.row(index), None
        if index in wrong:
            mistake = MISTAKES[mistakes % len(MISTAKES)]
            row = mistake.make(row)
            mistakes += 1
        yield Line(index + FIRST_ROW, list(row.values()), mistake.column if mistake else None)


class _Joiners:
    """New people for the posts of a trust."""

    def __init__(self, facts: Facts, organisation: Organisation, today: date) -> None:
        self._people: PeopleFacts = facts.people
        self._employer = facts.organisation.employer
        self._positions = organisation.positions
        self._today = today
        numbers = {person.id: person.employee_number for person in organisation.people}
        self._supervisors = {
            each.unit_id: numbers[each.supervisor_id] for each in organisation.assignments if each.supervisor_id
        }

    def row(self, index: int) -> Row:
        """The row of joiner number `index`."""
        rng = Random(f"joiner {index}")
        number = str(FIRST_NUMBER + index)
        names = rng.choice(self._people.first_names)
        first = rng.choice(names.names)
        last = rng.choice(self._people.surname_beginnings) + rng.choice(self._people.surname_endings)
        position: Position = rng.choice(self._positions)
        start = (self._today - timedelta(days=rng.randint(0, 2000))).isoformat()
        filled = {
            "sequence": "1",
            "employee_number": number,
            "first_name": first,
            "last_name": last,
            "title": names.title,
            "email": f"{first}.{last}.{number}@{self._employer.email_domain}".lower(),
            "login": f"{self._employer.code}-{number}",
            "employment": "employee",
            "employed_from": start,
            "assignment": number,
            "from": start,
            "unit": position.unit_id,
            "position": position.id,
            "job": position.job_id,
            "staff_group": position.staff_group_id,
            "supervisor": self._supervisors.get(position.unit_id, ""),
            "primary": "yes",
        }
        return {column: filled.get(column, "") for column in COLUMNS}


def main() -> int:
    """Write the file to standard output; the wrong rows, one a line, to standard error."""
    parser = argparse.ArgumentParser(description="Make a workforce file for the demo trust.")
    parser.add_argument("--rows", type=int, default=10_000, help="people in the file")
    parser.add_argument("--bad", type=int, default=20, help="how many of the rows are wrong")
    parser.add_argument("--staff", type=staff_number, default=DEFAULT_STAFF, help="size of the trust that is loaded")
    given = parser.parse_args()
    if not 0 <= given.bad <= given.rows:
        parser.error("--bad lies between 0 and --rows")
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(COLUMNS)
    for line in lines(given.rows, given.bad, given.staff, london_day(datetime.now(UTC))):
        writer.writerow(line.fields)
        if line.wrong:
            print(f"row {line.number}: {line.wrong}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
