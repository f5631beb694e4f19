"""What counts as held or need not be: covers, exemptions, competencies not in use, early renewals; and how long judging takes."""

import time
from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.calendar import london_day, london_time
from chalicelib.domain.competency import Competency, expiry_of
from chalicelib.domain.compliance import Colour, Reason, evaluate
from chalicelib.domain.people import Unit
from chalicelib.domain.requirements import Because, Exemption, Required, TargetKind
from tests import builders as b
from tests.builders import FIRE, MOVING, PREVENT, TODAY

ONE_DAY = timedelta(days=1)
LEVEL_1, LEVEL_2, LEVEL_3 = (f"NHS|CSTF|Resuscitation - Level {level} - 1 Year|" for level in (1, 2, 3))


def with_framework(rulebook, *competencies):
    known = {**rulebook.competencies, **{each.name: each for each in competencies}}
    return replace(rulebook, competencies=known)


def resuscitation(*requirements, **covers):
    given = {"level_1": (), "level_2": (LEVEL_1,), "level_3": (LEVEL_2,)} | covers
    names = dict(zip(given, (LEVEL_1, LEVEL_2, LEVEL_3), strict=True))
    framework = [replace(b.competency(names[each]), covers=covered) for each, covered in given.items()]
    return with_framework(b.rulebook(*requirements), *framework)


def standing(learner, rulebook, name, day=TODAY):
    return next((row for row in learner.compliance_on(day, rulebook) if row.competency == name), None)


# --- covers -------------------------------------------------------------------------------------------------


def test_covering_goes_on_through_what_is_covered_and_not_the_other_way():
    rulebook = resuscitation(b.requirement(LEVEL_1), b.requirement(LEVEL_3))
    high, low = b.learner(awards=(b.award(LEVEL_3),)), b.learner(awards=(b.award(LEVEL_1),))
    assert standing(high, rulebook, LEVEL_1).colour is Colour.GREEN
    assert standing(high, rulebook, LEVEL_1).award.competency == LEVEL_3
    assert standing(low, rulebook, LEVEL_3).reason is Reason.NEVER_ACHIEVED


def test_an_award_covers_at_its_own_level():
    rulebook = resuscitation(b.requirement(LEVEL_1, level=2))
    assert standing(b.learner(awards=(b.award(LEVEL_2, level=1),)), rulebook, LEVEL_1).reason is Reason.BELOW_LEVEL
    assert standing(b.learner(awards=(b.award(LEVEL_2, level=2),)), rulebook, LEVEL_1).colour is Colour.GREEN


def test_of_ones_own_award_and_a_covering_one_the_longer_valid_decides():
    rulebook = resuscitation(b.requirement(LEVEL_1))
    own, covering = b.award_expiring(date(2028, 1, 1), LEVEL_1), b.award_expiring(date(2027, 12, 31), LEVEL_2)
    assert standing(b.learner(awards=(own, covering)), rulebook, LEVEL_1).award == own
    longer = replace(covering, expires_on=date(2028, 1, 2))
    assert standing(b.learner(awards=(own, longer)), rulebook, LEVEL_1).award == longer


def test_what_is_covered_and_not_required_is_no_row_of_its_own():
    rows = b.learner(awards=(b.award(LEVEL_3),)).compliance_on(TODAY, resuscitation())
    assert [(row.competency, row.colour) for row in rows] == [(LEVEL_3, Colour.BLUE)]


def test_an_award_made_while_its_competency_was_in_use_still_covers():
    rulebook = resuscitation(b.requirement(LEVEL_1))
    gone = replace(rulebook.competencies[LEVEL_2], ends_on=TODAY - ONE_DAY)
    learner = b.learner(awards=(b.award(LEVEL_2),))
    assert standing(learner, with_framework(rulebook, gone), LEVEL_1).colour is Colour.GREEN


def test_a_circle_covers_all_in_it_and_ends():
    rulebook = resuscitation(b.requirement(LEVEL_3), level_1=(LEVEL_3,))
    assert rulebook.counts_for[LEVEL_1] == {LEVEL_2, LEVEL_3}
    assert standing(b.learner(awards=(b.award(LEVEL_1),)), rulebook, LEVEL_3).colour is Colour.GREEN


# --- exemptions ---------------------------------------------------------------------------------------------

LEAVE = Exemption(FIRE, "long leave", date(2026, 11, 1), date(2026, 11, 30))


@pytest.mark.parametrize(
    ("day", "exempt"),
    [
        (date(2026, 10, 31), False),
        (date(2026, 11, 1), True),
        (date(2026, 11, 30), True),
        (date(2026, 12, 1), False),
    ],
)
def test_an_exemption_holds_from_its_first_to_its_last_day(day, exempt):
    learner, rulebook = b.learner(exemptions=(LEAVE,)), b.rulebook(b.requirement(FIRE), b.requirement(MOVING))
    assert (standing(learner, rulebook, FIRE, day) is None) is exempt
    assert standing(learner, rulebook, MOVING, day).colour is Colour.RED
    assert set(learner.held_back_on(day, rulebook)) == ({FIRE} if exempt else set())


def test_what_is_held_while_exempt_is_blue_and_the_rules_held_back_are_named_with_the_exemption():
    rules = [b.requirement(FIRE), b.requirement(FIRE, TargetKind.JOB, "nurse", level=2)]
    learner = b.learner(exemptions=(LEAVE,), awards=(b.award_expiring(TODAY - ONE_DAY),))
    rulebook = b.rulebook(*rules)
    assert standing(learner, rulebook, FIRE).colour is Colour.BLUE
    held_back = learner.held_back_on(TODAY, rulebook)[FIRE]
    assert (held_back.exemption, held_back.asked.level) == (LEAVE, 2)
    assert [because.requirement for because in held_back.asked.because] == rules


def test_of_two_exemptions_the_one_that_lasts_longer_is_told():
    longer = replace(LEAVE, starts_on=date(2026, 11, 10), ends_on=date(2027, 1, 31))
    for both in ((LEAVE, longer), (longer, LEAVE)):
        held_back = b.learner(exemptions=both).held_back_on(TODAY, b.rulebook(b.requirement(FIRE)))
        assert held_back[FIRE].exemption == longer


def test_an_exemption_from_what_nobody_asks_for_holds_nothing_back():
    assert b.learner(exemptions=(LEAVE,)).held_back_on(TODAY, b.rulebook(b.requirement(MOVING))) == {}


def test_being_exempt_from_a_competency_is_not_being_exempt_from_what_it_covers():
    rulebook = resuscitation(b.requirement(LEVEL_1), b.requirement(LEVEL_2))
    learner = b.learner(exemptions=(replace(LEAVE, competency=LEVEL_2),))
    assert [row.competency for row in learner.compliance_on(TODAY, rulebook)] == [LEVEL_1]


# --- competencies not in use --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("day", "required"),
    [
        (date(2026, 11, 22), False),
        (date(2026, 11, 23), True),
        (date(2026, 12, 31), True),
        (date(2027, 1, 1), False),
    ],
)
def test_a_competency_is_required_only_while_it_is_in_use(day, required):
    dated = replace(b.competency(FIRE), starts_on=date(2026, 11, 23), ends_on=date(2026, 12, 31))
    rulebook = with_framework(b.rulebook(b.requirement(FIRE)), dated)
    learner = b.learner()
    assert (standing(learner, rulebook, FIRE, day) is not None) is required
    held_back = learner.held_back_on(day, rulebook)
    assert (FIRE in held_back) is not required
    assert all(each.exemption is None for each in held_back.values())


def test_what_was_awarded_stays_held_when_its_competency_is_withdrawn():
    gone = replace(b.competency(FIRE), ends_on=TODAY - ONE_DAY)
    rulebook = with_framework(b.rulebook(b.requirement(FIRE)), gone)
    row = standing(b.learner(awards=(b.award(FIRE),)), rulebook, FIRE)
    assert (row.colour, row.award.expires_on) == (Colour.BLUE, date(2027, 11, 23))


# --- days ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("day", [date(2026, 3, 29), date(2026, 10, 25), date(2028, 2, 29)])
def test_every_hour_of_a_day_on_which_clocks_change_belongs_to_it(day):
    start, end = london_time(day, 0), london_time(day + ONE_DAY, 0)
    instants = [
        start + timedelta(minutes=minutes) for minutes in range(0, int((end - start).total_seconds() // 60), 30)
    ]
    assert {london_day(instant) for instant in instants} == {day}
    assert (london_day(start - timedelta(seconds=1)), london_day(end)) == (day - ONE_DAY, day + ONE_DAY)


@pytest.mark.parametrize("change", [date(2026, 3, 29), date(2026, 10, 25)])
def test_an_award_of_the_day_on_which_clocks_change_is_valid_through_the_day_it_expires(change):
    award = b.award(FIRE, awarded_on=change)
    assert award.expires_on == change.replace(year=2027)
    assert award.valid_on(london_day(london_time(change.replace(year=2027), 23, 59)))
    assert not award.valid_on(london_day(london_time(change.replace(year=2027) + ONE_DAY, 0)))


def test_amber_on_29_february_reaches_to_the_last_day_of_a_shorter_month():
    leap_day = date(2028, 2, 29)
    rulebook = b.rulebook(b.requirement(FIRE), amber_months=12)
    colours = [
        standing(b.learner(awards=(b.award_expiring(expiry),)), rulebook, FIRE, leap_day).colour
        for expiry in (date(2029, 2, 28), date(2029, 3, 1))
    ]
    assert colours == [Colour.AMBER, Colour.GREEN]


def test_without_an_amber_window_only_the_last_day_is_amber():
    rulebook = b.rulebook(b.requirement(FIRE), amber_months=0)
    colours = [
        standing(b.learner(awards=(b.award_expiring(TODAY + days * ONE_DAY),)), rulebook, FIRE).colour
        for days in (-1, 0, 1)
    ]
    assert colours == [Colour.RED, Colour.AMBER, Colour.GREEN]


# --- early renewal ------------------------------------------------------------------------------------------

days = st.dates(date(2020, 1, 1), date(2030, 12, 31))
periods = st.none() | st.integers(1, 60)


@st.composite
def awards(draw):
    made = draw(days)
    name = draw(st.sampled_from([LEVEL_1, LEVEL_2, LEVEL_3]))
    expires_on = expiry_of(made, draw(periods))
    return b.award(
        name, made, draw(st.integers(1, 3)), expires_on, source=str(draw(st.integers())), void=draw(st.booleans())
    )


@given(st.lists(awards(), max_size=6), awards(), days, st.integers(1, 3), st.integers(0, 12))
def test_one_award_more_never_shortens_validity_nor_worsens_a_colour(held, renewal, day, level, window):
    worst_first = [Colour.RED, Colour.AMBER, Colour.GREEN]
    need = {LEVEL_1: Required(LEVEL_1, level, (Because(b.requirement(LEVEL_1, level=level), "1"),))}
    counts_for = resuscitation().counts_for

    def judged(*all_held):
        found = evaluate(need, all_held, day, window, counts_for)
        return next(row for row in found if row.competency == LEVEL_1)

    before, after = judged(*held), judged(*held, renewal)
    assert worst_first.index(after.colour) >= worst_first.index(before.colour)
    if before.award and before.award.level >= level:
        assert (after.expires_on or date.max) >= (before.expires_on or date.max)


# --- how long it takes --------------------------------------------------------------------------------------


def test_judging_25_requirements_and_60_awards_takes_less_than_a_millisecond():
    names = [f"NHS|CSTF|Subject {number:02d} - {1 + number % 3} Years|" for number in range(60)]
    framework = [
        Competency(name, name, "Subject", 12, covers=(names[number - 1],) if number % 3 else ())
        for number, name in enumerate(names)
    ]
    targets = [
        (TargetKind.EMPLOYER, "504"),
        (TargetKind.UNIT, "surgery"),
        (TargetKind.UNIT, "ward-9"),
        (TargetKind.STAFF_GROUP, "nursing"),
        (TargetKind.JOB, "nurse"),
        (TargetKind.POSITION, "nurse-9"),
        (TargetKind.LEARNER_GROUP, "agency"),
        (TargetKind.PERSON, "p1"),
    ]
    rules = [b.requirement(name, *targets[number % 8]) for number, name in enumerate(names[:25])]
    rulebook = with_framework(b.rulebook(*rules), *framework)
    assert rulebook.units["ward-9"] == Unit("ward-9", "504 Ward 9", "surgery")
    held = tuple(
        b.award(
            names[number % 40], TODAY - number * 20 * ONE_DAY, source=str(number), expires_on=TODAY + number * ONE_DAY
        )
        for number in range(60)
    )
    learner = b.learner(awards=held, groups=("agency",), exemptions=(replace(LEAVE, competency=PREVENT),))
    assert sum(row.required is not None for row in learner.compliance_on(TODAY, rulebook)) == 25
    seconds = []
    for _ in range(20):
        began = time.process_time()
        for _ in range(10):
            learner.compliance_on(TODAY, rulebook)
        seconds.append((time.process_time() - began) / 10)
    assert min(seconds) < 0.001
