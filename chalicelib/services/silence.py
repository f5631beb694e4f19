"""Looks whether a message is still true before it is sent (decision 0029)."""

from datetime import datetime

from chalicelib.domain import silence
from chalicelib.domain.notifications import Notification
from chalicelib.services import notice_text
from chalicelib.storage import enrolment as enrolments


def no_longer_true(notification: Notification, now: datetime) -> bool:
    """Whether a message tells somebody of a place that they have no longer, or is of a notice that was stopped. Reads the enrolment
    or notice, strongly consistent.
    """
    if notice_text.was_stopped(notification):
        return True
    if not silence.names_a_place(notification):
        return False
    data = notification.data
    place = enrolments.one(notification.person, notification.employer, data["class"], int(data["attempt"]))
    return place is not None and silence.no_longer_true(notification, place, now)
