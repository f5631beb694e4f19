"""Silence when it no longer matters: messages that are no longer true when they are to be sent (domain.md §9, decision 0029)."""

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from chalicelib.domain.calendar import long_day
from chalicelib.domain.compliance import Colour
from chalicelib.domain.enrolment import OPEN, Enrolment, Status
from chalicelib.domain.notifications import Notification
from chalicelib.domain.reminders import booked_in_time, ends_on

if TYPE_CHECKING:
    from chalicelib.domain.certifications import Subscription
    from chalicelib.domain.projection import Row, Snapshot

ANNOUNCED: dict[str, frozenset[Status]] = {
    "enrolment_confirmed": frozenset({Status.CONFIRMED}),
    "enrolment_confirmed_in_team": frozenset({Status.CONFIRMED}),
    "enrolment_promoted": frozenset({Status.CONFIRMED}),
    "enrolment_waitlisted": frozenset({Status.WAITLISTED}),
    "enrolment_approved": frozenset({Status.CONFIRMED, Status.WAITLISTED}),
    "enrolment_changed": OPEN,
    "class_reminder": frozenset({Status.CONFIRMED}),
}
"""The states in which an enrolment must be for a message about a place to be true."""

TO_COME = frozenset({"enrolment_confirmed_in_team", "class_reminder"})
"""Messages about a place that have to be right about the time, too, and come before it: what is planned by them is a day."""

TO_DO = {
    "renewal_due": "renewals",
    "renewal_due_in_team": "team",
    "training_arranged": "left",
    "training_arranged_in_team": "left",
}
"""Under which word a message lists what somebody has to do themself."""

CERTIFICATIONS = frozenset({"certification_due", "certification_overdue_in_team"})
"""Messages about what is left to do for a certification."""


# --- places ---------------------------------------------------------------------------------------------------


def cancels_in_calendar(notification: Notification) -> bool:
    """Whether a message takes a class out of a calendar, which it must do whatever has happened since."""
    data = notification.data
    return bool(
        notification.template == "enrolment_waitlisted" and data.get("sessions") and data.get("in_calendar", True)
    )


def names_a_place(notification: Notification) -> bool:
    """Whether a message tells of a place, which its learner may not have any more."""
    named = {"enrolment", "class", "attempt"} <= notification.data.keys()
    return notification.template in ANNOUNCED and named and not cancels_in_calendar(notification)


def no_longer_true(notification: Notification, place: Enrolment, now: datetime) -> bool:
    """Whether the place that a message tells of is no longer what it says.

    Only the state counts: a class that moved since has a message of its own behind this one, and calendars need each in turn. What
    is TO_COME has to be right about the time as well, and to come before it.
    """
    if place.status not in ANNOUNCED[notification.template]:
        return True
    if notification.template not in TO_COME:
        return False
    planned = [[each.starts_at.isoformat(), each.ends_at.isoformat()] for each in place.sessions]
    return planned != notification.data.get("sessions", planned) or (
        place.starts_at is not None and place.starts_at <= now
    )


# --- what is to be done ---------------------------------------------------------------------------------------


def names_what_is_to_do(notification: Notification) -> bool:
    """Whether a message does nothing but ask for training, which may have been done or booked since."""
    return bool(_to_do(notification)) and not notification.data.get("arranged")


def nothing_left_to_do(notification: Notification, snapshots: Iterable["Snapshot"]) -> bool:
    """Whether nothing that a message asks for is still to do, by the snapshots of its learner: renewed, booked in time, no longer
    required, or of somebody who has left.
    """
    rows = [row for snapshot in snapshots for row in snapshot.rows]
    return not any(_is_to_do(item, row) for item in _to_do(notification) for row in rows)


def _to_do(notification: Notification) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = notification.data.get(TO_DO.get(notification.template, ""), [])
    return items


def _is_to_do(item: dict[str, Any], row: "Row") -> bool:
    """Whether a required competency stands as a message said: the same award ends, or nothing is held, and no class is booked."""
    until = ends_on(row.reason, row.expires_on)
    as_said = item["until"] == (long_day(until) if until else None) and (until is not None or row.colour is Colour.RED)
    booked = booked_in_time(row.future_on, row.expires_on, row.colour)
    return row.competency == item["competency"] and as_said and not booked


def certification_no_longer_due(notification: Notification, subscription: "Subscription | None") -> bool:
    """Whether a certification is no longer due when a message says: completed, cancelled, or due on another day."""
    period = subscription.open_period if subscription else None
    return period is None or long_day(period.due_on) != notification.data["due"]
