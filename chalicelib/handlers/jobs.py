"""Long work: what runs, how far it is, and counting everything again."""

from datetime import datetime
from typing import Annotated, Any

import msgspec
from chalice import Blueprint

from chalicelib.domain import errors
from chalicelib.domain.jobs import Job
from chalicelib.domain.permissions import Capability
from chalicelib.handlers.http import Request, Routes
from chalicelib.handlers.paging import NextCursor, Page
from chalicelib.services import classes, jobs, reconciliation
from chalicelib.services.reconciliation import Progress
from chalicelib.storage import cursor

blueprint = Blueprint(__name__)
routes = Routes(blueprint, "Jobs")


BOOKKEEPING = {"slices"}
"""Facts of jobs that are long, and of use to nobody else."""


class JobView(msgspec.Struct, frozen=True):
    """A long job and how far it is."""

    job_id: str
    kind: Annotated[str, msgspec.Meta(description="rules, what-if, reconciliation, workforce file or class change.")]
    state: Annotated[
        str, msgspec.Meta(description="running, done, failed, or stalled: nothing of it was done for an hour.")
    ]
    done: Annotated[int, msgspec.Meta(description="Parts finished; for a file as its reader counts.")]
    total: int
    percent: Annotated[int, msgspec.Meta(description="Rounded down: 100 means all of it.")]
    started_at: datetime
    changed_at: Annotated[datetime, msgspec.Meta(description="When something of it was last done.")]
    finished_at: datetime | None
    started_by: Annotated[str, msgspec.Meta(description="A person's id, or the part of the service that started it.")]
    facts: Annotated[dict[str, Any], msgspec.Meta(description="What the job is about; depends on its kind.")]
    differences: Annotated[
        int | None,
        msgspec.Meta(description="Reconciliation only: differences found so far. Any is a fault of the service."),
    ]
    first_differences: list[dict[str, Any]]

    @classmethod
    def of(cls, progress: Progress) -> "JobView":
        """Present a job."""
        job = progress.job
        return cls(
            job.id,
            job.kind.value,
            job.state.value,
            job.done,
            job.total,
            job.percent,
            job.started_at,
            job.changed_at,
            job.finished_at,
            job.by,
            {name: fact for name, fact in job.facts.items() if name not in BOOKKEEPING},
            progress.differences,
            progress.first,
        )


class JobPage(msgspec.Struct, frozen=True):
    """A page of jobs, newest first."""

    jobs: list[JobView]
    next_cursor: NextCursor

    @classmethod
    def of(cls, result: tuple[list[Job], Any]) -> "JobPage":
        """Present a page."""
        page, after = result
        return cls([JobView.of(Progress(each)) for each in page], cursor.seal("jobs", after))


@routes.route(
    "GET", "/v1/jobs", capability=Capability.FOLLOW_JOBS, summary="Long work, newest first", query=Page, answer=JobPage
)
def list_jobs(request: Request) -> Any:
    """Every long job of the employer: changes of rules on their way, files, drafts evaluated, reconciliations."""
    after = cursor.unseal("jobs", request.query.cursor)
    page, after = jobs.page(request.actor.employer, request.query.limit, after)
    return [each.seen_at(request.now) for each in page], after


@routes.route(
    "GET",
    "/v1/jobs/{job_id}",
    capability=Capability.EDIT_CLASSES,
    summary="How far a job is",
    answer=JobView,
    refusals=(errors.NotFound,),
)
def show_job(request: Request) -> Progress:
    """A job, its progress, and for a reconciliation the differences found so far.

    Whoever edits classes, and does not follow all long work, follows the changes of the classes they may edit.
    """
    progress = reconciliation.progress_of(request.actor.employer, request.path["job_id"])
    classes.check_may_follow(request.actor, progress.job)
    return msgspec.structs.replace(progress, job=progress.job.seen_at(request.now))


@routes.route(
    "POST",
    "/v1/jobs/reconciliation",
    capability=Capability.EDIT_COMPETENCE_RULES,
    summary="Count everything again",
    answer=JobView,
    status=201,
)
def start_reconciliation(request: Request) -> Progress:
    """Start a job that compares every counter and snapshot with a full recount, as happens every Sunday."""
    return reconciliation.start(request.actor.employer, request.actor.person, request.now, request.once)
