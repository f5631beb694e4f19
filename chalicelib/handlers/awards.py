"""Awards: what somebody has achieved, recorded, voided and corrected."""

from datetime import date, datetime
from typing import Annotated

import msgspec
from chalice import Blueprint

from chalicelib.domain import errors
from chalicelib.domain.attendance import completed_on
from chalicelib.domain.awards import RECORDED
from chalicelib.domain.competency import Origin, Voided, title_of
from chalicelib.domain.permissions import Capability
from chalicelib.handlers.http import Request, Routes
from chalicelib.handlers.paging import Cursor, Limit, NextCursor, Page
from chalicelib.services import awards, people
from chalicelib.services.awards import History, Recorded, ToVerify, ToVerifyPage, Wanted, Which
from chalicelib.storage import cursor

blueprint = Blueprint(__name__)
routes = Routes(blueprint, "Awards")

CompetencyName = Annotated[str, msgspec.Meta(min_length=1, max_length=200, description="The full name.")]
Source = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[^#\x00-\x1f\x7f]{1,200}$(?!\n)",
        description="Tells apart two awards of one competency on one day: see GET /v1/people/{person_id}/awards.",
    ),
]
Level = Annotated[int, msgspec.Meta(ge=1, le=20, description="On the competency's scale, from 1 up.")]
Note = Annotated[
    str,
    msgspec.Meta(
        min_length=3,
        max_length=500,
        pattern=r"\S",
        description="Evidence or reason, kept with the change. Name nobody in it.",
    ),
]
AwardedOn = Annotated[date, msgspec.Meta(description="Today or earlier, Europe/London.")]


class VoidView(msgspec.Struct, frozen=True):
    """Why an award does not count any more, who said so, and when."""

    reason: str
    by: Annotated[str, msgspec.Meta(description="Person id.")]
    at: datetime

    @classmethod
    def of(cls, voided: Voided) -> "VoidView":
        """Present the reason."""
        return cls(voided.reason, voided.by, voided.at)


class AwardRecord(msgspec.Struct, frozen=True):
    """An award in somebody's history."""

    competency: str
    title: str
    level: int
    level_name: Annotated[str | None, msgspec.Meta(description="As the competency's scale names it today.")]
    awarded_on: date
    expires_on: Annotated[date | None, msgspec.Meta(description="Last valid day; null if it never expires.")]
    origin: Annotated[
        str, msgspec.Meta(description="completion, external training, transfer, administrator or takeover.")
    ]
    source: Annotated[str, msgspec.Meta(description="With competency and day, tells the award apart.")]
    is_void: bool
    voided: Annotated[VoidView | None, msgspec.Meta(description="null too for one that was taken over as void.")]

    @classmethod
    def of(cls, recorded: Recorded) -> "AwardRecord":
        """Present an award."""
        award, known = recorded.award, recorded.competency
        return cls(
            competency=award.competency,
            title=known.title if known else award.competency,
            level=award.level,
            level_name=known.levels[award.level - 1] if known and known.has_level(award.level) else None,
            awarded_on=award.awarded_on,
            expires_on=award.expires_on,
            origin=award.origin.value,
            source=award.source,
            is_void=award.void,
            voided=VoidView.of(award.voided) if award.voided else None,
        )


class AwardHistory(msgspec.Struct, frozen=True):
    """A page of somebody's awards, the latest first, those void included."""

    awards: list[AwardRecord]
    next_cursor: NextCursor

    @classmethod
    def of(cls, page: History) -> "AwardHistory":
        """Present a page."""
        shown = [AwardRecord.of(each) for each in page.awards]
        return cls(shown, cursor.seal(_purpose(page.person), page.next_offset))


def _purpose(person: str) -> str:
    return f"awards {person}"


class AwardQuery(msgspec.Struct, frozen=True):
    """Which awards."""

    competency: CompetencyName | None = None
    limit: Limit = 20
    cursor: Cursor | None = None


@routes.route(
    "GET",
    "/v1/people/{person_id}/awards",
    capability=Capability.VIEW_COMPLIANCE,
    summary="Somebody's awards",
    query=AwardQuery,
    answer=AwardHistory,
)
def list_awards(request: Request) -> History:
    """Everything oneself, somebody one supervises, or (administrators) anybody was awarded, with the reason where it is void."""
    person, query = request.path["person_id"], request.query
    learner = people.visible(request.actor, person, Capability.VIEW_COMPLIANCE, request.now)
    offset = cursor.unseal(_purpose(person), query.cursor) or 0
    return awards.history(learner, query.competency, query.limit, offset)


class AwardBody(msgspec.Struct, frozen=True):
    """What somebody achieved."""

    competency: CompetencyName
    awarded_on: AwardedOn
    note: Note
    level: Level = 1
    origin: Annotated[Origin, msgspec.Meta(description="administrator or external training.")] = Origin.ADMINISTRATOR
    enrolment_id: (
        Annotated[
            str,
            msgspec.Meta(
                pattern=r"^[\w.~-]{1,90}$(?!\n)",
                description="Of the completion that earned it, which it verifies: see GET /v1/completions-to-verify.",
            ),
        ]
        | None
    ) = None

    def wanted(self) -> Wanted:
        """The award it describes. Raises Invalid for an origin that nobody records by hand."""
        if self.origin not in RECORDED:
            raise errors.Invalid(errors.FieldError("body.origin", "is neither administrator nor external training"))
        return Wanted(self.competency, self.level, self.awarded_on, self.origin, self.note, self.enrolment_id)


@routes.route(
    "POST",
    "/v1/people/{person_id}/awards",
    capability=Capability.EDIT_AWARDS,
    summary="Record an award",
    body=AwardBody,
    answer=AwardRecord,
    status=201,
    refusals=(errors.NotFound, errors.OwnAward, errors.Conflict),
)
def record_award(request: Request) -> Recorded:
    """Record what somebody achieved elsewhere or is known to have. It expires by the competency's period as that is today.

    The award valid longest counts, so that a renewal never shortens what is held. With `enrolment_id` it is the award of that
    completion: My learning and the certificate show it, and it becomes void if the completion is taken back.
    """
    return awards.record(request.actor, request.path["person_id"], request.body.wanted(), request.now, request.once)


class WorthView(msgspec.Struct, frozen=True):
    """A competency that a completion is worth, at a level."""

    competency: str
    title: str
    level: int


class ToVerifyView(msgspec.Struct, frozen=True):
    """A completion that awards once it is verified: record each award with this `enrolment_id`."""

    person_id: str
    name: str
    employee_number: str
    enrolment_id: str
    class_id: str
    course_id: str
    title: str
    score: Annotated[float | None, msgspec.Meta(description="Per cent.")]
    completed_on: Annotated[date, msgspec.Meta(description="London day: that of its awards.")]
    noted_at: datetime
    awards: Annotated[list[WorthView], msgspec.Meta(description="What is still to be awarded for it.")]

    @classmethod
    def of(cls, waiting: ToVerify) -> "ToVerifyView":
        """Present a completion."""
        enrolment, who = waiting.enrolment, waiting.who
        return cls(
            person_id=enrolment.person,
            name=who.name,
            employee_number=who.number,
            enrolment_id=enrolment.id,
            class_id=enrolment.class_id,
            course_id=enrolment.course,
            title=enrolment.title,
            score=enrolment.score,
            completed_on=completed_on(enrolment, enrolment.ends_at),
            noted_at=enrolment.history[-1].at,
            awards=[WorthView(each.competency, title_of(each.competency), each.level) for each in enrolment.to_verify],
        )


class ToVerifyList(msgspec.Struct, frozen=True):
    """A page of the completions to verify, first noted first."""

    completions: list[ToVerifyView]
    next_cursor: NextCursor

    @classmethod
    def of(cls, page: ToVerifyPage) -> "ToVerifyList":
        """Present a page."""
        return cls([ToVerifyView.of(each) for each in page.completions], cursor.seal(_TO_VERIFY, page.after))


_TO_VERIFY = "completions to verify"


@routes.route(
    "GET",
    "/v1/completions-to-verify",
    capability=Capability.EDIT_AWARDS,
    summary="Completions to verify",
    query=Page,
    answer=ToVerifyList,
)
def list_completions_to_verify(request: Request) -> ToVerifyPage:
    """Completions of courses that award after verification, until what they are worth is recorded with their `enrolment_id`, or
    their outcome is corrected.
    """
    query = request.query
    return awards.to_verify(request.actor, query.limit, cursor.unseal(_TO_VERIFY, query.cursor))


class VoidBody(msgspec.Struct, frozen=True):
    """Which award is void, and why."""

    competency: CompetencyName
    awarded_on: date
    source: Source
    reason: Note


@routes.route(
    "POST",
    "/v1/people/{person_id}/awards/void",
    capability=Capability.EDIT_AWARDS,
    summary="Void an award",
    body=VoidBody,
    answer=AwardRecord,
    refusals=(errors.NotFound, errors.OwnAward, errors.Conflict),
)
def void_award(request: Request) -> Recorded:
    """Take an award's validity away. It stays in the history with the reason; voiding it again changes nothing."""
    body = request.body
    which = Which(body.competency, body.awarded_on, body.source)
    return awards.void(request.actor, request.path["person_id"], which, body.reason, request.now)


class Correction(msgspec.Struct, frozen=True):
    """What is right in place of which award."""

    level: Level | None = None
    awarded_on: AwardedOn | None = None


class CorrectionBody(msgspec.Struct, frozen=True):
    """Which award is wrong, what is right instead, and why. What `right` leaves out stays as it was."""

    competency: CompetencyName
    awarded_on: date
    source: Source
    right: Correction
    reason: Note


@routes.route(
    "POST",
    "/v1/people/{person_id}/awards/correction",
    capability=Capability.EDIT_AWARDS,
    summary="Correct an award",
    body=CorrectionBody,
    answer=AwardRecord,
    status=201,
    refusals=(errors.NotFound, errors.OwnAward, errors.AwardVoid, errors.Conflict),
)
def correct_award(request: Request) -> Recorded:
    """Void an award and make the right one of the same origin, in one step. Answers with the new one."""
    body = request.body
    return awards.correct(
        request.actor,
        request.path["person_id"],
        Which(body.competency, body.awarded_on, body.source),
        body.right.level,
        body.right.awarded_on,
        body.reason,
        request.now,
        request.once,
    )
