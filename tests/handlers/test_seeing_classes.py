"""Who sees a class: whoever may enter it through one assignment, is on it, or instructs it (domain.md §5)."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from chalicelib.domain.access import AccessMode, AccessRule
from chalicelib.domain.catalogue import CourseStatus, Prerequisite, PrerequisiteKind
from chalicelib.domain.enrolment import Status
from chalicelib.domain.people import Employment, EmploymentKind, Person
from chalicelib.domain.requirements import Target, TargetKind
from chalicelib.storage import catalogue as stored
from chalicelib.storage.people import AssignmentRow, EmploymentRow
from tests import builders as b
from tests.builders import TODAY
from tests.learner_access import NURSE, keep, problem, small_trust

PORTERS = AccessRule("01", AccessMode.SELF_ENROL, (Target(TargetKind.JOB, "porter"),))


@pytest.fixture
def trust(api):
    small_trust()
    return api


def shown(api, course, as_=NURSE):
    return [each["id"] for each in api.get(f"/v1/courses/{course}", as_=as_).json_body["classes"]]


def sees(api, class_id, as_):
    return api.get(f"/v1/classes/{class_id}", as_=as_).status_code == 200


def enrol(api, class_id, as_):
    return problem(api.post("/v1/me/enrolments", {"class_id": class_id}, as_=as_))


def test_a_class_is_listed_and_opened_only_through_one_assignment_that_meets_both(trust):
    """A porter in estates who nurses on ward 9 is no porter of ward 9."""
    on_ward, in_estates = (
        b.class_(f"504-{unit}", course="504-lift", only_units=(unit,), sessions=[b.session(date(2026, 12, day))])
        for unit, day in (("ward-9", 1), ("estates", 2))
    )
    b.offered(on_ward, in_estates, course_id="504-lift", title="Lifting", rules=(PORTERS,))
    porter = b.assignment("4-2", unit="estates", job="porter", position="porter-1", primary=False)
    both = b.person(4, assignments=[b.assignment("4"), porter])
    assert shown(trust, "504-lift", as_=both) == ["504-estates"]
    (found,) = trust.get("/v1/courses?words=lifting&from=2026-12-01", as_=both).json_body["courses"]
    assert [each["id"] for each in found["classes"]] == ["504-estates"]
    assert (sees(trust, "504-estates", both), sees(trust, "504-ward-9", both)) == (True, False)
    assert enrol(trust, "504-ward-9", both)[0] == 404
    assert shown(trust, "504-lift", as_="504-9") == ["504-ward-9", "504-estates"]


def test_many_classes_of_other_units_do_not_hide_the_one_that_is_open(trust):
    closed = [
        b.class_(f"504-y{n}", course="504-y", sessions=[b.session(hour=8)], only_units=("estates",)) for n in range(51)
    ]
    opened = b.class_("504-yy", course="504-y", sessions=[b.session(date(2027, 3, 1))], only_units=("ward-9",))
    b.offered(*closed, opened, course_id="504-y", title="Yellow")
    assert shown(trust, "504-y") == ["504-yy"]


def test_whoever_is_on_a_class_sees_it_whatever_becomes_of_the_course(trust):
    there = b.class_("504-w1", course="504-w", only_units=("ward-9",))
    b.offered(there, course_id="504-w", title="Wild")
    mine = b.person(5, enrolments=[b.enrolment(at=there, person="p5")])
    gone = b.person(6, enrolments=[b.enrolment(Status.WITHDRAWN, at=there, person="p6")])
    live = b.course("504-w", "Wild")
    for now in (
        replace(live, status=CourseStatus.WITHDRAWN),
        replace(live, ends_on=TODAY - timedelta(days=1)),
        replace(live, access_rules=(PORTERS,)),
    ):
        keep(*stored.rows_of_course(now))
        assert trust.get("/v1/courses/504-w", as_=mine).status_code == 404
        answer = trust.get("/v1/classes/504-w1", as_=mine).json_body
        assert answer["joining_instructions"] == "Wear flat shoes."
        assert not answer["may_enrol"]["allowed"]
        assert not sees(trust, "504-w1", gone)
        assert enrol(trust, "504-w1", mine)[0] == 409


def test_an_instructor_sees_their_class_and_enrols_on_it_no_easier(trust):
    theirs, others = (b.class_(f"504-i{n}", course="504-i", instructor=who) for n, who in ((1, "p4"), (2, "p2")))
    b.offered(theirs, others, course_id="504-i", title="Instructed", rules=(PORTERS,))
    instructor = b.person(4, role="instructor")
    assert (sees(trust, "504-i1", instructor), sees(trust, "504-i2", instructor)) == (True, False)
    assert enrol(trust, "504-i1", instructor) == (403, "access-not-met")


def test_a_course_is_found_from_its_first_day_to_its_last(trust):
    on_them, beyond = (TODAY, TODAY), (TODAY + timedelta(days=1), TODAY - timedelta(days=1))
    for name, (starts_on, ends_on) in (
        ("today", on_them), ("later", (beyond[0], None)), ("over", (None, beyond[1])),
    ):  # fmt: skip
        b.offered(
            b.class_(f"504-{name}-1", course=f"504-{name}"),
            course_id=f"504-{name}", title=f"Edge {name}", starts_on=starts_on, ends_on=ends_on,
        )  # fmt: skip
    for name, status in (("today", 200), ("later", 404), ("over", 404)):
        assert trust.get(f"/v1/courses/504-{name}", as_=NURSE).status_code == status
        assert sees(trust, f"504-{name}-1", NURSE) is (status == 200)
    assert [each["id"] for each in trust.get("/v1/courses?words=edge", as_=NURSE).json_body["courses"]] == ["504-today"]
    assert trust.post("/v1/me/enrolments", {"class_id": "504-today-1"}, as_=NURSE).status_code == 201
    assert enrol(trust, "504-over-1", "504-9") == (409, "course-not-live")


def test_a_national_course_counts_wherever_it_was_completed(trust):
    b.offered(course_id="NHS-base", title="Base", grants=(b.MOVING,))
    before = Prerequisite(PrerequisiteKind.COURSE, "NHS-base")
    b.offered(
        b.class_("NHS-t1", course="NHS-top", venue=None), course_id="NHS-top", title="Top", prerequisites=(before,)
    )
    done = b.enrolment(Status.COMPLETED, at=b.e_learning("NHS-e1", course="NHS-base"), person="p4", employer="505")
    mover = b.person(4, employer="505", enrolments=[done])
    second = Employment("504", EmploymentKind.EMPLOYEE, "20000004", date(2024, 1, 1))
    keep(EmploymentRow.of(Person("p4", "Sam", "Testfold4"), second), AssignmentRow.of("p4", "504", b.assignment("4")))
    assert trust.get("/v1/courses/NHS-top?employer=504", as_=mover).json_body["prerequisites"][0]["met"]
    assert trust.get("/v1/classes/NHS-t1?employer=504", as_=mover).json_body["may_enrol"]["allowed"]
    assert not trust.get("/v1/courses/NHS-top", as_=NURSE).json_body["prerequisites"][0]["met"]
