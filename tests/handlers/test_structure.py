"""An employer's structure over HTTP: seen, changed, and refused by field."""

import pytest

from chalicelib.services import workforce
from chalicelib.storage import rules
from chalicelib.storage.audit import AuditRow
from tests import builders as b
from tests import seams
from tests.builders import NOW

ROUTE = "/v1/structure"
WARD = {"id": "ward-11", "name": "504 Ward 11", "parent": "surgery"}


@pytest.fixture(name="admin")
def _admin(api):
    b.trust()
    return b.person(role="learning_administrator")


def change(api, admin, **body):
    answer = api.post(ROUTE, body, as_=admin)
    assert answer.status_code == 200, answer.json_body
    return answer.json_body


def wrong(api, admin, **body):
    before = rules.rulebook_version("504")
    answer = api.post(ROUTE, body, as_=admin)
    assert answer.status_code == 400
    assert rules.rulebook_version("504") == before
    return [each["field"] for each in answer.json_body["errors"]]


def test_the_tree_and_the_names_are_listed_page_by_page(api, admin):
    page = api.get(f"{ROUTE}?kind=unit,job&limit=4", as_=admin).json_body
    assert [(each["kind"], each["id"], each["parent"]) for each in page["parts"]] == [
        ("job", "nurse", None),
        ("unit", "surgery", "504"),
        ("unit", "estates", "504"),
        ("unit", "ward-10", "surgery"),
    ]
    rest = api.get(f"{ROUTE}?kind=unit,job&cursor={page['next_cursor']}", as_=admin).json_body
    assert ([each["id"] for each in rest["parts"]], rest["next_cursor"]) == (["ward-9", "504"], None)


def test_a_unit_added_may_be_named_by_assignments_at_once(api, admin):
    answer = change(api, admin, units=[WARD], names=[{"kind": "job", "id": "porter", "name": "Porter"}])
    assert answer["changed"] == ["unit ward-11", "job porter"]
    rulebook = rules.rulebook("504")
    assert (rulebook.units["ward-11"].parent_on(b.TODAY), len(rulebook.names)) == ("surgery", 12)


def test_sent_again_it_changes_nothing(api, admin):
    change(api, admin, units=[WARD])
    version, entries = rules.rulebook_version("504"), AuditRow.count()
    assert change(api, admin, units=[WARD]) == {"changed": [], "job_id": None}
    assert (rules.rulebook_version("504"), AuditRow.count()) == (version, entries)


def test_a_unit_moved_starts_a_job_for_it_and_those_below(api, admin):
    moved = {"id": "surgery", "name": "504 Division of Surgery", "parent": "estates"}
    job = api.get(f"/v1/jobs/{change(api, admin, units=[moved])['job_id']}", as_=admin).json_body
    assert (job["kind"], job["total"]) == ("rules", 3)
    assert rules.rulebook("504").units["surgery"].parent_on(b.TODAY) == "estates"


def test_a_new_name_starts_none_but_every_cache_reads_it(api, admin):
    rules.rulebook("504")
    renamed = {"id": "ward-9", "name": "504 Ward Nine", "parent": "surgery"}
    assert change(api, admin, units=[renamed])["job_id"] is None
    assert rules.rulebook("504").units["ward-9"].name == "504 Ward Nine"


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, ["body.units"]),
        ({"units": [WARD | {"parent": "moon"}]}, ["body.units[0].parent"]),
        ({"units": [WARD | {"parent": None}]}, ["body.units[0].parent"]),
        ({"units": [WARD | {"parent": "ward-11"}]}, ["body.units[0].parent"]),
        ({"units": [{"id": "surgery", "name": "x", "parent": "ward-9"}]}, ["body.units[0].parent"]),
        ({"units": [{"id": "504", "name": "x", "parent": "ward-9"}]}, ["body.units[0].parent"]),
        ({"units": [WARD, WARD]}, ["body.units[1].id"]),
        ({"units": [WARD | {"id": "a#b"}]}, ["body.units[0].id"]),
        ({"units": [WARD | {"name": "\x00"}]}, ["body.units[0].name"]),
        ({"units": [WARD | {"name": "\ud800"}]}, ["body"]),
        ({"names": [{"kind": "job", "id": "#", "name": ""}]}, ["body.names[0].id", "body.names[0].name"]),
        ({"names": [{"kind": "unit", "id": "x", "name": "x"}]}, ["body.names[0].kind"]),
        ({"units": [WARD | {"colour": "red"}]}, ["body.units[0].colour"]),
        ({"units": [WARD] * 81}, ["body.units"]),
        ({"units": [WARD] * 41, "names": [{"kind": "job", "id": "x", "name": "x"}] * 41}, ["body"]),
    ],
    ids=str,
)
def test_what_is_wrong_is_named_and_nothing_changes(api, admin, body, fields):
    assert wrong(api, admin, **body) == fields


def test_a_whole_branch_may_be_added_at_once_in_any_order(api, admin):
    branch = [
        {"id": "ward-12", "name": "504 Ward 12", "parent": "medicine"},
        {"id": "medicine", "name": "504 Division of Medicine", "parent": "504"},
    ]
    assert change(api, admin, units=branch)["changed"] == ["unit ward-12", "unit medicine"]


def move_estates():
    units = [b.Unit("estates", "504 Estates", "surgery")]
    workforce.define_structure(b.SYSTEM, "504", workforce.Structure("Demonstration Trust", units, []), NOW)


def test_two_moves_at_once_never_make_a_circle(api, admin):
    with seams.before_commit(move_estates):
        answer = api.post(ROUTE, {"units": [WARD | {"id": "surgery", "parent": "estates"}]}, as_=admin)
    assert answer.status_code == 400
    assert rules.rulebook("504").units["surgery"].parent_on(b.TODAY) == "504"


def test_nor_does_a_move_between_judging_and_announcing(api, admin):
    readings = []

    def intercept(call, operation, request):
        if operation == "BatchGetItem":
            readings.append(operation)
            if len(readings) == 2:
                move_estates()
        return call(operation, request)

    with seams.intercepted(intercept):
        answer = api.post(ROUTE, {"units": [WARD | {"id": "surgery", "parent": "estates"}]}, as_=admin)
    assert answer.status_code == 400
    assert rules.rulebook("504").units["surgery"].parent_on(b.TODAY) == "504"
