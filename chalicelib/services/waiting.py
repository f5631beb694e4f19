"""Waiting lists: who stands where, and lists by need kept in order (domain.md §2, decision 0025)."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any

from chalicelib.domain import waiting as rules_of
from chalicelib.domain.calendar import london_day
from chalicelib.domain.catalogue import owner_of
from chalicelib.domain.classes import Class, Seats
from chalicelib.domain.enrolment import Enrolment
from chalicelib.domain.learner import Learner
from chalicelib.domain.people import NATIONAL
from chalicelib.domain.requirements import Rulebook
from chalicelib.storage import audit, classes, rules
from chalicelib.storage import enrolment as enrolments
from chalicelib.storage import learner as learners
from chalicelib.storage.transaction import Transaction, retried

WAITING_LIST = "system:waiting-list"
"""Who promotes and ranks, in history and audit."""


class Unseen(Exception):
    """A class counts people whom its list or roster does not show yet, or shows elsewhere: the queue delivers the work again."""


def employers_of(class_id: str) -> list[str]:
    """Whose people can be on a class: its owner's, and of a national one everybody's; in order."""
    owner = owner_of(class_id)
    return sorted(rules.employers()) if owner == NATIONAL else [owner]


# --- positions --------------------------------------------------------------------------------------------------


def position(waiting: Enrolment) -> int:
    """The place on the waiting list of its class, from 1: those in front counted, but not who is passed over at present.

    Written or not yet. One query that reads who is in front, however many employers' people they are: whoever looks pays for it,
    nobody who books. The index may lag a moment behind.
    """
    return 1 + enrolments.waiting_before(waiting)


def positions(mine: Iterable[Enrolment]) -> dict[str, int]:
    """The places that somebody's enrolments have on waiting lists, by enrolment id. Who is passed over has none."""
    return {each.id: position(each) for each in mine if each.awaiting}


def places(class_id: str) -> dict[str, int]:
    """The position of everybody who waits for a class, by person id, as `position` counts them: the whole list read once."""
    waiting = (each.person for each in enrolments.waiting_list(class_id) if each.awaiting)
    return {person: number for number, person in enumerate(waiting, 1)}


def on_joining(joining: Enrolment, seats: Seats) -> int | None:
    """The place of somebody about to join a list: behind all whom the class counts. None by need: a booking reads nobody else, and
    the place would not last.
    """
    return None if joining.waits_by_need else seats.waiting + 1


def said_of(waiting: Enrolment, place: int | None) -> dict[str, Any]:
    """What N5 says of a place on a waiting list: by need or by time, and which it is where that is known."""
    return {"by_need": waiting.waits_by_need, **({"position": place} if place else {})}


# --- by need ----------------------------------------------------------------------------------------------------


def rank_again(learner: Learner, rulebook: Rulebook, now: datetime) -> int:
    """Bring somebody's places on lists by need up to date with what they need now; how many have changed.

    Nothing is read where nothing has changed. Safe to repeat; whoever projects them calls it.
    """
    out_of_order = rules_of.out_of_order(learner, rulebook, london_day(now))
    return sum(_rank_again(each, rulebook, now) for each in out_of_order)


@retried
def _rank_again(listed: Enrolment, rulebook: Rulebook, now: datetime) -> bool:
    found = learners.as_it_stands(listed)
    if found is None or not found[1].waits_by_need:
        return False
    learner, before = found
    return _write(Transaction(), before, rules_of.ranked(before, True, learner, rulebook, london_day(now)), now)


def rank_all(class_: Class, now: datetime, time_left: Callable[[], bool]) -> bool:
    """Rank everybody waiting for a class whose list is now by need, or no longer is; False if time ran out before.

    Safe to repeat: who is ranked already is not read again.
    """
    waiting = enrolments.waiting_list(class_.id)
    for listed in [each for each in waiting if each.waits_by_need is not class_.by_need]:
        _rank_as_class(listed, now)
        if not time_left():
            return False
    return True


@retried
def _rank_as_class(listed: Enrolment, now: datetime) -> bool:
    """On condition that the class is still as it was read: of two jobs on one class, the later change has the last word."""
    loaded = classes.class_with_seats(listed.class_id, consistent=True)
    found = learners.as_it_stands(listed)
    if loaded is None or found is None:
        return False
    learner, before = found
    class_, rulebook = loaded[0], rules.rulebook_now(listed.employer)
    transaction = Transaction()
    classes.check(transaction, class_)
    return _write(transaction, before, rules_of.ranked(before, class_.by_need, learner, rulebook, london_day(now)), now)


def _write(transaction: Transaction, before: Enrolment, after: Enrolment, now: datetime) -> bool:
    """Commit another place on the list, if it is another. Nobody is told: whoever asks for their position has it counted."""
    if after.need is before.need:
        return False
    enrolments.rewrite(transaction, before, replace(after, revision=before.revision + 1))
    facts = {"enrolment": after.id, "need": after.need.name.lower() if after.need else None}
    audit.record(transaction, audit.Entry(after.employer, WAITING_LIST, "enrolment.ranked", now, after.person, facts))
    transaction.commit()
    return True
