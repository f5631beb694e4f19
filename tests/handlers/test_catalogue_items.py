"""Keeping the catalogue over HTTP: courses and learning paths."""

from dataclasses import replace
from datetime import timedelta

import pytest

from chalicelib.domain.catalogue import Prerequisite, PrerequisiteKind
from chalicelib.domain.classes import ClassStatus
from chalicelib.storage import catalogue as stored
from chalicelib.storage import rules
from chalicelib.storage.audit import AuditRow
from tests import builders as b
from tests.builders import FIRE, INDUCTION
from tests.catalogue_keeping import (
    ADMINISTRATOR,
    FIRST_AID,
    LEARNER,
    WEEK,
    delete,
    get,
    nation,
    patch,
    post,
    put,
    small_trust,
)
from tests.learner_access import fields, problem
from tests.seams import before_commit, colliding_transactions


@pytest.fixture
def trust(api):
    small_trust()
    return api


# --- courses --------------------------------------------------------------------------------------------------


def test_a_course_begins_as_a_draft_and_is_kept_with_everything(trust):
    added = post(trust, "courses", FIRST_AID)
    assert added.status_code == 201
    assert added.json_body == {
        **FIRST_AID,
        "id": "504-first-aid",
        "owner": "504",
        "status": "draft",
        "awards": [{"competency": INDUCTION, "level": 1}],
        "award_timing": "automatic",
        "auto_enrol": False,
        "auto_book": False,
        "offerings": [
            {"id": "alone", "mode": "e-learning", "language": "cy-GB"},
            {"id": "room", "mode": "classroom", "language": "en-GB"},
        ],
        "access_rules": 0,
        "prerequisites": 0,
        "revision": 1,
    }
    assert get(trust, "catalogue/courses/504-first-aid") == added.json_body
    assert trust.get("/v1/courses/504-first-aid", as_=LEARNER).status_code == 404
    assert get(trust, "courses?words=CPR", as_=LEARNER)["total"] == 0


def test_brought_out_it_is_found_and_withdrawn_it_is_not(trust):
    post(trust, "courses", FIRST_AID)
    path, found = "courses/504-first-aid", []
    for revision, status in enumerate(("live", "withdrawn", "live"), 1):
        assert patch(trust, path, revision, status=status).json_body["revision"] == revision + 1
        found.append(get(trust, "courses?words=CPR", as_=LEARNER)["total"])
    assert found == [1, 0, 1]
    assert fields(patch(trust, path, 4, status="draft")) == (400, ["body.status"])


def test_every_field_is_changed_and_what_is_left_out_stays(trust):
    before = post(trust, "courses", FIRST_AID).json_body
    changes = {
        "title": "First Aid at Work",
        "subject": "moving",
        "description": "",
        "duration_minutes": 90,
        "awards": [{"competency": FIRE, "level": 1}],
        "award_timing": "after verification",
        "auto_enrol": True,
        "auto_book": True,
        "offerings": [{"id": "online", "mode": "online classroom", "language": "en-GB"}],
        "joining_instructions": "",
        "cost_pence": None,
        "also_called": [],
        "starts_on": None,
        "ends_on": None,
        "status": "live",
    }
    for revision, (field, value) in enumerate(changes.items(), 1):
        after = patch(trust, "courses/504-first-aid", revision, **{field: value}).json_body
        assert after.pop("warnings") == []
        assert after == {**before, field: value, "revision": revision + 1}
        before = after
    assert get(trust, "catalogue/courses/504-first-aid") == before


def test_rules_and_prerequisites_outlive_a_change_of_the_course(trust):
    rule = {"mode": "self-enrol", "targets": [{"kind": "POS", "id": "nurse-9"}]}
    needs = {"kind": "competency", "id": INDUCTION}
    put(trust, "courses/504-fire/access-rules", {"rules": [rule], "revision": 1})
    put(trust, "courses/504-fire/prerequisites", {"prerequisites": [needs], "revision": 2})
    changed = patch(trust, "courses/504-fire", 3, title="Fire", offerings=[{"id": "classroom", "mode": "classroom"}])
    assert (changed.json_body["access_rules"], changed.json_body["prerequisites"]) == (1, 1)
    (kept,) = get(trust, "courses/504-fire/access-rules")["rules"]
    assert kept["targets"][0]["id"] == "nurse-9"
    assert {**get(trust, "catalogue/courses/504-fire"), "warnings": []} == changed.json_body


def test_of_two_administrators_the_second_gets_both_versions_and_nothing_is_lost(trust):
    patch(trust, "courses/504-fire", title="Fire Safety at Night")
    late = patch(trust, "courses/504-fire", description="Alarms.")
    assert problem(late) == (409, "outdated")
    assert late.json_body["facts"]["yours"] == {"revision": 1, "description": "Alarms."}
    assert late.json_body["facts"]["current"] == get(trust, "catalogue/courses/504-fire")
    assert late.json_body["facts"]["current"]["title"] == "Fire Safety at Night"
    with before_commit(lambda: patch(trust, "courses/504-fire", 2, title="Fire")):
        assert problem(patch(trust, "courses/504-fire", 2, title="Flames")) == (409, "outdated")
    for kind, added, changes in (
        ("subjects", {"id": "a", "name": "A"}, {"name": "B"}),
        ("venues", {"id": "a", "name": "A"}, {"name": "B"}),
        ("synonyms", {"id": "a", "words": ["a", "b"]}, {"words": ["a", "c"]}),
        ("learning-paths", WEEK, {"title": "B"}),
    ):
        path = f"{kind}/{post(trust, kind, added).json_body['id']}"
        assert patch(trust, path, **changes).json_body["revision"] == 2
        assert patch(trust, path, **changes).json_body["facts"]["current"]["revision"] == 2


def test_a_change_that_changes_nothing_writes_nothing(trust):
    version, audited = rules.catalogue_now("504").version, AuditRow.count()
    assert patch(trust, "courses/504-fire", title="Fire Safety").json_body["revision"] == 1
    assert (rules.catalogue_now("504").version, AuditRow.count()) == (version, audited)


def test_a_change_that_collides_is_made_once(trust):
    with colliding_transactions(2):
        assert patch(trust, "courses/504-fire", title="Fire").json_body["revision"] == 2


def test_repeated_with_its_key_a_course_is_added_once_and_its_id_is_taken(trust):
    key = {"Idempotency-Key": "once"}
    first, again = (post(trust, "courses", FIRST_AID, headers=key) for _ in range(2))
    assert (again.status_code, again.json_body) == (201, first.json_body)
    assert problem(post(trust, "courses", FIRST_AID)) == (409, "conflict")
    assert problem(post(trust, "learning-paths", {**WEEK, "id": "first-aid"})) == (409, "conflict")


def test_every_wrong_field_is_named_and_nothing_is_added(trust):
    wrong = {
        "title": " ",
        "subject": "nothing",
        "description": "bell \a",
        "awards": [
            {"competency": "NHS|CSTF|Nothing|"},
            {"competency": FIRE, "level": 2},
            {"competency": FIRE, "level": 1},
        ],
        "offerings": [{"id": "a", "mode": "classroom"}, {"id": "a", "mode": "blended"}],
        "also_called": ["CPR", "cpr"],
        "starts_on": "2027-01-01",
        "ends_on": "2026-12-31",
    }
    named = {
        "body.title",
        "body.subject",
        "body.description",
        "body.awards[0].competency",
        "body.awards[1].level",
        "body.awards[2].competency",
        "body.offerings[1].id",
        "body.also_called[1]",
        "body.ends_on",
    }
    added = post(trust, "courses", {**FIRST_AID, **wrong})
    changed = patch(trust, "courses/504-fire", **wrong)
    for answer in (added, changed):
        assert (answer.status_code, {each["field"] for each in answer.json_body["errors"]}) == (400, named)
    shapes = {"id": "First Aid", "mode": "x", "duration_minutes": -1, "cost_pence": "free", "starts_on": "2026-02-30"}
    answer = post(trust, "courses", {**FIRST_AID, **shapes})
    assert {each["field"] for each in answer.json_body["errors"]} == {f"body.{name}" for name in shapes}
    assert get(trust, "catalogue/courses")["total"] == 1
    for day in ("1899-12-31", "2200-01-01"):
        assert fields(patch(trust, "courses/504-fire", starts_on=day)) == (400, ["body.starts_on"])


def test_what_was_wrong_already_and_is_left_alone_stays(trust):
    row = stored.CourseRow.of(b.course(grants=("NHS|OLD|Gone - 1 Year|",)))
    row.save()
    rules.forget()
    assert patch(trust, "courses/504-fire", title="Fire").status_code == 200
    again = [{"competency": "NHS|OLD|Gone - 1 Year|"}, {"competency": FIRE}]
    assert fields(patch(trust, "courses/504-fire", 2, awards=again)) == (400, ["body.awards[0].competency"])


def test_a_draft_that_nothing_names_is_deleted_with_all_its_rows(trust):
    post(trust, "courses", FIRST_AID)
    put(trust, "courses/504-first-aid/access-rules", {"rules": [{"mode": "approval"}], "revision": 1})
    assert delete(trust, "courses/504-first-aid").status_code == 204
    left = [row.sk for row in stored.Record.query("E#504#CRS") if row.sk.startswith("504-first-aid")]
    assert (left, trust.get("/v1/catalogue/courses/504-first-aid", as_=ADMINISTRATOR).status_code) == ([], 404)


def test_what_has_been_live_or_is_named_is_withdrawn_and_not_deleted(trust):
    refused = delete(trust, "courses/504-fire")
    assert (problem(refused), "withdrawn" in refused.json_body["way_out"]) == ((409, "not-a-draft"), True)
    post(trust, "courses", FIRST_AID)
    before = Prerequisite(PrerequisiteKind.COURSE, "504-first-aid", mandatory=False)
    b.offered(course_id="504-after", prerequisites=(before,))
    post(trust, "learning-paths", {**WEEK, "sections": [{"title": "One", "courses": ["504-first-aid"]}]})
    b.offered(b.class_("504-c5", course="504-first-aid", status=ClassStatus.CANCELLED), course_id="504-third")
    refused = delete(trust, "courses/504-first-aid")
    assert refused.json_body["facts"]["named_by"] == {
        "courses": ["504-after"],
        "learning_paths": ["504-week"],
        "classes": ["504-c5"],
    }
    assert "Withdraw" in refused.json_body["way_out"]
    assert patch(trust, "courses/504-first-aid", status="withdrawn").status_code == 200


def test_an_offering_stays_while_classes_to_come_are_of_it(trust):
    b.offered(b.class_("504-c2"), b.class_("504-c3", status=ClassStatus.CANCELLED), course_id="504-third")
    alone = [{"id": "e-learning", "mode": "e-learning"}]
    refused = patch(trust, "courses/504-fire", offerings=alone)
    assert (problem(refused), refused.json_body["facts"]) == ((409, "in-use"), {"named_by": {"classes": ["504-c2"]}})
    blended = [*alone, {"id": "classroom", "mode": "blended"}]
    assert problem(patch(trust, "courses/504-fire", offerings=blended)) == (409, "in-use")
    only = [{"id": "classroom", "mode": "classroom", "language": "cy"}]
    b.offered(b.e_learning("504-e9"), course_id="504-fourth")
    refused = patch(trust, "courses/504-fire", offerings=only)
    assert refused.json_body["facts"] == {"named_by": {"classes": ["504-e9"]}}
    cancelled = trust.post("/v1/classes/504-e9/cancellation", {"reason": "Out of date."}, as_=ADMINISTRATOR)
    assert cancelled.status_code == 200
    assert patch(trust, "courses/504-fire", offerings=only).status_code == 200


def test_what_a_course_awards_cannot_change_so_that_nobody_could_begin_another(trust):
    post(trust, "courses", {**FIRST_AID, "awards": [{"competency": INDUCTION}]})
    needs = {"kind": "competency", "id": INDUCTION}
    post(trust, "courses", {**FIRST_AID, "id": "more", "awards": [{"competency": INDUCTION}]})
    put(trust, "courses/504-more/prerequisites", {"prerequisites": [needs], "revision": 1})
    assert problem(patch(trust, "courses/504-first-aid", awards=[])) == (409, "prerequisite-cycle")
    assert problem(delete(trust, "courses/504-first-aid")) == (409, "prerequisite-cycle")


def test_administrators_list_drafts_by_status_subject_and_owner(trust):
    nation(trust)
    post(trust, "courses", FIRST_AID)
    post(trust, "courses", {**FIRST_AID, "id": "lifting", "title": "Lifting", "subject": "moving"})
    wanted = {
        "": ["NHS-care", "504-fire", "504-first-aid", "504-lifting"],
        "status=draft": ["504-first-aid", "504-lifting"],
        "subject=fire": ["504-fire", "504-first-aid"],
        "owner=504&status=draft&subject=moving": ["504-lifting"],
        "owner=NHS": ["NHS-care"],
    }
    for query, ids in wanted.items():
        page = get(trust, f"catalogue/courses?{query}")
        assert ([each["id"] for each in page["courses"]], page["total"]) == (ids, len(ids)), query


# --- learning paths -------------------------------------------------------------------------------------------


def test_a_learning_path_is_made_brought_out_and_found(trust):
    added = post(trust, "learning-paths", WEEK)
    assert added.json_body == {
        **WEEK,
        "id": "504-week",
        "owner": "504",
        "description": "",
        "status": "draft",
        "also_called": [],
        "starts_on": None,
        "ends_on": None,
        "access_rules": 0,
        "revision": 1,
    }
    assert get(trust, "catalogue/learning-paths")["learning_paths"] == [added.json_body]
    patch(trust, "learning-paths/504-week", status="live")
    shown = get(trust, "learning-paths/504-week", as_=LEARNER)
    assert [each["id"] for each in shown["sections"][0]["courses"]] == ["504-fire"]
    assert problem(delete(trust, "learning-paths/504-week")) == (409, "not-a-draft")
    post(trust, "learning-paths", {**WEEK, "id": "other"})
    assert delete(trust, "learning-paths/504-other").status_code == 204


def test_no_course_stands_in_a_learning_path_twice_nor_one_that_is_none(trust):
    sections = [{"title": "One", "courses": ["504-fire", "504-none"]}, {"title": "Two", "courses": ["504-fire"]}]
    answer = post(trust, "learning-paths", {**WEEK, "sections": sections})
    assert fields(answer) == (400, ["body.sections[0].courses[1]", "body.sections[1].courses[0]"])


# --- whose it is ----------------------------------------------------------------------------------------------


def test_what_is_national_is_kept_by_the_nation_alone_and_its_drafts_are_seen_by_nobody_else(trust):
    national = nation(trust)
    for kind, path, changes in (
        ("courses", "courses/NHS-care", {"title": "Mine"}),
        ("subjects", "subjects/care", {"name": "Mine"}),
    ):
        assert problem(patch(trust, path, **changes)) == (403, "not-your-item"), kind
        assert problem(delete(trust, path)) == (403, "not-your-item"), kind
        assert patch(trust, f"{path}?employer=NHS", as_=national, **changes).status_code == 200, kind
    assert problem(patch(trust, "courses/504-fire?employer=NHS", as_=national, title="x")) == (404, "not-found")
    body = {"id": "new", "title": "New", "subject": "care", "duration_minutes": 60}
    assert post(trust, "courses?employer=NHS", body, as_=national).json_body["id"] == "NHS-new"
    assert trust.get("/v1/catalogue/courses/NHS-new", as_=ADMINISTRATOR).status_code == 404
    assert trust.get("/v1/courses/NHS-new", as_=ADMINISTRATOR).status_code == 404
    sections = [{"title": "One", "courses": ["NHS-new"]}]
    assert fields(post(trust, "learning-paths", {**WEEK, "sections": sections}))[0] == 400
    assert delete(trust, "courses/NHS-new?employer=NHS", as_=national).status_code == 204


def test_an_employer_puts_its_own_below_a_national_subject_which_then_stays(trust):
    national = nation(trust)
    assert post(trust, "courses", {**FIRST_AID, "subject": "care"}).status_code == 201
    assert post(trust, "subjects", {"id": "bedside", "name": "Bedside", "parent": "care"}).status_code == 201
    assert problem(post(trust, "subjects", {"id": "care", "name": "Ours"})) == (409, "conflict")
    assert problem(delete(trust, "subjects/care?employer=NHS", as_=national)) == (409, "in-use")
    assert fields(post(trust, "courses?employer=NHS", {**FIRST_AID, "awards": []}, as_=national)) == (
        400,
        ["body.subject"],
    )


def test_every_change_is_audited_with_ids_and_states_and_without_free_text(trust):
    post(trust, "courses", {**FIRST_AID, "joining_instructions": "Ask for Sarah."})
    patch(trust, "courses/504-first-aid", status="live")
    entries = {row.action: row for row in AuditRow.scan() if row.actor == "p9"}
    facts = entries["course.changed"].facts
    assert (set(entries), facts["id"]) == ({"course.added", "course.changed"}, "504-first-aid")
    assert (facts["before"]["status"], facts["after"]["status"]) == ("draft", "live")
    assert "Sarah" not in str([row.facts for row in entries.values()])


def test_a_course_that_changes_under_somebody_is_the_one_that_is_judged(trust):
    """The subject goes between reading and committing: the course is judged again and refused."""
    post(trust, "subjects", {"id": "brief", "name": "Brief"})
    with before_commit(lambda: delete(trust, "subjects/brief")):
        assert fields(post(trust, "courses", {**FIRST_AID, "subject": "brief"})) == (400, ["body.subject"])


def test_long_texts_and_lists_stay_within_bounds(trust):
    assert post(trust, "courses", {**FIRST_AID, "description": "x" * 4000}).status_code == 201
    too_long = {"title": "x" * 201, "description": "x" * 4001, "also_called": ["x"] * 21}
    answer = post(trust, "courses", {**FIRST_AID, "id": "b", **too_long})
    assert {each["field"] for each in answer.json_body["errors"]} == {f"body.{name}" for name in too_long}


def test_offerings_read_back_in_one_order_however_they_were_sent(trust):
    course = rules.catalogue_now("504").courses["504-fire"]
    turned = replace(course, offerings=course.offerings[::-1])
    sent = [{"id": each.id, "mode": each.mode, "language": each.language} for each in turned.offerings]
    assert patch(trust, "courses/504-fire", offerings=sent).json_body["revision"] == 1


# --- classes to come ------------------------------------------------------------------------------------------


def test_withdrawing_or_ending_a_course_names_the_classes_to_come_and_who_is_on_them(trust):
    planned = b.class_("504-c2")
    b.offered(planned, b.class_("504-c3", status=ClassStatus.CANCELLED), course_id="504-third")
    assert post(trust, "me/enrolments", {"class_id": "504-c2"}, as_=LEARNER).status_code == 201
    day = planned.starts_at.date()
    on_the_day = patch(trust, "courses/504-fire", ends_on=day.isoformat())
    assert on_the_day.json_body["warnings"] == []
    before = patch(trust, "courses/504-fire", 2, ends_on=(day - timedelta(days=1)).isoformat())
    (warning,) = before.json_body["warnings"]
    assert (warning["total"], [each["id"] for each in warning["classes"]]) == (1, ["504-c2"])
    assert (warning["classes"][0]["confirmed"], warning["classes"][0]["waitlisted"]) == (1, 0)
    assert patch(trust, "courses/504-fire", 3, ends_on=None).json_body["warnings"] == []
    withdrawn = patch(trust, "courses/504-fire", 4, status="withdrawn").json_body
    assert (withdrawn["status"], withdrawn["warnings"]) == ("withdrawn", [warning])
    assert patch(trust, "courses/504-fire", 5, title="Fire").json_body["warnings"] == []


def test_titles_and_words_are_of_characters_that_are_seen(trust):
    for title in ("\u202eerif", "\u200b", "!!!", "Fire\u2066", "Fire \ufffd"):
        assert fields(patch(trust, "courses/504-fire", title=title)) == (400, ["body.title"]), ascii(title)
    assert fields(patch(trust, "courses/504-fire", description="a\u202eb")) == (400, ["body.description"])
    assert fields(post(trust, "synonyms", {"id": "a", "words": ["!!!", "fire"]})) == (400, ["body.words[0]"])
    for revision, title in enumerate(("می\u200cخواهم", "👩\u200d🚒 Fire", "Dŵr 2"), 1):
        assert patch(trust, "courses/504-fire", revision, title=title).json_body["title"] == title
