"""A workforce file read: bytes to rows from any place on, and what is refused, by row or as a whole."""

import codecs
import csv
import io
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.csv_file import LONGEST_RECORD, FileRefused, Position, Records, is_blank
from chalicelib.domain.errors import FieldError
from chalicelib.domain.people import EmploymentKind
from chalicelib.domain.workforce import GroupSection, PersonSection
from chalicelib.domain.workforce_file import ASSIGNMENT, COLUMNS, EMPLOYMENT, GROUPS, PERSON, as_column, header, row_of

START = Position()


def records(content, at=START, chunk=7):
    data = content.encode() if isinstance(content, str) else content
    rest = data[at.offset :]
    return Records((rest[i : i + chunk] for i in range(0, len(rest), chunk)), at)


def read_whole(content):
    reading = records(content)
    header(reading)
    return list(reading)


def refused(content):
    with pytest.raises(FileRefused) as caught:
        read_whole(content)
    return caught.value


HEADER = "sequence,employee_number,first_name,last_name\n"


# --- the file as a whole ------------------------------------------------------------------------------------


TEXTS = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0\ufeff"), max_size=9)


@given(
    st.lists(st.lists(TEXTS, min_size=2, max_size=4), min_size=1, max_size=8),
    st.integers(1, 40),
    st.booleans(),
)
def test_whatever_the_chunks_reading_can_go_on_behind_every_row(rows, chunk, bom):
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL).writerows(rows)
    content = (codecs.BOM_UTF8 if bom else b"") + text.getvalue().encode()
    reading = records(content, chunk=chunk)
    places = [(fields, reading.at) for fields in reading]
    assert [fields for fields, _ in places] == rows
    for number, (_, at) in enumerate(places, start=1):
        assert at.row == number
        assert list(records(content, at, chunk)) == rows[number:]


def test_rows_are_numbered_as_a_spreadsheet_numbers_them():
    reading = records('a,b\n"one\nand a half",2\n\n,\nlast,4\n')
    seen = [(reading.at.row, fields) for fields in reading]
    assert [(row, is_blank(fields)) for row, fields in seen] == [
        (1, False),
        (2, False),
        (3, True),
        (4, True),
        (5, False),
    ]
    assert reading.at == Position(offset=33, row=5, line=6)


def test_windows_1252_is_refused_naming_line_and_byte_and_how_to_save_it():
    found = refused(HEADER.encode() + b"1,1,Zo\xeb,Testfold\n")
    assert found.sentence == (
        "The file is not UTF-8: line 2 has the byte 0xEB at position 53 of the file. "
        "It was probably saved as Windows-1252 (ANSI)."
    )
    assert "CSV UTF-8" in found.way_out


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf_16_is_refused(encoding):
    assert "UTF-16" in refused(HEADER.encode(encoding)).sentence


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (
            HEADER + '1,1,"Sam,Testfold\n2,2,Kim,Testfold\n',
            "Row 2, which begins on line 2, opens a quote that is not closed",
        ),
        (HEADER + '1,1,"Sam" the,Testfold\n', "Row 2, which begins on line 2, has something behind a closing quote."),
        (HEADER + "1,1,Sam,Testfold\r2,2,Kim,Testfold\n", "Row 2, which begins on line 2, has a carriage return"),
        (HEADER + '1,1,"' + "x\n" * LONGEST_RECORD, "Row 2, which begins on line 2, is longer than 256 kB"),
        (HEADER + "1,1," + "x" * 2 * LONGEST_RECORD, "Row 2, which begins on line 2, is longer than 256 kB"),
        (HEADER + '1,1,"a\n",' + '"a\n",' * LONGEST_RECORD, "Row 2, which begins on line 2, is longer than 256 kB"),
    ],
)
def test_a_file_whose_rows_nobody_can_tell_apart_is_refused(content, sentence):
    assert refused(content).sentence.startswith(sentence)


def test_a_field_may_be_as_long_as_a_row_and_is_then_for_the_row_to_refuse():
    longest = "x" * (LONGEST_RECORD - 100)
    assert read_whole(f"{HEADER}1,1,Sam,{longest}\n2,2,Kim,Testfold\n") == [
        ["1", "1", "Sam", longest],
        ["2", "2", "Kim", "Testfold"],
    ]


def test_a_header_is_refused_with_every_wrong_column_and_without_repeating_what_may_be_a_name():
    found = refused("employee_number,unit,Testfold,unit\n")
    assert found.errors == (
        FieldError("column 3", "is not known"),
        FieldError("column 4", "repeats unit"),
        FieldError("sequence", "is missing"),
    )
    assert "Testfold" not in found.sentence + found.way_out


@pytest.mark.parametrize("content", ["", "\n", ",,\n", codecs.BOM_UTF8])
def test_an_empty_file_is_refused(content):
    assert refused(content).sentence == "The file is empty, or its first row is."


def test_semicolons_and_tabs_are_told():
    assert refused(HEADER.replace(",", ";")).sentence == "The columns are not separated by commas."
    assert refused(HEADER.replace(",", "\t")).sentence == "The columns are not separated by commas."


def test_the_header_may_have_any_order_and_case_and_leave_columns_out():
    assert header(records("Employee_Number, SEQUENCE ,unit\n")) == ("employee_number", "sequence", "unit")
    assert header(records(",".join(COLUMNS))) == COLUMNS


# --- one row ------------------------------------------------------------------------------------------------


FILLED = {
    "sequence": "12",
    "employee_number": "20059417",
    "first_name": "Zoë",
    "last_name": "Testfold",
    "employment": "Employee",
    "employed_from": "2026-12-01",
    "assignment": "20059417",
    "from": "2026-12-01",
    "unit": "ward-9",
    "position": "nurse-9",
    "job": "nurse",
    "staff_group": "nursing",
    "primary": "yes",
    "learner_groups": "agency; students",
}


def row(**changes):
    values = FILLED | changes
    return row_of(7, [values.get(name, "") for name in COLUMNS], COLUMNS, "job:7")


def test_a_row_becomes_a_message_with_the_sections_that_are_filled_in():
    read = row()
    change = read.change
    assert (read.errors, change.id, change.sequence) == ((), "job:7", 12)
    assert change.person == PersonSection("Zoë", "Testfold")
    assert (change.employment.kind, change.employment.starts_on) == (EmploymentKind.EMPLOYEE, date(2026, 12, 1))
    assert (change.assignments[0].unit, change.assignments[0].primary, change.assignments[0].ended) == (
        "ward-9",
        True,
        False,
    )
    assert change.learner_groups == tuple(GroupSection(each, date(2026, 12, 1)) for each in ("agency", "students"))


def test_empty_columns_say_nothing():
    assert row(learner_groups="").change.learner_groups == ()
    gone = dict.fromkeys(("first_name", "last_name", "employment", "employed_from", "learner_groups"), "")
    assert (row(**gone).change.person, row(**gone).change.employment) == (None, None)


def test_groups_have_days_of_their_own_or_begin_with_the_service_of_the_row():
    own = row(groups_from="2026-12-10", groups_until="2027-01-31", learner_groups="agency;agency").change.learner_groups
    assert own == (GroupSection("agency", date(2026, 12, 10), date(2027, 1, 31)),)
    gone = dict.fromkeys(EMPLOYMENT, "")
    assert [each.field for each in row(**gone).errors] == ["groups_from"]
    assert [each.field for each in row(learner_groups="", groups_from="2026-12-10").errors] == ["learner_groups"]
    assert [each.field for each in row(learner_groups=";").errors] == ["learner_groups"]


def test_a_row_says_which_of_its_sections_never_was():
    def said(cancelled):
        change = row(cancelled=cancelled).change
        return change.employment.cancelled, change.assignments[0].cancelled, change.learner_groups[0].cancelled

    assert said("") == (False, False, False)
    assert said("employment") == (True, False, False)
    assert said("Assignment") == (False, True, False)
    assert said("employment; assignment; learner_groups") == (True, True, True)


def test_a_section_that_never_was_is_named_by_what_is_known_of_it():
    gone = dict.fromkeys((*ASSIGNMENT, *EMPLOYMENT, *PERSON, *GROUPS), "")
    assert [each.field for each in row(**gone, cancelled="employment").errors] == ["employment", "employed_from"]
    assert [each.field for each in row(**gone, cancelled="assignment").errors] == ["assignment", "from"]
    assert [each.field for each in row(**gone, cancelled="learner_groups").errors] == ["learner_groups", "groups_from"]


def test_line_breaks_and_double_spaces_within_a_value_are_one_space():
    assert row(first_name="Anna\r\n  Maria ").change.person.first_name == "Anna Maria"


@pytest.mark.parametrize("value", ["=1+1", "+44", "-x", "@SUM(A1)", "\t=1", "\rx", "  =cmd|x!A1"])
def test_a_value_that_begins_like_a_formula_is_refused_by_field(value):
    assert [each.field for each in row(last_name=value).errors] == ["last_name"]


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("sequence", "", "is missing"),
        ("sequence", "1.5", "is not a whole number"),
        ("sequence", "٣", "is not a whole number"),
        ("sequence", "9" * 17, "is not a whole number"),
        ("employee_number", "", "is missing"),
        ("first_name", "", "is missing"),
        ("employment", "staff", "is none of employee, applicant, external learner"),
        ("employed_from", "", "is missing"),
        ("employed_from", "01/12/2026", "is not a day written like 2026-11-23"),
        ("until", "2026-02-29", "is not a day written like 2026-11-23"),
        ("until", "2026-W48-1", "is not a day written like 2026-11-23"),
        ("from", "", "is missing"),
        ("primary", "perhaps", "is neither yes nor no"),
        ("ended", "2", "is neither yes nor no"),
        ("cancelled", "yes", "is none of employment, assignment, learner_groups"),
        ("cancelled", "employment, assignment", "is none of employment, assignment, learner_groups"),
        ("groups_from", "2026-13-01", "is not a day written like 2026-11-23"),
        ("groups_until", "later", "is not a day written like 2026-11-23"),
    ],
)
def test_a_wrong_value_is_refused_by_field_and_reason(column, value, reason):
    found = row(**{column: value})
    assert (found.errors, found.change) == ((FieldError(column, reason),), None)


def test_every_wrong_field_of_a_row_is_named():
    assert {each.field for each in row(sequence="x", employed_from="x", last_name="=x").errors} == {
        "sequence",
        "employed_from",
        "last_name",
    }


@pytest.mark.parametrize("fields", [["1"], ["1", "2", "3"]])
def test_a_row_with_another_number_of_fields_is_refused(fields):
    found = row_of(7, fields, ("sequence", "employee_number"), "job:7")
    assert found.errors == (FieldError("row", f"has {len(fields)} fields where the header has 2"),)


def test_what_is_no_number_or_id_is_not_repeated_in_a_report():
    assert row(employee_number="Sam Testfold").employee_number is None
    assert row(message_id="Sam Testfold").message_id is None


@pytest.mark.parametrize(
    ("path", "column"),
    [
        ("assignments[0].starts_on", "from"),
        ("assignments[0].unit", "unit"),
        ("person.email", "email"),
        ("learner_groups", "learner_groups"),
        ("learner_groups[2].group", "learner_groups"),
        ("learner_groups[2].starts_on", "groups_from"),
        ("learner_groups[2].ends_on", "groups_until"),
        ("id", "message_id"),
        ("assignments[0].cancelled", "cancelled"),
        ("employment.ends_on", "employed_until"),
        ("employee_number", "employee_number"),
    ],
)
def test_errors_of_a_message_are_told_by_column(path, column):
    assert as_column(FieldError(path, "x")).field == column
