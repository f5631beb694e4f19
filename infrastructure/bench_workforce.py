"""What the bench measures of workforce and compliance: see `bench.py`, which runs it.

    python -m infrastructure.bench_workforce

alone measures what takes minutes: a requirement for 10,000 staff, until every snapshot and counter is exact.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from rich.console import Console

from infrastructure import import_calls

if TYPE_CHECKING:
    from infrastructure.bench import Bench, Measured

IMPORTED, AT_ONCE = 1_000, 100
"""People imported, and in turns of how many: by the service, then by the bare calls, and so on."""

LEAST_SHARE = 0.5
EVALUATIONS = 1_000
MOVES = 5
PATIENCE = 180  # seconds
VISIBLE_SECONDS = 5

Row = tuple["Measured", str, bool]


def operations(bench: Bench) -> list[Row]:
    """Projecting, a change of position, and the figures of units, with budgets that do not depend on the machine."""
    from chalicelib.services import projection
    from chalicelib.storage import rules

    def project(_: Any = None) -> None:
        projection.project("bench", "504", datetime.now(UTC))

    project()
    award = _Toggled()
    changed = bench.measure("Project somebody, a colour changed", project, award.flip)
    project()
    unchanged = bench.measure("Project somebody, nothing changed", project)
    moves = iter(range(1, 10_000))
    rulebook = rules.rulebook("504")
    move = bench.measure("Change a position", lambda _: _move(rulebook, next(moves), "u7"))
    figures = bench.measure("A unit's figures", lambda _: bench.call("GET", "/v1/units/u7/compliance"))
    with _partitions(bench) as read:
        bench.call("GET", "/v1/units/u7/compliance")
        bench.call("GET", "/v1/units")
    others = {each for each in read if each.startswith("P#") or "#UNIT#" in each} - {"P#bench"}
    return [
        (
            changed, "≤ 2 reads of the learner, 1 transaction",
            changed.calls.count("Query") <= 2 and changed.transactions == 1,
        ),
        (
            unchanged, "≤ 2 reads of the learner, none",
            unchanged.calls.count("Query") <= 2 and unchanged.transactions == 0,
        ),
        (move, "≤ 2 reads, 1 transaction", move.round_trips <= 3 and move.transactions == 1),
        (figures, "reads nobody in the unit", not others),
    ]  # fmt: skip


class _Toggled:
    """A required award of the learner that is there, or not."""

    def __init__(self) -> None:
        from chalicelib.storage.awards import AwardRow

        beginning = "E#504#AWD#504|LOCAL|Bench subject 03"
        self._row = next(iter(AwardRow.query("P#bench", AwardRow.sk.startswith(beginning))))
        self._there = True

    def flip(self) -> None:
        if self._there:
            self._row.delete()
        else:
            self._row.save()
        self._there = not self._there


def _move(rulebook: Any, sequence: int, unit: str) -> None:
    """The learner holds the other position from today on, in this unit."""
    from chalicelib.domain.workforce import AssignmentSection, Change
    from chalicelib.services import workforce
    from infrastructure.bench import POSITIONS

    now = datetime.now(UTC)
    post = AssignmentSection("1", now.date(), None, unit, POSITIONS[sequence % 2], "job", "group")
    change = Change(f"bench-{sequence}", sequence, "20000001", assignments=[post])
    state = workforce.apply("system:bench", "504", change, rulebook, now).state
    assert state == "accepted", state


@contextmanager
def _partitions(bench: Bench) -> Iterator[set[str]]:
    """The partitions that are queried inside."""
    direct, read = bench.dynamodb._make_api_call, set[str]()

    def call(operation: str, request: dict[str, Any]) -> Any:
        if operation == "Query":
            read.update(value["S"] for value in request["ExpressionAttributeValues"].values() if "S" in value)
        return direct(operation, request)

    bench.dynamodb._make_api_call = call
    try:
        yield read
    finally:
        bench.dynamodb._make_api_call = direct


def rates(bench: Bench) -> list[tuple[str, bool]]:
    """Lines to print, and whether the budget of each is kept; times of this machine are only shown."""
    visible = visible_seconds(bench)  # first: the functions have little to catch up with
    per_second, bare = import_rates(bench)
    share = per_second / bare
    return [
        (f"Evaluating a learner, 25 requirements and 60 awards: {evaluation_ms():.2f} ms (budget 1)", True),
        (
            f"Importing people: {per_second:.0f} a second, {share:.0%} of the emulator's own {bare:.0f} for the bare calls "
            f"(budget {LEAST_SHARE:.0%})",
            share >= LEAST_SHARE,
        ),
        (
            f"A move is in the figures of both units after {visible:.1f} s (budget {VISIBLE_SECONDS})",
            True,
        ),
    ]


def evaluation_ms() -> float:
    """Milliseconds of judging the bench's learner, requirements resolved anew each time; the median."""
    from chalicelib.storage import learner, rules
    from infrastructure.bench import AWARDS

    rulebook, found, today = rules.rulebook("504"), learner.learner("bench", "504"), datetime.now(UTC).date()
    assert found is not None
    times = []
    for _ in range(EVALUATIONS):
        began = time.perf_counter()
        judged = found.compliance_on(today, rulebook)
        times.append(time.perf_counter() - began)
    assert len(judged) == AWARDS
    return statistics.median(times) * 1000


def import_rates(bench: Bench) -> tuple[float, float]:
    """People a second: through the service, and by the bare calls that somebody new needs; in turns, one after the other each."""
    from chalicelib.domain.people import EmploymentKind
    from chalicelib.domain.workforce import AssignmentSection, Change, PersonSection, ServiceSection
    from chalicelib.services import workforce
    from chalicelib.storage import rules

    rulebook, start = rules.rulebook("504"), date(2026, 1, 1)

    def import_one(number: str) -> None:
        change = Change(
            f"joined-{number}", 1, number,
            PersonSection("Robin", "Probe", "Mx", f"robin.probe.{number}@trust.invalid", f"504-{number}"),
            ServiceSection(EmploymentKind.EMPLOYEE, start),
            [AssignmentSection(number, start, None, f"u{int(number) % 400}", "pos", "job", "group", "20000001")],
        )  # fmt: skip
        outcome = workforce.apply("system:bench", "504", change, rulebook, datetime.now(UTC))
        assert outcome.state == "accepted", outcome

    def call_bare(number: str) -> None:
        for operation, request in import_calls.calls(number, f"u{int(number) % 400}", "20000001"):
            bench.dynamodb._make_api_call(operation, request)

    def seconds(work: Callable[[str], None], first: int) -> float:
        began = time.perf_counter()
        for number in range(first, first + AT_ONCE):
            work(str(number))
        return time.perf_counter() - began

    ours = bare = 0.0
    for first in range(0, IMPORTED, AT_ONCE):
        ours += seconds(import_one, 70_000_000 + first)
        bare += seconds(call_bare, 80_000_000 + first)
    return IMPORTED / ours, IMPORTED / bare


def visible_seconds(bench: Bench) -> float:
    """Seconds from a move to the figures of both units, through stream and projector as deployed; the slowest of some."""
    from chalicelib.storage import projection, rules

    def held(unit: str) -> int:
        counts = projection.counters("504", consistent=True).get(unit)
        return counts.assignments if counts else 0

    bench.let_functions_run(True)
    rulebook = rules.rulebook("504")
    slowest = 0.0
    for turn in range(MOVES + 1):
        old, new = ("u7", "u8") if turn % 2 == 0 else ("u8", "u7")
        before = held(old), held(new)
        began = time.monotonic()
        _move(rulebook, 20_000 + turn, new)
        while (held(old), held(new)) != (before[0] - 1, before[1] + 1):
            if time.monotonic() - began > PATIENCE:
                raise TimeoutError("The move was not projected.")
            time.sleep(0.02)
        if turn:  # the first waits for everything before it, and for the function to start
            slowest = max(slowest, time.monotonic() - began)
    bench.let_functions_run(False)
    return slowest


# --- a requirement for everybody --------------------------------------------------------------------------------------

STAFF, LARGE_SECONDS = 10_000, 180


def load_staff(staff: int) -> None:
    """Snapshots of so many people in the bench's units, with 25 required competencies and as many awards in every colour."""
    from chalicelib.domain.competency import Award, Origin
    from chalicelib.domain.learner import Learner
    from chalicelib.domain.people import Assignment, Employment, EmploymentKind, Person
    from chalicelib.domain.projection import facts_of, judge
    from chalicelib.storage import projection, rules
    from chalicelib.storage.base import Record
    from infrastructure.bench import POSITIONS, UNITS

    rulebook, today = rules.rulebook("504"), datetime.now(UTC).date()
    since = today - timedelta(days=900)
    names = sorted(rulebook.competencies)[:25]

    def learner(number: int) -> Learner:
        awards = [
            Award(name, 1, since, today + timedelta(days=(number * 7 + place * 31) % 400 - 30), Origin.TAKEOVER, "old")
            for place, name in enumerate(names)
        ]
        post = Assignment(f"{number}", f"u{number % UNITS}", POSITIONS[0], "job", "group", None, True, since)
        employment = Employment("504", EmploymentKind.EMPLOYEE, f"{number}", since)
        return Learner(Person(f"staff-{number}", "Sam", "Ple"), "504", employment, (post,), (), tuple(awards))

    snapshots = [judge(facts, rulebook, today) for number in range(staff) for facts in facts_of(learner(number), today)]
    with Record.batch_write() as batch:
        for row in projection.first_rows(snapshots):
            batch.save(row)


def wait_for_jobs() -> None:
    """Until no job of the employer runs any more."""
    from chalicelib.domain.jobs import JobState
    from chalicelib.services import jobs

    deadline = time.monotonic() + 2 * LARGE_SECONDS
    while any(each.state is JobState.RUNNING for each in jobs.page("504", 20, None)[0]):
        if time.monotonic() > deadline:
            raise TimeoutError("The job was not finished.")
        time.sleep(0.2)


def differences() -> tuple[int, int]:
    """Snapshots of all units, and how many of them or of the counters are not what judging and adding up again gives."""
    from chalicelib.domain.projection import NOTHING, Counts, judge
    from chalicelib.storage import projection, rules

    rules.forget()
    rulebook, today = rules.rulebook("504"), datetime.now(UTC).date()
    found = wrong = 0
    totals: dict[str, Counts] = {}
    rows: dict[tuple[str, str], Counts] = {}
    for unit in rulebook.units:
        after: Any = None
        while True:
            page, after = projection.snapshots_of_unit("504", unit, 100, after)
            for kept in page:
                again = judge(kept.facts, rulebook, today)
                wrong += not kept.says_the_same_as(again, today)
                totals[unit] = totals.get(unit, NOTHING) + again.total
                for name, counts in again.by_competency.items():
                    rows[unit, name] = rows.get((unit, name), NOTHING) + counts
            found += len(page)
            if after is None:
                break
    kept_totals = projection.counters("504", consistent=True)
    kept_rows = {
        (unit, name): counts
        for unit, own in projection.counters_by_competency("504", consistent=True).items()
        for name, counts in own.items()
    }
    wrong += sum(kept_totals.get(unit, NOTHING) != totals.get(unit, NOTHING) for unit in {*kept_totals, *totals})
    wrong += sum(kept_rows.get(at, NOTHING) != rows.get(at, NOTHING) for at in {*kept_rows, *rows})
    return found, wrong


def main() -> int:
    """Measure a requirement for everybody, through the functions as deployed; 1 if it is not exact in time."""
    from chalicelib.domain.requirements import Requirement, Target, TargetKind
    from infrastructure.bench import Bench
    from infrastructure.local import emulator, settings
    from infrastructure.local.deploy import deploy
    from infrastructure.package import package

    console = Console()
    with emulator.private() as running:
        parameters = settings.PARAMETERS | {"CognitoEndpoint": running.endpoint}
        bench = Bench(running, deploy(running, package(settings.STAGE), settings.STACK, parameters))
        from chalicelib.services import competence
        from chalicelib.storage import rules

        with console.status(f"Loading {STAFF:,} staff …"):
            load_staff(STAFF)
            bench.let_functions_run(True)
            wait_for_jobs()
        with console.status("A requirement for everybody …"):
            now, last = datetime.now(UTC), max(rules.rulebook("504").competencies)
            wanted = Requirement(Target(TargetKind.EMPLOYER, "504"), last, 1, now.date())
            began = time.monotonic()
            competence.require("system:bench", "504", [wanted], now)
            wait_for_jobs()
            seconds = time.monotonic() - began
        found, wrong = differences()
    console.print(
        f"A requirement for {STAFF:,} staff: {found:,} snapshots and all counters follow in {seconds:.0f} s "
        f"(budget {LARGE_SECONDS}), with {wrong} differences from judging and counting again"
    )
    return 0 if not wrong and found >= STAFF and seconds <= LARGE_SECONDS else 1


if __name__ == "__main__":
    sys.exit(main())
