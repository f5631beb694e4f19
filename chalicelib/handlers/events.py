"""Event entry points: the outbox stream, the mail queue and the sweep. Declared in app.py, because handlers inside a
blueprint lose the app's middleware in Lambda.

Each reports what it could not do record by record, so that one failure does not repeat the work of the others.
"""

from datetime import UTC, datetime
from typing import Any

from chalicelib.observability import count, counting, log_fault, logger
from chalicelib.services import outbox
from chalicelib.storage import queues
from chalicelib.storage.outbox import event_from_stream

BatchFailures = dict[str, list[dict[str, str]]]


@counting
def relay_events(stream_event: dict[str, Any]) -> BatchFailures:
    """Turn new events of the messages stream into notifications.

    A record that fails stops the batch there, since a shard keeps its order: Lambda delivers again from that record. One that
    can never succeed (its image is no event we know) is parked by key and passed over.
    """
    for record in stream_event["Records"]:
        change = record["dynamodb"]
        image = change.get("NewImage")
        if record["eventName"] != "INSERT" or not image:
            continue
        try:
            event = event_from_stream(image)
        except Exception as poison:
            _park(change["Keys"], poison)
            continue
        if event is None:
            continue
        try:
            outbox.relay(event)
        except outbox.Unrenderable as poison:
            _park(change["Keys"], poison)
        except Exception as fault:
            log_fault(fault, event=event.id)
            return {"batchItemFailures": [{"itemIdentifier": change["SequenceNumber"]}]}
        else:
            count("EventsRelayed")
    return {"batchItemFailures": []}


def _park(keys: dict[str, dict[str, str]], poison: Exception) -> None:
    log_fault(poison, event=keys["sk"]["S"])
    queues.park_event(keys["pk"]["S"], keys["sk"]["S"], type(poison).__name__)
    count("EventsParked")


@counting
def send_mail(queue_event: dict[str, Any]) -> BatchFailures:
    """Send the e-mails that queue messages name. What SES refuses is delivered again, and parked by the queue after five times."""
    failed = []
    for record in queue_event["Records"]:
        try:
            outbox.deliver(queues.notification_key(record["body"]), datetime.now(UTC))
        except outbox.NotSent as refusal:
            logger.warning("e-mail refused", extra={"reason": str(refusal), "queue_message": record["messageId"]})
            count("EmailsRefused")
            failed.append({"itemIdentifier": record["messageId"]})
        except Exception as fault:
            log_fault(fault, queue_message=record["messageId"])
            failed.append({"itemIdentifier": record["messageId"]})
        else:
            count("EmailsHandled")
    return {"batchItemFailures": failed}


@counting
def sweep_outbox() -> int:
    """Put overdue e-mails back on the queue; how many."""
    swept = outbox.sweep(datetime.now(UTC))
    logger.info("swept", extra={"requeued": swept})
    count("EmailsRequeued", swept)
    return swept
