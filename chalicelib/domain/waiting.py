"""Waiting lists by need: how much somebody needs what a class awards (domain.md §2, decision 0025)."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import date

from chalicelib.domain.catalogue import Grants
from chalicelib.domain.compliance import Colour
from chalicelib.domain.enrolment import Enrolment, Need, Status
from chalicelib.domain.learner import Learner
from chalicelib.domain.requirements import Rulebook

_NEED_OF = {Colour.RED: Need.RED, Colour.AMBER: Need.AMBER}


def need_of(learner: Learner, grants: Iterable[Grants], rulebook: Rulebook, day: date) -> Need:
    """How much a learner needs what a class awards on a day: the most urgent colour of what they are required to hold and would
    hold by it (domain.md §3). A level too low for what is required is of no help, and neither is what is not required.
    """
    awarded = tuple(grants)
    needs = (
        _NEED_OF.get(standing.colour, Need.OTHER)
        for standing in learner.compliance_on(day, rulebook)
        if standing.required and rulebook.given_by(standing.required, awarded)
    )
    return min(needs, default=Need.OTHER)


def ranked(enrolment: Enrolment, by_need: bool, learner: Learner, rulebook: Rulebook, day: date) -> Enrolment:
    """The enrolment with its place on the waiting list of its class: by need as it is that day, else by time alone.

    To be asked whenever an enrolment comes to wait. Whoever does not wait has no place to be given.
    """
    if enrolment.status is not Status.WAITLISTED:
        return enrolment
    return replace(enrolment, need=need_of(learner, enrolment.grants, rulebook, day) if by_need else None)


def out_of_order(learner: Learner, rulebook: Rulebook, day: date) -> list[Enrolment]:
    """Those of a learner's places on lists by need that are ranked otherwise than their need of that day asks."""
    waiting = (each for each in learner.enrolments if each.waits_by_need)
    return [each for each in waiting if each.need is not need_of(learner, each.grants, rulebook, day)]
