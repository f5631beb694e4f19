"""Finding courses and classes."""

from datetime import date, datetime
from typing import Annotated, Any

import msgspec
from chalice import Blueprint

from chalicelib.domain.access import AccessMode
from chalicelib.domain.catalogue import Course, owner_of
from chalicelib.domain.classes import Class, Seats, status_shown
from chalicelib.domain.enrolment import Verdict
from chalicelib.domain.permissions import Capability
from chalicelib.handlers.classes import SessionView
from chalicelib.handlers.http import Request, Routes
from chalicelib.handlers.paging import Cursor, Limit, NextCursor
from chalicelib.handlers.problems import Problem, problem_of
from chalicelib.services import catalogue
from chalicelib.services.catalogue import ClassView, CourseView, Found
from chalicelib.storage import cursor

blueprint = Blueprint(__name__)
routes = Routes(blueprint, "Catalogue")

_ACCESS_WORDS = {
    AccessMode.SELF_ENROL: "You may enrol yourself.",
    AccessMode.APPROVAL: "You need your manager's approval.",
    AccessMode.ADMINISTRATOR: "The learning team enrols people on this.",
    None: "You see this as an administrator; as a learner you could not find it.",
}


class GrantsView(msgspec.Struct, frozen=True):
    """What completing a course awards."""

    competency: str
    level: int


class CourseSummary(msgspec.Struct, frozen=True):
    """A course in a list."""

    id: str
    title: str
    subject: str
    modes: list[str]
    duration_minutes: int
    awards: list[GrantsView]
    national: bool
    access: Annotated[str, msgspec.Meta(description="How the caller may get on it, in a sentence.")]

    @classmethod
    def of(cls, view: CourseView) -> "CourseSummary":
        """Present a course in a list."""
        course = view.course
        return cls(
            course.id,
            course.title,
            course.subject,
            _modes(course),
            course.duration_minutes,
            [GrantsView(each.competency, each.level) for each in course.grants],
            owner_of(course.id) == "NHS",
            _ACCESS_WORDS[view.access.mode],
        )


def _modes(course: Course) -> list[str]:
    return [offering.mode.value for offering in course.offerings]


class CoursePage(msgspec.Struct, frozen=True):
    """A page of courses."""

    courses: list[CourseSummary]
    total: Annotated[int, msgspec.Meta(description="How many the caller may see in all.")]
    next_cursor: NextCursor

    @classmethod
    def of(cls, found: Found) -> "CoursePage":
        """Present a page of search results."""
        return cls(
            [CourseSummary.of(view) for view in found.views], found.total, cursor.seal("courses", found.next_offset)
        )


class CourseQuery(msgspec.Struct, frozen=True):
    """What to look for."""

    words: Annotated[str, msgspec.Meta(max_length=100, description="Words in any order; each may be a beginning.")] = ""
    subject: Annotated[str, msgspec.Meta(max_length=80, description="A subject's id.")] | None = None
    competency: (
        Annotated[str, msgspec.Meta(max_length=200, description="Full name of a competency to be awarded.")] | None
    ) = None
    limit: Limit = 20
    cursor: Cursor | None = None


@routes.route(
    "GET",
    "/v1/courses",
    capability=Capability.FIND_LEARNING,
    summary="Search the catalogue",
    query=CourseQuery,
    answer=CoursePage,
)
def search_courses(request: Request) -> Found:
    """Courses that match and that the caller may see, by title. What learner access hides is not counted either."""
    query = request.query
    offset = cursor.unseal("courses", query.cursor) or 0
    return catalogue.find(request.actor, query.words, query.subject, query.competency, query.limit, offset, request.now)


class ClassSummary(msgspec.Struct, frozen=True):
    """A class in a list, with its places."""

    id: str
    title: str
    mode: str
    status: Annotated[str, msgspec.Meta(description="planned, normal, full, closed or cancelled.")]
    starts_at: Annotated[datetime | None, msgspec.Meta(description="UTC; null for e-learning.")]
    ends_at: datetime | None
    venue: str | None
    maximum: Annotated[int | None, msgspec.Meta(description="Places; null without limit.")]
    taken: int
    free: int | None
    waiting: int

    @classmethod
    def of(cls, class_: Class, seats: Seats) -> "ClassSummary":
        """Present a class in a list."""
        return cls(
            class_.id,
            class_.title,
            class_.mode.value,
            status_shown(class_, seats).value,
            class_.starts_at,
            class_.ends_at,
            class_.venue,
            seats.maximum,
            seats.taken,
            seats.free,
            seats.waiting,
        )


class CourseDetail(msgspec.Struct, frozen=True):
    """A course with its next classes."""

    id: str
    title: str
    subject: str
    description: str
    modes: list[str]
    duration_minutes: int
    awards: list[GrantsView]
    national: bool
    joining_instructions: str
    access: str
    classes: Annotated[list[ClassSummary], msgspec.Meta(description="The next 50 by start, e-learning last.")]

    @classmethod
    def of(cls, view: CourseView) -> "CourseDetail":
        """Present a course."""
        summary, course = CourseSummary.of(view), view.course
        return cls(
            summary.id,
            summary.title,
            summary.subject,
            course.description,
            summary.modes,
            summary.duration_minutes,
            summary.awards,
            summary.national,
            course.joining_instructions,
            summary.access,
            [ClassSummary.of(class_, seats) for class_, seats in view.classes],
        )


@routes.route(
    "GET",
    "/v1/courses/{course_id}",
    capability=Capability.FIND_LEARNING,
    summary="A course and its next classes",
    answer=CourseDetail,
)
def course(request: Request) -> CourseView:
    """A course with places left on its next classes. A course the caller may not see is reported as not found."""
    return catalogue.course_detail(request.actor, request.path["course_id"], request.now)


class MayEnrol(msgspec.Struct, frozen=True):
    """Whether the caller may enrol now, and if not, the problem that enrolling would answer."""

    allowed: bool
    why_not: Problem | None

    @classmethod
    def of(cls, verdict: Verdict) -> "MayEnrol":
        """Present a verdict."""
        refusal = verdict.refusal
        return cls(refusal is None, problem_of(refusal) if refusal else None)


class ClassDetail(msgspec.Struct, frozen=True):
    """A class with its sessions, its places, and the verdict on enrolling."""

    id: str
    course_id: str
    title: str
    mode: str
    status: str
    starts_at: datetime | None
    ends_at: datetime | None
    sessions: list[SessionView]
    venue: str | None
    minimum: int
    maximum: int | None
    taken: int
    free: int | None
    waiting: int
    enrol_from: date | None
    enrol_until: date | None
    joining_instructions: str
    may_enrol: Annotated[MayEnrol | None, msgspec.Meta(description="null for somebody who is no learner here.")]

    @classmethod
    def of(cls, view: ClassView) -> "ClassDetail":
        """Present a class."""
        class_, seats = view.class_, view.seats
        return cls(
            id=class_.id,
            course_id=class_.course,
            title=class_.title,
            mode=class_.mode.value,
            status=status_shown(class_, seats).value,
            starts_at=class_.starts_at,
            ends_at=class_.ends_at,
            sessions=[SessionView.of(each) for each in class_.sessions],
            venue=class_.venue,
            minimum=class_.minimum,
            maximum=seats.maximum,
            taken=seats.taken,
            free=seats.free,
            waiting=seats.waiting,
            enrol_from=class_.enrol_from,
            enrol_until=class_.enrol_until,
            joining_instructions=view.course.joining_instructions,
            may_enrol=MayEnrol.of(view.verdict) if view.verdict else None,
        )


@routes.route(
    "GET",
    "/v1/classes/{class_id}",
    capability=Capability.FIND_LEARNING,
    summary="A class and its places",
    answer=ClassDetail,
)
def class_(request: Request) -> Any:
    """A class, its free places, and whether the caller may enrol now; if not, the rule that says no and the way out."""
    return catalogue.class_detail(request.actor, request.path["class_id"], request.now)
