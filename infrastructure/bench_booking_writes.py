"""The writes that bookings need, as fixed lists: what the bench holds the service's own rate against.

Each booking is five writes: the seat, the enrolment, the learner's booking revision, the event, the audit entry. They are sent as
they stand here, by the client alone: no rules, no reading, no presenting. If the service comes to write more, these lists stay as
they are until a person decides otherwise.
"""

import json
from collections.abc import Sequence
from typing import Any

CLASS = "504-raw"
TOGETHER = 20
"""People in one transaction when many are placed at once."""

Write = dict[str, Any]

_AT, _UNTIL, _NOW = "2031-01-06T09:00:00Z", "2031-01-06T11:00:00Z", "2026-11-23T10:00:00.123456Z"
_ABSENT = {"ConditionExpression": "attribute_not_exists (#0)", "ExpressionAttributeNames": {"#0": "pk"}}


def seats(records: str) -> Write:
    """The row of the places of a class with room for everybody, to be put before."""
    numbers = {"revision": {"N": "1"}, "taken": {"N": "0"}, "waiting": {"N": "0"}, "maximum": {"N": "1000000"}}
    item = {**_key(f"E#504#CLS#{CLASS}", "SEATS"), "kind": _text("seats"), "status": _text("normal"), **numbers}
    return {"TableName": records, "Item": item}


def transaction(tables: Sequence[str], people: Sequence[str]) -> list[Write]:
    """What places people on the class, as items of one TransactWriteItems; `tables` are records, messages and audit."""
    records, messages, audit = tables
    writes = [_seat(records, len(people))]
    for person in people:
        writes.append(_put(records, _enrolment(person)))
        writes.append(_put(records, {**_key(f"P#{person}", "BOOK"), "kind": _text("booking"), "revision": {"N": "1"}}))
        writes.append(_put(messages, _event(person)))
        writes.append(_put(audit, _audit(person)))
    return writes


def _seat(records: str, people: int) -> Write:
    return {
        "Update": {
            "TableName": records,
            "Key": _key(f"E#504#CLS#{CLASS}", "SEATS"),
            "UpdateExpression": "ADD #2 :5",
            "ConditionExpression": "(((#0 = :0 AND #1 = :1) AND (#2 <= :2 AND #3 = :3)) AND #4 = :4)",
            "ExpressionAttributeNames": {
                "#0": "revision",
                "#1": "status",
                "#2": "taken",
                "#3": "maximum",
                "#4": "waiting",
            },
            "ExpressionAttributeValues": {
                **{":0": {"N": "1"}, ":1": _text("normal"), ":2": {"N": "900000"}, ":3": {"N": "1000000"}},
                **{":4": {"N": "0"}, ":5": {"N": str(people)}},
            },
        }
    }


def _enrolment(person: str) -> Write:
    texts = {
        **{"kind": "enrolment", "course": "504-bench", "title": "Bench course", "mode": "classroom", "venue": "Room 1"},
        **{"status": "confirmed", "starts_at": _AT, "ends_at": _UNTIL, "placed_at": _NOW},
        **{"gsi2pk": f"E#504#CLS#{CLASS}", "gsi2sk": f"2#0#{_NOW}#{person}"},
        "grants": '[["504|LOCAL|Bench subject 00 - 1 Year|", 1]]',
        "history": json.dumps([["confirmed", _NOW, person, None]]),
        "sessions": json.dumps([[_AT, _UNTIL]]),
    }
    return {
        **_key(f"P#{person}", f"E#504#ENR#{CLASS}#001"),
        **{name: _text(value) for name, value in texts.items()},
        **{"revision": {"N": "1"}, "class_revision": {"N": "1"}, "counted": {"BOOL": True}},
        "post": {"L": [_text("1"), _text("u7"), _text("pos")]},
    }


def _event(person: str) -> Write:
    data = {
        **{"enrolment": f"{CLASS}~1", "class": CLASS, "attempt": 1, "revision": 1, "course": "504-bench"},
        **{"title": "Bench course", "mode": "classroom", "sessions": [[_AT, _UNTIL]], "venue": "Room 1", "link": None},
        **{"joining_instructions": "", "reason": None},
    }
    return {
        **_key("EVT#2026-11-23T10:00#0", f"01M85B9P1J-{person}"),
        **{"kind": _text("event"), "type": _text("enrolment.confirmed"), "at": _text(_NOW), "employer": _text("504")},
        **{"person": _text(person), "expires_at": {"N": "1924992000"}, "data": _text(json.dumps(data))},
    }


def _audit(person: str) -> Write:
    return {
        **_key("E#504#2026-11-23#2", f"01M85B9P1J-{person}"),
        **{"action": _text("enrolment.confirmed"), "actor": _text(person), "at": _text("2026-11-23T10:00:00Z")},
        **{"person_pk": _text(f"P#{person}"), "facts": _text(f'{{"enrolment": "{CLASS}~1", "status": "confirmed"}}')},
    }


def _put(table: str, item: Write) -> Write:
    return {"Put": {"TableName": table, "Item": item, **_ABSENT}}


def _key(pk: str, sk: str) -> Write:
    return {"pk": _text(pk), "sk": _text(sk)}


def _text(value: str) -> dict[str, str]:
    return {"S": value}
