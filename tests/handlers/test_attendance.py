"""A register marked, an outcome corrected, and who did not attend, over HTTP: who may, what it awards, whom it tells."""

from datetime import date, timedelta

import pytest

from chalicelib.domain.attendance import Mark
from chalicelib.domain.calendar import london_time
from chalicelib.domain.catalogue import AwardTiming, Grants
from chalicelib.domain.classes import ClassStatus, Session
from chalicelib.domain.competency import Origin
from chalicelib.domain.enrolment import Post, Status
from chalicelib.domain.events import EventType
from chalicelib.domain.notifications import messages
from chalicelib.rendering import render
from chalicelib.services import attendance, classes, identity, takeover
from chalicelib.storage import enrolment as enrolments
from chalicelib.storage import learner as learners
from chalicelib.storage.attendance import absences
from chalicelib.storage.audit import AuditRow
from chalicelib.storage.outbox import EventRow
from tests import builders as b
from tests import seams
from tests.builders import NOW, SYSTEM, TODAY
from tests.pump import Pump

ADMINISTRATOR, INSTRUCTOR = "504-9", "504-8"
TODAYS = b.session(TODAY, hour=8, hours=4)
COMPLETED, LEFT_EARLY, ABSENT = "completed", "attended - not completed", "did not attend"


@pytest.fixture
def trust(api):
    """A class of this morning, 8 to 12 in London, which Ines teaches; it is 10 o'clock."""
    b.trust()
    b.person(9, role="learning_administrator")
    b.person(8, role="instructor")
    b.offered(class_of())
    return api


def class_of(**changes):
    return b.class_(**{"sessions": [TODAYS], "instructor": "p8", "maximum": 40} | changes)


def on_class(*numbers, status=Status.CONFIRMED, at=None, **who):
    for number in numbers:
        b.person(number, **who)
        take_over(number, at or class_of(), status)


def take_over(number, at, status=Status.CONFIRMED, **changes):
    post = Post(str(number), "ward-9", "nurse-9")
    placed = b.enrolment(status, at=at, person=f"p{number}", post=post, **changes)
    takeover.take_over(SYSTEM, "504", f"p{number}", (), [placed], NOW)


def mark(api, *marks, rest=None, as_=INSTRUCTOR, class_id="504-c1"):
    body = {"marks": [one(*each) for each in marks], "rest": rest}
    return api.post(f"/v1/classes/{class_id}/attendance", body, as_=as_)


def one(number, outcome=COMPLETED, score=None):
    return {"person_id": f"p{number}", "outcome": outcome, "score": score}


def correct(api, number, outcome, as_=ADMINISTRATOR, reason="Ticked the wrong line.", class_id="504-c1", **more):
    body = {"outcome": outcome, "reason": reason, **more}
    return api.post(f"/v1/people/p{number}/enrolments/{class_id}~1/correction", body, as_=as_)


def problem(answer):
    return answer.status_code, answer.json_body["type"].rpartition(":")[2]


def became(answer):
    assert answer.status_code == 200, answer.json_body
    return {
        each["person_id"]: each["problem"]["type"].rpartition(":")[2] if each["problem"] else each["result"]
        for each in answer.json_body["results"]
    }


def of(number):
    return learners.learner(f"p{number}", "504", consistent=True)


def enrolment_of(number, class_id="504-c1"):
    return next(each for each in of(number).enrolments if each.class_id == class_id)


def events(type_=EventType.ENROLMENT_MARKED):
    found = (row.event() for row in EventRow.scan() if row.pk.startswith("EVT"))
    return sorted((each for each in found if each.type is type_), key=lambda each: each.id)


def told():
    """Who is told what, by the events of marks."""
    return sorted((person, template) for event in events() for template, person, _ in messages(event))


def audited(*actions):
    return [each for each in AuditRow.scan() if each.action in actions]


# --- marking ------------------------------------------------------------------------------------------------------


def test_an_instructor_marks_a_register_and_competencies_are_awarded_with_it(trust):
    on_class(1, 2, 3)
    answer = mark(trust, (1, COMPLETED, 85), (2, LEFT_EARLY, 40.5), (3, ABSENT))
    assert became(answer) == {"p1": "marked", "p2": "marked", "p3": "marked"}
    assert (answer.json_body["marked"], answer.json_body["refused"]) == (3, 0)
    first = answer.json_body["results"][0]
    assert (first["enrolment_id"], first["status"], first["score"]) == ("504-c1~1", "completed", 85)
    assert [(each["competency"], each["expires_on"]) for each in first["awarded"]] == [(b.FIRE, "2027-11-23")]
    assert [enrolment_of(each).status for each in (1, 2, 3)] == [COMPLETED, LEFT_EARLY, ABSENT]
    (award,) = of(1).awards
    assert (award.awarded_on, award.origin, award.source) == (TODAY, Origin.COMPLETION, "504-c1~1.2")
    assert of(2).awards == of(3).awards == ()
    row = enrolment_of(1).history[-1]
    assert (row.status, row.by, row.at) == (Status.COMPLETED, "p8", NOW)
    assert enrolments.count_seats("504", "504-c1") == (3, 0), "an outcome frees no seat"
    assert len(audited("enrolment.marked")) == 3


def test_a_colour_follows_at_once_and_snapshots_with_the_event(trust, nothing_waits):
    on_class(1)
    pump = Pump()

    def red():
        return trust.get("/v1/me/compliance", as_="504-1").json_body["rows"]

    assert [each["colour"] for each in red()] == ["red"]
    mark(trust, (1,))
    assert red() == []
    assert [each.person for each in events()] == ["p1"]
    pump.run()


def test_the_rest_is_whoever_else_holds_a_seat(trust):
    on_class(1, 2, 3)
    on_class(4, status=Status.WAITLISTED)
    on_class(5, status=Status.WITHDRAWN)
    take_over(8, class_of())
    answer = mark(trust, (2, ABSENT), rest=COMPLETED)
    assert became(answer) == {"p2": "marked", "p1": "marked", "p3": "marked", "p8": "own-enrolment"}
    assert [enrolment_of(each).status for each in (1, 2, 3, 4, 5, 8)] == [
        *(COMPLETED, ABSENT, COMPLETED),
        *("waitlisted", "withdrawn", "confirmed"),
    ]


def test_whoever_has_gone_since_the_roster_showed_them_is_not_among_the_rest(trust):
    on_class(1, 2)
    with seams.lagging_reads():
        enrolments.EnrolmentRow.of(enrolment_of(2).moved_to(Status.WITHDRAWN, NOW, "p9")).save()
        assert became(mark(trust, rest=COMPLETED)) == {"p1": "marked"}


def test_repeating_a_register_changes_nothing_and_another_outcome_is_a_correction(trust):
    on_class(1, 2, 3)
    mark(trust, (1, COMPLETED, 85), rest=ABSENT)
    before = [of(each) for each in (1, 2, 3)]
    assert became(mark(trust, (1, COMPLETED, 85), rest=ABSENT)) == {"p1": "unchanged"}
    again = mark(trust, (1, COMPLETED), (2, ABSENT))
    assert became(again) == {"p1": "unchanged", "p2": "unchanged"}
    assert again.json_body["results"][0]["awarded"][0]["competency"] == b.FIRE
    other = mark(trust, (1, ABSENT), (2, COMPLETED))
    assert became(other) == {"p1": "already-marked", "p2": "already-marked"}
    assert "correction" in other.json_body["results"][0]["problem"]["way_out"]
    assert became(mark(trust, (1, COMPLETED, 90))) == {"p1": "already-marked"}, "another score is a correction, too"
    assert [of(each) for each in (1, 2, 3)] == before
    assert len(events()) == 3


def test_whoever_is_not_on_the_class_or_holds_no_seat_is_refused_by_themselves(trust):
    on_class(1)
    on_class(4, status=Status.WAITLISTED)
    b.person(2)
    b.person(7, employer="505")
    answer = mark(trust, (2,), (4,), (77,), (7,), (1,))
    assert became(answer) == {
        "p2": "not-found",
        "p4": "enrolment-not-there",
        "p77": "not-found",
        "p7": "not-found",
        "p1": "marked",
    }


def test_the_latest_attempt_is_marked(trust):
    on_class(1, status=Status.WITHDRAWN)
    take_over(1, class_of(), attempt=2)
    assert mark(trust, (1,)).json_body["results"][0]["enrolment_id"] == "504-c1~2"


def test_who_keeps_a_register(trust):
    on_class(1)
    b.person(5, role="class_administrator", subjects=["moving"])
    b.person(6, role="class_administrator", subjects=["fire"])
    b.person(7, role="instructor")
    for login in ("504-5", "504-7"):
        assert problem(mark(trust, (1,), as_=login)) == (404, "not-found")
    assert problem(mark(trust, (1,), as_="504-1")) == (403, "not-permitted")
    assert became(mark(trust, (1,), as_="504-6")) == {"p1": "marked"}


def test_nobody_marks_themselves(trust):
    take_over(9, class_of())
    answer = mark(trust, (9,), as_=ADMINISTRATOR)
    assert became(answer) == {"p9": "own-enrolment"}
    assert enrolment_of(9).status is Status.CONFIRMED


def test_outcomes_are_noted_from_the_start_of_a_class_on(trust, clock):
    on_class(1)
    clock.now = TODAYS.starts_at - timedelta(seconds=1)
    assert problem(mark(trust, (1,))) == (409, "class-not-started")
    clock.now = TODAYS.starts_at
    assert became(mark(trust, (1,))) == {"p1": "marked"}


def test_a_cancelled_class_was_attended_by_nobody(trust):
    classes.add_class(SYSTEM, class_of(class_id="504-c2", status=ClassStatus.CANCELLED), NOW)
    assert problem(mark(trust, (1,), class_id="504-c2")) == (409, "class-cancelled")


def test_e_learning_is_completed_at_any_time_and_awarded_on_that_day(trust, clock):
    classes.add_class(SYSTEM, b.e_learning(instructor="p8"), NOW)
    on_class(1, 2, at=b.e_learning())
    clock.now = NOW + timedelta(days=100)
    assert became(mark(trust, (1,), (2, ABSENT), class_id="504-e1")) == {"p1": "marked", "p2": "marked"}
    assert [each.awarded_on for each in of(1).awards] == [date(2027, 3, 3)]
    assert [each.day for each in absences("504", date(2027, 3, 1))] == [date(2027, 3, 3)]


def test_the_award_is_of_the_london_day_on_which_the_class_ended(trust, clock):
    ends = london_time(date(2026, 6, 30), 23, 30)  # 22:30 UTC
    late = Session(ends - timedelta(hours=3), ends + timedelta(hours=1))
    classes.add_class(SYSTEM, class_of(class_id="504-c2", sessions=[late]), NOW)
    on_class(1, at=class_of(class_id="504-c2", sessions=[late]))
    mark(trust, (1,), class_id="504-c2")
    assert [(each.awarded_on, each.expires_on) for each in of(1).awards] == [(date(2026, 7, 1), date(2027, 7, 1))]


def test_whoever_has_completed_a_class_before_its_last_day_is_awarded_that_day(trust):
    long = class_of(class_id="504-c2", sessions=[TODAYS, b.session(date(2026, 12, 7))])
    classes.add_class(SYSTEM, long, NOW)
    on_class(1, at=long)
    mark(trust, (1,), class_id="504-c2")
    assert [each.awarded_on for each in of(1).awards] == [TODAY], "no award lies in the future"


def test_a_course_that_awards_after_verification_awards_nothing_and_says_so(trust):
    b.offered(
        class_of(class_id="504-c2", course="504-new"),
        course_id="504-new",
        award_timing=AwardTiming.AFTER_VERIFICATION,
    )
    on_class(1, at=class_of(class_id="504-c2", course="504-new"))
    answer = mark(trust, (1,), class_id="504-c2")
    assert answer.json_body["results"][0]["awarded"] == []
    assert of(1).awards == ()
    (event,) = events()
    assert "learning team checks it" in render("enrolment_completed", event.data).text


# --- completions that an administrator verifies -----------------------------------------------------------------


@pytest.fixture
def verified(trust):
    """Three have completed a course that awards Fire Safety and Moving and Handling once that is verified."""
    verified = class_of(class_id="504-c2", course="504-new")
    grants = (b.FIRE, b.MOVING)
    b.offered(verified, course_id="504-new", award_timing=AwardTiming.AFTER_VERIFICATION, grants=grants)
    for number in (1, 2, 3):
        b.person(number)
        take_over(number, verified, course="504-new", grants=tuple(map(Grants, grants)))
    mark(trust, (1,), (2,), (3, ABSENT), class_id="504-c2")
    return trust


def to_verify(api, **query):
    asked = "&".join(f"{name}={value}" for name, value in query.items())
    answer = api.get(f"/v1/completions-to-verify?{asked}", as_=ADMINISTRATOR)
    assert answer.status_code == 200, answer.json_body
    return answer.json_body


def waiting(api):
    return {
        each["person_id"]: [award["competency"] for award in each["awards"]] for each in to_verify(api)["completions"]
    }


def verify(api, number=1, competency=b.FIRE, enrolment="504-c2~1", **changes):
    body = {"competency": competency, "awarded_on": str(TODAY), "note": "seen", "enrolment_id": enrolment, **changes}
    return api.post(f"/v1/people/p{number}/awards", body, as_=ADMINISTRATOR)


def test_administrators_see_which_completions_wait_to_be_verified(verified):
    first = to_verify(verified, limit=1)
    assert [each["person_id"] for each in first["completions"]] == ["p1"]
    shown = first["completions"][0]
    assert (shown["name"], shown["employee_number"]) == ("Sam Testfold1", "20000001")
    assert (shown["enrolment_id"], shown["title"], shown["completed_on"]) == ("504-c2~1", "Fire Safety", str(TODAY))
    assert [(each["competency"], each["level"]) for each in shown["awards"]] == [(b.FIRE, 1), (b.MOVING, 1)]
    second = to_verify(verified, limit=1, cursor=first["next_cursor"])
    assert [each["person_id"] for each in second["completions"]] == ["p2"]
    assert second["next_cursor"] is None
    for login in (INSTRUCTOR, "504-1"):
        assert problem(verified.get("/v1/completions-to-verify", as_=login)) == (403, "not-permitted")


def test_an_award_that_verifies_a_completion_is_the_award_of_it(verified):
    assert verify(verified).status_code == 201
    assert waiting(verified) == {"p1": [b.MOVING], "p2": [b.FIRE, b.MOVING]}
    verify(verified, competency=b.MOVING)
    assert waiting(verified) == {"p2": [b.FIRE, b.MOVING]}
    (done,) = verified.get("/v1/me/learning", as_="504-1").json_body["history"]
    assert [each["competency"] for each in done["awarded"]] == [b.FIRE, b.MOVING]
    correct(verified, 1, ABSENT, class_id="504-c2")
    assert [each.void for each in of(1).awards] == [True, True]


def test_a_completion_that_was_none_waits_for_nobody_and_one_noted_again_does(verified):
    correct(verified, 1, ABSENT, class_id="504-c2")
    correct(verified, 3, COMPLETED, class_id="504-c2")
    assert waiting(verified) == {"p2": [b.FIRE, b.MOVING], "p3": [b.FIRE, b.MOVING]}
    verify(verified, 2)
    correct(verified, 2, COMPLETED, score=70, class_id="504-c2")
    assert waiting(verified)["p2"] == [b.MOVING], "another score verifies nothing anew"


def test_an_award_comes_from_what_this_person_completed_and_that_awards_it_once(verified):
    on_class(4)
    mark(verified, (4,))
    for number, enrolment in ((1, "504-c9~1"), (1, "504-c1~1"), (3, "504-c2~1"), (4, "504-c1~1")):
        answer = verify(verified, number, enrolment=enrolment)
        assert problem(answer) == (400, "invalid-request")
        assert [each["field"] for each in answer.json_body["errors"]] == ["body.enrolment_id"], enrolment
    assert problem(verify(verified, 4, b.MOVING, "504-c1~1")) == (400, "invalid-request")
    assert [each.void for each in of(4).awards] == [False]
    assert (verify(verified).status_code, problem(verify(verified))) == (201, (400, "invalid-request"))


def test_a_completion_taken_back_while_it_is_verified_awards_nothing(verified):
    for verifies_what_waits in (True, False):
        if not verifies_what_waits:
            correct(verified, 1, COMPLETED, class_id="504-c2")
            verify(verified)
            award = next(each for each in of(1).awards if not each.void)
            body = {"competency": b.FIRE, "awarded_on": str(TODAY), "source": award.source, "reason": "forged"}
            verified.post("/v1/people/p1/awards/void", body, as_=ADMINISTRATOR)
        with seams.before_commit(lambda: correct(verified, 1, ABSENT, class_id="504-c2")):
            assert problem(verify(verified)) == (400, "invalid-request")
        assert all(each.void for each in of(1).awards)


def test_a_corrected_award_is_still_of_the_completion(trust):
    on_class(1)
    mark(trust, (1,))
    wrong = {"competency": b.FIRE, "awarded_on": str(TODAY), "source": "504-c1~1.2"}
    for day in ("2026-11-20", "2026-11-19"):
        body = {**wrong, "right": {"awarded_on": day}, "reason": "the register says otherwise"}
        made = trust.post("/v1/people/p1/awards/correction", body, as_=ADMINISTRATOR).json_body
        wrong = {name: made[name] for name in wrong}
    (done,) = trust.get("/v1/me/learning", as_="504-1").json_body["history"]
    assert [each["awarded_on"] for each in done["awarded"]] == ["2026-11-19"]
    correct(trust, 1, ABSENT)
    assert all(each.void for each in of(1).awards)


# --- what cannot be noted -----------------------------------------------------------------------------------------


def test_every_wrong_field_is_named_and_nothing_changes(trust):
    on_class(1)
    answer = mark(trust, (1,), (2, ABSENT, 50), (1,))
    assert problem(answer) == (400, "invalid-request")
    assert {each["field"] for each in answer.json_body["errors"]} == {"body.marks[1].score", "body.marks[2].person_id"}
    assert problem(mark(trust)) == (400, "invalid-request")
    for wrong in ({"outcome": "confirmed"}, {"score": 100.5}, {"score": -1}, {"score": "85"}, {"person_id": "a b"}):
        body = {"marks": [one(1) | wrong]}
        answer = trust.post("/v1/classes/504-c1/attendance", body, as_=INSTRUCTOR)
        assert [each["field"] for each in answer.json_body["errors"]] == [f"body.marks[0].{next(iter(wrong))}"]
    assert enrolment_of(1).status is Status.CONFIRMED


def test_a_score_is_kept_to_two_decimals_whatever_number_it_is(trust):
    on_class(1, 2)
    marks = (1, COMPLETED, 1e-200), (2, COMPLETED, 66.666_666_7)
    assert became(mark(trust, *marks)) == {"p1": "marked", "p2": "marked"}
    assert [enrolment_of(each).score for each in (1, 2)] == [0, 66.67]
    assert became(mark(trust, *marks)) == {"p1": "unchanged", "p2": "unchanged"}
    assert correct(trust, 2, COMPLETED, score=1e-140).json_body["score"] == 0


# --- races, faults, and how much it takes -------------------------------------------------------------------------


def transactions(do):
    made = []

    def intercept(call, operation, request):
        if operation == "TransactWriteItems":
            made.append(len(request["TransactItems"]))
        return call(operation, request)

    with seams.intercepted(intercept):
        do()
    return made


def test_a_register_of_forty_takes_three_transactions(trust):
    on_class(*range(100, 140))
    made = transactions(lambda: mark(trust, rest=COMPLETED))
    assert len(made) == 3
    assert max(made) <= 100
    assert len(events()) == 40


def test_whom_somebody_withdraws_meanwhile_keeps_nobody_else_from_being_marked(trust):
    on_class(1, 2, 3)

    def withdrawn():
        before = enrolment_of(2)
        take_back = before.moved_to(Status.WITHDRAWN, NOW, "p9")
        enrolments.EnrolmentRow.of(take_back).save()

    with seams.before_commit(withdrawn):
        answer = mark(trust, (1,), (2,), (3,))
    assert became(answer) == {"p1": "marked", "p2": "enrolment-not-there", "p3": "marked"}
    assert len(events()) == 2


def test_two_who_mark_at_once_leave_one_outcome(trust):
    on_class(1)
    actor = identity.identify(ADMINISTRATOR, None, NOW)

    def other():
        attendance.mark(actor, "504-c1", [Mark("p1", Status.DID_NOT_ATTEND)], None, NOW, lambda: True)

    with seams.before_commit(other):
        answer = mark(trust, (1,))
    assert became(answer) == {"p1": "already-marked"}
    assert of(1).awards == ()
    assert [each.person for each in absences("504", TODAY)] == ["p1"]


def test_a_class_moved_meanwhile_is_read_again(trust):
    on_class(1)
    actor = identity.identify(ADMINISTRATOR, None, NOW)

    def moved():
        earlier = [b.session(date(2026, 11, 20))]
        classes.change(actor, "504-c1", 1, {"sessions": earlier}, NOW, accept_cautions=True)

    with seams.before_commit(moved):
        mark(trust, (1,))
    assert [each.awarded_on for each in of(1).awards] == [date(2026, 11, 20)]


def test_a_conflict_or_a_lost_answer_marks_everybody_once(trust):
    on_class(1, 2)
    with seams.colliding_transactions(2):
        assert became(mark(trust, rest=COMPLETED)) == {"p1": "marked", "p2": "marked"}
    on_class(3)
    with seams.failing_calls("TransactWriteItems", "InternalServerError", times=4, after=True):
        answer = mark(trust, (3,))
    assert answer.status_code in (200, 503)
    assert became(mark(trust, (3,))) == {"p3": "unchanged"}
    assert len(of(3).awards) == 1
    assert len(events()) == 3


def test_time_that_runs_out_is_said_and_repeating_does_the_rest(trust):
    on_class(*range(100, 120))
    actor = identity.identify(ADMINISTRATOR, None, NOW)
    left = iter([True, False])
    register = attendance.mark(actor, "504-c1", [], Status.COMPLETED, NOW, lambda: next(left))
    assert (len(register.results), len(register.not_tried)) == (16, 4)
    again = attendance.mark(actor, "504-c1", [], Status.COMPLETED, NOW, lambda: True)
    assert sorted(each.person for each in again.results) == sorted(register.not_tried)


def test_whoever_was_passed_over_for_this_class_counts_again_on_the_list_of_another(trust):
    later = class_of(class_id="504-c2", sessions=[b.session(TODAY, hour=11)], maximum=1)
    classes.add_class(SYSTEM, later, NOW)
    on_class(1, 2, 3)
    for number in (2, 3):
        take_over(number, later, Status.WAITLISTED, passed_over=True)
    assert classes.stored.class_with_seats("504-c2")[1].waiting == 0
    assert became(mark(trust, rest=ABSENT)) == {"p1": "marked", "p2": "marked", "p3": "marked"}
    assert classes.stored.class_with_seats("504-c2")[1].waiting == 2
    assert {each.person: each.data["promote"] for each in events()} == {"p1": [], "p2": ["504-c2"], "p3": ["504-c2"]}


# --- who is told --------------------------------------------------------------------------------------------------


def test_learners_are_told_of_what_they_completed_and_missed_and_managers_of_what_their_people_missed(trust):
    b.person(5, first_name="Mona", last_name="Manager")
    for number in (1, 2, 3):
        on_class(number, assignments=[b.assignment(str(number), supervisor="p5")])
    on_class(4)
    mark(trust, (1,), (2, ABSENT), (3, LEFT_EARLY), (4, ABSENT))
    assert told() == [
        ("p1", "enrolment_completed"),
        ("p2", "did_not_attend"),
        ("p4", "did_not_attend"),
        ("p5", "did_not_attend_in_team"),
    ]
    data = {each.person: each.data for each in events()}
    completed = render("enrolment_completed", data["p1"], "Sam")
    assert "You completed Fire Safety on Monday 23 November 2026." in completed.text
    assert "Fire Safety - 1 Year, until Tuesday 23 November 2027" in completed.text
    assert "/enrolments/504-c1~1" in completed.html
    missed = render("did_not_attend", data["p2"], "Sam")
    assert missed.subject == "You were missed: Fire Safety, Monday 23 November 2026"
    assert "/courses/504-fire" in missed.text
    team = render("did_not_attend_in_team", data["p2"], "Mona")
    assert "Sam Testfold2 had a place on Fire Safety on Monday 23 November 2026" in team.text
    assert "twelve months" not in team.text
    assert "You get this message because you manage Sam Testfold2." in team.html


def test_a_manager_is_told_how_often_somebody_was_missing_in_twelve_months(trust):
    on_class(1, assignments=[b.assignment("1", supervisor="p9")])
    for number, day in enumerate((date(2025, 11, 23), date(2025, 11, 24), date(2026, 5, 4)), 2):
        take_over(
            1, class_of(class_id=f"504-c{number}", sessions=[b.session(day)]), Status.DID_NOT_ATTEND, counted=False
        )
    mark(trust, (1, ABSENT))
    (event,) = events()
    assert "That makes 3 times in twelve months." in render("did_not_attend_in_team", event.data).text


# --- correcting ---------------------------------------------------------------------------------------------------


def test_a_completion_that_was_none_loses_its_award_and_a_new_one_awards(trust):
    on_class(1)
    mark(trust, (1, COMPLETED, 85))
    answer = correct(trust, 1, ABSENT)
    assert (answer.status_code, answer.json_body["status"], answer.json_body["score"]) == (200, ABSENT, None)
    assert answer.json_body["awarded"] == []
    assert answer.json_body["history"][-1]["reason"] == "Ticked the wrong line."
    (void,) = of(1).awards
    assert (void.void, void.voided.reason, void.voided.by) == (True, "Ticked the wrong line.", "p9")
    assert [each.person for each in absences("504", TODAY)] == ["p1"]
    answer = correct(trust, 1, COMPLETED, score=70)
    assert [each["competency"] for each in answer.json_body["awarded"]] == [b.FIRE]
    assert answer.json_body["score"] == 70
    assert sorted(each.void for each in of(1).awards) == [False, True]
    assert list(absences("504", TODAY)) == []
    assert told() == [("p1", "enrolment_completed")] * 2, (
        "N10 if it is new; nothing of what was corrected to an absence"
    )
    assert enrolments.count_seats("504", "504-c1") == (1, 0)


def test_an_outcome_is_taken_back_as_if_nothing_had_been_noted(trust):
    on_class(1)
    mark(trust, (1, ABSENT))
    assert correct(trust, 1, "confirmed").json_body["status"] == "confirmed"
    assert list(absences("504", TODAY)) == []
    assert became(mark(trust, (1,))) == {"p1": "marked"}
    assert [each.void for each in of(1).awards] == [False]


def test_a_score_alone_is_put_right_without_another_state_and_its_reason_is_audited(trust):
    on_class(1)
    mark(trust, (1, COMPLETED, 58))
    answer = correct(trust, 1, COMPLETED, score=85, reason="Misread.")
    assert answer.json_body["score"] == 85
    assert [each["status"] for each in answer.json_body["history"]] == ["confirmed", "completed"]
    assert [each.void for each in of(1).awards] == [False]
    (entry,) = audited("enrolment.corrected")
    assert (entry.facts["score"], entry.facts["note"]) == ([58, 85], "Misread.")
    assert told() == [("p1", "enrolment_completed")], "once"


def test_repeating_a_correction_changes_nothing(trust):
    on_class(1)
    mark(trust, (1,))
    first = correct(trust, 1, LEFT_EARLY, score=30).json_body
    before = of(1)
    for score in ({"score": 30}, {}):
        assert correct(trust, 1, LEFT_EARLY, **score).json_body == first
    assert of(1) == before
    assert len(events()) == 2


def test_taking_an_outcome_back_is_repeated_like_any_other_correction(trust):
    on_class(1)
    mark(trust, (1,))
    first = correct(trust, 1, "confirmed").json_body
    assert correct(trust, 1, "confirmed").json_body == first
    assert len(audited("enrolment.corrected")) == 1
    b.person(6, role="class_administrator", subjects=["fire"])
    assert problem(correct(trust, 1, "confirmed", as_="504-6")) == (409, "enrolment-not-there"), "it was not them"


def test_an_outcome_of_somebody_who_is_on_the_class_again_is_not_taken_back(trust):
    classes.add_class(SYSTEM, b.e_learning(instructor="p8"), NOW)
    on_class(1, at=b.e_learning())
    mark(trust, (1,), class_id="504-e1")
    assert trust.post("/v1/me/enrolments", {"class_id": "504-e1"}, as_="504-1").json_body["id"] == "504-e1~2"
    answer = correct(trust, 1, "confirmed", class_id="504-e1")
    assert problem(answer) == (409, "already-enrolled")
    assert answer.json_body["facts"]["enrolment"] == "504-e1~2"
    assert [each.status for each in of(1).enrolments] == [Status.COMPLETED, Status.CONFIRMED]
    assert correct(trust, 1, LEFT_EARLY, class_id="504-e1").status_code == 200, "another outcome may be the right one"


def test_a_correction_gives_nobody_a_score_who_was_not_there(trust):
    on_class(1)
    mark(trust, (1,))
    for outcome in (ABSENT, "confirmed"):
        answer = correct(trust, 1, outcome, score=50)
        assert problem(answer) == (400, "invalid-request")
        assert [each["field"] for each in answer.json_body["errors"]] == ["body.score"]
    assert enrolment_of(1).status is Status.COMPLETED


def test_only_administrators_of_the_subject_correct_and_nobody_their_own(trust):
    on_class(1)
    take_over(9, class_of(), Status.DID_NOT_ATTEND)
    b.person(5, role="class_administrator", subjects=["moving"])
    b.person(6, role="class_administrator", subjects=["fire"])
    mark(trust, (1,))
    assert problem(correct(trust, 1, ABSENT, as_=INSTRUCTOR)) == (403, "not-permitted")
    assert problem(correct(trust, 1, ABSENT, as_="504-5")) == (404, "not-found")
    assert problem(correct(trust, 9, COMPLETED)) == (403, "own-enrolment")
    assert correct(trust, 1, ABSENT, as_="504-6").status_code == 200


def test_only_what_was_noted_is_corrected(trust):
    on_class(1)
    on_class(2, status=Status.WITHDRAWN)
    b.person(3)
    for number in (1, 2):
        for outcome in (COMPLETED, "confirmed"):
            assert problem(correct(trust, number, outcome)) == (409, "enrolment-not-there")
    assert problem(correct(trust, 3, COMPLETED)) == (404, "not-found")
    assert problem(correct(trust, 3, COMPLETED, class_id="504-c9")) == (404, "not-found")
    assert problem(correct(trust, 1, COMPLETED, reason=" ")) == (400, "invalid-request")


def test_what_was_noted_of_a_class_that_is_then_moved_into_the_future_can_be_taken_back(trust):
    on_class(1)
    mark(trust, (1,))
    actor = identity.identify(ADMINISTRATOR, None, NOW)
    classes.change(actor, "504-c1", 1, {"sessions": [b.session()]}, NOW, accept_cautions=True)
    assert problem(correct(trust, 1, ABSENT)) == (409, "class-not-started")
    assert correct(trust, 1, "confirmed").status_code == 200


def test_what_was_noted_stands_when_a_class_is_cancelled_and_can_still_be_corrected(trust):
    on_class(1)
    mark(trust, (1,))
    cancelled = trust.post("/v1/classes/504-c1/cancellation", {"reason": "Snow."}, as_=ADMINISTRATOR)
    assert problem(cancelled) == (409, "class-held"), "it has started"
    classes.add_class(SYSTEM, b.e_learning(), NOW)
    on_class(2, at=b.e_learning())
    mark(trust, (2,), class_id="504-e1", as_=ADMINISTRATOR)
    trust.post("/v1/classes/504-e1/cancellation", {"reason": "Out of date."}, as_=ADMINISTRATOR)
    assert problem(correct(trust, 2, "confirmed", class_id="504-e1")) == (409, "class-cancelled")
    assert correct(trust, 2, LEFT_EARLY, class_id="504-e1").status_code == 200


def test_two_who_correct_at_once_void_an_award_once(trust):
    on_class(1)
    mark(trust, (1,))
    with seams.before_commit(lambda: correct(trust, 1, ABSENT)):
        assert correct(trust, 1, LEFT_EARLY).status_code == 200
    assert [each.void for each in of(1).awards] == [True]
    assert list(absences("504", TODAY)) == []
    assert len(audited("award.voided")) == 1


# --- who did not attend -------------------------------------------------------------------------------------------


def missed(api, as_=ADMINISTRATOR, **query):
    asked = "&".join(f"{name}={value}" for name, value in query.items())
    answer = api.get(f"/v1/did-not-attend?{asked}", as_=as_)
    assert answer.status_code == 200, answer.json_body
    return answer.json_body


@pytest.fixture
def month(trust):
    """In November 1, 2 and 3 missed Fire Safety, and 1 Moving and Handling, which Otto teaches; 1 missed something in May."""
    b.person(5, first_name="Mona", last_name="Manager")
    b.person(7, role="instructor")
    moving = class_of(class_id="504-m1", course="504-moving", instructor="p7", sessions=[b.session(date(2026, 11, 2))])
    b.offered(moving, course_id="504-moving", subject="moving", title="Moving")
    on_class(1, assignments=[b.assignment("1", supervisor="p5")])
    on_class(2, 3)
    take_over(1, moving, title="Moving", course="504-moving")
    old = class_of(class_id="504-c5", sessions=[b.session(date(2026, 5, 4))])
    take_over(1, old, Status.DID_NOT_ATTEND, counted=False)
    mark(trust, (1, ABSENT), (2, ABSENT), (3, ABSENT))
    mark(trust, (1, ABSENT), class_id="504-m1", as_="504-7")
    return trust


def test_who_did_not_attend_in_a_month_by_day_with_names_and_repeats(month):
    found = missed(month)
    assert (found["month"], found["total"]) == ("2026-11", 4)
    assert [(each["person_id"], each["day"], each["repeats"]) for each in found["rows"]] == [
        ("p1", "2026-11-02", 2),
        ("p1", "2026-11-23", 3),
        ("p2", "2026-11-23", 1),
        ("p3", "2026-11-23", 1),
    ]
    assert [(each["course_id"], each["did_not_attend"]) for each in found["by_course"]] == [
        ("504-fire", 3),
        ("504-moving", 1),
    ]
    first = found["rows"][0]
    assert (first["name"], first["employee_number"], first["unit"]) == ("Sam Testfold1", "20000001", "504 Ward 9")
    assert (first["supervisor"], first["course"], first["enrolment_id"]) == ("Mona Manager", "Moving", "504-m1~1")
    assert missed(month, month="2026-05")["total"] == 0, "it was taken over from elsewhere"


def test_it_shows_as_much_as_ones_reports_reach(month):
    b.person(6, role="class_administrator", subjects=["fire"])
    shown = {
        who: {(each["person_id"], each["course_id"]) for each in missed(month, as_=who)["rows"]}
        for who in ("504-6", INSTRUCTOR, "504-7", "504-5")
    }
    fire = {(each, "504-fire") for each in ("p1", "p2", "p3")}
    assert shown == {
        "504-6": fire,
        INSTRUCTOR: fire,
        "504-7": {("p1", "504-moving")},
        "504-5": {("p1", "504-moving"), ("p1", "504-fire")},
    }
    assert problem(month.get("/v1/did-not-attend", as_="504-1")) == (403, "not-permitted")


def test_whoever_taught_a_class_and_is_no_instructor_any_more_sees_nothing_of_it(month):
    taught = class_of(class_id="504-c6", instructor="p5", sessions=[b.session(date(2026, 11, 3))])
    classes.add_class(SYSTEM, taught, NOW)
    take_over(2, taught)
    mark(month, (2, ABSENT), class_id="504-c6", as_=ADMINISTRATOR)
    assert {each["person_id"] for each in missed(month, as_="504-5")["rows"]} == {"p1"}, "whom she manages"


def test_it_goes_page_by_page_and_course_by_course(month):
    rows, cursor = [], {}
    for _ in range(3):
        page = missed(month, limit=2, **cursor)
        assert page["total"] == 4
        rows += [(each["day"], each["person_id"]) for each in page["rows"]]
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert rows == [("2026-11-02", "p1"), *(("2026-11-23", each) for each in ("p1", "p2", "p3"))]
    assert [each["person_id"] for each in missed(month, course="504-moving")["rows"]] == ["p1"]
    assert (
        problem(month.get(f"/v1/did-not-attend?cursor={cursor['cursor']}&course=504-fire", as_=ADMINISTRATOR))[0] == 400
    )
    for wrong in ("2026-13", "2026-1", "1800-01", "2026-11-01", "x", "2026-11%0A"):
        answer = month.get(f"/v1/did-not-attend?month={wrong}", as_=ADMINISTRATOR)
        assert [each["field"] for each in answer.json_body["errors"]] == ["query.month"], wrong


def test_an_absence_moves_with_the_day_of_its_class(month, nothing_waits):
    pump = Pump()
    actor = identity.identify(ADMINISTRATOR, None, NOW)
    classes.change(actor, "504-m1", 1, {"sessions": [b.session(date(2026, 10, 30))]}, NOW, accept_cautions=True)
    pump.run()
    assert [(each.person, each.day) for each in absences("504", date(2026, 10, 1))] == [("p1", date(2026, 10, 30))]
    assert missed(month)["total"] == 3
    correct(month, 1, "confirmed", class_id="504-m1")
    assert list(absences("504", date(2026, 10, 1))) == []
