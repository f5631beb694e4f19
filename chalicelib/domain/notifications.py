"""Which message follows from which event, and the life of its e-mail (domain.md §9)."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from chalicelib.domain.events import Event, EventType


class Delivery(StrEnum):
    """The life of a notification's e-mail. Parked: refused too often, its message waits in the dead-letter queue, and a redrive
    sends it. Failed: there is no address to send it to.
    """

    PENDING = "pending"
    SENDING = "sending"
    SENT = "sent"
    PARKED = "parked"
    FAILED = "failed"


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
    "notice": Template("N23", Timing.AT_ONCE),
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
"""Which messages follow from an event, and to whom: its learner, or whoever its data name under that word, one or several.

An event of somebody's records names them as its learner; one that only tells them something names them under `to`, so that
nothing is projected. An event without an entry tells nobody.
"""

LEASE = timedelta(seconds=90)
"""A claim older than this was abandoned: longer than the mailer may run."""

MAX_ATTEMPTS = 5
"""As often as the queue delivers before it gives a message to its dead-letter queue."""

SWEPT_AFTER = timedelta(minutes=20)
"""A notification waiting this long since it was due, or since it was last put back, is put back on the queue. Longer than the
queue itself goes on trying (five deliveries, three minutes apart), so that the two do not use up each other's attempts."""


@dataclass(frozen=True, slots=True)
class Notification:
    """One message to one person: in their inbox always, by e-mail if they can be reached.

    `natural_key` is the same however often the event arrives: the event's id and the template.
    `at` is the UTC instant it became due. `data` is what the templates need.
    """

    person: str
    employer: str
    template: str
    natural_key: str
    at: datetime
    subject: str
    text: str
    data: dict[str, Any] = field(default_factory=dict)
    delivery: Delivery = Delivery.PENDING
    attempts: int = 0
    claimed_at: datetime | None = None
    possibly_repeated: bool = False
    read_at: datetime | None = None

    def may_be_claimed(self, now: datetime) -> bool:
        """Waiting, parked and redriven, or claimed by somebody who has not come back within the lease."""
        if self.delivery is Delivery.SENDING:
            return self.claimed_at is None or now - self.claimed_at > LEASE
        return self.delivery in (Delivery.PENDING, Delivery.PARKED)


def natural_key(event: Event, template: str) -> str:
    """What makes a message one of a kind, however often its event is delivered."""
    return f"{event.id}.{template}"


def messages(event: Event) -> tuple[tuple[str, str], ...]:
    """The messages that follow from an event, each as template and person. Whom its data do not name is not told."""
    to = {**event.data, LEARNER: event.person}
    return tuple((template, each) for template, who in TOLD.get(event.type, ()) for each in _people(to.get(who)))


def _people(named: Any) -> list[str]:
    return named if isinstance(named, list) else [named] if named else []
