"""What the bench measures of bookings: see `bench.py`, which runs it.

    python -m infrastructure.bench_bookings

alone measures nothing else. What goes through HTTP passes the emulator's API and runs the packaged artefact, each request in an
execution environment of its own as on AWS; who books then holds 20 awards, and so does everybody of a bulk, but those who crowd one
class, where it is the outcome that counts, hold none. The bare transactions (`bench_booking_writes.py`) are
sent in the same run, in turns, by as many clients. Every load has a fixed size, and so an end.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from infrastructure import Failure, bench_booking_clients, bench_booking_writes
from infrastructure.bench_booking_clients import Clients, clients

if TYPE_CHECKING:
    from infrastructure.bench import Bench, Measured

OWN_MS = 3
"""Budget of a booking and of a withdrawal, in milliseconds of our own processor time."""

RATES = {1: 70, 4: 100}
"""Bookings a second through HTTP, by the number of clients."""

TURNS, BOOKINGS = 3, {1: 60, 4: 120}
"""How often each number of clients books, and how many bookings it makes."""

MANY, MANY_TURNS, LEAST_SHARE = 500, 3, 0.5
"""People placed in one request, and the least share of the rate of the bare writes."""

CONTENDERS, CONTENDED_SEATS, CONTENDING_CLIENTS = 2_000, 200, 20
REGISTER, REGISTER_TRANSACTIONS = 40, 5
AWARDS = 20

Row = tuple["Measured", str, bool]
Line = tuple[str, bool]


def operations(bench: Bench) -> list[Row]:
    """A booking and its withdrawal, by a learner with 60 awards; and joining the waiting list of a small and of a large class, by
    time and by need.
    """

    def book(class_id: str) -> Any:
        return lambda _=None: bench.call("POST", "/v1/me/enrolments", {"class_id": class_id})

    def withdraw(made: Any) -> Any:
        return bench.call("POST", f"/v1/me/enrolments/{made['id']}/withdrawal")

    def leave(made: Any) -> None:
        bench.forget(withdraw(made))

    def joining(by_need: bool) -> list[Row]:
        small, large = (join(size, by_need) for size in (5, 500))
        alike = (small.calls, small.reads, small.writes) == (large.calls, large.reads, large.writes)
        return [(small, "", True), (replace(large, own_budget_ms=OWN_MS), "costs what the small one does", alike)]

    def join(size: int, by_need: bool) -> Measured:
        kind = "need" if by_need else "time"
        seated, waiting = ([f"{which}-{kind}-{size}-{number}" for number in range(size)] for which in ("on", "after"))
        _add_class(f"504-by-{kind}-{size}", size, seated, waiting, by_need=by_need)
        name = f"Book where {size} are seated and {size} wait by {kind}"
        return bench.measure(name, book(f"504-by-{kind}-{size}"), after=leave)

    booking = bench.measure("Book a place", book("504-c1"), after=leave)
    withdrawal = bench.measure("Withdraw", withdraw, book("504-c1"), bench.forget)
    return [
        (replace(booking, own_budget_ms=OWN_MS), "1 transaction", booking.transactions == 1),
        (replace(withdrawal, own_budget_ms=OWN_MS), "1 transaction", withdrawal.transactions == 1),
        *joining(by_need=False),
        *joining(by_need=True),
    ]


def rates(bench: Bench) -> list[Line]:
    """Lines with bookings a second, many people in one request, and the last seats of a class that everybody wants."""
    people = _add_people("b", sum(TURNS * BOOKINGS[number] + number * 5 for number in RATES), AWARDS)
    tokens = iter(_sign_in(bench, people))
    lines = [_through_http(bench, number, tokens) for number in RATES]
    return [*lines, _many(bench), _register(bench), _contended(bench)]


def _through_http(bench: Bench, number: int, tokens: Iterator[str]) -> Line:
    """Bookings a second of so many clients, beside the bare transactions, in turns."""
    class_id, api = f"504-http-{number}", bench.deployment.api_url
    _add_class(class_id, maximum=100_000)
    _put_raw_seats(bench)
    ours, bare = [], []
    with clients(number) as ready:
        ready.work(bench_booking_clients.book, _next(tokens, number * 5), api, class_id)  # which starts environments
        _write_raw(bench, ready, f"warm-{number}", number)
        for turn in range(TURNS):
            who = _next(tokens, BOOKINGS[number])
            seconds, outcomes = ready.work(bench_booking_clients.book, who, api, class_id)
            if outcomes["confirmed"] != len(who):
                raise Failure(f"{len(who)} people booked a class with room for all: {dict(outcomes)}")
            ours.append(len(who) / seconds)
            bare.append(_write_raw(bench, ready, f"raw-{number}-{turn}", len(who)))
    rate, floor = statistics.median(ours), statistics.median(bare)
    mark = "within" if rate >= RATES[number] else "below"
    line = f"Bookings through HTTP, {number} at once: {rate:.0f}/s ({mark} {RATES[number]}); bare transactions {floor:.0f}/s"
    return line, True


def _write_raw(bench: Bench, ready: Clients, name: str, number: int) -> float:
    """Bare transactions a second, of so many people whom nobody else is called."""
    people = [f"{name}-{each}" for each in range(number)]
    seconds, _ = ready.work(bench_booking_clients.write, people, bench.running.endpoint, _tables())
    return number / seconds


def _put_raw_seats(bench: Bench) -> None:
    bench.dynamodb.put_item(**bench_booking_writes.seats(_tables()[0]))


def _many(bench: Bench) -> Line:
    """500 people placed in one request, beside the bare writes in transactions of 20 people, in turns."""
    _put_raw_seats(bench)
    ours, bare = [], []
    for turn in range(MANY_TURNS):
        people, class_id = _add_people(f"m{turn}-", MANY, AWARDS), f"504-many-{turn}"
        _add_class(class_id, maximum=MANY)
        body = {"people": [{"person_id": each} for each in people]}
        began = time.perf_counter()
        answer = bench.call("POST", f"/v1/classes/{class_id}/enrolments", body)
        ours.append(MANY / (time.perf_counter() - began))
        if answer["placed"] != MANY:
            raise Failure(f"Of {MANY} people were placed: {answer['placed']}")
        raw = [f"many-{turn}-{each}" for each in range(MANY)]
        began = time.perf_counter()
        for start in range(0, MANY, bench_booking_writes.TOGETHER):
            together = raw[start : start + bench_booking_writes.TOGETHER]
            bench.dynamodb.transact_write_items(TransactItems=bench_booking_writes.transaction(_tables(), together))
        bare.append(MANY / (time.perf_counter() - began))
    share = statistics.median(one / other for one, other in zip(ours, bare, strict=True))
    mark = "within" if share >= LEAST_SHARE else "below"
    rate, floor = statistics.median(ours), statistics.median(bare)
    line = f"Placing {MANY} people in one request: {rate:.0f}/s, bare writes {floor:.0f}/s: {share:.0%} "
    return f"{line}({mark} {LEAST_SHARE:.0%})", share >= LEAST_SHARE


def _register(bench: Bench) -> Line:
    """The register of a class of 40 marked in one request, awards included: timed, and once more with its calls counted."""
    *held, last = [_held_class(turn) for turn in range(TURNS + 1)]
    times = [_seconds_to_mark(bench, each) for each in held]
    with bench.metered() as meter:
        _seconds_to_mark(bench, last)
    transactions = meter.calls.count("TransactWriteItems")
    mark = "within" if transactions <= REGISTER_TRANSACTIONS else "over"
    line = f"Marking a register of {REGISTER}: {transactions} transactions ({mark} {REGISTER_TRANSACTIONS})"
    line += f", {len(meter.calls)} calls, {meter.reads:g} reads, {meter.writes:g} writes"
    return f"{line}, {statistics.median(times) * 1000:.0f} ms", transactions <= REGISTER_TRANSACTIONS


def _held_class(turn: int) -> str:
    """A class that was held yesterday, with 40 people on it."""
    class_id = f"504-register-{turn}"
    _add_class(class_id, REGISTER, _add_people(f"r{turn}-", REGISTER, AWARDS), starts_in=timedelta(days=-1))
    return class_id


def _seconds_to_mark(bench: Bench, class_id: str) -> float:
    began = time.perf_counter()
    answer = bench.call("POST", f"/v1/classes/{class_id}/attendance", {"rest": "completed"})
    took = time.perf_counter() - began
    if answer["marked"] != REGISTER:
        raise Failure(f"Of {REGISTER} people were marked: {answer['marked']}")
    return took


def _contended(bench: Bench) -> Line:
    """2,000 people want 200 seats, 20 at once: each gets a seat or a place on the list, and the counters equal a recount."""
    from chalicelib.services import recount
    from chalicelib.storage import classes

    class_id = "504-wanted"
    _add_class(class_id, maximum=CONTENDED_SEATS)
    tokens = _sign_in(bench, _add_people("c", CONTENDERS, 0))
    with clients(CONTENDING_CLIENTS) as ready:
        seconds, outcomes = ready.work(bench_booking_clients.book, tokens, bench.deployment.api_url, class_id)
    wanted = Counter(confirmed=CONTENDED_SEATS, waitlisted=CONTENDERS - CONTENDED_SEATS)
    tries = outcomes.pop("tries")
    loaded = classes.class_with_seats(class_id, consistent=True)
    assert loaded is not None
    kept = (loaded[1].taken, loaded[1].waiting)
    differences = list(recount.seats("504", [class_id]))
    right = outcomes == wanted and kept == (wanted["confirmed"], wanted["waitlisted"]) and not differences
    line = (
        f"{CONTENDERS:,} people want {CONTENDED_SEATS} seats, {CONTENDING_CLIENTS} at once: "
        f"{', '.join(f'{number:,} {status}' for status, number in sorted(outcomes.items()))}; counted {kept[0]} seats and "
        f"{kept[1]:,} waiting, recount {'equal' if not differences else 'DIFFERENT'}; {tries - CONTENDERS} asked again, "
        f"{CONTENDERS / seconds:.0f}/s"
    )
    return line, right


def _next(tokens: Iterator[str], number: int) -> list[str]:
    return [next(tokens) for _ in range(number)]


def _tables() -> tuple[str, str, str]:
    return os.environ["RECORDS_TABLE"], os.environ["MESSAGES_TABLE"], os.environ["AUDIT_TABLE"]


def _sign_in(bench: Bench, people: Sequence[str]) -> list[str]:
    with ThreadPoolExecutor(4) as pool:
        return list(pool.map(lambda person: bench.sign_in(_login(person)), people))


def _login(person: str) -> str:
    return f"504-{person}"


def _add_people(prefix: str, number: int, awards: int) -> list[str]:
    """So many people who work in the bench's trust, written directly; their ids."""
    from chalicelib.domain.competency import Award, Origin
    from chalicelib.domain.people import Assignment, Employment, EmploymentKind, Person
    from chalicelib.storage import people
    from chalicelib.storage.awards import AwardRow
    from chalicelib.storage.base import Record

    today = datetime.now(UTC).date()
    since, until = today - timedelta(days=900), today + timedelta(days=300)
    ids = [f"{prefix}{each:04d}" for each in range(number)]
    held = [
        Award(f"504|LOCAL|Bench subject {each:02d} - 1 Year|", 1, since, until, Origin.TAKEOVER, "old")
        for each in range(awards)
    ]
    with Record.batch_write() as batch:
        for each in ids:
            job = Assignment("1", "u7", "pos", "job", "group", None, True, since)
            employment = Employment("504", EmploymentKind.EMPLOYEE, f"no-{each}", since)
            person = Person(each, "Bookie", "Bench", login=_login(each))
            for row in people.rows_of_joiner(person, employment, [job], []):
                batch.save(row)
            for award in held:
                batch.save(AwardRow.of(each, "504", award))
    return ids


def _add_class(
    class_id: str,
    maximum: int,
    seated: Sequence[str] = (),
    waiting: Sequence[str] = (),
    starts_in: timedelta = timedelta(days=21),
    by_need: bool = False,
) -> None:
    """A class of the bench's course with these people on it and on its waiting list, written directly."""
    from chalicelib.domain.catalogue import Grants, Mode
    from chalicelib.domain.classes import Class, ClassStatus, Session
    from chalicelib.domain.enrolment import Enrolment, HistoryRow, Need, Status
    from chalicelib.domain.message_settings import MessageSettings
    from chalicelib.storage import classes
    from chalicelib.storage.base import Record
    from chalicelib.storage.classes import SeatsRow
    from chalicelib.storage.enrolment import EnrolmentRow
    from chalicelib.storage.timers import TimerRow

    now = datetime.now(UTC)
    session = Session(now + starts_in, now + starts_in + timedelta(hours=2))
    class_ = Class(
        class_id, "504-bench", "classroom", "Bench course", Mode.CLASSROOM, ClassStatus.NORMAL,
        session.starts_at, session.ends_at, 1, maximum, "Room 1", sessions=(session,), by_need=by_need,
    )  # fmt: skip
    grants = (Grants("504|LOCAL|Bench subject 00 - 1 Year|"),)
    with Record.batch_write() as batch:
        for row in classes.rows_of_class(class_):
            if isinstance(row, SeatsRow):
                row.taken, row.waiting = len(seated), len(waiting)
            batch.save(row)
        if ahead := classes.ahead_of(class_, MessageSettings(), now):
            batch.save(TimerRow.of(ahead))
        for status, people in ((Status.CONFIRMED, seated), (Status.WAITLISTED, waiting)):
            for person in people:
                enrolment = Enrolment(
                    person, "504", class_id, 1, "504-bench", "Bench course", Mode.CLASSROOM, grants, session.starts_at,
                    session.ends_at, (session,), None, status, now, (HistoryRow(status, now, "bench"),), counted=True,
                    need=Need.RED if by_need and status is Status.WAITLISTED else None,
                )  # fmt: skip
                batch.save(EnrolmentRow.of(enrolment))


def main() -> int:
    """Measure and print; 1 if a budget that does not depend on this machine's speed is missed."""
    from infrastructure.bench import alone

    return alone(operations, rates)


if __name__ == "__main__":
    sys.exit(main())
