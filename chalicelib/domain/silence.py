"""Silence when it no longer matters: messages that are no longer true when they are to be sent (domain.md §9, decision 0029)."""

from datetime import datetime

from chalicelib.domain.enrolment import OPEN, Enrolment, Status
from chalicelib.domain.notifications import Notification

ANNOUNCED: dict[str, frozenset[Status]] = {
    "enrolment_confirmed": frozenset({Status.CONFIRMED}),
    "enrolment_promoted": frozenset({Status.CONFIRMED}),
    "enrolment_waitlisted": frozenset({Status.WAITLISTED}),
    "enrolment_approved": frozenset({Status.CONFIRMED, Status.WAITLISTED}),
    "enrolment_changed": OPEN,
    "class_reminder": frozenset({Status.CONFIRMED}),
}
"""The states in which an enrolment must be for a message about a place to be true."""


def cancels_in_calendar(notification: Notification) -> bool:
    """Whether a message takes a class out of a calendar, which it must do whatever has happened since."""
    data = notification.data
    return bool(
        notification.template == "enrolment_waitlisted" and data.get("sessions") and data.get("in_calendar", True)
    )


def names_a_place(notification: Notification) -> bool:
    """Whether a message tells somebody of a place of their own, which they may not have any more."""
    named = {"enrolment", "class", "attempt"} <= notification.data.keys()
    return notification.template in ANNOUNCED and named and not cancels_in_calendar(notification)


def no_longer_true(notification: Notification, place: Enrolment, now: datetime) -> bool:
    """Whether the place that a message tells of is no longer what it says.

    Only the state counts: a class that moved since has a message of its own behind this one, and calendars need each in turn. A
    reminder has to be right about the time as well, and to come before it.
    """
    if place.status not in ANNOUNCED[notification.template]:
        return True
    if notification.template != "class_reminder":
        return False
    planned = [[each.starts_at.isoformat(), each.ends_at.isoformat()] for each in place.sessions]
    return planned != notification.data.get("sessions", planned) or (
        place.starts_at is not None and place.starts_at <= now
    )
