"""My Compliance over HTTP: the rate, red first, then amber, with reasons and actions."""

from dataclasses import replace
from datetime import date

import pytest

from chalicelib.domain.catalogue import Grants
from chalicelib.domain.enrolment import Status
from chalicelib.domain.people import EmploymentKind
from chalicelib.domain.requirements import TargetKind
from tests import builders as b
from tests.builders import FIRE, INDUCTION, MOVING, PREVENT


def _titles(answer):
    return [(row["title"], row["colour"]) for row in answer.json_body["rows"]]


def test_red_comes_first_then_amber_and_the_rate_counts_all_that_is_required(api):
    b.trust(*(b.requirement(each) for each in (FIRE, MOVING, PREVENT, INDUCTION)))
    held = [
        b.award_expiring(date(2026, 11, 1), FIRE),
        b.award_expiring(date(2027, 1, 31), MOVING),
        b.award_expiring(date(2029, 1, 1), PREVENT),
    ]
    answer = api.get("/v1/me/compliance", as_=b.person(awards=held))
    assert answer.status_code == 200
    assert _titles(answer) == [
        ("Corporate Induction - No Specified Renewal", "red"),
        ("Fire Safety - 1 Year", "red"),
        ("Moving and Handling - Level 2 - 2 Years", "amber"),
    ]
    assert (answer.json_body["required"], answer.json_body["achieved"]) == (4, 2)
    assert answer.json_body["compliance_percent"] == 50.0
    assert answer.json_body["as_of"] == "2026-11-23"


def test_green_and_blue_are_shown_on_request(api):
    b.trust(b.requirement(FIRE))
    held = [b.award(FIRE), b.award(MOVING)]
    answer = api.get("/v1/me/compliance?colours=green,blue", as_=b.person(awards=held))
    assert _titles(answer) == [("Fire Safety - 1 Year", "green"), ("Moving and Handling - Level 2 - 2 Years", "blue")]
    assert answer.json_body["rows"][1]["why_required"] == []


def test_each_row_says_why_it_is_required_and_why_it_has_its_colour(api):
    b.trust(b.requirement(FIRE, TargetKind.UNIT, "surgery", starts_on=date(2025, 4, 1)))
    row = api.get("/v1/me/compliance", as_=b.person()).json_body["rows"][0]
    assert row["why"] == "Never achieved."
    assert row["rule"] == "never achieved"
    assert row["why_required"][0]["sentence"] == (
        "Required of 504 Division of Surgery and the units below it since Tuesday 1 April 2025, through assignment 1."
    )


def test_a_row_offers_to_search_and_to_view_what_is_booked_already(api):
    b.trust()
    booked = b.enrolment(Status.CONFIRMED, person="p1")
    b.offered(b.class_())
    row = api.get("/v1/me/compliance", as_=b.person(enrolments=[booked])).json_body["rows"][0]
    assert [action["action"] for action in row["actions"]] == ["view enrolment", "search"]
    assert api.get(row["actions"][0]["href"], as_="504-1").json_body["id"] == "504-c1~1"
    found = api.get(row["actions"][1]["href"], as_="504-1")
    assert [course["id"] for course in found.json_body["courses"]] == ["504-fire"]


HIGHER = "NHS|CSTF|Moving and Handling - Level 3 - 2 Years|"


@pytest.mark.parametrize(
    ("grant", "offered"),
    [
        (Grants(MOVING, 2), ["view enrolment", "search"]),
        (Grants(HIGHER, 2), ["view enrolment", "search"]),
        (Grants(MOVING, 1), ["search"]),
        (Grants(HIGHER, 1), ["search"]),
        (Grants(FIRE, 2), ["search"]),
    ],
)
def test_what_is_booked_is_offered_if_it_will_satisfy_the_row_by_cover_and_level(api, grant, offered):
    b.trust(b.requirement(MOVING, level=2))
    scale = ("Aware", "Able")
    moving = replace(b.competency(MOVING), levels=scale)
    b.competence.define_competencies(b.SYSTEM, "NHS", [moving], b.NOW)
    b.competence.define_competencies(b.SYSTEM, "NHS", [replace(moving, name=HIGHER, covers=(MOVING,))], b.NOW)
    b.offered(b.class_())
    login = b.person(enrolments=[b.enrolment(grants=(grant,))])
    (row,) = api.get("/v1/me/compliance", as_=login).json_body["rows"]
    assert [action["action"] for action in row["actions"]] == offered


def test_a_withdrawn_enrolment_is_no_action(api):
    b.trust()
    b.offered(b.class_())
    gone = b.enrolment(Status.WITHDRAWN)
    row = api.get("/v1/me/compliance", as_=b.person(enrolments=[gone])).json_body["rows"][0]
    assert [action["action"] for action in row["actions"]] == ["search"]


def test_an_applicant_sees_what_the_coming_job_requires(api):
    b.trust()
    coming = b.assignment(starts_on=date(2027, 1, 4))
    login = b.person(kind=EmploymentKind.APPLICANT, assignments=[coming])
    assert api.get("/v1/me/compliance", as_=login).json_body["required"] == 1


def test_an_external_learner_has_requirements_through_a_learner_group_only(api):
    b.trust(b.requirement(FIRE), b.requirement(MOVING, TargetKind.LEARNER_GROUP, "agency"))
    login = b.person(kind=EmploymentKind.EXTERNAL, groups=["agency"])
    answer = api.get("/v1/me/compliance", as_=login).json_body
    assert [row["competency"] for row in answer["rows"]] == [MOVING]


def test_nothing_required_is_not_a_hundred_percent(api):
    b.trust(b.requirement(FIRE, TargetKind.JOB, "porter"))
    answer = api.get("/v1/me/compliance", as_=b.person()).json_body
    assert answer["compliance_percent"] is None
    assert answer["rows"] == []


def test_a_requirement_added_a_moment_ago_counts_with_the_next_look(api):
    b.trust()
    login = b.person()
    assert api.get("/v1/me/compliance", as_=login).json_body["required"] == 1
    b.competence.require(b.SYSTEM, "504", [b.requirement(MOVING)], b.NOW)
    assert api.get("/v1/me/compliance", as_=login).json_body["required"] == 2


def test_midnight_is_londons(api, clock):
    b.trust()
    login = b.person(awards=[b.award_expiring(date(2026, 6, 30))])
    clock.now = b.NOW.replace(month=6, day=30, hour=22, minute=59)
    assert api.get("/v1/me/compliance", as_=login).json_body["rows"][0]["colour"] == "amber"
    clock.now = b.NOW.replace(month=6, day=30, hour=23, minute=1)
    assert api.get("/v1/me/compliance", as_=login).json_body["rows"][0]["colour"] == "red"


def test_an_unknown_colour_is_refused_by_field(api):
    b.trust()
    answer = api.get("/v1/me/compliance?colours=purple", as_=b.person())
    assert answer.status_code == 400
    assert answer.json_body["errors"][0]["field"] == "query.colours"
