"""What stands in the catalogue, kept by administrators: subjects, venues, synonyms, courses, learning paths and certifications
(decision 0015).

All kinds are kept alike. A change is judged by the whole catalogue as it is, read strongly consistent, and committed on condition
that nothing else of the owner's catalogue has changed meanwhile; else it is judged again.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import msgspec

from chalicelib.domain import catalogue_editing, prerequisites
from chalicelib.domain.actor import Actor
from chalicelib.domain.calendar import london_day
from chalicelib.domain.catalogue import (
    Catalogue,
    Course,
    CourseStatus,
    Entry,
    Item,
    Subject,
    Venue,
    owner_of,
)
from chalicelib.domain.catalogue_editing import WORDS, Kind, entries
from chalicelib.domain.classes import Class, ClassStatus, Seats
from chalicelib.domain.errors import (
    Conflict,
    FieldError,
    InUse,
    NotADraft,
    NotFound,
    NotYourItem,
    Outdated,
    refuse_body,
)
from chalicelib.domain.people import NATIONAL
from chalicelib.domain.requirements import Rulebook
from chalicelib.services import roles
from chalicelib.storage import audit, catalogue, classes, keys, rules
from chalicelib.storage.idempotency import Idempotency
from chalicelib.storage.transaction import Transaction, retried

SHOWN = 20
"""Things that a refusal lists of each kind."""


# --- setting up ---------------------------------------------------------------------------------------------------


def add_subjects(actor: str, owner: str, subjects: Iterable[Subject], now: datetime) -> None:
    """Add subjects to an owner's catalogue, up to 90 in one transaction. Raises Conflict if one exists."""
    transaction = Transaction()
    added = list(subjects)
    for subject in added:
        transaction.create(catalogue.SubjectRow.of(owner, subject))
    rules.move_version(transaction, owner, keys.CATALOGUE)
    record(transaction, actor, owner, "subjects.added", now, {"ids": [subject.id for subject in added]})
    transaction.commit_new("One of these subjects exists already.")


def add_course(actor: str, course: Course, now: datetime) -> None:
    """Add a course with its offerings and access rules; every cache reads it again. Raises Conflict if it exists."""
    transaction = Transaction()
    for row in catalogue.rows_of_course(course):
        transaction.create(row)
    rules.move_version(transaction, owner_of(course.id), keys.CATALOGUE)
    record(transaction, actor, owner_of(course.id), "course.added", now, {"ids": [course.id]})
    transaction.commit_new("There is a course of this id already.")


# --- looking ------------------------------------------------------------------------------------------------------


class Wanted(msgspec.Struct, frozen=True):
    """Which courses or learning paths: of a status, in a subject or below it, of an owner."""

    status: CourseStatus | None = None
    subject: str | None = None
    owner: str | None = None

    def fits(self, item: Item, known: Catalogue) -> bool:
        """Whether an item is one of them."""
        return (
            (self.status is None or item.status is self.status)
            and (self.subject is None or known.within(item.subject, (self.subject,)))
            and (self.owner is None or item.owner == self.owner)
        )


class Page(msgspec.Struct, frozen=True):
    """A page of what stands in the catalogue, how much there is in all, and where to go on."""

    entries: tuple[Any, ...]
    total: int
    after: list[str] | None


def listed(actor: Actor, kind: Kind, limit: int, after: Sequence[str] | None, wanted: Wanted | None = None) -> Page:
    """The nation's and the employer's own of one kind, by name, from behind `after` on; all of them unless some are wanted."""
    known = rules.catalogue_now(actor.employer)
    found = sorted(
        (each for each in entries(known, kind).values() if wanted is None or wanted.fits(each, known)), key=_place
    )
    rest = found if after is None else [each for each in found if _place(each) > list(after)]
    return Page(tuple(rest[:limit]), len(found), _place(rest[limit - 1]) if len(rest) > limit else None)


def _place(entry: Any) -> list[str]:
    """Where something stands in a list: by title or name, then by id."""
    name: str = entry.title if hasattr(entry, "title") else getattr(entry, "name", "")
    return [name.casefold(), entry.id]


def one(actor: Actor, kind: Kind, entry_id: str) -> Any:
    """One thing as its administrators see it. Raises NotFound."""
    return _found(kind, entry_id, rules.catalogue_now(actor.employer))


def _found(kind: Kind, entry_id: str, known: Catalogue) -> Any:
    entry = entries(known, kind).get(entry_id)
    if entry is None:
        raise NotFound(f"There is no such {WORDS[kind]}.", id=entry_id)
    return entry


def _own(actor: Actor, kind: Kind, entry_id: str, known: Catalogue) -> Any:
    """Something that the actor's employer owns. Raises NotFound or NotYourItem."""
    entry = _found(kind, entry_id, known)
    if entry.owner != actor.employer:
        raise NotYourItem("This is kept by the national administrator.", id=entry_id)
    return entry


# --- changing -----------------------------------------------------------------------------------------------------


@retried
def add(actor: Actor, entry: Entry, now: datetime, once: Idempotency | None = None) -> Entry:
    """Add something to the catalogue of the actor's employer. Raises Conflict if its id is taken, Invalid for wrong fields."""
    rulebook, known = rules.rulebook_and_catalogue(actor.employer, consistent=True)
    if catalogue_editing.is_taken(entry, known):
        raise Conflict(f"The id {entry.id} is taken.", way_out="Choose another id.")
    after = catalogue_editing.with_entries(known, [entry])
    refuse_body(catalogue_editing.wrong_fields(entry, after, rulebook))
    transaction = _saving(actor, None, entry, known, now)
    if once:
        once.remember(transaction, entry, now)
    transaction.commit()
    return entry


class Changed(msgspec.Struct, frozen=True):
    """Something as it is now, and the classes to come, with their places, of whose course or venue somebody should think again."""

    entry: Any
    classes: tuple[tuple[Class, Seats], ...] = ()


@retried
def change(actor: Actor, kind: Kind, entry_id: str, revision: int, fields: Mapping[str, Any], now: datetime) -> Changed:
    """Change fields of something, by their names in the domain. If it is as it was, nothing is written.

    What was wrong already and is left alone stays. Raises NotFound, NotYourItem, Outdated with it as it is (`current`), Invalid,
    InUse if an offering goes that classes to come are of, or PrerequisiteCycle.
    """
    rulebook, known = rules.rulebook_and_catalogue(actor.employer, consistent=True)
    before = _own(actor, kind, entry_id, known)
    if before.revision != revision:
        raise Outdated("Somebody else has changed this since you read it.", current=before)
    changed: Entry = replace(before, **fields)
    if changed == before:
        return Changed(changed)
    changed = replace(changed, revision=revision + 1)
    after = catalogue_editing.with_entries(known, [changed])
    refuse_body(_newly_wrong(before, changed, fields, known, after, rulebook))
    if isinstance(changed, Course) and "status" in fields:
        refuse_body(prerequisites.drafts_asked_for(changed, after))
    _refuse_taking_away(before, changed, now)
    if isinstance(changed, Course) and before.grants != changed.grants:
        prerequisites.refuse_cycle(known, after, rulebook)
    _saving(actor, before, changed, known, now).commit()
    return Changed(changed, _concerned(before, changed, now))


def _newly_wrong(
    before: Entry, changed: Entry, fields: Iterable[str], known: Catalogue, after: Catalogue, rulebook: Rulebook
) -> list[FieldError]:
    """What is wrong with something now: in the fields that were sent, or that was not wrong before."""
    sent = {catalogue_editing.WIRE_NAMES.get(name, name) for name in fields}
    already = catalogue_editing.wrong_fields(before, known, rulebook)
    wrong = catalogue_editing.wrong_fields(changed, after, rulebook)
    move = catalogue_editing.wrong_move(before, changed)
    return [*(each for each in wrong if _field(each) in sent or each not in already), *([move] if move else [])]


def _field(wrong: FieldError) -> str:
    return wrong.field.partition("[")[0]


@retried
def remove(actor: Actor, kind: Kind, entry_id: str, now: datetime) -> None:
    """Delete something that nothing names. Raises NotFound, NotYourItem, NotADraft, PrerequisiteCycle, or InUse naming by what."""
    rulebook, known = rules.rulebook_and_catalogue(actor.employer, consistent=True)
    entry = _own(actor, kind, entry_id, known)
    if isinstance(entry, Item) and entry.status is not CourseStatus.DRAFT:
        raise NotADraft(f"This {WORDS[kind]} is {entry.status}.", status=entry.status.value)
    _refuse_named(actor, entry, known)
    if isinstance(entry, Course):
        prerequisites.refuse_cycle(known, catalogue_editing.without(known, entry), rulebook)
    _saving(actor, entry, None, known, now).commit()


def _saving(actor: Actor, before: Entry | None, after: Entry | None, known: Catalogue, now: datetime) -> Transaction:
    """The transaction that keeps a change, if the owner's catalogue is still the one that was judged."""
    transaction = Transaction()
    catalogue.Difference.between(before, after).add_to(transaction)
    rules.move_version(transaction, actor.employer, keys.CATALOGUE, known.version[0])
    entry = after or before
    assert entry is not None
    done = "changed" if before and after else "added" if after else "deleted"
    facts = {"id": entry.id, "before": before and said(before), "after": after and said(after)}
    record(transaction, actor.person, actor.employer, f"{WORDS[type(entry)]}.{done}", now, facts)
    return transaction


_NOT_SAID = ("description", "joining_instructions", "address")
"""Free text, in which people may be named."""


def said(entry: Entry) -> dict[str, Any]:
    """What an audit entry keeps of something: ids, states and rules; of free text how long it is."""
    fields: dict[str, Any] = msgspec.to_builtins(entry)
    return {name: len(value) if name in _NOT_SAID else value for name, value in fields.items()}


def record(transaction: Transaction, actor: str, owner: str, action: str, now: datetime, facts: dict[str, Any]) -> None:
    """Add to a transaction: the audit entry of a change of the catalogue."""
    audit.record(transaction, audit.Entry(owner, actor, action.replace(" ", "_"), now, facts=facts))


# --- what stands in the way ---------------------------------------------------------------------------------------


def _refuse_named(actor: Actor, entry: Entry, known: Catalogue) -> None:
    """Raise InUse if something names an entry that is to be deleted. Classes are found by indexes, which may lag a moment."""
    if catalogue_editing.is_shared(entry):
        raise InUse(
            "Employers may have put courses and classes of their own under this national subject.",
            way_out="Rename it, or move it below another subject.",
        )
    named = catalogue_editing.named_by(entry, known) | _named_by_stored(actor, entry)
    if not named:
        return
    shown = {what: ids[:SHOWN] for what, ids in named.items()}
    counted = ", ".join(f"{len(ids)} {what.replace('_', ' ')}" for what, ids in named.items())
    raise InUse(f"This {WORDS[type(entry)]} is named by others: {counted}.", way_out=_way_out(entry), named_by=shown)


def _named_by_stored(actor: Actor, entry: Entry) -> dict[str, list[str]]:
    """What outside of the catalogue names an entry: classes, and class administrators by what they are limited to."""
    found: dict[str, list[str]] = {}
    if isinstance(entry, Subject):
        found["class_administrators"] = roles.limited_to(actor.employer, entry.id)
    elif isinstance(entry, Venue):
        at = (classes.one_at_venue(owner, entry.id) for owner in _users_of(entry.owner))
        found["classes"] = [each for each in at if each][:1]
    elif isinstance(entry, Course):
        found["classes"] = [each.id for each in classes.of_course(entry.owner, entry.id)]
    return {what: ids for what, ids in found.items() if ids}


def _users_of(owner: str) -> list[str]:
    """Whose classes may be of an owner's course or at its venue: everybody's of the nation's."""
    return [NATIONAL, *rules.employers()] if owner == NATIONAL else [owner]


def _way_out(entry: Entry) -> str:
    if isinstance(entry, Course):
        return "Withdraw it, or change what names it first."
    if isinstance(entry, Venue):
        return "Take it out of use instead: change in_use to false."
    return InUse.way_out


def _refuse_taking_away(before: Entry, after: Entry, now: datetime) -> None:
    """Raise InUse if an offering goes, or changes its mode, that classes to come are of."""
    if of_them := classes_to_come(before, catalogue_editing.taken_away(before, after), now):
        raise InUse(
            "Classes to come are of an offering that would go or change its mode.",
            way_out="Add another offering beside it, or cancel these classes first.",
            named_by={"classes": of_them[:SHOWN]},
        )


def classes_to_come(course: Entry, offerings: Sequence[str], now: datetime) -> list[str]:
    """The ids of classes of some of a course's offerings, whosoever's, that start from now on or have no date. May lag a moment."""
    return [each.id for each in _to_come(course, now) if each.offering in offerings] if offerings else []


def _to_come(course: Entry, now: datetime) -> list[Class]:
    found = (each for owner in _users_of(course.owner) for each in classes.of_course(owner, course.id, now))
    return [each for each in found if each.status is not ClassStatus.CANCELLED]


# --- what is to be told of ----------------------------------------------------------------------------------------

_FOR_EVER = datetime.max.replace(tzinfo=UTC)


def _concerned(before: Entry, after: Entry, now: datetime) -> tuple[tuple[Class, Seats], ...]:
    """The classes to come that a change concerns, by start. Classes are found by indexes, which may lag a moment."""
    ids: Iterable[str] = ()
    if isinstance(before, Course) and isinstance(after, Course) and _found_when(before) != _found_when(after):
        ids = (each.id for each in _to_come(before, now))
    elif isinstance(before, Venue) and isinstance(after, Venue) and _room(before) != _room(after):
        ids = {each.class_id for each in classes.held_at_venue(before.owner, before.id, now, _FOR_EVER)}
    today = london_day(now)
    return tuple(each for each in classes.summaries(ids) if catalogue_editing.concerns(before, after, each[0], today))


def _found_when(course: Course) -> tuple[Any, ...]:
    return course.status, course.starts_on, course.ends_on


def _room(venue: Venue) -> tuple[Any, ...]:
    return venue.in_use, venue.capacity
