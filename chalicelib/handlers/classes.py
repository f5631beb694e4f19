"""Creating, changing, copying and cancelling classes, and listing them for those who run them."""

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from typing import Annotated, Any

import msgspec
from chalice import Blueprint
from msgspec import UNSET, UnsetType

from chalicelib.domain import errors
from chalicelib.domain.calendar import EARLIEST, LATEST, LONDON, london_day
from chalicelib.domain.classes import (
    MOST_PLACES,
    MOST_SESSIONS,
    Caution,
    Class,
    ClassStatus,
    NoSuchTime,
    Session,
    in_sessions,
    minimum_not_met,
    session_on,
    status_shown,
)
from chalicelib.domain.errors import FieldError, Invalid
from chalicelib.domain.permissions import Capability
from chalicelib.handlers.http import Request, Routes
from chalicelib.handlers.paging import Cursor, Limit, NextCursor
from chalicelib.services import classes
from chalicelib.services.classes import Day, Kept, Listed, Listing, Wanted
from chalicelib.storage import cursor

blueprint = Blueprint(__name__)
routes = Routes(blueprint, "Classes")

CivilTime = Annotated[
    str, msgspec.Meta(pattern=r"^([01]\d|2[0-3]):[0-5]\d$(?!\n)", description="A time in Europe/London, `09:00`.")
]


class SessionBody(msgspec.Struct, frozen=True):
    """One sitting, at civil times in Europe/London."""

    day: date
    from_: CivilTime = msgspec.field(name="from")
    until: CivilTime
    until_day: Annotated[date | None, msgspec.Meta(description="If it ends on the next day: 22:00 to 02:00.")] = None

    def session(self) -> Session:
        """The sitting, in UTC. Raises NoSuchTime for a time that the clocks skip or a day beyond all calendars."""
        return session_on(self.day, time.fromisoformat(self.from_), time.fromisoformat(self.until), self.until_day)


class SessionView(msgspec.Struct, frozen=True):
    """One sitting: UTC instants, and the day and times in Europe/London."""

    starts_at: datetime
    ends_at: datetime
    day: date
    from_: str = msgspec.field(name="from")
    until: str
    until_day: Annotated[date | UnsetType, msgspec.Meta(description="If it ends on another day.")] = UNSET

    @classmethod
    def of(cls, session: Session) -> "SessionView":
        """Present a session."""
        start, end = (each.astimezone(LONDON) for each in (session.starts_at, session.ends_at))
        until_day = end.date() if end.date() != start.date() else UNSET
        return cls(session.starts_at, session.ends_at, start.date(), f"{start:%H:%M}", f"{end:%H:%M}", until_day)


def sessions_of(given: Sequence[SessionBody], where: str = "body.sessions") -> tuple[Session, ...]:
    """The sittings of a body. Raises Invalid naming every one at a time that does not come."""
    found, wrong = [], []
    for number, each in enumerate(given):
        try:
            found.append(each.session())
        except NoSuchTime as skipped:
            wrong.append(FieldError(f"{where}[{number}]", str(skipped)))
    if wrong:
        raise Invalid(*wrong)
    return tuple(found)


# --- what is sent ---------------------------------------------------------------------------------------------

_ID = r"^[\w.~|-]{1,80}$(?!\n)"
Id = Annotated[str, msgspec.Meta(pattern=_ID)]
_HIDDEN = r"\x7f-\x9f\u2028-\u202e\u2066-\u2069"
"""Control characters and what turns the direction of writing round."""

_LINE = rf"^(?=.*\w)[^\x00-\x1f{_HIDDEN}]+$(?!\n)"
_NOT_IN_TEXT = rf"(?![\s\S]*[\x00-\x08\x0b-\x1f{_HIDDEN}])"

Title = Annotated[
    str, msgspec.Meta(min_length=1, max_length=200, pattern=_LINE, description="One line; the course's, unless given.")
]
Sessions = Annotated[
    list[SessionBody],
    msgspec.Meta(max_length=MOST_SESSIONS, description="By start; the class lasts from the first to the last."),
]
Minimum = Annotated[int, msgspec.Meta(ge=0, le=MOST_PLACES, description="Fewer learners, and the class is in doubt.")]
Maximum = Annotated[int, msgspec.Meta(ge=1, le=MOST_PLACES, description="Places; e-learning has none.")]
VenueId = Annotated[str, msgspec.Meta(pattern=_ID, description="Of a venue in use, from GET /v1/venues.")]
InstructorId = Annotated[str, msgspec.Meta(pattern=_ID, description="A person who holds the instructor's role here.")]
EnrolFrom = Annotated[date, msgspec.Meta(description="First London day on which one may enrol.")]
EnrolUntil = Annotated[date, msgspec.Meta(description="Last London day on which one may enrol.")]
Link = Annotated[
    str, msgspec.Meta(pattern=r"^https://[^\s<>\"']{1,500}$(?!\n)", description="Where an online classroom meets.")
]
Instructions = Annotated[
    str,
    msgspec.Meta(max_length=4000, pattern=f"^{_NOT_IN_TEXT}", description="In place of the course's, unless empty."),
]
Units = Annotated[
    list[Id], msgspec.Meta(max_length=50, description="Only people of these units, and of those below, can find it.")
]
ByNeed = Annotated[
    bool,
    msgspec.Meta(
        description="Who waits gets a seat by need of what the class awards (red before amber before others), then by time; "
        "otherwise by time alone."
    ),
]
Accept = Annotated[
    bool, msgspec.Meta(description="Save it although venue or instructor are taken, or the venue is too small.")
]
Reason = Annotated[
    str,
    msgspec.Meta(
        min_length=1, max_length=500, pattern=rf"^{_NOT_IN_TEXT}(?=[\s\S]*\w)", description="Told to learners."
    ),
]


class NewClass(msgspec.Struct, frozen=True, kw_only=True):
    """A class to make. Dates are civil times in Europe/London; e-learning has none."""

    course_id: Id
    offering: Id
    title: Title | None = None
    sessions: Sessions = []
    minimum: Minimum = 0
    maximum: Maximum | None = None
    venue: VenueId | None = None
    instructor: InstructorId | None = None
    enrol_from: EnrolFrom | None = None
    enrol_until: EnrolUntil | None = None
    link: Link | None = None
    joining_instructions: Instructions = ""
    only_units: Units = []
    by_need: ByNeed = False
    status: Annotated[ClassStatus, msgspec.Meta(description="planned or normal.")] = ClassStatus.NORMAL
    accept_cautions: Accept = False


class Changes(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be otherwise with a class, or with a copy of one; what is left out stays as it is."""

    offering: Id | UnsetType = UNSET
    title: Title | UnsetType = UNSET
    minimum: Minimum | UnsetType = UNSET
    maximum: Maximum | UnsetType | None = UNSET
    venue: VenueId | UnsetType | None = UNSET
    instructor: InstructorId | UnsetType | None = UNSET
    enrol_from: EnrolFrom | UnsetType | None = UNSET
    enrol_until: EnrolUntil | UnsetType | None = UNSET
    link: Link | UnsetType | None = UNSET
    joining_instructions: Instructions | UnsetType = UNSET
    only_units: Units | UnsetType = UNSET
    by_need: ByNeed | UnsetType = UNSET
    accept_cautions: Accept = False

    def fields(self) -> dict[str, Any]:
        """What was sent, under the names of a class's own fields."""
        sent = {name: getattr(self, name) for name in self.__struct_fields__ if name in Class.__dataclass_fields__}
        given = {name: value for name, value in sent.items() if value is not UNSET and name != "revision"}
        if "sessions" in given:
            given["sessions"] = sessions_of(given["sessions"])
        if "only_units" in given:
            given["only_units"] = tuple(given["only_units"])
        return given


class ChangedClass(Changes, frozen=True, kw_only=True):
    """What to change of a class; what is left out stays as it is."""

    revision: Annotated[int, msgspec.Meta(ge=1, description="The one you have read.")]
    sessions: Sessions | UnsetType = UNSET
    status: (
        Annotated[ClassStatus, msgspec.Meta(description="planned, normal or closed; cancelling is a POST.")] | UnsetType
    ) = UNSET


class CopiedClass(Changes, frozen=True, kw_only=True):
    """The day on which the copy of a class begins, and what is to be otherwise with it."""

    day: date


# --- what is answered -----------------------------------------------------------------------------------------


class CautionView(msgspec.Struct, frozen=True):
    """Something doubtful about a class."""

    kind: Annotated[
        str,
        msgspec.Meta(
            description="venue taken, instructor taken, venue too small, maximum below confirmed, in the past, "
            "nobody can enrol or course not live."
        ),
    ]
    detail: str
    facts: dict[str, Any]

    @classmethod
    def of(cls, caution: Caution) -> "CautionView":
        """Present a caution."""
        return cls(caution.kind.value, caution.detail, caution.facts)


class KeptClass(msgspec.Struct, frozen=True, kw_only=True):
    """A class as those who edit it see it."""

    id: str
    course_id: str
    offering: str
    title: str
    mode: str
    status: Annotated[
        str, msgspec.Meta(description="planned, normal, full (follows from the seats), closed, cancelled.")
    ]
    starts_at: Annotated[datetime | None, msgspec.Meta(description="UTC; null for e-learning.")]
    ends_at: datetime | None
    sessions: list[SessionView]
    minimum: int
    maximum: int | None
    taken: int
    free: int | None
    waiting: int
    venue: str | None
    instructor: str | None
    enrol_from: date | None
    enrol_until: date | None
    link: str | None
    joining_instructions: str
    only_units: list[str]
    by_need: ByNeed
    batch: Annotated[str | None, msgspec.Meta(description="The schedule it came from.")]
    reason: Annotated[str | None, msgspec.Meta(description="Why it was cancelled.")]
    revision: Annotated[int, msgspec.Meta(description="To be sent with a change.")]
    warnings: Annotated[
        list[CautionView],
        msgspec.Meta(description="What was accepted, or is only to be known; after a change, of what was changed."),
    ]
    job: Annotated[
        str | None,
        msgspec.Meta(description="Brings the enrolments up to date and tells people: GET /v1/jobs/{job_id}."),
    ]

    @classmethod
    def of(cls, kept: Kept) -> "KeptClass":
        """Present a class."""
        class_, seats = kept.class_, kept.seats
        return cls(
            id=class_.id,
            course_id=class_.course,
            offering=class_.offering,
            title=class_.title,
            mode=class_.mode.value,
            status=status_shown(class_, seats).value,
            starts_at=class_.starts_at,
            ends_at=class_.ends_at,
            sessions=[SessionView.of(each) for each in class_.sessions],
            minimum=class_.minimum,
            maximum=class_.maximum,
            taken=seats.taken,
            free=seats.free,
            waiting=seats.waiting,
            venue=class_.venue,
            instructor=class_.instructor,
            enrol_from=class_.enrol_from,
            enrol_until=class_.enrol_until,
            link=class_.link,
            joining_instructions=class_.joining_instructions,
            only_units=list(class_.only_units),
            by_need=class_.by_need,
            batch=class_.batch,
            reason=class_.reason,
            revision=class_.revision,
            warnings=[CautionView.of(each) for each in kept.warnings],
            job=kept.job,
        )


REFUSED = (errors.NotFound, errors.NotYourItem)
REFUSED_CHANGES = (*REFUSED, errors.Outdated, errors.ClassCancelled, errors.ClassCautions, errors.Conflict)


# --- routes ---------------------------------------------------------------------------------------------------


@routes.route(
    "POST",
    "/v1/classes",
    capability=Capability.EDIT_CLASSES,
    summary="Make a class",
    body=NewClass,
    answer=KeptClass,
    status=201,
    refusals=(errors.NotFound, errors.ClassCautions, errors.Conflict),
)
def create_class(request: Request) -> Kept:
    """Make a class of an offering, the employer's own also of a national course. Its id is given by the service.

    A venue or instructor taken at that time, or too small a venue, is refused unless `accept_cautions` says otherwise.
    """
    return classes.create(
        request.actor,
        _planned(request.body, request.actor.employer),
        request.now,
        request.body.accept_cautions,
        request.once,
    )


def _planned(body: NewClass, employer: str) -> Class:
    title, mode = classes.title_and_mode(employer, body.course_id, body.offering)
    planned = Class(
        id="",
        course=body.course_id,
        offering=body.offering,
        title=body.title or title,
        mode=mode,
        status=body.status,
        starts_at=None,
        ends_at=None,
        minimum=body.minimum,
        maximum=body.maximum,
        venue=body.venue,
        instructor=body.instructor,
        enrol_from=body.enrol_from,
        enrol_until=body.enrol_until,
        link=body.link,
        joining_instructions=body.joining_instructions,
        only_units=tuple(body.only_units),
        by_need=body.by_need,
    )
    return in_sessions(planned, sessions_of(body.sessions))


@routes.route(
    "GET",
    "/v1/classes/{class_id}/details",
    capability=Capability.EDIT_CLASSES,
    summary="A class as its administrators keep it",
    answer=KeptClass,
    refusals=REFUSED,
)
def kept_class(request: Request) -> Kept:
    """Everything of a class that may be changed, the revision to send with a change, and what is doubtful about it as of now.

    So two who took one venue at the same moment see it here.
    """
    return classes.shown(request.actor, request.path["class_id"], request.now)


@routes.route(
    "PATCH",
    "/v1/classes/{class_id}",
    capability=Capability.EDIT_CLASSES,
    summary="Change a class",
    body=ChangedClass,
    answer=KeptClass,
    refusals=REFUSED_CHANGES,
)
def change_class(request: Request) -> Kept:
    """Change what is sent, at once; learners are told of new dates, places and links by the job that follows.

    Whoever sends an old revision gets 409 with both versions. A maximum below the seats taken is warned of, not refused.
    """
    body = request.body
    try:
        return classes.change(
            request.actor, request.path["class_id"], body.revision, body.fields(), request.now, body.accept_cautions
        )
    except errors.Outdated as outdated:
        current = msgspec.to_builtins(KeptClass.of(outdated.facts["current"]))
        raise errors.Outdated(outdated.detail, current=current, yours=msgspec.to_builtins(body)) from outdated


class Cancellation(msgspec.Struct, frozen=True):
    """Why a class is cancelled."""

    reason: Reason


class CancelledClass(Cancellation, frozen=True):
    """Why a class is cancelled, and whether although it is over."""

    accept_cautions: Annotated[
        bool, msgspec.Meta(description="Cancel it although it is over and people have no outcome yet.")
    ] = False


@routes.route(
    "POST",
    "/v1/classes/{class_id}/cancellation",
    capability=Capability.EDIT_CLASSES,
    summary="Cancel a class",
    body=CancelledClass,
    answer=KeptClass,
    refusals=(*REFUSED, errors.ClassHeld, errors.ClassCautions, errors.Conflict),
)
def cancel_class(request: Request) -> Kept:
    """Cancel a class for good. Nobody can be placed on it from now on; the job that follows tells everybody who was.

    Repeating it changes nothing, and answers the class with the first reason. A class that is over is refused if somebody has an
    outcome, and unless `accept_cautions` says otherwise if somebody holds a seat.
    """
    body = request.body
    return classes.cancel(
        request.actor, request.path["class_id"], body.reason.strip(), request.now, body.accept_cautions
    )


@routes.route(
    "POST",
    "/v1/classes/{class_id}/copy",
    capability=Capability.EDIT_CLASSES,
    summary="Copy a class to another day",
    body=CopiedClass,
    answer=KeptClass,
    status=201,
    refusals=(*REFUSED, errors.ClassCautions, errors.Conflict),
)
def copy_class(request: Request) -> Kept:
    """Make a class like this one: sessions at the same civil times and gaps, capacity, venue, text, instructor; no enrolments.

    What is sent is taken in place of the original's, such as another venue for one that is out of use by now.
    """
    body, class_id = request.body, request.path["class_id"]
    if not EARLIEST <= body.day <= LATEST:
        raise Invalid(FieldError("body.day", f"lies outside {EARLIEST} to {LATEST}"))
    return classes.copy(
        request.actor, class_id, body.day, request.now, body.fields(), body.accept_cautions, request.once
    )


# --- lists ----------------------------------------------------------------------------------------------------

MOST_DAYS = 92


class DaysQuery(msgspec.Struct, frozen=True, kw_only=True):
    """A range of days, and which of their classes."""

    from_: Annotated[date, msgspec.Meta(description="First London day; today unless given.")] | None = msgspec.field(
        name="from", default=None
    )
    until: Annotated[date, msgspec.Meta(description="Last London day; six days later unless given.")] | None = None
    course: Id | None = None
    subject: Annotated[str, msgspec.Meta(pattern=_ID, description="With those below it.")] | None = None
    venue: Id | None = None
    instructor: Annotated[str, msgspec.Meta(pattern=_ID, description="A person's id, or `me`.")] | None = None
    status: ClassStatus | None = None
    minimum_not_met: bool = False

    def wanted(self, request: Request) -> Wanted:
        """The classes asked for. Raises Invalid for a range that is none or too long."""
        first = self.from_ or london_day(request.now)
        if not EARLIEST <= first <= LATEST:
            raise Invalid(FieldError("query.from", f"lies outside {EARLIEST} to {LATEST}"))
        last = self.until or first + timedelta(days=6)
        if not first <= last < first + timedelta(days=MOST_DAYS):
            raise Invalid(FieldError("query.until", f"must be the first day or up to {MOST_DAYS - 1} days later"))
        return Wanted(
            first,
            last,
            self.course,
            self.subject,
            self.venue,
            request.actor.person if self.instructor == "me" else self.instructor,
            self.status,
            self.minimum_not_met,
        )


class ClassesQuery(DaysQuery, frozen=True, kw_only=True):
    """Which classes to list."""

    limit: Limit = 20
    cursor: Cursor | None = None


class ListedClass(msgspec.Struct, frozen=True):
    """A class in the list of those who run it."""

    id: str
    course_id: str
    course: str
    title: str
    mode: str
    status: str
    starts_at: datetime | None
    ends_at: datetime | None
    venue: Annotated[str | None, msgspec.Meta(description="Its name.")]
    instructor: Annotated[str | None, msgspec.Meta(description="A person's id.")]
    minimum: int
    maximum: int | None
    taken: int
    free: int | None
    waiting: int
    minimum_not_met: bool

    @classmethod
    def of(cls, listed: Listed) -> "ListedClass":
        """Present a class in a list."""
        class_, seats = listed.class_, listed.seats
        return cls(
            class_.id,
            class_.course,
            listed.course_title,
            class_.title,
            class_.mode.value,
            status_shown(class_, seats).value,
            class_.starts_at,
            class_.ends_at,
            listed.venue_name,
            class_.instructor,
            class_.minimum,
            class_.maximum,
            seats.taken,
            seats.free,
            seats.waiting,
            minimum_not_met(class_, seats),
        )


class ClassPage(msgspec.Struct, frozen=True):
    """A page of classes, by start."""

    classes: list[ListedClass]
    next_cursor: NextCursor

    @classmethod
    def of(cls, listing: Listing) -> "ClassPage":
        """Present a page."""
        return cls([ListedClass.of(each) for each in listing.classes], cursor.seal("classes", listing.after))


@routes.route(
    "GET",
    "/v1/classes",
    capability=Capability.UPDATE_STATUS,
    summary="The classes of some days",
    query=ClassesQuery,
    answer=ClassPage,
)
def list_classes(request: Request) -> Listing:
    """The employer's classes that start on these days and that the caller runs: all, in their subjects, or those they teach."""
    query = request.query
    after = cursor.unseal("classes", query.cursor)
    return classes.listing(request.actor, query.wanted(request), query.limit, after)


class DayView(msgspec.Struct, frozen=True):
    """A day and its classes."""

    day: date
    classes: int
    minimum_not_met: Annotated[int, msgspec.Meta(description="How many have fewer learners than they need.")]


class DayList(msgspec.Struct, frozen=True):
    """The days of a range."""

    days: list[DayView]

    @classmethod
    def of(cls, found: list[Day]) -> "DayList":
        """Present the days."""
        return cls([DayView(each.day, each.classes, each.minimum_not_met) for each in found])


@routes.route(
    "GET",
    "/v1/class-days",
    capability=Capability.UPDATE_STATUS,
    summary="How many classes there are on each day",
    query=DaysQuery,
    answer=DayList,
)
def count_classes(request: Request) -> list[Day]:
    """Each day of a range with its classes and how many of them lack learners, of those the caller runs (domain.md §11)."""
    return classes.days(request.actor, request.query.wanted(request))
