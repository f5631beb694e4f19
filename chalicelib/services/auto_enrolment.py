"""Arranging training: a look at somebody is one transaction of places, decisions and a message (domain.md §4, decision 0035)."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from functools import cache
from typing import Any

import msgspec

from chalicelib.domain import auto_enrolment as rules_of
from chalicelib.domain import certifications
from chalicelib.domain.actor import Actor
from chalicelib.domain.auto_enrolment import (
    AsItStands,
    Candidate,
    Case,
    Classes,
    LeftOut,
    Offered,
    Place,
    Proposal,
    State,
)
from chalicelib.domain.calendar import london_day, london_time, long_day
from chalicelib.domain.catalogue import Catalogue, Course, Mode
from chalicelib.domain.compliance import Standing
from chalicelib.domain.decisions import ARRANGED, Decision, Outcome
from chalicelib.domain.enrolment import Enrolment, Status
from chalicelib.domain.errors import NotFound
from chalicelib.domain.events import Event, EventType
from chalicelib.domain.jobs import Job, JobKind
from chalicelib.domain.learner import Learner
from chalicelib.domain.projection import Facts, is_due, judge
from chalicelib.domain.reminders import ends_on
from chalicelib.domain.requirements import Rulebook, Target, TargetKind
from chalicelib.domain.timers import Timer, TimerKind
from chalicelib.domain.waiting import ranked
from chalicelib.services import certifications as certifying
from chalicelib.services import jobs, rule_changes, snapshot_walk
from chalicelib.services.catalogue import SEES_EVERYTHING, SeenClass, Viewer
from chalicelib.services.enrolment import as_placed, tell, tell_placed, through
from chalicelib.services.managers import asking
from chalicelib.services.units import title_of
from chalicelib.storage import audit, classes, outbox, queues, rules, timers
from chalicelib.storage import auto_enrolment as stored
from chalicelib.storage import enrolment as enrolments
from chalicelib.storage import learner as learners
from chalicelib.storage import projection as snapshots
from chalicelib.storage.base import new_id
from chalicelib.storage.transaction import Stale, Transaction, retried

AUTOMATIC = "system:auto-enrolment"
"""Who arranges training, in history and audit."""

MOST_WRITES = 85
"""Of a transaction's 100 actions, those for places, decisions and timers; the rest is for what there is once."""

CLASSES_READ = 30
"""Of the classes of a course that start after the days in which one is booked, and of its e-learning, those that are looked at."""


class Step(msgspec.Struct, frozen=True):
    """One thing due that is settled: what was proposed, and the enrolment it makes if there is one."""

    standing: Standing
    proposal: Proposal
    enrolment: Enrolment | None

    @property
    def writes(self) -> int:
        """The actions it takes in a transaction: decision, seats and enrolment; of a class with
        dates event and audit, too; a subscription its timer and audit; what failed the timer
        of its next try.
        """
        subscription = 3 if self.proposal.subscribes else 0
        if self.enrolment is None:
            return subscription + 2
        return subscription + (5 if self.enrolment.starts_at else 3)


# --- planning -----------------------------------------------------------------------------------------------------


def plan(case: Case) -> Iterator[Step]:
    """What is to be arranged for somebody, the most urgent first; each step knows of the places that those before it take."""
    for standing in rules_of.to_decide(case.learner, case.rulebook, case.day):
        required = standing.required
        if required is None or rules_of.under_way(case.learner, required, case.rulebook):
            continue
        proposal = rules_of.propose(case, required)
        if proposal is None:
            continue
        enrolment = _enrolment(case, proposal) if proposal.place else None
        yield Step(standing, proposal, enrolment)
        case = case.with_learner(_with(case, proposal, enrolment))


def _with(case: Case, proposal: Proposal, enrolment: Enrolment | None) -> Learner:
    """The learner with what a step makes."""
    learner = case.learner
    if enrolment:
        learner = replace(learner, enrolments=(*learner.enrolments, enrolment))
    if proposal.subscribes and proposal.certification:
        made = rules_of.subscription_to(case, proposal.certification)
        others = (each for each in learner.subscriptions if each.certification != made.certification)
        learner = replace(learner, subscriptions=(*others, made))
    return learner


def _enrolment(case: Case, proposal: Proposal) -> Enrolment:
    """The enrolment that a proposal makes, through the assignment that gives access, else the one that asks for it."""
    place = proposal.place
    assert place is not None
    asking = next((each.assignment for each in proposal.required.because if each.assignment), None)
    number = place.access.assignment or asking
    seen = _seen(case, place)
    placed = as_placed(
        case.learner, seen, place.verdict, through(case.learner, number, case.now), AUTOMATIC, case.now, None
    )
    return ranked(placed, place.class_.by_need, case.learner, case.rulebook, case.day)


def _seen(case: Case, place: Place) -> SeenClass:
    """A place as the learner themself sees the class."""
    viewer = Viewer.themselves(case.learner, case.day, case.rulebook, case.catalogue)
    return SeenClass(place.class_, place.seats, place.course, place.access, case.catalogue, viewer)


def classes_of(employer: str, now: datetime) -> Classes:
    """The classes to come of courses as lists show them, each course read once, however many people are looked at with it: all
    up to the last day on which one is booked, and the next after that.
    """
    read: dict[str, list[Offered]] = {}
    after = london_time(london_day(now) + timedelta(days=rules_of.LATEST_DAYS + 1), 0)

    def of(course: Course) -> Iterable[Offered]:
        if course.id not in read:
            in_time = classes.dated_of_course(course.id, employer, now, after)
            later = classes.classes_of_course(course.id, employer, after, CLASSES_READ, lambda _: True)
            read[course.id] = [*in_time, *later]
        return read[course.id]

    return of


def as_they_stand() -> AsItStands:
    """Classes of such lists as they are now, each read once."""

    @cache
    def read(class_id: str) -> Offered | None:
        return classes.class_with_seats(class_id, consistent=True)

    return lambda listed: read(listed[0].id) or listed


# --- arranging ----------------------------------------------------------------------------------------------------


def arrange(
    learner: Learner, rulebook: Rulebook, catalogue: Catalogue, now: datetime, offered: Classes | None = None
) -> frozenset[str]:
    """Arrange the training that somebody is due for, and tell them and their managers in one message; the competencies told of.

    Nothing due costs nothing. Else places, decisions and message are one transaction, on condition of the booking revision and of
    every decision before, so that a repetition, or a second worker, finds it done. Where a class has filled meanwhile, or anything
    else moved, the learner is read again and the next best is chosen. `offered`: the classes as listed for several people.
    """
    listed = offered or classes_of(learner.employer, now)
    try:
        told, finished = _arrange(learner, rulebook, catalogue, listed, now)
    except Stale:
        told, finished = retried(
            lambda: _arrange(_read_again(learner), rulebook, catalogue, classes_of(learner.employer, now), now)
        )()
    return told if finished else told | arrange(_read_again(learner), rulebook, catalogue, now, offered)


def _read_again(learner: Learner) -> Learner:
    found = learners.learner(learner.person.id, learner.employer, consistent=True)
    if found is None:
        raise NotFound("There is no such person.", person=learner.person.id)
    return found


def _arrange(
    learner: Learner, rulebook: Rulebook, catalogue: Catalogue, offered: Classes, now: datetime
) -> tuple[frozenset[str], bool]:
    """As much as one transaction takes: the competencies told of, and whether that was all."""
    case = Case(learner, rulebook, catalogue, offered, as_they_stand(), now)
    steps: list[Step] = []
    finished = True
    for step in plan(case):
        if sum(each.writes for each in steps) + step.writes > MOST_WRITES:
            finished = False
            break
        steps.append(step)
    if not steps:
        return frozenset(), True
    transaction = Transaction()
    placed = [each.enrolment for each in steps if each.enrolment]
    if placed:
        enrolments.create(transaction, learner, *placed)
    for step in steps:
        _write(transaction, case, step)
    _set_timers(transaction, case, steps)
    if placed and not any(each.starts_at for each in placed):
        outbox.emit(
            transaction,
            Event(new_id(now), EventType.LEARNER_CHANGED, learner.employer, learner.person.id, now, {}),
        )
    told = [each for each in steps if each.proposal.outcome is not Outcome.WITHDRAWN]
    if told:
        data = _said(case, told)
        outbox.emit(transaction, Event(new_id(now), EventType.TRAINING_ARRANGED, learner.employer, None, now, data))
    facts = {
        "outcomes": {each.proposal.competency: each.proposal.outcome.value for each in steps},
        "enrolments": [each.id for each in placed],
    }
    entry = audit.Entry(learner.employer, AUTOMATIC, EventType.TRAINING_ARRANGED.value, now, learner.person.id, facts)
    audit.record(transaction, entry)
    transaction.commit()
    return frozenset(each.proposal.competency for each in told), finished


def _write(transaction: Transaction, case: Case, step: Step) -> None:
    """Add one step: its decision, and what its place takes. Of a class with dates its own message goes out, for the calendar.

    The manager is told with everything else that was arranged, and of no place by itself.
    """
    learner, proposal, enrolment = case.learner, step.proposal, step.enrolment
    before = rules_of.decided(learner, proposal.competency)
    after = rules_of.decision_of(proposal, before, case.day, enrolment.id if enrolment else None)
    stored.keep(transaction, learner.person.id, learner.employer, before, after)
    if proposal.subscribes and proposal.certification:
        party = certifications.Party.SYSTEM
        certifying.subscribe(transaction, learner, proposal.certification, party, AUTOMATIC, case.now)
    place = proposal.place
    if place is None or enrolment is None:
        return
    enrolments.take_place(transaction, place.class_, enrolment.status)
    if enrolment.status is Status.WAITLISTED:
        tell_placed(transaction, learner, _seen(case, place), enrolment, AUTOMATIC, case.now)
    elif enrolment.starts_at:
        instructions = place.class_.joining_instructions or place.course.joining_instructions
        tell(transaction, EventType.ENROLMENT_CONFIRMED, AUTOMATIC, enrolment, case.now, instructions)


def _set_timers(transaction: Transaction, case: Case, steps: Iterable[Step]) -> None:
    """Add what makes somebody be looked at again on the days on which something is tried again."""
    learner = case.learner
    again = {
        rules_of.decision_of(each.proposal, None, case.day).next_try_on for each in steps if each.enrolment is None
    }
    for day in sorted(each for each in again if each):
        timers.set_timer(
            transaction,
            Timer(learner.employer, london_time(day, 0), TimerKind.AUTO_ENROLMENT, learner.person.id),
        )


def look_again(timer: Timer, now: datetime) -> None:
    """A day has come on which something is tried again for somebody: have them looked at, and take the timer away."""
    today = london_day(now)
    queues.queue_looks(timer.employer, [timer.subject], today, today)
    timers.rung(timer)


# --- what the message says ----------------------------------------------------------------------------------------


def _said(case: Case, steps: Sequence[Step]) -> dict[str, Any]:
    """What the event says for the messages to learner and managers: what was arranged, what was not and why, where to go on. Each
    manager is told of what the posts that they supervise ask for.
    """
    learner = case.learner
    managers = asking(learner, (each.proposal.required for each in steps), case.day)
    return {
        "to": learner.person.id,
        "manager": {
            manager: _said_of_steps([each for each in steps if each.proposal.competency in names], case.rulebook)
            for manager, names in managers.items()
        },
        "person": learner.person.id,
        "learner": learner.person.full_name,
        **_said_of_steps(steps, case.rulebook),
        "course": _only_course([each.proposal for each in steps if each.proposal.outcome not in ARRANGED]),
    }


def _said_of_steps(steps: Sequence[Step], rulebook: Rulebook) -> dict[str, list[dict[str, Any]]]:
    """What was arranged, and what is left to people."""
    return {
        "arranged": [_said_of_place(each) for each in steps if each.proposal.outcome in ARRANGED],
        "left": [_said_of_failure(each, rulebook) for each in steps if each.proposal.outcome not in ARRANGED],
    }


def _said_of_place(step: Step) -> dict[str, Any]:
    """What is booked; without an enrolment, the certification subscribed to, of which something is under way."""
    enrolment, first_for, certification = step.enrolment, step.proposal.first_for, step.proposal.certification
    said: dict[str, Any] = {
        "title": certification.title if certification else "",
        "online": False,
        "waits": False,
        "day": None,
        "first_for": first_for.title if first_for else None,
        "subscribed": _subscribed_to(step),
    }
    if enrolment is None:
        return said
    return said | {
        "title": enrolment.title,
        "online": enrolment.mode is Mode.E_LEARNING,
        "waits": enrolment.status is Status.WAITLISTED,
        "day": long_day(london_day(enrolment.starts_at)) if enrolment.starts_at else None,
    }


def _said_of_failure(step: Step, rulebook: Rulebook) -> dict[str, Any]:
    until = ends_on(step.standing.reason, step.standing.expires_on)
    course = step.proposal.course
    return {
        "competency": step.proposal.competency,
        "title": title_of(rulebook, step.proposal.competency),
        "until": long_day(until) if until else None,
        "outcome": step.proposal.outcome.value,
        "course": course.title if course else None,
        "subscribed": _subscribed_to(step),
    }


def _subscribed_to(step: Step) -> str | None:
    """The title of the certification to which somebody is subscribed by a step."""
    certification = step.proposal.certification
    return certification.title if certification and step.proposal.subscribes else None


def _only_course(failed: Sequence[Proposal]) -> str | None:
    """The one course there is to choose, which the message then leads to; None where there is more to do, or nothing."""
    course = failed[0].course if len(failed) == 1 else None
    return course.id if course else None


# --- why (somebody was, or was not, booked) -----------------------------------------------------------------------


class Row(msgspec.Struct, frozen=True):
    """One requirement of somebody: how it stands with arranging, what was decided last, what is under way, and what would be done
    now (None where nothing is due, or something is under way), with the courses considered that whoever asks may know of.
    """

    standing: Standing
    state: State
    decision: Decision | None
    enrolment: Enrolment | None
    proposal: Proposal | None
    candidates: tuple[Candidate, ...]


class Explanation(msgspec.Struct, frozen=True):
    """Somebody's training as it would be arranged at an instant: why it is not at all (None: it is), and each requirement."""

    learner: Learner
    left_out: LeftOut | None
    rows: tuple[Row, ...]
    rulebook: Rulebook


def explain(actor: Actor, learner: Learner, now: datetime) -> Explanation:
    """Why training was, or was not, arranged for somebody, requirement by requirement, to whoever may see their compliance. Writes
    nothing. What the learner cannot find, whatever else strikes it out, is named only to those who see the whole catalogue.
    """
    rulebook, catalogue = rules.rulebook_and_catalogue(learner.employer)
    case = Case(learner, rulebook, catalogue, classes_of(learner.employer, now), as_they_stand(), now)
    standings = [each for each in learner.compliance_on(case.day, rulebook) if each.required]
    everything = not actor.roles.isdisjoint(SEES_EVERYTHING)
    rows = tuple(_row(case, each, everything) for each in standings)
    return Explanation(learner, rules_of.left_out(learner, rulebook, case.day), rows, rulebook)


def _row(case: Case, standing: Standing, everything: bool) -> Row:
    required = standing.required
    assert required is not None
    state = rules_of.state_of(standing, case.learner, case.rulebook, case.day)
    under_way = rules_of.under_way(case.learner, required, case.rulebook)
    decision = rules_of.decided(case.learner, required.competency)
    proposal = rules_of.propose(case, required) if state in (State.DUE, State.PAUSED) else None
    considered = proposal.candidates if proposal else ()
    shown = tuple(each for each in considered if everything or case.finds(each.item))
    return Row(standing, state, decision, under_way, proposal, shown)


class Trial(msgspec.Struct, frozen=True):
    """What would be arranged for one person today."""

    learner: Learner
    steps: tuple[Step, ...]


class DryRun(msgspec.Struct, frozen=True):
    """A page of people for whom something would be arranged, and where to go on; None at the end."""

    trials: tuple[Trial, ...]
    rulebook: Rulebook
    after: Any

    @property
    def outcomes(self) -> Counter[str]:
        """How often each outcome comes."""
        return Counter(step.proposal.outcome.value for trial in self.trials for step in trial.steps)


def dry_run(employer: str, unit: str | None, limit: int, after: Any, now: datetime) -> DryRun:
    """What would be arranged today for the people of a unit and those below, or of the employer; up to `limit` of them. Writes
    nothing; what one of them would be given is still there for the next. As if it were switched on.

    Looks through a few hundred snapshots at most, so that a page may be short or empty. Raises NotFound for a unit there is not.
    """
    rulebook, catalogue = rules.rulebook_and_catalogue(employer)
    trying, today = replace(rulebook, auto_enrolment=True), london_day(now)
    target = Target(TargetKind.UNIT, unit) if unit else Target(TargetKind.EMPLOYER, employer)
    if not rulebook.knows(target):
        raise NotFound("There is no such unit.", unit=unit)
    views = snapshot_walk.views_of(rulebook, target, today)
    found, following = snapshot_walk.look_through(
        employer, views, limit, after, lambda facts: _person_due(facts, trying, today)
    )
    offered, standing = classes_of(employer, now), as_they_stand()
    trials = []
    for person in dict.fromkeys(found):
        learner = learners.learner(person, employer)
        if learner and (steps := tuple(plan(Case(learner, trying, catalogue, offered, standing, now)))):
            trials.append(Trial(learner, steps))
    return DryRun(tuple(trials), rulebook, following)


def _person_due(facts: Facts, rulebook: Rulebook, day: date) -> str | None:
    """Whose snapshot this is, if something in it is due."""
    return facts.person if is_due(judge(facts, rulebook, day), day) else None


# --- switching it on ----------------------------------------------------------------------------------------------


class Switch(msgspec.Struct, frozen=True):
    """Whether training is arranged at an employer, and for applicants, too; the job that follows a change."""

    on: bool
    applicants: bool
    job_id: str | None = None


def switch(employer: str) -> Switch:
    """Whether training is arranged at an employer."""
    rulebook = rules.rulebook(employer)
    return Switch(rulebook.auto_enrolment, rulebook.auto_enrol_applicants)


@retried
def set_switch(actor: Actor, on: bool, applicants: bool, now: datetime) -> Switch:
    """Switch arranging on or off. Once it is on, a job looks at everybody who is due; if it is as it was, nothing is written.

    Raises NotFound for an employer that has no settings.
    """
    employer = actor.employer
    rulebook = rules.rulebook_now(employer)
    everybody = Target(TargetKind.EMPLOYER, employer)
    if everybody not in rulebook.names:
        raise NotFound("There is no employer here to have settings.", employer=employer)
    before = Switch(rulebook.auto_enrolment, rulebook.auto_enrol_applicants)
    if (before.on, before.applicants) == (on, applicants):
        return before
    transaction = Transaction()
    rules.set_auto_enrolment(transaction, employer, on, applicants)
    rule_changes.announce(transaction, actor.person, employer, [everybody], now)
    job = None
    if on:
        parts = rule_changes.everywhere(rulebook)
        job = jobs.start(transaction, employer, JobKind.AUTO_ENROLMENT, actor.person, parts, {}, now)
    facts = {
        "auto_enrolment": {"before": before.on, "after": on},
        "applicants": {"before": before.applicants, "after": applicants},
    }
    audit.record(transaction, audit.Entry(employer, actor.person, "settings.changed", now, facts=facts))
    transaction.commit()
    return Switch(on, applicants, job.id if job else None)


def look_at_unit(job: Job, unit: str, now: datetime) -> dict[str, Any]:
    """One part of the job: whoever is due in the view of a unit is queued to be looked at; how many people."""
    rulebook, today = rules.rulebook(job.employer), london_day(now)
    looked = 0
    for page in snapshots.pages_of_unit(job.employer, unit, snapshot_walk.MOST_SNAPSHOTS):
        due = list(dict.fromkeys(filter(None, (_person_due(each.facts, rulebook, today) for each in page))))
        queues.queue_looks(job.employer, due, today, today)
        looked += len(due)
    return {"looked_at": looked}
