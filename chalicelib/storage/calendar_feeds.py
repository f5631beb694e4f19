"""Calendar feeds: whose calendar a secret address shows. Only the hash of the secret is kept."""

from collections.abc import Iterator
from datetime import datetime

import msgspec
from pynamodb.attributes import UnicodeAttribute

from chalicelib.storage import keys
from chalicelib.storage.base import InstantAttribute, Record
from chalicelib.storage.classes import ClassRow, SessionRow
from chalicelib.storage.transaction import Transaction


class Feed(msgspec.Struct, frozen=True):
    """A feed: its id is the hash of its secret."""

    id: str
    person: str
    employer: str
    name: str
    created_at: datetime


class FeedRow(Record, discriminator="calendar feed"):
    """`FEED#hash` / the same; gsi1 lists those of a person at an employer."""

    person = UnicodeAttribute()
    employer = UnicodeAttribute()
    name = UnicodeAttribute()
    created_at = InstantAttribute()

    @classmethod
    def of(cls, feed: Feed) -> "FeedRow":
        """The row of a feed."""
        key = keys.calendar_feed(feed.id)
        return cls(
            key,
            key,
            gsi1pk=keys.calendar_feeds(feed.employer, feed.person),
            gsi1sk=keys.instant(feed.created_at),
            person=feed.person,
            employer=feed.employer,
            name=feed.name,
            created_at=feed.created_at,
        )

    def feed(self) -> Feed:
        """The feed of this row."""
        return Feed(self.pk.partition(keys.SEPARATOR)[2], self.person, self.employer, self.name, self.created_at)


def feed(feed_id: str) -> Feed | None:
    """A feed by the hash of its secret, read strongly consistent: a revoked address shows nothing more."""
    key = keys.calendar_feed(feed_id)
    try:
        return FeedRow.get(key, key, consistent_read=True).feed()
    except FeedRow.DoesNotExist:
        return None


def feeds_of(employer: str, person: str) -> list[Feed]:
    """Somebody's feeds at an employer, oldest first. May lag a moment behind."""
    rows = Record.gsi1.query(keys.calendar_feeds(employer, person))
    return [row.feed() for row in rows if isinstance(row, FeedRow)]


def create(transaction: Transaction, feed: Feed) -> None:
    """Add to a transaction: a new feed."""
    transaction.create(FeedRow.of(feed))


def delete(transaction: Transaction, feed: Feed) -> None:
    """Add to a transaction: the feed gone, if it is still there."""
    transaction.delete(FeedRow.of(feed), FeedRow.pk.exists())


class Taught(msgspec.Struct, frozen=True):
    """A session that somebody teaches, with what a calendar shows of its class; `number` is its place among the sessions."""

    class_id: str
    number: str
    starts_at: datetime
    ends_at: datetime
    title: str
    venue: str | None
    link: str | None
    revision: int


def taught(owner: str, person: str, since: datetime, until: datetime) -> Iterator[Taught]:
    """The sessions of an owner's classes that somebody teaches and that start between two instants, the second left out; those of
    cancelled classes are in no index.

    One index query, and one batch read for a hundred classes. May lag a moment behind.
    """
    between = Record.gsi2sk.between(keys.instant(since), keys.instant(until))
    rows = Record.gsi2.query(keys.instructor(owner, person), between)
    sessions = [row for row in rows if isinstance(row, SessionRow)]
    classes = {row.pk: row for row in ClassRow.batch_get({(each.pk, keys.META) for each in sessions})}
    for row in sessions:
        if class_ := classes.get(row.pk):
            yield Taught(
                row.pk.rpartition(keys.SEPARATOR)[2],
                row.sk.rpartition(keys.SEPARATOR)[2],
                row.starts_at,
                row.ends_at,
                class_.title,
                class_.venue,
                class_.link,
                int(class_.revision),
            )
