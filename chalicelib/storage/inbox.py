"""The inbox: what somebody was told, unread, read or put away (decision 0030).

Unread and archived messages stand in the index `unread`, each in a partition of their own; what is in neither has been read.
"""

import base64
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from pynamodb.expressions.update import Action

from chalicelib.domain.notifications import Notification, Timing
from chalicelib.storage import keys
from chalicelib.storage.base import MessageKey
from chalicelib.storage.digests import KeptRow
from chalicelib.storage.outbox import NotificationRow, change, key_of

Position = dict[str, Any]
"""Where a list goes on: the key of the last row, as DynamoDB has it."""

MOST_COUNTED = 100
"""Unread messages are counted up to here: who has as many needs no figure."""


# --- listing ----------------------------------------------------------------------------------------------------


def unread(person_id: str, limit: int, after: Position | None) -> tuple[list[Notification], Position | None]:
    """A page of somebody's unread messages, newest first, and where to go on. May lag a moment behind."""
    return _indexed(keys.unread(person_id), limit, after)


def archived(person_id: str, limit: int, after: Position | None) -> tuple[list[Notification], Position | None]:
    """A page of what somebody has put away, newest first, and where to go on. May lag a moment behind."""
    return _indexed(keys.archived(person_id), limit, after)


def _indexed(partition: str, limit: int, after: Position | None) -> tuple[list[Notification], Position | None]:
    query = MessageKey.unread.query(partition, scan_index_forward=False, limit=limit, last_evaluated_key=after)
    found = [(each.pk, each.sk) for each in query]
    rows = {row.sk: row for row in NotificationRow.batch_get(found) if row.unread_pk == partition}
    return [rows[sk].notification() for _, sk in found if sk in rows], query.last_evaluated_key


def read(person_id: str, limit: int, after: Position | None) -> tuple[list[Notification], Position | None]:
    """A page of what somebody has read and not put away, newest first, and where to go on."""
    query = NotificationRow.query(
        keys.person(person_id),
        NotificationRow.sk.startswith(keys.NOTIFICATIONS),
        NotificationRow.unread_pk.does_not_exist(),
        scan_index_forward=False,
        limit=limit,
        last_evaluated_key=after,
    )
    return [row.notification() for row in query], query.last_evaluated_key


def count_unread(person_id: str) -> int:
    """How many unread messages somebody has, up to a hundred. May lag a moment behind."""
    return sum(1 for _ in MessageKey.unread.query(keys.unread(person_id), limit=MOST_COUNTED))


# --- one message ------------------------------------------------------------------------------------------------


def id_of(notification: Notification) -> str:
    """The id of a message in its inbox: its sort key, written so that it can stand in an address."""
    if notification.timing is Timing.DIGEST:
        return encoded(keys.kept(notification.employer, notification.natural_key))
    return encoded(keys.notification(notification.at, notification.natural_key))


def encoded(sk: str) -> str:
    """A sort key as an id."""
    return base64.urlsafe_b64encode(sk.encode()).decode().rstrip("=")


def _decoded(message_id: str) -> str:
    """The sort key that an id names; empty if it is none."""
    try:
        return base64.b64decode(message_id + "=" * (-len(message_id) % 4), b"-_", validate=True).decode()
    except ValueError:
        return ""


def message(person_id: str, message_id: str) -> Notification | None:
    """A message to somebody, read strongly consistent: one in their inbox, or news of their people that a digest tells. None if
    there is no such thing, or it is a digest that is in no inbox.
    """
    sk = _decoded(message_id)
    pk = keys.person(person_id)
    if sk.startswith(keys.KEPT):
        return next((row.notification() for row in KeptRow.batch_get([(pk, sk)], consistent_read=True)), None)
    if not sk.startswith(keys.NOTIFICATIONS):
        return None
    rows: Iterable[NotificationRow] = NotificationRow.batch_get([(pk, sk)], consistent_read=True)
    return next((row.notification() for row in rows if row.unread_pk != keys.unlisted(person_id)), None)


def mark_read(notification: Notification, now: datetime) -> None:
    """Somebody has read a message: it leaves the unread ones. One that is read or put away stays so."""
    _change(
        notification,
        [NotificationRow.read_at.set(now), NotificationRow.unread_pk.remove(), NotificationRow.unread_sk.remove()],
        NotificationRow.unread_pk == keys.unread(notification.person),
    )


def mark_unread(notification: Notification) -> None:
    """Somebody wants to see a message again among the unread ones; one that was put away comes back."""
    in_index = _in_index(notification, keys.unread(notification.person))
    actions = [NotificationRow.read_at.remove(), NotificationRow.archived_at.remove(), *in_index]
    _change(notification, actions, NotificationRow.pk.exists())


def archive(notification: Notification, now: datetime) -> None:
    """Somebody puts a message away; it counts as read."""
    in_index = _in_index(notification, keys.archived(notification.person))
    read_at = NotificationRow.read_at.set(NotificationRow.read_at | now)
    actions = [read_at, NotificationRow.archived_at.set(now), *in_index]
    _change(notification, actions, NotificationRow.pk.exists())


def _in_index(notification: Notification, partition: str) -> list[Action]:
    sk = keys.notification(notification.at, notification.natural_key)
    return [NotificationRow.unread_pk.set(partition), NotificationRow.unread_sk.set(sk)]


def _change(notification: Notification, actions: list[Any], condition: Any) -> None:
    """Change a message; nothing to do if it is gone, or as it shall be."""
    change(key_of(notification), actions, condition)
