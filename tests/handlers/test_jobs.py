"""Long work over HTTP: what runs, how far it is, and counting everything again."""

from datetime import timedelta

import pytest

from chalicelib.domain.jobs import JobKind
from chalicelib.services import jobs, projection
from chalicelib.storage.transaction import Transaction
from tests import builders as b
from tests.builders import NOW, SYSTEM
from tests.pump import Pump


@pytest.fixture
def administrator(api, nothing_waits):
    b.trust()
    return b.person(role="learning_administrator")


def start(employer="504", job_id=None):
    transaction = Transaction()
    jobs.start(transaction, employer, JobKind.RULES, SYSTEM, ["a", "b", "c"], {"reach": [["ORG", "504"]]}, NOW, job_id)
    transaction.commit()


def test_a_reconciliation_is_started_followed_and_finds_nothing(api, administrator):
    projection.project("p1", "504", NOW)
    pump = Pump()
    answer = api.post("/v1/jobs/reconciliation", as_=administrator)
    assert answer.status_code == 201
    job_id = answer.json_body["job_id"]
    assert (answer.json_body["state"], answer.json_body["percent"]) == ("running", 0)
    pump.run()
    shown = api.get(f"/v1/jobs/{job_id}", as_=administrator).json_body
    assert (shown["state"], shown["percent"], shown["differences"], shown["first_differences"]) == ("done", 100, 0, [])
    assert (shown["kind"], shown["started_by"]) == ("reconciliation", "p1")


def test_a_reconciliation_asked_for_twice_with_one_key_is_started_once(api, administrator):
    headers = {"Idempotency-Key": "sunday"}
    answers = [api.post("/v1/jobs/reconciliation", as_=administrator, headers=headers).json_body for _ in range(2)]
    assert answers[0]["job_id"] == answers[1]["job_id"]
    assert len(api.get("/v1/jobs", as_=administrator).json_body["jobs"]) == len(jobs.page("504", 100, None)[0])


def test_jobs_are_listed_newest_first_in_pages(api, administrator):
    for number in range(5):
        start(job_id=f"09JD{number}")  # sorts after what setting up the trust started
    first = api.get("/v1/jobs?limit=3", as_=administrator).json_body
    second = api.get(f"/v1/jobs?limit=2&cursor={first['next_cursor']}", as_=administrator).json_body
    found = [each["job_id"] for page in (first, second) for each in page["jobs"]]
    assert found == [f"09JD{number}" for number in (4, 3, 2, 1, 0)]


def test_how_far_a_job_is(api, administrator):
    start(job_id="09JD1")
    jobs.finish_part(jobs.job("504", "09JD1"), "a", {}, NOW)
    shown = api.get("/v1/jobs/09JD1", as_=administrator).json_body
    assert (shown["done"], shown["total"], shown["percent"], shown["state"]) == (1, 3, 33, "running")
    assert (shown["started_at"], shown["finished_at"]) == ("2026-11-23T10:00:00Z", None)
    assert (shown["facts"], shown["differences"]) == ({"reach": [["ORG", "504"]]}, None)


def test_a_file_is_listed_without_its_slices(api, administrator):
    file = {"key": "504/people.csv", "version": None, "etag": "x", "size": 1, "at": "2026-11-23T10:00:00Z"}
    transaction = Transaction()
    facts = {"file": file, "slices": [3] * 2000, "accepted": 5}
    jobs.start(transaction, "504", JobKind.FILE, SYSTEM, [], facts, NOW, "09JD1")
    transaction.commit()
    kept = {"file": file, "accepted": 5}
    assert api.get("/v1/jobs/09JD1", as_=administrator).json_body["facts"] == kept
    assert api.get("/v1/jobs?limit=1", as_=administrator).json_body["jobs"][0]["facts"] == kept


def test_a_job_of_which_nothing_was_done_for_an_hour_is_stalled(api, administrator, clock):
    start(job_id="09JD1")
    clock.now = NOW + timedelta(hours=1)
    shown = api.get("/v1/jobs/09JD1", as_=administrator).json_body
    assert (shown["state"], shown["percent"], shown["finished_at"]) == ("stalled", 0, None)
    assert api.get("/v1/jobs?limit=1", as_=administrator).json_body["jobs"] == [shown]
    for part in ("a", "b", "c"):
        jobs.finish_part(jobs.job("504", "09JD1"), part, {}, NOW)
    assert api.get("/v1/jobs/09JD1", as_=administrator).json_body["state"] == "done"


def test_another_employers_job_is_not_found(api, administrator):
    start("505", "09JD1")
    assert api.get("/v1/jobs/09JD1", as_=administrator).status_code == 404


def test_an_employee_may_neither_follow_nor_start(api, administrator):
    employee = b.person(2)
    assert api.get("/v1/jobs", as_=employee).status_code == 403
    assert api.post("/v1/jobs/reconciliation", as_=employee).status_code == 403


def test_a_cursor_of_another_list_is_refused(api, administrator):
    assert api.get("/v1/jobs?cursor=abc", as_=administrator).status_code == 400
