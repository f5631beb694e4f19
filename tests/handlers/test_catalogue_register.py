"""Keeping subjects, venues and synonyms over HTTP."""

from datetime import timedelta

import pytest

from tests import builders as b
from tests.catalogue_keeping import (
    LEARNER,
    WEEK,
    delete,
    get,
    nation,
    patch,
    post,
    small_trust,
)
from tests.learner_access import fields, problem
from tests.seams import before_commit


@pytest.fixture
def trust(api):
    small_trust()
    return api


# --- subjects -------------------------------------------------------------------------------------------------


def test_subjects_make_a_tree_that_everybody_sees(trust):
    added = post(trust, "subjects", {"id": "drills", "name": " Drills  and alarms ", "parent": "fire"})
    shown = {"id": "drills", "name": "Drills and alarms", "parent": "fire", "owner": "504", "revision": 1}
    assert (added.status_code, added.json_body) == (201, shown)
    assert get(trust, "subjects", as_=LEARNER)["subjects"] == [
        shown,
        {"id": "fire", "name": "Fire safety", "parent": None, "owner": "504", "revision": 1},
        {"id": "moving", "name": "Moving and handling", "parent": None, "owner": "504", "revision": 1},
    ]
    assert get(trust, "courses?subject=fire", as_=LEARNER)["total"] == 1


def test_lists_page_by_name_without_losing_anything(trust):
    for number in range(5):
        post(trust, "subjects", {"id": f"s{number}", "name": "Same name"})
    names, path = [], "subjects?limit=2"
    while path:
        page = get(trust, path)
        names += [each["id"] for each in page["subjects"]]
        path = page["next_cursor"] and f"subjects?limit=2&cursor={page['next_cursor']}"
    assert (names, page["total"]) == (["fire", "moving", "s0", "s1", "s2", "s3", "s4"], 7)


def test_a_subject_never_comes_below_itself(trust):
    post(trust, "subjects", {"id": "drills", "name": "Drills", "parent": "fire"})
    post(trust, "subjects", {"id": "night", "name": "Night drills", "parent": "drills"})
    for parent in ("fire", "drills", "night"):
        assert fields(patch(trust, "subjects/fire", parent=parent)) == (400, ["body.parent"])
    assert fields(patch(trust, "subjects/fire", parent="nothing")) == (400, ["body.parent"])
    assert patch(trust, "subjects/night", parent=None).json_body["parent"] is None
    assert patch(trust, "subjects/fire", parent="night").status_code == 200


def test_two_moves_at_once_cannot_make_a_circle_either(trust):
    with before_commit(lambda: patch(trust, "subjects/moving", parent="fire")):
        assert fields(patch(trust, "subjects/fire", parent="moving")) == (400, ["body.parent"])
    assert get(trust, "subjects")["subjects"][0]["parent"] is None


def test_a_subject_in_use_is_not_deleted_and_says_by_what(trust):
    b.person(8, role="class_administrator", subjects=("moving",))
    post(trust, "subjects", {"id": "drills", "name": "Drills", "parent": "fire"})
    post(trust, "learning-paths", WEEK)
    fire, moving = delete(trust, "subjects/fire"), delete(trust, "subjects/moving")
    assert problem(fire) == (409, "in-use")
    assert fire.json_body["facts"]["named_by"] == {"courses": ["504-fire"], "subjects": ["drills"]}
    assert moving.json_body["facts"]["named_by"] == {"learning_paths": ["504-week"], "class_administrators": ["p8"]}
    assert delete(trust, "subjects/drills").status_code == 204
    assert problem(delete(trust, "subjects/drills")) == (404, "not-found")


# --- venues and synonyms --------------------------------------------------------------------------------------


def test_a_venue_is_kept_changed_and_taken_out_of_use(trust):
    venue = {"id": "room-1", "name": "Seminar Room 1", "capacity": 20, "address": "Main building\nFirst floor"}
    added = post(trust, "venues", venue)
    assert added.json_body == {**venue, "in_use": True, "owner": "504", "revision": 1}
    changed = patch(trust, "venues/room-1", capacity=None, in_use=False)
    kept = {**added.json_body, "capacity": None, "in_use": False, "revision": 2}
    assert changed.json_body == {**kept, "warnings": []}
    assert get(trust, "venues", as_=LEARNER)["venues"] == [kept]


def test_a_venue_where_classes_were_is_retired_and_not_deleted(trust):
    for id_ in ("room-1", "room-2"):
        post(trust, "venues", {"id": id_, "name": id_})
    b.offered(b.class_(venue="room-1"), course_id="504-other")
    refused = delete(trust, "venues/room-1")
    assert (problem(refused), refused.json_body["facts"]) == ((409, "in-use"), {"named_by": {"classes": ["504-c1"]}})
    assert "out of use" in refused.json_body["way_out"]
    assert delete(trust, "venues/room-2").status_code == 204


def test_synonyms_find_the_same_at_once(trust):
    assert get(trust, "courses?words=blaze", as_=LEARNER)["total"] == 0
    added = post(trust, "synonyms", {"id": "burning", "words": ["blaze", "fire"]})
    assert added.json_body == {"id": "burning", "words": ["blaze", "fire"], "owner": "504", "revision": 1}
    assert get(trust, "courses?words=blaze", as_=LEARNER)["total"] == 1
    patch(trust, "synonyms/burning", words=["inferno", "fire"])
    assert get(trust, "synonyms")["synonyms"][0]["words"] == ["inferno", "fire"]
    assert get(trust, "courses?words=blaze", as_=LEARNER)["total"] == 0
    assert delete(trust, "synonyms/burning").status_code == 204
    assert get(trust, "synonyms")["total"] == 0
    assert fields(post(trust, "synonyms", {"id": "same", "words": ["Fire", "fire"]})) == (400, ["body.words[1]"])


def test_a_venue_that_a_class_has_left_is_not_deleted_either(trust):
    for id_ in ("room-1", "room-2", "room-3"):
        post(trust, "venues", {"id": id_, "name": id_})
    b.offered(b.class_("504-c1", venue="room-1"), b.class_("504-c2", venue="room-2"), course_id="504-other")
    moved = patch(trust, "classes/504-c1", venue="room-3")
    cancelled = post(trust, "classes/504-c2/cancellation", {"reason": "Flooded."})
    assert (moved.status_code, cancelled.status_code) == (200, 200)
    for venue, class_ in (("room-1", "504-c1"), ("room-2", "504-c2"), ("room-3", "504-c1")):
        refused = delete(trust, f"venues/{venue}")
        assert refused.json_body["facts"] == {"named_by": {"classes": [class_]}}, venue


def test_retiring_or_shrinking_a_venue_names_the_classes_to_come_there(trust):
    post(trust, "venues", {"id": "room-1", "name": "Room 1", "capacity": 30})
    past = b.class_("504-c2", venue="room-1", sessions=[b.session(b.NOW - timedelta(days=9))])
    b.offered(b.class_("504-c1", venue="room-1", maximum=12), past, course_id="504-other")
    assert patch(trust, "venues/room-1", capacity=12).json_body["warnings"] == []
    (shrunk,) = patch(trust, "venues/room-1", 2, capacity=11).json_body["warnings"]
    assert [(each["id"], each["maximum"]) for each in shrunk["classes"]] == [("504-c1", 12)]
    assert patch(trust, "venues/room-1", 3, name="Cellar").json_body["warnings"] == []
    (retired,) = patch(trust, "venues/room-1", 4, in_use=False).json_body["warnings"]
    assert [each["id"] for each in retired["classes"]] == ["504-c1"]


def test_the_nation_keeps_no_venues(trust):
    national = nation(trust)
    assert fields(post(trust, "venues?employer=NHS", {"id": "hall", "name": "Hall"}, as_=national)) == (
        400,
        ["body.id"],
    )
