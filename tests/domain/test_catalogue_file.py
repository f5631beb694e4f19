"""A catalogue as CSV: what is written is read back the same, whatever it holds."""

import contextlib
import csv
import io
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain import catalogue_file
from chalicelib.domain.access import AccessMode, AccessRule
from chalicelib.domain.catalogue import (
    AwardTiming,
    Catalogue,
    Course,
    CourseStatus,
    Grants,
    LearningPath,
    Mode,
    Offering,
    Prerequisite,
    PrerequisiteKind,
    Section,
    Subject,
    Synonyms,
    Venue,
)
from chalicelib.domain.catalogue_file import COLUMNS, Known
from chalicelib.domain.errors import Invalid
from chalicelib.domain.requirements import Rulebook, Target, TargetKind
from tests import builders as b
from tests.builders import FIRE, INDUCTION, MOVING

SUBJECTS = (Subject("fire", "Fire", None, "504"), Subject("drills", "Drills", "fire", "504", 3))
VENUE = Venue("room-1", "Seminar Room 1", 20, "Main building\nFirst floor", False, "504", 2)
SYNONYMS = Synonyms("burning", ("blaze", "=fire", "a, b"), "504")
COURSE = Course(
    id="504-first-aid",
    title="First Aid; the basics",
    subject="drills",
    description='- breathing\r\n- "bleeding"\n\n  until help comes  ',
    duration_minutes=180,
    grants=(Grants(FIRE), Grants(INDUCTION, 2)),
    status=CourseStatus.WITHDRAWN,
    joining_instructions="'=quoted",
    offerings=(Offering("alone", Mode.E_LEARNING, "cy-GB"), Offering("room", Mode.CLASSROOM)),
    access_rules=(
        AccessRule("001", AccessMode.ADMINISTRATOR),
        AccessRule(
            "002",
            AccessMode.SELF_ENROL,
            (Target(TargetKind.UNIT, "ward-9"), Target(TargetKind.PERSON, "p1")),
            False,
            date(2026, 1, 1),
            date(2026, 12, 31),
        ),
        AccessRule("003", AccessMode.APPROVAL, (Target(TargetKind.JOB, "nurse"),), ends_on=date(2027, 1, 1)),
    ),
    prerequisites=(
        Prerequisite(PrerequisiteKind.COMPETENCY, MOVING, 1),
        Prerequisite(PrerequisiteKind.COURSE, "NHS-care", mandatory=False),
    ),
    award_timing=AwardTiming.AFTER_VERIFICATION,
    cost_pence=0,
    also_called=("CPR", "+ more"),
    starts_on=date(2026, 1, 1),
    ends_on=date(2028, 2, 29),
    revision=7,
)
NATIONAL = replace(COURSE, id="NHS-care", access_rules=(), prerequisites=())
PATH = LearningPath(
    "504-week",
    "First Week",
    "fire",
    "",
    (Section("Day one: safety", ("504-first-aid", "NHS-care")), Section("Later", ())),
    CourseStatus.DRAFT,
)
EVERYTHING = (*SUBJECTS, VENUE, SYNONYMS, COURSE, NATIONAL, PATH)


def catalogue(*entries):
    def of(kind):
        return {each.id: each for each in entries if isinstance(each, kind)}

    synonyms = tuple(of(Synonyms).values())
    return Catalogue("504", (1, 1), of(Subject), of(Course), of(LearningPath), of(Venue), synonyms)


def known(*entries):
    competencies = {each: replace(b.competency(each), levels=("Seen", "Done")) for each in (FIRE, INDUCTION, MOVING)}
    rulebook = Rulebook(
        "504", (1, 1), {}, {"ward-9": b.UNITS[2]}, competencies, 3, {Target(TargetKind.JOB, "nurse"): "Nurse"}
    )
    return Known(catalogue(*entries), rulebook, (), {"p1"})


def judged(text, *entries):
    sheet = catalogue_file.Sheet(text.encode())
    return catalogue_file.judge(sheet, "504", known(*entries))


def written(*entries):
    return catalogue_file.write(catalogue(*entries), "504", with_drafts=True)


def wrong(text, *entries):
    with pytest.raises(Invalid) as refused:
        judged(text, *entries)
    return [(each.field, each.reason) for each in refused.value.errors]


def without_revisions(text):
    rows = list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline="")))
    return as_text(*({**each, "revision": ""} for each in rows))


def as_text(*rows):
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def row(**cells):
    """A file of one row."""
    values = ('"' + cells.get(column, "").replace('"', '""') + '"' for column in COLUMNS)
    return f"{','.join(COLUMNS)}\n{','.join(values)}\n"


def test_everything_comes_back_as_it_went_out():
    rows = judged(written(*EVERYTHING), *EVERYTHING)
    assert [each.after.id for each in rows] == ["drills", "fire", "room-1", "burning", "504-first-aid", "504-week"]
    assert [each.after for each in rows if each.changes] == []


def test_into_an_empty_catalogue_everything_comes_as_new_with_rules_numbered_anew():
    rows = {each.after.id: each.after for each in judged(without_revisions(written(*EVERYTHING)), NATIONAL)}
    rules = tuple(replace(each, id=each.id[1:]) for each in COURSE.access_rules)
    assert rows["504-first-aid"] == replace(COURSE, access_rules=rules, revision=1)
    assert (rows["504-week"], rows["room-1"]) == (PATH, replace(VENUE, revision=1))


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00\ufffd"), max_size=30))
def test_free_text_is_kept_to_the_letter_whatever_a_spreadsheet_would_make_of_it(text):
    course = replace(COURSE, description=text, joining_instructions=f"'{text}", prerequisites=())
    file = written(*SUBJECTS, course)
    assert not judged(file, *SUBJECTS, course)[-1].changes
    assert not any(line.startswith(("=", "+", "@", "\t")) for line in catalogue_file._armoured(text).splitlines()[:1])


def test_a_draft_is_in_the_file_of_its_owner_only():
    assert "504-week" in catalogue_file.write(catalogue(*EVERYTHING), "504", with_drafts=True)
    assert "504-week" not in catalogue_file.write(catalogue(*EVERYTHING), "504", with_drafts=False)


def test_offerings_in_another_order_are_the_same():
    text = written(*SUBJECTS, COURSE, NATIONAL)
    turned = text.replace(
        "alone; e-learning; cy-GB\nroom; classroom; en-GB", "room; classroom\nalone; e-learning; cy-GB"
    )
    assert turned != text
    assert not judged(turned, *SUBJECTS, COURSE, NATIONAL)[-1].changes


def test_every_cell_that_cannot_be_read_is_named():
    text = row(
        kind="course",
        id="504-a",
        title="A",
        subject="fire",
        status="alive",
        duration_minutes="1.5",
        cost_pence="£3",
        awards=f"1; {FIRE}\n{FIRE}",
        award_timing="later",
        offerings="a; by post",
        starts_on="01/02/2026",
        ends_on="2026-02-30",
        prerequisites="perhaps; course; 1; NHS-care",
        access_rules="self-enrol; ward 9",
        capacity="12",
        sections="One: 504-a",
    )
    assert dict(wrong(text, *EVERYTHING)) == {
        "row 2.status": "names none of draft, live, withdrawn",
        "row 2.duration_minutes": "is not a whole number",
        "row 2.cost_pence": "is not a whole number",
        "row 2.awards": "line 2: is not written like `level; competency`",
        "row 2.award_timing": "names none of automatic, after verification",
        "row 2.offerings": "line 1: names none of classroom, online classroom, e-learning, blended",
        "row 2.starts_on": "is not a day written like 2026-11-23",
        "row 2.ends_on": "is not a day written like 2026-11-23",
        "row 2.prerequisites": "line 1: is neither mandatory nor advisory",
        "row 2.access_rules": "line 1: names none of ORG, UNIT, GRP, JOB, POS, LGR, PERSON",
        "row 2.capacity": "is nothing that course has",
        "row 2.sections": "is nothing that course has",
    }


def test_every_cell_that_cannot_be_is_named_with_its_line():
    changed = replace(
        COURSE,
        id="504-b",
        subject="nothing",
        grants=(Grants(FIRE), Grants("NHS|CSTF|Gone|")),
        offerings=(Offering("a", Mode.BLENDED), Offering("A b", Mode.BLENDED, "english!")),
        prerequisites=(Prerequisite(PrerequisiteKind.COMPETENCY, MOVING, 9),),
        access_rules=(
            AccessRule("1", AccessMode.APPROVAL, (Target(TargetKind.JOB, "nurse"), Target(TargetKind.UNIT, "none"))),
            AccessRule("2", AccessMode.APPROVAL, (Target(TargetKind.PERSON, "p9"),)),
        ),
        ends_on=date(2025, 1, 1),
    )
    assert wrong(without_revisions(written(*SUBJECTS, changed)), *SUBJECTS) == [
        ("row 4.subject", "is no subject of this catalogue"),
        ("row 4.ends_on", "lies before starts_on"),
        ("row 4.awards", "line 2, competency: is in no framework this employer uses"),
        ("row 4.offerings", "line 2, id: takes up to 60 small letters, digits and hyphens"),
        ("row 4.offerings", "line 2, language: is no language such as en-GB (BCP 47)"),
        ("row 4.access_rules", "line 1, targets 1 id: is not known at this employer"),
        ("row 4.access_rules", "line 2: is aimed at somebody who is no person of this employer"),
        ("row 4.prerequisites", "line 1, level: is not on its scale of 1 to 2"),
    ]


def test_ids_are_the_owners_own_and_each_stands_once():
    assert wrong(row(kind="venue", id="Room", title="Room", status="in use"))[0][0] == "row 2.id"
    path = {"title": "A", "subject": "fire", "status": "live"}
    for id_, reason in (
        ("NHS-a", "does not begin with 504-, whose catalogue this is"),
        ("505-a", "does not begin with 504-, whose catalogue this is"),
        ("504-first-aid", "is taken by something else"),
        ("504-A b", "takes up to 60 small letters, digits and hyphens"),
    ):
        assert wrong(row(kind="learning path", id=id_, **path), *EVERYTHING) == [("row 2.id", reason)], id_
    text = row(kind="learning path", id="504-a", **path)
    twice = text + text.splitlines()[1] + "\n"
    assert wrong(twice, *EVERYTHING) == [("row 3.id", "stands in row 2 already")]
    (kind,) = wrong(row(kind="certificate", id="a"))
    assert kind[0] == "row 2.kind"


def test_what_is_as_it_was_is_right_whatever_it_holds():
    odd = replace(COURSE, subject="gone", grants=(Grants("NHS|OLD|Gone|"),))
    assert [each.changes for each in judged(written(odd, PATH), odd, NATIONAL, PATH)] == [False, False]


def test_rows_are_judged_by_the_catalogue_that_the_whole_file_makes():
    after = replace(COURSE, id="504-z", prerequisites=(Prerequisite(PrerequisiteKind.COURSE, "504-a"),))
    before = replace(COURSE, id="504-a", prerequisites=())
    new = Subject("new", "New", "newer", "504"), Subject("newer", "Newer", None, "504")
    text = without_revisions(written(*new, replace(after, subject="new"), before, *SUBJECTS))
    rows = judged(text, *SUBJECTS)
    assert [each.after.id for each in rows if each.changes] == ["new", "newer", "504-a", "504-z"]
    circle = replace(SUBJECTS[0], parent="drills")
    assert wrong(written(circle, SUBJECTS[1]), *SUBJECTS) == [("row 3.subject", "lies below this subject itself")]


def test_a_live_course_does_not_become_a_draft_by_a_file_either():
    draft = replace(COURSE, status=CourseStatus.DRAFT)
    assert wrong(written(*SUBJECTS, draft), *SUBJECTS, COURSE, NATIONAL) == [
        ("row 4.status", "what is withdrawn does not become draft")
    ]


def test_of_very_many_wrong_cells_a_hundred_are_listed_and_the_others_counted():
    text = ",".join(COLUMNS) + "\n" + "".join(f"x,{number}{',' * 19}\n" for number in range(150))
    errors = wrong(text)
    assert (len(errors), errors[-1]) == (101, ("body", "has 50 more wrong fields than are listed"))


CELL = st.one_of(
    st.text(max_size=12),
    st.sampled_from(
        ["1; ", ";;;;", "a; classroom", "self-enrol; UNIT ward-9 + ; x", "One:,", "2026-11-23", "0", "live"]
    ),
)


@given(
    st.sampled_from(["subject", "venue", "synonyms", "course", "learning path", "x"]),
    st.lists(CELL | st.just(""), min_size=20, max_size=20),
)
def test_whatever_stands_in_its_cells_a_row_is_taken_or_refused(kind, cells):
    text = io.StringIO()
    csv.writer(text).writerows([COLUMNS, [kind, *cells]])
    with contextlib.suppress(Invalid):
        judged(text.getvalue().encode(errors="replace").decode(), *EVERYTHING)


# --- revisions ------------------------------------------------------------------------------------------------


def test_a_row_that_changes_something_carries_the_revision_that_it_has():
    old = written(*SUBJECTS, COURSE)
    changed = replace(COURSE, title="Changed by somebody else", revision=8)
    late = "this was changed since the file went out: it has revision 8 now"
    assert wrong(old, *SUBJECTS, changed, NATIONAL) == [("row 4.revision", late)]
    empty = "is empty, but this exists: it has revision 8 now"
    assert wrong(without_revisions(old), *SUBJECTS, changed, NATIONAL) == [("row 4.revision", empty)]
    assert not any(each.changes for each in judged(without_revisions(old), *SUBJECTS, COURSE, NATIONAL))


def test_what_was_deleted_since_does_not_come_back_by_an_older_file():
    ((field, reason),) = wrong(written(*SUBJECTS, VENUE), *SUBJECTS)
    assert (field, "to add it, leave this empty" in reason) == ("row 4.revision", True)


# --- odd cells ------------------------------------------------------------------------------------------------


def test_what_stands_in_the_catalogue_goes_out_and_comes_back_however_odd():
    names = ("504|LOCAL|Two  blanks|", "504|LOCAL|No\u00a0break|", "504|LOCAL|Line\u2028end|")
    odd = replace(COURSE, description="lost \ufffd", title="a  b", grants=tuple(map(Grants, names)))
    assert not any(each.changes for each in judged(written(*SUBJECTS, odd), *SUBJECTS, odd))
    retitled = wrong(written(*SUBJECTS, odd).replace("a  b", "Retitled"), *SUBJECTS, odd, NATIONAL)
    assert {field for field, _ in retitled} == {"row 4.awards", "row 4.description"}


def test_a_competency_is_read_by_the_name_it_has_with_all_its_blanks():
    line = catalogue_file._listed("1; 504|LOCAL|Two  blanks|\r\n 1; 504|LOCAL|No\u00a0break| ", catalogue_file._award)
    assert line == (Grants("504|LOCAL|Two  blanks|"), Grants("504|LOCAL|No\u00a0break|"))


def test_a_cell_that_cannot_be_read_hides_neither_the_others_nor_other_rows():
    text = as_text(
        dict.fromkeys(COLUMNS, "")
        | {"kind": "course", "id": "504-a", "subject": "nothing", "status": "live", "award_timing": "automatic"}
        | {"duration_minutes": "1.5", "awards": f"{FIRE}\n1; {FIRE}\nx; {FIRE}", "offerings": "a; blended\na; blended"},
        dict.fromkeys(COLUMNS, "")
        | {"kind": "learning path", "id": "504-p", "title": "P", "subject": "fire", "status": "live"}
        | {"sections": "One: 504-a"},
    )
    assert wrong(text, *SUBJECTS) == [
        ("row 2.duration_minutes", "is not a whole number"),
        ("row 2.awards", "line 1: is not written like `level; competency`"),
        ("row 2.awards", "line 3: is not a whole number"),
        ("row 2.title", "is empty"),
        ("row 2.subject", "is no subject of this catalogue"),
        ("row 2.offerings", "line 2, id: is used twice"),
    ]


def test_the_nation_keeps_no_venues_by_a_file_either():
    text = row(kind="venue", id="room", title="Room", status="in use")
    sheet = catalogue_file.Sheet(text.encode())
    with pytest.raises(Invalid) as refused:
        catalogue_file.judge(sheet, "NHS", known())
    assert [each.field for each in refused.value.errors] == ["row 2.id"]
