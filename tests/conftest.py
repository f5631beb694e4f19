"""Every test runs at a fixed moment against its own empty tables; nothing reaches the network."""

import functools
import io
import json
import os

os.environ |= {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": "eu-west-2",
    "AWS_REGION": "eu-west-2",
    "RECORDS_TABLE": "esr-learning-test-records",
    "MESSAGES_TABLE": "esr-learning-test-messages",
    "AUDIT_TABLE": "esr-learning-test-audit",
    "CURSOR_SECRET": "a secret of the tests",
    "COGNITO_ISSUER": "https://issuer.test/pool",
    "COGNITO_JWKS_URL": "https://issuer.test/pool/jwks.json",
    "COGNITO_CLIENT_ID": "portal",
    "MAIL_SENDER": "learning@trust.invalid",
    "PORTAL_URL": "https://portal.test",
    "POWERTOOLS_METRICS_NAMESPACE": "EsrLearningTest",
    "POWERTOOLS_SERVICE_NAME": "esr-learning",
    "LOG_LEVEL": "INFO",
    "WORKFORCE_BUCKET": "esr-learning-test-workforce",
    "FILES_BUCKET": "esr-learning-test-files",
}
os.environ.pop("AWS_ENDPOINT_URL", None)

import boto3
import jwt
import pytest
from botocore import UNSIGNED
from chalice.test import Client
from hypothesis import settings
from moto import mock_aws

from chalicelib import observability
from chalicelib.handlers import http
from chalicelib.storage import base, files, message_settings, queues, rules
from infrastructure import tables
from tests import builders, quick_moto, snapshots, tokens
from tests.builders import NOW

assert quick_moto.ORIGINAL, "importing it replaces parts of moto"

settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")


class Clients:
    """AWS clients as the application and the tests make them, made once for each process: one costs as much as a whole test."""

    def __init__(self):
        self.client = functools.cache(boto3.client)
        self.sqs = queues._sqs.__wrapped__()
        self.s3 = files._s3.__wrapped__()
        base.connection._client = None
        self.tables = base.connection.client
        self.tables.meta.events.register("choose-signer", lambda **_: UNSIGNED)  # moto does not look at signatures

    def use(self, monkeypatch):
        """Let the application and the test at hand have them."""
        make = boto3.client
        monkeypatch.setattr(boto3, "client", lambda *given, **named: (make if named else self.client)(*given, **named))
        monkeypatch.setattr(queues, "_sqs", lambda: self.sqs)
        monkeypatch.setattr(files, "_s3", lambda: self.s3)
        monkeypatch.setattr(base.connection, "_client", self.tables)


clients = functools.cache(Clients)


def empty_stores():
    """Tables, queues and buckets as the template has them; the addresses of the queues."""
    dynamodb, sqs, s3 = (boto3.client(name) for name in ("dynamodb", "sqs", "s3"))
    for definition in tables.definitions("esr-learning-test"):
        dynamodb.create_table(**definition)
    for name in ("WORKFORCE_BUCKET", "FILES_BUCKET"):
        s3.create_bucket(Bucket=os.environ[name], CreateBucketConfiguration={"LocationConstraint": "eu-west-2"})
        s3.put_bucket_versioning(Bucket=os.environ[name], VersioningConfiguration={"Status": "Enabled"})
    return {
        name: sqs.create_queue(QueueName=name.replace("_", "-").lower())["QueueUrl"]
        for name in ("MAIL_QUEUE_URL", "RELAY_DEAD_QUEUE_URL", "WORK_QUEUE_URL")
    }


@pytest.fixture
def aws(monkeypatch):
    """Empty tables, queues and buckets."""
    with mock_aws():
        clients().use(monkeypatch)
        for name, address in snapshots.begin("empty", empty_stores).items():
            monkeypatch.setenv(name, address)
        monkeypatch.setattr(builders, "trust", once_for_each_process(builders.trust))
        rules.forget()
        message_settings.forget()
        yield


def once_for_each_process(build):
    """Let what a builder stores in empty tables be put back from then on, for the same arguments."""

    @functools.wraps(build)
    def put_back(*given):
        if not snapshots.nothing_written():
            return build(*given)
        snapshots.begin((build, given), lambda: build(*given))
        return rules.forget()

    return put_back


@pytest.fixture
def logged():
    """What reaches the log, as text."""
    handler = observability.logger.registered_handler
    buffer = io.StringIO()
    before = handler.setStream(buffer)
    yield buffer.getvalue
    handler.setStream(before)


@pytest.fixture
def clock(monkeypatch):
    """The clock of HTTP requests, which a test may move: `clock.now = …`."""

    class Clock:
        now = NOW

    monkeypatch.setattr(http, "now", lambda: Clock.now)
    return Clock


@pytest.fixture
def nothing_waits(monkeypatch):
    """Long work begins at once and looks again at once, at the fixed moment."""
    from chalicelib.handlers import work
    from chalicelib.services import jobs, projection

    monkeypatch.setattr(projection, "LOOK_AGAIN_SECONDS", 0)
    monkeypatch.setattr(jobs, "PART_DELAY_SECONDS", 0)
    monkeypatch.setattr(work, "now", lambda: NOW)


@pytest.fixture
def published_keys(monkeypatch):
    """The issuer's key set, as if fetched from its address."""
    monkeypatch.setattr(jwt.PyJWKClient, "fetch_data", lambda self: tokens.key_set())


class Api:
    """The API as a client sees it: `api.get("/v1/me", as_="504-1")`."""

    def __init__(self, client):
        self._client = client

    def call(self, method, path, *, as_=None, token=None, body=None, headers=None, raw=None):
        sent = {"Content-Type": "application/json", **(headers or {})}
        if as_ or token:
            sent["Authorization"] = f"Bearer {token or tokens.access_token(as_)}"
        content = raw if raw is not None else (json.dumps(body) if body is not None else "")
        return self._client.http.request(method, path, headers=sent, body=content)

    def get(self, path, **options):
        return self.call("GET", path, **options)

    def post(self, path, body=None, **options):
        return self.call("POST", path, body=body, **options)

    def delete(self, path, **options):
        return self.call("DELETE", path, **options)


@pytest.fixture
def api(aws, clock, published_keys):
    """The whole application behind its HTTP routes, on empty tables."""
    from app import app

    with Client(app) as client:
        yield Api(client)
