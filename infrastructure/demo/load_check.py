"""Reads a loaded trust back through the application and compares it with its plan."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from chalicelib.domain.compliance import Rate, rate
from chalicelib.domain.learner import Learner
from chalicelib.services import recount
from chalicelib.services.recount import Difference
from chalicelib.storage import learner, rules

from .load_mapping import Content, Newcomer
from .load_progress import Steps

SAMPLE = 500
"""So many people are read back, evenly spread over the trust."""


@dataclass(frozen=True, slots=True)
class Findings:
    """What was found: seat counters that are wrong, people whose records are incomplete, and the compliance of the sample."""

    seats: tuple[Difference, ...]
    incomplete: tuple[str, ...]
    sampled: int
    compliance: Rate

    @property
    def sound(self) -> bool:
        """Whether everything is there and counted right."""
        return not (self.seats or self.incomplete)


def check(content: Content, today: date, steps: Steps) -> Findings:
    """Count all seats again, and judge a sample of the people today, as My Compliance does."""
    wrong: list[Difference] = []
    steps.each("Seats", content.classes, lambda each: wrong.extend(recount.seats(content.employer, [each.id])))
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
    return Findings(tuple(wrong), tuple(incomplete), len(people), total)


def sample(newcomers: Sequence[Newcomer]) -> list[Newcomer]:
    """Everybody in a small trust; in a large one SAMPLE people at even distances."""
    if len(newcomers) <= SAMPLE:
        return list(newcomers)
    return [newcomers[index * len(newcomers) // SAMPLE] for index in range(SAMPLE)]


def _complete(newcomer: Newcomer, found: Learner) -> bool:
    """Whether everything planned is there. More may have happened since: places given back, new bookings and awards."""
    joiner = newcomer.joiner
    return (
        found.person == joiner.person
        and found.employment == joiner.employment
        and set(joiner.assignments) <= set(found.assignments)
        and set(joiner.groups) <= set(found.groups)
        and set(newcomer.awards) <= set(found.awards)
        and {each.id for each in newcomer.enrolments} <= {each.id for each in found.enrolments}
    )
