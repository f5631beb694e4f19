"""A draft of rules, and what it does to people, on today and on a day ahead."""

from dataclasses import replace
from datetime import date

from chalicelib.domain.projection import NOTHING, Counts, facts_of, judge
from chalicelib.domain.requirements import Target, TargetKind
from chalicelib.domain.what_if import EVERYTHING, NO_EFFECT, Draft, Effect, End, compare, with_changes
from tests import builders as b
from tests.builders import FIRE, MOVING, TODAY

WARD = Target(TargetKind.UNIT, "ward-9")
P1 = frozenset({"p1"})
RED, GREEN = Counts(1, 1, 0), Counts(1, 1, 1)


def rules_of(rulebook):
    return {rule for rules in rulebook.requirements.values() for rule in rules}


def effects(before, draft, day=TODAY, learner=None):
    (facts,) = facts_of(learner or b.learner(), TODAY)
    return compare(judge(facts, before, day), judge(facts, with_changes(before, draft), day))


def test_a_draft_adds_ends_and_leaves_the_rulebook_it_was_made_from_alone():
    fire, moving = b.requirement(FIRE), b.requirement(MOVING, TargetKind.UNIT, "ward-9")
    rulebook = b.rulebook(fire)
    changed = with_changes(rulebook, Draft((End(fire.target, FIRE),), (moving,), 6))
    assert rules_of(changed) == {moving}
    assert changed.amber_months == 6
    assert (rules_of(rulebook), rulebook.amber_months) == ({fire}, 3)


def test_what_begins_on_the_same_day_is_replaced_and_another_day_stands_beside_it():
    first, later = b.requirement(level=1), b.requirement(starts_on=date(2027, 1, 1))
    raised = b.requirement(level=2)
    assert rules_of(with_changes(b.rulebook(first, later), Draft(add=(raised,)))) == {raised, later}


def test_ending_one_of_two_validities_leaves_the_other():
    first, later = b.requirement(ends_on=date(2026, 12, 31)), b.requirement(starts_on=date(2027, 1, 1))
    ended = End(first.target, FIRE, first.starts_on)
    assert rules_of(with_changes(b.rulebook(first, later), Draft((ended,)))) == {later}


def test_ending_without_a_day_ends_every_validity_of_this_target_and_no_other():
    everywhere, later, ward = (
        b.requirement(),
        b.requirement(starts_on=date(2027, 1, 1)),
        b.requirement(FIRE, TargetKind.UNIT, "ward-9"),
    )
    ended = End(everywhere.target, FIRE)
    assert rules_of(with_changes(b.rulebook(everywhere, later, ward), Draft((ended,)))) == {ward}


def test_somebody_who_lacks_what_a_draft_requires_turns_red():
    draft = Draft(add=(b.requirement(MOVING, TargetKind.UNIT, "surgery"),))
    assert effects(b.rulebook(b.requirement(FIRE)), draft) == {
        FIRE: Effect(RED, RED),
        MOVING: Effect(NOTHING, RED, turn_red=P1),
        EVERYTHING: Effect(RED, Counts(1, 2, 0), turn_red=P1),
    }


def test_somebody_who_holds_it_counts_as_achieved():
    held = b.learner(awards=(b.award(MOVING),))
    draft = Draft(add=(b.requirement(MOVING),))
    assert effects(b.rulebook(), draft, learner=held)[MOVING] == Effect(NOTHING, GREEN)


def test_red_before_is_not_turned_red_again():
    draft = Draft(add=(b.requirement(FIRE, TargetKind.UNIT, "ward-9"),))
    assert effects(b.rulebook(b.requirement(FIRE)), draft)[FIRE].turn_red == frozenset()


def test_a_higher_level_turns_red_whoever_holds_a_lower_one():
    held = b.learner(awards=(b.award(FIRE, level=1),))
    draft = Draft(add=(b.requirement(FIRE, TargetKind.UNIT, "ward-9", level=2),))
    assert effects(b.rulebook(b.requirement(FIRE)), draft, learner=held)[FIRE] == Effect(GREEN, RED, turn_red=P1)


def test_what_is_no_longer_required_is_told():
    draft = Draft((End(b.requirement().target, FIRE),))
    assert effects(b.rulebook(b.requirement(FIRE)), draft)[FIRE] == Effect(RED, NOTHING, no_longer=1)


def test_a_wider_amber_window_turns_nobody_red_but_expires_more_soon():
    held = b.learner(awards=(b.award_expiring(date(2027, 4, 1)),))
    effect = effects(b.rulebook(b.requirement(FIRE)), Draft(amber_months=6), learner=held)[FIRE]
    assert effect == Effect(GREEN, Counts(1, 1, 1, expiring=1))
    assert effect.changes_something


def test_a_draft_that_says_what_is_required_already_changes_nothing():
    same = Draft(add=(b.requirement(FIRE, TargetKind.UNIT, "ward-9"),))
    assert not effects(b.rulebook(b.requirement(FIRE)), same)[FIRE].changes_something


def test_on_a_day_ahead_the_draft_meets_awards_and_assignments_as_they_then_stand():
    expiring = b.award_expiring(date(2026, 12, 31), MOVING)
    moving_on = (
        b.assignment(ends_on=date(2026, 12, 31)),
        b.assignment(unit="ward-10", starts_on=date(2027, 1, 1)),
    )
    learner = b.learner(awards=(expiring,), assignments=moving_on)
    draft = Draft(add=(b.requirement(MOVING, TargetKind.UNIT, "ward-10"),))
    assert MOVING not in effects(b.rulebook(), draft, learner=learner)
    ahead = effects(b.rulebook(), draft, date(2027, 1, 1), learner)
    assert ahead[MOVING] == Effect(NOTHING, RED, turn_red=P1)


def test_whoever_is_not_counted_in_reports_is_not_counted_here():
    (facts,) = facts_of(b.learner(), TODAY)
    before = judge(facts, b.rulebook(b.requirement()), TODAY)
    uncounted = replace(before, counted=False)
    assert compare(uncounted, uncounted) == {}


def test_a_person_with_two_assignments_turns_red_once():
    one = Effect(NOTHING, RED, turn_red=P1)
    both = one + one + Effect(NOTHING, RED, turn_red=frozenset({"p2"}))
    assert (both.after.required, len(both.turn_red)) == (3, 2)
    assert one + NO_EFFECT == one
