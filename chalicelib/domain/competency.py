"""Competencies and awards (domain.md §1 and §3)."""

import re
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from chalicelib.domain.calendar import add_months

NO_RENEWAL = "No Specified Renewal"
ONE_LEVEL = ("Assessed",)
"""The scale of most competencies: "1 - Assessed" alone (domain.md §1)."""

_PART = r"[^|#\x00-\x1f\x7f]+"  # pipes divide a name; # divides keys
_NAME = re.compile(rf"(?P<owner>{_PART})\|(?P<framework>{_PART})\|(?P<title>{_PART})\|")
_PERIOD = re.compile(r"(?P<years>[0-9]{1,3}) Years?")
_BETWEEN = " - "


class MalformedName(ValueError):
    """A competency name that does not follow the pattern of domain.md §3. Says what is wrong."""


@dataclass(frozen=True, slots=True)
class CompetencyName:
    """A full competency name taken apart.

    `NHS|CSTF|Moving and Handling - Level 1 - 3 Years|` has owner `NHS`, framework `CSTF`, subject
    `Moving and Handling`, level `Level 1`, and renews every 36 months. The full name is the key. Raises MalformedName for parts
    that, written down, would be read as others: what is written always reads back the same.
    """

    owner: str
    framework: str
    subject: str
    level: str | None = None
    detail: str | None = None
    renewal_months: int | None = None

    def __post_init__(self) -> None:
        if self._read_back() != (
            self.owner,
            self.framework,
            self.subject,
            self.level,
            self.detail,
            self.renewal_months,
        ):
            raise MalformedName("these parts do not make a name that can be told apart again")

    def _read_back(self) -> tuple[str | int | None, ...] | None:
        match = _NAME.fullmatch(str(self))
        if match is None or _blank_around(match["owner"]) or _blank_around(match["framework"]):
            return None
        return (match["owner"], match["framework"], *_take_apart(match["title"]))

    @property
    def title(self) -> str:
        """What people read: the middle of the name, without owner, framework and pipes."""
        period = NO_RENEWAL if self.renewal_months is None else _years(self.renewal_months)
        return _BETWEEN.join(part for part in (self.subject, self.level, self.detail, period) if part is not None)

    @property
    def about(self) -> tuple[str, str | None, str | None]:
        """Subject, level and detail: two names that agree in these mean one thing, under two periods or in two frameworks."""
        return self.subject.casefold(), self.level, self.detail and self.detail.casefold()

    @property
    def spellings(self) -> tuple[str, ...]:
        """The name as it may be written: in full, and without its "No Specified Renewal" where that reads the same."""
        full = str(self)
        short = self.title.removesuffix(f"{_BETWEEN}{NO_RENEWAL}")
        if short == self.title or not self._is_titled(short):
            return (full,)
        return full, f"{self.owner}|{self.framework}|{short}|"

    def _is_titled(self, title: str) -> bool:
        try:
            return _take_apart(title) == (self.subject, self.level, self.detail, self.renewal_months)
        except MalformedName:
            return False

    def __str__(self) -> str:
        return f"{self.owner}|{self.framework}|{self.title}|"


def parse_name(name: str) -> CompetencyName:
    """Take a full name apart; raises MalformedName saying what is wrong.

    A title that ends in no period (local names need none) has no renewal of its own.
    """
    match = _NAME.fullmatch(name)
    if match is None:
        raise MalformedName("write it as OWNER|FRAMEWORK|Subject - period|, with the pipe at the end and without #")
    return CompetencyName(match["owner"].strip(), match["framework"].strip(), *_take_apart(match["title"]))


def title_of(name: str) -> str:
    """The readable part of a full name; the name itself if it follows no pattern."""
    try:
        return parse_name(name).title
    except MalformedName:
        return name


def _take_apart(title: str) -> tuple[str, str | None, str | None, int | None]:
    """Subject, level, detail and months of renewal of a title. Raises MalformedName for a subject or part that is empty."""
    subject, *rest = (part.strip() for part in title.split(_BETWEEN))
    months = None
    if rest and rest[-1] == NO_RENEWAL:
        rest.pop()
    elif rest and (period := _PERIOD.fullmatch(rest[-1])):
        months = int(period["years"]) * 12
        rest.pop()
    if not subject or not all(rest) or months == 0:
        raise MalformedName("subject, level, detail and period are divided by ' - ', and none of them is empty or 0")
    level = rest.pop(0) if rest and rest[0].startswith("Level ") else None
    return subject, level, _BETWEEN.join(rest) or None, months


def _blank_around(part: str) -> bool:
    return part != part.strip()


def _years(months: int) -> str:
    """A period as names write it: whole years. Whatever is none does not read back, and is refused by that."""
    years = months / 12
    return "1 Year" if years == 1 else f"{years:.10g} Years"


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
    levels: tuple[str, ...] = ONE_LEVEL
    covers: tuple[str, ...] = ()
    starts_on: date | None = None
    ends_on: date | None = None

    def in_use_on(self, day: date) -> bool:
        """Whether the competency may be required on a day."""
        return (self.starts_on is None or self.starts_on <= day) and (self.ends_on is None or day <= self.ends_on)

    def has_level(self, level: int) -> bool:
        """Whether the level exists in its proficiency scale, which begins at 1."""
        return 1 <= level <= len(self.levels)


class Origin(StrEnum):
    """Where an award came from."""

    COMPLETION = "completion"
    EXTERNAL = "external training"
    TRANSFER = "transfer"
    ADMINISTRATOR = "administrator"
    TAKEOVER = "takeover"


@dataclass(frozen=True, slots=True)
class Voided:
    """Why an award no longer counts, who said so (a person id or a named system), and when."""

    reason: str
    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Award:
    """A competency held: level (1 is "1 - Assessed"), London days of award and expiry, and its origin.

    `source` tells apart two awards of one competency on one day: an enrolment id, a transfer id, or the like.
    An award is never edited, only superseded or voided (domain.md §3). `voided` is None also for one that was void already when
    it was taken over.
    """

    competency: str
    level: int
    awarded_on: date
    expires_on: date | None
    origin: Origin
    source: str
    void: bool = False
    voided: Voided | None = None

    def counts_on(self, day: date) -> bool:
        """Whether this award had been made, and not voided, by that day (it may have expired)."""
        return not self.void and self.awarded_on <= day

    def valid_on(self, day: date) -> bool:
        """Valid through the expiry day itself (domain.md §3)."""
        return self.counts_on(day) and (self.expires_on is None or day <= self.expires_on)


def expiry_of(awarded_on: date, renewal_months: int | None) -> date | None:
    """The last day of validity of an award made on that day; None if it never needs renewing."""
    return None if renewal_months is None else add_months(awarded_on, renewal_months)
