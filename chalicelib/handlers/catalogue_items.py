"""Keeping courses and learning paths: drafted, brought out, changed and withdrawn by administrators."""

from datetime import date
from typing import Annotated, Any

import msgspec
from chalice import Blueprint
from msgspec import UNSET, UnsetType

from chalicelib.domain import catalogue_editing as editing
from chalicelib.domain import errors
from chalicelib.domain.catalogue import AwardTiming, Course, CourseStatus, Entry, LearningPath, Mode
from chalicelib.domain.catalogue_editing import Kind
from chalicelib.domain.permissions import Capability
from chalicelib.handlers.catalogue_editing import (
    CHANGING,
    DELETING,
    Name,
    NewId,
    Revision,
    WarningOfClasses,
    Warnings,
    Word,
    add,
    change,
    fields,
    remove,
)
from chalicelib.handlers.http import Request, Routes
from chalicelib.handlers.paging import Cursor, Limit, NextCursor
from chalicelib.services import catalogue_items
from chalicelib.services.catalogue_items import Changed, Page, Wanted
from chalicelib.storage import cursor

blueprint = Blueprint(__name__)
routes = Routes(blueprint, "Catalogue keeping")

# --- what is sent ---------------------------------------------------------------------------------------------

NewItemId = Annotated[
    str,
    msgspec.Meta(
        pattern=rf"^{editing.ID}$(?!\n)",
        description="Small letters, digits and hyphens; the owner is put before it, as in `504-fire`. Never changes.",
    ),
]
Text = Annotated[str, msgspec.Meta(max_length=editing.LONGEST_TEXT)]
SubjectId = Annotated[str, msgspec.Meta(pattern=r"^[\w.~|-]{1,80}$(?!\n)", description="From GET /v1/subjects.")]
OtherWords = Annotated[
    list[Word], msgspec.Meta(max_length=editing.MOST_WORDS, description="Other words to find it by.")
]
Minutes = Annotated[int, msgspec.Meta(ge=0, le=editing.LONGEST_DURATION)]
Pence = Annotated[int, msgspec.Meta(ge=0, le=editing.HIGHEST_COST, description="Of a place; null: not known.")]
AutoEnrol = Annotated[
    bool, msgspec.Meta(description="Whether whoever is due is placed on it by the service, without being asked.")
]
AutoBook = Annotated[
    bool, msgspec.Meta(description="With auto_enrol: also on a class with dates, which they else choose themselves.")
]
FirstDay = Annotated[date, msgspec.Meta(description="First London day on which it can be found; null: always.")]
LastDay = Annotated[date, msgspec.Meta(description="Last London day on which it can be found; null: none.")]
StatusText = Annotated[
    CourseStatus,
    msgspec.Meta(
        description="draft, live or withdrawn. What has been live is withdrawn and brought back, never a draft."
    ),
]


class AwardBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What completing a course awards."""

    competency: Annotated[str, msgspec.Meta(min_length=1, max_length=200, description="Full name.")]
    level: Annotated[int, msgspec.Meta(ge=1, le=20)] = 1


class OfferingBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One delivery of a course; classes are of an offering."""

    id: NewId
    mode: Mode
    language: Annotated[str, msgspec.Meta(pattern=rf"^{editing.LANGUAGE}$(?!\n)", description="BCP 47.")] = "en-GB"


class SectionBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A part of a learning path: courses in the order in which they are best taken."""

    title: Name
    courses: Annotated[
        list[Annotated[str, msgspec.Meta(pattern=r"^[\w.~|-]{1,80}$(?!\n)")]],
        msgspec.Meta(max_length=editing.MOST_COURSES),
    ]


Awards = Annotated[list[AwardBody], msgspec.Meta(max_length=editing.MOST_AWARDS)]
Offerings = Annotated[list[OfferingBody], msgspec.Meta(max_length=editing.MOST_OFFERINGS)]
Sections = Annotated[list[SectionBody], msgspec.Meta(max_length=editing.MOST_SECTIONS)]


# --- courses --------------------------------------------------------------------------------------------------


class AwardView(msgspec.Struct, frozen=True):
    """What completing a course awards."""

    competency: str
    level: int


class OfferingView(msgspec.Struct, frozen=True):
    """One delivery of a course."""

    id: str
    mode: str
    language: str


class CourseFields(msgspec.Struct, frozen=True, kw_only=True):
    """A course as those who keep it see it. Access rules and prerequisites have addresses of their own."""

    id: str
    owner: Annotated[str, msgspec.Meta(description="NHS, or the employer's code.")]
    title: str
    subject: str
    description: str
    duration_minutes: int
    status: Annotated[str, msgspec.Meta(description="draft, live or withdrawn.")]
    awards: list[AwardView]
    award_timing: Annotated[str, msgspec.Meta(description="automatic or after verification.")]
    offerings: list[OfferingView]
    joining_instructions: str
    cost_pence: int | None
    auto_enrol: AutoEnrol
    auto_book: AutoBook
    also_called: list[str]
    starts_on: date | None
    ends_on: date | None
    access_rules: Annotated[int, msgspec.Meta(description="How many there are; none: every learner, with approval.")]
    prerequisites: Annotated[int, msgspec.Meta(description="How many there are.")]
    revision: Annotated[int, msgspec.Meta(description="To send with a change.")]


def _shown(course: Course) -> dict[str, Any]:
    return {
        "id": course.id,
        "owner": course.owner,
        "title": course.title,
        "subject": course.subject,
        "description": course.description,
        "duration_minutes": course.duration_minutes,
        "status": course.status.value,
        "awards": [AwardView(each.competency, each.level) for each in course.grants],
        "award_timing": course.award_timing.value,
        "offerings": [OfferingView(each.id, each.mode.value, each.language) for each in course.offerings],
        "joining_instructions": course.joining_instructions,
        "cost_pence": course.cost_pence,
        "auto_enrol": course.auto_enrol,
        "auto_book": course.auto_book,
        "also_called": list(course.also_called),
        "starts_on": course.starts_on,
        "ends_on": course.ends_on,
        "access_rules": len(course.access_rules),
        "prerequisites": len(course.prerequisites),
        "revision": course.revision,
    }


class KeptCourse(CourseFields, frozen=True, kw_only=True):
    """A course as those who keep it see it. Access rules and prerequisites have addresses of their own."""

    @classmethod
    def of(cls, course: Course) -> "KeptCourse":
        """Present a course."""
        return cls(**_shown(course))


class CourseAfterChange(CourseFields, frozen=True, kw_only=True):
    """A course as it is now, and the classes to come on whose day it is to be found no more."""

    warnings: Warnings

    @classmethod
    def of(cls, changed: Changed) -> "CourseAfterChange":
        """Present a course that was changed."""
        detail = (
            "On the day of these classes the course is to be found no more: they take place, unless you cancel them."
        )
        return cls(**_shown(changed.entry), warnings=WarningOfClasses.all_of(changed, detail))


class KeptCoursePage(msgspec.Struct, frozen=True):
    """A page of courses, by title."""

    courses: list[KeptCourse]
    total: int
    next_cursor: NextCursor

    @classmethod
    def of(cls, page: Page) -> "KeptCoursePage":
        """Present a page."""
        return cls([KeptCourse.of(each) for each in page.entries], page.total, cursor.seal("kept courses", page.after))


class KeptQuery(msgspec.Struct, frozen=True):
    """Which courses, learning paths or certifications."""

    status: CourseStatus | None = None
    subject: Annotated[str, msgspec.Meta(max_length=80, description="With those below it.")] | None = None
    owner: (
        Annotated[str, msgspec.Meta(pattern=r"^[A-Z0-9]{2,8}$(?!\n)", description="NHS, or the employer's code.")]
        | None
    ) = None
    limit: Limit = 20
    cursor: Cursor | None = None


def listed(request: Request, kind: Kind, purpose: str) -> Page:
    """The page of one kind of item that was asked for."""
    query = request.query
    after = cursor.unseal(purpose, query.cursor)
    wanted = Wanted(query.status, query.subject, query.owner)
    return catalogue_items.listed(request.actor, kind, query.limit, after, wanted)


@routes.route(
    "GET",
    "/v1/catalogue/courses",
    capability=Capability.EDIT_CATALOGUE,
    summary="Courses as they are kept, drafts included",
    query=KeptQuery,
    answer=KeptCoursePage,
)
def kept_courses(request: Request) -> Page:
    """The nation's courses and the employer's own by title, in every status, with their revisions. What the nation still drafts is
    shown to its administrator only.
    """
    return listed(request, Course, "kept courses")


@routes.route(
    "GET",
    "/v1/catalogue/courses/{course_id}",
    capability=Capability.EDIT_CATALOGUE,
    summary="A course as it is kept",
    answer=KeptCourse,
    refusals=(errors.NotFound,),
)
def kept_course(request: Request) -> Entry:
    """Everything of a course that PATCH /v1/courses/{course_id} changes, and the revision to send with it."""
    entry: Entry = catalogue_items.one(request.actor, Course, request.path["course_id"])
    return entry


class NewCourse(msgspec.Struct, frozen=True, kw_only=True):
    """A course to add. It begins without access rules: every learner finds it once it is live, and needs approval."""

    id: NewItemId
    title: Name
    subject: SubjectId
    description: Text = ""
    duration_minutes: Minutes
    status: StatusText = CourseStatus.DRAFT
    awards: Awards = []
    award_timing: AwardTiming = AwardTiming.AUTOMATIC
    offerings: Offerings = []
    joining_instructions: Text = ""
    cost_pence: Pence | None = None
    auto_enrol: AutoEnrol = False
    auto_book: AutoBook = False
    also_called: OtherWords = []
    starts_on: FirstDay | None = None
    ends_on: LastDay | None = None


@routes.route(
    "POST",
    "/v1/courses",
    capability=Capability.EDIT_CATALOGUE,
    summary="Add a course",
    body=NewCourse,
    answer=KeptCourse,
    status=201,
    refusals=(errors.Conflict,),
)
def add_course(request: Request) -> Entry:
    """Add a course of the employer's own, a draft unless told otherwise. At `?employer=NHS` it is national."""
    employer, body = request.actor.employer, request.body
    return add(request, Course(f"{employer}-{body.id}", **fields(body)))


class ChangedCourse(msgspec.Struct, frozen=True, kw_only=True):
    """What to change of a course; what is left out stays. Lists are put whole."""

    revision: Revision
    title: Name | UnsetType = UNSET
    subject: SubjectId | UnsetType = UNSET
    description: Text | UnsetType = UNSET
    duration_minutes: Minutes | UnsetType = UNSET
    status: StatusText | UnsetType = UNSET
    awards: Awards | UnsetType = UNSET
    award_timing: AwardTiming | UnsetType = UNSET
    offerings: Offerings | UnsetType = UNSET
    joining_instructions: Text | UnsetType = UNSET
    cost_pence: Pence | UnsetType | None = UNSET
    auto_enrol: AutoEnrol | UnsetType = UNSET
    auto_book: AutoBook | UnsetType = UNSET
    also_called: OtherWords | UnsetType = UNSET
    starts_on: FirstDay | UnsetType | None = UNSET
    ends_on: LastDay | UnsetType | None = UNSET


@routes.route(
    "PATCH",
    "/v1/courses/{course_id}",
    capability=Capability.EDIT_CATALOGUE,
    summary="Change a course, bring it out or withdraw it",
    body=ChangedCourse,
    answer=CourseAfterChange,
    refusals=(*CHANGING, errors.InUse, errors.PrerequisiteCycle),
)
def change_course(request: Request) -> Changed:
    """Change what is sent, at once for every search and page. Whoever sends an old revision gets 409 with both versions.

    Enrolments keep what their course awarded when they were placed. An offering that classes to come are of stays. `warnings` names
    the classes to come of a course that is withdrawn, or that ends before they begin, with how many are on them.
    """
    return change(request, Course, request.path["course_id"], KeptCourse)


@routes.route(
    "DELETE",
    "/v1/courses/{course_id}",
    capability=Capability.EDIT_CATALOGUE,
    summary="Delete a draft",
    status=204,
    refusals=(*DELETING, errors.NotADraft, errors.PrerequisiteCycle),
)
def delete_course(request: Request) -> None:
    """Delete a draft that no class, learning path or prerequisite names. What has been live is withdrawn instead."""
    remove(request, Course, request.path["course_id"])


# --- learning paths -------------------------------------------------------------------------------------------


class SectionView(msgspec.Struct, frozen=True):
    """A part of a learning path."""

    title: str
    courses: list[str]


class KeptPath(msgspec.Struct, frozen=True, kw_only=True):
    """A learning path as those who keep it see it. Its access rules have an address of their own."""

    id: str
    owner: Annotated[str, msgspec.Meta(description="NHS, or the employer's code.")]
    title: str
    subject: str
    description: str
    sections: list[SectionView]
    status: Annotated[str, msgspec.Meta(description="draft, live or withdrawn.")]
    also_called: list[str]
    starts_on: date | None
    ends_on: date | None
    access_rules: Annotated[int, msgspec.Meta(description="How many there are; none: every learner.")]
    revision: Annotated[int, msgspec.Meta(description="To send with a change.")]

    @classmethod
    def of(cls, path: LearningPath) -> "KeptPath":
        """Present a learning path."""
        return cls(
            id=path.id,
            owner=path.owner,
            title=path.title,
            subject=path.subject,
            description=path.description,
            sections=[SectionView(each.title, list(each.courses)) for each in path.sections],
            status=path.status.value,
            also_called=list(path.also_called),
            starts_on=path.starts_on,
            ends_on=path.ends_on,
            access_rules=len(path.access_rules),
            revision=path.revision,
        )


class KeptPathPage(msgspec.Struct, frozen=True):
    """A page of learning paths, by title."""

    learning_paths: list[KeptPath]
    total: int
    next_cursor: NextCursor

    @classmethod
    def of(cls, page: Page) -> "KeptPathPage":
        """Present a page."""
        return cls([KeptPath.of(each) for each in page.entries], page.total, cursor.seal("kept paths", page.after))


@routes.route(
    "GET",
    "/v1/catalogue/learning-paths",
    capability=Capability.EDIT_CATALOGUE,
    summary="Learning paths as they are kept, drafts included",
    query=KeptQuery,
    answer=KeptPathPage,
)
def kept_paths(request: Request) -> Page:
    """The nation's learning paths and the employer's own by title, like courses."""
    return listed(request, LearningPath, "kept paths")


@routes.route(
    "GET",
    "/v1/catalogue/learning-paths/{path_id}",
    capability=Capability.EDIT_CATALOGUE,
    summary="A learning path as it is kept",
    answer=KeptPath,
    refusals=(errors.NotFound,),
)
def kept_path(request: Request) -> Entry:
    """Everything of a learning path that PATCH /v1/learning-paths/{path_id} changes, and the revision to send with it."""
    entry: Entry = catalogue_items.one(request.actor, LearningPath, request.path["path_id"])
    return entry


class NewPath(msgspec.Struct, frozen=True, kw_only=True):
    """A learning path to add. It begins without access rules: every learner finds it once it is live."""

    id: NewItemId
    title: Name
    subject: SubjectId
    description: Text = ""
    sections: Sections = []
    status: StatusText = CourseStatus.DRAFT
    also_called: OtherWords = []
    starts_on: FirstDay | None = None
    ends_on: LastDay | None = None


@routes.route(
    "POST",
    "/v1/learning-paths",
    capability=Capability.EDIT_CATALOGUE,
    summary="Add a learning path",
    body=NewPath,
    answer=KeptPath,
    status=201,
    refusals=(errors.Conflict,),
)
def add_path(request: Request) -> Entry:
    """Add a learning path of the employer's own, a draft unless told otherwise. No course stands in it twice."""
    employer, body = request.actor.employer, request.body
    return add(request, LearningPath(f"{employer}-{body.id}", **fields(body)))


class ChangedPath(msgspec.Struct, frozen=True, kw_only=True):
    """What to change of a learning path; what is left out stays. Sections are put whole."""

    revision: Revision
    title: Name | UnsetType = UNSET
    subject: SubjectId | UnsetType = UNSET
    description: Text | UnsetType = UNSET
    sections: Sections | UnsetType = UNSET
    status: StatusText | UnsetType = UNSET
    also_called: OtherWords | UnsetType = UNSET
    starts_on: FirstDay | UnsetType | None = UNSET
    ends_on: LastDay | UnsetType | None = UNSET


@routes.route(
    "PATCH",
    "/v1/learning-paths/{path_id}",
    capability=Capability.EDIT_CATALOGUE,
    summary="Change a learning path, bring it out or withdraw it",
    body=ChangedPath,
    answer=KeptPath,
    refusals=CHANGING,
)
def change_path(request: Request) -> Any:
    """Change what is sent. Whoever sends an old revision gets 409 with both versions."""
    return change(request, LearningPath, request.path["path_id"], KeptPath).entry


@routes.route(
    "DELETE",
    "/v1/learning-paths/{path_id}",
    capability=Capability.EDIT_CATALOGUE,
    summary="Delete a draft of a learning path",
    status=204,
    refusals=(errors.NotFound, errors.NotYourItem, errors.NotADraft, errors.Conflict),
)
def delete_path(request: Request) -> None:
    """Delete a draft. A learning path that has been live is withdrawn instead."""
    remove(request, LearningPath, request.path["path_id"])
