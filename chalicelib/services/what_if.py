"""What if: a draft of rules tried on everybody's snapshots, as a job that touches nothing (issue 3)."""

from collections.abc import Mapping
from dataclasses import astuple, dataclass
from datetime import date, datetime
from typing import Any

import msgspec

from chalicelib.domain import figures
from chalicelib.domain.actor import Actor
from chalicelib.domain.calendar import add_months, london_day
from chalicelib.domain.errors import FieldError, Invalid, NotFound
from chalicelib.domain.figures import Place
from chalicelib.domain.jobs import Job, JobKind, JobState
from chalicelib.domain.projection import Counts, judge
from chalicelib.domain.requirements import Rulebook
from chalicelib.domain.what_if import EVERYTHING, NO_EFFECT, Draft, Effect, compare, with_changes, wrong_fields
from chalicelib.services import jobs, requirements, rule_changes, units
from chalicelib.storage import audit, projection, rules
from chalicelib.storage.idempotency import Idempotency
from chalicelib.storage.transaction import Transaction

PAGE = 100
"""Snapshots read and added up at a time."""

Effects = dict[str, Effect]
"""By competency, and EVERYTHING."""


@dataclass(frozen=True, slots=True)
class Trial:
    """A draft and the London day on which it is judged: today or ahead, since snapshots do not remember what is past."""

    draft: Draft
    on: date


def trial_of(job: Job) -> Trial:
    """The draft a job tries."""
    return msgspec.convert(job.facts, Trial)


def start(actor: Actor, trial: Trial, now: datetime, once: Idempotency | None = None) -> str:
    """Start trying a draft on every unit of the actor's employer; the job's id. Raises Invalid naming every wrong field."""
    employer = actor.employer
    rulebook = rules.rulebook(employer)
    _check(trial, rulebook, london_day(now))
    transaction = Transaction()
    job_id = jobs.start(
        transaction,
        employer,
        JobKind.WHAT_IF,
        actor.person,
        rule_changes.everywhere(rulebook),
        msgspec.to_builtins(trial),
        now,
    ).id
    audit.record(transaction, audit.Entry(employer, actor.person, "what-if.started", now, facts={"job": job_id}))
    if once:
        once.remember(transaction, job_id, now)
    transaction.commit()
    return job_id


FURTHEST = 10 * 12
"""Months ahead that a draft may be judged on."""


def _check(trial: Trial, rulebook: Rulebook, today: date) -> None:
    draft = trial.draft
    wrong = [FieldError(f"body.{each.field}", each.reason) for each in wrong_fields(draft, rulebook)]
    wrong += [
        FieldError(f"body.add[{place}].target", "is no person of this employer")
        for place, _ in requirements.unknown_people(rulebook.employer, draft.add)
    ]
    if draft == Draft():
        wrong.append(FieldError("body", "holds no change to try: give add, end or amber_months"))
    if not today <= trial.on <= add_months(today, FURTHEST):
        wrong.append(FieldError("body.on", "lies before today, or more than ten years ahead"))
    if wrong:
        raise Invalid(*wrong)


# --- one part -----------------------------------------------------------------------------------------------


def try_unit(job: Job, part: str, _now: datetime) -> dict[str, Any]:
    """One part of the job: the snapshots of a unit judged under the rules as they are and as they would be.

    Reads the unit's snapshots only. What they would be is kept under the unit in which they then are.
    """
    trial, rulebook = trial_of(job), rules.rulebook(job.employer)
    drafted = with_changes(rulebook, trial.draft)
    found: dict[str, Effects] = {}
    for page in projection.pages_of_unit(job.employer, part, PAGE):
        effects: dict[str, Effects] = {}
        for snapshot in page:
            before = judge(snapshot.facts, rulebook, trial.on)
            after = judge(snapshot.facts, drafted, trial.on)
            if before.unit is not None and (compared := compare(before, after)):
                _add(effects.setdefault(before.unit, {}), compared)
        for unit, of_unit in effects.items():
            _add(found.setdefault(unit, {}), of_unit)
    return _packed(found)


def _add(sums: Effects, more: Mapping[str, Effect]) -> None:
    for competency, effect in more.items():
        sums[competency] = sums.get(competency, NO_EFFECT) + effect


def _packed(found: Mapping[str, Effects]) -> dict[str, Any]:
    """As a part keeps it: whoever turns red once, by their place in a list, and competencies only where something changes."""
    people = sorted({person for effects in found.values() for person in effects.get(EVERYTHING, NO_EFFECT).turn_red})
    places = {person: place for place, person in enumerate(people)}
    kept = {
        unit: {
            competency: [
                astuple(effect.before),
                astuple(effect.after),
                effect.no_longer,
                sorted(places[person] for person in effect.turn_red),
            ]
            for competency, effect in effects.items()
            if competency == EVERYTHING or effect.changes_something
        }
        for unit, effects in found.items()
    }
    return {"people": people, "units": kept}


def _unpacked(result: Mapping[str, Any]) -> dict[str, Effects]:
    people = result["people"]
    return {
        unit: {
            competency: Effect(
                Counts(*before), Counts(*after), no_longer, frozenset(people[place] for place in turn_red)
            )
            for competency, (before, after, no_longer, turn_red) in effects.items()
        }
        for unit, effects in result["units"].items()
    }


# --- the answer ---------------------------------------------------------------------------------------------


class UnitEffect(msgspec.Struct, frozen=True):
    """What a draft does to a unit with all units below it."""

    place: Place
    effect: Effect


class CompetencyEffect(msgspec.Struct, frozen=True):
    """What a draft does to one competency; `title` is what people read."""

    competency: str
    title: str
    effect: Effect


class Outcome(msgspec.Struct, frozen=True):
    """What the draft does to the employer or one unit with all below it; a page of the units below, and where to go on."""

    effect: Effect
    competencies: tuple[CompetencyEffect, ...]
    units: tuple[UnitEffect, ...]
    next_offset: int | None


class Progress(msgspec.Struct, frozen=True):
    """A what-if as it stands; `outcome` is None until all of it is done."""

    job: Job
    trial: Trial
    outcome: Outcome | None


def progress(employer: str, job_id: str, unit: str | None, limit: int, offset: int) -> Progress:
    """A what-if of the employer, whole or of one unit. Raises NotFound if there is none, Invalid for an unknown unit."""
    job = jobs.job(employer, job_id)
    if job.kind is not JobKind.WHAT_IF:
        raise NotFound("There is no such what-if.", job=job_id)
    outcome = _outcome(job, unit, limit, offset) if job.state is JobState.DONE else None
    return Progress(job, trial_of(job), outcome)


def _outcome(job: Job, unit: str | None, limit: int, offset: int) -> Outcome:
    own: dict[str, Effects] = {}
    for _, result in jobs.results(job.employer, job.id):
        for of_unit, effects in _unpacked(result).items():
            _add(own.setdefault(of_unit, {}), effects)
    rulebook = rules.rulebook(job.employer)
    places = units.tree_with(rulebook, own, trial_of(job).on)
    below = places
    if unit is not None:
        branch = figures.branch_of(places, unit)
        if not branch:
            raise Invalid(FieldError("query.unit", "is not a unit of this employer"))
        places, below = branch, branch[1:]
    totals = figures.with_those_below(places, {each: effects[EVERYTHING] for each, effects in own.items()}, NO_EFFECT)
    whole: Effects = {}
    for place in places:
        _add(whole, own.get(place.unit.id, {}))
    page = tuple(UnitEffect(place, totals[place.unit.id]) for place in below[offset : offset + limit])
    following = offset + limit if offset + limit < len(below) else None
    return Outcome(whole.get(EVERYTHING, NO_EFFECT), _competencies(rulebook, whole), page, following)


def _competencies(rulebook: Rulebook, effects: Effects) -> tuple[CompetencyEffect, ...]:
    shown = (
        CompetencyEffect(each, units.title_of(rulebook, each), effect)
        for each, effect in effects.items()
        if each != EVERYTHING
    )
    return tuple(sorted(shown, key=lambda each: (each.title, each.competency)))
