"""Approvals: who is asked before a learner is placed, who stands in for them, what becomes due (domain.md §5 and §9)."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import date, datetime
from typing import Any

from chalicelib.domain import approvals as rules_of
from chalicelib.domain.actor import Actor
from chalicelib.domain.calendar import london_day
from chalicelib.domain.enrolment import Enrolment
from chalicelib.domain.learner import Learner
from chalicelib.domain.people import Assignment
from chalicelib.domain.timers import Timer, TimerKind
from chalicelib.storage import approvals as stored
from chalicelib.storage import learner as learners
from chalicelib.storage import timers
from chalicelib.storage.people import names_of
from chalicelib.storage.transaction import Transaction


def who_approves(learner: Learner, assignment: Assignment | None, now: datetime) -> str | None:
    """The supervisor of the chosen assignment, if it is somebody else who still works here; None: the learning administrators."""
    supervisor = assignment.supervisor if assignment else None
    if supervisor is None or supervisor == learner.person.id:
        return None
    return supervisor if _still_here(supervisor, learner.employer, london_day(now)) else None


def _still_here(person: str, employer: str, day: date) -> bool:
    found = learners.learner(person, employer)
    return bool(found and found.roles_on(day))


# --- asking -----------------------------------------------------------------------------------------------------


def ask(
    transaction: Transaction, learner: Learner, request: Enrolment, approver: str | None, now: datetime
) -> tuple[Enrolment, dict[str, Any]]:
    """Add to a transaction that writes a request: the timers of what becomes due while nobody decides, counted from now. The
    request with who is asked, and what its event says of them.
    """
    asked = replace(request, approver=approver, placed_at=now)
    for step, at in rules_of.steps(asked):
        timers.set_timer(transaction, timer_of(asked, step, at))
    return asked, said_of_asking(learner, asked, now)


def timer_of(request: Enrolment, step: rules_of.Step, at: datetime) -> Timer:
    """The timer of what becomes due of a request."""
    facts = {"person": request.person, "enrolment": request.id, "step": step.value}
    return Timer(request.employer, at, TimerKind.APPROVAL, f"{request.person}~{request.id}", facts)


def said_of_asking(learner: Learner, request: Enrolment, now: datetime) -> dict[str, Any]:
    """What the event of a request says of who is asked: whom to tell, and the names for the messages (N1)."""
    approver = request.approver
    return {
        "person": request.person,
        "learner": learner.person.full_name,
        "approver": approver,
        "approver_name": names_of(request.employer, [approver]).get(approver) if approver else None,
        "stand_ins": stand_ins(request.employer, approver, request.person, now),
        "asked_at": request.placed_at.isoformat(),
    }


# --- standing in ------------------------------------------------------------------------------------------------


def stand_ins(employer: str, approver: str | None, learner: str, now: datetime) -> list[str]:
    """Who stands in for somebody today and works here; never the learner, who decides on nothing of their own."""
    if approver is None:
        return []
    today = london_day(now)
    found = rules_of.stand_ins(stored.delegated_by(employer, approver), today)
    return [each for each in found if each != learner and rules_of.works_here(learners.learner(each, employer), today)]


def stood_in_for(actor: Actor, now: datetime) -> list[str]:
    """For whom the actor stands in today: people who still work here, and whose delegation they can take up."""
    today = london_day(now)
    if not rules_of.works_here(actor.learner, today):
        return []
    received = stored.delegated_to(actor.employer, actor.person, today.isoformat())
    by = sorted({each.by for each in received if each.active_on(today)})
    return [each for each in by if _still_here(each, actor.employer, today)]


def stands_in_for_any(actor: Actor, people: Iterable[str], now: datetime) -> bool:
    """Whether the actor stands in today for one of these people, who still works here. Read strongly consistent."""
    today = london_day(now)
    if not rules_of.works_here(actor.learner, today):
        return False
    return any(
        actor.person in rules_of.stand_ins(stored.delegated_by(actor.employer, each), today)
        and _still_here(each, actor.employer, today)
        for each in people
    )
