"""The row of a snapshot: what somebody needs and has on one assignment, packed.

Every request reads it beside its learner and few look into it, so what that takes is imported then.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from datetime import date
from typing import TYPE_CHECKING, Any

import msgspec
from pynamodb.attributes import BinaryAttribute, NumberAttribute

from chalicelib.domain.calendar import EARLIEST
from chalicelib.domain.competency import Award, Origin
from chalicelib.domain.compliance import Colour, Reason
from chalicelib.domain.people import Assignment, Employment, EmploymentKind, Membership, PeriodOfService
from chalicelib.domain.requirements import Exemption
from chalicelib.storage import keys
from chalicelib.storage.base import Record

if TYPE_CHECKING:
    from chalicelib.domain.projection import Booked, Row, Snapshot


class SnapshotRow(Record, discriminator="snapshot"):
    """`P#p` / `E#504#CMP#a`; gsi1 is the view of its unit (`-` without one), gsi2 lists it by its next change."""

    body = BinaryAttribute(legacy_encoding=False)
    revision = NumberAttribute()

    @classmethod
    def of(cls, snapshot: Snapshot) -> SnapshotRow:
        """The row of a snapshot."""
        from chalicelib.domain.projection import UNASSIGNED

        facts, following = snapshot.facts, snapshot.next_change_on
        return cls(
            keys.person(facts.person),
            keys.snapshot(facts.employer, facts.number),
            gsi1pk=keys.unit_view(facts.employer, snapshot.unit or UNASSIGNED),
            gsi1sk=keys.snapshot_sort(facts.person, facts.number),
            gsi2pk=keys.due(facts.employer) if following else None,
            gsi2sk=keys.due_sort(following, facts.person, facts.number) if following else None,
            body=_packed(snapshot),
            revision=snapshot.revision,
        )

    def snapshot(self) -> Snapshot:
        """The snapshot of this row."""
        _, person = self.pk.split(keys.SEPARATOR)
        _, employer, _, number = self.sk.split(keys.SEPARATOR)
        return _unpacked(self.body, person, employer, number, int(self.revision))


# --- the body of a snapshot: JSON arrays, compressed; competencies by their place in a list of names, days as numbers ------------

_DAY_0 = date(2000, 1, 1).toordinal()
_REASONS = tuple(Reason)
_KINDS = tuple(EmploymentKind)
_ORIGINS = tuple(Origin)
_COLOURS = {
    Reason.EXPIRES_SOON: Colour.AMBER,
    Reason.VALID: Colour.GREEN,
    Reason.NO_EXPIRY: Colour.GREEN,
    Reason.NOT_REQUIRED: Colour.BLUE,
}


def _number(day: date | None) -> int | None:
    return None if day is None else day.toordinal() - _DAY_0


def _day(number: int) -> date:
    return date.fromordinal(number + _DAY_0)


def _day_or_none(number: int | None) -> date | None:
    return None if number is None else _day(number)


def _packed(snapshot: Snapshot) -> bytes:
    facts, service = snapshot.facts, snapshot.facts.employment
    named: list[Row | Award | Exemption | Booked] = [
        *snapshot.rows,
        *facts.awards,
        *facts.exemptions,
        *facts.booked,
    ]
    names = sorted({each.competency for each in named})
    place = {name: number for number, name in enumerate(names)}
    body = {
        "names": names,
        "unit": snapshot.unit,
        "counted": snapshot.counted,
        "next": _number(snapshot.next_change_on),
        "version": snapshot.version,
        "rows": [
            [
                place[row.competency],
                row.level,
                _REASONS.index(row.reason),
                _number(row.expires_on),
                row.achieved_level,
                _number(row.awarded_on),
                _number(row.future_on),
            ]
            for row in snapshot.rows
        ],
        "service": [
            service.number,
            *([_KINDS.index(each.kind), _number(each.starts_on), _number(each.ends_on)] for each in _periods(service)),
        ],
        "validities": [
            [
                each.unit,
                each.position,
                each.job,
                each.staff_group,
                int(each.primary),
                _number(each.starts_on),
                _number(each.ends_on),
            ]
            for each in facts.validities
        ],
        "carries": [[_number(each.starts_on), _number(each.ends_on)] for each in facts.carries],
        "groups": [[each.group, _number(each.starts_on), _number(each.ends_on)] for each in facts.memberships],
        "awards": [
            [
                place[each.competency],
                each.level,
                _number(each.awarded_on),
                _number(each.expires_on),
                _ORIGINS.index(each.origin),
            ]
            for each in facts.awards
        ],
        "exemptions": [
            [place[each.competency], _number(each.starts_on), _number(each.ends_on)] for each in facts.exemptions
        ],
        "booked": [[place[each.competency], each.level, _number(each.starts_on)] for each in facts.booked],
        **({"waits": 1} if facts.waits_by_need else {}),
    }
    return zlib.compress(msgspec.json.encode(body))


def _periods(service: Employment) -> Iterator[Employment | PeriodOfService]:
    yield service
    yield from service.earlier


def _unpacked(packed: bytes, person: str, employer: str, number: str, revision: int) -> Snapshot:
    from chalicelib.domain.projection import Booked, Facts, Row, Snapshot, Span

    body: dict[str, Any] = msgspec.json.decode(zlib.decompress(packed))
    names = body["names"]
    employee_number, latest, *earlier = body["service"]
    facts = Facts(
        person=person,
        employer=employer,
        number=number,
        employment=Employment(
            employer,
            _KINDS[latest[0]],
            employee_number,
            _day(latest[1]),
            _day_or_none(latest[2]),
            tuple(PeriodOfService(_KINDS[kind], _day(start), _day(end)) for kind, start, end in earlier),
        ),
        validities=tuple(
            Assignment(number, unit, position, job, group, None, bool(primary), _day(start), _day_or_none(end))
            for unit, position, job, group, primary, start, end in body["validities"]
        ),
        carries=tuple(Span(_day_or_none(start), _day_or_none(end)) for start, end in body["carries"]),
        memberships=tuple(_membership(each) for each in body["groups"]),
        awards=tuple(
            Award(names[name], level, _day(awarded), _day_or_none(expires), _ORIGINS[origin], "")
            for name, level, awarded, expires, origin in body["awards"]
        ),
        exemptions=tuple(Exemption(names[name], "", _day(start), _day(end)) for name, start, end in body["exemptions"]),
        booked=tuple(Booked(names[name], level, _day(start)) for name, level, start in body["booked"]),
        waits_by_need="waits" in body,
    )
    rows = tuple(
        Row(
            names[name],
            level,
            _COLOURS.get(_REASONS[reason], Colour.RED),
            _REASONS[reason],
            _day_or_none(expires),
            achieved,
            _day_or_none(awarded),
            _day_or_none(future),
        )
        for name, level, reason, expires, achieved, awarded, future in body["rows"]
    )
    own, national = body["version"]
    return Snapshot(facts, body["unit"], body["counted"], rows, _day_or_none(body["next"]), (own, national), revision)


def _membership(packed: Any) -> Membership:
    if isinstance(packed, str):  # from before memberships had days
        return Membership(packed, EARLIEST)
    group, start, end = packed
    return Membership(group, _day(start), _day_or_none(end))
