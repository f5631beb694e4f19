"""What became of messages, and whom e-mail does not reach: for learning administrators."""

from datetime import datetime
from typing import Annotated, Any

import msgspec
from chalice import Blueprint

from chalicelib.domain import errors
from chalicelib.domain.permissions import Capability
from chalicelib.handlers.http import Request, Routes
from chalicelib.handlers.inbox import Email, Number, StepView
from chalicelib.handlers.paging import NextCursor, Page
from chalicelib.services import message_lives, unreachable
from chalicelib.services.message_lives import Life
from chalicelib.storage import cursor
from chalicelib.storage.mailboxes import Unreachable

blueprint = Blueprint(__name__)
routes = Routes(blueprint, "Messages")


# --- GET /v1/people/{person_id}/messages --------------------------------------------------------------------------


class MessageView(msgspec.Struct, frozen=True):
    """A message to somebody, without its text, and what became of its e-mail: of the digest's, if that tells it."""

    id: str
    number: Number
    subject: str
    at: datetime
    email: Email
    why: Annotated[str | None, msgspec.Meta(description="What stands in its way, if anything does.")]
    tried_again_at: datetime | None
    possibly_repeated: bool
    read: bool
    tells: Annotated[list[str], msgspec.Meta(description="Of a digest: the subjects of what it tells.")]
    life: list[StepView]

    @classmethod
    def of(cls, life: Life) -> "MessageView":
        """Present a message."""
        own, e_mail = life.notification, life.e_mail
        return cls(
            own.natural_key,
            own.number,
            own.subject,
            own.at,
            e_mail.delivery.value,
            e_mail.why,
            e_mail.due_at,
            e_mail.possibly_repeated,
            own.read_at is not None,
            [each["subject"] for each in life.tells],
            [StepView(*each) for each in life.steps],
        )


class MessagePage(msgspec.Struct, frozen=True):
    """A page of messages to somebody, newest first."""

    messages: list[MessageView]
    next_cursor: NextCursor

    @classmethod
    def of(cls, result: tuple[list[Life], Any, str]) -> "MessagePage":
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
def messages_of_person(request: Request) -> tuple[list[Life], Any, str]:
    """What this employer has told somebody, newest first, and what became of each e-mail. Texts are for their reader alone.

    As in their inbox: a digest is here if it has news of others, with what it tells. What it tells its reader of themself is here
    by itself.
    """
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
    tried; one that bounced is tried again after thirty days. A page may be short.
    """
    after = cursor.unseal("unreachable", request.query.cursor)
    return unreachable.page(request.actor, request.query.limit, after, request.now)
