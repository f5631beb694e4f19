"""The catalogue: courses, offerings and classes (domain.md §1 and §2)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from functools import cached_property

from chalicelib.domain.access import AccessRule
from chalicelib.domain.people import NATIONAL


class Mode(StrEnum):
    """How an offering is delivered."""

    CLASSROOM = "classroom"
    ONLINE_CLASSROOM = "online classroom"
    E_LEARNING = "e-learning"
    BLENDED = "blended"


class CourseStatus(StrEnum):
    """A course or learning path can be found while it is live."""

    DRAFT = "draft"
    LIVE = "live"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class Grants:
    """What completing a course awards: a competency at a level."""

    competency: str
    level: int = 1


class AwardTiming(StrEnum):
    """When a course awards what it grants: with its completion, or once an administrator has verified that (domain.md §3)."""

    AUTOMATIC = "automatic"
    AFTER_VERIFICATION = "after verification"


class PrerequisiteKind(StrEnum):
    """What must have been achieved before: another course, or a competency however it was come by."""

    COURSE = "course"
    COMPETENCY = "competency"


@dataclass(frozen=True, slots=True)
class Prerequisite:
    """What a learner must (mandatory) or should (advisory) have achieved by the day a class starts (domain.md §5).

    `id` is a course's id or a competency's full name, `level` the least level of a competency.
    """

    kind: PrerequisiteKind
    id: str
    level: int = 1
    mandatory: bool = True


@dataclass(frozen=True, slots=True)
class Offering:
    """One delivery of a course: its mode and language (BCP 47)."""

    id: str
    mode: Mode
    language: str = "en-GB"


@dataclass(frozen=True, slots=True)
class Course:
    """A course of an employer or of the nation (owner `NHS`).

    Duration in minutes, cost of a place in pence (None: not known), `starts_on` and `ends_on` the first and last London day on
    which it can be found while live. `also_called` are other words to find it by. `auto_enrol`: the service places whoever is due
    on it by itself, `auto_book`: also on a class with dates, which they else choose themselves (domain.md §4, decision 0035).
    `revision` rises with every change.
    """

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
    prerequisites: tuple[Prerequisite, ...] = ()
    award_timing: AwardTiming = AwardTiming.AUTOMATIC
    cost_pence: int | None = None
    auto_enrol: bool = False
    auto_book: bool = False
    also_called: tuple[str, ...] = ()
    starts_on: date | None = None
    ends_on: date | None = None
    revision: int = 1

    @property
    def owner(self) -> str:
        """Whose it is."""
        return owner_of(self.id)


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a learning path: courses in the order in which they are best taken."""

    title: str
    courses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LearningPath:
    """Sections of courses, none of them twice (domain.md §1). Status, days and access as of a course."""

    id: str
    title: str
    subject: str
    description: str
    sections: tuple[Section, ...]
    status: CourseStatus = CourseStatus.LIVE
    access_rules: tuple[AccessRule, ...] = ()
    also_called: tuple[str, ...] = ()
    starts_on: date | None = None
    ends_on: date | None = None
    revision: int = 1

    @property
    def owner(self) -> str:
        """Whose it is."""
        return owner_of(self.id)


class Use(StrEnum):
    """For which periods a component of a certification counts: the first, those that renew it, or all."""

    INITIAL = "initial"
    RENEWAL = "renewal"
    BOTH = "both"


@dataclass(frozen=True, slots=True)
class Component:
    """A course that counts towards a certification, in one mode of delivery or (None) however it is taken (domain.md §6)."""

    course: str
    mode: Mode | None = None
    use: Use = Use.BOTH


def components_for(use: Use, components: Iterable[Component]) -> tuple[Component, ...]:
    """The components that count for the first period (INITIAL), or for one that renews it."""
    return tuple(each for each in components if each.use in (use, Use.BOTH))


@dataclass(frozen=True, slots=True)
class Certification:
    """Courses of which some or all have to be completed, once or again and again (domain.md §6, decision 0034).

    `min_components` is how many are needed (1: any; None: all that count for the period). Whoever subscribes has `initial_days` for
    the first. It is valid for `validity_months` (None: for good) and renewed from `window_days` before its expiry on. Learners are
    reminded `reminder_days` before a period is due. After `max_consecutive_elearning` periods done by e-learning alone the next
    takes none (None: no limit). Status, days and access as of a course; `auto_enrol`: the service subscribes whoever is due.
    """

    id: str
    title: str
    subject: str
    description: str
    components: tuple[Component, ...]
    grants: tuple[Grants, ...] = ()
    min_components: int | None = None
    initial_days: int = 30
    validity_months: int | None = None
    window_days: int = 90
    reminder_days: tuple[int, ...] = (90, 60, 30, 7, 0)
    max_consecutive_elearning: int | None = None
    auto_enrol: bool = False
    status: CourseStatus = CourseStatus.LIVE
    access_rules: tuple[AccessRule, ...] = ()
    also_called: tuple[str, ...] = ()
    starts_on: date | None = None
    ends_on: date | None = None
    revision: int = 1

    @property
    def owner(self) -> str:
        """Whose it is."""
        return owner_of(self.id)


Item = Course | LearningPath | Certification
"""What stands in the catalogue with a status and learner access of its own."""


def live_on(item: Item, day: date) -> bool:
    """Whether an item can be found on a day by those who have access to it."""
    begun = item.starts_on is None or item.starts_on <= day
    return item.status is CourseStatus.LIVE and begun and (item.ends_on is None or day <= item.ends_on)


@dataclass(frozen=True, slots=True)
class Subject:
    """A category of the catalogue, under another one or at the top.

    `owner` is whose it is (empty before it is kept). A national one stands in place of an employer's own of the same id.
    """

    id: str
    name: str
    parent: str | None = None
    owner: str = ""
    revision: int = 1


@dataclass(frozen=True, slots=True)
class Venue:
    """A room: how many it holds (None: not known), and where it is. One out of use is kept for the classes that were there.

    Every employer keeps its own; the nation keeps none, because it holds no classes in rooms.
    """

    id: str
    name: str
    capacity: int | None = None
    address: str = ""
    in_use: bool = True
    owner: str = ""
    revision: int = 1


@dataclass(frozen=True, slots=True)
class Synonyms:
    """Words that mean the same to whoever searches, kept by administrators."""

    id: str
    words: tuple[str, ...]
    owner: str = ""
    revision: int = 1


Entry = Subject | Venue | Synonyms | Item
"""Whatever stands in the catalogue: it has an id, an owner, and a revision that rises with every change."""


@dataclass(frozen=True)
class Catalogue:
    """Everything that people of an employer can have to do with: the nation's and the employer's own, under these versions.

    What the nation still drafts is in the nation's own catalogue only: nobody else can name it before it is live.
    """

    employer: str
    version: tuple[int, int]
    subjects: Mapping[str, Subject]
    courses: Mapping[str, Course]
    paths: Mapping[str, LearningPath]
    venues: Mapping[str, Venue]
    synonyms: tuple[Synonyms, ...] = ()
    certifications: Mapping[str, Certification] = field(default_factory=dict)

    @cached_property
    def awarding(self) -> Mapping[str, tuple[Course, ...]]:
        """For each competency: the courses that award it, at whatever level and whatever their status."""
        found: dict[str, list[Course]] = {}
        for course in self.courses.values():
            for competency in dict.fromkeys(grant.competency for grant in course.grants):
                found.setdefault(competency, []).append(course)
        return {competency: tuple(courses) for competency, courses in found.items()}

    def subject_and_above(self, subject: str) -> tuple[str, ...]:
        """A subject and those above it, itself first. Stops where the tree would turn in a circle."""
        found: list[str] = []
        current: str | None = subject
        while current is not None and current not in found:
            found.append(current)
            known = self.subjects.get(current)
            current = known.parent if known else None
        return tuple(found)

    def within(self, subject: str, tops: Iterable[str]) -> bool:
        """Whether a subject is one of `tops` or lies below one (domain.md §10: own subjects and below)."""
        return not set(tops).isdisjoint(self.subject_and_above(subject))

    def venue_name(self, venue: str | None) -> str | None:
        """What a venue is called; its id if it is in no register."""
        known = self.venues.get(venue) if venue else None
        return known.name if known else venue


def owner_of(item_id: str) -> str:
    """Who owns a course or class: its id begins with the owner (`NHS-…` or the employer's code)."""
    return item_id.partition("-")[0]


def may_belong(item_id: str, employer: str) -> bool:
    """Whether people of an employer can have to do with an item: their employer's own, or national."""
    return owner_of(item_id) in (employer, NATIONAL)
