"""Learner access over HTTP: set by administrators, explained, and its effect on what a learner finds."""

from datetime import date

import pytest

from chalicelib.domain.catalogue import CourseStatus
from chalicelib.storage import catalogue as stored
from chalicelib.storage import keys
from chalicelib.storage.audit import AuditRow
from tests import builders as b
from tests.builders import MOVING, NOW
from tests.learner_access import (
    ADMINISTRATOR,
    AGENCY,
    CLASSES,
    ESTATES,
    NURSE,
    PORTER,
    advanced,
    fields,
    needs,
    position,
    problem,
    put_before,
    put_rules,
    rule,
    small_trust,
)
from tests.seams import before_commit, colliding_transactions


@pytest.fixture
def trust(api):
    small_trust()
    return api


def test_restricted_to_one_position_a_course_vanishes_from_everybody_else(trust):
    answer = put_rules(trust, rule(position("nurse-9")))
    assert answer.json_body == {
        "id": "504-fire",
        "revision": 2,
        "rules": [
            {
                "id": "01",
                "mode": "self-enrol",
                "targets": [{"kind": "POS", "id": "nurse-9", "name": "Staff Nurse, Ward 9"}],
                "include_below": True,
                "starts_on": None,
                "ends_on": None,
            }
        ],
    }
    assert trust.get("/v1/courses/504-fire/access-rules", as_=ADMINISTRATOR).json_body == answer.json_body
    for path in ("courses/504-fire", "classes/504-c1"):
        assert trust.get(f"/v1/{path}", as_=NURSE).status_code == 200
        assert trust.get(f"/v1/{path}", as_=PORTER).status_code == 404
    assert trust.get("/v1/courses", as_=PORTER).json_body["total"] == 1
    (section,) = trust.get("/v1/learning-paths/504-week", as_=PORTER).json_body["sections"]
    assert section["courses"] == []
    assert trust.post("/v1/me/enrolments", {"class_id": "504-c1"}, as_=PORTER).status_code == 404
    assert trust.post("/v1/me/enrolments", {"class_id": "504-c1"}, as_=NURSE).status_code == 201


def test_a_learning_path_has_rules_of_its_own_that_open_none_of_its_courses(trust):
    put_rules(trust, rule(ESTATES))
    put_rules(trust, rule(), item="learning-paths/504-week")
    assert trust.get("/v1/learning-paths/504-week/access-rules", as_=ADMINISTRATOR).json_body["revision"] == 2
    (section,) = trust.get("/v1/learning-paths/504-week", as_=NURSE).json_body["sections"]
    assert section["courses"] == []
    put_rules(trust, rule(ESTATES), revision=2, item="learning-paths/504-week")
    assert trust.get("/v1/learning-paths/504-week", as_=NURSE).status_code == 404
    assert trust.get("/v1/learning-paths/504-week", as_=PORTER).status_code == 200


def test_fewer_rules_leave_nothing_of_those_before_and_the_same_change_nothing(trust):
    put_rules(trust, rule(ESTATES), rule(position("nurse-9")), rule({"kind": "PERSON", "id": "p1"}))
    assert put_rules(trust, rule(ESTATES), revision=2).json_body["revision"] == 3
    assert put_rules(trust, rule(ESTATES), revision=3).json_body["revision"] == 3
    rows = stored.AccessRuleRow.query(keys.courses("504"), stored.AccessRuleRow.sk.startswith("504-fire#ACC"))
    assert len(list(rows)) == 1
    assert put_rules(trust, revision=3).json_body["rules"] == []
    assert trust.get("/v1/courses/504-fire", as_=NURSE).json_body["access"] == "You need your manager's approval."


def test_people_are_named_to_administrators_and_never_in_the_audit(trust, logged):
    put_rules(trust, rule({"kind": "PERSON", "id": "p2"}))
    shown = trust.get("/v1/courses/504-fire/access-rules", as_=ADMINISTRATOR).json_body["rules"][0]["targets"]
    assert shown == [{"kind": "PERSON", "id": "p2", "name": "Sam Testfold2"}]
    (entry,) = [each for each in AuditRow.scan() if each.action == "access.changed"]
    assert (entry.actor, entry.facts["id"], entry.facts["after"]["revision"]) == ("p9", "504-fire", 2)
    assert "Testfold" not in str(entry.facts) + logged()


def test_of_two_administrators_the_second_is_told_with_both_versions(trust):
    put_rules(trust, rule(ESTATES))
    answer = put_rules(trust, rule(position("nurse-9")))
    assert problem(answer) == (409, "outdated")
    facts = answer.json_body["facts"]
    assert facts["current"]["revision"] == 2
    assert facts["current"]["rules"][0]["targets"] == [ESTATES]
    assert facts["yours"]["rules"][0]["targets"] == [position("nurse-9")]
    assert trust.get("/v1/courses/504-fire/access-rules", as_=ADMINISTRATOR).json_body["revision"] == 2


def test_of_two_at_the_same_moment_one_is_told_too_and_a_collision_is_tried_again(trust):
    with before_commit(lambda: put_rules(trust, rule(ESTATES))):
        answer = put_rules(trust, rule(position("nurse-9")))
    assert problem(answer) == (409, "outdated")
    with colliding_transactions(2):
        assert put_rules(trust, revision=2).status_code == 200


def test_every_wrong_field_is_named_and_nothing_changes(trust):
    twice = rule({"kind": "JOB", "id": "nurse"}, {"kind": "JOB", "id": "nurse"})
    nowhere = rule({"kind": "UNIT", "id": "moon"}, {"kind": "PERSON", "id": "p99"}, {"kind": "ORG", "id": "505"})
    dates = rule(starts_on="2026-12-02", ends_on="2026-12-01")
    assert fields(put_rules(trust, twice, nowhere, dates, rule(starts_on="1492-01-01"))) == (
        400,
        [
            "body.rules[0].targets",
            "body.rules[1].targets[0].id",
            "body.rules[1].targets[2].id",
            "body.rules[2].ends_on",
            "body.rules[3].starts_on",
            "body.rules[1].targets[1].id",
        ],
    )
    for given, field in (
        ({"mode": "king"}, "body.rules[0].mode"),
        ({"mode": "approval", "targets": [{"kind": "MOON", "id": "x"}]}, "body.rules[0].targets[0].kind"),
        ({"mode": "approval", "targets": [{"kind": "JOB", "id": "a#b"}]}, "body.rules[0].targets[0].id"),
        ({"mode": "approval", "targets": [ESTATES] * 7}, "body.rules[0].targets"),
        ({"mode": "approval", "starts_on": "soon"}, "body.rules[0].starts_on"),
        ({"mode": "approval", "colour": "red"}, "body.rules[0].colour"),
    ):
        assert fields(put_rules(trust, given)) == (400, [field]), given
    assert fields(put_rules(trust, *[rule()] * 21)) == (400, ["body.rules"])
    assert fields(put_rules(trust, rule(), revision=0)) == (400, ["body.revision"])
    assert trust.get("/v1/courses/504-fire/access-rules", as_=ADMINISTRATOR).json_body["revision"] == 1


def test_two_units_in_one_rule_must_hold_an_assignment_together(trust):
    ward, other, surgery = ({"kind": "UNIT", "id": each} for each in ("ward-9", "ward-10", "surgery"))
    assert fields(put_rules(trust, rule(ward, other))) == (400, ["body.rules[0].targets"])
    assert fields(put_rules(trust, rule(ward, surgery, include_below=False))) == (400, ["body.rules[0].targets"])
    assert put_rules(trust, rule(ward, surgery), rule(ward, include_below=False)).status_code == 200
    assert trust.get("/v1/courses/504-fire", as_=NURSE).status_code == 200


def test_national_items_are_set_by_the_nation_alone_and_restricted_to_employers(trust):
    b.offered(course_id="NHS-moving", title="Moving", grants=(MOVING,))
    assert problem(put_rules(trust, rule(), item="courses/NHS-moving")) == (403, "not-your-item")
    assert problem(put_before(trust, course="NHS-moving")) == (403, "not-your-item")
    assert trust.get("/v1/courses/NHS-moving/access-rules", as_=ADMINISTRATOR).status_code == 200
    b.person(7, employer="505")
    b.grant("p7", "national_administrator", "NHS")
    body = {
        "rules": [rule({"kind": "ORG", "id": "504"}), rule({"kind": "ORG", "id": "999"}), rule(ESTATES)],
        "revision": 1,
    }
    nation = {"as_": "505-7"}
    refused = trust.call("PUT", "/v1/courses/NHS-moving/access-rules?employer=NHS", body=body, **nation)
    assert fields(refused) == (400, ["body.rules[1].targets[0].id", "body.rules[2].targets[0].id"])
    body["rules"] = body["rules"][:1]
    assert trust.call("PUT", "/v1/courses/NHS-moving/access-rules?employer=NHS", body=body, **nation).status_code == 200
    assert trust.get("/v1/courses/NHS-moving", as_=NURSE).status_code == 200
    assert (
        trust.get("/v1/courses/NHS-moving?employer=505", as_="505-7").json_body["access"].startswith("You see this as")
    )
    b.person(6, employer="505")
    assert trust.get("/v1/courses/NHS-moving", as_="505-6").status_code == 404
    assert trust.call("PUT", "/v1/courses/504-fire/access-rules?employer=NHS", body=body, **nation).status_code == 404


def test_what_there_is_not_is_not_found(trust):
    for item in ("courses/504-moon", "courses/505-fire", "courses/504-week", "learning-paths/504-fire"):
        assert put_rules(trust, item=item).status_code == 404
        assert trust.get(f"/v1/{item}/access-rules", as_=ADMINISTRATOR).status_code == 404
    assert put_before(trust, course="504-moon").status_code == 404


# --- why ----------------------------------------------------------------------------------------------------


def why(api, person="p1", query="", item="courses/504-fire", as_=ADMINISTRATOR):
    return api.get(f"/v1/{item}/access?person_id={person}{query}", as_=as_)


def test_why_somebody_can_and_another_cannot_is_told_target_by_target(trust):
    put_rules(trust, rule(ESTATES, {"kind": "JOB", "id": "nurse"}, mode="approval"), rule(position("nurse-9")))
    nurse, porter = why(trust).json_body, why(trust, "p2").json_body
    assert nurse["why"] == "They find it and may enrol themselves: rule 02 is met through assignment 1."
    assert (nurse["visible"], nurse["mode"], nurse["rule"], nurse["assignment"]) == (True, "self-enrol", "02", "1")
    assert (porter["visible"], porter["mode"]) == (False, None)
    assert porter["why"] == "They cannot find it: they meet none of its 2 rules."
    assert porter["rules"][0] == {
        "rule": "01",
        "mode": "approval",
        "assignment": "2",
        "unit": "estates",
        "unit_name": "504 Estates",
        "in_force": True,
        "open_to_unit": True,
        "targets": [
            {"kind": "UNIT", "id": "estates", "name": "504 Estates", "met": True},
            {"kind": "JOB", "id": "nurse", "name": "Staff Nurse", "met": False},
        ],
        "met": False,
    }


def test_each_reason_has_its_sentence(trust):
    b.classes.add_class(b.SYSTEM, b.class_("504-c2", only_units=("estates",)), NOW)
    b.offered(course_id="504-open", title="Open", rules=())
    b.offered(course_id="504-draft", title="Draft", status=CourseStatus.DRAFT)
    b.offered(course_id="504-coming", title="Coming", starts_on=date(2026, 11, 24))
    b.offered(course_id="504-past", title="Past", ends_on=date(2026, 11, 22))
    said = {
        "They find it and may enrol with their manager's approval: it has no rules.": why(
            trust, item="courses/504-open"
        ),
        "They cannot find it: it is draft.": why(trust, item="courses/504-draft"),
        "They cannot find it: it is offered from Tuesday 24 November 2026 on.": why(trust, item="courses/504-coming"),
        "They cannot find it: it was offered until Sunday 22 November 2026.": why(trust, item="courses/504-past"),
        "They cannot find it: the class is open to other units only.": why(trust, query="&class_id=504-c2"),
        "They find it because learning and class administrators see every item.": why(trust, "p8"),
        "They find it and may enrol themselves: rule 01 is met.": why(trust, "p3"),
    }
    assert {sentence: answer.json_body["why"] for sentence, answer in said.items()} == {each: each for each in said}
    put_rules(trust, rule(position("nurse-9")))
    assert why(trust, "p2", "&class_id=504-c2").json_body["why"] == (
        "They cannot find it: they meet none of its 1 rules through a unit the class is open to."
    )


def test_an_explanation_agrees_with_what_the_person_finds(trust):
    put_rules(trust, rule({"kind": "LGR", "id": "agency"}, mode="administrator only"))
    for person, login in (("p1", NURSE), ("p2", PORTER), ("p3", AGENCY), ("p9", ADMINISTRATOR)):
        found = trust.get("/v1/courses/504-fire", as_=login).status_code == 200
        assert why(trust, person).json_body["visible"] is found, person


def test_whoever_is_on_a_class_finds_it_and_the_explanation_says_so(trust):
    b.person(4, enrolments=[b.enrolment(person="p4")])
    put_rules(trust, rule(ESTATES))
    found = why(trust, "p4", "&class_id=504-c1").json_body
    assert (found["visible"], found["mode"]) == (True, None)
    assert found["why"] == (
        "They find it because they are on the class or instruct it; else not: they meet none of its 1 rules."
    )
    assert not why(trust, "p4").json_body["visible"]


def test_an_explanation_shows_the_prerequisites_as_that_person_meets_them(trust):
    advanced(trust, needs())
    b.person(4, awards=[b.award_expiring(date(2026, 11, 30))])
    today = why(trust, "p4", item="courses/504-advanced").json_body["prerequisites"]
    then = why(trust, "p4", "&class_id=504-c7", item="courses/504-advanced").json_body["prerequisites"]
    assert ([each["met"] for each in today], [each["met"] for each in then]) == ([True], [False])


def test_class_administrators_ask_within_their_subjects_and_nobody_asks_about_strangers(trust):
    assert why(trust, as_=CLASSES).status_code == 200
    assert why(trust, item="learning-paths/504-week", as_=CLASSES).status_code == 404  # of another subject
    assert why(trust, item="learning-paths/504-week").json_body["visible"]
    b.person(7, employer="505")
    for person, query in (("p7", ""), ("p99", ""), ("p1", "&class_id=504-moon"), ("p1", "&class_id=NHS-c1")):
        assert why(trust, person, query).status_code == 404, person
    b.offered(b.class_("504-other", course="504-open"), course_id="504-open", title="Open")
    assert why(trust, query="&class_id=504-other").status_code == 404
    assert why(trust, as_=NURSE).status_code == 403
