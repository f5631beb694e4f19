"""What the routes that keep the catalogue share: fields that may be left out, and both versions for whoever comes second."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import UNSET

from chalicelib.domain import catalogue_editing, errors
from chalicelib.domain.catalogue import Component, Entry, Grants, Offering, Section
from chalicelib.domain.catalogue_editing import Kind, one_line
from chalicelib.handlers.http import Request
from chalicelib.services import catalogue_items
from chalicelib.services.catalogue_items import Changed

NewId = Annotated[
    str,
    msgspec.Meta(
        pattern=rf"^{catalogue_editing.ID}$(?!\n)", description="Small letters, digits and hyphens; never changes."
    ),
]
Revision = Annotated[int, msgspec.Meta(ge=1, description="The one that was read; if it is not the current one, 409.")]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=catalogue_editing.LONGEST_TITLE)]
Word = Annotated[str, msgspec.Meta(min_length=1, max_length=catalogue_editing.LONGEST_WORD)]

_MADE: dict[str, Callable[[Any], Any]] = {
    "name": one_line,
    "title": one_line,
    "words": lambda given: tuple(map(one_line, given)),
    "also_called": lambda given: tuple(map(one_line, given)),
    "awards": lambda given: tuple(Grants(each.competency, each.level) for each in given),
    "offerings": lambda given: catalogue_editing.in_order(
        Offering(each.id, each.mode, each.language) for each in given
    ),
    "components": lambda given: tuple(Component(each.course_id, each.mode, each.use) for each in given),
    "reminder_days": tuple,
    "sections": lambda given: tuple(Section(one_line(each.title), tuple(each.courses)) for each in given),
}
"""How what was sent is made into a field of the domain, where it is not the same."""

_CALLED = {sent: own for own, sent in catalogue_editing.WIRE_NAMES.items()}


def fields(body: msgspec.Struct) -> dict[str, Any]:
    """What was sent (all but id and revision), as fields of the domain."""
    given: dict[str, Any] = {}
    for name in body.__struct_fields__:
        value = getattr(body, name)
        if value is not UNSET and name not in ("id", "revision"):
            given[_CALLED.get(name, name)] = _MADE[name](value) if name in _MADE else value
    return given


def add(request: Request, entry: Entry) -> Entry:
    """Add an entry to the catalogue of the employer."""
    return catalogue_items.add(request.actor, entry, request.now, request.once)


def change(request: Request, kind: Kind, entry_id: str, view: Any) -> Changed:
    """Change what was sent. Whoever sends an old revision gets it as it is (`current`, as `view` presents it) and their own."""
    body = request.body
    try:
        return catalogue_items.change(request.actor, kind, entry_id, body.revision, fields(body), request.now)
    except errors.Outdated as outdated:
        current = msgspec.to_builtins(view.of(outdated.facts["current"]))
        raise errors.Outdated(outdated.detail, current=current, yours=msgspec.to_builtins(body)) from outdated


def remove(request: Request, kind: Kind, entry_id: str) -> None:
    """Delete an entry of the employer's own."""
    catalogue_items.remove(request.actor, kind, entry_id, request.now)


class ClassToCome(msgspec.Struct, frozen=True):
    """A class to come that a change concerns."""

    id: str
    title: str
    starts_at: Annotated[datetime | None, msgspec.Meta(description="null: e-learning, which has no date.")]
    maximum: int | None
    confirmed: int
    waitlisted: int


class WarningOfClasses(msgspec.Struct, frozen=True):
    """What a change leaves to think of: the classes to come, which stay as they are."""

    detail: str
    total: Annotated[int, msgspec.Meta(description="How many there are.")]
    classes: Annotated[list[ClassToCome], msgspec.Meta(description="The first of them, by start.")]

    @classmethod
    def all_of(cls, changed: Changed, detail: str) -> "list[WarningOfClasses]":
        """One warning, or none if no class is concerned."""
        if not changed.classes:
            return []
        shown = [
            ClassToCome(class_.id, class_.title, class_.starts_at, seats.maximum, seats.taken, seats.waiting)
            for class_, seats in changed.classes[: catalogue_items.SHOWN]
        ]
        return [cls(detail, len(changed.classes), shown)]


Warnings = Annotated[list[WarningOfClasses], msgspec.Meta(description="What is to be thought of now.")]

CHANGING = (errors.NotFound, errors.NotYourItem, errors.Outdated, errors.Conflict)
DELETING = (errors.NotFound, errors.NotYourItem, errors.InUse, errors.Conflict)
