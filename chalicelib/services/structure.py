"""An employer's structure, changed by its administrators (setting one up is `workforce.define_structure`)."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from chalicelib.domain.actor import Actor
from chalicelib.domain.errors import FieldError, Invalid
from chalicelib.domain.requirements import Rulebook, Target, TargetKind
from chalicelib.domain.structure import NAMED, StructureChange
from chalicelib.services import rule_changes
from chalicelib.storage import audit, keys, rules
from chalicelib.storage.transaction import Stale, Transaction, retried


class Changed(msgspec.Struct, frozen=True):
    """What was changed, and the job that judges those concerned again, if anybody may be."""

    changed: tuple[Target, ...]
    job: str | None = None


@retried
def change_structure(actor: Actor, change: StructureChange, now: datetime) -> Changed:
    """Add or change units and names, all or nothing. What is so already stays as it is. Raises Invalid, naming every field.

    A unit that is new or moved comes under other requirements: a job judges the people in and below it again.
    """
    employer = actor.employer
    versions = rules.versions_now(employer)
    rulebook = rules.rulebook_at(employer, versions)
    if wrong := change.wrong_fields(rulebook):
        raise Invalid(*(FieldError(f"body.{each.field}", each.reason) for each in wrong))
    new = change.beyond(rulebook)
    changed = (*(Target(TargetKind.UNIT, each.id) for each in new.units), *(target for target, _ in new.names))
    if not changed:
        return Changed(())
    transaction = Transaction()
    for unit in new.units:
        transaction.put(rules.UnitRow.of(employer, unit))
    for target, name in new.names:
        transaction.put(rules.NamedRow.of(employer, target, name))
    if not rulebook.units:
        rules.list_employer(transaction, employer)
    moved = new.moved(rulebook)
    job = None
    if moved:
        job = rule_changes.announce(transaction, actor.person, employer, moved, now)
        if rules.versions_now(employer) != versions:  # announced on a newer tree than was judged
            raise Stale
    else:
        rules.move_version(transaction, employer, keys.RULES, versions.own)
    facts = {"changed": [[each.kind.value, each.id] for each in changed], "moved": [each.id for each in moved]}
    audit.record(transaction, audit.Entry(employer, actor.person, "structure.changed", now, facts=facts))
    transaction.commit()
    return Changed(changed, job)


class Part(msgspec.Struct, frozen=True):
    """A unit, job, position, staff group or learner group; `parent` is the unit above a unit."""

    target: Target
    name: str
    parent: str | None = None


class StructurePage(msgspec.Struct, frozen=True):
    """A page of a structure, and where to go on."""

    parts: Sequence[Part]
    next_offset: int | None


def structure(actor: Actor, kinds: Sequence[TargetKind], limit: int, offset: int) -> StructurePage:
    """A page of what the employer's structure holds of these kinds, by kind and name."""
    rulebook = rules.rulebook(actor.employer)
    found = sorted(_parts(rulebook, kinds), key=lambda each: (each.target.kind, each.name.casefold(), each.target.id))
    end = offset + limit
    return StructurePage(found[offset:end], end if end < len(found) else None)


def _parts(rulebook: Rulebook, kinds: Sequence[TargetKind]) -> list[Part]:
    wanted = set(kinds or (TargetKind.UNIT, *NAMED))
    parts = [Part(target, name) for target, name in rulebook.names.items() if target.kind in wanted - {TargetKind.UNIT}]
    if TargetKind.UNIT in wanted:
        parts += [Part(Target(TargetKind.UNIT, each.id), each.name, each.parent) for each in rulebook.units.values()]
    return [each for each in parts if each.target.kind is TargetKind.UNIT or each.target.kind in NAMED]
