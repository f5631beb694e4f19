"""Who is on a class: the class list of reports and the register to sign (domain.md §11)."""

import csv
import io
import math
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from chalicelib.domain.calendar import LONDON, london_day
from chalicelib.domain.classes import Class, ClassStatus, Seats, status_shown
from chalicelib.domain.csv_file import harmless
from chalicelib.domain.enrolment import SEATED, Status
from chalicelib.domain.people import Assignment


@dataclass(frozen=True, slots=True)
class Listed:
    """Somebody on a class, as lists show them; `sort_name` begins with their last name, `unit` is where they work, `position` their
    place on the waiting list; None for whoever does not wait, or is passed over at present.

    `score` is in per cent. `absences` counts the classes they did not attend in the twelve months up to the day of this one; None
    for a class without dates.
    """

    person: str
    name: str
    sort_name: str
    number: str
    unit: str
    status: Status
    placed_at: datetime
    position: int | None = None
    score: float | None = None
    absences: int | None = None


@dataclass(frozen=True, slots=True)
class ClassList:
    """A class with names in place of ids, its places, and who is on it."""

    class_: Class
    seats: Seats
    course_title: str
    venue: str
    address: str
    instructor: str
    people: tuple[Listed, ...]

    @property
    def status(self) -> ClassStatus:
        """The status of the class as it is shown."""
        return status_shown(self.class_, self.seats)

    @property
    def confirmed(self) -> int:
        """Seats held; of a class without a maximum, which counts none, the people listed who hold one."""
        return self.seats.taken if self.seats.maximum is not None else len(self.to_sign())

    def to_sign(self) -> tuple[Listed, ...]:
        """Those who hold, or held, a seat, by last name: who is on the signature register."""
        return tuple(sorted((each for each in self.people if each.status in SEATED), key=_by_name))


def in_order(people: Sequence[Listed]) -> tuple[Listed, ...]:
    """Who holds a seat by last name, then the waiting list and requests in their order, then those who are no longer on it."""
    return tuple(sorted(people, key=_in_order))


def _in_order(listed: Listed) -> tuple[int, float, str, str]:
    if listed.status in SEATED:
        return 0, 0, *_by_name(listed)
    rank = {Status.WAITLISTED: 1, Status.REQUESTED: 2}.get(listed.status, 3)
    return rank, listed.position or math.inf, listed.placed_at.isoformat(), listed.person


_PLAIN = str.maketrans("łøđħ", "lodh")


def _by_name(listed: Listed) -> tuple[str, str]:
    """As a reader looks a name up: Ćwiklińska among the Cs and Łukasz among the Ls."""
    letters = unicodedata.normalize("NFKD", listed.sort_name.casefold()).translate(_PLAIN)
    return "".join(each for each in letters if not unicodedata.combining(each)), listed.person


def unit_on(assignments: Sequence[Assignment], day: date) -> str | None:
    """The unit of somebody's primary assignment on a day, else of any they hold then, else of the latest; None without one."""
    ranked = sorted(assignments, key=lambda each: (each.active_on(day), each.primary, each.starts_on, each.number))
    return ranked[-1].unit if ranked else None


# --- as CSV -------------------------------------------------------------------------------------------------

COLUMNS = (
    *("class", "course", "start", "venue", "instructor", "min", "max", "confirmed", "waitlisted", "free", "status"),
    *("name", "employee_number", "unit", "enrolment_status", "placed_on", "position"),
    *("score", "did_not_attend_in_12_months"),
)
"""Those of domain.md §11, then who is on the class."""


def as_csv(listing: ClassList) -> str:
    """A row for each person with the class's own columns before theirs; a class with nobody on it has one row."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    of_class = _class_cells(listing)
    people = [_person_cells(each) for each in listing.people]
    for cells in people or [("",) * (len(COLUMNS) - len(of_class))]:
        writer.writerow([harmless(str(cell)) for cell in (*of_class, *cells)])
    return text.getvalue()


def _person_cells(listed: Listed) -> tuple[str, ...]:
    return (
        listed.name,
        listed.number,
        listed.unit,
        listed.status,
        london_day(listed.placed_at).isoformat(),
        str(listed.position or ""),
        "" if listed.score is None else f"{listed.score:g}",
        "" if listed.absences is None else str(listed.absences),
    )


def _class_cells(listing: ClassList) -> tuple[object, ...]:
    class_, seats = listing.class_, listing.seats
    start = class_.starts_at.astimezone(LONDON).strftime("%Y-%m-%d %H:%M") if class_.starts_at else ""
    return (
        class_.id,
        listing.course_title,
        start,
        listing.venue,
        listing.instructor,
        class_.minimum,
        "" if seats.maximum is None else seats.maximum,
        listing.confirmed,
        seats.waiting,
        "" if seats.free is None else seats.free,
        listing.status,
    )
