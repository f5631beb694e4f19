"""Whether the running service has done all there is to do."""

from __future__ import annotations

import contextlib
import json
import time
import urllib.request
from collections.abc import Callable, Sequence

from infrastructure.local import settings
from infrastructure.local.deploy import Deployment
from infrastructure.local.emulator import Emulator

SECONDS = 1.5
"""Without an invocation for so long, nothing is on its way any more."""

_QUEUES = ("WorkQueueUrl", "WorkforceQueueUrl", "MailQueueUrl")
_WAITING = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesDelayed"]


def queues_of(deployment: Deployment) -> list[str]:
    """The addresses of the queues that hold work."""
    return [deployment.outputs[name] for name in _QUEUES]


def settle(
    emulator: Emulator, queues: Sequence[str], patience: float = 300, alive: Callable[[], bool] = lambda: True
) -> None:
    """Wait until no function has run for a while and no queue holds anything that could begin, for `patience` seconds at most.

    What failed and waits to be tried again stays in its queue.
    """
    deadline = time.monotonic() + patience
    with contextlib.suppress(OSError):
        while alive() and time.monotonic() < deadline:
            with urllib.request.urlopen(f"http://127.0.0.1:{settings.HOST_PORT}/", timeout=5) as answer:
                if json.load(answer)["seconds_idle"] > SECONDS and not _messages_waiting(emulator, queues):
                    return
            time.sleep(0.1)


def _messages_waiting(emulator: Emulator, queues: Sequence[str]) -> int:
    """How many messages of all queues could be delivered, now or after their delay."""
    sqs = emulator.client("sqs")
    counts = [sqs.get_queue_attributes(QueueUrl=each, AttributeNames=_WAITING)["Attributes"] for each in queues]
    return sum(int(number) for each in counts for number in each.values())
