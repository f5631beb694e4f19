"""Many people placed on a class at once: a result for each, in the order of the list, and a repetition does the rest."""

import itertools

import pytest

from chalicelib.domain.access import AccessMode, AccessRule
from chalicelib.domain.requirements import Target, TargetKind
from chalicelib.handlers import http
from chalicelib.services import recount
from chalicelib.storage import classes as stored
from chalicelib.storage import enrolment as enrolments
from chalicelib.storage import learner as learners
from chalicelib.storage.audit import AuditRow
from chalicelib.storage.outbox import EventRow
from tests import builders as b
from tests import seams
from tests.handlers.test_placing_others import (
    ADMINISTRATOR,
    MANAGER,
    ONLY_ESTATES,
    SUBJECT_ADMINISTRATOR,
    WHY,
    change_class,
    people,
    slug,
)


def place(api, listed, as_=ADMINISTRATOR, class_id="504-c1", **more):
    wanted = [each if isinstance(each, dict) else {"person_id": each} for each in listed]
    return api.post(f"/v1/classes/{class_id}/enrolments", {"people": wanted, **more}, as_=as_)


def rows(answer, *names):
    assert answer.status_code == 200, answer.json_body
    return [tuple(each[name] for name in names) for each in answer.json_body["results"]]


def problems(answer):
    return [each["problem"] and each["problem"]["type"].rpartition(":")[2] for each in answer.json_body["results"]]


def seats(class_id="504-c1"):
    found = stored.class_with_seats(class_id)[1]
    return found.taken, found.waiting


def transactions():
    """Counts transactions from here on."""
    count = itertools.count()

    def intercept(call, operation, request):
        if operation == "TransactWriteItems":
            next(count)
        return call(operation, request)

    return seams.intercepted(intercept), count


@pytest.fixture
def ward(api):
    b.trust()
    b.offered(b.class_(maximum=2), b.class_("504-c2", sessions=[b.session(hour=11)]))
    people()
    return api


@pytest.fixture
def forty(api):
    """Forty-five more people, and a class of thirty."""
    b.trust()
    b.offered(b.class_(maximum=30))
    people()
    for number in range(100, 145):
        b.person(number)
    return [f"p{number}" for number in range(100, 145)]


def test_seats_are_given_in_the_order_of_the_list_and_then_places_on_the_waiting_list(api, forty):
    watched, count = transactions()
    with watched:
        answer = place(api, forty)
    assert next(count) == 4  # 20 seats, 10 seats, 10 places on the list, 5 more
    assert rows(answer, "outcome", "status") == [("placed", "confirmed")] * 30 + [("placed", "waitlisted")] * 15
    assert [answer.json_body[each] for each in ("placed", "unchanged", "refused", "not_tried")] == [45, 0, 0, 0]
    assert seats() == (30, 15)
    assert list(recount.seats("504", ["504-c1"])) == []
    events = [row for row in EventRow.scan() if row.type.startswith("enrolment.")]
    assert len({row.person for row in events}) == 45
    assert sorted(row.data["position"] for row in events if row.type == "enrolment.waitlisted") == list(range(1, 16))
    assert sum(row.action.startswith("enrolment.") and row.actor == "p9" for row in AuditRow.scan()) == 45
    again = place(api, forty)
    assert rows(again, "outcome", "status", "enrolment_id") == [
        ("unchanged", status, id_) for status, id_ in rows(answer, "status", "enrolment_id")
    ]
    assert seats() == (30, 15)


def test_whoever_finds_no_seat_waits_in_the_order_of_the_list(ward):
    place(ward, ["p3", "p2", "p8", "p7", "p1"])
    assert [each.person for each in enrolments.waiting_list("504-c1")] == ["p8", "p7", "p1"]


def test_what_is_refused_for_one_keeps_nobody_else_out(ward):
    ward.post("/v1/me/enrolments", {"class_id": "504-c2"}, as_="504-1")
    listed = [
        *("p1", "p-nobody", "p9", "p2"),
        {"person_id": "p3", "assignment": "77"},
        {"employee_number": "20000008"},
        {"employee_number": "31415"},
    ]
    answer = place(ward, listed)
    assert problems(answer) == ["clash", "not-found", "own-enrolment", None, "invalid-request", None, "not-found"]
    assert rows(answer, "outcome") == [(each,) for each in ["refused"] * 3 + ["placed", "refused", "placed", "refused"]]
    wrong = answer.json_body["results"][4]["problem"]["errors"][0]
    assert wrong["field"] == "body.people[4].assignment"
    assert rows(answer, "person_id", "employee_number")[5:] == [("p8", "20000008"), (None, "31415")]
    assert all(each["problem"]["way_out"] for each in answer.json_body["results"] if each["problem"])
    assert seats() == (2, 0)


def test_managers_place_their_people_and_class_administrators_in_their_subjects(ward):
    assert problems(place(ward, ["p1", "p3"], MANAGER)) == [None, "not-found"]
    b.offered(b.class_("504-m1", course="504-moving"), course_id="504-moving", subject="moving")
    assert problems(place(ward, ["p1", "p3"], SUBJECT_ADMINISTRATOR, "504-m1")) == ["not-your-subject"] * 2
    assert problems(place(ward, ["p3"], SUBJECT_ADMINISTRATOR)) == [None]
    assert (seats(), seats("504-m1")) == ((2, 0), (0, 0))


def test_somebody_named_twice_is_pointed_out_and_nobody_placed(ward):
    answer = place(ward, ["p1", "p2", {"employee_number": "20000001"}, "p2"])
    assert answer.status_code == 400
    assert {each["field"]: each["reason"] for each in answer.json_body["errors"]} == {
        "body.people[2]": "is the same person as people[0]",
        "body.people[3]": "is the same person as people[1]",
    }
    assert seats() == (0, 0)


def test_a_list_that_is_none_is_refused_by_field(ward):
    for listed, field in (
        ([], "body.people"),
        ([{"person_id": f"p{number}"} for number in range(501)], "body.people"),
        ([{}], "body.people[0]"),
        (["p1", {"person_id": "p2", "employee_number": "20000002"}], "body.people[1]"),
        ([{"employee_number": "#"}], "body.people[0].employee_number"),
        ([{"person_id": "a b", "name": "Sam"}], "body.people[0].person_id"),
    ):
        answer = place(ward, listed)
        assert answer.status_code == 400
        assert field in {each["field"] for each in answer.json_body["errors"]}, listed[:2]
    longest = [{"person_id": f"{number:080}", "assignment": "x" * 40} for number in range(500)]
    assert set(problems(place(ward, longest))) == {"not-found"}


def test_a_class_that_nobody_concerned_may_know_of_is_not_found(api):
    b.trust()
    b.offered(b.class_(), rules=[ONLY_ESTATES])
    people()
    for class_id in ("504-c1", "504-nothing"):
        answer = place(api, ["p1", "p3", "p-nobody"], MANAGER, class_id)
        assert (answer.status_code, slug(answer)) == (404, "not-found")
    b.person(4, assignments=[b.assignment("4", unit="estates", supervisor="p8")])
    assert problems(place(api, ["p1", "p4"], MANAGER)) == ["not-found", None]
    assert problems(place(api, ["p1"])) == ["access-not-met"]


def test_rules_are_set_aside_for_those_whom_they_keep_out(api):
    b.trust()
    nurses = AccessRule("01", AccessMode.SELF_ENROL, (Target(TargetKind.PERSON, "p2"),))
    b.offered(b.class_(), rules=[nurses])
    people()
    refused = place(api, ["p1", "p2"], MANAGER, override={"reason": WHY})
    assert (refused.status_code, slug(refused)) == (403, "not-permitted")
    answer = place(api, ["p1", "p2"], override={"reason": WHY})
    assert [[each["rule"] for each in row] for (row,) in rows(answer, "overridden")] == [["access-not-met"], []]
    reasons = [learners.learner(each, "504").enrolments[0].history[0].reason for each in ("p1", "p2")]
    assert reasons == [WHY, None]


def test_when_time_runs_out_the_others_are_not_tried_and_a_repetition_does_the_rest(api, forty, monkeypatch):
    answers = itertools.chain([True, True], itertools.repeat(False))
    with monkeypatch.context() as short:
        short.setattr(http.time, "monotonic", lambda: 0 if next(answers) else 1000)
        answer = place(api, forty)
    assert rows(answer, "outcome") == [("placed",)] * 20 + [("not tried",)] * 25
    assert answer.json_body["not_tried"] == 25
    assert seats() == (20, 0)
    rest = place(api, forty)
    assert [rest.json_body[each] for each in ("placed", "unchanged", "not_tried")] == [25, 20, 0]
    assert seats() == (30, 15)


def test_somebody_who_books_meanwhile_is_left_as_they_are_and_the_others_are_placed_all_the_same(api, forty):
    def two_book():
        for number in (101, 102):
            api.post("/v1/me/enrolments", {"class_id": "504-c1"}, as_=f"504-{number}")

    with seams.before_commit(two_book):
        answer = place(api, forty[:20])
    assert [each for (each,) in rows(answer, "outcome")] == ["placed", "unchanged", "unchanged", *["placed"] * 17]
    assert seats() == (20, 0)
    assert list(recount.seats("504", ["504-c1"])) == []


def test_somebody_on_no_list_who_takes_seats_meanwhile_leaves_fewer(api, forty):
    def take_five():
        assert place(api, forty[40:], SUBJECT_ADMINISTRATOR).json_body["placed"] == 5

    with seams.before_commit(take_five):
        answer = place(api, forty[:40])
    assert [each for (each,) in rows(answer, "status")] == ["confirmed"] * 25 + ["waitlisted"] * 15
    assert seats() == (30, 15)
    assert list(recount.seats("504", ["504-c1"])) == []


def test_two_at_once_with_the_same_list_place_everybody_once(api, forty):
    with seams.before_commit(lambda: place(api, forty, SUBJECT_ADMINISTRATOR)):
        answer = place(api, forty)
    assert {each for (each,) in rows(answer, "outcome")} == {"unchanged"}
    assert seats() == (30, 15)
    assert len([row for row in EventRow.scan() if row.type.startswith("enrolment.")]) == 45


def test_records_out_of_reach_midway_answer_503_and_a_repetition_does_the_rest(api, forty):
    for first, carried_out, outcome in ((0, False, "placed"), (10, True, "unchanged")):
        group = forty[first : first + 10]
        with seams.failing_calls("TransactWriteItems", "InternalServerError", after=carried_out):
            assert place(api, group).status_code == 503
        assert {each for (each,) in rows(place(api, group), "outcome")} == {outcome}
    assert seats() == (20, 0)


def test_a_class_changed_midway_is_looked_at_again(api, forty):
    with seams.before_commit(lambda: change_class(b.ClassStatus.CLOSED)):
        answer = place(api, forty[:20])
    assert set(problems(answer)) == {"class-not-open"}
    assert seats() == (0, 0)
