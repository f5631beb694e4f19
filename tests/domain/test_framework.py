"""Frameworks: names both ways, what may be defined, what is warned of, and a framework as a file there and back."""

import codecs
from dataclasses import replace
from datetime import date
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.domain import framework_file
from chalicelib.domain.competency import CompetencyName, MalformedName, parse_name
from chalicelib.domain.errors import FieldError, Invalid
from chalicelib.domain.framework import Care, cautions, define, wrong_fields
from tests import builders as b
from tests.builders import FIRE, MOVING, TODAY

KNOWN = {name: b.competency(name) for name in (FIRE, MOVING)}
LEVEL_1, LEVEL_2, LEVEL_3 = (f"504|LOCAL|Safeguarding - Level {level} - 3 Years|" for level in (1, 2, 3))


# --- names --------------------------------------------------------------------------------------------------

WORDS = st.one_of(
    st.sampled_from(
        [
            "Fire Safety",
            "Level 2",
            "Level ",
            "Level",
            "1 Year",
            "2 Years",
            "01 Years",
            "0 Years",
            "1 Years",
            "٣ Years",
            "No Specified Renewal",
            "Adult - Basic",
            "A -  - B",
            "- x",
            "x -",
            " x",
            "",
            "-",
            "a-b",
            "a|b",
            "a#b",
        ]
    ),
    st.text("AB -1", max_size=8),
    st.text(max_size=8),
)
MONTHS = st.none() | st.sampled_from([0, 1, 6, 12, 24, 36, -12, 12_000]) | st.integers(0, 2000)


def test_a_detail_that_looks_like_a_period_keeps_its_renewal_written():
    name = CompetencyName("504", "LOCAL", "Induction", None, "1 Year", None)
    assert name.spellings == ("504|LOCAL|Induction - 1 Year - No Specified Renewal|",)


@settings(max_examples=1000)
@given(WORDS, WORDS, WORDS, st.none() | WORDS, st.none() | WORDS, MONTHS)
def test_every_name_that_can_be_is_read_back_as_it_was_written(owner, group, subject, level, detail, months):
    try:
        name = CompetencyName(owner, group, subject, level, detail, months)
    except MalformedName:
        return
    assert parse_name(str(name)) == name
    assert all(parse_name(spelling) == name for spelling in name.spellings)


@settings(max_examples=1000)
@given(st.lists(WORDS, max_size=4).map(" - ".join))
def test_every_title_that_is_read_can_be_written(title):
    try:
        name = parse_name(f"504|LOCAL|{title}|")
    except MalformedName:
        return
    assert parse_name(str(name)) == name


@pytest.mark.parametrize(
    "parts",
    [
        {"subject": "Fire - Safety"},
        {"subject": "Fire", "detail": "Level 2"},
        {"subject": "Fire", "detail": "Level 2 - Adult"},
        {"subject": "Fire", "level": "2"},
        {"subject": "Fire", "detail": ""},
        {"subject": ""},
        {"subject": "Fire|Safety"},
        {"subject": "Fire#Safety"},
        {"subject": "Fire", "renewal_months": 18},
        {"subject": "Fire", "renewal_months": 0},
    ],
)
def test_a_name_that_would_be_read_otherwise_cannot_be(parts):
    with pytest.raises(MalformedName):
        CompetencyName("504", "LOCAL", **parts)


def test_a_detail_may_look_like_a_period_or_have_dashes_of_its_own():
    for detail in ("2 Years", "Adult - Basic", "No Specified Renewal"):
        name = CompetencyName("504", "LOCAL", "Fire", None, detail, 12)
        assert parse_name(str(name)) == name


# --- what is refused ----------------------------------------------------------------------------------------


def fields(*changed, owner="504", known=KNOWN):
    return [(place, error.field) for place, error in wrong_fields(changed, owner, known)]


def local(name="504|LOCAL|Pumps - 2 Years|", months=24, **changes):
    return define(name, months, **changes)


def test_a_competency_that_is_right_is_not_refused():
    full = local(levels=["Supervised", "Alone"], covers=[FIRE, MOVING], starts_on=TODAY, ends_on=TODAY)
    assert fields(full) == []
    assert (full.title, full.subject) == ("Pumps - 2 Years", "Pumps")
    assert fields(define("504|LOCAL|Corporate Induction|", None)) == []
    assert fields(define("504|LOCAL|Corporate Induction - No Specified Renewal|", None)) == []


@pytest.mark.parametrize(
    "name",
    [
        *("Pumps", "504|LOCAL|Pumps", "504||Pumps|", ""),
        *("NHS|CSTF|Pumps - 1 Year|", "505|LOCAL|Pumps|"),
        *("504|LOCAL|Pumps  Two|", "504|LOCAL| Pumps|", "504|LOCAL|Pumps\n|", "504|LOCAL|Pumps\xa0A|"),
        *("504|LOCAL|Pumps - 1 Years|", "504|LOCAL|Pumps - 01 Year|", "504|LOCAL|Pumps - |"),
        *("504|LO#AL|Pumps|", "504|LOCAL|Pu\u202emps|", "504|LOCAL|" + "x" * 200 + "|"),
    ],
)
def test_a_name_out_of_pattern_or_of_another_owner_is_refused(name):
    assert fields(define(name, None)) == [(0, "name")]


@pytest.mark.parametrize(
    "levels",
    [
        [],
        [""],
        [" "],
        ["A", "a"],
        ["A", "A"],
        ["=1+1"],
        ["-x"],
        [" A"],
        ["A  B"],
        ["A\nB"],
        ["x" * 81],
        list("abcdefghijk"),
    ],
)
def test_a_scale_has_one_to_ten_names_all_different(levels):
    assert fields(local(levels=levels)) == [(0, "levels")]


@pytest.mark.parametrize("months", [0, -1, 601])
def test_a_period_is_bounded(months):
    assert fields(local(months=months)) == [(0, "renewal_months")]


def test_dates_are_in_order():
    assert fields(local(starts_on=date(2026, 1, 2), ends_on=date(2026, 1, 1))) == [(0, "ends_on")]


def test_what_is_covered_is_known_and_named_once():
    assert fields(local(covers=["504|LOCAL|Nothing|"])) == [(0, "covers")]
    assert fields(local(covers=[FIRE, FIRE])) == [(0, "covers")]
    assert fields(local(covers=[LEVEL_1]), define(LEVEL_1, 36)) == []


def test_covering_never_goes_round_in_a_circle():
    one, two, three = define(LEVEL_1, 36), define(LEVEL_2, 36, covers=[LEVEL_1]), define(LEVEL_3, 36, covers=[LEVEL_2])
    known = {each.name: each for each in (one, two, three)}
    assert fields(three, known=known) == []
    ((place, error),) = wrong_fields([replace(one, covers=(LEVEL_3,))], "504", known)
    assert (place, error.field) == (0, "covers")
    around = error.reason.removeprefix("goes round in a circle: ").split(" covers ")
    covers = {LEVEL_3: LEVEL_2, LEVEL_2: LEVEL_1, LEVEL_1: LEVEL_3}
    assert len(around) == 4
    assert all(covers[before] == after for before, after in pairwise(around))
    assert fields(replace(one, covers=(LEVEL_1,))) == [(0, "covers")]


def test_two_circles_at_once_are_both_named():
    a, c, d, e = (f"504|LOCAL|{letter}|" for letter in "ACDE")
    changed = [
        define(a, None, covers=[c]),
        define(c, None, covers=[a]),
        define(d, None, covers=[e]),
        define(e, None, covers=[d]),
    ]
    assert fields(*changed) == [(place, "covers") for place in range(4)]


def test_every_field_is_named_not_only_the_first():
    wrong = define("Pumps", 0, ["", ""], ["x"], date(2026, 1, 2), date(2026, 1, 1))
    assert {field for _, field in fields(wrong)} == {"name", "renewal_months", "levels", "covers", "ends_on"}


# --- what is warned of --------------------------------------------------------------------------------------


def cared(competency, *requirements, owner="504"):
    return [
        (each.rule, each.requirements)
        for each in cautions(competency, [("504", rule) for rule in requirements], owner, TODAY)
    ]


def test_a_period_that_differs_from_the_name_is_warned_of():
    (caution,) = cautions(define(FIRE, 24), [], "NHS", TODAY)
    assert (caution.rule, caution.sentence) == (
        Care.ANOTHER_PERIOD,
        "The name says 1 Year, but new awards will be valid for 24 months.",
    )
    assert cautions(define(FIRE, None), [], "NHS", TODAY)[0].sentence.endswith("valid without end.")
    assert cautions(define(FIRE, 12), [], "NHS", TODAY) == ()
    assert cautions(define("504|LOCAL|Corporate Induction|", 12), [], "504", TODAY) == ()
    assert cautions(define("504|LOCAL|Pumps - No Specified Renewal|", 1), [], "504", TODAY)[0].sentence == (
        "The name says No Specified Renewal, but new awards will be valid for 1 month."
    )


def test_what_requires_nothing_while_a_competency_is_not_in_use_is_named():
    forever, past = b.requirement(FIRE), b.requirement(FIRE, ends_on=date(2026, 11, 22))
    until = b.requirement(FIRE, ends_on=date(2026, 12, 31))
    for changes, named in (
        ({"ends_on": date(2026, 12, 31)}, (forever,)),
        ({"ends_on": date(2026, 12, 30)}, (forever, until)),
        ({"starts_on": date(2026, 12, 1)}, (forever, until)),
        ({"starts_on": date(2026, 11, 23)}, ()),
        ({}, ()),
    ):
        expected = [(Care.NOT_IN_USE, named)] if named else []
        assert cared(define(FIRE, 12, **changes), forever, past, until) == expected


def test_a_level_that_is_required_but_gone_is_warned_of():
    low, high = b.requirement(FIRE, level=1), b.requirement(FIRE, level=2)
    assert cared(define(FIRE, 12), low, high) == [(Care.LEVEL_GONE, (high,))]
    assert cared(define(FIRE, 12, ["A", "B"]), low, high) == []


def test_the_nation_is_told_how_many_employers_require_something_and_not_what():
    required = [("504", b.requirement(FIRE)), ("505", b.requirement(FIRE, target="505"))]
    (caution,) = cautions(define(FIRE, 12, ends_on=TODAY), required, "NHS", TODAY)
    assert caution.requirements == ()
    assert caution.sentence.endswith("asked for by 2 requirements of 2 employers.")


# --- as a file ----------------------------------------------------------------------------------------------

HEADER = "name,renewal_months,levels,covers,starts_on,ends_on\r\n"


def read(content, owner="504", known=KNOWN):
    return framework_file.read(content.encode() if isinstance(content, str) else content, owner, known)


def refused(content, **options):
    with pytest.raises(Invalid) as caught:
        read(content, **options)
    return {error.field: error.reason for error in caught.value.errors}


TEXT = st.text("Aé ;,\"'-=\n", min_size=1, max_size=8) | st.text(
    st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12
)
DAYS = st.none() | st.dates(date(2020, 1, 1), date(2030, 1, 1))


@st.composite
def frameworks(draw):
    found = {}
    for _ in range(draw(st.integers(0, 5))):
        name = (
            f"504|{draw(st.sampled_from(['LOCAL', 'CSTF']))}|{draw(TEXT)}{draw(st.sampled_from(['', ' - 2 Years']))}|"
        )
        levels = draw(st.lists(TEXT, min_size=1, max_size=3))
        covers = draw(st.lists(st.sampled_from([FIRE, MOVING, *found]), unique=True, max_size=2))
        each = define(name, draw(st.none() | st.integers(1, 600)), levels, covers, draw(DAYS), draw(DAYS))
        if not wrong_fields([each], "504", {**KNOWN, **found}) and name not in found:
            found[name] = each
    return found


@given(frameworks())
def test_what_is_exported_is_imported_as_it_was(found):
    again = read(framework_file.write(found.values()), known={**KNOWN, **found})
    assert {each.name: each for each in again} == found


@pytest.mark.parametrize("bom", [b"", codecs.BOM_UTF8])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_with_or_without_a_byte_order_mark_and_with_quoted_line_breaks(bom, end):
    first = '504|LOCAL|Café - 1 Year|,,"One' + end + 'Two, too",,,'
    second = f'"504|LOCAL|B|",none,,"504|LOCAL|Café - 1 Year|\r\n{FIRE}",,'
    content = HEADER + first + end + end + second
    cafe, other = read(bom + content.encode())
    assert (cafe.renewal_months, cafe.levels) == (12, ("One", "Two, too"))
    assert (other.renewal_months, other.covers, other.levels) == (None, (cafe.name, FIRE), ("Assessed",))


def test_the_order_of_columns_is_free():
    (found,) = read("Ends_On,name,levels,covers,starts_on,renewal_months\n2026-12-31,504|LOCAL|A|,,,,6\n")
    assert (found.ends_on, found.renewal_months) == (date(2026, 12, 31), 6)


def test_columns_that_are_missing_unknown_or_twice_are_named():
    wrong = refused("name,levels,colour,levels,starts_on,ends_on\n504|LOCAL|A|,,,,,\n")
    assert set(wrong) == {"body", "row 1.column 3", "row 1.column 4", "row 1.renewal_months", "row 1.covers"}


def test_everything_wrong_is_named_by_row_and_column():
    rows = [
        "504|LOCAL|A|,0,,,,",
        "NHS|CSTF|A|,1.5,,,2026-02-30,20260101",
        "",
        '=cmd,none,"+1",-x,@y,"\t="',
        "504|LOCAL|A|,none,,,,",
        "504|LOCAL|B|,none,,504|LOCAL|Z|,,",
        "504|LOCAL|C|,none",
        "504|LOCAL|D|,none,A\ufffd,,,",
        "504|LOCAL|E|,none,,504|LOCAL|F|,,",
        "504|LOCAL|F|,none,,504|LOCAL|E|,,",
    ]
    assert list(refused(HEADER + "\r\n".join(rows))) == [
        "row 2.renewal_months",
        "row 3.renewal_months",
        "row 3.starts_on",
        "row 3.ends_on",
        "row 3.name",
        "row 5.name",
        "row 5.levels",
        "row 5.covers",
        "row 5.starts_on",
        "row 5.ends_on",
        "row 6.name",
        "row 7.covers",
        "row 8",
        "row 9.levels",
        "row 10.covers",
        "row 11.covers",
    ]


@pytest.mark.parametrize(
    "content",
    [
        "504|LOCAL|Café|,,,,,".encode("cp1252"),
        (HEADER + "504|LOCAL|A|,,,,,").encode("utf-16"),
        (HEADER + '504|LOCAL|A|,,"open,,,').encode(),
        (HEADER + '504|LOCAL|A|,,"a"b,,,').encode(),
        b"\xff",
        b"\n\n",
        HEADER.replace(",", ";").encode(),
    ],
)
def test_a_file_that_nobody_can_read_is_refused_whole(content):
    head = b"" if content.startswith((b"name", b"\xff", b"\n")) else HEADER.encode()
    assert "body" in refused(head + content)


def test_a_hundred_wrong_fields_are_listed_and_the_rest_counted():
    wrong = refused(HEADER + "Pumps,0,,,,\n" + "".join(f"x{number},none,,,,\n" for number in range(119)))
    assert len(wrong) == 101
    assert wrong["body"] == "has 21 more wrong fields than are listed"


def test_five_thousand_rows_and_no_more_and_even_one_long_circle_takes_little_time():
    names = [f"504|LOCAL|Item {number}|" for number in range(5000)]
    chain = [f"{name},none,,{names[(place + 1) % 5000]},,\n" for place, name in enumerate(names)]
    assert len(read(HEADER + "".join(chain[:-1]) + f"{names[-1]},none,,,,\n")) == 5000
    assert len(refused(HEADER + "".join(chain))) == 101
    assert set(refused(HEADER + "".join(chain) + "504|LOCAL|Z|,none,,,,\n")) == {"body"}


def test_no_cell_is_exported_that_a_spreadsheet_takes_for_a_formula():
    odd = replace(local(), levels=("=1+1",))
    assert "'=1+1" in framework_file.write([odd])


@given(st.text(max_size=200) | st.binary(max_size=200))
def test_no_file_whatever_fails_in_another_way(content):
    raw = content if isinstance(content, bytes) else (HEADER + content).encode(errors="replace")
    wrong = [FieldError("body", "")]
    try:
        read(raw)
    except Invalid as invalid:
        wrong = [*invalid.errors]
    assert wrong
    assert all(isinstance(error, FieldError) for error in wrong)
