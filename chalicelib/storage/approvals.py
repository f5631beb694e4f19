"""Requested enrolments by who is asked, and delegations."""

from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from heapq import merge
from itertools import islice

from pynamodb.attributes import TTLAttribute, UnicodeAttribute

from chalicelib.domain.approvals import Delegation
from chalicelib.domain.enrolment import Enrolment
from chalicelib.storage import keys
from chalicelib.storage.base import DayAttribute, Record
from chalicelib.storage.enrolment import EnrolmentRow
from chalicelib.storage.transaction import Transaction

# --- what waits -------------------------------------------------------------------------------------------------


def waiting_for(employer: str, approvers: list[str | None], limit: int, after: str | None) -> list[Enrolment]:
    """Up to `limit` requests that wait for any of these people (None: the learning administrators), first asked first, behind the
    `place_of` of one. A query for each of them; may lag a moment behind.
    """
    lines = [_line(employer, keys.asked_of(each), limit, after) for each in approvers]
    return list(islice(merge(*lines, key=place_of), limit))


def place_of(request: Enrolment) -> str:
    """Where a request stands among those that wait for the same people: in the order of asking."""
    sort = keys.enrolment_approval_sort(None, request.placed_at, request.person, request.class_id, request.attempt)
    return sort.removeprefix(keys.asked_of(None))


def waiting_for_managers(employer: str, limit: int, after: str | None) -> list[Enrolment]:
    """Up to `limit` requests that wait for anybody but the administrators, by who is asked, each first asked first, behind the
    `place_among_managers` of one. May lag a moment behind.
    """
    return list(islice(_line(employer, keys.ASKED_OF_MANAGERS, limit, after), limit))


def place_among_managers(request: Enrolment) -> str:
    """Where a request stands among those that wait for managers."""
    return keys.asked_of(request.approver).removeprefix(keys.ASKED_OF_MANAGERS) + place_of(request)


def _line(employer: str, beginning: str, page_size: int, after: str | None) -> Iterator[Enrolment]:
    places = Record.gsi1sk.between(beginning + (after or ""), beginning + _LAST)
    for row in Record.gsi1.query(keys.enrolment_approvals(employer), places, page_size=page_size):
        if isinstance(row, EnrolmentRow) and row.gsi1sk != beginning + (after or ""):
            yield row.enrolment()


_LAST = "~"
"""After every sort key."""


# --- standing in ------------------------------------------------------------------------------------------------

KEPT = timedelta(days=30)
"""How long a delegation stays once it is over; audit entries stay."""


class DelegationRow(Record, discriminator="delegation"):
    """`P#manager` / `E#504#DLG#ulid`; gsi1 lists what is delegated to somebody, by its last day."""

    to = UnicodeAttribute()
    starts_on = DayAttribute()
    ends_on = DayAttribute()
    expires_at = TTLAttribute()

    @classmethod
    def of(cls, delegation: Delegation) -> "DelegationRow":
        """The row of a delegation."""
        return cls(
            keys.person(delegation.by),
            keys.delegation(delegation.employer, delegation.id),
            gsi1pk=keys.delegated_to(delegation.employer, delegation.to),
            gsi1sk=keys.delegation_sort(delegation.ends_on, delegation.id),
            to=delegation.to,
            starts_on=delegation.starts_on,
            ends_on=delegation.ends_on,
            expires_at=datetime.combine(delegation.ends_on, time(), UTC) + KEPT,
        )

    def delegation(self) -> Delegation:
        """The delegation of this row."""
        _, employer, _, delegation_id = self.sk.split(keys.SEPARATOR)
        by = self.pk.split(keys.SEPARATOR)[1]
        return Delegation(delegation_id, employer, by, self.to, self.starts_on, self.ends_on)


def delegated_by(employer: str, person: str) -> list[Delegation]:
    """What somebody has delegated, read strongly consistent."""
    rows = DelegationRow.query(
        keys.person(person), DelegationRow.sk.startswith(keys.delegations(employer)), consistent_read=True
    )
    return [row.delegation() for row in rows]


def delegated_to(employer: str, person: str, since: str) -> list[Delegation]:
    """What is delegated to somebody and not over by a day (ISO). May lag a moment behind."""
    rows = Record.gsi1.query(keys.delegated_to(employer, person), Record.gsi1sk >= since)
    return [row.delegation() for row in rows if isinstance(row, DelegationRow)]


def create(transaction: Transaction, delegation: Delegation) -> None:
    """Add to a transaction: a new delegation."""
    transaction.create(DelegationRow.of(delegation))


def delete(transaction: Transaction, delegation: Delegation) -> None:
    """Add to a transaction: the delegation gone, if it is still there."""
    transaction.delete(DelegationRow.of(delegation), DelegationRow.pk.exists())
