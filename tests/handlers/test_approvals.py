"""Requests over HTTP: who is asked and told, who decides, and what deciding comes to."""

from datetime import date, timedelta

import pytest

from chalicelib.domain.classes import ClassStatus
from chalicelib.domain.enrolment import Status
from chalicelib.services import recount
from chalicelib.services.enrolment import release_leaver
from chalicelib.storage import classes, learner
from chalicelib.storage import enrolment as enrolments
from chalicelib.storage.audit import AuditRow
from chalicelib.storage.outbox import EventRow
from tests import builders as b
from tests.approving import (
    ABOVE,
    COLLEAGUE,
    LA,
    LEARNER,
    MANAGER,
    OVERRIDE,
    REASON,
    approve,
    asks,
    delegate,
    leave,
    messages,
    queue,
    reject,
    said,
    slug,
    text_of,
    told,
    ward,
)
from tests.builders import NOW
from tests.seams import before_commit, colliding_transactions, lagging_reads


@pytest.fixture(name="asked")
def _asked(api):
    ward()
    assert asks(api).json_body["status"] == "requested"
    return api


def enrolment(person="p1", enrolment_id="504-c1~1"):
    found = learner.learner(person, "504", consistent=True).enrolments
    return next(each for each in found if each.id == enrolment_id)


def taken(class_id="504-c1"):
    return classes.class_with_seats(class_id, consistent=True)[1].taken


# --- asking ---------------------------------------------------------------------------------------------------


def test_the_manager_is_asked_and_the_learner_told_whom_it_waits_for(asked):
    assert told() == [("p1", "enrolment_requested"), ("p2", "approval_requested")]
    text = text_of("approval_requested", "p2")
    assert "Sam Testfold1 asks for a place on Fire Safety." in text
    assert "Tuesday 1 December 2026, 9am to 12pm" in text
    assert "It waits for Sam Testfold2, or whoever stands in for them." in text
    assert "https://portal.test/approvals/p1/504-c1~1" in text
    assert "waits for Sam Testfold2" in text_of("enrolment_requested", "p1")


def test_without_a_manager_the_learning_team_is_asked(api):
    ward()
    b.person(5, assignments=[b.assignment("5")])
    asks(api, as_="504-5")
    assert told() == [("p5", "enrolment_requested")]
    assert "waits for the learning team" in text_of("enrolment_requested", "p5")
    assert queue(api, LA, "?queue=unassigned") == ["p5"]
    assert queue(api, LA, "?queue=managers") == []


def test_a_manager_who_has_left_is_not_asked(api):
    ward()
    leave(2)
    assert asks(api).json_body["approver_id"] is None


def test_whoever_is_asked_sees_what_deciding_needs(asked):
    (waiting,) = asked.get("/v1/approvals", as_=MANAGER).json_body["requests"]
    assert (waiting["name"], waiting["title"], waiting["approver"]) == ("Sam Testfold1", "Fire Safety", "Sam Testfold2")
    assert (waiting["asked_at"], waiting["lapses_at"]) == ("2026-11-23T10:00:00Z", "2026-12-01T09:00:00Z")
    assert (waiting["free"], waiting["would_be"], waiting["in_the_way"]) == (1, "confirmed", None)
    assert waiting["why"] == "The course has no access rules, and then everybody asks."


def test_the_queue_says_what_has_come_into_the_way_since(api):
    planned = b.class_("504-c2", course="504-lift", status=ClassStatus.NORMAL)
    ward()
    b.offered(planned, course_id="504-lift")
    asks(api)
    assert asks(api, "504-c2").json_body["status"] == "confirmed"
    (waiting,) = api.get("/v1/approvals", as_=MANAGER).json_body["requests"]
    assert (waiting["would_be"], waiting["in_the_way"]["type"].rpartition(":")[2]) == (None, "clash")
    assert slug(approve(api)) == "clash"
    assert enrolment().status is Status.REQUESTED


# --- deciding -------------------------------------------------------------------------------------------------


def test_approving_gives_the_place_and_tells_the_learner_both(asked):
    answer = approve(asked)
    assert (answer.status_code, answer.json_body["status"], taken()) == (200, "confirmed", 1)
    assert [row["status"] for row in answer.json_body["history"]] == ["requested", "confirmed"]
    assert [who for who in told() if who[0] == "p1"] == [
        ("p1", "enrolment_approved"),
        ("p1", "enrolment_confirmed"),
        ("p1", "enrolment_requested"),
    ]
    assert "approved by your manager" in text_of("enrolment_approved", "p1")
    assert queue(asked) == []
    assert list(recount.seats("504", ["504-c1"])) == []


def test_capacity_is_judged_when_it_is_approved_and_who_waits_already_comes_first(api, clock):
    ward()
    b.person(5, assignments=[b.assignment("5", supervisor="p2")])
    b.person(6, assignments=[b.assignment("6", supervisor="p2")])
    for who in (LEARNER, "504-5", "504-6"):
        asks(api, as_=who)
    clock.now = NOW + timedelta(hours=1)
    decided = []
    for person in ("p5", "p6", "p1"):
        clock.now += timedelta(minutes=1)
        decided.append(approve(api, person=person).json_body["status"])
    assert decided == ["confirmed", "waitlisted", "waitlisted"]
    assert [each.person for each in enrolments.waiting_list("504-c1")] == ["p6", "p1"]
    told()
    assert "You are number 2" in text_of("enrolment_waitlisted", "p1")
    assert "every seat is taken, or others wait" in text_of("enrolment_approved", "p1")
    assert list(recount.seats("504", ["504-c1"])) == []


def test_whoever_is_approved_for_a_class_still_being_planned_is_told_that_it_is(api):
    ward(b.class_(status=ClassStatus.PLANNED))
    asks(api)
    assert approve(api).json_body["status"] == "waitlisted"
    told()
    assert "because the class is still being planned" in text_of("enrolment_approved", "p1")


def test_who_takes_a_request_back_is_not_told_of_a_place(asked):
    asked.post("/v1/me/enrolments/504-c1~1/withdrawal", as_=LEARNER)
    told()
    text = text_of("enrolment_withdrawn", "p1")
    assert "You have withdrawn your request or wait for a place on Fire Safety." in text
    assert "given back" not in text


def test_whose_request_ends_because_they_leave_is_not_told_of_a_place(asked):
    leave(1, date(2026, 11, 25))
    assert release_leaver("p1", "504", NOW) == 1
    told()
    (message,) = [each for each in messages() if each.template == "enrolment_withdrawn"]
    assert message.subject == "Your request or wait has ended: Fire Safety, Tuesday 1 December 2026"
    assert "Your request or wait for a place on Fire Safety has ended, because your employment here ends." in said(
        message
    )


def test_rejecting_tells_the_learner_why_and_they_may_ask_again(asked):
    answer = reject(asked).json_body
    assert (answer["status"], answer["history"][-1]["reason"]) == ("rejected", REASON["reason"])
    told()
    text = text_of("enrolment_rejected", "p1")
    assert "not approved by your manager" in text
    assert REASON["reason"] in text
    assert asks(asked).json_body["id"] == "504-c1~2"


def test_repeating_a_decision_gives_the_same_answer_and_changes_nothing(asked):
    asks(asked, "504-e1")
    first, rejected = approve(asked), reject(asked, enrolment="504-e1~1")
    events = len(list(EventRow.scan()))
    assert approve(asked).json_body == first.json_body
    assert reject(asked, enrolment="504-e1~1").json_body == rejected.json_body
    assert len(list(EventRow.scan())) == events


def test_the_second_of_two_who_decide_is_told_how_it_stands(asked):
    b.grant("p3", "learning_administrator")
    reject(asked)
    answer = approve(asked, ABOVE, body=OVERRIDE)
    assert (answer.status_code, slug(answer)) == (409, "enrolment-not-there")
    assert answer.json_body["facts"]["status"] == "rejected"


def test_of_two_managers_deciding_at_once_one_wins_and_the_other_is_told(asked):
    delegate(asked)
    with before_commit(lambda: reject(asked, COLLEAGUE)):
        answer = approve(asked)
    assert (slug(answer), answer.json_body["facts"]["status"]) == ("enrolment-not-there", "rejected")
    assert answer.json_body["way_out"] == "There is nothing left to decide."
    assert (enrolment().status, taken()) == (Status.REJECTED, 0)


def test_a_learner_who_withdraws_while_it_is_approved_keeps_no_seat(asked):
    with before_commit(lambda: asked.post("/v1/me/enrolments/504-c1~1/withdrawal", as_=LEARNER)):
        assert slug(approve(asked)) == "enrolment-not-there"
    assert (enrolment().status, taken()) == (Status.WITHDRAWN, 0)


def test_two_approvals_for_the_last_seat_seat_one(api):
    ward()
    b.person(5, assignments=[b.assignment("5", supervisor="p2")])
    asks(api)
    asks(api, as_="504-5")
    with before_commit(lambda: approve(api, person="p5")):
        assert approve(api).json_body["status"] == "waitlisted"
    assert (taken(), list(recount.seats("504", ["504-c1"]))) == (1, [])


def test_a_collision_is_tried_again(asked):
    with colliding_transactions(2):
        assert approve(asked).json_body["status"] == "confirmed"


def test_once_the_class_has_started_nobody_approves_any_more(asked, clock):
    clock.now = NOW + timedelta(days=8)
    answer = approve(asked)
    assert (slug(answer), bool(answer.json_body["way_out"])) == ("request-lapsed", True)
    assert slug(approve(asked, LA, body=OVERRIDE)) == "request-lapsed"
    assert enrolment().status is Status.REQUESTED


def test_it_is_the_class_as_it_is_now_that_must_not_have_started(asked, clock):
    for row in classes.rows_of_class(b.class_(maximum=1, sessions=[b.session(b.date(2026, 11, 24))], revision=2)):
        row.save()
    clock.now = NOW + timedelta(days=2)
    assert slug(approve(asked)) == "request-lapsed"


@pytest.mark.parametrize(
    ("status", "refusal"), [(ClassStatus.CANCELLED, "class-cancelled"), (ClassStatus.CLOSED, "class-not-open")]
)
def test_a_class_that_takes_nobody_any_more_is_refused(asked, status, refusal):
    seats = classes.SeatsRow.key_of("504-c1")
    seats.update([classes.SeatsRow.status.set(status.value)])
    answer = approve(asked)
    assert (slug(answer), enrolment().status) == (refusal, Status.REQUESTED)
    assert answer.json_body["way_out"] == "Reject it and say why, or leave it until this is put right."


def test_who_will_have_left_by_the_day_of_the_class_is_not_approved_not_even_by_an_override(asked):
    leave(1, date(2026, 11, 30))
    (waiting,) = asked.get("/v1/approvals", as_=MANAGER).json_body["requests"]
    assert (waiting["would_be"], waiting["in_the_way"]["type"].rpartition(":")[2]) == (None, "employment-ends")
    for answer in (approve(asked), approve(asked, LA, body=OVERRIDE)):
        assert (answer.status_code, slug(answer)) == (409, "employment-ends")
    assert (enrolment().status, taken()) == (Status.REQUESTED, 0)


def test_nobody_is_approved_who_has_left(asked):
    leave(1)
    for answer in (approve(asked), approve(asked, LA, body=OVERRIDE)):
        assert (answer.status_code, slug(answer)) == (404, "not-found")
    assert (enrolment().status, taken()) == (Status.REQUESTED, 0)


def test_what_only_the_learning_team_may_give_by_now_is_left_to_them(asked):
    rules = {"rules": [{"mode": "administrator only", "targets": [{"kind": "UNIT", "id": "ward-9"}]}], "revision": 1}
    assert asked.call("PUT", "/v1/courses/504-fire/access-rules", body=rules, as_=LA).status_code == 200
    answer = approve(asked)
    assert (slug(answer), answer.json_body["way_out"]) == ("administrator-only", "Ask the learning team to approve it.")
    assert approve(asked, LA, body=OVERRIDE).json_body["status"] == "confirmed"


def test_who_asked_within_the_enrolment_dates_has_asked_in_time(api, clock):
    ward(b.class_(enrol_until=b.TODAY))
    asks(api)
    clock.now = NOW + timedelta(days=2)
    assert approve(api).json_body["status"] == "confirmed"


def test_a_change_of_the_class_since_is_what_they_are_placed_on(asked):
    moved = b.class_(maximum=1, sessions=[b.session(b.date(2026, 12, 8))], revision=2)
    for row in classes.rows_of_class(moved):
        row.save()
    answer = approve(asked).json_body
    assert answer["starts_at"] == "2026-12-08T09:00:00Z"
    assert enrolment().class_revision == 2


# --- who may --------------------------------------------------------------------------------------------------


def test_whoever_supervises_that_assignment_now_decides_too(asked):
    b.workforce.people.AssignmentRow.of("p1", "504", b.assignment("1", supervisor="p4")).save()
    assert approve(asked, COLLEAGUE).json_body["status"] == "confirmed"


def test_who_was_asked_decides_though_they_supervise_nobody_any_more(asked):
    b.workforce.people.AssignmentRow.of("p1", "504", b.assignment("1", supervisor="p4")).save()
    assert queue(asked) == ["p1"]
    assert approve(asked).json_body["status"] == "confirmed"


def test_others_are_told_of_no_request(asked):
    assert approve(asked, COLLEAGUE).status_code == 403  # a colleague decides on nothing at all
    assert approve(asked, ABOVE).status_code == 404  # a manager of others
    assert reject(asked, ABOVE, "504-nothing~1").status_code == 404
    assert enrolment().status is Status.REQUESTED


def test_nobody_approves_their_own_request(api):
    ward()
    b.grant("p1", "learning_administrator")
    asks(api)
    assert slug(approve(api, LEARNER, body=OVERRIDE)) == "own-enrolment"
    assert slug(reject(api, LEARNER)) == "own-enrolment"
    delegate(api, to="p1")
    assert slug(approve(api, LEARNER)) == "own-enrolment"
    assert queue(api, LEARNER) == []
    assert queue(api, LEARNER, "?queue=managers") == []


def test_an_administrator_decides_in_place_of_a_manager_with_a_reason_that_stays(asked):
    refused = approve(asked, LA)
    assert (slug(refused), refused.json_body["facts"]["approver"]) == ("override-needed", "p2")
    answer = approve(asked, LA, body=OVERRIDE).json_body
    assert (answer["status"], answer["history"][-1]["reason"]) == ("confirmed", OVERRIDE["override"]["reason"])
    told()
    assert "approved by the learning team" in text_of("enrolment_approved", "p1")


def test_an_administrator_who_is_their_manager_decides_as_that_and_may_override_all_the_same(asked):
    b.grant("p2", "learning_administrator")
    asks(asked, "504-e1")
    assert approve(asked).json_body["history"][-1]["reason"] is None
    answer = approve(asked, enrolment="504-e1~1", body=OVERRIDE).json_body
    assert answer["history"][-1]["reason"] == OVERRIDE["override"]["reason"]


def test_an_administrator_needs_no_reason_for_what_nobody_else_was_asked_about(api):
    ward()
    b.person(5, assignments=[b.assignment("5")])
    asks(api, as_="504-5")
    assert approve(api, LA, person="p5").json_body["status"] == "confirmed"


def test_a_managers_override_is_refused(asked):
    assert slug(approve(asked, body=OVERRIDE)) == "not-permitted"
    assert enrolment().status is Status.REQUESTED


def test_what_an_administrator_sets_aside_stays_visible(asked):
    rules = {"rules": [{"mode": "approval", "targets": [{"kind": "UNIT", "id": "estates"}]}], "revision": 1}
    assert asked.call("PUT", "/v1/courses/504-fire/access-rules", body=rules, as_=LA).status_code == 200
    assert slug(approve(asked)) == "access-not-met"
    answer = approve(asked, LA, body=OVERRIDE).json_body
    assert [each["rule"] for each in answer["overridden"]] == ["access-not-met"]


def test_the_queues_of_administrators_are_theirs(asked):
    assert queue(asked, LA, "?queue=managers") == ["p1"]
    assert queue(asked, LA) == []
    assert slug(asked.get("/v1/approvals?queue=managers", as_=MANAGER)) == "not-permitted"


def test_a_queue_is_paged_in_the_order_of_asking_over_all_i_stand_in_for(api, clock):
    ward()
    for number, supervisor in ((5, "p2"), (6, "p3"), (7, "p2"), (8, "p3")):
        b.person(number, assignments=[b.assignment(str(number), supervisor=supervisor)])
        clock.now = NOW + timedelta(minutes=number)
        asks(api, as_=f"504-{number}")
    delegate(api, as_=ABOVE)
    delegate(api)
    seen, cursor = [], ""
    for _ in range(3):
        page = api.get(f"/v1/approvals?limit=2{cursor}", as_=COLLEAGUE).json_body
        seen.append([each["person_id"] for each in page["requests"]])
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert seen == [["p5", "p6"], ["p7", "p8"]]
    managers = api.get("/v1/approvals?queue=managers&limit=3", as_=LA).json_body
    assert [each["person_id"] for each in managers["requests"]] == ["p5", "p7", "p6"]
    rest = api.get(f"/v1/approvals?queue=managers&limit=3&cursor={managers['next_cursor']}", as_=LA).json_body
    assert [each["person_id"] for each in rest["requests"]] == ["p8"]
    assert api.get(f"/v1/approvals?cursor={managers['next_cursor']}", as_=LA).status_code == 400


def test_a_list_that_lags_shows_nothing_decided(asked):
    with lagging_reads():
        approve(asked)
        assert slug(approve(asked, LA, body=OVERRIDE)) == "enrolment-not-there"


# --- several at once ------------------------------------------------------------------------------------------


def test_several_are_decided_each_for_itself(api):
    ward()
    for number in (5, 6, 7):
        b.person(number, assignments=[b.assignment(str(number), supervisor="p2")])
        asks(api, as_=f"504-{number}")
    decisions = [
        {"person_id": "p5", "enrolment_id": "504-c1~1", "decision": "approve"},
        {"person_id": "p6", "enrolment_id": "504-c1~1", "decision": "reject", **REASON},
        {"person_id": "p7", "enrolment_id": "504-c1~1", "decision": "approve"},
        {"person_id": "p8", "enrolment_id": "504-c1~1", "decision": "approve"},
    ]
    first = api.post("/v1/approvals/decisions", {"decisions": decisions}, as_=MANAGER)
    results = first.json_body["results"]
    assert [each["status"] for each in results] == ["confirmed", "rejected", "waitlisted", None]
    assert results[3]["refused"]["type"].endswith("not-found")
    assert api.post("/v1/approvals/decisions", {"decisions": decisions}, as_=MANAGER).json_body == first.json_body


def test_wrong_decisions_are_named_and_nothing_is_carried_out(asked):
    one = {"person_id": "p1", "enrolment_id": "504-c1~1", "decision": "approve"}
    reject_it = {**one, "decision": "reject"}
    for decisions, wrong in (
        ([one, one], {"body.decisions[1]"}),
        ([reject_it], {"body.decisions[0].reason"}),
        ([{**reject_it, **REASON, **OVERRIDE}], {"body.decisions[0].override"}),
        ([{**one, **REASON}], {"body.decisions[0].reason"}),
        ([{**one, "decision": "maybe"}, {"person_id": 3}], None),
        ([], {"body.decisions"}),
        ([one] * 51, {"body.decisions"}),
    ):
        answer = asked.post("/v1/approvals/decisions", {"decisions": decisions}, as_=MANAGER)
        assert answer.status_code == 400
        assert wrong in (None, {each["field"] for each in answer.json_body["errors"]})
    assert enrolment().status is Status.REQUESTED


# --- delegating -----------------------------------------------------------------------------------------------


def test_a_delegate_is_told_sees_and_decides_beside_the_manager(api):
    ward()
    made = delegate(api)
    assert (made.status_code, made.json_body["name"]) == (201, "Sam Testfold4")
    asks(api)
    assert ("p4", "approval_requested") in told()
    assert ("p2", "approval_requested") in told()
    assert queue(api) == queue(api, COLLEAGUE) == ["p1"]
    assert approve(api, COLLEAGUE).json_body["status"] == "confirmed"
    told()
    assert "approved by whoever stands in for your manager" in text_of("enrolment_approved", "p1")


def test_whoever_is_to_stand_in_is_told_at_once_also_of_what_waits_already(asked):
    delegate(asked, last="2026-12-04")
    assert [each for each in told() if each[0] == "p4"] == [("p4", "approvals_delegated")]
    text = text_of("approvals_delegated", "p4")
    assert "from Monday 23 November 2026 to Friday 4 December 2026" in text
    assert "in place of Sam Testfold2" in text
    assert "https://portal.test/approvals" in text


def test_a_delegation_counts_on_its_days_alone(asked, clock):
    delegate(asked, first="2026-11-25", last="2026-11-26")
    may = {}
    for day in (24, 25, 26, 27):
        clock.now = NOW.replace(day=day)
        may[day] = asked.get("/v1/approvals", as_=COLLEAGUE).status_code == 200
    assert may == {24: False, 25: True, 26: True, 27: False}
    assert approve(asked, COLLEAGUE).status_code == 403


def test_a_delegation_is_passed_on_to_nobody(asked):
    delegate(asked)
    delegate(asked, to="p3", as_=COLLEAGUE)
    assert queue(asked, ABOVE) == []
    assert approve(asked, ABOVE).status_code == 404


def test_a_delegation_ends_when_it_is_taken_back_or_either_leaves(asked):
    delegation_id = delegate(asked).json_body["delegation_id"]
    assert asked.delete(f"/v1/me/delegations/{delegation_id}", as_=COLLEAGUE).status_code == 404
    assert asked.delete(f"/v1/me/delegations/{delegation_id}", as_=MANAGER).status_code == 204
    assert asked.delete(f"/v1/me/delegations/{delegation_id}", as_=MANAGER).status_code == 404
    assert approve(asked, COLLEAGUE).status_code == 403
    delegate(asked)
    b.person(5, assignments=[b.assignment("5", supervisor="p4")])  # so that they may ask at all
    leave(2)
    assert (approve(asked, COLLEAGUE).status_code, queue(asked, COLLEAGUE)) == (404, [])


def test_a_delegate_who_has_left_is_none(asked):
    delegate(asked)
    leave(4)
    asks(asked, "504-e1")
    assert ("p4", "approval_requested") not in told()


def test_a_learner_who_stands_in_for_their_manager_is_not_asked_about_themselves(api):
    ward()
    delegate(api, to="p1")
    asks(api)
    assert told() == [("p1", "approvals_delegated"), ("p1", "enrolment_requested"), ("p2", "approval_requested")]


def test_delegations_are_listed_to_both(asked):
    delegate(asked)
    delegate(asked, to="p3", first="2026-12-24", last="2026-12-24")
    given = asked.get("/v1/me/delegations", as_=MANAGER).json_body
    assert [(each["to_id"], each["from"], each["until"]) for each in given["given"]] == [
        ("p4", "2026-11-23", "2026-12-31"),
        ("p3", "2026-12-24", "2026-12-24"),
    ]
    received = asked.get("/v1/me/delegations", as_=COLLEAGUE).json_body
    assert [(each["by_id"], each["name"]) for each in received["received"]] == [("p2", "Sam Testfold2")]


def test_wrong_delegations_are_refused_by_field(asked):
    for given, wrong in (
        ({"to": "p2"}, ["body.to"]),
        ({"to": "p77"}, ["body.to"]),
        ({"to": "p9", "first": "2026-11-22"}, ["body.from"]),
        ({"last": "2027-06-01"}, ["body.until"]),
        ({"to": "p77", "first": "9999-12-31", "last": "9999-12-31"}, ["body.from", "body.to"]),
    ):
        answer = delegate(asked, **given)
        assert (answer.status_code, [each["field"] for each in answer.json_body["errors"]]) == (400, wrong)


def test_a_repetition_with_the_same_key_delegates_once(asked):
    key = {"headers": {"Idempotency-Key": "away"}}
    assert delegate(asked, **key).json_body == delegate(asked, **key).json_body
    assert len(asked.get("/v1/me/delegations", as_=MANAGER).json_body["given"]) == 1


def test_there_are_as_many_delegations_as_one_needs(asked):
    for _ in range(20):
        assert delegate(asked).status_code == 201
    assert slug(delegate(asked)) == "too-many-delegations"


def test_every_decision_is_audited_once_with_who_made_it(asked):
    asks(asked, "504-e1")
    approve(asked)
    reject(asked, LA, "504-e1~1")
    entries = sorted((row.action, row.actor) for row in AuditRow.scan() if row.action.startswith("enrolment."))
    assert entries == [
        ("enrolment.confirmed", "p2"),
        ("enrolment.rejected", "p9"),
        ("enrolment.requested", "p1"),
        ("enrolment.requested", "p1"),
    ]


def test_the_audit_says_as_what_a_request_was_decided_on_and_of_whom_it_was_asked(asked):
    delegate(asked)
    approve(asked, COLLEAGUE)
    for decide, as_ in ((reject, MANAGER), (reject, LA), (approve, LA)):
        asks(asked, "504-e1")
        latest = max(each.id for each in learner.learner("p1", "504", consistent=True).enrolments)
        decide(asked, as_, latest, OVERRIDE if decide is approve else None)
    told_of = [row.facts for row in AuditRow.scan() if row.action in ("enrolment.confirmed", "enrolment.rejected")]
    assert sorted((each["as"], each["asked"], each["status"]) for each in told_of) == [
        ("administrator", "p2", "confirmed"),
        ("administrator", "p2", "rejected"),
        ("manager", "p2", "rejected"),
        ("stand-in", "p2", "confirmed"),
    ]
