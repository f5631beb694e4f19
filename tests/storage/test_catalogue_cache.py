"""The catalogue in memory: an employer's own part beside the nation's, which is kept once."""

import pytest

from chalicelib.domain import classes as rules_of_classes
from chalicelib.domain.catalogue import CourseStatus, Subject, Synonyms, Venue
from chalicelib.storage import catalogue as stored
from chalicelib.storage import rules
from tests import builders as b
from tests.learner_access import keep


@pytest.fixture
def shared(aws):
    """The nation's course, draft, subject and words, and a room of 504."""
    national = [
        *stored.rows_of_course(b.course("NHS-live", "National")),
        *stored.rows_of_course(b.course("NHS-draft", "Draft", status=CourseStatus.DRAFT)),
        stored.SubjectRow.of("NHS", Subject("care", "Care of the nation")),
        stored.SynonymsRow.of("NHS", Synonyms("cpr", ("cpr", "resuscitation"))),
        stored.VenueRow.of("NHS", Venue("main-hall", "London")),
    ]
    keep(*national, owner="NHS")
    keep(stored.VenueRow.of("504", Venue("main-hall", "Leeds", 20)))


def test_employers_share_the_nations_part_and_none_sees_its_drafts(shared):
    one, other, nation = (rules.catalogue_now(each) for each in ("504", "505", "NHS"))
    assert set(one.courses) == {"NHS-live"} < set(nation.courses)
    assert one.courses["NHS-live"] is other.courses["NHS-live"] is nation.courses["NHS-live"]
    assert len(one.synonyms) == len(nation.synonyms) == 1


def test_a_change_of_either_part_is_read_with_the_next_look(shared):
    rules.catalogue_now("504"), rules.catalogue_now("505")
    keep(*stored.rows_of_course(b.course("504-own", "Own")))
    assert set(rules.catalogue_now("504").courses) == {"504-own", "NHS-live"}
    assert set(rules.catalogue_now("505").courses) == {"NHS-live"}
    keep(*stored.rows_of_course(b.course("NHS-draft", "Live")), owner="NHS")
    assert set(rules.catalogue_now("504").courses) == {"504-own", "NHS-live", "NHS-draft"}
    assert "NHS-draft" in rules.catalogue_now("505").courses


def test_only_the_last_employers_stay_in_memory(shared, monkeypatch):
    monkeypatch.setattr(rules, "MOST_KEPT", 3)
    for number in range(505, 515):
        rules.rulebook_and_catalogue(str(number))
        rules.rulebook_and_catalogue("504")
    assert set(rules._catalogues) == set(rules._rulebooks) == {"504", "513", "514"}
    assert len(rules._parts) == 3
    assert "NHS" in rules._parts


def test_a_room_is_an_employers_own_and_a_national_class_has_none(shared):
    """Rooms of two owners may have one id: a national class must never seem to be in an employer's room."""
    assert rules.catalogue_now("504").venues["main-hall"].name == "Leeds"
    assert rules.catalogue_now("505").venues == {}
    rulebook, nation = rules.rulebook_and_catalogue("NHS")
    class_ = b.class_("NHS-c1", course="NHS-live", venue="main-hall")
    wrong = rules_of_classes.wrong_fields(class_, nation, rulebook)
    assert [(each.field, each.reason) for each in wrong] == [("venue", "is an employer's: a national class has none")]


def test_of_subjects_with_one_id_the_nations_stands(shared):
    keep(stored.SubjectRow.of("504", Subject("care", "Care of 504", parent="fire")))
    assert rules.catalogue_now("504").subjects["care"].owner == "NHS"
