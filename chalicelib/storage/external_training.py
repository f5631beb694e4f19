"""External training: requests, and the queues of those who decide on them."""

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from heapq import merge
from itertools import islice
from typing import Any

from pynamodb.attributes import JSONAttribute, NumberAttribute, UnicodeAttribute

from chalicelib.domain.external_training import Claim, Evidence, ExternalTraining, HistoryRow, Status, Training
from chalicelib.storage import keys
from chalicelib.storage.base import DayAttribute, Record
from chalicelib.storage.cursor import going_on
from chalicelib.storage.transaction import Transaction


class Queue(StrEnum):
    """What waits for whom: a named approver, the administrators in place of one, or their verification."""

    APPROVERS = "approvers"
    UNASSIGNED = "unassigned"
    VERIFICATION = "verification"


class ExternalTrainingRow(Record, discriminator="external training"):
    """`P#p` / `E#504#XTR#ulid`; gsi1 is the queue of its approver while it waits for them, gsi2 what administrators watch until it
    is decided.
    """

    title = UnicodeAttribute()
    provider = UnicodeAttribute()
    completed_on = DayAttribute()
    minutes = NumberAttribute(null=True)
    note = UnicodeAttribute(null=True)
    claims = JSONAttribute(null=True)
    assignment = UnicodeAttribute(null=True)
    approver = UnicodeAttribute(null=True)
    status = UnicodeAttribute()
    history = JSONAttribute()
    evidence = JSONAttribute(null=True)
    awarded = JSONAttribute(null=True)
    revision = NumberAttribute()

    @classmethod
    def of(cls, request: ExternalTraining) -> "ExternalTrainingRow":
        """The row of a request."""
        training = request.training
        row = cls(
            keys.person(request.person),
            keys.external_training(request.employer, request.id),
            title=training.title,
            provider=training.provider,
            completed_on=training.completed_on,
            minutes=training.minutes,
            note=training.note,
            claims=_pairs(training.claims),
            assignment=request.assignment,
            approver=request.approver,
            status=request.status.value,
            history=[[row.status.value, row.at.isoformat(), row.by, row.reason] for row in request.history],
            evidence=[[each.number, each.content_type, each.size, each.version] for each in request.evidence] or None,
            awarded=_pairs(request.awarded),
            revision=request.revision,
        )
        if queue := queue_of(request):
            asked = (request.submitted_at, request.person, request.id)
            row.gsi2pk = keys.external_training_queue(request.employer)
            row.gsi2sk = keys.external_training_queue_sort(queue.value, *asked)
            if queue is Queue.APPROVERS and request.approver:
                row.gsi1pk = keys.approvals(request.employer, request.approver)
                row.gsi1sk = keys.approval_sort(*asked)
        return row

    def request(self) -> ExternalTraining:
        """The request of this row."""
        _, employer, _, training_id = self.sk.split(keys.SEPARATOR)
        return ExternalTraining(
            id=training_id,
            person=self.pk.split(keys.SEPARATOR)[1],
            employer=employer,
            training=Training(
                self.title,
                self.provider,
                self.completed_on,
                _claims(self.claims),
                int(self.minutes) if self.minutes else None,
                self.note,
            ),
            status=Status(self.status),
            history=tuple(
                HistoryRow(Status(status), datetime.fromisoformat(at), by, reason)
                for status, at, by, reason in self.history
            ),
            assignment=self.assignment,
            approver=self.approver,
            evidence=tuple(Evidence(*each) for each in self.evidence or ()),
            awarded=_claims(self.awarded),
            revision=int(self.revision),
        )


def _pairs(claims: Iterable[Claim]) -> list[list[Any]] | None:
    return [[each.competency, each.level] for each in claims] or None


def _claims(pairs: Any) -> tuple[Claim, ...]:
    return tuple(Claim(competency, level) for competency, level in pairs or ())


def queue_of(request: ExternalTraining) -> Queue | None:
    """Where a request waits; None before it is submitted and once it is decided."""
    if request.status is Status.APPROVED:
        return Queue.VERIFICATION
    if request.status is Status.SUBMITTED:
        return Queue.APPROVERS if request.approver else Queue.UNASSIGNED
    return None


def request(employer: str, person_id: str, training_id: str) -> ExternalTraining | None:
    """A request, read strongly consistent; None if there is none."""
    try:
        row = ExternalTrainingRow.get(
            keys.person(person_id), keys.external_training(employer, training_id), consistent_read=True
        )
    except ExternalTrainingRow.DoesNotExist:
        return None
    return row.request()


def create(transaction: Transaction, request: ExternalTraining) -> None:
    """Add to a transaction: a new request."""
    transaction.create(ExternalTrainingRow.of(request))


def change(transaction: Transaction, before: ExternalTraining, after: ExternalTraining) -> None:
    """Add to a transaction: a request as it is now, if nobody changed it since it was read. It joins and leaves queues by that."""
    transaction.replace(ExternalTrainingRow.of(after), ExternalTrainingRow.revision == before.revision)


def of_person(employer: str, person_id: str, limit: int, after: Any) -> tuple[list[ExternalTraining], Any]:
    """A page of somebody's requests at an employer, newest first, and where to go on."""
    pk, beginning = keys.person(person_id), keys.external_trainings(employer)
    after = going_on(going_on(after, "pk", pk), "sk", beginning, begins=True)
    query = ExternalTrainingRow.query(
        pk,
        ExternalTrainingRow.sk.startswith(beginning),
        scan_index_forward=False,
        limit=limit,
        last_evaluated_key=after,
        consistent_read=True,
    )
    return [row.request() for row in query], query.last_evaluated_key


def waiting_for(employer: str, approvers: Iterable[str], limit: int, after: str | None) -> list[ExternalTraining]:
    """Up to `limit` requests that wait for the approval of any of these people, first asked first, behind the `place_of` of one. A
    query for each of them; may lag a moment behind.
    """
    behind = Record.gsi1sk > after if after else None
    lines = (Record.gsi1.query(keys.approvals(employer, each), behind, page_size=limit) for each in approvers)
    return _requests(islice(merge(*lines, key=lambda row: str(row.gsi1sk)), limit))


def place_of(request: ExternalTraining) -> str:
    """Where a request stands among those that wait for somebody's approval: in the order of asking."""
    return keys.approval_sort(request.submitted_at, request.person, request.id)


def waiting_in(employer: str, queue: Queue, limit: int, after: Any) -> tuple[list[ExternalTraining], Any]:
    """A page of one of the administrators' queues, first asked first, and where to go on. May lag a moment behind."""
    pk, beginning = keys.external_training_queue(employer), queue.value + keys.SEPARATOR
    after = going_on(going_on(after, "gsi2pk", pk), "gsi2sk", beginning, begins=True)
    query = Record.gsi2.query(pk, Record.gsi2sk.startswith(beginning), limit=limit, last_evaluated_key=after)
    return _requests(query), query.last_evaluated_key


def _requests(rows: Iterable[Record]) -> list[ExternalTraining]:
    return [row.request() for row in rows if isinstance(row, ExternalTrainingRow)]
