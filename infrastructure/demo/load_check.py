"""Reads a loaded trust back through the application and compares it with its plan."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from chalicelib.domain.calendar import london_day
from chalicelib.domain.compliance import Rate, rate
from chalicelib.domain.learner import Learner
from chalicelib.domain.projection import UNASSIGNED
from chalicelib.services import projection, recount
from chalicelib.storage import learner, rules

from .load_mapping import Content, Newcomer
from .load_progress import Steps

SAMPLE = 500
"""So many people are read back, evenly spread over the trust."""

UNITS = 12
"""So many units are counted again."""

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Findings:
    """What was found: counters of seats and units that are wrong, people with incomplete records, and the sample's compliance."""

    seats: tuple[recount.Difference, ...]
    units: tuple[projection.Difference, ...]
    incomplete: tuple[str, ...]
    sampled: int
    compliance: Rate

    @property
    def sound(self) -> bool:
        """Whether everything is there and counted right."""
        return not (self.seats or self.units or self.incomplete)


def check(content: Content, now: datetime, steps: Steps) -> Findings:
    """Count all seats and a sample of the units again, and judge a sample of the people now, as My Compliance does."""
    today = london_day(now)
    wrong: list[recount.Difference] = []
    steps.each("Seats", content.classes, lambda each: wrong.extend(recount.seats(content.employer, [each.id])))
    units = sample([*(each.id for each in content.structure.units), UNASSIGNED], UNITS)
    differing: list[projection.Difference] = []
    steps.each("Units", units, lambda unit: differing.extend(projection.recount(content.employer, [unit], now)))
    incomplete: list[str] = []
    rates: list[Rate] = []
    rulebook = rules.rulebook(content.employer)

    def judge(newcomer: Newcomer) -> None:
        found = learner.learner(newcomer.person, content.employer)
        if found is None or not _complete(newcomer, found):
            incomplete.append(newcomer.person)
        else:
            rates.append(rate(found.compliance_on(today, rulebook)))

    people = sample(content.newcomers)
    steps.each("Compliance", people, judge)
    total = Rate(sum(each.required for each in rates), sum(each.achieved for each in rates))
    return Findings(tuple(wrong), tuple(differing), tuple(incomplete), len(people), total)


def sample(all_: Sequence[Item], most: int = SAMPLE) -> list[Item]:
    """All in a small trust; in a large one so many at even distances."""
    if len(all_) <= most:
        return list(all_)
    return [all_[index * len(all_) // most] for index in range(most)]


def _complete(newcomer: Newcomer, found: Learner) -> bool:
    """Whether everything planned is there. More may have happened since: places given back, new bookings and awards."""
    joiner = newcomer.joiner
    return (
        found.person == joiner.person
        and found.employment == joiner.employment
        and set(joiner.assignments) <= set(found.assignments)
        and set(joiner.memberships) <= set(found.memberships)
        and set(newcomer.awards) <= set(found.awards)
        and set(newcomer.exemptions) <= set(found.exemptions)
        and {each.id for each in newcomer.enrolments} <= {each.id for each in found.enrolments}
    )
