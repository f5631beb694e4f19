"""Who is reminded of which renewal on which day, judged from records, and that snapshots name exactly these days."""

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.domain import reminders
from chalicelib.domain.calendar import EARLIEST
from chalicelib.domain.catalogue import Grants
from chalicelib.domain.compliance import Colour
from chalicelib.domain.enrolment import Status
from chalicelib.domain.people import Employment, EmploymentKind
from chalicelib.domain.projection import facts_of, judge, looks_due
from chalicelib.domain.requirements import RENEWAL_LEADS, Exemption
from tests import builders as b
from tests.builders import FIRE, TODAY

EXPIRY = date(2027, 3, 1)  # a Monday
RULES = b.rulebook(b.requirement(FIRE), renewal_leads=RENEWAL_LEADS)


def before(days, expiry=EXPIRY):
    return expiry - timedelta(days)


def holding(expiry=EXPIRY, **changes):
    return b.learner(**({"awards": (b.award_expiring(expiry),)} | changes))


def told(learner, day, since=None, rulebook=RULES):
    return reminders.renewals(learner, rulebook, since or day, day)


def days_told(learner, first, last, rulebook=RULES):
    """On which days of a span the learner, and their manager, are told of something."""
    every = [first + timedelta(number) for number in range((last - first).days + 1)]
    found = {day: told(learner, day, rulebook=rulebook) for day in every}
    own = [day for day, each in found.items() if reminders.for_learner(each)]
    return own, [day for day, each in found.items() if reminders.for_manager(each)]


# --- when -----------------------------------------------------------------------------------------------------


def test_a_learner_is_told_on_the_leads_and_a_manager_on_two_of_them_and_on_mondays_while_it_is_red():
    own, team = days_told(holding(), before(120), EXPIRY + timedelta(21))
    assert own == [before(each) for each in (90, 60, 30, 7, 0)]
    assert team == [before(30), EXPIRY, *(EXPIRY + timedelta(each) for each in (7, 14, 21))]


def test_an_employer_chooses_the_leads_and_without_any_nobody_is_told_of_anything():
    chosen = replace(RULES, renewal_leads=(45, 30))
    own, team = days_told(holding(), before(120), EXPIRY + timedelta(2), chosen)
    assert (own, team) == ([before(45), before(30)], [before(30)])
    silent = replace(RULES, renewal_leads=())
    assert days_told(holding(), before(120), EXPIRY + timedelta(21), silent) == ([], [])


def test_what_was_never_achieved_is_the_managers_business_every_monday_and_no_reminder_to_renew():
    own, team = days_told(b.learner(), TODAY, TODAY + timedelta(13))
    assert (own, team) == ([], [TODAY, TODAY + timedelta(7)])


def test_what_is_held_below_the_level_is_nothing_to_renew():
    asked = b.rulebook(b.requirement(FIRE, level=2), renewal_leads=RENEWAL_LEADS)
    own, team = days_told(holding(), before(90), before(60), asked)
    assert own == []
    assert len(team) == 4  # Mondays


@pytest.mark.parametrize(
    ("since", "day", "lead"),
    [(91, 89, 90), (61, 8, 30), (89, 61, None), (120, 0, 0), (3, -2, 0), (-1, -2, None), (30, 30, 30)],
)
def test_of_days_missed_the_lead_nearest_to_the_end_is_told_once(since, day, lead):
    found = told(holding(), before(day), before(since))
    assert [each.lead for each in reminders.for_learner(found)] == [lead] * (lead is not None)


@given(st.dates(date(2020, 1, 1), date(2030, 1, 1)), st.integers(0, 20))
def test_a_monday_is_missed_if_one_lies_in_between(since, length):
    day = since + timedelta(length)
    between = [since + timedelta(number) for number in range(length + 1)]
    assert reminders.monday_passed(since, day) == any(each.weekday() == 0 for each in between)
    assert reminders.next_monday(day).weekday() == 0
    assert 1 <= (reminders.next_monday(day) - day).days <= 7


def test_the_29th_of_february_and_the_days_on_which_clocks_change_are_days_like_others():
    for expiry in (date(2028, 2, 29), date(2027, 3, 28), date(2026, 10, 25)):
        own, _ = days_told(holding(expiry), before(100, expiry), expiry)
        assert own == [before(each, expiry) for each in (90, 60, 30, 7, 0)]


# --- silence --------------------------------------------------------------------------------------------------


def class_on(day):
    return b.class_("504-c9", sessions=[b.session(day)])


def taking(status, day=None):
    at = class_on(day) if day else b.e_learning()
    return b.enrolment(status, at, grants=(Grants(FIRE),))


def silent(learner, rulebook=RULES):
    return days_told(learner, before(120), EXPIRY, rulebook) == ([], [])


def test_it_stops_when_it_is_renewed_not_at_the_old_date():
    renewed = holding(awards=(b.award_expiring(EXPIRY), b.award_expiring(date(2028, 3, 1))))
    assert silent(renewed)


def test_it_stops_when_it_is_booked_in_time():
    assert silent(holding(enrolments=(taking(Status.CONFIRMED, EXPIRY),)))


def test_a_class_after_the_end_a_place_waited_for_and_one_asked_for_do_not_stop_it_and_are_named():
    for enrolment in (
        taking(Status.CONFIRMED, EXPIRY + timedelta(1)),
        taking(Status.WAITLISTED, before(10)),
        taking(Status.REQUESTED, before(10)),
        taking(Status.CONFIRMED),
    ):
        (found,) = told(holding(enrolments=(enrolment,)), before(30))
        assert found.taking == enrolment
    withdrawn, held = taking(Status.WITHDRAWN, before(10)), taking(Status.CONFIRMED, before(40))
    (found,) = told(holding(enrolments=(withdrawn, held)), before(30))
    assert found.taking is None


def test_what_has_expired_is_silent_once_any_class_is_booked():
    enrolment = taking(Status.CONFIRMED, EXPIRY + timedelta(40))
    assert told(holding(enrolments=(enrolment,)), EXPIRY + timedelta(7)) == ()


def test_a_class_that_awards_too_little_stops_nothing():
    asked = b.rulebook(b.requirement(FIRE, level=2), renewal_leads=RENEWAL_LEADS)
    learner = b.learner(awards=(b.award_expiring(EXPIRY, level=2),), enrolments=(taking(Status.CONFIRMED, before(10)),))
    assert [each.taking for each in told(learner, before(30), rulebook=asked)] == [None]


def test_nobody_is_told_of_what_is_held_and_not_required():
    assert silent(holding(), replace(b.rulebook(), renewal_leads=RENEWAL_LEADS))


def test_nobody_is_told_while_they_are_exempt():
    assert silent(holding(exemptions=(Exemption(FIRE, "maternity leave", before(120), EXPIRY),)))


def test_nobody_is_told_who_has_left():
    assert silent(holding(employment=Employment("504", EmploymentKind.EMPLOYEE, "1", date(2024, 1, 1), before(121))))


# --- the days that snapshots name -----------------------------------------------------------------------------


def looked_at(learner, rulebook, first, last):
    """The days on which a run that judges what is due, every day, has somebody looked at."""
    (snapshot,) = (judge(facts, rulebook, first) for facts in facts_of(learner, first))
    found = []
    for number in range(1, (last - first).days + 1):
        day = first + timedelta(number)
        if snapshot.next_change_on and snapshot.next_change_on <= day:
            after = judge(snapshot.facts, rulebook, day)
            if looks_due(snapshot, after, rulebook, day):
                found.append(day)
            snapshot = after
    return found


enrolled = st.builds(
    taking,
    st.sampled_from([Status.CONFIRMED, Status.CONFIRMED, Status.WAITLISTED, Status.WITHDRAWN]),
    st.none() | st.integers(-60, 30).map(lambda days: EXPIRY + timedelta(days)),
)
leads = st.lists(st.integers(0, 100), max_size=5, unique=True).map(lambda each: tuple(sorted(each, reverse=True)))


@settings(max_examples=60)
@given(
    leads,
    st.lists(st.integers(-20, 90), max_size=3),
    st.lists(enrolled, max_size=2),
    st.sampled_from([EmploymentKind.EMPLOYEE, EmploymentKind.APPLICANT, EmploymentKind.EXTERNAL]),
)
def test_whoever_has_to_be_told_is_looked_at_on_that_day(leads, awards, enrolments, kind):
    """Snapshots may look in vain (a class of which the records know more), and never too late."""
    rulebook = replace(RULES, renewal_leads=leads)
    held = tuple(b.award_expiring(EXPIRY + timedelta(each)) for each in awards)
    learner = b.learner(kind, awards=held, enrolments=tuple(enrolments))
    first, last = before(110), EXPIRY + timedelta(40)
    own, team = days_told(learner, first + timedelta(1), last, rulebook)
    if kind is EmploymentKind.EXTERNAL:
        team = own  # they have no manager
    assert {*own, *team} <= {*looked_at(learner, rulebook, first, last)}


def test_nobody_is_looked_at_on_other_days():
    own, team = days_told(holding(), before(120), EXPIRY + timedelta(21))
    found = looked_at(holding(), RULES, before(120), EXPIRY + timedelta(21))
    assert found == sorted({*own, *team})
    assert looked_at(holding(enrolments=(taking(Status.CONFIRMED, EXPIRY),)), RULES, before(120), EXPIRY) == []


def test_after_days_without_a_run_somebody_is_looked_at_for_all_that_was_missed():
    (facts,) = facts_of(holding(), before(91))
    snapshot = judge(facts, RULES, before(91))
    assert snapshot.next_change_on == before(90)
    late = judge(facts, RULES, before(50))
    assert looks_due(snapshot, late, RULES, before(50)) == before(90)
    assert looks_due(late, judge(facts, RULES, before(50)), RULES, before(50)) is None


def test_a_row_that_is_red_waits_for_monday_and_one_that_is_booked_for_its_class():
    (facts,) = facts_of(b.learner(), TODAY)
    assert judge(facts, RULES, TODAY).next_change_on == TODAY + timedelta(7)
    booked = b.learner(enrolments=(taking(Status.CONFIRMED, date(2027, 1, 20)),))
    (facts,) = facts_of(booked, TODAY)
    snapshot = judge(facts, RULES, TODAY)
    assert (snapshot.rows[0].colour, snapshot.next_change_on) == (Colour.RED, date(2027, 1, 21))


def test_an_expiry_at_either_end_of_the_calendar_does_no_harm():
    for expiry in (EARLIEST, date.max):
        learner = b.learner(awards=(b.award(FIRE, EARLIEST, expires_on=expiry),))
        for facts in facts_of(learner, TODAY):
            judge(facts, RULES, TODAY)
        told(learner, TODAY, date(2020, 1, 1))


def test_leads_that_stand_twice_are_refused():
    assert [each.field for each in reminders.wrong_leads([30, 7, 30])] == ["renewal_leads"]
    assert list(reminders.wrong_leads([])) == []
