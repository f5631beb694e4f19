"""Competencies and awards (domain.md §1 and §3)."""

import re
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from chalicelib.domain.calendar import add_months

_NAME = re.compile(r"^(?P<owner>[^|]+)\|(?P<framework>[^|]+)\|(?P<title>[^|]+)\|$")
_PERIOD = re.compile(r"^(?P<years>\d+) Years?$")
NO_RENEWAL = "No Specified Renewal"


class MalformedName(ValueError):
    """A competency name that does not follow the pattern of domain.md §3."""


@dataclass(frozen=True, slots=True)
class CompetencyName:
    """A full competency name taken apart.

    `NHS|CSTF|Moving and Handling - Level 1 - 3 Years|` has owner `NHS`, framework `CSTF`, subject
    `Moving and Handling`, level `Level 1`, and renews every 36 months. The full name is the key.
    """

    owner: str
    framework: str
    subject: str
    level: str | None = None
    detail: str | None = None
    renewal_months: int | None = None

    @property
    def title(self) -> str:
        """What people read: the middle of the name, without owner, framework and pipes."""
        period = NO_RENEWAL if self.renewal_months is None else _years(self.renewal_months)
        return " - ".join(part for part in (self.subject, self.level, self.detail, period) if part)

    def __str__(self) -> str:
        return f"{self.owner}|{self.framework}|{self.title}|"


def parse_name(name: str) -> CompetencyName:
    """Take a full name apart; raises MalformedName saying what is wrong.

    A title that ends in no period (local names need none) has no renewal of its own.
    """
    match = _NAME.match(name)
    if match is None:
        raise MalformedName("write it as OWNER|FRAMEWORK|Subject - period|, with the pipe at the end")
    subject, *rest = (part.strip() for part in match["title"].split(" - "))
    months = None
    if rest and rest[-1] == NO_RENEWAL:
        rest.pop()
    elif rest and (period := _PERIOD.match(rest[-1])):
        months = int(period["years"]) * 12
        rest.pop()
    level = rest.pop(0) if rest and rest[0].startswith("Level ") else None
    detail = " - ".join(rest) or None
    return CompetencyName(match["owner"], match["framework"], subject, level, detail, months)


def _years(months: int) -> str:
    years = months // 12
    return "1 Year" if years == 1 else f"{years} Years"


@dataclass(frozen=True, slots=True)
class Competency:
    """A skill in a framework: national (owner `NHS`) or an employer's own. `name` is the key.

    `renewal_months` is data, not read from the name: sources disagree on periods (domain.md §3). `levels` names its proficiency
    scale from level 1 up; national competencies normally have one, "1 - Assessed" (domain.md §1). `covers` names those that
    whoever holds this one need not hold besides (Level 3 covers 2 and 1). It is in use between `starts_on` and `ends_on`,
    London days, both included; outside them nothing can require it, and what was awarded stays held.
    """

    name: str
    title: str
    subject: str
    renewal_months: int | None
    levels: tuple[str, ...] = ("Assessed",)
    covers: tuple[str, ...] = ()
    starts_on: date | None = None
    ends_on: date | None = None

    def in_use_on(self, day: date) -> bool:
        """Whether the competency may be required on a day."""
        return (self.starts_on is None or self.starts_on <= day) and (self.ends_on is None or day <= self.ends_on)


class Origin(StrEnum):
    """Where an award came from."""

    COMPLETION = "completion"
    EXTERNAL = "external training"
    TRANSFER = "transfer"
    ADMINISTRATOR = "administrator"
    TAKEOVER = "takeover"


@dataclass(frozen=True, slots=True)
class Award:
    """A competency held: level (1 is "1 - Assessed"), London days of award and expiry, and its origin.

    `source` tells apart two awards of one competency on one day: an enrolment id, a transfer id, or the like.
    An award is never edited, only superseded or voided (domain.md §3).
    """

    competency: str
    level: int
    awarded_on: date
    expires_on: date | None
    origin: Origin
    source: str
    void: bool = False

    def counts_on(self, day: date) -> bool:
        """Whether this award had been made, and not voided, by that day (it may have expired)."""
        return not self.void and self.awarded_on <= day

    def valid_on(self, day: date) -> bool:
        """Valid through the expiry day itself (domain.md §3)."""
        return self.counts_on(day) and (self.expires_on is None or day <= self.expires_on)


def expiry_of(awarded_on: date, renewal_months: int | None) -> date | None:
    """The last day of validity of an award made on that day; None if it never needs renewing."""
    return None if renewal_months is None else add_months(awarded_on, renewal_months)
