"""How somebody wants their messages (domain.md §9, decision 0030)."""

from contextlib import suppress
from datetime import datetime

from chalicelib.domain.actor import Actor
from chalicelib.storage import audit, mailboxes
from chalicelib.storage.mailboxes import AlreadyChosen
from chalicelib.storage.transaction import Transaction, retried


def prefers_digest(person_id: str) -> bool:
    """Whether somebody wants what is not urgent once a day in one e-mail."""
    _, mailbox = mailboxes.with_mailbox(person_id)
    return mailbox.digest


@retried
def prefer_digest(actor: Actor, digest: bool, now: datetime) -> bool:
    """Choose for oneself, at all employers, from the next message on; what waits for a digest by then still goes with it. To choose
    what is chosen already changes nothing.
    """
    transaction = Transaction()
    mailboxes.prefer_digest(transaction, actor.person, digest)
    facts = {"digest": digest}
    audit.record(transaction, audit.Entry(actor.employer, actor.person, "messages.preferred", now, actor.person, facts))
    with suppress(AlreadyChosen):
        transaction.commit()
    return digest
