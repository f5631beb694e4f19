"""What no emulator does by itself: reads that lag behind, and transactions that collide (architecture §4)."""

import contextlib
from collections.abc import Callable

import boto3
from botocore.exceptions import ClientError

from chalicelib.storage import base
from infrastructure import tables

STALE = "-stale"


@contextlib.contextmanager
def intercepted(intercept: Callable):
    """Let `intercept(call, operation, request)` stand between the application and DynamoDB; `call` goes on as usual."""
    client = base.connection.client
    call = client._make_api_call
    client._make_api_call = lambda operation, request: intercept(call, operation, request)
    try:
        yield
    finally:
        client._make_api_call = call


@contextlib.contextmanager
def lagging_reads():
    """From here on, every read that is not strongly consistent, index reads above all, shows the records as they stand now."""
    client = boto3.client("dynamodb")
    name = base.Record.Meta.table_name
    definition = next(each for each in tables.definitions("esr-learning-test") if each["TableName"] == name)
    client.create_table(**{**definition, "TableName": name + STALE})
    for page in client.get_paginator("scan").paginate(TableName=name):
        for item in page["Items"]:
            client.put_item(TableName=name + STALE, Item=item)

    def intercept(call, operation, request):
        lags = not request.get("ConsistentRead")
        if operation in ("Query", "GetItem") and request["TableName"] == name and lags:
            request = {**request, "TableName": name + STALE}
        return call(operation, request)

    with intercepted(intercept):
        yield
    client.delete_table(TableName=name + STALE)


@contextlib.contextmanager
def colliding_transactions(times):
    """The next `times` transactions are cancelled by a conflict before they begin."""
    left = [times]

    def intercept(call, operation, request):
        if operation == "TransactWriteItems" and left[0] > 0:
            left[0] -= 1
            reasons = [{"Code": "None"} for _ in request["TransactItems"]]
            reasons[0] = {"Code": "TransactionConflict", "Message": "Transaction is ongoing for the item"}
            response = {"Error": {"Code": "TransactionCanceledException"}, "CancellationReasons": reasons}
            raise ClientError(response, operation)
        return call(operation, request)

    with intercepted(intercept):
        yield left


@contextlib.contextmanager
def before_commit(do, nth=1):
    """Somebody else acts once, after the application has read and judged, just before its nth transaction."""
    left = [nth]

    def intercept(call, operation, request):
        if operation == "TransactWriteItems":
            left[0] -= 1
            if left[0] == 0:
                do()
        return call(operation, request)

    with intercepted(intercept):
        yield


@contextlib.contextmanager
def counted(counting):
    """How many calls of an operation there are."""
    made = [0]

    def intercept(call, operation, request):
        made[0] += operation == counting
        return call(operation, request)

    with intercepted(intercept):
        yield made


@contextlib.contextmanager
def failing_calls(operation_name, code, times=1, after=False):
    """The next calls of an operation fail with an error code; `after`: the call is carried out, only its answer is lost."""
    left = [times]

    def intercept(call, operation, request):
        if operation == operation_name and left[0] > 0:
            left[0] -= 1
            if after:
                call(operation, request)
            raise ClientError({"Error": {"Code": code}}, operation)
        return call(operation, request)

    with intercepted(intercept):
        yield
