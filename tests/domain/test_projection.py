"""Snapshots say what a live evaluation says, on every day until the one they name, and keep only what can still matter."""

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.domain.calendar import add_months
from chalicelib.domain.competency import Award, Competency, Origin
from chalicelib.domain.compliance import Colour, Reason, best
from chalicelib.domain.enrolment import Status
from chalicelib.domain.people import Employment, EmploymentKind, Membership, PeriodOfService
from chalicelib.domain.projection import NOTHING, UNASSIGNED, Counts, amber_from, deciding, facts_of, judge
from chalicelib.domain.requirements import Exemption, Requirement, Rulebook, Target, TargetKind
from chalicelib.storage.snapshots import SnapshotRow, _membership
from tests import builders as b
from tests.builders import FIRE, INDUCTION, MOVING, TODAY

NAMES = (FIRE, MOVING, INDUCTION)
DAY_0 = date(2028, 2, 1)  # a leap year: months of 29, 31 and 30 days
SPAN = 100

days = st.integers(0, SPAN).map(lambda number: DAY_0 + timedelta(number))
ends = st.one_of(st.none(), st.none(), days)  # mostly open, so that much of what is drawn is in force
beginnings = st.one_of(st.just(DAY_0), st.just(DAY_0), days)
names = st.sampled_from(NAMES)
levels = st.sampled_from([1, 1, 2])
rarely = st.sampled_from([False] * 5 + [True])


def after(start, length):
    return None if length is None else start + timedelta(length)


@st.composite
def employments(draw):
    starts_on = draw(beginnings)
    earlier = ()
    if draw(st.booleans()) and starts_on > DAY_0 + timedelta(5):
        first = DAY_0 - timedelta(draw(st.integers(0, 50)))
        kind = draw(st.sampled_from(EmploymentKind))
        earlier = (PeriodOfService(kind, first, starts_on - timedelta(draw(st.integers(1, 5)))),)
    length = draw(st.one_of(st.none(), st.none(), st.integers(0, SPAN)))
    return Employment("504", draw(st.sampled_from(EmploymentKind)), "1", starts_on, after(starts_on, length), earlier)


@st.composite
def assignments(draw):
    found = []
    for number in range(draw(st.sampled_from([0, 1, 1, 2, 3]))):
        edges = sorted(draw(st.lists(beginnings, min_size=1, max_size=3, unique=True)))
        for start, following in zip(edges, (*edges[1:], None), strict=True):
            latest = following - timedelta(1) if following else None
            end = (
                draw(st.sampled_from([latest, latest, start]))
                if latest
                else draw(st.none() | st.just(start + timedelta(20)))
            )
            found.append(
                b.assignment(
                    str(number),
                    draw(st.sampled_from(["ward-9", "ward-10", "estates"])),
                    start,
                    end,
                    primary=draw(st.booleans()),
                    position=draw(st.sampled_from(["nurse-9", "porter"])),
                )
            )
    return tuple(found)


@st.composite
def memberships(draw):
    start = draw(beginnings)
    end = draw(st.none() | st.integers(0, SPAN).map(lambda length: start + timedelta(length)))
    return Membership(draw(st.sampled_from(["agency", "bank"])), start, end)


@st.composite
def awards(draw):
    awarded_on = draw(beginnings)
    expires_on = draw(st.none() | st.integers(0, SPAN).map(lambda length: awarded_on + timedelta(length)))
    source = draw(st.sampled_from("abc"))
    return Award(draw(names), draw(levels), awarded_on, expires_on, draw(st.sampled_from(Origin)), source, draw(rarely))


@st.composite
def enrolments(draw):
    day = draw(days)
    at = b.class_(sessions=[b.session(day)])
    status = draw(st.sampled_from([Status.CONFIRMED, Status.CONFIRMED, Status.WAITLISTED, Status.COMPLETED]))
    grants = (b.Grants(draw(names), draw(levels)),)
    return b.enrolment(status, at, grants=grants)


@st.composite
def learners(draw):
    exempt = st.builds(
        lambda name, start, length: Exemption(name, "pregnancy", start, start + timedelta(length)),
        names,
        days,
        st.integers(0, 40),
    )
    return b.learner(
        employment=draw(employments()),
        assignments=draw(assignments()),
        memberships=tuple(draw(st.lists(memberships(), max_size=3))),
        awards=tuple(draw(st.lists(awards(), max_size=6))),
        exemptions=tuple(draw(st.lists(exempt, max_size=2))),
        enrolments=tuple(draw(st.lists(enrolments(), max_size=2))),
    )


targets = st.sampled_from(
    [
        Target(TargetKind.EMPLOYER, "504"),
        Target(TargetKind.UNIT, "surgery"),
        Target(TargetKind.UNIT, "ward-9"),
        Target(TargetKind.POSITION, "nurse-9"),
        Target(TargetKind.LEARNER_GROUP, "agency"),
        Target(TargetKind.PERSON, "p1"),
    ]
)


@st.composite
def moving(draw, unit):
    """The unit, or as it may be moved about, also into circles, which judging has to survive."""
    for _ in range(draw(st.sampled_from([0, 0, 1, 2]))):
        unit = unit.moved(draw(st.sampled_from(["surgery", "estates", "504"])), draw(days))
    return unit


@st.composite
def rulebooks(draw):
    by_target = {}
    for _ in range(draw(st.integers(1, 6))):
        rule = Requirement(draw(targets), draw(names), draw(levels), draw(beginnings), draw(ends))
        by_target.setdefault(rule.target, []).append(rule)
    known = [b.competency(name) for name in NAMES]
    covering = draw(st.booleans())
    competencies = {
        each.name: Competency(
            each.name,
            each.title,
            each.subject,
            each.renewal_months,
            covers=(INDUCTION,) if covering and each.name == MOVING else (),
            starts_on=draw(ends),
            ends_on=draw(ends),
        )
        for each in known
    }
    units = {unit.id: draw(moving(unit)) for unit in b.UNITS}
    rules = {target: tuple(found) for target, found in by_target.items()}
    return Rulebook("504", (1, 1), rules, units, competencies, amber_months=draw(st.integers(0, 3)))


def required_rows(learner, rulebook, day):
    """What a live evaluation says is required: competency, level, colour, expiry."""
    standings = learner.compliance_on(day, rulebook)
    return {each.competency: (each.required.level, each.colour, each.expires_on) for each in standings if each.required}


def projected(learner, rulebook, day):
    return {facts.number: judge(facts, rulebook, day) for facts in facts_of(learner, day)}


def said(snapshot):
    return snapshot and (snapshot.unit, snapshot.counted, snapshot.rows)


@settings(max_examples=150)
@given(learners(), rulebooks(), days)
def test_the_snapshots_of_a_learner_together_say_what_a_live_evaluation_says(learner, rulebook, day):
    rows = [row for each in projected(learner, rulebook, day).values() for row in each.rows]
    by_name = {row.competency: row for row in sorted(rows, key=lambda row: row.level)}
    found = {name: (row.level, row.colour, row.expires_on) for name, row in by_name.items()}
    assert found == required_rows(learner, rulebook, day)


@settings(max_examples=250)
@given(learners(), rulebooks(), days, st.integers(1, SPAN))
def test_until_the_day_it_names_time_alone_changes_nothing(learner, rulebook, day, later):
    for number, now in projected(learner, rulebook, day).items():
        following = now.next_change_on or date.max
        for other in {day + timedelta(later), min(following, date(2028, 12, 31)) - timedelta(1)}:
            if day <= other < following:
                assert said(projected(learner, rulebook, other).get(number)) == said(now)


@settings(max_examples=100)
@given(learners(), rulebooks(), days, days)
def test_a_snapshot_judged_again_later_is_what_the_records_would_give_then(learner, rulebook, day, later):
    """What was left out as of a day never matters later: neither rows nor the facts that are kept differ."""
    if later < day:
        return
    again = {
        number: judge(each.facts, rulebook, later)
        for number, each in projected(learner, rulebook, day).items()
        if not each.facts.over_on(later)
    }
    assert again == projected(learner, rulebook, later)


@given(learners(), rulebooks(), days)
def test_a_snapshot_is_the_same_after_it_was_stored(learner, rulebook, day):
    for snapshot in projected(learner, rulebook, day).values():
        assert SnapshotRow.of(snapshot).snapshot() == snapshot


@given(st.lists(awards(), max_size=8), days, st.integers(0, SPAN), st.integers(0, 2))
def test_the_awards_kept_decide_what_all_would_have_decided(held, day, later, level):
    def decided(among):
        award = best(among, level, day + timedelta(later))
        return award and (award.expires_on, award.awarded_on)

    assert decided(deciding(held, day)) == decided(held)


@given(st.dates(date(2024, 1, 1), date(2030, 1, 1)), st.integers(0, 14))
def test_amber_begins_on_the_first_day_whose_window_reaches_the_expiry(expiry, months):
    first = amber_from(expiry, months)
    assert expiry <= add_months(first, months)
    assert add_months(first - timedelta(1), months) < expiry


@pytest.mark.parametrize(
    ("expiry", "first"),
    [
        (date(2027, 5, 31), date(2027, 3, 1)),  # 28 February plus three months is 28 May
        (date(2028, 5, 29), date(2028, 2, 29)),
        (date(2027, 2, 28), date(2026, 11, 28)),
    ],
)
def test_amber_begins_right_at_ends_of_months(expiry, first):
    assert amber_from(expiry, 3) == first


# --- counting -------------------------------------------------------------------------------------------------


def only(learner, rulebook, day=TODAY):
    (snapshot,) = projected(learner, rulebook, day).values()
    return snapshot


ASKED = b.rulebook(b.requirement(FIRE), b.requirement(MOVING), b.requirement(INDUCTION))


def test_an_assignment_counts_its_rows_by_colour():
    held = (b.award(FIRE), b.award_expiring(TODAY + timedelta(30), MOVING))
    snapshot = only(b.learner(awards=held), ASKED)
    assert snapshot.total == Counts(assignments=1, required=3, achieved=2, expiring=1)
    assert snapshot.by_competency[MOVING] == Counts(1, 1, 1, 1)


def test_a_booked_class_counts_for_a_red_or_amber_row_and_not_for_a_green_one():
    booked = b.enrolment(grants=(b.Grants(FIRE),))
    assert only(b.learner(enrolments=(booked,)), ASKED).total.future == 1
    assert only(b.learner(enrolments=(booked,), awards=(b.award(FIRE),)), ASKED).total.future == 0
    waiting = replace(booked, status=Status.WAITLISTED)
    assert only(b.learner(enrolments=(waiting,)), ASKED).total.future == 0
    undated = b.enrolment(at=b.e_learning(), grants=(b.Grants(FIRE),))
    assert only(b.learner(enrolments=(undated,)), ASKED).total.future == 0


def test_a_green_row_changes_when_amber_begins_and_an_amber_one_after_its_last_day():
    learner = b.learner(awards=(b.award_expiring(date(2027, 5, 31)),))
    green = only(learner, b.rulebook(b.requirement(FIRE)))
    assert green.next_change_on == date(2027, 3, 1)
    amber = judge(green.facts, b.rulebook(b.requirement(FIRE)), date(2027, 3, 1))
    assert (amber.rows[0].colour, amber.next_change_on) == (Colour.AMBER, date(2027, 6, 1))


def test_an_award_dated_ahead_changes_a_row_on_its_day_also_through_a_competency_it_covers():
    ahead = b.award(MOVING, TODAY + timedelta(7))
    covering = replace(ASKED.competencies[MOVING], covers=(FIRE,))
    asked = replace(b.rulebook(b.requirement(FIRE)), competencies={**ASKED.competencies, MOVING: covering})
    assert only(b.learner(awards=(ahead,)), asked).next_change_on == TODAY + timedelta(7)
    assert only(b.learner(awards=(ahead,)), b.rulebook(b.requirement(MOVING))).next_change_on == TODAY + timedelta(7)
    assert only(b.learner(awards=(ahead,)), b.rulebook(b.requirement(FIRE))).next_change_on is None


def test_a_booked_class_counts_until_its_day_and_then_the_next_one_does():
    first, second = (b.class_(f"504-c{day}", sessions=[b.session(date(2026, 12, day))]) for day in (1, 8))
    learner = b.learner(enrolments=(b.enrolment(at=first), b.enrolment(at=second)))
    snapshot = only(learner, b.rulebook(b.requirement(FIRE)))
    assert (snapshot.rows[0].future_on, snapshot.next_change_on) == (date(2026, 12, 1), date(2026, 12, 2))
    again = judge(snapshot.facts, b.rulebook(b.requirement(FIRE)), date(2026, 12, 2))
    assert (again.rows[0].future_on, again.next_change_on) == (date(2026, 12, 8), date(2026, 12, 9))


def test_a_class_that_awards_a_lower_level_than_required_forecasts_nothing():
    booked = b.enrolment(grants=(b.Grants(FIRE, 1),))
    asked = b.rulebook(b.requirement(FIRE, level=2))
    assert only(b.learner(enrolments=(booked,)), asked).rows[0].future_on is None


def test_an_applicant_is_not_counted_before_the_first_day_and_sees_what_the_job_requires():
    coming = Employment("504", EmploymentKind.APPLICANT, "1", date(2026, 12, 1))
    applicant = b.learner(employment=coming, assignments=(b.assignment(starts_on=date(2026, 12, 1)),))
    snapshot = only(applicant, ASKED)
    assert (snapshot.unit, snapshot.counted, snapshot.total, len(snapshot.rows)) == ("ward-9", False, NOTHING, 3)
    assert snapshot.next_change_on == date(2026, 12, 1)
    assert only(applicant, ASKED, date(2026, 12, 1)).counted


def test_an_external_learner_has_one_snapshot_under_no_number_and_counts_in_no_unit():
    asked = b.rulebook(b.requirement(FIRE, TargetKind.LEARNER_GROUP, "agency"), b.requirement(MOVING))
    snapshot = only(b.learner(EmploymentKind.EXTERNAL, assignments=(), groups=("agency",)), asked)
    assert (snapshot.facts.number, snapshot.unit, snapshot.total) == (UNASSIGNED, None, NOTHING)
    assert [row.competency for row in snapshot.rows] == [FIRE]


def test_requirements_of_a_group_belong_to_the_primary_assignment():
    asked = b.rulebook(b.requirement(FIRE, TargetKind.LEARNER_GROUP, "agency"))
    held = (b.assignment("1", primary=False), b.assignment("2"), b.assignment("3", primary=False))
    found = projected(b.learner(assignments=held, groups=("agency",)), asked, TODAY)
    assert {number: len(each.rows) for number, each in found.items()} == {"1": 0, "2": 1, "3": 0}


def test_when_the_primary_assignment_ends_another_carries_them_from_the_next_day():
    asked = b.rulebook(b.requirement(FIRE, TargetKind.LEARNER_GROUP, "agency"))
    held = (b.assignment("1", primary=False), b.assignment("2", ends_on=TODAY))
    found = projected(b.learner(assignments=held, groups=("agency",)), asked, TODAY)
    assert [len(found[number].rows) for number in "12"] == [0, 1]
    tomorrow = TODAY + timedelta(1)
    assert found["1"].next_change_on == tomorrow
    assert len(judge(found["1"].facts, asked, tomorrow).rows) == 1


def test_a_membership_is_required_from_its_first_to_its_last_day_and_the_snapshot_knows_the_days():
    asked = b.rulebook(b.requirement(FIRE, TargetKind.LEARNER_GROUP, "agency"))
    first, last = TODAY + timedelta(2), TODAY + timedelta(5)
    snapshot = only(b.learner(memberships=(Membership("agency", first, last),)), asked)
    assert (snapshot.rows, snapshot.next_change_on) == ((), first)
    joined = judge(snapshot.facts, asked, first)
    assert (len(joined.rows), joined.next_change_on) == (1, last + timedelta(1))
    gone = judge(joined.facts, asked, last + timedelta(1))
    assert (gone.rows, gone.next_change_on, gone.facts.memberships) == ((), None, ())


def test_a_snapshot_from_before_memberships_had_days_is_read_as_since_ever():
    facts = only(b.learner(memberships=(Membership("agency", date(1900, 1, 1)),)), b.rulebook()).facts
    assert _membership("agency") == facts.memberships[0]


def test_nobody_is_projected_once_they_have_left():
    gone = b.learner(employment=Employment("504", EmploymentKind.EMPLOYEE, "1", date(2024, 1, 1), date(2026, 11, 22)))
    assert facts_of(gone, TODAY) == ()
    assert only(gone, ASKED, date(2026, 11, 22)).next_change_on == TODAY


def test_dates_at_the_end_of_the_calendar_do_no_harm():
    forever = b.award(FIRE, expires_on=date.max)
    employment = Employment("504", EmploymentKind.EMPLOYEE, "1", date(2024, 1, 1), date.max)
    learner = b.learner(employment=employment, assignments=(b.assignment(ends_on=date.max),), awards=(forever,))
    snapshot = only(learner, b.rulebook(b.requirement(FIRE, ends_on=date.max)))
    assert snapshot.rows[0].reason is Reason.VALID
    assert snapshot.rows[0].colour is Colour.GREEN
