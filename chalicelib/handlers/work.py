"""Event entry points of long work: the projector, which reads the outbox stream, and the worker, which takes the work queue.

Both may be given the same thing twice, or two of them at once; everything they call allows it. Declared in app.py.
"""

import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import msgspec

from chalicelib.domain.calendar import london_day
from chalicelib.domain.events import Event, EventType
from chalicelib.domain.jobs import Job, JobKind
from chalicelib.domain.requirements import Rulebook
from chalicelib.handlers.events import BatchFailures
from chalicelib.observability import count, counting, log_fault, logger
from chalicelib.services import class_changes, jobs, projection, reconciliation, rule_changes, what_if
from chalicelib.storage import queues, rules
from chalicelib.storage.outbox import event_from_stream
from chalicelib.storage.workforce import move_reports

HAND_ON_MS = 15_000
"""Work that takes long hands the rest on when less than this is left of the function's time."""

REPORTS_DELAY_SECONDS = 90
"""When the reports of a supervisor given ahead are moved: longer after the hand-over than any function runs that takes messages
in, so that none is still to commit what it read before; and than the index lags.
"""

LOOK_AGAIN_SECONDS = 60
"""When a class that has changed is followed once more, for what the index did not show the first time and nothing counts."""


def _look_at_unit(job: Job, unit: str, at: datetime) -> dict[str, Any]:
    from chalicelib.services import auto_enrolment

    return auto_enrolment.look_at_unit(job, unit, at)


def _send_notice(job: Job, part: str, at: datetime) -> dict[str, Any]:
    from chalicelib.services import notices

    return notices.send_part(job, part, at)


PART_WORK: dict[JobKind, Callable[[Job, str, datetime], dict[str, Any]]] = {
    JobKind.RULES: rule_changes.follow,
    JobKind.RECONCILIATION: reconciliation.reconcile,
    JobKind.WHAT_IF: what_if.try_unit,
    JobKind.AUTO_ENROLMENT: _look_at_unit,
    JobKind.NOTICE: _send_notice,
}
"""What is done for one part of a job of each kind: from job, part and clock to the part's result. Repeating it is harmless.
Classes are followed by `_follow_class`, which hands on.
"""


def now() -> datetime:
    """The clock of projector and worker: UTC."""
    return datetime.now(UTC)


# --- the projector --------------------------------------------------------------------------------------------


@counting
def project_events(stream_event: dict[str, Any]) -> BatchFailures:
    """Project the people whom new events of the messages stream name, each once a batch, and set going what was started.

    Somebody who cannot be projected goes to the work queue and is tried again there, so that the shard goes on. Only where
    that fails too does the batch stop: Lambda delivers again from there.
    """
    at = now()
    failed: list[int] = []
    changed: dict[str, dict[str, int]] = {}
    for place, record in enumerate(stream_event["Records"]):
        event = _event_in(record)
        if event is None:
            continue
        if event.person is not None:
            changed.setdefault(event.employer, {}).setdefault(event.person, place)
        try:
            _set_going(event, at)
        except Exception as fault:
            log_fault(fault, event=event.id)
            failed.append(place)
    for employer, places in changed.items():
        failed += _project_all(employer, places, at)
    numbers = [stream_event["Records"][place]["dynamodb"]["SequenceNumber"] for place in sorted(failed)]
    return {"batchItemFailures": [{"itemIdentifier": number} for number in numbers[:1]]}


def _event_in(record: dict[str, Any]) -> Event | None:
    """The event of a stream record; None for other rows and for one that no longer is an event, which the relay parks."""
    change = record["dynamodb"]
    image = change.get("NewImage")
    if record["eventName"] != "INSERT" or not image:
        return None
    try:
        return event_from_stream(image)
    except Exception as poison:
        log_fault(poison, event=change["Keys"]["sk"]["S"])
        return None


def _set_going(event: Event, at: datetime) -> None:
    if freed := event.data.get("promote"):
        queues.queue_works([{"kind": "promote", "class": class_id} for class_id in freed])
    if event.type is EventType.JOB_STARTED:
        jobs.queue_parts(event)
    elif event.type is EventType.RULES_CHANGED:
        rule_changes.start_everywhere(event, at)
    elif event.type is EventType.SUPERVISOR_KNOWN:
        queues.queue_works([{"kind": "reports", "employer": event.employer, **event.data}], REPORTS_DELAY_SECONDS)
    elif event.type is EventType.LOOK_DUE:
        look = {"kind": "look", "employer": event.employer, "on": london_day(event.at).isoformat()}
        queues.queue_works([{**look, "since": since, "persons": each} for since, each in event.data["look"].items()])


def _project_all(employer: str, places: dict[str, int], at: datetime) -> list[int]:
    """Project people of one employer; the places in the batch of those who could neither be projected nor queued."""

    def project_each(rulebook: Rulebook) -> list[int]:
        return [place for person, place in places.items() if not _projected_or_queued(rulebook, person, at)]

    try:
        failed = projection.under_current_rules(employer, project_each)
    except Exception as fault:
        log_fault(fault, employer=employer)
        return list(places.values())
    count("LearnersProjected", len(places) - len(failed))
    return failed


def _projected_or_queued(rulebook: Rulebook, person: str, at: datetime) -> bool:
    try:
        projection.project_under(rulebook, person, at)
    except Exception as fault:
        log_fault(fault, employer=rulebook.employer, person=person)
        try:
            queues.queue_work({"kind": "project", "employer": rulebook.employer, "person": person})
        except Exception as unqueued:
            log_fault(unqueued, employer=rulebook.employer, person=person)
            return False
        count("ProjectionsQueued")
    return True


# --- the worker -----------------------------------------------------------------------------------------------


@counting
def do_work(queue_event: dict[str, Any], remaining_ms: Callable[[], int]) -> BatchFailures:
    """Do the work that queue messages name. What fails is delivered again, and parked by the queue after five times."""
    failed = []
    for record in queue_event["Records"]:
        try:
            _do(json.loads(record["body"]), remaining_ms, now())
        except Exception as fault:
            log_fault(fault, queue_message=record["messageId"])
            failed.append({"itemIdentifier": record["messageId"]})
        else:
            count("WorkDone")
    return {"batchItemFailures": failed}


def _do(message: dict[str, Any], remaining_ms: Callable[[], int], at: datetime) -> None:
    do = WORK.get(message["kind"])
    if do is None:
        raise ValueError("This is no work we know.")
    do(message, remaining_ms, at)


def _project(message: dict[str, Any], _remaining_ms: Callable[[], int], at: datetime) -> None:
    projection.project(message["person"], message["employer"], at)


def _look(message: dict[str, Any], _remaining_ms: Callable[[], int], at: datetime) -> None:
    from chalicelib.services import looking

    since, day = (date.fromisoformat(message[each]) for each in ("since", "on"))
    looking.look_at(message["employer"], message["persons"], since, max(day, london_day(at)), at)


def _pass_on(message: dict[str, Any], _remaining_ms: Callable[[], int], at: datetime) -> None:
    from chalicelib.services import transfers

    transfers.pass_on(message["person"], message["employer"], at)


def _move_reports(message: dict[str, Any], _remaining_ms: Callable[[], int], _at: datetime) -> None:
    move_reports(message["employer"], message["promised"], message["person"])


def _do_part(message: dict[str, Any], remaining_ms: Callable[[], int], at: datetime) -> None:
    job, part = jobs.job(message["employer"], message["job"]), message["part"]
    if job.kind is JobKind.CLASS:
        _follow_class(job, part, message, remaining_ms, at)
        return
    # Also where it is finished: whoever did it twice may have written last and died before looking at the rules again.
    jobs.finish_part(job, part, PART_WORK[job.kind](job, part, at), at)


def _follow_class(
    job: Job, class_id: str, message: dict[str, Any], remaining_ms: Callable[[], int], at: datetime
) -> None:
    """Follow a class on from where the message says; then promote, and once more look for whom the index did not show."""
    before = msgspec.convert(message.get("walk", {}), class_changes.Walk)
    walk = class_changes.follow(job, class_id, at, lambda: remaining_ms() > HAND_ON_MS, before)
    if not walk.finished:
        queues.queue_work({**message, "walk": msgspec.to_builtins(walk)})
        return
    _promote(class_id, remaining_ms, at)
    jobs.finish_part(job, class_id, {"changed": walk.changed}, at)
    if not message.get("again"):
        again = {"kind": "part", "employer": job.employer, "job": job.id, "part": class_id, "again": True}
        queues.queue_works([again], LOOK_AGAIN_SECONDS)


def _promote(class_id: str, remaining_ms: Callable[[], int], at: datetime) -> None:
    if not class_changes.promote(class_id, at, lambda: remaining_ms() > HAND_ON_MS):
        queues.queue_work({"kind": "promote", "class": class_id})


def _go_on_with_file(message: dict[str, Any], remaining_ms: Callable[[], int], at: datetime) -> None:
    from chalicelib.services import workforce_file

    workforce_file.go_on(message["employer"], message["job"], remaining_ms, at)


def _ring(message: dict[str, Any], remaining_ms: Callable[[], int], at: datetime) -> None:
    from chalicelib.services import timers

    if not timers.ring(message["employer"], at, lambda: remaining_ms() > HAND_ON_MS):
        queues.queue_work(message)


def _do_day(message: dict[str, Any], remaining_ms: Callable[[], int], at: datetime) -> None:
    if "employer" not in message:
        _for_every_employer("day")
        return
    employer = message["employer"]
    run = projection.day(employer, at, lambda: remaining_ms() > HAND_ON_MS, message.get("after"))
    logger.info("day", extra={"employer": employer, "due": run.due, "changed": run.changed, "finished": run.finished})
    if not run.finished:
        queues.queue_work({"kind": "day", "employer": employer, "after": run.after})


def _reconcile(message: dict[str, Any], _remaining_ms: Callable[[], int], at: datetime) -> None:
    if "employer" in message:
        reconciliation.start(message["employer"], reconciliation.SYSTEM, at)
    else:
        _for_every_employer("reconcile")


def _for_every_employer(kind: str) -> None:
    queues.queue_works([{"kind": kind, "employer": employer} for employer in rules.employers()])


WORK: dict[str, Callable[[dict[str, Any], Callable[[], int], datetime], None]] = {
    "project": _project,
    "look": _look,
    "pass on": _pass_on,
    "reports": _move_reports,
    "part": _do_part,
    "promote": lambda message, remaining_ms, at: _promote(message["class"], remaining_ms, at),
    "file": _go_on_with_file,
    "timers": _ring,
    "day": _do_day,
    "reconcile": _reconcile,
}
"""Who does work of each kind: from the message, the milliseconds left, and the clock. Repeating it is harmless."""
