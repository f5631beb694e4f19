"""Whom a notice is for: an audience as people, within the reach of whoever writes (domain.md §10, decision 0033)."""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime

import msgspec

from chalicelib.domain import classes as rules_of
from chalicelib.domain.actor import Actor
from chalicelib.domain.calendar import london_day
from chalicelib.domain.catalogue import may_belong, owner_of
from chalicelib.domain.compliance import Colour
from chalicelib.domain.enrolment import OPEN, Status
from chalicelib.domain.errors import NotFound, refuse_body
from chalicelib.domain.notices import Audience, AudienceKind, wrong_fields
from chalicelib.domain.people import Assignment
from chalicelib.domain.permissions import Capability, Scope
from chalicelib.domain.projection import UNASSIGNED
from chalicelib.domain.requirements import Rulebook
from chalicelib.storage import class_lists, classes, people, projection, rules

READERS = 8
"""Units and classes read at the same time."""

PAGE = 200
"""Snapshots read at once."""


class Gathered(msgspec.Struct, frozen=True):
    """The people of an audience, each once, by id; and how many were left out: no longer here, or outside the writer's reach.

    Outside are only people listed one by one: how many others an audience has is not told, as it could tell how they stand.
    """

    people: tuple[str, ...]
    left: int
    outside: int


class _Writer:
    """Whoever writes, at a moment, with what they may know."""

    def __init__(self, actor: Actor, now: datetime) -> None:
        self.actor = actor
        self.employer = actor.employer
        self.now = now
        self.day = london_day(now)
        self.rulebook, self.catalogue = rules.rulebook_and_catalogue(actor.employer)
        self.reaches_all = Scope.ALLOW in actor.scopes(Capability.NOTIFY)
        self.team = frozenset[str]() if self.reaches_all else people.team_of(self.employer, actor.person, self.day)

    def reaches(self, subject: str, instructor: str | None = None) -> bool:
        """Whether everybody on a course or class is within reach: of one's subject, or taught by oneself."""
        return self.actor.reaches(Capability.NOTIFY, subject, self.catalogue, instructor)


def gather(actor: Actor, audiences: Sequence[Audience], now: datetime) -> Gathered:
    """Everybody whom an audience names and whom the actor may write to.

    A learning administrator reaches all, a class administrator who is on classes of their subjects, an instructor who is on their
    own, a manager their team in whatever audience. Raises Invalid, and NotFound for a class or course of which one reaches nobody.
    """
    writer = _Writer(actor, now)
    refuse_body(wrong_fields(audiences, writer.rulebook))
    reached: set[str] = set()
    listed: set[str] = set()
    for audience in audiences:
        found = _FOUND[audience.kind](writer, audience)
        reached |= found
        if audience.kind is AudienceKind.PEOPLE:
            listed |= set(audience.people)
    here, left = people.here_and_left(actor.employer, sorted(reached), writer.day)
    return Gathered(tuple(sorted(here)), len(left), len(listed - here - left))


def _within_team(writer: _Writer, found: Iterable[str]) -> set[str]:
    return set(found) if writer.reaches_all else set(found) & writer.team


# --- classes and courses ------------------------------------------------------------------------------------------


def _on_class(writer: _Writer, audience: Audience) -> set[str]:
    loaded = classes.class_with_seats(audience.id) if may_belong(audience.id, writer.employer) else None
    course = writer.catalogue.courses.get(loaded[0].course) if loaded else None
    if loaded is None or course is None:
        raise NotFound("There is no such class, or it is none of yours.", class_id=audience.id)
    statuses = frozenset(audience.statuses or (Status.CONFIRMED,))
    found = _placed(writer.employer, audience.id, statuses)
    return _reached(writer, found, writer.reaches(course.subject, loaded[0].instructor), class_id=audience.id)


def _on_course(writer: _Writer, audience: Audience) -> set[str]:
    course = writer.catalogue.courses.get(audience.id)
    if course is None:
        raise NotFound("There is no such course, or it is none of yours.", course=audience.id)
    owners = dict.fromkeys((owner_of(course.id), writer.employer))
    held = [
        each.id
        for owner in owners
        for each in classes.of_course(owner, course.id)
        if not rules_of.over(each, writer.now)
    ]
    with ThreadPoolExecutor(READERS) as pool:
        placed = pool.map(lambda class_id: _placed(writer.employer, class_id, OPEN), held)
        found = {person for each in placed for person in each}
    return _reached(writer, found, writer.reaches(course.subject), course=course.id)


def _placed(employer: str, class_id: str, statuses: frozenset[Status]) -> set[str]:
    listed = class_lists.roster(employer, class_id, only_open=statuses <= OPEN)
    return {each.person for each in listed if each.status in statuses}


def _reached(writer: _Writer, found: set[str], theirs: bool, **named: str) -> set[str]:
    """All who are on what is the writer's own; else those of their team, and without a team it is not theirs to see."""
    if theirs:
        return found
    if not writer.team:
        raise NotFound("There is no such class or course, or it is none of yours.", **named)
    return _within_team(writer, found)


# --- where people work --------------------------------------------------------------------------------------------


def _in_organisation(writer: _Writer, audience: Audience) -> set[str]:
    units = _branch(writer.rulebook, audience.id, writer.day)
    return _within_team(writer, (person for person, _ in _held_in(writer, units)))


def _in_position(writer: _Writer, audience: Audience) -> set[str]:
    held = _held_in(writer, sorted(writer.rulebook.units))
    return _within_team(writer, (person for person, assignment in held if assignment.position == audience.id))


def _held_in(writer: _Writer, units: Sequence[str]) -> list[tuple[str, Assignment]]:
    with ThreadPoolExecutor(READERS) as pool:
        read = pool.map(lambda unit: list(people.held_in(writer.employer, unit, writer.day)), units)
        return [each for held in read for each in held]


def _branch(rulebook: Rulebook, top: str, day: date) -> list[str]:
    """A unit and those below it on a day."""
    return [unit for unit in sorted(rulebook.units) if top in rulebook.unit_and_above(unit, day)]


def _in_group(writer: _Writer, audience: Audience) -> set[str]:
    return _within_team(writer, people.members_on(writer.employer, audience.id, writer.day))


# --- how people stand ---------------------------------------------------------------------------------------------


def _standing(writer: _Writer, audience: Audience) -> set[str]:
    """Who has a competency in one of these colours, by the snapshots of the projection: seconds old."""
    rulebook, top = writer.rulebook, audience.unit
    units = _branch(rulebook, top, writer.day) if top else [*sorted(rulebook.units), UNASSIGNED]
    colours = frozenset(audience.colours or (Colour.RED,))

    def read(unit: str) -> set[str]:
        pages = projection.pages_of_unit(writer.employer, unit, PAGE)
        return {
            snapshot.facts.person
            for page in pages
            for snapshot in page
            if any(row.competency == audience.id and row.colour in colours for row in snapshot.rows)
        }

    with ThreadPoolExecutor(READERS) as pool:
        return _within_team(writer, (person for found in pool.map(read, units) for person in found))


def _listed(writer: _Writer, audience: Audience) -> set[str]:
    return _within_team(writer, audience.people)


_FOUND: dict[AudienceKind, Callable[[_Writer, Audience], set[str]]] = {
    AudienceKind.CLASS: _on_class,
    AudienceKind.COURSE: _on_course,
    AudienceKind.ORGANISATION: _in_organisation,
    AudienceKind.POSITION: _in_position,
    AudienceKind.COMPETENCY: _standing,
    AudienceKind.LEARNER_GROUP: _in_group,
    AudienceKind.PEOPLE: _listed,
}
"""Who an audience of each kind is, of those within reach."""
