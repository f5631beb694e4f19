"""The outbox: events committed with the change they tell of, and the notifications that follow (architecture §3)."""

import base64
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import msgspec
from pynamodb.attributes import BooleanAttribute, JSONAttribute, NumberAttribute, UnicodeAttribute
from pynamodb.expressions.condition import Condition
from pynamodb.expressions.operand import Path
from pynamodb.expressions.update import Action

from chalicelib.domain.events import Event, EventType
from chalicelib.domain.notifications import FEEDBACK, LEASE, Delivery, Notification
from chalicelib.storage import keys
from chalicelib.storage.base import InstantAttribute, Message, MessageKey, changed, created, read_many
from chalicelib.storage.cursor import going_on
from chalicelib.storage.transaction import Transaction

EVENT_DAYS = 35
"""Events stay this long, for an audit of the outbox; the stream has long passed them on."""

NOTIFICATION_DAYS = 400
"""Notifications stay in the inbox this long (issue: kept 400 days)."""


class EventRow(Message, discriminator="event"):
    """`EVT#minute#shard` / ulid."""

    type = UnicodeAttribute()
    employer = UnicodeAttribute()
    person = UnicodeAttribute(null=True)
    at = InstantAttribute()
    data = JSONAttribute()

    @classmethod
    def of(cls, event: Event) -> "EventRow":
        """The row of an event."""
        return cls(
            keys.event(event.at, event.id),
            event.id,
            expires_at=event.at + timedelta(days=EVENT_DAYS),
            type=event.type.value,
            employer=event.employer,
            person=event.person,
            at=event.at,
            data=event.data,
        )

    def event(self) -> Event:
        """The event of this row."""
        return Event(self.sk, EventType(self.type), self.employer, self.person, self.at, self.data)


class NotificationRow(Message, discriminator="notification"):
    """`P#p` / `N#due#natural key`: one message to one person. It is at most a kilobyte, as its text is rendered when it is read.

    In the pending index while it waits for its time: refused, unanswered, over the day's cap or held for a digest. What has just
    been queued is not: the queue brings it back, and a row that is in no index is a write less (decision 0029).
    """

    employer = UnicodeAttribute()
    template = UnicodeAttribute()
    subject = UnicodeAttribute()
    data = JSONAttribute()
    delivery = UnicodeAttribute()
    queued_at = InstantAttribute(null=True)
    claimed_at = InstantAttribute(null=True)
    sent_at = InstantAttribute(null=True)
    settled_at = InstantAttribute(null=True)
    attempts = NumberAttribute(default=0)
    possibly_repeated = BooleanAttribute(null=True)
    ses_id = UnicodeAttribute(null=True)
    failure = UnicodeAttribute(null=True)
    read_at = InstantAttribute(null=True)
    archived_at = InstantAttribute(null=True)

    @classmethod
    def of(cls, notification: Notification) -> "NotificationRow":
        """The row of a new notification, queued and unread."""
        pk, sk = keys.person(notification.person), keys.notification(notification.at, notification.natural_key)
        return cls(
            pk,
            sk,
            expires_at=notification.at + timedelta(days=NOTIFICATION_DAYS),
            unread_pk=keys.unread(notification.person),
            unread_sk=sk,
            employer=notification.employer,
            template=notification.template,
            subject=notification.subject,
            data=notification.data,
            delivery=notification.delivery.value,
            queued_at=notification.queued_at,
        )

    def notification(self) -> Notification:
        """The notification of this row."""
        _, due, natural_key = self.sk.split(keys.SEPARATOR, 2)
        return Notification(
            person=self.pk.split(keys.SEPARATOR)[1],
            employer=self.employer,
            template=self.template,
            natural_key=natural_key,
            at=datetime.fromisoformat(due),
            subject=self.subject,
            data=self.data,
            delivery=Delivery(self.delivery),
            attempts=int(self.attempts),
            queued_at=self.queued_at,
            claimed_at=self.claimed_at,
            sent_at=self.sent_at,
            settled_at=self.settled_at,
            due_at=datetime.fromisoformat(self.due_at) if self.due_at else None,
            why=self.failure,
            possibly_repeated=bool(self.possibly_repeated),
            read_at=self.read_at,
            archived_at=self.archived_at,
        )


class SentRow(Message, discriminator="sent"):
    """`CAP#504` / `2026-11-23`: how many e-mails that are not urgent an employer has sent on a London day."""

    sent = NumberAttribute(default=0)


TAG_LENGTH = 256
"""As long as a value of a message tag of SES may be; it allows letters, digits, `-` and `_`."""


class NotificationKey(msgspec.Struct, frozen=True):
    """Where a notification lies: what the mail queue carries, and the tags of its e-mail."""

    pk: str
    sk: str

    @classmethod
    def of(cls, person_id: str, at: datetime, natural_key: str) -> "NotificationKey":
        """Where the message of an instant with this natural key lies."""
        return cls(keys.person(person_id), keys.notification(at, natural_key))

    def tags(self) -> dict[str, str]:
        """The key as tags of an e-mail, from which SES's reports find it; none if it is longer than tags may be."""
        tags = {name: _as_tag(part) for name, part in (("partition", self.pk), ("message", self.sk))}
        return tags if all(len(each) <= TAG_LENGTH for each in tags.values()) else {}

    @classmethod
    def from_tags(cls, tags: Mapping[str, str]) -> "NotificationKey":
        """The key that tags name; raises ValueError or KeyError for anything else."""
        return cls(_from_tag(tags["partition"]), _from_tag(tags["message"]))


def key_of(notification: Notification) -> NotificationKey:
    """Where a notification lies."""
    return NotificationKey.of(notification.person, notification.at, notification.natural_key)


def _as_tag(part: str) -> str:
    return base64.urlsafe_b64encode(part.encode()).decode().rstrip("=")


def _from_tag(tag: str) -> str:
    return base64.urlsafe_b64decode(tag + "=" * (-len(tag) % 4)).decode()


def emit(transaction: Transaction, event: Event) -> None:
    """Add to a transaction: the event, so that it is told if and only if the change happens."""
    transaction.create(EventRow.of(event))


def emit_missing(events: Iterable[Event]) -> None:
    """Write those of some events (up to 100) that are not written yet, together: for events whose ids follow from what they tell,
    so that telling it again is nothing new. Raises Stale if somebody else writes one at the same time.
    """
    rows = {(row.pk, row.sk): row for row in map(EventRow.of, events)}
    there = {(row.pk, row.sk) for row in EventRow.batch_get(list(rows), consistent_read=True)}
    transaction = Transaction()
    for key, row in rows.items():
        if key not in there:
            transaction.create(row)
    transaction.commit()


def emit_once(event: Event) -> bool:
    """Tell of what time has brought and no change goes with, under an id that is always the same; False if it was told before."""
    return created(EventRow.of(event))


def written(event: Event) -> Event | None:
    """What was told under an event's id at its instant, read strongly consistent; None if nothing was."""
    rows = EventRow.batch_get([(keys.event(event.at, event.id), event.id)], consistent_read=True)
    return next((row.event() for row in rows), None)


def event_from_stream(image: dict[str, Any]) -> Event | None:
    """The event in a new image of the messages stream; None for rows of another kind."""
    if image.get("kind", {}).get("S") != "event":
        return None
    row: EventRow = EventRow.from_raw_data(image)
    return row.event()


def put_if_absent(notification: Notification) -> NotificationKey:
    """Write a notification once under its natural key; a replay finds it there and changes nothing."""
    row = NotificationRow.of(notification)
    created(row)
    return NotificationKey(row.pk, row.sk)


def notification(key: NotificationKey) -> Notification | None:
    """A notification, read strongly consistent, or None once its time is over."""
    try:
        return NotificationRow.get(key.pk, key.sk, consistent_read=True).notification()
    except NotificationRow.DoesNotExist:
        return None


def notifications(wanted: Iterable[NotificationKey]) -> dict[NotificationKey, Notification]:
    """Notifications by their keys, a hundred in a read and eight reads at once; those that are not there are missing. May lag."""
    rows = read_many(NotificationRow, [(each.pk, each.sk) for each in wanted])
    return {NotificationKey(row.pk, row.sk): row.notification() for row in rows}


def claim(key: NotificationKey, before: Notification, now: datetime) -> bool:
    """Take a notification for sending: from the state it was read in to SENDING; False if somebody else was first.

    Taking over an abandoned claim marks the e-mail as possibly repeated: SES may have accepted it before the crash.
    """
    actions: list[Action] = [
        NotificationRow.delivery.set(Delivery.SENDING.value),
        NotificationRow.claimed_at.set(now),
        NotificationRow.attempts.set(before.attempts + 1),
    ]
    if before.delivery is Delivery.SENDING:
        actions.append(NotificationRow.possibly_repeated.set(True))
    return change(key, actions, _as_read(before))


def _as_read(before: Notification) -> Condition:
    unchanged: Condition = (NotificationRow.delivery == before.delivery.value) & (
        NotificationRow.attempts == before.attempts
    )
    return unchanged


def change(key: NotificationKey, actions: Sequence[Action], condition: Condition) -> bool:
    """Change a notification if the condition holds; False if it does not, or the notification is gone."""
    return changed(NotificationRow(key.pk, key.sk), actions, condition)


_WAIT_IS_OVER: list[Action] = [Path("pending_pk").remove(), Path("due_at").remove()]


def record_sent(key: NotificationKey, ses_id: str, now: datetime) -> None:
    """SES accepted the e-mail: keep its id. If SES has reported on it already, that stays."""
    known: list[Action] = [NotificationRow.ses_id.set(ses_id), NotificationRow.sent_at.set(now), *_WAIT_IS_OVER]
    sent = [NotificationRow.delivery.set(Delivery.SENT.value), NotificationRow.failure.remove()]
    if not change(key, [*known, *sent], NotificationRow.delivery == Delivery.SENDING.value):
        change(key, known, NotificationRow.pk.exists())


def record_unsent(
    key: NotificationKey, before: Notification, delivery: Delivery, why: str | None, now: datetime
) -> bool:
    """No e-mail is sent, and why: the inbox shows the message all the same. False if somebody else dealt with it meanwhile."""
    actions = [NotificationRow.delivery.set(delivery.value), NotificationRow.settled_at.set(now), *_WAIT_IS_OVER]
    actions.append(NotificationRow.failure.set(why) if why else NotificationRow.failure.remove())
    return change(key, actions, _as_read(before))


def wait(
    key: NotificationKey, before: Notification, delivery: Delivery, until: datetime, why: str | None = None
) -> bool:
    """Leave a notification until an instant, when the sweeper queues it. False if it was dealt with meanwhile."""
    actions: list[Action] = [NotificationRow.delivery.set(delivery.value), *waiting(key.sk, until)]
    if why:
        actions.append(NotificationRow.failure.set(why))
    return change(key, actions, _as_read(before))


def waiting(sk: str, until: datetime) -> list[Action]:
    """What puts the notification with this sort key into the pending index until an instant."""
    shard = int(keys.shard(sk, keys.PENDING_SHARDS))
    return [Path("pending_pk").set(keys.pending(shard)), Path("due_at").set(keys.instant(until))]


def unanswered(key: NotificationKey, claimed_at: datetime, until: datetime) -> None:
    """SES did not answer: look again at an instant once the claim has run out, unless it reports on the e-mail before."""
    change(
        key,
        waiting(key.sk, max(until, claimed_at + LEASE + timedelta(seconds=1))),
        NotificationRow.delivery == Delivery.SENDING.value,
    )


def refused(key: NotificationKey, why: str) -> None:
    """SES refused the e-mail for what it is: the queue's next delivery tries again."""
    actions: list[Action] = [NotificationRow.delivery.set(Delivery.PENDING.value), NotificationRow.failure.set(why)]
    change(key, actions, NotificationRow.delivery == Delivery.SENDING.value)


def parked(key: NotificationKey, now: datetime) -> None:
    """The queue has given up on the message and parks it: unless SES may have the e-mail, or it waits for a time of its own."""
    actions: list[Action] = [NotificationRow.delivery.set(Delivery.PARKED.value), NotificationRow.settled_at.set(now)]
    change(key, actions, (NotificationRow.delivery == Delivery.PENDING.value) & Path("pending_pk").does_not_exist())


def report(key: NotificationKey, delivery: Delivery, at: datetime, why: str | None) -> bool:
    """What SES reports of an e-mail it has; False if that is older news than what is known, or the message is gone: one write."""
    actions = [NotificationRow.delivery.set(delivery.value), NotificationRow.settled_at.set(at), *_WAIT_IS_OVER]
    actions.append(NotificationRow.failure.set(why) if why else NotificationRow.failure.remove())
    known = [each.value for each in FEEDBACK[delivery]]
    return change(key, actions, NotificationRow.delivery.is_in(*known))


def note(key: NotificationKey, why: str) -> None:
    """What SES reports that is not final: the e-mail stays as it is."""
    change(key, [NotificationRow.failure.set(why)], NotificationRow.pk.exists())


def may_send_today(employer: str, day: date, cap: int) -> bool:
    """Count one e-mail of an employer's London day, unless the cap is reached."""
    row = SentRow(keys.daily_cap(employer), day.isoformat())
    counted: list[Action] = [
        SentRow.kind.set(SentRow),
        SentRow.sent.add(1),
        SentRow.expires_at.set(datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=3)),
    ]
    return changed(row, counted, SentRow.sent.does_not_exist() | (SentRow.sent < cap))


class Waiting(msgspec.Struct, frozen=True):
    """A notification that waits until an instant."""

    key: NotificationKey
    until: str


def due(now: datetime) -> Iterable[Waiting]:
    """Notifications that have waited long enough: what the sweeper puts back on the queue."""
    for shard in range(keys.PENDING_SHARDS):
        for row in MessageKey.pending.query(keys.pending(shard), MessageKey.due_at <= keys.instant(now)):
            yield Waiting(NotificationKey(row.pk, row.sk), row.due_at)


def queued(waiting: Waiting) -> None:
    """The queue has it: it waits no more. If it was dealt with meanwhile, or waits for another instant, that stays."""
    change(waiting.key, [Path("pending_pk").remove()], Path("due_at") == waiting.until)


def of_person(
    person_id: str, employer: str, limit: int, after: dict[str, Any] | None
) -> tuple[list[Notification], dict[str, Any] | None]:
    """A page of what an employer has told somebody, newest first, and where to go on: what is in their inbox. That is one of all
    employers', so that this reads past what others have told them.
    """
    query = NotificationRow.query(
        keys.person(person_id),
        NotificationRow.sk.startswith("N" + keys.SEPARATOR),
        (NotificationRow.employer == employer)
        & (NotificationRow.unread_pk.does_not_exist() | (NotificationRow.unread_pk != keys.unlisted(person_id))),
        scan_index_forward=False,
        limit=limit,
        last_evaluated_key=going_on(after, "pk", keys.person(person_id)),
    )
    return [row.notification() for row in query], query.last_evaluated_key
