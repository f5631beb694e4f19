"""Frameworks of competencies, and what an employer requires."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

import msgspec

from chalicelib.domain import framework, framework_file, reminders
from chalicelib.domain.actor import Actor
from chalicelib.domain.calendar import london_day
from chalicelib.domain.competency import Competency
from chalicelib.domain.errors import FieldError, Invalid, NotFound, refuse_body
from chalicelib.domain.framework import Caution
from chalicelib.domain.people import NATIONAL
from chalicelib.domain.requirements import Requirement, Rulebook, Target, TargetKind
from chalicelib.services import definitions, rule_changes
from chalicelib.storage import audit, rules
from chalicelib.storage.transaction import Transaction, retried

ADDED, CHANGED, UNCHANGED = "added", "changed", "unchanged"


def define_competencies(actor: str, owner: str, competencies: Sequence[Competency], now: datetime) -> None:
    """Add or update competencies of an owner's framework."""
    rows = [rules.CompetencyRow.of(owner, each) for each in competencies]
    definitions.define(actor, owner, "competencies.defined", rows, now)


def require(actor: str, employer: str, requirements: Sequence[Requirement], now: datetime) -> None:
    """Add or update requirements of an employer; everybody's compliance follows with their next look."""
    rows = [rules.RequirementRow.of(employer, each) for each in requirements]
    definitions.define(actor, employer, "requirements.defined", rows, now)


# --- what administrators see and change ---------------------------------------------------------------------


class Wanted(msgspec.Struct, frozen=True):
    """Which competencies to list: those whose name has every one of the words, of an owner, of a subject."""

    words: str = ""
    owner: str | None = None
    subject: str | None = None

    def fits(self, competency: Competency) -> bool:
        """Whether a competency is one of them."""
        name = competency.name.casefold()
        return (
            all(word in name for word in self.words.casefold().split())
            and (self.owner is None or framework.owner_of(competency.name) == self.owner)
            and (self.subject is None or competency.subject.casefold() == self.subject.casefold())
        )


class CompetencyList(msgspec.Struct, frozen=True):
    """A page of competencies by name, how many there are in all, and the last name if there are more."""

    competencies: tuple[Competency, ...]
    total: int
    after: str | None


def listed(employer: str, wanted: Wanted, limit: int, after: str | None) -> CompetencyList:
    """National competencies and the employer's own, by name, from behind `after` on: from memory while rules stand."""
    found = sorted(
        (each for each in rules.rulebook(employer).competencies.values() if wanted.fits(each)),
        key=lambda each: each.name,
    )
    rest = [each for each in found if after is None or each.name > after]
    return CompetencyList(tuple(rest[:limit]), len(found), rest[limit - 1].name if len(rest) > limit else None)


class Defined(msgspec.Struct, frozen=True):
    """A competency as it is now, what became of it, what to warn of, and the job that follows if there is one."""

    competency: Competency
    state: str
    cautions: tuple[Caution, ...]
    job_id: str | None


@retried
def define(actor: Actor, competency: Competency, now: datetime) -> Defined:
    """Add or change a competency of the employer's framework. If it is as it was, nothing is written.

    Everybody is judged again by it, but awards keep the expiry they were made with (domain.md §3). Raises Invalid by `body.…`.
    """
    owner = actor.employer
    versions = rules.versions_now(owner)
    rulebook = rules.rulebook_at(owner, versions)
    refuse_body(error for _, error in framework.wrong_fields([competency], owner, rulebook.competencies))
    before = rulebook.competencies.get(competency.name)
    state = _state(before, competency)
    warned = _cautions(competency, rulebook, london_day(now))
    if state == UNCHANGED:
        return Defined(competency, state, warned, None)
    transaction = Transaction()
    transaction.put(rules.CompetencyRow.of(owner, competency))
    job_id = rule_changes.announce(transaction, actor.person, owner, [_everybody(owner)], now, versions.own)
    facts = {"before": before and _facts(before), "after": _facts(competency)}
    audit.record(transaction, audit.Entry(owner, actor.person, "competency.defined", now, facts=facts))
    transaction.commit()
    return Defined(competency, state, warned, job_id)


def _everybody(employer: str) -> Target:
    return Target(TargetKind.EMPLOYER, employer)


def _state(before: Competency | None, after: Competency) -> str:
    if before is None:
        return ADDED
    return UNCHANGED if before == after else CHANGED


def _facts(competency: Competency) -> dict[str, Any]:
    facts: dict[str, Any] = msgspec.to_builtins(competency)
    return facts


def _cautions(competency: Competency, rulebook: Rulebook, day: date) -> tuple[Caution, ...]:
    owner = rulebook.employer
    if owner == NATIONAL:
        required = rules.required_anywhere(competency.name)
    else:
        every = (each for rules_at in rulebook.requirements.values() for each in rules_at)
        required = [(owner, each) for each in every if each.competency == competency.name]
    return framework.cautions(competency, required, owner, day)


# --- a framework as a file ----------------------------------------------------------------------------------


class Imported(msgspec.Struct, frozen=True):
    """How many competencies of a file were added, changed or as they were already, and the job that follows if there is one."""

    added: int
    changed: int
    unchanged: int
    job_id: str | None


def exported(employer: str, owner: str) -> str:
    """A framework as CSV: the employer's own, or the nation's. Raises Invalid for another."""
    if owner not in (employer, NATIONAL):
        raise Invalid(FieldError("query.owner", f"is neither {employer} nor {NATIONAL}"))
    return framework_file.write(
        each for each in rules.rulebook(employer).competencies.values() if framework.owner_of(each.name) == owner
    )


def imported(actor: Actor, raw: bytes, now: datetime) -> Imported:
    """Add and change the competencies of a CSV file in the employer's framework; those it does not name stay as they are.

    The whole file is checked first and nothing is written unless all of it is right; Invalid names what is not by row and column.
    Up to 90 changes are one transaction; more are several, of which a repetition after a crash finishes the rest.
    """
    owner = actor.employer
    known = rules.rulebook_now(owner).competencies
    found = framework_file.read(raw, owner, known)
    states = Counter(_state(known.get(each.name), each) for each in found)
    rows = [rules.CompetencyRow.of(owner, each) for each in found if known.get(each.name) != each]
    job_id = definitions.define(actor.person, owner, "framework.imported", rows, now)
    return Imported(states[ADDED], states[CHANGED], states[UNCHANGED], job_id)


# --- settings -----------------------------------------------------------------------------------------------


class Settings(msgspec.Struct, frozen=True):
    """What an employer may set, and the job that follows a change."""

    employer: str
    name: str
    amber_months: int
    renewal_leads: tuple[int, ...]
    job_id: str | None = None


def settings(employer: str) -> Settings:
    """The settings of an employer. Raises NotFound if it has none yet."""
    return _settings(rules.rulebook(employer))


def _settings(rulebook: Rulebook) -> Settings:
    name = rulebook.names.get(_everybody(rulebook.employer))
    if name is None:
        raise NotFound("There is no employer here to have settings.", employer=rulebook.employer)
    return Settings(rulebook.employer, name, rulebook.amber_months, rulebook.renewal_leads)


@retried
def change_settings(actor: Actor, changes: Mapping[str, Any], now: datetime) -> Settings:
    """Change some of an employer's settings, by their names in Settings; the others stay. As they were: nothing is written.

    `amber_months` is how many calendar months before expiry amber begins (domain.md §3), `renewal_leads` are the days before expiry
    on which people are reminded (§9, N14). Raises Invalid by `body.…`.
    """
    employer = actor.employer
    rulebook = rules.rulebook_now(employer)
    before = _settings(rulebook)
    after = msgspec.structs.replace(before, **changes)
    refuse_body(reminders.wrong_leads(after.renewal_leads))
    after = msgspec.structs.replace(after, renewal_leads=tuple(sorted(after.renewal_leads, reverse=True)))
    changed = {each for each in changes if getattr(before, each) != getattr(after, each)}
    if not changed:
        return before
    transaction = Transaction()
    rules.set_settings(transaction, employer, after.amber_months, after.renewal_leads)
    judged_at = rulebook.version[0]
    job_id = rule_changes.announce(transaction, actor.person, employer, [_everybody(employer)], now, judged_at)
    facts = {each: {"before": getattr(before, each), "after": getattr(after, each)} for each in sorted(changed)}
    audit.record(transaction, audit.Entry(employer, actor.person, "settings.changed", now, facts=facts))
    transaction.commit()
    return msgspec.structs.replace(after, job_id=job_id)
