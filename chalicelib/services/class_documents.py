"""The class list and the signature register of a class (domain.md §11)."""

from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime
from itertools import islice

from chalicelib import documents
from chalicelib.domain import class_list
from chalicelib.domain.actor import Actor
from chalicelib.domain.attendance import absences
from chalicelib.domain.calendar import london_day
from chalicelib.domain.class_list import ClassList, Listed
from chalicelib.domain.enrolment import Enrolment
from chalicelib.domain.errors import ListTooLong, NothingToSign
from chalicelib.domain.requirements import Rulebook
from chalicelib.services import waiting
from chalicelib.services.attendance import taught
from chalicelib.storage import class_lists
from chalicelib.storage.class_lists import Employed

MOST_LISTED = 1_000
"""Enrolments on one list. Only e-learning has more; each costs two reads, and the list has to be there before the request ends."""

READERS = 8
"""People read at the same time."""


def listing(actor: Actor, class_id: str, now: datetime) -> ClassList:
    """Who is on a class, of the actor's employer. Raises NotFound also for a class that is none of the actor's, ListTooLong."""
    return _listing(actor, class_id, now, with_absences=True)


def _listing(actor: Actor, class_id: str, now: datetime, with_absences: bool) -> ClassList:
    on = taught(actor, class_id)
    class_, known = on.class_, on.catalogue
    enrolments = _latest_of_each(actor.employer, class_id)
    names = class_lists.employed(actor.employer, [*enrolments, *filter(None, (class_.instructor,))])
    day = london_day(class_.starts_at or now)
    places = waiting.places(class_id) if any(each.awaiting for each in enrolments.values()) else {}

    def read(each: Enrolment) -> Listed:
        return _listed(
            each,
            names.get(each.person),
            unit=_unit(actor.employer, each.person, day, on.rulebook),
            position=places.get(each.person),
            missed=_missed(actor.employer, each.person, day) if with_absences and class_.starts_at else None,
        )

    with ThreadPoolExecutor(READERS) as pool:
        people = list(pool.map(read, enrolments.values()))
    venue = known.venues.get(class_.venue or "")
    instructor = names.get(class_.instructor or "")
    return ClassList(
        class_,
        on.seats,
        on.course.title,
        known.venue_name(class_.venue) or "",
        venue.address if venue else "",
        instructor.name if instructor else "",
        class_list.in_order(people),
    )


def _listed(
    enrolment: Enrolment, found: Employed | None, unit: str, position: int | None, missed: int | None
) -> Listed:
    person = found or Employed(enrolment.person, enrolment.person, "")
    return Listed(
        enrolment.person,
        person.name,
        person.sort_name,
        person.number,
        unit,
        enrolment.status,
        enrolment.placed_at,
        position,
        enrolment.score,
        missed,
    )


def register(actor: Actor, class_id: str, now: datetime) -> bytes:
    """The signature register of a class as a PDF. Raises as `listing`, and NothingToSign for a class without sessions."""
    found = _listing(actor, class_id, now, with_absences=False)  # it is passed around in the room
    if not found.class_.sessions:
        raise NothingToSign("This class has no sessions: nobody comes together to sign.", class_id=class_id)
    return documents.register(found, now)


def _latest_of_each(employer: str, class_id: str) -> dict[str, Enrolment]:
    """The latest attempt of everybody on a class."""
    found = list(islice(class_lists.roster(employer, class_id), MOST_LISTED + 1))
    if len(found) > MOST_LISTED:
        raise ListTooLong(f"This class has more than {MOST_LISTED:,} enrolments.", class_id=class_id)
    return {each.person: each for each in sorted(found, key=lambda each: each.attempt)}


def _unit(employer: str, person: str, day: date, rulebook: Rulebook) -> str:
    unit = class_list.unit_on(class_lists.assignments_of(employer, person), day)
    known = rulebook.units.get(unit) if unit else None
    return known.name if known else unit or ""


def _missed(employer: str, person: str, day: date) -> int:
    return absences(class_lists.enrolments_of(employer, person), day)
