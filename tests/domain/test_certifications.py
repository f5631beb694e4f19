"""Certifications: how somebody comes to one, renews it in time, and loses it (domain.md §2 and §6)."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from chalicelib.domain import certifications as c
from chalicelib.domain.calendar import london_time
from chalicelib.domain.catalogue import Certification, Component, Grants, Mode, Use
from chalicelib.domain.certifications import Completion, News, Party, PeriodStatus, Status, Step
from chalicelib.domain.errors import MandatorySubscription, NotPermitted, SubscriptionNotThere
from tests import builders as b
from tests.builders import FIRE, MOVING, NOW, TODAY

COURSES = {
    "504-fire": b.course(),
    "504-moving": b.course("504-moving", grants=(MOVING,)),
}
ROOM, ALONE = Mode.CLASSROOM, Mode.E_LEARNING


def certification(*components, **changes):
    given = {"grants": (Grants(FIRE),), "validity_months": 12, "description": "", "min_components": 1}
    chosen = components or (Component("504-fire"), Component("504-moving"))
    return Certification("504-safe", "Safe", "fire", components=chosen, **(given | changes))


def subscribed(to=None, on=TODAY, **more):
    return c.begun(None, to or certification(), "p1", "504", on, "p1", london_time(on, 9), **more)


def done(on, mode=ROOM, course="504-fire", source=None):
    return Completion(source or f"504-c{on:%j}~1", on, course, mode)


def complete(subscription, on, mode=ROOM, to=None, **which):
    current = c.as_of(subscription, on, to or certification())
    return c.progressed(current, done(on, mode, **which), COURSES, "p8", london_time(on, 12))


def certified(on=TODAY, mode=ALONE, to=None):
    return complete(subscribed(to, on), on, mode, to)


def taken_back(subscription, source="504-c1~1"):
    return c.taken_back(subscription, lambda _, done: done.source == source, "p9", NOW, "Was not there.")


def cancelled(subscription):
    return c.cancelled(subscription, Party.ADMINISTRATOR, "p9", NOW, "Moved to theatre.")


def days(number):
    return timedelta(days=number)


# --- the table ----------------------------------------------------------------------------------------------------


def test_every_state_can_be_reached_and_every_step_leads_somewhere():
    assert {to for to, _ in c.MOVES.values()} - {None} == set(Status)
    assert {step for _, step in c.MOVES} == set(Step)


@pytest.mark.parametrize("before", [None, *Status])
@pytest.mark.parametrize("step", Step)
@pytest.mark.parametrize("party", Party)
def test_what_the_table_does_not_hold_cannot_happen(before, step, party):
    to, allowed = c.MOVES.get((before, step), (None, frozenset()))
    if party in allowed:
        assert c.move(before, step, party) is to
    else:
        with pytest.raises(NotPermitted if allowed else SubscriptionNotThere):
            c.move(before, step, party)


# --- the first period -----------------------------------------------------------------------------------------------


def test_the_first_period_is_due_in_the_initial_days_and_overdue_on_the_day_after():
    first = subscribed()
    assert (first.status, first.open_period.due_on) == (Status.SUBSCRIBED, date(2026, 12, 23))
    assert not first.overdue_on(date(2026, 12, 23))
    assert first.overdue_on(date(2026, 12, 24))
    assert c.as_of(first, date(2027, 12, 24), certification()) is first


def test_enough_components_certify_from_the_day_of_the_last():
    both = certification(min_components=None)
    one = complete(subscribed(both), TODAY + days(9), course="504-moving")
    assert (one.status, one.open_period.status, c.left(one)) == (Status.SUBSCRIBED, PeriodStatus.ACTIVE, 1)
    earlier = complete(one, TODAY + days(5))
    assert (earlier.status, earlier.open_period) == (Status.CERTIFIED, None)
    assert (earlier.held.completed_on, earlier.held.expires_on) == (TODAY + days(9), date(2027, 12, 2))


def test_any_one_of_several_is_enough_where_one_is_needed():
    assert complete(subscribed(), TODAY).status is Status.CERTIFIED


def test_what_was_done_before_subscribing_or_in_another_mode_or_twice_counts_for_nothing():
    room = certification(Component("504-fire", ROOM), Component("504-moving"), min_components=2)
    first = subscribed(room)
    assert complete(first, TODAY - days(1)) is first
    assert complete(first, TODAY, ALONE) is first
    assert complete(first, TODAY, course="504-other") is first
    once = complete(first, TODAY)
    assert complete(once, TODAY) is once
    assert complete(once, TODAY + days(1)) is once


def test_a_component_of_one_mode_is_met_before_one_of_any():
    to = certification(Component("504-fire"), Component("504-fire", ALONE), min_components=2)
    alone = complete(subscribed(to), TODAY, ALONE)
    assert list(c.fulfilled(alone.open_period, alone.terms)) == [Component("504-fire", ALONE)]
    assert complete(alone, TODAY + days(1)).status is Status.CERTIFIED


def test_external_training_is_every_component_whose_awards_it_brought():
    elsewhere = Completion("01JDXTR", TODAY, awards=(Grants(FIRE), Grants(MOVING)))
    both = subscribed(certification(min_components=None))
    assert c.progressed(both, elsewhere, COURSES, "p9", NOW).status is Status.CERTIFIED
    other = replace(elsewhere, awards=(Grants(b.PREVENT),))
    assert c.progressed(both, other, COURSES, "p9", NOW) is both


def test_one_time_certifications_never_end():
    once = complete(subscribed(certification(validity_months=None)), TODAY)
    assert (once.held.expires_on, once.window_opens_on, c.next_on(once, TODAY)) == (None, None, None)
    assert c.as_of(once, date(2090, 1, 1), certification()) is once


# --- renewing -------------------------------------------------------------------------------------------------------


def test_the_window_opens_before_expiry_and_completing_in_it_renews_from_that_day():
    held = certified()
    opens = date(2027, 8, 25)
    assert (held.held.expires_on, held.window_opens_on) == (date(2027, 11, 23), opens)
    assert c.as_of(held, opens - days(1), certification()) is held
    renewing = c.as_of(held, opens, certification())
    assert (renewing.status, renewing.open_period.due_on) == (Status.RENEWING, date(2027, 11, 23))
    renewed = complete(renewing, date(2027, 9, 1))
    assert (renewed.status, renewed.held.expires_on) == (Status.CERTIFIED, date(2028, 9, 1))


def test_earlier_completion_does_not_renew():
    held = certified()
    assert complete(held, date(2027, 8, 24)) is held


def test_who_does_not_renew_in_time_has_expired_and_can_still_renew():
    gone = c.as_of(certified(), date(2027, 11, 24), certification())
    assert [each.status for each in gone.history[-2:]] == [Status.RENEWING, Status.EXPIRED]
    assert (gone.status, gone.open_period.status) == (Status.EXPIRED, PeriodStatus.EXPIRED)
    late = complete(gone, date(2028, 1, 31))
    assert (late.status, late.held.expires_on) == (Status.CERTIFIED, date(2029, 1, 31))


def test_on_the_last_day_it_is_valid_and_from_29_february_it_ends_on_the_28th():
    leap = certified(date(2028, 2, 29))
    assert leap.held.expires_on == date(2029, 2, 28)
    assert c.as_of(leap, date(2029, 2, 28), certification()).status is Status.RENEWING
    assert c.as_of(leap, date(2029, 3, 1), certification()).status is Status.EXPIRED


def test_only_components_for_renewal_renew():
    to = certification(Component("504-fire", use=Use.INITIAL), Component("504-moving", use=Use.RENEWAL))
    held = certified(to=to)
    renewing = c.as_of(held, date(2027, 9, 1), to)
    assert complete(renewing, date(2027, 9, 1), to=to) is renewing
    assert complete(renewing, date(2027, 9, 1), to=to, course="504-moving").status is Status.CERTIFIED


def test_changed_settings_are_for_periods_that_begin_later():
    changed = certification(validity_months=24, window_days=30, grants=())
    held = certified()
    assert c.as_of(held, date(2027, 8, 25), changed).status is Status.RENEWING
    renewed = complete(held, date(2027, 9, 1), to=changed)
    assert (renewed.held.expires_on, renewed.window_opens_on) == (date(2029, 9, 1), date(2029, 8, 2))
    assert (held.terms.grants, renewed.terms.grants) == ((Grants(FIRE),), ())


def test_made_to_be_done_once_whoever_holds_it_renews_under_the_terms_they_have():
    once = certification(Component("504-fire", use=Use.INITIAL), validity_months=None, min_components=None)
    held = certified()
    renewing = c.as_of(held, date(2027, 9, 1), once)
    assert (renewing.terms, c.left(renewing)) == (held.terms, 1)
    assert complete(renewing, date(2027, 9, 1), to=once).held.expires_on == date(2028, 9, 1)
    open_to_all = certification(validity_months=None)
    assert complete(held, date(2027, 9, 1), to=open_to_all).held.expires_on is None


# --- e-learning -------------------------------------------------------------------------------------------------------


LIMITED = certification(max_consecutive_elearning=2)


def by(*modes):
    held, on = certified(mode=modes[0], to=LIMITED), TODAY
    for mode in modes[1:]:
        on = held.held.expires_on - days(30)
        held = complete(held, on, mode, LIMITED)
    return c.as_of(held, held.held.expires_on - days(60), LIMITED)


def test_after_as_many_periods_by_e_learning_alone_as_are_allowed_the_next_takes_none_and_says_why():
    once, twice = by(ALONE), by(ALONE, ALONE)
    assert (once.open_period.elearning, once.takes(ALONE)) == (1, True)
    assert (twice.open_period.elearning, twice.takes(ALONE), twice.takes(ROOM)) == (2, False, True)
    on = twice.open_period.starts_on
    assert complete(twice, on, ALONE, LIMITED) is twice
    alone = replace(
        twice, terms=replace(twice.terms, components=(Component("504-fire", ALONE), Component("504-moving")))
    )
    closed, open_ = c.options(alone, COURSES, on)
    assert not closed.open
    assert closed.why_not.startswith("You have done this twice by e-learning alone")
    assert open_.open
    assert c.options(alone, COURSES, on, own=False)[0].why_not.startswith("This has been done twice by e-learning")
    assert complete(twice, on, ROOM, LIMITED).held.elearning_after == 0


def test_any_classroom_begins_the_count_anew():
    assert by(ALONE, ROOM).open_period.elearning == 0
    mixed = certification(min_components=2, max_consecutive_elearning=1)
    first = complete(subscribed(mixed), TODAY, ALONE, mixed, source="504-e1~1")
    assert complete(first, TODAY, ROOM, mixed, course="504-moving").held.elearning_after == 0


# --- cancelling and reinstating -----------------------------------------------------------------------------------------


def test_reinstated_it_has_its_old_dates_and_what_time_did_meanwhile():
    held = certified()
    off = c.cancelled(held, Party.ADMINISTRATOR, "p9", NOW, "Moved to theatre.")
    assert (off.status, off.ended, off.held.expires_on) == (Status.CANCELLED, True, date(2027, 11, 23))
    assert c.as_of(off, date(2027, 12, 1), certification()) is off
    back = c.reinstated(off, "p9", NOW, "Came back.")
    assert (back.status, back.held) == (Status.CERTIFIED, held.held)
    assert c.as_of(back, date(2027, 12, 1), certification()).status is Status.EXPIRED


def test_a_period_that_was_cancelled_under_way_goes_on_where_it_was():
    both = certification(min_components=2)
    half = complete(subscribed(both), TODAY, to=both)
    off = c.cancelled(half, Party.LEARNER, "p1", NOW)
    assert (off.periods[0].status, off.open_period) == (PeriodStatus.CANCELLED, None)
    back = c.reinstated(off, "p9", NOW, "By mistake.")
    assert back.open_period == half.open_period


def test_who_subscribes_again_begins_anew_and_keeps_the_past():
    off = c.cancelled(certified(), Party.LEARNER, "p1", NOW)
    again = c.begun(off, certification(), "p1", "504", date(2027, 1, 1), "p1", NOW)
    assert [each.status for each in again.periods] == [PeriodStatus.COMPLETED, PeriodStatus.ENROLLED]
    assert (again.status, again.open_period.use, again.open_period.due_on) == (
        Status.SUBSCRIBED,
        Use.INITIAL,
        date(2027, 1, 31),
    )
    assert again.open_period.elearning == 1


def test_however_often_somebody_subscribes_and_cancels_little_is_kept_of_it():
    subscription = None
    for _ in range(100):
        begun = c.begun(subscription, certification(), "p1", "504", TODAY, "p1", NOW)
        subscription = c.cancelled(begun, Party.LEARNER, "p1", NOW)
    assert (len(subscription.periods), len(subscription.history)) == (1, c.MOST_HISTORY)
    assert subscription.periods[0].number == 100
    assert c.reinstated(subscription, "p9", NOW, "By mistake.").open_period.number == 100


def test_a_learner_cannot_cancel_what_is_mandatory():
    with pytest.raises(MandatorySubscription):
        c.cancelled(subscribed(mandatory=True), Party.LEARNER, "p1", NOW)
    assert c.cancelled(subscribed(mandatory=True), Party.ADMINISTRATOR, "p9", NOW, "Left the ward.").ended


# --- taking back --------------------------------------------------------------------------------------------------------


def test_a_completion_taken_back_opens_its_period_again_with_the_old_dates():
    first = subscribed()
    held = complete(first, TODAY, source="504-c1~1")
    open_ = taken_back(held, "504-c1~1")
    assert (open_.status, open_.open_period, open_.held) == (Status.SUBSCRIBED, first.open_period, None)
    assert taken_back(open_, "504-c1~1") is open_


def test_taken_back_late_the_renewal_that_had_begun_is_gone():
    held = complete(subscribed(), TODAY, source="504-c1~1")
    renewing = c.as_of(held, date(2027, 9, 1), certification())
    open_ = taken_back(renewing, "504-c1~1")
    assert (open_.status, len(open_.periods), open_.overdue_on(date(2027, 9, 1))) == (Status.SUBSCRIBED, 1, True)


def test_a_renewal_taken_back_leaves_what_was_held_before():
    first = certified()
    renewed = complete(first, date(2027, 9, 1), source="504-c2~1")
    open_ = taken_back(renewed, "504-c2~1")
    assert (open_.status, open_.held) == (Status.RENEWING, first.held)
    assert c.as_of(open_, date(2027, 12, 1), certification()).status is Status.EXPIRED


def test_what_a_later_completion_has_overtaken_changes_nothing():
    first = complete(subscribed(), TODAY, source="504-c1~1")
    renewed = complete(first, date(2027, 9, 1), source="504-c2~1")
    assert taken_back(renewed, "504-c1~1") is renewed


def test_taken_back_while_cancelled_it_is_reinstated_as_not_complete():
    held = complete(subscribed(), TODAY, source="504-c1~1")
    off = taken_back(cancelled(held))
    assert (off.status, off.held) == (Status.CANCELLED, None)
    back = c.reinstated(off, "p9", NOW, "By mistake.")
    assert (back.status, back.open_period) == (Status.SUBSCRIBED, subscribed().open_period)


def test_what_was_done_for_a_cancelled_period_is_taken_back_from_it():
    both = certification(min_components=2)
    off = taken_back(cancelled(complete(subscribed(both), TODAY, to=both, source="504-c1~1")))
    assert (off.status, c.reinstated(off, "p9", NOW, "By mistake.").open_period.done) == (Status.CANCELLED, ())


def test_taken_back_while_a_new_request_waits_nobody_is_subscribed_by_it():
    off = cancelled(complete(subscribed(), TODAY, source="504-c1~1"))
    asked = c.requested(off, "504-safe", "p1", "504", "p2", NOW)
    after = taken_back(asked)
    assert (after.status, after.held, after.approver) == (Status.AWAITING_APPROVAL, None, "p2")
    rejected = taken_back(asked.moved_to(Status.REJECTED, NOW, "p2", "Not this year."))
    assert (rejected.status, rejected.held) == (Status.REJECTED, None)


def test_a_request_reinstated_waits_again_and_opens_no_earlier_period():
    asked = c.requested(
        cancelled(complete(subscribed(certification(min_components=2)), TODAY)), "x", "p1", "504", "p2", NOW
    )
    back = c.reinstated(cancelled(asked), "p9", NOW, "By mistake.")
    assert (back.status, back.periods) == (Status.AWAITING_APPROVAL, asked.periods)


def test_who_has_subscribed_again_since_keeps_the_new_period_and_what_was_done_for_it():
    off = cancelled(complete(subscribed(), TODAY, source="504-c1~1"))
    later, other = TODAY + days(30), certification(min_components=2, initial_days=60)
    again = c.begun(off, other, "p1", "504", later, "p1", london_time(later, 9))
    half = complete(again, later, to=other, course="504-moving")
    after = taken_back(half)
    assert (after.status, after.open_period, after.terms) == (half.status, half.open_period, half.terms)
    assert (after.held, after.periods[0].done, after.periods[0].completed_on) == (None, (), None)
    assert complete(after, later, to=other, source="504-c3~1").status is Status.CERTIFIED


def test_what_was_done_to_renew_counts_for_the_period_that_is_open_again():
    both = certification(min_components=2)
    held = complete(complete(subscribed(both), TODAY, to=both, source="504-c1~1"), TODAY, course="504-moving", to=both)
    half = complete(held, date(2027, 9, 1), course="504-moving", to=both)
    open_ = taken_back(half)
    assert (open_.status, len(open_.open_period.done), c.left(open_)) == (Status.SUBSCRIBED, 2, 1)
    renewed = taken_back(complete(held, date(2027, 9, 1), to=both, source="504-c2~1"))
    assert (renewed.status, renewed.held.completed_on) == (Status.CERTIFIED, date(2027, 9, 1))


# --- telling ------------------------------------------------------------------------------------------------------------


def told_on(subscription, until, to=None):
    """What somebody who does nothing is told, day by day."""
    found, day = [], TODAY
    while day <= until:
        subscription = c.as_of(subscription, day, to or certification())
        if news := c.news_on(subscription, day):
            found.append((day, news))
            subscription = replace(subscription, told_on=day)
        day += days(1)
    return found


def test_the_first_period_is_reminded_of_until_it_is_overdue_which_is_told_once():
    assert told_on(subscribed(), TODAY + days(400)) == [
        (date(2026, 12, 16), News.DUE),
        (date(2026, 12, 23), News.DUE),
        (date(2026, 12, 24), News.OVERDUE),
    ]


def test_a_renewal_is_reminded_of_from_its_window_on_until_it_has_expired():
    due = date(2027, 11, 23)
    assert told_on(certified(), due + days(400)) == [
        *((due - days(lead), News.DUE) for lead in (90, 60, 30, 7, 0)),
        (due + days(1), News.EXPIRED),
    ]


def test_a_reminder_that_would_come_before_the_window_is_none():
    early = certification(reminder_days=(120, 30))
    assert [on for on, _ in told_on(certified(to=early), date(2027, 11, 23), early)] == [date(2027, 10, 24)]


def test_each_day_on_which_something_is_told_is_the_next_day_after_the_one_before():
    subscription, day, rung = certified(), TODAY, []
    while (day := c.next_on(subscription, day)) is not None:
        rung.append(day)
        subscription = c.as_of(subscription, day, certification())
    assert rung == [on for on, _ in told_on(certified(), TODAY + days(500))]


def test_after_an_outage_the_latest_is_told_once():
    late = date(2026, 12, 20)
    assert c.news_on(subscribed(), late) is News.DUE
    assert c.news_on(replace(subscribed(), told_on=late), late) is None
    assert c.news_on(subscribed(), date(2027, 3, 1)) is News.OVERDUE


def test_whoever_is_certified_or_cancelled_is_told_nothing():
    assert c.news_on(certified(), date(2026, 12, 24)) is None
    off = c.cancelled(subscribed(), Party.LEARNER, "p1", NOW)
    assert (c.news_on(off, date(2026, 12, 24)), c.next_on(off, TODAY)) == (None, None)


def test_what_comes_is_said_by_day():
    assert c.ahead(certified(), TODAY) == [(date(2027, 8, 25), "renewal opens"), (date(2027, 11, 23), "expires")]
    assert c.ahead(subscribed(), TODAY) == [
        (date(2026, 12, 16), "reminder"),
        (date(2026, 12, 23), "due"),
        (date(2026, 12, 23), "reminder"),
    ]
