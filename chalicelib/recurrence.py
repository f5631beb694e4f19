"""Days of a pattern and bank holidays, by the libraries that know them: dateutil's rrule (RFC 5545) and holidays."""

import functools
from collections.abc import Iterator, Mapping
from datetime import date, datetime, time
from typing import Any

from chalicelib.domain.schedules import Pattern, Repeats


def days_of(pattern: Pattern) -> Iterator[date]:
    """The days of a right pattern (`wrong_pattern` finds nothing), in order, up to the last it can reach."""
    if pattern.repeats is Repeats.LISTED:
        return iter(sorted(pattern.days))
    assert pattern.starts_on is not None
    return (each.date() for each in _rule(pattern, pattern.starts_on))


def _rule(pattern: Pattern, starts_on: date) -> Any:
    from dateutil import rrule

    frequencies: dict[Repeats, Any] = {Repeats.DAILY: rrule.DAILY, Repeats.WEEKLY: rrule.WEEKLY}
    weekdays = [rrule.weekday(each.number, pattern.nth) for each in pattern.weekdays] or None
    return rrule.rrule(
        frequencies.get(pattern.repeats, rrule.MONTHLY),
        dtstart=datetime.combine(starts_on, time()),
        interval=pattern.every,
        byweekday=weekdays,
        bymonthday=pattern.day_of_month,
        until=datetime.combine(pattern.last_day, time()),
    )


def bank_holiday(day: date) -> str | None:
    """What the bank holiday of England and Wales on a day is called; None if it is none."""
    return _bank_holidays().get(day)


@functools.cache
def _bank_holidays() -> Mapping[date, str]:
    from holidays import country_holidays

    return country_holidays(
        "GB", subdiv="ENG"
    )  # what England has, Wales has; years are filled in as they are asked for
