"""What each function may do to each resource: all that is not written here must be denied."""

import uuid

import pytest
from botocore.exceptions import ClientError

from tests.artefact.conftest import FUNCTIONS, SENDER, STACK

pytestmark = pytest.mark.emulator

DENIED = {"AccessDenied", "AccessDeniedException"}
READS = {"GetItem", "BatchGetItem", "Query", "QueryIndex"}
ALL = READS | {"ConditionCheckItem", "PutItem", "UpdateItem", "DeleteItem"}
MAY = {
    ("api", "records"): ALL,
    ("api", "messages"): {"BatchGetItem", "GetItem", "PutItem", "Query", "UpdateItem"},
    ("api", "audit"): {"PutItem"},
    ("api", "workforce files"): {"PutObject"},
    ("api", "files"): {"GetObject", "ListObjects"},
    ("relay", "records"): {"GetItem"},
    ("relay", "messages"): {"GetItem", "PutItem"},
    ("relay", "mail"): {"SendMessage"},
    ("relay", "relay-dead"): {"SendMessage"},
    ("mailer", "records"): {"GetItem", "PutItem", "Query"},
    ("mailer", "messages"): {"BatchGetItem", "GetItem", "PutItem", "Query", "UpdateItem"},
    ("mailer", "audit"): {"PutItem"},
    ("mailer", "mail"): {"ReceiveMessage"},
    ("mailer", "ses"): {"SendRawEmail"},
    ("feedback", "records"): {"GetItem", "PutItem", "Query", "UpdateItem"},
    ("feedback", "messages"): {"GetItem", "UpdateItem"},
    ("feedback", "audit"): {"PutItem"},
    ("feedback", "feedback"): {"ReceiveMessage"},
    ("sweeper", "messages"): {"QueryIndex", "UpdateItem"},
    ("sweeper", "mail"): {"SendMessage"},
    ("projector", "records"): ALL,
    ("projector", "messages"): {"PutItem"},
    ("projector", "audit"): {"PutItem"},
    ("projector", "work"): {"SendMessage"},
    ("projector", "projector-dead"): {"SendMessage"},
    ("worker", "records"): ALL,
    ("worker", "messages"): {"BatchGetItem", "PutItem"},
    ("worker", "audit"): {"PutItem"},
    ("worker", "work"): {"SendMessage", "ReceiveMessage"},
    ("worker", "workforce files"): {"GetObject", "GetObjectVersion", "ListObjects"},
    ("worker", "files"): {"GetObject", "PutObject", "ListObjects"},
    ("timekeeper", "records"): {"Query"},
    ("timekeeper", "work"): {"SendMessage"},
    ("feeder", "records"): ALL,
    ("feeder", "messages"): {"PutItem"},
    ("feeder", "audit"): {"PutItem"},
    ("feeder", "workforce"): {"ReceiveMessage"},
    ("feeder", "work"): {"SendMessage"},
    ("feeder", "workforce files"): {"GetObject", "GetObjectVersion", "ListObjects"},
}
INDEXES = {
    "records": ("gsi1", "gsi1pk"),
    "messages": ("pending", "pending_pk"),
    "audit": ("person", "person_pk"),
}
QUEUES = {
    "mail": "MailQueueUrl",
    "mail-dead": "MailDeadQueueUrl",
    "feedback": "FeedbackQueueUrl",
    "feedback-dead": "FeedbackDeadQueueUrl",
    "relay-dead": "RelayDeadQueueUrl",
    "projector-dead": "ProjectorDeadQueueUrl",
    "work": "WorkQueueUrl",
    "work-dead": "WorkDeadQueueUrl",
    "workforce": "WorkforceQueueUrl",
    "workforce-dead": "WorkforceDeadQueueUrl",
}
BUCKETS = {"workforce files": "WorkforceBucket", "files": "FilesBucket"}


PROBE = '{"pk": "PROBE", "sk": "PROBE"}'


def table_calls(dynamodb, table):
    name = f"{STACK}-{table}"
    index, index_key = INDEXES[table]
    key = {"pk": {"S": "PROBE"}, "sk": {"S": str(uuid.uuid4())}}
    check = {"TableName": name, "Key": key, "ConditionExpression": "attribute_not_exists(pk)"}

    def query(partition_key, **options):
        dynamodb.query(
            TableName=name, KeyConditionExpression="#k = :k", ExpressionAttributeNames={"#k": partition_key},
            ExpressionAttributeValues={":k": {"S": "PROBE"}}, **options,
        )  # fmt: skip

    return {
        "GetItem": lambda: dynamodb.get_item(TableName=name, Key=key),
        "BatchGetItem": lambda: dynamodb.batch_get_item(RequestItems={name: {"Keys": [key]}}),
        "Query": lambda: query("pk"),
        "QueryIndex": lambda: query(index_key, IndexName=index),
        "Scan": lambda: dynamodb.scan(TableName=name),
        "ConditionCheckItem": lambda: dynamodb.transact_write_items(TransactItems=[{"ConditionCheck": check}]),
        "PutItem": lambda: dynamodb.put_item(TableName=name, Item=key),
        "UpdateItem": lambda: dynamodb.update_item(TableName=name, Key=key),
        "DeleteItem": lambda: dynamodb.delete_item(TableName=name, Key=key),
        "BatchWriteItem": lambda: dynamodb.batch_write_item(RequestItems={name: [{"PutRequest": {"Item": key}}]}),
        "DeleteTable": lambda: dynamodb.delete_table(TableName=name),
    }


def queue_calls(sqs, url):
    return {
        "SendMessage": lambda: sqs.send_message(QueueUrl=url, MessageBody=PROBE),
        "ReceiveMessage": lambda: sqs.receive_message(QueueUrl=url),
        "PurgeQueue": lambda: sqs.purge_queue(QueueUrl=url),
    }


def mail_calls(ses):
    raw = f"From: {SENDER}\r\nTo: probe@trust.invalid\r\nSubject: Probe\r\n\r\nProbe".encode()
    return {
        "SendRawEmail": lambda: ses.send_raw_email(Source=SENDER, RawMessage={"Data": raw}),
        "DeleteIdentity": lambda: ses.delete_identity(Identity=SENDER),
    }


def bucket_calls(s3, bucket, version):
    return {
        "GetObject": lambda: s3.get_object(Bucket=bucket, Key="probe"),
        "GetObjectVersion": lambda: s3.get_object(Bucket=bucket, Key="probe", VersionId=version),
        "PutObject": lambda: s3.put_object(Bucket=bucket, Key="probe", Body=b""),
        "DeleteObject": lambda: s3.delete_object(Bucket=bucket, Key="probe"),
        "ListObjects": lambda: s3.list_objects_v2(Bucket=bucket),
    }


def user_calls(cognito, pool):
    return {
        "ListUsers": lambda: cognito.list_users(UserPoolId=pool),
        "AdminDeleteUser": lambda: cognito.admin_delete_user(UserPoolId=pool, Username="probe"),
    }


def is_denied(call):
    try:
        call()
    except ClientError as error:
        if error.response["Error"]["Code"] in DENIED:
            return True
        raise
    return False


@pytest.fixture(scope="module")
def versions(stack):
    """An object in each bucket, and its version: only who may list a bucket is told that something is not there."""
    put = stack.client("s3").put_object
    return {name: put(Bucket=stack.outputs[bucket], Key="probe")["VersionId"] for name, bucket in BUCKETS.items()}


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("resource", [*INDEXES, *QUEUES, *BUCKETS, "ses", "users"])
def test_a_function_may_do_what_it_needs_and_nothing_else(stack, versions, function, resource):
    if resource in INDEXES:
        calls = table_calls(stack.as_function("dynamodb", function), resource)
    elif resource in QUEUES:
        calls = queue_calls(stack.as_function("sqs", function), stack.outputs[QUEUES[resource]])
    elif resource in BUCKETS:
        bucket = stack.outputs[BUCKETS[resource]]
        calls = bucket_calls(stack.as_function("s3", function), bucket, versions[resource])
    elif resource == "ses":
        calls = mail_calls(stack.as_function("ses", function))
    else:
        calls = user_calls(stack.as_function("cognito-idp", function), stack.outputs["UserPoolId"])
    granted = {name for name, call in calls.items() if not is_denied(call)}
    assert granted == MAY.get((function, resource), set())
