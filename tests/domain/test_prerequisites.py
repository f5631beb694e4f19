"""What must or should be achieved before a course, on the day its class starts; and no course waits for itself (domain.md §5)."""

import time
from dataclasses import replace
from datetime import date, timedelta

import pytest

from chalicelib.domain import errors
from chalicelib.domain.access import Access, AccessMode
from chalicelib.domain.catalogue import Catalogue, CourseStatus, Prerequisite, PrerequisiteKind
from chalicelib.domain.classes import ClassStatus, Seats
from chalicelib.domain.enrolment import Status, completed_courses
from chalicelib.domain.placing import day_that_counts, judge_placing
from chalicelib.domain.prerequisites import Achieved, can_be_begun, check, is_met, refuse_cycle, stuck, wrong_fields
from tests import builders as b
from tests.builders import FIRE, MOVING, NOW, PREVENT, TODAY

CLASS_DAY = date(2026, 12, 1)
LEVEL_1, LEVEL_3 = "504|LOCAL|Rescue - Level 1|", "504|LOCAL|Rescue - Level 3|"


def needs(name=FIRE, level=1, mandatory=True):
    return Prerequisite(PrerequisiteKind.COMPETENCY, name, level, mandatory)


def after(course, mandatory=True):
    return Prerequisite(PrerequisiteKind.COURSE, course, 1, mandatory)


def course(name, *prerequisites, grants=(), **changes):
    return b.course(f"504-{name}", name.title(), grants=grants, prerequisites=prerequisites, **changes)


def catalogue(*courses, employer="504"):
    return Catalogue(employer, (1, 1), {}, {each.id: each for each in courses}, {}, {})


def rulebook():
    book = b.rulebook()
    covering = replace(b.competency(LEVEL_3), covers=(LEVEL_1,), levels=("Assessed", "Trainer"))
    own = {LEVEL_1: b.competency(LEVEL_1), LEVEL_3: covering}
    return replace(book, competencies={**book.competencies, **own})


def met(prerequisite, *awards, day=CLASS_DAY, courses=()):
    return is_met(prerequisite, Achieved(awards, frozenset(courses)), day, rulebook())


# --- met or not ---------------------------------------------------------------------------------------------


def test_an_award_valid_on_the_day_the_class_starts_meets_it():
    assert met(needs(), b.award_expiring(CLASS_DAY))
    assert not met(needs(), b.award_expiring(CLASS_DAY - timedelta(days=1)))
    assert not met(needs(), b.award(awarded_on=CLASS_DAY + timedelta(days=1)))
    assert not met(needs(), b.award(void=True))
    assert not met(needs(), b.award(MOVING))


def test_the_level_must_be_reached():
    assert met(needs(LEVEL_3, level=2), b.award(LEVEL_3, level=2))
    assert not met(needs(LEVEL_3, level=2), b.award(LEVEL_3, level=1))


def test_a_competency_that_covers_it_meets_it_and_not_the_other_way_round():
    assert met(needs(LEVEL_1), b.award(LEVEL_3))
    assert not met(needs(LEVEL_3), b.award(LEVEL_1))


def test_a_course_is_met_by_having_completed_it_however_long_ago():
    done = completed_courses([b.enrolment(Status.COMPLETED)])
    others = [b.enrolment(each) for each in Status if each is not Status.COMPLETED]
    assert met(after("504-fire"), courses=done)
    assert not met(after("504-fire"), courses=completed_courses(others))


def test_what_has_no_date_is_judged_today():
    assert day_that_counts(b.class_(), NOW) == CLASS_DAY
    assert day_that_counts(b.e_learning(), NOW) == TODAY


# --- enrolling ----------------------------------------------------------------------------------------------

ADVANCED = course("advanced", needs(), after("504-basics", mandatory=False))
BASICS = course("basics", grants=(FIRE,))


def verdict(achieved, access=AccessMode.SELF_ENROL, finds=lambda _: True, **changes):
    checked = check(ADVANCED, achieved, CLASS_DAY, rulebook(), catalogue(ADVANCED, BASICS), finds)
    class_ = b.class_(course=ADVANCED.id, **changes)
    return judge_placing(ADVANCED, class_, Seats(12, 0, 0), Access(access), (), None, NOW, checked)


def test_without_a_mandatory_one_nobody_enrols_and_is_told_what_to_do_first():
    refusal = verdict(Achieved()).refusal
    assert isinstance(refusal, errors.PrerequisiteMissing)
    assert refusal.way_out == "Do first: Basics."
    assert refusal.facts == {
        "on": "2026-12-01",
        "missing": [
            {
                "kind": "competency",
                "id": FIRE,
                "level": 1,
                "name": "Fire Safety - 1 Year",
                "courses": [{"id": "504-basics", "title": "Basics"}],
            }
        ],
    }


def test_an_advisory_one_only_warns():
    found = verdict(Achieved((b.award(),)))
    assert (found.status, [each.prerequisite.id for each in found.advised]) == (Status.CONFIRMED, ["504-basics"])
    assert verdict(Achieved((b.award(),), frozenset({"504-basics"}))).advised == ()


def test_what_is_missing_is_said_before_approval_and_after_what_no_training_would_help():
    assert isinstance(verdict(Achieved(), AccessMode.APPROVAL).refusal, errors.PrerequisiteMissing)
    assert verdict(Achieved((b.award(),)), AccessMode.APPROVAL).status is Status.REQUESTED
    assert isinstance(verdict(Achieved(), None).refusal, errors.AccessNotMet)
    assert isinstance(verdict(Achieved(), status=ClassStatus.CANCELLED).refusal, errors.ClassCancelled)


def test_a_course_that_the_learner_cannot_find_is_not_named():
    asking = course("asking", after("504-basics"))
    known = catalogue(asking, BASICS)
    checked = check(asking, Achieved(), CLASS_DAY, rulebook(), known, lambda _: False)
    refusal = judge_placing(
        asking, b.class_(), Seats(12, 0, 0), Access(AccessMode.SELF_ENROL), (), None, NOW, checked
    ).refusal
    assert "asics" not in f"{refusal.detail}{refusal.way_out}{refusal.facts}"
    assert refusal.way_out == errors.PrerequisiteMissing.way_out


def test_a_course_is_no_way_to_what_it_asks_for_itself():
    refresher = course("refresher", needs(), grants=(FIRE,))
    (checked,) = check(
        refresher, Achieved(), TODAY, rulebook(), catalogue(refresher, BASICS), lambda each: each.id != ""
    )
    assert [each.id for each in checked.courses] == ["504-basics"]


def test_a_draft_or_withdrawn_course_is_no_way_to_it():
    for status in (CourseStatus.DRAFT, CourseStatus.WITHDRAWN):
        (checked, _) = check(
            ADVANCED, Achieved(), TODAY, rulebook(), catalogue(ADVANCED, replace(BASICS, status=status)), lambda _: True
        )
        assert checked.courses == ()


def test_whoever_is_no_learner_has_neither_met_nor_missed_it():
    checked = check(ADVANCED, None, TODAY, rulebook(), catalogue(ADVANCED, BASICS), lambda _: True)
    assert [(each.met, each.missing, each.advised) for each in checked] == [(None, False, False)] * 2


# --- setting them -------------------------------------------------------------------------------------------


def wrong(asking, *others):
    return [each.field for each in wrong_fields(asking, catalogue(asking, *others), rulebook())]


def test_every_prerequisite_that_cannot_be_is_named():
    asking = course(
        "asking",
        needs("Juggling"),
        needs(FIRE, level=2),
        needs(MOVING),
        needs(MOVING),
        after("504-asking"),
        after("504-moon"),
        replace(after("504-basics"), level=2),
    )
    assert wrong(asking, BASICS) == [
        "prerequisites[0].id",
        "prerequisites[1].level",
        "prerequisites[3].id",
        "prerequisites[4].id",
        "prerequisites[5].id",
        "prerequisites[6].level",
    ]


def test_a_national_course_asks_for_what_every_employer_knows():
    national = replace(course("x", needs(LEVEL_1), after("504-basics"), needs(FIRE)), id="NHS-x")
    assert wrong(national, BASICS) == ["prerequisites[0].id", "prerequisites[1].id"]


# --- cycles -------------------------------------------------------------------------------------------------


def waiting(*courses):
    return {each.removeprefix("504-") for each in stuck(catalogue(*courses), rulebook())}


def test_courses_that_wait_for_each_other_can_never_be_begun():
    assert waiting(course("one", after("504-two")), course("two", after("504-one"))) == {"one", "two"}
    assert waiting(course("one", after("504-two")), course("two")) == set()


def test_who_waits_for_a_cycle_waits_for_ever_too():
    assert waiting(
        course("one", after("504-two")), course("two", after("504-one")), course("three", after("504-two"))
    ) == {"one", "two", "three"}


def test_a_cycle_may_go_through_competencies_and_through_what_covers_them():
    assert waiting(course("one", needs(FIRE), grants=(MOVING,)), course("two", needs(MOVING), grants=(FIRE,))) == {
        "one",
        "two",
    }
    assert waiting(course("one", needs(LEVEL_1), grants=(FIRE,)), course("two", needs(FIRE), grants=(LEVEL_3,))) == {
        "one",
        "two",
    }


def test_another_course_that_awards_it_opens_the_circle():
    circle = (course("one", needs(FIRE), grants=(MOVING,)), course("two", needs(MOVING), grants=(FIRE,)))
    assert waiting(*circle, course("free", grants=(FIRE,))) == set()


def test_a_refresher_of_what_it_asks_for_needs_another_course_or_nothing_else():
    refresher = course("refresher", needs(FIRE), grants=(FIRE,))
    assert waiting(refresher) == {"refresher"}
    assert waiting(refresher, BASICS) == set()


def test_what_no_course_gives_is_achieved_elsewhere():
    assert waiting(course("one", needs(PREVENT))) == set()
    assert waiting(course("one", needs(LEVEL_3, level=2)), course("low", grants=(LEVEL_3,))) == set()


def test_advice_stops_nobody_and_status_changes_nothing():
    assert waiting(course("one", after("504-two")), course("two", after("504-one", mandatory=False))) == set()
    draft = course("two", after("504-one"), status=CourseStatus.DRAFT)
    assert waiting(course("one", after("504-two")), draft) == {"one", "two"}


def test_a_change_that_closes_a_circle_is_refused_with_its_chain():
    one, two, three = course("one", after("504-two")), course("two", after("504-three")), course("three")
    closed = replace(three, prerequisites=(after("504-one"),))
    with pytest.raises(errors.PrerequisiteCycle) as refused:
        refuse_cycle(catalogue(one, two, three), catalogue(one, two, closed), rulebook())
    assert refused.value.facts == {"chain": ["504-one", "504-two", "504-three", "504-one"]}
    assert refused.value.detail == (
        "Nobody could ever begin One: One, which waits for Two, which waits for Three, which waits for One."
    )


def test_taking_away_the_course_that_opened_a_circle_is_refused_and_other_changes_beside_a_circle_are_not():
    refresher = course("refresher", needs(FIRE), grants=(FIRE,))
    with pytest.raises(errors.PrerequisiteCycle):
        refuse_cycle(catalogue(refresher, BASICS), catalogue(refresher), rulebook())
    refuse_cycle(catalogue(refresher), catalogue(refresher, course("other")), rulebook())


def test_a_course_that_is_not_there_is_achieved_nowhere_and_the_chain_ends_with_it():
    asking = course("one", after("504-two"))
    two = course("two", after("NHS-draft"))
    assert waiting(asking, two) == {"one", "two"}
    with pytest.raises(errors.PrerequisiteCycle) as refused:
        refuse_cycle(catalogue(course("one"), course("two")), catalogue(asking, two), rulebook())
    assert refused.value.facts == {"chain": ["504-one", "504-two", "NHS-draft"]}


def test_a_live_course_cannot_ask_for_a_draft():
    draft = course("basics", status=CourseStatus.DRAFT)
    assert wrong(course("one", after("504-basics")), draft) == ["prerequisites[0].id"]
    assert wrong(course("one", after("504-basics", mandatory=False)), draft) == []
    assert wrong(course("one", after("504-basics"), status=CourseStatus.DRAFT), draft) == []
    assert wrong(course("one", after("504-basics")), replace(draft, status=CourseStatus.WITHDRAWN)) == []


def test_what_is_not_live_makes_nothing_begun():
    asking = course("one", after("504-two"), status=CourseStatus.DRAFT)
    two = course("two", needs(FIRE))
    for changes, begun in (
        ({}, True),
        ({"status": CourseStatus.WITHDRAWN}, False),
        ({"status": CourseStatus.DRAFT}, False),
        ({"ends_on": TODAY}, True),
        ({"ends_on": TODAY - timedelta(days=1)}, False),
        ({"starts_on": TODAY + timedelta(days=1)}, False),
    ):
        known = catalogue(asking, replace(two, **changes))
        assert can_be_begun(asking, known, rulebook(), TODAY) is begun, changes


def tree(count):
    """Courses that ask for the one before them, and for what many give, as an import may bring them."""
    every = [needs(FIRE), needs(FIRE, mandatory=False)]
    return [course(f"c{n}", *([after(f"504-c{n - 1}")] if n else []), *every, grants=(MOVING,)) for n in range(count)]


def test_three_thousand_courses_are_looked_through_at_once_however_long_their_chain():
    """Time rises with the number of courses: ten times as many take far less than a hundred times as long."""
    took = {}
    for count in (300, 3000):
        open_, closed = catalogue(*tree(count), BASICS), catalogue(*tree(count)[1:])
        began = time.process_time()
        assert stuck(open_, rulebook()) == frozenset()
        assert len(stuck(closed, rulebook())) == count - 1
        refuse_cycle(open_, catalogue(*tree(count), BASICS), rulebook())
        took[count] = time.process_time() - began
    assert took[3000] < max(0.5, 30 * took[300])


def test_what_gives_a_prerequisite_is_found_without_a_look_at_every_course():
    known = catalogue(*tree(3000), BASICS)
    asking = course("asking", needs(FIRE), needs(PREVENT), needs(LEVEL_1), needs(LEVEL_3))
    check(asking, None, TODAY, rulebook(), known, lambda _: True)
    book = rulebook()
    began = time.process_time()
    for _ in range(100):
        check(asking, Achieved(), TODAY, book, known, lambda _: True)
    assert time.process_time() - began < 0.2
