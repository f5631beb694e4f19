"""My learning over HTTP: what is current, requested, waited for and over, and who may see it."""

from datetime import date, timedelta

import pytest

from chalicelib.domain.enrolment import HistoryRow, Post, Status
from chalicelib.storage import enrolment as enrolments
from tests import builders as b
from tests.builders import NOW

ME, MANAGER, ADMINISTRATOR, INSTRUCTOR = "504-1", "504-2", "504-9", "504-7"


@pytest.fixture
def ward(api):
    """A nurse, her manager, an administrator and an instructor who teaches one class; a course with some classes."""
    b.trust()
    b.person(7, role="instructor")
    b.person(2)
    b.person(9, role="learning_administrator")
    b.offered(
        b.class_(instructor="p7"),
        b.class_("504-c2", sessions=[b.session(date(2026, 12, 8))], maximum=1),
        b.e_learning(),
    )
    return api


def nurse(*enrolments, number=1, awards=()):
    return b.person(
        number, assignments=[b.assignment(str(number), supervisor="p2")], enrolments=enrolments, awards=awards
    )


def learning(api, login=ME, of="me", query=""):
    answer = api.get(f"/v1/{of}/learning{query}", as_=login)
    assert answer.status_code == 200, answer.json_body
    return answer.json_body


def ended(status, class_id, day, **changes):
    at = b.class_(class_id, sessions=[b.session(day)])
    return b.enrolment(status, at, counted=False, **changes)


def actions(item):
    return {each["action"]: f"{each['method']} {each['href']}" for each in item["steps"]}


def test_each_enrolment_stands_in_one_group_with_what_can_be_done(ward):
    nurse(
        b.enrolment(),
        b.enrolment(at=b.e_learning()),
        b.enrolment(Status.WAITLISTED, b.class_("504-c2", sessions=[b.session(date(2026, 12, 8))])),
        b.enrolment(
            Status.REQUESTED,
            b.class_("504-c3", sessions=[b.session(date(2026, 12, 15))]),
            approver="p2",
            post=Post("1", "ward-9", "nurse-9"),
        ),
        ended(Status.COMPLETED, "504-old", date(2026, 3, 2), score=87.5),
    )
    mine = learning(ward)
    assert mine["counts"] == {"current": 2, "requested": 1, "waiting": 1, "history": 1}
    assert [each["id"] for each in mine["current"]] == ["504-c1~1", "504-e1~1"]
    assert actions(mine["current"][0]) == {
        "view class": "GET /v1/classes/504-c1",
        "withdraw": "POST /v1/me/enrolments/504-c1~1/withdrawal",
    }
    (asked,) = mine["requested"]
    assert (asked["waits_for"], asked["approver_id"], asked["since"]) == (
        "Sam Testfold2",
        "p2",
        "2026-11-16T10:00:00Z",
    )
    assert asked["lapses_at"] == "2026-12-15T09:00:00Z"
    assert asked["enrolment"]["assignment"] == "1"
    (waits,) = mine["waiting"]
    assert waits["ordered"] == "Whoever joined first comes first."
    assert "find other dates" in actions(waits["enrolment"])
    (over,) = mine["history"]
    assert (over["status"], over["score"], over["at"]) == ("completed", 87.5, "2026-03-02T12:00:00Z")
    assert over["certificate"] == "/v1/me/enrolments/504-old~1/certificate"


def test_what_a_class_awarded_stands_in_the_history_until_it_is_voided(ward):
    class_ = ended(Status.COMPLETED, "504-old", date(2026, 3, 2))
    earned = b.award(awarded_on=date(2026, 3, 2), source="504-old~1.2")
    undone = b.award(b.MOVING, awarded_on=date(2026, 3, 2), source="504-old~1.2", void=True)
    another = b.award(b.PREVENT, awarded_on=date(2026, 3, 2), source="504-old~11.2")
    nurse(class_, awards=[earned, undone, another])
    (over,) = learning(ward)["history"]
    assert over["awarded"] == [
        {
            "competency": b.FIRE,
            "title": "Fire Safety - 1 Year",
            "level": 1,
            "awarded_on": "2026-03-02",
            "expires_on": "2027-03-02",
        }
    ]


def test_history_pages_from_the_latest_on_and_what_is_added_meanwhile_moves_nothing(ward):
    over = [ended(Status.COMPLETED, f"504-o{month}", date(2026, month, 2)) for month in range(1, 8)]
    given_up = b.enrolment(
        Status.WITHDRAWN,
        b.class_("504-next", sessions=[b.session(date(2027, 5, 4))]),
        history=(HistoryRow(Status.WITHDRAWN, NOW - timedelta(days=200), "p1"),),
    )
    nurse(*over, given_up)
    first = learning(ward, query="?limit=4")
    ward.post("/v1/me/enrolments", {"class_id": "504-c1"}, as_=ME)
    ward.post("/v1/me/enrolments/504-c1~1/withdrawal", as_=ME)
    second = learning(ward, query=f"?limit=4&cursor={first['next_cursor']}")
    found = [each["id"] for page in (first, second) for each in page["history"]]
    assert found == [f"504-{name}~1" for name in ("o7", "o6", "next", "o5", "o4", "o3", "o2", "o1")]
    assert (second["next_cursor"], second["counts"]["history"]) == (None, 9)


def test_a_cursor_of_somebody_elses_learning_is_refused(ward):
    nurse(*(ended(Status.COMPLETED, f"504-o{month}", date(2026, month, 2)) for month in (1, 2)))
    cursor = learning(ward, MANAGER, "people/p1", "?limit=1")["next_cursor"]
    answer = ward.get(f"/v1/me/learning?cursor={cursor}", as_=MANAGER)
    assert (answer.status_code, answer.json_body["errors"][0]["field"]) == (400, "query.cursor")


TRAINING = {"title": "Manual Handling", "provider": "St John", "completed_on": "2026-10-05"}


def test_external_training_under_way_is_requested_and_says_whom_it_waits_for(ward):
    nurse()
    made = ward.post("/v1/me/external-training", TRAINING, as_=ME).json_body["id"]
    (draft,) = learning(ward)["requested"]
    assert (draft["kind"], draft["status"], draft["waits_for"]) == ("external training", "draft", "you")
    assert set(actions(draft)) == {"view", "submit", "withdraw"}
    ward.post(f"/v1/me/external-training/{made}/submission", as_=ME)
    (submitted,) = learning(ward)["requested"]
    assert (submitted["waits_for"], submitted["approver_id"]) == ("Sam Testfold2", "p2")
    ward.post(f"/v1/external-training/p1/{made}/approval", as_=MANAGER)
    (approved,) = learning(ward)["requested"]
    assert (approved["status"], approved["waits_for"], approved["approver_id"]) == (
        "approved", "the learning team", None,
    )  # fmt: skip
    verified = {"awards": [{"competency": b.MOVING}]}
    ward.post(f"/v1/external-training/p1/{made}/verification", verified, as_=ADMINISTRATOR)
    mine = learning(ward)
    assert mine["requested"] == []
    (over,) = mine["history"]
    assert (over["provider"], over["completed_on"], over["status"]) == ("St John", "2026-10-05", "verified")
    assert [each["expires_on"] for each in over["awarded"]] == ["2028-10-05"]
    assert ward.get(actions(over)["view"].removeprefix("GET "), as_=ME).status_code == 200


def test_a_draft_is_nobody_elses_business_and_external_training_no_instructors(ward):
    nurse(b.enrolment())
    made = ward.post("/v1/me/external-training", TRAINING, as_=ME).json_body["id"]
    assert learning(ward, MANAGER, "people/p1")["requested"] == []
    ward.post(f"/v1/me/external-training/{made}/submission", as_=ME)
    (seen,) = learning(ward, MANAGER, "people/p1")["requested"]
    assert seen["waits_for"] == "Sam Testfold2"
    assert ward.get(actions(seen)["view"].removeprefix("GET "), as_=MANAGER).status_code == 200
    assert len(learning(ward, ADMINISTRATOR, "people/p1")["requested"]) == 1
    assert learning(ward, INSTRUCTOR, "people/p1")["requested"] == []


def test_managers_administrators_and_the_instructors_of_their_classes_see_the_learning_of_others(ward):
    nurse(b.enrolment())
    b.person(3, assignments=[b.assignment("3", supervisor="p2")])
    b.person(4)
    b.person(8, role="class_administrator", subjects=("moving",))
    seen = {
        login: [ward.get(f"/v1/people/{person}/learning", as_=login).status_code for person in ("p1", "p3")]
        for login in (MANAGER, ADMINISTRATOR, "504-8", INSTRUCTOR, "504-4")
    }
    assert seen == {
        MANAGER: [200, 200],
        ADMINISTRATOR: [200, 200],
        "504-8": [200, 200],
        INSTRUCTOR: [200, 404],
        "504-4": [404, 404],
    }
    assert ward.get("/v1/people/p1/enrolments", as_=INSTRUCTOR).status_code == 200


def test_an_instructor_sees_nobody_who_gave_the_place_on_their_class_up_or_is_on_another_only(ward):
    b.person(3)
    nurse()
    ward.post("/v1/me/enrolments", {"class_id": "504-c1"}, as_="504-3")
    assert ward.get("/v1/people/p3/learning", as_=INSTRUCTOR).status_code == 200
    ward.post("/v1/me/enrolments/504-c1~1/withdrawal", as_="504-3")
    ward.post("/v1/me/enrolments", {"class_id": "504-c2"}, as_="504-3")
    assert ward.get("/v1/people/p3/learning", as_=INSTRUCTOR).status_code == 404


def test_an_instructor_sees_of_their_learners_what_they_are_on_with_them_and_nothing_else(ward):
    taught = b.class_("504-old", sessions=[b.session(date(2026, 3, 2))], instructor="p7")
    by_others = b.class_("504-c5", sessions=[b.session(date(2026, 4, 2))])
    for class_ in (taught, by_others):
        b.classes.add_class(b.SYSTEM, class_, NOW)
    nurse(
        b.enrolment(Status.REQUESTED, approver="p2"),
        b.enrolment(Status.WAITLISTED, b.class_("504-c2", sessions=[b.session(date(2026, 12, 8))])),
        b.enrolment(Status.COMPLETED, taught, counted=False, score=87.5),
        b.enrolment(Status.COMPLETED, by_others, counted=False),
        ended(Status.DID_NOT_ATTEND, "504-missed", date(2026, 5, 4)),
        ended(Status.REJECTED, "504-no", date(2026, 6, 1)),
    )
    assert learning(ward, MANAGER, "people/p1")["absences"] == 1
    seen = learning(ward, INSTRUCTOR, "people/p1")
    assert seen["counts"] == {"current": 0, "requested": 1, "waiting": 0, "history": 1}
    assert ([each["id"] for each in seen["history"]], seen["absences"]) == (["504-old~1"], 0)
    page = ward.get("/v1/people/p1/enrolments", as_=INSTRUCTOR).json_body
    assert ([each["id"] for each in page["enrolments"]], page["total"]) == (["504-c1~1", "504-old~1"], 2)
    papers = {
        (login, class_id): ward.get(
            f"/v1/people/p1/enrolments/{class_id}~1/certificate", as_=login, headers={"Accept": "application/pdf"}
        ).status_code
        for login in (MANAGER, INSTRUCTOR)
        for class_id in ("504-old", "504-c5")
    }
    assert papers == {
        (MANAGER, "504-old"): 200,
        (MANAGER, "504-c5"): 200,
        (INSTRUCTOR, "504-old"): 200,
        (INSTRUCTOR, "504-c5"): 404,
    }


def test_whoever_looks_at_others_finds_addresses_that_are_theirs_to_use(ward):
    nurse(b.enrolment(), ended(Status.COMPLETED, "504-old", date(2026, 3, 2)))
    b.person(8, role="class_administrator", subjects=("moving",))
    of_fire = b.person(6, role="class_administrator", subjects=("fire",))
    may = {}
    for login in (MANAGER, ADMINISTRATOR, of_fire, "504-8", INSTRUCTOR):
        found = learning(ward, login, "people/p1")
        may[login] = actions(found["current"][0]).get("withdraw")
        papers = [] if login == INSTRUCTOR else ["/v1/people/p1/enrolments/504-old~1/certificate"]
        assert [each["certificate"] for each in found["history"]] == papers
    theirs = "POST /v1/people/p1/enrolments/504-c1~1/withdrawal"
    assert may == {MANAGER: theirs, ADMINISTRATOR: theirs, of_fire: theirs, "504-8": None, INSTRUCTOR: None}


def test_a_learner_gives_a_place_back_until_the_class_starts_and_others_take_them_off_afterwards_too(ward, clock):
    nurse(b.enrolment())
    assert "withdraw" in actions(learning(ward)["current"][0])
    clock.now = b.session().starts_at
    assert "withdraw" not in actions(learning(ward)["current"][0])
    href = actions(learning(ward, MANAGER, "people/p1")["current"][0])["withdraw"].removeprefix("POST ")
    assert ward.post(href, {}, as_=MANAGER).json_body["status"] == "withdrawn"


def test_an_enrolment_tells_through_which_job_who_is_asked_and_which_rules_were_set_aside(ward):
    asked = b.enrolment(
        Status.REQUESTED, approver="p2", post=Post("1", "ward-9", "nurse-9"), overridden=("PrerequisiteMissing",)
    )
    nurse(asked)
    one = ward.get("/v1/me/enrolments/504-c1~1", as_=ME).json_body
    assert (one["assignment"], one["approver_id"], one["approver"]) == ("1", "p2", "Sam Testfold2")
    assert one["overridden"] == [{"rule": "prerequisite-missing", "title": "Something else comes first"}]
    assert ward.get("/v1/me/enrolments", as_=ME).json_body["enrolments"] == [one]


def test_one_enrolment_is_seen_by_whoever_sees_it_in_the_list_and_is_not_there_for_others(ward):
    nurse(b.enrolment())
    path = "/v1/people/p1/enrolments/504-c1~1"
    for login in (ME, MANAGER, ADMINISTRATOR, INSTRUCTOR):
        assert ward.get(path, as_=login).json_body["id"] == "504-c1~1"
    b.person(4)
    assert ward.get(path, as_="504-4").status_code == 404
    assert ward.get("/v1/people/p1/enrolments/504-c9~1", as_=MANAGER).status_code == 404


def test_somebodys_enrolments_page(ward):
    nurse(*(ended(Status.COMPLETED, f"504-o{month}", date(2026, month, 2)) for month in (1, 2)))
    first = ward.get("/v1/people/p1/enrolments?limit=1", as_=MANAGER).json_body
    second = ward.get(f"/v1/people/p1/enrolments?limit=1&cursor={first['next_cursor']}", as_=MANAGER).json_body
    assert [each["id"] for page in (first, second) for each in page["enrolments"]] == ["504-o2~1", "504-o1~1"]


def test_an_online_class_is_joined_by_whoever_holds_a_seat_and_by_nobody_who_looks(ward):
    nurse(b.enrolment(link="https://meet.invalid/c1"))
    assert actions(learning(ward)["current"][0])["join online"] == "GET https://meet.invalid/c1"
    assert "join online" not in actions(learning(ward, MANAGER, "people/p1")["current"][0])


def test_a_place_on_a_waiting_list_counts_those_in_front_and_one_passed_over_has_none(ward):
    for number in (3, 4, 5):
        b.person(number, assignments=[b.assignment(str(number), supervisor="p2")])
        ward.post("/v1/me/enrolments", {"class_id": "504-c2"}, as_=f"504-{number}")
    (waits,) = learning(ward, "504-5")["waiting"]
    assert (waits["position"], waits["enrolment"]["position"]) == (2, 2)
    assert learning(ward, MANAGER, "people/p5")["waiting"][0]["position"] == 2
    assert ward.get("/v1/me/enrolments", as_="504-5").json_body["enrolments"][0]["position"] == 2
    row = enrolments.EnrolmentRow.get("P#p5", "E#504#ENR#504-c2#001")
    row.passed_over = True
    row.save()
    (held_up,) = learning(ward, "504-5")["waiting"]
    assert held_up["position"] is None
    assert held_up["ordered"].startswith("Passed over while another class")


def test_a_class_that_was_marked_completed_is_history_with_its_award_and_a_certificate_to_fetch(ward, clock):
    nurse(b.enrolment())
    clock.now = b.session().ends_at
    marks = {"marks": [{"person_id": "p1", "outcome": "completed", "score": 90}]}
    assert ward.post("/v1/classes/504-c1/attendance", marks, as_=INSTRUCTOR).status_code == 200
    mine = learning(ward)
    assert mine["counts"] == {"current": 0, "requested": 0, "waiting": 0, "history": 1}
    (over,) = mine["history"]
    assert (over["score"], over["awarded"][0]["expires_on"]) == (90, "2027-12-01")
    for path, login in ((over["certificate"], ME), (over["certificate"].replace("me", "people/p1", 1), MANAGER)):
        assert ward.get(path, as_=login).headers["Content-Type"] == "application/pdf"


def test_absences_of_the_last_twelve_months_are_counted(ward):
    nurse(*(ended(Status.DID_NOT_ATTEND, f"504-{day:%y%m%d}", day) for day in (date(2025, 11, 23), date(2025, 11, 24))))
    assert learning(ward, MANAGER, "people/p1")["absences"] == 1
