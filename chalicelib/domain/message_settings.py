"""What an employer settles about its messages (domain.md §9, decisions 0029 and 0030)."""

from collections.abc import Iterator
from dataclasses import dataclass

from chalicelib.domain.errors import FieldError

MOST_DAYS_BEFORE = 60
"""As long before a class as it can be looked at."""


@dataclass(frozen=True, slots=True)
class MessageSettings:
    """How an employer writes to its people.

    `sender_name` stands before the address that messages come from, `reply_to` is where answers go (None: nowhere). Of e-mails that
    are not urgent at most `daily_cap` go in a London day (None: no limit), the rest on the next. Digests go at `digest_hour` in
    London. `class_reminder_days` are the days before a class on which those on it are reminded, `minimum_check_days` those on which
    administrators are told that too few are coming.
    """

    sender_name: str = "ESR Learning"
    reply_to: str | None = None
    daily_cap: int | None = None
    digest_hour: int = 16
    class_reminder_days: tuple[int, ...] = (7, 1)
    minimum_check_days: tuple[int, ...] = (7,)

    @property
    def days_before_class(self) -> frozenset[int]:
        """The days before a class on which it is looked at."""
        return frozenset((*self.class_reminder_days, *self.minimum_check_days))


def wrong_fields(settings: MessageSettings) -> Iterator[FieldError]:
    """What is wrong with settings whose fields are each within their bounds."""
    if not settings.sender_name.isprintable():
        yield FieldError("sender_name", "holds characters that cannot be seen")
    for name in ("class_reminder_days", "minimum_check_days"):
        days: tuple[int, ...] = getattr(settings, name)
        if len(set(days)) < len(days):
            yield FieldError(name, "names a day twice")
