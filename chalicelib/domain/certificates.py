"""Certificates: what the paper of a completion says, and whether it still stands (domain.md §9, N10; decision 0026)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from chalicelib.domain.attendance import completed_on, completion
from chalicelib.domain.competency import Award, Competency
from chalicelib.domain.enrolment import Enrolment, Status
from chalicelib.domain.learner import Learner
from chalicelib.domain.learning import awarded_for

CODE_LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""None that is taken for another one (Crockford's base 32), since codes are typed from paper."""

CODE_LENGTH = 20
"""A hundred bits: nobody finds a certificate by trying."""

_MISREAD = str.maketrans({"O": "0", "I": "1", "L": "1", "-": None, " ": None})


class Standing(StrEnum):
    """Whether a certificate, or a competency on it, still stands. Void: the completion or the award was taken back."""

    VALID = "valid"
    EXPIRED = "expired"
    VOID = "void"


@dataclass(frozen=True, slots=True)
class Paper:
    """What a certificate says: who has completed what, on which London day, at which employer, and which awards came with it.

    `number` is their employee number, which tells two of one name apart. `levels` names the level of each award as its scale did
    then; None where the scale has one level alone.
    """

    name: str
    number: str
    employer: str
    course: str
    completed_on: date
    awards: tuple[Award, ...]
    levels: tuple[str | None, ...]


@dataclass(frozen=True, slots=True)
class Certificate:
    """A paper as it was issued, under a code that nobody can guess. `completion` is the row of the enrolment's history that noted
    what it certifies.
    """

    code: str
    person: str
    employer: str
    class_id: str
    attempt: int
    completion: int
    issued_at: datetime
    paper: Paper


def code_read(text: str) -> str:
    """A code as somebody typed it: small letters, dashes, and letters taken for digits are forgiven."""
    return text.upper().translate(_MISREAD)


def is_code(code: str) -> bool:
    """Whether it can be the code of a certificate at all."""
    return len(code) == CODE_LENGTH and set(code) <= set(CODE_LETTERS)


def code_written(code: str) -> str:
    """A code as paper shows it: `7Q2MK-…`, in fives."""
    return "-".join(code[start : start + 5] for start in range(0, len(code), 5))


def paper_of(enrolment: Enrolment, learner: Learner, employer_name: str, known: Mapping[str, Competency]) -> Paper:
    """What the certificate of a completed enrolment says today."""
    awards = awarded_for(enrolment, learner.awards)
    return Paper(
        learner.person.full_name,
        learner.employment.number if learner.employment else "",
        employer_name,
        enrolment.title,
        completed_on(enrolment, enrolment.ends_at),
        awards,
        tuple(_level(each, known.get(each.competency)) for each in awards),
    )


def _level(award: Award, competency: Competency | None) -> str | None:
    several = competency is not None and len(competency.levels) > 1 and competency.has_level(award.level)
    return competency.levels[award.level - 1] if competency and several else None


def is_of(certificate: Certificate, enrolment: Enrolment) -> bool:
    """Whether a certificate of an enrolment is of its completion as it stands: not of one that was taken back before, nor of
    another day than that on which the class is now known to have ended.
    """
    return (
        enrolment.status is Status.COMPLETED
        and certificate.completion == completion(enrolment)
        and certificate.paper.completed_on == completed_on(enrolment, enrolment.ends_at)
    )


def standings(certificate: Certificate, learner: Learner | None, day: date) -> tuple[Standing, ...]:
    """Whether the certificate still stands on a day: its completion first, then each of its awards."""
    enrolments = learner.enrolments if learner else ()
    mine = (each for each in enrolments if (each.class_id, each.attempt) == (certificate.class_id, certificate.attempt))
    enrolment = next(mine, None)
    completion = Standing.VALID if enrolment and is_of(certificate, enrolment) else Standing.VOID
    held = learner.awards if learner else ()
    return completion, *(_standing(each, held, day) for each in certificate.paper.awards)


def _standing(printed: Award, held: Iterable[Award], day: date) -> Standing:
    if printed not in held:  # it was made void since, and so differs
        return Standing.VOID
    return Standing.VALID if printed.valid_on(day) else Standing.EXPIRED


def overall(found: Iterable[Standing]) -> Standing:
    """The worst of these: a paper stands as a whole or not."""
    severity = (Standing.VALID, Standing.EXPIRED, Standing.VOID)
    return max(found, key=severity.index)
