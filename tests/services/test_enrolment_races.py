"""Whatever two people, or one and the service, do to a class at the same moment: it ends as if one had come after the other.

One of them is held up just before each of its transactions in turn; meanwhile the other acts, and what follows is done. The
outcome, with every history, event and audit entry, has to be that of the one before the other or of the other before the one.
"""

from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

import pytest

from chalicelib.domain import errors
from chalicelib.domain.attendance import Mark
from chalicelib.domain.classes import ClassStatus
from chalicelib.domain.enrolment import Status
from chalicelib.domain.events import EventType
from chalicelib.services import (
    attendance,
    class_changes,
    classes,
    deciding,
    enrolment,
    jobs,
    movers,
    placing_many,
    placing_others,
    timers,
    waiting,
)
from chalicelib.storage import classes as stored
from chalicelib.storage import learner as learners
from chalicelib.storage import rules
from chalicelib.storage.outbox import EventRow
from tests import seams, snapshots
from tests.builders import NOW
from tests.busy_class import (
    ADMINISTRATOR,
    ASKING,
    INSTRUCTOR,
    LATE,
    MANAGER,
    OTHER,
    START,
    actor,
    freed,
    freed_by_need,
    full,
    held,
    marked,
    moving,
    one_seat_left,
    taken,
)
from tests.traces import Traces

COMPLETED, ABSENT = Status.COMPLETED, Status.DID_NOT_ATTEND


# --- what they do -------------------------------------------------------------------------------------------------


def enrols(number, class_id="504-c1", at=NOW):
    return lambda: enrolment.enrol_myself(actor(number), class_id, at).status


def withdraws(number, at=NOW):
    return lambda: enrolment.withdraw_myself(actor(number), "504-c1~1", at).status


def withdraws_somebody(by, number, at=NOW):
    return lambda: placing_others.withdraw(actor(by), f"p{number}", "504-c1~1", "Ill", at).status


def cancels_place(by, number, at=NOW):
    return lambda: placing_others.cancel(actor(by), f"p{number}", "504-c1~1", "Ill", at).status


def places(by, number):
    return lambda: placing_others.enrol(actor(by), f"p{number}", "504-c1", None, None, NOW).status


def places_all(by, *numbers):
    def work():
        listed = [placing_many.Wanted(f"p{number}", None) for number in numbers]
        placing_many.enrol_many(actor(by), "504-c1", listed, None, NOW, lambda: True)

    return work


def approves(by, at=NOW):
    return lambda: deciding.approve(actor(by, at), f"p{ASKING}", "504-c1~1", by_office(by), at).status


def rejects(by):
    return lambda: deciding.reject(actor(by), f"p{ASKING}", "504-c1~1", "Not now", NOW).status


def by_office(by):
    """The reason that an administrator gives for deciding in place of a manager."""
    return "They are away." if by in (ADMINISTRATOR, OTHER) else None


def takes_out_of_turn(by, number):
    return lambda: placing_others.promote(actor(by), f"p{number}", "504-c1~1", "Urgent", NOW).status


def promotion():
    """The worker gives free seats to those waiting, delivered again where the list has changed meanwhile."""
    for _ in range(3):
        with suppress(class_changes.Unseen):
            assert class_changes.promote("504-c1", NOW, lambda: True)
            return
    raise AssertionError


def ranking(number):
    return lambda: void(waiting.rank_again(person(number), rules.rulebook_now("504"), NOW))


def judging(number):
    return lambda: void(movers.judge_again(person(number), NOW))


def void(_):
    """Nobody is given an answer."""


def person(number):
    return learners.learner(f"p{number}", "504", consistent=True)


def changes(**fields):
    """The class, whatever its revision is by then: an administrator who is told that it has changed sends it again."""

    def work():
        for _ in range(3):
            revision = stored.class_with_seats("504-c1", consistent=True)[0].revision
            try:
                classes.change(actor(ADMINISTRATOR), "504-c1", revision, fields, NOW, True)
            except errors.Outdated:
                continue
            return
        raise AssertionError

    return work


def calls_off():
    classes.cancel(actor(ADMINISTRATOR), "504-c1", "Flooded", NOW, True)


def marks(by, number, outcome):
    def work():
        register = attendance.mark(actor(by), "504-c1", [Mark(f"p{number}", outcome)], None, START, lambda: True)
        (result,) = register.results
        return result.enrolment.status if result.enrolment else type(result.refusal).__name__

    return work


def marks_all(by, outcome):
    def work():
        with suppress(errors.ClassCancelled):
            attendance.mark(actor(by), "504-c1", [], outcome, START, lambda: True)

    return work


def corrects(by, number, outcome):
    def work():
        found, _ = attendance.correct(actor(by), f"p{number}", "504-c1~1", outcome, None, "Wrong line", START)
        return found.status

    return work


def timers_ring(at, looks=1000):
    """The worker looks after what is due, again where that fails, until it has looked so often at the time that is left."""

    def work():
        left = iter(range(looks))
        for _ in range(3):
            try:
                return void(timers.ring("504", at, lambda: next(left, None) is not None))
            except timers.SomeFailed:
                continue
        raise AssertionError

    return work


# --- at the same moment -------------------------------------------------------------------------------------------

START_RINGS = timers_ring(START + LATE)
REMINDER = timers_ring(NOW + timedelta(days=3) + LATE)
ESCALATION = timers_ring(NOW + timedelta(days=7) + LATE)
RACES = {
    "two want the last seat": (one_seat_left, enrols(2), enrols(3)),
    "an approval and a booking want it": (one_seat_left, approves(MANAGER), enrols(2)),
    "a manager places whoever enrols": (one_seat_left, places(MANAGER, 2), enrols(2)),
    "many are placed while one of them enrols": (one_seat_left, places_all(ADMINISTRATOR, 2, 3), enrols(3)),
    "the same are placed by two": (one_seat_left, places_all(ADMINISTRATOR, 2, 3), places_all(OTHER, 3, 2)),
    "a maximum is lowered while somebody books": (one_seat_left, changes(maximum=1), enrols(2)),
    "a class is called off while somebody enrols": (one_seat_left, calls_off, enrols(2)),
    "a class is called off while a request is approved": (one_seat_left, calls_off, approves(MANAGER)),
    "a class is closed while a request is approved": (
        one_seat_left,
        changes(status=ClassStatus.CLOSED),
        approves(MANAGER),
    ),
    "a class is planned again while a request is approved": (
        one_seat_left,
        changes(status=ClassStatus.PLANNED),
        approves(MANAGER),
    ),
    "two approve": (one_seat_left, approves(MANAGER), approves(ADMINISTRATOR)),
    "one approves and one rejects": (one_seat_left, approves(MANAGER), rejects(ADMINISTRATOR)),
    "it is approved and taken back": (one_seat_left, approves(MANAGER), withdraws(ASKING)),
    "it is approved while its learner books elsewhere": (one_seat_left, approves(MANAGER), enrols(ASKING, "504-c2")),
    "it is reminded of twice": (one_seat_left, REMINDER, REMINDER),
    "it is escalated and approved": (one_seat_left, ESCALATION, approves(MANAGER)),
    "it is escalated and taken back": (one_seat_left, ESCALATION, withdraws(ASKING)),
    "it is escalated twice": (one_seat_left, ESCALATION, ESCALATION),
    "a seat is given back while somebody joins the list": (taken, withdraws(1), enrols(2)),
    "a seat is given back while somebody joins those who wait": (full, withdraws(1), enrols(4)),
    "the next withdraws while promoted": (freed, promotion, withdraws(2)),
    "the next is cancelled while promoted": (freed, promotion, cancels_place(ADMINISTRATOR, 2)),
    "the next books elsewhere while promoted": (freed, promotion, enrols(2, "504-c2")),
    "somebody joins while the next is promoted": (freed, promotion, enrols(4)),
    "two promote": (freed, promotion, promotion),
    "another is taken out of turn while the next is promoted": (freed, promotion, takes_out_of_turn(ADMINISTRATOR, 3)),
    "whoever is taken out of turn withdraws": (freed, takes_out_of_turn(ADMINISTRATOR, 3), withdraws(3)),
    "a class is called off while the next is promoted": (freed, promotion, calls_off),
    "the list is ranked while the next is promoted": (freed_by_need, promotion, ranking(2)),
    "the next is judged in another post while promoted": (moving, promotion, judging(2)),
    "a mover withdraws while judged": (moving, judging(2), withdraws(2)),
    "a mover is judged twice": (moving, judging(2), judging(2)),
    "a class starts while a request is approved": (one_seat_left, START_RINGS, approves(MANAGER)),
    "a class starts while somebody enrols": (full, START_RINGS, enrols(4)),
    "a class starts while the next is promoted": (freed, START_RINGS, promotion),
    "a class starts while somebody withdraws": (full, START_RINGS, withdraws(2)),
    "two mark": (held, marks(INSTRUCTOR, 1, COMPLETED), marks(ADMINISTRATOR, 1, ABSENT)),
    "two mark the same": (held, marks_all(INSTRUCTOR, COMPLETED), marks_all(ADMINISTRATOR, COMPLETED)),
    "somebody withdraws while marked": (held, marks_all(INSTRUCTOR, COMPLETED), withdraws(1)),
    "somebody is withdrawn while marked": (held, marks_all(INSTRUCTOR, COMPLETED), withdraws_somebody(MANAGER, 1, START)),
    "a class is called off while marked": (held, marks_all(INSTRUCTOR, COMPLETED), calls_off),
    "one is corrected while others are marked": (marked, corrects(ADMINISTRATOR, 1, ABSENT), marks_all(INSTRUCTOR, COMPLETED)),
    "two correct": (marked, corrects(ADMINISTRATOR, 1, ABSENT), corrects(OTHER, 1, Status.CONFIRMED)),
    "an undone mark is marked again": (marked, corrects(ADMINISTRATOR, 1, Status.CONFIRMED), marks(INSTRUCTOR, 1, COMPLETED)),
}  # fmt: skip


HALF_WAY = {
    "many are placed while one of them enrols": [(places(ADMINISTRATOR, 2), enrols(3))],
    "the same are placed by two": [
        (places(ADMINISTRATOR, 2), places_all(OTHER, 3, 2)),
        (places(OTHER, 3), places_all(ADMINISTRATOR, 2, 3)),
    ],
    "a class starts while the next is promoted": [(timers_ring(START + LATE, 5), promotion, START_RINGS)],
}
"""What takes several transactions lets others in between."""


def outcome(work):
    """What somebody gets: their answer, or the name of the refusal."""
    try:
        return work()
    except (errors.Conflict, errors.Unavailable):
        raise
    except errors.Refusal as refusal:
        return type(refusal).__name__


@dataclass
class Ended:
    """What each of them got, and what is left behind of it all."""

    got: list
    left: dict


class Stage:
    """Plays what several do to the same records."""

    def __init__(self, before):
        self._before = before

    def _begin(self):
        self._followed = snapshots.begin(("followed", self._before), self._make)
        rules.forget()

    def _make(self):
        """The records before, and the events that are followed already."""
        self._before()
        return frozenset(row.sk for row in EventRow.scan())

    def _end(self):
        self._follow()
        left = Traces()
        left.check()
        return left.found

    def _follow(self):
        """What the queues do of what has happened: jobs of classes, and promotions."""
        while events := [row.event() for row in EventRow.scan() if row.sk not in self._followed]:
            self._followed |= {each.id for each in events}
            for event in sorted(events, key=lambda each: each.id):
                if event.type is EventType.JOB_STARTED:
                    job = jobs.job("504", event.data["job"])
                    assert class_changes.follow(job, "504-c1", NOW, lambda: True, class_changes.Walk()).finished
                    promotion()
                for class_id in event.data.get("promote", ()):
                    class_changes.promote(class_id, NOW, lambda: True)

    def in_turn(self, *several):
        """One after the other; and how many transactions the first made."""
        self._begin()
        with seams.counted("TransactWriteItems") as made:
            got = [outcome(several[0])]
            of_first = made[0]
        for each in several[1:]:
            self._follow()
            got.append(outcome(each))
        return Ended(got, self._end()), of_first

    def at_once(self, held_up, meanwhile, nth):
        """One held up before their nth transaction, another meanwhile, and what follows from that."""
        self._begin()
        got = []

        def act():
            got.append(outcome(meanwhile))
            self._follow()

        with seams.before_commit(act, nth):
            got.insert(0, outcome(held_up))
        return Ended(got, self._end())


@pytest.mark.parametrize("race", RACES)
def test_it_ends_as_if_one_had_come_after_the_other(aws, race):
    before, one, other = RACES[race]
    stage = Stage(before)
    one_first, of_one = stage.in_turn(one, other)
    other_first, of_other = stage.in_turn(other, one)
    between = [stage.in_turn(*several)[0].left for several in HALF_WAY.get(race, ())]

    def is_possible(one_got, other_got, left):
        in_turn = (Ended([one_got, other_got], left) == one_first) or (Ended([other_got, one_got], left) == other_first)
        return in_turn or left in between

    for nth in range(1, of_one + 1):
        ended = stage.at_once(one, other, nth)
        assert is_possible(*ended.got, ended.left), (nth, ended.got)
    for nth in range(1, of_other + 1):
        ended = stage.at_once(other, one, nth)
        assert is_possible(*reversed(ended.got), ended.left), (nth, ended.got)
