"""Workforce files: checked whole, applied slice by slice whatever dies on the way, and reported row by row."""

import csv
import io
import json
import tracemalloc
from datetime import date, timedelta
from urllib.parse import quote_plus

import boto3
import msgspec
import pytest

from chalicelib.config import setting
from chalicelib.domain.actor import Actor
from chalicelib.domain.errors import Unavailable
from chalicelib.domain.events import EventType
from chalicelib.domain.jobs import JobState
from chalicelib.domain.workforce_file import COLUMNS
from chalicelib.services import jobs, workforce, workforce_file
from chalicelib.services.workforce_file import Phase, Progress, begin, go_on
from chalicelib.storage import files, people
from chalicelib.storage import learner as learners
from chalicelib.storage.base import Message
from chalicelib.storage.outbox import EventRow
from tests import builders as b
from tests import seams
from tests.builders import NOW


def an_hour():
    return 3_600_000


@pytest.fixture(autouse=True)
def trust(aws, monkeypatch):
    """Employer 504, and rows applied one after the other: moto tears transactions of several threads."""
    monkeypatch.setattr(workforce_file, "THREADS", 1)
    b.trust()


@pytest.fixture
def small_slices(monkeypatch):
    monkeypatch.setattr(workforce_file, "SLICE", 3)
    monkeypatch.setattr(workforce_file, "CHECKED_AT_ONCE", 3)


def joiner(number, **changes):
    row = {
        "sequence": "1",
        "employee_number": f"3{number:07d}",
        "first_name": "Sam",
        "last_name": f"Testfold{number}",
        "employment": "employee",
        "employed_from": "2026-01-01",
        "assignment": f"3{number:07d}",
        "from": "2026-01-01",
        "unit": "ward-9",
        "position": "nurse-9",
        "job": "nurse",
        "staff_group": "nursing",
    }
    return row | changes


def csv_of(*rows):
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def put(content, key="504/people.csv"):
    return boto3.client("s3").put_object(Bucket=setting("WORKFORCE_BUCKET"), Key=key, Body=content)


def told(key, version, bucket=None):
    """The record of an S3 notification."""
    where = {"name": bucket or setting("WORKFORCE_BUCKET")}
    return {"s3": {"bucket": where, "object": {"key": quote_plus(key), "versionId": version}}}


def drop(*rows, key="504/people.csv"):
    """A file dropped into the bucket and begun; the id of its job."""
    content = csv_of(*rows) if isinstance(rows[0], dict) else rows[0]
    return begin(files.dropped(told(key, put(content, key)["VersionId"])), NOW)


def job(job_id):
    return jobs.job("504", job_id)


def progress(job_id):
    return Progress.of(job(job_id))


def counts(job_id):
    now = progress(job_id)
    return now.accepted, now.unchanged, now.refused


def finish(job_id, remaining_ms=an_hour):
    go_on("504", job_id, remaining_ms, NOW)
    assert job(job_id).state is not JobState.RUNNING


def states(job_id):
    found = progress(job_id)
    numbers = range(len(found.slices))
    return {each.row: each for number in numbers for each in workforce_file._slice(job(job_id), found, number)}


def report(job_id):
    content = files.kept(workforce_file._report_key(job(job_id))).decode()
    return list(csv.DictReader(io.StringIO(content, newline="")))


def registered(number):
    return people.with_number("504", f"3{number:07d}")


def events():
    return [row.event() for row in Message.scan() if isinstance(row, EventRow)]


def events_about_people():
    return sum(event.person is not None for event in events())


# --- the way of a file --------------------------------------------------------------------------------------


def test_good_rows_are_applied_and_bad_ones_reported_by_number_field_and_reason():
    job_id = drop(
        joiner(1),
        joiner(2, unit="moon"),
        joiner(3, **{"from": "01/01/2026"}),
        joiner(4, last_name="=cmd"),
        joiner(5, first_name="Anna\r\nMaria"),
        joiner(6, employee_number="", email="x"),
    )
    finish(job_id)
    refused = {each["row"]: (each["field"], each["reason"]) for each in report(job_id) if each["state"] == "refused"}
    assert refused == {
        "3": ("unit", "is not known at this employer"),
        "4": ("from", "is not a day written like 2026-11-23"),
        "5": ("last_name", "begins like a formula: with =, +, -, @, a tab or a carriage return"),
        "7": ("employee_number", "is missing"),
    }
    assert counts(job_id) == (2, 0, 4)
    assert [bool(registered(number)) for number in range(1, 6)] == [True, False, False, False, True]
    assert registered(5)[0].name == "Anna Maria Testfold5"


def test_the_check_says_how_many_rows_are_wrong_before_any_is_applied():
    job_id = drop(joiner(1), joiner(2, unit="moon"), joiner(3))
    go_on("504", job_id, lambda: 0, NOW)
    found = progress(job_id)
    assert (found.phase, found.rows, found.rows_wrong, found.applied) == (Phase.APPLYING, 3, 1, 0)
    assert registered(1) == []


def test_the_same_file_again_changes_nothing():
    first, again = drop(joiner(1), joiner(2)), drop(joiner(1), joiner(2))
    assert first != again
    finish(first)
    before = events_about_people()
    finish(again)
    assert (counts(first), counts(again)) == ((2, 0, 0), (0, 2, 0))
    assert events_about_people() == before


def test_messages_with_ids_of_their_own_that_were_taken_in_before_are_unchanged(small_slices):
    rows = [joiner(number, message_id=f"esr-{number}") for number in range(7)]
    finish(drop(*rows))
    again = drop(*rows, key="504/again.csv")
    finish(again)
    assert counts(again) == (0, 7, 0)


def test_of_two_files_with_the_same_sequence_the_one_dropped_later_decides():
    first, corrected = drop(joiner(1)), drop(joiner(1, last_name="Testfold-Byte"))
    earlier, later = sorted((first, corrected))
    finish(later)
    finish(earlier)
    decides = "Testfold-Byte" if later == corrected else "Testfold1"
    assert registered(1)[0].name == f"Sam {decides}"


def test_a_file_refused_at_its_last_byte_applies_nothing():
    job_id = drop(csv_of(joiner(1), joiner(2)) + "1,Zoë".encode("cp1252"))
    finish(job_id)
    found = progress(job_id)
    assert (job(job_id).state, found.phase, found.applied) == (JobState.FAILED, Phase.REFUSED, 0)
    assert found.problem.sentence.startswith("The file is not UTF-8: line 4 has the byte 0xEB")
    assert registered(1) == []


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "The file is empty, or its first row is."),
        (csv_of(), "The file has a header and no rows."),
        (csv_of() + b",,\r\n\r\n", "The file has a header and no rows."),
        (b"name\r\nSam\r\n", "The first row does not name the columns of a workforce file."),
        (csv_of(joiner(1)).decode().encode("utf-16"), "The file is not UTF-8: from its first line on it is UTF-16"),
    ],
)
def test_a_file_that_is_none_is_refused_whole(content, sentence):
    job_id = drop(content)
    finish(job_id)
    assert progress(job_id).problem.sentence.startswith(sentence)


def test_a_file_with_a_byte_order_mark_is_as_good():
    job_id = drop(b"\xef\xbb\xbf" + csv_of(joiner(1)))
    finish(job_id)
    assert counts(job_id) == (1, 0, 0)


def test_a_row_with_the_wrong_number_of_fields_is_refused_and_blank_ones_are_passed_over():
    good = csv_of(joiner(1))
    job_id = drop(good + b"1,2,3\r\n\r\n" + b"," * 25 + b"\r\n" + b"x," * 26 + b"y\r\n")
    finish(job_id)
    found = {row: each.errors for row, each in states(job_id).items()}
    assert found == {
        2: (),
        3: (("row", "has 3 fields where the header has 26"),),
        6: (("row", "has 27 fields where the header has 26"),),
    }


def test_rows_of_one_person_are_applied_in_the_order_of_the_file(monkeypatch):
    monkeypatch.setattr(workforce_file, "THREADS", 4)
    seen = []
    applied = workforce.apply
    monkeypatch.setattr(workforce_file.workforce, "apply", lambda *given: seen.append(given[2]) or applied(*given))
    moves = [joiner(1, sequence=str(turn), last_name=f"Testfold{turn}") for turn in range(1, 5)]
    job_id = drop(*moves)
    finish(job_id)
    assert [change.sequence for change in seen] == [1, 2, 3, 4]
    assert counts(job_id) == (4, 0, 0)


def test_an_offer_taken_back_never_was_and_a_validity_taken_back_gives_way_to_the_one_before():
    move = {"sequence": "2", "from": "2026-03-01", "unit": "estates"}
    finish(drop(joiner(1), joiner(1, **move), joiner(2)))
    moved_back = {"sequence": "3", "assignment": "30000001", "from": "2026-03-01", "cancelled": "assignment"}
    offer = {"employment": "employee", "employed_from": "2026-01-01"}
    taken_back = {**offer, "assignment": "30000002", "from": "2026-01-01", "cancelled": "employment; assignment"}
    numbers = [{"employee_number": f"3000000{number}"} for number in (1, 2)]
    again = drop(numbers[0] | moved_back, numbers[1] | {"sequence": "3"} | taken_back)
    finish(again)
    assert counts(again) == (2, 0, 0)
    (stays,) = (learners.learner(each.person, "504") for each in registered(1))
    assert [(each.unit, each.starts_on, each.ends_on) for each in stays.assignments] == [
        ("ward-9", date(2026, 1, 1), None)
    ]
    assert registered(2) == []


def test_neither_results_nor_report_name_anybody_or_hold_a_formula():
    job_id = drop(joiner(1, message_id="=1+1"), joiner(2, employee_number="Sam Testfold2"), joiner(3))
    finish(job_id)
    bucket = boto3.resource("s3").Bucket(setting("FILES_BUCKET"))
    kept = [each.get()["Body"].read().decode() for each in bucket.objects.all()]
    assert len(kept) == 2
    assert not any("Testfold" in content for content in kept)
    assert all(value[:1] not in "=+-@" or not value for row in report(job_id) for value in row.values())


# --- beginning ----------------------------------------------------------------------------------------------


def test_told_of_a_file_twice_its_job_begins_once():
    version = put(csv_of(joiner(1)))["VersionId"]
    ids = {begin(files.dropped(told("504/people.csv", version)), NOW) for _ in range(3)}
    assert len(ids) == 1
    begun = [
        event for event in events() if event.type is EventType.JOB_STARTED and event.data["kind"] == "workforce file"
    ]
    assert [event.data["job"] for event in begun] == list(ids)


def test_a_file_under_a_key_with_spaces_and_umlauts_is_found():
    assert drop(joiner(1), key="504/Neue Leute + Zoë.csv")


@pytest.mark.parametrize("key", ["people.csv", "999/people.csv", "504", "504/", "504/2026/", "/people.csv"])
def test_what_is_no_file_of_an_employer_begins_no_job(key):
    assert drop(joiner(1), key=key) is None


@pytest.mark.parametrize("key", ["504/people.txt", "504/people.csv.gz", "504/people", "504/.csv"])
def test_a_file_of_an_employer_whose_name_is_none_of_a_csv_file_is_refused_and_says_so(key):
    job_id = drop(joiner(1), key=key)
    finish(job_id)
    found = progress(job_id)
    assert (found.phase, found.applied) == (Phase.REFUSED, 0)
    assert found.problem.sentence == "The name of the file does not end in .csv."
    assert registered(1) == []


def test_a_file_of_another_bucket_or_gone_by_now_is_left_alone():
    version = put(csv_of(joiner(1)))["VersionId"]
    assert files.dropped(told("504/people.csv", version, bucket="another")) is None
    assert files.dropped(told("504/nothing.csv", None)) is None


# --- time, death and others ---------------------------------------------------------------------------------


def handed_on():
    """What waits in the work queue."""
    url = setting("WORK_QUEUE_URL")
    answer = boto3.client("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=10)
    for each in answer.get("Messages", []):
        boto3.client("sqs").delete_message(QueueUrl=url, ReceiptHandle=each["ReceiptHandle"])
    return [json.loads(each["Body"]) for each in answer.get("Messages", [])]


def test_short_of_time_the_rest_is_handed_on_piece_by_piece(small_slices):
    job_id = drop(*map(joiner, range(8)))
    rounds = 0
    while job(job_id).state is JobState.RUNNING:
        go_on("504", job_id, lambda: 0, NOW)
        waiting = handed_on()
        assert waiting == [{"kind": "file", "employer": "504", "job": job_id}] * (job(job_id).state is JobState.RUNNING)
        rounds += 1
    assert rounds == 3 + 3 + 1
    assert counts(job_id) == (8, 0, 0)
    assert [each["row"] for each in report(job_id)] == [str(row) for row in range(2, 10)]


class Killed(BaseException):
    """The function ends here."""


def dying(monkeypatch, where, name, after):
    """The process dies in the call of a function that is number `after`, once it has been carried out."""
    calls, function = [], getattr(where, name)

    def call(*given, **named):
        result = function(*given, **named)
        calls.append(given)
        if len(calls) == after:
            raise Killed
        return result

    monkeypatch.setattr(where, name, call)


@pytest.mark.parametrize(
    ("where", "name", "after"),
    [
        (workforce_file.workforce, "apply", 1),
        (workforce_file.workforce, "apply", 5),
        (workforce_file.workforce, "apply", 7),
        (workforce_file.files, "keep", 1),
        (workforce_file.files, "keep", 3),
        (workforce_file.files, "keep_stream", 1),
        *((workforce_file.jobs, "advance", after) for after in range(1, 10)),
    ],
)
def test_killed_anywhere_a_file_goes_on_and_each_row_counts_once_as_it_was(
    small_slices, monkeypatch, where, name, after
):
    rows = [joiner(each, unit="moon" if each == 4 else "ward-9") for each in range(7)]
    job_id = drop(*rows)
    dying(monkeypatch, where, name, after)
    with pytest.raises(Killed):
        go_on("504", job_id, an_hour, NOW)
    go_on("504", job_id, an_hour, NOW)
    assert counts(job_id) == (6, 0, 1)
    assert [row for row, each in states(job_id).items() if each.state == "refused"] == [6]
    assert [each["row"] for each in report(job_id)] == [str(row) for row in range(2, 9)]
    assert events_about_people() == 6


def test_a_late_row_of_a_repeated_slice_stays_unchanged(monkeypatch):
    finish(drop(joiner(1, sequence="9"), key="504/newer.csv"))
    job_id = drop(joiner(1), joiner(2))
    dying(monkeypatch, workforce_file.files, "keep", 1)
    with pytest.raises(Killed):
        go_on("504", job_id, an_hour, NOW)
    finish(job_id)
    assert {row: each.state for row, each in states(job_id).items()} == {2: "unchanged", 3: "accepted"}


def test_of_two_workers_on_one_slice_the_later_goes_on_and_the_other_stops(small_slices, monkeypatch):
    job_id = drop(*map(joiner, range(7)))
    applied, first = workforce.apply, []

    def interrupted(*given):
        result = applied(*given)
        if not first:
            first.append(True)
            go_on("504", job_id, an_hour, NOW)  # the other worker, from here to the end
        return result

    monkeypatch.setattr(workforce_file.workforce, "apply", interrupted)
    finish(job_id)
    assert counts(job_id) == (7, 0, 0)
    assert {each.state for each in states(job_id).values()} == {"accepted"}
    assert len(report(job_id)) == 7
    assert events_about_people() == 7


def test_a_worker_that_was_overtaken_does_not_spoil_the_results(small_slices, monkeypatch):
    job_id = drop(*map(joiner, range(4)))
    go_on("504", job_id, lambda: 0, NOW)
    go_on("504", job_id, lambda: 0, NOW)
    stale = job(job_id)
    finish(job_id)
    with pytest.raises(workforce_file.TakenOver):
        workforce_file._step(stale, NOW)
    assert counts(job_id) == (4, 0, 0)


def test_a_collision_of_transactions_is_no_other_worker():
    job_id = drop(joiner(1))
    with seams.colliding_transactions(1):
        finish(job_id)
    assert counts(job_id) == (1, 0, 0)


def test_a_file_that_is_replaced_while_it_is_worked_on_is_finished_as_it_was(small_slices):
    job_id = drop(*map(joiner, range(5)))
    go_on("504", job_id, lambda: 0, NOW)
    other = drop(joiner(8), key="504/people.csv")
    assert other != job_id
    finish(job_id)
    finish(other)
    assert (counts(job_id), counts(other)) == ((5, 0, 0), (1, 0, 0))


def test_a_version_that_is_gone_ends_the_job_and_says_so(small_slices):
    job_id = drop(*map(joiner, range(5)))
    go_on("504", job_id, lambda: 0, NOW)
    boto3.resource("s3").Bucket(setting("WORKFORCE_BUCKET")).object_versions.delete()
    finish(job_id)
    found = progress(job_id)
    assert (found.phase, found.applied) == (Phase.REFUSED, 0)
    assert found.problem.sentence.startswith("The file was removed or replaced")


def test_a_version_that_is_gone_on_the_way_ends_the_job_and_says_that_rows_were_applied(small_slices):
    job_id = drop(*map(joiner, range(4)))
    go_on("504", job_id, lambda: 0, NOW)
    go_on("504", job_id, lambda: 0, NOW)
    go_on("504", job_id, lambda: 0, NOW)
    boto3.resource("s3").Bucket(setting("WORKFORCE_BUCKET")).object_versions.delete()
    finish(job_id)
    found = progress(job_id)
    assert (job(job_id).state, found.phase, found.applied) == (JobState.FAILED, Phase.STOPPED, 3)
    assert found.problem.sentence.startswith("The file was removed or replaced")
    assert [row for row, each in states(job_id).items() if each.state == "accepted"] == [2, 3, 4]


def test_results_that_are_gone_before_the_report_is_made_stop_it_and_not_the_rows(monkeypatch):
    job_id = drop(joiner(1), joiner(2))
    keep = files.keep

    def keep_and_lose(key, content):
        keep(key, content)
        boto3.client("s3").delete_object(Bucket=setting("FILES_BUCKET"), Key=key)

    monkeypatch.setattr(files, "keep", keep_and_lose)
    finish(job_id)
    found = progress(job_id)
    assert (job(job_id).state, found.phase, counts(job_id)) == (JobState.FAILED, Phase.STOPPED, (2, 0, 0))
    assert found.problem.sentence == "All rows were dealt with, but the results of some were removed before the report."
    assert registered(1) != []


def test_in_a_bucket_without_versions_a_replaced_file_is_not_taken_half_and_half(small_slices):
    job_id = drop(*map(joiner, range(5)))
    unversioned = msgspec.structs.replace(progress(job_id).file, version=None)
    put(csv_of(joiner(8)))
    with pytest.raises(files.FileGone):
        list(files.read(unversioned, 0))


def test_a_store_that_does_not_hear_of_ranges_is_read_from_the_right_byte_on(small_slices, monkeypatch):
    whole = files._s3().get_object

    def rangeless(Range=None, **asked):  # noqa: N803
        return whole(**asked)

    job_id = drop(*map(joiner, range(8)))
    monkeypatch.setattr(files._s3(), "get_object", rangeless)
    monkeypatch.setattr(files, "CHUNK", 100)
    finish(job_id)
    assert counts(job_id) == (8, 0, 0)


def test_an_outage_leaves_the_file_where_it_is():
    job_id = drop(joiner(1))
    with seams.failing_calls("TransactWriteItems", "InternalServerError"), pytest.raises(Unavailable):
        go_on("504", job_id, an_hour, NOW)
    finish(job_id)
    assert counts(job_id) == (1, 0, 0)


def test_a_running_file_of_which_nothing_was_done_for_an_hour_is_shown_as_stalled_until_it_goes_on(small_slices):
    job_id = drop(*map(joiner, range(4)))
    go_on("504", job_id, lambda: 0, NOW)
    feed = Actor("p9", "504", frozenset(), None)
    for state, later in ((JobState.RUNNING, timedelta(minutes=59)), (JobState.STALLED, timedelta(hours=1))):
        shown = workforce_file.file_job(feed, job_id, NOW + later)
        (listed,), _ = workforce_file.of_employer(feed, 10, None, NOW + later)
        assert (shown.state, listed.state, shown.finished_at) == (state, state, None)
    finish(job_id)
    assert workforce_file.file_job(feed, job_id, NOW + timedelta(days=9)).state is JobState.DONE


# --- size ---------------------------------------------------------------------------------------------------


def test_twenty_megabytes_are_checked_without_holding_them(monkeypatch):
    header, row = csv_of(joiner(1, first_name="Sam" + " " * 1700)).split(b"\r\n", 1)
    rows = 20 * 2**20 // len(row)

    def stream(file, offset):
        left = rows - (offset - len(header) - 2) // len(row) if offset else rows
        yield b"" if offset else header + b"\r\n"
        for start in range(0, left, 32):
            yield row * min(32, left - start)

    size = len(header) + 2 + rows * len(row)
    job_id = drop(joiner(1))
    before = job(job_id)
    dropped = {**before.facts["file"], "size": size}
    jobs.advance(before, NOW, facts={**before.facts, "file": dropped})
    monkeypatch.setattr(files, "read", stream)
    monkeypatch.setattr(workforce_file, "CHECKED_AT_ONCE", 5_000)
    tracemalloc.start()
    try:
        while progress(job_id).phase is Phase.CHECKING:
            go_on("504", job_id, lambda: 0, NOW)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert progress(job_id).rows == rows
    assert size > 20_000_000
    assert peak < 4_000_000


def test_a_file_larger_than_the_limit_is_refused():
    job_id = drop(joiner(1))
    before = job(job_id)
    grown = {**before.facts, "file": {**before.facts["file"], "size": 10**9}}
    jobs.advance(before, NOW, facts=grown)
    finish(job_id)
    assert progress(job_id).problem.sentence == "The file is larger than 200 MB."
