"""Training done elsewhere: asked for, approved by a manager, verified by an administrator (domain.md §3, §9 N22 and §10).

Nothing of it is held until an administrator verifies it; what they award may differ from what was claimed.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum

from chalicelib.domain import errors
from chalicelib.domain.awards import wrong_fields as wrong_award
from chalicelib.domain.calendar import EARLIEST
from chalicelib.domain.competency import Competency
from chalicelib.domain.errors import FieldError
from chalicelib.domain.learner import Learner
from chalicelib.domain.people import Assignment


class Status(StrEnum):
    """How far a request has come."""

    DRAFT = "draft"
    SUBMITTED = "submitted"
    APPROVED = "approved"
    VERIFIED = "verified"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"


class Party(StrEnum):
    """Who somebody is to a request. Nobody is the approver or an administrator of their own."""

    LEARNER = "learner"
    APPROVER = "approver"
    ADMINISTRATOR = "administrator"


class Step(StrEnum):
    """What can be done with a request."""

    SUBMIT = "submit"
    APPROVE = "approve"
    VERIFY = "verify"
    REJECT = "reject"
    WITHDRAW = "withdraw"


_LEARNER = frozenset({Party.LEARNER})
_EITHER = frozenset({Party.APPROVER, Party.ADMINISTRATOR})
_ADMINISTRATOR = frozenset({Party.ADMINISTRATOR})

MOVES: Mapping[tuple[Status, Step], tuple[Status, frozenset[Party]]] = {
    (Status.DRAFT, Step.SUBMIT): (Status.SUBMITTED, _LEARNER),
    (Status.DRAFT, Step.WITHDRAW): (Status.WITHDRAWN, _LEARNER),
    (Status.SUBMITTED, Step.APPROVE): (Status.APPROVED, _EITHER),
    (Status.SUBMITTED, Step.REJECT): (Status.REJECTED, _EITHER),
    (Status.SUBMITTED, Step.WITHDRAW): (Status.WITHDRAWN, _LEARNER),
    (Status.APPROVED, Step.VERIFY): (Status.VERIFIED, _ADMINISTRATOR),
    (Status.APPROVED, Step.REJECT): (Status.REJECTED, _ADMINISTRATOR),
    (Status.APPROVED, Step.WITHDRAW): (Status.WITHDRAWN, _LEARNER),
}
"""From which state which step leads where, and who may take it. What is not here cannot happen."""

_WAY_ON = {
    Status.DRAFT: "The learner has to submit it first.",
    Status.SUBMITTED: "It has to be approved first.",
    Status.APPROVED: "It waits for an administrator, who verifies or rejects it.",
    Status.VERIFIED: "If an award is wrong, an administrator corrects or voids it: POST /v1/people/{person_id}/awards/correction.",
    Status.REJECTED: "If something was missing, add the training again: POST /v1/me/external-training.",
    Status.WITHDRAWN: "Add the training again: POST /v1/me/external-training.",
}


@dataclass(frozen=True, slots=True)
class HistoryRow:
    """One change: the state reached, the UTC instant, who made it, and why if they said so."""

    status: Status
    at: datetime
    by: str
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """A competency at a level: claimed by whoever asks, or awarded by the administrator."""

    competency: str
    level: int = 1


@dataclass(frozen=True, slots=True)
class Evidence:
    """A file that shows it: its number from 1, media type and bytes as declared. `version`, the version of it in the files
    bucket that was looked at, is None until it has been.
    """

    number: int
    content_type: str
    size: int
    version: str | None = None

    @property
    def checked(self) -> bool:
        """Whether its content was found to be what was declared; only then is it shown to anybody."""
        return self.version is not None


@dataclass(frozen=True, slots=True)
class Training:
    """What was done elsewhere. `completed_on` is a London day, `minutes` how long it took, if that is known."""

    title: str
    provider: str
    completed_on: date
    claims: tuple[Claim, ...] = ()
    minutes: int | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class ExternalTraining:
    """One request of one person at one employer.

    `assignment` is the number of the job whose supervisor approves, `approver` that supervisor once it is submitted; without one
    the learning administrators approve. `awarded` is what an administrator awarded for it. `revision` rises with every change.
    """

    id: str
    person: str
    employer: str
    training: Training
    status: Status
    history: tuple[HistoryRow, ...]
    assignment: str | None = None
    approver: str | None = None
    evidence: tuple[Evidence, ...] = ()
    awarded: tuple[Claim, ...] = ()
    revision: int = 1

    @property
    def submitted_at(self) -> datetime:
        """When it was submitted, or else begun: requests are decided in this order."""
        return next((row.at for row in self.history if row.status is Status.SUBMITTED), self.history[0].at)

    @property
    def reason(self) -> str | None:
        """Why it came to its present state, if whoever brought it there said so."""
        return self.history[-1].reason

    def moved_to(self, status: Status, at: datetime, by: str, reason: str | None = None) -> "ExternalTraining":
        """The same request in another state, its history one row longer and its revision one higher."""
        row = HistoryRow(status, at, by, reason)
        return replace(self, status=status, history=(*self.history, row), revision=self.revision + 1)

    def reached(self, status: Status, by: str) -> bool:
        """Whether this person brought it to this state: whoever repeats what they did changes nothing."""
        return self.status is status and self.history[-1].by == by


# --- who does what --------------------------------------------------------------------------------------------


def parties(request: ExternalTraining, person: str, learner: Learner, administers: bool, day: date) -> frozenset[Party]:
    """Who somebody is to a request on a day.

    The approver is who was asked, and whoever supervises the chosen assignment now. Whose request it is, is nothing else. A draft
    is nobody else's business.
    """
    if person == request.person:
        return _LEARNER
    if request.status is Status.DRAFT:
        return frozenset()
    found = set()
    if person in approvers(request, learner, day):
        found.add(Party.APPROVER)
    if administers:
        found.add(Party.ADMINISTRATOR)
    return frozenset(found)


def approvers(request: ExternalTraining, learner: Learner, day: date) -> frozenset[str]:
    """Who approves a request: who was asked, and whoever supervises the chosen assignment on a day. Never its learner."""
    supervisors = {each.supervisor for each in learner.assignments_on(day) if each.number == request.assignment}
    return frozenset(each for each in {request.approver, *supervisors} if each) - {request.person}


def asked_instead(request: ExternalTraining, approver: str | None) -> ExternalTraining:
    """The same request, waiting for somebody else; None: for the learning administrators."""
    return replace(request, approver=approver, revision=request.revision + 1)


def move(
    request: ExternalTraining, step: Step, who: frozenset[Party], by: str, at: datetime, reason: str | None = None
) -> ExternalTraining:
    """Take a step. Raises OwnExternalTraining, ExternalTrainingNotThere or NotPermitted, whichever rule says no first."""
    takers = {party for (_, each), (_, allowed) in MOVES.items() if each is step for party in allowed}
    if who == _LEARNER and Party.LEARNER not in takers:
        raise errors.OwnExternalTraining(f"This is your own training: others {step} it.")
    following = MOVES.get((request.status, step))
    if following is None:
        raise errors.ExternalTrainingNotThere(
            f"There is nothing to {step}: this training is {_said(request.status)}.",
            way_out=_WAY_ON[request.status],
            status=request.status.value,
        )
    status, allowed = following
    if allowed.isdisjoint(who):
        raise errors.NotPermitted(
            f"Only the {' or an '.join(sorted(allowed, reverse=True))} may {step} a training that is {_said(request.status)}.",
            way_out="Leave it to them.",
        )
    return request.moved_to(status, at, by, reason)


def _said(status: Status) -> str:
    return "a draft" if status is Status.DRAFT else f"{status}"


def added_for(
    request_id: str, learner: Learner, training: Training, assignment: str | None, by: str, at: datetime
) -> ExternalTraining:
    """A training that a manager or an administrator adds for somebody: approved by that, and still to be verified.

    Raises OwnExternalTraining for oneself.
    """
    if by == learner.person.id:
        raise errors.OwnExternalTraining(
            "Nobody adds an approved training of their own.",
            way_out="Add it as a request: POST /v1/me/external-training.",
        )
    return ExternalTraining(
        request_id,
        learner.person.id,
        learner.employer,
        training,
        Status.APPROVED,
        (HistoryRow(Status.APPROVED, at, by),),
        assignment,
        approver=by,
    )


# --- what may be said in it -----------------------------------------------------------------------------------


def wrong_fields(
    training: Training,
    assignment: str | None,
    assignments: Iterable[Assignment],
    framework: Mapping[str, Competency],
    today: date,
) -> Iterator[FieldError]:
    """Each field of a training that cannot be; `assignments` are those the learner holds today."""
    if not EARLIEST <= training.completed_on <= today:
        yield FieldError("completed_on", f"lies in the future or before {EARLIEST}")
    if assignment is not None and assignment not in {each.number for each in assignments}:
        yield FieldError("assignment", "is not one of the assignments held today")
    yield from wrong_claims("claims", training.claims, training.completed_on, framework, today)


def wrong_claims(
    field: str, claims: Sequence[Claim], completed_on: date, framework: Mapping[str, Competency], today: date
) -> Iterator[FieldError]:
    """Each competency of a list that is unknown here, at a level off its scale, or named before; the day is not looked at."""
    named = set()
    for place, claim in enumerate(claims):
        if claim.competency in named:
            yield FieldError(f"{field}[{place}].competency", "is named twice")
        named.add(claim.competency)
        for wrong in wrong_award(claim.competency, claim.level, completed_on, framework, today):
            if wrong.field != "awarded_on":
                yield FieldError(f"{field}[{place}].{wrong.field}", wrong.reason)


# --- evidence -------------------------------------------------------------------------------------------------

MOST_EVIDENCE = 5
"""Files of one training."""

MOST_BYTES = 10 * 2**20
"""Of one file."""

_BEGINNINGS = {
    "application/pdf": b"%PDF-",
    "image/png": b"\x89PNG\r\n\x1a\n",
    "image/jpeg": b"\xff\xd8\xff",
}
"""The first bytes of each kind of file that is taken."""

LONGEST_BEGINNING = max(map(len, _BEGINNINGS.values()))


@dataclass(frozen=True, slots=True)
class Found:
    """A file as it lies in the bucket: bytes, media type it was sent as, version, and its first bytes."""

    size: int
    content_type: str
    version: str
    beginning: bytes


def offered(request: ExternalTraining, content_type: str, size: int, number: int | None) -> ExternalTraining:
    """A request with room for one more file, or with another one in place of `number`; it has to be sent and checked anew.

    Raises ExternalTrainingNotThere for what is no draft, TooMuchEvidence, or Invalid for a number that was never given.
    """
    if request.status is not Status.DRAFT:
        raise errors.ExternalTrainingNotThere(
            f"Evidence is sent before submitting; this training is {_said(request.status)}.",
            way_out="Withdraw it and add the training again with all evidence.",
            status=request.status.value,
        )
    if number is None and len(request.evidence) == MOST_EVIDENCE:
        raise errors.TooMuchEvidence(f"There are {MOST_EVIDENCE} files already.")
    if number is not None and number > len(request.evidence):
        raise errors.Invalid(FieldError("body.number", "is not the number of a file of this training"))
    new = Evidence(number or len(request.evidence) + 1, content_type, size)
    kept = [each for each in request.evidence if each.number != new.number]
    evidence = tuple(sorted((*kept, new), key=lambda each: each.number))
    return replace(request, evidence=evidence, revision=request.revision + 1)


def what_is_wrong(evidence: Evidence, found: Found | None) -> str | None:
    """Why a file cannot be evidence; None if it is what was declared. Its content decides, not what it calls itself."""
    if found is None:
        return "was not sent"
    if found.size > MOST_BYTES:
        return f"is larger than {MOST_BYTES} bytes"
    kind = next((each for each, beginning in _BEGINNINGS.items() if found.beginning.startswith(beginning)), None)
    if kind is None:
        return "is no PDF, PNG or JPEG file"
    if kind != evidence.content_type or found.content_type != evidence.content_type:
        return f"is not {evidence.content_type}, as was declared"
    if found.size != evidence.size:
        return "is not of the size that was declared"
    return None


def checked(request: ExternalTraining, found: Mapping[int, Found | None]) -> ExternalTraining:
    """A request whose files were looked at, by their number. Raises EvidenceRefused naming every file that will not do."""
    wrong = {each.number: what_is_wrong(each, found[each.number]) for each in request.evidence}
    refused = [{"number": number, "reason": reason} for number, reason in wrong.items() if reason]
    if refused:
        said = "; ".join(f"file {each['number']} {each['reason']}" for each in refused)
        raise errors.EvidenceRefused(f"Not every file will do: {said}.", files=refused)
    versions = {number: each.version for number, each in found.items() if each}
    return replace(request, evidence=tuple(replace(each, version=versions[each.number]) for each in request.evidence))
