"""A reorganisation over HTTP: days before it keep their tree, a move ahead waits for its day, a unit tells what it is asked for."""

from datetime import date, timedelta
from urllib.parse import quote

import pytest

from chalicelib.services import projection
from chalicelib.storage import projection as stored
from chalicelib.storage import rules
from chalicelib.storage.audit import AuditRow
from chalicelib.storage.rules import UnitRow
from tests import builders as b
from tests.builders import FIRE, INDUCTION, MOVING, NOW, TODAY
from tests.pump import Pump

ADMINISTRATOR = "504-9"
JANUARY = date(2027, 1, 1)
NEW_YEAR = NOW + (JANUARY - TODAY)


pytestmark = pytest.mark.usefixtures("nothing_waits")


@pytest.fixture
def trust(api):
    """Fire for surgery, moving for estates, induction for all; people on wards 9 and 10, an administrator in estates."""
    b.trust(
        b.requirement(FIRE, b.TargetKind.UNIT, "surgery"),
        b.requirement(MOVING, b.TargetKind.UNIT, "estates"),
        b.requirement(INDUCTION),
    )
    b.person(1)
    b.person(2, assignments=[b.assignment("2", unit="ward-10")])
    b.person(9, assignments=[b.assignment("9", unit="estates")], role="learning_administrator")
    for person in ("p1", "p2", "p9"):
        projection.project(person, "504", NOW)
    return api


def move(api, unit="ward-9", parent="estates", **changes):
    known = rules.rulebook("504").units[unit]
    body = {"units": [{"id": unit, "name": known.name, "parent": parent, **changes}]}
    pump = Pump()
    answer = api.post("/v1/structure", body, as_=ADMINISTRATOR)
    pump.run()
    assert answer.status_code == 200, answer.json_body
    return answer.json_body


def required(api, on, unit="ward-9"):
    """What the unit is asked for on a day, and from where."""
    answer = api.get(f"/v1/units/{unit}/requirements?on={on}", as_=ADMINISTRATOR)
    assert answer.status_code == 200, answer.json_body
    return [(each["competency"], each["target"]) for each in answer.json_body["requirements"]]


def explained(api, on, competency=FIRE):
    path = f"/v1/people/p1/compliance/explanation?on={on}&competency={quote(competency)}"
    return api.get(path, as_=ADMINISTRATOR).json_body["required"]


def rows(person="p1"):
    (snapshot,) = stored.snapshots_of(person, "504")
    return {row.competency for row in snapshot.rows}


def parts(api):
    answer = api.get("/v1/structure?kind=unit", as_=ADMINISTRATOR).json_body
    return {each["id"]: (each["parent"], each["moves"]) for each in answer["parts"]}


# --- days gone by ---------------------------------------------------------------------------------------------


def test_what_was_required_on_1_march_is_the_same_after_a_move_today(trust):
    before = required(trust, "2026-03-01")
    move(trust)
    assert before == required(trust, "2026-03-01") == [(INDUCTION, "504"), (FIRE, "surgery")]
    assert required(trust, TODAY) == [(INDUCTION, "504"), (MOVING, "estates")]
    assert (explained(trust, "2026-03-01"), explained(trust, TODAY)) == (True, False)
    assert rows() == {INDUCTION, MOVING}


def test_a_move_told_late_counts_from_its_day(trust):
    move(trust, **{"from": "2026-03-01"})
    assert [explained(trust, day) for day in ("2026-02-28", "2026-03-01", TODAY)] == [True, False, False]
    assert rows() == {INDUCTION, MOVING}


def test_the_rows_of_before_moves_were_dated_are_read(trust):
    UnitRow("E#504", "UNIT#ward-9", name="504 Ward 9", parent="estates").save()
    rules.forget()
    assert rules.rulebook("504").units["ward-9"].parent_on(date(2000, 1, 1)) == "estates"


# --- days ahead -----------------------------------------------------------------------------------------------


def test_a_move_ahead_changes_nothing_before_its_day_and_everything_on_it(trust):
    move(trust, "surgery", **{"from": str(JANUARY)})
    assert rows("p1") == rows("p2") == {INDUCTION, FIRE}
    assert (required(trust, JANUARY - timedelta(1)), required(trust, JANUARY)) == (
        [(INDUCTION, "504"), (FIRE, "surgery")],
        [(INDUCTION, "504"), (MOVING, "estates"), (FIRE, "surgery")],
    )
    projection.day("504", NEW_YEAR - timedelta(days=2))
    eve = projection.day("504", NEW_YEAR - timedelta(days=1))
    assert (eve.changed, rows()) == (0, {INDUCTION, FIRE})
    assert projection.day("504", NEW_YEAR).changed == 2
    assert rows("p1") == rows("p2") == {INDUCTION, FIRE, MOVING}
    assert list(projection.recount("504", ["ward-9", "ward-10", "surgery", "estates"], NEW_YEAR)) == []


def test_a_rule_set_where_a_unit_is_to_come_reaches_it_on_the_day(trust):
    move(trust, **{"from": str(JANUARY)})
    pump = Pump()
    body = {"target_kind": "UNIT", "target": "estates", "competency": b.PREVENT}
    job = trust.post("/v1/requirements", body, as_=ADMINISTRATOR).json_body["job_id"]
    pump.run()
    assert trust.get(f"/v1/jobs/{job}", as_=ADMINISTRATOR).json_body["total"] == 2
    projection.day("504", NEW_YEAR)
    assert rows() == {INDUCTION, MOVING, b.PREVENT}


def test_the_tree_shows_the_parent_of_today_and_the_moves_to_come(trust):
    move(trust, **{"from": "2026-03-01", "parent": "504"})
    move(trust, **{"from": str(JANUARY)})
    assert parts(trust)["ward-9"] == ("504", [{"from": "2027-01-01", "parent": "estates"}])
    tree = trust.get("/v1/units", as_=ADMINISTRATOR).json_body["units"]
    assert {each["id"]: each["parent"] for each in tree}["ward-9"] == "504"


def test_a_move_ahead_is_taken_back_by_one_on_its_day_to_where_the_unit_is(trust):
    move(trust, **{"from": str(JANUARY)})
    assert move(trust, parent="surgery", **{"from": str(JANUARY)})["job_id"] is not None
    assert parts(trust)["ward-9"] == ("surgery", [])
    assert stored.snapshots_of("p1", "504")[0].next_change_on == TODAY + timedelta(
        7
    )  # what is red is looked at on Mondays


def test_a_move_sent_again_changes_nothing_and_another_name_keeps_it(trust):
    move(trust, **{"from": str(JANUARY)})
    assert move(trust, **{"from": str(JANUARY)}) == {"changed": [], "job_id": None}
    assert move(trust, parent="surgery", name="Ward Nine") == {"changed": ["unit ward-9"], "job_id": None}
    assert parts(trust)["ward-9"][1] == [{"from": "2027-01-01", "parent": "estates"}]


def test_the_audit_says_from_which_day_a_unit_was_moved_where(trust):
    move(trust, **{"from": str(JANUARY)})
    facts = [row.facts for row in AuditRow.scan() if row.action == "structure.changed"]
    assert [each["moved"] for each in facts] == [[["ward-9", "2027-01-01", "estates"]]]


def test_a_circle_on_a_day_ahead_or_a_day_that_cannot_be_is_refused_and_nothing_changes(trust):
    move(trust, "estates", "surgery", **{"from": str(JANUARY)})
    version = rules.rulebook_version("504")
    for given, field in (({}, "parent"), ({"from": "2300-01-01"}, "from"), ({"from": "soon"}, "from")):
        body = {"units": [{"id": "surgery", "name": "Surgery", "parent": "estates", **given}]}
        answer = trust.post("/v1/structure", body, as_=ADMINISTRATOR)
        assert (answer.status_code, answer.json_body["errors"][0]["field"]) == (400, f"body.units[0].{field}")
    assert rules.rulebook_version("504") == version


# --- what a unit is asked for -----------------------------------------------------------------------------------


def test_a_unit_tells_each_rule_with_its_level_its_days_and_where_it_is_set(trust):
    answer = trust.get("/v1/units/ward-9/requirements", as_=ADMINISTRATOR).json_body
    assert (answer["unit"], answer["on"]) == ("ward-9", "2026-11-23")
    assert answer["requirements"][1] == {
        "competency": FIRE,
        "title": "Fire Safety - 1 Year",
        "minimum_level": 1,
        "target_kind": "UNIT",
        "target": "surgery",
        "target_name": "504 Division of Surgery",
        "starts_on": "2020-01-01",
        "ends_on": None,
        "in_use": True,
    }


def test_rules_not_in_force_that_day_are_left_out_and_competencies_not_in_use_are_marked(trust):
    assert required(trust, "2019-12-31") == []
    body = {"name": INDUCTION, "starts_on": "2026-01-01"}
    assert trust.post("/v1/competencies", body, as_=ADMINISTRATOR).status_code == 200
    answer = trust.get("/v1/units/ward-9/requirements?on=2025-03-01", as_=ADMINISTRATOR).json_body
    assert [each["in_use"] for each in answer["requirements"]] == [False, True]


def test_a_unit_nobody_knows_is_not_found_and_a_day_that_is_none_is_named(trust):
    assert trust.get("/v1/units/moon/requirements", as_=ADMINISTRATOR).status_code == 404
    answer = trust.get("/v1/units/ward-9/requirements?on=31", as_=ADMINISTRATOR)
    assert (answer.status_code, answer.json_body["errors"][0]["field"]) == (400, "query.on")


def test_only_who_sees_the_dashboard_sees_what_units_are_asked_for(trust):
    assert trust.get("/v1/units/ward-9/requirements", as_="504-1").status_code == 403
    assert trust.get("/v1/units/ward-9/requirements", as_=b.person(3, role="instructor")).status_code == 200
