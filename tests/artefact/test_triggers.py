"""One probe for each way in: HTTP, the stream, the queue and the schedule, through the deployed code and its own roles."""

import time

import pytest

from tests.artefact.conftest import STACK, eventually

pytestmark = pytest.mark.emulator


def test_http_reaches_the_api(stack):
    answer = stack.call("GET", "/v1/health")
    assert (answer.status, answer.json()["status"]) == (200, "ok")


def test_http_without_a_token_is_refused(stack):
    assert stack.call("GET", "/v1/me").status == 401


def test_a_booking_reaches_the_learner_by_e_mail(stack, learner):
    """HTTP, transaction, stream, relay, queue, mailer and SES, each under the policy of its own function."""
    answer = stack.call("POST", "/v1/me/enrolments", learner, {"class_id": "504-c1"})
    assert answer.status == 201, answer.data
    (mail,) = eventually(lambda: stack.mails("Fire Safety"), 20)
    assert "person1@trust.invalid" in mail.header("To")
    assert mail.text()
    assert mail.html()
    calendar = [part for part in mail.parts() if part.is_calendar]
    assert "METHOD:REQUEST" in calendar[0].text()


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

    assert eventually(both_parked, 15), parked
    assert [each["sk"] for each in parked] == ["0", "1"]


def test_a_queue_message_that_keeps_failing_ends_in_the_dead_letter_queue(stack):
    body = '"no notification"'
    stack.client("sqs").send_message(QueueUrl=stack.outputs["MailQueueUrl"], MessageBody=body)
    assert eventually(lambda: stack.received(stack.outputs["MailDeadQueueUrl"]), 30) == ["no notification"]


def test_the_schedule_starts_the_sweeper(stack):
    """Last of the file: the schedule was set to a minute when the stack was deployed."""
    logs = stack.client("logs")

    def swept():
        return logs.filter_log_events(logGroupName=f"/aws/lambda/{STACK}-sweeper", filterPattern="swept")["events"]

    assert eventually(swept, 80 - (time.monotonic() - stack.schedule_asked_at))
