"""What becomes of the enrolments of somebody who has moved to another post (domain.md §5, decision 0025).

Whoever projects a person calls it, so that it follows every change of assignments and every new day, and is safe to repeat.
"""

from dataclasses import replace
from datetime import datetime

import msgspec

from chalicelib.domain import access, movers
from chalicelib.domain.access import AccessMode
from chalicelib.domain.approvals import Step, step_due
from chalicelib.domain.calendar import london_day
from chalicelib.domain.enrolment import Enrolment, Party, Status
from chalicelib.domain.events import EventType
from chalicelib.domain.learner import Learner
from chalicelib.domain.people import Assignment
from chalicelib.domain.placing import Verdict
from chalicelib.services import approvals
from chalicelib.services.catalogue import SeenClass, Viewer
from chalicelib.services.deciding import granted, judge_request, place_granted
from chalicelib.services.enrolment import give_back, tell
from chalicelib.storage import audit, rules
from chalicelib.storage import classes as stored
from chalicelib.storage import enrolment as enrolments
from chalicelib.storage import learner as learners
from chalicelib.storage.transaction import Transaction, retried

MOVERS = "system:movers"
"""Who follows people to another post, in history and audit."""


class _Read(msgspec.Struct, frozen=True):
    """A mover's enrolment with all that decides about it, read strongly consistent; the class as they see it themselves."""

    enrolment: Enrolment
    learner: Learner
    seen: SeenClass


def judge_again(learner: Learner, now: datetime) -> int:
    """Judge the enrolments that somebody made through a post they hold no more; how many there were.

    Whoever may still find the course, or could not in the former post either, keeps their place, and the enrolment is of the new
    post from now on; a request goes to whoever approves there, or ahead if nobody has to. Whoever may no longer, because they
    moved, gives the place back, and is told why. Class and catalogue are read only for what there is to judge.
    """
    found = movers.moved(learner, london_day(now), now)
    for each in found:
        _judge(each, now)
    return len(found)


@retried
def _judge(listed: Enrolment, now: datetime) -> None:
    read = _read(listed, now)
    if read is None:
        return
    today, found = read.seen.viewer.day, read.seen.access
    if not found.visible and _lost_by_moving(read):
        after = read.enrolment.moved_to(Status.WITHDRAWN, now, MOVERS, movers.NO_ACCESS)
        give_back(read.learner, read.enrolment, after, MOVERS, now)
        return
    assignment = movers.assignment_now(read.enrolment, read.learner.assignments_on(today), found.assignment)
    assert assignment is not None  # whoever holds none is no mover
    if read.enrolment.status is Status.REQUESTED:
        _follow_request(read, assignment, now)
    else:
        _keep(read.enrolment, assignment, now)


def _read(listed: Enrolment, now: datetime) -> _Read | None:
    """None if there is nothing to judge any more, or the course is in no catalogue, which says nothing of its learners."""
    learner = learners.learner(listed.person, listed.employer, consistent=True)
    still = movers.moved(learner, london_day(now), now) if learner else []
    enrolment = next((each for each in still if each.id == listed.id), None)
    loaded = stored.class_with_seats(listed.class_id, consistent=True)
    if learner is None or enrolment is None or loaded is None:
        return None
    rulebook, known = rules.rulebook_and_catalogue(listed.employer, consistent=True)
    seen = Viewer.themselves(learner, london_day(now), rulebook, known).on(*loaded)
    return _Read(enrolment, learner, seen) if seen else None


def _lost_by_moving(read: _Read) -> bool:
    """Whether what they held together with the former post would still give access. Else rules have changed since, which costs
    nobody their place (decision 0025).
    """
    viewer, learner = read.seen.viewer, read.learner
    former = movers.former(read.enrolment, learner, viewer.day)
    if former is None or former.ends_on is None:
        return True
    held, groups = learner.assignments_on(former.ends_on), learner.groups_on(viewer.day)
    ways = access.standpoints(learner.person.id, groups, held, viewer.rulebook, viewer.day)
    before = msgspec.structs.replace(viewer, standpoints=ways)
    return before.access_to(read.seen.course, read.seen.class_.only_units).visible


def _keep(before: Enrolment, assignment: Assignment, now: datetime) -> None:
    """The enrolment is of the new post from now on: nobody needs to be told."""
    transaction = Transaction()
    enrolments.rewrite(transaction, before, _of(before, assignment))
    facts = {"enrolment": before.id, "assignment": assignment.number}
    audit.record(transaction, audit.Entry(before.employer, MOVERS, "enrolment.moved", now, before.person, facts))
    transaction.commit()


def _of(before: Enrolment, assignment: Assignment) -> Enrolment:
    return replace(before, post=movers.post_of(assignment), revision=before.revision + 1)


def _follow_request(read: _Read, assignment: Assignment, now: datetime) -> None:
    """A request goes ahead where nobody has to approve any more and nothing is in the way. Else it waits for whoever approves now,
    who is asked if that is somebody else: what is in the way, somebody can say why.
    """
    before, seen = read.enrolment, read.seen
    verdict = judge_request(seen, read.learner, before, now, Party.SYSTEM)
    if seen.access.mode is AccessMode.SELF_ENROL and verdict.refusal is None:
        _go_ahead(read, verdict, assignment, now)
        return
    by_managers = seen.access.mode is not AccessMode.ADMINISTRATOR
    approver = approvals.who_approves(read.learner, assignment, now) if by_managers else None
    if approver == before.approver or (approver and _passed_on_by(approver, read, now)):
        _keep(before, assignment, now)
        return
    transaction = Transaction()
    asked, said = approvals.ask(transaction, read.learner, _of(before, assignment), approver, now)
    enrolments.rewrite(transaction, before, asked)
    said |= {"passed_on": True, "reason": movers.NEW_POST}
    tell(transaction, EventType.ENROLMENT_REQUESTED, MOVERS, asked, now, **said)
    transaction.commit()


def _passed_on_by(supervisor: str, read: _Read, now: datetime) -> bool:
    """Whether a request waits for somebody else because this supervisor, who was theirs in the former post, too, let it lie."""
    former = movers.former(read.enrolment, read.learner, read.seen.viewer.day)
    same = former is not None and former.supervisor == supervisor
    return same and step_due(read.enrolment, now) is Step.ESCALATE


def _go_ahead(read: _Read, verdict: Verdict, assignment: Assignment, now: datetime) -> None:
    placed = granted(read.enrolment, read.seen, read.learner, verdict, MOVERS, movers.NO_APPROVAL, now)
    placed = replace(placed, post=movers.post_of(assignment))
    transaction = Transaction()
    place_granted(transaction, read.seen, read.learner, read.enrolment, placed, MOVERS, now)
    transaction.commit()
