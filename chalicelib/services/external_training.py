"""External training: asked for with evidence, approved, verified (domain.md §3, §9 N22 and §10; decision 0022)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import msgspec

from chalicelib.domain import external_training as rules_of
from chalicelib.domain.actor import Actor
from chalicelib.domain.approvals import Step as WaitingStep
from chalicelib.domain.approvals import steps_from
from chalicelib.domain.calendar import london_day, long_day
from chalicelib.domain.catalogue import Grants
from chalicelib.domain.certifications import Completion
from chalicelib.domain.competency import Award, Competency, Origin
from chalicelib.domain.errors import NotFound, NotPermitted, refuse_body
from chalicelib.domain.events import Event, EventType
from chalicelib.domain.external_training import (
    LONGEST_BEGINNING,
    Claim,
    Evidence,
    ExternalTraining,
    HistoryRow,
    Party,
    Status,
    Step,
    Training,
)
from chalicelib.domain.learner import Learner
from chalicelib.domain.people import chosen_assignment
from chalicelib.domain.permissions import Capability, Scope
from chalicelib.domain.timers import Timer, TimerKind
from chalicelib.services import approvals, awards, certifications, people
from chalicelib.services.approvals import who_approves
from chalicelib.storage import audit, files, outbox, rules, timers
from chalicelib.storage import external_training as stored
from chalicelib.storage import learner as learners
from chalicelib.storage.base import new_id
from chalicelib.storage.external_training import Queue
from chalicelib.storage.idempotency import Idempotency
from chalicelib.storage.people import names_of
from chalicelib.storage.transaction import Transaction, retried

UPLOAD = timedelta(minutes=15)
"""How long a file may be sent to its address."""

DOWNLOAD = timedelta(minutes=5)
"""How long a file may be fetched from the address shown."""


class Shown(msgspec.Struct, frozen=True):
    """A request with what reading it needs: competencies, names by person id, and where checked files may be fetched."""

    request: ExternalTraining
    competencies: Mapping[str, Competency]
    names: Mapping[str, str]
    downloads: Mapping[int, str] = {}


class ShownPage(msgspec.Struct, frozen=True):
    """A page of requests, and where to go on; `of` tells the lists apart."""

    of: str
    requests: Sequence[Shown]
    after: Any


# --- the learner's own ----------------------------------------------------------------------------------------


def draft(
    actor: Actor, training: Training, assignment: str | None, now: datetime, once: Idempotency | None = None
) -> Shown:
    """Begin a request of one's own. Raises NotFound for whoever is no learner here, and Invalid naming every wrong field."""
    learner = actor.learner
    if learner is None or learner.employment is None:
        raise NotFound("You are no learner at this employer.")
    _check(learner, training, assignment, now)
    began = (HistoryRow(Status.DRAFT, now, actor.person),)
    request = ExternalTraining(new_id(now), actor.person, actor.employer, training, Status.DRAFT, began, assignment)
    return _create(actor, request, "external_training.drafted", now, once)


def mine(actor: Actor, limit: int, after: Any) -> ShownPage:
    """A page of the actor's own requests, newest first."""
    found, following = stored.of_person(actor.employer, actor.person, limit, after)
    return _page(actor.employer, "mine", found, following)


def one_of_mine(actor: Actor, training_id: str) -> Shown:
    """One of the actor's own requests, with addresses of its checked files. Raises NotFound."""
    return _with_downloads(_shown(_mine(actor, training_id)))


class Upload(msgspec.Struct, frozen=True):
    """Where to send a file of evidence, and until when."""

    evidence: Evidence
    address: str
    expires_at: datetime


@retried
def offer_evidence(
    actor: Actor, training_id: str, content_type: str, size: int, number: int | None, now: datetime
) -> Upload:
    """Room for one more file, or another in place of `number`. It is looked at when the request is submitted."""
    before = _mine(actor, training_id)
    after = rules_of.offered(before, content_type, size, number)
    new = after.evidence[(number or len(after.evidence)) - 1]
    transaction = Transaction()
    stored.change(transaction, before, after)
    facts = {"number": new.number, "content_type": content_type, "bytes": size}
    _audit(transaction, actor, after, "external_training.evidence_offered", now, facts)
    transaction.commit()
    address = files.offer_evidence(_key(after, new), content_type, size, int(UPLOAD.total_seconds()))
    return Upload(new, address, now + UPLOAD)


@retried
def submit(actor: Actor, training_id: str, now: datetime) -> Shown:
    """Ask for approval: the supervisor of the chosen assignment, or the learning administrators where there is none.

    Every file announced is looked at. Raises NotFound, ExternalTrainingNotThere or EvidenceRefused. Repeating it changes nothing.
    """
    before = _mine(actor, training_id)
    if before.reached(Status.SUBMITTED, actor.person):
        return _shown(before)
    submitted = rules_of.move(before, Step.SUBMIT, frozenset({Party.LEARNER}), actor.person, now)
    found = {each.number: files.sent(_key(before, each), LONGEST_BEGINNING) for each in before.evidence}
    learner = learners.learner(actor.person, actor.employer, consistent=True)
    if learner is None:
        raise NotFound("You are no learner at this employer.")
    assignment = chosen_assignment(learner.assignments_on(london_day(now)), before.assignment)
    after = replace(
        submitted,
        evidence=rules_of.checked(before, found).evidence,
        assignment=assignment.number if assignment else None,
        approver=who_approves(learner, assignment, now),
    )
    transaction = Transaction()
    stored.change(transaction, before, after)
    if after.approver:
        ask(transaction, learner, after, now)
        for step, at in steps_from(after.submitted_at):
            timers.set_timer(transaction, _timer_of(after, step, at))
    _audit(transaction, actor, after, "external_training.submitted", now, {"approver": after.approver})
    transaction.commit()
    return _shown(after)


@retried
def withdraw(actor: Actor, training_id: str, now: datetime) -> Shown:
    """Take one's own request back, until it is decided for good. Repeating it changes nothing."""
    before = _mine(actor, training_id)
    if before.reached(Status.WITHDRAWN, actor.person):
        return _shown(before)
    after = rules_of.move(before, Step.WITHDRAW, frozenset({Party.LEARNER}), actor.person, now)
    transaction = Transaction()
    stored.change(transaction, before, after)
    _audit(transaction, actor, after, "external_training.withdrawn", now)
    transaction.commit()
    return _shown(after)


# --- of others ------------------------------------------------------------------------------------------------


def add_for(
    actor: Actor,
    person: str,
    training: Training,
    assignment: str | None,
    now: datetime,
    once: Idempotency | None = None,
) -> Shown:
    """Add a training for somebody one manages, or as an administrator: approved by that, still to be verified.

    Raises NotFound for whoever is none of these or has left, OwnExternalTraining, and Invalid naming every wrong field.
    """
    learner = people.visible(actor, person, Capability.ADD_EXTERNAL_TRAINING, now)
    if learner.employment is None or learner.has_left(london_day(now)):
        raise NotFound("There is no such person, or not for you.", person=person)
    _check(learner, training, assignment, now)
    held = chosen_assignment(learner.assignments_on(london_day(now)), assignment)
    request = rules_of.added_for(new_id(now), learner, training, held.number if held else None, actor.person, now)
    return _create(actor, request, "external_training.added", now, once)


class Line(msgspec.Struct, frozen=True):
    """Which requests to list: `mine` wait for the actor's own approval; the others are the administrators' queues."""

    queue: Queue | None
    limit: int
    after: Any


def waiting(actor: Actor, line: Line, now: datetime) -> ShownPage:
    """A page of requests that wait for the actor, also in place of others, or in a queue; first asked first.

    Raises NotPermitted for an administrators' queue to anybody else.
    """
    if line.queue is None:
        asked = [actor.person, *approvals.stood_in_for(actor, now)]
        found = stored.waiting_for(actor.employer, asked, line.limit + 1, line.after)
        page = found[: line.limit]
        following = stored.place_of(page[-1]) if len(found) > line.limit else None
        others = [each for each in page if each.person != actor.person]
        return _page(actor.employer, "my approvals", others, following)
    if not _administers(actor):
        raise NotPermitted(
            "This queue is the learning administrators'.", way_out="Leave `queue` out to see what waits for you."
        )
    found, following = stored.waiting_in(actor.employer, line.queue, line.limit, line.after)
    return _page(actor.employer, line.queue.value, found, following)


def one(actor: Actor, person: str, training_id: str, now: datetime) -> Shown:
    """Somebody's request, to its learner, its approver and administrators, with addresses of its checked files."""
    request, _, _ = _seen(actor, person, training_id, now)
    return _with_downloads(_shown(request))


@retried
def approve(actor: Actor, person: str, training_id: str, now: datetime) -> Shown:
    """Approve a request; it then waits for verification. Repeating one's approval changes nothing."""
    before, _, who = _seen(actor, person, training_id, now)
    if before.reached(Status.APPROVED, actor.person):
        return _shown(before)
    after = rules_of.move(before, Step.APPROVE, who, actor.person, now)
    return _decide(actor, before, after, "external_training.approved", now)


@retried
def reject(actor: Actor, person: str, training_id: str, reason: str, now: datetime) -> Shown:
    """Reject a request, for a reason that the learner is told. Repeating one's rejection changes nothing, nor its reason."""
    before, _, who = _seen(actor, person, training_id, now)
    if before.reached(Status.REJECTED, actor.person):
        return _shown(before)
    after = rules_of.move(before, Step.REJECT, who, actor.person, now, reason)
    return _decide(actor, before, after, "external_training.rejected", now)


@retried
def verify(actor: Actor, person: str, training_id: str, awarded: tuple[Claim, ...], now: datetime) -> Shown:
    """Verify a request and award what it was worth, in one transaction: the colour follows with it, and nothing is awarded twice.

    Awards are of the day on which the training was completed and expire by the competency's period as that is today. Repeating
    the same verification changes nothing.
    """
    before, learner, who = _seen(actor, person, training_id, now)
    if before.reached(Status.VERIFIED, actor.person) and set(before.awarded) == set(awarded):
        return _shown(before)
    after = replace(rules_of.move(before, Step.VERIFY, who, actor.person, now), awarded=awarded)
    rulebook, known = rules.rulebook_and_catalogue(actor.employer, consistent=True)
    framework = rulebook.competencies
    completed_on = before.training.completed_on
    refuse_body(rules_of.wrong_claims("awards", awarded, completed_on, framework, london_day(now)))
    transaction = Transaction()
    made = []
    for each in awarded:
        wanted = awards.Wanted(
            each.competency, each.level, completed_on, Origin.EXTERNAL, f"external training {before.id}"
        )
        competency = framework[each.competency]
        made.append(awards.add(transaction, actor, person, wanted, competency, before.id, now))
    given = tuple(Grants(each.competency, each.level) for each in awarded)
    done = Completion(before.id, completed_on, awards=given)
    certifications.completed(transaction, actor, learner, done, rulebook, known, now)
    return _decide(actor, before, after, "external_training.verified", now, transaction, made)


# --- reading --------------------------------------------------------------------------------------------------


def _administers(actor: Actor) -> bool:
    return Scope.ALLOW in actor.scopes(Capability.APPROVE_REQUESTS)


def _mine(actor: Actor, training_id: str) -> ExternalTraining:
    found = stored.request(actor.employer, actor.person, training_id)
    if found is None:
        raise NotFound("You have no such external training.", training_id=training_id)
    return found


def _seen(
    actor: Actor, person: str, training_id: str, now: datetime
) -> tuple[ExternalTraining, Learner, frozenset[Party]]:
    """A request, its learner, and who the actor is to it. Raises NotFound for whoever is nothing to it, existing or not."""
    request = stored.request(actor.employer, person, training_id)
    learner = learners.learner(person, actor.employer, consistent=True) if request else None
    if request and learner:
        today = london_day(now)
        who = rules_of.parties(request, actor.person, learner, _administers(actor), today)
        if who.isdisjoint({Party.LEARNER, Party.APPROVER}) and request.status is not Status.DRAFT:
            asked = rules_of.approvers(request, learner, today)
            who |= {Party.APPROVER} if approvals.stands_in_for_any(actor, asked, now) else set()
        if who:
            return request, learner, who
    raise NotFound("There is no such external training, or not for you.", training_id=training_id)


def _check(learner: Learner, training: Training, assignment: str | None, now: datetime) -> None:
    today = london_day(now)
    framework = rules.rulebook_now(learner.employer).competencies
    refuse_body(rules_of.wrong_fields(training, assignment, learner.assignments_on(today), framework, today))


def _shown(request: ExternalTraining) -> Shown:
    return _all_shown(request.employer, [request])[0]


def _all_shown(employer: str, requests: Iterable[ExternalTraining]) -> list[Shown]:
    requests = list(requests)
    people_in = {each for request in requests for each in (request.person, request.approver) if each}
    names, known = _names(employer, people_in), rules.rulebook(employer).competencies
    return [Shown(each, known, names) for each in requests]


def _names(employer: str, person_ids: Iterable[str]) -> dict[str, str]:
    """Names by person id, a hundred to a batch."""
    ids = sorted(person_ids)
    found: dict[str, str] = {}
    for start in range(0, len(ids), 100):
        found |= names_of(employer, ids[start : start + 100])
    return found


def _page(employer: str, of: str, requests: Iterable[ExternalTraining], after: Any) -> ShownPage:
    return ShownPage(of, _all_shown(employer, requests), after)


def _with_downloads(shown: Shown) -> Shown:
    request = shown.request
    seconds = int(DOWNLOAD.total_seconds())
    downloads = {
        each.number: files.offer_evidence_download(
            _key(request, each),
            each.version,
            each.content_type,
            f"evidence-{each.number}.{each.content_type.rpartition('/')[2]}",
            seconds,
        )
        for each in request.evidence
        if each.version is not None
    }
    return Shown(request, shown.competencies, shown.names, downloads)


def _key(request: ExternalTraining, evidence: Evidence) -> str:
    """Where a file lies; it says whose it is by ids alone."""
    return f"evidence/{request.employer}/{request.person}/{request.id}/{evidence.number}"


# --- writing --------------------------------------------------------------------------------------------------


def _create(actor: Actor, request: ExternalTraining, action: str, now: datetime, once: Idempotency | None) -> Shown:
    transaction = Transaction()
    stored.create(transaction, request)
    if request.status is Status.APPROVED:
        _tell(transaction, request, now, added=True)
    _audit(transaction, actor, request, action, now)
    shown = _shown(request)
    if once:
        once.remember(transaction, shown, now)
    transaction.commit()
    return shown


def _decide(
    actor: Actor,
    before: ExternalTraining,
    after: ExternalTraining,
    action: str,
    now: datetime,
    transaction: Transaction | None = None,
    made: Sequence[Award] = (),
) -> Shown:
    """Commit a decision on condition that nobody else decided meanwhile, with its message to the learner and audit entry."""
    transaction = transaction or Transaction()
    stored.change(transaction, before, after)
    _tell(transaction, after, now, made=made)
    _audit(transaction, actor, after, action, now, {"awarded": [each.competency for each in made]} if made else {})
    transaction.commit()
    return _shown(after)


def _timer_of(request: ExternalTraining, step: WaitingStep, at: datetime) -> Timer:
    facts = {"person": request.person, "training": request.id, "step": step.value}
    return Timer(request.employer, at, TimerKind.EXTERNAL_TRAINING, request.id, facts)


def ask(
    transaction: Transaction,
    learner: Learner,
    request: ExternalTraining,
    now: datetime,
    again: bool = False,
    passed_on: bool = False,
) -> None:
    """Add to a transaction: the event that tells the approver, and whoever stands in for them (N22).

    `again`: it was asked before, and waits; `passed_on`: it waits for somebody else since. It names nobody whose records changed,
    only whom to tell.
    """
    known = rules.rulebook(request.employer).competencies
    data = {
        **_told(request),
        "approver": request.approver,
        "approver_name": names_of(request.employer, [request.approver]).get(request.approver)
        if request.approver
        else None,
        "waits_since": long_day(london_day(request.submitted_at)) if again else None,
        "passed_on": passed_on,
        "stand_ins": approvals.stand_ins(request.employer, request.approver, request.person, now),
        "learner": learner.person.full_name,
        "completed_on": long_day(request.training.completed_on),
        "claims": [_title(each.competency, known) for each in request.training.claims],
        "evidence": len(request.evidence),
    }
    event = Event(new_id(now), EventType.EXTERNAL_TRAINING_REQUESTED, request.employer, None, now, data)
    outbox.emit(transaction, event)


def _tell(
    transaction: Transaction,
    request: ExternalTraining,
    now: datetime,
    added: bool = False,
    made: Sequence[Award] = (),
) -> None:
    """Tell the learner what became of it (N22); with awards, this is also what their compliance is judged again by."""
    known = rules.rulebook(request.employer).competencies
    data = {
        **_told(request),
        "status": request.status.value,
        "reason": request.reason,
        "added": added,
        "awards": [
            {
                "title": _title(each.competency, known),
                "until": long_day(each.expires_on) if each.expires_on else None,
            }
            for each in made
        ],
    }
    event = Event(new_id(now), EventType.EXTERNAL_TRAINING_DECIDED, request.employer, request.person, now, data)
    outbox.emit(transaction, event)


def _told(request: ExternalTraining) -> dict[str, Any]:
    return {
        "training": request.id,
        "person": request.person,
        "title": request.training.title,
        "provider": request.training.provider,
    }


def _title(competency: str, known: Mapping[str, Competency]) -> str:
    return known[competency].title if competency in known else competency


def _audit(
    transaction: Transaction,
    actor: Actor,
    request: ExternalTraining,
    action: str,
    now: datetime,
    facts: Mapping[str, Any] | None = None,
) -> None:
    told = {"training": request.id, "status": request.status.value, **(facts or {})}
    audit.record(transaction, audit.Entry(actor.employer, actor.person, action, now, request.person, told))
