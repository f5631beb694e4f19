"""A register marked, an outcome corrected, and who did not attend, over HTTP: who may, what it awards, whom it tells."""

from datetime import date, timedelta

import pytest

from chalicelib.domain.attendance import Mark
from chalicelib.domain.calendar import london_time
from chalicelib.domain.catalogue import AwardTiming
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
    return sorted((person, template) for event in events() for template, person in messages(event))


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
    on_class(1, 2)
    take_over(2, later, Status.WAITLISTED, passed_over=True)
    assert classes.stored.class_with_seats("504-c2")[1].waiting == 0
    assert became(mark(trust, (1, ABSENT), (2, ABSENT))) == {"p1": "marked", "p2": "marked"}
    assert classes.stored.class_with_seats("504-c2")[1].waiting == 1
    assert [each.data["promote"] for each in events() if each.person == "p2"] == [["504-c2"]]


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
