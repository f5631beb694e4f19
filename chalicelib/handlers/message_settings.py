"""How an employer writes to its people."""

from typing import Annotated

import msgspec
from chalice import Blueprint

from chalicelib.domain import errors
from chalicelib.domain.message_settings import MOST_DAYS_BEFORE, MessageSettings
from chalicelib.domain.permissions import Capability
from chalicelib.handlers.fields import EmailAddress
from chalicelib.handlers.http import Request, Routes
from chalicelib.services import message_settings

blueprint = Blueprint(__name__)
routes = Routes(blueprint, "Messages")

DaysBefore = Annotated[int, msgspec.Meta(ge=1, le=MOST_DAYS_BEFORE)]


class MessageSettingsBody(msgspec.Struct, frozen=True):
    """All of an employer's message settings, in place of those it has."""

    sender_name: Annotated[
        str,
        msgspec.Meta(
            min_length=1,
            max_length=60,
            pattern=r'^[^\s<>@"\\]([^\n\r<>@"\\]*[^\s<>@"\\])?$(?!\n)',
            description="Stands before the address that messages come from. One line, without address or quotation marks.",
        ),
    ]
    reply_to: Annotated[
        EmailAddress | None,
        msgspec.Meta(description="Where answers to messages go; null: to the sender, who reads none."),
    ]
    daily_cap: Annotated[
        Annotated[int, msgspec.Meta(ge=1, le=10_000_000)] | None,
        msgspec.Meta(
            description="E-mails in a London day that are not urgent; the others go on the next. null: no limit."
        ),
    ]
    digest_hour: Annotated[int, msgspec.Meta(ge=0, le=23, description="The hour in London at which digests go.")]
    class_reminder_days: Annotated[
        list[DaysBefore],
        msgspec.Meta(
            max_length=5, description="Days before a class on which those on it are reminded; none: they are not."
        ),
    ]
    minimum_check_days: Annotated[
        list[DaysBefore],
        msgspec.Meta(
            max_length=5, description="Days before a class on which administrators are told that too few are coming."
        ),
    ]

    def settings(self) -> MessageSettings:
        """The settings of this body."""
        return MessageSettings(
            self.sender_name,
            self.reply_to,
            self.daily_cap,
            self.digest_hour,
            tuple(sorted(self.class_reminder_days, reverse=True)),
            tuple(sorted(self.minimum_check_days, reverse=True)),
        )


class MessageSettingsView(msgspec.Struct, frozen=True):
    """An employer's message settings."""

    sender_name: str
    reply_to: str | None
    daily_cap: int | None
    digest_hour: int
    class_reminder_days: list[int]
    minimum_check_days: list[int]

    @classmethod
    def of(cls, settings: MessageSettings) -> "MessageSettingsView":
        """Present settings."""
        return cls(
            settings.sender_name,
            settings.reply_to,
            settings.daily_cap,
            settings.digest_hour,
            list(settings.class_reminder_days),
            list(settings.minimum_check_days),
        )


@routes.route(
    "GET",
    "/v1/settings/messages",
    capability=Capability.EDIT_COMPETENCE_RULES,
    summary="How the employer writes to its people",
    answer=MessageSettingsView,
)
def show_message_settings(request: Request) -> MessageSettings:
    """The message settings of the employer; those everybody begins with if it has settled nothing."""
    return message_settings.settings(request.actor.employer)


@routes.route(
    "PUT",
    "/v1/settings/messages",
    capability=Capability.EDIT_COMPETENCE_RULES,
    summary="Settle how the employer writes to its people",
    body=MessageSettingsBody,
    answer=MessageSettingsView,
    refusals=(errors.Conflict,),
)
def change_message_settings(request: Request) -> MessageSettings:
    """Put these settings in place of those the employer has. Messages follow within a minute, and a few minutes later the
    reminders of classes that are planned already, for the days that are still to come; what waits for a digest keeps its hour.
    """
    return message_settings.change(request.actor, request.body.settings(), request.now)
