"""The plan of a whole trust, in the domain's words: what exists and what has happened, ready to be loaded.

Days and times are Europe/London civil ones (naive datetimes). Ids are stable: the same staff number and day give the
same plan, and a larger trust keeps the people and departments of a smaller one, but for its last few.
"""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

UnitLevel = Literal["employer", "division", "department"]
PersonStatus = Literal["employee", "applicant", "external learner"]
RequirementTarget = Literal["employer", "unit", "staff group", "job", "position", "learner group", "person"]
AccessTarget = Literal["everybody", "position"]
AccessMode = Literal["self-enrol", "approval"]
DeliveryMode = Literal["e-learning", "classroom", "online classroom"]
ClassStatus = Literal["Planned", "Normal", "Full", "Cancelled"]
AwardOrigin = Literal["course", "transfer"]
EnrolmentStatus = Literal[
    "Requested",
    "Waitlisted",
    "Withdrawn",
    "Confirmed",
    "Completed",
    "Attended – Not Completed",
    "Did Not Attend",
]
GrantedRole = Literal[
    "national administrator", "learning administrator", "class administrator", "instructor", "workforce feed"
]

# Only these hold a seat.
SEAT_STATUSES: tuple[EnrolmentStatus, ...] = ("Confirmed", "Completed", "Attended – Not Completed", "Did Not Attend")

# National competencies normally have this one proficiency level.
ASSESSED = "1 - Assessed"


@dataclass(frozen=True, slots=True)
class Unit:
    """A node of the organisation tree: employer (parent None) → division → department."""

    id: str
    name: str
    parent_id: str | None
    level: UnitLevel


@dataclass(frozen=True, slots=True)
class StaffGroup:
    """A national staff group."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Job:
    """A job role."""

    id: str
    title: str
    staff_group_id: str


@dataclass(frozen=True, slots=True)
class Position:
    """A post in one department; several people may hold it."""

    id: str
    title: str
    job_id: str
    staff_group_id: str
    unit_id: str


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who learns here. `employee_number` is 8 digits for everybody: applicants from 3…, external from 4….

    `start` is the first day here; for an applicant the agreed day ahead.
    """

    id: str
    title: str
    first_name: str
    last_name: str
    employee_number: str
    email: str
    login: str
    status: PersonStatus
    start: date


@dataclass(frozen=True, slots=True)
class Assignment:
    """One job held. An applicant's starts on the agreed day ahead. `end` is the last day, None when open."""

    number: str
    person_id: str
    unit_id: str
    position_id: str
    job_id: str
    staff_group_id: str
    supervisor_id: str | None
    primary: bool
    start: date
    end: date | None


@dataclass(frozen=True, slots=True)
class Competency:
    """A competency under its full name, with the parts the name is made of. `renewal_months` None: never renewed.

    Holding it counts for those it `covers`, by full name, too.
    """

    name: str
    owner: str
    framework: str
    subject: str
    level: int | None
    detail: str | None
    renewal_months: int | None
    proficiency_level: str = ASSESSED
    covers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LearnerGroup:
    """A group of learners who have no assignment."""

    id: str
    name: str
    member_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Requirement:
    """A target needs a competency from a day on; a requirement at a unit reaches the units below it."""

    target_kind: RequirementTarget
    target_id: str
    competency: str
    valid_from: date


@dataclass(frozen=True, slots=True)
class Exemption:
    """A person need not hold a competency from `start` to `end`, both included."""

    person_id: str
    competency: str
    reason: str
    start: date
    end: date


@dataclass(frozen=True, slots=True)
class Category:
    """A subject of the catalogue, under another one or at the top."""

    id: str
    title: str
    parent_id: str | None


@dataclass(frozen=True, slots=True)
class Course:
    """`owner` is NHS or the employer's code; `awards` are competency names; `search_words` other spellings.

    `after` are competencies without which nobody may enrol, `better_after` those that are advised.
    """

    id: str
    owner: str
    title: str
    category_id: str
    awards: tuple[str, ...]
    duration_minutes: int
    description: str
    joining_instructions: str
    search_words: tuple[str, ...]
    after: tuple[str, ...]
    better_after: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Offering:
    """One delivery of a course."""

    id: str
    course_id: str
    mode: DeliveryMode
    language: str


@dataclass(frozen=True, slots=True)
class AccessRule:
    """Who finds a course and how they get in; nobody else does. `target_id` is empty for everybody."""

    course_id: str
    target_kind: AccessTarget
    target_id: str
    mode: AccessMode


@dataclass(frozen=True, slots=True)
class Venue:
    """A room, how many people it takes, and where it is."""

    id: str
    name: str
    places: int
    address: str


@dataclass(frozen=True, slots=True)
class Synonyms:
    """Words that mean the same to whoever searches."""

    id: str
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LearningPath:
    """Courses by section (title and course ids), in the order in which they are best taken."""

    id: str
    owner: str
    title: str
    category_id: str
    description: str
    sections: tuple[tuple[str, tuple[str, ...]], ...]


@dataclass(frozen=True, slots=True)
class Instructor:
    """A person who teaches, and the courses taught."""

    person_id: str
    course_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LearningClass:
    """A dated class. `venue_id` is None for an online classroom. Full exactly when the seats taken equal `maximum`.

    `by_need`: whoever needs most what it awards comes first on its waiting list.
    """

    id: str
    course_id: str
    offering_id: str
    title: str
    start: datetime
    end: datetime
    minimum: int
    maximum: int
    venue_id: str | None
    instructor_id: str
    status: ClassStatus
    by_need: bool = False


@dataclass(frozen=True, slots=True)
class Enrolment:
    """A person's place, or wish for one, in a class."""

    class_id: str
    person_id: str
    status: EnrolmentStatus
    placed_at: datetime


@dataclass(frozen=True, slots=True)
class Award:
    """A competency achieved. `course_id` is None for a transfer; `class_id` is set when a planned class awarded it."""

    person_id: str
    competency: str
    awarded_on: date
    origin: AwardOrigin
    course_id: str | None = None
    class_id: str | None = None


@dataclass(frozen=True, slots=True)
class RoleGrant:
    """An administrative role; `subjects` are category ids, for a class administrator."""

    person_id: str
    role: GrantedRole
    subjects: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SignIn:
    """One ready sign-in per role, to be printed for whoever tries the trust."""

    role: str
    person_id: str
    login: str


@dataclass(frozen=True, slots=True)
class Organisation:
    """Who works where."""

    units: tuple[Unit, ...]
    staff_groups: tuple[StaffGroup, ...]
    jobs: tuple[Job, ...]
    positions: tuple[Position, ...]
    people: tuple[Person, ...]
    assignments: tuple[Assignment, ...]
    learner_groups: tuple[LearnerGroup, ...]
    grants: tuple[RoleGrant, ...]
    sign_ins: tuple[SignIn, ...]


@dataclass(frozen=True, slots=True)
class Framework:
    """What can be held and what must be, and by whom not for a while."""

    competencies: tuple[Competency, ...]
    requirements: tuple[Requirement, ...]
    exemptions: tuple[Exemption, ...]


@dataclass(frozen=True, slots=True)
class Catalogue:
    """What can be learnt, where and with whom."""

    categories: tuple[Category, ...]
    courses: tuple[Course, ...]
    offerings: tuple[Offering, ...]
    access_rules: tuple[AccessRule, ...]
    venues: tuple[Venue, ...]
    synonyms: tuple[Synonyms, ...]
    learning_paths: tuple[LearningPath, ...]
    instructors: tuple[Instructor, ...]


@dataclass(frozen=True, slots=True)
class Trust:
    """The whole plan, on the day it was made for."""

    employer_code: str
    name: str
    today: date
    organisation: Organisation
    framework: Framework
    catalogue: Catalogue
    classes: tuple[LearningClass, ...]
    awards: tuple[Award, ...]
    enrolments: tuple[Enrolment, ...]
