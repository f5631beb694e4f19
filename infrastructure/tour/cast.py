"""Who plays: people of the demo trust's employer with courses of their own, new each time, so that nothing else is touched."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any

from chalicelib.domain.access import AccessMode, AccessRule
from chalicelib.domain.actor import Actor
from chalicelib.domain.calendar import london_day
from chalicelib.domain.catalogue import Course, Grants, Mode, Offering, Subject
from chalicelib.domain.classes import Class, ClassStatus, Session
from chalicelib.domain.competency import Origin, expiry_of
from chalicelib.domain.people import Assignment, Employment, EmploymentKind, Person, Unit
from chalicelib.domain.permissions import Role
from chalicelib.domain.requirements import Requirement, Target, TargetKind
from chalicelib.domain.workforce import AssignmentSection, Change, ServiceSection
from chalicelib.services import awards, catalogue_items, classes, identity, requirements, roles, workforce
from chalicelib.services.workforce import Joiner, Structure
from chalicelib.storage import rules

from .stack import Stack

ACTOR = "system:tour"
"""Who the audit says it was, where nobody in particular acts."""

EMPLOYER = "504"
NEIGHBOUR = "599"
"""Another employer, with one ward, that shares people with the demo trust."""

SELF_ENROL = (AccessRule("01", AccessMode.SELF_ENROL),)
OFFERING = "classroom"
_POST = (TargetKind.POSITION, TargetKind.JOB, TargetKind.STAFF_GROUP)


@dataclass
class Cast:
    """The people by their part, and what they are taught. `stamp` tells one tour from another; `now` is when it began (UTC)."""

    now: datetime
    stamp: str
    stack: Stack
    logins: dict[str, str]
    administrator: Actor
    post: Assignment
    competency: str
    people: list[str] = field(default_factory=list)

    @classmethod
    def gather(cls, demo: dict[str, Any], now: datetime, stack: Stack) -> Cast:
        """A cast beside the demo trust's own people: a manager with a team, an instructor, and two courses."""
        logins = {person["role"]: person["login"] for person in demo["sign_ins"]}
        administrator = identity.identify(logins["learning administrator"], EMPLOYER, now)
        learner = identity.identify(logins["employee"], EMPLOYER, now).learner
        assert learner is not None
        framework = rules.rulebook(EMPLOYER).competencies.values()
        competency = min(each.name for each in framework if each.renewal_months == 12 and each.name.startswith("NHS|"))
        stamp = f"{int(now.timestamp()):x}"
        cast = cls(now, stamp, stack, logins, administrator, learner.assignments_on(london_day(now))[0], competency)
        cast.enter("manager", "Tilly", "Tourleader")
        cast.enter("instructor", "Ines", "Tourteacher", manager=None)
        roles.grant(administrator, cast.id_of("instructor"), Role.INSTRUCTOR, (), now)
        catalogue_items.add_subjects(
            ACTOR, EMPLOYER, [Subject(cast.name("subject"), "Guided tours", owner=EMPLOYER)], now
        )
        cast.teach("open", "Guided tour", access_rules=SELF_ENROL)
        cast.teach("by-approval", "Guided tour by arrangement")
        return cast

    # --- people -------------------------------------------------------------------------------------------------

    def enter(self, part: str, first: str, last: str, manager: str | None = "manager", reachable: bool = True) -> Actor:
        """Somebody joins the employer in the post of the demo learner, under the cast's manager; with an address if reachable."""
        since = london_day(self.now) - timedelta(days=500)
        number = f"{part}-{self.stamp}"
        person = Person(
            self.id_of(part),
            first,
            last,
            email=f"{number}@tour.example" if reachable else None,
            login=f"{EMPLOYER}-{number}",
        )
        held = Assignment(
            number, self.post.unit, self.post.position, self.post.job, self.post.staff_group,
            supervisor=self.id_of(manager) if manager and part != manager else None, primary=True, starts_on=since,
        )  # fmt: skip
        employment = Employment(EMPLOYER, EmploymentKind.EMPLOYEE, number, since)
        workforce.join(ACTOR, Joiner(person, employment, [held]), self.now)
        self.people.append(person.id)
        return self.actor(part)

    def id_of(self, part: str) -> str:
        """The person id of whoever plays a part."""
        return f"T{self.stamp}-{part}"

    def actor(self, part: str, now: datetime | None = None) -> Actor:
        """Whoever plays a part, signed in, as their records stand."""
        return identity.identify(f"{EMPLOYER}-{part}-{self.stamp}", EMPLOYER, now or self.now)

    def also_with_the_neighbour(self, part: str) -> None:
        """Whoever plays a part is employed by the neighbouring employer too, from before."""
        if NEIGHBOUR not in rules.employers():
            ward = Unit("ward", "Ward", NEIGHBOUR)
            posts = [(Target(kind, "nurse"), "Nurse") for kind in _POST]
            structure = Structure("Thistledown Community Trust", [Unit(NEIGHBOUR, "Thistledown", None), ward], posts)
            workforce.define_structure(ACTOR, NEIGHBOUR, structure, self.now)
        since = london_day(self.now) - timedelta(days=500)
        number = f"{part}-{self.stamp}"
        job = AssignmentSection(number, since, None, "ward", "nurse", "nurse", "nurse")
        change = Change(
            number, 1, number, None, ServiceSection(EmploymentKind.EMPLOYEE, since), [job], person_id=self.id_of(part)
        )
        outcome = workforce.take_from_bus(NEIGHBOUR, change, self.now)
        assert outcome.state == "accepted", outcome

    def neighbour(self) -> Actor:
        """The learning administrator of the neighbouring employer: whoever is the nation's, who appoints themselves."""
        nation = identity.identify(self.logins["national administrator"], NEIGHBOUR, self.now)
        part = "neighbour"
        self.enter(part, "Nell", "Tourneighbour")
        self.also_with_the_neighbour(part)
        roles.grant(nation, self.id_of(part), Role.LEARNING_ADMINISTRATOR, (), self.now)
        return identity.identify(f"{EMPLOYER}-{part}-{self.stamp}", NEIGHBOUR, self.now)

    # --- what they need and hold --------------------------------------------------------------------------------

    def require(self, part: str) -> None:
        """The competency of the tour is required of whoever plays a part, since long ago."""
        target = Target(TargetKind.PERSON, self.id_of(part))
        since = london_day(self.now) - timedelta(days=400)
        requirements.save(self.administrator, Requirement(target, self.competency, 1, since), self.now)

    def award(self, part: str, expires_on: date) -> None:
        """They hold it, until a day in the next twelve months."""
        days = (expires_on - timedelta(days=number) for number in range(360, 370))
        awarded_on = next(day for day in days if expiry_of(day, 12) == expires_on)
        wanted = awards.Wanted(self.competency, 1, awarded_on, Origin.ADMINISTRATOR, "Seen on the certificate")
        awards.record(self.administrator, self.id_of(part), wanted, self.now)

    # --- what is taught -----------------------------------------------------------------------------------------

    def name(self, thing: str) -> str:
        """The id of something of this tour."""
        return f"tour-{self.stamp}-{thing}"

    def course_id(self, thing: str) -> str:
        """The id of a course of this tour."""
        return f"{EMPLOYER}-{self.name(thing)}"

    def teach(self, thing: str, title: str, **fields: Any) -> Course:
        """A course that awards the competency of the tour, held in a classroom unless told otherwise."""
        given: dict[str, Any] = {
            "description": "Where everything is, and who is who.",
            "duration_minutes": 60,
            "grants": (Grants(self.competency),),
            "offerings": (Offering(OFFERING, Mode.CLASSROOM),),
        }
        course = Course(self.course_id(thing), title, self.name("subject"), **(given | fields))
        catalogue_items.add_course(ACTOR, course, self.now)
        return course

    def hold(self, start: datetime, when: datetime, course: str = "open", **fields: Any) -> Class:
        """A class of an hour that begins at `start`, made at `when`."""
        session = Session(start, start + timedelta(hours=1))
        planned = Class(
            id="", course=self.course_id(course), offering=OFFERING, title="", mode=Mode.CLASSROOM, status=ClassStatus.NORMAL,
            starts_at=start, ends_at=session.ends_at, sessions=(session,), **({"minimum": 1, "maximum": 8} | fields),
        )  # fmt: skip
        title, mode = classes.title_and_mode(EMPLOYER, planned.course, OFFERING)
        planned = replace(planned, title=title, mode=mode)
        return classes.create(self.administrator, planned, when, accept_cautions=True).class_
