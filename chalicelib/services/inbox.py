"""Reading one's messages."""

from typing import Any

from chalicelib.domain.notifications import Notification
from chalicelib.storage import outbox


def page(person: str, limit: int, after: dict[str, Any] | None) -> tuple[list[Notification], dict[str, Any] | None]:
    """A page of somebody's notifications, newest first, and where to go on."""
    return outbox.inbox(person, limit, after)
