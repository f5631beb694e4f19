"""What AWS does between our functions: the stream to the projector, the queue to the worker, until nothing is left."""

import boto3

from chalicelib.config import setting
from chalicelib.handlers import work
from chalicelib.storage.outbox import EventRow


def stream_records(seen=()):
    """What the stream of the messages table delivers of events not seen yet, oldest first, as Lambda gets it."""
    pages = boto3.client("dynamodb").get_paginator("scan").paginate(TableName=EventRow.Meta.table_name)
    items = [item for page in pages for item in page["Items"]]
    events = sorted((each for each in items if each["pk"]["S"].startswith("EVT#")), key=lambda each: each["sk"]["S"])
    return [
        {
            "eventName": "INSERT",
            "dynamodb": {
                "Keys": {"pk": item["pk"], "sk": item["sk"]},
                "NewImage": item,
                "SequenceNumber": str(number),
            },
        }
        for number, item in enumerate(events)
        if item["sk"]["S"] not in seen
    ]


def queued():
    """The messages waiting in the work queue, taken out of it."""
    client, url, found = boto3.client("sqs"), setting("WORK_QUEUE_URL"), []
    while messages := client.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
        for message in messages:
            client.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            found.append({"messageId": message["MessageId"], "body": message["Body"]})
    return found


def plenty():
    """Time left of a function, in milliseconds."""
    return 60_000


def _id(record):
    return record["dynamodb"]["Keys"]["sk"]["S"]


class Pump:
    """Delivers every event from now on once, and every queue message, until nothing is left."""

    def __init__(self):
        self.seen = {_id(each) for each in stream_records()}

    def project(self):
        """The stream alone."""
        records = stream_records(self.seen)
        self.seen |= {_id(each) for each in records}
        assert work.project_events({"Records": records}) == {"batchItemFailures": []}
        return len(records)

    def run(self):
        """Stream and queue in turn."""
        while self.project() + self.work():
            pass

    def work(self):
        """The queue alone."""
        messages = queued()
        for message in messages:
            assert work.do_work({"Records": [message]}, plenty) == {"batchItemFailures": []}
        return len(messages)
