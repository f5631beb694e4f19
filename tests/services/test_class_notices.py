"""What a class tells: its instructor, the managers of those on it, those on it before it starts, and who administers it."""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta

import pytest

from chalicelib import rendering
from chalicelib.domain import notifications
from chalicelib.domain.classes import ClassStatus
from chalicelib.domain.enrolment import HistoryRow, Status
from chalicelib.domain.message_settings import MessageSettings
from chalicelib.domain.schedules import Pattern, Repeats, Sitting
from chalicelib.domain.timers import TimerKind
from chalicelib.invitations import invitation
from chalicelib.services import (
    administrators,
    class_notices,
    classes,
    enrolment,
    identity,
    placing_others,
    schedules,
    takeover,
    timers,
)
from chalicelib.services import message_settings as settings
from chalicelib.storage import classes as stored
from chalicelib.storage import people, rules
from chalicelib.storage import timers as rows
from chalicelib.storage.base import Record
from chalicelib.storage.outbox import EventRow
from chalicelib.storage.transaction import Transaction
from tests import builders as b
from tests.approving import leave, messages, told
from tests.builders import NOW
from tests.pump import Pump
from tests.seams import counted, intercepted


class Killed(Exception):
    """The function died."""


DAY = timedelta(days=1)
LATE = timedelta(minutes=2)
START = b.session().starts_at
"""Tuesday 1 December, 9:00."""
FURTHER = (b.session(date(2026, 12, 15)),)


@pytest.fixture(name="trust")
def _trust(aws, nothing_waits):
    """A class on 15 December with places for twelve; p8 and p7 instruct, p99 administers, p2 manages p1."""
    b.trust()
    b.offered(b.class_(sessions=FURTHER, minimum=2), subject="fire")
    for number in (7, 8):
        b.person(number, role="instructor")
    b.person(99, role="learning_administrator")
    b.person(2)
    b.person(1, assignments=[b.assignment("1", supervisor="p2")])


def ada():
    return identity.identify("504-99", None, NOW)


def actor(number):
    return identity.identify(f"504-{number}", None, NOW)


def class_now(class_id="504-c1"):
    return stored.class_with_seats(class_id, consistent=True)[0]


def planned(**given):
    return b.class_("", venue=None, **given)


def change(class_id="504-c1", now=NOW, **fields):
    return classes.change(ada(), class_id, class_now(class_id).revision, fields, now, accept_cautions=True)


def on(*numbers, status=Status.CONFIRMED, at=None, since=7 * DAY):
    """People placed on a class some time before the fixed moment."""
    class_ = at or class_now()
    for number in numbers:
        if people.person(f"p{number}") is None:
            b.person(number)
        history = (HistoryRow(status, NOW - since, f"p{number}"),)
        placed = b.enrolment(status, class_, person=f"p{number}", placed_at=NOW - since, history=history)
        takeover.take_over(b.SYSTEM, "504", f"p{number}", [], [placed], NOW)


def ring(at, time_left=lambda: True):
    return timers.ring("504", at + LATE, time_left)


def templates(person):
    return [template for who, template in told() if who == person]


def newest(template, person):
    told()
    found = [each for each in messages() if (each.template, each.pk) == (template, f"P#{person}")]
    return max(found, key=lambda each: each.sk).notification()


def copies(person):
    """What somebody is to be told, also with a digest that is still to come: template and data."""
    found = (each for row in EventRow.scan() for each in notifications.messages(row.event()))
    return dict(sorted((template, data) for template, who, data in found if who == person))


def calendar_less(notification):
    return invitation(notification, people.person(notification.person)) is None


def calendar_of(notification):
    """Method and document of the request that goes with a message."""
    request = invitation(notification, people.person(notification.person))
    return request.method, request.document.decode().replace("\r\n ", "")


# --- whoever teaches (N19, N12, N9) -----------------------------------------------------------------------------


def test_whoever_is_named_to_teach_a_new_class_is_told_with_a_request_for_their_calendar(trust):
    made = classes.create(ada(), planned(sessions=FURTHER, instructor="p8"), NOW).class_
    assert templates("p8") == ["instructor_assigned"]
    message = newest("instructor_assigned", "p8")
    assert (message.data["class"], message.data["title"]) == (made.id, "Fire Safety")
    method, document = calendar_of(message)
    assert method == "REQUEST"
    assert f"UID:p8.504.{made.id}.teaching@esr-learning" in document
    assert "ATTENDEE" in document


def test_who_takes_over_is_asked_and_who_is_released_has_it_taken_out_of_their_calendar(trust):
    change(instructor="p8")
    change(instructor="p7", sessions=(b.session(date(2026, 12, 16)),))
    assert (templates("p8"), templates("p7")) == (
        ["instructor_assigned", "instructor_released"],
        ["instructor_assigned"],
    )
    released = newest("instructor_released", "p8")
    assert released.data["sessions"][0][0].startswith("2026-12-15")  # what they had, not what it became
    method, document = calendar_of(released)
    assert (method, "SEQUENCE:3" in document) == ("CANCEL", True)
    assert newest("instructor_assigned", "p7").data["sessions"][0][0].startswith("2026-12-16")


def test_whoever_teaches_hears_what_a_class_was_and_is_now_and_nothing_of_what_does_not_concern_them(trust):
    change(instructor="p8")
    change(minimum=4, maximum=14)
    change(sessions=(b.session(date(2026, 12, 16)),))
    assert templates("p8") == ["class_changed_for_instructor", "instructor_assigned"]
    message = newest("class_changed_for_instructor", "p8")
    assert message.data["former"]["sessions"][0][0].startswith("2026-12-15")
    method, document = calendar_of(message)
    assert (method, "SEQUENCE:4" in document) == ("REQUEST", True)


def test_whoever_was_to_teach_a_cancelled_class_is_told_why(trust):
    change(instructor="p8")
    classes.cancel(ada(), "504-c1", "The room is flooded.", NOW)
    message = newest("class_cancelled_for_instructor", "p8")
    assert message.data["reason"] == "The room is flooded."
    assert calendar_of(message)[0] == "CANCEL"


def test_another_title_which_no_message_shows_tells_nobody(trust):
    change(instructor="p8")
    change(title="Fire Safety, evening")
    assert templates("p8") == ["instructor_assigned"]


def test_of_what_has_no_dates_nothing_is_said_of_coming_or_of_calendars(trust):
    classes.add_class(b.SYSTEM, b.e_learning(instructor="p8"), NOW)
    change("504-e1", link="https://learning.invalid/new")
    classes.cancel(ada(), "504-e1", "It is out of date.", NOW, accept_cautions=True)
    for template in ("class_changed_for_instructor", "class_cancelled_for_instructor"):
        message = newest(template, "p8")
        rendered = rendering.render(template, message.data, "Sam")
        assert calendar_less(message)
        assert [word for word in ("calendar", "need not come") if word in rendered.text + rendered.html] == []


def test_whoever_has_left_is_told_of_no_class_that_they_taught(trust):
    change(instructor="p8")
    leave(8)
    change(sessions=(b.session(date(2026, 12, 16)),))
    classes.cancel(ada(), "504-c1", "The room is flooded.", NOW)
    assert templates("p8") == ["instructor_assigned"]


def test_whoever_has_left_is_not_told_that_somebody_else_teaches_what_they_taught(trust):
    change(instructor="p8")
    leave(8)
    change(instructor="p7")
    assert (templates("p8"), templates("p7")) == (["instructor_assigned"], ["instructor_assigned"])


def test_of_a_schedule_that_is_completed_after_they_have_left_they_are_not_told(trust):
    transaction = Transaction()
    leave(8)
    class_notices.tell_of_batch(transaction, [replace(class_now(), instructor="p8")], rules.catalogue_now("504"), NOW)
    transaction.commit()
    assert templates("p8") == []


def test_of_classes_that_are_over_nobody_is_told(trust):
    past = (b.session(date(2026, 11, 2)),)
    made = classes.create(ada(), planned(sessions=past, instructor="p8"), NOW).class_
    change(made.id, instructor="p7")
    classes.cancel(ada(), made.id, "It was not held.", NOW, accept_cautions=True)
    assert templates("p8") + templates("p7") == []


def plan(count=40):
    model = planned(sessions=(), instructor="p8")
    pattern = Pattern(Repeats.DAILY, starts_on=date(2026, 12, 1), count=count)
    return schedules.Wanted(model, (Sitting(0, time(9), time(12)),), pattern)


def test_a_schedule_is_one_message_that_lists_its_classes_however_often_its_making_dies(trust):
    written = [0]

    def dies_after_one(call, operation, request):
        written[0] += operation == "TransactWriteItems"
        if written[0] > 1:
            raise Killed
        return call(operation, request)

    with intercepted(dies_after_one), pytest.raises(Killed):
        schedules.make(ada(), plan(), NOW, accept_cautions=True)
    assert templates("p8") == []
    (batch,) = {row.pk.rpartition("#")[2] for row in Record.scan() if "#BAT#" in row.pk}
    schedules.complete(ada(), batch, NOW)
    schedules.complete(ada(), batch, NOW)
    assert templates("p8") == ["instructor_assigned"]
    message = newest("instructor_assigned", "p8")
    assert len(message.data["classes"]) == 40
    method, document = calendar_of(message)
    uids = {line for line in document.splitlines() if line.startswith("UID:")}
    assert (method, len(uids), "ATTENDEE" in document) == ("PUBLISH", 40, False)
    first = message.data["class"]
    change(first, sessions=(b.session(date(2026, 12, 2), hour=13),))
    assert f"UID:p8.504.{first}.teaching@esr-learning" in uids
    assert f"UID:p8.504.{first}.teaching@esr-learning" in calendar_of(newest("class_changed_for_instructor", "p8"))[1]


# --- copies to managers -----------------------------------------------------------------------------------------


def test_the_supervisor_of_the_job_gets_a_copy_of_a_place_taken_and_given_back(trust):
    taken = enrolment.enrol_myself(actor(1), "504-c1", NOW)
    enrolment.withdraw_myself(actor(1), taken.id, NOW)
    found = copies("p2")
    assert list(found) == ["enrolment_confirmed_in_team", "enrolment_withdrawn_in_team"]
    assert {(said["learner"], said["person"]) for said in found.values()} == {("Sam Testfold1", "p1")}


def test_nobody_gets_a_copy_of_what_they_did_themselves(trust):
    taken = placing_others.enrol(actor(2), "p1", "504-c1", None, None, NOW)
    placing_others.withdraw(actor(2), "p1", taken.id, "The ward needs them.", NOW)
    assert copies("p2") == {}


def test_a_manager_who_has_left_gets_none(trust):
    leave(2)
    enrolment.enrol_myself(actor(1), "504-c1", NOW)
    assert (copies("p2"), templates("p1")) == ({}, ["enrolment_confirmed"])


def test_managers_hear_that_their_people_are_promoted_and_of_classes_cancelled(trust):
    b.offered(
        b.class_("504-c2", course="504-first", maximum=1, sessions=FURTHER), course_id="504-first", title="First Aid"
    )
    on(3, at=class_now("504-c2"))
    enrolment.enrol_myself(actor(1), "504-c2", NOW)
    assert copies("p2") == {}  # who waits has no place
    pump = Pump()
    placing_others.withdraw(ada(), "p3", "504-c2~1", "No longer here.", NOW)
    pump.run()
    assert list(copies("p2")) == ["enrolment_confirmed_in_team"]
    classes.cancel(ada(), "504-c2", "The trainer is ill.", NOW)
    pump.run()
    found = copies("p2")
    assert list(found) == ["enrolment_cancelled_in_team", "enrolment_confirmed_in_team"]
    assert found["enrolment_cancelled_in_team"]["reason"] == "The trainer is ill."


# --- reminders (N20) --------------------------------------------------------------------------------------------


def reminded():
    """Who has been reminded, as often as they were."""
    return sorted(row.data["to"] for row in EventRow.scan() if row.type == "class.reminder")


def ahead():
    """When something rings before a class, in days before 15 December, 9:00."""
    due = (each for each in rows.due("504", NOW + 400 * DAY, 100) if each.kind is TimerKind.CLASS_AHEAD)
    return [(FURTHER[0].starts_at - each.at) / DAY for each in due]


def test_those_with_a_place_are_reminded_seven_days_and_one_day_before(trust):
    on(11, 12)
    on(13, status=Status.WAITLISTED)
    on(14, status=Status.WITHDRAWN)
    assert ahead() == [7]
    ring(START - DAY)
    assert reminded() == []
    ring(FURTHER[0].starts_at - 7 * DAY)
    assert reminded() == ["p11", "p12"]
    assert ahead() == [1]
    ring(FURTHER[0].starts_at - DAY)
    assert reminded() == ["p11", "p11", "p12", "p12"]
    assert ahead() == []
    assert newest("class_reminder", "p11").data["enrolment"] == "504-c1~1"


def test_whoever_has_booked_within_a_day_is_not_reminded(trust):
    moment = FURTHER[0].starts_at - 7 * DAY
    on(11, since=NOW - (moment - DAY))
    on(12, since=NOW - (moment - DAY + LATE))
    ring(moment)
    assert reminded() == ["p11"]


def test_a_reminder_that_dies_half_way_and_is_rung_again_reaches_everybody_once(trust, monkeypatch):
    monkeypatch.setattr(class_notices, "TOGETHER", 3)
    on(*range(11, 21))
    moment = FURTHER[0].starts_at - 7 * DAY
    written = [0]

    def dies_after_two(call, operation, request):
        written[0] += operation == "TransactWriteItems"
        if operation == "TransactWriteItems" and written[0] > 2:
            raise Killed
        return call(operation, request)

    with intercepted(dies_after_two), pytest.raises(timers.SomeFailed):
        ring(moment)
    assert len(reminded()) == 6
    assert not ring(moment, time_left=iter([True, False]).__next__)  # and once more out of time
    assert ring(moment)
    assert ring(moment)
    assert reminded() == [f"p{number}" for number in range(11, 21)]


def test_a_class_of_many_is_reminded_in_few_requests(trust):
    on(*range(11, 61))
    with counted("TransactWriteItems") as written:
        ring(FURTHER[0].starts_at - 7 * DAY)
    assert written[0] == 3  # twice 25, and the timer
    assert len(reminded()) == 50


def test_after_a_long_outage_nobody_is_reminded_twice_at_once(trust):
    on(11, 12)
    ring(FURTHER[0].starts_at - timedelta(hours=20))
    assert reminded() == ["p11", "p12"]
    ring(FURTHER[0].starts_at + DAY)
    assert reminded() == ["p11", "p12"]


def test_a_class_that_has_moved_reminds_before_its_new_date_alone(trust):
    on(11, 12)
    change(sessions=(b.session(date(2026, 12, 22)),))
    Pump().run()
    assert ahead() == [7, 0]  # the one before, and seven days before the 22nd
    ring(FURTHER[0].starts_at - 7 * DAY)
    assert reminded() == []
    ring(FURTHER[0].starts_at)
    assert reminded() == ["p11", "p12"]


def test_a_cancelled_class_reminds_nobody(trust):
    on(11, 12)
    classes.cancel(ada(), "504-c1", "The room is flooded.", NOW)
    ring(FURTHER[0].starts_at - 7 * DAY)
    assert (reminded(), ahead()) == ([], [])


def test_what_is_near_already_sets_only_what_is_still_to_come(trust):
    classes.create(ada(), planned(sessions=(b.session(date(2026, 11, 27)),)), NOW)
    classes.create(ada(), planned(sessions=(b.session(date(2026, 11, 24), hour=9),)), NOW)
    classes.create(ada(), planned(sessions=(b.session(date(2026, 11, 2)),)), NOW)
    assert sorted(ahead()) == [7, 19]


def test_a_reminder_comes_at_the_same_time_of_day_across_a_change_of_the_clocks(trust):
    class_ = b.class_(sessions=(b.session(date(2027, 3, 30), hour=9),))
    assert class_.starts_at == datetime(2027, 3, 30, 8, tzinfo=UTC)
    assert stored.ahead_of(class_, MessageSettings(), class_.starts_at - 20 * DAY).at == datetime(
        2027, 3, 23, 9, tzinfo=UTC
    )


def test_an_employer_says_how_many_days_before(trust, monkeypatch):
    monkeypatch.setattr(
        class_notices, "settings_of", lambda _: MessageSettings(class_reminder_days=(3,), minimum_check_days=())
    )
    class_ = classes.create(ada(), planned(sessions=FURTHER), NOW).class_
    on(11, at=class_)
    assert sorted(ahead()) == [3, 7]
    ring(FURTHER[0].starts_at - 3 * DAY)
    assert reminded() == ["p11"]


def settle(now=NOW, **days):
    settings.change(ada(), MessageSettings(**days), now)
    ring(now)


def test_other_days_hold_for_the_classes_that_are_planned_already(trust):
    on(11)
    settle(class_reminder_days=(14, 1))
    assert ahead() == [14, 7]
    ring(FURTHER[0].starts_at - 14 * DAY)
    assert (reminded(), ahead()) == (["p11"], [7])
    ring(FURTHER[0].starts_at - 7 * DAY)
    assert (reminded(), ahead()) == (["p11"], [1])


def test_reminders_turned_on_again_remind_of_classes_that_were_made_without(trust):
    settle(class_reminder_days=(), minimum_check_days=())
    near = classes.create(ada(), planned(sessions=(b.session(date(2026, 12, 17)),)), NOW).class_
    far = classes.create(ada(), planned(sessions=(b.session(date(2027, 3, 1)),)), NOW).class_
    on(11, at=near)
    on(12, at=far)
    settle(class_reminder_days=(7,), minimum_check_days=())
    ring(near.starts_at - 7 * DAY)
    assert reminded() == ["p11"]
    ring(far.starts_at - 60 * DAY)
    ring(far.starts_at - 7 * DAY)
    assert reminded() == ["p11", "p12"]


def test_settings_that_leave_the_days_as_they_are_set_nothing(trust):
    before = rows.due("504", NOW + 400 * DAY, 100)
    settings.change(ada(), MessageSettings(digest_hour=9, class_reminder_days=(1,)), NOW)
    assert rows.due("504", NOW + 400 * DAY, 100) == before


def test_a_timer_of_an_earlier_start_does_not_take_away_the_one_of_the_same_instant_of_a_later(trust):
    on(11)
    (before,) = [each for each in rows.due("504", NOW + 400 * DAY, 100) if each.kind is TimerKind.CLASS_AHEAD]
    change(sessions=(b.session(before.at.date() + DAY),), now=before.at - timedelta(hours=1))  # a day before it
    Pump().run()
    class_notices.ring(before, before.at + LATE, lambda: True)
    ring(before.at)
    assert reminded() == ["p11"]


# --- too few (N21) ----------------------------------------------------------------------------------------------


def test_administrators_of_the_subject_hear_a_week_before_that_too_few_are_coming(trust):
    b.person(97, role="class_administrator", subjects=("fire",))
    b.person(98, role="class_administrator", subjects=("moving",))
    on(11)
    ring(FURTHER[0].starts_at - 7 * DAY)
    ring(FURTHER[0].starts_at - DAY)
    assert [who for who, template in told() if template == "minimum_not_met"] == ["p97", "p99"]
    said = newest("minimum_not_met", "p97").data
    assert (said["confirmed"], said["minimum"], said["waiting"]) == (1, 2, 0)


@pytest.mark.parametrize("why", ["enough", "cancelled", "moved"])
def test_they_hear_nothing_where_there_is_nothing_to_do(trust, why):
    if why == "enough":
        on(11, 12)
    if why == "cancelled":
        classes.cancel(ada(), "504-c1", "The room is flooded.", NOW)
    if why == "moved":
        change(sessions=(b.session(date(2027, 1, 15)),))
    ring(FURTHER[0].starts_at - 7 * DAY)
    assert [template for _, template in told() if template == "minimum_not_met"] == []


def test_a_class_that_is_cancelled_by_nobody_stays_as_it_is(trust):
    ring(FURTHER[0].starts_at - 7 * DAY)
    assert class_now().status is ClassStatus.NORMAL


def test_administrators_are_those_who_still_work_here(trust):
    b.person(98, role="learning_administrator")
    assert administrators.of("504", NOW) == ["p98", "p99"]
    leave(98)
    assert administrators.of("504", NOW) == ["p99"]
    assert administrators.for_subject("504", "fire", NOW) == ["p99"]
    assert administrators.of("505", NOW) == []
    b.grant("p7", "national_administrator", employer="NHS")
    assert administrators.for_subject("NHS", "fire", NOW) == ["p7"]
