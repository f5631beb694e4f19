"""May this learner enrol now, and withdraw? (domain.md §2 and §5)"""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from chalicelib.domain import errors
from chalicelib.domain.access import Access, AccessMode
from chalicelib.domain.catalogue import CourseStatus
from chalicelib.domain.classes import ClassStatus, Seats, status_shown
from chalicelib.domain.enrolment import (
    OPEN,
    SEATED,
    Status,
    judge_self_enrolment,
    next_attempt,
    withdraw,
)
from tests import builders as b
from tests.builders import NOW

SELF = Access(AccessMode.SELF_ENROL)


def verdict(class_=None, seats=None, access=SELF, mine=(), now=NOW, course=None):
    return judge_self_enrolment(course or b.course(), class_ or b.class_(), seats or Seats(12, 3, 0), access, mine, now)


def refusal(**given):
    return type(verdict(**given).refusal)


def test_a_free_seat_on_an_open_class_is_confirmed():
    assert verdict().or_refuse() is Status.CONFIRMED


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (ClassStatus.CANCELLED, errors.ClassCancelled),
        (ClassStatus.PLANNED, errors.ClassNotOpen),
        (ClassStatus.CLOSED, errors.ClassNotOpen),
    ],
)
def test_a_class_that_is_not_normal_takes_nobody(status, expected):
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


def test_a_full_class_and_one_where_others_wait_take_nobody():
    assert refusal(seats=Seats(12, 12, 0)) is errors.ClassFull
    assert refusal(seats=Seats(12, 11, 1)) is errors.ClassFull
    assert refusal(seats=Seats(12, 13, 0)) is errors.ClassFull  # overbooked


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
        (AccessMode.APPROVAL, errors.ApprovalNeeded),
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
