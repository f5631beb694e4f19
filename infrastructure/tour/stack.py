"""The stack that `make run` keeps up, as the tour uses it."""

from __future__ import annotations

import json
import time
from typing import Any

from infrastructure import Failure
from infrastructure.local import processes, quiet, settings
from infrastructure.local.deploy import Deployment, deployed
from infrastructure.local.emulator import Emulator


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
        """Invoke a function as its schedule would."""
        self.emulator.client("lambda").invoke(FunctionName=f"{settings.STACK}-{function}", Payload=b"{}")
