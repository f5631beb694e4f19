"""Who is told what administrators have to know: those of an employer who still work there (domain.md §9 and §10)."""

from collections.abc import Iterable
from datetime import datetime

from chalicelib.domain.calendar import london_day
from chalicelib.domain.permissions import Role
from chalicelib.storage import people, rules


def of(employer: str, now: datetime) -> list[str]:
    """The learning administrators of an employer, by person id, in order. May lag a moment behind."""
    return _here(employer, (each.person for each in people.granted(employer, Role.LEARNING_ADMINISTRATOR)), now)


def for_subject(employer: str, subject: str, now: datetime) -> list[str]:
    """The learning administrators, and the class administrators of a subject or one above it, each once."""
    known = rules.catalogue_now(employer)
    learning = (each.person for each in people.granted(employer, Role.LEARNING_ADMINISTRATOR))
    classes = (
        each.person
        for each in people.granted(employer, Role.CLASS_ADMINISTRATOR)
        if known.within(subject, each.subjects)
    )
    return _here(employer, [*learning, *classes], now)


def _here(employer: str, person_ids: Iterable[str], now: datetime) -> list[str]:
    wanted = set(person_ids)
    return sorted(wanted - people.left_by(employer, wanted, london_day(now)))
