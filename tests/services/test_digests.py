"""One e-mail a day in place of many: everything in exactly one digest, wherever it crashes, and nothing held that must not wait."""

import contextlib
import email
import random
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.policy import default

import boto3
import pytest
from botocore.exceptions import ClientError
from chalice.test import Client
from pynamodb.exceptions import PynamoDBException

from app import app
from chalicelib import mail
from chalicelib.config import setting
from chalicelib.domain.calendar import LONDON
from chalicelib.domain.errors import NotFound
from chalicelib.domain.events import Event, EventType
from chalicelib.domain.mailbox import Mailbox
from chalicelib.domain.message_settings import MessageSettings
from chalicelib.domain.notifications import Delivery, Notification
from chalicelib.services import (
    competence,
    digests,
    enrolment,
    identity,
    inbox,
    looking,
    message_lives,
    outbox,
    preferences,
    projection,
    takeover,
)
from chalicelib.services.sending import Busy
from chalicelib.storage import digests as stored
from chalicelib.storage import inbox as stored_inbox
from chalicelib.storage import message_settings, queues
from chalicelib.storage import outbox as kept_in
from chalicelib.storage.base import new_id
from chalicelib.storage.digests import KeptRow
from chalicelib.storage.enrolment import EnrolmentRow
from chalicelib.storage.outbox import NotificationKey, NotificationRow
from chalicelib.storage.people import EmploymentRow
from tests import builders as b
from tests.builders import NOW, SYSTEM, TODAY
from tests.conftest import Api
from tests.pump import stream_records
from tests.seams import counted, intercepted

DIGEST = NOW.replace(hour=16)
"""When the day's digests go, if nothing else is settled."""


class Ses:
    """Keeps what it accepts, and refuses or dies on demand."""

    def __init__(self):
        self.accepted, self.refuse_with, self.die = [], None, False

    def send_raw_email(self, **request):
        if self.refuse_with:
            raise ClientError({"Error": {"Code": self.refuse_with}}, "SendRawEmail")
        self.accepted.append(email.message_from_bytes(request["RawMessage"]["Data"], policy=default))
        if self.die:
            raise Died
        return {"MessageId": f"ses-{len(self.accepted)}"}

    def to(self, number):
        """The e-mails to somebody."""
        return [each for each in self.accepted if f"person{number}@" in each["To"]]

    def lines(self, number=0):
        """What a digest tells, line by line."""
        text = self.accepted[number].get_body(("plain",)).get_content()
        return [line.removeprefix("- ") for line in text.splitlines() if line.startswith("- ")]


class Died(BaseException):
    """The worker's process is gone."""


@pytest.fixture
def ses(aws, monkeypatch):
    """SES, and a trust with a manager (1) of two nurses (2 and 3)."""
    fake = Ses()
    monkeypatch.setattr(mail, "_ses", lambda: fake)
    b.trust()
    b.person(1)
    for number in (2, 3):
        b.person(number, assignments=[b.assignment(str(number), supervisor="p1")])
    return fake


def booking(number, manager="p1", at=NOW, employer="504"):
    """The manager is to hear that somebody of theirs has a place."""
    data = {"person": "p2", "learner": f"Nurse {number}", "title": "Fire Safety", "sessions": [], "venue": None}
    data |= {"enrolment": "504-e1~1", "manager": manager}
    return Event(f"01E{number:04d}", EventType.ENROLMENT_CONFIRMED, employer, None, at, data)


def verdict(number, person="p2", at=NOW):
    """Somebody is to hear something that is not urgent."""
    data = {
        "training": f"t{number}",
        "person": person,
        "title": f"Study day {number}",
        "provider": "Thistledown School",
    }
    data |= {"status": "verified", "awards": [], "added": False, "reason": None}
    return Event(new_id(at), EventType.EXTERNAL_TRAINING_DECIDED, "504", person, at, data)


def booked(number, **given):
    event = booking(number, **given)
    notify(event, event.at)
    return event


def verified(number, **given):
    event = verdict(number, **given)
    return notify(event, event.at)


def notify(event, at):
    keys = outbox.notify(event, at)
    queues.queue_mails(keys)
    return keys


def queued():
    """What the mail queue holds, taken out of it."""
    client, url, found = boto3.client("sqs"), setting("MAIL_QUEUE_URL"), []
    while messages := client.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
        for each in messages:
            client.delete_message(QueueUrl=url, ReceiptHandle=each["ReceiptHandle"])
            found.append(queues.notification_key(each["Body"]))
    return found


def mail_at(at):
    """The sweeper and the mailer at a moment, until there is nothing left to do."""
    outbox.sweep(at)
    while keys := queued():
        for key in keys:
            outbox.deliver(key, at)
        outbox.sweep(at)


def prefer_digest(number):
    preferences.prefer_digest(identity.identify(f"504-{number}", None, NOW), True, NOW)


def rows(template=None):
    found = [each for each in NotificationRow.scan() if isinstance(each, NotificationRow)]
    return [each for each in found if template in (None, each.template)]


# --- when ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hour", "now", "expected"),
    [
        (16, (2026, 11, 23, 10), (2026, 11, 23, 16)),
        (16, (2026, 11, 23, 15, 55), (2026, 11, 23, 16)),
        (16, (2026, 11, 23, 15, 55, 1), (2026, 11, 24, 16)),
        (16, (2026, 11, 23, 18), (2026, 11, 24, 16)),
        (0, (2026, 11, 23, 23, 57), (2026, 11, 25, 0)),
        (0, (2026, 11, 23, 23, 50), (2026, 11, 24, 0)),
        (1, (2026, 10, 24, 12), (2026, 10, 25, 1)),
        (16, (2026, 12, 31, 23), (2027, 1, 1, 16)),
    ],
)
def test_a_digest_goes_at_its_hour_in_london_and_not_within_five_minutes(aws, hour, now, expected):
    message_settings.MessageSettingsRow.of("504", MessageSettings(digest_hour=hour), 1).save()
    at = digests.next_at("504", datetime(*now, tzinfo=LONDON).astimezone(UTC))
    assert at == datetime(*expected, tzinfo=LONDON).astimezone(UTC)


def test_there_is_one_digest_a_day_through_the_clock_changes(aws):
    for day in (datetime(2026, 3, 28, 15, tzinfo=UTC), datetime(2026, 10, 24, 15, tzinfo=UTC)):
        message_settings.forget()
        first = digests.next_at("504", day)
        second = digests.next_at("504", first)
        assert (first.astimezone(LONDON).hour, second.astimezone(LONDON).hour) == (16, 16)
        assert (second.astimezone(LONDON).date() - first.astimezone(LONDON).date()).days == 1


# --- managers' news -----------------------------------------------------------------------------------------


def test_news_of_ones_people_is_one_e_mail_a_day_and_one_message_in_the_inbox(ses):
    for number in (1, 2, 3):
        booked(number, at=NOW + timedelta(minutes=number))
    assert inbox.page("p1", 20, None) == ([], None)
    mail_at(DIGEST - timedelta(minutes=1))
    assert ses.accepted == []
    mail_at(DIGEST)
    assert [each["Subject"] for each in ses.accepted] == ["News of your people: 3"]
    assert ses.lines() == [f"Booked: Nurse {number}, Fire Safety" for number in (1, 2, 3)]
    (shown,), _ = inbox.page("p1", 20, None)
    assert (shown.template, shown.subject, shown.delivery) == ("digest", "News of your people: 3", Delivery.SENT)
    assert inbox.unread("p1") == 1


def test_the_inbox_shows_each_of_the_news_in_full(ses):
    booked(1)
    mail_at(DIGEST)
    (shown,), _ = inbox.page("p1", 20, None)
    digest = inbox.message("p1", inbox.inbox.id_of(shown))
    (told,) = digest.tells
    message = inbox.message("p1", told["id"])
    assert "Nurse 1 has a place on Fire Safety." in message.text
    assert message.link == "https://portal.test/people/p2/enrolments/504-e1~1"
    assert message.told_by.natural_key == shown.natural_key
    assert [state for state, _ in message.told_by.life()] == ["created", "queued", "sending", "sent"]


def test_what_a_booking_tells_a_manager_comes_with_the_digest_and_the_learner_is_told_at_once(ses):
    b.offered(b.class_())
    with_events = {each.sk for each in events()}
    enrolment.enrol_myself(identity.identify("504-2", None, NOW), "504-c1", NOW)
    for each in events():
        if each.sk not in with_events:
            notify(each.event(), NOW)
    mail_at(NOW)
    assert [each["To"].addresses[0].addr_spec for each in ses.accepted] == ["person2@trust.invalid"]
    mail_at(DIGEST)
    (digest,) = ses.to(1)
    assert "Booked: Sam Testfold2, Fire Safety, Tuesday 1 December 2026" in digest.get_body(("plain",)).get_content()


def events():
    return [each for each in kept_in.EventRow.scan() if isinstance(each, kept_in.EventRow)]


def test_each_employer_has_a_digest_of_its_own(ses):
    message_settings.MessageSettingsRow.of("505", MessageSettings(digest_hour=18), 1).save()
    booked(1)
    booked(2, employer="505")
    mail_at(DIGEST)
    assert ses.lines() == ["Booked: Nurse 1, Fire Safety"]
    mail_at(DIGEST + timedelta(hours=2))
    assert ses.lines(1) == ["Booked: Nurse 2, Fire Safety"]


def test_each_day_has_a_digest_of_its_own_and_a_day_without_news_has_none(ses):
    booked(1)
    mail_at(DIGEST)
    mail_at(DIGEST + timedelta(days=1))
    booked(2, at=NOW + timedelta(days=2))
    mail_at(DIGEST + timedelta(days=2))
    assert [ses.lines(number) for number in range(len(ses.accepted))] == [
        ["Booked: Nurse 1, Fire Safety"],
        ["Booked: Nurse 2, Fire Safety"],
    ]


def test_what_happens_just_before_a_digest_waits_for_the_next(ses):
    booked(1, at=DIGEST - timedelta(minutes=4))
    mail_at(DIGEST)
    assert ses.accepted == []
    mail_at(DIGEST + timedelta(days=1))
    assert len(ses.accepted) == 1


def test_many_news_are_digests_of_a_hundred(ses, monkeypatch):
    monkeypatch.setattr(digests, "MOST", 10)
    for number in range(25):
        booked(number)
    mail_at(DIGEST)
    assert [len(ses.lines(number)) for number in range(len(ses.accepted))] == [10, 10, 5]
    told = [line for number in range(3) for line in ses.lines(number)]
    assert sorted(told) == sorted(f"Booked: Nurse {number}, Fire Safety" for number in range(25))
    assert [each["Subject"] for each in ses.accepted] == [
        "News of your people: 10 (part 1 of 3)",
        "News of your people: 10 (part 2 of 3)",
        "News of your people: 5 (part 3 of 3)",
    ]
    assert len({each["Message-ID"] for each in ses.accepted}) == 3
    last = KeptRow.get("P#p1", "D#504#01E0024.enrolment_confirmed_in_team").notification()
    assert digests.that_tells(last).data["number"] == 3


# --- by preference ------------------------------------------------------------------------------------------


def test_who_prefers_a_digest_gets_one_e_mail_and_sees_each_message_in_the_inbox_at_once(ses):
    prefer_digest(2)
    for number in (1, 2):
        verified(number, at=NOW + timedelta(seconds=number))
    mail_at(NOW + timedelta(minutes=1))
    assert ses.accepted == []
    shown, _ = inbox.page("p2", 20, None)
    assert {(each.template, each.delivery) for each in shown} == {("external_training_decided", Delivery.HELD)}
    mail_at(DIGEST)
    assert [each["Subject"] for each in ses.accepted] == ["News for you: 2"]
    assert [line.rpartition(" ")[2] for line in ses.lines()] == ["1", "2"]
    after, _ = inbox.page("p2", 20, None)
    assert {each.template for each in after} == {"external_training_decided"}
    held = inbox.message("p2", inbox.inbox.id_of(after[0]))
    assert held.told_by.delivery is Delivery.SENT
    with pytest.raises(NotFound):
        inbox.message("p2", inbox.inbox.id_of(held.told_by))


def test_over_http_the_life_of_a_message_is_that_of_its_digest(ses, clock, published_keys):
    prefer_digest(1)
    verified(1, person="p1")
    booked(1)
    mail_at(NOW)
    mail_at(DIGEST)
    with Client(app) as client:
        api = Api(client)
        page = api.get("/v1/me/notifications", as_="504-1").json_body["notifications"]
        shown = [api.get(f"/v1/me/notifications/{each['id']}", as_="504-1").json_body for each in page]
        digest, own = shown
        news = api.get(f"/v1/me/notifications/{digest['tells'][0]['id']}", as_="504-1").json_body
        assert api.post(f"/v1/me/notifications/{news['id']}/read", as_="504-1").status_code == 404
    assert [each["id"] for each in digest["tells"]] == [news["id"], own["id"]]
    for each in (own, news):
        assert (each["told_by"], each["email"]) == (digest["id"], "sent")
        assert [step["state"] for step in each["life"]] == ["created", "queued", "sending", "sent"]


def test_each_day_s_digest_tells_what_was_held_for_it_alone(ses):
    prefer_digest(2)
    for day in (0, 1):
        verified(day, at=NOW + timedelta(days=day))
        mail_at(NOW + timedelta(days=day))
        mail_at(DIGEST + timedelta(days=day))
    assert [[line.rpartition(" ")[2] for line in ses.lines(number)] for number in (0, 1)] == [["0"], ["1"]]


def test_a_manager_who_prefers_a_digest_gets_both_in_one(ses):
    prefer_digest(1)
    booked(1)
    verified(1, person="p1")
    mail_at(NOW)
    mail_at(DIGEST)
    assert [each["Subject"] for each in ses.accepted] == ["News of your people: 1, and 1 for you"]
    assert [each["X-ESR-Message"] for each in ses.accepted] == ["N4, N22"]
    assert len(ses.lines()) == 2


def test_who_prefers_nothing_gets_each_e_mail_at_once(ses):
    verified(1)
    mail_at(NOW)
    assert len(ses.accepted) == 1
    mail_at(DIGEST)
    assert len(ses.accepted) == 1


def test_what_comes_into_the_calendar_never_waits(ses):
    """One e-mail can bring one class alone into a calendar (RFC 5546)."""
    prefer_digest(2)
    b.offered(b.class_(), b.e_learning())
    before = {each.sk for each in events()}
    for class_id in ("504-c1", "504-e1"):
        enrolment.enrol_myself(identity.identify("504-2", None, NOW), class_id, NOW)
    for each in events():
        if each.sk not in before:
            notify(each.event(), NOW)
    mail_at(NOW)
    (sent,) = ses.to(2)
    assert any(part.get_content_type() == "text/calendar" for part in sent.walk())
    mail_at(DIGEST)
    assert [each["Subject"] for each in ses.to(2)[1:]] == ["News for you: 1"]


@pytest.mark.parametrize(
    ("changes", "waits"),
    [
        ({}, True),
        ({"template": "enrolment_cancelled"}, False),
        ({"template": "notice"}, True),
        ({"template": "digest"}, False),
        ({"template": "no_longer_there"}, False),
        ({"delivery": Delivery.SENDING}, False),
        ({"delivery": Delivery.PARKED}, False),
        ({"at": NOW - timedelta(hours=23)}, True),
        ({"at": NOW - timedelta(days=1)}, False),
    ],
)
def test_what_is_not_urgent_and_not_late_already_may_wait(changes, waits):
    told = replace(Notification("p2", "504", "external_training_decided", "k", NOW, "s"), **changes)
    assert digests.may_wait(told, Mailbox(digest=True), NOW) is waits
    assert digests.may_wait(told, Mailbox(digest=False), NOW) is False


def test_what_is_no_longer_true_when_the_digest_goes_is_left_out_and_says_so(ses):
    """A place on a waiting list is given back before the digest tells of it."""
    prefer_digest(2)
    b.person(4)
    b.offered(b.class_(maximum=1), b.e_learning())
    enrolment.enrol_myself(identity.identify("504-4", None, NOW), "504-c1", NOW)
    before = {each.sk for each in events()}
    for class_id in ("504-c1", "504-e1"):
        enrolment.enrol_myself(identity.identify("504-2", None, NOW), class_id, NOW)
    waits = next(each.event() for each in events() if each.type == "enrolment.waitlisted")
    placed = next(each.event() for each in events() if each.sk not in before and each.type == "enrolment.confirmed")
    for each in (waits, placed):
        notify(each, NOW)
    mail_at(NOW)
    assert {each.delivery for each in rows() if each.pk == "P#p2"} == {"held"}
    enrolment.withdraw_myself(identity.identify("504-2", None, NOW), "504-c1~1", NOW)
    mail_at(DIGEST)
    (digest,) = ses.to(2)
    assert digest["Subject"] == "News for you: 1"
    assert "Waiting list" not in digest.get_body(("plain",)).get_content()
    assert {each.template: each.delivery for each in rows() if each.pk == "P#p2"} == {
        "digest": "sent",
        "enrolment_confirmed": "held",
        "enrolment_waitlisted": "superseded",
    }


def test_a_reminder_of_what_begins_before_the_next_digest_does_not_wait_for_it(aws):
    told = Notification("p2", "504", "class_reminder", "k", NOW, "s")
    sessions = [
        [(NOW + timedelta(days=day)).isoformat(), (NOW + timedelta(days=day, hours=1)).isoformat()] for day in (1, 2)
    ]
    for now, waits in ((NOW, True), (NOW + timedelta(hours=8), False)):
        reminder = replace(told, at=now, data={"sessions": sessions})
        assert digests.may_wait(reminder, Mailbox(digest=True), now) is waits


def test_administrators_see_what_became_of_a_message_by_the_digest_that_told_it(ses):
    prefer_digest(1)
    verified(1, person="p1")
    booked(1)
    mail_at(NOW)
    ada = identity.identify(b.person(9, assignments=(), role="learning_administrator"), None, NOW)

    def lives():
        found, _ = message_lives.of_person(ada, "p1", 20, None)
        return {each.notification.subject: (each.e_mail.delivery, len(each.tells)) for each in found}

    assert lives() == {"Checked: Study day 1": (Delivery.HELD, 0)}
    mail_at(DIGEST)
    sent = Delivery.SENT
    assert lives() == {"Checked: Study day 1": (sent, 0), "News of your people: 1, and 1 for you": (sent, 2)}
    own = next(each for each in message_lives.of_person(ada, "p1", 20, None)[0] if not each.tells)
    assert [state for state, _ in own.steps] == ["created", "queued", "sending", "sent"]


def test_what_is_delivered_again_at_the_hour_while_ses_is_busy_stays_in_its_digest(ses):
    prefer_digest(2)
    (key,) = verified(1)
    mail_at(NOW)
    outbox.postpone(key, DIGEST + timedelta(seconds=5))
    mail_at(DIGEST + timedelta(minutes=10))
    assert len(ses.lines()) == 1
    assert inbox.message("p2", id_of_only("p2")).told_by.delivery is Delivery.SENT


def id_of_only(person):
    (only,), _ = inbox.page(person, 20, None)
    return stored_inbox.id_of(only)


def test_a_digest_of_ones_own_messages_says_how_to_choose_and_one_with_news_of_others_cannot(ses):
    prefer_digest(1)
    prefer_digest(2)
    booked(1)
    verified(1, person="p1")
    verified(2)
    mail_at(NOW)
    mail_at(DIGEST)
    (mixed,), (own,) = ses.to(1), ses.to(2)
    assert own["List-Unsubscribe"] == "<https://portal.test/messages>"
    assert mixed["List-Unsubscribe"] is None
    for each in (own, mixed):
        assert "choose to get each by itself" in " ".join(each.get_body(("plain",)).get_content().split())


def test_who_has_chosen_each_by_itself_again_still_gets_what_was_held(ses):
    prefer_digest(2)
    verified(1)
    mail_at(NOW)
    preferences.prefer_digest(identity.identify("504-2", None, NOW), False, NOW)
    mail_at(DIGEST)
    assert len(ses.accepted) == 1


# --- twice, at once, and crashes ----------------------------------------------------------------------------


def test_an_event_relayed_again_after_its_digest_is_told_once(ses):
    event = booked(1)
    mail_at(DIGEST)
    for again in (NOW, DIGEST - timedelta(minutes=1), DIGEST, DIGEST + timedelta(hours=20)):
        notify(event, again)
    mail_at(DIGEST + timedelta(days=2))
    assert len(ses.accepted) == 1


def test_a_message_delivered_again_while_it_is_held_and_after_its_digest_is_told_once(ses):
    prefer_digest(2)
    (key,) = verified(1)
    for at in (NOW, NOW, DIGEST - timedelta(minutes=2), DIGEST, DIGEST + timedelta(hours=1)):
        outbox.deliver(key, at)
    mail_at(DIGEST)
    for at in (DIGEST, DIGEST + timedelta(days=3)):
        outbox.deliver(key, at)
    mail_at(DIGEST + timedelta(days=3))
    assert len(ses.accepted) == 1


def test_two_mailers_at_once_send_one_digest(ses, monkeypatch):
    booked(1)
    (row,) = rows("digest")
    key = NotificationKey(row.pk, row.sk)
    stale = kept_in.notification(key)
    with monkeypatch.context() as patch:
        patch.setattr(kept_in, "notification", lambda _: stale)
        outbox.deliver(key, DIGEST)
        outbox.deliver(key, DIGEST)
    mail_at(DIGEST)
    assert (len(ses.accepted), rows("digest")[0].delivery) == (1, "sent")


def test_a_message_that_is_sent_meanwhile_is_not_held_as_well(ses, monkeypatch):
    """The mailer reads it before another one sends it."""
    (key,) = verified(1)
    stale = kept_in.notification(key)
    mail_at(NOW)
    prefer_digest(2)
    with monkeypatch.context() as patch:
        patch.setattr(kept_in, "notification", lambda _: stale)
        outbox.deliver(key, NOW)
    mail_at(DIGEST)
    assert len(ses.accepted) == 1


@contextlib.contextmanager
def dying_before_write(nth):
    """The process dies before its nth write."""
    left = [nth]

    def intercept(call, operation, request):
        left[0] -= operation in ("PutItem", "UpdateItem")
        if left[0] == 0:
            raise Died
        return call(operation, request)

    with intercepted(intercept), pytest.raises(Died):
        yield


@pytest.mark.parametrize("nth", [1, 2])
def test_a_relay_that_died_over_news_keeps_them_for_a_digest_that_goes(ses, nth):
    """Also if it comes back only when the digest for which it had kept them should have gone."""
    event = booking(1)
    with dying_before_write(nth):
        notify(event, NOW)
    notify(event, DIGEST + timedelta(minutes=10))
    mail_at(DIGEST + timedelta(minutes=15))
    mail_at(DIGEST + timedelta(days=1))
    assert [ses.lines(number) for number in range(len(ses.accepted))] == [["Booked: Nurse 1, Fire Safety"]]


@pytest.mark.parametrize("nth", [1, 2])
def test_a_mailer_that_died_over_a_message_holds_it_for_a_digest_that_goes(ses, nth):
    prefer_digest(2)
    (key,) = verified(1)
    with dying_before_write(nth):
        outbox.deliver(key, NOW)
    outbox.deliver(key, NOW + timedelta(minutes=3))
    mail_at(DIGEST)
    assert len(ses.accepted) == 1


def test_a_digest_whose_sender_died_after_ses_took_it_is_repeated_and_says_so(ses):
    booked(1)
    ses.die = True
    with pytest.raises(Died):
        mail_at(DIGEST)
    ses.die = False
    (row,) = rows("digest")
    key = NotificationKey(row.pk, row.sk)
    outbox.deliver(key, DIGEST + timedelta(seconds=30))
    assert len(ses.accepted) == 1
    outbox.deliver(key, DIGEST + timedelta(seconds=100))
    assert [each["X-Possibly-Repeated"] for each in ses.accepted] == [None, "yes"]
    assert ses.lines(0) == ses.lines(1)


def test_ses_throttling_delays_a_digest_and_what_comes_meanwhile_is_in_the_next(ses):
    booked(1)
    ses.refuse_with = "Throttling"
    with pytest.raises(Busy):
        mail_at(DIGEST)
    booked(2, at=DIGEST + timedelta(minutes=1))
    ses.refuse_with = None
    mail_at(DIGEST + timedelta(hours=1))
    mail_at(DIGEST + timedelta(days=1))
    assert [ses.lines(0), ses.lines(1)] == [["Booked: Nurse 1, Fire Safety"], ["Booked: Nurse 2, Fire Safety"]]
    assert len(ses.accepted) == 2


def test_a_digest_nobody_can_send_is_in_the_inbox(ses):
    b.person(7, email=None)
    booked(1, manager="p7")
    mail_at(DIGEST)
    (shown,), _ = inbox.page("p7", 20, None)
    assert (shown.delivery, ses.accepted) == (Delivery.FAILED, [])


def test_a_digest_that_was_opened_for_nothing_is_never_sent(ses):
    digests._open("p1", "504", DIGEST)
    mail_at(DIGEST)
    (row,) = rows("digest")
    assert (row.delivery, ses.accepted, inbox.page("p1", 20, None)) == ("superseded", [], ([], None))


def test_whatever_dies_everything_is_told_in_exactly_one_digest(ses):
    """Relay and mailer die, are refused or lose answers at any call; each does again what it had not finished."""
    chance = random.Random(6)
    struck = Counter()

    def around(call, operation, request):
        fault = chance.choice(("refused", "lost", "died before", "died after")) if chance.random() < 0.05 else ""
        struck[fault] += 1
        if fault in ("lost", "died after"):
            call(operation, request)
        if fault.startswith("died"):
            raise Died
        if fault:
            raise ClientError({"Error": {"Code": "InternalServerError"}}, operation)
        return call(operation, request)

    def until_done(do):
        for _ in range(50):
            try:
                with intercepted(around):
                    return do()
            except (Died, PynamoDBException):
                continue
        raise AssertionError("never done")

    prefer_digest(1)
    prefer_digest(2)
    for number in range(40):
        at = NOW + timedelta(minutes=number)
        event = (booking if number % 3 == 0 else verdict)(number, f"p{number % 2 + 1}", at)
        until_done(lambda event=event, at=at: notify(event, at))
    for at in (NOW + timedelta(hours=1), *(DIGEST + timedelta(minutes=each) for each in range(0, 12, 2))):
        until_done(lambda at=at: outbox.sweep(at))
        for key in queued():
            until_done(lambda key=key, at=at: outbox.deliver(key, at))
    told = [line for number in range(len(ses.accepted)) for line in ses.lines(number)]
    assert len(told) == len(set(told)) == 40
    assert min(struck.values()) > 2, struck


# --- what it costs ------------------------------------------------------------------------------------------


def test_keeping_news_for_a_digest_takes_two_puts_and_holding_a_message_a_put_and_an_update(ses):
    booked(1)
    with counted("PutItem") as puts, counted("UpdateItem") as updates:
        booked(2)
    assert (puts, updates) == ([2], [0])
    prefer_digest(2)
    (key,) = verified(1)
    with counted("PutItem") as puts, counted("UpdateItem") as updates:
        outbox.deliver(key, NOW)
    assert (puts, updates) == ([1], [1])


def test_a_row_that_waits_is_at_most_a_kilobyte(ses):
    booked(1)
    (row,) = [each for each in KeptRow.scan() if isinstance(each, KeptRow)]
    assert len(str(row.to_dynamodb_dict())) < 1000
    assert digests.FRESH + timedelta(days=1) < stored.WINDOW


# --- news of one's people that are no longer true, or cannot wait ---------------------------------------------------


def relayed(at):
    """Every event that is there, relayed at a moment: once more than before, which is nothing new."""
    for record in stream_records():
        notify(kept_in.event_from_stream(record["dynamodb"]["NewImage"]), at)


def who_is_told_of(ses):
    """The beginnings of the lines of the manager's only e-mail."""
    (digest,) = ses.to(1)
    return [line.split(",")[0] for line in ses.lines(ses.accepted.index(digest))]


def taught_on(day):
    b.offered(b.class_(sessions=(b.session(day),)))


def test_a_managers_digest_announces_no_place_that_was_given_back(ses):
    taught_on(TODAY + timedelta(7))
    place = enrolment.enrol_myself(identity.identify("504-2", None, NOW), "504-c1", NOW)
    relayed(NOW)
    enrolment.withdraw_myself(identity.identify("504-2", None, NOW), place.id, NOW + timedelta(hours=1))
    relayed(NOW + timedelta(hours=1))
    mail_at(NOW + timedelta(hours=1))
    mail_at(DIGEST)
    assert [each["Subject"].partition(":")[0] for each in ses.to(1)] == ["Place given back"]


def test_a_managers_digest_plans_nobody_for_a_day_to_which_the_class_does_not_come(ses):
    taught_on(TODAY + timedelta(7))
    enrolment.enrol_myself(identity.identify("504-2", None, NOW), "504-c1", NOW)
    enrolment.enrol_myself(identity.identify("504-3", None, NOW), "504-c1", NOW)
    relayed(NOW)
    moved = EnrolmentRow.get("P#p2", EnrolmentRow.of(b.enrolment(person="p2")).sk)
    moved.sessions = EnrolmentRow.of(b.enrolment(at=b.class_(sessions=(b.session(TODAY + timedelta(8)),)))).sessions
    moved.save()
    mail_at(DIGEST)
    assert who_is_told_of(ses) == ["Booked: Sam Testfold3"]


def test_a_manager_hears_of_a_place_before_its_class_and_once(ses):
    evening = NOW.replace(hour=17)
    taught_on(TODAY + timedelta(1))
    enrolment.enrol_myself(identity.identify("504-2", None, evening), "504-c1", evening)
    for _ in range(2):
        relayed(evening)
    mail_at(evening)
    assert [each["Subject"].partition(":")[0] for each in ses.to(1)] == ["Booked"]
    mail_at(DIGEST + timedelta(days=1))
    assert len(ses.to(1)) == 1


def test_what_was_kept_for_a_digest_stays_there_when_it_is_relayed_again_later(ses):
    taught_on(TODAY + timedelta(1))
    enrolment.enrol_myself(identity.identify("504-2", None, NOW), "504-c1", NOW)
    relayed(NOW)
    mail_at(DIGEST)
    relayed(DIGEST + timedelta(hours=1))
    mail_at(DIGEST + timedelta(hours=1))
    assert [each["Subject"] for each in ses.to(1)] == ["News of your people: 1"]


def due_for_renewal(number):
    """Somebody under the manager, who is to renew by a month from now and prefers digests; told of it."""
    held = [b.assignment(str(number), supervisor="p1")]
    b.person(number, assignments=held, awards=[b.award_expiring(TODAY + timedelta(30))])
    prefer_digest(number)
    projection.project(f"p{number}", "504", NOW)
    looking.look("504", f"p{number}", TODAY, TODAY, NOW)
    relayed(NOW)
    mail_at(NOW)


def test_reminders_that_wait_stop_the_moment_the_training_is_renewed(ses):
    due_for_renewal(4)
    due_for_renewal(5)
    takeover.take_over(SYSTEM, "504", "p4", [b.award()], [], NOW)
    projection.project("p4", "504", NOW)
    mail_at(DIGEST)
    assert ses.to(4) == []
    assert [each["Subject"] for each in ses.to(5)] == ["News for you: 1"]
    assert who_is_told_of(ses) == ["Training due: Sam Testfold5"]


@pytest.mark.parametrize("day", [29, 31])
def test_reminders_that_wait_stop_once_a_class_is_booked_in_time(ses, day):
    due_for_renewal(4)
    at = b.class_("504-c9", sessions=[b.session(TODAY + timedelta(day))])
    takeover.take_over(SYSTEM, "504", "p4", [], [b.enrolment(at=at, person="p4", counted=False)], NOW)
    projection.project("p4", "504", NOW)
    mail_at(DIGEST)
    assert len(ses.to(4)) == len(ses.to(1)) == (1 if day > 30 else 0)


def test_reminders_that_wait_stop_once_nothing_requires_it_or_they_have_left(ses):
    due_for_renewal(4)
    due_for_renewal(5)
    gone = EmploymentRow.get("P#p5", "E#504#WHO")
    gone.ends_on = TODAY - timedelta(1)
    gone.save()
    competence.require(SYSTEM, "504", [b.requirement(ends_on=TODAY - timedelta(1))], NOW)
    for person in ("p4", "p5"):
        projection.project(person, "504", NOW)
    mail_at(DIGEST)
    assert (ses.to(4), ses.to(5), ses.to(1)) == ([], [], [])
