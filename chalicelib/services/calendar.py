"""My calendar and my team's: classes, teaching, renewals, and requests that lapse, between two days (domain.md §10)."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from typing import Any

import msgspec

from chalicelib.domain import learning_calendar
from chalicelib.domain.actor import Actor
from chalicelib.domain.calendar import london_day, london_time
from chalicelib.domain.learner import Learner
from chalicelib.domain.learning_calendar import Entry, Kind
from chalicelib.domain.people import NATIONAL, Person
from chalicelib.domain.permissions import Role
from chalicelib.domain.requirements import Rulebook
from chalicelib.services.learning import myself
from chalicelib.storage import calendar_feeds, people, rules
from chalicelib.storage import learner as learners


class Calendar(msgspec.Struct, frozen=True):
    """What stands in somebody's calendar between two London days, both included, in order."""

    first: date
    last: date
    entries: Sequence[Entry]


class TeamCalendar(msgspec.Struct, frozen=True):
    """The same of some of a manager's people, in order, each entry with whose it is; and where to go on with more people."""

    manager: str
    first: date
    last: date
    people: Sequence[Person]
    entries: Sequence[tuple[Person, Entry]]
    after: Any


def mine(actor: Actor, first: date, last: date, now: datetime) -> Calendar:
    """The actor's own calendar at their employer. Raises NotFound for whoever is no learner here."""
    found = entries_of(myself(actor), first, last, now)
    return Calendar(first, last, sorted(found, key=lambda each: each.order))


def entries_of(learner: Learner, first: date, last: date, now: datetime) -> Iterator[Entry]:
    """All that stands in somebody's own calendar between two days."""
    yield from _of_learner(learner, rules.rulebook(learner.employer), first, last, now)
    if Role.INSTRUCTOR in learner.roles_on(london_day(now)):
        yield from _taught(learner, first, last)


def team(actor: Actor, first: date, last: date, limit: int, after: Any, now: datetime) -> TeamCalendar:
    """The calendars of up to that many of the actor's direct reports of today: classes, requests, and what they have to renew.

    Each of them is read. What they hold without having to is left out.
    """
    position, seen = after or (None, None)
    ids, following = people.reports_of(actor.employer, actor.person, limit, position)
    today, rulebook = london_day(now), rules.rulebook(actor.employer)
    found = (learners.learner(each, actor.employer) for each in ids if each != seen)  # with two jobs, on both pages
    mine = [each for each in found if each and each.supervised_by(actor.person, today)]
    entries = [
        (each.person, entry)
        for each in mine
        for entry in _of_learner(each, rulebook, first, last, now)
        if entry.required is not False
    ]
    return TeamCalendar(
        actor.person,
        first,
        last,
        [each.person for each in mine],
        sorted(entries, key=lambda each: each[1].order),
        [following, ids[-1] if ids else seen] if following else None,
    )


def _of_learner(learner: Learner, rulebook: Rulebook, first: date, last: date, now: datetime) -> Iterator[Entry]:
    standings = learner.compliance_on(london_day(now), rulebook)
    entries = [
        *(entry for each in learner.enrolments for entry in learning_calendar.of_class(each)),
        *(entry for each in learner.enrolments for entry in learning_calendar.of_request(each)),
        *learning_calendar.renewals(learner.person.id, learner.employer, standings),
    ]
    yield from (each for each in entries if first <= each.day <= last)


def _taught(learner: Learner, first: date, last: date) -> Iterator[Entry]:
    """The sessions somebody teaches, of the employer's classes and the nation's; those of cancelled classes are gone."""
    known = rules.catalogue_now(learner.employer)
    since, until = london_time(first, 0), london_time(last + timedelta(days=1), 0)
    for owner in (learner.employer, NATIONAL):
        for each in calendar_feeds.taught(owner, learner.person.id, since, until):
            venue = known.venues.get(each.venue or "")
            yield Entry(
                Kind.TEACHING,
                f"{each.class_id}.{each.number}",
                each.title,
                london_day(each.starts_at),
                each.starts_at,
                each.ends_at,
                place=", ".join(filter(None, (known.venue_name(each.venue), venue.address if venue else ""))),
                link=each.link or "",
                class_id=each.class_id,
                session=int(each.number),
                revision=each.revision,
            )
