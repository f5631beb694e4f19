"""A catalogue as a file over HTTP: out, changed, and back."""

import csv
import io

import pytest

from chalicelib.domain.catalogue import Course
from chalicelib.services import catalogue_files
from chalicelib.storage import rules
from chalicelib.storage.audit import AuditRow
from tests import builders as b
from tests.builders import FIRE, MOVING
from tests.catalogue_keeping import ADMINISTRATOR, FIRST_AID, LEARNER, WEEK, get, nation, patch, post, put, small_trust
from tests.learner_access import problem
from tests.seams import before_commit


@pytest.fixture
def trust(api):
    """A catalogue that holds something of every kind."""
    small_trust()
    post(api, "subjects", {"id": "drills", "name": "Drills", "parent": "fire"})
    post(api, "venues", {"id": "room-1", "name": "Seminar Room 1", "capacity": 20, "address": "Main building"})
    post(api, "synonyms", {"id": "burning", "words": ["blaze", "fire"]})
    post(api, "courses", FIRST_AID)
    needs = [{"kind": "competency", "id": MOVING}, {"kind": "course", "id": "504-fire", "mandatory": False}]
    put(api, "courses/504-first-aid/prerequisites", {"prerequisites": needs, "revision": 1})
    rule = {"mode": "approval", "targets": [{"kind": "UNIT", "id": "ward-9"}, {"kind": "PERSON", "id": "p1"}]}
    put(api, "courses/504-first-aid/access-rules", {"rules": [rule, {**rule, "include_below": False}], "revision": 2})
    post(api, "learning-paths", WEEK)
    return api


def exported(api, query="", as_=ADMINISTRATOR):
    return api.get(f"/v1/catalogue/file{query}", as_=as_)


def send(api, content, query="", as_=ADMINISTRATOR):
    path = f"/v1/catalogue/file{query}"
    return api.call("POST", path, as_=as_, raw=content, headers={"Content-Type": "text/csv"})


def rows_of(answer):
    return list(csv.DictReader(io.StringIO(answer.body.decode("utf-8-sig"), newline="")))


def as_file(rows):
    text = io.StringIO()
    writer = csv.DictWriter(text, rows[0])
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def test_everything_goes_out_and_comes_back_unchanged(trust):
    answer = exported(trust)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/csv; charset=utf-8")
    assert [(each["kind"], each["id"]) for each in rows_of(answer)] == [
        ("subject", "drills"),
        ("subject", "fire"),
        ("subject", "moving"),
        ("venue", "room-1"),
        ("synonyms", "burning"),
        ("course", "504-fire"),
        ("course", "504-first-aid"),
        ("learning path", "504-week"),
    ]
    course = rows_of(answer)[6]
    assert course["awards"] == "1; 504|LOCAL|Corporate Induction|"
    assert course["offerings"] == "alone; e-learning; cy-GB\nroom; classroom; en-GB"
    assert course["prerequisites"] == f"mandatory; competency; 1; {MOVING}\nadvisory; course; 1; 504-fire"
    assert (
        course["access_rules"]
        == "approval; UNIT ward-9 + PERSON p1; below; ; \napproval; UNIT ward-9 + PERSON p1; exact; ; "
    )
    version, audited = rules.catalogue_now("504").version, AuditRow.count()
    assert send(trust, answer.body).json_body == {"added": 0, "changed": 0, "unchanged": 8}
    assert (rules.catalogue_now("504").version, AuditRow.count()) == (version, audited)


def test_a_file_adds_and_changes_and_leaves_alone_what_it_does_not_name(trust):
    rows = {each["id"]: each for each in rows_of(exported(trust))}
    changed = rows["504-first-aid"] | {"title": "First Aid at Work", "status": "live", "access_rules": ""}
    added = rows["504-fire"] | {"id": "504-fire-2", "title": "Fire again", "subject": "night", "revision": ""}
    night = rows["drills"] | {"id": "night", "title": "Night drills", "subject": "drills", "revision": ""}
    sent = as_file([changed, added, night, rows["504-week"]])
    assert send(trust, sent).json_body == {"added": 2, "changed": 1, "unchanged": 1}
    shown = get(trust, "catalogue/courses/504-first-aid")
    assert (shown["title"], shown["access_rules"], shown["prerequisites"], shown["revision"]) == (
        "First Aid at Work",
        0,
        2,
        4,
    )
    assert {each["id"] for each in get(trust, "courses?subject=drills", as_=LEARNER)["courses"]} == {"504-fire-2"}
    assert get(trust, "venues")["total"] == 1
    assert send(trust, sent).json_body == {"added": 0, "changed": 0, "unchanged": 4}


def test_a_file_with_one_wrong_cell_changes_nothing(trust):
    rows = rows_of(exported(trust))
    rows[0]["title"] = "Drills and more"
    rows[5]["awards"] = f"1; {FIRE}\n1; NHS|CSTF|Gone|"
    rows[6]["access_rules"] = "approval; PERSON p404"
    answer = send(trust, as_file(rows))
    assert {each["field"]: each["reason"] for each in answer.json_body["errors"]} == {
        "row 7.awards": "line 2, competency: is in no framework this employer uses",
        "row 8.access_rules": "line 1: is aimed at somebody who is no person of this employer",
    }
    assert get(trust, "subjects")["subjects"][0]["name"] == "Drills"


def test_a_file_cannot_make_what_nobody_could_begin_nor_take_an_offering_from_a_class(trust):
    rows = {each["id"]: each for each in rows_of(exported(trust))}
    circle = [rows["504-fire"] | {"prerequisites": "mandatory; course; 1; 504-first-aid"}]
    circle += [rows["504-first-aid"] | {"status": "live", "prerequisites": "mandatory; course; 1; 504-fire"}]
    assert problem(send(trust, as_file(circle))) == (409, "prerequisite-cycle")
    b.offered(b.class_("504-c2"), course_id="504-third")
    answer = send(trust, as_file([rows["504-fire"] | {"offerings": "classroom; blended"}]))
    assert [each["field"] for each in answer.json_body["errors"]] == ["row 2.offerings"]
    assert "504-c2" in answer.json_body["errors"][0]["reason"]


def test_what_a_crash_leaves_behind_a_repetition_finishes(trust, monkeypatch):
    monkeypatch.setattr(catalogue_files, "ROWS_A_TRANSACTION", 8)
    subject = rows_of(exported(trust))[0]
    sent = as_file([subject | {"id": f"s{number}", "subject": "", "revision": ""} for number in range(20)])
    before = rules.catalogue_now("504").version[0]
    written = iter([False, True])  # the second transaction fails for good

    def crash(*arguments):
        if next(written, True):
            raise RuntimeError("the function died")
        return write(*arguments)

    write = catalogue_files._write
    with monkeypatch.context() as patched:
        patched.setattr(catalogue_files, "_write", crash)
        assert send(trust, sent).status_code == 500
    assert get(trust, "subjects")["total"] == 3 + 8
    assert send(trust, sent).json_body == {"added": 12, "changed": 0, "unchanged": 8}
    assert get(trust, "subjects")["total"] == 3 + 20
    assert rules.catalogue_now("504").version[0] == before + 3


def test_somebody_else_changes_the_catalogue_in_the_middle_and_both_stand(trust):
    rows = {each["id"]: each for each in rows_of(exported(trust))}
    sent = as_file([rows["drills"] | {"title": "Exercises"}, rows["504-fire"] | {"title": "Fire"}])
    with before_commit(lambda: patch(trust, "subjects/moving", name="Lifting")):
        assert send(trust, sent).json_body == {"added": 0, "changed": 2, "unchanged": 0}
    assert {each["name"] for each in get(trust, "subjects")["subjects"]} == {"Exercises", "Fire safety", "Lifting"}


def test_a_file_of_many_transactions_is_counted_as_it_came_whoever_comes_in_between(trust, monkeypatch):
    monkeypatch.setattr(catalogue_files, "ROWS_A_TRANSACTION", 4)
    subject = rows_of(exported(trust))[0]
    sent = as_file([subject | {"id": f"s{number}", "subject": "", "revision": ""} for number in range(40)])
    others = iter([False, False, True])

    def with_somebody_else(*arguments):
        if next(others, False):
            patch(trust, "subjects/moving", name="Lifting")
        write(*arguments)

    write = catalogue_files._write
    monkeypatch.setattr(catalogue_files, "_write", with_somebody_else)
    assert send(trust, sent).json_body == {"added": 40, "changed": 0, "unchanged": 0}
    assert get(trust, "subjects")["total"] == 43


def test_the_nation_sends_its_own_and_an_employer_reads_it_without_drafts(trust):
    national = nation(trust)
    body = {"id": "new", "title": "New", "subject": "care", "duration_minutes": 60}
    post(trust, "courses?employer=NHS", body, as_=national)
    own = rows_of(exported(trust, "?employer=NHS", as_=national))
    assert [each["id"] for each in own] == ["care", "NHS-care", "NHS-new"]
    read = exported(trust, "?owner=NHS")
    assert [each["id"] for each in rows_of(read)] == ["care", "NHS-care"]
    assert exported(trust, "?owner=505").status_code == 400
    refused = send(trust, read.body)
    assert {each["field"] for each in refused.json_body["errors"]} == {"row 2.id", "row 3.id"}
    own[1]["access_rules"] = "self-enrol; ORG 504"
    assert send(trust, as_file(own), "?employer=NHS", as_=national).json_body == {
        "added": 0,
        "changed": 1,
        "unchanged": 2,
    }


def test_a_catalogue_of_the_size_of_a_trust_fits_a_file(trust):
    course = rules.catalogue_now("504").courses["504-first-aid"]
    assert isinstance(course, Course)
    one = next(each for each in rows_of(exported(trust)) if each["id"] == "504-first-aid") | {"description": "x" * 600}
    rows = [one | {"id": f"504-course-{number}"} for number in range(3000)]
    sent = as_file(rows)
    assert 3_000_000 < len(sent) < 5_000_000
    sent = as_file([one | {"id": f"504-course-{number}", "status": "?"} for number in range(3000)])
    answer = send(trust, sent)
    assert (answer.status_code, answer.json_body["errors"][-1]["field"]) == (400, "body")


def test_an_older_file_undoes_nothing_that_others_have_changed_since(trust):
    old = exported(trust).body
    rule = {"mode": "approval", "targets": [{"kind": "POS", "id": "nurse-9"}]}
    put(trust, "courses/504-fire/access-rules", {"rules": [rule], "revision": 1})
    answer = send(trust, old)
    assert [each["field"] for each in answer.json_body["errors"]] == ["row 7.revision"]
    assert get(trust, "courses/504-fire/access-rules")["rules"][0]["targets"][0]["id"] == "nurse-9"


def test_what_a_file_has_written_already_may_be_changed_by_others_before_it_ends(trust, monkeypatch):
    """The file's own change of a course is written; somebody changes the same course again; the rest follows."""
    monkeypatch.setattr(catalogue_files, "ROWS_A_TRANSACTION", 1)
    rows = {each["id"]: each for each in rows_of(exported(trust))}
    sent = as_file([rows["drills"] | {"title": "Exercises"}, rows["moving"] | {"title": "Lifting"}])
    others = iter([False, True])

    def with_somebody_else(*arguments):
        if next(others, False):
            patch(trust, "subjects/drills", 2, name="Mine")
        write(*arguments)

    write = catalogue_files._write
    monkeypatch.setattr(catalogue_files, "_write", with_somebody_else)
    assert send(trust, sent).json_body == {"added": 0, "changed": 2, "unchanged": 0}
    assert {each["name"] for each in get(trust, "subjects")["subjects"]} == {"Mine", "Fire safety", "Lifting"}


def test_the_audit_of_a_file_says_what_differs_before_and_after(trust):
    rows = {each["id"]: each for each in rows_of(exported(trust))}
    fire = rows["504-fire"] | {"access_rules": "approval; UNIT ward-9", "joining_instructions": "Ask for Sarah."}
    night = rows["drills"] | {"id": "night", "title": "Night", "revision": ""}
    send(trust, as_file([fire, night]))
    (entry,) = (row for row in AuditRow.scan() if row.action == "catalogue.imported")
    (changed,), (added,) = entry.facts["changed"], entry.facts["added"]
    assert (changed["kind"], changed["id"]) == ("course", "504-fire")
    assert set(changed["before"]) == set(changed["after"]) == {"access_rules", "joining_instructions", "revision"}
    assert (changed["before"]["access_rules"][0]["mode"], changed["before"]["revision"]) == ("self-enrol", 1)
    assert (changed["after"]["access_rules"][0]["mode"], changed["after"]["revision"]) == ("approval", 2)
    assert (added["id"], added["after"]["name"]) == ("night", "Night")
    assert "Sarah" not in str(entry.facts)


def test_what_is_named_is_written_before_what_names_it(trust, monkeypatch):
    monkeypatch.setattr(catalogue_files, "ROWS_A_TRANSACTION", 4)
    rows = {each["id"]: each | {"revision": ""} for each in rows_of(exported(trust))}
    path = rows["504-week"] | {"id": "504-p", "subject": "night", "sections": "One: 504-c0"}
    courses = [rows["504-fire"] | {"id": f"504-c{number}", "subject": "night"} for number in range(3)]
    written = []

    def noting(actor, batch, *arguments):
        written.extend(change.row.after.id for change in batch)
        write(actor, batch, *arguments)

    write = catalogue_files._write
    monkeypatch.setattr(catalogue_files, "_write", noting)
    night = rows["drills"] | {"id": "night", "subject": ""}
    assert send(trust, as_file([path, *courses, night])).json_body["added"] == 5
    assert written == ["night", "504-c0", "504-c1", "504-c2", "504-p"]


def test_large_entries_go_in_transactions_that_the_table_and_the_audit_take(trust):
    rows = {each["id"]: each | {"revision": ""} for each in rows_of(exported(trust))}
    courses = [rows["504-fire"] | {"id": f"504-{'x' * 50}-{number}", "prerequisites": ""} for number in range(80)]
    ids = [each["id"] for each in courses]
    sections = "\n".join(f"Part {number}: {', '.join(ids[number * 4 : number * 4 + 4])}" for number in range(20))
    paths = [
        rows["504-week"] | {"id": f"504-path-{number}", "sections": sections, "description": "ü" * 4000}
        for number in range(170)
    ]
    assert send(trust, as_file([*courses, *paths])).json_body == {"added": 250, "changed": 0, "unchanged": 0}
    largest = max(len(str(row.facts)) for row in AuditRow.scan() if row.action == "catalogue.imported")
    assert largest < catalogue_files.LETTERS_A_TRANSACTION
