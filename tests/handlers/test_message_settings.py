"""What an employer settles about its messages, over HTTP."""

import pytest

from chalicelib.domain.message_settings import MessageSettings
from chalicelib.storage import audit
from chalicelib.storage import message_settings as stored
from tests import builders as b
from tests.seams import before_commit, counted

PATH = "/v1/settings/messages"
BEGINNING = {
    "sender_name": "ESR Learning",
    "reply_to": None,
    "daily_cap": None,
    "digest_hour": 16,
    "class_reminder_days": [7, 1],
    "minimum_check_days": [7],
}
SETTLED = {
    "sender_name": "Thistledown Trust Learning",
    "reply_to": "learning@thistledown.invalid",
    "daily_cap": 5000,
    "digest_hour": 7,
    "class_reminder_days": [14, 3, 1],
    "minimum_check_days": [10, 5],
}


@pytest.fixture
def trust(api):
    """Employer 504 with a learning administrator, 504-1."""
    b.trust()
    b.person(role="learning_administrator")
    return api


def put(api, body, as_="504-1"):
    return api.call("PUT", PATH, body=body, as_=as_)


def wrong(answer):
    assert answer.status_code == 400, answer.json_body
    return {each["field"] for each in answer.json_body["errors"]}


def test_everybody_begins_with_the_same(trust):
    assert trust.get(PATH, as_="504-1").json_body == BEGINNING


def test_what_is_settled_is_kept_and_audited_without_the_address(trust):
    assert put(trust, SETTLED).json_body == SETTLED
    assert trust.get(PATH, as_="504-1").json_body == SETTLED
    (entry,) = [each for each in audit.AuditRow.scan() if each.action == "message-settings.changed"]
    assert (entry.actor, entry.facts["after"]["digest_hour"], entry.facts["before"]["digest_hour"]) == ("p1", 7, 16)
    assert (entry.facts["before"]["reply_to"], entry.facts["after"]["reply_to"]) == (False, True)
    assert "@" not in str(entry.facts)


def test_settling_what_is_settled_already_writes_nothing(trust):
    put(trust, SETTLED)
    with counted("TransactWriteItems") as written:
        assert put(trust, SETTLED).json_body == SETTLED
    assert written == [0]


def test_days_are_kept_from_the_first_to_the_last(trust):
    answer = put(trust, SETTLED | {"class_reminder_days": [1, 14, 3], "minimum_check_days": []})
    assert (answer.json_body["class_reminder_days"], answer.json_body["minimum_check_days"]) == ([14, 3, 1], [])


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"sender_name": ""}, {"sender_name"}),
        ({"sender_name": "x" * 61}, {"sender_name"}),
        ({"sender_name": " "}, {"sender_name"}),
        ({"sender_name": "Trust\r\nBcc: all@trust.invalid"}, {"sender_name"}),
        ({"sender_name": "Trust\n"}, {"sender_name"}),
        ({"sender_name": "Trust <a@trust.invalid>"}, {"sender_name"}),
        ({"sender_name": "Trust\u202egnp"}, {"sender_name"}),
        ({"sender_name": "Trust\u2028Bcc: x"}, {"sender_name"}),
        ({"sender_name": "Trust\x00"}, {"sender_name"}),
        ({"sender_name": None}, {"sender_name"}),
        ({"reply_to": "nobody"}, {"reply_to"}),
        ({"reply_to": "a@b@c.invalid"}, {"reply_to"}),
        ({"reply_to": "a@trust.invalid\r\nBcc: x@y.invalid"}, {"reply_to"}),
        ({"reply_to": ""}, {"reply_to"}),
        ({"daily_cap": 0}, {"daily_cap"}),
        ({"daily_cap": -1}, {"daily_cap"}),
        ({"daily_cap": 1.5}, {"daily_cap"}),
        ({"daily_cap": 10**30}, {"daily_cap"}),
        ({"digest_hour": 24}, {"digest_hour"}),
        ({"digest_hour": -1}, {"digest_hour"}),
        ({"digest_hour": "7"}, {"digest_hour"}),
        ({"class_reminder_days": [0]}, {"class_reminder_days"}),
        ({"class_reminder_days": [61]}, {"class_reminder_days"}),
        ({"class_reminder_days": [1, 2, 3, 4, 5, 6]}, {"class_reminder_days"}),
        ({"class_reminder_days": "7"}, {"class_reminder_days"}),
        ({"class_reminder_days": [7, 7], "minimum_check_days": [3, 3]}, {"class_reminder_days", "minimum_check_days"}),
        ({"minimum_check_days": [None]}, {"minimum_check_days"}),
        ({"colour": "red", "daily_cap": 0, "digest_hour": 99}, {"colour", "daily_cap", "digest_hour"}),
    ],
)
def test_every_wrong_field_is_named_and_nothing_changes(trust, changes, fields):
    named = wrong(put(trust, SETTLED | changes))
    assert {each.removeprefix("body.").partition("[")[0] for each in named} == fields
    assert trust.get(PATH, as_="504-1").json_body == BEGINNING


def test_what_is_left_out_is_named(trust):
    assert wrong(put(trust, {})) == {f"body.{each}" for each in SETTLED}


@pytest.mark.parametrize("role", [None, "class_administrator", "instructor"])
def test_only_learning_administrators_settle_anything(trust, role):
    b.person(2, role=role)
    for answer in (trust.get(PATH, as_="504-2"), put(trust, SETTLED, as_="504-2")):
        assert answer.status_code == 403


def test_of_two_who_settle_at_once_the_audit_tells_who_came_after_whom(trust):
    b.person(2, role="learning_administrator")
    with before_commit(lambda: put(trust, SETTLED | {"digest_hour": 9}, as_="504-2")):
        assert put(trust, SETTLED).json_body["digest_hour"] == 7
    entries = [each for each in audit.AuditRow.scan() if each.action == "message-settings.changed"]
    hours = {(each.facts["before"]["digest_hour"], each.facts["after"]["digest_hour"]) for each in entries}
    assert hours == {(16, 9), (9, 7)}


def test_an_employer_settles_for_itself_alone(trust):
    put(trust, SETTLED)
    assert stored.settings_of("505") == MessageSettings()


def test_settings_are_read_once_a_minute_and_not_for_each_message(trust, monkeypatch):
    class Clock:
        now = 1000.0

    monkeypatch.setattr(stored.time, "monotonic", lambda: Clock.now)
    with counted("GetItem") as reads:
        assert stored.settings_of("504").digest_hour == 16
        assert stored.settings_of("504").digest_hour == 16
        assert reads == [1]
        other_process = stored.MessageSettingsRow.of("504", MessageSettings(digest_hour=8), 1)
        other_process.save()
        Clock.now += stored.SECONDS_IN_MEMORY
        assert stored.settings_of("504").digest_hour == 16
        Clock.now += 1
        assert stored.settings_of("504").digest_hour == 8
        assert reads == [2]
