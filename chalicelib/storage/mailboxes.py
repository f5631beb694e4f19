"""Mailboxes: how people want their messages, and whom e-mail does not reach (decision 0029)."""

from datetime import datetime
from typing import Any

from pynamodb.attributes import BooleanAttribute, UnicodeAttribute

from chalicelib.domain.mailbox import Mailbox, Undeliverable, Unreached
from chalicelib.domain.people import Person
from chalicelib.storage import keys
from chalicelib.storage.base import InstantAttribute, Record
from chalicelib.storage.people import PersonRow
from chalicelib.storage.transaction import Transaction


class MailboxRow(Record, discriminator="mailbox"):
    """`P#p` / `MAIL`: right before the person's profile, so that one query reads both. Without a row: nothing chosen, nothing bounced."""

    digest = BooleanAttribute(null=True)
    address = UnicodeAttribute(null=True)
    since = InstantAttribute(null=True)
    why = UnicodeAttribute(null=True)
    unreached = UnicodeAttribute(null=True)

    @classmethod
    def at(cls, person_id: str) -> "MailboxRow":
        """The row of a person, to be changed by its key."""
        return cls(keys.person(person_id), keys.MAILBOX)

    def mailbox(self) -> Mailbox:
        """The mailbox of this row."""
        marked = self.unreached and Undeliverable(self.address, self.since, Unreached(self.unreached), self.why or "")
        return Mailbox(bool(self.digest), marked or None)


def with_mailbox(person_id: str) -> tuple[Person | None, Mailbox]:
    """A person, or None, and their mailbox: one query."""
    found: tuple[Person | None, Mailbox] = (None, Mailbox())
    for row in Record.query(keys.person(person_id), Record.sk.between(keys.MAILBOX, keys.PROFILE)):
        if isinstance(row, MailboxRow):
            found = (found[0], row.mailbox())
        elif isinstance(row, PersonRow):
            found = (row.person(), found[1])
    return found


def prefer_digest(transaction: Transaction, person_id: str, digest: bool) -> None:
    """Add to a transaction: somebody wants one e-mail a day for what is not urgent, or each by itself."""
    transaction.update(MailboxRow.at(person_id), [MailboxRow.kind.set(MailboxRow), MailboxRow.digest.set(digest)])
