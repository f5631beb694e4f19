"""The plan of a trust in the application's own objects: one mapping, whichever way they are then loaded."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache

from chalicelib.domain.access import AccessMode, AccessRule
from chalicelib.domain.calendar import LONDON
from chalicelib.domain.catalogue import (
    Course,
    Grants,
    LearningPath,
    Mode,
    Offering,
    Prerequisite,
    PrerequisiteKind,
    Section,
    Subject,
    Synonyms,
    Venue,
)
from chalicelib.domain.classes import Class, ClassStatus, Session
from chalicelib.domain.competency import Award, Competency, Origin, expiry_of, parse_name
from chalicelib.domain.enrolment import Enrolment, HistoryRow, Post, Status
from chalicelib.domain.learner import RoleGrant
from chalicelib.domain.people import NATIONAL, Assignment, Employment, EmploymentKind, Membership, Person, Unit
from chalicelib.domain.permissions import Role
from chalicelib.domain.requirements import Exemption, Requirement, Target, TargetKind
from chalicelib.services.workforce import Joiner, Structure

from . import trust as plan

ASSESSED_LEVEL = 1
"""Proficiency level "1 - Assessed", the only one national competencies have (domain.md §1)."""

LANGUAGES = {"English": "en-GB"}
FIRST_ATTEMPT = 1
RECENT_BOOKINGS = 12
"""So many of the latest places are booked through the service, with their events and e-mails; all earlier ones were made
in the system used before, which told people then."""

_TARGETS: dict[plan.RequirementTarget, TargetKind] = {
    "employer": TargetKind.EMPLOYER,
    "unit": TargetKind.UNIT,
    "staff group": TargetKind.STAFF_GROUP,
    "job": TargetKind.JOB,
    "position": TargetKind.POSITION,
    "learner group": TargetKind.LEARNER_GROUP,
    "person": TargetKind.PERSON,
}
_KINDS: dict[plan.PersonStatus, EmploymentKind] = {
    "employee": EmploymentKind.EMPLOYEE,
    "applicant": EmploymentKind.APPLICANT,
    "external learner": EmploymentKind.EXTERNAL,
}
_CLASS_STATUSES: dict[plan.ClassStatus, ClassStatus] = {
    "Planned": ClassStatus.PLANNED,
    "Normal": ClassStatus.NORMAL,
    "Full": ClassStatus.NORMAL,  # follows from the seats (domain.md §2) and is not kept
    "Cancelled": ClassStatus.CANCELLED,
}
_STATUSES: dict[plan.EnrolmentStatus, Status] = {
    "Requested": Status.REQUESTED,
    "Waitlisted": Status.WAITLISTED,
    "Withdrawn": Status.WITHDRAWN,
    "Confirmed": Status.CONFIRMED,
    "Completed": Status.COMPLETED,
    "Attended – Not Completed": Status.ATTENDED_NOT_COMPLETED,
    "Did Not Attend": Status.DID_NOT_ATTEND,
}
_ROLES: dict[plan.GrantedRole, Role] = {
    "national administrator": Role.NATIONAL_ADMINISTRATOR,
    "learning administrator": Role.LEARNING_ADMINISTRATOR,
    "class administrator": Role.CLASS_ADMINISTRATOR,
    "instructor": Role.INSTRUCTOR,
    "workforce feed": Role.WORKFORCE_FEED,
}


@dataclass(frozen=True, slots=True)
class Newcomer:
    """Somebody who joins, with what they bring along: awards, enrolments made in the system used before, and exemptions."""

    joiner: Joiner
    awards: tuple[Award, ...]
    enrolments: tuple[Enrolment, ...]
    exemptions: tuple[Exemption, ...] = ()

    @property
    def person(self) -> str:
        """The person's id."""
        return self.joiner.person.id


@dataclass(frozen=True, slots=True)
class Booking:
    """A place that its learner books through the service, at that instant."""

    login: str
    class_id: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Content:
    """All there is to load. Frameworks and subjects are by owner, the nation or the employer; venues and synonyms its own."""

    employer: str
    structure: Structure
    competencies: dict[str, tuple[Competency, ...]]
    requirements: tuple[Requirement, ...]
    subjects: dict[str, tuple[Subject, ...]]
    venues: tuple[Venue, ...]
    synonyms: tuple[Synonyms, ...]
    courses: tuple[Course, ...]
    paths: tuple[LearningPath, ...]
    classes: tuple[Class, ...]
    newcomers: tuple[Newcomer, ...]
    bookings: tuple[Booking, ...]
    grants: tuple[RoleGrant, ...]


def map_trust(trust: plan.Trust) -> Content:
    """Everything of a plan, in the application's objects."""
    courses = {each.id: each for each in map(_CourseMapper(trust).course, trust.catalogue.courses)}
    classes = tuple(_ClassMapper(trust).classes())
    bookings = _recent_bookings(trust)
    people = _PeopleMapper(trust, courses, classes, bookings)
    logins = {person.id: person.login for person in trust.organisation.people}
    return Content(
        employer=trust.employer_code,
        structure=_structure(trust),
        competencies=_competencies(trust),
        requirements=tuple(_requirement(each) for each in trust.framework.requirements),
        subjects=_subjects(trust),
        venues=tuple(Venue(each.id, each.name, each.places, each.address) for each in trust.catalogue.venues),
        synonyms=tuple(Synonyms(each.id, each.words) for each in trust.catalogue.synonyms),
        courses=tuple(courses.values()),
        paths=tuple(_path(trust, each) for each in trust.catalogue.learning_paths),
        classes=classes,
        newcomers=tuple(people.newcomers()),
        bookings=tuple(
            Booking(logins[each.person_id], f"{trust.employer_code}-{each.class_id}", _utc(each.placed_at))
            for each in bookings
        ),
        grants=tuple(_grant(trust.employer_code, each) for each in trust.organisation.grants),
    )


def _utc(london: datetime) -> datetime:
    """The instant of a planned civil time in Europe/London."""
    return london.replace(tzinfo=LONDON).astimezone(UTC)


# --- structure and rules ----------------------------------------------------------------------------------------------


def _structure(trust: plan.Trust) -> Structure:
    organisation = trust.organisation
    names: list[tuple[Target, str]] = [
        *((Target(TargetKind.STAFF_GROUP, group.id), group.name) for group in organisation.staff_groups),
        *((Target(TargetKind.JOB, job.id), job.title) for job in organisation.jobs),
        *((Target(TargetKind.POSITION, position.id), position.title) for position in organisation.positions),
        *((Target(TargetKind.LEARNER_GROUP, group.id), group.name) for group in organisation.learner_groups),
    ]
    units = tuple(Unit(unit.id, unit.name, unit.parent_id) for unit in organisation.units)
    return Structure(trust.name, units, tuple(names))


def _competencies(trust: plan.Trust) -> dict[str, tuple[Competency, ...]]:
    by_owner: dict[str, list[Competency]] = defaultdict(list)
    for each in trust.framework.competencies:
        title = parse_name(each.name).title
        by_owner[each.owner].append(Competency(each.name, title, each.subject, each.renewal_months, covers=each.covers))
    return {owner: tuple(competencies) for owner, competencies in by_owner.items()}


def _requirement(planned: plan.Requirement) -> Requirement:
    target = Target(_TARGETS[planned.target_kind], planned.target_id)
    return Requirement(target, planned.competency, ASSESSED_LEVEL, planned.valid_from)


# --- catalogue --------------------------------------------------------------------------------------------------------


def _subjects(trust: plan.Trust) -> dict[str, tuple[Subject, ...]]:
    """The subjects in which each owner has a course, and those above them."""
    parents = {category.id: category.parent_id for category in trust.catalogue.categories}
    used: dict[str, set[str]] = defaultdict(set)
    for course in trust.catalogue.courses:
        subject: str | None = course.category_id
        while subject is not None:
            used[course.owner].add(subject)
            subject = parents[subject]
    return {
        owner: tuple(
            Subject(each.id, each.title, each.parent_id) for each in trust.catalogue.categories if each.id in subjects
        )
        for owner, subjects in used.items()
    }


class _CourseMapper:
    """Courses with their offerings and access rules."""

    def __init__(self, trust: plan.Trust) -> None:
        self._employer = trust.employer_code
        self._offerings: dict[str, list[plan.Offering]] = defaultdict(list)
        for offering in trust.catalogue.offerings:
            self._offerings[offering.course_id].append(offering)
        self._rules: dict[str, list[plan.AccessRule]] = defaultdict(list)
        for rule in trust.catalogue.access_rules:
            self._rules[rule.course_id].append(rule)

    def course(self, planned: plan.Course) -> Course:
        return Course(
            id=_course_id(planned),
            title=planned.title,
            subject=planned.category_id,
            description=planned.description,
            duration_minutes=planned.duration_minutes,
            grants=tuple(Grants(name, ASSESSED_LEVEL) for name in planned.awards),
            joining_instructions=planned.joining_instructions,
            offerings=tuple(
                Offering(each.id, Mode(each.mode), LANGUAGES[each.language]) for each in self._offerings[planned.id]
            ),
            access_rules=tuple(_access_rule(number, each) for number, each in enumerate(self._rules[planned.id], 1)),
            prerequisites=(
                *(_prerequisite(name, mandatory=True) for name in planned.after),
                *(_prerequisite(name, mandatory=False) for name in planned.better_after),
            ),
            also_called=planned.search_words,
        )


def _prerequisite(competency: str, *, mandatory: bool) -> Prerequisite:
    return Prerequisite(PrerequisiteKind.COMPETENCY, competency, ASSESSED_LEVEL, mandatory)


def _path(trust: plan.Trust, planned: plan.LearningPath) -> LearningPath:
    """A learning path that everybody finds, as its courses' own access allows."""
    ids = {course.id: _course_id(course) for course in trust.catalogue.courses}
    return LearningPath(
        id=f"{planned.owner}-{planned.id}",
        title=planned.title,
        subject=planned.category_id,
        description=planned.description,
        sections=tuple(Section(title, tuple(ids[each] for each in courses)) for title, courses in planned.sections),
    )


def _course_id(planned: plan.Course) -> str:
    return f"{planned.owner}-{planned.id}"


def _access_rule(number: int, planned: plan.AccessRule) -> AccessRule:
    everybody = planned.target_kind == "everybody"
    targets = () if everybody else (Target(TargetKind.POSITION, planned.target_id),)
    return AccessRule(f"{number:03d}", AccessMode(planned.mode), targets)


class _ClassMapper:
    """The dated classes, and one class without dates for each e-learning offering, so that people can enrol on it."""

    def __init__(self, trust: plan.Trust) -> None:
        self._trust = trust
        self._courses = {course.id: course for course in trust.catalogue.courses}
        self._modes = {offering.id: Mode(offering.mode) for offering in trust.catalogue.offerings}

    def classes(self) -> Iterator[Class]:
        yield from (self._dated(each) for each in self._trust.classes)
        for offering in self._trust.catalogue.offerings:
            if offering.mode == "e-learning":
                yield self._undated(offering)

    def _dated(self, planned: plan.LearningClass) -> Class:
        starts_at, ends_at = _utc(planned.start), _utc(planned.end)
        course = self._courses[planned.course_id]
        return Class(
            id=f"{course.owner}-{planned.id}",
            course=_course_id(course),
            offering=planned.offering_id,
            title=planned.title,
            mode=self._modes[planned.offering_id],
            status=_CLASS_STATUSES[planned.status],
            starts_at=starts_at,
            ends_at=ends_at,
            minimum=planned.minimum,
            maximum=planned.maximum,
            venue=planned.venue_id,
            instructor=planned.instructor_id,
            sessions=(Session(starts_at, ends_at),),
            by_need=planned.by_need,
        )

    def _undated(self, offering: plan.Offering) -> Class:
        course = self._courses[offering.course_id]
        return Class(
            id=f"{course.owner}-{offering.id}",
            course=_course_id(course),
            offering=offering.id,
            title=course.title,
            mode=Mode.E_LEARNING,
            status=ClassStatus.NORMAL,
            starts_at=None,
            ends_at=None,
            minimum=0,
            maximum=None,
        )


# --- people -----------------------------------------------------------------------------------------------------------


def _recent_bookings(trust: plan.Trust) -> list[plan.Enrolment]:
    """The places to book through the service, oldest first: the latest, and those of people one can sign in as.

    Only what a learner may do alone: take a free place on a course without approval, wait for one, and ask a manager one can
    sign in as for approval.
    """
    alone = {rule.course_id for rule in trust.catalogue.access_rules if rule.mode == "self-enrol"}
    open_classes = {each.id for each in trust.classes if each.status == "Normal" and each.course_id in alone}
    shown = {sign_in.person_id for sign_in in trust.organisation.sign_ins}
    possible = [each for each in trust.enrolments if each.status == "Confirmed" and each.class_id in open_classes]
    possible.sort(key=lambda each: (each.person_id in shown, each.placed_at, each.person_id), reverse=True)
    team = {each.person_id for each in trust.organisation.assignments if each.primary and each.supervisor_id in shown}
    unsettled = [
        each
        for each in trust.enrolments
        if each.status == "Waitlisted" or (each.status == "Requested" and each.person_id in team)
    ]
    return sorted([*possible[:RECENT_BOOKINGS], *unsettled], key=lambda each: (each.placed_at, each.person_id))


class _PeopleMapper:
    """Everybody, with their assignments, groups, awards and enrolments."""

    def __init__(
        self, trust: plan.Trust, courses: dict[str, Course], classes: Iterable[Class], booked: Iterable[plan.Enrolment]
    ) -> None:
        self._trust = trust
        self._employer = trust.employer_code
        self._courses = courses
        self._classes = {each.id: each for each in classes}
        self._venues = {venue.id: venue.name for venue in trust.catalogue.venues}
        self._assignments: dict[str, list[plan.Assignment]] = defaultdict(list)
        for assignment in trust.organisation.assignments:
            self._assignments[assignment.person_id].append(assignment)
        self._groups: dict[str, list[str]] = defaultdict(list)
        for group in trust.organisation.learner_groups:
            for member in group.member_ids:
                self._groups[member].append(group.id)
        self._awards: dict[str, list[plan.Award]] = defaultdict(list)
        for award in trust.awards:
            self._awards[award.person_id].append(award)
        self._enrolments: dict[str, list[plan.Enrolment]] = defaultdict(list)
        for enrolment in set(trust.enrolments).difference(booked):
            self._enrolments[enrolment.person_id].append(enrolment)
        self._exemptions: dict[str, list[Exemption]] = defaultdict(list)
        for exempt in trust.framework.exemptions:
            exemption = Exemption(exempt.competency, exempt.reason, exempt.start, exempt.end)
            self._exemptions[exempt.person_id].append(exemption)
        renewals = {each.name: each.renewal_months for each in trust.framework.competencies}
        self._expiry = cache(lambda name, day: expiry_of(day, renewals[name]))

    def newcomers(self) -> Iterator[Newcomer]:
        for person in self._trust.organisation.people:
            enrolments = sorted(self._enrolments[person.id], key=lambda each: (each.placed_at, each.class_id))
            yield Newcomer(
                self._joiner(person),
                tuple(self._award(each) for each in self._awards[person.id]),
                tuple(self._enrolment(each) for each in enrolments),
                tuple(self._exemptions[person.id]),
            )

    def _joiner(self, planned: plan.Person) -> Joiner:
        person = Person(planned.id, planned.first_name, planned.last_name, planned.title, planned.email, planned.login)
        kind = _KINDS[planned.status]
        return Joiner(
            person,
            Employment(self._employer, kind, planned.employee_number, planned.start),
            tuple(assignment_of(each) for each in self._assignments[planned.id]),
            tuple(Membership(group, planned.start) for group in self._groups[planned.id]),
        )

    def _award(self, planned: plan.Award) -> Award:
        origin, source = self._origin(planned)
        return Award(
            competency=planned.competency,
            level=ASSESSED_LEVEL,
            awarded_on=planned.awarded_on,
            expires_on=self._expiry(planned.competency, planned.awarded_on),
            origin=origin,
            source=source,
        )

    def _origin(self, planned: plan.Award) -> tuple[Origin, str]:
        """A class on record, a completion in the system used before, or another employer."""
        if planned.class_id is not None:
            return Origin.COMPLETION, f"{self._employer}-{planned.class_id}~{FIRST_ATTEMPT}"
        if planned.origin == "transfer":
            return Origin.TRANSFER, "transfer"
        return Origin.TAKEOVER, "takeover"

    def _enrolment(self, planned: plan.Enrolment) -> Enrolment:
        class_ = self._classes[f"{self._employer}-{planned.class_id}"]
        history = _history(planned, class_)
        primary = next((each for each in self._assignments[planned.person_id] if each.primary), None)
        return Enrolment(
            person=planned.person_id,
            employer=self._employer,
            class_id=class_.id,
            attempt=FIRST_ATTEMPT,
            course=class_.course,
            title=class_.title,
            mode=class_.mode,
            grants=self._courses[class_.course].grants,
            starts_at=class_.starts_at,
            ends_at=class_.ends_at,
            sessions=class_.sessions,
            venue=self._venues[class_.venue] if class_.venue else None,
            status=history[-1].status,
            placed_at=history[0].at,
            history=history,
            revision=len(history),
            counted=class_.maximum is not None,
            post=Post(primary.number, primary.unit_id, primary.position_id) if primary else None,
            approver=primary.supervisor_id if primary and planned.status == "Requested" else None,
        )


def assignment_of(planned: plan.Assignment) -> Assignment:
    """An assignment in the application's words."""
    return Assignment(
        number=planned.number,
        unit=planned.unit_id,
        position=planned.position_id,
        job=planned.job_id,
        staff_group=planned.staff_group_id,
        supervisor=planned.supervisor_id,
        primary=planned.primary,
        starts_on=planned.start,
        ends_on=planned.end,
    )


def _history(planned: plan.Enrolment, class_: Class) -> tuple[HistoryRow, ...]:
    """How the enrolment came to its state: withdrawn a day later by the learner, or closed at the end by the instructor."""
    placed_at, status, learner = _utc(planned.placed_at), _STATUSES[planned.status], planned.person_id
    if status in (Status.REQUESTED, Status.WAITLISTED, Status.CONFIRMED):
        return (HistoryRow(status, placed_at, learner),)
    confirmed = HistoryRow(Status.CONFIRMED, placed_at, learner)
    if status is Status.WITHDRAWN:
        return confirmed, HistoryRow(status, placed_at + timedelta(days=1), learner)
    assert class_.ends_at is not None
    assert class_.instructor is not None
    return confirmed, HistoryRow(status, class_.ends_at, class_.instructor)


def _grant(employer: str, planned: plan.RoleGrant) -> RoleGrant:
    """National administration is granted at the nation, every other role at the employer."""
    role = _ROLES[planned.role]
    at = NATIONAL if role is Role.NATIONAL_ADMINISTRATOR else employer
    return RoleGrant(planned.person_id, at, role, planned.subjects)
