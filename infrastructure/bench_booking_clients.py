"""Clients that book at the same time, each a process: through HTTP, or by the bare transactions alone (for `bench_bookings.py`)."""

from __future__ import annotations

import http.client
import json
import multiprocessing
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from infrastructure import REGION, bench_booking_writes

Work = Callable[..., Counter[str]]

MOST_TRIES = 50
AGAIN = (409, 429, 503)
"""Answers after which a client asks again: others were faster, or too many asked at once."""


class Clients:
    """So many processes, which are started once and then work at the same time."""

    def __init__(self, pool: ProcessPoolExecutor, number: int) -> None:
        self._pool, self._number = pool, number

    def work(self, work: Work, who: Sequence[str], *told: Any) -> tuple[float, Counter[str]]:
        """Share out `who` among the clients; the seconds until the last is done, and what came of it all."""
        parts = [who[number :: self._number] for number in range(self._number)]
        began = time.perf_counter()
        outcomes = list(self._pool.map(work, parts, *([each] * self._number for each in told)))
        return time.perf_counter() - began, sum(outcomes, Counter())


@contextmanager
def clients(number: int) -> Iterator[Clients]:
    """So many clients, ready to work."""
    with ProcessPoolExecutor(number, multiprocessing.get_context("spawn")) as pool:
        list(pool.map(time.sleep, [0.5] * number))  # so that every one of them has started
        yield Clients(pool, number)


def book(tokens: Sequence[str], api: str, class_id: str) -> Counter[str]:
    """Book a class for the owner of each access token, through the API at this address; how many came to which status.

    "tries" counts the requests: whoever is told of a conflict asks again.
    """
    address, body = urlsplit(api), json.dumps({"class_id": class_id})
    connection = http.client.HTTPConnection(address.netloc)
    outcomes: Counter[str] = Counter()
    for token in tokens:
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        for _ in range(MOST_TRIES):
            connection.request("POST", f"{address.path}/v1/me/enrolments", body, headers)
            answer = connection.getresponse()
            content = answer.read()
            outcomes["tries"] += 1
            if answer.status not in AGAIN:
                break
        outcomes[json.loads(content)["status"] if answer.status == 201 else f"answer {answer.status}"] += 1
    connection.close()
    return outcomes


def write(people: Sequence[str], endpoint: str, tables: Sequence[str]) -> Counter[str]:
    """Write the transaction of a booking for each person, and nothing else."""
    for person in people:
        _dynamodb(endpoint).transact_write_items(TransactItems=bench_booking_writes.transaction(tables, [person]))
    return Counter(confirmed=len(people))


@cache
def _dynamodb(endpoint: str) -> Any:
    import boto3
    from botocore.config import Config

    quick = Config(parameter_validation=False, retries={"total_max_attempts": 20})
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    return boto3.client("dynamodb", region_name=REGION, endpoint_url=endpoint, config=quick, **keys)
