"""Whom a requirement would touch, before it is saved."""

from datetime import date

import pytest

from chalicelib.domain.people import EmploymentKind
from chalicelib.domain.requirements import TargetKind
from chalicelib.services import competence, snapshot_walk
from chalicelib.services.projection import project
from tests import builders as b
from tests.builders import FIRE, MOVING, NOW, PREVENT
from tests.seams import intercepted

ADMINISTRATOR = "504-9"


def known(number, **changes):
    """Somebody registered and projected."""
    login = b.person(number, **changes)
    project(f"p{number}", "504", NOW)
    return login


@pytest.fixture
def trust(api):
    """Fire for ward 9. There: one who holds Moving, one who does not; on ward 10: one; agency staff; an administrator."""
    b.trust(b.requirement(FIRE, TargetKind.UNIT, "ward-9"))
    known(1, awards=[b.award_expiring(date(2026, 12, 31), MOVING)])
    known(2)
    known(3, assignments=[b.assignment("3", unit="ward-10", job="porter")])
    known(4, kind=EmploymentKind.EXTERNAL, groups=["agency"])
    known(9, assignments=[b.assignment("9", unit="estates", job="porter")], role="learning_administrator")
    return api


def preview(api, kind="ORG", target="504", competency=MOVING, query="", as_=ADMINISTRATOR, **changes):
    body = {"target_kind": kind, "target": target, "competency": competency, **changes}
    return api.post(f"/v1/requirements/preview{query}", body, as_=as_)


def people(answer):
    """Everybody of all pages: person, unit, colour now, colour then, required already."""
    return [
        (each["person_id"], each["unit"], each["colour_now"], each["colour_then"], each["required_already"])
        for each in answer.json_body["people"]
    ]


def all_pages(api, limit, **asked):
    found, query = [], f"?limit={limit}"
    while True:
        answer = preview(api, query=query, **asked)
        assert len(answer.json_body["people"]) <= limit
        found += people(answer)
        following = answer.json_body["next_cursor"]
        if following is None:
            return found
        query = f"?limit={limit}&cursor={following}"


def test_those_touched_are_told_with_their_name_and_colour_then(trust):
    answer = preview(trust, "UNIT", "surgery").json_body
    assert (answer["on"], answer["next_cursor"]) == ("2026-11-23", None)
    assert sorted(answer["people"], key=lambda each: each["person_id"])[0] == {
        "person_id": "p1",
        "name": "Sam Testfold1",
        "employee_number": "20000001",
        "assignment": "1",
        "unit": "ward-9",
        "colour_now": None,
        "colour_then": "amber",
        "required_already": False,
    }
    assert {each["person_id"] for each in answer["people"]} == {"p1", "p2", "p3"}


def test_what_is_required_already_is_told_apart(trust):
    assert sorted(people(preview(trust, competency=FIRE))) == [
        ("p1", "ward-9", "red", "red", True),
        ("p2", "ward-9", "red", "red", True),
        ("p3", "ward-10", None, "red", False),
        ("p9", "estates", None, "red", False),
    ]


def test_whoever_holds_it_shows_the_colour_they_have_and_keep(trust):
    known(5, awards=[b.award(FIRE)])
    assert ("p5", "ward-9", "green", "green", True) in people(preview(trust, "JOB", "nurse", FIRE))


def test_on_a_coming_first_day_people_are_looked_at_as_they_will_stand(trust):
    moves = [b.assignment("6", unit="estates", ends_on=date(2026, 12, 31))]
    moves.append(b.assignment("6", unit="ward-10", starts_on=date(2027, 1, 1)))
    known(6, assignments=moves)
    answer = preview(trust, "UNIT", "surgery", starts_on="2027-01-01")
    assert answer.json_body["on"] == "2027-01-01"
    assert sorted(people(answer)) == [
        ("p1", "ward-9", None, "red", False),
        ("p2", "ward-9", None, "red", False),
        ("p3", "ward-10", None, "red", False),
        ("p6", "ward-10", None, "red", False),
    ]


def test_what_something_else_will_require_by_then_is_told_apart(trust):
    coming = b.requirement(MOVING, TargetKind.UNIT, "ward-9", starts_on=date(2026, 12, 15))
    competence.require(b.SYSTEM, "504", [coming], NOW)
    found = people(preview(trust, "UNIT", "surgery", starts_on="2027-01-01"))
    assert sorted((person, now, already) for person, _, now, _, already in found) == [
        ("p1", None, True),
        ("p2", None, True),
        ("p3", None, False),
    ]


def test_every_kind_of_target_finds_its_people(trust):
    for kind, target, expected in (
        ("ORG", "504", ["p1", "p2", "p3", "p9"]),
        ("UNIT", "estates", ["p9"]),
        ("JOB", "nurse", ["p1", "p2"]),
        ("GRP", "nursing", ["p1", "p2", "p3", "p9"]),
        ("POS", "nurse-9", ["p1", "p2", "p3", "p9"]),
        ("LGR", "agency", ["p4"]),
        ("PERSON", "p2", ["p2"]),
        ("PERSON", "p4", ["p4"]),
    ):
        found = people(preview(trust, kind, target, PREVENT))
        assert sorted(person for person, *_ in found) == expected, kind


def test_the_same_thing_under_another_period_is_warned_of(trust):
    two_years = "NHS|CSTF|Fire Safety - 2 Years|"
    competence.define_competencies(b.SYSTEM, "NHS", [b.competency(two_years)], NOW)
    (warning,) = preview(trust, competency=two_years).json_body["warnings"]
    assert (warning["requirement"]["competency"], warning["requirement"]["target"]) == (FIRE, "ward-9")
    assert preview(trust, "UNIT", "ward-10", two_years).json_body["warnings"] == []


def test_a_learner_without_an_assignment_has_none_to_show(trust):
    (agency,) = preview(trust, "LGR", "agency").json_body["people"]
    assert (agency["person_id"], agency["assignment"], agency["unit"]) == ("p4", None, None)


def test_an_assignment_that_is_over_is_not_touched(trust):
    b.person(6, assignments=[b.assignment("6", ends_on=date(2026, 11, 22))])
    project("p6", "504", NOW)
    assert "p6" not in {person for person, *_ in people(preview(trust))}


def test_pages_join_up_over_units_and_members(trust):
    known(5, kind=EmploymentKind.EXTERNAL, groups=["agency"])
    whole = sorted(people(preview(trust)))
    assert len(whole) == 4
    for limit in (1, 2, 3):
        assert sorted(all_pages(trust, limit)) == whole
    assert sorted(person for person, *_ in all_pages(trust, 1, kind="LGR", target="agency")) == ["p4", "p5"]


def test_a_request_reads_only_so_many_snapshots_and_says_where_to_go_on(trust, monkeypatch):
    monkeypatch.setattr(snapshot_walk, "MOST_SNAPSHOTS", 1)
    answer = preview(trust, "UNIT", "surgery", "504|LOCAL|Corporate Induction|")
    assert answer.json_body["next_cursor"] is not None
    assert len(all_pages(trust, 20, kind="UNIT", target="surgery")) == 3


def test_names_are_read_once_for_the_page_and_never_logged(trust, logged):
    reads = []

    def intercept(go_on, operation, request):
        if operation == "BatchGetItem":
            reads.append(
                sum(
                    key["sk"]["S"].endswith("#WHO") for each in request["RequestItems"].values() for key in each["Keys"]
                )
            )
        return go_on(operation, request)

    with intercepted(intercept):
        assert len(preview(trust, query="?limit=2").json_body["people"]) == 2
    assert [each for each in reads if each] == [2]
    assert "Testfold" not in logged()


def test_a_cursor_holds_for_the_same_requirement_only(trust):
    cursor = preview(trust, query="?limit=1").json_body["next_cursor"]
    answer = preview(trust, competency=FIRE, query=f"?limit=1&cursor={cursor}")
    assert (answer.status_code, answer.json_body["errors"][0]["field"]) == (400, "query.cursor")


def test_every_wrong_field_is_named(trust):
    for changes, fields in (
        ({"target": "505"}, ["body.target"]),
        ({"kind": "UNIT", "target": "moon"}, ["body.target"]),
        ({"kind": "LGR", "target": "moon"}, ["body.target"]),
        ({"kind": "PERSON", "target": "p99"}, ["body.target"]),
        ({"kind": "MOON"}, ["body.target_kind"]),
        ({"competency": "Juggling"}, ["body.competency"]),
        (
            {"minimum_level": 2, "starts_on": "2026-12-01", "ends_on": "2026-11-30"},
            ["body.minimum_level", "body.ends_on"],
        ),
        ({"minimum_level": 0}, ["body.minimum_level"]),
        ({"starts_on": "soon"}, ["body.starts_on"]),
        ({"colour": "red"}, ["body.colour"]),
        ({"query": "?limit=0"}, ["query.limit"]),
        ({"query": "?cursor=x"}, ["query.cursor"]),
    ):
        answer = preview(trust, **changes)
        assert (answer.status_code, [each["field"] for each in answer.json_body["errors"]]) == (400, fields)


def test_only_who_edits_rules_may_look_and_only_at_their_employer(trust):
    b.person(7, employer="505")
    b.grant("p7", "learning_administrator", "505")
    assert preview(trust, as_="504-1").status_code == 403
    assert preview(trust, as_="505-7").status_code == 400
    assert preview(trust, as_="505-7", query="?employer=504").status_code == 403
