"""The catalogue: finding courses and classes one may see, and keeping them."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

import msgspec

from chalicelib.domain import access
from chalicelib.domain.access import Access
from chalicelib.domain.actor import Actor
from chalicelib.domain.calendar import london_day
from chalicelib.domain.catalogue import Catalogue, Course, CourseStatus, Subject, may_belong, owner_of, search
from chalicelib.domain.classes import Class, Seats, Session
from chalicelib.domain.enrolment import Verdict, judge_self_enrolment
from chalicelib.domain.errors import NotFound
from chalicelib.domain.learner import Learner
from chalicelib.domain.permissions import Capability, Role
from chalicelib.domain.requirements import Rulebook
from chalicelib.storage import audit, catalogue, classes, keys, rules
from chalicelib.storage.transaction import Transaction

SEES_EVERYTHING = frozenset({Role.LEARNING_ADMINISTRATOR, Role.CLASS_ADMINISTRATOR, Role.NATIONAL_ADMINISTRATOR})
"""Learning and class administrators always see an item (domain.md §5)."""

CLASSES_SHOWN = 50


class CourseView(msgspec.Struct, frozen=True):
    """A course as its finder sees it: through which access, and its next classes with their places."""

    course: Course
    access: Access
    classes: tuple[tuple[Class, Seats], ...] = ()


class ClassView(msgspec.Struct, frozen=True):
    """A class with its places, and whether the learner may enrol now (None for somebody who is no learner here)."""

    class_: Class
    seats: Seats
    course: Course
    verdict: Verdict | None


class Found(msgspec.Struct, frozen=True):
    """A page of search results and how many there are in all."""

    views: tuple[CourseView, ...]
    total: int
    next_offset: int | None


def access_of(actor: Actor, course: Course, rulebook: Rulebook, now: datetime) -> Access:
    """The actor's access to a course as a learner; somebody who is no learner here has none."""
    if actor.learner is None or not actor.scopes(Capability.SELF_ENROL):
        return Access(None)
    return learner_access(actor.learner, course, rulebook, now)


def learner_access(learner: Learner, course: Course, rulebook: Rulebook, now: datetime) -> Access:
    """The learner's access to a course today."""
    day = london_day(now)
    return access.decide(course.access_rules, learner.standpoints_on(day, rulebook), day)


def _visible(actor: Actor, course: Course, found: Access) -> bool:
    administers = bool(actor.roles & SEES_EVERYTHING)
    return administers or (found.visible and course.status is CourseStatus.LIVE)


def find(
    actor: Actor, words: str, subject: str | None, competency: str | None, limit: int, offset: int, now: datetime
) -> Found:
    """A page of the courses that match and that the actor may see; what one may not see is counted nowhere."""
    rulebook, known = rules.rulebook_and_catalogue(actor.employer)
    views = [
        CourseView(course, found)
        for course in search(known.courses.values(), words, subject, competency)
        if _visible(actor, course, found := access_of(actor, course, rulebook, now))
    ]
    end = offset + limit
    return Found(tuple(views[offset:end]), len(views), end if end < len(views) else None)


def course_detail(actor: Actor, course_id: str, now: datetime) -> CourseView:
    """A course with its next classes and their places. Raises NotFound also for what the actor may not see."""
    course, found, _ = _course(actor, course_id, now)
    return CourseView(course, found, tuple(classes.classes_of_course(course.id, actor.employer, now, CLASSES_SHOWN)))


def class_detail(actor: Actor, class_id: str, now: datetime) -> ClassView:
    """A class, its places, and the verdict on enrolling oneself. Raises NotFound also for what the actor may not see."""
    class_, seats, course, found, _ = class_for(actor, class_id, now)
    verdict = None
    if actor.learner is not None and actor.scopes(Capability.SELF_ENROL):
        mine = (*actor.learner.enrolments, *actor.learner.elsewhere)
        verdict = judge_self_enrolment(course, class_, seats, found, mine, now)
    return ClassView(class_, seats, course, verdict)


class SeenClass(NamedTuple):
    """A class that somebody may see: its places, its course, their access, and the catalogue that names subjects and venues."""

    class_: Class
    seats: Seats
    course: Course
    access: Access
    catalogue: Catalogue


def class_for(actor: Actor, class_id: str, now: datetime, consistent: bool = False) -> SeenClass:
    """A class as the actor may see it. Raises NotFound also for what they may not see."""
    loaded = classes.class_with_seats(class_id, consistent) if may_belong(class_id, actor.employer) else None
    if loaded is None:
        raise NotFound("There is no such class.", class_id=class_id)
    class_, seats = loaded
    try:
        course, found, known = _course(actor, class_.course, now)
    except NotFound as hidden:
        raise NotFound("There is no such class.", class_id=class_id) from hidden
    return SeenClass(class_, seats, course, found, known)


def _course(actor: Actor, course_id: str, now: datetime) -> tuple[Course, Access, Catalogue]:
    if may_belong(course_id, actor.employer):
        rulebook, known = rules.rulebook_and_catalogue(actor.employer)
        if course := known.courses.get(course_id):
            found = access_of(actor, course, rulebook, now)
            if _visible(actor, course, found):
                return course, found, known
    raise NotFound("There is no such course.", course_id=course_id)


def add_subjects(actor: str, owner: str, subjects: Iterable[Subject], now: datetime) -> None:
    """Add subjects to an owner's catalogue, up to 90 in one transaction. Raises Conflict if one exists."""
    transaction = Transaction()
    added = list(subjects)
    for subject in added:
        transaction.create(catalogue.SubjectRow.of(owner, subject))
    rules.move_version(transaction, owner, keys.CATALOGUE)
    _audit(transaction, actor, owner, "subjects.added", now, [subject.id for subject in added])
    transaction.commit_new("One of these subjects exists already.")


def add_course(actor: str, course: Course, now: datetime) -> None:
    """Add a course with its offerings and access rules; every cache reads it again. Raises Conflict if it exists."""
    transaction = Transaction()
    for row in catalogue.rows_of_course(course):
        transaction.create(row)
    rules.move_version(transaction, owner_of(course.id), keys.CATALOGUE)
    _audit(transaction, actor, owner_of(course.id), "course.added", now, [course.id])
    transaction.commit_new("There is a course of this id already.")


def add_class(actor: str, class_: Class, now: datetime) -> None:
    """Add a class with its sessions; places are free from the start. Raises Conflict if it exists.

    A dated class without sessions gets one, from its start to its end.
    """
    if class_.starts_at and class_.ends_at and not class_.sessions:
        class_ = replace(class_, sessions=(Session(class_.starts_at, class_.ends_at),))
    transaction = Transaction()
    for row in classes.rows_of_class(class_):
        transaction.create(row)
    _audit(transaction, actor, owner_of(class_.id), "class.added", now, [class_.id])
    transaction.commit_new("There is a class of this id already.")


def _audit(transaction: Transaction, actor: str, owner: str, action: str, now: datetime, ids: list[str]) -> None:
    audit.record(transaction, audit.Entry(owner, actor, action, now, facts={"ids": ids}))
