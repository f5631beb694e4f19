"""Certificates: issued when they are first asked for, and checked by anybody who holds the paper (decision 0026)."""

import secrets
from datetime import datetime

import msgspec

from chalicelib import documents
from chalicelib.config import setting
from chalicelib.domain import certificates as rules_of
from chalicelib.domain.actor import Actor
from chalicelib.domain.attendance import completion
from chalicelib.domain.calendar import london_day
from chalicelib.domain.certificates import CODE_LENGTH, CODE_LETTERS, Certificate, Standing
from chalicelib.domain.enrolment import Enrolment, Status
from chalicelib.domain.errors import EnrolmentNotThere, NotFound
from chalicelib.domain.learner import Learner
from chalicelib.domain.requirements import Target, TargetKind
from chalicelib.services.enrolment import one_of
from chalicelib.services.learning import myself, visible
from chalicelib.storage import audit, rules
from chalicelib.storage import certificates as stored
from chalicelib.storage import learner as learners
from chalicelib.storage.transaction import Transaction


def of_mine(actor: Actor, enrolment_id: str, now: datetime) -> bytes:
    """The certificate of something the actor has completed, as a PDF. Raises NotFound and EnrolmentNotThere."""
    return _printed(actor, myself(actor), enrolment_id, now)


def of_person(actor: Actor, person: str, enrolment_id: str, now: datetime) -> bytes:
    """The certificate of something that somebody has completed whose learning the actor may see, as `of_mine`."""
    return _printed(actor, visible(actor, person, now), enrolment_id, now)


def _printed(actor: Actor, learner: Learner, enrolment_id: str, now: datetime) -> bytes:
    certificate = _certificate(actor, learner, enrolment_id, now)
    return documents.certificate(certificate, f"{setting('PORTAL_URL')}/certificates")


def _certificate(actor: Actor, learner: Learner, enrolment_id: str, now: datetime) -> Certificate:
    """The one that says what there is to say; issued now if none does. Two at the same moment may issue two, which both stand.

    The learner is read again, strongly consistent, lest a paper leave out an award that has just been made: whole, where the actor
    may see only a part.
    """
    one_of(learner, enrolment_id)
    current = learners.learner(learner.person.id, learner.employer, consistent=True) or learner
    enrolment = _completed(current, enrolment_id)
    rulebook = rules.rulebook(learner.employer)
    employer = rulebook.names.get(Target(TargetKind.EMPLOYER, learner.employer), learner.employer)
    paper = rules_of.paper_of(enrolment, current, employer, rulebook.competencies)
    for each in stored.issued(enrolment):
        if each.paper == paper and rules_of.is_of(each, enrolment):
            return each
    code = "".join(secrets.choice(CODE_LETTERS) for _ in range(CODE_LENGTH))
    certificate = Certificate(
        code,
        enrolment.person,
        enrolment.employer,
        enrolment.class_id,
        enrolment.attempt,
        completion(enrolment),
        now,
        paper,
    )
    transaction = Transaction()
    stored.create(transaction, certificate)
    facts = {"enrolment": enrolment.id}
    audit.record(
        transaction, audit.Entry(enrolment.employer, actor.person, "certificate.issued", now, enrolment.person, facts)
    )
    transaction.commit()
    return certificate


def _completed(learner: Learner, enrolment_id: str) -> Enrolment:
    enrolment = one_of(learner, enrolment_id)
    if enrolment.status is not Status.COMPLETED:
        raise EnrolmentNotThere(
            f"This enrolment is {enrolment.status}.",
            way_out="There is a certificate once the class is completed.",
            enrolment=enrolment_id,
            status=enrolment.status.value,
        )
    return enrolment


class Checked(msgspec.Struct, frozen=True):
    """What a certificate says, and whether it still stands: as a whole, its completion, and each of its awards."""

    certificate: Certificate
    standing: Standing
    awards: tuple[Standing, ...]


def check(code: str, now: datetime) -> Checked:
    """What the certificate with this code says, and whether it still stands. Raises NotFound."""
    read = rules_of.code_read(code)
    certificate = stored.with_code(read) if rules_of.is_code(read) else None
    if certificate is None:
        raise NotFound("There is no certificate with this code.", way_out="Check the code, letter by letter.")
    learner = learners.learner(certificate.person, certificate.employer)
    standings = rules_of.standings(certificate, learner, london_day(now))
    return Checked(certificate, rules_of.overall(standings), standings[1:])
