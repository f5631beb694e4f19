"""Who may be placed on a class, by whom, and as what: confirmed, waitlisted or requested (domain.md §2 and §5)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from chalicelib.domain import errors
from chalicelib.domain.access import Access, AccessMode
from chalicelib.domain.calendar import london_day, long_day
from chalicelib.domain.catalogue import Course, CourseStatus, live_on
from chalicelib.domain.classes import Class, ClassStatus, Seats, started
from chalicelib.domain.enrolment import SEATED, Enrolment, Party, Status
from chalicelib.domain.people import Employment
from chalicelib.domain.prerequisites import Checked

OVERRIDABLE = (
    errors.AccessNotMet,
    errors.PrerequisiteMissing,
    errors.EnrolmentNotOpen,
    errors.ClassPast,
)
"""Rules that an administrator may set aside, with a reason (domain.md §5). Never one seat too many, never two places at once."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a learner may be placed on a class now: the status it would give, or the refusal and its facts.

    `advised` are the advisory prerequisites that are not met: a warning, and no refusal. `overridden` are the refusals that an
    administrator set aside.
    """

    status: Status | None
    refusal: errors.Refusal | None = None
    advised: tuple[Checked, ...] = ()
    overridden: tuple[errors.Refusal, ...] = ()

    def or_refuse(self) -> Status:
        """The status given; raises the refusal if there is one."""
        if self.refusal is not None:
            raise self.refusal
        assert self.status is not None
        return self.status


def judge_placing(
    course: Course,
    class_: Class,
    seats: Seats,
    access: Access,
    mine: Iterable[Enrolment],
    employment: Employment | None,
    now: datetime,
    prerequisites: Sequence[Checked] = (),
    by: Party = Party.LEARNER,
    overriding: bool = False,
) -> Verdict:
    """May this learner be placed on this class now, and as what? The first rule that says no decides (domain.md §2 and §5).

    `access`, `mine` and `employment` are the learner's, whoever places them; `mine` are their enrolments at every employer: nobody
    can be in two places, or on one class twice. `prerequisites` are those of the course as they stand on the day to judge them
    (`day_that_counts`). What is missing comes before approval: no manager could help with it. `overriding` sets aside the rules
    that an administrator may (OVERRIDABLE).
    """
    enrolments = tuple(mine)
    refusals = (
        _refused_by_course(course, london_day(now)),
        _refused_by_class(class_),
        _refused_by_start(class_, now),
        refused_by_leaving(class_, employment, now),
        _refused_by_enrolment_dates(class_, now),
        _refused_by_own_enrolments(class_, enrolments, employment, by),
        _refused_by_access(access),
        _refused_by_prerequisites(prerequisites, day_that_counts(class_, now)),
        _refused_by_mode(access, by),
        _refused_by_waiting_in_vain(class_, seats, now),
    )
    said = tuple(each for each in refusals if each is not None)
    overridden = tuple(each for each in said if overriding and isinstance(each, OVERRIDABLE))
    refusal = next((each for each in said if each not in overridden), None)
    advised = tuple(each for each in prerequisites if each.advised)
    if refusal is not None:
        if by is Party.ADMINISTRATOR and isinstance(refusal, OVERRIDABLE):
            refusal.way_out += " Or set the rule aside: send `override` with the reason."
        return Verdict(None, refusal, advised)
    asks = by is Party.LEARNER and access.mode is AccessMode.APPROVAL
    return Verdict(Status.REQUESTED if asks else by_seats(class_, seats), None, advised, overridden)


def by_seats(class_: Class, seats: Seats) -> Status:
    """What somebody becomes who may have a place: waitlisted while the class is planned or full, or others wait for a free seat."""
    if class_.status is ClassStatus.PLANNED or not _has_seat(seats):
        return Status.WAITLISTED
    return Status.CONFIRMED


def seats_after(seats: Seats, status: Status) -> Seats:
    """The places of a class once somebody more is placed on it in a state."""
    if status is Status.WAITLISTED:
        return replace(seats, waiting=seats.waiting + 1)
    return replace(seats, taken=seats.taken + (status is Status.CONFIRMED and seats.maximum is not None))


def _has_seat(seats: Seats) -> bool:
    return seats.free is None or (seats.free > 0 and seats.waiting == 0)


def day_that_counts(class_: Class, now: datetime) -> date:
    """The London day on which prerequisites must be valid: that of the class's start, today without one (domain.md §5)."""
    return london_day(class_.starts_at or now)


def _refused_by_course(course: Course, today: date) -> errors.Refusal | None:
    if live_on(course, today):
        return None
    days = {"starts_on": course.starts_on, "ends_on": course.ends_on}
    why = "not offered today" if course.status is CourseStatus.LIVE else course.status
    return errors.CourseNotLive(
        f"This course is {why}.",
        status=course.status.value,
        **{name: str(day) for name, day in days.items() if day},
    )


def _refused_by_class(class_: Class) -> errors.Refusal | None:
    if class_.status is ClassStatus.CANCELLED:
        return errors.ClassCancelled("This class was cancelled.")
    if class_.status is ClassStatus.CLOSED:
        return errors.ClassNotOpen("This class is closed.", status=class_.status.value)
    return None


def _refused_by_start(class_: Class, now: datetime) -> errors.Refusal | None:
    if class_.starts_at is None or not started(class_, now):
        return None
    return errors.ClassPast("This class has already started.", starts_at=class_.starts_at.isoformat())


def refused_by_leaving(class_: Class, employment: Employment | None, now: datetime) -> errors.Refusal | None:
    """Nobody is given a place on a class that they will have left before: leaving would give it back (domain.md §2)."""
    if employment is None or not employment.left_before(day_that_counts(class_, now)):
        return None
    return errors.EmploymentEnds("The employment ends before this class.", last_day=str(employment.ends_on))


def _refused_by_enrolment_dates(class_: Class, now: datetime) -> errors.Refusal | None:
    today = london_day(now)
    if class_.enrol_from and today < class_.enrol_from:
        return errors.EnrolmentNotOpen("Enrolment has not begun.", enrol_from=class_.enrol_from.isoformat())
    if class_.enrol_until and today > class_.enrol_until:
        return errors.EnrolmentNotOpen("Enrolment has ended.", enrol_until=class_.enrol_until.isoformat())
    return None


def _refused_by_own_enrolments(
    class_: Class, enrolments: tuple[Enrolment, ...], employment: Employment | None, by: Party
) -> errors.Refusal | None:
    if there := on_already(class_, enrolments):
        if not _shown(there, employment, by):
            return errors.AlreadyEnrolled(
                "On this class already, through another employer.", way_out="Leave it there, or choose another class."
            )
        return errors.AlreadyEnrolled(
            f"On this class already: {there.status}.",
            way_out=None if by is Party.LEARNER else _way_out_of(there),
            enrolment=there.id,
            status=there.status.value,
        )
    return refused_by_clash(class_, enrolments, employment, by)


def _way_out_of(there: Enrolment) -> str:
    if there.status is Status.REQUESTED:
        return f"Approve the request: POST /v1/people/{{person_id}}/enrolments/{there.id}/approval."
    return "See GET /v1/people/{person_id}/enrolments."


def _shown(enrolment: Enrolment, employment: Employment | None, to: Party) -> bool:
    """Whether an enrolment is named in a refusal: everything to its learner, to others what is of the employment they act in.
    Where else somebody works, and what they attend there, is nobody's business here.
    """
    return to is Party.LEARNER or (employment is not None and employment.employer == enrolment.employer)


def on_already(class_: Class, enrolments: Iterable[Enrolment]) -> Enrolment | None:
    """The learner's enrolment on this class that stands in the way of another one, if there is one."""
    return next((each for each in enrolments if each.class_id == class_.id and _blocks_another(each)), None)


def refused_by_clash(
    class_: Class, enrolments: Iterable[Enrolment], employment: Employment | None, by: Party
) -> errors.Refusal | None:
    """Nobody holds seats on two classes at the same time, at whichever employer (domain.md §2)."""
    clash = next((each for each in enrolments if each.overlaps(class_)), None)
    if clash is None:
        return None
    named = {"enrolment": clash.id, "title": clash.title} if _shown(clash, employment, by) else {}
    return errors.Clash(
        "There is a seat on another class at the same time.",
        way_out=None if by is Party.LEARNER else "Have them give the other seat back, or choose another date.",
        **named,
    )


def _blocks_another(enrolment: Enrolment) -> bool:
    """A dated class is taken once; e-learning may be repeated, but only one attempt is open at a time."""
    return enrolment.open or (enrolment.starts_at is not None and enrolment.status in SEATED)


def _refused_by_access(access: Access) -> errors.Refusal | None:
    if access.visible:
        return None
    return errors.AccessNotMet("None of the access rules of this course is met.")


def _refused_by_prerequisites(prerequisites: Sequence[Checked], day: date) -> errors.Refusal | None:
    missing = [each for each in prerequisites if each.missing]
    if not missing:
        return None
    names = ", ".join(each.name or "a course that only others can find" for each in missing)
    first = list(dict.fromkeys(course.title for each in missing for course in each.courses))
    return errors.PrerequisiteMissing(
        f"Before this course comes what is not held, or will not be on {long_day(day)}: {names}.",
        way_out=f"Do first: {', or '.join(first)}." if first else None,
        on=str(day),
        missing=[_said(each) for each in missing],
    )


def _said(missing: Checked) -> dict[str, Any]:
    """What is missing, and where to get it. A course that the learner cannot find is not named."""
    wanted = missing.prerequisite
    return {
        "kind": wanted.kind.value,
        "id": wanted.id if missing.name else None,
        "level": wanted.level,
        "name": missing.name,
        "courses": [{"id": course.id, "title": course.title} for course in missing.courses],
    }


def _refused_by_mode(access: Access, by: Party) -> errors.Refusal | None:
    if access.mode is AccessMode.ADMINISTRATOR and by is not Party.ADMINISTRATOR:
        return errors.AdministratorOnly(
            "Only the learning team enrols people on this course.",
            way_out=None if by is Party.LEARNER else "Ask the learning team to enrol them.",
        )
    return None


def _refused_by_waiting_in_vain(class_: Class, seats: Seats, now: datetime) -> errors.Refusal | None:
    """A waiting list ends when the class starts: whoever is added afterwards needs a seat (domain.md §2)."""
    if not started(class_, now) or by_seats(class_, seats) is not Status.WAITLISTED:
        return None
    if class_.status is ClassStatus.PLANNED:
        return _refused_while_planned(class_)
    if seats.free:
        why, way_out = (
            "It has started, and the waiting list for its free seats is being ended.",
            "Try again in some minutes.",
        )
    else:
        why, way_out = "Every seat on this class is taken, and it has started.", None
    return errors.ClassFull(why, way_out=way_out, maximum=seats.maximum, free=seats.free, waiting=seats.waiting)


# --- out of turn, and back to the list (domain.md §2) -----------------------------------------------------------


def refuse_promotion(
    class_: Class, seats: Seats, mine: Iterable[Enrolment], employment: Employment | None, now: datetime
) -> None:
    """Raise the rule by which somebody on the waiting list cannot be given a seat now, in or out of turn, if there is one.

    A closed class still gives seats to those who wait; a planned one has none to give. Never two places at once and never one seat
    too many, whoever decides.
    """
    refusals = (
        _refused_while_planned(class_),
        None if class_.status is ClassStatus.CLOSED else _refused_by_class(class_),
        _refused_by_start(class_, now),
        refused_by_leaving(class_, employment, now),
        _refused_by_seats(seats),
        refused_by_clash(class_, mine, employment, Party.ADMINISTRATOR),
    )
    for refusal in filter(None, refusals):
        raise refusal


def refuse_waiting(class_: Class, seats: Seats, place: int, now: datetime) -> None:
    """Raise the rule by which somebody with a seat cannot go back to this place on the waiting list now, if there is one.

    Whoever came first there would have the seat again at once, if the class gives it to anybody: an overbooked one does not.
    """
    if refusal := _refused_by_start(class_, now):
        raise refusal
    left = replace(seats, taken=seats.taken - 1)
    if class_.status is ClassStatus.NORMAL and left.free != 0 and place == 1:
        raise errors.NobodyElseWaits("Nobody who waits comes first for this seat, so that it would come back at once.")


def _refused_while_planned(class_: Class) -> errors.Refusal | None:
    if class_.status is not ClassStatus.PLANNED:
        return None
    return errors.ClassNotOpen(
        "This class is still being planned.", way_out="Open the class first.", status=class_.status.value
    )


def _refused_by_seats(seats: Seats) -> errors.Refusal | None:
    if seats.free != 0:
        return None
    return errors.ClassFull(
        "Every seat on this class is taken.",
        way_out="Have the maximum of the class raised, or somebody give a seat back.",
        maximum=seats.maximum,
        free=seats.free,
        waiting=seats.waiting,
    )
