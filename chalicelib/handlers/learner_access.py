"""Learner access and prerequisites: set by administrators, explained, and tried before saving."""

from datetime import date
from typing import Annotated

import msgspec
from chalice import Blueprint

from chalicelib.domain import errors
from chalicelib.domain.access import AccessMode, AccessRule, Trial
from chalicelib.domain.calendar import long_day
from chalicelib.domain.catalogue import (
    Certification,
    Course,
    CourseStatus,
    LearningPath,
    Prerequisite,
    PrerequisiteKind,
)
from chalicelib.domain.permissions import Capability
from chalicelib.domain.requirements import Rulebook, Target, TargetKind
from chalicelib.handlers.catalogue import PrerequisiteView
from chalicelib.handlers.http import Request, Routes
from chalicelib.handlers.paging import Cursor, Limit
from chalicelib.services import learner_access
from chalicelib.services.learner_access import Asked, Asking, Audience, Explanation, Kind, Reached, Ruled
from chalicelib.storage import cursor

blueprint = Blueprint(__name__)
routes = Routes(blueprint, "Learner access")

MOST_RULES, MOST_TARGETS, MOST_PREREQUISITES = 20, 6, 20

Revision = Annotated[int, msgspec.Meta(ge=1, description="The revision that was read; another one is refused.")]

# --- access rules -------------------------------------------------------------------------------------------


class TargetBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whom a rule is aimed at."""

    kind: Annotated[TargetKind, msgspec.Meta(description="ORG, UNIT, GRP, JOB, POS, LGR or PERSON.")]
    id: Annotated[str, msgspec.Meta(pattern=r"^[\w.~|-]{1,80}$(?!\n)")]


class RuleBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One rule. All of its targets must hold together, through one assignment; without any, every learner meets it."""

    mode: Annotated[AccessMode, msgspec.Meta(description="self-enrol, approval or administrator only.")]
    targets: Annotated[list[TargetBody], msgspec.Meta(max_length=MOST_TARGETS)] = []
    include_below: Annotated[bool, msgspec.Meta(description="Whether a unit includes those below it.")] = True
    starts_on: Annotated[date, msgspec.Meta(description="First day, Europe/London; always unless told.")] | None = None
    ends_on: Annotated[date, msgspec.Meta(description="Last day; none unless told.")] | None = None

    def rule(self, number: int) -> AccessRule:
        """The rule it describes."""
        targets = tuple(Target(each.kind, each.id) for each in self.targets)
        return AccessRule(f"{number:02d}", self.mode, targets, self.include_below, self.starts_on, self.ends_on)


Rules = Annotated[
    list[RuleBody],
    msgspec.Meta(max_length=MOST_RULES, description="Alternatives: one is enough. None: every learner, with approval."),
]


def _rules(given: list[RuleBody]) -> tuple[AccessRule, ...]:
    return tuple(each.rule(number) for number, each in enumerate(given, 1))


class RulesBody(msgspec.Struct, frozen=True):
    """All access rules of an item, in place of those it has."""

    rules: Rules
    revision: Revision


class TargetView(msgspec.Struct, frozen=True):
    """Whom a rule is aimed at, by name."""

    kind: str
    id: str
    name: str | None

    @classmethod
    def of(cls, target: Target, ruled: Ruled) -> "TargetView":
        """Present a target."""
        return cls(target.kind.value, target.id, ruled.names.get(target))


class RuleView(msgspec.Struct, frozen=True):
    """One rule of an item."""

    id: str
    mode: str
    targets: list[TargetView]
    include_below: bool
    starts_on: date | None
    ends_on: date | None

    @classmethod
    def of(cls, rule: AccessRule, ruled: Ruled) -> "RuleView":
        """Present a rule."""
        return cls(
            rule.id,
            rule.mode.value,
            [TargetView.of(each, ruled) for each in rule.targets],
            rule.include_below,
            rule.starts_on,
            rule.ends_on,
        )


class RulesView(msgspec.Struct, frozen=True):
    """The access rules of an item, any one of which is enough. Without any, every learner can find it and needs approval."""

    id: str
    revision: int
    rules: list[RuleView]

    @classmethod
    def of(cls, ruled: Ruled) -> "RulesView":
        """Present the rules of an item."""
        item = ruled.item
        return cls(item.id, item.revision, [RuleView.of(each, ruled) for each in item.access_rules])


@routes.route(
    "GET",
    "/v1/courses/{course_id}/access-rules",
    capability=Capability.EDIT_LEARNING_RULES,
    summary="Who may find a course",
    answer=RulesView,
    refusals=(errors.NotFound,),
)
def course_rules(request: Request) -> Ruled:
    """The access rules of a course, with the names of those they are aimed at, and the revision to send back with a change."""
    return learner_access.rules_of(request.actor, Course, request.path["course_id"])


@routes.route(
    "PUT",
    "/v1/courses/{course_id}/access-rules",
    capability=Capability.EDIT_LEARNING_RULES,
    summary="Say who may find a course",
    body=RulesBody,
    answer=RulesView,
    refusals=(errors.NotFound, errors.NotYourItem, errors.Outdated, errors.Conflict),
)
def set_course_rules(request: Request) -> Ruled:
    """Put these rules in place of those the course has. Any rule restricts: whoever meets none cannot find the course, not in a
    search, not by its id, not through its classes or a learning path. National courses can be restricted to employers alone.
    """
    return _set_rules(request, Course, request.path["course_id"])


@routes.route(
    "GET",
    "/v1/learning-paths/{path_id}/access-rules",
    capability=Capability.EDIT_LEARNING_RULES,
    summary="Who may find a learning path",
    answer=RulesView,
    refusals=(errors.NotFound,),
)
def path_rules(request: Request) -> Ruled:
    """The access rules of a learning path, like those of a course."""
    return learner_access.rules_of(request.actor, LearningPath, request.path["path_id"])


@routes.route(
    "PUT",
    "/v1/learning-paths/{path_id}/access-rules",
    capability=Capability.EDIT_LEARNING_RULES,
    summary="Say who may find a learning path",
    body=RulesBody,
    answer=RulesView,
    refusals=(errors.NotFound, errors.NotYourItem, errors.Outdated, errors.Conflict),
)
def set_path_rules(request: Request) -> Ruled:
    """Put these rules in place of those the learning path has. Its courses keep their own: finding a path opens none of them."""
    return _set_rules(request, LearningPath, request.path["path_id"])


@routes.route(
    "GET",
    "/v1/certifications/{certification_id}/access-rules",
    capability=Capability.EDIT_LEARNING_RULES,
    summary="Who may find a certification",
    answer=RulesView,
    refusals=(errors.NotFound,),
)
def certification_rules(request: Request) -> Ruled:
    """The access rules of a certification, like those of a course."""
    return learner_access.rules_of(request.actor, Certification, request.path["certification_id"])


@routes.route(
    "PUT",
    "/v1/certifications/{certification_id}/access-rules",
    capability=Capability.EDIT_LEARNING_RULES,
    summary="Say who may find a certification",
    body=RulesBody,
    answer=RulesView,
    refusals=(errors.NotFound, errors.NotYourItem, errors.Outdated, errors.Conflict),
)
def set_certification_rules(request: Request) -> Ruled:
    """Put these rules in place of those the certification has. Its courses keep their own: subscribing opens none of them."""
    return _set_rules(request, Certification, request.path["certification_id"])


def _set_rules(request: Request, kind: Kind, item_id: str) -> Ruled:
    wanted = _rules(request.body.rules)
    return learner_access.set_rules(request.actor, kind, item_id, wanted, request.body.revision, request.now)


# --- prerequisites ------------------------------------------------------------------------------------------


class PrerequisiteBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What must (mandatory) or should be achieved before: a competency at a level, or a course."""

    kind: PrerequisiteKind
    id: Annotated[
        str, msgspec.Meta(min_length=1, max_length=200, description="A competency's full name, or a course's id.")
    ]
    level: Annotated[int, msgspec.Meta(ge=1, le=20, description="Least level of a competency.")] = 1
    mandatory: bool = True


class PrerequisitesBody(msgspec.Struct, frozen=True):
    """All prerequisites of a course, in place of those it has."""

    prerequisites: Annotated[list[PrerequisiteBody], msgspec.Meta(max_length=MOST_PREREQUISITES)]
    revision: Revision


class PrerequisitesView(msgspec.Struct, frozen=True):
    """The prerequisites of a course, each with the live courses that give it."""

    id: str
    revision: int
    prerequisites: list[PrerequisiteView]
    can_be_begun: Annotated[
        bool,
        msgspec.Meta(
            description="false if nobody new could: a mandatory prerequisite is not live, or they come back to the course."
        ),
    ]

    @classmethod
    def of(cls, asking: Asking) -> "PrerequisitesView":
        """Present the prerequisites of a course."""
        course = asking.course
        shown = [PrerequisiteView.of(each) for each in asking.prerequisites]
        return cls(course.id, course.revision, shown, asking.can_be_begun)


@routes.route(
    "GET",
    "/v1/courses/{course_id}/prerequisites",
    capability=Capability.EDIT_LEARNING_RULES,
    summary="What comes before a course",
    answer=PrerequisitesView,
    refusals=(errors.NotFound,),
)
def course_prerequisites(request: Request) -> Asking:
    """The prerequisites of a course, and the revision to send back with a change."""
    return learner_access.prerequisites_of(request.actor, request.path["course_id"], request.now)


@routes.route(
    "PUT",
    "/v1/courses/{course_id}/prerequisites",
    capability=Capability.EDIT_LEARNING_RULES,
    summary="Say what comes before a course",
    body=PrerequisitesBody,
    answer=PrerequisitesView,
    refusals=(errors.NotFound, errors.NotYourItem, errors.Outdated, errors.PrerequisiteCycle, errors.Conflict),
)
def set_course_prerequisites(request: Request) -> Asking:
    """Put these prerequisites in place of those the course has. Without a mandatory one the course is seen and nobody enrols; it
    must be valid on the day the class starts. What would leave a course that nobody could ever begin is refused with its chain.
    """
    body = request.body
    wanted = [Prerequisite(each.kind, each.id, each.level, each.mandatory) for each in body.prerequisites]
    course_id = request.path["course_id"]
    return learner_access.set_prerequisites(request.actor, course_id, wanted, body.revision, request.now)


# --- why somebody can find it, or cannot --------------------------------------------------------------------


class CheckedTarget(msgspec.Struct, frozen=True):
    """A target of a rule, and whether the person is under it."""

    kind: str
    id: str
    name: str | None
    met: bool


class TrialView(msgspec.Struct, frozen=True):
    """One rule held against one assignment of the person (null: they have none)."""

    rule: str
    mode: str
    assignment: str | None
    unit: str | None
    unit_name: str | None
    in_force: Annotated[bool, msgspec.Meta(description="Whether today lies between the rule's days.")]
    open_to_unit: Annotated[
        bool, msgspec.Meta(description="Whether the class, if one is asked about, is open to the unit.")
    ]
    targets: list[CheckedTarget]
    met: bool

    @classmethod
    def of(cls, trial: Trial, explanation: Explanation) -> "TrialView":
        """Present a trial."""
        unit = trial.standpoint.unit
        return cls(
            trial.rule.id,
            trial.rule.mode.value,
            trial.standpoint.assignment,
            unit,
            _unit_name(unit, explanation.rulebook),
            trial.in_force,
            trial.open_to,
            [
                CheckedTarget(target.kind.value, target.id, explanation.ruled.names.get(target), met)
                for target, met in trial.targets
            ],
            trial.met,
        )


def _unit_name(unit: str | None, rulebook: Rulebook) -> str | None:
    known = rulebook.units.get(unit) if unit else None
    return known.name if known else None


class ExplanationView(msgspec.Struct, frozen=True):
    """Why a person can find an item or a class today, or cannot."""

    id: str
    class_id: str | None
    person_id: str
    on: date
    visible: bool
    mode: Annotated[str | None, msgspec.Meta(description="What their access as a learner allows; null: none.")]
    rule: Annotated[str | None, msgspec.Meta(description="The rule that gave it; null for the default, or none.")]
    assignment: str | None
    why: Annotated[str, msgspec.Meta(description="The verdict in a sentence.")]
    rules: Annotated[list[TrialView], msgspec.Meta(description="Every rule, held against every assignment.")]
    prerequisites: Annotated[
        list[PrerequisiteView],
        msgspec.Meta(description="As the person meets them today, or on the day the class starts."),
    ]

    @classmethod
    def of(cls, found: Explanation) -> "ExplanationView":
        """Present an explanation."""
        access = found.access
        return cls(
            found.item.id,
            found.class_.id if found.class_ else None,
            found.person,
            found.on,
            found.visible,
            access.mode.value if access.mode else None,
            access.rule.id if access.rule else None,
            access.assignment,
            _why(found),
            [TrialView.of(each, found) for each in found.trials],
            [PrerequisiteView.of(each) for each in found.prerequisites],
        )


_MAY = {
    AccessMode.SELF_ENROL: "may enrol themselves",
    AccessMode.APPROVAL: "may enrol with their manager's approval",
    AccessMode.ADMINISTRATOR: "are enrolled by the learning team",
}


def _why(found: Explanation) -> str:
    access = found.access
    if found.administers:
        return "They find it because learning and class administrators see every item."
    if found.takes_part and not (found.live and access.visible):
        return f"They find it because they are on the class or instruct it; else not: {_why_not(found)}."
    if access.mode is None or not found.visible:
        return f"They cannot find it: {_why_not(found)}."
    if access.rule is None:
        return f"They find it and {_MAY[access.mode]}: it has no rules."
    through = f" through assignment {access.assignment}" if access.assignment else ""
    return f"They find it and {_MAY[access.mode]}: rule {access.rule.id} is met{through}."


def _why_not(found: Explanation) -> str:
    if not found.learner:
        return "they are no learner at this employer today"
    if not found.live:
        return _not_live(found)
    if not found.class_open:
        return "the class is open to other units only"
    narrowed = " through a unit the class is open to" if found.class_ and found.class_.only_units else ""
    return f"they meet none of its {len(found.item.access_rules)} rules{narrowed}"


def _not_live(found: Explanation) -> str:
    item = found.item
    if item.status is not CourseStatus.LIVE:
        return f"it is {item.status}"
    if item.starts_on and found.on < item.starts_on:
        return f"it is offered from {long_day(item.starts_on)} on"
    return f"it was offered until {long_day(item.ends_on)}" if item.ends_on else "it is not offered"


PersonId = Annotated[str, msgspec.Meta(pattern=r"^[\w.~|-]{1,80}$(?!\n)", description="Whose access.")]


class AccessQuery(msgspec.Struct, frozen=True):
    """Whose access, to the course or to one class of it."""

    person_id: PersonId
    class_id: Annotated[str, msgspec.Meta(pattern=r"^[\w.~|-]{1,80}$(?!\n)")] | None = None


@routes.route(
    "GET",
    "/v1/courses/{course_id}/access",
    capability=Capability.EDIT_CLASSES,
    summary="Why somebody can find a course, or cannot",
    query=AccessQuery,
    answer=ExplanationView,
    refusals=(errors.NotFound,),
)
def explain_course(request: Request) -> Explanation:
    """Whether a person can find a course, or one of its classes, today, and why: each rule with each of its targets, held against
    each assignment. A class administrator asks within their subjects.
    """
    query, course_id = request.query, request.path["course_id"]
    return learner_access.explain(request.actor, Course, course_id, query.person_id, query.class_id, request.now)


class PathAccessQuery(msgspec.Struct, frozen=True):
    """Whose access."""

    person_id: PersonId


@routes.route(
    "GET",
    "/v1/learning-paths/{path_id}/access",
    capability=Capability.EDIT_CLASSES,
    summary="Why somebody can find a learning path, or cannot",
    query=PathAccessQuery,
    answer=ExplanationView,
    refusals=(errors.NotFound,),
)
def explain_path(request: Request) -> Explanation:
    """Whether a person can find a learning path today, and why."""
    path_id, person = request.path["path_id"], request.query.person_id
    return learner_access.explain(request.actor, LearningPath, path_id, person, None, request.now)


# --- who can find it ----------------------------------------------------------------------------------------


class AudienceBody(msgspec.Struct, frozen=True):
    """Rules to try in place of those the item has, and the day to look at."""

    rules: Rules | None = None
    on: Annotated[date, msgspec.Meta(description="Today unless told, or a day ahead, Europe/London.")] | None = None


class AudienceQuery(msgspec.Struct, frozen=True):
    """Whether to list people or to count them only, and where to go on."""

    people: Annotated[bool, msgspec.Meta(description="false: count only, over many more learners a request.")] = True
    limit: Limit = 20
    cursor: Cursor | None = None


class UnitCount(msgspec.Struct, frozen=True):
    """How many learners of a unit find it."""

    unit: Annotated[str | None, msgspec.Meta(description="null: learners without an assignment.")]
    name: str | None
    learners: int


class ReachedView(msgspec.Struct, frozen=True):
    """Somebody who finds it, through one assignment."""

    person_id: str
    name: str
    employee_number: str
    assignment: Annotated[str | None, msgspec.Meta(description="null for a learner without an assignment.")]
    unit: str | None
    mode: str
    rule: Annotated[str | None, msgspec.Meta(description="The rule that lets them; null: there is none.")]
    again: Annotated[
        bool, msgspec.Meta(description="true: the same person is listed, and counted, through another assignment.")
    ]

    @classmethod
    def of(cls, found: Reached) -> "ReachedView":
        """Present somebody."""
        return cls(
            found.person,
            found.name,
            found.number,
            found.assignment,
            found.unit,
            found.mode.value,
            found.rule,
            found.again,
        )


class AudiencePage(msgspec.Struct, frozen=True):
    """Those who find an item, as far as this request looked."""

    on: date
    learners: Annotated[
        int, msgspec.Meta(description="How many people this request found, each once; add up over the pages.")
    ]
    by_unit: Annotated[
        list[UnitCount],
        msgspec.Meta(description="Of them in each unit, those with assignments in two units in both; add up likewise."),
    ]
    people: list[ReachedView]
    next_cursor: Annotated[
        str | None,
        msgspec.Meta(
            description="Send as `cursor` to look further, also after a short or empty page; null at the end."
        ),
    ]

    @classmethod
    def of(cls, found: tuple[str, Audience]) -> "AudiencePage":
        """Present a page; its cursor holds for the same rules and day only."""
        purpose, page = found
        counts = [UnitCount(unit, _unit_name(unit, page.rulebook), count) for unit, count in page.by_unit.items()]
        shown = [ReachedView.of(each) for each in page.people]
        return cls(page.on, page.learners, counts, shown, cursor.seal(purpose, page.after))


@routes.route(
    "POST",
    "/v1/courses/{course_id}/audience",
    capability=Capability.EDIT_LEARNING_RULES,
    summary="Who can find a course",
    body=AudienceBody,
    query=AudienceQuery,
    answer=AudiencePage,
    refusals=(errors.NotFound,),
)
def course_audience(request: Request) -> tuple[str, Audience]:
    """The learners of the employer who find a course by its rules, or would by the rules sent, which are not saved; unit by unit.

    A request looks through some hundred assignments at most (two thousand if it only counts), so a page may be short or empty: go
    on until `next_cursor` is null. A draft is looked at as if it were live.
    """
    return _audience(request, Course, request.path["course_id"])


@routes.route(
    "POST",
    "/v1/learning-paths/{path_id}/audience",
    capability=Capability.EDIT_LEARNING_RULES,
    summary="Who can find a learning path",
    body=AudienceBody,
    query=AudienceQuery,
    answer=AudiencePage,
    refusals=(errors.NotFound,),
)
def path_audience(request: Request) -> tuple[str, Audience]:
    """The learners who find a learning path, like those of a course."""
    return _audience(request, LearningPath, request.path["path_id"])


def _audience(request: Request, kind: Kind, item_id: str) -> tuple[str, Audience]:
    body, query = request.body, request.query
    asked = Asked(kind, item_id, None if body.rules is None else _rules(body.rules), body.on)
    purpose = f"audience {request.actor.employer} {asked} {query.people}"
    after = cursor.unseal(purpose, query.cursor)
    limit = query.limit if query.people else None
    return purpose, learner_access.audience(request.actor, asked, limit, after, request.now)
