"""Prerequisites: what must or should be achieved before a course (domain.md §5), and that no course waits for itself.

A competency is met by an award of it, or of one that covers it, at the level or above and valid on the day the class starts;
a course by having completed it, however long ago.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date

from chalicelib.domain.catalogue import (
    Catalogue,
    Course,
    CourseStatus,
    Prerequisite,
    PrerequisiteKind,
    live_on,
    owner_of,
)
from chalicelib.domain.competency import Award
from chalicelib.domain.errors import FieldError, PrerequisiteCycle
from chalicelib.domain.people import NATIONAL
from chalicelib.domain.requirements import Rulebook


@dataclass(frozen=True, slots=True)
class Achieved:
    """What somebody has behind them: their awards, and the ids of the courses they completed."""

    awards: tuple[Award, ...] = ()
    courses: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Checked:
    """A prerequisite held against somebody on a day, and where to get it.

    `met` is None for whoever is no learner. `name` is what people call it; None for a course they cannot find, which is not
    named to them. `courses` are those they can find that give it.
    """

    prerequisite: Prerequisite
    met: bool | None
    name: str | None
    courses: tuple[Course, ...] = ()

    @property
    def missing(self) -> bool:
        """Whether this keeps the learner from enrolling."""
        return self.prerequisite.mandatory and self.met is False

    @property
    def advised(self) -> bool:
        """Whether the learner is only warned."""
        return not self.prerequisite.mandatory and self.met is False


def check(
    course: Course,
    achieved: Achieved | None,
    day: date,
    rulebook: Rulebook,
    catalogue: Catalogue,
    finds: Callable[[Course], bool],
) -> tuple[Checked, ...]:
    """Each prerequisite of a course on the day its class starts. `finds` says which courses the learner can find."""
    return tuple(
        Checked(
            each,
            None if achieved is None else is_met(each, achieved, day, rulebook),
            _name(each, rulebook, catalogue, finds),
            tuple(
                source
                for source in _sources(each, catalogue, rulebook)
                if source != course and source.status is CourseStatus.LIVE and finds(source)
            ),
        )
        for each in course.prerequisites
    )


def is_met(prerequisite: Prerequisite, achieved: Achieved, day: date, rulebook: Rulebook) -> bool:
    """Whether somebody has what is asked for, valid on the day."""
    if prerequisite.kind is PrerequisiteKind.COURSE:
        return prerequisite.id in achieved.courses
    return any(
        each.valid_on(day) and _gives(prerequisite, each.competency, each.level, rulebook.counts_for)
        for each in achieved.awards
    )


def _gives(prerequisite: Prerequisite, competency: str, level: int, counts_for: Mapping[str, Collection[str]]) -> bool:
    same = competency == prerequisite.id or prerequisite.id in counts_for.get(competency, ())
    return same and level >= prerequisite.level


def _name(
    prerequisite: Prerequisite, rulebook: Rulebook, catalogue: Catalogue, finds: Callable[[Course], bool]
) -> str | None:
    if prerequisite.kind is PrerequisiteKind.COURSE:
        course = catalogue.courses.get(prerequisite.id)
        return course.title if course and finds(course) else None
    known = rulebook.competencies.get(prerequisite.id)
    if known is None:
        return prerequisite.id
    one_level = len(known.levels) == 1 or not known.has_level(prerequisite.level)
    return known.title if one_level else f"{known.title} ({known.levels[prerequisite.level - 1]})"


def _sources(prerequisite: Prerequisite, catalogue: Catalogue, rulebook: Rulebook) -> list[Course]:
    """The courses of the catalogue that give what a prerequisite asks for, whatever their status."""
    if prerequisite.kind is PrerequisiteKind.COURSE:
        course = catalogue.courses.get(prerequisite.id)
        return [course] if course else []
    found = {
        course.id: course
        for name in rulebook.counting_for(prerequisite.id)
        for course in catalogue.awarding.get(name, ())
        if any(grant.competency == name and grant.level >= prerequisite.level for grant in course.grants)
    }
    return list(found.values())


# --- setting them ---------------------------------------------------------------------------------------------


def wrong_fields(course: Course, catalogue: Catalogue, rulebook: Rulebook) -> Iterator[FieldError]:
    """Each prerequisite of a course that cannot be, as `prerequisites[0].id`.

    A national course names national courses and competencies only, because every employer has to know them.
    """
    seen: set[tuple[PrerequisiteKind, str]] = set()
    for place, each in enumerate(course.prerequisites):
        where = f"prerequisites[{place}]"
        if (each.kind, each.id) in seen:
            yield FieldError(f"{where}.id", "is named twice")
        seen.add((each.kind, each.id))
        if each.kind is PrerequisiteKind.COURSE:
            yield from _wrong_course(course, each, catalogue, where)
        else:
            yield from _wrong_competency(course, each, rulebook, where)
    yield from drafts_asked_for(course, catalogue)


def drafts_asked_for(course: Course, catalogue: Catalogue) -> Iterator[FieldError]:
    """Each draft that a live course asks for, as `prerequisites[0].id`: nobody can have taken it.

    One that is withdrawn is left: people have completed it, and others are told that the course cannot be begun.
    """
    if course.status is not CourseStatus.LIVE:
        return
    for place, each in enumerate(course.prerequisites):
        if each.kind is PrerequisiteKind.COURSE and each.mandatory:
            asked = catalogue.courses.get(each.id)
            if asked and asked.status is CourseStatus.DRAFT:
                yield FieldError(f"prerequisites[{place}].id", "is a draft, which nobody can take: make it live first")


def _wrong_course(course: Course, prerequisite: Prerequisite, catalogue: Catalogue, where: str) -> Iterator[FieldError]:
    if prerequisite.id == course.id:
        yield FieldError(f"{where}.id", "is this course itself")
    elif prerequisite.id not in catalogue.courses:
        yield FieldError(f"{where}.id", "is no course of this catalogue")
    elif owner_of(course.id) == NATIONAL != owner_of(prerequisite.id):
        yield FieldError(f"{where}.id", "is an employer's own course, which a national one cannot ask for")
    if prerequisite.level != 1:
        yield FieldError(f"{where}.level", "is of competencies only")


def _wrong_competency(
    course: Course, prerequisite: Prerequisite, rulebook: Rulebook, where: str
) -> Iterator[FieldError]:
    known = rulebook.competencies.get(prerequisite.id)
    if known is None:
        yield FieldError(f"{where}.id", "is in no framework this employer uses")
    elif not known.has_level(prerequisite.level):
        yield FieldError(f"{where}.level", f"is not on its scale of 1 to {len(known.levels)}")
    elif owner_of(course.id) == NATIONAL and prerequisite.id.partition("|")[0] != NATIONAL:
        yield FieldError(f"{where}.id", "is an employer's own competency, which a national course cannot ask for")


# --- no course waits for itself -------------------------------------------------------------------------------


def refuse_cycle(before: Catalogue, after: Catalogue, rulebook: Rulebook) -> None:
    """Raise PrerequisiteCycle naming the chain if a change leaves a course that nobody could ever begin, and that was none before.

    To be asked whenever prerequisites or what courses award change, or a course goes.
    """
    waiting = stuck(after, rulebook)
    new = sorted(waiting - stuck(before, rulebook)) if waiting else []
    if not new:
        return
    chain = _chain(new[0], after, rulebook, waiting)
    titles = [after.courses[each].title if each in after.courses else each for each in chain]
    raise PrerequisiteCycle(
        f"Nobody could ever begin {titles[0]}: {', which waits for '.join(titles)}.",
        chain=chain,
    )


def can_be_begun(course: Course, catalogue: Catalogue, rulebook: Rulebook, day: date) -> bool:
    """Whether somebody who has achieved nothing yet can come to a course by what is live on a day, as if it were live itself."""
    live = {key: each for key, each in catalogue.courses.items() if live_on(each, day)}
    return course.id not in stuck(replace(catalogue, courses={**live, course.id: course}), rulebook)


def stuck(catalogue: Catalogue, rulebook: Rulebook) -> frozenset[str]:
    """The courses that nobody could ever begin.

    A course can be begun if each of its mandatory prerequisites is given by some course that can be begun. A competency that no
    course of the catalogue gives is achieved elsewhere; a course that is not there is achieved nowhere. Status is left out of
    it, so that withdrawing and bringing back break nothing. Takes time in proportion to prerequisites and what gives them.
    """
    unmet: Counter[str] = Counter()
    asked_by: dict[Prerequisite, list[str]] = defaultdict(list)
    for course in catalogue.courses.values():
        for need in _mandatory(course):
            unmet[course.id] += 1
            asked_by[need].append(course.id)
    met: list[Prerequisite] = []
    gives: dict[str, list[Prerequisite]] = defaultdict(list)
    for need in asked_by:
        sources = _sources(need, catalogue, rulebook)
        if not sources and need.kind is PrerequisiteKind.COMPETENCY:
            met.append(need)
        for source in sources:
            gives[source.id].append(need)
    met += (need for course, needs in gives.items() if not unmet[course] for need in needs)
    while met:
        for course_id in asked_by.pop(met.pop(), ()):
            unmet[course_id] -= 1
            if not unmet[course_id]:
                met += gives.get(course_id, ())
    return frozenset(course for course, left in unmet.items() if left)


def _mandatory(course: Course) -> tuple[Prerequisite, ...]:
    return tuple(dict.fromkeys(each for each in course.prerequisites if each.mandatory))


def _chain(first: str, catalogue: Catalogue, rulebook: Rulebook, waiting: Collection[str]) -> list[str]:
    """From a course to the one it waits for, on and on, until one comes again or is not there."""
    chain, last = {first: None}, first
    while True:
        following = _waited_for(catalogue.courses[last], catalogue, rulebook, waiting)
        if following in chain or following not in catalogue.courses:
            return [*chain, following]
        chain[following] = None
        last = following


def _waited_for(course: Course, catalogue: Catalogue, rulebook: Rulebook, waiting: Collection[str]) -> str:
    """The first course that one that is stuck waits for."""
    for need in _mandatory(course):
        sources = [each.id for each in _sources(need, catalogue, rulebook)]
        if not sources and need.kind is PrerequisiteKind.COURSE:
            return need.id
        if sources and all(each in waiting for each in sources):
            return min(sources)
    raise AssertionError("is not stuck")
