"""Certificates of what was completed, and checking one by its code."""

from datetime import date
from typing import Annotated

import msgspec
from chalice import Blueprint

from chalicelib.domain import errors
from chalicelib.domain.calendar import london_day
from chalicelib.domain.certificates import code_written
from chalicelib.domain.competency import title_of
from chalicelib.domain.permissions import Capability
from chalicelib.handlers.http import PUBLIC, PublicRequest, Request, Routes
from chalicelib.handlers.parsing import Pdf
from chalicelib.services import certificates
from chalicelib.services.certificates import Checked

blueprint = Blueprint(__name__)
routes = Routes(blueprint, "Certificates")


@routes.route(
    "GET",
    "/v1/me/enrolments/{enrolment_id}/certificate",
    capability=Capability.VIEW_HISTORY,
    summary="My certificate of a completion",
    answer=Pdf,
    refusals=(errors.NotFound, errors.EnrolmentNotThere),
)
def my_certificate(request: Request) -> Pdf:
    """A PDF of one page or more: who completed what and when, the competencies awarded with their days, and a code by which anybody
    can check it. Send `Accept: application/pdf`.
    """
    enrolment = request.path["enrolment_id"]
    return _pdf(certificates.of_mine(request.actor, enrolment, request.now), enrolment)


@routes.route(
    "GET",
    "/v1/people/{person_id}/enrolments/{enrolment_id}/certificate",
    capability=Capability.VIEW_HISTORY,
    summary="Somebody's certificate of a completion",
    answer=Pdf,
    refusals=(errors.NotFound, errors.EnrolmentNotThere),
)
def certificate_of(request: Request) -> Pdf:
    """The same of somebody whose learning one may see."""
    enrolment = request.path["enrolment_id"]
    return _pdf(certificates.of_person(request.actor, request.path["person_id"], enrolment, request.now), enrolment)


def _pdf(content: bytes, enrolment: str) -> Pdf:
    return Pdf(content, f"certificate-{enrolment}.pdf")


Stands = Annotated[str, msgspec.Meta(description="valid, expired, or void if it was taken back.")]


class OnPaper(msgspec.Struct, frozen=True):
    """A competency on the certificate."""

    title: str
    level: int
    level_name: Annotated[
        str | None,
        msgspec.Meta(description="As its scale called it; null if that has one level, of which the paper is silent."),
    ]
    awarded_on: date
    expires_on: Annotated[date | None, msgspec.Meta(description="Last valid day; null if it never expires.")]
    standing: Stands


class CertificateView(msgspec.Struct, frozen=True):
    """What a certificate says, and whether it still stands."""

    code: str
    standing: Annotated[Stands, msgspec.Meta(description="Of the whole: the worst of what stands on it.")]
    name: str
    employee_number: str
    course: str
    completed_on: Annotated[date, msgspec.Meta(description="London day.")]
    employer: str
    issued_on: date
    competencies: list[OnPaper]

    @classmethod
    def of(cls, checked: Checked) -> "CertificateView":
        """Present a certificate."""
        certificate, paper = checked.certificate, checked.certificate.paper
        return cls(
            code_written(certificate.code),
            checked.standing,
            paper.name,
            paper.number,
            paper.course,
            paper.completed_on,
            paper.employer,
            london_day(certificate.issued_at),
            [
                OnPaper(title_of(each.competency), each.level, level, each.awarded_on, each.expires_on, standing)
                for each, level, standing in zip(paper.awards, paper.levels, checked.awards, strict=True)
            ],
        )


@routes.route(
    "GET",
    "/v1/certificates/{code}",
    capability=PUBLIC,
    summary="Check a certificate",
    answer=CertificateView,
    refusals=(errors.NotFound,),
)
def check_certificate(request: PublicRequest) -> Checked:
    """For whoever holds the paper, without signing in: what the certificate with this code says, and whether it still stands."""
    return certificates.check(request.path["code"], request.now)
