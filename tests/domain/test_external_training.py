"""External training: who may take which step from which state, and what may be said in it."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from chalicelib.domain import errors
from chalicelib.domain import external_training as x
from chalicelib.domain.external_training import Claim, Evidence, Found, Party, Status, Step
from chalicelib.domain.learner import Learner
from tests import builders as b
from tests.builders import FIRE, MOVING, NOW, TODAY

COMPLETED = date(2026, 11, 2)
TRAINING = x.Training("Fire Safety", "Elsewhere", COMPLETED, (Claim(FIRE),))
LEARNER, APPROVER, ADMINISTRATOR = ({each} for each in Party)
PDF = b"%PDF-1.7\n..."


def request(status=Status.SUBMITTED, **changes):
    history = (x.HistoryRow(Status.DRAFT, NOW - timedelta(days=1), "p1"),)
    given = {"assignment": "1", "approver": "p3"}
    made = x.ExternalTraining("01JD", "p1", "504", TRAINING, Status.DRAFT, history, **(given | changes))
    return made if status is Status.DRAFT else made.moved_to(status, NOW, "p1")


def colleague(supervisor="p3", **changes) -> Learner:
    return b.learner(assignments=(b.assignment(supervisor=supervisor, **changes),))


# --- the states -------------------------------------------------------------------------------------------------

ALLOWED = """
    draft      submit    learner        -> submitted
    draft      withdraw  learner        -> withdrawn
    submitted  approve   approver       -> approved
    submitted  approve   administrator  -> approved
    submitted  reject    approver       -> rejected
    submitted  reject    administrator  -> rejected
    submitted  withdraw  learner        -> withdrawn
    approved   verify    administrator  -> verified
    approved   reject    administrator  -> rejected
    approved   withdraw  learner        -> withdrawn
"""


def outcome(status, step, party):
    try:
        return x.move(request(status), step, frozenset({party}), "somebody", NOW, "because").status
    except errors.Refusal as refusal:
        return type(refusal) if refusal.detail and refusal.way_out else "a refusal that explains nothing"


def test_every_step_from_every_state_by_everybody():
    rows = (line.replace("->", "").split() for line in ALLOWED.strip().splitlines())
    allowed = {(Status(start), Step(step), Party(who)): Status(end) for start, step, who, end in rows}
    for status in Status:
        for step in Step:
            for party in Party:
                found = outcome(status, step, party)
                if expected := allowed.get((status, step, party)):
                    assert found is expected
                else:
                    assert found in (
                        errors.OwnExternalTraining,
                        errors.ExternalTrainingNotThere,
                        errors.NotPermitted,
                    ), (status, step, party)


def test_what_is_ones_own_is_for_others_to_decide_whatever_its_state():
    for step in (Step.APPROVE, Step.REJECT, Step.VERIFY):
        assert {outcome(status, step, Party.LEARNER) for status in Status} == {errors.OwnExternalTraining}


def test_what_is_over_stays_as_it_is():
    over = (Status.VERIFIED, Status.REJECTED, Status.WITHDRAWN)
    found = {outcome(status, step, Party.ADMINISTRATOR) for status in over for step in Step}
    assert found == {errors.ExternalTrainingNotThere}


def test_a_manager_does_not_undo_what_was_approved():
    assert outcome(Status.APPROVED, Step.REJECT, Party.APPROVER) is errors.NotPermitted


def test_every_step_leaves_a_row_with_who_when_and_why_and_a_higher_revision():
    before = request()
    after = x.move(before, Step.REJECT, frozenset(APPROVER), "p3", NOW, "Nothing shows it.")
    assert after.history[-1] == x.HistoryRow(Status.REJECTED, NOW, "p3", "Nothing shows it.")
    assert (after.reason, after.revision) == ("Nothing shows it.", before.revision + 1)
    assert (after.reached(Status.REJECTED, "p3"), after.reached(Status.REJECTED, "p9")) == (True, False)


# --- who is who -------------------------------------------------------------------------------------------------


def test_the_approver_is_who_was_asked_and_whoever_supervises_that_assignment_now():
    moved = colleague(supervisor="p4")
    assert x.parties(request(), "p3", moved, False, TODAY) == APPROVER
    assert x.parties(request(), "p4", moved, False, TODAY) == APPROVER
    assert x.parties(request(), "p5", moved, False, TODAY) == set()


def test_the_supervisor_of_another_assignment_is_not_the_approver():
    two = b.learner(assignments=(b.assignment(supervisor="p3"), b.assignment("2", supervisor="p4", primary=False)))
    assert x.parties(request(), "p4", two, False, TODAY) == set()


def test_an_administrator_is_the_learner_of_their_own_and_nothing_else():
    assert x.parties(request(approver="p1"), "p1", colleague(supervisor="p1"), True, TODAY) == LEARNER


def test_a_draft_is_nobody_elses_business():
    assert x.parties(request(Status.DRAFT), "p3", colleague(), True, TODAY) == set()


def test_a_manager_who_administers_is_both():
    assert x.parties(request(), "p3", colleague(), True, TODAY) == APPROVER | ADMINISTRATOR


def test_adding_for_somebody_is_approving_it_and_never_for_oneself():
    added = x.added_for("01JD", b.learner(), TRAINING, "1", "p3", NOW)
    assert (added.status, added.approver, added.reached(Status.APPROVED, "p3")) == (Status.APPROVED, "p3", True)
    with pytest.raises(errors.OwnExternalTraining) as refused:
        x.added_for("01JD", b.learner(), TRAINING, "1", "p1", NOW)
    assert "/v1/me/external-training" in refused.value.way_out


# --- what may be said -------------------------------------------------------------------------------------------


def wrong(assignment=None, **changes):
    known = b.rulebook().competencies
    said = x.wrong_fields(replace(TRAINING, **changes), assignment, [b.assignment("1")], known, TODAY)
    return [each.field for each in said]


def test_what_cannot_be_is_named_field_by_field():
    assert wrong() == []
    assert wrong("1") == []
    assert wrong("2") == ["assignment"]
    assert wrong(completed_on=TODAY) == []
    assert wrong(completed_on=TODAY + timedelta(days=1)) == ["completed_on"]
    assert wrong(completed_on=date(1066, 10, 14)) == ["completed_on"]
    assert wrong(claims=(Claim(FIRE), Claim(MOVING))) == []
    assert wrong(claims=(Claim(FIRE), Claim(FIRE))) == ["claims[1].competency"]
    assert wrong(claims=(Claim("NHS|CSTF|Unknown - 1 Year|"), Claim(FIRE, 2))) == [
        "claims[0].competency",
        "claims[1].level",
    ]


# --- evidence ---------------------------------------------------------------------------------------------------


def test_a_file_is_what_its_content_says():
    pdf = Evidence(1, "application/pdf", len(PDF))
    there = Found(len(PDF), "application/pdf", "v1", PDF[:8])
    table = [
        (there, None),
        (None, "was not sent"),
        (replace(there, beginning=b"<html>"), "is no PDF, PNG or JPEG file"),
        (replace(there, beginning=b""), "is no PDF, PNG or JPEG file"),
        (replace(there, beginning=b"\x89PNG\r\n\x1a\n"), "is not application/pdf, as was declared"),
        (replace(there, content_type="text/html"), "is not application/pdf, as was declared"),
        (replace(there, size=1), "is not of the size that was declared"),
        (replace(there, size=x.MOST_BYTES + 1), f"is larger than {x.MOST_BYTES} bytes"),
    ]
    for found, reason in table:
        assert x.what_is_wrong(pdf, found) == reason
    png = Evidence(2, "image/png", 20)
    assert x.what_is_wrong(png, Found(20, "image/png", "v", b"\x89PNG\r\n\x1a\n")) is None
    jpeg = Evidence(3, "image/jpeg", 20)
    assert x.what_is_wrong(jpeg, Found(20, "image/jpeg", "v", b"\xff\xd8\xff\xe0....")) is None


def test_every_file_that_will_not_do_is_named_and_none_is_taken_for_checked():
    files = (Evidence(1, "application/pdf", 12), Evidence(2, "application/pdf", 12), Evidence(3, "image/png", 12))
    good = Found(12, "application/pdf", "v1", PDF[:8])
    with pytest.raises(errors.EvidenceRefused) as refused:
        x.checked(request(Status.DRAFT, evidence=files), {1: good, 2: None, 3: good})
    assert [each["number"] for each in refused.value.facts["files"]] == [2, 3]
    taken = x.checked(request(Status.DRAFT, evidence=files[:1]), {1: good})
    assert (taken.evidence[0].checked, taken.evidence[0].version) == (True, "v1")


def test_there_are_five_files_at_most_and_one_may_take_the_place_of_another():
    full = request(Status.DRAFT)
    for _ in range(5):
        full = x.offered(full, "image/png", 10, None)
    assert [each.number for each in full.evidence] == [1, 2, 3, 4, 5]
    with pytest.raises(errors.TooMuchEvidence):
        x.offered(full, "image/png", 10, None)
    replaced = x.offered(full, "application/pdf", 20, 2)
    assert [each.content_type for each in replaced.evidence].index("application/pdf") == 1
    with pytest.raises(errors.Invalid):
        x.offered(request(Status.DRAFT), "image/png", 10, 1)


def test_evidence_is_sent_before_submitting():
    for status in set(Status) - {Status.DRAFT}:
        with pytest.raises(errors.ExternalTrainingNotThere):
            x.offered(request(status), "image/png", 10, None)
