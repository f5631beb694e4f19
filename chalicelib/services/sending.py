"""One e-mail, once: claim, send, record (decisions 0006 and 0029)."""

import random
from dataclasses import replace
from datetime import datetime
from email.message import EmailMessage

from chalicelib import mail
from chalicelib.domain.notifications import MAX_ATTEMPTS, Delivery, Notification, pause
from chalicelib.storage import outbox
from chalicelib.storage.outbox import NotificationKey


class NotSent(Exception):
    """SES refused the e-mail for what it is; the queue shall deliver the message again, and in the end park it."""


class Busy(Exception):
    """SES takes no e-mail now, or does not answer. The notification waits for its time in the pending index: nothing is lost, and
    nothing is used up. Whoever sends a batch goes on with the rest later.
    """


def repeats(notification: Notification) -> bool:
    """Whether SES may have accepted this e-mail before: then it says so."""
    return notification.possibly_repeated or notification.delivery is Delivery.SENDING


def send(key: NotificationKey, notification: Notification, message: EmailMessage, now: datetime) -> bool:
    """Send the e-mail of a notification as it was read; False if somebody else has claimed it. Raises NotSent or Busy.

    A crash after the claim leaves it SENDING until the lease ends, and the next attempt is marked as possibly repeated, because
    SES may have accepted the first.
    """
    if not outbox.claim(key, notification, now):
        return False
    claimed = replace(notification, delivery=Delivery.SENDING, attempts=notification.attempts + 1)
    try:
        ses_id = mail.send(message, key.tags())
    except mail.Refused as refusal:
        if refusal.passing:
            until = now + pause(claimed.attempts, random.random())
            outbox.wait(key, claimed, Delivery.PENDING, until, refusal.code)
            raise Busy(refusal.code) from refusal
        outbox.refused(key, refusal.code, now if claimed.attempts >= MAX_ATTEMPTS else None)
        raise NotSent(refusal.code) from refusal
    except mail.Unanswered as silence:
        outbox.unanswered(key, now)
        raise Busy(str(silence)) from silence
    outbox.record_sent(key, ses_id, now)
    return True


def postpone(key: NotificationKey, notification: Notification, now: datetime) -> None:
    """Leave an e-mail for later, untried, because SES has just refused another."""
    outbox.wait(key, notification, notification.delivery, now + pause(notification.attempts + 1, random.random()))
