"""Calendar feeds: an address for one's calendar program, made, listed and revoked; and what the address gives."""

from datetime import datetime
from typing import Annotated

import msgspec
from chalice import Blueprint

from chalicelib.domain.errors import NotFound, TooManyFeeds
from chalicelib.domain.permissions import Capability
from chalicelib.handlers.http import PUBLIC, PublicRequest, Request, Routes
from chalicelib.handlers.parsing import ICalendar
from chalicelib.services import calendar_feeds
from chalicelib.services.calendar_feeds import Made
from chalicelib.storage.calendar_feeds import Feed

blueprint = Blueprint(__name__)
routes = Routes(blueprint, "Calendar")

FeedName = Annotated[
    str,
    msgspec.Meta(
        min_length=1, max_length=60, pattern=r"^[^\x00-\x1f]+$(?!\n)", description="Where it is used, for oneself."
    ),
]


class FeedBody(msgspec.Struct, frozen=True):
    """A feed to make."""

    name: FeedName = "Calendar"


class FeedView(msgspec.Struct, frozen=True):
    """A calendar feed, without its address."""

    feed_id: str
    name: str
    created_at: datetime

    @classmethod
    def of(cls, feed: Feed) -> "FeedView":
        """Present a feed."""
        return cls(feed.id, feed.name, feed.created_at)


class NewFeedView(msgspec.Struct, frozen=True):
    """A new calendar feed with its secret address."""

    feed_id: str
    name: str
    created_at: datetime
    href: Annotated[
        str,
        msgspec.Meta(description="The address, for a calendar program. Whoever has it sees the calendar. Told once."),
    ]

    @classmethod
    def of(cls, made: Made) -> "NewFeedView":
        """Present a feed with its address."""
        feed = made.feed
        return cls(feed.id, feed.name, feed.created_at, f"/v1/calendar-feeds/{made.secret}")


class FeedList(msgspec.Struct, frozen=True):
    """Somebody's calendar feeds, oldest first; ten at most."""

    feeds: list[FeedView]

    @classmethod
    def of(cls, feeds: list[Feed]) -> "FeedList":
        """Present feeds."""
        return cls([FeedView.of(each) for each in feeds])


# 200 and not 201: an Idempotency-Key would have to keep the secret for a day.
@routes.route(
    "POST",
    "/v1/me/calendar-feeds",
    capability=Capability.VIEW_CALENDAR,
    summary="Make a calendar feed",
    body=FeedBody,
    answer=NewFeedView,
    refusals=(TooManyFeeds,),
)
def make_calendar_feed(request: Request) -> Made:
    """A new secret address of one's calendar: classes one takes or teaches, and what one has to renew. The address is told in this
    answer only; a repetition makes another one.
    """
    return calendar_feeds.create(request.actor, request.body.name, request.now)


@routes.route(
    "GET",
    "/v1/me/calendar-feeds",
    capability=Capability.VIEW_CALENDAR,
    summary="One's calendar feeds",
    answer=FeedList,
)
def list_calendar_feeds(request: Request) -> list[Feed]:
    """The feeds one has made, without their addresses."""
    return calendar_feeds.mine(request.actor)


@routes.route(
    "DELETE",
    "/v1/me/calendar-feeds/{feed_id}",
    capability=Capability.VIEW_CALENDAR,
    summary="Revoke a calendar feed",
    status=204,
    refusals=(NotFound,),
)
def revoke_calendar_feed(request: Request) -> None:
    """The address gives nothing any more, from the next time a program asks."""
    calendar_feeds.revoke(request.actor, request.path["feed_id"], request.now)


@routes.route(
    "GET",
    "/v1/calendar-feeds/{secret}",
    capability=PUBLIC,
    summary="A calendar, for calendar programs",
    answer=ICalendar,
)
def calendar_feed(request: PublicRequest) -> ICalendar:
    """The calendar behind a secret address as text/calendar (RFC 5545, METHOD:PUBLISH): an event for each session from 90 days back
    on, in Europe/London, and one that lasts all day for each renewal, under UIDs that stay the same when something moves. What is
    waited for or asked for is tentative; what is cancelled is gone. 404 once it is revoked, or its owner has left.
    """
    return ICalendar(calendar_feeds.published(request.path["secret"], request.now))
