"""Exemptions: when one may be granted, and how it is ended (domain.md §1; reason and end date always)."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from chalicelib.domain.calendar import add_months
from chalicelib.domain.errors import FieldError
from chalicelib.domain.requirements import Exemption, Rulebook

SHORTEST_REASON, LONGEST_REASON = 3, 200
LONGEST = 36
"""Months an exemption may last, and the most it may begin ahead or in arrears. What is never needed should not be required."""


@dataclass(frozen=True, slots=True)
class Granted:
    """An exemption as it was granted: by whom (a person id or a named system) and when."""

    exemption: Exemption
    by: str
    at: datetime


def wrong_fields(wanted: Exemption, held: Iterable[Exemption], rulebook: Rulebook, today: date) -> Iterator[FieldError]:
    """Each field of an exemption that cannot be granted to somebody who has these already."""
    if wanted.competency not in rulebook.competencies:
        yield FieldError("competency", "is in no framework this employer uses")
    if len(wanted.reason.strip()) < SHORTEST_REASON or len(wanted.reason) > LONGEST_REASON:
        yield FieldError("reason", f"takes {SHORTEST_REASON} to {LONGEST_REASON} characters")
    elif not wanted.reason.isprintable():
        yield FieldError("reason", "is one line, without control characters")
    if not add_months(today, -LONGEST) <= wanted.starts_on <= add_months(today, LONGEST):
        yield FieldError("starts_on", f"lies more than {LONGEST} months from today")
    elif wanted.ends_on < wanted.starts_on:
        yield FieldError("ends_on", "lies before starts_on")
    elif wanted.ends_on > add_months(wanted.starts_on, LONGEST):
        yield FieldError("ends_on", f"lies more than {LONGEST} months after starts_on")
    elif overlapped := _overlapped(wanted, held):
        yield FieldError(
            "starts_on",
            f"overlaps the exemption from {overlapped.starts_on} to {overlapped.ends_on}: end that one first",
        )


def _overlapped(wanted: Exemption, held: Iterable[Exemption]) -> Exemption | None:
    same = (each for each in held if each.competency == wanted.competency)
    return next((each for each in same if each.starts_on <= wanted.ends_on and wanted.starts_on <= each.ends_on), None)


def wrong_end(exemption: Exemption, last_day: date, today: date) -> Iterator[FieldError]:
    """Why an exemption cannot get this last day: it may only be brought forward, and days before yesterday stay as they were."""
    yesterday = today - timedelta(days=1)
    if last_day > exemption.ends_on:
        yield FieldError("ends_on", f"lies after its last day, {exemption.ends_on}: grant another for the days after")
    elif last_day < min(yesterday, exemption.ends_on):
        yield FieldError("ends_on", f"lies before {yesterday}: what has been so for longer stays")


def ended(exemption: Exemption, last_day: date) -> Exemption | None:
    """The exemption with another last day; None if none of it is left."""
    return replace(exemption, ends_on=last_day) if last_day >= exemption.starts_on else None
