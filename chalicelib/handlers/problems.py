"""Errors as the API tells them: one table from refusal to status and problem type (RFC 9457)."""

from typing import Any

import msgspec
from chalice import Response

from chalicelib.domain import errors

TYPE_PREFIX = "urn:esr-learning:problem:"
CONTENT_TYPE = "application/problem+json"


class FieldProblem(msgspec.Struct, frozen=True):
    """One wrong field: where it stands and why it is wrong."""

    field: str
    reason: str


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """An error. `type` names the rule that decided, `detail` says what happened, `way_out` what to do.

    `errors` lists wrong fields; `facts` holds what the rule looked at.
    """

    type: str
    title: str
    status: int
    detail: str
    way_out: str = ""
    errors: list[FieldProblem] = []
    facts: dict[str, Any] = {}


class ProblemType(msgspec.Struct, frozen=True):
    """The status, short name and title of a kind of refusal."""

    status: int
    slug: str
    title: str


class MethodNotAllowed(errors.Refusal):
    """The route exists, but not with this method."""


class UnsupportedMediaType(errors.Refusal):
    """The body is of another kind than this route takes."""

    way_out = "Send the body as application/json, or as text/csv where the route says so."


class Fault(errors.Refusal):
    """Something is broken on our side."""

    way_out = "Try again in a moment; if it stays, report the request id in the x-amzn-requestid header."


TABLE: dict[type[errors.Refusal], ProblemType] = {
    errors.Invalid: ProblemType(400, "invalid-request", "The request is not valid"),
    errors.Unauthenticated: ProblemType(401, "not-signed-in", "You are not signed in"),
    errors.SignInRefused: ProblemType(401, "sign-in-refused", "The sign-in was refused"),
    errors.NotPermitted: ProblemType(403, "not-permitted", "Your roles do not allow this"),
    errors.EmployerNotYours: ProblemType(403, "employer-not-yours", "This is not one of your employers"),
    errors.EmployerNeeded: ProblemType(400, "employer-needed", "Say for which employer"),
    errors.NotFound: ProblemType(404, "not-found", "There is no such thing"),
    MethodNotAllowed: ProblemType(405, "method-not-allowed", "This method is not offered here"),
    errors.Conflict: ProblemType(409, "conflict", "Somebody else changed this at the same time"),
    UnsupportedMediaType: ProblemType(415, "unsupported-media-type", "The body is of another kind"),
    errors.IdempotencyMismatch: ProblemType(422, "idempotency-key-reused", "This key belongs to another request"),
    errors.ClassNotOpen: ProblemType(409, "class-not-open", "The class is not open"),
    errors.ClassCancelled: ProblemType(409, "class-cancelled", "The class was cancelled"),
    errors.ClassPast: ProblemType(409, "class-past", "The class has started"),
    errors.EnrolmentNotOpen: ProblemType(409, "enrolment-not-open", "Enrolment is not open today"),
    errors.ClassFull: ProblemType(409, "class-full", "The class is full"),
    errors.AlreadyEnrolled: ProblemType(409, "already-enrolled", "On this class already"),
    errors.Clash: ProblemType(409, "clash", "On another class at that time"),
    errors.EmploymentEnds: ProblemType(409, "employment-ends", "The employment ends before the class"),
    errors.AccessNotMet: ProblemType(403, "access-not-met", "This course is meant for others"),
    errors.CourseNotLive: ProblemType(409, "course-not-live", "This course is not offered now"),
    errors.AdministratorOnly: ProblemType(403, "administrator-only", "Only the learning team enrols on this course"),
    errors.PrerequisiteMissing: ProblemType(409, "prerequisite-missing", "Something else comes first"),
    errors.PrerequisiteCycle: ProblemType(409, "prerequisite-cycle", "Prerequisites come back to where they began"),
    errors.NotOpenToWithdraw: ProblemType(409, "not-open-to-withdraw", "There is nothing to withdraw from"),
    errors.TooLateToWithdraw: ProblemType(409, "too-late-to-withdraw", "The class has started"),
    errors.NothingToSign: ProblemType(409, "nothing-to-sign", "There is no register"),
    errors.ListTooLong: ProblemType(409, "list-too-long", "Too many people for one list"),
    errors.TooManyFeeds: ProblemType(409, "too-many-feeds", "You have enough calendar feeds"),
    errors.OwnGrant: ProblemType(403, "own-grant", "Nobody changes their own roles"),
    errors.RoleNotGrantable: ProblemType(403, "role-not-grantable", "This role cannot be granted this way"),
    errors.RequirementStarted: ProblemType(409, "requirement-started", "The requirement has started"),
    errors.OwnExemption: ProblemType(403, "own-exemption", "Nobody exempts themselves"),
    errors.OwnAward: ProblemType(403, "own-award", "Nobody awards themselves"),
    errors.AwardVoid: ProblemType(409, "award-void", "The award is void"),
    errors.NotYourItem: ProblemType(403, "not-your-item", "This belongs to somebody else"),
    errors.Outdated: ProblemType(409, "outdated", "Somebody else has changed this since you read it"),
    errors.InUse: ProblemType(409, "in-use", "Something else names this"),
    errors.NotADraft: ProblemType(409, "not-a-draft", "This has been live"),
    errors.ClassCautions: ProblemType(409, "class-cautions", "Something stands against this"),
    errors.ClassHeld: ProblemType(409, "class-held", "The class was held"),
    errors.OwnExternalTraining: ProblemType(403, "own-external-training", "Others decide on your training"),
    errors.ExternalTrainingNotThere: ProblemType(
        409, "external-training-not-there", "The training is not at that point"
    ),
    errors.EvidenceRefused: ProblemType(409, "evidence-refused", "Evidence is missing or of another kind"),
    errors.TooMuchEvidence: ProblemType(409, "too-much-evidence", "There is enough evidence"),
    errors.OwnEnrolment: ProblemType(403, "own-enrolment", "Others decide on your enrolments"),
    errors.NotYourSubject: ProblemType(403, "not-your-subject", "This lies outside your subjects"),
    errors.EnrolmentNotThere: ProblemType(409, "enrolment-not-there", "The enrolment is not at that point"),
    errors.NobodyElseWaits: ProblemType(409, "nobody-else-waits", "The seat would come back at once"),
    errors.ClassNotStarted: ProblemType(409, "class-not-started", "The class has not started"),
    errors.AlreadyMarked: ProblemType(409, "already-marked", "An outcome is noted already"),
    errors.RequestLapsed: ProblemType(409, "request-lapsed", "The time to decide is over"),
    errors.OverrideNeeded: ProblemType(409, "override-needed", "This waits for somebody else"),
    errors.TooManyDelegations: ProblemType(409, "too-many-delegations", "You have delegated often enough"),
    errors.OwnTransfer: ProblemType(409, "own-transfer", "This is your own training"),
    errors.TransferNotThere: ProblemType(409, "transfer-not-there", "The transfer is not in such a state"),
    errors.TransferUnderway: ProblemType(409, "transfer-underway", "This transfer is under way already"),
    errors.CertificationNotOffered: ProblemType(409, "certification-not-offered", "It is not offered now"),
    errors.SubscriptionNotThere: ProblemType(409, "subscription-not-there", "The subscription is not at that point"),
    errors.MandatorySubscription: ProblemType(403, "mandatory-subscription", "You need this certification"),
    errors.NobodyToTell: ProblemType(409, "nobody-to-tell", "Nobody is in this audience"),
    errors.NoticeOver: ProblemType(409, "notice-over", "The notice was sent"),
    errors.Unavailable: ProblemType(503, "unavailable", "Temporarily unavailable"),
    Fault: ProblemType(500, "fault", "Something went wrong on our side"),
}

RETRY_AFTER_SECONDS = 2


def problem_of(refusal: errors.Refusal) -> Problem:
    """The problem document of a refusal."""
    kind = TABLE[type(refusal)]
    wrong = refusal.errors if isinstance(refusal, errors.Invalid) else ()
    return Problem(
        type=TYPE_PREFIX + kind.slug,
        title=kind.title,
        status=kind.status,
        detail=refusal.detail,
        way_out=refusal.way_out,
        errors=[FieldProblem(each.field, each.reason) for each in wrong],
        facts=refusal.facts if not wrong else {},
    )


def respond(refusal: errors.Refusal) -> Response:
    """The response that tells a refusal."""
    problem = problem_of(refusal)
    headers: dict[str, Any] = {"Content-Type": CONTENT_TYPE, "Cache-Control": "no-store"}
    if problem.status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="esr-learning"'
    if problem.status == 503:
        headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return Response(msgspec.json.encode(problem).decode(), headers, problem.status)
