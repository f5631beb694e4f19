"""Attendance: what is noted of those on a class once it has started, and who did not attend (domain.md §2, §3 and §11)."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from chalicelib.domain import errors
from chalicelib.domain.calendar import add_months, london_day
from chalicelib.domain.catalogue import AwardTiming, Course
from chalicelib.domain.classes import Class, ClassStatus, started
from chalicelib.domain.enrolment import OUTCOMES, Enrolment, Party, Status, refuse_move
from chalicelib.domain.errors import FieldError
from chalicelib.domain.learner import Learner
from chalicelib.domain.people import Assignment, chosen_assignment

SCORED = frozenset({Status.COMPLETED, Status.ATTENDED_NOT_COMPLETED})
"""Outcomes of somebody who was there, and so may have a score."""

REPEATS_MONTHS = 12
"""How far back absences are counted together (domain.md §11: repeats)."""


@dataclass(frozen=True, slots=True)
class Mark:
    """What is to be noted of somebody: an outcome, and a score in per cent if there was a test.

    `named`: the register names them; otherwise they are among the rest, who are left alone unless they hold a seat.
    """

    person: str
    outcome: Status
    score: float | None = None
    named: bool = True


def wrong_fields(marks: Sequence[Mark], rest: Status | None) -> Iterator[FieldError]:
    """What of a register cannot be: somebody twice, a score of somebody who was not there, nobody at all."""
    if not marks and rest is None:
        yield FieldError("marks", "names nobody, and there is no `rest`")
    seen: set[str] = set()
    for place, mark in enumerate(marks):
        if mark.person in seen:
            yield FieldError(f"marks[{place}].person_id", "is on the list before")
        seen.add(mark.person)
        yield from wrong_score(mark.outcome, mark.score, f"marks[{place}].score")


def wrong_score(outcome: Status, score: float | None, field: str = "score") -> Iterator[FieldError]:
    """A score of somebody who was not there, or of whom nothing is noted any more."""
    if score is not None and outcome not in SCORED:
        yield FieldError(field, "there is none of somebody who was not there")


def _kept(score: float | None) -> float | None:
    """A score as it is kept: to two decimals. Not every number that can be written can be stored (1e-200 cannot)."""
    return None if score is None else round(score, 2)


def refuse_cancelled(class_: Class) -> None:
    """Nobody holds a seat on a cancelled class, or could get one back: raises ClassCancelled."""
    if class_.status is ClassStatus.CANCELLED:
        raise errors.ClassCancelled(
            "This class was cancelled.", way_out="Nobody is on it any more: there is nothing to note."
        )


def refuse_early(class_: Class, now: datetime) -> None:
    """Outcomes are noted from the start of a class; of one without dates at any time (domain.md §2). Raises ClassNotStarted."""
    if class_.starts_at is not None and not started(class_, now):
        raise errors.ClassNotStarted("The class has not started yet.", starts_at=class_.starts_at.isoformat())


def refuse_second(enrolment: Enrolment, enrolments: Iterable[Enrolment]) -> None:
    """Nobody is on a class twice: raises AlreadyEnrolled where there is a later attempt than the one to be taken back."""
    later = [each for each in enrolments if each.class_id == enrolment.class_id and each.attempt > enrolment.attempt]
    if later:
        latest = max(later, key=lambda each: each.attempt)
        raise errors.AlreadyEnrolled(
            f"A later attempt at this class is {latest.status}.",
            way_out="Note another outcome of this one, or correct the later one.",
            enrolment=latest.id,
            status=latest.status.value,
        )


def marked(enrolment: Enrolment, mark: Mark, party: Party, now: datetime, by: str) -> Enrolment:
    """The enrolment of somebody who holds a seat, with its outcome; the very same one if that is noted already.

    Raises AlreadyMarked where another outcome stands, and what `refuse_move` raises.
    """
    score = _kept(mark.score)
    if enrolment.status is mark.outcome and score in (None, enrolment.score):
        return enrolment
    if enrolment.status in OUTCOMES:
        raise errors.AlreadyMarked(
            f"This enrolment is {enrolment.status} already.",
            enrolment=enrolment.id,
            status=enrolment.status.value,
            score=enrolment.score,
        )
    refuse_move(enrolment, mark.outcome, party, from_=frozenset({Status.CONFIRMED}))
    return replace(enrolment.moved_to(mark.outcome, now, by), score=score)


def corrected(
    enrolment: Enrolment, outcome: Status, score: float | None, party: Party, now: datetime, by: str, reason: str
) -> Enrolment:
    """The enrolment with another outcome, or `confirmed` again, or with another score alone; the very same one if nothing changes.

    A score that is not given stays, as long as somebody was there. Another score alone is no other state: it adds nothing to the
    history, and its reason stands in the audit. Raises what `refuse_move` raises.
    """
    if outcome is Status.CONFIRMED and _taken_back(enrolment, by):
        return enrolment
    another = outcome is not enrolment.status
    # Whoever may take an outcome back may put its score right.
    refuse_move(enrolment, outcome if another else Status.CONFIRMED, party, from_=OUTCOMES)
    kept = (enrolment.score if score is None else _kept(score)) if outcome in SCORED else None
    if another:
        return replace(enrolment.moved_to(outcome, now, by, reason), score=kept)
    return enrolment if kept == enrolment.score else replace(enrolment, score=kept, revision=enrolment.revision + 1)


def to_be_verified(enrolment: Enrolment, course: Course) -> Enrolment:
    """The enrolment, whose outcome has changed, with what its completion is worth and has to be verified (domain.md §3)."""
    verify = enrolment.status is Status.COMPLETED and course.award_timing is AwardTiming.AFTER_VERIFICATION
    return replace(enrolment, to_verify=course.grants if verify else ())


def _taken_back(enrolment: Enrolment, by: str) -> bool:
    """Whether somebody took its outcome back, and nothing has happened since."""
    return enrolment.reached(Status.CONFIRMED, by) and any(row.status in OUTCOMES for row in enrolment.history[-2:-1])


def completion(enrolment: Enrolment) -> int:
    """Which row of its history notes the completion of a completed enrolment: the last, if it was taken back in between."""
    return max(place for place, row in enumerate(enrolment.history) if row.status is Status.COMPLETED)


def completed_on(enrolment: Enrolment, ends_at: datetime | None) -> date:
    """The London day on which a completed enrolment was completed: that of the end of its class, or of the note where there is no
    end, or where it was noted before (domain.md §3). It is the day of the awards, and none of them lies in the future.
    """
    noted = london_day(enrolment.history[completion(enrolment)].at)
    return min(london_day(ends_at), noted) if ends_at else noted


# --- who did not attend -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Absence:
    """Somebody did not attend a class: the facts of domain.md §11, as ids.

    `day` is the London day of the class, `supervisor` and `unit` those of the assignment through which they were placed, on that
    day.
    """

    person: str
    employer: str
    class_id: str
    attempt: int
    course: str
    title: str
    day: date
    unit: str | None
    supervisor: str | None
    instructor: str | None


def absent_on(enrolment: Enrolment) -> date | None:
    """The London day on which somebody did not attend: of the class, or of the note where it has no dates; None if they did."""
    if enrolment.status is not Status.DID_NOT_ATTEND:
        return None
    return london_day(enrolment.starts_at or enrolment.history[-1].at)


def absence(enrolment: Enrolment, learner: Learner, class_: Class) -> Absence | None:
    """What is kept of an enrolment whose learner did not attend; None of any other."""
    day = absent_on(enrolment)
    if day is None:
        return None
    held = through(enrolment, learner, day)
    return Absence(
        enrolment.person,
        enrolment.employer,
        enrolment.class_id,
        enrolment.attempt,
        enrolment.course,
        enrolment.title,
        day,
        held.unit if held else enrolment.post.unit if enrolment.post else None,
        held.supervisor if held else None,
        class_.instructor,
    )


def through(enrolment: Enrolment, learner: Learner, day: date) -> Assignment | None:
    """The assignment through which somebody was placed, if it is held on a day, else their primary one then."""
    return chosen_assignment(learner.assignments_on(day), enrolment.post.assignment if enrolment.post else None)


def absences(enrolments: Iterable[Enrolment], until: date) -> int:
    """How often somebody did not attend in the twelve months that end with a day (domain.md §11: repeats)."""
    since = add_months(until, -REPEATS_MONTHS)
    return sum(since < day <= until for each in enrolments if (day := absent_on(each)))
