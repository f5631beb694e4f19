"""Builders that keep every rule, at a fixed moment: Monday 23 November 2026, 10:00 in London."""

from datetime import UTC, date, datetime, timedelta

from chalicelib.domain.access import AccessMode, AccessRule
from chalicelib.domain.calendar import london_time
from chalicelib.domain.catalogue import Course, Grants, Mode, Offering, Subject
from chalicelib.domain.classes import Class, ClassStatus, Session
from chalicelib.domain.competency import Award, Competency, Origin, expiry_of, parse_name
from chalicelib.domain.enrolment import Enrolment, HistoryRow, Status
from chalicelib.domain.learner import Learner
from chalicelib.domain.people import Assignment, Employment, EmploymentKind, Membership, Person, Unit
from chalicelib.domain.permissions import Role
from chalicelib.domain.requirements import Requirement, Rulebook, Target, TargetKind
from chalicelib.services import catalogue_items, classes, competence, roles, takeover, workforce
from chalicelib.storage.people import GrantRow

NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
TODAY = date(2026, 11, 23)
SYSTEM = "system:tests"

FIRE = "NHS|CSTF|Fire Safety - 1 Year|"
MOVING = "NHS|CSTF|Moving and Handling - Level 2 - 2 Years|"
PREVENT = "NHS|CSTF|Preventing Radicalisation - Basic Prevent Awareness - 3 Years|"
INDUCTION = "504|LOCAL|Corporate Induction|"

UNITS = (
    Unit("504", "Demonstration Trust", None),
    Unit("surgery", "504 Division of Surgery", "504"),
    Unit("ward-9", "504 Ward 9", "surgery"),
    Unit("ward-10", "504 Ward 10", "surgery"),
    Unit("estates", "504 Estates", "504"),
)


# --- domain objects -----------------------------------------------------------------------------------------


def competency(name, renewal_months="from name"):
    parsed = parse_name(name)
    months = parsed.renewal_months if renewal_months == "from name" else renewal_months
    return Competency(name, parsed.title, parsed.subject, months)


def award(name=FIRE, awarded_on=TODAY, level=1, expires_on="by name", source="test", **changes):
    expiry = expiry_of(awarded_on, parse_name(name).renewal_months) if expires_on == "by name" else expires_on
    return Award(name, level, awarded_on, expiry, Origin.COMPLETION, source, **changes)


def award_expiring(expires_on, name=FIRE, **changes):
    return award(name, awarded_on=date(2020, 1, 1), expires_on=expires_on, **changes)


def requirement(name=FIRE, kind=TargetKind.EMPLOYER, target="504", level=1, starts_on=date(2020, 1, 1), ends_on=None):
    return Requirement(Target(kind, target), name, level, starts_on, ends_on)


def assignment(number="1", unit="ward-9", starts_on=date(2024, 1, 1), ends_on=None, **changes):
    given = {"position": "nurse-9", "job": "nurse", "staff_group": "nursing", "supervisor": None, "primary": True}
    return Assignment(number, unit, starts_on=starts_on, ends_on=ends_on, **(given | changes))


def rulebook(*requirements, amber_months=3, renewal_leads=()):
    """Rules of employer 504. Nobody is reminded unless a test is about that, so that time changes colours alone."""
    by_target = {}
    for rule in requirements:
        by_target.setdefault(rule.target, []).append(rule)
    return Rulebook(
        employer="504",
        version=(1, 1),
        requirements={target: tuple(rules) for target, rules in by_target.items()},
        units={unit.id: unit for unit in UNITS},
        competencies={name: competency(name) for name in (FIRE, MOVING, PREVENT, INDUCTION)},
        amber_months=amber_months,
        renewal_leads=renewal_leads,
    )


def memberships(groups, starts_on=date(2024, 1, 1)):
    """Of learner groups, from the first day of service of everybody here."""
    return tuple(Membership(group, starts_on) for group in groups)


def learner(kind=EmploymentKind.EMPLOYEE, assignments="one", groups=(), **changes):
    given = {
        "person": Person("p1", "Sam", "Testfold", email="sam@trust.invalid", login="504-1"),
        "employer": "504",
        "employment": Employment("504", kind, "20059417", date(2024, 1, 1)),
        "assignments": (assignment(),) if assignments == "one" else assignments,
        "memberships": memberships(groups),
    }
    return Learner(**(given | changes))


def session(day=date(2026, 12, 1), hour=9, hours=3):
    start = london_time(day, hour)
    return Session(start, start + timedelta(hours=hours))


def class_(class_id="504-c1", course="504-fire", maximum=12, status=ClassStatus.NORMAL, sessions="one", **changes):
    held = (session(),) if sessions == "one" else tuple(sessions)
    given = {
        "offering": "classroom",
        "title": "Fire Safety",
        "mode": Mode.CLASSROOM,
        "starts_at": held[0].starts_at if held else None,
        "ends_at": held[-1].ends_at if held else None,
        "minimum": 4,
        "venue": "Seminar Room 1",
        "sessions": held,
    }
    return Class(id=class_id, course=course, status=status, maximum=maximum, **(given | changes))


def e_learning(class_id="504-e1", course="504-fire", **changes):
    given = {"offering": "e-learning", "mode": Mode.E_LEARNING, "venue": None, "minimum": 0}
    return class_(class_id, course, maximum=None, sessions=(), **(given | changes))


SELF_ENROL = AccessRule("01", AccessMode.SELF_ENROL)


def course(course_id="504-fire", title="Fire Safety", grants=(FIRE,), rules=(SELF_ENROL,), **changes):
    given = {
        "subject": "fire",
        "description": "Alarms, extinguishers and how to leave the building.",
        "duration_minutes": 180,
        "joining_instructions": "Wear flat shoes.",
        "offerings": (Offering("classroom", Mode.CLASSROOM), Offering("e-learning", Mode.E_LEARNING)),
    }
    return Course(
        course_id, title, grants=tuple(Grants(each) for each in grants), access_rules=rules, **(given | changes)
    )


def enrolment(status=Status.CONFIRMED, at=None, attempt=1, person="p1", **changes):
    on = at or class_()
    given = {
        "person": person,
        "employer": "504",
        "class_id": on.id,
        "attempt": attempt,
        "course": on.course,
        "title": on.title,
        "mode": on.mode,
        "grants": (Grants(FIRE),),
        "starts_at": on.starts_at,
        "ends_at": on.ends_at,
        "sessions": on.sessions,
        "venue": on.venue,
        "status": status,
        "placed_at": NOW - timedelta(days=7),
        "history": (HistoryRow(status, NOW - timedelta(days=7), person),),
        "counted": on.maximum is not None,
    }
    return Enrolment(**(given | changes))


# --- stored through the services ----------------------------------------------------------------------------


def trust(*requirements):
    """Employer 504 with its structure, four competencies, and requirements (Fire Safety for everybody unless given)."""
    names = [
        (Target(TargetKind.JOB, "nurse"), "Staff Nurse"),
        (Target(TargetKind.POSITION, "nurse-9"), "Staff Nurse, Ward 9"),
        (Target(TargetKind.STAFF_GROUP, "nursing"), "Nursing and Midwifery Registered"),
        (Target(TargetKind.LEARNER_GROUP, "agency"), "Agency Staff"),
    ]
    workforce.define_structure(SYSTEM, "504", workforce.Structure("Demonstration Trust", UNITS, names), NOW)
    competence.define_competencies(SYSTEM, "NHS", [competency(each) for each in (FIRE, MOVING, PREVENT)], NOW)
    competence.define_competencies(SYSTEM, "504", [competency(INDUCTION)], NOW)
    competence.require(SYSTEM, "504", requirements or [requirement()], NOW)
    catalogue_items.add_subjects(
        SYSTEM, "504", [Subject("fire", "Fire safety"), Subject("moving", "Moving and handling")], NOW
    )


def person(
    number=1,
    kind=EmploymentKind.EMPLOYEE,
    employer="504",
    assignments="one",
    groups=(),
    awards=(),
    enrolments=(),
    role=None,
    subjects=(),
    **changes,
):
    """Somebody with login `504-<number>` and person id `p<number>`, registered at the employer."""
    person_id, login = f"p{number}", f"{employer}-{number}"
    given = {"title": None, "email": f"person{number}@trust.invalid", "login": login}
    given |= {"first_name": "Sam", "last_name": f"Testfold{number}"}
    who = Person(person_id, **(given | changes))
    held = (assignment(number=str(number)),) if assignments == "one" else tuple(assignments)
    if kind is EmploymentKind.EXTERNAL and assignments == "one":
        held = ()
    employment = Employment(employer, kind, f"200{number:05d}", date(2024, 1, 1))
    workforce.join(SYSTEM, workforce.Joiner(who, employment, held, memberships(groups)), NOW)
    if awards or enrolments:
        takeover.take_over(SYSTEM, employer, person_id, awards, enrolments, NOW)
    if role:
        grant(person_id, role, employer, subjects)
    return login


def grant(person_id, role, employer="504", subjects=()):
    """A role, written as if somebody entitled had granted it."""
    GrantRow.of(roles.RoleGrant(person_id, employer, Role(role), tuple(subjects))).save()


def offered(*planned, **course_changes):
    """A course and classes of it, stored."""
    catalogue_items.add_course(SYSTEM, course(**course_changes), NOW)
    for each in planned:
        classes.add_class(SYSTEM, each, NOW)
