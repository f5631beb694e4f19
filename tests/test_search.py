"""Finding words in a catalogue, as people type them."""

import random
import time

import pytest

from chalicelib import search
from chalicelib.domain.catalogue import Catalogue, LearningPath, Section, Subject, Synonyms
from chalicelib.search import Index, index_of
from tests import builders as b
from tests.builders import MOVING, PREVENT

SUBJECTS = {"clinical": Subject("clinical", "Clinical skills"), "life": Subject("life", "Life support", "clinical")}
SYNONYMS = (
    Synonyms("cpr", ("CPR", "resuscitation", "basic life support")),
    Synonyms("lifting", ("manual handling", "lifting", "moving")),
)


def course(name, title, description="…", subject="fire", grants=(), **changes):
    return b.course(f"504-{name}", title, grants, description=description, subject=subject, **changes)


COURSES = (
    course("fire", "Fire Safety", "Alarms and how to leave the building."),
    course("warden", "Fire Warden", "For whoever leads others out."),
    course("resus", "Resuscitation Level 2", "Adult basic life support.", subject="life"),
    course("aed", "Automated Defibrillators", "When CPR is given."),
    course("moving", "Moving & Handling", "People and loads.", grants=(MOVING,)),
    course("prevent", "Prevent", "Awareness.", grants=(PREVENT,)),
    course("roster", "E-Rostering (Managers)", "Safe staffing in case of fire."),
    course("cymraeg", "Cwrs Cymraeg i Ddechreuwyr", "Gwasanaeth a chyfathrebu: tŷ, môr.", also_called=("Welsh",)),
    course("mca", "Mental Capacity Act"),
)
PATH = LearningPath(
    "504-new", "New Starter", "clinical", "Your first weeks.", (Section("Day one", ("504-fire", "504-mca")),)
)


def catalogue(*courses, paths=(PATH,), synonyms=SYNONYMS):
    known = {each.id: each for each in courses}
    return Catalogue("504", (1, 1), SUBJECTS, known, {each.id: each for each in paths}, {}, synonyms)


INDEX = Index(catalogue(*COURSES))


def found(text, index=INDEX):
    relevance = index.find(text).relevance
    return [name.removeprefix("504-") for name in sorted(relevance, key=lambda each: -relevance[each])]


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("fire safety", ["fire"]),
        ("safety fire", ["fire"]),
        ("FIRE saf", ["fire", "roster"]),
        ("fire-warden", ["warden"]),
        ("fire lifting", []),
        ("E-Rostering", ["roster"]),
        ("mon Cymraeg", []),
        ("mor ty", ["cymraeg"]),
        ("ddechreuwyr welsh", ["cymraeg"]),
        ("zebra", []),
        ("   ", []),
        ("…?!", []),
    ],
)
def test_every_word_is_found_in_any_order_as_a_beginning_without_capitals_and_accents(typed, expected):
    assert found(typed) == expected


@pytest.mark.parametrize(
    ("typed", "expected", "read_as"),
    [
        ("resusitation", "resus", "resuscitation"),
        ("resusciation", "resus", "resuscitation"),
        ("rescusitation", "resus", "resuscitation"),
        ("resusitat", "resus", "resuscitation"),
        ("defibrilator", "aed", "defibrillators"),
        ("saftey", "fire", "safety"),
        ("capasity", "mca", "capacity"),
        ("menatl", "mca", "mental"),
    ],
)
def test_slips_of_the_keyboard_are_read_as_what_was_meant_and_said(typed, expected, read_as):
    assert found(typed)[0] == expected
    assert INDEX.find(typed).read_as == {typed: (read_as,)}


def test_short_words_and_words_that_are_known_are_not_corrected():
    assert found("fri") == []
    assert set(found("frie")) == {"fire", "warden", "roster"}
    assert INDEX.find("fire fri").read_as == {}


def test_a_single_letter_is_a_word_and_no_beginning():
    assert found("f") == []
    assert found("e rostering") == ["roster"]


def test_synonyms_find_each_other_also_as_phrases_and_misspelt():
    for typed in ("cpr", "resuscitation", "basic life support", "resusitation", "basic life suport"):
        assert set(found(typed)) == {"resus", "aed"}, typed
    assert found("cpr")[0] == "resus"  # a title by another name says more than a text
    assert found("manual handling") == ["moving"]
    assert found("adult cpr") == ["resus"]
    assert found("life") == ["resus"]


def test_small_words_count_only_if_there_are_no_others():
    assert found("moving and handling") == ["moving"]
    assert found("the prevent") == ["prevent"]
    assert "resus" not in found("and")


def test_the_title_counts_more_than_the_text():
    assert found("fire")[-1] == "roster"
    assert set(found("fire")) == {"fire", "warden", "roster"}


def test_what_is_awarded_the_subject_and_those_above_and_other_names_are_searched_too():
    assert found("radicalisation") == ["prevent"]
    assert found("welsh") == ["cymraeg"]
    assert set(found("clinical")) == {"resus", "new"}


def test_learning_paths_are_found_by_their_own_words_and_not_by_courses_that_may_be_hidden():
    assert found("day one") == ["new"]
    assert "new" not in found("fire")


def test_an_empty_catalogue_finds_nothing():
    assert Index(catalogue(paths=(), synonyms=())).find("fire").relevance == {}


def test_the_index_is_kept_for_as_long_as_the_catalogue_is():
    one = catalogue(*COURSES)
    assert index_of(one) is index_of(one)
    assert index_of(catalogue(*COURSES)) is not index_of(one)


def test_a_function_keeps_the_indexes_of_the_last_employers_only():
    search._indexes.clear()
    every = [Catalogue(str(employer), (1, 1), {}, {}, {}, {}) for employer in range(search.MOST_KEPT + 1)]
    first, second = (index_of(each) for each in every[:2])
    assert index_of(every[0]) is first  # used again, so that it is not the oldest
    for each in every[2:]:
        index_of(each)
    assert (len(search._indexes), index_of(every[0]) is first) == (search.MOST_KEPT, True)
    assert index_of(every[1]) is not second


def test_three_thousand_courses_are_indexed_in_a_second_and_found_in_milliseconds(capsys):
    """Loose bounds, for a busy machine; the figures of decision 0016 are printed."""
    chance = random.Random(4)
    syllables = ["re", "sus", "ci", "ta", "tion", "fi", "sa", "fe", "ty", "mo", "ving", "hand", "ling", "con", "flict"]
    words = sorted({"".join(chance.choices(syllables, k=chance.randint(1, 4))) for _ in range(6000)})
    many = [
        course(f"c{n}", " ".join(chance.choices(words, k=5)), " ".join(chance.choices(words, k=60)))
        for n in range(3000)
    ]
    began = time.perf_counter()
    index = Index(catalogue(*many))
    built = time.perf_counter() - began
    slowest = 0.0
    for typed in ("re", "fi sa", "resus", "resuscitatoin", "basic life support", "r s m", "con hand ling"):
        times = []
        for _ in range(5):
            began = time.perf_counter()
            index.find(typed)
            times.append(time.perf_counter() - began)
        slowest = max(slowest, min(times))
    with capsys.disabled():
        print(f"\nindex of 3,000 courses: {built:.2f} s, slowest search {slowest * 1000:.1f} ms")
    assert (built < 3, slowest < 0.1) == (True, True)
