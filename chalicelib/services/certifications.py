"""Certifications: subscribed to, completed component by component, renewed in time (domain.md §2 and §6, decision 0034).

Everything here changes one subscription on condition of its revision, with event, audit entry and the timer of what comes next in
the same transaction. What completes a component calls `completed` in its own transaction, what takes that back `taken_back`.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date, datetime
from typing import Any

import msgspec

from chalicelib.domain import awards as award_rules
from chalicelib.domain import certifications as rules_of
from chalicelib.domain.access import AccessMode
from chalicelib.domain.actor import Actor
from chalicelib.domain.calendar import london_day, london_time, long_day
from chalicelib.domain.catalogue import Catalogue, Certification, Mode, Use, live_on, may_belong
from chalicelib.domain.certifications import Completion, Done, News, Party, Period, Status, Step, Subscription
from chalicelib.domain.competency import Award, Competency, Origin
from chalicelib.domain.errors import AdministratorOnly, CertificationNotOffered, NotFound, NotPermitted
from chalicelib.domain.events import Event, EventType
from chalicelib.domain.learner import Learner
from chalicelib.domain.people import chosen_assignment
from chalicelib.domain.permissions import Capability, Scope
from chalicelib.domain.requirements import Rulebook
from chalicelib.domain.timers import Timer
from chalicelib.services import administrators, people
from chalicelib.services.approvals import stand_ins, stands_in_for_any, who_approves
from chalicelib.services.catalogue import Viewer
from chalicelib.storage import audit, outbox, rules, timers
from chalicelib.storage import awards as stored_awards
from chalicelib.storage import certifications as stored
from chalicelib.storage import learner as learners
from chalicelib.storage.awards import AwardRow
from chalicelib.storage.base import new_id
from chalicelib.storage.class_lists import Employed, employed
from chalicelib.storage.idempotency import Idempotency
from chalicelib.storage.transaction import Transaction, retried

RINGS_AT = 8
"""The hour, in London, at which time is looked at: whoever is told reads it when they get up, not at midnight."""


class Shown(msgspec.Struct, frozen=True):
    """A subscription as it stands on a London day, with the catalogue that says what it and its courses are; `own`: shown to its
    learner.
    """

    subscription: Subscription
    catalogue: Catalogue
    day: date
    own: bool

    @property
    def title(self) -> str:
        """The title of its certification."""
        return _title(self.subscription, self.catalogue)


def _title(subscription: Subscription, known: Catalogue) -> str:
    """The title of its certification, or the id of one that is in no catalogue any more."""
    found = known.certifications.get(subscription.certification)
    return found.title if found else subscription.certification


# --- looking ------------------------------------------------------------------------------------------------------------


def mine(actor: Actor, now: datetime) -> list[Shown]:
    """The actor's own subscriptions; none for somebody who is no learner here."""
    return _shown_of(actor.learner, now, own=True) if actor.learner else []


def of_person(actor: Actor, person: str, now: datetime) -> list[Shown]:
    """Those of somebody whose learning the actor may see; raises NotFound for anybody else."""
    learner = people.visible(actor, person, Capability.VIEW_HISTORY, now)
    return _shown_of(learner, now, own=person == actor.person)


def _shown_of(learner: Learner, now: datetime, own: bool) -> list[Shown]:
    known = rules.catalogue_now(learner.employer)
    shown = [_shown(each, known, now, own) for each in learner.subscriptions]
    return sorted(shown, key=lambda each: (each.subscription.ended, each.title, each.subscription.certification))


def _shown(subscription: Subscription, known: Catalogue, now: datetime, own: bool) -> Shown:
    today = london_day(now)
    return Shown(_as_of(subscription, known, today), known, today, own)


class Subscriber(msgspec.Struct, frozen=True):
    """Somebody who subscribes to a certification, as they stand to it on a day."""

    subscription: Subscription
    who: Employed
    day: date


class SubscriberPage(msgspec.Struct, frozen=True):
    """A page of those who subscribe to a certification, and where to go on."""

    certification: str
    subscribers: tuple[Subscriber, ...]
    after: Any


def subscribers(
    actor: Actor, certification_id: str, status: Status | None, limit: int, after: Any, now: datetime
) -> SubscriberPage:
    """A page of who subscribes to a certification at the actor's employer, by state and then by what is due first."""
    _certification(actor, certification_id, rules.catalogue_now(actor.employer))
    found, following = stored.subscribers(actor.employer, certification_id, status, limit, after)
    names = employed(actor.employer, (each.person for each in found))
    today = london_day(now)
    page = (Subscriber(each, names.get(each.person) or Employed(each.person, "", ""), today) for each in found)
    return SubscriberPage(certification_id, tuple(page), following)


def _certification(actor: Actor, certification_id: str, known: Catalogue) -> Certification:
    found = known.certifications.get(certification_id) if may_belong(certification_id, actor.employer) else None
    if found is None:
        raise NotFound("There is no such certification.", certification_id=certification_id)
    return found


# --- subscribing --------------------------------------------------------------------------------------------------------


@retried
def subscribe_myself(actor: Actor, certification_id: str, now: datetime, once: Idempotency | None = None) -> Shown:
    """Subscribe the actor, or ask for approval where access says so. Whoever subscribes already stays as they are.

    Raises NotFound for what they cannot find, CertificationNotOffered, or AdministratorOnly.
    """
    viewer = Viewer.of(actor, now)
    certification = _certification(actor, certification_id, viewer.catalogue)
    learner = learners.learner(actor.person, actor.employer, consistent=True)
    access = viewer.access_to(certification)
    if learner is None or learner.employment is None or not viewer.sees(certification, access):
        raise NotFound("There is no such certification.", certification_id=certification_id)
    _refuse_not_offered(certification, now)
    before = learner.subscription(certification_id)
    if before and not before.ended:
        return _shown(before, viewer.catalogue, now, own=True)
    if access.mode in (None, AccessMode.ADMINISTRATOR):
        raise AdministratorOnly("Only the learning team subscribes people to this certification.")
    if access.mode is AccessMode.APPROVAL:
        rules_of.move(before.status if before else None, Step.REQUEST, Party.LEARNER)
        assignment = chosen_assignment(learner.assignments_on(viewer.day), access.assignment)
        approver = who_approves(learner, assignment, now)
        after = rules_of.requested(before, certification.id, actor.person, actor.employer, approver, now)
    else:
        after = _begun(learner, before, certification, Party.LEARNER, actor.person, now)
    transaction = Transaction()
    _keep(transaction, actor.person, before, after, now)
    if after.status is Status.AWAITING_APPROVAL:
        _ask(transaction, learner, after, certification, now)
    shown = _shown(after, viewer.catalogue, now, own=True)
    if once:
        once.remember(transaction, shown, now)
    transaction.commit()
    return shown


@retried
def subscribe_other(
    actor: Actor,
    person: str,
    certification_id: str,
    mandatory: bool,
    reason: str | None,
    now: datetime,
    once: Idempotency | None = None,
) -> Shown:
    """An administrator subscribes somebody, whatever learner access says. Whoever subscribes already only becomes mandatory or not.

    Raises NotPermitted for oneself, NotFound for whoever is not employed here, and CertificationNotOffered.
    """
    _refuse_oneself(actor, person)
    known = rules.catalogue_now(actor.employer)
    certification = _certification(actor, certification_id, known)
    learner = _learner_of(actor, person, now)
    _refuse_not_offered(certification, now)
    before = learner.subscription(certification_id)
    transaction = Transaction()
    if before and not before.ended and before.status is not Status.AWAITING_APPROVAL:
        after = before
        if before.mandatory is not mandatory:
            after = replace(before.moved_to(before.status, now, actor.person, reason), mandatory=mandatory)
            _keep(transaction, actor.person, before, after, now, reason)
    else:
        after = subscribe(
            transaction, learner, certification, Party.ADMINISTRATOR, actor.person, now, mandatory, reason
        )
        _tell(transaction, learner, after, known, News.SUBSCRIBED, now)
    shown = _shown(after, known, now, own=False)
    if once:
        once.remember(transaction, shown, now)
    transaction.commit()
    return shown


def _refuse_oneself(actor: Actor, person: str) -> None:
    """Raise NotPermitted for whoever would administer a subscription of their own."""
    if person == actor.person:
        raise NotPermitted("This subscription is your own.", way_out="Ask your manager or another administrator.")


def subscribe(
    transaction: Transaction,
    learner: Learner,
    certification: Certification,
    party: Party,
    by: str,
    now: datetime,
    mandatory: bool = True,
    reason: str | None = None,
) -> Subscription:
    """Add to a transaction: somebody who does not subscribe, subscribed, with its timer and audit entry. They are told by the
    caller: the service tells what it has arranged in a message of its own (domain.md §4).
    """
    before = learner.subscription(certification.id)
    after = _begun(learner, before, certification, party, by, now, mandatory, reason)
    _keep(transaction, by, before, after, now, reason)
    return after


def _begun(
    learner: Learner,
    before: Subscription | None,
    certification: Certification,
    party: Party,
    by: str,
    now: datetime,
    mandatory: bool = False,
    reason: str | None = None,
) -> Subscription:
    rules_of.move(before.status if before else None, Step.SUBSCRIBE, party)
    person, employer, today = learner.person.id, learner.employer, london_day(now)
    return rules_of.begun(before, certification, person, employer, today, by, now, reason, mandatory)


def _refuse_not_offered(certification: Certification, now: datetime) -> None:
    if not live_on(certification, london_day(now)):
        raise CertificationNotOffered("This certification is not offered now.", status=certification.status.value)


def _learner_of(actor: Actor, person: str, now: datetime) -> Learner:
    learner = _still_here(actor, person, now)
    if learner is None:
        raise NotFound("There is no such person at this employer.", person=person)
    return learner


def _still_here(actor: Actor, person: str, now: datetime) -> Learner | None:
    """Somebody who is employed at the actor's employer, strongly consistent."""
    learner = learners.learner(person, actor.employer, consistent=True)
    here = learner is not None and learner.employment is not None and not learner.has_left(london_day(now))
    return learner if here else None


# --- deciding on requests -----------------------------------------------------------------------------------------------


def approve(actor: Actor, person: str, certification_id: str, now: datetime) -> Shown:
    """Approve a request: its first period begins today. Repeating it changes nothing. For its approver and administrators."""
    return _decide(actor, person, certification_id, Step.APPROVE, None, now)


def reject(actor: Actor, person: str, certification_id: str, reason: str, now: datetime) -> Shown:
    """Reject a request, for a reason that its learner reads. Repeating it changes nothing."""
    return _decide(actor, person, certification_id, Step.REJECT, reason, now)


@retried
def _decide(actor: Actor, person: str, certification_id: str, step: Step, reason: str | None, now: datetime) -> Shown:
    known = rules.catalogue_now(actor.employer)
    learner = _still_here(actor, person, now)
    before = learner.subscription(certification_id) if learner else None
    to = Status.SUBSCRIBED if step is Step.APPROVE else Status.REJECTED
    repeated = before is not None and (before.history[-1].status, before.history[-1].by) == (to, actor.person)
    if learner is None or before is None or not (repeated or _may_decide(actor, learner, before, now)):
        raise NotFound("There is no such request, or not for you.", certification_id=certification_id)
    _refuse_oneself(actor, person)
    if repeated:
        return _shown(before, known, now, own=False)
    administers = Scope.ALLOW in actor.scopes(Capability.APPROVE_REQUESTS)
    rules_of.move(before.status, step, Party.ADMINISTRATOR if administers else Party.APPROVER)
    if step is Step.APPROVE:
        certification = _certification(actor, certification_id, known)
        _refuse_not_offered(certification, now)
        after = rules_of.begun(before, certification, person, actor.employer, london_day(now), actor.person, now)
    else:
        after = before.moved_to(Status.REJECTED, now, actor.person, reason)
    transaction = Transaction()
    _keep(transaction, actor.person, before, after, now, reason)
    _tell_decided(transaction, after, known, now)
    transaction.commit()
    return _shown(after, known, now, own=False)


def _ask(
    transaction: Transaction, learner: Learner, request: Subscription, certification: Certification, now: datetime
) -> None:
    """Add N1: to who is asked and whoever stands in for them, or to the learning administrators."""
    approver, employer, person = request.approver, request.employer, request.person
    team = () if approver else administrators.of(employer, now)
    data = {
        "approver": approver,
        "stand_ins": stand_ins(employer, approver, person, now),
        "administrators": [each for each in team if each != person],
        "person": person,
        "learner": learner.person.full_name,
        "certification": certification.id,
        "title": certification.title,
    }
    outbox.emit(transaction, Event(new_id(now), EventType.CERTIFICATION_REQUESTED, employer, None, now, data))


def _tell_decided(transaction: Transaction, after: Subscription, known: Catalogue, now: datetime) -> None:
    """Add N2 or N3: the outcome, by when it is to be completed, or why it was rejected."""
    period = after.open_period
    data = {
        "to": [after.person],
        "certification": after.certification,
        "title": _title(after, known),
        "due": long_day(period.due_on) if period else None,
        "reason": after.history[-1].reason,
    }
    outbox.emit(transaction, Event(new_id(now), EventType.CERTIFICATION_DECIDED, after.employer, None, now, data))


def _may_decide(actor: Actor, learner: Learner, request: Subscription, now: datetime) -> bool:
    """Whether the actor is asked or stands in for who is, supervises the learner, or administers here. Others learn nothing."""
    asked = [request.approver] if request.approver and request.status is Status.AWAITING_APPROVAL else []
    if actor.person in asked or actor.may_see(Capability.APPROVE_REQUESTS, learner, london_day(now)):
        return True
    return stands_in_for_any(actor, asked, now)


# --- cancelling and reinstating -----------------------------------------------------------------------------------------


@retried
def cancel_mine(actor: Actor, certification_id: str, now: datetime) -> Shown:
    """The actor cancels what they subscribed to themselves. Repeating it changes nothing. Raises MandatorySubscription."""
    return _cancel(actor, actor.person, certification_id, Party.LEARNER, None, now)


@retried
def cancel_other(actor: Actor, person: str, certification_id: str, reason: str, now: datetime) -> Shown:
    """An administrator cancels somebody's subscription, for a reason. What was awarded stays held.

    Raises NotPermitted for oneself.
    """
    _refuse_oneself(actor, person)
    return _cancel(actor, person, certification_id, Party.ADMINISTRATOR, reason, now)


def _cancel(actor: Actor, person: str, certification_id: str, party: Party, reason: str | None, now: datetime) -> Shown:
    learner = learners.learner(person, actor.employer, consistent=True)
    before, known = _subscription(learner, certification_id), rules.catalogue_now(actor.employer)
    if before.status is Status.CANCELLED and before.history[-1].by == actor.person:
        return _shown(before, known, now, own=person == actor.person)
    after = rules_of.cancelled(before, party, actor.person, now, reason)
    return _commit(actor, before, after, known, reason, now)


@retried
def reinstate(actor: Actor, person: str, certification_id: str, reason: str, now: datetime) -> Shown:
    """Bring a cancelled subscription back as it was, with its old dates (domain.md §2). What has become due since is told at once.

    Raises NotPermitted for oneself, and NotFound for whoever is not employed here.
    """
    _refuse_oneself(actor, person)
    before = _subscription(_learner_of(actor, person, now), certification_id)
    known = rules.catalogue_now(actor.employer)
    after = _as_of(rules_of.reinstated(before, actor.person, now, reason), known, london_day(now))
    return _commit(actor, before, after, known, reason, now)


def _subscription(learner: Learner | None, certification_id: str) -> Subscription:
    subscription = learner.subscription(certification_id) if learner else None
    if subscription is None:
        raise NotFound("There is no such subscription.", certification_id=certification_id)
    return subscription


def _commit(
    actor: Actor, before: Subscription, after: Subscription, known: Catalogue, reason: str | None, now: datetime
) -> Shown:
    transaction = Transaction()
    _keep(transaction, actor.person, before, after, now, reason)
    transaction.commit()
    return _shown(after, known, now, own=after.person == actor.person)


def _keep(
    transaction: Transaction,
    by: str,
    before: Subscription | None,
    after: Subscription,
    now: datetime,
    reason: str | None = None,
    **more: Any,
) -> None:
    """Add a subscription as it is now, its audit entry with `more` facts, and the timer of the next day on which time has something
    to say: at once, where that day has passed and nobody was told.
    """
    stored.keep(transaction, before, after)
    today = london_day(now)
    following = rules_of.next_on(after, today)
    if rules_of.news_on(after, today):
        timers.set_timer(transaction, stored.timer_of(after, max(now, london_time(today, RINGS_AT))))
    elif following:
        timers.set_timer(transaction, stored.timer_of(after, london_time(following, RINGS_AT)))
    was = before.status.value if before else None
    facts: dict[str, Any] = {"certification": after.certification, "before": was, "status": after.status.value, **more}
    if after.mandatory is not (before is not None and before.mandatory):
        facts["mandatory"] = after.mandatory
    if reason:
        facts["note"] = reason
    audit.record(transaction, audit.Entry(after.employer, by, "subscription.changed", now, after.person, facts))


# --- completing components ----------------------------------------------------------------------------------------------


def concerns(learner: Learner, completion: Completion, known: Catalogue, today: date) -> bool:
    """Whether a completion brings a subscription of the learner forward: what needs a transaction with room for it."""
    standing = (_as_of(each, known, today) for each in learner.subscriptions)
    return any(rules_of.counts(each, completion, known.courses) for each in standing)


def _as_of(subscription: Subscription, known: Catalogue, today: date) -> Subscription:
    return rules_of.as_of(subscription, today, known.certifications.get(subscription.certification))


def completed(
    transaction: Transaction,
    actor: Actor,
    learner: Learner,
    completion: Completion,
    rulebook: Rulebook,
    known: Catalogue,
    now: datetime,
) -> None:
    """Add to the transaction that notes a completion: every subscription that it brings forward, and what certifying brings with
    it: awards, N13, audit, and the timer of the renewal. `learner` was read strongly consistent.
    """
    for before in learner.subscriptions:
        current = _as_of(before, known, london_day(now))
        after = rules_of.progressed(current, completion, known.courses, actor.person, now)
        if after is current:
            continue
        made = _certify(transaction, after, known, rulebook, now) if after.status is Status.CERTIFIED else {}
        _keep(transaction, actor.person, before, after, now, **made)


def _certify(
    transaction: Transaction, subscription: Subscription, known: Catalogue, rulebook: Rulebook, now: datetime
) -> dict[str, Any]:
    """Add what certifying brings with it: its awards, and N13. What the audit entry of the subscription says of them: many
    certifications may be completed in one transaction, so that no award has an entry of its own.
    """
    period, terms = subscription.held, subscription.terms
    if period is None or period.completed_on is None or terms is None:
        raise ValueError("This subscription is not certified.")
    source = award_rules.source_of(rules_of.awarded_by(subscription, period), str(subscription.revision))
    framework, person, employer = rulebook.competencies, subscription.person, subscription.employer
    made = [
        award_rules.award_of(framework[each.competency], each.level, period.completed_on, Origin.COMPLETION, source)
        for each in terms.grants
        if each.competency in framework
    ]
    for each in made:
        transaction.create(AwardRow.of(person, employer, each))
    data = {
        "certification": subscription.certification,
        "title": _title(subscription, known),
        "until": long_day(period.expires_on) if period.expires_on else None,
        "renew_from": long_day(subscription.window_opens_on) if subscription.window_opens_on else None,
        "awards": [_told_award(each, framework) for each in made],
    }
    outbox.emit(transaction, Event(new_id(now), EventType.CERTIFIED, employer, person, now, data))
    return {"awards": [award_rules.facts(each) for each in made]} if made else {}


def _told_award(award: Award, framework: Mapping[str, Competency]) -> dict[str, Any]:
    until = long_day(award.expires_on) if award.expires_on else None
    return {"title": framework[award.competency].title, "until": until}


def taken_back(
    transaction: Transaction,
    actor: Actor,
    learner: Learner,
    source: str,
    reason: str,
    rulebook: Rulebook,
    known: Catalogue,
    now: datetime,
) -> None:
    """Add to the transaction that takes a completion back: what becomes of every subscription that it had brought forward."""

    def counted(_: Period, done: Done) -> bool:
        return done.source == source

    _take_back(transaction, actor, learner, counted, reason, rulebook, known, now)


def award_taken_back(
    transaction: Transaction,
    actor: Actor,
    learner: Learner,
    wrong: Award,
    right: Award | None,
    reason: str,
    rulebook: Rulebook,
    known: Catalogue,
    now: datetime,
) -> None:
    """Add to the transaction that makes an award void, or puts a right one in its place: what becomes of every subscription that
    the external training behind it had brought forward, where the course that it stood for awards more, or the period began later.
    """
    record = award_rules.record_of(wrong)

    def counted(period: Period, done: Done) -> bool:
        course = known.courses.get(done.course)
        wanted = (each.level for each in course.grants if each.competency == wrong.competency) if course else ()
        level = right.level if right and right.awarded_on >= period.starts_on else 0
        return done.source == record and any(level < each for each in wanted)

    if wrong.origin is Origin.EXTERNAL:
        _take_back(transaction, actor, learner, counted, reason, rulebook, known, now)


def _take_back(
    transaction: Transaction,
    actor: Actor,
    learner: Learner,
    counted: Callable[[Period, Done], bool],
    reason: str,
    rulebook: Rulebook,
    known: Catalogue,
    now: datetime,
) -> None:
    """Add the subscriptions without what is taken back. Awards that came with a certification which is none any more become void,
    and its learner is told.
    """
    today = london_day(now)
    for before in learner.subscriptions:
        current = _as_of(before, known, today)
        after = rules_of.taken_back(current, counted, actor.person, now, reason)
        if after is current:
            continue
        after, facts, news = _as_of(after, known, today), {}, None
        if current.held and current.held != after.held:
            facts = _void(transaction, actor, learner, rules_of.awarded_by(current, current.held), reason, now)
            if after.status is Status.CERTIFIED:
                facts |= _certify(transaction, after, known, rulebook, now)
            elif after.open_period:
                news = rules_of.news_on(after, today) or News.OPEN_AGAIN
                after = replace(after, told_on=today)
        _keep(transaction, actor.person, before, after, now, reason, **facts)
        if news and learner.roles_on(today):
            _tell(transaction, learner, after, known, news, now)


def _void(
    transaction: Transaction, actor: Actor, learner: Learner, record: str, reason: str, now: datetime
) -> dict[str, Any]:
    """Add the awards that come from a record, void. What the audit entry of the subscription says of them."""
    wrong = [each for each in learner.awards if not each.void and award_rules.record_of(each) == record]
    for each in wrong:
        voided = award_rules.voided(each, reason, actor.person, now)
        stored_awards.void(transaction, learner.person.id, learner.employer, voided)
    return {"voided": [award_rules.facts(each) for each in wrong]} if wrong else {}


# --- time ---------------------------------------------------------------------------------------------------------------


@retried
def ring(timer: Timer, now: datetime, _time_left: Callable[[], bool]) -> bool:
    """Look at a subscription on a day on which time may have changed it: open its window, let it expire, remind its learner (N15).

    What was missed meanwhile is told once, the latest of it. The timer ends with it, so that it is done once.
    """
    transaction = Transaction()
    timers.ring(transaction, timer)
    learner = learners.learner(timer.facts["person"], timer.employer, consistent=True)
    before = learner.subscription(timer.facts["certification"]) if learner else None
    if learner and before:
        _look(transaction, learner, before, now)
    transaction.commit()
    return True


def _look(transaction: Transaction, learner: Learner, before: Subscription, now: datetime) -> None:
    known, today = rules.catalogue_now(learner.employer), london_day(now)
    after = _as_of(before, known, today)
    news = rules_of.news_on(after, today)
    if news:
        after = replace(after, told_on=today, revision=after.revision + 1)
    if after is not before:
        _keep(transaction, rules_of.TIME, before, after, now)
    elif following := rules_of.next_on(after, today):
        timers.set_timer(transaction, stored.timer_of(after, london_time(following, RINGS_AT)))
    if news and learner.roles_on(today):
        _tell(transaction, learner, after, known, news, now)


_AT_ONCE = (News.SUBSCRIBED, News.OPEN_AGAIN)
_LATE = (News.OVERDUE, News.EXPIRED)


def _tell(
    transaction: Transaction,
    learner: Learner,
    subscription: Subscription,
    known: Catalogue,
    news: News,
    now: datetime,
) -> None:
    """Add N15: what is due when, and what is left to do; to the manager as well once it is too late."""
    period, today = subscription.open_period, london_day(now)
    assert period is not None
    held = chosen_assignment(learner.assignments_on(today), None)
    data = {
        "to": [learner.person.id],
        "person": learner.person.id,
        "manager": who_approves(learner, held, now) if news in _LATE else None,
        "learner": learner.person.full_name,
        "certification": subscription.certification,
        "title": _title(subscription, known),
        "news": news.value,
        "due": long_day(period.due_on),
        "days": (period.due_on - today).days,
        "renewal": period.use is not Use.INITIAL,
        "to_go": rules_of.left(subscription),
        "options": [_said(each, known) for each in rules_of.options(subscription, known.courses, today) if each.open],
        "no_elearning": not subscription.takes(Mode.E_LEARNING),
    }
    at = now if news in _AT_ONCE else london_time(today, 0)
    event_id = f"certification.{today}.{learner.employer}.{subscription.certification}.{learner.person.id}"
    event_id += f".{period.number}.{news.value}"
    if news is News.OPEN_AGAIN:
        event_id += f".{subscription.revision}"  # put right and wrong again on one day, it is told of twice
    outbox.emit(transaction, Event(event_id, EventType.CERTIFICATION_DUE, learner.employer, None, at, data))


def _said(option: rules_of.Option, known: Catalogue) -> dict[str, Any]:
    course = known.courses.get(option.component.course)
    mode = option.component.mode
    return {"title": course.title if course else option.component.course, "mode": mode.value if mode else None}
