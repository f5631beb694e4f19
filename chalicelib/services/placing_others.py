"""Placing others on classes, and taking them off: managers and administrators (domain.md §2 and §10, decision 0023)."""

from datetime import datetime
from typing import Any

from chalicelib.domain import enrolment as rules_of
from chalicelib.domain.actor import Actor
from chalicelib.domain.calendar import london_day
from chalicelib.domain.catalogue import Catalogue, owner_of
from chalicelib.domain.enrolment import Enrolment, Party, Status
from chalicelib.domain.errors import NotFound, NotPermitted, NotYourItem, NotYourSubject, OwnEnrolment
from chalicelib.domain.events import EventType
from chalicelib.domain.learner import Learner
from chalicelib.domain.people import NATIONAL
from chalicelib.domain.permissions import Capability
from chalicelib.domain.placing import refuse_promotion, refuse_waiting
from chalicelib.domain.waiting import ranked
from chalicelib.services import catalogue, waiting
from chalicelib.services.catalogue import SeenClass
from chalicelib.services.enrolment import (
    copied_to_manager,
    count_again,
    everywhere,
    give_back,
    one_of,
    place,
    tell,
    through,
)
from chalicelib.storage import enrolment as enrolments
from chalicelib.storage import learner as learners
from chalicelib.storage import rules
from chalicelib.storage.idempotency import Idempotency
from chalicelib.storage.transaction import Transaction, retried

BY_WHOM = {Party.MANAGER: "your manager", Party.ADMINISTRATOR: "the learning team"}
"""Who changed something, as its learner is told: as what they did it, never their name."""


# --- who may ------------------------------------------------------------------------------------------------------


def reached(actor: Actor, person: str, now: datetime) -> Learner:
    """Somebody whose enrolments the actor may change, read strongly consistent: as their manager, or as an administrator.

    Raises OwnEnrolment for oneself and NotFound for anybody else, existing or not.
    """
    if person == actor.person:
        raise OwnEnrolment("These are your own enrolments.")
    learner = learners.learner(person, actor.employer, consistent=True)
    if learner and (actor.scopes(Capability.EDIT_ENROLMENTS) or learner.supervised_by(actor.person, london_day(now))):
        return learner
    raise no_such_person(person)


def no_such_person(person: str | None) -> NotFound:
    """What is said of somebody whom there is not, and of somebody who is not the actor's."""
    return NotFound("There is no such person, or not for you.", person=person)


def refuse_whoever_left(learner: Learner, now: datetime) -> None:
    """Raise NotFound for whoever is no learner here any more, or never was."""
    if learner.employment is None or learner.has_left(london_day(now)):
        raise no_such_person(learner.person.id)


def party_to(actor: Actor, learner: Learner, subject: str, known: Catalogue, now: datetime) -> Party:
    """As what the actor changes an enrolment, in a subject, of somebody reached: administrator before manager.

    Raises NotYourSubject for a class administrator of other subjects.
    """
    if actor.reaches(Capability.EDIT_ENROLMENTS, subject, known):
        return Party.ADMINISTRATOR
    if learner.supervised_by(actor.person, london_day(now)):
        return Party.MANAGER
    raise NotYourSubject("This course lies outside your subjects.", subject=subject)


def refuse_override(party: Party, override: str | None) -> None:
    """Raise NotPermitted for a reason to set rules aside that is not an administrator's."""
    if override is not None and party is not Party.ADMINISTRATOR:
        raise NotPermitted(
            "Only the learning team sets rules aside.", way_out="Leave `override` out, or ask the learning team."
        )


# --- placing ------------------------------------------------------------------------------------------------------


@retried
def enrol(
    actor: Actor,
    person: str,
    class_id: str,
    assignment: str | None,
    override: str | None,
    now: datetime,
    once: Idempotency | None = None,
    email: str | None = None,
) -> Enrolment:
    """Place somebody on a class: confirmed or on the waiting list, with no approval to wait for. Managers place through the
    assignments that they supervise: of others they approve nothing.

    `override` is why an administrator sets aside the rules that can be. It is kept, with those rules, only if there was something
    to set aside. Messages about it go to `email`, if one is given. Raises the refusal of the first rule that says no, NotFound for
    whom or what the actor may not know of, OwnEnrolment, NotYourSubject, and NotPermitted for an override that is not an
    administrator's.
    """
    learner = reached(actor, person, now)
    refuse_whoever_left(learner, now)
    seen = catalogue.class_for(actor, class_id, now, consistent=True, learner=learner)
    party = party_to(actor, learner, seen.course.subject, seen.catalogue, now)
    refuse_override(party, override)
    held = through(learner, assignment, now, actor.person if party is Party.MANAGER else None)
    verdict = catalogue.judge(seen, learner, now, party, overriding=override is not None)
    transaction = Transaction()
    reason = override if verdict.overridden else None
    enrolments.take_place(transaction, seen.class_, verdict.or_refuse())
    enrolment = place(transaction, learner, seen, verdict, held, actor.person, now, reason, email)
    if once:
        once.remember(transaction, enrolment, now)
    transaction.commit()
    return enrolment


# --- taking off ---------------------------------------------------------------------------------------------------


def withdraw(actor: Actor, person: str, enrolment_id: str, reason: str | None, now: datetime) -> Enrolment:
    """Give somebody's place, wait or request back, also once the class has started. Repeating it changes nothing.

    The learner is told as what it was done, and why. Raises EnrolmentNotThere, or what `enrol` raises of who may.
    """
    return _end(actor, person, enrolment_id, Status.WITHDRAWN, reason, now)


def cancel(actor: Actor, person: str, enrolment_id: str, reason: str, now: datetime) -> Enrolment:
    """Cancel somebody's place, wait or request, as `withdraw` does; administrators only."""
    return _end(actor, person, enrolment_id, Status.CANCELLED, reason, now)


@retried
def _end(actor: Actor, person: str, enrolment_id: str, to: Status, reason: str | None, now: datetime) -> Enrolment:
    learner, before, party = _seen(actor, person, enrolment_id, now)
    if before.reached(to, actor.person):
        return before
    rules_of.refuse_move(before, to, party)
    after = before.moved_to(to, now, actor.person, reason)
    give_back(learner, before, after, actor.person, now, BY_WHOM[party])
    return after


# --- between waiting list and seat --------------------------------------------------------------------------------


@retried
def promote(actor: Actor, person: str, enrolment_id: str, reason: str, now: datetime) -> Enrolment:
    """Give somebody who waits a seat out of turn, also while the class is closed; administrators only. Repeating changes nothing.

    The list of a national class is every employer's, so that nobody is taken out of turn there: NotYourItem. Raises ClassFull,
    ClassNotOpen while it is planned, ClassCancelled, ClassPast, EmploymentEnds, Clash, EnrolmentNotThere, or what `enrol` raises of
    who may.
    """
    learner, before, party = _seen(actor, person, enrolment_id, now)
    if before.reached(Status.CONFIRMED, actor.person):
        return before
    rules_of.refuse_move(before, Status.CONFIRMED, party, from_=frozenset({Status.WAITLISTED}))
    if owner_of(before.class_id) == NATIONAL:
        raise NotYourItem(
            "The waiting list of a national class is every employer's.",
            way_out="Seats are given in the order of the list.",
        )
    seen = catalogue.look_at(actor, before.class_id, now, consistent=True)
    refuse_promotion(seen.class_, seen.seats, everywhere(learner), learner.employment, now)
    venue = seen.catalogue.venue_name(seen.class_.venue)
    current = rules_of.following(before, seen.class_, seen.course.title, venue, now, actor.person)
    after = rules_of.promoted(current, seen.class_, now, actor.person, reason)
    _commit(actor, learner, seen, before, after, now)
    return after


@retried
def send_back(actor: Actor, person: str, enrolment_id: str, reason: str, now: datetime) -> Enrolment:
    """Put somebody with a seat at the end of the waiting list; administrators only. Repeating it changes nothing.

    Raises NobodyElseWaits where the seat would come back at once, ClassPast, EnrolmentNotThere, or what `enrol` raises of who may.
    """
    learner, before, party = _seen(actor, person, enrolment_id, now)
    if before.reached(Status.WAITLISTED, actor.person):
        return before
    rules_of.refuse_move(before, Status.WAITLISTED, party, from_=frozenset({Status.CONFIRMED}))
    seen = catalogue.look_at(actor, before.class_id, now, consistent=True)
    sent = rules_of.sent_back(before, now, actor.person, reason)
    after = ranked(sent, seen.class_.by_need, learner, seen.viewer.rulebook, seen.viewer.day)
    place = waiting.on_joining(after, seen.seats) or waiting.position(after)
    refuse_waiting(seen.class_, seen.seats, place, now)
    _commit(actor, learner, seen, before, after, now)
    return after


def _commit(
    actor: Actor, learner: Learner, seen: SeenClass, before: Enrolment, after: Enrolment, now: datetime
) -> None:
    """Commit a move between waiting list and seat. A seat given back sets the waiting list going."""
    transaction = Transaction()
    enrolments.follow_class(transaction, learner, seen.class_, before, after)
    freed = [after.class_id] if before.seated else []
    freed += count_again(transaction, learner, after)
    if after.status is Status.CONFIRMED:
        instructions = seen.class_.joining_instructions or seen.course.joining_instructions
        copied = copied_to_manager(learner, after, actor.person, now)
        tell(transaction, EventType.ENROLMENT_PROMOTED, actor.person, after, now, instructions, promote=freed, **copied)
    else:
        place = waiting.on_joining(after, seen.seats)
        more: dict[str, Any] = {**waiting.said_of(after, place), "by_whom": BY_WHOM[Party.ADMINISTRATOR]}
        tell(
            transaction,
            EventType.ENROLMENT_WAITLISTED,
            actor.person,
            after,
            now,
            in_calendar=True,
            promote=freed,
            **more,
        )
    transaction.commit()


def _seen(actor: Actor, person: str, enrolment_id: str, now: datetime) -> tuple[Learner, Enrolment, Party]:
    """Somebody's enrolment here, and as what the actor may change it. Raises as `reached` and `party_to`, NotFound, and
    NotPermitted for the manager of another job.
    """
    learner = reached(actor, person, now)
    enrolment = one_of(learner, enrolment_id)
    known = rules.catalogue_now(actor.employer)
    course = known.courses.get(enrolment.course)
    party = party_to(actor, learner, course.subject if course else "", known, now)
    if party is Party.MANAGER:
        _refuse_of_another_job(actor, learner, enrolment, now)
    return learner, enrolment, party


def _refuse_of_another_job(actor: Actor, learner: Learner, enrolment: Enrolment, now: datetime) -> None:
    """Raise NotPermitted for what somebody has through an assignment that another manager supervises today."""
    number = enrolment.post.assignment if enrolment.post else None
    through_it = {each.supervisor for each in learner.assignments_on(london_day(now)) if each.number == number}
    if through_it - {actor.person, None}:
        raise NotPermitted(
            "This is of an assignment that another manager supervises.",
            way_out="Leave it to them, or to the learning team.",
        )
