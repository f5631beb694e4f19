"""Workforce messages: registers that converge, validities that never overlap, and every wrong field named."""

from dataclasses import replace
from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.people import EmploymentKind
from chalicelib.domain.requirements import Target, TargetKind
from chalicelib.domain.workforce import (
    AssignmentSection,
    Change,
    GroupSection,
    Personnel,
    PersonSection,
    ServiceSection,
    apply,
    wrong_fields,
)
from tests import builders as b

FIRST = date(2026, 1, 1)
EMPLOYEE = EmploymentKind.EMPLOYEE


def section(starts_on=FIRST, ends_on=None, number="1", **changes):
    facts = {"unit": "ward-9", "position": "nurse-9", "job": "nurse", "staff_group": "nursing"}
    return AssignmentSection(number, starts_on, ends_on, **(facts | changes))


def message(sequence=1, id="m", **sections):
    return Change(id, sequence, "20059417", **sections)


def after(*messages):
    known = Personnel()
    for each in messages:
        known = apply(known, each).personnel
    return known


def held(known):
    return [(each.unit, each.starts_on, each.ends_on) for each in known.assignments()]


# --- any order, any repeats ---------------------------------------------------------------------------------

days = st.integers(0, 12).map(lambda months: FIRST + timedelta(days=30 * months))
units = st.sampled_from(["ward-9", "ward-10", "estates"])
persons = st.builds(PersonSection, st.sampled_from(["Sam", "Alex"]), st.sampled_from(["Lane", "Reed"]))
services = st.builds(
    lambda kind, start, length, cancelled: ServiceSection(
        kind, start, None if length is None else start + timedelta(days=length), cancelled
    ),
    st.sampled_from(EmploymentKind),
    days,
    st.none() | st.integers(0, 200),
    st.booleans(),
)
validities = st.builds(
    lambda number, start, length, unit, marker: section(
        start, None if length is None else start + timedelta(days=length), number, unit=unit, **marker
    ),
    st.sampled_from(["1", "2"]),
    days,
    st.none() | st.integers(0, 200),
    units,
    st.sampled_from([{}, {}, {"ended": True}, {"cancelled": True}]),
)
memberships = st.builds(
    lambda group, start, length, cancelled: GroupSection(
        group, start, None if length is None else start + timedelta(days=length), cancelled
    ),
    st.sampled_from(["agency", "students"]),
    days,
    st.none() | st.integers(0, 200),
    st.booleans(),
)


@st.composite
def feeds(draw):
    """Messages of a feed in order, each with a sequence of its own or, rarely, one that another has too."""
    count = draw(st.integers(1, 8))
    sequences = sorted(draw(st.lists(st.integers(1, 10), min_size=count, max_size=count)))
    return [
        message(
            sequence,
            f"m{index}",
            person=draw(st.none() | persons),
            employment=draw(st.none() | services),
            assignments=draw(st.lists(validities, max_size=3, unique_by=lambda each: (each.number, each.starts_on))),
            learner_groups=draw(st.lists(memberships, max_size=3, unique_by=lambda each: (each.group, each.starts_on))),
        )
        for index, sequence in enumerate(sequences)
    ]


@given(feeds(), st.data())
def test_any_order_with_any_repeats_ends_as_in_order(feed, data):
    repeated = feed + data.draw(st.lists(st.sampled_from(feed), max_size=8))
    shuffled = data.draw(st.permutations(repeated))
    assert after(*shuffled) == after(*feed)


@given(feeds(), st.data())
def test_a_late_message_changes_nothing_that_a_newer_one_said(feed, data):
    newest = replace(feed[-1], sequence=11, id="newest")
    late = data.draw(st.permutations(feed))
    known, then = after(newest), after(newest, *late)
    assert newest.person is None or then.person == known.person
    assert known.periods.items() <= then.periods.items()
    assert known.validities.items() <= then.validities.items()
    assert known.memberships.items() <= then.memberships.items()


@given(feeds())
def test_a_repetition_is_neither_newer_nor_a_change(feed):
    known = after(*feed)
    for each in feed:
        again = apply(known, each)
        assert (again.personnel, again.changed, again.newer) == (known, (), False)


@given(feeds())
def test_validities_of_one_assignment_never_overlap(feed):
    by_number = {}
    for each in after(*feed).assignments():
        by_number.setdefault(each.number, []).append(each)
    for rows in by_number.values():
        rows.sort(key=lambda each: each.starts_on)
        for one, other in pairwise(rows):
            assert one.starts_on <= one.ends_on < other.starts_on


@given(feeds())
def test_periods_of_service_never_overlap(feed):
    employment = after(*feed).employment("504", "1")
    periods = [*employment.earlier, employment] if employment else []
    for one, other in pairwise(periods):
        assert one.starts_on <= one.ends_on < other.starts_on


# --- what messages mean -------------------------------------------------------------------------------------


def test_a_move_ends_the_validity_before_on_the_day_before():
    known = after(
        message(1, assignments=[section()]), message(2, assignments=[section(date(2026, 4, 1), unit="estates")])
    )
    assert held(known) == [("ward-9", FIRST, date(2026, 3, 31)), ("estates", date(2026, 4, 1), None)]


def test_a_move_that_never_was_gives_the_days_back():
    moved = section(date(2026, 4, 1), unit="estates")
    never = AssignmentSection("1", date(2026, 4, 1), cancelled=True)
    known = after(message(1, assignments=[section()]), message(2, assignments=[moved]), message(3, assignments=[never]))
    assert held(known) == [("ward-9", FIRST, None)]


def test_an_ended_assignment_is_not_held_from_that_day_on():
    over = AssignmentSection("1", date(2026, 4, 1), ended=True)
    known = after(message(1, assignments=[section()]), message(2, assignments=[over]))
    assert held(known) == [("ward-9", FIRST, date(2026, 3, 31))]


def test_a_validity_that_ends_by_itself_leaves_a_gap():
    first = section(ends_on=date(2026, 1, 31))
    known = after(message(assignments=[first, section(date(2026, 4, 1))]))
    assert [each[2] for each in held(known)] == [date(2026, 1, 31), None]


def test_another_assignment_is_not_touched():
    known = after(message(assignments=[section(), section(date(2026, 4, 1), number="2")]))
    assert [each[2] for each in held(known)] == [None, None]


def test_an_applicant_becomes_an_employee_on_the_same_first_day():
    known = after(
        message(1, employment=ServiceSection(EmploymentKind.APPLICANT, FIRST)),
        message(2, employment=ServiceSection(EMPLOYEE, FIRST)),
    )
    employment = known.employment("504", "1")
    assert (employment.kind, employment.earlier) == (EMPLOYEE, ())


def test_somebody_who_comes_back_keeps_the_earlier_period():
    known = after(
        message(1, employment=ServiceSection(EMPLOYEE, date(2020, 1, 1), date(2022, 12, 31))),
        message(2, employment=ServiceSection(EMPLOYEE, FIRST)),
    )
    employment = known.employment("504", "1")
    assert (employment.starts_on, [each.ends_on for each in employment.earlier]) == (FIRST, [date(2022, 12, 31)])
    assert employment.active_on(date(2021, 6, 1))
    assert employment.left_before(date(2024, 6, 1))


def test_until_then_somebody_is_what_they_were():
    known = after(
        message(1, employment=ServiceSection(EmploymentKind.EXTERNAL, date(2020, 1, 1))),
        message(2, employment=ServiceSection(EMPLOYEE, date(2027, 1, 1))),
    )
    employment = known.employment("504", "1")
    assert employment.kind_on(b.TODAY) is EmploymentKind.EXTERNAL
    assert employment.kind_on(date(2027, 1, 1)) is EMPLOYEE


def test_an_offer_taken_back_leaves_no_employment():
    taken_back = ServiceSection(EmploymentKind.APPLICANT, FIRST, cancelled=True)
    known = after(
        message(1, employment=ServiceSection(EmploymentKind.APPLICANT, FIRST)), message(2, employment=taken_back)
    )
    assert known.employment("504", "1") is None


def test_the_same_said_again_by_a_newer_message_is_no_change_but_outlasts_a_late_one():
    first, again = message(1, assignments=[section()]), message(3, assignments=[section()])
    applied = apply(after(first), again)
    assert (applied.changed, applied.newer) == ((), True)
    late = message(2, assignments=[section(unit="estates")])
    assert held(after(first, again, late)) == held(after(first, late, again)) == [("ward-9", FIRST, None)]


def test_whoever_leaves_a_group_and_comes_back_has_two_memberships():
    agency = GroupSection("agency", FIRST)
    left, back = replace(agency, ends_on=date(2026, 3, 31)), GroupSection("agency", date(2026, 9, 1))
    known = after(
        message(1, learner_groups=[agency]), message(2, learner_groups=[left]), message(3, learner_groups=[back])
    )
    assert [each.value for _, each in sorted(known.memberships.items())] == [left, back]


# --- bad input ----------------------------------------------------------------------------------------------


@pytest.fixture(name="rulebook", scope="module")
def _rulebook():
    named = [
        (TargetKind.UNIT, ["ward-9", "ward-10"]),
        (TargetKind.POSITION, ["nurse-9"]),
        (TargetKind.JOB, ["nurse"]),
        (TargetKind.STAFF_GROUP, ["nursing"]),
        (TargetKind.LEARNER_GROUP, ["agency"]),
    ]
    return replace(b.rulebook(), names={Target(kind, each): each for kind, ids in named for each in ids})


def wrong(rulebook, **changes):
    given = {"id": "m1", "sequence": 1, "employee_number": "20059417", "assignments": [section()]}
    return [error.field for error in wrong_fields(Change(**(given | changes)), rulebook)]


def test_a_whole_message_is_right(rulebook):
    person = PersonSection("Zoë", "O'Neill-Łukasz", "Dr", "zoe@trust.invalid", "504-1")
    told = {
        "person": person,
        "employment": ServiceSection(EMPLOYEE, FIRST),
        "learner_groups": [GroupSection("agency", FIRST)],
    }
    assert wrong(rulebook, **told, assignments=[section(supervisor="20000001")], person_id="01J9") == []


def test_every_wrong_field_is_named(rulebook):
    person = PersonSection("", "x" * 81, "D#", "nobody", "a b")
    assert wrong(
        rulebook,
        id="a#b",
        sequence=-1,
        employee_number="1 2",
        person_id="a#b",
        person=person,
        employment=ServiceSection(EMPLOYEE, FIRST, date(2025, 1, 1)),
        assignments=[section(unit="moon", position=None, job="x", staff_group="y", supervisor="a#")],
        learner_groups=[GroupSection("agency", FIRST), GroupSection("none", FIRST, date(2025, 12, 31))],
    ) == [
        "id",
        "sequence",
        "employee_number",
        "person_id",
        "person.first_name",
        "person.last_name",
        "person.title",
        "person.email",
        "person.login",
        "employment.ends_on",
        "assignments[0].unit",
        "assignments[0].position",
        "assignments[0].job",
        "assignments[0].staff_group",
        "assignments[0].supervisor",
        "learner_groups[1].group",
        "learner_groups[1].ends_on",
    ]


@pytest.mark.parametrize("text", ["a\x00b", "a\nb", "\ud800", "   ", "a\u2028b"])
def test_a_name_that_would_break_something_is_refused(rulebook, text):
    assert wrong(rulebook, person=PersonSection(text, "Lane")) == ["person.first_name"]


def test_a_message_that_says_nothing_is_refused(rulebook):
    assert wrong(rulebook, assignments=[]) == ["person"]


def test_nobody_supervises_themselves(rulebook):
    assert wrong(rulebook, assignments=[section(supervisor="20059417")]) == ["assignments[0].supervisor"]


def test_two_validities_that_claim_the_same_days_are_refused(rulebook):
    first = section(ends_on=date(2026, 6, 30))
    assert wrong(rulebook, assignments=[first, section(date(2026, 6, 30))]) == ["assignments[1].starts_on"]
    assert wrong(rulebook, assignments=[section(date(2026, 6, 30)), first]) == ["assignments[0].starts_on"]
    assert wrong(rulebook, assignments=[first, section(date(2026, 7, 1))]) == []
    assert wrong(rulebook, assignments=[section(), section(date(2026, 7, 1))]) == []


def test_the_same_validity_twice_is_refused(rulebook):
    assert wrong(rulebook, assignments=[section(), section()]) == ["assignments[1].starts_on"]


def test_the_same_membership_twice_is_refused(rulebook):
    agency = GroupSection("agency", FIRST)
    again = GroupSection("agency", date(2026, 2, 1))
    assert wrong(rulebook, learner_groups=[agency, again]) == []
    assert wrong(rulebook, learner_groups=[agency, again, agency]) == ["learner_groups[2].starts_on"]


def test_a_message_has_up_to_10_memberships(rulebook):
    many = [GroupSection("agency", FIRST + timedelta(days=each)) for each in range(11)]
    assert wrong(rulebook, learner_groups=many[:10]) == []
    assert wrong(rulebook, learner_groups=many) == ["learner_groups"]


def test_an_end_has_no_last_day_and_is_not_cancelled_at_once(rulebook):
    both = AssignmentSection("1", FIRST, FIRST, ended=True, cancelled=True)
    assert wrong(rulebook, assignments=[both]) == ["assignments[0].cancelled", "assignments[0].ends_on"]


def test_a_marker_needs_no_facts(rulebook):
    assert wrong(rulebook, assignments=[AssignmentSection("1", FIRST, ended=True)]) == []


@pytest.mark.parametrize("day", [date(1, 1, 1), date(1899, 12, 31), date(2200, 1, 1), date.max])
def test_days_out_of_reason_are_refused(rulebook, day):
    assert wrong(rulebook, assignments=[section(day)]) == ["assignments[0].starts_on"]


def test_a_leap_day_is_a_day_like_any_other():
    known = after(
        message(1, assignments=[section()]), message(2, assignments=[section(date(2028, 3, 1), unit="ward-10")])
    )
    assert held(known)[0][2] == date(2028, 2, 29)
