"""Calendar feeds over HTTP: a secret address that shows somebody's classes and renewals until it is revoked."""

from datetime import date, timedelta

import pytest
from icalendar import Calendar

from chalicelib.domain.catalogue import Venue
from chalicelib.domain.classes import ClassStatus
from chalicelib.domain.enrolment import Post, Status
from chalicelib.domain.people import EmploymentKind
from chalicelib.services import classes, takeover
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


# --- what one takes, and has to renew -------------------------------------------------------------------------


def learner(*enrolments, number=3, **changes):
    return b.person(number, EmploymentKind.EXTERNAL, enrolments=enrolments, **changes)


def took(class_id, *days, status=Status.CONFIRMED, **changes):
    at = b.class_(class_id, sessions=[b.session(day) for day in days])
    return b.enrolment(status, at, person="p3", counted=False, **changes)


def feed_of(api, login="504-3"):
    return api.post("/v1/me/calendar-feeds", {}, as_=login).json_body


def by_title(api, feed):
    return {str(each["SUMMARY"]): each for each in events(api, feed)}


def test_learners_have_their_classes_in_it_and_what_is_not_certain_leaves_the_time_free(taught):
    learner(
        took("504-c2", date(2026, 12, 2), date(2027, 4, 6), link="https://meet.invalid/c2"),
        took("504-c1", date(2026, 12, 3), status=Status.WAITLISTED, title="First Aid"),
        took("504-c4", date(2026, 12, 4), status=Status.REQUESTED, title="Manual Handling", approver="p2"),
        took("504-c5", date(2026, 12, 5), status=Status.WITHDRAWN, title="Given Up"),
        took("504-c6", date(2026, 8, 24), status=Status.COMPLETED, title="Long Ago"),
        took("504-c7", date(2026, 8, 25), status=Status.COMPLETED, title="Not So Long Ago"),
    )
    found = events(taught, feed_of(taught))
    assert [(str(each["SUMMARY"]), str(each.get("STATUS", ""))) for each in found] == [
        ("Not So Long Ago", ""),
        ("Fire Safety", ""),
        ("Waiting list: First Aid", "TENTATIVE"),
        ("Requested: Manual Handling", "TENTATIVE"),
        ("Fire Safety", ""),
    ]
    assert [str(each["UID"]) for each in found if each["SUMMARY"] == "Fire Safety"] == [
        "p3.504.504-c2~1.01@esr-learning",
        "p3.504.504-c2~1.02@esr-learning",
    ]
    assert found[1]["URL"] == "https://meet.invalid/c2"
    assert "TRANSP" not in found[1]
    assert found[2]["TRANSP"] == "TRANSPARENT"
    assert found[4]["DTSTART"].dt.isoformat() == "2027-04-06T09:00:00+01:00"


def test_a_class_is_in_it_once_booked_and_a_place_given_back_is_gone(taught):
    b.offered(b.class_("504-d1", course="504-drill", sessions=[b.session(date(2026, 12, 9))]), course_id="504-drill")
    b.person(4)
    feed = feed_of(taught, "504-4")
    assert by_title(taught, feed) == {}
    taught.post("/v1/me/enrolments", {"class_id": "504-d1"}, as_="504-4")
    (booked,) = events(taught, feed)
    taught.post("/v1/me/enrolments/504-d1~1/withdrawal", as_="504-4")
    assert booked["DTSTART"].dt.date() == date(2026, 12, 9)
    assert events(taught, feed) == []


def test_a_renewal_lasts_all_day_and_keeps_its_uid_when_it_is_renewed_and_what_nothing_requires_has_none(taught):
    b.person(4, awards=[b.award_expiring(date(2026, 12, 24)), b.award_expiring(date(2026, 12, 31), b.MOVING)])
    feed = feed_of(taught, "504-4")
    (before,) = events(taught, feed)
    assert str(before["SUMMARY"]) == "Fire Safety - 1 Year expires"
    assert (before["DTSTART"].dt, before["DTEND"].dt) == (date(2026, 12, 24), date(2026, 12, 25))
    assert before["DTSTART"].params["VALUE"] == "DATE"
    assert before["TRANSP"] == "TRANSPARENT"
    takeover.take_over(SYSTEM, "504", "p4", [b.award(awarded_on=b.TODAY)], (), NOW)
    (after,) = events(taught, feed)
    assert (after["UID"], after["DTSTART"].dt) == (before["UID"], date(2027, 11, 23))


def test_no_feed_names_anybody(taught):
    b.person(2)
    learner(
        took("504-c1", date(2026, 12, 2), status=Status.REQUESTED, approver="p2", post=Post("1", "ward-9", "nurse-9"))
    )
    assert b"Testfold" not in taught.get(feed_of(taught)["href"]).body
    assert b"Testfold" not in taught.get(made(taught)["href"]).body


def test_two_people_on_one_class_share_no_uid(taught):
    learner(took("504-c2", date(2026, 12, 2)))
    other = b.enrolment(at=b.class_("504-c2", sessions=[b.session(date(2026, 12, 2))]), person="p4", counted=False)
    b.person(4, enrolments=[other])
    uids = [each["UID"] for login in ("504-3", "504-4") for each in events(taught, feed_of(taught, login))]
    assert len(set(uids)) == len(uids) == 2
