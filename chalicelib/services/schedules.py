"""Schedules: many classes planned, tried, made in one request, later changed or cancelled together (domain.md §8, decision 0019).

A schedule is a row with its plan, and classes whose ids follow from it. So whoever repeats a request that died, or asks for its
completion, gets the rest written and nothing twice.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from itertools import islice
from typing import Any

import msgspec

from chalicelib import recurrence
from chalicelib.domain import classes as rules_of
from chalicelib.domain import schedules as planning
from chalicelib.domain.actor import Actor
from chalicelib.domain.calendar import london_day
from chalicelib.domain.catalogue import Catalogue, owner_of
from chalicelib.domain.classes import Caution, Class, ClassStatus, Seats
from chalicelib.domain.errors import (
    ClassCautions,
    FieldError,
    IdempotencyMismatch,
    Invalid,
    NotFound,
    Refusal,
    refuse_body,
)
from chalicelib.domain.permissions import Capability
from chalicelib.domain.requirements import Rulebook
from chalicelib.domain.schedules import BankHolidays, Pattern, Schedule, Sitting
from chalicelib.services import class_notices, classes
from chalicelib.services.classes import Kept
from chalicelib.storage import audit, keys, rules
from chalicelib.storage import schedules as stored
from chalicelib.storage.base import new_id
from chalicelib.storage.catalogue import CourseRow
from chalicelib.storage.idempotency import Idempotency, answered
from chalicelib.storage.message_settings import settings_of
from chalicelib.storage.transaction import AlreadyDone, Transaction, retried

MOST_WRITES = 95
"""Of classes in one transaction. DynamoDB takes 100; plan, course, audit entry, the event for the instructor and the answer to a
repetition need the rest."""

_ID_LETTERS = 20
"""Of a batch: enough that none comes twice, and no more, since each row of each class repeats them."""

MOST_SHOWN = 100
"""Cautions told with a refusal; a preview shows them all."""


class Wanted(msgspec.Struct, frozen=True):
    """What is to be scheduled: what the classes have in common, their sessions, and on which days.

    `model` is a class without id and dates, held as its offering is; without a title it is called like its course. Enrolment opens
    and closes so many days before the first day of each.
    """

    model: Class
    sittings: tuple[Sitting, ...]
    pattern: Pattern
    bank_holidays: BankHolidays = BankHolidays.SKIP
    opens_days_before: int | None = None
    closes_days_before: int | None = None


class Tried(msgspec.Struct, frozen=True):
    """A schedule as it would be made, with its classes, and what is doubtful about them by class id."""

    schedule: Schedule
    classes: Sequence[Class]
    cautions: Mapping[str, tuple[Caution, ...]]


class Made(msgspec.Struct, frozen=True):
    """A schedule as it stands: those of its classes that are written, with their places."""

    schedule: Schedule
    classes: Mapping[str, tuple[Class, Seats]]

    @property
    def complete(self) -> bool:
        """Whether every class of the plan is written."""
        return len(self.classes) == len(self.schedule.class_ids)


# --- planning -----------------------------------------------------------------------------------------------


def to_copy(actor: Actor, class_id: str, pattern: Pattern, now: datetime) -> Wanted:
    """A class as what is to be scheduled: its facts, sessions and enrolment dates. Raises what `classes.kept` raises."""
    original = classes.kept(actor, class_id).class_
    first = london_day(original.starts_at or now)
    without_days = replace(original, enrol_from=None, enrol_until=None)
    return Wanted(
        rules_of.copied(without_days, first),
        planning.sittings_of(original),
        pattern,
        opens_days_before=_days_between(original.enrol_from, first),
        closes_days_before=_days_between(original.enrol_until, first),
    )


def _days_between(day: date | None, first: date) -> int | None:
    return None if day is None else (first - day).days


def preview(actor: Actor, wanted: Wanted, now: datetime) -> Tried:
    """What scheduling would make, and what is doubtful about it. Writes nothing. Raises NotPermitted or Invalid."""
    return _planned(actor, wanted, "preview", now)


def _planned(actor: Actor, wanted: Wanted, batch: str, now: datetime) -> Tried:
    rulebook, known = rules.rulebook_and_catalogue(actor.employer, consistent=True)
    classes.check_subject(actor, wanted.model.course, known)
    pattern = wanted.pattern
    refuse_body([*planning.wrong_pattern(pattern), *planning.wrong_sittings(wanted.sittings)])
    days = recurrence.days_of(pattern)
    plan = planning.plan(pattern, days, wanted.sittings, wanted.bank_holidays, recurrence.bank_holiday)
    refuse_body(planning.wrong_plan(plan, pattern))
    model = _as_offered(wanted.model, known)
    opens, closes = wanted.opens_days_before, wanted.closes_days_before
    schedule = Schedule(batch, actor.employer, model, pattern, plan, actor.person, now, opens, closes)
    refuse_body(planning.wrong_enrolment(schedule))
    planned = schedule.classes()
    refuse_body(_wrong(planned[0], rulebook, known, now))
    return Tried(schedule, planned, _cautions(planned, known, now))


def _as_offered(model: Class, known: Catalogue) -> Class:
    """The class with the mode of its offering, and the title of its course if it has none; `_wrong` tells of what there is not."""
    course = known.courses.get(model.course)
    if course is None:
        return model
    mode = next((each.mode for each in course.offerings if each.id == model.offering), model.mode)
    return replace(model, mode=mode, title=model.title or course.title)


def _wrong(class_: Class, rulebook: Rulebook, known: Catalogue, now: datetime) -> Iterator[FieldError]:
    """What is wrong with the classes, which is the same with every one of them, in the words of the request."""
    for each in rules_of.wrong_fields(class_, known, rulebook):
        yield FieldError(_AS_SENT.get(each.field, each.field), each.reason)
    if class_.status not in (ClassStatus.PLANNED, ClassStatus.NORMAL):
        yield FieldError("status", "of a new class is planned or normal")
    yield from classes.wrong_instructor(class_, now)


_AS_SENT = {"course": "course_id", "enrol_from": "enrol_opens_days_before", "enrol_until": "enrol_closes_days_before"}


def _cautions(planned: Sequence[Class], known: Catalogue, now: datetime) -> dict[str, tuple[Caution, ...]]:
    """What is doubtful about each class, by its id; a class of which nothing is has no entry."""
    found = classes.cautions(planned, known)
    told = {each.id: (*found[each.id], *rules_of.worth_knowing(each, known, now)) for each in planned}
    return {class_id: cautions for class_id, cautions in told.items() if cautions}


# --- making -------------------------------------------------------------------------------------------------


def make(
    actor: Actor, wanted: Wanted, now: datetime, accept_cautions: bool = False, once: Idempotency | None = None
) -> Schedule:
    """Make every class of a schedule. Raises as `preview`, and ClassCautions for what has to be accepted and is not.

    With an Idempotency-Key the batch follows from person and key: a repetition after a crash goes on with the plan that the first
    attempt wrote, whatever has changed since.
    """
    if once and answered(once):
        raise AlreadyDone
    batch = _batch_of(actor, once) if once else new_id(now)[:_ID_LETTERS]
    return _make(actor, wanted, batch, now, accept_cautions, once)


def _batch_of(actor: Actor, once: Idempotency) -> str:
    """A batch id that the same person gets for the same key again, and that tells neither."""
    return hashlib.sha256("\0".join((actor.person, actor.employer, once.key)).encode()).hexdigest()[:_ID_LETTERS]


@retried
def _make(
    actor: Actor, wanted: Wanted, batch: str, now: datetime, accept_cautions: bool, once: Idempotency | None
) -> Schedule:
    if begun := stored.schedule(actor.employer, batch):
        schedule, fingerprint = begun
        if once and fingerprint != once.fingerprint:
            raise IdempotencyMismatch("This Idempotency-Key was used with another request.")
        _write(actor, schedule, _missing(schedule), now, once)
        return schedule
    tried = _planned(actor, wanted, batch, now)
    _refuse_doubtful(tried, accept_cautions)
    schedule = planning.with_cautions(tried.schedule, tried.cautions)
    _write(actor, schedule, _parts(tried.classes), now, once, new=True)
    return schedule


def _refuse_doubtful(tried: Tried, accept: bool) -> None:
    doubtful = [
        {"day": planned.day.isoformat(), "kind": caution.kind.value, **caution.facts}
        for class_id, planned in zip(tried.schedule.class_ids, tried.schedule.plan.classes, strict=True)
        for caution in tried.cautions.get(class_id, ())
        if caution.kind in rules_of.REFUSED_UNLESS_ACCEPTED
    ]
    if doubtful and not accept:
        days = len({each["day"] for each in doubtful})
        of = len(tried.schedule.class_ids)
        detail = f"There is something doubtful about {days} of the {of} classes."
        raise ClassCautions(detail, cautions=doubtful[:MOST_SHOWN], total=len(doubtful))


@retried
def complete(actor: Actor, batch: str, now: datetime) -> Made:
    """Write what is missing of a schedule whose making died. Changes nothing of one that is complete. Raises NotFound."""
    schedule = _schedule_for(actor, batch)
    _write(actor, schedule, _missing(schedule), now, None)
    return Made(schedule, stored.written(schedule))


Part = Sequence[Class]
"""Classes that are written in one transaction: all of them, or none."""


def _parts(planned: Sequence[Class]) -> list[Part]:
    """The classes in order, cut where a transaction is full. All have as many sessions, so one says for all how many fit."""
    if not planned:
        return []
    together = MOST_WRITES // stored.rows_for(planned[0])
    return [planned[start : start + together] for start in range(0, len(planned), together)]


def _missing(schedule: Schedule) -> list[Part]:
    """What is not written yet. Parts are written in order, each whole or not at all, so it is the rest from some class on."""
    written = stored.written(schedule)
    return _parts([each for each in schedule.classes() if each.id not in written])


def _write(
    actor: Actor, schedule: Schedule, parts: Sequence[Part], now: datetime, once: Idempotency | None, new: bool = False
) -> None:
    """The plan of a new schedule, and parts that are not written yet, each part in a transaction.

    The plan comes with the first, the message to the instructor and the answer for a repetition with the last, so that whatever
    dies in between can go on; if somebody else has finished it, the answer is kept alone. Raises Stale if somebody goes on with the
    same one at the same time.
    """
    for number, part in enumerate(parts or ((),)):
        transaction = Transaction()
        if new and number == 0:
            stored.create(transaction, schedule, once.fingerprint if once else None)
            _check_course(transaction, schedule.model)
        if part:
            stored.create_classes(transaction, part, settings_of(schedule.employer), now)
            facts = {"batch": schedule.id, "ids": [each.id for each in part]}
            audit.record(transaction, audit.Entry(actor.employer, actor.person, "classes.scheduled", now, facts=facts))
        if part and number == len(parts) - 1:
            known = rules.catalogue_now(schedule.employer)
            class_notices.tell_of_batch(transaction, schedule.classes(), known, now)
        if once and number >= len(parts) - 1:
            once.remember(transaction, schedule, now)
        transaction.commit()


def _check_course(transaction: Transaction, model: Class) -> None:
    course = keys.courses(owner_of(model.course)), keys.course(model.course)
    transaction.check(CourseRow, *course, CourseRow.pk.exists())


# --- what became of it ----------------------------------------------------------------------------------------


class Summary(msgspec.Struct, frozen=True):
    """A schedule in a list: the title of its course as it is called now, and whether all of its classes are written."""

    schedule: Schedule
    course_title: str
    complete: bool


class Listing(msgspec.Struct, frozen=True):
    """A page of schedules, newest first, and where the next one begins."""

    schedules: tuple[Summary, ...]
    after: str | None


def listing(actor: Actor, limit: int, after: str | None) -> Listing:
    """A page of the employer's schedules of courses in the actor's subjects. A new one may be missing for a moment."""
    known = rules.catalogue_now(actor.employer)
    newest = stored.newest_first(actor.employer, after, page_size=limit + 1)
    found = list(islice((each for each in newest if _reaches(actor, each, known)), limit + 1))
    page = found[:limit]
    complete = stored.complete(page)
    summaries = [Summary(each, _course_title(each, known), each.id in complete) for each in page]
    return Listing(tuple(summaries), stored.sort_of(page[-1]) if len(found) > limit else None)


def _course_title(schedule: Schedule, known: Catalogue) -> str:
    course = known.courses.get(schedule.model.course)
    return course.title if course else schedule.model.title


def show(actor: Actor, batch: str) -> Made:
    """A schedule with its classes and their places. Raises NotFound, also for one of a course outside the actor's subjects."""
    schedule = _schedule_for(actor, batch)
    return Made(schedule, stored.written(schedule))


def _schedule_for(actor: Actor, batch: str) -> Schedule:
    found = stored.schedule(actor.employer, batch)
    if found is None or not _reaches(actor, found[0], rules.catalogue_now(actor.employer)):
        raise NotFound("There is no such schedule.", batch=batch)
    return found[0]


def _reaches(actor: Actor, schedule: Schedule, known: Catalogue) -> bool:
    course = known.courses.get(schedule.model.course)
    return actor.reaches(Capability.EDIT_CLASSES, course.subject if course else "", known)


# --- all of it at once ----------------------------------------------------------------------------------------


class Outcome(msgspec.Struct, frozen=True):
    """What became of one class: as it is now, or the refusal that left it as it was."""

    class_id: str
    kept: Kept | None = None
    refusal: Refusal | None = None


class Change(msgspec.Struct, frozen=True):
    """What is to be otherwise with every class: fields of `Class`, and what counts from each one's own first day.

    That is its sessions, and `enrolment`: `enrol_from` and `enrol_until` as days before it, None for no such bound.
    """

    fields: Mapping[str, Any]
    sittings: tuple[Sitting, ...] | None = None
    enrolment: Mapping[str, int | None] = {}

    def of(self, class_: Class) -> Mapping[str, Any]:
        """The change of one class. Raises Invalid for a time that the clocks skip on its day."""
        if class_.starts_at is None:
            return self.fields
        day = london_day(class_.starts_at)
        dates = {name: planning.days_before(day, days) for name, days in self.enrolment.items()}
        if self.sittings is None:
            return {**self.fields, **dates}
        try:
            sessions = planning.sessions_from(day, self.sittings)
        except rules_of.NoSuchTime as skipped:
            raise Invalid(FieldError("body.sessions", str(skipped))) from skipped
        return {**self.fields, **dates, "sessions": sessions}


def change(actor: Actor, batch: str, wanted: Change, now: datetime, accept_cautions: bool = False) -> list[Outcome]:
    """Change every class of a schedule that is still to come, each by itself; one that refuses leaves the others changed.

    A repetition changes nothing of what is so already. Raises NotFound, or Invalid for sessions that no class could have.
    """
    if wanted.sittings is not None:
        refuse_body(planning.wrong_sittings(wanted.sittings))
    return _each_to_come(
        actor,
        batch,
        now,
        lambda class_: classes.change(actor, class_.id, class_.revision, wanted.of(class_), now, accept_cautions),
    )


def cancel(actor: Actor, batch: str, reason: str, now: datetime) -> list[Outcome]:
    """Cancel every class of a schedule that is still to come, each by itself. Raises NotFound."""
    return _each_to_come(actor, batch, now, lambda class_: classes.cancel(actor, class_.id, reason, now))


def _each_to_come(actor: Actor, batch: str, now: datetime, do: Callable[[Class], Kept]) -> list[Outcome]:
    written = stored.written(_schedule_for(actor, batch))
    outcomes = []
    for class_id in sorted(written):
        class_, _ = written[class_id]
        if class_.status is ClassStatus.CANCELLED or rules_of.started(class_, now):
            continue
        try:
            outcomes.append(Outcome(class_id, do(class_)))
        except Invalid as invalid:
            outcomes.append(Outcome(class_id, refusal=_as_sent(invalid)))
        except Refusal as refusal:
            outcomes.append(Outcome(class_id, refusal=refusal))
    return outcomes


def _as_sent(invalid: Invalid) -> Invalid:
    """What is wrong with a class, in the words of a request for all of them."""
    names = [each.field.removeprefix("body.") for each in invalid.errors]
    return Invalid(
        *(
            FieldError(f"body.{_AS_SENT.get(name, name)}", each.reason)
            for name, each in zip(names, invalid.errors, strict=True)
        )
    )
