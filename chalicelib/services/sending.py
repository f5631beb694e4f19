"""One e-mail, once: claim, send, record (decisions 0006 and 0029)."""

import random
import time
from dataclasses import replace
from datetime import datetime
from email.message import EmailMessage

from chalicelib import mail
from chalicelib.domain.notifications import Delivery, Notification, pause
from chalicelib.storage import outbox
from chalicelib.storage.base import StorageError
from chalicelib.storage.outbox import NotificationKey

RECORD_AGAIN_AFTER = (0.1, 0.3, 1.0)
"""Seconds between the attempts to record that SES has an e-mail. What is not recorded is sent once more."""


class NotSent(Exception):
    """SES refused the e-mail for what it is; the queue shall deliver the message again, and in the end park it."""


class Busy(Exception):
    """SES takes no e-mail now, or does not answer. The notification waits for its time in the pending index: nothing is lost, and
    nothing is used up. Whoever sends a batch goes on with the rest later.
    """


class Barred(Busy):
    """SES takes no e-mail of ours until somebody mends what is wrong: an alarm says so."""


def repeats(notification: Notification) -> bool:
    """Whether SES may have accepted this e-mail before: then it says so."""
    return notification.possibly_repeated or notification.delivery is Delivery.SENDING


def send(key: NotificationKey, notification: Notification, message: EmailMessage, now: datetime) -> None:
    """Send the e-mail of a notification as it was read, unless somebody else has claimed it. Raises NotSent or Busy.

    A crash after the claim leaves it SENDING until the lease ends, and the next attempt is marked as possibly repeated, because
    SES may have accepted the first.
    """
    if not outbox.claim(key, notification, now):
        return
    claimed = replace(notification, delivery=Delivery.SENDING, attempts=notification.attempts + 1)
    try:
        ses_id = mail.send(message, key.tags())
    except mail.Refused as refusal:
        outbox.refused(key, str(refusal))
        raise NotSent(str(refusal)) from refusal
    except (mail.Throttled, mail.Barred) as refusal:
        outbox.wait(key, claimed, Delivery.PENDING, _later(notification, now), str(refusal))
        raise (Barred if isinstance(refusal, mail.Barred) else Busy)(str(refusal)) from refusal
    except mail.Unanswered as silence:
        outbox.unanswered(key, now, _later(notification, now))
        raise Busy(str(silence)) from silence
    _record_sent(key, ses_id, now)


def _record_sent(key: NotificationKey, ses_id: str, now: datetime) -> None:
    for seconds in RECORD_AGAIN_AFTER:
        try:
            return outbox.record_sent(key, ses_id, now)
        except StorageError:
            time.sleep(seconds)
    return outbox.record_sent(key, ses_id, now)


def postpone(key: NotificationKey, notification: Notification, now: datetime) -> None:
    """Leave an e-mail for later, untried, because SES has just refused another or the time of whoever sends is over."""
    outbox.wait(key, notification, notification.delivery, _later(notification, now))


def _later(notification: Notification, now: datetime) -> datetime:
    return now + pause(now - (notification.queued_at or notification.at), random.random())
