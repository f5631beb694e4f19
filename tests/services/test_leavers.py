"""Somebody leaves: places after their last day are given back and they are told why; earlier ones stay."""

from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta

import pytest

from chalicelib import rendering
from chalicelib.domain.enrolment import Status
from chalicelib.domain.people import Employment, EmploymentKind, PeriodOfService
from chalicelib.domain.workforce import Change, ServiceSection
from chalicelib.handlers import work
from chalicelib.services import competence, enrolment, inbox, jobs, outbox, projection, recount, workforce
from chalicelib.storage import learner as learners
from chalicelib.storage import projection as snapshots
from chalicelib.storage import queues, rules
from chalicelib.storage.audit import AuditRow
from chalicelib.storage.outbox import EventRow
from tests import builders as b
from tests import seams
from tests.builders import NOW, TODAY
from tests.pump import Pump, plenty, queued

EARLY = b.class_("504-c1", sessions=[b.session(date(2026, 12, 1))])
LATE = b.class_("504-c2", sessions=[b.session(date(2027, 1, 12))])
WAITING = b.class_("504-c3", sessions=[b.session(date(2027, 1, 13))])
ALWAYS = b.e_learning("504-e1")
LAST_DAY = date(2026, 12, 31)


@pytest.fixture(name="sam")
def _sam(aws):
    """Somebody with a place in December, one in January, one on a waiting list in January, and e-learning."""
    b.trust()
    b.offered(EARLY, LATE, WAITING, ALWAYS)
    booked = [b.enrolment(at=each) for each in (EARLY, LATE, ALWAYS)]
    b.person(1, enrolments=[*booked, b.enrolment(Status.WAITLISTED, WAITING, counted=False)])
    return "p1"


def leave(last_day, sequence=1, **changes):
    given = {"kind": EmploymentKind.EMPLOYEE, "starts_on": date(2024, 1, 1), "ends_on": last_day}
    change = Change(f"m{sequence}", sequence, "20000001", employment=ServiceSection(**(given | changes)))
    outcome = workforce.apply("system:workforce-feed", "504", change, rules.rulebook("504"), NOW)
    assert outcome.state == "accepted"


def kept():
    return {each.class_id for each in learners.learner("p1", "504", consistent=True).enrolments if each.open}


def test_somebody_who_stays_loses_nothing(sam):
    assert enrolment.release_leaver(sam, "504", NOW) == 0


def test_somebody_who_will_leave_keeps_what_is_before_the_last_day_and_e_learning(sam):
    leave(LAST_DAY)
    assert enrolment.release_leaver(sam, "504", NOW) == 2
    assert kept() == {"504-c1", "504-e1"}
    assert list(recount.seats("504", ["504-c1", "504-c2", "504-c3"])) == []


def test_somebody_who_has_left_keeps_nothing_but_what_was_before(sam):
    leave(date(2026, 12, 1))
    after = NOW + timedelta(days=30)
    assert enrolment.release_leaver(sam, "504", after) == 3
    assert kept() == {"504-c1"}  # its outcome may still be noted


def test_twice_changes_nothing(sam):
    leave(LAST_DAY)
    enrolment.release_leaver(sam, "504", NOW)
    events, entries = EventRow.count(), AuditRow.count()
    assert enrolment.release_leaver(sam, "504", NOW) == 0
    assert (EventRow.count(), AuditRow.count()) == (events, entries)


def test_they_are_told_why(sam):
    leave(LAST_DAY)
    enrolment.release_leaver(sam, "504", NOW)
    for row in list(EventRow.scan()):
        outbox.notify(row.event(), NOW)
    told, _ = inbox.page(sam, 10, None)
    message = next(each for each in told if each.data["class"] == "504-c2")
    assert message.subject == "Your place was given back: Fire Safety, Tuesday 12 January 2027"
    text = rendering.render(message.template, message.data).text
    assert "because your employment here ends" in text
    assert "You have given back" not in text


def test_the_history_and_the_audit_say_that_the_service_did_it(sam):
    leave(LAST_DAY)
    enrolment.release_leaver(sam, "504", NOW)
    lost = [each for each in learners.learner(sam, "504").enrolments if each.status is Status.WITHDRAWN]
    assert {(each.history[-1].by, each.history[-1].reason) for each in lost} == {
        ("system:leaver", "employment here ends")
    }
    assert [row.action for row in AuditRow.scan() if row.actor == "system:leaver"] == ["enrolment.withdrawn"] * 2


def test_the_seat_they_lose_goes_to_whoever_waits(sam, nothing_waits):
    b.person(2, enrolments=[b.enrolment(Status.WAITLISTED, LATE, person="p2")])
    pump = Pump()
    leave(LAST_DAY)
    pump.run()
    assert learners.learner("p2", "504", consistent=True).enrolments[0].status is Status.CONFIRMED
    assert list(recount.seats("504", ["504-c2"])) == []


def test_an_employment_cancelled_altogether_keeps_nothing(sam):
    leave(None, cancelled=True)
    assert enrolment.release_leaver(sam, "504", NOW) == 4


# --- the day after the last one -------------------------------------------------------------------------------

MIDNIGHT = datetime(2027, 1, 1, 0, 5, tzinfo=UTC)


@pytest.fixture(name="gone")
def _gone(sam, monkeypatch):
    """The same, just after midnight of the last day; nothing but the date has changed since they were projected."""
    monkeypatch.setattr(jobs, "PART_DELAY_SECONDS", 0)
    monkeypatch.setattr(work, "now", lambda: NOW)
    pump = Pump()
    leave(LAST_DAY)
    pump.run()
    assert kept() == {"504-c1", "504-e1"}
    monkeypatch.setattr(work, "now", lambda: MIDNIGHT)
    return pump


def test_the_daily_run_gives_back_also_what_has_no_date(gone):
    queues.queue_work({"kind": "day", "employer": "504"})
    gone.run()
    assert kept() == {"504-c1"}
    assert snapshots.snapshots_of("p1", "504") == ()


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_daily_run_killed_where_it_queues_people_forgets_nobody(gone, after):
    queues.queue_work({"kind": "day", "employer": "504"})
    (message,) = queued()
    with failing_batches(after=after):
        assert work.do_work({"Records": [message]}, plenty)["batchItemFailures"]
    assert work.do_work({"Records": [message]}, plenty) == {"batchItemFailures": []}
    gone.run()
    assert kept() == {"504-c1"}


def test_a_change_of_rules_just_after_midnight_forgets_nobody(gone):
    competence.require(b.SYSTEM, "504", [b.requirement(b.MOVING)], MIDNIGHT)
    gone.run()
    assert kept() == {"504-c1"}
    assert projection.day("504", MIDNIGHT).due == 0


def test_whoever_is_projected_for_whatever_reason_after_the_last_day_gives_back_what_has_no_date(gone):
    projection.project_all("504", ["p1"], MIDNIGHT)
    assert kept() == {"504-c1"}


@contextmanager
def failing_batches(after):
    """The queue fails for as long as this lasts; `after`: it takes the messages, and only its answers are lost."""
    send = queues.queue_works

    def fail(messages, *given):
        if after:
            send(messages, *given)
        raise queues.NotQueued

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(queues, "queue_works", fail)
        yield


def test_a_collision_is_tried_again(sam):
    leave(LAST_DAY)
    with seams.colliding_transactions(2):
        assert enrolment.release_leaver(sam, "504", NOW) == 2


def test_whoever_does_not_leave_after_all_may_book_again(sam):
    leave(LAST_DAY)
    enrolment.release_leaver(sam, "504", NOW)
    leave(None, sequence=2)
    assert enrolment.release_leaver(sam, "504", NOW) == 0


def test_an_induction_booked_before_the_first_day_is_kept():
    starting = Employment("504", EmploymentKind.EMPLOYEE, "1", date(2027, 3, 1))
    assert enrolment.rules_of.lost_by_leaving([b.enrolment(at=LATE)], starting, TODAY) == []


def test_a_class_between_two_periods_of_service_is_lost():
    before = PeriodOfService(EmploymentKind.EMPLOYEE, date(2020, 1, 1), LAST_DAY)
    back = Employment("504", EmploymentKind.EMPLOYEE, "1", date(2027, 3, 1), None, (before,))
    booked = [b.enrolment(at=EARLY), b.enrolment(at=LATE), b.enrolment(at=ALWAYS)]
    assert [each.class_id for each in enrolment.rules_of.lost_by_leaving(booked, back, TODAY)] == ["504-c2"]
