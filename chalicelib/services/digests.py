"""One e-mail a day in place of many: managers' news of their people, and what is not urgent to whoever prefers that.

Whatever waits names the instant of its digest, and that digest is a notification that waits for the same instant. When it has come,
one conditional write says what the digest holds, and from then on it is an e-mail like any other: claimed, sent and recorded.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from chalicelib import rendering
from chalicelib.domain.calendar import london_day, london_time
from chalicelib.domain.mailbox import Mailbox
from chalicelib.domain.notifications import Delivery, Notification, Timing
from chalicelib.invitations import in_a_calendar
from chalicelib.services import silence
from chalicelib.storage import digests, inbox, message_settings, outbox
from chalicelib.storage.outbox import NotificationKey

AHEAD = timedelta(minutes=5)
"""What happens this long before a digest waits for the next: longer than a relay or a mailer may run and an index lag, so that
nothing is added to a digest that has been sent."""

FRESH = timedelta(days=1)
"""A message that is older has waited long enough and goes by itself."""

MOST = 100
"""Messages that one digest tells of. The others are in the next, which is due at once."""


def next_at(employer: str, now: datetime) -> datetime:
    """The UTC instant of an employer's next digest: its hour in London, and not within the next five minutes."""
    hour = message_settings.settings_of(employer).digest_hour
    earliest = now + AHEAD
    day = london_day(earliest)
    at = london_time(day, hour)
    return at if at >= earliest else london_time(day + timedelta(days=1), hour)


def keep(notification: Notification, now: datetime) -> bool:
    """Let a message that comes with a digest (Timing.DIGEST) wait for the next one: instead of a notification of its own. False if
    that is too late for what it is about, and it has to go by itself.

    Safe to repeat: what is kept already stays with the digest that it is kept for.
    """
    due = next_at(notification.employer, now)
    if _begins_by(notification, due) and not digests.is_kept(notification):
        return False
    _open(notification.person, notification.employer, digests.keep(notification, due))
    return True


def may_wait(notification: Notification, mailbox: Mailbox, now: datetime) -> bool:
    """Whether a notification is to wait for its recipient's digest: they prefer that, it can wait, and is not late already."""
    return (
        mailbox.digest
        and notification.delivery is Delivery.PENDING
        and now - notification.at < FRESH
        and can_wait(notification, next_at(notification.employer, now))
    )


def can_wait(notification: Notification, until: datetime) -> bool:
    """Whether a message is as good at a later instant: it is not urgent, nothing that it is about begins by the end of that day,
    and it brings nothing into a calendar, which takes an e-mail for each class.
    """
    urgent = notification.timing is not Timing.NORMAL or in_a_calendar(notification)
    return not urgent and not _begins_by(notification, until)


def _begins_by(notification: Notification, until: datetime) -> bool:
    """Whether anything that a message is about begins by the end of a day."""
    sessions = notification.data.get("sessions") or ()
    return any(london_day(datetime.fromisoformat(starts_at)) <= london_day(until) for starts_at, _ in sessions)


def hold(key: NotificationKey, notification: Notification, now: datetime) -> None:
    """Let a notification that may wait do so: it is in the inbox meanwhile. Its digest is written first, so that a crash in between
    leaves a digest without anything in it, which is never sent, and no message that nobody sends.
    """
    due = next_at(notification.employer, now)
    _open(notification.person, notification.employer, due)
    digests.hold(key, due)


def _open(person: str, employer: str, due: datetime, number: int = 1) -> None:
    digests.open_(_digest(person, employer, due, number), due)


def _digest(person: str, employer: str, due: datetime, number: int = 1) -> Notification:
    """The digest of an instant before it is closed. Its key is always the same."""
    natural_key = f"digest.{due:%Y-%m-%d-%H}.{employer}.{person}.{number}"
    data = {"of_people": [], "of_you": [], "number": number}
    return Notification(person, employer, digests.DIGEST, natural_key, due, "", data, delivery=Delivery.HELD)


def close(key: NotificationKey, digest: Notification, now: datetime) -> Notification | None:
    """Say what a digest that is due holds, and go on with it as with any other e-mail. None if there is nothing to send: it holds
    nothing, or somebody else has closed it at this moment.

    Safe to repeat and to do twice at once: what waits for a digest holds still once that is due, and one write closes it. What is
    more than one digest tells is left to another one, which is due at once.
    """
    waiting = digests.waiting_for(digest.person, digest.employer, digest.at)
    number = int(digest.data["number"])
    if len(waiting) > MOST * number:
        digests.open_(_digest(digest.person, digest.employer, digest.at, number + 1), digest.at)
    told = [each for each in waiting[MOST * (number - 1) : MOST * number] if _still_true(each, now)]
    if not told:
        outbox.record_unsent(key, digest, Delivery.SUPERSEDED, None, now)
        return None
    data = {
        "of_people": [_told(each) for each in told if each.timing is Timing.DIGEST],
        "of_you": [_told(each) for each in told if each.timing is not Timing.DIGEST],
        "number": number,
        "parts": -(-len(waiting) // MOST),
    }
    subject = rendering.render(digests.DIGEST, data).subject
    if not digests.close(key, subject, data, listed=bool(data["of_people"]), now=now):
        return None
    return replace(digest, subject=subject, data=data, delivery=Delivery.PENDING, queued_at=now, due_at=None)


def _told(notification: Notification) -> dict[str, str | None]:
    return {"id": inbox.id_of(notification), "number": notification.number, "subject": notification.subject}


def _still_true(waiting: Notification, now: datetime) -> bool:
    if waiting.delivery is Delivery.SUPERSEDED:
        return False
    if not silence.no_longer_true(waiting, now):
        return True
    digests.supersede(waiting, now)
    return False


def that_tells(held: Notification) -> Notification | None:
    """The digest that told a message which waited for one, or will tell it; None if there is none yet."""
    if held.due_at is None:
        return None
    number = 1
    while (digest := outbox.notification(_key_of_digest(held, held.due_at, number))) and not _tells(digest, held):
        number += 1
    return digest


def that_tell(messages: Sequence[Notification]) -> list[Notification | None]:
    """Of each of some messages the digest that told it or will tell it, None where its e-mail is its own: read together."""
    keys = [_key_of_digest(each, each.due_at) if each.due_at and _is_held(each) else None for each in messages]
    first = outbox.notifications(dict.fromkeys(key for key in keys if key))
    digest_of = [first.get(key) if key else None for key in keys]
    return [
        that_tells(each) if digest and not _tells(digest, each) else digest
        for each, digest in zip(messages, digest_of, strict=True)
    ]


def _is_held(notification: Notification) -> bool:
    return notification.delivery is Delivery.HELD and notification.template != digests.DIGEST


def _key_of_digest(held: Notification, due: datetime, number: int = 1) -> NotificationKey:
    return outbox.key_of(_digest(held.person, held.employer, due, number))


def _tells(digest: Notification, held: Notification) -> bool:
    """Whether a digest tells a message, or is the last one that may."""
    told = [each["id"] for each in (*digest.data["of_people"], *digest.data["of_you"])]
    return inbox.id_of(held) in told or len(told) < MOST
