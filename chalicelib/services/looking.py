"""Looking at people to whom time has brought something: what their snapshots name is judged from their records (decision 0031)."""

from collections.abc import Iterable
from datetime import date, datetime

from chalicelib.observability import log_fault
from chalicelib.services import auto_enrolment, reminders
from chalicelib.storage import learner as learners
from chalicelib.storage import rules


class SomeFailed(Exception):
    """Some people could not be looked at: the queue delivers the work again."""


def look_at(employer: str, persons: Iterable[str], since: date, day: date, now: datetime) -> None:
    """Look at several people, each by themselves. Raises SomeFailed once all have been tried; repeating is harmless."""
    failed = 0
    for person in persons:
        try:
            look(employer, person, since, day, now)
        except Exception as fault:
            log_fault(fault, employer=employer, person=person)
            failed += 1
    if failed:
        raise SomeFailed(f"{failed} people")


def look(employer: str, person: str, since: date, day: date, now: datetime) -> None:
    """What a London day brings somebody, and those from `since` on that were missed: training arranged, and reminders to renew what
    they were not told of by that.

    Everything is judged from their records as they are now, strongly consistent, so that what is renewed, booked, no longer
    required or of somebody who has left is passed over.
    """
    learner = learners.learner(person, employer, consistent=True)
    if learner is None:
        return
    rulebook, catalogue = rules.rulebook_and_catalogue(employer, consistent=True)
    told = auto_enrolment.arrange(learner, rulebook, catalogue, now)
    reminders.remind(learner, rulebook, catalogue, since, day, told)
