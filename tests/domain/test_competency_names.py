"""Names of competencies, taken apart and put together: what is written always reads back the same (domain.md §3)."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from chalicelib.domain.competency import CompetencyName, MalformedName, parse_name

parts = st.one_of(
    st.text(st.characters(codec="utf-8", exclude_characters="|#"), min_size=1, max_size=12),
    st.lists(
        st.sampled_from(["A", "-", " ", " - ", "Level 2", "3 Years", "1 Year", "No Specified Renewal"]), max_size=5
    ).map("".join),
)


@given(
    owner=st.sampled_from(["NHS", "504"]),
    framework=parts,
    subject=parts,
    level=st.none() | st.sampled_from(["Level 1", "Level 2", "Level"]) | parts,
    detail=st.none() | parts,
    months=st.none() | st.integers(0, 60) | st.integers(1, 20).map(lambda years: years * 12),
)
def test_every_name_that_can_be_made_reads_back_as_it_was_written(owner, framework, subject, level, detail, months):
    try:
        name = CompetencyName(owner, framework, subject, level, detail, months)
    except MalformedName:
        assume(False)
    assert parse_name(str(name)) == name
    assert str(name) in name.spellings


@given(st.text(max_size=40) | st.lists(parts, min_size=3, max_size=3).map("|".join).map("{}|".format))
def test_whatever_is_parsed_is_the_same_when_written_and_parsed_again(text):
    try:
        name = parse_name(text)
    except MalformedName:
        assume(False)
    assert parse_name(str(name)) == name


@pytest.mark.parametrize(
    ("name", "subject", "level", "detail", "months"),
    [
        ("NHS|CSTF|A - Level 2 - B - C - 1 Year|", "A", "Level 2", "B - C", 12),
        ("NHS|CSTF|A - 3 Years - No Specified Renewal|", "A", None, "3 Years", None),
        ("NHS|CSTF|A - 3 Years - 1 Year|", "A", None, "3 Years", 12),
        ("NHS|CSTF|A - B - Level 2 - 1 Year|", "A", None, "B - Level 2", 12),
        ("NHS|CSTF|A-B - 10 Years|", "A-B", None, None, 120),
        ("504|LOCAL|Level 2|", "Level 2", None, None, None),
    ],
)
def test_the_parts_of_awkward_names(name, subject, level, detail, months):
    found = parse_name(name)
    assert (found.subject, found.level, found.detail, found.renewal_months) == (subject, level, detail, months)
    assert name in found.spellings


@pytest.mark.parametrize(
    "name",
    [
        "NHS|CSTF|A - 0 Years|",
        "NHS|CSTF| - 1 Year|",
        "NHS|CSTF|A -  - 1 Year|",
        "NHS|CSTF|A#B|",
        "NHS|CSTF|A\nB|",
        "NHS|C|A|\n",
    ],
)
def test_a_name_that_says_nothing_in_one_place_is_refused(name):
    with pytest.raises(MalformedName):
        parse_name(name)
