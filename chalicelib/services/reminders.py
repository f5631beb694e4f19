"""Reminding people to renew, and their managers, on the day on which it is due and no more (domain.md §9, N14; decision 0031)."""

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any

from chalicelib.domain import reminders as rules_of
from chalicelib.domain.actor import Actor
from chalicelib.domain.calendar import london_day, london_time, long_day
from chalicelib.domain.catalogue import Catalogue, Course
from chalicelib.domain.enrolment import Enrolment, Status
from chalicelib.domain.events import Event, EventType
from chalicelib.domain.learner import Learner
from chalicelib.domain.people import chosen_assignment
from chalicelib.domain.reminders import Renewal
from chalicelib.domain.requirements import Required, Rulebook
from chalicelib.services.catalogue import Viewer
from chalicelib.services.units import title_of
from chalicelib.storage import outbox, people

COURSES_NAMED = 2
"""Courses named for each competency: My Compliance finds the others."""


def remind(
    learner: Learner, rulebook: Rulebook, catalogue: Catalogue, since: date, day: date, told: Iterable[str] = ()
) -> bool:
    """Tell somebody, and their managers, what they have to renew of which a day of reminding lies between two London days, both
    included: one event for everybody concerned. Whether there was something to tell that had not been told yet.

    Of the competencies in `told` they are told otherwise. The event's id is of the day and the person, so that a repetition tells
    nothing: of several looks at one day the first tells.
    """
    already = frozenset(told)
    due = [each for each in rules_of.renewals(learner, rulebook, since, day) if each.competency not in already]
    own, team = rules_of.for_learner(due), rules_of.for_manager(due)
    managers = _managers(learner, team, day)
    if not own and not managers:
        return False
    data: dict[str, Any] = {"learner": learner.person.full_name, "person": learner.person.id}
    if own:
        viewer = _themselves(learner, rulebook, catalogue, day)
        items = [_said_of(each, rulebook, day) | {"courses": _courses(each.required, viewer)} for each in own]
        data |= {"to": learner.person.id, "renewals": items, **_where(items)}
    if managers:
        data |= {"manager": managers, "team": [_said_of(each, rulebook, day) for each in team]}
    event_id = f"renewal.{day.isoformat()}.{learner.employer}.{learner.person.id}"
    event = Event(event_id, EventType.RENEWAL_DUE, learner.employer, None, london_time(day, 0), data)
    return outbox.emit_once(event)


def _managers(learner: Learner, team: Sequence[Renewal], day: date) -> list[str]:
    """Who supervises the assignments that require it; of what groups or the person require, the primary one. Never the learner
    themself, nor anybody who has left.
    """
    held = tuple(each for each in learner.assignments_on(day) if each.active_on(day))
    through = {because.assignment for each in team for because in each.required.because}
    assignments = [chosen_assignment(held, number) for number in through]
    found = {each.supervisor for each in assignments if each and each.supervisor} - {learner.person.id}
    return sorted(found - people.left_by(learner.employer, found, day)) if found else []


# --- what the message says ------------------------------------------------------------------------------------


def _said_of(renewal: Renewal, rulebook: Rulebook, day: date) -> dict[str, Any]:
    """`days` are those left until the last valid day, below nothing once it is past; None: not achieved at all. As short as can be:
    what a message says is written with every step of its life.
    """
    expires_on, taking = renewal.expires_on, renewal.taking
    said = {
        "title": title_of(rulebook, renewal.competency),
        "until": long_day(expires_on) if expires_on else None,
        "days": (expires_on - day).days if expires_on else None,
    }
    return {**said, "taking": _said_of_taking(taking)} if taking else said


def _said_of_taking(enrolment: Enrolment) -> dict[str, Any]:
    """What is under way: `what` is begun (e-learning), late (a class after the last valid day), waited for, or asked for."""
    dated = enrolment.sessions[0].starts_at if enrolment.sessions else enrolment.starts_at
    seated = "late" if dated else "begun"
    what = {Status.CONFIRMED: seated, Status.WAITLISTED: "waited", Status.REQUESTED: "asked"}[enrolment.status]
    day = long_day(london_day(dated)) if dated else None
    return {"what": what, "title": enrolment.title, "day": day, "enrolment": enrolment.id}


def _themselves(learner: Learner, rulebook: Rulebook, catalogue: Catalogue, day: date) -> Viewer:
    actor = Actor(learner.person.id, learner.employer, frozenset(), learner)
    return Viewer(actor, learner, day, rulebook, catalogue, learner.standpoints_on(day, rulebook))


def _courses(required: Required, viewer: Viewer) -> list[dict[str, str]]:
    """Courses that the learner can find and that award what is required, or what covers it; by title."""
    wanted = {
        required.competency,
        *(name for name, covered in viewer.rulebook.counts_for.items() if required.competency in covered),
    }
    courses: dict[str, Course] = {each.id: each for name in wanted for each in viewer.catalogue.awarding.get(name, ())}
    found = [
        each
        for each in courses.values()
        if any(viewer.rulebook.meets(required, grant.competency, grant.level) for grant in each.grants)
        and viewer.sees(each)
    ]
    found.sort(key=lambda each: (each.title.casefold(), each.id))
    return [{"id": each.id, "title": each.title} for each in found[:COURSES_NAMED]]


def _where(items: Sequence[dict[str, Any]]) -> dict[str, str]:
    """Where the message leads: to the enrolment that is begun, else to the one course there is; nothing: to My Compliance."""
    if len(items) == 1:
        (item,) = items
        if item.get("taking", {}).get("what") == "begun":
            return {"enrolment": item["taking"]["enrolment"]}
        if len(item["courses"]) == 1:
            return {"course": item["courses"][0]["id"]}
    return {}
