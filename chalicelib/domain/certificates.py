"""Certificates: what the paper of a completion says, and whether it still stands (domain.md §9, N10; decision 0026)."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from chalicelib.domain.attendance import completed_on, completion_noted_at
from chalicelib.domain.competency import Award
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
    """What a certificate says: who has completed what, on which London day, at which employer, and which awards came with it."""

    name: str
    employer: str
    course: str
    completed_on: date
    awards: tuple[Award, ...]


@dataclass(frozen=True, slots=True)
class Certificate:
    """A paper as it was issued, under a code that nobody can guess."""

    code: str
    person: str
    employer: str
    class_id: str
    attempt: int
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


def paper_of(enrolment: Enrolment, learner: Learner, employer_name: str) -> Paper:
    """What the certificate of a completed enrolment says today."""
    return Paper(
        learner.person.full_name,
        employer_name,
        enrolment.title,
        completed_on(enrolment, enrolment.ends_at),
        awarded_for(enrolment, learner.awards),
    )


def is_of(certificate: Certificate, enrolment: Enrolment) -> bool:
    """Whether a certificate of an enrolment is of its completion as it stands, and not of one that was taken back before."""
    return enrolment.status is Status.COMPLETED and completion_noted_at(enrolment) <= certificate.issued_at


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
