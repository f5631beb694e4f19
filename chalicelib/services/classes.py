"""Classes: made, changed, copied, cancelled and listed by those who run them (domain.md §2, decision 0018).

A change is one transaction of the class, its audit entry and, where its enrolments are concerned, the job that follows.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta
from itertools import chain
from typing import Any

import msgspec

from chalicelib.domain import classes as rules_of
from chalicelib.domain.actor import Actor
from chalicelib.domain.calendar import london_day, london_time
from chalicelib.domain.catalogue import Catalogue, Mode, may_belong, owner_of
from chalicelib.domain.classes import Caution, CautionKind, Class, ClassStatus, Held, Seats, Session
from chalicelib.domain.enrolment import OUTCOMES
from chalicelib.domain.errors import (
    ClassCancelled,
    ClassCautions,
    ClassHeld,
    FieldError,
    Invalid,
    NotFound,
    NotYourItem,
    Outdated,
    refuse_body,
)
from chalicelib.domain.jobs import Job, JobKind
from chalicelib.domain.people import NATIONAL
from chalicelib.domain.permissions import Capability, Role
from chalicelib.domain.requirements import Rulebook
from chalicelib.services import class_changes, class_notices
from chalicelib.storage import audit, keys, rules
from chalicelib.storage import classes as stored
from chalicelib.storage import learner as learners
from chalicelib.storage.base import new_id
from chalicelib.storage.catalogue import CourseRow
from chalicelib.storage.class_lists import roster
from chalicelib.storage.idempotency import Idempotency
from chalicelib.storage.transaction import Transaction, retried

_ID_LETTERS = 14
"""Of a ULID: its ten of time and four of chance. Two that are the same are noticed, and one is drawn again."""


class Kept(msgspec.Struct, frozen=True):
    """A class as its administrators see it: its places, what is doubtful about it, and the job that follows a change of it."""

    class_: Class
    seats: Seats
    warnings: tuple[Caution, ...] = ()
    job: str | None = None


def add_class(actor: str, class_: Class, now: datetime) -> None:
    """Add a class with its sessions; places are free from the start. Raises Conflict if it exists.

    A dated class without sessions gets one, from its start to its end. For what was planned elsewhere: nothing is checked, and
    its instructor knows.
    """
    if class_.starts_at and class_.ends_at and not class_.sessions:
        class_ = replace(class_, sessions=(Session(class_.starts_at, class_.ends_at),))
    transaction = Transaction()
    _add(transaction, actor, class_, now)
    transaction.commit_new("There is a class of this id already.")


def _add(transaction: Transaction, actor: str, class_: Class, now: datetime) -> None:
    for row in stored.rows_of_class(class_):
        transaction.create(row)
    class_notices.look_ahead(transaction, class_, now)
    _audit(transaction, actor, "class.added", class_, now)


def _audit(transaction: Transaction, actor: str, action: str, class_: Class, now: datetime, **facts: Any) -> None:
    entry = {"class": class_.id, "revision": class_.revision, **facts}
    audit.record(transaction, audit.Entry(owner_of(class_.id), actor, action, now, facts=entry))


# --- making and changing ------------------------------------------------------------------------------------------


def title_and_mode(employer: str, course_id: str, offering_id: str) -> tuple[str, Mode]:
    """What a class of an offering is called, and how it is held. Raises Invalid for an offering there is not."""
    course = rules.catalogue_now(employer).courses.get(course_id)
    if course is None:
        raise Invalid(FieldError("body.course_id", "is not in the catalogue"))
    for offering in course.offerings:
        if offering.id == offering_id:
            return course.title, offering.mode
    raise Invalid(FieldError("body.offering", "is not an offering of this course"))


@retried
def create(
    actor: Actor, planned: Class, now: datetime, accept_cautions: bool = False, once: Idempotency | None = None
) -> Kept:
    """Make a class of the actor's employer under an id of its own; whatever id it was given is not used.

    Raises NotFound outside the actor's subjects, Invalid, or ClassCautions.
    """
    class_ = replace(planned, id=f"{actor.employer}-{new_id(now)[:_ID_LETTERS]}", revision=1)
    rulebook, catalogue = rules.rulebook_and_catalogue(actor.employer, consistent=True)
    check_subject(actor, class_.course, catalogue)
    wrong = [
        FieldError("course_id", each.reason) if each.field == "course" else each
        for each in rules_of.wrong_fields(class_, catalogue, rulebook)
    ]
    if class_.status not in (ClassStatus.PLANNED, ClassStatus.NORMAL):
        wrong.append(FieldError("status", "of a new class is planned or normal"))
    refuse_body([*wrong, *wrong_instructor(class_, now)])
    kept = Kept(class_, Seats(class_.maximum, 0, 0), _accepted(class_, None, catalogue, accept_cautions, now))
    transaction = Transaction()
    _add(transaction, actor.person, class_, now)
    class_notices.tell_instructor(transaction, None, class_, catalogue, now)
    course = keys.courses(owner_of(class_.course)), keys.course(class_.course)
    transaction.check(CourseRow, *course, CourseRow.pk.exists())
    if once:
        once.remember(transaction, kept, now)
    transaction.commit()
    return kept


@retried
def change(
    actor: Actor,
    class_id: str,
    revision: int,
    fields: Mapping[str, Any],
    now: datetime,
    accept_cautions: bool = False,
) -> Kept:
    """Change fields of a class (names of `Class`; its dates by `sessions`), on condition that it is as the actor has read it.

    What was wrong already and is left alone stays, such as a venue out of use by now. Raises Outdated with the class as it is,
    ClassCancelled, Invalid, ClassCautions, or what `kept` raises.
    """
    before, seats, rulebook, catalogue = _for_edit(actor, class_id)
    if before.revision != revision:
        current = _shown(before, seats, catalogue, now)
        raise Outdated("Somebody else has changed this class since you read it.", current=current)
    after = _changed(before, fields)
    if after == before:
        return Kept(before, seats)
    _refuse_change(before, after, rulebook, catalogue, now)
    warnings = _accepted(after, before, catalogue, accept_cautions, now, seats)
    return _commit(actor, before, after, seats, catalogue, warnings, now)


def _changed(before: Class, fields: Mapping[str, Any]) -> Class:
    plain = {name: value for name, value in fields.items() if name != "sessions"}
    after = replace(before, **plain)
    return rules_of.in_sessions(after, fields["sessions"]) if "sessions" in fields else after


def _refuse_change(before: Class, after: Class, rulebook: Rulebook, catalogue: Catalogue, now: datetime) -> None:
    if before.status is ClassStatus.CANCELLED:
        raise ClassCancelled("This class was cancelled, which is final.", way_out="Copy it to another day.")
    known = [each for each in rules_of.wrong_fields(before, catalogue, rulebook) if _untouched(each, before, after)]
    wrong = [each for each in rules_of.wrong_fields(after, catalogue, rulebook) if each not in known]
    if (before.maximum is None) is not (after.maximum is None):
        wrong.append(FieldError("maximum", "whether places are limited is settled when a class is made"))
    if after.status is ClassStatus.CANCELLED:
        wrong.append(FieldError("status", "a class is cancelled with a reason, by POST …/cancellation"))
    elif why_not := rules_of.why_not_to(before, after.status, now):
        wrong.append(FieldError("status", why_not))
    if after.instructor != before.instructor:
        wrong += wrong_instructor(after, now)
    refuse_body(wrong)


def _untouched(wrong: FieldError, before: Class, after: Class) -> bool:
    field = wrong.field.partition("[")[0]
    return bool(getattr(before, field) == getattr(after, field))


@retried
def cancel(actor: Actor, class_id: str, reason: str, now: datetime, accept_cautions: bool = False) -> Kept:
    """Cancel a class for good; everybody with an open enrolment is told why. One that is cancelled stays as it is.

    Of a class that has started, what people have done stands: raises ClassHeld if somebody has an outcome, and ClassCautions if it
    is over, somebody waits for one, and that is not accepted.
    """
    before, seats, _, catalogue = _for_edit(actor, class_id)
    if before.status is ClassStatus.CANCELLED:
        return Kept(before, seats)
    if rules_of.started(before, now):
        _refuse_held(before)
    warnings = _lost(seats, accept_cautions) if rules_of.over(before, now) else ()
    after = replace(before, status=ClassStatus.CANCELLED, reason=reason)
    return _commit(actor, before, after, seats, catalogue, warnings, now)


def _refuse_held(class_: Class) -> None:
    owner = owner_of(class_.id)
    employers = rules.employers() if owner == NATIONAL else [owner]
    outcomes = sum(each.status in OUTCOMES for employer in employers for each in roster(employer, class_.id))
    if outcomes:
        raise ClassHeld(f"This class was held: {outcomes} of those on it have an outcome.", outcomes=outcomes)


def _lost(seats: Seats, accept: bool) -> tuple[Caution, ...]:
    if not seats.taken and not seats.waiting:
        return ()
    lost = Caution(
        CautionKind.IN_THE_PAST,
        f"The class is over. {seats.taken} hold seats and {seats.waiting} wait: they lose their enrolments, and are not told.",
        {"taken": seats.taken, "waiting": seats.waiting},
    )
    if not accept:
        way_out = "Enter the outcomes of those who were there, or send `accept_cautions: true` if it was not held."
        raise _to_accept([lost], way_out)
    return (lost,)


def _commit(
    actor: Actor,
    before: Class,
    after: Class,
    seats: Seats,
    catalogue: Catalogue,
    warnings: tuple[Caution, ...],
    now: datetime,
) -> Kept:
    after = replace(after, revision=before.revision + 1)
    transaction = Transaction()
    stored.change(transaction, before, after)
    if after.starts_at != before.starts_at:
        class_notices.look_ahead(transaction, after, now)  # the timer before finds that the class was moved
    class_notices.tell_instructor(transaction, before, after, catalogue, now)
    job = None
    if rules_of.concerns_enrolments(before, after):
        job = class_changes.start(transaction, actor.person, after, now).id
    changed = [name for name in Class.__dataclass_fields__ if getattr(before, name) != getattr(after, name)]
    action = "class.cancelled" if after.status is ClassStatus.CANCELLED else "class.changed"
    _audit(transaction, actor.person, action, after, now, changed=changed, status=after.status.value)
    transaction.commit()
    return Kept(after, replace(seats, maximum=after.maximum), warnings, job)


def copy(
    actor: Actor,
    class_id: str,
    day: date,
    now: datetime,
    fields: Mapping[str, Any],
    accept_cautions: bool = False,
    once: Idempotency | None = None,
) -> Kept:
    """Make a class like another one, but for these fields of it, that begins on this day; enrolments are never taken over (§8)."""
    original = _for_edit(actor, class_id)[0]
    if original.starts_at is None:
        raise Invalid(FieldError("body.day", "a class without dates is not copied to a day"))
    try:
        again = replace(rules_of.copied(original, day), **fields)
    except rules_of.NoSuchTime as skipped:
        raise Invalid(FieldError("body.day", str(skipped))) from skipped
    return create(actor, again, now, accept_cautions, once)


# --- who may, and what stands against it --------------------------------------------------------------------------


def kept(actor: Actor, class_id: str) -> Kept:
    """A class as whoever may edit it works on it. Raises NotFound, also outside their subjects, or NotYourItem."""
    class_, seats, _, _ = _for_edit(actor, class_id)
    return Kept(class_, seats)


def shown(actor: Actor, class_id: str, now: datetime) -> Kept:
    """A class as `kept`, with what is doubtful about it as things stand now: also a clash that came about unseen."""
    class_, seats, _, catalogue = _for_edit(actor, class_id)
    return _shown(class_, seats, catalogue, now)


def _shown(class_: Class, seats: Seats, catalogue: Catalogue, now: datetime) -> Kept:
    if class_.status is ClassStatus.CANCELLED:
        return Kept(class_, seats)
    told = rules_of.worth_knowing(class_, catalogue, now, seats)
    return Kept(class_, seats, (*cautions([class_], catalogue)[class_.id], *told))


def check_may_follow(actor: Actor, job: Job) -> None:
    """Raise NotFound for a job that is none of the actor's: whoever edits a class follows what becomes of its enrolments."""
    if actor.scopes(Capability.FOLLOW_JOBS):
        return
    try:
        if job.kind is JobKind.CLASS:
            _for_edit(actor, job.facts["class"])
            return
    except (NotFound, NotYourItem):
        pass
    raise NotFound("There is no such job.", job=job.id)


def _for_edit(actor: Actor, class_id: str) -> tuple[Class, Seats, Rulebook, Catalogue]:
    loaded = stored.class_with_seats(class_id, consistent=True) if may_belong(class_id, actor.employer) else None
    if loaded is None:
        raise NotFound("There is no such class.", class_id=class_id)
    if owner_of(class_id) != actor.employer:
        raise NotYourItem("This is a national class.", owner=owner_of(class_id))
    rulebook, catalogue = rules.rulebook_and_catalogue(actor.employer, consistent=True)
    if not actor.reaches(Capability.EDIT_CLASSES, _subject(loaded[0].course, catalogue), catalogue):
        raise NotFound("There is no such class.", class_id=class_id)
    return *loaded, rulebook, catalogue


def check_subject(actor: Actor, course_id: str, catalogue: Catalogue) -> None:
    """Raise NotFound for a course that lies outside the actor's subjects."""
    if not actor.reaches(Capability.EDIT_CLASSES, _subject(course_id, catalogue), catalogue):
        raise NotFound("There is no such course in your subjects.", course=course_id)


def _subject(course_id: str, catalogue: Catalogue) -> str:
    """The subject of a course; of one that is not in the catalogue none, which only a learning administrator reaches."""
    course = catalogue.courses.get(course_id)
    return course.subject if course else ""


def wrong_instructor(class_: Class, now: datetime) -> list[FieldError]:
    """What is wrong with the instructor of a class: they have to hold that role at its owner today."""
    if class_.instructor is None:
        return []
    instructor = learners.learner(class_.instructor, owner_of(class_.id))
    if instructor and Role.INSTRUCTOR in instructor.roles_on(london_day(now)):
        return []
    return [FieldError("instructor", "holds no instructor's role at this employer")]


def _accepted(
    class_: Class,
    before: Class | None,
    catalogue: Catalogue,
    accept: bool,
    now: datetime,
    seats: Seats | None = None,
) -> tuple[Caution, ...]:
    """What is doubtful about a class as it would be. Raises ClassCautions for what has to be accepted and is not.

    What stood against the class before, and still does, was accepted then. Where nothing has changed that could clash, nothing is
    looked for: `shown` tells what there is.
    """
    held = () if before and not _may_clash(before, class_) else _held_meanwhile([class_])
    found = rules_of.cautions([class_], held, catalogue).get(class_.id, ())
    known = rules_of.cautions([before], held, catalogue).get(before.id, ()) if before else ()
    refused = [each for each in found if each not in known and each.kind in rules_of.REFUSED_UNLESS_ACCEPTED]
    if refused and not accept:
        raise _to_accept(refused)
    return (*found, *rules_of.worth_knowing(class_, catalogue, now, seats))


def _may_clash(before: Class, after: Class) -> bool:
    return any(getattr(before, name) != getattr(after, name) for name in ("sessions", "venue", "instructor", "status"))


def _to_accept(refused: Iterable[Caution], way_out: str | None = None) -> ClassCautions:
    each_with_kind = [{"kind": each.kind.value, **each.facts} for each in refused]
    return ClassCautions(" ".join(each.detail for each in refused), way_out=way_out, cautions=each_with_kind)


def cautions(planned: Iterable[Class], catalogue: Catalogue) -> dict[str, tuple[Caution, ...]]:
    """What is doubtful about classes of one owner, by their id, against everything held at their times and among themselves."""
    classes = list(planned)
    found = rules_of.cautions(classes, _held_meanwhile(classes), catalogue)
    return {each.id: found.get(each.id, ()) for each in classes}


def _held_meanwhile(planned: Iterable[Class]) -> Iterable[Held]:
    """What each of their venues and instructors holds from the first start to the last end there: a range query for each."""
    wanted: dict[tuple[Callable[..., Iterator[Held]], str, str], list[Session]] = defaultdict(list)
    for each in (sitting for class_ in planned for sitting in rules_of.sittings(class_)):
        owner = owner_of(each.class_id)
        if each.venue:
            wanted[stored.held_at_venue, owner, each.venue].append(each.session)
        if each.instructor:
            wanted[stored.held_by_instructor, owner, each.instructor].append(each.session)
    found = (
        read(owner, resource, min(each.starts_at for each in sessions), max(each.ends_at for each in sessions))
        for (read, owner, resource), sessions in wanted.items()
    )
    return dict.fromkeys(chain.from_iterable(found))  # what takes both stands in both


# --- lists --------------------------------------------------------------------------------------------------------


class Wanted(msgspec.Struct, frozen=True):
    """Which classes to list: those that start on these London days, and of them what each filter lets through."""

    first: date
    last: date
    course: str | None = None
    subject: str | None = None
    venue: str | None = None
    instructor: str | None = None
    status: ClassStatus | None = None
    minimum_not_met: bool = False

    @property
    def begin(self) -> datetime:
        """The instant at which the first day begins."""
        return london_time(self.first, 0)

    @property
    def end(self) -> datetime:
        """The instant at which the last day is over."""
        return london_time(self.last + timedelta(days=1), 0)

    def lets_through(self, class_: Class, seats: Seats, catalogue: Catalogue) -> bool:
        """Whether a class is one of those wanted."""
        return (
            self.course in (None, class_.course)
            and self.venue in (None, class_.venue)
            and self.instructor in (None, class_.instructor)
            and self.status in (None, rules_of.status_shown(class_, seats))
            and (self.subject is None or catalogue.within(_subject(class_.course, catalogue), [self.subject]))
            and (not self.minimum_not_met or rules_of.minimum_not_met(class_, seats))
        )


class Listed(msgspec.Struct, frozen=True):
    """A class in a list, with its places and the names of its course and venue."""

    class_: Class
    seats: Seats
    course_title: str
    venue_name: str | None


class Listing(msgspec.Struct, frozen=True):
    """A page of classes by start, and where to go on."""

    classes: tuple[Listed, ...]
    after: str | None


def listing(actor: Actor, wanted: Wanted, limit: int, after: str | None) -> Listing:
    """A page of the employer's classes that the actor may run: all, in their subjects, or those they teach (domain.md §10)."""
    catalogue = rules.catalogue_now(actor.employer)
    page: list[Listed] = []
    for class_, seats in _running(actor, wanted, catalogue, after, page_size=limit + 1):
        if len(page) == limit:
            return Listing(tuple(page), stored.sort_of(page[-1].class_))
        course = catalogue.courses.get(class_.course)
        title = course.title if course else class_.title
        page.append(Listed(class_, seats, title, catalogue.venue_name(class_.venue)))
    return Listing(tuple(page), None)


class Day(msgspec.Struct, frozen=True):
    """How many classes start on a London day, and how many of them lack learners (domain.md §11)."""

    day: date
    classes: int
    minimum_not_met: int


def days(actor: Actor, wanted: Wanted) -> list[Day]:
    """The days of a range, each with its classes counted, those without any too."""
    catalogue = rules.catalogue_now(actor.employer)
    classes: Counter[date] = Counter()
    lacking: Counter[date] = Counter()
    for class_, seats in _running(actor, wanted, catalogue):
        assert class_.starts_at is not None
        day = london_day(class_.starts_at)
        classes[day] += 1
        lacking[day] += rules_of.minimum_not_met(class_, seats)
    every = [wanted.first + timedelta(days=number) for number in range((wanted.last - wanted.first).days + 1)]
    return [Day(day, classes[day], lacking[day]) for day in every]


def _running(
    actor: Actor, wanted: Wanted, catalogue: Catalogue, after: str | None = None, page_size: int | None = None
) -> Iterator[tuple[Class, Seats]]:
    for class_, seats in stored.classes_between(actor.employer, wanted.begin, wanted.end, after, page_size):
        subject = _subject(class_.course, catalogue)
        if actor.reaches(Capability.UPDATE_STATUS, subject, catalogue, class_.instructor) and wanted.lets_through(
            class_, seats, catalogue
        ):
            yield class_, seats
