"""Training that arranges itself, rule by rule (domain.md §4)."""

from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest

from chalicelib.domain import auto_enrolment as rules_of
from chalicelib.domain import certifications
from chalicelib.domain.access import AccessMode, AccessRule
from chalicelib.domain.auto_enrolment import Case, LeftOut, State, Struck
from chalicelib.domain.catalogue import (
    Catalogue,
    Certification,
    Component,
    CourseStatus,
    Grants,
    Mode,
    Offering,
    Prerequisite,
    PrerequisiteKind,
)
from chalicelib.domain.classes import ClassStatus, Seats
from chalicelib.domain.decisions import Decision, Outcome
from chalicelib.domain.enrolment import HistoryRow, Status
from chalicelib.domain.people import Employment, EmploymentKind
from chalicelib.domain.requirements import Target, TargetKind
from tests import builders as b
from tests.builders import FIRE, INDUCTION, MOVING, NOW, TODAY

RULES = replace(b.rulebook(b.requirement()), auto_enrolment=True)
BOTH = replace(b.rulebook(b.requirement(), b.requirement(MOVING)), auto_enrolment=True)


def days(number):
    return TODAY + timedelta(days=number)


def course(course_id="504-fire", **changes):
    return b.course(course_id, **({"auto_enrol": True, "auto_book": True} | changes))


def on(number, class_id=None, **changes):
    """A class so many days ahead."""
    return b.class_(class_id or f"504-c{number}", sessions=[b.session(days(number))], **changes)


def case(courses=None, classes=None, learner=None, rulebook=RULES, taken=None, now=NOW):
    """Somebody, with courses and their classes; `taken` says how many seats are taken and how many wait, by class."""
    known = {each.id: each for each in (courses if courses is not None else [course()])}
    offered = classes if classes is not None else [b.e_learning()]

    def of(wanted):
        for each in offered:
            if each.course == wanted.id:
                yield each, Seats(each.maximum, *(taken or {}).get(each.id, (0, 0)))

    catalogue = Catalogue("504", (1, 1), {}, known, {}, {})
    return Case(learner or b.learner(), rulebook, catalogue, of, lambda listed: listed, now)


def settled(given, competency=FIRE):
    """What is proposed for one competency that is due."""
    (standing,) = [
        each for each in rules_of.to_decide(given.learner, given.rulebook, given.day) if each.competency == competency
    ]
    return rules_of.propose(given, standing.required)


def outcome(given, competency=FIRE):
    found = settled(given, competency)
    return (found.outcome, found.place.class_.id if found.place else None)


def states(learner, rulebook=RULES, day=TODAY):
    return {
        each.competency: rules_of.state_of(each, learner, rulebook, day)
        for each in learner.compliance_on(day, rulebook)
    }


def withdrawn(at=NOW, by="p1", status=Status.WITHDRAWN, **changes):
    return b.enrolment(status, history=(HistoryRow(status, at, by),), **changes)


# --- who (rule 1) -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("learner", "why"),
    [
        (b.learner(), None),
        (
            b.learner(employment=Employment("504", EmploymentKind.EMPLOYEE, "1", date(2020, 1, 1), days(-1))),
            "not employed",
        ),
        (b.learner(EmploymentKind.EXTERNAL, assignments=(), groups=("agency",)), "no assignment"),
        (
            b.learner(employment=Employment("504", EmploymentKind.APPLICANT, "1", days(20), offered_on=days(-1))),
            "applicant",
        ),
    ],
)
def test_training_is_arranged_for_whoever_holds_an_assignment(learner, why):
    assert rules_of.left_out(learner, RULES, TODAY) == (LeftOut(why) if why else None)
    assert bool(rules_of.to_decide(learner, RULES, TODAY)) is (why is None)


def test_applicants_only_where_the_employer_says_so_and_nobody_where_it_is_switched_off():
    applicant = b.learner(employment=Employment("504", EmploymentKind.APPLICANT, "1", days(20), offered_on=days(-1)))
    assert rules_of.left_out(applicant, replace(RULES, auto_enrol_applicants=True), TODAY) is None
    assert rules_of.left_out(b.learner(), replace(RULES, auto_enrolment=False), TODAY) is LeftOut.SWITCHED_OFF


# --- when (rules 2, 3 and 9) --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("left", "state"), [(-1, "due"), (0, "due"), (90, "due"), (91, "not due")])
def test_a_renewal_is_due_ninety_days_before_its_end(left, state):
    assert states(b.learner(awards=(b.award_expiring(days(left)),))) == {FIRE: State(state)}


def test_what_is_not_required_is_never_due():
    assert states(b.learner(awards=(b.award_expiring(days(-5), MOVING),)))[MOVING] is State.NOT_DUE


@pytest.mark.parametrize("status", [Status.CONFIRMED, Status.WAITLISTED, Status.REQUESTED])
def test_whoever_is_on_a_class_that_gives_it_is_passed_over(status):
    assert states(b.learner(enrolments=(b.enrolment(status),))) == {FIRE: State.UNDER_WAY}


def test_so_is_whose_completion_has_still_to_be_verified():
    waiting = b.enrolment(Status.COMPLETED, to_verify=(Grants(FIRE),))
    assert states(b.learner(enrolments=(waiting,))) == {FIRE: State.UNDER_WAY}


def test_a_class_at_too_low_a_level_is_no_reason_to_pass_somebody_over():
    rulebook = replace(b.rulebook(b.requirement(level=2)), auto_enrolment=True)
    assert states(b.learner(enrolments=(b.enrolment(),)), rulebook) == {FIRE: State.DUE}


@pytest.mark.parametrize(("again", "state"), [(1, "paused"), (0, "due"), (None, "due")])
def test_a_failure_rests_until_its_day(again, state):
    decision = Decision(FIRE, Outcome.NO_OPTION, 1, days(-13), None if again is None else days(again))
    assert states(b.learner(decisions=(decision,))) == {FIRE: State(state)}


@pytest.mark.parametrize(("ago", "proposed"), [(0, "withdrawn lately"), (13, "withdrawn lately"), (14, "booked")])
def test_whoever_gave_a_place_back_is_left_alone_for_fourteen_days(ago, proposed):
    given = case(learner=b.learner(enrolments=(withdrawn(NOW - timedelta(days=ago)),)))
    assert settled(given).outcome == proposed
    if proposed != "booked":
        assert rules_of.decision_of(settled(given), None, TODAY).next_try_on == days(14 - ago)


def test_nobody_is_left_alone_because_the_service_ended_something():
    lapsed = withdrawn(by="system:timers", status=Status.CANCELLED)
    assert outcome(case(learner=b.learner(enrolments=(lapsed,)))) == ("booked", "504-e1")


def sharing_a_prerequisite(*enrolments, decisions=()):
    """Two things due, each by a course of its own that asks for the same one first, which awards nothing."""
    first = (Prerequisite(PrerequisiteKind.COURSE, "504-x"),)
    courses = [
        course("504-x", grants=()),
        course(prerequisites=first),
        course("504-moving", grants=(MOVING,), prerequisites=first),
    ]
    classes = [b.e_learning("504-e0", "504-x"), b.e_learning(), b.e_learning("504-e2", "504-moving")]
    return case(courses, classes, b.learner(enrolments=enrolments, decisions=decisions), BOTH)


def x_given_back(ago=0):
    return withdrawn(NOW - timedelta(days=ago), class_id="504-e0", course="504-x", grants=())


@pytest.mark.parametrize("arranged", [True, False])
def test_what_was_given_back_is_not_booked_for_something_else_either(arranged):
    booked = (Decision(FIRE, Outcome.BOOKED, 1, TODAY, None, "504-x", x_given_back().id),) if arranged else ()
    for competency in (FIRE, MOVING):
        found = settled(sharing_a_prerequisite(x_given_back(), decisions=booked), competency)
        assert (found.outcome, found.until) == (Outcome.WITHDRAWN, days(14))
        later = settled(sharing_a_prerequisite(x_given_back(14), decisions=booked), competency)
        assert (later.outcome, later.place.class_.id) == (Outcome.BOOKED, "504-e0")


def cancelled_place(class_):
    return b.enrolment(Status.CANCELLED, at=class_, history=(HistoryRow(Status.CANCELLED, NOW, "p9", "Ill."),))


@pytest.mark.parametrize("competency", [FIRE, MOVING])
def test_a_class_that_is_cancelled_is_nobodys_decision_to_give_it_back(competency):
    classes = [on(20, status=ClassStatus.CANCELLED), on(30)]
    courses = [course(grants=(FIRE, MOVING))]
    given = case(courses, classes, b.learner(enrolments=(cancelled_place(classes[0]),)), BOTH)
    assert outcome(given, competency) == ("booked", "504-c30")


def test_a_place_that_was_cancelled_for_one_person_is():
    classes = [on(20), on(30)]
    given = case(classes=classes, learner=b.learner(enrolments=(cancelled_place(classes[0]),)))
    assert outcome(given) == ("withdrawn lately", None)


# --- what there is to choose from (rule 4) ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "struck"),
    [
        ({"auto_enrol": False, "auto_book": False}, Struck.NOT_AUTOMATIC),
        ({"status": CourseStatus.WITHDRAWN}, Struck.NOT_LIVE),
        ({"ends_on": days(-1)}, Struck.NOT_LIVE),
        ({"rules": (AccessRule("1", AccessMode.SELF_ENROL, (Target(TargetKind.UNIT, "estates"),)),)}, Struck.ACCESS),
    ],
)
def test_a_course_is_struck_out_by_a_rule_that_is_named(changes, struck):
    found = settled(case([course(**changes)]))
    assert (found.outcome, [each.struck for each in found.candidates]) == (Outcome.NO_OPTION, [struck])


def test_so_is_one_that_awards_a_lower_level():
    found = settled(case(rulebook=replace(b.rulebook(b.requirement(level=2)), auto_enrolment=True)))
    assert [each.struck for each in found.candidates] == [Struck.LEVEL]


def test_a_course_without_a_class_that_is_open_is_no_option():
    closed = b.e_learning(status=ClassStatus.CLOSED)
    for classes in ([], [closed]):
        found = settled(case(classes=classes))
        assert (found.outcome, found.candidates[0].struck) == (Outcome.NO_OPTION, Struck.NO_CLASS)


def test_the_employers_own_course_comes_before_a_national_one():
    courses = [course("NHS-fire"), course()]
    classes = [b.e_learning("NHS-e1", "NHS-fire"), b.e_learning()]
    found = settled(case(courses, classes))
    assert found.place.class_.id == "504-e1"
    assert {each.item.id: each.struck for each in found.candidates} == {
        "NHS-fire": Struck.OWN_FIRST,
        "504-fire": None,
    }


def test_a_national_one_is_taken_where_the_own_one_is_not_automatic():
    courses = [course("NHS-fire"), course(auto_enrol=False, auto_book=False)]
    assert outcome(case(courses, [b.e_learning("NHS-e1", "NHS-fire"), b.e_learning()])) == ("booked", "NHS-e1")


def test_what_only_the_learning_team_enrols_on_is_arranged_too_and_nobody_has_to_approve():
    for mode in AccessMode:
        found = settled(case([course(rules=(AccessRule("1", mode),))]))
        assert found.place.verdict.status is Status.CONFIRMED


def test_a_course_that_awards_what_covers_it_counts():
    covering = replace(b.competency(MOVING), covers=(FIRE,))
    rulebook = replace(RULES, competencies={**RULES.competencies, MOVING: covering})
    assert outcome(case([course(grants=(MOVING,))], rulebook=rulebook)) == ("booked", "504-e1")


# --- choosing (rule 5) --------------------------------------------------------------------------------------------


def test_e_learning_is_enrolled_on_before_a_class_is_looked_for():
    assert outcome(case(classes=[on(20), b.e_learning()])) == ("booked", "504-e1")


def test_two_ways_to_learn_it_alone_are_left_to_the_learner():
    two = course(offerings=(Offering("e", Mode.E_LEARNING), Offering("cy", Mode.E_LEARNING, "cy-GB")))
    classes = [b.e_learning("504-e1", offering="e"), b.e_learning("504-e2", offering="cy")]
    assert outcome(case([two], classes)) == ("several options", None)


def test_so_are_two_courses():
    found = settled(case([course(), course("504-alarm")], [b.e_learning(), b.e_learning("504-e2", "504-alarm")]))
    assert found.outcome is Outcome.MULTIPLE_OPTIONS
    assert [each.id for each in found.options] == ["504-fire", "504-alarm"]


def test_a_date_is_left_to_the_learner_unless_the_course_says_otherwise():
    given = case([course(auto_book=False)], [on(20)])
    assert outcome(given) == ("choose a date", None)
    assert settled(given).course.id == "504-fire"


@pytest.mark.parametrize(("ahead", "taken"), [((13, 14, 20), 14), ((90, 91), 90), ((13, 91), None), ((40, 20), 20)])
def test_the_earliest_class_between_two_weeks_and_ninety_days_ahead_is_booked(ahead, taken):
    expected = ("booked", f"504-c{taken}") if taken else ("choose a date", None)
    assert outcome(case(classes=[on(each) for each in ahead])) == expected


def test_a_class_before_the_award_ends_is_earlier_than_any_after():
    learner = b.learner(awards=(b.award_expiring(days(30)),))
    assert outcome(case(classes=[on(40), on(25)], learner=learner)) == ("booked", "504-c25")


def test_planned_and_closed_classes_are_passed_over_and_so_is_a_clash():
    busy = b.enrolment(at=b.class_("504-x", "504-moving", sessions=[b.session(days(20))]), grants=(Grants(MOVING),))
    classes = [on(16, status=ClassStatus.PLANNED), on(18, status=ClassStatus.CLOSED), on(20), on(25)]
    assert outcome(case(classes=classes, learner=b.learner(enrolments=(busy,)))) == ("booked", "504-c25")


def test_a_full_class_is_passed_over_for_a_later_one_with_a_seat():
    assert outcome(case(classes=[on(20), on(30)], taken={"504-c20": (12, 0)})) == ("booked", "504-c30")


def test_all_full_the_earliest_is_waited_for():
    taken = {"504-c20": (12, 0), "504-c30": (12, 3)}
    assert outcome(case(classes=[on(30), on(20)], taken=taken)) == ("waitlisted", "504-c20")


def test_all_full_and_none_that_takes_a_waiter_is_said():
    full = on(20, enrol_until=days(-1))
    assert outcome(case(classes=[full], taken={"504-c20": (12, 0)})) == ("all full", None)


def test_a_class_of_another_unit_is_none_of_theirs():
    assert outcome(case(classes=[on(20, only_units=("estates",)), on(30)])) == ("booked", "504-c30")


def test_nobody_is_booked_on_a_class_after_they_leave():
    leaving = b.learner(employment=Employment("504", EmploymentKind.EMPLOYEE, "1", date(2020, 1, 1), days(25)))
    assert outcome(case(classes=[on(30)], learner=leaving)) == ("choose a date", None)


def test_only_a_class_that_may_be_taken_is_looked_at_as_it_is_now():
    looked = []
    given = case(classes=[on(each) for each in (15, 20, 25, 30)], taken={"504-c15": (12, 0), "504-c20": (11, 0)})
    given = replace(given, as_it_stands=lambda listed: looked.append(listed[0].id) or listed)
    assert (outcome(given), looked) == (("booked", "504-c20"), ["504-c20"])


def test_what_the_list_shows_is_not_relied_on():
    """Full meanwhile, or cancelled, is passed over; a seat that has come free is taken."""
    classes = [on(15), on(20), on(25)]
    now = {
        "504-c15": (classes[0], Seats(12, 12, 0)),
        "504-c20": (on(20, status=ClassStatus.PLANNED), Seats(12, 0, 0)),
        "504-c25": (classes[2], Seats(12, 11, 0)),
    }
    given = replace(case(classes=classes), as_it_stands=lambda listed: now[listed[0].id])
    assert outcome(given) == ("booked", "504-c25")
    full = {each.id: (12, 0) for each in classes}
    given = replace(case(classes=classes, taken=full), as_it_stands=lambda listed: now[listed[0].id])
    assert outcome(given) == ("waitlisted", "504-c15")
    given = replace(case(classes=classes[2:], taken=full), as_it_stands=lambda listed: now[listed[0].id])
    assert outcome(given) == ("booked", "504-c25")


# --- prerequisites (rule 6) ---------------------------------------------------------------------------------------

AFTER_INDUCTION = (Prerequisite(PrerequisiteKind.COMPETENCY, INDUCTION),)


def with_induction(*classes, **changes):
    induction = course("504-induction", title="Induction", grants=(INDUCTION,), **changes)
    return [course(prerequisites=AFTER_INDUCTION), induction], [b.e_learning(), *classes]


def test_a_prerequisite_is_booked_first():
    found = settled(case(*with_induction(b.e_learning("504-e2", "504-induction"))))
    assert (found.outcome, found.place.course.id, found.first_for.id) == ("booked", "504-induction", "504-fire")
    assert found.candidates[0].struck is Struck.PREREQUISITE


def test_one_that_cannot_be_arranged_is_named():
    found = settled(case(*with_induction()))
    assert (found.outcome, [each.id for each in found.options]) == ("prerequisite missing", ["504-induction"])
    by_hand = with_induction(b.e_learning("504-e2", "504-induction"), auto_enrol=False, auto_book=False)
    assert settled(case(*by_hand)).outcome is Outcome.PREREQUISITE


def test_while_a_prerequisite_is_under_way_nothing_is_said_or_done():
    taking = b.enrolment(at=b.e_learning("504-e2", "504-induction"), grants=(Grants(INDUCTION),))
    given = case(*with_induction(b.e_learning("504-e2", "504-induction")), learner=b.learner(enrolments=(taking,)))
    assert settled(given) is None


def test_once_it_is_held_the_course_itself_is_booked():
    learner = b.learner(awards=(b.award(INDUCTION),))
    assert outcome(case(*with_induction(), learner=learner)) == ("booked", "504-e1")


# --- what is kept (rule 9) ----------------------------------------------------------------------------------------


def test_what_failed_is_tried_again_after_fourteen_days_and_what_succeeded_is_not():
    failed = rules_of.decision_of(settled(case(classes=[])), None, TODAY)
    assert failed == Decision(FIRE, Outcome.NO_OPTION, 1, TODAY, days(14))
    booked = rules_of.decision_of(settled(case()), failed, days(14), "504-e1~1")
    assert booked == Decision(FIRE, Outcome.BOOKED, 2, days(14), None, "504-fire", "504-e1~1")


@pytest.mark.parametrize("today", [date(2028, 2, 29), date(2027, 3, 28), date(2026, 10, 25)])
def test_days_are_counted_in_london_on_a_leap_day_and_when_the_clocks_change(today):
    now = datetime.combine(today, NOW.time(), NOW.tzinfo)
    classes = [b.class_(f"504-c{each}", sessions=[b.session(today + timedelta(days=each))]) for each in (13, 14)]
    learner = b.learner(awards=(b.award_expiring(today + timedelta(days=90)),))
    assert outcome(case(classes=classes, learner=learner, now=now)) == ("booked", "504-c14")


# --- certifications (rules 4 and 5) -------------------------------------------------------------------------------


def certification(*components, **changes):
    given = {"grants": (Grants(FIRE),), "validity_months": 12, "auto_enrol": True, "min_components": 1}
    parts = tuple(each if isinstance(each, Component) else Component(each) for each in components)
    return Certification("504-safe", "Safe", "fire", "", parts, **(given | changes))


def certified(*components, courses=None, classes=None, learner=None, **changes):
    given = case(courses if courses is not None else [course(grants=())], classes, learner)
    made = certification(*(components or ("504-fire",)), **changes)
    return replace(given, catalogue=replace(given.catalogue, certifications={made.id: made}))


def subscribed(to, periods=0, today=TODAY):
    """A subscription whose open period follows so many that were done by e-learning alone."""
    made = certifications.begun(None, to, "p1", "504", today, "p9", NOW)
    return replace(made, periods=(replace(made.periods[0], elearning=periods),))


def test_one_certification_is_subscribed_to_and_the_choice_goes_on_inside_it():
    found = settled(certified())
    assert (found.outcome, found.subscribes, found.certification.id) == (Outcome.BOOKED, True, "504-safe")
    assert found.place.class_.id == "504-e1"


def test_it_comes_before_its_own_courses_and_is_struck_out_like_a_course():
    given = certified(courses=[course()])
    found = settled(given)
    assert {each.item.id: each.struck for each in found.candidates if each.struck} == {
        "504-fire": Struck.IN_CERTIFICATION
    }
    by_hand = settled(certified(courses=[course()], auto_enrol=False))
    assert (by_hand.outcome, by_hand.subscribes) == (Outcome.BOOKED, False)


def test_inside_one_of_several_ways_e_learning_is_taken_and_else_people_choose():
    courses = [course(grants=()), course("504-drill", grants=())]
    online, room = b.e_learning(), b.class_("504-c20", "504-drill", sessions=[b.session(days(20))])
    assert settled(certified("504-fire", "504-drill", courses=courses, classes=[online, room])).place.class_ is online
    two = [on(20), room]
    found = settled(certified("504-fire", "504-drill", courses=courses, classes=two))
    assert (found.outcome, found.subscribes, len(found.options)) == (Outcome.MULTIPLE_OPTIONS, True, 2)


def test_where_all_are_needed_they_are_taken_one_after_the_other():
    courses = [course(grants=()), course("504-drill", grants=())]
    classes = [b.e_learning(), b.e_learning("504-e2", "504-drill")]
    both = {"courses": courses, "classes": classes, "min_components": None}
    assert settled(certified("504-fire", "504-drill", **both)).place.class_.id == "504-e1"
    to = certification("504-fire", "504-drill", min_components=None)
    taking = b.learner(subscriptions=(subscribed(to),), enrolments=(b.enrolment(at=b.e_learning(), grants=()),))
    assert settled(certified("504-fire", "504-drill", learner=taking, **both)) is None


def test_whoever_subscribes_already_goes_on_inside_and_is_not_subscribed_again():
    learner = b.learner(subscriptions=(subscribed(certification("504-fire")),))
    found = settled(certified(learner=learner))
    assert (found.outcome, found.subscribes) == (Outcome.BOOKED, False)
    assert settled(certified(learner=learner, auto_enrol=False)) is None


def test_at_the_e_learning_limit_the_classroom_alone_is_left_and_that_is_why():
    parts = (Component("504-fire", Mode.E_LEARNING), Component("504-fire", Mode.CLASSROOM))
    terms = {"max_consecutive_elearning": 1}
    for periods, taken in ((0, "504-e1"), (1, "504-c20")):
        learner = b.learner(subscriptions=(subscribed(certification(*parts, **terms), periods),))
        found = settled(certified(*parts, classes=[b.e_learning(), on(20)], learner=learner, **terms))
        assert found.place.class_.id == taken
    assert [each.struck for each in found.candidates] == [Struck.E_LEARNING, None]


def test_a_subscription_cancelled_lately_is_left_alone():
    ended = subscribed(certification("504-fire")).moved_to(certifications.Status.CANCELLED, NOW, "p1")
    assert settled(certified(learner=b.learner(subscriptions=(ended,)))).outcome is Outcome.WITHDRAWN


def test_a_request_that_was_rejected_lately_is_left_alone_though_it_never_began():
    asked = certifications.requested(None, "504-safe", "p1", "504", "p2", NOW - timedelta(days=2))
    for ago, expected in ((13, Outcome.WITHDRAWN), (14, Outcome.BOOKED)):
        rejected = asked.moved_to(certifications.Status.REJECTED, NOW - timedelta(days=ago), "p2", "Not this year.")
        assert settled(certified(learner=b.learner(subscriptions=(rejected,)))).outcome is expected


def test_while_a_request_waits_for_approval_nothing_is_arranged():
    asked = certifications.requested(None, "504-safe", "p1", "504", "p2", NOW)
    assert settled(certified(learner=b.learner(subscriptions=(asked,)))) is None


@pytest.mark.parametrize("subscribes", [True, False])
def test_a_component_given_back_lately_is_booked_for_none_of_what_its_certification_awards(subscribes):
    to = certification("504-x", "504-y", grants=(Grants(FIRE), Grants(MOVING)), min_components=None)
    held = () if subscribes else (subscribed(to),)
    classes = [b.e_learning("504-e0", "504-x"), b.e_learning("504-e2", "504-y")]
    for ago, expected in ((13, Outcome.WITHDRAWN), (14, Outcome.BOOKED)):
        given = replace(
            case([course("504-x", grants=()), course("504-y", grants=())], classes, rulebook=BOTH),
            learner=b.learner(enrolments=(x_given_back(ago),), subscriptions=held),
        )
        given = replace(given, catalogue=replace(given.catalogue, certifications={to.id: to}))
        for competency in (FIRE, MOVING):
            found = settled(given, competency)
            assert (found.outcome, found.subscribes) == (expected, subscribes and expected is Outcome.BOOKED)


def certified_by(to, ago):
    """A subscription to a certification, certified so many days ago."""
    made = certifications.begun(None, to, "p1", "504", days(-ago), "p1", NOW - timedelta(days=ago))
    done = certifications.Completion("504-e1~1", days(-ago), "504-fire", Mode.E_LEARNING)
    return certifications.progressed(made, done, {}, "p8", NOW - timedelta(days=ago))


@pytest.mark.parametrize("changes", [{"validity_months": 36}, {"validity_months": None}, {"auto_enrol": False}])
def test_a_certification_that_asks_for_nothing_now_is_no_reason_to_pass_somebody_over(changes):
    to = certification("504-fire", **{"validity_months": 36, **changes})
    learner = b.learner(subscriptions=(certified_by(to, 400),))
    found = settled(certified(courses=[course()], learner=learner, **{"validity_months": 36, **changes}))
    assert (found.outcome, found.place.class_.id, found.subscribes) == (Outcome.BOOKED, "504-e1", False)
    struck = Struck.SUBSCRIBED if changes.get("auto_enrol", True) else Struck.NOT_AUTOMATIC
    assert {each.item.id: each.struck for each in found.candidates} == {"504-safe": struck, "504-fire": None}


def test_it_does_not_hide_one_that_is_under_way():
    held = replace(certification("504-fire", validity_months=None, auto_enrol=False), id="504-old")
    given = certified(learner=b.learner(subscriptions=(certified_by(held, 400), subscribed(certification("504-fire")))))
    known = {**given.catalogue.certifications, held.id: held}
    found = settled(replace(given, catalogue=replace(given.catalogue, certifications=known)))
    assert (found.outcome, found.certification.id) == (Outcome.BOOKED, "504-safe")
