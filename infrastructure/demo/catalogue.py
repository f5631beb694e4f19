"""Plans the catalogue: courses with their offerings and access, venues, and who teaches what."""

from .facts import CourseFact, Facts, Mode
from .framework import competency_names
from .organisation import Department, holders
from .trust import (
    AccessRule,
    Catalogue,
    Category,
    Course,
    Instructor,
    LearningPath,
    Offering,
    Organisation,
    Synonyms,
    Venue,
)


def plan_catalogue(facts: Facts, departments: list[Department], organisation: Organisation) -> Catalogue:
    """The whole catalogue: subjects, courses with offerings and access, rooms and instructors."""
    courses = facts.catalogue.courses
    names = competency_names(facts)
    return Catalogue(
        categories=tuple(Category(each.id, each.title, each.parent) for each in facts.catalogue.categories),
        courses=tuple(_course(course, names) for course in courses),
        offerings=tuple(
            Offering(offering_id(course, mode), course.id, mode, "English")
            for course in courses
            for mode in course.modes
        ),
        access_rules=tuple(rule for course in courses for rule in _access(course, departments)),
        venues=tuple(Venue(venue.id, venue.name, venue.places, venue.address) for venue in facts.catalogue.venues),
        synonyms=tuple(Synonyms(each.id, tuple(each.words)) for each in facts.catalogue.synonyms),
        learning_paths=tuple(
            LearningPath(
                path.id,
                path.owner,
                path.title,
                path.category,
                path.description,
                tuple((section.title, tuple(section.courses)) for section in path.sections),
            )
            for path in facts.catalogue.learning_paths
        ),
        instructors=_instructors(facts, departments, organisation),
    )


def offering_id(course: CourseFact, mode: Mode) -> str:
    """Example: adult-bls-classroom."""
    return f"{course.id}-{mode.replace(' ', '-')}"


def _course(fact: CourseFact, names: dict[str, str]) -> Course:
    return Course(
        id=fact.id,
        owner=fact.owner,
        title=fact.title,
        category_id=fact.category,
        awards=tuple(names[key] for key in fact.awards),
        duration_minutes=fact.minutes,
        description=fact.description,
        joining_instructions=fact.joining,
        search_words=tuple(fact.search_words),
        after=tuple(names[key] for key in fact.after),
        better_after=tuple(names[key] for key in fact.better_after),
    )


def _access(course: CourseFact, departments: list[Department]) -> list[AccessRule]:
    """One rule for everybody, or one for each position that the course is kept for."""
    if not course.only_posts:
        return [AccessRule(course.id, "everybody", "", course.access)]
    return [
        AccessRule(course.id, "position", department.position_id(post), course.access)
        for department in departments
        for post in department.kind.posts
        if f"{department.kind.id}.{post.id}" in course.only_posts
    ]


def _instructors(facts: Facts, departments: list[Department], organisation: Organisation) -> tuple[Instructor, ...]:
    held = holders(departments, organisation.people)
    taught: dict[str, list[str]] = {}
    for course in facts.catalogue.courses:
        for post in course.classes.taught_by if course.classes else []:
            for person in held[post]:
                taught.setdefault(person.id, []).append(course.id)
    return tuple(Instructor(person_id, tuple(courses)) for person_id, courses in taught.items())
