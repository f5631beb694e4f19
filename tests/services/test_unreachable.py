"""Whom e-mail does not reach: of each of them administrators are told, once."""

from datetime import timedelta

import pytest

from chalicelib.domain.events import EventType
from chalicelib.domain.mailbox import Undeliverable, Unreached
from chalicelib.services import identity, timers, unreachable
from chalicelib.storage import mailboxes
from chalicelib.storage.outbox import EventRow
from tests import builders as b
from tests.builders import NOW
from tests.pump import plenty
from tests.seams import intercepted
from tests.services.test_feedback import settle

HOUR = NOW.replace(hour=16)
"""When administrators are told, if nothing else is settled."""


@pytest.fixture(autouse=True)
def _trust(aws):
    b.trust()
    b.person(9, assignments=(), role="learning_administrator")


def noted(number, at, reported_late=timedelta(0)):
    """Somebody turns out to have no address, as is known since a while before."""
    b.person(number, email=None)
    person, _ = mailboxes.with_mailbox(f"p{number}")
    found = Undeliverable(None, at - reported_late, Unreached.NO_ADDRESS, "")
    unreachable.remember("504", person, found, at)


def told_of():
    events = [row.event() for row in EventRow.scan() if isinstance(row, EventRow)]
    return sorted(
        each["name"] for event in events if event.type is EventType.UNDELIVERED for each in event.data["people"]
    )


@pytest.mark.parametrize(("minutes", "late"), [(-60, 0), (-3, 0), (0, 0), (10, 20)])
def test_each_is_told_of_once_however_close_to_the_hour_they_are_found_or_late_it_is_reported(minutes, late):
    noted(1, HOUR + timedelta(minutes=minutes), timedelta(minutes=late))
    for day in range(4):
        timers.ring("504", HOUR + timedelta(days=day, minutes=2), plenty)
    assert told_of() == ["Sam Testfold1"]


def test_another_hour_tells_of_nobody_twice_and_forgets_nobody():
    for number, hour, noted_at in ((1, 16, 11), (2, 17, 16), (3, 9, 18)):
        settle(digest_hour=hour)
        noted(number, NOW.replace(hour=noted_at, minute=30))
    for hours in range(48):
        timers.ring("504", NOW + timedelta(hours=hours, minutes=2), plenty)
    assert told_of() == ["Sam Testfold1", "Sam Testfold2", "Sam Testfold3"]


def test_each_further_message_to_somebody_without_an_address_writes_nothing():
    noted(1, NOW)
    written = []

    def count(call, operation, request):
        if operation not in ("GetItem", "Query"):
            written.append(operation)
        return call(operation, request)

    with intercepted(count):
        for hours in range(3):
            person, _ = mailboxes.with_mailbox("p1")
            found = Undeliverable(None, NOW + timedelta(hours=hours), Unreached.NO_ADDRESS, "")
            unreachable.remember("504", person, found, NOW + timedelta(hours=hours))
    assert written == []


def test_those_who_are_found_at_once_share_no_row_of_a_transaction():
    written = []

    def keep(call, operation, request):
        if operation == "TransactWriteItems":
            written.append([next(iter(each.values())).get("Item", {}) for each in request["TransactItems"]])
        return call(operation, request)

    with intercepted(keep):
        noted(1, NOW)
        noted(2, NOW)
    first, second = (
        {(row["pk"]["S"], row["sk"]["S"]) for row in rows}
        for rows in written
        if any(row and row["sk"]["S"] == "E#504#UNR" for row in rows)
    )
    assert not first & second


def bounced(at):
    """An e-mail to somebody's own address came back."""
    person, _ = mailboxes.with_mailbox("p1")
    found = Undeliverable(person.email, at, Unreached.BOUNCE, "General")
    unreachable.remember("504", person, found, at, marks=True)


def obstacle_on(day):
    person, mailbox = mailboxes.with_mailbox("p1")
    return unreachable.obstacle(person.email, mailbox, NOW + timedelta(days=day))


def test_an_address_that_bounced_is_tried_again_after_a_month_and_told_of_again_if_it_bounces_again():
    b.person(1)
    bounced(NOW)
    assert obstacle_on(29)
    assert obstacle_on(31) is None
    administrator = identity.identify("504-9", None, NOW)
    assert unreachable.page(administrator, 10, None, NOW + timedelta(days=29))[0]
    assert unreachable.page(administrator, 10, None, NOW + timedelta(days=31)) == ([], None)
    timers.ring("504", HOUR + timedelta(minutes=2), plenty)
    for hours in range(2):
        bounced(NOW + timedelta(days=31, hours=hours))
    assert obstacle_on(32)
    timers.ring("504", HOUR + timedelta(days=31, minutes=2), plenty)
    assert told_of() == ["Sam Testfold1", "Sam Testfold1"]


def test_whoever_called_our_mail_unwanted_is_left_alone():
    b.person(1)
    person, _ = mailboxes.with_mailbox("p1")
    unreachable.remember("504", person, Undeliverable(person.email, NOW, Unreached.COMPLAINT, ""), NOW, marks=True)
    assert obstacle_on(300)
