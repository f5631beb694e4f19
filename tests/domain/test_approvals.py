"""When a request is due, who decides on it, and who may stand in for whom."""

from datetime import date, timedelta

import pytest

from chalicelib.domain import approvals, errors
from chalicelib.domain.approvals import Delegation, Step
from chalicelib.domain.enrolment import Party, Post, Status
from chalicelib.domain.people import EmploymentKind
from tests import builders as b
from tests.builders import NOW, TODAY

ASKED = NOW
DAY = timedelta(days=1)


def request(starts_in=30, **changes):
    at = b.class_() if starts_in is not None else b.e_learning()
    start = ASKED + starts_in * DAY if starts_in is not None else None
    given = {"placed_at": ASKED, "approver": "m1", "starts_at": start, "post": Post("1", "ward-9", "nurse-9")}
    return b.enrolment(Status.REQUESTED, at, **(given | changes))


def due(**changes):
    return [(step, (at - ASKED) / DAY) for step, at in approvals.steps(request(**changes))]


def test_a_request_is_reminded_of_after_three_days_and_escalated_after_seven():
    assert due() == [(Step.REMIND, 3), (Step.ESCALATE, 7)]


def test_a_request_without_a_start_to_end_at_lapses_after_four_weeks():
    assert due(starts_in=None) == [(Step.REMIND, 3), (Step.ESCALATE, 7), (Step.LAPSE, 28)]


def test_a_request_ends_and_nothing_else_is_due_of_it_once_its_class_has_started():
    for days, step in ((4.9, Step.REMIND), (5, Step.LAPSE), (7, Step.LAPSE)):
        assert approvals.step_due(request(starts_in=5), ASKED + days * DAY) is step


def test_what_is_due_is_set_also_behind_the_start_of_the_class_which_may_be_moved():
    assert due(starts_in=2) == [(Step.REMIND, 3), (Step.ESCALATE, 7)]


@pytest.mark.parametrize(
    ("days", "step"),
    [(2.9, None), (3, Step.REMIND), (6.9, Step.REMIND), (7, Step.ESCALATE), (29.9, Step.ESCALATE), (30, Step.LAPSE)],
)
def test_whoever_looks_late_finds_the_last_step_alone(days, step):
    assert approvals.step_due(request(), ASKED + days * DAY) is step


def test_nothing_is_due_of_what_was_decided():
    for status in set(Status) - {Status.REQUESTED}:
        decided = b.enrolment(status, placed_at=ASKED)
        assert approvals.step_due(decided, ASKED + 100 * DAY) is None


def test_a_request_is_not_decided_once_its_time_is_over():
    approvals.refuse_lapsed(request(), ASKED + 29.9 * DAY)
    with pytest.raises(errors.RequestLapsed):
        approvals.refuse_lapsed(request(), ASKED + 30 * DAY)


def deciders(supervisor="m2", learner="p1", **changes):
    held = (b.assignment(supervisor=supervisor), b.assignment("2", primary=False, supervisor="m9"))
    return approvals.deciders(request(**changes), b.learner(assignments=held), TODAY)


def test_who_was_asked_decides_and_whoever_supervises_that_assignment_now():
    assert deciders() == {"m1", "m2"}
    assert deciders(approver=None) == {"m2"}
    assert deciders(supervisor=None) == {"m1"}


def test_a_supervisor_of_another_assignment_decides_nothing():
    assert "m9" not in deciders()
    assert deciders(post=None, approver=None) == frozenset()


def test_nobody_decides_on_their_own_however_it_came_to_them():
    assert deciders(supervisor="p1", approver="p1") == frozenset()


def test_an_administrator_needs_a_reason_in_place_of_whoever_was_asked():
    with pytest.raises(errors.OverrideNeeded):
        approvals.refuse_deciding(request(), Party.ADMINISTRATOR, None)
    approvals.refuse_deciding(request(), Party.ADMINISTRATOR, "They are on leave.")
    approvals.refuse_deciding(request(approver=None), Party.ADMINISTRATOR, None)
    approvals.refuse_deciding(request(), Party.MANAGER, None)


def delegation(to="p5", starts_on=TODAY, days=7):
    return Delegation(to, "504", "m1", to, starts_on, starts_on + days * DAY)


def test_a_delegation_counts_from_its_first_day_to_its_last():
    one = delegation(days=1)
    counts = [one.active_on(TODAY + days * DAY) for days in (-1, 0, 1, 2)]
    assert counts == [False, True, True, False]


def test_several_may_stand_in_at_once_each_of_them_once():
    given = [delegation(), delegation("p6"), delegation(), delegation("p7", TODAY + DAY)]
    assert approvals.stand_ins(given, TODAY) == ("p5", "p6")


@pytest.mark.parametrize(
    ("to", "first", "last", "wrong"),
    [
        ("p5", TODAY, TODAY, []),
        ("p5", TODAY, date(2027, 5, 23), []),
        ("p5", TODAY, date(2027, 5, 24), ["until"]),
        ("p5", TODAY, TODAY - DAY, ["until"]),
        ("p5", TODAY - DAY, TODAY, ["from"]),
        ("p5", date.max, date.max, ["from"]),
        ("m1", TODAY - DAY, TODAY, ["to", "from"]),
    ],
)
def test_a_delegation_lies_ahead_lasts_six_months_at_most_and_goes_to_somebody_else(to, first, last, wrong):
    assert [each.field for each in approvals.wrong_delegation("m1", to, first, last, TODAY)] == wrong


def test_only_employees_of_today_stand_in():
    kinds = {kind: approvals.works_here(b.learner(kind), TODAY) for kind in EmploymentKind}
    assert kinds == {EmploymentKind.EMPLOYEE: True, EmploymentKind.APPLICANT: False, EmploymentKind.EXTERNAL: False}
    left = b.learner(employment=b.Employment("504", EmploymentKind.EMPLOYEE, "1", date(2024, 1, 1), TODAY - DAY))
    assert not approvals.works_here(left, TODAY)
    assert not approvals.works_here(None, TODAY)
