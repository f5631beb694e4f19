"""Which message follows from which event, and the life of its e-mail (domain.md §9)."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from chalicelib.domain.events import Event, EventType


class Delivery(StrEnum):
    """The life of a notification's e-mail (decision 0029).

    Pending: on its way to the mailer, or to be tried again when it is due. Held: waits for the day's digest. Sending: the mailer
    has claimed it. Sent: SES has it. Delivered: the recipient's mail system took it. Bounced: it did not, for good. Complained:
    it took it, and the recipient called it unwanted. Superseded: it was no longer true when it was to be sent. Suppressed: the
    address is known not to take e-mail. Failed: there is no address to send it to, or SES found the e-mail harmful. Parked:
    refused too often, its message waits in the dead-letter queue, and a redrive sends it.
    """

    PENDING = "pending"
    HELD = "held"
    SENDING = "sending"
    SENT = "sent"
    DELIVERED = "delivered"
    BOUNCED = "bounced"
    COMPLAINED = "complained"
    SUPERSEDED = "superseded"
    SUPPRESSED = "suppressed"
    FAILED = "failed"
    PARKED = "parked"


FEEDBACK: dict[Delivery, frozenset[Delivery]] = {
    Delivery.DELIVERED: frozenset({Delivery.SENDING, Delivery.SENT}),
    Delivery.BOUNCED: frozenset({Delivery.SENDING, Delivery.SENT, Delivery.DELIVERED}),
    Delivery.COMPLAINED: frozenset({Delivery.SENDING, Delivery.SENT, Delivery.DELIVERED, Delivery.BOUNCED}),
    Delivery.FAILED: frozenset({Delivery.SENDING, Delivery.SENT}),
}
"""What SES can report afterwards, and of what: so that late and repeated reports change nothing, and none leads back."""


class Timing(StrEnum):
    """When an e-mail goes. At once: whatever its recipient has chosen. Normal: at once, or with the day's digest if they prefer
    that. Digest: always with the day's digest, as what managers are told of their people (domain.md §9).
    """

    AT_ONCE = "at once"
    NORMAL = "normal"
    DIGEST = "digest"


@dataclass(frozen=True, slots=True)
class Template:
    """A kind of message: its number in domain.md §9, and when its e-mail goes. The texts are in `templates/email/<name>/`."""

    number: str
    timing: Timing = Timing.NORMAL


TEMPLATES: dict[str, Template] = {
    "approval_requested": Template("N1", Timing.AT_ONCE),
    "approval_due": Template("N1", Timing.AT_ONCE),
    "approvals_delegated": Template("N1", Timing.AT_ONCE),
    "enrolment_requested": Template("N1"),
    "enrolment_approved": Template("N2"),
    "enrolment_rejected": Template("N3"),
    "enrolment_confirmed": Template("N4"),
    "enrolment_confirmed_in_team": Template("N4", Timing.DIGEST),
    "enrolment_waitlisted": Template("N5"),
    "enrolment_passed_over": Template("N5", Timing.AT_ONCE),
    "enrolment_promoted": Template("N6", Timing.AT_ONCE),
    "enrolment_withdrawn": Template("N7"),
    "enrolment_withdrawn_in_team": Template("N7"),
    "enrolment_lapsed": Template("N8"),
    "enrolment_cancelled": Template("N9", Timing.AT_ONCE),
    "enrolment_cancelled_in_team": Template("N9"),
    "class_cancelled_for_instructor": Template("N9", Timing.AT_ONCE),
    "enrolment_completed": Template("N10"),
    "did_not_attend": Template("N11"),
    "did_not_attend_in_team": Template("N11"),
    "enrolment_changed": Template("N12", Timing.AT_ONCE),
    "class_changed_for_instructor": Template("N12", Timing.AT_ONCE),
    "certification_requested": Template("N1", Timing.AT_ONCE),
    "certification_decided": Template("N2"),
    "certified": Template("N13"),
    "renewal_due": Template("N14"),
    "renewal_due_in_team": Template("N14", Timing.DIGEST),
    "certification_due": Template("N15"),
    "certification_overdue_in_team": Template("N15", Timing.DIGEST),
    "training_arranged": Template("N16"),
    "training_arranged_in_team": Template("N16", Timing.DIGEST),
    "transfer_received": Template("N17"),
    "transfer_received_for_administrators": Template("N17"),
    "multiple_employer_update": Template("N18"),
    "multiple_employer_update_for_administrators": Template("N18", Timing.DIGEST),
    "instructor_assigned": Template("N19", Timing.AT_ONCE),
    "instructor_released": Template("N19", Timing.AT_ONCE),
    "class_reminder": Template("N20"),
    "minimum_not_met": Template("N21"),
    "external_training_requested": Template("N22", Timing.AT_ONCE),
    "external_training_decided": Template("N22"),
    "notice": Template("N23"),
    "undelivered": Template("N24"),
}
"""Every message that follows from an event."""

LEARNER = "person"
"""Whose records changed by an event, as who is told of it."""

TOLD: dict[EventType, tuple[tuple[str, str], ...]] = {
    EventType.ENROLMENT_CONFIRMED: (("enrolment_confirmed", LEARNER), ("enrolment_confirmed_in_team", "manager")),
    EventType.ENROLMENT_WITHDRAWN: (("enrolment_withdrawn", LEARNER), ("enrolment_withdrawn_in_team", "manager")),
    EventType.ENROLMENT_WAITLISTED: (("enrolment_waitlisted", LEARNER),),
    EventType.ENROLMENT_PROMOTED: (("enrolment_promoted", LEARNER), ("enrolment_confirmed_in_team", "manager")),
    EventType.ENROLMENT_PASSED_OVER: (("enrolment_passed_over", LEARNER),),
    EventType.ENROLMENT_CANCELLED: (("enrolment_cancelled", LEARNER), ("enrolment_cancelled_in_team", "manager")),
    EventType.ENROLMENT_CHANGED: (("enrolment_changed", LEARNER),),
    EventType.ENROLMENT_REQUESTED: (
        ("approval_requested", "approver"),
        ("approval_requested", "stand_ins"),
        ("enrolment_requested", LEARNER),
    ),
    EventType.APPROVAL_DUE: (
        ("approval_due", "approver"),
        ("approval_due", "stand_ins"),
        ("enrolment_requested", LEARNER),
    ),
    EventType.APPROVALS_DELEGATED: (("approvals_delegated", "stand_in"),),
    EventType.ENROLMENT_APPROVED: (("enrolment_approved", LEARNER),),
    EventType.ENROLMENT_REJECTED: (("enrolment_rejected", LEARNER),),
    EventType.ENROLMENT_LAPSED: (("enrolment_lapsed", LEARNER),),
    EventType.ENROLMENT_MARKED: (
        ("enrolment_completed", "completed_by"),
        ("did_not_attend", "absent"),
        ("did_not_attend_in_team", "manager"),
    ),
    EventType.EXTERNAL_TRAINING_REQUESTED: (
        ("external_training_requested", "approver"),
        ("external_training_requested", "stand_ins"),
    ),
    EventType.EXTERNAL_TRAINING_DECIDED: (("external_training_decided", LEARNER),),
    EventType.INSTRUCTOR_CHANGED: (("instructor_assigned", "instructor"), ("instructor_released", "former_instructor")),
    EventType.TAUGHT_CLASS_CHANGED: (("class_changed_for_instructor", "instructor"),),
    EventType.TAUGHT_CLASS_CANCELLED: (("class_cancelled_for_instructor", "instructor"),),
    EventType.CLASS_REMINDER: (("class_reminder", "to"),),
    EventType.MINIMUM_NOT_MET: (("minimum_not_met", "administrators"),),
    EventType.RENEWAL_DUE: (("renewal_due", "to"), ("renewal_due_in_team", "manager")),
    EventType.CERTIFICATION_REQUESTED: (
        ("certification_requested", "approver"),
        ("certification_requested", "stand_ins"),
        ("certification_requested", "administrators"),
    ),
    EventType.CERTIFICATION_DECIDED: (("certification_decided", "to"),),
    EventType.CERTIFIED: (("certified", LEARNER),),
    EventType.CERTIFICATION_DUE: (("certification_due", "to"), ("certification_overdue_in_team", "manager")),
    EventType.TRAINING_ARRANGED: (("training_arranged", "to"), ("training_arranged_in_team", "manager")),
    EventType.TRANSFER_RECEIVED: (
        ("transfer_received", "to"),
        ("transfer_received_for_administrators", "administrators"),
    ),
    EventType.MULTIPLE_EMPLOYER_UPDATE: (
        ("multiple_employer_update", "to"),
        ("multiple_employer_update_for_administrators", "administrators"),
    ),
    EventType.NOTICE_SENT: (("notice", "to"),),
    EventType.UNDELIVERED: (("undelivered", "administrators"),),
}
"""Which messages follow from an event, and to whom: its learner, or whoever its data name under that word: one, several, or each
with what is said to them alone.

An event of somebody's records names them as its learner; one that only tells them something names them under `to`, so that
nothing is projected. An event without an entry tells nobody.
"""

OPTIONAL = frozenset({"renewal_due", "class_reminder", "notice"})
"""Messages that one can do without: they say how to get fewer (List-Unsubscribe). Joining instructions never do."""

_OWN = frozenset({LEARNER, "to", "completed_by", "absent"})
"""The words under which an event names the learner that it is about."""

_RECIPIENTS = frozenset(who for told in TOLD.values() for _, who in told) - {LEARNER}

LEASE = timedelta(seconds=90)
"""A claim older than this was abandoned: longer than the mailer may run."""

MAX_ATTEMPTS = 5
"""As often as the queue delivers before it gives a message to its dead-letter queue."""

FIRST_PAUSE = timedelta(seconds=30)
LONGEST_PAUSE = timedelta(minutes=10)


def pause(age: timedelta, jitter: float) -> timedelta:
    """How much longer an e-mail of an age waits while SES takes none: half as long as it has waited, half a minute at least and ten
    at most, and up to half as much again by `jitter` (0 to 1), so that what was refused together does not come back together.

    It goes by age, not by attempts, because most of what waits is never tried: one of its batch was.
    """
    return max(FIRST_PAUSE, min(age / 2, LONGEST_PAUSE)) * (1 + jitter / 2)


@dataclass(frozen=True, slots=True)
class Notification:
    """One message to one person: in their inbox always, by e-mail if they can be reached.

    `natural_key` is the same however often the event arrives: the event's id and the template. `at` is the UTC instant it became
    due; `data` is what the templates need: the text is rendered from it whenever it is read. `queued_at`, `claimed_at`, `sent_at`
    and `settled_at` are the instants of its e-mail's life, `why` what stands in its way, and `due_at` when it is tried again.
    """

    person: str
    employer: str
    template: str
    natural_key: str
    at: datetime
    subject: str
    data: dict[str, Any] = field(default_factory=dict)
    delivery: Delivery = Delivery.PENDING
    attempts: int = 0
    queued_at: datetime | None = None
    claimed_at: datetime | None = None
    sent_at: datetime | None = None
    settled_at: datetime | None = None
    due_at: datetime | None = None
    why: str | None = None
    possibly_repeated: bool = False
    read_at: datetime | None = None
    archived_at: datetime | None = None

    @property
    def timing(self) -> Timing:
        """When its e-mail goes; of a template that is no more, at once."""
        template = TEMPLATES.get(self.template)
        return template.timing if template else Timing.AT_ONCE

    @property
    def number(self) -> str | None:
        """Its number in domain.md §9; None for a digest, which gathers several."""
        template = TEMPLATES.get(self.template)
        return template.number if template else None

    @property
    def numbers(self) -> list[str]:
        """The numbers in domain.md §9 of all that it tells: its own, or those that a digest gathers."""
        told = (*self.data.get("of_people", ()), *self.data.get("of_you", ()))
        return [self.number] if self.number else list(dict.fromkeys(each["number"] for each in told if each["number"]))

    @property
    def optional(self) -> bool:
        """Whether one can do without its e-mail, or has it gathered: then it says how to choose. News of others are no choice."""
        return self.template in OPTIONAL or (bool(self.data.get("of_you")) and not self.data["of_people"])

    def may_be_claimed(self, now: datetime) -> bool:
        """Waiting and due, parked and redriven, or claimed by somebody who has not come back within the lease."""
        if self.delivery is Delivery.SENDING:
            return self.claimed_at is None or now - self.claimed_at > LEASE
        due = self.due_at is None or self.due_at <= now
        return due and self.delivery in (Delivery.PENDING, Delivery.PARKED, Delivery.HELD)

    def life(self) -> list[tuple[str, datetime]]:
        """What became of it, in order: created, queued, sending, sent, and its last state if that is another one."""
        steps = [("created", self.at), ("queued", self.queued_at), ("sending", self.claimed_at), ("sent", self.sent_at)]
        known = [(name, at) for name, at in steps if at is not None]
        if self.settled_at is not None:
            known.append((self.delivery.value, self.settled_at))
        return known


def natural_key(event: Event, template: str) -> str:
    """What makes a message one of a kind, however often its event is delivered."""
    return f"{event.id}.{template}"


def messages(event: Event) -> list[tuple[str, str, dict[str, Any]]]:
    """The messages that follow from an event, each as template, person and data. Whom its data do not name is not told.

    The data lack who else is told and what is said to them alone, and the enrolment's own address unless the message goes to its
    learner.
    """
    to = {**event.data, LEARNER: event.person}
    said = {name: value for name, value in event.data.items() if name not in _RECIPIENTS}
    others = {name: value for name, value in said.items() if name != "email"}
    return [
        (template, each, {**(said if who in _OWN and len(people) == 1 else others), **alone})
        for template, who in TOLD.get(event.type, ())
        for people in (_people(to.get(who)),)
        for each, alone in people.items()
    ]


def _people(named: Any) -> dict[str, dict[str, Any]]:
    """Whom an event names, with what is said to each of them alone."""
    if isinstance(named, dict):
        return named
    return {each: {} for each in (named if isinstance(named, list) else [named] if named else [])}
