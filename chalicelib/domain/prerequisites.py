"""Prerequisites: what must or should be achieved before a course (domain.md §5), and that no course waits for itself.

A competency is met by an award of it, or of one that covers it, at the level or above and valid on the day the class starts;
a course by having completed it, however long ago.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from chalicelib.domain.catalogue import (
    Catalogue,
    Course,
    CourseStatus,
    Grants,
    Prerequisite,
    PrerequisiteKind,
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
    return [
        course
        for course in catalogue.courses.values()
        if any(_gives(prerequisite, each.competency, each.level, rulebook.counts_for) for each in course.grants)
    ]


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
    titles = [after.courses[each].title for each in chain]
    raise PrerequisiteCycle(
        f"Nobody could ever begin {titles[0]}: {', which waits for '.join(titles)}.",
        chain=chain,
    )


def stuck(catalogue: Catalogue, rulebook: Rulebook) -> frozenset[str]:
    """The courses that nobody could ever begin.

    A course can be begun if each of its mandatory prerequisites is given by some course that can be begun, or by none in the
    catalogue: then it is achieved elsewhere. Status is left out of it, so that withdrawing and bringing back break nothing.
    """
    asking = {each.id: _mandatory(each) for each in catalogue.courses.values() if _mandatory(each)}
    given = _given_by(catalogue.courses.values(), rulebook.counts_for)
    waiting = set(asking)
    while begun := {
        each for each in waiting if all(_can_be_had(need, catalogue, given, waiting) for need in asking[each])
    }:
        waiting -= begun
    return frozenset(waiting)


def _mandatory(course: Course) -> tuple[Prerequisite, ...]:
    return tuple(each for each in course.prerequisites if each.mandatory)


_Given = Mapping[str, Sequence[tuple[str, int]]]
"""For each competency: the courses that award it, or one that covers it, and at which level."""


def _given_by(courses: Iterable[Course], counts_for: Mapping[str, Collection[str]]) -> _Given:
    given: dict[str, list[tuple[str, int]]] = {}
    for course in courses:
        for grant in course.grants:
            for competency in _all_of(grant, counts_for):
                given.setdefault(competency, []).append((course.id, grant.level))
    return given


def _all_of(grant: Grants, counts_for: Mapping[str, Collection[str]]) -> tuple[str, ...]:
    return (grant.competency, *counts_for.get(grant.competency, ()))


def _can_be_had(prerequisite: Prerequisite, catalogue: Catalogue, given: _Given, waiting: Collection[str]) -> bool:
    sources = _ids_of_sources(prerequisite, catalogue, given)
    return not sources or any(each not in waiting for each in sources)


def _ids_of_sources(prerequisite: Prerequisite, catalogue: Catalogue, given: _Given) -> list[str]:
    if prerequisite.kind is PrerequisiteKind.COURSE:
        return [prerequisite.id] if prerequisite.id in catalogue.courses else []
    return [course for course, level in given.get(prerequisite.id, ()) if level >= prerequisite.level]


def _chain(first: str, catalogue: Catalogue, rulebook: Rulebook, waiting: Collection[str]) -> list[str]:
    """From a course to the one it waits for, on and on, until one comes again."""
    given = _given_by(catalogue.courses.values(), rulebook.counts_for)
    chain = [first]
    while True:
        needs = (
            need
            for need in _mandatory(catalogue.courses[chain[-1]])
            if not _can_be_had(need, catalogue, given, waiting)
        )
        following = min(_ids_of_sources(next(needs), catalogue, given))
        chain.append(following)
        if following in chain[:-1]:
            return chain
