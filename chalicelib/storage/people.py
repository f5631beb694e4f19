"""Persons, employments, assignments, group memberships and role grants."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import date
from typing import Any

import msgspec
from pynamodb.attributes import BooleanAttribute, JSONAttribute, NumberAttribute, UnicodeAttribute

from chalicelib.domain.calendar import EARLIEST
from chalicelib.domain.learner import RoleGrant
from chalicelib.domain.people import NATIONAL, Assignment, Employment, EmploymentKind, Membership, Person
from chalicelib.domain.permissions import Role
from chalicelib.domain.workforce import (
    AssignmentSection,
    GroupSection,
    Register,
    ServiceSection,
    Stamp,
    as_assignment,
    employment_of,
    section_of,
)
from chalicelib.storage import keys
from chalicelib.storage.base import DayAttribute, Record, read_many
from chalicelib.storage.cursor import going_on


class PersonRow(Record, discriminator="person"):
    """`P#p` / `PROFILE`. Whoever changes it, or joins the person to another employer, moves `revision`."""

    first_name = UnicodeAttribute()
    last_name = UnicodeAttribute()
    title = UnicodeAttribute(null=True)
    email = UnicodeAttribute(null=True)
    login = UnicodeAttribute(null=True)
    home = UnicodeAttribute(null=True)
    revision = NumberAttribute(default=0)

    @classmethod
    def of(cls, person: Person, home: str | None = None) -> "PersonRow":
        """The row of a person; `home` is the employer that keeps their name, e-mail and login (decision 0010)."""
        return cls(
            keys.person(person.id),
            keys.PROFILE,
            first_name=person.first_name,
            last_name=person.last_name,
            title=person.title,
            email=person.email,
            login=person.login,
            home=home,
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


class NumberRow(Record, discriminator="employee number"):
    """`E#504#NO#20059417`, pk and sk: whose employee number it is. Written with the employment, so that no two people share one; or
    ahead of it, when somebody is named as supervisor before anything else is known of them.
    """

    person = UnicodeAttribute()

    @classmethod
    def of(cls, employer: str, number: str, person_id: str) -> "NumberRow":
        """The row of an employee number."""
        key = keys.employee_number(employer, number)
        return cls(key, key, person=person_id)


class EmploymentRow(Record, discriminator="employment"):
    """`P#p` / `E#504#WHO`, searched by name through gsi1 and by number through gsi2; it holds the name a search shows.

    `periods` and `person_stamp` are what workforce messages said (decision 0010); every one of them moves `revision`.
    Kind and days are those of the latest period of service, `offered_on` the day on which its offer became known.
    """

    name = UnicodeAttribute()
    type = UnicodeAttribute()
    number = UnicodeAttribute()
    starts_on = DayAttribute()
    ends_on = DayAttribute(null=True)
    periods = JSONAttribute(null=True)
    person_stamp = JSONAttribute(null=True)
    revision = NumberAttribute(default=0)
    offered_on = DayAttribute(null=True)

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
            offered_on=employment.offered_on,
        )

    def employment(self) -> Employment | None:
        """The employment of this row; None if every period of service was cancelled."""
        employer = self.sk.split(keys.SEPARATOR)[1]
        known = employment_of((each.value for each in self.registers()), employer, self.number)
        return known and replace(known, offered_on=self.offered_on)

    def registers(self) -> list[Register[ServiceSection]]:
        """The periods of service as messages gave them; the one of a row written without messages has no stamp."""
        if not self.periods:
            own = ServiceSection(EmploymentKind(self.type), self.starts_on, self.ends_on)
            return [Register(own, None)]
        return [
            Register(
                ServiceSection(
                    EmploymentKind(kind),
                    date.fromisoformat(starts_on),
                    date.fromisoformat(ends_on) if ends_on else None,
                    cancelled,
                ),
                stamp_from(stamp),
            )
            for kind, starts_on, ends_on, cancelled, stamp in self.periods
        ]

    def remember(self, periods: Iterable[Register[ServiceSection]]) -> None:
        """Keep the periods of service as messages gave them."""
        self.periods = [
            [
                each.value.kind.value,
                each.value.starts_on.isoformat(),
                each.value.ends_on.isoformat() if each.value.ends_on else None,
                each.value.cancelled,
                each.stamp,
            ]
            for each in periods
        ]


def stamp_from(stored: Any) -> Stamp | None:
    """A stamp from its stored pair."""
    return (int(stored[0]), str(stored[1])) if stored else None


class AssignmentRow(Record, discriminator="assignment"):
    """`P#p` / `E#504#ASG#a#from`: one job over one validity; in the views of its unit and its supervisor until it is over.

    `until` is the last day as it was sent, `ends_on` the effective one: the next validity may begin sooner. A row with a `marker`
    ("ended" or "cancelled") says that the assignment is not held from that day on, or that this validity never was: no assignment.
    """

    unit = UnicodeAttribute(null=True)
    position = UnicodeAttribute(null=True)
    job = UnicodeAttribute(null=True)
    staff_group = UnicodeAttribute(null=True)
    supervisor = UnicodeAttribute(null=True)
    primary = BooleanAttribute(default=False)
    ends_on = DayAttribute(null=True)
    until = DayAttribute(null=True)
    marker = UnicodeAttribute(null=True)
    stamp = JSONAttribute(null=True)

    @classmethod
    def of(cls, person_id: str, employer: str, assignment: Assignment) -> "AssignmentRow":
        """The row of an assignment that no message gave."""
        row = cls.of_register(
            person_id, employer, Register(section_of(assignment), None), assignment.ends_on, assignment.starts_on
        )
        row.until = None
        return row

    @classmethod
    def of_register(
        cls, person_id: str, employer: str, register: Register[AssignmentSection], ends_on: date | None, day: date
    ) -> "AssignmentRow":
        """The row of a validity as a message gave it, with its effective last day. One that is over by `day` is in no view."""
        section = register.value
        row = cls(
            keys.person(person_id),
            keys.assignment(employer, section.number, section.starts_on),
            unit=section.unit,
            position=section.position,
            job=section.job,
            staff_group=section.staff_group,
            supervisor=section.supervisor,
            primary=section.primary,
            ends_on=ends_on,
            until=section.ends_on,
            marker="cancelled" if section.cancelled else "ended" if section.ended else None,
            stamp=register.stamp,
        )
        if section.held and section.unit and (ends_on is None or ends_on >= day):
            row.gsi1pk = keys.unit_view(employer, section.unit)
            row.gsi1sk = keys.assignment_sort(person_id, section.number)
            row.gsi2pk = keys.reports_to(employer, section.supervisor) if section.supervisor else None
            row.gsi2sk = keys.person(person_id) if section.supervisor else None
        return row

    @property
    def held(self) -> bool:
        """Whether the row is an assignment and no marker."""
        return self.marker is None

    def register(self) -> Register[AssignmentSection]:
        """The validity as it was given."""
        *_, number, starts_on = self.sk.split(keys.SEPARATOR)
        section = AssignmentSection(
            number,
            date.fromisoformat(starts_on),
            self.until if self.stamp else self.ends_on,
            self.unit,
            self.position,
            self.job,
            self.staff_group,
            self.supervisor,
            bool(self.primary),
            self.marker == "ended",
            self.marker == "cancelled",
        )
        return Register(section, stamp_from(self.stamp))

    def assignment(self) -> Assignment:
        """The assignment of this row, which is no marker."""
        return as_assignment(self.register().value, self.ends_on)


class MembershipRow(Record, discriminator="membership"):
    """`P#p` / `E#504#LGR#g#from`: a learner in a learner group; gsi1 lists the members until the membership is over.

    A row without a day in its key is from before memberships had days, and counts since ever. `cancelled`: it never was.
    """

    ends_on = DayAttribute(null=True)
    cancelled = BooleanAttribute(default=False)
    stamp = JSONAttribute(null=True)

    @classmethod
    def of(cls, person_id: str, employer: str, membership: Membership) -> "MembershipRow":
        """The row of a membership that no message gave."""
        section = GroupSection(membership.group, membership.starts_on, membership.ends_on)
        return cls.of_register(person_id, employer, Register(section, None), membership.starts_on)

    @classmethod
    def of_register(cls, person_id: str, employer: str, register: Register[GroupSection], day: date) -> "MembershipRow":
        """The row of a membership as a message gave it. One that is over by `day` is in no view."""
        section = register.value
        row = cls(
            keys.person(person_id),
            keys.membership(employer, section.group, section.starts_on),
            ends_on=section.ends_on,
            cancelled=section.cancelled,
            stamp=register.stamp,
        )
        if not section.cancelled and (section.ends_on is None or section.ends_on >= day):
            row.gsi1pk, row.gsi1sk = keys.members(employer, section.group), keys.person(person_id)
        return row

    def register(self) -> Register[GroupSection]:
        """The membership as it was given."""
        _, _, _, group, *starts_on = self.sk.split(keys.SEPARATOR)
        since = date.fromisoformat(starts_on[0]) if starts_on else EARLIEST
        return Register(GroupSection(group, since, self.ends_on, bool(self.cancelled)), stamp_from(self.stamp))

    def membership(self) -> Membership:
        """The membership of this row, which is not cancelled."""
        section = self.register().value
        return Membership(section.group, section.starts_on, section.ends_on)


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
    return [
        Found(_person_id(row), row.name, employment)
        for row in rows
        if isinstance(row, EmploymentRow) and (employment := row.employment())
    ]


def with_number(employer: str, number: str) -> list[Found]:
    """Whoever has this employee number at the employer."""
    return _found(Record.gsi2.query(keys.employee_number(employer, number)))


def people_numbered(employer: str, numbers: Iterable[str]) -> dict[str, str]:
    """The ids of people by their employee numbers, in batches of a hundred; numbers that are nobody's are missing."""
    by_key = {keys.employee_number(employer, each): each for each in numbers}
    return {by_key[row.pk]: str(row.person) for row in NumberRow.batch_get((key, key) for key in by_key)}


def with_name(employer: str, last: str, first: str, limit: int, after: Any) -> tuple[list[Found], Any]:
    """A page of people whose last name begins with `last`, or is it if `first` begins the first name; and where to go on.

    One index query of about one unit. A single letter is a whole last name: people are indexed by two.
    """
    prefix = f"{last}{keys.SEPARATOR}{first}" if first or len(last) == 1 else last
    pk = keys.people_by_name(employer, last)
    after = going_on(going_on(after, "gsi1pk", pk), "gsi1sk", prefix, begins=True)
    query = Record.gsi1.query(pk, Record.gsi1sk.startswith(prefix), limit=limit, last_evaluated_key=after)
    return _found(query), query.last_evaluated_key


def reports_of(employer: str, supervisor: str, limit: int, after: Any) -> tuple[list[str], Any]:
    """A page of the ids of people with an assignment under a supervisor, each once a page, and where to go on."""
    pk = keys.reports_to(employer, supervisor)
    query = Record.gsi2.query(pk, limit=limit, last_evaluated_key=going_on(after, "gsi2pk", pk))
    return list(dict.fromkeys(_person_id(row) for row in query)), query.last_evaluated_key


def members_page(employer: str, group: str, limit: int, after: Any) -> tuple[list[str], Any]:
    """A page of the ids of a learner group's members, present and to come, each once a page, and where to go on. May lag."""
    pk = keys.members(employer, group)
    query = Record.gsi1.query(pk, limit=limit, last_evaluated_key=going_on(after, "gsi1pk", pk))
    return list(dict.fromkeys(_person_id(row) for row in query)), query.last_evaluated_key


def names_of(employer: str, person_ids: Iterable[str]) -> dict[str, str]:
    """The names of people (up to 100) at an employer, by their id: one batch read."""
    wanted = [(keys.person(each), keys.employment(employer)) for each in dict.fromkeys(person_ids)]
    return {_person_id(row): row.name for row in EmploymentRow.batch_get(wanted)} if wanted else {}


def granted(employer: str, role: Role) -> list[RoleGrant]:
    """Everybody who holds a granted role at an employer, also who has left since. May lag a moment behind."""
    rows = Record.gsi1.query(keys.grant(employer, role))
    return [row.grant() for row in rows if isinstance(row, GrantRow)]


def left_by(employer: str, person_ids: Iterable[str], day: date) -> set[str]:
    """Those of some people whose employment here was over before a day, or never was. Who has none never leaves."""
    wanted = [(keys.person(each), keys.employment(employer)) for each in person_ids]
    held = {_person_id(row): row.employment() for row in EmploymentRow.batch_get(wanted)} if wanted else {}
    return {each for each, employment in held.items() if employment is None or employment.left_before(day)}


def belongs_to(person_id: str, employer: str) -> bool:
    """Whether somebody has, had or will have an employment at an employer."""
    try:
        EmploymentRow.get(keys.person(person_id), keys.employment(employer))
    except EmploymentRow.DoesNotExist:
        return False
    return True


def supervises_anyone(employer: str, person_id: str, day: date) -> bool:
    """Whether an assignment held on that day names this person as supervisor."""
    return any(_supervised(employer, person_id, day))


def team_of(employer: str, supervisor: str, day: date) -> frozenset[str]:
    """The ids of everybody whom somebody supervises on a day: one index query."""
    return frozenset(_supervised(employer, supervisor, day))


def _supervised(employer: str, supervisor: str, day: date) -> Iterator[str]:
    for row in Record.gsi2.query(keys.reports_to(employer, supervisor)):
        if isinstance(row, AssignmentRow) and row.held and row.assignment().active_on(day):
            yield _person_id(row)


def held_in(employer: str, unit: str, day: date) -> Iterator[tuple[str, Assignment]]:
    """Who holds which assignment in a unit on a day. May lag a moment."""
    rows = Record.gsi1.query(keys.unit_view(employer, unit), Record.gsi1sk.startswith("ASG" + keys.SEPARATOR))
    for row in rows:
        if isinstance(row, AssignmentRow) and row.held and (assignment := row.assignment()).active_on(day):
            yield _person_id(row), assignment


def members_on(employer: str, group: str, day: date) -> set[str]:
    """Who belongs to a learner group on a day. May lag a moment."""
    rows = Record.gsi1.query(keys.members(employer, group))
    found = (row for row in rows if isinstance(row, MembershipRow))
    return {_person_id(row) for row in found if not row.cancelled and row.membership().active_on(day)}


def here_and_left(employer: str, person_ids: Iterable[str], day: date) -> tuple[set[str], set[str]]:
    """Of some people: who has an employment here that is not over on a day, and who had one. The others are unknown here."""
    here: set[str] = set()
    left: set[str] = set()
    for row in read_many(EmploymentRow, [(keys.person(each), keys.employment(employer)) for each in person_ids]):
        employment = row.employment()
        if employment is not None:
            (left if employment.left_before(day) else here).add(_person_id(row))
    return here, left


def without_address(person_ids: Iterable[str]) -> int:
    """How many of some people no e-mail address is held of."""
    rows = read_many(PersonRow, [(keys.person(each), keys.PROFILE) for each in person_ids])
    return sum(not row.email for row in rows)


def rows_of_person(person: Person, home: str | None = None) -> list[Record]:
    """The profile of somebody new, kept by the employer that registers them, and their login if they have one."""
    return [PersonRow.of(person, home), *([LoginRow.of(person.login, person.id)] if person.login else [])]


def rows_of_joiner(
    person: Person, employment: Employment, assignments: Iterable[Assignment], memberships: Iterable[Membership]
) -> list[Record]:
    """Every row somebody new needs: profile, login, employee number, employment, assignments and memberships of groups."""
    employer = employment.employer
    return [
        *rows_of_person(person, employer),
        NumberRow.of(employer, employment.number, person.id),
        EmploymentRow.of(person, employment),
        *(AssignmentRow.of(person.id, employer, each) for each in assignments),
        *(MembershipRow.of(person.id, employer, each) for each in memberships),
    ]
