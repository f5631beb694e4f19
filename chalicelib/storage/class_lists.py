"""Who is on a class, with names, employee numbers and assignments: what a class list shows of people."""

from collections.abc import Iterable, Iterator

import msgspec

from chalicelib.domain.enrolment import Enrolment
from chalicelib.domain.people import Assignment
from chalicelib.storage import keys
from chalicelib.storage.base import Record
from chalicelib.storage.enrolment import RANK_OF_OTHERS, EnrolmentRow
from chalicelib.storage.people import AssignmentRow, EmploymentRow


def roster(employer: str, class_id: str, after: str = "", only_open: bool = False) -> Iterator[Enrolment]:
    """Enrolments of the employer's people on a class, page by page as they are taken: all, or those behind a `place_on_roster`, or
    the open ones alone. May lag a moment behind.
    """
    last = RANK_OF_OTHERS if only_open else RANK_OF_OTHERS + 1
    places = Record.gsi2sk.between(after or "0", str(last))
    for row in Record.gsi2.query(keys.roster(employer, class_id), places):
        if isinstance(row, EnrolmentRow) and row.gsi2sk != after:
            yield row.enrolment()


class Employed(msgspec.Struct, frozen=True):
    """What a list shows of somebody at an employer; `sort_name` begins with the last name."""

    name: str
    sort_name: str
    number: str


def employed(employer: str, person_ids: Iterable[str]) -> dict[str, Employed]:
    """People at an employer by their id, in batches of a hundred; those it does not know are missing."""
    wanted = [(keys.person(each), keys.employment(employer)) for each in dict.fromkeys(person_ids)]
    return {
        row.pk.split(keys.SEPARATOR)[1]: Employed(row.name, row.gsi1sk, row.number)
        for row in EmploymentRow.batch_get(wanted)
    }


def assignments_of(employer: str, person_id: str) -> list[Assignment]:
    """Every assignment of somebody at an employer, past ones too: one query of half a read unit."""
    rows = Record.query(keys.person(person_id), Record.sk.startswith(keys.assignments(employer)))
    return [row.assignment() for row in rows if isinstance(row, AssignmentRow) and row.held]


def enrolments_of(employer: str, person_id: str) -> list[Enrolment]:
    """Every enrolment of somebody at an employer, past ones too: one short query."""
    rows = Record.query(keys.person(person_id), Record.sk.startswith(keys.enrolments(employer)))
    return [row.enrolment() for row in rows if isinstance(row, EnrolmentRow)]
