"""Many actors do anything in any order, and a simple model says what must come of it.

The model knows people, classes and what everybody is on; it has no revisions, transactions, indexes or jobs. After every step the
records must say what the model says, every change must be in the history, the events and the audit once, and the counters of every
class must be what counting its enrolments gives.
"""

from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count, pairwise

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from chalicelib.domain import errors
from chalicelib.domain.attendance import Mark
from chalicelib.domain.calendar import london_day
from chalicelib.domain.classes import ClassStatus
from chalicelib.domain.enrolment import MOVES, OPEN, OUTCOMES, SEATED, Status
from chalicelib.services import (
    attendance,
    class_changes,
    classes,
    deciding,
    enrolment,
    identity,
    jobs,
    placing_others,
    recount,
    timers,
)
from chalicelib.storage import classes as stored
from chalicelib.storage import keys, learner
from chalicelib.storage.audit import AuditRow
from chalicelib.storage.enrolment import waiting_list
from chalicelib.storage.outbox import EventRow
from tests import builders as b

pytestmark = [pytest.mark.emulator, pytest.mark.xdist_group("emulator")]

LEARNERS = tuple(range(1, 7))
MANAGER, ADMINISTRATOR = 90, 91
EXAMPLES, STEPS = 10, 30

Person = st.sampled_from(LEARNERS)
Which = st.sampled_from(("first", "clashing", "approved"))
"""Two classes at the same time that one books oneself, and a later one that a manager approves."""


# --- the model ----------------------------------------------------------------------------------------------------


@dataclass
class Place:
    """What somebody is on a class as, since when; `passed_over` while a seat elsewhere keeps them from having one."""

    status: Status
    since: int
    passed_over: bool = False


@dataclass
class Room:
    """A class: its places by person, the latest of each."""

    maximum: int
    approval: bool
    slot: int
    status: ClassStatus = ClassStatus.NORMAL
    started: bool = False
    places: dict[int, Place] = field(default_factory=dict)

    @property
    def taken(self):
        return sum(each.status in SEATED for each in self.places.values())

    @property
    def queue(self):
        """Who waits and counts as waiting, first in first."""
        waiting = [(p.since, who) for who, p in self.places.items() if p.status is Status.WAITLISTED]
        return [who for _, who in sorted(waiting) if not self.places[who].passed_over]

    @property
    def full(self):
        return self.taken >= self.maximum or bool(self.queue)


class Model:
    """What must come of it."""

    def __init__(self):
        self.rooms = {"first": Room(2, False, 1), "clashing": Room(1, False, 1), "approved": Room(2, True, 2)}
        self._now = count(1)

    def status(self, who, which):
        place = self.rooms[which].places.get(who)
        return place.status if place else None

    def busy(self, who, which):
        """Whether they hold a seat on another class at that time."""
        slot = self.rooms[which].slot
        others = (room for name, room in self.rooms.items() if name != which and room.slot == slot)
        return any(who in room.places and room.places[who].status is Status.CONFIRMED for room in others)

    def may_join(self, who, which):
        room = self.rooms[which]
        live = self.status(who, which) in OPEN | SEATED
        open_ = room.status in (ClassStatus.NORMAL, ClassStatus.PLANNED) and not room.started
        return open_ and not live and not self.busy(who, which)

    def joined(self, who, which, asks):
        room = self.rooms[which]
        waits = room.full or room.status is ClassStatus.PLANNED
        status = Status.REQUESTED if asks else Status.WAITLISTED if waits else Status.CONFIRMED
        self.set(who, which, status)

    def set(self, who, which, status, keeps_turn=False):
        room = self.rooms[which]
        before = room.places.get(who)
        since = before.since if before and keeps_turn else next(self._now)
        room.places[who] = Place(status, since)
        if before and before.status is Status.CONFIRMED and status is not Status.CONFIRMED:
            self._free_again(who, which)
        if before and before.status in SEATED and status not in SEATED:
            self.promote(which)

    def _free_again(self, who, which):
        """Where they were passed over because of this seat, they count again."""
        for name, room in self.rooms.items():
            place = room.places.get(who)
            if place and place.status is Status.WAITLISTED and place.passed_over and not self.busy(who, name):
                place.passed_over = False
                self.promote(name)

    def promote(self, which):
        room = self.rooms[which]
        if room.status is not ClassStatus.NORMAL or room.started:
            return
        for who in room.queue:
            if room.taken >= room.maximum:
                break
            if self.busy(who, which):
                room.places[who].passed_over = True
            else:
                room.places[who] = Place(Status.CONFIRMED, room.places[who].since)


# --- the machine --------------------------------------------------------------------------------------------------

_example = count()


class Enrolment(RuleBasedStateMachine):
    """Drives the services and the model with the same operations. Every example has days, classes and people of its own."""

    @initialize()
    def a_trust_day(self):
        self.number = next(_example)
        self.now = b.NOW + timedelta(days=self.number)
        day = (self.now + timedelta(days=7)).date()
        self.model = Model()
        self.ids = {name: f"504-{name}-{self.number}" for name in self.model.rooms}
        sessions = {"first": (9, day), "clashing": (10, day), "approved": (9, day + timedelta(days=1))}
        for name, (hour, on) in sessions.items():
            course = "504-asked" if name == "approved" else "504-fire"
            class_ = b.class_(
                self.ids[name],
                course,
                self.model.rooms[name].maximum,
                sessions=[b.session(on, hour)],
                minimum=0,
                venue=None,
            )
            classes.add_class(b.SYSTEM, class_, self.now)
        first = 100 * (self.number + 1)
        supervised = {"supervisor": f"p{MANAGER}"}
        self.logins = {
            each: b.person(first + each, assignments=(b.assignment(number=str(first + each), **supervised),))
            for each in LEARNERS
        }
        self.people = {each: f"p{first + each}" for each in LEARNERS}
        self.seen, self.days = set(), {london_day(self.now)}
        self._collect()

    # what the operations share

    def _actor(self, who):
        login = self.logins.get(who, f"504-{who}")
        return identity.identify(login, None, self.now)

    def _known(self, who):
        """Their enrolments as they stand."""
        return learner.learner(self.people[who], "504", consistent=True).enrolments

    def _enrolment(self, who, which):
        """Their latest attempt at a class."""
        return _latest(self._known(who), self.ids[which])

    def _id(self, who, which):
        found = self._enrolment(who, which)
        return found.id if found else f"{self.ids[which]}~1"

    def _does(self, work, allowed):
        """Carry an operation out; it must be refused if, and only if, the model says so."""
        self.now += timedelta(minutes=1)
        self.days.add(london_day(self.now))
        said = None
        try:
            work()
        except errors.Refusal as refusal:
            said = type(refusal).__name__
        assert (said is None) is bool(allowed), said or "was to be refused"
        assert said not in ("Conflict", "Unavailable")
        return said is None

    def _collect(self):
        """The events of this minute that were not seen yet."""
        new = []
        for shard in range(keys.EVENT_SHARDS):
            minute = keys.event(self.now, "").rpartition(keys.SEPARATOR)[0]
            for row in EventRow.query(f"{minute}#{shard}"):
                if row.sk not in self.seen:
                    self.seen.add(row.sk)
                    new.append(row.event())
        return new

    def _audited(self):
        """By person, how often which state of which enrolment was audited."""
        found = {}
        for day in self.days:
            partition = keys.audit("504", day, "").rpartition(keys.SEPARATOR)[0]
            for shard in range(keys.AUDIT_SHARDS):
                for row in AuditRow.query(f"{partition}{keys.SEPARATOR}{shard}"):
                    if row.action.startswith("enrolment.") and row.action not in UNCHANGING:
                        states = found.setdefault(row.person_pk, Counter())
                        states[row.facts["enrolment"], row.facts["status"]] += 1
        return found

    def _follow(self):
        """What the queues would have done by now: jobs of classes, then promotions, until nothing is left."""
        while events := self._collect():
            for event in events:
                if event.type.value == "job.started":
                    job = jobs.job("504", event.data["job"])
                    (class_id,) = event.data["parts"]
                    class_changes.follow(job, class_id, self.now, lambda: True, class_changes.Walk())
                    class_changes.promote(class_id, self.now, lambda: True)
                for class_id in event.data.get("promote", ()):
                    class_changes.promote(class_id, self.now, lambda: True)

    # learners

    @rule(who=Person, which=Which)
    def enrols(self, who, which):
        model, room = self.model, self.model.rooms[which]
        if self._does(
            lambda: enrolment.enrol_myself(self._actor(who), self.ids[which], self.now), model.may_join(who, which)
        ):
            model.joined(who, which, asks=room.approval)
        self._follow()

    @rule(who=Person, which=Which)
    def withdraws(self, who, which):
        allowed = self.model.status(who, which) in OPEN and not self.model.rooms[which].started
        if self._does(lambda: enrolment.withdraw_myself(self._actor(who), self._id(who, which), self.now), allowed):
            self.model.set(who, which, Status.WITHDRAWN)
        self._follow()

    # their manager

    @rule(who=Person, approves=st.booleans())
    def is_decided_on(self, who, approves):
        model, room = self.model, self.model.rooms["approved"]
        requested = model.status(who, "approved") is Status.REQUESTED and not room.started
        placeable = room.status in (ClassStatus.NORMAL, ClassStatus.PLANNED) and not model.busy(who, "approved")
        manager, id_ = self._actor(MANAGER), self._id(who, "approved")
        repeated = self._repeats(who, "approved", MANAGER, {Status.REJECTED} if not approves else set())
        if approves:
            before = self._enrolment(who, "approved")
            repeated = bool(before) and deciding._approved_by(before, f"p{MANAGER}")
            if (
                self._does(
                    lambda: deciding.approve(manager, self.people[who], id_, None, self.now),
                    repeated or (requested and placeable),
                )
                and not repeated
            ):
                model.joined(who, "approved", asks=False)
        elif (
            self._does(lambda: deciding.reject(manager, self.people[who], id_, "No", self.now), repeated or requested)
            and not repeated
        ):
            model.set(who, "approved", Status.REJECTED)
        self._follow()

    def _repeats(self, who, which, by, statuses):
        """Whether somebody has just done this: then it changes nothing."""
        found = self._enrolment(who, which)
        return bool(found) and any(found.reached(each, f"p{by}") for each in statuses)

    @rule(who=Person, which=Which)
    def is_placed_by_their_manager(self, who, which):
        manager = self._actor(MANAGER)
        if self._does(
            lambda: placing_others.enrol(manager, self.people[who], self.ids[which], None, None, self.now),
            self.model.may_join(who, which),
        ):
            self.model.joined(who, which, asks=False)
        self._follow()

    # administrators

    @rule(who=Person, which=Which)
    def is_cancelled(self, who, which):
        repeated = self._repeats(who, which, ADMINISTRATOR, {Status.CANCELLED})
        allowed = repeated or self.model.status(who, which) in OPEN
        administrator = self._actor(ADMINISTRATOR)
        done = self._does(
            lambda: placing_others.cancel(administrator, self.people[who], self._id(who, which), "Ill", self.now),
            allowed,
        )
        if done and not repeated:
            self.model.set(who, which, Status.CANCELLED)
        self._follow()

    @rule(who=Person, which=Which)
    def is_promoted_out_of_turn(self, who, which):
        model, room = self.model, self.model.rooms[which]
        repeated = self._repeats(who, which, ADMINISTRATOR, {Status.CONFIRMED})
        waits = model.status(who, which) is Status.WAITLISTED
        gives = room.status in (ClassStatus.NORMAL, ClassStatus.CLOSED) and not room.started
        allowed = repeated or (waits and gives and room.taken < room.maximum and not model.busy(who, which))
        administrator = self._actor(ADMINISTRATOR)
        done = self._does(
            lambda: placing_others.promote(administrator, self.people[who], self._id(who, which), "Urgent", self.now),
            allowed,
        )
        if done and not repeated:
            room.places[who] = Place(Status.CONFIRMED, room.places[who].since)
        self._follow()

    @rule(which=Which, maximum=st.integers(1, 3))
    def gets_another_maximum(self, which, maximum):
        room = self.model.rooms[which]
        allowed = room.status is not ClassStatus.CANCELLED or maximum == room.maximum
        if self._does(lambda: self._change_class(which, maximum=maximum), allowed):
            room.maximum = maximum
            self.model.promote(which)
        self._follow()

    @rule(
        which=Which,
        status=st.sampled_from([ClassStatus.NORMAL, ClassStatus.NORMAL, ClassStatus.CLOSED, ClassStatus.PLANNED]),
    )
    def gets_another_state(self, which, status):
        model, room = self.model, self.model.rooms[which]
        planned_late = status is ClassStatus.PLANNED and room.started and room.status is not ClassStatus.PLANNED
        if (
            self._does(
                lambda: self._change_class(which, status=status),
                room.status is not ClassStatus.CANCELLED and not planned_late,
            )
            and room.status is not status
        ):
            room.status = status
            for who, place in sorted(room.places.items(), key=lambda each: each[1].since):
                if status is ClassStatus.CLOSED and place.status is Status.REQUESTED:
                    model.set(who, which, Status.CANCELLED)
                if status is ClassStatus.PLANNED and place.status is Status.CONFIRMED:
                    model.set(who, which, Status.WAITLISTED, keeps_turn=True)
            model.promote(which)
        self._follow()

    def _change_class(self, which, **fields):
        administrator = self._actor(ADMINISTRATOR)
        revision = stored.class_with_seats(self.ids[which], consistent=True)[0].revision
        classes.change(administrator, self.ids[which], revision, fields, self.now, accept_cautions=True)

    @precondition(lambda self: not any(room.started for room in self.model.rooms.values()))
    @rule(which=Which)
    def is_called_off(self, which):
        room = self.model.rooms[which]
        administrator = self._actor(ADMINISTRATOR)
        self._does(lambda: classes.cancel(administrator, self.ids[which], "No instructor", self.now), allowed=True)
        if room.status is not ClassStatus.CANCELLED:
            room.status = ClassStatus.CANCELLED
            for who, place in list(room.places.items()):
                if place.status in OPEN:
                    self.model.set(who, which, Status.CANCELLED)
        self._follow()

    # time

    @precondition(lambda self: not self.model.rooms["first"].started)
    @rule()
    def the_day_of_the_first_two_comes(self):
        starts = stored.class_with_seats(self.ids["clashing"], consistent=True)[0].starts_at
        self.now = max(self.now, starts + timedelta(hours=4))
        self.days.add(london_day(self.now))
        assert timers.ring("504", self.now, lambda: True)
        for name in ("first", "clashing"):
            room = self.model.rooms[name]
            room.started = True
            for who, place in room.places.items():
                if place.status in (Status.WAITLISTED, Status.REQUESTED):
                    self.model.set(who, name, Status.CANCELLED)
        self._follow()

    @rule(who=Person, which=st.sampled_from(("first", "clashing")), outcome=st.sampled_from(sorted(OUTCOMES)))
    def is_marked(self, who, which, outcome):
        room, before = self.model.rooms[which], self.model.status(who, which)
        marks = [Mark(self.people[who], outcome)]
        possible = room.started and room.status is not ClassStatus.CANCELLED
        found = []
        self._does(
            lambda: found.append(
                attendance.mark(self._actor(ADMINISTRATOR), self.ids[which], marks, None, self.now, lambda: True)
            ),
            possible,
        )
        if found and before is Status.CONFIRMED:
            self.model.set(who, which, outcome)
        self._follow()

    @rule(who=Person, which=st.sampled_from(("first", "clashing")), outcome=st.sampled_from(sorted(SEATED)))
    def is_put_right(self, who, which, outcome):
        room, before = self.model.rooms[which], self.model.status(who, which)
        allowed = before in OUTCOMES and room.started and room.status is not ClassStatus.CANCELLED
        administrator = self._actor(ADMINISTRATOR)
        if before is Status.CONFIRMED and outcome is Status.CONFIRMED:
            return  # whether that repeats an undoing depends on who did what before
        if self._does(
            lambda: attendance.correct(
                administrator, self.people[who], self._id(who, which), outcome, None, "Wrong line", self.now
            ),
            allowed,
        ):
            room.places[who] = Place(outcome, room.places[who].since)
        self._follow()

    # what must always hold

    @invariant()
    def the_records_agree_with_the_model_and_with_one_another(self):
        known = {who: self._known(who) for who in LEARNERS}
        for which, room in self.model.rooms.items():
            for who, enrolments in known.items():
                found = _latest(enrolments, self.ids[which])
                assert (found.status if found else None) is self.model.status(who, which), (which, who)
                if found and found.status is Status.WAITLISTED:
                    assert found.passed_over is room.places[who].passed_over, (which, who)
            self._check_counters_and_list(which, room)
        for who, enrolments in known.items():
            live = Counter(each.class_id for each in enrolments if each.status in OPEN | SEATED)
            assert all(number == 1 for number in live.values()), who
        self._check_history_and_audit(known)

    def _check_counters_and_list(self, which, room):
        _, seats = stored.class_with_seats(self.ids[which], consistent=True)
        assert (seats.taken, seats.waiting) == (room.taken, len(room.queue)), which
        assert list(recount.seats("504", [self.ids[which]])) == []
        listed = [each.person for each in waiting_list(self.ids[which]) if each.awaiting]
        assert listed == [self.people[who] for who in room.queue], which

    def _check_history_and_audit(self, known):
        audited = self._audited()
        for who, enrolments in known.items():
            for each in enrolments:
                for before, after in pairwise([None, *(row.status for row in each.history)]):
                    assert after in MOVES[before], (before, after)
            history = Counter((each.id, row.status.value) for each in enrolments for row in each.history)
            assert audited.get(keys.person(self.people[who]), Counter()) == history, who


def _latest(enrolments, class_id):
    mine = [each for each in enrolments if each.class_id == class_id]
    return max(mine, key=lambda each: each.attempt, default=None)


UNCHANGING = {"enrolment.changed", "enrolment.passed-over"}
"""Told and audited, though the state stays the same."""


def test_whatever_everybody_does_the_records_are_what_a_simple_model_says(real_tables):
    b.trust()
    b.offered()
    b.offered(course_id="504-asked", rules=())
    b.person(MANAGER)
    b.person(ADMINISTRATOR, role="learning_administrator")
    run_state_machine_as_test(
        Enrolment,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.generate],  # shrinking runs for minutes; the steps are printed as they are
            database=None,
        ),
    )
