"""Prerequisites over HTTP: seen, not enrollable without them, and never in a circle."""

from datetime import date

import pytest

from chalicelib.domain.catalogue import CourseStatus, Prerequisite, PrerequisiteKind
from chalicelib.domain.enrolment import Status
from chalicelib.storage import catalogue as stored
from tests import builders as b
from tests.builders import FIRE, INDUCTION, MOVING
from tests.learner_access import (
    ADMINISTRATOR,
    ESTATES,
    NURSE,
    advanced,
    fields,
    keep,
    needs,
    problem,
    put_before,
    put_rules,
    rule,
    small_trust,
)
from tests.seams import before_commit


@pytest.fixture
def trust(api):
    small_trust()
    return api


def test_without_what_comes_before_a_course_is_seen_and_says_what_to_do_first(trust):
    answer = advanced(trust, needs(), {"kind": "course", "id": "504-fire", "mandatory": False})
    assert [(each["name"], each["courses"]) for each in answer.json_body["prerequisites"]] == [
        ("Fire Safety - 1 Year", [{"id": "504-fire", "title": "Fire Safety"}]),
        ("Fire Safety", [{"id": "504-fire", "title": "Fire Safety"}]),
    ]
    assert trust.get("/v1/courses/504-advanced/prerequisites", as_=ADMINISTRATOR).json_body == answer.json_body
    shown = trust.get("/v1/courses/504-advanced", as_=NURSE).json_body["prerequisites"]
    assert [(each["id"], each["mandatory"], each["met"]) for each in shown] == [
        (FIRE, True, False),
        ("504-fire", False, False),
    ]
    may_enrol = trust.get("/v1/classes/504-c7", as_=NURSE).json_body["may_enrol"]
    assert may_enrol["why_not"]["type"].endswith("prerequisite-missing")
    assert may_enrol["why_not"]["way_out"] == "Do first: Fire Safety."
    refused = trust.post("/v1/me/enrolments", {"class_id": "504-c7"}, as_=NURSE)
    assert problem(refused) == (409, "prerequisite-missing")
    assert refused.json_body["facts"]["missing"][0]["courses"] == [{"id": "504-fire", "title": "Fire Safety"}]


def test_what_counts_is_the_day_the_class_starts(trust):
    advanced(trust, needs())
    b.person(4, awards=[b.award_expiring(date(2026, 11, 30))])
    b.person(5, awards=[b.award_expiring(date(2026, 12, 1))])
    assert trust.get("/v1/courses/504-advanced", as_="504-4").json_body["prerequisites"][0]["met"]  # today it still is
    assert not trust.get("/v1/classes/504-c7", as_="504-4").json_body["prerequisites"][0]["met"]
    assert problem(trust.post("/v1/me/enrolments", {"class_id": "504-c7"}, as_="504-4"))[0] == 409
    assert trust.post("/v1/me/enrolments", {"class_id": "504-c7"}, as_="504-5").status_code == 201


def test_advice_warns_until_it_is_followed(trust):
    advanced(trust, {"kind": "course", "id": "504-fire", "mandatory": False})
    may_enrol = trust.get("/v1/classes/504-c7", as_=NURSE).json_body["may_enrol"]
    assert (may_enrol["allowed"], [each["id"] for each in may_enrol["warnings"]]) == (True, ["504-fire"])
    b.person(4, enrolments=[b.enrolment(Status.COMPLETED, person="p4", at=b.e_learning())])
    assert trust.get("/v1/classes/504-c7", as_="504-4").json_body["may_enrol"]["warnings"] == []


def test_what_a_learner_cannot_find_is_no_advice_and_is_not_named(trust):
    advanced(trust, needs(), {"kind": "course", "id": "504-fire"})
    put_rules(trust, rule(ESTATES))
    answer = trust.get("/v1/courses/504-advanced", as_=NURSE).json_body["prerequisites"]
    assert [(each["id"], each["name"], each["courses"]) for each in answer] == [
        (FIRE, "Fire Safety - 1 Year", []),
        (None, None, []),
    ]
    refused = trust.post("/v1/me/enrolments", {"class_id": "504-c7"}, as_=NURSE)
    assert "504-fire" not in refused.body.decode()
    assert refused.json_body["way_out"].startswith("Ask the learning team")


def test_a_cycle_is_refused_with_its_chain_and_nothing_changes(trust):
    advanced(trust, needs())
    answer = put_before(trust, {"kind": "course", "id": "504-advanced"})
    assert problem(answer) == (409, "prerequisite-cycle")
    assert answer.json_body["facts"]["chain"] == ["504-advanced", "504-fire", "504-advanced"]
    assert trust.get("/v1/courses/504-fire", as_=NURSE).json_body["prerequisites"] == []


def test_a_course_that_a_national_change_has_locked_says_so_and_can_be_freed(trust):
    b.offered(course_id="NHS-moving", title="Moving", grants=(MOVING,))
    assert put_before(trust, needs(MOVING)).json_body["can_be_begun"]
    national = b.course(
        "NHS-moving", "Moving", (MOVING,), prerequisites=(Prerequisite(PrerequisiteKind.COMPETENCY, FIRE),)
    )
    keep(stored.CourseRow.of(national), owner="NHS")
    assert not trust.get("/v1/courses/504-fire/prerequisites", as_=ADMINISTRATOR).json_body["can_be_begun"]
    assert put_before(trust, revision=2).json_body["can_be_begun"]


def test_a_course_that_nobody_can_begin_any_more_says_so_and_asks_for_no_draft(trust):
    before = {"kind": "course", "id": "504-fire"}
    assert advanced(trust, before).json_body["can_be_begun"]
    keep(stored.CourseRow.of(b.course(status=CourseStatus.WITHDRAWN)))
    assert not trust.get("/v1/courses/504-advanced/prerequisites", as_=ADMINISTRATOR).json_body["can_be_begun"]
    keep(stored.CourseRow.of(b.course(status=CourseStatus.DRAFT)))
    again = put_before(trust, before, needs(MOVING), course="504-advanced", revision=2)
    assert fields(again) == (400, ["body.prerequisites[0].id"])


def test_a_draft_that_asks_for_a_draft_becomes_live_after_it(trust):
    keep(stored.CourseRow.of(b.course(status=CourseStatus.DRAFT)))
    draft = advanced(trust, {"kind": "course", "id": "504-fire"}, status=CourseStatus.DRAFT).json_body

    def publish(course, revision):
        return trust.call(
            "PATCH", f"/v1/courses/{course}", body={"revision": revision, "status": "live"}, as_=ADMINISTRATOR
        )

    assert fields(publish("504-advanced", draft["revision"])) == (400, ["body.prerequisites[0].id"])
    assert publish("504-fire", 1).status_code == 200
    assert publish("504-advanced", draft["revision"]).status_code == 200


def test_a_national_draft_that_a_course_asks_for_lets_nobody_begin(trust):
    """An employer does not know the nation's drafts: it is not named, and it is achieved nowhere else."""
    b.offered(course_id="NHS-base", title="Base", status=CourseStatus.DRAFT)
    before = Prerequisite(PrerequisiteKind.COURSE, "NHS-base")
    b.offered(course_id="NHS-top", title="Top", prerequisites=(before,))
    assert not trust.get("/v1/courses/NHS-top/prerequisites", as_=ADMINISTRATOR).json_body["can_be_begun"]


def test_two_changes_at_once_close_no_cycle_between_them(trust):
    advanced(trust)
    with before_commit(lambda: put_before(trust, needs(), course="504-advanced")):
        answer = put_before(trust, {"kind": "course", "id": "504-advanced"})
    assert problem(answer) == (409, "prerequisite-cycle")


def test_wrong_prerequisites_are_named_and_outdated_ones_shown(trust):
    assert fields(put_before(trust, needs("Juggling"), needs(level=2), {"kind": "course", "id": "504-fire"})) == (
        400,
        ["body.prerequisites[0].id", "body.prerequisites[1].level", "body.prerequisites[2].id"],
    )
    assert fields(put_before(trust, needs(level=0), needs(kind="moon"))) == (
        400,
        ["body.prerequisites[0].level", "body.prerequisites[1].kind"],
    )
    put_before(trust, needs(MOVING))
    answer = put_before(trust, needs(INDUCTION))
    assert problem(answer) == (409, "outdated")
    assert answer.json_body["facts"]["current"]["prerequisites"][0]["id"] == MOVING
