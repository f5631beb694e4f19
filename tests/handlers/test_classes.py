"""Classes through HTTP: made, changed by two at once, copied, cancelled and listed, by whoever may and nobody else."""

from collections import Counter
from datetime import date, timedelta

import pytest

from chalicelib.domain.catalogue import CourseStatus, Mode, Offering, Subject, Venue
from chalicelib.domain.enrolment import Status
from chalicelib.storage.catalogue import CourseRow, SubjectRow, VenueRow
from tests import builders as b
from tests import seams

ADA, BEN, CARA, INA = "504-90", "504-91", "504-92", "504-93"
DECEMBER = {"day": "2026-12-01", "from": "09:00", "until": "12:00"}
NEW = {
    "course_id": "504-fire",
    "offering": "classroom",
    "sessions": [DECEMBER],
    "minimum": 4,
    "maximum": 12,
    "venue": "room-1",
}


@pytest.fixture(name="trust")
def _trust(api):
    """Ada and Ben keep the catalogue, Cara the classes of fire safety and below, Ina teaches."""
    b.trust()
    SubjectRow.of("504", Subject("drills", "Drills", "fire")).save()
    for venue in (
        Venue("room-1", "Seminar Room 1", 15),
        Venue("room-2", "Small Room", 8),
        Venue("old", "Hut", 9, "", False),
    ):
        VenueRow.of("504", venue).save()
    b.offered()
    b.offered(course_id="504-drill", title="Evacuation drill", subject="drills")
    b.offered(course_id="504-hoist", title="Hoists", subject="moving")
    b.offered(
        course_id="NHS-moving",
        title="Moving and Handling",
        subject="moving",
        offerings=(Offering("classroom", Mode.CLASSROOM),),
    )
    b.person(90, assignments=(), role="learning_administrator")
    b.person(91, assignments=(), role="learning_administrator")
    b.person(92, assignments=(), role="class_administrator", subjects=["fire"])
    b.person(93, assignments=(), role="instructor")
    b.person(1)
    return api


def made(api, as_=ADA, answers=201, **changes):
    answer = api.post("/v1/classes", {**NEW, **changes}, as_=as_)
    assert answer.status_code == answers, answer.body
    return answer.json_body


def changed(api, class_, as_=ADA, answers=200, **fields):
    body = {"revision": class_["revision"], **fields}
    answer = api.call("PATCH", f"/v1/classes/{class_['id']}", body=body, as_=as_)
    assert answer.status_code == answers, answer.body
    return answer.json_body


def wrong(answer):
    assert answer["type"].endswith("invalid-request")
    return {each["field"].removeprefix("body."): each["reason"] for each in answer["errors"]}


# --- making -------------------------------------------------------------------------------------------------


def test_a_class_is_made_and_can_be_found_and_booked(trust):
    class_ = made(trust, instructor="p93", only_units=["ward-9"], joining_instructions="Bring a pen.")
    assert class_["id"].startswith("504-")
    assert (class_["title"], class_["status"], class_["free"], class_["revision"]) == ("Fire Safety", "normal", 12, 1)
    assert class_["sessions"] == [{**DECEMBER, "starts_at": "2026-12-01T09:00:00Z", "ends_at": "2026-12-01T12:00:00Z"}]
    assert trust.get(f"/v1/classes/{class_['id']}/details", as_=BEN).json_body == class_
    assert trust.post("/v1/me/enrolments", {"class_id": class_["id"]}, as_="504-1").status_code == 201


def test_nine_in_the_morning_is_nine_in_the_morning_on_both_sides_of_the_clock_change(trust):
    days = [{**DECEMBER, "day": day} for day in ("2027-03-24", "2027-03-31")]
    starts = [each["starts_at"] for each in made(trust, sessions=days)["sessions"]]
    assert starts == ["2027-03-24T09:00:00Z", "2027-03-31T08:00:00Z"]


def test_a_repetition_with_the_same_key_makes_one_class(trust):
    answers = [trust.post("/v1/classes", NEW, as_=ADA, headers={"Idempotency-Key": "k1"}) for _ in range(2)]
    assert answers[0].json_body == answers[1].json_body
    assert len(trust.get("/v1/classes?from=2026-12-01", as_=ADA).json_body["classes"]) == 1


def test_every_wrong_field_of_a_class_is_named(trust):
    backwards = {**DECEMBER, "from": "12:00", "until": "09:00"}
    cases = [
        ({"sessions": [backwards]}, {"sessions[0]": "ends before it starts"}),
        ({"sessions": []}, {"sessions": "a class needs at least one"}),
        (
            {"sessions": [DECEMBER, {**DECEMBER, "from": "11:00", "until": "13:00"}]},
            {"sessions[1]": "begins before the one before it has ended"},
        ),
        (
            {"sessions": [{"day": "2027-03-28", "from": "01:30", "until": "03:00"}]},
            {"sessions[0]": "the clocks skip 01:30 on Sunday 28 March 2027"},
        ),
        ({"maximum": 3}, {"maximum": "is below the minimum"}),
        ({"maximum": None}, {"maximum": "a class with dates needs one"}),
        (
            {"venue": "nowhere", "only_units": ["ward-9", "mars"], "instructor": "p1"},
            {
                "venue": "is not in the register of venues",
                "only_units[1]": "is not a unit of this employer",
                "instructor": "holds no instructor's role at this employer",
            },
        ),
        ({"venue": "old"}, {"venue": "is out of use"}),
        ({"enrol_from": "2026-12-02", "enrol_until": "2026-12-01"}, {"enrol_until": "lies before enrol_from"}),
        ({"enrol_until": "9999-12-31"}, {"enrol_until": "lies outside 1900-01-01 to 2199-12-31"}),
        ({"only_units": ["ward-9", "ward-9"]}, {"only_units[1]": "is named twice"}),
        ({"offering": "carrier-pigeon"}, {"offering": "is not an offering of this course"}),
        ({"course_id": "504-none"}, {"course_id": "is not in the catalogue"}),
        ({"status": "closed"}, {"status": "of a new class is planned or normal"}),
        (
            {"offering": "e-learning"},
            {
                "sessions": "e-learning has no dates",
                "maximum": "e-learning has places without limit",
                "venue": "e-learning has no venue",
            },
        ),
        ({"link": "https://meet.test/1"}, {"link": "is for what is held online"}),
    ]
    for changes, expected in cases:
        assert wrong(made(trust, answers=400, **changes)) == expected, changes
    for changes in ({"link": "javascript:alert(1)"}, {"sessions": [{**DECEMBER, "from": "9:00"}]}, {"maximum": 0}):
        made(trust, answers=400, **changes)
    assert trust.get("/v1/classes?from=2026-12-01", as_=ADA).json_body["classes"] == []


def test_what_is_read_by_people_is_visible_and_holds_nothing_hidden(trust):
    hidden = ("\0", "a\x07b", "a\x9bb", "a\u2028b", "\u202e evil", "\u2066a")
    for title in ("   ", "\u200b", "a\nb", "a\r\nBcc: x", "a\n", *hidden):
        assert list(wrong(made(trust, answers=400, title=title))) == ["title"], repr(title)
    for text in hidden:
        assert list(wrong(made(trust, answers=400, joining_instructions=text))) == ["joining_instructions"], repr(text)
    class_ = made(trust, title="Łódź – 2°", joining_instructions="One.\n\tTwo.\n")
    assert (class_["title"], class_["joining_instructions"]) == ("Łódź – 2°", "One.\n\tTwo.\n")
    for reason in (*hidden, "\n"):
        answer = trust.post(f"/v1/classes/{class_['id']}/cancellation", {"reason": reason}, as_=ADA)
        assert list(wrong(answer.json_body)) == ["reason"], repr(reason)


def test_a_night_shift_is_held_until_the_next_day(trust):
    night = {"day": "2026-12-01", "from": "22:00", "until": "02:00"}
    assert wrong(made(trust, answers=400, sessions=[night])) == {"sessions[0]": "ends before it starts"}
    class_ = made(trust, sessions=[{**night, "until_day": "2026-12-02"}])
    assert class_["ends_at"] == "2026-12-02T02:00:00Z"
    assert class_["sessions"][0].items() >= {**night, "until_day": "2026-12-02"}.items()
    for until_day, reason in (("2026-12-03", "is longer than a day"), ("2026-11-30", "ends before it starts")):
        late = {**night, "until_day": until_day}
        assert wrong(made(trust, answers=400, sessions=[late])) == {"sessions[0]": reason}
    assert list(wrong(made(trust, answers=400, sessions=[{**night, "until_day": "9999-12-31"}]))) == ["sessions[0]"]
    copy = trust.post(f"/v1/classes/{class_['id']}/copy", {"day": "2026-12-08"}, as_=ADA).json_body
    assert copy["sessions"][0]["until_day"] == "2026-12-09"


def test_a_withdrawn_course_gets_no_new_class_and_a_draft_one_with_a_warning(trust):
    class_ = made(trust)
    for status, expected in ((CourseStatus.DRAFT, 201), (CourseStatus.WITHDRAWN, 400)):
        b.offered(course_id=f"504-{status.value}", status=status)
        answer = made(trust, answers=expected, course_id=f"504-{status.value}", venue=None)
        if expected == 201:
            assert [each["kind"] for each in answer["warnings"]] == ["course not live"]
        else:
            assert wrong(answer) == {"course_id": "is withdrawn"}
    CourseRow.of(b.course(status=CourseStatus.WITHDRAWN)).save()
    b.classes.rules.forget()
    assert changed(trust, class_, minimum=3)["minimum"] == 3  # what is wrong already is left alone


def test_two_who_take_one_room_at_the_same_moment_see_it_afterwards(trust):
    others = []
    with seams.before_commit(lambda: others.append(made(trust, as_=BEN, title="Ben's"))):
        mine = made(trust, title="Ada's")
    assert mine["warnings"] == others[0]["warnings"] == []
    for class_, other in ((mine, others[0]), (others[0], mine)):
        told = trust.get(f"/v1/classes/{class_['id']}/details", as_=ADA).json_body["warnings"]
        assert [(each["kind"], each["facts"]["class"]) for each in told] == [("venue taken", other["id"])]


def test_clashes_are_looked_for_with_two_queries_and_only_if_something_could_clash(trust):
    days = [{**DECEMBER, "day": (date(2027, 1, 4) + timedelta(days=number)).isoformat()} for number in range(30)]
    class_ = made(trust, sessions=days, instructor="p93")
    queries = Counter()

    def counted(call, operation, request):
        queries[request.get("IndexName")] += operation == "Query"
        return call(operation, request)

    with seams.intercepted(counted):
        class_ = changed(trust, class_, minimum=2)
        assert not queries["gsi1"] + queries["gsi2"]
        changed(trust, class_, sessions=days[1:])
    assert (queries["gsi1"], queries["gsi2"]) == (1, 1)


def test_a_taken_venue_or_instructor_and_a_small_venue_are_refused_unless_accepted(trust):
    first = made(trust, instructor="p93")
    late = {**DECEMBER, "from": "11:00", "until": "13:00"}
    refused = made(trust, answers=409, sessions=[late], instructor="p93")
    assert refused["type"].endswith("class-cautions")
    assert refused["detail"].startswith(
        "Seminar Room 1 is taken by another class on Tuesday 1 December 2026, 09:00 to 12:00."
    )
    assert [each["kind"] for each in refused["facts"]["cautions"]] == ["venue taken", "instructor taken"]
    assert {each["class"] for each in refused["facts"]["cautions"]} == {first["id"]}
    small = made(trust, answers=409, sessions=[late], venue="room-2")
    assert small["detail"] == "Small Room holds 8 people, and the class has 12 places."
    accepted = made(trust, sessions=[late], instructor="p93", accept_cautions=True)
    assert [each["kind"] for each in accepted["warnings"]] == ["venue taken", "instructor taken"]
    touching = {**DECEMBER, "from": "13:00", "until": "14:00"}
    assert made(trust, sessions=[touching], instructor="p93")["warnings"] == []
    # What was accepted once is not asked again, and what a cancelled class held is free.
    assert changed(trust, accepted, minimum=2)["minimum"] == 2
    trust.post(f"/v1/classes/{first['id']}/cancellation", {"reason": "Snow."}, as_=ADA)
    assert made(trust, sessions=[{**DECEMBER, "until": "10:30"}], instructor="p93")["warnings"] == []


def test_a_class_in_the_past_may_be_recorded(trust):
    past = made(trust, sessions=[{**DECEMBER, "day": "2026-11-02"}])
    assert [each["kind"] for each in past["warnings"]] == ["in the past"]


# --- who may ------------------------------------------------------------------------------------------------


def test_a_class_administrator_works_in_their_subjects_and_below_and_nowhere_else(trust):
    assert made(trust, as_=CARA)["course_id"] == "504-fire"
    assert made(trust, as_=CARA, course_id="504-drill", venue=None)["course_id"] == "504-drill"
    made(trust, as_=CARA, answers=404, course_id="504-hoist")
    hoists = made(trust, course_id="504-hoist", venue=None)
    changed(trust, hoists, as_=CARA, answers=404, minimum=1)
    assert trust.get(f"/v1/classes/{hoists['id']}/details", as_=CARA).status_code == 404
    assert trust.post(f"/v1/classes/{hoists['id']}/cancellation", {"reason": "x"}, as_=CARA).status_code == 404
    assert trust.post(f"/v1/classes/{hoists['id']}/copy", {"day": "2027-01-05"}, as_=CARA).status_code == 404
    courses = {each["course_id"] for each in trust.get("/v1/classes?from=2026-12-01", as_=CARA).json_body["classes"]}
    assert courses == {"504-fire", "504-drill"}


def test_an_employer_holds_classes_of_a_national_course_but_leaves_national_classes_alone(trust):
    b.classes.add_class(b.SYSTEM, b.class_("NHS-m1", course="NHS-moving"), b.NOW)
    own = made(trust, course_id="NHS-moving")
    assert own["id"].startswith("504-")
    refused = changed(trust, {"id": "NHS-m1", "revision": 1}, answers=403, minimum=1)
    assert refused["type"].endswith("not-your-item")


def test_an_instructor_sees_their_own_classes_and_changes_none(trust):
    mine = made(trust, instructor="p93")
    made(trust, sessions=[{**DECEMBER, "from": "13:00", "until": "14:00"}])
    listed = trust.get("/v1/classes?from=2026-12-01", as_=INA).json_body["classes"]
    assert [each["id"] for each in listed] == [mine["id"]]
    changed(trust, mine, as_=INA, answers=403, minimum=1)


# --- changing -----------------------------------------------------------------------------------------------


def test_of_two_administrators_the_second_gets_both_versions(trust):
    class_ = made(trust)
    changed(trust, class_, title="Fire Safety for wards")
    outdated = changed(trust, class_, as_=BEN, answers=409, title="Fire drills", maximum=14)
    assert outdated["type"].endswith("outdated")
    current = outdated["facts"]["current"]
    assert current == trust.get(f"/v1/classes/{class_['id']}/details", as_=BEN).json_body
    assert (current["title"], current["revision"]) == ("Fire Safety for wards", 2)
    assert outdated["facts"]["yours"]["title"] == "Fire drills"
    assert changed(trust, current, as_=BEN, title="Fire drills", maximum=14)["maximum"] == 14


def test_two_administrators_at_the_same_moment_do_not_overwrite_each_other(trust):
    class_ = made(trust)
    with seams.before_commit(lambda: changed(trust, class_, as_=BEN, title="Ben's")):
        assert changed(trust, class_, answers=409, title="Ada's")["facts"]["current"]["title"] == "Ben's"


def test_a_booking_in_between_does_not_make_an_edit_outdated(trust):
    class_ = made(trust)
    with seams.before_commit(lambda: trust.post("/v1/me/enrolments", {"class_id": class_["id"]}, as_="504-1")):
        assert changed(trust, class_, title="Fire")["revision"] == 2
    assert trust.get(f"/v1/classes/{class_['id']}/details", as_=ADA).json_body["taken"] == 1


def test_what_is_left_out_stays_and_what_is_null_goes(trust):
    class_ = made(trust, instructor="p93", enrol_until="2026-11-30", only_units=["ward-9"])
    after = changed(trust, class_, venue=None, enrol_until=None, only_units=[])
    gone = {"venue": None, "enrol_until": None, "only_units": [], "revision": 2, "job": after["job"]}
    assert after == {**class_, **gone}
    assert changed(trust, after, minimum=4)["revision"] == 2  # nothing changed


def test_a_list_by_need_is_asked_for_kept_copied_and_taken_back(trust):
    plain, class_ = made(trust), made(trust, by_need=True, accept_cautions=True)
    assert (plain["by_need"], class_["by_need"]) == (False, True)
    copy = trust.post(f"/v1/classes/{class_['id']}/copy", {"day": "2027-03-30"}, as_=ADA).json_body
    assert copy["by_need"]
    after = changed(trust, class_, by_need=False)
    assert (after["by_need"], bool(after["job"])) == (False, True)
    assert not trust.get(f"/v1/classes/{class_['id']}/details", as_=ADA).json_body["by_need"]


def test_sessions_are_replaced_as_a_whole(trust):
    days = [{**DECEMBER, "day": f"2026-12-0{day}"} for day in (1, 2, 3)]
    class_ = made(trust, sessions=days)
    after = changed(trust, class_, sessions=[{**DECEMBER, "day": "2027-01-05"}])
    assert [each["day"] for each in after["sessions"]] == ["2027-01-05"]
    assert after["starts_at"] == "2027-01-05T09:00:00Z"
    assert made(trust, sessions=days)["warnings"] == []  # the days left are free again
    assert [each["id"] for each in trust.get("/v1/classes?from=2027-01-01", as_=ADA).json_body["classes"]] == [
        class_["id"]
    ]


def test_a_class_with_a_venue_gone_out_of_use_may_be_renamed_but_not_moved_into_another_such(trust):
    class_ = made(trust)
    VenueRow.of("504", Venue("room-1", "Seminar Room 1", 15, "", False)).save()
    b.classes.rules.forget()
    assert changed(trust, class_, title="Fire")["title"] == "Fire"
    assert wrong(changed(trust, {**class_, "revision": 2}, answers=400, venue="old")) == {"venue": "is out of use"}


def test_states_move_as_the_rules_say(trust):
    class_ = made(trust)
    for status in ("planned", "closed", "normal"):
        class_ = changed(trust, class_, status=status)
        assert class_["status"] == status
    for status in ("full", "cancelled"):
        assert list(wrong(changed(trust, class_, answers=400, status=status))) == ["status"]
    cancelled = trust.post(f"/v1/classes/{class_['id']}/cancellation", {"reason": " Snow. "}, as_=ADA).json_body
    assert (cancelled["status"], cancelled["reason"]) == ("cancelled", "Snow.")
    assert changed(trust, cancelled, answers=409, title="x")["type"].endswith("class-cancelled")
    assert trust.post(f"/v1/classes/{class_['id']}/cancellation", {"reason": "  "}, as_=ADA).status_code == 400


def test_what_people_did_on_a_class_that_is_over_is_not_cancelled_unawares(trust):
    past = {**DECEMBER, "day": "2026-11-02"}
    classes = [made(trust, sessions=[past], venue=None) for _ in range(3)]
    statuses = (Status.COMPLETED, Status.CONFIRMED)
    for number, (class_, status) in enumerate(zip(classes, statuses, strict=False), 11):
        on = b.class_(class_["id"], sessions=[b.session(date(2026, 11, 2))])
        b.person(number, enrolments=[b.enrolment(status, at=on, person=f"p{number}")])

    def cancel(class_, **more):
        return trust.post(f"/v1/classes/{class_['id']}/cancellation", {"reason": "Not held.", **more}, as_=ADA)

    held, unsure, empty = classes
    for more in ({}, {"accept_cautions": True}):
        refused = cancel(held, **more).json_body
        assert (refused["type"].rpartition(":")[2], refused["facts"]) == ("class-held", {"outcomes": 1})
    refused = cancel(unsure).json_body
    assert refused["type"].endswith("class-cautions")
    assert refused["facts"]["cautions"] == [{"kind": "in the past", "taken": 1, "waiting": 0}]
    assert cancel(unsure, accept_cautions=True).json_body["status"] == "cancelled"
    assert cancel(empty).json_body["status"] == "cancelled"


def test_whoever_changes_a_class_follows_what_becomes_of_it_and_nothing_else(trust):
    fire, hoists = made(trust), made(trust, course_id="504-hoist", venue=None)
    mine = changed(trust, fire, as_=CARA, venue=None)["job"]
    others = changed(trust, hoists, sessions=[{**DECEMBER, "day": "2026-12-02"}])["job"]
    counting = trust.post("/v1/jobs/reconciliation", as_=ADA).json_body["job_id"]
    shown = trust.get(f"/v1/jobs/{mine}", as_=CARA)
    assert (shown.status_code, shown.json_body["kind"]) == (200, "class change")
    for job in (others, counting, "01JDZZZZZZZZZZZZZZZZZZZZZZ"):
        answer = trust.get(f"/v1/jobs/{job}", as_=CARA)
        assert (answer.status_code, answer.json_body["facts"]) == (404, {"job": job})
        assert trust.get(f"/v1/jobs/{job}", as_=INA).status_code == 403
    assert trust.get(f"/v1/jobs/{others}", as_=ADA).status_code == 200


# --- copying ------------------------------------------------------------------------------------------------


def test_a_copy_keeps_times_and_gaps_across_the_clock_change_and_takes_nobody_over(trust):
    days = [{**DECEMBER, "day": "2027-03-23"}, {**DECEMBER, "day": "2027-03-25", "from": "13:00", "until": "16:30"}]
    class_ = made(trust, sessions=days, enrol_until="2027-03-16", only_units=["ward-9"])
    trust.post("/v1/me/enrolments", {"class_id": class_["id"]}, as_="504-1")
    answer = trust.post(f"/v1/classes/{class_['id']}/copy", {"day": "2027-03-30"}, as_=ADA)
    copy = answer.json_body
    assert answer.status_code == 201
    civil = [(each["day"], each["from"], each["until"], each["starts_at"]) for each in copy["sessions"]]
    assert civil == [
        ("2027-03-30", "09:00", "12:00", "2027-03-30T08:00:00Z"),
        ("2027-04-01", "13:00", "16:30", "2027-04-01T12:00:00Z"),
    ]
    assert (copy["enrol_until"], copy["only_units"], copy["taken"]) == ("2027-03-23", ["ward-9"], 0)
    assert copy["id"] != class_["id"]


def test_a_copy_takes_something_else_in_place_of_what_is_possible_no_more(trust):
    class_ = made(trust, instructor="p93", enrol_until="2026-11-30")
    VenueRow.of("504", Venue("room-1", "Seminar Room 1", 15, "", False)).save()
    b.classes.rules.forget()

    def copy(answers=201, **more):
        answer = trust.post(f"/v1/classes/{class_['id']}/copy", {"day": "2026-12-08", **more}, as_=ADA)
        assert answer.status_code == answers, answer.body
        return answer.json_body

    assert wrong(copy(400)) == {"venue": "is out of use"}
    other = copy(venue="room-2", maximum=8, title="Again", enrol_until=None)
    assert (other["venue"], other["maximum"], other["title"]) == ("room-2", 8, "Again")
    assert (other["instructor"], other["enrol_until"], other["minimum"]) == ("p93", None, 4)
    assert wrong(copy(400, venue=None, sessions=[DECEMBER])) == {"sessions": "is not known here"}


def test_a_class_that_is_open_for_ever_is_copied(trust):
    b.classes.add_class(b.SYSTEM, b.class_("504-old", venue=None, enrol_until=date.max), b.NOW)
    answer = trust.post("/v1/classes/504-old/copy", {"day": "2027-12-10"}, as_=ADA)
    assert (answer.status_code, answer.json_body["enrol_until"]) == (201, "2199-12-31")


def test_e_learning_and_days_beyond_the_calendar_are_not_copied_to(trust):
    always = made(trust, offering="e-learning", sessions=[], maximum=None, venue=None, minimum=0)
    answer = trust.post(f"/v1/classes/{always['id']}/copy", {"day": "2027-03-30"}, as_=ADA)
    assert list(wrong(answer.json_body)) == ["day"]
    dated = made(trust, enrol_from="2026-11-01")
    for day in ("0001-01-01", "9999-12-31", "2199-12-31", "1900-01-01"):
        assert trust.post(f"/v1/classes/{dated['id']}/copy", {"day": day}, as_=ADA).status_code in (201, 400), day


# --- lists --------------------------------------------------------------------------------------------------


@pytest.fixture(name="busy")
def _busy(trust):
    """Six classes in four weeks, in two months."""
    plan = [
        ("504-fire", "2026-11-24", "09:00"),
        ("504-drill", "2026-11-24", "13:00"),
        ("504-hoist", "2026-11-27", "09:00"),
    ]
    plan += [
        ("504-fire", "2026-11-29", "18:00"),
        ("504-fire", "2026-12-01", "09:00"),
        ("504-hoist", "2026-12-20", "09:00"),
    ]
    for course, day, start in plan:
        session = {"day": day, "from": start, "until": "20:00"}
        made(trust, course_id=course, sessions=[session], venue=None, minimum=0 if course == "504-hoist" else 4)
    return trust


def listed(api, query="", as_=ADA):
    answer = api.get(f"/v1/classes?{query}", as_=as_)
    assert answer.status_code == 200, answer.body
    return [(each["course_id"].removeprefix("504-"), each["starts_at"][5:10]) for each in answer.json_body["classes"]]


def test_today_and_the_next_six_days_are_listed_unless_told(busy):
    assert listed(busy) == [("fire", "11-24"), ("drill", "11-24"), ("hoist", "11-27"), ("fire", "11-29")]


def test_lists_are_filtered_by_course_subject_status_and_lacking_learners(busy):
    december = "from=2026-11-24&until=2026-12-31"
    assert len(listed(busy, december)) == 6
    assert listed(busy, f"{december}&course=504-drill") == [("drill", "11-24")]
    assert len(listed(busy, f"{december}&subject=fire")) == 4  # with those below
    assert {each for each, _ in listed(busy, f"{december}&minimum_not_met=true")} == {"fire", "drill"}
    assert listed(busy, f"{december}&status=planned") == listed(busy, f"{december}&venue=room-1") == []
    assert listed(busy, f"{december}&instructor=me") == []


def test_lists_page_across_months_without_loss(busy):
    found, cursor = [], ""
    while cursor is not None:
        page = busy.get(f"/v1/classes?from=2026-11-24&until=2026-12-31&limit=2{cursor}", as_=ADA).json_body
        found += [each["id"] for each in page["classes"]]
        cursor = f"&cursor={page['next_cursor']}" if page["next_cursor"] else None
    everything = busy.get("/v1/classes?from=2026-11-24&until=2026-12-31", as_=ADA).json_body["classes"]
    assert found == [each["id"] for each in everything]
    assert len(found) == 6


def test_days_count_their_classes_and_those_that_lack_learners(busy):
    days = busy.get("/v1/class-days?from=2026-11-24&until=2026-11-29", as_=ADA).json_body["days"]
    counts = [(each["day"][-2:], each["classes"], each["minimum_not_met"]) for each in days]
    assert counts == [("24", 2, 2), ("25", 0, 0), ("26", 0, 0), ("27", 1, 0), ("28", 0, 0), ("29", 1, 1)]


def test_ranges_that_are_none_are_refused(busy):
    for query in ("from=2026-12-02&until=2026-12-01", "from=2026-01-01&until=2026-12-31", "from=x", "from=0001-01-01"):
        assert busy.get(f"/v1/classes?{query}", as_=ADA).status_code == 400, query
    last = (date(2026, 11, 24) + timedelta(days=91)).isoformat()
    assert len(listed(busy, f"from=2026-11-24&until={last}")) == 6
    assert busy.get("/v1/classes?from=2199-12-31&until=9999-12-31", as_=ADA).status_code == 400


def test_a_class_that_names_units_is_found_by_their_people_alone(trust):
    b.person(2, assignments=[b.assignment("2", unit="estates")])
    class_ = made(trust, only_units=["surgery"])
    assert trust.get(f"/v1/classes/{class_['id']}", as_="504-1").status_code == 200
    assert trust.get(f"/v1/classes/{class_['id']}", as_="504-2").status_code == 404
