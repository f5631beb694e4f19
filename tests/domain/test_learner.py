"""When assignments, groups and roles of a learner count."""

from dataclasses import replace
from datetime import date

import pytest

from chalicelib.domain.learner import RoleGrant
from chalicelib.domain.people import Employment, EmploymentKind, PeriodOfService, chosen_assignment
from chalicelib.domain.permissions import Role
from chalicelib.domain.requirements import TargetKind
from tests import builders as b
from tests.builders import TODAY


def leaver(**changes):
    left = Employment("504", changes.pop("kind", EmploymentKind.EMPLOYEE), "1", date(2024, 1, 1), date(2026, 11, 22))
    return b.learner(employment=left, **changes)


def test_after_the_last_day_neither_assignments_nor_groups_nor_roles_count():
    gone = leaver(groups=("agency",), grants=(RoleGrant("p1", "504", Role.LEARNING_ADMINISTRATOR),))
    assert gone.assignments_on(TODAY) == ()
    assert gone.groups_on(TODAY) == ()
    assert gone.roles_on(TODAY) == frozenset()


def test_on_the_last_day_everything_still_counts():
    last = date(2026, 11, 22)
    going = leaver(groups=("agency",), grants=(RoleGrant("p1", "504", Role.INSTRUCTOR),))
    assert len(going.assignments_on(last)) == len(going.groups_on(last)) == 1
    assert going.roles_on(last) == {Role.EMPLOYEE, Role.INSTRUCTOR}


@pytest.mark.parametrize(
    ("day", "required"), [(date(2023, 12, 31), 0), (date(2024, 1, 1), 1), (date(2026, 11, 22), 1), (TODAY, 0)]
)
def test_a_requirement_of_the_person_counts_while_the_employment_lasts(day, required):
    asked = b.rulebook(b.requirement(b.FIRE, TargetKind.PERSON, "p1"))
    assert len(leaver().compliance_on(day, asked)) == required


def test_an_administrator_without_an_employment_never_leaves():
    nobody = b.learner(employment=None, assignments=(), grants=(RoleGrant("p1", "NHS", Role.NATIONAL_ADMINISTRATOR),))
    assert nobody.roles_on(TODAY) == {Role.NATIONAL_ADMINISTRATOR}


def test_whose_every_period_of_service_was_cancelled_holds_no_role():
    role = RoleGrant("p1", "504", Role.LEARNING_ADMINISTRATOR)
    never = b.learner(employment=None, never_served=True, grants=(role,))
    assert never.has_left(TODAY)
    assert never.roles_on(TODAY) == frozenset()


BEFORE = PeriodOfService(EmploymentKind.EMPLOYEE, date(2024, 1, 1), date(2024, 12, 31))
OFFER = Employment("504", EmploymentKind.APPLICANT, "1", date(2027, 1, 1), None, (BEFORE,), date(2026, 11, 20))


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        (date(2023, 12, 31), False),
        (date(2024, 12, 31), True),
        (date(2025, 1, 1), False),
        (date(2026, 11, 19), False),
        (date(2026, 11, 20), True),
        (date(2027, 1, 1), True),
    ],
)
def test_an_offer_to_somebody_who_has_left_counts_from_the_day_it_was_made(day, expected):
    assert OFFER.active_on(day) is expected
    assert OFFER.left_before(day) is (day > BEFORE.ends_on and not expected)


def test_an_offer_of_which_no_day_was_noted_counts_from_the_end_of_the_service_before_it():
    offer = replace(OFFER, offered_on=None)
    days = date(2023, 12, 31), BEFORE.starts_on, date(2025, 1, 1)
    assert [offer.active_on(day) for day in days] == [False, True, True]


def test_an_applicants_ended_assignment_does_not_count():
    ended = b.assignment(ends_on=date(2026, 11, 22))
    assert b.learner(EmploymentKind.APPLICANT, assignments=(ended,)).assignments_on(TODAY) == ()


def test_an_applicants_assignment_counts_once_as_it_begins_though_it_will_be_moved():
    first = b.assignment(starts_on=date(2027, 1, 1), ends_on=date(2027, 3, 31))
    moved = b.assignment(starts_on=date(2027, 4, 1), unit="estates")
    coming = Employment("504", EmploymentKind.APPLICANT, "1", date(2027, 1, 1))
    assert b.learner(employment=coming, assignments=(moved, first)).assignments_on(TODAY) == (first,)


@pytest.mark.parametrize(("day", "expected"), [(date(2023, 12, 31), 0), (date(2024, 1, 1), 1)])
def test_an_employees_assignment_counts_from_its_first_day(day, expected):
    early = replace(b.learner(), employment=Employment("504", EmploymentKind.EMPLOYEE, "1", date(2020, 1, 1)))
    assert len(early.assignments_on(day)) == expected


def test_the_primary_assignment_decides_unless_another_that_is_held_was_chosen():
    held = [b.assignment("7", primary=False), b.assignment("2"), b.assignment("3", primary=False)]
    assert chosen_assignment(held, None).number == "2"
    assert chosen_assignment(held, "7").number == "7"
    assert chosen_assignment(held, "over").number == "2"
    assert chosen_assignment(held[2:], None).number == "3"
    assert chosen_assignment([], "2") is None
