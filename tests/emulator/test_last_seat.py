"""The last seat, with real parallelism: never one too many, none lost, and every counter equal to its recount."""

import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from chalicelib.domain import errors
from chalicelib.services import class_changes, enrolment, identity, recount
from chalicelib.storage import classes as stored
from chalicelib.storage.audit import AuditRow
from chalicelib.storage.outbox import EventRow
from tests import builders as b
from tests.builders import NOW

PEOPLE = 240
SEATS = 60
AT_ONCE = 16

pytestmark = [pytest.mark.emulator, pytest.mark.xdist_group("emulator")]


def attempt(number, class_id="504-c1"):
    """The outcome of one person trying to book, as its name. Whoever is told of a conflict tries again, as a client would."""
    while True:
        try:
            actor = identity.identify(f"504-{number}", None, NOW)
            made = enrolment.enrol_myself(actor, class_id, NOW)
        except (errors.Conflict, errors.Unavailable):
            continue
        except errors.Refusal as refusal:
            return type(refusal).__name__
        return made.status.value


def all_at_once(work, items):
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(work, items))


def taken(class_id="504-c1"):
    return stored.class_with_seats(class_id, consistent=True)[1].taken


@pytest.fixture
def crowd(real_tables):
    b.trust()
    b.offered(b.class_(maximum=SEATS), b.class_("504-c2", maximum=SEATS, sessions=[b.session(hour=10)]))
    all_at_once(b.person, range(PEOPLE))


def test_240_people_want_60_seats_at_once(crowd):
    outcomes = Counter(all_at_once(attempt, range(PEOPLE)))
    assert outcomes == {"confirmed": SEATS, "waitlisted": PEOPLE - SEATS}
    assert taken() == SEATS
    assert list(recount.seats("504", ["504-c1"])) == []
    assert sum(row.type == "enrolment.confirmed" for row in EventRow.scan()) == SEATS
    assert sum(row.action == "enrolment.confirmed" for row in AuditRow.scan()) == SEATS


def test_seats_given_back_while_others_book_are_neither_lost_nor_sold_twice(crowd):
    chance = random.Random(504)
    moves = [
        chance.randrange(PEOPLE) for _ in range(500)
    ]  # in the end about half of them want a seat: twice what there is

    def move(number):
        actor = identity.identify(f"504-{number}", None, NOW)
        held = next((each for each in actor.learner.enrolments if each.open), None)
        if held is None:
            return attempt(number)
        try:
            left = enrolment.withdraw_myself(actor, held.id, NOW)
        except errors.Refusal as refusal:
            return type(refusal).__name__
        with suppress(class_changes.Unseen, errors.Conflict, errors.Unavailable):  # the queue would deliver it again
            class_changes.promote("504-c1", NOW, lambda: True)
        return f"{left.history[-2].status} withdrawn"

    outcomes = Counter(all_at_once(move, moves))
    promoted = sum(row.type == "enrolment.promoted" for row in EventRow.scan())
    _, seats = stored.class_with_seats("504-c1", consistent=True)
    assert outcomes["confirmed withdrawn"] > 0
    assert promoted > 0
    assert seats.taken == outcomes["confirmed"] + promoted - outcomes["confirmed withdrawn"] <= SEATS
    assert seats.waiting == outcomes["waitlisted"] - promoted - outcomes["waitlisted withdrawn"]
    assert list(recount.seats("504", ["504-c1"])) == []


def test_one_person_at_many_devices_gets_one_of_two_clashing_classes(crowd):
    outcomes = Counter(all_at_once(lambda n: attempt(0, "504-c1" if n % 2 else "504-c2"), range(40)))
    assert outcomes["confirmed"] == 1
    assert taken("504-c1") + taken("504-c2") == 1
