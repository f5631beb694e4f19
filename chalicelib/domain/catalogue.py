"""The catalogue: courses, offerings and classes (domain.md §1 and §2)."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from chalicelib.domain.access import AccessRule
from chalicelib.domain.people import NATIONAL


class Mode(StrEnum):
    """How an offering is delivered."""

    CLASSROOM = "classroom"
    ONLINE_CLASSROOM = "online classroom"
    E_LEARNING = "e-learning"
    BLENDED = "blended"


class CourseStatus(StrEnum):
    """A course can be found while it is live."""

    DRAFT = "draft"
    LIVE = "live"
    WITHDRAWN = "withdrawn"


class ClassStatus(StrEnum):
    """The states of a class (domain.md §2). Full is not stored: it follows from the seats."""

    PLANNED = "planned"
    NORMAL = "normal"
    FULL = "full"
    CLOSED = "closed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Grants:
    """What completing a course awards: a competency at a level."""

    competency: str
    level: int = 1


@dataclass(frozen=True, slots=True)
class Offering:
    """One delivery of a course: its mode and language (BCP 47)."""

    id: str
    mode: Mode
    language: str = "en-GB"


@dataclass(frozen=True, slots=True)
class Course:
    """A course of an employer or of the nation (owner `NHS`). Duration in minutes."""

    id: str
    title: str
    subject: str
    description: str
    duration_minutes: int
    grants: tuple[Grants, ...]
    status: CourseStatus = CourseStatus.LIVE
    joining_instructions: str = ""
    offerings: tuple[Offering, ...] = ()
    access_rules: tuple[AccessRule, ...] = ()


@dataclass(frozen=True, slots=True)
class Session:
    """One sitting of a class, as UTC instants."""

    starts_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class Class:
    """A class of an offering. E-learning has no dates and no maximum.

    `enrol_from` and `enrol_until` are the first and last London day on which one may enrol.
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


def owner_of(item_id: str) -> str:
    """Who owns a course or class: its id begins with the owner (`NHS-…` or the employer's code)."""
    return item_id.partition("-")[0]


def may_belong(item_id: str, employer: str) -> bool:
    """Whether people of an employer can have to do with an item: their employer's own, or national."""
    return owner_of(item_id) in (employer, NATIONAL)


def search(courses: Iterable[Course], words: str, subject: str | None, competency: str | None) -> list[Course]:
    """Courses in which every word begins some word of title, subject, description or competency, by title.

    `subject` and `competency` narrow to exactly that subject or awarded competency.
    """
    wanted = _words_of(words)
    found = [
        course
        for course in courses
        if (subject is None or course.subject == subject)
        and (competency is None or any(grant.competency == competency for grant in course.grants))
        and _has_all(course, wanted)
    ]
    return sorted(found, key=lambda course: (course.title.casefold(), course.id))


def _words_of(text: str) -> list[str]:
    """The words of a text, whatever stands between them; the same for what is sought and what is searched."""
    return re.findall(r"\w+", text.casefold())


def _has_all(course: Course, wanted: list[str]) -> bool:
    if not wanted:
        return True
    text = " ".join((course.title, course.subject, course.description, *(grant.competency for grant in course.grants)))
    words = _words_of(text)
    return all(any(word.startswith(prefix) for word in words) for prefix in wanted)
