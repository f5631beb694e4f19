"""Five thousand events, twice and out of order, through workers that die anywhere: everybody is told once, and nothing is lost."""

import json
import random
from collections import Counter
from contextlib import suppress
from datetime import timedelta
from email.parser import BytesHeaderParser
from email.policy import default

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from chalicelib import mail
from chalicelib.domain.events import Event, EventType
from chalicelib.handlers import events
from chalicelib.services import outbox
from chalicelib.storage import queues
from chalicelib.storage.base import StorageError, new_id
from chalicelib.storage.outbox import EventRow, NotificationRow
from tests import builders as b
from tests.builders import NOW
from tests.pump import plenty
from tests.seams import intercepted

EVENTS, PEOPLE, BATCH = 5_000, 50, 100
HIDDEN_FOR = timedelta(minutes=3)
RECEIVED_AT_MOST = 5
"""The mail queue: how long a message that was taken stays hidden, and how often it comes before it is set aside."""

HEADERS = BytesHeaderParser(policy=default)


class Died(BaseException):
    """The worker's process is gone."""


class Chaos:
    """What goes wrong, and when: the same for the same seed."""

    def __init__(self, seed, share):
        self.random = random.Random(seed)
        self.share = share
        self.deaths = Counter()
        self.unrecorded = set()

    def strikes(self, share=None):
        return self.random.random() < (self.share if share is None else share)

    def around(self, call, operation, request):
        """A call of DynamoDB: refused, carried out with its answer lost, or the last thing its process does."""
        if self.strikes():
            fault = self.random.choice(("throttled", "lost", "died before", "died after"))
            self.deaths[fault] += 1
            if {"S": "sent"} in request.get("ExpressionAttributeValues", {}).values():
                self.unrecorded.add(request["Key"]["sk"]["S"].split("#", 2)[2])
            if fault in ("lost", "died after"):
                call(operation, request)
            if fault.startswith("died"):
                raise Died
            raise ClientError(
                {"Error": {"Code": "ThrottlingException" if fault == "throttled" else "InternalServerError"}}, operation
            )
        return call(operation, request)


class Ses:
    """Accepts, throttles, does not answer, or sees its caller die once it has accepted."""

    def __init__(self, chaos):
        self.chaos = chaos
        self.accepted = Counter()
        self.unanswered = set()
        self.marked = Counter()

    def send_raw_email(self, **request):
        if self.chaos.strikes():
            raise ClientError({"Error": {"Code": "Throttling"}}, "SendRawEmail")
        message = HEADERS.parsebytes(request["RawMessage"]["Data"])
        key = message["Message-ID"].strip(" <>").partition("@")[0]
        self.accepted[key] += 1
        self.marked[key] += message["X-Possibly-Repeated"] == "yes"
        if self.chaos.strikes():
            self.unanswered.add(key)
            if self.chaos.strikes(0.5):
                raise ReadTimeoutError(endpoint_url="https://ses.invalid")
            raise Died
        return {"MessageId": f"ses-{sum(self.accepted.values())}"}


class Queues:
    """The mail queue and the dead-letter queue of the relay: they take a batch in part, or die of it."""

    def __init__(self, chaos):
        self.chaos = chaos
        self.mails, self.parked = [], []

    def send_message(self, **request):
        (self.parked if "dead" in request["QueueUrl"] else self.mails).append(request["MessageBody"])

    def send_message_batch(self, **request):
        if self.chaos.strikes():
            raise Died
        failed = []
        for entry in request["Entries"]:
            if self.chaos.strikes():
                failed.append({"Id": entry["Id"], "SenderFault": False, "Code": "InternalError"})
            else:
                self.mails.append(entry["MessageBody"])
        return {"Failed": failed} if failed else {}


@pytest.fixture
def storm(aws, monkeypatch):
    """A trust of fifty people, and everything around the outbox ready to fail."""
    b.trust()
    for number in range(1, PEOPLE + 1):
        b.person(number)
    chaos = Chaos(seed=6, share=0.004)
    ses, sqs = Ses(chaos), Queues(chaos)
    monkeypatch.setattr(mail, "_ses", lambda: ses)
    monkeypatch.setattr(queues, "_sqs", lambda: sqs)

    class Clock:
        at = NOW

    monkeypatch.setattr(events, "now", lambda: Clock.at)
    monkeypatch.setattr(events, "SENT_AT_ONCE", 1)  # moto's transactions tear under threads
    monkeypatch.setattr(outbox, "WRITTEN_AT_ONCE", 1)
    return chaos, ses, sqs, Clock


def happened(number):
    """An event that tells one person something, and does not depend on anything else."""
    person = f"p{number % PEOPLE + 1}"
    data = {"training": f"t{number}", "person": person, "title": "Study day", "provider": "Thistledown School"}
    data |= {"status": "verified", "awards": [], "added": False, "reason": None}
    at = NOW + timedelta(seconds=number)
    return Event(new_id(at), EventType.EXTERNAL_TRAINING_DECIDED, "504", person, at, data)


def record(number, image):
    return {
        "eventName": "INSERT",
        "dynamodb": {
            "Keys": {"pk": image["pk"], "sk": image["sk"]},
            "NewImage": image,
            "SequenceNumber": f"{number:09d}",
        },
    }


def relay_all(chaos, records):
    """The stream: batches come again from where they failed, all of a batch whose worker died, and some for no reason."""
    batches = [records[start : start + BATCH] for start in range(0, len(records), BATCH)]
    chaos.random.shuffle(batches)
    batches += chaos.random.sample(batches, len(batches) // 5)
    for batch in batches:
        left = batch
        while left:
            try:
                with intercepted(chaos.around):
                    failures = events.relay_events({"Records": left})["batchItemFailures"]
            except Died:
                continue
            numbers = [each["dynamodb"]["SequenceNumber"] for each in left]
            left = left[numbers.index(failures[0]["itemIdentifier"]) :] if failures else []


def mail_all(chaos, sqs, clock):
    """The queue: in any order, again once its time is over if it failed, and set aside when it was received too often."""
    received, hidden, dead = Counter(), [], []
    while sqs.mails or hidden:
        if not sqs.mails:
            clock.at += HIDDEN_FOR
            sqs.mails, hidden = hidden, []
        chaos.random.shuffle(sqs.mails)
        taken, sqs.mails[:] = sqs.mails[:10], sqs.mails[10:]
        messages = [{"messageId": str(place), "body": body} for place, body in enumerate(taken)]
        try:
            with intercepted(chaos.around):
                answer = events.send_mail({"Records": messages}, plenty)
            failed = [taken[int(each["itemIdentifier"])] for each in answer["batchItemFailures"]]
        except Died:
            failed = taken
        received.update(failed)
        dead += [each for each in failed if received[each] >= RECEIVED_AT_MOST]
        hidden += [each for each in failed if received[each] < RECEIVED_AT_MOST]
    return dead


def sweep_all(chaos, sqs, clock):
    """The sweep, every five minutes, until nothing waits any more."""
    dead, quiet = [], 0
    while quiet < 12:  # an hour: longer than anything waits to be tried again
        clock.at += timedelta(minutes=5)
        with suppress(Died, queues.NotQueued, StorageError), intercepted(chaos.around):
            events.sweep_outbox()
        quiet = 0 if sqs.mails else quiet + 1
        dead += mail_all(chaos, sqs, clock)
    return dead


def test_everybody_is_told_once_whatever_dies(storm):
    chaos, ses, sqs, clock = storm
    records = [record(number, EventRow.of(happened(number)).to_dynamodb_dict()) for number in range(EVENTS)]
    poison = record(EVENTS, {"pk": {"S": "EVT#1#0"}, "sk": {"S": "poison"}, "kind": {"S": "event"}, "type": {"S": "?"}})
    records.insert(EVENTS // 2, poison)

    relay_all(chaos, records)
    dead = mail_all(chaos, sqs, clock)
    dead += sweep_all(chaos, sqs, clock)

    rows = [row for row in NotificationRow.scan() if isinstance(row, NotificationRow)]
    assert len(rows) == EVENTS
    assert Counter(row.delivery for row in rows) == {"sent": EVENTS}
    assert len(ses.accepted) == EVENTS
    more_than_once = {key for key, times in ses.accepted.items() if times > 1}
    assert more_than_once <= ses.unanswered | chaos.unrecorded, "repeated although SES had answered and it was recorded"
    # The first says so, too, if a worker that died before had claimed it and done no more.
    assert all(ses.marked[key] >= ses.accepted[key] - 1 for key in more_than_once), "repeated without saying so"
    assert {json.loads(each)["sk"] for each in sqs.parked} == {"poison"}
    assert dead == []
    assert min(chaos.deaths.values()) > 10, chaos.deaths
