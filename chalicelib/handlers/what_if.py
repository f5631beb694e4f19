"""Trying requirements before they are saved: a what-if of several changes, and the people one requirement touches."""

from datetime import date
from typing import Annotated

import msgspec
from chalice import Blueprint

from chalicelib.domain import errors
from chalicelib.domain.calendar import london_day
from chalicelib.domain.permissions import Capability
from chalicelib.domain.requirements import Target, TargetKind
from chalicelib.domain.what_if import Draft, Effect, End
from chalicelib.handlers import requirements
from chalicelib.handlers.awards import CompetencyName
from chalicelib.handlers.http import Request, Routes
from chalicelib.handlers.paging import Cursor, Limit, NextCursor, Page
from chalicelib.handlers.requirements import RequirementBody, TargetId
from chalicelib.handlers.units import Figures
from chalicelib.services import requirement_preview, what_if
from chalicelib.services.requirement_preview import Preview, Touched
from chalicelib.services.what_if import CompetencyEffect, Outcome, Progress, Trial, UnitEffect
from chalicelib.storage import cursor

blueprint = Blueprint(__name__)
routes = Routes(blueprint, "What if")

# --- what if ------------------------------------------------------------------------------------------------


class EndedRequirement(msgspec.Struct, frozen=True):
    """A requirement to do without: the one that began on a day, or every one of this target and competency."""

    target_kind: TargetKind
    target: TargetId
    competency: CompetencyName
    starts_on: date | None = None

    def end(self) -> End:
        """The change it means."""
        return End(Target(self.target_kind, self.target), self.competency, self.starts_on)


class DraftBody(msgspec.Struct, frozen=True):
    """Changes to try together, up to fifty of each kind, and the day to judge them on."""

    add: Annotated[list[RequirementBody], msgspec.Meta(max_length=50)] = []
    end: Annotated[list[EndedRequirement], msgspec.Meta(max_length=50)] = []
    amber_months: Annotated[int, msgspec.Meta(ge=1, le=24, description="Another amber window.")] | None = None
    on: Annotated[date, msgspec.Meta(description="Today unless told, or a day ahead, Europe/London.")] | None = None


class Started(msgspec.Struct, frozen=True):
    """A what-if that is being worked on."""

    job_id: str
    href: Annotated[str, msgspec.Meta(description="Where to ask for progress and, once it is done, the outcome.")]

    @classmethod
    def of(cls, job_id: str) -> "Started":
        """Present a job that has begun."""
        return cls(job_id, f"/v1/what-if/{job_id}")


@routes.route(
    "POST",
    "/v1/what-if",
    capability=Capability.EDIT_COMPETENCE_RULES,
    summary="Try changes of requirements",
    body=DraftBody,
    answer=Started,
    status=201,
)
def try_draft(request: Request) -> str:
    """Judge the current workforce as if these changes had been made, without touching it: a job over all units.

    What is added stands in place of a requirement of the same target, competency and first day; what ends is as if it had never
    been. On a day ahead, people are judged as they will stand then: assignments, awards and rules that begin or end by that day.
    """
    body, today = request.body, london_day(request.now)
    draft = Draft(
        tuple(each.end() for each in body.end), tuple(each.requirement(today) for each in body.add), body.amber_months
    )
    return what_if.start(request.actor, Trial(draft, body.on or today), request.now, request.once)


class EffectView(msgspec.Struct, frozen=True):
    """What the draft does: figures before and after, how many people turn red, and what is no longer required."""

    before: Figures
    after: Figures
    people_turning_red: Annotated[
        int,
        msgspec.Meta(description="People with something red that is not red, or not required, now; each counts once."),
    ]
    no_longer_required: Annotated[int, msgspec.Meta(description="Rows required before and not after.")]

    @classmethod
    def of(cls, effect: Effect) -> "EffectView":
        """Present an effect."""
        return cls(Figures.of(effect.before), Figures.of(effect.after), len(effect.turn_red), effect.no_longer)


class UnitEffectView(msgspec.Struct, frozen=True):
    """What the draft does to a unit with all units below it."""

    id: str
    name: str
    parent: str | None
    depth: int
    assignments: int
    effect: EffectView

    @classmethod
    def of(cls, found: UnitEffect) -> "UnitEffectView":
        """Present a unit."""
        place, effect = found.place, found.effect
        unit = place.unit
        return cls(unit.id, unit.name, place.parent, place.depth, effect.before.assignments, EffectView.of(effect))


class CompetencyEffectView(msgspec.Struct, frozen=True):
    """What the draft does to one competency."""

    competency: str
    title: str
    effect: EffectView

    @classmethod
    def of(cls, found: CompetencyEffect) -> "CompetencyEffectView":
        """Present a competency."""
        return cls(found.competency, found.title, EffectView.of(found.effect))


class OutcomeView(msgspec.Struct, frozen=True):
    """What the draft does to the employer, or to one unit with all below it; the units below, a page at a time."""

    assignments: int
    effect: EffectView
    competencies: Annotated[
        list[CompetencyEffectView], msgspec.Meta(description="Those to which something happens, by title.")
    ]
    units: Annotated[
        list[UnitEffectView], msgspec.Meta(description="Depth first; of one unit, those below it, however deep.")
    ]
    next_cursor: NextCursor

    @classmethod
    def of(cls, found: Outcome) -> "OutcomeView":
        """Present an outcome."""
        return cls(
            found.effect.before.assignments,
            EffectView.of(found.effect),
            [CompetencyEffectView.of(each) for each in found.competencies],
            [UnitEffectView.of(each) for each in found.units],
            cursor.seal("what-if", found.next_offset),
        )


class ProgressView(msgspec.Struct, frozen=True):
    """A what-if as it stands."""

    job_id: str
    state: Annotated[str, msgspec.Meta(description="running, done or failed.")]
    percent: Annotated[int, msgspec.Meta(description="How much of it is done.")]
    on: Annotated[date, msgspec.Meta(description="The day people are judged on, Europe/London.")]
    outcome: Annotated[OutcomeView | None, msgspec.Meta(description="null until all of it is done.")]

    @classmethod
    def of(cls, found: Progress) -> "ProgressView":
        """Present a what-if."""
        return cls(
            found.job.id,
            found.job.state.value,
            found.job.percent,
            found.trial.on,
            OutcomeView.of(found.outcome) if found.outcome else None,
        )


class OutcomeQuery(msgspec.Struct, frozen=True):
    """Which part of the tree, and which page of its units."""

    unit: (
        Annotated[str, msgspec.Meta(min_length=1, max_length=80, description="Only this unit and those below it.")]
        | None
    ) = None
    limit: Limit = 20
    cursor: Cursor | None = None


@routes.route(
    "GET",
    "/v1/what-if/{job_id}",
    capability=Capability.EDIT_COMPETENCE_RULES,
    summary="What a draft would do",
    query=OutcomeQuery,
    answer=ProgressView,
    refusals=(errors.NotFound,),
)
def draft_outcome(request: Request) -> Progress:
    """Progress of a what-if and, once it is done, what the draft would do: in all, by competency and by unit.

    Each unit was judged under the rules in force at the moment its part was worked on.
    """
    query = request.query
    offset = cursor.unseal("what-if", query.cursor) or 0
    return what_if.progress(request.actor.employer, request.path["job_id"], query.unit, query.limit, offset)


# --- whom one requirement touches -----------------------------------------------------------------------------


class TouchedView(msgspec.Struct, frozen=True):
    """Somebody the requirement touches, through one assignment."""

    person_id: str
    name: str
    employee_number: str
    assignment: Annotated[str | None, msgspec.Meta(description="null for a learner without an assignment.")]
    unit: str | None
    colour_now: Annotated[str | None, msgspec.Meta(description="Today; null where it is not required today.")]
    colour_then: Annotated[str, msgspec.Meta(description="On the day looked at, with the requirement.")]
    required_already: Annotated[bool, msgspec.Meta(description="Whether something else requires it on that day too.")]

    @classmethod
    def of(cls, found: Touched) -> "TouchedView":
        """Present somebody."""
        return cls(
            found.person,
            found.name,
            found.number,
            found.assignment,
            found.unit,
            found.now.value if found.now else None,
            found.then.value,
            found.already,
        )


class PreviewPage(msgspec.Struct, frozen=True):
    """A page of those a requirement touches."""

    on: Annotated[
        date, msgspec.Meta(description="The day looked at: the requirement's first, or today if it has begun.")
    ]
    warnings: Annotated[
        list[requirements.Warning],
        msgspec.Meta(description="Requirements of the same thing under another period that can meet the same person."),
    ]
    people: list[TouchedView]
    next_cursor: Annotated[
        str | None,
        msgspec.Meta(
            description="Send as `cursor` to look further, also after a short or empty page; null at the end."
        ),
    ]

    @classmethod
    def of(cls, found: tuple[str, Preview]) -> "PreviewPage":
        """Present a page; its cursor holds for the same requirement only."""
        purpose, page = found
        warnings = [requirements.Warning.of(each, page.rulebook) for each in page.twice]
        return cls(page.on, warnings, [TouchedView.of(each) for each in page.touched], cursor.seal(purpose, page.after))


@routes.route(
    "POST",
    "/v1/requirements/preview",
    capability=Capability.EDIT_COMPETENCE_RULES,
    summary="Whom a requirement would touch",
    body=RequirementBody,
    query=Page,
    answer=PreviewPage,
)
def preview_requirement(request: Request) -> tuple[str, Preview]:
    """The people a requirement would touch if it were saved, unit by unit: their colour today, and on its first day with it.

    A request looks through a few hundred assignments at most, so a page may be short or empty: go on until `next_cursor` is null.
    """
    requirement = request.body.requirement(london_day(request.now))
    purpose = f"preview {request.actor.employer} {requirement}"
    after = cursor.unseal(purpose, request.query.cursor)
    page = request.query.limit, after, request.now
    return purpose, requirement_preview.preview(request.actor.employer, requirement, *page)
