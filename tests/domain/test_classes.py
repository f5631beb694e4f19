"""Classes in themselves: civil times, states, what stands in each other's way, and what becomes of enrolments."""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain import classes as rules
from chalicelib.domain import enrolment as enrolments
from chalicelib.domain.catalogue import Catalogue, CourseStatus, Mode, Venue
from chalicelib.domain.classes import (
    CautionKind,
    ClassStatus,
    Held,
    NoSuchTime,
    Seats,
    Session,
    cautions,
    copied,
    session_on,
    why_not_to,
)
from chalicelib.domain.enrolment import OPEN, Status, following
from tests import builders as b
from tests.builders import NOW

VENUES = {"room-1": Venue("room-1", "Seminar Room 1", 15)}
KNOWN = Catalogue("504", (1, 1), {}, {"504-fire": b.course()}, {}, VENUES)


def utc(*parts):
    return datetime(*parts, tzinfo=UTC)


# --- civil times --------------------------------------------------------------------------------------------


def test_civil_times_are_utc_in_winter_and_an_hour_earlier_in_summer():
    winter, summer = (session_on(day, time(9), time(12)) for day in (date(2026, 12, 1), date(2027, 6, 1)))
    assert winter == Session(utc(2026, 12, 1, 9), utc(2026, 12, 1, 12))
    assert summer == Session(utc(2027, 6, 1, 8), utc(2027, 6, 1, 11))


def test_a_time_that_the_clocks_skip_is_none_and_one_that_comes_twice_is_the_first():
    with pytest.raises(NoSuchTime, match="the clocks skip 01:30 on Sunday 28 March 2027"):
        session_on(date(2027, 3, 28), time(0, 30), time(1, 30))
    assert session_on(date(2027, 3, 28), time(0, 30), time(2)).ends_at == utc(2027, 3, 28, 1)
    assert session_on(date(2027, 10, 31), time(1, 30), time(3)).starts_at == utc(2027, 10, 31, 0, 30)


def test_a_night_shift_ends_on_the_next_day_an_hour_sooner_when_the_clocks_go_forward():
    night = session_on(date(2027, 3, 27), time(22), time(2), date(2027, 3, 28))
    assert night == Session(utc(2027, 3, 27, 22), utc(2027, 3, 28, 1))


def test_a_night_shift_copied_over_the_clock_change_keeps_its_hours():
    night = b.class_(sessions=[Session(utc(2027, 3, 20, 21), utc(2027, 3, 21, 5))], enrol_until=date(2027, 3, 19))
    copy = copied(night, date(2027, 3, 27))
    assert copy.sessions == (Session(utc(2027, 3, 27, 21), utc(2027, 3, 28, 4)),)
    assert copy.enrol_until == date(2027, 3, 26)


def test_enrolment_opens_and_closes_as_long_before_a_copy_as_before_its_original():
    original = b.class_(enrol_from=date(2026, 9, 1), enrol_until=date(2026, 11, 24))
    copy = copied(original, date(2027, 12, 1))
    assert (copy.enrol_from, copy.enrol_until) == (date(2027, 9, 1), date(2027, 11, 24))


def test_what_is_open_for_ever_is_so_in_a_copy_and_no_copy_leaves_the_calendar():
    for_ever = b.class_(enrol_from=date.min, enrol_until=date.max)
    for day in (date(1900, 1, 1), date(2199, 12, 31)):
        copy = copied(for_ever, day)
        assert (copy.enrol_from, copy.enrol_until) == (date(1900, 1, 1), date(2199, 12, 31))
    two_days = b.class_(sessions=[b.session(), b.session(date(2026, 12, 2))])
    with pytest.raises(NoSuchTime, match="2200-01-01 lies outside"):
        copied(two_days, date(2199, 12, 31))


# --- states -------------------------------------------------------------------------------------------------

P, N, F, C, X = (ClassStatus(each) for each in ("planned", "normal", "full", "closed", "cancelled"))
ALLOWED = {(P, N), (P, C), (P, X), (N, P), (N, C), (N, X), (C, P), (C, N), (C, X)}


def test_every_move_between_states_is_as_the_table_says():
    for before, after in product((P, N, C, X), ClassStatus):
        allowed = before is after or (before, after) in ALLOWED
        assert (why_not_to(b.class_(status=before), after, NOW) is None) is allowed, (before, after)


def test_a_class_that_has_started_is_planned_no_more_but_may_be_closed_or_cancelled():
    started = b.class_().starts_at
    assert why_not_to(b.class_(), P, started - timedelta(seconds=1)) is None
    assert why_not_to(b.class_(), P, started) is not None
    assert why_not_to(b.class_(), C, started) is None
    assert why_not_to(b.class_(), X, started) is None


def test_the_minimum_is_not_met_by_fewer_seats_unless_cancelled():
    for taken, expected in ((3, True), (4, False)):
        assert rules.minimum_not_met(b.class_(minimum=4), Seats(12, taken, 5)) is expected
    assert not rules.minimum_not_met(b.class_(minimum=4, status=X), Seats(12, 0, 0))


def test_what_concerns_enrolments_is_state_dates_place_link_and_more_seats():
    before = b.class_()
    concerned = [{"status": C}, {"sessions": ()}, {"venue": None}, {"link": "https://x.test"}, {"maximum": 13}]
    for changes in concerned:
        assert rules.concerns_enrolments(before, replace(before, **changes)), changes
    for changes in ({"title": "x"}, {"maximum": 11}, {"minimum": 1}, {"instructor": "p9"}, {"only_units": ("ward-9",)}):
        assert not rules.concerns_enrolments(before, replace(before, **changes)), changes


# --- what is wrong ------------------------------------------------------------------------------------------


def wrong(class_):
    return {each.field: each.reason for each in rules.wrong_fields(class_, KNOWN, b.rulebook())}


def test_a_class_as_it_should_be_has_nothing_wrong():
    assert wrong(b.class_(venue="room-1", only_units=("ward-9",))) == {}
    assert wrong(b.e_learning()) == {}


def test_what_a_stored_class_may_have_wrong_is_named():
    day = b.session()
    assert wrong(b.class_(venue=None, mode=Mode.BLENDED)) == {"offering": "is classroom, and the class is blended"}
    assert "sessions[0]" in wrong(b.class_(venue=None, starts_at=day.starts_at + timedelta(hours=1)))
    assert wrong(b.class_(venue=None, sessions=[Session(day.starts_at, day.starts_at + timedelta(hours=25))])) == {
        "sessions[0]": "is longer than a day"
    }
    assert wrong(b.class_(venue=None, minimum=-1)) == {"minimum": "must not be below 0"}
    many = [b.session(date(2026, 12, 1) + timedelta(days=number)) for number in range(31)]
    assert wrong(b.class_(venue=None, sessions=many)) == {"sessions": "a class has at most 30"}
    assert wrong(b.class_(venue=None, course="504-none")) == {"course": "is not in the catalogue"}


def test_enrolment_dates_no_calendar_has_units_named_twice_and_withdrawn_courses_are_wrong():
    outside = {"enrol_from": date(1, 1, 1), "enrol_until": date(9999, 12, 31)}
    reason = "lies outside 1900-01-01 to 2199-12-31"
    assert wrong(b.class_(venue=None, **outside)) == {"enrol_from": reason, "enrol_until": reason}
    assert wrong(b.class_(venue=None, only_units=("ward-9", "surgery", "ward-9"))) == {
        "only_units[2]": "is named twice"
    }
    withdrawn = replace(KNOWN, courses={"504-fire": b.course(status=CourseStatus.WITHDRAWN)})
    found = rules.wrong_fields(b.class_(venue=None), withdrawn, b.rulebook())
    assert [(each.field, each.reason) for each in found] == [("course", "is withdrawn")]


# --- what is worth knowing ----------------------------------------------------------------------------------


def told(class_, **course):
    known = replace(KNOWN, courses={"504-fire": b.course(**course)})
    return [each.detail for each in rules.worth_knowing(class_, known, NOW)]


def test_enrolment_that_lets_nobody_in_is_told():
    for until, expected in ((date(2026, 11, 22), 1), (date(2026, 11, 23), 0), (date(2027, 12, 1), 0)):
        for class_ in (b.class_(enrol_until=until), b.e_learning(enrol_until=until)):
            assert len(told(class_)) == expected, (until, class_.mode)
    for opens, expected in ((date(2026, 12, 2), 1), (date(2026, 12, 1), 0)):
        assert len(told(b.class_(enrol_from=opens))) == expected, opens
    assert told(b.class_(enrol_until=date(2020, 1, 1))) == [
        "Enrolment closed on Wednesday 1 January 2020: nobody can enrol."
    ]


def test_a_course_that_nobody_finds_on_the_day_is_told():
    assert told(b.class_(), status=CourseStatus.DRAFT) == [
        "The course is a draft: nobody finds its classes before it is live."
    ]
    for ends, expected in ((date(2026, 11, 30), 1), (date(2026, 12, 1), 0)):
        assert len(told(b.class_(), ends_on=ends)) == expected, ends
    for starts, expected in ((date(2026, 12, 2), 1), (date(2026, 12, 1), 0)):
        assert len(told(b.class_(), starts_on=starts)) == expected, starts
    assert len(told(b.e_learning(), ends_on=date(2026, 11, 22))) == 1


def test_of_a_past_class_only_that_is_told_and_of_a_cancelled_one_nothing():
    held = b.class_(sessions=[b.session(date(2026, 11, 2))], enrol_until=date(2026, 11, 1))
    assert told(held) == ["The class lies in the past: nobody is told of it."]
    assert told(replace(held, status=X), status=CourseStatus.DRAFT) == []


# --- what stands in each other's way ------------------------------------------------------------------------


def test_planned_classes_stand_in_the_way_of_each_other_and_of_what_is_held():
    first = b.class_("504-a", venue="room-1", instructor="p1")
    second = b.class_("504-b", venue="room-1", sessions=[b.session(hour=11)])
    third = b.class_("504-c", venue=None, sessions=[b.session(hour=14)])
    elsewhere = Held("504-z", b.session(hour=10, hours=1), None, "p1")
    found = cautions([first, second, third], [elsewhere], KNOWN)
    kinds = {class_id: [(each.kind, each.facts.get("class")) for each in all_] for class_id, all_ in found.items()}
    assert kinds == {
        "504-a": [(CautionKind.VENUE_TAKEN, "504-b"), (CautionKind.INSTRUCTOR_TAKEN, "504-z")],
        "504-b": [(CautionKind.VENUE_TAKEN, "504-a")],
    }


def test_a_class_does_not_stand_in_its_own_way_nor_does_a_cancelled_one():
    class_ = b.class_("504-a", venue="room-1")
    cancelled = b.class_("504-b", venue="room-1", status=ClassStatus.CANCELLED)
    assert cautions([class_, cancelled], rules.sittings(class_), KNOWN) == {}


HOURS = st.integers(0, 12)


@given(st.lists(st.tuples(st.integers(0, 4), HOURS, st.integers(1, 6), st.sampled_from(["room-1", None])), max_size=12))
def test_one_pass_finds_what_comparing_each_with_each_finds(drawn):
    held = [
        Held(f"504-{who}", session_on(date(2026, 12, 1), time(start), time(start + hours)), venue)
        for who, start, hours, venue in drawn
    ]
    sessions = {}
    for each in held:
        sessions.setdefault((each.class_id, each.venue), []).append(each.session)
    planned = [
        rules.in_sessions(b.class_(who, venue=venue, maximum=5), together)
        for (who, venue), together in sessions.items()
        if who in ("504-0", "504-1") and venue
    ]
    ids = {each.id for each in planned}
    others = [each for each in held if each.class_id not in ids]
    everything = [*others, *(each for class_ in planned for each in rules.sittings(class_))]
    naive = {
        (mine.id, other.class_id)
        for mine in planned
        for session in mine.sessions
        for other in everything
        if other.class_id != mine.id and other.venue == mine.venue and session.overlaps(other.session)
    }
    found = cautions(planned, others, KNOWN)
    assert {(class_id, each.facts["class"]) for class_id, all_ in found.items() for each in all_} == naive


# --- what becomes of enrolments -----------------------------------------------------------------------------


def followed(status, class_):
    return following(b.enrolment(status), class_, "Fire Safety", "Seminar Room 1", NOW, "p9")


def test_each_state_of_a_class_does_to_each_state_of_an_enrolment_what_the_table_says():
    becomes = {
        (P, Status.CONFIRMED): Status.WAITLISTED,
        (C, Status.REQUESTED): Status.CANCELLED,
        **{(X, status): Status.CANCELLED for status in OPEN},
    }
    for class_status, status in product((P, N, C, X), Status):
        after = followed(status, b.class_(status=class_status, revision=2))
        assert after.status is becomes.get((class_status, status), status), (class_status, status)
        if after.status is not status:
            assert (after.history[-1].by, after.revision) == ("p9", 2)


def test_an_enrolment_that_says_what_the_class_says_is_left_alone():
    before = b.enrolment()
    same = following(before, b.class_(revision=7), before.title, before.venue, NOW, "p9")
    assert same is before


def test_an_enrolment_never_goes_back_to_an_earlier_revision_of_its_class():
    before = b.enrolment(class_revision=3)
    older = b.class_(sessions=[b.session(date(2027, 1, 5))], revision=2)
    assert following(before, older, before.title, before.venue, NOW, "p9") is before


def test_what_was_given_up_stays_as_it_was_and_what_was_attended_is_corrected():
    moved = b.class_(sessions=[b.session(date(2026, 12, 2))], revision=2)
    for status in Status:
        after = followed(status, moved)
        kept = status in (Status.WITHDRAWN, Status.REJECTED, Status.CANCELLED)
        assert (after.sessions == b.class_().sessions) is kept, status


def test_a_class_is_over_once_its_last_session_has_ended():
    held_on = ([b.session(date(2026, 11, 2))], [b.session(date(2026, 12, 1))], [])
    past, ahead, without_dates = (b.enrolment(at=b.class_(sessions=sessions)) for sessions in held_on)
    assert [enrolments.over(each, NOW) for each in (past, ahead, without_dates)] == [True, False, False]


def test_promotion_keeps_the_place_in_time_and_counts_a_seat():
    waiting = b.enrolment(Status.WAITLISTED, counted=False, passed_over=True)
    seated = enrolments.promoted(waiting, b.class_(), NOW, "system")
    assert (seated.placed_at, seated.seated, seated.passed_over) == (waiting.placed_at, True, False)
    assert not waiting.awaiting
