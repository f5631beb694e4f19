"""Enrolling oneself, withdrawing, and one's own enrolments."""

from datetime import date, datetime
from typing import Annotated

import msgspec
from chalice import Blueprint

from chalicelib.domain import errors
from chalicelib.domain.competency import Award, title_of
from chalicelib.domain.enrolment import Enrolment, Status
from chalicelib.domain.permissions import Capability
from chalicelib.handlers import problems
from chalicelib.handlers.classes import SessionView
from chalicelib.handlers.fields import EmailAddress, Identifier
from chalicelib.handlers.http import Request, Routes
from chalicelib.handlers.paging import Cursor, Limit, NextCursor
from chalicelib.services import enrolment as service
from chalicelib.services import learning
from chalicelib.services.learning import Shown, ShownPage
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
    errors.EmploymentEnds,
    errors.CourseNotLive,
    errors.Conflict,
)


class HistoryView(msgspec.Struct, frozen=True):
    """One change of an enrolment; `by` is the id of the person who made it."""

    status: str
    at: datetime
    by: str
    reason: str | None


class OverriddenView(msgspec.Struct, frozen=True):
    """A rule that an administrator set aside to place the learner; the row of the history in which they did says why."""

    rule: Annotated[str, msgspec.Meta(description="Its name, as in the type of the problem.")]
    title: str

    @classmethod
    def of(cls, refusal: str) -> "OverriddenView":
        """Present a kind of refusal."""
        kind = next((type_ for each, type_ in problems.TABLE.items() if each.__name__ == refusal), None)
        return cls(kind.slug, kind.title) if kind else cls(refusal, refusal)


class AwardedView(msgspec.Struct, frozen=True):
    """A competency that was awarded."""

    competency: str
    title: str
    level: int
    awarded_on: date
    expires_on: Annotated[
        date | None, msgspec.Meta(description="Last valid day, Europe/London; null if it never expires.")
    ]

    @classmethod
    def of(cls, award: Award) -> "AwardedView":
        """Present an award."""
        title = title_of(award.competency)
        return cls(award.competency, title, award.level, award.awarded_on, award.expires_on)


class NextStep(msgspec.Struct, frozen=True):
    """A way on for whoever looks; send `method` to `href`. Deciding on requests, promoting, marking and correcting are not among
    them: they are done from the approvals, the class list and the register.
    """

    action: Annotated[
        str,
        msgspec.Meta(
            description="view class, join online, withdraw, find other dates, view course, certificate; of external "
            "training view, submit, withdraw."
        ),
    ]
    method: str
    href: str


Certificate = Annotated[str | None, msgspec.Meta(description="Where to fetch it as a PDF; null unless completed.")]


class EnrolmentView(msgspec.Struct, frozen=True):
    """An enrolment: one attempt at one class, and how it came to its state."""

    id: Annotated[str, msgspec.Meta(description="Class and attempt.")]
    person_id: str
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
    placed_at: Annotated[datetime, msgspec.Meta(description="When it was asked for, or made.")]
    assignment: Annotated[str | None, msgspec.Meta(description="Number of the job it was asked through.")]
    approver_id: Annotated[
        str | None,
        msgspec.Meta(description="Who was asked to approve; null if nobody, or the learning administrators."),
    ]
    approver: Annotated[str | None, msgspec.Meta(description="Their name, where enrolments are read.")]
    position: Annotated[
        int | None, msgspec.Meta(description="Place on the waiting list from 1, where enrolments are read.")
    ]
    overridden: Annotated[list[OverriddenView], msgspec.Meta(description="Rules set aside by an administrator.")]
    score: Annotated[float | None, msgspec.Meta(description="Per cent.")]
    email: Annotated[
        str | None,
        msgspec.Meta(
            description="Where messages about it go, if that was said; shown to its learner, and once to whoever has said it."
        ),
    ]
    awarded: list[AwardedView]
    certificate: Certificate
    steps: Annotated[list[NextStep], msgspec.Meta(description="Ways on for whoever looks, where enrolments are read.")]
    history: list[HistoryView]

    @classmethod
    def of(cls, given: Enrolment | Shown) -> "EnrolmentView":
        """Present an enrolment: as it was just changed, or as somebody sees it."""
        shown = given if isinstance(given, Shown) else Shown(given, own=False)
        enrolment = shown.enrolment
        return cls(
            id=enrolment.id,
            person_id=enrolment.person,
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
            assignment=enrolment.post.assignment if enrolment.post else None,
            approver_id=enrolment.approver,
            approver=shown.approver,
            position=shown.position,
            overridden=[OverriddenView.of(each) for each in enrolment.overridden],
            score=enrolment.score,
            email=enrolment.email if shown.own else None,
            awarded=[AwardedView.of(each) for each in shown.awards],
            certificate=certificate_of(shown),
            steps=steps_of(shown) if shown is given else [],
            history=[HistoryView(row.status.value, row.at, row.by, row.reason) for row in enrolment.history],
        )


class MadeView(EnrolmentView, frozen=True):
    """An enrolment to whoever has just made it, who may check the address that they gave."""

    @classmethod
    def of(cls, given: Enrolment | Shown) -> "EnrolmentView":
        """Present an enrolment that was just made."""
        enrolment = given.enrolment if isinstance(given, Shown) else given
        return msgspec.structs.replace(super().of(given), email=enrolment.email)


def href_of(shown: Shown) -> str:
    """The address of an enrolment: one's own, or somebody else's."""
    enrolment = shown.enrolment
    return f"/v1/{'me' if shown.own else f'people/{enrolment.person}'}/enrolments/{enrolment.id}"


def certificate_of(shown: Shown) -> str | None:
    """Where the certificate is, if it was completed."""
    return f"{href_of(shown)}/certificate" if shown.enrolment.status is Status.COMPLETED else None


def steps_of(shown: Shown) -> list[NextStep]:
    """The ways on from an enrolment for somebody who sees it."""
    enrolment = shown.enrolment
    steps = []
    if enrolment.open:
        steps.append(NextStep("view class", "GET", f"/v1/classes/{enrolment.class_id}"))
    if shown.own and enrolment.status is Status.CONFIRMED and enrolment.link:
        steps.append(NextStep("join online", "GET", enrolment.link))
    if shown.may_withdraw:
        steps.append(NextStep("withdraw", "POST", f"{href_of(shown)}/withdrawal"))
    if enrolment.status not in (Status.CONFIRMED, Status.COMPLETED):
        action = "find other dates" if enrolment.starts_at else "view course"
        steps.append(NextStep(action, "GET", f"/v1/courses/{enrolment.course}"))
    if certificate := certificate_of(shown):
        steps.append(NextStep("certificate", "GET", certificate))
    return steps


class EnrolmentPage(msgspec.Struct, frozen=True):
    """A page of somebody's enrolments."""

    enrolments: list[EnrolmentView]
    total: int
    next_cursor: NextCursor

    @classmethod
    def of(cls, page: ShownPage) -> "EnrolmentPage":
        """Present a page."""
        return cls(
            [EnrolmentView.of(each) for each in page.enrolments],
            page.total,
            cursor.seal(purpose_of(page.learner.person.id), page.next_offset),
        )


def purpose_of(person: str) -> str:
    """What cursors of a list of somebody's enrolments are made for."""
    return f"enrolments of {person}"


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
def my_enrolments(request: Request) -> ShownPage:
    """The caller's enrolments, open ones first by start, then closed ones, latest first."""
    actor, query = request.actor, request.query
    offset = cursor.unseal(purpose_of(actor.person), query.cursor) or 0
    return learning.enrolments_of_mine(actor, query.open, query.limit, offset, request.now)


@routes.route(
    "GET",
    "/v1/me/enrolments/{enrolment_id}",
    capability=Capability.VIEW_HISTORY,
    summary="One of my enrolments",
    answer=EnrolmentView,
    refusals=(errors.NotFound,),
)
def my_enrolment(request: Request) -> Shown:
    """One enrolment of the caller with its history, whom or what it waits for, and the ways on."""
    return learning.one_of_mine(request.actor, request.path["enrolment_id"], request.now)


MessagesTo = Annotated[
    EmailAddress,
    msgspec.Meta(
        description="Where messages about this enrolment go, in place of the address that the learner's employer holds."
    ),
]


class Enrol(msgspec.Struct, frozen=True):
    """The class to enrol on, and through which job."""

    class_id: Annotated[Identifier, msgspec.Meta(description="As given by the course or class route.")]
    assignment: (
        Annotated[
            str,
            msgspec.Meta(
                max_length=40,
                description="The number of the job to ask through: its supervisor approves. The primary one unless given.",
            ),
        ]
        | None
    ) = None
    email: MessagesTo | None = None


@routes.route(
    "POST",
    "/v1/me/enrolments",
    capability=Capability.SELF_ENROL,
    summary="Enrol on a class",
    body=Enrol,
    answer=MadeView,
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
    return service.enrol_myself(request.actor, body.class_id, request.now, request.once, body.assignment, body.email)


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
