"""Approvals: when a request is due, who decides on it, and who stands in for whom (domain.md §2, §5 and §10, decision 0024)."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

from chalicelib.domain import errors
from chalicelib.domain.calendar import LATEST, add_months
from chalicelib.domain.enrolment import Enrolment, Party, Status
from chalicelib.domain.errors import FieldError
from chalicelib.domain.learner import Learner
from chalicelib.domain.people import EmploymentKind

REMINDED_AFTER = timedelta(days=3)
"""From asking (domain.md §5)."""

ESCALATED_AFTER = timedelta(days=7)
"""From asking (domain.md §5)."""

LAPSES_AFTER = timedelta(days=28)
"""From asking, where the class has no start at which it would."""

NOT_DECIDED = "nobody decided on the request in time"
"""Why a request lapsed, for its history and the message."""

CLASS_STARTED = "the class has started"
"""Why a request or a place on the waiting list ended."""


# --- when (domain.md §5) ----------------------------------------------------------------------------------------


class Step(StrEnum):
    """What becomes due while nobody decides."""

    REMIND = "remind"
    ESCALATE = "escalate"
    LAPSE = "lapse"


def lapses_at(request: Enrolment) -> datetime:
    """When a request ends by itself: at the start of its class, or 28 days after asking where it has none."""
    return request.starts_at or request.placed_at + LAPSES_AFTER


def steps(request: Enrolment) -> Iterator[tuple[Step, datetime]]:
    """What becomes due of a request, and when. That a class starts is told by the class itself; it may be moved, so that what lies
    behind its start is judged when it is due.
    """
    yield from steps_from(request.placed_at)
    if request.starts_at is None:
        yield Step.LAPSE, lapses_at(request)


def steps_from(asked_at: datetime) -> tuple[tuple[Step, datetime], ...]:
    """When whoever is asked is reminded and when it goes to somebody else, of what was asked at an instant and has no end."""
    return (Step.REMIND, asked_at + REMINDED_AFTER), (Step.ESCALATE, asked_at + ESCALATED_AFTER)


def step_after(waited: timedelta) -> Step | None:
    """What is due of what has waited so long, the last of it: whoever comes late neither reminds nor escalates in vain."""
    return Step.ESCALATE if waited >= ESCALATED_AFTER else Step.REMIND if waited >= REMINDED_AFTER else None


def step_due(request: Enrolment, now: datetime) -> Step | None:
    """What is due of a request by now; nothing once it is decided."""
    if request.status is not Status.REQUESTED:
        return None
    if now >= lapses_at(request):
        return Step.LAPSE
    return step_after(now - request.placed_at)


def refuse_lapsed(request: Enrolment, now: datetime) -> None:
    """Raise RequestLapsed for a request whose time is over, though nothing has ended it yet."""
    if now >= lapses_at(request):
        raise errors.RequestLapsed(
            "The time to decide on this request is over.", lapsed_at=lapses_at(request).isoformat()
        )


# --- who (domain.md §5 and §10) ---------------------------------------------------------------------------------


def deciders(request: Enrolment, learner: Learner, day: date) -> frozenset[str]:
    """Who decides on a request by themselves: who was asked, and whoever supervises its assignment now. Never its learner."""
    number = request.post.assignment if request.post else None
    supervisors = {each.supervisor for each in learner.assignments_on(day) if each.number == number}
    return frozenset(each for each in {request.approver, *supervisors} if each) - {request.person}


def refuse_deciding(request: Enrolment, party: Party, reason: str | None) -> None:
    """Raise OverrideNeeded for an administrator who gives no reason to decide in place of whoever was asked."""
    if party is Party.ADMINISTRATOR and request.approver is not None and reason is None:
        raise errors.OverrideNeeded("This request waits for somebody else.", approver=request.approver)


# --- standing in ------------------------------------------------------------------------------------------------

LONGEST_DELEGATION_MONTHS = 6

MOST_DELEGATIONS = 20
"""Of one person, not over yet."""


@dataclass(frozen=True, slots=True)
class Delegation:
    """`to` decides in place of `by` between two London days, both included; for nobody whom `by` stands in for."""

    id: str
    employer: str
    by: str
    to: str
    starts_on: date
    ends_on: date

    def active_on(self, day: date) -> bool:
        """Whether it counts on a day."""
        return self.starts_on <= day <= self.ends_on


def works_here(person: Learner | None, day: date) -> bool:
    """Whether somebody is an employee on a day: nobody else is asked in place of a manager."""
    employment = person.employment if person else None
    return employment is not None and employment.active_on(day) and employment.kind_on(day) is EmploymentKind.EMPLOYEE


def stand_ins(delegations: Iterable[Delegation], day: date) -> tuple[str, ...]:
    """Who stands in on a day, by these delegations, each once."""
    return tuple(sorted({each.to for each in delegations if each.active_on(day)}))


def wrong_delegation(by: str, to: str, starts_on: date, ends_on: date, today: date) -> Iterator[FieldError]:
    """Each field of a delegation that cannot be. Whether `to` works here is for the caller to find out."""
    if to == by:
        yield FieldError("to", "is yourself")
    if not today <= starts_on <= LATEST:
        yield FieldError("from", "lies in the past, or too far ahead")
    elif not starts_on <= ends_on <= add_months(starts_on, LONGEST_DELEGATION_MONTHS):
        yield FieldError(
            "until", f"is not on or after the first day, and within {LONGEST_DELEGATION_MONTHS} months of it"
        )
