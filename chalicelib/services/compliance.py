"""Compliance of one learner or one team, evaluated live from their own records, so that it is never stale (architecture §3)."""

from collections.abc import Iterable
from datetime import date, datetime
from enum import StrEnum
from typing import Any

import msgspec

from chalicelib.domain.actor import Actor
from chalicelib.domain.calendar import london_day
from chalicelib.domain.catalogue import Mode
from chalicelib.domain.competency import Award
from chalicelib.domain.compliance import Colour, Rate, Standing, rate, worth_of
from chalicelib.domain.enrolment import OPEN, Enrolment
from chalicelib.domain.errors import NotFound
from chalicelib.domain.learner import Learner
from chalicelib.domain.requirements import HeldBack, Rulebook
from chalicelib.storage import learner as learners
from chalicelib.storage import people, rules


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
    """One row of My Compliance: the standing, what can be done about it, and what keeps rules from requiring a blue one."""

    standing: Standing
    actions: tuple[Action, ...]
    held_back: HeldBack | None = None


class ComplianceView(msgspec.Struct, frozen=True):
    """A learner's compliance on a London day, with the rulebook that gives its rules their names."""

    learner: Learner
    day: date
    rate: Rate
    rows: tuple[Row, ...]
    rulebook: Rulebook


def of_learner(learner: Learner, colours: Iterable[Colour], day: date) -> ComplianceView:
    """The learner's compliance on a day, rows of these colours only; the rate always counts all that is required."""
    rulebook = rules.rulebook(learner.employer)
    standings = learner.compliance_on(day, rulebook)
    shown = frozenset(colours)
    held_back = learner.held_back_on(day, rulebook) if Colour.BLUE in shown else {}
    rows = tuple(
        Row(each, _actions(each, learner, rulebook), held_back.get(each.competency))
        for each in standings
        if each.colour in shown
    )
    return ComplianceView(learner, day, rate(standings), rows, rulebook)


class Explanation(msgspec.Struct, frozen=True):
    """One competency of one learner on a day: its standing (None: neither required nor held) and each award's worth.

    `held_back` says what keeps rules that ask for it from requiring it, if anything does.
    """

    learner: Learner
    competency: str
    day: date
    standing: Standing | None
    awards: tuple[tuple[Award, str], ...]
    held_back: HeldBack | None
    rulebook: Rulebook


def explain(learner: Learner, competency: str, day: date) -> Explanation:
    """Why a competency has its colour for a learner on a day: by awards of it, and of those that cover it.

    Raises NotFound for one in no framework the employer uses.
    """
    rulebook = rules.rulebook(learner.employer)
    awards = [
        award
        for award in learner.awards
        if award.competency == competency or competency in rulebook.counts_for.get(award.competency, ())
    ]
    if competency not in rulebook.competencies and not awards:
        raise NotFound("There is no such competency.", competency=competency)
    found = (row for row in learner.compliance_on(day, rulebook) if row.competency == competency)
    standing = next(found, None)
    worth = tuple((award, worth_of(award, standing, day)) for award in awards)
    held_back = learner.held_back_on(day, rulebook).get(competency)
    return Explanation(learner, competency, day, standing, worth, held_back, rulebook)


class TeamPage(msgspec.Struct, frozen=True):
    """A page of a supervisor's people, each with their compliance, and where to go on."""

    views: tuple[ComplianceView, ...]
    after: Any


def team(actor: Actor, limit: int, after: Any, now: datetime) -> TeamPage:
    """The actor's direct reports today, each judged from their own records. Reads each of them: pages are short."""
    day = london_day(now)
    ids, following = people.reports_of(actor.employer, actor.person, limit, after)
    found = [learners.learner(each, actor.employer) for each in ids]
    mine = [each for each in found if each and each.supervised_by(actor.person, day)]
    return TeamPage(tuple(of_learner(each, (Colour.RED, Colour.AMBER), day) for each in mine), following)


def _actions(standing: Standing, learner: Learner, rulebook: Rulebook) -> tuple[Action, ...]:
    """Play or view what the learner is enrolled on already and satisfies the row; search for more. Nothing for green and blue."""
    required = standing.required
    if required is None or standing.colour is Colour.GREEN:
        return ()
    enrolled = (
        Action(ActionKind.PLAY if enrolment.mode is Mode.E_LEARNING else ActionKind.VIEW_ENROLMENT, enrolment)
        for enrolment in learner.enrolments
        if enrolment.status in OPEN and rulebook.given_by(required, enrolment.grants)
    )
    return (*enrolled, Action(ActionKind.SEARCH))
