"""One's messages: the inbox, and whether they come by e-mail at once or once a day."""

from datetime import datetime
from typing import Annotated, Any

import msgspec
from chalice import Blueprint

from chalicelib.domain import errors
from chalicelib.domain.notifications import Notification
from chalicelib.domain.permissions import Capability
from chalicelib.handlers.http import Request, Routes, time_to_answer
from chalicelib.handlers.paging import Cursor, Limit, NextCursor
from chalicelib.services import inbox, preferences
from chalicelib.services.inbox import Message, Show
from chalicelib.storage import cursor
from chalicelib.storage.inbox import MOST_COUNTED, id_of

blueprint = Blueprint(__name__)
routes = Routes(blueprint, "My messages")

Number = Annotated[str | None, msgspec.Meta(description="Of the kind of message, such as N4; null for a digest.")]
Email = Annotated[
    str,
    msgspec.Meta(
        description="What became of its e-mail: pending, held (for the day's digest), sending, sent, delivered, bounced, "
        "complained, superseded (no longer true when it was to be sent), suppressed (the address takes none), failed or parked."
    ),
]


# --- the inbox ----------------------------------------------------------------------------------------------


class NotificationView(msgspec.Struct, frozen=True):
    """A message in the inbox. Its text: GET /v1/me/notifications/{notification_id}."""

    id: str
    at: datetime
    number: Number
    employer: str
    subject: str
    read: bool
    archived: bool
    email: Email

    @classmethod
    def of(cls, notification: Notification) -> "NotificationView":
        """Present a notification."""
        return cls(
            id_of(notification),
            notification.at,
            notification.number,
            notification.employer,
            notification.subject,
            notification.read_at is not None,
            notification.archived_at is not None,
            notification.delivery.value,
        )


class InboxQuery(msgspec.Struct, frozen=True):
    """Which messages, where the list begins and how long a page is."""

    show: Annotated[
        Show, msgspec.Meta(description="all: what is not archived, unread first. unread or archived: only those.")
    ] = Show.ALL
    limit: Limit = 20
    cursor: Cursor | None = None


class Inbox(msgspec.Struct, frozen=True):
    """A page of messages: unread ones first, then the others, each newest first."""

    notifications: list[NotificationView]
    unread: Annotated[
        int, msgspec.Meta(description=f"How many are unread in all; {MOST_COUNTED} means as many or more.")
    ]
    next_cursor: NextCursor

    @classmethod
    def of(cls, result: tuple[list[Notification], int, str | None]) -> "Inbox":
        """Present a page."""
        page, unread, further = result
        return cls([NotificationView.of(each) for each in page], unread, further)


@routes.route(
    "GET",
    "/v1/me/notifications",
    capability=Capability.READ_INBOX,
    summary="My inbox",
    query=InboxQuery,
    answer=Inbox,
)
def my_notifications(request: Request) -> Any:
    """Messages to the caller at all their employers, kept for 400 days. A message is here even where its e-mail could not be sent.

    What is read while one pages moves to its place among what was read.
    """
    person, show = request.actor.person, request.query.show
    purpose = f"inbox {show.value} {person}"
    page, after = inbox.page(person, request.query.limit, cursor.unseal(purpose, request.query.cursor), show)
    return page, inbox.unread(person), cursor.seal(purpose, after)


class StepView(msgspec.Struct, frozen=True):
    """A step in the life of a message: created, queued, sending, sent, and what became of it."""

    state: Annotated[
        str,
        msgspec.Meta(
            description="created, queued, sending, sent, and how it ended: delivered, bounced, complained, superseded (untrue "
            "when it was to be sent), suppressed (the address is known to take none), failed, parked (somebody looks after it)."
        ),
    ]
    at: datetime


class ToldView(msgspec.Struct, frozen=True):
    """A message that a digest tells, to be read by its own id."""

    id: str
    subject: str


class MessageView(msgspec.Struct, frozen=True):
    """A message as a whole."""

    id: str
    at: datetime
    number: Number
    employer: str
    subject: str
    text: Annotated[
        str | None,
        msgspec.Meta(
            description="null for an old message of a kind that has changed since: its subject is what remains."
        ),
    ]
    link: Annotated[str | None, msgspec.Meta(description="Where the portal shows what it is about.")]
    about: Annotated[dict[str, str], msgspec.Meta(description="The ids of what it is about, such as its enrolment.")]
    tells: Annotated[list[ToldView], msgspec.Meta(description="Of a digest: the messages that it tells.")]
    read: bool
    archived: bool
    email: Email
    why: Annotated[str | None, msgspec.Meta(description="What stands in the way of its e-mail.")]
    due_at: Annotated[
        datetime | None, msgspec.Meta(description="When its e-mail goes, or is tried again, if it waits.")
    ]
    told_by: Annotated[str | None, msgspec.Meta(description="The digest that tells it, if that is in the inbox.")]
    life: Annotated[
        list[StepView], msgspec.Meta(description="Its steps in order; those of the digest's e-mail if that tells it.")
    ]

    @classmethod
    def of(cls, message: Message) -> "MessageView":
        """Present a message."""
        own, e_mail, digest = message.notification, message.e_mail, message.told_by
        return cls(
            id=id_of(own),
            at=own.at,
            number=own.number,
            employer=own.employer,
            subject=own.subject,
            text=message.text,
            link=message.link,
            about=message.about,
            tells=[ToldView(each["id"], each["subject"]) for each in message.tells],
            read=own.read_at is not None,
            archived=own.archived_at is not None,
            email=e_mail.delivery.value,
            why=e_mail.why,
            due_at=e_mail.due_at,
            told_by=id_of(digest) if digest and digest.data["of_people"] else None,
            life=[StepView(*each) for each in message.steps],
        )


@routes.route(
    "GET",
    "/v1/me/notifications/{notification_id}",
    capability=Capability.READ_INBOX,
    summary="One of my messages",
    answer=MessageView,
    refusals=(errors.NotFound,),
)
def my_notification(request: Request) -> Message:
    """A message to the caller: its text, what it is about, and the life of its e-mail. Reading it here does not mark it as read."""
    return inbox.message(request.actor.person, request.path["notification_id"])


@routes.route(
    "POST",
    "/v1/me/notifications/{notification_id}/read",
    capability=Capability.READ_INBOX,
    summary="Mark a message as read",
    answer=MessageView,
    refusals=(errors.NotFound,),
)
def read_notification(request: Request) -> Message:
    """Take a message out of the unread ones. Safe to repeat; what is archived stays so."""
    return inbox.mark_read(request.actor.person, request.path["notification_id"], request.now)


@routes.route(
    "POST",
    "/v1/me/notifications/{notification_id}/unread",
    capability=Capability.READ_INBOX,
    summary="Mark a message as unread",
    answer=MessageView,
    refusals=(errors.NotFound,),
)
def unread_notification(request: Request) -> Message:
    """Put a message back among the unread ones, also one that is archived. Safe to repeat."""
    return inbox.mark_unread(request.actor.person, request.path["notification_id"])


@routes.route(
    "POST",
    "/v1/me/notifications/{notification_id}/archive",
    capability=Capability.READ_INBOX,
    summary="Archive a message",
    answer=MessageView,
    refusals=(errors.NotFound,),
)
def archive_notification(request: Request) -> Message:
    """Put a message away: it counts as read, and `show=archived` lists it. Safe to repeat."""
    return inbox.archive(request.actor.person, request.path["notification_id"], request.now)


class AllReadView(msgspec.Struct, frozen=True):
    """How many messages were marked as read, and how many are unread still: send it again if there are any."""

    marked: int
    unread: int

    @classmethod
    def of(cls, result: tuple[int, int]) -> "AllReadView":
        """Present what was done."""
        return cls(*result)


@routes.route(
    "POST",
    "/v1/me/notifications/read",
    capability=Capability.READ_INBOX,
    summary="Mark all messages as read",
    answer=AllReadView,
)
def read_all_notifications(request: Request) -> tuple[int, int]:
    """Take every message out of the unread ones. Thousands may take more than one request."""
    return inbox.mark_all_read(request.actor.person, request.now, time_to_answer())


# --- preferences --------------------------------------------------------------------------------------------


class PreferencesBody(msgspec.Struct, frozen=True):
    """How the caller wants their messages."""

    digest: Annotated[
        bool,
        msgspec.Meta(
            description="true: what is not urgent comes once a day in one e-mail. Urgent messages, and those that bring a class "
            "into the calendar or take it out, come at once all the same."
        ),
    ]


class PreferencesView(msgspec.Struct, frozen=True):
    """How the caller wants their messages."""

    digest: bool

    @classmethod
    def of(cls, digest: bool) -> "PreferencesView":
        """Present preferences."""
        return cls(digest)


@routes.route(
    "GET",
    "/v1/me/message-preferences",
    capability=Capability.READ_INBOX,
    summary="How I want my messages",
    answer=PreferencesView,
)
def my_preferences(request: Request) -> bool:
    """Whether what is not urgent comes once a day in one e-mail, at all the caller's employers."""
    return preferences.prefers_digest(request.actor.person)


@routes.route(
    "PUT",
    "/v1/me/message-preferences",
    capability=Capability.READ_INBOX,
    summary="Say how I want my messages",
    body=PreferencesBody,
    answer=PreferencesView,
    refusals=(errors.Conflict,),
)
def set_preferences(request: Request) -> bool:
    """Choose between an e-mail for each message and one a day. The inbox shows every message at once either way."""
    return preferences.prefer_digest(request.actor, request.body.digest, request.now)
