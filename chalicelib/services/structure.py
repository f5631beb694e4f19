"""An employer's structure, changed by its administrators (setting one up is `workforce.define_structure`)."""

from collections.abc import Sequence
from datetime import date, datetime

import msgspec

from chalicelib.domain.actor import Actor
from chalicelib.domain.calendar import london_day
from chalicelib.domain.errors import refuse_body
from chalicelib.domain.requirements import Rulebook, Target, TargetKind
from chalicelib.domain.structure import NAMED, StructureChange, moved
from chalicelib.services import rule_changes
from chalicelib.storage import audit, keys, rules
from chalicelib.storage.transaction import Transaction, retried


class Changed(msgspec.Struct, frozen=True):
    """What was changed, and the job that judges those concerned again, if anybody may be."""

    changed: tuple[Target, ...]
    job: str | None = None


@retried
def change_structure(actor: Actor, change: StructureChange, now: datetime) -> Changed:
    """Add or change units and names, all or nothing. What is so already stays as it is. Raises Invalid, naming every field.

    A unit that is new or moved, on whatever day, comes under other requirements: a job judges the people in and below it again.
    Moved ahead, they learn by that on which day to be judged again.
    """
    employer = actor.employer
    versions = rules.versions_now(employer)
    rulebook = rules.rulebook_at(employer, versions)
    refuse_body(change.wrong_fields(rulebook))
    units, names = change.new_units(rulebook), change.new_names(rulebook)
    changed = (*(Target(TargetKind.UNIT, each.id) for each in units), *(target for target, _ in names))
    if not changed:
        return Changed(())
    transaction = Transaction()
    for unit in units:
        transaction.put(rules.UnitRow.of(employer, unit))
    for target, name in names:
        transaction.put(rules.NamedRow.of(employer, target, name))
    if not rulebook.units:
        rules.list_employer(transaction, employer)
    now_elsewhere = {each.id for each in moved(units, rulebook)}
    job = None
    if now_elsewhere:
        reach = [each for each in changed if each.kind is TargetKind.UNIT and each.id in now_elsewhere]
        job = rule_changes.announce(transaction, actor.person, employer, reach, now, versions.own)
    else:
        rules.move_version(transaction, employer, keys.RULES, versions.own)
    facts = {
        "changed": [[each.kind.value, each.id] for each in changed],
        "moved": [[each.id, each.since.isoformat(), each.parent] for each in change.units if each.id in now_elsewhere],
    }
    audit.record(transaction, audit.Entry(employer, actor.person, "structure.changed", now, facts=facts))
    transaction.commit()
    return Changed(changed, job)


class Part(msgspec.Struct, frozen=True):
    """A unit, job, position, staff group or learner group; the unit above a unit today, and its moves to come."""

    target: Target
    name: str
    parent: str | None = None
    moves: tuple[tuple[date, str | None], ...] = ()


class StructurePage(msgspec.Struct, frozen=True):
    """A page of a structure, and where to go on."""

    parts: Sequence[Part]
    next_offset: int | None


def structure(actor: Actor, kinds: Sequence[TargetKind], limit: int, offset: int, now: datetime) -> StructurePage:
    """A page of what the employer's structure holds of these kinds, by kind and name."""
    rulebook = rules.rulebook(actor.employer)
    found = sorted(
        _parts(rulebook, kinds, london_day(now)),
        key=lambda each: (each.target.kind, each.name.casefold(), each.target.id),
    )
    end = offset + limit
    return StructurePage(found[offset:end], end if end < len(found) else None)


def _parts(rulebook: Rulebook, kinds: Sequence[TargetKind], today: date) -> list[Part]:
    wanted = set(kinds or (TargetKind.UNIT, *NAMED))
    parts = [Part(target, name) for target, name in rulebook.names.items() if target.kind in wanted - {TargetKind.UNIT}]
    if TargetKind.UNIT in wanted:
        parts += [
            Part(Target(TargetKind.UNIT, each.id), each.name, each.parent_on(today), each.moves_after(today))
            for each in rulebook.units.values()
        ]
    return [each for each in parts if each.target.kind is TargetKind.UNIT or each.target.kind in NAMED]
