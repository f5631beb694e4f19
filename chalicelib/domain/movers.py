"""Movers: whoever holds another post than the one through which they were placed is judged again (domain.md §5, decision 0025)."""

from collections.abc import Sequence
from datetime import date, datetime

from chalicelib.domain import errors
from chalicelib.domain.enrolment import Enrolment, Post
from chalicelib.domain.learner import Learner
from chalicelib.domain.people import Assignment, chosen_assignment

NO_ACCESS = "new post does not give access to this course"
"""Why a mover's enrolment was withdrawn, for its history; the message says it to the learner."""

NO_APPROVAL = "nobody has to approve it in the new post"
"""Why a mover's request went ahead, for its history."""


NEW_POST = "you have another post"
"""Why a mover's request waits for somebody else, as its learner is told."""


def post_of(assignment: Assignment) -> Post:
    """An assignment as it is on the day an enrolment is made through it."""
    return Post(assignment.number, assignment.unit, assignment.position)


def moved(learner: Learner, today: date, now: datetime) -> list[Enrolment]:
    """The enrolments of a learner to judge again: open, on classes not started, made through a post that they do not hold any more.

    Not those for which an administrator set access aside. Somebody who holds no assignment today is between two, or will be told to
    have left: nobody can say yet what they may find.
    """
    held = {post_of(each) for each in learner.assignments_on(today)}
    if not held:
        return []
    return [
        each
        for each in learner.enrolments
        if each.open
        and (each.starts_at is None or now < each.starts_at)
        and each.post is not None
        and each.post not in held
        and errors.AccessNotMet.__name__ not in each.overridden
    ]


def former(enrolment: Enrolment, learner: Learner, today: date) -> Assignment | None:
    """The assignment by which a mover last held the post that they were placed through; None where, as put right since, they
    never did.
    """
    over = [
        each
        for each in learner.assignments
        if post_of(each) == enrolment.post and each.ends_on and each.ends_on < today
    ]
    return max(over, key=lambda each: each.starts_on, default=None)


def assignment_now(enrolment: Enrolment, held: Sequence[Assignment], through: str | None) -> Assignment | None:
    """The assignment to which a mover's enrolment belongs now: the same one in another post; else the one `through` which they meet
    access, else the primary one.
    """
    before = enrolment.post.assignment if enrolment.post else None
    same = next((each for each in held if each.number == before), None)
    return same or chosen_assignment(held, through)
