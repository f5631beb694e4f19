"""What to try with classes: a weekly one over a clock change and a bank holiday, who may find it, what comes before another."""

from collections import Counter
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from itertools import count
from typing import Any

from chalicelib.domain.actor import Actor
from chalicelib.domain.calendar import LONDON, london_day
from chalicelib.domain.catalogue import Course, Mode
from chalicelib.recurrence import bank_holiday
from infrastructure import Failure

from . import trust as plan
from .load_mapping import Content

WEEK = timedelta(days=7)
START, NOON = time(9, 15), 12


class NothingToTry(Failure):
    """The trust lacks what would show something."""


def classes_to_try(trust: plan.Trust, content: Content, actor: Actor, booked: str, now: datetime) -> dict[str, Any]:
    """For this learner: a schedule of a course other than the booked one, a post that is not theirs, a course that wants something
    first with a class of it, and a class with a register worth printing.
    """
    course = _open_course(content, booked)
    later, class_after = _what_comes_after(content, actor, now)
    return {
        "schedule": schedule_to_try(content, course, london_day(now)),
        "course_id": course.id,
        "revision": course.revision,
        "title": course.title.partition(" ")[2],
        "position": _another_position(trust, actor),
        "course_with_prerequisite": later,
        "class_with_prerequisite": class_after,
        "class_with_register": _fullest_class(content, now),
    }


def schedule_to_try(content: Content, course: Course, today: date) -> dict[str, Any]:
    """A class a week, from before to after the next clock change and the bank holiday nearest to it."""
    change = next(day for day in _days(today + 2 * WEEK) if _clocks_change(day))
    near = (day for distance in count() for day in (change - distance * timedelta(1), change + distance * timedelta(1)))
    holiday = next(day for day in near if day > today + WEEK and day.weekday() < 5 and bank_holiday(day))
    first, last = holiday - WEEK, holiday + WEEK
    while first >= change:
        first -= WEEK
    while last <= change:
        last += WEEK
    until = datetime.combine(first, START) + timedelta(minutes=course.duration_minutes)
    offering = next(each for each in course.offerings if each.mode is Mode.CLASSROOM)
    return {
        "course_id": course.id,
        "offering": offering.id,
        "sessions": [{"from": f"{START:%H:%M}", "until": f"{until:%H:%M}"}],
        "minimum": 4,
        "maximum": 12,
        "venue": content.venues[0].id,
        "pattern": {"repeats": "weekly", "starts_on": first.isoformat(), "until": last.isoformat()},
        "accept_cautions": True,
    }


def _days(first: date) -> Iterator[date]:
    return (first + timedelta(days=number) for number in count())


def _clocks_change(day: date) -> bool:
    """Whether the clocks are put forward or back in the night before noon of a day."""
    noon, noon_before = (
        datetime(each.year, each.month, each.day, NOON, tzinfo=LONDON) for each in (day, day - timedelta(days=1))
    )
    return noon.utcoffset() != noon_before.utcoffset()


def _open_course(content: Content, booked: str) -> Course:
    """A classroom course of the employer that everybody finds, other than this one."""
    for course in content.courses:
        everybody = any(not rule.targets for rule in course.access_rules)
        taught = any(offering.mode is Mode.CLASSROOM for offering in course.offerings)
        if everybody and taught and course.id != booked and not course.prerequisites:
            return course
    raise NothingToTry("no classroom course is open to everybody.")


def _another_position(trust: plan.Trust, actor: Actor) -> str:
    own = {each.position_id for each in trust.organisation.assignments if each.person_id == actor.person}
    return next(each.position_id for each in trust.organisation.assignments if each.position_id not in own)


def _what_comes_after(content: Content, actor: Actor, now: datetime) -> tuple[str, str]:
    """A course that wants a competency which the learner never had, and a class of it to come."""
    assert actor.learner is not None
    held = {award.competency for award in actor.learner.awards}
    courses = {course.id: course for course in content.courses}
    for class_ in content.classes:
        wanted = {each.id for each in courses[class_.course].prerequisites if each.mandatory}
        if wanted - held and class_.starts_at and class_.starts_at > now:
            return class_.course, class_.id
    raise NothingToTry("the learner has whatever any course wants.")


def _fullest_class(content: Content, now: datetime) -> str:
    """The class to come with most people on it."""
    on_it = Counter(each.class_id for newcomer in content.newcomers for each in newcomer.enrolments if each.seated)
    coming = [class_ for class_ in content.classes if class_.starts_at and class_.starts_at > now]
    return max(coming, key=lambda class_: on_it[class_.id]).id
