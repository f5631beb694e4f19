"""Persons, employments, assignments, group memberships and role grants."""

from collections.abc import Iterable
from datetime import date
from typing import Any

import msgspec
from pynamodb.attributes import BooleanAttribute, JSONAttribute, NumberAttribute, UnicodeAttribute

from chalicelib.domain.learner import RoleGrant
from chalicelib.domain.people import NATIONAL, Assignment, Employment, EmploymentKind, Person
from chalicelib.domain.permissions import Role
from chalicelib.storage import keys
from chalicelib.storage.base import DayAttribute, Record
from chalicelib.storage.cursor import going_on


class PersonRow(Record, discriminator="person"):
    """`P#p` / `PROFILE`."""

    first_name = UnicodeAttribute()
    last_name = UnicodeAttribute()
    title = UnicodeAttribute(null=True)
    email = UnicodeAttribute(null=True)
    login = UnicodeAttribute(null=True)

    @classmethod
    def of(cls, person: Person) -> "PersonRow":
        """The row of a person."""
        return cls(
            keys.person(person.id),
            keys.PROFILE,
            first_name=person.first_name,
            last_name=person.last_name,
            title=person.title,
            email=person.email,
            login=person.login,
        )

    def person(self) -> Person:
        """The person of this row."""
        return Person(_person_id(self), self.first_name, self.last_name, self.title, self.email, self.login)


class LoginRow(Record, discriminator="login"):
    """`ID#login` / the same: whose login it is. Written with the person, so that no two people share one."""

    person = UnicodeAttribute()

    @classmethod
    def of(cls, login: str, person_id: str) -> "LoginRow":
        """The row of a login."""
        return cls(keys.login(login), keys.login(login), person=person_id)


class EmploymentRow(Record, discriminator="employment"):
    """`P#p` / `E#504#WHO`, searched by name through gsi1 and by number through gsi2; it holds the name a search shows."""

    name = UnicodeAttribute()
    type = UnicodeAttribute()
    number = UnicodeAttribute()
    starts_on = DayAttribute()
    ends_on = DayAttribute(null=True)

    @classmethod
    def of(cls, person: Person, employment: Employment) -> "EmploymentRow":
        """The row of an employment, indexed by the person's name."""
        return cls(
            keys.person(person.id),
            keys.employment(employment.employer),
            gsi1pk=keys.people_by_name(employment.employer, person.last_name),
            gsi1sk=keys.name_sort(person.last_name, person.first_name, person.id),
            gsi2pk=keys.employee_number(employment.employer, employment.number),
            gsi2sk=keys.person(person.id),
            name=person.full_name,
            type=employment.kind.value,
            number=employment.number,
            starts_on=employment.starts_on,
            ends_on=employment.ends_on,
        )

    def employment(self) -> Employment:
        """The employment of this row."""
        employer = self.sk.split(keys.SEPARATOR)[1]
        return Employment(employer, EmploymentKind(self.type), self.number, self.starts_on, self.ends_on)


class AssignmentRow(Record, discriminator="assignment"):
    """`P#p` / `E#504#ASG#a#from`: one job over one validity; in the views of its unit and its supervisor."""

    unit = UnicodeAttribute()
    position = UnicodeAttribute()
    job = UnicodeAttribute()
    staff_group = UnicodeAttribute()
    supervisor = UnicodeAttribute(null=True)
    primary = BooleanAttribute(default=False)
    ends_on = DayAttribute(null=True)

    @classmethod
    def of(cls, person_id: str, employer: str, assignment: Assignment) -> "AssignmentRow":
        """The row of an assignment."""
        supervisor = assignment.supervisor
        return cls(
            keys.person(person_id),
            keys.assignment(employer, assignment.number, assignment.starts_on),
            gsi1pk=keys.unit_view(employer, assignment.unit),
            gsi1sk=keys.assignment_sort(person_id, assignment.number),
            gsi2pk=keys.reports_to(employer, supervisor) if supervisor else None,
            gsi2sk=keys.person(person_id) if supervisor else None,
            unit=assignment.unit,
            position=assignment.position,
            job=assignment.job,
            staff_group=assignment.staff_group,
            supervisor=supervisor,
            primary=assignment.primary,
            ends_on=assignment.ends_on,
        )

    def assignment(self) -> Assignment:
        """The assignment of this row."""
        *_, number, starts_on = self.sk.split(keys.SEPARATOR)
        return Assignment(
            number,
            self.unit,
            self.position,
            self.job,
            self.staff_group,
            self.supervisor,
            self.primary,
            date.fromisoformat(starts_on),
            self.ends_on,
        )


class MembershipRow(Record, discriminator="membership"):
    """`P#p` / `E#504#LGR#g`: a learner in a learner group; gsi1 lists the members (decision 0003)."""

    @classmethod
    def of(cls, person_id: str, employer: str, group: str) -> "MembershipRow":
        """The row of a membership."""
        key = keys.membership(employer, group)
        return cls(keys.person(person_id), key, gsi1pk=key, gsi1sk=keys.person(person_id))

    @property
    def group(self) -> str:
        """The id of the learner group."""
        return str(self.sk.rsplit(keys.SEPARATOR, 1)[-1])


class GrantRow(Record, discriminator="grant"):
    """`P#p` / `E#504#GRANT#role`; gsi1 lists who holds a role."""

    subjects = JSONAttribute(null=True)

    @classmethod
    def of(cls, grant: RoleGrant) -> "GrantRow":
        """The row of a role grant."""
        key = keys.grant(grant.employer, grant.role)
        return cls(
            keys.person(grant.person),
            key,
            gsi1pk=key,
            gsi1sk=keys.person(grant.person),
            subjects=list(grant.subjects) or None,
        )

    def grant(self) -> RoleGrant:
        """The grant of this row."""
        _, employer, _, role = self.sk.split(keys.SEPARATOR)
        return RoleGrant(_person_id(self), employer, Role(role), tuple(self.subjects or ()))


class BookingRow(Record, discriminator="booking"):
    """`P#p` / `BOOK`: a number that every booking of this person moves, on condition that nobody else did."""

    revision = NumberAttribute(default=0)


class AppointmentRow(Record, discriminator="appointment"):
    """`E#NHS` / `FIRST_ADMINISTRATOR`: exists once the first administrator of the installation was appointed."""

    @classmethod
    def new(cls) -> "AppointmentRow":
        """The one row."""
        return cls(keys.owner(NATIONAL), keys.FIRST_ADMINISTRATOR)


def _person_id(row: Record) -> str:
    return str(row.pk.split(keys.SEPARATOR)[1])


def person_of_login(login: str) -> str | None:
    """The person id behind a login, or None."""
    try:
        return str(LoginRow.get(keys.login(login), keys.login(login)).person)
    except LoginRow.DoesNotExist:
        return None


def person(person_id: str) -> Person | None:
    """A person by id, or None."""
    try:
        return PersonRow.get(keys.person(person_id), keys.PROFILE).person()
    except PersonRow.DoesNotExist:
        return None


class Found(msgspec.Struct, frozen=True):
    """Somebody found by a search."""

    person: str
    name: str
    employment: Employment


def _found(rows: Iterable[Record]) -> list[Found]:
    return [Found(_person_id(row), row.name, row.employment()) for row in rows if isinstance(row, EmploymentRow)]


def with_number(employer: str, number: str) -> list[Found]:
    """Whoever has this employee number at the employer."""
    return _found(Record.gsi2.query(keys.employee_number(employer, number)))


def with_name(employer: str, last: str, first: str, limit: int, after: Any) -> tuple[list[Found], Any]:
    """A page of people whose last name begins with `last`, or is it if `first` begins the first name; and where to go on.

    One index query of about one unit. `last` has at least two letters.
    """
    prefix = f"{last}{keys.SEPARATOR}{first}" if first else last
    pk = keys.people_by_name(employer, last)
    after = going_on(going_on(after, "gsi1pk", pk), "gsi1sk", prefix, begins=True)
    query = Record.gsi1.query(pk, Record.gsi1sk.startswith(prefix), limit=limit, last_evaluated_key=after)
    return _found(query), query.last_evaluated_key


def reports_of(employer: str, supervisor: str, limit: int, after: Any) -> tuple[list[str], Any]:
    """A page of the ids of people with an assignment under a supervisor, each once a page, and where to go on."""
    pk = keys.reports_to(employer, supervisor)
    query = Record.gsi2.query(pk, limit=limit, last_evaluated_key=going_on(after, "gsi2pk", pk))
    return list(dict.fromkeys(_person_id(row) for row in query)), query.last_evaluated_key


def supervises_anyone(employer: str, person_id: str, day: date) -> bool:
    """Whether an assignment held on that day names this person as supervisor."""
    rows = Record.gsi2.query(keys.reports_to(employer, person_id))
    return any(isinstance(row, AssignmentRow) and row.assignment().active_on(day) for row in rows)


def rows_of_person(person: Person) -> list[Record]:
    """The profile of somebody new, and their login if they have one."""
    return [PersonRow.of(person), *([LoginRow.of(person.login, person.id)] if person.login else [])]


def rows_of_joiner(
    person: Person, employment: Employment, assignments: Iterable[Assignment], groups: Iterable[str]
) -> list[Record]:
    """Every row somebody new needs: profile, login, employment, assignments and learner groups."""
    employer = employment.employer
    return [
        *rows_of_person(person),
        EmploymentRow.of(person, employment),
        *(AssignmentRow.of(person.id, employer, each) for each in assignments),
        *(MembershipRow.of(person.id, employer, group) for group in groups),
    ]
