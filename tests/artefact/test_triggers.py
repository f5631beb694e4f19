"""One probe for each way in: HTTP, streams, queues, bus, bucket and schedules, through the deployed code and its own roles."""

import io
import json
import time
from datetime import UTC, datetime, timedelta

import pytest
from pypdf import PdfReader

from chalicelib.domain.calendar import london_day
from chalicelib.domain.timers import Timer, TimerKind
from chalicelib.storage.outbox import NotificationKey
from chalicelib.storage.timers import TimerRow
from tests.artefact.conftest import STACK, eventually

pytestmark = pytest.mark.emulator

PATIENCE = 60
"""Seconds: the first event of a function waits for its cold start, perhaps beside six others."""


def test_http_reaches_the_api(stack):
    answer = stack.call("GET", "/v1/health")
    assert (answer.status, answer.json()["status"]) == (200, "ok")


def test_http_without_a_token_is_refused(stack):
    assert stack.call("GET", "/v1/me").status == 401


def test_a_register_comes_as_a_pdf_and_not_as_letters_that_stand_for_one(stack, administrator):
    """API Gateway decodes it for whoever accepts it."""
    path = f"{stack.deployment.api_url}/v1/classes/504-c1/register"
    headers = {"Authorization": f"Bearer {administrator}", "Accept": "application/pdf"}
    answer = stack.http.request("GET", path, headers=headers)
    assert (answer.status, answer.headers["Content-Type"]) == (200, "application/pdf")
    assert len(PdfReader(io.BytesIO(answer.data)).pages) == 1


def test_a_booking_reaches_the_learner_by_e_mail(stack, learner):
    """HTTP, transaction, stream, relay, queue, mailer and SES, each under the policy of its own function."""
    answer = stack.call("POST", "/v1/me/enrolments", learner, {"class_id": "504-c1"})
    assert answer.status == 201, answer.data
    (mail,) = eventually(lambda: stack.mails("Fire Safety"), PATIENCE)
    assert "person1@trust.invalid" in mail.header("To")
    assert mail.text()
    assert mail.html()
    calendar = [part for part in mail.parts() if part.is_calendar]
    assert "METHOD:REQUEST" in calendar[0].text()


def test_what_ses_reports_of_an_e_mail_is_noted_with_it(stack, learner, administrator):
    """Topic, queue, function. The emulator's SES reports to identities alone, without tags, so that the probe speaks for it."""
    # Whoever is on the class already, by another test on the same stack, has been told of it.
    assert stack.call("POST", "/v1/me/enrolments", learner, {"class_id": "504-c1"}).status in (201, 409)
    dynamodb, table = stack.client("dynamodb"), stack.outputs["MessagesTable"]
    of_learner = {":pk": {"S": "P#p1"}, ":n": {"S": "N#"}}

    def sent():
        found = dynamodb.query(
            TableName=table,
            KeyConditionExpression="pk = :pk AND begins_with(sk, :n)",
            ExpressionAttributeValues=of_learner,
        )
        return next((each for each in found["Items"] if each["delivery"]["S"] in ("sent", "delivered")), None)

    row = eventually(sent, PATIENCE)
    tags = {name: [tag] for name, tag in NotificationKey(row["pk"]["S"], row["sk"]["S"]).tags().items()}
    report = {
        "eventType": "Delivery",
        "mail": {"tags": tags},
        "delivery": {"timestamp": datetime.now(UTC).isoformat()},
    }
    stack.client("sns").publish(TopicArn=stack.outputs["FeedbackTopic"], Message=json.dumps(report))

    def arrived():
        answer = stack.call("GET", "/v1/people/p1/messages", administrator)
        assert answer.status == 200, answer.data
        return any(each["email"] == "delivered" for each in answer.json()["messages"])

    assert eventually(arrived, PATIENCE)


def test_an_event_nobody_understands_is_parked_and_those_behind_it_go_on(stack):
    dynamodb = stack.client("dynamodb")
    for number in range(2):
        row = {
            "pk": {"S": "EVT#poison"},
            "sk": {"S": str(number)},
            "kind": {"S": "event"},
            "type": {"S": "no.such.event"},
        }
        dynamodb.put_item(TableName=stack.outputs["MessagesTable"], Item=row)
    parked = []

    def both_parked():
        parked.extend(each for each in stack.received(stack.outputs["RelayDeadQueueUrl"]) if each["pk"] == "EVT#poison")
        return len(parked) == 2

    assert eventually(both_parked, PATIENCE), parked
    assert [each["sk"] for each in parked] == ["0", "1"]


@pytest.mark.parametrize("queue", ["Mail", "Feedback", "Work", "Workforce"])
def test_a_queue_message_that_keeps_failing_ends_in_the_dead_letter_queue(stack, queue):
    stack.client("sqs").send_message(QueueUrl=stack.outputs[f"{queue}QueueUrl"], MessageBody='"poison"')
    # Beside it may lie what the probes of permissions sent.
    assert eventually(lambda: "poison" in stack.received(stack.outputs[f"{queue}DeadQueueUrl"]), PATIENCE)


def assignments_in(stack, administrator, unit):
    answer = stack.call("GET", f"/v1/units/{unit}/compliance", administrator)
    assert answer.status == 200, answer.data
    return answer.json()["unit"]["assignments"]


def test_a_change_of_a_learner_is_counted_in_their_unit(stack, administrator):
    """Transaction, stream, projector: both who were seeded are counted where they work."""
    assert eventually(lambda: assignments_in(stack, administrator, "ward-9") >= 2, PATIENCE)


def test_counting_everything_again_finds_no_difference(stack, administrator):
    """HTTP, transaction, stream, projector, work queue, worker."""
    assert eventually(lambda: assignments_in(stack, administrator, "ward-9") >= 2, PATIENCE)
    answer = stack.call("POST", "/v1/jobs/reconciliation", administrator)
    assert answer.status == 201, answer.data
    job = answer.json()["job_id"]

    def finished():
        found = stack.call("GET", f"/v1/jobs/{job}", administrator).json()
        return found if found["state"] != "running" else None

    found = eventually(finished, PATIENCE)
    assert found, stack.call("GET", f"/v1/jobs/{job}", administrator).data
    assert (found["state"], found["differences"]) == ("done", 0)


def joiner(number):
    """A message about somebody new on ward 10."""
    return {
        "id": f"joined-{number}",
        "sequence": 1,
        "employee_number": number,
        "person": {"first_name": "Robin", "last_name": "Probe"},
        "employment": {"kind": "employee", "starts_on": "2026-01-01"},
        "assignments": [
            {
                "number": number,
                "starts_on": "2026-01-01",
                "unit": "ward-10",
                "position": "nurse-9",
                "job": "nurse",
                "staff_group": "nursing",
            }
        ],
    }


def has_joined(stack, number):
    key = {name: {"S": f"E#504#NO#{number}"} for name in ("pk", "sk")}
    found = stack.client("dynamodb").get_item(TableName=stack.outputs["RecordsTable"], Key=key, ConsistentRead=True)
    return "Item" in found


def test_an_event_on_the_bus_is_a_change_of_the_workforce(stack, logins):
    entry = {
        "EventBusName": stack.outputs["WorkforceBus"],
        "Source": "workforce.system",
        "DetailType": "workforce.change",
        "Detail": json.dumps({"employer": "504", **joiner("20077001")}),
    }
    assert stack.client("events").put_events(Entries=[entry])["FailedEntryCount"] == 0
    assert eventually(lambda: has_joined(stack, "20077001"), PATIENCE)


def test_a_file_dropped_into_the_bucket_is_worked_on_and_reported(stack, administrator):
    """S3, queue, feeder, transaction, stream, projector, work queue, worker, S3."""
    message = joiner("20077002")
    assignment = message["assignments"][0]
    fields = {
        "message_id": message["id"], "sequence": "1", "employee_number": "20077002", **message["person"],
        "employment": "employee", "employed_from": "2026-01-01", "assignment": assignment["number"],
        "from": "2026-01-01",
        **{name: assignment[name] for name in ("unit", "position", "job", "staff_group")},
    }  # fmt: skip
    text = f"{','.join(fields)}\n{','.join(fields.values())}\n{','.join([*list(fields.values())[:-1], 'nobody'])}\n"
    bucket = stack.outputs["WorkforceBucket"]
    stack.client("s3").put_object(Bucket=bucket, Key="504/two rows.csv", Body=text.encode())

    def finished():
        files = stack.call("GET", "/v1/workforce/files", administrator).json()["files"]
        return next((each for each in files if each["phase"] in ("done", "refused")), None)

    found = eventually(finished, PATIENCE)
    assert found, stack.call("GET", "/v1/workforce/files", administrator).data
    assert (found["phase"], found["accepted"], found["refused"]) == ("done", 1, 1), found
    assert has_joined(stack, "20077002")
    assert eventually(lambda: assignments_in(stack, administrator, "ward-10") >= 1, PATIENCE)


def test_the_schedule_starts_the_sweeper(stack):
    """Last of the file: the schedules were set to a minute when the stack was deployed."""
    logs = stack.client("logs")

    def swept():
        return logs.filter_log_events(logGroupName=f"/aws/lambda/{STACK}-sweeper", filterPattern="swept")["events"]

    assert eventually(swept, 80 - (time.monotonic() - stack.schedule_asked_at))


def test_the_schedule_starts_the_timekeeper_who_has_what_is_due_looked_after(stack, logins):
    """A timer that is due, and behind it nothing any more: query, work queue, worker, which takes it away."""
    at = datetime.now(UTC) - timedelta(minutes=2)
    timer = Timer("504", at, TimerKind.CLASS_START, "504-gone", {"class": "504-gone"})
    row = TimerRow.of(timer)
    key = {"pk": {"S": row.pk}, "sk": {"S": row.sk}}
    table = stack.outputs["RecordsTable"]
    dynamodb = stack.client("dynamodb")
    dynamodb.put_item(TableName=table, Item=row.to_dynamodb_dict())
    assert eventually(lambda: "Item" not in dynamodb.get_item(TableName=table, Key=key, ConsistentRead=True), 100)


def test_the_schedule_begins_the_day_of_every_employer(stack, logins):
    """Set to a minute likewise; its message waits in the queue behind nothing else."""
    key = {"pk": {"S": f"RUN#{london_day(datetime.now(UTC))}"}, "sk": {"S": "E#504"}}

    def run():
        read = stack.client("dynamodb").get_item(TableName=stack.outputs["RecordsTable"], Key=key, ConsistentRead=True)
        return "Item" in read

    assert eventually(run, 100)
