"""Training that arranges itself: why somebody was, or was not, booked; what would be arranged; switching it on (domain.md §4)."""

from datetime import date
from typing import Annotated

import msgspec
from chalice import Blueprint

from chalicelib.domain import errors
from chalicelib.domain.auto_enrolment import Candidate
from chalicelib.domain.decisions import Decision
from chalicelib.domain.permissions import Capability
from chalicelib.domain.reminders import ends_on
from chalicelib.domain.requirements import Rulebook
from chalicelib.handlers.http import Request, Routes
from chalicelib.handlers.paging import NextCursor, Page
from chalicelib.services import auto_enrolment, people
from chalicelib.services.auto_enrolment import DryRun, Explanation, Row, Step, Switch, Trial
from chalicelib.services.units import title_of
from chalicelib.storage import cursor

blueprint = Blueprint(__name__)
routes = Routes(blueprint, "Auto-enrolment")


# --- why --------------------------------------------------------------------------------------------------------


class DecisionView(msgspec.Struct, frozen=True):
    """The last decision on a competency."""

    outcome: Annotated[
        str,
        msgspec.Meta(
            description="booked, waitlisted, subscribed, no option, choose a date, several options, all full, "
            "prerequisite missing or withdrawn lately."
        ),
    ]
    attempt: Annotated[int, msgspec.Meta(description="From 1.")]
    decided_on: date
    next_try_on: Annotated[
        date | None, msgspec.Meta(description="From which day it is tried again; null after success.")
    ]
    course_id: str | None
    enrolment_id: str | None

    @classmethod
    def of(cls, decision: Decision) -> "DecisionView":
        """Present a decision."""
        return cls(
            decision.outcome.value,
            decision.attempt,
            decision.decided_on,
            decision.next_try_on,
            decision.course,
            decision.enrolment,
        )


class CandidateView(msgspec.Struct, frozen=True):
    """A course or certification that was considered."""

    id: str
    title: str
    struck_out: Annotated[
        str | None, msgspec.Meta(description="Why, in words that go on after its title; null: it is left.")
    ]

    @classmethod
    def of(cls, candidate: Candidate) -> "CandidateView":
        """Present a course."""
        return cls(candidate.item.id, candidate.item.title, candidate.struck and candidate.struck.value)


class ProposalView(msgspec.Struct, frozen=True):
    """What would be done now about something due."""

    outcome: Annotated[str, msgspec.Meta(description="As of a decision.")]
    course_id: str | None
    class_id: Annotated[str | None, msgspec.Meta(description="The class on which they would be placed.")]
    first_for: Annotated[str | None, msgspec.Meta(description="The course whose prerequisite would be booked first.")]
    certification_id: Annotated[str | None, msgspec.Meta(description="The certification inside which it is chosen.")]


class RequirementView(msgspec.Struct, frozen=True):
    """One thing that is required, and how it stands with arranging."""

    competency: str
    title: str
    colour: str
    expires_on: date | None
    state: Annotated[
        str,
        msgspec.Meta(description="not due, under way, paused (after a failure or a withdrawal) or due."),
    ]
    decision: Annotated[DecisionView | None, msgspec.Meta(description="The last one kept.")]
    enrolment_id: Annotated[str | None, msgspec.Meta(description="What is under way for it.")]
    now: Annotated[
        ProposalView | None,
        msgspec.Meta(
            description="What would be done, were it tried now; null where nothing is due or it is under way."
        ),
    ]
    candidates: Annotated[
        list[CandidateView],
        msgspec.Meta(description="Every course and certification that awards it and that one may know of."),
    ]

    @classmethod
    def of(cls, row: Row, found: Explanation) -> "RequirementView":
        """Present a requirement."""
        proposal = row.proposal
        place = proposal.place if proposal else None
        return cls(
            competency=row.standing.competency,
            title=title_of(found.rulebook, row.standing.competency),
            colour=row.standing.colour.value,
            expires_on=ends_on(row.standing.reason, row.standing.expires_on),
            state=row.state.value,
            decision=DecisionView.of(row.decision) if row.decision else None,
            enrolment_id=row.enrolment.id if row.enrolment else None,
            now=ProposalView(
                proposal.outcome.value,
                proposal.course.id if proposal.course else None,
                place.class_.id if place else None,
                proposal.first_for.id if proposal.first_for else None,
                proposal.certification.id if proposal.certification else None,
            )
            if proposal
            else None,
            candidates=[CandidateView.of(each) for each in row.candidates],
        )


class ExplanationView(msgspec.Struct, frozen=True):
    """Why training was, or was not, arranged for somebody."""

    person_id: str
    left_out: Annotated[
        str | None,
        msgspec.Meta(
            description="Why nothing is arranged at all: switched off, not employed, applicant or no assignment; null: it is."
        ),
    ]
    requirements: Annotated[
        list[RequirementView], msgspec.Meta(description="Red first, then amber by expiry, then green.")
    ]

    @classmethod
    def of(cls, found: Explanation) -> "ExplanationView":
        """Present an explanation."""
        return cls(
            found.learner.person.id,
            found.left_out and found.left_out.value,
            [RequirementView.of(each, found) for each in found.rows],
        )


@routes.route(
    "GET",
    "/v1/me/auto-enrolment",
    capability=Capability.VIEW_COMPLIANCE,
    summary="What was arranged for me, and why",
    answer=ExplanationView,
    refusals=(errors.NotFound,),
)
def my_auto_enrolment(request: Request) -> Explanation:
    """For each requirement: the last decision, what is under way, and what would be done now, with every course considered and the
    rule that struck it out. Courses one cannot find are left out.
    """
    if request.actor.learner is None:
        raise errors.NotFound("You are no learner at this employer.")
    return auto_enrolment.explain(request.actor, request.actor.learner, request.now)


@routes.route(
    "GET",
    "/v1/people/{person_id}/auto-enrolment",
    capability=Capability.VIEW_COMPLIANCE,
    summary="Why somebody was, or was not, booked",
    answer=ExplanationView,
)
def auto_enrolment_of(request: Request) -> Explanation:
    """As GET /v1/me/auto-enrolment, of oneself, somebody one supervises, or (administrators, who see every course) anybody."""
    learner = people.visible(request.actor, request.path["person_id"], Capability.VIEW_COMPLIANCE, request.now)
    return auto_enrolment.explain(request.actor, learner, request.now)


# --- trying it ------------------------------------------------------------------------------------------------


class DryRunBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whose training to try."""

    unit: (
        Annotated[
            str, msgspec.Meta(min_length=1, max_length=80, description="With those below it; null: the whole employer.")
        ]
        | None
    ) = None


class StepView(msgspec.Struct, frozen=True):
    """What would be done about one thing that is due."""

    competency: str
    title: str
    expires_on: date | None
    outcome: Annotated[str, msgspec.Meta(description="As of a decision.")]
    course_id: str | None
    class_id: str | None

    @classmethod
    def of(cls, step: Step, rulebook: Rulebook) -> "StepView":
        """Present a step."""
        proposal = step.proposal
        return cls(
            proposal.competency,
            title_of(rulebook, proposal.competency),
            ends_on(step.standing.reason, step.standing.expires_on),
            proposal.outcome.value,
            proposal.course.id if proposal.course else None,
            step.enrolment.class_id if step.enrolment else None,
        )


class TrialView(msgspec.Struct, frozen=True):
    """What would be arranged for one person."""

    person_id: str
    name: str
    steps: list[StepView]

    @classmethod
    def of(cls, trial: Trial, rulebook: Rulebook) -> "TrialView":
        """Present a person."""
        person = trial.learner.person
        return cls(person.id, person.full_name, [StepView.of(each, rulebook) for each in trial.steps])


class DryRunView(msgspec.Struct, frozen=True):
    """A page of what would be arranged today."""

    people: list[TrialView]
    outcomes: Annotated[dict[str, int], msgspec.Meta(description="How often each outcome comes on this page.")]
    next_cursor: Annotated[
        NextCursor, msgspec.Meta(description="Send as `cursor` to go on, also after a short or empty page.")
    ]

    @classmethod
    def of(cls, found: tuple[str, DryRun]) -> "DryRunView":
        """Present a page; its cursor holds for the same unit only."""
        purpose, run = found
        return cls(
            [TrialView.of(each, run.rulebook) for each in run.trials],
            dict(run.outcomes),
            cursor.seal(purpose, run.after),
        )


@routes.route(
    "POST",
    "/v1/auto-enrolment/dry-run",
    capability=Capability.EDIT_COMPETENCE_RULES,
    summary="What would be arranged today",
    body=DryRunBody,
    query=Page,
    answer=DryRunView,
    refusals=(errors.NotFound,),
)
def dry_run(request: Request) -> tuple[str, DryRun]:
    """What would be booked, and what not and why, for the people of a unit and those below it. Nothing is written, and it need not
    be switched on. Of one free seat each of them may be told: nobody takes it here.

    A request looks through a few hundred assignments at most, so a page may be short or empty: go on until `next_cursor` is null.
    """
    unit, employer = request.body.unit, request.actor.employer
    purpose = f"dry run {employer} {unit}"
    after = cursor.unseal(purpose, request.query.cursor)
    return purpose, auto_enrolment.dry_run(employer, unit, request.query.limit, after, request.now)


# --- switching it on ------------------------------------------------------------------------------------------


class SwitchBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whether training is arranged."""

    on: Annotated[bool, msgspec.Meta(description="Whether training is arranged for whoever is due.")]
    applicants: Annotated[bool, msgspec.Meta(description="For applicants, too, before their first day.")] = False


class SwitchView(msgspec.Struct, frozen=True):
    """Whether training is arranged."""

    on: bool
    applicants: bool
    job_id: Annotated[
        str | None, msgspec.Meta(description="The job that looks at everybody who is due, once it was switched on.")
    ]

    @classmethod
    def of(cls, switch: Switch) -> "SwitchView":
        """Present the setting."""
        return cls(switch.on, switch.applicants, switch.job_id)


@routes.route(
    "GET",
    "/v1/settings/auto-enrolment",
    capability=Capability.EDIT_COMPETENCE_RULES,
    summary="Whether training is arranged",
    answer=SwitchView,
)
def show_auto_enrolment(request: Request) -> Switch:
    """Whether training is arranged at the employer for whoever is due, and for applicants. It is not unless it was switched on."""
    return auto_enrolment.switch(request.actor.employer)


@routes.route(
    "PUT",
    "/v1/settings/auto-enrolment",
    capability=Capability.EDIT_COMPETENCE_RULES,
    summary="Switch arranging on or off",
    body=SwitchBody,
    answer=SwitchView,
    refusals=(errors.NotFound, errors.Conflict),
)
def set_auto_enrolment(request: Request) -> Switch:
    """Once it is on, everybody who is due has their training arranged within minutes, and from then on whoever becomes due.

    Switched off, what was booked stays. Which courses take part their `auto_enrol` and `auto_book` say.
    """
    return auto_enrolment.set_switch(request.actor, request.body.on, request.body.applicants, request.now)
