"""My learning, and that of others one may see, in the four groups in which people look for it."""

from datetime import date, datetime
from typing import Annotated

import msgspec
from chalice import Blueprint

from chalicelib.domain import errors
from chalicelib.domain import external_training as training
from chalicelib.domain import learning as rules_of
from chalicelib.domain.approvals import lapses_at
from chalicelib.domain.enrolment import Enrolment
from chalicelib.domain.permissions import Capability
from chalicelib.handlers.enrolment import AwardedView, Certificate, EnrolmentView, NextStep, certificate_of, steps_of
from chalicelib.handlers.http import Request, Routes
from chalicelib.handlers.paging import NextCursor, Page
from chalicelib.services import learning
from chalicelib.services.learning import Learning, Shown, ShownTraining
from chalicelib.storage import cursor

blueprint = Blueprint(__name__)
routes = Routes(blueprint, "My learning")

ENROLMENT, EXTERNAL = "enrolment", "external training"
Kind = Annotated[str, msgspec.Meta(description=f"{ENROLMENT} or {EXTERNAL}.")]


class WaitingView(msgspec.Struct, frozen=True):
    """A place on a waiting list."""

    enrolment: EnrolmentView
    position: Annotated[int | None, msgspec.Meta(description="From 1; null while a clash holds it up.")]
    ordered: Annotated[str, msgspec.Meta(description="How the list is ordered, and what holds this place up.")]

    @classmethod
    def of(cls, shown: Shown) -> "WaitingView":
        """Present a place."""
        return cls(EnrolmentView.of(shown), shown.position, _ordered(shown.enrolment))


def _ordered(enrolment: Enrolment) -> str:
    if enrolment.passed_over:
        return "Passed over while another class takes place at the same time; it counts again once that seat is given back."
    if enrolment.waits_by_need:
        return "Whoever needs it most comes first: red, then amber, then others; among them, whoever joined first."
    return "Whoever joined first comes first."


class RequestView(msgspec.Struct, frozen=True):
    """Something others have to decide on."""

    kind: Kind
    id: str
    title: str
    status: Annotated[
        str,
        msgspec.Meta(description="requested; of external training draft, submitted, or approved and to be verified."),
    ]
    waits_for: Annotated[str, msgspec.Meta(description="In words: a name, the learning team, or the learner.")]
    approver_id: Annotated[str | None, msgspec.Meta(description="Who is asked, if it is somebody.")]
    since: Annotated[datetime, msgspec.Meta(description="When it was asked for.")]
    lapses_at: Annotated[datetime | None, msgspec.Meta(description="When it ends undecided; null if it never does.")]
    enrolment: Annotated[EnrolmentView | None, msgspec.Meta(description="null for external training.")]
    steps: list[NextStep]

    @classmethod
    def of(cls, shown: Shown | ShownTraining) -> "RequestView":
        """Present a request."""
        if isinstance(shown, ShownTraining):
            return cls._of_training(shown)
        enrolment = shown.enrolment
        return cls(
            kind=ENROLMENT,
            id=enrolment.id,
            title=enrolment.title,
            status=enrolment.status.value,
            waits_for=shown.approver or LEARNING_TEAM,
            approver_id=enrolment.approver,
            since=rules_of.asked_at(enrolment),
            lapses_at=lapses_at(enrolment),
            enrolment=EnrolmentView.of(shown),
            steps=steps_of(shown),
        )

    @classmethod
    def _of_training(cls, shown: ShownTraining) -> "RequestView":
        request = shown.training
        asked = request.status is training.Status.SUBMITTED
        learner = "you" if shown.own else "the learner"
        return cls(
            kind=EXTERNAL,
            id=request.id,
            title=request.training.title,
            status=request.status.value,
            waits_for=learner
            if request.status is training.Status.DRAFT
            else (asked and shown.approver) or LEARNING_TEAM,
            approver_id=request.approver if asked else None,
            since=rules_of.asked_at(request),
            lapses_at=None,
            enrolment=None,
            steps=_steps_of_training(shown),
        )


LEARNING_TEAM = "the learning team"


def _steps_of_training(shown: ShownTraining) -> list[NextStep]:
    request = shown.training
    if not shown.own:
        return [NextStep("view", "GET", f"/v1/external-training/{request.person}/{request.id}")]
    href = f"/v1/me/external-training/{request.id}"
    steps = [NextStep("view", "GET", href)]
    if request.status is training.Status.DRAFT:
        steps.append(NextStep("submit", "POST", f"{href}/submission"))
    if not rules_of.is_over(request):
        steps.append(NextStep("withdraw", "POST", f"{href}/withdrawal"))
    return steps


class HistoryItem(msgspec.Struct, frozen=True):
    """Something that is over: a class that was held, or a place that was given up or refused; a training done elsewhere."""

    kind: Kind
    id: str
    title: str
    mode: Annotated[str | None, msgspec.Meta(description="null for external training.")]
    provider: Annotated[str | None, msgspec.Meta(description="Who gave an external training.")]
    status: Annotated[
        str,
        msgspec.Meta(
            description="completed, attended - not completed, did not attend, withdrawn, cancelled or rejected; of external "
            "training verified, rejected or withdrawn."
        ),
    ]
    reason: Annotated[str | None, msgspec.Meta(description="Why, if whoever did that said so.")]
    at: Annotated[datetime, msgspec.Meta(description="When it was over: history is in this order, latest first.")]
    starts_at: datetime | None
    completed_on: Annotated[date | None, msgspec.Meta(description="Of external training.")]
    class_id: str | None
    course_id: str | None
    score: Annotated[float | None, msgspec.Meta(description="Per cent.")]
    awarded: list[AwardedView]
    certificate: Certificate
    steps: list[NextStep]

    @classmethod
    def of(cls, shown: Shown | ShownTraining) -> "HistoryItem":
        """Present something that is over."""
        if isinstance(shown, ShownTraining):
            return cls._of_training(shown)
        enrolment = shown.enrolment
        return cls(
            kind=ENROLMENT,
            id=enrolment.id,
            title=enrolment.title,
            mode=enrolment.mode.value,
            provider=None,
            status=enrolment.status.value,
            reason=enrolment.history[-1].reason,
            at=rules_of.place_in_history(enrolment)[0],
            starts_at=enrolment.starts_at,
            completed_on=None,
            class_id=enrolment.class_id,
            course_id=enrolment.course,
            score=enrolment.score,
            awarded=[AwardedView.of(each) for each in shown.awards],
            certificate=certificate_of(shown),
            steps=steps_of(shown),
        )

    @classmethod
    def _of_training(cls, shown: ShownTraining) -> "HistoryItem":
        request = shown.training
        return cls(
            kind=EXTERNAL,
            id=request.id,
            title=request.training.title,
            mode=None,
            provider=request.training.provider,
            status=request.status.value,
            reason=request.reason,
            at=rules_of.place_in_history(request)[0],
            starts_at=None,
            completed_on=request.training.completed_on,
            class_id=None,
            course_id=None,
            score=None,
            awarded=[AwardedView.of(each) for each in shown.awards],
            certificate=None,
            steps=_steps_of_training(shown),
        )


class Counts(msgspec.Struct, frozen=True):
    """How many there are in each group."""

    current: int
    requested: int
    waiting: int
    history: int


class LearningView(msgspec.Struct, frozen=True):
    """Somebody's learning: three groups of what is open, each whole, and a page of what is over."""

    person_id: str
    name: str
    counts: Counts
    absences: Annotated[
        int, msgspec.Meta(description="Times they did not attend in the last twelve months, of what is shown.")
    ]
    current: Annotated[
        list[EnrolmentView], msgspec.Meta(description="Seats held, by start, and e-learning under way, last.")
    ]
    requested: Annotated[list[RequestView], msgspec.Meta(description="First asked first.")]
    waiting: Annotated[list[WaitingView], msgspec.Meta(description="By start of the class.")]
    history: Annotated[list[HistoryItem], msgspec.Meta(description="A page, latest first.")]
    next_cursor: NextCursor

    @classmethod
    def of(cls, found: Learning) -> "LearningView":
        """Present somebody's learning."""
        person = found.learner.person
        return cls(
            person.id,
            person.full_name,
            Counts(len(found.current), len(found.requested), len(found.waiting), found.in_history),
            found.absences,
            [EnrolmentView.of(each) for each in found.current],
            [RequestView.of(each) for each in found.requested],
            [WaitingView.of(each) for each in found.waiting],
            [HistoryItem.of(each) for each in found.history],
            cursor.seal(_purpose(person.id), found.after),
        )


def _purpose(person: str) -> str:
    return f"learning of {person}"


@routes.route(
    "GET",
    "/v1/me/learning",
    capability=Capability.VIEW_HISTORY,
    summary="My learning",
    query=Page,
    answer=LearningView,
    refusals=(errors.NotFound,),
)
def my_learning(request: Request) -> Learning:
    """What the caller is on, has asked for, waits for, and has behind them, each with what can be done about it.

    `limit` and `cursor` page the history; the other groups are whole on every page.
    """
    after = cursor.unseal(_purpose(request.actor.person), request.query.cursor)
    return learning.mine(request.actor, request.query.limit, after, request.now)


@routes.route(
    "GET",
    "/v1/people/{person_id}/learning",
    capability=Capability.VIEW_HISTORY,
    summary="Somebody's learning",
    query=Page,
    answer=LearningView,
    refusals=(errors.NotFound,),
)
def person_learning(request: Request) -> Learning:
    """The same of oneself, of somebody one supervises, (administrators) of anybody at the employer, or (instructors) what somebody
    is on or was on of their own classes. Whoever one may not see is reported as not found. External training is shown to those who
    decide on it.
    """
    person, query = request.path["person_id"], request.query
    after = cursor.unseal(_purpose(person), query.cursor)
    return learning.of_person(request.actor, person, query.limit, after, request.now)
