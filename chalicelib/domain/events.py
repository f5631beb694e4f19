"""What happened: the facts that commit together with a change and from which messages and projections follow."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class EventType(StrEnum):
    """Kinds of event. Every one that names a person means that this learner's records changed."""

    ENROLMENT_REQUESTED = "enrolment.requested"
    ENROLMENT_APPROVED = "enrolment.approved"
    ENROLMENT_REJECTED = "enrolment.rejected"
    ENROLMENT_CONFIRMED = "enrolment.confirmed"
    ENROLMENT_WITHDRAWN = "enrolment.withdrawn"
    ENROLMENT_CANCELLED = "enrolment.cancelled"
    ENROLMENT_CHANGED = "enrolment.changed"
    ENROLMENT_WAITLISTED = "enrolment.waitlisted"
    ENROLMENT_PROMOTED = "enrolment.promoted"
    ENROLMENT_PASSED_OVER = "enrolment.passed-over"
    ENROLMENT_LAPSED = "enrolment.lapsed"
    ENROLMENT_MARKED = "enrolment.marked"
    APPROVAL_DUE = "approval.due"
    APPROVALS_DELEGATED = "approvals.delegated"
    EXTERNAL_TRAINING_REQUESTED = "external-training.requested"
    EXTERNAL_TRAINING_DECIDED = "external-training.decided"
    INSTRUCTOR_CHANGED = "class.instructor-changed"
    TAUGHT_CLASS_CHANGED = "class.changed"
    TAUGHT_CLASS_CANCELLED = "class.cancelled"
    CLASS_REMINDER = "class.reminder"
    MINIMUM_NOT_MET = "class.minimum-not-met"
    RENEWAL_DUE = "renewal.due"
    CERTIFICATION_REQUESTED = "certification.requested"
    CERTIFICATION_DECIDED = "certification.decided"
    CERTIFIED = "certification.certified"
    CERTIFICATION_DUE = "certification.due"
    TRAINING_ARRANGED = "training.arranged"
    TRANSFER_RECEIVED = "transfer.received"
    MULTIPLE_EMPLOYER_UPDATE = "multiple-employer.update"
    NOTICE_SENT = "notice.sent"
    UNDELIVERED = "messages.undelivered"
    LOOK_DUE = "look.due"
    LEARNER_CHANGED = "learner.changed"
    JOB_STARTED = "job.started"
    RULES_CHANGED = "rules.changed"
    SUPERVISOR_KNOWN = "supervisor.known"


@dataclass(frozen=True, slots=True)
class Event:
    """One fact. `id` is a ULID, `data` holds what messages need, so that telling somebody reads nothing else.

    `person` is None where the fact is about no learner's records: a job, the nation's rules, a supervisor's other id.
    """

    id: str
    type: EventType
    employer: str
    person: str | None
    at: datetime
    data: dict[str, Any] = field(default_factory=dict)
