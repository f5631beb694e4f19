"""Colours, their reasons, the order of rows and the rate (domain.md §3)."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.calendar import add_months, london_day, london_time
from chalicelib.domain.competency import expiry_of
from chalicelib.domain.compliance import Colour, Rate, Reason, best, evaluate, judge, rate
from chalicelib.domain.requirements import Because, Required
from tests import builders as b
from tests.builders import FIRE, INDUCTION, MOVING, PREVENT, TODAY


def required(name=FIRE, level=1):
    return Required(name, level, (Because(b.requirement(name, level=level), "1"),))


def colour_with(*awards, day=TODAY, level=1, amber_months=3):
    return judge(required(level=level), awards, day, amber_months)


def test_never_achieved_is_red():
    standing = colour_with()
    assert (standing.colour, standing.reason) == (Colour.RED, Reason.NEVER_ACHIEVED)


def test_valid_through_the_expiry_day_itself():
    assert colour_with(b.award_expiring(TODAY)).colour is Colour.AMBER
    assert colour_with(b.award_expiring(TODAY - timedelta(days=1))).colour is Colour.RED


def test_expired_is_red_and_says_so():
    standing = colour_with(b.award_expiring(date(2026, 11, 1)))
    assert (standing.reason, standing.expires_on) == (Reason.EXPIRED, date(2026, 11, 1))


@pytest.mark.parametrize(
    ("expires_on", "colour"),
    [
        (date(2027, 2, 23), Colour.AMBER),  # exactly three calendar months ahead
        (date(2027, 2, 24), Colour.GREEN),
    ],
)
def test_amber_reaches_three_calendar_months_ahead(expires_on, colour):
    assert colour_with(b.award_expiring(expires_on)).colour is colour


def test_the_amber_window_is_the_employers_to_set():
    award = b.award_expiring(date(2027, 1, 1))
    assert colour_with(award, amber_months=3).colour is Colour.AMBER
    assert colour_with(award, amber_months=1).colour is Colour.GREEN


def test_no_expiry_is_green():
    assert colour_with(b.award(expires_on=None)).reason is Reason.NO_EXPIRY


def test_held_below_the_required_level_is_red_with_that_reason():
    standing = colour_with(b.award(level=1), level=2)
    assert (standing.colour, standing.reason) == (Colour.RED, Reason.BELOW_LEVEL)
    assert standing.award.level == 1


def test_a_higher_level_fulfils_a_lower_requirement():
    assert colour_with(b.award(level=3), level=2).colour is Colour.GREEN


def test_the_award_valid_longest_decides():
    shorter, longer = b.award_expiring(date(2026, 12, 1)), b.award_expiring(date(2028, 1, 1), source="other")
    assert best([longer, shorter], 1, TODAY) is longer
    assert colour_with(shorter, longer).colour is Colour.GREEN


def test_the_longest_validity_decides_even_if_another_award_is_newer():
    longer = b.award(awarded_on=date(2026, 1, 1), expires_on=date(2029, 1, 1))
    newer = b.award(awarded_on=date(2026, 11, 1), expires_on=date(2027, 11, 1), source="newer")
    assert best([longer, newer], 1, TODAY) is longer


def test_an_early_renewal_never_shortens_validity():
    held, renewed = b.award_expiring(date(2027, 8, 1)), b.award_expiring(date(2027, 3, 1), source="renewal")
    assert colour_with(held, renewed).expires_on == date(2027, 8, 1)


def test_a_void_award_does_not_count():
    assert colour_with(b.award(void=True)).reason is Reason.NEVER_ACHIEVED


def test_an_award_dated_ahead_does_not_count_yet():
    award = b.award(awarded_on=TODAY + timedelta(days=1))
    assert colour_with(award).colour is Colour.RED
    assert colour_with(award, day=TODAY + timedelta(days=1)).colour is Colour.GREEN


def test_held_but_not_required_is_blue_and_stays_blue_when_expired():
    rows = evaluate({}, [b.award_expiring(date(2020, 1, 1))], TODAY, 3)
    assert [(row.colour, row.reason) for row in rows] == [(Colour.BLUE, Reason.NOT_REQUIRED)]


def test_red_never_achieved_comes_before_the_oldest_expiry_and_then_amber_by_date():
    needs = {name: required(name) for name in (FIRE, MOVING, PREVENT, INDUCTION)}
    awards = [
        b.award_expiring(date(2026, 10, 1), FIRE),
        b.award_expiring(date(2026, 9, 1), MOVING),
        b.award_expiring(date(2026, 12, 1), PREVENT),
    ]
    assert [row.competency for row in evaluate(needs, awards, TODAY, 3)] == [INDUCTION, MOVING, FIRE, PREVENT]


def test_blue_rows_are_outside_the_rate():
    rows = evaluate({FIRE: required()}, [b.award(MOVING), b.award(PREVENT)], TODAY, 3)
    assert rate(rows) == Rate(required=1, achieved=0)


def test_amber_counts_as_compliant():
    rows = evaluate({FIRE: required()}, [b.award_expiring(TODAY)], TODAY, 3)
    assert rate(rows).percent == Decimal("100.00")


@pytest.mark.parametrize(
    ("needed", "achieved", "percent"),
    [
        (17, 15, "88.24"),
        (24, 8, "33.33"),
        (25, 17, "68.00"),
        (21, 2, "9.52"),
        (20, 1, "5.00"),
        (13, 13, "100.00"),
        (25, 13, "52.00"),
    ],
)
def test_the_percentages_of_the_brief(needed, achieved, percent):
    assert Rate(needed, achieved).percent == Decimal(percent)


def test_nothing_required_has_no_percentage():
    assert Rate(0, 0).percent is None


def test_29_february_renews_on_28_february():
    assert expiry_of(date(2024, 2, 29), 12) == date(2025, 2, 28)
    assert expiry_of(date(2024, 2, 29), 48) == date(2028, 2, 29)


def test_no_renewal_never_expires():
    assert expiry_of(TODAY, None) is None


def test_a_day_is_londons():
    assert london_day(london_time(date(2026, 7, 1), 0, 30)) == date(2026, 7, 1)
    assert london_time(date(2026, 7, 1), 9).hour == 8
    assert london_time(date(2026, 12, 1), 9).hour == 9


days = st.dates(date(2000, 1, 1), date(2100, 12, 31))


@given(days, st.integers(0, 120))
def test_adding_months_lands_in_the_right_month_on_the_same_day_or_its_last(day, months):
    result = add_months(day, months)
    assert (result.year * 12 + result.month) - (day.year * 12 + day.month) == months
    assert result.day == day.day or (result.day < day.day and (result + timedelta(days=1)).day == 1)


@given(days, days, st.integers(0, 12))
def test_a_colour_never_improves_by_waiting(expiry, day, window):
    worse = [Colour.GREEN, Colour.AMBER, Colour.RED]
    award = b.award(awarded_on=date(2000, 1, 1), expires_on=expiry)
    today = judge(required(), [award], day, window).colour
    tomorrow = judge(required(), [award], day + timedelta(days=1), window).colour
    assert worse.index(today) <= worse.index(tomorrow)
