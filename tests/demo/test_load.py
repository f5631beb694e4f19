"""Loading the demo trust: complete, counted right, repeatable, and the same whichever way it is done.

Against a private emulator: moto copies a whole table for each transaction, which takes minutes for a trust.
"""

import io
import json
import re
from collections import defaultdict
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

import msgspec
import pytest
from pynamodb.models import BatchWrite
from rich.console import Console

from app import app
from chalicelib.domain.calendar import london_day, london_time
from chalicelib.domain.compliance import Rate
from chalicelib.domain.enrolment import Status
from chalicelib.domain.errors import PrerequisiteMissing
from chalicelib.domain.people import NATIONAL
from chalicelib.domain.permissions import Capability, Role
from chalicelib.domain.projection import NOTHING
from chalicelib.handlers.http import OPERATIONS
from chalicelib.recurrence import bank_holiday
from chalicelib.services import catalogue, enrolment, identity
from chalicelib.storage import base, learner, projection, rules
from chalicelib.storage import classes as stored_classes
from chalicelib.storage.awards import AwardRow
from chalicelib.storage.transaction import Transaction
from infrastructure import tables
from infrastructure.demo import load
from infrastructure.demo.classes_to_try import schedule_to_try
from infrastructure.demo.load_check import check, sample
from infrastructure.demo.load_mapping import map_trust
from infrastructure.demo.load_progress import Steps
from infrastructure.demo.load_sign_ins import PASSWORD, WHAT_TO_TRY, class_to_book
from infrastructure.demo.reading import load_facts
from infrastructure.local import emulator, settings
from infrastructure.local.lines import lines_to_try

from .conftest import TODAY, Recount, plan

# All in one worker, so that trusts are loaded once.
pytestmark = [pytest.mark.emulator, pytest.mark.xdist_group("demo load")]

STAFF = 100
NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
STACK = "esr-learning-test"
FIRST_ADMINISTRATOR = "first.administrator"
EMPLOYEE = "504-20050028"


class Killed(BaseException):
    """The process ends here."""


class Store:
    """The tables of a private emulator."""

    def __init__(self, running):
        self.running = running
        self.dynamodb = running.client("dynamodb")

    def empty(self):
        for definition in tables.definitions(STACK):
            if definition["TableName"] in self.dynamodb.list_tables()["TableNames"]:
                self.dynamodb.delete_table(TableName=definition["TableName"])
            self.dynamodb.create_table(**definition)
        rules.forget()

    def rows(self):
        """Everything in every table."""
        return {
            (definition["TableName"], row["pk"]["S"], row["sk"]["S"]): row
            for definition in tables.definitions(STACK)
            for page in self.dynamodb.get_paginator("scan").paginate(TableName=definition["TableName"])
            for row in page["Items"]
        }


@pytest.fixture(scope="module")
def store():
    with pytest.MonkeyPatch.context() as patch, emulator.private() as running:
        patch.setenv("AWS_ENDPOINT_URL", running.endpoint)
        patch.setenv("FIRST_ADMINISTRATOR", FIRST_ADMINISTRATOR)
        base.connection._client = None
        yield Store(running)
        base.connection._client = None


@pytest.fixture
def empty(store):
    store.empty()
    return store


@dataclass
class Loaded:
    """A trust as it can be read back after it was loaded, and every row then and after a second load."""

    learners: dict
    classes: dict
    snapshots: dict
    counters: tuple
    rulebook: object
    catalogue: object
    rows: dict
    rows_after_second_load: dict
    findings: object
    to_book: object


@pytest.fixture(scope="module")
def through_services(store):
    return loaded(store, in_bulk=False)


@pytest.fixture(scope="module")
def bulk(store):
    return loaded(store, in_bulk=True)


def loaded(store, *, in_bulk):
    store.empty()
    content = load_trust(in_bulk=in_bulk)
    rows = store.rows()
    load_trust(in_bulk=in_bulk, now=NOW + timedelta(minutes=5))
    rulebook, known = rules.rulebook_and_catalogue("504")
    return Loaded(
        **read_back(content),
        rulebook=replace(rulebook, version=(0, 0)),
        catalogue=replace(known, version=(0, 0)),
        rows=rows,
        rows_after_second_load=store.rows(),
        findings=check(content, NOW, quiet()),
        to_book=class_to_book(content, EMPLOYEE, NOW),
    )


def load_trust(*, in_bulk, workers=3, now=NOW):
    return load.load(plan(STAFF), now, quiet(workers), in_bulk=in_bulk)


def quiet(workers=3):
    return Steps(Console(file=io.StringIO()), workers)


def read_back(content):
    people = [each.person for each in content.newcomers]
    snapshots = {person: projection.snapshots_of(person, "504") for person in people}
    return {
        "snapshots": {
            person: [replace(each, revision=0, version=(0, 0)) for each in own] for person, own in snapshots.items()
        },
        "counters": (projection.counters("504"), without_zeros(projection.counters_by_competency("504"))),
        "learners": {each.person: learner.learners(each.person, consistent=True) for each in content.newcomers},
        "classes": {each.id: stored_classes.class_with_seats(each.id, consistent=True) for each in content.classes},
    }


def without_zeros(counters):
    """Counters that came to be nothing again are as good as none."""
    return {unit: {name: each for name, each in own.items() if each != NOTHING} for unit, own in counters.items()}


# --- what is there afterwards -----------------------------------------------------------------------------------------


def test_every_seat_counted_again_is_a_seat_that_is_kept(through_services):
    assert through_services.findings.seats == ()
    assert through_services.findings.units == ()
    assert sum(seats.taken for _, seats in through_services.classes.values()) == sum(
        each.status in ("Confirmed", "Completed", "Attended – Not Completed", "Did Not Attend")
        for each in plan(STAFF).enrolments
    )
    assert sum(seats.waiting for _, seats in through_services.classes.values()) == 7


def test_everybody_is_there_with_everything_they_brought_along(through_services):
    trust, records = plan(STAFF), through_services.learners
    assert through_services.findings.incomplete == ()
    assert records.keys() == {person.id for person in trust.organisation.people}
    at_trust = [each["504"] for each in records.values()]
    assert sum(len(each.assignments) for each in at_trust) == len(trust.organisation.assignments)
    assert sum(len(each.awards) for each in at_trust) == len(trust.awards)
    assert sum(len(each.enrolments) for each in at_trust) == len(trust.enrolments)


def test_compliance_as_the_application_sees_it_is_what_the_plan_says(through_services):
    trust = plan(STAFF)
    recount = Recount(trust)
    required = defaultdict(set)
    for assignment in trust.organisation.assignments:  # an applicant's count from the offer, and nobody's has ended
        required[assignment.person_id] |= recount.required(assignment)
    for group in trust.organisation.learner_groups:
        for member in group.member_ids:
            required[member] |= recount._targets["learner group", group.id]
    colours = [recount.colour(person, name) for person, names in required.items() for name in names]
    red = sum(colour.startswith("red") for colour in colours)
    assert through_services.findings.compliance == Rate(len(colours), len(colours) - red)


def test_a_completed_class_is_where_its_award_came_from(through_services):
    for records in through_services.learners.values():
        for each in records["504"].enrolments:
            awards = [award for award in records["504"].awards if award.source == each.id]
            assert bool(awards) == (each.status is Status.COMPLETED)
            assert {award.awarded_on for award in awards} <= {london_day(each.ends_at)}


def test_each_e_learning_offering_has_a_class_without_dates_and_without_a_limit(through_services):
    offered = {
        offering.id
        for course in through_services.catalogue.courses.values()
        for offering in course.offerings
        if offering.mode == "e-learning"
    }
    undated = {each.offering: seats for each, seats in through_services.classes.values() if each.starts_at is None}
    assert undated.keys() == offered
    assert all(seats.maximum is None for seats in undated.values())


def test_the_catalogue_has_a_tree_of_subjects_a_register_of_venues_synonyms_and_a_path(through_services):
    catalogue = through_services.catalogue
    assert catalogue.subject_and_above("medicines") == ("medicines", "clinical")
    venues = {class_.venue for class_, _ in through_services.classes.values() if class_.venue}
    assert len(venues) > 3
    assert venues <= catalogue.venues.keys()
    assert any("CPR" in synonyms.words for synonyms in catalogue.synonyms)
    assert "CRT" in catalogue.courses["NHS-conflict-resolution"].also_called
    (path,) = catalogue.paths.values()
    assert {course for section in path.sections for course in section.courses} <= catalogue.courses.keys()


def test_a_level_comes_after_the_one_below_it(through_services):
    courses = through_services.catalogue.courses
    (before,) = courses["504-child-ils"].prerequisites
    assert before.mandatory
    assert before.id in {grant.competency for grant in courses["504-child-bls"].grants}


def test_those_who_run_classes_have_some(through_services):
    """The class administrator in their subjects, the instructor as such."""
    class_administrator, instructor = (
        identity.identify(each.login, "504", NOW)
        for role in ("class administrator", "instructor")
        for each in plan(STAFF).organisation.sign_ins
        if each.role == role
    )
    catalogue = through_services.catalogue
    reached = [
        (class_administrator.reaches(Capability.EDIT_CLASSES, catalogue.courses[class_.course].subject, catalogue),
         class_.instructor == instructor.person)
        for class_, _ in through_services.classes.values()
    ]  # fmt: skip
    assert 0 < sum(reaches for reaches, _ in reached) < len(reached)
    assert any(own for _, own in reached)


def test_only_the_latest_bookings_tell_somebody(through_services):
    told = told_of(through_services, "enrolment.confirmed")
    assert len(told) == 12
    assert "P20050028" in {row["person"]["S"] for row in told}, "the demo employee's inbox has something in it"
    assert len(told_of(through_services, "enrolment.waitlisted")) == 7, "everybody knows their place on a list"
    asked = [
        each
        for records in through_services.learners.values()
        for each in records["504"].enrolments
        if each.status is Status.REQUESTED
    ]
    manager = next(each.person_id for each in plan(STAFF).organisation.sign_ins if each.role == "manager")
    asking_the_manager = {each.person for each in asked if each.approver == manager}
    assert len(asking_the_manager) >= 2
    assert {row["person"]["S"] for row in told_of(through_services, "enrolment.requested")} == asking_the_manager
    assert all(each.approver for each in asked), "others asked in the system used before"


def told_of(loaded, kind):
    return [row for row in loaded.rows.values() if row.get("type", {}).get("S") == kind]


def test_what_follows_from_enrolments_is_there_too(through_services, bulk):
    """Absences are counted by month, requests are reminded of, and every class to come rings before and when it starts."""
    enrolments = [each for records in through_services.learners.values() for each in records["504"].enrolments]
    absent = [each for each in enrolments if each.status is Status.DID_NOT_ATTEND]
    requests = [each for each in enrolments if each.status is Status.REQUESTED]
    dated = [class_ for class_, _ in through_services.classes.values() if class_.starts_at]
    rings = [row["sk"]["S"] for row in of_kind(through_services, "timer")]
    ahead = sorted(each for each in rings if "#class ahead#" in each)
    assert 0 < len(ahead) <= len(dated)
    for loaded in (through_services, bulk):
        assert len(of_kind(loaded, "absence")) == len(absent) > 0
        timers = [row["sk"]["S"] for row in of_kind(loaded, "timer")]
        assert sum("#class start#" in each for each in timers) == len(dated)
        assert sorted(each for each in timers if "#class ahead#" in each) == ahead
        assert sum("#approval#" in each for each in timers) == 2 * len(requests)
        assert not [each for each in timers if "#approval#" in each and each < f"{NOW:%Y-%m-%dT%H}"], "nobody is late"


def of_kind(loaded, kind):
    return [row for row in loaded.rows.values() if row.get("kind", {}).get("S") == kind]


def test_roles_are_granted_where_they_belong(through_services):
    held = {
        (grant.employer, grant.role)
        for records in through_services.learners.values()
        for each in records.values()
        for grant in each.grants
    }
    assert held == {
        (NATIONAL, Role.NATIONAL_ADMINISTRATOR),
        ("504", Role.LEARNING_ADMINISTRATOR),
        ("504", Role.CLASS_ADMINISTRATOR),
        ("504", Role.INSTRUCTOR),
        ("504", Role.WORKFORCE_FEED),
    }


def test_the_demo_employee_can_book_the_class_that_is_printed(empty):
    content = load_trust(in_bulk=True)
    to_book = class_to_book(content, EMPLOYEE, NOW)
    assert TODAY + timedelta(days=7) <= london_day(to_book.starts_at) <= TODAY + timedelta(days=13)
    actor = identity.identify(EMPLOYEE, None, NOW)
    assert catalogue.class_detail(actor, to_book.id, NOW).seats.free > 0
    assert enrolment.enrol_myself(actor, to_book.id, NOW).status is Status.CONFIRMED


# --- twice, and interrupted -------------------------------------------------------------------------------------------


def test_a_second_load_changes_nothing(through_services):
    assert through_services.rows_after_second_load == through_services.rows


def test_a_second_load_in_bulk_changes_nothing(bulk):
    assert bulk.rows_after_second_load == bulk.rows


def test_both_ways_give_the_same_trust(through_services, bulk):
    assert bulk.learners == through_services.learners
    assert bulk.snapshots == through_services.snapshots
    assert bulk.counters == through_services.counters
    assert bulk.classes == through_services.classes
    assert bulk.catalogue == through_services.catalogue
    assert bulk.rulebook == through_services.rulebook
    assert bulk.findings == through_services.findings
    assert bulk.to_book == through_services.to_book


@contextmanager
def killed_after(changes, kind):
    """The process ends right after its so-manieth transaction or batch."""
    done, commit = 0, kind.commit

    def counted(self):
        nonlocal done
        commit(self)
        done += 1
        if done >= changes:
            raise Killed

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kind, "commit", counted)
        yield
    assert done >= changes


@pytest.mark.parametrize(
    ("in_bulk", "kills"),
    [
        (False, [(20, Transaction), (180, Transaction)]),
        (True, [(60, BatchWrite), (5, Transaction)]),
    ],
    ids=["through the services", "in bulk"],
)
def test_a_load_that_was_killed_again_and_again_finishes_and_counts_nothing_twice(
    empty, through_services, in_bulk, kills
):
    for changes, kind in kills:
        with killed_after(changes, kind), pytest.raises(Killed):
            load_trust(in_bulk=in_bulk, workers=1)
    content = load_trust(in_bulk=in_bulk)
    found = read_back(content)
    assert found == {name: getattr(through_services, name) for name in found}
    assert check(content, NOW, quiet()) == through_services.findings


def test_a_place_given_back_since_stays_given_back(empty):
    content = load_trust(in_bulk=True)
    booking = next(each for each in content.bookings if each.login == EMPLOYEE)
    withdrawn = enrolment.withdraw_myself(identity.identify(EMPLOYEE, None, NOW), f"{booking.class_id}~1", NOW)
    load_trust(in_bulk=True)
    mine = identity.identify(EMPLOYEE, None, NOW).learner.enrolments
    assert [each for each in mine if each.class_id == booking.class_id] == [withdrawn]
    assert check(content, NOW, quiet()).sound


# --- the check, and the command ---------------------------------------------------------------------------------------


def test_the_check_sees_a_lost_seat_and_a_lost_award(empty):
    content = load_trust(in_bulk=True)
    class_id = next(each.class_id for newcomer in content.newcomers for each in newcomer.enrolments if each.seated)
    seats = stored_classes.SeatsRow.key_of(class_id)
    seats.update([stored_classes.SeatsRow.taken.add(-1)])
    person, award = next((each.person, each.awards[0]) for each in content.newcomers if each.awards)
    AwardRow.of(person, "504", award).delete()
    findings = check(content, NOW, quiet())
    assert not findings.sound
    assert [each.class_id for each in findings.seats] == [class_id]
    assert findings.incomplete == (person,)


def test_a_large_trust_is_checked_by_a_sample_from_all_over_it():
    newcomers = map_trust(plan(500)).newcomers * 3
    people = sample(newcomers)
    assert len(people) == 500
    assert {id(people[0])} == {id(newcomers[0])}
    assert newcomers.index(people[-1]) > 500


def test_the_command_loads_signs_in_and_says_what_to_try(empty, monkeypatch, tmp_path):
    cognito = empty.running.client("cognito-idp")
    policy = {"PasswordPolicy": {"MinimumLength": 14}}
    pool = cognito.create_user_pool(PoolName="test", Policies=policy)["UserPool"]["Id"]
    flows = ["ALLOW_USER_PASSWORD_AUTH"]
    client = cognito.create_user_pool_client(UserPoolId=pool, ClientName="test", ExplicitAuthFlows=flows)
    monkeypatch.setenv("USER_POOL_ID", pool)
    monkeypatch.setattr(load, "MOST_THROUGH_SERVICES", 0)  # the quicker way
    demo_file, out = tmp_path / "demo.json", io.StringIO()

    load.run(STAFF, NOW, demo_file, Console(file=out, soft_wrap=True))
    told = json.loads(demo_file.read_text())
    assert told["staff"] == STAFF
    assert {each["role"] for each in told["sign_ins"]} == WHAT_TO_TRY.keys()
    assert told["learner"] == EMPLOYEE
    assert told["move"]["person"] == "P20050028"
    assert "106 people" in out.getvalue()
    calls = [call for lines in lines_to_try(told).values() for line in lines for call in CALL.finditer(line)]
    assert len(calls) > 30
    assert [call[0] for call in calls if not is_taken(call)] == []
    with pytest.raises(PrerequisiteMissing):
        enrolment.enrol_myself(identity.identify(EMPLOYEE, None, NOW), told["classes"]["class_with_prerequisite"], NOW)
    assert "0 differences" in out.getvalue()
    for each in told["sign_ins"]:
        asked = {"USERNAME": each["login"], "PASSWORD": PASSWORD}
        answer = cognito.initiate_auth(
            ClientId=client["UserPoolClient"]["ClientId"], AuthFlow="USER_PASSWORD_AUTH", AuthParameters=asked
        )
        assert answer["AuthenticationResult"]["AccessToken"]
        assert identity.identify(each["login"], None, NOW).roles

    tomorrow = TODAY + timedelta(days=1)
    assert load.day_of_plan(STAFF, load_facts(), tomorrow, demo_file) == TODAY, "what was begun is gone on with"
    with pytest.raises(load.NotLoaded, match="another trust"):
        load.day_of_plan(STAFF + 1, load_facts(), TODAY, demo_file)


CALL = re.compile(
    re.escape(settings.DESK_URL) + r"/v1(?P<path>/[^\s?)]+)"
    r"(?: -H 'Content-Type: [^']+' -d '(?P<body>[^']+)')?(?: -X (?P<method>\w+))?"
)


def is_taken(call):
    """Whether there is a route for what a line calls, and the body is one that it takes."""
    assert app.routes
    method = call["method"] or ("POST" if call["body"] else "GET")
    for each in OPERATIONS:
        path = re.sub(r"\{\w+\}", "[^/]+", each.path.removeprefix("/v1"))
        if each.method == method and re.fullmatch(path, call["path"]):
            if each.body and call["body"]:
                msgspec.json.decode(call["body"], type=each.body)
            return bool(call["body"]) <= bool(each.body)
    return False


@pytest.mark.parametrize("months", range(24))
def test_the_schedule_to_try_is_over_a_clock_change_and_a_bank_holiday(months):
    content = map_trust(plan(STAFF))
    course = next(each for each in content.courses if each.id == "504-fire-lecture")
    today = TODAY + timedelta(days=30 * months)
    pattern = schedule_to_try(content, course, today)["pattern"]
    first, last = (date.fromisoformat(pattern[name]) for name in ("starts_on", "until"))
    days = [first + timedelta(weeks=number) for number in range((last - first).days // 7 + 1)]
    assert first > today
    assert any(bank_holiday(day) for day in days)
    assert len({london_time(day, 9).hour for day in days}) == 2
    assert len(days) <= 20


@pytest.mark.parametrize("staff", ["99", "10001", "many"])
def test_the_command_refuses_a_size_it_cannot_plan(staff, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["load", "--staff", staff])
    with pytest.raises(SystemExit):
        load.main()
    assert "--staff" in capsys.readouterr().err


def test_the_command_says_in_one_line_what_it_lacks(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr("sys.argv", ["load"])
    monkeypatch.setenv("DEMO_FILE", str(tmp_path / "demo.json"))
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    base.connection._client = None
    assert load.main() == 1
    base.connection._client = None
    told = capsys.readouterr().out
    assert "could not be loaded" in told
    assert told.count("\n") == 1
