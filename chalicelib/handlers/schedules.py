"""Scheduling many classes at once: tried first, made in one request, and looked at, changed or cancelled together."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, time
from typing import Annotated, Any, ClassVar

import msgspec
from chalice import Blueprint
from msgspec import UNSET, UnsetType

from chalicelib.domain import errors
from chalicelib.domain.catalogue import Mode
from chalicelib.domain.classes import MOST_SESSIONS, Caution, Class, ClassStatus, Seats, Session, status_shown
from chalicelib.domain.errors import FieldError, refuse_body
from chalicelib.domain.permissions import Capability
from chalicelib.domain.schedules import (
    BankHolidays,
    Pattern,
    Planned,
    Repeats,
    Schedule,
    Sitting,
    Weekday,
    in_words,
    sessions_from,
)
from chalicelib.handlers.classes import (
    Accept,
    ByNeed,
    Cancellation,
    CautionView,
    CivilTime,
    Id,
    Instructions,
    InstructorId,
    KeptClass,
    Link,
    Maximum,
    Minimum,
    SessionView,
    Title,
    Units,
    VenueId,
)
from chalicelib.handlers.http import Request, Routes
from chalicelib.handlers.paging import NextCursor, Page
from chalicelib.handlers.problems import Problem, problem_of
from chalicelib.services import schedules
from chalicelib.services.schedules import Change, Listing, Made, Outcome, Summary, Tried, Wanted
from chalicelib.storage import cursor

blueprint = Blueprint(__name__)
routes = Routes(blueprint, "Class schedules")

# --- what is sent -------------------------------------------------------------------------------------------


class SittingBody(msgspec.Struct, frozen=True):
    """A session of every class: how many days after the first, and between which civil times in Europe/London."""

    from_: CivilTime = msgspec.field(name="from")
    until: CivilTime
    day_offset: Annotated[int, msgspec.Meta(description="0 for the first day, which the pattern gives.")] = 0
    until_day_offset: Annotated[
        int | None, msgspec.Meta(description="The day it ends on, if that is the next: 22:00 to 02:00.")
    ] = None

    def sitting(self) -> Sitting:
        """The session in the words of the rules."""
        nights = 0 if self.until_day_offset is None else self.until_day_offset - self.day_offset
        return Sitting(self.day_offset, time.fromisoformat(self.from_), time.fromisoformat(self.until), nights)


class PatternBody(msgspec.Struct, frozen=True):
    """On which days classes begin. Any but a listed one has `starts_on`, and either `until` or `count`."""

    repeats: Annotated[
        Repeats,
        msgspec.Meta(
            description="daily; weekly (on `weekdays`, else on that of starts_on); monthly by date (`day_of_month`); monthly by "
            "weekday (the `nth` of one of `weekdays`, -1 the last); listed (`days`)."
        ),
    ]
    starts_on: date | None = None
    every: Annotated[int, msgspec.Meta(description="Every n days, weeks or months.")] = 1
    weekdays: Annotated[list[Weekday], msgspec.Meta(max_length=7)] = []
    day_of_month: Annotated[int | None, msgspec.Meta(description="1 to 31; months without it get no class.")] = None
    nth: Annotated[int | None, msgspec.Meta(description="1 to 5, or -1 for the last.")] = None
    until: Annotated[date | None, msgspec.Meta(description="The last day, included.")] = None
    count: Annotated[
        int | None, msgspec.Meta(description="How many classes, up to 100. A day left out is made up for.")
    ] = None
    days: Annotated[list[date], msgspec.Meta(description="Up to 100, in any order.")] = []

    def pattern(self) -> Pattern:
        """The pattern in the words of the rules."""
        given = {name: getattr(self, name) for name in self.__struct_fields__}
        return Pattern(**{**given, "weekdays": tuple(self.weekdays), "days": tuple(self.days)})


Sittings = Annotated[list[SittingBody], msgspec.Meta(max_length=MOST_SESSIONS, description="By start.")]
Days = Annotated[int, msgspec.Meta(ge=0, le=366, description="Before the first day of each class.")]


class ScheduleBody(msgspec.Struct, frozen=True, kw_only=True):
    """What the classes have in common, and on which days there is one. With `copy_of`, whatever is left out is that class's."""

    MAX_BODY_BYTES: ClassVar[int] = 256 * 1024  # so that whoever lists 10,000 days is told which field is wrong

    pattern: PatternBody
    bank_holidays: Annotated[
        BankHolidays,
        msgspec.Meta(description="Of England and Wales. A class moves to the next working day as a whole."),
    ] = BankHolidays.SKIP
    copy_of: Annotated[Id, msgspec.Meta(description="A class's id.")] | None = None
    course_id: Id | UnsetType = UNSET
    offering: Id | UnsetType = UNSET
    title: Title | UnsetType = UNSET
    sessions: Sittings | UnsetType = UNSET
    minimum: Minimum | UnsetType = UNSET
    maximum: Maximum | UnsetType = UNSET
    venue: VenueId | UnsetType | None = UNSET
    instructor: InstructorId | UnsetType | None = UNSET
    link: Link | UnsetType | None = UNSET
    joining_instructions: Instructions | UnsetType = UNSET
    only_units: Units | UnsetType = UNSET
    by_need: ByNeed | UnsetType = UNSET
    status: Annotated[ClassStatus, msgspec.Meta(description="planned or normal.")] | UnsetType = UNSET
    enrol_opens_days_before: Days | UnsetType | None = UNSET
    enrol_closes_days_before: Days | UnsetType | None = UNSET
    accept_cautions: Accept = False

    def wanted(self, request: Request) -> Wanted:
        """What is to be scheduled. Raises Invalid for what is missing, or what a class to copy raises."""
        pattern = self.pattern.pattern()
        if self.copy_of:
            base = schedules.to_copy(request.actor, self.copy_of, pattern, request.now)
        else:
            refuse_body(self._missing())
            base = Wanted(_BLANK, (), pattern)
        given = _class_fields(self)
        model = replace(base.model, **given)
        if given.keys() & {"course", "offering"}:
            model = replace(model, title=given.get("title", ""))  # which is the course's then
        return Wanted(
            model,
            base.sittings if self.sessions is UNSET else _sittings(self.sessions),
            pattern,
            self.bank_holidays,
            base.opens_days_before if self.enrol_opens_days_before is UNSET else self.enrol_opens_days_before,
            base.closes_days_before if self.enrol_closes_days_before is UNSET else self.enrol_closes_days_before,
        )

    def _missing(self) -> list[FieldError]:
        needed = ("course_id", "offering", "sessions", "maximum")
        return [FieldError(name, "is missing") for name in needed if getattr(self, name) is UNSET]


_BLANK = Class("", "", "", "", Mode.CLASSROOM, ClassStatus.NORMAL, None, None, minimum=0, maximum=None)

_OF_CLASS = (
    *("offering", "title", "minimum", "maximum", "venue", "instructor", "link", "joining_instructions", "only_units"),
    *("by_need", "status"),
)


def _class_fields(body: Any) -> dict[str, Any]:
    """What a body gives, under the names of a class's own fields."""
    given = {name: getattr(body, name, UNSET) for name in _OF_CLASS}
    given["course"] = getattr(body, "course_id", UNSET)
    if given["only_units"] is not UNSET:
        given["only_units"] = tuple(given["only_units"])
    return {name: value for name, value in given.items() if value is not UNSET}


def _sittings(given: Sequence[SittingBody]) -> tuple[Sitting, ...]:
    return tuple(each.sitting() for each in given)


# --- what is answered ---------------------------------------------------------------------------------------


class PlannedView(msgspec.Struct, frozen=True):
    """A class as it would be."""

    day: Annotated[date, msgspec.Meta(description="Its first day, Europe/London.")]
    sessions: list[SessionView]
    moved_from: Annotated[date | None, msgspec.Meta(description="Where the pattern has it, if it is moved.")]
    note: Annotated[str, msgspec.Meta(description="The bank holiday it keeps, or is moved from.")]
    enrol_from: date | None
    enrol_until: date | None
    cautions: list[CautionView]

    @classmethod
    def of(cls, class_: Class, planned: Planned, cautions: Sequence[Caution]) -> "PlannedView":
        """Present a class of a plan."""
        return cls(
            planned.day,
            [SessionView.of(each) for each in class_.sessions],
            planned.moved_from,
            planned.note,
            class_.enrol_from,
            class_.enrol_until,
            [CautionView.of(each) for each in cautions],
        )


class LeftOutView(msgspec.Struct, frozen=True):
    """A day of the pattern without a class."""

    day: Annotated[date, msgspec.Meta(description="For a month without the day asked for, its first.")]
    why: Annotated[str, msgspec.Meta(description="bank holiday, has a class already, no such time or no such day.")]
    detail: str

    @classmethod
    def all_of(cls, schedule: Schedule) -> "list[LeftOutView]":
        """Present the days that a schedule leaves out."""
        return [cls(each.day, each.why, each.detail) for each in schedule.plan.left_out]


class PlanView(msgspec.Struct, frozen=True):
    """A schedule as it would be made: its classes, and the days left out."""

    course_id: str
    offering: str
    title: str
    mode: str
    total: int
    classes: list[PlannedView]
    left_out: list[LeftOutView]

    @classmethod
    def of(cls, tried: Tried) -> "PlanView":
        """Present a plan."""
        schedule = tried.schedule
        model = schedule.model
        planned = [
            PlannedView.of(class_, each, tried.cautions.get(class_.id, ()))
            for class_, each in zip(tried.classes, schedule.plan.classes, strict=True)
        ]
        facts = (model.course, model.offering, model.title, model.mode.value)
        return cls(*facts, len(planned), planned, LeftOutView.all_of(schedule))


class ScheduledClass(msgspec.Struct, frozen=True):
    """A class that was made."""

    class_id: str
    day: date
    starts_at: datetime
    ends_at: datetime
    moved_from: date | None
    note: str
    cautions: Annotated[list[str], msgspec.Meta(description="Kinds of what was accepted, or is only to be known.")]


class ScheduledView(msgspec.Struct, frozen=True):
    """A schedule that was made: short enough to be kept for a repetition, whatever stands against its classes."""

    batch_id: str
    href: Annotated[str, msgspec.Meta(description="Where to see it whole, and what becomes of it.")]
    course_id: str
    title: str
    total: int
    classes: list[ScheduledClass]
    left_out: list[LeftOutView]

    @classmethod
    def of(cls, schedule: Schedule) -> "ScheduledView":
        """Present a schedule."""
        scheduled = [
            ScheduledClass(
                class_id,
                each.day,
                *_from_to(sessions_from(each.day, schedule.plan.sittings)),
                each.moved_from,
                each.note,
                [kind.value for kind in each.cautions],
            )
            for class_id, each in zip(schedule.class_ids, schedule.plan.classes, strict=True)
        ]
        batch, model = schedule.id, schedule.model
        href = f"/v1/class-schedules/{batch}"
        return cls(batch, href, model.course, model.title, len(scheduled), scheduled, LeftOutView.all_of(schedule))


def _from_to(sessions: Sequence[Session]) -> tuple[datetime, datetime]:
    return sessions[0].starts_at, max(each.ends_at for each in sessions)


class MadeClass(msgspec.Struct, frozen=True):
    """A class of a schedule as it is now."""

    class_id: str
    written: Annotated[bool, msgspec.Meta(description="false if making the schedule died before it.")]
    planned_for: date
    starts_at: datetime | None
    ends_at: datetime | None
    status: str | None
    venue: str | None
    minimum: int | None
    maximum: int | None
    taken: int | None
    free: int | None
    waiting: int | None

    @classmethod
    def of(cls, class_id: str, day: date, found: tuple[Class, Seats] | None) -> "MadeClass":
        """Present a class; what is not written yet has nothing but its day."""
        if found is None:
            return cls(class_id, False, day, *[None] * 9)
        class_, seats = found
        dates = (class_.starts_at, class_.ends_at)
        places = (class_.minimum, seats.maximum, seats.taken, seats.free, seats.waiting)
        return cls(class_id, True, day, *dates, status_shown(class_, seats).value, class_.venue, *places)


class ScheduleView(msgspec.Struct, frozen=True):
    """A schedule as it stands."""

    batch_id: str
    complete: Annotated[
        bool, msgspec.Meta(description="false if making it died: POST …/completion, or the same request again.")
    ]
    course_id: str
    title: str
    made_by: str
    made_at: datetime
    classes: list[MadeClass]
    left_out: list[LeftOutView]

    @classmethod
    def of(cls, made: Made) -> "ScheduleView":
        """Present a schedule."""
        schedule = made.schedule
        return cls(
            schedule.id,
            made.complete,
            schedule.model.course,
            schedule.model.title,
            schedule.made_by,
            schedule.made_at,
            [
                MadeClass.of(class_id, planned.day, made.classes.get(class_id))
                for class_id, planned in zip(schedule.class_ids, schedule.plan.classes, strict=True)
            ],
            LeftOutView.all_of(schedule),
        )


# --- routes -------------------------------------------------------------------------------------------------

OUTSIDE = (errors.NotFound, errors.NotYourItem, errors.NotPermitted)


@routes.route(
    "POST",
    "/v1/class-schedules/preview",
    capability=Capability.EDIT_CLASSES,
    summary="Try a schedule of classes",
    body=ScheduleBody,
    answer=PlanView,
    refusals=OUTSIDE,
)
def preview_schedule(request: Request) -> Tried:
    """Every class that scheduling would make, in UTC and civil times (09:00 stays 09:00 across clock changes), what is left out or
    moved and why, and what is doubtful about each. Nothing is written.
    """
    return schedules.preview(request.actor, request.body.wanted(request), request.now)


@routes.route(
    "POST",
    "/v1/class-schedules",
    capability=Capability.EDIT_CLASSES,
    summary="Schedule many classes",
    body=ScheduleBody,
    answer=ScheduledView,
    status=201,
    refusals=(*OUTSIDE, errors.ClassCautions, errors.Conflict),
)
def make_schedule(request: Request) -> Schedule:
    """Make up to 100 classes, past or to come, each editable afterwards. With an Idempotency-Key a repetition finishes what a crash
    left, and makes nothing twice. A venue or instructor taken, or a venue too small, is refused unless `accept_cautions` is true.
    """
    body = request.body
    return schedules.make(request.actor, body.wanted(request), request.now, body.accept_cautions, request.once)


class ListedSchedule(msgspec.Struct, frozen=True):
    """A schedule in the list of them."""

    batch_id: str
    course_id: str
    course: str
    title: str
    pattern: Annotated[
        str, msgspec.Meta(description="In words: `Every 2 weeks on Monday from 4 January 2027, 10 classes`.")
    ]
    first_day: Annotated[date, msgspec.Meta(description="On which its first class was planned.")]
    last_day: date
    total: Annotated[int, msgspec.Meta(description="How many classes it made.")]
    complete: Annotated[bool, msgspec.Meta(description="false if making it died: POST …/completion.")]
    made_by: str
    made_at: datetime

    @classmethod
    def of(cls, summary: Summary) -> "ListedSchedule":
        """Present a schedule in a list."""
        schedule = summary.schedule
        planned = schedule.plan.classes
        return cls(
            schedule.id,
            schedule.model.course,
            summary.course_title,
            schedule.model.title,
            in_words(schedule.pattern),
            planned[0].day,
            planned[-1].day,
            len(planned),
            summary.complete,
            schedule.made_by,
            schedule.made_at,
        )


class SchedulePage(msgspec.Struct, frozen=True):
    """A page of schedules, newest first."""

    schedules: list[ListedSchedule]
    next_cursor: NextCursor

    @classmethod
    def of(cls, listing: Listing) -> "SchedulePage":
        """Present a page."""
        return cls([ListedSchedule.of(each) for each in listing.schedules], cursor.seal("schedules", listing.after))


@routes.route(
    "GET",
    "/v1/class-schedules",
    capability=Capability.EDIT_CLASSES,
    summary="The schedules of classes",
    query=Page,
    answer=SchedulePage,
)
def list_schedules(request: Request) -> Listing:
    """The employer's schedules of courses in the caller's subjects, newest first."""
    query = request.query
    return schedules.listing(request.actor, query.limit, cursor.unseal("schedules", query.cursor))


@routes.route(
    "GET",
    "/v1/class-schedules/{batch_id}",
    capability=Capability.EDIT_CLASSES,
    summary="A schedule and its classes",
    answer=ScheduleView,
    refusals=OUTSIDE,
)
def show_schedule(request: Request) -> Made:
    """The plan of a schedule, its classes as they are now with their places, and whether all are written."""
    return schedules.show(request.actor, request.path["batch_id"])


@routes.route(
    "POST",
    "/v1/class-schedules/{batch_id}/completion",
    capability=Capability.EDIT_CLASSES,
    summary="Finish a schedule",
    answer=ScheduleView,
    refusals=(*OUTSIDE, errors.Conflict),
)
def complete_schedule(request: Request) -> Made:
    """Write the classes that are missing because making the schedule died. Does nothing for one that is complete."""
    return schedules.complete(request.actor, request.path["batch_id"], request.now)


class ScheduleChange(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be otherwise with every class still to come; what is left out stays as it is."""

    title: Title | UnsetType = UNSET
    sessions: Annotated[Sittings, msgspec.Meta(description="From each class's own first day.")] | UnsetType = UNSET
    minimum: Minimum | UnsetType = UNSET
    maximum: Maximum | UnsetType = UNSET
    venue: VenueId | UnsetType | None = UNSET
    instructor: InstructorId | UnsetType | None = UNSET
    link: Link | UnsetType | None = UNSET
    joining_instructions: Instructions | UnsetType = UNSET
    only_units: Units | UnsetType = UNSET
    by_need: ByNeed | UnsetType = UNSET
    status: Annotated[ClassStatus, msgspec.Meta(description="planned, normal or closed.")] | UnsetType = UNSET
    enrol_opens_days_before: Days | UnsetType | None = UNSET
    enrol_closes_days_before: Days | UnsetType | None = UNSET
    accept_cautions: Accept = False

    def change(self) -> Change:
        """The change in the words of the service."""
        enrolment = {"enrol_from": self.enrol_opens_days_before, "enrol_until": self.enrol_closes_days_before}
        given = {name: days for name, days in enrolment.items() if days is not UNSET}
        return Change(_class_fields(self), None if self.sessions is UNSET else _sittings(self.sessions), given)


class ClassOutcome(msgspec.Struct, frozen=True):
    """What became of one class: as it is now, or why it was left as it was."""

    class_id: str
    done: bool
    class_: KeptClass | None = msgspec.field(name="class")
    why_not: Problem | None

    @classmethod
    def of(cls, outcome: Outcome) -> "ClassOutcome":
        """Present what became of a class."""
        if outcome.kept:
            return cls(outcome.class_id, True, KeptClass.of(outcome.kept), None)
        assert outcome.refusal is not None
        return cls(outcome.class_id, False, None, _problem(outcome.refusal))


def _problem(refusal: errors.Refusal) -> Problem:
    problem = problem_of(refusal)  # what somebody has made of the class meanwhile is read where it is edited by itself
    return msgspec.structs.replace(problem, facts={}) if isinstance(refusal, errors.Outdated) else problem


class Outcomes(msgspec.Struct, frozen=True):
    """What became of each class still to come. A repetition does again what was refused, and changes nothing else."""

    done: int
    refused: int
    classes: list[ClassOutcome]

    @classmethod
    def of(cls, outcomes: list[Outcome]) -> "Outcomes":
        """Present what became of classes."""
        views = [ClassOutcome.of(each) for each in outcomes]
        done = sum(each.done for each in views)
        return cls(done, len(views) - done, views)


@routes.route(
    "PATCH",
    "/v1/class-schedules/{batch_id}",
    capability=Capability.EDIT_CLASSES,
    summary="Change every class of a schedule",
    body=ScheduleChange,
    answer=Outcomes,
    refusals=OUTSIDE,
)
def change_schedule(request: Request) -> list[Outcome]:
    """Change every class of a schedule that has not started and is not cancelled, each by itself as PATCH /v1/classes/{class_id}
    does: what cannot be changed with one is told, and the others are changed. Learners are told by the jobs that follow.
    """
    body = request.body
    return schedules.change(request.actor, request.path["batch_id"], body.change(), request.now, body.accept_cautions)


@routes.route(
    "POST",
    "/v1/class-schedules/{batch_id}/cancellation",
    capability=Capability.EDIT_CLASSES,
    summary="Cancel every class of a schedule",
    body=Cancellation,
    answer=Outcomes,
    refusals=OUTSIDE,
)
def cancel_schedule(request: Request) -> list[Outcome]:
    """Cancel every class of a schedule that has not started, each by itself, for good. Everybody on one is told the reason."""
    return schedules.cancel(request.actor, request.path["batch_id"], request.body.reason.strip(), request.now)
