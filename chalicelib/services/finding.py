"""Searching the catalogue: what matches, what the learner may see, and what they need first (decision 0016)."""

from bisect import bisect
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum

import msgspec

from chalicelib.domain import access
from chalicelib.domain.access import Access
from chalicelib.domain.actor import Actor
from chalicelib.domain.calendar import LONDON
from chalicelib.domain.catalogue import Certification, Course, Grants, Item, Mode
from chalicelib.domain.classes import Class, ClassStatus, Seats
from chalicelib.domain.compliance import Colour, Standing
from chalicelib.domain.people import NATIONAL
from chalicelib.services.catalogue import Viewer
from chalicelib.services.shelves import Places, Shelves, shelves_of
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
    """An item found: through which access, whether it is offered today, what the learner needs of it (None: nothing), its classes
    that were asked for, and the words that it does not have.
    """

    item: Item
    courses: tuple[Course, ...]
    access: Access
    offered: bool
    need: Standing | None
    classes: tuple[tuple[Class, Seats], ...] = ()
    left_out: tuple[str, ...] = ()

    @property
    def grants(self) -> Iterator[Grants]:
        """What it awards: a learning path, what its courses do that the learner may see."""
        if isinstance(self.item, Certification):
            return iter(self.item.grants)
        return (grant for course in self.courses for grant in course.grants)


Place = tuple[bool, int, float, str, str]
"""By what results are ordered: whether one cannot be begun, its urgency, relevance (negative), title and id."""

Position = tuple[float, Place]
"""Where a page ended: how relevant a good match was when it began, and the place of its last item."""


_Classes = Mapping[str, list[tuple[Class, Seats]]]
"""Classes by course."""


class Found(msgspec.Struct, frozen=True):
    """A page of what was found, how much there is in all, where to go on, and how misspelt words were read."""

    page: tuple[Seen, ...]
    total: int
    after: Position | None
    read_as: Mapping[str, tuple[str, ...]]
    viewer: Viewer


def find(actor: Actor, wanted: Wanted, limit: int, after: Position | None, now: datetime) -> Found:
    """A page of the courses and learning paths that match and that the actor may see, what they need first.

    What one may not see is counted nowhere. Reads the versions of rules and catalogue, and the classes if any are asked for.
    """
    return look(Viewer.of(actor, now), wanted, limit, after)


_TELLING = 60
"""As much of a title as orders a list: a place has to go into a cursor."""

GOOD = 0.6
"""The part of the best relevance from which what is needed comes first: a word in the text only is less (decision 0016)."""


def look(viewer: Viewer, wanted: Wanted, limit: int, after: Position | None = None) -> Found:
    """The same for somebody who looks at a catalogue that has been read."""
    shelves = shelves_of(viewer.catalogue)
    not_live = shelves.not_live_on(viewer.day)
    visible = _visible(viewer, shelves, not_live)
    dates = _classes(viewer, wanted.classes, wanted.mode) if wanted.classes else None
    among = _filtered(shelves, visible, wanted, dates)
    matches = shelves.words.find(wanted.words, visible) if wanted.words.strip() else None
    relevance = dict.fromkeys(among, 0.0) if matches is None else matches.among(among)
    needs = _needs(viewer, shelves, visible)
    good = after[0] if after else GOOD * max(relevance.values(), default=0.0)

    def place(at: int) -> Place:
        item, score = shelves.items[at], relevance[at]
        urgency = _urgency(needs.get(at)) if score >= good else _NOT_NEEDED
        return at in not_live, urgency, -score, item.title.casefold()[:_TELLING], item.id

    def seen(at: int) -> Seen:
        item, courses = shelves.items[at], [each for each in shelves.courses_of(at) if each in visible]
        known = tuple(each for each in map(shelves.items.__getitem__, courses) if isinstance(each, Course))
        held = _first(each for course in known for each in dates.get(course.id, ())) if dates else ()
        left_out = tuple(matches.left_out(at)) if matches else ()
        return Seen(item, known, viewer.access_to(item), at not in not_live, needs.get(at), held, left_out)

    order = sorted((place(at), at) for at in relevance)
    begin = _gone_on([each for each, _ in order], after[1]) if after else 0
    page = order[begin : begin + limit]
    return Found(
        tuple(seen(at) for _, at in page),
        len(order),
        (good, page[-1][0]) if begin + limit < len(order) else None,
        matches.read_as if matches else {},
        viewer,
    )


def _gone_on(order: Sequence[Place], last: Place) -> int:
    """Where a list goes on after an item: behind where this stands now, or where it stood if it is no longer there."""
    return next((at for at, each in enumerate(order, 1) if each[-1] == last[-1]), bisect(order, last))


def _visible(viewer: Viewer, shelves: Shelves, not_live: Places) -> Places:
    """What the viewer can find. Access is decided once for all items with the same rules."""
    if viewer.administers:
        return frozenset(range(len(shelves.items)))
    found: set[int] = set()
    for rules, places in shelves.by_rules.items():
        if access.decide(rules, viewer.standpoints, viewer.day).visible:
            found |= places
    return found - not_live


def _filtered(shelves: Shelves, visible: Places, wanted: Wanted, dates: _Classes | None) -> Places:
    """What has all that is asked of items, and all that is asked of courses, itself or in a course of the learning path."""
    found, courses = set(visible), set(visible)
    if wanted.owner is not None:
        found &= shelves.by_owner.get(wanted.owner, _NONE)
    if wanted.subject is not None:
        found &= shelves.by_subject.get(wanted.subject, _NONE)
    if wanted.competency is not None:
        courses &= shelves.awarding.get(wanted.competency, {}).keys()
    if wanted.mode is not None:
        courses &= shelves.by_mode.get(wanted.mode, _NONE)
    if dates is not None:
        courses &= shelves.courses(dates)
    return found & shelves.with_paths(courses) if len(courses) < len(visible) else found


_NONE: frozenset[int] = frozenset()


# --- what the learner needs -----------------------------------------------------------------------------------

_NOT_NEEDED = 2


def _urgency(need: Standing | None) -> int:
    """Red before amber before what is not needed."""
    return _NOT_NEEDED if need is None else 0 if need.colour is Colour.RED else 1


def _needs(viewer: Viewer, shelves: Shelves, visible: Places) -> Mapping[int, Standing]:
    """By item, the most urgent of what a learner has to achieve (red) or renew (amber) that it would meet, by any competency that
    would do; of a learning path, by a course that they can find.
    """
    found: dict[int, Standing] = {}
    if viewer.learner is None:
        return found
    standings = viewer.learner.compliance_on(viewer.day, viewer.rulebook)
    needed = [each for each in standings if each.colour in (Colour.RED, Colour.AMBER) and each.required]
    for standing in sorted(needed, key=_urgency):
        for name in viewer.rulebook.counting_for(standing.competency):
            level = standing.required.level if standing.required else 0
            meeting = (at for at, given in shelves.awarding.get(name, {}).items() if given >= level and at in visible)
            for at in shelves.with_paths(meeting):
                found.setdefault(at, standing)
    return found


# --- classes --------------------------------------------------------------------------------------------------

_OPEN = (ClassStatus.PLANNED, ClassStatus.NORMAL)


def _classes(viewer: Viewer, wanted: ClassFilter, mode: Mode | None) -> _Classes:
    """The classes asked for that are open to their finder, by course: national ones and the employer's own, by start."""
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
