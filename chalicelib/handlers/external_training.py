"""External training: what somebody did elsewhere, its evidence, and those who approve and verify it."""

from datetime import date, datetime
from typing import Annotated

import msgspec
from chalice import Blueprint

from chalicelib.domain import errors
from chalicelib.domain.competency import Competency
from chalicelib.domain.external_training import MOST_BYTES, MOST_EVIDENCE, Claim, Training
from chalicelib.domain.permissions import Capability
from chalicelib.handlers.awards import CompetencyName, Level
from chalicelib.handlers.http import Request, Routes
from chalicelib.handlers.paging import NextCursor, Page
from chalicelib.services import external_training as service
from chalicelib.services.external_training import Shown, ShownPage, Upload
from chalicelib.storage import cursor
from chalicelib.storage.external_training import Queue

blueprint = Blueprint(__name__)
routes = Routes(blueprint, "External training")

Words = Annotated[str, msgspec.Meta(min_length=1, max_length=200, pattern=r"^(?=.*\S)[^\x00-\x1f\x7f]+$(?!\n)")]
Reason = Annotated[
    str, msgspec.Meta(min_length=3, max_length=500, pattern=r"\S", description="The learner is told it.")
]
MOST_CLAIMS = 10


class ClaimBody(msgspec.Struct, frozen=True):
    """A competency at a level."""

    competency: CompetencyName
    level: Level = 1

    def claim(self) -> Claim:
        """The claim it describes."""
        return Claim(self.competency, self.level)


Claims = Annotated[list[ClaimBody], msgspec.Meta(max_length=MOST_CLAIMS)]


class TrainingBody(msgspec.Struct, frozen=True):
    """What was done elsewhere."""

    title: Words
    provider: Annotated[Words, msgspec.Meta(description="Who gave it.")]
    completed_on: Annotated[date, msgspec.Meta(description="Today or earlier, Europe/London. Awards are of this day.")]
    claims: Annotated[Claims, msgspec.Meta(description="What it is to count as; the administrator decides.")] = []
    minutes: Annotated[int, msgspec.Meta(ge=1, le=600_000, description="How long it took.")] | None = None
    note: Annotated[str, msgspec.Meta(min_length=1, max_length=1000, pattern=r"\S")] | None = None
    assignment: (
        Annotated[
            str,
            msgspec.Meta(
                pattern=r"^[\w-]{1,30}$(?!\n)",
                description="The number of the assignment whose supervisor is to approve; the primary one unless told.",
            ),
        ]
        | None
    ) = None

    def training(self) -> Training:
        """The training it describes."""
        claims = tuple(each.claim() for each in self.claims)
        return Training(self.title, self.provider, self.completed_on, claims, self.minutes, self.note)


class ClaimView(msgspec.Struct, frozen=True):
    """A competency at a level."""

    competency: str
    title: str
    level: int

    @classmethod
    def of(cls, claim: Claim, known: Competency | None) -> "ClaimView":
        """Present a claim."""
        return cls(claim.competency, known.title if known else claim.competency, claim.level)


class EvidenceView(msgspec.Struct, frozen=True):
    """A file of evidence."""

    number: int
    content_type: str
    bytes: int
    checked: Annotated[bool, msgspec.Meta(description="Whether its content was found to be what was declared.")]
    download: Annotated[
        str | None,
        msgspec.Meta(
            description="Where to fetch it within five minutes; only where one request is read, and once checked."
        ),
    ]


class StepView(msgspec.Struct, frozen=True):
    """One change of a request."""

    status: str
    at: datetime
    by: Annotated[str, msgspec.Meta(description="Person id.")]
    reason: str | None


class ExternalTrainingView(msgspec.Struct, frozen=True):
    """A training done elsewhere, and how far its request has come."""

    id: str
    person_id: str
    name: Annotated[str | None, msgspec.Meta(description="Of the learner.")]
    title: str
    provider: str
    completed_on: date
    minutes: int | None
    note: str | None
    claims: list[ClaimView]
    evidence: list[EvidenceView]
    status: Annotated[
        str,
        msgspec.Meta(description="draft, submitted, approved, verified, rejected or withdrawn. Only verified awards."),
    ]
    reason: Annotated[str | None, msgspec.Meta(description="Why it was rejected.")]
    assignment: str | None
    approver_id: Annotated[
        str | None, msgspec.Meta(description="Who was asked to approve; null: the learning administrators.")
    ]
    approver: Annotated[str | None, msgspec.Meta(description="Their name.")]
    awarded: list[ClaimView]
    history: list[StepView]

    @classmethod
    def of(cls, shown: Shown) -> "ExternalTrainingView":
        """Present a request."""
        request, training = shown.request, shown.request.training

        def views(claims: tuple[Claim, ...]) -> list[ClaimView]:
            return [ClaimView.of(each, shown.competencies.get(each.competency)) for each in claims]

        return cls(
            id=request.id,
            person_id=request.person,
            name=shown.names.get(request.person),
            title=training.title,
            provider=training.provider,
            completed_on=training.completed_on,
            minutes=training.minutes,
            note=training.note,
            claims=views(training.claims),
            evidence=[
                EvidenceView(each.number, each.content_type, each.size, each.checked, shown.downloads.get(each.number))
                for each in request.evidence
            ],
            status=request.status.value,
            reason=request.reason,
            assignment=request.assignment,
            approver_id=request.approver,
            approver=shown.names.get(request.approver or ""),
            awarded=views(request.awarded),
            history=[StepView(row.status.value, row.at, row.by, row.reason) for row in request.history],
        )


class ExternalTrainingPage(msgspec.Struct, frozen=True):
    """A page of requests."""

    requests: list[ExternalTrainingView]
    next_cursor: NextCursor

    @classmethod
    def of(cls, page: ShownPage) -> "ExternalTrainingPage":
        """Present a page."""
        return cls(
            [ExternalTrainingView.of(each) for each in page.requests], cursor.seal(_purpose(page.of), page.after)
        )


def _purpose(list_: str) -> str:
    return f"external training {list_}"


# --- the learner's own ----------------------------------------------------------------------------------------


@routes.route(
    "POST",
    "/v1/me/external-training",
    capability=Capability.ADD_EXTERNAL_TRAINING,
    summary="Add external training of mine",
    body=TrainingBody,
    answer=ExternalTrainingView,
    status=201,
    refusals=(errors.NotFound, errors.Conflict),
)
def add_external_training(request: Request) -> Shown:
    """Begin a request, as a draft. Send evidence for it, then submit it: a manager approves, an administrator verifies."""
    body = request.body
    return service.draft(request.actor, body.training(), body.assignment, request.now, request.once)


@routes.route(
    "GET",
    "/v1/me/external-training",
    capability=Capability.ADD_EXTERNAL_TRAINING,
    summary="My external training",
    query=Page,
    answer=ExternalTrainingPage,
)
def my_external_trainings(request: Request) -> ShownPage:
    """The caller's requests, newest first."""
    after = cursor.unseal(_purpose("mine"), request.query.cursor)
    return service.mine(request.actor, request.query.limit, after)


@routes.route(
    "GET",
    "/v1/me/external-training/{training_id}",
    capability=Capability.ADD_EXTERNAL_TRAINING,
    summary="One of my external trainings",
    answer=ExternalTrainingView,
    refusals=(errors.NotFound,),
)
def my_external_training(request: Request) -> Shown:
    """One request of the caller, with addresses of its checked evidence."""
    return service.one_of_mine(request.actor, request.path["training_id"])


class EvidenceBody(msgspec.Struct, frozen=True):
    """The file to be sent."""

    content_type: Annotated[
        str, msgspec.Meta(pattern=r"^(application/pdf|image/png|image/jpeg)$(?!\n)", description="PDF, PNG or JPEG.")
    ]
    bytes: Annotated[int, msgspec.Meta(ge=1, le=MOST_BYTES, description="The size of the file, exactly.")]
    number: (
        Annotated[
            int, msgspec.Meta(ge=1, le=MOST_EVIDENCE, description="Of the file it takes the place of, if of any.")
        ]
        | None
    ) = None


class UploadView(msgspec.Struct, frozen=True):
    """Where to send a file."""

    number: int
    upload_to: Annotated[
        str, msgspec.Meta(description="An address that takes this file by PUT, with the headers given and no other.")
    ]
    headers: Annotated[dict[str, str], msgspec.Meta(description="To be sent with it.")]
    expires_at: datetime

    @classmethod
    def of(cls, upload: Upload) -> "UploadView":
        """Present an address."""
        evidence = upload.evidence
        return cls(evidence.number, upload.address, {"Content-Type": evidence.content_type}, upload.expires_at)


@routes.route(
    "POST",
    "/v1/me/external-training/{training_id}/evidence",
    capability=Capability.ADD_EXTERNAL_TRAINING,
    summary="Send evidence",
    body=EvidenceBody,
    answer=UploadView,
    refusals=(errors.NotFound, errors.ExternalTrainingNotThere, errors.TooMuchEvidence, errors.Conflict),
)
def offer_evidence(request: Request) -> Upload:
    """An address to which a file may be PUT within a quarter of an hour: up to five, each at most 10 MB. Its content is checked on
    submission.
    """
    body, training_id = request.body, request.path["training_id"]
    return service.offer_evidence(request.actor, training_id, body.content_type, body.bytes, body.number, request.now)


@routes.route(
    "POST",
    "/v1/me/external-training/{training_id}/submission",
    capability=Capability.ADD_EXTERNAL_TRAINING,
    summary="Submit external training",
    answer=ExternalTrainingView,
    refusals=(errors.NotFound, errors.ExternalTrainingNotThere, errors.EvidenceRefused, errors.Conflict),
)
def submit_external_training(request: Request) -> Shown:
    """Ask for approval. Every file announced is looked at; the supervisor of the assignment is told, or the request joins the
    administrators' queue if there is none.
    """
    return service.submit(request.actor, request.path["training_id"], request.now)


@routes.route(
    "POST",
    "/v1/me/external-training/{training_id}/withdrawal",
    capability=Capability.ADD_EXTERNAL_TRAINING,
    summary="Withdraw external training",
    answer=ExternalTrainingView,
    refusals=(errors.NotFound, errors.ExternalTrainingNotThere, errors.Conflict),
)
def withdraw_external_training(request: Request) -> Shown:
    """Take a request back, until it is verified or rejected."""
    return service.withdraw(request.actor, request.path["training_id"], request.now)


# --- of others ------------------------------------------------------------------------------------------------


@routes.route(
    "POST",
    "/v1/people/{person_id}/external-training",
    capability=Capability.ADD_EXTERNAL_TRAINING,
    summary="Add external training of somebody",
    body=TrainingBody,
    answer=ExternalTrainingView,
    status=201,
    refusals=(errors.NotFound, errors.OwnExternalTraining, errors.Conflict),
)
def add_external_training_for(request: Request) -> Shown:
    """Add a training for somebody one supervises, or as an administrator for anybody. That approves it; it is still verified."""
    body, person = request.body, request.path["person_id"]
    return service.add_for(request.actor, person, body.training(), body.assignment, request.now, request.once)


class RequestQuery(Page, frozen=True):
    """Which requests to list."""

    queue: Annotated[
        Queue | None,
        msgspec.Meta(
            description="Leave out for what waits for your own approval. For administrators: `unassigned`, without an approver; "
            "`approvers`, waiting for their managers; `verification`, approved."
        ),
    ] = None


@routes.route(
    "GET",
    "/v1/external-training/requests",
    capability=Capability.APPROVE_REQUESTS,
    summary="External training to decide on",
    query=RequestQuery,
    answer=ExternalTrainingPage,
)
def external_training_requests(request: Request) -> ShownPage:
    """Requests that wait for the caller's approval or, for administrators, in one of their queues; first asked first."""
    query = request.query
    after = cursor.unseal(_purpose(query.queue.value if query.queue else "my approvals"), query.cursor)
    return service.waiting(request.actor, service.Line(query.queue, query.limit, after), request.now)


@routes.route(
    "GET",
    "/v1/external-training/{person_id}/{training_id}",
    capability=Capability.APPROVE_REQUESTS,
    summary="Somebody's external training",
    answer=ExternalTrainingView,
    refusals=(errors.NotFound,),
)
def external_training(request: Request) -> Shown:
    """One request, with addresses of its checked evidence: to its approver and to administrators."""
    path = request.path
    return service.one(request.actor, path["person_id"], path["training_id"], request.now)


DECIDING = (
    errors.NotFound,
    errors.OwnExternalTraining,
    errors.ExternalTrainingNotThere,
    errors.Conflict,
)


@routes.route(
    "POST",
    "/v1/external-training/{person_id}/{training_id}/approval",
    capability=Capability.APPROVE_REQUESTS,
    summary="Approve external training",
    answer=ExternalTrainingView,
    refusals=DECIDING,
)
def approve_external_training(request: Request) -> Shown:
    """Approve a request as its approver or as an administrator. It counts for nothing until an administrator has verified it."""
    path = request.path
    return service.approve(request.actor, path["person_id"], path["training_id"], request.now)


class Rejection(msgspec.Struct, frozen=True):
    """Why it is rejected."""

    reason: Reason


@routes.route(
    "POST",
    "/v1/external-training/{person_id}/{training_id}/rejection",
    capability=Capability.APPROVE_REQUESTS,
    summary="Reject external training",
    body=Rejection,
    answer=ExternalTrainingView,
    refusals=DECIDING,
)
def reject_external_training(request: Request) -> Shown:
    """Reject a request: its approver until it is approved, an administrator until it is verified. The learner is told why."""
    path = request.path
    return service.reject(request.actor, path["person_id"], path["training_id"], request.body.reason, request.now)


class Verification(msgspec.Struct, frozen=True):
    """What the training was worth."""

    awards: Annotated[
        Claims, msgspec.Meta(description="What is awarded, whatever was claimed; an empty list awards nothing.")
    ]


@routes.route(
    "POST",
    "/v1/external-training/{person_id}/{training_id}/verification",
    capability=Capability.EDIT_AWARDS,
    summary="Verify external training",
    body=Verification,
    answer=ExternalTrainingView,
    refusals=DECIDING,
)
def verify_external_training(request: Request) -> Shown:
    """Verify an approved request and award what it was worth, of the day it was completed, in one step; once, if repeated."""
    path = request.path
    awarded = tuple(each.claim() for each in request.body.awards)
    return service.verify(request.actor, path["person_id"], path["training_id"], awarded, request.now)
