"""Learner access and prerequisites: kept by administrators, explained, and tried before saving (domain.md §5, decision 0017)."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Any, TypeVar

import msgspec

from chalicelib.domain import access, prerequisites
from chalicelib.domain.access import Access, AccessMode, AccessRule, Standpoint, Trial
from chalicelib.domain.actor import Actor
from chalicelib.domain.calendar import LATEST, london_day
from chalicelib.domain.catalogue import (
    Catalogue,
    Certification,
    Course,
    Item,
    LearningPath,
    Prerequisite,
    live_on,
    may_belong,
    owner_of,
)
from chalicelib.domain.catalogue_editing import WORDS, entries
from chalicelib.domain.classes import Class
from chalicelib.domain.errors import FieldError, NotFound, NotYourItem, Outdated, refuse_body
from chalicelib.domain.learner import Learner
from chalicelib.domain.people import NATIONAL
from chalicelib.domain.permissions import Capability
from chalicelib.domain.placing import day_that_counts
from chalicelib.domain.prerequisites import Checked
from chalicelib.domain.projection import UNASSIGNED, Facts
from chalicelib.domain.requirements import Rulebook, Target, TargetKind
from chalicelib.services import rule_changes, snapshot_walk
from chalicelib.services.catalogue import Viewer
from chalicelib.storage import audit, classes, keys, people, projection, rules
from chalicelib.storage import catalogue as stored
from chalicelib.storage import learner as learners
from chalicelib.storage.transaction import Transaction, retried

Kind = type[Course] | type[LearningPath] | type[Certification]
T = TypeVar("T", bound=Item)


def _item(kind: Kind, item_id: str, employer: str, catalogue: Catalogue) -> Item:
    """A course, learning path or certification that people of an employer can have to do with; raises NotFound."""
    item: Item | None = entries(catalogue, kind).get(item_id) if may_belong(item_id, employer) else None
    if item is None:
        raise NotFound(f"There is no such {WORDS[kind]}.", id=item_id)
    return item


# --- keeping access rules -------------------------------------------------------------------------------------


class Ruled(msgspec.Struct, frozen=True):
    """An item with its access rules, and what the targets in them are called."""

    item: Item
    names: dict[Target, str]


def rules_of(actor: Actor, kind: Kind, item_id: str) -> Ruled:
    """The access rules of an item; raises NotFound."""
    rulebook, known = rules.rulebook_and_catalogue(actor.employer)
    item = _item(kind, item_id, actor.employer, known)
    return Ruled(item, _names(rulebook, item.access_rules))


def _names(rulebook: Rulebook, of: Iterable[AccessRule]) -> dict[Target, str]:
    """What the targets of rules are called: those the employer knows, and people by one batch read."""
    targets = {target for rule in of for target in rule.targets}
    persons = [target.id for target in targets if target.kind is TargetKind.PERSON]
    known = {target: rulebook.names[target] for target in targets if target in rulebook.names}
    names = people.names_of(rulebook.employer, persons) if persons else {}
    return known | {Target(TargetKind.PERSON, person): name for person, name in names.items()}


@retried
def set_rules(
    actor: Actor, kind: Kind, item_id: str, wanted: Sequence[AccessRule], revision: int, now: datetime
) -> Ruled:
    """Put these access rules in place of an item's, numbered as they stand. If they are the same, nothing is written.

    Raises NotFound, NotYourItem, Outdated with both versions, or Invalid naming every wrong field.
    """
    rulebook, known = rules.rulebook_and_catalogue(actor.employer, consistent=True)
    item = _editable(actor, kind, item_id, known)
    numbered = tuple(replace(rule, id=f"{number:02d}") for number, rule in enumerate(wanted, 1))
    _refuse_outdated(item, revision, "rules", item.access_rules, numbered)
    check_rules(numbered, rulebook)
    if numbered != item.access_rules:
        changed = replace(item, access_rules=numbered, revision=item.revision + 1)
        _save(actor, item, changed, "access.changed", now)
        item = changed
    return Ruled(item, _names(rulebook, numbered))


def check_rules(wanted: Sequence[AccessRule], rulebook: Rulebook) -> None:
    """Raise Invalid naming every field of access rules that cannot be. Reads the people they are aimed at, if any."""
    employers = rules.employers() if rulebook.employer == NATIONAL and wanted else ()
    wrong = list(access.wrong_fields(wanted, rulebook, employers))
    if rulebook.employer != NATIONAL:
        wrong += _unknown_people(wanted, rulebook.employer)
    refuse_body(wrong)


def _unknown_people(wanted: Sequence[AccessRule], employer: str) -> Iterator[FieldError]:
    aimed_at = {
        f"rules[{place}].targets[{number}].id": target.id
        for place, rule in enumerate(wanted)
        for number, target in enumerate(rule.targets)
        if target.kind is TargetKind.PERSON
    }
    known = people.names_of(employer, set(aimed_at.values())) if aimed_at else {}
    yield from (
        FieldError(where, "is no person of this employer") for where, id_ in aimed_at.items() if id_ not in known
    )


def _editable(actor: Actor, kind: Kind, item_id: str, catalogue: Catalogue) -> Item:
    """An item that the actor's employer owns; raises NotFound, or NotYourItem for what belongs to the nation."""
    item = _item(kind, item_id, actor.employer, catalogue)
    if owner_of(item.id) != actor.employer:
        raise NotYourItem("This is kept by the national administrator.", id=item.id)
    return item


def _refuse_outdated(item: Item, revision: int, field: str, current: Sequence[Any], yours: Sequence[Any]) -> None:
    """Raise Outdated with both versions unless the change was made on the item as it is."""
    if revision != item.revision:
        raise Outdated(
            "Somebody else changed this since you read it.",
            current={"revision": item.revision, field: msgspec.to_builtins(current)},
            yours={field: msgspec.to_builtins(yours)},
        )


def _save(actor: Actor, before: Item, after: Item, action: str, now: datetime, judged_at: int | None = None) -> None:
    """Write what has changed of an item, with version and audit. Raises Stale if it, or the catalogue judged, changed meanwhile."""
    transaction = Transaction()
    if isinstance(after, Course):
        transaction.replace(stored.CourseRow.of(after), stored.CourseRow.revision == before.revision)
    elif isinstance(after, LearningPath):
        transaction.replace(stored.PathRow.of(after), stored.PathRow.revision == before.revision)
    else:
        transaction.replace(stored.CertificationRow.of(after), stored.CertificationRow.revision == before.revision)
    kept = {rule.id for rule in after.access_rules}
    for rule in before.access_rules:
        if rule.id not in kept:
            transaction.delete(stored.AccessRuleRow.of(before.id, rule))
    for rule in after.access_rules:
        if rule not in before.access_rules:
            transaction.put(stored.AccessRuleRow.of(after.id, rule))
    owner = owner_of(after.id)
    rules.move_version(transaction, owner, keys.CATALOGUE, judged_at)
    facts = {"id": after.id, "before": _said(before), "after": _said(after)}
    audit.record(transaction, audit.Entry(owner, actor.person, action, now, facts=facts))
    transaction.commit()


def _said(item: Item) -> dict[str, Any]:
    """What an audit entry keeps of an item: ids and rules."""
    said = {"revision": item.revision, "rules": msgspec.to_builtins(item.access_rules)}
    return said | {"prerequisites": msgspec.to_builtins(item.prerequisites)} if isinstance(item, Course) else said


# --- keeping prerequisites ------------------------------------------------------------------------------------


class Asking(msgspec.Struct, frozen=True):
    """A course with its prerequisites, each with its name and what gives it, and whether it can be begun by what is live."""

    course: Course
    prerequisites: tuple[Checked, ...]
    can_be_begun: bool


def prerequisites_of(actor: Actor, course_id: str, now: datetime) -> Asking:
    """The prerequisites of a course; raises NotFound."""
    rulebook, known = rules.rulebook_and_catalogue(actor.employer)
    course = _item(Course, course_id, actor.employer, known)
    assert isinstance(course, Course)
    return _asking(course, rulebook, known, london_day(now))


def _asking(course: Course, rulebook: Rulebook, catalogue: Catalogue, day: date) -> Asking:
    checked = prerequisites.check(course, None, date.max, rulebook, catalogue, lambda _: True)
    return Asking(course, checked, prerequisites.can_be_begun(course, catalogue, rulebook, day))


@retried
def set_prerequisites(
    actor: Actor, course_id: str, wanted: Sequence[Prerequisite], revision: int, now: datetime
) -> Asking:
    """Put these prerequisites in place of a course's. If they are the same, nothing is written.

    Raises NotFound, NotYourItem, Outdated with both versions, Invalid naming every wrong field, or PrerequisiteCycle. No two
    changes of the catalogue at once can close a cycle: the second is judged again.
    """
    rulebook, known = rules.rulebook_and_catalogue(actor.employer, consistent=True)
    course = _editable(actor, Course, course_id, known)
    assert isinstance(course, Course)
    _refuse_outdated(course, revision, "prerequisites", course.prerequisites, wanted)
    changed = replace(course, prerequisites=tuple(wanted), revision=course.revision + 1)
    refuse_body(prerequisites.wrong_fields(changed, known, rulebook))
    if changed.prerequisites == course.prerequisites:
        return _asking(course, rulebook, known, london_day(now))
    after = replace(known, courses={**known.courses, course.id: changed})
    prerequisites.refuse_cycle(known, after, rulebook)
    _save(actor, course, changed, "prerequisites.changed", now, known.version[0])
    return _asking(changed, rulebook, after, london_day(now))


# --- why somebody can find it, or cannot ----------------------------------------------------------------------


class Explanation(msgspec.Struct, frozen=True):
    """Why a person can find an item, or one class of it, on a day: every rule held against every assignment.

    `access` is their access as a learner. `learner` says whether they are one here, `administers` whether they see everything,
    `takes_part` whether they are on the class or instruct it, `class_open` whether it is open to one of their units.
    """

    item: Item
    class_: Class | None
    person: str
    on: date
    learner: bool
    administers: bool
    takes_part: bool
    live: bool
    class_open: bool
    access: Access
    trials: tuple[Trial, ...]
    prerequisites: tuple[Checked, ...]
    ruled: Ruled
    rulebook: Rulebook

    @property
    def visible(self) -> bool:
        """Whether they find it."""
        return self.administers or self.takes_part or (self.live and self.access.visible)


def explain(actor: Actor, kind: Kind, item_id: str, person: str, class_id: str | None, now: datetime) -> Explanation:
    """Why a person at the actor's employer can find an item or a class today, or cannot. Raises NotFound.

    A class administrator asks within their subjects (domain.md §10).
    """
    learner = learners.learner(person, actor.employer)
    if learner is None:
        raise NotFound("There is no such person at this employer.", person=person)
    viewer = _viewer_of(learner, now)
    item = _item(kind, item_id, actor.employer, viewer.catalogue)
    if not actor.reaches(Capability.EDIT_CLASSES, item.subject, viewer.catalogue):
        raise NotFound(f"There is no such {WORDS[kind]} in your subjects.", id=item_id)
    class_ = _class_of(item, class_id, actor.employer) if class_id else None
    only_units = class_.only_units if class_ else ()
    day = day_that_counts(class_, now) if class_ else viewer.day
    return Explanation(
        item,
        class_,
        person,
        viewer.day,
        viewer.learner is not None,
        viewer.administers,
        class_ is not None and viewer.takes_part(class_),
        live_on(item, viewer.day),
        bool(access.within(viewer.standpoints, only_units)),
        viewer.access_to(item, only_units),
        access.explain(item.access_rules, viewer.standpoints, viewer.day, only_units),
        viewer.checked(item, day, viewer.learner) if isinstance(item, Course) else (),
        Ruled(item, _names(viewer.rulebook, item.access_rules)),
        viewer.rulebook,
    )


def _viewer_of(learner: Learner, now: datetime) -> Viewer:
    """The catalogue as this learner looks at it."""
    roles = learner.roles_on(london_day(now))
    return Viewer.of(Actor(learner.person.id, learner.employer, roles, learner), now)


def _class_of(item: Item, class_id: str, employer: str) -> Class:
    loaded = classes.class_with_seats(class_id) if may_belong(class_id, employer) else None
    if loaded is None or loaded[0].course != item.id:
        raise NotFound("There is no such class of this course.", class_id=class_id)
    return loaded[0]


# --- who can find it ------------------------------------------------------------------------------------------

MOST_COUNTED = 2_000
"""Snapshots that one request looks through if it only counts."""


class Reached(msgspec.Struct, frozen=True):
    """Somebody who finds the item, through one assignment (None: a learner without one), and what they may do through it.

    `again` says that another of their assignments, the primary one or an earlier number, is listed and counted as them.
    """

    person: str
    name: str
    number: str
    assignment: str | None
    unit: str | None
    mode: AccessMode
    rule: str | None
    again: bool = False


class Audience(msgspec.Struct, frozen=True):
    """Those who find an item on a day, as far as this request has looked: how many learners, how many of them in each unit (one
    with assignments in two units in both), the people if they were asked for, and where to go on.
    """

    on: date
    learners: int
    by_unit: dict[str | None, int]
    people: tuple[Reached, ...]
    after: Any
    rulebook: Rulebook


class Asked(msgspec.Struct, frozen=True):
    """Whom to look for: those who find an item by rules tried in place of its own (None: its own), on a day (None: today)."""

    kind: Kind
    item_id: str
    tried: tuple[AccessRule, ...] | None = None
    on: date | None = None


def audience(actor: Actor, asked: Asked, limit: int | None, after: Any, now: datetime) -> Audience:
    """Those of the actor's employer who find an item, from their snapshots: up to `limit` of them by name, or (None) counted only.

    A draft or withdrawn item is looked at as if it were live. Raises NotFound, or Invalid naming every wrong field.
    """
    rulebook, known = rules.rulebook_and_catalogue(actor.employer)
    item, today = _item(asked.kind, asked.item_id, actor.employer, known), london_day(now)
    day = asked.on or today
    if not today <= day <= LATEST:
        refuse_body([FieldError("on", f"lies outside {today} to {LATEST}")])
    if asked.tried is not None:
        check_rules(asked.tried, rulebook)
    tried = item.access_rules if asked.tried is None else asked.tried
    found, following = snapshot_walk.look_through(
        actor.employer,
        _views(rulebook, tried, today, day),
        MOST_COUNTED if limit is None else limit,
        after,
        _finder(tried, rulebook, day),
        MOST_COUNTED if limit is None else None,
    )
    units = [unit for _, unit in dict.fromkeys((each.person, each.unit) for each in found)]
    names = people.names_of(actor.employer, [each.person for each in found]) if limit else {}
    named = tuple(msgspec.structs.replace(each, name=names.get(each.person, "")) for each in found) if limit else ()
    learners = sum(not each.again for each in found)
    return Audience(day, learners, dict(Counter(units)), named, following, rulebook)


def _finder(tried: Sequence[AccessRule], rulebook: Rulebook, day: date) -> Callable[[Facts], Reached | None]:
    def find(facts: Facts) -> Reached | None:
        found = through(facts)
        if found is None or facts.carries_own_on(day):
            return found
        others = (each.facts for each in projection.snapshots_of(facts.person, facts.employer))
        before = (each for each in others if each.carries_own_on(day) or each.number < facts.number)
        return msgspec.structs.replace(found, again=any(map(through, before)))

    def through(facts: Facts) -> Reached | None:
        standpoints = _standpoints(facts, rulebook, day)
        verdict = access.decide(tried, standpoints, day)
        if verdict.mode is None:
            return None
        rule = verdict.rule.id if verdict.rule else None
        assignment, unit = standpoints[0].assignment, standpoints[0].unit
        return Reached(facts.person, "", facts.employment.number, assignment, unit, verdict.mode, rule)

    return find


def _standpoints(facts: Facts, rulebook: Rulebook, day: date) -> tuple[Standpoint, ...]:
    """The ways in which the one assignment of a snapshot meets rules on a day; none if it does not count then."""
    held = facts.held_on(day)
    counts = facts.carries_own_on(day) if facts.number == UNASSIGNED else bool(held)
    return access.standpoints(facts.person, facts.groups_on(day), held, rulebook, day) if counts else ()


def _views(rulebook: Rulebook, tried: Sequence[AccessRule], today: date, day: date) -> list[str]:
    """Where those may be who meet one of these rules: their people, or the units they are aimed at, else everywhere."""
    narrowest = [_narrowest(rule) for rule in tried if rule.in_force_on(day)]
    if tried and all(target and target.kind is TargetKind.PERSON for target in narrowest):
        return list(
            dict.fromkeys(view for each in narrowest if each for view in snapshot_walk.views_of(rulebook, each, today))
        )
    if tried and day == today and all(target and target.kind is TargetKind.UNIT for target in narrowest):
        return rule_changes.parts_of(rulebook, [target for target in narrowest if target], today)
    return rule_changes.everywhere(rulebook)


def _narrowest(rule: AccessRule) -> Target | None:
    """The target of a rule that reaches fewest: a person, else a unit; None if it has neither."""
    for kind in (TargetKind.PERSON, TargetKind.UNIT):
        if found := next((target for target in rule.targets if target.kind is kind), None):
            return found
    return None
