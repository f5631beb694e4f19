"""Learner access: AND inside a rule, OR between rules, the most permissive over assignments (domain.md §5)."""

from datetime import date

import pytest

from chalicelib.domain.access import AccessMode, AccessRule, decide
from chalicelib.domain.catalogue import may_belong
from chalicelib.domain.people import EmploymentKind
from chalicelib.domain.requirements import Target, TargetKind
from tests import builders as b
from tests.builders import TODAY

WARD_9 = Target(TargetKind.UNIT, "ward-9")
SURGERY = Target(TargetKind.UNIT, "surgery")
NURSE = Target(TargetKind.JOB, "nurse")
PORTER = Target(TargetKind.JOB, "porter")


def rule(*targets, mode=AccessMode.SELF_ENROL, **changes):
    return AccessRule("01", mode, targets, **changes)


def access(*rules, learner=None):
    someone = learner or b.learner()
    return decide(rules, someone.standpoints_on(TODAY, b.rulebook()), TODAY)


def test_without_a_rule_everybody_may_ask_their_manager():
    assert access().mode is AccessMode.APPROVAL


def test_any_rule_restricts_so_that_who_meets_none_cannot_find_the_item():
    assert not access(rule(PORTER)).visible


@pytest.mark.parametrize(
    "target",
    [
        Target(TargetKind.PERSON, "p1"),
        Target(TargetKind.POSITION, "nurse-9"),
        NURSE,
        Target(TargetKind.STAFF_GROUP, "nursing"),
        WARD_9,
        Target(TargetKind.EMPLOYER, "504"),
    ],
)
def test_a_rule_may_aim_at_any_criterion(target):
    assert access(rule(target)).mode is AccessMode.SELF_ENROL


def test_all_targets_of_one_rule_must_hold_together():
    assert access(rule(WARD_9, NURSE)).visible
    assert not access(rule(WARD_9, PORTER)).visible


def test_one_rule_of_several_is_enough():
    assert access(rule(PORTER), rule(NURSE)).visible


def test_a_unit_includes_those_below_it_unless_the_rule_says_otherwise():
    assert access(rule(SURGERY)).visible
    assert not access(rule(SURGERY, include_below=False)).visible
    assert access(rule(WARD_9, include_below=False)).visible


def test_the_most_permissive_rule_wins():
    assert access(rule(mode=AccessMode.ADMINISTRATOR), rule(NURSE), rule(mode=AccessMode.APPROVAL)).mode is (
        AccessMode.SELF_ENROL
    )


def test_the_most_permissive_assignment_wins_and_targets_of_two_assignments_do_not_mix():
    porter = b.assignment("2", unit="estates", position="porter-1", job="porter", staff_group="estates")
    both = b.learner(assignments=(b.assignment("1"), porter))
    assert access(rule(PORTER), learner=both).assignment == "2"
    assert not access(rule(WARD_9, PORTER), learner=both).visible


def test_a_rule_counts_only_between_its_dates():
    assert not access(rule(starts_on=date(2026, 11, 24))).visible
    assert not access(rule(ends_on=date(2026, 11, 22))).visible
    assert access(rule(starts_on=TODAY, ends_on=TODAY)).visible


def test_external_learners_meet_rules_through_their_group():
    agency = b.learner(EmploymentKind.EXTERNAL, assignments=(), groups=("agency",))
    assert access(rule(Target(TargetKind.LEARNER_GROUP, "agency")), learner=agency).visible
    assert not access(rule(WARD_9), learner=agency).visible


@pytest.mark.parametrize(
    ("item", "mine"), [("504-fire", True), ("NHS-fire", True), ("505-fire", False), ("fire", False)]
)
def test_people_have_to_do_with_their_employers_items_and_national_ones(item, mine):
    assert may_belong(item, "504") is mine


def test_a_rule_without_targets_is_met_by_every_learner():
    assert access(rule(), learner=b.learner(EmploymentKind.EXTERNAL, assignments=())).visible
