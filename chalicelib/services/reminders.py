"""Reminding people to renew, and their managers, on the day on which it is due and no more (domain.md §9, N14; decision 0031)."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from itertools import count, takewhile
from typing import Any

from chalicelib.domain import reminders as rules_of
from chalicelib.domain.calendar import london_day, london_time, long_day
from chalicelib.domain.catalogue import Catalogue
from chalicelib.domain.enrolment import Enrolment, Status
from chalicelib.domain.events import Event, EventType
from chalicelib.domain.learner import Learner
from chalicelib.domain.reminders import Renewal
from chalicelib.domain.requirements import Required, Rulebook
from chalicelib.services.catalogue import Viewer
from chalicelib.services.managers import asking
from chalicelib.services.units import title_of
from chalicelib.storage import outbox

COURSES_NAMED = 2
"""Courses named for each competency: My Compliance finds the others."""


LOOKED_BACK = timedelta(days=14)
"""As long as a queue keeps a message: what was told before, no look that comes late tells again."""


def remind(learner: Learner, rulebook: Rulebook, catalogue: Catalogue, since: date, day: date) -> bool:
    """Tell somebody, and their managers, what they have to renew of which a day of reminding lies between two London days, both
    included: one event for everybody concerned. Whether there was something to tell that had not been told yet.

    The event's id is of the day and the person, so that a repetition tells nothing. Where another look has told them of something
    on that day, or a late one on a day between, this one tells the rest.
    """
    due = rules_of.renewals(learner, rulebook, since, day)
    if not due:
        return False
    viewer = Viewer.themselves(learner, day, rulebook, catalogue)
    managers = asking(learner, (each.required for each in rules_of.for_manager(due)), day)
    said = {"learner": learner.person.full_name, "person": learner.person.id}
    told = _told_between(learner, max(since, day - LOOKED_BACK), day)
    number = 1
    while readers := _readers(learner, due, managers, told, viewer):
        event = _event(learner, day, number, said | readers)
        if outbox.emit_once(event):
            return True
        told |= _told(outbox.written(event))
        number += 1
    return False


Told = frozenset[tuple[str, str]]
"""Who was told of which competency."""


def _event(learner: Learner, day: date, number: int, data: dict[str, Any]) -> Event:
    """The event of a day, of which there is a second one only if a second look had more to say."""
    event_id = f"renewal.{day.isoformat()}.{learner.employer}.{learner.person.id}"
    event_id += f".{number}" if number > 1 else ""
    return Event(event_id, EventType.RENEWAL_DUE, learner.employer, None, london_time(day, 0), data)


def _told(event: Event | None) -> Told:
    readers = {**event.data.get("to", {}), **event.data.get("manager", {})} if event else {}
    return frozenset(
        (reader, item["competency"])
        for reader, said in readers.items()
        for item in (*said.get("renewals", ()), *said.get("team", ()))
    )


def _told_between(learner: Learner, first: date, day: date) -> Told:
    """What was told from a day on and before another. Nothing is read where both are the same, as they are of a look in time."""
    found: Told = frozenset()
    while first < day:
        events = takewhile(bool, (outbox.written(_event(learner, first, number, {})) for number in count(1)))
        found = found.union(*map(_told, events))
        first += timedelta(days=1)
    return found


def _readers(
    learner: Learner, due: Sequence[Renewal], managers: Mapping[str, frozenset[str]], told: Told, viewer: Viewer
) -> dict[str, dict[str, Any]]:
    """Who is told, and what is said to each of them alone: a message carries nothing that only another one's reader needs."""
    person = learner.person.id
    own = [each for each in rules_of.for_learner(due) if (person, each.competency) not in told]
    team = {
        manager: [
            each
            for each in rules_of.for_manager(due)
            if each.competency in names and (manager, each.competency) not in told
        ]
        for manager, names in managers.items()
    }
    readers: dict[str, dict[str, Any]] = {}
    if own:
        items = [_said_of(each, viewer) | {"courses": _courses(each.required, viewer)} for each in own]
        readers["to"] = {person: {"renewals": items, **_where(items)}}
    if any(team.values()):
        readers["manager"] = {
            manager: {"team": [_said_of(each, viewer) for each in items]} for manager, items in team.items() if items
        }
    return readers


# --- what the message says ------------------------------------------------------------------------------------


def _said_of(renewal: Renewal, viewer: Viewer) -> dict[str, Any]:
    """`days` are those left until the last valid day, below nothing once it is past; None: not achieved at all. By `competency`
    it is found out whether it is still true. As short as can be: what a message says is written with every step of its life.
    """
    expires_on, taking = renewal.expires_on, renewal.taking
    said = {
        "competency": renewal.competency,
        "title": title_of(viewer.rulebook, renewal.competency),
        "until": long_day(expires_on) if expires_on else None,
        "days": (expires_on - viewer.day).days if expires_on else None,
    }
    return {**said, "taking": _said_of_taking(taking)} if taking else said


def _said_of_taking(enrolment: Enrolment) -> dict[str, Any]:
    """What is under way: `what` is begun (e-learning), late (a class after the last valid day), waited for, or asked for."""
    dated = enrolment.sessions[0].starts_at if enrolment.sessions else enrolment.starts_at
    seated = "late" if dated else "begun"
    what = {Status.CONFIRMED: seated, Status.WAITLISTED: "waited", Status.REQUESTED: "asked"}[enrolment.status]
    day = long_day(london_day(dated)) if dated else None
    return {"what": what, "title": enrolment.title, "day": day, "enrolment": enrolment.id}


def _courses(required: Required, viewer: Viewer) -> list[dict[str, str]]:
    """Courses that the learner can find and that award what is required, or what covers it; by title."""
    names = viewer.rulebook.counting_for(required.competency)
    courses = {each.id: each for name in names for each in viewer.catalogue.awarding.get(name, ())}
    found = [each for each in courses.values() if viewer.rulebook.given_by(required, each.grants) and viewer.sees(each)]
    found.sort(key=lambda each: (each.title.casefold(), each.id))
    return [{"id": each.id, "title": each.title} for each in found[:COURSES_NAMED]]


def _where(items: Sequence[dict[str, Any]]) -> dict[str, str]:
    """Where the message leads: to the enrolment that is begun, else to the one course there is; nothing: to My Compliance."""
    if len(items) == 1:
        (item,) = items
        if item.get("taking", {}).get("what") == "begun":
            return {"enrolment": item["taking"]["enrolment"]}
        if len(item["courses"]) == 1:
            return {"course": item["courses"][0]["id"]}
    return {}
