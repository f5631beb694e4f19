"""Who is told what administrators have to know: those of an employer who still work there (domain.md §9 and §10)."""

from collections.abc import Iterable
from datetime import datetime

from chalicelib.domain.calendar import london_day
from chalicelib.domain.people import NATIONAL
from chalicelib.domain.permissions import Role
from chalicelib.storage import people, rules


def of(employer: str, now: datetime) -> list[str]:
    """The learning administrators of an employer, of the nation its own, by person id, in order. May lag a moment behind."""
    return _here(employer, _administer(employer), now)


def for_subject(employer: str, subject: str, now: datetime) -> list[str]:
    """Those, and the class administrators of a subject or one above it, each once."""
    known = rules.catalogue_now(employer)
    classes = (
        each.person
        for each in people.granted(employer, Role.CLASS_ADMINISTRATOR)
        if known.within(subject, each.subjects)
    )
    return _here(employer, [*_administer(employer), *classes], now)


def _administer(employer: str) -> list[str]:
    role = Role.NATIONAL_ADMINISTRATOR if employer == NATIONAL else Role.LEARNING_ADMINISTRATOR
    return [each.person for each in people.granted(employer, role)]


def _here(employer: str, person_ids: Iterable[str], now: datetime) -> list[str]:
    wanted = set(person_ids)
    return sorted(wanted - people.left_by(employer, wanted, london_day(now)))
