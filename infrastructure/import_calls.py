"""The calls of DynamoDB that somebody new to the service cannot do without: what importing people is measured against.

Fixed on purpose: one strongly consistent read of who has the employee number, the supervisor's number and the login; and one
transaction of seven rows: employee number, profile, login, employment, assignment, event and audit entry, each with the attributes
that the service writes. If the service comes to need more, this list stays as it is until a person decides otherwise.
"""

from typing import Any

from chalicelib.config import table_name

Call = tuple[str, dict[str, Any]]


def calls(number: str, unit: str, supervisor: str) -> list[Call]:
    """What it takes to take in a person with this employee number, who works in a unit for the person with another number."""
    records, messages, audit = (table_name(kind) for kind in ("records", "messages", "audit"))
    person = f"01M83XJ8802VM3AYXK{number}"
    profile, login, held = f"P#{person}", f"ID#504-{number}", f"E#504#NO#{number}"
    wanted = [_key(login, login), _key(f"E#504#NO#{supervisor}", f"E#504#NO#{supervisor}"), _key(held, held)]
    rows = [
        _put(records, held, held, "employee number", person=person),
        _put(
            records, profile, "PROFILE", "person", first_name="Robin", last_name="Probe", title="Mx", home="504",
            email=f"robin.probe.{number}@trust.invalid", login=f"504-{number}",
        ),
        _put(records, login, login, "login", person=person),
        _put(
            records, profile, "E#504#WHO", "employment", number=number, type="employee", starts_on="2026-01-01",
            name="Mx Robin Probe", gsi1pk="E#504#N#pr", gsi1sk=f"probe#robin#{person}", gsi2pk=held, gsi2sk=profile,
            periods=f'[["employee", "2026-01-01", null, false, [1, "joined-{number}"]]]', revision=1,
            person_stamp=f'[1, "joined-{number}"]',
        ),
        _put(
            records, profile, f"E#504#ASG#{number}#2026-01-01", "assignment", unit=unit, position="nurse", job="nurse",
            staff_group="nursing", primary=True, supervisor="bench", gsi1pk=f"E#504#UNIT#{unit}",
            gsi1sk=f"ASG#{person}#{number}", gsi2pk="E#504#MGR#bench", gsi2sk=profile, stamp=f'[1, "joined-{number}"]',
        ),
        _put(
            messages, "EVT#2026-11-23T10:00#0", f"01M83XJ880VWS0SBS1{number}", "event", at="2026-11-23T10:00:00Z",
            data="{}", employer="504", expires_at=1798452000, person=person, type="learner.changed",
        ),
        _put(
            audit, "E#504#2026-11-23#3", f"01M83XJ880KR3MNWEK{number}", None, action="person.joined", actor="system:bench",
            at="2026-11-23T10:00:00Z", person_pk=profile, facts=f'{{"message": "joined-{number}", "sequence": 1, '
            f'"changed": ["person", "employment from 2026-01-01", "assignment {number} from 2026-01-01"]}}',
        ),
    ]  # fmt: skip
    return [
        ("BatchGetItem", {"RequestItems": {records: {"Keys": wanted, "ConsistentRead": True}}}),
        ("TransactWriteItems", {"TransactItems": rows}),
    ]


def _key(pk: str, sk: str) -> dict[str, Any]:
    return {"pk": {"S": pk}, "sk": {"S": sk}}


def _put(table: str, pk: str, sk: str, kind: str | None, **fields: str | int | bool) -> dict[str, Any]:
    named = fields | ({"kind": kind} if kind else {})
    item = _key(pk, sk) | {name: _value(content) for name, content in named.items()}
    absent = {"ConditionExpression": "attribute_not_exists(pk)"} if kind not in ("person", "assignment") else {}
    return {"Put": {"TableName": table, "Item": item, **absent}}


def _value(content: str | int | bool) -> dict[str, Any]:
    if isinstance(content, bool):
        return {"BOOL": content}
    return {"N": str(content)} if isinstance(content, int) else {"S": content}
