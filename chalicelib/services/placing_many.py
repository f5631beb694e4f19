"""Placing many people on a class at once, with a result for each (domain.md §2, decision 0023).

Some twenty people share a transaction, which takes their places together. If records of any of them, or the class, have moved
meanwhile, its people are placed one by one. There is no list of what is done: who is on the class already stays as they are, so
that a repetition does the rest.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import groupby, pairwise

import msgspec

from chalicelib.domain.actor import Actor
from chalicelib.domain.enrolment import Enrolment, Party, Status
from chalicelib.domain.errors import Conflict, FieldError, Invalid, Refusal, Unavailable, refuse_body
from chalicelib.domain.learner import Learner
from chalicelib.domain.people import Assignment
from chalicelib.domain.permissions import Capability
from chalicelib.domain.placing import Verdict, on_already, seats_after
from chalicelib.services import catalogue
from chalicelib.services.catalogue import SeenClass
from chalicelib.services.enrolment import place, through
from chalicelib.services.placing_others import (
    no_such_person,
    party_to,
    reached,
    refuse_override,
    refuse_whoever_left,
)
from chalicelib.storage import enrolment as enrolments
from chalicelib.storage import people
from chalicelib.storage.transaction import Stale, Transaction, retried

TOGETHER = 20
"""People placed in one transaction: four writes each, of the hundred that it takes."""

_AFTER_ANOTHER = timedelta(microseconds=1)
"""Whoever waits does so in the order of the list."""

READERS = 4
"""People read at the same time, while those before them are written."""


class Wanted(msgspec.Struct, frozen=True):
    """Somebody to place, by person id or by employee number, and through which assignment (the primary one unless given)."""

    person: str | None
    number: str | None
    assignment: str | None = None


class Outcome(StrEnum):
    """What became of somebody on a list. Unchanged: on the class already. Not tried: time ran out before."""

    PLACED = "placed"
    UNCHANGED = "unchanged"
    REFUSED = "refused"
    NOT_TRIED = "not tried"


class Result(msgspec.Struct, frozen=True):
    """What became of one on a list: their enrolment, as placed or as it was; or the refusal. `person` is None for a number that is
    nobody's.
    """

    wanted: Wanted
    person: str | None
    outcome: Outcome
    enrolment: Enrolment | None = None
    refusal: Refusal | None = None


def enrol_many(
    actor: Actor,
    class_id: str,
    wanted: Sequence[Wanted],
    override: str | None,
    now: datetime,
    time_left: Callable[[], bool],
) -> list[Result]:
    """Place people on a class, in the order of the list: seats while there are any, then places on the waiting list.

    A result for each, in that order; once there is no time left the others are not tried. Raises Invalid naming whoever is on the
    list twice, NotFound for a class that neither the actor nor anybody listed may know of, NotPermitted for a manager's override,
    and Unavailable, after which a repetition does the rest.
    """
    if not actor.scopes(Capability.EDIT_ENROLMENTS):
        refuse_override(Party.MANAGER, override)
    people_listed = _listed(actor.employer, wanted)
    work = _Work(actor, class_id, override, now)
    results = list(work.place(people_listed, time_left))
    if not work.known:
        raise catalogue.no_such_class(class_id)
    return results


class _Listed(msgspec.Struct, frozen=True):
    """One on the list: at which place, who is wanted, and the person's id if there is somebody."""

    place: int
    wanted: Wanted
    person: str | None

    def result(self, outcome: Outcome, enrolment: Enrolment | None = None, refusal: Refusal | None = None) -> Result:
        return Result(self.wanted, self.person, outcome, enrolment, refusal)

    def refused(self, refusal: Refusal) -> Result:
        if isinstance(refusal, Invalid):  # of an assignment that is not theirs: at which place of the list
            where = f"body.people[{self.place}]"
            refusal = Invalid(
                *(FieldError(each.field.replace("body", where, 1), each.reason) for each in refusal.errors)
            )
        return self.result(Outcome.REFUSED, refusal=refusal)


def _listed(employer: str, wanted: Iterable[Wanted]) -> list[_Listed]:
    """The people wanted, by their ids. Raises Invalid naming those who are on the list before."""
    all_wanted = list(wanted)
    numbers = people.people_numbered(employer, (each.number for each in all_wanted if each.number is not None))
    listed = [
        _Listed(place, each, each.person if each.number is None else numbers.get(each.number))
        for place, each in enumerate(all_wanted)
    ]
    first: dict[str, int] = {}
    refuse_body(
        FieldError(f"people[{each.place}]", f"is the same person as people[{first[each.person]}]")
        for each in listed
        if each.person is not None and first.setdefault(each.person, each.place) != each.place
    )
    return listed


class _Judged(msgspec.Struct, frozen=True):
    """Somebody who may be placed, and the class as it is when their turn comes."""

    listed: _Listed
    learner: Learner
    seen: SeenClass
    assignment: Assignment | None
    verdict: Verdict

    @property
    def status(self) -> Status:
        return self.verdict.or_refuse()


class _Work:
    """A list being worked on, and the class as last read, with the places given since."""

    def __init__(self, actor: Actor, class_id: str, override: str | None, now: datetime) -> None:
        self._actor, self._class_id, self._override, self._now = actor, class_id, override, now
        self._seen = self._look()
        self._own_class = self._seen.may_enter
        self.known = self._own_class
        """Whether the actor, or anybody listed whom they may place, can find the class."""

    def place(self, listed: Sequence[_Listed], time_left: Callable[[], bool]) -> Iterator[Result]:
        """Place people, some twenty at a time, the next ones being read meanwhile."""
        groups = [listed[start : start + TOGETHER] for start in range(0, len(listed), TOGETHER)]
        with ThreadPoolExecutor(READERS) as pool:

            def read(group: Iterable[_Listed]) -> list[Future[Learner]]:
                return [pool.submit(self._read, each) for each in group]

            ahead = read(groups[0])
            for group, following in pairwise([*groups, []]):
                if not time_left():
                    yield from (each.result(Outcome.NOT_TRIED) for each in group)
                    continue
                reading, ahead = ahead, read(following)
                yield from self._place_group(group, reading, time_left)

    def _look(self) -> SeenClass:
        return catalogue.look_at(self._actor, self._class_id, self._now, consistent=True)

    def _read(self, listed: _Listed) -> Learner:
        if listed.person is None:
            raise no_such_person(None)
        return reached(self._actor, listed.person, self._now)

    def _place_group(
        self, group: Sequence[_Listed], reading: Iterable[Future[Learner]], time_left: Callable[[], bool]
    ) -> list[Result]:
        """Judge each, then commit those who get the same together: a class is changed once in a transaction."""
        found = [self._judge(each, future.result) for each, future in zip(group, reading, strict=True)]
        done = {each.place: result for each, result in zip(group, found, strict=True) if isinstance(result, Result)}
        to_place = [each for each in found if isinstance(each, _Judged)]
        results: list[Result] = []
        try:
            for _, run in groupby(to_place, key=lambda each: each.status):
                results += self._commit(list(run))
        except Stale:
            left = to_place[len(results) :]  # what was judged of them stands on the class as it was
            results += self._place_each([each.listed for each in left], time_left)
        done |= {each.listed.place: result for each, result in zip(to_place, results, strict=True)}
        return [done[each.place] for each in group]

    def _place_each(self, group: Iterable[_Listed], time_left: Callable[[], bool]) -> list[Result]:
        results = [self._place_alone(each) if time_left() else each.result(Outcome.NOT_TRIED) for each in group]
        self._seen = self._look()
        return results

    def _place_alone(self, listed: _Listed) -> Result:
        @retried
        def attempt() -> Result:
            self._seen = self._look()
            judged = self._judge(listed, lambda: self._read(listed))
            return judged if isinstance(judged, Result) else self._commit([judged])[0]

        try:
            return attempt()
        except Conflict as refusal:
            return listed.refused(refusal)

    def _judge(self, listed: _Listed, read: Callable[[], Learner]) -> Result | _Judged:
        """Somebody's result if there is nothing to write; else their verdict, their place taken of those that are left."""
        try:
            return self._may_place(listed, read())
        except Unavailable:
            raise
        except Refusal as refusal:
            return listed.refused(refusal)

    def _may_place(self, listed: _Listed, learner: Learner) -> Result | _Judged:
        refuse_whoever_left(learner, self._now)
        seen = self._seen.placing(learner)
        if not (self._own_class or seen.may_enter):
            raise catalogue.no_such_class(self._class_id)
        self.known = True
        there = on_already(seen.class_, learner.enrolments)
        if there and there.status is not Status.REQUESTED:
            return listed.result(Outcome.UNCHANGED, there)
        party = party_to(self._actor, learner, seen.course.subject, seen.catalogue, self._now)
        refuse_override(party, self._override)
        supervisor = self._actor.person if party is Party.MANAGER else None
        assignment = through(learner, listed.wanted.assignment, self._now, supervisor)
        verdict = catalogue.judge(seen, learner, self._now, party, overriding=self._override is not None)
        self._seen = self._seen._replace(seats=seats_after(seen.seats, verdict.or_refuse()))
        return _Judged(listed, learner, seen, assignment, verdict)

    def _commit(self, together: Sequence[_Judged]) -> list[Result]:
        transaction = Transaction()
        enrolments.take_place(transaction, together[0].seen.class_, together[0].status, len(together))
        placed = [
            place(
                transaction,
                each.learner,
                each.seen,
                each.verdict,
                each.assignment,
                self._actor.person,
                self._now + each.listed.place * _AFTER_ANOTHER,
                self._override if each.verdict.overridden else None,
            )
            for each in together
        ]
        transaction.commit()
        return [each.listed.result(Outcome.PLACED, made) for each, made in zip(together, placed, strict=True)]
