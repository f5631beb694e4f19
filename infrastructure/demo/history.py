"""Plans what people have achieved: for each requirement whether it is met, expired or was never met, and the awards.

Whether something is met is drawn without looking at the calendar; the dates are then laid around the day of the plan.
So the trust's compliance is the same whatever the day.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta
from random import Random

from dateutil.relativedelta import relativedelta

from .facts import Facts
from .framework import RequirementIndex, competency_names
from .trust import Award, AwardOrigin, Catalogue, Competency, Framework, Organisation, Person

YEAR = timedelta(days=365)
# Nothing that is still valid was awarded longer ago.
LONG_AGO = 5 * YEAR
# How much of the time people take the course that is first in the catalogue, if there are several.
FIRST_COURSE_SHARE = 0.75
# No chance of being red is larger.
WORST = 0.95


@dataclass(slots=True)
class LearnerRecord:
    """What one person must hold and does hold. Changed once more when places in past classes are given out."""

    person: Person
    required: frozenset[str]
    # The award that makes a requirement met today, by competency.
    held: dict[str, Award] = field(default_factory=dict)
    # Required and not met: expired ones have an award too, among `others`.
    red: list[str] = field(default_factory=list)
    # Expired and earlier awards, and awards that nobody requires.
    others: list[Award] = field(default_factory=list)
    # Shows every colour: left alone by the class rosters.
    showcase: bool = False

    def awards(self) -> list[Award]:
        """All awards, by competency and day."""
        return sorted(
            [*self.held.values(), *self.others], key=lambda award: (award.competency, award.awarded_on, award.origin)
        )


class HistoryPlanner:
    """Lays out the records of all learners of a trust."""

    def __init__(
        self, facts: Facts, organisation: Organisation, framework: Framework, catalogue: Catalogue, today: date
    ) -> None:
        names = competency_names(facts)
        self._rates = facts.history.training
        self._organisation = organisation
        self._today = today
        self._requirements = RequirementIndex(framework, organisation, today)
        self._competencies = {each.name: each for each in framework.competencies}
        self._development = sorted(names[key] for key in self._rates.development_competencies)
        self._renewals = renewal_periods(framework.competencies)
        self._valid_from = {each.name: self._first_valid(each) for each in framework.competencies}
        self._courses: dict[str, list[str]] = {}
        for course in catalogue.courses:
            for name in course.awards:
                self._courses.setdefault(name, []).append(course.id)
        online = {offering.course_id for offering in catalogue.offerings if offering.mode == "e-learning"}
        self._in_rooms_only = {
            name for name, courses in self._courses.items() if not any(course in online for course in courses)
        }
        self._factor_of_unit = self._unit_factors()

    def records(self) -> list[LearnerRecord]:
        """One record for each person, in the order of people."""
        required: dict[str, frozenset[str]] = {}
        factors: dict[str, float] = {}
        for assignment in self._organisation.assignments:
            person_id = assignment.person_id
            required[person_id] = required.get(person_id, frozenset()) | self._requirements.of_assignment(assignment)
            factors.setdefault(person_id, self._factor_of_unit[assignment.unit_id])
        showcase = next((each.person_id for each in self._organisation.sign_ins if each.role == "employee"), "")
        return [
            self._record(
                person,
                required.get(person.id) or self._requirements.of_external_learner(person.id),
                factors.get(person.id, 1.0),
                showcase=person.id == showcase,
            )
            for person in self._organisation.people
        ]

    def _first_valid(self, competency: Competency) -> date:
        """The first day whose award is still valid today."""
        renewal = self._renewals[competency.name]
        if renewal is None:
            return date.min
        # A day later than the subtraction says: from 29 February, it lands on a day whose award has just expired.
        return self._today - renewal + timedelta(days=1)

    def _unit_factors(self) -> dict[str, float]:
        departments = [unit.id for unit in self._organisation.units if unit.level == "department"]
        factors = self._rates.department_factors
        return {unit_id: factors[index % len(factors)] for index, unit_id in enumerate(departments)}

    # --- One person ---

    def _record(self, person: Person, required: frozenset[str], factor: float, *, showcase: bool) -> LearnerRecord:
        record = LearnerRecord(person, required, showcase=showcase)
        rng = Random(f"history {person.employee_number}")
        names = sorted(required)
        if showcase:
            names = self._one_of_each_colour(record, names, rng)
        factor *= self._person_factor(rng)
        if person.status != "applicant" and (self._today - person.start).days < self._rates.newcomer_days:
            factor *= self._rates.newcomer_factor
        for name in names:
            self._draw(record, name, factor, rng)
        if person.status != "applicant" and (showcase or rng.random() < self._rates.development):
            self._develop(record, rng)
        return record

    def _person_factor(self, rng: Random) -> float:
        factors = self._rates.person_factors
        return rng.choices([each.factor for each in factors], [each.share for each in factors])[0]

    def _draw(self, record: LearnerRecord, name: str, factor: float, rng: Random) -> None:
        """Decide whether one requirement is met, and date it."""
        in_room = self._rates.classroom_factor if name in self._in_rooms_only else 1.0
        red = min(WORST, self._rates.red * factor * in_room)
        if record.person.status == "applicant":
            # Only what came along from another employer can be there already.
            red = 1 - self._rates.transferred if self._is_national(name) else 1.0
        if rng.random() >= red:
            self._achieve(record, name, rng)
            return
        record.red.append(name)
        if rng.random() >= self._rates.never:
            self._let_expire(record, name, rng)

    def _achieve(self, record: LearnerRecord, name: str, rng: Random) -> None:
        """An award that is valid today, from here or from another employer; perhaps the one before it, too."""
        start, first_valid = record.person.start, self._valid_from[name]
        yesterday = self._today - timedelta(days=1)
        elsewhere = max(first_valid, start - LONG_AGO)
        brought = (
            self._is_national(name)
            and elsewhere < start
            and (record.person.status == "applicant" or rng.random() < self._rates.transferred)
        )
        if brought:
            # An applicant starts in days to come, but nothing can be awarded then.
            awarded_on = _day_between(elsewhere, min(start - timedelta(days=1), yesterday), rng)
            record.held[name] = self._award(record, name, awarded_on, "transfer", rng)
            return
        awarded_on = _day_between(max(first_valid, start), yesterday, rng)
        record.held[name] = self._award(record, name, awarded_on, "course", rng)
        self._recall_earlier(record, name, awarded_on, rng)

    def _recall_earlier(self, record: LearnerRecord, name: str, awarded_on: date, rng: Random) -> None:
        """The award before, renewed up to two months early, for some."""
        renewal = self._renewals[name]
        if renewal is None or rng.random() >= self._rates.earlier:
            return
        earlier = awarded_on - renewal + timedelta(days=rng.randint(0, 60))
        if earlier >= record.person.start:
            record.others.append(self._award(record, name, earlier, "course", rng))

    def _let_expire(self, record: LearnerRecord, name: str, rng: Random) -> None:
        """An award that ran out, if the person has been here long enough, or may have brought it along."""
        if self._competencies[name].renewal_months is None:
            return
        last = self._valid_from[name] - timedelta(days=2)
        first = last - timedelta(days=self._rates.overdue_days)
        if max(first, record.person.start) <= last:
            awarded_on = _day_between(max(first, record.person.start), last, rng)
            record.others.append(self._award(record, name, awarded_on, "course", rng))
        elif self._is_national(name):
            record.others.append(self._award(record, name, _day_between(first, last, rng), "transfer", rng))

    def _develop(self, record: LearnerRecord, rng: Random) -> None:
        """One or two competencies that nobody requires of this person; they may have expired since."""
        free = [name for name in self._development if name not in record.required]
        for name in rng.sample(free, min(len(free), rng.randint(1, 2))):
            origin: AwardOrigin = "course" if self._courses.get(name) else "transfer"
            if origin == "course":
                first, last = record.person.start, self._today - timedelta(days=1)
                first = max(first, self._today - LONG_AGO)
            else:
                first, last = record.person.start - YEAR, record.person.start - timedelta(days=1)
            record.others.append(self._award(record, name, _day_between(first, last, rng), origin, rng))

    def _one_of_each_colour(self, record: LearnerRecord, names: list[str], rng: Random) -> list[str]:
        """Red for ever, red since it expired, amber and green; the names that are left to draw."""
        renewed = [name for name in names if self._is_national(name) and self._competencies[name].renewal_months]
        if len(renewed) < 4:
            return names
        never, expired, amber, green = renewed[:4]
        record.red += [never, expired]
        since = {
            expired: self._valid_from[expired] - timedelta(days=40),
            amber: self._valid_from[amber] + timedelta(days=20),
            green: self._today - timedelta(days=30),
        }
        for name, awarded_on in since.items():
            origin: AwardOrigin = "course" if awarded_on >= record.person.start else "transfer"
            award = self._award(record, name, awarded_on, origin, rng)
            if name == expired:
                record.others.append(award)
            else:
                record.held[name] = award
        return [name for name in names if name not in (never, expired, amber, green)]

    def _is_national(self, name: str) -> bool:
        return self._competencies[name].owner == "NHS"

    def _award(self, record: LearnerRecord, name: str, awarded_on: date, origin: AwardOrigin, rng: Random) -> Award:
        courses = self._courses.get(name, [])
        course_id = None
        if origin == "course" and courses:
            course_id = courses[0] if rng.random() < FIRST_COURSE_SHARE else rng.choice(courses)
        return Award(record.person.id, name, awarded_on, origin, course_id)


def _day_between(first: date, last: date, rng: Random) -> date:
    return first + timedelta(days=rng.randint(0, (last - first).days))


def renewal_periods(competencies: Iterable[Competency]) -> dict[str, relativedelta | None]:
    """How long each competency is valid, by calendar months; None for ever."""
    return {
        each.name: None if each.renewal_months is None else relativedelta(months=each.renewal_months)
        for each in competencies
    }


def all_awards(records: Iterable[LearnerRecord]) -> tuple[Award, ...]:
    """Everybody's awards, person by person."""
    return tuple(award for record in records for award in record.awards())
