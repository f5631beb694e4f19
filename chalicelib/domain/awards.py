"""Awards that people record: what may be said in one, and what it is then (domain.md §3)."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import date, datetime
from typing import Any

from chalicelib.domain.calendar import EARLIEST
from chalicelib.domain.competency import Award, Competency, Origin, Voided, expiry_of
from chalicelib.domain.enrolment import Enrolment, Status
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


def voided(award: Award, reason: str, by: str, at: datetime) -> Award:
    """An award made void, for a reason."""
    return replace(award, void=True, voided=Voided(reason, by, at))


def facts(award: Award) -> dict[str, Any]:
    """What the audit says of an award."""
    return {
        "competency": award.competency,
        "level": award.level,
        "awarded_on": str(award.awarded_on),
        "expires_on": str(award.expires_on) if award.expires_on else None,
        "origin": award.origin.value,
        "source": award.source,
    }


# --- where an award comes from ------------------------------------------------------------------------------------


def source_of(record: str, own: str) -> str:
    """The source of an award that comes from a record (an enrolment, an external training): its id, and a part of its own."""
    return f"{record}.{own}"


def corrected_source(wrong: Award, own: str) -> str:
    """The source of what takes the place of a wrong award: it comes from where that came from."""
    return source_of(record_of(wrong), own)


def record_of(award: Award) -> str:
    """The id of the record that an award comes from."""
    return award.source.rpartition(".")[0] or award.source


def wrong_enrolment(enrolment: Enrolment, competency: str, awarded: Iterable[Award]) -> Iterator[FieldError]:
    """Why an award of a competency cannot come from an enrolment, which has `awarded` these."""
    if enrolment.status is not Status.COMPLETED:
        yield FieldError("enrolment_id", f"is not completed but {enrolment.status}")
    elif competency not in {each.competency for each in (*enrolment.grants, *enrolment.to_verify)}:
        yield FieldError("enrolment_id", "is of a class that does not award this competency")
    elif competency in {each.competency for each in awarded}:
        yield FieldError("enrolment_id", "has awarded this competency already: correct that award")


def verified(enrolment: Enrolment, competency: str) -> Enrolment:
    """The enrolment once an administrator has awarded a competency for it; the very same one if that was not waited for."""
    left = tuple(each for each in enrolment.to_verify if each.competency != competency)
    if left == enrolment.to_verify:
        return enrolment
    return replace(enrolment, to_verify=left, revision=enrolment.revision + 1)
