"""The local host answers requests in environments of its own, and goes on when one dies."""

import json
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from infrastructure.local import host
from infrastructure.local.host import Environments, LambdaContext

CONTEXT = LambdaContext("api", "$LATEST", "arn", "request", 0)


def handler(event, _):
    """Dies of the event if that says so; else says who works on it, after a moment."""
    if event.get("die"):
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(event.get("seconds", 0))
    return os.getpid()


@pytest.fixture
def ask(monkeypatch):
    """Have events answered at the same time by two environments; a request that hangs fails."""
    monkeypatch.setattr(host, "API", f"{__name__}.handler")
    environments = Environments(2)
    with ThreadPoolExecutor(4) as pool:

        def answers(*events):
            asked = [pool.submit(environments.answer, json.dumps(each).encode(), CONTEXT) for each in events]
            return [(status, json.loads(answer)) for status, answer in (each.result(20) for each in asked)]

        yield answers
        environments.close()


def both(ask):
    """The processes of both environments."""
    return {process for _, process in ask({"seconds": 0.3}, {"seconds": 0.3})}


def wait_until_gone(process):
    until = time.monotonic() + 10
    with suppress(ProcessLookupError):
        while time.monotonic() < until:
            os.kill(process, 0)
            time.sleep(0.01)
        pytest.fail("The process still runs.")


def test_what_kills_its_environment_fails_and_the_next_request_has_another(ask):
    before = both(ask)
    assert len(before) == 2
    for status, answer in ask({"die": True}, {"die": True}):
        assert (status, answer["errorType"]) == (500, "Runtime.ExitError")
    after = both(ask)
    assert len(after) == 2
    assert before.isdisjoint(after)


def test_environments_that_died_while_idle_are_not_asked(ask):
    before = both(ask)
    for process in before:
        os.kill(process, signal.SIGKILL)
        wait_until_gone(process)
    answers = ask({}, {}, {}, {})
    assert [status for status, _ in answers] == [200] * 4
    assert before.isdisjoint(process for _, process in answers)


def test_environments_end_with_the_host(ask):
    environments = Environments(1)
    _, process = environments.answer(b"{}", CONTEXT)
    environments.close()
    wait_until_gone(int(process))
