"""Attendance: a register marked, an outcome corrected, and who did not attend."""

from collections import Counter
from datetime import date
from enum import StrEnum
from typing import Annotated, ClassVar, Literal

import msgspec
from chalice import Blueprint

from chalicelib.domain import errors
from chalicelib.domain.attendance import Mark
from chalicelib.domain.calendar import london_day
from chalicelib.domain.enrolment import Status
from chalicelib.domain.permissions import Capability
from chalicelib.handlers.enrolment import AwardedView, EnrolmentView
from chalicelib.handlers.fields import Identifier, SaidWhy
from chalicelib.handlers.http import Request, Routes, time_to_answer
from chalicelib.handlers.paging import Cursor, Limit, NextCursor
from chalicelib.handlers.problems import Problem, problem_of
from chalicelib.services import attendance as service
from chalicelib.services import did_not_attend
from chalicelib.services.attendance import Marked, Register
from chalicelib.services.did_not_attend import Missed, MissedPage
from chalicelib.services.learning import Shown
from chalicelib.storage import cursor

blueprint = Blueprint(__name__)
routes = Routes(blueprint, "Attendance")

Outcome = Literal["completed", "attended - not completed", "did not attend"]
Score = Annotated[
    float, msgspec.Meta(ge=0, le=100, description="Per cent, kept to two decimals; none of somebody who was not there.")
]


# --- marking a register -------------------------------------------------------------------------------------------


class MarkBody(msgspec.Struct, frozen=True):
    """What is noted of somebody on the class."""

    person_id: Identifier
    outcome: Outcome
    score: Score | None = None


class RegisterBody(msgspec.Struct, frozen=True):
    """Outcomes of the people named, and of everybody else who holds a seat."""

    MAX_BODY_BYTES: ClassVar[int] = 256 * 1024

    marks: Annotated[list[MarkBody], msgspec.Meta(max_length=500)] = []
    rest: Annotated[
        Outcome | None, msgspec.Meta(description="What is noted of whoever holds a seat and is not named.")
    ] = None


class Became(StrEnum):
    """What became of a mark. Unchanged: it is noted already."""

    MARKED = "marked"
    UNCHANGED = "unchanged"
    REFUSED = "refused"
    NOT_TRIED = "not tried"


class MarkedView(msgspec.Struct, frozen=True):
    """What became of one on the register."""

    person_id: str
    result: Annotated[
        Became,
        msgspec.Meta(
            description="marked, unchanged (noted already), refused, or not tried (time ran out: send it again)."
        ),
    ]
    enrolment_id: str | None
    status: str | None
    score: float | None
    awarded: Annotated[list[AwardedView], msgspec.Meta(description="What the completion has awarded.")]
    problem: Annotated[Problem | None, msgspec.Meta(description="Why it was refused, and the way out.")]

    @classmethod
    def of(cls, marked: Marked) -> "MarkedView":
        """Present what became of a mark."""
        enrolment, refusal = marked.enrolment, marked.refusal
        if enrolment is None:
            problem = problem_of(refusal) if refusal else None
            return cls(marked.person, Became.REFUSED, None, None, None, [], problem)
        became = Became.MARKED if marked.changed else Became.UNCHANGED
        awarded = [AwardedView.of(each) for each in marked.awards]
        return cls(marked.person, became, enrolment.id, enrolment.status.value, enrolment.score, awarded, None)


class RegisterView(msgspec.Struct, frozen=True):
    """What became of everybody on the register: those named in their order, then the rest."""

    marked: int
    unchanged: int
    refused: int
    not_tried: int
    results: list[MarkedView]

    @classmethod
    def of(cls, register: Register) -> "RegisterView":
        """Present a register."""
        results = [MarkedView.of(each) for each in register.results]
        results += [MarkedView(each, Became.NOT_TRIED, None, None, None, [], None) for each in register.not_tried]
        count = Counter(each.result for each in results)
        return cls(
            count[Became.MARKED],
            count[Became.UNCHANGED],
            count[Became.REFUSED],
            count[Became.NOT_TRIED],
            results,
        )


@routes.route(
    "POST",
    "/v1/classes/{class_id}/attendance",
    capability=Capability.UPDATE_STATUS,
    summary="Mark the register of a class",
    body=RegisterBody,
    answer=RegisterView,
    refusals=(errors.NotFound, errors.ClassNotStarted, errors.ClassCancelled),
)
def mark_attendance(request: Request) -> Register:
    """Note who completed a class, who was there without completing it, and who was not there: an instructor on their own classes, a
    class administrator in their subjects. From the start of the class on; of e-learning at any time.

    Competencies are awarded with the answer. What is refused of one keeps nobody else from being marked; nobody marks themselves.
    It works for 20 seconds at most and says who was not tried. Repeating it changes nothing and does the rest; another outcome for
    somebody who has one is a correction.
    """
    body = request.body
    return service.mark(
        request.actor,
        request.path["class_id"],
        [Mark(each.person_id, Status(each.outcome), each.score) for each in body.marks],
        Status(body.rest) if body.rest else None,
        request.now,
        time_to_answer(),
    )


# --- correcting ---------------------------------------------------------------------------------------------------


class CorrectionBody(msgspec.Struct, frozen=True):
    """The right outcome, and why it was another one."""

    outcome: Annotated[
        Literal["confirmed", "completed", "attended - not completed", "did not attend"],
        msgspec.Meta(description="`confirmed` takes the outcome back, as if nothing had been noted."),
    ]
    reason: Annotated[SaidWhy, msgspec.Meta(description="It stays in the history of the enrolment.")]
    score: Annotated[Score | None, msgspec.Meta(description="Left out, it stays as it is.")] = None


@routes.route(
    "POST",
    "/v1/people/{person_id}/enrolments/{enrolment_id}/correction",
    capability=Capability.UPDATE_STATUS,
    summary="Correct somebody's outcome",
    body=CorrectionBody,
    answer=EnrolmentView,
    refusals=(
        errors.NotFound,
        errors.OwnEnrolment,
        errors.EnrolmentNotThere,
        errors.ClassNotStarted,
        errors.ClassCancelled,
        errors.AlreadyEnrolled,
        errors.Conflict,
    ),
)
def correct_attendance(request: Request) -> Shown:
    """Put a wrong outcome or score right, as an administrator (in one's subjects). What a completion had awarded becomes void with
    it, and a new completion awards; `awarded` is what stands then. Repeating it changes nothing. An outcome is not taken back where
    the learner has been on the class again since.
    """
    body, path = request.body, request.path
    enrolment, awarded = service.correct(
        request.actor,
        path["person_id"],
        path["enrolment_id"],
        Status(body.outcome),
        body.score,
        body.reason,
        request.now,
    )
    return Shown(enrolment, own=False, awards=awarded)


# --- who did not attend -------------------------------------------------------------------------------------------


class MissedView(msgspec.Struct, frozen=True):
    """Somebody who did not attend a class."""

    person_id: str
    name: str
    employee_number: str
    unit: Annotated[str, msgspec.Meta(description="Where they worked on that day; empty without assignment.")]
    supervisor_id: str | None
    supervisor: str
    course_id: str
    course: str
    class_id: str
    enrolment_id: str
    day: Annotated[date, msgspec.Meta(description="London day of the class.")]
    repeats: Annotated[
        int,
        msgspec.Meta(
            description="How often they did not attend in the twelve months up to that day, this one included."
        ),
    ]

    @classmethod
    def of(cls, missed: Missed) -> "MissedView":
        """Present an absence."""
        absence = missed.absence
        return cls(
            absence.person,
            missed.name,
            missed.number,
            missed.unit,
            absence.supervisor,
            missed.supervisor,
            absence.course,
            absence.title,
            absence.class_id,
            f"{absence.class_id}~{absence.attempt}",
            absence.day,
            missed.repeats,
        )


class OfCourse(msgspec.Struct, frozen=True):
    """How many did not attend classes of a course."""

    course_id: str
    course: str
    did_not_attend: int


class MissedList(msgspec.Struct, frozen=True):
    """Who did not attend in a month, by day, and how many of which courses."""

    month: Annotated[str, msgspec.Meta(description="Such as 2026-11.")]
    total: int
    by_course: Annotated[list[OfCourse], msgspec.Meta(description="Of the whole month, most first.")]
    rows: list[MissedView]
    next_cursor: NextCursor

    @classmethod
    def of(cls, page: MissedPage) -> "MissedList":
        """Present a page."""
        return cls(
            f"{page.month:%Y-%m}",
            page.total,
            [OfCourse(course, title, count) for course, title, count in page.by_course],
            [MissedView.of(each) for each in page.rows],
            cursor.seal(_purpose(page.month, page.course), page.after),
        )


def _purpose(month: date, course: str | None) -> str:
    return f"did not attend {month:%Y-%m} {course or 'any'}"


Month = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^(19|20|21)\d\d-(0[1-9]|1[0-2])$(?!\n)", description="Such as 2026-11; this one unless told."
    ),
]
CourseId = Annotated[Identifier, msgspec.Meta(description="The id of a course.")]


class MissedQuery(msgspec.Struct, frozen=True):
    """Which month, London time, and of which course."""

    month: Month | None = None
    course: CourseId | None = None
    limit: Limit = 20
    cursor: Cursor | None = None


@routes.route(
    "GET",
    "/v1/did-not-attend",
    capability=Capability.VIEW_REPORTS,
    summary="Who did not attend",
    query=MissedQuery,
    answer=MissedList,
)
def list_did_not_attend(request: Request) -> MissedPage:
    """Who did not attend in a month, page by page: all of the employer for a learning administrator, those of their subjects for a
    class administrator, of their own classes for an instructor, and one's team for a manager.
    """
    query = request.query
    month = date.fromisoformat(f"{query.month}-01") if query.month else london_day(request.now).replace(day=1)
    after = cursor.unseal(_purpose(month, query.course), query.cursor)
    return did_not_attend.listed(request.actor, month, query.course, query.limit, after, request.now)
