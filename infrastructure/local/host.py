"""Answers Lambda invocations from the working copy: the emulator posts each event here instead of running the zip.

An edit of the application replaces this process by a fresh one. The listening socket is handed on and invocations in
flight are finished first, so that callers wait for the new code and never see a refused connection.

Run as `FUNCTIONS='{"esr-learning-dev-api": "app.app"}' python -m infrastructure.local.host 4621`.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import watchfiles

from infrastructure import ROOT

INHERITED_SOCKET = "HOST_SOCKET"
PATIENCE = 10  # seconds that invocations in flight are given before a reload


@dataclass(frozen=True)
class LambdaContext:
    """The part of Lambda's context object that handlers and Powertools read."""

    function_name: str
    function_version: str
    invoked_function_arn: str
    aws_request_id: str
    deadline_ms: int
    memory_limit_in_mb: int = 512

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until Lambda would end the invocation."""
        return self.deadline_ms - int(time.time() * 1000)


class Host(ThreadingHTTPServer):
    """Takes invocations: `POST /<function name>`, the event as body, what Lambda would say in headers.

    `GET /` answers for how many seconds no function has run, so that the supervisor knows when all is quiet.
    """

    daemon_threads = False  # so that closing waits for invocations in flight

    def __init__(self, listener: socket.socket, functions: dict[str, str]) -> None:
        super().__init__(listener.getsockname(), Invocation, bind_and_activate=False)
        self.socket.close()
        self.socket = listener
        self.functions = functions
        self._one_request_at_a_time = threading.Lock()
        self._running = 0
        self._counting = threading.Lock()
        self._last_activity = time.monotonic()

    @contextmanager
    def running(self, event: dict[str, Any]) -> Iterator[None]:
        """While a function works on an event.

        A Lambda execution environment works on one event at a time, and Chalice relies on it for requests. Other events have
        environments beside one another here as there: a long piece of work must not use up the time of those that wait.
        """
        self._count(1)
        try:
            with self._one_request_at_a_time if "httpMethod" in event else nullcontext():
                yield
        finally:
            self._count(-1)

    def _count(self, change: int) -> None:
        with self._counting:
            self._running += change
            self._last_activity = time.monotonic()

    def seconds_idle(self) -> float:
        """Seconds since a function last ran; 0 while one runs."""
        return 0 if self._running else time.monotonic() - self._last_activity


class Invocation(BaseHTTPRequestHandler):
    """One invocation."""

    server: Host

    def do_GET(self) -> None:
        """Say how long all has been quiet."""
        self._answer(200, json.dumps({"seconds_idle": self.server.seconds_idle()}))

    def do_POST(self) -> None:
        """Run a function."""
        event = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        function = self.path.strip("/")
        try:
            with self.server.running(event):
                handler = _load(self.server.functions[function])
                status, answer = 200, json.dumps(handler(event, self._context()))
        except Exception as error:  # whatever a handler raises is a failed invocation
            traceback.print_exc()
            status, answer = 500, json.dumps({"errorType": type(error).__name__, "errorMessage": str(error)})
        sys.stdout.flush()
        self._answer(status, answer)

    def _answer(self, status: int, answer: str) -> None:
        body = answer.encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        """Quiet: the handlers log for themselves."""

    def _context(self) -> LambdaContext:
        return LambdaContext(
            function_name=self.headers["X-Amzn-Lambda-Function-Name"],
            function_version=self.headers["X-Amzn-Lambda-Function-Version"],
            invoked_function_arn=self.headers["X-Amzn-Lambda-Function-Arn"],
            aws_request_id=self.headers["X-Amzn-Lambda-Request-Id"],
            deadline_ms=int(self.headers["X-Amzn-Lambda-Deadline-Ms"]),
        )


def serve(port: int, functions: dict[str, str]) -> None:
    """Serve until told to end (SIGTERM); start afresh in place after an edit."""
    host = Host(_listener(port), functions)
    told_to_end = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: told_to_end.set())
    threading.Thread(target=host.serve_forever, daemon=True).start()
    threading.Thread(target=_warm_up, args=(functions,), daemon=True).start()
    for _ in watchfiles.watch(ROOT / "app.py", ROOT / "chalicelib", stop_event=told_to_end, debounce=200):
        break
    kept = host.socket.dup()
    _finish(host)
    if not told_to_end.is_set():
        _start_afresh(kept)


def _load(handler: str) -> Callable[[Any, LambdaContext], Any]:
    module, _, name = handler.rpartition(".")
    return getattr(importlib.import_module(module), name)  # type: ignore[no-any-return]


def _warm_up(functions: dict[str, str]) -> None:
    """Import the application at once; an error in it is shown now and again by each invocation."""
    try:
        for handler in functions.values():
            _load(handler)
    except Exception:
        traceback.print_exc()


def _listener(port: int) -> socket.socket:
    inherited = os.environ.pop(INHERITED_SOCKET, None)
    return socket.socket(fileno=int(inherited)) if inherited else socket.create_server(("127.0.0.1", port), backlog=128)


def _finish(host: Host) -> None:
    host.shutdown()
    closing = threading.Thread(target=host.server_close, daemon=True)  # waits for what is in flight
    closing.start()
    closing.join(PATIENCE)


def _start_afresh(listener: socket.socket) -> None:
    os.set_inheritable(listener.fileno(), True)
    os.environ[INHERITED_SOCKET] = str(listener.fileno())
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-m", "infrastructure.local.host", *sys.argv[1:]])


if __name__ == "__main__":
    serve(int(sys.argv[1]), json.loads(os.environ["FUNCTIONS"]))
