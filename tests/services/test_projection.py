"""Snapshots and counters follow every change of records, of rules and of the date, and always equal a full recount."""

from contextlib import contextmanager
from datetime import timedelta

import pytest

from chalicelib.domain.compliance import Colour
from chalicelib.domain.people import EmploymentKind
from chalicelib.domain.projection import NOTHING, UNASSIGNED, Counts
from chalicelib.domain.requirements import Target, TargetKind
from chalicelib.domain.workforce import Change, GroupSection
from chalicelib.handlers import work
from chalicelib.services import jobs, projection, rule_changes, takeover, workforce
from chalicelib.storage import projection as stored
from chalicelib.storage import queues, rules
from chalicelib.storage.base import Record
from chalicelib.storage.people import AssignmentRow, EmploymentRow
from chalicelib.storage.transaction import Transaction
from tests import builders as b
from tests.builders import FIRE, INDUCTION, MOVING, NOW, SYSTEM, TODAY
from tests.pump import Pump, stream_records
from tests.seams import before_commit, colliding_transactions, failing_calls, intercepted, lagging_reads

UNITS = [unit.id for unit in b.UNITS] + [UNASSIGNED]


pytestmark = pytest.mark.usefixtures("nothing_waits")


@pytest.fixture
def trust(aws):
    b.trust()
    return Pump()


def project(person="p1", now=NOW):
    return projection.project(person, "504", now)


def counters(unit="ward-9"):
    return stored.counters("504").get(unit, NOTHING)


def colours(person="p1"):
    return {row.competency: row.colour for each in stored.snapshots_of(person, "504") for row in each.rows}


def differences(now=NOW):
    return list(projection.recount("504", UNITS, now))


def held(person, *assignments):
    """A person's assignments as they are from now on, however they came about."""
    for row in AssignmentRow.query(f"P#{person}", AssignmentRow.sk.startswith("E#504#ASG#")):
        row.delete()
    for each in assignments:
        AssignmentRow.of(person, "504", each).save()


def employed(person, until=None):
    """The last day of somebody's employment as it is from now on, however it came about."""
    row = EmploymentRow.get(f"P#{person}", "E#504#WHO")
    row.ends_on = until
    row.save()


def change_rules(*requirements, reach=None, owner="504"):
    """Requirements added as a service adds them: rows, version, job and event in one transaction; the job's id."""
    transaction = Transaction()
    for each in requirements:
        transaction.put(rules.RequirementRow.of("504", each))
    reached = reach or [each.target for each in requirements]
    job_id = rule_changes.announce(transaction, SYSTEM, owner, reached, NOW)
    transaction.commit()
    return job_id


@contextmanager
def counted_calls():
    """How often each operation of DynamoDB is called."""
    calls = []

    def intercept(call, operation, request):
        calls.append(operation)
        return call(operation, request)

    with intercepted(intercept):
        yield calls


# --- records change -------------------------------------------------------------------------------------------


def test_a_joiner_is_in_the_counters_of_their_unit(trust):
    b.person(awards=[b.award()])
    trust.run()
    assert counters() == Counts(assignments=1, required=1, achieved=1)
    assert stored.counters_by_competency("504", ["ward-9"]) == {"ward-9": {FIRE: Counts(1, 1, 1)}}
    assert stored.counters_by_competency("504") == {"ward-9": {FIRE: Counts(1, 1, 1)}}
    assert colours() == {FIRE: Colour.GREEN}
    assert differences() == []


def test_projecting_costs_one_read_if_nothing_changed_and_two_and_a_transaction_otherwise(trust):
    b.person()
    rulebook = rules.rulebook("504")
    with counted_calls() as calls:
        projection.project_under(rulebook, "p1", NOW)
    assert calls == ["Query", "TransactWriteItems", "Query"]
    with counted_calls() as calls:
        projection.project_under(rulebook, "p1", NOW)
    assert calls == ["Query"]


def test_a_mover_takes_their_counts_along(trust):
    b.person()
    project()
    held("p1", b.assignment(unit="ward-10"))
    project()
    assert (counters("ward-9"), counters("ward-10")) == (NOTHING, Counts(assignments=1, required=1))
    assert differences() == []


def test_a_leaver_takes_their_counts_away(trust):
    b.person(awards=[b.award()])
    project()
    held("p1", b.assignment(ends_on=TODAY - timedelta(1)))
    project()
    assert [each.facts.number for each in stored.snapshots_of("p1", "504")] == [UNASSIGNED]
    assert counters() == NOTHING
    assert differences() == []


def test_each_assignment_counts_in_its_own_unit(trust):
    b.person(assignments=[b.assignment("1"), b.assignment("2", unit="estates", primary=False)])
    project()
    assert counters("ward-9") == counters("estates") == Counts(assignments=1, required=1)


def test_an_external_learner_is_projected_and_counted_nowhere(trust):
    change_rules(b.requirement(MOVING, TargetKind.LEARNER_GROUP, "agency"))
    b.person(kind=EmploymentKind.EXTERNAL, groups=("agency",))
    trust.run()
    assert colours() == {MOVING: Colour.RED}
    assert stored.counters("504") == {}
    assert [each.facts.person for each in stored.snapshots_of_unit("504", UNASSIGNED, 10)[0]] == ["p1"]


def test_whoever_is_unknown_is_projected_to_nothing(trust):
    assert project("nobody") is None
    assert stored.counters("504") == {}


def test_somebody_with_more_requirements_than_a_transaction_holds_is_counted_exactly(trust, monkeypatch):
    monkeypatch.setattr(stored, "MOST_ACTIONS", 10)
    change_rules(*(b.requirement(f"504|LOCAL|Skill {number}|") for number in range(20)))
    b.person()
    project()
    assert counters().required == 21
    held("p1", b.assignment(unit="ward-10"))
    with failing_calls("TransactWriteItems", "InternalServerError", after=True), pytest.raises(Exception, match=r"."):
        project()
    assert [each for each in differences() if each.person is None] == []  # half-way, every counter still is a sum
    project()
    assert (counters("ward-9"), counters("ward-10").required) == (NOTHING, 21)
    assert differences() == []


# --- faults ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("after", [False, True], ids=["before writing", "after writing"])
def test_a_projector_killed_at_its_transaction_leaves_exact_counters_and_the_next_delivery_finishes(trust, after):
    b.person(awards=[b.award()])
    project()
    held("p1", b.assignment(unit="ward-10"), b.assignment("2", primary=False))
    with failing_calls("TransactWriteItems", "InternalServerError", after=after), pytest.raises(Exception, match=r"."):
        project()
    assert [each for each in differences() if each.person is None] == []
    trust.run()
    assert (counters("ward-9").assignments, counters("ward-10").assignments) == (1, 1)
    assert differences() == []


def test_an_event_delivered_ten_times_counts_once(trust):
    b.person()
    for _ in range(10):
        assert work.project_events({"Records": stream_records(trust.seen)}) == {"batchItemFailures": []}
    assert counters() == Counts(assignments=1, required=1)


def test_two_projectors_of_one_person_at_once_count_once(trust):
    b.person()
    with before_commit(project):
        project()
    assert counters() == Counts(assignments=1, required=1)
    assert differences() == []


def test_whoever_read_the_older_records_never_has_the_last_word(trust):
    """The older reading commits although a newer one, finding nothing to write, has come and gone in between."""
    b.person()
    project()

    def change_back_and_project():
        held("p1", b.assignment(number="1"))
        project()

    held("p1", b.assignment(number="1", unit="ward-10"))
    with before_commit(change_back_and_project):
        project()
    assert (counters("ward-9").assignments, counters("ward-10")) == (1, NOTHING)
    assert differences() == []


def test_a_stalled_projector_is_not_fooled_by_a_snapshot_deleted_and_made_anew(trust):
    """They leave and come back to another unit between its reading and its commit."""
    b.person()
    project()

    def leave_and_come_back():
        employed("p1", until=TODAY - timedelta(1))
        project()
        assert stored.snapshots_of("p1", "504") == ()
        employed("p1")
        held("p1", b.assignment(unit="estates"))
        project()

    takeover.take_over(SYSTEM, "504", "p1", [b.award()], [], NOW)
    with before_commit(leave_and_come_back):
        project()
    assert (counters("ward-9"), counters("estates")) == (NOTHING, Counts(assignments=1, required=1, achieved=1))
    assert differences() == []


def test_two_snapshots_made_anew_are_never_taken_for_one_another_also_in_steps(trust, monkeypatch):
    monkeypatch.setattr(stored, "MOST_ACTIONS", 4)
    change_rules(*(b.requirement(f"504|LOCAL|Skill {number}|") for number in range(3)))
    b.person()
    found = set()
    for _ in range(3):
        employed("p1")
        project()
        found.add(stored.snapshots_of("p1", "504")[0].revision)
        employed("p1", until=TODAY - timedelta(1))
        project()
    assert len(found) == 3
    assert differences() == []


def test_rules_changed_between_reading_and_committing_are_projected_too(trust):
    b.person()
    with before_commit(lambda: change_rules(b.requirement(MOVING))):
        project()
    assert colours() == {FIRE: Colour.RED, MOVING: Colour.RED}
    assert differences() == []


def test_transactions_that_collide_are_tried_again(trust):
    b.person()
    with colliding_transactions(3) as left:
        project()
    assert left == [0]
    assert counters().assignments == 1


def test_somebody_who_cannot_be_projected_is_queued_and_the_others_go_on(trust):
    for number in (1, 2, 3):
        b.person(number)
    before = projection.project_under

    def broken(rulebook, person, now):
        if person == "p2":
            raise ZeroDivisionError
        return before(rulebook, person, now)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(projection, "project_under", broken)
        trust.project()
    assert counters().assignments == 2
    trust.run()
    assert counters().assignments == 3


def test_where_the_queue_fails_too_the_batch_is_delivered_again_from_there(trust, monkeypatch):
    for number in (1, 2):
        b.person(number)
    records = stream_records(trust.seen)
    with monkeypatch.context() as patch:
        patch.setattr(projection, "project_under", lambda *_: 1 / 0)
        patch.setattr(queues, "queue_work", lambda _: 1 / 0)
        failures = work.project_events({"Records": records})["batchItemFailures"]
    people = [each for each in records if "person" in each["dynamodb"]["NewImage"]]
    assert failures == [{"itemIdentifier": people[0]["dynamodb"]["SequenceNumber"]}]


# --- rules change ---------------------------------------------------------------------------------------------


def test_a_requirement_for_everybody_reaches_every_snapshot_and_counter(trust, monkeypatch):
    monkeypatch.setattr(projection, "TOGETHER", 3)
    for number in range(10):
        b.person(number, assignments=[b.assignment(str(number), unit="ward-9" if number % 5 else "estates")])
    trust.run()
    job_id = change_rules(b.requirement(INDUCTION))
    trust.run()
    assert (counters("ward-9").required, counters("estates").required) == (16, 4)
    job = jobs.job("504", job_id)
    assert (job.state, job.percent, job.total) == ("done", 100, len(UNITS))
    assert sum(result["changed"] for _, result in jobs.results("504", job_id)) == 10
    assert differences() == []


def test_a_requirement_of_a_unit_has_a_part_for_each_unit_below(trust):
    job_id = change_rules(b.requirement(MOVING, TargetKind.UNIT, "surgery"))
    trust.run()
    assert sorted(part for part, _ in jobs.results("504", job_id)) == ["surgery", "ward-10", "ward-9"]


def test_a_requirement_of_a_group_projects_its_members(trust):
    b.person(1, groups=("agency",))
    b.person(2)
    trust.run()
    change_rules(b.requirement(MOVING, TargetKind.LEARNER_GROUP, "agency"))
    trust.run()
    assert (colours("p1"), colours("p2")) == ({FIRE: Colour.RED, MOVING: Colour.RED}, {FIRE: Colour.RED})


def test_a_requirement_of_one_person_needs_no_job(trust):
    b.person()
    trust.run()
    assert change_rules(b.requirement(MOVING, TargetKind.PERSON, "p1")) is None
    trust.run()
    assert colours() == {FIRE: Colour.RED, MOVING: Colour.RED}


def test_a_change_of_the_nations_rules_starts_one_job_at_each_employer_however_often_it_is_told(trust):
    transaction = Transaction()
    for employer in ("504", "505"):
        rules.list_employer(transaction, employer)
    transaction.commit()
    before = jobs_of("504")
    assert change_rules(reach=[Target(TargetKind.EMPLOYER, "NHS")], owner="NHS") is None
    told = stream_records(trust.seen)
    for _ in range(3):
        assert work.project_events({"Records": told}) == {"batchItemFailures": []}
    assert (len(jobs_of("504") - before), len(jobs_of("505"))) == (1, 1)
    trust.run()
    assert {jobs.job("505", each).state for each in jobs_of("505")} == {"done"}


def jobs_of(employer):
    return {each.id for each in jobs.page(employer, 100, None)[0]}


def test_a_subtree_that_changes_while_it_is_announced_is_read_again(trust):
    transaction = Transaction()
    rule_changes.announce(transaction, SYSTEM, "504", [Target(TargetKind.UNIT, "surgery")], NOW)
    change_rules(b.requirement(INDUCTION))
    with pytest.raises(Exception, match=r"^$") as stale:
        transaction.commit()
    assert type(stale.value).__name__ == "Stale"


def test_snapshots_that_changed_since_the_index_was_read_are_judged_as_they_stand(trust):
    b.person()
    project()
    takeover.take_over(SYSTEM, "504", "p1", [b.award()], [], NOW)
    with lagging_reads():
        project()
        change_rules(b.requirement(INDUCTION))
        assert projection.rejudge_unit("504", "ward-9", NOW) == 1
    assert colours() == {INDUCTION: Colour.RED, FIRE: Colour.GREEN}
    assert differences() == []


def test_a_part_interrupted_by_a_projector_loses_nothing(trust):
    for number in range(3):
        b.person(number)
    trust.run()
    change_rules(b.requirement(INDUCTION))

    def somebody_is_awarded():
        takeover.take_over(SYSTEM, "504", "p1", [b.award()], [], NOW)
        project("p1")

    with before_commit(somebody_is_awarded):
        projection.rejudge_unit("504", "ward-9", NOW)
    assert counters() == Counts(assignments=3, required=6, achieved=1)
    assert differences() == []


def test_rules_that_change_again_while_a_part_is_judged_are_judged_too(trust):
    for number in range(3):
        b.person(number)
    trust.run()
    change_rules(b.requirement(INDUCTION))
    with before_commit(lambda: change_rules(b.requirement(MOVING))):
        projection.rejudge_unit("504", "ward-9", NOW)
    assert counters().required == 9
    assert differences() == []


def test_whoever_the_date_takes_to_another_unit_escapes_no_change_of_rules(trust, monkeypatch):
    """An older job finds them in the old unit after midnight, when the newer job has done the new unit already."""
    b.person(assignments=[b.assignment(ends_on=TODAY), b.assignment(unit="estates", starts_on=TODAY + timedelta(1))])
    trust.run()
    tomorrow = NOW + timedelta(1)
    monkeypatch.setattr(work, "now", lambda: tomorrow)

    def the_new_units_part_comes_and_goes():
        change_rules(b.requirement(MOVING, TargetKind.UNIT, "estates"))
        projection.rejudge_unit("504", "estates", tomorrow)

    change_rules(b.requirement(INDUCTION))
    with acting_on("commit", the_new_units_part_comes_and_goes):
        projection.rejudge_unit("504", "ward-9", tomorrow)
    trust.work()
    assert colours() == {FIRE: Colour.RED, INDUCTION: Colour.RED, MOVING: Colour.RED}
    assert (counters("ward-9"), counters("estates")) == (NOTHING, Counts(assignments=1, required=3))
    assert differences(tomorrow) == []


@contextmanager
def acting_on(name, do):
    """Something happens once, just before the storage of snapshots is next called."""
    before, done = getattr(stored, name), []

    def act(*given):
        if not done:
            done.append(True)
            do()
        return before(*given)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stored, name, act)
        yield


# --- time passes ----------------------------------------------------------------------------------------------


def test_the_daily_run_judges_what_is_due_and_writes_its_row_also_when_nothing_is(trust):
    soon = b.award_expiring(TODAY + timedelta(days=100))
    b.person(1, awards=[soon])
    b.person(2)
    trust.run()
    assert counters().expiring == 0
    later = NOW + timedelta(days=20)
    assert projection.day("504", NOW).due == 0
    run = projection.day("504", later)
    assert (run.due, run.changed, run.finished) == (2, 2, True)  # amber begins, and what is red is looked at on Mondays
    assert projection.day("504", later).due == 0
    assert counters() == Counts(assignments=2, required=2, achieved=1, expiring=1)
    assert differences(later) == []
    rows = {row.pk: row for day in (TODAY, TODAY + timedelta(20)) for row in Record.query(f"RUN#{day}")}
    assert (int(rows[f"RUN#{TODAY}"].due), rows[f"RUN#{TODAY}"].finished_at) == (0, NOW)
    assert (int(rows["RUN#2026-12-13"].due), int(rows["RUN#2026-12-13"].changed)) == (2, 2)


def test_a_daily_run_without_time_hands_the_rest_on(trust, monkeypatch):
    monkeypatch.setattr(projection, "TOGETHER", 4)
    for number in range(10):
        b.person(number, awards=[b.award_expiring(TODAY)])
    trust.run()
    tomorrow = NOW + timedelta(days=1)
    monkeypatch.setattr(work, "now", lambda: tomorrow)
    left = iter([60_000, 60_000, 1_000])
    work.do_work({"Records": [{"messageId": "1", "body": '{"kind": "day", "employer": "504"}'}]}, lambda: next(left))
    assert counters().achieved == 2
    trust.run()
    assert counters() == Counts(assignments=10, required=10)
    (row,) = Record.query("RUN#2026-11-24")
    assert (int(row.due), int(row.changed), row.finished_at) == (10, 10, tomorrow)


def test_a_joiner_counts_from_their_first_day_and_a_leaver_until_their_last(trust, monkeypatch):
    b.person(1, assignments=[b.assignment(starts_on=TODAY + timedelta(3))])
    b.person(2, assignments=[b.assignment(ends_on=TODAY + timedelta(2))])
    trust.run()
    assert counters().assignments == 1
    for days, number in ((2, 1), (3, 1), (4, 1)):
        monkeypatch.setattr(work, "now", lambda days=days: NOW + timedelta(days))
        projection.day("504", NOW + timedelta(days))
        trust.run()
        assert counters().assignments == number
        assert differences(NOW + timedelta(days)) == []
    assert stored.snapshots_of("p2", "504")[0].facts.number == UNASSIGNED


def test_whoever_joins_a_group_ahead_comes_under_its_requirements_on_the_day_and_leaves_them_on_the_day(trust):
    change_rules(b.requirement(MOVING, TargetKind.LEARNER_GROUP, "agency"))
    b.person()
    since, until = TODAY + timedelta(2), TODAY + timedelta(5)
    joining = Change("m1", 1, "20000001", learner_groups=[GroupSection("agency", since, until)])
    assert workforce.apply(SYSTEM, "504", joining, rules.rulebook("504"), NOW).state == "accepted"
    trust.run()
    required = {}
    for number in (0, 1, 2, 5, 6):
        later = NOW + timedelta(number)
        projection.day("504", later)
        required[number] = MOVING in colours()
        assert differences(later) == []
    assert required == {0: False, 1: False, 2: True, 5: True, 6: False}


def test_somebody_who_cannot_be_judged_does_not_stop_the_daily_run(trust, monkeypatch):
    b.person(1, awards=[b.award_expiring(TODAY)])
    trust.run()
    with monkeypatch.context() as patch:
        patch.setattr(projection, "rejudge", lambda *_: 1 / 0)
        assert projection.day("504", NOW + timedelta(1)).finished
    monkeypatch.setattr(work, "now", lambda: NOW + timedelta(1))
    trust.run()
    assert colours() == {FIRE: Colour.RED}


# --- counting again -------------------------------------------------------------------------------------------


def test_a_counter_that_is_wrong_is_found_by_unit_and_competency(trust):
    b.person()
    project()
    for key in (("E#504#AGG", "UNIT#ward-9"), ("E#504#CAG", f"UNIT#ward-9#{FIRE}")):
        stored.CounterRow(*key).update([stored.CounterRow.achieved.add(1)])
    found = differences()
    assert [(each.unit, each.competency) for each in found] == [("ward-9", None), ("ward-9", FIRE)]
    assert (found[0].kept.achieved, found[0].counted.achieved) == (1, 0)


def test_a_snapshot_that_does_not_say_what_the_records_say_is_found_by_person_and_assignment(trust):
    b.person(1)
    b.person(2)
    project("p1")
    takeover.take_over(SYSTEM, "504", "p1", [b.award()], [], NOW)
    found = differences()
    assert [(each.person, each.assignment) for each in found] == [("p1", "1"), ("p2", "2")]
    trust.run()
    assert differences() == []


def test_a_change_on_its_way_is_no_difference(trust, monkeypatch):
    b.person()
    monkeypatch.setattr(projection, "LOOK_AGAIN_SECONDS", 1)
    monkeypatch.setattr(projection.time, "sleep", lambda _: trust.run())
    assert differences() == []
