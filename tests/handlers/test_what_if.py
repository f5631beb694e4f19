"""Trying changes of requirements: what they would do to every unit, and to whom; nothing is touched."""

from datetime import date

import boto3
import pytest

from chalicelib.handlers import work
from chalicelib.services import jobs
from chalicelib.storage.base import Record
from tests import builders as b
from tests.builders import FIRE, INDUCTION, MOVING, NOW, PREVENT
from tests.pump import Pump

ADMINISTRATOR = "504-9"
FIRE_FOR_ALL = {"target_kind": "ORG", "target": "504", "competency": FIRE}


@pytest.fixture
def trust(api, monkeypatch):
    """Fire for everybody: one who holds it and one who does not on ward 9, one on ward 10, an administrator in estates.

    Person 3 holds assignments on both wards; person 1 holds Moving and Handling until the end of the year.
    """
    monkeypatch.setattr(jobs, "PART_DELAY_SECONDS", 0)
    monkeypatch.setattr(work, "now", lambda: NOW)
    b.trust()
    api.pump = Pump()
    b.person(1, awards=[b.award(FIRE), b.award_expiring(date(2026, 12, 31), MOVING)])
    b.person(2)
    b.person(3, assignments=[b.assignment("3"), b.assignment("3-2", unit="ward-10", primary=False)])
    b.person(9, assignments=[b.assignment("9", unit="estates")], role="learning_administrator")
    api.pump.run()
    return api


def added(competency=MOVING, kind="UNIT", target="surgery", **changes):
    return {"target_kind": kind, "target": target, "competency": competency, "starts_on": "2026-11-23", **changes}


def try_out(api, as_=ADMINISTRATOR, **draft):
    return api.post("/v1/what-if", draft, as_=as_)


def outcome(api, query="", **draft):
    """What a draft would do, once all of it is worked on."""
    started = try_out(api, **draft)
    assert started.status_code == 201, started.json_body
    api.pump.run()
    answer = api.get(started.json_body["href"] + query, as_=ADMINISTRATOR).json_body
    assert (answer["state"], answer["percent"]) == ("done", 100)
    return answer["outcome"]


def told(effect):
    before, after = effect["before"], effect["after"]
    return (
        (before["required"], before["achieved"]),
        (after["required"], after["achieved"]),
        effect["people_turning_red"],
        effect["no_longer_required"],
    )


def test_a_requirement_added_turns_red_whoever_lacks_it_each_person_once(trust):
    found = outcome(trust, add=[added()])
    assert found["assignments"] == 5
    assert told(found["effect"]) == ((5, 1), (9, 2), 2, 0)
    assert (found["effect"]["before"]["compliance_percent"], found["effect"]["after"]["compliance_percent"]) == (
        20.0,
        22.22,
    )
    assert [(each["competency"], told(each["effect"])) for each in found["competencies"]] == [
        (MOVING, ((0, 0), (4, 1), 2, 0))
    ]
    assert {each["id"]: told(each["effect"]) for each in found["units"]} == {
        "504": ((5, 1), (9, 2), 2, 0),
        "surgery": ((4, 1), (8, 2), 2, 0),
        "ward-10": ((1, 0), (2, 0), 1, 0),
        "ward-9": ((3, 1), (6, 2), 2, 0),
        "estates": ((1, 0), (1, 0), 0, 0),
    }


def test_one_unit_is_told_with_those_below_it(trust):
    found = outcome(trust, "?unit=surgery", add=[added()], end=[FIRE_FOR_ALL])
    assert told(found["effect"]) == ((4, 1), (4, 1), 2, 4)
    assert [unit["id"] for unit in found["units"]] == ["ward-10", "ward-9"]
    assert {each["competency"]: told(each["effect"]) for each in found["competencies"]} == {
        FIRE: ((4, 1), (0, 0), 0, 4),
        MOVING: ((0, 0), (4, 1), 2, 0),
    }


def test_on_a_day_ahead_people_are_judged_as_they_will_stand(trust):
    assert told(outcome(trust, "?unit=ward-9", add=[added()])["effect"])[2] == 2
    ahead = outcome(trust, "?unit=ward-9", add=[added()], on="2027-01-01")
    assert told(ahead["effect"]) == ((3, 1), (6, 1), 3, 0)


def test_another_amber_window_changes_what_expires_soon_and_turns_nobody_red(trust):
    found = outcome(trust, amber_months=12)["effect"]
    assert (found["before"]["expiring_soon"], found["after"]["expiring_soon"]) == (0, 1)
    assert found["people_turning_red"] == 0


def test_units_are_paged(trust):
    href = try_out(trust, amber_months=4).json_body["href"]
    trust.pump.run()
    first = trust.get(f"{href}?limit=3", as_=ADMINISTRATOR).json_body["outcome"]
    rest = trust.get(f"{href}?limit=3&cursor={first['next_cursor']}", as_=ADMINISTRATOR).json_body["outcome"]
    assert (len(first["units"]), len(rest["units"]), rest["next_cursor"]) == (3, 2, None)


def test_while_it_runs_there_is_progress_and_no_outcome(trust):
    answer = trust.get(try_out(trust, amber_months=4).json_body["href"], as_=ADMINISTRATOR).json_body
    assert (answer["state"], answer["percent"], answer["on"], answer["outcome"]) == ("running", 0, "2026-11-23", None)


def everything_but_jobs():
    pages = boto3.client("dynamodb").get_paginator("scan").paginate(TableName=Record.Meta.table_name)
    return [item for page in pages for item in page["Items"] if "#JOB#" not in item["pk"]["S"]]


def test_a_what_if_touches_nothing_but_its_job(trust):
    before = everything_but_jobs()
    outcome(trust, add=[added(), added(INDUCTION, "ORG", "504")], end=[FIRE_FOR_ALL], amber_months=6)
    assert everything_but_jobs() == before


def test_what_it_tells_is_what_happens_once_the_requirement_is_saved(trust):
    drafted = [added(), added(PREVENT, "JOB", "nurse")]
    found = outcome(trust, add=drafted)
    for requirement in drafted:
        assert trust.post("/v1/requirements", requirement, as_=ADMINISTRATOR).status_code == 200
    trust.pump.run()
    listed = trust.get("/v1/units", as_=ADMINISTRATOR).json_body["units"]
    assert [(unit["id"], unit["effect"]["after"]) for unit in found["units"]] == [
        (unit["id"], unit["figures"]) for unit in listed
    ]
    by_competency = trust.get("/v1/units/504/compliance", as_=ADMINISTRATOR).json_body["competencies"]
    told_of = {each["competency"]: each["effect"]["after"] for each in found["competencies"]}
    assert told_of == {each["competency"]: each["figures"] for each in by_competency if each["competency"] != FIRE}


def test_a_repetition_with_the_same_key_starts_no_second_job(trust):
    headers = {"Idempotency-Key": "once"}
    first, second = (trust.post("/v1/what-if", {"amber_months": 4}, as_=ADMINISTRATOR, headers=headers) for _ in "12")
    assert first.json_body == second.json_body


# --- what is refused ------------------------------------------------------------------------------------------


def test_every_wrong_field_of_a_draft_is_named(trust):
    answer = try_out(
        trust,
        add=[
            added("NHS|CSTF|Juggling - 1 Year|", target="moon"),
            added(minimum_level=2, ends_on="2026-11-22"),
            added(kind="PERSON", target="p99"),
            added(kind="ORG", target="505"),
        ],
        end=[{"target_kind": "JOB", "target": "nurse", "competency": FIRE}],
        on="2026-11-22",
    )
    assert answer.status_code == 400
    assert [each["field"] for each in answer.json_body["errors"]] == [
        "body.add[0].target",
        "body.add[0].competency",
        "body.add[1].minimum_level",
        "body.add[1].ends_on",
        "body.add[3].target",
        "body.end[0]",
        "body.add[2].target",
        "body.on",
    ]


def test_shapes_that_are_wrong_are_named(trust):
    for draft, field in (
        ({}, "body"),
        ({"add": [{"target": "x", "competency": FIRE}]}, "body.add[0].target_kind"),
        ({"add": [added(), added(kind="MOON")]}, "body.add[1].target_kind"),
        ({"add": [added(target="a#b")]}, "body.add[0].target"),
        ({"add": [added()] * 51}, "body.add"),
        ({"amber_months": 0}, "body.amber_months"),
        ({"amber_months": 4, "on": "2036-11-24"}, "body.on"),
        ({"amber_months": 4, "on": "soon"}, "body.on"),
        ({"changes": []}, "body.changes"),
    ):
        answer = try_out(trust, **draft)
        assert (answer.status_code, answer.json_body["errors"][0]["field"]) == (400, field), draft


def test_a_unit_or_job_nobody_knows_is_refused(trust):
    job = try_out(trust, amber_months=4).json_body["job_id"]
    trust.pump.run()
    answer = trust.get(f"/v1/what-if/{job}?unit=moon", as_=ADMINISTRATOR)
    assert (answer.status_code, answer.json_body["errors"][0]["field"]) == (400, "query.unit")
    assert trust.get("/v1/what-if/nothing", as_=ADMINISTRATOR).status_code == 404
    recount = trust.post("/v1/jobs/reconciliation", as_=ADMINISTRATOR).json_body["job_id"]
    assert trust.get(f"/v1/what-if/{recount}", as_=ADMINISTRATOR).status_code == 404


def test_only_who_edits_rules_may_try_and_only_at_their_employer(trust):
    job = try_out(trust, amber_months=4).json_body["job_id"]
    b.person(7, employer="505")
    b.grant("p7", "learning_administrator", "505")
    assert try_out(trust, as_="504-1", amber_months=4).status_code == 403
    assert trust.get(f"/v1/what-if/{job}", as_="504-1").status_code == 403
    assert trust.get(f"/v1/what-if/{job}", as_="505-7").status_code == 404
    assert trust.get(f"/v1/what-if/{job}?employer=504", as_="505-7").status_code == 403
