"""Training that follows its holder: transfers over HTTP, and updates between employers of one person (domain.md §7)."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from chalicelib import rendering
from chalicelib.domain.competency import Origin
from chalicelib.domain.errors import Unavailable
from chalicelib.domain.learner import RoleGrant
from chalicelib.domain.notifications import messages
from chalicelib.domain.people import Employment, EmploymentKind, Person, Unit
from chalicelib.domain.permissions import Role
from chalicelib.domain.requirements import Target, TargetKind
from chalicelib.services import transfers, workforce
from chalicelib.services.timers import ring
from chalicelib.storage import timers
from chalicelib.storage.audit import AuditRow
from chalicelib.storage.awards import AwardRow
from chalicelib.storage.outbox import EventRow
from chalicelib.storage.people import AssignmentRow, EmploymentRow, GrantRow
from tests import builders as b
from tests.builders import FIRE, INDUCTION, MOVING, NOW, PREVENT, TODAY
from tests.pump import Pump, queued
from tests.seams import before_commit, colliding_transactions, failing_calls

LAST_WEEK = TODAY - timedelta(days=7)
CONSENT = {"from_employer": "505", "consented_on": "2026-11-20"}
OURS, THEIRS = "504-9", "505-8"
"""The learning administrators of the two employers."""

HARBOUR = (Unit("505", "Harbour Trust", None), Unit("ward-9", "505 Ward 9", "505"))


@pytest.fixture
def trusts(api):
    """Demonstration Trust (504) and Harbour Trust (505), each with an administrator."""
    b.trust(b.requirement(), b.requirement(MOVING))
    names = [(Target(TargetKind.JOB, "nurse"), "Staff Nurse")]
    workforce.define_structure(b.SYSTEM, "505", workforce.Structure("Harbour Trust", HARBOUR, names), NOW)
    b.person(9, role="learning_administrator")
    b.person(8, employer="505", role="learning_administrator")
    return api


def at_both(*awards, kind=EmploymentKind.EMPLOYEE, here=(), left=None):
    """Sam (p1, signing in as 505-1), who works or worked at 505 and holds these awards from there, and belongs to 504 too."""
    b.person(1, employer="505", awards=awards)
    sam = Person("p1", "Sam", "Testfold1", email="person1@trust.invalid", login="505-1")
    EmploymentRow.of(sam, Employment("505", EmploymentKind.EMPLOYEE, "20000001", date(2024, 1, 1), left)).save()
    starts_on = TODAY + timedelta(days=30) if kind is EmploymentKind.APPLICANT else date(2024, 6, 1)
    EmploymentRow.of(sam, Employment("504", kind, "77", starts_on, offered_on=TODAY)).save()
    AssignmentRow.of("p1", "504", b.assignment("77", starts_on=starts_on)).save()
    for award in here:
        AwardRow.of("p1", "504", award).save()


def ask(api, as_=OURS, person="p1", headers=None, **changes):
    return api.post(f"/v1/people/{person}/transfers", {**CONSENT, **changes}, as_=as_, headers=headers)


def act(api, transfer, what, body=None, as_=THEIRS):
    return api.post(f"/v1/transfers/p1/{transfer['id']}/{what}", body, as_=as_)


def asked(api):
    answer = ask(api)
    assert answer.status_code == 201, answer.json_body
    return answer.json_body


def released(api):
    """A transfer once the old employer has released it, as the new one sees it."""
    return release(api, asked(api))


def release(api, transfer):
    answer = act(api, transfer, "release")
    assert answer.status_code == 200, answer.json_body
    return seen(api, transfer)


def seen(api, transfer, as_=OURS):
    answer = api.get(f"/v1/transfers/p1/{transfer['id']}", as_=as_)
    assert answer.status_code == 200, answer.json_body
    return answer.json_body


def sam_left(employer, on=LAST_WEEK):
    sam = Person("p1", "Sam", "Testfold1", email="person1@trust.invalid", login="505-1")
    EmploymentRow.of(sam, Employment(employer, EmploymentKind.EMPLOYEE, "77", date(2024, 1, 1), on)).save()


def set_up(api, as_, automatic_release=False, recognised=None):
    body = {"automatic_release": automatic_release, "recognised_employers": recognised}
    answer = api.call("PUT", "/v1/settings/transfers", body=body, as_=as_)
    assert answer.status_code == 200, answer.json_body
    return answer.json_body


def held(employer="504"):
    rows = AwardRow.query("P#p1", AwardRow.sk.startswith(f"E#{employer}#AWD#"))
    return {each.competency: each for each in (row.award() for row in rows) if not each.void}


def told(type_):
    return [row.event() for row in EventRow.scan() if row.kind is EventRow and row.type == type_]


def mails(type_):
    """What is told of events of a type: the template, to whom, and the text."""
    return [
        (template, person, rendering.render(template, data, "Alex").text)
        for event in told(type_)
        for template, person, data in messages(event)
    ]


def audited(action):
    return [row for row in AuditRow.scan() if row.action == action]


def problem(answer):
    return answer.status_code, answer.json_body["type"].rpartition(":")[2]


# --- a transfer -----------------------------------------------------------------------------------------------


def test_a_movers_training_waits_for_the_old_employer_and_counts_once_it_is_released(trusts):
    at_both(b.award(awarded_on=LAST_WEEK), b.award(INDUCTION), left=LAST_WEEK)
    transfer = asked(trusts)
    assert (transfer["status"], transfer["items"], transfer["from_employer"]["name"]) == (
        "matched",
        [],
        "Harbour Trust",
    )
    assert held() == {}
    waiting = trusts.get("/v1/transfers?queue=release", as_=THEIRS).json_body["transfers"]
    assert [(each["id"], each["name"]) for each in waiting] == [(transfer["id"], "Sam Testfold1")]

    after = release(trusts, transfer)
    assert after["status"] == "applied"
    assert [each["status"] for each in after["history"]] == ["initiated", "matched", "released", "received", "applied"]
    fire = held()[FIRE]
    assert (fire.awarded_on, fire.expires_on, fire.origin) == (LAST_WEEK, date(2027, 11, 16), Origin.TRANSFER)
    assert set(held()) == {FIRE}
    assert [each["because"][:8] for each in after["items"]] == ["national"]
    assert trusts.get("/v1/transfers?queue=release", as_=THEIRS).json_body["transfers"] == []


def test_it_comes_at_once_where_the_old_employer_releases_by_itself(trusts):
    assert set_up(trusts, THEIRS, automatic_release=True)["automatic_release"] is True
    at_both(b.award(awarded_on=LAST_WEEK), kind=EmploymentKind.APPLICANT)
    assert asked(trusts)["status"] == "applied"
    assert set(held()) == {FIRE}
    assert [each.pk.split("#")[1] for each in audited("transfer.released")] == ["505"]
    asked_of = {each.pk.split("#")[1]: each.facts["status"] for each in audited("transfer.asked")}
    assert asked_of == {"504": "applied", "505": "released"}


def test_an_applicant_sees_what_came_as_green_in_my_compliance(trusts):
    at_both(b.award(awarded_on=LAST_WEEK), kind=EmploymentKind.APPLICANT)
    pump = Pump()
    released(trusts)
    pump.run()
    rows = trusts.get("/v1/me/compliance?employer=504&colours=red,green", as_="505-1").json_body["rows"]
    assert {each["competency"]: each["colour"] for each in rows} == {FIRE: "green", MOVING: "red"}
    team = trusts.get("/v1/people/p1/compliance?colours=red,green", as_=OURS).json_body["rows"]
    assert team == rows


def test_what_is_not_better_waits_for_an_administrator_who_accepts_or_rejects_it(trusts):
    given = [b.award(awarded_on=LAST_WEEK), b.award(MOVING, awarded_on=LAST_WEEK), b.award(PREVENT)]
    at_both(*given, here=[b.award(awarded_on=TODAY), b.award(MOVING, awarded_on=TODAY)])
    transfer = released(trusts)
    states = {each["title"]: (each["state"], each["because"]) for each in transfer["items"]}
    waits = ("waiting", "what is held is as good or better")
    assert transfer["status"] == "received"
    assert list(states.values())[:2] == [waits, waits]
    assert [each["state"] for each in transfer["items"]] == ["waiting", "waiting", "accepted"]
    decide = trusts.get("/v1/transfers", as_=OURS).json_body["transfers"]
    assert [each["id"] for each in decide] == [transfer["id"]]

    assert act(trusts, transfer, "items/1/acceptance", as_=OURS).json_body["status"] == "received"
    done = act(trusts, transfer, "items/2/rejection", {"reason": "Ours is newer."}, as_=OURS).json_body
    assert done["status"] == "partly applied"
    assert trusts.get("/v1/transfers", as_=OURS).json_body["transfers"] == []
    origins = [row.origin for row in AwardRow.query("P#p1", AwardRow.sk.startswith(f"E#504#AWD#{FIRE}"))]
    assert sorted(origins) == ["completion", "transfer"]


def test_training_of_an_employer_not_recognised_waits(trusts):
    set_up(trusts, OURS, recognised=[])
    at_both(b.award(awarded_on=LAST_WEEK))
    transfer = released(trusts)
    assert (transfer["status"], transfer["items"][0]["because"]) == (
        "received",
        "the employer is not one whose training is recognised",
    )
    assert held() == {}
    assert (
        act(trusts, transfer, "items/1/rejection", {"reason": "Not seen."}, as_=OURS).json_body["status"] == "rejected"
    )


def test_the_old_employer_may_refuse_and_everybody_is_told_why(trusts):
    at_both(b.award(awarded_on=LAST_WEEK))
    transfer = act(trusts, asked(trusts), "refusal", {"reason": "The record is under review."}).json_body
    assert (transfer["status"], transfer["reason"]) == ("rejected", "The record is under review.")
    assert held() == {}
    sent = mails("transfer.received")
    assert [(template, person) for template, person, text in sent if "under review" in text] == [
        ("transfer_received", "p1"),
        ("transfer_received_for_administrators", "p9"),
    ]
    assert asked(trusts)["status"] == "matched"


def test_who_is_not_known_there_or_holds_nothing_to_bring_is_said_to_be(trusts):
    b.person(1)
    failed = asked(trusts)
    assert (failed["status"], failed["reason"]) == ("failed", "not known there")


def test_that_somebody_was_asked_about_is_in_the_audit_of_both_employers(trusts):
    b.person(1)
    asked(trusts)
    assert sorted(each.pk.split("#")[1] for each in audited("transfer.asked")) == ["504", "505"]


def test_nothing_to_bring_is_told_to_who_asked_and_the_learner_each_in_their_own_words(trusts):
    at_both(b.award(INDUCTION))
    transfer = released(trusts)
    assert (transfer["status"], transfer["reason"], transfer["items"]) == ("failed", "nothing to bring", [])
    texts = {person: text for _, person, text in mails("transfer.received") if "did not come" in text}
    assert set(texts) == {"p1", "p9"}
    assert "Why: They hold nothing of yours that is national and in date." in texts["p1"]
    assert "Why: They hold nothing that is national and in date." in texts["p9"]
    assert [each.facts["status"] for each in audited("transfer.failed")] == ["failed"]
    assert audited("transfer.released") == []


def test_who_has_left_the_new_employer_meanwhile_gets_nothing_and_no_message(trusts):
    at_both(b.award(awarded_on=LAST_WEEK))
    transfer = asked(trusts)
    sam_left("504")
    assert release(trusts, transfer)["reason"] == "left the new employer"
    assert held() == {}
    last = [(person, text) for _, person, text in mails("transfer.received") if "did not come" in text]
    assert [person for person, _ in last] == ["p9"]
    assert "Why: They are not with us any more." in last[0][1]
    assert [each.pk.split("#")[1] for each in audited("transfer.failed")] == ["505"]


def test_external_learners_get_no_transfers(trusts):
    at_both(b.award(awarded_on=LAST_WEEK), kind=EmploymentKind.EXTERNAL)
    assert problem(ask(trusts)) == (404, "not-found")


# --- nobody answers -------------------------------------------------------------------------------------------


def test_who_asked_may_take_it_back_and_ask_again(trusts):
    at_both(b.award(awarded_on=LAST_WEEK))
    transfer = asked(trusts)
    after = act(trusts, transfer, "withdrawal", as_=OURS).json_body
    assert (after["status"], after["reason"]) == ("failed", "withdrawn")
    assert act(trusts, transfer, "withdrawal", as_=OURS).json_body == after
    assert len(audited("transfer.withdrawn")) == 1
    assert trusts.get("/v1/transfers?queue=release", as_=THEIRS).json_body["transfers"] == []
    assert problem(act(trusts, transfer, "release")) == (409, "transfer-not-there")
    texts = {person: text for _, person, text in mails("transfer.received") if "did not come" in text}
    assert "Why: We have taken back what we asked for." in texts["p1"]
    assert "Why: The learning team has taken back what it asked for." in texts["p9"]
    assert asked(trusts)["status"] == "matched"


def test_the_learner_may_take_back_that_they_agreed(trusts):
    at_both(b.award(awarded_on=LAST_WEEK))
    transfer = asked(trusts)
    address = f"/v1/me/transfers/{transfer['id']}/withdrawal"
    assert problem(trusts.post(address, as_=OURS)) == (404, "not-found")
    for employer in ("504", "505"):
        after = trusts.post(f"{address}?employer={employer}", as_="505-1").json_body
        assert (after["status"], after["reason"]) == ("failed", "consent taken back")
    assert problem(act(trusts, transfer, "release")) == (409, "transfer-not-there")
    assert held() == {}
    texts = {person: text for _, person, text in mails("transfer.received") if "did not come" in text}
    assert "Why: You no longer agree to it." in texts["p1"]
    assert "Why: They no longer agree to it." in texts["p9"]
    assert [each.pk.split("#")[1] for each in audited("transfer.withdrawn")] == ["504"]


def test_what_was_released_can_not_be_taken_back(trusts):
    at_both(b.award(awarded_on=LAST_WEEK), here=[b.award(awarded_on=TODAY)])
    transfer = released(trusts)
    assert transfer["status"] == "received"
    assert problem(act(trusts, transfer, "withdrawal", as_=OURS)) == (409, "transfer-not-there")
    assert problem(act(trusts, transfer, "withdrawal")) == (404, "not-found")
    own = trusts.post(f"/v1/me/transfers/{transfer['id']}/withdrawal?employer=504", as_="505-1")
    assert problem(own) == (409, "transfer-not-there")


def test_the_answer_says_where_nobody_at_the_old_employer_can_release_it(trusts):
    at_both(b.award(awarded_on=LAST_WEEK))
    assert asked(trusts)["reason"] is None
    GrantRow.of(RoleGrant("p8", "505", Role.LEARNING_ADMINISTRATOR)).delete()
    b.person(2, employer="505", role="learning_administrator")
    also_here = Employment("504", EmploymentKind.EMPLOYEE, "78", date(2024, 6, 1))
    EmploymentRow.of(Person("p2", "Sam", "Testfold2"), also_here).save()
    alone = ask(trusts, person="p2").json_body
    assert (alone["status"], alone["reason"]) == ("matched", "nobody there can release it")
    assert [person for _, person, text in mails("transfer.received") if "Testfold2" in text] == []


def test_the_old_employer_is_reminded_each_week_until_it_answers(trusts, clock):
    at_both(b.award(awarded_on=LAST_WEEK))
    transfer = asked(trusts)

    def reminded(after):
        ring("505", NOW + after, lambda: True)
        return [text for _, person, text in mails("transfer.received") if person == "p8"][1:]

    assert reminded(timedelta(days=6)) == []
    (text,) = reminded(timedelta(days=7, hours=1))
    assert "It has waited since Monday 23 November 2026." in text
    assert len(reminded(timedelta(days=14, hours=2))) == 2
    release(trusts, transfer)
    assert len(reminded(timedelta(days=28))) == 2
    assert timers.due("505", NOW + timedelta(days=90), 9) == []


# --- what is told ---------------------------------------------------------------------------------------------


def test_learner_and_administrators_are_told_what_came_what_waits_and_what_is_still_needed(trusts):
    at_both(b.award(awarded_on=LAST_WEEK), b.award(PREVENT, awarded_on=LAST_WEEK), here=[b.award(PREVENT)])
    transfer = released(trusts)
    by_template = {(template, to): text for template, to, text in mails("transfer.received")}
    team = "transfer_received_for_administrators"
    assert set(by_template) == {(team, "p8"), ("transfer_received", "p1"), (team, "p9")}
    assert "Demonstration Trust asks for the training of Sam Testfold1" in by_template[team, "p8"]
    learner = by_template["transfer_received", "p1"]
    assert "This counts here too:\n- Fire Safety - 1 Year, until Tuesday 16 November 2027" in learner
    assert "Preventing Radicalisation" in learner
    assert "what is held is as good or better" in learner
    assert "You still need:\n- Moving and Handling" in learner
    act(trusts, transfer, "items/2/rejection", {"reason": "Ours is newer."}, as_=OURS)
    (last,) = (
        text for template, _, text in mails("transfer.received") if template[-8:] == "received" and "Ours" in text
    )
    assert (
        "This was not accepted:\n- Preventing Radicalisation - Basic Prevent Awareness - 3 Years: Ours is newer."
        in last
    )


def test_names_stay_out_of_the_audit(trusts):
    at_both(b.award(awarded_on=LAST_WEEK))
    released(trusts)
    facts = [str(row.facts) for row in AuditRow.scan()]
    assert audited("transfer.received")
    assert not [each for each in facts if "Testfold" in each or "@" in each]


def test_a_long_list_is_cut_and_counted(trusts):
    from chalicelib.services.transfers import _lines

    assert _lines(map(str, range(10))) == [str(each) for each in range(10)]
    assert _lines(map(str, range(25)))[-2:] == ["8", "and 16 more"]


# --- whose it is ----------------------------------------------------------------------------------------------


def test_each_employer_does_its_own_part_alone(trusts):
    at_both(b.award(awarded_on=LAST_WEEK), here=[b.award(awarded_on=TODAY)])
    transfer = asked(trusts)
    reason = {"reason": "Not for me to say."}
    assert problem(act(trusts, transfer, "release", as_=OURS)) == (404, "not-found")
    assert problem(act(trusts, transfer, "refusal", reason, as_=OURS)) == (404, "not-found")
    act(trusts, transfer, "release")
    assert problem(act(trusts, transfer, "items/1/acceptance")) == (404, "not-found")
    assert problem(act(trusts, transfer, "items/1/rejection", reason)) == (404, "not-found")
    assert trusts.get(f"/v1/transfers/p1/{transfer['id']}", as_=THEIRS).status_code == 200


def test_a_third_employer_sees_nothing_of_it(trusts):
    workforce.define_structure(
        b.SYSTEM, "506", workforce.Structure("Valley Trust", [Unit("506", "Valley Trust", None)], []), NOW
    )
    third = b.person(7, employer="506", assignments=[b.assignment("7", "506")], role="learning_administrator")
    at_both(b.award(awarded_on=LAST_WEEK))
    transfer = asked(trusts)
    for queue in ("release", "decision", "under-way"):
        assert trusts.get(f"/v1/transfers?queue={queue}", as_=third).json_body["transfers"] == []
    assert problem(trusts.get(f"/v1/transfers/p1/{transfer['id']}", as_=third)) == (404, "not-found")
    assert problem(trusts.get("/v1/people/p1/transfers", as_=third)) == (404, "not-found")
    assert problem(act(trusts, transfer, "release", as_=third)) == (404, "not-found")
    assert problem(ask(trusts, as_=third)) == (404, "not-found")
    sam = Person("p1", "Sam", "Testfold1")
    EmploymentRow.of(sam, Employment("506", EmploymentKind.EMPLOYEE, "1", date(2024, 6, 1))).save()
    for address, login in (("/v1/people/p1/transfers", third), ("/v1/me/transfers?employer=506", "505-1")):
        assert trusts.get(address, as_=login).json_body["transfers"] == []


def test_learners_see_their_own_and_administrators_those_of_a_person(trusts):
    at_both(b.award(awarded_on=LAST_WEEK))
    transfer = asked(trusts)
    for address, login in (
        ("/v1/me/transfers?employer=504", "505-1"),
        ("/v1/me/transfers?employer=505", "505-1"),
        ("/v1/people/p1/transfers", OURS),
        ("/v1/people/p1/transfers", THEIRS),
    ):
        assert [each["id"] for each in trusts.get(address, as_=login).json_body["transfers"]] == [transfer["id"]]
    under_way = trusts.get("/v1/transfers?queue=under-way", as_=OURS).json_body["transfers"]
    assert [each["id"] for each in under_way] == [transfer["id"]]


def test_nobody_moves_their_own_training(trusts):
    at_both(b.award(awarded_on=LAST_WEEK))
    for employer in ("504", "505"):
        GrantRow.of(RoleGrant("p1", employer, Role.LEARNING_ADMINISTRATOR)).save()
    own = trusts.post("/v1/people/p1/transfers?employer=504", CONSENT, as_="505-1")
    assert problem(own) == (409, "own-transfer")
    transfer = asked(trusts)
    address = f"/v1/transfers/p1/{transfer['id']}"
    assert problem(trusts.post(f"{address}/release?employer=505", as_="505-1")) == (409, "own-transfer")


def test_the_old_employer_does_not_see_what_the_new_one_made_of_it(trusts):
    at_both(b.award(awarded_on=LAST_WEEK), here=[b.award(awarded_on=TODAY)])
    transfer = asked(trusts)
    answer = act(trusts, transfer, "release").json_body
    act(trusts, transfer, "items/1/rejection", {"reason": "Failed our own check."}, as_=OURS)
    listed = trusts.get("/v1/people/p1/transfers", as_=THEIRS).json_body["transfers"]
    for theirs in (answer, seen(trusts, transfer, as_=THEIRS), *listed):
        assert [each["status"] for each in theirs["history"]] == ["initiated", "matched", "released"]
        assert (theirs["status"], theirs["reason"]) == ("released", None)
        (item,) = theirs["items"]
        assert item["title"] == "Fire Safety - 1 Year"
        assert [item[each] for each in ("state", "because", "decided_by", "reason")] == [None] * 4
    assert [each.facts["status"] for each in audited("transfer.released")] == ["released"]
    assert seen(trusts, transfer)["items"][0]["reason"] == "Failed our own check."
    (own,) = trusts.get("/v1/me/transfers?employer=505", as_="505-1").json_body["transfers"]
    assert own["items"][0]["reason"] == "Failed our own check."


# --- bad input, repetitions and races ---------------------------------------------------------------------------


def test_every_wrong_field_is_named_and_nothing_happens(trusts):
    at_both(b.award(awarded_on=LAST_WEEK))
    for changes, fields in (
        ({"from_employer": "504", "consented_on": "2026-11-24"}, {"body.from_employer", "body.consented_on"}),
        ({"from_employer": "599"}, {"body.from_employer"}),
        ({"from_employer": "5#5", "consented_on": "yesterday"}, {"body.from_employer", "body.consented_on"}),
        ({"consented_on": None}, {"body.consented_on"}),
    ):
        answer = ask(trusts, **changes)
        assert answer.status_code == 400
        assert {each["field"] for each in answer.json_body["errors"]} == fields
    assert trusts.get("/v1/people/p1/transfers", as_=OURS).json_body["transfers"] == []
    assert problem(ask(trusts, person="p99")) == (404, "not-found")
    unknown = {"automatic_release": True, "recognised_employers": ["505", "599"]}
    answer = trusts.call("PUT", "/v1/settings/transfers", body=unknown, as_=OURS)
    assert [each["field"] for each in answer.json_body["errors"]] == ["body.recognised_employers"]
    assert trusts.get("/v1/settings/transfers", as_=OURS).json_body["automatic_release"] is False


def test_an_item_that_is_none_is_not_found(trusts):
    at_both(b.award(awarded_on=LAST_WEEK), here=[b.award(awarded_on=TODAY)])
    transfer = released(trusts)
    for number in ("0", "2", "x", "01", "²", "9" * 70):
        assert problem(act(trusts, transfer, f"items/{number}/acceptance", as_=OURS)) == (404, "not-found")


def test_the_same_is_not_asked_for_twice_while_it_is_under_way(trusts):
    at_both(b.award(awarded_on=LAST_WEEK))
    asked(trusts)
    assert problem(ask(trusts)) == (409, "transfer-underway")


def test_a_repeated_request_is_answered_as_before(trusts):
    at_both(b.award(awarded_on=LAST_WEEK))
    once = {"Idempotency-Key": "ask-once"}
    first, again = ask(trusts, headers=once), ask(trusts, headers=once)
    assert first.json_body == again.json_body
    transfer = first.json_body
    assert act(trusts, transfer, "release").json_body == act(trusts, transfer, "release").json_body
    assert len(audited("transfer.released")) == 1
    assert problem(act(trusts, transfer, "refusal", {"reason": "Too late."})) == (409, "transfer-not-there")


def test_two_who_decide_at_once_decide_once(trusts):
    b.person(7, employer="505", assignments=[b.assignment("7")], role="learning_administrator")
    at_both(b.award(awarded_on=LAST_WEEK))
    transfer = asked(trusts)

    def refuse():
        assert act(trusts, transfer, "refusal", {"reason": "No."}, as_="505-7").status_code == 200

    with before_commit(refuse):
        assert problem(act(trusts, transfer, "release")) == (409, "transfer-not-there")
    assert held() == {}


def test_collisions_are_tried_again(trusts):
    at_both(b.award(awarded_on=LAST_WEEK))
    transfer = asked(trusts)
    with colliding_transactions(3):
        assert release(trusts, transfer)["status"] == "applied"


def test_what_was_made_void_here_does_not_come_back(trusts):
    at_both(b.award(awarded_on=LAST_WEEK))
    released(trusts)
    came = held()[FIRE]
    which = {"competency": FIRE, "awarded_on": str(came.awarded_on), "source": came.source}
    void = trusts.post("/v1/people/p1/awards/void", {**which, "reason": "Not done in fact."}, as_=OURS)
    assert void.status_code == 200
    again = released(trusts)
    assert again["items"][0]["because"] == "it arrived before, and was made void here"
    assert problem(act(trusts, again, "items/1/acceptance", as_=OURS)) == (409, "award-void")


# --- several employers ------------------------------------------------------------------------------------------


def record(api, competency=FIRE, awarded_on=LAST_WEEK, as_=THEIRS):
    body = {"competency": competency, "awarded_on": str(awarded_on), "note": "certificate seen"}
    answer = api.post("/v1/people/p1/awards", body, as_=as_)
    assert answer.status_code == 201, answer.json_body
    return answer.json_body


@pytest.fixture
def two(trusts, nothing_waits):
    """Sam, who works at both."""
    at_both()
    trusts.pump = Pump()
    return trusts


def test_an_award_made_at_one_employer_counts_at_the_other_and_is_told_once(two):
    record(two)
    two.pump.run()
    assert held()[FIRE].awarded_on == LAST_WEEK
    assert [(template, person) for template, person, _ in mails("multiple-employer.update")] == [
        ("multiple_employer_update", "p1"),
        ("multiple_employer_update_for_administrators", "p9"),
    ]
    assert [(each.employer, each.person) for each in told("multiple-employer.update")] == [("504", "p1")]
    text = mails("multiple-employer.update")[0][2]
    assert "You also work for Harbour Trust." in text
    assert "- Fire Safety - 1 Year, until Tuesday 16 November 2027, awarded on Monday 16 November 2026" in text
    colours = {
        each["competency"]: each["colour"]
        for each in two.get("/v1/people/p1/compliance?colours=red,green", as_=OURS).json_body["rows"]
    }
    assert colours[FIRE] == "green"
    assert len(audited("awards.passed-on")) == 1


def test_nothing_comes_back_and_a_repetition_tells_nobody(two):
    record(two)
    two.pump.run()
    Pump.run(two.pump)
    two.pump.seen = set()
    two.pump.run()
    assert len(told("multiple-employer.update")) == 1
    assert set(held("505")) == {FIRE}
    assert [each.origin for each in held("505").values()] == [Origin.ADMINISTRATOR]


def test_what_is_void_at_one_employer_is_void_at_the_other(two):
    made = record(two)
    two.pump.run()
    which = {each: made[each] for each in ("competency", "awarded_on", "source")}
    assert (
        two.post("/v1/people/p1/awards/void", {**which, "reason": "Never took place."}, as_=THEIRS).status_code == 200
    )
    two.pump.run()
    assert held() == {}
    (came,) = (row.award() for row in AwardRow.query("P#p1", AwardRow.sk.startswith("E#504#AWD#")))
    assert came.voided.by == "system:transfers"
    assert "505" in came.voided.reason
    back = [(to, text) for _, to, text in mails("multiple-employer.update") if "taken back" in text.casefold()]
    assert sorted(to for to, _ in back) == ["p1", "p9"]
    assert "Harbour Trust has taken back what it awarded." in dict(back)["p1"]


def test_whoever_has_left_is_not_written_to_and_administrators_read_what_goes_void(two):
    made = record(two)
    two.pump.run()
    sam_left("505")
    sam_left("504")
    which = {each: made[each] for each in ("competency", "awarded_on", "source")}
    two.post("/v1/people/p1/awards/void", {**which, "reason": "Never took place."}, as_=THEIRS)
    two.pump.run()
    assert held() == {}
    texts = [text for _, person, text in mails("multiple-employer.update") if person == "p9"]
    (came,) = (each for each in texts if "You need not do anything." in each)
    (void,) = (each for each in texts if "They may have to do it again." in each)
    assert "Sam Testfold1 also works for Harbour Trust" in came
    assert "Harbour Trust has taken back training of Sam Testfold1" in void
    assert "also works" not in void
    assert "need not do anything" not in void
    assert len(mails("multiple-employer.update")) == 3


def test_training_of_an_employer_not_recognised_comes_by_no_update(two):
    set_up(two, OURS, recognised=[])
    record(two)
    two.pump.run()
    assert held() == {}
    set_up(two, OURS, recognised=["505"])
    record(two, MOVING)
    two.pump.run()
    assert set(held()) == {FIRE, MOVING}


def test_more_than_one_transaction_holds_comes_in_several(two, monkeypatch):
    monkeypatch.setattr("chalicelib.domain.transfers.MOST_ITEMS", 2)
    for each in (FIRE, MOVING, PREVENT):
        AwardRow.of("p1", "505", b.award(each, awarded_on=LAST_WEEK)).save()
    transfers.pass_on("p1", "505", NOW)
    assert set(held()) == {FIRE, MOVING, PREVENT}
    assert [len(each.data["arrived"]) for each in told("multiple-employer.update")] in ([2, 1], [1, 2])
    for row in AwardRow.query("P#p1", AwardRow.sk.startswith("E#505#AWD#")):
        AwardRow.of("p1", "505", replace(row.award(), void=True)).save()
    transfers.pass_on("p1", "505", NOW)
    assert held() == {}


def test_a_correction_arrives_in_one_message(two):
    made = record(two, awarded_on=TODAY)
    two.pump.run()
    which = {each: made[each] for each in ("competency", "awarded_on", "source")}
    body = {**which, "right": {"awarded_on": str(LAST_WEEK)}, "reason": "A slip."}
    assert two.post("/v1/people/p1/awards/correction", body, as_=THEIRS).status_code in (200, 201)
    two.pump.run()
    assert held()[FIRE].awarded_on == LAST_WEEK
    assert len(told("multiple-employer.update")) == 2


def test_local_awards_stay_where_they_were_made(two):
    record(two, INDUCTION, as_=OURS)
    two.pump.run()
    assert held("505") == {}


def test_an_update_that_fails_is_tried_again_and_tells_once(two):
    record(two)
    with failing_calls("TransactWriteItems", "InternalServerError", times=1, after=True), pytest.raises(Unavailable):
        transfers.pass_on("p1", "505", NOW)
    transfers.pass_on("p1", "505", NOW)
    with colliding_transactions(2):
        transfers.pass_on("p1", "505", NOW)
    assert len(told("multiple-employer.update")) == 1


def test_two_workers_at_once_write_and_tell_once(two):
    record(two)
    with before_commit(lambda: transfers.pass_on("p1", "505", NOW)):
        transfers.pass_on("p1", "505", NOW)
    assert len(told("multiple-employer.update")) == 1


def test_who_works_for_one_employer_costs_no_message_in_the_queue(two):
    b.person(2)
    two.pump.project()
    assert not [each for each in queued() if '"pass on"' in each["body"] and '"p2"' in each["body"]]


def test_a_transfer_of_what_an_update_brought_arrives_no_second_time(two):
    record(two)
    two.pump.run()
    transfer = released(two)
    assert [each["because"] for each in transfer["items"]] == ["it arrived before"]
    assert len(list(AwardRow.query("P#p1", AwardRow.sk.startswith("E#504#AWD#")))) == 1
    assert replace(held()[FIRE], source="") == replace(held("505")[FIRE], source="", origin=Origin.TRANSFER)
