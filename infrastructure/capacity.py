"""Read and write units by AWS's published rule, computed from real item sizes: no emulator counts them right.

An item's size is the UTF-8 length of its attribute names and values. Reading costs a unit for 4 KB (half of it when eventually
consistent); writing a unit for 1 KB, twice in a transaction; every index entry written costs its own units once.
"""

import math
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

Item = Mapping[str, Mapping[str, Any]]

_INDEX_KEYS = {
    "gsi1": ("gsi1pk", "gsi1sk"),
    "gsi2": ("gsi2pk", "gsi2sk"),
    "pending": ("pending_pk", "due_at"),
    "unread": ("unread_pk", "unread_sk"),
    "person": ("person_pk", "at"),
}
"""The key attributes of each index; an item without both stands in none."""

_KEYS_ONLY = {"pending", "unread"}


def size(item: Item) -> int:
    """Bytes of an item as DynamoDB stores it."""
    return sum(len(name.encode()) + _value_size(value) for name, value in item.items())


def _value_size(value: Mapping[str, Any]) -> int:
    ((kind, content),) = value.items()
    if kind == "S":
        return len(content.encode())
    if kind == "N":
        return math.ceil(len(content.lstrip("-").replace(".", "")) / 2) + 1
    if kind in ("BOOL", "NULL"):
        return 1
    if kind == "B":
        return len(content)
    if kind == "L":
        return 3 + sum(1 + _value_size(each) for each in content)
    raise ValueError(f"no item of ours holds a {kind}")


def read_units(items: Iterable[Item], consistent: bool) -> float:
    """Units of a Query (its items together) or of one GetItem; nothing found costs as much as a little."""
    units = max(1, math.ceil(sum(map(size, items)) / 4096))
    return units if consistent else units / 2


def write_units(before: Item, after: Item, transactional: bool) -> int:
    """Units of turning one item into another (either may be empty), in the table and in each index it stood or stands in."""
    larger = max(size(before), size(after))
    table = math.ceil(larger / 1024) * (2 if transactional else 1)
    return table + sum(_index_units(name, before, after) for name in _INDEX_KEYS)


def _index_units(name: str, before: Item, after: Item) -> int:
    old, new = _entry(name, before), _entry(name, after)
    if old == new:
        return 0
    keys = _INDEX_KEYS[name]
    moved = old and new and [old[key] for key in keys] != [new[key] for key in keys]
    if moved:
        return math.ceil(size(old) / 1024) + math.ceil(size(new) / 1024)
    return math.ceil(max(size(old), size(new)) / 1024)


def _entry(name: str, item: Item) -> Item:
    """What the index holds of an item; nothing if the item lacks the index's keys."""
    keys = _INDEX_KEYS[name]
    if not all(key in item for key in keys):
        return {}
    return {key: item[key] for key in ("pk", "sk", *keys)} if name in _KEYS_ONLY else item


Lookup = Callable[[str, Item], Item]
"""Reads an item by table and key, outside the measurement; empty if there is none."""


@dataclass
class Meter:
    """Units and calls of DynamoDB while something runs; calls go through `measured`."""

    lookup: Lookup
    reads: float = 0
    writes: float = 0
    calls: list[str] = field(default_factory=list)
    seconds: float = 0

    def measured(self, call: Callable[..., Any], operation: str, request: dict[str, Any]) -> Any:
        """Carry out one call and count it. The lookups around a write are not part of its time."""
        written = _written(operation, request)
        before = [self.lookup(table, key) for table, key in written]
        began = time.perf_counter()
        answer = call(operation, request)
        self.seconds += time.perf_counter() - began
        self.calls.append(operation)
        self.reads += _reads(operation, request, answer)
        transactional = operation == "TransactWriteItems"
        for (table, key), old in zip(written, before, strict=True):
            self.writes += write_units(old, self.lookup(table, key), transactional)
        return answer


def _reads(operation: str, request: Mapping[str, Any], answer: Mapping[str, Any]) -> float:
    if operation == "Query":
        return read_units(answer.get("Items", []), bool(request.get("ConsistentRead")))
    if operation == "GetItem":
        return read_units([answer["Item"]] if "Item" in answer else [], bool(request.get("ConsistentRead")))
    if operation == "BatchGetItem":
        units = 0.0
        for table, wanted in request["RequestItems"].items():
            found = answer["Responses"].get(table, [])
            nothing: list[Item] = [{}] * (len(wanted["Keys"]) - len(found))
            units += sum(read_units([item], bool(wanted.get("ConsistentRead"))) for item in [*found, *nothing])
        return units
    return 0


def _written(operation: str, request: Mapping[str, Any]) -> list[tuple[str, Item]]:
    """Table and key of every item a request writes, or checks in a transaction (which costs as much)."""
    if operation == "TransactWriteItems":
        actions = [content for action in request["TransactItems"] for content in action.values()]
    elif operation in ("PutItem", "UpdateItem", "DeleteItem"):
        actions = [request]
    else:
        return []
    return [(action["TableName"], _key(action)) for action in actions]


def _key(action: Mapping[str, Any]) -> Item:
    whole = action.get("Key") or action["Item"]
    return {name: whole[name] for name in ("pk", "sk")}
