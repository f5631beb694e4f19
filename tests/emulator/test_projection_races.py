"""Projection with real parallelism: people join, move, leave and are awarded, rules change, and projectors and workers follow in
random order, each told twice. In the end nothing differs from a full recount."""

import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from chalicelib.domain.projection import UNASSIGNED
from chalicelib.domain.requirements import TargetKind
from chalicelib.services import jobs, projection, rule_changes
from chalicelib.storage import projection as stored
from chalicelib.storage import rules
from chalicelib.storage.awards import AwardRow
from chalicelib.storage.people import AssignmentRow
from chalicelib.storage.transaction import Transaction, retried
from tests import builders as b
from tests.builders import FIRE, INDUCTION, MOVING, NOW, PREVENT, SYSTEM, TODAY

AT_ONCE = 12
PEOPLE = 24
CHANGES = 400
SECONDS = 15
WARDS = ("ward-9", "ward-10", "estates")

pytestmark = [pytest.mark.emulator, pytest.mark.xdist_group("emulator")]


class Trust:
    """Random changes, and the deliveries that follow from them: at least once, in any order."""

    def __init__(self, seed):
        self.chance = random.Random(seed)
        self.lock = threading.Lock()
        self.deliveries = []
        self.started = set(range(PEOPLE // 2))
        self.finished = 0

    def told(self, *deliveries):
        with self.lock:
            self.deliveries += 2 * deliveries

    def deliver_one(self):
        """A projector or a worker takes whatever it is given; False if there was nothing."""
        with self.lock:
            if not self.deliveries:
                return False
            delivery = self.deliveries.pop(self.chance.randrange(len(self.deliveries)))
        kind, *what = delivery
        try:
            if kind == "person":
                projection.project(*what, "504", NOW)
            else:
                job, part = what
                jobs.finish_part(jobs.job("504", job), part, rule_changes.follow(jobs.job("504", job), part, NOW), NOW)
        except Exception:  # given up under contention: delivered again, like a message of the queue
            with self.lock:
                self.deliveries.append(delivery)
        self.finished += 1
        return True

    def change(self):
        """One random change, and whom it concerns."""
        kind = self.chance.choice(["join", "move", "move", "award", "award", "leave", "second", "rule"])
        number = self.chance.randrange(PEOPLE)
        if kind == "rule":
            self._change_rules()
            return
        with self.lock:
            new = number not in self.started
            self.started.add(number)
        if new:
            b.person(number)
        elif kind == "award":
            day = TODAY - timedelta(days=self.chance.randrange(400))
            AwardRow.of(f"p{number}", "504", b.award(self.chance.choice([FIRE, MOVING, PREVENT]), day)).save()
        elif kind == "leave":
            AssignmentRow.of(f"p{number}", "504", b.assignment(str(number), ends_on=TODAY - timedelta(1))).save()
        else:
            own = str(number) if kind != "second" else f"{number}-2"
            moved = b.assignment(own, unit=self.chance.choice(WARDS), primary=kind != "second")
            AssignmentRow.of(f"p{number}", "504", moved).save()
        self.told(("person", f"p{number}"))

    def _change_rules(self):
        kind, target = self.chance.choice(
            [(TargetKind.EMPLOYER, "504"), (TargetKind.UNIT, "surgery"), (TargetKind.UNIT, "estates")]
        )
        name = self.chance.choice([FIRE, MOVING, PREVENT, INDUCTION])
        ends_on = self.chance.choice([None, None, TODAY - timedelta(1)])
        rule = b.requirement(name, kind, target, self.chance.choice([1, 1, 2]), ends_on=ends_on)

        @retried
        def change():
            transaction = Transaction()
            transaction.put(rules.RequirementRow.of("504", rule))
            job_id = rule_changes.announce(transaction, SYSTEM, "504", [rule.target], NOW)
            transaction.commit()
            return job_id

        job_id = change()
        parts = rule_changes.parts_of(rules.rulebook("504"), [rule.target], b.TODAY)
        self.told(*(("part", job_id, part) for part in parts))
        return job_id


@pytest.fixture
def stalling(monkeypatch):
    """Some projectors stall between reading and writing: meanwhile others delete the snapshot and make it anew."""
    commit, chance = stored.commit, random.Random(505)

    def stall(changes, *follow):
        ready = list(changes)
        time.sleep(chance.choice([0, 0, 0, 0.05, 0.2]))
        commit(ready, *follow)

    monkeypatch.setattr(stored, "commit", stall)


@pytest.mark.parametrize("seed", [504])
@pytest.mark.usefixtures("stalling")
def test_whatever_happens_at_once_counters_equal_a_full_recount(real_tables, monkeypatch, seed):
    monkeypatch.setattr(projection, "LOOK_AGAIN_SECONDS", 0)
    b.trust()
    trust = Trust(seed)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(b.person, range(PEOPLE // 2)))
    trust.told(*(("person", f"p{number}") for number in range(PEOPLE // 2)))
    until = time.monotonic() + SECONDS

    def change_and_deliver(_):
        if time.monotonic() < until:
            trust.change()
        trust.deliver_one()
        trust.deliver_one()

    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(change_and_deliver, range(CHANGES)))
        while trust.deliveries:
            list(pool.map(lambda _: trust.deliver_one(), range(len(trust.deliveries))))

    found = list(projection.recount("504", [*(unit.id for unit in b.UNITS), UNASSIGNED], NOW))
    counted = stored.counters("504", consistent=True)
    print(f"{trust.finished} deliveries, {sum(each.assignments for each in counted.values())} assignments counted")
    print(f"{len(found)} differences")
    assert found == []
    assert sum(each.assignments for each in counted.values()) > PEOPLE // 4
