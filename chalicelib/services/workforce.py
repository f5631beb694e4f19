"""An employer's structure, and the people who join it."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from chalicelib.domain.errors import FieldError
from chalicelib.domain.events import Event, EventType
from chalicelib.domain.people import Assignment, Employment, Person, Unit
from chalicelib.domain.requirements import Rulebook, Target
from chalicelib.domain.workforce import Change
from chalicelib.services import definitions
from chalicelib.storage import audit, keys, outbox, people, rules
from chalicelib.storage.base import Record, new_id
from chalicelib.storage.transaction import Transaction


class Structure(msgspec.Struct, frozen=True):
    """An employer's name, its organisation tree, and the names of its jobs, positions, staff groups and learner groups."""

    name: str
    units: Sequence[Unit]
    names: Sequence[tuple[Target, str]]


def define_structure(actor: str, employer: str, structure: Structure, now: datetime) -> None:
    """Set up or update an employer's structure. Repeating it changes nothing, and settings stay as they are."""
    transaction = Transaction()
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
    """Take in one message about one person: joiner, mover or leaver, in one transaction. Never raises for what it says."""
    raise NotImplementedError


class Joiner(msgspec.Struct, frozen=True):
    """Somebody who joins an employer, with their assignments and learner groups."""

    person: Person
    employment: Employment
    assignments: Sequence[Assignment] = ()
    groups: Sequence[str] = ()


def join(actor: str, joiner: Joiner, now: datetime) -> None:
    """Register somebody new: person, employment, assignments and groups in one transaction. Raises Conflict if they exist."""
    transaction = Transaction()
    employer, person = joiner.employment.employer, joiner.person
    for row in people.rows_of_joiner(person, joiner.employment, joiner.assignments, joiner.groups):
        transaction.create(row)
    facts = {"kind": joiner.employment.kind.value, "assignments": [each.number for each in joiner.assignments]}
    outbox.emit(transaction, Event(new_id(now), EventType.LEARNER_CHANGED, employer, person.id, now))
    audit.record(transaction, audit.Entry(employer, actor, "person.joined", now, person.id, facts))
    transaction.commit_new("This person is registered already.")
