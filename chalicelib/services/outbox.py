"""From event to notification to e-mail, each step safe to repeat (architecture §3, outbox)."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import islice

from chalicelib import mail, rendering
from chalicelib.domain.events import Event
from chalicelib.domain.notifications import (
    MAX_ATTEMPTS,
    SWEPT_AFTER,
    Delivery,
    Notification,
    messages,
    natural_key,
)
from chalicelib.storage import outbox, people, queues
from chalicelib.storage.outbox import NotificationKey


class NotSent(Exception):
    """SES did not take the e-mail; the queue shall deliver the message again."""


class Unrenderable(Exception):
    """The event lacks what its message needs: repeating cannot help."""


def relay(event: Event) -> list[NotificationKey]:
    """Write the notifications that follow from an event and queue their e-mails; none if the event tells nobody.

    Delivered twice, it finds them written and queues them once more, which the mailer's claim makes harmless.
    """
    return [_notify(event, template, person) for template, person in messages(event)]


def _notify(event: Event, template: str, person: str) -> NotificationKey:
    try:
        rendered = rendering.render(template, event.data)
    except rendering.Incomplete as incomplete:
        raise Unrenderable(template) from incomplete
    key = outbox.put_if_absent(
        Notification(
            person=person,
            employer=event.employer,
            template=template,
            natural_key=natural_key(event, template),
            at=event.at,
            subject=rendered.subject,
            text=rendered.text,
            data=event.data,
        )
    )
    queues.queue_mail(key)
    return key


def deliver(key: NotificationKey, now: datetime) -> None:
    """Send the e-mail of a notification, once. Raises NotSent if SES refuses: the queue tries again, and in the end parks it.

    A refusal that will pass (throttling, a fault of SES) never uses the e-mail up: the sweeper brings it back.

    Claim, send, record: a crash after the claim leaves it SENDING until the lease ends, and the next attempt is marked as
    possibly repeated, because SES may have accepted the first.
    """
    notification = outbox.notification(key)
    if notification is None or not notification.may_be_claimed(now):
        return
    person = people.person(notification.person)
    if person is None or not person.email:
        outbox.record_unsent(key, "no address held")
        return
    repeated = notification.possibly_repeated or notification.delivery is Delivery.SENDING
    try:
        message = mail.compose(notification, person, possibly_repeated=repeated)
    except mail.BadAddress:
        outbox.record_unsent(key, "the address held is none")
        return
    if not outbox.claim(key, notification, now):
        return
    try:
        ses_id = mail.send(message, notification.natural_key)
    except mail.Refused as refused:
        used_up = notification.attempts + 1 >= MAX_ATTEMPTS and not refused.passing
        (outbox.park if used_up else outbox.release)(key, refused.code)
        raise NotSent(refused.code) from refused
    except mail.Unanswered as unanswered:
        # Left SENDING: SES may have it, so the next attempt waits for the lease and is marked as possibly repeated.
        raise NotSent(str(unanswered)) from unanswered
    else:
        outbox.record_sent(key, ses_id)


def sweep(now: datetime) -> int:
    """Put back on the queue every notification whose e-mail is overdue; the number put back."""
    swept = 0
    for keys in batches(outbox.pending_before(now - SWEPT_AFTER), queues.BATCH):
        queues.queue_mails(keys)
        for key in keys:
            outbox.swept(key, now)
        swept += len(keys)
    return swept


def batches(keys: Iterable[NotificationKey], size: int) -> Iterator[list[NotificationKey]]:
    """The keys in lists of at most `size`, read as they are needed."""
    rest = iter(keys)
    while batch := list(islice(rest, size)):
        yield batch
