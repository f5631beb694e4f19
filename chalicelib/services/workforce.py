"""An employer's structure, and the people who join it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Any

import msgspec

from chalicelib.domain import workforce as rules_of
from chalicelib.domain.actor import Actor
from chalicelib.domain.calendar import london_day
from chalicelib.domain.errors import FieldError, NotFound
from chalicelib.domain.events import Event, EventType
from chalicelib.domain.people import Assignment, Employment, Membership, Person, Unit
from chalicelib.domain.requirements import Rulebook, Target
from chalicelib.domain.workforce import Applied, Change
from chalicelib.services import definitions
from chalicelib.storage import audit, keys, outbox, people, rules
from chalicelib.storage import workforce as stored
from chalicelib.storage.base import Record, new_id
from chalicelib.storage.transaction import Transaction, retried
from chalicelib.storage.workforce import Refused


class Structure(msgspec.Struct, frozen=True):
    """An employer's name, its organisation tree, and the names of its jobs, positions, staff groups and learner groups."""

    name: str
    units: Sequence[Unit]
    names: Sequence[tuple[Target, str]]


def define_structure(actor: str, employer: str, structure: Structure, now: datetime) -> None:
    """Set up or update an employer's structure. Repeating it changes nothing, and settings stay as they are.

    Units are put as given, with their moves: a reorganisation goes through `structure.change_structure`, which keeps what was.
    """
    transaction = Transaction()
    rules.list_employer(transaction, employer)
    rules.name_employer(transaction, employer, structure.name)
    rules.move_version(transaction, employer, keys.RULES)
    facts = {"units": len(structure.units), "names": len(structure.names)}
    audit.record(transaction, audit.Entry(employer, actor, "employer.named", now, facts=facts))
    transaction.commit()
    rows: list[Record] = [rules.UnitRow.of(employer, unit) for unit in structure.units]
    rows += [rules.NamedRow.of(employer, target, name) for target, name in structure.names]
    definitions.define(actor, employer, "structure.defined", rows, now)


class Outcome(msgspec.Struct, frozen=True):
    """What became of a change: "accepted"; "unchanged" (a repetition, a late message, or what was known); or "refused".

    `changed` names the sections whose content changed, `errors` every wrong field, `warnings` what was done otherwise than asked.
    `repeated`: unchanged because this very message was taken in before, and decides something still.
    """

    state: str
    person: str | None = None
    changed: tuple[str, ...] = ()
    errors: tuple[FieldError, ...] = ()
    warnings: tuple[str, ...] = ()
    repeated: bool = False


def apply(actor: str, employer: str, change: Change, rulebook: Rulebook, now: datetime) -> Outcome:
    """Take in one message about one person: joiner, mover or leaver, in one transaction. Never raises for what it says.

    Raises Conflict or Unavailable if it could not be written; then it may be sent again. Two reads at most, unless a supervisor
    changes: then a read for each supervisor above.
    """
    wrong = rules_of.wrong_fields(change, rulebook)
    return Outcome("refused", errors=wrong) if wrong else _take_in(actor, employer, change, now)


def apply_all(actor: Actor, changes: Iterable[Change], now: datetime) -> list[tuple[Change, Outcome]]:
    """Take in messages at the actor's employer one after the other, each by itself; what became of each."""
    rulebook = rules.rulebook(actor.employer)
    return [(each, apply(actor.person, actor.employer, each, rulebook, now)) for each in changes]


FEED = "system:workforce-feed"


def take_from_bus(employer: str, change: Change, now: datetime) -> Outcome:
    """Take in a message from the bus. Raises NotFound for an employer that does not use the service."""
    rulebook = rules.rulebook(employer)
    if not rulebook.units:
        raise NotFound("There is no such employer.", employer=employer)
    return apply(FEED, employer, change, rulebook, now)


def refusals(actor: Actor, limit: int, after: Any) -> tuple[list[Refused], Any]:
    """A page of messages from the bus that were refused at the actor's employer, newest first, and where to go on."""
    return stored.refusals(actor.employer, limit, after)


@retried
def _take_in(actor: str, employer: str, change: Change, now: datetime) -> Outcome:
    today = london_day(now)
    named = [each.supervisor for each in change.assignments if each.supervisor and each.held]
    login = change.person.login if change.person else None
    known = stored.who_has(employer, [change.employee_number, *named], login)
    holder = known.numbers.get(change.employee_number)
    promised = None
    if holder and change.person_id and holder != change.person_id and stored.read(holder, employer).profile is None:
        # The number was given to somebody still to come, who now turns out to be somebody known already.
        promised, holder = holder, None
    person = holder or change.person_id
    file = stored.read(person, employer) if person else stored.File(new_id(now), employer)
    if wrong := _wrong_person(change, holder, file):
        return Outcome("refused", errors=wrong)
    ahead = {number: new_id(now) for number in dict.fromkeys(named) if number not in known.numbers}
    sections, warnings = _reworded(change, file, known.numbers | ahead, today)
    warnings += [f"supervisor {number} is not known yet" for number in ahead]
    applied = rules_of.apply(file.personnel(), sections)
    errors = rules_of.missing_sections(applied.personnel)
    if not errors and applied.newer:
        circles = _circles(sections, applied, file, {file.person_id, promised or file.person_id}, today)
        errors = (*_login_taken(applied, known, file), *circles)
    if errors:
        return Outcome("refused", file.person_id if file.profile else None, errors=errors)
    if not applied.newer:
        return Outcome("unchanged", file.person_id, warnings=tuple(warnings), repeated=applied.repeated)
    transaction = Transaction()
    for number, supervisor in ahead.items():
        stored.give_number(transaction, employer, number, supervisor)
    if promised:
        stored.hand_over_number(transaction, employer, change.employee_number, promised, file.person_id)
        ids = {"promised": promised, "person": file.person_id}
        outbox.emit(transaction, Event(new_id(now), EventType.SUPERVISOR_KNOWN, employer, None, now, ids))
    elif not holder:
        stored.give_number(transaction, employer, change.employee_number, file.person_id)
    stored.write(transaction, file, change.employee_number, applied.personnel, today)
    if applied.changed:
        _tell(transaction, actor, file, change, applied.changed, now)
    transaction.commit()
    return Outcome("accepted" if applied.changed else "unchanged", file.person_id, applied.changed, (), tuple(warnings))


def _tell(
    transaction: Transaction, actor: str, file: stored.File, change: Change, changed: Sequence[str], now: datetime
) -> None:
    action = "person.changed" if file.employment else "person.joined"
    facts = {"message": change.id, "sequence": change.sequence, "changed": list(changed)}
    outbox.emit(transaction, Event(new_id(now), EventType.LEARNER_CHANGED, file.employer, file.person_id, now))
    audit.record(transaction, audit.Entry(file.employer, actor, action, now, file.person_id, facts))


def _wrong_person(change: Change, holder: str | None, file: stored.File) -> tuple[FieldError, ...]:
    """What is wrong with whom the message is about, if it names them by person id."""
    if change.person_id is None:
        return ()
    if holder and holder != change.person_id:
        return (FieldError("person_id", "is not the person with this employee number"),)
    if file.profile is None:
        return (FieldError("person_id", "is nobody known"),)
    if file.employment and file.employment.number != change.employee_number:
        return (FieldError("employee_number", "is not the one this person has here already"),)
    return ()


def _reworded(change: Change, file: stored.File, numbers: Mapping[str, str], today: date) -> tuple[Change, list[str]]:
    """The message with supervisors as person ids, and without what another employer decides; with a warning for that.

    Name, e-mail and login belong to the employer that registered somebody until they leave it, and the login of somebody who
    holds a role to nobody's feed: otherwise a feed could sign in with that role, or take over a login at another employer.
    """
    warnings = []
    person = change.person
    if person and file.kept_elsewhere(today):
        person = None
        warnings.append("person: left as it is, because another employer keeps this person's name, e-mail and login")
    elif person and file.roles_at - {file.employer} and not file.is_home:
        person = None
        warnings.append("person: left as it is, because this person holds a role elsewhere")
    elif person and file.profile and file.roles_at and person.login != file.profile.login:
        person = replace(person, login=file.profile.login)
        warnings.append("person.login: left as it is until no role is held: one could sign in with it")
    assignments = [
        replace(each, supervisor=numbers[each.supervisor]) if each.held and each.supervisor else each
        for each in change.assignments
    ]
    return replace(change, person=person, assignments=assignments), warnings


def _login_taken(applied: Applied, known: stored.Known, file: stored.File) -> tuple[FieldError, ...]:
    person = applied.personnel.person
    login = person.value.login if person else None
    taken = "person" in applied.changed and login and known.logins.get(login, file.person_id) != file.person_id
    return (FieldError("person.login", "is somebody else's"),) if taken else ()


HIGHEST_CHAIN = 20
"""Supervisors looked up above somebody: more levels than any employer has."""


MOST_DAYS = 50
"""Days on which a chain of supervisors is looked at."""


def _circles(
    change: Change, applied: Applied, file: stored.File, person: set[str], today: date
) -> Iterator[FieldError]:
    """Assignments of the message whose supervisor is, through others, supervised by the person (under any of these ids)."""
    if file.is_new:
        return  # supervises nobody
    ends = applied.personnel.ends()
    for index, each in enumerate(change.assignments):
        name = rules_of.section_name(each)
        last_day = ends.get((each.number, each.starts_on))
        over = last_day is not None and last_day < today
        if not each.held or not each.supervisor or over or name not in applied.changed:
            continue
        chain = _chain(file.employer, each.supervisor, person, max(each.starts_on, today), last_day)
        if chain:
            numbers = stored.numbers_of(chain, file.employer) | dict.fromkeys(person, change.employee_number)
            reason = f"reports to this person: {' - '.join(numbers.get(one, one) for one in chain)}"
            yield FieldError(f"assignments[{index}].supervisor", reason)


def _chain(employer: str, supervisor: str, person: set[str], first_day: date, last_day: date | None) -> list[str]:
    """The ids from a supervisor upwards to the person, if one leads to the other on any of these days.

    It is looked for on the first day and, since a chain only closes where somebody in it gets a supervisor, on each later day on
    which an assignment of those looked at begins. Everybody is read once.
    """
    held: dict[str, list[Assignment]] = {}
    day: date | None = first_day
    for _ in range(MOST_DAYS):
        if day is None:
            break
        if chain := _chain_on(day, employer, supervisor, person, held):
            return chain
        begins = {each.starts_on for assignments in held.values() for each in assignments}
        day = min((each for each in begins if day < each and (last_day is None or each <= last_day)), default=None)
    return []


def _chain_on(
    day: date, employer: str, supervisor: str, person: set[str], held: dict[str, list[Assignment]]
) -> list[str]:
    """The same on one day; who is read for it is added to those held."""
    below: dict[str, str | None] = {supervisor: None}
    level = [supervisor]
    for _ in range(HIGHEST_CHAIN):
        if not level or person & below.keys():
            break
        held |= {each: stored.supervised(each, employer) for each in level if each not in held}
        above = {
            one.supervisor: each
            for each in level
            for one in held[each]
            if one.supervisor and one.supervisor not in below and one.active_on(day)
        }
        below |= above
        level = list(above)
    chain: list[str] = []
    current = next(iter(person & below.keys()), None)
    while current is not None:
        chain.append(current)
        current = below[current]
    return chain[::-1]


class Joiner(msgspec.Struct, frozen=True):
    """Somebody who joins an employer, with their assignments and memberships of learner groups."""

    person: Person
    employment: Employment
    assignments: Sequence[Assignment] = ()
    memberships: Sequence[Membership] = ()


def join(actor: str, joiner: Joiner, now: datetime) -> None:
    """Register somebody new: person, employment, assignments and memberships in one transaction. Raises Conflict if they exist."""
    transaction = Transaction()
    employer, person = joiner.employment.employer, joiner.person
    for row in people.rows_of_joiner(person, joiner.employment, joiner.assignments, joiner.memberships):
        transaction.create(row)
    facts = {"kind": joiner.employment.kind.value, "assignments": [each.number for each in joiner.assignments]}
    outbox.emit(transaction, Event(new_id(now), EventType.LEARNER_CHANGED, employer, person.id, now))
    audit.record(transaction, audit.Entry(employer, actor, "person.joined", now, person.id, facts))
    transaction.commit_new("This person is registered already.")
