"""Arranging over HTTP: why somebody was, or was not, booked; trying it; switching it on; which courses take part."""

import pytest

from chalicelib.domain.access import AccessMode, AccessRule
from chalicelib.domain.requirements import Target, TargetKind
from chalicelib.services import competence, takeover
from tests import builders as b
from tests.builders import FIRE, MOVING, NOW, SYSTEM
from tests.pump import Pump

LEARNER, MANAGER, ADMINISTRATOR = "504-1", "504-2", "504-9"
SETTING = "/v1/settings/auto-enrolment"
NOTHING_ELSE = {"first_for": None, "certification_id": None}
ELSEWHERE = (AccessRule("1", AccessMode.SELF_ENROL, (Target(TargetKind.UNIT, "estates"),)),)


@pytest.fixture
def trust(api, nothing_waits):
    """One who is due, their manager and an administrator, who are not; a course that arranges itself, and others that do not."""
    b.trust()
    api.pump = Pump()
    b.offered(b.e_learning(), auto_enrol=True)
    b.offered(b.e_learning("504-e2", "504-by-hand"), course_id="504-by-hand", title="Fire by Hand")
    b.offered(course_id="504-estates", title="Fire in Estates", auto_enrol=True, rules=ELSEWHERE)
    b.person(2, awards=[b.award()])
    b.person(9, awards=[b.award()], role="learning_administrator")
    b.person(1, assignments=[b.assignment(supervisor="p2")])
    api.pump.run()
    return api


def switch(api, on=True, **more):
    answer = api.call("PUT", SETTING, body={"on": on, **more}, as_=ADMINISTRATOR)
    api.pump.run()
    return answer


def why(api, person=None, as_=LEARNER):
    answer = api.get(f"/v1/people/{person}/auto-enrolment" if person else "/v1/me/auto-enrolment", as_=as_)
    assert answer.status_code == 200, answer.json_body
    return answer.json_body


def considered(row):
    return {each["id"]: each["struck_out"] for each in row["candidates"]}


def dry_run(api, query="", as_=ADMINISTRATOR, **body):
    return api.post(f"/v1/auto-enrolment/dry-run{query}", body, as_=as_)


def test_before_it_is_switched_on_one_reads_that_and_what_would_be(trust):
    found = why(trust)
    assert found["left_out"] == "switched off"
    (row,) = found["requirements"]
    assert (row["state"], row["decision"], row["enrolment_id"]) == ("due", None, None)
    assert row["now"] == {"outcome": "booked", "course_id": "504-fire", "class_id": "504-e1", **NOTHING_ELSE}


def test_once_it_is_on_they_are_booked_and_read_what_was_decided(trust):
    answer = switch(trust)
    assert (answer.status_code, answer.json_body["on"], answer.json_body["applicants"]) == (200, True, False)
    assert trust.get(f"/v1/jobs/{answer.json_body['job_id']}", as_=ADMINISTRATOR).json_body["state"] == "done"
    found = why(trust)
    (row,) = found["requirements"]
    assert (found["left_out"], row["state"], row["enrolment_id"], row["now"]) == (None, "under way", "504-e1~1", None)
    assert row["decision"] == {
        "outcome": "booked",
        "attempt": 1,
        "decided_on": "2026-11-23",
        "next_try_on": None,
        "course_id": "504-fire",
        "enrolment_id": "504-e1~1",
    }


def test_a_course_the_learner_cannot_find_is_named_to_administrators_only(trust):
    known = {"504-fire": None, "504-by-hand": "is not for automatic enrolment"}
    assert considered(why(trust)["requirements"][0]) == known
    assert considered(why(trust, "p1", MANAGER)["requirements"][0]) == known
    everything = considered(why(trust, "p1", ADMINISTRATOR)["requirements"][0])
    assert everything == {**known, "504-estates": "is not open to this learner"}


def test_nor_is_one_that_another_rule_strikes_out_first(trust):
    b.offered(course_id="504-secret", title="Merger: Who Goes", auto_enrol=False, rules=ELSEWHERE)
    assert trust.get("/v1/courses/504-secret", as_=LEARNER).status_code == 404
    for person, as_ in ((None, LEARNER), ("p1", MANAGER)):
        assert "504-secret" not in considered(why(trust, person, as_)["requirements"][0])
    assert "504-secret" in considered(why(trust, "p1", ADMINISTRATOR)["requirements"][0])


def test_a_failure_says_when_it_is_tried_again(trust):
    competence.require(SYSTEM, "504", [b.requirement(MOVING)], NOW)
    switch(trust)
    row = next(each for each in why(trust)["requirements"] if each["competency"] == MOVING)
    assert (row["state"], row["decision"]["outcome"], row["decision"]["next_try_on"]) == (
        "paused",
        "no option",
        "2026-12-07",
    )


def test_nobody_reads_of_people_who_are_not_theirs(trust):
    assert trust.get("/v1/people/p9/auto-enrolment", as_=LEARNER).status_code == 404
    assert trust.get("/v1/people/nobody/auto-enrolment", as_=ADMINISTRATOR).status_code == 404


def test_a_dry_run_names_who_would_be_booked_on_what(trust):
    found = dry_run(trust).json_body
    assert found == {
        "people": [
            {
                "person_id": "p1",
                "name": "Sam Testfold1",
                "steps": [
                    {
                        "competency": FIRE,
                        "title": "Fire Safety - 1 Year",
                        "expires_on": None,
                        "outcome": "booked",
                        "course_id": "504-fire",
                        "class_id": "504-e1",
                    }
                ],
            }
        ],
        "outcomes": {"booked": 1},
        "next_cursor": None,
    }
    assert trust.get("/v1/me/enrolments", as_=LEARNER).json_body["total"] == 0


def test_a_dry_run_of_many_goes_on_where_it_stopped(trust):
    for number in range(11, 14):
        b.person(number)
    trust.pump.run()
    people, query = [], "?limit=2"
    while query:
        page = dry_run(trust, query).json_body
        people += [each["person_id"] for each in page["people"]]
        query = page["next_cursor"] and f"?limit=2&cursor={page['next_cursor']}"
    assert sorted(people) == ["p1", "p11", "p12", "p13"]


@pytest.mark.parametrize(
    ("query", "body", "status", "field"),
    [
        ("", {"unit": "nowhere"}, 404, None),
        ("?limit=101", {}, 400, "query.limit"),
        ("?limit=0", {}, 400, "query.limit"),
        ("?cursor=x", {}, 400, "query.cursor"),
        ("", {"units": "surgery"}, 400, "body.units"),
    ],
)
def test_what_a_dry_run_cannot_be_of_is_refused(trust, query, body, status, field):
    answer = dry_run(trust, query, **body)
    assert answer.status_code == status
    if field:
        assert [each["field"] for each in answer.json_body["errors"]] == [field]


def test_the_setting_is_kept_as_it_was_sent_and_twice_is_once(trust):
    assert trust.get(SETTING, as_=ADMINISTRATOR).json_body == {"on": False, "applicants": False, "job_id": None}
    switch(trust, applicants=True)
    again = switch(trust, applicants=True)
    assert again.json_body == {"on": True, "applicants": True, "job_id": None}
    off = switch(trust, on=False)
    assert (off.json_body["on"], off.json_body["job_id"]) == (False, None)
    assert trust.get("/v1/me/enrolments", as_=LEARNER).json_body["total"] == 1


def test_only_learning_administrators_switch_it_and_try_it(trust):
    for as_ in (LEARNER, MANAGER):
        assert trust.call("PUT", SETTING, body={"on": True}, as_=as_).status_code == 403
        assert dry_run(trust, as_=as_).status_code == 403


def test_a_course_books_dates_by_itself_only_if_it_enrols_by_itself(trust):
    sent = {"id": "drills", "title": "Drills", "subject": "fire", "duration_minutes": 60, "auto_book": True}
    answer = trust.post("/v1/courses", sent, as_=ADMINISTRATOR)
    assert [each["field"] for each in answer.json_body["errors"]] == ["body.auto_book"]
    assert trust.post("/v1/courses", {**sent, "auto_enrol": True}, as_=ADMINISTRATOR).status_code == 201


def test_whoever_is_awarded_it_elsewhere_reads_that_nothing_is_due(trust):
    takeover.take_over(SYSTEM, "504", "p1", [b.award()], [], NOW)
    assert [each["state"] for each in why(trust)["requirements"]] == ["not due"]
