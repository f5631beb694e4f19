"""Calendars to subscribe to (RFC 5545, METHOD:PUBLISH): sessions at their times in Europe/London, and events that last all day.

`invitations.py` beside this asks one person to one class; this is a whole calendar, fetched again and again by a calendar program.
"""

import re
from collections.abc import Sequence
from datetime import date, datetime, timedelta

import msgspec

from chalicelib.domain.calendar import LONDON

_DOMAIN = "esr-learning"

_FORBIDDEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


def plain(text: str) -> str:
    """Text without the control characters for which a calendar program may turn a whole calendar down (RFC 5545 §3.1)."""
    return _FORBIDDEN.sub("", text)


class Entry(msgspec.Struct, frozen=True):
    """An event of a calendar: from an instant to another, or all of a day.

    `uid` stays the same for the same thing, `revision` rises when it changes. What is `tentative`, or lasts all day, leaves the
    time free.
    """

    uid: str
    title: str
    starts_at: datetime | date
    ends_at: datetime | None = None
    place: str = ""
    description: str = ""
    link: str = ""
    revision: int = 1
    tentative: bool = False


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
        begins, ends = _times(entry)
        event.add("dtstart", begins)
        event.add("dtend", ends)
        if entry.tentative:
            event.add("status", "TENTATIVE")
        if entry.tentative or entry.ends_at is None:
            event.add("transp", "TRANSPARENT")
        event.add("summary", plain(entry.title))
        for field, value in (("location", entry.place), ("description", entry.description), ("url", entry.link)):
            if value:
                event.add(field, plain(value))
        calendar.add_component(event)
    years = [entry.starts_at.year for entry in entries] or [at.year]
    calendar.add_missing_timezones(first_date=date(min(years), 1, 1), last_date=date(max(years) + 1, 1, 1))
    document: bytes = calendar.to_ical()
    return document


def _times(entry: Entry) -> tuple[date, date]:
    """Beginning and end, both in Europe/London; of what lasts all day, that day and the one after it (RFC 5545 §3.6.1)."""
    if isinstance(entry.starts_at, datetime) and entry.ends_at is not None:
        return entry.starts_at.astimezone(LONDON), entry.ends_at.astimezone(LONDON)
    return entry.starts_at, entry.starts_at + timedelta(days=1)
