"""Awards that people record: what may be said in one, and what it is then (domain.md §3)."""

from collections.abc import Iterator, Mapping
from datetime import date

from chalicelib.domain.calendar import EARLIEST
from chalicelib.domain.competency import Award, Competency, Origin, expiry_of
from chalicelib.domain.errors import FieldError

RECORDED = frozenset({Origin.ADMINISTRATOR, Origin.EXTERNAL})
"""Origins of an award that an administrator records; the others follow from a completion, a transfer or a takeover."""


def wrong_fields(
    competency: str, level: int, awarded_on: date, framework: Mapping[str, Competency], today: date
) -> Iterator[FieldError]:
    """Each field of an award that cannot be: an unknown competency, a level off its scale, a day that has not come.

    A competency that is not in use any more may still be awarded: somebody was trained while it was.
    """
    known = framework.get(competency)
    if known is None:
        yield FieldError("competency", "is in no framework this employer uses")
    elif not known.has_level(level):
        yield FieldError("level", f"is not on its scale of 1 to {len(known.levels)}")
    if not EARLIEST <= awarded_on <= today:
        yield FieldError("awarded_on", f"lies in the future or before {EARLIEST}")


def award_of(competency: Competency, level: int, awarded_on: date, origin: Origin, source: str) -> Award:
    """An award as it is made today: valid for the competency's period of today, whatever becomes of that period later."""
    return Award(competency.name, level, awarded_on, expiry_of(awarded_on, competency.renewal_months), origin, source)
