"""Calendar feeds: an address that a calendar program fetches again and again, and that shows one person's classes.

A calendar program cannot sign in, so the address itself is the secret (decision 0020): 256 random bits, of which only a hash is
kept. Whoever loses it revokes it.
"""

import hashlib
import secrets
from collections.abc import Iterator
from datetime import datetime, timedelta

import msgspec

from chalicelib import calendars
from chalicelib.calendars import Entry
from chalicelib.domain.actor import Actor
from chalicelib.domain.calendar import london_day
from chalicelib.domain.errors import NotFound, TooManyFeeds
from chalicelib.domain.learner import Learner
from chalicelib.domain.people import NATIONAL
from chalicelib.domain.permissions import Role
from chalicelib.storage import audit, calendar_feeds, learner, rules
from chalicelib.storage.calendar_feeds import Feed
from chalicelib.storage.transaction import Stale, Transaction

MOST_FEEDS = 10
"""Of one person at one employer: a telephone, a desk, a tablet, and some that were forgotten."""

KEPT = timedelta(days=90)
"""How long a class stays in a calendar once it is over."""


class Made(msgspec.Struct, frozen=True):
    """A new feed with its secret, which is told this once."""

    feed: Feed
    secret: str


def create(actor: Actor, name: str, now: datetime) -> Made:
    """A new address of the actor's own calendar at their employer. Raises TooManyFeeds."""
    if len(calendar_feeds.feeds_of(actor.employer, actor.person)) >= MOST_FEEDS:
        raise TooManyFeeds(f"You have {MOST_FEEDS} calendar feeds.")
    secret = secrets.token_urlsafe(32)
    feed = Feed(_hash(secret), actor.person, actor.employer, name, now)
    transaction = Transaction()
    calendar_feeds.create(transaction, feed)
    _audit(transaction, "calendar_feed.created", feed, now)
    transaction.commit()
    return Made(feed, secret)


def mine(actor: Actor) -> list[Feed]:
    """The actor's feeds at their employer, oldest first."""
    return calendar_feeds.feeds_of(actor.employer, actor.person)


def revoke(actor: Actor, feed_id: str, now: datetime) -> None:
    """Take an address away: the next time a program asks, there is nothing. Raises NotFound for one that is not the actor's."""
    feed = calendar_feeds.feed(feed_id)
    if feed is None or (feed.person, feed.employer) != (actor.person, actor.employer):
        raise NotFound("You have no such calendar feed.", feed_id=feed_id)
    transaction = Transaction()
    calendar_feeds.delete(transaction, feed)
    _audit(transaction, "calendar_feed.revoked", feed, now)
    try:
        transaction.commit()
    except Stale as gone:
        raise NotFound("You have no such calendar feed.", feed_id=feed_id) from gone


def published(secret: str, now: datetime) -> bytes:
    """The calendar behind a secret address (RFC 5545): classes from 90 days back, and all to come.

    Raises NotFound for an address that never was or was revoked, and for somebody who has no role at the employer any more.
    """
    feed = calendar_feeds.feed(_hash(secret))
    person = learner.learner(feed.person, feed.employer) if feed else None
    if feed is None or person is None or not person.roles_on(london_day(now)):
        raise NotFound("There is no such calendar.")
    entries = sorted(_entries(person, now), key=lambda entry: (entry.starts_at, entry.uid))
    return calendars.published("Learning", entries, now)


def _entries(person: Learner, now: datetime) -> Iterator[Entry]:
    """What is in somebody's calendar: each source gives its own events."""
    if Role.INSTRUCTOR in person.roles_on(london_day(now)):
        yield from _taught(person, now)


def _taught(person: Learner, now: datetime) -> Iterator[Entry]:
    """The sessions somebody teaches, of the employer's classes and the nation's; those of cancelled classes are gone."""
    known = rules.catalogue_now(person.employer)
    for owner in (person.employer, NATIONAL):
        for each in calendar_feeds.taught(owner, person.person.id, now - KEPT):
            venue = known.venues.get(each.venue or "")
            yield Entry(
                uid=f"{each.class_id}.{each.number}",
                title=each.title,
                starts_at=each.starts_at,
                ends_at=each.ends_at,
                place=", ".join(filter(None, (known.venue_name(each.venue), venue.address if venue else ""))),
                link=each.link or "",
                revision=each.revision,
            )


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _audit(transaction: Transaction, action: str, feed: Feed, now: datetime) -> None:
    # Half of the hash: enough to tell feeds apart, and no address can be found by it.
    facts = {"feed": feed.id[:32]}
    audit.record(transaction, audit.Entry(feed.employer, feed.person, action, now, feed.person, facts))
