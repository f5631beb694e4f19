"""My calendar and my team's over HTTP: classes, teaching, renewals and requests that lapse, by London day."""

from datetime import date, timedelta

import pytest

from chalicelib.domain.catalogue import Venue
from chalicelib.domain.enrolment import Status
from chalicelib.services import classes
from chalicelib.storage.catalogue import VenueRow
from tests import builders as b
from tests.builders import NOW, SYSTEM
from tests.learner_access import keep

ME, MANAGER = "504-1", "504-2"


@pytest.fixture
def ward(api):
    b.trust()
    b.offered(b.class_())
    b.person(2)
    return api


def nurse(*enrolments, number=1, awards=(), **changes):
    held = [b.assignment(str(number), supervisor="p2")]
    own = [b.enrolment(each.status, person=f"p{number}", **_as(each)) for each in enrolments]
    return b.person(number, assignments=held, enrolments=own, awards=awards, **changes)


def _as(given):
    names = ("class_id", "sessions", "starts_at", "ends_at", "link", "approver", "placed_at", "mode")
    return {name: getattr(given, name) for name in names} | {"counted": False}


def booked(class_id, *days, status=Status.CONFIRMED, hour=9, **changes):
    at = b.class_(class_id, sessions=[b.session(day, hour) for day in days])
    return b.enrolment(status, at, **changes)


def calendar(api, login=ME, of="me", query=""):
    answer = api.get(f"/v1/{of}/calendar{query}", as_=login)
    assert answer.status_code == 200, answer.json_body
    return answer.json_body


def shown(found):
    return [(each["day"], entry["kind"], entry["title"]) for each in found["days"] for entry in each["entries"]]


def test_each_session_stands_on_its_london_day_with_where_it_leads(ward):
    nurse(booked("504-c2", date(2026, 12, 1), date(2027, 1, 5), link="https://meet.invalid/c2"))
    found = calendar(ward)
    assert (found["from"], found["until"]) == ("2026-11-23", "2027-02-21")
    first, second = (each["entries"][0] for each in found["days"])
    assert (first["starts_at"], first["ends_at"]) == ("2026-12-01T09:00:00Z", "2026-12-01T12:00:00Z")
    assert [(each["session"], each["sessions"]) for each in (first, second)] == [(1, 2), (2, 2)]
    assert (first["status"], first["place"], first["link"]) == (
        "confirmed", "Seminar Room 1", "https://meet.invalid/c2",
    )  # fmt: skip
    assert ward.get(first["href"], as_=ME).json_body["id"] == "504-c2~1"


def test_a_night_session_stands_on_the_london_day_on_which_it_begins(ward):
    nurse(booked("504-night", date(2027, 6, 1), hour=0))
    found = calendar(ward, query="?from=2027-06-01&until=2027-06-01")
    assert [each["day"] for each in found["days"]] == ["2027-06-01"]
    assert found["days"][0]["entries"][0]["starts_at"] == "2027-05-31T23:00:00Z"


def test_what_is_waited_for_or_asked_for_is_marked_and_what_was_given_up_is_not_there(ward):
    nurse(
        booked("504-c1", date(2026, 12, 2), status=Status.WAITLISTED, link="https://meet.invalid/x"),
        booked("504-c3", date(2026, 12, 3), status=Status.REQUESTED),
        booked("504-c4", date(2026, 12, 4), status=Status.WITHDRAWN),
        booked("504-c5", date(2026, 11, 30), status=Status.DID_NOT_ATTEND),
    )
    found = calendar(ward)
    entries = [entry for each in found["days"] for entry in each["entries"]]
    assert [(each["kind"], each["status"]) for each in entries] == [
        ("class", "did not attend"),
        ("class", "waitlisted"),
        ("class", "requested"),
        ("request lapses", "requested"),
    ]
    assert {each["link"] for each in entries} == {""}


def test_a_request_without_a_start_lapses_four_weeks_after_asking(ward):
    nurse(b.enrolment(Status.REQUESTED, b.e_learning(), placed_at=NOW))
    assert shown(calendar(ward)) == [("2026-12-21", "request lapses", "Fire Safety")]


def test_renewals_stand_on_the_last_valid_day_of_what_is_required_and_of_what_is_only_held(ward):
    nurse(awards=[b.award_expiring(date(2026, 12, 24)), b.award_expiring(date(2026, 12, 31), b.MOVING)])
    required, held = (entry for each in calendar(ward)["days"] for entry in each["entries"])
    assert (required["title"], required["required"], required["colour"]) == ("Fire Safety - 1 Year", True, "amber")
    assert (held["competency"], held["required"], held["colour"]) == (b.MOVING, False, "blue")
    assert (required["starts_at"], required["ends_at"]) == (None, None)
    assert ward.get(required["href"], as_=ME).json_body["courses"][0]["id"] == "504-fire"


def test_what_is_held_at_too_low_a_level_is_no_renewal(api):
    b.trust(b.requirement(b.MOVING, level=2))
    b.person(2)
    nurse(awards=[b.award_expiring(date(2026, 12, 24), b.MOVING)])
    assert shown(calendar(api)) == []


def test_what_one_teaches_is_there_with_its_place_as_long_as_one_teaches(ward):
    keep(VenueRow.of("504", Venue("seminar-1", "Seminar Room 1", address="Education Centre")))
    nurse(role="instructor")
    for class_id, day in (("504-t1", date(2026, 12, 1)), ("504-t2", date(2027, 2, 22))):
        teaches = b.class_(class_id, sessions=[b.session(day)], instructor="p1", venue="seminar-1")
        classes.add_class(SYSTEM, teaches, NOW)
    (day,) = calendar(ward)["days"]
    (entry,) = day["entries"]
    assert (entry["kind"], entry["class_id"]) == ("teaching", "504-t1")
    assert entry["place"] == "Seminar Room 1, Education Centre"
    assert ward.get(entry["href"], as_=ME).status_code == 200
    assert shown(calendar(ward, query="?from=2027-02-22&until=2027-02-22")) != []
    assert shown(calendar(ward, query="?from=2027-02-21&until=2027-02-21")) == []


def test_days_that_cannot_be_are_refused_by_field(ward):
    nurse()
    refused = {
        "from=x": ["query.from"],
        "from=2026-02-30": ["query.from"],
        "from=9999-12-31": ["query.from"],
        "from=1000-01-01&until=9999-12-31": ["query.from", "query.until"],
        "from=2026-12-02&until=2026-12-01": ["query.until"],
        "until=2026-11-22": ["query.until"],
        "from=2026-01-01&until=2027-02-05": ["query.until"],
        "from=2026-01-01&from=2026-01-02": ["query.from"],
    }
    for path in ("/v1/me/calendar", "/v1/me/team/calendar"):
        for query, fields in refused.items():
            answer = ward.get(f"{path}?{query}", as_=ME)
            assert answer.status_code == 400, query
            assert [each["field"] for each in answer.json_body["errors"]] == fields, query
        for query in ("from=2026-01-01&until=2027-02-04", "from=2199-12-31", "from=1900-01-01&until=1900-01-01"):
            assert ward.get(f"{path}?{query}", as_=ME).status_code == 200, query


# --- the team -------------------------------------------------------------------------------------------------


def team(api, query="", login=MANAGER):
    return calendar(api, login, "me/team", query)


def test_a_manager_sees_the_classes_requests_and_renewals_of_the_team_by_day(ward):
    nurse(
        booked("504-c2", date(2026, 12, 1), link="https://meet.invalid/c2"),
        awards=[b.award_expiring(date(2026, 12, 24)), b.award_expiring(date(2026, 12, 31), b.MOVING)],
    )
    nurse(booked("504-c3", date(2026, 12, 1), hour=8, status=Status.REQUESTED), number=3)
    b.person(4, enrolments=[booked("504-c4", date(2026, 12, 1), person="p4", counted=False)])
    found = team(ward)
    assert [each["person_id"] for each in found["people"]] == ["p1", "p3"]
    assert [
        (each["day"], entry["name"], entry["entry"]["kind"]) for each in found["days"] for entry in each["entries"]
    ] == [
        ("2026-12-01", "Sam Testfold3", "class"),
        ("2026-12-01", "Sam Testfold3", "request lapses"),
        ("2026-12-01", "Sam Testfold1", "class"),
        ("2026-12-24", "Sam Testfold1", "renewal"),
    ]
    for each in found["days"]:
        for entry in each["entries"]:
            assert entry["entry"]["link"] == ""
            assert ward.get(entry["entry"]["href"], as_=MANAGER).status_code == 200
    assert team(ward, login=ME)["people"] == []


def test_a_team_pages_by_person_and_nobody_stands_on_two_pages(ward):
    twice = [b.assignment(number, supervisor="p2", primary=number == "1") for number in ("1", "1-2")]
    b.person(1, assignments=twice)
    for number in (3, 4):
        nurse(number=number)
    people, cursor = [], ""
    for _ in range(6):
        found = team(ward, f"?limit=1{cursor}")
        people += [each["person_id"] for each in found["people"]]
        if found["next_cursor"] is None:
            break
        cursor = f"&cursor={found['next_cursor']}"
    assert people == ["p1", "p3", "p4"]


def test_the_cursor_of_another_manager_is_refused(ward):
    for number in (1, 3):
        nurse(number=number)
    cursor = team(ward, "?limit=1")["next_cursor"]
    answer = ward.get(f"/v1/me/team/calendar?cursor={cursor}", as_=ME)
    assert (answer.status_code, answer.json_body["errors"][0]["field"]) == (400, "query.cursor")


def test_whoever_left_the_team_is_no_longer_in_its_calendar(ward, clock):
    b.person(1, assignments=[b.assignment("1", supervisor="p2", ends_on=b.TODAY)])
    assert [each["person_id"] for each in team(ward)["people"]] == ["p1"]
    clock.now = NOW + timedelta(days=1)
    assert team(ward)["people"] == []
