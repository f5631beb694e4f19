"""Whom e-mail does not reach: of each of them administrators are told, once."""

from datetime import timedelta

import pytest

from chalicelib.domain.events import EventType
from chalicelib.domain.mailbox import Undeliverable, Unreached
from chalicelib.services import timers, unreachable
from chalicelib.storage import mailboxes
from chalicelib.storage.outbox import EventRow
from tests import builders as b
from tests.builders import NOW
from tests.pump import plenty
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
