"""Digests: what waits for one, and the e-mail that tells it (decision 0030)."""

from datetime import datetime, timedelta
from typing import Any

from pynamodb.attributes import JSONAttribute, UnicodeAttribute

from chalicelib.domain.notifications import Delivery, Notification
from chalicelib.storage import keys
from chalicelib.storage.base import InstantAttribute, Message, MessageKey, created
from chalicelib.storage.outbox import NOTIFICATION_DAYS, NotificationKey, NotificationRow, change, key_of

DIGEST = "digest"
"""The template of digests."""

WINDOW = timedelta(hours=49)
"""How long before a digest the oldest message that it tells of can be: it was a day old at most when it was held, and waited for
a day at most. One hour more where clocks change."""


class KeptRow(Message, discriminator="kept"):
    """`P#m` / `D#504#natural key`: news of somebody's people. The first writing settles which digest tells it (`due`)."""

    employer = UnicodeAttribute()
    template = UnicodeAttribute()
    subject = UnicodeAttribute()
    data = JSONAttribute()
    at = InstantAttribute()
    due = InstantAttribute()

    @classmethod
    def of(cls, notification: Notification, due: datetime) -> "KeptRow":
        """The row of a message that waits for a digest."""
        return cls(
            keys.person(notification.person),
            keys.kept(notification.employer, notification.natural_key),
            unread_pk=keys.kept_for_digest(notification.person, notification.employer),
            unread_sk=keys.kept_for_digest_sort(due, notification.natural_key),
            expires_at=notification.at + timedelta(days=NOTIFICATION_DAYS),
            employer=notification.employer,
            template=notification.template,
            subject=notification.subject,
            data=notification.data,
            at=notification.at,
            due=due,
        )

    def notification(self) -> Notification:
        """The message of this row, which has no e-mail of its own."""
        *_, natural_key = self.sk.split(keys.SEPARATOR, 2)
        return Notification(
            person=self.pk.split(keys.SEPARATOR)[1],
            employer=self.employer,
            template=self.template,
            natural_key=natural_key,
            at=self.at,
            subject=self.subject,
            data=self.data,
            delivery=Delivery.HELD,
            due_at=self.due,
        )


def keep(notification: Notification, due: datetime) -> datetime:
    """Keep news of somebody's people for the digest of an instant; the instant for which it is kept, if it is already."""
    row = KeptRow.of(notification, due)
    if created(row):
        return due
    kept: datetime = KeptRow.get(row.pk, row.sk, consistent_read=True).due
    return kept


def is_kept(notification: Notification) -> bool:
    """Whether news of somebody's people wait for a digest, or were told by one."""
    try:
        KeptRow.get(
            keys.person(notification.person),
            keys.kept(notification.employer, notification.natural_key),
            consistent_read=True,
        )
    except KeptRow.DoesNotExist:
        return False
    return True


def hold(key: NotificationKey, due: datetime) -> bool:
    """Let a message that is about to be sent wait for a digest; False if somebody has dealt with it meanwhile.

    It is in no index: the digest finds it, and brings what it waits for.
    """
    actions = [NotificationRow.delivery.set(Delivery.HELD.value), NotificationRow.due_at.set(keys.instant(due))]
    return change(key, actions, NotificationRow.delivery == Delivery.PENDING.value)


def open_(digest: Notification, due: datetime) -> None:
    """Write a digest that is due at an instant and listed nowhere, unless it is there."""
    row = NotificationRow.of(digest)
    row.unread_pk = keys.unlisted(digest.person)
    row.pending_pk = keys.pending(int(keys.shard(row.sk, keys.PENDING_SHARDS)))
    row.due_at = keys.instant(due)
    created(row)


def close(key: NotificationKey, subject: str, data: dict[str, Any], listed: bool, now: datetime) -> bool:
    """Say what a digest holds, once: it is in the inbox then if it is `listed`. False if somebody else has closed it."""
    actions = [
        NotificationRow.delivery.set(Delivery.PENDING.value),
        NotificationRow.subject.set(subject),
        NotificationRow.data.set(data),
        NotificationRow.queued_at.set(now),
        NotificationRow.due_at.remove(),
        NotificationRow.pending_pk.remove(),
    ]
    if listed:
        person_id = key.pk.split(keys.SEPARATOR)[1]
        actions.append(NotificationRow.unread_pk.set(keys.unread(person_id)))
    return change(key, actions, NotificationRow.delivery == Delivery.HELD.value)


def waiting_for(person_id: str, employer: str, due: datetime) -> list[Notification]:
    """What waits for the digest of an instant: news of somebody's people, then what is about themself, each in the order of keys.
    What has been found untrue meanwhile is among it, so that this holds still.

    When the instant has come nothing is added: nothing waits for a digest of the next minutes, which is longer than indexes lag.
    """
    return [*_news(person_id, employer, due), *_own(person_id, employer, due)]


def _news(person_id: str, employer: str, due: datetime) -> list[Notification]:
    found = MessageKey.unread.query(
        keys.kept_for_digest(person_id, employer),
        MessageKey.unread_sk.startswith(keys.instant(due) + keys.SEPARATOR),
    )
    rows = KeptRow.batch_get([(each.pk, each.sk) for each in found], consistent_read=True)
    return [row.notification() for row in sorted(rows, key=lambda each: str(each.sk))]


def _own(person_id: str, employer: str, due: datetime) -> list[Notification]:
    rows = NotificationRow.query(
        keys.person(person_id),
        NotificationRow.sk.between(keys.notified_from(due - WINDOW), keys.notified_from(due)),
        NotificationRow.delivery.is_in(Delivery.HELD.value, Delivery.SUPERSEDED.value)
        & (NotificationRow.due_at == keys.instant(due))
        & (NotificationRow.employer == employer)
        & (NotificationRow.template != DIGEST),
        consistent_read=True,
    )
    return [row.notification() for row in rows]


def supersede(held: Notification, now: datetime) -> None:
    """A message is no longer true when its digest goes: no e-mail tells it."""
    actions = [NotificationRow.delivery.set(Delivery.SUPERSEDED.value), NotificationRow.settled_at.set(now)]
    change(key_of(held), actions, NotificationRow.delivery == Delivery.HELD.value)
