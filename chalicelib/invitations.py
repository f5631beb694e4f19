"""Joining instructions, and what somebody teaches, as calendar meeting requests (RFC 5545 and 5546; domain.md §9).

One UID per enrolment, and one per class and instructor; SEQUENCE rises with the revision of the enrolment, or of the class;
METHOD:CANCEL when it is given back, taken away or cancelled.
"""

from collections.abc import Iterator, Mapping, Sequence
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
    "instructor_assigned": "REQUEST",
    "instructor_released": "CANCEL",
    "class_changed_for_instructor": "REQUEST",
    "class_cancelled_for_instructor": "CANCEL",
}
_DOMAIN = "esr-learning"


_Session = tuple[datetime, datetime]


class Invitation(msgspec.Struct, frozen=True):
    """An iCalendar document and its method."""

    method: str
    document: bytes


def invitation(notification: Notification, person: Person) -> Invitation | None:
    """The meeting request that goes with a message; None for messages about nothing dated, or not in the person's calendar.

    A request is about one class (RFC 5546 forbids two UIDs in one): what tells an instructor of many classes at once publishes them
    under the UIDs that later requests for each will have.
    """
    if not in_a_calendar(notification):
        return None
    from icalendar import Calendar

    classes = _dated(notification.data)
    method = "PUBLISH" if len(classes) > 1 else _METHODS[notification.template]
    calendar = Calendar()
    calendar.add("prodid", "-//ESR Learning//Enrolment//EN")
    calendar.add("version", "2.0")
    calendar.add("method", method)
    for each in classes:
        for event in _series(notification, each, person, method):
            calendar.add_component(event)
    years = [instant.year for each in classes for session in _sessions(each) for instant in session]
    calendar.add_missing_timezones(first_date=date(min(years), 1, 1), last_date=date(max(years) + 1, 1, 1))
    return Invitation(method, calendar.to_ical())


def in_a_calendar(notification: Notification) -> bool:
    """Whether a meeting request may go with a message: then it needs an e-mail of its own."""
    data = notification.data
    return notification.template in _METHODS and bool(_dated(data)) and bool(data.get("in_calendar", True))


def _dated(data: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What a message says of each class that has sessions."""
    return [{**data, **each} for each in data.get("classes", [data]) if each.get("sessions")]


def _series(notification: Notification, data: Mapping[str, Any], person: Person, method: str) -> Iterator[Any]:
    """The events of one class. Several sessions are one series: the first event carries the days of the others, and each other one
    its own times, all under one UID as RFC 5546 asks. Cancelling names the series alone. Days that an update takes away are
    excepted from the series, because calendars keep what an earlier request said of them alone.
    """
    sessions = _sessions(data)
    first, *others = sessions
    series = _event(notification, data, person, method, first)
    yield series
    if method == "CANCEL":
        return
    if gone := _gone(data, sessions):
        series.add("exdate", gone)
    if others:
        series.add("rdate", [start for start, _ in others])
    for session in others:
        event = _event(notification, data, person, method, session)
        event.add("recurrence-id", session[0])
        yield event


def _gone(data: Mapping[str, Any], sessions: Sequence[_Session]) -> list[datetime]:
    """When sessions began that a series had beside its first and has no more."""
    former = _sessions(data.get("former", {}))
    return [start for start, _ in former[1:] if start not in [each for each, _ in sessions]]


def _sessions(data: Mapping[str, Any]) -> list[_Session]:
    return [_session(pair) for pair in data.get("sessions", [])]


def _session(pair: Sequence[str]) -> _Session:
    start, end = (datetime.fromisoformat(each).astimezone(LONDON) for each in pair)
    return start, end


def _event(notification: Notification, data: Mapping[str, Any], person: Person, method: str, session: _Session) -> Any:
    from icalendar import Event, vCalAddress

    event = Event()
    event.add("uid", f"{person.id}.{notification.employer}.{_subject(data)}@{_DOMAIN}")
    event.add("sequence", data["revision"])
    event.add("dtstamp", notification.at)
    event.add("dtstart", session[0])
    event.add("dtend", session[1])
    event.add("summary", data["title"])
    event.add("status", "CANCELLED" if method == "CANCEL" else "CONFIRMED")
    if place := data["venue"] or data.get("link"):
        event.add("location", place)
    if data["joining_instructions"]:
        event.add("description", data["joining_instructions"])
    organizer = vCalAddress(f"mailto:{setting('MAIL_SENDER')}")
    organizer.params["cn"] = "Learning team"
    event["organizer"] = organizer
    if method != "PUBLISH":
        event.add("attendee", _attendee(data, person))
    return event


def _subject(data: Mapping[str, Any]) -> str:
    return str(data["enrolment"]) if "enrolment" in data else f"{data['class']}.teaching"


def _attendee(data: Mapping[str, Any], person: Person) -> Any:
    from icalendar import vCalAddress

    attendee = vCalAddress(f"mailto:{data.get('email') or person.email}")
    attendee.params["cn"] = person.full_name
    attendee.params["role"] = "REQ-PARTICIPANT"
    attendee.params["partstat"] = "NEEDS-ACTION"
    attendee.params["rsvp"] = "FALSE"
    return attendee
