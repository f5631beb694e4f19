"""Measures a notice to many: `python -m infrastructure.bench_notices [people]` (10,000 unless told), on an emulator of its own.

What is timed is the service alone, one worker and one relay after the other: looking the audience up, answering the sender, writing
every part as events, every event as notifications, and the delivery report. Nothing is sent.
"""

import os
import sys
import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

from infrastructure import tables
from infrastructure.local import emulator

PREFIX = "esr-learning-notices"
UNITS = 400
ROWS = 25
"""Rows of one BatchWriteItem."""

SETTINGS = {
    **{f"{each.upper()}_TABLE": f"{PREFIX}-{each}" for each in ("records", "messages", "audit")},
    **{"AWS_REGION": "eu-west-2", "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"},
    **{"AWS_DEFAULT_REGION": "eu-west-2", "PORTAL_URL": "https://portal.invalid", "MAIL_SENDER": "x@trust.invalid"},
}


def measure(many: int) -> None:
    """Load so many people in 400 units, write to all of them, and print how long each step takes."""
    from chalicelib.domain.actor import Actor
    from chalicelib.domain.notices import Audience, AudienceKind
    from chalicelib.domain.permissions import Role
    from chalicelib.services import jobs, notices, outbox
    from chalicelib.services.notices import Draft
    from chalicelib.storage import learner
    from chalicelib.storage import notices as stored
    from chalicelib.storage.outbox import EventRow

    now = datetime.now(UTC)
    _load(many, now)
    actor = Actor("p0", "504", frozenset({Role.LEARNING_ADMINISTRATOR}), learner.learner("p0", "504"))
    draft = Draft((Audience(AudienceKind.ORGANISATION, "504"),), "Fire drill", "There is a drill on Monday. " * 350)
    found = _timed("preview", lambda: notices.preview(actor, draft, now))
    notice = _timed("answer to the sender", lambda: notices.send(actor, draft, now))
    assert notice.recipients == len(found.gathered.people) == many
    assert notice.job
    job = jobs.job("504", notice.job)
    parts = sorted(stored.recipients("504", notice.job))
    told = _timed(f"{len(parts)} parts", lambda: [notices.send_part(job, part, now)["told"] for part in parts])
    assert sum(told) == many
    _timed("the same parts again", lambda: [notices.send_part(job, part, now) for part in parts])
    events = [row.event() for row in EventRow.scan() if isinstance(row, EventRow)]
    events = [each for each in events if each.id.startswith("notice.")]
    written = _timed(f"{len(events)} events relayed", lambda: [outbox.notify(each, now) for each in events])
    assert sum(map(len, written)) == many
    report = _timed("delivery report", lambda: notices.progress(actor, notice.id))
    assert report.figures.written == many


def _timed(what: str, do: Callable[[], Any]) -> Any:
    began = time.perf_counter()
    result = do()
    print(f"{what:28}{time.perf_counter() - began:8.2f} s", flush=True)
    return result


def _load(many: int, now: datetime) -> None:
    from chalicelib.domain.people import Assignment, Employment, EmploymentKind, Person, Unit
    from chalicelib.services import workforce
    from chalicelib.storage import base, people

    units = [Unit("504", "Trust", None), *(Unit(f"u{number}", f"Unit {number}", "504") for number in range(UNITS))]
    for start in range(0, len(units), 60):
        workforce.define_structure(
            "system:bench", "504", workforce.Structure("Trust", units[start : start + 60], []), now
        )
    since = date(2024, 1, 1)
    rows = [
        row.serialize()
        for number in range(many)
        for row in people.rows_of_joiner(
            Person(f"p{number}", "Sam", f"Testfold{number}", None, f"p{number}@trust.invalid", None),
            Employment("504", EmploymentKind.EMPLOYEE, f"2{number:07d}", since),
            [Assignment(f"2{number:07d}", f"u{number % UNITS}", "pos", "job", "group", None, True, since)],
            [],
        )
    ]
    table = base.Record.Meta.table_name
    for start in range(0, len(rows), ROWS):
        puts = [{"PutRequest": {"Item": item}} for item in rows[start : start + ROWS]]
        base.connection.client.batch_write_item(RequestItems={table: puts})


def main() -> None:
    """Measure, on an emulator that lives as long as the measurement."""
    os.environ |= SETTINGS
    with emulator.private() as running:
        os.environ["AWS_ENDPOINT_URL"] = running.endpoint
        dynamodb = running.client("dynamodb")
        for definition in tables.definitions(PREFIX):
            dynamodb.create_table(**definition)
        measure(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)


if __name__ == "__main__":
    main()
