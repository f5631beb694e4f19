"""The queues: e-mails to send, work to do, and events that could not be relayed."""

import functools
import json
from collections.abc import Sequence
from datetime import date
from typing import Any

from chalicelib.config import setting
from chalicelib.storage.outbox import NotificationKey


class NotQueued(Exception):
    """A queue did not take a message; whoever sends it sends all of them again."""


@functools.cache
def _sqs() -> Any:
    import boto3
    from botocore.config import Config

    return boto3.client("sqs", config=Config(connect_timeout=1, read_timeout=3, retries={"total_max_attempts": 3}))


BATCH = 10
"""As many messages as SQS takes at once."""


def queue_mail(key: NotificationKey) -> None:
    """Ask the mailer to deal with a notification."""
    queue_mails([key])


def queue_mails(keys: Sequence[NotificationKey]) -> None:
    """Ask the mailer to deal with any number of notifications. Raises NotQueued if the queue did not take one."""
    _send_all("MAIL_QUEUE_URL", [{"pk": key.pk, "sk": key.sk} for key in keys])


def notification_key(body: str) -> NotificationKey:
    """The notification a queue message names; raises ValueError for anything else."""
    fields = json.loads(body)
    if not isinstance(fields, dict) or not {"pk", "sk"} <= fields.keys():
        raise ValueError("A mail message names the pk and sk of a notification.")
    return NotificationKey(str(fields["pk"]), str(fields["sk"]))


def park_event(pk: str, sk: str, why: str) -> None:
    """Set aside an event that cannot be relayed, by its key, so that those behind it go on."""
    body = json.dumps({"pk": pk, "sk": sk, "why": why})
    _sqs().send_message(QueueUrl=setting("RELAY_DEAD_QUEUE_URL"), MessageBody=body)


def queue_work(message: dict[str, Any]) -> None:
    """Hand the worker one piece of work, e.g. `{"kind": "project", "employer": "504", "person": "01J9…"}`."""
    queue_works([message])


def queue_works(messages: Sequence[dict[str, Any]], delay_seconds: int = 0) -> None:
    """Hand the worker any number of pieces of work, to begin after a delay. Raises NotQueued if the queue did not take one."""
    _send_all("WORK_QUEUE_URL", messages, delay_seconds)


def _send_all(queue: str, messages: Sequence[dict[str, Any]], delay_seconds: int = 0) -> None:
    for start in range(0, len(messages), BATCH):
        entries = [
            {"Id": str(number), "MessageBody": json.dumps(message), "DelaySeconds": delay_seconds}
            for number, message in enumerate(messages[start : start + BATCH])
        ]
        answer = _sqs().send_message_batch(QueueUrl=setting(queue), Entries=entries)
        if answer.get("Failed"):
            raise NotQueued(f"{len(answer['Failed'])} of {len(entries)} messages were not taken.")


def queue_looks(employer: str, persons: Sequence[str], since: date, day: date) -> None:
    """Have people looked at for what the London days between two, both included, bring them, a few with each message."""
    look = {"kind": "look", "employer": employer, "on": day.isoformat(), "since": since.isoformat()}
    queue_works([{**look, "persons": list(persons[at : at + 10])} for at in range(0, len(persons), 10)])
