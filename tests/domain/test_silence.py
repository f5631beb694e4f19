"""Messages that ask for something, once it is settled."""

from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace

import pytest

from chalicelib.domain import silence
from chalicelib.domain.calendar import long_day
from chalicelib.domain.enrolment import Status
from chalicelib.domain.notifications import Notification
from chalicelib.domain.projection import facts_of, judge
from tests import builders as b
from tests.builders import FIRE, MOVING, NOW, TODAY

RULES = b.rulebook(b.requirement(FIRE))


def message(template, **data):
    return Notification("boss", "504", template, "e1", NOW, "", {"person": "p1"} | data)


def snapshots(**changes):
    return [judge(each, RULES, TODAY) for each in facts_of(b.learner(**changes), TODAY)]


def to_choose(until=None, competency=FIRE):
    item = {"competency": competency, "until": long_day(until) if until else None}
    return message("training_arranged_in_team", arranged=[], left=[item])


def test_what_was_left_to_choose_is_settled_once_it_is_achieved_booked_or_not_required():
    asked = to_choose()
    booked = b.enrolment(Status.CONFIRMED, b.class_())
    assert silence.names_what_is_to_do(asked)
    assert not silence.nothing_left_to_do(asked, snapshots())
    assert silence.nothing_left_to_do(asked, snapshots(awards=(b.award(expires_on=None),)))
    assert silence.nothing_left_to_do(asked, snapshots(enrolments=(booked,)))
    assert silence.nothing_left_to_do(to_choose(competency=MOVING), snapshots())
    assert silence.nothing_left_to_do(asked, [])


def test_what_ends_is_to_renew_for_as_long_as_it_ends_on_that_day():
    expiry = TODAY + timedelta(60)
    held = snapshots(awards=(b.award_expiring(expiry),))
    assert not silence.nothing_left_to_do(to_choose(expiry), held)
    assert silence.nothing_left_to_do(to_choose(expiry - timedelta(1)), held)


def test_a_message_that_says_what_was_booked_goes_whatever_else_it_says():
    asked = to_choose()
    assert not silence.names_what_is_to_do(replace(asked, data=asked.data | {"arranged": [{"title": "Fire"}]}))
    assert not silence.names_what_is_to_do(message("notice"))


@pytest.mark.parametrize(("due_on", "settled"), [(TODAY, False), (TODAY + timedelta(365), True), (None, True)])
def test_a_certification_is_due_for_as_long_as_its_period_is_open_and_ends_that_day(due_on, settled):
    told = message("certification_due", certification="504-safe", due=long_day(TODAY))
    period = SimpleNamespace(due_on=due_on) if due_on else None
    assert silence.certification_no_longer_due(told, SimpleNamespace(open_period=period)) is settled
    assert silence.certification_no_longer_due(told, None)
