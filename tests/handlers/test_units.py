"""Figures of units: sums over the tree at read, the formulas of BI, and never a look at people."""

import re
from datetime import date

import pytest

from chalicelib.domain.people import Person, Unit
from chalicelib.domain.projection import facts_of, judge
from chalicelib.domain.requirements import TargetKind
from chalicelib.services import workforce
from chalicelib.services.projection import project
from chalicelib.storage import projection, rules
from tests import builders as b
from tests.builders import FIRE, MOVING, NOW, TODAY
from tests.seams import intercepted

ADMINISTRATOR = "504-9"


def in_unit(number, unit, **changes):
    """Somebody in a unit, projected."""
    login = b.person(number, assignments=[b.assignment(str(number), unit=unit)], **changes)
    project(f"p{number}", "504", NOW)
    return login


@pytest.fixture
def trust(api):
    """Fire for everybody and moving for surgery: two on ward 9, one on ward 10, one in estates, and an administrator there."""
    b.trust(b.requirement(FIRE), b.requirement(MOVING, TargetKind.UNIT, "surgery"))
    b.offered(b.class_())
    in_unit(1, "ward-9", awards=[b.award(FIRE), b.award_expiring(date(2026, 12, 24), MOVING)])
    in_unit(2, "ward-9", awards=[b.award(FIRE)], enrolments=[b.enrolment(person="p2")])
    in_unit(3, "ward-10", enrolments=[b.enrolment(person="p3")])
    in_unit(4, "estates", awards=[b.award(FIRE)])
    in_unit(9, "estates", role="learning_administrator")
    return api


def units(api, query="", as_=ADMINISTRATOR):
    return api.get(f"/v1/units{query}", as_=as_)


def counted(unit):
    figures = unit["figures"]
    return unit["assignments"], figures["required"], figures["achieved"], figures["compliance_percent"]


def test_each_unit_counts_all_below_it_and_the_top_everybody(trust):
    answer = units(trust).json_body
    assert [(unit["id"], unit["parent"], unit["depth"], *counted(unit)) for unit in answer["units"]] == [
        ("504", None, 0, 5, 8, 4, 50.0),
        ("surgery", "504", 1, 3, 6, 3, 50.0),
        ("ward-10", "surgery", 2, 1, 2, 0, 0.0),
        ("ward-9", "surgery", 2, 2, 4, 3, 75.0),
        ("estates", "504", 1, 2, 2, 1, 50.0),
    ]
    assert (answer["total"], answer["next_cursor"]) == (5, None)


def test_predictions_follow_the_formulas(trust):
    surgery = units(trust).json_body["units"][1]["figures"]
    assert (surgery["expiring_soon"], surgery["future_enrolments"]) == (1, 1)
    assert (surgery["predicted_percent"], surgery["predicted_percent_with_enrolments"]) == (33.33, 50.0)


def test_where_nothing_is_required_there_is_no_percentage(api):
    b.trust(b.requirement(MOVING, TargetKind.UNIT, "ward-10"))
    in_unit(9, "estates", role="learning_administrator")
    estates = units(api).json_body["units"][-1]
    assert counted(estates) == (1, 0, 0, None)
    assert estates["figures"]["predicted_percent_with_enrolments"] is None


def test_a_portal_drills_down(trust):
    for query, shown in {
        "?depth=1": ["504"],
        "?depth=2": ["504", "surgery", "estates"],
        "?parent=504&depth=1": ["surgery", "estates"],
        "?parent=504": ["surgery", "ward-10", "ward-9", "estates"],
        "?parent=surgery": ["ward-10", "ward-9"],
        "?parent=ward-9": [],
    }.items():
        answer = units(trust, query).json_body
        assert ([unit["id"] for unit in answer["units"]], answer["total"]) == (shown, len(shown)), query


def test_pages_join_up(trust):
    first = units(trust, "?limit=3").json_body
    rest = units(trust, f"?limit=3&cursor={first['next_cursor']}").json_body
    assert [unit["id"] for page in (first, rest) for unit in page["units"]] == [
        "504", "surgery", "ward-10", "ward-9", "estates",
    ]  # fmt: skip
    assert rest["next_cursor"] is None


def test_bad_input_is_named_by_field(api):
    b.trust()
    in_unit(9, "estates", role="learning_administrator")
    for query, field in {
        "?parent=moon": "query.parent",
        "?depth=0": "query.depth",
        "?depth=x": "query.depth",
        "?cursor=x": "query.cursor",
        "?limit=0": "query.limit",
        "?colour=red": "query.colour",
    }.items():
        answer = units(api, query)
        assert (answer.status_code, answer.json_body["errors"][0]["field"]) == (400, field)


# --- one unit -------------------------------------------------------------------------------------------------


def detail(api, unit, as_=ADMINISTRATOR):
    return api.get(f"/v1/units/{unit}/compliance", as_=as_)


def test_a_unit_is_told_with_those_below_alone_by_child_and_by_competency(trust):
    in_unit(5, "surgery")
    answer = detail(trust, "surgery").json_body
    assert counted(answer["unit"]) == (4, 8, 3, 37.5)
    assert counted(answer["own"]) == (1, 2, 0, 0.0)
    assert [(child["id"], counted(child)) for child in answer["children"]] == [
        ("ward-10", (1, 2, 0, 0.0)),
        ("ward-9", (2, 4, 3, 75.0)),
    ]
    assert [(each["competency"], each["figures"]["required"], each["figures"]["achieved"]) for each in answer["competencies"]] == [
        (FIRE, 4, 2),
        (MOVING, 4, 1),
    ]  # fmt: skip
    assert answer["competencies"][0]["title"] == "Fire Safety - 1 Year"


def test_competencies_add_up_to_the_unit_at_every_level(trust):
    for unit in b.UNITS:
        answer = detail(trust, unit.id).json_body
        for figure in ("required", "achieved", "expiring_soon", "future_enrolments"):
            added = sum(each["figures"][figure] for each in answer["competencies"])
            assert added == answer["unit"]["figures"][figure]


def test_a_unit_that_moves_takes_its_figures_along_at_once(trust):
    before = detail(trust, "estates").json_body["unit"]
    moved = workforce.Structure("Demonstration Trust", [Unit("ward-9", "504 Ward 9", "estates")], [])
    workforce.define_structure(b.SYSTEM, "504", moved, NOW)
    after = detail(trust, "estates").json_body
    assert (counted(before)[0], counted(after["unit"])[0]) == (2, 4)
    assert [child["id"] for child in after["children"]] == ["ward-9"]
    assert counted(detail(trust, "504").json_body["unit"])[0] == 5


def test_a_unit_nobody_knows_is_not_found(trust):
    assert detail(trust, "moon").status_code == 404


def test_another_employers_units_are_not_seen(trust):
    b.person(7, employer="505")
    b.grant("p7", "learning_administrator", "505")
    assert units(trust, as_="505-7").json_body["units"] == []
    assert detail(trust, "ward-9", as_="505-7").status_code == 404
    assert units(trust, "?employer=504", as_="505-7").status_code == 403


def test_only_who_sees_the_dashboard_sees_units(api):
    b.trust()
    asking = {
        b.person(1, role="class_administrator", subjects=["fire"]): 200,
        b.person(2, role="instructor"): 200,
        b.person(3): 403,
    }
    for login, status in asking.items():
        assert units(api, as_=login).status_code == detail(api, "ward-9", as_=login).status_code == status


# --- what it costs --------------------------------------------------------------------------------------------


def reads_of(call):
    """The keys read, one for each query and each item got."""
    seen = []

    def intercept(go_on, operation, request):
        if operation == "Query":
            values = request["ExpressionAttributeValues"]
            seen.append(" ".join(values[each]["S"] for each in re.findall(r":\w+", request["KeyConditionExpression"])))
        elif operation == "GetItem":
            seen.append(request["Key"]["pk"]["S"])
        elif operation == "BatchGetItem":
            seen.extend(key["pk"]["S"] for table in request["RequestItems"].values() for key in table["Keys"])
        else:
            seen.append(operation)
        return go_on(operation, request)

    with intercepted(intercept):
        call()
    return seen


def test_the_figures_of_a_ward_of_fifty_are_read_without_its_people(api):
    b.trust()
    in_unit(9, "estates", role="learning_administrator")
    fifty = [b.learner(person=Person(f"q{number}", "Sam", "Testfold")) for number in range(50)]
    snapshots = [judge(facts, rules.rulebook("504"), TODAY) for each in fifty for facts in facts_of(each, TODAY)]
    projection.commit((None, snapshot) for snapshot in snapshots)
    who_asks = ["ID#504-9", "P#p9"]
    versions = ["E#504", "E#NHS"]
    assert sorted(reads_of(lambda: units(api))) == sorted([*who_asks, *versions, "E#504#AGG"])
    of_unit = [*who_asks, *versions, "E#504#AGG", "E#504#CAG UNIT#ward-9#"]
    assert sorted(reads_of(lambda: detail(api, "ward-9"))) == sorted(of_unit)
    assert counted(detail(api, "ward-9").json_body["unit"])[0] == 50
