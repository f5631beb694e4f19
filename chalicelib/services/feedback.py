"""What SES reports of e-mails it has taken: delivered, bounced, complained of, rejected (decision 0029).

Reports come late, twice and in any order. Each is one write on condition of what is known, so that none leads back.
"""

import json
from datetime import UTC, datetime
from email.utils import parseaddr
from typing import Any

import msgspec

from chalicelib.domain.mailbox import Undeliverable, Unreached
from chalicelib.domain.notifications import Delivery
from chalicelib.services import unreachable
from chalicelib.storage import mailboxes, outbox
from chalicelib.storage.outbox import NotificationKey


class Unreadable(ValueError):
    """A message that is no report of SES: repeating cannot help. It says nothing of what the message holds, which may be an
    address.
    """


class Report(msgspec.Struct, frozen=True):
    """What became of the e-mail of a notification. `final` is None for what may still pass; `address` who refused it."""

    key: NotificationKey
    final: Delivery | None
    at: datetime
    why: str | None = None
    address: str | None = None
    unreached: Unreached | None = None


def read(body: str) -> Report | None:
    """The report in a message of the queue, as SNS passes it on or as SES wrote it. None: nothing to note.

    Raises Unreadable for anything else.
    """
    try:
        told = json.loads(body)
        if isinstance(told, dict) and "Message" in told:
            told = json.loads(told["Message"])
        kind = told.get("eventType") or told["notificationType"]
        make = _KINDS.get(kind)
        return make(_key(told["mail"]), told) if make else None
    except (ValueError, KeyError, TypeError, AttributeError, LookupError) as wrong:
        raise Unreadable from wrong


def take(report: Report, now: datetime) -> None:
    """Note a report with its notification; and that its address takes no e-mail, where it says so."""
    if report.final is None:
        outbox.note(report.key, report.why or "")
        return
    notification = outbox.notification(report.key) if report.unreached else None
    if notification and report.unreached:
        person, _ = mailboxes.with_mailbox(notification.person)
        address = report.address or notification.data.get("email") or (person.email if person else None)
        if person and address:
            found = Undeliverable(address, report.at, report.unreached, report.why or "")
            unreachable.remember(notification.employer, person, found, now, marks=True)
    outbox.report(report.key, report.final, report.at, report.why)


def _key(mail: dict[str, Any]) -> NotificationKey:
    """The notification that the tags of an e-mail name. SES gives every tag a list of values."""
    tags = {name: values[0] if isinstance(values, list) else values for name, values in mail["tags"].items()}
    return NotificationKey.from_tags(tags)


def _at(part: dict[str, Any]) -> datetime:
    at = datetime.fromisoformat(part["timestamp"])
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _delivered(key: NotificationKey, told: dict[str, Any]) -> Report:
    return Report(key, Delivery.DELIVERED, _at(told["delivery"]))


def _bounced(key: NotificationKey, told: dict[str, Any]) -> Report:
    """A permanent bounce ends it; what passes, or is not known to be permanent, is noted only: SES has tried for hours."""
    bounce = told["bounce"]
    recipient: dict[str, Any] = next(iter(bounce.get("bouncedRecipients") or []), {})
    why = ", ".join(_word(each) for each in (bounce.get("bounceSubType"), recipient.get("status")) if each)
    if bounce["bounceType"] != "Permanent":
        return Report(key, None, _at(bounce), f"not delivered yet: {why}")
    return Report(key, Delivery.BOUNCED, _at(bounce), why, _address(recipient), Unreached.BOUNCE)


def _complained(key: NotificationKey, told: dict[str, Any]) -> Report:
    complaint = told["complaint"]
    recipient: dict[str, Any] = next(iter(complaint.get("complainedRecipients") or []), {})
    why = _word(complaint.get("complaintFeedbackType") or "")
    return Report(key, Delivery.COMPLAINED, _at(complaint), why, _address(recipient), Unreached.COMPLAINT)


def _rejected(key: NotificationKey, told: dict[str, Any]) -> Report:
    return Report(key, Delivery.FAILED, _at(told["mail"]), _word(told["reject"].get("reason", "rejected")))


_KINDS = {
    "Delivery": _delivered,
    "Bounce": _bounced,
    "Complaint": _complained,
    "Reject": _rejected,
}


def _word(said: str) -> str:
    """A short word of SES, and nothing that could be an address."""
    return "".join(each for each in said if each.isalnum() or each in " .-")[:40]


def _address(recipient: dict[str, Any]) -> str | None:
    return parseaddr(recipient.get("emailAddress", ""))[1] or None
