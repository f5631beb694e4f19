"""Reading one's messages, and putting them away (domain.md §9, decision 0030).

An inbox is a person's, of all their employers. Nothing here changes anybody's records, so that it is neither told nor audited.
"""

import re
from collections.abc import Callable
from datetime import datetime
from enum import StrEnum
from typing import Any

from chalicelib.config import setting
from chalicelib.domain.errors import NotFound
from chalicelib.domain.notifications import Delivery, Notification, Timing
from chalicelib.rendering import Incomplete, render
from chalicelib.services import digests, notice_text
from chalicelib.services.message_lives import Life
from chalicelib.storage import inbox

AT_ONCE = 100
"""Unread messages that are marked as read between two looks at the clock."""

ABOUT = ("course", "class", "enrolment", "training", "certification", "transfer", "notice", "person")
"""What a message can be about, by the name under which its data hold the id."""


class Show(StrEnum):
    """Which messages to list. All: the unread ones and those that were read; archived ones are asked for by themselves."""

    ALL = "all"
    UNREAD = "unread"
    ARCHIVED = "archived"


class Message(Life, frozen=True):
    """A message as a whole. `text` is None if its template has changed since, so that only the subject can be told. `link` leads to
    what it is about, in the portal.
    """

    text: str | None
    link: str | None
    about: dict[str, str]


def page(
    person: str, limit: int, after: dict[str, Any] | None, show: Show = Show.ALL
) -> tuple[list[Notification], dict[str, Any] | None]:
    """A page of somebody's messages and where to go on: unread ones first, then the others, each newest first."""
    if show is Show.ARCHIVED:
        return inbox.archived(person, limit, after)
    if show is Show.UNREAD:
        return inbox.unread(person, limit, after)
    return _unread_first(person, limit, after or {"unread": None})


def _unread_first(person: str, limit: int, after: dict[str, Any]) -> tuple[list[Notification], dict[str, Any] | None]:
    found: list[Notification] = []
    if "unread" in after:
        found, further = inbox.unread(person, limit, after["unread"])
        if further:
            return found, {"unread": further}
    if len(found) == limit:
        return found, {"read": None}
    rest, further = inbox.read(person, limit - len(found), after.get("read"))
    return [*found, *rest], {"read": further} if further else None


def unread(person: str) -> int:
    """How many messages somebody has not read, up to a hundred."""
    return inbox.count_unread(person)


def message(person: str, message_id: str) -> Message:
    """A message to somebody, with its text as it reads now. Raises NotFound if there is none with this id in their inbox."""
    found = _found(person, message_id)
    try:
        text = render(found.template, notice_text.spelled_out(found).data).text
    except Incomplete:
        text = None
    about = {name: found.data[name] for name in ABOUT if isinstance(found.data.get(name), str)}
    told_by = digests.that_tells(found) if found.delivery is Delivery.HELD else None
    return Message(found, told_by, text, _link(text), about)


def _link(text: str | None) -> str | None:
    link = re.search(re.escape(setting("PORTAL_URL")) + r"/\S*", text or "")
    return link and link[0]


def _found(person: str, message_id: str) -> Notification:
    found = inbox.message(person, message_id)
    if found is None:
        raise NotFound("There is no such message to you.", way_out="See GET /v1/me/notifications.")
    return found


def _in_inbox(person: str, message_id: str) -> Notification:
    """A message of an inbox, not one that only a digest tells."""
    found = _found(person, message_id)
    if found.timing is Timing.DIGEST:
        raise NotFound(
            "This came with a digest, which is the message to mark.", way_out="See GET /v1/me/notifications."
        )
    return found


def mark_read(person: str, message_id: str, now: datetime) -> Message:
    """Take a message out of the unread ones. Safe to repeat; what was put away stays there."""
    inbox.mark_read(_in_inbox(person, message_id), now)
    return message(person, message_id)


def mark_unread(person: str, message_id: str) -> Message:
    """Put a message back among the unread ones, also one that was put away."""
    inbox.mark_unread(_in_inbox(person, message_id))
    return message(person, message_id)


def archive(person: str, message_id: str, now: datetime) -> Message:
    """Put a message away: it is read, and listed apart."""
    inbox.archive(_in_inbox(person, message_id), now)
    return message(person, message_id)


def mark_all_read(person: str, now: datetime, time_left: Callable[[], bool]) -> tuple[int, int]:
    """Take every message out of the unread ones, until time is up: how many were taken, and how many are left."""
    done, after = 0, None
    while time_left():
        found, after = inbox.unread(person, AT_ONCE, after)
        for each in found:
            inbox.mark_read(each, now)
        done += len(found)
        if after is None:
            break
    return done, unread(person)
