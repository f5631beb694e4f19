"""DynamoDB throttles, times out and resets connections at every call of a booking: all of it happens or nothing does.

A fault stands where botocore has tried for the last time: `before`, the call never arrived; `after`, it was carried out and only
its answer is lost.
"""

from collections import Counter
from itertools import count

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError

from chalicelib.services import recount
from chalicelib.storage.audit import AuditRow
from chalicelib.storage.enrolment import EnrolmentRow
from chalicelib.storage.outbox import EventRow
from tests import builders as b
from tests import seams

ENDPOINT = "https://dynamodb.test"
FAULTS = {
    "throttled": (False, lambda call: ClientError({"Error": {"Code": "ProvisionedThroughputExceededException"}}, call)),
    "reset": (False, lambda _: ConnectionClosedError(endpoint_url=ENDPOINT)),
    "answer lost": (True, lambda _: ReadTimeoutError(endpoint_url=ENDPOINT)),
    "failed inside": (True, lambda call: ClientError({"Error": {"Code": "InternalServerError"}}, call)),
}
MOST_CALLS = 12


class Breaking:
    """The nth call from now on fails in one of the ways; `reached` says whether there was one."""

    def __init__(self, nth, after, error):
        self._left, self._after, self._error = nth, after, error
        self.reached = False

    def __call__(self, call, operation, request):
        self._left -= 1
        if self._left != 0:
            return call(operation, request)
        self.reached = True
        if self._after:
            call(operation, request)
        raise self._error(operation)


def traces(person):
    """What one person's booking has left: enrolments, events and audit entries of it."""
    enrolments = list(EnrolmentRow.query(f"P#{person}", EnrolmentRow.sk.startswith("E#504#ENR#")))
    events = [row for row in EventRow.scan() if row.person == person and row.type.startswith("enrolment.")]
    entries = [row for row in AuditRow.scan() if row.person_pk == f"P#{person}" and row.action.startswith("enrolment.")]
    return len(enrolments), len(events), len(entries)


def no_difference():
    return list(recount.seats("504", ["504-c1"])) == []


def every_fault(attempt):
    """Let every call fail once in every way, each time with another learner, until a request no longer makes that many calls."""
    numbers = count(1)
    for name, (after, error) in FAULTS.items():
        for nth in range(1, MOST_CALLS):
            number = next(numbers)
            login = b.person(number)
            breaking = Breaking(nth, after, error)
            attempt(f"{name} at call {nth}", number, login, breaking)
            if not breaking.reached:
                break
        else:
            pytest.fail("a booking makes more calls than it should")


@pytest.fixture
def class_(api):
    b.trust()
    b.offered(b.class_(maximum=100))
    return api


def book(api, login, **headers):
    return api.post("/v1/me/enrolments", {"class_id": "504-c1"}, as_=login, headers=headers)


def test_a_booking_happens_whole_or_not_at_all_and_a_repetition_with_its_key_finishes_it_once(class_):
    outcomes = Counter()

    def attempt(where, number, login, breaking):
        with seams.intercepted(breaking):
            first = book(class_, login, **{"Idempotency-Key": f"once-{number}"})
        assert first.status_code in (201, 503), where
        left = traces(f"p{number}")
        assert left in {(0, 0, 0), (1, 1, 1)}, where
        assert no_difference(), where
        again = book(class_, login, **{"Idempotency-Key": f"once-{number}"})
        assert (again.status_code, again.json_body["status"]) == (201, "confirmed"), where
        assert traces(f"p{number}") == (1, 1, 1), where
        assert no_difference(), where
        outcomes[first.status_code, left] += 1

    every_fault(attempt)
    # A booking whose answer was lost is found again by its key within the same request.
    assert set(outcomes) == {(201, (1, 1, 1)), (503, (0, 0, 0))}


def test_without_a_key_whoever_repeats_is_told_that_they_are_on_the_class_already(class_):
    def attempt(where, number, login, breaking):
        with seams.intercepted(breaking):
            book(class_, login)
        done = traces(f"p{number}") == (1, 1, 1)
        again = book(class_, login)
        assert again.status_code == (409 if done else 201), where
        assert traces(f"p{number}") == (1, 1, 1), where
        assert no_difference(), where

    every_fault(attempt)


def test_a_withdrawal_happens_whole_or_not_at_all_and_may_be_repeated(class_):
    def attempt(where, number, login, breaking):
        book(class_, login)
        with seams.intercepted(breaking):
            first = class_.post("/v1/me/enrolments/504-c1~1/withdrawal", as_=login)
        assert first.status_code in (200, 503), where
        done = traces(f"p{number}") == (1, 2, 2)
        assert done or traces(f"p{number}") == (1, 1, 1), where
        assert no_difference(), where
        again = class_.post("/v1/me/enrolments/504-c1~1/withdrawal", as_=login)
        assert again.status_code == (409 if done else 200), where
        assert traces(f"p{number}") == (1, 2, 2), where
        assert no_difference(), where

    every_fault(attempt)
