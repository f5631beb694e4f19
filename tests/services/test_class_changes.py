"""What a change of a class does to those on it: each told once, promoted in order, seats always what counting gives."""

import contextlib
from collections import Counter
from datetime import date, timedelta

import icalendar
import pytest

from chalicelib import mail
from chalicelib.domain import errors
from chalicelib.domain.calendar import london_time
from chalicelib.domain.catalogue import Venue
from chalicelib.domain.classes import ClassStatus
from chalicelib.domain.enrolment import Status
from chalicelib.domain.message_settings import MessageSettings
from chalicelib.handlers import events, work
from chalicelib.services import class_changes, classes, enrolment, identity, inbox, recount, takeover, timers
from chalicelib.storage import classes as stored
from chalicelib.storage import learner as learners
from chalicelib.storage import people, queues
from chalicelib.storage.audit import AuditRow
from chalicelib.storage.catalogue import VenueRow
from chalicelib.storage.outbox import EventRow
from tests import builders as b
from tests import seams
from tests.approving import said
from tests.builders import NOW
from tests.pump import Pump, plenty, queued, stream_records

MOVED = (b.session(date(2026, 12, 8), hour=13),)


@pytest.fixture(name="trust")
def _trust(aws, nothing_waits):
    """A class of twelve, venues, and Ada who may edit classes."""
    b.trust()
    b.offered(b.class_(), b.class_("504-c2", sessions=[b.session(date(2026, 12, 8), hour=14)]))
    for venue in (Venue("room-1", "Seminar Room 1", 20), Venue("room-2", "Lecture Theatre", 8)):
        VenueRow.of("504", venue).save()
    b.person(99, role="learning_administrator")


def ada():
    return identity.identify("504-99", None, NOW)


def on(number, status=Status.CONFIRMED, at=None, minutes=0, **changes):
    """Somebody with an enrolment placed some minutes after the first of them."""
    at = at or b.class_()
    placed = NOW - timedelta(days=7) + timedelta(minutes=minutes)
    taken = b.enrolment(status, at, person=f"p{number}", placed_at=placed, **changes)
    if people.person(f"p{number}") is None:
        b.person(number, assignments=())
    takeover.take_over(b.SYSTEM, "504", f"p{number}", [], [taken], NOW)


def class_now(class_id="504-c1"):
    return stored.class_with_seats(class_id, consistent=True)


def change(now=NOW, class_id="504-c1", accept=True, **fields):
    revision = class_now(class_id)[0].revision
    return classes.change(ada(), class_id, revision, fields, now, accept)


def of(number, class_id="504-c1"):
    found = learners.learner(f"p{number}", "504", consistent=True).enrolments
    return next(each for each in found if each.class_id == class_id)


def states(*numbers):
    return [of(each).status for each in numbers]


def told():
    """How often each person was told what."""
    kinds = Counter((row.person, row.type) for row in EventRow.scan() if row.type.startswith("enrolment."))
    return {(int(person[1:]), kind.partition(".")[2]): number for (person, kind), number in kinds.items()}


def in_step(*class_ids):
    return list(recount.seats("504", class_ids or ["504-c1", "504-c2"])) == []


class Killed(Exception):
    """The function died."""


@contextlib.contextmanager
def dying_after(transactions):
    """Whoever commits more transactions than these dies, the last one unanswered."""
    left = [transactions]

    def intercept(call, operation, request):
        if operation != "TransactWriteItems":
            return call(operation, request)
        left[0] -= 1
        if left[0] < 0:
            raise Killed
        answer = call(operation, request)
        if left[0] == 0:
            raise Killed
        return answer

    with seams.intercepted(intercept):
        yield


# --- moving -------------------------------------------------------------------------------------------------


def test_moving_a_class_killed_half_way_and_repeated_tells_everybody_once(trust):
    for number in range(1, 26):
        on(number, minutes=number)
    on(26, Status.WAITLISTED)
    on(27, Status.WITHDRAWN)
    on(28, Status.COMPLETED)
    pump = Pump()
    moved = change(sessions=MOVED)
    pump.project()
    messages = queued()
    for _ in range(3):
        with dying_after(8):
            assert work.do_work({"Records": messages}, plenty)["batchItemFailures"]
    for _ in range(2):  # the second time nothing is left to do
        assert work.do_work({"Records": messages}, plenty) == {"batchItemFailures": []}
    assert told() == {(number, "changed"): 1 for number in range(1, 27)}
    assert all(of(number).sessions == MOVED for number in (*range(1, 27), 28))
    assert of(27).sessions == b.class_().sessions
    assert work.jobs.job("504", moved.job).state == "done"
    assert in_step()


def test_what_changed_is_shown_old_and_new_with_an_updated_meeting_request(trust):
    on(1)
    on(2, Status.REQUESTED)
    pump = Pump()
    change(sessions=MOVED, venue="room-2", maximum=8)
    seen = set(pump.seen)
    pump.run()
    events.relay_events({"Records": stream_records(seen)})
    notification = newest(1)
    assert notification.subject == "Changed: Fire Safety, Tuesday 8 December 2026"
    for words in ("Tuesday 8 December 2026, 1pm to 4pm", "Lecture Theatre", "Tuesday 1 December 2026, 9am to 12pm"):
        assert words in said(notification)
    event = meeting_request(notification)
    assert (event["method"], event["sequence"], event["location"]) == ("REQUEST", 2, "Lecture Theatre")
    assert meeting_request(newest(2)) is None


def newest(number):
    """The newest message in somebody's inbox."""
    return inbox.page(f"p{number}", 1, None)[0][0]


def calendar_of(notification):
    person = people.person(notification.person)
    message = mail.compose(notification, person, MessageSettings())
    parts = [part for part in message.walk() if part.get_content_type() == "text/calendar"]
    return icalendar.Calendar.from_ical(parts[0].get_content()) if parts else None


def meeting_request(notification):
    calendar = calendar_of(notification)
    if calendar is None:
        return None
    event = calendar.walk("VEVENT")[0]
    return {"method": calendar["method"], "sequence": event["sequence"], "location": str(event.get("location"))}


def test_what_no_learner_needs_to_know_tells_nobody(trust):
    on(1)
    pump = Pump()
    assert change(title="Fire Safety for nurses", minimum=1, joining_instructions="Bring a pen.").job is None
    pump.run()
    assert told() == {}
    assert of(1).class_revision == 1


def test_a_class_moved_there_and_back_before_anybody_was_told_tells_nobody(trust):
    on(1)
    pump = Pump()
    change(sessions=MOVED)
    change(sessions=b.class_().sessions)
    pump.run()
    assert told() == {}


def test_a_past_class_is_corrected_without_telling_anybody(trust):
    past = b.class_("504-c9", sessions=[b.session(date(2026, 11, 2))])
    b.classes.add_class(b.SYSTEM, past, NOW)
    on(1, Status.COMPLETED, past)
    on(2, Status.CONFIRMED, past)
    pump = Pump()
    kept = change(class_id="504-c9", sessions=[b.session(date(2026, 11, 3))])
    assert [each.kind for each in kept.warnings] == ["in the past"]
    pump.run()
    assert told() == {}
    assert of(1, "504-c9").starts_at == of(2, "504-c9").starts_at == london_time(date(2026, 11, 3), 9)


def test_that_places_on_a_class_that_is_over_were_cancelled_is_told_to_nobody_and_audited(trust):
    past = b.class_("504-c9", sessions=[b.session(date(2026, 11, 2))])
    b.classes.add_class(b.SYSTEM, past, NOW)
    on(2, Status.CONFIRMED, past)
    pump = Pump()
    classes.cancel(ada(), "504-c9", "It was never held", NOW, accept_cautions=True)
    pump.run()
    assert (of(2, "504-c9").status, told()) == ("cancelled", {})
    (entry,) = [row for row in AuditRow.scan() if row.action == "enrolment.cancelled"]
    assert (entry.actor, entry.person_pk, entry.facts["status"]) == ("p99", "P#p2", "cancelled")


def test_whoever_now_has_two_classes_at_once_is_told_which(trust):
    on(1)
    on(1, at=b.class_("504-c2", sessions=[b.session(date(2026, 12, 8), hour=14)]))
    pump = Pump()
    change(sessions=MOVED)
    pump.run()
    data = next(row.data for row in EventRow.scan() if row.type == "enrolment.changed")
    assert data["clash"] == "Fire Safety"


def test_a_waiter_promoted_before_the_move_has_reached_them_is_told_the_new_day(trust):
    on(1, Status.WAITLISTED)
    Pump().run()
    change(sessions=MOVED)
    class_changes.promote("504-c1", NOW, lambda: True)
    assert (of(1).status, of(1).sessions, of(1).class_revision) == ("confirmed", MOVED, 2)


def test_an_unseen_booking_is_followed_when_the_work_is_delivered_again(trust):
    for act, told_of, status in (
        (lambda: change(sessions=MOVED), "changed", "confirmed"),
        (lambda: classes.cancel(ada(), "504-c1", "The room is flooded.", NOW), "cancelled", "cancelled"),
    ):
        number = 1 + len(told())
        b.person(number)
        pump = Pump()
        with seams.lagging_reads():
            enrolment.enrol_myself(identity.identify(f"504-{number}", None, NOW), "504-c1", NOW)
            act()
            pump.project()
            messages = queued()
            assert work.do_work({"Records": messages}, plenty)["batchItemFailures"]
        assert work.do_work({"Records": messages}, plenty) == {"batchItemFailures": []}
        assert (of(number).status, of(number).sessions) == (status, MOVED)
        assert told()[number, told_of] == 1
    assert in_step()


def test_an_unseen_booking_that_no_class_counts_is_found_by_looking_again(trust, monkeypatch):
    b.classes.add_class(b.SYSTEM, b.e_learning(), NOW)
    b.person(1)
    monkeypatch.setattr(work, "LOOK_AGAIN_SECONDS", 0)
    pump = Pump()
    with seams.lagging_reads():
        enrolment.enrol_myself(identity.identify("504-1", None, NOW), "504-e1", NOW)
        classes.cancel(ada(), "504-e1", "The licence has ended.", NOW)
        pump.project()
        assert work.do_work({"Records": queued()}, plenty) == {"batchItemFailures": []}
    assert of(1, "504-e1").status == "confirmed"
    pump.run()
    assert of(1, "504-e1").status == "cancelled"


def test_a_long_roster_is_followed_part_by_part_and_what_is_up_to_date_is_read_once(trust):
    for number in range(1, 9):
        on(number, minutes=number)
    on(9, Status.COMPLETED)
    pump = Pump()
    moved = change(sessions=MOVED)
    pump.project()
    rounds = 0
    reads = Counter()
    with seams.intercepted(counted(reads)):
        while work.jobs.job("504", moved.job).state == "running":
            assert work.do_work({"Records": queued()}, one_row_at_a_time) == {"batchItemFailures": []}
            rounds += 1
    assert rounds > 9
    assert told() == {(number, "changed"): 1 for number in range(1, 9)}
    assert of(9).sessions == MOVED
    assert dict(work.jobs.results("504", moved.job)) == {"504-c1": {"changed": 9}}
    reads.clear()
    job = work.jobs.job("504", moved.job)
    with seams.intercepted(counted(reads)):
        class_changes.follow(job, "504-c1", NOW, lambda: True, class_changes.Walk())
    assert reads["Query"] < 5


def test_a_long_waiting_list_is_worked_on_part_by_part(trust):
    for number in (1, 2, 3):
        on(number, Status.WAITLISTED, minutes=number)
    pump = Pump()
    change(maximum=20)
    pump.project()
    while messages := queued():
        assert work.do_work({"Records": messages}, one_row_at_a_time) == {"batchItemFailures": []}
    assert states(1, 2, 3) == ["confirmed"] * 3
    assert in_step()


def one_row_at_a_time():
    return 10


def counted(calls):
    def intercept(call, operation, request):
        calls[operation] += 1
        return call(operation, request)

    return intercept


def test_of_e_learning_only_the_open_enrolments_are_read(trust):
    endless = b.e_learning()
    b.classes.add_class(b.SYSTEM, endless, NOW)
    on(1, Status.COMPLETED, endless)
    on(2, Status.CONFIRMED, endless)
    pump = Pump()
    kept = change(class_id="504-e1", link="https://learn.invalid/fire")
    pump.run()
    assert (of(1, "504-e1").link, of(2, "504-e1").link) == (None, "https://learn.invalid/fire")
    assert dict(work.jobs.results("504", kept.job)) == {"504-e1": {"changed": 1}}


def test_a_new_link_of_e_learning_is_told_without_a_word_of_dates(trust):
    b.classes.add_class(b.SYSTEM, b.e_learning(), NOW)
    on(1, at=b.e_learning())
    pump = Pump()
    seen = set(pump.seen)
    change(class_id="504-e1", link="https://learn.invalid/fire")
    pump.run()
    events.relay_events({"Records": stream_records(seen)})
    message = mail.compose(newest(1), people.person("p1"), MessageSettings())
    html = message.get_body(("html",)).get_content()
    for words in ("When", "before", "meeting request", "cannot come"):
        assert words not in said(newest(1))
        assert words not in html
    assert "Online: https://learn.invalid/fire" in said(newest(1))
    assert "Your place stays yours." in said(newest(1))


def test_days_taken_away_are_excepted_from_the_series_in_the_calendar(trust):
    first, second, third = (b.session(date(2026, 12, day)) for day in (1, 3, 5))
    several = b.class_("504-c9", sessions=[first, second, third])
    b.classes.add_class(b.SYSTEM, several, NOW)
    on(1, at=several)
    pump = Pump()
    seen = set(pump.seen)
    change(class_id="504-c9", sessions=(first, third))
    pump.run()
    events.relay_events({"Records": stream_records(seen)})
    series, last = calendar_of(newest(1)).walk("VEVENT")
    assert [each.dt for each in series["exdate"].dts] == [second.starts_at]
    assert [each.dt for each in series["rdate"].dts] == [third.starts_at]
    assert last["recurrence-id"].dt == third.starts_at


# --- states -------------------------------------------------------------------------------------------------


def test_planned_and_back_promotes_in_the_order_in_which_people_booked(trust):
    for number, minutes in ((1, 30), (2, 10), (3, 20)):
        on(number, minutes=minutes)
    on(4, Status.REQUESTED)
    on(5, Status.WAITLISTED, minutes=40)
    pump = Pump()
    seen = set(pump.seen)
    change(status=ClassStatus.PLANNED)
    pump.run()
    assert states(1, 2, 3, 4, 5) == ["waitlisted"] * 3 + ["requested", "waitlisted"]
    assert class_now()[1].waiting == 4
    assert in_step()
    data = [row.data for row in EventRow.scan() if row.type == "enrolment.waitlisted"]
    assert sorted(each["position"] for each in data) == [1, 2, 3]
    events.relay_events({"Records": stream_records(seen)})
    assert "You are number 3 on the list now." in said(newest(1))
    change(status=ClassStatus.NORMAL)
    change(maximum=4)
    with seams.intercepted(order := Promotions()):
        pump.run()
    assert order.persons == ["p2", "p3", "p1", "p5"]
    assert told() == {
        **{(number, kind): 1 for number in (1, 2, 3) for kind in ("waitlisted", "promoted")},
        (5, "promoted"): 1,
    }
    assert in_step()


def test_whoever_a_planned_class_sends_to_the_list_once_it_has_started_does_not_wait_for_ever(trust, monkeypatch):
    on(1)
    pump = Pump()
    started = b.class_().starts_at + timedelta(minutes=2)
    change(status=ClassStatus.PLANNED)
    timers.ring("504", started, plenty)
    monkeypatch.setattr(work, "now", lambda: started)
    pump.run()
    timers.ring("504", started + timedelta(minutes=5), plenty)
    assert (states(1), class_now()[1].waiting, in_step()) == (["cancelled"], 0, True)
    assert told() == {(1, "waitlisted"): 1, (1, "lapsed"): 1}


class Promotions:
    """Notes who is promoted, in order."""

    def __init__(self):
        self.persons = []

    def __call__(self, call, operation, request):
        if operation == "TransactWriteItems":
            puts = [each["Put"]["Item"] for each in request["TransactItems"] if "Put" in each]
            promoting = [item for item in puts if item.get("type") == {"S": "enrolment.promoted"}]
            self.persons += [item["person"]["S"] for item in promoting]
        return call(operation, request)


def test_back_to_normal_before_the_job_has_run_leaves_everybody_seated(trust):
    on(1)
    on(2)
    pump = Pump()
    change(status=ClassStatus.PLANNED)
    change(status=ClassStatus.NORMAL)
    pump.run()
    assert (states(1, 2), told()) == (["confirmed", "confirmed"], {})
    assert in_step()


def test_closing_cancels_requests_and_leaves_the_others(trust):
    for number, status in ((1, Status.REQUESTED), (2, Status.CONFIRMED), (3, Status.WAITLISTED)):
        on(number, status)
    pump = Pump()
    change(status=ClassStatus.CLOSED)
    pump.run()
    assert states(1, 2, 3) == ["cancelled", "confirmed", "waitlisted"]
    assert told() == {(1, "cancelled"): 1}
    assert in_step()


def test_cancelling_cancels_all_that_is_open_and_says_why(trust):
    for number, status in ((1, Status.REQUESTED), (2, Status.CONFIRMED), (3, Status.WAITLISTED), (4, Status.WITHDRAWN)):
        on(number, status)
    pump = Pump()
    seen = set(pump.seen)
    cancelled = classes.cancel(ada(), "504-c1", "The room is flooded.", NOW)
    again = classes.cancel(ada(), "504-c1", "Another reason.", NOW)
    assert (cancelled.class_.reason, again.class_.reason, again.job) == ("The room is flooded.",) * 2 + (None,)
    pump.run()
    assert states(1, 2, 3, 4) == ["cancelled"] * 3 + ["withdrawn"]
    assert told() == {(number, "cancelled"): 1 for number in (1, 2, 3)}
    assert of(2).history[-1].reason == "The room is flooded."
    events.relay_events({"Records": stream_records(seen)})
    assert "The room is flooded." in said(newest(2))
    assert meeting_request(newest(2))["method"] == "CANCEL"
    assert meeting_request(newest(3)) is None
    assert (class_now()[1].taken, class_now()[1].waiting, in_step()) == (0, 0, True)


def test_a_class_cancelled_while_somebody_books_takes_nobody(trust):
    b.person(1)
    actor = identity.identify("504-1", None, NOW)
    cancel = seams.before_commit(lambda: classes.cancel(ada(), "504-c1", "The room is flooded.", NOW))
    with cancel, pytest.raises(errors.ClassCancelled):
        enrolment.enrol_myself(actor, "504-c1", NOW)
    assert (class_now()[1].taken, in_step()) == (0, True)


def test_somebody_who_books_while_a_class_is_cancelled_is_told_of_both(trust):
    b.person(1)
    actor = identity.identify("504-1", None, NOW)
    pump = Pump()
    with seams.before_commit(lambda: enrolment.enrol_myself(actor, "504-c1", NOW)):
        classes.cancel(ada(), "504-c1", "The room is flooded.", NOW)
    pump.run()
    assert states(1) == ["cancelled"]
    assert told() == {(1, "confirmed"): 1, (1, "cancelled"): 1}
    assert in_step()


def test_somebody_who_books_while_a_class_moves_is_placed_on_the_new_day(trust):
    b.person(1)
    actor = identity.identify("504-1", None, NOW)
    pump = Pump()
    with seams.before_commit(lambda: change(sessions=MOVED)):
        enrolment.enrol_myself(actor, "504-c1", NOW)
    pump.run()
    assert (of(1).sessions, of(1).class_revision) == (MOVED, 2)
    assert told() == {(1, "confirmed"): 1}


def test_somebody_who_withdraws_while_the_job_runs_is_told_of_that_alone(trust):
    on(1)
    actor = identity.identify("504-1", None, NOW)
    pump = Pump()
    change(sessions=MOVED)
    pump.project()
    with seams.before_commit(lambda: enrolment.withdraw_myself(actor, of(1).id, NOW)):
        pump.work()
    assert told() == {(1, "withdrawn"): 1}
    assert (states(1), in_step()) == (["withdrawn"], True)


def test_a_job_that_read_an_older_class_never_has_the_last_word(trust):
    on(1)
    pump = Pump()
    change(sessions=MOVED)
    pump.project()
    later = (b.session(date(2026, 12, 15)),)

    def overtaken():
        change(sessions=later)
        pump.run()

    messages = queued()
    with seams.before_commit(overtaken):
        work.do_work({"Records": messages}, plenty)
    assert of(1).sessions == later
    assert told() == {(1, "changed"): 1}


def test_a_class_that_moves_again_while_the_job_runs_is_told_once_as_it_is(trust):
    on(1)
    pump = Pump()
    change(sessions=MOVED)
    pump.project()
    messages = queued()
    later = (b.session(date(2026, 12, 15)),)
    with seams.before_commit(lambda: change(sessions=later)):
        assert work.do_work({"Records": messages}, plenty) == {"batchItemFailures": []}
    assert (of(1).sessions, told()) == (later, {(1, "changed"): 1})
    pump.run()
    assert told() == {(1, "changed"): 1}


# --- seats --------------------------------------------------------------------------------------------------


def test_a_maximum_below_the_seats_taken_is_warned_of_and_promotes_nobody(trust):
    for number in range(1, 5):
        on(number)
    on(5, Status.WAITLISTED)
    pump = Pump()
    kept = change(maximum=4)
    assert kept.warnings == ()
    kept = change(maximum=2, minimum=1)
    assert [each.kind for each in kept.warnings] == ["maximum below confirmed"]
    change(maximum=3)  # still overbooked by one
    pump.run()
    assert states(1, 2, 3, 4, 5) == ["confirmed"] * 4 + ["waitlisted"]
    assert told() == {}
    change(maximum=5)
    pump.run()
    assert (states(5), told()) == (["confirmed"], {(5, "promoted"): 1})
    assert (class_now()[1].taken, in_step()) == (5, True)


def test_whoever_has_another_class_at_that_time_is_passed_over_once_and_holds_up_nobody(trust):
    full = b.class_("504-c9", maximum=1)
    b.classes.add_class(b.SYSTEM, full, NOW)
    on(1, at=full)
    on(2, Status.WAITLISTED, full, minutes=1)
    on(2)  # on the other class at the same hours
    on(3, Status.WAITLISTED, full, minutes=2)
    pump = Pump()
    change(class_id="504-c9", maximum=2, minimum=1)
    pump.run()
    assert [of(each, "504-c9").status for each in (1, 2, 3)] == ["confirmed", "waitlisted", "confirmed"]
    change(class_id="504-c9", maximum=3)
    pump.run()
    assert told() == {(2, "passed-over"): 1, (3, "promoted"): 1}
    assert class_now("504-c9")[1].waiting == 0  # so that the free seat is anybody's
    assert in_step("504-c1", "504-c9")
    withdraw(2)
    assert class_now("504-c9")[1].waiting == 1  # at once, so that nobody books the seat before it is theirs
    pump.run()
    assert of(2, "504-c9").status == "confirmed"
    assert in_step("504-c1", "504-c9")


def test_whoever_was_passed_over_has_their_turn_once_the_other_class_moves_or_is_cancelled(trust):
    full = b.class_("504-c9", maximum=1, minimum=0)
    b.classes.add_class(b.SYSTEM, full, NOW)
    elsewhere = b.class_("504-c8", sessions=[b.session(hour=10)])
    b.classes.add_class(b.SYSTEM, elsewhere, NOW)
    for number, other in ((1, b.class_()), (2, elsewhere)):
        on(number, Status.WAITLISTED, full, minutes=number, passed_over=True)
        on(number, at=other)
    pump = Pump()
    change(class_id="504-c9", maximum=2)
    pump.run()
    assert [of(each, "504-c9").status for each in (1, 2)] == ["waitlisted"] * 2
    change(sessions=MOVED)
    classes.cancel(ada(), "504-c8", "The room is flooded.", NOW)
    pump.run()
    assert [of(each, "504-c9").status for each in (1, 2)] == ["confirmed"] * 2
    assert in_step("504-c1", "504-c8", "504-c9")


def test_whoever_was_passed_over_has_their_turn_once_their_own_class_is_moved_out_of_the_way(trust):
    full = b.class_("504-c9", maximum=1, minimum=0)
    b.classes.add_class(b.SYSTEM, full, NOW)
    on(1, at=full)
    on(2, Status.WAITLISTED, full, minutes=1, passed_over=True)
    on(2)  # on the other class at the same hours
    b.person(3)
    pump = Pump()
    change(class_id="504-c9", sessions=[b.session(hour=10)])
    pump.run()
    assert of(2, "504-c9").passed_over  # still in the way
    change(class_id="504-c9", sessions=MOVED)
    pump.run()
    assert (of(2, "504-c9").passed_over, class_now("504-c9")[1].waiting, in_step("504-c9")) == (False, 1, True)
    withdraw(1, "504-c9")
    enrolment.enrol_myself(identity.identify("504-3", None, NOW), "504-c9", NOW)
    pump.run()
    assert [of(each, "504-c9").status for each in (2, 3)] == ["confirmed", "waitlisted"]


# --- seats given back ---------------------------------------------------------------------------------------


def withdraw(number, class_id="504-c1"):
    enrolment.withdraw_myself(identity.identify(f"504-{number}", None, NOW), of(number, class_id).id, NOW)


@pytest.fixture(name="full")
def _full(trust):
    """The last seat of a class, and two people who wait."""
    b.classes.add_class(b.SYSTEM, b.class_("504-c9", maximum=1, minimum=0), NOW)
    full = b.class_("504-c9", maximum=1, minimum=0)
    on(1, at=full)
    on(2, Status.WAITLISTED, full, minutes=2)
    on(3, Status.WAITLISTED, full, minutes=1)
    return Pump()


def test_a_seat_given_back_goes_to_the_first_in_line(full):
    withdraw(1, "504-c9")
    full.run()
    assert [of(each, "504-c9").status for each in (1, 2, 3)] == ["withdrawn", "waitlisted", "confirmed"]
    assert told() == {(1, "withdrawn"): 1, (3, "promoted"): 1}
    assert in_step("504-c9")


def test_whoever_only_waited_frees_no_seat_and_has_nothing_taken_out_of_their_calendar(full):
    withdraw(3, "504-c9")
    seen = set(full.seen)
    full.run()
    events.relay_events({"Records": stream_records(seen)})
    assert told() == {(3, "withdrawn"): 1}
    assert "out of your calendar" not in said(newest(3))
    assert meeting_request(newest(3)) is None


def test_a_seat_that_could_not_be_queued_is_delivered_again(full):
    withdraw(1, "504-c9")
    records = stream_records(full.seen)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(queues, "queue_works", raising(queues.NotQueued))
        assert work.project_events({"Records": records})["batchItemFailures"]
    full.run()
    assert of(3, "504-c9").status == "confirmed"


def raising(fault):
    def fail(*_):
        raise fault

    return fail


def test_a_seat_booked_a_moment_before_is_not_given_to_somebody_passed_over(trust):
    one = b.class_("504-c9", maximum=1, minimum=0)
    b.classes.add_class(b.SYSTEM, one, NOW)
    on(1, Status.WAITLISTED, one, passed_over=True)
    b.person(2)
    actor = identity.identify("504-2", None, NOW)
    pump = Pump()
    change(class_id="504-c9", maximum=2)
    change(class_id="504-c9", maximum=1)
    pump.project()
    messages = queued()
    with seams.before_commit(lambda: enrolment.enrol_myself(actor, "504-c9", NOW)):
        assert work.do_work({"Records": messages}, plenty) == {"batchItemFailures": []}
    assert (of(1, "504-c9").status, class_now("504-c9")[1].taken) == ("waitlisted", 1)
    assert in_step("504-c9")


def test_nobody_is_promoted_once_the_class_has_started(trust, monkeypatch):
    on(1, Status.WAITLISTED)
    pump = Pump()
    change(maximum=20)
    monkeypatch.setattr(work, "now", lambda: b.class_().starts_at)
    pump.run()
    assert states(1) == ["waitlisted"]


def test_a_promotion_killed_half_way_gives_each_seat_once(trust):
    for number in range(1, 7):
        on(number, Status.WAITLISTED, minutes=number)
    pump = Pump()
    change(maximum=16)
    change(maximum=4)
    pump.project()
    messages = queued()
    for _ in range(2):
        with dying_after(2):
            assert work.do_work({"Records": messages}, plenty)["batchItemFailures"]
    for _ in range(2):
        assert work.do_work({"Records": messages}, plenty) == {"batchItemFailures": []}
    assert states(*range(1, 7)) == ["confirmed"] * 4 + ["waitlisted"] * 2
    assert told() == {(number, "promoted"): 1 for number in range(1, 5)}
    assert in_step()


def test_a_list_that_lags_behind_the_class_is_looked_at_again(trust):
    pump = Pump()
    with seams.lagging_reads():
        on(1, Status.WAITLISTED)
        change(maximum=16)
        pump.project()
        messages = queued()
        assert work.do_work({"Records": messages}, plenty)["batchItemFailures"]
    assert work.do_work({"Records": messages}, plenty) == {"batchItemFailures": []}
    assert (states(1), in_step()) == (["confirmed"], True)


def test_transactions_that_collide_are_tried_again(trust):
    for number in (1, 2, 3):
        on(number)
    pump = Pump()
    change(sessions=MOVED)
    pump.project()
    messages = queued()
    with seams.colliding_transactions(3):
        assert work.do_work({"Records": messages}, plenty) == {"batchItemFailures": []}
    assert told() == {(number, "changed"): 1 for number in (1, 2, 3)}
