"""Who did not attend: one month of an employer, as far as somebody's reports reach (domain.md §10 and §11)."""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import Any

import msgspec

from chalicelib.domain import attendance as rules_of
from chalicelib.domain.actor import Actor
from chalicelib.domain.attendance import Absence
from chalicelib.domain.calendar import london_day
from chalicelib.domain.permissions import Capability, Role, Scope
from chalicelib.storage import attendance as stored
from chalicelib.storage import class_lists, people, rules
from chalicelib.storage.class_lists import Employed


class Missed(msgspec.Struct, frozen=True):
    """An absence with names in place of ids, and how often its learner was absent in the twelve months up to that day."""

    absence: Absence
    name: str
    number: str
    unit: str
    supervisor: str
    repeats: int


class MissedPage(msgspec.Struct, frozen=True):
    """A page of a month, by day; how many the whole month has, by course as well; and where to go on."""

    month: date
    course: str | None
    total: int
    by_course: Sequence[tuple[str, str, int]]
    rows: Sequence[Missed]
    after: Any


def listed(actor: Actor, month: date, course: str | None, limit: int, after: Any, now: datetime) -> MissedPage:
    """A page of those who did not attend in the month of a day and whom the actor's reports reach, of one course if it is named.

    The month is read whole, for its counts: some hundred short rows at an employer of 7,000. Each row of the page costs a read of
    that person's enrolments.
    """
    reaches = _reach(actor, now)
    found = [each for each in stored.absences(actor.employer, month) if course in (None, each.course) and reaches(each)]
    rest = found if after is None else [each for each in found if stored.sort_of(each) > after]
    page = rest[:limit]
    return MissedPage(
        month,
        course,
        len(found),
        _by_course(found),
        _with_names(actor.employer, page),
        stored.sort_of(page[-1]) if len(rest) > limit else None,
    )


def _reach(actor: Actor, now: datetime) -> Callable[[Absence], bool]:
    """Whether the actor's reports reach an absence: as an administrator of its subject, its instructor, or a manager (§10)."""
    catalogue = rules.rulebook_and_catalogue(actor.employer)[1]
    everything = Scope.ALLOW in actor.scopes(Capability.VIEW_REPORTS)
    team = frozenset() if everything else people.team_of(actor.employer, actor.person, london_day(now))
    instructs = Role.INSTRUCTOR in actor.roles

    def reaches(absence: Absence) -> bool:
        course = catalogue.courses.get(absence.course)
        administers = actor.reaches(Capability.VIEW_REPORTS, course.subject if course else "", catalogue)
        taught = instructs and absence.instructor == actor.person
        return administers or taught or absence.person in team

    return reaches


def _by_course(found: Sequence[Absence]) -> list[tuple[str, str, int]]:
    titles = {each.course: each.title for each in found}
    counts = Counter(each.course for each in found)
    return [
        (course, titles[course], count)
        for course, count in sorted(counts.items(), key=lambda each: (-each[1], each[0]))
    ]


def _with_names(employer: str, page: Sequence[Absence]) -> list[Missed]:
    names = class_lists.employed(
        employer, [*(each.person for each in page), *(each.supervisor for each in page if each.supervisor)]
    )
    units = rules.rulebook(employer).units
    taking = {each.person: class_lists.enrolments_of(employer, each.person) for each in page}
    rows = []
    for each in page:
        who = names.get(each.person) or Employed(each.person, each.person, "")
        supervisor = names.get(each.supervisor or "")
        unit = units.get(each.unit or "")
        rows.append(
            Missed(
                each,
                who.name,
                who.number,
                unit.name if unit else each.unit or "",
                supervisor.name if supervisor else "",
                rules_of.absences(taking[each.person], each.day),
            )
        )
    return rows
