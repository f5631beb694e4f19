"""Everything that can be done to classes, done at once by many with real parallelism, while the queues deliver twice and in any
order, up to and beyond the start of the classes. In the end nothing is lost, nothing is there twice, and nobody waits in vain.
"""

import json
import random
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from chalicelib.domain import errors
from chalicelib.domain.attendance import Mark
from chalicelib.domain.competency import Origin
from chalicelib.domain.enrolment import OPEN, OUTCOMES, SEATED, Status
from chalicelib.handlers import work
from chalicelib.services import (
    attendance,
    awards,
    classes,
    deciding,
    enrolment,
    identity,
    placing_many,
    placing_others,
    timers,
)
from chalicelib.storage import class_lists, outbox, queues
from chalicelib.storage import classes as stored
from chalicelib.storage import learner as learners
from chalicelib.storage.base import new_id
from chalicelib.storage.people import AssignmentRow
from chalicelib.storage.transaction import Transaction
from tests import builders as b
from tests import seams
from tests.builders import NOW
from tests.busy_class import ADMINISTRATOR, INSTRUCTOR, MANAGER, NURSES, OTHER, PORTERS, START
from tests.pump import plenty
from tests.traces import Traces

AT_ONCE = 12
PEOPLE = range(100, 116)
PORTERS_FROM = 110
CLASSES = ("504-c1", "504-c2")
WARDS = ("ward-9", "ward-9", "estates", "504")
"""Where somebody may move to; at the employer's top the courses are for nobody."""
MOST = 4
"""Seats of a class at most; at times it has fewer."""
SECONDS_BEFORE, SECONDS_AFTER = 8, 7

pytestmark = [pytest.mark.emulator, pytest.mark.xdist_group("emulator")]


class Bustle:
    """Random changes by anybody, and the deliveries that follow from them: each twice, in any order, again where they fail."""

    def __init__(self, seed):
        self.chance = random.Random(seed)
        self.outcomes = Counter()
        self.faults = []
        self.most = 0
        self._lock = threading.Lock()
        self._deliveries = []
        self.begins(NOW)

    # the clock and the queues

    def begins(self, at):
        """Let it be some time, from which on time passes."""
        self._at, self._since = at, time.monotonic()

    def now(self):
        return self._at + timedelta(seconds=time.monotonic() - self._since)

    def queue(self, messages, _delay=0):
        """In place of the work queue."""
        records = [{"messageId": "1", "body": json.dumps(each)} for each in messages]
        with self._lock:
            self._deliveries += 2 * [(work.do_work, each) for each in records]

    def stream(self, call, operation, request):
        """In place of the stream: events as their transactions are committed."""
        answer = call(operation, request)
        if operation == "TransactWriteItems":
            items = [each["Put"]["Item"] for each in request["TransactItems"] if "Put" in each]
            records = [
                {
                    "eventName": "INSERT",
                    "dynamodb": {"Keys": {"sk": item["sk"]}, "NewImage": item, "SequenceNumber": "1"},
                }
                for item in items
                if item.get("kind") == {"S": "event"}
            ]
            with self._lock:
                self._deliveries += 2 * [(work.project_events, each) for each in records]
        return answer

    def deliver_one(self):
        with self._lock:
            if not self._deliveries:
                return
            to, record = self._deliveries.pop(self.chance.randrange(len(self._deliveries)))
        done = to({"Records": [record]}, plenty) if to is work.do_work else to({"Records": [record]})
        self.look()
        if done != {"batchItemFailures": []}:
            with self._lock:
                self._deliveries.append((to, record))

    def deliver_all(self, pool):
        until = time.monotonic() + 10
        while self._deliveries:
            assert time.monotonic() < until, "something fails again and again"
            list(pool.map(lambda _: self.deliver_one(), range(len(self._deliveries))))

    def look(self):
        """How many seats are taken at most, as long as this goes on."""
        self.most = max(self.most, *(each.taken for each in seats()))

    # what is done

    def act(self, kinds):
        """One of these changes, at random, to somebody of whom it can be expected just now; others may be quicker."""
        kind, class_id = self.chance.choice(kinds), self.chance.choice(CLASSES)
        try:
            if people := self.concerned(kind, class_id):
                getattr(self, kind)(self.chance.choice(people), class_id)
        except errors.Refusal as refusal:
            self.outcomes[type(refusal).__name__] += 1
        except Exception as fault:
            self.faults.append((kind, fault))
        else:
            self.outcomes[kind] += 1

    def concerned(self, kind, class_id):
        """The numbers of those in such a state."""
        if kind not in OF:
            return PEOPLE
        found = {each.person: each.status for each in class_lists.roster("504", class_id)}
        return [number for number in PEOPLE if found.get(f"p{number}") in OF[kind]]

    def actor(self, number):
        return identity.identify(f"504-{number}", None, self.now())

    def latest(self, number, class_id):
        """Somebody's latest enrolment on a class."""
        found = learners.learner(f"p{number}", "504").enrolments
        mine = [each.attempt for each in found if each.class_id == class_id]
        return f"{class_id}~{max(mine, default=1)}"

    def office(self):
        return self.actor(self.chance.choice((ADMINISTRATOR, OTHER)))

    def enrols(self, number, class_id):
        enrolment.enrol_myself(self.actor(number), class_id, self.now())

    def withdraws(self, number, class_id):
        enrolment.withdraw_myself(self.actor(number), self.latest(number, class_id), self.now())

    def is_placed(self, number, class_id):
        placing_others.enrol(self.actor(MANAGER), f"p{number}", class_id, None, None, self.now())

    def are_placed(self, _, class_id):
        listed = [placing_many.Wanted(f"p{number}", None) for number in self.chance.sample(PEOPLE, 6)]
        placing_many.enrol_many(self.office(), class_id, listed, None, self.now(), lambda: True)

    def is_approved(self, number, class_id):
        enrolment_id = self.latest(number, class_id)
        by, why = self.chance.choice([(self.actor(MANAGER), None), (self.office(), "They are away.")])
        deciding.approve(by, f"p{number}", enrolment_id, why, self.now())

    def is_rejected(self, number, class_id):
        deciding.reject(self.actor(MANAGER), f"p{number}", self.latest(number, class_id), "No", self.now())

    def is_taken_out_of_turn(self, number, class_id):
        placing_others.promote(self.office(), f"p{number}", self.latest(number, class_id), "Urgent", self.now())

    def is_sent_back(self, number, class_id):
        placing_others.send_back(self.office(), f"p{number}", self.latest(number, class_id), "Others", self.now())

    def is_cancelled(self, number, class_id):
        placing_others.cancel(self.office(), f"p{number}", self.latest(number, class_id), "Ill", self.now())

    def is_changed(self, _, class_id):
        fields = self.chance.choice([{"maximum": 3}, {"maximum": MOST}, {"by_need": True}, {"by_need": False}])
        revision = stored.class_with_seats(class_id, consistent=True)[0].revision
        classes.change(self.office(), class_id, revision, fields, self.now(), True)

    def moves(self, number, _):
        post = b.assignment(str(number), self.chance.choice(WARDS), supervisor=f"p{MANAGER}")
        transaction = Transaction()
        transaction.put(AssignmentRow.of(f"p{number}", "504", post))
        changed = outbox.Event(new_id(self.now()), outbox.EventType.LEARNER_CHANGED, "504", f"p{number}", self.now())
        outbox.emit(transaction, changed)
        transaction.commit()

    def is_awarded(self, number, _):
        wanted = awards.Wanted(b.FIRE, 1, b.TODAY, Origin.EXTERNAL, "Seen")
        awards.record(self.office(), f"p{number}", wanted, self.now())

    def is_marked(self, number, class_id):
        by, outcome = self.actor(self.chance.choice((INSTRUCTOR, ADMINISTRATOR))), self.chance.choice(sorted(OUTCOMES))
        attendance.mark(by, class_id, [Mark(f"p{number}", outcome)], None, self.now(), lambda: True)

    def is_marked_whole(self, _, class_id):
        attendance.mark(self.actor(INSTRUCTOR), class_id, [], Status.COMPLETED, self.now(), lambda: True)

    def is_corrected(self, number, class_id):
        outcome = self.chance.choice(sorted(SEATED))
        attendance.correct(
            self.office(), f"p{number}", self.latest(number, class_id), outcome, None, "Wrong line", self.now()
        )

    def becomes_due(self, *_):
        self.queue([{"kind": "timers", "employer": "504"}])


OF = {
    "enrols": {None, Status.WITHDRAWN, Status.CANCELLED},
    "is_placed": {None, Status.WITHDRAWN, Status.CANCELLED},
    "withdraws": OPEN,
    "is_cancelled": OPEN,
    "is_sent_back": {Status.CONFIRMED},
    "is_approved": {Status.REQUESTED},
    "is_rejected": {Status.REQUESTED},
    "is_taken_out_of_turn": {Status.WAITLISTED},
    "is_marked": {Status.CONFIRMED},
    "is_corrected": OUTCOMES,
}
"""Who is concerned by a change, by their state."""
JOINING = ("enrols", "enrols", "enrols", "is_placed", "are_placed")
LEAVING = ("withdraws", "withdraws", "is_cancelled", "is_sent_back")
DECIDING = ("is_approved", "is_approved", "is_rejected", "is_taken_out_of_turn")
BEFORE = (*JOINING, *LEAVING, *DECIDING, "is_changed", "is_changed", "moves", "is_awarded", "becomes_due")
AFTER = (*JOINING, *LEAVING, *DECIDING, *2 * ("is_marked", "is_corrected"), "is_marked_whole", "becomes_due")


@pytest.fixture(name="bustle")
def _bustle(real_tables, monkeypatch):
    b.trust()
    taught = {"instructor": f"p{INSTRUCTOR}", "minimum": 0}
    b.offered(b.class_(maximum=MOST, **taught), rules=(NURSES, PORTERS))
    other = b.class_("504-c2", "504-lift", maximum=MOST, sessions=[b.session(hours=2)], by_need=True, **taught)
    b.offered(other, course_id="504-lift", rules=(NURSES, PORTERS))
    b.person(MANAGER)
    b.person(INSTRUCTOR, role="instructor")
    for number in (ADMINISTRATOR, OTHER):
        b.person(number, role="learning_administrator")

    def person(number):
        unit = "estates" if number >= PORTERS_FROM else "ward-9"
        b.person(number, assignments=[b.assignment(str(number), unit, supervisor=f"p{MANAGER}")])

    bustle = Bustle(504)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(person, PEOPLE))
    monkeypatch.setattr(queues, "queue_works", bustle.queue)
    monkeypatch.setattr(work, "now", bustle.now)
    monkeypatch.setattr(timers, "SETTLED", timedelta(seconds=3))
    with seams.intercepted(bustle.stream):
        yield bustle


def everybody(bustle, kinds, seconds):
    """Let everybody act at once for a while; then nothing is left to deliver, and what there is keeps every rule."""
    until = time.monotonic() + seconds

    def act_and_deliver(_):
        while time.monotonic() < until:
            bustle.act(kinds)
            bustle.deliver_one()
            bustle.deliver_one()

    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(act_and_deliver, range(AT_ONCE)))
        bustle.deliver_all(pool)
    assert bustle.faults == []
    assert bustle.most <= MOST, "seats were sold twice"
    Traces().check()


def seats():
    return [stored.class_with_seats(each, consistent=True)[1] for each in CLASSES]


def open_enrolments():
    found = (learners.learner(f"p{number}", "504", consistent=True) for number in PEOPLE)
    return Counter(each.status for learner in found for each in learner.enrolments if each.status in OPEN)


def awarded(number):
    """Of somebody: how often completed, and how many awards of it are valid."""
    learner = learners.learner(f"p{number}", "504", consistent=True)
    completed = sum(each.status is Status.COMPLETED for each in learner.enrolments)
    return completed, sum("~" in each.source for each in learner.awards if not each.void)


def test_whatever_everybody_does_at_once_nothing_is_lost_or_there_twice(bustle):
    everybody(bustle, BEFORE, SECONDS_BEFORE)
    assert all(not each.free or not each.waiting for each in seats()), "somebody waits in vain"
    bustle.begins(START - timedelta(seconds=2))
    everybody(bustle, AFTER, SECONDS_AFTER)
    bustle.becomes_due()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        bustle.deliver_all(pool)
    Traces().check()
    print(dict(bustle.outcomes))
    assert open_enrolments().keys() <= {Status.CONFIRMED}, "somebody waits for a class that has started"
    assert all(completed == valid for completed, valid in map(awarded, PEOPLE))
    kinds = {*BEFORE, *AFTER}
    assert len(bustle.outcomes.keys() & kinds) > len(kinds) * 2 / 3, "too little succeeded to say anything"
