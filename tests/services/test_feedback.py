"""What becomes of an e-mail once SES has it, who cannot be reached, and what is not sent at all."""

import json
from datetime import timedelta
from types import SimpleNamespace

import pytest

from chalicelib.domain.mailbox import Unreached
from chalicelib.domain.message_settings import MessageSettings
from chalicelib.handlers import events, timers, work
from chalicelib.services import enrolment, identity, outbox
from chalicelib.storage import mailboxes, message_settings
from chalicelib.storage import outbox as stored
from chalicelib.storage.audit import AuditRow
from chalicelib.storage.outbox import NotificationKey, NotificationRow
from chalicelib.storage.people import PersonRow
from chalicelib.storage.timers import TimerRow
from tests import builders as b
from tests.builders import NOW
from tests.pump import Pump, plenty
from tests.services.test_digests import verdict
from tests.services.test_outbox import Ses, key_of, relay

ADDRESS = "person1@trust.invalid"


@pytest.fixture
def ses(monkeypatch):
    from chalicelib import mail

    fake = Ses()
    monkeypatch.setattr(mail, "_ses", lambda: fake)
    return fake


@pytest.fixture
def time(monkeypatch):
    """The clock of relay, mailer and sweeper, which a test may move: `time.at = …`."""
    clock = SimpleNamespace(at=NOW)
    monkeypatch.setattr(events, "now", lambda: clock.at)
    return clock


@pytest.fixture
def booked(aws, ses, time):
    """A nurse who has just booked a class, and an administrator; nothing relayed yet."""
    b.trust()
    b.offered(b.class_(), b.class_("504-c2", sessions=[b.session(b.date(2026, 12, 8))]))
    b.person(9, role="learning_administrator")
    enrolment.enrol_myself(identity.identify(b.person(), None, NOW), "504-c1", NOW)
    return ses


def rows(person="p1"):
    return [row for row in NotificationRow.scan() if isinstance(row, NotificationRow) and row.pk == f"P#{person}"]


def send(*keys):
    """The queue: every notification that is not dealt with."""
    keys = keys or [key_of(row) for row in rows() if row.delivery == "pending"]
    bodies = [json.dumps({"pk": each.pk, "sk": each.sk}) for each in keys]
    records = [{"messageId": str(number), "body": body} for number, body in enumerate(bodies)]
    return events.send_mail({"Records": records}, plenty)["batchItemFailures"]


def sent(ses):
    """Relay and send; the e-mail that SES has."""
    relay()
    send()
    return ses.accepted[-1]


def report(request, kind, **what):
    """A report as SES publishes it of an e-mail that was sent with these tags."""
    tags = {each["Name"]: [each["Value"]] for each in request["Tags"]}
    mail = {"messageId": "ses-1", "timestamp": "2026-11-23T10:00:01.000Z", "tags": tags, "destination": [ADDRESS]}
    return {"eventType": kind, "mail": mail, kind.casefold(): {"timestamp": "2026-11-23T10:00:05.000Z", **what}}


def delivered(request):
    return report(request, "Delivery", recipients=[ADDRESS])


def bounced(request, type_="Permanent", to=ADDRESS):
    recipient = {"emailAddress": to, "status": "5.1.1", "diagnosticCode": f"550 {ADDRESS} is nobody"}
    return report(request, "Bounce", bounceType=type_, bounceSubType="General", bouncedRecipients=[recipient])


def complained(request):
    recipients = [{"emailAddress": f"Sam <{ADDRESS}>"}]
    return report(request, "Complaint", complainedRecipients=recipients, complaintFeedbackType="abuse")


def rejected(request):
    return report(request, "Reject", reason="Bad content")


def take(*reports):
    bodies = [each if isinstance(each, str) else json.dumps(each) for each in reports]
    records = [{"messageId": str(number), "body": body} for number, body in enumerate(bodies)]
    return [each["itemIdentifier"] for each in events.take_feedback({"Records": records})["batchItemFailures"]]


def life(row=None):
    return [state for state, _ in (row or rows()[0]).notification().life()]


# --- reports ------------------------------------------------------------------------------------------------


def test_the_life_of_an_e_mail_that_arrives(booked):
    assert take(delivered(sent(booked))) == []
    assert life() == ["created", "queued", "sending", "sent", "delivered"]
    assert rows()[0].notification().settled_at.isoformat() == "2026-11-23T10:00:05+00:00"


def test_reports_may_come_wrapped_by_sns_and_under_the_other_name(booked):
    told = delivered(sent(booked))
    told["notificationType"] = told.pop("eventType")
    assert take({"Type": "Notification", "Message": json.dumps(told)}) == []
    assert rows()[0].delivery == "delivered"


def test_reports_out_of_order_and_repeated_end_alike(booked):
    request = sent(booked)
    take(bounced(request), delivered(request), bounced(request), delivered(request))
    assert rows()[0].delivery == "bounced"
    send(key_of(rows()[0]))
    assert len(booked.accepted) == 1
    take(complained(request), bounced(request))
    assert rows()[0].delivery == "complained"


def test_a_report_that_is_quicker_than_our_own_record_stays(booked):
    relay()
    key = key_of(rows()[0])
    stored.claim(key, stored.notification(key), NOW)
    take(delivered({"Tags": [{"Name": name, "Value": value} for name, value in key.tags().items()]}))
    stored.record_sent(key, "ses-1", NOW)
    assert (rows()[0].delivery, rows()[0].ses_id) == ("delivered", "ses-1")


def test_a_bounce_that_may_pass_is_noted_and_marks_nobody(booked):
    take(bounced(sent(booked), "Transient"))
    assert (rows()[0].delivery, rows()[0].failure) == ("sent", "not delivered yet: General, 5.1.1")
    assert mailboxes.with_mailbox("p1")[1].undeliverable is None


def test_an_e_mail_that_ses_found_harmful_has_failed(booked):
    take(rejected(sent(booked)))
    assert (rows()[0].delivery, rows()[0].failure) == ("failed", "Bad content")


@pytest.mark.parametrize(
    "poison",
    ["", "null", "[]", "{}", '{"Message": "x"}', '{"eventType": "Bounce", "mail": {"tags": {"message": ["#"]}}}'],
)
def test_what_is_no_report_goes_back_alone_and_the_log_names_nobody(booked, logged, poison):
    good = delivered(sent(booked))
    broken = bounced(booked.accepted[0])
    broken["mail"]["tags"] = {"ses:from-domain": ["trust.invalid"]}
    assert take(poison, good, broken) == ["0", "2"]
    assert rows()[0].delivery == "delivered"
    assert "trust.invalid" not in logged()


def test_reports_of_what_we_do_not_follow_and_of_messages_that_are_gone_change_nothing(booked):
    request = sent(booked)
    opened = report(request, "Open")
    gone = {"Tags": [{"Name": name, "Value": value} for name, value in NotificationKey("P#x", "N#x").tags().items()]}
    assert take(opened, delivered(gone), bounced(gone)) == []
    assert life() == ["created", "queued", "sending", "sent"]
    assert rows("x") == []


def test_a_tag_holds_the_key_of_every_message_within_what_ses_allows():
    natural = "certification.2026-12-01.504.01JD0000000000000000000000.multiple_employer_update_for_administrators"
    key = NotificationKey("P#01JD0000000000000000000000", f"N#2026-12-01T00:00:00Z#{natural}")
    assert NotificationKey.from_tags(key.tags()) == key
    assert all(len(each) <= 256 and each.replace("-", "").replace("_", "").isalnum() for each in key.tags().values())
    assert NotificationKey("P#p", "N#" + "x" * 300).tags() == {}


# --- addresses that take none -------------------------------------------------------------------------------


def test_a_bounced_address_is_not_tried_again_until_there_is_another(booked):
    take(bounced(sent(booked)))
    enrolment.enrol_myself(identity.identify("504-1", None, NOW), "504-c2", NOW)
    relay()
    send()
    assert len(booked.accepted) == 1
    second = next(row for row in rows() if row.data["class"] == "504-c2")
    assert (second.delivery, second.failure) == ("suppressed", "bounce")
    PersonRow("P#p1", "PROFILE").update([PersonRow.email.set("new@trust.invalid")])
    enrolment.withdraw_myself(identity.identify("504-1", None, NOW), "504-c2~1", NOW)
    relay()
    send()
    assert booked.accepted[-1]["Destinations"] == ["new@trust.invalid"]


def test_administrators_see_whom_e_mail_does_not_reach(booked, api, time):
    b.person(2, email=None)
    enrolment.enrol_myself(identity.identify("504-2", None, NOW), "504-c2", NOW)
    take(bounced(sent(booked)))
    send(*[key_of(row) for row in rows("p2")])
    answer = api.get("/v1/messages/unreachable", as_="504-9").json_body
    found = {each["person_id"]: (each["reason"], each["address"], each["said"]) for each in answer["people"]}
    assert found == {"p1": ("bounce", ADDRESS, "General, 5.1.1"), "p2": ("no address", None, "")}
    one = api.get("/v1/messages/unreachable?limit=1", as_="504-9").json_body
    rest = api.get(f"/v1/messages/unreachable?limit=1&cursor={one['next_cursor']}", as_="504-9").json_body
    assert {each["person_id"] for each in one["people"] + rest["people"]} == {"p1", "p2"}
    PersonRow("P#p1", "PROFILE").update([PersonRow.email.set("new@trust.invalid")])
    assert [each["person_id"] for each in api.get("/v1/messages/unreachable", as_="504-9").json_body["people"]] == [
        "p2"
    ]
    assert api.get("/v1/messages/unreachable", as_="504-1").status_code == 403


def test_administrators_are_told_once_a_day(booked, monkeypatch):
    request = sent(booked)
    pump = Pump()
    for each in (bounced(request), complained(request), bounced(request)):
        take(each)
    (timer,) = [row for row in TimerRow.scan() if isinstance(row, TimerRow) and row.timer().subject == "people"]
    assert timer.at.isoformat() == "2026-11-23T16:00:00+00:00"
    evening = timer.at + timedelta(minutes=2)
    for clock in (timers, work):
        monkeypatch.setattr(clock, "now", lambda: evening)
    for _ in range(2):
        timers.queue_what_is_due()
        pump.run()
        timer.save()  # as if whoever rang it had died before it was taken away
    timers.queue_what_is_due()
    pump.run()
    assert [row for row in TimerRow.scan() if isinstance(row, TimerRow) and row.timer().subject == "people"] == []
    relay()
    (told,) = rows("p9")
    assert told.template == "undelivered"
    assert told.subject == "E-mail does not reach 1 person"
    assert told.data["people"] == [{"name": "Sam Testfold1", "why": "our mail came back"}]


def test_the_audit_names_ids_only(booked):
    take(bounced(sent(booked)))
    entries = [row.to_dynamodb_dict() for row in AuditRow.scan() if row.action == "address.unreachable"]
    assert entries
    assert "trust.invalid" not in json.dumps(entries)


# --- whose address, which sender, how many ------------------------------------------------------------------


def test_it_goes_to_the_enrolments_address_if_that_holds_one(booked):
    enrolment.enrol_myself(identity.identify("504-1", None, NOW), "504-c2", NOW, email="sam@home.invalid")
    relay()
    send()
    assert sorted(each["Destinations"][0] for each in booked.accepted) == [ADDRESS, "sam@home.invalid"]


def placed_at(address):
    """Somebody takes a place whose messages are to go to another address."""
    enrolment.enrol_myself(identity.identify("504-1", None, NOW), "504-c2", NOW, email=address)


def test_where_the_enrolments_address_takes_none_its_messages_go_to_the_persons_own(booked):
    placed_at("typo@home.invalid")
    relay()
    send()
    at_home = next(each for each in booked.accepted if each["Destinations"] == ["typo@home.invalid"])
    take(bounced(at_home, to="typo@home.invalid"))
    enrolment.withdraw_myself(identity.identify("504-1", None, NOW), "504-c2~1", NOW)
    relay()
    send()
    request = booked.accepted[-1]
    assert request["Destinations"] == [ADDRESS]
    assert b"typo@home.invalid" not in request["RawMessage"]["Data"]  # nor is it whom the calendar's request names
    assert mailboxes.unreachable_page("504", 10, None)[0] == []


def test_two_addresses_that_take_none_are_both_remembered_and_administrators_hear_of_the_own_one(booked):
    placed_at("typo@home.invalid")
    relay()
    send()
    for request in tuple(booked.accepted):
        take(bounced(request, to=request["Destinations"][0]))
    enrolment.withdraw_myself(identity.identify("504-1", None, NOW), "504-c2~1", NOW)
    relay()
    send()
    assert len(booked.accepted) == 2
    gone = next(row for row in rows() if row.template == "enrolment_withdrawn")
    assert (gone.delivery, gone.failure) == ("suppressed", "bounce")
    (listed,) = mailboxes.unreachable_page("504", 10, None)[0]
    assert listed.undeliverable.address == ADDRESS


def test_who_has_none_but_the_enrolments_address_is_listed_once_that_takes_none(booked):
    sent(booked)
    PersonRow("P#p1", "PROFILE").update([PersonRow.email.remove()])
    placed_at("typo@home.invalid")
    relay()
    send()
    take(bounced(booked.accepted[-1], to="typo@home.invalid"))
    assert mailboxes.unreachable_page("504", 10, None)[0] == []
    enrolment.withdraw_myself(identity.identify("504-1", None, NOW), "504-c2~1", NOW)
    relay()
    send()
    (listed,) = mailboxes.unreachable_page("504", 10, None)[0]
    assert listed.undeliverable.kind is Unreached.NO_ADDRESS


def settle(**changes):
    message_settings.forget()
    monkey = message_settings.MessageSettingsRow.of("504", MessageSettings(**changes), 1)
    monkey.save()


def test_an_employer_chooses_how_it_is_called_and_where_answers_go(booked):
    settle(sender_name="Riverside\r\nBcc: x@y.invalid Learning", reply_to="learning@riverside.invalid")
    sent(booked)
    message = booked.message()
    assert message["From"].addresses[0].display_name == "Riverside Bcc: x@y.invalid Learning"
    assert message["From"].addresses[0].addr_spec == "learning@trust.invalid"
    assert message["Reply-To"].addresses[0].addr_spec == "learning@riverside.invalid"
    assert message["Bcc"] is None


def decided(number):
    """Somebody is to hear something that is neither urgent nor for their calendar."""
    outbox.notify(verdict(number, person="p1"), NOW)


def test_over_the_days_cap_what_can_wait_goes_the_next_morning(booked, time):
    settle(daily_cap=1)
    decided(1)
    decided(2)
    send()
    assert len(booked.accepted) == 1
    (waiting,) = [row for row in rows() if row.delivery == "pending"]
    assert waiting.due_at == "2026-11-24T08:00:00Z"
    assert events.sweep_outbox() == 0
    time.at = NOW + timedelta(days=1)
    assert events.sweep_outbox() == 1
    send()
    assert len(booked.accepted) == 2


def test_what_goes_into_a_calendar_or_out_of_it_passes_the_cap_and_is_counted(booked, time):
    settle(daily_cap=1)
    relay()
    enrolment.withdraw_myself(identity.identify("504-1", None, NOW), "504-c1~1", NOW + timedelta(seconds=1))
    relay()
    send()
    decided(1)
    send()
    assert [row.template for row in rows() if row.delivery == "pending"] == ["external_training_decided"]
    assert {row.template: row.delivery for row in rows()}["enrolment_withdrawn"] == "sent"


@pytest.mark.parametrize(("days_before", "waits"), [(2, True), (1, False)])
def test_a_reminder_of_what_begins_tomorrow_passes_the_cap(booked, time, days_before, waits):
    settle(daily_cap=1)
    relay()
    row = rows()[0]
    row.template = "class_reminder"
    row.save()
    time.at = b.class_().starts_at - timedelta(days=days_before)
    stored.may_send_today("504", time.at.date(), 1)
    send()
    assert (rows()[0].delivery == "pending") is waits


def test_what_is_urgent_passes_the_cap(booked):
    settle(daily_cap=0)
    relay()
    row = rows()[0]
    row.template = "enrolment_promoted"
    row.save()
    send()
    assert len(booked.accepted) == 1


def test_what_one_can_do_without_says_how_to_get_fewer_and_joining_instructions_do_not(booked):
    sent(booked)
    row = rows()[0]
    row.delivery, row.template = "pending", "class_reminder"
    row.save()
    send()
    joining, reminder = booked.message(0), booked.message(1)
    assert joining["List-Unsubscribe"] is None
    assert "Too many" not in joining.get_body(("plain",)).get_content()
    assert reminder["List-Unsubscribe"] == "<https://portal.test/messages>"
    assert "you can choose one e-mail a day" in " ".join(reminder.get_body(("plain",)).get_content().split())


# --- silence when it no longer matters ------------------------------------------------------------------------


def test_a_place_given_back_before_it_was_announced_is_announced_to_nobody(booked):
    enrolment.withdraw_myself(identity.identify("504-1", None, NOW), "504-c1~1", NOW + timedelta(seconds=1))
    relay()
    send()
    assert {row.template: row.delivery for row in rows()} == {
        "enrolment_confirmed": "superseded",
        "enrolment_withdrawn": "sent",
    }
    assert booked.message()["Subject"].startswith("You have withdrawn")


def test_events_out_of_order_announce_no_place_that_is_gone(booked):
    """The withdrawal is told first: what comes after it is not true any more."""
    enrolment.withdraw_myself(identity.identify("504-1", None, NOW), "504-c1~1", NOW + timedelta(seconds=1))
    relay()
    for template in ("enrolment_withdrawn", "enrolment_confirmed"):
        send(key_of(next(row for row in rows() if row.template == template)))
    assert len(booked.accepted) == 1


# --- what administrators see of one person ------------------------------------------------------------------


def test_administrators_follow_what_somebody_was_told_without_its_text(booked, api):
    take(delivered(sent(booked)))
    (message,) = api.get("/v1/people/p1/messages", as_="504-9").json_body["messages"]
    assert (message["number"], message["email"]) == ("N4", "delivered")
    assert [each["state"] for each in message["life"]] == ["created", "queued", "sending", "sent", "delivered"]
    assert "text" not in message
    assert api.get("/v1/people/nobody/messages", as_="504-9").status_code == 404
    assert api.get("/v1/people/p1/messages", as_="504-1").status_code == 403


def test_another_employers_messages_are_not_theirs(booked, api):
    relay()
    row = rows()[0]
    row.employer = "505"
    row.save()
    assert api.get("/v1/people/p1/messages", as_="504-9").json_body["messages"] == []
