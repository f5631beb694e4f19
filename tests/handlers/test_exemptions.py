"""Exemptions over HTTP: granted with reason and end, seen like compliance, ended early; the red row goes and comes back."""

from datetime import timedelta

import pytest

from chalicelib.domain.compliance import Colour
from chalicelib.services import projection
from chalicelib.storage import projection as stored
from tests import builders as b
from tests.builders import FIRE, MOVING, NOW, TODAY
from tests.seams import colliding_transactions

ADMINISTRATOR = "504-9"
PATH = "/v1/people/p1/exemptions"
YESTERDAY = TODAY - timedelta(days=1)


@pytest.fixture
def trust(api):
    b.trust()
    b.person(9, role="learning_administrator")
    b.person(1)
    return api


def day(offset):
    return str(TODAY + timedelta(days=offset))


def grant(api, path=PATH, headers=None, as_=ADMINISTRATOR, **changes):
    body = {"competency": FIRE, "reason": "On long leave until spring.", "ends_on": day(100), **changes}
    return api.post(path, body, as_=as_, headers=headers)


def end(api, ends_on, starts_on=TODAY, **options):
    body = {"competency": FIRE, "starts_on": str(starts_on), "ends_on": str(ends_on)}
    return api.post(f"{PATH}/end", body, as_=ADMINISTRATOR, **options)


def held(api, as_=ADMINISTRATOR):
    answer = api.get(PATH, as_=as_)
    assert answer.status_code == 200
    return [(each["starts_on"], each["ends_on"]) for each in answer.json_body["exemptions"]]


def fields(answer):
    assert answer.status_code == 400
    return {each["field"] for each in answer.json_body["errors"]}


def red(api, login="504-1"):
    return {each["competency"] for each in api.get("/v1/me/compliance", as_=login).json_body["rows"]}


def colours(now=NOW):
    projection.project("p1", "504", now)
    return {row.competency: row.colour for each in stored.snapshots_of("p1", "504") for row in each.rows}


def test_whoever_is_exempt_loses_the_red_row_and_their_snapshot_follows(trust):
    assert (red(trust), colours()) == ({FIRE}, {FIRE: Colour.RED})
    assert grant(trust).status_code == 201
    assert (red(trust), colours()) == (set(), {})


def test_what_is_required_counts_again_on_the_day_after_the_last(trust, clock):
    grant(trust, ends_on=day(1))
    clock.now = NOW + timedelta(days=1)
    assert (red(trust), colours(clock.now)) == (set(), {})
    clock.now = NOW + timedelta(days=2)
    assert (red(trust), colours(clock.now)) == ({FIRE}, {FIRE: Colour.RED})


def test_an_exemption_says_why_until_when_and_who_granted_it(trust):
    granted = grant(trust).json_body["exemption"]
    assert granted == {
        "competency": FIRE,
        "title": "Fire Safety - 1 Year",
        "reason": "On long leave until spring.",
        "starts_on": day(0),
        "ends_on": day(100),
        "granted_by": "p9",
        "granted_at": "2026-11-23T10:00:00Z",
    }
    assert trust.get(PATH, as_="504-1").json_body["exemptions"] == [granted]


def test_exemptions_are_seen_like_compliance(trust):
    b.person(2)
    assert held(trust, as_="504-1") == []
    assert trust.get(PATH, as_="504-2").status_code == 404
    assert grant(trust, as_="504-2").status_code == 403


def test_nobody_exempts_themselves(trust):
    answer = grant(trust, "/v1/people/p9/exemptions")
    assert (answer.status_code, answer.json_body["type"].rpartition(":")[2]) == (403, "own-exemption")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"competency": "NHS|CSTF|Nothing|"}, "competency"),
        ({"competency": "a#b"}, "competency"),
        ({"reason": "no"}, "reason"),
        ({"reason": "     "}, "reason"),
        ({"reason": "x" * 201}, "reason"),
        ({"reason": "two\nlines"}, "reason"),
        ({"ends_on": day(-1)}, "ends_on"),
        ({"ends_on": "2029-11-24"}, "ends_on"),
        ({"starts_on": "9999-12-31", "ends_on": "9999-12-31"}, "starts_on"),
        ({"starts_on": "0001-01-01"}, "starts_on"),
    ],
)
def test_what_cannot_be_granted_is_refused_by_field_and_changes_nothing(trust, changes, field):
    assert fields(grant(trust, **changes)) == {f"body.{field}"}
    assert held(trust) == []


def test_an_exemption_without_reason_or_end_is_refused(trust):
    assert fields(trust.post(PATH, {"competency": FIRE}, as_=ADMINISTRATOR)) == {"body.reason", "body.ends_on"}


def test_exemptions_of_one_competency_do_not_overlap(trust):
    grant(trust)
    assert fields(grant(trust, starts_on=day(100), ends_on=day(200))) == {"body.starts_on"}
    assert fields(grant(trust, starts_on=day(-5), ends_on=day(0))) == {"body.starts_on"}
    assert grant(trust, starts_on=day(101), ends_on=day(200)).status_code == 201
    assert grant(trust, competency=MOVING).status_code == 201


def test_an_exemption_is_granted_once_however_often_it_is_asked_for_with_one_key(trust):
    key = {"Idempotency-Key": "once"}
    with colliding_transactions(1):
        first = grant(trust, headers=key)
    again = grant(trust, headers=key)
    assert (again.status_code, again.json_body) == (201, first.json_body)
    assert len(held(trust)) == 1


def test_somebody_unknown_here_cannot_be_exempted(trust):
    b.person(5, employer="505")
    assert grant(trust, "/v1/people/p5/exemptions").status_code == 404
    assert grant(trust, "/v1/people/nobody/exemptions").status_code == 404


# --- ending -------------------------------------------------------------------------------------------------


def test_an_exemption_is_ended_early_and_the_row_is_red_again(trust, clock):
    grant(trust)
    clock.now = NOW + timedelta(days=10)
    assert end(trust, day(9)).json_body["exemption"]["ends_on"] == day(9)
    assert held(trust) == [(day(0), day(9))]
    assert (red(trust), colours(clock.now)) == ({FIRE}, {FIRE: Colour.RED})


def test_days_before_yesterday_stay_exempt_and_no_exemption_grows(trust, clock):
    grant(trust)
    clock.now = NOW + timedelta(days=10)
    assert fields(end(trust, day(8))) == {"body.ends_on"}
    assert fields(end(trust, day(101))) == {"body.ends_on"}
    assert held(trust) == [(day(0), day(100))]


def test_an_exemption_that_is_over_stays_as_it_was(trust, clock):
    grant(trust, ends_on=day(3))
    clock.now = NOW + timedelta(days=10)
    assert fields(end(trust, day(2))) == {"body.ends_on"}
    assert fields(end(trust, day(9))) == {"body.ends_on"}


@pytest.mark.parametrize("starts_on", [0, 5])
def test_an_exemption_that_began_today_or_is_to_come_is_taken_back_whole(trust, starts_on):
    grant(trust, starts_on=day(starts_on))
    assert end(trust, YESTERDAY, day(starts_on)).json_body == {"exemption": None}
    assert held(trust) == []
    assert red(trust) == {FIRE}
    assert end(trust, YESTERDAY, day(starts_on)).status_code == 404


def test_ending_on_the_last_day_it_has_changes_nothing(trust):
    grant(trust)
    assert end(trust, day(100)).json_body["exemption"]["ends_on"] == day(100)
