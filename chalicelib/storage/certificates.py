"""Certificates as they were issued."""

from datetime import date

from pynamodb.attributes import JSONAttribute, NumberAttribute, UnicodeAttribute

from chalicelib.domain.certificates import Certificate, Paper
from chalicelib.domain.competency import Award, Origin
from chalicelib.domain.enrolment import Enrolment
from chalicelib.storage import keys
from chalicelib.storage.base import DayAttribute, InstantAttribute, Record
from chalicelib.storage.transaction import Transaction


class CertificateRow(Record, discriminator="certificate"):
    """`P#p` / `E#504#CTF#504-c17#001#7Q2M…`; gsi1 finds it by its code. Never changed: what a paper says stays."""

    name = UnicodeAttribute()
    number = UnicodeAttribute()
    employer_name = UnicodeAttribute()
    course = UnicodeAttribute()
    completed_on = DayAttribute()
    awards = JSONAttribute()
    levels = JSONAttribute()
    completion = NumberAttribute()
    issued_at = InstantAttribute()

    @classmethod
    def of(cls, certificate: Certificate) -> "CertificateRow":
        """The row of a certificate."""
        paper, code = certificate.paper, certificate.code
        return cls(
            keys.person(certificate.person),
            keys.certificate(certificate.employer, certificate.class_id, certificate.attempt, code),
            gsi1pk=keys.certificate_code(code),
            gsi1sk=keys.person(certificate.person),
            name=paper.name,
            number=paper.number,
            employer_name=paper.employer,
            course=paper.course,
            completed_on=paper.completed_on,
            awards=[
                [
                    each.competency,
                    each.level,
                    each.awarded_on.isoformat(),
                    each.expires_on.isoformat() if each.expires_on else None,
                    each.origin.value,
                    each.source,
                ]
                for each in paper.awards
            ],
            levels=list(paper.levels),
            completion=certificate.completion,
            issued_at=certificate.issued_at,
        )

    def certificate(self) -> Certificate:
        """The certificate of this row."""
        _, employer, _, class_id, attempt, code = self.sk.split(keys.SEPARATOR)
        awards = tuple(
            Award(
                competency,
                int(level),
                date.fromisoformat(awarded_on),
                date.fromisoformat(expires_on) if expires_on else None,
                Origin(origin),
                source,
            )
            for competency, level, awarded_on, expires_on, origin, source in self.awards
        )
        return Certificate(
            code,
            self.pk.split(keys.SEPARATOR)[1],
            employer,
            class_id,
            int(attempt),
            int(self.completion),
            self.issued_at,
            Paper(
                self.name,
                self.number,
                self.employer_name,
                self.course,
                self.completed_on,
                awards,
                tuple(self.levels),
            ),
        )


def create(transaction: Transaction, certificate: Certificate) -> None:
    """Add to a transaction: a certificate under a code of its own."""
    transaction.create(CertificateRow.of(certificate))


def issued(enrolment: Enrolment) -> list[Certificate]:
    """The certificates issued for an enrolment: one, unless what it says has changed."""
    own = keys.certificates(enrolment.employer, enrolment.class_id, enrolment.attempt)
    rows = CertificateRow.query(keys.person(enrolment.person), CertificateRow.sk.startswith(own), consistent_read=True)
    return [row.certificate() for row in rows]


def with_code(code: str) -> Certificate | None:
    """The certificate with a code, or None. One that was issued a moment ago may not be found yet."""
    rows = Record.gsi1.query(keys.certificate_code(code))
    return next((row.certificate() for row in rows if isinstance(row, CertificateRow)), None)
