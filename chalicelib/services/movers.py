"""What becomes of the enrolments of somebody who has moved to another post (domain.md §5, decision 0025).

Whoever projects a person calls it, so that it follows every change of assignments and every new day, and is safe to repeat.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime

import msgspec

from chalicelib.domain import access, movers
from chalicelib.domain.access import Access, AccessMode
from chalicelib.domain.approvals import Step, step_due
from chalicelib.domain.calendar import london_day
from chalicelib.domain.catalogue import Course
from chalicelib.domain.classes import Class, ClassStatus, Seats, started
from chalicelib.domain.enrolment import Enrolment, Status
from chalicelib.domain.events import EventType
from chalicelib.domain.learner import Learner
from chalicelib.domain.people import Assignment
from chalicelib.domain.placing import by_seats, refused_by_clash
from chalicelib.domain.requirements import Rulebook
from chalicelib.domain.waiting import ranked
from chalicelib.services import approvals, waiting
from chalicelib.services.enrolment import everywhere, give_back, tell, why_waiting
from chalicelib.storage import audit, rules
from chalicelib.storage import classes as stored
from chalicelib.storage import enrolment as enrolments
from chalicelib.storage import learner as learners
from chalicelib.storage.transaction import Transaction, retried

MOVERS = "system:movers"
"""Who follows people to another post, in history and audit."""


class _Read(msgspec.Struct, frozen=True):
    """A mover's enrolment with all that decides about it, read strongly consistent."""

    enrolment: Enrolment
    learner: Learner
    class_: Class
    seats: Seats
    course: Course
    rulebook: Rulebook


def judge_again(learner: Learner, now: datetime) -> int:
    """Judge the enrolments that somebody made through a post they hold no more; how many there were.

    Whoever may still find the course, or could not in the former post either, keeps their place, and the enrolment is of the new
    post from now on; a request goes to whoever approves there, or ahead if nobody has to. Whoever may no longer, because they
    moved, gives the place back, and is told why. Class and catalogue
    are read only for what there is to judge.
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
    today = london_day(now)
    found = _access(read, read.learner.assignments_on(today), today)
    if not found.visible and _lost_by_moving(read, today):
        after = read.enrolment.moved_to(Status.WITHDRAWN, now, MOVERS, movers.NO_ACCESS)
        give_back(read.learner, read.enrolment, after, MOVERS, now)
        return
    assignment = movers.assignment_now(read.enrolment, read.learner.assignments_on(today), found.assignment)
    assert assignment is not None  # whoever holds none is no mover
    after = replace(read.enrolment, post=movers.post_of(assignment), revision=read.enrolment.revision + 1)
    if after.status is Status.REQUESTED:
        _ask_again(read, after, found, assignment, now)
    else:
        _keep(read.enrolment, after, now)


def _read(listed: Enrolment, now: datetime) -> _Read | None:
    """None if there is nothing to judge any more, or the course is in no catalogue, which says nothing of its learners."""
    learner = learners.learner(listed.person, listed.employer, consistent=True)
    still = movers.moved(learner, london_day(now), now) if learner else []
    enrolment = next((each for each in still if each.id == listed.id), None)
    loaded = stored.class_with_seats(listed.class_id, consistent=True)
    if learner is None or enrolment is None or loaded is None:
        return None
    rulebook, catalogue = rules.rulebook_and_catalogue(listed.employer, consistent=True)
    course = catalogue.courses.get(loaded[0].course)
    return _Read(enrolment, learner, *loaded, course, rulebook) if course else None


def _access(read: _Read, held: Sequence[Assignment], today: date) -> Access:
    """The access to the class that these assignments give the learner by the rules of today."""
    person, groups = read.learner.person.id, read.learner.groups_on(today)
    ways = access.standpoints(person, groups, held, read.rulebook, today)
    return access.decide(read.course.access_rules, access.within(ways, read.class_.only_units), today)


def _lost_by_moving(read: _Read, today: date) -> bool:
    """Whether what they held together with the former post would still give access. Else rules have changed since, which costs
    nobody their place (decision 0025).
    """
    former = movers.former(read.enrolment, read.learner, today)
    if former is None or former.ends_on is None:
        return True
    return _access(read, read.learner.assignments_on(former.ends_on), today).visible


def _keep(before: Enrolment, after: Enrolment, now: datetime) -> None:
    """The enrolment is of the new post from now on: nobody needs to be told."""
    transaction = Transaction()
    enrolments.rewrite(transaction, before, after)
    facts = {"enrolment": after.id, "assignment": after.post.assignment if after.post else None}
    audit.record(transaction, audit.Entry(after.employer, MOVERS, "enrolment.moved", now, after.person, facts))
    transaction.commit()


def _ask_again(read: _Read, after: Enrolment, found: Access, assignment: Assignment, now: datetime) -> None:
    """A request goes ahead where nobody has to approve any more, else to whoever approves now, if that is somebody else."""
    if found.mode is AccessMode.SELF_ENROL and _may_go_ahead(read, now):
        _go_ahead(read, after, now)
        return
    by_managers = found.mode is not AccessMode.ADMINISTRATOR
    approver = approvals.who_approves(read.learner, assignment, now) if by_managers else None
    if approver == read.enrolment.approver or (approver and _passed_on_by(approver, read, now)):
        _keep(read.enrolment, after, now)
        return
    transaction = Transaction()
    asked, said = approvals.ask(transaction, read.learner, after, approver, now)
    enrolments.rewrite(transaction, read.enrolment, asked)
    tell(transaction, EventType.ENROLMENT_REQUESTED, MOVERS, asked, now, **said)
    transaction.commit()


def _passed_on_by(supervisor: str, read: _Read, now: datetime) -> bool:
    """Whether a request waits for somebody else because this supervisor, who was theirs in the former post, too, let it lie."""
    former = movers.former(read.enrolment, read.learner, london_day(now))
    same = former is not None and former.supervisor == supervisor
    return same and step_due(read.enrolment, now) is Step.ESCALATE


def _may_go_ahead(read: _Read, now: datetime) -> bool:
    """Whether there is a place to be had. Where there is none, somebody decides who can say why."""
    takes = read.class_.status in (ClassStatus.NORMAL, ClassStatus.PLANNED) and not started(read.class_, now)
    return takes and refused_by_clash(read.class_, everywhere(read.learner)) is None


def _go_ahead(read: _Read, after: Enrolment, now: datetime) -> None:
    status = by_seats(read.class_, read.seats)
    placed = replace(
        read.enrolment.moved_to(status, now, MOVERS, movers.NO_APPROVAL),
        post=after.post,
        placed_at=now,
        counted=read.class_.maximum is not None,
    )
    placed = ranked(placed, read.class_.by_need, read.learner, read.rulebook, london_day(now))
    transaction = Transaction()
    enrolments.take_place(transaction, read.class_, status)
    enrolments.rewrite(transaction, read.enrolment, placed)
    enrolments.move_booking_revision(transaction, read.learner)
    instructions = read.class_.joining_instructions or read.course.joining_instructions
    if status is Status.CONFIRMED:
        tell(transaction, EventType.ENROLMENT_CONFIRMED, MOVERS, placed, now, instructions)
    else:
        more = waiting.said_of(placed, waiting.on_joining(placed, read.seats))
        more |= {"in_calendar": False, "reason": why_waiting(read.class_)}
        tell(transaction, EventType.ENROLMENT_WAITLISTED, MOVERS, placed, now, instructions, **more)
    transaction.commit()
