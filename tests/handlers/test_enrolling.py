"""Enrolling and withdrawing over HTTP: the place, the refusals, the repetition."""

from datetime import timedelta

import pytest

from chalicelib.domain.access import AccessMode, AccessRule
from chalicelib.domain.catalogue import CourseStatus
from chalicelib.domain.classes import ClassStatus
from chalicelib.domain.people import EmploymentKind
from chalicelib.domain.requirements import Target, TargetKind
from chalicelib.services import recount
from chalicelib.storage import classes
from chalicelib.storage.audit import AuditRow
from chalicelib.storage.outbox import EventRow
from tests import builders as b
from tests.builders import NOW


def slug(answer):
    return answer.json_body["type"].rpartition(":")[2]


def enrol(api, login, class_id="504-c1", **options):
    return api.post("/v1/me/enrolments", {"class_id": class_id}, as_=login, **options)


def taken(class_id="504-c1"):
    return classes.class_with_seats(class_id)[1].taken


def events():
    return [row.type for row in EventRow.scan() if row.type.startswith("enrolment.")]


@pytest.fixture
def ward(api):
    """A trust, a course with two classes and e-learning, and one nurse."""
    b.trust()
    b.offered(b.class_(), b.class_("504-c2", sessions=[b.session(hour=11)]), b.e_learning())
    b.person()
    return api


def test_enrolling_takes_a_seat_and_says_so(ward):
    answer = enrol(ward, "504-1")
    assert answer.status_code == 201
    assert answer.json_body["status"] == "confirmed"
    assert answer.json_body["starts_at"] == "2026-12-01T09:00:00Z"
    assert taken() == 1
    assert ward.get("/v1/classes/504-c1", as_="504-1").json_body["free"] == 11
    mine = ward.get("/v1/me/enrolments", as_="504-1").json_body
    assert [each["id"] for each in mine["enrolments"]] == ["504-c1~1"]


def test_seat_enrolment_event_and_audit_commit_together(ward):
    enrol(ward, "504-1")
    assert events() == ["enrolment.confirmed"]
    entry = next(row for row in AuditRow.scan() if row.action == "enrolment.confirmed")
    assert (entry.actor, entry.person_pk, entry.facts["enrolment"]) == ("p1", "P#p1", "504-c1~1")


def test_withdrawing_gives_the_seat_back_and_keeps_the_history(ward):
    enrol(ward, "504-1")
    answer = ward.post("/v1/me/enrolments/504-c1~1/withdrawal", as_="504-1")
    assert answer.status_code == 200
    assert [row["status"] for row in answer.json_body["history"]] == ["confirmed", "withdrawn"]
    assert taken() == 0
    assert sorted(events()) == ["enrolment.confirmed", "enrolment.withdrawn"]


def test_withdrawing_twice_is_refused_and_frees_no_second_seat(ward):
    b.person(2)
    enrol(ward, "504-1")
    enrol(ward, "504-2")
    ward.post("/v1/me/enrolments/504-c1~1/withdrawal", as_="504-1")
    again = ward.post("/v1/me/enrolments/504-c1~1/withdrawal", as_="504-1")
    assert (again.status_code, slug(again)) == (409, "not-open-to-withdraw")
    assert taken() == 1


def test_one_may_come_back_as_a_second_attempt(ward):
    enrol(ward, "504-1")
    ward.post("/v1/me/enrolments/504-c1~1/withdrawal", as_="504-1")
    assert enrol(ward, "504-1").json_body["id"] == "504-c1~2"
    assert list(recount.seats("504", ["504-c1"])) == []


def test_a_second_booking_of_the_same_class_is_refused(ward):
    enrol(ward, "504-1")
    answer = enrol(ward, "504-1")
    assert (answer.status_code, slug(answer)) == (409, "already-enrolled")
    assert answer.json_body["facts"]["enrolment"] == "504-c1~1"
    assert taken() == 1


def test_a_clash_is_refused_and_names_the_other_enrolment(ward):
    enrol(ward, "504-1", "504-c1")
    answer = enrol(ward, "504-1", "504-c2")
    assert (answer.status_code, slug(answer)) == (409, "clash")
    assert answer.json_body["facts"]["enrolment"] == "504-c1~1"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"status": ClassStatus.CANCELLED}, "class-cancelled"),
        ({"status": ClassStatus.CLOSED}, "class-not-open"),
        ({"enrol_until": b.TODAY - timedelta(days=1)}, "enrolment-not-open"),
        ({"sessions": [b.session(b.TODAY - timedelta(days=1))]}, "class-past"),
    ],
)
def test_a_class_that_cannot_be_taken_says_why_and_changes_nothing(api, changes, expected):
    b.trust()
    b.offered(b.class_(**changes))
    b.person()
    answer = enrol(api, "504-1")
    assert slug(answer) == expected
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json_body["way_out"]
    assert (taken(), events()) == (0, [])
    shown = api.get("/v1/classes/504-c1", as_="504-1").json_body["may_enrol"]
    assert shown["allowed"] is False
    assert shown["why_not"]["type"] == answer.json_body["type"]


def test_an_unknown_class_is_not_found(ward):
    assert slug(enrol(ward, "504-1", "504-nothing")) == "not-found"


def test_a_class_of_another_employer_is_not_found(ward):
    b.offered(b.class_("505-c1", course="505-fire"), course_id="505-fire")
    assert slug(enrol(ward, "504-1", "505-c1")) == "not-found"
    assert ward.get("/v1/classes/505-c1", as_="504-1").status_code == 404


def test_one_person_takes_one_seat_of_a_national_class_whoever_employs_them(ward):
    b.offered(b.class_("NHS-c1", course="NHS-fire"), course_id="NHS-fire")
    other = b.Employment("505", EmploymentKind.EMPLOYEE, "9", b.date(2020, 1, 1))
    b.workforce.people.EmploymentRow.of(b.Person("p1", "Sam", "Testfold1"), other).save()
    body = {"class_id": "NHS-c1"}
    assert ward.post("/v1/me/enrolments?employer=504", body, as_="504-1").status_code == 201
    assert slug(ward.post("/v1/me/enrolments?employer=505", body, as_="504-1")) == "already-enrolled"
    clash = ward.post("/v1/me/enrolments?employer=504", {"class_id": "504-c1"}, as_="504-1")
    assert slug(clash) == "clash"


def test_an_administrator_who_is_an_employee_too_does_not_enrol_past_learner_access(api):
    b.trust()
    porters = AccessRule("01", AccessMode.SELF_ENROL, (Target(TargetKind.JOB, "porter"),))
    b.offered(b.class_(), rules=(porters,))
    b.offered(b.class_("504-d1", course="504-draft"), course_id="504-draft", status=CourseStatus.DRAFT)
    b.person(role="learning_administrator")
    assert slug(enrol(api, "504-1")) == "access-not-met"
    assert slug(enrol(api, "504-1", "504-d1")) == "course-not-live"


def test_who_is_no_learner_here_is_not_told_that_they_may_enrol(api):
    b.trust()
    b.offered(b.class_())
    b.person(employer="505")
    b.grant("p1", "instructor", "504")
    assert api.get("/v1/classes/504-c1?employer=504", as_="505-1").status_code == 404
    b.grant("p1", "learning_administrator", "504")
    assert api.get("/v1/classes/504-c1?employer=504", as_="505-1").json_body["may_enrol"] is None


def test_a_national_class_is_open_to_every_employer(ward):
    b.offered(b.e_learning("NHS-e1", course="NHS-fire"), course_id="NHS-fire")
    assert enrol(ward, "504-1", "NHS-e1").status_code == 201


def test_approval_is_asked_for_where_no_rule_lets_one_enrol_oneself(api):
    b.trust()
    b.offered(b.class_(), rules=())
    b.person()
    answer = enrol(api, "504-1")
    assert (answer.status_code, answer.json_body["status"]) == (201, "requested")
    assert taken() == 0


@pytest.mark.parametrize("changes", [{"maximum": 0}, {"status": ClassStatus.PLANNED}])
def test_who_finds_no_seat_is_put_on_the_waiting_list_and_told_why(api, changes):
    b.trust()
    b.offered(b.class_(**changes))
    b.person()
    answer = enrol(api, "504-1").json_body
    assert (answer["status"], taken()) == ("waitlisted", 0)
    assert answer["history"][0]["reason"]


def test_who_meets_no_access_rule_finds_neither_course_nor_class(api):
    b.trust()
    porters = AccessRule("01", AccessMode.SELF_ENROL, (Target(TargetKind.JOB, "porter"),))
    b.offered(b.class_(), rules=(porters,))
    b.person()
    assert enrol(api, "504-1").status_code == 404
    assert api.get("/v1/classes/504-c1", as_="504-1").status_code == 404
    assert api.get("/v1/courses/504-fire", as_="504-1").status_code == 404
    assert api.get("/v1/courses", as_="504-1").json_body["total"] == 0


def test_an_administrator_sees_what_learner_access_hides(api):
    b.trust()
    porters = AccessRule("01", AccessMode.SELF_ENROL, (Target(TargetKind.JOB, "porter"),))
    b.offered(b.class_(), rules=(porters,))
    b.person(role="learning_administrator")
    assert api.get("/v1/courses/504-fire", as_="504-1").status_code == 200


def test_e_learning_is_taken_at_once_and_counts_no_seat(ward):
    assert enrol(ward, "504-1", "504-e1").json_body["starts_at"] is None
    assert taken("504-e1") == 0


def test_external_learners_and_applicants_enrol_too(ward):
    for number, kind in ((2, EmploymentKind.EXTERNAL), (3, EmploymentKind.APPLICANT)):
        assert enrol(ward, b.person(number, kind)).status_code == 201


# --- repeating a request ------------------------------------------------------------------------------------


def test_a_repetition_with_the_same_key_gets_the_first_answer_and_books_once(ward):
    key = {"Idempotency-Key": "book-once"}
    first, second = enrol(ward, "504-1", headers=key), enrol(ward, "504-1", headers=key)
    assert second.status_code == 201
    assert second.json_body == first.json_body
    assert second.headers["Idempotency-Replayed"] == "true"
    assert taken() == 1


def test_a_repetition_after_withdrawing_does_not_book_again(ward):
    key = {"Idempotency-Key": "book-once"}
    enrol(ward, "504-1", headers=key)
    ward.post("/v1/me/enrolments/504-c1~1/withdrawal", as_="504-1")
    assert enrol(ward, "504-1", headers=key).json_body["id"] == "504-c1~1"
    assert taken() == 0


def test_a_key_used_for_another_request_is_refused(ward):
    key = {"Idempotency-Key": "book-once"}
    enrol(ward, "504-1", "504-c1", headers=key)
    answer = enrol(ward, "504-1", "504-e1", headers=key)
    assert (answer.status_code, slug(answer)) == (422, "idempotency-key-reused")


def test_a_key_belongs_to_one_person(ward):
    b.person(2)
    key = {"Idempotency-Key": "book-once"}
    enrol(ward, "504-1", headers=key)
    assert enrol(ward, "504-2", headers=key).json_body["history"][0]["by"] == "p2"
    assert taken() == 2


def test_a_refused_request_does_not_use_up_its_key(ward, clock):
    key = {"Idempotency-Key": "later"}
    clock.now = NOW + timedelta(days=30)
    assert slug(enrol(ward, "504-1", headers=key)) == "class-past"
    clock.now = NOW
    assert enrol(ward, "504-1", headers=key).status_code == 201


def test_a_key_with_other_characters_is_refused_by_field(ward):
    answer = enrol(ward, "504-1", headers={"Idempotency-Key": "a#b"})
    assert answer.json_body["errors"][0]["field"] == "header.Idempotency-Key"


# --- lists --------------------------------------------------------------------------------------------------


def test_enrolments_page_with_open_ones_first(ward):
    enrol(ward, "504-1", "504-c1")
    enrol(ward, "504-1", "504-e1")
    ward.post("/v1/me/enrolments/504-c1~1/withdrawal", as_="504-1")
    first = ward.get("/v1/me/enrolments?limit=1", as_="504-1").json_body
    assert ([each["id"] for each in first["enrolments"]], first["total"]) == (["504-e1~1"], 2)
    second = ward.get(f"/v1/me/enrolments?limit=1&cursor={first['next_cursor']}", as_="504-1").json_body
    assert ([each["id"] for each in second["enrolments"]], second["next_cursor"]) == (["504-c1~1"], None)
    closed = ward.get("/v1/me/enrolments?open=false", as_="504-1").json_body
    assert [each["status"] for each in closed["enrolments"]] == ["withdrawn"]


def test_one_enrolment_is_shown_and_a_strangers_is_not_found(ward):
    b.person(2)
    enrol(ward, "504-1")
    assert ward.get("/v1/me/enrolments/504-c1~1", as_="504-1").status_code == 200
    assert ward.get("/v1/me/enrolments/504-c1~1", as_="504-2").status_code == 404
    assert ward.post("/v1/me/enrolments/504-c1~1/withdrawal", as_="504-2").status_code == 404
