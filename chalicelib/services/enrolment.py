"""Placing learners and giving places back: one transaction of seat, enrolment, event and audit (architecture §3)."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import msgspec

from chalicelib.domain import enrolment as rules_of
from chalicelib.domain.actor import Actor
from chalicelib.domain.calendar import london_day
from chalicelib.domain.classes import Class, ClassStatus
from chalicelib.domain.enrolment import Enrolment, HistoryRow, Status
from chalicelib.domain.errors import FieldError, Invalid, NotFound, Refusal, Unavailable
from chalicelib.domain.events import Event, EventType
from chalicelib.domain.learner import Learner
from chalicelib.domain.movers import post_of
from chalicelib.domain.people import Assignment, chosen_assignment
from chalicelib.domain.placing import Verdict
from chalicelib.domain.waiting import ranked
from chalicelib.services import approvals, catalogue, waiting
from chalicelib.services.catalogue import SeenClass
from chalicelib.storage import audit, outbox, people
from chalicelib.storage import enrolment as enrolments
from chalicelib.storage import learner as learners
from chalicelib.storage.base import new_id
from chalicelib.storage.idempotency import Idempotency
from chalicelib.storage.transaction import Stale, Transaction, retried


def enrol_myself(
    actor: Actor,
    class_id: str,
    now: datetime,
    once: Idempotency | None = None,
    assignment: str | None = None,
    email: str | None = None,
) -> Enrolment:
    """Place the actor on a class: confirmed, on the waiting list, or requested where a manager has to approve.

    `assignment` is the number of the job to ask through, the primary one unless given; `email` where messages about it go, in place
    of the actor's own address. Raises the refusal of the first rule that says no; then nothing has changed.
    """
    return _judged(actor, lambda learner: _enrol(actor, learner, class_id, assignment, now, once, email))


def withdraw_myself(actor: Actor, enrolment_id: str, now: datetime) -> Enrolment:
    """Give the actor's place back. Raises NotFound, NotOpenToWithdraw or TooLateToWithdraw; then nothing has changed."""
    return _judged(actor, lambda learner: _withdraw(actor, learner, enrolment_id, now))


def _judged(actor: Actor, change: Callable[[Learner], Enrolment]) -> Enrolment:
    """Make a change, first on what the request has read of the learner.

    If that was stale, or refuses, the learner is read again, strongly consistent, and judged again: a refusal is never final on a
    reading that may lag.
    """
    try:
        return change(_learner_of(actor))
    except Unavailable:
        raise
    except (Stale, Refusal):
        return retried(lambda: change(_read_again(actor)))()


def _enrol(
    actor: Actor,
    learner: Learner,
    class_id: str,
    assignment: str | None,
    now: datetime,
    once: Idempotency | None,
    email: str | None,
) -> Enrolment:
    # The class is read strongly consistent: its dates are not guarded by the transaction.
    seen = catalogue.class_for(actor, class_id, now, consistent=True)
    held = through(learner, assignment, now)
    verdict = catalogue.judge(seen, learner, now)
    transaction = Transaction()
    enrolments.take_place(transaction, seen.class_, verdict.or_refuse())
    enrolment = place(transaction, learner, seen, verdict, held, actor.person, now, email=email)
    if once:
        once.remember(transaction, enrolment, now)
    transaction.commit()
    return enrolment


def through(
    learner: Learner, assignment: str | None, now: datetime, supervisor: str | None = None
) -> Assignment | None:
    """The assignment to place a learner through: the one named, else the primary one; of those of a supervisor, who places them as
    such. Raises Invalid for one not held today, or not theirs.
    """
    held = [each for each in learner.assignments_on(london_day(now)) if supervisor in (None, each.supervisor)]
    if assignment is not None and assignment not in {each.number for each in held}:
        whose = " that you manage" if supervisor else ""
        raise Invalid(FieldError("body.assignment", f"is not one of the assignments held today{whose}"))
    return chosen_assignment(held, assignment)


def place(
    transaction: Transaction,
    learner: Learner,
    seen: SeenClass,
    verdict: Verdict,
    assignment: Assignment | None,
    by: str,
    now: datetime,
    reason: str | None = None,
    email: str | None = None,
) -> Enrolment:
    """Add to a transaction that takes the place for it (`take_place`, of several people at once where there are several): a learner
    placed on a class as a verdict says that allows it, with event, messages and audit entry.

    `reason` is why an administrator set rules aside; it stays in the history, and so do the rules. `email` is where messages
    about it go, in place of the learner's own address.
    """
    enrolment = replace(as_placed(learner, seen, verdict, assignment, by, now, reason), email=email)
    enrolment = ranked(enrolment, seen.class_.by_need, learner, seen.viewer.rulebook, seen.viewer.day)
    asked: dict[str, Any] = {}
    if enrolment.status is Status.REQUESTED:
        approver = approvals.who_approves(learner, assignment, now)
        enrolment, asked = approvals.ask(transaction, learner, enrolment, approver, now)
    enrolments.create(transaction, learner, enrolment)
    tell_placed(transaction, learner, seen, enrolment, by, now, **asked)
    return enrolment


_TELLING = {
    Status.CONFIRMED: EventType.ENROLMENT_CONFIRMED,
    Status.WAITLISTED: EventType.ENROLMENT_WAITLISTED,
    Status.REQUESTED: EventType.ENROLMENT_REQUESTED,
}


def tell_placed(
    transaction: Transaction,
    learner: Learner,
    seen: SeenClass,
    enrolment: Enrolment,
    by: str,
    now: datetime,
    /,
    **more: Any,
) -> None:
    """Add to a transaction: the event of somebody placed, with what its messages say, and the audit entry; `more` as of `tell`."""
    if enrolment.status is Status.CONFIRMED:
        more |= copied_to_manager(learner, enrolment, by, now)
    if enrolment.status is Status.WAITLISTED:
        more |= {
            **waiting.said_of(enrolment, waiting.on_joining(enrolment, seen.seats)),
            "in_calendar": False,
            "reason": why_waiting(seen.class_),  # the history may say instead why rules were set aside
        }
    instructions = seen.class_.joining_instructions or seen.course.joining_instructions
    _tell_unless_over(transaction, _TELLING[enrolment.status], by, enrolment, now, instructions, **more)


def _withdraw(actor: Actor, learner: Learner, enrolment_id: str, now: datetime) -> Enrolment:
    before = one_of(learner, enrolment_id)
    after = rules_of.withdraw(before, now, actor.person)
    give_back(learner, before, after, actor.person, now)
    return after


_ENDING = {
    Status.WITHDRAWN: EventType.ENROLMENT_WITHDRAWN,
    Status.CANCELLED: EventType.ENROLMENT_CANCELLED,
}


def give_back(
    learner: Learner, before: Enrolment, after: Enrolment, by: str, now: datetime, by_whom: str | None = None
) -> None:
    """Commit the end of an open enrolment. Its event names the classes whose waiting lists can go on by it: this one, and any on
    whose list the learner counts again. `by_whom` is who ended it, as the learner is told (`your manager`); None for themselves.
    """
    transaction = Transaction()
    enrolments.withdraw(transaction, learner, before, after)
    freed = [before.class_id] if before.seated else []
    freed += count_again(transaction, learner, after)
    in_calendar = before.status is Status.CONFIRMED
    _tell_unless_over(
        transaction,
        _ENDING[after.status],
        by,
        after,
        now,
        in_calendar=in_calendar,
        promote=freed,
        by_whom=by_whom,
        **copied_to_manager(learner, after, by, now),
    )
    transaction.commit()


def copied_to_manager(learner: Learner, enrolment: Enrolment, by: str, now: datetime) -> dict[str, Any]:
    """What an event says so that a copy goes to whoever supervises the job through which a place was taken (domain.md §9), and
    whose place it is. Nothing if nobody does, they have left, did it themselves, or the class is over, of which nobody is told.
    """
    today = london_day(now)
    number = enrolment.post.assignment if enrolment.post else None
    manager = next((each.supervisor for each in learner.assignments_on(today) if each.number == number), None)
    if manager in (None, by, learner.person.id) or rules_of.over(enrolment, now):
        return {}
    if people.left_by(enrolment.employer, [manager], today):
        return {}
    return {"manager": manager, "person": learner.person.id, "learner": learner.person.full_name}


def everywhere(learner: Learner) -> tuple[Enrolment, ...]:
    """Somebody's enrolments at every employer: nobody can be in two places at once."""
    return (*learner.enrolments, *learner.elsewhere)


def count_again(transaction: Transaction, learner: Learner, changed: Enrolment) -> list[str]:
    """Add to a transaction that changes one enrolment: the learner's places on waiting lists that counted no longer because of it
    count again (decision 0018); the ids of their classes. The transaction moves the learner's booking revision.
    """
    one = (changed.employer, changed.id)
    others = [each for each in everywhere(learner) if (each.employer, each.id) != one]
    again = [each for each in rules_of.no_longer_passed_over([*others, changed]) if (each.employer, each.id) != one]
    for each in again:
        enrolments.count_as_waiting(transaction, each)
    return [each.class_id for each in again]


LEAVER = "system:leaver"


def release_leaver(person: str, employer: str, now: datetime) -> int:
    """Withdraw every enrolment that somebody loses because their employment ends, each in its own transaction; how many.

    Repeating it does the rest and changes nothing else. The learner is told that it happened because their employment ends.
    """
    released = 0
    while _release_next(person, employer, now):
        released += 1
    return released


@retried
def _release_next(person: str, employer: str, now: datetime) -> bool:
    learner = learners.learner(person, employer, consistent=True)
    if learner is None:
        return False
    lost = rules_of.lost_by_leaving(learner.enrolments, learner.employment, london_day(now))
    if not lost:
        return False
    before = min(
        lost, key=lambda each: each.status is Status.CONFIRMED
    )  # waiting first, lest a seat given back promotes a leaver
    give_back(learner, before, rules_of.release(before, now, LEAVER), LEAVER, now)
    return True


def _learner_of(actor: Actor) -> Learner:
    if actor.learner is None:
        raise NotFound("You are no learner at this employer.")
    return actor.learner


def _read_again(actor: Actor) -> Learner:
    learner = learners.learner(actor.person, actor.employer, consistent=True)
    if learner is None:
        raise NotFound("You are no learner at this employer.")
    return learner


def as_placed(
    learner: Learner,
    seen: SeenClass,
    verdict: Verdict,
    assignment: Assignment | None,
    by: str,
    now: datetime,
    reason: str | None,
) -> Enrolment:
    """The enrolment that placing a learner on a class makes, as the verdict allows it; nothing is written."""
    class_, course, status = seen.class_, seen.course, verdict.or_refuse()
    if status is Status.WAITLISTED and reason is None:
        reason = why_waiting(class_)
    return Enrolment(
        person=learner.person.id,
        employer=learner.employer,
        class_id=class_.id,
        attempt=rules_of.next_attempt(class_.id, learner.enrolments),
        course=course.id,
        title=course.title,
        mode=class_.mode,
        grants=course.grants,
        starts_at=class_.starts_at,
        ends_at=class_.ends_at,
        sessions=class_.sessions,
        venue=seen.catalogue.venue_name(class_.venue),
        status=status,
        placed_at=now,
        history=(HistoryRow(status, now, by, reason),),
        counted=class_.maximum is not None,
        class_revision=class_.revision,
        link=class_.link,
        post=post_of(assignment) if assignment else None,
        overridden=tuple(type(each).__name__ for each in verdict.overridden),
    )


def why_waiting(class_: Class) -> str:
    """Why somebody placed on a class waits for a seat, for history and message."""
    return rules_of.CLASS_PLANNED if class_.status is ClassStatus.PLANNED else rules_of.CLASS_FULL


def said_of(enrolment: Enrolment) -> dict[str, Any]:
    """What the event of an enrolment says for messages about it."""
    return {
        "enrolment": enrolment.id,
        "class": enrolment.class_id,
        "attempt": enrolment.attempt,
        "revision": enrolment.revision,
        "course": enrolment.course,
        "title": enrolment.title,
        "mode": enrolment.mode.value,
        "sessions": [[each.starts_at.isoformat(), each.ends_at.isoformat()] for each in enrolment.sessions],
        "venue": enrolment.venue,
        "link": enrolment.link,
        "reason": enrolment.history[-1].reason,
        **({"email": enrolment.email} if enrolment.email else {}),
    }


def tell(
    transaction: Transaction,
    type_: EventType,
    by: str,
    enrolment: Enrolment,
    now: datetime,
    instructions: str = "",
    audited: Mapping[str, Any] | None = None,
    **more: Any,
) -> None:
    """Add to a transaction: the event with all its messages need (`more` is what a kind of message needs alone), and the audit
    entry (`audited` is what it says beside the enrolment).
    """
    data = said_of(enrolment) | {"joining_instructions": instructions, **more}
    outbox.emit(transaction, Event(new_id(now), type_, enrolment.employer, enrolment.person, now, data))
    _audit(transaction, type_, by, enrolment, now, audited)


def _tell_unless_over(
    transaction: Transaction, type_: EventType, by: str, enrolment: Enrolment, now: datetime, *rest: Any, **more: Any
) -> None:
    """As `tell`; but of a class that is over nobody is told."""
    if rules_of.over(enrolment, now):
        note(transaction, type_, by, enrolment, now, more.get("promote", []), more.get("audited"))
    else:
        tell(transaction, type_, by, enrolment, now, *rest, **more)


def note(
    transaction: Transaction,
    type_: EventType | None,
    by: str,
    enrolment: Enrolment,
    now: datetime,
    freed: list[str],
    audited: Mapping[str, Any] | None = None,
) -> None:
    """Add to a transaction: that a learner's records changed, of which nobody is told, with the classes whose waiting lists can go
    on by it; and the audit entry, unless the state stays as it was (`type_` None).
    """
    kind, data = EventType.LEARNER_CHANGED, {"promote": freed}
    outbox.emit(transaction, Event(new_id(now), kind, enrolment.employer, enrolment.person, now, data))
    if type_ is not None:
        _audit(transaction, type_, by, enrolment, now, audited)


def _audit(
    transaction: Transaction,
    type_: EventType,
    by: str,
    enrolment: Enrolment,
    now: datetime,
    audited: Mapping[str, Any] | None,
) -> None:
    facts: dict[str, Any] = {"enrolment": enrolment.id, "status": enrolment.status.value, **(audited or {})}
    if enrolment.overridden:
        facts["overridden"] = list(enrolment.overridden)
    audit.record(transaction, audit.Entry(enrolment.employer, by, type_.value, now, enrolment.person, facts))


class EnrolmentList(msgspec.Struct, frozen=True):
    """A page of enrolments, how many there are in all, and where to go on."""

    enrolments: tuple[Enrolment, ...]
    total: int
    next_offset: int | None


def page_of(learner: Learner, open_: bool | None, limit: int, offset: int) -> EnrolmentList:
    """A page of a learner's enrolments: open ones by start (e-learning last), then closed ones, latest first."""
    last = datetime.max.replace(tzinfo=UTC)
    opened = sorted((each for each in learner.enrolments if each.open), key=lambda each: each.starts_at or last)
    closed = sorted((each for each in learner.enrolments if not each.open), key=_latest, reverse=True)
    chosen = opened + closed if open_ is None else opened if open_ else closed
    end = offset + limit
    return EnrolmentList(tuple(chosen[offset:end]), len(chosen), end if end < len(chosen) else None)


def _latest(enrolment: Enrolment) -> datetime:
    return enrolment.starts_at or enrolment.placed_at


def one_of(learner: Learner, enrolment_id: str) -> Enrolment:
    """The enrolment of a learner, as far as the actor sees them, with this id. Raises NotFound."""
    found = learner.enrolment(enrolment_id)
    if found is None:
        raise NotFound("There is no such enrolment, or not for you.", enrolment=enrolment_id)
    return found
