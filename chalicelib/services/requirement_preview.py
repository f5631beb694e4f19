"""Whom a requirement would touch, before it is saved (issue 3): found from snapshots, a page at a time."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

import msgspec

from chalicelib.domain.calendar import london_day
from chalicelib.domain.compliance import Colour
from chalicelib.domain.projection import UNASSIGNED, Facts, Row, judge
from chalicelib.domain.requirements import Requirement, Rulebook, Target, TargetKind, required_twice
from chalicelib.domain.what_if import Draft, by_target, with_changes
from chalicelib.services import requirements, rule_changes, snapshot_walk
from chalicelib.storage import people, rules


class Touched(msgspec.Struct, frozen=True):
    """Somebody a requirement touches, through one assignment: their colour today, and on the day looked at.

    `now` is None where the competency is not required today. `already` says whether it is required on that day without this.
    `assignment` and `unit` are None for a learner without an assignment.
    """

    person: str
    name: str
    number: str
    assignment: str | None
    unit: str | None
    now: Colour | None
    then: Colour
    already: bool


class Preview(msgspec.Struct, frozen=True):
    """The day looked at, a page of those touched (perhaps fewer than asked for), and where to go on.

    `twice` are requirements of the same thing under another period, with the rulebook that names them.
    """

    twice: Sequence[Requirement]
    rulebook: Rulebook
    on: date
    touched: tuple[Touched, ...]
    after: Any


def preview(employer: str, requirement: Requirement, limit: int, after: Any, now: datetime) -> Preview:
    """A page of those whom a requirement would touch on its first day, or today if it has begun.

    Reads the snapshots of the units it can reach (of its group's members, of its person), and the names of the page. Raises Invalid
    naming every wrong field.
    """
    rulebook, today = rules.rulebook(employer), london_day(now)
    requirements.check(requirement, rulebook)
    trial = _Trial.of(rulebook, requirement, today)
    views = _views(rulebook, requirement.target, today, trial.day)
    found, following = snapshot_walk.look_through(employer, views, limit, after, trial.touched)
    names = people.names_of(employer, [each.person for each in found])
    named = tuple(msgspec.structs.replace(each, name=names.get(each.person, "")) for each in found)
    return Preview(required_twice(requirement, rulebook), rulebook, trial.day, named, following)


def _views(rulebook: Rulebook, target: Target, today: date, day: date) -> list[str]:
    """Where those may be whom a target reaches. On a day ahead, somebody elsewhere may have moved into the unit."""
    if target.kind is TargetKind.UNIT and day > today:
        return rule_changes.everywhere(rulebook)
    return snapshot_walk.views_of(rulebook, target, today)


# --- whom it touches ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Trial:
    """A requirement tried on its first day, or today if it has begun, under only those rules that concern its competency."""

    today: date
    day: date
    alone: Rulebook
    without: Rulebook
    with_it: Rulebook

    @classmethod
    def of(cls, rulebook: Rulebook, requirement: Requirement, today: date) -> "_Trial":
        same = (
            each
            for rules_of in rulebook.requirements.values()
            for each in rules_of
            if each.competency == requirement.competency
        )
        without = replace(rulebook, requirements=by_target(same))
        return cls(
            today,
            max(today, requirement.starts_on),
            replace(rulebook, requirements=by_target((requirement,))),
            without,
            with_changes(without, Draft(add=(requirement,))),
        )

    def touched(self, facts: Facts) -> Touched | None:
        """Who is touched, still without their name; None if the requirement does not apply to them on the day."""
        if not judge(facts, self.alone, self.day).rows:
            return None
        before, today = judge(facts, self.without, self.day), judge(facts, self.without, self.today)
        after = judge(facts, self.with_it, self.day)
        return Touched(
            person=facts.person,
            name="",
            number=facts.employment.number,
            assignment=None if facts.number == UNASSIGNED else facts.number,
            unit=after.unit,
            now=_colour(today.rows),
            then=after.rows[0].colour,
            already=bool(before.rows),
        )


def _colour(rows: Sequence[Row]) -> Colour | None:
    return rows[0].colour if rows else None
