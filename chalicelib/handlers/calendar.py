"""My calendar, and my team's: classes, teaching, renewals, and requests that lapse, by day."""

from datetime import date, datetime, timedelta
from itertools import groupby
from typing import Annotated
from urllib.parse import quote

import msgspec
from chalice import Blueprint

from chalicelib.domain import errors
from chalicelib.domain.calendar import EARLIEST, LATEST, london_day
from chalicelib.domain.errors import FieldError, Invalid
from chalicelib.domain.learning_calendar import Entry, Kind
from chalicelib.domain.people import Person
from chalicelib.domain.permissions import Capability
from chalicelib.handlers.http import Request, Routes
from chalicelib.handlers.paging import Cursor, NextCursor
from chalicelib.services import calendar
from chalicelib.services.calendar import Calendar, TeamCalendar
from chalicelib.storage import cursor

blueprint = Blueprint(__name__)
routes = Routes(blueprint, "Calendar")

MOST_DAYS = 400
USUAL_DAYS = 91


class EntryView(msgspec.Struct, frozen=True):
    """What there is on a day."""

    kind: Annotated[str, msgspec.Meta(description="class, teaching, renewal or request lapses.")]
    title: str
    starts_at: Annotated[datetime | None, msgspec.Meta(description="UTC; null for what lasts all day.")]
    ends_at: Annotated[datetime | None, msgspec.Meta(description="UTC; null also for the moment a request lapses.")]
    status: Annotated[
        str | None,
        msgspec.Meta(
            description="Of the enrolment: confirmed, waitlisted, requested, or how it ended; null otherwise."
        ),
    ]
    session: Annotated[int | None, msgspec.Meta(description="Which sitting of the class it is, from 1.")]
    sessions: Annotated[int | None, msgspec.Meta(description="How many there are, on classes one takes.")]
    place: str
    link: Annotated[
        str, msgspec.Meta(description="Where an online classroom meets; only for whoever takes or teaches it.")
    ]
    class_id: str | None
    enrolment_id: str | None
    competency: Annotated[str | None, msgspec.Meta(description="What is to be renewed; this is its last valid day.")]
    required: Annotated[bool | None, msgspec.Meta(description="Of a renewal: whether it is asked of the person.")]
    colour: Annotated[str | None, msgspec.Meta(description="Of a renewal: how it stands today.")]
    href: Annotated[str, msgspec.Meta(description="Where to look at it, or to find training for a renewal.")]

    @classmethod
    def of(cls, entry: Entry, href: str, link: str = "") -> "EntryView":
        """Present an entry."""
        return cls(
            kind=entry.kind.value,
            title=entry.title,
            starts_at=entry.starts_at,
            ends_at=entry.ends_at,
            status=entry.status.value if entry.status else None,
            session=entry.session,
            sessions=entry.sessions,
            place=entry.place,
            link=link,
            class_id=entry.class_id,
            enrolment_id=entry.enrolment,
            competency=entry.competency,
            required=entry.required,
            colour=entry.colour.value if entry.colour else None,
            href=href,
        )


def _own_href(entry: Entry) -> str:
    match entry.kind:
        case Kind.RENEWAL:
            return f"/v1/courses?competency={quote(entry.competency or '', safe='')}"
        case Kind.TEACHING:
            return f"/v1/classes/{entry.class_id}"
        case _:
            return f"/v1/me/enrolments/{entry.enrolment}"


class DayView(msgspec.Struct, frozen=True):
    """A London day on which there is something; what lasts all day comes first."""

    day: date
    entries: list[EntryView]


class CalendarView(msgspec.Struct, frozen=True):
    """One's calendar between two London days, both included; days without anything are left out."""

    from_: date = msgspec.field(name="from")
    until: date
    days: list[DayView]

    @classmethod
    def of(cls, found: Calendar) -> "CalendarView":
        """Present a calendar."""
        by_day = groupby(found.entries, key=lambda each: each.day)
        return cls(
            found.first,
            found.last,
            [
                DayView(day, [EntryView.of(each, _own_href(each), each.link) for each in entries])
                for day, entries in by_day
            ],
        )


class TeamEntryView(msgspec.Struct, frozen=True):
    """What there is on a day for somebody."""

    person_id: str
    name: str
    entry: EntryView

    @classmethod
    def of(cls, person: Person, entry: Entry) -> "TeamEntryView":
        """Present an entry of one of the team."""
        looked_at = "compliance" if entry.kind is Kind.RENEWAL else "learning"
        href = f"/v1/people/{person.id}/{looked_at}"
        return cls(person.id, person.full_name, EntryView.of(entry, href))


class TeamDayView(msgspec.Struct, frozen=True):
    """A London day on which there is something for anybody of these people."""

    day: date
    entries: list[TeamEntryView]


class TeamMemberView(msgspec.Struct, frozen=True):
    """Somebody whose calendar is on this page."""

    person_id: str
    name: str


class TeamCalendarView(msgspec.Struct, frozen=True):
    """The calendar of some of one's people between two London days, both included; the next page has others of them."""

    from_: date = msgspec.field(name="from")
    until: date
    people: list[TeamMemberView]
    days: list[TeamDayView]
    next_cursor: NextCursor

    @classmethod
    def of(cls, found: TeamCalendar) -> "TeamCalendarView":
        """Present the calendar of a team."""
        by_day = groupby(found.entries, key=lambda each: each[1].day)
        return cls(
            found.first,
            found.last,
            [TeamMemberView(each.id, each.full_name) for each in found.people],
            [TeamDayView(day, [TeamEntryView.of(*each) for each in entries]) for day, entries in by_day],
            cursor.seal(_purpose(found.manager), found.after),
        )


def _purpose(manager: str) -> str:
    return f"team calendar of {manager}"


From = Annotated[date | None, msgspec.Meta(description="First day, Europe/London; today unless told.")]
Until = Annotated[
    date | None,
    msgspec.Meta(description=f"Last day; a quarter after the first unless told, {MOST_DAYS} days in all at most."),
]


class CalendarQuery(msgspec.Struct, frozen=True):
    """Which days to show."""

    from_: From = msgspec.field(name="from", default=None)
    until: Until = None


class TeamCalendarQuery(msgspec.Struct, frozen=True):
    """Which days to show, and of which people."""

    from_: From = msgspec.field(name="from", default=None)
    until: Until = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=100, description="How many people at most; 50 unless told.")] = 50
    cursor: Cursor | None = None


def _days(query: CalendarQuery | TeamCalendarQuery, now: datetime) -> tuple[date, date]:
    """The first and the last day asked for. Raises Invalid naming what is wrong with them."""
    given = (("from", query.from_), ("until", query.until))
    beyond = [name for name, day in given if day and not EARLIEST <= day <= LATEST]
    if beyond:
        raise Invalid(*(FieldError(f"query.{name}", f"lies outside {EARLIEST} to {LATEST}") for name in beyond))
    first = query.from_ or london_day(now)
    last = query.until or min(LATEST, first + timedelta(days=USUAL_DAYS - 1))
    if last < first:
        raise Invalid(FieldError("query.until", "lies before the first day"))
    if (last - first).days >= MOST_DAYS:
        raise Invalid(FieldError("query.until", f"makes it more than {MOST_DAYS} days"))
    return first, last


@routes.route(
    "GET",
    "/v1/me/calendar",
    capability=Capability.VIEW_CALENDAR,
    summary="My calendar",
    query=CalendarQuery,
    answer=CalendarView,
    refusals=(errors.NotFound,),
)
def my_calendar(request: Request) -> Calendar:
    """What there is for the caller, by day: the sessions of their classes, confirmed or waited for or asked for, and of those they
    teach; the last valid day of each competency they hold; and when their requests lapse.
    """
    return calendar.mine(request.actor, *_days(request.query, request.now), request.now)


@routes.route(
    "GET",
    "/v1/me/team/calendar",
    capability=Capability.VIEW_CALENDAR,
    summary="My team's calendar",
    query=TeamCalendarQuery,
    answer=TeamCalendarView,
)
def my_teams_calendar(request: Request) -> TeamCalendar:
    """The same of the people whose current assignment names the caller as supervisor, by day and then by person, without what they
    teach and what they hold without having to. A page has some of the people; empty for whoever supervises nobody.
    """
    days, query = _days(request.query, request.now), request.query
    after = cursor.unseal(_purpose(request.actor.person), query.cursor)
    return calendar.team(request.actor, *days, query.limit, after, request.now)
