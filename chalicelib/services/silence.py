"""Looks whether a message is still true before it is sent (decision 0029)."""

from datetime import datetime

from chalicelib.domain import silence
from chalicelib.domain.notifications import Notification
from chalicelib.services import notice_text
from chalicelib.storage import enrolment as enrolments


def no_longer_true(notification: Notification, now: datetime) -> bool:
    """Whether a message is of a notice that was stopped, or tells of a place, of training or of a certification that do not stand
    as it says any more. Reads what it is about, strongly consistent; of most messages nothing.
    """
    return (
        notice_text.was_stopped(notification)
        or _place_has_changed(notification, now)
        or _nothing_left_to_do(notification)
        or _certification_no_longer_due(notification)
    )


def _learner(notification: Notification) -> str:
    """Whom a message is about: not its recipient, where that is their manager."""
    person: str = notification.data.get("person", notification.person)
    return person


def _place_has_changed(notification: Notification, now: datetime) -> bool:
    if not silence.names_a_place(notification):
        return False
    data = notification.data
    place = enrolments.one(_learner(notification), notification.employer, data["class"], int(data["attempt"]))
    return place is not None and silence.no_longer_true(notification, place, now)


def _nothing_left_to_do(notification: Notification) -> bool:
    if not silence.names_what_is_to_do(notification):
        return False
    from chalicelib.storage.projection import snapshots_of

    return silence.nothing_left_to_do(notification, snapshots_of(_learner(notification), notification.employer))


def _certification_no_longer_due(notification: Notification) -> bool:
    if notification.template not in silence.CERTIFICATIONS:
        return False
    from chalicelib.storage import certifications

    data = notification.data
    subscription = certifications.one(_learner(notification), notification.employer, data["certification"])
    return silence.certification_no_longer_due(notification, subscription)
