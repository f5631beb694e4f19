"""People whom e-mail does not reach, and who is told of them (domain.md §9 N24, decision 0029)."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

from chalicelib import mail
from chalicelib.domain.actor import Actor
from chalicelib.domain.calendar import london_day
from chalicelib.domain.events import Event, EventType
from chalicelib.domain.mailbox import Mailbox, Undeliverable, Unreached
from chalicelib.domain.notifications import Delivery, Notification
from chalicelib.domain.people import Person
from chalicelib.domain.timers import Timer, TimerKind
from chalicelib.services import administrators, digests
from chalicelib.storage import audit, mailboxes, outbox, people
from chalicelib.storage import timers as stored
from chalicelib.storage.mailboxes import Unreachable
from chalicelib.storage.transaction import Transaction, retried

MAIL_SYSTEM = "system:mail"
"""Who finds out that an address takes no e-mail, in the audit."""

NAMED = 10
"""As many people as a message to administrators names; the list in the portal has all."""

ENDS_AS = {
    Unreached.BOUNCE: Delivery.SUPPRESSED,
    Unreached.COMPLAINT: Delivery.SUPPRESSED,
    Unreached.NO_ADDRESS: Delivery.FAILED,
    Unreached.NO_SUCH_FORM: Delivery.FAILED,
}
"""What becomes of an e-mail that is not tried."""

_IN_WORDS = {
    Unreached.BOUNCE: "our mail came back",
    Unreached.COMPLAINT: "they marked our mail as spam",
    Unreached.NO_ADDRESS: "we hold no address",
    Unreached.NO_SUCH_FORM: "what we hold is no e-mail address",
}


def obstacle(address: str | None, mailbox: Mailbox, now: datetime) -> Undeliverable | None:
    """Why no e-mail can go to an address; None if it can be tried."""
    if not address:
        return Undeliverable(None, now, Unreached.NO_ADDRESS, "")
    if not mail.is_address(address):
        return Undeliverable(address, now, Unreached.NO_SUCH_FORM, "")
    marked = mailbox.undeliverable
    return marked if marked and marked.holds_for(address) and marked.lasts(now) else None


def readdressed(notification: Notification, mailbox: Mailbox) -> Notification:
    """A message to the learner's own address, where the one that their enrolment holds takes no e-mail; else as it is."""
    given = notification.data.get("email")
    if given is None or (mail.is_address(given) and not mailbox.refuses(given)):
        return notification
    return replace(notification, data={name: said for name, said in notification.data.items() if name != "email"})


@retried
def remember(employer: str, person: Person, found: Undeliverable, now: datetime, marks: bool = False) -> None:
    """Note that e-mail does not reach somebody at their own address, and when administrators are told of it: once.

    `marks`: their mailbox keeps the address, so that it is not tried again. Another address, as of an enrolment, is only marked:
    what was to go there goes to their own.
    """
    transaction = Transaction()
    if marks:
        _mark(transaction, person, found)
    if found.holds_for(person.email) and not _is_listed(employer, person, found, now):
        told_at = digests.next_at(employer, now)
        stored.set_at_once(Timer(employer, told_at, TimerKind.UNREACHABLE, "people"))
        mailboxes.list_as_unreachable(transaction, employer, person.id, found, now, told_at)
        facts = {"kind": found.kind.value}
        audit.record(transaction, audit.Entry(employer, MAIL_SYSTEM, "address.unreachable", now, person.id, facts))
    transaction.commit()


def _is_listed(employer: str, person: Person, found: Undeliverable, now: datetime) -> bool:
    """Whether nothing is new: one read, as it is asked for each message that cannot go."""
    listed = mailboxes.listed_as_unreachable(employer, person.id)
    return listed is not None and listed.says(found) and listed.lasts(now)


def _mark(transaction: Transaction, person: Person, found: Undeliverable) -> None:
    """Keep that an address takes no e-mail. Others than their own stand apart, so that none displaces what is known of that."""
    if found.address and not found.holds_for(person.email):
        mailboxes.mark_other(transaction, person.id, found.address)
    else:
        mailboxes.mark(transaction, person.id, found)


def ring(timer: Timer, now: datetime, _time_left: Callable[[], bool]) -> bool:
    """Tell the learning administrators of whom they are to be told now that they cannot be reached: once a day (N24)."""
    found = _here(timer.employer, mailboxes.unreachable_told_at(timer.employer, timer.at), now)
    to = administrators.of(timer.employer, now)
    if found and to:
        event_id = f"undelivered.{timer.at:%Y-%m-%dT%H%M}.{timer.employer}"  # a day whose hour is changed has two
        data = said_of(found) | {"administrators": to}
        outbox.emit_once(Event(event_id, EventType.UNDELIVERED, timer.employer, None, timer.at, data))
    stored.rung(timer)
    return True


def said_of(found: list[Unreachable]) -> dict[str, Any]:
    """What the message says of those who cannot be reached: how many, and some by name."""
    named = [
        {"name": each.person.full_name, "why": _IN_WORDS[each.undeliverable.kind]}
        for each in sorted(found, key=lambda each: (each.person.last_name, each.person.first_name))[:NAMED]
    ]
    return {"count": len(found), "people": named}


def page(actor: Actor, limit: int, after: Any, now: datetime) -> tuple[list[Unreachable], Any]:
    """A page of those whom e-mail of the actor's employer does not reach and who still belong to it, the latest first; and where
    to go on. A page may be short.
    """
    found, following = mailboxes.unreachable_page(actor.employer, limit, after)
    return _here(actor.employer, found, now), following


def _here(employer: str, found: list[Unreachable], now: datetime) -> list[Unreachable]:
    left = people.left_by(employer, [each.person.id for each in found], london_day(now))
    return [each for each in found if each.person.id not in left and each.undeliverable.lasts(now)]
