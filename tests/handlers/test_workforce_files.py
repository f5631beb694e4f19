"""Workforce files over HTTP: sent to the address offered, followed while they run, asked about row by row; only one's own."""

import csv
import io
from datetime import timedelta

import boto3
import pytest
import requests

from chalicelib.config import setting
from chalicelib.services import workforce_file
from chalicelib.storage import files
from tests import builders as b
from tests.services.test_workforce_file import csv_of, joiner, told


@pytest.fixture
def feed(api, monkeypatch):
    """A workforce feed (1) and an employee (2) of 504, and a feed of another employer (3)."""
    monkeypatch.setattr(workforce_file, "THREADS", 1)
    b.trust()
    b.person(1, role="workforce_feed")
    b.person(2)
    b.person(3, employer="505")
    b.grant("p3", "workforce_feed", "505")
    return api


def sent(api, *rows, name="people.csv"):
    """A file sent to an address that was offered, and noticed; its job."""
    offer = api.post("/v1/workforce/files", {"name": name}, as_="504-1").json_body
    assert requests.put(offer["upload_to"], data=csv_of(*rows)).status_code == 200
    return workforce_file.begin(files.dropped(told(offer["key"], None)), b.NOW)


def work(job_id, remaining_ms=3_600_000):
    workforce_file.go_on("504", job_id, lambda: remaining_ms, b.NOW)


def rows_of(api, job_id, **query):
    found, cursor = [], None
    while True:
        asked = {**query, **({"cursor": cursor} if cursor else {})}
        path = f"/v1/workforce/files/{job_id}/rows?" + "&".join(f"{name}={value}" for name, value in asked.items())
        page = api.get(path, as_="504-1").json_body
        found, cursor = found + page["rows"], page["next_cursor"]
        if cursor is None:
            return found


def test_a_file_is_sent_followed_and_its_bad_rows_come_back_by_row(feed):
    job_id = sent(feed, joiner(1), joiner(2, unit="moon"), joiner(3))
    waiting = feed.get(f"/v1/workforce/files/{job_id}", as_="504-1").json_body
    assert (waiting["phase"], waiting["rows_total"], waiting["percent"]) == ("checking", None, 0)
    work(job_id, 0)
    checked = feed.get(f"/v1/workforce/files/{job_id}", as_="504-1").json_body
    assert (checked["phase"], checked["rows_total"], checked["rows_found_wrong"], checked["rows_applied"]) == (
        *("applying", 3),
        *(1, 0),
    )
    work(job_id)
    done = feed.get(f"/v1/workforce/files/{job_id}", as_="504-1").json_body
    assert (done["phase"], done["accepted"], done["unchanged"], done["refused"]) == ("done", 2, 0, 1)
    assert (done["percent"], done["problem"]) == (100, None)
    assert rows_of(feed, job_id, state="refused") == [
        {
            "row": 3,
            "message_id": f"{job_id}:3",
            "employee_number": "30000002",
            "state": "refused",
            "errors": [{"column": "unit", "reason": "is not known at this employer"}],
            "warnings": [],
        }
    ]


def test_rows_page_over_slices_while_they_are_applied(feed, monkeypatch):
    monkeypatch.setattr(workforce_file, "SLICE", 3)
    job_id = sent(feed, *map(joiner, range(10, 18)))
    work(job_id, 0)
    work(job_id, 0)
    assert [each["row"] for each in rows_of(feed, job_id)] == [2, 3, 4]
    work(job_id)
    assert [each["row"] for each in rows_of(feed, job_id, limit=2)] == list(range(2, 10))
    monkeypatch.setattr(workforce_file, "SLICES_A_PAGE", 1)
    assert [each["row"] for each in rows_of(feed, job_id, state="accepted", limit=2)] == list(range(2, 10))
    assert rows_of(feed, job_id, state="refused") == []


def test_the_report_is_fetched_from_an_address_once_the_file_is_done(feed):
    job_id = sent(feed, joiner(1), joiner(2, unit="moon", sequence="x"))
    path = f"/v1/workforce/files/{job_id}/report"
    assert feed.get(path, as_="504-1").status_code == 404
    work(job_id)
    fetched = requests.get(feed.get(path, as_="504-1").json_body["address"])
    assert fetched.headers["Content-Type"].startswith("text/csv")
    lines = [tuple(row.values()) for row in csv.DictReader(io.StringIO(fetched.text, newline=""))]
    assert lines == [
        ("2", f"{job_id}:2", "30000001", "accepted", "", ""),
        ("3", f"{job_id}:3", "30000002", "refused", "sequence", "is not a whole number"),
    ]


def test_files_are_listed_newest_first_and_page(feed):
    from chalicelib.domain.jobs import JobKind
    from chalicelib.services import jobs
    from chalicelib.storage.transaction import Transaction

    transaction = Transaction()
    jobs.start(transaction, "504", JobKind.RULES, "p1", ("ward-9",), {}, b.NOW)
    transaction.commit()
    begun = sorted(sent(feed, joiner(number)) for number in (1, 2, 3))
    first = feed.get("/v1/workforce/files?limit=2", as_="504-1").json_body
    second = feed.get(f"/v1/workforce/files?limit=2&cursor={first['next_cursor']}", as_="504-1").json_body
    assert [each["job_id"] for each in first["files"] + second["files"]] == begun[::-1]


def test_a_file_refused_whole_says_why_and_what_to_do(feed):
    offer = feed.post("/v1/workforce/files", {"name": "people.csv"}, as_="504-1").json_body
    requests.put(offer["upload_to"], data="Sam,Testfold\n".encode("utf-16"))
    job_id = workforce_file.begin(files.dropped(told(offer["key"], None)), b.NOW)
    work(job_id)
    told_why = feed.get(f"/v1/workforce/files/{job_id}", as_="504-1").json_body
    assert (told_why["phase"], told_why["file"]) == ("refused", offer["key"])
    assert "UTF-16" in told_why["problem"]["sentence"]
    assert "CSV UTF-8" in told_why["problem"]["way_out"]


def test_a_file_that_stands_still_for_an_hour_is_stalled_and_says_what_to_do(feed, clock):
    job_id = sent(feed, joiner(1), joiner(2))
    work(job_id, 0)
    path = f"/v1/workforce/files/{job_id}"
    assert feed.get(path, as_="504-1").json_body["phase"] == "applying"
    clock.now = b.NOW + timedelta(hours=1)
    shown = feed.get(path, as_="504-1").json_body
    assert (shown["phase"], shown["rows_total"], shown["finished_at"]) == ("stalled", 2, None)
    assert "Drop it again" in shown["problem"]["way_out"]
    assert feed.get("/v1/workforce/files", as_="504-1").json_body["files"] == [shown]
    work(job_id)
    done = feed.get(path, as_="504-1").json_body
    assert (done["phase"], done["problem"]) == ("done", None)


def test_results_removed_before_their_time_are_not_found_and_no_fault(feed):
    job_id = sent(feed, joiner(1))
    work(job_id)
    boto3.resource("s3").Bucket(setting("FILES_BUCKET")).objects.delete()
    assert feed.get(f"/v1/workforce/files/{job_id}/rows", as_="504-1").status_code == 404


def test_there_is_no_report_of_a_file_that_was_refused(feed):
    job_id = sent(feed, joiner(1) | {"unit": "x" * 300_000})
    work(job_id)
    answer = feed.get(f"/v1/workforce/files/{job_id}/report", as_="504-1")
    assert (answer.status_code, answer.json_body["way_out"]) == (404, "The file's problem says why, and what to do.")


@pytest.mark.parametrize("route", ["", "/rows", "/report"])
def test_another_employers_file_is_not_found_and_an_employee_may_not_ask(feed, route):
    job_id = sent(feed, joiner(1))
    work(job_id)
    path = f"/v1/workforce/files/{job_id}{route}"
    assert [feed.get(path, as_=login).status_code for login in ("504-1", "505-3", "504-2")] == [200, 404, 403]
    assert feed.get("/v1/workforce/files", as_="505-3").json_body["files"] == []


def test_a_job_of_another_kind_is_no_file(feed):
    from chalicelib.domain.jobs import JobKind
    from chalicelib.services import jobs
    from chalicelib.storage.transaction import Transaction

    transaction = Transaction()
    other = jobs.start(transaction, "504", JobKind.RULES, "p1", ("ward-9",), {}, b.NOW).id
    transaction.commit()
    assert feed.get(f"/v1/workforce/files/{other}", as_="504-1").status_code == 404


@pytest.mark.parametrize(
    "name", ["people.txt", "../505/people.csv", ".csv", "a b.csv", "x" * 61 + ".csv", "a.csv\n", ""]
)
def test_a_name_that_is_none_is_refused_by_field(feed, name):
    answer = feed.post("/v1/workforce/files", {"name": name}, as_="504-1")
    assert (answer.status_code, answer.json_body["errors"][0]["field"]) == (400, "body.name")


def test_a_cursor_of_another_file_or_state_is_refused(feed, monkeypatch):
    job_id = sent(feed, joiner(1), joiner(2))
    work(job_id)
    cursor = feed.get(f"/v1/workforce/files/{job_id}/rows?limit=1", as_="504-1").json_body["next_cursor"]
    assert feed.get(f"/v1/workforce/files/{job_id}/rows?limit=1&cursor={cursor}", as_="504-1").status_code == 200
    assert feed.get(f"/v1/workforce/files/{job_id}/rows?state=refused&cursor={cursor}", as_="504-1").status_code == 400


def test_results_that_cannot_be_reached_are_an_outage_and_no_fault(feed, monkeypatch):
    from botocore.exceptions import EndpointConnectionError

    job_id = sent(feed, joiner(1))
    work(job_id)

    def unreachable(**_):
        raise EndpointConnectionError(endpoint_url=setting("FILES_BUCKET"))

    monkeypatch.setattr(files._s3(), "get_object", unreachable)
    assert feed.get(f"/v1/workforce/files/{job_id}/rows", as_="504-1").status_code == 503


def test_results_are_kept_for_ninety_days_and_the_counts_longer(feed, clock):
    job_id = sent(feed, joiner(1))
    work(job_id)
    path = f"/v1/workforce/files/{job_id}"
    clock.now = b.NOW + timedelta(days=89)
    assert [feed.get(path + each, as_="504-1").status_code for each in ("", "/rows", "/report")] == [200, 200, 200]
    clock.now = b.NOW + timedelta(days=90)
    assert [feed.get(path + each, as_="504-1").status_code for each in ("", "/rows", "/report")] == [200, 404, 404]


def test_names_of_files_and_people_stay_out_of_the_log(feed, logged):
    job_id = sent(feed, joiner(1), joiner(2, last_name="=Testfold"), name="Sam-Testfold.csv")
    work(job_id)
    rows_of(feed, job_id)
    assert "Testfold" not in logged()
