"""Awards: recorded by administrators, voided with a reason, corrected; never edited and never deleted (domain.md §3)."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

import msgspec

from chalicelib.domain import awards
from chalicelib.domain.actor import Actor
from chalicelib.domain.calendar import london_day
from chalicelib.domain.competency import Award, Competency, Origin
from chalicelib.domain.enrolment import Enrolment
from chalicelib.domain.errors import AwardVoid, FieldError, Invalid, NotFound, OwnAward, refuse_body
from chalicelib.domain.events import Event, EventType
from chalicelib.domain.learner import Learner
from chalicelib.domain.learning import awarded_for
from chalicelib.services import certifications
from chalicelib.storage import audit, class_lists, outbox, rules
from chalicelib.storage import awards as stored
from chalicelib.storage import enrolment as enrolments
from chalicelib.storage import learner as learners
from chalicelib.storage.awards import AwardRow
from chalicelib.storage.base import new_id
from chalicelib.storage.class_lists import Employed
from chalicelib.storage.idempotency import Idempotency
from chalicelib.storage.transaction import Transaction, retried


class Recorded(msgspec.Struct, frozen=True):
    """An award in a person's history, and the competency it is of (None: in no framework the employer uses)."""

    award: Award
    competency: Competency | None


class History(msgspec.Struct, frozen=True):
    """A page of a person's awards, the latest first, void ones included, and where to go on."""

    person: str
    awards: tuple[Recorded, ...]
    next_offset: int | None


def history(learner: Learner, competency: str | None, limit: int, offset: int) -> History:
    """A page of the learner's awards, of one competency if it is named."""
    known = rules.rulebook(learner.employer).competencies
    wanted = [each for each in learner.awards if competency in (None, each.competency)]
    latest_first = sorted(wanted, key=lambda each: (each.awarded_on, each.competency, each.source), reverse=True)
    end = offset + limit
    page = tuple(Recorded(each, known.get(each.competency)) for each in latest_first[offset:end])
    return History(learner.person.id, page, end if end < len(wanted) else None)


class Wanted(msgspec.Struct, frozen=True):
    """An award to record. `note` says on what evidence; it is kept in the audit. `enrolment` is the id of the completion that
    earned it, if one did.
    """

    competency: str
    level: int
    awarded_on: date
    origin: Origin
    note: str
    enrolment: str | None = None


class ToVerify(msgspec.Struct, frozen=True):
    """A completion that awards once an administrator has verified it, and whose it is."""

    enrolment: Enrolment
    who: Employed


class ToVerifyPage(msgspec.Struct, frozen=True):
    """A page of the completions to verify, first noted first, and where to go on."""

    completions: tuple[ToVerify, ...]
    after: str | None


def to_verify(actor: Actor, limit: int, after: str | None) -> ToVerifyPage:
    """A page of the completions at the actor's employer that award once they are verified (domain.md §3).

    One leaves the list when what it is worth is awarded for it, or when its outcome is corrected.
    """
    found = enrolments.to_verify(actor.employer, limit + 1, after)
    page = found[:limit]
    names = class_lists.employed(actor.employer, (each.person for each in page))
    shown = (ToVerify(each, names.get(each.person) or Employed(each.person, "", "")) for each in page)
    return ToVerifyPage(tuple(shown), enrolments.place_to_verify(page[-1]) if len(found) > limit else None)


@retried
def record(actor: Actor, person: str, wanted: Wanted, now: datetime, once: Idempotency | None = None) -> Recorded:
    """Record what somebody has achieved. It expires by the competency's period, in calendar months, as that is today.

    An award made earlier stays: the one valid longest counts, so that renewing early never shortens anything. One that names its
    enrolment stands with that from then on: in My learning, on the certificate, and when the completion is taken back.
    """
    learner = _known(actor, person)
    framework = _framework(actor)
    _check(wanted.competency, wanted.level, wanted.awarded_on, framework, now)
    competency = framework[wanted.competency]
    transaction = Transaction()
    source = _earned(transaction, learner, wanted, now) if wanted.enrolment else new_id(now)
    award = add(transaction, actor, person, wanted, competency, source, now)
    outbox.emit(transaction, Event(new_id(now), EventType.LEARNER_CHANGED, actor.employer, person, now))
    made = Recorded(award, competency)
    if once:
        once.remember(transaction, made, now)
    transaction.commit()
    return made


def _earned(transaction: Transaction, learner: Learner, wanted: Wanted, now: datetime) -> str:
    """The source of an award for a completion, which is verified with it. The transaction fails if that changes meanwhile."""
    before = learner.enrolment(wanted.enrolment)
    if before is None:
        raise Invalid(FieldError("body.enrolment_id", "is no enrolment of this person"))
    refuse_body(awards.wrong_enrolment(before, wanted.competency, awarded_for(before, learner.awards)))
    after = awards.verified(before, wanted.competency)
    if after is not before:
        enrolments.rewrite(transaction, before, after)
    enrolments.move_booking_revision(transaction, learner)
    return awards.source_of(before.id, new_id(now))


def add(
    transaction: Transaction,
    actor: Actor,
    person: str,
    wanted: Wanted,
    competency: Competency,
    source: str,
    now: datetime,
) -> Award:
    """Add to a transaction: an award that was checked, under a source of its own, and its audit entry.

    The transaction brings the event. It fails if there is an award of that source already.
    """
    award = awards.award_of(competency, wanted.level, wanted.awarded_on, wanted.origin, source)
    transaction.create(AwardRow.of(person, actor.employer, award))
    _audit(transaction, actor, person, "award.recorded", {**awards.facts(award), "note": wanted.note}, now)
    return award


class Which(msgspec.Struct, frozen=True):
    """Which award of a person: competency, day and source tell it apart."""

    competency: str
    awarded_on: date
    source: str

    def means(self, award: Award) -> bool:
        """Whether it is this award."""
        return (self.competency, self.awarded_on, self.source) == (award.competency, award.awarded_on, award.source)


@retried
def void(actor: Actor, person: str, which: Which, reason: str, now: datetime) -> Recorded:
    """Take an award's validity away, for a reason; it stays in the history, but brings no certification forward any more. Voiding
    again changes nothing.
    """
    learner = _known(actor, person)
    award = _award(learner, which)
    rulebook, known = rules.rulebook_and_catalogue(actor.employer, consistent=True)
    competency = rulebook.competencies.get(award.competency)
    if award.void:
        return Recorded(award, competency)
    transaction = Transaction()
    voided = take_back(transaction, actor, person, award, reason, now)
    certifications.award_taken_back(transaction, actor, learner, award, None, reason, rulebook, known, now)
    outbox.emit(transaction, Event(new_id(now), EventType.LEARNER_CHANGED, actor.employer, person, now))
    transaction.commit()
    return Recorded(voided, competency)


def take_back(transaction: Transaction, actor: Actor, person: str, award: Award, reason: str, now: datetime) -> Award:
    """Add to a transaction: an award made void for a reason, and its audit entry. The transaction brings the event.

    It fails if the award is void by then.
    """
    voided = awards.voided(award, reason, actor.person, now)
    stored.void(transaction, person, actor.employer, voided)
    _audit(transaction, actor, person, "award.voided", {**awards.facts(award), "note": reason}, now)
    return voided


@retried
def correct(
    actor: Actor,
    person: str,
    which: Which,
    level: int | None,
    awarded_on: date | None,
    reason: str,
    now: datetime,
    once: Idempotency | None = None,
) -> Recorded:
    """Put a right award in place of a wrong one, at once: void the old, make one of the same origin with the right level and day.

    What is not given stays as it was. The new award expires by the competency's period as that is today, and comes from the same
    completion or external training, which brings no certification forward any more if it is not worth enough now.
    """
    learner = _known(actor, person)
    wrong = _award(learner, which)
    if wrong.void:
        raise AwardVoid("This award is void already.")
    right_level, right_day = level or wrong.level, awarded_on or wrong.awarded_on
    if (right_level, right_day) == (wrong.level, wrong.awarded_on):
        raise Invalid(FieldError("body", "gives neither another level nor another day"))
    rulebook, known = rules.rulebook_and_catalogue(actor.employer, consistent=True)
    framework = rulebook.competencies
    _check(wrong.competency, right_level, right_day, framework, now)
    competency = framework[wrong.competency]
    right = awards.award_of(
        competency, right_level, right_day, wrong.origin, awards.corrected_source(wrong, new_id(now))
    )
    transaction = Transaction()
    stored.void(transaction, person, actor.employer, awards.voided(wrong, reason, actor.person, now))
    transaction.create(AwardRow.of(person, actor.employer, right))
    certifications.award_taken_back(transaction, actor, learner, wrong, right, reason, rulebook, known, now)
    facts = {"before": awards.facts(wrong), "after": awards.facts(right), "note": reason}
    outbox.emit(transaction, Event(new_id(now), EventType.LEARNER_CHANGED, actor.employer, person, now))
    _audit(transaction, actor, person, "award.corrected", facts, now)
    corrected = Recorded(right, competency)
    if once:
        once.remember(transaction, corrected, now)
    transaction.commit()
    return corrected


def _known(actor: Actor, person: str) -> Learner:
    """The person at the actor's employer, strongly consistent. Nobody awards, voids or corrects anything of their own."""
    if person == actor.person:
        raise OwnAward("These awards are your own.")
    learner = learners.learner(person, actor.employer, consistent=True)
    if learner is None or learner.employment is None:
        raise NotFound("There is no such person at this employer.", person=person)
    return learner


def _award(learner: Learner, which: Which) -> Award:
    found = next((each for each in learner.awards if which.means(each)), None)
    if found is None:
        raise NotFound("This person has no such award.", person=learner.person.id)
    return found


def _framework(actor: Actor) -> Mapping[str, Competency]:
    return rules.rulebook_now(actor.employer).competencies


def _check(competency: str, level: int, awarded_on: date, framework: Mapping[str, Competency], now: datetime) -> None:
    refuse_body(awards.wrong_fields(competency, level, awarded_on, framework, london_day(now)))


def _audit(
    transaction: Transaction, actor: Actor, person: str, action: str, facts: dict[str, Any], now: datetime
) -> None:
    audit.record(transaction, audit.Entry(actor.employer, actor.person, action, now, person, facts))
