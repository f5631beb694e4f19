"""Schedules: many classes alike over a pattern of days, past or to come (domain.md §8).

A pattern gives days, the house's calendar says which of them are bank holidays, and a plan says what becomes of each: a class on
it, a class on another day, or none and why. Civil times stay: 09:00 is 09:00 on either side of a clock change.
"""

import calendar
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from enum import StrEnum

from chalicelib.domain.calendar import EARLIEST, LATEST, LONDON, add_months, long_day
from chalicelib.domain.classes import Caution, CautionKind, Class, NoSuchTime, Session, session_on
from chalicelib.domain.errors import FieldError

MOST_CLASSES = 100
"""Of one schedule (domain.md §8)."""

LONGEST_MONTHS = 120
"""How far the days of one schedule may lie apart."""

LAST_SITTING = 180
"""How many days after the first session of a class its last may be."""

LONGEST_MOVE = 14
"""Days within which another day is looked for where a bank holiday is in the way; Easter and Christmas leave less between them."""


class Repeats(StrEnum):
    """The kinds of patterns."""

    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY_BY_DATE = "monthly by date"
    MONTHLY_BY_WEEKDAY = "monthly by weekday"
    LISTED = "listed"


class Weekday(StrEnum):
    """The days of the week, Monday first, as Python numbers them."""

    MONDAY = "monday"
    TUESDAY = "tuesday"
    WEDNESDAY = "wednesday"
    THURSDAY = "thursday"
    FRIDAY = "friday"
    SATURDAY = "saturday"
    SUNDAY = "sunday"

    @property
    def number(self) -> int:
        """0 for Monday, as `date.weekday` counts."""
        return list(Weekday).index(self)


class BankHolidays(StrEnum):
    """What becomes of a class that would have a session on a bank holiday of England and Wales."""

    SKIP = "skip"
    KEEP = "keep"
    NEXT_WORKING_DAY = "next working day"


@dataclass(frozen=True, slots=True)
class Pattern:
    """On which London days classes begin: every n days, weeks or months from `starts_on`, or on the days listed.

    A pattern that repeats ends with the day `until` or with `count` classes. Weekly without `weekdays` is on the weekday of
    `starts_on`; `nth` is which of its weekdays in a month, -1 the last.
    """

    repeats: Repeats
    starts_on: date | None = None
    every: int = 1
    weekdays: tuple[Weekday, ...] = ()
    day_of_month: int | None = None
    nth: int | None = None
    until: date | None = None
    count: int | None = None
    days: tuple[date, ...] = ()

    @property
    def last_day(self) -> date:
        """The last day the pattern can reach."""
        if self.repeats is Repeats.LISTED:
            return max(self.days)
        assert self.starts_on is not None
        return self.until or min(add_months(self.starts_on, LONGEST_MONTHS), LATEST)


@dataclass(frozen=True, slots=True)
class Sitting:
    """A session of every class of a schedule: so many days after the first, between two civil times in London.

    `nights` is how many midnights it goes over: a night shift's training begins at 22:00 and ends a day later.
    """

    day: int
    starts: time
    ends: time
    nights: int = 0


@dataclass(frozen=True, slots=True)
class Planned:
    """A class of a plan: its first day, where the pattern had it if it was moved, and what is worth knowing of the day.

    `cautions` are the kinds of what was doubtful about it when it was made, so that a repetition tells them again.
    """

    day: date
    moved_from: date | None = None
    note: str = ""
    cautions: tuple[CautionKind, ...] = ()


class Why(StrEnum):
    """Why a day of the pattern gets no class."""

    BANK_HOLIDAY = "bank holiday"
    TAKEN = "has a class already"
    NO_SUCH_TIME = "no such time"
    NO_SUCH_DAY = "no such day"


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A day that gets no class, and why; for a month without the day asked for, its first."""

    day: date
    why: Why
    detail: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What becomes of a pattern: classes in order of their days, and the days left out."""

    sittings: tuple[Sitting, ...]
    classes: tuple[Planned, ...]
    left_out: tuple[LeftOut, ...] = ()


@dataclass(frozen=True, slots=True)
class Schedule:
    """A batch of classes: what they have in common (`model`), the pattern and plan of their days, who made it and when.

    Enrolment opens and closes so many days before the first day of each (None: no such bound).
    """

    id: str
    employer: str
    model: Class
    pattern: Pattern
    plan: Plan
    made_by: str
    made_at: datetime
    opens_days_before: int | None = None
    closes_days_before: int | None = None

    @property
    def class_ids(self) -> tuple[str, ...]:
        """The ids of its classes: they follow from the batch, so that a repetition finds written what it has written before."""
        return tuple(f"{self.employer}-{self.id}-{number:03d}" for number in range(1, len(self.plan.classes) + 1))

    def classes(self) -> tuple[Class, ...]:
        """Every class of the batch, as it is to be made."""
        return tuple(
            self._class(class_id, planned) for class_id, planned in zip(self.class_ids, self.plan.classes, strict=True)
        )

    def _class(self, class_id: str, planned: Planned) -> Class:
        sessions = sessions_from(planned.day, self.plan.sittings)
        return replace(
            self.model,
            id=class_id,
            batch=self.id,
            revision=1,
            reason=None,
            sessions=sessions,
            starts_at=sessions[0].starts_at,
            ends_at=max(each.ends_at for each in sessions),
            enrol_from=days_before(planned.day, self.opens_days_before),
            enrol_until=days_before(planned.day, self.closes_days_before),
        )


def with_cautions(schedule: Schedule, cautions: Mapping[str, Iterable[Caution]]) -> Schedule:
    """The schedule with the kinds of what is doubtful about each class in its plan."""
    told = zip(schedule.class_ids, schedule.plan.classes, strict=True)
    noted = [replace(each, cautions=_kinds(cautions.get(class_id, ()))) for class_id, each in told]
    return replace(schedule, plan=replace(schedule.plan, classes=tuple(noted)))


def _kinds(cautions: Iterable[Caution]) -> tuple[CautionKind, ...]:
    return tuple(sorted({each.kind for each in cautions}))


def days_before(day: date, days: int | None) -> date | None:
    """The day so many days before another; None without a number."""
    return None if days is None else day - timedelta(days)


def wrong_enrolment(schedule: Schedule) -> Iterator[FieldError]:
    """Enrolment that would open or close on days outside the calendar, as a class copied from elsewhere may have it."""
    planned = schedule.plan.classes
    for name in ("opens_days_before", "closes_days_before"):
        days = getattr(schedule, name) or 0
        first, last = planned[0].day.toordinal() - days, planned[-1].day.toordinal() - days
        if not EARLIEST.toordinal() <= first <= last <= LATEST.toordinal():
            yield FieldError(f"enrol_{name}", f"leads to a day outside {EARLIEST} to {LATEST}")


# --- sittings -----------------------------------------------------------------------------------------------


def sessions_from(day: date, sittings: Iterable[Sitting]) -> tuple[Session, ...]:
    """The sessions of a class that begins on a day, by start. Raises NoSuchTime where the clocks skip one of the times."""
    held = [_session(day + timedelta(each.day), each) for each in sittings]
    return tuple(sorted(held, key=lambda each: each.starts_at))


def _session(day: date, sitting: Sitting) -> Session:
    return session_on(day, sitting.starts, sitting.ends, day + timedelta(sitting.nights))


def sittings_of(class_: Class) -> tuple[Sitting, ...]:
    """The sessions of a class as days after its first and civil times, which is how they are copied."""
    held = [(each.starts_at.astimezone(LONDON), each.ends_at.astimezone(LONDON)) for each in class_.sessions]
    first = min((start.date() for start, _ in held), default=date.min)
    return tuple(
        Sitting((start.date() - first).days, start.time(), end.time(), (end.date() - start.date()).days)
        for start, end in held
    )


def wrong_sittings(sittings: Sequence[Sitting]) -> Iterator[FieldError]:
    """What is wrong with the days of sessions, as `sessions[n].…`; `classes.wrong_fields` sees to the rest of them."""
    if not sittings:
        yield FieldError("sessions", "is missing: at least one session says when a class is held")
    elif sittings[0].day != 0:
        yield FieldError("sessions[0].day_offset", "is not 0: a class begins with its first session")
    for index, each in enumerate(sittings):
        if not 0 <= each.day <= LAST_SITTING:
            yield FieldError(f"sessions[{index}].day_offset", f"lies outside 0 to {LAST_SITTING} days after the first")
        if each.nights not in (0, 1):
            yield FieldError(f"sessions[{index}].until_day_offset", "is neither the day it begins on nor the next")


# --- patterns -----------------------------------------------------------------------------------------------


def wrong_pattern(pattern: Pattern) -> tuple[FieldError, ...]:
    """Every field of a pattern that is missing, wrong, or not taken by its kind, as `pattern.…`."""
    found = [*_wrong_listed(pattern)] if pattern.repeats is Repeats.LISTED else [*_wrong_repeating(pattern)]
    return tuple(FieldError(f"pattern.{each.field}", each.reason) for each in found)


def _wrong_listed(pattern: Pattern) -> Iterator[FieldError]:
    days = pattern.days
    if not days:
        yield FieldError("days", "is missing: this pattern is a list of days")
    elif len(days) > MOST_CLASSES:
        yield FieldError("days", f"has more than {MOST_CLASSES}, which is the most one schedule makes")
    elif len(set(days)) < len(days):
        yield FieldError("days", "names a day twice")
    elif not EARLIEST <= min(days) <= max(days) <= LATEST:
        yield FieldError("days", f"has one outside {EARLIEST} to {LATEST}")
    elif max(days) > add_months(min(days), LONGEST_MONTHS):
        yield FieldError("days", f"lie more than {LONGEST_MONTHS // 12} years apart")
    yield from _not_taken(pattern, ("starts_on", "weekdays", "day_of_month", "nth", "until", "count"))
    if pattern.every != 1:
        yield FieldError("every", "is not taken by a pattern that is listed")


def _wrong_repeating(pattern: Pattern) -> Iterator[FieldError]:
    yield from _wrong_length(pattern)
    if not 1 <= pattern.every <= 366:
        yield FieldError("every", "lies outside 1 to 366")
    yield from _not_taken(pattern, ("days",))
    kind = pattern.repeats
    if kind is Repeats.WEEKLY and len(set(pattern.weekdays)) < len(pattern.weekdays):
        yield FieldError("weekdays", "names a day twice")
    if kind is Repeats.MONTHLY_BY_WEEKDAY:
        if len(pattern.weekdays) != 1:
            yield FieldError("weekdays", "must be one day, such as the monday that `nth` counts")
        if pattern.nth not in (1, 2, 3, 4, 5, -1):
            yield FieldError("nth", "must be 1 to 5, or -1 for the last")
    elif kind is not Repeats.WEEKLY:
        yield from _not_taken(pattern, ("weekdays",))
    if kind is not Repeats.MONTHLY_BY_WEEKDAY:
        yield from _not_taken(pattern, ("nth",))
    if kind is not Repeats.MONTHLY_BY_DATE:
        yield from _not_taken(pattern, ("day_of_month",))
    elif pattern.day_of_month is None or not 1 <= pattern.day_of_month <= 31:
        yield FieldError("day_of_month", "must be 1 to 31")


def _wrong_length(pattern: Pattern) -> Iterator[FieldError]:
    first, until = pattern.starts_on, pattern.until
    if first is None:
        yield FieldError("starts_on", "is missing: the first day of the pattern")
    elif not EARLIEST <= first <= LATEST:
        yield FieldError("starts_on", f"lies outside {EARLIEST} to {LATEST}")
    elif until is not None and until < first:
        yield FieldError("until", "is before starts_on")
    elif until is not None and until > min(add_months(first, LONGEST_MONTHS), LATEST):
        yield FieldError("until", f"is more than {LONGEST_MONTHS // 12} years after starts_on")
    if (until is None) is (pattern.count is None):
        yield FieldError("count", "give either `until`, the last day, or `count`, how many classes")
    if pattern.count is not None and not 1 <= pattern.count <= MOST_CLASSES:
        yield FieldError("count", f"lies outside 1 to {MOST_CLASSES}")


def _not_taken(pattern: Pattern, names: Iterable[str]) -> Iterator[FieldError]:
    given = (name for name in names if getattr(pattern, name) not in (None, ()))
    return (FieldError(name, f"is not taken by a pattern that is {pattern.repeats}") for name in given)


def in_words(pattern: Pattern) -> str:
    """A right pattern as one would say it: `Every 2 weeks on Monday and Friday from 4 January 2027, 10 classes`."""
    if pattern.repeats is Repeats.LISTED:
        first, last = _short_day(min(pattern.days)), _short_day(max(pattern.days))
        return f"{len(pattern.days)} days from {first} to {last}" if first != last else f"On {first}"
    assert pattern.starts_on is not None
    unit = {Repeats.DAILY: "day", Repeats.WEEKLY: "week"}.get(pattern.repeats, "month")
    often = f"Every {unit}" if pattern.every == 1 else f"Every {pattern.every} {unit}s"
    ends = f"until {_short_day(pattern.until)}" if pattern.until else f"{pattern.count} classes"
    return f"{often}{_on(pattern, pattern.starts_on)} from {_short_day(pattern.starts_on)}, {ends}"


def _on(pattern: Pattern, starts_on: date) -> str:
    match pattern.repeats:
        case Repeats.WEEKLY:
            numbers = sorted(each.number for each in pattern.weekdays) or [starts_on.weekday()]
            *names, last = (calendar.day_name[number] for number in numbers)
            return f" on {', '.join(names)} and {last}" if names else f" on {last}"
        case Repeats.MONTHLY_BY_DATE:
            return f" on day {pattern.day_of_month}"
        case Repeats.MONTHLY_BY_WEEKDAY:
            return f" on the {_ORDINALS[pattern.nth or 1]} {pattern.weekdays[0].capitalize()}"
    return ""


_ORDINALS = {1: "first", 2: "second", 3: "third", 4: "fourth", 5: "fifth", -1: "last"}


def _short_day(day: date) -> str:
    return f"{day.day} {day:%B %Y}"


def wrong_plan(plan: Plan, pattern: Pattern) -> Iterator[FieldError]:
    """What is wrong with what a pattern gives: no class at all, fewer than asked for, or more than one schedule makes."""
    where = "pattern.days" if pattern.repeats is Repeats.LISTED else "pattern.until"
    if not plan.classes:
        reasons = " ".join(each.detail for each in plan.left_out[:3])
        yield FieldError("pattern", f"gives no class. {reasons}" if reasons else "gives no day")
    elif pattern.count is not None and len(plan.classes) < pattern.count:
        years = LONGEST_MONTHS // 12
        yield FieldError("pattern.count", f"is more than the {len(plan.classes)} that come within {years} years")
    if len(plan.classes) > MOST_CLASSES:
        yield FieldError(where, f"gives more than {MOST_CLASSES} classes, which is the most one schedule makes")


# --- the plan -----------------------------------------------------------------------------------------------

HolidayOn = Callable[[date], str | None]
"""The name of the bank holiday on a day, or None."""


def plan(
    pattern: Pattern, days: Iterable[date], sittings: tuple[Sitting, ...], rule: BankHolidays, holiday_on: HolidayOn
) -> Plan:
    """What becomes of the days of a right pattern.

    `count` counts classes: a day left out is made up for by the next one. Planning stops one class behind what a schedule may have.
    """
    moving = rule is BankHolidays.NEXT_WORKING_DAY  # asks for all days of the pattern, which may reach ten years ahead
    own = tuple(days) if moving else days
    planning = _Planning(frozenset(own) if moving else frozenset(), sittings, rule, holiday_on)
    most = pattern.count or MOST_CLASSES + 1
    classes: dict[date, Planned] = {}
    left_out: list[LeftOut] = []
    for day in own:
        if len(classes) == most:
            break
        match planning.of(day, classes):
            case Planned() as found:
                classes[found.day] = found
            case LeftOut() as reason:
                left_out.append(reason)
    in_order = tuple(classes[day] for day in sorted(classes))
    last = in_order[-1].day if pattern.count and in_order else pattern.last_day
    left_out += _months_without_day(pattern, last)
    return Plan(sittings, in_order, tuple(sorted(left_out, key=lambda each: each.day)))


@dataclass(frozen=True, slots=True)
class _Planning:
    """What decides of each day: the pattern's own days, the sessions, and the rule for bank holidays."""

    own: frozenset[date]
    sittings: tuple[Sitting, ...]
    rule: BankHolidays
    holiday_on: HolidayOn

    def of(self, day: date, planned: dict[date, Planned]) -> Planned | LeftOut:
        try:
            sessions_from(day, self.sittings)
        except NoSuchTime as skipped:
            return LeftOut(day, Why.NO_SUCH_TIME, f"T{str(skipped)[1:]}.")
        holiday = self._holiday_of(day)
        if holiday is None:
            return Planned(day)
        if self.rule is BankHolidays.KEEP:
            return Planned(day, note=f"{holiday}.")
        if self.rule is BankHolidays.SKIP:
            return LeftOut(day, Why.BANK_HOLIDAY, f"{holiday}.")
        return self._moved(day, holiday, planned)

    def _holiday_of(self, day: date) -> str | None:
        """The first session on a bank holiday, in words; None if all are clear of them."""
        for each in self._days_of(day):
            if name := self.holiday_on(each):
                return f"{long_day(each)} is {name}"
        return None

    def _moved(self, day: date, holiday: str, planned: dict[date, Planned]) -> Planned | LeftOut:
        """The class on the next day from which all its sessions are on working days, unless there is one on that day already."""
        following = (day + timedelta(days) for days in range(1, LONGEST_MOVE + 1))
        found = next((each for each in following if self._works(each)), None)
        if found is None:
            return LeftOut(day, Why.BANK_HOLIDAY, f"{holiday}, and no later day within two weeks suits every session.")
        if found in self.own or found in planned:
            return LeftOut(
                day, Why.TAKEN, f"{holiday}, and {long_day(found)}, the next working day, has a class already."
            )
        return Planned(found, moved_from=day, note=f"{holiday}.")

    def _works(self, day: date) -> bool:
        weekend = any(each.weekday() >= 5 for each in self._days_of(day))
        return not weekend and self._holiday_of(day) is None

    def _days_of(self, day: date) -> Iterator[date]:
        return (day + timedelta(each.day) for each in self.sittings)


def _months_without_day(pattern: Pattern, last: date) -> Iterator[LeftOut]:
    """The months of a monthly pattern that do not have the day it asks for, such as 31 June or a fifth Monday."""
    if pattern.repeats not in (Repeats.MONTHLY_BY_DATE, Repeats.MONTHLY_BY_WEEKDAY):
        return
    assert pattern.starts_on is not None
    month, number = pattern.starts_on.replace(day=1), 0
    while month <= last:
        if not _has_day(pattern, month):
            what = f"has no day {pattern.day_of_month}" if pattern.day_of_month else f"has no {_ordinal(pattern)}"
            yield LeftOut(month, Why.NO_SUCH_DAY, f"{month:%B %Y} {what}.")
        number += pattern.every
        month = add_months(pattern.starts_on.replace(day=1), number)


def _has_day(pattern: Pattern, month: date) -> bool:
    length = calendar.monthrange(month.year, month.month)[1]
    if pattern.day_of_month:
        return pattern.day_of_month <= length
    wanted = pattern.weekdays[0].number
    there = sum(month.replace(day=day).weekday() == wanted for day in range(1, length + 1))
    return there >= abs(pattern.nth or 1)


def _ordinal(pattern: Pattern) -> str:
    return f"fifth {pattern.weekdays[0].capitalize()}"
