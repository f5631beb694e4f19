"""Figures of units: the formulas of domain.md §3, and sums over a tree that need not be one."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain import figures
from chalicelib.domain.people import Unit
from chalicelib.domain.projection import NOTHING, Counts
from tests.builders import TODAY, UNITS


def counts(required=0, achieved=0, expiring=0, future=0, assignments=1):
    return Counts(assignments, required, achieved, expiring, future)


def percentages(of):
    return (
        figures.compliance_percent(of),
        figures.predicted_percent(of),
        figures.predicted_percent_with_enrolments(of),
    )


def test_the_three_percentages_follow_the_formulas_of_bi():
    assert percentages(counts(required=22, achieved=18, expiring=3, future=5)) == (
        Decimal("81.82"),
        Decimal("68.18"),
        Decimal("90.91"),
    )


def test_where_nothing_is_required_there_is_no_percentage():
    assert percentages(counts(required=0)) == (None, None, None)


@pytest.mark.parametrize(
    ("required", "achieved", "percent"), [(3, 1, "33.33"), (3, 2, "66.67"), (800, 1, "0.13"), (1600, 1, "0.06")]
)
def test_a_percentage_has_two_decimals_half_up(required, achieved, percent):
    assert figures.compliance_percent(counts(required, achieved)) == Decimal(percent)


# --- the tree -----------------------------------------------------------------------------------------------


def tree_of(*units):
    return figures.tree({unit.id: unit for unit in units}, TODAY)


def shape(places):
    return [(place.unit.id, place.depth) for place in places]


def test_the_tree_is_listed_depth_first_with_siblings_by_name():
    assert shape(tree_of(*UNITS)) == [("504", 0), ("surgery", 1), ("ward-10", 2), ("ward-9", 2), ("estates", 1)]


def test_a_unit_under_one_nobody_knows_is_at_the_top():
    places = tree_of(Unit("a", "A", "gone"), Unit("b", "B", "a"))
    assert shape(places) == [("a", 0), ("b", 1)]
    assert places[0].parent is None


def test_a_cycle_is_cut_and_nobody_in_it_is_lost():
    ring = [Unit("a", "A", "c"), Unit("b", "B", "a"), Unit("c", "C", "b"), Unit("self", "Self", "self")]
    assert shape(tree_of(*ring)) == [("a", 0), ("b", 1), ("c", 2), ("self", 0)]


def test_a_unit_counts_itself_and_all_below_it():
    own = {"ward-9": counts(10, 5), "ward-10": counts(20, 10), "surgery": counts(1, 1), "504": counts(2, 2)}
    totals = figures.with_those_below(tree_of(*UNITS), own, NOTHING)
    assert totals["surgery"] == counts(31, 16, assignments=3)
    assert totals["504"] == counts(33, 18, assignments=4)
    assert totals["estates"] == NOTHING
    branch = figures.branch_of(tree_of(*UNITS), "surgery")
    assert figures.with_those_below(branch, own, NOTHING) == {
        each: totals[each] for each in ("surgery", "ward-9", "ward-10")
    }


def test_a_branch_is_a_unit_with_all_below_it():
    places = tree_of(*UNITS)
    assert [place.unit.id for place in figures.branch_of(places, "surgery")] == ["surgery", "ward-10", "ward-9"]
    assert [place.unit.id for place in figures.branch_of(places, "estates")] == ["estates"]
    assert figures.branch_of(places, "504") == places
    assert figures.branch_of(places, "gone") == ()


IDS = [str(number) for number in range(8)]


@given(st.dictionaries(st.sampled_from(IDS), st.sampled_from([*IDS, "gone", None])))
def test_whatever_the_parents_every_unit_appears_once_and_every_assignment_counts_once_at_the_top(parents):
    units = {unit: Unit(unit, unit, parent) for unit, parent in parents.items()}
    places = figures.tree(units, TODAY)
    assert sorted(place.unit.id for place in places) == sorted(units)
    totals = figures.with_those_below(places, {unit: counts(2, 1) for unit in units}, NOTHING)
    tops = [totals[place.unit.id].assignments for place in places if place.parent is None]
    assert sum(tops) == len(units)
