"""What each function may do to each resource: all that is not written here must be denied."""

import uuid

import pytest
from botocore.exceptions import ClientError

from tests.artefact.conftest import FUNCTIONS, SENDER, STACK

pytestmark = pytest.mark.emulator

DENIED = {"AccessDenied", "AccessDeniedException"}
READS = {"GetItem", "Query", "QueryIndex"}
MAY = {
    ("api", "records"): READS | {"BatchGetItem", "ConditionCheckItem", "PutItem", "UpdateItem", "DeleteItem"},
    ("api", "messages"): {"PutItem", "Query"},
    ("api", "audit"): {"PutItem"},
    ("relay", "messages"): {"PutItem"},
    ("relay", "mail"): {"SendMessage"},
    ("relay", "relay-dead"): {"SendMessage"},
    ("mailer", "records"): {"GetItem"},
    ("mailer", "messages"): {"GetItem", "UpdateItem"},
    ("mailer", "mail"): {"ReceiveMessage"},
    ("mailer", "ses"): {"SendRawEmail"},
    ("sweeper", "messages"): {"QueryIndex", "UpdateItem"},
    ("sweeper", "mail"): {"SendMessage"},
}
INDEXES = {
    "records": ("gsi1", "gsi1pk"),
    "messages": ("pending", "pending_pk"),
    "audit": ("person", "person_pk"),
}


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
        "SendMessage": lambda: sqs.send_message(QueueUrl=url, MessageBody='{"pk": "PROBE", "sk": "PROBE"}'),
        "ReceiveMessage": lambda: sqs.receive_message(QueueUrl=url),
        "PurgeQueue": lambda: sqs.purge_queue(QueueUrl=url),
    }


def mail_calls(ses):
    raw = f"From: {SENDER}\r\nTo: probe@trust.invalid\r\nSubject: Probe\r\n\r\nProbe".encode()
    return {
        "SendRawEmail": lambda: ses.send_raw_email(Source=SENDER, RawMessage={"Data": raw}),
        "DeleteIdentity": lambda: ses.delete_identity(Identity=SENDER),
    }


def bucket_calls(s3, bucket):
    return {
        "PutObject": lambda: s3.put_object(Bucket=bucket, Key="probe", Body=b""),
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


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize(
    "resource", ["records", "messages", "audit", "mail", "mail-dead", "relay-dead", "ses", "s3", "users"]
)
def test_a_function_may_do_what_it_needs_and_nothing_else(stack, function, resource):
    urls = {"mail": "MailQueueUrl", "mail-dead": "MailDeadQueueUrl", "relay-dead": "RelayDeadQueueUrl"}
    if resource in INDEXES:
        calls = table_calls(stack.as_function("dynamodb", function), resource)
    elif resource in urls:
        calls = queue_calls(stack.as_function("sqs", function), stack.outputs[urls[resource]])
    elif resource == "ses":
        calls = mail_calls(stack.as_function("ses", function))
    elif resource == "s3":
        calls = bucket_calls(stack.as_function("s3", function), stack.outputs["FilesBucket"])
    else:
        calls = user_calls(stack.as_function("cognito-idp", function), stack.outputs["UserPoolId"])
    granted = {name for name, call in calls.items() if not is_denied(call)}
    assert granted == MAY.get((function, resource), set())
