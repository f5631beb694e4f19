"""Looking at people to whom time has brought something: what their snapshots name is judged from their records (decision 0031)."""

from collections.abc import Iterable
from datetime import date

from chalicelib.observability import log_fault
from chalicelib.services import reminders
from chalicelib.storage import learner as learners
from chalicelib.storage import rules


class SomeFailed(Exception):
    """Some people could not be looked at: the queue delivers the work again."""


def look_at(employer: str, persons: Iterable[str], since: date, day: date) -> None:
    """Look at several people, each by themselves. Raises SomeFailed once all have been tried; repeating is harmless."""
    failed = 0
    for person in persons:
        try:
            look(employer, person, since, day)
        except Exception as fault:
            log_fault(fault, employer=employer, person=person)
            failed += 1
    if failed:
        raise SomeFailed(f"{failed} people")


def look(employer: str, person: str, since: date, day: date) -> None:
    """What a London day brings somebody, and those from `since` on that were missed: reminders to renew.

    Everything is judged from their records as they are now, strongly consistent, so that what is renewed, booked, no longer
    required or of somebody who has left is passed over.
    """
    learner = learners.learner(person, employer, consistent=True)
    if learner is None:
        return
    rulebook, catalogue = rules.rulebook_and_catalogue(employer, consistent=True)
    reminders.remind(learner, rulebook, catalogue, since, day)
