"""One's messages over HTTP: unread first, read, put away, and nobody else's."""

from datetime import timedelta

import pytest

from chalicelib.domain.events import Event, EventType
from chalicelib.services import outbox
from chalicelib.storage import audit
from chalicelib.storage import inbox as stored
from chalicelib.storage.outbox import NotificationRow
from tests import builders as b
from tests.builders import NOW
from tests.seams import counted

INBOX = "/v1/me/notifications"


@pytest.fixture
def trust(api):
    """Employer 504 with a nurse who was told nothing yet."""
    b.trust()
    b.person()
    return api


def tell(number=1, person="p1", employer="504", days=0):
    """Somebody is told that their training was verified: number says which, and how long ago."""
    data = {
        "training": f"t{number}",
        "person": person,
        "title": f"Study day {number}",
        "provider": "Thistledown School",
    }
    data |= {"status": "verified", "awards": [], "added": False, "reason": None}
    at = NOW - timedelta(days=days, minutes=number)
    outbox.notify(Event(f"01E{number:03d}", EventType.EXTERNAL_TRAINING_DECIDED, employer, person, at, data), at)


def told(numbers, **given):
    for number in numbers:
        tell(number, **given)


def kept():
    (row,) = [each for each in NotificationRow.scan() if isinstance(each, NotificationRow)]
    return row


def inbox(api, query="", as_="504-1"):
    answer = api.get(f"{INBOX}?{query}", as_=as_)
    assert answer.status_code == 200, answer.json_body
    return answer.json_body


def subjects(page):
    return [each["subject"].rpartition(" ")[2] for each in page["notifications"]]


def ids(api, query=""):
    return [each["id"] for each in inbox(api, query)["notifications"]]


def mark(api, message_id, as_what, as_="504-1"):
    return api.post(f"{INBOX}/{message_id}/{as_what}", as_=as_)


# --- listing ------------------------------------------------------------------------------------------------


def test_a_message_is_listed_with_what_it_is_and_what_became_of_its_e_mail(trust):
    tell(1)
    page = inbox(trust)
    (shown,) = page["notifications"]
    assert (page["unread"], page["next_cursor"]) == (1, None)
    assert (shown["number"], shown["employer"], shown["read"], shown["archived"]) == ("N22", "504", False, False)
    assert shown["email"] == "pending"
    assert shown["subject"].endswith("Study day 1")
    assert "text" not in shown


def test_unread_messages_come_first_and_each_kind_newest_first(trust):
    told(range(1, 7))
    newest_first = ids(trust)
    for place in (0, 2, 3):
        mark(trust, newest_first[place], "read")
    page = inbox(trust)
    assert subjects(page) == ["2", "5", "6", "1", "3", "4"]
    assert [each["read"] for each in page["notifications"]] == [False] * 3 + [True] * 3
    assert page["unread"] == 3


@pytest.mark.parametrize("limit", [1, 2, 3, 4])
def test_paging_leads_through_unread_and_read_ones_once(trust, limit):
    told(range(1, 8))
    for each in ids(trust)[::2]:
        mark(trust, each, "read")
    found, cursor = [], ""
    while cursor is not None:
        page = inbox(trust, f"limit={limit}{cursor and '&cursor=' + cursor}")
        assert len(page["notifications"]) <= limit
        found += subjects(page)
        cursor = page["next_cursor"]
    assert found == ["2", "4", "6", "1", "3", "5", "7"]


def test_a_cursor_is_good_for_its_own_list_alone(trust):
    told(range(1, 4))
    b.person(2)
    cursor = inbox(trust, "limit=1")["next_cursor"]
    for query, login in ((f"show=unread&cursor={cursor}", "504-1"), (f"cursor={cursor}", "504-2")):
        answer = trust.get(f"{INBOX}?{query}", as_=login)
        assert (answer.status_code, answer.json_body["errors"][0]["field"]) == (400, "query.cursor")


def test_only_unread_or_only_archived_ones_can_be_asked_for(trust):
    told(range(1, 5))
    first, second, *_ = ids(trust)
    mark(trust, first, "read")
    mark(trust, second, "archive")
    assert subjects(inbox(trust)) == ["3", "4", "1"]
    assert subjects(inbox(trust, "show=unread")) == ["3", "4"]
    assert subjects(inbox(trust, "show=archived")) == ["2"]
    assert trust.get(f"{INBOX}?show=everything", as_="504-1").status_code == 400


def test_messages_of_all_ones_employers_are_in_one_inbox(trust):
    tell(1)
    tell(2, employer="505")
    assert [each["employer"] for each in inbox(trust, "employer=504")["notifications"]] == ["504", "505"]


def test_an_empty_inbox_is_empty(trust):
    assert inbox(trust) == {"notifications": [], "unread": 0, "next_cursor": None}


def test_unread_ones_are_counted_up_to_a_hundred(trust, monkeypatch):
    monkeypatch.setattr(stored, "MOST_COUNTED", 3)
    told(range(1, 6))
    assert inbox(trust)["unread"] == 3


# --- one message --------------------------------------------------------------------------------------------


def test_a_message_says_its_text_what_it_is_about_where_that_is_and_its_life(trust):
    tell(1)
    (message_id,) = ids(trust)
    message = trust.get(f"{INBOX}/{message_id}", as_="504-1").json_body
    assert "Study day 1" in message["text"]
    assert message["link"].startswith("https://portal.test/")
    assert message["about"] == {"training": "t1", "person": "p1"}
    assert [each["state"] for each in message["life"]] == ["created", "queued"]
    assert message["read"] is False
    assert message["tells"] == []


def test_a_message_whose_template_has_changed_since_still_has_its_subject(trust):
    tell(1)
    row = kept()
    row.update([NotificationRow.template.set("no_longer_there")])
    (shown,) = inbox(trust)["notifications"]
    message = trust.get(f"{INBOX}/{shown['id']}", as_="504-1").json_body
    assert (message["text"], message["link"], message["number"]) == (None, None, None)
    assert message["subject"].endswith("Study day 1")


def test_a_message_whose_data_lack_what_its_template_asks_for_by_now_still_has_its_subject(trust):
    tell(1)
    row = kept()
    row.update([NotificationRow.data.set({"odd": 1})])
    assert trust.get(f"{INBOX}/{ids(trust)[0]}", as_="504-1").json_body["text"] is None


def test_nobody_elses_message_can_be_read_or_marked(trust):
    tell(1)
    (message_id,) = ids(trust)
    b.person(2, role="learning_administrator")
    assert trust.get(f"{INBOX}/{message_id}", as_="504-2").status_code == 404
    for each in ("read", "unread", "archive"):
        assert mark(trust, message_id, each, as_="504-2").status_code == 404
    assert inbox(trust)["unread"] == 1
    assert inbox(trust, as_="504-2")["notifications"] == []


@pytest.mark.parametrize(
    "message_id", ["x", "TiMy", "UFJPRklMRQ", "0", "-", "~", "TiMyMDI2LTExLTIzVDA5OjAwOjAwWiNub25l", "A" * 256]
)
def test_an_id_that_names_no_message_is_not_found(trust, message_id):
    for answer in (trust.get(f"{INBOX}/{message_id}", as_="504-1"), mark(trust, message_id, "read")):
        assert answer.status_code == 404
    assert trust.get(f"{INBOX}/{'A' * 257}", as_="504-1").status_code == 400


def test_an_id_cannot_name_a_row_of_another_kind(trust):
    """An id is a sort key: of messages alone."""
    for sk in ("PROFILE", "MAIL", "E#504#WHO", "CAP#504", "N#", "D#", "N#x", "N#2026-11-23T09:00:00Z", "D#504"):
        assert trust.get(f"{INBOX}/{stored.encoded(sk)}", as_="504-1").status_code == 404, sk


# --- read, unread, put away ---------------------------------------------------------------------------------


def test_reading_puts_a_message_among_those_read_and_doing_so_twice_changes_nothing(trust):
    tell(1)
    (message_id,) = ids(trust)
    for _ in range(2):
        answer = mark(trust, message_id, "read")
        assert (answer.status_code, answer.json_body["read"]) == (200, True)
    page = inbox(trust)
    assert (subjects(page), page["unread"]) == (["1"], 0)


def test_a_message_can_be_made_unread_again(trust):
    told((1, 2))
    newer, older = ids(trust)
    mark(trust, newer, "read")
    assert mark(trust, newer, "unread").json_body["read"] is False
    assert ids(trust) == [newer, older]


def test_what_is_put_away_counts_as_read_and_comes_back_as_unread(trust):
    tell(1)
    (message_id,) = ids(trust)
    answer = mark(trust, message_id, "archive").json_body
    assert (answer["read"], answer["archived"]) == (True, True)
    assert inbox(trust) == {"notifications": [], "unread": 0, "next_cursor": None}
    assert mark(trust, message_id, "read").json_body["archived"] is True
    assert subjects(inbox(trust, "show=archived")) == ["1"]
    answer = mark(trust, message_id, "unread").json_body
    assert (answer["read"], answer["archived"]) == (False, False)
    assert subjects(inbox(trust, "show=unread")) == ["1"]
    assert inbox(trust, "show=archived")["notifications"] == []


def test_all_can_be_marked_as_read_at_once(trust, monkeypatch):
    monkeypatch.setattr("chalicelib.services.inbox.AT_ONCE", 2)
    told(range(1, 6))
    assert trust.post(f"{INBOX}/read", as_="504-1").json_body == {"marked": 5, "unread": 0}
    assert trust.post(f"{INBOX}/read", as_="504-1").json_body == {"marked": 0, "unread": 0}
    assert len(inbox(trust)["notifications"]) == 5


def test_marking_all_stops_when_time_is_up_and_says_how_many_are_left(trust, monkeypatch):
    monkeypatch.setattr("chalicelib.services.inbox.AT_ONCE", 2)
    answers = iter([True, False])
    monkeypatch.setattr("chalicelib.handlers.inbox.time_to_answer", lambda: lambda: next(answers))
    told(range(1, 6))
    assert trust.post(f"{INBOX}/read", as_="504-1").json_body == {"marked": 2, "unread": 3}


def test_reading_costs_one_write_and_listing_two_queries_and_the_rows(trust):
    told(range(1, 4))
    with counted("UpdateItem") as updates, counted("BatchGetItem") as batches:
        mark(trust, ids(trust)[0], "read")
    assert (updates[0], batches[0] <= 3) == (1, True)


def test_a_message_stays_four_hundred_days(trust):
    tell(1)
    row = kept()
    assert row.expires_at - (NOW - timedelta(minutes=1)) == timedelta(days=400)


# --- preferences --------------------------------------------------------------------------------------------


def test_a_digest_is_a_choice_that_is_kept_and_audited(trust):
    path = "/v1/me/message-preferences"
    assert trust.get(path, as_="504-1").json_body == {"digest": False}
    for wanted in (True, False, False, True):
        answer = trust.call("PUT", path, body={"digest": wanted}, as_="504-1")
        assert (answer.status_code, answer.json_body) == (200, {"digest": wanted})
        assert trust.get(path, as_="504-1").json_body == {"digest": wanted}
    entries = [each for each in audit.AuditRow.scan() if each.action == "messages.preferred"]
    assert sorted(each.facts["digest"] for each in entries) == [False, True, True]  # once each time that it changed
    assert {each.person_pk for each in entries} == {"P#p1"}


@pytest.mark.parametrize("body", [{}, {"digest": "yes"}, {"digest": None}, {"digest": True, "weekly": True}])
def test_a_preference_that_is_none_is_refused_by_field(trust, body):
    answer = trust.call("PUT", "/v1/me/message-preferences", body=body, as_="504-1")
    assert answer.status_code == 400
    assert {each["field"] for each in answer.json_body["errors"]} <= {"body.digest", "body.weekly"}
