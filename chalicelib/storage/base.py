"""The three tables as PynamoDB sees them, the connection, and small helpers every kind of record uses."""

import json
import os
import secrets
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from functools import cache
from typing import Any, Self

from pynamodb.attributes import (
    Attribute,
    DiscriminatorAttribute,
    JSONAttribute,
    NumberAttribute,
    TTLAttribute,
    UnicodeAttribute,
)
from pynamodb.constants import NULL, STRING
from pynamodb.exceptions import (
    AttributeDeserializationError,
    AttributeNullError,
    PutError,
    PynamoDBException,
    UpdateError,
)
from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action
from pynamodb.indexes import AllProjection, GlobalSecondaryIndex, KeysOnlyProjection
from pynamodb.models import Model
from ulid import ULID

from chalicelib.config import table_name
from chalicelib.storage.client import QuickConnection

REGION = os.environ.get("AWS_REGION", "eu-west-2")
CONNECT_SECONDS = 1
READ_SECONDS = 3

StorageError = PynamoDBException
"""What a read raises when the table cannot be reached in time; the edge answers 503."""


def code_of(failure: PynamoDBException) -> str | None:
    """DynamoDB's name for a failure; None if it never answered. (PynamoDB stumbles over connections that broke.)"""
    response = getattr(failure.cause, "response", None) or {}
    code: str | None = response.get("Error", {}).get("Code")
    return code


def created(row: Any) -> bool:
    """Write a row by itself, unless there is one of its key; False if there is."""
    try:
        row.save(type(row).pk.does_not_exist())
    except PutError as failure:
        return _refused_by_condition(failure)
    return True


def changed(row: Any, actions: Sequence[Action], condition: Condition) -> bool:
    """Change a row by its key, by itself; False if the condition does not hold."""
    try:
        row.update(list(actions), condition)
    except UpdateError as failure:
        return _refused_by_condition(failure)
    return True


def _refused_by_condition(failure: PynamoDBException) -> bool:
    """False where a condition did not hold; any other failure is raised again."""
    if code_of(failure) != "ConditionalCheckFailedException":
        raise failure
    return False


connection = QuickConnection(
    region=REGION, connect_timeout_seconds=CONNECT_SECONDS, read_timeout_seconds=READ_SECONDS, max_pool_connections=20
)


class _Table:
    """What the three tables share: region and timeouts far below a function's own (PynamoDB waits 15 s and 30 s)."""

    region = REGION
    connect_timeout_seconds = CONNECT_SECONDS
    read_timeout_seconds = READ_SECONDS
    max_retry_attempts = 3
    max_pool_connections = 20


class DayAttribute(Attribute[date]):
    """A Europe/London day as `2026-11-23`."""

    attr_type = "S"

    def serialize(self, value: date) -> str:
        """The day as DynamoDB keeps it."""
        return value.isoformat()

    def deserialize(self, value: str) -> date:
        """The day of a stored text."""
        return date.fromisoformat(value)


class InstantAttribute(Attribute[datetime]):
    """A UTC instant as `2026-11-23T09:00:00.123456Z`; whole seconds leave the fraction out."""

    attr_type = "S"

    def serialize(self, value: datetime) -> str:
        """The instant as DynamoDB keeps it."""
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")

    def deserialize(self, value: str) -> datetime:
        """The instant of a stored text."""
        return datetime.fromisoformat(value)


class KindAttribute(DiscriminatorAttribute):
    """The kind of a row, which says its class.

    A partition holds rows of capabilities that its reader does not know and need not import: those are read as bare records, for
    the reader to pass over.
    """

    def deserialize(self, value: str) -> type:
        """The class that declares a kind; `Record` if no module in use does."""
        known: type = self._discriminator_map.get(value, Record)
        return known


KIND = "kind"
"""The attribute that tells the rows of a table apart."""


class Gsi1(GlobalSecondaryIndex["Record"]):
    """The first overloaded index of the records table."""

    class Meta:
        index_name = "gsi1"
        projection = AllProjection()

    gsi1pk = UnicodeAttribute(hash_key=True)
    gsi1sk = UnicodeAttribute(range_key=True)


class Gsi2(GlobalSecondaryIndex["Record"]):
    """The second overloaded index of the records table."""

    class Meta:
        index_name = "gsi2"
        projection = AllProjection()

    gsi2pk = UnicodeAttribute(hash_key=True)
    gsi2sk = UnicodeAttribute(range_key=True)


@cache
def _readers(row: type[Model]) -> dict[str, tuple[str, str, Callable[[Any], Any] | None]]:
    """By the name of an attribute in the table: its name in the class, the type it is stored as, and what makes its value of it;
    nothing for text, which is kept as it is.
    """
    return {
        each.attr_name: (name, each.attr_type, _QUICKLY.get(type(each).deserialize, each.deserialize))
        for name, each in row.get_attributes().items()
    }


def _number(stored: str) -> float:
    try:
        return int(stored)
    except ValueError:
        return float(stored)


_QUICKLY: dict[Any, Callable[[Any], Any] | None] = {
    Attribute.deserialize: None,
    NumberAttribute.deserialize: _number,
    JSONAttribute.deserialize: json.JSONDecoder(strict=False).decode,
}
"""How values are read whose attributes have PynamoDB's own way: to the same, without reading each number as JSON, and without a
new decoder for each JSON.
"""


@cache
def _defaults(row: type[Model]) -> dict[str, Any]:
    return {name: each.default for name, each in row.get_attributes().items() if each.default is not None}


def _default_values(row: type[Model]) -> dict[str, Any]:
    """What attributes are that nobody gives, unless that is nothing."""
    return {name: default() if callable(default) else default for name, default in _defaults(row).items()}


class Row(Model):
    """A row that is read and written quickly: somebody's records are 75 rows, and are read for every request of theirs.

    PynamoDB makes a row by setting each attribute that its class declares, one by one, to the default and again to the value, and
    looks for each of them in the item. Here what the item holds is read, by the same attributes, and the rest is left alone.
    """

    def _set_defaults(self, _user_instantiated: bool = True) -> None:
        self.attribute_values.update(_default_values(type(self)))

    def _set_attributes(self, **attributes: Any) -> None:
        if unknown := attributes.keys() - self.get_attributes().keys():
            raise ValueError(f"{type(self).__name__} has no {', '.join(sorted(unknown))}")
        self.attribute_values.update(attributes)

    def _container_serialize(self, null_check: bool = True) -> dict[str, dict[str, Any]]:
        item = {}
        for name, attribute in self.get_attributes().items():
            value = self.attribute_values.get(name)
            stored = None if value is None else attribute.serialize(value)
            if stored is not None:
                item[attribute.attr_name] = {attribute.attr_type: stored}
            elif null_check and not attribute.null:
                raise AttributeNullError(name)
        return item

    @classmethod
    def from_raw_data(cls, data: dict[str, Any]) -> Self:
        """The row that an item is, of the class that its kind names."""
        class_ = cls._class_of(data)
        values = _default_values(class_)
        readers = _readers(class_)
        for stored_name, stored in data.items():
            reader = readers.get(stored_name)
            if reader is None:
                continue
            name, type_, deserialize = reader
            if type_ in stored:
                values[name] = deserialize(stored[type_]) if deserialize else stored[type_]
            elif NULL not in stored:
                raise AttributeDeserializationError(stored_name, type_)
        row = class_.__new__(class_)
        row.attribute_values = values
        return row

    @classmethod
    def _class_of(cls, data: dict[str, Any]) -> type[Self]:
        named = data.get(KIND)
        kinds = cls.get_attributes().get(KIND)
        if named is None or kinds is None:
            return cls
        kind: type = kinds.deserialize(named[STRING])
        if not issubclass(kind, cls):
            raise ValueError(f"A row of the class {kind.__name__} is no {cls.__name__}.")
        return kind

    @classmethod
    def _get_discriminator_attribute(cls) -> DiscriminatorAttribute | None:
        """None for rows of any kind: PynamoDB would have DynamoDB filter them by a list of every kind that there is."""
        discriminator = super()._get_discriminator_attribute()
        return discriminator if discriminator and discriminator.get_discriminator(cls) else None


class Record(Row):
    """Any row of the records table. Kinds are told apart by `kind`; each subclass is one kind of architecture §3."""

    class Meta(_Table):
        table_name = table_name("records")

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    kind = KindAttribute()
    gsi1pk = UnicodeAttribute(null=True)
    gsi1sk = UnicodeAttribute(null=True)
    gsi2pk = UnicodeAttribute(null=True)
    gsi2sk = UnicodeAttribute(null=True)
    gsi1 = Gsi1()
    gsi2 = Gsi2()


class Message(Row):
    """Any row of the messages table: an event of the outbox or a notification. Rows end by TTL at `expires_at`."""

    class Meta(_Table):
        table_name = table_name("messages")

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    kind = DiscriminatorAttribute()
    expires_at = TTLAttribute(null=True)
    pending_pk = UnicodeAttribute(null=True)
    due_at = UnicodeAttribute(null=True)
    unread_pk = UnicodeAttribute(null=True)
    unread_sk = UnicodeAttribute(null=True)


class PendingIndex(GlobalSecondaryIndex["MessageKey"]):
    """Notifications whose e-mail is not sent yet, by when it is due."""

    class Meta:
        index_name = "pending"
        projection = KeysOnlyProjection()

    pending_pk = UnicodeAttribute(hash_key=True)
    due_at = UnicodeAttribute(range_key=True)


class UnreadIndex(GlobalSecondaryIndex["MessageKey"]):
    """Unread messages, and others of somebody that are listed apart, in the order of their sort keys."""

    class Meta:
        index_name = "unread"
        projection = KeysOnlyProjection()

    unread_pk = UnicodeAttribute(hash_key=True)
    unread_sk = UnicodeAttribute(range_key=True)


class MessageKey(Row):
    """A row of the messages table as its keys-only indexes show it: without a kind, by which PynamoDB would filter."""

    class Meta(_Table):
        table_name = table_name("messages")

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    pending_pk = UnicodeAttribute(null=True)
    due_at = UnicodeAttribute(null=True)
    unread_pk = UnicodeAttribute(null=True)
    unread_sk = UnicodeAttribute(null=True)
    pending = PendingIndex()
    unread = UnreadIndex()


class AuditTable(Row):
    """The append-only audit table."""

    class Meta(_Table):
        table_name = table_name("audit")

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)


for _table in (Record, MessageKey, AuditTable):
    # One botocore client for the three tables instead of one each: a client costs 200 ms of a cold start.
    _own = _table._get_connection()
    connection.add_meta_table(_own.get_meta_table())
    _own.connection = connection
Message._get_connection().connection = connection


def new_id(at: datetime) -> str:
    """A ULID for something that happened at an instant: sorts by time, unguessable in its last 80 bits."""
    milliseconds = int(at.timestamp() * 1000).to_bytes(6, "big")
    return str(ULID(milliseconds + secrets.token_bytes(10)))


TOGETHER = 100
"""Rows of one batch read, as many as DynamoDB allows."""

READERS = 8
"""Batches read at the same time."""


def read_many(model: Any, wanted: Sequence[tuple[str, str]]) -> Iterator[Any]:
    """Rows by their keys, in no order, batches of them at the same time; what is not there is missing. May lag a moment."""
    batches = [wanted[start : start + TOGETHER] for start in range(0, len(wanted), TOGETHER)]
    with ThreadPoolExecutor(READERS) as pool:
        for found in pool.map(lambda batch: list(model.batch_get(batch)), batches):
            yield from found
