"""What an employer settles about its messages, kept in memory for a minute (domain.md §9, decision 0030)."""

import time

from pynamodb.attributes import JSONAttribute, NumberAttribute, UnicodeAttribute

from chalicelib.domain.message_settings import MessageSettings
from chalicelib.storage import keys
from chalicelib.storage.base import Record
from chalicelib.storage.transaction import Transaction

SECONDS_IN_MEMORY = 60
"""How long a change takes at most to reach every process: settings are read for each message, and change once a year."""

_read: dict[str, tuple[float, MessageSettings]] = {}


class MessageSettingsRow(Record, discriminator="message settings"):
    """`E#504` / `MESSAGES`: how an employer writes to its people. Without a row: as everybody begins."""

    sender_name = UnicodeAttribute()
    reply_to = UnicodeAttribute(null=True)
    daily_cap = NumberAttribute(null=True)
    digest_hour = NumberAttribute()
    class_reminder_days = JSONAttribute()
    minimum_check_days = JSONAttribute()
    revision = NumberAttribute(default=0)

    @classmethod
    def of(cls, employer: str, settings: MessageSettings, revision: int) -> "MessageSettingsRow":
        """The row of an employer's settings; every change moves `revision`."""
        return cls(
            keys.owner(employer),
            keys.MESSAGES,
            sender_name=settings.sender_name,
            reply_to=settings.reply_to,
            daily_cap=settings.daily_cap,
            digest_hour=settings.digest_hour,
            class_reminder_days=list(settings.class_reminder_days),
            minimum_check_days=list(settings.minimum_check_days),
            revision=revision,
        )

    def settings(self) -> MessageSettings:
        """The settings of this row."""
        return MessageSettings(
            sender_name=self.sender_name,
            reply_to=self.reply_to,
            daily_cap=None if self.daily_cap is None else int(self.daily_cap),
            digest_hour=int(self.digest_hour),
            class_reminder_days=tuple(self.class_reminder_days),
            minimum_check_days=tuple(self.minimum_check_days),
        )


def settings_of(employer: str) -> MessageSettings:
    """What an employer has settled, or what everybody begins with: up to a minute old."""
    at, settings = _read.get(employer, (0.0, None))
    if settings is None or time.monotonic() - at > SECONDS_IN_MEMORY:
        settings, _ = settings_now(employer)
        _read[employer] = time.monotonic(), settings
    return settings


def settings_now(employer: str) -> tuple[MessageSettings, int]:
    """What an employer has settled at this moment, and its revision (0: nothing yet)."""
    try:
        row = MessageSettingsRow.get(keys.owner(employer), keys.MESSAGES, consistent_read=True)
    except MessageSettingsRow.DoesNotExist:
        return MessageSettings(), 0
    return row.settings(), int(row.revision)


def change(transaction: Transaction, employer: str, settings: MessageSettings, revision: int) -> None:
    """Add to a transaction: other settings in place of those of a revision; Stale if that is not the last one."""
    row = MessageSettingsRow.of(employer, settings, revision + 1)
    if revision:
        transaction.replace(row, MessageSettingsRow.revision == revision)
    else:
        transaction.create(row)


def forget() -> None:
    """Read every employer's settings anew."""
    _read.clear()
