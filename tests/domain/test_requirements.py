"""What is required of whom: levels, inheritance, overlaps, dates (domain.md §1)."""

from dataclasses import replace
from datetime import date

import pytest

from chalicelib.domain.competency import CompetencyName, MalformedName, parse_name
from chalicelib.domain.people import Unit
from chalicelib.domain.requirements import Target, TargetKind, required_twice, wrong_fields
from tests import builders as b
from tests.builders import FIRE, MOVING, TODAY


def required(*rules, assignments=None, groups=(), day=TODAY):
    held = [b.assignment()] if assignments is None else assignments
    return b.rulebook(*rules).required_of("p1", held, groups, day)


@pytest.mark.parametrize(
    ("kind", "target"),
    [
        (TargetKind.EMPLOYER, "504"),
        (TargetKind.UNIT, "ward-9"),
        (TargetKind.STAFF_GROUP, "nursing"),
        (TargetKind.JOB, "nurse"),
        (TargetKind.POSITION, "nurse-9"),
        (TargetKind.PERSON, "p1"),
    ],
)
def test_a_requirement_reaches_people_at_its_level(kind, target):
    assert set(required(b.requirement(FIRE, kind, target))) == {FIRE}
    assert required(b.requirement(FIRE, kind, "somebody-else")) == {}


def test_units_inherit_from_those_above():
    assert FIRE in required(b.requirement(FIRE, TargetKind.UNIT, "surgery"))
    assert FIRE not in required(b.requirement(FIRE, TargetKind.UNIT, "estates"))


def test_units_do_not_inherit_from_those_below():
    rule = b.requirement(FIRE, TargetKind.UNIT, "ward-9")
    assert FIRE not in required(rule, assignments=[b.assignment(unit="surgery")])


def test_learner_groups_reach_people_without_an_assignment():
    rule = b.requirement(FIRE, TargetKind.LEARNER_GROUP, "agency")
    assert FIRE in required(rule, assignments=[], groups=["agency"])


def test_the_highest_level_wins_and_all_origins_are_listed():
    rules = [b.requirement(FIRE, level=1), b.requirement(FIRE, TargetKind.JOB, "nurse", level=2)]
    found = required(*rules)[FIRE]
    assert found.level == 2
    assert [because.requirement for because in found.because] == rules


def test_two_assignments_add_up_and_each_reason_names_its_assignment():
    ward, estates = b.assignment("1"), b.assignment("2", unit="estates", position="porter-1", job="porter")
    rules = [b.requirement(FIRE), b.requirement(MOVING, TargetKind.JOB, "porter")]
    found = required(*rules, assignments=[ward, estates])
    assert [because.assignment for because in found[FIRE].because] == ["1", "2"]
    assert [because.assignment for because in found[MOVING].because] == ["2"]


def test_a_requirement_counts_from_its_first_to_its_last_day():
    rule = b.requirement(FIRE, starts_on=date(2026, 11, 23), ends_on=date(2026, 11, 30))
    assert required(rule, day=date(2026, 11, 22)) == {}
    assert FIRE in required(rule, day=date(2026, 11, 23))
    assert FIRE in required(rule, day=date(2026, 11, 30))
    assert required(rule, day=date(2026, 12, 1)) == {}


def test_a_cycle_in_the_tree_ends_instead_of_running_forever():
    rulebook = b.rulebook()
    units = {"a": Unit("a", "A", "b"), "b": Unit("b", "B", "a")}
    looped = type(rulebook)("504", (1, 1), {}, units, {})
    assert list(looped.unit_and_above("a", TODAY)) == ["a", "b"]


@pytest.mark.parametrize(
    "name",
    [
        "NHS|CSTF|Fire Safety - 1 Year|",
        "NHS|CSTF|Moving and Handling - Level 2 - 2 Years|",
        "NHS|CSTF|Resuscitation - Level 2 - Adult Basic Life Support - 1 Year|",
        "NHS|CSTF|Resuscitation - Level 1 - No Specified Renewal|",
    ],
)
def test_names_are_parsed_and_formatted_both_ways(name):
    assert str(parse_name(name)) == name


def test_a_name_holds_subject_level_detail_and_period():
    name = parse_name("NHS|CSTF|Resuscitation - Level 2 - Adult Basic Life Support - 1 Year|")
    assert name == CompetencyName("NHS", "CSTF", "Resuscitation", "Level 2", "Adult Basic Life Support", 12)


@pytest.mark.parametrize("name", ["", "Fire Safety", "NHS|CSTF|Fire Safety", "NHS||x|", "|CSTF|x|", "a|b|c|d|"])
def test_a_name_outside_the_pattern_is_refused(name):
    with pytest.raises(MalformedName):
        parse_name(name)


# --- setting one --------------------------------------------------------------------------------------------

FIRE_2 = "NHS|CSTF|Fire Safety - 2 Years|"
FIRE_LEVEL_2 = "NHS|CSTF|Fire Safety - Level 2 - 2 Years|"


def book_with(*rules, **changes):
    book = b.rulebook(*rules)
    more = {name: b.competency(name) for name in (FIRE_2, FIRE_LEVEL_2)}
    names = {Target(TargetKind.JOB, "nurse"): "Staff Nurse", Target(TargetKind.LEARNER_GROUP, "agency"): "Agency"}
    return replace(book, competencies={**book.competencies, **more}, names=names, **changes)


def wrong(**changes):
    return {each.field: each.reason for each in wrong_fields(b.requirement(**changes), book_with())}


@pytest.mark.parametrize(
    ("kind", "known", "unknown"),
    [
        (TargetKind.EMPLOYER, "504", "505"),
        (TargetKind.UNIT, "ward-9", "ward-99"),
        (TargetKind.JOB, "nurse", "pilot"),
        (TargetKind.LEARNER_GROUP, "agency", "students"),
    ],
)
def test_a_requirement_is_aimed_at_a_target_the_employer_has(kind, known, unknown):
    assert wrong(kind=kind, target=known) == {}
    assert set(wrong(kind=kind, target=unknown)) == {"target"}


def test_every_field_of_a_requirement_that_cannot_be_is_named():
    assert set(wrong(name="NHS|CSTF|Nothing|", target="505", ends_on=date(2019, 1, 1))) == {
        "target",
        "competency",
        "ends_on",
    }
    assert wrong(level=2) == {"minimum_level": "is not on its scale of 1 to 1"}
    assert set(wrong(starts_on=date(1066, 1, 1), ends_on=date.max)) == {"starts_on", "ends_on"}


def test_nothing_can_be_required_from_a_day_on_which_the_competency_is_not_in_use():
    book = book_with()
    from_december = replace(book.competencies[FIRE], starts_on=date(2026, 12, 1))
    book = replace(book, competencies={**book.competencies, FIRE: from_december})
    assert [each.field for each in wrong_fields(b.requirement(starts_on=date(2026, 11, 30)), book)] == ["competency"]
    assert not list(wrong_fields(b.requirement(starts_on=date(2026, 12, 1)), book))


def test_one_subject_under_two_periods_is_warned_of():
    other = b.requirement(FIRE_2)
    assert required_twice(b.requirement(FIRE), book_with(other)) == (other,)


@pytest.mark.parametrize("name", [FIRE, FIRE_LEVEL_2, MOVING])
def test_the_same_competency_another_level_and_another_subject_are_not_warned_of(name):
    assert required_twice(b.requirement(FIRE), book_with(b.requirement(name))) == ()


@pytest.mark.parametrize(
    ("one", "other", "warned"),
    [
        ((TargetKind.UNIT, "ward-9"), (TargetKind.UNIT, "ward-9"), True),
        ((TargetKind.UNIT, "ward-9"), (TargetKind.UNIT, "surgery"), True),
        ((TargetKind.UNIT, "surgery"), (TargetKind.UNIT, "ward-9"), True),
        ((TargetKind.UNIT, "ward-9"), (TargetKind.UNIT, "ward-10"), False),
        ((TargetKind.UNIT, "ward-9"), (TargetKind.JOB, "nurse"), True),
        ((TargetKind.JOB, "porter"), (TargetKind.JOB, "nurse"), False),
        ((TargetKind.PERSON, "p1"), (TargetKind.PERSON, "p2"), False),
        ((TargetKind.PERSON, "p1"), (TargetKind.EMPLOYER, "504"), True),
    ],
)
def test_a_warning_needs_targets_that_can_meet_in_one_person(one, other, warned):
    there = b.requirement(FIRE_2, *other)
    assert bool(required_twice(b.requirement(FIRE, *one), book_with(there))) is warned


def test_a_warning_needs_a_day_on_which_both_are_in_force():
    until_june = b.requirement(FIRE_2, ends_on=date(2026, 6, 30))
    assert required_twice(b.requirement(FIRE, starts_on=date(2026, 7, 1)), book_with(until_june)) == ()
    assert required_twice(b.requirement(FIRE, starts_on=date(2026, 6, 30)), book_with(until_june)) == (until_june,)
