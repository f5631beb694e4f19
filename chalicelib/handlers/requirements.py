"""Requirements: what an employer requires of whom."""

from datetime import date
from typing import Annotated

import msgspec
from chalice import Blueprint

from chalicelib.domain import errors
from chalicelib.domain.calendar import london_day, long_day
from chalicelib.domain.errors import FieldError, Invalid
from chalicelib.domain.permissions import Capability
from chalicelib.domain.requirements import Requirement, Rulebook, Target, TargetKind
from chalicelib.handlers.awards import CompetencyName
from chalicelib.handlers.http import Request, Routes
from chalicelib.handlers.paging import Cursor, Limit, NextCursor
from chalicelib.services import requirements
from chalicelib.services.requirements import RequirementPage, Saved, Wanted
from chalicelib.storage import cursor

blueprint = Blueprint(__name__)
routes = Routes(blueprint, "Requirements")

TargetId = Annotated[str, msgspec.Meta(pattern=r"^[\w.~|-]{1,80}$(?!\n)", description="Id of the target.")]
JobId = Annotated[
    str | None,
    msgspec.Meta(
        description="The job that judges everybody concerned again, see GET /v1/jobs/{job_id}; null if nothing changed, or if "
        "one person is concerned, who is judged again at once."
    ),
]


class RequirementBody(msgspec.Struct, frozen=True):
    """A requirement: whoever is under the target must hold the competency between these London days."""

    target_kind: Annotated[TargetKind, msgspec.Meta(description="ORG, UNIT, GRP, JOB, POS, LGR or PERSON.")]
    target: TargetId
    competency: CompetencyName
    minimum_level: Annotated[int, msgspec.Meta(ge=1, le=20)] = 1
    starts_on: Annotated[date, msgspec.Meta(description="First day; today unless told.")] | None = None
    ends_on: Annotated[date, msgspec.Meta(description="Last day; none unless told.")] | None = None

    def requirement(self, today: date) -> Requirement:
        """The requirement it describes."""
        target = Target(self.target_kind, self.target)
        return Requirement(target, self.competency, self.minimum_level, self.starts_on or today, self.ends_on)


class RequirementView(msgspec.Struct, frozen=True):
    """A requirement. Target, competency and first day tell it apart."""

    target_kind: Annotated[str, msgspec.Meta(description="ORG, UNIT, GRP, JOB, POS, LGR or PERSON.")]
    target: str
    target_name: Annotated[str | None, msgspec.Meta(description="null for a person.")]
    competency: Annotated[str, msgspec.Meta(description="The full name, which is its key.")]
    title: str
    minimum_level: int
    starts_on: date
    ends_on: Annotated[date | None, msgspec.Meta(description="Last day; null while it has no end.")]

    @classmethod
    def of(cls, requirement: Requirement, rulebook: Rulebook) -> "RequirementView":
        """Present a requirement with the names of the employer's rulebook."""
        target, known = requirement.target, rulebook.competencies.get(requirement.competency)
        return cls(
            target.kind.value,
            target.id,
            rulebook.names.get(target),
            requirement.competency,
            known.title if known else requirement.competency,
            requirement.minimum_level,
            requirement.starts_on,
            requirement.ends_on,
        )


class RequirementList(msgspec.Struct, frozen=True):
    """A page of requirements, by target, competency and first day."""

    requirements: list[RequirementView]
    next_cursor: NextCursor

    @classmethod
    def of(cls, page: RequirementPage) -> "RequirementList":
        """Present a page."""
        shown = [RequirementView.of(each, page.rulebook) for each in page.requirements]
        return cls(shown, cursor.seal(_purpose(page.rulebook.employer), page.after))


def _purpose(employer: str) -> str:
    return f"requirements {employer}"


class RequirementQuery(msgspec.Struct, frozen=True):
    """Which requirements to list."""

    target_kind: Annotated[TargetKind, msgspec.Meta(description="With `target`.")] | None = None
    target: Annotated[TargetId, msgspec.Meta(description="With `target_kind`.")] | None = None
    competency: CompetencyName | None = None
    on: Annotated[date, msgspec.Meta(description="Only those in force on this day, Europe/London.")] | None = None
    limit: Limit = 20
    cursor: Cursor | None = None

    def wanted(self) -> Wanted:
        """What it asks for. Raises Invalid if only half of a target is given."""
        if self.target_kind is not None and self.target is not None:
            return Wanted(Target(self.target_kind, self.target), self.competency, self.on)
        if self.target_kind is None and self.target is None:
            return Wanted(None, self.competency, self.on)
        missing = "target" if self.target is None else "target_kind"
        raise Invalid(FieldError(f"query.{missing}", "is missing: a target is given by both its kind and its id"))


@routes.route(
    "GET",
    "/v1/requirements",
    capability=Capability.EDIT_COMPETENCE_RULES,
    summary="Requirements",
    query=RequirementQuery,
    answer=RequirementList,
)
def list_requirements(request: Request) -> RequirementPage:
    """The employer's requirements: all, or those of one target, of one competency, or in force on a day."""
    query = request.query
    after = cursor.unseal(_purpose(request.actor.employer), query.cursor)
    return requirements.page(request.actor, query.wanted(), query.limit, after)


class Warning(msgspec.Struct, frozen=True):
    """Something to look at; the requirement was saved all the same."""

    sentence: str
    requirement: Annotated[RequirementView, msgspec.Meta(description="The other requirement.")]

    @classmethod
    def of(cls, other: Requirement, rulebook: Rulebook) -> "Warning":
        """Warn of a requirement of the same thing under another period."""
        view = RequirementView.of(other, rulebook)
        whom = view.target_name or f"{view.target_kind} {view.target}"
        since = f"since {long_day(other.starts_on)}"
        return cls(f"{view.title} is required too, of {whom} {since}: whoever is under both has to hold both.", view)


class SavedView(msgspec.Struct, frozen=True):
    """A requirement as it is now."""

    requirement: RequirementView
    warnings: Annotated[
        list[Warning],
        msgspec.Meta(description="Requirements of the same thing under another period that can meet the same person."),
    ]
    job_id: JobId

    @classmethod
    def of(cls, saved: Saved) -> "SavedView":
        """Present what was saved."""
        book = saved.rulebook
        view = RequirementView.of(saved.requirement, book)
        return cls(view, [Warning.of(each, book) for each in saved.twice], saved.job)


@routes.route(
    "POST",
    "/v1/requirements",
    capability=Capability.EDIT_COMPETENCE_RULES,
    summary="Save a requirement",
    body=RequirementBody,
    answer=SavedView,
    refusals=(errors.RequirementStarted, errors.Conflict),
)
def save_requirement(request: Request) -> Saved:
    """Require a competency of everybody under a target. Saving one with the same target, competency and first day changes it:
    level and end before it starts; afterwards the end alone, yesterday at the earliest, so that what was required stays
    explainable. To change the level then, end it and begin another. Saving what is so already changes nothing. Try it first with
    POST /v1/requirements/preview.
    """
    requirement = request.body.requirement(london_day(request.now))
    return requirements.save(request.actor, requirement, request.now)


class RequirementKey(msgspec.Struct, frozen=True):
    """Which requirement."""

    target_kind: TargetKind
    target: TargetId
    competency: CompetencyName
    starts_on: date


class TakenBack(msgspec.Struct, frozen=True):
    """A requirement that is gone."""

    job_id: JobId

    @classmethod
    def of(cls, job: str | None) -> "TakenBack":
        """Present what follows."""
        return cls(job)


@routes.route(
    "DELETE",
    "/v1/requirements",
    capability=Capability.EDIT_COMPETENCE_RULES,
    summary="Take back a requirement that has not started",
    query=RequirementKey,
    answer=TakenBack,
    refusals=(errors.NotFound, errors.RequirementStarted, errors.Conflict),
)
def take_back_requirement(request: Request) -> str | None:
    """Remove a requirement before its first day. Once it has started it is ended instead, so that it stays explainable."""
    query = request.query
    target = Target(query.target_kind, query.target)
    return requirements.take_back(request.actor, target, query.competency, query.starts_on, request.now)
