"""Exemptions from requirements: granted to a person, seen by them, and ended early."""

from datetime import date, datetime

import msgspec

from chalicelib.domain.actor import Actor
from chalicelib.domain.calendar import london_day
from chalicelib.domain.errors import NotFound, OwnExemption, refuse_body
from chalicelib.domain.events import Event, EventType
from chalicelib.domain.exemptions import Granted, ended, wrong_end, wrong_fields
from chalicelib.domain.permissions import Capability
from chalicelib.domain.requirements import Exemption, Rulebook
from chalicelib.services import people
from chalicelib.storage import audit, awards, outbox, rules
from chalicelib.storage import learner as learners
from chalicelib.storage.base import new_id
from chalicelib.storage.idempotency import Idempotency
from chalicelib.storage.transaction import Transaction, retried


class Exempt(msgspec.Struct, frozen=True):
    """A person's exemptions, by competency and first day, and the rulebook that names the competencies."""

    granted: tuple[Granted, ...]
    rulebook: Rulebook


def of_person(actor: Actor, person: str, now: datetime) -> Exempt:
    """The exemptions of somebody whose compliance the actor may see, past and to come. Raises NotFound."""
    people.visible(actor, person, Capability.VIEW_COMPLIANCE, now)
    return Exempt(tuple(awards.exemptions(person, actor.employer)), rules.rulebook(actor.employer))


def grant(actor: Actor, person: str, wanted: Exemption, now: datetime, once: Idempotency | None = None) -> Exempt:
    """Exempt somebody at the actor's employer. Raises NotFound, OwnExemption, or Invalid naming every wrong field."""
    _not_oneself(actor, person)
    return take_down(actor.person, actor.employer, person, wanted, now, once)


@retried
def take_down(
    by: str, employer: str, person: str, wanted: Exemption, now: datetime, once: Idempotency | None = None
) -> Exempt:
    """Write an exemption granted by a person or a named system; the learner is judged again at once."""
    today = london_day(now)
    learner = learners.learner(person, employer, consistent=True)
    if learner is None or learner.employment is None or learner.has_left(today):
        raise NotFound("There is no such person at this employer.", person=person)
    rulebook = rules.rulebook(employer)
    refuse_body(wrong_fields(wanted, learner.exemptions, rulebook, today))
    granted = Granted(wanted, by, now)
    answer = Exempt((granted,), rulebook)
    transaction = Transaction()
    awards.exempt(transaction, person, employer, granted)
    _tell(transaction, employer, by, "exemption.granted", person, wanted, now)
    if once:
        once.remember(transaction, answer, now)
    transaction.commit()
    return answer


@retried
def end(actor: Actor, person: str, competency: str, starts_on: date, ends_on: date, now: datetime) -> Exempt:
    """Bring the last day of an exemption forward, or take it back whole if none of it is left (then the answer is empty).

    Raises NotFound, OwnExemption or Invalid. One that ends on that day already stays untouched.
    """
    _not_oneself(actor, person)
    employer = actor.employer
    held = awards.exemptions(person, employer, consistent=True)
    started = (
        each for each in held if (each.exemption.competency, each.exemption.starts_on) == (competency, starts_on)
    )
    before = next(started, None)
    if before is None:
        raise NotFound("There is no such exemption.", person=person)
    refuse_body(wrong_end(before.exemption, ends_on, london_day(now)))
    after = ended(before.exemption, ends_on)
    if after != before.exemption:
        transaction = Transaction()
        awards.end_exemption(transaction, person, employer, before, after)
        action = "exemption.ended" if after else "exemption.taken-back"
        _tell(transaction, employer, actor.person, action, person, after or before.exemption, now)
        transaction.commit()
    left = (Granted(after, before.by, before.at),) if after else ()
    return Exempt(left, rules.rulebook(employer))


def _not_oneself(actor: Actor, person: str) -> None:
    if person == actor.person:
        raise OwnExemption("Nobody grants or ends an exemption of their own.")


def _tell(
    transaction: Transaction, employer: str, by: str, action: str, person: str, exemption: Exemption, now: datetime
) -> None:
    outbox.emit(transaction, Event(new_id(now), EventType.LEARNER_CHANGED, employer, person, now))
    facts = {
        "competency": exemption.competency,
        "starts_on": str(exemption.starts_on),
        "ends_on": str(exemption.ends_on),
    }
    audit.record(transaction, audit.Entry(employer, by, action, now, person, facts))
