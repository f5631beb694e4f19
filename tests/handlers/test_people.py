"""Seeing other people: search, their compliance on any day, why, their history; and only for those who may."""

from datetime import date

import pytest

from chalicelib.domain.enrolment import Status
from chalicelib.domain.requirements import TargetKind
from tests import builders as b
from tests.builders import FIRE, MOVING


@pytest.fixture
def ward(api):
    """A manager (1), a nurse of theirs (2), a nurse of somebody else (3), and a learning administrator (4)."""
    b.trust(b.requirement(FIRE), b.requirement(MOVING, TargetKind.UNIT, "ward-9", starts_on=date(2026, 6, 1)))
    b.offered(b.class_())
    b.person(1, assignments=[b.assignment("1", unit="estates")])
    booked = b.enrolment(Status.WITHDRAWN, person="p2")
    held = [b.award_expiring(date(2027, 1, 1), FIRE)]
    b.person(2, assignments=[b.assignment("2", supervisor="p1")], awards=held, enrolments=[booked])
    b.person(3, assignments=[b.assignment("3", supervisor="p4")])
    b.person(4, role="learning_administrator")
    return api


def status(api, path, as_):
    return api.get(path, as_=as_).status_code


@pytest.mark.parametrize(
    "route",
    ["compliance", "enrolments", "compliance/explanation?competency=NHS%7CCSTF%7CFire%20Safety%20-%201%20Year%7C"],
)
def test_oneself_ones_team_and_administrators_may_see_and_others_find_nothing(ward, route):
    path = f"/v1/people/p2/{route}"
    assert [status(ward, path, login) for login in ("504-2", "504-1", "504-4", "504-3")] == [200, 200, 200, 404]
    assert status(ward, f"/v1/people/nobody/{route}", "504-4") == 404


def test_a_manager_of_yesterday_sees_nothing_today(ward):
    ended = b.assignment("5", supervisor="p1", ends_on=date(2026, 11, 22))
    b.person(5, assignments=[ended, b.assignment("6", supervisor="p4")])
    assert status(ward, "/v1/people/p5/compliance", "504-1") == 404


def test_somebody_of_another_employer_is_not_found(ward):
    b.person(9, employer="505")
    assert status(ward, "/v1/people/p9/compliance", "504-4") == 404


def test_compliance_is_judged_as_of_any_day(ward):
    def view(day):
        answer = ward.get(f"/v1/people/p2/compliance?on={day}", as_="504-4").json_body
        return answer["required"], [(row["title"], row["colour"]) for row in answer["rows"]]

    assert view("2026-05-31") == (1, [])
    assert view("2026-12-01") == (
        2,
        [("Moving and Handling - Level 2 - 2 Years", "red"), ("Fire Safety - 1 Year", "amber")],
    )
    assert view("2027-01-02")[1][1] == ("Fire Safety - 1 Year", "red")


@pytest.mark.parametrize("day", ["yesterday", "2026-02-30", "20261123", ""])
def test_a_day_that_is_none_is_refused_by_field(ward, day):
    answer = ward.get(f"/v1/people/p2/compliance?on={day}", as_="504-4")
    assert (answer.status_code, answer.json_body["errors"][0]["field"]) == (400, "query.on")


def explanation(api, competency, day, as_="504-4"):
    from urllib.parse import quote

    return api.get(f"/v1/people/p2/compliance/explanation?competency={quote(competency, safe='')}&on={day}", as_=as_)


def test_an_auditor_learns_what_was_required_why_and_what_was_held(ward):
    answer = explanation(ward, MOVING, "2026-07-01").json_body
    assert (answer["required"], answer["colour"], answer["why"]) == (True, "red", "Never achieved.")
    assert answer["why_required"][0]["sentence"] == (
        "Required of 504 Ward 9 and the units below it since Monday 1 June 2026, through assignment 2."
    )
    assert answer["assignments_that_counted"] == ["2"]


def test_before_the_rule_began_nothing_was_required(ward):
    answer = explanation(ward, MOVING, "2026-03-01").json_body
    assert (answer["required"], answer["colour"], answer["why_required"]) == (False, None, [])
    assert answer["why"] == "Neither required of this person on that day nor held."


def test_every_award_is_listed_with_what_it_was_worth(ward):
    awards = [
        b.award_expiring(date(2026, 1, 1), FIRE, source="old"),
        b.award(FIRE, awarded_on=date(2026, 12, 24), source="later"),
        b.award(FIRE, awarded_on=date(2026, 2, 2), source="void", void=True),
    ]
    b.takeover.take_over(b.SYSTEM, "504", "p2", awards, [], b.NOW)
    answer = explanation(ward, FIRE, "2026-11-23").json_body
    assert sorted(each["worth"] for each in answer["awards"]) == ["decides", "expired", "not made yet", "void"]


def test_a_competency_of_no_framework_is_not_found(ward):
    assert explanation(ward, "NHS|CSTF|Juggling - 1 Year|", "2026-11-23").status_code == 404


def test_a_manager_sees_their_team_with_rates_and_counts(ward):
    team = ward.get("/v1/me/team", as_="504-1").json_body
    assert [
        (each["person_id"], each["compliance_percent"], each["red"], each["amber"]) for each in team["members"]
    ] == [("p2", 50.0, 1, 1)]
    assert ward.get("/v1/me/team", as_="504-2").json_body == {"members": [], "next_cursor": None}


def test_a_team_pages(ward):
    b.person(5, assignments=[b.assignment("5", supervisor="p1")])
    first = ward.get("/v1/me/team?limit=1", as_="504-1").json_body
    second = ward.get(f"/v1/me/team?limit=1&cursor={first['next_cursor']}", as_="504-1").json_body
    assert [each["person_id"] for each in first["members"] + second["members"]] == ["p2", "p5"]


def found(api, as_="504-4", **body):
    answer = api.post("/v1/people/search", body, as_=as_)
    return [each["person_id"] for each in answer.json_body["people"]]


def test_people_are_found_by_the_beginning_of_their_name(ward):
    b.person(10, first_name="Ada", last_name="O'Byte")
    assert found(ward, name="testf") == ["p1", "p2", "p3", "p4"]
    assert found(ward, name="TESTFOLD2") == ["p2"]
    assert found(ward, name="testfold2 sa") == ["p2"]
    assert found(ward, name="testfold2 zo") == []
    assert found(ward, name="o'b") == ["p10"]


def test_names_of_several_words_and_of_one_letter_are_found(ward):
    b.person(10, first_name="Anna", last_name="Van Dyke")
    b.person(11, first_name="Li Mei", last_name="O")
    b.person(12, first_name="Dyke", last_name="Van")
    assert found(ward, name="Van Dyke") == ["p10", "p12"]
    assert found(ward, name="van dyke an") == ["p10"]
    assert found(ward, name="van") == ["p10", "p12"]
    assert found(ward, name="O") == found(ward, name="o li m") == ["p11"]


def test_a_search_goes_on_from_one_way_to_split_a_name_to_the_next(ward):
    for number, first, last in ((10, "Anna", "Van Dyke"), (11, "Bea", "Van Dyke"), (12, "Dyke", "Van")):
        b.person(number, first_name=first, last_name=last)
    pages, asked = [], {"name": "van dyke", "limit": 1}
    while asked:
        page = ward.post("/v1/people/search", asked, as_="504-4").json_body
        pages += [each["person_id"] for each in page["people"]]
        asked = page["next_cursor"] and asked | {"cursor": page["next_cursor"]}
    assert pages == ["p10", "p11", "p12"]


def test_a_cursor_of_another_search_is_refused(ward):
    first = ward.post("/v1/people/search", {"name": "testfold", "limit": 1}, as_="504-4").json_body
    again = {"name": "reed", "cursor": first["next_cursor"]}
    assert ward.post("/v1/people/search", again, as_="504-4").status_code == 400


def test_people_are_found_by_number_and_only_at_ones_employer(ward):
    b.person(9, employer="505")
    assert found(ward, number="20000002") == ["p2"]
    assert found(ward, number="20000009") == []


def test_a_search_pages(ward):
    first = ward.post("/v1/people/search", {"name": "testfold", "limit": 3}, as_="504-4").json_body
    again = {"name": "testfold", "limit": 3, "cursor": first["next_cursor"]}
    second = ward.post("/v1/people/search", again, as_="504-4").json_body
    assert [each["person_id"] for each in first["people"] + second["people"]] == ["p1", "p2", "p3", "p4"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"name": ""},
        {"name": "  "},
        {"name": "ab", "number": "1"},
        {"number": "#"},
        {"name": "a#b"},
        {"name": 5},
    ],
)
def test_a_search_for_nothing_is_refused(ward, body):
    assert ward.post("/v1/people/search", body, as_="504-4").status_code == 400


def test_employees_and_managers_do_not_search_for_learners(ward):
    assert ward.post("/v1/people/search", {"name": "testfold"}, as_="504-1").status_code == 403
