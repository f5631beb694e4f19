"""Looking through an employer's snapshots page by page, so that a request answers in time however many there are.

A view is a unit, a learner group or one person; a position is the view one has come to, and where one is in it.
"""

from collections.abc import Callable, Sequence
from datetime import date
from typing import Any, TypeVar

from chalicelib.domain.errors import FieldError, Invalid
from chalicelib.domain.projection import Facts, Snapshot
from chalicelib.domain.requirements import Rulebook, Target, TargetKind
from chalicelib.services import rule_changes
from chalicelib.storage import people, projection

T = TypeVar("T")

MOST_SNAPSHOTS = 300
"""Snapshots one request reads at most, so that it answers in time however few of them it is about."""

LEAST_COST = 15
"""What a query counts as, in snapshots, if it finds fewer: empty units take time too."""

_PERSON = "PERSON "
"""How the name of a view begins that is one person's; the others are parts of a change of rules."""


def views_of(rulebook: Rulebook, target: Target, today: date) -> list[str]:
    """Where those may be whom a target reaches today."""
    if target.kind is TargetKind.PERSON:
        return [_PERSON + target.id]
    return rule_changes.parts_of(rulebook, [target], today)


def look_through(
    employer: str,
    views: Sequence[str],
    limit: int,
    after: Any,
    find: Callable[[Facts], T | None],
    most: int | None = None,
) -> tuple[list[T], Any]:
    """What `find` makes of the snapshots of these views, up to `limit`, and the position to go on from; None at the end.

    Reads up to `most` snapshots (MOST_SNAPSHOTS unless told), so a page may be short or empty. Raises Invalid for a position in a
    view that is gone.
    """
    most = MOST_SNAPSHOTS if most is None else most
    at, position = _begin(views, after)
    found: list[T] = []
    cost = 0
    while at < len(views) and len(found) < limit and cost < most:
        snapshots, queries, position = _read(employer, views[at], min(limit - len(found), most), position)
        found += [one for each in snapshots if (one := find(each.facts)) is not None]
        cost += max(len(snapshots), LEAST_COST * queries)
        if position is None:
            at += 1
    return found, [views[at], position] if at < len(views) else None


def _begin(views: Sequence[str], after: Any) -> tuple[int, Any]:
    if after is None:
        return 0, None
    view, position = after
    if view not in views:
        raise Invalid(FieldError("query.cursor", "is of a unit that is gone; begin again"))
    return views.index(view), position


def _read(employer: str, view: str, limit: int, after: Any) -> tuple[Sequence[Snapshot], int, Any]:
    """Snapshots of a view, the number of queries that took, and where to go on in it."""
    if view.startswith(_PERSON):
        return projection.snapshots_of(view.removeprefix(_PERSON), employer), 1, None
    if view.startswith(rule_changes.GROUP):
        most = min(limit, MOST_SNAPSHOTS // LEAST_COST)
        members, following = people.members_page(employer, view.removeprefix(rule_changes.GROUP), most, after)
        found = [snapshot for person in members for snapshot in projection.snapshots_of(person, employer)]
        return found, 1 + len(members), following
    page, following = projection.snapshots_of_unit(employer, view, limit, after)
    return page, 1, following
