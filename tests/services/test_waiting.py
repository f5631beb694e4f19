"""Waiting lists: who stands where, by time or by need, and that the list is right whatever changes meanwhile (decision 0025)."""

from datetime import date, timedelta

import pytest

from chalicelib.domain import errors
from chalicelib.domain.catalogue import Grants
from chalicelib.domain.enrolment import Need, Status
from chalicelib.domain.enrolment import passed_over as as_passed_over
from chalicelib.domain.events import Event, EventType
from chalicelib.domain.waiting import need_of
from chalicelib.handlers import events, work
from chalicelib.services import (
    class_changes,
    classes,
    competence,
    enrolment,
    identity,
    inbox,
    placing_others,
    projection,
    recount,
    waiting,
)
from chalicelib.storage import classes as stored
from chalicelib.storage import enrolment as enrolments
from chalicelib.storage import learner as learners
from chalicelib.storage import outbox, rules
from chalicelib.storage import projection as snapshots
from chalicelib.storage.audit import AuditRow
from chalicelib.storage.awards import AwardRow
from chalicelib.storage.base import new_id
from chalicelib.storage.outbox import EventRow
from chalicelib.storage.transaction import Transaction
from tests import builders as b
from tests import seams
from tests.approving import leave, said
from tests.builders import FIRE, MOVING, NOW, TODAY
from tests.pump import Pump, plenty, queued, stream_records

HELD = {"red": (), "amber": (b.award_expiring(date(2027, 1, 10)),), "green": (b.award(),)}


@pytest.fixture(name="pump")
def _pump(aws, nothing_waits):
    """A class of one, taken by p1, with a list by need; nurses who stand red, amber and green for what it awards."""
    b.trust()
    pump = Pump()
    b.offered(b.class_(maximum=1, minimum=0, by_need=True))
    b.person(99, role="learning_administrator")
    b.person(1)
    join(1)
    return pump


def actor(number, now=NOW):
    return identity.identify(f"504-{number}", None, now)


def join(number, class_id="504-c1", now=NOW):
    return enrolment.enrol_myself(actor(number), class_id, now)


def joins(number, colour, minutes=0):
    """Somebody new who stands so for what the class awards joins its list."""
    b.person(number, awards=HELD[colour])
    return join(number, now=NOW + timedelta(minutes=minutes))


def of(number, class_id="504-c1", employer="504"):
    found = learners.learner(f"p{number}", employer, consistent=True).enrolments
    return next(each for each in found if each.class_id == class_id)


def withdraw(number, class_id="504-c1"):
    return enrolment.withdraw_myself(actor(number), of(number, class_id).id, NOW)


def change(class_id="504-c1", **fields):
    revision = stored.class_with_seats(class_id, consistent=True)[0].revision
    return classes.change(actor(99), class_id, revision, fields, NOW, True)


def line(class_id="504-c1"):
    """The people on the list, in its order."""
    return [int(each.person[1:]) for each in enrolments.waiting_list(class_id)]


def in_step():
    return list(recount.seats("504", ["504-c1"])) == []


# --- by need ------------------------------------------------------------------------------------------------------


def test_red_comes_before_amber_before_others_and_then_who_waits_longest(pump):
    for number, colour in enumerate(("green", "amber", "red", "red"), 2):
        joins(number, colour, minutes=number)
    told = {row.person: row.data for row in EventRow.scan() if row.type == "enrolment.waitlisted"}
    assert all(each["by_need"] and "position" not in each for each in told.values())
    assert line() == [4, 5, 3, 2]
    assert [waiting.position(of(number)) for number in (4, 5, 3, 2)] == [1, 2, 3, 4]
    for holder, following in ((1, 4), (4, 5), (5, 3), (3, 2)):
        withdraw(holder)
        pump.run()
        assert of(following).status is Status.CONFIRMED
    assert in_step()


def test_what_is_not_required_or_would_not_meet_it_is_no_need(aws):
    b.trust(b.requirement(level=2), b.requirement(MOVING))
    b.person(1)
    found = learners.learner("p1", "504")
    rulebook = rules.rulebook("504")
    for grants, need in (([(FIRE, 1)], Need.OTHER), ([(FIRE, 2)], Need.RED), ([(b.PREVENT, 1), (MOVING, 1)], Need.RED)):
        assert need_of(found, [Grants(*each) for each in grants], rulebook, TODAY) is need, grants


def test_an_award_changes_the_place_and_nobody_is_told(pump):
    joins(2, "amber")
    joins(3, "red", minutes=1)
    pump.run()
    assert line() == [3, 2]
    give(3)
    before = len(list(EventRow.scan()))
    pump.run()
    assert line() == [2, 3]
    assert (of(3).need, of(3).revision) == (Need.OTHER, 2)
    assert len(list(EventRow.scan())) == before
    (entry,) = [row for row in AuditRow.scan() if row.action == "enrolment.ranked"]
    assert (entry.actor, entry.facts) == ("system:waiting-list", {"enrolment": "504-c1~1", "need": "other"})


def give(number):
    """An award, as if made elsewhere, with its event."""
    transaction = Transaction()
    transaction.create(AwardRow.of(f"p{number}", "504", b.award()))
    outbox.emit(transaction, Event(new_id(NOW), EventType.LEARNER_CHANGED, "504", f"p{number}", NOW))
    transaction.commit()


def test_a_new_day_that_makes_somebody_red_takes_them_forward(pump, monkeypatch):
    joins(2, "green")
    joins(3, "amber", minutes=1)
    joins(4, "amber", minutes=-1)
    pump.run()
    assert line() == [4, 3, 2]
    later = NOW.replace(year=2027, month=1, day=11)
    monkeypatch.setattr(work, "now", lambda: later)
    projection.day("504", later)
    pump.run()
    assert [of(number).need for number in (4, 3, 2)] == [Need.RED, Need.RED, Need.OTHER]


def test_a_change_of_rules_is_followed_by_the_list(pump):
    b.offered(
        b.class_("504-c2", "504-lift", maximum=1, minimum=0, by_need=True, sessions=[b.session(date(2026, 12, 2))]),
        course_id="504-lift",
        grants=(MOVING,),
    )
    join(1, "504-c2")
    for number, unit in ((2, "estates"), (3, "ward-9")):
        b.person(number, assignments=[b.assignment(str(number), unit)])
        join(number, "504-c2", NOW + timedelta(minutes=number))
    pump.run()
    assert line("504-c2") == [2, 3]
    rule = b.requirement(MOVING, b.TargetKind.UNIT, "ward-9")
    competence.require(b.SYSTEM, "504", [rule], NOW)
    pump.run()
    assert line("504-c2") == [3, 2]


def test_whoever_waits_by_need_is_known_by_their_snapshot_until_they_wait_no_more(pump):
    joins(2, "red")
    for waits in (True, False):
        pump.run()
        (kept,) = snapshots.snapshots_of("p2", "504")
        assert kept.facts.waits_by_need is waits
        if waits:
            withdraw(2)


# --- switched on and off ------------------------------------------------------------------------------------------


def test_switching_need_on_and_off_orders_the_list_anew_and_the_seat_goes_by_it(pump):
    joins(2, "green")
    joins(3, "red", minutes=1)
    for by_need, order in ((False, [2, 3]), (True, [3, 2]), (False, [2, 3]), (True, [3, 2])):
        change(by_need=by_need)
        pump.run()
        assert line() == order
    change(by_need=False, maximum=2)
    pump.run()
    assert (of(2).status, of(3).status) == (Status.CONFIRMED, Status.WAITLISTED)
    assert in_step()


def test_a_long_list_is_ordered_part_by_part(pump):
    change(by_need=False)
    for number in range(2, 7):
        joins(number, "red" if number > 4 else "green", minutes=number)
    pump.run()
    change(by_need=True)
    pump.project()
    rounds = 0
    while messages := queued():
        assert work.do_work({"Records": messages}, lambda: 10) == {"batchItemFailures": []}
        rounds += 1
    assert rounds > 5
    assert line() == [5, 6, 2, 3, 4]
    assert in_step()


def test_whoever_joins_while_need_is_switched_on_is_ranked_by_it(pump):
    change(by_need=False)
    joins(2, "green")
    b.person(3)
    with seams.before_commit(lambda: change(by_need=True)):
        join(3, now=NOW + timedelta(minutes=1))
    pump.run()
    assert line() == [3, 2]
    assert all(of(number).waits_by_need for number in (2, 3))


def test_a_job_overtaken_by_a_later_change_ranks_by_the_class_as_it_is(pump):
    joins(2, "red")
    class_, _ = stored.class_with_seats("504-c1")
    change(by_need=False)
    pump.run()
    assert waiting.rank_all(class_, NOW, lambda: True)  # as if it were still by need
    assert of(2).need is None


def test_a_class_changed_back_while_its_list_is_ranked_has_the_last_word(pump):
    change(by_need=False)
    joins(2, "red")
    pump.run()
    change(by_need=True)
    class_, _ = stored.class_with_seats("504-c1")
    with seams.before_commit(lambda: change(by_need=False)):
        assert waiting.rank_all(class_, NOW, lambda: True)
    assert of(2).need is None


def test_whoever_is_sent_to_the_list_is_ranked_by_need_as_it_is_then(pump):
    joins(2, "green")
    b.person(3)
    change(maximum=3)
    pump.run()
    join(3, now=NOW + timedelta(minutes=1))
    change(status=b.ClassStatus.PLANNED)
    pump.run()
    assert [of(number).status for number in (1, 2, 3)] == [Status.WAITLISTED] * 3
    assert line() == [1, 3, 2]
    told = {row.person: row.data for row in EventRow.scan() if row.type == "enrolment.waitlisted"}
    assert told["p3"]["by_need"]
    assert "position" not in told["p3"]


def test_nobody_is_sent_back_to_a_list_by_need_of_which_they_would_be_the_first(pump):
    joins(2, "green")
    pump.run()
    with pytest.raises(errors.NobodyElseWaits):
        placing_others.send_back(actor(99), "p1", of(1).id, "Others need it more.", NOW)
    b.person(3, awards=HELD["green"])
    withdraw(1)
    pump.run()
    join(3, now=NOW + timedelta(minutes=5))
    joins(4, "red")
    later = NOW + timedelta(minutes=10)
    assert placing_others.send_back(actor(99), "p2", of(2).id, "Others need it more.", later).need is Need.OTHER
    pump.run()
    assert of(4).status is Status.CONFIRMED
    assert line() == [3, 2]
    assert in_step()


# --- positions ----------------------------------------------------------------------------------------------------


def test_of_two_who_join_within_a_second_the_first_is_first(pump):
    change(by_need=False)
    b.person(2)
    b.person(3)
    join(3, now=NOW + timedelta(milliseconds=100))
    join(2, now=NOW + timedelta(milliseconds=900))
    assert line() == [3, 2]


def test_who_is_passed_over_is_in_nobodys_way_and_has_no_place(pump):
    joins(2, "red")
    joins(3, "red", minutes=1)
    enrolments.EnrolmentRow.of(as_passed_over(of(2))).save()
    assert waiting.position(of(3)) == 1
    assert waiting.positions([of(2), of(3), of(1)]) == {"504-c1~1": 1}
    assert waiting.positions([of(2), of(1)]) == {}


def test_the_list_of_a_national_class_is_every_employers(pump):
    b.workforce.define_structure(
        b.SYSTEM, "505", b.workforce.Structure("Other", [b.Unit("505", "Other", None)], []), NOW
    )
    national = b.e_learning("NHS-e1", "NHS-fire", status=b.ClassStatus.PLANNED)
    b.offered(national, course_id="NHS-fire")
    b.person(11)
    b.person(12, employer="505", assignments=[b.assignment("12", "505")])
    enrolment.enrol_myself(actor(11), "NHS-e1", NOW + timedelta(minutes=2))
    other = identity.identify("505-12", None, NOW)
    enrolment.enrol_myself(other, "NHS-e1", NOW + timedelta(minutes=1))
    assert line("NHS-e1") == [12, 11]
    assert waiting.position(of(11, "NHS-e1")) == 2
    assert waiting.position(of(12, "NHS-e1", "505")) == 1


def calls_of(act):
    """The calls of DynamoDB that something makes, each with its index, if it reads one, and what it selects."""
    calls = []

    def noted(call, operation, request):
        calls.append((operation, request.get("IndexName"), request.get("Select")))
        return call(operation, request)

    with seams.intercepted(noted):
        act()
    return calls


def test_a_position_costs_one_query_also_on_the_list_of_every_employer(pump):
    joins(2, "red")
    b.offered(b.e_learning("NHS-e1", "NHS-fire", status=b.ClassStatus.PLANNED), course_id="NHS-fire")
    join(2, "NHS-e1")
    mine, national = of(2), of(2, "NHS-e1")
    assert calls_of(lambda: waiting.position(mine)) == [("Query", "gsi2", "COUNT")]
    assert calls_of(lambda: waiting.position(national)) == [("Query", "gsi1", "COUNT")]


def test_whoever_joins_a_list_by_need_reads_nobody_else_on_it(pump):
    joins(2, "green")
    b.person(3)
    indexes = {index for _, index, _ in calls_of(lambda: join(3))}
    assert indexes == {None}


def test_the_message_says_how_the_list_is_ordered(pump):
    seen = set(pump.seen)
    joins(2, "red")
    events.relay_events({"Records": stream_records(seen)})
    (told,) = inbox.page("p2", 1, None)[0]
    assert "Seats go first to those whose training is missing or has expired" in said(told)
    assert "So your number on the list can change: My learning shows it." in said(told)
    assert "You are number" not in said(told)


# --- others act at the same moment --------------------------------------------------------------------------------


def test_a_maximum_lowered_while_somebody_books_leaves_nobody_beyond_it(pump):
    change(maximum=2)
    b.person(2)
    with seams.before_commit(lambda: change(maximum=1)):
        assert join(2).status is Status.WAITLISTED
    pump.run()
    assert (of(2).status, in_step()) == (Status.WAITLISTED, True)


def test_a_class_cancelled_while_somebody_enrols_takes_nobody(pump):
    b.person(2)

    def cancel():
        classes.cancel(actor(99), "504-c1", "The room is flooded.", NOW)

    with seams.before_commit(cancel), pytest.raises((errors.ClassCancelled, errors.NotFound)):
        join(2)
    pump.run()
    assert of(1).status is Status.CANCELLED
    assert learners.learner("p2", "504").enrolments == ()
    assert in_step()


def test_whoever_withdraws_while_being_promoted_has_withdrawn_and_the_seat_goes_on(pump):
    joins(2, "red")
    joins(3, "red", minutes=1)
    withdraw(1)
    pump.project()
    messages = queued()
    with seams.before_commit(lambda: withdraw(2)):
        assert work.do_work({"Records": messages}, plenty) == {"batchItemFailures": []}
    pump.run()
    assert (of(2).status, of(3).status, in_step()) == (Status.WITHDRAWN, Status.CONFIRMED, True)


def test_a_seat_goes_past_whoever_will_have_left_by_the_day_of_the_class(pump):
    joins(2, "red")
    joins(3, "red", minutes=1)
    withdraw(1)
    leave(2, date(2026, 11, 30))
    assert class_changes.promote("504-c1", NOW, lambda: True)
    assert (of(2).status, of(3).status, in_step()) == (Status.WAITLISTED, Status.CONFIRMED, True)


def test_whoever_is_promoted_while_withdrawing_gives_the_seat_to_the_next(pump):
    joins(2, "red")
    joins(3, "red", minutes=1)
    withdraw(1)

    def promote():
        assert class_changes.promote("504-c1", NOW, lambda: True)

    with seams.before_commit(promote):
        assert withdraw(2).status is Status.WITHDRAWN
    pump.run()
    assert (of(3).status, in_step()) == (Status.CONFIRMED, True)


def test_a_need_that_changes_while_its_holder_withdraws_changes_nothing(pump):
    joins(2, "red")
    pump.run()
    give(2)
    with seams.before_commit(lambda: withdraw(2)):
        pump.run()
    assert (of(2).status, in_step()) == (Status.WITHDRAWN, True)
