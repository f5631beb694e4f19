"""People, their employments and assignments, and the units they work in (domain.md §1)."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum

NATIONAL = "NHS"
"""The owner of what every employer shares: the national framework, national courses, the national administrator."""


class EmploymentKind(StrEnum):
    """How somebody belongs to an employer."""

    EMPLOYEE = "employee"
    APPLICANT = "applicant"
    EXTERNAL = "external learner"


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody, once, whatever number of employers they have."""

    id: str
    first_name: str
    last_name: str
    title: str | None = None
    email: str | None = None
    login: str | None = None

    @property
    def full_name(self) -> str:
        """Title, first and last name as written on lists."""
        return " ".join(part for part in (self.title, self.first_name, self.last_name) if part)


@dataclass(frozen=True, slots=True)
class PeriodOfService:
    """Days of belonging to an employer that are over: somebody who left and came back has some before the present ones."""

    kind: EmploymentKind
    starts_on: date
    ends_on: date


@dataclass(frozen=True, slots=True)
class Employment:
    """A person at one employer: as what, under which employee number, and on which days.

    `kind` and the days are those of the latest period of service; a re-hire has `earlier` ones. `offered_on` is the day on which an
    applicant's offer became known.
    """

    employer: str
    kind: EmploymentKind
    number: str
    starts_on: date
    ends_on: date | None = None
    earlier: tuple[PeriodOfService, ...] = ()
    offered_on: date | None = None

    def kind_on(self, day: date) -> EmploymentKind:
        """As what the person belongs on a day: an employee who is to come back as something else is an employee until then."""
        past = (each.kind for each in self.earlier if each.starts_on <= day <= each.ends_on)
        return next(past, self.kind)

    def active_on(self, day: date) -> bool:
        """Applicants count from the offer, before their first day (domain.md §1: they see My Compliance)."""
        started = self.starts_on <= day or (self.kind is EmploymentKind.APPLICANT and self._offered_by(day))
        now = started and (self.ends_on is None or day <= self.ends_on)
        return now or any(each.starts_on <= day <= each.ends_on for each in self.earlier)

    def _offered_by(self, day: date) -> bool:
        """Whether there was the offer on a day; where its day was not noted, it counts from the end of the service before it."""
        if self.offered_on:
            return self.offered_on <= day
        return all(each.ends_on < day for each in self.earlier)

    def left_before(self, day: date) -> bool:
        """Whether a period of service ended before a day on which none is held."""
        ended = self.ends_on is not None and self.ends_on < day
        return (ended or any(each.ends_on < day for each in self.earlier)) and not self.active_on(day)


@dataclass(frozen=True, slots=True)
class Assignment:
    """One job held. BI counts assignments, not people (domain.md §1)."""

    number: str
    unit: str
    position: str
    job: str
    staff_group: str
    supervisor: str | None
    primary: bool
    starts_on: date
    ends_on: date | None = None

    def active_on(self, day: date) -> bool:
        """Whether the job is held on that day, first and last day included."""
        return self.starts_on <= day and (self.ends_on is None or day <= self.ends_on)


def chosen_assignment(assignments: Iterable[Assignment], number: str | None) -> Assignment | None:
    """The assignment of that number, whose supervisor approves; else the primary one, or any; None without assignments."""
    primary_first = sorted(assignments, key=lambda each: (not each.primary, each.number))
    return next((each for each in primary_first if each.number == number), next(iter(primary_first), None))


@dataclass(frozen=True, slots=True)
class Membership:
    """Being in a learner group between two London days, both included; None is without end."""

    group: str
    starts_on: date
    ends_on: date | None = None

    def active_on(self, day: date) -> bool:
        """Whether the group has this member on that day."""
        return self.starts_on <= day and (self.ends_on is None or day <= self.ends_on)


@dataclass(frozen=True, slots=True)
class Unit:
    """An organisation: the employer itself, a division or a department, with the unit above it over time.

    `first_parent` is above it until its first move; `moves` say, in order, from which day which unit is. None is no unit: the top.
    """

    id: str
    name: str
    first_parent: str | None
    moves: tuple[tuple[date, str | None], ...] = ()

    def parent_on(self, day: date) -> str | None:
        """The unit above it on a day."""
        parent = self.first_parent
        for since, following in self.moves:
            if since > day:
                break
            parent = following
        return parent

    def moves_after(self, day: date) -> tuple[tuple[date, str | None], ...]:
        """The moves still to come after a day."""
        return tuple(move for move in self.moves if move[0] > day)

    def moved(self, parent: str | None, since: date) -> "Unit":
        """The same unit under `parent` from a day on until its next move; the days before stay as they are.

        A move that changes nothing is left out, so that a coming one is taken back by a move on its day to where the unit is.
        """
        kept: list[tuple[date, str | None]] = []
        for day, following in sorted({**dict(self.moves), since: parent}.items()):
            if following != (kept[-1][1] if kept else self.first_parent):
                kept.append((day, following))
        return replace(self, moves=tuple(kept))
