"""Calendar feeds: an address that a calendar program fetches again and again, and that shows one person's classes and renewals.

A calendar program cannot sign in, so the address itself is the secret (decision 0020): 256 random bits, of which only a hash is
kept. Whoever loses it revokes it.
"""

import hashlib
import secrets
from datetime import datetime, timedelta

import msgspec

from chalicelib import calendars
from chalicelib.domain.actor import Actor
from chalicelib.domain.calendar import LATEST, london_day
from chalicelib.domain.enrolment import Status
from chalicelib.domain.errors import NotFound, TooManyFeeds
from chalicelib.domain.learning_calendar import Entry, Kind
from chalicelib.services import calendar
from chalicelib.storage import audit, calendar_feeds, learner
from chalicelib.storage.calendar_feeds import Feed
from chalicelib.storage.transaction import Stale, Transaction

MOST_FEEDS = 10
"""Of one person at one employer: a telephone, a desk, a tablet, and some that were forgotten."""

KEPT = timedelta(days=90)
"""How long a class, or a renewal that was missed, stays in a calendar once it is over."""


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
    """The calendar behind a secret address (RFC 5545): classes and renewals from 90 days back, and all to come. It names nobody.

    Raises NotFound for an address that never was or was revoked, and for somebody who has no role at the employer any more.
    """
    feed = calendar_feeds.feed(_hash(secret))
    person = learner.learner(feed.person, feed.employer) if feed else None
    if feed is None or person is None or not person.roles_on(london_day(now)):
        raise NotFound("There is no such calendar.")
    first = london_day(now - KEPT)
    found = sorted(calendar.entries_of(person, first, LATEST, now), key=lambda entry: entry.order)
    return calendars.published("Learning", [_shown(each) for each in found if _belongs(each)], now)


def _belongs(entry: Entry) -> bool:
    """Whether a calendar program shows it. What is held but not required has no renewal to remind anybody of (domain.md §3)."""
    return entry.kind is not Kind.LAPSE and entry.required is not False


_BEFORE_TITLE = {Status.WAITLISTED: "Waiting list: ", Status.REQUESTED: "Requested: "}


def _shown(entry: Entry) -> calendars.Entry:
    if entry.kind is Kind.RENEWAL:
        return calendars.Entry(
            entry.uid,
            f"{entry.title} expires",
            entry.day,
            description="Required of you; valid until the end of this day.",
        )
    assert entry.starts_at is not None
    return calendars.Entry(
        uid=entry.uid,
        title=(_BEFORE_TITLE.get(entry.status, "") if entry.status else "") + entry.title,
        starts_at=entry.starts_at,
        ends_at=entry.ends_at,
        place=entry.place,
        link=entry.link,
        revision=entry.revision,
        tentative=entry.tentative,
    )


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _audit(transaction: Transaction, action: str, feed: Feed, now: datetime) -> None:
    # Half of the hash: enough to tell feeds apart, and no address can be found by it.
    facts = {"feed": feed.id[:32]}
    audit.record(transaction, audit.Entry(feed.employer, feed.person, action, now, feed.person, facts))
