"""Workforce files: checked whole, then applied slice by slice, then reported; at any moment somebody may ask how far it is.

What is done stands in the job, and moves only on condition that nobody else moved it. Whoever dies leaves it to the queue to begin
again where the job stands: a slice repeated changes nothing, since messages repeat harmlessly (decision 0011).
"""

import contextlib
import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import islice
from typing import Any

import msgspec

from chalicelib.domain.actor import Actor
from chalicelib.domain.csv_file import SAVE_AS_UTF8, FileRefused, Position, Records, harmless, is_blank
from chalicelib.domain.errors import Conflict, FieldError, NotFound
from chalicelib.domain.jobs import Job, JobKind, JobState
from chalicelib.domain.requirements import Rulebook
from chalicelib.domain.workforce import wrong_fields
from chalicelib.domain.workforce_file import LARGEST_FILE, SEND_AGAIN, Row, as_column, header, row_of
from chalicelib.services import jobs, workforce
from chalicelib.storage import audit, files, queues, rules
from chalicelib.storage.base import new_id
from chalicelib.storage.transaction import AlreadyDone, Stale, Transaction, retried

CHECKED_AT_ONCE = 10_000
"""Rows checked before it is noted how far the check is: about a second."""

SLICE = 500
"""Rows applied before it is noted: some seconds. A slice that dies is repeated whole."""

ENOUGH_MS = 25_000
"""With less time left than this, the rest is handed on to another invocation."""

THREADS = 8
"""Rows applied at once. Waiting for the table is most of the work."""

UPLOAD_SECONDS = 15 * 60
DOWNLOAD_SECONDS = 5 * 60

RESULTS_KEPT = timedelta(days=90)
"""The bucket removes results after so many days; the counts in the job stay longer."""

SYSTEM = "system:workforce-files"

_KEY = re.compile(r"([A-Z0-9]{2,8})/.*[^/]", re.DOTALL)
_NAME = re.compile(r".+/[^/]+\.csv", re.DOTALL | re.IGNORECASE)


class Phase(StrEnum):
    """What is being done with a file."""

    CHECKING = "checking"
    APPLYING = "applying"
    REPORTING = "reporting"
    DONE = "done"
    REFUSED = "refused"
    STOPPED = "stopped"


class Problem(msgspec.Struct, frozen=True):
    """What is wrong with a file as a whole: a sentence, what to do, and the columns that are wrong (column, reason), if it is they.

    Nothing is applied of a file that is refused; of one that was stopped, and of one that is stalled, as much as is counted.
    """

    sentence: str
    way_out: str
    errors: tuple[tuple[str, str], ...] = ()


FILE_GONE = Problem("The file was removed or replaced by another before all of it was read.", SEND_AGAIN)
RESULTS_GONE = Problem(
    "All rows were dealt with, but the results of some were removed before the report.",
    "Drop the file again for a report: what it changed stays as it is.",
)
STALLED = Problem(
    "Nothing was done with the file for an hour: it was given up after five attempts, or waits behind other work.",
    "Drop it again: rows that were applied change nothing. If that stalls as well, tell whoever runs the service.",
)


class Progress(msgspec.Struct, frozen=True):
    """How far a file is, kept in its job.

    `position` is where the phase goes on and `first` the place behind the header. `slices` are the attempts whose results count,
    one for each slice; `begun` says that the next slice was begun, perhaps by somebody who died.
    """

    file: files.Dropped
    phase: Phase = Phase.CHECKING
    columns: tuple[str, ...] = ()
    position: Position = Position()
    first: Position = Position()
    rows: int = 0
    rows_wrong: int = 0
    accepted: int = 0
    unchanged: int = 0
    refused: int = 0
    slices: tuple[int, ...] = ()
    begun: bool = False
    problem: Problem | None = None

    @property
    def applied(self) -> int:
        """Rows dealt with."""
        return self.accepted + self.unchanged + self.refused

    @classmethod
    def of(cls, job: Job) -> "Progress":
        """The progress of a file's job."""
        return msgspec.convert(job.facts, cls)


class RowResult(msgspec.Struct, frozen=True, omit_defaults=True):
    """What became of a row: accepted, unchanged, or refused with the columns that are wrong (column, reason). Names nobody."""

    row: int
    state: str
    message_id: str | None = None
    employee_number: str | None = None
    errors: tuple[tuple[str, str], ...] = ()
    warnings: tuple[str, ...] = ()


def _actor(job: Job) -> str:
    return f"file:{job.id}"


# --- a file begins ------------------------------------------------------------------------------------------


def begin(file: files.Dropped, now: datetime) -> str | None:
    """Start the job of a file that was dropped, and have it worked on; its id. Told again of the same file, nothing starts twice.

    None for what is no employer's: theirs are `504/…`. Of any other name than `504/….csv` the job says that it is refused.
    """
    found = _KEY.fullmatch(file.key)
    employer = found[1] if found else None
    if employer is None or not rules.rulebook(employer).units:
        return None
    transaction = Transaction()
    jobs.start(transaction, employer, JobKind.FILE, SYSTEM, (), _facts(Progress(file)), now, file.id)
    facts = {"job": file.id, "bytes": file.size}
    audit.record(transaction, audit.Entry(employer, SYSTEM, "workforce.file.dropped", now, facts=facts))
    with contextlib.suppress(AlreadyDone):
        transaction.commit()
    return file.id


def _facts(progress: Progress) -> dict[str, Any]:
    facts: dict[str, Any] = msgspec.to_builtins(progress)
    return facts


# --- a file goes on -----------------------------------------------------------------------------------------


def go_on(employer: str, job_id: str, remaining_ms: Callable[[], int], now: datetime) -> None:
    """Work on a file until it is done or time is short; then another invocation is asked to go on.

    Stops without a word if another worker has taken over. Raises Unavailable where tables or files cannot be reached: the queue
    delivers again.
    """
    job = jobs.job(employer, job_id)
    fresh = True
    while job.state is JobState.RUNNING:
        if not fresh and remaining_ms() < ENOUGH_MS:
            queues.queue_work({"kind": "file", "employer": employer, "job": job_id})
            return
        fresh = False
        try:
            job = _step(job, now)
        except TakenOver:
            return


class TakenOver(Exception):
    """Another worker goes on with this file."""


def _step(job: Job, now: datetime) -> Job:
    """One bounded piece of work on a file, noted in its job."""
    progress = Progress.of(job)
    try:
        return _STEPS[progress.phase](job, progress, now)
    except FileRefused as refusal:
        wrong = tuple((each.field, each.reason) for each in refusal.errors)
        problem = Problem(refusal.sentence, refusal.way_out, wrong)
    except files.FileGone:
        problem = RESULTS_GONE if progress.phase is Phase.REPORTING else FILE_GONE
    ended = Phase.REFUSED if progress.phase is Phase.CHECKING else Phase.STOPPED
    return _move(job, progress, now, state=JobState.FAILED, phase=ended, problem=problem)


@retried
def _move(job: Job, progress: Progress, now: datetime, state: JobState = JobState.RUNNING, **changes: Any) -> Job:
    """Note how far a file is. Raises TakenOver if another worker has noted something since."""
    after = msgspec.structs.replace(progress, **changes)
    try:
        return jobs.advance(job, now, after.applied, after.rows, state, _facts(after))
    except Stale:
        if jobs.job(job.employer, job.id).revision != job.revision:
            raise TakenOver from None
        raise  # only a collision


# --- checking -----------------------------------------------------------------------------------------------


def _check(job: Job, progress: Progress, now: datetime) -> Job:
    """Check the next rows. The file is refused if it cannot be read to its end, before anything of it is applied."""
    if not _NAME.fullmatch(progress.file.key):
        raise FileRefused("The name of the file does not end in .csv.", SAVE_AS_UTF8)
    size = progress.file.size
    if size > LARGEST_FILE:
        limit = f"{LARGEST_FILE // 2**20} MB"
        raise FileRefused(f"The file is larger than {limit}.", f"Send it in files of up to {limit}.")
    records = Records(files.read(progress.file, progress.position.offset), progress.position)
    columns, first = progress.columns, progress.first
    if not columns:
        columns = header(records)
        first = records.at
    rulebook = rules.rulebook(job.employer)
    rows, wrong = progress.rows, progress.rows_wrong
    for row in _rows(job, records, columns, CHECKED_AT_ONCE):
        rows += 1
        wrong += bool(_errors(row, rulebook))
    ended = records.at.offset >= size
    if ended and not rows:
        raise FileRefused("The file has a header and no rows.", SEND_AGAIN)
    return _move(
        job,
        progress,
        now,
        phase=Phase.APPLYING if ended else Phase.CHECKING,
        columns=columns,
        first=first,
        position=first if ended else records.at,
        rows=rows,
        rows_wrong=wrong,
    )


def _rows(job: Job, records: Records, columns: Sequence[str], most: int) -> Iterator[Row]:
    """The next rows, blank ones left out.

    A row without a message id gets one from job and row: of two files with the same sequence, the one dropped later decides.
    """
    for fields in islice(records, most):
        if not is_blank(fields):
            row = records.at.row
            yield row_of(row, fields, columns, f"{job.id}:{row}")


def _errors(row: Row, rulebook: Rulebook) -> tuple[FieldError, ...]:
    if row.change is None:
        return row.errors
    return tuple(dict.fromkeys(as_column(error) for error in wrong_fields(row.change, rulebook)))


# --- applying -----------------------------------------------------------------------------------------------


def _apply(job: Job, progress: Progress, now: datetime) -> Job:
    """Apply the next slice: read it, note that it is begun, apply its rows, write what became of them, and then note it as done.

    Whoever begins a slice last has it: a worker that was thought dead finds the job moved, and its results do not count.
    """
    records = Records(files.read(progress.file, progress.position.offset), progress.position)
    rows = list(_rows(job, records, progress.columns, SLICE))
    repeated = progress.begun
    job = _move(job, progress, now, begun=True)
    attempt = job.revision
    results = _applied(job, rows, repeated, now)
    files.keep(_slice_key(job, len(progress.slices), attempt), b"\n".join(map(msgspec.json.encode, results)))
    states = [each.state for each in results]
    ended = records.at.offset >= progress.file.size
    return _move(
        job,
        progress,
        now,
        phase=Phase.REPORTING if ended else Phase.APPLYING,
        position=records.at,
        accepted=progress.accepted + states.count("accepted"),
        unchanged=progress.unchanged + states.count("unchanged"),
        refused=progress.refused + states.count("refused"),
        slices=(*progress.slices, attempt),
        begun=False,
    )


def _applied(job: Job, rows: Sequence[Row], repeated: bool, now: datetime) -> list[RowResult]:
    """Apply rows, several people at once but those of one person in the order of the file; the results by row."""
    rulebook = rules.rulebook(job.employer)
    by_person: dict[str | None, list[Row]] = {}
    for row in rows:
        by_person.setdefault(row.employee_number, []).append(row)

    def apply_all(of_one: list[Row]) -> list[RowResult]:
        return [_result(job, row, rulebook, repeated, now) for row in of_one]

    with ThreadPoolExecutor(THREADS) as pool:
        results = [result for group in pool.map(apply_all, by_person.values()) for result in group]
    return sorted(results, key=lambda result: result.row)


def _result(job: Job, row: Row, rulebook: Rulebook, repeated: bool, now: datetime) -> RowResult:
    if row.change is None:
        return _refused(row, row.errors)
    try:
        outcome = workforce.apply(_actor(job), job.employer, row.change, rulebook, now)
    except Conflict as conflict:
        return _refused(row, (FieldError("row", conflict.detail),))
    if outcome.state == "refused":
        return _refused(row, tuple(map(as_column, outcome.errors)))
    # Somebody may have applied it in this slice before, and died: then it was accepted, and is in force.
    accepted = outcome.state == "accepted" or (repeated and outcome.repeated)
    state = "accepted" if accepted else "unchanged"
    return RowResult(row.number, state, row.message_id, row.employee_number, warnings=outcome.warnings)


def _refused(row: Row, errors: Iterable[FieldError]) -> RowResult:
    told = tuple((error.field, error.reason) for error in errors)
    return RowResult(row.number, "refused", row.message_id, row.employee_number, told)


def _slice_key(job: Job, number: int, attempt: int) -> str:
    return f"workforce-results/{job.employer}/{job.id}/{number:05d}-{attempt}"


# --- reporting ----------------------------------------------------------------------------------------------


def _report(job: Job, progress: Progress, now: datetime) -> Job:
    """Put all results into one CSV file."""
    files.keep_stream(_report_key(job), _as_csv(job, progress))
    return _move(job, progress, now, state=JobState.DONE, phase=Phase.DONE)


def _report_key(job: Job) -> str:
    return f"workforce-results/{job.employer}/{job.id}/report.csv"


def _as_csv(job: Job, progress: Progress) -> Iterator[bytes]:
    yield b"row,message_id,employee_number,state,field,reason\r\n"
    numbers = range(len(progress.slices))
    with ThreadPoolExecutor(
        THREADS
    ) as pool:  # a few slices ahead: to wait for each in turn would take most of the time
        for start in range(0, len(numbers), THREADS):
            ahead = numbers[start : start + THREADS]
            for slice_ in pool.map(lambda number: _slice(job, progress, number), ahead):
                yield _lines(slice_)


def _lines(slice_: Iterable[RowResult]) -> bytes:
    """A line for each row, and for each field that is wrong with it."""
    text = io.StringIO()
    writer = csv.writer(text)
    for result in slice_:
        told = [*result.errors, *(("", warning) for warning in result.warnings)] or [("", "")]
        for field, reason in told:
            shown = (result.message_id, result.employee_number, result.state, field, harmless(reason))
            writer.writerow([result.row, *shown])
    return text.getvalue().encode()


def _slice(job: Job, progress: Progress, number: int) -> list[RowResult]:
    content = files.kept(_slice_key(job, number, progress.slices[number]))
    return [msgspec.json.decode(line, type=RowResult) for line in content.splitlines()]


_STEPS: dict[Phase, Callable[[Job, Progress, datetime], Job]] = {
    Phase.CHECKING: _check,
    Phase.APPLYING: _apply,
    Phase.REPORTING: _report,
}


# --- asking -------------------------------------------------------------------------------------------------


class Offer(msgspec.Struct, frozen=True):
    """An address to send a file to, and the key it will have."""

    address: str
    key: str


def offer(actor: Actor, name: str, now: datetime) -> Offer:
    """Offer an address to which a file of the actor's employer may be PUT for a quarter of an hour. Audited."""
    key = f"{actor.employer}/{new_id(now)}/{name}"
    transaction = Transaction()
    facts = {"file": key.rpartition("/")[0]}
    audit.record(transaction, audit.Entry(actor.employer, actor.person, "workforce.file.offered", now, facts=facts))
    transaction.commit()
    return Offer(files.offer_upload(key, UPLOAD_SECONDS), key)


def of_employer(actor: Actor, limit: int, after: Any, now: datetime) -> tuple[list[Job], Any]:
    """A page of the employer's files, newest first, as they are to be shown; and where to go on."""
    page, after = jobs.page(actor.employer, limit, after, JobKind.FILE)
    return [each.seen_at(now) for each in page], after


def file_job(actor: Actor, job_id: str, now: datetime) -> Job:
    """The job of a file of the actor's employer, as it is to be shown; NotFound for any other."""
    job = jobs.job(actor.employer, job_id)
    if job.kind is not JobKind.FILE:
        raise NotFound("There is no such file.", job=job_id)
    return job.seen_at(now)


SLICES_A_PAGE = 20
"""Slices looked through for one page of results at most; where few rows match, a page may be shorter than asked for."""


class ResultPage(msgspec.Struct, frozen=True):
    """A page of results, and where to go on: a slice and a place in it."""

    results: list[RowResult]
    after: tuple[int, int] | None


def results(
    actor: Actor, job_id: str, state: str | None, limit: int, after: Sequence[int] | None, now: datetime
) -> ResultPage:
    """What became of the rows applied so far, in the order of the file; those in one state only, if one is given.

    NotFound once the results are removed.
    """
    job = _with_results(actor, job_id, now)
    progress = Progress.of(job)
    start, skip = after or (0, 0)
    found: list[RowResult] = []
    for number in range(start, min(len(progress.slices), start + SLICES_A_PAGE)):
        for index, result in enumerate(_slice_to_show(job, progress, number)):
            if number == start and index < skip:
                continue
            if state is None or result.state == state:
                if len(found) == limit:
                    return ResultPage(found, (number, index))
                found.append(result)
    following = start + SLICES_A_PAGE
    return ResultPage(found, (following, 0) if following < len(progress.slices) else None)


def _slice_to_show(job: Job, progress: Progress, number: int) -> list[RowResult]:
    try:
        return _slice(job, progress, number)
    except files.FileGone:
        raise NotFound("Results of this file were removed.", way_out="Its counts are still there.") from None


def _with_results(actor: Actor, job_id: str, now: datetime) -> Job:
    job = file_job(actor, job_id, now)
    if now - job.started_at >= RESULTS_KEPT:
        raise NotFound(
            f"The results of a file are kept for {RESULTS_KEPT.days} days.", way_out="Its counts are still there."
        )
    return job


def report(actor: Actor, job_id: str, now: datetime) -> str:
    """An address from which the report may be fetched for some minutes. NotFound until the file is done."""
    job = _with_results(actor, job_id, now)
    if job.state is JobState.FAILED:
        raise NotFound("There is no report of this file.", way_out="The file's problem says why, and what to do.")
    if job.state is not JobState.DONE:
        raise NotFound("There is no report of this file.", way_out="Ask how far it is: the report is made at the end.")
    return files.offer_download(_report_key(job), f"workforce-{job.id}.csv", DOWNLOAD_SECONDS)
