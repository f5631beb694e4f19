"""Joiners, movers and leavers over HTTP and from the bus."""

import json
from datetime import timedelta
from urllib.parse import quote

import boto3
import pytest

from chalicelib.handlers import feed
from chalicelib.storage import learner as learners
from chalicelib.storage import rules
from tests import builders as b
from tests.builders import NOW, TODAY

ROUTE = "/v1/workforce/changes"
JOB = {
    "number": "900",
    "starts_on": "2026-01-01",
    "unit": "ward-9",
    "position": "nurse-9",
    "job": "nurse",
    "staff_group": "nursing",
}
SAM = {"first_name": "Sam", "last_name": "Lane", "email": "sam@trust.invalid", "login": "504-900"}
HIRED = {"kind": "employee", "starts_on": "2026-01-01"}
AGENCY = {"group": "agency", "starts_on": "2026-01-01"}


def message(sequence=1, number="900", **sections):
    return {"id": f"m{sequence}-{number}", "sequence": sequence, "employee_number": number, **sections}


def joiner(**changes):
    return message(**({"person": SAM, "employment": HIRED, "assignments": [JOB]} | changes))


@pytest.fixture(name="feeder")
def _feeder(api):
    """A login that may send the workforce."""
    b.trust()
    login = b.person(1, employer="505")
    b.grant("p1", "workforce_feed", "504")
    return login


def send(api, login, *messages):
    answer = api.post(f"{ROUTE}?employer=504", {"changes": list(messages)}, as_=login)
    assert answer.status_code == 200, answer.json_body
    return answer.json_body["results"]


# --- over HTTP ----------------------------------------------------------------------------------------------


def test_a_joiner_may_sign_in_and_sees_what_is_required_at_once(api, feeder):
    (result,) = send(api, feeder, joiner())
    assert (result["state"], result["errors"], result["warnings"]) == ("accepted", [], [])
    mine = api.get("/v1/me/compliance", as_="504-900").json_body
    assert [(row["competency"], row["colour"]) for row in mine["rows"]] == [(b.FIRE, "red")]


def test_each_message_has_its_own_result_in_order(api, feeder):
    lost = joiner(number="901", sequence=2, assignments=[JOB | {"unit": "moon"}], person=SAM | {"login": "504-901"})
    results = send(api, feeder, joiner(), lost, joiner(), message(3, learner_groups=[AGENCY]))
    assert [each["state"] for each in results] == ["accepted", "refused", "unchanged", "accepted"]
    assert results[1]["errors"] == [{"field": "assignments[0].unit", "reason": "is not known at this employer"}]
    assert results[3]["changed"] == ["learner group agency from 2026-01-01"]


def test_what_a_group_required_on_a_past_day_stays_explained_after_leaving_it(api, feeder):
    b.competence.require(b.SYSTEM, "504", [b.requirement(b.MOVING, b.TargetKind.LEARNER_GROUP, "agency")], NOW)

    def why(day):
        path = f"/v1/people/{found().person.id}/compliance/explanation?competency={quote(b.MOVING, safe='')}&on={day}"
        return api.get(path, as_="504-900").json_body

    send(api, feeder, joiner(learner_groups=[AGENCY]))
    in_march = why("2026-03-01")
    assert in_march["required"]
    (left,) = send(api, feeder, message(2, learner_groups=[AGENCY | {"ends_on": "2026-06-30"}]))
    assert left["state"] == "accepted"
    assert why("2026-03-01") == in_march
    assert [why(day)["required"] for day in ("2025-12-31", "2026-06-30", "2026-07-01")] == [False, True, False]


def test_a_mover_comes_under_the_requirements_of_the_new_unit(api, feeder):
    from chalicelib.services import competence

    moved_here = b.requirement(b.MOVING, b.TargetKind.UNIT, "estates")
    competence.require(b.SYSTEM, "504", [moved_here], NOW)
    send(api, feeder, joiner())
    send(api, feeder, message(2, assignments=[JOB | {"starts_on": "2026-11-01", "unit": "estates"}]))
    mine = api.get("/v1/me/compliance", as_="504-900").json_body
    assert {row["competency"] for row in mine["rows"]} == {b.FIRE, b.MOVING}


def test_every_wrong_place_of_a_shape_is_named_and_nothing_is_done(api, feeder):
    bad = message(
        person={"first_name": 1, "nickname": "x"}, assignments=[JOB, {"number": "2", "starts_on": "2026-02-30"}]
    )
    answer = api.post(f"{ROUTE}?employer=504", {"changes": [joiner(), bad]}, as_=feeder)
    assert answer.status_code == 400
    assert {each["field"] for each in answer.json_body["errors"]} == {
        "body.changes[1].person.first_name",
        "body.changes[1].person.last_name",
        "body.changes[1].person.nickname",
        "body.changes[1].assignments[1].starts_on",
    }
    assert api.get("/v1/me", as_="504-900").status_code == 401


@pytest.mark.parametrize("count", [0, 101])
def test_a_batch_has_1_to_100_messages(api, feeder, count):
    answer = api.post(f"{ROUTE}?employer=504", {"changes": [message()] * count}, as_=feeder)
    assert (answer.status_code, answer.json_body["errors"][0]["field"]) == (400, "body.changes")


def test_a_hundred_messages_as_full_as_they_may_be_fit_one_request_and_four_times_more_do_not(api, feeder, monkeypatch):
    from chalicelib.services import workforce

    monkeypatch.setattr(workforce, "apply_all", lambda actor, changes, now: [])
    posts = [JOB | {"number": f"{'9' * 37}-{number:02}", "supervisor": "1" * 20} for number in range(15)]
    groups = [AGENCY | {"ends_on": "2026-12-31", "cancelled": False}] * 10
    full = joiner(person=dict.fromkeys(SAM, "x" * 80), assignments=posts, learner_groups=groups)
    assert api.post(f"{ROUTE}?employer=504", {"changes": [full] * 100}, as_=feeder).status_code == 200
    answer = api.post(f"{ROUTE}?employer=504", {"changes": [full] * 400}, as_=feeder)
    assert answer.json_body["errors"] == [{"field": "body", "reason": "is larger than 524288 bytes"}]


@pytest.mark.parametrize(
    "sections",
    [
        {"id": "a#b"},
        {"id": "\ud800"},
        {"sequence": -1},
        {"sequence": 10**300},
        {"employee_number": "\x00"},
        {"employee_number": ""},
        {"person": SAM | {"first_name": "\ud800"}},
        {"person": SAM | {"last_name": "a#b"}},
        {"person": SAM | {"last_name": "x" * 5000}},
        {"person": SAM | {"email": "nobody"}},
        {"person": SAM | {"login": "x" * 200}},
        {"employment": HIRED | {"starts_on": "0001-01-01"}},
        {"employment": HIRED | {"ends_on": "2025-12-31"}},
        {"assignments": [JOB | {"number": "-"}]},
        {"assignments": [JOB | {"unit": ""}]},
        {"assignments": [JOB | {"unit": "#"}]},
        {"assignments": [JOB | {"supervisor": "\n"}]},
        {"assignments": [JOB] * 100},
        {"learner_groups": [AGENCY] * 100},
        {"learner_groups": [AGENCY | {"group": "\ud800"}]},
        {"learner_groups": [AGENCY | {"starts_on": "2026-02-01", "ends_on": "2026-01-31"}]},
        {"person_id": "#"},
    ],
    ids=str,
)
def test_bad_input_is_refused_by_field_and_never_a_fault(api, feeder, sections):
    answer = api.post(f"{ROUTE}?employer=504", {"changes": [joiner(**sections)]}, as_=feeder)
    assert answer.status_code in (200, 400)
    if answer.status_code == 200:
        (result,) = answer.json_body["results"]
        assert (result["state"], len(result["errors"]) > 0) == ("refused", True)


def test_names_and_addresses_reach_no_log(api, feeder, logged):
    send(api, feeder, joiner(), joiner(number="901", sequence=2))
    take(event(joiner(number="902", sequence=3)), deliveries=3)
    text = logged()
    assert "workforce message refused" in text
    assert not any(each in text for each in ("Lane", "sam@", "504-900"))


# --- from the bus -------------------------------------------------------------------------------------------


def event(detail, employer="504"):
    return {"detail-type": "workforce.change", "source": "esr", "detail": {**detail, "employer": employer}}


def record(body, deliveries=1, id="q1"):
    sent = str(int(NOW.timestamp() * 1000))
    attributes = {"ApproximateReceiveCount": str(deliveries), "SentTimestamp": sent}
    return {"messageId": id, "body": body if isinstance(body, str) else json.dumps(body), "attributes": attributes}


def take(body, deliveries=1):
    """Whether the queue is asked to deliver the message again."""
    return bool(feed.take({"Records": [record(body, deliveries)]})["batchItemFailures"])


def found(number="900"):
    row = boto3.client("dynamodb").get_item(
        TableName="esr-learning-test-records", Key={k: {"S": f"E#504#NO#{number}"} for k in ("pk", "sk")}
    )
    return learners.learner(row["Item"]["person"]["S"], "504") if "Item" in row else None


def test_a_message_from_the_bus_means_the_same(feeder):
    assert take(event(joiner())) is False
    assert found().person.last_name == "Lane"


def test_one_that_overtook_the_joiner_is_taken_in_when_delivered_again(feeder):
    late = event(message(2, learner_groups=[AGENCY]))
    assert take(late) is True
    assert take(event(joiner())) is False
    assert take(late, deliveries=2) is False
    assert found().groups_on(TODAY) == ("agency",)


def test_one_refused_three_times_is_kept_for_whoever_looks_after_the_feed(api, feeder):
    stranger = event(message(2, learner_groups=[AGENCY]))
    assert [take(stranger, deliveries) for deliveries in (1, 2, 3, 3)] == [True, True, False, False]
    answer = api.get("/v1/workforce/refusals?employer=504", as_=feeder)
    assert answer.json_body == {
        "refusals": [
            {
                "at": "2026-11-23T10:00:00Z",
                "message_id": "m2-900",
                "employee_number": "900",
                "errors": [
                    {"field": "person", "reason": "is missing: nobody with this employee number is known"},
                    {"field": "employment", "reason": "is missing: this person has no employment here"},
                ],
            }
        ],
        "next_cursor": None,
    }


def test_a_message_of_another_shape_is_kept_at_once(api, feeder):
    assert take(event({"id": 5, "assignments": [{"starts_on": "x"}]})) is False
    (refusal,) = api.get("/v1/workforce/refusals?employer=504", as_=feeder).json_body["refusals"]
    assert refusal["message_id"] is None
    assert {each["field"] for each in refusal["errors"]} == {
        "id",
        "sequence",
        "employee_number",
        "assignments[0].number",
        "assignments[0].starts_on",
    }


def test_refusals_end_after_90_days(feeder):
    take(event({"id": "m1"}))
    row = next(iter(rules.Record.query("E#504#REF")))
    assert row.expires_at == NOW + timedelta(days=90)


@pytest.mark.parametrize(
    "body", ["", "{", "[]", "5", "{}", '{"detail-type": "other", "detail": {}}', '{"Records": [{}]}']
)
def test_what_is_no_message_is_left_to_the_dead_letter_queue(feeder, body):
    assert take(body) is True


@pytest.mark.parametrize("employer", ["505", "XX", "a#b", 5])
def test_an_employer_that_is_none_is_left_to_the_dead_letter_queue(feeder, employer):
    assert take(event(joiner(), employer)) is True


def test_one_that_fails_does_not_hold_up_the_others(feeder):
    records = [record("{", id="bad"), record(event(joiner()), id="good")]
    assert feed.take({"Records": records}) == {"batchItemFailures": [{"itemIdentifier": "bad"}]}
    assert found() is not None


# --- files dropped ------------------------------------------------------------------------------------------


def test_the_test_event_of_a_new_bucket_is_nothing(feeder):
    assert take({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "x"}) is False


def test_a_file_dropped_begins_a_job_whatever_its_name(api, feeder):
    bucket = feed_bucket()
    boto3.client("s3").put_object(Bucket=bucket, Key="504/new people +1.csv", Body=b"message_id\r\n")
    told = {"s3": {"bucket": {"name": bucket}, "object": {"key": "504/new+people+%2B1.csv"}}}
    assert take({"Records": [told]}) is False
    files = api.get("/v1/workforce/files?employer=504", as_=feeder).json_body
    assert "504/new people +1.csv" in json.dumps(files)


def dropped(key, content=b"sequence,employee_number\r\n"):
    """Whether the queue is asked to deliver word of this file again."""
    boto3.client("s3").put_object(Bucket=feed_bucket(), Key=key, Body=content)
    return take({"Records": [{"s3": {"bucket": {"name": feed_bucket()}, "object": {"key": key}}}]})


@pytest.mark.parametrize(
    ("key", "employer"), [("Testfold.csv", None), ("999/Testfold.csv", "999"), ("Testfold/a.csv", None)]
)
def test_a_file_of_no_employer_is_counted_and_logged_without_its_name(feeder, logged, capsys, key, employer):
    assert dropped(key) is False
    (line,) = [each for each in map(json.loads, logged().splitlines()) if each["message"] == "file of no employer"]
    assert line.get("employer") == employer
    assert "Testfold" not in logged()
    assert "WorkforceFilesIgnored" in capsys.readouterr().out


def test_a_folder_that_is_made_in_the_bucket_is_nothing(feeder, logged):
    assert dropped("504/2026/", b"") is False
    assert "file of no employer" not in logged()


def test_a_file_under_a_name_that_is_none_is_among_the_employers_files(api, feeder):
    assert dropped("504/people.txt") is False
    (file,) = api.get("/v1/workforce/files?employer=504", as_=feeder).json_body["files"]
    assert file["file"] == "504/people.txt"


def feed_bucket():
    from chalicelib.config import setting

    return setting("WORKFORCE_BUCKET")
