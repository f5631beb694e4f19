"""Event entry points: the outbox stream, the mail queue, the sweep and what SES reports. Declared in app.py, because handlers
inside a blueprint lose the app's middleware in Lambda.

Each reports what it could not do record by record, so that one failure does not repeat the work of the others.
"""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from threading import Event as Flag
from typing import Any

from chalicelib.observability import count, counting, log_fault, logger
from chalicelib.services import feedback, outbox
from chalicelib.services.sending import Busy, NotSent
from chalicelib.storage import queues
from chalicelib.storage.outbox import NotificationKey, event_from_stream

BatchFailures = dict[str, list[dict[str, str]]]

SENT_AT_ONCE = 4
"""E-mails that one mailer sends beside each other: SES takes longer to answer than everything else together."""


def now() -> datetime:
    """The clock of these handlers: UTC."""
    return datetime.now(UTC)


@counting
def relay_events(stream_event: dict[str, Any]) -> BatchFailures:
    """Turn new events of the messages stream into notifications, and queue the e-mails of all of them together.

    A record that fails stops the batch there, since a shard keeps its order: Lambda delivers again from that record. One that
    can never succeed (its image is no event we know) is parked by key and passed over.
    """
    keys: list[NotificationKey] = []
    failed = []
    for record in stream_event["Records"]:
        try:
            keys += _relayed(record)
        except Exception as fault:
            log_fault(fault, event=record["dynamodb"]["Keys"]["sk"]["S"])
            failed = [{"itemIdentifier": record["dynamodb"]["SequenceNumber"]}]
            break
    try:
        queues.queue_mails(list(dict.fromkeys(keys)))
    except Exception as fault:
        log_fault(fault)
        failed = [{"itemIdentifier": stream_event["Records"][0]["dynamodb"]["SequenceNumber"]}]
    return {"batchItemFailures": failed}


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
def send_mail(queue_event: dict[str, Any]) -> BatchFailures:
    """Send the e-mails that queue messages name, several at once.

    What SES refuses for what it is is delivered again, and parked by the queue after five times. Once SES takes nothing more, the
    rest of the batch is left for later, untried: that uses none of those times up.
    """
    busy = Flag()
    records = queue_event["Records"]
    first, *others = (record["body"] for record in records)
    done = [_deliver(first, busy)]  # alone: it makes the clients, which must not be made by several at once
    with ThreadPoolExecutor(SENT_AT_ONCE) as several:
        done += several.map(lambda body: _deliver(body, busy), others)
    failed = []
    for record, (counted, fault) in zip(records, done, strict=True):
        count(counted)
        if isinstance(fault, NotSent):
            logger.warning("e-mail refused", extra={"reason": str(fault), "queue_message": record["messageId"]})
        elif fault is not None:
            log_fault(fault, queue_message=record["messageId"])
        if fault is not None:
            failed.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failed}


def _deliver(body: str, busy: Flag) -> tuple[str, Exception | None]:
    """What to count, and what failed so that the queue shall deliver it again."""
    try:
        key = queues.notification_key(body)
        if busy.is_set():
            outbox.postpone(key, now())
            return "EmailsPostponed", None
        outbox.deliver(key, now())
    except Busy:
        busy.set()
        return "EmailsPostponed", None
    except NotSent as refusal:
        return "EmailsRefused", refusal
    except Exception as fault:
        return "EmailsFailed", fault
    return "EmailsHandled", None


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
