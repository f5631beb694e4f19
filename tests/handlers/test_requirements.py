"""Requirements over HTTP: saved, listed, changed, taken back; and everybody's snapshots follow."""

from dataclasses import replace
from datetime import date, timedelta
from urllib.parse import quote

import boto3
import pytest

from chalicelib.domain.compliance import Colour
from chalicelib.domain.requirements import TargetKind
from chalicelib.storage import projection as stored
from chalicelib.storage import rules
from tests import builders as b
from tests.builders import FIRE, INDUCTION, MOVING, NOW, TODAY
from tests.pump import Pump
from tests.seams import before_commit, colliding_transactions

ADMINISTRATOR = "504-9"
FIRE_2 = "NHS|CSTF|Fire Safety - 2 Years|"
TOMORROW = TODAY + timedelta(days=1)


pytestmark = pytest.mark.usefixtures("nothing_waits")


@pytest.fixture
def trust(api):
    b.trust()
    b.person(9, role="learning_administrator")
    return api


def body(competency=MOVING, target_kind="UNIT", target="surgery", **changes):
    return {"target_kind": target_kind, "target": target, "competency": competency, **changes}


def save(api, **changes):
    return api.post("/v1/requirements", body(**changes), as_=ADMINISTRATOR)


def listed(api, query=""):
    answer = api.get(f"/v1/requirements?{query}", as_=ADMINISTRATOR)
    assert answer.status_code == 200
    return [(each["target"], each["competency"]) for each in answer.json_body["requirements"]]


def take_back(api, starts_on, competency=MOVING, target="surgery"):
    query = f"target_kind=UNIT&target={target}&competency={quote(competency)}&starts_on={starts_on}"
    return api.delete(f"/v1/requirements?{query}", as_=ADMINISTRATOR)


def fields(answer):
    assert answer.status_code == 400
    return {each["field"] for each in answer.json_body["errors"]}


def rows_in(table):
    return boto3.client("dynamodb").scan(TableName=f"esr-learning-test-{table}", Select="COUNT")["Count"]


def colours(person):
    return {row.competency: row.colour for each in stored.snapshots_of(person, "504") for row in each.rows}


# --- saving -------------------------------------------------------------------------------------------------


def test_a_requirement_saved_counts_at_once_and_every_snapshot_follows(trust):
    pump = Pump()
    login = b.person(1)
    b.person(2, assignments=[b.assignment("2", unit="estates")])
    pump.run()
    answer = save(trust)
    assert answer.status_code == 200
    assert answer.json_body["requirement"] == {
        **body(),
        "target_name": "504 Division of Surgery",
        "title": "Moving and Handling - Level 2 - 2 Years",
        "minimum_level": 1,
        "starts_on": "2026-11-23",
        "ends_on": None,
    }
    rows = trust.get("/v1/me/compliance", as_=login).json_body["rows"]
    assert MOVING in {each["competency"] for each in rows}
    pump.run()
    job = trust.get(f"/v1/jobs/{answer.json_body['job_id']}", as_=ADMINISTRATOR).json_body
    assert job["state"] == "done"
    assert colours("p1") == {FIRE: Colour.RED, MOVING: Colour.RED}
    assert colours("p2") == {FIRE: Colour.RED}


def test_a_requirement_of_one_person_starts_no_job_and_they_are_judged_again(trust):
    pump = Pump()
    b.person(1)
    assert save(trust, target_kind="PERSON", target="p1").json_body["job_id"] is None
    pump.run()
    assert colours("p1") == {FIRE: Colour.RED, MOVING: Colour.RED}


def test_saving_what_is_so_already_writes_nothing(trust):
    save(trust)
    before = [rows_in(table) for table in ("records", "messages", "audit")], rules.versions_now("504")
    again = save(trust)
    assert again.status_code == 200
    assert again.json_body["job_id"] is None
    assert ([rows_in(table) for table in ("records", "messages", "audit")], rules.versions_now("504")) == before


def test_saving_again_changes_the_end_and_adds_nothing(trust):
    save(trust)
    assert save(trust, ends_on="2026-12-31").json_body["requirement"]["ends_on"] == "2026-12-31"
    assert len(listed(trust, "target_kind=UNIT&target=surgery")) == 1
    assert save(trust).json_body["requirement"]["ends_on"] is None


def started_in_january(**changes):
    """A requirement of ward 9 that began in January, saved through the service that sets up."""
    given = {"kind": TargetKind.UNIT, "target": "ward-9", "starts_on": date(2026, 1, 1)} | changes
    b.competence.require(b.SYSTEM, "504", [b.requirement(MOVING, **given)], NOW)


def save_again(api, **changes):
    return save(api, target="ward-9", starts_on="2026-01-01", **changes)


@pytest.mark.parametrize(
    ("ends_on", "wanted"),
    [
        (None, {"ends_on": "2026-02-28"}),
        (None, {"ends_on": "2026-11-21"}),
        (None, {"minimum_level": 2}),
        (None, {"minimum_level": 2, "ends_on": "2026-12-31"}),
        (date(2026, 6, 30), {}),
        (date(2026, 6, 30), {"ends_on": "2026-12-31"}),
    ],
)
def test_what_was_required_before_today_is_never_rewritten(trust, ends_on, wanted):
    b.competence.define_competencies(b.SYSTEM, "NHS", [replace(b.competency(MOVING), levels=("A", "B"))], NOW)
    started_in_january(ends_on=ends_on)
    before = rules.versions_now("504"), rules.rulebook("504").requirements
    answer = save_again(trust, **wanted)
    assert (answer.status_code, answer.json_body["type"].rpartition(":")[2]) == (409, "requirement-started")
    assert "begin another" in answer.json_body["way_out"]
    assert (rules.versions_now("504"), rules.rulebook("504").requirements) == before


@pytest.mark.parametrize("ends_on", ["2026-11-22", "2026-11-23", "2027-06-30"])
def test_a_requirement_that_has_started_ends_yesterday_at_the_earliest_and_another_begins(trust, ends_on):
    b.competence.define_competencies(b.SYSTEM, "NHS", [replace(b.competency(MOVING), levels=("A", "B"))], NOW)
    started_in_january()
    assert save_again(trust, ends_on=ends_on).json_body["requirement"]["ends_on"] == ends_on
    assert save(trust, target="ward-9", minimum_level=2).status_code == 200


def test_a_requirement_that_could_not_be_saved_today_can_be_ended(trust):
    b.competence.define_competencies(b.SYSTEM, "NHS", [replace(b.competency(MOVING), levels=("A", "B"))], NOW)
    started_in_january(level=2)
    b.competence.define_competencies(b.SYSTEM, "NHS", [b.competency(MOVING)], NOW)
    assert save_again(trust, minimum_level=2, ends_on=str(TODAY)).json_body["requirement"]["ends_on"] == str(TODAY)


def test_a_requirement_yet_to_start_changes_freely(trust):
    b.competence.define_competencies(b.SYSTEM, "NHS", [replace(b.competency(MOVING), levels=("A", "B"))], NOW)
    save(trust, starts_on=str(TOMORROW), ends_on="2027-06-30")
    changed = save(trust, starts_on=str(TOMORROW), ends_on=str(TOMORROW), minimum_level=2).json_body["requirement"]
    assert (changed["minimum_level"], changed["ends_on"]) == (2, str(TOMORROW))


def test_a_requirement_is_saved_once_however_transactions_collide(trust):
    with colliding_transactions(2):
        assert save(trust).status_code == 200
    assert listed(trust, "target_kind=UNIT&target=surgery") == [("surgery", MOVING)]


def test_a_rule_that_moved_meanwhile_is_judged_again(trust):
    withdrawn = b.Competency(**{**_fields_of(b.competency(INDUCTION)), "ends_on": TODAY - timedelta(days=1)})
    with before_commit(lambda: b.competence.define_competencies(b.SYSTEM, "504", [withdrawn], NOW)):
        answer = save(trust, competency=INDUCTION, target_kind="JOB", target="nurse")
    assert fields(answer) == {"body.competency"}


def _fields_of(competency):
    return {name: getattr(competency, name) for name in competency.__slots__}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"target": "ward-99"}, "body.target"),
        ({"target_kind": "ORG", "target": "505"}, "body.target"),
        ({"target_kind": "JOB", "target": "pilot"}, "body.target"),
        ({"target_kind": "PERSON", "target": "nobody"}, "body.target"),
        ({"target_kind": "PLANET"}, "body.target_kind"),
        ({"target": "a#b"}, "body.target"),
        ({"competency": "NHS|CSTF|Nothing|"}, "body.competency"),
        ({"competency": "a#b"}, "body.competency"),
        ({"minimum_level": 2}, "body.minimum_level"),
        ({"minimum_level": 0}, "body.minimum_level"),
        ({"ends_on": "2026-11-22"}, "body.ends_on"),
        ({"ends_on": "9999-12-31"}, "body.ends_on"),
        ({"starts_on": "0001-01-01"}, "body.starts_on"),
        ({"starts_on": "2026-02-29"}, "body.starts_on"),
    ],
)
def test_what_cannot_be_required_is_refused_by_field_and_changes_nothing(trust, changes, field):
    version = rules.versions_now("504")
    assert fields(save(trust, **changes)) == {field}
    assert rules.versions_now("504") == version


def test_two_periods_of_one_subject_are_saved_with_a_warning(trust):
    b.competence.define_competencies(b.SYSTEM, "NHS", [b.competency(FIRE_2)], NOW)
    (warning,) = save(trust, competency=FIRE_2).json_body["warnings"]
    assert warning["sentence"] == (
        "Fire Safety - 1 Year is required too, of Demonstration Trust since Wednesday 1 January 2020: "
        "whoever is under both has to hold both."
    )
    assert warning["requirement"]["competency"] == FIRE


# --- listing ------------------------------------------------------------------------------------------------


def test_requirements_are_listed_by_target_competency_and_day(trust):
    save(trust, starts_on="2026-12-01")
    save(trust, competency=INDUCTION, target_kind="JOB", target="nurse", ends_on="2026-11-30")
    assert len(listed(trust)) == 3
    assert listed(trust, "target_kind=UNIT&target=surgery") == [("surgery", MOVING)]
    assert listed(trust, f"competency={quote(INDUCTION)}") == [("nurse", INDUCTION)]
    assert listed(trust, "on=2026-11-30") == [("nurse", INDUCTION), ("504", FIRE)]
    assert listed(trust, "on=2026-12-01") == [("504", FIRE), ("surgery", MOVING)]


def test_a_list_goes_on_where_it_stopped_even_if_something_was_added_before(trust):
    save(trust)
    first = trust.get("/v1/requirements?limit=1", as_=ADMINISTRATOR).json_body
    save(trust, competency=INDUCTION, target_kind="JOB", target="nurse")
    following = trust.get(f"/v1/requirements?limit=1&cursor={first['next_cursor']}", as_=ADMINISTRATOR).json_body
    assert [first["requirements"][0]["target"], following["requirements"][0]["target"]] == ["504", "surgery"]
    assert following["next_cursor"] is None


def test_half_a_target_is_refused(trust):
    assert fields(trust.get("/v1/requirements?target=surgery", as_=ADMINISTRATOR)) == {"query.target_kind"}
    assert fields(trust.get("/v1/requirements?target_kind=UNIT", as_=ADMINISTRATOR)) == {"query.target"}


# --- taking back --------------------------------------------------------------------------------------------


def test_a_requirement_is_taken_back_before_it_starts(trust):
    save(trust, starts_on=str(TOMORROW))
    answer = take_back(trust, TOMORROW)
    assert answer.status_code == 200
    assert answer.json_body["job_id"]
    assert listed(trust) == [("504", FIRE)]
    assert take_back(trust, TOMORROW).status_code == 404


def test_a_requirement_that_has_started_is_ended_instead(trust):
    save(trust)
    answer = take_back(trust, TODAY)
    assert (answer.status_code, answer.json_body["type"].rpartition(":")[2]) == (409, "requirement-started")
    assert "ends_on" in answer.json_body["way_out"]
    assert len(listed(trust)) == 2
