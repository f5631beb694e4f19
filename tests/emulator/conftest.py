"""An emulator of its own for this session: unlike moto it takes real parallelism."""

import pytest

from chalicelib.storage import base, rules
from infrastructure import tables
from infrastructure.local import emulator


@pytest.fixture(scope="session")
def running_emulator():
    with emulator.private() as running:
        dynamodb = running.client("dynamodb")
        for definition in tables.definitions("esr-learning-test"):
            dynamodb.create_table(**definition)
        yield running


@pytest.fixture
def real_tables(running_emulator, monkeypatch):
    """The application's storage on the emulator, emptied."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", running_emulator.endpoint)
    dynamodb = running_emulator.client("dynamodb")
    for definition in tables.definitions("esr-learning-test"):
        name = definition["TableName"]
        for page in dynamodb.get_paginator("scan").paginate(TableName=name):
            for item in page["Items"]:
                dynamodb.delete_item(TableName=name, Key={"pk": item["pk"], "sk": item["sk"]})
    base.connection._client = None
    rules.forget()
    yield
    base.connection._client = None
