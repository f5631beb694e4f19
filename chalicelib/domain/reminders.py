"""Which renewals somebody is reminded of, and on which days (domain.md §9, N14; decision 0031).

A *lead* is a number of days before an award's last valid day. Learners are told on the leads their employer has set, managers on
some of these and every Monday while something is red; nobody of what is not required, or is booked in time.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from chalicelib.domain.calendar import london_day
from chalicelib.domain.compliance import Colour, Reason
from chalicelib.domain.decisions import Outcome
from chalicelib.domain.enrolment import OPEN, Enrolment, Status
from chalicelib.domain.errors import FieldError
from chalicelib.domain.learner import Learner
from chalicelib.domain.requirements import Required, Rulebook

MANAGERS_TOLD = frozenset({30, 0})
"""The leads on which a manager is told, too, where the employer has them."""

LONGEST_LEAD = 365
MOST_LEADS = 10


def wrong_leads(leads: Iterable[int]) -> Iterator[FieldError]:
    """What is wrong with the days before expiry on which an employer reminds: one twice. Bounds are the edge's."""
    given = list(leads)
    if len(set(given)) < len(given):
        yield FieldError("renewal_leads", "has a number of days twice")


def next_lead_day(expires_on: date, leads: Iterable[int], day: date) -> date | None:
    """The first later day on which somebody is reminded of an award's end, by leads of which the longest comes first; None after
    the last.
    """
    left = (expires_on - day).days
    for lead in leads:
        if lead < left:
            return expires_on - timedelta(days=lead)
    return None


def lead_passed(expires_on: date, leads: Iterable[int], since: date, day: date) -> int | None:
    """The lead nearest to the end whose day lies between two days, both included: of several missed, one is told. None if none."""
    least, most = (expires_on - day).days, (expires_on - since).days
    return min((lead for lead in leads if least <= lead <= most), default=None)


def next_monday(day: date) -> date:
    """The first Monday after a day."""
    return day + timedelta(days=7 - day.weekday())


def monday_passed(since: date, day: date) -> bool:
    """Whether there is a Monday between two days, both included."""
    return day - timedelta(days=day.weekday()) >= since


def ends_on(reason: Reason, expires_on: date | None) -> date | None:
    """The last valid day of what is held at the level required, or was; what is held below it does not count."""
    return None if reason is Reason.BELOW_LEVEL else expires_on


def booked_in_time(future_on: date | None, expires_on: date | None, colour: Colour) -> bool:
    """Whether a class booked for a day renews before the award ends, or, where there is none, at all."""
    return future_on is not None and (colour is Colour.RED or expires_on is None or future_on <= expires_on)


# --- judged live ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Renewal:
    """A required competency to renew, or to achieve.

    `lead` is the lead now told (None: none, so that the learner is not told); `expires_on` the last valid day of the award that
    decides, None where nothing is held at the level required. `taking` is what the learner does about it already: e-learning to go
    on with, a class after the award ends, or a place waited or asked for.
    """

    required: Required
    expires_on: date | None
    lead: int | None
    red: bool
    taking: Enrolment | None

    @property
    def competency(self) -> str:
        """Its full name."""
        return self.required.competency


def renewals(learner: Learner, rulebook: Rulebook, since: date, day: date) -> tuple[Renewal, ...]:
    """What somebody has to be told of on a day, red first: each required competency of which a lead's day, or a Monday while it is
    red, lies between the two days, both included; none that is booked in time.

    Whoever was told of a competency by arranging training has heard all that its days until then had to say. Nothing for whoever
    has left: nothing is required of them.
    """
    told = {each.competency: each.decided_on for each in learner.decisions if each.outcome is not Outcome.WITHDRAWN}
    found = []
    for standing in learner.compliance_on(day, rulebook):
        required, expires_on = standing.required, ends_on(standing.reason, standing.expires_on)
        if required is None:
            continue
        first = max(since, told[required.competency] + timedelta(days=1)) if required.competency in told else since
        lead = lead_passed(expires_on, rulebook.renewal_leads, first, day) if expires_on else None
        weekly = bool(rulebook.renewal_leads) and monday_passed(first, day)
        red = standing.colour is Colour.RED
        if lead is None and not (red and weekly):
            continue
        taking = tuple(_taking(learner.enrolments, required, rulebook, day))
        if not any(booked_in_time(_booked_on(each), expires_on, standing.colour) for each in taking):
            found.append(Renewal(required, expires_on, lead, red, min(taking, key=_progress, default=None)))
    return tuple(found)


def _taking(enrolments: Iterable[Enrolment], required: Required, rulebook: Rulebook, day: date) -> Iterator[Enrolment]:
    """Open enrolments that would give what is required, of classes not held yet."""
    for each in enrolments:
        ahead = each.starts_at is None or london_day(each.starts_at) >= day
        if each.status in OPEN and ahead and rulebook.given_by(required, each.grants):
            yield each


def _booked_on(enrolment: Enrolment) -> date | None:
    """The day of a class on which a seat is held."""
    confirmed = enrolment.status is Status.CONFIRMED and enrolment.starts_at
    return london_day(enrolment.starts_at) if confirmed and enrolment.starts_at else None


def _progress(enrolment: Enrolment) -> tuple[bool, date]:
    """Sort key: what has a seat or is begun before what is waited or asked for, then by date."""
    start = london_day(enrolment.starts_at) if enrolment.starts_at else date.min
    return enrolment.status is not Status.CONFIRMED, start


def for_learner(found: Iterable[Renewal]) -> tuple[Renewal, ...]:
    """What the learner is told of: on leads alone, not week by week."""
    return tuple(each for each in found if each.lead is not None)


def for_manager(found: Iterable[Renewal]) -> tuple[Renewal, ...]:
    """What the learner's manager is told of: on some leads, and whatever is red."""
    return tuple(each for each in found if each.red or each.lead in MANAGERS_TOLD)
