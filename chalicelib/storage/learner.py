"""One learner at one employer: one query."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from chalicelib.domain.enrolment import Enrolment
from chalicelib.domain.learner import Learner
from chalicelib.storage import keys
from chalicelib.storage.auto_enrolment import DecisionRow
from chalicelib.storage.awards import AwardRow, ExemptionRow
from chalicelib.storage.base import Record
from chalicelib.storage.certifications import SubscriptionRow
from chalicelib.storage.enrolment import EnrolmentRow
from chalicelib.storage.people import (
    AssignmentRow,
    BookingRow,
    EmploymentRow,
    GrantRow,
    MembershipRow,
    PersonRow,
)
from chalicelib.storage.snapshots import SnapshotRow

if TYPE_CHECKING:
    from chalicelib.domain.projection import Snapshot

_AT_EMPLOYER = "E" + keys.SEPARATOR


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
    kinds = _by_kind(rows)
    profiles = kinds[PersonRow]
    if not profiles:
        return {}
    booking = next((int(row.revision) for row in kinds[BookingRow]), 0)
    everywhere = [row.enrolment() for row in kinds[EnrolmentRow]]
    employers = [row.sk.split(keys.SEPARATOR, 2)[1] for row in kinds[EmploymentRow]]
    by_employer: dict[str, list[Record]] = defaultdict(list)
    for row in rows:
        sort = row.sk
        if sort.startswith(_AT_EMPLOYER):
            by_employer[sort.split(keys.SEPARATOR, 2)[1]].append(row)
    return {
        employer: _learner(profiles[0], employer, _by_kind(own), everywhere, booking, employers)
        for employer, own in by_employer.items()
    }


def _by_kind(rows: list[Record]) -> defaultdict[type[Record], list[Any]]:
    """The rows of each class."""
    kinds = defaultdict(list)
    for row in rows:
        kinds[type(row)].append(row)
    return kinds


def learner(person_id: str, employer: str, consistent: bool = False) -> Learner | None:
    """The person at one employer, or None."""
    return learners(person_id, consistent).get(employer)


def as_it_stands(listed: Enrolment) -> tuple[Learner, Enrolment] | None:
    """An enrolment that a list or a timer named, with its learner, read strongly consistent; None if it is gone."""
    found = learner(listed.person, listed.employer, consistent=True)
    enrolment = found.enrolment(listed.id) if found else None
    return (found, enrolment) if found and enrolment else None


def _learner(
    profile: PersonRow,
    employer: str,
    rows: Mapping[type[Record], list[Any]],
    everywhere: list[Enrolment],
    booking: int,
    employers: list[str],
) -> Learner:
    employed = next(iter(rows[EmploymentRow]), None)
    employment = employed.employment() if employed else None
    return Learner(
        person=profile.person(),
        employer=employer,
        employment=employment,
        assignments=tuple(row.assignment() for row in rows[AssignmentRow] if row.held),
        memberships=tuple(row.membership() for row in rows[MembershipRow] if not row.cancelled),
        awards=tuple(row.award() for row in rows[AwardRow]),
        exemptions=tuple(row.exemption() for row in rows[ExemptionRow]),
        enrolments=tuple(each for each in everywhere if each.employer == employer),
        elsewhere=tuple(each for each in everywhere if each.employer != employer),
        grants=tuple(row.grant() for row in rows[GrantRow]),
        subscriptions=tuple(row.subscription() for row in rows[SubscriptionRow]),
        decisions=tuple(row.decision() for row in rows[DecisionRow]),
        booking_revision=booking,
        never_served=employed is not None and employment is None,
        also_at=tuple(each for each in employers if each != employer),
    )
