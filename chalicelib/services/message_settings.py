"""What an employer settles about its messages (domain.md §9, decision 0030)."""

from datetime import datetime
from typing import Any

import msgspec

from chalicelib.domain.actor import Actor
from chalicelib.domain.errors import refuse_body
from chalicelib.domain.message_settings import MessageSettings, wrong_fields
from chalicelib.domain.timers import Timer, TimerKind
from chalicelib.storage import audit
from chalicelib.storage import message_settings as stored
from chalicelib.storage.timers import set_timer
from chalicelib.storage.transaction import Transaction, retried


def settings(employer: str) -> MessageSettings:
    """What an employer has settled, at this moment."""
    now, _ = stored.settings_now(employer)
    return now


@retried
def change(actor: Actor, wanted: MessageSettings, now: datetime) -> MessageSettings:
    """Settle anew how the actor's employer writes to its people. If all is as it was, nothing is written.

    Every process knows within a minute; then a timer has what rings before classes set anew, if their days are others. What waits
    for a digest keeps its hour. Raises Invalid by `body.…`.
    """
    refuse_body(wrong_fields(wanted))
    employer = actor.employer
    before, revision = stored.settings_now(employer)
    if wanted == before:
        return before
    transaction = Transaction()
    stored.change(transaction, employer, wanted, revision)
    if wanted.days_before_class != before.days_before_class:
        set_timer(transaction, Timer(employer, now, TimerKind.CLASS_DAYS, "classes"))
    facts = {"before": _facts(before), "after": _facts(wanted)}
    audit.record(transaction, audit.Entry(employer, actor.person, "message-settings.changed", now, facts=facts))
    transaction.commit()
    stored.forget()
    return wanted


def _facts(settings: MessageSettings) -> dict[str, Any]:
    """All but the address for answers, of which the audit says only whether there is one."""
    facts: dict[str, Any] = msgspec.to_builtins(settings)
    return {**facts, "reply_to": settings.reply_to is not None}
