"""Joining instructions as calendar meeting requests (RFC 5545 and 5546; domain.md §9).

One UID per enrolment, SEQUENCE rising with the enrolment's revision, METHOD:CANCEL on withdrawal.
"""

from datetime import date, datetime
from typing import Any

import msgspec

from chalicelib.config import setting
from chalicelib.domain.calendar import LONDON
from chalicelib.domain.notifications import Notification
from chalicelib.domain.people import Person

_METHODS = {
    "enrolment_confirmed": "REQUEST",
    "enrolment_promoted": "REQUEST",
    "enrolment_changed": "REQUEST",
    "enrolment_withdrawn": "CANCEL",
    "enrolment_waitlisted": "CANCEL",
    "enrolment_cancelled": "CANCEL",
}
_DOMAIN = "esr-learning"


class Invitation(msgspec.Struct, frozen=True):
    """An iCalendar document and its method."""

    method: str
    document: bytes


def invitation(notification: Notification, person: Person) -> Invitation | None:
    """The meeting request that goes with a message; None for messages about nothing dated, or not in the person's calendar.

    Several sessions are one series: the first event carries the days of the others, and each other one its own times, all
    under one UID as RFC 5546 asks. Cancelling names the series alone. Days that an update takes away are excepted from the series,
    because calendars keep what an earlier request said of them alone.
    """
    method = _METHODS.get(notification.template)
    sessions = [_session(pair) for pair in notification.data.get("sessions", [])]
    if method is None or not sessions or not notification.data.get("in_calendar", True):
        return None
    from icalendar import Calendar

    calendar = Calendar()
    calendar.add("prodid", "-//ESR Learning//Enrolment//EN")
    calendar.add("version", "2.0")
    calendar.add("method", method)
    first, *others = sessions
    series = _event(notification, person, method, first)
    calendar.add_component(series)
    if method == "REQUEST" and (gone := _gone(notification, sessions)):
        series.add("exdate", gone)
    if method == "REQUEST" and others:
        series.add("rdate", [start for start, _ in others])
        for session in others:
            event = _event(notification, person, method, session)
            event.add("recurrence-id", session[0])
            calendar.add_component(event)
    calendar.add_missing_timezones(
        first_date=date(sessions[0][0].year, 1, 1), last_date=date(sessions[-1][1].year + 1, 1, 1)
    )
    return Invitation(method, calendar.to_ical())


def _gone(notification: Notification, sessions: list[tuple[datetime, datetime]]) -> list[datetime]:
    """When sessions began that a series had beside its first and has no more."""
    former = [_session(pair)[0] for pair in notification.data.get("former", {}).get("sessions", [])]
    return [start for start in former[1:] if start not in [each for each, _ in sessions]]


def _session(pair: list[str]) -> tuple[datetime, datetime]:
    start, end = (datetime.fromisoformat(each).astimezone(LONDON) for each in pair)
    return start, end


def _event(notification: Notification, person: Person, method: str, session: tuple[datetime, datetime]) -> Any:
    from icalendar import Event, vCalAddress

    data = notification.data
    event = Event()
    event.add("uid", f"{person.id}.{notification.employer}.{data['enrolment']}@{_DOMAIN}")
    event.add("sequence", data["revision"])
    event.add("dtstamp", notification.at)
    event.add("dtstart", session[0])
    event.add("dtend", session[1])
    event.add("summary", data["title"])
    event.add("status", "CONFIRMED" if method == "REQUEST" else "CANCELLED")
    if place := data["venue"] or data.get("link"):
        event.add("location", place)
    if data["joining_instructions"]:
        event.add("description", data["joining_instructions"])
    organizer = vCalAddress(f"mailto:{setting('MAIL_SENDER')}")
    organizer.params["cn"] = "Learning team"
    event["organizer"] = organizer
    attendee = vCalAddress(f"mailto:{person.email}")
    attendee.params["cn"] = person.full_name
    attendee.params["role"] = "REQ-PARTICIPANT"
    attendee.params["partstat"] = "NEEDS-ACTION"
    attendee.params["rsvp"] = "FALSE"
    event.add("attendee", attendee)
    return event
