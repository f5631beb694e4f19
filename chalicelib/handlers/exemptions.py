"""Exemptions: what somebody need not hold for a while, and why."""

from datetime import date, datetime
from typing import Annotated

import msgspec
from chalice import Blueprint

from chalicelib.domain import errors
from chalicelib.domain.calendar import london_day
from chalicelib.domain.exemptions import LONGEST_REASON, SHORTEST_REASON, Granted
from chalicelib.domain.permissions import Capability
from chalicelib.domain.requirements import Exemption, Rulebook
from chalicelib.handlers.awards import CompetencyName
from chalicelib.handlers.http import Request, Routes
from chalicelib.services import exemptions
from chalicelib.services.exemptions import Exempt

blueprint = Blueprint(__name__)
routes = Routes(blueprint, "Exemptions")


class ExemptionView(msgspec.Struct, frozen=True):
    """An exemption. Competency and first day tell it apart."""

    competency: Annotated[str, msgspec.Meta(description="The full name, which is its key.")]
    title: str
    reason: str
    starts_on: date
    ends_on: Annotated[date, msgspec.Meta(description="The last day, Europe/London.")]
    granted_by: Annotated[str, msgspec.Meta(description="A person's id, or the name of a system.")]
    granted_at: datetime

    @classmethod
    def of(cls, granted: Granted, rulebook: Rulebook) -> "ExemptionView":
        """Present an exemption."""
        exemption = granted.exemption
        known = rulebook.competencies.get(exemption.competency)
        return cls(
            exemption.competency,
            known.title if known else exemption.competency,
            exemption.reason,
            exemption.starts_on,
            exemption.ends_on,
            granted.by,
            granted.at,
        )


class ExemptionList(msgspec.Struct, frozen=True):
    """Somebody's exemptions, by competency and first day."""

    exemptions: list[ExemptionView]

    @classmethod
    def of(cls, found: Exempt) -> "ExemptionList":
        """Present exemptions."""
        return cls([ExemptionView.of(each, found.rulebook) for each in found.granted])


@routes.route(
    "GET",
    "/v1/people/{person_id}/exemptions",
    capability=Capability.VIEW_COMPLIANCE,
    summary="Somebody's exemptions",
    answer=ExemptionList,
    refusals=(errors.NotFound,),
)
def list_exemptions(request: Request) -> Exempt:
    """The exemptions, past and to come, of oneself, somebody one supervises, or (administrators) anybody."""
    return exemptions.of_person(request.actor, request.path["person_id"], request.now)


class ExemptionBody(msgspec.Struct, frozen=True):
    """An exemption to grant."""

    competency: CompetencyName
    reason: Annotated[str, msgspec.Meta(min_length=SHORTEST_REASON, max_length=LONGEST_REASON)]
    ends_on: Annotated[date, msgspec.Meta(description="The last day, three years after the first at most.")]
    starts_on: Annotated[date, msgspec.Meta(description="First day; today unless told.")] | None = None


class GrantedView(msgspec.Struct, frozen=True):
    """An exemption that was granted."""

    exemption: ExemptionView

    @classmethod
    def of(cls, found: Exempt) -> "GrantedView":
        """Present the exemption granted."""
        return cls(ExemptionView.of(found.granted[0], found.rulebook))


@routes.route(
    "POST",
    "/v1/people/{person_id}/exemptions",
    capability=Capability.EDIT_AWARDS,
    summary="Exempt somebody",
    body=ExemptionBody,
    answer=GrantedView,
    status=201,
    refusals=(errors.NotFound, errors.OwnExemption, errors.Conflict),
)
def grant_exemption(request: Request) -> Exempt:
    """Somebody need not hold a competency for a while, whatever requires it. It always has a reason, which they see, and an end."""
    body = request.body
    wanted = Exemption(body.competency, body.reason, body.starts_on or london_day(request.now), body.ends_on)
    return exemptions.grant(request.actor, request.path["person_id"], wanted, request.now, request.once)


class EndBody(msgspec.Struct, frozen=True):
    """Which exemption to end, and its new last day."""

    competency: CompetencyName
    starts_on: date
    ends_on: Annotated[
        date,
        msgspec.Meta(description="Yesterday or later; before `starts_on` if the exemption is to be taken back whole."),
    ]


class EndedView(msgspec.Struct, frozen=True):
    """An exemption that was ended."""

    exemption: Annotated[ExemptionView | None, msgspec.Meta(description="null if it was taken back whole.")]

    @classmethod
    def of(cls, found: Exempt) -> "EndedView":
        """Present what is left of the exemption."""
        return cls(ExemptionView.of(found.granted[0], found.rulebook) if found.granted else None)


@routes.route(
    "POST",
    "/v1/people/{person_id}/exemptions/end",
    capability=Capability.EDIT_AWARDS,
    summary="End an exemption early",
    body=EndBody,
    answer=EndedView,
    refusals=(errors.NotFound, errors.OwnExemption, errors.Conflict),
)
def end_exemption(request: Request) -> Exempt:
    """Bring the last day of an exemption forward; what is required counts again from the day after."""
    body, person = request.body, request.path["person_id"]
    return exemptions.end(request.actor, person, body.competency, body.starts_on, body.ends_on, request.now)
