"""Finding courses and classes over HTTP."""

from dataclasses import replace

import pytest

from chalicelib.domain.catalogue import CourseStatus
from tests import builders as b
from tests.builders import MOVING


@pytest.fixture
def catalogue(api):
    b.trust()
    b.offered(b.class_(), b.class_("504-c0", sessions=[b.session(b.TODAY)]), b.e_learning())
    b.offered(
        course_id="NHS-moving", title="Moving and Handling", subject="moving", description="Lifting.", grants=(MOVING,)
    )
    b.offered(course_id="504-draft", title="Fire Warden", status=CourseStatus.DRAFT)
    b.person()
    return api


def found(api, query=""):
    return [course["id"] for course in api.get(f"/v1/courses{query}", as_="504-1").json_body["courses"]]


def test_own_and_national_courses_are_found_by_title_and_drafts_are_not(catalogue):
    assert found(catalogue) == ["504-fire", "NHS-moving"]


@pytest.mark.parametrize("words", ["fire", "FIRE%20saf", "exting%20fire", "saf+fire"])
def test_words_match_in_any_order_and_as_beginnings(catalogue, words):
    assert found(catalogue, f"?words={words}") == ["504-fire"]


def test_if_nothing_has_all_words_what_has_some_is_found(catalogue):
    assert found(catalogue, "?words=fire%20zebra") == ["504-fire"]


def test_subject_and_competency_narrow(catalogue):
    assert found(catalogue, "?subject=moving") == ["NHS-moving"]
    assert found(catalogue, "?competency=NHS%7CCSTF%7CMoving%20and%20Handling%20-%20Level%202%20-%202%20Years%7C") == [
        "NHS-moving"
    ]


def test_pages_go_on_where_they_ended(catalogue):
    first = catalogue.get("/v1/courses?limit=1", as_="504-1").json_body
    assert (first["total"], first["courses"][0]["id"]) == (2, "504-fire")
    assert found(catalogue, f"?limit=1&cursor={first['next_cursor']}") == ["NHS-moving"]


def test_a_course_shows_its_next_classes_with_places_and_not_the_past_ones(catalogue):
    answer = catalogue.get("/v1/courses/504-fire", as_="504-1").json_body
    assert [(each["id"], each["free"]) for each in answer["classes"]] == [("504-c1", 12), ("504-e1", None)]
    assert answer["access"] == "You may enrol yourself."
    assert answer["joining_instructions"] == "Wear flat shoes."


def test_words_are_told_apart_alike_in_what_is_sought_and_what_is_searched(catalogue):
    b.offered(course_id="504-roster", title="E-Rostering (Managers)", description="…")
    for words in ("E-Rostering", "rostering%20managers", "(Managers)"):
        assert found(catalogue, f"?words={words}") == ["504-roster"]


def test_many_dates_do_not_hide_the_e_learning(catalogue):
    for number in range(55):
        b.classes.add_class(b.SYSTEM, b.class_(f"504-m{number}", sessions=[b.session(hour=8)]), b.NOW)
    shown = catalogue.get("/v1/courses/504-fire", as_="504-1").json_body["classes"]
    assert [len(shown), shown[-1]["id"]] == [51, "504-e1"]


def test_an_employers_own_class_of_a_national_course_is_listed_with_it(catalogue):
    b.classes.add_class(b.SYSTEM, b.class_("504-local", course="NHS-moving"), b.NOW)
    answer = catalogue.get("/v1/courses/NHS-moving", as_="504-1").json_body
    assert [each["id"] for each in answer["classes"]] == ["504-local"]


def test_a_dated_class_given_no_sessions_has_one(catalogue):
    without = replace(b.class_("504-plain"), sessions=())
    b.classes.add_class(b.SYSTEM, without, b.NOW)
    assert len(catalogue.get("/v1/classes/504-plain", as_="504-1").json_body["sessions"]) == 1


def test_a_class_shows_sessions_places_and_whether_one_may_enrol(catalogue):
    answer = catalogue.get("/v1/classes/504-c1", as_="504-1").json_body
    civil = {"day": "2026-12-01", "from": "09:00", "until": "12:00"}
    assert answer["sessions"] == [{"starts_at": "2026-12-01T09:00:00Z", "ends_at": "2026-12-01T12:00:00Z", **civil}]
    assert answer["may_enrol"] == {"allowed": True, "would_be": "confirmed", "why_not": None, "warnings": []}


def test_a_course_added_a_moment_ago_is_found_with_the_next_search(catalogue):
    found(catalogue)
    b.offered(course_id="504-new", title="Aardvark Care")
    assert found(catalogue)[0] == "504-new"


@pytest.mark.parametrize("cursor", ["x", "AAAA", "'%22", "e30"])
def test_a_cursor_of_ones_own_making_is_refused(catalogue, cursor):
    answer = catalogue.get(f"/v1/courses?cursor={cursor}", as_="504-1")
    assert (answer.status_code, answer.json_body["errors"][0]["field"]) == (400, "query.cursor")


def test_a_cursor_of_another_list_is_refused(catalogue):
    cursor = catalogue.get("/v1/courses?limit=1", as_="504-1").json_body["next_cursor"]
    assert catalogue.get(f"/v1/me/enrolments?cursor={cursor}", as_="504-1").status_code == 400
