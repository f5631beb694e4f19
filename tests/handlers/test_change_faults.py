"""DynamoDB throttles, times out and resets connections at every call of whatever changes an enrolment: of each person all of it
happens or nothing does, and a repetition, or the queue's next delivery, finishes it once.
"""

import json
from datetime import date, timedelta

import pytest

from chalicelib.domain.external_training import Claim, Training
from chalicelib.handlers import work
from chalicelib.services import external_training, timers
from chalicelib.storage import rules
from tests import builders as b
from tests import busy_class as busy
from tests import seams, snapshots
from tests.builders import NOW
from tests.busy_class import ADMINISTRATOR, ASKING, INSTRUCTOR, LATE, MANAGER, START
from tests.handlers.test_enrolment_faults import FAULTS, Breaking
from tests.pump import plenty
from tests.traces import Traces

WRITES = frozenset({"TransactWriteItems", "BatchWriteItem", "PutItem", "UpdateItem", "DeleteItem"})
ENROLMENT = "/v1/people/p{}/enrolments/504-c1~1"
WEEK = timedelta(days=7)


# --- how it stands before -----------------------------------------------------------------------------------------


def two_ask():
    """5 and 6 have asked, for the last two seats."""
    busy.trust(3)
    b.person(6, assignments=[b.assignment("6", "estates", supervisor=f"p{MANAGER}")])
    busy.joined(1, ASKING, 6)


def about_to_start():
    """One waits. What there was to do ahead of the class is done: what rings next is its start alone."""
    busy.trust(1)
    busy.joined(1, 2)
    rung(START - LATE)


def reminded():
    """Whoever was asked was reminded in time, as those on the class were: what rings next is the escalation alone."""
    busy.one_seat_left()
    rung(NOW + timedelta(days=3) + LATE)
    rung(NOW + WEEK)


def rung(now):
    assert timers.ring("504", now, lambda: True)


def trained_elsewhere():
    """A manager has added what 1 did elsewhere; it is still to be verified."""
    busy.one_seat_left()
    training = Training("Fire Warden Day", "County Fire Service", date(2026, 11, 2), (Claim(b.FIRE, 1),))
    return external_training.add_for(busy.actor(MANAGER), "p1", training, None, NOW).request.id


# --- what is done -------------------------------------------------------------------------------------------------


def asked(by, path, body, at=NOW, **headers):
    """A request over HTTP, and when: an attempt of it says whether it was carried out, and answers 503 if not."""

    def attempt(api, clock, _, made):
        clock.now = at
        answer = api.post(path.format(made), body, as_=f"504-{by}", headers=headers)
        assert answer.status_code in (200, 201, 503), answer.json_body
        return answer.status_code != 503

    return attempt


def delivered(message, at=NOW):
    """A message of the queue to the worker, and when."""

    def attempt(_api, _clock, monkeypatch, _made):
        monkeypatch.setattr(work, "now", lambda: at)
        failed = work.do_work({"Records": [{"messageId": "1", "body": json.dumps(message)}]}, plenty)
        return failed == {"batchItemFailures": []}

    return attempt


LIST = {"people": [{"person_id": f"p{number}"} for number in (2, 3, 4)]}
DECISIONS = {
    "decisions": [
        {"person_id": "p5", "enrolment_id": "504-c1~1", "decision": "approve"},
        {"person_id": "p6", "enrolment_id": "504-c1~1", "decision": "reject", "reason": "Not now."},
    ]
}
REGISTER = {"marks": [{"person_id": "p1", "outcome": "completed"}], "rest": "did not attend"}
CORRECTION = {"outcome": "did not attend", "reason": "Wrong line."}
TIMERS, PROJECT_2 = {"kind": "timers", "employer": "504"}, {"kind": "project", "employer": "504", "person": "p2"}
ASKED_FOR = ENROLMENT.format(ASKING)
CHANGES = {
    "an approval": (busy.one_seat_left, asked(MANAGER, f"{ASKED_FOR}/approval", {})),
    "a rejection": (busy.one_seat_left, asked(MANAGER, f"{ASKED_FOR}/rejection", {"reason": "Not now."})),
    "several decisions": (two_ask, asked(MANAGER, "/v1/approvals/decisions", DECISIONS)),
    "a manager's placing": (
        busy.one_seat_left,
        asked(MANAGER, "/v1/people/p2/enrolments", {"class_id": "504-c1"}, **{"Idempotency-Key": "placing-two"}),
    ),
    "a list of people placed": (busy.one_seat_left, asked(ADMINISTRATOR, "/v1/classes/504-c1/enrolments", LIST)),
    "a place taken away": (busy.full, asked(ADMINISTRATOR, f"{ENROLMENT.format(1)}/cancellation", {"reason": "Ill."})),
    "a turn taken out of turn": (busy.freed, asked(ADMINISTRATOR, f"{ENROLMENT.format(3)}/promotion", {"reason": "."})),
    "a register": (busy.held, asked(INSTRUCTOR, "/v1/classes/504-c1/attendance", REGISTER, START)),
    "a correction": (busy.marked, asked(ADMINISTRATOR, f"{ENROLMENT.format(1)}/correction", CORRECTION, START)),
    "a promotion": (busy.freed, delivered({"kind": "promote", "class": "504-c1"})),
    "an escalation": (reminded, delivered(TIMERS, NOW + WEEK + LATE)),
    "the start of a class": (about_to_start, delivered(TIMERS, START + LATE)),
    "a mover judged": (busy.moving, delivered(PROJECT_2)),
    "a list ranked": (busy.freed_by_need, delivered(PROJECT_2)),
    "a verification": (
        trained_elsewhere,
        asked(ADMINISTRATOR, "/v1/external-training/p1/{}/verification", {"awards": [{"competency": b.FIRE}]}),
    ),
}


class Change:
    """A change as it may be tried again and again on the same records."""

    def __init__(self, before, attempt, *tools):
        self._before, self._attempt, self._tools = before, attempt, tools

    def begin(self):
        self._made = snapshots.begin(self._before, self._before)

    def attempt(self):
        return self._attempt(*self._tools, self._made)


@pytest.mark.parametrize("name", CHANGES)
def test_it_happens_whole_or_not_at_all_and_a_repetition_finishes_it_once(api, clock, monkeypatch, name):
    change = Change(*CHANGES[name], api, clock, monkeypatch)
    change.begin()
    rules.forget()
    before = Traces().found
    assert change.attempt()
    change.begin()
    calls = []
    with seams.intercepted(noted(calls)):
        assert change.attempt()
    after = checked()
    change.begin()
    for nth, operation in enumerate(calls, 1):
        for fault, (carried_out, error) in several(operation, nth):
            where = f"{fault} at call {nth}, {operation}"
            breaking, written = Breaking(nth, carried_out, error), []
            with seams.intercepted(noted(written)), seams.intercepted(breaking):
                done = change.attempt()
            assert breaking.reached, where
            if not WRITES.intersection(written):
                assert not done, where
                continue  # on the same records: nothing has come through
            left = checked()
            for whose in after:
                if whose.startswith("p"):
                    assert left[whose] in (before[whose], after[whose]), (where, whose)
            assert not done or left == after, where
            assert change.attempt() or change.attempt(), where
            assert checked() == after, where
            change.begin()


def several(operation, nth):
    """The ways in which a call fails: a write in each of them, reads in turn, since no reading leaves anything behind."""
    faults = list(FAULTS.items())
    return faults if operation in WRITES else [faults[nth % len(faults)]]


def noted(calls):
    """Writes down the operations as they come through."""

    def intercept(call, operation, request):
        calls.append(operation)
        return call(operation, request)

    return intercept


def checked():
    """What is left behind, if it keeps every rule."""
    left = Traces()
    left.check()
    return left.found
