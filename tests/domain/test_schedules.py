"""Patterns into plans: which days get a class, at which instants, and what becomes of the others."""

from datetime import UTC, date, datetime, time, timedelta

from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.calendar import LONDON
from chalicelib.domain.schedules import (
    MOST_CLASSES,
    BankHolidays,
    Pattern,
    Planned,
    Repeats,
    Schedule,
    Sitting,
    Weekday,
    Why,
    in_words,
    plan,
    sessions_from,
    sittings_of,
    wrong_enrolment,
    wrong_pattern,
    wrong_plan,
    wrong_sittings,
)
from chalicelib.recurrence import bank_holiday, days_of
from tests import builders as b

MORNING = Sitting(0, time(9), time(12))
MON, WED, FRI = Weekday.MONDAY, Weekday.WEDNESDAY, Weekday.FRIDAY


def pattern(repeats=Repeats.WEEKLY, starts_on=date(2026, 11, 23), **changes):
    if repeats is Repeats.LISTED:
        starts_on = None
    elif not changes.keys() & {"until", "count"}:
        changes["count"] = 4
    return Pattern(repeats, starts_on, **changes)


def days(**given):
    return list(days_of(pattern(**given)))


def planned(sittings=(MORNING,), rule=BankHolidays.SKIP, **given):
    wanted = pattern(**given)
    assert wrong_pattern(wanted) == ()
    return plan(wanted, days_of(wanted), tuple(sittings), rule, bank_holiday)


def class_days(found):
    return [each.day for each in found.classes]


def left_out(found):
    return [(each.day, each.why, each.detail) for each in found.left_out]


def wrong(**given):
    return {each.field.removeprefix("pattern."): each.reason for each in wrong_pattern(pattern(**given))}


# --- patterns -----------------------------------------------------------------------------------------------


def test_every_day_or_every_third():
    assert class_days(planned(repeats=Repeats.DAILY, count=3)) == [date(2026, 11, day) for day in (23, 24, 25)]
    assert class_days(planned(repeats=Repeats.DAILY, every=3, until=date(2026, 12, 1))) == [
        date(2026, 11, 23),
        date(2026, 11, 26),
        date(2026, 11, 29),
    ]


def test_weekly_is_on_the_weekday_it_starts_on_unless_told():
    assert class_days(planned(count=3)) == [date(2026, 11, 23), date(2026, 11, 30), date(2026, 12, 7)]
    assert class_days(planned(weekdays=(WED, FRI), count=3)) == [date(2026, 11, day) for day in (25, 27)] + [
        date(2026, 12, 2)
    ]


def test_every_second_week_counts_weeks_from_monday():
    found = planned(starts_on=date(2026, 11, 25), weekdays=(MON, FRI), every=2, count=4)
    assert class_days(found) == [date(2026, 11, 27), date(2026, 12, 7), date(2026, 12, 11), date(2026, 12, 21)]


def test_monthly_by_date_says_which_months_do_not_have_it():
    found = planned(repeats=Repeats.MONTHLY_BY_DATE, starts_on=date(2026, 9, 1), day_of_month=31, count=3)
    assert class_days(found) == [date(2026, 10, 31), date(2026, 12, 31), date(2027, 1, 31)]
    assert left_out(found) == [
        (date(2026, 9, 1), Why.NO_SUCH_DAY, "September 2026 has no day 31."),
        (date(2026, 11, 1), Why.NO_SUCH_DAY, "November 2026 has no day 31."),
    ]


def test_the_29th_of_february_comes_in_leap_years_only():
    found = planned(
        repeats=Repeats.MONTHLY_BY_DATE,
        starts_on=date(2027, 2, 1),
        day_of_month=29,
        every=12,
        until=date(2032, 12, 31),
        rule=BankHolidays.KEEP,
    )
    assert class_days(found) == [date(2028, 2, 29), date(2032, 2, 29)]
    assert [each.detail for each in found.left_out][:1] == ["February 2027 has no day 29."]


def test_monthly_by_weekday_counts_from_the_first_or_is_the_last():
    second = planned(repeats=Repeats.MONTHLY_BY_WEEKDAY, weekdays=(WED,), nth=2, count=2)
    assert class_days(second) == [date(2026, 12, 9), date(2027, 1, 13)]
    last = planned(repeats=Repeats.MONTHLY_BY_WEEKDAY, weekdays=(FRI,), nth=-1, count=3)
    assert class_days(last) == [date(2026, 11, 27), date(2027, 1, 29), date(2027, 2, 26)]
    assert left_out(last) == [(date(2026, 12, 25), Why.BANK_HOLIDAY, "Friday 25 December 2026 is Christmas Day.")]
    fifth = planned(repeats=Repeats.MONTHLY_BY_WEEKDAY, weekdays=(MON,), nth=5, until=date(2027, 3, 31))
    assert class_days(fifth) == [date(2026, 11, 30)]
    assert "December 2026 has no fifth Monday." in [each.detail for each in fifth.left_out]


def test_listed_days_come_in_order_past_ones_too():
    found = planned(repeats=Repeats.LISTED, days=(date(2026, 12, 3), date(2020, 2, 29)))
    assert class_days(found) == [date(2020, 2, 29), date(2026, 12, 3)]


# --- clocks -------------------------------------------------------------------------------------------------


def test_nine_in_the_morning_stays_nine_across_both_clock_changes():
    found = planned(starts_on=date(2026, 10, 19), count=2)
    instants = [sessions_from(each.day, found.sittings)[0].starts_at for each in found.classes]
    assert instants == [datetime(2026, 10, 19, 8, tzinfo=UTC), datetime(2026, 10, 26, 9, tzinfo=UTC)]
    found = planned(starts_on=date(2027, 3, 24), count=2)
    instants = [sessions_from(each.day, found.sittings)[0].starts_at for each in found.classes]
    assert instants == [datetime(2027, 3, 24, 9, tzinfo=UTC), datetime(2027, 3, 31, 8, tzinfo=UTC)]


def test_a_time_that_the_clocks_skip_leaves_the_day_out_and_says_so():
    night = Sitting(0, time(1, 30), time(4))
    found = planned([night], starts_on=date(2027, 3, 21), count=2)
    assert class_days(found) == [date(2027, 3, 21), date(2027, 4, 4)]
    assert left_out(found) == [
        (date(2027, 3, 28), Why.NO_SUCH_TIME, "The clocks skip 01:30 on Sunday 28 March 2027."),
    ]


def test_a_time_that_comes_twice_is_the_first_of_the_two():
    (session,) = sessions_from(date(2026, 10, 25), [Sitting(0, time(1, 30), time(4))])
    assert session.starts_at == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)


# --- bank holidays ------------------------------------------------------------------------------------------

EASTER = {"starts_on": date(2027, 3, 22), "count": 3}  # Mondays; Easter Monday is 29 March


def test_a_bank_holiday_is_skipped_and_made_up_for():
    found = planned(**EASTER)
    assert class_days(found) == [date(2027, 3, 22), date(2027, 4, 5), date(2027, 4, 12)]
    assert left_out(found) == [(date(2027, 3, 29), Why.BANK_HOLIDAY, "Monday 29 March 2027 is Easter Monday.")]


def test_with_a_last_day_what_is_skipped_is_not_made_up_for():
    found = planned(starts_on=date(2027, 3, 22), until=date(2027, 4, 5))
    assert class_days(found) == [date(2027, 3, 22), date(2027, 4, 5)]


def test_a_bank_holiday_may_be_kept_with_a_note():
    found = planned(**EASTER, rule=BankHolidays.KEEP)
    assert found.classes[1] == Planned(date(2027, 3, 29), note="Monday 29 March 2027 is Easter Monday.")


def test_a_bank_holiday_may_move_to_the_next_working_day():
    found = planned(**EASTER, rule=BankHolidays.NEXT_WORKING_DAY)
    moved = Planned(date(2027, 3, 30), date(2027, 3, 29), "Monday 29 March 2027 is Easter Monday.")
    assert found.classes[1] == moved
    assert class_days(found) == [date(2027, 3, 22), date(2027, 3, 30), date(2027, 4, 5)]


def test_the_next_working_day_is_behind_weekend_and_substitute_days():
    friday = planned(starts_on=date(2026, 12, 25), count=1, rule=BankHolidays.NEXT_WORKING_DAY)
    assert class_days(friday) == [date(2026, 12, 29)]  # Saturday Boxing Day, Sunday, Monday in its place


def test_a_day_is_not_moved_onto_one_that_has_a_class():
    found = planned(
        weekdays=(MON, Weekday.TUESDAY),
        starts_on=date(2027, 3, 29),
        until=date(2027, 3, 30),
        rule=BankHolidays.NEXT_WORKING_DAY,
    )
    assert class_days(found) == [date(2027, 3, 30)]
    assert [each.why for each in found.left_out] == [Why.TAKEN]
    both = planned(
        repeats=Repeats.LISTED, days=(date(2027, 3, 26), date(2027, 3, 29)), rule=BankHolidays.NEXT_WORKING_DAY
    )
    assert class_days(both) == [date(2027, 3, 30)]


def test_every_session_has_to_be_clear_of_bank_holidays_and_all_move_together():
    two_days = [MORNING, Sitting(1, time(9), time(12))]
    thursday = {"starts_on": date(2027, 3, 25), "count": 1}  # its second day is Good Friday
    assert planned(two_days, **thursday).left_out[0].detail == "Friday 26 March 2027 is Good Friday."
    moved = planned(two_days, **thursday, rule=BankHolidays.NEXT_WORKING_DAY)
    assert class_days(moved) == [date(2027, 3, 30)]


def test_what_no_later_day_suits_is_left_out():
    a_week = [Sitting(day, time(9), time(10)) for day in range(7)]  # always holds a weekend
    found = planned(a_week, starts_on=date(2027, 3, 29), until=date(2027, 3, 29), rule=BankHolidays.NEXT_WORKING_DAY)
    assert [each.why for each in found.left_out] == [Why.BANK_HOLIDAY]
    assert "no later day within two weeks" in found.left_out[0].detail


def test_bank_holidays_are_those_of_england_and_wales():
    assert bank_holiday(date(2027, 8, 30)) == "Late Summer Bank Holiday"
    assert bank_holiday(date(2027, 3, 17)) is None  # Northern Ireland
    assert bank_holiday(date(2027, 1, 4)) is None  # Scotland
    assert bank_holiday(date(2022, 9, 19)) is not None  # the state funeral: days of one year, too


# --- what is wrong ------------------------------------------------------------------------------------------


def test_a_pattern_says_what_is_missing_wrong_or_not_taken():
    assert set(wrong(starts_on=None)) == {"starts_on"}
    assert wrong(until=date(2026, 11, 22)) == {"until": "is before starts_on"}
    assert set(wrong(until=date(2036, 11, 24))) == {"until"}
    assert set(wrong(until=date(2027, 1, 1), count=3)) == {"count"}
    for count in (0, -1, 101, 10_000):
        assert set(wrong(count=count)) == {"count"}
    for every in (0, -2, 10_000):
        assert set(wrong(every=every)) == {"every"}
    assert set(wrong(weekdays=(MON, MON))) == {"weekdays"}
    assert set(wrong(nth=2, day_of_month=3, days=(b.TODAY,))) == {"nth", "day_of_month", "days"}
    assert set(wrong(repeats=Repeats.DAILY, weekdays=(MON,))) == {"weekdays"}
    assert set(wrong(repeats=Repeats.MONTHLY_BY_DATE)) == {"day_of_month"}
    assert set(wrong(repeats=Repeats.MONTHLY_BY_DATE, day_of_month=32)) == {"day_of_month"}
    assert set(wrong(repeats=Repeats.MONTHLY_BY_WEEKDAY)) == {"weekdays", "nth"}
    assert set(wrong(repeats=Repeats.MONTHLY_BY_WEEKDAY, weekdays=(MON,), nth=-2)) == {"nth"}
    assert set(wrong(starts_on=date(1800, 1, 1))) == {"starts_on"}
    assert [each.field for each in wrong_pattern(Pattern(Repeats.WEEKLY, b.TODAY))] == ["pattern.count"]


def test_listed_days_are_at_least_one_at_most_a_hundred_and_each_once():
    assert set(wrong(repeats=Repeats.LISTED)) == {"days"}
    many = tuple(b.TODAY + timedelta(number) for number in range(10_000))
    assert wrong(repeats=Repeats.LISTED, days=many[:101])["days"].startswith("has more than 100")
    assert set(wrong(repeats=Repeats.LISTED, days=many)) == {"days"}
    assert set(wrong(repeats=Repeats.LISTED, days=(b.TODAY, b.TODAY))) == {"days"}
    assert set(wrong(repeats=Repeats.LISTED, days=(date(1, 1, 1),))) == {"days"}
    assert set(wrong(repeats=Repeats.LISTED, days=(date(2001, 1, 1), b.TODAY))) == {"days"}
    assert set(wrong(repeats=Repeats.LISTED, days=(b.TODAY,), count=3, every=2)) == {"count", "every"}


def of_plan(**given):
    return {each.field: each.reason for each in wrong_plan(planned(**given), pattern(**given))}


def test_a_pattern_without_days_or_with_too_many_is_wrong():
    never = {"repeats": Repeats.MONTHLY_BY_DATE, "starts_on": date(2027, 2, 1), "day_of_month": 30, "every": 12}
    assert of_plan(**never, count=1)["pattern"].startswith("gives no class. February 2027 has no day 30.")
    assert of_plan(weekdays=(FRI,), until=date(2026, 11, 26)) == {"pattern": "gives no day"}
    assert set(of_plan(repeats=Repeats.DAILY, until=date(2036, 11, 23))) == {"pattern.until"}
    assert set(of_plan(repeats=Repeats.WEEKLY, every=52, count=100)) == {"pattern.count"}
    assert of_plan(repeats=Repeats.DAILY, count=100) == {}


def test_sessions_begin_on_the_first_day():
    assert [each.field for each in wrong_sittings(())] == ["sessions"]
    assert [each.field for each in wrong_sittings((Sitting(1, time(9), time(10)),))] == ["sessions[0].day_offset"]
    far = (MORNING, Sitting(-1, time(9), time(10)), Sitting(181, time(9), time(10)))
    assert [each.field for each in wrong_sittings(far)] == ["sessions[1].day_offset", "sessions[2].day_offset"]


def test_a_pattern_is_told_in_words():
    assert in_words(pattern(Repeats.DAILY, every=3, count=7)) == "Every 3 days from 23 November 2026, 7 classes"
    assert in_words(pattern()) == "Every week on Monday from 23 November 2026, 4 classes"
    both = pattern(every=2, weekdays=(FRI, MON, WED), until=date(2027, 3, 1))
    assert in_words(both) == "Every 2 weeks on Monday, Wednesday and Friday from 23 November 2026, until 1 March 2027"
    by_date = pattern(Repeats.MONTHLY_BY_DATE, day_of_month=31)
    assert in_words(by_date) == "Every month on day 31 from 23 November 2026, 4 classes"
    last = pattern(Repeats.MONTHLY_BY_WEEKDAY, weekdays=(MON,), nth=-1, every=2)
    assert in_words(last) == "Every 2 months on the last Monday from 23 November 2026, 4 classes"
    listed = pattern(Repeats.LISTED, days=(date(2027, 2, 3), date(2027, 1, 5)))
    assert in_words(listed) == "2 days from 5 January 2027 to 3 February 2027"
    assert in_words(pattern(Repeats.LISTED, days=(date(2027, 1, 5),))) == "On 5 January 2027"


# --- the classes of a schedule --------------------------------------------------------------------------------


def test_a_copy_has_the_sessions_of_its_original_at_the_same_civil_times():
    original = b.class_(sessions=[b.session(date(2026, 10, 20)), b.session(date(2026, 10, 27), 14)])
    assert sittings_of(original) == (MORNING, Sitting(7, time(14), time(17)))
    assert sessions_from(date(2026, 10, 20), sittings_of(original)) == original.sessions


def test_a_night_shift_keeps_the_day_it_ends_on_when_it_is_copied():
    night = Sitting(0, time(22), time(2), nights=1)
    (session,) = sessions_from(date(2026, 12, 31), [night])
    assert session.ends_at - session.starts_at == timedelta(hours=4)
    assert sittings_of(b.class_(sessions=[session])) == (night,)
    assert [*wrong_sittings((night,))] == []


def test_a_session_ends_on_its_day_or_the_next():
    for nights in (-1, 2, 10**12):
        (wrong_one,) = wrong_sittings((Sitting(0, time(9), time(12), nights),))
        assert wrong_one.field == "sessions[0].until_day_offset"


def scheduled(plan_, model=None, **changes):
    return Schedule("b1", "504", model or b.class_(), pattern(), plan_, "p1", b.NOW, **changes)


def test_enrolment_does_not_open_or_close_outside_the_calendar():
    found = planned(count=2)
    for days in (-(10**7), 10**6):
        for name in ("opens_days_before", "closes_days_before"):
            (wrong_one,) = wrong_enrolment(scheduled(found, **{name: days}))
            assert wrong_one.field == f"enrol_{name}"
    assert [*wrong_enrolment(scheduled(found, opens_days_before=400, closes_days_before=-400))] == []


def test_the_classes_of_a_schedule_differ_in_their_days_alone_and_keep_their_ids():
    found = planned(count=2)
    model = b.class_(reason="x", revision=7)
    schedule = scheduled(found, model, opens_days_before=30, closes_days_before=1)
    first, second = schedule.classes()
    assert (first.id, second.id) == schedule.class_ids == ("504-b1-001", "504-b1-002")
    assert (second.starts_at, second.ends_at) == (second.sessions[0].starts_at, second.sessions[0].ends_at)
    assert (second.enrol_from, second.enrol_until) == (date(2026, 10, 31), date(2026, 11, 29))
    assert (second.batch, second.revision, second.reason, second.title) == ("b1", 1, None, "Fire Safety")


# --- whatever the pattern ---------------------------------------------------------------------------------------

PATTERNS = st.builds(
    Pattern,
    st.sampled_from([each for each in Repeats if each is not Repeats.LISTED]),
    st.dates(date(2020, 1, 1), date(2030, 1, 1)),
    st.integers(1, 5),
    st.lists(st.sampled_from(Weekday), min_size=1, max_size=1).map(tuple),
    day_of_month=st.integers(1, 31),
    nth=st.sampled_from([1, 2, 3, 4, 5, -1]),
    count=st.integers(1, 30),
)


def of_its_kind(given):
    weekly = given.repeats in (Repeats.WEEKLY, Repeats.MONTHLY_BY_WEEKDAY)
    return Pattern(
        given.repeats,
        given.starts_on,
        given.every,
        given.weekdays if weekly else (),
        given.day_of_month if given.repeats is Repeats.MONTHLY_BY_DATE else None,
        given.nth if given.repeats is Repeats.MONTHLY_BY_WEEKDAY else None,
        count=given.count,
    )


@given(PATTERNS.map(of_its_kind), st.sampled_from(BankHolidays), st.integers(0, 3))
def test_every_plan_keeps_the_rules(wanted, rule, last_day):
    sittings = (MORNING, *([Sitting(last_day, time(14), time(16))] if last_day else []))
    assert wrong_pattern(wanted) == ()
    found = plan(wanted, days_of(wanted), sittings, rule, bank_holiday)
    chosen = class_days(found)
    assert chosen == sorted(set(chosen))
    assert len(chosen) <= min(wanted.count, MOST_CLASSES)
    assert all(day >= wanted.starts_on for day in chosen)
    for each in found.classes:
        held = sessions_from(each.day, sittings)
        assert {session.starts_at.astimezone(LONDON).hour for session in held} <= {9, 14}
        on = [each.day + timedelta(sitting.day) for sitting in sittings]
        if rule is not BankHolidays.KEEP:
            assert not any(map(bank_holiday, on))
        if each.moved_from:
            assert rule is BankHolidays.NEXT_WORKING_DAY
            assert all(day.weekday() < 5 for day in on)
