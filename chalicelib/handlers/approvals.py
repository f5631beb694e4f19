"""Approvals: what waits for whom, deciding on it, and delegating while away."""

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated

import msgspec
from chalice import Blueprint

from chalicelib.domain import errors
from chalicelib.domain.access import Access, AccessMode
from chalicelib.domain.approvals import lapses_at
from chalicelib.domain.enrolment import Enrolment
from chalicelib.domain.errors import FieldError, refuse_body
from chalicelib.domain.permissions import Capability
from chalicelib.domain.prerequisites import Checked
from chalicelib.handlers.classes import SessionView
from chalicelib.handlers.enrolment import REFUSED_PLACES, EnrolmentView
from chalicelib.handlers.fields import Identifier
from chalicelib.handlers.http import Request, Routes
from chalicelib.handlers.paging import Cursor, NextCursor
from chalicelib.handlers.placing_others import Override, Told
from chalicelib.handlers.problems import Problem, problem_of
from chalicelib.services import deciding as service
from chalicelib.services import delegations
from chalicelib.services.deciding import Decided, Decision, Queue, Waiting, WaitingPage
from chalicelib.services.delegations import Delegations, Named
from chalicelib.storage import cursor

blueprint = Blueprint(__name__)
routes = Routes(blueprint, "Approvals")


# --- what waits -------------------------------------------------------------------------------------------------


class WaitingQuery(msgspec.Struct, frozen=True):
    """Which requests to list."""

    queue: Annotated[
        Queue | None,
        msgspec.Meta(
            description="Leave out for what waits for you, also in place of others. For administrators: `unassigned`, what "
            "nobody else was asked about; `managers`, what waits for managers, by manager."
        ),
    ] = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=50, description="How many items at most; 20 unless told.")] = 20
    cursor: Cursor | None = None


class AdvisedView(msgspec.Struct, frozen=True):
    """An advisory prerequisite that is not met: a warning."""

    kind: str
    name: Annotated[str | None, msgspec.Meta(description="null for a course that only others can find.")]

    @classmethod
    def of(cls, checked: Checked) -> "AdvisedView":
        """Present an unmet prerequisite."""
        return cls(checked.prerequisite.kind.value, checked.name)


class RequestView(msgspec.Struct, frozen=True):
    """A request that waits for a decision, and what approving it would come to now."""

    person_id: str
    name: Annotated[str | None, msgspec.Meta(description="Of the learner.")]
    enrolment_id: str
    class_id: str
    course_id: str
    title: str
    mode: str
    starts_at: Annotated[datetime | None, msgspec.Meta(description="UTC; null for e-learning.")]
    sessions: list[SessionView]
    venue: str | None
    asked_at: datetime
    lapses_at: Annotated[datetime, msgspec.Meta(description="UTC; then the request ends by itself.")]
    assignment: Annotated[str | None, msgspec.Meta(description="Number of the job it was asked through.")]
    approver_id: Annotated[str | None, msgspec.Meta(description="Who is asked; null: the learning administrators.")]
    approver: Annotated[str | None, msgspec.Meta(description="Their name.")]
    why: Annotated[str, msgspec.Meta(description="Why approval is needed.")]
    free: Annotated[int | None, msgspec.Meta(description="Seats free; null for a class without a maximum.")]
    waiting: Annotated[int, msgspec.Meta(description="People on the waiting list.")]
    would_be: Annotated[
        str | None,
        msgspec.Meta(description="What approving gives now: confirmed or waitlisted; null if something is in the way."),
    ]
    in_the_way: Annotated[
        Problem | None,
        msgspec.Meta(description="For which approving would be refused now, such as a clash or a prerequisite."),
    ]
    advised: Annotated[list[AdvisedView], msgspec.Meta(description="Advisory prerequisites not met.")]

    @classmethod
    def of(cls, waiting: Waiting) -> "RequestView":
        """Present a request."""
        request, verdict = waiting.request, waiting.verdict
        return cls(
            person_id=request.person,
            name=waiting.names.get(request.person),
            enrolment_id=request.id,
            class_id=request.class_id,
            course_id=request.course,
            title=request.title,
            mode=request.mode.value,
            starts_at=request.starts_at,
            sessions=[SessionView.of(each) for each in request.sessions],
            venue=request.venue,
            asked_at=request.placed_at,
            lapses_at=lapses_at(request),
            assignment=request.post.assignment if request.post else None,
            approver_id=request.approver,
            approver=waiting.names.get(request.approver or ""),
            why=_why(waiting.access),
            free=waiting.seats.free,
            waiting=waiting.seats.waiting,
            would_be=verdict.status.value if verdict.status else None,
            in_the_way=problem_of(verdict.refusal) if verdict.refusal else None,
            advised=[AdvisedView.of(each) for each in verdict.advised],
        )


def _why(access: Access) -> str:
    if access.mode is AccessMode.SELF_ENROL:
        return "It was needed when it was asked for; by now they could enrol themselves."
    if access.mode is AccessMode.ADMINISTRATOR:
        return "Only the learning team enrols people on this course."
    if access.mode is None:
        return "It was needed when it was asked for; by now the course is meant for others."
    if access.rule is None:
        return "The course has no access rules, and then everybody asks."
    return "The access rule that they meet asks for approval."


class RequestPage(msgspec.Struct, frozen=True):
    """A page of requests that wait for a decision."""

    requests: list[RequestView]
    next_cursor: NextCursor

    @classmethod
    def of(cls, page: WaitingPage) -> "RequestPage":
        """Present a page."""
        return cls([RequestView.of(each) for each in page.requests], cursor.seal(_purpose(page.of), page.after))


def _purpose(list_: str) -> str:
    return f"approvals {list_}"


@routes.route(
    "GET",
    "/v1/approvals",
    capability=Capability.APPROVE_REQUESTS,
    summary="Requests to decide on",
    query=WaitingQuery,
    answer=RequestPage,
)
def list_approvals(request: Request) -> WaitingPage:
    """Requested places that wait for the caller: asked of them, escalated to them, or asked of whomever they stand in for; first
    asked first. For administrators also the queue of what nobody else was asked about, and what waits for managers.

    A page may hold fewer than `limit` while `next_cursor` says that there are more.
    """
    query = request.query
    after = cursor.unseal(_purpose(query.queue.value if query.queue else "mine"), query.cursor)
    return service.waiting(request.actor, query.queue, query.limit, after, request.now)


# --- deciding ---------------------------------------------------------------------------------------------------

_REFUSED_DECISIONS = (
    errors.NotFound,
    errors.OwnEnrolment,
    errors.EnrolmentNotThere,
    errors.RequestLapsed,
    errors.OverrideNeeded,
    errors.Conflict,
)


class Approval(msgspec.Struct, frozen=True):
    """That a request is approved. `override` is for administrators: why they decide in place of whoever was asked, past what can be
    set aside.
    """

    override: Override | None = None


class Rejection(msgspec.Struct, frozen=True):
    """Why a request is rejected."""

    reason: Told


@routes.route(
    "POST",
    "/v1/people/{person_id}/enrolments/{enrolment_id}/approval",
    capability=Capability.APPROVE_REQUESTS,
    summary="Approve a requested place",
    body=Approval,
    answer=EnrolmentView,
    refusals=tuple(dict.fromkeys((*_REFUSED_DECISIONS, *REFUSED_PLACES, errors.PrerequisiteMissing))),
)
def approve_enrolment(request: Request) -> Enrolment:
    """Approve a request as whoever was asked, supervises that job now, or stands in for either; or, with a reason, as an
    administrator. Nobody approves their own.

    Capacity is judged now: the answer's `status` is `confirmed` or `waitlisted`. What has come into the way since is refused.
    Repeating it changes nothing; of two who decide at once the second is told how it stands.
    """
    path, override = request.path, request.body.override
    reason = override.reason if override else None
    return service.approve(request.actor, path["person_id"], path["enrolment_id"], reason, request.now)


@routes.route(
    "POST",
    "/v1/people/{person_id}/enrolments/{enrolment_id}/rejection",
    capability=Capability.APPROVE_REQUESTS,
    summary="Reject a requested place",
    body=Rejection,
    answer=EnrolmentView,
    refusals=_REFUSED_DECISIONS,
)
def reject_enrolment(request: Request) -> Enrolment:
    """Reject a request, as whoever may approve it. The learner is told why."""
    path = request.path
    return service.reject(request.actor, path["person_id"], path["enrolment_id"], request.body.reason, request.now)


class Verb(StrEnum):
    """What is decided."""

    APPROVE = "approve"
    REJECT = "reject"


class DecisionBody(msgspec.Struct, frozen=True):
    """A decision on one request."""

    person_id: Identifier
    enrolment_id: Annotated[Identifier, msgspec.Meta(description="Class and attempt.")]
    decision: Verb
    reason: Annotated[Told | None, msgspec.Meta(description="Why it is rejected.")] = None
    override: Override | None = None


class DecisionsBody(msgspec.Struct, frozen=True):
    """Decisions on several requests."""

    decisions: Annotated[list[DecisionBody], msgspec.Meta(min_length=1, max_length=50)]


class DecidedView(msgspec.Struct, frozen=True):
    """What became of one decision."""

    person_id: str
    enrolment_id: str
    status: Annotated[
        str | None, msgspec.Meta(description="Of the enrolment: confirmed, waitlisted or rejected; null if refused.")
    ]
    refused: Annotated[Problem | None, msgspec.Meta(description="Why this one was not carried out.")]

    @classmethod
    def of(cls, decided: Decided) -> "DecidedView":
        """Present what became of a decision."""
        decision, enrolment = decided.decision, decided.enrolment
        return cls(
            decision.person,
            decision.enrolment_id,
            enrolment.status.value if enrolment else None,
            problem_of(decided.refusal) if decided.refusal else None,
        )


class DecidedList(msgspec.Struct, frozen=True):
    """What became of each decision, in their order."""

    results: list[DecidedView]

    @classmethod
    def of(cls, decided: list[Decided]) -> "DecidedList":
        """Present what became of decisions."""
        return cls([DecidedView.of(each) for each in decided])


@routes.route(
    "POST",
    "/v1/approvals/decisions",
    capability=Capability.APPROVE_REQUESTS,
    summary="Decide on several requests",
    body=DecisionsBody,
    answer=DecidedList,
)
def decide_on_requests(request: Request) -> list[Decided]:
    """Approve and reject up to 50 requests, each for itself: what is refused keeps none of the others back. A repetition changes
    nothing of what was carried out, and does the rest.
    """
    decisions = request.body.decisions
    refuse_body(wrong for place, each in enumerate(decisions) if (wrong := _wrong(place, each)))
    return service.decide(request.actor, [_decision(each) for each in decisions], request.now)


def _wrong(place: int, given: DecisionBody) -> FieldError | None:
    if given.decision is Verb.REJECT and given.reason is None:
        return FieldError(f"decisions[{place}].reason", "is missing: the learner is told why")
    if given.decision is Verb.REJECT and given.override is not None:
        return FieldError(f"decisions[{place}].override", "belongs to an approval")
    if given.decision is Verb.APPROVE and given.reason is not None:
        return FieldError(f"decisions[{place}].reason", "belongs to a rejection")
    return None


def _decision(given: DecisionBody) -> Decision:
    reason = given.reason or (given.override.reason if given.override else None)
    return Decision(given.person_id, given.enrolment_id, given.decision is Verb.APPROVE, reason)


# --- delegating -------------------------------------------------------------------------------------------------


class DelegationBody(msgspec.Struct, frozen=True):
    """Who decides in the caller's place, and when."""

    to: Annotated[Identifier, msgspec.Meta(description="Person id of an employee here.")]
    from_: Annotated[date, msgspec.Meta(description="First day, Europe/London: today or later.")] = msgspec.field(
        name="from"
    )
    until: Annotated[date, msgspec.Meta(description="Last day, at most six months later.")]


class DelegationView(msgspec.Struct, frozen=True):
    """A delegation: `to` decides in place of `by`, beside them, on what they are asked between two days."""

    delegation_id: str
    by_id: str
    to_id: str
    name: Annotated[str | None, msgspec.Meta(description="Of the other one.")]
    from_: date = msgspec.field(name="from")
    until: date

    @classmethod
    def of(cls, named: Named) -> "DelegationView":
        """Present a delegation."""
        delegation = named.delegation
        return cls(
            delegation_id=delegation.id,
            by_id=delegation.by,
            to_id=delegation.to,
            name=named.name,
            from_=delegation.starts_on,
            until=delegation.ends_on,
        )


class DelegationList(msgspec.Struct, frozen=True):
    """What the caller has delegated, and what is delegated to them, as far as it is not over."""

    given: list[DelegationView]
    received: list[DelegationView]

    @classmethod
    def of(cls, delegations: Delegations) -> "DelegationList":
        """Present delegations."""
        given, received = (
            [DelegationView.of(each) for each in one] for one in (delegations.given, delegations.received)
        )
        return cls(given, received)


@routes.route(
    "POST",
    "/v1/me/delegations",
    capability=Capability.APPROVE_REQUESTS,
    summary="Delegate my approvals",
    body=DelegationBody,
    answer=DelegationView,
    status=201,
    refusals=(errors.TooManyDelegations, errors.Conflict),
)
def delegate_approvals(request: Request) -> Named:
    """Let an employee decide in one's place between two days, both included: on what one is asked oneself, and not on what one
    decides in place of others. They are told of each request beside oneself. Several at once are possible.
    """
    body = request.body
    return delegations.delegate(request.actor, body.to, body.from_, body.until, request.now, request.once)


@routes.route(
    "GET",
    "/v1/me/delegations",
    capability=Capability.APPROVE_REQUESTS,
    summary="My delegations",
    answer=DelegationList,
)
def list_delegations(request: Request) -> Delegations:
    """What one has delegated, and for whom one stands in, present and to come."""
    return delegations.mine(request.actor, request.now)


@routes.route(
    "DELETE",
    "/v1/me/delegations/{delegation_id}",
    capability=Capability.APPROVE_REQUESTS,
    summary="Take a delegation back",
    status=204,
    refusals=(errors.NotFound,),
)
def take_back_delegation(request: Request) -> None:
    """It ends at once."""
    delegations.take_back(request.actor, request.path["delegation_id"], request.now)
