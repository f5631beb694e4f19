"""Workforce files: where to send one, how far each is, and what became of every row."""

from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

import msgspec
from chalice import Blueprint

from chalicelib.domain.errors import NotFound
from chalicelib.domain.jobs import Job, JobState
from chalicelib.domain.permissions import Capability
from chalicelib.handlers.http import Request, Routes
from chalicelib.handlers.paging import Cursor, Limit, NextCursor, Page
from chalicelib.services import workforce_file
from chalicelib.services.workforce_file import Phase, Progress, ResultPage, RowResult
from chalicelib.storage import cursor

blueprint = Blueprint(__name__)
routes = Routes(blueprint, "Workforce")


class FileName(msgspec.Struct, frozen=True):
    """The file to be sent."""

    name: Annotated[
        str,
        msgspec.Meta(
            pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,59}\.csv$(?!\n)",
            description="Letters, digits and . _ -, ending in `.csv`.",
        ),
    ]


class Offer(msgspec.Struct, frozen=True):
    """Where to send a file."""

    upload_to: Annotated[
        str, msgspec.Meta(description="An address that takes the file by PUT, without any other header.")
    ]
    expires_at: datetime
    key: Annotated[str, msgspec.Meta(description="`file` of the job that begins when the file has arrived.")]
    follow: Annotated[str, msgspec.Meta(description="The list of files, newest first.")]

    @classmethod
    def of(cls, offered: tuple[workforce_file.Offer, datetime]) -> "Offer":
        """Present an address."""
        offer, expires_at = offered
        return cls(offer.address, expires_at, offer.key, "/v1/workforce/files")


@routes.route(
    "POST",
    "/v1/workforce/files",
    capability=Capability.FEED_WORKFORCE,
    summary="Send a workforce file",
    body=FileName,
    answer=Offer,
)
def offer_workforce_file(request: Request) -> tuple[workforce_file.Offer, datetime]:
    """An address to which a file of joiners, movers and leavers may be PUT within a quarter of an hour. It is worked on once it
    has arrived. Its columns, named in the first row, are any of: message_id, sequence, employee_number; first_name, last_name,
    title, email, login; employment, employed_from, employed_until; assignment, from, until, unit, position, job, staff_group,
    supervisor, primary, ended; learner_groups (separated by semicolons), groups_from (if empty: employed_from), groups_until;
    cancelled (`employment`, `assignment`, `learner_groups`, or several separated by semicolons: those of the row never were);
    person_id.
    """
    offered = workforce_file.offer(request.actor, request.body.name, request.now)
    return offered, request.now + timedelta(seconds=workforce_file.UPLOAD_SECONDS)


class ColumnProblem(msgspec.Struct, frozen=True):
    """A wrong column and why it is wrong."""

    column: str
    reason: str


class FileProblem(msgspec.Struct, frozen=True):
    """What is wrong with a file as a whole. `rows_applied` says how many of its rows were dealt with."""

    sentence: str
    way_out: str
    columns: list[ColumnProblem]

    @classmethod
    def of(cls, problem: workforce_file.Problem) -> "FileProblem":
        """Present a problem."""
        return cls(problem.sentence, problem.way_out, [ColumnProblem(*each) for each in problem.errors])


class FileView(msgspec.Struct, frozen=True):
    """A workforce file and how far it is."""

    job_id: str
    file: str
    bytes: int
    dropped_at: datetime
    phase: Annotated[
        str,
        msgspec.Meta(
            description="checking, applying, reporting, done; refused (nothing of it was applied); stopped (rows of it were "
            "applied); stalled (nothing was done for an hour)."
        ),
    ]
    percent: int
    rows_checked: int
    rows_found_wrong: Annotated[int, msgspec.Meta(description="By the check, before anything was applied.")]
    rows_total: Annotated[int | None, msgspec.Meta(description="null until all are checked.")]
    rows_applied: Annotated[int, msgspec.Meta(description="accepted, unchanged and refused together.")]
    accepted: int
    unchanged: int
    refused: int
    problem: FileProblem | None
    started_at: datetime
    changed_at: datetime
    finished_at: datetime | None

    @classmethod
    def of(cls, job: Job) -> "FileView":
        """Present a file's job."""
        progress = Progress.of(job)
        stalled = job.state is JobState.STALLED
        problem = workforce_file.STALLED if stalled else progress.problem
        return cls(
            job_id=job.id,
            file=progress.file.key,
            bytes=progress.file.size,
            dropped_at=progress.file.at,
            phase=job.state.value if stalled else progress.phase.value,
            percent=job.percent,
            rows_checked=progress.rows,
            rows_found_wrong=progress.rows_wrong,
            rows_total=None if progress.phase is Phase.CHECKING else progress.rows,
            rows_applied=progress.applied,
            accepted=progress.accepted,
            unchanged=progress.unchanged,
            refused=progress.refused,
            problem=FileProblem.of(problem) if problem else None,
            started_at=job.started_at,
            changed_at=job.changed_at,
            finished_at=job.finished_at,
        )


class FilePage(msgspec.Struct, frozen=True):
    """A page of files, newest first."""

    files: list[FileView]
    next_cursor: NextCursor

    @classmethod
    def of(cls, page: tuple[list[Job], Any]) -> "FilePage":
        """Present a page."""
        found, after = page
        return cls([FileView.of(job) for job in found], cursor.seal("workforce files", after))


@routes.route(
    "GET",
    "/v1/workforce/files",
    capability=Capability.FEED_WORKFORCE,
    summary="Workforce files",
    query=Page,
    answer=FilePage,
)
def workforce_files(request: Request) -> tuple[list[Job], Any]:
    """The employer's workforce files, newest first, each with how far it is."""
    after = cursor.unseal("workforce files", request.query.cursor)
    return workforce_file.of_employer(request.actor, request.query.limit, after, request.now)


@routes.route(
    "GET",
    "/v1/workforce/files/{job_id}",
    capability=Capability.FEED_WORKFORCE,
    summary="How far a workforce file is",
    answer=FileView,
    refusals=(NotFound,),
)
def workforce_file_progress(request: Request) -> Job:
    """The phase of a file and its counts, while it runs and afterwards."""
    return workforce_file.file_job(request.actor, request.path["job_id"], request.now)


class RowView(msgspec.Struct, frozen=True):
    """What became of a row."""

    row: Annotated[int, msgspec.Meta(description="As a spreadsheet counts: the header is row 1.")]
    message_id: Annotated[str | None, msgspec.Meta(description="null where the row has none that may be shown.")]
    employee_number: str | None
    state: Annotated[str, msgspec.Meta(description="accepted, unchanged or refused.")]
    errors: list[ColumnProblem]
    warnings: list[str]

    @classmethod
    def of(cls, result: RowResult) -> "RowView":
        """Present a row's result."""
        errors = [ColumnProblem(*each) for each in result.errors]
        return cls(result.row, result.message_id, result.employee_number, result.state, errors, list(result.warnings))


class RowPage(msgspec.Struct, frozen=True):
    """A page of rows, in the order of the file. A page may be short, even empty, where few rows match: go on until the end."""

    rows: list[RowView]
    next_cursor: NextCursor

    @classmethod
    def of(cls, answered: tuple[ResultPage, str]) -> "RowPage":
        """Present a page of the list that its cursor is for."""
        page, purpose = answered
        return cls([RowView.of(each) for each in page.results], cursor.seal(purpose, page.after))


class RowQuery(msgspec.Struct, frozen=True):
    """Which rows."""

    state: Literal["accepted", "unchanged", "refused"] | None = None
    limit: Limit = 20
    cursor: Cursor | None = None


@routes.route(
    "GET",
    "/v1/workforce/files/{job_id}/rows",
    capability=Capability.FEED_WORKFORCE,
    summary="What became of the rows of a workforce file",
    query=RowQuery,
    answer=RowPage,
    refusals=(NotFound,),
)
def workforce_file_rows(request: Request) -> tuple[ResultPage, str]:
    """The rows applied so far, or those in one state; a refused one with every wrong column and why. Kept for 90 days."""
    job_id, query = request.path["job_id"], request.query
    purpose = f"rows of {job_id} {query.state or ''}"
    after = cursor.unseal(purpose, query.cursor)
    return workforce_file.results(request.actor, job_id, query.state, query.limit, after, request.now), purpose


class ReportView(msgspec.Struct, frozen=True):
    """Where to fetch a report."""

    address: Annotated[
        str, msgspec.Meta(description="A CSV file: row, message_id, employee_number, state, field, reason.")
    ]
    expires_at: datetime

    @classmethod
    def of(cls, offered: tuple[str, datetime]) -> "ReportView":
        """Present an address."""
        return cls(*offered)


@routes.route(
    "GET",
    "/v1/workforce/files/{job_id}/report",
    capability=Capability.FEED_WORKFORCE,
    summary="The report of a workforce file",
    answer=ReportView,
    refusals=(NotFound,),
)
def workforce_file_report(request: Request) -> tuple[str, datetime]:
    """An address that gives the report of all rows as CSV, for five minutes. It names nobody, and no value in it is a formula."""
    address = workforce_file.report(request.actor, request.path["job_id"], request.now)
    return address, request.now + timedelta(seconds=workforce_file.DOWNLOAD_SECONDS)
