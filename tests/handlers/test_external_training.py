"""External training over HTTP: asked for with evidence, approved by a manager, verified, and only then held."""

import subprocess
import sys
from datetime import date, timedelta
from urllib.parse import parse_qs, urlparse

import boto3
import pytest
import requests

from chalicelib.config import setting
from chalicelib.domain.people import EmploymentKind
from chalicelib.handlers import events, work
from chalicelib.services import projection
from chalicelib.storage import files
from chalicelib.storage import projection as snapshots
from chalicelib.storage.audit import AuditRow
from chalicelib.storage.base import Record
from chalicelib.storage.outbox import NotificationRow
from tests import builders as b
from tests.approving import said
from tests.builders import FIRE, MOVING, NOW
from tests.pump import Pump, stream_records
from tests.seams import before_commit, colliding_transactions, failing_calls

MINE = "/v1/me/external-training"
BODY = {
    "title": "Fire Warden Day",
    "provider": "County Fire Service",
    "completed_on": "2026-11-02",
    "claims": [{"competency": FIRE}],
    "minutes": 360,
}
PDF = b"%PDF-1.7\nA certificate.\n%%EOF\n"
PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 40


@pytest.fixture
def trust(api):
    """A nurse (504-1) under a ward manager (504-3), another manager (504-4), an administrator (504-9)."""
    b.trust()
    b.person(3, first_name="Mo")
    b.person(1, assignments=[b.assignment("1", supervisor="p3")])
    b.person(4)
    b.person(5, assignments=[b.assignment("5", supervisor="p4")])
    b.person(9, role="learning_administrator")
    return api


def draft(api, as_="504-1", headers=None, **changes):
    return api.post(MINE, {**BODY, **changes}, as_=as_, headers=headers)


def offer(api, training, content=PDF, content_type="application/pdf", as_="504-1", **more):
    body = {"content_type": content_type, "bytes": len(content), **more}
    return api.post(f"{MINE}/{training['id']}/evidence", body, as_=as_)


def send(api, training, content=PDF, content_type="application/pdf", really=None, **more):
    """Announce a file and send it, or something else in its place."""
    offered = offer(api, training, content, content_type, **more).json_body
    sent = requests.put(offered["upload_to"], data=really or content, headers=offered["headers"], timeout=5)
    assert sent.status_code == 200
    return offered


def submit(api, training, as_="504-1"):
    return api.post(f"{MINE}/{training['id']}/submission", as_=as_)


def submitted(api, as_="504-1", evidence=False, **changes):
    training = draft(api, as_, **changes).json_body
    if evidence:
        send(api, training, as_=as_)
    answer = submit(api, training, as_)
    assert answer.status_code == 200
    return answer.json_body


def decide(api, training, how, body=None, as_="504-3"):
    return api.post(f"/v1/external-training/{training['person_id']}/{training['id']}/{how}", body, as_=as_)


def approved(api, **changes):
    training = submitted(api, **changes)
    assert decide(api, training, "approval").status_code == 200
    return training


def verify(api, training, *competencies, as_="504-9"):
    return decide(api, training, "verification", {"awards": [{"competency": each} for each in competencies]}, as_)


def see(api, training, as_):
    return api.get(f"/v1/external-training/{training['person_id']}/{training['id']}", as_=as_)


def queue(api, as_="504-3", name=None):
    query = f"?queue={name}" if name else ""
    return [each["id"] for each in api.get(f"/v1/external-training/requests{query}", as_=as_).json_body["requests"]]


def waiting(api):
    """Whatever waits for anybody."""
    return queue(api) + [
        each for name in ("unassigned", "approvers", "verification") for each in queue(api, "504-9", name)
    ]


def awards(api, person="p1"):
    return api.get(f"/v1/people/{person}/awards", as_="504-9").json_body["awards"]


def colour(api, as_="504-1"):
    answer = api.get("/v1/me/compliance?colours=red,amber,green,blue", as_=as_).json_body
    return {row["competency"]: row["colour"] for row in answer["rows"]}


def refused(answer):
    return answer.status_code, answer.json_body["type"].rpartition(":")[2]


def told():
    """Messages written so far: whom, and the subject."""
    events.relay_events({"Records": stream_records()})
    rows = (each for each in NotificationRow.scan() if each.template.startswith("external"))
    return sorted((each.pk, each.subject) for each in rows)


def audited():
    return sorted(each.action for each in AuditRow.scan() if each.action.startswith(("external", "award.")))


# --- the whole way ----------------------------------------------------------------------------------------------


def test_from_a_draft_with_evidence_to_a_green_row(trust):
    training = draft(trust).json_body
    assert (training["status"], training["claims"][0]["title"]) == ("draft", "Fire Safety - 1 Year")
    assert waiting(trust) == []
    send(trust, training)
    sent = submit(trust, training).json_body
    assert (sent["status"], sent["approver_id"], sent["approver"], sent["assignment"]) == (
        "submitted",
        "p3",
        "Mo Testfold3",
        "1",
    )
    assert queue(trust) == [training["id"]]
    assert decide(trust, training, "approval").json_body["status"] == "approved"
    assert (queue(trust), colour(trust)) == ([], {FIRE: "red"})
    assert queue(trust, "504-9", "verification") == [training["id"]]
    verified = verify(trust, training, FIRE).json_body
    assert (verified["status"], verified["awarded"][0]["competency"]) == ("verified", FIRE)
    assert colour(trust) == {FIRE: "green"}
    (award,) = awards(trust)
    assert (award["origin"], award["awarded_on"], award["expires_on"], award["source"]) == (
        "external training",
        "2026-11-02",
        "2027-11-02",
        training["id"],
    )
    assert waiting(trust) == []
    assert [row["status"] for row in verified["history"]] == ["draft", "submitted", "approved", "verified"]


def test_the_approver_is_asked_and_the_learner_told_of_every_outcome(trust):
    training = approved(trust, evidence=True)
    verify(trust, training, FIRE)
    again = submitted(trust, title="Another Day")
    decide(trust, again, "rejection", {"reason": "That was a holiday."})
    assert told() == [
        ("P#p1", "Approved: Fire Warden Day"),
        ("P#p1", "Checked: Fire Warden Day"),
        ("P#p1", "Not accepted: Another Day"),
        ("P#p3", "Please approve: Another Day, done by Sam Testfold1"),
        ("P#p3", "Please approve: Fire Warden Day, done by Sam Testfold1"),
    ]
    texts = {each.subject: said(each) for each in NotificationRow.scan() if each.template.startswith("external")}
    assert "You now hold: Fire Safety - 1 Year, until Tuesday 2 November 2027" in texts["Checked: Fire Warden Day"]
    assert "Why: That was a holiday." in texts["Not accepted: Another Day"]
    request = texts["Please approve: Fire Warden Day, done by Sam Testfold1"]
    assert f"https://portal.test/external-training/p1/{training['id']}" in request
    assert "Evidence: 1 file" in request


def test_every_change_is_in_the_audit_by_ids_alone(trust):
    verify(trust, approved(trust, evidence=True), FIRE)
    assert audited() == [
        "award.recorded",
        "external_training.approved",
        "external_training.drafted",
        "external_training.evidence_offered",
        "external_training.submitted",
        "external_training.verified",
    ]
    facts = str([each.facts for each in AuditRow.scan()])
    assert "Warden" not in facts
    assert "County" not in facts


def test_snapshots_and_counters_follow_the_verification(trust, monkeypatch):
    monkeypatch.setattr(projection, "LOOK_AGAIN_SECONDS", 0)
    monkeypatch.setattr(work, "now", lambda: NOW)
    projection.project_all("504", ["p1"], NOW)
    training, pump = approved(trust), Pump()
    verify(trust, training, FIRE)
    pump.run()
    (snapshot,) = snapshots.snapshots_of("p1", "504")
    assert snapshot.rows[0].colour.value == "green"


# --- what may be said -------------------------------------------------------------------------------------------


def test_what_cannot_be_is_refused_by_field_and_nothing_is_kept(trust):
    table = [
        ({"completed_on": "2026-11-24"}, ["body.completed_on"]),
        ({"completed_on": "1066-10-14"}, ["body.completed_on"]),
        ({"completed_on": "2026-02-30"}, ["body.completed_on"]),
        ({"title": "  "}, ["body.title"]),
        ({"title": "Day\n", "provider": "a\0b"}, ["body.title", "body.provider"]),
        ({"title": "Bcc:\r\nsomebody"}, ["body.title"]),
        ({"provider": "x" * 201, "minutes": 0}, ["body.provider", "body.minutes"]),
        ({"assignment": "77"}, ["body.assignment"]),
        ({"claims": [{"competency": "NHS|CSTF|Unknown - 1 Year|"}]}, ["body.claims[0].competency"]),
        ({"claims": [{"competency": FIRE, "level": 2}]}, ["body.claims[0].level"]),
        ({"claims": [{"competency": FIRE}, {"competency": FIRE}]}, ["body.claims[1].competency"]),
        ({"claims": [{"competency": FIRE}] * 11}, ["body.claims"]),
        ({"claims": [{"competency": "A#B"}], "assignment": "1#2"}, ["body.assignment"]),
    ]
    for change, fields in table:
        answer = draft(trust, **change)
        assert (answer.status_code, [each["field"] for each in answer.json_body["errors"]]) == (400, fields), change
    assert trust.get(MINE, as_="504-1").json_body == {"requests": [], "next_cursor": None}


def test_today_is_londons_today(trust, clock):
    clock.now = NOW.replace(month=7, day=31, hour=23, minute=30)  # 1 August in London
    assert draft(trust, completed_on="2026-08-01").status_code == 201
    assert draft(trust, completed_on="2026-08-02").status_code == 400


def test_a_repetition_with_the_same_key_adds_once(trust):
    key = {"Idempotency-Key": "once"}
    first, second = draft(trust, headers=key), draft(trust, headers=key)
    assert (first.status_code, first.json_body) == (201, second.json_body)
    assert len(trust.get(MINE, as_="504-1").json_body["requests"]) == 1


def test_the_list_goes_on_page_by_page_newest_first(trust, clock):
    made = []
    for minute in range(5):
        clock.now = NOW + timedelta(minutes=minute)
        made.append(draft(trust).json_body["id"])
    first = trust.get(f"{MINE}?limit=3", as_="504-1").json_body
    rest = trust.get(f"{MINE}?limit=3&cursor={first['next_cursor']}", as_="504-1").json_body
    assert [each["id"] for page in (first, rest) for each in page["requests"]] == made[::-1]
    assert trust.get(f"{MINE}?cursor={first['next_cursor']}", as_="504-5").status_code == 400


# --- evidence ---------------------------------------------------------------------------------------------------


def test_evidence_that_is_no_pdf_or_is_missing_is_named_and_nothing_is_submitted(trust):
    training = draft(trust).json_body
    send(trust, training)
    send(trust, training, content=b"MZ\x90 a program", content_type="application/pdf")
    offer(trust, training, PNG, "image/png")
    answer = submit(trust, training)
    assert refused(answer) == (409, "evidence-refused")
    assert answer.json_body["facts"]["files"] == [
        {"number": 2, "reason": "is no PDF, PNG or JPEG file"},
        {"number": 3, "reason": "was not sent"},
    ]
    kept = trust.get(f"{MINE}/{training['id']}", as_="504-1").json_body
    assert (kept["status"], [each["download"] for each in kept["evidence"]]) == ("draft", [None] * 3)
    assert told() == []
    send(trust, training, number=2)
    send(trust, training, PNG, "image/png", number=3)
    assert submit(trust, training).status_code == 200


def test_what_was_announced_must_be_what_was_sent(trust):
    for content_type, announced, really in [
        ("image/png", PNG, PDF.ljust(len(PNG))),
        ("application/pdf", PDF, PDF + b"more"),
    ]:
        training = draft(trust).json_body
        send(trust, training, announced, content_type, really=really)
        assert refused(submit(trust, training)) == (409, "evidence-refused"), content_type


def test_an_address_to_upload_is_bound_to_this_type_and_size(trust):
    training = draft(trust).json_body
    address = urlparse(offer(trust, training).json_body["upload_to"])
    assert address.path.endswith(f"/evidence/504/p1/{training['id']}/1")
    assert parse_qs(address.query)["X-Amz-SignedHeaders"] == ["content-length;content-type;host"]
    assert parse_qs(address.query)["X-Amz-Expires"] == ["900"]
    for wrong in ({"content_type": "text/html"}, {"bytes": 10 * 2**20 + 1}, {"bytes": 0}, {"number": 6}, {"number": 2}):
        answer = offer(trust, training, **wrong) if "bytes" not in wrong else offer(trust, training, b"", **wrong)
        assert answer.status_code == 400, wrong


def test_there_are_five_files_at_most_and_none_is_added_later(trust):
    training = draft(trust).json_body
    for _ in range(5):
        send(trust, training)
    assert refused(offer(trust, training)) == (409, "too-much-evidence")
    assert submit(trust, training).status_code == 200
    assert refused(offer(trust, training)) == (409, "external-training-not-there")


def test_what_is_shown_is_the_very_file_that_was_checked(trust):
    training = draft(trust).json_body
    address = send(trust, training)
    submit(trust, training)
    requests.put(address["upload_to"], data=PDF.replace(b"A", b"B"), headers=address["headers"], timeout=5)
    for as_ in ("504-3", "504-9"):
        (evidence,) = see(trust, training, as_).json_body["evidence"]
        answer = requests.get(evidence["download"], timeout=5)
        assert answer.content == PDF
        query = parse_qs(urlparse(evidence["download"]).query)
        assert query["response-content-disposition"] == ['attachment; filename="evidence-1.pdf"']
        assert query["X-Amz-Expires"] == ["300"]
    (own,) = trust.get(f"{MINE}/{training['id']}", as_="504-1").json_body["evidence"]
    assert requests.get(own["download"], timeout=5).content == PDF


def test_lists_and_answers_to_changes_carry_no_addresses(trust):
    training = submitted(trust, evidence=True)
    listed = trust.get("/v1/external-training/requests", as_="504-3").json_body["requests"][0]
    changed = decide(trust, training, "approval").json_body
    assert [each["evidence"][0]["download"] for each in (training, listed, changed)] == [None] * 3


def test_files_that_cannot_be_reached_leave_a_draft(trust, monkeypatch):
    training = draft(trust).json_body
    send(trust, training)

    def unreachable(key, length):
        raise files.Unavailable("The files cannot be reached just now.")

    monkeypatch.setattr(files, "sent", unreachable)
    assert submit(trust, training).status_code == 503
    monkeypatch.undo()


# --- who approves -----------------------------------------------------------------------------------------------


def test_nobody_approves_rejects_or_verifies_their_own(trust):
    own = submitted(trust, as_="504-9")
    assert own["approver_id"] is None
    for how, body in (("approval", None), ("rejection", {"reason": "because"}), ("verification", {"awards": []})):
        assert refused(decide(trust, own, how, body, "504-9")) == (403, "own-external-training"), how
    assert (
        trust.post("/v1/people/p9/external-training", BODY, as_="504-9")
        .json_body["type"]
        .endswith("own-external-training")
    )


def test_a_manager_of_somebody_else_finds_nothing(trust):
    training = submitted(trust)
    assert see(trust, training, "504-4").status_code == 404
    assert queue(trust, "504-4") == []
    for how, body in (("approval", None), ("rejection", {"reason": "because"})):
        assert decide(trust, training, how, body, "504-4").status_code == 404
    assert trust.post("/v1/people/p1/external-training", BODY, as_="504-4").status_code == 404
    assert queue(trust) == [training["id"]]


def test_whoever_manages_nobody_may_not_even_ask_and_managers_do_not_verify(trust):
    training = approved(trust)
    assert refused(see(trust, training, "504-5")) == (403, "not-permitted")
    assert refused(verify(trust, training, FIRE, as_="504-3")) == (403, "not-permitted")
    answer = trust.get("/v1/external-training/requests?queue=verification", as_="504-3")
    assert refused(answer) == (403, "not-permitted")
    assert refused(decide(trust, training, "rejection", {"reason": "after all"})) == (403, "not-permitted")


def test_a_draft_is_seen_by_nobody_else(trust):
    training = draft(trust).json_body
    assert {see(trust, training, each).status_code for each in ("504-3", "504-9")} == {404}
    assert decide(trust, training, "approval").status_code == 404


def test_the_supervisor_of_the_assignment_chosen_approves(trust):
    two = [b.assignment("6", supervisor="p3"), b.assignment("6-2", supervisor="p4", primary=False)]
    b.person(6, assignments=two)
    assert submitted(trust, as_="504-6")["approver_id"] == "p3"
    other = submitted(trust, as_="504-6", assignment="6-2")
    assert (other["approver_id"], see(trust, other, "504-3").status_code) == ("p4", 404)
    assert queue(trust, "504-4") == [other["id"]]


def test_without_an_approver_who_works_here_the_administrators_decide(trust):
    b.person(7, kind=EmploymentKind.EXTERNAL)
    b.person(8, assignments=[b.assignment("8", supervisor="p8")])
    b.person(6, assignments=[b.assignment("6", supervisor="p-nobody")])
    asked = [submitted(trust, as_=f"504-{number}") for number in (6, 7, 8)]
    assert [each["approver_id"] for each in asked] == [None] * 3
    assert sorted(queue(trust, "504-9", "unassigned")) == sorted(each["id"] for each in asked)
    assert told() == []
    assert decide(trust, asked[0], "approval", as_="504-9").status_code == 200
    assert len(queue(trust, "504-9", "unassigned")) == 2


def test_a_request_that_its_manager_leaves_behind_is_found_by_administrators(trust):
    training = submitted(trust)
    assert queue(trust, "504-9", "approvers") == [training["id"]]
    leave("p3")
    assert decide(trust, training, "approval", as_="504-9").status_code == 200
    assert queue(trust, "504-9", "approvers") == []


def test_what_a_manager_adds_for_their_staff_is_approved_and_still_verified(trust):
    answer = trust.post("/v1/people/p1/external-training", BODY, as_="504-3")
    assert (answer.status_code, answer.json_body["status"]) == (201, "approved")
    added = answer.json_body
    assert told() == [("P#p1", "Added for you: Fire Warden Day")]
    assert colour(trust) == {FIRE: "red"}
    assert trust.get(f"{MINE}/{added['id']}", as_="504-1").json_body["history"][0]["by"] == "p3"
    assert verify(trust, added, FIRE).status_code == 200
    assert colour(trust) == {FIRE: "green"}


def test_an_administrator_may_add_and_verify_for_somebody_else(trust):
    added = trust.post("/v1/people/p5/external-training", BODY, as_="504-9").json_body
    assert verify(trust, added, FIRE, as_="504-9").status_code == 200
    assert colour(trust, "504-5") == {FIRE: "green"}
    b.person(2, employer="505")
    assert trust.post("/v1/people/p2/external-training", BODY, as_="504-9").status_code == 404


def test_adding_for_somebody_twice_with_one_key_adds_once(trust):
    key = {"Idempotency-Key": "for-somebody"}
    made = [trust.post("/v1/people/p1/external-training", BODY, as_="504-3", headers=key) for _ in range(2)]
    assert made[0].json_body == made[1].json_body
    assert len(queue(trust, "504-9", "verification")) == 1


# --- verification -----------------------------------------------------------------------------------------------


def test_the_administrator_awards_what_it_was_worth_whatever_was_claimed(trust):
    training = approved(trust)
    answer = verify(trust, training, MOVING).json_body
    assert [each["competency"] for each in answer["awarded"]] == [MOVING]
    assert [(each["competency"], each["expires_on"]) for each in awards(trust)] == [(MOVING, "2028-11-02")]
    nothing = approved(trust)
    assert verify(trust, nothing).json_body["status"] == "verified"
    assert len(awards(trust)) == 1


def test_what_cannot_be_awarded_is_refused_by_field_and_nothing_is_verified(trust):
    training = approved(trust)
    for claims, field in [
        ([{"competency": "505|LOCAL|Theirs - 1 Year|"}], "body.awards[0].competency"),
        ([{"competency": FIRE, "level": 3}], "body.awards[0].level"),
        ([{"competency": FIRE}, {"competency": FIRE}], "body.awards[1].competency"),
    ]:
        answer = decide(trust, training, "verification", {"awards": claims}, "504-9")
        assert (answer.status_code, answer.json_body["errors"][0]["field"]) == (400, field)
    assert awards(trust) == []
    assert queue(trust, "504-9", "verification") == [training["id"]]


def test_verifying_again_awards_once_and_otherwise_is_refused(trust):
    training = approved(trust)
    first, second = verify(trust, training, FIRE, MOVING), verify(trust, training, MOVING, FIRE)
    assert (first.json_body, len(awards(trust))) == (second.json_body, 2)
    other = verify(trust, training, FIRE)
    assert refused(other) == (409, "external-training-not-there")
    assert "correction" in other.json_body["way_out"]
    assert len(awards(trust)) == 2


def test_a_verification_whose_answer_was_lost_awards_once(trust):
    training = approved(trust)
    with failing_calls("TransactWriteItems", "InternalServerError", times=1, after=True):
        verify(trust, training, FIRE)
    assert verify(trust, training, FIRE).status_code == 200
    assert (len(awards(trust)), audited().count("award.recorded")) == (1, 1)


def test_a_function_that_dies_before_its_transaction_has_awarded_nothing(trust):
    training = approved(trust)

    def die():
        raise RuntimeError

    with before_commit(die):
        assert verify(trust, training, FIRE).status_code == 500
    assert (awards(trust), queue(trust, "504-9", "verification")) == ([], [training["id"]])
    assert verify(trust, training, FIRE).status_code == 200
    assert len(awards(trust)) == 1


def test_collisions_are_tried_again(trust):
    training = approved(trust)
    with colliding_transactions(2):
        assert verify(trust, training, FIRE).status_code == 200
    assert len(awards(trust)) == 1


def test_an_award_of_it_may_be_voided_and_is_not_made_again(trust):
    training = approved(trust)
    verify(trust, training, FIRE)
    (award,) = awards(trust)
    which = {name: award[name] for name in ("competency", "awarded_on", "source")}
    trust.post("/v1/people/p1/awards/void", {**which, "reason": "a forged certificate"}, as_="504-9")
    verify(trust, training, FIRE)
    assert (colour(trust), len(awards(trust))) == ({FIRE: "red"}, 1)


# --- two at once, and again -------------------------------------------------------------------------------------


def test_of_two_who_decide_at_once_the_first_decides(trust):
    training = submitted(trust)
    with before_commit(lambda: decide(trust, training, "rejection", {"reason": "I was quicker."}, "504-9")):
        assert refused(decide(trust, training, "approval")) == (409, "external-training-not-there")
    kept = see(trust, training, "504-3").json_body
    assert (kept["status"], kept["reason"]) == ("rejected", "I was quicker.")
    assert [subject for _, subject in told() if "Approved" in subject] == []


def test_a_withdrawal_beats_the_verification_it_meets(trust):
    training = approved(trust)
    with before_commit(lambda: trust.post(f"{MINE}/{training['id']}/withdrawal", as_="504-1")):
        assert refused(verify(trust, training, FIRE)) == (409, "external-training-not-there")
    assert awards(trust) == []


def test_repeating_what_one_did_changes_nothing(trust):
    training = draft(trust).json_body
    send(trust, training)
    assert submit(trust, training).json_body == submit(trust, training).json_body
    first, second = decide(trust, training, "approval"), decide(trust, training, "approval")
    assert first.json_body == second.json_body
    refusal = {"reason": "The date is wrong."}
    rejections = [decide(trust, training, "rejection", refusal, "504-9").json_body for _ in range(2)]
    assert rejections[0] == rejections[1]
    assert [len([each for each in told() if word in each[1]]) for word in ("Please", "Approved", "Not")] == [1, 1, 1]


def test_a_learner_takes_back_what_is_not_decided_for_good(trust):
    for end in (None, "approval"):
        training = submitted(trust)
        if end:
            decide(trust, training, end)
        answers = [trust.post(f"{MINE}/{training['id']}/withdrawal", as_="504-1").json_body for _ in range(2)]
        assert (answers[0]["status"], answers[0]) == ("withdrawn", answers[1])
    assert (queue(trust), queue(trust, "504-9", "verification")) == ([], [])
    done = approved(trust)
    verify(trust, done, FIRE)
    assert refused(trust.post(f"{MINE}/{done['id']}/withdrawal", as_="504-1")) == (409, "external-training-not-there")
    assert trust.get(f"{MINE}/{done['id']}", as_="504-5").status_code == 404


# --- leaving ----------------------------------------------------------------------------------------------------


def leave(person):
    row = next(each for each in Record.query(f"P#{person}") if each.sk == "E#504#WHO")
    row.ends_on = date(2026, 11, 20)
    row.save()


def test_whoever_leaves_can_ask_no_more_and_what_they_asked_may_still_be_decided(trust):
    training, waiting = submitted(trust), draft(trust).json_body
    leave("p1")
    assert submit(trust, waiting).status_code == 403
    assert trust.post("/v1/people/p1/external-training", BODY, as_="504-9").status_code == 404
    assert decide(trust, training, "approval").status_code == 200
    assert verify(trust, training, FIRE).status_code == 200
    assert [each["competency"] for each in awards(trust)] == [FIRE]


def test_a_manager_who_has_left_is_not_asked(trust):
    leave("p3")
    assert submitted(trust)["approver_id"] is None
    assert len(queue(trust, "504-9", "unassigned")) == 1


def test_another_employer_sees_and_decides_nothing(trust):
    training = submitted(trust)
    b.person(2, employer="505", role="learning_administrator")
    assert see(trust, training, "505-2").status_code == 404
    assert decide(trust, training, "approval", as_="505-2").status_code == 404
    assert queue(trust, "505-2", "approvers") == []


# --- rows among others ------------------------------------------------------------------------------------------


def test_whoever_reads_all_of_a_persons_rows_knows_this_kind():
    for module in ("learner", "workforce"):
        alone = (
            f"import chalicelib.storage.{module}; from chalicelib.storage.base import Record;"
            "Record.kind.deserialize('external training')"
        )
        subprocess.run([sys.executable, "-c", alone], check=True, timeout=60)


def test_the_bucket_of_evidence_is_the_one_of_files(trust):
    training = draft(trust).json_body
    send(trust, training)
    found = boto3.client("s3").list_objects_v2(Bucket=setting("FILES_BUCKET"))["Contents"]
    assert [each["Key"] for each in found] == [f"evidence/504/p1/{training['id']}/1"]
