"""Delegating approvals while away (domain.md §5, decision 0024)."""

from datetime import date, datetime

import msgspec

from chalicelib.domain import approvals as rules_of
from chalicelib.domain.actor import Actor
from chalicelib.domain.approvals import MOST_DELEGATIONS, Delegation
from chalicelib.domain.calendar import london_day, long_day
from chalicelib.domain.errors import FieldError, NotFound, TooManyDelegations, refuse_body
from chalicelib.domain.events import Event, EventType
from chalicelib.storage import approvals as stored
from chalicelib.storage import audit, outbox
from chalicelib.storage import learner as learners
from chalicelib.storage.base import new_id
from chalicelib.storage.idempotency import Idempotency
from chalicelib.storage.people import names_of
from chalicelib.storage.transaction import Stale, Transaction


class Named(msgspec.Struct, frozen=True):
    """A delegation with the name of the other one: of whom it was given to, or from whom it was received."""

    delegation: Delegation
    name: str | None


class Delegations(msgspec.Struct, frozen=True):
    """What somebody has delegated and what is delegated to them, as far as it is not over."""

    given: list[Named]
    received: list[Named]


def delegate(
    actor: Actor, to: str, starts_on: date, ends_on: date, now: datetime, once: Idempotency | None = None
) -> Named:
    """Let somebody decide in the actor's place between two London days, both included, beside the actor.

    Raises Invalid naming every wrong field, also for somebody who does not work here, and TooManyDelegations.
    """
    today = london_day(now)
    wrong = list(rules_of.wrong_delegation(actor.person, to, starts_on, ends_on, today))
    other = learners.learner(to, actor.employer)
    if other is None or not rules_of.works_here(other, today):
        wrong.append(FieldError("to", "is nobody who works here"))
    refuse_body(wrong)
    assert other is not None
    if len(_not_over(stored.delegated_by(actor.employer, actor.person), today)) >= MOST_DELEGATIONS:
        raise TooManyDelegations(f"You have delegated {MOST_DELEGATIONS} times already.")
    made = Delegation(new_id(now), actor.employer, actor.person, to, starts_on, ends_on)
    transaction = Transaction()
    stored.create(transaction, made)
    _tell(transaction, made, now)
    _audit(transaction, "approvals.delegated", made, now)
    answer = Named(made, other.person.full_name)
    if once:
        once.remember(transaction, answer, now)
    transaction.commit()
    return answer


def mine(actor: Actor, now: datetime) -> Delegations:
    """What the actor has delegated and what is delegated to them, by their days, as far as it is not over."""
    today = london_day(now)
    given = _not_over(stored.delegated_by(actor.employer, actor.person), today)
    received = stored.delegated_to(actor.employer, actor.person, today.isoformat())
    given, received = (sorted(each, key=_by_days)[:_MOST_SHOWN] for each in (given, received))
    names = names_of(actor.employer, {each.to for each in given} | {each.by for each in received})
    return Delegations(
        [Named(each, names.get(each.to)) for each in given], [Named(each, names.get(each.by)) for each in received]
    )


_MOST_SHOWN = 50
"""Of those received: the names of a hundred people are read at once, and nobody stands in for so many."""


def _by_days(delegation: Delegation) -> tuple[date, date, str]:
    return delegation.starts_on, delegation.ends_on, delegation.id


def take_back(actor: Actor, delegation_id: str, now: datetime) -> None:
    """End a delegation of the actor's at once. Raises NotFound for one that is not theirs, or no more."""
    gone = NotFound("You have no such delegation.", delegation_id=delegation_id)
    mine = stored.delegated_by(actor.employer, actor.person)
    delegation = next((each for each in mine if each.id == delegation_id), None)
    if delegation is None:
        raise gone
    transaction = Transaction()
    stored.delete(transaction, delegation)
    _audit(transaction, "approvals.delegation_ended", delegation, now)
    try:
        transaction.commit()
    except Stale as taken_back:
        raise gone from taken_back


def _not_over(delegations: list[Delegation], today: date) -> list[Delegation]:
    return [each for each in delegations if each.ends_on >= today]


def _tell(transaction: Transaction, made: Delegation, now: datetime) -> None:
    """Add the event that tells whoever is to stand in: what waits already is announced to nobody again."""
    data = {
        "stand_in": made.to,
        "approver_name": names_of(made.employer, [made.by]).get(made.by),
        "from": long_day(made.starts_on),
        "until": long_day(made.ends_on),
    }
    outbox.emit(transaction, Event(new_id(now), EventType.APPROVALS_DELEGATED, made.employer, None, now, data))


def _audit(transaction: Transaction, action: str, delegation: Delegation, now: datetime) -> None:
    facts = {
        "delegation": delegation.id,
        "to": delegation.to,
        "from": delegation.starts_on.isoformat(),
        "until": delegation.ends_on.isoformat(),
    }
    audit.record(transaction, audit.Entry(delegation.employer, delegation.by, action, now, delegation.by, facts))
