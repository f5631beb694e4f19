"""Attendance: a register marked, an outcome corrected, and who did not attend (domain.md §2, §3 and §11, decision 0026).

Some people of a register share a transaction, on condition of every enrolment's revision and of the class's. If any of them has
moved meanwhile, those people are marked one by one. Awards come in the same transaction, so that the colour follows at once; and
whoever is marked already stays as they are, so that a repetition does the rest.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

import msgspec

from chalicelib.domain import attendance as rules_of
from chalicelib.domain.actor import Actor
from chalicelib.domain.attendance import Mark
from chalicelib.domain.awards import source_of
from chalicelib.domain.calendar import london_day, long_day
from chalicelib.domain.catalogue import AwardTiming, Catalogue, Course, may_belong
from chalicelib.domain.certifications import Completion
from chalicelib.domain.classes import Class, Seats
from chalicelib.domain.competency import Award, Competency, Origin
from chalicelib.domain.enrolment import Enrolment, Party, Status, no_longer_passed_over
from chalicelib.domain.errors import NotFound, OwnEnrolment, Refusal, Unavailable, refuse_body
from chalicelib.domain.events import Event, EventType
from chalicelib.domain.learner import Learner
from chalicelib.domain.learning import awarded_for
from chalicelib.domain.permissions import Capability
from chalicelib.domain.requirements import Rulebook
from chalicelib.services import awards, certifications
from chalicelib.services.approvals import who_approves
from chalicelib.services.enrolment import count_again, everywhere, said_of
from chalicelib.storage import attendance as stored
from chalicelib.storage import audit, class_lists, classes, outbox, rules
from chalicelib.storage import enrolment as enrolments
from chalicelib.storage import learner as learners
from chalicelib.storage.base import new_id
from chalicelib.storage.transaction import Stale, Transaction, retried

# --- whose register ---------------------------------------------------------------------------------------------


class Taught(msgspec.Struct, frozen=True):
    """A class on which somebody updates the status of learners, with what is needed to award what it is worth."""

    class_: Class
    seats: Seats
    course: Course
    rulebook: Rulebook
    catalogue: Catalogue
    party: Party


def taught(actor: Actor, class_id: str, consistent: bool = False) -> Taught:
    """A class whose register the actor keeps: an instructor their own, a class administrator those of their subjects.

    Raises NotFound for any other, existing or not.
    """
    loaded = classes.class_with_seats(class_id, consistent) if may_belong(class_id, actor.employer) else None
    rulebook, known = rules.rulebook_and_catalogue(actor.employer, consistent)
    course = known.courses.get(loaded[0].course) if loaded else None
    if loaded and course:
        class_, seats = loaded
        if actor.reaches(Capability.UPDATE_STATUS, course.subject, known, class_.instructor):
            administers = actor.reaches(Capability.UPDATE_STATUS, course.subject, known)
            party = Party.ADMINISTRATOR if administers else Party.INSTRUCTOR
            return Taught(class_, seats, course, rulebook, known, party)
    raise NotFound("There is no such class, or it is none of yours.", class_id=class_id)


# --- marking a register -----------------------------------------------------------------------------------------


class Marked(msgspec.Struct, frozen=True):
    """What became of one of a register: their enrolment, and whether it was changed; or the refusal."""

    person: str
    enrolment: Enrolment | None = None
    changed: bool = False
    awards: tuple[Award, ...] = ()
    refusal: Refusal | None = None


class Register(msgspec.Struct, frozen=True):
    """What became of everybody on a register, and who was not tried because time ran out."""

    results: list[Marked]
    not_tried: list[str]


_WRITES = 4
"""For each person: the enrolment, the booking revision, the event and the audit entry. Awards and absences come on top."""


def mark(
    actor: Actor,
    class_id: str,
    marks: Sequence[Mark],
    rest: Status | None,
    now: datetime,
    time_left: Callable[[], bool],
) -> Register:
    """Note the outcomes of people on a class, and `rest` of whoever else holds a seat on it.

    Each by themselves: what is refused of one keeps nobody else from being marked. Nobody marks themselves. Raises NotFound,
    ClassNotStarted, ClassCancelled, Invalid naming every wrong field, and Unavailable, after which a repetition does the rest.
    """
    on = taught(actor, class_id, consistent=True)
    refuse_body(rules_of.wrong_fields(marks, rest))
    _refuse_marking(on.class_, now)
    todo = [*marks, *_others(actor, class_id, marks, rest)]
    each_writes = _WRITES + max(1, 2 * len(on.course.grants))
    together = max(1, (100 - 1) // each_writes)
    results: list[Marked] = []
    done = 0
    while done < len(todo) and time_left():
        group = todo[done : done + together]
        results += _mark_all(actor, on, group, now)
        done += len(group)
    return Register(results, [each.person for each in todo[done:]])


def _refuse_marking(class_: Class, now: datetime) -> None:
    rules_of.refuse_cancelled(class_)
    rules_of.refuse_early(class_, now)


def _others(actor: Actor, class_id: str, marks: Iterable[Mark], rest: Status | None) -> Iterator[Mark]:
    if rest is None:
        return
    named = {each.person for each in marks}
    for listed in class_lists.roster(actor.employer, class_id, only_open=True):
        if listed.status is Status.CONFIRMED and listed.person not in named:
            named.add(listed.person)
            yield Mark(listed.person, rest, named=False)


def _mark_all(actor: Actor, on: Taught, group: Sequence[Mark], now: datetime) -> list[Marked]:
    results: list[Marked | None] = [None] * len(group)
    with suppress(Stale):
        results = _mark_together(actor, on, group, now)
    marked = [done or _mark_alone(actor, on.class_.id, mark, now) for done, mark in zip(results, group, strict=True)]
    return [each for each in marked if each.enrolment or each.refusal]


def _mark_together(actor: Actor, on: Taught, group: Sequence[Mark], now: datetime) -> list[Marked | None]:
    """Mark people in one transaction; None for whoever needs one alone, since other classes or a certification
    are concerned as well.
    """
    transaction = Transaction()
    results: list[Marked | None] = []
    for mark in group:
        change = _judged(actor, on, mark, now)
        if isinstance(change, _Change):
            alone = change.others_wait or _certifies(on, change, now)
            results.append(None if alone else _add(transaction, actor, on, change, now))
        else:
            results.append(change)
    if any(each and each.changed for each in results):
        classes.check(transaction, on.class_)
        transaction.commit()
    return results


def _mark_alone(actor: Actor, class_id: str, mark: Mark, now: datetime) -> Marked:
    try:
        return _mark_one(actor, class_id, mark, now)
    except Unavailable:
        raise
    except Refusal as refusal:
        return Marked(mark.person, refusal=refusal)


@retried
def _mark_one(actor: Actor, class_id: str, mark: Mark, now: datetime) -> Marked:
    on = taught(actor, class_id, consistent=True)
    _refuse_marking(on.class_, now)
    change = _judged(actor, on, mark, now)
    if not isinstance(change, _Change):
        return change
    transaction = Transaction()
    done = _add(transaction, actor, on, change, now)
    classes.check(transaction, on.class_)
    transaction.commit()
    return done


class _Change(msgspec.Struct, frozen=True):
    """An enrolment that gets another outcome, and why if that is a correction."""

    learner: Learner
    before: Enrolment
    after: Enrolment
    reason: str | None = None

    @property
    def others_wait(self) -> bool:
        """Whether the learner counts again on the waiting list of another class, because nothing is in the way any more."""
        others = [each for each in everywhere(self.learner) if each is not self.before]
        return bool(no_longer_passed_over([*others, self.after]))


def _judged(actor: Actor, on: Taught, mark: Mark, now: datetime) -> "_Change | Marked":
    """What a mark changes; the result where it changes nothing. Of the rest, whoever holds no seat any more is no result at all."""
    try:
        learner, before = _on_class(actor, on, mark.person)
        if not mark.named and before.status is not Status.CONFIRMED:
            return Marked(mark.person)
        after = rules_of.marked(before, mark, on.party, now, actor.person)
    except Refusal as refusal:
        return Marked(mark.person, refusal=refusal)
    if after is before:
        return Marked(mark.person, before, awards=awarded_for(before, learner.awards))
    return _Change(learner, before, rules_of.to_be_verified(after, on.course))


def _on_class(actor: Actor, on: Taught, person: str) -> tuple[Learner, Enrolment]:
    """Somebody's latest enrolment on a class, strongly consistent. Raises OwnEnrolment, or NotFound for whoever is not on it."""
    if person == actor.person:
        raise OwnEnrolment("This enrolment is your own.", way_out="Have somebody else of the learning team mark you.")
    learner = learners.learner(person, actor.employer, consistent=True)
    attempts = [each for each in learner.enrolments if each.class_id == on.class_.id] if learner else []
    if learner is None or not attempts:
        raise NotFound("This person is not on the class.", person=person)
    return learner, max(attempts, key=lambda each: each.attempt)


# --- correcting -------------------------------------------------------------------------------------------------


@retried
def correct(
    actor: Actor,
    person: str,
    enrolment_id: str,
    outcome: Status,
    score: float | None,
    reason: str,
    now: datetime,
) -> tuple[Enrolment, tuple[Award, ...]]:
    """Put a wrong outcome right, or take it back (`confirmed`), for a reason; administrators only. The enrolment and its awards.

    Awards of a completion that was none become void, those of a new one are made. Repeating it changes nothing. Raises Invalid,
    NotFound, OwnEnrolment, NotPermitted for an instructor, EnrolmentNotThere where there is no outcome, ClassCancelled,
    ClassNotStarted, and AlreadyEnrolled where the learner has been on the class again since.
    """
    refuse_body(rules_of.wrong_score(outcome, score))
    on = taught(actor, enrolment_id.rpartition("~")[0], consistent=True)
    if person == actor.person:
        raise OwnEnrolment("This enrolment is your own.", way_out="Ask another administrator.")
    learner = learners.learner(person, actor.employer, consistent=True)
    before = learner.enrolment(enrolment_id) if learner else None
    if learner is None or before is None:
        raise NotFound("There is no such enrolment, or not for you.", enrolment=enrolment_id)
    after = rules_of.corrected(before, outcome, score, on.party, now, actor.person, reason)
    if after is before:
        return before, awarded_for(before, learner.awards)
    if outcome is Status.CONFIRMED:
        rules_of.refuse_cancelled(on.class_)
        rules_of.refuse_second(before, learner.enrolments)
    else:
        rules_of.refuse_early(on.class_, now)
    if after.status is not before.status:
        after = rules_of.to_be_verified(after, on.course)
    transaction = Transaction()
    done = _add(transaction, actor, on, _Change(learner, before, after, reason), now)
    classes.check(transaction, on.class_)
    transaction.commit()
    return after, done.awards


# --- what goes with an outcome ----------------------------------------------------------------------------------


def _add(transaction: Transaction, actor: Actor, on: Taught, change: _Change, now: datetime) -> Marked:
    """Add to a transaction: an enrolment with its new outcome, and all that goes with it: awards made or void, the absence, the
    event with its messages, and the audit entry.
    """
    learner, before, after = change.learner, change.before, change.after
    enrolments.rewrite(transaction, before, after)  # its seat stays taken: whoever was expected held it
    enrolments.move_booking_revision(transaction, learner)
    stored.keep(
        transaction,
        rules_of.absence(before, learner, on.class_),
        rules_of.absence(after, learner, on.class_),
    )
    standing = _awards(transaction, actor, on, change, now)
    _certify(transaction, actor, on, change, now)
    freed = count_again(transaction, learner, after)
    _tell(transaction, actor, on, change, standing, freed, now)
    return Marked(after.person, after, True, standing)


def _awards(transaction: Transaction, actor: Actor, on: Taught, change: _Change, now: datetime) -> tuple[Award, ...]:
    """The awards of the enrolment as they stand then: made with its completion, void once that is taken back."""
    learner, before, after = change.learner, change.before, change.after
    standing = awarded_for(before, learner.awards)
    if after.status is before.status:
        return standing
    for each in standing:
        awards.take_back(transaction, actor, after.person, each, change.reason or "", now)
    if after.status is not Status.COMPLETED or on.course.award_timing is not AwardTiming.AUTOMATIC:
        return ()
    day = rules_of.completed_on(after, on.class_.ends_at)
    source, framework = source_of(after.id, str(after.revision)), on.rulebook.competencies
    return tuple(
        awards.add(
            transaction,
            actor,
            after.person,
            awards.Wanted(grant.competency, grant.level, day, Origin.COMPLETION, f"enrolment {after.id}"),
            framework[grant.competency],
            source,
            now,
        )
        for grant in on.course.grants
        if grant.competency in framework
    )


def _certify(transaction: Transaction, actor: Actor, on: Taught, change: _Change, now: datetime) -> None:
    """What certifications the learner subscribes to make of it (domain.md §6)."""
    before, after = change.before, change.after
    if after.status is before.status:
        return
    if before.status is Status.COMPLETED:
        reason = change.reason or ""
        certifications.taken_back(transaction, actor, change.learner, after.id, reason, on.rulebook, on.catalogue, now)
    elif after.status is Status.COMPLETED:
        done = _done(on, after)
        certifications.completed(transaction, actor, change.learner, done, on.rulebook, on.catalogue, now)


def _certifies(on: Taught, change: _Change, now: datetime) -> bool:
    if change.after.status is not Status.COMPLETED:
        return False
    return certifications.concerns(change.learner, _done(on, change.after), on.catalogue, london_day(now))


def _done(on: Taught, after: Enrolment) -> Completion:
    """An enrolment as the completion of a component, on the day of its latest outcome."""
    return Completion(after.id, rules_of.completed_on(after, on.class_.ends_at), after.course, after.mode)


def _tell(
    transaction: Transaction,
    actor: Actor,
    on: Taught,
    change: _Change,
    standing: Sequence[Award],
    freed: Sequence[str],
    now: datetime,
) -> None:
    before, after = change.before, change.after
    data = said_of(after) | {"promote": list(freed)}
    if after.status is not before.status:
        data |= _completed(on, after, standing)
        if change.reason is None:
            data |= _absent(change.learner, after, now)
    event = Event(new_id(now), EventType.ENROLMENT_MARKED, after.employer, after.person, now, data)
    outbox.emit(transaction, event)
    facts: dict[str, Any] = {"enrolment": after.id, "before": before.status.value, "status": after.status.value}
    if (before.score, after.score) != (None, None):
        facts["score"] = [before.score, after.score]
    if change.reason is not None:
        facts["note"] = change.reason
    action = "enrolment.marked" if change.reason is None else "enrolment.corrected"
    audit.record(transaction, audit.Entry(after.employer, actor.person, action, now, after.person, facts))


def _completed(on: Taught, after: Enrolment, standing: Sequence[Award]) -> dict[str, Any]:
    """What the message of a completion says (domain.md §9, N10), and to whom it goes; nothing for any other outcome."""
    if after.status is not Status.COMPLETED:
        return {}
    return {
        "completed_by": after.person,
        "completed_on": long_day(rules_of.completed_on(after, on.class_.ends_at)),
        "awards": [_told(each, on.rulebook.competencies) for each in standing],
        "to_verify": bool(after.to_verify),
    }


def _told(award: Award, known: Mapping[str, Competency]) -> dict[str, Any]:
    until = long_day(award.expires_on) if award.expires_on else None
    return {"title": known[award.competency].title, "until": until}


def _absent(learner: Learner, after: Enrolment, now: datetime) -> dict[str, Any]:
    """What the messages of somebody who did not attend say (N11), and to whom they go; nothing for any other outcome."""
    day = rules_of.absent_on(after)
    if day is None:
        return {}
    others = [each for each in learner.enrolments if each.id != after.id]
    held = rules_of.through(after, learner, london_day(now))
    return {
        "absent": after.person,
        "manager": who_approves(learner, held, now),
        "learner": learner.person.full_name,
        "day": long_day(day),
        "repeats": rules_of.absences([*others, after], day),
    }
