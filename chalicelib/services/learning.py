"""My learning, and that of others one may see: what is current, requested, waited for, and over (domain.md §10)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import msgspec

from chalicelib.domain import attendance, learning
from chalicelib.domain.actor import Actor
from chalicelib.domain.calendar import london_day
from chalicelib.domain.catalogue import Catalogue
from chalicelib.domain.competency import Award
from chalicelib.domain.enrolment import OPEN, SEATED, Enrolment, Party
from chalicelib.domain.errors import NotFound
from chalicelib.domain.external_training import ExternalTraining, parties
from chalicelib.domain.learner import Learner
from chalicelib.domain.learning import Record
from chalicelib.domain.permissions import Capability, Scope
from chalicelib.services import enrolment as enrolments
from chalicelib.services import people, waiting
from chalicelib.storage import classes, rules
from chalicelib.storage import external_training as stored
from chalicelib.storage.people import names_of

_TRAININGS_AT_A_TIME = 100


class Shown(msgspec.Struct, frozen=True):
    """An enrolment as somebody sees it: `own` if it is theirs, `may_withdraw` if they can give it back now.

    `approver` is the name of who is asked, `position` the place on the waiting list from 1, `awards` what it earned.
    """

    enrolment: Enrolment
    own: bool
    may_withdraw: bool = False
    approver: str | None = None
    position: int | None = None
    awards: tuple[Award, ...] = ()


class ShownTraining(msgspec.Struct, frozen=True):
    """An external training as somebody sees it: `own` if it is theirs. `approver` is the name of who is asked."""

    training: ExternalTraining
    own: bool
    approver: str | None
    awards: tuple[Award, ...]


class ShownPage(msgspec.Struct, frozen=True):
    """A page of a learner's enrolments, how many there are in all, and where to go on."""

    learner: Learner
    enrolments: Sequence[Shown]
    total: int
    next_offset: int | None


class Learning(msgspec.Struct, frozen=True):
    """A learner's learning in its four groups, of its history a page, and where that goes on.

    `absences`: how often they did not attend in the last twelve months, of what the actor may see.
    """

    learner: Learner
    current: Sequence[Shown]
    requested: Sequence[Shown | ShownTraining]
    waiting: Sequence[Shown]
    history: Sequence[Shown | ShownTraining]
    in_history: int
    absences: int
    after: Any


# --- whose learning -------------------------------------------------------------------------------------------


def myself(actor: Actor) -> Learner:
    """The actor as a learner. Raises NotFound for whoever is none here."""
    if actor.learner is None:
        raise NotFound("You are no learner at this employer.")
    return actor.learner


def visible(actor: Actor, person: str, now: datetime) -> Learner:
    """Whoever's learning the actor may see: whole as themselves, an administrator or their manager; as an instructor, with those
    enrolments alone that are on classes of theirs.

    Raises NotFound for anybody else, existing or not (domain.md §10).
    """
    learner = people.somebody(actor, person)
    if learner is not None and actor.may_see(Capability.VIEW_HISTORY, learner, london_day(now)):
        return learner
    taught = _taught(actor, learner) if learner else ()
    if learner is None or not taught:
        raise NotFound("There is no such person, or not for you.", person=person)
    return replace(learner, enrolments=taught)


def _taught(actor: Actor, learner: Learner) -> tuple[Enrolment, ...]:
    """What a learner asks for, waits for, is on or has taken of the classes that the actor instructs."""
    if Scope.OWN_CLASSES not in actor.scopes(Capability.VIEW_HISTORY):
        return ()
    taking = [each for each in learner.enrolments if each.status in OPEN | SEATED]
    found = classes.summaries({each.class_id for each in taking})
    own = {class_.id for class_, _ in found if class_.instructor == actor.person}
    return tuple(each for each in taking if each.class_id in own)


# --- enrolments, one after the other --------------------------------------------------------------------------


def enrolments_of_mine(actor: Actor, open_: bool | None, limit: int, offset: int, now: datetime) -> ShownPage:
    """A page of the actor's own enrolments: open ones by start, then closed ones, latest first."""
    return _page(actor, myself(actor), open_, limit, offset, now)


def enrolments_of(actor: Actor, person: str, open_: bool | None, limit: int, offset: int, now: datetime) -> ShownPage:
    """A page of somebody's enrolments, in the same order. Raises NotFound as `visible`."""
    return _page(actor, visible(actor, person, now), open_, limit, offset, now)


def one_of_mine(actor: Actor, enrolment_id: str, now: datetime) -> Shown:
    """One enrolment of the actor. Raises NotFound."""
    return _one(actor, myself(actor), enrolment_id, now)


def one_of(actor: Actor, person: str, enrolment_id: str, now: datetime) -> Shown:
    """One enrolment of somebody. Raises NotFound as `visible`, and for one that is none or not for the actor."""
    return _one(actor, visible(actor, person, now), enrolment_id, now)


def _one(actor: Actor, learner: Learner, enrolment_id: str, now: datetime) -> Shown:
    found = enrolments.one_of(learner, enrolment_id)
    return _Eyes.of(actor, learner, [found], now).on(found)


def _page(actor: Actor, learner: Learner, open_: bool | None, limit: int, offset: int, now: datetime) -> ShownPage:
    page = enrolments.page_of(learner, open_, limit, offset)
    eyes = _Eyes.of(actor, learner, page.enrolments, now)
    return ShownPage(learner, [eyes.on(each) for each in page.enrolments], page.total, page.next_offset)


# --- the four groups ------------------------------------------------------------------------------------------


def mine(actor: Actor, limit: int, after: Any, now: datetime) -> Learning:
    """The actor's own learning, with a page of its history. Raises NotFound for whoever is no learner here."""
    return _learning(actor, myself(actor), limit, after, now)


def of_person(actor: Actor, person: str, limit: int, after: Any, now: datetime) -> Learning:
    """Somebody's learning, with a page of its history. Raises NotFound as `visible`.

    External training is shown to those who decide on it, and no draft to anybody else (decision 0022).
    """
    return _learning(actor, visible(actor, person, now), limit, after, now)


def _learning(actor: Actor, learner: Learner, limit: int, after: Any, now: datetime) -> Learning:
    groups = learning.grouped(learner.enrolments, _trainings(actor, learner, now))
    page, following = _page_of_history(groups.history, limit, after)
    eyes = _Eyes.of(actor, learner, [*groups.requested, *groups.waiting], now)
    return Learning(
        learner,
        current=[eyes.on(each) for each in groups.current],
        requested=[eyes.on_any(each) for each in groups.requested],
        waiting=[eyes.on(each) for each in groups.waiting],
        history=[eyes.on_any(each) for each in page],
        in_history=len(groups.history),
        absences=attendance.absences(learner.enrolments, london_day(now)),
        after=following,
    )


def _page_of_history(history: Sequence[Record], limit: int, after: Any) -> tuple[Sequence[Record], Any]:
    """A page, and where to go on: the place of its last record, so that what is added meanwhile moves nothing."""
    rest = history if after is None else [each for each in history if _place(each) < after]
    page = rest[:limit]
    return page, _place(page[-1]) if len(rest) > limit else None


def _place(record: Record) -> list[str]:
    at, id_ = learning.place_in_history(record)
    return [at.astimezone(UTC).isoformat(timespec="microseconds"), id_]


def _trainings(actor: Actor, learner: Learner, now: datetime) -> list[ExternalTraining]:
    """The external training of a learner here that is the actor's business: one's own, or to decide on."""
    found, after = stored.of_person(learner.employer, learner.person.id, _TRAININGS_AT_A_TIME, None)
    while after:
        more, after = stored.of_person(learner.employer, learner.person.id, _TRAININGS_AT_A_TIME, after)
        found += more
    administers, today = Scope.ALLOW in actor.scopes(Capability.APPROVE_REQUESTS), london_day(now)
    return [each for each in found if parties(each, actor.person, learner, administers, today)]


class _Eyes(msgspec.Struct, frozen=True):
    """An actor who looks at a learner's records, with what has to be looked up for that."""

    actor: Actor
    learner: Learner
    now: datetime
    names: Mapping[str, str]
    positions: Mapping[str, int]
    catalogue: Catalogue | None

    @classmethod
    def of(cls, actor: Actor, learner: Learner, records: Iterable[Record], now: datetime) -> "_Eyes":
        """With the names of those asked to approve these records, and the places of those that wait."""
        every = tuple(records)
        positions = waiting.positions(each for each in every if isinstance(each, Enrolment))
        names = names_of(learner.employer, {each.approver for each in every if each.approver})
        own = learner.person.id == actor.person
        known = None if own else rules.rulebook_and_catalogue(learner.employer)[1]
        return cls(actor, learner, now, names, positions, known)

    def on(self, enrolment: Enrolment) -> Shown:
        """An enrolment as they see it."""
        party = self._party(enrolment)
        return Shown(
            enrolment,
            party is Party.LEARNER,
            party is not None and learning.may_withdraw(enrolment, party, self.now),
            self.names.get(enrolment.approver or ""),
            self.positions.get(enrolment.id),
            learning.awarded_for(enrolment, self.learner.awards),
        )

    def on_any(self, record: Record) -> Shown | ShownTraining:
        """A record as they see it."""
        if isinstance(record, Enrolment):
            return self.on(record)
        return ShownTraining(
            record,
            self.catalogue is None,
            self.names.get(record.approver or ""),
            learning.awarded_for(record, self.learner.awards),
        )

    def _party(self, enrolment: Enrolment) -> Party | None:
        """As who they could change an enrolment; None for somebody who only looks."""
        if self.catalogue is None:
            return Party.LEARNER
        course = self.catalogue.courses.get(enrolment.course)
        if self.actor.reaches(Capability.EDIT_ENROLMENTS, course.subject if course else "", self.catalogue):
            return Party.ADMINISTRATOR
        return Party.MANAGER if self.learner.supervised_by(self.actor.person, london_day(self.now)) else None
