"""Searching the catalogue: what matches, what the learner may see, and what they need first (decision 0016)."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from enum import StrEnum

import msgspec

from chalicelib.domain.access import Access
from chalicelib.domain.actor import Actor
from chalicelib.domain.calendar import LONDON
from chalicelib.domain.catalogue import Course, Grants, Item, Mode, owner_of
from chalicelib.domain.classes import Class, ClassStatus, Seats
from chalicelib.domain.compliance import Colour, Standing
from chalicelib.domain.people import NATIONAL
from chalicelib.search import Index, index_of
from chalicelib.services.catalogue import Viewer
from chalicelib.storage import classes

LONGEST_SPAN = timedelta(days=92)
"""How many days a search for classes looks through at most, and unless told."""

CLASSES_SHOWN = 3
EVENING = 17
"""The hour, in London, from which a class is one of the evening."""


class Times(StrEnum):
    """When classes suit people who cannot come on a working day (domain.md §13, 7)."""

    EVENINGS = "evenings"
    WEEKENDS = "weekends"


class ClassFilter(msgspec.Struct, frozen=True):
    """Classes that start from `first` on and before `last`, UTC; at a venue, with a free place, at any of these times."""

    first: datetime
    last: datetime
    venue: str | None = None
    places: bool = False
    times: frozenset[Times] = frozenset()


class Wanted(msgspec.Struct, frozen=True):
    """What to look for; what is None is not asked for. With `classes`, only what has such a class is found."""

    words: str = ""
    subject: str | None = None
    competency: str | None = None
    mode: Mode | None = None
    owner: str | None = None
    classes: ClassFilter | None = None


class Seen(msgspec.Struct, frozen=True):
    """An item found: through which access, what the learner needs of it (None: nothing), and its classes that were asked for."""

    item: Item
    courses: tuple[Course, ...]
    access: Access
    need: Standing | None
    classes: tuple[tuple[Class, Seats], ...] = ()

    @property
    def grants(self) -> Iterator[Grants]:
        """What it awards: a learning path, what its courses do that the learner may see."""
        return (grant for course in self.courses for grant in course.grants)


class Found(msgspec.Struct, frozen=True):
    """A page of what was found, how much there is in all, where to go on, and how misspelt words were read."""

    page: tuple[Seen, ...]
    total: int
    next_offset: int | None
    read_as: Mapping[str, tuple[str, ...]]
    viewer: Viewer


def find(actor: Actor, wanted: Wanted, limit: int, offset: int, now: datetime) -> Found:
    """A page of the courses and learning paths that match and that the actor may see, what they need first.

    What one may not see is counted nowhere. Reads the versions of rules and catalogue, and the classes if any are asked for.
    """
    return look(Viewer.of(actor, now), wanted, limit, offset)


def look(viewer: Viewer, wanted: Wanted, limit: int, offset: int) -> Found:
    """The same for somebody who looks at a catalogue that has been read."""
    index = index_of(viewer.catalogue)
    matches = index.find(wanted.words) if wanted.words.strip() else None
    relevance = {} if matches is None else matches.relevance
    among = index.items if matches is None else (each for each in index.items if each.id in relevance)
    needs = _Needs(viewer)
    dates = _classes(viewer, wanted.classes, wanted.mode) if wanted.classes else None
    seen = list(_seen(_Eyes(viewer, index), among, wanted, needs, dates))
    seen.sort(key=lambda each: (needs.urgency(each.need), -relevance.get(each.item.id, 0.0)))
    end = offset + limit
    return Found(
        tuple(seen[offset:end]),
        len(seen),
        end if end < len(seen) else None,
        {} if matches is None else matches.read_as,
        viewer,
    )


_Classes = Mapping[str, list[tuple[Class, Seats]]]


class _Eyes:
    """A viewer who looks at very many items: access is decided once for all that have the same rules."""

    def __init__(self, viewer: Viewer, index: Index) -> None:
        self.viewer = viewer
        self._rules_of = index.same_rules
        self._decided: dict[int, Access] = {}

    def access_to(self, item: Item) -> Access:
        """Their access as a learner."""
        rules = self._rules_of[item.id]
        if rules not in self._decided:
            self._decided[rules] = self.viewer.access_to(item)
        return self._decided[rules]

    def sees(self, item: Item) -> bool:
        """Whether they can find it."""
        return self.viewer.sees(item, self.access_to(item))

    def courses_of(self, item: Item) -> tuple[Course, ...]:
        """The course itself, or those of a learning path that they can find."""
        if isinstance(item, Course):
            return (item,)
        known = (self.viewer.catalogue.courses.get(each) for section in item.sections for each in section.courses)
        return tuple(course for course in known if course and self.sees(course))


def _seen(
    eyes: _Eyes, among: Iterable[Item], wanted: Wanted, needs: "_Needs", dates: _Classes | None
) -> Iterator[Seen]:
    of_courses = not (wanted.competency is None and wanted.mode is None and dates is None)
    for item in among:
        if not _is_wanted(item, wanted, eyes.viewer) or not eyes.sees(item):
            continue
        courses = eyes.courses_of(item)
        if of_courses and not any(_fits(course, wanted, dates) for course in courses):
            continue
        held = () if dates is None else _first(each for course in courses for each in dates.get(course.id, ()))
        yield Seen(item, courses, eyes.access_to(item), needs.met_by(courses), held)


def _is_wanted(item: Item, wanted: Wanted, viewer: Viewer) -> bool:
    """Whether what stands in the item itself is what was asked for."""
    of_owner = wanted.owner is None or owner_of(item.id) == wanted.owner
    return of_owner and (wanted.subject is None or viewer.catalogue.within(item.subject, (wanted.subject,)))


def _fits(course: Course, wanted: Wanted, dates: _Classes | None) -> bool:
    """Whether a course, alone or in a path, has all of what is asked of courses."""
    return (
        (wanted.competency is None or any(grant.competency == wanted.competency for grant in course.grants))
        and (wanted.mode is None or any(offering.mode is wanted.mode for offering in course.offerings))
        and (dates is None or course.id in dates)
    )


# --- what the learner needs -----------------------------------------------------------------------------------


class _Needs:
    """What a learner has to achieve (red) or renew (amber), by every competency that would do."""

    def __init__(self, viewer: Viewer) -> None:
        self._by_competency: defaultdict[str, list[Standing]] = defaultdict(list)
        if viewer.learner is None:
            return
        covering = viewer.rulebook.counts_for
        for standing in viewer.learner.compliance_on(viewer.day, viewer.rulebook):
            if standing.colour in (Colour.RED, Colour.AMBER):
                for name in (
                    standing.competency,
                    *(each for each in covering if standing.competency in covering[each]),
                ):
                    self._by_competency[name].append(standing)

    def met_by(self, courses: Iterable[Course]) -> Standing | None:
        """The most urgent need that one of these courses would meet."""
        met = [
            standing
            for course in courses
            for grant in course.grants
            if grant.competency in self._by_competency
            for standing in self._by_competency[grant.competency]
            if standing.required is not None and grant.level >= standing.required.level
        ]
        return min(met, key=self.urgency) if met else None

    @staticmethod
    def urgency(need: Standing | None) -> int:
        """Red before amber before what is not needed."""
        return 2 if need is None else 0 if need.colour is Colour.RED else 1


# --- classes --------------------------------------------------------------------------------------------------

_OPEN = (ClassStatus.PLANNED, ClassStatus.NORMAL)


def _classes(viewer: Viewer, wanted: ClassFilter, mode: Mode | None) -> _Classes:
    """The classes asked for that their finder may enter, by course: national ones and the employer's own, by start."""
    found: defaultdict[str, list[tuple[Class, Seats]]] = defaultdict(list)
    for owner in dict.fromkeys((NATIONAL, viewer.actor.employer)):
        for class_, seats in classes.classes_between(owner, wanted.first, wanted.last):
            if (mode is None or class_.mode is mode) and _suits(class_, seats, wanted) and viewer.may_enter(class_):
                found[class_.course].append((class_, seats))
    return found


def _suits(class_: Class, seats: Seats, wanted: ClassFilter) -> bool:
    return (
        class_.status in _OPEN
        and (wanted.venue is None or class_.venue == wanted.venue)
        and (not wanted.places or _has_place(class_, seats))
        and (not wanted.times or not wanted.times.isdisjoint(_times_of(class_)))
    )


def _has_place(class_: Class, seats: Seats) -> bool:
    """Whether somebody could be placed: nobody takes what others wait for."""
    return class_.status is ClassStatus.NORMAL and (seats.free is None or (seats.free > 0 and seats.waiting == 0))


def _times_of(class_: Class) -> Iterator[Times]:
    if class_.starts_at is not None:
        start = class_.starts_at.astimezone(LONDON)
        if start.hour >= EVENING:
            yield Times.EVENINGS
        if start.weekday() >= 5:
            yield Times.WEEKENDS


def _first(held: Iterable[tuple[Class, Seats]]) -> tuple[tuple[Class, Seats], ...]:
    return tuple(sorted(held, key=lambda each: (str(each[0].starts_at), each[0].id))[:CLASSES_SHOWN])
