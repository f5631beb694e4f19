"""Approvals: who is asked before a learner is placed, and what they answer (domain.md §2, §5 and §9)."""

from datetime import datetime

from chalicelib.domain.calendar import london_day
from chalicelib.domain.learner import Learner
from chalicelib.domain.people import Assignment
from chalicelib.storage import learner as learners


def who_approves(learner: Learner, assignment: Assignment | None, now: datetime) -> str | None:
    """The supervisor of the chosen assignment, if it is somebody else who still works here; None: the learning administrators."""
    supervisor = assignment.supervisor if assignment else None
    if supervisor is None or supervisor == learner.person.id:
        return None
    manager = learners.learner(supervisor, learner.employer)
    return supervisor if manager and manager.roles_on(london_day(now)) else None
