"""Long jobs, their parts and results."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from pynamodb.attributes import JSONAttribute, NumberAttribute, TTLAttribute, UnicodeAttribute

from chalicelib.domain.jobs import Job, JobKind, JobState
from chalicelib.storage import keys
from chalicelib.storage.base import InstantAttribute, Record
from chalicelib.storage.cursor import going_on
from chalicelib.storage.transaction import Transaction

KEPT = timedelta(days=400)
"""Jobs, their results and the reports of files stay this long."""


class FinishedBefore(Exception):
    """This part was finished already, by an earlier delivery or by another worker."""


class JobRow(Record, discriminator="job"):
    """`E#504#JOB#ulid` / `META`; gsi1 lists the jobs of an employer by time, gsi2 those of one kind."""

    type = UnicodeAttribute()
    by = UnicodeAttribute()
    started_at = InstantAttribute()
    changed_at = InstantAttribute()
    total = NumberAttribute()
    done = NumberAttribute()
    state = UnicodeAttribute()
    facts = JSONAttribute()
    revision = NumberAttribute()
    expires_at = TTLAttribute()

    @classmethod
    def of(cls, job: Job) -> "JobRow":
        """The row of a job."""
        return cls(
            keys.work(job.employer, job.id),
            keys.META,
            gsi1pk=keys.works(job.employer),
            gsi1sk=job.id,
            gsi2pk=keys.works_of_kind(job.employer, job.kind.value),
            gsi2sk=job.id,
            type=job.kind.value,
            by=job.by,
            started_at=job.started_at,
            changed_at=job.changed_at,
            total=job.total,
            done=job.done,
            state=job.state.value,
            facts=job.facts,
            revision=job.revision,
            expires_at=job.started_at + KEPT,
        )

    def job(self) -> Job:
        """The job of this row. One made of parts is done when all of them are."""
        _, employer, _, job_id = self.pk.split(keys.SEPARATOR)
        kind, total, done = JobKind(self.type), int(self.total), int(self.done)
        all_parts = kind is not JobKind.FILE and done >= total
        return Job(
            id=job_id,
            employer=employer,
            kind=kind,
            by=self.by,
            started_at=self.started_at,
            changed_at=self.changed_at,
            total=total,
            done=done,
            state=JobState.DONE if all_parts else JobState(self.state),
            facts=self.facts,
            revision=int(self.revision),
        )


class PartRow(Record, discriminator="job_part"):
    """`E#504#JOB#ulid` / `PART#…`: a finished part and its result."""

    result = JSONAttribute()
    finished_at = InstantAttribute()
    expires_at = TTLAttribute()

    @property
    def part(self) -> str:
        """The name of the part."""
        return str(self.sk.partition(keys.SEPARATOR)[2])


def create(transaction: Transaction, job: Job, otherwise: Exception | None = None) -> None:
    """Add to a transaction: a new job."""
    transaction.create(JobRow.of(job), otherwise)


def job(employer: str, job_id: str) -> Job | None:
    """A job as it stands, strongly consistent, or None."""
    try:
        return JobRow.get(keys.work(employer, job_id), keys.META, consistent_read=True).job()
    except JobRow.DoesNotExist:
        return None


def jobs(employer: str, limit: int, after: Any, kind: JobKind | None = None) -> tuple[list[Job], Any]:
    """A page of an employer's jobs, or of those of one kind, newest first, and where to go on."""
    pk = keys.works_of_kind(employer, kind.value) if kind else keys.works(employer)
    index, attribute = (Record.gsi2, "gsi2pk") if kind else (Record.gsi1, "gsi1pk")
    query = index.query(pk, scan_index_forward=False, limit=limit, last_evaluated_key=going_on(after, attribute, pk))
    page = [row.job() for row in query if isinstance(row, JobRow)]
    return page, query.last_evaluated_key


def finish_part(transaction: Transaction, job: Job, part: str, result: dict[str, Any], now: datetime) -> None:
    """Add to a transaction: a part finished, with its result, and counted. Raises FinishedBefore if it was."""
    pk = keys.work(job.employer, job.id)
    row = PartRow(pk, keys.part(part), result=result, finished_at=now, expires_at=job.started_at + KEPT)
    transaction.create(row, otherwise=FinishedBefore())
    counted = [JobRow.done.add(1), JobRow.changed_at.set(now)]
    transaction.update(JobRow(pk, keys.META), counted, JobRow.pk.exists())


def replace(transaction: Transaction, before: Job, after: Job) -> None:
    """Add to a transaction: a job as it is now, on condition that nobody changed it since it was read."""
    transaction.replace(JobRow.of(after), JobRow.revision == before.revision)


def results(employer: str, job_id: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The finished parts of a job, by name, with their results."""
    pk = keys.work(employer, job_id)
    for row in PartRow.query(pk, PartRow.sk.startswith("PART" + keys.SEPARATOR)):
        yield row.part, row.result
