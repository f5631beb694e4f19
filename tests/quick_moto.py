"""moto as it is, only quicker: it copies whole tables for each transaction and sorts whole tables for each query.

Each replacement says why the outcome is the same, and `tests/test_quick_moto.py` compares it with what it replaces. A version of
moto whose code is no longer the code that was read fails at import: read it again then, and drop what is no longer needed.
"""

import copy
import functools
import hashlib
import inspect
from unittest import mock

from moto.core import models as core
from moto.core import responses
from moto.core.base_backend import AccountSpecificBackend, BaseBackend
from moto.core.serialize import BaseJSONSerializer
from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.dynamo_type import DynamoType
from moto.dynamodb.models.table import Table
from moto.dynamodb.parsing.ast_nodes import DepthFirstTraverser, Node
from moto.dynamodb.parsing.expressions import UpdateExpressionParser

ORIGINAL = {}
"""What was replaced, by its qualified name."""


def _instead_of(owner, name, read):
    """Put a function in the place of another whose source is the one that was read (the start of its SHA-256)."""
    was = inspect.getattr_static(owner, name)
    function = getattr(was, "fget", None) or getattr(was, "__wrapped__", None) or was
    found = hashlib.sha256(inspect.getsource(function).encode()).hexdigest()[:8]
    if found != read:
        raise RuntimeError(f"moto's {function.__qualname__} has changed ({found}): see tests/quick_moto.py")
    ORIGINAL[f"{owner.__name__}.{name}"] = function

    def put(new):
        setattr(owner, name, new)
        return new

    return put


# --- transactions -------------------------------------------------------------------------------------------


def _touched(backend, transact_items):
    """The table and the place of every item that a transaction names, and a copy of what is there."""
    for each in transact_items:
        operation = next(iter(each.values()))
        table = backend.tables.get(operation.get("TableName"))
        key = operation.get("Key") or operation.get("Item") or {}
        if table is not None and all(name in key for name in table.table_key_attrs):
            hash_key, range_key = backend.get_keys_value(table, key)
            yield table, hash_key, range_key, copy.deepcopy(table.get_item(hash_key, range_key))


@_instead_of(DynamoDBBackend, "transact_write_items", read="81db2cb7")
def transact_write_items(self, transact_items):
    """Copy the items that the transaction names, not the tables: it touches no others, and adds to the stream only at its end."""
    before = list(_touched(self, transact_items))
    streams = {
        table.name: (table.stream_shard, len(table.stream_shard.items)) for table, *_ in before if table.stream_shard
    }
    try:
        with mock.patch.object(Table, "__deepcopy__", lambda table, memo: table, create=True):
            ORIGINAL["DynamoDBBackend.transact_write_items"](self, transact_items)
    except BaseException:
        for table, hash_key, range_key, item in before:
            if item is None:
                table.items[hash_key].pop(range_key, None)
            else:
                table.items[hash_key][range_key] = item
        for shard, length in streams.values():
            del shard.items[length:]
        raise


# --- queries ------------------------------------------------------------------------------------------------


def _plain(key):
    return key.value if key.type == "S" else key.cast_value


@_instead_of(Table, "all_items", read="c80d2ee3")
def all_items(self):
    """Sort by the values themselves, not by objects that look their value up at each comparison."""
    if self.range_key_attr is None:
        return sorted(self.items.values(), key=lambda item: _plain(item.hash_key))
    items = [item for partition in self.items.values() for item in partition.values()]
    return sorted(items, key=lambda item: (_plain(item.hash_key), _plain(item.range_key)))


@_instead_of(Table, "query", read="002b4d00")
def query(self, *given, **named):
    """Ask a table that holds only what has the hash key of the query: all else is left out by the first step anyway."""
    asked = QUERY.bind(self, *given, **named).arguments
    index, hash_key, conditions = asked.get("index_name"), asked["hash_key"], asked.get("hash_key_conditions")
    narrowed = object.__new__(Table)
    narrowed.__dict__ = dict(self.__dict__)
    if self.has_range_key and not index:
        narrowed.items = {hash_key: self.items[hash_key]} if hash_key in self.items else {}
    elif self.has_range_key and conditions:
        name, wanted = conditions[0]
        narrowed.items = {
            partition: {key: item for key, item in items.items() if name in item.attrs and item.attrs[name] == wanted}
            for partition, items in self.items.items()
        }
    return ORIGINAL["Table.query"](narrowed, *given, **named)


QUERY = inspect.signature(ORIGINAL["Table.query"])


@_instead_of(DynamoType, "__deepcopy__", read="9b2947b2")
def copy_of_value(self, memo):
    """Without the bookkeeping for objects that hold each other, which values of attributes never do."""
    same = object.__new__(DynamoType)
    same.type = self.type
    if self.type == "M":
        same.value = {name: copy_of_value(each, memo) for name, each in self.value.items()}
    elif self.type == "L":
        same.value = [copy_of_value(each, memo) for each in self.value]
    else:
        same.value = list(self.value) if self.is_set() else self.value
    return same


# --- updates ------------------------------------------------------------------------------------------------

# The same few expressions are parsed twice for each update. Whoever changes a parsed one works on a copy.
_instead_of(UpdateExpressionParser, "make", read="2c00ed96")(
    classmethod(functools.cache(ORIGINAL["UpdateExpressionParser.make"]))
)

_is_a = functools.cache(issubclass)
"""Asking an abstract class whether something is of it takes as long as processing it."""


@_instead_of(DepthFirstTraverser, "traverse_node_recursively", read="d7f01d9b")
def traverse_node_recursively(self, node, child_id=-1):
    """Ask what is processed once, and what a node is by its class; go to no child that is none."""
    kinds = self.nodes_to_be_processed()

    def traverse(node, child_id):
        parent = node.parent
        for place, child in enumerate(node.children or ()):
            self.pre_processing_of_child(node, place)
            if _is_a(type(child), Node):
                traverse(child, place)
        if not _is_a(type(node), kinds):
            return node
        node = self.process(node)
        node.parent = parent
        if parent:
            parent.children[child_id] = node
        return node

    return traverse(node, child_id)


# --- answers ------------------------------------------------------------------------------------------------

AS_THEY_ARE = {"S": str, "N": str, "BOOL": bool, "NULL": bool}


def _is_written_as_it_is(value):
    """Whether a value of an attribute is JSON already: no bytes, nothing empty-handed, nothing unknown."""
    if type(value) is not dict or len(value) != 1:
        return False
    ((kind, held),) = value.items()
    if kind == "M":
        return type(held) is dict and all(name and _is_written_as_it_is(each) for name, each in held.items())
    if kind == "L":
        return type(held) is list and all(map(_is_written_as_it_is, held))
    if kind == "SS":
        return type(held) is list and all(type(each) is str for each in held)
    return type(held) is AS_THEY_ARE.get(kind)


@_instead_of(BaseJSONSerializer, "_serialize_type_structure", read="36873909")
def write_structure(self, serialized, value, shape, key):
    """Values of attributes are asked under nine names and their aliases, level by level, to come out as they went in."""
    if shape.name == "AttributeValue" and key and _is_written_as_it_is(value):
        serialized[key] = value
    else:
        ORIGINAL["BaseJSONSerializer._serialize_type_structure"](self, serialized, value, shape, key)


# --- beginning and finding the way ---------------------------------------------------------------------------


@_instead_of(AccountSpecificBackend, "_generate_regions", read="6f339e32")
def regions(self, service_name):
    """The regions of a service are read from botocore's files once, not once for each test."""
    return list(_regions(service_name))


@functools.cache
def _regions(service_name):
    return ORIGINAL["AccountSpecificBackend._generate_regions"](None, service_name)


@functools.cache
def _urls(kind, _bases):
    return ORIGINAL["BaseBackend.urls"](kind.__new__(kind))


_instead_of(BaseBackend, "urls", read="56c80a13")(
    # The addresses of a service follow from its class, and are put together anew for each call.
    property(lambda self: _urls(type(self), tuple(self.url_bases)))
)

# A thousand of them are made for each test, always the same.
core.CallbackResponse = functools.cache(core.CallbackResponse)

# The names of a class's methods, which do not change, are looked for at each call.
_instead_of(responses, "method_names_from_class", read="9dbac89d")(functools.cache(responses.method_names_from_class))
