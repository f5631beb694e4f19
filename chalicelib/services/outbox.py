"""From event to notification to e-mail, each step safe to repeat (architecture §3, decisions 0006 and 0029)."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from itertools import groupby, islice
from typing import Any, TypeVar

from chalicelib import mail, rendering
from chalicelib.domain.calendar import london_day, london_time
from chalicelib.domain.events import Event
from chalicelib.domain.mailbox import Mailbox
from chalicelib.domain.message_settings import MessageSettings
from chalicelib.domain.notifications import Delivery, Notification, Timing, messages, natural_key
from chalicelib.domain.people import Person
from chalicelib.services import digests, notice_text, sending, silence, unreachable
from chalicelib.storage import mailboxes, outbox, queues
from chalicelib.storage.digests import DIGEST
from chalicelib.storage.message_settings import settings_of
from chalicelib.storage.outbox import NotificationKey

T = TypeVar("T")
R = TypeVar("R")

WRITTEN_AT_ONCE = 10
"""Rows that are written beside each other."""

MORNING = 8
"""The hour in London at which e-mails over a day's cap go on."""


class Unrenderable(Exception):
    """The event lacks what its message needs: repeating cannot help."""


def notify(event: Event, now: datetime) -> list[NotificationKey]:
    """Write the notifications that follow from an event; those whose e-mails are to be queued now. Raises Unrenderable.

    Delivered twice, it finds them written and names them once more, which the mailer's claim makes harmless. What goes with a
    digest is kept for it, if it can wait so long.
    """
    written = _beside(lambda each: _written(each, now), _notifications(event, now))
    return list(dict.fromkeys(key for key in written if key is not None))


def _beside(do: Callable[[T], R], rows: Sequence[T]) -> list[R]:
    if len(rows) < 2:
        return [do(row) for row in rows]
    with ThreadPoolExecutor(WRITTEN_AT_ONCE) as several:
        return list(several.map(do, rows))


def _notifications(event: Event, now: datetime) -> list[Notification]:
    """The notifications of an event. What is the same for several people is rendered once."""
    found = []
    for (template, data), told in groupby(messages(event), lambda each: (each[0], each[2])):
        subject = _subject(template, data)
        found += [
            Notification(
                person=person,
                employer=event.employer,
                template=template,
                natural_key=natural_key(event, template),
                at=event.at,
                subject=subject,
                data=data,
                queued_at=now,
            )
            for _, person, _ in told
        ]
    return found


def _subject(template: str, data: dict[str, Any]) -> str:
    """The subject; rendering all of it finds out now whether anything is missing."""
    try:
        return rendering.render(template, data).subject
    except rendering.Incomplete as incomplete:
        raise Unrenderable(template) from incomplete


def _written(notification: Notification, now: datetime) -> NotificationKey | None:
    if notification.timing is Timing.DIGEST and digests.keep(notification, now):
        return None
    return outbox.put_if_absent(notification)


def deliver(key: NotificationKey, now: datetime) -> None:
    """Send the e-mail of a notification, once, if it is due, still true and its address takes e-mail.

    Raises NotSent if SES refuses this e-mail, Busy if it takes none now.
    """
    notification = _to_send(key, now)
    if notification is not None and notification.delivery is Delivery.HELD:
        notification = digests.close(key, notification, now)
    if notification is None:
        return
    if silence.no_longer_true(notification, now):
        outbox.record_unsent(key, notification, Delivery.SUPERSEDED, None, now)
        return
    person, mailbox = mailboxes.with_mailbox(notification.person)
    if digests.may_wait(notification, mailbox, now):
        digests.hold(key, notification, now)
    else:
        _send(key, notification, person, mailbox, now)


def _to_send(key: NotificationKey, now: datetime) -> Notification | None:
    """A notification that may be claimed; None also for one that only a digest tells."""
    found = outbox.notification(key)
    if found is None or not found.may_be_claimed(now):
        return None
    return None if found.delivery is Delivery.HELD and found.template != DIGEST else found


def _send(
    key: NotificationKey, notification: Notification, person: Person | None, mailbox: Mailbox, now: datetime
) -> None:
    if person is None:
        outbox.record_unsent(key, notification, Delivery.FAILED, "nobody is known under this id", now)
        return
    notification = unreachable.readdressed(notification, mailbox)
    address = mail.address_of(notification, person)
    if obstacle := unreachable.obstacle(address, mailbox, now):
        unreachable.remember(notification.employer, person, obstacle, now)
        outbox.record_unsent(key, notification, unreachable.ENDS_AS[obstacle.kind], obstacle.kind.value, now)
        return
    settings = settings_of(notification.employer)
    tomorrow = london_time(london_day(now) + timedelta(days=1), MORNING)
    if not _within_cap(notification, settings, now) and digests.can_wait(notification, tomorrow):
        outbox.wait(key, notification, Delivery.PENDING, tomorrow, "the day's limit is reached")
        return
    spelled_out = notice_text.spelled_out(notification)
    message = mail.compose(spelled_out, person, settings, possibly_repeated=sending.repeats(notification))
    sending.send(key, notification, message, now)


def _within_cap(notification: Notification, settings: MessageSettings, now: datetime) -> bool:
    """Whether the employer's cap leaves room for this e-mail today. What is urgent is not counted; what was tried before was
    counted then.
    """
    if settings.daily_cap is None or notification.timing is Timing.AT_ONCE or notification.attempts:
        return True
    return outbox.may_send_today(notification.employer, london_day(now), settings.daily_cap)


def postpone(key: NotificationKey, now: datetime) -> None:
    """Leave an e-mail for later, untried, because SES has just refused another of its batch or its time is over."""
    notification = _to_send(key, now)
    if notification is not None:
        sending.postpone(key, notification, now)


def parked(key: NotificationKey, now: datetime) -> None:
    """The queue has delivered the message of a notification for the last time, in vain."""
    outbox.parked(key, now)


def sweep(now: datetime) -> int:
    """Put back on the queue every notification whose time has come; how many."""
    swept = 0
    for batch in batches(outbox.due(now), queues.BATCH):
        queues.queue_mails([each.key for each in batch])
        _beside(outbox.queued, batch)
        swept += len(batch)
    return swept


def batches(found: Iterable[T], size: int) -> Iterator[list[T]]:
    """What is found, in lists of at most `size`, read as they are needed."""
    rest = iter(found)
    while batch := list(islice(rest, size)):
        yield batch
