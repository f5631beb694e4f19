"""Awards over HTTP: recorded, voided and corrected with a reason, and always in the history."""

from dataclasses import replace
from datetime import date

import pytest

from chalicelib.domain.people import EmploymentKind
from chalicelib.handlers import work
from chalicelib.services import projection
from chalicelib.storage import learner as learners
from chalicelib.storage import projection as snapshots
from chalicelib.storage.audit import AuditRow
from chalicelib.storage.awards import AwardRow
from chalicelib.storage.outbox import EventRow
from tests import builders as b
from tests.builders import FIRE, MOVING, NOW
from tests.pump import Pump
from tests.seams import before_commit, colliding_transactions, failing_calls

PATH = "/v1/people/p1/awards"
KEY = {"competency": FIRE, "awarded_on": "2026-11-02", "source": "x"}
SEEN = {"competency": FIRE, "awarded_on": "2026-11-02", "note": "certificate seen"}


@pytest.fixture
def trust(api):
    b.trust()
    b.person(1)
    b.person(9, role="learning_administrator")
    return api


def record(api, as_="504-9", headers=None, **changes):
    return api.post(PATH, {**SEEN, **changes}, as_=as_, headers=headers)


def history(api, as_="504-9", query=""):
    return api.get(f"{PATH}?{query}", as_=as_).json_body["awards"]


def key_of(award):
    return {name: award[name] for name in ("competency", "awarded_on", "source")}


def void(api, award, as_="504-9", reason="recorded for the wrong person"):
    return api.post(f"{PATH}/void", {**key_of(award), "reason": reason}, as_=as_)


def correct(api, award, as_="504-9", headers=None, **right):
    body = {**key_of(award), "right": right, "reason": "the register says otherwise"}
    return api.post(f"{PATH}/correction", body, as_=as_, headers=headers)


def colour(api):
    answer = api.get("/v1/me/compliance?colours=red,amber,green,blue", as_="504-1").json_body
    return {row["competency"]: row["colour"] for row in answer["rows"]}


def entries(action):
    return [each for each in AuditRow.scan() if each.action == action]


def events():
    return [each for each in EventRow.scan() if each.type == "learner.changed" and each.person == "p1"]


def test_an_award_recorded_counts_at_once_and_expires_by_calendar_months(trust):
    assert colour(trust) == {FIRE: "red"}
    answer = record(trust)
    assert answer.status_code == 201
    assert (answer.json_body["expires_on"], answer.json_body["origin"]) == ("2027-11-02", "administrator")
    assert (answer.json_body["level_name"], answer.json_body["is_void"]) == ("Assessed", False)
    assert colour(trust) == {FIRE: "green"}


def test_the_change_its_event_and_its_audit_entry_with_the_evidence_commit_together(trust):
    before = len(events())
    made = record(trust, origin="external training").json_body
    (entry,) = entries("award.recorded")
    assert (entry.actor, entry.person_pk, entry.facts["note"]) == ("p9", "P#p1", "certificate seen")
    assert (entry.facts["source"], entry.facts["origin"]) == (made["source"], "external training")
    assert len(events()) == before + 1


def test_a_leap_day_and_the_last_day_of_the_clock_expire_by_the_calendar(trust):
    assert record(trust, awarded_on="2024-02-29").json_body["expires_on"] == "2025-02-28"
    assert record(trust, awarded_on="2026-03-29").json_body["expires_on"] == "2027-03-29"


def test_today_is_londons_today(trust, clock):
    clock.now = NOW.replace(month=7, day=31, hour=23, minute=30)  # 1 August in London
    assert record(trust, awarded_on="2026-08-01").status_code == 201
    assert record(trust, awarded_on="2026-08-02").status_code == 400


IMPOSSIBLE = [
    ({"awarded_on": "2026-11-24"}, "awarded_on"),
    ({"awarded_on": "1066-10-14"}, "awarded_on"),
    ({"awarded_on": "2026-02-29"}, "awarded_on"),
    ({"level": 2}, "level"),
    ({"level": 0}, "level"),
    ({"competency": "NHS|CSTF|Unknown - 1 Year|"}, "competency"),
    ({"origin": "completion"}, "origin"),
    ({"origin": "luck"}, "origin"),
    ({"note": "   "}, "note"),
    ({"note": "x" * 501}, "note"),
]


def test_what_cannot_be_is_refused_by_field_and_nothing_is_written(trust):
    for change, field in IMPOSSIBLE:
        answer = record(trust, **change)
        assert (answer.status_code, change) == (400, change)
        assert [each["field"] for each in answer.json_body["errors"]] == [f"body.{field}"]
    assert history(trust) == []
    assert entries("award.recorded") == []


def test_every_wrong_field_is_named(trust):
    answer = record(trust, level=7, awarded_on="2027-01-01")
    assert [each["field"] for each in answer.json_body["errors"]] == ["body.level", "body.awarded_on"]


def test_a_level_of_the_scale_may_be_awarded(trust):
    scale = replace(b.competency(FIRE), levels=("Aware", "Able"))
    b.competence.define_competencies(b.SYSTEM, "NHS", [scale], NOW)
    answer = record(trust, level=2)
    assert (answer.status_code, answer.json_body["level_name"]) == (201, "Able")
    assert record(trust, level=3).status_code == 400


def test_a_competency_withdrawn_may_still_be_awarded_for_a_day_it_was_in_use(trust):
    b.competence.define_competencies(b.SYSTEM, "NHS", [replace(b.competency(FIRE), ends_on=date(2026, 11, 10))], NOW)
    assert record(trust).status_code == 201
    assert colour(trust) == {FIRE: "blue"}


def test_nobody_awards_voids_or_corrects_themselves(trust):
    for path, body in [
        ("", SEEN),
        ("/void", {**KEY, "reason": "because"}),
        ("/correction", {**KEY, "right": {"level": 1}, "reason": "because"}),
    ]:
        answer = trust.post(f"/v1/people/p9/awards{path}", body, as_="504-9")
        assert (answer.status_code, answer.json_body["type"].rpartition(":")[2]) == (403, "own-award")


def test_somebody_of_another_employer_cannot_be_awarded_anything(trust):
    b.person(5, employer="505")
    answer = trust.post("/v1/people/p5/awards", SEEN, as_="504-9")
    assert answer.status_code == 404
    assert learners.learner("p5", "505").awards == ()


def test_a_repetition_with_the_same_key_awards_once_and_gets_the_same_answer(trust):
    key = {"Idempotency-Key": "once"}
    first, second = record(trust, headers=key), record(trust, headers=key)
    assert first.json_body == second.json_body
    assert len(history(trust)) == 1
    other = record(trust, headers=key, awarded_on="2026-11-03")
    assert other.status_code == 422


def test_an_answer_of_the_database_that_was_lost_awards_nothing_twice(trust):
    key = {"Idempotency-Key": "lost"}
    with failing_calls("TransactWriteItems", "InternalServerError", times=1, after=True):
        assert record(trust, headers=key).status_code == 201
    assert len(history(trust)) == 1


def test_collisions_are_tried_again(trust):
    with colliding_transactions(2):
        assert record(trust).status_code == 201
    assert len(history(trust)) == 1


# --- renewing early -----------------------------------------------------------------------------------------


def test_renewing_early_never_shortens_what_is_held(trust):
    b.competence.define_competencies(b.SYSTEM, "NHS", [b.competency(FIRE, 36)], NOW)
    record(trust, awarded_on="2026-10-01")
    b.competence.define_competencies(b.SYSTEM, "NHS", [b.competency(FIRE, 12)], NOW)
    record(trust, awarded_on="2026-11-01")
    row = trust.get("/v1/me/compliance?colours=green", as_="504-1").json_body["rows"][0]
    assert row["expires_on"] == "2029-10-01"


def test_changing_a_period_never_rewrites_awards(trust):
    record(trust)
    b.competence.define_competencies(b.SYSTEM, "NHS", [b.competency(FIRE, 1)], NOW)
    assert [each["expires_on"] for each in history(trust)] == ["2027-11-02"]
    assert colour(trust) == {FIRE: "green"}


# --- voiding ------------------------------------------------------------------------------------------------


def test_a_void_award_counts_no_more_and_says_why_by_whom_and_when(trust):
    made = record(trust).json_body
    answer = void(trust, made)
    assert answer.status_code == 200
    assert colour(trust) == {FIRE: "red"}
    (kept,) = history(trust)
    assert kept == answer.json_body
    assert kept["is_void"]
    assert kept["voided"] == {"reason": "recorded for the wrong person", "by": "p9", "at": "2026-11-23T10:00:00Z"}
    assert entries("award.voided")[0].facts["source"] == made["source"]


def test_voiding_again_changes_nothing_not_even_the_reason(trust):
    made = record(trust).json_body
    void(trust, made)
    again = void(trust, made, reason="another reason")
    assert (again.status_code, again.json_body["voided"]["reason"]) == (200, "recorded for the wrong person")
    assert len(entries("award.voided")) == 1


def test_two_who_void_at_once_leave_the_first_reason(trust):
    made = record(trust).json_body
    with before_commit(lambda: void(trust, made, reason="somebody was quicker")):
        answer = void(trust, made)
    assert answer.json_body["voided"]["reason"] == "somebody was quicker"
    assert len(entries("award.voided")) == 1


def test_the_award_before_decides_again(trust):
    record(trust, awarded_on="2025-12-01")
    later = record(trust).json_body
    assert colour(trust) == {FIRE: "green"}
    void(trust, later)
    assert colour(trust) == {FIRE: "amber"}


def test_an_award_nobody_has_cannot_be_voided(trust):
    made = record(trust).json_body
    for change in ({"source": "other"}, {"awarded_on": "2026-11-03"}, {"competency": MOVING}):
        assert void(trust, {**made, **change}).status_code == 404
    assert not history(trust)[0]["is_void"]


def test_a_void_award_of_the_system_before_has_no_reason(trust):
    b.takeover.take_over(b.SYSTEM, "504", "p1", [b.award(void=True)], [], NOW)
    (kept,) = history(trust)
    assert (kept["is_void"], kept["voided"]) == (True, None)


# --- correcting ---------------------------------------------------------------------------------------------


def test_a_correction_voids_the_wrong_award_and_makes_the_right_one(trust):
    b.takeover.take_over(b.SYSTEM, "504", "p1", [b.award(awarded_on=date(2026, 5, 1), source="504-c1~1")], [], NOW)
    wrong = history(trust)[0]
    answer = correct(trust, wrong, awarded_on="2026-04-01")
    assert answer.status_code == 201
    assert (answer.json_body["expires_on"], answer.json_body["origin"]) == ("2027-04-01", "completion")
    assert [(each["awarded_on"], each["is_void"]) for each in history(trust)] == [
        ("2026-05-01", True),
        ("2026-04-01", False),
    ]
    (entry,) = entries("award.corrected")
    assert entry.facts["before"]["awarded_on"] == "2026-05-01"
    assert entry.facts["after"]["awarded_on"] == "2026-04-01"


def test_a_level_alone_is_corrected_on_the_same_day(trust):
    b.competence.define_competencies(b.SYSTEM, "NHS", [replace(b.competency(FIRE), levels=("A", "B"))], NOW)
    made = record(trust).json_body
    assert correct(trust, made, level=2).status_code == 201
    found = {each["level"]: each["is_void"] for each in history(trust)}
    assert found == {1: True, 2: False}


def test_a_correction_that_cannot_be_leaves_the_award_as_it_is(trust):
    made = record(trust).json_body
    for right, field in [
        ({}, "body"),
        ({"awarded_on": "2026-11-02"}, "body"),
        ({"awarded_on": "2026-12-02"}, "body.awarded_on"),
        ({"level": 2}, "body.level"),
    ]:
        answer = correct(trust, made, **right)
        assert (answer.status_code, answer.json_body["errors"][0]["field"]) == (400, field)
    assert history(trust) == [made]


def test_a_void_award_is_not_corrected(trust):
    made = record(trust).json_body
    void(trust, made)
    answer = correct(trust, made, awarded_on="2026-11-01")
    assert (answer.status_code, answer.json_body["type"].rpartition(":")[2]) == (409, "award-void")


def test_two_who_correct_at_once_make_one_right_award(trust):
    made = record(trust).json_body
    with before_commit(lambda: correct(trust, made, awarded_on="2026-10-01")):
        assert correct(trust, made, awarded_on="2026-09-01").status_code == 409
    assert [each["awarded_on"] for each in history(trust) if not each["is_void"]] == ["2026-10-01"]


def test_a_correction_repeated_with_its_key_is_made_once(trust):
    made = record(trust).json_body
    key = {"Idempotency-Key": "correct-once"}
    first = correct(trust, made, headers=key, awarded_on="2026-10-01")
    second = correct(trust, made, headers=key, awarded_on="2026-10-01")
    assert (first.status_code, second.status_code, first.json_body) == (201, 201, second.json_body)
    assert len(history(trust)) == 2


# --- what follows -------------------------------------------------------------------------------------------


def test_snapshots_and_counters_follow_what_is_recorded_corrected_and_voided(trust, monkeypatch):
    monkeypatch.setattr(projection, "LOOK_AGAIN_SECONDS", 0)
    monkeypatch.setattr(work, "now", lambda: NOW)
    projection.project_all("504", ["p1", "p9"], NOW)
    pump, figures = Pump(), []

    def after(answer):
        assert answer.status_code < 300
        pump.run()
        (snapshot,) = snapshots.snapshots_of("p1", "504")
        counts = snapshots.counters("504")["ward-9"]
        figures.append((snapshot.rows[0].colour.value, counts.achieved, counts.expiring))
        return answer.json_body

    made = after(record(trust))
    right = after(correct(trust, made, awarded_on="2025-12-01"))
    after(void(trust, right))
    assert figures == [("green", 1, 0), ("amber", 1, 1), ("red", 0, 0)]
    assert list(projection.recount("504", ["ward-9"], NOW)) == []


# --- who sees the history -----------------------------------------------------------------------------------


def test_oneself_the_supervisor_and_administrators_see_the_history_and_nobody_else(trust):
    b.person(2, assignments=[b.assignment("2", supervisor="p3")])
    b.person(3)
    trust.post("/v1/people/p2/awards", SEEN, as_="504-9")
    seen = {who: trust.get("/v1/people/p2/awards", as_=f"504-{who}").status_code for who in (1, 2, 3, 9)}
    assert seen == {1: 404, 2: 200, 3: 200, 9: 200}


def test_pages_go_through_the_history_the_latest_first(trust):
    days = [date(2026, 1, number) for number in range(1, 6)]
    b.takeover.take_over(b.SYSTEM, "504", "p1", [b.award(awarded_on=day) for day in days], [], NOW)
    b.takeover.take_over(b.SYSTEM, "504", "p1", [b.award(MOVING)], [], NOW)
    answer = trust.get(
        f"{PATH}?limit=2&competency={FIRE.replace('|', '%7C').replace(' ', '%20')}", as_="504-1"
    ).json_body
    assert [each["awarded_on"] for each in answer["awards"]] == ["2026-01-05", "2026-01-04"]
    following = trust.get(f"{PATH}?limit=2&cursor={answer['next_cursor']}", as_="504-1").json_body
    assert [each["awarded_on"] for each in following["awards"]] == ["2026-01-04", "2026-01-03"]
    assert trust.get(f"/v1/people/p9/awards?cursor={answer['next_cursor']}", as_="504-9").status_code == 400


def test_an_award_of_an_external_learner_is_recorded_alike(trust):
    b.person(4, kind=EmploymentKind.EXTERNAL)
    assert trust.post("/v1/people/p4/awards", SEEN, as_="504-9").status_code == 201


def test_a_row_written_before_reasons_were_kept_still_loads(trust):
    row = AwardRow.of("p1", "504", b.award())
    row.save()
    assert learners.learner("p1", "504").awards == (b.award(),)
