"""What an employer settles about its messages (domain.md §9, decision 0029)."""

from dataclasses import dataclass


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
