"""Compliance of units: the organisation tree with its figures, one unit in detail, and what is required in it."""

from datetime import date
from decimal import Decimal
from typing import Annotated

import msgspec
from chalice import Blueprint

from chalicelib.domain import errors, figures
from chalicelib.domain.calendar import london_day
from chalicelib.domain.permissions import Capability
from chalicelib.domain.projection import Counts
from chalicelib.domain.requirements import Requirement, Rulebook
from chalicelib.handlers.http import Request, Routes
from chalicelib.handlers.paging import Cursor, Limit, NextCursor
from chalicelib.services import units
from chalicelib.services.units import CompetencyFigures, UnitCompliance, UnitFigures, UnitPage, UnitRequirements
from chalicelib.storage import cursor

blueprint = Blueprint(__name__)
routes = Routes(blueprint, "Units")

Percent = Annotated[float | None, msgspec.Meta(description="Two decimals, half up; null where nothing is required.")]


def percent(value: Decimal | None) -> float | None:
    """A percentage as JSON has it."""
    return None if value is None else float(value)


class Figures(msgspec.Struct, frozen=True):
    """What BI counts, as of the last projection, within seconds of a change: one row for each competency an assignment requires."""

    required: Annotated[int, msgspec.Meta(description="Rows: competencies required, added up over assignments.")]
    achieved: Annotated[int, msgspec.Meta(description="Rows that are not red.")]
    compliance_percent: Percent
    expiring_soon: Annotated[int, msgspec.Meta(description="Rows that are amber: achieved, but expiring soon.")]
    predicted_percent: Annotated[
        float | None,
        msgspec.Meta(description="(achieved - expiring soon) / required x 100; null where nothing is required."),
    ]
    future_enrolments: Annotated[
        int, msgspec.Meta(description="Red or amber rows with a place on a coming class that awards it.")
    ]
    predicted_percent_with_enrolments: Annotated[
        float | None,
        msgspec.Meta(description="(achieved - expiring soon + future enrolments) / required x 100; null likewise."),
    ]

    @classmethod
    def of(cls, counts: Counts) -> "Figures":
        """Present counts with the percentages that follow from them."""
        return cls(
            counts.required,
            counts.achieved,
            percent(figures.compliance_percent(counts)),
            counts.expiring,
            percent(figures.predicted_percent(counts)),
            counts.future,
            percent(figures.predicted_percent_with_enrolments(counts)),
        )


class UnitView(msgspec.Struct, frozen=True):
    """A unit in the tree, counted together with all units below it."""

    id: str
    name: str
    parent: Annotated[str | None, msgspec.Meta(description="The unit above; null at the top.")]
    depth: Annotated[int, msgspec.Meta(description="0 at the top.")]
    assignments: Annotated[int, msgspec.Meta(description="Assignments held today, units below included.")]
    figures: Figures

    @classmethod
    def of(cls, unit: UnitFigures) -> "UnitView":
        """Present a unit."""
        place, counts = unit.place, unit.counts
        return cls(place.unit.id, place.unit.name, place.parent, place.depth, counts.assignments, Figures.of(counts))


class UnitList(msgspec.Struct, frozen=True):
    """A page of units: depth first, each above those below it, siblings by name."""

    units: list[UnitView]
    total: Annotated[int, msgspec.Meta(description="How many there are in all.")]
    next_cursor: NextCursor

    @classmethod
    def of(cls, page: UnitPage) -> "UnitList":
        """Present a page."""
        return cls([UnitView.of(each) for each in page.units], page.total, cursor.seal("units", page.next_offset))


class UnitQuery(msgspec.Struct, frozen=True):
    """Which part of the tree."""

    parent: (
        Annotated[str, msgspec.Meta(min_length=1, max_length=80, description="Only units below this one.")] | None
    ) = None
    depth: (
        Annotated[int, msgspec.Meta(ge=1, le=50, description="How many levels: 1 for the children of `parent` alone.")]
        | None
    ) = None
    limit: Limit = 20
    cursor: Cursor | None = None


@routes.route(
    "GET",
    "/v1/units",
    capability=Capability.VIEW_DASHBOARD,
    summary="Units and their compliance",
    query=UnitQuery,
    answer=UnitList,
)
def list_units(request: Request) -> UnitPage:
    """The organisation tree with the figures of each unit, those below it included: whole, or drilled down by `parent` and `depth`.

    Figures are as of the last projection of each assignment, which follows a change within seconds.
    """
    query = request.query
    offset = cursor.unseal("units", query.cursor) or 0
    today = london_day(request.now)
    return units.listed(request.actor.employer, query.parent, query.depth, query.limit, offset, today)


class CompetencyView(msgspec.Struct, frozen=True):
    """One competency in a unit and all units below it."""

    competency: str
    title: str
    figures: Figures

    @classmethod
    def of(cls, found: CompetencyFigures) -> "CompetencyView":
        """Present a competency."""
        return cls(found.competency, found.title, Figures.of(found.counts))


class OwnFigures(msgspec.Struct, frozen=True):
    """The assignments of a unit itself, without those of units below it."""

    assignments: int
    figures: Figures


class UnitComplianceView(msgspec.Struct, frozen=True):
    """A unit with all below it, alone, its children, and every competency that is required in it, by title."""

    unit: UnitView
    own: OwnFigures
    children: list[UnitView]
    competencies: list[CompetencyView]

    @classmethod
    def of(cls, found: UnitCompliance) -> "UnitComplianceView":
        """Present the compliance of a unit."""
        return cls(
            UnitView.of(UnitFigures(found.place, found.counts)),
            OwnFigures(found.own.assignments, Figures.of(found.own)),
            [UnitView.of(each) for each in found.children],
            [CompetencyView.of(each) for each in found.competencies],
        )


@routes.route(
    "GET",
    "/v1/units/{unit_id}/compliance",
    capability=Capability.VIEW_DASHBOARD,
    summary="One unit's compliance",
    answer=UnitComplianceView,
    refusals=(errors.NotFound,),
)
def unit_compliance(request: Request) -> UnitCompliance:
    """The figures of a unit with all units below it, of its own assignments alone, of each child, and by competency.

    As of the last projection of each assignment. Parents are sums at this moment, so a unit that moves takes its figures along.
    """
    return units.compliance(request.actor.employer, request.path["unit_id"], london_day(request.now))


class InheritedView(msgspec.Struct, frozen=True):
    """A rule that reaches whoever is in the unit. A competency asked for twice counts at its highest level."""

    competency: Annotated[str, msgspec.Meta(description="The full name, which is its key.")]
    title: str
    minimum_level: int
    target_kind: Annotated[str, msgspec.Meta(description="Where the rule is set: ORG, the employer, or UNIT.")]
    target: Annotated[str, msgspec.Meta(description="The employer, the unit itself, or a unit above it that day.")]
    target_name: str | None
    starts_on: date
    ends_on: Annotated[date | None, msgspec.Meta(description="Last day; null while it has no end.")]
    in_use: Annotated[
        bool,
        msgspec.Meta(description="Whether the competency is in use that day; while it is not, nobody is asked for it."),
    ]

    @classmethod
    def of(cls, rule: Requirement, on: date, rulebook: Rulebook) -> "InheritedView":
        """Present a rule with the names of the employer's rulebook."""
        return cls(
            rule.competency,
            units.title_of(rulebook, rule.competency),
            rule.minimum_level,
            rule.target.kind.value,
            rule.target.id,
            rulebook.names.get(rule.target),
            rule.starts_on,
            rule.ends_on,
            rulebook.in_use_on(rule.competency, on),
        )


class UnitRequirementsView(msgspec.Struct, frozen=True):
    """What a unit was or will be asked for on a day: the rules of the employer first, then of units from the top down."""

    unit: str
    on: date
    requirements: list[InheritedView]

    @classmethod
    def of(cls, found: UnitRequirements) -> "UnitRequirementsView":
        """Present the requirements of a unit."""
        shown = [InheritedView.of(each, found.on, found.rulebook) for each in found.rules]
        return cls(found.unit, found.on, shown)


class OnQuery(msgspec.Struct, frozen=True):
    """Which day."""

    on: (
        Annotated[date, msgspec.Meta(description="A day in Europe/London, past or ahead; today unless told.")] | None
    ) = None


@routes.route(
    "GET",
    "/v1/units/{unit_id}/requirements",
    capability=Capability.VIEW_DASHBOARD,
    summary="What is required in a unit, on any day",
    query=OnQuery,
    answer=UnitRequirementsView,
    refusals=(errors.NotFound,),
)
def unit_requirements(request: Request) -> UnitRequirements:
    """Every rule that reaches the assignments in a unit on a day by the employer, the unit and the units above it on that day.

    Rules of a staff group, a job, a position, a learner group or a person come on top of these. They hang on the assignment, not on
    the unit, and are explained for each person at GET /v1/people/{person_id}/compliance/explanation.
    """
    on = request.query.on or london_day(request.now)
    return units.requirements(request.actor.employer, request.path["unit_id"], on)
