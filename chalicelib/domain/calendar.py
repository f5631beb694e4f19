"""Days and months as the service counts them.

An *instant* is a timezone-aware UTC datetime. A *day* is a civil date in Europe/London: awards, expiries,
requirements and assignments begin and end on days, never at instants (domain.md §3).
"""

import calendar
from datetime import UTC, date, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

LONDON = ZoneInfo("Europe/London")

EARLIEST, LATEST = date(1900, 1, 1), date(2199, 12, 31)
"""Days outside these are slips of the keyboard, and leave no room for counting months onward."""


def london_day(instant: datetime) -> date:
    """The civil day in Europe/London on which a UTC instant falls."""
    return instant.astimezone(LONDON).date()


def london_time(day: date, hour: int, minute: int = 0) -> datetime:
    """The UTC instant of a civil time on a London day: 09:00 stays 09:00 across clock changes (domain.md §8)."""
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=LONDON).astimezone(UTC)


def long_day(day: date) -> str:
    """`Monday 23 November 2026`, as the NHS writes dates."""
    return f"{day:%A} {day.day} {day:%B %Y}"


@lru_cache(maxsize=10_000)  # every row of everybody's compliance asks, of the same few days
def add_months(day: date, months: int) -> date:
    """The same day of the month `months` calendar months later, or that month's last day if it is shorter.

    29 February plus twelve months is 28 February (domain.md §3).
    """
    month_index = day.year * 12 + day.month - 1 + months
    year, month = divmod(month_index, 12)
    last_day = calendar.monthrange(year, month + 1)[1]
    return date(year, month + 1, min(day.day, last_day))
