"""Notify: somebody who may writes to people whom they choose (domain.md §9, N23, and §10; decision 0033)."""

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from chalicelib.domain.compliance import Colour
from chalicelib.domain.enrolment import Status
from chalicelib.domain.errors import FieldError
from chalicelib.domain.notifications import Delivery
from chalicelib.domain.requirements import Rulebook, Target, TargetKind

TOGETHER = 50
"""As many people as one event tells."""

PART = 500
"""People of one part of the work: a stop takes effect between parts."""

MOST_PEOPLE = 1_000
"""As many people as the audiences of a notice list one by one, all together."""

LONGEST_AHEAD = timedelta(days=366)
"""How far ahead a notice is planned at most."""


class AudienceKind(StrEnum):
    """By what people are chosen."""

    CLASS = "class"
    COURSE = "course"
    ORGANISATION = "organisation"
    POSITION = "position"
    COMPETENCY = "competency"
    LEARNER_GROUP = "learner group"
    PEOPLE = "people"


@dataclass(frozen=True, slots=True)
class Audience:
    """Whom a notice is for.

    Class: those whose place is in one of `statuses`. Course: those with an open place on a class of it that is not over.
    Organisation: whoever works in a unit or below it. Position; learner group: whoever holds it or belongs to it today. Competency:
    of whom it is required, by one of `colours`, everywhere or in a unit and below. People: `people`, one by one. `id` names all but
    people.
    """

    kind: AudienceKind
    id: str = ""
    statuses: tuple[Status, ...] = ()
    colours: tuple[Colour, ...] = ()
    unit: str | None = None
    people: tuple[str, ...] = ()


_NEEDED = {AudienceKind.PEOPLE: "people"}
_POSSIBLE = {
    AudienceKind.CLASS: {"id", "statuses"},
    AudienceKind.COMPETENCY: {"id", "colours", "unit"},
    AudienceKind.PEOPLE: {"people"},
}
_FIELDS = ("id", "statuses", "colours", "unit", "people")
_TARGETS = {
    AudienceKind.ORGANISATION: TargetKind.UNIT,
    AudienceKind.POSITION: TargetKind.POSITION,
    AudienceKind.LEARNER_GROUP: TargetKind.LEARNER_GROUP,
}


def wrong_fields(audiences: Sequence[Audience], rulebook: Rulebook) -> Iterator[FieldError]:
    """What is wrong with audiences: too many listed in all; or, by its place, missing, meaningless, or unknown to the employer."""
    listed = sum(len(each.people) for each in audiences)
    if listed > MOST_PEOPLE:
        yield FieldError("audience", f"lists {listed:,} people one by one, and may list {MOST_PEOPLE:,} in all")
    for place, audience in enumerate(audiences):
        for field, reason in _wrong(audience, rulebook):
            yield FieldError(f"audience[{place}].{field}", reason)


def _wrong(audience: Audience, rulebook: Rulebook) -> Iterator[tuple[str, str]]:
    kind = audience.kind
    for name in _FIELDS:
        if getattr(audience, name) and name not in _POSSIBLE.get(kind, {"id"}):
            yield name, f"does not go with {kind.value}"
    needed = _NEEDED.get(kind, "id")
    if not getattr(audience, needed):
        yield needed, "is missing"
    elif (target := _TARGETS.get(kind)) and not rulebook.knows(Target(target, audience.id)):
        yield "id", f"is no {kind.value} of this employer"
    elif kind is AudienceKind.COMPETENCY and audience.id not in rulebook.competencies:
        yield "id", "is no competency in use here"
    if audience.unit and audience.unit not in rulebook.units:
        yield "unit", "is no organisation of this employer"


def wrong_words(subject: str, text: str) -> Iterator[FieldError]:
    """What is wrong with the words of a notice whose lengths are within bounds: a subject is one line, a text says something."""
    if not subject.strip() or not subject.isprintable():
        yield FieldError("subject", "is one line of text")
    if not text.strip():
        yield FieldError("text", "says nothing")
    elif any(unicodedata.category(each) in ("Cc", "Cs") for each in plain(text) if each not in "\n\t"):
        yield FieldError("text", "holds characters that cannot be shown")


def plain(text: str) -> str:
    """A text with its ends of line written one way, and none around it."""
    return text.replace("\r\n", "\n").replace("\r", "\n").strip()


class State(StrEnum):
    """How far a notice is. Scheduled: its time has not come. Sending: it is being written to its recipients. Sent: to all of them.
    Stopped: what was not sent by then is not.
    """

    SCHEDULED = "scheduled"
    SENDING = "sending"
    SENT = "sent"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Notice:
    """A notice of an employer: who writes what to whom, from when on.

    `author` is the name under which its readers see it. `job` writes it, begun at `begun_at`, to so many `recipients`: all None
    before. A job that is done makes it sent, which is seen when it is read.
    """

    id: str
    employer: str
    by: str
    author: str
    made_at: datetime
    send_at: datetime
    subject: str
    text: str
    link: str | None
    audience: tuple[Audience, ...]
    state: State = State.SCHEDULED
    job: str | None = None
    begun_at: datetime | None = None
    recipients: int | None = None
    stopped_at: datetime | None = None
    revision: int = 0


def parts_of(people: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Recipients in parts, by name: `001`, `002`."""
    starts = range(0, len(people), PART)
    return {f"{number:03d}": tuple(people[start : start + PART]) for number, start in enumerate(starts, 1)}


def events_of(notice_id: str, part: str, people: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """The ids of the events that tell a part, each with whom it tells: always the same, so that telling again is nothing new."""
    starts = range(0, len(people), TOGETHER)
    return {
        f"notice.{notice_id}.{part}.{number:02d}": tuple(people[start : start + TOGETHER])
        for number, start in enumerate(starts, 1)
    }


FAILED = frozenset({Delivery.BOUNCED, Delivery.COMPLAINED, Delivery.FAILED, Delivery.SUPPRESSED})
"""Ends of an e-mail that its recipient did not get, or did not want. They have it in their inbox all the same."""

_ON_ITS_WAY = frozenset({Delivery.PENDING, Delivery.HELD, Delivery.SENDING, Delivery.PARKED})


@dataclass(frozen=True, slots=True)
class Written:
    """What became of a notice to one person: where its e-mail stands, what stood in its way, and whether it was read."""

    person: str
    delivery: Delivery
    why: str | None
    read: bool


@dataclass(frozen=True, slots=True)
class Figures:
    """A delivery report in numbers of people.

    `written` have it in their inbox. Of their e-mails so many are `waiting`, `sent` (also those that were delivered), `delivered`,
    `failed`, or `stopped` before they were sent. `read` counts inboxes; whoever read only the e-mail is not known.
    """

    written: int
    waiting: int
    sent: int
    delivered: int
    failed: int
    stopped: int
    read: int


def figures(written: Iterable[Written]) -> Figures:
    """The numbers of a report."""
    found = list(written)
    states = [each.delivery for each in found]
    delivered = states.count(Delivery.DELIVERED)
    return Figures(
        written=len(found),
        waiting=sum(each in _ON_ITS_WAY for each in states),
        sent=states.count(Delivery.SENT) + delivered,
        delivered=delivered,
        failed=sum(each in FAILED for each in states),
        stopped=states.count(Delivery.SUPERSEDED),
        read=sum(each.read for each in found),
    )
