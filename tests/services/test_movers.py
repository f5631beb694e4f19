"""Somebody moves to another post: what they may still find stays theirs, what they may not is given back (decision 0025)."""

from datetime import date, timedelta

import pytest

from chalicelib.domain.access import AccessMode, AccessRule
from chalicelib.domain.catalogue import Prerequisite, PrerequisiteKind
from chalicelib.domain.enrolment import Post, Status
from chalicelib.domain.requirements import Target, TargetKind
from chalicelib.domain.workforce import AssignmentSection, Change
from chalicelib.handlers import events, work
from chalicelib.services import (
    classes,
    enrolment,
    identity,
    inbox,
    placing_others,
    projection,
    recount,
    timers,
    workforce,
)
from chalicelib.storage import learner as learners
from chalicelib.storage import rules
from chalicelib.storage.audit import AuditRow
from chalicelib.storage.awards import AwardRow
from chalicelib.storage.outbox import EventRow
from tests import builders as b
from tests import seams
from tests.approving import said
from tests.builders import NOW, TODAY
from tests.pump import Pump, stream_records

SURGERY = Target(TargetKind.UNIT, "surgery")
ESTATES = Target(TargetKind.UNIT, "estates")
NURSES = Target(TargetKind.POSITION, "nurse-9")
IN_SURGERY = AccessRule("01", AccessMode.SELF_ENROL, (SURGERY,))
ASKED_IN_SURGERY = AccessRule("01", AccessMode.APPROVAL, (SURGERY,))
FREE_IN_ESTATES = AccessRule("02", AccessMode.SELF_ENROL, (ESTATES,))


@pytest.fixture(name="pump")
def _pump(aws, nothing_waits):
    """Two managers, and an administrator."""
    b.trust()
    pump = Pump()
    for number in (8, 9):
        b.person(number, assignments=[b.assignment(str(number))])
    b.person(99, role="learning_administrator")
    return pump


def offered(*rules_, **changes):
    """A class of a course with these access rules."""
    b.offered(b.class_(minimum=0, **changes), rules=rules_)


def nurse(number=1, **changes):
    b.person(number, assignments=[b.assignment(str(number), supervisor="p8")], **changes)


def actor(number):
    return identity.identify(f"504-{number}", None, NOW)


def join(number=1, class_id="504-c1"):
    return enrolment.enrol_myself(actor(number), class_id, NOW)


def moves(number=1, unit="estates", since=TODAY, position="nurse-9", supervisor=9, sequence=1, post=None, **changes):
    """What the workforce system sends of somebody's other post."""
    facts = {"unit": unit, "position": position, "job": "nurse", "staff_group": "nursing"}
    facts["supervisor"] = f"200{supervisor:05d}"
    held = AssignmentSection(post or str(number), since, **(facts | changes))
    send(number, sequence, held)


def ends(number=1, since=TODAY, sequence=2):
    send(number, sequence, AssignmentSection(str(number), since, ended=True))


def send(number, sequence, held):
    change = Change(f"m{sequence}", sequence, f"200{number:05d}", assignments=[held])
    assert workforce.apply("system:workforce-feed", "504", change, rules.rulebook("504"), NOW).state == "accepted"


def of(number=1, class_id="504-c1"):
    found = learners.learner(f"p{number}", "504", consistent=True).enrolments
    return next(each for each in found if each.class_id == class_id)


def told(number=1):
    """Of what somebody was told, by name."""
    events_ = (row.type for row in EventRow.scan() if row.person == f"p{number}")
    return sorted(each for each in events_ if each.startswith("enrolment."))


def in_step():
    return list(recount.seats("504", ["504-c1"])) == []


# --- a place ------------------------------------------------------------------------------------------------------


def test_whoever_may_still_find_the_course_keeps_the_place_of_the_new_post_and_is_told_nothing(pump):
    offered(IN_SURGERY)
    nurse()
    join()
    moves(unit="ward-10")
    pump.run()
    kept = of()
    assert (kept.status, kept.post, kept.revision) == (Status.CONFIRMED, Post("1", "ward-10", "nurse-9"), 2)
    assert told() == ["enrolment.confirmed"]
    (entry,) = [row for row in AuditRow.scan() if row.action == "enrolment.moved"]
    assert (entry.actor, entry.facts) == ("system:movers", {"enrolment": "504-c1~1", "assignment": "1"})


def test_whoever_may_not_gives_the_seat_back_is_told_why_and_the_next_gets_it(pump):
    offered(IN_SURGERY, maximum=1)
    nurse()
    nurse(2)
    join()
    join(2)
    seen = set(pump.seen)
    moves()
    pump.run()
    gone = of()
    assert (gone.status, gone.history[-1].by) == (Status.WITHDRAWN, "system:movers")
    assert (of(2).status, in_step()) == (Status.CONFIRMED, True)
    events.relay_events({"Records": stream_records(seen)})
    (message,) = [each for each in inbox.page("p1", 5, None)[0] if each.template == "enrolment_withdrawn"]
    assert "because your new post does not give access to this course." in said(message)
    pump.run()
    assert told() == ["enrolment.confirmed", "enrolment.withdrawn"]


def test_a_move_costs_nobody_the_place_where_a_rule_that_has_ended_would(pump, monkeypatch):
    offered(AccessRule("01", AccessMode.SELF_ENROL, (SURGERY,), ends_on=TODAY))
    for number in (1, 2, 3):
        nurse(number)
        join(number)
    later = NOW + timedelta(days=3)
    monkeypatch.setattr(work, "now", lambda: later)
    moves(unit="ward-10", since=later.date(), supervisor=8)
    moves(3, since=later.date(), sequence=2)
    pump.run()
    assert {of(number).status for number in (1, 2, 3)} == {Status.CONFIRMED}
    assert (of().post.unit, of(3).post.unit, told()) == ("ward-10", "estates", ["enrolment.confirmed"])


def test_whoever_met_access_through_two_posts_and_leaves_both_for_another_gives_the_seat_back(pump):
    offered(IN_SURGERY)
    b.person(1, assignments=[b.assignment("1", "estates"), b.assignment("1-2", "ward-10", primary=False)])
    join()
    ends()
    moves(unit="504", post="1-2", sequence=3)
    pump.run()
    assert of().status is Status.WITHDRAWN


def test_a_class_narrowed_to_units_is_given_back_outside_of_them(pump):
    offered(b.SELF_ENROL, only_units=("ward-9",))
    nurse()
    join()
    moves(unit="ward-10")
    pump.run()
    assert of().status is Status.WITHDRAWN


def test_another_assignment_through_which_the_course_is_found_keeps_the_place(pump):
    offered(IN_SURGERY)
    b.person(1, assignments=[b.assignment("1"), b.assignment("1-2", "ward-10", primary=False)])
    join()
    ends()
    pump.run()
    assert (of().status, of().post) == (Status.CONFIRMED, Post("1-2", "ward-10", "nurse-9"))


def test_whoever_is_between_two_posts_is_judged_when_they_hold_the_next(pump):
    offered(IN_SURGERY)
    nurse()
    join()
    ends()
    pump.run()
    assert (of().status, of().revision) == (Status.CONFIRMED, 1)
    moves(post="1-2", sequence=3)
    pump.run()
    assert of().status is Status.WITHDRAWN


def test_a_move_ahead_is_judged_on_its_day_also_where_only_the_position_changes(pump, monkeypatch):
    names = [(Target(TargetKind.POSITION, "clerk-9"), "Ward Clerk, Ward 9")]
    workforce.define_structure(b.SYSTEM, "504", workforce.Structure("Demonstration Trust", b.UNITS, names), NOW)
    offered(AccessRule("01", AccessMode.SELF_ENROL, (NURSES,)), sessions=[b.session(date(2027, 1, 12))])
    nurse()
    join()
    first = date(2026, 12, 7)
    moves(unit="ward-9", position="clerk-9", since=first)
    pump.run()
    assert of().status is Status.CONFIRMED
    later = NOW.replace(month=12, day=7)
    monkeypatch.setattr(work, "now", lambda: later)
    projection.day("504", later)
    pump.run()
    assert of().status is Status.WITHDRAWN


def test_what_an_administrator_set_aside_has_started_or_is_over_stays(pump):
    offered(IN_SURGERY)
    b.classes.add_class(b.SYSTEM, b.class_("504-c2", sessions=[b.session(date(2026, 11, 20))]), NOW)
    b.person(1, assignments=[b.assignment("1", "estates")])
    placing_others.enrol(actor(99), "p1", "504-c1", None, "Covers for a colleague.", NOW)
    assert of().overridden == ("AccessNotMet",)
    started = b.enrolment(at=b.class_("504-c2", sessions=[b.session(date(2026, 11, 20))]), post=of().post)
    b.takeover.take_over(b.SYSTEM, "504", "p1", [], [started], NOW)
    moves(unit="504")
    pump.run()
    assert (of().status, of(1, "504-c2").status) == (Status.CONFIRMED, Status.CONFIRMED)
    assert {of().post.unit, of(1, "504-c2").post.unit} == {"estates"}


# --- a request ----------------------------------------------------------------------------------------------------


def test_a_request_goes_to_the_new_manager_and_both_are_told(pump):
    offered(ASKED_IN_SURGERY)
    nurse()
    assert join().approver == "p8"
    seen = set(pump.seen)
    moves(unit="ward-10")
    pump.run()
    asked = of()
    assert (asked.status, asked.approver, asked.post.unit) == (Status.REQUESTED, "p9", "ward-10")
    assert told() == ["enrolment.requested"] * 2
    events.relay_events({"Records": stream_records(seen)})
    assert [each.template for each in inbox.page("p9", 5, None)[0]] == ["approval_requested"]
    news = [said(each) for each in inbox.page("p1", 5, None)[0]]
    assert any("now waits for Sam Testfold9, because you have another post." in each for each in news)


def test_a_request_under_the_same_manager_stays_with_them_silently(pump):
    offered(ASKED_IN_SURGERY)
    nurse()
    join()
    moves(unit="ward-10", supervisor=8)
    pump.run()
    assert (of().approver, of().post.unit, told()) == ("p8", "ward-10", ["enrolment.requested"])


def test_a_request_that_its_manager_let_lie_stays_with_whoever_has_it_now_unless_another_manager_is_asked(
    aws, monkeypatch
):
    b.trust()
    b.person(7)
    for number in (8, 9):
        b.person(number, assignments=[b.assignment(str(number), supervisor="p7")])
    offered(ASKED_IN_SURGERY, sessions=[b.session(date(2026, 12, 20))])
    nurse()
    join()
    pump = Pump()

    def days_later(days):
        at = NOW + timedelta(days=days, hours=days)
        monkeypatch.setattr(work, "now", lambda: at)
        timers.ring("504", at, lambda: True)
        return at

    at = days_later(7)
    moves(unit="ward-10", supervisor=8, since=at.date())
    pump.run()
    assert (of().approver, of().post.unit) == ("p7", "ward-10")
    at = days_later(8)
    moves(supervisor=9, unit="ward-9", since=at.date(), sequence=2)
    pump.run()
    assert (of().approver, of().placed_at) == ("p9", at)
    days_later(10)
    days_later(8 + 3)
    assert due() == [(7, "p7"), (11, "p9")]
    days_later(8 + 7)
    assert due()[2:] == [(15, "p7")]


def due():
    """What was due of requests: on which day from now, and who was written to."""
    rows_ = sorted((row for row in EventRow.scan() if row.type == "approval.due"), key=lambda row: row.at)
    return [((row.at - NOW).days, row.data["approver"]) for row in rows_]


def test_a_request_goes_ahead_where_nobody_has_to_approve(pump):
    offered(ASKED_IN_SURGERY, FREE_IN_ESTATES, maximum=1)
    for number in (1, 2):
        nurse(number)
        join(number)
    for number in (1, 2):
        moves(number, sequence=number)
        pump.run()
    assert [of(number).status for number in (1, 2)] == [Status.CONFIRMED, Status.WAITLISTED]
    assert told(1) == ["enrolment.confirmed", "enrolment.requested"]
    assert told(2) == ["enrolment.requested", "enrolment.waitlisted"]
    assert in_step()


def test_a_request_that_clashes_by_now_is_decided_by_somebody(pump):
    offered(ASKED_IN_SURGERY, FREE_IN_ESTATES)
    b.offered(b.class_("504-c2", "504-lift", minimum=0), course_id="504-lift")
    nurse()
    join()
    join(class_id="504-c2")
    moves()
    pump.run()
    assert (of().status, of().approver) == (Status.REQUESTED, "p9")


def test_a_request_for_which_a_prerequisite_is_missing_by_now_is_decided_by_somebody(pump):
    needed = Prerequisite(PrerequisiteKind.COMPETENCY, b.MOVING, 1, True)
    b.offered(b.class_(), rules=(ASKED_IN_SURGERY, FREE_IN_ESTATES), prerequisites=(needed,))
    nurse(awards=(b.award(b.MOVING),))
    join()
    AwardRow.of("p1", "504", b.award(b.MOVING)).delete()
    moves()
    pump.run()
    assert (of().status, of().approver) == (Status.REQUESTED, "p9")


def test_a_request_goes_ahead_on_the_class_as_it_is_by_then(pump):
    offered(ASKED_IN_SURGERY, FREE_IN_ESTATES)
    nurse()
    join()
    later = (b.session(date(2026, 12, 8)),)
    classes.change(actor(99), "504-c1", 1, {"sessions": later}, NOW, True)  # nobody has followed it yet
    moves()
    projection.movers.judge_again(learners.learner("p1", "504", consistent=True), NOW)
    assert (of().status, of().sessions, of().class_revision) == (Status.CONFIRMED, later, 2)


def test_a_request_that_only_administrators_may_grant_goes_to_them(pump):
    offered(ASKED_IN_SURGERY, AccessRule("02", AccessMode.ADMINISTRATOR, (ESTATES,)))
    nurse()
    join()
    moves()
    pump.run()
    assert (of().status, of().approver) == (Status.REQUESTED, None)


def test_a_request_for_what_may_be_found_no_more_is_withdrawn(pump):
    offered(ASKED_IN_SURGERY)
    nurse()
    join()
    moves()
    pump.run()
    assert of().status is Status.WITHDRAWN


# --- at the same moment, and again --------------------------------------------------------------------------------


def test_a_move_taken_back_before_the_place_is_given_back_changes_nothing(pump):
    offered(IN_SURGERY)
    nurse()
    join()
    moves()
    learner = learners.learner("p1", "504", consistent=True)
    moves(unit="ward-9", supervisor=8, sequence=2)
    projection.movers.judge_again(learner, NOW)
    assert (of().status, of().revision) == (Status.CONFIRMED, 1)


def test_whoever_withdraws_while_being_judged_has_withdrawn_once(pump):
    offered(IN_SURGERY)
    nurse()
    enrolled = join()
    moves()
    with seams.before_commit(lambda: enrolment.withdraw_myself(actor(1), enrolled.id, NOW)):
        projection.movers.judge_again(learners.learner("p1", "504"), NOW)
    assert told() == ["enrolment.confirmed", "enrolment.withdrawn"]
    assert of().history[-1].by == "p1"
    assert in_step()


def test_a_class_that_changes_while_a_request_goes_ahead_takes_nobody_it_has_no_seat_for(pump):
    offered(ASKED_IN_SURGERY, FREE_IN_ESTATES, maximum=1)
    nurse()
    nurse(2)
    join()
    moves()

    def fill():
        placing_others.enrol(actor(99), "p2", "504-c1", None, None, NOW)

    with seams.before_commit(fill):
        projection.movers.judge_again(learners.learner("p1", "504", consistent=True), NOW)
    assert (of(2).status, of().status, in_step()) == (Status.CONFIRMED, Status.WAITLISTED, True)


def test_whoever_books_at_the_same_time_elsewhere_while_a_request_goes_ahead_is_not_in_two_places(pump):
    offered(ASKED_IN_SURGERY, FREE_IN_ESTATES)
    b.offered(b.class_("504-c2", "504-lift", minimum=0), course_id="504-lift")
    nurse()
    join()
    moves()
    with seams.before_commit(lambda: join(class_id="504-c2")):
        projection.movers.judge_again(learners.learner("p1", "504", consistent=True), NOW)
    assert (of().status, of(class_id="504-c2").status) == (Status.REQUESTED, Status.CONFIRMED)


def test_nothing_more_is_read_of_whoever_has_not_moved(pump):
    offered(IN_SURGERY)
    nurse()
    join()
    pump.run()
    reads = []

    def counted(call, operation, request):
        reads.append(operation)
        return call(operation, request)

    rulebook = rules.rulebook("504")
    with seams.intercepted(counted):
        projection.project_under(rulebook, "p1", NOW + timedelta(minutes=1))
    assert reads == ["Query"]
