"""Tests that begin with the same state share nothing else."""

import boto3
import pytest

from chalicelib.config import setting
from chalicelib.storage.base import AuditTable, Record
from chalicelib.storage.outbox import EventRow
from tests import builders as b
from tests import snapshots


def rows():
    tables = [model.Meta.table_name for model in (Record, EventRow, AuditTable)]
    return {name: sorted(map(str, boto3.client("dynamodb").scan(TableName=name)["Items"])) for name in tables}


def queued():
    return (
        boto3.client("sqs").receive_message(QueueUrl=setting("WORK_QUEUE_URL"), VisibilityTimeout=0).get("Messages", [])
    )


@pytest.mark.parametrize("time", ["made", "put back", "put back again"])
def test_a_test_begins_with_what_was_made_however_often_it_was_put_back_and_changed(aws, time):
    assert snapshots.nothing_written()
    assert not any(rows().values())
    assert queued() == []
    b.trust()
    as_made = rows()
    assert all(as_made.values())
    b.person()
    b.person(2)
    b.competence.require(b.SYSTEM, "504", [b.requirement(b.MOVING)], b.NOW)
    next(Record.scan()).delete()
    boto3.client("sqs").send_message(QueueUrl=setting("WORK_QUEUE_URL"), MessageBody="left behind")
    boto3.client("s3").put_object(Bucket=setting("FILES_BUCKET"), Key="left behind", Body=b"")
    changed = rows()
    assert all(changed[name] != as_made[name] for name in changed)


def test_what_is_put_back_is_what_the_services_make(aws):
    """But for ids, which are chance: as many rows of each kind under each key, as the builder itself leaves them."""

    def shape():
        return sorted((type(row).__name__, *sorted(row.to_dynamodb_dict())) for row in Record.scan())

    b.trust()
    put_back = shape()
    snapshots.begin("empty", None)
    b.trust.__wrapped__()
    assert shape() == put_back


def test_a_trust_with_other_requirements_is_another(aws):
    b.trust(b.requirement(b.MOVING))
    other = rows()
    snapshots.begin("empty", None)
    b.trust(b.requirement(b.PREVENT))
    assert rows() != other


def test_a_file_stored_before_there_is_a_trust_is_still_there(aws):
    boto3.client("s3").put_object(Bucket=setting("FILES_BUCKET"), Key="before", Body=b"")
    assert not snapshots.nothing_written()
    b.trust()
    assert [each["Key"] for each in boto3.client("s3").list_objects_v2(Bucket=setting("FILES_BUCKET"))["Contents"]] == [
        "before"
    ]


def test_a_trust_beside_others_is_made_by_the_services(aws):
    """What is there already is kept."""
    b.person()
    before = rows()
    b.trust()
    assert set(before[EventRow.Meta.table_name]) < set(rows()[EventRow.Meta.table_name])
