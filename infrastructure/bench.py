"""Measure the service against its budgets, beside the emulator's own floor in the same run.

    python -m infrastructure.bench

A private emulator gets the deployed stack; the routes run in this process, so that a call's own time can be told apart from the
time it waits for DynamoDB: *floor* is that waiting, *own* is the processor time of everything else. Units are computed from real
item sizes by AWS's rule (`capacity.py`), since no emulator counts them right. The exit status is 1 if a budget that does not depend
on this machine's speed is missed; times are printed beside their budgets.
"""

import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from rich.console import Console
from rich.table import Table

from infrastructure import Failure, bench_bookings, bench_catalogue, bench_messages, bench_workforce
from infrastructure.capacity import Item, Meter
from infrastructure.local import emulator as emulators
from infrastructure.local import memory, settings, startup
from infrastructure.local.deploy import Deployment, deploy
from infrastructure.local.emulator import Emulator
from infrastructure.package import Artefact, package

ROUNDS = 150
OWN_MS = 10
"""Budget of My Compliance, in milliseconds above the floor."""

WARM_UP = 10
LOGIN, PASSWORD = "504-bench", "Bench-only-504-Trust!"
UNITS, RULES_A_UNIT, AWARDS, ENROLMENTS = 400, 5, 60, 10
POSITIONS = ("pos", "pos-2")

console = Console()


@dataclass(frozen=True)
class Measured:
    """One operation, median of many rounds."""

    name: str
    calls: list[str]
    reads: float
    writes: float
    own_ms: float
    floor_ms: float
    own_budget_ms: float = OWN_MS

    @property
    def round_trips(self) -> int:
        """Calls of DynamoDB."""
        return len(self.calls)

    @property
    def transactions(self) -> int:
        """Calls that write."""
        return sum(call not in ("Query", "GetItem", "BatchGetItem") for call in self.calls)

    @property
    def total_ms(self) -> float:
        """What the service takes, and what it waits for DynamoDB."""
        return self.own_ms + self.floor_ms


Row = tuple[Measured, str, bool]
"""An operation, its budget in words, and whether that is kept."""

Line = tuple[str, bool]
"""What else was measured, in words, and whether its budget is kept."""


@dataclass
class Waited:
    """What calls took: seconds, and of these how long this process worked to send and to read."""

    seconds: float = 0
    processor_seconds: float = 0


class Bench:
    """The application on a private emulator, with one learner in a large trust."""

    def __init__(self, running: Emulator, deployment: Deployment) -> None:
        os.environ.update(running.environment | deployment.environment())
        # Imported now: the application reads table names from the environment.
        from chalice.test import Client

        import app
        from chalicelib import observability
        from chalicelib.storage import base

        observability.logger.setLevel("ERROR")
        self.http = Client(app.app).http
        self.running = running
        self.deployment = deployment
        self.dynamodb: Any = base.connection.client
        self.cognito = running.client("cognito-idp")
        self.let_functions_run(False)  # what they do in the background would be measured, too
        load_trust()
        self.token = self.sign_in(LOGIN)

    def sign_in(self, login: str) -> str:
        """An access token of a login that is new to the pool."""
        who = {"UserPoolId": self.deployment.outputs["UserPoolId"], "Username": login}
        self.cognito.admin_create_user(**who, TemporaryPassword=PASSWORD, MessageAction="SUPPRESS")
        self.cognito.admin_set_user_password(**who, Password=PASSWORD, Permanent=True)
        given = {"USERNAME": login, "PASSWORD": PASSWORD}
        client = os.environ["COGNITO_CLIENT_ID"]
        answer = self.cognito.initiate_auth(ClientId=client, AuthFlow="USER_PASSWORD_AUTH", AuthParameters=given)
        return str(answer["AuthenticationResult"]["AccessToken"])

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """One request; fails loudly, since a refusal would be quick and prove nothing."""
        import json

        headers = {"Content-Type": "application/json"}
        if hasattr(self, "token"):
            headers["Authorization"] = f"Bearer {self.token}"
        answer = self.http.request(method, path, headers=headers, body=json.dumps(body).encode() if body else b"")
        if answer.status_code >= 300:
            raise Failure(f"{method} {path} answered {answer.status_code}: {answer.body.decode()}")
        return answer.json_body

    def let_functions_run(self, enabled: bool) -> None:
        """Let the deployed functions take events from stream and queues, or leave these lying."""
        functions = self.running.client("lambda")
        for mapping in functions.list_event_source_mappings()["EventSourceMappings"]:
            functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=enabled)

    def forget(self, made: dict[str, Any]) -> None:
        """Take an enrolment out of the learner's records, so that every round finds the same."""
        class_id, _, attempt = made["id"].partition("~")
        key = {"pk": {"S": "P#bench"}, "sk": {"S": f"E#504#ENR#{class_id}#{int(attempt):03d}"}}
        self.dynamodb.delete_item(TableName=os.environ["RECORDS_TABLE"], Key=key)

    @contextmanager
    def metered(self) -> Iterator[Meter]:
        """Count and time every DynamoDB call made inside."""
        direct = self.dynamodb._make_api_call

        def lookup(table: str, key: Item) -> Item:
            found: Item = direct("GetItem", {"TableName": table, "Key": key, "ConsistentRead": True}).get("Item", {})
            return found

        meter = Meter(lookup)
        self.dynamodb._make_api_call = lambda operation, request: meter.measured(direct, operation, request)
        try:
            yield meter
        finally:
            self.dynamodb._make_api_call = direct

    def measure(
        self,
        name: str,
        work: Callable[[Any], Any],
        before: Callable[[], Any] = lambda: None,
        after: Callable[[Any], Any] = lambda _: None,
    ) -> Measured:
        """Medians over many rounds; units and round trips from one of them, which is like every other.

        `before` prepares what `work` is given and `after` undoes what it did, both outside the measurement.
        """
        for _ in range(WARM_UP):
            after(work(before()))
        given = before()
        with self.metered() as counted:
            result = work(given)
        after(result)
        owns, floors = [], []
        for _ in range(ROUNDS):
            given = before()
            with self.timed() as within_calls:
                began = time.process_time()
                result = work(given)
                took = time.process_time() - began
            after(result)
            floors.append(within_calls.seconds * 1000)
            owns.append((took - within_calls.processor_seconds) * 1000)
        own, floor = statistics.median(owns), statistics.median(floors)
        return Measured(name, counted.calls, counted.reads, counted.writes, own, floor)

    @contextmanager
    def timed(self) -> Iterator[Waited]:
        """The time spent in calls of DynamoDB inside."""
        direct = self.dynamodb._make_api_call
        waited = Waited()

        def call(operation: str, request: dict[str, Any]) -> Any:
            began, worked = time.perf_counter(), time.process_time()
            try:
                return direct(operation, request)
            finally:
                waited.seconds += time.perf_counter() - began
                waited.processor_seconds += time.process_time() - worked

        self.dynamodb._make_api_call = call
        try:
            yield waited
        finally:
            self.dynamodb._make_api_call = direct


def load_trust() -> None:
    """A trust of 400 units and 2,000 requirements, in which one learner holds 60 awards and has ten enrolments."""
    from chalicelib.domain.access import AccessMode, AccessRule
    from chalicelib.domain.catalogue import Course, Grants, Mode, Offering
    from chalicelib.domain.classes import Class, ClassStatus, Session
    from chalicelib.domain.competency import Award, Competency, Origin
    from chalicelib.domain.enrolment import Enrolment, HistoryRow, Status
    from chalicelib.domain.learner import RoleGrant
    from chalicelib.domain.people import Assignment, Employment, EmploymentKind, Person, Unit
    from chalicelib.domain.permissions import Role
    from chalicelib.domain.requirements import Requirement, Target, TargetKind
    from chalicelib.services import catalogue_items, classes, competence, takeover, workforce
    from chalicelib.storage.people import GrantRow

    now, today, by = datetime.now(UTC), datetime.now(UTC).date(), "system:bench"
    names = [f"504|LOCAL|Bench subject {number:02d} - 1 Year|" for number in range(AWARDS)]
    units = [
        Unit("504", "Bench Trust", None),
        *(Unit(f"u{number}", f"Unit {number}", "504") for number in range(UNITS)),
    ]
    posts = [
        *((Target(TargetKind.POSITION, post), f"Post {post}") for post in POSITIONS),
        (Target(TargetKind.JOB, "job"), "Job"),
        (Target(TargetKind.STAFF_GROUP, "group"), "Staff group"),
    ]
    workforce.define_structure(by, "504", workforce.Structure("Bench Trust", units, posts), now)
    competence.define_competencies(
        by, "504", [Competency(each, each.split("|")[2], "Bench", 12) for each in names], now
    )
    employer = Target(TargetKind.EMPLOYER, "504")
    since = today - timedelta(days=900)
    rules = [Requirement(employer, each, 1, since) for each in names[:20]]
    for number in range(UNITS):
        unit = Target(TargetKind.UNIT, f"u{number}")
        rules += [Requirement(unit, each, 1, since) for each in names[20 : 20 + RULES_A_UNIT]]
    competence.require(by, "504", rules, now)

    open_to_all = (AccessRule("01", AccessMode.SELF_ENROL),)
    course = Course("504-bench", "Bench course", "bench", "…", 60, (Grants(names[0]),), access_rules=open_to_all)
    course_with = Offering("classroom", Mode.CLASSROOM)
    catalogue_items.add_course(by, Course(**{**_fields(course), "offerings": (course_with,)}), now)
    starts = now + timedelta(days=14)
    session = Session(starts, starts + timedelta(hours=2))
    classes.add_class(
        by,
        Class(
            "504-c1", "504-bench", "classroom", "Bench course", Mode.CLASSROOM, ClassStatus.NORMAL,
            session.starts_at, session.ends_at, 1, 500, "Room 1", None, None, None, (session,),
        ),
        now,
    )  # fmt: skip
    person = Person("bench", "Ben", "Chmark", email="bench@trust.invalid", login=LOGIN)
    job = Assignment("1", "u7", POSITIONS[0], "job", "group", None, True, since)
    joiner = workforce.Joiner(person, Employment("504", EmploymentKind.EMPLOYEE, "20000001", since), [job])
    workforce.join(by, joiner, now)
    GrantRow.of(RoleGrant("bench", "504", Role.LEARNING_ADMINISTRATOR)).save()
    awards = [
        Award(
            each,
            1,
            today - timedelta(days=10 * number),
            today + timedelta(days=365 - 10 * number),
            Origin.TAKEOVER,
            "old",
        )
        for number, each in enumerate(names)
    ]
    past = [
        Enrolment(
            "bench", "504", f"504-old{number}", 1, "504-bench", "Bench course", Mode.E_LEARNING, (Grants(names[0]),),
            None, None, (), None, Status.COMPLETED, now, (HistoryRow(Status.COMPLETED, now, "bench"),),
        )
        for number in range(ENROLMENTS)
    ]  # fmt: skip
    takeover.take_over(by, "504", "bench", awards, past, now)


def _fields(course: Any) -> dict[str, Any]:
    return {name: getattr(course, name) for name in course.__slots__}


def operations(bench: Bench) -> list[Row]:
    """Each operation with its budget in words and whether units and round trips keep to it."""

    def get(path: str) -> Callable[[Any], Any]:
        return lambda _: bench.call("GET", path)

    compliance = bench.measure("My Compliance, 60 awards, 2,000 rules", get("/v1/me/compliance"))
    return [
        (compliance, "≤ 3 trips, ≤ 6 reads", compliance.round_trips <= 3 and compliance.reads <= 6),
        (bench.measure("Course with its classes", get("/v1/courses/504-bench")), "", True),
        (bench.measure("Class with its places", get("/v1/classes/504-c1")), "", True),
        (bench.measure("Search the catalogue", get("/v1/courses?words=bench")), "", True),
        (bench.measure("Inbox", get("/v1/me/notifications")), "", True),
    ]


def show(measured: list[Row]) -> bool:
    """Print the operations; whether every budget on units and round trips is kept."""
    table = Table(title=f"Median of {ROUNDS}; reads and writes in AWS units; milliseconds on this machine")
    for heading in ("Operation", "Trips", "Reads", "Writes", "Total", "Floor", "Own", "Budget"):
        table.add_column(heading, justify="left" if heading in ("Operation", "Budget") else "right")
    for each, budget, kept in measured:
        numbers = (each.round_trips, each.reads, each.writes)
        times = (each.total_ms, each.floor_ms, each.own_ms)
        mark = "" if not budget else " [green]kept[/]" if kept else " [red]missed[/]"
        slow = budget and each.own_ms > each.own_budget_ms
        own = f" · own {'[yellow]over' if slow else '[green]within'}[/] {each.own_budget_ms:g} ms" if budget else ""
        table.add_row(each.name, *(f"{n:g}" for n in numbers), *(f"{t:.1f}" for t in times), budget + mark + own)
    console.print(table)
    return all(kept for _, _, kept in measured)


@contextmanager
def deployed(artefact: Artefact) -> Iterator[Bench]:
    """A bench on a private emulator with this artefact deployed."""
    with emulators.private() as running, console.status("Deploying and measuring …"):
        parameters = settings.PARAMETERS | {"CognitoEndpoint": running.endpoint}
        yield Bench(running, deploy(running, artefact, settings.STACK, parameters))


def shown(measured: list[Row], lines: list[Line]) -> bool:
    """Print all of it; whether every budget is kept that does not depend on this machine's speed."""
    kept = show(measured)
    for line, within in lines:
        console.print(line, highlight=False)
        kept &= within
    return kept


def alone(operations: Callable[[Bench], list[Row]], rates: Callable[[Bench], list[Line]]) -> int:
    """Measure and print one part of the bench; 1 if a budget is missed that does not depend on this machine's speed."""
    with deployed(package(settings.STAGE)) as bench:
        measured, lines = operations(bench), rates(bench)
    return 0 if shown(measured, lines) else 1


def main() -> int:
    """Measure and print; 1 if a budget on units, round trips or size is missed."""
    with console.status("Packaging …"):
        artefact = package(settings.STAGE)
    with deployed(artefact) as bench:
        measured = operations(bench) + bench_messages.operations(bench)
        rates = bench_messages.rates(bench)  # while there is little that the functions have to catch up with
        measured += bench_bookings.operations(bench)
        rates += bench_bookings.rates(bench)
        measured += bench_workforce.operations(bench)
        rates += bench_workforce.rates(bench)
        measured += bench_catalogue.operations(bench)
        rates += bench_catalogue.rates(bench)
    kept = shown(measured, rates)
    whole, libraries = (statistics.median(times) for times in zip(*startup.import_milliseconds(artefact), strict=True))
    console.print(
        f"Import of the API from the zip: {whole:.0f} ms of processor time (budget 200), of which libraries {libraries:.0f}"
    )
    console.print(f"Zip: {artefact.size_mb():.1f} MB (budget 12)")
    processes = memory.of_running_service()
    idle = (
        f"{sum(processes.values()):.0f} MB (budget 400)"
        if processes
        else "not running; start `make run` elsewhere to have it measured"
    )
    console.print(f"Local stack, all processes: {idle}")
    return 0 if kept and artefact.size_mb() <= 12 else 1


if __name__ == "__main__":
    sys.exit(main())
