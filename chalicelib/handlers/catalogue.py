"""Finding courses, learning paths and classes."""

from datetime import date, datetime, timedelta
from typing import Annotated, Any

import msgspec
from chalice import Blueprint

from chalicelib.domain.access import Access, AccessMode
from chalicelib.domain.calendar import EARLIEST, LATEST, london_day, london_time, long_day
from chalicelib.domain.catalogue import Catalogue, Course, LearningPath, Mode, live_on, owner_of
from chalicelib.domain.catalogue_editing import WORDS
from chalicelib.domain.classes import Class, Seats, status_shown
from chalicelib.domain.compliance import Reason, Standing
from chalicelib.domain.errors import FieldError, Invalid
from chalicelib.domain.people import NATIONAL
from chalicelib.domain.permissions import Capability
from chalicelib.domain.placing import Verdict
from chalicelib.domain.prerequisites import Checked
from chalicelib.domain.requirements import Rulebook
from chalicelib.handlers.classes import SessionView
from chalicelib.handlers.http import Request, Routes
from chalicelib.handlers.paging import Cursor, Limit, NextCursor
from chalicelib.handlers.problems import Problem, problem_of
from chalicelib.services import catalogue, finding
from chalicelib.services.catalogue import ClassView, CourseView, PathView
from chalicelib.services.finding import ClassFilter, Found, Seen, Times, Wanted
from chalicelib.storage import cursor

blueprint = Blueprint(__name__)
routes = Routes(blueprint, "Catalogue")

_ACCESS_WORDS = {
    AccessMode.SELF_ENROL: "You may enrol yourself.",
    AccessMode.APPROVAL: "You need your manager's approval.",
    AccessMode.ADMINISTRATOR: "The learning team enrols people on this.",
    None: "You see this as an administrator; as a learner you could not find it.",
}
_NOT_OFFERED = "You see this as an administrator; it is not offered today, and nobody can enrol."


def _access_words(access: Access, offered: bool) -> str:
    return _ACCESS_WORDS[access.mode] if offered else _NOT_OFFERED


Status = Annotated[
    str, msgspec.Meta(description="draft, live or withdrawn; all but live is shown to administrators only.")
]
Offered = Annotated[
    bool, msgspec.Meta(description="Whether it can be begun today: live, and between its first and last day.")
]
AccessWords = Annotated[str, msgspec.Meta(description="How the caller may get on it, in a sentence.")]


class GrantsView(msgspec.Struct, frozen=True):
    """What completing a course awards."""

    competency: str
    level: int


class ClassSummary(msgspec.Struct, frozen=True):
    """A class in a list, with its places."""

    id: str
    title: str
    mode: str
    status: Annotated[str, msgspec.Meta(description="planned, normal, full, closed or cancelled.")]
    starts_at: Annotated[datetime | None, msgspec.Meta(description="UTC; null for e-learning.")]
    ends_at: datetime | None
    venue: Annotated[str | None, msgspec.Meta(description="What the venue is called.")]
    maximum: Annotated[int | None, msgspec.Meta(description="Places; null without limit.")]
    taken: int
    free: int | None
    waiting: int

    @classmethod
    def of(cls, class_: Class, seats: Seats, known: Catalogue) -> "ClassSummary":
        """Present a class in a list, with the name of its venue."""
        return cls(
            class_.id,
            class_.title,
            class_.mode.value,
            status_shown(class_, seats).value,
            class_.starts_at,
            class_.ends_at,
            known.venue_name(class_.venue),
            seats.maximum,
            seats.taken,
            seats.free,
            seats.waiting,
        )


class CourseSummary(msgspec.Struct, frozen=True):
    """A course in a list."""

    id: str
    title: str
    subject: str
    modes: list[str]
    duration_minutes: int
    awards: list[GrantsView]
    national: bool
    status: Status
    offered: Offered
    access: AccessWords

    @classmethod
    def of(cls, course: Course, access: Access, offered: bool) -> "CourseSummary":
        """Present a course in a list."""
        return cls(
            course.id,
            course.title,
            course.subject,
            [offering.mode.value for offering in course.offerings],
            course.duration_minutes,
            [GrantsView(each.competency, each.level) for each in course.grants],
            owner_of(course.id) == NATIONAL,
            course.status.value,
            offered,
            _access_words(access, offered),
        )


class ItemSummary(msgspec.Struct, frozen=True):
    """What was found. Of a path or certification, modes, minutes and awards are those of its courses one can find."""

    kind: Annotated[str, msgspec.Meta(description="course, learning path or certification.")]
    id: str
    title: str
    subject: str
    modes: list[str]
    duration_minutes: int
    awards: list[GrantsView]
    national: bool
    status: Status
    offered: Offered
    access: AccessWords
    needed: Annotated[
        str | None,
        msgspec.Meta(description="red or amber if it awards what the caller has to achieve or renew; else null."),
    ]
    why: Annotated[str | None, msgspec.Meta(description="What the caller needs it for, in a sentence.")]
    classes: Annotated[
        list[ClassSummary],
        msgspec.Meta(description="The first of the classes that were asked for; empty if none were."),
    ]
    left_out: Annotated[
        list[str],
        msgspec.Meta(description="Words that were typed and it does not have; empty if anything has every word."),
    ]

    @classmethod
    def of(cls, seen: Seen, found: Found) -> "ItemSummary":
        """Present something found."""
        item, need, known = seen.item, seen.need, found.viewer.catalogue
        return cls(
            WORDS[type(item)],
            item.id,
            item.title,
            item.subject,
            list(dict.fromkeys(each.mode.value for course in seen.courses for each in course.offerings)),
            sum(course.duration_minutes for course in seen.courses),
            list(dict.fromkeys(GrantsView(each.competency, each.level) for each in seen.grants)),
            owner_of(item.id) == NATIONAL,
            item.status.value,
            seen.offered,
            _access_words(seen.access, seen.offered),
            need.colour.value if need else None,
            _why(need, found.viewer.rulebook) if need else None,
            [ClassSummary.of(class_, seats, known) for class_, seats in seen.classes],
            list(seen.left_out),
        )


def _why(need: Standing, rulebook: Rulebook) -> str:
    known = rulebook.competencies.get(need.competency)
    title, day = known.title if known else need.competency, need.expires_on
    if need.reason is Reason.EXPIRED and day:
        return f"You need {title}; yours expired on {long_day(day)}."
    if need.reason is Reason.EXPIRES_SOON and day:
        return f"You need {title}; yours expires on {long_day(day)}."
    if need.reason is Reason.BELOW_LEVEL:
        return f"You need {title}; you hold it at a lower level."
    return f"You need {title}; you have not achieved it yet."


class CoursePage(msgspec.Struct, frozen=True):
    """A page of courses and learning paths."""

    courses: list[ItemSummary]
    total: Annotated[int, msgspec.Meta(description="How many the caller may see in all.")]
    read_as: Annotated[
        dict[str, list[str]],
        msgspec.Meta(description="Words that nothing one may see begins with, and what they were taken to mean."),
    ]
    next_cursor: NextCursor

    @classmethod
    def of(cls, listed: tuple[str, Found]) -> "CoursePage":
        """Present a page of the search results of a person's query."""
        purpose, found = listed
        return cls(
            [ItemSummary.of(each, found) for each in found.page],
            found.total,
            {word: list(words) for word, words in found.read_as.items()},
            cursor.seal(purpose, found.after),
        )


class CourseQuery(msgspec.Struct, frozen=True):
    """What to look for. With `from`, `until`, `venue`, `places` or `times`, only what has such a class."""

    words: Annotated[
        str,
        msgspec.Meta(
            max_length=100, description="Words in any order; each may be a beginning, a synonym, or misspelt a little."
        ),
    ] = ""
    subject: (
        Annotated[str, msgspec.Meta(max_length=80, description="A subject's id; those below it are included.")] | None
    ) = None
    competency: (
        Annotated[str, msgspec.Meta(max_length=200, description="Full name of a competency to be awarded.")] | None
    ) = None
    mode: Mode | None = None
    owner: (
        Annotated[str, msgspec.Meta(pattern=r"^[A-Z0-9]{2,8}$(?!\n)", description="NHS, or the employer's code.")]
        | None
    ) = None
    from_: Annotated[date, msgspec.Meta(description="First day of a class; today unless told.")] | None = msgspec.field(
        name="from", default=None
    )
    until: (
        Annotated[
            date, msgspec.Meta(description="Last day on which it begins; 92 days in all at most, and unless told.")
        ]
        | None
    ) = None
    venue: Annotated[str, msgspec.Meta(max_length=80, description="A venue's id.")] | None = None
    places: Annotated[bool, msgspec.Meta(description="Only classes with a free place.")] = False
    times: Annotated[
        list[Times], msgspec.Meta(max_length=2, description="Begins at 17:00 or later, or on a Saturday or Sunday.")
    ] = []
    limit: Limit = 20
    cursor: Cursor | None = None

    @property
    def purpose(self) -> str:
        """What a cursor is good for: more of what this query found."""
        return msgspec.json.encode(msgspec.structs.replace(self, limit=20, cursor=None)).decode()

    def wanted(self, now: datetime) -> Wanted:
        """What it asks for. Raises Invalid for days that cannot be."""
        return Wanted(self.words, self.subject, self.competency, self.mode, self.owner, self._classes(now))

    def _classes(self, now: datetime) -> ClassFilter | None:
        if not (self.from_ or self.until or self.venue or self.places or self.times):
            return None
        longest, today = finding.LONGEST_SPAN, london_day(now)
        if self.from_ and not EARLIEST <= self.from_ <= LATEST - longest:
            raise Invalid(FieldError("query.from", f"lies outside {EARLIEST} to {LATEST - longest}"))
        first = max(today, self.from_ or today)
        last = self.until or first + longest - timedelta(days=1)
        if last < first:
            raise Invalid(FieldError("query.until", f"lies before {first}"))
        if last - first >= longest:
            raise Invalid(FieldError("query.until", f"lies more than {longest.days} days from {first}"))
        return ClassFilter(
            max(now, london_time(first, 0)),
            london_time(last + timedelta(days=1), 0),
            self.venue,
            self.places,
            frozenset(self.times),
        )


@routes.route(
    "GET",
    "/v1/courses",
    capability=Capability.FIND_LEARNING,
    summary="Search the catalogue",
    query=CourseQuery,
    answer=CoursePage,
)
def search_courses(request: Request) -> tuple[str, Found]:
    """Courses and learning paths that match and that the caller may see. Of those that match well (all where no words were given),
    what awards what they have to achieve comes first, then what they have to renew; then the others; each by relevance, then by
    title; what is not offered today, which administrators see, last. If nothing has every word, what has some of them is found
    and says which it has not. What learner access hides is counted nowhere and corrects no word.
    """
    query, actor = request.query, request.actor
    purpose = f"courses of {actor.employer} for {actor.person}: {query.purpose}"
    after = cursor.unseal(purpose, query.cursor)
    position = None if after is None else (after[0], tuple(after[1]))
    return purpose, finding.find(actor, query.wanted(request.now), query.limit, position, request.now)


class CourseRef(msgspec.Struct, frozen=True):
    """A course, by id and title."""

    id: str
    title: str


class PrerequisiteView(msgspec.Struct, frozen=True):
    """What must (mandatory) or should be achieved before, and where to get it."""

    kind: Annotated[str, msgspec.Meta(description="competency or course.")]
    id: Annotated[
        str | None, msgspec.Meta(description="Of a competency its full name; null for a course one cannot find.")
    ]
    name: str | None
    level: int
    mandatory: bool
    met: Annotated[bool | None, msgspec.Meta(description="By the caller; null for somebody who is no learner here.")]
    courses: Annotated[
        list[CourseRef], msgspec.Meta(description="Those that give it, as far as the caller can find them.")
    ]

    @classmethod
    def of(cls, checked: Checked) -> "PrerequisiteView":
        """Present a prerequisite."""
        wanted = checked.prerequisite
        return cls(
            wanted.kind.value,
            wanted.id if checked.name else None,
            checked.name,
            wanted.level,
            wanted.mandatory,
            checked.met,
            [CourseRef(course.id, course.title) for course in checked.courses],
        )


class CourseDetail(msgspec.Struct, frozen=True):
    """A course with what comes before it and its next classes."""

    id: str
    title: str
    subject: str
    description: str
    modes: list[str]
    duration_minutes: int
    awards: list[GrantsView]
    national: bool
    joining_instructions: str
    cost_pence: Annotated[int | None, msgspec.Meta(description="Of a place; null if not known.")]
    status: Status
    offered: Offered
    access: AccessWords
    prerequisites: Annotated[list[PrerequisiteView], msgspec.Meta(description="As they stand today.")]
    classes: Annotated[list[ClassSummary], msgspec.Meta(description="The next 50 by start, e-learning last.")]

    @classmethod
    def of(cls, view: CourseView) -> "CourseDetail":
        """Present a course."""
        course = view.course
        summary = CourseSummary.of(course, view.access, live_on(course, view.day))
        return cls(
            id=summary.id,
            title=summary.title,
            subject=summary.subject,
            description=course.description,
            modes=summary.modes,
            duration_minutes=summary.duration_minutes,
            awards=summary.awards,
            national=summary.national,
            joining_instructions=course.joining_instructions,
            cost_pence=course.cost_pence,
            status=summary.status,
            offered=summary.offered,
            access=summary.access,
            prerequisites=[PrerequisiteView.of(each) for each in view.prerequisites],
            classes=[ClassSummary.of(class_, seats, view.catalogue) for class_, seats in view.classes],
        )


@routes.route(
    "GET",
    "/v1/courses/{course_id}",
    capability=Capability.FIND_LEARNING,
    summary="A course and its next classes",
    answer=CourseDetail,
)
def course(request: Request) -> CourseView:
    """A course with places left on its next classes. A course the caller may not see is reported as not found."""
    return catalogue.course_detail(request.actor, request.path["course_id"], request.now)


class SectionView(msgspec.Struct, frozen=True):
    """A part of a learning path."""

    title: str
    courses: list[CourseSummary]


class PathDetail(msgspec.Struct, frozen=True):
    """A learning path with its courses, in the order in which they are best taken."""

    id: str
    title: str
    subject: str
    description: str
    national: bool
    status: Status
    offered: Offered
    access: AccessWords
    sections: list[SectionView]

    @classmethod
    def of(cls, view: PathView) -> "PathDetail":
        """Present a learning path."""
        path: LearningPath = view.path
        offered = live_on(path, view.day)
        return cls(
            path.id,
            path.title,
            path.subject,
            path.description,
            owner_of(path.id) == NATIONAL,
            path.status.value,
            offered,
            _access_words(view.access, offered),
            [
                SectionView(
                    title,
                    [CourseSummary.of(course, access, live_on(course, view.day)) for course, access in courses],
                )
                for title, courses in view.sections
            ],
        )


@routes.route(
    "GET",
    "/v1/learning-paths/{path_id}",
    capability=Capability.FIND_LEARNING,
    summary="A learning path",
    answer=PathDetail,
)
def learning_path(request: Request) -> PathView:
    """A learning path, section by section. Courses of it that the caller may not see are left out."""
    return catalogue.path_detail(request.actor, request.path["path_id"], request.now)


class MayEnrol(msgspec.Struct, frozen=True):
    """Whether the caller may enrol now, and if not, the problem that enrolling would answer."""

    allowed: bool
    would_be: Annotated[
        str | None,
        msgspec.Meta(description="confirmed, waitlisted or requested: what enrolling would give now; or null."),
    ]
    why_not: Problem | None
    warnings: Annotated[list[PrerequisiteView], msgspec.Meta(description="What should be achieved before, and is not.")]

    @classmethod
    def of(cls, verdict: Verdict) -> "MayEnrol":
        """Present a verdict."""
        refusal = verdict.refusal
        why_not = problem_of(refusal) if refusal else None
        would_be = verdict.status.value if verdict.status else None
        return cls(refusal is None, would_be, why_not, [PrerequisiteView.of(each) for each in verdict.advised])


class ClassDetail(msgspec.Struct, frozen=True):
    """A class with its sessions, its places, and the verdict on enrolling."""

    id: str
    course_id: str
    title: str
    mode: str
    status: str
    starts_at: datetime | None
    ends_at: datetime | None
    sessions: list[SessionView]
    venue: str | None
    minimum: int
    maximum: int | None
    taken: int
    free: int | None
    waiting: int
    by_need: Annotated[bool, msgspec.Meta(description="Who waits gets a seat by need of what it awards, then by time.")]
    enrol_from: date | None
    enrol_until: date | None
    joining_instructions: str
    prerequisites: Annotated[
        list[PrerequisiteView], msgspec.Meta(description="As they stand on the day the class starts.")
    ]
    may_enrol: Annotated[MayEnrol | None, msgspec.Meta(description="null for somebody who is no learner here.")]

    @classmethod
    def of(cls, view: ClassView) -> "ClassDetail":
        """Present a class."""
        class_, seats = view.class_, view.seats
        return cls(
            id=class_.id,
            course_id=class_.course,
            title=class_.title,
            mode=class_.mode.value,
            status=status_shown(class_, seats).value,
            starts_at=class_.starts_at,
            ends_at=class_.ends_at,
            sessions=[SessionView.of(each) for each in class_.sessions],
            venue=view.catalogue.venue_name(class_.venue),
            minimum=class_.minimum,
            maximum=seats.maximum,
            taken=seats.taken,
            free=seats.free,
            waiting=seats.waiting,
            by_need=class_.by_need,
            enrol_from=class_.enrol_from,
            enrol_until=class_.enrol_until,
            joining_instructions=class_.joining_instructions or view.course.joining_instructions,
            prerequisites=[PrerequisiteView.of(each) for each in view.prerequisites],
            may_enrol=MayEnrol.of(view.verdict) if view.verdict else None,
        )


@routes.route(
    "GET",
    "/v1/classes/{class_id}",
    capability=Capability.FIND_LEARNING,
    summary="A class and its places",
    answer=ClassDetail,
)
def class_(request: Request) -> Any:
    """A class, its free places, and whether the caller may enrol now; if not, the rule that says no and the way out."""
    return catalogue.class_detail(request.actor, request.path["class_id"], request.now)
