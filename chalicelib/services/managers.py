"""Which manager is told of what is required of somebody (domain.md §9; decision 0031)."""

from collections.abc import Iterable
from datetime import date

from chalicelib.domain.learner import Learner
from chalicelib.domain.people import chosen_assignment
from chalicelib.domain.requirements import Required
from chalicelib.storage import people


def asking(learner: Learner, required: Iterable[Required], day: date) -> dict[str, frozenset[str]]:
    """Who supervises the assignments by which something is required of somebody, each with the names of the competencies that are
    required by theirs; what a group or the person is asked for, with whoever supervises the primary one.

    Never the learner themself, nor anybody who has left, and of applicants nobody before their first day.
    """
    held = tuple(each for each in learner.assignments_on(day) if each.active_on(day))
    found: dict[str, set[str]] = {}
    for each in required:
        for because in each.because:
            post = chosen_assignment(held, because.assignment)
            if post and post.supervisor and post.supervisor != learner.person.id:
                found.setdefault(post.supervisor, set()).add(each.competency)
    gone = people.left_by(learner.employer, set(found), day)
    return {manager: frozenset(names) for manager, names in sorted(found.items()) if manager not in gone}
