"""Managers and administrators place others on a class, take them off, and move them between seat and waiting list."""

from dataclasses import replace
from datetime import timedelta

import pytest

from chalicelib.domain.access import AccessMode, AccessRule
from chalicelib.domain.catalogue import Prerequisite, PrerequisiteKind
from chalicelib.domain.classes import ClassStatus
from chalicelib.domain.enrolment import Status
from chalicelib.domain.people import EmploymentKind
from chalicelib.domain.requirements import Target, TargetKind
from chalicelib.handlers import events
from chalicelib.services import classes, inbox, recount
from chalicelib.storage import classes as stored
from chalicelib.storage import enrolment as enrolments
from chalicelib.storage import learner as learners
from chalicelib.storage import rules
from chalicelib.storage.audit import AuditRow
from chalicelib.storage.outbox import EventRow
from chalicelib.storage.transaction import Transaction
from tests import builders as b
from tests import pump, seams
from tests.approving import said
from tests.builders import NOW

ADMINISTRATOR, MANAGER, SUBJECT_ADMINISTRATOR, OTHER_MANAGER, NURSE = "504-9", "504-8", "504-7", "504-6", "504-1"
WHY = "The ward is short of staff."
ONLY_ESTATES = AccessRule("01", AccessMode.SELF_ENROL, (Target(TargetKind.UNIT, "estates"),))
ASK_FIRST = AccessRule("01", AccessMode.APPROVAL)


def slug(answer):
    return answer.json_body["type"].rpartition(":")[2]


def place(api, as_, person="p1", class_id="504-c1", **body):
    options = {"headers": body.pop("headers")} if "headers" in body else {}
    return api.post(f"/v1/people/{person}/enrolments", {"class_id": class_id, **body}, as_=as_, **options)


def move(api, as_, step, person="p1", enrolment="504-c1~1", reason=WHY):
    body = {} if reason is None else {"reason": reason}
    return api.post(f"/v1/people/{person}/enrolments/{enrolment}/{step}", body, as_=as_)


def seats(class_id="504-c1"):
    found = stored.class_with_seats(class_id)[1]
    return found.taken, found.waiting


def enrolment(person="p1", place=-1):
    return learners.learner(person, "504").enrolments[place]


def told(kind, person="p1"):
    """The text of the message of a kind that the events so far give a person."""
    events.relay_events({"Records": pump.stream_records()})
    (text,) = [said(each) for each in inbox.page(person, 20, None)[0] if each.template == f"enrolment_{kind}"]
    return text


def audited(action):
    return [row for row in AuditRow.scan() if row.action == action]


def people():
    """Two nurses of a manager and one of nobody, the manager, and both kinds of administrator."""
    for number in (1, 2):
        b.person(number, assignments=[b.assignment(str(number), supervisor="p8")])
    b.person(3)
    b.person(8)
    b.person(9, role="learning_administrator")
    b.person(7, role="class_administrator", subjects=("fire",))


@pytest.fixture
def ward(api):
    """A course of two seats, another class at the same time, and people."""
    b.trust()
    b.offered(b.class_(maximum=2), b.class_("504-c2", sessions=[b.session(hour=11)]))
    people()
    return api


# --- placing --------------------------------------------------------------------------------------------------


def test_managers_place_their_people_and_administrators_anybody(ward):
    answer = place(ward, MANAGER)
    assert (answer.status_code, answer.json_body["status"]) == (201, "confirmed")
    assert [(row["status"], row["by"]) for row in answer.json_body["history"]] == [("confirmed", "p8")]
    assert place(ward, SUBJECT_ADMINISTRATOR, "p2").json_body["status"] == "confirmed"
    assert place(ward, ADMINISTRATOR, "p3").json_body["status"] == "waitlisted"
    assert seats() == (2, 1)
    assert {row.actor for row in audited("enrolment.confirmed")} == {"p8", "p7"}
    assert list(recount.seats("504", ["504-c1"])) == []


def test_a_manager_approves_by_placing(api):
    b.trust()
    b.offered(b.class_(), rules=[ASK_FIRST])
    people()
    assert place(api, MANAGER).json_body["status"] == "confirmed"
    assert api.post("/v1/me/enrolments", {"class_id": "504-c1"}, as_="504-2").json_body["status"] == "requested"


@pytest.fixture
def two_jobs(api):
    """A course that managers approve, and somebody with a manager in each of two jobs: p8 in the primary one, p6 in the other."""
    b.trust()
    b.offered(b.class_(), rules=[ASK_FIRST])
    people()
    b.person(6)
    jobs = [b.assignment("4", supervisor="p8"), b.assignment("4-2", supervisor="p6", primary=False)]
    b.person(4, assignments=jobs)
    return api


def test_a_manager_approves_by_placing_in_the_job_only_that_they_manage(two_jobs):
    refused = place(two_jobs, OTHER_MANAGER, "p4", assignment="4")
    assert (refused.status_code, refused.json_body["errors"][0]["field"]) == (400, "body.assignment")
    assert place(two_jobs, OTHER_MANAGER, "p4").json_body["assignment"] == "4-2"
    listed = {"people": [{"person_id": "p4", "assignment": "4"}]}
    classes.add_class(b.SYSTEM, b.class_("504-c3", sessions=[b.session(hour=15)]), NOW)
    many = two_jobs.post("/v1/classes/504-c3/enrolments", listed, as_=OTHER_MANAGER)
    assert many.json_body["results"][0]["problem"]["errors"][0]["field"] == "body.people[0].assignment"
    assert place(two_jobs, ADMINISTRATOR, "p4", class_id="504-c3").json_body["assignment"] == "4"


def test_the_manager_of_another_job_takes_nobody_off_until_that_job_is_over(two_jobs):
    assert two_jobs.post("/v1/me/enrolments", {"class_id": "504-c1"}, as_="504-4").json_body["approver_id"] == "p8"
    refused = move(two_jobs, OTHER_MANAGER, "withdrawal", "p4")
    assert (refused.status_code, slug(refused)) == (403, "not-permitted")
    over = b.assignment("4", ends_on=b.TODAY - timedelta(days=1), supervisor="p8")
    b.workforce.people.AssignmentRow.of("p4", "504", over).save()
    assert move(two_jobs, OTHER_MANAGER, "withdrawal", "p4").json_body["status"] == "withdrawn"


def test_nobody_places_or_moves_themselves_this_way(ward):
    for login, own in ((ADMINISTRATOR, "p9"), (MANAGER, "p8"), (SUBJECT_ADMINISTRATOR, "p7")):
        answer = place(ward, login, own)
        assert (answer.status_code, slug(answer)) == (403, "own-enrolment")
        for step in ("withdrawal", "cancellation", "promotion", "waiting"):
            assert slug(move(ward, login, step, own)) == "own-enrolment"
    assert seats() == (0, 0)


def test_who_is_not_theirs_is_not_found(ward):
    assert slug(place(ward, MANAGER, "p3")) == "not-found"
    assert slug(place(ward, MANAGER, "p-nobody")) == "not-found"
    assert slug(place(ward, ADMINISTRATOR, "p-nobody")) == "not-found"
    place(ward, ADMINISTRATOR, "p3")
    for step in ("withdrawal", "cancellation", "promotion", "waiting"):
        assert slug(move(ward, MANAGER, step, "p3")) == "not-found"
        assert slug(move(ward, ADMINISTRATOR, step, "p1")) == "not-found"  # p1 has no such enrolment
    assert place(ward, NURSE, "p2").status_code == 403
    assert seats() == (1, 0)


def test_class_administrators_place_and_move_in_their_subjects_only(api):
    b.trust()
    b.offered(b.class_("504-m1", course="504-moving"), course_id="504-moving", subject="moving")
    people()
    answer = place(api, SUBJECT_ADMINISTRATOR, class_id="504-m1")
    assert (answer.status_code, slug(answer)) == (403, "not-your-subject")
    place(api, ADMINISTRATOR, class_id="504-m1")
    for step in ("withdrawal", "cancellation", "promotion", "waiting"):
        assert slug(move(api, SUBJECT_ADMINISTRATOR, step, enrolment="504-m1~1")) == "not-your-subject"
    assert seats("504-m1") == (1, 0)


def test_who_has_left_is_placed_by_nobody(ward):
    b.person(4, kind=EmploymentKind.EMPLOYEE, assignments=[])
    gone = b.Employment("504", EmploymentKind.EMPLOYEE, "20000004", b.date(2020, 1, 1), b.date(2026, 11, 22))
    b.workforce.people.EmploymentRow.of(b.Person("p4", "Sam", "Testfold4"), gone).save()
    assert slug(place(ward, ADMINISTRATOR, "p4")) == "not-found"


def test_who_will_have_left_by_the_day_of_the_class_gets_no_place_on_it(ward):
    b.person(4)
    leaving = b.Employment("504", EmploymentKind.EMPLOYEE, "20000004", b.date(2024, 1, 1), b.date(2026, 11, 30))
    b.workforce.people.EmploymentRow.of(b.Person("p4", "Sam", "Testfold4", login="504-4"), leaving).save()
    for answer in (
        place(ward, ADMINISTRATOR, "p4", override={"reason": WHY}),
        ward.post("/v1/me/enrolments", {"class_id": "504-c1"}, as_="504-4"),
    ):
        assert (answer.status_code, slug(answer)) == (409, "employment-ends")
    last_day = b.class_("504-c3", sessions=[b.session(b.date(2026, 11, 30))])
    classes.add_class(b.SYSTEM, last_day, NOW)
    assert place(ward, ADMINISTRATOR, "p4", class_id="504-c3").status_code == 201


def test_the_assignment_through_which_somebody_is_placed_has_to_be_theirs(ward):
    answer = place(ward, ADMINISTRATOR, assignment="77")
    assert (answer.status_code, answer.json_body["errors"][0]["field"]) == (400, "body.assignment")
    assert place(ward, ADMINISTRATOR, assignment="1").json_body["assignment"] == "1"


def test_the_rules_for_learners_hold_for_whoever_places_them(ward):
    place(ward, MANAGER)
    again = place(ward, ADMINISTRATOR)
    assert (again.status_code, slug(again)) == (409, "already-enrolled")
    assert "/v1/people/" in again.json_body["way_out"]
    assert slug(place(ward, ADMINISTRATOR, class_id="504-c2", override={"reason": WHY})) == "clash"


def booked_elsewhere(at, person="p1"):
    """A seat that somebody has through another employer of theirs."""
    rules.EmployerRow.of("505").save()
    booked = b.enrolment(at=at, person=person, employer="505", title="Return to Work after Suspension")
    enrolments.EnrolmentRow.of(booked).save()


def test_what_somebody_books_through_another_employer_is_shown_to_nobody_but_them(ward):
    booked_elsewhere(b.class_("505-c9", "505-return"))
    b.offered(b.class_("NHS-c1", course="NHS-fire", sessions=[b.session(hour=15)]), course_id="NHS-fire")
    booked_elsewhere(b.class_("NHS-c1", "NHS-fire", sessions=[b.session(hour=15)]))
    answers = [
        *(place(ward, as_, class_id=each) for as_ in (MANAGER, ADMINISTRATOR) for each in ("504-c1", "NHS-c1")),
        ward.post("/v1/classes/504-c1/enrolments", {"people": [{"person_id": "p1"}]}, as_=ADMINISTRATOR),
    ]
    assert [slug(each) for each in answers[:4]] == ["clash", "already-enrolled"] * 2
    assert [each.json_body.get("facts") for each in answers[:4]] == [None] * 4
    assert [each for each in answers if "505" in str(each.json_body) or "Return" in str(each.json_body)] == []
    own = ward.post("/v1/me/enrolments", {"class_id": "504-c1"}, as_=NURSE)
    assert own.json_body["facts"]["title"] == "Return to Work after Suspension"


def test_a_clash_on_a_class_of_their_own_employer_is_named_to_whoever_places_them(ward):
    place(ward, MANAGER)
    refused = place(ward, MANAGER, class_id="504-c2")
    assert refused.json_body["facts"] == {"enrolment": "504-c1~1", "title": "Fire Safety"}
    assert refused.json_body["way_out"] == "Have them give the other seat back, or choose another date."


def test_a_repetition_with_the_same_key_answers_the_same_and_places_once(ward):
    once = {"headers": {"Idempotency-Key": "place-1"}}
    first, second = place(ward, MANAGER, **once), place(ward, MANAGER, **once)
    assert (first.json_body, second.headers["Idempotency-Replayed"]) == (second.json_body, "true")
    assert place(ward, MANAGER, "p2", **once).status_code == 422
    assert seats() == (1, 0)


def test_a_learner_changed_meanwhile_is_judged_again(ward):
    def book_elsewhere():
        ward.post("/v1/me/enrolments", {"class_id": "504-c2"}, as_=NURSE)

    with seams.before_commit(book_elsewhere):
        assert slug(place(ward, MANAGER)) == "clash"
    assert (seats(), seats("504-c2")) == ((0, 0), (1, 0))


def test_a_seat_given_back_meanwhile_is_taken_instead_of_waiting_in_vain(ward):
    for person in ("p2", "p3"):
        place(ward, ADMINISTRATOR, person)
    with seams.before_commit(lambda: move(ward, ADMINISTRATOR, "withdrawal", "p3")):
        assert place(ward, MANAGER).json_body["status"] == "confirmed"
    assert seats() == (2, 0)


# --- rules set aside ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("class_changes", "course_changes", "rule"),
    [
        ({}, {"rules": [ONLY_ESTATES]}, "access-not-met"),
        ({}, {"prerequisites": [Prerequisite(PrerequisiteKind.COMPETENCY, b.MOVING)]}, "prerequisite-missing"),
        ({"enrol_until": b.TODAY - timedelta(days=1)}, {}, "enrolment-not-open"),
        ({"sessions": [b.session(b.TODAY - timedelta(days=1))]}, {}, "class-past"),
    ],
)
def test_an_administrator_sets_a_rule_aside_with_a_reason_that_stays_visible(api, class_changes, course_changes, rule):
    b.trust()
    b.offered(b.class_(**class_changes), **course_changes)
    people()
    refused = place(api, ADMINISTRATOR)
    assert slug(refused) == rule
    assert "override" in refused.json_body["way_out"]
    answer = place(api, ADMINISTRATOR, override={"reason": WHY})
    assert answer.status_code == 201, answer.json_body
    assert [each["rule"] for each in answer.json_body["overridden"]] == [rule]
    assert answer.json_body["history"][0]["reason"] == WHY
    assert audited("enrolment.confirmed")[0].facts["overridden"] == list(enrolment().overridden)
    mine = api.get("/v1/me/enrolments/504-c1~1", as_=NURSE).json_body
    assert [each["rule"] for each in mine["overridden"]] == [rule]


@pytest.mark.parametrize("status", [ClassStatus.CLOSED, ClassStatus.CANCELLED])
def test_what_a_class_is_can_not_be_set_aside(api, status):
    b.trust()
    b.offered(b.class_(status=status))
    people()
    assert place(api, ADMINISTRATOR, override={"reason": WHY}).status_code == 409
    assert seats() == (0, 0)


def test_nobody_waits_on_a_class_that_has_started(api):
    b.trust()
    b.offered(b.class_(maximum=1, sessions=[b.session(b.TODAY - timedelta(days=1))]))
    people()
    assert place(api, ADMINISTRATOR, override={"reason": WHY}).status_code == 201
    assert slug(place(api, ADMINISTRATOR, "p2", override={"reason": WHY})) == "class-full"
    assert seats() == (1, 0)


def test_of_a_class_that_is_over_nobody_is_told_though_it_is_audited(api):
    b.trust()
    b.offered(b.class_(sessions=[b.session(b.TODAY - timedelta(days=1))]))
    people()
    assert place(api, ADMINISTRATOR, override={"reason": WHY}).status_code == 201
    assert move(api, ADMINISTRATOR, "withdrawal").status_code == 200
    assert [row.type for row in EventRow.scan() if row.type.startswith("enrolment.")] == []
    assert len(audited("enrolment.confirmed")) == len(audited("enrolment.withdrawn")) == 1


def test_an_override_that_sets_nothing_aside_records_nothing(ward):
    shown = place(ward, ADMINISTRATOR, override={"reason": WHY}).json_body
    assert (shown["overridden"], shown["history"][0]["reason"]) == ([], None)


def test_setting_aside_is_for_administrators_and_takes_a_reason(ward):
    refused = place(ward, MANAGER, override={"reason": WHY})
    assert (refused.status_code, slug(refused)) == (403, "not-permitted")
    for reason in ("", "   ", "x" * 501, None):
        answer = place(ward, ADMINISTRATOR, override={"reason": reason})
        assert (answer.status_code, answer.json_body["errors"][0]["field"]) == (400, "body.override.reason")
    assert seats() == (0, 0)


def test_the_reason_for_setting_aside_is_not_given_as_the_reason_for_waiting(api):
    b.trust()
    b.offered(b.class_(maximum=1), rules=[ONLY_ESTATES])
    people()
    place(api, ADMINISTRATOR, "p3", override={"reason": "Covers estates."})
    answer = place(api, ADMINISTRATOR, override={"reason": WHY})
    assert (answer.json_body["status"], answer.json_body["history"][0]["reason"]) == ("waitlisted", WHY)
    assert "because every seat is taken" in told("waitlisted")
    assert WHY not in told("waitlisted")


def test_a_course_that_neither_manager_nor_learner_finds_is_not_found_by_placing(api):
    b.trust()
    b.offered(b.class_(), rules=[ONLY_ESTATES])
    people()
    assert slug(place(api, MANAGER)) == slug(place(api, MANAGER, class_id="504-nothing")) == "not-found"


def test_a_manager_who_finds_a_course_that_the_learner_does_not_is_told_so(api):
    b.trust()
    b.offered(b.class_(), rules=[AccessRule("01", AccessMode.SELF_ENROL, (Target(TargetKind.PERSON, "p8"),))])
    people()
    assert slug(place(api, MANAGER)) == "access-not-met"


def test_only_administrators_place_on_courses_that_are_theirs_to_place_on(api):
    b.trust()
    b.offered(b.class_(), rules=[AccessRule("01", AccessMode.ADMINISTRATOR)])
    people()
    assert slug(place(api, MANAGER)) == "administrator-only"
    assert place(api, ADMINISTRATOR).json_body["status"] == "confirmed"


# --- taking off -----------------------------------------------------------------------------------------------


def test_who_is_withdrawn_is_told_by_whom_as_a_role_and_why(ward):
    place(ward, ADMINISTRATOR)
    answer = move(ward, MANAGER, "withdrawal")
    assert (answer.status_code, answer.json_body["status"]) == (200, "withdrawn")
    assert answer.json_body["history"][-1] | {"at": ""} == {"status": "withdrawn", "at": "", "by": "p8", "reason": WHY}
    text = told("withdrawn")
    assert "Your manager has withdrawn your place on Fire Safety." in text
    assert f"Why: {WHY}" in text
    assert "Testfold8" not in text
    assert seats() == (0, 0)
    assert list(recount.seats("504", ["504-c1"])) == []


def test_a_withdrawal_needs_no_reason_and_a_cancellation_does(ward):
    place(ward, ADMINISTRATOR)
    for step in ("cancellation", "waiting", "promotion"):
        answer = move(ward, ADMINISTRATOR, step, reason=None)
        assert (answer.status_code, answer.json_body["errors"][0]["field"]) == (400, "body.reason")
    assert move(ward, ADMINISTRATOR, "withdrawal", reason=None).json_body["status"] == "withdrawn"
    assert "The learning team has withdrawn your place" in told("withdrawn")
    assert "Why:" not in told("withdrawn")


def test_a_cancellation_is_an_administrators_and_told_with_its_reason(ward):
    place(ward, MANAGER)
    refused = move(ward, MANAGER, "cancellation")
    assert (refused.status_code, slug(refused)) == (403, "not-permitted")
    assert move(ward, SUBJECT_ADMINISTRATOR, "cancellation").json_body["status"] == "cancelled"
    text = told("cancelled")
    assert "was cancelled by the learning team" in text
    assert f"Why: {WHY}" in text
    assert seats() == (0, 0)


def test_repeating_a_step_changes_nothing_and_anybody_else_is_told_how_it_stands(ward):
    place(ward, ADMINISTRATOR)
    first = move(ward, MANAGER, "withdrawal")
    again = move(ward, MANAGER, "withdrawal", reason="Another reason.")
    assert (again.status_code, again.json_body) == (200, first.json_body)
    for step in ("withdrawal", "cancellation", "promotion", "waiting"):
        other = move(ward, ADMINISTRATOR, step)
        assert (other.status_code, slug(other)) == (409, "enrolment-not-there")
        assert other.json_body["facts"]["status"] == "withdrawn"
    assert len(audited("enrolment.withdrawn")) == 1
    assert seats() == (0, 0)


def test_a_request_is_withdrawn_without_any_seat(api):
    b.trust()
    b.offered(b.class_(), rules=[ASK_FIRST])
    people()
    api.post("/v1/me/enrolments", {"class_id": "504-c1"}, as_=NURSE)
    assert slug(move(api, ADMINISTRATOR, "promotion")) == "enrolment-not-there"  # approving is the manager's
    assert slug(move(api, ADMINISTRATOR, "waiting")) == "enrolment-not-there"
    assert move(api, MANAGER, "withdrawal").json_body["status"] == "withdrawn"
    assert seats() == (0, 0)


def test_what_is_completed_is_neither_withdrawn_nor_undone(ward):
    b.person(4, enrolments=[b.enrolment(Status.COMPLETED, b.class_(maximum=2), person="p4")])
    for step in ("withdrawal", "cancellation", "promotion", "waiting"):
        assert slug(move(ward, ADMINISTRATOR, step, "p4")) == "enrolment-not-there"


def test_administrators_and_managers_withdraw_also_after_the_start(ward, clock):
    place(ward, MANAGER)
    clock.now = NOW + timedelta(days=30)
    assert slug(ward.post("/v1/me/enrolments/504-c1~1/withdrawal", as_=NURSE)) == "too-late-to-withdraw"
    assert move(ward, MANAGER, "withdrawal").json_body["status"] == "withdrawn"


def test_a_seat_taken_away_goes_to_whoever_waits(ward, nothing_waits):
    after = pump.Pump()
    for person in ("p1", "p2", "p3"):
        place(ward, ADMINISTRATOR, person)
    move(ward, ADMINISTRATOR, "cancellation")
    after.run()
    assert enrolment("p3").status is Status.CONFIRMED
    assert seats() == (2, 0)


# --- out of turn, and back to the list ------------------------------------------------------------------------


@pytest.fixture
def waiting(ward):
    """p3 and p2 are confirmed; p1 waits, and behind p1 p8."""
    for person in ("p3", "p2", "p1", "p8"):
        place(ward, ADMINISTRATOR, person)
    return ward


def test_a_seat_is_given_out_of_turn_only_while_there_is_one(waiting):
    full = move(waiting, ADMINISTRATOR, "promotion", "p8")
    assert (full.status_code, slug(full)) == (409, "class-full")
    move(waiting, ADMINISTRATOR, "withdrawal", "p3")
    refused = move(waiting, MANAGER, "promotion", "p1")
    assert (refused.status_code, slug(refused)) == (403, "not-permitted")
    given = move(waiting, SUBJECT_ADMINISTRATOR, "promotion", "p8")
    assert (given.status_code, given.json_body["status"]) == (200, "confirmed")
    assert given.json_body["history"][-1]["reason"] == WHY
    assert move(waiting, SUBJECT_ADMINISTRATOR, "promotion", "p8").json_body == given.json_body
    assert (seats(), enrolment("p1").status) == ((2, 1), Status.WAITLISTED)
    assert list(recount.seats("504", ["504-c1"])) == []


def change_class(status, **fields):
    before = stored.class_with_seats("504-c1", consistent=True)[0]
    after = replace(before, status=status, revision=before.revision + 1, **fields)
    transaction = Transaction()
    stored.change(transaction, before, after)
    transaction.commit()


def test_a_closed_class_still_gives_seats_to_those_who_wait_and_a_planned_or_cancelled_one_does_not(waiting):
    move(waiting, ADMINISTRATOR, "withdrawal", "p3")
    change_class(ClassStatus.PLANNED)
    assert slug(move(waiting, ADMINISTRATOR, "promotion")) == "class-not-open"
    change_class(ClassStatus.CLOSED, venue="Another room")
    assert move(waiting, ADMINISTRATOR, "promotion").json_body["venue"] == "Another room"
    change_class(ClassStatus.CANCELLED)
    assert slug(move(waiting, ADMINISTRATOR, "promotion", "p8")) == "class-cancelled"
    assert seats() == (2, 1)


def test_nobody_is_promoted_after_the_start_or_into_a_clash(waiting, clock):
    move(waiting, ADMINISTRATOR, "withdrawal", "p3")
    waiting.post("/v1/me/enrolments", {"class_id": "504-c2"}, as_=NURSE)
    assert slug(move(waiting, ADMINISTRATOR, "promotion")) == "clash"
    clock.now = NOW + timedelta(days=30)
    assert slug(move(waiting, ADMINISTRATOR, "promotion", "p8")) == "class-past"
    assert slug(move(waiting, ADMINISTRATOR, "waiting", "p2")) == "class-past"


def test_a_clash_elsewhere_is_not_shown_to_whoever_gives_a_seat_out_of_turn(waiting):
    move(waiting, ADMINISTRATOR, "withdrawal", "p3")
    booked_elsewhere(b.class_("505-c9", "505-return"))
    refused = move(waiting, ADMINISTRATOR, "promotion")
    assert (slug(refused), refused.json_body.get("facts")) == ("clash", None)


def test_who_will_have_left_by_the_day_of_the_class_is_given_no_seat_out_of_turn(waiting):
    move(waiting, ADMINISTRATOR, "withdrawal", "p3")
    leaving = b.Employment("504", EmploymentKind.EMPLOYEE, "20000008", b.date(2024, 1, 1), b.date(2026, 11, 30))
    b.workforce.people.EmploymentRow.of(b.Person("p8", "Sam", "Testfold8", login="504-8"), leaving).save()
    assert slug(move(waiting, ADMINISTRATOR, "promotion", "p8")) == "employment-ends"
    assert seats() == (1, 2)


def test_of_two_promotions_to_the_last_seat_one_is_refused(waiting):
    move(waiting, ADMINISTRATOR, "withdrawal", "p3")
    with seams.before_commit(lambda: move(waiting, SUBJECT_ADMINISTRATOR, "promotion", "p8")):
        assert slug(move(waiting, ADMINISTRATOR, "promotion", "p1")) == "class-full"
    assert seats() == (2, 1)
    assert list(recount.seats("504", ["504-c1"])) == []


def test_a_national_list_is_every_employers(ward):
    b.offered(b.class_("NHS-c1", course="NHS-fire", maximum=1), course_id="NHS-fire")
    for person in ("p3", "p1"):
        place(ward, ADMINISTRATOR, person, class_id="NHS-c1")
    move(ward, ADMINISTRATOR, "withdrawal", "p3", enrolment="NHS-c1~1")
    refused = move(ward, ADMINISTRATOR, "promotion", enrolment="NHS-c1~1")
    assert (refused.status_code, slug(refused)) == (403, "not-your-item")


def test_who_is_sent_back_waits_behind_the_others_and_is_told_why(waiting, clock, nothing_waits):
    after = pump.Pump()
    clock.now = NOW + timedelta(minutes=5)
    assert slug(move(waiting, MANAGER, "waiting", "p2")) == "not-permitted"
    back = move(waiting, ADMINISTRATOR, "waiting", "p2")
    assert (back.status_code, back.json_body["status"]) == (200, "waitlisted")
    assert move(waiting, ADMINISTRATOR, "waiting", "p2").json_body == back.json_body
    assert seats() == (1, 3)
    text = told("waitlisted", "p2")
    assert "The learning team has moved you from your seat on Fire Safety to its waiting list." in text
    assert f"Why: {WHY}" in text
    after.run()
    assert [enrolment(each).status.value for each in ("p3", "p1")] == ["confirmed", "confirmed"]
    assert [each.person for each in enrolments.waiting_list("504-c1")] == ["p8", "p2"]
    assert list(recount.seats("504", ["504-c1"])) == []


def test_nobody_is_sent_back_to_a_seat_that_would_come_back_at_once(ward):
    place(ward, ADMINISTRATOR)
    refused = move(ward, ADMINISTRATOR, "waiting")
    assert (refused.status_code, slug(refused)) == (409, "nobody-else-waits")
    change_class(ClassStatus.NORMAL, maximum=1)
    place(ward, ADMINISTRATOR, "p2")
    assert move(ward, ADMINISTRATOR, "waiting").json_body["status"] == "waitlisted"


def test_an_overbooked_class_sends_back_without_anybody_waiting(ward):
    for person in ("p1", "p2"):
        place(ward, ADMINISTRATOR, person)
    change_class(ClassStatus.NORMAL, maximum=1)
    assert move(ward, ADMINISTRATOR, "waiting").json_body["status"] == "waitlisted"
    assert seats() == (1, 1)


# --- what enrolling would give --------------------------------------------------------------------------------


def test_a_class_says_what_enrolling_would_give(api):
    b.trust()
    b.offered(b.class_(maximum=1), b.class_("504-c2", sessions=[b.session(hour=15)]))
    b.offered(
        b.class_("504-a1", course="504-ask", sessions=[b.session(hour=18)]), course_id="504-ask", rules=[ASK_FIRST]
    )
    people()
    place(api, ADMINISTRATOR, "p3")
    would_be = {
        each: api.get(f"/v1/classes/{each}", as_=NURSE).json_body["may_enrol"]["would_be"]
        for each in ("504-c1", "504-c2", "504-a1")
    }
    assert would_be == {"504-c1": "waitlisted", "504-c2": "confirmed", "504-a1": "requested"}
    place(api, ADMINISTRATOR, class_id="504-c2")
    again = api.get("/v1/classes/504-c2", as_=NURSE).json_body["may_enrol"]
    assert (again["allowed"], again["would_be"]) == (False, None)


def test_events_of_moves_say_what_messages_need(ward):
    place(ward, ADMINISTRATOR)
    move(ward, ADMINISTRATOR, "withdrawal")
    withdrawn = next(row for row in EventRow.scan() if row.type == "enrolment.withdrawn")
    assert withdrawn.data["promote"] == ["504-c1"]
    assert (withdrawn.data["by_whom"], withdrawn.data["in_calendar"]) == ("the learning team", True)
