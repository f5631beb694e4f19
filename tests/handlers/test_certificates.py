"""Certificates over HTTP: what the paper says, who may have it, and whether it still stands."""

import io
import re
from dataclasses import replace
from datetime import timedelta

import pytest
from pypdf import PdfReader

from chalicelib.domain.certificates import CODE_LETTERS, code_read, code_written
from chalicelib.domain.enrolment import Status
from chalicelib.services import classes, identity, takeover
from chalicelib.storage.audit import AuditRow
from chalicelib.storage.awards import AwardRow
from chalicelib.storage.certificates import CertificateRow
from tests import builders as b
from tests.builders import NOW, SYSTEM, TODAY
from tests.pump import Pump

ADMINISTRATOR, INSTRUCTOR = "504-9", "504-8"
FIRST_AID = "504|LOCAL|First Aid - 2 Years|"
THIS_MORNING = b.class_(sessions=[b.session(TODAY, hour=8)], instructor="p8")


@pytest.fixture
def trust(api):
    """Gwen has just completed Fire Safety, which Ines teaches; Mona manages her."""
    b.trust()
    b.person(9, role="learning_administrator")
    b.person(8, role="instructor")
    b.person(5)
    b.offered(THIS_MORNING)
    b.person(1, title="Dr", first_name="Gwen", last_name="Tŵt", assignments=[b.assignment("1", supervisor="p5")])
    on_class(THIS_MORNING)
    mark(api)
    return api


def on_class(class_, number=1, **changes):
    placed = b.enrolment(at=class_, person=f"p{number}", **changes)
    takeover.take_over(SYSTEM, "504", f"p{number}", (), [placed], NOW)


def mark(api, number=1, class_id="504-c1", outcome="completed"):
    body = {"marks": [{"person_id": f"p{number}", "outcome": outcome}]}
    answer = api.post(f"/v1/classes/{class_id}/attendance", body, as_=ADMINISTRATOR)
    assert answer.json_body["marked"] == 1, answer.json_body


def correct(api, outcome):
    body = {"outcome": outcome, "reason": "Another line."}
    assert api.post("/v1/people/p1/enrolments/504-c1~1/correction", body, as_=ADMINISTRATOR).status_code == 200


def certificate(api, as_="504-1", of="me", enrolment="504-c1~1"):
    return api.get(f"/v1/{of}/enrolments/{enrolment}/certificate", as_=as_, headers={"Accept": "application/pdf"})


def text_of(answer):
    assert answer.status_code == 200, answer.json_body
    return "\n".join(page.extract_text() for page in PdfReader(io.BytesIO(answer.body)).pages)


def code_on(answer):
    return re.search(r"\b([0-9A-Z]{5}-){3}[0-9A-Z]{5}\b", text_of(answer))[0]


def checked(api, code):
    answer = api.get(f"/v1/certificates/{code}")
    assert answer.status_code == 200, answer.json_body
    return answer.json_body


def test_the_paper_says_who_completed_what_and_what_was_awarded(trust):
    answer = certificate(trust)
    assert answer.headers["Content-Type"] == "application/pdf"
    assert answer.headers["Content-Disposition"] == 'inline; filename="certificate-504-c1~1.pdf"'
    text = text_of(answer)
    said = [
        "Demonstration Trust",
        "Dr Gwen Tŵt",
        "Employee number 20000001",
        "has completed",
        "Fire Safety",
        "on Monday 23 November 2026.",
    ]
    assert [text.index(each) for each in said] == sorted(text.index(each) for each in said)
    assert "Fire Safety - 1 Year" in text
    assert "23 November 2027" in text
    assert f"https://portal.test/certificates/{code_on(answer)}" in text.replace("\n", "")


def test_printed_again_it_is_the_same_paper_and_one_certificate(trust):
    first, second = certificate(trust), certificate(trust)
    assert code_on(first) == code_on(second)
    assert certificate(trust, ADMINISTRATOR, "people/p1").body[:5] == b"%PDF-"
    assert CertificateRow.count("P#p1", CertificateRow.sk.startswith("E#504#CTF#")) == 1
    assert [(each.actor, each.facts) for each in AuditRow.scan() if each.action == "certificate.issued"] == [
        ("p1", {"enrolment": "504-c1~1"})
    ]


def test_a_level_of_a_scale_is_on_the_paper_as_it_was_called_then(trust):
    scale = replace(b.competency(FIRST_AID), levels=("Aware", "Able"))
    b.competence.define_competencies(SYSTEM, "504", [scale], NOW)
    AwardRow.of("p1", "504", b.award(FIRST_AID, level=2, source="504-c1~1.3")).save()
    answer = certificate(trust)
    assert "First Aid - 2 Years, level 2: Able" in text_of(answer)
    assert ", level 1" not in text_of(answer), "of a scale with one level alone it says nothing"
    b.competence.define_competencies(SYSTEM, "504", [replace(scale, levels=("Aware", "Skilled"))], NOW)
    found = {each["title"]: each for each in checked(trust, code_on(answer))["competencies"]}
    assert (found["First Aid - 2 Years"]["level"], found["First Aid - 2 Years"]["level_name"]) == (2, "Able")


def test_a_name_in_letters_that_the_font_lacks_is_told_by_its_employee_number(trust):
    b.person(2, title="", first_name="宏", last_name="陳")
    on_class(THIS_MORNING, 2)
    mark(trust, 2)
    assert "Employee number 20000002" in text_of(certificate(trust, "504-2"))


def test_a_paper_stands_whatever_the_clocks_of_those_who_marked_and_printed(trust, clock):
    clock.now = NOW - timedelta(milliseconds=5)
    code = code_on(certificate(trust))
    assert code_on(certificate(trust)) == code
    assert checked(trust, code)["standing"] == "valid"


def test_once_its_class_was_held_on_another_day_a_paper_is_void(trust, nothing_waits):
    pump, first = Pump(), certificate(trust)
    earlier = [b.session(TODAY - timedelta(days=10), hour=8)]
    actor = identity.identify(ADMINISTRATOR, None, NOW)
    classes.change(actor, "504-c1", 1, {"sessions": earlier}, NOW, accept_cautions=True)
    pump.run()
    second = certificate(trust)
    assert "on Friday 13 November 2026." in text_of(second)
    assert [checked(trust, code_on(each))["standing"] for each in (first, second)] == ["void", "valid"]


def test_who_may_have_it(trust):
    b.person(7, role="instructor")
    b.person(4)
    for login in (ADMINISTRATOR, INSTRUCTOR, "504-5"):
        assert "Gwen" in text_of(certificate(trust, login, "people/p1"))
    for login in ("504-7", "504-4"):
        assert certificate(trust, login, "people/p1").status_code == 404
    assert certificate(trust, "504-4").status_code == 404


def test_there_is_none_of_what_was_not_completed(trust):
    classes.add_class(SYSTEM, b.e_learning(), NOW)
    on_class(b.e_learning())
    answer = certificate(trust, enrolment="504-e1~1")
    assert (answer.status_code, answer.json_body["type"].rpartition(":")[2]) == (409, "enrolment-not-there")
    assert certificate(trust, enrolment="504-e1~2").status_code == 404


def test_anybody_with_the_code_learns_what_the_paper_says_and_that_it_stands(trust):
    code = code_on(certificate(trust))
    assert checked(trust, code) == {
        "code": code,
        "standing": "valid",
        "name": "Dr Gwen Tŵt",
        "employee_number": "20000001",
        "course": "Fire Safety",
        "completed_on": "2026-11-23",
        "employer": "Demonstration Trust",
        "issued_on": "2026-11-23",
        "competencies": [
            {
                "title": "Fire Safety - 1 Year",
                "level": 1,
                "level_name": None,
                "awarded_on": "2026-11-23",
                "expires_on": "2027-11-23",
                "standing": "valid",
            }
        ],
    }
    misread = code.lower().replace("-", "").replace("0", "o").replace("1", "l")
    assert checked(trust, misread)["code"] == code


def test_it_expires_with_its_competency_and_is_void_once_taken_back(trust, clock):
    code = code_on(certificate(trust))
    clock.now = NOW + timedelta(days=365)
    assert checked(trust, code)["standing"] == "valid", "through its last day"
    clock.now = NOW + timedelta(days=366)
    found = checked(trust, code)
    assert (found["standing"], found["competencies"][0]["standing"]) == ("expired", "expired")
    clock.now = NOW
    correct(trust, "did not attend")
    found = checked(trust, code)
    assert (found["standing"], found["name"]) == ("void", "Dr Gwen Tŵt")
    assert certificate(trust).status_code == 409


def test_completed_again_it_is_another_paper_and_the_first_one_stays_void(trust):
    first = code_on(certificate(trust))
    correct(trust, "confirmed")
    correct_again = {"marks": [{"person_id": "p1", "outcome": "completed"}]}
    trust.post("/v1/classes/504-c1/attendance", correct_again, as_=ADMINISTRATOR)
    second = code_on(certificate(trust))
    assert second != first
    assert (checked(trust, first)["standing"], checked(trust, second)["standing"]) == ("void", "valid")


def test_a_paper_of_a_completion_that_was_taken_back_stays_void_even_if_nothing_was_awarded(trust, clock):
    b.offered(b.e_learning("504-e2", "504-talk"), course_id="504-talk", title="A Talk", grants=())
    on_class(b.e_learning("504-e2", "504-talk"), title="A Talk")
    mark(trust, class_id="504-e2")
    first = code_on(certificate(trust, enrolment="504-e2~1"))
    clock.now = NOW + timedelta(hours=1)
    body = {"outcome": "confirmed", "reason": "Another line."}
    trust.post("/v1/people/p1/enrolments/504-e2~1/correction", body, as_=ADMINISTRATOR)
    mark(trust, class_id="504-e2")
    second = code_on(certificate(trust, enrolment="504-e2~1"))
    assert [checked(trust, each)["standing"] for each in (first, second)] == ["void", "valid"]


def test_an_award_made_void_by_itself_makes_the_paper_void(trust):
    code = code_on(certificate(trust))
    body = {"competency": b.FIRE, "awarded_on": "2026-11-23", "source": "504-c1~1.2", "reason": "a mistake"}
    assert trust.post("/v1/people/p1/awards/void", body, as_=ADMINISTRATOR).status_code == 200
    found = checked(trust, code)
    assert (found["standing"], found["competencies"][0]["standing"]) == ("void", "void")


def test_a_course_that_awards_nothing_has_a_certificate_that_never_expires(trust, clock):
    b.offered(b.e_learning("504-e2", "504-talk"), course_id="504-talk", title="A Talk", grants=())
    on_class(b.e_learning("504-e2", "504-talk"), title="A Talk")
    mark(trust, class_id="504-e2")
    answer = certificate(trust, enrolment="504-e2~1")
    assert "Valid until" not in text_of(answer)
    clock.now = NOW + timedelta(days=10_000)
    found = checked(trust, code_on(answer))
    assert (found["standing"], found["competencies"]) == ("valid", [])


def test_no_other_code_is_a_certificate(trust):
    certificate(trust)
    for code in ("0" * 20, "x", "A" * 80, "504-c1~1", "%23"):
        assert trust.get(f"/v1/certificates/{code}").status_code in (400, 404)
    for code in ("-", "---", "%20", "U" * 20):
        assert trust.get(f"/v1/certificates/{code}").status_code in (400, 404), code


def test_codes_are_long_drawn_anew_and_read_as_they_are_written(trust):
    code = code_read(code_on(certificate(trust)))
    assert len(set(CODE_LETTERS)) ** len(code) >= 2**80
    assert set(code) <= set(CODE_LETTERS)
    assert code_read(code_written(CODE_LETTERS[:20])) == CODE_LETTERS[:20]


def test_names_reach_no_log_by_it(trust, logged):
    checked(trust, code_on(certificate(trust)))
    text = logged()
    assert "GET /v1/certificates/{code}" in text
    assert "Gwen" not in text
    assert "Tŵt" not in text


def test_what_was_completed_elsewhere_before_has_a_certificate_too(trust):
    old = b.class_(class_id="504-c5", sessions=[b.session(TODAY - timedelta(days=100))])
    on_class(old, status=Status.COMPLETED, counted=False)
    assert "has completed" in text_of(certificate(trust, enrolment="504-c5~1"))


def test_twenty_competencies_with_long_names_fit_on_paper(trust):
    names = [
        f"504|LOCAL|Something rather long to say of a subject and its many details {n} - 1 Year|" for n in range(20)
    ]
    for name in names:
        AwardRow.of("p1", "504", b.award(name, source="504-c1~1.2")).save()
    pages = PdfReader(io.BytesIO(certificate(trust).body)).pages
    text = "\n".join(page.extract_text() for page in pages)
    assert len(pages) == 2
    assert text.count("23 November 2027") == 21
