"""The class list and the register over HTTP: who may have them, who is on them, and what is printed."""

import csv
import io
import re
import threading
from datetime import date, timedelta

import pytest
from pypdf import PdfReader

from chalicelib import documents
from chalicelib.domain.catalogue import Subject
from chalicelib.domain.enrolment import Need, Status
from chalicelib.domain.people import EmploymentKind
from chalicelib.services import class_documents, classes, takeover
from chalicelib.storage.catalogue import SubjectRow
from tests import builders as b
from tests import seams
from tests.builders import NOW, SYSTEM

ADMINISTRATOR = "504-9"
SEVERAL = [b.session(), b.session(date(2026, 12, 8))]


@pytest.fixture
def trust(api):
    b.trust()
    b.person(9, role="learning_administrator", first_name="Ada")
    b.person(8, role="instructor", first_name="Ines", last_name="Instructor", title="Dr")
    b.offered(b.class_(sessions=SEVERAL, instructor="p8"))
    return api


def on_class(number, status=Status.CONFIRMED, class_=None, attempt=1, facts=None, **who):
    at = class_ or b.class_(sessions=SEVERAL)
    placed = b.enrolment(status, at, person=f"p{number}", attempt=attempt, **(facts or {}))
    if attempt == 1:
        b.person(number, **who)
    takeover.take_over(SYSTEM, "504", f"p{number}", (), [placed], NOW)


def register(api, as_=ADMINISTRATOR, class_id="504-c1"):
    answer = api.get(f"/v1/classes/{class_id}/register", as_=as_)
    assert answer.status_code == 200, answer.json_body
    return PdfReader(io.BytesIO(answer.body))


def text_of(pdf):
    return [page.extract_text() for page in pdf.pages]


# --- the register ---------------------------------------------------------------------------------------------


def test_the_register_has_a_page_for_each_session_with_who_holds_a_seat_by_last_name(trust):
    on_class(1, first_name="Gwenllïan", last_name="Tŵt-Llŷr")
    on_class(2, first_name="Łucja", last_name="Łabęcka")
    on_class(3, first_name="Żaneta", last_name="Ćwiklińska", assignments=[b.assignment("3", unit="estates")])
    on_class(4, Status.WAITLISTED, first_name="Wanda", last_name="Waiting")
    on_class(5, Status.WITHDRAWN, first_name="Wilma", last_name="Withdrawn")
    first, second = text_of(register(trust))
    assert "Session 1 of 2: Tuesday 1 December 2026, 09:00 to 12:00" in first
    assert "Session 2 of 2: Tuesday 8 December 2026, 09:00 to 12:00" in second
    assert "Instructor: Dr Ines Instructor" in first
    names = ["Żaneta Ćwiklińska", "Łucja Łabęcka", "Gwenllïan Tŵt-Llŷr"]
    assert [first.index(name) for name in names] == sorted(first.index(name) for name in names)
    assert "20000003" in first
    assert "504 Estates" in first
    assert "Waiting" not in first + second
    assert "Withdrawn" not in first + second


def test_once_outcomes_are_noted_they_stand_in_place_of_signatures(trust):
    on_class(1, Status.COMPLETED, facts={"score": 85.0})
    on_class(2, Status.ATTENDED_NOT_COMPLETED)
    on_class(3, Status.DID_NOT_ATTEND)
    on_class(4)
    first, _ = text_of(register(trust))
    for noted in ("Completed, 85 %", "Attended - not completed", "Did not attend"):
        assert noted in first
    assert "Confirmed" not in first


def test_it_is_a_pdf_to_look_at_whatever_the_client_accepts(trust):
    for accept in ("application/pdf", "*/*", "text/html"):
        answer = trust.get("/v1/classes/504-c1/register", as_=ADMINISTRATOR, headers={"Accept": accept})
        assert answer.headers["Content-Type"] == "application/pdf"
        assert answer.headers["Content-Disposition"] == 'inline; filename="register-504-c1.pdf"'
        assert answer.body.startswith(b"%PDF-")


def test_a_class_of_forty_goes_over_several_pages_with_headings_and_page_numbers(trust, monkeypatch):
    people = [f"p{number}" for number in range(100, 140)]
    listed = {
        each: b.enrolment(at=b.class_(sessions=SEVERAL), person=each, placed_at=NOW + timedelta(minutes=number))
        for number, each in enumerate(people)
    }
    monkeypatch.setattr(class_documents, "_latest_of_each", lambda employer, class_id: listed)
    pages = text_of(register(trust))
    assert len(pages) == 6
    for number, page in enumerate(pages, 1):
        assert "Signature" in page
        assert f"page {number} of 6" in page
    assert [page.count("Instructor’s signature") for page in pages] == [0, 0, 1, 0, 0, 1]
    assert "p139" in pages[1]


def test_a_class_with_nobody_on_it_says_so_and_has_room_for_who_comes_unannounced(trust, monkeypatch):
    assert "Nobody holds a place on this class." in text_of(register(trust))[0]
    with_room = lines_drawn(register(trust))
    monkeypatch.setattr(documents, "_WALK_INS", 0)
    assert with_room - lines_drawn(register(trust)) >= 5 * 5, "five rows of five cells"


def lines_drawn(pdf):
    return len(re.findall(rb" l\s+S|re\s", pdf.pages[0].get_contents().get_data()))


def test_a_name_is_printed_as_it_is_even_if_it_looks_like_a_number_of_pages(trust):
    on_class(1, first_name="Una", last_name="O'Neil {nb}")
    first, _ = text_of(register(trust))
    assert "Una O'Neil {nb}" in first
    assert "page 1 of 2" in first


def test_letters_the_font_lacks_are_question_marks_and_reach_no_log(trust, caplog, capfd):
    on_class(1, first_name="小龍", last_name="Li")
    assert "?? Li" in text_of(register(trust))[0]
    out, err = capfd.readouterr()
    assert "小" not in caplog.text + out + err


def test_nobody_signs_for_e_learning(trust):
    classes.add_class(SYSTEM, b.e_learning(), NOW)
    refused = trust.get("/v1/classes/504-e1/register", as_=ADMINISTRATOR)
    assert (refused.status_code, refused.json_body["type"].rpartition(":")[2]) == (409, "nothing-to-sign")


# --- the list -------------------------------------------------------------------------------------------------


def class_list(api, as_=ADMINISTRATOR, class_id="504-c1"):
    answer = api.get(f"/v1/classes/{class_id}/class-list", as_=as_)
    assert answer.status_code == 200, answer.json_body
    return answer.json_body


def test_the_list_shows_the_class_and_everybody_on_it_with_their_status(trust):
    on_class(1, last_name="Zebra")
    on_class(2, last_name="Aster")
    on_class(3, Status.WAITLISTED, last_name="Birch")
    on_class(4, Status.WITHDRAWN, last_name="Aalto")
    on_class(5, kind=EmploymentKind.EXTERNAL, groups=["agency"], last_name="Moss")
    found = class_list(trust)
    people = [(each["person_id"], each["status"], each["unit"]) for each in found.pop("people")]
    assert people == [
        ("p2", "confirmed", "504 Ward 9"),
        ("p5", "confirmed", ""),
        ("p1", "confirmed", "504 Ward 9"),
        ("p3", "waitlisted", "504 Ward 9"),
        ("p4", "withdrawn", "504 Ward 9"),
    ]
    assert found == {
        "class_id": "504-c1",
        "title": "Fire Safety",
        "course": "Fire Safety",
        "starts_at": "2026-12-01T09:00:00Z",
        "venue": "Seminar Room 1",
        "instructor": "Dr Ines Instructor",
        "minimum": 4,
        "maximum": 12,
        "confirmed": 3,
        "waiting": 1,
        "by_need": False,
        "free": 9,
        "status": "normal",
    }


def test_who_waits_is_listed_in_the_order_of_the_list_with_their_place_on_it(trust):
    on_class(1, Status.WAITLISTED, facts={"need": Need.AMBER})
    on_class(2, Status.WAITLISTED, facts={"need": Need.RED, "passed_over": True})
    on_class(3, Status.WAITLISTED, facts={"need": Need.RED})
    people = [(each["person_id"], each["position"]) for each in class_list(trust)["people"]]
    assert people == [("p3", 1), ("p1", 2), ("p2", None)]


def test_it_shows_scores_and_how_often_somebody_did_not_attend_in_the_twelve_months_up_to_the_class(trust):
    on_class(1, Status.COMPLETED, facts={"score": 92.5}, last_name="Aster")
    on_class(2, Status.DID_NOT_ATTEND, last_name="Birch")
    for number, day in enumerate((date(2025, 12, 1), date(2025, 12, 2), date(2026, 6, 1))):
        before = b.class_(class_id=f"504-b{number}", sessions=[b.session(day)])
        placed = b.enrolment(Status.DID_NOT_ATTEND, before, person="p2", counted=False)
        takeover.take_over(SYSTEM, "504", "p2", (), [placed], NOW)
    people = [(each["score"], each["did_not_attend"]) for each in class_list(trust)["people"]]
    assert people == [(92.5, 0), (None, 3)]


def test_somebody_who_came_back_is_listed_once_with_the_latest_status(trust):
    on_class(1, Status.WITHDRAWN)
    on_class(1, attempt=2)
    assert [each["status"] for each in class_list(trust)["people"]] == ["confirmed"]


def test_the_unit_is_where_somebody_works_on_the_day_of_the_class(trust):
    moving = [
        b.assignment("1", unit="ward-9", ends_on=date(2026, 11, 30)),
        b.assignment("1", unit="ward-10", starts_on=date(2026, 12, 1)),
    ]
    on_class(1, assignments=moving)
    assert class_list(trust)["people"][0]["unit"] == "504 Ward 10"


def test_as_a_spreadsheet_it_has_a_row_for_each_person_and_no_formula(trust):
    on_class(1, first_name="=HYPERLINK(1)", last_name="Aster")
    on_class(2, Status.WAITLISTED, last_name="Birch")
    answer = trust.get("/v1/classes/504-c1/class-list?format=csv", as_=ADMINISTRATOR)
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    first, second = csv.DictReader(io.StringIO(answer.body.decode()))
    assert first == {
        **{"class": "504-c1", "course": "Fire Safety", "start": "2026-12-01 09:00", "venue": "Seminar Room 1"},
        **{"instructor": "Dr Ines Instructor", "min": "4", "max": "12", "confirmed": "1", "waitlisted": "1"},
        **{"free": "11", "status": "normal", "name": "'=HYPERLINK(1) Aster", "employee_number": "20000001"},
        **{"unit": "504 Ward 9", "enrolment_status": "confirmed", "placed_on": "2026-11-16"},
        **{"position": "", "score": "", "did_not_attend_in_12_months": "0"},
    }
    assert (second["name"], second["enrolment_status"], second["position"]) == ("Sam Birch", "waitlisted", "1")


def test_a_class_with_nobody_on_it_has_one_row(trust):
    answer = trust.get("/v1/classes/504-c1/class-list?format=csv", as_=ADMINISTRATOR)
    (row,) = csv.DictReader(io.StringIO(answer.body.decode()))
    assert (row["class"], row["name"]) == ("504-c1", "")


def test_e_learning_counts_who_is_on_it(trust):
    classes.add_class(SYSTEM, b.e_learning(), NOW)
    on_class(1, class_=b.e_learning())
    found = class_list(trust, class_id="504-e1")
    assert (found["confirmed"], found["maximum"], found["free"]) == (1, None, None)


def test_people_are_read_at_the_same_time_and_the_register_reads_no_more_than_it_prints(trust):
    on_class(1)
    on_class(2)
    for ask, kinds in ((class_list, ["ASG", "ENR"]), (register, ["ASG"])):
        together, read = threading.Barrier(2, timeout=5), []

        def noted(call, operation, request, together=together, read=read):
            beginnings = [each.get("S", "") for each in request.get("ExpressionAttributeValues", {}).values()]
            for kind in ("ASG", "ENR"):
                if f"E#504#{kind}#" in beginnings:
                    together.wait()
                    read.append(kind)
            return call(operation, request)

        with seams.intercepted(noted):
            ask(trust)
        assert sorted(read) == sorted(kinds * 2)


def test_a_list_has_an_end(trust, monkeypatch):
    monkeypatch.setattr(class_documents, "MOST_LISTED", 1)
    on_class(1)
    assert len(class_list(trust)["people"]) == 1
    on_class(2)
    refused = trust.get("/v1/classes/504-c1/class-list", as_=ADMINISTRATOR)
    assert (refused.status_code, refused.json_body["type"].rpartition(":")[2]) == (409, "list-too-long")


# --- whose ----------------------------------------------------------------------------------------------------


def test_instructors_have_their_own_classes_and_class_administrators_those_of_their_subjects(trust):
    SubjectRow.of("504", Subject("alarms", "Alarms", "fire")).save()
    b.offered(b.class_("504-alarm", course="504-alarms"), course_id="504-alarms", subject="alarms")
    b.offered(b.class_("504-lift", course="504-lifting"), course_id="504-lifting", subject="moving")
    logins = {
        "instructor": "504-8",
        "other instructor": b.person(1, role="instructor"),
        "fire": b.person(2, role="class_administrator", subjects=["fire"]),
        "moving": b.person(3, role="class_administrator", subjects=["moving"]),
        "administrator": ADMINISTRATOR,
    }
    may = {
        who: {
            class_id
            for class_id in ("504-c1", "504-alarm", "504-lift", "505-c1", "504-none")
            for document in ("class-list", "register")
            if trust.get(f"/v1/classes/{class_id}/{document}", as_=login).status_code == 200
        }
        for who, login in logins.items()
    }
    assert may == {
        "instructor": {"504-c1"},
        "other instructor": set(),
        "fire": {"504-c1", "504-alarm"},
        "moving": {"504-lift"},
        "administrator": {"504-c1", "504-alarm", "504-lift"},
    }


def test_of_a_national_class_an_employer_sees_its_own_people_alone(trust):
    national = b.class_("NHS-c1", course="NHS-moving")
    b.offered(national, course_id="NHS-moving", subject="moving")
    on_class(1, class_=national)
    b.person(6, employer="505")
    elsewhere = b.enrolment(at=national, person="p6", employer="505")
    takeover.take_over(SYSTEM, "505", "p6", (), [elsewhere], NOW)
    assert [each["person_id"] for each in class_list(trust, class_id="NHS-c1")["people"]] == ["p1"]
