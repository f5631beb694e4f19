"""Enrolling oneself, withdrawing, and one's own enrolments."""

from datetime import datetime
from typing import Annotated

import msgspec
from chalice import Blueprint

from chalicelib.domain import errors
from chalicelib.domain.enrolment import Enrolment
from chalicelib.domain.permissions import Capability
from chalicelib.handlers.classes import SessionView
from chalicelib.handlers.http import Request, Routes
from chalicelib.handlers.paging import Cursor, Limit, NextCursor
from chalicelib.services import enrolment as service
from chalicelib.services.enrolment import EnrolmentList
from chalicelib.storage import cursor

blueprint = Blueprint(__name__)
routes = Routes(blueprint, "My enrolments")

REFUSED_PLACES = (
    errors.NotFound,
    errors.ClassNotOpen,
    errors.ClassCancelled,
    errors.ClassPast,
    errors.EnrolmentNotOpen,
    errors.ClassFull,
    errors.AlreadyEnrolled,
    errors.Clash,
    errors.AdministratorOnly,
    errors.AccessNotMet,
    errors.CourseNotLive,
    errors.Conflict,
)


class HistoryView(msgspec.Struct, frozen=True):
    """One change of an enrolment; `by` is the id of the person who made it."""

    status: str
    at: datetime
    by: str
    reason: str | None


class EnrolmentView(msgspec.Struct, frozen=True):
    """An enrolment: one attempt at one class, and how it came to its state."""

    id: Annotated[str, msgspec.Meta(description="Class and attempt.")]
    class_id: str
    course_id: str
    title: str
    mode: str
    status: Annotated[
        str,
        msgspec.Meta(
            description="requested, waitlisted, rejected, withdrawn, cancelled, confirmed, completed, "
            "attended - not completed or did not attend."
        ),
    ]
    starts_at: Annotated[datetime | None, msgspec.Meta(description="UTC; null for e-learning.")]
    ends_at: datetime | None
    sessions: list[SessionView]
    venue: str | None
    placed_at: datetime
    history: list[HistoryView]

    @classmethod
    def of(cls, enrolment: Enrolment) -> "EnrolmentView":
        """Present an enrolment."""
        return cls(
            id=enrolment.id,
            class_id=enrolment.class_id,
            course_id=enrolment.course,
            title=enrolment.title,
            mode=enrolment.mode.value,
            status=enrolment.status.value,
            starts_at=enrolment.starts_at,
            ends_at=enrolment.ends_at,
            sessions=[SessionView.of(each) for each in enrolment.sessions],
            venue=enrolment.venue,
            placed_at=enrolment.placed_at,
            history=[HistoryView(row.status.value, row.at, row.by, row.reason) for row in enrolment.history],
        )


class EnrolmentPage(msgspec.Struct, frozen=True):
    """A page of one's enrolments."""

    enrolments: list[EnrolmentView]
    total: int
    next_cursor: NextCursor

    @classmethod
    def of(cls, found: EnrolmentList) -> "EnrolmentPage":
        """Present a page."""
        return cls(
            [EnrolmentView.of(each) for each in found.enrolments],
            found.total,
            cursor.seal("enrolments", found.next_offset),
        )


class EnrolmentQuery(msgspec.Struct, frozen=True):
    """Which enrolments to list."""

    open: Annotated[
        bool | None,
        msgspec.Meta(description="true: only those something can still happen to; false: only closed ones."),
    ] = None
    limit: Limit = 20
    cursor: Cursor | None = None


@routes.route(
    "GET",
    "/v1/me/enrolments",
    capability=Capability.VIEW_HISTORY,
    summary="My enrolments",
    query=EnrolmentQuery,
    answer=EnrolmentPage,
)
def my_enrolments(request: Request) -> EnrolmentList:
    """The caller's enrolments, open ones first by start, then closed ones, latest first."""
    offset = cursor.unseal("enrolments", request.query.cursor) or 0
    return service.mine(request.actor, request.query.open, request.query.limit, offset)


@routes.route(
    "GET",
    "/v1/me/enrolments/{enrolment_id}",
    capability=Capability.VIEW_HISTORY,
    summary="One of my enrolments",
    answer=EnrolmentView,
    refusals=(errors.NotFound,),
)
def my_enrolment(request: Request) -> Enrolment:
    """One enrolment of the caller with its history."""
    return service.one_of_mine(request.actor, request.path["enrolment_id"])


class Enrol(msgspec.Struct, frozen=True):
    """The class to enrol on, and through which job."""

    class_id: Annotated[
        str, msgspec.Meta(pattern=r"^[\w.~-]{1,80}$(?!\n)", description="As given by the course or class route.")
    ]
    assignment: Annotated[
        str | None,
        msgspec.Meta(
            max_length=40,
            description="The number of the job to ask through: its supervisor approves. The primary one unless given.",
        ),
    ] = None


@routes.route(
    "POST",
    "/v1/me/enrolments",
    capability=Capability.SELF_ENROL,
    summary="Enrol on a class",
    body=Enrol,
    answer=EnrolmentView,
    status=201,
    refusals=REFUSED_PLACES,
)
def enrol(request: Request) -> Enrolment:
    """Take a place on a class. Seat, enrolment, event and audit commit together or not at all.

    The answer's `status` is `confirmed`; `waitlisted` on a class that is full or still being planned; or `requested` where the
    supervisor of the job has to approve first. An e-mail says so within seconds, with a calendar request once confirmed. Send an
    Idempotency-Key to repeat safely.
    """
    body = request.body
    return service.enrol_myself(request.actor, body.class_id, request.now, request.once, body.assignment)


@routes.route(
    "POST",
    "/v1/me/enrolments/{enrolment_id}/withdrawal",
    capability=Capability.SELF_ENROL,
    summary="Withdraw from a class",
    answer=EnrolmentView,
    refusals=(errors.NotFound, errors.NotOpenToWithdraw, errors.TooLateToWithdraw, errors.Conflict),
)
def withdraw(request: Request) -> Enrolment:
    """Give a place back, until the class starts. The seat is free at once; a cancellation follows by e-mail."""
    return service.withdraw_myself(request.actor, request.path["enrolment_id"], request.now)
