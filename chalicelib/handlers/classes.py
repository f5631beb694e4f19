"""Creating, changing, copying and cancelling classes, and listing them for those who run them."""

from collections.abc import Sequence
from datetime import date, datetime, time
from typing import Annotated

import msgspec
from chalice import Blueprint

from chalicelib.domain.calendar import EARLIEST, LATEST, LONDON
from chalicelib.domain.classes import NoSuchTime, Session, session_on
from chalicelib.domain.errors import FieldError, Invalid
from chalicelib.handlers.http import Routes

blueprint = Blueprint(__name__)
routes = Routes(blueprint, "Classes")

CivilTime = Annotated[
    str, msgspec.Meta(pattern=r"^([01]\d|2[0-3]):[0-5]\d$(?!\n)", description="A time in Europe/London, `09:00`.")
]


class SessionBody(msgspec.Struct, frozen=True):
    """One sitting, at civil times in Europe/London."""

    day: date
    from_: CivilTime = msgspec.field(name="from")
    until: CivilTime

    def session(self) -> Session:
        """The sitting, in UTC. Raises NoSuchTime for a time that the clocks skip or a day beyond all calendars."""
        if not EARLIEST <= self.day <= LATEST:
            raise NoSuchTime(f"{self.day} lies outside {EARLIEST} to {LATEST}")
        return session_on(self.day, time.fromisoformat(self.from_), time.fromisoformat(self.until))


class SessionView(msgspec.Struct, frozen=True):
    """One sitting: UTC instants, and the day and times in Europe/London."""

    starts_at: datetime
    ends_at: datetime
    day: date
    from_: str = msgspec.field(name="from")
    until: str

    @classmethod
    def of(cls, session: Session) -> "SessionView":
        """Present a session."""
        start, end = (each.astimezone(LONDON) for each in (session.starts_at, session.ends_at))
        return cls(session.starts_at, session.ends_at, start.date(), f"{start:%H:%M}", f"{end:%H:%M}")


def sessions_of(given: Sequence[SessionBody], where: str = "body.sessions") -> tuple[Session, ...]:
    """The sittings of a body. Raises Invalid naming every one at a time that does not come."""
    found, wrong = [], []
    for number, each in enumerate(given):
        try:
            found.append(each.session())
        except NoSuchTime as skipped:
            wrong.append(FieldError(f"{where}[{number}]", str(skipped)))
    if wrong:
        raise Invalid(*wrong)
    return tuple(found)
