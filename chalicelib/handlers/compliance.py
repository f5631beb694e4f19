"""Compliance and Competency: one's own, one's team's, and anybody's one may see; on any day; explained."""

from datetime import date
from typing import Annotated
from urllib.parse import quote

import msgspec
from chalice import Blueprint

from chalicelib.domain import errors
from chalicelib.domain.calendar import london_day, long_day
from chalicelib.domain.competency import Award, title_of
from chalicelib.domain.compliance import Colour, Rate, Reason, Standing
from chalicelib.domain.permissions import Capability
from chalicelib.domain.requirements import Because, HeldBack, Rulebook, TargetKind
from chalicelib.handlers.http import Request, Routes
from chalicelib.handlers.paging import Cursor, NextCursor
from chalicelib.services import compliance, people
from chalicelib.services.compliance import Action, ActionKind, ComplianceView, Explanation, Row, TeamPage
from chalicelib.storage import cursor

blueprint = Blueprint(__name__)
routes = Routes(blueprint, "Compliance")

_TARGET_WORDS = {
    TargetKind.EMPLOYER: "everybody at {name}",
    TargetKind.UNIT: "{name} and the units below it",
    TargetKind.STAFF_GROUP: "the staff group {name}",
    TargetKind.JOB: "the job {name}",
    TargetKind.POSITION: "the position {name}",
    TargetKind.LEARNER_GROUP: "the learner group {name}",
    TargetKind.PERSON: "this person",
}


class WhyRequired(msgspec.Struct, frozen=True):
    """One rule that requires the competency: at which level, of whom, since when, through which assignment."""

    sentence: str
    target_kind: Annotated[str, msgspec.Meta(description="ORG, UNIT, GRP, JOB, POS, LGR or PERSON.")]
    target: str
    minimum_level: int
    since: date
    until: date | None
    assignment: Annotated[str | None, msgspec.Meta(description="Number of the assignment it comes through.")]

    @classmethod
    def of(cls, because: Because, rulebook: Rulebook) -> "WhyRequired":
        """Present a reason in words."""
        rule = because.requirement
        name = rulebook.names.get(rule.target, rule.target.id)
        whom = _TARGET_WORDS[rule.target.kind].format(name=name)
        through = f", through assignment {because.assignment}" if because.assignment else ""
        return cls(
            f"Required of {whom} since {long_day(rule.starts_on)}{through}.",
            rule.target.kind.value,
            rule.target.id,
            rule.minimum_level,
            rule.starts_on,
            rule.ends_on,
            because.assignment,
        )


class AwardView(msgspec.Struct, frozen=True):
    """An award that was looked at."""

    competency: Annotated[
        str, msgspec.Meta(description="What it was awarded for: the competency itself, or one that covers it.")
    ]
    level: int
    awarded_on: date
    expires_on: Annotated[
        date | None, msgspec.Meta(description="Last valid day, Europe/London; null if it never expires.")
    ]
    origin: Annotated[
        str, msgspec.Meta(description="completion, external training, transfer, administrator or takeover.")
    ]

    @classmethod
    def of(cls, award: Award) -> "AwardView":
        """Present an award."""
        return cls(award.competency, award.level, award.awarded_on, award.expires_on, award.origin.value)


class ActionView(msgspec.Struct, frozen=True):
    """Something the learner can do about the row; `href` is the route that does it or leads to it."""

    action: Annotated[str, msgspec.Meta(description="play, view enrolment or search.")]
    href: str
    title: str

    @classmethod
    def of(cls, action: Action, competency: str) -> "ActionView":
        """Present an action."""
        if action.kind is ActionKind.SEARCH or action.enrolment is None:
            return cls(
                action.kind.value,
                f"/v1/courses?competency={quote(competency, safe='')}",
                "Find training for this",
            )
        enrolment = action.enrolment
        href = f"/v1/people/{enrolment.person}/enrolments/{enrolment.id}"
        return cls(action.kind.value, href, enrolment.title)


class ComplianceRow(msgspec.Struct, frozen=True):
    """One competency: its colour, why it has that colour, why it is required, and what can be done."""

    competency: Annotated[str, msgspec.Meta(description="The full name, which is its key.")]
    title: str
    colour: Annotated[str, msgspec.Meta(description="red, amber, green or blue.")]
    rule: Annotated[str, msgspec.Meta(description="The rule that decided the colour.")]
    why: Annotated[str, msgspec.Meta(description="The same in a sentence.")]
    required_level: int | None
    expires_on: date | None
    award: AwardView | None
    why_required: list[WhyRequired]
    actions: list[ActionView]

    @classmethod
    def of(cls, row: Row, day: date, rulebook: Rulebook) -> "ComplianceRow":
        """Present a row of compliance on a day."""
        standing = row.standing
        return cls(
            competency=standing.competency,
            title=_title_of(standing.competency, rulebook),
            colour=standing.colour.value,
            rule=standing.reason.value,
            why=why_this_colour(standing, row.held_back, day, rulebook),
            required_level=standing.required.level if standing.required else None,
            expires_on=standing.expires_on,
            award=AwardView.of(standing.award) if standing.award else None,
            why_required=[
                WhyRequired.of(each, rulebook) for each in (standing.required.because if standing.required else ())
            ],
            actions=[ActionView.of(action, standing.competency) for action in row.actions],
        )


def _title_of(name: str, rulebook: Rulebook) -> str:
    """The readable part of a full name, also of one that stands in no framework; the name itself if it follows no pattern."""
    known = rulebook.competencies.get(name)
    return known.title if known else title_of(name)


def why_this_colour(standing: Standing, held_back: HeldBack | None, day: date, rulebook: Rulebook) -> str:
    """The rule that decided a colour on a day, with its facts, as a sentence."""
    award, required = standing.award, standing.required
    if award is None:
        return "Never achieved."
    held = f"awarded on {long_day(award.awarded_on)} ({award.origin})"
    if award.competency != standing.competency:
        held += f" through {_title_of(award.competency, rulebook)}, which covers it,"
    until = f"valid until {long_day(award.expires_on)}" if award.expires_on else "valid without expiry"
    if standing.reason is Reason.BELOW_LEVEL and required:
        level = f"Held at level {award.level}"
        if award.expires_on is not None and award.expires_on < day:
            level = f"Was held at level {award.level} until {long_day(award.expires_on)}"
        return f"{level}, {held.removesuffix(',')}, but level {required.level} is required."
    if standing.reason is Reason.EXPIRED:
        return f"It was {held} and was {until}; it has expired."
    if standing.reason is Reason.EXPIRES_SOON:
        return f"It was {held} and is {until}, which is within {rulebook.amber_months} months."
    if standing.reason is Reason.NOT_REQUIRED:
        return f"It was {held} and is {until}. {why_not_required(held_back, standing.competency, rulebook)}"
    return f"It was {held} and is {until}."


def why_not_required(held_back: HeldBack | None, competency: str, rulebook: Rulebook) -> str:
    """Why nothing requires a competency, as a sentence."""
    if held_back is None:
        return "Nothing requires it."
    if exemption := held_back.exemption:
        return f"Not required because exempt until {long_day(exemption.ends_on)} ({exemption.reason})."
    known = rulebook.competencies[competency]
    days = [
        f"{word} {long_day(day)}"
        for word, day in (("from", known.starts_on), ("until", known.ends_on))
        if day is not None
    ]
    return f"Not required because it is in use only {' '.join(days)}."


class Compliance(msgspec.Struct, frozen=True):
    """Overall rate and rows: red first (never achieved, then oldest expiry), then amber by expiry, then green and blue."""

    person_id: str
    name: str
    as_of: Annotated[date, msgspec.Meta(description="The day it was judged on, Europe/London.")]
    required: Annotated[int, msgspec.Meta(description="Competencies required.")]
    achieved: Annotated[int, msgspec.Meta(description="Of these, the ones that are not red.")]
    compliance_percent: Annotated[
        float | None,
        msgspec.Meta(description="achieved / required x 100, two decimals; null where nothing is required."),
    ]
    rows: list[ComplianceRow]

    @classmethod
    def of(cls, view: ComplianceView) -> "Compliance":
        """Present a learner's compliance."""
        return cls(
            person_id=view.learner.person.id,
            name=view.learner.person.full_name,
            as_of=view.day,
            required=view.rate.required,
            achieved=view.rate.achieved,
            compliance_percent=_percent(view.rate),
            rows=[ComplianceRow.of(row, view.day, view.rulebook) for row in view.rows],
        )


def _percent(rate: Rate) -> float | None:
    return None if rate.percent is None else float(rate.percent)


Colours = Annotated[
    list[Colour],
    msgspec.Meta(
        description="Colours to show: red and amber unless told, e.g. `colours=red,amber,green,blue`.", max_length=4
    ),
]
Day = Annotated[date, msgspec.Meta(description="A day in Europe/London, past or future; today unless told.")]


def _red_and_amber() -> list[Colour]:
    return [Colour.RED, Colour.AMBER]


class ComplianceQuery(msgspec.Struct, frozen=True):
    """Which rows to show."""

    colours: Colours = msgspec.field(default_factory=_red_and_amber)


@routes.route(
    "GET",
    "/v1/me/compliance",
    capability=Capability.VIEW_COMPLIANCE,
    summary="My Compliance",
    query=ComplianceQuery,
    answer=Compliance,
    refusals=(errors.NotFound,),
)
def my_compliance(request: Request) -> ComplianceView:
    """Where the caller stands today, judged from their own records at this moment, so never stale.

    Red is expired or never achieved, amber expires within the employer's window (three months unless set), green is valid,
    blue is held but not required. The rate counts every required competency whatever rows are shown.
    """
    if request.actor.learner is None:
        raise errors.NotFound("You are no learner at this employer.")
    return compliance.of_learner(request.actor.learner, request.query.colours, london_day(request.now))


# --- other people -------------------------------------------------------------------------------------------


class PersonComplianceQuery(msgspec.Struct, frozen=True):
    """Which rows to show, as of which day."""

    colours: Colours = msgspec.field(default_factory=_red_and_amber)
    on: Day | None = None


@routes.route(
    "GET",
    "/v1/people/{person_id}/compliance",
    capability=Capability.VIEW_COMPLIANCE,
    summary="Somebody's compliance, on any day",
    query=PersonComplianceQuery,
    answer=Compliance,
)
def person_compliance(request: Request) -> ComplianceView:
    """The Compliance and Competency view of oneself, somebody one supervises, or (administrators) anybody at the employer.

    `on` judges as of a past or future day: assignments, requirements and awards as they stand for that day by today's knowledge.
    Whoever one may not see is reported as not found.
    """
    query = request.query
    learner = people.visible(request.actor, request.path["person_id"], Capability.VIEW_COMPLIANCE, request.now)
    return compliance.of_learner(learner, query.colours, query.on or london_day(request.now))


class ConsideredAward(msgspec.Struct, frozen=True):
    """An award of the competency, and what it was worth on the day."""

    award: AwardView
    worth: Annotated[
        str, msgspec.Meta(description="decides, valid, expired, below the required level, not made yet or void.")
    ]


class ExplanationView(msgspec.Struct, frozen=True):
    """Why one competency is or is not required of somebody on a day, and why it has its colour."""

    person_id: str
    competency: str
    as_of: date
    required: bool
    colour: Annotated[str | None, msgspec.Meta(description="null where it is neither required nor held.")]
    why: str
    why_required: list[WhyRequired]
    held_back: Annotated[
        list[WhyRequired],
        msgspec.Meta(
            description="Rules that ask for it, where an exemption or the dates of the competency hold them back."
        ),
    ]
    exempt_until: Annotated[date | None, msgspec.Meta(description="Last day of the exemption that holds them back.")]
    assignments_that_counted: list[str]
    awards: list[ConsideredAward]

    @classmethod
    def of(cls, explanation: Explanation) -> "ExplanationView":
        """Present an explanation."""
        standing, rulebook = explanation.standing, explanation.rulebook
        required = standing.required if standing else None
        held_back = explanation.held_back
        return cls(
            person_id=explanation.learner.person.id,
            competency=explanation.competency,
            as_of=explanation.day,
            required=required is not None,
            colour=standing.colour.value if standing else None,
            why=_why(explanation),
            why_required=[WhyRequired.of(each, rulebook) for each in (required.because if required else ())],
            held_back=[WhyRequired.of(each, rulebook) for each in (held_back.asked.because if held_back else ())],
            exempt_until=held_back.exemption.ends_on if held_back and held_back.exemption else None,
            assignments_that_counted=[each.number for each in explanation.learner.assignments_on(explanation.day)],
            awards=[ConsideredAward(AwardView.of(award), worth) for award, worth in explanation.awards],
        )


def _why(explanation: Explanation) -> str:
    standing, held_back, rulebook = explanation.standing, explanation.held_back, explanation.rulebook
    if standing:
        return why_this_colour(standing, held_back, explanation.day, rulebook)
    if held_back:
        return why_not_required(held_back, explanation.competency, rulebook)
    return "Neither required of this person on that day nor held."


class ExplanationQuery(msgspec.Struct, frozen=True):
    """What to explain."""

    competency: Annotated[str, msgspec.Meta(min_length=1, max_length=200, description="The full name.")]
    on: Day | None = None


@routes.route(
    "GET",
    "/v1/people/{person_id}/compliance/explanation",
    capability=Capability.VIEW_COMPLIANCE,
    summary="Why required, and why this colour",
    query=ExplanationQuery,
    answer=ExplanationView,
)
def explain_compliance(request: Request) -> Explanation:
    """The rules that required a competency of somebody on a day, the awards considered, and the one that decided.

    The answer to an auditor who asks what was required on 1 March. For oneself, one's team, or as an administrator.
    """
    learner = people.visible(request.actor, request.path["person_id"], Capability.VIEW_COMPLIANCE, request.now)
    return compliance.explain(learner, request.query.competency, request.query.on or london_day(request.now))


class TeamMember(msgspec.Struct, frozen=True):
    """Somebody the caller supervises, and where they stand today."""

    person_id: str
    name: str
    employee_number: str | None
    required: int
    achieved: int
    compliance_percent: float | None
    red: int
    amber: int

    @classmethod
    def of(cls, view: ComplianceView) -> "TeamMember":
        """Present a member of the team."""
        colours = [row.standing.colour for row in view.rows]
        person, employment = view.learner.person, view.learner.employment
        return cls(
            person.id,
            person.full_name,
            employment.number if employment else None,
            view.rate.required,
            view.rate.achieved,
            _percent(view.rate),
            colours.count(Colour.RED),
            colours.count(Colour.AMBER),
        )


class Team(msgspec.Struct, frozen=True):
    """A page of the people the caller supervises."""

    members: list[TeamMember]
    next_cursor: NextCursor

    @classmethod
    def of(cls, page: TeamPage) -> "Team":
        """Present a page."""
        return cls([TeamMember.of(view) for view in page.views], cursor.seal("team", page.after))


class TeamQuery(msgspec.Struct, frozen=True):
    """Where the page begins and how long it is: everybody on it is judged afresh."""

    limit: Annotated[int, msgspec.Meta(ge=1, le=50, description="How many people at most; 20 unless told.")] = 20
    cursor: Cursor | None = None


@routes.route(
    "GET",
    "/v1/me/team",
    capability=Capability.VIEW_COMPLIANCE,
    summary="My team's compliance",
    query=TeamQuery,
    answer=Team,
)
def my_team(request: Request) -> TeamPage:
    """The people whose current assignment names the caller as supervisor, each judged at this moment. Empty for anybody else."""
    after = cursor.unseal("team", request.query.cursor)
    return compliance.team(request.actor, request.query.limit, after, request.now)
