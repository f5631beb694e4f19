"""Starting long work and keeping count of it, so that every part is done at least once and counted exactly once."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from chalicelib.domain.errors import NotFound
from chalicelib.domain.events import Event, EventType
from chalicelib.domain.jobs import Job, JobKind, JobState
from chalicelib.storage import jobs as stored
from chalicelib.storage import outbox, queues
from chalicelib.storage.base import new_id
from chalicelib.storage.transaction import AlreadyDone, Transaction, retried

PART_DELAY_SECONDS = 1
"""Parts begin this much after their job, so that the indexes they page through show what was written before it."""


def start(
    transaction: Transaction,
    employer: str,
    kind: JobKind,
    by: str,
    parts: Sequence[str],
    facts: dict[str, Any],
    now: datetime,
    job_id: str | None = None,
) -> Job:
    """Add to a transaction: a job and the event that sets it going. One without parts is done at once, unless it reads a file.

    The projector, told by the event, queues each part (a file has none: `{"kind": "file"}` is queued once). A repetition with a
    given `job_id` raises AlreadyDone when it commits.
    """
    state = JobState.RUNNING if parts or kind is JobKind.FILE else JobState.DONE
    job = Job(job_id or new_id(now), employer, kind, by, now, now, len(parts), 0, state, facts)
    stored.create(transaction, job, otherwise=AlreadyDone())
    data = {"job": job.id, "kind": kind.value, "parts": list(parts)}
    outbox.emit(transaction, Event(new_id(now), EventType.JOB_STARTED, employer, None, now, data))
    return job


def queue_parts(event: Event) -> None:
    """Queue the work of a job that has started. Queued twice, a part is still counted once."""
    employer, job_id = event.employer, event.data["job"]
    if event.data["kind"] == JobKind.FILE.value:
        queues.queue_work({"kind": "file", "employer": employer, "job": job_id})
        return
    messages = [{"kind": "part", "employer": employer, "job": job_id, "part": part} for part in event.data["parts"]]
    queues.queue_works(messages, PART_DELAY_SECONDS)


def job(employer: str, job_id: str) -> Job:
    """A job as it stands; raises NotFound."""
    found = stored.job(employer, job_id)
    if found is None:
        raise NotFound("There is no such job.", job=job_id)
    return found


def page(employer: str, limit: int, after: Any, kind: JobKind | None = None) -> tuple[list[Job], Any]:
    """A page of the employer's jobs, or of those of one kind, newest first, and where to go on."""
    return stored.jobs(employer, limit, after, kind)


@retried
def finish_part(job: Job, part: str, result: dict[str, Any], now: datetime) -> bool:
    """Keep the result of a part and count it. False if it was finished before: then its first result stands."""
    transaction = Transaction()
    stored.finish_part(transaction, job, part, result, now)
    try:
        transaction.commit()
    except stored.FinishedBefore:
        return False
    return True


def results(employer: str, job_id: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The name and result of each finished part, by name."""
    return stored.results(employer, job_id)


def advance(
    job: Job,
    now: datetime,
    done: int | None = None,
    total: int | None = None,
    state: JobState | None = None,
    facts: dict[str, Any] | None = None,
) -> Job:
    """Record progress of a job without parts; the job as it is now. Raises Stale if another worker recorded some since."""
    after = replace(
        job,
        done=job.done if done is None else done,
        total=job.total if total is None else total,
        state=state or job.state,
        facts=job.facts if facts is None else facts,
        changed_at=now,
        revision=job.revision + 1,
    )
    transaction = Transaction()
    stored.replace(transaction, job, after)
    transaction.commit()
    return after
