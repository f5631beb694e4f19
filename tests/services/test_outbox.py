"""From event to e-mail: told once, however often, in whatever order, wherever it crashes."""

import email
import functools
import json
import threading
from datetime import timedelta
from email.policy import default
from types import SimpleNamespace

import boto3
import icalendar
import pytest
from botocore.exceptions import ClientError, ReadTimeoutError
from pynamodb.exceptions import UpdateError

from chalicelib import mail, rendering
from chalicelib.domain.events import Event, EventType
from chalicelib.domain.notifications import LEASE, MAX_ATTEMPTS, Delivery
from chalicelib.handlers import events
from chalicelib.services import enrolment, identity, inbox, outbox, sending
from chalicelib.services.sending import Busy
from chalicelib.storage import outbox as stored
from chalicelib.storage import queues
from chalicelib.storage.outbox import EventRow, NotificationKey, NotificationRow
from tests import builders as b
from tests.builders import NOW
from tests.pump import plenty


class Ses:
    """SES as a test wants it: keeps what it accepts, and refuses or dies on demand."""

    def __init__(self):
        self.accepted = []
        self.refuse_with = None
        self.status = 400
        self.die_after_accepting = False

    def send_raw_email(self, **request):
        if self.refuse_with:
            answer = {"Error": {"Code": self.refuse_with}, "ResponseMetadata": {"HTTPStatusCode": self.status}}
            raise ClientError(answer, "SendRawEmail")
        self.accepted.append(request)
        if self.die_after_accepting:
            raise KeyboardInterrupt
        return {"MessageId": f"ses-{len(self.accepted)}"}

    def message(self, number=0):
        return email.message_from_bytes(self.accepted[number]["RawMessage"]["Data"], policy=default)


@pytest.fixture
def ses(monkeypatch):
    fake = Ses()
    monkeypatch.setattr(mail, "_ses", lambda: fake)
    return fake


@pytest.fixture
def booked(aws, ses):
    """A nurse who has just booked a class; nothing relayed yet."""
    b.trust()
    b.offered(b.class_())
    login = b.person()
    enrolment.enrol_myself(identity.identify(login, None, NOW), "504-c1", NOW)
    return ses


def stream_records():
    """What the stream of the messages table delivers, as Lambda gets it."""
    client = boto3.client("dynamodb")
    items = client.scan(TableName=EventRow.Meta.table_name)["Items"]
    return [
        {
            "eventName": "INSERT",
            "dynamodb": {
                "Keys": {"pk": item["pk"], "sk": item["sk"]},
                "NewImage": item,
                "SequenceNumber": str(number),
            },
        }
        for number, item in enumerate(items)
        if item["pk"]["S"].startswith("EVT#")
    ]


def relay(records=None):
    return events.relay_events({"Records": stream_records() if records is None else records})


def queue_messages(name="MAIL_QUEUE_URL", monkeypatch=None):
    from chalicelib.config import setting

    received = boto3.client("sqs").receive_message(QueueUrl=setting(name), MaxNumberOfMessages=10, VisibilityTimeout=0)
    return [{"messageId": each["MessageId"], "body": each["Body"]} for each in received.get("Messages", [])]


def notifications():
    return [row for row in NotificationRow.scan() if isinstance(row, NotificationRow)]


def key():
    return key_of(notifications()[0])


def key_of(row):
    return NotificationKey(row.pk, row.sk)


def deliver(at=NOW):
    outbox.deliver(key(), at)


# --- the way of a booking -----------------------------------------------------------------------------------


def test_a_booking_becomes_one_notification_and_one_e_mail(booked):
    relay()
    assert events.send_mail({"Records": queue_messages()}, plenty) == {"batchItemFailures": []}
    assert booked.accepted[0]["Destinations"] == ["person1@trust.invalid"]
    row = notifications()[0]
    assert (row.delivery, row.ses_id, row.pending_pk, row.possibly_repeated) == ("sent", "ses-1", None, None)


def test_the_e_mail_says_what_when_where_and_carries_the_calendar_request(booked):
    relay()
    deliver()
    message = booked.message()
    assert message["Subject"] == "You are booked: Fire Safety, Tuesday 1 December 2026"
    assert message["X-ESR-Message"] == "N4"
    text = message.get_body(("plain",)).get_content()
    assert "Tuesday 1 December 2026, 9am to 12pm" in text
    assert "Seminar Room 1" in text
    assert "Wear flat shoes." in text
    assert "https://portal.test/enrolments/504-c1~1" in text
    parts = {part.get_content_type() for part in message.walk()}
    assert {"text/plain", "text/html", "text/calendar", "application/ics"} <= parts


def calendar_of(message):
    part = next(part for part in message.walk() if part.get_content_type() == "text/calendar")
    calendar = icalendar.Calendar.from_ical(part.get_content())
    return part.get_param("method"), calendar, calendar.walk("VEVENT")


def test_withdrawing_cancels_the_same_calendar_entry_with_a_higher_sequence(booked):
    relay()
    deliver()
    actor = identity.identify("504-1", None, NOW)
    enrolment.withdraw_myself(actor, "504-c1~1", NOW + timedelta(minutes=1))
    relay()
    for row in notifications():
        outbox.deliver(key_of(row), NOW)
    by_method = {calendar_of(booked.message(number))[0]: calendar_of(booked.message(number)) for number in (0, 1)}
    (asked,), (cancelled,) = by_method["REQUEST"][2], by_method["CANCEL"][2]
    assert asked["UID"] == cancelled["UID"]
    assert cancelled["SEQUENCE"] > asked["SEQUENCE"]
    assert cancelled["STATUS"] == "CANCELLED"


def test_the_calendar_entry_keeps_londons_time(booked):
    relay()
    deliver()
    _, calendar, (event,) = calendar_of(booked.message())
    assert event["DTSTART"].dt.isoformat() == "2026-12-01T09:00:00+00:00"
    assert event["DTSTART"].params["TZID"] == "Europe/London"
    assert calendar.walk("VTIMEZONE")


def test_several_sessions_are_one_series_under_one_uid(aws, ses):
    b.trust()
    b.offered(b.class_(sessions=[b.session(b.date(2027, 3, 26)), b.session(b.date(2027, 3, 29))]))
    enrolment.enrol_myself(identity.identify(b.person(), None, NOW), "504-c1", NOW)
    relay()
    deliver()
    _, _, (first, second) = calendar_of(ses.message())
    assert first["UID"] == second["UID"]
    assert second["RECURRENCE-ID"].dt == first["RDATE"].dts[0].dt
    assert [each["DTSTART"].dt.hour for each in (first, second)] == [9, 9]
    assert [each["DTSTART"].dt.utcoffset().seconds for each in (first, second)] == [0, 3600]


def test_the_inbox_shows_it_newest_first(booked, clock, published_keys):
    actor = identity.identify("504-1", None, NOW)
    enrolment.withdraw_myself(actor, "504-c1~1", NOW + timedelta(minutes=1))
    relay()
    page, _ = inbox.page("p1", 10, None)
    assert [each.template for each in page] == ["enrolment_withdrawn", "enrolment_confirmed"]
    assert "Sam" not in rendering.render(page[0].template, page[0].data).text


# --- delivered twice, out of order --------------------------------------------------------------------------


def test_a_stream_record_delivered_a_hundred_times_tells_once(booked):
    for _ in range(100):
        relay()
    assert len(notifications()) == 1
    for _ in range(3):
        deliver()
        relay()
    deliver()
    assert len(booked.accepted) == 1
    assert notifications()[0].delivery == Delivery.SENT


def test_rows_that_are_no_events_and_changes_of_rows_are_passed_over(booked):
    relay()
    item = boto3.client("dynamodb").scan(TableName=EventRow.Meta.table_name)["Items"]
    rows = [{"eventName": "MODIFY", "dynamodb": {"NewImage": each, "Keys": {}, "SequenceNumber": "1"}} for each in item]
    rows += [{"eventName": "REMOVE", "dynamodb": {"Keys": {}, "SequenceNumber": "2"}}]
    assert relay(rows) == {"batchItemFailures": []}
    assert len(notifications()) == 1


# --- crashes ------------------------------------------------------------------------------------------------


def test_a_crash_before_the_notification_is_made_good_by_the_stream(booked, monkeypatch):
    monkeypatch.setattr(stored, "put_if_absent", _crash)
    assert relay()["batchItemFailures"] != []
    monkeypatch.undo()
    booked_again = relay_with_ses(booked, monkeypatch)
    assert len(booked_again.accepted) == 1


def test_a_crash_between_notification_and_queue_is_made_good_by_the_stream(booked, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(queues, "queue_mails", _crash)
        assert relay()["batchItemFailures"] != []
    relay()
    deliver()
    assert (len(notifications()), len(booked.accepted)) == (1, 1)


def test_a_crash_between_claim_and_ses_sends_after_the_lease_and_is_marked(booked, monkeypatch):
    relay()
    with monkeypatch.context() as patch:
        patch.setattr(mail, "send", _die)
        with pytest.raises(KeyboardInterrupt):
            deliver()
    deliver(NOW + LEASE / 2)
    assert booked.accepted == []
    deliver(NOW + LEASE + timedelta(seconds=1))
    assert len(booked.accepted) == 1
    assert notifications()[0].possibly_repeated
    assert booked.message()["X-Possibly-Repeated"] == "yes"


def test_a_crash_between_ses_and_the_record_is_the_only_one_that_repeats_and_says_so(booked):
    relay()
    booked.die_after_accepting = True
    with pytest.raises(KeyboardInterrupt):
        deliver()
    booked.die_after_accepting = False
    deliver(NOW + LEASE + timedelta(seconds=1))
    assert len(booked.accepted) == 2
    assert booked.message(0)["X-Possibly-Repeated"] is None
    assert booked.message(1)["X-Possibly-Repeated"] == "yes"
    assert booked.message(0)["Message-ID"] == booked.message(1)["Message-ID"]
    deliver(NOW + LEASE * 3)
    assert len(booked.accepted) == 2


def test_two_mailers_at_once_send_one_e_mail(booked, monkeypatch):
    """The second mailer reads the notification before the first claims it."""
    relay()
    read = stored.notification
    with monkeypatch.context() as patch:
        stale = read(key())
        patch.setattr(stored, "notification", lambda _: stale)
        deliver()
        deliver()
    assert len(booked.accepted) == 1


# --- to many at once -----------------------------------------------------------------------------------------


@pytest.fixture
def notice(aws):
    """The record of an event that tells fifty people the same."""
    data = {"to": [f"p{number}" for number in range(50)], "notice": "n1", "heading": "The ward is closed"}
    event = Event("01K0NOTICE", EventType.NOTICE_SENT, "504", None, NOW, data)
    image = EventRow.of(event).to_dynamodb_dict()
    return {
        "eventName": "INSERT",
        "dynamodb": {
            "Keys": {name: image[name] for name in ("pk", "sk")},
            "NewImage": image,
            "SequenceNumber": "1",
        },
    }


def test_what_is_said_to_fifty_people_is_rendered_once(notice, monkeypatch):
    rendered = []
    render = rendering.render
    monkeypatch.setattr(rendering, "render", lambda *args: rendered.append(args) or render(*args))
    assert relay([notice]) == {"batchItemFailures": []}
    assert (len(notifications()), len(rendered)) == (50, 1)


def test_the_e_mails_of_an_event_are_queued_before_the_next_event_is_written(notice, booked, monkeypatch):
    """The first leave while the batch goes on, in tens; what fails later takes nothing of that back."""
    queued = []
    notify = outbox.notify

    def second_fails(event, now):
        if event.type is not EventType.NOTICE_SENT:
            assert sum(queued) == 50
            raise RuntimeError
        return notify(event, now)

    monkeypatch.setattr(outbox, "notify", second_fails)
    monkeypatch.setattr(queues, "queue_mails", lambda keys: queued.append(len(keys)))
    second = stream_records()[0]
    number = second["dynamodb"]["SequenceNumber"] = "2"
    assert relay([notice, second]) == {"batchItemFailures": [{"itemIdentifier": number}]}
    assert queued == [10] * 5


# --- refusals -----------------------------------------------------------------------------------------------


def test_ses_refusing_is_tried_again_until_the_queue_gives_up_and_the_inbox_still_shows_it(booked):
    relay()
    booked.refuse_with = "MessageRejected"
    for received in range(1, MAX_ATTEMPTS + 1):
        assert notifications()[0].delivery == Delivery.PENDING
        answer = events.send_mail({"Records": [record(received)]}, plenty)
        assert answer == {"batchItemFailures": [{"itemIdentifier": "m1"}]}
    assert notifications()[0].delivery == Delivery.PARKED
    assert outbox.sweep(NOW + timedelta(hours=1)) == 0
    page, _ = inbox.page("p1", 10, None)
    assert page[0].subject.startswith("You are booked")


def test_a_parked_e_mail_is_sent_when_its_message_is_redriven(booked):
    relay()
    booked.refuse_with = "MessageRejected"
    events.send_mail({"Records": [record(MAX_ATTEMPTS)]}, plenty)
    booked.refuse_with = None
    assert events.send_mail({"Records": [record()]}, plenty) == {"batchItemFailures": []}
    assert notifications()[0].delivery == Delivery.SENT
    assert booked.message()["X-Possibly-Repeated"] is None


def record(received=1):
    """What the queue delivers of the only notification, and how often it has been delivered."""
    body = json.dumps({"pk": key().pk, "sk": key().sk})
    return {"messageId": "m1", "body": body, "attributes": {"ApproximateReceiveCount": str(received)}}


def test_whatever_fails_last_the_message_reads_as_parked_and_not_before_the_queue_gives_up(booked, monkeypatch):
    relay()
    NotificationRow(key().pk, key().sk).update([NotificationRow.attempts.set(20)])  # after an outage
    booked.refuse_with = "MessageRejected"
    events.send_mail({"Records": [record(MAX_ATTEMPTS - 1)]}, plenty)
    assert notifications()[0].delivery == Delivery.PENDING
    monkeypatch.setattr(mail, "compose", _crash)
    events.send_mail({"Records": [record(MAX_ATTEMPTS)]}, plenty)
    row = notifications()[0]
    assert (row.delivery, row.settled_at is not None) == (Delivery.PARKED, True)


def test_an_e_mail_that_ses_may_have_is_not_called_parked(booked, monkeypatch):
    relay()
    monkeypatch.setattr(stored, "record_sent", _crash)
    events.send_mail({"Records": [record(MAX_ATTEMPTS)]}, plenty)
    assert notifications()[0].delivery == Delivery.SENDING


@pytest.fixture
def time(monkeypatch):
    """The clock of relay, mailer and sweeper, which a test may move: `time.at = …`."""
    clock = SimpleNamespace(at=NOW)
    monkeypatch.setattr(events, "now", lambda: clock.at)
    return clock


OURS = ["AccountSendingPausedException", "ConfigurationSetDoesNotExist", "MailFromDomainNotVerifiedException"]
OURS += ["ExpiredTokenException", "AccessDenied", "SignatureDoesNotMatch"]


@pytest.mark.parametrize("code", ["Throttling", "ServiceUnavailable", *OURS])
def test_ses_out_for_an_hour_loses_nothing_and_parks_nothing(booked, time, code):
    """What is refused waits ever longer by itself; the queue's own attempts are not used up."""
    relay()
    booked.refuse_with = code
    assert events.send_mail({"Records": [record()]}, plenty) == {"batchItemFailures": []}
    tries = 1
    while time.at < NOW + timedelta(hours=1):
        time.at += timedelta(minutes=1)
        for _ in range(events.sweep_outbox()):
            assert events.send_mail({"Records": [record()]}, plenty) == {"batchItemFailures": []}
            tries += 1
    assert 5 < tries < 15
    booked.refuse_with = None
    time.at += timedelta(minutes=20)
    assert events.sweep_outbox() == 1
    events.send_mail({"Records": [record()]}, plenty)
    assert len(booked.accepted) == 1
    time.at += timedelta(hours=3)
    assert events.sweep_outbox() == 0


@pytest.mark.parametrize(("code", "barred"), [("Throttling", False), ("AccountSendingPausedException", True)])
def test_that_somebody_must_mend_something_is_counted_for_an_alarm(booked, code, barred, monkeypatch):
    counted = []
    monkeypatch.setattr(events, "count", lambda name, number=1: counted.append(name))
    relay()
    booked.refuse_with = code
    events.send_mail({"Records": [record()]}, plenty)
    assert ("EmailsBarred" in counted) is barred


def test_if_ses_fails_it_may_have_the_e_mail_and_its_report_is_taken(booked, time):
    relay()
    booked.refuse_with, booked.status = "InternalFailure", 500
    with pytest.raises(Busy):
        deliver()
    assert notifications()[0].delivery == Delivery.SENDING
    booked.refuse_with = None
    deliver(NOW + LEASE + timedelta(seconds=1))
    assert booked.message()["X-Possibly-Repeated"] == "yes"
    assert stored.report(key(), Delivery.DELIVERED, NOW, None)


def test_while_ses_fails_it_is_asked_ever_more_seldom(booked, time):
    relay()
    booked.refuse_with, booked.status = "InternalFailure", 500
    events.send_mail({"Records": [record()]}, plenty)
    tries = 1
    for _ in range(60):
        time.at += timedelta(minutes=1)
        for _ in range(events.sweep_outbox()):
            events.send_mail({"Records": [record()]}, plenty)
            tries += 1
    assert 5 < tries < 15


def test_a_record_that_fails_is_tried_again_so_that_no_e_mail_is_repeated(booked, monkeypatch):
    relay()
    faults = iter([UpdateError("lost"), UpdateError("lost")])
    record_sent = stored.record_sent

    def record(*args):
        for fault in faults:
            raise fault
        record_sent(*args)

    monkeypatch.setattr(stored, "record_sent", record)
    monkeypatch.setattr(sending.time, "sleep", lambda _: None)
    deliver()
    assert notifications()[0].delivery == Delivery.SENT


@pytest.fixture
def batch(aws, ses):
    """Eight e-mails to send, in one batch of the queue."""
    b.trust()
    b.offered(b.class_(maximum=20))
    for number in range(8):
        enrolment.enrol_myself(identity.identify(b.person(number), None, NOW), "504-c1", NOW)
    relay()
    return [
        {"messageId": str(number), "body": json.dumps({"pk": row.pk, "sk": row.sk})}
        for number, row in enumerate(notifications())
    ]


def test_what_a_batch_has_no_time_for_is_left_for_later_and_uses_no_delivery_up(batch, ses, time):
    left = iter([30_000, 20_000, 10_000])
    assert events.send_mail({"Records": batch}, lambda: next(left, 5_000)) == {"batchItemFailures": []}
    assert len(ses.accepted) == 3
    time.at += timedelta(minutes=1)
    assert events.sweep_outbox() == 5


def test_the_client_of_ses_is_made_once_whatever_becomes_of_the_first_e_mail(batch, ses, monkeypatch):
    made = []

    def make():
        made.append(threading.current_thread())
        return ses

    monkeypatch.setattr(mail, "_ses", functools.cache(make))
    first = json.loads(batch[0]["body"])
    NotificationRow(first["pk"], first["sk"]).update([NotificationRow.delivery.set("sent")])
    events.send_mail({"Records": batch}, plenty)
    assert made == [threading.main_thread()]
    assert len(ses.accepted) == 7


def test_what_is_never_tried_waits_ever_longer_too(booked, time):
    relay()
    queued = 0
    outbox.postpone(key(), time.at)
    for _ in range(60):
        time.at += timedelta(minutes=1)
        for _ in range(events.sweep_outbox()):
            outbox.postpone(key(), time.at)
            queued += 1
    assert 5 < queued < 15


def test_the_rest_of_a_batch_is_not_tried_once_ses_takes_nothing(batch, ses, time, monkeypatch):
    tried = []
    monkeypatch.setattr(ses, "send_raw_email", lambda **request: tried.append(request) or _throttled())
    assert events.send_mail({"Records": batch}, plenty) == {"batchItemFailures": []}
    assert len(tried) == 1
    monkeypatch.undo()
    rows = notifications()
    assert {row.delivery for row in rows} == {"pending"}
    assert all(NOW < row.notification().due_at <= NOW + timedelta(seconds=45) for row in rows)
    assert len({row.due_at for row in rows}) > 1, "they do not come back together"


def _throttled():
    raise ClientError({"Error": {"Code": "Throttling"}}, "SendRawEmail")


def test_many_e_mails_whose_time_has_come_go_back_in_batches(booked):
    relay()
    row = notifications()[0]
    for number in range(25):
        row.sk = f"N#2026-11-23T10:00:00Z#{number:02d}"
        row.pending_pk, row.due_at = f"PENDING#{number % 16}", "2026-11-23T10:20:00Z"
        row.save()
    assert outbox.sweep(NOW + timedelta(minutes=19)) == 0
    assert outbox.sweep(NOW + timedelta(minutes=20)) == 25
    assert outbox.sweep(NOW + timedelta(minutes=21)) == 0


def test_two_who_take_over_the_same_abandoned_claim_send_once(booked, monkeypatch):
    relay()
    with monkeypatch.context() as patch:
        patch.setattr(mail, "send", _die)
        with pytest.raises(KeyboardInterrupt):
            deliver()
    later = NOW + LEASE + timedelta(seconds=1)
    abandoned = stored.notification(key())
    with monkeypatch.context() as patch:
        patch.setattr(stored, "notification", lambda _: abandoned)
        deliver(later)
        notification = NotificationRow.get(key().pk, key().sk)
        notification.update([NotificationRow.delivery.set("sending")])
        deliver(later)
    assert len(booked.accepted) == 1


def test_a_refusal_that_passes_is_sent_without_a_mark(booked):
    relay()
    booked.refuse_with = "TooManyRequestsException"
    with pytest.raises(Busy):
        deliver()
    booked.refuse_with = None
    deliver()
    assert booked.accepted == []
    deliver(NOW + timedelta(minutes=1))
    assert booked.message()["X-Possibly-Repeated"] is None


def test_no_answer_from_ses_waits_for_the_lease_and_is_marked(booked, monkeypatch):
    relay()
    with monkeypatch.context() as patch:
        patch.setattr(booked, "send_raw_email", _times_out)
        with pytest.raises(Busy):
            deliver()
    deliver(NOW + timedelta(seconds=30))
    assert booked.accepted == []
    deliver(NOW + LEASE + timedelta(seconds=1))
    assert booked.message()["X-Possibly-Repeated"] == "yes"


@pytest.mark.parametrize("address", [None, "nobody", "a@b@c", "@trust.invalid", "sam@"])
def test_without_a_good_address_the_inbox_is_all_there_is(aws, ses, address):
    b.trust()
    b.offered(b.class_())
    enrolment.enrol_myself(identity.identify(b.person(email=address), None, NOW), "504-c1", NOW)
    relay()
    deliver()
    assert ses.accepted == []
    assert notifications()[0].delivery == Delivery.FAILED


@pytest.mark.parametrize("name", ["Sam\r\nBcc: all@trust.invalid", "Sam\nX: y", 'S"a,m <x@y>', "Zoë ✓"])
def test_a_name_cannot_smuggle_a_header(aws, ses, name):
    b.trust()
    b.offered(b.class_())
    login = b.person(title=name)
    enrolment.enrol_myself(identity.identify(login, None, NOW), "504-c1", NOW)
    relay()
    deliver()
    message = ses.message()
    assert message["Bcc"] is None
    assert message["X"] is None
    assert [each.addr_spec for each in message["To"].addresses] == ["person1@trust.invalid"]


def test_a_title_with_markup_is_escaped_in_html(aws, ses):
    b.trust()
    b.offered(b.class_(), title="<script>alert(1)</script>")
    enrolment.enrol_myself(identity.identify(b.person(), None, NOW), "504-c1", NOW)
    relay()
    deliver()
    html = ses.message().get_body(("html",)).get_content()
    assert "<script>" not in html
    assert "&lt;script&gt;" in html


# --- poison -------------------------------------------------------------------------------------------------


def test_a_poison_event_is_parked_and_those_behind_it_go_on(booked):
    poison = Event("01POISON", EventType.ENROLMENT_CONFIRMED, "504", "p1", NOW, {"nothing": "that a message needs"})
    EventRow.of(poison).save()
    unknown = EventRow.of(poison)
    unknown.sk, unknown.type = "01UNKNOWN", "never.heard.of"
    unknown.save()
    records = sorted(stream_records(), key=lambda record: "POISON" not in record["dynamodb"]["Keys"]["sk"]["S"])
    assert relay(records) == {"batchItemFailures": []}
    assert len(notifications()) == 1
    parked = queue_messages("RELAY_DEAD_QUEUE_URL")
    assert {json.loads(each["body"])["sk"] for each in parked} == {"01POISON", "01UNKNOWN"}


@pytest.mark.parametrize("body", ["", "{}", "[]", "not json", '{"pk": "P#x"}'])
def test_a_queue_message_that_names_nothing_goes_back_alone(booked, body):
    relay()
    good = {"messageId": "good", "body": json.dumps({"pk": key().pk, "sk": key().sk})}
    answer = events.send_mail({"Records": [{"messageId": "bad", "body": body}, good]}, plenty)
    assert answer == {"batchItemFailures": [{"itemIdentifier": "bad"}]}
    assert len(booked.accepted) == 1


def test_a_notification_that_is_gone_is_nothing_to_send(booked):
    outbox.deliver(outbox.NotificationKey("P#p1", "N#gone"), NOW)
    assert booked.accepted == []


def test_logs_name_nobody(booked, logged, monkeypatch):
    relay()
    booked.refuse_with = "MessageRejected"
    events.send_mail({"Records": queue_messages()}, plenty)
    monkeypatch.setattr(outbox, "notify", _crash)
    relay()
    text = logged()
    assert "MessageRejected" in text
    assert "Testfold" not in text
    assert "@trust" not in text


def relay_with_ses(fake, monkeypatch):
    monkeypatch.setattr(mail, "_ses", lambda: fake)
    relay()
    deliver()
    return fake


def queue_url_is_emptied():
    from chalicelib.config import setting

    boto3.client("sqs").purge_queue(QueueUrl=setting("MAIL_QUEUE_URL"))


def _crash(*_args, **_kwargs):
    raise RuntimeError("Sam Testfold1 <person1@trust.invalid>")


def _die(*_args, **_kwargs):
    raise KeyboardInterrupt


def _times_out(**_request):
    raise ReadTimeoutError(endpoint_url="https://ses")
