"""What stands in somebody's learning calendar: classes they take and teach, renewals, and requests that lapse (domain.md §10)."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum

from chalicelib.domain.approvals import lapses_at
from chalicelib.domain.calendar import london_day
from chalicelib.domain.competency import title_of
from chalicelib.domain.compliance import Colour, Reason, Standing
from chalicelib.domain.enrolment import OPEN, SEATED, Enrolment, Status


class Kind(StrEnum):
    """What there is on a day."""

    CLASS = "class"
    TEACHING = "teaching"
    RENEWAL = "renewal"
    LAPSE = "request lapses"


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a calendar, on the London day on which it begins.

    `uid` stays the same for the same thing when its times change, and `revision` rises with them; `starts_at` is None for what
    lasts all day. `session` counts the sittings of a class from 1, of `sessions` in all. `status` is the enrolment's. Of a renewal,
    the day is the last on which the competency is valid, `required` whether it is asked of the person, `colour` as it stands now.
    """

    kind: Kind
    uid: str
    title: str
    day: date
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    place: str = ""
    link: str = ""
    class_id: str | None = None
    session: int | None = None
    sessions: int | None = None
    enrolment: str | None = None
    status: Status | None = None
    competency: str | None = None
    required: bool | None = None
    colour: Colour | None = None
    revision: int = 1

    @property
    def tentative(self) -> bool:
        """Whether it is still open if it comes to pass: what is waited for or asked for."""
        return self.status in (Status.WAITLISTED, Status.REQUESTED)

    @property
    def order(self) -> tuple[date, str, str]:
        """Sort key: by day, what lasts all day first, then by time."""
        return self.day, self.starts_at.astimezone(UTC).isoformat() if self.starts_at else "", self.uid


def of_class(enrolment: Enrolment) -> Iterator[Entry]:
    """An entry for each session of a class that somebody is on, waits for, has asked for or has taken; e-learning has none."""
    if enrolment.status not in OPEN | SEATED:
        return
    held = enrolment.sessions
    for number, session in enumerate(held, 1):
        yield Entry(
            Kind.CLASS,
            f"{_whose(enrolment)}.{number:02d}",
            enrolment.title,
            london_day(session.starts_at),
            session.starts_at,
            session.ends_at,
            place=enrolment.venue or "",
            link=(enrolment.link or "") if enrolment.status is Status.CONFIRMED else "",
            class_id=enrolment.class_id,
            session=number,
            sessions=len(held),
            enrolment=enrolment.id,
            status=enrolment.status,
            revision=enrolment.revision,
        )


def of_request(enrolment: Enrolment) -> Iterator[Entry]:
    """When a request lapses that nobody decides on."""
    if enrolment.status is Status.REQUESTED:
        at = lapses_at(enrolment)
        yield Entry(
            Kind.LAPSE,
            f"{_whose(enrolment)}.lapse",
            enrolment.title,
            london_day(at),
            at,
            class_id=enrolment.class_id,
            enrolment=enrolment.id,
            status=enrolment.status,
        )


def _whose(enrolment: Enrolment) -> str:
    """An enrolment as nobody else's: the one that invitations name (class and attempt are the same for everybody)."""
    return f"{enrolment.person}.{enrolment.employer}.{enrolment.id}"


def renewals(person: str, employer: str, standings: Iterable[Standing]) -> Iterator[Entry]:
    """The last valid day of each competency that somebody holds or once held, required of them or not.

    What is held at a level too low for what is required is nothing to renew.
    """
    for standing in standings:
        if standing.expires_on and standing.reason is not Reason.BELOW_LEVEL:
            yield Entry(
                Kind.RENEWAL,
                f"{person}.{employer}.{hashlib.sha256(standing.competency.encode()).hexdigest()[:16]}",
                title_of(standing.competency),
                standing.expires_on,
                competency=standing.competency,
                required=standing.required is not None,
                colour=standing.colour,
            )
