"""Competencies, frameworks as CSV and settings, over HTTP: changed at once, announced, and never half."""

import csv
import io
from datetime import date

import boto3
import pytest

from chalicelib.domain.requirements import TargetKind
from chalicelib.handlers import work
from chalicelib.services import competence, definitions, projection
from chalicelib.storage import jobs, keys, rules
from chalicelib.storage import projection as stored
from chalicelib.storage.audit import AuditRow
from chalicelib.storage.awards import AwardRow
from chalicelib.storage.base import Record
from chalicelib.storage.outbox import EventRow
from tests import builders as b
from tests import seams
from tests.builders import FIRE, INDUCTION, MOVING, NOW, PREVENT
from tests.pump import Pump

PUMPS = "504|LOCAL|Infusion Pumps - 2 Years|"
ADMINISTRATOR, NATIONAL = "504-8", "505-9"
CSV = {"Content-Type": "text/csv"}
HEADER = "name,renewal_months,levels,covers,starts_on,ends_on\n"


@pytest.fixture
def trust(api):
    """A learning administrator of 504 (8), the national administrator (9), and somebody with everything to learn (1)."""
    b.trust()
    b.person(8, role="learning_administrator")
    b.person(9, employer="505")
    b.grant("p9", "national_administrator", "NHS")
    b.person(1, awards=[b.award(FIRE, date(2026, 6, 1)), b.award(INDUCTION)])
    return api


def listed(api, query="", as_=ADMINISTRATOR):
    return api.get(f"/v1/competencies{query}", as_=as_).json_body


def names(api, query="", as_=ADMINISTRATOR):
    return [each["name"] for each in listed(api, query, as_)["competencies"]]


def define(api, name=PUMPS, as_=ADMINISTRATOR, query="", **fields):
    return api.post(f"/v1/competencies{query}", {"name": name, **fields}, as_=as_)


def refused(answer):
    assert answer.status_code == 400
    return {each["field"]: each["reason"] for each in answer.json_body["errors"]}


def version(owner="504"):
    versions = rules.versions_now("504")
    return versions.national if owner == "NHS" else versions.own


def written(table):
    return sum(1 for _ in table.scan())


def everything():
    pages = boto3.client("dynamodb").get_paginator("scan").paginate
    names = [table.Meta.table_name for table in (Record, EventRow, AuditRow)]
    return [sorted(repr(item) for page in pages(TableName=name) for item in page["Items"]) for name in names]


# --- listing ------------------------------------------------------------------------------------------------


def test_national_and_own_competencies_are_listed_by_name(trust):
    answer = listed(trust)
    assert [each["name"] for each in answer["competencies"]] == [INDUCTION, FIRE, MOVING, PREVENT]
    assert answer["competencies"][2] == {
        "name": MOVING,
        "owner": "NHS",
        "title": "Moving and Handling - Level 2 - 2 Years",
        "subject": "Moving and Handling",
        "level": "Level 2",
        "detail": None,
        "renewal_months": 24,
        "levels": ["Assessed"],
        "covers": [],
        "starts_on": None,
        "ends_on": None,
    }


def test_they_are_found_by_words_owner_and_subject(trust):
    for query, found in {
        "?words=HAND%20mov": [MOVING],
        "?words=fire%20moon": [],
        "?owner=504": [INDUCTION],
        "?owner=NHS&words=1": [FIRE],
        "?subject=fire%20safety": [FIRE],
        "?subject=fire": [],
    }.items():
        assert names(trust, query) == found, query
    assert names(trust, "?employer=NHS", NATIONAL) == [FIRE, MOVING, PREVENT]


def test_pages_join_up(trust):
    first = listed(trust, "?limit=3")
    rest = listed(trust, f"?limit=3&cursor={first['next_cursor']}")
    assert [each["name"] for page in (first, rest) for each in page["competencies"]] == [
        INDUCTION, FIRE, MOVING, PREVENT,
    ]  # fmt: skip
    assert (first["total"], rest["total"], rest["next_cursor"]) == (4, 4, None)
    assert refused(trust.get("/v1/competencies?cursor=x", as_=ADMINISTRATOR)).keys() == {"query.cursor"}


# --- adding and changing ------------------------------------------------------------------------------------


def test_a_competency_is_added_with_what_its_name_says(trust):
    answer = define(trust)
    assert answer.status_code == 200
    assert answer.json_body["state"] == "added"
    assert answer.json_body["warnings"] == []
    added = answer.json_body["competency"]
    assert (added["title"], added["subject"], added["renewal_months"]) == (
        "Infusion Pumps - 2 Years",
        "Infusion Pumps",
        24,
    )
    assert added["levels"] == ["Assessed"]
    assert PUMPS in names(trust)


def test_everything_of_a_competency_is_kept(trust):
    asked = {
        "renewal_months": None,
        "levels": ["Supervised", "Alone"],
        "covers": [INDUCTION, FIRE],
        "starts_on": "2026-01-01",
        "ends_on": "2030-12-31",
    }
    define(trust, **asked)
    (kept,) = listed(trust, "?words=pumps")["competencies"]
    assert {field: kept[field] for field in asked} == asked


def test_a_change_is_one_transaction_with_the_job_that_follows_and_an_audit_entry(trust):
    before, audited = version(), written(AuditRow)
    answer = define(trust, renewal_months=12).json_body
    assert jobs.job("504", answer["job_id"]).by == "p8"
    assert (version(), written(AuditRow)) == (before + 1, audited + 1)
    (entry,) = [row for row in AuditRow.scan() if row.action == "competency.defined"]
    assert (entry.actor, entry.facts["before"], entry.facts["after"]["renewal_months"]) == ("p8", None, 12)


def test_what_is_as_it_was_already_writes_nothing(trust):
    define(trust, levels=["A", "B"])
    before = everything()
    again = define(trust, levels=["A", "B"]).json_body
    assert (again["state"], again["job_id"]) == ("unchanged", None)
    assert everything() == before


def test_a_change_puts_the_whole_competency(trust):
    define(trust, levels=["A", "B"], renewal_months=6)
    answer = define(trust).json_body
    assert answer["state"] == "changed"
    assert (answer["competency"]["levels"], answer["competency"]["renewal_months"]) == (["Assessed"], 24)


def compliance(api, name=FIRE):
    """Colour and expiry of a competency in somebody's compliance; None where it is neither required nor held."""
    rows = api.get("/v1/me/compliance?colours=red,amber,green,blue", as_="504-1").json_body["rows"]
    return next(((row["colour"], row["expires_on"]) for row in rows if row["competency"] == name), None)


def test_a_new_period_never_rewrites_awards(trust):
    assert compliance(trust) == ("green", "2027-06-01")
    answer = define(trust, FIRE, NATIONAL, "?employer=NHS", renewal_months=1)
    assert answer.json_body["state"] == "changed"
    assert compliance(trust) == ("green", "2027-06-01")
    assert [row.expires_on for row in Record.scan() if isinstance(row, AwardRow) and FIRE in row.sk] == [
        date(2027, 6, 1)
    ]


def test_the_nation_is_announced_to_every_employer_without_a_job_of_its_own(trust):
    before = version("NHS"), version()
    answer = define(trust, "NHS|CSTF|New Subject - 1 Year|", NATIONAL, "?employer=NHS").json_body
    assert answer["job_id"] is None
    assert (version("NHS"), version()) == (before[0] + 1, before[1])
    assert [row.type for row in EventRow.scan() if row.employer == "NHS"].count("rules.changed") >= 1
    assert "NHS|CSTF|New Subject - 1 Year|" in names(trust)


def test_an_employer_changes_its_own_framework_only(trust):
    assert refused(define(trust, FIRE)).keys() == {"body.name"}
    assert refused(define(trust, "505|LOCAL|Pumps|")).keys() == {"body.name"}
    assert define(trust, FIRE, query="?employer=NHS").status_code == 403
    assert refused(define(trust, PUMPS, NATIONAL, "?employer=NHS")).keys() == {"body.name"}
    assert define(trust, as_="504-1").status_code == 403


def test_every_wrong_field_is_named_and_nothing_changes(trust):
    before = everything()
    wrong = define(
        trust, "504|LOCAL|Pumps", levels=["A", "A"], covers=["moon"], starts_on="2026-01-02", ends_on="2026-01-01"
    )
    assert set(refused(wrong)) == {"body.name", "body.levels", "body.covers", "body.ends_on"}
    for field, value in {
        "renewal_months": 0,
        "levels": [],
        "covers": "x",
        "starts_on": "2026-02-30",
        "name": "x" * 201,
    }.items():
        assert set(refused(trust.post("/v1/competencies", {"name": PUMPS, field: value}, as_=ADMINISTRATOR))) == {
            f"body.{field}"
        }
    assert everything() == before


def test_covering_in_a_circle_is_refused_naming_it(trust):
    other = "504|LOCAL|Syringe Drivers|"
    define(trust, other)
    define(trust, covers=[other])
    wrong = refused(define(trust, other, covers=[PUMPS]))
    assert "covers" in wrong["body.covers"]
    assert PUMPS in wrong["body.covers"]


def test_two_changes_at_once_cannot_make_a_circle_either(trust):
    other = "504|LOCAL|Syringe Drivers|"
    define(trust, other)
    define(trust)
    with seams.before_commit(lambda: define(trust, other, covers=[PUMPS])):
        answer = define(trust, covers=[other])
    assert refused(answer).keys() == {"body.covers"}


def test_a_transaction_that_collides_is_tried_again(trust):
    with seams.colliding_transactions(2) as left:
        assert define(trust).json_body["state"] == "added"
    assert left == [0]


# --- what is warned of --------------------------------------------------------------------------------------


def test_a_period_that_differs_from_the_name_is_warned_of(trust):
    (warning,) = define(trust, renewal_months=12).json_body["warnings"]
    assert warning["warning"] == "The name says 2 Years, but new awards will be valid for 12 months."


def test_a_competency_withdrawn_while_required_requires_nothing_and_says_so(trust):
    define(trust)
    competence.require(b.SYSTEM, "504", [b.requirement(PUMPS, TargetKind.UNIT, "ward-9")], NOW)
    assert compliance(trust, PUMPS) == ("red", None)
    (warning,) = define(trust, ends_on="2026-11-22").json_body["warnings"]
    assert warning["rule"] == "required while not in use"
    assert warning["requirements"] == [
        {"target_kind": "UNIT", "target": "ward-9", "minimum_level": 1, "starts_on": "2020-01-01", "ends_on": None}
    ]
    assert compliance(trust, PUMPS) is None
    assert define(trust, ends_on="2026-11-23").json_body["state"] == "changed"
    assert compliance(trust, PUMPS) == ("red", None)


def test_the_nation_hears_how_many_require_what_it_withdraws(trust):
    (warning,) = define(trust, FIRE, NATIONAL, "?employer=NHS", ends_on="2026-11-22").json_body["warnings"]
    assert "1 requirement." in warning["warning"]
    assert warning["requirements"] == []
    assert compliance(trust) == ("blue", "2027-06-01")


def test_whoever_holds_what_covers_a_requirement_meets_it(trust):
    define(trust)
    competence.require(b.SYSTEM, "504", [b.requirement(PUMPS)], NOW)
    assert compliance(trust, PUMPS) == ("red", None)
    define(trust, INDUCTION, covers=[PUMPS])
    assert compliance(trust, PUMPS)[0] == "green"


# --- a framework as a file ----------------------------------------------------------------------------------


def export(api, query="", as_=ADMINISTRATOR):
    return api.get(f"/v1/frameworks/csv{query}", as_=as_)


def send(api, content, as_=ADMINISTRATOR, query=""):
    return api.call("POST", f"/v1/frameworks/csv{query}", as_=as_, raw=content, headers=CSV)


def test_a_framework_is_exported_for_spreadsheets(trust):
    define(trust, levels=["Supervised", "Alone"], covers=[FIRE], ends_on="2030-12-31")
    answer = export(trust)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/csv; charset=utf-8")
    assert answer.body.startswith(b"\xef\xbb\xbfname,")
    rows = list(csv.DictReader(io.StringIO(answer.body.decode("utf-8-sig"), newline="")))
    assert [row["name"] for row in rows] == [INDUCTION, PUMPS]
    assert rows[0]["renewal_months"] == "none"
    assert (rows[1]["levels"], rows[1]["covers"], rows[1]["ends_on"]) == ("Supervised\nAlone", FIRE, "2030-12-31")


def test_the_national_framework_may_be_read_by_everybody_and_another_employers_by_nobody(trust):
    assert FIRE in export(trust, "?owner=NHS").body.decode()
    assert refused(export(trust, "?owner=505")).keys() == {"query.owner"}
    assert export(trust, "?employer=505").status_code == 403


def test_what_was_exported_changes_nothing_when_it_comes_back(trust):
    define(trust, levels=["Supervised", "Alone"], covers=[FIRE], renewal_months=6, ends_on="2030-12-31")
    content, before = export(trust).body, everything()
    assert send(trust, content).json_body == {"added": 0, "changed": 0, "unchanged": 2, "job_id": None}
    assert everything() == before


def test_a_file_adds_and_changes_and_leaves_alone_what_it_does_not_name(trust):
    define(trust)
    other = "504|LOCAL|Syringe Drivers - 1 Year|"
    answer = send(trust, f'{HEADER}{PUMPS},6,"One\nTwo",{other},,\n{other},,,,,\n').json_body
    assert (answer["added"], answer["changed"], answer["unchanged"]) == (1, 1, 0)
    assert jobs.job("504", answer["job_id"]).by == "p8"
    assert names(trust, "?owner=504") == [INDUCTION, PUMPS, other]
    (kept,) = listed(trust, "?words=pumps")["competencies"]
    assert (kept["renewal_months"], kept["levels"], kept["covers"]) == (6, ["One", "Two"], [other])


def test_a_file_with_one_wrong_row_changes_nothing(trust):
    before = everything()
    wrong = refused(send(trust, f"{HEADER}{PUMPS},,,,,\n{FIRE},,,moon,,\n=1+1,,,,,\n"))
    assert set(wrong) == {"row 3.name", "row 3.covers", "row 4.name"}
    assert everything() == before


def test_another_encoding_is_told_as_such(trust):
    wrong = refused(send(trust, f"{HEADER}504|LOCAL|Café|,,,,,\n".encode("cp1252")))
    assert "not UTF-8: line 2" in wrong["body"]


def eight_items():
    return HEADER + "".join(f"504|LOCAL|Item {number}|,,,,,\n" for number in range(8))


def test_a_file_that_takes_several_transactions_is_announced_with_each(trust, monkeypatch):
    monkeypatch.setattr(definitions, "ROWS_A_TRANSACTION", 3)
    started = [row.type for row in EventRow.scan()].count("job.started")
    answer = send(trust, eight_items()).json_body
    assert (answer["added"], listed(trust, "?owner=504")["total"]) == (8, 9)
    assert [row.type for row in EventRow.scan()].count("job.started") == started + 3
    assert jobs.job("504", answer["job_id"]).by == "p8"


def test_rules_that_moved_before_a_crash_are_followed_without_a_repetition(trust, monkeypatch):
    monkeypatch.setattr(definitions, "ROWS_A_TRANSACTION", 1)
    monkeypatch.setattr("chalicelib.services.jobs.PART_DELAY_SECONDS", 0)
    monkeypatch.setattr(projection, "LOOK_AGAIN_SECONDS", 0)
    monkeypatch.setattr(work, "now", lambda: NOW)
    b.competence.require(b.SYSTEM, "504", [b.requirement(INDUCTION)], NOW)
    for person in ("p1", "p8"):
        projection.project(person, "504", NOW)
    pump = Pump()
    crash_at = iter([False, False, True])
    put = definitions._put
    monkeypatch.setattr(definitions, "_put", lambda *given: 1 / 0 if next(crash_at) else put(*given))
    withdrawn = f"{INDUCTION},none,,,,2026-11-01\n"
    assert send(trust, HEADER + "504|LOCAL|Item|,,,,,\n" + withdrawn + "504|LOCAL|Other|,,,,,\n").status_code == 500
    pump.run()
    assert not list(projection.recount("504", list(rules.rulebook("504").units), NOW))
    assert {row.competency for each in stored.snapshots_of("p8", "504") for row in each.rows} == {FIRE}


def test_the_national_framework_is_sent_by_its_administrator(trust):
    answer = send(trust, f"{HEADER}NHS|CSTF|New - 1 Year|,,,,,\n", NATIONAL, "?employer=NHS")
    assert answer.json_body == {"added": 1, "changed": 0, "unchanged": 0, "job_id": None}
    assert send(trust, f"{HEADER}NHS|CSTF|New - 1 Year|,,,,,\n", query="?employer=NHS").status_code == 403


# --- settings -----------------------------------------------------------------------------------------------


def test_the_amber_window_is_changed_at_once_and_announced(trust):
    assert trust.get("/v1/settings", as_=ADMINISTRATOR).json_body == {
        "employer": "504",
        "name": "Demonstration Trust",
        "amber_months": 3,
        "renewal_leads": [90, 60, 30, 7, 0],
        "job_id": None,
    }
    answer = trust.post("/v1/settings", {"amber_months": 8}, as_=ADMINISTRATOR).json_body
    assert (answer["name"], answer["amber_months"]) == ("Demonstration Trust", 8)
    assert jobs.job("504", answer["job_id"]).by == "p8"
    assert compliance(trust)[0] == "amber"
    assert trust.get("/v1/settings", as_=ADMINISTRATOR).json_body["name"] == "Demonstration Trust"
    assert Record.get(keys.owner("504"), keys.SETTINGS).name == "Demonstration Trust"


def test_no_amber_window_at_all_is_a_setting_too(trust):
    trust.post("/v1/settings", {"amber_months": 0}, as_=ADMINISTRATOR)
    assert trust.get("/v1/settings", as_=ADMINISTRATOR).json_body["amber_months"] == 0


def test_settings_as_they_were_write_nothing(trust):
    before = everything()
    assert trust.post("/v1/settings", {"amber_months": 3}, as_=ADMINISTRATOR).json_body["job_id"] is None
    assert everything() == before


def test_the_days_on_which_people_are_reminded_are_a_setting_that_leaves_the_others_alone(trust):
    trust.post("/v1/settings", {"amber_months": 8}, as_=ADMINISTRATOR)
    answer = trust.post("/v1/settings", {"renewal_leads": [14, 60]}, as_=ADMINISTRATOR).json_body
    assert (answer["amber_months"], answer["renewal_leads"]) == (8, [60, 14])
    assert jobs.job("504", answer["job_id"]).by == "p8"
    assert trust.post("/v1/settings", {"renewal_leads": [60, 14]}, as_=ADMINISTRATOR).json_body["job_id"] is None
    assert trust.post("/v1/settings", {"renewal_leads": []}, as_=ADMINISTRATOR).json_body["renewal_leads"] == []
    assert trust.get("/v1/settings", as_=ADMINISTRATOR).json_body["renewal_leads"] == []


def test_days_of_reminders_that_cannot_be_are_refused_by_field(trust):
    before = everything()
    for leads in ([-1], [366], [30, 30], ["7"], [1.5], None, 30, list(range(11))):
        fields = refused(trust.post("/v1/settings", {"renewal_leads": leads}, as_=ADMINISTRATOR)).keys()
        assert {each.partition("[")[0] for each in fields} == {"body.renewal_leads"}
    assert everything() == before


def test_settings_out_of_bounds_are_refused_by_field(trust):
    for months in (-1, 13, "3", 1.5, None, True):
        answer = trust.post("/v1/settings", {"amber_months": months}, as_=ADMINISTRATOR)
        assert refused(answer).keys() == {"body.amber_months"}
