"""What to try with enrolments: a class for two, a request, a register to mark, a list by need, and training done elsewhere."""

from datetime import datetime, timedelta
from typing import Any

from chalicelib.domain.actor import Actor
from chalicelib.domain.calendar import london_day
from chalicelib.domain.compliance import Colour
from chalicelib.services import compliance
from chalicelib.storage import learner, rules

from . import trust as plan
from .load_mapping import FIRST_ATTEMPT


def enrolments_to_try(trust: plan.Trust, actor: Actor, manager: str, now: datetime) -> dict[str, Any]:
    """For this learner and this manager, by their ids; all of them classes of the plan with a story to show."""
    pair = next(each for each in trust.classes if each.maximum == 2 and each.status == "Normal")
    approved, rejected, *_ = _asked(trust, manager)
    held = _held(trust)
    completes, stays_away = _learners_of(trust, held, now)
    return {
        "class_for_two": _class_id(trust, pair.id),
        "class_by_approval": _class_id(trust, approved.class_id),
        "class_by_need": _class_id(trust, next(each.id for each in trust.classes if each.by_need)),
        "class_to_mark": _class_id(trust, held.id),
        "completes": completes,
        "stays_away": stays_away,
        "decisions": [
            {**_named(trust, approved), "decision": "approve"},
            {**_named(trust, rejected), "decision": "reject", "reason": "The ward cannot spare two at once"},
        ],
        "learner_id": actor.person,
        "training": _training(trust, actor, now),
    }


def _class_id(trust: plan.Trust, planned: str) -> str:
    return f"{trust.employer_code}-{planned}"


def _named(trust: plan.Trust, enrolment: plan.Enrolment) -> dict[str, str]:
    """An enrolment as the service names it: of whom, and which."""
    return {"person_id": enrolment.person_id, "enrolment_id": f"{_class_id(trust, enrolment.class_id)}~{FIRST_ATTEMPT}"}


def _asked(trust: plan.Trust, manager: str) -> list[plan.Enrolment]:
    team = {each.person_id for each in trust.organisation.assignments if each.primary and each.supervisor_id == manager}
    return [each for each in trust.enrolments if each.status == "Requested" and each.person_id in team]


def _held(trust: plan.Trust) -> plan.LearningClass:
    """The class that was held and whose register nobody has marked."""
    confirmed = {each.class_id for each in trust.enrolments if each.status == "Confirmed"}
    return next(each for each in trust.classes if each.start.date() < trust.today and each.id in confirmed)


def _learners_of(trust: plan.Trust, held: plan.LearningClass, now: datetime) -> tuple[str, str]:
    """Of those on a class, somebody who is red for what it awards, and somebody else."""
    awards = next(set(each.awards) for each in trust.catalogue.courses if each.id == held.course_id)
    people = [each.person_id for each in trust.enrolments if each.class_id == held.id]
    red = next(each for each in people if awards & _red(trust, each, now))
    return red, next(each for each in people if each != red)


def _red(trust: plan.Trust, person: str, now: datetime) -> set[str]:
    found = learner.learner(person, trust.employer_code)
    assert found is not None
    rulebook, today = rules.rulebook(trust.employer_code), london_day(now)
    return {each.competency for each in found.compliance_on(today, rulebook) if each.colour is Colour.RED}


def _training(trust: plan.Trust, actor: Actor, now: datetime) -> dict[str, Any]:
    """A course done elsewhere yesterday, in something that the learner lacks."""
    assert actor.learner is not None
    lacking = compliance.of_learner(actor.learner, (Colour.RED,), london_day(now)).rows[0].standing.competency
    return {
        "title": "Study day",
        "provider": "Upper Thistledown University",
        "completed_on": (trust.today - timedelta(days=1)).isoformat(),
        "claims": [{"competency": lacking}],
    }
