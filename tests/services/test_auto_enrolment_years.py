"""Two years of arranging for a ward, day by day: whatever people do, nobody due is forgotten, booked twice or bothered."""

from collections import Counter
from dataclasses import replace
from datetime import date, timedelta
from random import Random

import pytest

from chalicelib.domain import auto_enrolment as rules_of
from chalicelib.domain.auto_enrolment import Case, State
from chalicelib.domain.calendar import london_time
from chalicelib.domain.catalogue import Catalogue, Mode, Prerequisite, PrerequisiteKind
from chalicelib.domain.classes import Seats
from chalicelib.domain.decisions import ARRANGED, Outcome
from chalicelib.domain.enrolment import Status
from chalicelib.services import auto_enrolment
from tests import builders as b
from tests.builders import MOVING, TODAY

DAYS, PEOPLE = 730, 12
RULES = replace(b.rulebook(b.requirement(), b.requirement(MOVING)), auto_enrolment=True)
COURSES = {
    "504-fire": b.course(auto_enrol=True),
    "504-moving": b.course("504-moving", "Moving", (MOVING,), auto_enrol=True, auto_book=True),
}
FIRST = (Prerequisite(PrerequisiteKind.COURSE, "504-x"),)
AFTER_X = {
    "504-x": b.course("504-x", "Before All", (), auto_enrol=True),
    **{key: replace(each, prerequisites=FIRST) for key, each in COURSES.items()},
}
"""The same, where both ask for one and the same course first, which awards nothing."""
ONLINE = {"504-fire": b.e_learning(), "504-x": b.e_learning("504-e2", "504-x")}


def class_on(day):
    return b.class_(f"504-{day}", "504-moving", maximum=1, minimum=0, sessions=[b.session(day)])


class Ward:
    """People, the classes to come (one a fortnight, too few for all), and what was decided and told."""

    def __init__(self, random, courses):
        self.random = random
        self.catalogue = Catalogue("504", (1, 1), {}, courses, {}, {})
        self.people = {}
        self.classes = {}
        self.told = {}
        self.outcomes = Counter()

    def seats(self, class_):
        held = [e for who in self.people.values() for e in who.enrolments if e.class_id == class_.id]
        taken = sum(each.seated for each in held)
        return Seats(class_.maximum, taken, sum(each.awaiting for each in held))

    def case(self, person, day):
        def classes(course):
            if course.id in ONLINE:
                return [(ONLINE[course.id], Seats(None, 0, 0))]
            return [(each, self.seats(each)) for when, each in self.classes.items() if when > day]

        return Case(self.people[person], RULES, self.catalogue, classes, lambda listed: listed, london_time(day, 1))

    def run(self, day):
        """A night: what is due is arranged and kept."""
        for person in self.people:
            case = self.case(person, day)
            for step in list(auto_enrolment.plan(case)):
                self.keep(person, step, day)

    def keep(self, person, step, day):
        learner, proposal = self.people[person], step.proposal
        before = rules_of.decided(learner, proposal.competency)
        made = step.enrolment
        if made:
            assert not self.given_back_lately(learner, made.course, day)
            learner = replace(learner, enrolments=(*learner.enrolments, made))
        after = rules_of.decision_of(proposal, before, day, made.id if made else None)
        others = tuple(each for each in learner.decisions if each.competency != proposal.competency)
        self.people[person] = replace(learner, decisions=(*others, after))
        self.outcomes[proposal.outcome] += 1
        if proposal.outcome not in ARRANGED and proposal.outcome is not Outcome.WITHDRAWN:
            last = self.told.get((person, proposal.competency), date.min)
            assert day - last >= timedelta(days=rules_of.RETRY_DAYS)
            self.told[person, proposal.competency] = day

    @staticmethod
    def given_back_lately(learner, course, day):
        return any(
            each.status is Status.WITHDRAWN
            and each.course == course
            and (day - each.history[-1].at.date()).days < rules_of.RETRY_DAYS
            for each in learner.enrolments
        )

    def live(self, day):
        """What people do in a day: join, finish, attend or not, give places back; seats go to whoever waits."""
        if len(self.people) < PEOPLE and self.random.random() < 0.05:
            name = f"p{len(self.people) + 1}"
            self.people[name] = b.learner(person=replace(b.learner().person, id=name))
        for person, learner in self.people.items():
            self.people[person] = replace(
                learner, enrolments=tuple(each for one in learner.enrolments for each in [self.next_of(one, day)])
            )
            self.award(person, day)
        for class_ in self.classes.values():
            if not self.seats(class_).taken:
                self.promote(class_)

    def next_of(self, one, day):
        at, chance = london_time(day, 12), self.random.random()
        if not one.open:
            return one
        if one.mode is Mode.E_LEARNING:
            done, given_back = chance < 0.05, chance > 0.99
        else:
            due = one.starts_at.date() <= day
            if due and one.status is Status.WAITLISTED:
                return one.moved_to(Status.CANCELLED, at, "system:timers")
            if due and chance < 0.2:
                return one.moved_to(Status.DID_NOT_ATTEND, at, "p9")
            done, given_back = due, chance > 0.99
        if done:
            return one.moved_to(Status.COMPLETED, at, "p9")
        return one.moved_to(Status.WITHDRAWN, at, one.person) if given_back else one

    def award(self, person, day):
        learner = self.people[person]
        made = tuple(
            b.award(each.grants[0].competency, day, source=each.id)
            for each in learner.enrolments
            if each.status is Status.COMPLETED and each.grants and each.history[-1].at == london_time(day, 12)
        )
        self.people[person] = replace(learner, awards=(*learner.awards, *made))

    def promote(self, class_):
        for person, learner in self.people.items():
            for each in learner.enrolments:
                if each.class_id == class_.id and each.status is Status.WAITLISTED:
                    seated = each.moved_to(Status.CONFIRMED, each.placed_at, "system:waiting-list")
                    enrolments = tuple(seated if one is each else one for one in learner.enrolments)
                    self.people[person] = replace(learner, enrolments=enrolments)
                    return

    def check(self, day):
        """After each night: of what is due everything, or what comes before it, is under way or rests; nothing is under way twice;
        no class is oversold.
        """
        for learner in self.people.values():
            going = Counter(each.course for each in learner.enrolments if each.open)
            for standing in learner.compliance_on(day, RULES):
                assert rules_of.state_of(standing, learner, RULES, day) is not State.DUE or going["504-x"]
            assert set(going.values()) <= {1}
        assert all(self.seats(each).taken <= each.maximum for each in self.classes.values())


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("courses", "seen"),
    [(COURSES, {Outcome.WAITLISTED, Outcome.WITHDRAWN}), (AFTER_X, {Outcome.WITHDRAWN})],
    ids=["plain", "after one course"],
)
def test_two_years_of_nights(courses, seen, seed):
    ward = Ward(Random(seed), courses)
    for number in range(DAYS):
        day = TODAY + timedelta(days=number)
        if number % 14 == 0:
            ward.classes[day + timedelta(days=40)] = class_on(day + timedelta(days=40))
        ward.run(day)
        ward.check(day)
        ward.live(day)
    assert ward.outcomes[Outcome.BOOKED] > 50
    assert seen <= set(ward.outcomes)
