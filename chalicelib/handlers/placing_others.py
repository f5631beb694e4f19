"""Placing others on classes, one or many, and taking them off: managers and administrators."""

from collections import Counter
from collections.abc import Sequence
from typing import Annotated, ClassVar

import msgspec
from chalice import Blueprint

from chalicelib.domain import errors
from chalicelib.domain.enrolment import Enrolment
from chalicelib.domain.permissions import Capability
from chalicelib.handlers.enrolment import REFUSED_PLACES, EnrolmentView, MadeView, MessagesTo, OverriddenView
from chalicelib.handlers.fields import Identifier, SaidWhy
from chalicelib.handlers.http import Request, Routes, time_to_answer
from chalicelib.handlers.problems import Problem, problem_of
from chalicelib.services import placing_many
from chalicelib.services import placing_others as service
from chalicelib.services.placing_many import Outcome, Result, Wanted

blueprint = Blueprint(__name__)
routes = Routes(blueprint, "Placing others")

_REFUSED_MOVES = (
    errors.NotFound,
    errors.OwnEnrolment,
    errors.NotYourSubject,
    errors.EnrolmentNotThere,
    errors.Conflict,
)

Told = Annotated[SaidWhy, msgspec.Meta(description="Why. The learner is told, and it stays in the history.")]
Kept = Annotated[SaidWhy, msgspec.Meta(description="Why. It stays in the history, which the learner sees.")]
Job = Annotated[
    str,
    msgspec.Meta(
        max_length=40,
        description="The number of the job through which they are placed: a manager names one in which they manage them. "
        "The primary one of those unless given.",
    ),
]


class Override(msgspec.Struct, frozen=True):
    """That the rules which administrators may set aside do not keep the learner out: access, prerequisites, enrolment dates, and
    that the class has started. Never one seat too many, and never two places at once.
    """

    reason: Kept


class EnrolOther(msgspec.Struct, frozen=True):
    """The class to place somebody on, and through which job."""

    class_id: Annotated[Identifier, msgspec.Meta(description="As given by the course or class route.")]
    assignment: Job | None = None
    override: Override | None = None
    email: MessagesTo | None = None


@routes.route(
    "POST",
    "/v1/people/{person_id}/enrolments",
    capability=Capability.EDIT_ENROLMENTS,
    summary="Place somebody on a class",
    body=EnrolOther,
    answer=MadeView,
    status=201,
    refusals=(*REFUSED_PLACES, errors.PrerequisiteMissing, errors.OwnEnrolment, errors.NotYourSubject),
)
def enrol_other(request: Request) -> Enrolment:
    """Place somebody one manages, or as an administrator (in one's subjects) anybody, on a class: `confirmed`, or `waitlisted` on a
    class that is full or still being planned. No approval is needed any more.

    An administrator may set rules aside with a reason: both stay visible in the enrolment, if there was anything to set aside.
    Nobody places themselves so. Send an Idempotency-Key to repeat safely.
    """
    body, person = request.body, request.path["person_id"]
    override = body.override.reason if body.override else None
    return service.enrol(
        request.actor, person, body.class_id, body.assignment, override, request.now, request.once, body.email
    )


# --- many at once -------------------------------------------------------------------------------------------------


class Somebody(msgspec.Struct, frozen=True):
    """Somebody to place: by `person_id` or by `employee_number`, not both."""

    person_id: Identifier | None = None
    employee_number: Annotated[str, msgspec.Meta(pattern=r"^[\w-]{1,20}$(?!\n)")] | None = None
    assignment: Job | None = None


class EnrolMany(msgspec.Struct, frozen=True):
    """Who is to be placed on a class. Seats are given in the order of the list; whoever finds none waits for one."""

    MAX_BODY_BYTES: ClassVar[int] = 256 * 1024

    people: Annotated[list[Somebody], msgspec.Meta(min_length=1, max_length=500)]
    override: Override | None = None


class PlacedView(msgspec.Struct, frozen=True):
    """What became of one of the list, named as the list did."""

    person_id: Annotated[str | None, msgspec.Meta(description="null for an employee number that is nobody's.")]
    employee_number: Annotated[str | None, msgspec.Meta(description="If the list gave it.")]
    outcome: Annotated[
        Outcome,
        msgspec.Meta(
            description="placed, unchanged (on the class already), refused, or not tried (time ran out: send the list again)."
        ),
    ]
    enrolment_id: str | None
    status: Annotated[
        str | None, msgspec.Meta(description="Of the enrolment: confirmed or waitlisted; if unchanged, as it stands.")
    ]
    overridden: Annotated[list[OverriddenView], msgspec.Meta(description="Rules set aside to place them.")]
    problem: Annotated[Problem | None, msgspec.Meta(description="Why they were refused, and the way out.")]

    @classmethod
    def of(cls, result: Result) -> "PlacedView":
        """Present a result."""
        enrolment, refusal = result.enrolment, result.refusal
        return cls(
            result.person,
            result.wanted.number,
            result.outcome,
            enrolment.id if enrolment else None,
            enrolment.status.value if enrolment else None,
            [OverriddenView.of(each) for each in enrolment.overridden] if enrolment else [],
            problem_of(refusal) if refusal else None,
        )


class PlacedList(msgspec.Struct, frozen=True):
    """What became of everybody on the list, in its order."""

    placed: int
    unchanged: int
    refused: int
    not_tried: int
    results: list[PlacedView]

    @classmethod
    def of(cls, results: Sequence[Result]) -> "PlacedList":
        """Present results."""
        count = Counter(each.outcome for each in results)
        return cls(
            count[Outcome.PLACED],
            count[Outcome.UNCHANGED],
            count[Outcome.REFUSED],
            count[Outcome.NOT_TRIED],
            [PlacedView.of(each) for each in results],
        )


@routes.route(
    "POST",
    "/v1/classes/{class_id}/enrolments",
    capability=Capability.EDIT_ENROLMENTS,
    summary="Place many people on a class",
    body=EnrolMany,
    answer=PlacedList,
    refusals=(errors.NotFound,),
)
def enrol_many(request: Request) -> list[Result]:
    """Place up to 500 people on a class, each by the rules of placing one, with a result for each.

    What is refused for one keeps nobody else out. It works for 20 seconds at most and says who was not tried. Repeating it does the
    rest: whoever is on the class already stays as they are.
    """
    body = request.body
    override = body.override.reason if body.override else None
    return placing_many.enrol_many(
        request.actor,
        request.path["class_id"],
        _wanted(body.people),
        override,
        request.now,
        time_to_answer(),
    )


def _wanted(people: Sequence[Somebody]) -> list[Wanted]:
    errors.refuse_body(
        errors.FieldError(f"people[{place}]", "give either person_id or employee_number")
        for place, each in enumerate(people)
        if (each.person_id is None) == (each.employee_number is None)
    )
    return [Wanted(each.person_id, each.employee_number, each.assignment) for each in people]


# --- taking off, and between waiting list and seat ----------------------------------------------------------------


class WithdrawOther(msgspec.Struct, frozen=True):
    """Why somebody is withdrawn, if that is to be told."""

    reason: Told | None = None


class TellWhy(msgspec.Struct, frozen=True):
    """Why an enrolment is cancelled, or its seat taken away."""

    reason: Told


class KeepWhy(msgspec.Struct, frozen=True):
    """Why somebody is given a seat out of turn."""

    reason: Kept


@routes.route(
    "POST",
    "/v1/people/{person_id}/enrolments/{enrolment_id}/withdrawal",
    capability=Capability.EDIT_ENROLMENTS,
    summary="Withdraw somebody from a class",
    body=WithdrawOther,
    answer=EnrolmentView,
    refusals=_REFUSED_MOVES,
)
def withdraw_other(request: Request) -> Enrolment:
    """Give back the place, wait or request of somebody one manages in the job it is of, or as an administrator (in one's subjects)
    of anybody; also once the class has started. The learner is told by whom, as a role, and why. Repeating it changes nothing.
    """
    path = request.path
    return service.withdraw(request.actor, path["person_id"], path["enrolment_id"], request.body.reason, request.now)


@routes.route(
    "POST",
    "/v1/people/{person_id}/enrolments/{enrolment_id}/cancellation",
    capability=Capability.EDIT_ENROLMENTS,
    summary="Cancel somebody's enrolment",
    body=TellWhy,
    answer=EnrolmentView,
    refusals=_REFUSED_MOVES,
)
def cancel_other(request: Request) -> Enrolment:
    """Cancel an open enrolment of anybody, as an administrator (in one's subjects). The learner is told why. Repeating it changes
    nothing.
    """
    path = request.path
    return service.cancel(request.actor, path["person_id"], path["enrolment_id"], request.body.reason, request.now)


@routes.route(
    "POST",
    "/v1/people/{person_id}/enrolments/{enrolment_id}/promotion",
    capability=Capability.EDIT_ENROLMENTS,
    summary="Give somebody who waits a seat out of turn",
    body=KeepWhy,
    answer=EnrolmentView,
    refusals=(
        *_REFUSED_MOVES,
        errors.NotYourItem,
        errors.ClassFull,
        errors.ClassNotOpen,
        errors.ClassCancelled,
        errors.ClassPast,
        errors.Clash,
    ),
)
def promote_other(request: Request) -> Enrolment:
    """Give a free seat to somebody on the waiting list, as an administrator (in one's subjects): out of turn, and also while the
    class is closed, but never beyond the maximum. Not on a national class, whose list is every employer's. Repeating it changes
    nothing.
    """
    path = request.path
    return service.promote(request.actor, path["person_id"], path["enrolment_id"], request.body.reason, request.now)


@routes.route(
    "POST",
    "/v1/people/{person_id}/enrolments/{enrolment_id}/waiting",
    capability=Capability.EDIT_ENROLMENTS,
    summary="Put somebody with a seat back on the waiting list",
    body=TellWhy,
    answer=EnrolmentView,
    refusals=(*_REFUSED_MOVES, errors.NobodyElseWaits, errors.ClassPast),
)
def send_back(request: Request) -> Enrolment:
    """Take a seat from somebody, as an administrator (in one's subjects), and put them at the end of the waiting list. The learner
    is told why. Refused where nobody else waits, since the seat would come back at once. Repeating it changes nothing.
    """
    path = request.path
    return service.send_back(request.actor, path["person_id"], path["enrolment_id"], request.body.reason, request.now)
