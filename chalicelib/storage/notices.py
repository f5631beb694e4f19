"""Notices, whom they are for, and what became of them."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from pynamodb.attributes import JSONAttribute, NumberAttribute, TTLAttribute, UnicodeAttribute

from chalicelib.domain.compliance import Colour
from chalicelib.domain.enrolment import Status
from chalicelib.domain.notices import Audience, AudienceKind, Notice, State, parts_of
from chalicelib.storage import keys
from chalicelib.storage.base import InstantAttribute, Record
from chalicelib.storage.cursor import going_on
from chalicelib.storage.outbox import NOTIFICATION_DAYS
from chalicelib.storage.transaction import Transaction

KEPT = timedelta(days=NOTIFICATION_DAYS + 2)
"""A notice stays longer than the last message that shows its text."""

READERS = 8
"""Rows written at the same time."""


class NoticeRow(Record, discriminator="notice"):
    """`E#504#NTC` / ulid; gsi1 lists those of one author."""

    by = UnicodeAttribute()
    author = UnicodeAttribute()
    made_at = InstantAttribute()
    send_at = InstantAttribute()
    subject = UnicodeAttribute()
    text = UnicodeAttribute()
    link = UnicodeAttribute(null=True)
    audience = JSONAttribute()
    state = UnicodeAttribute()
    job = UnicodeAttribute(null=True)
    begun_at = InstantAttribute(null=True)
    recipients = NumberAttribute(null=True)
    stopped_at = InstantAttribute(null=True)
    revision = NumberAttribute()
    expires_at = TTLAttribute()

    @classmethod
    def of(cls, notice: Notice) -> "NoticeRow":
        """The row of a notice."""
        return cls(
            keys.notices(notice.employer),
            notice.id,
            gsi1pk=keys.notices_by(notice.employer, notice.by),
            gsi1sk=notice.id,
            by=notice.by,
            author=notice.author,
            made_at=notice.made_at,
            send_at=notice.send_at,
            subject=notice.subject,
            text=notice.text,
            link=notice.link,
            audience=[_packed(each) for each in notice.audience],
            state=notice.state.value,
            job=notice.job,
            begun_at=notice.begun_at,
            recipients=notice.recipients,
            stopped_at=notice.stopped_at,
            revision=notice.revision,
            expires_at=notice.send_at + KEPT,
        )

    def notice(self) -> Notice:
        """The notice of this row."""
        return Notice(
            id=self.sk,
            employer=self.pk.split(keys.SEPARATOR)[1],
            by=self.by,
            author=self.author,
            made_at=self.made_at,
            send_at=self.send_at,
            subject=self.subject,
            text=self.text,
            link=self.link,
            audience=tuple(_audience(each) for each in self.audience),
            state=State(self.state),
            job=self.job,
            begun_at=self.begun_at,
            recipients=None if self.recipients is None else int(self.recipients),
            stopped_at=self.stopped_at,
            revision=int(self.revision),
        )


def _packed(audience: Audience) -> dict[str, Any]:
    return {
        "kind": audience.kind.value,
        "id": audience.id,
        "statuses": [each.value for each in audience.statuses],
        "colours": [each.value for each in audience.colours],
        "unit": audience.unit,
        "people": list(audience.people),
    }


def _audience(packed: dict[str, Any]) -> Audience:
    return Audience(
        AudienceKind(packed["kind"]),
        packed["id"],
        tuple(Status(each) for each in packed["statuses"]),
        tuple(Colour(each) for each in packed["colours"]),
        packed["unit"],
        tuple(packed["people"]),
    )


class StoppedRow(Record, discriminator="stopped notice"):
    """`E#504#NTC#STOPPED` / ulid: that a notice was stopped, which the mailer asks before each of its e-mails: in a row of its own,
    as the notice weighs what its words weigh.
    """

    expires_at = TTLAttribute()

    @classmethod
    def of(cls, notice: Notice) -> "StoppedRow":
        """The row of a notice that is stopped."""
        return cls(keys.stopped_notices(notice.employer), notice.id, expires_at=notice.send_at + KEPT)


class RecipientsRow(Record, discriminator="recipients"):
    """`E#504#JOB#ulid` / `TO#001`: whom a part of a notice is for, as its audience was when it began."""

    people = UnicodeAttribute()
    expires_at = TTLAttribute()


def create(transaction: Transaction, notice: Notice) -> None:
    """Add to a transaction: a new notice."""
    transaction.create(NoticeRow.of(notice))


def replace(transaction: Transaction, before: Notice, after: Notice) -> None:
    """Add to a transaction: a notice as it is now, if nobody changed it since it was read."""
    transaction.replace(NoticeRow.of(after), NoticeRow.revision == before.revision)
    if after.state is State.STOPPED:
        transaction.create(StoppedRow.of(after))


def notice(employer: str, notice_id: str) -> Notice | None:
    """A notice as it stands, strongly consistent, or None."""
    try:
        return NoticeRow.get(keys.notices(employer), notice_id, consistent_read=True).notice()
    except NoticeRow.DoesNotExist:
        return None


def was_stopped(employer: str, notice_id: str) -> bool:
    """Whether a notice was stopped, strongly consistent: at one read unit, however long it is."""
    return bool(list(StoppedRow.batch_get([(keys.stopped_notices(employer), notice_id)], consistent_read=True)))


@lru_cache(maxsize=64)
def words(employer: str, notice_id: str) -> Notice | None:
    """A notice for the sake of its words, which never change; its state may have."""
    return notice(employer, notice_id)


def page(employer: str, by: str | None, limit: int, after: Any) -> tuple[list[Notice], Any]:
    """A page of an employer's notices, or of those that one person wrote, newest first, and where to go on."""
    pk = keys.notices_by(employer, by) if by else keys.notices(employer)
    index, attribute = (Record.gsi1, "gsi1pk") if by else (Record, "pk")
    query = index.query(pk, scan_index_forward=False, limit=limit, last_evaluated_key=going_on(after, attribute, pk))
    return [row.notice() for row in query if isinstance(row, NoticeRow)], query.last_evaluated_key


# --- whom it is for ---------------------------------------------------------------------------------------------


def keep_recipients(employer: str, job: str, people: Sequence[str], now: datetime) -> list[str]:
    """Write whom a job that is about to begin will tell; the names of its parts. A job that never begins is told of by nobody."""
    parts = parts_of(people)
    pk, until = keys.work(employer, job), now + KEPT
    rows = [
        RecipientsRow(pk, keys.recipients(name), people=" ".join(told), expires_at=until)
        for name, told in parts.items()
    ]
    with ThreadPoolExecutor(READERS) as pool:
        list(pool.map(RecipientsRow.save, rows))
    return list(parts)


def recipients(employer: str, job: str) -> dict[str, tuple[str, ...]]:
    """Everybody whom a job tells, by part."""
    rows = RecipientsRow.query(keys.work(employer, job), RecipientsRow.sk.startswith("TO" + keys.SEPARATOR))
    return {row.sk.split(keys.SEPARATOR)[1]: tuple(row.people.split()) for row in rows}


def recipients_of_part(employer: str, job: str, part: str) -> tuple[str, ...]:
    """Whom one part of a job tells, strongly consistent."""
    row = RecipientsRow.get(keys.work(employer, job), keys.recipients(part), consistent_read=True)
    return tuple(row.people.split())
