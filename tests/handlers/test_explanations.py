"""Why a competency is or is not required of somebody on a day, and why it has its colour, in words and with the facts."""

from dataclasses import replace
from datetime import date
from urllib.parse import quote

import pytest

from chalicelib.domain.requirements import TargetKind
from tests import builders as b
from tests.builders import FIRE, MOVING, NOW, SYSTEM, TODAY

HIGHER = "NHS|CSTF|Moving and Handling - Level 3 - 2 Years|"


@pytest.fixture
def trust(api):
    b.trust(b.requirement(FIRE), b.requirement(MOVING, TargetKind.UNIT, "surgery", level=1))
    covering = replace(b.competency(HIGHER), covers=(MOVING,), levels=("Aware", "Able"))
    b.competence.define_competencies(SYSTEM, "NHS", [covering], NOW)
    b.person(9, role="learning_administrator")
    return api


def explain(api, competency, on=None, as_="504-1"):
    day = f"&on={on}" if on else ""
    path = f"/v1/people/p1/compliance/explanation?competency={quote(competency, safe='')}{day}"
    return api.get(path, as_=as_).json_body


def exempt(api, **changes):
    body = {"competency": FIRE, "reason": "long leave", "ends_on": "2026-12-31", **changes}
    answer = api.post("/v1/people/p1/exemptions", body, as_="504-9")
    assert answer.status_code == 201


def test_an_award_of_a_covering_competency_is_named_and_considered(trust):
    b.person(awards=[b.award(HIGHER, awarded_on=date(2026, 9, 1))])
    found = explain(trust, MOVING)
    assert (found["required"], found["colour"]) == (True, "green")
    assert found["why"] == (
        "It was awarded on Tuesday 1 September 2026 (completion) through Moving and Handling - Level 3 - 2 Years, "
        "which covers it, and is valid until Friday 1 September 2028."
    )
    assert [(each["award"]["competency"], each["worth"]) for each in found["awards"]] == [(HIGHER, "decides")]


def test_a_covering_award_below_the_level_says_so(trust):
    b.competence.require(SYSTEM, "504", [b.requirement(MOVING, level=2)], NOW)
    b.person(awards=[b.award(HIGHER, awarded_on=date(2026, 9, 1))])
    assert explain(trust, MOVING)["why"] == (
        "Held at level 1, awarded on Tuesday 1 September 2026 (completion) through Moving and Handling - Level 3 - 2 Years, "
        "which covers it, but level 2 is required."
    )


def test_an_award_below_the_level_that_has_expired_is_held_no_more(trust):
    b.competence.require(SYSTEM, "504", [b.requirement(MOVING, level=2)], NOW)
    b.person(awards=[b.award(HIGHER, awarded_on=date(2019, 9, 1))])
    assert explain(trust, MOVING)["why"] == (
        "Was held at level 1 until Wednesday 1 September 2021, awarded on Sunday 1 September 2019 (completion) through "
        "Moving and Handling - Level 3 - 2 Years, which covers it, but level 2 is required."
    )


def test_my_compliance_names_the_covering_award_too(trust):
    b.person(awards=[b.award(HIGHER, awarded_on=TODAY)])
    rows = trust.get("/v1/me/compliance?colours=green", as_="504-1").json_body["rows"]
    assert [(row["competency"], row["award"]["competency"]) for row in rows] == [(MOVING, HIGHER)]


def test_what_somebody_is_exempt_from_is_explained_with_the_last_day_the_reason_and_the_rules_held_back(trust):
    b.person()
    exempt(trust)
    found = explain(trust, FIRE)
    assert (found["required"], found["colour"], found["why_required"]) == (False, None, [])
    assert found["why"] == "Not required because exempt until Thursday 31 December 2026 (long leave)."
    assert found["exempt_until"] == "2026-12-31"
    assert [rule["target"] for rule in found["held_back"]] == ["504"]
    later = explain(trust, FIRE, on="2027-01-01")
    assert (later["required"], later["held_back"], later["exempt_until"]) == (True, [], None)


def test_what_is_held_while_exempt_is_blue_and_says_why_nothing_requires_it(trust):
    b.person(awards=[b.award(FIRE, awarded_on=TODAY), b.award(HIGHER, awarded_on=TODAY)])
    exempt(trust)
    rows = trust.get("/v1/me/compliance?colours=blue", as_="504-1").json_body["rows"]
    assert {row["competency"]: row["why"].rpartition("2027. ")[2].rpartition("2028. ")[2] for row in rows} == {
        FIRE: "Not required because exempt until Thursday 31 December 2026 (long leave).",
        HIGHER: "Nothing requires it.",
    }


def test_a_competency_withdrawn_while_required_is_explained_on_both_sides_of_its_last_day(trust):
    b.person()
    gone = replace(b.competency(FIRE), ends_on=date(2026, 11, 30))
    b.competence.define_competencies(SYSTEM, "NHS", [gone], NOW)
    assert explain(trust, FIRE, on="2026-11-30")["required"]
    found = explain(trust, FIRE, on="2026-12-01")
    assert found["why"] == "Not required because it is in use only until Monday 30 November 2026."
    assert ([rule["target"] for rule in found["held_back"]], found["exempt_until"]) == (["504"], None)


def test_a_void_award_is_considered_and_does_not_decide(trust):
    b.person(awards=[b.award(FIRE, void=True)])
    found = explain(trust, FIRE)
    assert (found["colour"], [each["worth"] for each in found["awards"]]) == ("red", ["void"])


def test_an_auditor_asks_what_was_required_of_a_ward_on_a_day_of_the_past(trust):
    b.competence.require(
        SYSTEM,
        "504",
        [
            b.requirement(FIRE, TargetKind.UNIT, "ward-9", 1, date(2026, 1, 1), date(2026, 6, 30)),
            b.requirement(FIRE, starts_on=date(2020, 1, 1), ends_on=date(2025, 12, 31)),
        ],
        NOW,
    )
    b.person()
    found = explain(trust, FIRE, on="2026-03-01", as_="504-9")
    assert [rule["sentence"] for rule in found["why_required"]] == [
        "Required of 504 Ward 9 and the units below it since Thursday 1 January 2026, through assignment 1."
    ]
    assert not explain(trust, FIRE, on="2026-07-01", as_="504-9")["required"]
