"""What workforce messages have said of somebody, read before the next one and written after it (decision 0010)."""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Any

import msgspec
from pynamodb.attributes import JSONAttribute, TTLAttribute, UnicodeAttribute

from chalicelib.domain.errors import FieldError
from chalicelib.domain.people import Assignment, Employment, EmploymentKind, Person
from chalicelib.domain.workforce import Personnel, PersonSection, Register
from chalicelib.storage import keys
from chalicelib.storage.base import InstantAttribute, Record
from chalicelib.storage.cursor import going_on
from chalicelib.storage.people import (
    AssignmentRow,
    EmploymentRow,
    GrantRow,
    LoginRow,
    MembershipRow,
    NumberRow,
    PersonRow,
    stamp_from,
)
from chalicelib.storage.transaction import Transaction


class Known(msgspec.Struct, frozen=True):
    """Which of some employee numbers and logins are whose."""

    numbers: dict[str, str]
    logins: dict[str, str]


def who_has(employer: str, numbers: Iterable[str], login: str | None) -> Known:
    """Whose these employee numbers and this login are: one batch read, strongly consistent."""
    by_key = {keys.employee_number(employer, number): number for number in numbers}
    wanted = [*by_key, *([keys.login(login)] if login else [])]
    rows = list(Record.batch_get([(key, key) for key in wanted], consistent_read=True))
    return Known(
        {by_key[row.pk]: row.person for row in rows if isinstance(row, NumberRow)},
        {row.pk.partition(keys.SEPARATOR)[2]: row.person for row in rows if isinstance(row, LoginRow)},
    )


class File:
    """Everything held of one person that a message to one employer may touch, as read; empty for somebody new."""

    def __init__(self, person_id: str, employer: str, rows: Iterable[Record] | None = None) -> None:
        self._read = rows is not None
        self.person_id = person_id
        self.employer = employer
        self.profile: PersonRow | None = None
        self.employments: dict[str, EmploymentRow] = {}
        self.assignments: dict[str, AssignmentRow] = {}
        self.memberships: dict[tuple[str, date], MembershipRow] = {}
        self.roles_at: set[str] = set()
        here = keys.at_employer(employer)
        for row in rows or ():
            if isinstance(row, PersonRow):
                self.profile = row
            elif isinstance(row, EmploymentRow):
                self.employments[row.sk.split(keys.SEPARATOR)[1]] = row
            elif isinstance(row, GrantRow):
                self.roles_at.add(row.sk.split(keys.SEPARATOR)[1])
            elif isinstance(row, AssignmentRow) and row.sk.startswith(here):
                self.assignments[row.sk] = row
            elif isinstance(row, MembershipRow) and row.sk.startswith(here):
                section = row.register().value
                self.memberships[section.group, section.starts_on] = row

    @property
    def is_new(self) -> bool:
        """Whether nothing at all was held: nobody can have named them, not even as a supervisor still to come."""
        return not self._read

    @property
    def employment(self) -> EmploymentRow | None:
        """The row of the employment at this employer."""
        return self.employments.get(self.employer)

    def kept_elsewhere(self, day: date) -> bool:
        """Whether another employer keeps this person's name, e-mail and login.

        The one that registered them does, until they leave it; or whoever set them since. Then all that they have not left keep
        them for each other, until one remains. An employer does not take over a login that signs in at another.
        """
        if self.profile is None:
            return False
        held = {employer: row.employment() for employer, row in self.employments.items()}
        keepers = {employer for employer, each in held.items() if each and not each.left_before(day)}
        if self.profile.home in keepers:
            return bool(self.profile.home != self.employer)
        return bool(keepers - {self.employer})

    @property
    def is_home(self) -> bool:
        """Whether this employer was the last to say who the person is."""
        return self.profile is not None and self.profile.home == self.employer

    def personnel(self) -> Personnel:
        """What is known of the person at this employer."""
        employment, profile = self.employment, self.profile
        person = None
        if profile:
            section = PersonSection(profile.first_name, profile.last_name, profile.title, profile.email, profile.login)
            person = Register(section, stamp_from(employment.person_stamp if employment else None))
        return Personnel(
            person,
            {each.value.starts_on: each for each in (employment.registers() if employment else ())},
            {
                (each.value.number, each.value.starts_on): each
                for each in (row.register() for row in self.assignments.values())
            },
            {key: row.register() for key, row in self.memberships.items()},
        )


def read(person_id: str, employer: str) -> File:
    """Everything held of a person that a message to the employer may touch: one query, strongly consistent."""
    return File(person_id, employer, Record.query(keys.person(person_id), consistent_read=True))


def write(transaction: Transaction, file: File, number: str, after: Personnel, day: date) -> None:
    """Add to a transaction: what is known after a message, on condition that nobody else changed it since it was read.

    Every message moves the revision of the employment, so that two about one person cannot both commit on the same reading.
    """
    person = _write_person(transaction, file, after)
    _write_employment(transaction, file, person, number, after, day)
    ends = after.ends()
    for key, register in after.validities.items():
        row = AssignmentRow.of_register(file.person_id, file.employer, register, ends.get(key), day)
        before = file.assignments.get(row.sk)
        if before is None or (before.register(), before.ends_on) != (register, row.ends_on):
            transaction.put(row)
    for at, membership in after.memberships.items():
        held = file.memberships.get(at)
        if held and held.register() == membership:
            continue
        member = MembershipRow.of_register(file.person_id, file.employer, membership, day)
        transaction.put(member)
        if held and held.sk != member.sk:  # from before memberships had days
            transaction.delete(held)


def give_number(transaction: Transaction, employer: str, number: str, person_id: str) -> None:
    """Add to a transaction: an employee number that was nobody's."""
    transaction.create(NumberRow.of(employer, number, person_id))


def hand_over_number(transaction: Transaction, employer: str, number: str, promised: str, person_id: str) -> None:
    """Add to a transaction: an employee number given ahead to somebody still to come is somebody known's."""
    transaction.replace(NumberRow.of(employer, number, person_id), NumberRow.person == promised)


def move_reports(employer: str, promised: str, person_id: str) -> None:
    """Have the assignments under an id given ahead be under the person that turned out to be meant.

    Moves the revisions of those employments, so that no message writes back what it read before. Raises Stale where a message
    came between; repeating it does the rest.
    """
    for row in list(Record.gsi2.query(keys.reports_to(employer, promised))):
        if isinstance(row, AssignmentRow):
            transaction = Transaction()
            moved = [
                AssignmentRow.supervisor.set(person_id),
                AssignmentRow.gsi2pk.set(keys.reports_to(employer, person_id)),
            ]
            transaction.update(row, moved, AssignmentRow.supervisor == promised)
            employment = EmploymentRow(row.pk, keys.employment(employer))
            transaction.update(employment, [EmploymentRow.revision.add(1)], EmploymentRow.pk.exists())
            transaction.commit()


def _write_person(transaction: Transaction, file: File, after: Personnel) -> Person:
    """The profile and login if the message decided them, and the name under which every employer finds the person."""
    assert after.person is not None
    known, section = file.personnel().person, after.person.value
    person = Person(file.person_id, section.first_name, section.last_name, section.title, section.email, section.login)
    if known and known.stamp == after.person.stamp:
        if file.profile and file.employment is None:  # who changes the name at this moment has to see this employment
            _replace(transaction, file.profile)
        return person
    profile = PersonRow.of(person, file.employer)
    if file.profile:
        profile.revision = file.profile.revision
        _replace(transaction, profile)
    else:
        transaction.create(profile)
    before = known.value if known else None
    if before and before.login and before.login != section.login:
        login = LoginRow.of(before.login, file.person_id)
        transaction.delete(login, LoginRow.pk.does_not_exist() | (LoginRow.person == file.person_id))
    if section.login and (before is None or before.login != section.login):
        transaction.create(LoginRow.of(section.login, file.person_id))
    if before != section:
        for employer, row in file.employments.items():
            if employer != file.employer:
                _replace(transaction, _renamed(row, person))
    return person


def _write_employment(
    transaction: Transaction, file: File, person: Person, number: str, after: Personnel, day: date
) -> None:
    periods = sorted(after.periods.values(), key=lambda each: each.value.starts_on)
    real = after.employment(file.employer, number)
    last = periods[-1].value
    row = EmploymentRow.of(person, real or Employment(file.employer, last.kind, number, last.starts_on, last.ends_on))
    if real is None:  # found by nobody
        row.gsi1pk = row.gsi1sk = row.gsi2pk = row.gsi2sk = None
    row.remember(periods)
    row.offered_on = _offered_on(real, file, day) if real else None
    row.person_stamp = after.person.stamp if after.person else None
    before = file.employment
    row.revision = int(before.revision) if before else 0
    if before:
        _replace(transaction, row)
    else:
        row.revision = 1
        transaction.create(row)


def _offered_on(employment: Employment, file: File, day: date) -> date | None:
    """The day from which an applicant counts: on which their offer became known here. Another date for it makes no other offer."""
    before = file.employment.employment() if file.employment else None
    if employment.kind is not EmploymentKind.APPLICANT:
        return None
    if before and before.kind is EmploymentKind.APPLICANT and not before.left_before(day):
        return before.offered_on
    return day


def _renamed(row: EmploymentRow, person: Person) -> EmploymentRow:
    """The employment somewhere else under the person's new name."""
    employment = row.employment()
    row.name = person.full_name
    if employment:
        named = EmploymentRow.of(person, employment)
        row.gsi1pk, row.gsi1sk = named.gsi1pk, named.gsi1sk
    return row


def _replace(transaction: Transaction, row: EmploymentRow | PersonRow) -> None:
    """Put the row in place of the one of its revision, and move that."""
    revision, kept = int(row.revision), type(row).revision
    unmoved = kept == revision
    if revision == 0:  # rows from before revisions were kept have none
        unmoved = unmoved | kept.does_not_exist()
    row.revision = revision + 1
    transaction.replace(row, unmoved)


def supervised(person_id: str, employer: str) -> list[Assignment]:
    """The assignments of a person that have a supervisor, on whichever days."""
    prefix = keys.assignments(employer)
    rows = AssignmentRow.query(keys.person(person_id), AssignmentRow.sk.startswith(prefix))
    held = (row.assignment() for row in rows if row.held)
    return [each for each in held if each.supervisor]


def numbers_of(people: Iterable[str], employer: str) -> dict[str, str]:
    """The employee numbers of people at an employer, of those who have one."""
    wanted = [(keys.person(each), keys.employment(employer)) for each in people]
    return {row.pk.partition(keys.SEPARATOR)[2]: row.number for row in EmploymentRow.batch_get(wanted)}


class RefusalRow(Record, discriminator="workforce refusal"):
    """`E#504#REF` / `at#queue message`: a message from the bus that was refused; gone after 90 days."""

    message = UnicodeAttribute(null=True)
    number = UnicodeAttribute(null=True)
    errors = JSONAttribute()
    at = InstantAttribute()
    expires_at = TTLAttribute()


class Refused(msgspec.Struct, frozen=True):
    """A workforce message that was refused, by its id and employee number if those are any, with every wrong field."""

    at: datetime
    message: str | None
    employee_number: str | None
    errors: tuple[FieldError, ...]


REFUSALS_KEPT = timedelta(days=90)


def keep_refusal(employer: str, queue_message: str, refused: Refused) -> None:
    """Keep a refusal for whoever looks after the feed; once, however often the queue delivers the message."""
    RefusalRow(
        keys.refusals(employer),
        keys.refusal_sort(refused.at, queue_message),
        message=refused.message,
        number=refused.employee_number,
        errors=[[each.field, each.reason] for each in refused.errors],
        at=refused.at,
        expires_at=refused.at + REFUSALS_KEPT,
    ).save()


def refusals(employer: str, limit: int, after: Any) -> tuple[list[Refused], Any]:
    """A page of refusals, newest first, and where to go on."""
    pk = keys.refusals(employer)
    query = RefusalRow.query(pk, scan_index_forward=False, limit=limit, last_evaluated_key=going_on(after, "pk", pk))
    found = [
        Refused(row.at, row.message, row.number, tuple(FieldError(field, reason) for field, reason in row.errors))
        for row in query
    ]
    return found, query.last_evaluated_key
