"""About oneself: who one is, My Compliance, and the inbox."""

from datetime import date, datetime
from typing import Annotated, Any
from urllib.parse import quote

import msgspec
from chalice import Blueprint

from chalicelib.domain.calendar import london_day, long_day
from chalicelib.domain.competency import Award, parse_name
from chalicelib.domain.compliance import Colour, Reason, Standing
from chalicelib.domain.errors import NotFound
from chalicelib.domain.notifications import Notification
from chalicelib.domain.permissions import Capability
from chalicelib.domain.requirements import Because, Rulebook, TargetKind
from chalicelib.handlers.http import Request, Routes
from chalicelib.handlers.paging import NextCursor, Page
from chalicelib.services import compliance, identity, inbox
from chalicelib.services.compliance import Action, ActionKind, ComplianceView, Row
from chalicelib.storage import cursor

blueprint = Blueprint(__name__)
routes = Routes(blueprint, "About me")


# --- GET /v1/me ---------------------------------------------------------------------------------------------


class AssignmentView(msgspec.Struct, frozen=True):
    """A job held today."""

    number: str
    unit: str
    position: str
    job: str
    staff_group: str
    primary: bool
    starts_on: date
    ends_on: date | None


class MeView(msgspec.Struct, frozen=True):
    """Who the caller is at the employer chosen. `employers` lists the others to choose from with `?employer=`."""

    person_id: str
    name: str | None
    employer: str
    employers: list[str]
    roles: Annotated[
        list[str], msgspec.Meta(description="Roles at this employer, granted or following from employment.")
    ]
    employment: Annotated[str | None, msgspec.Meta(description="employee, applicant or external learner.")]
    employee_number: str | None
    assignments: list[AssignmentView]

    @classmethod
    def of(cls, result: tuple[Request, list[str], bool]) -> "MeView":
        """Present the actor of a request."""
        request, employers, manages = result
        actor, learner = request.actor, request.actor.learner
        employment = learner.employment if learner else None
        today = london_day(request.now)
        return cls(
            person_id=actor.person,
            name=learner.person.full_name if learner else None,
            employer=actor.employer,
            employers=employers,
            roles=sorted({role.value for role in actor.roles} | ({"manager"} if manages else set())),
            employment=employment.kind.value if employment else None,
            employee_number=employment.number if employment else None,
            assignments=[
                AssignmentView(
                    each.number,
                    each.unit,
                    each.position,
                    each.job,
                    each.staff_group,
                    each.primary,
                    each.starts_on,
                    each.ends_on,
                )
                for each in (learner.assignments_on(today) if learner else ())
            ],
        )


@routes.route("GET", "/v1/me", capability=Capability.VIEW_PROFILE, summary="Who am I", answer=MeView)
def me(request: Request) -> Any:
    """The caller's name, employers, roles and assignments. Roles are read from the grants at every request."""
    return request, identity.employers_of(request.actor.person), identity.manages_anyone(request.actor)


# --- GET /v1/me/compliance ----------------------------------------------------------------------------------

_TARGET_WORDS = {
    TargetKind.EMPLOYER: "everybody at {name}",
    TargetKind.UNIT: "{name} and the units below it",
    TargetKind.STAFF_GROUP: "the staff group {name}",
    TargetKind.JOB: "the job {name}",
    TargetKind.POSITION: "the position {name}",
    TargetKind.LEARNER_GROUP: "the learner group {name}",
    TargetKind.PERSON: "you personally",
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
    """The award that decided a colour."""

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
        return cls(award.level, award.awarded_on, award.expires_on, award.origin.value)


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
                "Find training that renews this",
            )
        return cls(action.kind.value, f"/v1/me/enrolments/{action.enrolment.id}", action.enrolment.title)


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
    def of(cls, row: Row, rulebook: Rulebook) -> "ComplianceRow":
        """Present a row of compliance."""
        standing = row.standing
        known = rulebook.competencies.get(standing.competency)
        return cls(
            competency=standing.competency,
            title=known.title if known else parse_name(standing.competency).title,
            colour=standing.colour.value,
            rule=standing.reason.value,
            why=why_this_colour(standing, rulebook.amber_months),
            required_level=standing.required.level if standing.required else None,
            expires_on=standing.expires_on,
            award=AwardView.of(standing.award) if standing.award else None,
            why_required=[
                WhyRequired.of(each, rulebook) for each in (standing.required.because if standing.required else ())
            ],
            actions=[ActionView.of(action, standing.competency) for action in row.actions],
        )


def why_this_colour(standing: Standing, amber_months: int) -> str:
    """The rule that decided a colour, with its facts, as a sentence."""
    award, required = standing.award, standing.required
    if award is None:
        return "You have never achieved this."
    held = f"awarded on {long_day(award.awarded_on)} ({award.origin})"
    until = f"valid until {long_day(award.expires_on)}" if award.expires_on else "valid without expiry"
    if standing.reason is Reason.BELOW_LEVEL and required:
        return f"You hold it at level {award.level}, {held}, but level {required.level} is required."
    if standing.reason is Reason.EXPIRED:
        return f"It was {held} and was {until}; it has expired."
    if standing.reason is Reason.EXPIRES_SOON:
        return f"It was {held} and is {until}, which is within {amber_months} months."
    if standing.reason is Reason.NOT_REQUIRED:
        return f"It was {held} and is {until}. Nothing requires it of you."
    return f"It was {held} and is {until}."


class MyCompliance(msgspec.Struct, frozen=True):
    """Overall rate and rows: red first (never achieved, then oldest expiry), then amber by expiry, then green and blue."""

    as_of: Annotated[date, msgspec.Meta(description="The day it was judged on, Europe/London.")]
    required: Annotated[int, msgspec.Meta(description="Competencies required.")]
    achieved: Annotated[int, msgspec.Meta(description="Of these, the ones that are not red.")]
    compliance_percent: Annotated[
        float | None,
        msgspec.Meta(description="achieved / required x 100, two decimals; null where nothing is required."),
    ]
    rows: list[ComplianceRow]

    @classmethod
    def of(cls, view: ComplianceView) -> "MyCompliance":
        """Present a learner's compliance."""
        percent = view.rate.percent
        return cls(
            as_of=view.day,
            required=view.rate.required,
            achieved=view.rate.achieved,
            compliance_percent=None if percent is None else float(percent),
            rows=[ComplianceRow.of(row, view.rulebook) for row in view.rows],
        )


class ComplianceQuery(msgspec.Struct, frozen=True):
    """Which rows to show."""

    colours: Annotated[
        list[Colour],
        msgspec.Meta(
            description="Colours to show: red and amber unless told, e.g. `colours=red,amber,green,blue`.", max_length=4
        ),
    ] = msgspec.field(default_factory=lambda: [Colour.RED, Colour.AMBER])


@routes.route(
    "GET",
    "/v1/me/compliance",
    capability=Capability.VIEW_COMPLIANCE,
    summary="My Compliance",
    query=ComplianceQuery,
    answer=MyCompliance,
)
def my_compliance(request: Request) -> ComplianceView:
    """Where the caller stands today, judged from their own records at this moment, so never stale.

    Red is expired or never achieved, amber expires within the employer's window (three months unless set), green is valid,
    blue is held but not required. The rate counts every required competency whatever rows are shown.
    """
    if request.actor.learner is None:
        raise NotFound("You are no learner at this employer.")
    return compliance.of_learner(request.actor.learner, request.query.colours, request.now)


# --- GET /v1/me/notifications -------------------------------------------------------------------------------


class NotificationView(msgspec.Struct, frozen=True):
    """A message in the inbox, and what became of its e-mail."""

    id: str
    at: datetime
    subject: str
    text: str
    read: bool
    email: Annotated[str, msgspec.Meta(description="pending, sending, sent or failed.")]

    @classmethod
    def of(cls, notification: Notification) -> "NotificationView":
        """Present a notification."""
        return cls(
            notification.natural_key,
            notification.at,
            notification.subject,
            notification.text,
            notification.read_at is not None,
            notification.delivery.value,
        )


class Inbox(msgspec.Struct, frozen=True):
    """A page of messages, newest first."""

    notifications: list[NotificationView]
    next_cursor: NextCursor

    @classmethod
    def of(cls, result: tuple[list[Notification], Any]) -> "Inbox":
        """Present a page."""
        page, after = result
        return cls([NotificationView.of(each) for each in page], cursor.seal("inbox", after))


@routes.route(
    "GET",
    "/v1/me/notifications",
    capability=Capability.READ_INBOX,
    summary="My inbox",
    query=Page,
    answer=Inbox,
)
def my_notifications(request: Request) -> Any:
    """Messages to the caller, newest first. A message is here even where its e-mail could not be sent."""
    after = cursor.unseal("inbox", request.query.cursor)
    return inbox.page(request.actor.person, request.query.limit, after)
