"""Answers Lambda invocations from the working copy: the emulator posts each event here instead of running the zip.

As on AWS, requests of the API are answered in several *execution environments*, each a process that works on one at a time; they
are forked when the application has been imported, and so share most of its memory. One that dies is replaced. Other events are
worked on in this process.

An edit of the application replaces this process by a fresh one. The listening socket is handed on and invocations in
flight are finished first, so that callers wait for the new code and never see a refused connection.

Run as `FUNCTIONS='{"esr-learning-dev-api": "app.app"}' python -m infrastructure.local.host 4621`.
"""

from __future__ import annotations

import importlib
import json
import multiprocessing
import os
import queue
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.connection import Connection
from multiprocessing.reduction import recv_handle, send_handle
from typing import Any, NoReturn

import watchfiles

from infrastructure import ROOT

INHERITED_SOCKET = "HOST_SOCKET"
PATIENCE = 10  # seconds that invocations in flight are given before a reload
API = "app.app"  # the handler of requests
ENVIRONMENTS = 4  # execution environments for requests


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


class Environments:
    """The execution environments of the API: processes that each work on one request at a time, on which Chalice relies.

    They are forked by a process that does nothing else (the nursery), also later, in place of one that died: by then this process
    has threads and open connections, of which a fork would have broken copies.
    """

    def __init__(self, number: int) -> None:
        fork = multiprocessing.get_context("fork")
        self._orders, theirs = fork.Pipe()
        self._nursery = fork.Process(target=_raise_environments, args=(theirs, self._orders), daemon=True)
        self._nursery.start()
        theirs.close()
        self._ordering = threading.Lock()
        self._idle: queue.LifoQueue[Connection] = queue.LifoQueue()
        for _ in range(number):
            self._idle.put(self._fresh())

    def _fresh(self) -> Connection:
        """A connection to a new environment."""
        with self._ordering:
            self._orders.send(None)
            handle = recv_handle(self._orders)
        os.set_inheritable(handle, False)  # lest it stays open when this process is replaced
        return Connection(handle)

    def answer(self, event: bytes, context: LambdaContext) -> tuple[int, str]:
        """Have a request answered by an environment that is idle, or as soon as one is; what dies of it fails, as on AWS."""
        environment = self._idle.get()
        try:
            if environment.poll():  # none speaks unasked: this one has died, idle or of its last request
                environment = self._fresh()
            environment.send((event, context))
            answer: tuple[int, str] = environment.recv()
            return answer
        except (EOFError, ConnectionError):
            return 500, json.dumps({"errorType": "Runtime.ExitError", "errorMessage": "The environment has died."})
        finally:
            self._idle.put(environment)

    def close(self) -> None:
        """End them all, once nothing is in flight."""
        while not self._idle.empty():
            self._idle.get().close()
        self._orders.close()
        self._nursery.join(PATIENCE)


def _raise_environments(orders: Connection, of_host: Connection) -> None:
    """Fork an environment for each order and give its connection, until the host closes its end."""
    of_host.close()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those that end
    with suppress(EOFError):
        while True:
            orders.recv()
            ours, theirs = multiprocessing.Pipe()
            if os.fork() == 0:
                orders.close()
                ours.close()
                _answer_requests(theirs)
            theirs.close()
            send_handle(orders, ours.fileno(), os.getppid())
            ours.close()


def _answer_requests(requests: Connection) -> NoReturn:
    """Be an environment, until the host closes its end."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    try:
        while True:
            event, context = requests.recv()
            requests.send(invoke(API, event, context))
    finally:
        os._exit(0)


class Host(ThreadingHTTPServer):
    """Takes invocations: `POST /<function name>`, the event as body, what Lambda would say in headers.

    `GET /` answers for how many seconds no function has run, so that the supervisor knows when all is quiet.
    """

    daemon_threads = False  # so that closing waits for invocations in flight

    def __init__(self, listener: socket.socket, functions: dict[str, str], environments: Environments) -> None:
        super().__init__(listener.getsockname(), Invocation, bind_and_activate=False)
        self.socket.close()
        self.socket = listener
        self.functions = functions
        self.environments = environments
        self._running = 0
        self._counting = threading.Lock()
        self._last_activity = time.monotonic()

    def invoke(self, function: str, event: bytes, context: LambdaContext) -> tuple[int, str]:
        """Let a function work on an event; a status, and what the function answers or which error ended it.

        Events other than requests are worked on beside one another: a long piece of work must not use up the time of those that
        wait.
        """
        handler = self.functions[function]
        with self._running_one_more():
            if handler == API:
                return self.environments.answer(event, context)
            return invoke(handler, event, context)

    @contextmanager
    def _running_one_more(self) -> Iterator[None]:
        self._count(1)
        try:
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
        event = self.rfile.read(int(self.headers["Content-Length"]))
        self._answer(*self.server.invoke(self.path.strip("/"), event, self._context()))

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
    listener = _listener(port)
    _warm_up(functions)
    host = Host(listener, functions, Environments(ENVIRONMENTS))  # forked before there are threads
    told_to_end = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: told_to_end.set())
    threading.Thread(target=host.serve_forever, daemon=True).start()
    for _ in watchfiles.watch(ROOT / "app.py", ROOT / "chalicelib", stop_event=told_to_end, debounce=200):
        break
    kept = host.socket.dup()
    _finish(host)
    if not told_to_end.is_set():
        _start_afresh(kept)


def invoke(handler: str, event: bytes, context: LambdaContext) -> tuple[int, str]:
    """What a handler answers to an event, as JSON; with status 500 the error that it raised."""
    try:
        return 200, json.dumps(_load(handler)(json.loads(event), context))
    except Exception as error:  # whatever a handler raises is a failed invocation
        traceback.print_exc()
        return 500, json.dumps({"errorType": type(error).__name__, "errorMessage": str(error)})
    finally:
        sys.stdout.flush()


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
    host.environments.close()


def _start_afresh(listener: socket.socket) -> None:
    os.set_inheritable(listener.fileno(), True)
    os.environ[INHERITED_SOCKET] = str(listener.fileno())
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-m", "infrastructure.local.host", *sys.argv[1:]])


if __name__ == "__main__":
    serve(int(sys.argv[1]), json.loads(os.environ["FUNCTIONS"]))
