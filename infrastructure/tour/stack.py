"""The stack that `make run` keeps up, as the tour uses it."""

from __future__ import annotations

import json
import time
from typing import Any

from infrastructure import REGION, Failure
from infrastructure.local import emulator, processes, quiet, settings
from infrastructure.local.deploy import Deployment, deployed
from infrastructure.local.emulator import Emulator

_BY_SCHEDULE = {
    "version": "0", "id": "tour", "detail-type": "Scheduled Event", "source": "aws.events", "account": emulator.ACCOUNT,
    "time": "1970-01-01T00:00:00Z", "region": REGION, "resources": [], "detail": {},
}  # fmt: skip
"""What a function is given by its schedule."""


class NotRunning(Failure):
    """There is no stack to play on."""


class Stack:
    """A running emulator with the service deployed to it."""

    def __init__(self) -> None:
        if any(processes.is_free(port) for port in settings.PORTS) or not settings.DEMO_FILE.exists():
            raise NotRunning(
                "The tour needs the service: `make run` in another shell, and wait until it says that it is up."
            )
        self.emulator = Emulator(settings.EMULATOR_PORT)
        self.deployment: Deployment = deployed(self.emulator, settings.STACK)
        self.environment = self.emulator.environment | self.deployment.environment()

    def settle(self) -> None:
        """Wait until everything has been told and projected."""
        time.sleep(quiet.SECONDS)
        quiet.settle(self.emulator, quiet.queues_of(self.deployment), patience=60)

    def let_time_do_its_work(self) -> None:
        """Have done what schedules ask for: the day's work, what is due by now, and the mail that waited until now."""
        self.send("WorkQueueUrl", {"kind": "day"})
        self.invoke("timekeeper")
        self.settle()
        self.invoke("sweeper")
        self.settle()

    def send(self, queue: str, message: dict[str, Any]) -> None:
        """Put a message on one of the stack's queues, named as in its outputs."""
        self.emulator.client("sqs").send_message(
            QueueUrl=self.deployment.outputs[queue], MessageBody=json.dumps(message)
        )

    def invoke(self, function: str) -> None:
        """Invoke a function as its schedule would. Raises NotRunning if it fails."""
        client = self.emulator.client("lambda")
        name = f"{settings.STACK}-{function}"
        answer = client.invoke(FunctionName=name, Payload=json.dumps(_BY_SCHEDULE))
        if "FunctionError" in answer:
            raise NotRunning(f"{name} failed: {answer['Payload'].read().decode()} (see .local/log/)")
