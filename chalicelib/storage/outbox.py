"""The outbox: events committed with the change they tell of, and the notifications that follow (architecture §3)."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import msgspec
from pynamodb.attributes import BooleanAttribute, JSONAttribute, NumberAttribute, UnicodeAttribute
from pynamodb.exceptions import PutError, UpdateError
from pynamodb.expressions.update import Action

from chalicelib.domain.events import Event, EventType
from chalicelib.domain.notifications import Delivery, Notification
from chalicelib.storage import keys
from chalicelib.storage.base import InstantAttribute, Message, MessageKey, code_of
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
    """`P#p` / `N#due#natural key`: one message to one person; in the pending index until its e-mail is dealt with."""

    employer = UnicodeAttribute()
    template = UnicodeAttribute()
    subject = UnicodeAttribute()
    text = UnicodeAttribute()
    data = JSONAttribute()
    delivery = UnicodeAttribute()
    claimed_at = InstantAttribute(null=True)
    attempts = NumberAttribute(default=0)
    possibly_repeated = BooleanAttribute(null=True)
    ses_id = UnicodeAttribute(null=True)
    failure = UnicodeAttribute(null=True)
    read_at = InstantAttribute(null=True)

    @classmethod
    def of(cls, notification: Notification) -> "NotificationRow":
        """The row of a new notification, waiting for its e-mail and unread."""
        pk, sk = keys.person(notification.person), keys.notification(notification.at, notification.natural_key)
        return cls(
            pk,
            sk,
            expires_at=notification.at + timedelta(days=NOTIFICATION_DAYS),
            pending_pk=keys.pending(int(keys.shard(sk, keys.PENDING_SHARDS))),
            due_at=keys.instant(notification.at),
            unread_pk=keys.unread(notification.person),
            unread_sk=sk,
            employer=notification.employer,
            template=notification.template,
            subject=notification.subject,
            text=notification.text,
            data=notification.data,
            delivery=Delivery.PENDING.value,
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
            text=self.text,
            data=self.data,
            delivery=Delivery(self.delivery),
            attempts=int(self.attempts),
            claimed_at=self.claimed_at,
            possibly_repeated=bool(self.possibly_repeated),
            read_at=self.read_at,
        )


class NotificationKey(msgspec.Struct, frozen=True):
    """Where a notification lies: what the mail queue carries."""

    pk: str
    sk: str


def emit(transaction: Transaction, event: Event) -> None:
    """Add to a transaction: the event, so that it is told if and only if the change happens."""
    transaction.create(EventRow.of(event))


def event_from_stream(image: dict[str, Any]) -> Event | None:
    """The event in a new image of the messages stream; None for rows of another kind."""
    if image.get("kind", {}).get("S") != "event":
        return None
    row: EventRow = EventRow.from_raw_data(image)
    return row.event()


def put_if_absent(notification: Notification) -> NotificationKey:
    """Write a notification once under its natural key; a replay finds it there and changes nothing."""
    row = NotificationRow.of(notification)
    try:
        row.save(NotificationRow.pk.does_not_exist())
    except PutError as failure:
        if code_of(failure) != "ConditionalCheckFailedException":
            raise
    return NotificationKey(row.pk, row.sk)


def notification(key: NotificationKey) -> Notification | None:
    """A notification, read strongly consistent, or None once its time is over."""
    try:
        return NotificationRow.get(key.pk, key.sk, consistent_read=True).notification()
    except NotificationRow.DoesNotExist:
        return None


def claim(key: NotificationKey, before: Notification, now: datetime) -> bool:
    """Take a notification for sending: PENDING, PARKED or abandoned SENDING to SENDING; False if somebody else was first.

    Taking over an abandoned claim marks the e-mail as possibly repeated: SES may have accepted it before the crash.
    """
    actions: list[Action] = [
        NotificationRow.delivery.set(Delivery.SENDING.value),
        NotificationRow.claimed_at.set(now),
        NotificationRow.attempts.set(before.attempts + 1),
    ]
    if before.delivery is Delivery.SENDING:
        actions.append(NotificationRow.possibly_repeated.set(True))
    condition = (NotificationRow.delivery == before.delivery.value) & (NotificationRow.attempts == before.attempts)
    try:
        NotificationRow(key.pk, key.sk).update(actions, condition)
    except UpdateError as failure:
        if code_of(failure) != "ConditionalCheckFailedException":
            raise
        return False
    return True


def record_sent(key: NotificationKey, ses_id: str) -> None:
    """SES accepted the e-mail: keep its id and leave the pending index."""
    _leave_pending(key, Delivery.SENT, [NotificationRow.ses_id.set(ses_id), NotificationRow.failure.remove()])


def record_unsent(key: NotificationKey, why: str) -> None:
    """No e-mail can be sent (no address held): the inbox still shows the message."""
    _leave_pending(key, Delivery.FAILED, [NotificationRow.failure.set(why)])


def park(key: NotificationKey, why: str) -> None:
    """SES refused as often as the queue delivers: the queue parks its message now, and a redrive may still send it."""
    _leave_pending(key, Delivery.PARKED, [NotificationRow.failure.set(why)])


def swept(key: NotificationKey, now: datetime) -> None:
    """Put back on the queue just now: not due again before the queue has tried. Dealt with meanwhile: leave it alone."""
    try:
        NotificationRow(key.pk, key.sk).update(
            [NotificationRow.due_at.set(keys.instant(now))], NotificationRow.pending_pk.exists()
        )
    except UpdateError as failure:
        if code_of(failure) != "ConditionalCheckFailedException":
            raise


def release(key: NotificationKey, why: str) -> None:
    """SES refused for now: back to PENDING, so that the queue's next delivery may try again."""
    NotificationRow(key.pk, key.sk).update(
        [NotificationRow.delivery.set(Delivery.PENDING.value), NotificationRow.failure.set(why)]
    )


def _leave_pending(key: NotificationKey, delivery: Delivery, actions: list[Action]) -> None:
    NotificationRow(key.pk, key.sk).update(
        [
            *actions,
            NotificationRow.delivery.set(delivery.value),
            NotificationRow.pending_pk.remove(),
            NotificationRow.due_at.remove(),
        ]
    )


def pending_before(instant: datetime) -> Iterable[NotificationKey]:
    """Notifications whose e-mail has been due since before an instant: what the sweeper puts back on the queue."""
    for shard in range(keys.PENDING_SHARDS):
        for row in MessageKey.pending.query(keys.pending(shard), MessageKey.due_at < keys.instant(instant)):
            yield NotificationKey(row.pk, row.sk)


def inbox(person_id: str, limit: int, after: dict[str, Any] | None) -> tuple[list[Notification], dict[str, Any] | None]:
    """A page of a person's notifications, newest first, and the key to go on from (None at the end)."""
    query = NotificationRow.query(
        keys.person(person_id),
        NotificationRow.sk.startswith("N" + keys.SEPARATOR),
        scan_index_forward=False,
        limit=limit,
        last_evaluated_key=going_on(after, "pk", keys.person(person_id)),
    )
    page = [row.notification() for row in query]
    return page, query.last_evaluated_key
