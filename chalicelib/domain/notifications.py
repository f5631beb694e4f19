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


TEMPLATES = {
    EventType.ENROLMENT_CONFIRMED: "enrolment_confirmed",
    EventType.ENROLMENT_WITHDRAWN: "enrolment_withdrawn",
    EventType.ENROLMENT_WAITLISTED: "enrolment_waitlisted",
    EventType.ENROLMENT_PROMOTED: "enrolment_promoted",
    EventType.ENROLMENT_PASSED_OVER: "enrolment_passed_over",
    EventType.ENROLMENT_CANCELLED: "enrolment_cancelled",
    EventType.ENROLMENT_CHANGED: "enrolment_changed",
    EventType.EXTERNAL_TRAINING_REQUESTED: "external_training_requested",
    EventType.EXTERNAL_TRAINING_DECIDED: "external_training_decided",
}
"""N4, N7, N5, N6 (and what tells somebody passed over), N9 and N12 of domain.md §9. An event without an entry tells nobody.
The last two are N22."""

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
    """What makes the message to the event's learner one of a kind, however often the event is delivered."""
    return f"{event.id}.{template}"


def recipient(event: Event) -> str | None:
    """Whom an event is told to: the person its data name as `recipient` (an approver), or else whose records changed."""
    return event.data.get("recipient") or event.person
