"""Event entry points: the outbox stream, the mail queue, the sweep and what SES reports. Declared in app.py, because handlers
inside a blueprint lose the app's middleware in Lambda.

Each reports what it could not do record by record, so that one failure does not repeat the work of the others.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from threading import Event as Flag
from typing import Any

from chalicelib import mail
from chalicelib.domain.notifications import MAX_ATTEMPTS
from chalicelib.observability import count, counting, log_fault, logger
from chalicelib.services import feedback, outbox
from chalicelib.services.sending import Barred, Busy, NotSent
from chalicelib.storage import queues
from chalicelib.storage.outbox import NotificationKey, event_from_stream

BatchFailures = dict[str, list[dict[str, str]]]

SENT_AT_ONCE = 4
"""E-mails that one mailer sends beside each other: SES takes longer to answer than everything else together."""

NEEDED = 10_000
"""Milliseconds that one e-mail may take, and the rest of its batch to be left for later: SES answers within six seconds or not."""


def now() -> datetime:
    """The clock of these handlers: UTC."""
    return datetime.now(UTC)


@counting
def relay_events(stream_event: dict[str, Any]) -> BatchFailures:
    """Turn new events of the messages stream into notifications, and queue their e-mails in tens as soon as these are full.

    A record that fails stops the batch there, since a shard keeps its order: Lambda delivers again from that record. One that
    can never succeed (its image is no event we know) is parked by key and passed over.
    """
    records = stream_event["Records"]
    failed: list[dict[str, Any]] = []
    try:
        for ten in outbox.batches(_keys(records, failed), queues.BATCH):
            queues.queue_mails(ten)
    except Exception as fault:
        log_fault(fault)
        failed = records[:1]
    return {"batchItemFailures": [{"itemIdentifier": each["dynamodb"]["SequenceNumber"]} for each in failed]}


def _keys(records: list[dict[str, Any]], failed: list[dict[str, Any]]) -> Iterator[NotificationKey]:
    """What is to be queued, one event after another until one fails."""
    for record in records:
        try:
            keys = _relayed(record)
        except Exception as fault:
            log_fault(fault, event=record["dynamodb"]["Keys"]["sk"]["S"])
            failed.append(record)
            return
        yield from keys


def _relayed(record: dict[str, Any]) -> list[NotificationKey]:
    """The notifications of an event whose e-mails are to be queued; none of what is no event, or parked."""
    change = record["dynamodb"]
    image = change.get("NewImage")
    if record["eventName"] != "INSERT" or not image:
        return []
    try:
        event = event_from_stream(image)
    except Exception as poison:
        _park(change["Keys"], poison)
        return []
    if event is None:
        return []
    try:
        keys = outbox.notify(event, now())
    except outbox.Unrenderable as poison:
        _park(change["Keys"], poison)
        return []
    count("EventsRelayed")
    return keys


def _park(keys: dict[str, dict[str, str]], poison: Exception) -> None:
    log_fault(poison, event=keys["sk"]["S"])
    queues.park_event(keys["pk"]["S"], keys["sk"]["S"], type(poison).__name__)
    count("EventsParked")


@counting
def send_mail(queue_event: dict[str, Any], time_left: Callable[[], int]) -> BatchFailures:
    """Send the e-mails that queue messages name, several at once. `time_left`: milliseconds until Lambda ends this.

    What SES refuses for what it is is delivered again, and parked by the queue after five times. Once SES takes nothing more, or
    time runs out, the rest of the batch is left for later, untried: that uses none of those times up.
    """
    mail.prepare()
    busy = Flag()

    def deliver(record: dict[str, Any]) -> tuple[str, Exception | None]:
        if time_left() < NEEDED:
            busy.set()
        return _deliver(record["body"], busy)

    first, *others = records = queue_event["Records"]
    done = [deliver(first)]  # alone: if SES takes nothing, it is the only one that is tried
    with ThreadPoolExecutor(SENT_AT_ONCE) as several:
        done += several.map(deliver, others)
    failed = []
    for record, (counted, fault) in zip(records, done, strict=True):
        count(counted)
        if fault is not None:
            _log(fault, record["messageId"])
        if fault is not None and not isinstance(fault, Busy):
            failed.append(record)
            _note_if_last(record)
    return {"batchItemFailures": [{"itemIdentifier": record["messageId"]} for record in failed]}


def _deliver(body: str, busy: Flag) -> tuple[str, Exception | None]:
    """What to count, and what is to be logged of it."""
    try:
        key = queues.notification_key(body)
        if busy.is_set():
            outbox.postpone(key, now())
            return "EmailsPostponed", None
        outbox.deliver(key, now())
    except Busy as wait:
        busy.set()
        return ("EmailsBarred" if isinstance(wait, Barred) else "EmailsPostponed"), wait
    except NotSent as refusal:
        return "EmailsRefused", refusal
    except Exception as fault:
        return "EmailsFailed", fault
    return "EmailsHandled", None


def _log(fault: Exception, message: str) -> None:
    if isinstance(fault, Busy | NotSent):
        logger.warning("e-mail not taken", extra={"reason": str(fault), "queue_message": message})
    else:
        log_fault(fault, queue_message=message)


def _note_if_last(record: dict[str, Any]) -> None:
    """Note with its notification that the queue sets a message aside now, which it has delivered as often as it does."""
    if int(record.get("attributes", {}).get("ApproximateReceiveCount", 1)) < MAX_ATTEMPTS:
        return
    try:
        outbox.parked(queues.notification_key(record["body"]), now())
    except Exception as fault:
        log_fault(fault, queue_message=record["messageId"])


@counting
def take_feedback(queue_event: dict[str, Any]) -> BatchFailures:
    """Note what SES reports of e-mails. What is no report is delivered again until the queue parks it; the log says nothing of
    what it holds.
    """
    failed = []
    for record in queue_event["Records"]:
        try:
            report = feedback.read(record["body"])
            if report is not None:
                feedback.take(report, now())
                count(f"Emails{report.final.value.capitalize()}" if report.final else "EmailsDelayed")
        except Exception as fault:
            log_fault(fault, queue_message=record["messageId"])
            failed.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failed}


@counting
def sweep_outbox() -> int:
    """Put e-mails whose time has come back on the queue; how many."""
    swept = outbox.sweep(now())
    logger.info("swept", extra={"requeued": swept})
    count("EmailsRequeued", swept)
    return swept
