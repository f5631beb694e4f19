"""The workforce queue: messages from the event bus, and word of files dropped into the workforce bucket. Declared in app.py."""

import json
import re
from datetime import UTC, datetime
from typing import Any

from chalicelib.domain.errors import FieldError, Invalid
from chalicelib.handlers import parsing
from chalicelib.handlers.events import BatchFailures
from chalicelib.handlers.workforce import ChangeMessage
from chalicelib.observability import count, counting, log_fault, logger
from chalicelib.services import workforce
from chalicelib.storage.workforce import Refused, keep_refusal

DELIVERIES = 3
"""A message refused is delivered again until it was refused so often: it may have overtaken another on which it depends. The queue
itself gives up only after five.
"""

_EMPLOYER = re.compile(r"[A-Z0-9]{2,8}")
_SHOWN = re.compile(r"[\w.:/|~-]{1,80}", re.ASCII)


def now() -> datetime:
    """The clock of the feed: UTC."""
    return datetime.now(UTC)


@counting
def take(queue_event: dict[str, Any]) -> BatchFailures:
    """Take in each message of the queue. What fails, or is refused for the time being, is delivered again; what no repetition can
    mend goes to the dead-letter queue in the end.
    """
    failed = []
    for record in queue_event["Records"]:
        try:
            again = _take(record, now())
        except Exception as fault:
            log_fault(fault, queue_message=record["messageId"])
            again = True
        if again:
            failed.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failed}


def _take(record: dict[str, Any], at: datetime) -> bool:
    """Take in one queue message; whether it is to be delivered again."""
    match json.loads(record["body"]):
        case {"Event": "s3:TestEvent"}:
            return False
        case {"Records": list(files)}:
            _begin_files(files, at)
            return False
        case {"detail-type": "workforce.change", "detail": {"employer": str(employer), **detail}}:
            if not _EMPLOYER.fullmatch(employer):
                raise ValueError("This is no employer's code.")
            return _take_change(employer, {str(name): value for name, value in detail.items()}, record, at)
    raise ValueError("This is no message of the workforce.")


def _begin_files(told: list[dict[str, Any]], at: datetime) -> None:
    from chalicelib.services import workforce_file
    from chalicelib.storage import files

    for each in told:
        file = files.dropped(each)
        if file is None or file.key.endswith("/"):  # gone by now; or a folder, which the console makes as an empty file
            continue
        if workforce_file.begin(file, at):
            count("WorkforceFilesBegun")
            continue
        prefix = file.key.partition("/")[0]
        count("WorkforceFilesIgnored")
        # A key may hold names: only what looks like an employer's code is logged of it.
        logger.warning("file of no employer", extra={"employer": prefix if _EMPLOYER.fullmatch(prefix) else None})


def _take_change(employer: str, detail: dict[str, Any], record: dict[str, Any], at: datetime) -> bool:
    try:
        message = parsing.struct(detail, ChangeMessage, "message")
    except Invalid as invalid:
        wrong = tuple(FieldError(each.field.removeprefix("message."), each.reason) for each in invalid.errors)
        _refuse(employer, detail, wrong, record)
        return False
    outcome = workforce.take_from_bus(employer, message.change(), at)
    count(f"WorkforceChanges{outcome.state.capitalize()}")
    if outcome.state != "refused":
        return False
    if int(record["attributes"]["ApproximateReceiveCount"]) < DELIVERIES:
        return True
    _refuse(employer, detail, outcome.errors, record)
    return False


def _refuse(employer: str, detail: dict[str, Any], wrong: tuple[FieldError, ...], record: dict[str, Any]) -> None:
    sent = datetime.fromtimestamp(int(record["attributes"]["SentTimestamp"]) / 1000, UTC)
    message, number = _shown(detail.get("id")), _shown(detail.get("employee_number"))
    keep_refusal(employer, record["messageId"], Refused(sent, message, number, wrong))
    fields = [each.field for each in wrong]
    logger.warning("workforce message refused", extra={"employer": employer, "message_id": message, "fields": fields})


def _shown(value: Any) -> str | None:
    return value if isinstance(value, str) and _SHOWN.fullmatch(value) else None
