"""Event entry point of what is to be done at an instant: asks for what is due. Declared in app.py."""

from datetime import UTC, datetime

from chalicelib.observability import count, counting, logger
from chalicelib.services import timers


def now() -> datetime:
    """The clock of the timekeeper: UTC."""
    return datetime.now(UTC)


@counting
def queue_what_is_due() -> int:
    """Put every employer of whom something is due on the work queue; how many."""
    due = timers.queue_what_is_due(now())
    logger.info("timers", extra={"due": due})
    count("EmployersWithTimersDue", due)
    return due
