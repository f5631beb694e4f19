"""The writes that scheduling a hundred classes needs, as a fixed list: what the bench holds the service's own time against.

Each class is five rows (class, seats, session, and what rings before it and when it starts), each transaction has an audit entry,
the first also the plan and a check of the course. They are written as they stand here, by the client alone: no rules, no reading,
no presenting.
"""

import json
import time
from datetime import UTC, date, datetime, timedelta
from typing import Any

CLASSES = 100
TOGETHER = 19
"""Classes in one transaction, which takes 100 writes."""

FIRST = date(2031, 1, 6)
Write = dict[str, Any]

_ABSENT = {"ConditionExpression": "attribute_not_exists (#0)", "ExpressionAttributeNames": {"#0": "pk"}}
_PRESENT = {**_ABSENT, "ConditionExpression": "attribute_exists (#0)"}


def request(course: str, starts_on: date = FIRST) -> dict[str, Any]:
    """The body of POST /v1/class-schedules that makes as many classes of a course."""
    return {
        "course_id": course,
        "offering": "classroom",
        "title": "Scheduled by the bench",
        "sessions": [{"from": "09:00", "until": "12:00"}],
        "minimum": 4,
        "maximum": 12,
        "enrol_opens_days_before": 60,
        "enrol_closes_days_before": 1,
        "bank_holidays": "keep",
        "pattern": {"repeats": "daily", "starts_on": starts_on.isoformat(), "count": CLASSES},
    }


def transactions(records: str, audit: str, course: str, batch: str) -> list[list[Write]]:
    """The transactions of a batch: items of TransactWriteItems, under keys that nothing else has."""
    days = [FIRST + timedelta(number) for number in range(CLASSES)]
    ids = [f"504-{batch}-{number:03d}" for number in range(1, CLASSES + 1)]
    found = []
    for start in range(0, CLASSES, TOGETHER):
        part = list(zip(ids, days, strict=True))[start : start + TOGETHER]
        writes = [_put(records, row) for class_id, day in part for row in _class(class_id, day, course, batch)]
        if start == 0:
            key = {"pk": _text("E#504#CRS"), "sk": _text(f"{course}#META")}
            writes.append({"ConditionCheck": {"TableName": records, "Key": key, **_PRESENT}})
            writes.append(_put(records, _plan(batch, course, days)))
        found.append([*writes, _put(audit, _audit(batch, start, [class_id for class_id, _ in part]))])
    return found


def raw_seconds(client: Any, records: str, audit: str, course: str, batch: str) -> float:
    """How long the emulator takes for them, one transaction after the other."""
    planned = transactions(records, audit, course, batch)
    began = time.perf_counter()
    for writes in planned:
        client.transact_write_items(TransactItems=writes)
    return time.perf_counter() - began


def _class(class_id: str, day: date, course: str, batch: str) -> list[Write]:
    starts = datetime(day.year, day.month, day.day, 9, tzinfo=UTC)
    at, until = (each.strftime("%Y-%m-%dT%H:%M:%SZ") for each in (starts, starts + timedelta(hours=3)))
    pk, sort = _text(f"E#504#CLS#{class_id}"), _text(f"{at}#{class_id}")
    both = {
        **{"pk": pk, "starts_at": _text(at), "ends_at": _text(until), "revision": {"N": "1"}, "minimum": {"N": "4"}},
        **{"offering": _text("classroom"), "title": _text("Scheduled by the bench"), "mode": _text("classroom")},
    }
    facts = {
        **{"sk": _text("META"), "kind": _text("class"), "course": _text(course), "batch": _text(batch)},
        **{"enrol_from": _text(str(day - timedelta(60))), "enrol_until": _text(str(day - timedelta(1)))},
    }
    seats = {
        **{"sk": _text("SEATS"), "kind": _text("seats"), "status": _text("normal"), "maximum": {"N": "12"}},
        **{"taken": {"N": "0"}, "waiting": {"N": "0"}, "gsi1pk": _text(f"E#504#CLS#{day:%Y-%m}"), "gsi1sk": sort},
        **{"gsi2pk": _text(f"E#504#OFF#{course}"), "gsi2sk": sort},
    }
    session = {
        "pk": pk,
        "sk": _text("SES#01"),
        "kind": _text("session"),
        "starts_at": _text(at),
        "ends_at": _text(until),
    }
    before = (starts - timedelta(days=60)).strftime("%Y-%m-%dT%H:%M:%SZ")
    set_for = json.dumps({"class": class_id, "starts_at": at})
    rings = _timer(at, "class start", class_id, "{}"), _timer(before, "class ahead", f"{class_id}~{at}", set_for)
    return [{**both, **facts}, {**both, **seats}, session, *rings]


def _timer(at: str, kind: str, subject: str, facts: str) -> Write:
    return {
        **{"pk": _text("E#504#TMR"), "sk": _text(f"{at}#{kind}#{subject}"), "kind": _text("timer")},
        **{"at": _text(at), "facts": _text(facts)},
    }


def _plan(batch: str, course: str, days: list[date]) -> Write:
    model = {"course": course, "offering": "classroom", "title": "Scheduled by the bench", "minimum": 4, "maximum": 12}
    classes = [{"day": str(day), "moved_from": None, "note": ""} for day in days]
    plan = json.dumps({"id": batch, "employer": "504", "model": model, "plan": {"classes": classes, "left_out": []}})
    return {"pk": _text(f"E#504#BAT#{batch}"), "sk": _text("META"), "kind": _text("schedule"), "schedule": _text(plan)}


def _audit(batch: str, number: int, ids: list[str]) -> Write:
    facts = json.dumps({"batch": batch, "ids": ids})
    return {
        **{
            "pk": _text("E#504#2031-01-06#0"),
            "sk": _text(f"{batch}-{number:03d}"),
            "action": _text("classes.scheduled"),
        },
        **{"actor": _text("bench"), "at": _text("2031-01-06T09:00:00Z"), "facts": _text(facts)},
    }


def _put(table: str, item: Write) -> Write:
    return {"Put": {"TableName": table, "Item": item, **_ABSENT}}


def _text(value: str) -> dict[str, str]:
    return {"S": value}
