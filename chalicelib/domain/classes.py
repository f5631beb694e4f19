"""Classes: their dates, places and states (domain.md §2)."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from chalicelib.domain.catalogue import Mode


class ClassStatus(StrEnum):
    """The states of a class (domain.md §2). Full is not stored: it follows from the seats."""

    PLANNED = "planned"
    NORMAL = "normal"
    FULL = "full"
    CLOSED = "closed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Session:
    """One sitting of a class, as UTC instants."""

    starts_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class Class:
    """A class of an offering. E-learning has no dates and no maximum.

    `enrol_from` and `enrol_until` are the first and last London day on which one may enrol. `venue` is the id of one in the
    register, `link` where an online classroom meets, `joining_instructions` stand in place of the course's. `only_units` narrows
    who can find it to these units and those below (domain.md §5). `batch` names the schedule it came from. `reason` says why it was
    cancelled. `revision` rises with every change, so that of two administrators at once the second is told.
    """

    id: str
    course: str
    offering: str
    title: str
    mode: Mode
    status: ClassStatus
    starts_at: datetime | None
    ends_at: datetime | None
    minimum: int
    maximum: int | None
    venue: str | None = None
    instructor: str | None = None
    enrol_from: date | None = None
    enrol_until: date | None = None
    sessions: tuple[Session, ...] = ()
    link: str | None = None
    joining_instructions: str = ""
    only_units: tuple[str, ...] = ()
    batch: str | None = None
    reason: str | None = None
    revision: int = 1


@dataclass(frozen=True, slots=True)
class Seats:
    """The places of a class: maximum (None: without limit), taken, and people waiting."""

    maximum: int | None
    taken: int
    waiting: int

    @property
    def free(self) -> int | None:
        """Places nobody holds; None without limit. Never negative, though a class may be overbooked (domain.md §2)."""
        return None if self.maximum is None else max(0, self.maximum - self.taken)


def status_shown(class_: Class, seats: Seats) -> ClassStatus:
    """Full is automatic when seats are taken up to the maximum, and ends when one frees (domain.md §2)."""
    if class_.status is ClassStatus.NORMAL and seats.free == 0:
        return ClassStatus.FULL
    return class_.status
