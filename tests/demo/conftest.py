"""Plans of the demo trust, made once, and a plain recount of requirements and colours, the slow way."""

import calendar
from collections import defaultdict
from dataclasses import dataclass
from datetime import date
from functools import cache

import pytest

from infrastructure.demo.plan import plan_trust
from infrastructure.demo.trust import Assignment, Award, Trust

TODAY = date(2026, 11, 23)


@cache
def plan(staff: int, today: date = TODAY) -> Trust:
    return plan_trust(staff, today=today)


@pytest.fixture(scope="session", params=[100, 500, 10_000], ids=lambda staff: f"{staff} staff")
def trust(request: pytest.FixtureRequest) -> Trust:
    return plan(request.param)


@pytest.fixture(scope="session")
def default_trust() -> Trust:
    return plan(500)


@pytest.fixture(scope="session")
def recount(trust: Trust) -> "Recount":
    return Recount(trust)


@pytest.fixture(scope="session")
def default_recount(default_trust: Trust) -> "Recount":
    return Recount(default_trust)


def add_months(day: date, months: int) -> date:
    """The same day so many months later; the last day of a month that is too short."""
    years, month = divmod(day.month - 1 + months, 12)
    year, month = day.year + years, month + 1
    return date(year, month, min(day.day, calendar.monthrange(year, month)[1]))


@dataclass(frozen=True)
class Row:
    """One requirement of one assignment and its colour."""

    assignment: Assignment
    competency: str
    colour: str


class Recount:
    """Requirements and colours of a plan, counted without any of the planner's own rules."""

    def __init__(self, trust: Trust) -> None:
        self.trust = trust
        self.today = trust.today
        self.months = {each.name: each.renewal_months for each in trust.framework.competencies}
        self.awards: dict[tuple[str, str], list[Award]] = defaultdict(list)
        for award in trust.awards:
            self.awards[award.person_id, award.competency].append(award)
        self._covering: dict[str, set[str]] = defaultdict(set)
        for each in trust.framework.competencies:
            for covered in each.covers:
                self._covering[covered].add(each.name)
        self._exempt = {
            (each.person_id, each.competency)
            for each in trust.framework.exemptions
            if each.start <= trust.today <= each.end
        }
        self._units = {unit.id: unit for unit in trust.organisation.units}
        self._targets: dict[tuple[str, str], set[str]] = defaultdict(set)
        for requirement in trust.framework.requirements:
            if requirement.valid_from <= self.today:
                self._targets[requirement.target_kind, requirement.target_id].add(requirement.competency)

    def required(self, assignment: Assignment) -> set[str]:
        employer = self.trust.employer_code
        found = set(self._targets["employer", employer])
        for kind, target in (
            ("staff group", assignment.staff_group_id),
            ("job", assignment.job_id),
            ("position", assignment.position_id),
            ("person", assignment.person_id),
        ):
            found |= self._targets.get((kind, target), set())
        unit_id: str | None = assignment.unit_id
        while unit_id:
            found |= self._targets.get(("unit", unit_id), set())
            unit_id = self._units[unit_id].parent_id
        return {each for each in found if (assignment.person_id, each) not in self._exempt}

    def expiry(self, award: Award) -> date | None:
        months = self.months[award.competency]
        return None if months is None else add_months(award.awarded_on, months)

    def colour(self, person_id: str, competency: str) -> str:
        """Of a required competency, by its own awards and those of what covers it: red never, red expired, amber or green."""
        counting = {competency} | self._covering[competency]
        expiries = [self.expiry(award) for name in counting for award in self.awards.get((person_id, name), [])]
        if not expiries:
            return "red never"
        if None in expiries:
            return "green"
        best = max(expiry for expiry in expiries if expiry)
        if best < self.today:
            return "red expired"
        return "amber" if best <= add_months(self.today, 3) else "green"

    def active_assignments(self) -> list[Assignment]:
        return [
            each
            for each in self.trust.organisation.assignments
            if each.start <= self.today and (each.end is None or self.today <= each.end)
        ]

    def rows(self) -> list[Row]:
        return [
            Row(assignment, competency, self.colour(assignment.person_id, competency))
            for assignment in self.active_assignments()
            for competency in sorted(self.required(assignment))
        ]

    def blue(self) -> list[Award]:
        """Awards of people with an assignment that none of their assignments requires."""
        required: dict[str, set[str]] = defaultdict(set)
        for assignment in self.active_assignments():
            required[assignment.person_id] |= self.required(assignment)
        return [
            award
            for (person_id, competency), awards in self.awards.items()
            for award in awards
            if person_id in required and competency not in required[person_id]
        ]


def compliance(rows: list[Row]) -> float:
    """Achieved of required, in per cent."""
    return 100 * sum(1 for row in rows if not row.colour.startswith("red")) / len(rows)
