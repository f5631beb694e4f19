"""Workforce messages taken in: who somebody is, what they hold, and what is refused, each in one transaction."""

import random
from dataclasses import replace
from datetime import date, timedelta

import boto3
import pytest

from chalicelib.domain.calendar import EARLIEST
from chalicelib.domain.people import EmploymentKind, Membership
from chalicelib.domain.permissions import Role
from chalicelib.domain.workforce import AssignmentSection, Change, GroupSection, PersonSection, ServiceSection
from chalicelib.handlers import work
from chalicelib.services import people, roles, workforce
from chalicelib.storage import learner as learners
from chalicelib.storage import people as stored_people
from chalicelib.storage import projection, rules
from chalicelib.storage.base import AuditTable, Message, Record
from chalicelib.storage.people import MembershipRow, NumberRow
from tests import builders as b
from tests import seams
from tests.builders import NOW, TODAY
from tests.pump import Pump

FEED = "system:workforce-feed"
EMPLOYEE = EmploymentKind.EMPLOYEE
SAM = PersonSection("Sam", "Lane", "Ms", "sam@trust.invalid", "504-900")
SINCE = date(2026, 1, 1)
HIRED = ServiceSection(EMPLOYEE, SINCE)
AGENCY = GroupSection("agency", SINCE)


@pytest.fixture(name="trust")
def _trust(aws):
    b.trust()


def job(starts_on=SINCE, ends_on=None, number="900", **changes):
    facts = {"unit": "ward-9", "position": "nurse-9", "job": "nurse", "staff_group": "nursing"}
    return AssignmentSection(number, starts_on, ends_on, **(facts | changes))


def send(sequence=1, number="900", employer="504", id=None, now=NOW, **sections):
    change = Change(id or f"m{sequence}-{number}", sequence, number, **sections)
    return workforce.apply(FEED, employer, change, rules.rulebook(employer), now)


def join(number="900", person=SAM, sequence=1, **sections):
    given = {"employment": HIRED, "assignments": [job(number=number)]}
    return send(sequence, number, person=person, **(given | sections))


def learner(outcome, employer="504"):
    return learners.learner(outcome.person, employer, consistent=True)


def held(outcome):
    return [(each.unit, each.starts_on, each.ends_on) for each in learner(outcome).assignments]


def wrong(outcome):
    assert outcome.state == "refused"
    return [error.field for error in outcome.errors]


def rows(table):
    """Every row of a table as it is stored."""
    return sorted(boto3.client("dynamodb").scan(TableName=table.Meta.table_name)["Items"], key=str)


def search(**asked):
    from chalicelib.domain.actor import Actor

    actor = Actor("p0", "504", frozenset({Role.LEARNING_ADMINISTRATOR}), None, ("504",))
    found = people.search(actor, asked.get("name"), asked.get("number"), 20, None)
    return [each.person for each in found.people]


# --- joiners, movers, leavers -------------------------------------------------------------------------------


def test_a_joiner_is_there_at_once_with_event_and_audit(trust):
    outcome = join(learner_groups=[AGENCY])
    assert (outcome.state, outcome.warnings) == ("accepted", ())
    assert outcome.changed == (
        "person",
        "employment from 2026-01-01",
        "assignment 900 from 2026-01-01",
        "learner group agency from 2026-01-01",
    )
    new = learner(outcome)
    assert new.person.full_name == "Ms Sam Lane"
    assert new.memberships == (Membership("agency", SINCE),)
    assert new.roles_on(TODAY) == {Role.EMPLOYEE}
    assert [each.number for each in new.assignments_on(TODAY)] == ["900"]
    events = [row for row in Message.scan() if getattr(row, "type", None) == "learner.changed"]
    assert [row.person for row in events] == [outcome.person]


def test_the_audit_names_the_message_and_nobody(trust):
    join()
    told = str([row for row in rows(AuditTable) if FEED in str(row)])
    assert "m1-900" in told
    assert not any(each in told for each in ("Lane", "@", "504-900"))


def test_the_same_message_again_changes_nothing(trust):
    join()
    before = rows(Record), rows(Message), rows(AuditTable)
    again = join()
    assert (again.state, again.repeated) == ("unchanged", True)
    assert (rows(Record), rows(Message), rows(AuditTable)) == before


def test_a_mover_changes_unit_on_the_day(trust):
    outcome = join()
    send(2, assignments=[job(date(2027, 1, 1), unit="estates")])
    assert held(outcome) == [("ward-9", SINCE, date(2026, 12, 31)), ("estates", date(2027, 1, 1), None)]


def test_a_move_dated_in_the_past_counts_since_then(trust):
    outcome = join()
    send(2, assignments=[job(date(2026, 6, 1), unit="estates")])
    assert [each.unit for each in learner(outcome).assignments_on(TODAY)] == ["estates"]
    assert [each.unit for each in learner(outcome).assignments_on(date(2026, 5, 31))] == ["ward-9"]


def test_the_view_of_a_unit_shows_only_what_is_not_over(trust):
    join()
    send(2, assignments=[job(date(2026, 6, 1), unit="estates")])
    assert list(Record.gsi1.query("E#504#UNIT#ward-9")) == []
    assert len(list(Record.gsi1.query("E#504#UNIT#estates"))) == 1


def test_a_leaver_holds_nothing_after_the_last_day(trust):
    outcome = join()
    send(2, employment=ServiceSection(EMPLOYEE, SINCE, TODAY))
    assert learner(outcome).roles_on(TODAY) == {Role.EMPLOYEE}
    assert learner(outcome).roles_on(TODAY + timedelta(days=1)) == frozenset()
    assert learner(outcome).assignments_on(TODAY + timedelta(days=1)) == ()


def test_somebody_who_comes_back_is_the_same_person_with_both_periods(trust):
    outcome = join(employment=ServiceSection(EMPLOYEE, SINCE, date(2026, 6, 30)))
    assert send(2, employment=ServiceSection(EMPLOYEE, date(2026, 11, 1))).person == outcome.person
    back = learner(outcome).employment
    assert (back.starts_on, [each.ends_on for each in back.earlier]) == (date(2026, 11, 1), [date(2026, 6, 30)])


def test_an_offer_taken_back_is_found_by_nobody(trust):
    outcome = join(employment=ServiceSection(EmploymentKind.APPLICANT, date(2027, 1, 1)))
    assert search(number="900") == [outcome.person]
    send(2, employment=ServiceSection(EmploymentKind.APPLICANT, date(2027, 1, 1), cancelled=True))
    assert (search(number="900"), search(name="lane")) == ([], [])
    assert learner(outcome).roles_on(TODAY) == frozenset()


def test_an_offer_to_somebody_who_left_does_not_count_in_the_gap_before_it(trust):
    outcome = join(employment=ServiceSection(EMPLOYEE, SINCE, date(2026, 6, 30)))
    send(2, employment=ServiceSection(EmploymentKind.APPLICANT, date(2027, 1, 1)))
    send(3, now=NOW + timedelta(days=7), employment=ServiceSection(EmploymentKind.APPLICANT, date(2027, 2, 1)))
    again = learner(outcome)
    days = date(2026, 6, 30), date(2026, 7, 1), TODAY - timedelta(days=1), TODAY
    assert [again.employment.active_on(day) for day in days] == [True, False, False, True]
    assert again.roles_on(TODAY) == {Role.APPLICANT}


def test_whose_employment_is_cancelled_keeps_no_role_here(trust):
    b.person(1, role="learning_administrator")
    send(1, "20000001", employment=ServiceSection(EMPLOYEE, date(2024, 1, 1), cancelled=True))
    assert learners.learner("p1", "504", consistent=True).roles_on(TODAY) == frozenset()


def test_whoever_leaves_a_group_was_in_it_until_then(trust):
    outcome = join(learner_groups=[AGENCY])
    left = replace(AGENCY, ends_on=date(2026, 3, 31))
    assert send(2, learner_groups=[left]).changed == ("learner group agency from 2026-01-01",)
    gone = learner(outcome)
    assert (gone.groups_on(SINCE), gone.groups_on(date(2026, 3, 31))) == (("agency",), ("agency",))
    assert (gone.groups_on(date(2025, 12, 31)), gone.groups_on(date(2026, 4, 1))) == ((), ())


def test_a_membership_that_never_was_is_none_and_stays_so(trust):
    outcome = join(learner_groups=[AGENCY])
    assert send(3, learner_groups=[replace(AGENCY, cancelled=True)]).state == "accepted"
    assert send(2, id="late", learner_groups=[AGENCY]).state == "unchanged"
    assert learner(outcome).memberships == ()
    assert projection.members_of("504", "agency") == []


def test_a_group_has_each_member_once_while_their_membership_is_not_over(trust):
    ahead = GroupSection("agency", date(2027, 1, 1))
    outcome = join(learner_groups=[replace(AGENCY, ends_on=TODAY), ahead])
    assert projection.members_of("504", "agency") == [outcome.person]
    assert stored_people.members_page("504", "agency", 10, None)[0] == [outcome.person]
    send(2, now=NOW + timedelta(days=1), learner_groups=[replace(AGENCY, ends_on=TODAY)])
    assert projection.members_of("504", "agency") == [outcome.person]
    send(3, now=NOW + timedelta(days=1), learner_groups=[replace(ahead, cancelled=True)])
    assert projection.members_of("504", "agency") == []


def test_a_membership_from_before_they_had_days_counts_since_ever_and_can_be_ended(trust):
    outcome = join()
    undated = MembershipRow(f"P#{outcome.person}", "E#504#LGR#agency", gsi1pk="E#504#LGR#agency", gsi1sk="P#p")
    undated.save()
    assert learner(outcome).groups_on(SINCE) == learner(outcome).groups_on(TODAY) == ("agency",)
    send(2, learner_groups=[GroupSection("agency", EARLIEST, date(2026, 3, 31))])
    assert (learner(outcome).groups_on(SINCE), learner(outcome).groups_on(TODAY)) == (("agency",), ())
    assert len(learner(outcome).memberships) == 1


def test_an_applicant_sees_what_the_groups_ask_for_that_they_are_to_join(trust):
    coming = date(2027, 1, 1)
    outcome = join(
        employment=ServiceSection(EmploymentKind.APPLICANT, coming), learner_groups=[GroupSection("agency", coming)]
    )
    assert learner(outcome).groups_on(TODAY) == ("agency",)
    assert (
        learner(join("901", replace(SAM, login=None), learner_groups=[GroupSection("agency", coming)])).groups_on(TODAY)
        == ()
    )


def test_an_external_learner_needs_no_assignment(trust):
    outcome = join(employment=ServiceSection(EmploymentKind.EXTERNAL, SINCE), assignments=[], learner_groups=[AGENCY])
    assert learner(outcome).roles_on(TODAY) == {Role.EXTERNAL_LEARNER}


def test_somebody_is_found_by_the_new_name_and_not_by_the_old(trust):
    outcome = join()
    send(2, person=PersonSection("Sam", "Reed"))
    assert (search(name="reed"), search(name="lane")) == ([outcome.person], [])


def test_a_new_login_is_theirs_and_the_old_one_nobodys(trust):
    outcome = join()
    send(2, person=PersonSection("Sam", "Lane", login="504-901"))
    assert workforce.people.person_of_login("504-901") == outcome.person
    assert workforce.people.person_of_login("504-900") is None


# --- late, repeated, shuffled, at once ----------------------------------------------------------------------


def test_a_late_message_overwrites_nothing(trust):
    outcome = join(sequence=5)
    assert send(4, person=PersonSection("Late", "Comer"), assignments=[job(unit="estates")]).state == "unchanged"
    assert learner(outcome).person.last_name == "Lane"
    assert held(outcome) == [("ward-9", SINCE, None)]


def test_messages_shuffled_and_repeated_end_in_the_same_records_as_in_order(trust):
    feed = [
        (1, "900", {"person": SAM, "employment": HIRED, "assignments": [job()]}),
        (2, "900", {"assignments": [job(date(2026, 3, 1), unit="ward-10", supervisor="901")]}),
        (3, "901", {"person": PersonSection("Alex", "Reed"), "employment": HIRED, "assignments": [job(number="901")]}),
        (4, "900", {"assignments": [job(date(2026, 5, 1), unit="estates")], "learner_groups": [AGENCY]}),
        (5, "900", {"assignments": [AssignmentSection("900", date(2026, 5, 1), cancelled=True)]}),
        (
            6,
            "900",
            {
                "employment": ServiceSection(EMPLOYEE, SINCE, date(2026, 12, 31)),
                "learner_groups": [replace(AGENCY, ends_on=TODAY)],
            },
        ),
        (7, "901", {"person": PersonSection("Alex", "Reed-Lane")}),
    ]

    def known():
        """Everything known of both, with ids as numbers, since who arrives first gets another id."""
        numbers = {row.person: row.sk for row in NumberRow.scan()}
        told = {}
        for person, number in numbers.items():
            for employer, own in learners.learners(person, consistent=True).items():
                told[number, employer] = str((own.person, own.employment, own.assignments, own.memberships))
        text = str(sorted(told.items()))
        for person, number in numbers.items():
            text = text.replace(person, number)
        return text

    def empty():
        with Record.batch_write() as batch:
            for row in list(Record.scan()):
                if row.pk.startswith(("P#", "ID#", "E#504#NO")):
                    batch.delete(row)

    for sequence, number, sections in feed:
        assert send(sequence, number, **sections).state == "accepted"
    expected = known()
    for seed in range(6):
        empty()
        order = random.Random(seed)
        waiting = order.sample(feed + feed[::2], len(feed) + len(feed[::2]))
        while waiting:  # one that came before whom it is about is sent again, as a queue does
            refused = [each for each in waiting if send(each[0], each[1], **each[2]).state == "refused"]
            assert len(refused) < len(waiting)
            waiting = refused
        assert known() == expected


def test_two_messages_about_one_person_at_once_both_count(trust):
    outcome = join()
    with seams.before_commit(
        lambda: send(3, learner_groups=[AGENCY], assignments=[job(date(2026, 9, 1), unit="ward-10")])
    ):
        assert send(2, assignments=[job(date(2026, 6, 1), unit="estates")]).state == "accepted"
    assert held(outcome) == [
        ("ward-9", SINCE, date(2026, 5, 31)),
        ("estates", date(2026, 6, 1), date(2026, 8, 31)),
        ("ward-10", date(2026, 9, 1), None),
    ]
    assert send(2, id="late", learner_groups=[replace(AGENCY, ends_on=TODAY)]).state == "unchanged"
    assert learner(outcome).memberships == (Membership("agency", SINCE),)


def test_two_joiners_under_one_number_at_once_are_one_person(trust):
    with seams.before_commit(lambda: join(sequence=2)):
        outcome = join()
    assert (outcome.state, outcome.person) == ("unchanged", search(number="900")[0])


def test_a_collision_is_tried_again(trust):
    with seams.colliding_transactions(2):
        assert join().state == "accepted"


def test_somebody_loaded_before_there_were_messages_takes_any(trust):
    b.person(1)
    outcome = send(0, "20000001", assignments=[job(date(2026, 6, 1), number="1", unit="estates")])
    assert (outcome.state, outcome.person) == ("accepted", "p1")
    assert held(outcome) == [("ward-9", date(2024, 1, 1), date(2026, 5, 31)), ("estates", date(2026, 6, 1), None)]


# --- supervisors --------------------------------------------------------------------------------------------


def test_a_supervisor_may_be_named_before_they_are_known(trust):
    outcome = join(assignments=[job(supervisor="901")])
    assert outcome.warnings == ("supervisor 901 is not known yet",)
    boss = join("901", PersonSection("Alex", "Reed"))
    assert [each.supervisor for each in learner(outcome).assignments] == [boss.person]


def test_a_circle_of_supervisors_is_refused_naming_it(trust):
    join("901", PersonSection("Alex", "Reed"))
    join("902", PersonSection("Kim", "Moor"), assignments=[job(number="902", supervisor="901")])
    join("903", PersonSection("Jo", "Hill"), assignments=[job(number="903", supervisor="902")])
    outcome = send(2, "901", assignments=[job(number="901", supervisor="903")])
    assert wrong(outcome) == ["assignments[0].supervisor"]
    assert outcome.errors[0].reason.endswith("903 - 902 - 901")


def test_supervisors_who_change_places_are_no_circle(trust):
    join("901", PersonSection("Alex", "Reed"))
    join("902", PersonSection("Kim", "Moor"), assignments=[job(number="902", supervisor="901")])
    send(2, "902", assignments=[job(date(2027, 1, 1), number="902")])
    assert send(2, "901", assignments=[job(date(2027, 1, 1), number="901", supervisor="902")]).state == "accepted"


def test_a_circle_that_future_dates_would_make_is_refused(trust):
    ahead = date(2027, 6, 1)
    join(
        "901",
        PersonSection("Alex", "Reed"),
        assignments=[job(number="901"), job(ahead, number="901", supervisor="902")],
    )
    join("902", PersonSection("Kim", "Moor"), assignments=[job(number="902")])
    join("903", PersonSection("Jo", "Hill"), assignments=[job(number="903", supervisor="901")])
    until = job(date(2027, 1, 1), date(2027, 5, 31), number="902", supervisor="903")
    outcome = send(2, "902", assignments=[replace(until, ends_on=None)])
    assert wrong(outcome) == ["assignments[0].supervisor"]
    assert outcome.errors[0].reason.endswith("903 - 901 - 902")
    assert send(3, "902", assignments=[until]).state == "accepted"


# --- several employers --------------------------------------------------------------------------------------


def other(employer):
    """Another employer, with one ward."""
    facts = [
        (workforce.Target(kind, each), each)
        for kind, each in (("POS", "nurse-9"), ("JOB", "nurse"), ("GRP", "nursing"))
    ]
    units = [b.Unit(employer, "Other Trust", None), b.Unit("ward-9", "Other Ward 9", employer)]
    names = [(workforce.Target(b.TargetKind(target.kind), target.id), name) for target, name in facts]
    workforce.define_structure(b.SYSTEM, employer, workforce.Structure("Other Trust", units, names), NOW)


@pytest.fixture(name="two")
def _two(trust):
    """Sam of 504, who joins 505 too."""
    other("505")
    outcome = join()
    there = send(1, "77", "505", person_id=outcome.person, employment=HIRED, assignments=[job(number="77")])
    assert (there.state, there.person) == ("accepted", outcome.person)
    return outcome


def test_a_person_of_two_employers_is_one_person(two):
    assert learner(two).person == learner(two, "505").person
    assert learner(two, "505").employment.number == "77"


@pytest.fixture(name="ahead")
def _ahead(two, monkeypatch):
    """Alex of 504, whose supervisor 902 is not known yet, but p1 of 506; and what delivers events and work."""
    monkeypatch.setattr(work, "REPORTS_DELAY_SECONDS", 0)
    b.person(1, employer="506")
    return join("901", PersonSection("Alex", "Reed"), assignments=[job(number="901", supervisor="902")]), Pump()


def turns_out():
    boss = send(1, "902", person_id="p1", employment=HIRED, assignments=[job(number="902")])
    assert (boss.state, boss.person) == ("accepted", "p1")


def test_a_supervisor_named_ahead_may_turn_out_to_be_known_from_elsewhere(ahead):
    report, pump = ahead
    turns_out()
    pump.run()
    assert [each.supervisor for each in learner(report).assignments] == ["p1"]
    assert workforce.people.supervises_anyone("504", "p1", TODAY)
    assert send(2, "901", assignments=[job(number="901", supervisor="902")]).state == "unchanged"


def test_who_is_put_under_such_a_supervisor_at_that_moment_is_under_them_too(ahead):
    _, pump = ahead
    with seams.before_commit(turns_out):
        late = join("903", PersonSection("Jo", "Hill"), assignments=[job(number="903", supervisor="902")])
    pump.run()
    assert [each.supervisor for each in learner(late).assignments] == ["p1"]


def test_a_message_about_a_report_who_is_being_moved_to_such_a_supervisor_undoes_nothing(ahead):
    report, pump = ahead
    turns_out()
    with seams.before_commit(pump.run):
        send(2, "901", assignments=[job(date(2027, 1, 1), number="901", supervisor="902")])
    assert [each.supervisor for each in learner(report).assignments] == ["p1", "p1"]


def test_a_circle_through_such_a_supervisor_is_refused(ahead):
    boss = {"person_id": "p1", "employment": HIRED}
    outcome = send(1, "902", assignments=[job(number="902", supervisor="901")], **boss)
    assert wrong(outcome) == ["assignments[0].supervisor"]
    assert outcome.errors[0].reason.endswith("901 - 902")


def test_another_employer_does_not_take_over_name_or_login(two):
    outcome = send(2, "77", "505", person=PersonSection("Sam", "Thief", login="505-77"))
    assert (outcome.state, len(outcome.warnings)) == ("unchanged", 1)
    assert learner(two).person.login == "504-900"


def test_a_new_name_is_found_at_every_employer(two):
    send(2, person=PersonSection("Sam", "Reed", login="504-900"))
    rows = list(Record.gsi1.query("E#505#N#re"))
    assert [row.name for row in rows] == ["Sam Reed"]
    assert list(Record.gsi1.query("E#505#N#la")) == []


def test_once_they_have_left_the_other_employer_keeps_the_profile(two):
    send(2, employment=ServiceSection(EMPLOYEE, SINCE, date(2026, 11, 1)))
    assert send(2, "77", "505", person=PersonSection("Sam", "Reed", login="505-77")).state == "accepted"
    assert workforce.people.person_of_login("505-77") == two.person
    outcome = send(3, person=PersonSection("Sam", "Late"))
    assert (outcome.state, len(outcome.warnings)) == ("unchanged", 1)


def test_of_two_employers_that_remain_neither_takes_over_the_profile(two):
    other("506")
    send(1, "78", "506", person_id=two.person, employment=HIRED)
    left = ServiceSection(EMPLOYEE, SINCE, date(2026, 11, 1))
    send(2, employment=left)
    for employer, number in (("505", "77"), ("506", "78"), ("504", "900")):
        outcome = send(3, number, employer, person=PersonSection("Eve", "Thief", login="evil"))
        assert (outcome.state, len(outcome.warnings)) == ("unchanged", 1)
    assert workforce.people.person_of_login("evil") is None
    send(4, "77", "505", employment=left)
    assert send(5, "78", "506", person=PersonSection("Sam", "Reed", login="506-78")).state == "accepted"


@pytest.mark.parametrize(("role", "employer"), [("national_administrator", "NHS"), ("class_administrator", "504")])
def test_the_login_of_somebody_with_a_role_is_changed_by_no_feed(two, role, employer):
    b.grant(two.person, role, employer)
    outcome = send(2, person=PersonSection("Sam", "Reed", login="504-mine"))
    assert (outcome.state, len(outcome.warnings)) == ("accepted", 1)
    assert (learner(two).person.last_name, learner(two).person.login) == ("Reed", "504-900")
    assert send(3, person=PersonSection("Sam", "Hill", login="504-900")).warnings == ()


def test_an_employer_that_joins_somebody_with_a_role_elsewhere_changes_nothing_of_who_they_are(trust):
    first = roles.appoint_first_administrator("root", None, NOW)
    thief = PersonSection("Eve", "Thief", email="eve@trust.invalid")
    outcome = send(1, "666", person_id=first, person=thief, employment=HIRED)
    assert (outcome.state, len(outcome.warnings)) == ("accepted", 1)
    administrator = learner(outcome).person
    assert (administrator.last_name, administrator.email, administrator.login) == ("Administrator", None, "root")


@pytest.mark.parametrize("joins_first", [True, False])
def test_a_name_changed_while_another_employer_joins_the_person_is_found_at_both(trust, joins_first):
    other("505")
    outcome = join()

    def rename():
        assert send(2, person=replace(SAM, last_name="Reed")).state == "accepted"

    def join_505():
        assert send(1, "77", "505", person_id=outcome.person, employment=HIRED).state == "accepted"

    at_once = [join_505, rename] if joins_first else [rename, join_505]
    with seams.before_commit(at_once[0]):
        at_once[1]()
    assert [row.name for row in Record.gsi1.query("E#505#N#re")] == ["Ms Sam Reed"]
    assert list(Record.gsi1.query("E#505#N#la")) == []


# --- refused, and nothing changed ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sections", "fields"),
    [
        ({"assignments": [job()]}, ["person", "employment"]),
        ({"person": SAM}, ["employment"]),
        ({"employment": HIRED}, ["person"]),
        ({"person": SAM, "employment": HIRED, "assignments": [job(unit="moon")]}, ["assignments[0].unit"]),
        ({"person": SAM, "employment": HIRED, "person_id": "nobody"}, ["person_id"]),
    ],
)
def test_a_message_about_a_stranger_is_refused_whole(trust, sections, fields):
    before = rows(Record), rows(Message), rows(AuditTable)
    outcome = send(**sections)
    assert (wrong(outcome), outcome.person) == (fields, None)
    assert (rows(Record), rows(Message), rows(AuditTable)) == before


def test_a_login_that_is_somebody_elses_is_refused(trust):
    join()
    assert wrong(join("901", PersonSection("Alex", "Reed", login="504-900"))) == ["person.login"]
    assert search(number="901") == []


def test_a_person_id_that_is_not_the_numbers_is_refused(trust):
    join()
    b.person(1)
    assert wrong(send(2, person_id="p1", employment=HIRED)) == ["person_id"]
    assert wrong(send(2, "902", person_id="p1", employment=HIRED)) == ["employee_number"]


def test_a_move_cancelled_gives_the_view_of_the_unit_back(trust):
    outcome = join()
    send(2, assignments=[job(date(2026, 6, 1), unit="estates")])
    send(3, assignments=[AssignmentSection("900", date(2026, 6, 1), cancelled=True)])
    assert held(outcome) == [("ward-9", SINCE, None)]
    assert len(list(Record.gsi1.query("E#504#UNIT#ward-9"))) == 1
    assert list(Record.gsi1.query("E#504#UNIT#estates")) == []
