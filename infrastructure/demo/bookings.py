"""Plans who was and will be in the classes, so that it agrees with what people have achieved.

Places in past classes go to people whose requirement is met (they completed: the award is dated to the class) or is
still red (they stayed away). Places in coming classes, and in the one that waits to be marked, go to people whose requirement is
red or runs out soon.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from hashlib import blake2b
from itertools import islice
from random import Random
from typing import Literal

from dateutil.relativedelta import relativedelta

from .facts import Facts, Filled
from .history import LearnerRecord, renewal_periods
from .schedule import Schedule, ShowcaseClass
from .trust import (
    SEAT_STATUSES,
    Award,
    Catalogue,
    Competency,
    Course,
    Enrolment,
    EnrolmentStatus,
    LearningClass,
    Organisation,
    Person,
)

AMBER_MONTHS = 3
# Somebody must have been here so long before a past class to have been booked on it.
BOOKED_AHEAD = timedelta(days=14)

# How many days ago somebody was placed who has no seat yet, at least and at most.
_DAYS_AGO: dict[EnrolmentStatus, tuple[int, int]] = {"Waitlisted": (1, 4), "Requested": (1, 2)}

# Why somebody is put in a class: the requirement is met, is red, runs out soon or is red, or merely exists.
Reason = Literal["met", "red", "due", "not due"]


class BookingPlanner:
    """Gives out the places of all classes. A person is in one class a day at most."""

    def __init__(
        self,
        facts: Facts,
        competencies: tuple[Competency, ...],
        catalogue: Catalogue,
        schedule: Schedule,
        records: list[LearnerRecord],
        organisation: Organisation,
        today: date,
    ) -> None:
        self._rates = facts.history.classes
        self._schedule = schedule
        self._today = today
        self._renewals = renewal_periods(competencies)
        self._amber_until = today + relativedelta(months=AMBER_MONTHS)
        self._courses = {course.id: course for course in catalogue.courses}
        self._by_approval = {rule.course_id for rule in catalogue.access_rules if rule.mode == "approval"}
        self._learners = _by_competency(records)
        self._team = _team_to_try(organisation, records)
        # Those who teach on a day do not learn on it.
        self._busy = {(each.instructor_id, each.start.date()) for each in self._classes()}
        # Those one can sign in as have these days free, to try what happens.
        days = {each.learning_class.start.date() for each in schedule.showcase}
        self._busy |= {(each.person_id, day) for each in organisation.sign_ins for day in days}
        self._queues: dict[tuple[str, Reason], list[LearnerRecord]] = {}

    def enrolments(self) -> tuple[Enrolment, ...]:
        """All enrolments, past classes first. The records are given the awards of the past classes."""
        past = [enrolment for each in self._schedule.past for enrolment in self._hold(each)]
        # Who is due is asked only now: a class of last week may have settled it.
        coming = [enrolment for each in self._schedule.showcase for enrolment in self._fill_exactly(each)]
        coming += [enrolment for each in self._schedule.coming for enrolment in self._fill(each)]
        return tuple(past + coming)

    def classes(self, enrolments: tuple[Enrolment, ...]) -> tuple[LearningClass, ...]:
        """All classes by start; Full where every seat is taken."""
        seats = Counter(each.class_id for each in enrolments if each.status in SEAT_STATUSES)
        return tuple(
            replace(each, status="Full") if seats[each.id] == each.maximum else each
            for each in sorted(self._classes(), key=lambda each: (each.start, each.id))
        )

    def _classes(self) -> list[LearningClass]:
        showcase = [each.learning_class for each in self._schedule.showcase]
        return [*self._schedule.past, *showcase, *self._schedule.coming]

    # --- One class ---

    def _hold(self, past: LearningClass) -> Iterator[Enrolment]:
        """Draw what came of each place, then find people of whom it can be true."""
        rng = Random(f"roster {past.id}")
        outcomes = Counter(self._outcome(rng) for _ in range(_places(past, self._rates.past_filled, rng)))
        for status, count in sorted(outcomes.items()):
            completed = status == "Completed"
            for record in self._take(past, "met" if completed else "red", count):
                booked_on = past.start.date() - timedelta(days=rng.randint(3, BOOKED_AHEAD.days))
                yield Enrolment(past.id, record.person.id, status, _at_work(booked_on, rng))
                if completed:
                    _complete(record, self._courses[past.course_id], past)

    def _outcome(self, rng: Random) -> EnrolmentStatus:
        drawn = rng.random()
        if drawn < self._rates.did_not_attend:
            return "Did Not Attend"
        if drawn < self._rates.did_not_attend + self._rates.not_completed:
            return "Attended – Not Completed"
        return "Completed"

    def _fill_exactly(self, showcase: ShowcaseClass) -> Iterator[Enrolment]:
        """The places planned, if need be with people who renew early; those who wait came last.

        On a waiting list by need there is somebody who does not need it.
        """
        coming = showcase.learning_class
        rng = Random(f"roster {coming.id}")
        places: tuple[tuple[EnrolmentStatus, int], ...] = (
            ("Confirmed", showcase.taken),
            ("Waitlisted", showcase.waiting),
        )
        for status, count in places:
            due = count - 1 if coming.by_need and status == "Waitlisted" else count
            records = self._take(coming, "due", due)
            records += self._take(coming, "not due", count - len(records))
            for record in records:
                yield self._booking(coming, record, status, rng)
        for record in self._choose(coming, self._team, showcase.asking):
            yield self._booking(coming, record, "Requested", rng)

    def _fill(self, coming: LearningClass) -> Iterator[Enrolment]:
        rng = Random(f"roster {coming.id}")
        for record in self._take(coming, "due", _places(coming, self._rates.coming_filled, rng)):
            yield self._booking(coming, record, self._wish(coming.course_id, rng), rng)

    def _wish(self, course_id: str, rng: Random) -> EnrolmentStatus:
        if rng.random() < self._rates.withdrawn:
            return "Withdrawn"
        if course_id in self._by_approval and rng.random() < self._rates.requested:
            return "Requested"
        return "Confirmed"

    def _booking(self, coming: LearningClass, record: LearnerRecord, status: EnrolmentStatus, rng: Random) -> Enrolment:
        """Made in the last three weeks, or those before the class; those who wait found it full, so theirs are later.

        Who asks for approval did so lately: nobody had to be reminded of it yet.
        """
        days_ago = rng.randint(*_DAYS_AGO.get(status, (5, 20)))
        placed_on = max(record.person.start, min(self._today, coming.start.date()) - timedelta(days=days_ago))
        return Enrolment(coming.id, record.person.id, status, _at_work(placed_on, rng))

    # --- Choosing people ---

    def _take(self, learning_class: LearningClass, reason: Reason, count: int) -> list[LearnerRecord]:
        """The next people in the course's queue who are free on that day; nobody is in a queue twice."""
        queue = self._queue(learning_class.course_id, reason)
        taken = self._choose(learning_class, queue, count)
        taken_ids = {record.person.id for record in taken}
        self._queues[learning_class.course_id, reason] = [
            record for record in queue if record.person.id not in taken_ids
        ]
        return taken

    def _choose(self, learning_class: LearningClass, among: list[LearnerRecord], count: int) -> list[LearnerRecord]:
        """The first of these people who are free on the day of a class, and are so no longer."""
        day = learning_class.start.date()
        chosen = list(islice((record for record in among if self._is_free(record.person, day)), count))
        self._busy |= {(record.person.id, day) for record in chosen}
        return chosen

    def _is_free(self, person: Person, day: date) -> bool:
        """Here long enough to be booked on a class of that day, and in no other."""
        joined_by = day - BOOKED_AHEAD if day < self._today else self._today
        return person.start <= joined_by and (person.id, day) not in self._busy

    def _queue(self, course_id: str, reason: Reason) -> list[LearnerRecord]:
        """Whom the course's first competency is required of, and for whom the reason holds, in an order drawn by lot.

        The lot hangs on course and person alone, so that a larger trust only adds people in between.
        """
        if (course_id, reason) not in self._queues:
            course = self._courses[course_id]
            learners = self._learners.get(course.awards[0], []) if course.awards else []
            chosen = [record for record in learners if self._holds(reason, record, course)]
            self._queues[course_id, reason] = sorted(chosen, key=lambda record: _lot(course_id, record.person.id))
        return self._queues[course_id, reason]

    def _holds(self, reason: Reason, record: LearnerRecord, course: Course) -> bool:
        match reason:
            case "met":
                needed = [name for name in course.awards if name in record.required]
                return not record.showcase and all(name in record.held for name in needed)
            case "red":
                return course.awards[0] not in record.held
            case "due":
                return self._is_due(record, course.awards[0])
            case "not due":
                return not self._is_due(record, course.awards[0])

    def _is_due(self, record: LearnerRecord, competency: str) -> bool:
        """Red, or valid and amber: it runs out within the amber months."""
        award, renewal = record.held.get(competency), self._renewals[competency]
        return award is None or (renewal is not None and award.awarded_on + renewal <= self._amber_until)


def _team_to_try(organisation: Organisation, records: list[LearnerRecord]) -> list[LearnerRecord]:
    """The team of the manager one can sign in as, but for people one can sign in as."""
    sign_ins = {each.role: each.person_id for each in organisation.sign_ins}
    team = {
        each.person_id
        for each in organisation.assignments
        if each.primary and each.supervisor_id == sign_ins.get("manager")
    }
    return [each for each in records if each.person.id in team.difference(sign_ins.values()) and _works_here(each)]


def _works_here(record: LearnerRecord) -> bool:
    return record.person.status == "employee"


def _by_competency(records: list[LearnerRecord]) -> dict[str, list[LearnerRecord]]:
    """Learners by what they must hold. Applicants are booked on nothing before they start."""
    learners: dict[str, list[LearnerRecord]] = {}
    for record in records:
        if record.person.status != "applicant":
            for name in record.required:
                learners.setdefault(name, []).append(record)
    return learners


def _complete(record: LearnerRecord, course: Course, past: LearningClass) -> None:
    """Everything the course awards is dated to the end of the class, instead of the day drawn before."""
    for name in course.awards:
        award = Award(record.person.id, name, past.end.date(), "course", course.id, past.id)
        if name not in record.required:
            record.others.append(award)
            continue
        before = record.held[name]
        if before.class_id is not None:
            # Two of the classes award it: both stay on record, and the later one counts.
            award, before = sorted((award, before), key=lambda each: each.awarded_on, reverse=True)
            record.others.append(before)
        record.held[name] = award


def _places(learning_class: LearningClass, filled: Filled, rng: Random) -> int:
    """How many of the places are to be given out."""
    return round(learning_class.maximum * rng.uniform(filled.least, filled.most))


def _at_work(day: date, rng: Random) -> datetime:
    """Some moment of the working day."""
    return datetime.combine(day, time(rng.randint(8, 17), rng.randint(0, 59)))


def _lot(course_id: str, person_id: str) -> bytes:
    return blake2b(f"{course_id} {person_id}".encode(), digest_size=8).digest()
