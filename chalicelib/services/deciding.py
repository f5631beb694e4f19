"""Deciding on requests: what waits for whom, approving and rejecting, one or several at once (domain.md §5, decision 0024)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec

from chalicelib.domain import approvals as rules_of
from chalicelib.domain import enrolment as states
from chalicelib.domain.access import Access
from chalicelib.domain.actor import Actor
from chalicelib.domain.calendar import london_day
from chalicelib.domain.classes import Seats
from chalicelib.domain.enrolment import Enrolment, Party, Status
from chalicelib.domain.errors import (
    AdministratorOnly,
    FieldError,
    NotFound,
    NotPermitted,
    OwnEnrolment,
    Refusal,
    Unavailable,
    refuse_body,
)
from chalicelib.domain.events import Event, EventType
from chalicelib.domain.learner import Learner
from chalicelib.domain.permissions import Capability, Scope
from chalicelib.domain.placing import Verdict, day_that_counts, judge_placing
from chalicelib.domain.waiting import ranked
from chalicelib.services import approvals, catalogue
from chalicelib.services.catalogue import SeenClass, Viewer
from chalicelib.services.enrolment import everywhere, said_of, tell, tell_placed, why_waiting
from chalicelib.services.placing_others import BY_WHOM, refuse_override, refuse_whoever_left
from chalicelib.storage import approvals as stored
from chalicelib.storage import classes, external_training, outbox
from chalicelib.storage import enrolment as enrolments
from chalicelib.storage import learner as learners
from chalicelib.storage.base import new_id
from chalicelib.storage.people import names_of
from chalicelib.storage.transaction import Transaction, retried

_REQUESTED = frozenset({Status.REQUESTED})
_DECIDED = "There is nothing left to decide."
_REJECT_OR_WAIT = "Reject it and say why, or leave it until this is put right."
_LEAVE_IT_TO_OTHERS = "Ask the learning team to approve it."
"""What is left to whoever cannot decide, or not so."""
_PLACED = frozenset({Status.CONFIRMED, Status.WAITLISTED})
_BY_WHOM = {
    "administrator": BY_WHOM[Party.ADMINISTRATOR],
    "manager": BY_WHOM[Party.MANAGER],
    "stand-in": "whoever stands in for your manager",
}
"""Who decided, as the learner is told."""


# --- deciding ---------------------------------------------------------------------------------------------------


@retried
def approve(actor: Actor, person: str, enrolment_id: str, override: str | None, now: datetime) -> Enrolment:
    """Approve a request: capacity is judged now, so that it becomes confirmed or waitlisted. Repeating it changes nothing.

    `override` is why an administrator decides in place of whoever was asked, and sets aside the rules that can be. Raises
    OwnEnrolment, NotFound for whoever decides nothing here, EnrolmentNotThere with how it stands, RequestLapsed, OverrideNeeded,
    NotPermitted for an override of others, and the refusal of the first rule by which nobody could be placed on the class now.
    """
    learner, before, party = _seen(actor, person, enrolment_id, now, overriding=override is not None)
    if _approved_by(before, actor.person):
        return before
    states.refuse_move(before, Status.CONFIRMED, party, _REQUESTED, _DECIDED)
    refuse_override(party, override)
    rules_of.refuse_deciding(before, party, override)
    refuse_whoever_left(learner, now)
    seen = catalogue.look_at(actor, before.class_id, now, consistent=True).placing(learner)
    rules_of.refuse_lapsed(replace(before, starts_at=seen.class_.starts_at), now)  # its own copy may be behind
    verdict = judge_request(seen, learner, before, now, party, overriding=override is not None)
    after = granted(before, seen, learner, verdict, actor.person, override, now)
    transaction = Transaction()
    decided_as = _as(actor, before, learner, party, now)
    _tell_approved(transaction, seen, after, _BY_WHOM[decided_as], now)
    audited = {"as": decided_as, "asked": before.approver}
    place_granted(transaction, seen, learner, before, after, actor.person, now, audited)
    transaction.commit()
    return after


@retried
def reject(actor: Actor, person: str, enrolment_id: str, reason: str, now: datetime) -> Enrolment:
    """Reject a request, for a reason that the learner is told. Repeating it changes nothing, nor its reason.

    Raises OwnEnrolment, NotFound for whoever decides nothing here, and EnrolmentNotThere with how it stands.
    """
    learner, before, party = _seen(actor, person, enrolment_id, now)
    if before.reached(Status.REJECTED, actor.person):
        return before
    states.refuse_move(before, Status.REJECTED, party, _REQUESTED, _DECIDED)
    after = before.moved_to(Status.REJECTED, now, actor.person, reason)
    transaction = Transaction()
    enrolments.withdraw(transaction, learner, before, after)
    decided_as = _as(actor, before, learner, party, now)
    audited = {"as": decided_as, "asked": before.approver}
    kind, by_whom = EventType.ENROLMENT_REJECTED, _BY_WHOM[decided_as]
    tell(transaction, kind, actor.person, after, now, audited=audited, by_whom=by_whom)
    transaction.commit()
    return after


def _approved_by(enrolment: Enrolment, person: str) -> bool:
    """Whether it is as it is because somebody approved it, and nothing has happened since."""
    requested = [each.status for each in enrolment.history[-2:-1]] == [Status.REQUESTED]
    return requested and any(enrolment.reached(status, person) for status in _PLACED)


def judge_request(
    seen: SeenClass, learner: Learner, request: Enrolment, now: datetime, party: Party, overriding: bool = False
) -> Verdict:
    """Whether the learner may be placed now who was not refused when asking. The request itself does not stand in the way, and who
    asked within the enrolment dates has asked in time.
    """
    others = [each for each in everywhere(learner) if (each.employer, each.id) != (request.employer, request.id)]
    class_ = replace(seen.class_, enrol_from=None, enrol_until=None)
    checked = seen.viewer.checked(seen.course, day_that_counts(class_, now), learner)
    verdict = judge_placing(
        seen.course, class_, seen.seats, seen.access, others, learner.employment, now, checked, party, overriding
    )
    if verdict.refusal and party is Party.MANAGER:  # who chooses no other date, and finds no other course
        only_others = isinstance(verdict.refusal, AdministratorOnly)
        verdict.refusal.way_out = _LEAVE_IT_TO_OTHERS if only_others else _REJECT_OR_WAIT
    return verdict


def granted(
    request: Enrolment,
    seen: SeenClass,
    learner: Learner,
    verdict: Verdict,
    by: str,
    reason: str | None,
    now: datetime,
) -> Enrolment:
    """The request as it is once it goes ahead, on the class as it is now. It stands on a waiting list from now on: those who wait
    already come first.
    """
    class_ = seen.class_
    current = states.following(request, class_, seen.course.title, seen.catalogue.venue_name(class_.venue), now, by)
    placed = replace(
        current.moved_to(verdict.or_refuse(), now, by, reason),
        placed_at=now,
        counted=class_.maximum is not None,
        class_revision=class_.revision,
        overridden=tuple(type(each).__name__ for each in verdict.overridden),
    )
    return ranked(placed, class_.by_need, learner, seen.viewer.rulebook, seen.viewer.day)


def place_granted(
    transaction: Transaction,
    seen: SeenClass,
    learner: Learner,
    before: Enrolment,
    after: Enrolment,
    by: str,
    now: datetime,
    audited: Mapping[str, Any] | None = None,
) -> None:
    """Add to a transaction: a request that goes ahead, with the place it takes, its message and the audit entry."""
    enrolments.take_place(transaction, seen.class_, after.status)
    enrolments.rewrite(transaction, before, after)
    enrolments.move_booking_revision(transaction, learner)
    tell_placed(transaction, learner, seen, after, by, now, audited=audited)


def _tell_approved(transaction: Transaction, seen: SeenClass, after: Enrolment, by_whom: str, now: datetime) -> None:
    """Add N2. What came of it is an event of its own, with the audit entry."""
    seat = after.status is Status.CONFIRMED
    data = said_of(after) | {
        "by_whom": by_whom,
        "seat": seat,
        "why_waiting": None if seat else why_waiting(seen.class_),
    }
    event = Event(new_id(now), EventType.ENROLMENT_APPROVED, after.employer, after.person, now, data)
    outbox.emit(transaction, event)


class Decision(msgspec.Struct, frozen=True):
    """What somebody decides on one request. `reason` is why it is rejected, or why an administrator approves."""

    person: str
    enrolment_id: str
    approve: bool
    reason: str | None


class Decided(msgspec.Struct, frozen=True):
    """What became of a decision: the enrolment as it is now, or the refusal."""

    decision: Decision
    enrolment: Enrolment | None = None
    refusal: Refusal | None = None


def decide(actor: Actor, decisions: Sequence[Decision], now: datetime) -> list[Decided]:
    """Decide on several requests, one transaction each; what becomes of each, in their order. A repetition does the rest.

    Raises Invalid naming those that are there twice, and Unavailable.
    """
    first: dict[tuple[str, str], int] = {}
    refuse_body(
        FieldError(
            f"decisions[{place}]", f"is about the same request as decisions[{first[each.person, each.enrolment_id]}]"
        )
        for place, each in enumerate(decisions)
        if first.setdefault((each.person, each.enrolment_id), place) != place
    )
    return [_decide(actor, each, now) for each in decisions]


def _decide(actor: Actor, decision: Decision, now: datetime) -> Decided:
    try:
        return Decided(decision, _carried_out(actor, decision, now))
    except Unavailable:
        raise
    except Refusal as refusal:
        return Decided(decision, refusal=refusal)


def _carried_out(actor: Actor, decision: Decision, now: datetime) -> Enrolment:
    carry_out: Callable[..., Enrolment] = approve if decision.approve else reject
    return carry_out(actor, decision.person, decision.enrolment_id, decision.reason, now)


# --- who may ----------------------------------------------------------------------------------------------------


def _seen(
    actor: Actor, person: str, enrolment_id: str, now: datetime, overriding: bool = False
) -> tuple[Learner, Enrolment, Party]:
    """Somebody's enrolment, and as what the actor decides on it: as whoever was asked, unless they want to override.

    Raises OwnEnrolment, and NotFound for whoever decides nothing there, existing or not.
    """
    if person == actor.person:
        raise OwnEnrolment(
            "Nobody decides on a request of their own.", way_out="Leave it to your manager, or another administrator."
        )
    learner = learners.learner(person, actor.employer, consistent=True)
    enrolment = learner.enrolment(enrolment_id) if learner else None
    party = _party_to(actor, learner, enrolment, now, overriding) if learner and enrolment else None
    if learner and enrolment and party:
        return learner, enrolment, party
    raise NotFound("There is no such request, or not for you.", enrolment=enrolment_id)


def _party_to(actor: Actor, learner: Learner, request: Enrolment, now: datetime, overriding: bool) -> Party | None:
    if overriding and _administers(actor):
        return Party.ADMINISTRATOR
    asked = rules_of.deciders(request, learner, london_day(now))
    if actor.person in asked or approvals.stands_in_for_any(actor, asked, now):
        return Party.MANAGER
    return Party.ADMINISTRATOR if _administers(actor) else None


def is_asked(actor: Actor, now: datetime) -> bool:
    """Whether somebody who supervises nobody decides on requests all the same: asked before, or standing in for somebody."""
    return bool(
        stored.waiting_for(actor.employer, [actor.person], 1, None)
        or external_training.waiting_for(actor.employer, [actor.person], 1, None)
        or approvals.stood_in_for(actor, now)
    )


def _administers(actor: Actor) -> bool:
    return Scope.ALLOW in actor.scopes(Capability.APPROVE_REQUESTS)


def _as(actor: Actor, request: Enrolment, learner: Learner, party: Party, now: datetime) -> str:
    """As what the actor decides on a request, for its audit entry."""
    if party is Party.ADMINISTRATOR:
        return "administrator"
    return "manager" if actor.person in rules_of.deciders(request, learner, london_day(now)) else "stand-in"


# --- what waits -------------------------------------------------------------------------------------------------


class Queue(StrEnum):
    """The administrators' queues: what nobody else was asked about, and what waits for managers."""

    UNASSIGNED = "unassigned"
    MANAGERS = "managers"


class Waiting(msgspec.Struct, frozen=True):
    """A request with what deciding on it needs: names by person id, places of the class, the learner's access to it, and what
    approving would come to now.
    """

    request: Enrolment
    names: dict[str, str]
    seats: Seats
    access: Access
    verdict: Verdict


class WaitingPage(msgspec.Struct, frozen=True):
    """A page of what waits, and where to go on; `of` tells the lists apart."""

    of: str
    requests: Sequence[Waiting]
    after: str | None


def waiting(actor: Actor, queue: Queue | None, limit: int, after: Any, now: datetime) -> WaitingPage:
    """A page of what waits for the actor, also in place of others, or of a queue of the administrators; first asked first.

    What waits for managers comes by manager. The actor's own requests are left out. Raises NotPermitted for a queue to anybody
    else.
    """
    if queue is not None and not _administers(actor):
        raise NotPermitted(
            "This queue is the learning administrators'.", way_out="Leave `queue` out to see what waits for you."
        )
    if queue is Queue.MANAGERS:
        found, place_of = stored.waiting_for_managers(actor.employer, limit + 1, after), stored.place_among_managers
    else:
        asked: list[str | None] = [None] if queue else [actor.person, *approvals.stood_in_for(actor, now)]
        found, place_of = stored.waiting_for(actor.employer, asked, limit + 1, after), stored.place_of
    page = found[:limit]
    following = place_of(page[-1]) if len(found) > limit else None
    party = Party.ADMINISTRATOR if queue is Queue.UNASSIGNED else Party.MANAGER
    return WaitingPage(queue.value if queue else "mine", _shown(actor, page, party, now), following)


def _shown(actor: Actor, page: Sequence[Enrolment], party: Party, now: datetime) -> list[Waiting]:
    """Those that are still to be decided: the list may lag behind."""
    viewer = Viewer.of(actor, now)
    class_of = {each: _look_at(viewer, each) for each in {request.class_id for request in page}}
    people = {each for request in page for each in (request.person, request.approver) if each}
    names = names_of(actor.employer, people)
    shown = []
    for listed in page:
        seen, learner = class_of[listed.class_id], learners.learner(listed.person, actor.employer)
        request = learner.enrolment(listed.id) if learner else None
        if seen is None or learner is None or request is None or listed.person == actor.person:
            continue
        if request.status is Status.REQUESTED:
            theirs = seen.placing(learner)
            verdict = judge_request(theirs, learner, request, now, party)
            shown.append(Waiting(request, names, theirs.seats, theirs.access, verdict))
    return shown


def _look_at(viewer: Viewer, class_id: str) -> SeenClass | None:
    loaded = classes.class_with_seats(class_id)
    return viewer.on(*loaded) if loaded else None
