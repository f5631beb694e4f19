"""May this learner enrol now, and withdraw? (domain.md §2 and §5)"""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from chalicelib.domain import errors
from chalicelib.domain.access import Access, AccessMode
from chalicelib.domain.catalogue import CourseStatus
from chalicelib.domain.classes import ClassStatus, Seats, status_shown
from chalicelib.domain.enrolment import MOVES, OPEN, OUTCOMES, SEATED, Party, Status, may_move, next_attempt, withdraw
from chalicelib.domain.placing import judge_placing
from tests import builders as b
from tests.builders import NOW

SELF = Access(AccessMode.SELF_ENROL)


def verdict(class_=None, seats=None, access=SELF, mine=(), now=NOW, course=None, **by):
    class_, seats = class_ or b.class_(), seats or Seats(12, 3, 0)
    return judge_placing(course or b.course(), class_, seats, access, mine, None, now, **by)


def refusal(**given):
    return type(verdict(**given).refusal)


def test_a_free_seat_on_an_open_class_is_confirmed():
    assert verdict().or_refuse() is Status.CONFIRMED


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (ClassStatus.CANCELLED, errors.ClassCancelled),
        (ClassStatus.CLOSED, errors.ClassNotOpen),
    ],
)
def test_a_cancelled_and_a_closed_class_take_nobody(status, expected):
    assert refusal(class_=b.class_(status=status)) is expected


def test_a_class_that_has_started_takes_nobody():
    starts = b.class_().starts_at
    assert refusal(now=starts) is errors.ClassPast
    assert verdict(now=starts - timedelta(seconds=1)).refusal is None


def test_cancelled_is_said_before_past():
    cancelled = b.class_(status=ClassStatus.CANCELLED)
    assert refusal(class_=cancelled, now=cancelled.ends_at) is errors.ClassCancelled


def test_the_enrolment_dates_include_both_days():
    def dated(first, last):
        return b.class_(enrol_from=first, enrol_until=last)

    assert verdict(class_=dated(b.TODAY, b.TODAY)).refusal is None
    assert refusal(class_=dated(date(2026, 11, 24), None)) is errors.EnrolmentNotOpen
    assert refusal(class_=dated(None, date(2026, 11, 22))) is errors.EnrolmentNotOpen


@pytest.mark.parametrize(
    ("seats", "status"),
    [
        (Seats(12, 11, 0), Status.CONFIRMED),
        (Seats(12, 12, 0), Status.WAITLISTED),
        (Seats(12, 11, 1), Status.WAITLISTED),  # somebody waits for the free one
        (Seats(12, 13, 0), Status.WAITLISTED),  # overbooked
    ],
)
def test_who_finds_no_seat_nobody_waits_for_goes_on_the_waiting_list(seats, status):
    assert verdict(seats=seats).or_refuse() is status


def test_on_a_class_still_being_planned_one_waits():
    assert verdict(class_=b.class_(status=ClassStatus.PLANNED)).or_refuse() is Status.WAITLISTED
    planned = b.e_learning(status=ClassStatus.PLANNED)
    assert verdict(class_=planned, seats=Seats(None, 0, 0)).or_refuse() is Status.WAITLISTED


def test_where_approval_is_needed_the_learner_asks_and_seats_do_not_matter_yet():
    approval = Access(AccessMode.APPROVAL)
    for seats in (Seats(12, 3, 0), Seats(12, 12, 4)):
        assert verdict(access=approval, seats=seats).or_refuse() is Status.REQUESTED


@pytest.mark.parametrize("by", [Party.MANAGER, Party.ADMINISTRATOR, Party.SYSTEM])
def test_who_places_others_needs_no_further_approval(by):
    assert verdict(access=Access(AccessMode.APPROVAL), by=by).or_refuse() is Status.CONFIRMED


def test_what_only_the_learning_team_gives_a_manager_cannot_give():
    kept = Access(AccessMode.ADMINISTRATOR)
    assert refusal(access=kept, by=Party.MANAGER) is errors.AdministratorOnly
    assert verdict(access=kept, by=Party.ADMINISTRATOR).or_refuse() is Status.CONFIRMED


def test_an_administrator_may_set_aside_access_dates_and_a_start_and_each_stays_visible():
    begun = b.class_(enrol_until=date(2026, 11, 22))
    given = {"class_": begun, "access": Access(None), "now": begun.ends_at, "by": Party.ADMINISTRATOR}
    assert refusal(**given) is errors.ClassPast
    found = verdict(**given, overriding=True)
    assert found.or_refuse() is Status.CONFIRMED
    assert [type(each) for each in found.overridden] == [
        errors.ClassPast,
        errors.EnrolmentNotOpen,
        errors.AccessNotMet,
    ]


def test_nobody_sets_aside_seats_clashes_or_a_cancelled_class():
    over = {"by": Party.ADMINISTRATOR, "overriding": True}
    begun = b.class_()
    assert refusal(seats=Seats(12, 12, 0), now=begun.starts_at, **over) is errors.ClassFull
    assert refusal(class_=b.class_(status=ClassStatus.CANCELLED), **over) is errors.ClassCancelled
    assert refusal(class_=b.class_(status=ClassStatus.CLOSED), **over) is errors.ClassNotOpen
    other = b.class_("504-c2", sessions=[b.session(hour=11)])
    assert refusal(mine=[b.enrolment(at=other)], **over) is errors.Clash
    assert refusal(mine=[b.enrolment()], **over) is errors.AlreadyEnrolled


def test_whoever_is_added_after_the_start_is_told_what_keeps_them_from_a_seat():
    over = {"by": Party.ADMINISTRATOR, "overriding": True, "now": b.class_().starts_at}
    assert refusal(class_=b.class_(status=ClassStatus.PLANNED), **over) is errors.ClassNotOpen
    said = verdict(seats=Seats(12, 11, 1), **over).refusal
    assert (type(said), said.way_out) == (errors.ClassFull, "Try again in some minutes.")


def test_who_places_somebody_who_has_asked_is_led_to_their_request():
    here = b.learner().employment
    mine = [b.enrolment(Status.REQUESTED)]
    said = judge_placing(b.course(), b.class_(), Seats(12, 3, 0), SELF, mine, here, NOW, by=Party.MANAGER).refusal
    assert said.way_out.endswith("/504-c1~1/approval.")


def test_every_state_is_left_only_by_those_whom_the_table_names():
    moves = {(before, after): parties for before, row in MOVES.items() for after, parties in row.items()}
    assert set(MOVES) == {None, *OPEN, *OUTCOMES}  # what was given up, refused or cancelled stays so
    assert moves[None, Status.REQUESTED] == {Party.LEARNER}
    assert all(Party.INSTRUCTOR not in moves[None, after] for after in MOVES[None])  # instructors never add learners
    assert all(after in OUTCOMES for (_, after), parties in moves.items() if Party.INSTRUCTOR in parties)
    assert all(parties == {Party.ADMINISTRATOR} for (before, _), parties in moves.items() if before in OUTCOMES)
    assert not may_move(Status.WITHDRAWN, Status.CONFIRMED, Party.ADMINISTRATOR)
    assert not may_move(Status.WAITLISTED, Status.COMPLETED, Party.INSTRUCTOR)


def test_e_learning_has_no_seats_to_run_out():
    assert verdict(class_=b.e_learning(), seats=Seats(None, 0, 0)).refusal is None


@pytest.mark.parametrize("status", [Status.CONFIRMED, Status.WAITLISTED, Status.REQUESTED, Status.COMPLETED])
def test_one_live_enrolment_per_person_and_class(status):
    assert refusal(mine=[b.enrolment(status)]) is errors.AlreadyEnrolled


@pytest.mark.parametrize("status", [Status.WITHDRAWN, Status.CANCELLED, Status.REJECTED])
def test_who_has_left_may_come_again_as_a_new_attempt(status):
    left = b.enrolment(status)
    assert verdict(mine=[left]).refusal is None
    assert next_attempt(left.class_id, [left]) == 2


def test_e_learning_may_be_repeated_once_the_last_attempt_is_closed():
    again = b.e_learning()
    seats = Seats(None, 0, 0)
    assert verdict(class_=again, seats=seats, mine=[b.enrolment(Status.COMPLETED, at=again)]).refusal is None
    assert refusal(class_=again, seats=seats, mine=[b.enrolment(Status.CONFIRMED, at=again)]) is errors.AlreadyEnrolled


def test_two_classes_at_the_same_time_clash_only_if_a_seat_is_held():
    other = b.class_("504-c2", sessions=[b.session(hour=11)])
    assert refusal(mine=[b.enrolment(Status.CONFIRMED, at=other)]) is errors.Clash
    assert verdict(mine=[b.enrolment(Status.WAITLISTED, at=other)]).refusal is None


def test_one_class_may_begin_as_another_ends():
    other = b.class_("504-c2", sessions=[b.session(hour=12)])
    assert verdict(mine=[b.enrolment(at=other)]).refusal is None


def test_days_between_the_sessions_of_a_class_are_free():
    two_days = b.class_("504-c2", sessions=[b.session(date(2026, 11, 30)), b.session(date(2026, 12, 2))])
    assert verdict(mine=[b.enrolment(at=two_days)]).refusal is None


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        (AccessMode.ADMINISTRATOR, errors.AdministratorOnly),
        (None, errors.AccessNotMet),
    ],
)
def test_access_without_self_enrolment_refuses_and_says_whom_to_ask(mode, expected):
    found = verdict(access=Access(mode)).refusal
    assert type(found) is expected
    assert found.way_out


@pytest.mark.parametrize("status", [CourseStatus.DRAFT, CourseStatus.WITHDRAWN])
def test_a_course_that_is_not_live_takes_nobody(status):
    assert refusal(course=b.course(status=status)) is errors.CourseNotLive


def test_who_is_on_the_class_already_is_told_so_before_being_told_about_access():
    assert refusal(mine=[b.enrolment()], access=Access(AccessMode.APPROVAL)) is errors.AlreadyEnrolled


def test_a_class_without_sessions_clashes_by_its_start_and_end():
    held, wanted = b.class_("504-c2", sessions=[b.session(hour=11)]), b.class_()
    without = replace(b.enrolment(at=held), sessions=())
    assert refusal(class_=replace(wanted, sessions=()), mine=[without]) is errors.Clash


def test_withdrawing_adds_a_history_row_and_raises_the_revision():
    before = b.enrolment()
    after = withdraw(before, NOW, "p1")
    assert after.status is Status.WITHDRAWN
    assert after.revision == before.revision + 1
    assert after.history == (*before.history, after.history[-1])
    assert (after.history[-1].by, after.history[-1].at) == ("p1", NOW)


def test_a_learner_withdraws_until_the_class_starts():
    enrolment = b.enrolment()
    assert withdraw(enrolment, enrolment.starts_at - timedelta(seconds=1), "p1").status is Status.WITHDRAWN
    with pytest.raises(errors.TooLateToWithdraw):
        withdraw(enrolment, enrolment.starts_at, "p1")


@pytest.mark.parametrize("status", sorted(set(Status) - OPEN))
def test_a_closed_enrolment_cannot_be_withdrawn(status):
    with pytest.raises(errors.NotOpenToWithdraw):
        withdraw(b.enrolment(status), NOW, "p1")


def test_full_is_automatic_and_ends_when_a_seat_frees():
    class_ = b.class_()
    assert status_shown(class_, Seats(12, 12, 0)) is ClassStatus.FULL
    assert status_shown(class_, Seats(12, 11, 0)) is ClassStatus.NORMAL
    assert status_shown(b.class_(status=ClassStatus.CANCELLED), Seats(12, 12, 0)) is ClassStatus.CANCELLED


def test_only_placed_and_attended_hold_a_seat():
    assert {Status.CONFIRMED, Status.COMPLETED, Status.ATTENDED_NOT_COMPLETED, Status.DID_NOT_ATTEND} == SEATED
