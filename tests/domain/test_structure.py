"""The organisation tree over time: what was required before a reorganisation stays so, and a move ahead waits for its day."""

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.people import Unit
from chalicelib.domain.projection import facts_of, judge
from chalicelib.domain.requirements import TargetKind, required_twice
from chalicelib.domain.structure import Placing, StructureChange, moved
from tests import builders as b
from tests.builders import FIRE, MOVING, TODAY

MARCH = date(2026, 3, 1)
JANUARY = date(2027, 1, 1)
WARD = Unit("ward-9", "504 Ward 9", "surgery")
EVE = JANUARY - timedelta(1)


def with_units(rulebook, *units):
    return replace(rulebook, units={**rulebook.units, **{unit.id: unit for unit in units}})


def placed(unit, parent, since=TODAY):
    return Placing(unit, f"504 {unit}", parent, since)


# --- a unit -------------------------------------------------------------------------------------------------


def test_a_unit_has_its_first_parent_until_the_day_before_it_moves():
    ward = WARD.moved("estates", JANUARY)
    assert [ward.parent_on(day) for day in (date.min, TODAY, EVE)] == ["surgery"] * 3
    assert [ward.parent_on(day) for day in (JANUARY, date.max)] == ["estates"] * 2


def test_a_move_holds_until_the_next_one_whatever_the_order_they_are_told_in():
    ward = WARD.moved("504", JANUARY).moved("estates", MARCH)
    assert ward == WARD.moved("estates", MARCH).moved("504", JANUARY)
    assert [ward.parent_on(day) for day in (MARCH - timedelta(1), MARCH, EVE, JANUARY)] == [
        "surgery", "estates", "estates", "504",
    ]  # fmt: skip
    assert ward.moves_after(MARCH) == ((JANUARY, "504"),)


def test_a_move_to_where_it_is_already_is_none():
    assert WARD.moved("surgery", JANUARY) == WARD
    ward = WARD.moved("estates", MARCH)
    assert ward.moved("estates", JANUARY) == ward


def test_a_move_is_taken_back_by_one_on_its_day_to_where_it_was():
    assert WARD.moved("estates", JANUARY).moved("surgery", JANUARY) == WARD


@given(st.lists(st.tuples(st.sampled_from("abc"), st.dates(MARCH, MARCH + timedelta(9)))))
def test_each_move_decides_from_its_day_on_until_the_next_day_on_which_there_is_one(told):
    unit, expected = WARD, {}
    for parent, since in told:
        unit = unit.moved(parent, since)
        expected[since] = parent
        for number in range(-1, 10):
            day = MARCH + timedelta(number)
            if day >= since and not any(since < other <= day for other, _ in unit.moves):
                assert unit.parent_on(day) == parent
    days = [since for since, _ in unit.moves]
    assert days == sorted(set(days))
    assert unit.parent_on(MARCH - timedelta(1)) == "surgery"


# --- what is required ---------------------------------------------------------------------------------------

ASKED = b.rulebook(b.requirement(FIRE, TargetKind.UNIT, "surgery"), b.requirement(MOVING, TargetKind.UNIT, "estates"))


def required(rulebook, day):
    return set(rulebook.required_of("p1", [b.assignment()], (), day))


def test_what_was_required_before_a_reorganisation_stays_what_was_required():
    after = with_units(ASKED, WARD.moved("estates", TODAY))
    assert required(after, MARCH) == required(ASKED, MARCH) == {FIRE}
    assert required(after, TODAY) == {MOVING}


def test_a_move_above_counts_for_those_below_from_its_day_on():
    after = with_units(ASKED, b.UNITS[1].moved("estates", JANUARY))
    assert (required(after, EVE), required(after, JANUARY)) == ({FIRE}, {FIRE, MOVING})
    assert [target.id for target in after.targets_above("ward-9", JANUARY)] == [
        "504", "504", "estates", "surgery", "ward-9",
    ]  # fmt: skip


def test_a_move_ahead_changes_nothing_before_its_day_and_its_day_is_known():
    (facts,) = facts_of(b.learner(), TODAY)
    after = with_units(ASKED, b.UNITS[1].moved("estates", JANUARY), WARD.moved("504", JANUARY + timedelta(9)))
    today = judge(facts, after, TODAY)
    assert today.rows == judge(facts, ASKED, TODAY).rows
    assert today.next_change_on == JANUARY
    then = judge(facts, after, JANUARY)
    assert ({row.competency for row in then.rows}, then.next_change_on) == ({FIRE, MOVING}, JANUARY + timedelta(9))


def test_a_move_elsewhere_is_no_day_to_look_at_anybody_again():
    (facts,) = facts_of(b.learner(), TODAY)
    assert judge(facts, with_units(ASKED, b.UNITS[3].moved("estates", JANUARY)), TODAY).next_change_on is None


def test_access_rules_meet_the_units_of_the_day():
    after = with_units(ASKED, WARD.moved("estates", JANUARY))
    units = [
        {target.id for target in point.targets if target.kind is TargetKind.UNIT}
        for day in (EVE, JANUARY)
        for point in b.learner().standpoints_on(day, after)
    ]
    assert units == [{"504", "surgery", "ward-9"}, {"504", "estates", "ward-9"}]


def test_two_periods_of_one_thing_meet_only_if_the_units_do_while_both_are_in_force():
    two_years = "NHS|CSTF|Fire Safety - 2 Years|"
    yearly = b.requirement(FIRE, TargetKind.UNIT, "ward-9", ends_on=EVE)
    rulebook = b.rulebook(b.requirement(two_years, TargetKind.UNIT, "estates"))
    rulebook = replace(rulebook, competencies={**rulebook.competencies, two_years: b.competency(two_years)})
    assert required_twice(yearly, with_units(rulebook, WARD.moved("estates", JANUARY))) == ()
    assert len(required_twice(yearly, with_units(rulebook, WARD.moved("estates", EVE)))) == 1


# --- changing it --------------------------------------------------------------------------------------------


def test_a_new_unit_has_its_parent_from_the_beginning():
    change = StructureChange([placed("ward-11", "surgery", JANUARY)])
    (unit,) = change.new_units(ASKED)
    assert (unit, moved([unit], ASKED)) == (Unit("ward-11", "504 ward-11", "surgery"), [unit])


def test_a_new_name_is_no_move_and_keeps_the_moves():
    rulebook = with_units(ASKED, WARD.moved("estates", JANUARY))
    (unit,) = StructureChange([placed("ward-9", "surgery")]).new_units(rulebook)
    assert (unit.name, unit.moves) == ("504 ward-9", ((JANUARY, "estates"),))
    assert moved([unit], rulebook) == []


def wrong(rulebook, *placings):
    return [(each.field, each.reason) for each in StructureChange(placings).wrong_fields(rulebook)]


def test_a_circle_on_a_day_ahead_is_refused_with_its_day():
    rulebook = with_units(ASKED, b.UNITS[4].moved("surgery", JANUARY))
    assert wrong(rulebook, placed("surgery", "estates", MARCH)) == [
        ("units[0].parent", "would put the unit below itself from 2027-01-01: surgery - estates - surgery")
    ]


def test_a_circle_on_days_gone_by_is_refused_too():
    rulebook = with_units(ASKED, b.UNITS[4].moved("surgery", MARCH).moved("504", TODAY))
    ((field, reason),) = wrong(rulebook, placed("surgery", "estates", date(2025, 1, 1)))
    assert (field, "from 2026-03-01" in reason) == ("units[0].parent", True)


def test_units_that_change_places_on_one_day_make_no_circle():
    rulebook = with_units(ASKED, b.UNITS[4].moved("surgery", MARCH))
    assert wrong(rulebook, placed("estates", "504", JANUARY), placed("surgery", "estates", JANUARY)) == []


@pytest.mark.parametrize("since", [date(1899, 12, 31), date(2200, 1, 1)])
def test_days_that_are_slips_of_the_keyboard_are_named(since):
    assert [field for field, _ in wrong(ASKED, placed("ward-9", "estates", since))] == ["units[0].from"]
