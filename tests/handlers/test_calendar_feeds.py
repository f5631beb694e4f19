"""Calendar feeds over HTTP: a secret address that shows an instructor's classes until it is revoked."""

from datetime import date, timedelta

import pytest
from icalendar import Calendar

from chalicelib.domain.catalogue import Venue
from chalicelib.domain.classes import ClassStatus
from chalicelib.domain.people import EmploymentKind
from chalicelib.services import classes
from chalicelib.services.calendar_feeds import MOST_FEEDS
from chalicelib.storage import calendar_feeds as stored
from chalicelib.storage import keys, rules
from chalicelib.storage.catalogue import VenueRow
from chalicelib.storage.transaction import Transaction
from tests import builders as b
from tests.builders import NOW, SYSTEM

ME = "504-1"
THREE_DAYS = [b.session(), b.session(date(2026, 12, 8)), b.session(date(2027, 4, 6))]


def venue(**given):
    transaction = Transaction()
    transaction.put(VenueRow.of("504", Venue(**given)))
    rules.move_version(transaction, "504", keys.CATALOGUE)
    transaction.commit()


@pytest.fixture
def taught(api):
    """An instructor with a class on three days."""
    b.trust()
    b.offered()
    venue(id="seminar-1", name="Seminar Room 1", address="Education Centre, Penlan Road")
    b.person(role="instructor")
    teach("504-c1", sessions=THREE_DAYS, venue="seminar-1", link="https://meet.invalid/c1")
    return api


def teach(class_id, **changes):
    classes.add_class(SYSTEM, b.class_(class_id, **{"instructor": "p1", **changes}), NOW)


def made(api, name="Phone"):
    return api.post("/v1/me/calendar-feeds", {"name": name}, as_=ME).json_body


def events(api, feed):
    answer = api.get(feed["href"])
    assert answer.status_code == 200
    return Calendar.from_ical(answer.body).walk("VEVENT")


def test_the_calendar_has_an_event_for_each_session_in_london_time_with_its_place(taught):
    answer = taught.get(made(taught)["href"])
    assert answer.headers["Content-Type"] == "text/calendar; charset=utf-8"
    calendar = Calendar.from_ical(answer.body)
    assert calendar["METHOD"] == "PUBLISH"
    assert [str(each["TZID"]) for each in calendar.walk("VTIMEZONE")] == ["Europe/London"]
    first, second, summer = calendar.walk("VEVENT")
    assert (first["UID"], second["UID"]) == ("504-c1.01@esr-learning", "504-c1.02@esr-learning")
    assert first["SUMMARY"] == "Fire Safety"
    assert first["LOCATION"] == "Seminar Room 1, Education Centre, Penlan Road"
    assert first["URL"] == "https://meet.invalid/c1"
    assert b"DTSTART;TZID=Europe/London:20261201T090000" in answer.body
    assert summer["DTSTART"].dt.isoformat() == "2027-04-06T09:00:00+01:00"
    assert summer["DTEND"].dt.isoformat() == "2027-04-06T12:00:00+01:00"


def test_an_event_keeps_its_uid_when_its_session_moves_and_its_sequence_rises(taught):
    feed = made(taught)
    for row in classes.stored.rows_of_class(
        b.class_("504-c1", sessions=[b.session(date(2026, 12, 3)), *THREE_DAYS[1:]], instructor="p1", revision=2)
    ):
        row.save()
    moved = events(taught, feed)[0]
    assert (moved["UID"], moved["SEQUENCE"]) == ("504-c1.01@esr-learning", 1)
    assert moved["DTSTART"].dt.date() == date(2026, 12, 3)


def test_classes_are_kept_for_ninety_days_and_cancelled_ones_and_those_of_others_are_not_in_it(taught):
    for days, class_id in ((91, "504-old"), (89, "504-recent")):
        teach(class_id, sessions=[b.session(b.TODAY - timedelta(days))])
    teach("504-off", sessions=[b.session(hour=14)], status=ClassStatus.CANCELLED)
    teach("504-other", sessions=[b.session(hour=16)], instructor="p2")
    teach("NHS-far", course="NHS-moving", sessions=[b.session(date(2030, 1, 7))])
    found = [each["UID"].partition(".")[0] for each in events(taught, made(taught))]
    assert found == ["504-recent", "504-c1", "504-c1", "504-c1", "NHS-far"]


def test_the_address_is_told_once_and_only_its_hash_is_kept(taught):
    feed = made(taught)
    secret = feed["href"].rpartition("/")[2]
    assert len(secret) == 43
    (listed,) = taught.get("/v1/me/calendar-feeds", as_=ME).json_body["feeds"]
    assert listed == {key: feed[key] for key in ("feed_id", "name", "created_at")}
    everything = str([row.to_simple_dict() for row in stored.Record.scan()])
    assert feed["feed_id"] in everything
    assert secret not in everything


def test_a_revoked_address_gives_nothing_from_the_next_request_on(taught):
    phone, desk = made(taught), made(taught, "Desk")
    assert taught.delete(f"/v1/me/calendar-feeds/{phone['feed_id']}", as_=ME).status_code == 204
    assert taught.get(phone["href"]).status_code == 404
    assert taught.get(desk["href"]).status_code == 200
    assert taught.delete(f"/v1/me/calendar-feeds/{phone['feed_id']}", as_=ME).status_code == 404


def test_nobody_revokes_or_lists_the_feed_of_another(taught):
    feed = made(taught)
    other = b.person(2, role="instructor")
    assert taught.delete(f"/v1/me/calendar-feeds/{feed['feed_id']}", as_=other).status_code == 404
    assert taught.get("/v1/me/calendar-feeds", as_=other).json_body == {"feeds": []}
    assert taught.get(feed["href"]).status_code == 200


def test_the_id_of_a_feed_is_not_its_address(taught):
    assert taught.get(f"/v1/calendar-feeds/{made(taught)['feed_id']}").status_code == 404


def test_whoever_has_left_has_no_calendar_and_whoever_teaches_no_more_an_empty_one(taught, clock):
    feed = made(taught)
    stored.Record.get("P#p1", "E#504#GRANT#instructor").delete()
    assert events(taught, feed) == []
    row = stored.Record.get("P#p1", "E#504#WHO")
    row.ends_on = b.TODAY
    row.save()
    assert taught.get(feed["href"]).status_code == 200
    clock.now = NOW + timedelta(days=1)
    assert taught.get(feed["href"]).status_code == 404


def test_what_no_calendar_may_hold_is_left_out_of_it(taught):
    teach("504-c2", title="a\x00b\r\nc\x07\td", sessions=[b.session(date(2026, 12, 2))])
    document = taught.get(made(taught)["href"]).body
    assert not {*document} & {*range(9), 0x0B, 0x0C, *range(0x0E, 0x20), 0x7F}
    titles = {str(each["SUMMARY"]) for each in Calendar.from_ical(document).walk("VEVENT")}
    assert "ab\nc\td" in titles


def test_a_calendar_without_events_is_a_calendar(taught):
    learner = b.person(3, EmploymentKind.EXTERNAL)
    feed = taught.post("/v1/me/calendar-feeds", {}, as_=learner).json_body
    assert events(taught, feed) == []


def test_one_person_has_a_bounded_number_of_feeds(taught):
    for _ in range(MOST_FEEDS):
        made(taught)
    refused = taught.post("/v1/me/calendar-feeds", {}, as_=ME)
    assert (refused.status_code, refused.json_body["type"].rpartition(":")[2]) == (409, "too-many-feeds")


def test_the_secret_reaches_no_log(taught, logged):
    href = made(taught)["href"]
    taught.get(href)
    assert href.rpartition("/")[2] not in logged()
    assert "/v1/calendar-feeds/{secret}" in logged()
