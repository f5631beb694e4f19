"""Reminders to renew, night after night: once on each of their days, to the right people, and silence when it matters no more."""

import json
from dataclasses import replace
from datetime import date, timedelta

import boto3
import pytest

from chalicelib import rendering
from chalicelib.domain.access import AccessMode, AccessRule
from chalicelib.domain.actor import Actor
from chalicelib.domain.calendar import london_time
from chalicelib.domain.catalogue import CourseStatus
from chalicelib.domain.decisions import Decision, Outcome
from chalicelib.domain.enrolment import Status
from chalicelib.domain.events import EventType
from chalicelib.domain.notifications import messages
from chalicelib.domain.requirements import Target, TargetKind
from chalicelib.handlers import work
from chalicelib.services import competence, looking, projection, reminders, takeover
from chalicelib.storage import outbox
from chalicelib.storage import projection as stored
from chalicelib.storage.enrolment import EnrolmentRow
from chalicelib.storage.outbox import EventRow
from chalicelib.storage.people import EmploymentRow
from tests import builders as b
from tests.builders import FIRE, MOVING, NOW, PREVENT, SYSTEM, TODAY
from tests.pump import Pump, queued, stream_records
from tests.seams import before_commit, failing_calls, intercepted

EXPIRY = date(2027, 3, 1)  # a Monday

pytestmark = pytest.mark.usefixtures("nothing_waits")


def before(days):
    return EXPIRY - timedelta(days)


class Nights:
    """The trust through its nights: the daily run of a day, then stream and queues until nothing is left."""

    def __init__(self, monkeypatch):
        self._monkeypatch = monkeypatch
        self.pump = Pump()

    def clock(self, day):
        at = london_time(day, 0, 5)
        self._monkeypatch.setattr(work, "now", lambda: at)
        return at

    def night(self, day):
        at = self.clock(day)
        run = projection.day("504", at)
        self.pump.run()
        return run

    def nights(self, first, last):
        for number in range((last - first).days + 1):
            self.night(first + timedelta(number))


@pytest.fixture
def trust(aws, monkeypatch):
    b.trust()
    return Nights(monkeypatch)


def employed(trust, number=1, supervisor="boss", **changes):
    """Somebody whose Fire Safety ends on EXPIRY, and whom somebody supervises."""
    held = (b.assignment(number=str(number), supervisor=supervisor),)
    b.person(number, **({"assignments": held, "awards": [b.award_expiring(EXPIRY)]} | changes))
    trust.pump.run()


def events(kind=EventType.RENEWAL_DUE):
    pages = boto3.client("dynamodb").get_paginator("scan").paginate(TableName=EventRow.Meta.table_name)
    found = [outbox.event_from_stream(item) for page in pages for item in page["Items"]]
    return sorted((each for each in found if each and each.type is kind), key=lambda each: each.at)


def recipients(event):
    return [(template, person) for template, person, _ in messages(event)]


def told(template="renewal_due", person="p1"):
    """The days on which somebody gets this message."""
    return [date.fromisoformat(each.id.split(".")[1]) for each in events() if (template, person) in recipients(each)]


def said(event, template="renewal_due", to=None):
    """What a message of an event says, to somebody or to the only one it goes to."""
    (data,) = [data for name, person, data in messages(event) if name == template and to in (None, person)]
    return data


def text(event, template="renewal_due"):
    return rendering.render(template, said(event, template), "Alex").text


def titles(items):
    return [each["title"].split(" - ")[0] for each in items]


# --- when -----------------------------------------------------------------------------------------------------


def test_night_after_night_learner_and_manager_are_told_once_on_each_of_their_days(trust):
    employed(trust)
    trust.nights(TODAY, EXPIRY + timedelta(8))
    assert told() == [before(each) for each in (90, 60, 30, 7, 0)]
    assert told("renewal_due_in_team", "boss") == [before(30), EXPIRY, EXPIRY + timedelta(7)]
    assert len(events()) == 6
    assert {(each.employer, each.person) for each in events()} == {("504", None)}  # nothing of theirs has changed


def test_a_night_that_is_run_again_and_events_and_work_that_come_again_and_again_tell_nobody_again(trust):
    employed(trust)
    day = before(30)
    at = trust.clock(day)
    for _ in range(2):
        projection.day("504", at)
    records = stream_records(trust.pump.seen)
    for _ in range(5):
        assert work.project_events({"Records": records}) == {"batchItemFailures": []}
    waiting = queued()
    assert len(waiting) == 5
    for message in waiting * 3:
        assert work.do_work({"Records": [message]}, lambda: 60_000) == {"batchItemFailures": []}
    trust.night(day)
    assert told() == [day]


def test_after_nights_that_were_missed_the_nearest_lead_is_told_once(trust):
    employed(trust)
    trust.night(before(91))
    trust.night(before(20))
    assert told() == [before(20)]
    assert "in 20 days" in text(events()[0])
    trust.nights(before(19), before(7))
    assert told() == [before(20), before(7)]


def test_a_person_with_two_posts_gets_one_message_and_so_does_each_of_their_managers(trust):
    posts = (
        b.assignment("1", supervisor="boss"),
        b.assignment("2", unit="estates", supervisor="other", primary=False),
        b.assignment("3", unit="estates", supervisor="boss", primary=False),
    )
    employed(trust, assignments=posts)
    trust.night(before(30))
    (event,) = events()
    assert sorted(recipients(event)) == [
        ("renewal_due", "p1"),
        ("renewal_due_in_team", "boss"),
        ("renewal_due_in_team", "other"),
    ]


def test_each_manager_is_told_of_what_the_post_they_supervise_asks_for(trust):
    asked = [b.requirement(each, TargetKind.POSITION, post) for each, post in ((MOVING, "P1"), (PREVENT, "P2"))]
    competence.require(SYSTEM, "504", asked, NOW)
    posts = (
        b.assignment("1", supervisor="boss", position="P1"),
        b.assignment("2", unit="estates", supervisor="other", primary=False, position="P2"),
    )
    awards = [b.award(FIRE, expires_on=None), *(b.award_expiring(EXPIRY, each) for each in (MOVING, PREVENT))]
    employed(trust, assignments=posts, awards=awards)
    trust.night(before(30))
    (event,) = events()
    managers = {each: titles(said(event, "renewal_due_in_team", each)["team"]) for each in ("boss", "other")}
    assert managers == {"boss": ["Moving and Handling"], "other": ["Preventing Radicalisation"]}
    assert sorted(titles(said(event)["renewals"])) == ["Moving and Handling", "Preventing Radicalisation"]


def test_what_one_look_of_a_day_has_not_told_another_one_tells_whichever_comes_first(trust):
    competence.require(SYSTEM, "504", [b.requirement(MOVING)], NOW)
    day = before(28)
    employed(trust, awards=[b.award_expiring(EXPIRY), b.award_expiring(day + timedelta(30), MOVING)])
    at = trust.clock(day)
    for since in (day, before(30), before(30), day):
        looking.look("504", "p1", since, day, at)
    assert [titles(said(each)["renewals"]) for each in events()] == [["Moving and Handling"], ["Fire Safety"]]
    assert [titles(said(each, "renewal_due_in_team")["team"]) for each in events()] == [
        ["Moving and Handling"],
        ["Fire Safety"],
    ]


def test_two_posts_that_were_missed_since_different_days_are_one_look(trust):
    asked = [b.requirement(each, TargetKind.POSITION, post) for each, post in ((MOVING, "P1"), (PREVENT, "P2"))]
    competence.require(SYSTEM, "504", asked, NOW)
    day = before(28)
    posts = (b.assignment("1", position="P1"), b.assignment("2", unit="estates", primary=False, position="P2"))
    awards = [b.award_expiring(EXPIRY, MOVING), b.award_expiring(day + timedelta(30), PREVENT)]
    employed(trust, assignments=posts, awards=[b.award(FIRE, expires_on=None), *awards])
    trust.night(before(31))
    trust.night(day)
    *_, look = events(EventType.LOOK_DUE)
    assert look.data == {"look": {before(30).isoformat(): ["p1"]}}
    *_, event = events()
    assert titles(said(event)["renewals"]) == ["Moving and Handling", "Preventing Radicalisation"]


def test_work_that_comes_days_late_says_how_many_are_left_by_then_and_tells_nobody_twice(trust):
    employed(trust)
    trust.clock(before(30))
    projection.day("504", work.now())
    trust.pump.project()
    (message,) = queued()
    trust.clock(before(25))
    for each in (message, message):
        assert work.do_work({"Records": [each]}, lambda: 60_000) == {"batchItemFailures": []}
    assert told() == [before(25)]
    assert "in 25 days" in text(events()[0])
    trust.clock(before(24))
    assert work.do_work({"Records": [message]}, lambda: 60_000) == {"batchItemFailures": []}
    assert told() == [before(25)]


def test_several_competencies_are_one_list_the_most_urgent_first(trust):
    competence.require(SYSTEM, "504", [b.requirement(FIRE), b.requirement(MOVING)], NOW)
    employed(trust, awards=[b.award_expiring(EXPIRY + timedelta(60), MOVING), b.award_expiring(EXPIRY, FIRE)])
    trust.night(before(30))
    (event,) = events()
    assert [(each["title"], each["days"]) for each in said(event)["renewals"]] == [
        ("Fire Safety - 1 Year", 30),
        ("Moving and Handling - Level 2 - 2 Years", 90),
    ]
    assert [each["title"] for each in said(event, "renewal_due_in_team")["team"]] == ["Fire Safety - 1 Year"]
    assert rendering.render("renewal_due", said(event)).subject.endswith("Fire Safety - 1 Year and 1 more")


def test_what_was_never_achieved_is_told_to_the_manager_on_mondays(trust):
    employed(trust, awards=())
    trust.nights(TODAY + timedelta(1), TODAY + timedelta(14))
    assert told() == []
    assert told("renewal_due_in_team", "boss") == [TODAY + timedelta(7), TODAY + timedelta(14)]
    assert "Not done yet." in text(events()[0], "renewal_due_in_team")


# --- to whom --------------------------------------------------------------------------------------------------


def test_what_a_group_requires_is_told_to_the_manager_of_the_primary_post(trust):
    group = b.requirement(MOVING, TargetKind.LEARNER_GROUP, "agency")
    competence.require(SYSTEM, "504", [group], NOW)
    posts = (b.assignment("1", supervisor="other", primary=False), b.assignment("2", supervisor="boss"))
    employed(trust, assignments=posts, groups=("agency",), awards=[b.award(FIRE, expires_on=None)])
    trust.night(TODAY + timedelta(7))
    assert [person for each in events() for _, person in recipients(each)] == ["boss"]


def test_nobody_manages_themselves_and_who_has_left_is_told_nothing_of_anybody(trust):
    employed(trust, 1, supervisor="p1", awards=())
    employed(trust, 2, supervisor="p3", awards=())
    b.person(3, awards=[b.award(expires_on=None)])
    gone = EmploymentRow.get("P#p3", "E#504#WHO")
    gone.ends_on = TODAY
    gone.save()
    trust.pump.run()
    trust.night(TODAY + timedelta(7))
    assert events() == []


def test_who_has_no_manager_is_reminded_all_the_same(trust):
    employed(trust, supervisor=None)
    trust.night(before(30))
    assert recipients(events()[0]) == [("renewal_due", "p1")]


# --- silence --------------------------------------------------------------------------------------------------


def test_once_renewed_nothing_more_is_said_until_the_new_date_comes_near(trust):
    employed(trust)
    trust.night(before(90))
    takeover.take_over(SYSTEM, "504", "p1", [b.award(FIRE, before(80))], [], NOW)
    trust.pump.run()
    trust.nights(before(61), before(59))
    trust.nights(before(31), before(29))
    trust.nights(before(8), EXPIRY + timedelta(7))
    assert told() == [before(90)]
    assert told("renewal_due_in_team", "boss") == []


def place(day, **changes):
    """A place of p1 on a class of a day (None: e-learning), however it came about."""
    at = b.class_("504-c9", sessions=[b.session(day)]) if day else b.e_learning(title="Fire online")
    takeover.take_over(SYSTEM, "504", "p1", [], [b.enrolment(at=at, counted=False, **changes)], NOW)


def test_once_booked_in_time_nothing_is_said_and_a_place_given_back_is_reminded_of_on_the_next_lead(trust):
    employed(trust)
    place(before(10))
    trust.pump.run()
    trust.nights(before(91), before(20))
    assert events() == []
    row = next(iter(EnrolmentRow.query("P#p1", EnrolmentRow.sk.startswith("E#504#ENR#"))))
    row.delete()
    projection.project("p1", "504", trust.clock(before(20)))
    trust.nights(before(19), EXPIRY)
    assert told() == [before(7), EXPIRY]


def test_a_class_booked_for_after_the_end_is_named_and_does_not_stop_it(trust):
    employed(trust)
    place(day=EXPIRY + timedelta(1))
    trust.pump.run()
    trust.night(before(30))
    assert "You are booked on Fire Safety on Tuesday 2 March 2027. That is too late" in text(events()[0])


def test_whoever_has_begun_e_learning_is_told_to_go_on_with_it(trust):
    employed(trust)
    place(day=None)
    trust.pump.run()
    trust.night(before(30))
    (event,) = events()
    assert "You are on the e-learning Fire online. It only has to be finished." in text(event)
    assert "https://portal.test/enrolments/504-e1~1" in text(event)


def test_nothing_is_said_of_what_is_no_longer_required_although_the_night_found_it_due(trust):
    employed(trust)
    trust.clock(before(30))
    projection.day("504", work.now())
    competence.require(SYSTEM, "504", [b.requirement(FIRE, ends_on=TODAY)], NOW)
    trust.pump.run()
    assert events(EventType.LOOK_DUE)
    assert events() == []


def test_nothing_is_said_to_or_of_somebody_who_has_left(trust):
    employed(trust)
    row = EmploymentRow.get("P#p1", "E#504#WHO")
    row.ends_on = before(31)
    row.save()
    projection.project("p1", "504", NOW)
    trust.night(before(60))
    trust.nights(before(32), before(29))
    assert told() == [before(60)]


def test_nothing_is_ever_said_of_what_is_held_and_not_required(trust):
    employed(trust, awards=[b.award_expiring(EXPIRY, MOVING), b.award(FIRE, expires_on=None)])
    trust.nights(before(91), before(59))
    assert events(EventType.LOOK_DUE) == []
    assert events() == []


def test_of_what_they_are_told_otherwise_no_reminder_speaks(trust):
    employed(trust)
    learner = looking.learners.learner("p1", "504")
    rulebook, catalogue = looking.rules.rulebook_and_catalogue("504")
    arranged = replace(learner, decisions=(Decision(FIRE, Outcome.CHOOSE_DATE, 1, before(29)),))
    assert not reminders.remind(arranged, rulebook, catalogue, before(30), before(28))
    assert events() == []
    assert reminders.remind(arranged, rulebook, catalogue, before(30), before(7))


# --- what it says ---------------------------------------------------------------------------------------------


def test_it_names_the_courses_they_can_find_and_leads_there_if_there_is_one(trust):
    hidden = AccessRule("01", AccessMode.SELF_ENROL, (Target(TargetKind.UNIT, "estates"),))
    b.offered(course_id="504-fire", title="Fire Safety in the classroom")
    b.offered(course_id="504-fire-b", title="For estates alone", rules=(hidden,))
    b.offered(course_id="504-fire-c", title="Being written", status=CourseStatus.DRAFT)
    b.offered(course_id="504-moving", title="Moving and Handling", grants=(MOVING,))
    employed(trust)
    trust.night(before(30))
    (event,) = events()
    assert said(event)["renewals"][0]["courses"] == [{"id": "504-fire", "title": "Fire Safety in the classroom"}]
    assert "https://portal.test/courses/504-fire" in text(event)
    assert "estates" not in json.dumps(event.data)


def test_with_several_courses_or_none_it_leads_to_my_compliance(trust):
    employed(trust)
    trust.night(before(60))
    for number in range(3):
        b.offered(course_id=f"504-fire-{number}", title=f"Fire {number}")
    trust.night(before(30))
    none, several = (text(each) for each in events())
    assert "There is no course for it that you can book yourself." in none
    assert "You can do it with: Fire 0; Fire 1." in several
    assert all("https://portal.test/compliance" in each for each in (none, several))


def test_a_message_of_one_competency_is_less_than_a_kilobyte(trust):
    b.offered(course_id="504-fire", title="Fire Safety in the classroom")
    employed(trust)
    trust.night(before(30))
    assert len(json.dumps(events()[0].data)) < 700


def test_a_message_says_what_its_reader_needs_and_nothing_of_what_is_said_to_the_others(trust):
    competence.require(SYSTEM, "504", [b.requirement(MOVING)], NOW)
    employed(trust, awards=[b.award_expiring(EXPIRY, each) for each in (FIRE, MOVING)])
    place(day=None)
    trust.pump.run()
    trust.night(before(30))
    (event,) = events()
    own, copy = said(event), said(event, "renewal_due_in_team")
    assert (own.keys() & {"team"}, copy.keys() & {"renewals", "enrolment", "course"}) == (set(), set())
    assert max(len(json.dumps(each)) for each in (own, copy)) < 600


def test_whatever_a_course_or_a_person_is_called_is_shown_and_never_run(trust):
    b.offered(
        b.class_("504-c9", sessions=[b.session(before(10))]), course_id="504-fire", title="<script>alert(1)</script>"
    )
    employed(trust, first_name="<b>Sam</b>\r\nBcc: x")
    place(before(10), title="<i>Fire</i>", status=Status.WAITLISTED)
    trust.pump.run()
    trust.night(before(30))
    (event,) = events()
    for template in ("renewal_due", "renewal_due_in_team"):
        rendered = rendering.render(template, said(event, template), "Alex")
        assert not {"<script>", "<i>", "<b>Sam"} & set(rendered.html.split())
        assert "<script>" not in rendered.html
        assert "<i>" not in rendered.html
        assert "\n" not in rendered.subject


# --- settings -------------------------------------------------------------------------------------------------


def test_other_leads_count_from_now_on_and_none_that_has_passed_is_made_up_for(trust):
    employed(trust)
    trust.night(before(60))
    change(trust, [75, 40])
    trust.nights(before(59), before(29))
    assert told() == [before(60), before(40)]


def change(trust, leads):
    competence.change_settings(Actor("p9", "504", frozenset(), None), {"renewal_leads": leads}, NOW)
    trust.pump.run()


def test_an_employer_without_leads_reminds_nobody_and_has_nobody_looked_at(trust):
    employed(trust)
    employed(trust, 2, awards=())
    change(trust, [])
    trust.nights(before(8), EXPIRY + timedelta(7))
    assert events(EventType.LOOK_DUE) == []


# --- faults and costs -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("after", [False, True], ids=["before writing", "after writing"])
def test_a_run_killed_at_its_transaction_still_tells_once(trust, after):
    employed(trust)
    with failing_calls("TransactWriteItems", "InternalServerError", after=after):
        trust.night(before(30))
    trust.night(before(30))
    assert told() == [before(30)]


@pytest.mark.parametrize("after", [False, True], ids=["before writing", "after writing"])
def test_a_worker_killed_where_it_tells_still_tells_once(trust, after):
    employed(trust)
    trust.clock(before(30))
    projection.day("504", work.now())
    trust.pump.project()
    (message,) = queued()
    with failing_calls("PutItem", "InternalServerError", times=9, after=after):
        failures = work.do_work({"Records": [message]}, lambda: 60_000)["batchItemFailures"]
    assert len(failures) == 1
    assert work.do_work({"Records": [message]}, lambda: 60_000) == {"batchItemFailures": []}
    assert told() == [before(30)]


def test_somebody_who_cannot_be_looked_at_keeps_nobody_else_from_it(trust, monkeypatch):
    for number in (1, 2, 3):
        employed(trust, number)
    trust.clock(before(30))
    projection.day("504", work.now())
    trust.pump.project()
    (message,) = queued()
    remind = reminders.remind

    def broken(learner, *given):
        if learner.person.id == "p2":
            raise ZeroDivisionError
        return remind(learner, *given)

    with monkeypatch.context() as patch:
        patch.setattr(reminders, "remind", broken)
        assert work.do_work({"Records": [message]}, lambda: 60_000) == {"batchItemFailures": []}
        (alone,) = queued()
        assert json.loads(alone["body"]) == json.loads(message["body"]) | {"persons": ["p2"]}
        assert work.do_work({"Records": [alone]}, lambda: 60_000)["batchItemFailures"]
    assert [told(person=each) for each in ("p1", "p2", "p3")] == [[before(30)], [], [before(30)]]
    assert work.do_work({"Records": [alone]}, lambda: 60_000) == {"batchItemFailures": []}
    assert told(person="p2") == [before(30)]


def test_two_runs_of_a_night_at_once_have_somebody_looked_at_once(trust):
    employed(trust)
    at = trust.clock(before(30))
    with before_commit(lambda: projection.day("504", at)):
        projection.day("504", at)
    trust.pump.run()
    assert [each.data for each in events(EventType.LOOK_DUE)] == [{"look": {before(90).isoformat(): ["p1"]}}]
    assert told() == [before(30)]


def test_who_has_more_rows_than_a_transaction_holds_is_looked_at_once_and_told_of_all(trust, monkeypatch):
    monkeypatch.setattr(stored, "MOST_ACTIONS", 5)
    skills = [f"504|LOCAL|Skill {number} - 1 Year|" for number in range(9)]
    competence.define_competencies(SYSTEM, "504", [b.competency(each) for each in skills], NOW)
    competence.require(SYSTEM, "504", [b.requirement(each) for each in skills], NOW)
    employed(trust, awards=[b.award_expiring(EXPIRY, each) for each in (FIRE, *skills)])
    trust.night(before(91))
    trust.night(before(90))  # the day on which amber begins, too
    assert [each.data for each in events(EventType.LOOK_DUE)] == [{"look": {before(90).isoformat(): ["p1"]}}]
    assert len(said(events()[0])["renewals"]) == 10
    assert list(projection.recount("504", ["ward-9"], trust.clock(before(90)))) == []


def test_whoever_is_gone_is_no_fault(trust):
    looking.look_at("504", ["nobody"], TODAY, TODAY, NOW)
    assert events() == []


def calls_of(do):
    made = []

    def intercept(call, operation, request):
        made.append(operation)
        return call(operation, request)

    with intercepted(intercept):
        do()
    return made


def test_a_quiet_night_reads_nobody_and_a_night_of_reminders_writes_one_transaction_for_twenty(trust):
    for number in range(20):
        employed(trust, number)
    trust.night(before(31))
    at = trust.clock(before(30))
    calls = calls_of(lambda: projection.day("504", at))
    assert calls.count("TransactWriteItems") == 1
    (look,) = [each for each in events(EventType.LOOK_DUE) if each.at == at]
    assert look.data == {"look": {before(30).isoformat(): sorted(f"p{number}" for number in range(20))}}
    quiet = calls_of(lambda: projection.day("504", trust.clock(before(29))))
    assert quiet == ["Query", "UpdateItem"]  # who is due, and the row of the run


def test_looking_at_somebody_costs_their_records_the_rules_and_one_write(trust):
    employed(trust)
    looking.look("504", "p1", before(30), before(30), NOW)
    calls = calls_of(lambda: looking.look("504", "p1", before(60), before(60), NOW))
    assert sorted(calls) == ["BatchGetItem", "PutItem", "Query"]
