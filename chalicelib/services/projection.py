"""Compliance of everybody, materialised: snapshots follow every change of records, of rules and of the date (architecture §3).

Three rules keep it exact (decision 0009). Counters change only by exact differences, in the transaction of their snapshot and on
condition of its revision. Whoever has written looks again, until records and snapshots agree. And whoever has worked under
rules looks afterwards whether they still stand.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, datetime
from typing import Any, TypeVar

import msgspec

from chalicelib.domain.auto_enrolment import to_decide
from chalicelib.domain.calendar import london_day
from chalicelib.domain.enrolment import lost_by_leaving
from chalicelib.domain.errors import Conflict
from chalicelib.domain.events import Event, EventType
from chalicelib.domain.learner import Learner
from chalicelib.domain.movers import moved
from chalicelib.domain.projection import NOTHING, UNASSIGNED, Counts, Snapshot, facts_of, judge, looks_due
from chalicelib.domain.requirements import Rulebook, TargetKind
from chalicelib.observability import log_fault
from chalicelib.services import enrolment, movers, waiting
from chalicelib.storage import learner as learners
from chalicelib.storage import people, queues, rules
from chalicelib.storage import projection as stored
from chalicelib.storage.base import new_id
from chalicelib.storage.projection import Change
from chalicelib.storage.transaction import ATTEMPTS, retried

T = TypeVar("T")

TOGETHER = 20
"""Snapshots judged and written in one transaction."""


def under_current_rules(employer: str, work: Callable[[Rulebook], T]) -> T:
    """Do projecting work under the employer's rules, and again if they moved meanwhile: old rules never have the last word.

    Two small reads, however much work it is. Raises Conflict if the rules move faster than the work is done.
    """
    versions = rules.versions_now(employer)
    for _ in range(ATTEMPTS):
        result = work(rules.rulebook_at(employer, versions))
        now = rules.versions_now(employer)
        if now == versions:
            return result
        versions = now
    raise Conflict("The rules change faster than people can be projected.")


# --- from records ---------------------------------------------------------------------------------------------


def project(person: str, employer: str, now: datetime) -> Learner | None:
    """Make a person's snapshots at an employer what their records say under the current rules; the person as last read."""
    return under_current_rules(employer, lambda rulebook: project_under(rulebook, person, now)[0])


def project_all(employer: str, persons: Iterable[str], now: datetime) -> int:
    """Project several people one after the other; how many snapshots changed."""
    wanted = list(persons)
    return under_current_rules(employer, lambda book: sum(project_under(book, person, now)[1] for person in wanted))


def project_under(rulebook: Rulebook, person: str, now: datetime) -> tuple[Learner | None, int]:
    """Project one person under rules whose version the caller looks at again; the person, and how many snapshots changed.

    One read if nothing changed; else two, and one transaction between them. The second look finds what another
    projector or a further change did meanwhile. What follows for enrolments is done: a leaver's are given back, whoever holds
    another post by now is judged again, and waiting lists by need are put in order (decision 0025). What other employers have
    to know of somebody who works for several is queued (decision 0036).
    """
    written = 0
    for _ in range(ATTEMPTS):
        learner, changed = _look_and_write(rulebook, person, now)
        if not changed:
            if learner:
                _look_after_enrolments(learner, rulebook, now)
                _arrange_training(learner, rulebook, now)
                if learner.also_at:
                    queues.queue_work({"kind": "pass on", "employer": learner.employer, "person": person})
            return learner, written
        written += changed
    raise Conflict("This person's records change faster than they can be projected.")


def _look_after_enrolments(learner: Learner, rulebook: Rulebook, now: datetime) -> None:
    today = london_day(now)
    if lost_by_leaving(learner.enrolments, learner.employment, today):
        enrolment.release_leaver(learner.person.id, learner.employer, now)
    elif moved(learner, today, now):
        movers.judge_again(learner, now)
    waiting.rank_again(learner, rulebook, now)


def _arrange_training(learner: Learner, rulebook: Rulebook, now: datetime) -> None:
    """Have training arranged for whom it is due, once more than needed rather than never (domain.md §4, decision 0035)."""
    today = london_day(now)
    if to_decide(learner, rulebook, today):
        queues.queue_looks(learner.employer, [learner.person.id], today, today)


@retried
def _look_and_write(rulebook: Rulebook, person: str, now: datetime) -> tuple[Learner | None, int]:
    day = london_day(now)
    learner, kept = learners.learner_and_snapshots(person, rulebook.employer)
    changes = _changes(kept, _expected(learner, rulebook, day), day)
    _write(changes, rulebook, now)
    return learner, len(changes)


def _write(changes: Iterable[Change], rulebook: Rulebook, now: datetime) -> None:
    """Write snapshots, in the same transaction with whom time makes somebody look at: then they are looked at once, or again."""

    def look(written: Iterable[Change]) -> Event | None:
        due: dict[str, date] = {}
        for before, after in written:
            if after and (since := looks_due(before, after, rulebook, london_day(now))):
                due[after.facts.person] = min(since, due.get(after.facts.person, since))
        said = {"look": {since.isoformat(): _whose(since, due) for since in sorted({*due.values()})}}
        return Event(new_id(now), EventType.LOOK_DUE, rulebook.employer, None, now, said) if due else None

    stored.commit(changes, look)


def _whose(since: date, due: Mapping[str, date]) -> list[str]:
    return sorted(person for person, first in due.items() if first == since)


def _expected(learner: Learner | None, rulebook: Rulebook, day: date) -> list[Snapshot]:
    return [judge(facts, rulebook, day) for facts in facts_of(learner, day)] if learner else []


def _changes(kept: Iterable[Snapshot], expected: Iterable[Snapshot], day: date) -> list[Change]:
    """What has to be written so that the snapshots kept become those expected."""
    before = {each.facts.number: each for each in kept}
    after = {each.facts.number: each for each in expected}
    pairs = [(before.get(number), after.get(number)) for number in sorted({*before, *after})]
    return [(old, new) for old, new in pairs if not (old and new and old.says_the_same_as(new, day))]


# --- from snapshots -------------------------------------------------------------------------------------------


def rejudge(employer: str, snapshots: Iterable[Snapshot], now: datetime) -> int:
    """Judge snapshots again from their facts, under the current rules as of now; how many changed, or will.

    Whoever the date takes to another unit, or out of all, is left as they are and queued to be projected from their records.
    """
    given = list(snapshots)
    if not given:
        return 0
    return under_current_rules(employer, lambda rulebook: _rejudge_under(rulebook, given, now))


def rejudge_unit(employer: str, unit: str, now: datetime) -> int:
    """Judge every snapshot in the view of a unit again (`-`: those without a unit), as `rejudge` does; how many changed.

    What was judged before a crash costs only its reading the second time.
    """

    def judge_all(rulebook: Rulebook) -> int:
        return sum(_rejudge_under(rulebook, page, now) for page in stored.pages_of_unit(employer, unit, TOGETHER))

    return under_current_rules(employer, judge_all)


def _rejudge_under(rulebook: Rulebook, snapshots: list[Snapshot], now: datetime) -> int:
    return sum(
        _rejudge_together(rulebook, snapshots[start : start + TOGETHER], now)
        for start in range(0, len(snapshots), TOGETHER)
    )


@retried
def _rejudge_together(rulebook: Rulebook, snapshots: list[Snapshot], now: datetime) -> int:
    """Snapshots come from an index, which may lag: they are judged as they stand.

    None is moved or deleted here: after a crash it would no longer be where whoever repeats this looks for it. Whose enrolments
    may follow from the change is queued, too: to project them needs their records.
    """
    day = london_day(now)
    changes: list[Change] = []
    going: set[str] = set()
    concerned: set[str] = set()
    for old in stored.as_they_stand(snapshots):
        new = judge(old.facts, rulebook, day)
        if old.facts.over_on(day) or new.unit != old.unit:
            going.add(old.facts.person)
        elif not old.says_the_same_as(new, day):
            changes.append((old, new))
            if old.decides_enrolments(day):
                concerned.add(old.facts.person)
    _queue(rulebook.employer, going | concerned)
    _write(changes, rulebook, now)
    return len(changes) + len(going)


def _queue(employer: str, persons: Iterable[str]) -> None:
    """Have people projected, whatever becomes of whoever asks for it."""
    queues.queue_works([{"kind": "project", "employer": employer, "person": each} for each in sorted(persons)])


# --- time -----------------------------------------------------------------------------------------------------


class Run(msgspec.Struct, frozen=True):
    """What a daily run did: snapshots due, those changed or queued to be projected, whether all is done, else where to go on."""

    due: int
    changed: int
    finished: bool
    after: Any


def day(employer: str, now: datetime, has_time: Callable[[], bool] = lambda: True, after: Any = None) -> Run:
    """Judge again every snapshot that time changes by today, and record it in the employer's row of the daily run.

    Stops when there is no time left. Somebody who cannot be judged is handed to the work queue, and the others go on. What was
    not judged before a crash, or is still to be projected, stays due.
    """
    today = london_day(now)
    due = changed = 0
    finished = False
    while not finished and has_time():
        page, after = stored.due_by(employer, today, TOGETHER, after)
        try:
            changed += rejudge(employer, page, now)
        except Exception as fault:
            log_fault(fault, employer=employer)
            _queue(employer, {each.facts.person for each in page})
        due += len(page)
        finished = after is None
    stored.record_run(today, employer, due, changed, now if finished else None)
    return Run(due, changed, finished, after)


# --- counting again -------------------------------------------------------------------------------------------

LOOK_AGAIN_SECONDS = 2.0
"""How long a change may be on its way before a difference counts as one."""


class Difference(msgspec.Struct, frozen=True):
    """Something kept that is not what counting again gives: a counter of a unit, one of its competencies, or a snapshot."""

    unit: str
    kept: Counts
    counted: Counts
    competency: str | None = None
    person: str | None = None
    assignment: str | None = None

    @property
    def place(self) -> tuple[Any, ...]:
        """Where it is and by how much; the same when looked at again while others work."""
        return self.unit, self.competency, self.person, self.assignment, self.kept - self.counted


def recount(employer: str, units: Iterable[str], now: datetime) -> Iterator[Difference]:
    """Whatever in these units is not as a full recount gives it: nothing, unless there is a bug.

    Counters against the sum of their snapshots; each snapshot against what the person's records say; and a snapshot for every
    assignment held. What differs is looked at again a little later, strongly consistent, and counts if it still does.
    """
    for unit in units:
        if found := list(_differences(employer, unit, now)):
            time.sleep(LOOK_AGAIN_SECONDS)
            again = {each.place for each in _differences(employer, unit, now)}
            yield from (each for each in found if each.place in again)


def _differences(employer: str, unit: str, now: datetime) -> Iterator[Difference]:
    today = london_day(now)
    rulebook = rules.rulebook_now(employer)
    listed = [each for page in stored.pages_of_unit(employer, unit, TOGETHER) for each in page]
    yield from _wrong_counters(employer, unit, listed)
    persons = {each.facts.person for each in listed} | {person for person, _ in people.held_in(employer, unit, today)}
    if unit == UNASSIGNED:
        groups = [target.id for target in rulebook.names if target.kind is TargetKind.LEARNER_GROUP]
        persons |= {person for group in groups for person in stored.members_of(employer, group)}
    for person in sorted(persons):
        learner, kept = learners.learner_and_snapshots(person, employer)
        for old, new in _changes(kept, _expected(learner, rulebook, today), today):
            there = [each for each in (old, new) if each]
            if unit in {each.unit or UNASSIGNED for each in there}:
                yield Difference(unit, _sum_of(old), _sum_of(new), None, person, there[0].facts.number)


def _wrong_counters(employer: str, unit: str, listed: list[Snapshot]) -> Iterator[Difference]:
    total, by_competency = NOTHING, dict[str, Counts]()
    for start in range(0, len(listed), TOGETHER):
        for snapshot in stored.as_they_stand(listed[start : start + TOGETHER]):
            if snapshot.unit == unit:
                total += snapshot.total
                for name, counts in snapshot.by_competency.items():
                    by_competency[name] = by_competency.get(name, NOTHING) + counts
    kept_total, kept = stored.counters_of_unit(employer, unit)
    if kept_total != total:
        yield Difference(unit, kept_total, total)
    for name in sorted({*kept, *by_competency}):
        if kept.get(name, NOTHING) != by_competency.get(name, NOTHING):
            yield Difference(unit, kept.get(name, NOTHING), by_competency.get(name, NOTHING), name)


def _sum_of(snapshot: Snapshot | None) -> Counts:
    return snapshot.total if snapshot else NOTHING
