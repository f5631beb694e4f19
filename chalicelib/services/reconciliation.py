"""Reconciliation: every counter and snapshot of an employer counted again, unit by unit, as a job. It must find nothing."""

from datetime import datetime
from typing import Any

import msgspec

from chalicelib.domain.jobs import Job, JobKind
from chalicelib.observability import count
from chalicelib.services import jobs, projection, rule_changes
from chalicelib.storage import audit, rules
from chalicelib.storage.idempotency import Idempotency
from chalicelib.storage.transaction import Transaction

SYSTEM = "system:reconciliation"
SHOWN = 20
"""As many differences of a part are kept to look at."""


class Progress(msgspec.Struct, frozen=True):
    """A job as it is shown: for a reconciliation also how many differences its finished parts found, and the first of them."""

    job: Job
    differences: int | None = None
    first: list[dict[str, Any]] = []


def start(employer: str, by: str, now: datetime, once: Idempotency | None = None) -> Progress:
    """Start counting again, a part for each unit."""
    parts = rule_changes.everywhere(rules.rulebook(employer))
    transaction = Transaction()
    job = jobs.start(transaction, employer, JobKind.RECONCILIATION, by, parts, {}, now)
    audit.record(transaction, audit.Entry(employer, by, "reconciliation.started", now, facts={"job": job.id}))
    progress = Progress(job, 0)
    if once:
        once.remember(transaction, progress, now)
    transaction.commit()
    return progress


def reconcile(job: Job, part: str, now: datetime) -> dict[str, Any]:
    """Count one unit again. Differences are reported, since each is a bug; then the people concerned are projected anew.

    Counters are not set right: a wrong one stays wrong and is reported again until somebody has understood why.
    """
    found = list(projection.recount(job.employer, [part], now))
    count("ProjectionDifferences", len(found))
    projection.project_all(job.employer, sorted({each.person for each in found if each.person}), now)
    return {"differences": len(found), "first": [msgspec.to_builtins(each) for each in found[:SHOWN]]}


def progress_of(employer: str, job_id: str) -> Progress:
    """A job as it stands; raises NotFound."""
    job = jobs.job(employer, job_id)
    if job.kind is not JobKind.RECONCILIATION:
        return Progress(job)
    results = [result for _, result in jobs.results(employer, job_id)]
    first = [each for result in results for each in result["first"]]
    return Progress(job, sum(result["differences"] for result in results), first[:SHOWN])
