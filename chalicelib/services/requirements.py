"""Requirements: listed, saved and taken back; everybody concerned is judged again by a job (architecture §3)."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

import msgspec

from chalicelib.domain.actor import Actor
from chalicelib.domain.calendar import london_day
from chalicelib.domain.errors import FieldError, NotFound, RequirementStarted, refuse_body
from chalicelib.domain.requirements import Requirement, Rulebook, Target, TargetKind, required_twice, wrong_fields
from chalicelib.services import rule_changes
from chalicelib.storage import audit, people, rules
from chalicelib.storage.transaction import Transaction, retried


class Wanted(msgspec.Struct, frozen=True):
    """Which requirements to list: those of a target, of a competency, in force on a day; all of them where nothing is said."""

    target: Target | None = None
    competency: str | None = None
    on: date | None = None

    def fits(self, requirement: Requirement) -> bool:
        """Whether a requirement is one of them."""
        return (
            (self.target is None or self.target == requirement.target)
            and (self.competency is None or self.competency == requirement.competency)
            and (self.on is None or requirement.in_force_on(self.on))
        )


class RequirementPage(msgspec.Struct, frozen=True):
    """A page of requirements, where to go on, and the rulebook that names them."""

    requirements: Sequence[Requirement]
    after: Any
    rulebook: Rulebook


def page(actor: Actor, wanted: Wanted, limit: int, after: Any) -> RequirementPage:
    """A page of the employer's requirements by target, competency and first day. `after` is the key of the last one before."""
    rulebook = rules.rulebook(actor.employer)
    beyond = tuple(after) if after else ()
    found = sorted((each for each in _all(rulebook) if each.key > beyond and wanted.fits(each)), key=_key)
    return RequirementPage(found[:limit], found[limit - 1].key if len(found) > limit else None, rulebook)


class Saved(msgspec.Struct, frozen=True):
    """A requirement as saved, others that ask the same people for the same under another period, and the job that follows.

    `job` is None if nothing changed, or if it concerns one person, who is judged again at once.
    """

    requirement: Requirement
    twice: Sequence[Requirement]
    job: str | None
    rulebook: Rulebook


@retried
def save(actor: Actor, wanted: Requirement, now: datetime) -> Saved:
    """Add a requirement, or change the one with this target, competency and first day: once it has begun, its end alone.

    Raises Invalid naming every wrong field, and RequirementStarted for what would rewrite days before today. What is so already
    stays untouched.
    """
    employer = actor.employer
    rulebook = rules.rulebook_now(employer)
    before = _kept(wanted, rulebook)
    check(wanted, rulebook, before)
    twice = required_twice(wanted, rulebook)
    if before == wanted:
        return Saved(wanted, twice, None, rulebook)
    if before and wanted.rewrites(before, london_day(now)):
        raise RequirementStarted(
            "This requirement has started: its level, and whether it was in force before today, stay as they were.",
            way_out="End it, yesterday at the earliest, and begin another: POST /v1/requirements with a starts_on of its own.",
            starts_on=str(wanted.starts_on),
        )
    transaction = Transaction()
    transaction.put(rules.RequirementRow.of(employer, wanted))
    job = _announce(transaction, actor, "requirement.saved", wanted, before, rulebook, now)
    transaction.commit()
    return Saved(wanted, twice, job, rulebook)


@retried
def take_back(actor: Actor, target: Target, competency: str, starts_on: date, now: datetime) -> str | None:
    """Remove a requirement that has not started; the job that follows. Raises NotFound, or RequirementStarted once it has."""
    employer = actor.employer
    wanted = Requirement(target, competency, 0, starts_on)
    rulebook = rules.rulebook_now(employer)
    before = _kept(wanted, rulebook)
    if before is None:
        raise NotFound("There is no such requirement.")
    if starts_on <= london_day(now):
        raise RequirementStarted(
            "This requirement has started, so that it cannot be removed.", starts_on=str(starts_on)
        )
    transaction = Transaction()
    transaction.delete(rules.RequirementRow.of(employer, before))
    job = _announce(transaction, actor, "requirement.taken-back", None, before, rulebook, now)
    transaction.commit()
    return job


def check(requirement: Requirement, rulebook: Rulebook, before: Requirement | None = None) -> None:
    """Raise Invalid naming every field of a body with this requirement that cannot be. Reads the person it is aimed at, if any.

    What it shares with the one it changes is as it was, even if it could not be saved today: it can be ended all the same.
    """
    wrong = [
        each
        for each in wrong_fields(requirement, rulebook)
        if before is None or getattr(before, each.field) != getattr(requirement, each.field)
    ]
    if before is None and unknown_people(rulebook.employer, (requirement,)):
        wrong.append(FieldError("target", "is no person of this employer"))
    refuse_body(wrong)


def unknown_people(employer: str, requirements: Sequence[Requirement]) -> list[tuple[int, str]]:
    """The persons at whom requirements are aimed and who are not of this employer, each with its place. One batch read."""
    aimed_at = [
        (place, each.target.id) for place, each in enumerate(requirements) if each.target.kind is TargetKind.PERSON
    ]
    known = people.names_of(employer, [person for _, person in aimed_at])
    return [(place, person) for place, person in aimed_at if person not in known]


def _all(rulebook: Rulebook) -> list[Requirement]:
    return [each for rules_of_target in rulebook.requirements.values() for each in rules_of_target]


def _kept(wanted: Requirement, rulebook: Rulebook) -> Requirement | None:
    """The requirement with this target, competency and first day as it is, if there is one."""
    return next((each for each in _all(rulebook) if each.key == wanted.key), None)


def _key(requirement: Requirement) -> tuple[str, ...]:
    return requirement.key


def _announce(
    transaction: Transaction,
    actor: Actor,
    action: str,
    after: Requirement | None,
    before: Requirement | None,
    rulebook: Rulebook,
    now: datetime,
) -> str | None:
    """Add what follows from a change of one requirement: version, job and audit; the job's id. Only while the rulebook holds."""
    changed = after or before
    assert changed is not None
    target, judged_at = changed.target, rulebook.version[0]
    job = rule_changes.announce(transaction, actor.person, actor.employer, [target], now, judged_at)
    facts = {
        "target": [target.kind.value, target.id],
        "competency": changed.competency,
        "starts_on": str(changed.starts_on),
        "before": before and _said(before),
        "after": after and _said(after),
        "job": job,
    }
    person = target.id if target.kind is TargetKind.PERSON else None
    audit.record(transaction, audit.Entry(actor.employer, actor.person, action, now, person, facts))
    return job


def _said(requirement: Requirement) -> dict[str, Any]:
    ends_on = requirement.ends_on
    return {"minimum_level": requirement.minimum_level, "ends_on": str(ends_on) if ends_on else None}
