"""Calendars to subscribe to (RFC 5545, METHOD:PUBLISH): one event for each session, its times in Europe/London.

`invitations.py` beside this asks one person to one class; this is a whole calendar, fetched again and again by a calendar program.
"""

import re
from collections.abc import Sequence
from datetime import date, datetime

import msgspec

from chalicelib.domain.calendar import LONDON

_DOMAIN = "esr-learning"

_FORBIDDEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


def plain(text: str) -> str:
    """Text without the control characters for which a calendar program may turn a whole calendar down (RFC 5545 §3.1)."""
    return _FORBIDDEN.sub("", text)


class Entry(msgspec.Struct, frozen=True):
    """An event of a calendar. `uid` stays the same for the same session, `revision` rises when it changes."""

    uid: str
    title: str
    starts_at: datetime
    ends_at: datetime
    place: str = ""
    description: str = ""
    link: str = ""
    revision: int = 1


def published(name: str, entries: Sequence[Entry], at: datetime) -> bytes:
    """The calendar of this name with these events, as it stands at an instant. What is gone from it, programs take out."""
    from icalendar import Calendar, Event

    calendar = Calendar()
    calendar.add("prodid", "-//ESR Learning//Calendar//EN")
    calendar.add("version", "2.0")
    calendar.add("method", "PUBLISH")
    calendar.add("x-wr-calname", plain(name))
    calendar.add("x-wr-timezone", LONDON.key)
    for entry in entries:
        event = Event()
        event.add("uid", f"{entry.uid}@{_DOMAIN}")
        event.add("sequence", entry.revision - 1)
        event.add("dtstamp", at)
        event.add("dtstart", entry.starts_at.astimezone(LONDON))
        event.add("dtend", entry.ends_at.astimezone(LONDON))
        event.add("summary", plain(entry.title))
        for field, value in (("location", entry.place), ("description", entry.description), ("url", entry.link)):
            if value:
                event.add(field, plain(value))
        calendar.add_component(event)
    years = [entry.starts_at.year for entry in entries] or [at.year]
    calendar.add_missing_timezones(first_date=date(min(years), 1, 1), last_date=date(max(years) + 1, 1, 1))
    document: bytes = calendar.to_ical()
    return document
