"""Training that counts at another employer: transfers of movers, updates of who works for several (domain.md §7, decision 0036).

Whatever arrives is an award under a source that names where it was made, written in one transaction with its message and audit
entry: so it arrives once, whichever way and however often it is sent.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import msgspec

from chalicelib.domain import awards as award_rules
from chalicelib.domain import transfers as rules_of
from chalicelib.domain.actor import Actor
from chalicelib.domain.calendar import london_day, long_day
from chalicelib.domain.competency import Award, Competency
from chalicelib.domain.compliance import Colour
from chalicelib.domain.errors import AwardVoid, FieldError, Invalid, NotFound, TransferUnderway, refuse_body
from chalicelib.domain.events import Event, EventType
from chalicelib.domain.learner import Learner
from chalicelib.domain.timers import Timer, TimerKind
from chalicelib.domain.transfers import Item, ItemState, Party, Settings, Status, Step, Transfer, Update, Why
from chalicelib.services import administrators
from chalicelib.storage import audit, outbox, rules, timers
from chalicelib.storage import awards as stored_awards
from chalicelib.storage import learner as learners
from chalicelib.storage import transfers as stored
from chalicelib.storage.awards import AwardRow
from chalicelib.storage.base import new_id
from chalicelib.storage.idempotency import Idempotency
from chalicelib.storage.people import names_of
from chalicelib.storage.transaction import Transaction, retried
from chalicelib.storage.transfers import Queue

TRANSFERS = "system:transfers"
"""Who moves transfers on, and passes awards on to other employers, where nobody decides."""

REMINDER = timedelta(days=7)
"""How long the old employer has before it is told again of what waits there, and then again."""

MOST_LINES = 10
"""Lines of one list in a message; what is left out is counted."""

# --- people with several employers ----------------------------------------------------------------------------


def pass_on(person: str, employer: str, now: datetime) -> None:
    """Bring what was awarded at this employer, or made void there, to every other that employs the person (N18).

    Each other employer is one transaction, or several where one does not hold all. What is there already stays as it is, so that
    repeating this changes nothing and tells nobody, and nothing comes back or goes any further.
    """
    for other in learners.learners(person, consistent=True):
        if other != employer:
            while _update(person, employer, other, now):
                pass


@retried
def _update(person: str, employer: str, other: str, now: datetime) -> bool:
    """Bring to one other employer what one transaction holds; whether there may be more."""
    known = learners.learners(person, consistent=True)
    there, here = known.get(employer), known.get(other)
    if there is None or here is None:
        return False
    competencies = rules.rulebook(other).competencies
    update = rules_of.update_of(there, here, competencies, stored.settings_of(other), london_day(now))
    if not (update.arriving or update.void):
        return False
    transaction = Transaction()
    for award in update.arriving:
        transaction.create(AwardRow.of(person, other, award))
    for award in update.void:
        reason = f"It was made void at employer {employer}, which made it."
        stored_awards.void(transaction, person, other, award_rules.voided(award, reason, TRANSFERS, now))
    data = _told_of_update(here, update, competencies, now)
    outbox.emit(transaction, Event(new_id(now), EventType.MULTIPLE_EMPLOYER_UPDATE, other, person, now, data))
    facts = {
        "from": employer,
        "arrived": [_facts(each) for each in update.arriving],
        "void": [_facts(each) for each in update.void],
    }
    audit.record(transaction, audit.Entry(other, TRANSFERS, "awards.passed-on", now, person, facts))
    transaction.commit()
    return len(update.arriving) + len(update.void) >= rules_of.MOST_ITEMS


def _told_of_update(
    here: Learner, update: Update, competencies: Mapping[str, Competency], now: datetime
) -> dict[str, Any]:
    return {
        "to": _reader(here, now),
        "administrators": administrators.of(here.employer, now),
        "learner": here.person.full_name,
        "person": here.person.id,
        "other_employer": stored.employer_names([update.employer])[update.employer],
        "arrived": _lines(
            f"{_dated(each, competencies)}, awarded on {long_day(each.awarded_on)}" for each in update.arriving
        ),
        "now_void": _lines(_title(each.competency, competencies) for each in update.void),
    }


# --- asking for a transfer ------------------------------------------------------------------------------------


class Shown(msgspec.Struct, frozen=True):
    """A transfer as who looks at it sees it, with what reading it needs: competencies, names of people and employers."""

    transfer: Transfer
    competencies: Mapping[str, Competency]
    names: Mapping[str, str]
    employers: Mapping[str, str]


class ShownPage(msgspec.Struct, frozen=True):
    """A page of transfers, and where to go on; `of` tells the lists apart."""

    of: str
    transfers: tuple[Shown, ...]
    after: Any = None


@retried
def ask(
    actor: Actor, person: str, origin: str, consented_on: date, now: datetime, once: Idempotency | None = None
) -> Shown:
    """Ask another employer for the training of somebody who joins or has joined this one, and agreed to it.

    Where that employer releases by itself, everything follows at once. Both audits keep who was asked about, known there or not.
    Raises NotFound, OwnTransfer, TransferUnderway, and Invalid naming every wrong field.
    """
    today = london_day(now)
    known = learners.learners(person, consistent=True)
    here = known.get(actor.employer)
    if here is None or not rules_of.may_receive(here.employment, today):
        raise NotFound("There is no such applicant or employee at this employer.", person=person)
    refuse_body(rules_of.wrong_fields(actor.employer, origin, rules.employers(), consented_on, today))
    before = rules_of.begun(new_id(now), person, actor.employer, origin, consented_on, actor.person, now)
    if any(each.is_open and (each.to, each.origin) == (before.to, origin) for each in stored.of_person(person)):
        raise TransferUnderway("The training of this person was asked for there already.", from_employer=origin)
    transaction = Transaction()
    after = _matched(transaction, before, known, now)
    stored.create(transaction, after)
    for employer in (after.to, after.origin):
        _audit(transaction, employer, actor.person, after, "transfer.asked", now)
    shown = _shown(actor.employer, after)
    if once:
        once.remember(transaction, shown, now)
    transaction.commit()
    return shown


def _matched(transaction: Transaction, before: Transfer, known: Mapping[str, Learner], now: datetime) -> Transfer:
    """The transfer once its person was looked for at the old employer, and what follows from that."""
    there = known.get(before.origin)
    if there is None or there.employment is None:
        return _failed(before, now, Why.UNKNOWN)
    if stored.settings_of(before.origin).automatic_release:
        matched = rules_of.move(before, Step.MATCH, Party.SERVICE, TRANSFERS, now)
        return _released(transaction, matched, known, Party.SERVICE, TRANSFERS, now)
    able = _who_can_release(before, now)
    matched = rules_of.move(before, Step.MATCH, Party.SERVICE, TRANSFERS, now, reason=None if able else Why.NOBODY)
    _ask_to_release(transaction, matched, there, able, now)
    return matched


def _who_can_release(transfer: Transfer, now: datetime) -> list[str]:
    """The administrators of the old employer, less whose training it is."""
    return [each for each in administrators.of(transfer.origin, now) if each != transfer.person]


def _ask_to_release(
    transaction: Transaction, transfer: Transfer, there: Learner, able: list[str], now: datetime
) -> None:
    """Add to a transaction: the message to who can release a transfer, and the timer after which they are told again."""
    if able:
        told = _told(transfer, there, transfer.to)
        waits_since = long_day(london_day(transfer.asked_at)) if now > transfer.asked_at else None
        data = {**told, "administrators": able, "stage": "asked", "waits_since": waits_since}
        outbox.emit(transaction, Event(new_id(now), EventType.TRANSFER_RECEIVED, transfer.origin, None, now, data))
    facts = {"person": transfer.person, "transfer": transfer.id}
    timers.set_timer(transaction, Timer(transfer.origin, now + REMINDER, TimerKind.TRANSFER, transfer.id, facts))


@retried
def ring(timer: Timer, now: datetime, _time_left: Callable[[], bool]) -> bool:
    """Tell the old employer again of a transfer that still waits for it."""
    person = timer.facts["person"]
    transfer = stored.transfer(person, timer.facts["transfer"])
    transaction = Transaction()
    timers.ring(transaction, timer)
    if transfer and transfer.status is Status.MATCHED:
        there = learners.learners(person)[transfer.origin]
        _ask_to_release(transaction, transfer, there, _who_can_release(transfer, now), now)
    transaction.commit()
    return True


@retried
def withdraw(actor: Actor, person: str, transfer_id: str, now: datetime) -> Shown:
    """Take back what this employer asked for, while nobody has answered. Raises NotFound, OwnTransfer or TransferNotThere.

    Repeating it changes nothing.
    """
    before = _theirs(actor, person, transfer_id, Party.NEW)
    return _shown(actor.employer, _withdrawn(before, Party.NEW, actor.person, Why.WITHDRAWN, now))


@retried
def withdraw_own(actor: Actor, transfer_id: str, now: datetime) -> Shown:
    """Take back that one agreed to a transfer of one's own training. Raises NotFound, or TransferNotThere once it was released.

    Repeating it changes nothing.
    """
    before = _theirs(actor, actor.person, transfer_id)
    return _shown(before.to, _withdrawn(before, Party.LEARNER, actor.person, Why.CONSENT, now))


def _withdrawn(before: Transfer, party: Party, by: str, why: Why, now: datetime) -> Transfer:
    if (before.reason, before.history[-1].by) == (why, by):
        return before
    after = rules_of.move(before, Step.WITHDRAW, party, by, now, reason=why)
    transaction = Transaction()
    stored.change(transaction, before, after)
    if here := learners.learner(before.person, before.to, consistent=True):
        _tell(transaction, after, here, False, now)
    _audit(transaction, before.to, by, after, "transfer.withdrawn", now)
    transaction.commit()
    return after


# --- releasing ------------------------------------------------------------------------------------------------


@retried
def release(actor: Actor, person: str, transfer_id: str, now: datetime) -> Shown:
    """Let the new employer have what is held here, national and in date. What its rule accepts is awarded there at once.

    Raises NotFound, OwnTransfer or TransferNotThere. Repeating it changes nothing.
    """
    before = _theirs(actor, person, transfer_id, Party.OLD)
    if any(row.status is Status.RELEASED and row.by == actor.person for row in before.history):
        return _shown(actor.employer, before)
    transaction = Transaction()
    known = learners.learners(person, consistent=True)
    after = _released(transaction, before, known, Party.OLD, actor.person, now)
    stored.change(transaction, before, after)
    if not after.items and (here := known.get(after.to)):
        _tell(transaction, after, here, False, now)
    transaction.commit()
    return _shown(actor.employer, after)


def _released(
    transaction: Transaction,
    before: Transfer,
    known: Mapping[str, Learner],
    party: Party,
    by: str,
    now: datetime,
) -> Transfer:
    """The transfer released and received, its items judged; with, in the transaction, awards, message and audit entries of that."""
    today = london_day(now)
    released = rules_of.move(before, Step.RELEASE, party, by, now)
    here, there = known.get(before.to), known[before.origin]
    items = rules_of.items_of(there, today)
    if here is None or not rules_of.may_receive(here.employment, today):
        return _in_vain(transaction, released, by, now, Why.LEFT)
    if not items:
        return _in_vain(transaction, released, by, now, Why.NOTHING)
    competencies = rules.rulebook_now(before.to).competencies
    settings = stored.settings_of(before.to)
    judged = [
        rules_of.judged(each, before, here, competencies.get(each.award.competency), settings, today) for each in items
    ]
    received = rules_of.move(released, Step.RECEIVE, Party.SERVICE, TRANSFERS, now).with_items(judged)
    after = _finished(received, Party.SERVICE, TRANSFERS, now)
    made = _award(transaction, after, after.those(ItemState.ACCEPTED), here, competencies)
    facts = {"awarded": [_facts(each) for each in made], "waiting": len(after.those(ItemState.WAITING))}
    _audit(transaction, before.origin, by, released, "transfer.released", now)
    _audit(transaction, before.to, TRANSFERS, after, "transfer.received", now, facts)
    _tell(transaction, after, replace(here, awards=(*here.awards, *made)), bool(made), now)
    return after


def _in_vain(transaction: Transaction, released: Transfer, by: str, now: datetime, why: Why) -> Transfer:
    after = _failed(released, now, why)
    _audit(transaction, after.origin, by, after, "transfer.failed", now)
    return after


@retried
def refuse(actor: Actor, person: str, transfer_id: str, reason: str, now: datetime) -> Shown:
    """Let the new employer have nothing, for a reason that it and the learner are told.

    Raises NotFound, OwnTransfer or TransferNotThere. Repeating it changes nothing.
    """
    before = _theirs(actor, person, transfer_id, Party.OLD)
    if before.status is Status.REJECTED and before.history[-1].by == actor.person:
        return _shown(actor.employer, before)
    after = rules_of.move(before, Step.REFUSE, Party.OLD, actor.person, now, reason=reason)
    transaction = Transaction()
    stored.change(transaction, before, after)
    if here := learners.learner(person, before.to, consistent=True):
        _tell(transaction, after, here, False, now)
    _audit(transaction, actor.employer, actor.person, after, "transfer.refused", now)
    transaction.commit()
    return _shown(actor.employer, after)


# --- deciding on items ----------------------------------------------------------------------------------------


@retried
def decide(
    actor: Actor, person: str, transfer_id: str, number: str, state: ItemState, reason: str | None, now: datetime
) -> Shown:
    """Accept or reject an item that the rule left to an administrator. The learner is told once all are decided.

    Raises NotFound, OwnTransfer, TransferNotThere, or AwardVoid for one that arrived before and was made void here. Repeating
    it changes nothing.
    """
    before = _theirs(actor, person, transfer_id, Party.NEW)
    item = before.item(number)
    here = learners.learner(person, before.to, consistent=True)
    if item is None or here is None:
        raise NotFound("This transfer has no such item.")
    if (item.state, item.by) == (state, actor.person):
        return _shown(actor.employer, before)
    decided = rules_of.decided(item, state, actor.person, reason)
    competencies = rules.rulebook_now(before.to).competencies
    after = _finished(before.with_item(decided), Party.NEW, actor.person, now)
    transaction = Transaction()
    made = _award(transaction, after, [decided] if state is ItemState.ACCEPTED else [], here, competencies)
    stored.change(transaction, before, after)
    if not after.is_open:
        _tell(transaction, after, replace(here, awards=(*here.awards, *made)), bool(made), now)
    elif made:
        outbox.emit(transaction, Event(new_id(now), EventType.LEARNER_CHANGED, before.to, person, now))
    facts = {"item": item.award.competency, "awarded": [_facts(each) for each in made], "reason": reason}
    _audit(transaction, actor.employer, actor.person, after, f"transfer.item-{state.value}", now, facts)
    transaction.commit()
    return _shown(actor.employer, after)


def _award(
    transaction: Transaction,
    transfer: Transfer,
    accepted: Iterable[Item],
    here: Learner,
    competencies: Mapping[str, Competency],
) -> list[Award]:
    """Add to a transaction: an award for each accepted item that did not arrive before. Raises AwardVoid for one voided since."""
    made = []
    for item in accepted:
        award = rules_of.arriving(item.award, transfer.origin, competencies.get(item.award.competency))
        present = rules_of.arrived_already(award, here.awards)
        if present and present.void:
            raise AwardVoid("This award arrived before, and was made void here.")
        if not present:
            transaction.create(AwardRow.of(transfer.person, transfer.to, award))
            made.append(award)
    return made


def _finished(transfer: Transfer, party: Party, by: str, now: datetime) -> Transfer:
    outcome = rules_of.outcome(transfer)
    return rules_of.move(transfer, Step.FINISH, party, by, now, to=outcome) if outcome else transfer


def _failed(transfer: Transfer, now: datetime, why: Why) -> Transfer:
    return rules_of.move(transfer, Step.FAIL, Party.SERVICE, TRANSFERS, now, reason=why)


# --- reading --------------------------------------------------------------------------------------------------


def one(actor: Actor, person: str, transfer_id: str) -> Shown:
    """A transfer that the actor's employer asked for or was asked for. Raises NotFound for any other."""
    return _shown(actor.employer, _theirs(actor, person, transfer_id))


def of_person(actor: Actor, person: str) -> ShownPage:
    """Somebody's transfers that concern the actor's employer, newest first. Raises NotFound for whoever never was here."""
    found = learners.learner(person, actor.employer)
    if found is None or found.employment is None:
        raise NotFound("There is no such person at this employer.", person=person)
    return _page(actor.employer, person, stored.of_person(person))


def mine(actor: Actor) -> ShownPage:
    """The actor's own transfers that concern this employer, newest first."""
    return _page(actor.employer, "mine", stored.of_person(actor.person), own=True)


def waiting(actor: Actor, queue: Queue, limit: int, after: Any) -> ShownPage:
    """A page of a queue of the actor's employer, first asked first."""
    found, following = stored.waiting_in(actor.employer, queue, limit, after)
    return _page(actor.employer, queue.value, found, following)


def _page(employer: str, of: str, transfers: Iterable[Transfer], after: Any = None, own: bool = False) -> ShownPage:
    """Those of an employer as its administrators see them; `own`: as whose training it is sees them, whole."""
    ours = [each for each in transfers if employer in (each.to, each.origin)]
    names = names_of(employer, (each.person for each in ours))
    employers = stored.employer_names(code for each in ours for code in (each.to, each.origin))
    competencies = rules.rulebook(employer).competencies if ours else {}
    seen = [each if own else each.seen_by(employer) for each in ours]
    return ShownPage(of, tuple(Shown(each, competencies, names, employers) for each in seen), after)


def _shown(employer: str, transfer: Transfer) -> Shown:
    return _page(employer, transfer.id, [transfer]).transfers[0]


def _theirs(actor: Actor, person: str, transfer_id: str, party: Party | None = None) -> Transfer:
    """A transfer in which the actor's employer is this party; as an administrator of it the actor decides on no transfer of
    their own.
    """
    found = stored.transfer(person, transfer_id)
    ours = {Party.NEW: found.to, Party.OLD: found.origin} if found else {}
    if found is None or actor.employer not in ([ours[party]] if party else ours.values()):
        raise NotFound("There is no such transfer, or none of your employer.", person=person)
    if party:
        rules_of.refuse_own(person, actor.person)
    return found


# --- settings -------------------------------------------------------------------------------------------------


def settings(actor: Actor) -> Settings:
    """What the actor's employer has set about transfers."""
    return stored.settings_of(actor.employer)


def change_settings(actor: Actor, after: Settings, now: datetime) -> Settings:
    """Set what holds for transfers from now on; those that wait stay as they are. Raises Invalid for an unknown employer."""
    unknown = sorted((after.recognised or frozenset()) - set(rules.employers()))
    if unknown:
        raise Invalid(
            FieldError("body.recognised_employers", f"has no employers of this service: {', '.join(unknown)}")
        )
    transaction = Transaction()
    stored.set_settings(transaction, actor.employer, after)
    facts = {
        "automatic_release": after.automatic_release,
        "recognised": None if after.recognised is None else sorted(after.recognised),
    }
    audit.record(transaction, audit.Entry(actor.employer, actor.person, "transfer-settings.changed", now, facts=facts))
    transaction.commit()
    return after


# --- telling --------------------------------------------------------------------------------------------------


def _tell(transaction: Transaction, transfer: Transfer, here: Learner, changed: bool, now: datetime) -> None:
    """Add to a transaction: the event that tells the learner and the new employer's administrators what came of it (N17).

    `here` has what was awarded by it; `changed`: anything was, so that the learner's compliance is judged again.
    """
    rulebook = rules.rulebook(transfer.to)
    known = rulebook.competencies
    red = [each for each in here.compliance_on(london_day(now), rulebook) if each.colour is Colour.RED]
    data = {
        **_told(transfer, here, transfer.origin),
        "to": _reader(here, now),
        "administrators": administrators.of(transfer.to, now),
        "stage": "received" if transfer.items else "nothing",
        "accepted": _lines(
            _dated(rules_of.arriving(each.award, transfer.origin, known.get(each.award.competency)), known)
            for each in transfer.those(ItemState.ACCEPTED)
        ),
        "to_decide": _lines(_with_reason(each, known) for each in transfer.those(ItemState.WAITING)),
        "rejected": _lines(_with_reason(each, known) for each in transfer.those(ItemState.REJECTED)),
        "needed": _lines(_title(each.competency, known) for each in red),
    }
    person = transfer.person if changed else None
    outbox.emit(transaction, Event(new_id(now), EventType.TRANSFER_RECEIVED, transfer.to, person, now, data))


def _told(transfer: Transfer, learner: Learner, other: str) -> dict[str, Any]:
    """What every message of a transfer says; `other` is the employer at the other end."""
    return {
        "learner": learner.person.full_name,
        "person": transfer.person,
        "transfer": transfer.id,
        "other_employer": stored.employer_names([other])[other],
        "reason": transfer.reason,
        "refused": transfer.status is Status.REJECTED,
        **{each: [] for each in ("accepted", "to_decide", "rejected", "needed")},
    }


def _reader(learner: Learner, now: datetime) -> str | None:
    """Whom to write to of a learner: themselves, unless they have left."""
    here = learner.employment is not None and learner.employment.active_on(london_day(now))
    return learner.person.id if here else None


def _lines(lines: Iterable[str]) -> list[str]:
    """The lines of a list in a message: the first ones, and how many more there are."""
    every = list(lines)
    if len(every) <= MOST_LINES:
        return every
    return [*every[: MOST_LINES - 1], f"and {len(every) - MOST_LINES + 1} more"]


def _title(competency: str, known: Mapping[str, Competency]) -> str:
    return known[competency].title if competency in known else competency


def _dated(award: Award, known: Mapping[str, Competency]) -> str:
    until = f", until {long_day(award.expires_on)}" if award.expires_on else ""
    return _title(award.competency, known) + until


def _with_reason(item: Item, known: Mapping[str, Competency]) -> str:
    return f"{_title(item.award.competency, known)}: {item.reason or item.because}"


def _facts(award: Award) -> dict[str, Any]:
    return {
        "competency": award.competency,
        "level": award.level,
        "awarded_on": str(award.awarded_on),
        "expires_on": str(award.expires_on) if award.expires_on else None,
        "source": award.source,
    }


def _audit(
    transaction: Transaction,
    employer: str,
    by: str,
    transfer: Transfer,
    action: str,
    now: datetime,
    facts: Mapping[str, Any] | None = None,
) -> None:
    status = transfer.seen_by(employer).status.value
    told = {"transfer": transfer.id, "from": transfer.origin, "to": transfer.to, "status": status}
    audit.record(transaction, audit.Entry(employer, by, action, now, transfer.person, {**told, **(facts or {})}))
