"""Looking at people to whom time has brought something: what their snapshots name is judged from their records (decision 0031)."""

from collections.abc import Sequence
from datetime import date, datetime

from chalicelib.domain.auto_enrolment import Classes, to_decide
from chalicelib.domain.calendar import london_day
from chalicelib.observability import log_fault
from chalicelib.services import auto_enrolment, reminders
from chalicelib.storage import learner as learners
from chalicelib.storage import queues, rules


def look_at(employer: str, persons: Sequence[str], since: date, day: date, now: datetime) -> None:
    """Look at several people, each by themselves. Who fails is queued to be looked at alone, so that the others are not looked at
    again with them; whoever fails alone is left to the queue, which delivers again and parks. Classes are listed once for all.
    """
    offered = auto_enrolment.classes_of(employer, now)
    for person in persons:
        try:
            look(employer, person, since, day, now, offered)
        except Exception as fault:
            if len(persons) == 1:
                raise
            log_fault(fault, employer=employer, person=person)
            queues.queue_looks(employer, [person], since, day)


def look(employer: str, person: str, since: date, day: date, now: datetime, offered: Classes | None = None) -> None:
    """What a London day brings somebody, and those from `since` on that were missed: training arranged, and reminders to renew what
    they were not told of by that.

    Everything is judged from their records as they are now, strongly consistent, so that what is renewed, booked, no longer
    required or of somebody who has left is passed over, and what was arranged, by this look or by another, is known.
    """
    learner = learners.learner(person, employer, consistent=True)
    if learner is None:
        return
    rulebook, catalogue = rules.rulebook_and_catalogue(employer, consistent=True)
    if to_decide(learner, rulebook, london_day(now)):
        auto_enrolment.arrange(learner, rulebook, catalogue, now, offered)
        learner = learners.learner(person, employer, consistent=True) or learner
    reminders.remind(learner, rulebook, catalogue, since, day)
