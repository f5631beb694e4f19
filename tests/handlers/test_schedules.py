"""Scheduling many classes over HTTP: tried, made, repeated after a crash, changed and cancelled together."""

import json
from collections import Counter
from datetime import date, timedelta
from urllib.parse import urlencode

import pytest
from botocore.exceptions import ClientError

from chalicelib.domain.calendar import london_time
from chalicelib.domain.catalogue import CourseStatus, Mode, Offering, Venue
from chalicelib.services import classes, schedules
from chalicelib.storage import keys, rules
from chalicelib.storage.base import AuditTable, Record
from chalicelib.storage.catalogue import VenueRow
from chalicelib.storage.classes import class_with_seats
from chalicelib.storage.enrolment import EnrolmentRow
from chalicelib.storage.idempotency import IdempotencyRow
from chalicelib.storage.transaction import Transaction
from infrastructure import bench_schedule_writes
from tests import builders as b
from tests.builders import NOW, SYSTEM
from tests.seams import before_commit, colliding_transactions, failing_calls, intercepted

ADMINISTRATOR = "504-9"
ROUTE = "/v1/class-schedules"
MORNING = {"from": "09:00", "until": "12:00"}
OVER_EASTER = {"repeats": "weekly", "starts_on": "2027-03-22", "count": 3}  # Mondays; the 29th is Easter Monday
HUNDRED = {"repeats": "daily", "starts_on": "2027-01-04", "count": 100}
TWELVE = {**HUNDRED, "count": 12}
DAYS = [f"2027-02-{day:02d}" for day in range(1, 9)]
ONCE = {"Idempotency-Key": "a-key"}


def body(pattern=OVER_EASTER, **changes):
    given = {"course_id": "504-fire", "offering": "classroom", "sessions": [MORNING], "minimum": 4, "maximum": 12}
    given = {**given, "venue": "seminar-1", **changes, "pattern": pattern}
    return {name: value for name, value in given.items() if value != "left out"}


def venues(*given):
    transaction = Transaction()
    for each in given:
        transaction.put(VenueRow.of("504", each))
    rules.move_version(transaction, "504", keys.CATALOGUE)
    transaction.commit()


@pytest.fixture
def trust(api):
    b.trust()
    b.offered(offerings=(Offering("classroom", Mode.CLASSROOM), Offering("online", Mode.ONLINE_CLASSROOM)))
    venues(Venue("seminar-1", "Seminar Room 1", 20), Venue("small", "Cupboard", 6))
    b.person(9, role="learning_administrator")
    b.person(8, role="instructor")
    return api


def preview(api, given, status=200, as_=ADMINISTRATOR):
    answer = api.post(f"{ROUTE}/preview", given, as_=as_)
    assert answer.status_code == status, answer.json_body
    return answer.json_body


def made(api, given, status=201, as_=ADMINISTRATOR, **options):
    answer = api.post(ROUTE, given, as_=as_, **options)
    assert answer.status_code == status, answer.json_body
    return answer.json_body


def shown(api, batch):
    return api.get(f"{ROUTE}/{batch}", as_=ADMINISTRATOR).json_body


def wrong(answer):
    return {each["field"]: each["reason"] for each in answer["errors"]}


def kind(answer):
    return answer["type"].rpartition(":")[2]


def rows():
    return {(row.pk, row.sk) for row in Record.scan()}


# --- trying -------------------------------------------------------------------------------------------------


def test_a_preview_shows_every_class_in_utc_and_civil_times_and_what_is_left_out(trust):
    before = rows()
    found = preview(trust, body())
    assert [each["sessions"] for each in found["classes"]][:2] == [
        [
            {
                **{"starts_at": "2027-03-22T09:00:00Z", "ends_at": "2027-03-22T12:00:00Z"},
                **{"day": "2027-03-22", "from": "09:00", "until": "12:00"},
            }
        ],
        [
            {
                **{"starts_at": "2027-04-05T08:00:00Z", "ends_at": "2027-04-05T11:00:00Z"},
                **{"day": "2027-04-05", "from": "09:00", "until": "12:00"},
            }
        ],
    ]
    assert found["left_out"] == [
        {"day": "2027-03-29", "why": "bank holiday", "detail": "Monday 29 March 2027 is Easter Monday."}
    ]
    assert (found["title"], found["mode"], found["total"]) == ("Fire Safety", "classroom", 3)
    assert rows() == before


def test_a_class_may_move_from_a_bank_holiday_or_be_kept_on_it(trust):
    moved = preview(trust, body(bank_holidays="next working day"))["classes"][1]
    assert (moved["day"], moved["moved_from"]) == ("2027-03-30", "2027-03-29")
    assert moved["note"] == "Monday 29 March 2027 is Easter Monday."
    kept = preview(trust, body(bank_holidays="keep"))["classes"][1]
    assert (kept["day"], kept["moved_from"]) == ("2027-03-29", None)


def test_enrolment_opens_and_closes_so_many_days_before_each_class(trust):
    given = body(enrol_opens_days_before=60, enrol_closes_days_before=2)
    first = preview(trust, given)["classes"][0]
    assert (first["enrol_from"], first["enrol_until"]) == ("2027-01-21", "2027-03-20")


def test_a_preview_says_what_is_doubtful_about_each_class(trust):
    for class_id, day in (("504-c1", date(2027, 3, 22)), ("504-c2", date(2027, 4, 5))):
        start = london_time(day, 11)
        held = b.session(day, 11)
        assert held.starts_at == start
        classes.add_class(SYSTEM, b.class_(class_id, sessions=[held], venue="seminar-1", instructor="p8"), NOW)
    found = preview(trust, body(instructor="p8"))["classes"]
    assert [[each["kind"] for each in one["cautions"]] for one in found] == [
        ["venue taken", "instructor taken"],
        ["venue taken", "instructor taken"],
        [],
    ]
    assert "Seminar Room 1 is taken" in found[0]["cautions"][0]["detail"]
    small = preview(trust, body(venue="small"))["classes"]
    assert [[each["kind"] for each in one["cautions"]] for one in small] == [["venue too small"]] * 3


def test_classes_of_one_schedule_may_be_in_each_others_way(trust):
    week_long = [MORNING, {"day_offset": 1, **MORNING}]
    found = preview(trust, body({"repeats": "daily", "starts_on": "2027-01-11", "count": 2}, sessions=week_long))
    assert [[each["kind"] for each in one["cautions"]] for one in found["classes"]] == [["venue taken"]] * 2


# --- making -------------------------------------------------------------------------------------------------


def test_a_schedule_makes_its_classes_with_their_places_and_one_batch(trust):
    answer = made(trust, body(enrol_opens_days_before=30, instructor="p8", joining_instructions="Bring water."))
    batch = answer["batch_id"]
    assert [each["class_id"] for each in answer["classes"]] == [f"504-{batch}-00{number}" for number in (1, 2, 3)]
    class_, seats = class_with_seats(f"504-{batch}-002")
    assert (class_.batch, class_.instructor, class_.joining_instructions) == (batch, "p8", "Bring water.")
    assert (class_.sessions[0].starts_at, seats.maximum) == (london_time(date(2027, 4, 5), 9), 12)
    assert class_.enrol_from == date(2027, 3, 6)
    found = shown(trust, batch)
    assert (found["complete"], found["made_by"], len(found["left_out"])) == (True, "p9", 1)
    assert [each["planned_for"] for each in found["classes"]] == ["2027-03-22", "2027-04-05", "2027-04-12"]
    assert {(each["written"], each["free"], each["status"]) for each in found["classes"]} == {(True, 12, "normal")}


def test_learners_find_and_book_what_was_scheduled(trust):
    made(trust, body())
    login = b.person(1)
    found = trust.get("/v1/courses/504-fire", as_=login).json_body["classes"]
    assert len(found) == 3
    booked = trust.post("/v1/me/enrolments", {"class_id": found[0]["id"]}, as_=login)
    assert booked.status_code == 201


def test_a_hundred_classes_are_six_transactions_and_the_audit_names_every_one(trust):
    count = [0]

    def counted(call, operation, request):
        count[0] += operation == "TransactWriteItems"
        return call(operation, request)

    with intercepted(counted):
        answer = made(trust, body(HUNDRED, sessions=[MORNING], accept_cautions=True))
    assert (answer["total"], count[0]) == (100, 6)
    assert len({each["day"] for each in answer["classes"]}) == 100
    entries = [row.attribute_values["facts"] for row in audit_rows("classes.scheduled")]
    named = [class_id for each in entries for class_id in each["ids"]]
    assert sorted(named) == [each["class_id"] for each in answer["classes"]]


def audit_rows(action):
    from chalicelib.storage.audit import AuditRow

    assert issubclass(AuditRow, AuditTable)
    return [row for row in AuditRow.scan() if row.action == action]


def test_the_bench_holds_scheduling_against_the_writes_it_makes(trust):
    sent = []

    def looked_at(call, operation, request):
        if operation == "TransactWriteItems":
            sent.append(request["TransactItems"])
        return call(operation, request)

    with intercepted(looked_at):
        made(trust, bench_schedule_writes.request("504-fire"))
    listed = bench_schedule_writes.transactions(Record.Meta.table_name, "esr-learning-test-audit", "504-fire", "x" * 20)
    assert [shape(each) for each in sent] == [shape(each) for each in listed]
    assert len(json.dumps(listed)) == pytest.approx(len(json.dumps(sent)), rel=0.05)


def shape(writes):
    """What a transaction writes: kinds of rows, how many of each."""
    return Counter(
        (each["Put"]["TableName"], each["Put"]["Item"].get("kind", {}).get("S")) if "Put" in each else "check"
        for each in writes
    )


def test_past_classes_are_recorded_with_a_word_and_without_telling_anybody(trust):
    found = made(trust, body({"repeats": "listed", "days": ["2026-11-02", "2026-12-07"]}))["classes"]
    assert [each["cautions"] for each in found] == [["in the past"], []]


def test_a_class_is_copied_with_its_sessions_at_civil_times_and_its_enrolment_dates_but_without_its_learners(trust):
    original = b.class_(
        "504-c1",
        sessions=[b.session(date(2026, 10, 20)), b.session(date(2026, 10, 27), 14)],
        venue="seminar-1",
        instructor="p8",
        enrol_from=date(2026, 10, 1),
        enrol_until=date(2026, 10, 19),
        link=None,
        title="Fire Safety for Wards",
        only_units=("ward-9",),
        by_need=True,
    )
    classes.add_class(SYSTEM, original, NOW)
    given = {"copy_of": "504-c1", "pattern": {"repeats": "listed", "days": ["2027-03-24"]}, "maximum": 9}
    (planned,) = made(trust, given)["classes"]
    class_, seats = class_with_seats(planned["class_id"])
    assert [each.starts_at for each in class_.sessions] == [
        london_time(date(2027, 3, 24), 9),
        london_time(date(2027, 3, 31), 14),
    ]
    assert (class_.enrol_from, class_.enrol_until) == (date(2027, 3, 5), date(2027, 3, 23))
    assert (class_.title, class_.venue, class_.instructor) == ("Fire Safety for Wards", "seminar-1", "p8")
    assert (class_.only_units, class_.by_need, seats.maximum, seats.taken) == (("ward-9",), True, 9, 0)


def test_a_class_whose_enrolment_is_open_for_ever_is_copied_only_with_another_end(trust):
    for number, enrolment in enumerate(({"enrol_until": date.max}, {"enrol_from": date.min}), 1):
        original = b.class_(
            f"504-c{number}", venue=None, sessions=[b.session(date(2026, 10, 19 + number))], **enrolment
        )
        classes.add_class(SYSTEM, original, NOW)
    for original, name in (("504-c1", "enrol_closes_days_before"), ("504-c2", "enrol_opens_days_before")):
        given = {"copy_of": original, "pattern": {"repeats": "listed", "days": ["2027-03-24", "2020-03-24"]}}
        refused = wrong(preview(trust, given, 400))
        assert refused == {f"body.{name}": "leads to a day outside 1900-01-01 to 2199-12-31"}
        assert preview(trust, {**given, name: 3})["total"] == 2


def test_training_of_a_night_shift_ends_on_the_next_day(trust):
    night = {"from": "22:00", "until": "02:00", "until_day_offset": 1}
    later = {"from": "22:00", "until": "02:00", "day_offset": 3, "until_day_offset": 4}
    answer = made(trust, body(TWELVE, sessions=[night, later], accept_cautions=True))
    first = class_with_seats(answer["classes"][0]["class_id"])[0]
    assert first.sessions[0].ends_at == london_time(date(2027, 1, 5), 2)
    assert first.ends_at == london_time(date(2027, 1, 8), 2)
    assert answer["classes"][0]["ends_at"] == "2027-01-08T02:00:00Z"
    given = {"copy_of": first.id, "pattern": {"repeats": "listed", "days": ["2027-10-30"]}}
    (copied,) = made(trust, given)["classes"]
    assert copied["ends_at"] == "2027-11-03T02:00:00Z"
    for until_day_offset in (-1, 2, 10**18):
        given = body(sessions=[{**MORNING, "until_day_offset": until_day_offset}])
        assert list(wrong(preview(trust, given, 400))) == ["body.sessions[0].until_day_offset"]


def test_what_is_taken_or_too_small_is_refused_with_its_days_unless_accepted(trust):
    classes.add_class(SYSTEM, b.class_(sessions=[b.session(date(2027, 4, 5))], venue="seminar-1"), NOW)
    before = rows()
    refused = made(trust, body(), 409)
    assert kind(refused) == "class-cautions"
    (caution,) = refused["facts"]["cautions"]
    assert (caution["day"], caution["kind"], caution["class"]) == ("2027-04-05", "venue taken", "504-c1")
    assert rows() == before
    assert made(trust, body(accept_cautions=True))["classes"][1]["cautions"] == ["venue taken"]


# --- repeating ------------------------------------------------------------------------------------------------


@pytest.fixture
def four_at_a_time(monkeypatch):
    """Twelve classes are three transactions."""
    monkeypatch.setattr(schedules, "MOST_WRITES", 20)


def test_a_repetition_gets_the_first_answer_and_makes_nothing(trust):
    first = made(trust, body(), headers=ONCE)
    before = rows()
    assert made(trust, body(), headers=ONCE) == first
    assert rows() == before
    assert made(trust, body(accept_cautions=True))["batch_id"] != first["batch_id"]


def test_the_same_key_with_another_request_is_refused_and_makes_nothing(trust, four_at_a_time):
    made(trust, body(), headers=ONCE)
    other = {"Idempotency-Key": "other"}
    trust.post("/v1/jobs/reconciliation", as_=ADMINISTRATOR, headers=other)
    before = classes_written()
    assert kind(made(trust, body(maximum=9), 422, headers=ONCE)) == "idempotency-key-reused"
    assert kind(made(trust, body(TWELVE), 422, headers=other)) == "idempotency-key-reused"
    assert classes_written() == before


def classes_written():
    return {pk for pk, _ in rows() if "#CLS#" in pk or "#BAT#" in pk}


def dying_after(transactions):
    """DynamoDB is gone after so many transactions."""
    left = [transactions]

    def intercept(call, operation, request):
        if operation == "TransactWriteItems":
            left[0] -= 1
            if left[0] < 0:
                raise ClientError({"Error": {"Code": "InternalServerError"}}, operation)
        return call(operation, request)

    return intercepted(intercept)


def test_whatever_died_half_way_is_finished_by_the_same_request(trust, four_at_a_time):
    whole = preview(trust, body(TWELVE))
    for died_after in range(3):
        headers = {"Idempotency-Key": f"key-{died_after}"}
        given = body(TWELVE, accept_cautions=True, title=f"Fire {died_after}")
        with dying_after(died_after):
            assert kind(made(trust, given, 503, headers=headers)) == "unavailable"
        answer = made(trust, given, headers=headers)
        assert [each["day"] for each in answer["classes"]] == [each["day"] for each in whole["classes"]]
        found = shown(trust, answer["batch_id"])
        assert found["complete"]
        assert made(trust, given, headers=headers) == answer


def test_what_died_half_way_shows_what_is_missing_and_is_finished_on_demand(trust, four_at_a_time):
    with dying_after(1):
        made(trust, body(TWELVE), 503, headers=ONCE)
    (batch,) = {row.pk.rpartition("#")[2] for row in Record.scan() if "#BAT#" in row.pk}
    found = shown(trust, batch)
    assert (found["complete"], sum(each["written"] for each in found["classes"])) == (False, 4)
    finished = trust.post(f"{ROUTE}/{batch}/completion", as_=ADMINISTRATOR)
    assert (finished.status_code, finished.json_body["complete"]) == (200, True)
    before = rows()
    again = trust.post(f"{ROUTE}/{batch}/completion", as_=ADMINISTRATOR)
    assert (again.json_body["complete"], rows()) == (True, before)
    assert made(trust, body(TWELVE), headers=ONCE)["batch_id"] == batch
    answers = [row for row in Record.scan() if isinstance(row, IdempotencyRow)]
    assert len(answers) == 1, "the answer is kept though there was nothing left to write"


def test_a_preview_tells_that_enrolment_is_closed_before_it_opens_and_that_the_course_is_a_draft(trust):
    b.offered(course_id="504-drill", title="Drill", status=CourseStatus.DRAFT)
    soon = {"repeats": "listed", "days": ["2026-11-30", "2027-01-12"]}
    found = preview(trust, body(soon, course_id="504-drill", enrol_closes_days_before=30))["classes"]
    assert [[each["kind"] for each in one["cautions"]] for one in found] == [
        ["nobody can enrol", "course not live"],
        ["course not live"],
    ]


def test_finishing_tells_the_cautions_that_were_accepted(trust, four_at_a_time):
    given = body({"repeats": "listed", "days": ["2026-11-02", *DAYS]}, maximum=21, accept_cautions=True)
    with dying_after(1):
        made(trust, given, 503, headers=ONCE)
    told = [each["cautions"] for each in made(trust, given, headers=ONCE)["classes"]]
    assert told == [["in the past", "venue too small"], *[["venue too small"]] * len(DAYS)]


def test_a_lost_answer_does_not_make_the_classes_twice(trust):
    with failing_calls("TransactWriteItems", "InternalServerError", after=True):
        first = made(trust, body(), headers=ONCE)  # the wrapper looks whether it was done after all
    before = {pk for pk, _ in rows() if "#CLS#" in pk}
    assert made(trust, body(), headers=ONCE) == first
    assert {pk for pk, _ in rows() if "#CLS#" in pk} == before
    assert len(before) == 3


def test_two_that_make_the_same_at_once_make_it_once(trust, four_at_a_time):
    answers = []
    with before_commit(lambda: answers.append(made(trust, body(TWELVE), headers=ONCE))):
        answers.append(made(trust, body(TWELVE), headers=ONCE))
    first, second = answers
    assert first == second
    assert len({pk for pk, _ in rows() if "#CLS#" in pk}) == 12


def test_two_that_use_one_key_for_two_requests_at_once_do_not_mix(trust, four_at_a_time):
    with before_commit(lambda: made(trust, body(TWELVE), headers=ONCE)):
        made(trust, body({**TWELVE, "starts_on": "2028-01-03"}), 422, headers=ONCE)
    days = {each["planned_for"][:4] for each in shown(trust, batch_of_key())["classes"]}
    assert days == {"2027"}
    starts = {row.starts_at.year for row in Record.scan() if row.sk == keys.SEATS}
    assert starts == {2027}


def batch_of_key():
    (batch,) = {row.pk.rpartition("#")[2] for row in Record.scan() if "#BAT#" in row.pk}
    return batch


def test_collisions_are_tried_again(trust, four_at_a_time):
    with colliding_transactions(2):
        assert shown(trust, made(trust, body(TWELVE))["batch_id"])["complete"]


# --- what is wrong ------------------------------------------------------------------------------------------


def test_whatever_is_missing_or_wrong_is_named(trust):
    missing = preview(trust, {"pattern": OVER_EASTER}, 400)
    assert set(wrong(missing)) == {"body.course_id", "body.offering", "body.sessions", "body.maximum"}
    for given, field in (
        (body(course_id="504-none"), "body.course_id"),
        (body(offering="none"), "body.offering"),
        (body(venue="none"), "body.venue"),
        (body(instructor="p1"), "body.instructor"),
        (body(only_units=["none"]), "body.only_units[0]"),
        (body(minimum=20), "body.maximum"),
        (body(link="https://meet.invalid"), "body.link"),
        (body(status="closed"), "body.status"),
        (body(sessions=[]), "body.sessions"),
        (body(sessions=[{"from": "12:00", "until": "09:00"}]), "body.sessions[0]"),
        (body(sessions=[MORNING, MORNING]), "body.sessions[1]"),
        (body(sessions=[{"day_offset": 1, **MORNING}]), "body.sessions[0].day_offset"),
        (body(sessions=[MORNING, {"day_offset": 999, **MORNING}]), "body.sessions[1].day_offset"),
        (body(sessions=[{"from": "9", "until": "12:00"}]), "body.sessions[0].from"),
        (body(enrol_opens_days_before=1, enrol_closes_days_before=9), "body.enrol_closes_days_before"),
        (body(enrol_opens_days_before=-1), "body.enrol_opens_days_before"),
        (body({"repeats": "yearly", "starts_on": "2027-01-01"}), "body.pattern.repeats"),
        (body({**OVER_EASTER, "every": 0}), "body.pattern.every"),
        (body({**OVER_EASTER, "count": 101}), "body.pattern.count"),
        (body({**OVER_EASTER, "weekdays": ["moonday"]}), "body.pattern.weekdays"),
        (body({"repeats": "weekly", "starts_on": "2027-03-22", "until": "2027-03-01"}), "body.pattern.until"),
        (body({"repeats": "daily", "starts_on": "2027-03-22", "until": "2030-03-01"}), "body.pattern.until"),
        (body({"repeats": "listed", "days": ["2027-03-29"]}), "body.pattern"),
        (body({"repeats": "listed"}), "body.pattern.days"),
    ):
        named = wrong(preview(trust, given, 400))
        assert any(each.startswith(field) for each in named), (field, named)
        assert wrong(made(trust, given, 400)) == named


def test_ten_thousand_days_are_refused_by_name(trust):
    days = [date.fromordinal(date(2027, 1, 1).toordinal() + number).isoformat() for number in range(10_000)]
    refused = wrong(preview(trust, body({"repeats": "listed", "days": days}), 400))
    assert refused["body.pattern.days"].startswith("has more than 100")


def test_a_pattern_whose_sessions_always_meet_a_bank_holiday_gives_no_class_and_says_why(trust):
    mondays = [MORNING, *({"day_offset": 7 * week, **MORNING} for week in range(1, 25))]
    given = body({"repeats": "weekly", "starts_on": "2027-03-01", "until": "2027-05-24"}, sessions=mondays)
    refused = wrong(preview(trust, given, 400))["body.pattern"]
    assert refused.startswith("gives no class. Monday 29 March 2027 is Easter Monday. Monday 29 March")


def test_what_is_kept_for_a_repetition_stays_short_whatever_is_in_the_way(trust):
    week = [{"day_offset": day, **MORNING} for day in range(6)]
    given = body({"repeats": "daily", "starts_on": "2027-01-11", "count": 6}, sessions=week, accept_cautions=True)
    assert len(preview(trust, given)["classes"][0]["cautions"]) == 5
    assert {tuple(each["cautions"]) for each in made(trust, given, headers=ONCE)["classes"]} == {("venue taken",)}


def test_e_learning_is_not_scheduled(trust):
    b.offered(course_id="504-online", offerings=(Offering("e", Mode.E_LEARNING),))
    assert "body.sessions" in wrong(preview(trust, body(course_id="504-online", offering="e"), 400))


# --- all together -------------------------------------------------------------------------------------------


def change(api, batch, status=200, **given):
    answer = api.call("PATCH", f"{ROUTE}/{batch}", body=given, as_=ADMINISTRATOR)
    assert answer.status_code == status, answer.json_body
    return answer.json_body


def test_every_class_still_to_come_is_changed_and_the_past_is_left(trust, clock):
    batch = made(trust, body())["batch_id"]
    clock.now = london_time(date(2027, 3, 23), 9)
    found = change(trust, batch, venue="small", maximum=6, sessions=[{"from": "13:30", "until": "15:00"}])
    assert (found["done"], found["refused"]) == (2, 0)
    after = [class_with_seats(f"504-{batch}-00{number}")[0] for number in (1, 2, 3)]
    assert [each.venue for each in after] == ["seminar-1", "small", "small"]
    assert [each.starts_at for each in after] == [
        london_time(date(2027, 3, 22), 9),
        london_time(date(2027, 4, 5), 13, 30),
        london_time(date(2027, 4, 12), 13, 30),
    ]
    assert after[1].maximum == 6


def test_enrolment_of_every_class_opens_and_closes_otherwise(trust):
    batch = made(trust, body(enrol_opens_days_before=60, enrol_closes_days_before=1))["batch_id"]
    found = change(trust, batch, enrol_opens_days_before=30, enrol_closes_days_before=None)
    assert (found["done"], found["refused"]) == (3, 0)
    third = class_with_seats(f"504-{batch}-003")[0]
    assert (third.enrol_from, third.enrol_until) == (date(2027, 3, 13), None)
    assert change(trust, batch, maximum=9)["done"] == 3
    assert class_with_seats(third.id)[0].enrol_from == date(2027, 3, 13)
    refused = change(trust, batch, enrol_closes_days_before=31)["classes"][0]["why_not"]
    assert wrong(refused) == {"body.enrol_closes_days_before": "lies before enrol_from"}


def test_repeating_a_change_changes_nothing_more(trust):
    batch = made(trust, body())["batch_id"]
    change(trust, batch, title="Fire Drill")
    before = class_with_seats(f"504-{batch}-001")
    assert before[0].title == "Fire Drill"
    assert change(trust, batch, title="Fire Drill")["done"] == 3
    assert class_with_seats(f"504-{batch}-001") == before


def test_a_class_that_refuses_is_told_and_the_others_are_changed(trust):
    batch = made(trust, body())["batch_id"]
    classes.add_class(SYSTEM, b.class_(sessions=[b.session(date(2027, 4, 5), 13)], venue="seminar-1"), NOW)
    found = change(trust, batch, sessions=[{"from": "13:00", "until": "15:00"}])
    assert (found["done"], found["refused"]) == (2, 1)
    refused = found["classes"][1]
    assert (refused["done"], kind(refused["why_not"])) == (False, "class-cautions")
    assert class_with_seats(refused["class_id"])[0].sessions[0].starts_at == london_time(date(2027, 4, 5), 9)
    assert change(trust, batch, sessions=[{"from": "13:00", "until": "15:00"}], accept_cautions=True)["done"] == 3


def test_each_class_may_be_edited_by_itself_afterwards(trust):
    batch = made(trust, body())["batch_id"]
    class_id = f"504-{batch}-002"
    edited = trust.call(
        "PATCH", f"/v1/classes/{class_id}", body={"revision": 1, "maximum": 3, "minimum": 1}, as_=ADMINISTRATOR
    )
    assert edited.status_code == 200
    assert [each["maximum"] for each in shown(trust, batch)["classes"]] == [12, 3, 12]


def test_every_class_still_to_come_is_cancelled_with_one_reason(trust, clock):
    batch = made(trust, body())["batch_id"]
    login = b.person(1)
    assert trust.post("/v1/me/enrolments", {"class_id": f"504-{batch}-002"}, as_=login).status_code == 201
    clock.now = london_time(date(2027, 3, 23), 9)
    cancelled = trust.post(f"{ROUTE}/{batch}/cancellation", {"reason": "Flooded."}, as_=ADMINISTRATOR)
    assert (cancelled.status_code, cancelled.json_body["done"]) == (200, 2)
    assert [each["status"] for each in shown(trust, batch)["classes"]] == ["normal", "cancelled", "cancelled"]
    assert class_with_seats(f"504-{batch}-003")[0].reason == "Flooded."
    again = trust.post(f"{ROUTE}/{batch}/cancellation", {"reason": "Flooded."}, as_=ADMINISTRATOR)
    assert again.json_body == {"done": 0, "refused": 0, "classes": []}
    assert len(list(EnrolmentRow.query(keys.person("p1"), EnrolmentRow.sk.startswith("E#504#ENR#")))) == 1


# --- whose --------------------------------------------------------------------------------------------------


def test_class_administrators_schedule_in_their_subjects_alone(trust):
    fire = b.person(2, role="class_administrator", subjects=["fire"])
    moving = b.person(3, role="class_administrator", subjects=["moving"])
    batch = made(trust, body(), as_=fire)["batch_id"]
    assert kind(preview(trust, body(), 404, as_=moving)) == "not-found"
    assert kind(made(trust, body(), 404, as_=moving)) == "not-found"
    for method, path in (("GET", ""), ("POST", "/completion"), ("PATCH", ""), ("POST", "/cancellation")):
        given = {"PATCH": {"title": "x"}, "POST": {"reason": "x"} if "cancel" in path else None}.get(method)
        answer = trust.call(method, f"{ROUTE}/{batch}{path}", body=given, as_=moving)
        assert (answer.status_code, kind(answer.json_body)) == (404, "not-found"), path
        facts = answer.json_body["facts"], answer.json_body["detail"]
        assert facts == ({"batch": batch}, "There is no such schedule."), "it does not tell that there is one"


def listed(api, as_=ADMINISTRATOR, **query):
    answer = api.get(f"{ROUTE}?{urlencode(query)}", as_=as_)
    assert answer.status_code == 200, answer.json_body
    return answer.json_body


def test_schedules_are_listed_newest_first_within_the_callers_subjects(trust, clock, four_at_a_time):
    fire = b.person(2, role="class_administrator", subjects=["fire"])
    moving = b.person(3, role="class_administrator", subjects=["moving"])
    stranger = b.person(5, employer="505", role="learning_administrator")
    b.offered(course_id="504-moving", subject="moving")
    assert listed(trust) == {"schedules": [], "next_cursor": None}
    batches = []
    for number, course in enumerate(("504-fire", "504-moving", "504-fire"), 1):
        clock.now = NOW + timedelta(minutes=number)
        given = body(course_id=course, title=f"Class {number}", accept_cautions=True)
        batches.append(made(trust, given)["batch_id"])
    clock.now += timedelta(minutes=1)
    with dying_after(1):
        made(trust, body(TWELVE, accept_cautions=True), 503, headers=ONCE)
    found = listed(trust)["schedules"]
    assert [each["batch_id"] for each in found[1:]] == batches[::-1]
    assert [each["complete"] for each in found] == [False, True, True, True]
    assert (found[0]["total"], found[0]["pattern"]) == (12, "Every day from 4 January 2027, 12 classes")
    assert found[1] == {
        **{"batch_id": batches[2], "course_id": "504-fire", "course": "Fire Safety", "title": "Class 3"},
        **{"pattern": "Every week on Monday from 22 March 2027, 3 classes", "total": 3, "complete": True},
        **{"first_day": "2027-03-22", "last_day": "2027-04-12", "made_by": "p9", "made_at": "2026-11-23T10:03:00Z"},
    }
    assert [each["batch_id"] for each in listed(trust, moving)["schedules"]] == [batches[1]]
    assert [len(listed(trust, each)["schedules"]) for each in (fire, stranger)] == [3, 0]
    page, pages = listed(trust, fire, limit="2"), []
    while pages.append([each["title"] for each in page["schedules"]]) or page["next_cursor"]:
        page = listed(trust, fire, limit="2", cursor=page["next_cursor"])
    assert pages == [["Fire Safety", "Class 3"], ["Class 1"]]


def test_a_schedule_of_another_employer_is_not_found(trust):
    batch = made(trust, body())["batch_id"]
    stranger = b.person(5, employer="505", role="learning_administrator")
    answer = trust.get(f"{ROUTE}/{batch}", as_=stranger)
    assert (answer.status_code, kind(answer.json_body)) == (404, "not-found")


def test_an_employer_schedules_its_own_classes_of_a_national_course(trust):
    b.offered(course_id="NHS-moving", subject="moving")
    answer = made(trust, body(course_id="NHS-moving"))
    assert answer["classes"][0]["class_id"].startswith("504-")
