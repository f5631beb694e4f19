"""What the rules refuse, and how each refusal explains itself.

Every refusal names the rule that decided (its class), says in a sentence what happened, and offers a way out.
The HTTP status and problem type of each stand in one table in `handlers/problems.py`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


class Refusal(Exception):
    """The rules do not allow what was asked. Nothing was changed."""

    way_out: str = ""

    def __init__(self, detail: str, *, way_out: str | None = None, **facts: Any) -> None:
        super().__init__(detail)
        self.detail = detail
        self.way_out = type(self).way_out if way_out is None else way_out
        self.facts = facts


# --- who is asking ------------------------------------------------------------------------------------------


class Unauthenticated(Refusal):
    """No token, or one that is forged, expired, or meant for somebody else."""

    way_out = "Sign in again and send the access token as `Authorization: Bearer …`."


class SignInRefused(Refusal):
    """The login and password do not match."""

    way_out = "Check login and password and try again; after several failures wait a minute."


class NotPermitted(Refusal):
    """None of the caller's roles allows this (domain.md §10)."""

    way_out = "Ask a learning administrator of your employer for the role that allows it."


class EmployerNotYours(Refusal):
    """The employer asked for is not one of the caller's."""

    way_out = "Leave `employer` out, or name one of the employers listed by GET /v1/me."


class EmployerNeeded(Refusal):
    """The caller belongs to several employers and named none."""

    way_out = "Add `?employer=` with one of the employers listed."


# --- what was asked for -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class FieldError:
    """One field of the request that is wrong: where it is (`body.role`, `query.limit`) and why."""

    field: str
    reason: str


class Invalid(Refusal):
    """The request is not well formed. Lists every field found wrong."""

    way_out = "Correct the fields listed and send the request again."

    def __init__(self, *errors: FieldError) -> None:
        super().__init__("The request has fields that are missing or wrong.")
        self.errors = errors


def refuse_body(wrong: Iterable[FieldError]) -> None:
    """Raise Invalid naming each of these fields of a body as `body.…`, if there are any."""
    if found := [FieldError(f"body.{each.field}", each.reason) for each in wrong]:
        raise Invalid(*found)


class NotFound(Refusal):
    """There is no such thing, or the caller may not know of it (domain.md §5: others cannot find the item)."""

    way_out = "Check the address. What you may not see is reported as not found."


class Conflict(Refusal):
    """Somebody else changed the same record at the same moment."""

    way_out = "Read it again and repeat the request."


class Unavailable(Refusal):
    """The records cannot be reached just now; whether the change was made is not known."""

    way_out = "Repeat the request with the same Idempotency-Key: it is done at most once."


class IdempotencyMismatch(Refusal):
    """The Idempotency-Key was used before with another request."""

    way_out = "Use a new key for a new request."


# --- enrolment (domain.md §2 and §5) ------------------------------------------------------------------------


class ClassNotOpen(Refusal):
    """The class is closed: nobody new may be placed on it."""

    way_out = "Choose another date of this course."


class ClassCancelled(Refusal):
    """The class was cancelled, which is final."""

    way_out = "Choose another date of this course."


class ClassPast(Refusal):
    """The class has started or is over."""

    way_out = "Choose a date in the future."


class EnrolmentNotOpen(Refusal):
    """Today lies outside the enrolment dates of the class."""

    way_out = "Enrol between the dates given, or choose another date of this course."


class ClassFull(Refusal):
    """Every seat is taken, or those that are free have people waiting for them, and nobody can wait any more."""

    way_out = "Choose another date of this course, or have the maximum of the class raised."


class AlreadyEnrolled(Refusal):
    """The learner already has a place, or attended, on this class."""

    way_out = "See GET /v1/me/enrolments."


class Clash(Refusal):
    """The learner holds a seat on another class at the same time (domain.md §2)."""

    way_out = "Withdraw from the other class first, or choose another date."


class EmploymentEnds(Refusal):
    """The learner will have left by the day of the class; leaving gives such places back (domain.md §2)."""

    way_out = "Choose a date up to the last day of service."


class AccessNotMet(Refusal):
    """The learner meets none of the course's access rules (domain.md §5). Told to administrators, and to managers who find the
    course themselves; others find nothing.
    """

    way_out = "Have the learner access of the course changed, or be enrolled by the learning team."


class CourseNotLive(Refusal):
    """The course is a draft or was withdrawn."""

    way_out = "Look for another course that awards the same."


class AdministratorOnly(Refusal):
    """Only the learning team enrols people on this course (domain.md §5)."""

    way_out = "Ask the learning team to enrol you."


class NotOpenToWithdraw(Refusal):
    """The enrolment is closed already: withdrawn, cancelled or completed."""

    way_out = "See its state in GET /v1/me/enrolments."


class TooLateToWithdraw(Refusal):
    """A learner may withdraw until the class starts (domain.md §2)."""

    way_out = "Tell the instructor or the learning team."


# --- prerequisites (domain.md §5) ---------------------------------------------------------------------------


class PrerequisiteMissing(Refusal):
    """What must be achieved before this course is not, or not any more on the day the class starts."""

    way_out = "Ask the learning team how to achieve what is missing."


class PrerequisiteCycle(Refusal):
    """With this change nobody could ever begin a course, since its prerequisites come back to it."""

    way_out = "Leave out one prerequisite of the chain, make it advisory, or offer another course that awards it."


# --- class lists, schedules and calendar feeds (domain.md §8 and §11) -----------------------------------------


class NothingToSign(Refusal):
    """A class without sessions has no signature register."""

    way_out = "See who is on it: GET /v1/classes/{class_id}/class-list."


class ListTooLong(Refusal):
    """More people are on this class than one list shows, which only e-learning has."""

    way_out = "Look people up by name: GET /v1/people."


class TooManyFeeds(Refusal):
    """Somebody has as many calendar feeds as one person needs."""

    way_out = "Revoke one that is not used: DELETE /v1/me/calendar-feeds/{feed_id}."


# --- role grants (architecture: the roles are grants in our table) ------------------------------------------


class OwnGrant(Refusal):
    """Nobody grants or revokes a role of their own."""

    way_out = "Ask another administrator."


class RoleNotGrantable(Refusal):
    """This role follows from an employment, or may be granted only by the national administrator."""

    way_out = "Ask the national administrator."


# --- requirements and exemptions (domain.md §1) -------------------------------------------------------------


class RequirementStarted(Refusal):
    """A requirement that has been in force is never removed or rewritten: what was required on a day stays explainable."""

    way_out = "End it instead: POST /v1/requirements with the same target, competency and starts_on, and its last day as ends_on."


class OwnExemption(Refusal):
    """Nobody grants or ends an exemption of their own, as nobody awards themselves (domain.md §10)."""

    way_out = "Ask another administrator."


# --- awards (domain.md §3 and §10) --------------------------------------------------------------------------


class OwnAward(Refusal):
    """Nobody awards themselves, nor voids or corrects an award of their own (domain.md §10)."""

    way_out = "Ask another administrator."


class AwardVoid(Refusal):
    """A void award is not corrected: it counts no more."""

    way_out = "Record a new award: POST /v1/people/{person_id}/awards."


# --- editing the catalogue and classes (domain.md §1, §2 and §10) --------------------------------------------


class NotYourItem(Refusal):
    """National items are kept by the national administrator, an employer's by that employer, and edited by nobody else."""

    way_out = "Ask the national administrator to change it, or add an item of your own employer."


class Outdated(Refusal):
    """Somebody changed it since it was read. `current` is how it is now, `yours` what was sent."""

    way_out = "Look at how it is now, and send your change again with that revision if it still holds."


class InUse(Refusal):
    """Something else names it, so that it cannot be deleted."""

    way_out = "Change what names it first."


class NotADraft(Refusal):
    """A course or learning path that has been live is never deleted: learners may have taken it."""

    way_out = "Withdraw it instead: change its status to withdrawn."


class ClassCautions(Refusal):
    """The venue or the instructor is taken at that time, or the venue is too small (domain.md §8)."""

    way_out = "Choose another time, venue or instructor, or send `accept_cautions: true` to save it all the same."


class ClassHeld(Refusal):
    """People have outcomes on the class, so it was held: cancelling it would leave them on a class that never was."""

    way_out = "If it was not held, correct those outcomes first."


# --- external training (domain.md §3 and §10) -----------------------------------------------------------------


class OwnExternalTraining(Refusal):
    """Nobody approves, verifies, rejects or adds as approved a training of their own (domain.md §10)."""

    way_out = "Ask your manager or another administrator."


class ExternalTrainingNotThere(Refusal):
    """The training is in a state in which this cannot be done (domain.md §3)."""

    way_out = "See how far it has come: GET /v1/me/external-training."


class EvidenceRefused(Refusal):
    """A file that was announced is not there, or is not what it was said to be."""

    way_out = "Ask for a new address with the number of that file, send it again, and submit again."


class TooMuchEvidence(Refusal):
    """A training has as many files as one may have."""

    way_out = "Put several pages into one PDF file, or send another file in place of one: give its number."


# --- placing others (domain.md §2 and §10) --------------------------------------------------------------------


class OwnEnrolment(Refusal):
    """Nobody places, withdraws or moves themselves as somebody's manager or as an administrator."""

    way_out = "Enrol and withdraw under /v1/me/enrolments; for anything else ask another administrator."


class NotYourSubject(Refusal):
    """The course lies outside the subjects of a class administrator (domain.md §10)."""

    way_out = "Ask a learning administrator, or the class administrator of that subject."


class EnrolmentNotThere(Refusal):
    """The enrolment is in a state in which this cannot be done (domain.md §2)."""

    way_out = "See how it stands: GET /v1/people/{person_id}/enrolments."


class NobodyElseWaits(Refusal):
    """Whoever went back to the waiting list now would get the seat again at once, since nobody waits in front of them."""

    way_out = "Cancel or withdraw the enrolment instead, or close the class first."


# --- attendance and certificates (domain.md §2) -----------------------------------------------------------------


class ClassNotStarted(Refusal):
    """Outcomes are noted once a class has started."""

    way_out = "Enter them from the start of the class on; if somebody does not come, withdraw them."


class AlreadyMarked(Refusal):
    """Another outcome, or score, is noted already: to change it is a correction, which only administrators make."""

    way_out = "Have it corrected: POST /v1/people/{person_id}/enrolments/{enrolment_id}/correction."


# --- approvals (domain.md §2 and §5) ----------------------------------------------------------------------------


class RequestLapsed(Refusal):
    """The class has started, or nobody decided for too long: a request that was not decided by then is over."""

    way_out = "Choose another date, or ask again."


class OverrideNeeded(Refusal):
    """An administrator decides in place of whoever was asked only with a reason."""

    way_out = "Send `override` with the reason, or leave it to them."


class TooManyDelegations(Refusal):
    """Somebody has delegated as often as one person needs."""

    way_out = "Take one back first: DELETE /v1/me/delegations/{delegation_id}."


# --- transfers (domain.md §7) -----------------------------------------------------------------------------------


class OwnTransfer(Refusal):
    """Nobody asks for, releases or decides a transfer of their own training, as nobody awards themselves (domain.md §10)."""

    way_out = "Ask another administrator."


class TransferNotThere(Refusal):
    """The transfer is in a state in which this cannot be done (domain.md §7)."""

    way_out = "See how far it has come: GET /v1/transfers/{person_id}/{transfer_id}."


class TransferUnderway(Refusal):
    """The same was asked for, and still waits for somebody."""

    way_out = "See how far it has come: GET /v1/people/{person_id}/transfers."


# --- certifications (domain.md §2 and §6) -----------------------------------------------------------------------


class CertificationNotOffered(Refusal):
    """The certification is a draft, was withdrawn, or is not offered on this day."""

    way_out = "Look for another certification or course that awards the same."


class SubscriptionNotThere(Refusal):
    """The subscription is in a state in which this cannot be done (domain.md §2)."""

    way_out = "See how it stands: GET /v1/me/certifications."


class MandatorySubscription(Refusal):
    """Learners cancel what they chose themselves; what they were subscribed to because they need it they cannot (domain.md §2)."""

    way_out = "Ask the learning team."


# --- notices (domain.md §9, N23) --------------------------------------------------------------------------------


class NobodyToTell(Refusal):
    """The audience of a notice has nobody in it whom its writer can reach."""

    way_out = "Choose another audience; POST /v1/notices/preview says how many an audience has."


class NoticeOver(Refusal):
    """Every e-mail of the notice has gone: there is nothing left to stop."""

    way_out = "Write another notice that puts it right."
