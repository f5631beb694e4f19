"""Who can find an item, by its rules or by rules that are tried."""

from datetime import date

import pytest

from chalicelib.domain.catalogue import CourseStatus
from chalicelib.services import learner_access, snapshot_walk
from chalicelib.services.projection import project
from tests import builders as b
from tests.builders import NOW
from tests.learner_access import (
    ADMINISTRATOR,
    AGENCY,
    CLASSES,
    ESTATES,
    NURSE,
    PORTER,
    fields,
    position,
    put_rules,
    rule,
    small_trust,
)


@pytest.fixture
def trust(api):
    small_trust()
    for number in (1, 2, 3, 8, 9):
        project(f"p{number}", "504", NOW)
    return api


def known(number, **changes):
    """Somebody registered and projected."""
    b.person(number, **changes)
    project(f"p{number}", "504", NOW)


def audience(api, query="", item="courses/504-fire", as_=ADMINISTRATOR, **body):
    return api.post(f"/v1/{item}/audience?{query}", body, as_=as_)


def everybody(api, limit=20, **body):
    """Person and mode of all pages, and the counts by unit added up."""
    found, units, cursor = [], {}, ""
    while True:
        page = audience(api, f"limit={limit}{cursor}", **body).json_body
        assert len(page["people"]) <= limit
        found += [(each["person_id"], each["mode"]) for each in page["people"]]
        for each in page["by_unit"]:
            units[each["unit"]] = units.get(each["unit"], 0) + each["learners"]
        if page["next_cursor"] is None:
            return sorted(found), units
        cursor = f"&cursor={page['next_cursor']}"


def test_those_who_find_a_course_are_told_by_name_and_counted_by_unit(trust):
    put_rules(trust, rule(ESTATES), rule({"kind": "LGR", "id": "agency"}, mode="approval"))
    page = audience(trust).json_body
    assert page["by_unit"] == [
        {"unit": "estates", "name": "504 Estates", "learners": 1},
        {"unit": None, "name": None, "learners": 1},
    ]
    assert page["people"][0] == {
        "person_id": "p2",
        "name": "Sam Testfold2",
        "employee_number": "20000002",
        "assignment": "2",
        "unit": "estates",
        "mode": "self-enrol",
        "rule": "01",
        "again": False,
    }
    assert page["learners"] == 2
    assert everybody(trust) == everybody(trust, limit=1) == (
        [("p2", "self-enrol"), ("p3", "approval")], {"estates": 1, None: 1},
    )  # fmt: skip


def test_rules_are_tried_without_saving_them_and_agree_with_what_people_then_find(trust):
    tried = {
        "nobody": [rule({"kind": "PERSON", "id": "p3"}, ESTATES)],
        "default": [],
        "position": [rule(position("nurse-9"), mode="approval")],
        "person": [rule({"kind": "PERSON", "id": "p2"})],
        "people": [rule({"kind": "PERSON", "id": "p2"}), rule({"kind": "PERSON", "id": "p1"})],
        "units": [rule({"kind": "UNIT", "id": "surgery"}), rule({"kind": "UNIT", "id": "ward-9"}, mode="approval")],
        "unit alone": [rule({"kind": "UNIT", "id": "surgery"}, include_below=False)],
        "over": [rule(ends_on="2026-11-22")],
        "mixed": [rule(ESTATES), rule({"kind": "JOB", "id": "nurse"}, mode="approval")],
    }
    people = {"p1": NURSE, "p2": PORTER, "p3": AGENCY}
    for revision, (name, given) in enumerate(tried.items(), 1):
        found, _ = everybody(trust, rules=given)
        assert put_rules(trust, *given, revision=revision).status_code == 200
        sees = {
            person
            for person, login in people.items()
            if trust.get("/v1/courses/504-fire", as_=login).status_code == 200
        }
        assert {person for person, _ in found} & people.keys() == sees, name
        assert everybody(trust) == everybody(trust, rules=given)


def test_on_a_day_ahead_people_are_looked_at_as_they_will_stand(trust):
    moves = [b.assignment("6", unit="ward-9", ends_on=date(2026, 12, 31))]
    moves.append(b.assignment("6", unit="estates", starts_on=date(2027, 1, 1)))
    known(6, assignments=moves)
    given = [rule(ESTATES)]
    assert [person for person, _ in everybody(trust, rules=given)[0]] == ["p2"]
    assert [person for person, _ in everybody(trust, rules=given, on="2027-01-01")[0]] == ["p2", "p6"]
    assert everybody(trust, rules=[rule(ESTATES, starts_on="2027-01-01")])[0] == []


def test_somebody_with_two_assignments_is_counted_once_in_a_unit(trust):
    known(6, assignments=[b.assignment("6", unit="estates"), b.assignment("6-2", unit="estates", primary=False)])
    assert everybody(trust, rules=[rule({"kind": "PERSON", "id": "p6"})])[1] == {"estates": 1}


def test_somebody_in_two_units_is_one_learner_through_whichever_assignment_they_find_it(trust):
    in_both = {"job": "nurse", "position": "nurse-9"}
    known(
        6,
        assignments=[
            b.assignment("6", unit="ward-9", **in_both),
            b.assignment("6-2", unit="estates", primary=False, **in_both),
            b.assignment("6-3", unit="ward-10", primary=False, **in_both),
        ],
    )
    me = {"kind": "PERSON", "id": "p6"}
    on_wards, in_estates = rule(me, {"kind": "UNIT", "id": "surgery"}, mode="approval"), rule(me, ESTATES)
    for given, listed in (
        ([on_wards, in_estates], {"6": False, "6-2": True, "6-3": True}),
        ([in_estates, rule(me, {"kind": "UNIT", "id": "ward-10"})], {"6-2": False, "6-3": True}),
        ([in_estates], {"6-2": False}),
    ):
        pages = []
        cursor = ""
        while cursor is not None:
            pages.append(audience(trust, f"limit=1{cursor}", rules=given).json_body)
            cursor = pages[-1]["next_cursor"] and f"&cursor={pages[-1]['next_cursor']}"
        assert {each["assignment"]: each["again"] for page in pages for each in page["people"]} == listed
        assert sum(page["learners"] for page in pages) == 1
        assert audience(trust, "people=false", rules=given).json_body["learners"] == 1


def test_an_assignment_still_to_come_lets_nobody_in_before_its_day(trust):
    known(6, assignments=[b.assignment("6", unit="estates", starts_on=date(2027, 1, 1))])
    assert [person for person, _ in everybody(trust, rules=[])[0]].count("p6") == 1
    assert [person for person, _ in everybody(trust, rules=[], on="2027-01-01")[0]].count("p6") == 1


def test_counting_alone_lists_nobody_and_looks_further_in_one_request(trust, monkeypatch):
    monkeypatch.setattr(snapshot_walk, "MOST_SNAPSHOTS", 1)
    assert audience(trust).json_body["next_cursor"] is not None
    counted = audience(trust, "people=false").json_body
    assert (counted["people"], counted["next_cursor"]) == ([], None)
    assert {each["unit"]: each["learners"] for each in counted["by_unit"]} == everybody(trust)[1]
    monkeypatch.setattr(learner_access, "MOST_COUNTED", 1)
    assert audience(trust, "people=false").json_body["next_cursor"] is not None


def test_a_cursor_holds_for_the_same_question_only(trust):
    cursor = audience(trust, "limit=1").json_body["next_cursor"]
    for query, body in (("", {"rules": []}), ("", {"on": "2026-12-01"}), ("people=false&", {})):
        assert fields(audience(trust, f"{query}cursor={cursor}", **body)) == (400, ["query.cursor"])


def test_a_question_that_cannot_be_is_refused_by_field(trust):
    assert fields(audience(trust, rules=[rule({"kind": "UNIT", "id": "moon"})])) == (
        400,
        ["body.rules[0].targets[0].id"],
    )
    assert fields(audience(trust, on="2026-11-22")) == (400, ["body.on"])
    assert fields(audience(trust, on="9999-12-31")) == (400, ["body.on"])
    assert audience(trust, item="courses/504-moon").status_code == 404
    assert audience(trust, item="learning-paths/504-week").json_body["people"] != []
    assert audience(trust, as_=CLASSES).status_code == 403


def test_a_draft_may_be_tried_before_it_is_live(trust):
    b.offered(course_id="504-draft", title="Draft", status=CourseStatus.DRAFT, rules=())
    assert {each["person_id"] for each in audience(trust, item="courses/504-draft").json_body["people"]} >= {"p1", "p2"}
