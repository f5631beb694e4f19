"""Timers: what is to be done at an instant, set by the change that causes it (domain.md §2, §5 and §9).

A timer is a reminder to look, never a fact: whoever rings it judges what is there by then, so that one that is late, rings twice or
is no longer wanted does no harm.
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class TimerKind(StrEnum):
    """What there is to look at."""

    APPROVAL = "approval"
    EXTERNAL_TRAINING = "external training"
    CLASS_START = "class start"
    CERTIFICATION = "certification"
    CLASS_AHEAD = "class ahead"
    CLASS_DAYS = "class days"
    UNREACHABLE = "unreachable"
    AUTO_ENROLMENT = "auto-enrolment"
    NOTICE = "notice"
    TRANSFER = "transfer"


@dataclass(frozen=True, slots=True)
class Timer:
    """At `at` (UTC), look at `subject` (a request or a class, by its ids); `facts` say which, for whoever looks."""

    employer: str
    at: datetime
    kind: TimerKind
    subject: str
    facts: dict[str, Any] = field(default_factory=dict)
