"""The plan of the demo trust holds together: it obeys the domain's rules, and every rule has something to show."""

import os
import subprocess
import sys
from collections import Counter, defaultdict
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from infrastructure.demo.plan import plan_trust
from infrastructure.demo.schedule import training_days
from infrastructure.demo.trust import SEAT_STATUSES, Enrolment, LearningClass, Trust

from .conftest import TODAY, Recount, compliance, plan

ROOT = Path(__file__).parents[2]


# --- Determinism ------------------------------------------------------------------------------------------------------


def test_the_same_input_gives_the_same_plan_byte_for_byte_in_another_process() -> None:
    program = (
        "import datetime, hashlib\n"
        "from infrastructure.demo.plan import plan_trust\n"
        "plan = plan_trust(130, today=datetime.date(2026, 11, 23))\n"
        "print(hashlib.sha256(repr(plan).encode()).hexdigest())"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", program],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(digests) == 1


def test_a_larger_trust_keeps_the_people_of_a_smaller_one() -> None:
    smaller, larger = plan(500).organisation, plan(10_000).organisation
    theirs = {person.id: person for person in larger.people}
    assert all(theirs[person.id] == person for person in smaller.people if person.status == "external learner")
    places = {each.number: each for each in larger.assignments}
    # The last few departments take in those too few for one more; the others stay as they are.
    moved = [each for each in smaller.assignments if places.get(each.number) != each]
    assert len(moved) < 60


def test_the_rate_of_compliance_does_not_hang_on_the_day() -> None:
    days = [date(2027, 1, 4), date(2028, 2, 29), date(2026, 8, 31)]
    rates = [compliance(Recount(plan_trust(200, today=day)).rows()) for day in days]
    assert max(rates) - min(rates) < 0.5


@pytest.mark.parametrize("staff", [99, 10_001, 0, -1])
def test_other_staff_numbers_are_refused(staff: int) -> None:
    with pytest.raises(ValueError, match="between 100 and 10000"):
        plan_trust(staff, today=TODAY)


# --- Organisation -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("staff", [100, 101, 109, 118, 137, 500, 777, 1000, 10_000])
def test_there_are_as_many_employees_as_asked_for_in_departments_of_12_to_30(staff: int) -> None:
    organisation = plan(staff).organisation
    assert sum(person.status == "employee" for person in organisation.people) == staff
    employees = {person.id for person in organisation.people if person.status == "employee"}
    sizes = Counter(each.unit_id for each in organisation.assignments if each.primary and each.person_id in employees)
    assert set(sizes) == {unit.id for unit in organisation.units if unit.level == "department"}
    assert min(sizes.values()) >= 12
    assert max(sizes.values()) <= 30


def test_some_are_applicants_some_are_external_learners_and_about_six_in_a_hundred_have_two_assignments(
    default_trust: Trust,
) -> None:
    organisation = default_trust.organisation
    statuses = Counter(person.status for person in organisation.people)
    assert statuses == {"employee": 500, "applicant": 15, "external learner": 15}
    seconds = [each for each in organisation.assignments if not each.primary]
    assert 20 <= len(seconds) <= 40
    assert len({each.person_id for each in seconds}) == len(seconds)


def test_everybody_but_external_learners_has_one_primary_assignment(trust: Trust) -> None:
    primaries = Counter(each.person_id for each in trust.organisation.assignments if each.primary)
    expected = {person.id for person in trust.organisation.people if person.status != "external learner"}
    assert set(primaries) == expected
    assert set(primaries.values()) == {1}


def test_people_cannot_be_mistaken_for_one_another_or_written_to(trust: Trust) -> None:
    people = trust.organisation.people
    for values in (
        [person.id for person in people],
        [person.employee_number for person in people],
        [person.login for person in people],
        [person.email for person in people],
    ):
        assert len(set(values)) == len(people)
    assert all(len(person.employee_number) == 8 and person.employee_number.isdigit() for person in people)
    assert all(person.login == f"504-{person.employee_number}" for person in people)
    assert all(person.email.isascii() and person.email.endswith(".nhs.invalid") for person in people)


def test_supervisors_form_one_tree(trust: Trust) -> None:
    above: dict[str, set[str]] = defaultdict(set)
    for assignment in trust.organisation.assignments:
        above[assignment.person_id] |= {assignment.supervisor_id} if assignment.supervisor_id else set()
    heads = [each.person_id for each in trust.organisation.assignments if each.supervisor_id is None]
    assert len(heads) == 1

    def climb(person_id: str, seen: tuple[str, ...]) -> None:
        assert person_id not in seen, "a circle of supervisors"
        for supervisor in above[person_id]:
            climb(supervisor, (*seen, person_id))
        assert above[person_id] or person_id == heads[0]

    for person_id in list(above):
        climb(person_id, ())


def test_every_id_leads_somewhere(trust: Trust) -> None:
    organisation, catalogue = trust.organisation, trust.catalogue
    units = {unit.id: unit for unit in organisation.units}
    groups = {group.id for group in organisation.staff_groups}
    jobs = {job.id: job for job in organisation.jobs}
    positions = {position.id: position for position in organisation.positions}
    people = {person.id for person in organisation.people}
    learner_groups = {group.id for group in organisation.learner_groups}
    competencies = {each.name for each in trust.framework.competencies}
    courses = {course.id: course for course in catalogue.courses}
    offerings = {offering.id: offering for offering in catalogue.offerings}
    categories = {category.id for category in catalogue.categories}
    venues = {venue.id for venue in catalogue.venues}
    classes = {each.id for each in trust.classes}
    for rows in (units, jobs, positions, courses, offerings):
        assert rows
    assert len(positions) == len(organisation.positions)
    assert len(competencies) == len(trust.framework.competencies)
    assert len(classes) == len(trust.classes)

    assert [unit.id for unit in units.values() if unit.parent_id is None] == ["504"]
    assert all(unit.parent_id in units for unit in units.values() if unit.level != "employer")
    assert all(job.staff_group_id in groups for job in jobs.values())
    for position in positions.values():
        assert units[position.unit_id].level == "department"
        assert position.staff_group_id == jobs[position.job_id].staff_group_id
    for assignment in organisation.assignments:
        position = positions[assignment.position_id]
        assert (assignment.unit_id, assignment.job_id, assignment.staff_group_id) == (
            position.unit_id,
            position.job_id,
            position.staff_group_id,
        )
        assert assignment.person_id in people
        assert assignment.supervisor_id is None or assignment.supervisor_id in people
    targets = {
        "employer": {"504"},
        "unit": set(units),
        "staff group": groups,
        "job": set(jobs),
        "position": set(positions),
        "learner group": learner_groups,
        "person": people,
    }
    for requirement in trust.framework.requirements:
        assert requirement.target_id in targets[requirement.target_kind]
        assert requirement.competency in competencies
    for group in organisation.learner_groups:
        assert set(group.member_ids) <= people
    for course in courses.values():
        assert course.category_id in categories
        assert set(course.awards) <= competencies
    for offering in offerings.values():
        assert offering.course_id in courses
    for rule in catalogue.access_rules:
        assert rule.course_id in courses
        assert rule.target_id in (positions if rule.target_kind == "position" else {""})
    teaching = {each.person_id: each.course_ids for each in catalogue.instructors}
    for each in trust.classes:
        assert offerings[each.offering_id].course_id == each.course_id
        assert (each.venue_id is None) == (offerings[each.offering_id].mode == "online classroom")
        assert each.venue_id is None or each.venue_id in venues
        assert each.course_id in teaching[each.instructor_id]
    for award in trust.awards:
        assert award.person_id in people
        assert award.competency in competencies
        assert award.course_id is None or award.competency in courses[award.course_id].awards
        assert award.class_id is None or award.class_id in classes
    for enrolment in trust.enrolments:
        assert enrolment.class_id in classes
        assert enrolment.person_id in people
    for grant in organisation.grants:
        assert grant.person_id in people
        assert set(grant.subjects) <= categories


def test_one_ready_sign_in_for_each_role(trust: Trust) -> None:
    organisation = trust.organisation
    people = {person.id: person for person in organisation.people}
    sign_ins = {each.role: each for each in organisation.sign_ins}
    assert list(sign_ins) == [
        "national administrator",
        "learning administrator",
        "class administrator",
        "instructor",
        "workforce feed",
        "manager",
        "employee",
        "applicant",
        "external learner",
    ]
    granted = {(grant.person_id, grant.role): grant for grant in organisation.grants}
    for role in (
        "national administrator",
        "learning administrator",
        "class administrator",
        "instructor",
        "workforce feed",
    ):
        assert (sign_ins[role].person_id, role) in granted
    assert granted[sign_ins["class administrator"].person_id, "class administrator"].subjects == ("resuscitation",)
    assert any(each.instructor_id == sign_ins["instructor"].person_id for each in trust.classes)
    team = [each for each in organisation.assignments if each.supervisor_id == sign_ins["manager"].person_id]
    assert len(team) >= 11
    assert sign_ins["employee"].person_id in {each.person_id for each in team}
    assert people[sign_ins["applicant"].person_id].status == "applicant"
    assert people[sign_ins["external learner"].person_id].status == "external learner"
    assert all(each.login == people[each.person_id].login for each in sign_ins.values())


# --- Rules and compliance --------------------------------------------------------------------------------------


def test_the_manager_is_exempt_from_something_required_for_a_while(trust: Trust) -> None:
    (exemption,) = trust.framework.exemptions
    manager = next(each.person_id for each in trust.organisation.sign_ins if each.role == "manager")
    assert exemption.person_id == manager
    assert exemption.start == trust.today < exemption.end
    staff_groups = {each.staff_group_id for each in trust.organisation.assignments if each.person_id == manager}
    assert any(
        each.competency == exemption.competency and each.target_id in staff_groups
        for each in trust.framework.requirements
    )


def test_a_higher_level_counts_for_the_lower_ones(default_trust: Trust) -> None:
    covers = {each.name: each.covers for each in default_trust.framework.competencies if each.covers}
    ((name, covered),) = covers.items()
    assert "Level 3" in name
    assert [("Level 1" in each, "Level 2" in each) for each in covered] == [(True, False), (False, True)]


def test_13_to_25_requirements_for_each_assignment(trust: Trust, recount: Recount) -> None:
    counts = [len(recount.required(each)) for each in trust.organisation.assignments]
    assert min(counts) >= 13
    assert max(counts) <= 25
    assert 17.5 <= sum(counts) / len(counts) <= 20


def test_about_88_per_cent_of_requirements_are_achieved(recount: Recount) -> None:
    assert compliance(recount.rows()) == pytest.approx(88, abs=2)


def test_every_colour_is_there(recount: Recount) -> None:
    rows = recount.rows()
    shares = {colour: count / len(rows) for colour, count in Counter(row.colour for row in rows).items()}
    assert set(shares) == {"red never", "red expired", "amber", "green"}
    assert min(shares.values()) > 0.02
    assert len(recount.blue()) > len(recount.active_assignments()) / 4


def test_the_employee_who_signs_in_sees_every_colour(trust: Trust, recount: Recount) -> None:
    employee = next(each.person_id for each in trust.organisation.sign_ins if each.role == "employee")
    colours = {row.colour for row in recount.rows() if row.assignment.person_id == employee}
    assert colours == {"red never", "red expired", "amber", "green"}
    assert any(award.person_id == employee for award in recount.blue())


def test_departments_differ(default_recount: Recount) -> None:
    rows = defaultdict(list)
    for row in default_recount.rows():
        rows[row.assignment.unit_id].append(row)
    rates = sorted(compliance(each) for each in rows.values())
    assert rates[0] < 82
    assert rates[-1] > 92


def test_a_requirement_may_come_from_several_sides_and_one_is_still_to_come(default_trust: Trust) -> None:
    requirements = default_trust.framework.requirements
    assert {each.target_kind for each in requirements} == {
        "employer",
        "unit",
        "staff group",
        "job",
        "position",
        "learner group",
        "person",
    }
    assert any(each.valid_from > TODAY for each in requirements)


def test_all_eleven_subjects_of_the_framework_are_there_under_names_of_the_pattern(default_trust: Trust) -> None:
    competencies = default_trust.framework.competencies
    assert len({each.subject for each in competencies if each.framework == "CSTF"}) == 11
    names = {each.name for each in competencies}
    assert "NHS|CSTF|Fire Safety - 1 Year|" in names
    assert "NHS|CSTF|Fire Safety - 2 Years|" in names
    assert "NHS|CSTF|Resuscitation - Level 2 - Adult Basic Life Support - 1 Year|" in names
    assert "504|LOCAL|Trust Welcome Day - No Specified Renewal|" in names
    assert any(name.startswith("NHS|MAND|") for name in names)


def test_no_award_lies_ahead_and_none_but_transfers_before_the_first_day(trust: Trust) -> None:
    starts = {person.id: person.start for person in trust.organisation.people}
    national = {each.name for each in trust.framework.competencies if each.owner == "NHS"}
    for award in trust.awards:
        assert award.awarded_on < trust.today
        if award.origin == "course":
            assert award.awarded_on >= starts[award.person_id]
            assert award.course_id is not None
        else:
            assert award.competency in national
            assert award.awarded_on < starts[award.person_id]
    keys = [(award.person_id, award.competency, award.awarded_on) for award in trust.awards]
    assert len(set(keys)) == len(keys)


# --- Classes and bookings ---------------------------------------------------------------------------------------------


def test_classes_lie_on_working_days_of_the_last_four_and_the_next_eight_weeks(trust: Trust) -> None:
    days = {each.start.date() for each in trust.classes}
    assert min(days) >= TODAY - timedelta(weeks=4)
    assert max(days) <= TODAY + timedelta(weeks=8)
    assert TODAY not in days
    assert all(day.weekday() < 5 for day in days)
    assert not any(date(2026, 12, 24) <= day <= date(2027, 1, 3) for day in days)
    assert all(each.start.date() == each.end.date() and each.start < each.end for each in trust.classes)
    assert any(each.start.date() < TODAY for each in trust.classes)


def test_nobody_trains_on_a_bank_holiday() -> None:
    days = training_days(date(2027, 1, 1), date(2027, 12, 31))
    holidays = [(1, 1), (3, 26), (3, 29), (5, 3), (5, 31), (8, 30), (12, 27), (12, 28)]
    assert not [day for day in days if (day.month, day.day) in holidays]
    assert len(days) == 249


def test_no_room_and_no_instructor_is_needed_twice_at_once(trust: Trust) -> None:
    for who in ("venue_id", "instructor_id"):
        by_owner: dict[str, list[LearningClass]] = defaultdict(list)
        for each in trust.classes:
            if getattr(each, who) is not None:
                by_owner[getattr(each, who)].append(each)
        for classes in by_owner.values():
            for earlier, later in pairwise(classes):
                assert earlier.end <= later.start, f"{who}: {earlier.id} and {later.id}"


def test_rooms_are_large_enough(trust: Trust) -> None:
    places = {venue.id: venue.places for venue in trust.catalogue.venues}
    for each in trust.classes:
        assert 1 <= each.minimum <= each.maximum
        assert each.venue_id is None or each.maximum <= places[each.venue_id]


def _seats(enrolments: list[Enrolment]) -> int:
    return sum(each.status in SEAT_STATUSES for each in enrolments)


def _by_class(trust: Trust) -> dict[str, list[Enrolment]]:
    enrolments: dict[str, list[Enrolment]] = defaultdict(list)
    for each in trust.enrolments:
        enrolments[each.class_id].append(each)
    return enrolments


def test_no_class_has_more_people_than_places_and_full_means_full(trust: Trust) -> None:
    enrolments = _by_class(trust)
    for each in trust.classes:
        seats = _seats(enrolments[each.id])
        assert seats <= each.maximum
        assert (each.status == "Full") == (seats == each.maximum)
        if any(enrolment.status == "Waitlisted" for enrolment in enrolments[each.id]):
            assert each.status == "Full"
        if each.status in ("Planned", "Cancelled"):
            assert seats == 0


def test_there_is_a_small_full_class_a_nearly_full_one_and_one_short_of_its_minimum(trust: Trust) -> None:
    enrolments = _by_class(trust)
    ahead = [each for each in trust.classes if each.start.date() > TODAY and each.status in ("Normal", "Full")]
    full = [each for each in ahead if each.status == "Full" and each.maximum <= 4]
    assert full
    waiting = [each for each in enrolments[full[0].id] if each.status == "Waitlisted"]
    confirmed = [each for each in enrolments[full[0].id] if each.status == "Confirmed"]
    assert len(waiting) == 3
    assert max(each.placed_at for each in confirmed) < min(each.placed_at for each in waiting)
    assert any(each.maximum - _seats(enrolments[each.id]) == 1 for each in ahead)
    assert any(_seats(enrolments[each.id]) < each.minimum for each in ahead)
    assert {"Planned", "Cancelled"} <= {each.status for each in trust.classes}


def to_be_marked(trust: Trust) -> list[LearningClass]:
    confirmed = {each.class_id for each in trust.enrolments if each.status == "Confirmed"}
    return [each for each in trust.classes if each.start.date() < TODAY and each.id in confirmed]


def test_one_class_was_held_whose_register_the_instructor_who_signs_in_has_yet_to_mark(
    trust: Trust, recount: Recount
) -> None:
    (held,) = to_be_marked(trust)
    assert TODAY - held.start.date() <= timedelta(days=4)
    sign_ins = {each.role: each.person_id for each in trust.organisation.sign_ins}
    assert held.instructor_id == sign_ins["instructor"]
    roster = _by_class(trust)[held.id]
    assert {each.status for each in roster} == {"Confirmed"}
    assert len(roster) >= 4
    awards = next(course.awards for course in trust.catalogue.courses if course.id == held.course_id)
    colours = [recount.colour(each.person_id, awards[0]) for each in roster]
    assert any(colour.startswith("red") for colour in colours), "marking them changes compliance"


def test_a_class_for_two_has_one_place_that_those_who_sign_in_may_take(trust: Trust) -> None:
    enrolments = _by_class(trust)
    (small,) = [each for each in trust.classes if each.maximum == 2]
    assert (small.status, _seats(enrolments[small.id])) == ("Normal", 1)
    sign_ins = {each.person_id for each in trust.organisation.sign_ins}
    days = {each.id: each.start.date() for each in trust.classes}
    taken = {days[each.class_id] for each in trust.enrolments if each.person_id in sign_ins}
    assert small.start.date() not in taken


def test_two_of_the_team_of_the_manager_who_signs_in_wait_for_approval(trust: Trust) -> None:
    sign_ins = {each.role: each.person_id for each in trust.organisation.sign_ins}
    team = {
        each.person_id
        for each in trust.organisation.assignments
        if each.primary and each.supervisor_id == sign_ins["manager"]
    }
    asking = [each for each in trust.enrolments if each.status == "Requested" and each.person_id in team]
    assert len(asking) >= 2
    assert not {each.person_id for each in asking} & set(sign_ins.values())
    assert all(TODAY - each.placed_at.date() <= timedelta(days=2) for each in asking), "nobody is late to answer"


def test_one_waiting_list_is_by_need_and_needs_differ_on_it(trust: Trust, recount: Recount) -> None:
    (by_need,) = [each for each in trust.classes if each.by_need]
    assert by_need.status == "Full"
    waiting = [each for each in _by_class(trust)[by_need.id] if each.status == "Waitlisted"]
    awards = next(course.awards for course in trust.catalogue.courses if course.id == by_need.course_id)
    needs = {recount.colour(each.person_id, awards[0]).split()[0] for each in waiting}
    assert len(needs) > 1


def test_nobody_is_in_two_places_at_once_or_twice_in_one_class(trust: Trust) -> None:
    classes = {each.id: each for each in trust.classes}
    days = [(each.person_id, classes[each.class_id].start.date()) for each in trust.enrolments]
    assert len(set(days)) == len(days)
    teaching = {(each.instructor_id, each.start.date()) for each in trust.classes}
    assert not teaching & set(days)
    ahead = [each for each in trust.enrolments if classes[each.class_id].start.date() > TODAY]
    courses = [(each.person_id, classes[each.class_id].course_id) for each in ahead]
    assert len(set(courses)) == len(courses)


def test_bookings_come_before_their_class_and_while_the_person_is_here(trust: Trust) -> None:
    classes = {each.id: each for each in trust.classes}
    people = {person.id: person for person in trust.organisation.people}
    for each in trust.enrolments:
        assert people[each.person_id].status != "applicant"
        assert each.placed_at < classes[each.class_id].start
        assert people[each.person_id].start <= each.placed_at.date() < TODAY


def test_past_places_agree_with_awards(trust: Trust, recount: Recount) -> None:
    classes = {each.id: each for each in trust.classes}
    courses = {course.id: course for course in trust.catalogue.courses}
    awarded = {(award.person_id, award.class_id, award.competency) for award in trust.awards if award.class_id}
    completed: set[tuple[str, str, str]] = set()
    for each in trust.enrolments:
        class_ = classes[each.class_id]
        awards = courses[class_.course_id].awards
        past = class_.start.date() < TODAY and class_ not in to_be_marked(trust)
        assert past == (each.status in ("Completed", "Did Not Attend", "Attended – Not Completed"))
        if each.status == "Completed":
            completed |= {(each.person_id, each.class_id, name) for name in awards}
        elif past:
            assert recount.colour(each.person_id, awards[0]).startswith("red")
    assert awarded == completed
    for award in trust.awards:
        if award.class_id:
            assert award.awarded_on == classes[award.class_id].end.date()


def test_places_wait_for_approval_only_where_a_manager_must_approve(default_trust: Trust) -> None:
    classes = {each.id: each for each in default_trust.classes}
    approval = {rule.course_id for rule in default_trust.catalogue.access_rules if rule.mode == "approval"}
    requested = [each for each in default_trust.enrolments if each.status == "Requested"]
    assert requested
    assert all(classes[each.class_id].course_id in approval for each in requested)


# --- Catalogue --------------------------------------------------------------------------------------------------------


def test_most_courses_are_open_to_everybody_few_need_approval_and_one_is_kept_for_a_position(
    default_trust: Trust,
) -> None:
    catalogue = default_trust.catalogue
    modes = Counter((rule.target_kind, rule.mode) for rule in catalogue.access_rules)
    assert {rule.course_id for rule in catalogue.access_rules} == {course.id for course in catalogue.courses}
    assert modes["everybody", "self-enrol"] > len(catalogue.courses) * 0.8
    assert 3 <= modes["everybody", "approval"] <= 8
    assert modes["position", "self-enrol"] == 1


def test_everything_required_today_can_be_learnt_here(default_trust: Trust, default_recount: Recount) -> None:
    taught = {name for course in default_trust.catalogue.courses for name in course.awards}
    required = {row.competency for row in default_recount.rows()}
    assert required <= taught
    assert {offering.mode for offering in default_trust.catalogue.offerings} == {
        "e-learning",
        "classroom",
        "online classroom",
    }
