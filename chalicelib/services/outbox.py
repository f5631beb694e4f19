"""From event to notification to e-mail, each step safe to repeat (architecture §3, outbox)."""

from datetime import datetime, timedelta

from chalicelib import mail, rendering
from chalicelib.domain.events import Event
from chalicelib.domain.notifications import TEMPLATES, Delivery, Notification, natural_key
from chalicelib.storage import outbox, people, queues
from chalicelib.storage.outbox import NotificationKey

SWEPT_AFTER = timedelta(minutes=5)
"""A notification still waiting this long after it became due is put back on the queue."""


class NotSent(Exception):
    """SES did not take the e-mail; the queue shall deliver the message again."""


class Unrenderable(Exception):
    """The event lacks what its message needs: repeating cannot help."""


def relay(event: Event) -> NotificationKey | None:
    """Write the notification that follows from an event and queue its e-mail. None if the event tells nobody.

    Delivered twice, it finds its notification written and queues it once more, which the mailer's claim makes harmless.
    """
    template = TEMPLATES.get(event.type)
    if template is None:
        return None
    try:
        rendered = rendering.render(template, event.data)
    except rendering.Incomplete as incomplete:
        raise Unrenderable(template) from incomplete
    key = outbox.put_if_absent(
        Notification(
            person=event.person,
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
    """Send the e-mail of a notification, once. Raises NotSent if SES refuses, so that the queue tries again.

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
    if notification.given_up:
        outbox.record_unsent(key, "given up after repeated refusals")
        return
    if not outbox.claim(key, notification, now):
        return
    repeated = notification.possibly_repeated or notification.delivery is Delivery.SENDING
    try:
        message = mail.compose(notification, person, possibly_repeated=repeated)
        ses_id = mail.send(message, notification.natural_key)
    except mail.BadAddress:
        outbox.record_unsent(key, "the address held is none")
    except mail.Refused as refused:
        outbox.release(key, refused.code)
        raise NotSent(refused.code) from refused
    except mail.Unanswered as unanswered:
        # Left SENDING: SES may have it, so the next attempt waits for the lease and is marked as possibly repeated.
        raise NotSent(str(unanswered)) from unanswered
    else:
        outbox.record_sent(key, ses_id)


def sweep(now: datetime) -> int:
    """Put back on the queue every notification whose e-mail is overdue; the number put back."""
    swept = 0
    for key in outbox.pending_before(now - SWEPT_AFTER):
        queues.queue_mail(key)
        swept += 1
    return swept
