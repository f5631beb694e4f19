"""The items of a catalogue as a search takes them: by their words and by what is asked of them, kept in memory (decision 0016)."""

from collections import defaultdict
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from datetime import date

from chalicelib.domain.access import AccessRule
from chalicelib.domain.catalogue import Catalogue, Certification, Course, CourseStatus, Item, Mode, live_on
from chalicelib.search import Index

Places = AbstractSet[int]
"""Items by their place: the number of each in the list of all by title."""


class Shelves:
    """Every course, learning path and certification of a catalogue, with the places of those that have something in common."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.words = Index(catalogue)
        self.items = self.words.items
        self.by_owner: defaultdict[str, set[int]] = defaultdict(set)
        self.by_subject: defaultdict[str, set[int]] = defaultdict(set)
        self.by_mode: defaultdict[Mode, set[int]] = defaultdict(set)
        self.by_rules: defaultdict[tuple[AccessRule, ...], set[int]] = defaultdict(set)
        self.awarding: defaultdict[str, dict[int, int]] = defaultdict(dict)
        """The courses and certifications that award a competency, with the level."""
        self._place_of_course = {item.id: at for at, item in enumerate(self.items) if isinstance(item, Course)}
        self._paths_with: defaultdict[int, set[int]] = defaultdict(set)
        self._not_always_live = [(at, item) for at, item in enumerate(self.items) if not _is_always_live(item)]
        for at, item in enumerate(self.items):
            self.by_owner[item.owner].add(at)
            self.by_rules[item.access_rules].add(at)
            for subject in catalogue.subject_and_above(item.subject):
                self.by_subject[subject].add(at)
            if isinstance(item, Course | Certification):
                for grant in item.grants:
                    held = self.awarding[grant.competency]
                    held[at] = max(grant.level, held.get(at, 0))
            if isinstance(item, Course):
                for offering in item.offerings:
                    self.by_mode[offering.mode].add(at)
            else:
                for course in self.courses_of(at):
                    self._paths_with[course].add(at)

    def courses(self, ids: Iterable[str]) -> set[int]:
        """The places of courses; what is in no catalogue is left out."""
        return {self._place_of_course[each] for each in ids if each in self._place_of_course}

    def courses_of(self, at: int) -> list[int]:
        """A course itself, or those of a learning path or certification in their order."""
        item = self.items[at]
        if isinstance(item, Course):
            return [at]
        if isinstance(item, Certification):
            every = dict.fromkeys(each.course for each in item.components)
        else:
            every = dict.fromkeys(course for section in item.sections for course in section.courses)
        return [self._place_of_course[each] for each in every if each in self._place_of_course]

    def with_paths(self, courses: Iterable[int]) -> set[int]:
        """Courses and the learning paths and certifications that they are in."""
        return {each for course in courses for each in (course, *self._paths_with.get(course, ()))}

    def not_live_on(self, day: date) -> set[int]:
        """What nobody can begin on a day: drafts, what is withdrawn, not yet or no longer offered."""
        return {at for at, item in self._not_always_live if not live_on(item, day)}


def _is_always_live(item: Item) -> bool:
    return item.status is CourseStatus.LIVE and item.starts_on is None and item.ends_on is None


MOST_KEPT = 16
"""Employers whose shelves a function keeps: those of 3,000 courses take some 15 MB."""

_kept: dict[str, tuple[Catalogue, Shelves]] = {}


def shelves_of(catalogue: Catalogue) -> Shelves:
    """The shelves of a catalogue: from memory as long as this is the catalogue in the cache, and its employer one of the last."""
    kept = _kept.pop(catalogue.employer, None)
    if kept is None or kept[0] is not catalogue:
        kept = (catalogue, Shelves(catalogue))
    _kept[catalogue.employer] = kept
    while len(_kept) > MOST_KEPT:
        del _kept[next(iter(_kept))]
    return kept[1]
