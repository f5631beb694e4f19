"""My Compliance: evaluated live from the learner's own records, so that it is never stale (architecture §3)."""

from collections.abc import Iterable
from datetime import date, datetime
from enum import StrEnum

import msgspec

from chalicelib.domain.calendar import london_day
from chalicelib.domain.catalogue import Mode
from chalicelib.domain.compliance import Colour, Rate, Standing, rate
from chalicelib.domain.enrolment import OPEN, Enrolment
from chalicelib.domain.learner import Learner
from chalicelib.domain.requirements import Rulebook
from chalicelib.storage import rules


class ActionKind(StrEnum):
    """What a learner can do about a red or amber row (brief: the learner's subject selection)."""

    PLAY = "play"
    VIEW_ENROLMENT = "view enrolment"
    SEARCH = "search"


class Action(msgspec.Struct, frozen=True):
    """One possible action; `enrolment` is the one to play or view, None for a search."""

    kind: ActionKind
    enrolment: Enrolment | None = None


class Row(msgspec.Struct, frozen=True):
    """One row of My Compliance: the standing and what can be done about it."""

    standing: Standing
    actions: tuple[Action, ...]


class ComplianceView(msgspec.Struct, frozen=True):
    """A learner's compliance on a London day, with the rulebook that gives its rules their names."""

    day: date
    rate: Rate
    rows: tuple[Row, ...]
    rulebook: Rulebook


def of_learner(learner: Learner, colours: Iterable[Colour], now: datetime) -> ComplianceView:
    """The learner's compliance now, rows of these colours only; the rate always counts all that is required."""
    day = london_day(now)
    rulebook = rules.rulebook(learner.employer)
    standings = learner.compliance_on(day, rulebook)
    shown = frozenset(colours)
    rows = tuple(Row(each, _actions(each, learner)) for each in standings if each.colour in shown)
    return ComplianceView(day, rate(standings), rows, rulebook)


def _actions(standing: Standing, learner: Learner) -> tuple[Action, ...]:
    """Play or view what the learner is enrolled on already, and search for more; nothing to do for green and blue."""
    if standing.colour in (Colour.GREEN, Colour.BLUE):
        return ()
    enrolled = (
        Action(ActionKind.PLAY if enrolment.mode is Mode.E_LEARNING else ActionKind.VIEW_ENROLMENT, enrolment)
        for enrolment in learner.enrolments
        if enrolment.status in OPEN and standing.competency in {grant.competency for grant in enrolment.grants}
    )
    return (*enrolled, Action(ActionKind.SEARCH))
