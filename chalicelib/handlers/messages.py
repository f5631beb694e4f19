"""What became of messages, and whom e-mail does not reach: for learning administrators."""

from datetime import datetime
from typing import Annotated, Any

import msgspec
from chalice import Blueprint

from chalicelib.domain import errors
from chalicelib.domain.notifications import Notification
from chalicelib.domain.permissions import Capability
from chalicelib.handlers.http import Request, Routes
from chalicelib.handlers.paging import NextCursor, Page
from chalicelib.services import message_lives, unreachable
from chalicelib.storage import cursor
from chalicelib.storage.mailboxes import Unreachable

blueprint = Blueprint(__name__)
routes = Routes(blueprint, "Messages")


# --- GET /v1/people/{person_id}/messages --------------------------------------------------------------------------


class Step(msgspec.Struct, frozen=True):
    """Something that became of a message, and when."""

    state: Annotated[
        str,
        msgspec.Meta(
            description="created, queued, sending, sent, and how it ended: delivered, bounced, complained, superseded (untrue "
            "when it was to be sent), suppressed (the address is known to take none), failed, parked (somebody looks after it)."
        ),
    ]
    at: datetime


class MessageView(msgspec.Struct, frozen=True):
    """A message to somebody, without its text, and what became of its e-mail."""

    id: str
    number: Annotated[str | None, msgspec.Meta(description="N4, as in the catalogue of messages; null for a digest.")]
    subject: str
    at: datetime
    email: Annotated[
        str,
        msgspec.Meta(description="Where its e-mail stands: pending, held (for the day's digest), sending, or an end."),
    ]
    why: Annotated[str | None, msgspec.Meta(description="What stands in its way, if anything does.")]
    tried_again_at: datetime | None
    possibly_repeated: bool
    read: bool
    life: list[Step]

    @classmethod
    def of(cls, notification: Notification) -> "MessageView":
        """Present a message."""
        return cls(
            notification.natural_key,
            notification.number,
            notification.subject,
            notification.at,
            notification.delivery.value,
            notification.why,
            notification.due_at,
            notification.possibly_repeated,
            notification.read_at is not None,
            [Step(state, at) for state, at in notification.life()],
        )


class MessagePage(msgspec.Struct, frozen=True):
    """A page of messages to somebody, newest first."""

    messages: list[MessageView]
    next_cursor: NextCursor

    @classmethod
    def of(cls, result: tuple[list[Notification], Any, str]) -> "MessagePage":
        """Present a page."""
        page, after, person_id = result
        return cls([MessageView.of(each) for each in page], cursor.seal(f"messages of {person_id}", after))


@routes.route(
    "GET",
    "/v1/people/{person_id}/messages",
    capability=Capability.FOLLOW_MESSAGES,
    summary="What somebody was told",
    query=Page,
    answer=MessagePage,
    refusals=(errors.NotFound,),
)
def messages_of_person(request: Request) -> tuple[list[Notification], Any, str]:
    """What this employer has told somebody, newest first, and what became of each e-mail. Texts are for their reader alone."""
    person_id = request.path["person_id"]
    after = cursor.unseal(f"messages of {person_id}", request.query.cursor)
    page, following = message_lives.of_person(request.actor, person_id, request.query.limit, after)
    return page, following, person_id


# --- GET /v1/messages/unreachable ---------------------------------------------------------------------------------


class UnreachableView(msgspec.Struct, frozen=True):
    """Somebody whom e-mail does not reach."""

    person_id: str
    name: str
    reason: Annotated[str, msgspec.Meta(description="bounce, complaint, no address, or not an address.")]
    address: Annotated[str | None, msgspec.Meta(description="The address held; null for none.")]
    since: datetime
    said: Annotated[str, msgspec.Meta(description="What the mail system said of it, if it did.")]

    @classmethod
    def of(cls, found: Unreachable) -> "UnreachableView":
        """Present somebody."""
        what = found.undeliverable
        return cls(found.person.id, found.person.full_name, what.kind.value, what.address, what.at, what.why)


class UnreachablePage(msgspec.Struct, frozen=True):
    """A page of people whom e-mail does not reach, the latest first."""

    people: list[UnreachableView]
    next_cursor: NextCursor

    @classmethod
    def of(cls, result: tuple[list[Unreachable], Any]) -> "UnreachablePage":
        """Present a page."""
        page, after = result
        return cls([UnreachableView.of(each) for each in page], cursor.seal("unreachable", after))


@routes.route(
    "GET",
    "/v1/messages/unreachable",
    capability=Capability.FOLLOW_MESSAGES,
    summary="Whom e-mail does not reach",
    query=Page,
    answer=UnreachablePage,
)
def unreachable_people(request: Request) -> tuple[list[Unreachable], Any]:
    """Everybody of the employer to whom an e-mail was to go and could not: no address, one that is none, one that bounced, one
    whose owner complained. They read their messages in the inbox. Give them another address in the workforce system, and it is
    tried. A page may be short.
    """
    after = cursor.unseal("unreachable", request.query.cursor)
    return unreachable.page(request.actor, request.query.limit, after, request.now)
