"""Mailboxes: how people want their messages, and whom e-mail does not reach (decision 0029)."""

from datetime import datetime, timedelta
from typing import Any

import msgspec
from pynamodb.attributes import BooleanAttribute, UnicodeAttribute, UnicodeSetAttribute

from chalicelib.domain.mailbox import Mailbox, Undeliverable, Unreached, same
from chalicelib.domain.people import Person
from chalicelib.storage import keys
from chalicelib.storage.base import InstantAttribute, Record
from chalicelib.storage.cursor import going_on
from chalicelib.storage.people import PersonRow
from chalicelib.storage.transaction import Transaction


class MailboxRow(Record, discriminator="mailbox"):
    """`P#p` / `MAIL`: right before the person's profile, so that one query reads both. Without a row nothing was chosen and nothing
    bounced.
    """

    digest = BooleanAttribute(null=True)
    address = UnicodeAttribute(null=True)
    since = InstantAttribute(null=True)
    why = UnicodeAttribute(null=True)
    unreached = UnicodeAttribute(null=True)
    others = UnicodeSetAttribute(null=True)

    @classmethod
    def at(cls, person_id: str) -> "MailboxRow":
        """The row of a person, to be changed by its key."""
        return cls(keys.person(person_id), keys.MAILBOX)

    def mailbox(self) -> Mailbox:
        """The mailbox of this row."""
        marked = self.unreached and Undeliverable(self.address, self.since, Unreached(self.unreached), self.why or "")
        return Mailbox(bool(self.digest), marked or None, frozenset(self.others or ()))


def with_mailbox(person_id: str) -> tuple[Person | None, Mailbox]:
    """A person, or None, and their mailbox: one query."""
    found: tuple[Person | None, Mailbox] = (None, Mailbox())
    for row in Record.query(keys.person(person_id), Record.sk.between(keys.MAILBOX, keys.PROFILE)):
        if isinstance(row, MailboxRow):
            found = (found[0], row.mailbox())
        elif isinstance(row, PersonRow):
            found = (row.person(), found[1])
    return found


class AlreadyChosen(Exception):
    """Somebody has chosen this before; whoever has chosen nothing has each e-mail by itself."""


def prefer_digest(transaction: Transaction, person_id: str, digest: bool) -> None:
    """Add to a transaction: somebody wants one e-mail a day for what is not urgent, or each by itself. AlreadyChosen if they do."""
    chosen = [MailboxRow.kind.set(MailboxRow), MailboxRow.digest.set(digest)]
    other = MailboxRow.digest == (not digest)
    if digest:
        other = other | MailboxRow.digest.does_not_exist()
    transaction.update(MailboxRow.at(person_id), chosen, other, otherwise=AlreadyChosen())


def mark(transaction: Transaction, person_id: str, undeliverable: Undeliverable) -> None:
    """Add to a transaction: somebody's own address takes no e-mail, in place of another one that was known before."""
    transaction.update(
        MailboxRow.at(person_id),
        [
            MailboxRow.kind.set(MailboxRow),
            MailboxRow.address.set(undeliverable.address or ""),
            MailboxRow.since.set(undeliverable.at),
            MailboxRow.why.set(undeliverable.why),
            MailboxRow.unreached.set(undeliverable.kind.value),
        ],
    )


def mark_other(transaction: Transaction, person_id: str, address: str) -> None:
    """Add to a transaction: an address beside somebody's own takes no e-mail."""
    refusing = MailboxRow.others.add({same(address)})
    transaction.update(MailboxRow.at(person_id), [MailboxRow.kind.set(MailboxRow), refusing])


LONGEST_UNTOLD = timedelta(hours=26)
"""How long before administrators are told it can have been noted: a day, an hour where clocks change, and a while besides."""


class UnreachableRow(Record, discriminator="unreachable"):
    """`P#p` / `E#504#UNR`: an employer could not reach somebody; gsi1 lists them by when it was noted.

    Another address makes it untrue without anybody taking it away: it counts only for the address in it. `told_at` is the instant
    at which administrators are told of it.
    """

    address = UnicodeAttribute()
    since = InstantAttribute()
    why = UnicodeAttribute()
    unreached = UnicodeAttribute()
    told_at = InstantAttribute()

    @classmethod
    def of(
        cls, employer: str, person_id: str, undeliverable: Undeliverable, noted_at: datetime, told_at: datetime
    ) -> "UnreachableRow":
        """The row of somebody at an employer; no address is an empty one."""
        return cls(
            keys.person(person_id),
            keys.unreachable(employer),
            gsi1pk=keys.unreachable(employer),
            gsi1sk=keys.unreachable_sort(noted_at, person_id),
            address=undeliverable.address or "",
            since=undeliverable.at,
            why=undeliverable.why,
            unreached=undeliverable.kind.value,
            told_at=told_at,
        )

    def undeliverable(self) -> Undeliverable:
        """What this row says."""
        return Undeliverable(self.address or None, self.since, Unreached(self.unreached), self.why)


class Unreachable(msgspec.Struct, frozen=True):
    """Somebody whom e-mail does not reach at the address held now."""

    person: Person
    undeliverable: Undeliverable


def listed_as_unreachable(employer: str, person_id: str) -> Undeliverable | None:
    """Why an employer could not reach somebody, the last time that was new; None if it always could. Strongly consistent."""
    try:
        row = UnreachableRow.get(keys.person(person_id), keys.unreachable(employer), consistent_read=True)
    except UnreachableRow.DoesNotExist:
        return None
    return row.undeliverable()


def list_as_unreachable(
    transaction: Transaction,
    employer: str,
    person_id: str,
    undeliverable: Undeliverable,
    noted_at: datetime,
    told_at: datetime,
) -> None:
    """Add to a transaction: an employer cannot reach somebody, of which administrators are told at an instant. Stale if somebody
    else lists the same at this moment.
    """
    row = UnreachableRow.of(employer, person_id, undeliverable, noted_at, told_at)
    other = (
        (UnreachableRow.address != row.address)
        | (UnreachableRow.unreached != row.unreached)
        | (UnreachableRow.since != row.since)
    )
    transaction.replace(row, Record.pk.does_not_exist() | other)


def unreachable_page(employer: str, limit: int, after: Any) -> tuple[list[Unreachable], Any]:
    """A page of those whom an employer cannot reach, the latest first, and where to go on. Of a page, those who have another
    address by now are left out.
    """
    place = keys.unreachable(employer)
    query = Record.gsi1.query(
        place, scan_index_forward=False, limit=limit, last_evaluated_key=going_on(after, "gsi1pk", place)
    )
    rows = [row for row in query if isinstance(row, UnreachableRow)]
    return _still_so(rows), query.last_evaluated_key


def unreachable_told_at(employer: str, told_at: datetime) -> list[Unreachable]:
    """Those of whom administrators are told at an instant that they cannot be reached."""
    between = Record.gsi1sk.between(keys.instant(told_at - LONGEST_UNTOLD), keys.instant(told_at))
    found = Record.gsi1.query(keys.unreachable(employer), between)
    return _still_so([row for row in found if isinstance(row, UnreachableRow) and row.told_at == told_at])


def _still_so(rows: list[UnreachableRow]) -> list[Unreachable]:
    known = {row.pk: row.person() for row in PersonRow.batch_get([(row.pk, keys.PROFILE) for row in rows])}
    judged = [(known[row.pk], row.undeliverable()) for row in rows if row.pk in known]
    return [Unreachable(person, found) for person, found in judged if found.holds_for(person.email)]
