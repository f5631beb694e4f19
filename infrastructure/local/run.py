"""Bring the whole service up on this machine, keep it up, and take it down in order.

Run as `python -m infrastructure.local.run --staff 500`.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from typing import Any, TypeVar

from rich.console import Console
from rich.table import Table

from infrastructure import ROOT, Failure
from infrastructure.demo.plan import staff_number
from infrastructure.local import emulator, processes, quiet, settings
from infrastructure.local.deploy import Deployment, deploy, function_names
from infrastructure.local.desk.settings import Settings as DeskSettings
from infrastructure.local.emulator import Emulator, Started
from infrastructure.local.lines import lines_to_try
from infrastructure.package import Artefact, lint, package

console = Console(highlight=False)
Made = TypeVar("Made")


class CannotRun(Failure):
    """Why the service cannot be brought or kept up."""


class Supervisor:
    """Starts everything, and stops it in an order that loses nothing."""

    def __init__(self, staff: int | None) -> None:
        self.staff = staff
        self.children: dict[str, subprocess.Popen[bytes]] = {}
        self.emulator: Started | None = None
        self.queues: list[str] = []

    def run(self) -> None:
        """Bring everything up and watch it."""
        begun = time.monotonic()
        check_ports()
        settings.LOCAL.mkdir(exist_ok=True)
        settings.PID_FILE.write_text(str(os.getpid()))
        artefact = step("Packaging", make_artefact, lambda made: f"{made.size_mb():.1f} MB, no finding of cfn-lint")
        # Bound before the emulator starts: events left from last time wait for the host instead of failing.
        with socket.create_server(("127.0.0.1", settings.HOST_PORT), backlog=128) as listener:
            started = step("Starting the emulator", lambda: self.start_emulator(artefact))
            deployment = step(
                "Deploying",
                lambda: deploy(started, artefact, settings.STACK, settings.PARAMETERS),
                lambda done: "through CloudFormation" if done.changed else "unchanged",
            )
            self.start_host(started, deployment, listener)
        self.queues = quiet.queues_of(deployment)
        self.start_desk(deployment)
        self.check_children()
        if deployment.created or not settings.DEMO_FILE.exists():
            self.load(started, deployment)
            # The emulator writes its state when it stops. Do so once now: a crash then costs a session, not the load.
            step("Waiting until all is told and projected", self.settle)
            step("Saving", lambda: self.restart_emulator(artefact))
        step("Waiting for the API", self.wait_until_healthy)
        self.begin_the_day(started, deployment)
        demo = json.loads(settings.DEMO_FILE.read_text())
        if "enrolments" not in demo:
            raise CannotRun("The data are those of an earlier version: `make reset`, then `make run`.")
        show_panel(demo, self.staff, time.monotonic() - begun)
        self.watch()

    def begin_the_day(self, emulator: Emulator, deployment: Deployment) -> None:
        """Ask for what the schedule asks for at 00:05, when a developer's machine is seldom up. Twice on a day changes nothing."""
        queue = deployment.outputs["WorkQueueUrl"]
        emulator.client("sqs").send_message(QueueUrl=queue, MessageBody=json.dumps({"kind": "day"}))

    def start_emulator(self, artefact: Artefact) -> Started:
        """Start the emulator, which hands the invocations of our functions to the function host."""
        host = f"http://127.0.0.1:{settings.HOST_PORT}"
        proxies = {name: f"{host}/{name}" for name in function_names(artefact, settings.STACK)}
        self.emulator = emulator.start(
            settings.EMULATOR_PORT,
            settings.LOCAL / "emulator",
            log=settings.LOGS / "emulator.log",
            smtp_port=settings.SMTP_PORT,
            proxies=proxies,
        )
        return self.emulator

    def restart_emulator(self, artefact: Artefact) -> None:
        """Let the emulator save its state."""
        if self.emulator:
            self.emulator.stop()
        self.start_emulator(artefact)

    def start_host(self, emulator: Emulator, deployment: Deployment, listener: socket.socket) -> None:
        """Start the function host. It does the work of all functions and is told what each of them is told."""
        functions = {name: function.handler for name, function in deployment.functions.items()}
        environment = emulator.environment | deployment.environment() | {"FUNCTIONS": json.dumps(functions)}
        self.start_child("function host", ["infrastructure.local.host", str(settings.HOST_PORT)], environment, listener)

    def start_desk(self, deployment: Deployment) -> None:
        """Start the desk, whose mailbox must be there before the first message is sent."""
        desk = DeskSettings(
            port=settings.DESK_PORT,
            smtp_port=settings.SMTP_PORT,
            api_url=deployment.api_url,
            mail_folder=str(settings.MAIL),
            demo_file=str(settings.DEMO_FILE),
        )
        self.start_child("desk", ["infrastructure.local.desk"], dict(os.environ) | {"DESK": desk.to_json()})

    def start_child(
        self, name: str, module: list[str], environment: dict[str, str], listener: socket.socket | None = None
    ) -> None:
        """Start one of our own modules as a process."""
        inherited = {"HOST_SOCKET": str(listener.fileno())} if listener else {}
        self.children[name] = processes.start(
            [sys.executable, "-m", *module],
            environment | inherited,
            settings.LOGS / f"{name.replace(' ', '-')}.log",
            ROOT,
            [listener.fileno()] if listener else [],
        )

    def load(self, emulator: Emulator, deployment: Deployment) -> None:
        """Load the demo trust, or what an interrupted load left out. Its loader shows its own progress."""
        staff = str(self.staff or settings.DEFAULT_STAFF)
        command = [sys.executable, "-m", "infrastructure.demo.load", "--staff", staff]
        told = {"USER_POOL_ID": deployment.outputs["UserPoolId"], "DEMO_FILE": str(settings.DEMO_FILE)}
        settings.DEMO_FILE.unlink(missing_ok=True)
        done = subprocess.run(
            command, cwd=ROOT, env=emulator.environment | deployment.environment() | told, check=False
        )
        if done.returncode or not settings.DEMO_FILE.exists():
            raise CannotRun("The demo trust is not loaded. `make run` goes on with it; `make reset` starts over.")

    def all_running(self, *names: str) -> bool:
        """Whether these have been started and have not ended."""
        started = self.processes()
        return all(name in started and started[name].poll() is None for name in names)

    def processes(self) -> dict[str, subprocess.Popen[bytes]]:
        """Everything started so far, by name."""
        return self.children | ({"emulator": self.emulator.process} if self.emulator else {})

    def wait_until_healthy(self, patience: float = 60) -> None:
        """Wait until the API answers, through the desk and the emulator and the function host."""
        health, deadline = f"{settings.DESK_URL}/v1/health", time.monotonic() + patience
        why = "no answer"
        while time.monotonic() < deadline:
            self.check_children()
            try:
                with urllib.request.urlopen(health, timeout=10):
                    return
            except OSError as error:
                why = str(error)
            time.sleep(0.1)
        raise CannotRun(f"{health} does not answer: {why} (see {settings.LOGS.relative_to(ROOT)}/)")

    def watch(self) -> None:
        """Wait until a child ends by itself. Ctrl-C interrupts."""
        while True:
            time.sleep(0.5)
            self.check_children()

    def check_children(self) -> None:
        """Give up if a child has ended by itself."""
        for name, process in self.processes().items():
            if (code := process.poll()) is not None:
                log = settings.LOGS / f"{name.replace(' ', '-')}.log"
                why = f"exit code {code}, {processes.last_line(log)}"
                raise CannotRun(f"The {name} has stopped: {why} (see {log.relative_to(ROOT)})")

    def settle(self, patience: float = 300) -> None:
        """Wait until nothing is on its way any more: the emulator forgets the stream records it has not delivered."""
        if self.emulator:
            quiet.settle(self.emulator, self.queues, patience, lambda: self.all_running("function host", "emulator"))

    def stop(self) -> None:
        """Stop everything; the emulator last, which then saves its state."""
        ignore_signals()
        self.settle(patience=15)
        for process in self.children.values():
            processes.stop(process)
        if self.emulator:
            self.emulator.stop()
        if settings.PID_FILE.exists() and settings.PID_FILE.read_text() == str(os.getpid()):
            settings.PID_FILE.unlink()


def ignore_signals() -> None:
    """While stopping, a second Ctrl-C would cost the data."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)


def step(doing: str, work: Callable[[], Made], remark: Callable[[Made], str] = lambda _: "") -> Made:
    """Do one step under a spinner and leave a line that it is done."""
    begun = time.monotonic()
    with console.status(f"{doing} …"):
        made = work()
    console.print(f"[green]✓[/] {doing} [dim]{time.monotonic() - begun:.1f} s {remark(made)}[/]")
    return made


def check_ports() -> None:
    """Refuse to start beside something that uses one of our ports."""
    for port, user in settings.PORTS.items():
        if not processes.is_free(port):
            raise CannotRun(f"Port {port}, which {user} needs, is in use: is another `make run` still running?")


def make_artefact() -> Artefact:
    """The artefact of the local stage, without a finding of cfn-lint."""
    artefact = package(settings.STAGE)
    findings = lint(artefact)
    if findings:
        raise CannotRun(f"cfn-lint: {findings.splitlines()[0]} (make package shows all)")
    return artefact


def show_panel(demo: dict[str, Any], staff: int | None, seconds: float) -> None:
    """Say where things are, who can sign in, and what to try first."""
    desk = settings.DESK_URL
    places = Table.grid(padding=(0, 2))
    for name, place in {
        "Start page": desk,
        "API": f"{desk}/v1",
        "API reference": f"{desk}/docs/",
        "Mailbox": f"{desk}/mailbox",
        "AWS endpoint": f"http://127.0.0.1:{settings.EMULATOR_PORT}",
        "Logs": f"{settings.LOGS.relative_to(ROOT)}/",
    }.items():
        places.add_row(f"[bold]{name}[/]", place)
    people = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for heading, wraps in {"Role": True, "Login": False, "Password": False, "To try": True}.items():
        people.add_column(heading, no_wrap=not wraps)
    for person in demo["sign_ins"]:
        people.add_row(person["role"], person["login"], person["password"], person["what"])
    console.rule(f"[bold]ESR Learning is up[/] after {seconds:.0f} s, with {demo['staff']:,} staff")
    console.print(places, "", people)
    for heading, lines in lines_to_try(demo).items():
        console.print("", f"[bold]{heading}[/]")
        for line in lines:
            console.print(line, soft_wrap=True, markup=False)
    console.print()
    if staff and staff != demo["staff"]:
        console.print(
            f"[yellow]The data of STAFF={demo['staff']} are kept. For STAFF={staff}: make reset, then make run.[/]"
        )
    console.print("[dim]Edits of app.py and chalicelib/ are live at once. Ctrl-C stops everything; the data stay.[/]")


def main() -> int:
    """Run until Ctrl-C; what goes wrong is said in one line."""
    parser = argparse.ArgumentParser(description="Run ESR Learning on this machine.")
    parser.add_argument(
        "--staff", type=staff_number, help="people in the demo trust; counts on the first run (default 500)"
    )
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # which is nohup's doing
            signal.signal(number, signal.default_int_handler)
    supervisor = Supervisor(parser.parse_args().staff)
    try:
        supervisor.run()
    except KeyboardInterrupt:
        ignore_signals()
        console.print("\nStopping …")
    except Failure as failure:
        console.print(f"[red]✗[/] {failure}", soft_wrap=True)
        return 1
    finally:
        with contextlib.suppress(KeyboardInterrupt):
            supervisor.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
