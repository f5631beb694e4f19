"""What the bench measures of messages: the life of one, rendering, from event to e-mail, and how many invocations a thousand take.

    python -m infrastructure.bench_messages

alone measures nothing else.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from infrastructure.bench import Bench, Line, Row

LIFE_UNITS = 7
RENDER_MS = 2
SECONDS_TO_SENT = 3
MANY, INVOCATIONS = 1_000, 10
FROM_A_QUEUE = 10
ROUNDS = 200
RACES = 10
PATIENCE = 120  # seconds

_numbers = count()


def operations(bench: Bench) -> list[Row]:
    """Each step in the life of a notification that is delivered and read. The budget is on the units of all of them together."""
    os.environ["POWERTOOLS_METRICS_DISABLED"] = "true"  # they are printed
    from chalicelib.handlers import events

    steps = [
        bench.measure("Message: relayed", lambda record: events.relay_events({"Records": [record]}), _happened),
        bench.measure("Message: sent", _mail, _relayed),
        bench.measure("Message: delivered", _delivered, _sent),
        bench.measure("Message: read", lambda key: _read(bench, key), _sent),
    ]
    units = sum(each.writes for each in steps)
    life = f"≤ {LIFE_UNITS} writes in all: {units:g}"
    return [*((each, "", True) for each in steps[:-1]), (steps[-1], life, units <= LIFE_UNITS)]


def rates(bench: Bench) -> list[Line]:
    """Rendering; and with the functions running: an event to its e-mail, and a thousand notifications at once."""
    took = _rendering()
    bench.let_functions_run(True)
    seconds = [_event_to_mail(bench) for _ in range(RACES)]
    cold, *warm = seconds
    told = f"{statistics.median(warm):.1f} s, slowest of {len(warm)} {max(warm):.1f} s, when cold {cold:.1f} s"
    many = _a_thousand(bench)
    bench.let_functions_run(False)
    return [
        (f"Rendering a message: {took:.2f} ms (budget {RENDER_MS})", took <= RENDER_MS),
        (f"Event to e-mail: {told} (budget {SECONDS_TO_SENT})", True),  # the speed of this machine
        many,
    ]


# --- the life of one ----------------------------------------------------------------------------------------------


def _happened() -> dict[str, Any]:
    """What the stream delivers of a confirmed place, as N4 tells it."""
    from chalicelib.domain.events import Event, EventType
    from chalicelib.storage.base import new_id

    now = datetime.now(UTC) + timedelta(milliseconds=next(_numbers))
    data = {
        "enrolment": "504-c1~1", "class": "504-c1", "attempt": 1, "revision": 1, "course": "504-bench", "title": "Bench course",
        "mode": "classroom", "venue": "Education Centre, Room 1", "link": None, "reason": None, "manager": None,
        "sessions": [["2027-03-01T09:00:00+00:00", "2027-03-01T12:00:00+00:00"]],
        "joining_instructions": "Please bring your badge and wear flat shoes.",
    }  # fmt: skip
    return _record(Event(new_id(now), EventType.ENROLMENT_CONFIRMED, "504", "bench", now, data))


def _record(event: Any) -> dict[str, Any]:
    from chalicelib.storage.outbox import EventRow

    image = EventRow.of(event).to_dynamodb_dict()
    change = {"Keys": {name: image[name] for name in ("pk", "sk")}, "NewImage": image, "SequenceNumber": "1"}
    return {"eventName": "INSERT", "dynamodb": change}


def _relayed() -> Any:
    from chalicelib.handlers import events
    from chalicelib.services import outbox
    from chalicelib.storage.outbox import event_from_stream

    event = event_from_stream(_happened()["dynamodb"]["NewImage"])
    assert event is not None
    (key,) = outbox.notify(event, events.now())
    return key


def _mail(key: Any) -> None:
    from chalicelib.handlers import events

    body = json.dumps({"pk": key.pk, "sk": key.sk})
    answer = events.send_mail({"Records": [{"messageId": "1", "body": body}]}, lambda: 30_000)
    assert answer == {"batchItemFailures": []}


def _sent() -> Any:
    key = _relayed()
    _mail(key)
    return key


def _delivered(key: Any) -> None:
    from chalicelib.handlers import events

    at = datetime.now(UTC).isoformat()
    report = {"eventType": "Delivery", "mail": {"tags": {name: [tag] for name, tag in key.tags().items()}}}
    body = json.dumps({"Message": json.dumps(report | {"delivery": {"timestamp": at}})})
    assert events.take_feedback({"Records": [{"messageId": "1", "body": body}]}) == {"batchItemFailures": []}


def _read(bench: Bench, key: Any) -> None:
    from chalicelib.storage import inbox

    bench.call("POST", f"/v1/me/notifications/{inbox.encoded(key.sk)}/read")


def _rendering() -> float:
    """Milliseconds to render one message in its three forms: median of many."""
    from chalicelib import rendering
    from chalicelib.storage.outbox import event_from_stream

    event = event_from_stream(_happened()["dynamodb"]["NewImage"])
    assert event is not None
    took = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        rendering.render("enrolment_confirmed", event.data, "Ben")
        took.append((time.perf_counter() - began) * 1000)
    return statistics.median(took)


# --- with the functions running -----------------------------------------------------------------------------------


def _event_to_mail(bench: Bench) -> float:
    """Seconds from a booking's answer to its e-mail at SES."""
    before = _mails(bench)
    made = bench.call("POST", "/v1/me/enrolments", {"class_id": "504-c1"})
    began = time.monotonic()
    _wait(lambda: _mails(bench) > before)
    took = time.monotonic() - began
    bench.forget(made)
    return took


def _mails(bench: Bench) -> int:
    return int(bench.running.client("ses").get_send_quota()["SentLast24Hours"])


def _wait(until: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not until():
        assert time.monotonic() < deadline, "no e-mail came"
        time.sleep(0.02)


def _a_thousand(bench: Bench) -> Line:
    """A thousand events at once: seconds until the last e-mail, and how often each function was invoked for it."""
    from chalicelib.domain.events import Event, EventType
    from chalicelib.storage.base import new_id
    from chalicelib.storage.outbox import EventRow

    now = datetime.now(UTC)
    data = {"stand_in": "bench", "approver_name": "Sam Bench", "from": "1 March 2027", "until": "2 March 2027"}
    before, invoked = _mails(bench), _invocations(bench)
    began = time.monotonic()
    with EventRow.batch_write() as batch:
        for _ in range(MANY):
            batch.save(EventRow.of(Event(new_id(now), EventType.APPROVALS_DELEGATED, "504", None, now, data)))
    _wait(lambda: _mails(bench) >= before + MANY)
    seconds = time.monotonic() - began
    times = {name: after - invoked[name] for name, after in _invocations(bench).items()}
    told = ", ".join(f"{name} {number}" for name, number in times.items())
    line = f"{MANY:,} notifications at once: {seconds:.0f} s; invocations: {told} (budget about {INVOCATIONS} each)"
    # Of a queue the emulator hands over ten messages at once, where AWS collects a hundred for a second.
    return line, times["relay"] <= 2 * INVOCATIONS and times["mailer"] <= MANY / FROM_A_QUEUE + INVOCATIONS


def _invocations(bench: Bench) -> dict[str, int]:
    """How often each function has run: the emulator gives every invocation a log stream of its own."""
    logs = bench.running.client("logs").get_paginator("describe_log_streams")
    groups = {name: f"/aws/lambda/{bench.deployment.stack}-{name}" for name in ("relay", "mailer")}
    return {
        name: sum(len(page["logStreams"]) for page in logs.paginate(logGroupName=group))
        for name, group in groups.items()
    }


if __name__ == "__main__":
    from infrastructure import bench

    sys.exit(bench.alone(operations, rates))
