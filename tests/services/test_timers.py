"""What becomes due: reminders, escalation, requests that lapse, and what a class ends when it starts."""

from datetime import timedelta

import pytest

from chalicelib.domain.enrolment import Status
from chalicelib.domain.timers import Timer, TimerKind
from chalicelib.handlers import timers as timekeeper
from chalicelib.handlers import work
from chalicelib.services import classes, identity, recount, takeover, timers
from chalicelib.storage import classes as stored
from chalicelib.storage import learner, rules
from chalicelib.storage import timers as rows
from chalicelib.storage.audit import AuditRow
from chalicelib.storage.timers import TimerRow
from chalicelib.storage.transaction import Transaction
from tests import builders as b
from tests.approving import (
    LA,
    MANAGER,
    approve,
    asks,
    delegate,
    leave,
    messages,
    queue,
    said,
    text_of,
    told,
    ward,
)
from tests.builders import NOW
from tests.pump import Pump, plenty, queued
from tests.seams import before_commit, lagging_reads

DAY = timedelta(days=1)
LATE = timedelta(minutes=2)


@pytest.fixture(name="at")
def _at(api, clock, monkeypatch):
    """Let it be another time: what is due by then is looked after."""

    def move_to(moment):
        clock.now = moment
        monkeypatch.setattr(timekeeper, "now", lambda: moment)
        monkeypatch.setattr(work, "now", lambda: moment)
        timekeeper.queue_what_is_due()
        for message in [each for each in queued() if '"timers"' in each["body"]]:
            assert work.do_work({"Records": [message]}, plenty) == {"batchItemFailures": []}

    return move_to


def enrolment(person="p1", class_id="504-c1"):
    found = learner.learner(person, "504", consistent=True).enrolments
    return next(each for each in found if each.class_id == class_id)


def set_timers(employer="504"):
    return rows.due(employer, NOW + 1000 * DAY, 100)


def templates(person):
    return [template for who, template in told() if who == person]


# --- requests ---------------------------------------------------------------------------------------------------


def test_asking_sets_the_timers_of_what_becomes_due(api):
    ward()
    asks(api)
    asks(api, "504-e1")
    due = [((each.at - NOW) / DAY, each.facts["step"]) for each in set_timers() if each.kind is TimerKind.APPROVAL]
    assert due == [(3, "remind"), (3, "remind"), (7, "escalate"), (7, "escalate"), (28, "lapse")]


def test_after_three_days_whoever_is_asked_is_reminded_once_with_their_delegate(api, at):
    ward()
    asks(api)
    delegate(api)
    at(NOW + 3 * DAY - LATE)
    assert "approval_due" not in templates("p2")
    at(NOW + 3 * DAY + LATE)
    at(NOW + 3 * DAY + 2 * LATE)
    assert templates("p2") == ["approval_due", "approval_requested"]
    assert templates("p4") == ["approval_due", "approvals_delegated"]
    assert templates("p1") == ["enrolment_requested"]
    assert "has waited since Monday 23 November 2026" in text_of("approval_due", "p2")
    assert enrolment().approver == "p2"


def test_after_seven_days_it_goes_to_whoever_is_above_and_the_learner_is_told(api, at):
    ward(b.class_(sessions=[b.session(b.date(2026, 12, 20))]))
    asks(api)
    at(NOW + 3 * DAY + LATE)
    at(NOW + 7 * DAY + LATE)
    assert enrolment().approver == "p3"
    assert templates("p3") == ["approval_due"]
    assert "It now waits for Sam Testfold3, or whoever stands in for them." in text_of("approval_due", "p3")
    assert any("now waits for Sam Testfold3" in said(row) for row in messages() if row.pk == "P#p1")
    assert (queue(api), queue(api, "504-3")) == ([], ["p1"])
    assert approve(api, MANAGER).json_body["status"] == "confirmed"  # who supervises them still decides


def test_with_nobody_above_it_goes_to_the_administrators(api, at):
    ward(b.class_(sessions=[b.session(b.date(2026, 12, 20))]))
    b.person(5, assignments=[b.assignment("5", supervisor="p3")])
    asks(api, as_="504-5")
    at(NOW + 7 * DAY + LATE)
    assert enrolment("p5").approver is None
    assert queue(api, LA, "?queue=unassigned") == ["p5"]
    assert templates("p5") == ["enrolment_requested", "enrolment_requested"]
    assert any("now waits for the learning team" in said(row) for row in messages())
    escalated = next(row for row in AuditRow.scan() if row.action == "approval.escalated")
    assert (escalated.actor, escalated.facts["from"], escalated.facts["to"]) == ("system:timers", "p3", None)


def test_it_never_goes_up_to_its_own_learner(api, at):
    ward(b.class_(sessions=[b.session(b.date(2026, 12, 20))]))
    b.person(5, assignments=[b.assignment("5", supervisor="p6")])
    b.person(6, assignments=[b.assignment("6", supervisor="p5")])
    asks(api, as_="504-5")
    at(NOW + 7 * DAY + LATE)
    assert enrolment("p5").approver is None


def test_whoever_looks_late_escalates_without_reminding_first(api, at):
    ward(b.class_(sessions=[b.session(b.date(2026, 12, 20))]))
    asks(api)
    at(NOW + 8 * DAY)
    assert templates("p2") == ["approval_requested"]
    assert templates("p3") == ["approval_due"]


def test_a_manager_who_has_left_is_not_reminded_and_whoever_follows_them_is_asked(api, at):
    ward()
    asks(api)
    leave(2)
    b.workforce.people.AssignmentRow.of("p1", "504", b.assignment("1", supervisor="p4")).save()
    at(NOW + 3 * DAY + LATE)
    assert enrolment().approver == "p4"
    assert templates("p2") == ["approval_requested"]
    assert templates("p4") == ["approval_due"]


def test_who_supervises_them_by_then_is_asked_instead(api, at):
    ward()
    asks(api)
    b.workforce.people.AssignmentRow.of("p1", "504", b.assignment("1", supervisor="p4")).save()
    at(NOW + 3 * DAY + LATE)
    assert (enrolment().approver, queue(api, "504-4")) == ("p4", ["p1"])


def test_without_anybody_above_or_still_here_the_administrators_decide(api, at):
    ward()
    asks(api)
    leave(2)
    at(NOW + 3 * DAY + LATE)
    assert queue(api, LA, "?queue=unassigned") == ["p1"]


def test_a_request_for_a_class_moved_later_is_reminded_of_and_escalated_too(api, nothing_waits, at):
    ward(b.class_(sessions=[b.session(b.date(2026, 11, 25))]))
    asks(api)
    pump = Pump()
    move(b.date(2026, 12, 20))
    pump.run()
    at(NOW + 3 * DAY + LATE)
    assert "approval_due" in templates("p2")
    at(NOW + 7 * DAY + LATE)
    assert (enrolment().approver, enrolment().status) == ("p3", Status.REQUESTED)


def test_a_request_for_a_class_about_to_start_is_neither_reminded_of_nor_escalated_afterwards(api, at):
    ward(b.class_(sessions=[b.session(b.date(2026, 11, 25))]))
    asks(api)
    at(NOW + 7 * DAY + LATE)
    assert (enrolment().approver, enrolment().status) == ("p2", Status.CANCELLED)
    assert templates("p2") == ["approval_requested"]
    assert set_timers() == []


def test_what_is_decided_reminds_nobody(api, at):
    ward()
    asks(api)
    approve(api)
    before = told()
    at(NOW + 7 * DAY + LATE)
    of_the_class = [("p1", "class_reminder"), ("p9", "minimum_not_met")]
    assert told() == sorted([*before, *of_the_class])
    assert [each.kind for each in set_timers()] == [TimerKind.CLASS_START]


def test_e_learning_that_nobody_decides_on_lapses_after_four_weeks(api, at):
    ward()
    asks(api, "504-e1")
    at(NOW + 28 * DAY + LATE)
    lapsed = enrolment(class_id="504-e1")
    assert (lapsed.status, lapsed.history[-1].by) == (Status.CANCELLED, "system:timers")
    told()
    assert "nobody decided on the request in time" in text_of("enrolment_lapsed", "p1")
    assert asks(api, "504-e1").json_body["id"] == "504-e1~2"


def test_an_approval_while_it_is_escalated_is_not_overwritten(api, at):
    ward(b.class_(sessions=[b.session(b.date(2026, 12, 20))]))
    asks(api)
    timer = next(each for each in set_timers() if each.facts.get("step") == "escalate")
    with before_commit(lambda: approve(api)):
        timers._ring_approval(timer, NOW + 7 * DAY, lambda: True)
    assert (enrolment().status, enrolment().approver) == (Status.CONFIRMED, "p2")


def test_a_timer_that_two_ring_at_once_is_rung_once(api):
    ward()
    asks(api)
    timer = next(each for each in set_timers() if each.facts.get("step") == "remind")
    later = NOW + 3 * DAY
    with before_commit(lambda: timers._ring_approval(timer, later, lambda: True)), pytest.raises(rows.AlreadyRung):
        timers._ring_approval(timer, later, lambda: True)
    assert templates("p2") == ["approval_due", "approval_requested"]


# --- classes that start -----------------------------------------------------------------------------------------

START = b.class_().starts_at


def waits(number, status=Status.WAITLISTED, at=None, **changes):
    b.person(number, assignments=[b.assignment(str(number), supervisor="p2")])
    taken = b.enrolment(status, at or b.class_(maximum=1), person=f"p{number}", **changes)
    takeover.take_over(b.SYSTEM, "504", f"p{number}", [], [taken], NOW)


@pytest.fixture(name="starting")
def _starting(api):
    """A class of one: p5 has the seat, p6 and p7 wait, p7 passed over, p1 has asked."""
    ward()
    waits(5, Status.CONFIRMED)
    waits(6)
    waits(7, passed_over=True)
    asks(api)


def states(*numbers):
    return [enrolment(f"p{number}").status.value for number in numbers]


def test_when_a_class_starts_its_waiting_list_and_requests_end(starting, at):
    at(START - LATE)
    assert states(5, 6, 7, 1) == ["confirmed", "waitlisted", "waitlisted", "requested"]
    at(START + LATE)
    assert states(5, 6, 7, 1) == ["confirmed", "cancelled", "cancelled", "cancelled"]
    assert list(recount.seats("504", ["504-c1"])) == []
    told()
    assert "No seat on Fire Safety came free for you" in text_of("enrolment_lapsed", "p6")
    assert "because the class has started and nobody had decided on it" in text_of("enrolment_lapsed", "p1")
    assert "https://portal.test/courses/504-fire" in text_of("enrolment_lapsed", "p1")
    assert set_timers() == []


def test_ringing_again_changes_nothing_and_tells_nobody_twice(starting, at):
    at(START + LATE)
    before = told()
    transaction = Transaction()
    rows.set_timer(transaction, Timer("504", START, TimerKind.CLASS_START, "504-c1"))
    transaction.commit()
    at(START + 2 * LATE)
    assert told() == before


def ada():
    return identity.identify(LA, None, NOW)


def move(day):
    revision = stored.class_with_seats("504-c1", consistent=True)[0].revision
    classes.change(ada(), "504-c1", revision, {"sessions": [b.session(day)]}, NOW, True)


def test_a_class_moved_later_rings_when_it_starts(starting, at):
    move(b.date(2026, 12, 8))
    at(START + LATE)
    assert states(6, 1) == ["waitlisted", "requested"]
    at(START + 7 * DAY + LATE)
    assert states(6, 1) == ["cancelled", "cancelled"]


def test_a_class_moved_while_it_rings_keeps_its_waiting_list(starting):
    timer = next(each for each in set_timers() if each.kind is TimerKind.CLASS_START)
    with before_commit(lambda: move(b.date(2026, 12, 8))):
        assert timers._ring_class_start(timer, START + LATE, lambda: True)
    assert states(6, 7, 1) == ["waitlisted", "waitlisted", "requested"]


def test_when_time_runs_out_the_rest_is_handed_on(starting, monkeypatch):
    looks = iter([True] * 4)  # at what rang before the class, at two timers of the request, and at the class
    assert not timers.ring("504", START + LATE, lambda: next(looks, False))
    assert sorted(states(6, 7)) == ["cancelled", "waitlisted"]
    monkeypatch.setattr(work, "now", lambda: START + LATE)
    work.do_work({"Records": [{"messageId": "1", "body": '{"kind": "timers", "employer": "504"}'}]}, lambda: 0)
    assert [each["body"] for each in queued()] == ['{"kind": "timers", "employer": "504"}']
    assert timers.ring("504", START + LATE, lambda: True)
    assert states(6, 7, 1) == ["cancelled"] * 3


def test_whoever_the_list_does_not_show_yet_is_looked_for_again(api):
    ward()
    with lagging_reads():
        waits(5, Status.CONFIRMED)
        waits(6)
        with pytest.raises(timers.SomeFailed):
            timers.ring("504", START + LATE, lambda: True)
        assert states(6) == ["waitlisted"]
    assert timers.ring("504", START + LATE, lambda: True)
    assert states(6) == ["cancelled"]


def test_a_timer_that_fails_keeps_none_behind_it_back(starting, monkeypatch):
    transaction = Transaction()
    rows.set_timer(transaction, Timer("504", START - LATE, TimerKind.APPROVAL, "broken"))
    transaction.commit()
    with pytest.raises(timers.SomeFailed):
        timers.ring("504", START + LATE, lambda: True)
    assert states(6, 7, 1) == ["cancelled"] * 3
    assert [each.subject for each in rows.due("504", START + LATE, 10)] == ["broken"]


def test_what_goes_on_failing_is_named_and_fills_no_dead_letter_queue(starting, clock, monkeypatch):
    logged = []
    monkeypatch.setattr(timers, "log_fault", lambda _, **facts: logged.append(facts))
    seats = stored.SeatsRow.key_of("504-c1")
    seats.update([stored.SeatsRow.waiting.add(1)])  # whom no list shows
    with pytest.raises(timers.SomeFailed):
        timers.ring("504", START + timers.PATIENCE, lambda: True)
    assert timers.ring("504", START + timers.PATIENCE + LATE, lambda: True)
    assert logged == [{"employer": "504", "timer": "class start", "subject": "504-c1"}] * 2
    seats.update([stored.SeatsRow.waiting.add(-1)])
    assert timers.ring("504", START + 2 * timers.PATIENCE, lambda: True)
    assert set_timers() == []


def test_a_timer_of_a_class_that_is_gone_rings_for_nothing(aws):
    TimerRow.of(Timer("504", START, TimerKind.CLASS_START, "504-gone")).save()
    assert timers.ring("504", START + LATE, lambda: True)
    assert set_timers() == []


def test_a_national_class_ends_the_waiting_lists_of_every_employer(aws):
    b.trust()
    rules.EmployerRow.of("505").save()
    national = b.class_("NHS-c1", course="NHS-fire", maximum=0)
    b.offered(national, course_id="NHS-fire")
    for number, employer in ((5, "504"), (6, "505")):
        b.person(number, employer=employer, assignments=())
        taken = b.enrolment(Status.WAITLISTED, national, person=f"p{number}", employer=employer)
        takeover.take_over(b.SYSTEM, employer, f"p{number}", [], [taken], NOW)
    assert timers.queue_what_is_due(START + LATE) == 1
    assert timers.ring("NHS", START + LATE, lambda: True)
    ended = [learner.learner(f"p{n}", e, consistent=True).enrolments[0].status for n, e in ((5, "504"), (6, "505"))]
    assert ended == [Status.CANCELLED, Status.CANCELLED]


def test_the_timekeeper_asks_each_employer_once_and_queues_those_with_something_due(api, at):
    ward()
    assert timers.queue_what_is_due(NOW) == 0
    assert queued() == []
    asks(api)
    assert timers.queue_what_is_due(NOW + 3 * DAY + LATE) == 1
    assert [each["body"] for each in queued()] == ['{"kind": "timers", "employer": "504"}']


def test_a_class_cancelled_before_has_nothing_left_to_end(starting, nothing_waits, at):
    pump = Pump()
    classes.cancel(ada(), "504-c1", "The room was flooded.", NOW, True)
    pump.run()
    at(START + LATE)
    assert states(5, 6, 7, 1) == ["cancelled"] * 4
    assert "enrolment_lapsed" not in {template for _, template in told()}


# --- external training ------------------------------------------------------------------------------------------


@pytest.fixture(name="submitted")
def _submitted(api):
    """Training of p1 that waits for p2."""
    ward()
    body = {"title": "Fire Day", "provider": "Fire College", "completed_on": "2026-11-02"}
    training = api.post("/v1/me/external-training", body, as_="504-1").json_body["id"]
    assert api.post(f"/v1/me/external-training/{training}/submission", as_="504-1").json_body["approver_id"] == "p2"
    return training


def trainings(api, as_):
    return [each["id"] for each in api.get("/v1/external-training/requests", as_=as_).json_body["requests"]]


def test_external_training_is_reminded_of_and_escalated_alike(api, submitted, at):
    at(NOW + 3 * DAY + LATE)
    assert templates("p2") == ["external_training_requested"] * 2
    reminder = next(each for each in messages() if each.pk == "P#p2" and each.subject.startswith("Still to be decided"))
    assert "has waited since Monday 23 November 2026" in said(reminder)
    assert "It waits for Sam Testfold2" in said(reminder)
    at(NOW + 7 * DAY + LATE)
    assert templates("p3") == ["external_training_requested"]
    assert "It now waits for Sam Testfold3" in text_of("external_training_requested", "p3")
    assert (trainings(api, "504-2"), trainings(api, "504-3")) == ([], [submitted])
    assert set_timers()[0].kind is TimerKind.CLASS_START


def test_a_delegate_sees_and_approves_external_training_too(api, submitted):
    delegate(api)
    assert trainings(api, "504-4") == [submitted]
    answer = api.post(f"/v1/external-training/p1/{submitted}/approval", as_="504-4")
    assert answer.json_body["status"] == "approved"
    assert trainings(api, "504-4") == []


def test_external_training_that_is_decided_reminds_nobody(api, submitted, at):
    api.post(f"/v1/external-training/p1/{submitted}/approval", as_="504-2")
    at(NOW + 7 * DAY + LATE)
    assert templates("p2") == ["external_training_requested"]
