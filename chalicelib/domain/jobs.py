"""Long work in parts, with progress to ask for (architecture §3: a change that touches many)."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any


class JobKind(StrEnum):
    """What a job does. All but files consist of parts that are worked on one by one, in any order."""

    RULES = "rules"
    WHAT_IF = "what-if"
    RECONCILIATION = "reconciliation"
    FILE = "workforce file"
    CLASS = "class change"
    AUTO_ENROLMENT = "auto-enrolment"
    NOTICE = "notice"


class JobState(StrEnum):
    """Whether something is still to be done. A stalled job is kept as running: that it stands still is seen when it is read."""

    RUNNING = "running"
    STALLED = "stalled"
    DONE = "done"
    FAILED = "failed"


STALLED_AFTER = timedelta(hours=1)
"""A running job that has not moved for so long is stalled: the queue gives its work up after a quarter of this."""


@dataclass(frozen=True, slots=True)
class Job:
    """A job of an employer: who started it, and how much of it is done.

    `done` counts parts out of `total`; for a file, rows or bytes as its reader says. `changed_at` is when something was last
    done. `revision` rises with every `advance`, so that two workers on one file cannot both go on.
    """

    id: str
    employer: str
    kind: JobKind
    by: str
    started_at: datetime
    changed_at: datetime
    total: int
    done: int
    state: JobState
    facts: dict[str, Any] = field(default_factory=dict)
    revision: int = 0

    @property
    def percent(self) -> int:
        """How much is done, rounded down, so that 100 means all of it."""
        if self.state is JobState.DONE:
            return 100
        return min(99, 100 * self.done // self.total) if self.total else 0

    @property
    def finished_at(self) -> datetime | None:
        """When the last of it was done; None while it runs."""
        return None if self.state in (JobState.RUNNING, JobState.STALLED) else self.changed_at

    def seen_at(self, now: datetime) -> "Job":
        """The job as it is to be shown: stalled if it runs and nothing of it was done for long."""
        stalled = self.state is JobState.RUNNING and now - self.changed_at >= STALLED_AFTER
        return replace(self, state=JobState.STALLED) if stalled else self
