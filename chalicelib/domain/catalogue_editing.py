"""What may stand in the catalogue, what becomes of it, and what names it (domain.md §1 and §5, decision 0015).

Fields are called as on the wire: what a course grants is its `awards`.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

from chalicelib.domain.calendar import EARLIEST, LATEST, london_day
from chalicelib.domain.catalogue import (
    Catalogue,
    Certification,
    Component,
    Course,
    CourseStatus,
    Entry,
    Grants,
    Item,
    LearningPath,
    Mode,
    Offering,
    Prerequisite,
    PrerequisiteKind,
    Subject,
    Synonyms,
    Use,
    Venue,
    components_for,
    live_on,
)
from chalicelib.domain.classes import Class
from chalicelib.domain.errors import FieldError
from chalicelib.domain.people import NATIONAL
from chalicelib.domain.prerequisites import stuck
from chalicelib.domain.requirements import Rulebook

Kind = type[Subject] | type[Venue] | type[Synonyms] | type[Course] | type[LearningPath] | type[Certification]

WORDS: dict[Kind, str] = {
    Subject: "subject",
    Venue: "venue",
    Synonyms: "synonyms",
    Course: "course",
    LearningPath: "learning path",
    Certification: "certification",
}
"""What each kind of entry is called."""

WIRE_NAMES = {"grants": "awards"}
"""What fields are called on the wire and in files, where that differs."""

ID = r"[a-z0-9](?:[a-z0-9-]{0,58}[a-z0-9])?"
"""What administrators may choose as an id; that of a course or learning path is put behind its owner."""

LANGUAGE = r"[a-z]{2,3}(?:-[A-Za-z0-9]{2,8}){0,3}"
"""BCP 47, as far as courses need it."""

LONGEST_TITLE, LONGEST_TEXT, LONGEST_ADDRESS, LONGEST_WORD = 200, 4000, 500, 80
LONGEST_DURATION = 60_000
"""Minutes: a thousand hours."""

HIGHEST_COST = 10_000_000
"""Pence."""

MOST_PLACES = 10_000
MOST_AWARDS = MOST_OFFERINGS = MOST_WORDS = MOST_SECTIONS = 20
MOST_COURSES = 50
"""Of one section."""

MOST_CERTIFIED = 10
"""Awards of a certification: several may be completed by one course, and are awarded in one transaction with it."""

MOST_COMPONENTS, MOST_REMINDERS, MOST_PERIODS = 20, 10, 20
MOST_DAYS, MOST_MONTHS, SHORTEST_MONTH = 730, 240, 28
"""Of a certification: days to complete, to renew and to be reminded before; months of validity; days of a February."""


def one_line(text: str) -> str:
    """A title or name without blanks around it, and with single ones within."""
    return " ".join(text.split())


def in_order(offerings: Iterable[Offering]) -> tuple[Offering, ...]:
    """Offerings as they are kept: by id."""
    return tuple(sorted(offerings, key=lambda each: each.id))


# --- the catalogue with and without it ------------------------------------------------------------------------

_MAPPINGS: dict[Kind, str] = {
    Subject: "subjects",
    Venue: "venues",
    Course: "courses",
    LearningPath: "paths",
    Certification: "certifications",
}


def entries(catalogue: Catalogue, kind: Kind) -> Mapping[str, Any]:
    """What stands in a catalogue of one kind, by id."""
    if kind is Synonyms:
        return {each.id: each for each in catalogue.synonyms}
    found: Mapping[str, Any] = getattr(catalogue, _MAPPINGS[kind])
    return found


def is_taken(entry: Entry, catalogue: Catalogue) -> bool:
    """Whether something has this id already; courses, learning paths and certifications share theirs."""
    kinds: tuple[Kind, ...] = (Course, LearningPath, Certification) if isinstance(entry, Item) else (type(entry),)
    return any(entry.id in entries(catalogue, kind) for kind in kinds)


def with_entries(catalogue: Catalogue, changed: Iterable[Entry]) -> Catalogue:
    """A catalogue in which these stand, in place of those of the same kind and id."""
    after = {kind: dict(entries(catalogue, kind)) for kind in WORDS}
    for each in changed:
        after[type(each)][each.id] = each
    return _holding(catalogue, after)


def without(catalogue: Catalogue, entry: Entry) -> Catalogue:
    """A catalogue in which this does not stand."""
    after = {kind: dict(entries(catalogue, kind)) for kind in WORDS}
    del after[type(entry)][entry.id]
    return _holding(catalogue, after)


def _holding(catalogue: Catalogue, found: Mapping[Kind, dict[str, Any]]) -> Catalogue:
    mappings: dict[str, Any] = {name: found[kind] for kind, name in _MAPPINGS.items()}
    return replace(catalogue, synonyms=tuple(found[Synonyms].values()), **mappings)


# --- what is wrong --------------------------------------------------------------------------------------------


def wrong_fields(entry: Entry, catalogue: Catalogue, rulebook: Rulebook) -> list[FieldError]:
    """Whatever of an entry cannot be, each with field and reason. `catalogue` is the one in which it would stand.

    Access rules and prerequisites are not looked at: see `access.wrong_fields` and `prerequisites.wrong_fields`. What an
    employer cannot see, it cannot name; so what is national names only what is national.
    """
    return list(_WRONG[type(entry)](entry, catalogue, rulebook))


def wrong_id(entry: Entry) -> FieldError | None:
    """What is wrong with the id of something new, if anything."""
    own = entry.id
    if isinstance(entry, Item):
        begins, own = entry.id.startswith(f"{entry.owner}-"), entry.id.partition("-")[2]
        if not begins:
            return FieldError("id", f"does not begin with {entry.owner}-")
    if re.fullmatch(ID, own):
        return None
    return FieldError("id", "takes up to 60 small letters, digits and hyphens")


def _wrong_subject(subject: Subject, catalogue: Catalogue, _: Rulebook) -> Iterator[FieldError]:
    yield from _wrong_line("name", subject.name)
    if subject.parent is None:
        return
    if subject.parent not in catalogue.subjects:
        yield FieldError("parent", "is no subject of this catalogue")
    elif subject.id in catalogue.subject_and_above(subject.parent):
        yield FieldError("parent", "lies below this subject itself")


def _wrong_venue(venue: Venue, _: Catalogue, __: Rulebook) -> Iterator[FieldError]:
    if venue.owner == NATIONAL:
        yield FieldError("id", "the nation keeps no venues: each employer keeps its own")
    yield from _wrong_line("name", venue.name)
    yield from _wrong_text("address", venue.address, LONGEST_ADDRESS)
    if venue.capacity is not None:
        yield from _wrong_number("capacity", venue.capacity, 1, MOST_PLACES)


def _wrong_synonyms(synonyms: Synonyms, _: Catalogue, __: Rulebook) -> Iterator[FieldError]:
    if len(synonyms.words) < 2:
        yield FieldError("words", "needs two or more that mean the same")
    yield from _wrong_words("words", synonyms.words)


def _wrong_course(course: Course, catalogue: Catalogue, rulebook: Rulebook) -> Iterator[FieldError]:
    yield from _wrong_item(course, catalogue)
    yield from _wrong_text("joining_instructions", course.joining_instructions, LONGEST_TEXT)
    yield from _wrong_number("duration_minutes", course.duration_minutes, 0, LONGEST_DURATION)
    if course.cost_pence is not None:
        yield from _wrong_number("cost_pence", course.cost_pence, 0, HIGHEST_COST)
    if course.auto_book and not course.auto_enrol:
        yield FieldError("auto_book", "is for courses with auto_enrol")
    yield from _wrong_awards(course.grants, rulebook)
    yield from _wrong_offerings(course)


def _wrong_awards(grants: Sequence[Grants], rulebook: Rulebook, most: int = MOST_AWARDS) -> Iterator[FieldError]:
    yield from _too_many("awards", grants, most)
    names = [each.competency for each in grants]
    for place, each in enumerate(grants):
        where = f"awards[{place}]"
        known = rulebook.competencies.get(each.competency)
        if each.competency in names[:place]:
            yield FieldError(f"{where}.competency", "is named twice")
        elif known is None:
            yield FieldError(f"{where}.competency", "is in no framework this employer uses")
        elif not known.has_level(each.level):
            yield FieldError(f"{where}.level", f"is not on its scale of 1 to {len(known.levels)}")


def _wrong_offerings(course: Course) -> Iterator[FieldError]:
    yield from _too_many("offerings", course.offerings, MOST_OFFERINGS)
    ids = [each.id for each in course.offerings]
    for place, each in enumerate(course.offerings):
        if each.id in ids[:place]:
            yield FieldError(f"offerings[{place}].id", "is used twice")
        elif not re.fullmatch(ID, each.id):
            yield FieldError(f"offerings[{place}].id", "takes up to 60 small letters, digits and hyphens")
        if not re.fullmatch(LANGUAGE, each.language):
            yield FieldError(f"offerings[{place}].language", "is no language such as en-GB (BCP 47)")


def _wrong_path(path: LearningPath, catalogue: Catalogue, _: Rulebook) -> Iterator[FieldError]:
    yield from _wrong_item(path, catalogue)
    yield from _too_many("sections", path.sections, MOST_SECTIONS)
    seen: set[str] = set()
    for number, section in enumerate(path.sections):
        where = f"sections[{number}]"
        yield from _wrong_line(f"{where}.title", section.title)
        yield from _too_many(f"{where}.courses", section.courses, MOST_COURSES)
        for place, course in enumerate(section.courses):
            if course in seen:
                yield FieldError(f"{where}.courses[{place}]", "stands in this learning path already")
            elif course not in catalogue.courses:
                yield FieldError(f"{where}.courses[{place}]", "is no course of this catalogue")
            seen.add(course)


def _wrong_certification(
    certification: Certification, catalogue: Catalogue, rulebook: Rulebook
) -> Iterator[FieldError]:
    yield from _wrong_item(certification, catalogue)
    yield from _wrong_awards(certification.grants, rulebook, MOST_CERTIFIED)
    yield from _wrong_number("initial_days", certification.initial_days, 1, MOST_DAYS)
    yield from _wrong_number("window_days", certification.window_days, 1, MOST_DAYS)
    yield from _wrong_reminders(certification.reminder_days)
    months, window = certification.validity_months, certification.window_days
    if months is not None:
        yield from _wrong_number("validity_months", months, 1, MOST_MONTHS)
        if window >= months * SHORTEST_MONTH:
            yield FieldError("window_days", "is as long as the certification is valid")
    yield from _wrong_components(certification, catalogue)
    yield from _out_of_reach(certification, catalogue, rulebook)


def _wrong_reminders(days: Sequence[int]) -> Iterator[FieldError]:
    yield from _too_many("reminder_days", days, MOST_REMINDERS)
    for place, each in enumerate(days):
        yield from _wrong_number(f"reminder_days[{place}]", each, 0, MOST_DAYS)
        if each in days[:place]:
            yield FieldError(f"reminder_days[{place}]", "is named twice")


def _wrong_components(certification: Certification, catalogue: Catalogue) -> Iterator[FieldError]:
    components = certification.components
    if not components:
        yield FieldError("components", "is empty: nobody could be certified")
    yield from _too_many("components", components, MOST_COMPONENTS)
    for place, each in enumerate(components):
        where, course = f"components[{place}]", catalogue.courses.get(each.course)
        if any((one.course, one.mode) == (each.course, each.mode) for one in components[:place]):
            yield FieldError(f"{where}.course_id", "stands in this certification already, in this mode")
        if course is None:
            yield FieldError(f"{where}.course_id", "is no course of this catalogue")
        elif certification.owner == NATIONAL != course.owner:
            yield FieldError(
                f"{where}.course_id", "is an employer's own course, which a national certification cannot name"
            )
        elif each.mode and each.mode not in {one.mode for one in course.offerings}:
            yield FieldError(f"{where}.mode", "is none in which this course is offered")


def _out_of_reach(certification: Certification, catalogue: Catalogue, rulebook: Rulebook) -> Iterator[FieldError]:
    """Each setting by which nobody could complete a period: too few components for it, or without e-learning, or that begin.

    The first period can come after others, if somebody subscribes again: e-learning may be used up for it as well.
    """
    limit = certification.max_consecutive_elearning
    if limit is not None:
        yield from _wrong_number("max_consecutive_elearning", limit, 1, MOST_PERIODS)
    if certification.min_components is not None:
        yield from _wrong_number("min_components", certification.min_components, 1, MOST_COMPONENTS)
    in_person = True
    for use in (Use.INITIAL, Use.RENEWAL) if certification.validity_months is not None else (Use.INITIAL,):
        counting = components_for(use, certification.components)
        least = len(counting) if certification.min_components is None else certification.min_components
        if not counting:
            yield FieldError("components", f"holds none for the {_PERIODS[use]}")
        elif least > len(counting):
            yield FieldError("min_components", f"is more than the {len(counting)} that count for the {_PERIODS[use]}")
        elif limit is not None and least > sum(_in_person(each, catalogue) for each in counting):
            in_person = False
        elif use is Use.INITIAL and least > _within_reach(counting, certification, catalogue, rulebook):
            yield FieldError("components", "ask for what only this certification awards: nobody could complete it")
    if not in_person:
        yield FieldError("max_consecutive_elearning", "leaves too few components once e-learning is not taken any more")


_PERIODS = {Use.INITIAL: "first period", Use.RENEWAL: "periods that renew it"}


def _in_person(component: Component, catalogue: Catalogue) -> bool:
    """Whether a component can be completed otherwise than by e-learning alone."""
    course = catalogue.courses.get(component.course)
    modes = {component.mode} if component.mode else {each.mode for each in course.offerings} if course else set()
    return bool(modes - {Mode.E_LEARNING})


def _within_reach(
    components: Sequence[Component], certification: Certification, catalogue: Catalogue, rulebook: Rulebook
) -> int:
    """How many of these somebody could begin before they are certified, by what their courses or those before them ask for."""
    only_here = {each.competency for each in certification.grants} - catalogue.awarding.keys()
    asked = Prerequisite(PrerequisiteKind.COURSE, certification.id)  # a course that is not there is achieved nowhere
    waiting = {
        each.id: replace(each, prerequisites=(*each.prerequisites, asked))
        for each in catalogue.courses.values()
        if any(one.mandatory and one.id in only_here for one in each.prerequisites)
    }
    if not waiting:
        return len(components)
    unreachable = stuck(replace(catalogue, courses={**catalogue.courses, **waiting}), rulebook)
    return sum(each.course not in unreachable for each in components)


def _wrong_item(item: Item, catalogue: Catalogue) -> Iterator[FieldError]:
    yield from _wrong_line("title", item.title)
    yield from _wrong_text("description", item.description, LONGEST_TEXT)
    if item.subject not in catalogue.subjects:
        yield FieldError("subject", "is no subject of this catalogue")
    yield from _wrong_words("also_called", item.also_called)
    days: tuple[tuple[str, date | None], ...] = (("starts_on", item.starts_on), ("ends_on", item.ends_on))
    for name, day in days:
        if day is not None and not EARLIEST <= day <= LATEST:
            yield FieldError(name, f"lies outside {EARLIEST} to {LATEST}")
    if item.starts_on and item.ends_on and item.ends_on < item.starts_on:
        yield FieldError("ends_on", "lies before starts_on")


_UNSEEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f"  # controls, but for tab and the ends of lines
    "\u200b\u2060-\u2064\ufeff"  # blanks of no width; joiners (U+200C, U+200D) are part of words and emoji
    "\u202a-\u202e\u2066-\u206f"  # what turns round the text behind it
    "\ufff9-\ufffd\U000e0000-\U000e007f]"  # annotations, what was lost on the way, and tags
)
"""Characters that nobody sees and that make lists and messages show something else than is there."""


def _wrong_line(where: str, line: str, longest: int = LONGEST_TITLE) -> Iterator[FieldError]:
    if not line:
        yield FieldError(where, "is empty")
    elif line != one_line(line):
        yield FieldError(where, "has blanks around it or two together")
    elif not any(map(str.isalnum, line)):
        yield FieldError(where, "has neither letter nor digit")
    else:
        yield from _wrong_text(where, line, longest)


def _wrong_text(where: str, text: str, longest: int) -> Iterator[FieldError]:
    if len(text) > longest:
        yield FieldError(where, f"is longer than {longest} characters")
    elif _UNSEEN.search(text):
        yield FieldError(where, "has a character that cannot be seen")


def _wrong_number(where: str, number: int, least: int, most: int) -> Iterator[FieldError]:
    if not least <= number <= most:
        yield FieldError(where, f"is not between {least} and {most}")


def _wrong_words(where: str, words: Sequence[str]) -> Iterator[FieldError]:
    yield from _too_many(where, words, MOST_WORDS)
    folded = [each.casefold() for each in words]
    for place, each in enumerate(words):
        yield from _wrong_line(f"{where}[{place}]", each, LONGEST_WORD)
        if folded[place] in folded[:place]:
            yield FieldError(f"{where}[{place}]", "is named twice")


def _too_many(where: str, given: Sequence[Any], most: int) -> Iterator[FieldError]:
    if len(given) > most:
        yield FieldError(where, f"are more than {most}")


_WRONG: dict[Kind, Callable[[Any, Catalogue, Rulebook], Iterator[FieldError]]] = {
    Subject: _wrong_subject,
    Venue: _wrong_venue,
    Synonyms: _wrong_synonyms,
    Course: _wrong_course,
    LearningPath: _wrong_path,
    Certification: _wrong_certification,
}


# --- what becomes of it ---------------------------------------------------------------------------------------

NEXT: dict[CourseStatus, frozenset[CourseStatus]] = {
    CourseStatus.DRAFT: frozenset({CourseStatus.LIVE, CourseStatus.WITHDRAWN}),
    CourseStatus.LIVE: frozenset({CourseStatus.WITHDRAWN}),
    CourseStatus.WITHDRAWN: frozenset({CourseStatus.LIVE}),
}
"""To which states a course or learning path is moved. What has been live is never a draft again: learners may have it."""


def wrong_move(before: Entry, after: Entry) -> FieldError | None:
    """Why something cannot be moved to its new state, if it cannot."""
    if not isinstance(before, Item) or not isinstance(after, Item):
        return None
    if after.status is before.status or after.status in NEXT[before.status]:
        return None
    return FieldError("status", f"what is {before.status} does not become {after.status}")


def taken_away(before: Entry, after: Entry) -> tuple[str, ...]:
    """The ids of offerings that a course has no more, or has in another mode: classes of them may stand in the way."""
    if not isinstance(before, Course) or not isinstance(after, Course):
        return ()
    kept = {each.id: each.mode for each in after.offerings}
    return tuple(each.id for each in before.offerings if kept.get(each.id) is not each.mode)


def concerns(before: Entry, after: Entry, class_: Class, today: date) -> bool:
    """Whether a change is to be told of with a class to come: on its day its course is to be found no more, or its venue is out of
    use or too small for it. E-learning, which has no day, counts as today's.
    """
    if isinstance(before, Course) and isinstance(after, Course):
        day = london_day(class_.starts_at) if class_.starts_at else today
        return live_on(before, day) and not live_on(after, day)
    if isinstance(before, Venue) and isinstance(after, Venue):
        retired = before.in_use and not after.in_use
        if after.capacity is None or (before.capacity is not None and before.capacity <= after.capacity):
            return retired
        return retired or (class_.maximum or 0) > after.capacity
    return False


# --- what names it --------------------------------------------------------------------------------------------


def named_by(entry: Entry, catalogue: Catalogue) -> dict[str, list[str]]:
    """What of its owner's catalogue names an entry: lists of ids, by what they are; only those that hold something."""
    courses = [each for each in catalogue.courses.values() if each.owner == entry.owner]
    paths = [each for each in catalogue.paths.values() if each.owner == entry.owner]
    subjects = [each for each in catalogue.subjects.values() if each.owner == entry.owner]
    certifications = [each for each in catalogue.certifications.values() if each.owner == entry.owner]
    found: dict[str, list[str]] = {}
    if isinstance(entry, Subject):
        found = {
            "courses": [each.id for each in courses if each.subject == entry.id],
            "learning_paths": [each.id for each in paths if each.subject == entry.id],
            "certifications": [each.id for each in certifications if each.subject == entry.id],
            "subjects": [each.id for each in subjects if each.parent == entry.id],
        }
    elif isinstance(entry, Course):
        found = {
            "courses": [each.id for each in courses if any(one.id == entry.id for one in each.prerequisites)],
            "learning_paths": [
                each.id for each in paths if any(entry.id in section.courses for section in each.sections)
            ],
            "certifications": [
                each.id for each in certifications if any(one.course == entry.id for one in each.components)
            ],
        }
    return {what: sorted(ids) for what, ids in found.items() if ids}


def is_shared(entry: Entry) -> bool:
    """Whether employers may have put things below an entry that only they know: a national subject."""
    return isinstance(entry, Subject) and entry.owner == NATIONAL
