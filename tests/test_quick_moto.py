"""What `quick_moto.py` puts into moto does what moto does."""

import copy
import os

import boto3
import pytest
from botocore.exceptions import ClientError
from hypothesis import given, settings
from hypothesis import strategies as st
from moto.core import DEFAULT_ACCOUNT_ID
from moto.core.responses import get_service_model
from moto.core.serialize import JSONSerializer, XFormedAttributePicker
from moto.dynamodb.models import DynamoDBBackend, dynamodb_backends
from moto.dynamodb.models.dynamo_type import DynamoType
from moto.dynamodb.models.table import Table
from moto.dynamodb.parsing.ast_nodes import DepthFirstTraverser
from moto.dynamodb.parsing.expressions import UpdateExpressionParser

from tests import quick_moto

MESSAGES = os.environ["MESSAGES_TABLE"]
RECORDS = os.environ["RECORDS_TABLE"]


def backend():
    return dynamodb_backends[DEFAULT_ACCOUNT_ID]["eu-west-2"]


def everything(tables):
    """Every item of every table as JSON, and the changes that each stream holds."""
    items = {name: sorted(repr(item.to_json()) for item in table.all_items()) for name, table in tables.items()}
    streams = {
        name: table.stream_shard and [each.to_json() for each in table.stream_shard.items]
        for name, table in tables.items()
    }
    return items, streams


# --- transactions -------------------------------------------------------------------------------------------


def row(name, **attributes):
    return {
        "pk": {"S": "p"},
        "sk": {"S": name},
        "count": {"N": "1"},
        "held": {"M": {"a": {"L": [{"S": "x"}]}}},
        **attributes,
    }


def put(name, table=RECORDS, **attributes):
    return {"Put": {"TableName": table, "Item": row(name, **attributes)}}


def update(name, expression="SET #c = #c + :one, held.a[0] = :two", table=RECORDS, **more):
    values = {":one": {"N": "1"}, ":two": {"S": "y"}}
    named = {"ExpressionAttributeNames": {"#c": "count"}, "ExpressionAttributeValues": values}
    return {"Update": {"TableName": table, "Key": key(name), "UpdateExpression": expression, **named, **more}}


def key(name):
    return {"pk": {"S": "p"}, "sk": {"S": name}}


def delete(name, table=RECORDS):
    return {"Delete": {"TableName": table, "Key": key(name)}}


def there(name, table=RECORDS, condition="attribute_exists(pk)"):
    return {"ConditionCheck": {"TableName": table, "Key": key(name), "ConditionExpression": condition}}


EVERY_KIND = [put("old-1"), put("new-1"), update("old-2"), update("new-2", "SET #c = :one REMOVE gone ADD n :one"), delete("old-3"),
              delete("missing"), put("new-3", MESSAGES), update("old-1", table=MESSAGES), there("old-4")]  # fmt: skip
EVERY_KIND[3]["Update"]["ExpressionAttributeValues"].pop(":two")
CANCELLED = {
    "a condition at the end": [*EVERY_KIND, there("nobody")],
    "a condition at the beginning": [there("nobody"), *EVERY_KIND],
    "a condition of an update": [*EVERY_KIND[:8], update("old-4", ConditionExpression="attribute_not_exists(pk)")],
    "one item named twice": [*EVERY_KIND, delete("old-1")],
    "an expression that cannot be carried out": [*EVERY_KIND, update("old-5", "SET nobody.a = :two, #c = :one")],
    "a table that is not there": [*EVERY_KIND, put("old-5", "nowhere")],
}


@pytest.fixture
def filled(aws):
    """Both tables with five rows each."""
    client = boto3.client("dynamodb")
    for table in (RECORDS, MESSAGES):
        for number in range(1, 6):
            client.put_item(TableName=table, Item=row(f"old-{number}"))
    return client


def outcome(transact, items):
    try:
        transact(backend(), copy.deepcopy(items))
    except Exception as refusal:
        return type(refusal).__name__, str(refusal), getattr(refusal, "description", None)


@pytest.mark.parametrize("why", CANCELLED)
def test_a_cancelled_transaction_leaves_everything_as_it_was(filled, why):
    before = everything(backend().tables)
    with pytest.raises(ClientError):
        filled.transact_write_items(TransactItems=CANCELLED[why])
    assert everything(backend().tables) == before


@pytest.mark.parametrize("items", [EVERY_KIND, *CANCELLED.values()], ids=["committed", *CANCELLED])
def test_a_transaction_comes_out_as_moto_has_it(filled, items):
    """Item by item and answer by answer; the streams up to the moment and the table that their records name."""
    untouched = copy.deepcopy(backend().tables)
    told = outcome(DynamoDBBackend.transact_write_items, items)
    here, streams = everything(backend().tables)
    backend().tables = untouched
    assert outcome(quick_moto.ORIGINAL["DynamoDBBackend.transact_write_items"], items) == told
    there, streams_there = everything(backend().tables)
    assert here == there
    assert [len(each or []) for each in streams.values()] == [len(each or []) for each in streams_there.values()]
    assert (told is None) == (items is EVERY_KIND)


def test_what_was_read_before_a_transaction_does_not_change_with_it(filled):
    before = filled.get_item(TableName=RECORDS, Key=key("old-2"))["Item"]
    with pytest.raises(ClientError):
        filled.transact_write_items(TransactItems=[update("old-2"), there("nobody")])
    assert filled.get_item(TableName=RECORDS, Key=key("old-2"))["Item"] == before
    filled.transact_write_items(TransactItems=[update("old-2"), there("old-1")])
    assert filled.get_item(TableName=RECORDS, Key=key("old-2"))["Item"]["count"] == {"N": "2"}


# --- queries ------------------------------------------------------------------------------------------------

few = st.sampled_from(["a", "b", "c"])
ROWS = st.lists(
    st.tuples(few, st.sampled_from(["1", "10", "2", "Z", "z", "é"]), st.none() | few, st.none() | few), max_size=25
)


def table_of(rows):
    schema = [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}]
    index = {
        "IndexName": "gsi1",
        "KeySchema": [{"AttributeName": "gsi1pk", "KeyType": "HASH"}, {"AttributeName": "gsi1sk", "KeyType": "RANGE"}],
        "Projection": {"ProjectionType": "ALL"},
    }
    types = [{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk", "gsi1pk", "gsi1sk")]
    table = Table("t", DEFAULT_ACCOUNT_ID, "eu-west-2", schema, types, global_indexes=[index])
    for row in rows:
        table.put_item(
            {name: {"S": each} for name, each in zip(("pk", "sk", "gsi1pk", "gsi1sk"), row, strict=True) if each}
        )
    return table


def answers(ask, table, of, index, forward, limit, range_key):
    found, start = [], None
    while True:
        hash_conditions = [("gsi1pk" if index else "pk", DynamoType({"S": of}))]
        given = [DynamoType({"S": range_key})] if range_key else []
        items, scanned, start = ask(
            table, None if index else hash_conditions[0][1], "GE" if given else None, given, limit, start, forward, None, index,
            hash_key_conditions=hash_conditions,
        )  # fmt: skip
        found.append(([item.to_json() for item in items], scanned, start))
        if start is None or len(found) > 30:
            return found


@settings(max_examples=150)
@given(ROWS, few, st.sampled_from([None, "gsi1"]), st.booleans(), st.sampled_from([1, 2, 7, 100]), st.none() | few)
def test_a_query_finds_what_moto_finds_in_the_same_order_and_pages(rows, of, index, forward, limit, range_key):
    table = table_of(rows)
    asked = (table, of, index, forward, limit, range_key)
    assert answers(Table.query, *asked) == answers(quick_moto.ORIGINAL["Table.query"], *asked)
    assert table.all_items() == quick_moto.ORIGINAL["Table.all_items"](table)


# --- updates ------------------------------------------------------------------------------------------------

EXPRESSIONS = [
    "SET #c = #c + :one, held.a[0] = :two",
    "SET #c = if_not_exists(#c, :one) + :one, held.b = list_append(held.a, held.a) REMOVE gone, held.a[0] ADD n :one",
    "SET fresh = if_not_exists(fresh, :two), other = #c REMOVE held",
    "ADD #c :one, words :words",
    "DELETE words :words SET #c = :one",
    "REMOVE #c SET #c = :one",
    "SET nobody.a = :two",
    "SET #c = :one SET n = :one",
    "SET pk = :two",
    "SET #c = :unknown",
    "SET #c = held + :one",
    "SET",
]
VALUES = {":one": {"N": "1"}, ":two": {"S": "y"}, ":words": {"SS": ["a", "b"]}}


def updated(expression, name):
    """The row afterwards, or how it was refused."""
    used = {each: value for each, value in VALUES.items() if each in expression}
    names = {"#c": "count"} if "#c" in expression else {}
    try:
        backend().update_item(RECORDS, key(name), expression, names, used)
    except Exception as refusal:
        return type(refusal).__name__, str(refusal), getattr(refusal, "description", None)
    return backend().get_item(RECORDS, key(name)).to_json()["Attributes"] | key("")


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_an_update_comes_out_as_moto_has_it_also_when_its_expression_comes_again(filled, expression):
    quick = [updated(expression, name) for name in ("old-1", "old-1", "new-1")]
    with pytest.MonkeyPatch.context() as patch:
        make, traverse = (quick_moto.ORIGINAL[name] for name in UPDATES)
        patch.setattr(UpdateExpressionParser, "make", classmethod(make))
        patch.setattr(DepthFirstTraverser, "traverse_node_recursively", traverse)
        assert quick == [updated(expression, name) for name in ("old-2", "old-2", "new-2")]


UPDATES = ("UpdateExpressionParser.make", "DepthFirstTraverser.traverse_node_recursively")


# --- values -------------------------------------------------------------------------------------------------

texts = st.text(max_size=3)
LEAVES = st.one_of(
    st.builds(lambda each: {"S": each}, texts),
    st.builds(lambda each: {"N": str(each)}, st.integers()),
    st.builds(lambda each: {"BOOL": each}, st.booleans()),
    st.just({"NULL": True}),
    st.builds(lambda each: {"B": each}, st.binary(max_size=3)),
    st.builds(lambda each: {"SS": each}, st.lists(texts, max_size=2)),
    st.builds(lambda each: {"NS": each}, st.lists(st.just("1"), max_size=2)),
    st.sampled_from([{"S": ""}, {"M": {}}, {"L": []}]),
)
ODD = st.sampled_from([{}, {"X": "unknown"}, {"S": None}])


def nested(leaves):
    lists, maps = (lambda inner: st.lists(inner, max_size=3)), (lambda inner: st.dictionaries(texts, inner, max_size=3))
    return st.recursive(
        leaves, lambda inner: lists(inner).map(lambda each: {"L": each}) | maps(inner).map(lambda each: {"M": each}), max_leaves=8
    )  # fmt: skip


def written(value):
    operation = get_service_model("dynamodb").operation_model("GetItem")
    serializer = JSONSerializer(operation_model=operation, value_picker=XFormedAttributePicker())
    return serializer.serialize({"Item": {"attribute": value, "pk": {"S": "p"}}})["body"]


@settings(max_examples=300)
@given(nested(LEAVES | ODD))
def test_a_value_is_written_as_moto_writes_it(value):
    with pytest.MonkeyPatch.context() as patch:
        quick = written(value)
        original = quick_moto.ORIGINAL["BaseJSONSerializer._serialize_type_structure"]
        patch.setattr(quick_moto.BaseJSONSerializer, "_serialize_type_structure", original)
        assert quick == written(value)


@given(nested(LEAVES))
def test_a_copy_of_a_value_is_equal_and_its_own(value):
    one = DynamoType(copy.deepcopy(value))
    other, as_moto_does = copy.deepcopy(one), quick_moto.ORIGINAL["DynamoType.__deepcopy__"](one, {})
    assert other.to_regular_json() == one.to_regular_json() == as_moto_does.to_regular_json()
    before = one.to_regular_json()
    if one.is_list() or one.is_set():
        other.value.append("more")
    if one.is_map():
        other.value["more"] = "more"
    assert one.to_regular_json() == before


# --- another moto -------------------------------------------------------------------------------------------


def test_code_of_moto_that_was_not_read_is_not_replaced():
    with pytest.raises(RuntimeError, match="has changed"):
        quick_moto._instead_of(Table, "get_item", read="00000000")
    with pytest.raises(AttributeError):
        quick_moto._instead_of(Table, "no_longer_there", read="00000000")
