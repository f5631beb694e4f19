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


LEARNER = "person"
"""Whose records changed by an event, as who is told of it."""

TOLD: dict[EventType, tuple[tuple[str, str], ...]] = {
    EventType.ENROLMENT_CONFIRMED: (("enrolment_confirmed", LEARNER),),
    EventType.ENROLMENT_WITHDRAWN: (("enrolment_withdrawn", LEARNER),),
    EventType.ENROLMENT_WAITLISTED: (("enrolment_waitlisted", LEARNER),),
    EventType.ENROLMENT_PROMOTED: (("enrolment_promoted", LEARNER),),
    EventType.ENROLMENT_PASSED_OVER: (("enrolment_passed_over", LEARNER),),
    EventType.ENROLMENT_CANCELLED: (("enrolment_cancelled", LEARNER),),
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
}
"""Which messages follow from an event, and to whom: its learner, or whoever its data name under that word, one or several.

N1 to N12 (and what tells somebody passed over) of domain.md §9; the last two are N22. An event without an entry tells nobody.
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
