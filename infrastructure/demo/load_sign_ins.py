"""Ready sign-ins, one for each role, and a class that the demo employee may book: what the local runtime prints."""

from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from operator import itemgetter
from typing import Any

import boto3

from chalicelib.config import setting
from chalicelib.domain.actor import Actor
from chalicelib.domain.calendar import london_day
from chalicelib.domain.classes import Class
from chalicelib.domain.compliance import Colour
from chalicelib.domain.enrolment import Status
from chalicelib.domain.errors import NotFound
from chalicelib.services import catalogue, compliance, identity
from chalicelib.storage import rules
from infrastructure import Failure

from . import trust as plan
from .classes_to_try import classes_to_try
from .enrolments_to_try import enrolments_to_try
from .load_mapping import Content, assignment_of

PASSWORD = "Demo-password-1"
"""Everybody's, and no secret: these people are fictional and live on a developer's machine. It meets the pool's policy."""

FIRST_ADMINISTRATOR = "first administrator"
WHAT_TO_TRY = {
    FIRST_ADMINISTRATOR: "grant the first roles: POST /v1/role-grants?employer=NHS",
    "national administrator": "grant roles at any employer: POST /v1/role-grants?employer={employer}",
    "learning administrator": "find people (POST /v1/people/search), see anybody's compliance and why, grant roles",
    "class administrator": "run the classes of one subject: GET /v1/classes, POST /v1/class-schedules/preview",
    "instructor": "print who comes and mark who came: /v1/classes/…/register and /attendance; POST /v1/me/calendar-feeds",
    "workforce feed": "send joiners, movers and leavers, or a file of them: see below",
    "manager": "see where one's team stands, GET /v1/me/team, and decide what it asks for, GET /v1/approvals",
    "employee": "see My Compliance in every colour, and book a class",
    "applicant": "see what must be done before the first day: GET /v1/me/compliance",
    "external learner": "see what a learner group requires: GET /v1/me/compliance",
}
LEARNER = "employee"


class NothingToBook(Failure):
    """The demo employee may enrol on none of the classes."""


@dataclass(frozen=True, slots=True)
class SignIn:
    """A login that Cognito knows, its role, and what to try with it."""

    role: str
    login: str
    email: str | None

    def as_told(self, employer: str) -> dict[str, str]:
        """As the local runtime prints it."""
        what = WHAT_TO_TRY[self.role].format(employer=employer)
        return {"role": self.role, "login": self.login, "password": PASSWORD, "what": what}


def sign_ins_of(trust: plan.Trust) -> list[SignIn]:
    """The first administrator, and one person of each role."""
    emails = {person.id: person.email for person in trust.organisation.people}
    ready = [SignIn(each.role, each.login, emails[each.person_id]) for each in trust.organisation.sign_ins]
    return [SignIn(FIRST_ADMINISTRATOR, setting("FIRST_ADMINISTRATOR"), None), *ready]


def register(sign_ins: list[SignIn]) -> None:
    """Make the logins known to Cognito with the password of the demo, known before or not. Nobody is written to."""
    cognito = boto3.client("cognito-idp")
    for sign_in in sign_ins:
        _register(cognito, sign_in)


def _register(cognito: Any, sign_in: SignIn) -> None:
    user = {"UserPoolId": setting("USER_POOL_ID"), "Username": sign_in.login}
    address = {"email": sign_in.email, "email_verified": "true"} if sign_in.email else {}
    attributes = [{"Name": name, "Value": value} for name, value in address.items()]
    with suppress(cognito.exceptions.UsernameExistsException):
        cognito.admin_create_user(
            **user, UserAttributes=attributes, TemporaryPassword=PASSWORD, MessageAction="SUPPRESS"
        )
    cognito.admin_set_user_password(**user, Password=PASSWORD, Permanent=True)


def what_to_tell(trust: plan.Trust, content: Content, sign_ins: list[SignIn], now: datetime) -> dict[str, Any]:
    """What the local runtime reads: staff, sign-ins, and what to try: a class to book, a move, what classes can do and what
    becomes of enrolments.
    """
    login = next(each.login for each in sign_ins if each.role == LEARNER)
    manager = next(each.person_id for each in trust.organisation.sign_ins if each.role == "manager")
    to_book, learner = class_to_book(content, login, now), identity.identify(login, None, now)
    return {
        "staff": sum(person.status == "employee" for person in trust.organisation.people),
        "sign_ins": [each.as_told(content.employer) for each in sign_ins],
        "learner": login,
        "class_id": to_book.id,
        "classes": classes_to_try(trust, content, learner, to_book.course, now),
        "enrolments": enrolments_to_try(trust, learner, manager, now),
        "move": move_to_try(trust, login, now),
    }


def move_to_try(trust: plan.Trust, login: str, now: datetime) -> dict[str, Any]:
    """The message that moves this learner today to the same job in the unit that asks for most that is new, and one such thing."""
    people = {each.id: each for each in trust.organisation.people}
    mover = next(each for each in people.values() if each.login == login)
    held = [each for each in trust.organisation.assignments if each.person_id == mover.id]
    present = next(each for each in held if each.primary)
    rulebook, today = rules.rulebook(trust.employer_code), london_day(now)
    required = rulebook.required_of(mover.id, map(assignment_of, held), (), today)

    def moved(place: plan.Assignment) -> plan.Assignment:
        return replace(place, number=present.number, person_id=mover.id, start=today, end=None)

    def new(place: plan.Assignment) -> list[str]:
        there = rulebook.required_of(mover.id, [assignment_of(moved(place))], (), today)
        return sorted(there.keys() - required.keys())

    elsewhere = [each for each in trust.organisation.assignments if each.unit_id != present.unit_id]
    alike = [each for each in elsewhere if each.job_id == present.job_id and new(each)]
    places = {each.position_id: each for each in alike or elsewhere}
    place = max(sorted(places.values(), key=lambda each: each.position_id), key=lambda each: len(new(each)))
    section = {
        "number": present.number,
        "starts_on": today.isoformat(),
        "unit": place.unit_id,
        "position": place.position_id,
        "job": place.job_id,
        "staff_group": place.staff_group_id,
    }
    if place.supervisor_id:
        section["supervisor"] = people[place.supervisor_id].employee_number
    change = {"id": "try-1", "sequence": 1, "employee_number": mover.employee_number, "assignments": [section]}
    return {"change": change, "person": mover.id, "unit": place.unit_id, "competency": new(place)[0]}


def class_to_book(content: Content, login: str, now: datetime) -> Class:
    """A class of next week that the service would place this learner on, if possible for something red or amber."""
    actor = identity.identify(login, None, now)
    for class_ in _most_wanted_first(content, actor, now):
        try:
            verdict = catalogue.class_detail(actor, class_.id, now).verdict
        except NotFound:
            continue  # meant for others
        if verdict and verdict.status is Status.CONFIRMED:
            return class_
    raise NothingToBook(f"{login} may enrol on none of the classes.")


def _most_wanted_first(content: Content, actor: Actor, now: datetime) -> list[Class]:
    """Dated classes from Monday on: next week's before later ones, then those for what the learner lacks, then by start."""
    assert actor.learner is not None
    lacking = compliance.of_learner(actor.learner, (Colour.RED, Colour.AMBER), london_day(now)).rows
    needed = {row.standing.competency for row in lacking}
    useful = {course.id for course in content.courses if needed & {grant.competency for grant in course.grants}}
    today = london_day(now)
    monday = today + timedelta(days=7 - today.weekday())
    sunday = monday + timedelta(days=6)
    ranked = [
        ((london_day(start) > sunday, class_.course not in useful, start), class_)
        for class_ in content.classes
        if (start := class_.starts_at) and london_day(start) >= monday
    ]
    return [class_ for _, class_ in sorted(ranked, key=itemgetter(0))]
