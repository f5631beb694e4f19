"""Training arranges itself: for joiners, movers and whoever becomes due, once, and again when it may be tried again."""

from datetime import timedelta

import pytest

from chalicelib.domain.access import AccessMode, AccessRule
from chalicelib.domain.actor import Actor
from chalicelib.domain.auto_enrolment import Case
from chalicelib.domain.calendar import london_time
from chalicelib.domain.catalogue import Certification, Component, Grants
from chalicelib.domain.decisions import Decision, Outcome
from chalicelib.domain.enrolment import Status
from chalicelib.domain.permissions import Role
from chalicelib.domain.requirements import Target, TargetKind
from chalicelib.domain.workforce import AssignmentSection, Change
from chalicelib.services import (
    auto_enrolment,
    catalogue_items,
    competence,
    enrolment,
    looking,
    projection,
    timers,
    workforce,
)
from chalicelib.services import classes as class_services
from chalicelib.storage import audit, classes, rules
from chalicelib.storage import learner as learners
from chalicelib.storage import timers as stored_timers
from chalicelib.storage.base import Record
from chalicelib.storage.enrolment import EnrolmentRow
from chalicelib.storage.outbox import EventRow
from chalicelib.storage.transaction import Transaction
from tests import builders as b
from tests.builders import FIRE, MOVING, NOW, PREVENT, SYSTEM, TODAY
from tests.pump import Pump
from tests.seams import before_commit, colliding_transactions, counted

pytestmark = pytest.mark.usefixtures("nothing_waits")


@pytest.fixture
def clock(monkeypatch):
    """The clock of projector and worker, which a test may move."""
    from chalicelib.handlers import work

    class Clock:
        now = NOW

    monkeypatch.setattr(work, "now", lambda: Clock.now)
    return Clock


@pytest.fixture
def trust(aws, clock):
    """A trust that arranges training, and what AWS does between its functions."""
    b.trust()
    switched_on()
    return Pump()


def switched_on(on=True, applicants=False):
    transaction = Transaction()
    rules.set_auto_enrolment(transaction, "504", on, applicants)
    rules.move_version(transaction, "504", "RULES")
    transaction.commit()


def automatic(*planned, **changes):
    b.offered(*planned, **({"auto_enrol": True, "auto_book": True} | changes))


def who(person="p1"):
    return learners.learner(person, "504", consistent=True)


def held(person="p1"):
    return {(each.class_id, each.status.value) for each in who(person).enrolments}


def decisions(person="p1"):
    return {each.competency: each for each in who(person).decisions}


def arranged(person="p1", now=NOW):
    learner = who(person)
    rulebook, catalogue = rules.rulebook_and_catalogue("504", consistent=True)
    return auto_enrolment.arrange(learner, rulebook, catalogue, now)


def told():
    """The messages of arranging, oldest first."""
    rows = [row for row in EventRow.scan() if row.type == "training.arranged"]
    return [row.event().data for row in sorted(rows, key=lambda row: row.sk)]


def on(number, class_id=None, **changes):
    return b.class_(class_id or f"504-c{number}", sessions=[b.session(TODAY + timedelta(days=number))], **changes)


# --- which classes are seen ------------------------------------------------------------------------------------------


def test_a_course_with_many_classes_before_those_days_is_booked_in_them(trust):
    soon = [
        b.class_(f"504-s{each}", sessions=[b.session(TODAY + timedelta(days=1 + each % 10), hour=6 + each // 10)])
        for each in range(31)
    ]
    automatic(*soon, on(40))
    b.person()
    trust.run()
    assert held() == {("504-c40", "confirmed")}


def test_so_is_one_whose_next_classes_are_full(trust):
    full = [on(14 + each, maximum=0, minimum=0) for each in range(31)]
    automatic(*full, on(60), on(95), b.class_("504-c91", sessions=[b.session(TODAY + timedelta(days=91))]))
    b.person()
    trust.run()
    assert held() == {("504-c60", "confirmed")}


def test_a_class_after_those_days_is_a_date_to_choose(trust):
    automatic(on(91))
    b.person()
    trust.run()
    assert decisions()[FIRE].outcome is Outcome.CHOOSE_DATE


def test_however_many_classes_there_are_one_is_read(trust):
    automatic(*[on(15 + each) for each in range(20)])
    b.person()
    with counted("Query") as queries:
        arranged()
    assert held() == {("504-c15", "confirmed")}
    assert queries[0] <= 12


def test_whose_class_is_cancelled_is_booked_on_another(trust):
    automatic(on(20), on(30))
    b.person()
    b.person(9, role="learning_administrator")
    trust.run()
    assert held() == {("504-c20", "confirmed")}
    administrator = Actor("p9", "504", frozenset({Role.LEARNING_ADMINISTRATOR}), who("p9"))
    class_services.cancel(administrator, "504-c20", "The trainer is ill.", NOW)
    trust.run()
    assert held() == {("504-c20", "cancelled"), ("504-c30", "confirmed")}


# --- who is handled, and when ---------------------------------------------------------------------------------------


def test_a_joiner_is_booked_as_soon_as_they_are_there(trust):
    automatic(b.e_learning())
    b.person()
    trust.run()
    assert held() == {("504-e1", "confirmed")}
    assert decisions() == {FIRE: Decision(FIRE, Outcome.BOOKED, 1, TODAY, None, "504-fire", "504-e1~1")}


def test_nothing_is_arranged_where_it_is_switched_off(trust):
    switched_on(False)
    automatic(b.e_learning())
    b.person()
    trust.run()
    assert (held(), decisions(), told()) == (set(), {}, [])


def test_a_new_requirement_is_handled_for_those_whom_it_reaches(trust):
    automatic(b.e_learning(course="504-moving"), course_id="504-moving", grants=(MOVING,))
    b.person(awards=[b.award()])
    trust.run()
    assert held() == set()
    competence.require(SYSTEM, "504", [b.requirement(MOVING)], NOW)
    trust.run()
    assert held() == {("504-e1", "confirmed")}


def test_the_day_on_which_a_renewal_becomes_due_books_it_though_nothing_else_changes_on_it(trust, clock):
    transaction = Transaction()
    rules.set_settings(transaction, "504", amber_months=1, renewal_leads=())
    rules.move_version(transaction, "504", "RULES")
    transaction.commit()
    automatic(b.e_learning())
    b.person(awards=[b.award_expiring(TODAY + timedelta(days=95))])
    trust.run()
    assert held() == set()
    for ahead, expected in ((4, set()), (5, {("504-e1", "confirmed")})):
        clock.now = NOW + timedelta(days=ahead)
        projection.day("504", clock.now)
        trust.run()
        assert held() == expected


def test_an_e_learning_given_back_is_booked_again_after_fourteen_days_and_not_before(trust, clock):
    automatic(b.e_learning())
    b.person()
    trust.run()
    me = who()
    enrolment.give_back(me, me.enrolments[0], me.enrolments[0].moved_to(Status.WITHDRAWN, NOW, "p1"), "p1", NOW)
    trust.run()
    assert decisions()[FIRE].outcome is Outcome.WITHDRAWN
    assert len(told()) == 1
    for ahead, states in ((13, ["withdrawn"]), (14, ["withdrawn", "confirmed"])):
        clock.now = london_time(TODAY + timedelta(days=ahead), 10)
        ring(clock.now)
        trust.run()
        assert [each.status.value for each in who().enrolments] == states


def ring(now):
    timers.queue_what_is_due(now)


def test_a_failure_is_tried_again_after_fourteen_days(trust, clock):
    automatic()
    b.person()
    trust.run()
    assert decisions()[FIRE].next_try_on == TODAY + timedelta(days=14)
    b.classes.add_class(SYSTEM, b.e_learning(), NOW)
    clock.now = london_time(TODAY + timedelta(days=14), 1)
    ring(clock.now)
    trust.run()
    assert held() == {("504-e1", "confirmed")}
    assert decisions()[FIRE].attempt == 2
    assert stored_timers.due("504", clock.now, 10) == []


def test_the_dna_of_an_automatic_booking_books_again(trust):
    automatic(on(20), on(40))
    b.person()
    trust.run()
    me = who()
    absent = me.enrolments[0].moved_to(Status.DID_NOT_ATTEND, NOW, "p9")
    EnrolmentRow.of(absent).save()
    projection.project("p1", "504", NOW + timedelta(days=21))
    trust.work()
    assert ("504-c40", "confirmed") in held()


# --- once -----------------------------------------------------------------------------------------------------------


def test_a_second_look_changes_nothing_and_tells_nobody(trust):
    automatic(b.e_learning())
    b.person()
    assert arranged() == {FIRE}
    before = who()
    with counted("TransactWriteItems") as writes:
        assert arranged() == frozenset()
    assert writes == [0]
    assert who() == before
    assert len(told()) == 1


def test_two_workers_on_one_person_book_once_and_tell_once(trust):
    automatic(b.e_learning())
    b.person()
    with before_commit(arranged):
        assert arranged() == frozenset()
    assert held() == {("504-e1", "confirmed")}
    assert len(told()) == 1
    assert decisions()[FIRE].attempt == 1


def test_two_workers_with_nothing_to_book_tell_once_of_each_try(trust):
    automatic()
    b.person()
    for number in (1, 2):
        now = NOW + timedelta(days=14 * (number - 1))
        with before_commit(lambda now=now: arranged(now=now)):
            assert arranged(now=now) == frozenset()
        assert len(told()) == number
    assert decisions()[FIRE].attempt == 2


def test_a_mover_is_handled_as_soon_as_they_have_moved(trust):
    only_estates = AccessRule("1", AccessMode.SELF_ENROL, (Target(TargetKind.UNIT, "estates"),))
    rule = b.requirement(MOVING, TargetKind.UNIT, "estates")
    competence.require(SYSTEM, "504", [rule], NOW)
    automatic(b.e_learning(course="504-moving"), course_id="504-moving", grants=(MOVING,), rules=(only_estates,))
    b.person(awards=[b.award()])
    trust.run()
    assert held() == set()
    post = {"position": "nurse-9", "job": "nurse", "staff_group": "nursing"}
    moved = AssignmentSection("1", TODAY, unit="estates", **post)
    change = Change("m1", 1, "20000001", assignments=(moved,))
    assert workforce.apply(SYSTEM, "504", change, rules.rulebook("504"), NOW).state == "accepted"
    trust.run()
    assert held() == {("504-e1", "confirmed")}


def test_a_collision_is_tried_again(trust):
    automatic(b.e_learning())
    b.person()
    with colliding_transactions(3):
        assert arranged() == {FIRE}
    assert held() == {("504-e1", "confirmed")}


def test_a_worker_that_dies_before_it_has_committed_leaves_nothing_behind(trust):
    automatic(b.e_learning())
    b.person()

    class Killed(BaseException):
        pass

    def die():
        raise Killed

    with pytest.raises(Killed), before_commit(die):
        arranged()
    assert (held(), decisions(), told()) == (set(), {}, [])
    assert arranged() == {FIRE}


# --- what is booked -------------------------------------------------------------------------------------------------


def test_a_class_that_fills_between_choice_and_booking_is_passed_over_for_the_next(trust):
    automatic(on(20, maximum=1, minimum=0), on(30))
    b.person(1)
    b.person(2)

    with before_commit(lambda: arranged("p2")):
        arranged("p1")
    assert (held("p2"), held("p1")) == ({("504-c20", "confirmed")}, {("504-c30", "confirmed")})


def test_all_full_they_wait_for_the_earliest_and_are_told_so(trust):
    automatic(on(20, maximum=1, minimum=0))
    for number in (1, 2):
        b.person(number)
        arranged(f"p{number}")
    assert held("p2") == {("504-c20", "waitlisted")}
    assert {each["to"]: each["arranged"][0]["waits"] for each in told()} == {"p1": False, "p2": True}
    assert classes.class_with_seats("504-c20")[1].waiting == 1


def test_a_class_with_dates_has_its_own_message_for_the_calendar_and_e_learning_has_none(trust):
    automatic(on(20))
    b.offered(b.e_learning(course="504-moving"), course_id="504-moving", grants=(MOVING,), auto_enrol=True)
    competence.require(SYSTEM, "504", [b.requirement(MOVING)], NOW)
    b.person()
    arranged()
    confirmed = [row.event() for row in EventRow.scan() if row.type == "enrolment.confirmed"]
    assert [each.data["class"] for each in confirmed] == ["504-c20"]
    assert not confirmed[0].data.get("manager")
    assert held() == {("504-c20", "confirmed"), ("504-e1", "confirmed")}
    assert [each["online"] for each in told()[0]["arranged"]] == [False, True]


def test_one_booking_that_gives_two_things_settles_both(trust):
    competence.require(SYSTEM, "504", [b.requirement(MOVING)], NOW)
    automatic(b.e_learning(), grants=(FIRE, MOVING))
    b.person()
    arranged()
    assert held() == {("504-e1", "confirmed")}
    assert set(decisions()) in ({FIRE}, {MOVING})


def test_two_things_at_one_time_are_never_booked_together(trust):
    competence.require(SYSTEM, "504", [b.requirement(MOVING)], NOW)
    automatic(on(20), on(30))
    b.offered(
        on(20, "504-m20", course="504-moving"),
        on(30, "504-m30", course="504-moving"),
        course_id="504-moving",
        grants=(MOVING,),
        auto_enrol=True,
        auto_book=True,
    )
    b.person()
    arranged()
    assert held() in (
        {("504-c20", "confirmed"), ("504-m30", "confirmed")},
        {("504-m20", "confirmed"), ("504-c30", "confirmed")},
    )


def test_what_failed_counts_its_decision_and_its_timer_among_what_a_transaction_takes(trust):
    b.person()
    rulebook, catalogue = rules.rulebook_and_catalogue("504", consistent=True)
    listed, standing = auto_enrolment.classes_of("504", NOW), auto_enrolment.as_they_stand()
    (step,) = auto_enrolment.plan(Case(who(), rulebook, catalogue, listed, standing, NOW))
    assert (step.proposal.outcome, step.writes) == (Outcome.NO_OPTION, 2)


def test_more_than_one_transaction_takes_is_done_in_several(trust, monkeypatch):
    monkeypatch.setattr(auto_enrolment, "MOST_WRITES", 4)
    competence.require(SYSTEM, "504", [b.requirement(MOVING)], NOW)
    automatic(b.e_learning())
    b.offered(b.e_learning("504-e2", "504-moving"), course_id="504-moving", grants=(MOVING,), auto_enrol=True)
    b.person()
    assert arranged() == {FIRE, MOVING}
    assert held() == {("504-e1", "confirmed"), ("504-e2", "confirmed")}


# --- telling --------------------------------------------------------------------------------------------------------


def test_learner_and_manager_are_told_of_everything_in_one_message(trust):
    competence.require(SYSTEM, "504", [b.requirement(MOVING)], NOW)
    automatic(b.e_learning())
    b.person(9)
    b.person(assignments=[b.assignment(supervisor="p9")])
    assert arranged() == {FIRE, MOVING}
    (data,) = told()
    assert (data["to"], list(data["manager"]), data["course"]) == ("p1", ["p9"], None)
    for said in (data, data["manager"]["p9"]):
        assert [each["title"] for each in said["arranged"]] == ["Fire Safety"]
        assert [(each["title"], each["outcome"]) for each in said["left"]] == [
            ("Moving and Handling - Level 2 - 2 Years", "no option")
        ]


def test_a_manager_is_told_of_what_the_post_they_supervise_asks_for_from_its_first_day_on(trust):
    asked = [b.requirement(each, TargetKind.POSITION, post) for each, post in ((MOVING, "P1"), (PREVENT, "P2"))]
    competence.require(SYSTEM, "504", asked, NOW)
    for number in (8, 9):
        b.person(number)
    posts = (
        b.assignment("1", supervisor="p8", position="P1"),
        b.assignment("2", unit="estates", supervisor="p9", primary=False, position="P2"),
    )
    b.person(assignments=posts, awards=[b.award(FIRE, expires_on=None)])
    assert arranged() == {MOVING, PREVENT}
    (data,) = told()
    said = {manager: [each["competency"] for each in said["left"]] for manager, said in data["manager"].items()}
    assert said == {"p8": [MOVING], "p9": [PREVENT]}


def test_one_who_fails_has_nobody_else_told_twice_of_what_was_arranged(trust, monkeypatch):
    """The day on which training is arranged is that of the first reminder, too."""
    automatic(b.class_(), auto_book=False)
    for number in (1, 2):
        b.person(number, awards=[b.award_expiring(TODAY + timedelta(days=90))])
    look, failing = looking.look, ["p2"]

    def fail_once(employer, person, *given):
        if person in failing:
            failing.remove(person)
            raise ZeroDivisionError
        look(employer, person, *given)

    monkeypatch.setattr(looking, "look", fail_once)
    for _ in range(2):  # and delivered again
        looking.look_at("504", ["p1", "p2"], TODAY, TODAY, NOW)
    trust.run()
    assert sorted(each["to"] for each in told()) == ["p1", "p2"]
    assert [row for row in EventRow.scan() if row.type == "renewal.due"] == []


def test_the_one_course_there_is_to_choose_is_where_the_message_leads(trust):
    automatic(on(20), auto_book=False)
    b.person()
    arranged()
    assert told()[0]["course"] == "504-fire"
    assert told()[0]["manager"] == {}


def test_no_name_reaches_the_audit(trust):
    automatic(b.e_learning())
    b.person()
    arranged()
    entries = [each for each in audit.AuditRow.scan() if each.action == "training.arranged"]
    assert [each.facts for each in entries] == [{"outcomes": {FIRE: "booked"}, "enrolments": ["504-e1~1"]}]


# --- switching it on ------------------------------------------------------------------------------------------------


def test_switching_it_on_looks_at_everybody_who_is_due(aws, clock):
    b.trust()
    trust = Pump()
    automatic(b.e_learning())
    for number in range(1, 4):
        b.person(number, awards=[b.award()] if number == 3 else [])
    trust.run()
    actor = b_actor()
    switch = auto_enrolment.set_switch(actor, True, False, NOW)
    assert switch.job_id
    trust.run()
    assert [bool(held(f"p{number}")) for number in (1, 2, 3)] == [True, True, False]
    assert auto_enrolment.set_switch(actor, True, False, NOW).job_id is None


def b_actor():
    from chalicelib.domain.actor import Actor
    from chalicelib.domain.permissions import Role

    return Actor("p1", "504", frozenset({Role.LEARNING_ADMINISTRATOR}), None)


def test_nobody_who_is_not_due_is_read_on_a_quiet_day(trust):
    automatic(b.e_learning())
    b.person(awards=[b.award()])
    trust.run()
    with counted("Query") as queries:
        projection.day("504", NOW + timedelta(days=1))
    assert queries[0] <= 2
    assert trust.work() == 0


def test_a_dry_run_says_what_would_be_and_writes_nothing(trust):
    switched_on(False)
    automatic(b.e_learning())
    for number in (1, 2):
        b.person(number, awards=[b.award()] if number == 2 else [])
    trust.run()
    before = sorted(str(row.serialize(null_check=False)) for row in Record.scan())
    run = auto_enrolment.dry_run("504", "surgery", 50, None, NOW)
    assert [(each.learner.person.id, [step.enrolment.class_id for step in each.steps]) for each in run.trials] == [
        ("p1", ["504-e1"])
    ]
    assert run.outcomes == {"booked": 1}
    assert sorted(str(row.serialize(null_check=False)) for row in Record.scan()) == before
    assert auto_enrolment.dry_run("504", "estates", 50, None, NOW).trials == ()


# --- certifications -------------------------------------------------------------------------------------------------


def test_whoever_is_due_is_subscribed_and_booked_in_one_go_and_certified_in_the_end(trust):
    b.offered(b.e_learning(), grants=())
    made = Certification("504-safe", "Safe", "fire", "", (Component("504-fire"),), (Grants(FIRE),), auto_enrol=True)
    catalogue_items.add(b_actor(), made, NOW)
    b.person()
    trust.run()
    (subscription,) = who().subscriptions
    assert (subscription.status.value, subscription.mandatory) == ("subscribed", True)
    assert held() == {("504-e1", "confirmed")}
    (data,) = told()
    assert [(each["title"], each["subscribed"]) for each in data["arranged"]] == [("Fire Safety", "Safe")]
    assert arranged() == frozenset()
