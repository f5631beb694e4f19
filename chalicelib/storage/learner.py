"""One learner at one employer: one query."""

from chalicelib.domain.enrolment import Enrolment
from chalicelib.domain.learner import Learner
from chalicelib.domain.projection import Snapshot
from chalicelib.storage import keys
from chalicelib.storage.awards import AwardRow, ExemptionRow
from chalicelib.storage.base import Record
from chalicelib.storage.enrolment import EnrolmentRow
from chalicelib.storage.people import (
    AssignmentRow,
    BookingRow,
    EmploymentRow,
    GrantRow,
    MembershipRow,
    PersonRow,
)
from chalicelib.storage.projection import SnapshotRow


def _rows(person_id: str, consistent: bool) -> list[Record]:
    return list(Record.query(keys.person(person_id), consistent_read=consistent))


def learners(person_id: str, consistent: bool = False) -> dict[str, Learner]:
    """The person at each of their employers, from the whole partition; empty if there is no such person."""
    return _from_rows(_rows(person_id, consistent))


def learner_and_snapshots(person_id: str, employer: str) -> tuple[Learner | None, tuple[Snapshot, ...]]:
    """The person at one employer and their snapshots there: one query, strongly consistent."""
    rows = _rows(person_id, consistent=True)
    kept = (
        row.snapshot() for row in rows if isinstance(row, SnapshotRow) and row.sk.split(keys.SEPARATOR)[1] == employer
    )
    return _from_rows(rows).get(employer), tuple(kept)


def _from_rows(rows: list[Record]) -> dict[str, Learner]:
    profile = next((row for row in rows if isinstance(row, PersonRow)), None)
    if profile is None:
        return {}
    booking = next((int(row.revision) for row in rows if isinstance(row, BookingRow)), 0)
    everywhere = [row.enrolment() for row in rows if isinstance(row, EnrolmentRow)]
    by_employer: dict[str, list[Record]] = {}
    for row in rows:
        if row.sk.startswith("E" + keys.SEPARATOR):
            by_employer.setdefault(row.sk.split(keys.SEPARATOR, 2)[1], []).append(row)
    return {employer: _learner(profile, employer, own, everywhere, booking) for employer, own in by_employer.items()}


def learner(person_id: str, employer: str, consistent: bool = False) -> Learner | None:
    """The person at one employer, or None."""
    return learners(person_id, consistent).get(employer)


def _learner(
    profile: PersonRow, employer: str, rows: list[Record], everywhere: list[Enrolment], booking: int
) -> Learner:
    employed = next((row for row in rows if isinstance(row, EmploymentRow)), None)
    employment = employed.employment() if employed else None
    return Learner(
        person=profile.person(),
        employer=employer,
        employment=employment,
        assignments=tuple(row.assignment() for row in rows if isinstance(row, AssignmentRow) and row.held),
        memberships=tuple(row.membership() for row in rows if isinstance(row, MembershipRow) and not row.cancelled),
        awards=tuple(row.award() for row in rows if isinstance(row, AwardRow)),
        exemptions=tuple(row.exemption() for row in rows if isinstance(row, ExemptionRow)),
        enrolments=tuple(each for each in everywhere if each.employer == employer),
        elsewhere=tuple(each for each in everywhere if each.employer != employer),
        grants=tuple(row.grant() for row in rows if isinstance(row, GrantRow)),
        booking_revision=booking,
        never_served=employed is not None and employment is None,
    )
