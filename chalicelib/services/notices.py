"""Writing to people whom one chooses (domain.md §9, N23; decision 0033).

A notice begins at once or by a timer. When it begins, its audience is looked up and kept; a job writes to them part by part, under
ids that are always the same, so that whatever is repeated tells nobody twice.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

import msgspec

from chalicelib import rendering
from chalicelib.domain.actor import Actor
from chalicelib.domain.calendar import london_day
from chalicelib.domain.errors import FieldError, NobodyToTell, NotFound, NoticeOver, Refusal, refuse_body
from chalicelib.domain.events import Event, EventType
from chalicelib.domain.jobs import Job, JobKind, JobState
from chalicelib.domain.notices import (
    FAILED,
    LONGEST_AHEAD,
    Audience,
    Figures,
    Notice,
    State,
    Written,
    events_of,
    figures,
    plain,
    wrong_words,
)
from chalicelib.domain.notifications import natural_key
from chalicelib.domain.permissions import Capability, Scope
from chalicelib.domain.timers import Timer, TimerKind
from chalicelib.services import digests, jobs
from chalicelib.services.notice_audience import Gathered, gather
from chalicelib.services.notice_text import TEMPLATE
from chalicelib.storage import audit, outbox, people, timers
from chalicelib.storage import jobs as stored_jobs
from chalicelib.storage import learner as learners
from chalicelib.storage import notices as stored
from chalicelib.storage.base import new_id
from chalicelib.storage.idempotency import Idempotency
from chalicelib.storage.outbox import NotificationKey
from chalicelib.storage.transaction import Transaction, retried

MOST_NAMED = 100
"""As many people as a report names whom the e-mail did not reach."""


class Draft(msgspec.Struct, frozen=True):
    """What is to be written to whom; at once without `send_at` (UTC)."""

    audience: tuple[Audience, ...]
    subject: str
    text: str
    link: str | None = None
    send_at: datetime | None = None


class Preview(msgspec.Struct, frozen=True):
    """Whom a draft would reach, of how many of them no e-mail address is held, and how it reads to its writer."""

    gathered: Gathered
    without_address: int
    rendered: rendering.Rendered


class Progress(msgspec.Struct, frozen=True):
    """A notice and its delivery report; `failed` are people whom its e-mail did not reach, with names."""

    notice: Notice
    figures: Figures
    failed: tuple[tuple[Written, str], ...]

    @property
    def percent(self) -> int:
        """Of its recipients, how many have it."""
        if self.notice.recipients is None:
            return 0
        return 100 * self.figures.written // self.notice.recipients if self.notice.recipients else 100


# --- writing one ------------------------------------------------------------------------------------------------


def preview(actor: Actor, draft: Draft, now: datetime) -> Preview:
    """What sending a draft now would come to. Writes nothing. Raises Invalid or NotFound, as sending it would."""
    _check(draft, now)
    gathered = gather(actor, draft.audience, now)
    person = actor.learner.person if actor.learner else None
    words = {"heading": draft.subject, "text": plain(draft.text), "link": draft.link, "author": _name(actor)}
    rendered = rendering.render(TEMPLATE, words, person.first_name if person else None)
    return Preview(gathered, people.without_address(gathered.people), rendered)


def send(actor: Actor, draft: Draft, now: datetime, once: Idempotency | None = None) -> Notice:
    """Send a notice, or plan it for its time, when its audience is looked up anew.

    Raises Invalid, NotFound for an audience that is none of the actor's, and NobodyToTell.
    """
    _check(draft, now)
    gathered = gather(actor, draft.audience, now)
    if not gathered.people:
        raise NobodyToTell("This audience has nobody in it whom you can write to.", left=gathered.left)
    notice = Notice(
        new_id(now),
        actor.employer,
        actor.person,
        _name(actor),
        now,
        draft.send_at or now,
        draft.subject.strip(),
        plain(draft.text),
        draft.link,
        draft.audience,
    )
    transaction = Transaction()
    if draft.send_at is None:
        notice = _begun(transaction, notice, gathered.people, now)
    else:
        timers.set_timer(transaction, Timer(notice.employer, notice.send_at, TimerKind.NOTICE, notice.id))
        _audit(transaction, actor.person, "notice.planned", notice, now)
    stored.create(transaction, notice)
    if once is not None:
        once.remember(transaction, notice, now)
    transaction.commit()
    return notice


def _check(draft: Draft, now: datetime) -> None:
    wrong = list(wrong_words(draft.subject, draft.text))
    if draft.send_at is not None and not now < draft.send_at <= now + LONGEST_AHEAD:
        wrong.append(FieldError("at", f"lies in the past, or more than {LONGEST_AHEAD.days} days ahead"))
    refuse_body(wrong)


def _name(actor: Actor) -> str:
    return actor.learner.person.full_name if actor.learner else ""


def _begun(transaction: Transaction, notice: Notice, recipients: tuple[str, ...], now: datetime) -> Notice:
    """Add to a transaction: the job that writes a notice, and the audit entry; the notice as it becomes."""
    job_id = new_id(now)
    parts = stored.keep_recipients(notice.employer, job_id, recipients, now)
    jobs.start(transaction, notice.employer, JobKind.NOTICE, notice.by, parts, {"notice": notice.id}, now, job_id)
    begun = replace(
        notice,
        state=State.SENDING,
        job=job_id,
        begun_at=now,
        recipients=len(recipients),
        revision=notice.revision + 1,
    )
    _audit(transaction, notice.by, "notice.sent", begun, now)
    return begun


def _audit(transaction: Transaction, by: str, action: str, notice: Notice, now: datetime) -> None:
    audience = [[each.kind.value, each.id or len(each.people)] for each in notice.audience]
    facts = {"notice": notice.id, "audience": audience, "recipients": notice.recipients}
    audit.record(transaction, audit.Entry(notice.employer, by, action, now, None, facts))


# --- its time has come --------------------------------------------------------------------------------------------


@retried
def ring(timer: Timer, now: datetime, _time_left: Callable[[], bool]) -> bool:
    """Begin a planned notice, unless it was stopped: to those who are in its audience, and in its writer's reach, by now."""
    notice = stored.notice(timer.employer, timer.subject)
    transaction = Transaction()
    timers.ring(transaction, timer)
    if notice and notice.state is State.SCHEDULED:
        begun = _begun(transaction, notice, _recipients_now(notice, now), now)
        stored.replace(transaction, notice, begun)
    transaction.commit()
    return True


def _recipients_now(notice: Notice, now: datetime) -> tuple[str, ...]:
    """Nobody, if what the audience names is gone, or its writer is none of those any more who may write to them."""
    writer, today = learners.learner(notice.by, notice.employer, consistent=True), london_day(now)
    if writer is None or writer.has_left(today):
        return ()
    actor = Actor(notice.by, notice.employer, writer.roles_on(today), writer)
    try:
        return gather(actor, notice.audience, now).people
    except Refusal:
        return ()


# --- the worker -----------------------------------------------------------------------------------------------


def send_part(job: Job, part: str, _now: datetime) -> dict[str, Any]:
    """Tell one part of a notice's recipients, unless it was stopped; how many. Telling again tells nobody twice."""
    notice = stored.notice(job.employer, job.facts["notice"])
    if notice is None or notice.state is State.STOPPED:
        return {"told": 0}
    recipients = stored.recipients_of_part(job.employer, job.id, part)
    data = {"notice": notice.id, "heading": notice.subject}
    _emit(
        [
            Event(event_id, EventType.NOTICE_SENT, notice.employer, None, job.started_at, data | {"to": list(told)})
            for event_id, told in events_of(notice.id, part, recipients).items()
        ]
    )
    return {"told": len(recipients)}


@retried
def _emit(events: list[Event]) -> None:
    outbox.emit_missing(events)


# --- following and stopping ---------------------------------------------------------------------------------------


def page(actor: Actor, limit: int, after: Any) -> tuple[list[Notice], Any]:
    """A page of notices, newest first: all of the employer for a learning administrator, else one's own; and where to go on."""
    found, following = stored.page(actor.employer, None if _sees_all(actor) else actor.person, limit, after)
    return [_as_seen(each) for each in found], following


def progress(actor: Actor, notice_id: str) -> Progress:
    """A notice and what became of it; reads the messages of all its recipients, a hundred at once. Raises NotFound."""
    notice = _found(actor, notice_id)
    written = list(_written(notice))
    failed = [each for each in written if each.delivery in FAILED][:MOST_NAMED]
    names = people.names_of(notice.employer, (each.person for each in failed))
    named = tuple((each, names.get(each.person, "")) for each in failed)
    return Progress(_as_seen(notice), figures(written), named)


def _sees_all(actor: Actor) -> bool:
    return Scope.ALLOW in actor.scopes(Capability.NOTIFY)


def _found(actor: Actor, notice_id: str) -> Notice:
    notice = stored.notice(actor.employer, notice_id)
    if notice is None or not (_sees_all(actor) or notice.by == actor.person):
        raise NotFound("There is no such notice, or it is none of yours.", notice=notice_id)
    return notice


def _as_seen(notice: Notice) -> Notice:
    """A notice as sent once its job is done."""
    if notice.state is not State.SENDING or notice.job is None:
        return notice
    job = stored_jobs.job(notice.employer, notice.job)
    return replace(notice, state=State.SENT) if job and job.state is JobState.DONE else notice


def _written(notice: Notice) -> list[Written]:
    if notice.job is None or notice.begun_at is None:
        return []
    events = [
        (event_id, told)
        for part, recipients in stored.recipients(notice.employer, notice.job).items()
        for event_id, told in events_of(notice.id, part, recipients).items()
    ]
    at = notice.begun_at
    keys = [
        NotificationKey.of(
            person, at, natural_key(Event(event_id, EventType.NOTICE_SENT, notice.employer, None, at), TEMPLATE)
        )
        for event_id, told in events
        for person in told
    ]
    found = list(outbox.notifications(keys).values())
    e_mails = [digest or own for own, digest in zip(found, digests.that_tell(found), strict=True)]
    return [
        Written(own.person, e_mail.delivery, e_mail.why, own.read_at is not None)
        for own, e_mail in zip(found, e_mails, strict=True)
    ]


@retried
def stop(actor: Actor, notice_id: str, now: datetime) -> Progress:
    """Stop a notice, before its time or while it is being sent: nobody more is written to, and no e-mail goes that has not gone.

    Who has it in their inbox keeps it. Stopping again changes nothing. Raises NotFound, and NoticeOver once all e-mails have gone.
    """
    found = progress(actor, notice_id)
    if found.notice.state is State.STOPPED:
        return found
    if found.notice.state is State.SENT and _all_gone(found):
        raise NoticeOver("This notice was sent to everybody.", notice=notice_id)
    before = _found(actor, notice_id)
    after = replace(before, state=State.STOPPED, stopped_at=now, revision=before.revision + 1)
    transaction = Transaction()
    stored.replace(transaction, before, after)
    _audit(transaction, actor.person, "notice.stopped", after, now)
    transaction.commit()
    return msgspec.structs.replace(found, notice=after)


def _all_gone(progress: Progress) -> bool:
    """Whether everybody has the message, and no e-mail waits any more."""
    return progress.figures.written >= (progress.notice.recipients or 0) and not progress.figures.waiting
