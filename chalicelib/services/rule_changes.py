"""A change of rules reaches everybody it concerns: the version moves, and a job judges their snapshots again (architecture §3)."""

from collections.abc import Iterable
from datetime import date, datetime
from typing import Any

from chalicelib.domain.calendar import london_day
from chalicelib.domain.events import Event, EventType
from chalicelib.domain.jobs import Job, JobKind
from chalicelib.domain.people import NATIONAL
from chalicelib.domain.projection import UNASSIGNED
from chalicelib.domain.requirements import Rulebook, Target, TargetKind
from chalicelib.services import jobs, projection
from chalicelib.storage import keys, outbox, rules
from chalicelib.storage import projection as stored
from chalicelib.storage.base import new_id
from chalicelib.storage.transaction import AlreadyDone, Transaction

GROUP = "LGR" + keys.SEPARATOR
"""How the name of a part begins that is a learner group and not a unit."""

_ANYWHERE = frozenset({TargetKind.EMPLOYER, TargetKind.POSITION, TargetKind.JOB, TargetKind.STAFF_GROUP})


def announce(
    transaction: Transaction,
    actor_id: str,
    owner: str,
    reach: Iterable[Target],
    now: datetime,
    judged_at: int | None = None,
) -> str | None:
    """Add to the transaction that changes an owner's rules: the version moved, and the job that follows; its id.

    `reach` are the targets at which something changed; EMPLOYER for what touches everybody (a competency, the amber window).
    None if no job is needed (the rules of persons alone: an event each) or known yet (the nation's: the projector starts one
    for each employer). `judged_at` is the version of the owner's rules by which the change was allowed, if it hangs on other rules.
    Committing raises Stale if another change of rules was quicker: use `@retried`.
    """
    targets = list(dict.fromkeys(reach))
    if owner == NATIONAL:
        rules.move_version(transaction, owner, keys.RULES, judged_at)
        outbox.emit(transaction, Event(new_id(now), EventType.RULES_CHANGED, owner, None, now, {"by": actor_id}))
        return None
    versions = rules.versions_now(owner)
    # A subtree is that of the tree as read: if a unit is moved meanwhile, this is looked at again.
    if judged_at is None and any(each.kind is TargetKind.UNIT for each in targets):
        judged_at = versions.own
    rules.move_version(transaction, owner, keys.RULES, judged_at)
    for target in targets:
        if target.kind is TargetKind.PERSON:
            outbox.emit(transaction, Event(new_id(now), EventType.LEARNER_CHANGED, owner, target.id, now))
    parts = parts_of(rules.rulebook_at(owner, versions), targets, london_day(now))
    if not parts:
        return None
    facts = {"reach": [[each.kind.value, each.id] for each in targets[:20]]}
    return jobs.start(transaction, owner, JobKind.RULES, actor_id, parts, facts, now).id


def parts_of(rulebook: Rulebook, reach: Iterable[Target], today: date) -> list[str]:
    """The parts of a job that reaches these targets: units, `-` for whoever has none, and learner groups.

    A unit reaches those below it today, and those that come below it on a day ahead.
    """
    targets = list(reach)
    groups = [GROUP + each.id for each in targets if each.kind is TargetKind.LEARNER_GROUP]
    if any(each.kind in _ANYWHERE for each in targets):
        return [*everywhere(rulebook), *groups]
    tops = {each.id for each in targets if each.kind is TargetKind.UNIT}
    days = (today, *rulebook.moves_after(today)) if tops else ()
    units = [
        unit
        for unit in sorted({*rulebook.units, *tops})
        if any(not tops.isdisjoint(rulebook.unit_and_above(unit, day)) for day in days)
    ]
    return [*units, *groups]


def everywhere(rulebook: Rulebook) -> list[str]:
    """Every unit, also one that only counters know, and `-` for the snapshots without a unit."""
    return [*sorted({*rulebook.units, *stored.counters(rulebook.employer)}), UNASSIGNED]


def start_everywhere(event: Event, now: datetime) -> None:
    """The nation's rules changed: a job for every employer. The event's id is the job's, so that a repetition starts none."""
    for employer in rules.employers():
        transaction = Transaction()
        parts = everywhere(rules.rulebook_now(employer))
        facts: dict[str, Any] = {"reach": [[TargetKind.EMPLOYER.value, NATIONAL]]}
        jobs.start(transaction, employer, JobKind.RULES, event.data["by"], parts, facts, now, job_id=event.id)
        try:
            transaction.commit()
        except AlreadyDone:
            continue


def follow(job: Job, part: str, now: datetime) -> dict[str, Any]:
    """One part of the job: the snapshots of a unit judged again, or the members of a group projected. How many changed."""
    if part.startswith(GROUP):
        members = stored.members_of(job.employer, part.removeprefix(GROUP))
        return {"changed": projection.project_all(job.employer, members, now)}
    return {"changed": projection.rejudge_unit(job.employer, part, now)}
