"""The catalogue as somebody may see it: courses, learning paths and classes, through learner access (domain.md §5)."""

from collections.abc import Iterable
from datetime import date, datetime
from typing import NamedTuple

import msgspec

from chalicelib.domain import access, prerequisites
from chalicelib.domain.access import Access, Standpoint
from chalicelib.domain.actor import Actor
from chalicelib.domain.calendar import london_day
from chalicelib.domain.catalogue import (
    Catalogue,
    Course,
    Item,
    LearningPath,
    live_on,
    may_belong,
)
from chalicelib.domain.classes import Class, Seats
from chalicelib.domain.enrolment import Party, completed_courses
from chalicelib.domain.errors import NotFound
from chalicelib.domain.learner import Learner
from chalicelib.domain.permissions import Capability, Role
from chalicelib.domain.placing import Verdict, day_that_counts, judge_placing
from chalicelib.domain.prerequisites import Achieved, Checked
from chalicelib.domain.requirements import Rulebook
from chalicelib.storage import classes, rules

SEES_EVERYTHING = frozenset({Role.LEARNING_ADMINISTRATOR, Role.CLASS_ADMINISTRATOR, Role.NATIONAL_ADMINISTRATOR})
"""Learning and class administrators always see an item (domain.md §5)."""

CLASSES_SHOWN = 50


class Viewer(msgspec.Struct, frozen=True):
    """Somebody who looks at the catalogue on a London day, with the ways in which they meet access rules.

    `learner` is who they are as a learner; None for somebody who is none here, and who then has no standpoint either.
    """

    actor: Actor
    learner: Learner | None
    day: date
    rulebook: Rulebook
    catalogue: Catalogue
    standpoints: tuple[Standpoint, ...]

    @classmethod
    def of(cls, actor: Actor, now: datetime) -> "Viewer":
        """The actor, today, for themselves. Reads the versions of rules and catalogue, and what has changed since."""
        rulebook, known = rules.rulebook_and_catalogue(actor.employer)
        learner = actor.learner if actor.scopes(Capability.SELF_ENROL) else None
        day = london_day(now)
        return cls(actor, learner, day, rulebook, known, learner.standpoints_on(day, rulebook) if learner else ())

    @classmethod
    def themselves(cls, learner: Learner, day: date, rulebook: Rulebook, known: Catalogue) -> "Viewer":
        """A learner as they look on a day, without being asked: by no role, and with what was read."""
        actor = Actor(learner.person.id, learner.employer, frozenset(), learner)
        return cls(actor, learner, day, rulebook, known, learner.standpoints_on(day, rulebook))

    def placing(self, learner: Learner) -> "Viewer":
        """The same person on the same day, who places this learner."""
        return msgspec.structs.replace(
            self, learner=learner, standpoints=learner.standpoints_on(self.day, self.rulebook)
        )

    @property
    def administers(self) -> bool:
        """Whether they see everything, whatever learner access says."""
        return not self.actor.roles.isdisjoint(SEES_EVERYTHING)

    def access_to(self, item: Item, only_units: Iterable[str] = ()) -> Access:
        """Their access as a learner to an item, or to a class of it that is narrowed to units."""
        return access.decide(item.access_rules, access.within(self.standpoints, only_units), self.day)

    def sees(self, item: Item, through: Access | None = None) -> bool:
        """Whether they can find an item, with the access given or by its rules."""
        if self.administers:
            return True
        return live_on(item, self.day) and (through or self.access_to(item)).visible

    def may_enter(self, class_: Class) -> bool:
        """Whether they can find a class: one assignment meets a rule of its course and lies in its units, or they take part."""
        course = self.catalogue.courses.get(class_.course)
        if course is None:
            return False
        return self.sees(course, self.access_to(course, class_.only_units)) or self.takes_part(class_)

    def takes_part(self, class_: Class) -> bool:
        """Whether they instruct a class or are on it: then it is theirs, whatever becomes of its course and of access."""
        taking = self.learner or self.actor.learner
        mine = taking.enrolments if taking else ()
        return class_.instructor == self.actor.person or any(
            each.class_id == class_.id and (each.open or each.seated) for each in mine
        )

    def on(self, class_: Class, seats: Seats) -> "SeenClass | None":
        """A class as they look at it, whether or not they can find it; None if its course is in no catalogue."""
        course = self.catalogue.courses.get(class_.course)
        if course is None:
            return None
        return SeenClass(class_, seats, course, self.access_to(course, class_.only_units), self.catalogue, self)

    def checked(self, course: Course, day: date, learner: Learner | None) -> tuple[Checked, ...]:
        """The prerequisites of a course as a learner (None: nobody) meets them on a day.

        A course counts wherever it was completed: national ones at any employer, while others' own are asked for by nobody here.
        """
        achieved = None
        if learner:
            achieved = Achieved(learner.awards, completed_courses((*learner.enrolments, *learner.elsewhere)))
        return prerequisites.check(course, achieved, day, self.rulebook, self.catalogue, self.sees)


class CourseView(msgspec.Struct, frozen=True):
    """A course as its finder sees it on a day: through which access, what comes before it, its next classes with their places."""

    course: Course
    access: Access
    prerequisites: tuple[Checked, ...]
    classes: tuple[tuple[Class, Seats], ...]
    catalogue: Catalogue
    day: date


class ClassView(msgspec.Struct, frozen=True):
    """A class with its places, and whether the learner may enrol now (None for somebody who is no learner here)."""

    class_: Class
    seats: Seats
    course: Course
    prerequisites: tuple[Checked, ...]
    verdict: Verdict | None
    catalogue: Catalogue


class PathView(msgspec.Struct, frozen=True):
    """A learning path with those of its courses that its finder may see on a day, by section."""

    path: LearningPath
    access: Access
    sections: tuple[tuple[str, tuple[tuple[Course, Access], ...]], ...]
    day: date


def course_detail(actor: Actor, course_id: str, now: datetime) -> CourseView:
    """A course with its next classes and their places. Raises NotFound also for what the actor may not see.

    Prerequisites are judged today; those of a class on the day it starts.
    """
    viewer = Viewer.of(actor, now)
    course = _course(viewer, course_id)
    following = classes.classes_of_course(course.id, actor.employer, now, CLASSES_SHOWN, viewer.may_enter)
    return CourseView(
        course,
        viewer.access_to(course),
        viewer.checked(course, viewer.day, viewer.learner),
        tuple(following),
        viewer.catalogue,
        viewer.day,
    )


def path_detail(actor: Actor, path_id: str, now: datetime) -> PathView:
    """A learning path. Raises NotFound also for what the actor may not see; courses they may not see are left out."""
    viewer = Viewer.of(actor, now)
    path = viewer.catalogue.paths.get(path_id) if may_belong(path_id, actor.employer) else None
    if path is None or not viewer.sees(path):
        raise NotFound("There is no such learning path.", path_id=path_id)
    return PathView(
        path,
        viewer.access_to(path),
        tuple((section.title, _seen_of(viewer, section.courses)) for section in path.sections),
        viewer.day,
    )


def _seen_of(viewer: Viewer, courses: Iterable[str]) -> tuple[tuple[Course, Access], ...]:
    known = (viewer.catalogue.courses.get(each) for each in courses)
    return tuple(
        (course, found) for course in known if course and viewer.sees(course, found := viewer.access_to(course))
    )


def class_detail(actor: Actor, class_id: str, now: datetime) -> ClassView:
    """A class, its places, and the verdict on enrolling oneself. Raises NotFound also for what the actor may not see."""
    seen = class_for(actor, class_id, now)
    learner = seen.viewer.learner
    checked = seen.viewer.checked(seen.course, day_that_counts(seen.class_, now), learner)
    verdict = _judge(seen, learner, checked, now) if learner else None
    return ClassView(seen.class_, seen.seats, seen.course, checked, verdict, seen.catalogue)


class SeenClass(NamedTuple):
    """A class that somebody may see: its places, its course, their access, and the catalogue that names subjects and venues."""

    class_: Class
    seats: Seats
    course: Course
    access: Access
    catalogue: Catalogue
    viewer: Viewer

    def placing(self, learner: Learner) -> "SeenClass":
        """The same reading of the class, with the access of a learner whom the actor places."""
        viewer = self.viewer.placing(learner)
        return self._replace(access=viewer.access_to(self.course, self.class_.only_units), viewer=viewer)

    @property
    def may_enter(self) -> bool:
        """Whether the class can be found through this access, or is theirs."""
        return self.viewer.may_enter(self.class_)


def class_for(
    actor: Actor, class_id: str, now: datetime, consistent: bool = False, learner: Learner | None = None
) -> SeenClass:
    """A class as the actor may see it, for themselves or to place another learner on, who finds it or whose placer does.

    Raises NotFound also for what they may not see.
    """
    own = look_at(actor, class_id, now, consistent)
    seen = own.placing(learner) if learner else own
    if not seen.may_enter and not own.may_enter:
        raise no_such_class(class_id)
    return seen


def look_at(actor: Actor, class_id: str, now: datetime, consistent: bool = False) -> SeenClass:
    """A class that there is, whether or not the actor may know of it: `may_enter` says so. Raises NotFound."""
    loaded = classes.class_with_seats(class_id, consistent) if may_belong(class_id, actor.employer) else None
    seen = Viewer.of(actor, now).on(*loaded) if loaded else None
    if seen is None:
        raise no_such_class(class_id)
    return seen


def no_such_class(class_id: str) -> NotFound:
    """What is said of a class that there is not, and of one that somebody may not know of."""
    return NotFound("There is no such class.", class_id=class_id)


def judge(
    seen: SeenClass, learner: Learner, now: datetime, by: Party = Party.LEARNER, overriding: bool = False
) -> Verdict:
    """Whether a learner may be placed on a class by somebody who may see it, by all of the rules."""
    checked = seen.viewer.checked(seen.course, day_that_counts(seen.class_, now), learner)
    return _judge(seen, learner, checked, now, by, overriding)


def _judge(
    seen: SeenClass,
    learner: Learner,
    checked: tuple[Checked, ...],
    now: datetime,
    by: Party = Party.LEARNER,
    overriding: bool = False,
) -> Verdict:
    mine = (*learner.enrolments, *learner.elsewhere)
    return judge_placing(
        seen.course, seen.class_, seen.seats, seen.access, mine, learner.employment, now, checked, by, overriding
    )


def _course(viewer: Viewer, course_id: str) -> Course:
    course = viewer.catalogue.courses.get(course_id) if may_belong(course_id, viewer.actor.employer) else None
    if course is None or not viewer.sees(course):
        raise NotFound("There is no such course.", course_id=course_id)
    return course
