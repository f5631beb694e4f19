"""Competencies: the national framework and an employer's own, as a list and as a file; and an employer's settings."""

from datetime import date
from typing import Annotated

import msgspec
from chalice import Blueprint
from msgspec import UNSET, UnsetType

from chalicelib.domain import errors, framework, reminders
from chalicelib.domain.competency import ONE_LEVEL, Competency, MalformedName, parse_name
from chalicelib.domain.framework import Caution
from chalicelib.domain.permissions import Capability
from chalicelib.domain.requirements import Requirement
from chalicelib.handlers.http import Request, Routes
from chalicelib.handlers.paging import Cursor, Limit, NextCursor
from chalicelib.handlers.parsing import Csv
from chalicelib.services import competence
from chalicelib.services.competence import CompetencyList, Defined, Imported, Settings, Wanted
from chalicelib.storage import cursor

blueprint = Blueprint(__name__)
routes = Routes(blueprint, "Competencies")

SHOWN = 100
"""Requirements shown with a warning; `concerned` counts them all."""

FullName = Annotated[
    str,
    msgspec.Meta(
        min_length=1,
        max_length=framework.LONGEST_NAME,
        description="`OWNER|FRAMEWORK|Subject[ - Level n][ - Detail][ - period]|`, pipes included; the period is `n Year(s)` or "
        "`No Specified Renewal`.",
    ),
]
Months = Annotated[
    int,
    msgspec.Meta(
        ge=1,
        le=framework.LONGEST_PERIOD,
        description="Calendar months an award is valid; null: for ever. Left out: by name.",
    ),
]
LevelName = Annotated[str, msgspec.Meta(min_length=1, max_length=framework.LONGEST_LEVEL)]
JobId = Annotated[
    str | None,
    msgspec.Meta(
        description="The job that judges everybody again, see GET /v1/jobs/{job_id}; null if nothing changed, and for the "
        "national framework, whose change starts one job for each employer."
    ),
]


class CompetencyView(msgspec.Struct, frozen=True):
    """A competency. `name` is its key; subject, level and detail are parts of it."""

    name: FullName
    owner: Annotated[str, msgspec.Meta(description="NHS, or the employer's code.")]
    title: Annotated[str, msgspec.Meta(description="What people read: the name without owner, framework and pipes.")]
    subject: str
    level: str | None
    detail: str | None
    renewal_months: Annotated[int | None, msgspec.Meta(description="What counts; the name may say otherwise.")]
    levels: Annotated[list[str], msgspec.Meta(description="The proficiency scale, from level 1 up.")]
    covers: Annotated[list[str], msgspec.Meta(description="Whoever holds this one need not hold these besides.")]
    starts_on: Annotated[date | None, msgspec.Meta(description="First day on which it can be required; null: always.")]
    ends_on: Annotated[date | None, msgspec.Meta(description="Last day on which it can be required; null: always.")]

    @classmethod
    def of(cls, competency: Competency) -> "CompetencyView":
        """Present a competency."""
        level, detail = _level_and_detail(competency.name)
        return cls(
            competency.name,
            framework.owner_of(competency.name),
            competency.title,
            competency.subject,
            level,
            detail,
            competency.renewal_months,
            list(competency.levels),
            list(competency.covers),
            competency.starts_on,
            competency.ends_on,
        )


def _level_and_detail(name: str) -> tuple[str | None, str | None]:
    try:
        parsed = parse_name(name)
    except MalformedName:  # taken over from elsewhere
        return None, None
    return parsed.level, parsed.detail


class CompetencyPage(msgspec.Struct, frozen=True):
    """A page of competencies, by name."""

    competencies: list[CompetencyView]
    total: Annotated[int, msgspec.Meta(description="How many there are in all.")]
    next_cursor: NextCursor

    @classmethod
    def of(cls, page: CompetencyList) -> "CompetencyPage":
        """Present a page."""
        shown = [CompetencyView.of(each) for each in page.competencies]
        return cls(shown, page.total, cursor.seal("competencies", page.after))


Owner = Annotated[str, msgspec.Meta(pattern=r"^[A-Z0-9]{2,8}$(?!\n)", description="NHS, or the employer's code.")]


class CompetencyQuery(msgspec.Struct, frozen=True):
    """Which competencies."""

    words: (
        Annotated[str, msgspec.Meta(min_length=1, max_length=100, description="Words that are all in the name.")] | None
    ) = None
    owner: Owner | None = None
    subject: (
        Annotated[str, msgspec.Meta(min_length=1, max_length=200, description="A subject, such as Fire Safety.")] | None
    ) = None
    limit: Limit = 20
    cursor: Cursor | None = None


@routes.route(
    "GET",
    "/v1/competencies",
    capability=Capability.EDIT_FRAMEWORK,
    summary="Competencies, by name",
    query=CompetencyQuery,
    answer=CompetencyPage,
)
def list_competencies(request: Request) -> CompetencyList:
    """The national framework and the employer's own."""
    query = request.query
    wanted = Wanted(query.words or "", query.owner, query.subject)
    after = cursor.unseal("competencies", query.cursor)
    return competence.listed(request.actor.employer, wanted, query.limit, after)


class CompetencyBody(msgspec.Struct, frozen=True):
    """A competency as it is to be. It is put whole: what is left out is as here."""

    name: FullName
    renewal_months: Months | UnsetType | None = UNSET
    levels: Annotated[
        list[LevelName],
        msgspec.Meta(min_length=1, max_length=framework.MOST_LEVELS, description="From level 1 up; `Assessed` alone."),
    ] = msgspec.field(default_factory=lambda: [*ONE_LEVEL])
    covers: Annotated[list[FullName], msgspec.Meta(max_length=framework.MOST_COVERS)] = []
    starts_on: date | None = None
    ends_on: date | None = None

    def competency(self) -> Competency:
        """The competency it describes, right or wrong."""
        months = framework.period_by_name(self.name) if self.renewal_months is UNSET else self.renewal_months
        return framework.define(self.name, months, self.levels, self.covers, self.starts_on, self.ends_on)


class ConcernedView(msgspec.Struct, frozen=True):
    """A requirement that a warning is about."""

    target_kind: Annotated[str, msgspec.Meta(description="ORG, UNIT, GRP, JOB, POS, LGR or PERSON.")]
    target: str
    minimum_level: int
    starts_on: date
    ends_on: date | None

    @classmethod
    def of(cls, requirement: Requirement) -> "ConcernedView":
        """Present a requirement."""
        target = requirement.target
        return cls(target.kind.value, target.id, requirement.minimum_level, requirement.starts_on, requirement.ends_on)


class WarningView(msgspec.Struct, frozen=True):
    """Something that was done as asked, but may not be meant."""

    rule: str
    warning: str
    concerned: Annotated[int, msgspec.Meta(description="How many of the owner's own requirements it is about.")]
    requirements: Annotated[list[ConcernedView], msgspec.Meta(description=f"These, the first {SHOWN} of them.")]

    @classmethod
    def of(cls, caution: Caution) -> "WarningView":
        """Present a caution."""
        shown = [ConcernedView.of(each) for each in caution.requirements[:SHOWN]]
        return cls(caution.rule.value, caution.sentence, len(caution.requirements), shown)


class DefinedView(msgspec.Struct, frozen=True):
    """A competency as it is now, what became of it, and what to be careful about."""

    competency: CompetencyView
    state: Annotated[str, msgspec.Meta(description="added, changed or unchanged.")]
    warnings: list[WarningView]
    job_id: JobId

    @classmethod
    def of(cls, defined: Defined) -> "DefinedView":
        """Present what became of a competency."""
        warnings = [WarningView.of(each) for each in defined.cautions]
        return cls(CompetencyView.of(defined.competency), defined.state, warnings, defined.job_id)


@routes.route(
    "POST",
    "/v1/competencies",
    capability=Capability.EDIT_FRAMEWORK,
    summary="Add or change a competency",
    body=CompetencyBody,
    answer=DefinedView,
    refusals=(errors.Conflict,),
)
def define_competency(request: Request) -> Defined:
    """Add a competency to the employer's own framework, or change the one of that name: its period, scale, what it covers, and
    when it can be required. `?employer=NHS` is the national framework, for its administrator. Everybody is judged again; awards
    made before keep their expiry. To withdraw a competency, give it a last day.
    """
    return competence.define(request.actor, request.body.competency(), request.now)


# --- a framework as a file ----------------------------------------------------------------------------------


class FrameworkQuery(msgspec.Struct, frozen=True):
    """Whose framework."""

    owner: Owner | None = None


@routes.route(
    "GET",
    "/v1/frameworks/csv",
    capability=Capability.EDIT_FRAMEWORK,
    summary="A framework as CSV",
    query=FrameworkQuery,
    answer=Csv,
)
def export_framework(request: Request) -> Csv:
    """The employer's own framework, or the national one (`owner=NHS`), as a file for spreadsheets that can be sent back changed.

    Its columns are name, renewal_months (`none`: never renews), levels and covers (one to a line), starts_on, ends_on.
    """
    employer = request.actor.employer
    return Csv(competence.exported(employer, request.query.owner or employer).encode())


class ImportedView(msgspec.Struct, frozen=True):
    """How many competencies of the file were added, changed, or as they were already."""

    added: int
    changed: int
    unchanged: int
    job_id: JobId

    @classmethod
    def of(cls, imported: Imported) -> "ImportedView":
        """Present what became of a file."""
        return cls(imported.added, imported.changed, imported.unchanged, imported.job_id)


@routes.route(
    "POST",
    "/v1/frameworks/csv",
    capability=Capability.EDIT_FRAMEWORK,
    summary="Send a framework as CSV",
    body=Csv,
    answer=ImportedView,
    refusals=(errors.Conflict,),
)
def import_framework(request: Request) -> Imported:
    """Add and change competencies of the employer's own framework by a file of up to 5,000 rows and 5 MB, in UTF-8, with the
    columns of GET /v1/frameworks/csv. All or nothing: what is wrong is listed by row, as a spreadsheet counts, and column, such
    as `row 12.name`. An empty renewal_months means what the name says. Competencies that the file does not name stay as they are.
    """
    return competence.imported(request.actor, request.body.content, request.now)


# --- settings -----------------------------------------------------------------------------------------------


AmberMonths = Annotated[
    int, msgspec.Meta(ge=0, le=12, description="How many calendar months before expiry amber begins.")
]
Lead = Annotated[int, msgspec.Meta(ge=0, le=reminders.LONGEST_LEAD)]
RenewalLeads = Annotated[
    list[Lead],
    msgspec.Meta(
        max_length=reminders.MOST_LEADS,
        description="How many days before expiry learners are reminded to renew. Their managers are, too, on 30 and 0 of these, "
        "and every Monday while something is red. Without any, nobody is reminded.",
    ),
]


class SettingsBody(msgspec.Struct, frozen=True):
    """What an employer may set. What is left out stays as it is."""

    amber_months: AmberMonths | UnsetType = UNSET
    renewal_leads: RenewalLeads | UnsetType = UNSET


class SettingsView(msgspec.Struct, frozen=True):
    """What an employer has set."""

    employer: str
    name: str
    amber_months: AmberMonths
    renewal_leads: RenewalLeads
    job_id: JobId

    @classmethod
    def of(cls, settings: Settings) -> "SettingsView":
        """Present settings."""
        leads = list(settings.renewal_leads)
        return cls(settings.employer, settings.name, settings.amber_months, leads, settings.job_id)


@routes.route(
    "GET",
    "/v1/settings",
    capability=Capability.EDIT_COMPETENCE_RULES,
    summary="What the employer has set",
    answer=SettingsView,
    refusals=(errors.NotFound,),
)
def show_settings(request: Request) -> Settings:
    """The settings of the employer."""
    return competence.settings(request.actor.employer)


@routes.route(
    "POST",
    "/v1/settings",
    capability=Capability.EDIT_COMPETENCE_RULES,
    summary="Change what the employer has set",
    body=SettingsBody,
    answer=SettingsView,
    refusals=(errors.NotFound, errors.Conflict),
)
def change_settings(request: Request) -> Settings:
    """Change the amber window, or when people are reminded to renew. My Compliance follows at once, snapshots, figures and the
    days of reminders by the job. A day that has passed by then reminds nobody.
    """
    changes = {name: each for name, each in msgspec.structs.asdict(request.body).items() if each is not UNSET}
    return competence.change_settings(request.actor, changes, request.now)
