"""What the bench measures of catalogue and classes: see `bench.py`, which runs it.

    python -m infrastructure.bench_catalogue

alone measures nothing else.
"""

from __future__ import annotations

import itertools
import os
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from infrastructure import bench_schedule_writes

if TYPE_CHECKING:
    from infrastructure.bench import Bench, Measured

COURSES = 3_000
CLASSES_A_MONTH = 500
INDEX_SECONDS = 1
VERDICT_MICROSECONDS = 50
VERDICTS = 2_000
SEARCH_MS = 20
VERSIONS = 2
"""Reads that tell whether what is cached is still right: of rules and of the catalogue, the employer's and the nation's."""

WEEK_READS = 2
SCHEDULES = 5
MOST_TIMES_BARE = 2
SEARCHES = ("fire safety", "resusitation", "safeg child", "manual handling nurs")
"""Words as they are; misspelt; as beginnings; with a synonym."""

SUBJECTS = (
    "Fire Safety", "Resuscitation", "Moving and Handling", "Safeguarding Children", "Safeguarding Adults",
    "Conflict Resolution", "Infection Prevention", "Blood Transfusion", "Medicines Management", "Dementia Awareness",
    "Sepsis Recognition", "Falls Prevention", "Wound Care", "Diabetes", "Epilepsy", "Palliative Care", "Leadership",
    "Appraisal", "Data Security", "Food Hygiene",
)  # fmt: skip
LEVELS = (
    "Level 1", "Level 2", "Level 3", "Refresher", "Update", "Study Day", "Workshop", "Masterclass", "Essentials", "Assessment",
)  # fmt: skip
GROUPS = (
    "Nurses", "Midwives", "Porters", "Theatre Staff", "Community Teams", "Paediatric Wards", "Managers", "Students", "Doctors",
    "Pharmacists", "Therapists", "Radiographers", "Volunteers", "Clerical Staff", "New Starters",
)  # fmt: skip
"""What titles are made of: 3,000 of them."""

Row = tuple["Measured", str, bool]


def load() -> None:
    """A catalogue of 3,000 courses whose titles people could mean, and 500 classes in each of two months; written directly."""
    from chalicelib.domain.catalogue import Synonyms
    from chalicelib.domain.message_settings import MessageSettings
    from chalicelib.storage import catalogue, classes, keys, rules
    from chalicelib.storage.base import Record
    from chalicelib.storage.timers import TimerRow
    from chalicelib.storage.transaction import Transaction

    now = datetime.now(UTC)
    with Record.batch_write() as batch:
        batch.save(catalogue.SynonymsRow.of("504", Synonyms("handling", ("manual handling", "moving and handling"))))
        for course in _courses():
            for row in catalogue.rows_of_course(course):
                batch.save(row)
        for class_ in _classes(now):
            for row in classes.rows_of_class(class_):
                batch.save(row)
            if ahead := classes.ahead_of(class_, MessageSettings(), now):
                batch.save(TimerRow.of(ahead))
    transaction = Transaction()
    rules.move_version(transaction, "504", keys.CATALOGUE)
    transaction.commit()


def _courses() -> Any:
    from chalicelib.domain.access import AccessMode, AccessRule
    from chalicelib.domain.catalogue import Course, Grants, Mode, Offering
    from chalicelib.domain.requirements import Target, TargetKind

    everybody, here = AccessRule("01", AccessMode.SELF_ENROL), Target(TargetKind.UNIT, "u7")
    for number, (subject, level, group) in enumerate(itertools.product(SUBJECTS, LEVELS, GROUPS)):
        own = AccessRule("01", AccessMode.APPROVAL, (here,)) if number % 3 else everybody
        yield Course(
            f"504-bench-{number:04d}",
            f"504 {subject} {level} for {group}",
            "bench",
            f"What {group.lower()} need to know of {subject.lower()}, practised and assessed on the day.",
            60,
            (Grants(f"504|LOCAL|Bench subject {number % 60:02d} - 1 Year|"),),
            offerings=(Offering("classroom", Mode.CLASSROOM),),
            access_rules=(own,),
        )


def _classes(now: datetime) -> Any:
    from chalicelib.domain.catalogue import Mode
    from chalicelib.domain.classes import Class, ClassStatus, Session

    for number in range(2 * CLASSES_A_MONTH):
        start = now + timedelta(days=60 * number / (2 * CLASSES_A_MONTH), minutes=30)
        session = Session(start, start + timedelta(hours=3))
        yield Class(
            f"504-bench-{number:04d}", f"504-bench-{number:04d}", "classroom", f"Bench class {number}", Mode.CLASSROOM,
            ClassStatus.NORMAL, start, session.ends_at, 4, 12, f"room-{number % 20}", None, sessions=(session,),
        )  # fmt: skip


def operations(bench: Bench) -> list[Row]:
    """Searches over 3,000 courses, and a week of classes. Budgets are on reads beyond those that tell who asks."""
    load()
    who = bench.measure("Who am I", _get(bench, "/v1/me"))
    rows: list[Row] = []
    for words in SEARCHES:
        search = _get(bench, "/v1/courses?limit=20&words=" + words.replace(" ", "%20"))
        assert search(None)["courses"], f"nothing found for {words}"
        found = bench.measure(f"Search 3,000 courses: {words}", search)
        beyond = found.reads - who.reads
        row = replace(found, own_budget_ms=SEARCH_MS)
        rows.append((row, f"beyond identity {beyond:g} reads: the versions", beyond <= VERSIONS))
    week = bench.measure("Classes of the next 7 days, a page", _get(bench, "/v1/classes"))
    beyond = week.reads - who.reads
    rows.append(
        (week, f"beyond identity and versions {beyond - VERSIONS:g} ≤ 2 reads", beyond - VERSIONS <= WEEK_READS)
    )
    counted = bench.measure("Days of the next 7 days, counted", _get(bench, "/v1/class-days"))
    return [*rows, (counted, "", True)]


def _get(bench: Bench, path: str) -> Callable[[Any], Any]:
    return lambda _: bench.call("GET", path)


def rates(bench: Bench) -> list[tuple[str, bool]]:
    """Lines with what is no single call: a hundred classes at once, making the search index, and judging learner access."""
    return [_scheduling(bench), _index(), _verdict()]


def _scheduling(bench: Bench) -> tuple[str, bool]:
    """A hundred classes in one request, beside the bare transactions that they need, in turns; each time on other days."""
    records, audit = os.environ["RECORDS_TABLE"], os.environ["AUDIT_TABLE"]
    ours, bare = [], []
    for turn in range(1 + SCHEDULES):
        starts_on = bench_schedule_writes.FIRST + timedelta(days=turn * bench_schedule_writes.CLASSES)
        body = bench_schedule_writes.request("504-bench", starts_on)
        began = time.perf_counter()
        made = bench.call("POST", "/v1/class-schedules", body)
        ours.append(time.perf_counter() - began)
        assert made["total"] == bench_schedule_writes.CLASSES, made
        bare.append(bench_schedule_writes.raw_seconds(bench.dynamodb, records, audit, "504-bench", f"raw{turn}"))
    service, floor = (statistics.median(times[1:]) * 1000 for times in (ours, bare))  # the first warms up
    ratio = service / floor
    mark = "within" if ratio <= MOST_TIMES_BARE else "over"
    line = f"Scheduling {bench_schedule_writes.CLASSES} classes: {service:.0f} ms, bare writes {floor:.0f} ms: "
    return f"{line}{ratio:.2f} times ({mark} {MOST_TIMES_BARE})", ratio <= MOST_TIMES_BARE


def _index() -> tuple[str, bool]:
    from chalicelib.search import Index
    from chalicelib.storage import rules

    catalogue = rules.catalogue_now("504")
    began = time.process_time()
    Index(catalogue)
    seconds = time.process_time() - began
    mark = "within" if seconds <= INDEX_SECONDS else "over"
    return (
        f"Search index of {len(catalogue.courses):,} courses: {seconds * 1000:.0f} ms ({mark} {INDEX_SECONDS} s)",
        True,
    )


def _verdict() -> tuple[str, bool]:
    """Three rules of two targets for a learner with one assignment in a unit below others."""
    from chalicelib.domain.access import AccessMode, AccessRule, decide
    from chalicelib.domain.requirements import Target, TargetKind
    from chalicelib.services import identity
    from chalicelib.storage import rules
    from infrastructure.bench import LOGIN

    now = datetime.now(UTC)
    learner = identity.identify(LOGIN, None, now).learner
    assert learner is not None
    seen = learner.standpoints_on(now.date(), rules.rulebook("504"))
    kinds = (TargetKind.POSITION, TargetKind.JOB, TargetKind.STAFF_GROUP)
    tried = [
        AccessRule(f"{number}", AccessMode.APPROVAL, (Target(TargetKind.UNIT, "u7"), Target(kind, "another")))
        for number, kind in enumerate(kinds)
    ]
    began = time.process_time()
    for _ in range(VERDICTS):
        decide(tried, seen, now.date())
    each = (time.process_time() - began) / VERDICTS * 1e6
    mark = "within" if each <= VERDICT_MICROSECONDS else "over"
    return f"Learner access of one learner to one item: {each:.1f} µs ({mark} {VERDICT_MICROSECONDS} µs)", True


def main() -> int:
    """Measure and print; 1 if a budget that does not depend on this machine's speed is missed."""
    from infrastructure.bench import alone

    return alone(operations, rates)


if __name__ == "__main__":
    sys.exit(main())
