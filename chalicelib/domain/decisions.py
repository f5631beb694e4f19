"""When training is due, and what was decided last about it (domain.md §4): kept once for each person and competency."""

from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

DUE_DAYS = 90
"""Somebody is due this many days before an award ends (rule 2)."""


def becomes_due(expires_on: date) -> date:
    """The first day on which the renewal of an award is due."""
    return expires_on - timedelta(days=DUE_DAYS)


def is_ending(expires_on: date | None, day: date) -> bool:
    """Whether an award ends so soon that its renewal is due."""
    return expires_on is not None and becomes_due(expires_on) <= day


class Outcome(StrEnum):
    """What came of arranging training (domain.md §4, rule 5). The first three are done; the others are left to people."""

    BOOKED = "booked"
    WAITLISTED = "waitlisted"
    SUBSCRIBED = "subscribed"
    NO_OPTION = "no option"
    CHOOSE_DATE = "choose a date"
    MULTIPLE_OPTIONS = "several options"
    ALL_FULL = "all full"
    PREREQUISITE = "prerequisite missing"
    WITHDRAWN = "withdrawn lately"


ARRANGED = frozenset({Outcome.BOOKED, Outcome.WAITLISTED, Outcome.SUBSCRIBED})
"""Outcomes that leave nothing to do but to come."""


@dataclass(frozen=True, slots=True)
class Decision:
    """The last decision on one competency of one person: what came of it, by which attempt (from 1), and on which London day.

    `course` is the one booked, or the only one there is to choose; `enrolment` what was booked. `next_try_on` is the day from which
    it is tried again; None after what succeeded, which is looked at again once the enrolment has ended.
    """

    competency: str
    outcome: Outcome
    attempt: int
    decided_on: date
    next_try_on: date | None = None
    course: str | None = None
    enrolment: str | None = None

    def pauses_on(self, day: date) -> bool:
        """Whether nothing is tried on a day, because a failure is too recent (domain.md §4, rules 8 and 9)."""
        return self.next_try_on is not None and day < self.next_try_on
