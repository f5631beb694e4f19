"""My learning: what somebody is on, has asked for, waits for, and has behind them (domain.md §2, §10 and §11)."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from chalicelib.domain import external_training
from chalicelib.domain.calendar import london_time
from chalicelib.domain.competency import Award
from chalicelib.domain.enrolment import OUTCOMES, Enrolment, Party, Status, may_move
from chalicelib.domain.external_training import ExternalTraining

Record = Enrolment | ExternalTraining
"""What somebody takes part in here, and what they did elsewhere."""

_UNDER_WAY = frozenset(
    {external_training.Status.DRAFT, external_training.Status.SUBMITTED, external_training.Status.APPROVED}
)
_NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Groups:
    """Somebody's learning in the four groups in which they look for it.

    `current` are the classes they hold a seat on and the e-learning they are on, by start (e-learning last). `requested` is what
    others have to decide on, first asked first. `waiting` are places on waiting lists, by start. `history` is all that is over,
    latest first.
    """

    current: tuple[Enrolment, ...]
    requested: tuple[Record, ...]
    waiting: tuple[Enrolment, ...]
    history: tuple[Record, ...]


def grouped(enrolments: Iterable[Enrolment], trainings: Iterable[ExternalTraining]) -> Groups:
    """Everything of somebody's learning, each in one group and none left out."""
    every: tuple[Record, ...] = (*enrolments, *trainings)
    taking = sorted((each for each in every if isinstance(each, Enrolment)), key=_by_start)
    return Groups(
        current=tuple(each for each in taking if each.status is Status.CONFIRMED),
        requested=tuple(sorted(filter(_is_requested, every), key=asked_at)),
        waiting=tuple(each for each in taking if each.status is Status.WAITLISTED),
        history=tuple(sorted(filter(is_over, every), key=place_in_history, reverse=True)),
    )


def _by_start(enrolment: Enrolment) -> tuple[datetime, str]:
    return enrolment.starts_at or _NEVER, enrolment.id


def _is_requested(record: Record) -> bool:
    if isinstance(record, Enrolment):
        return record.status is Status.REQUESTED
    return record.status in _UNDER_WAY


def is_over(record: Record) -> bool:
    """Whether nothing more is to happen to it."""
    return not record.open if isinstance(record, Enrolment) else record.status not in _UNDER_WAY


def asked_at(record: Record) -> datetime:
    """When somebody asked for it: an external training when it was submitted, or begun as long as it is a draft."""
    return record.placed_at if isinstance(record, Enrolment) else record.submitted_at


def place_in_history(record: Record) -> tuple[datetime, str]:
    """When it was over, and its id: a class that was held when it ended, a training when it was completed, anything else when it
    was given up or refused.
    """
    if isinstance(record, Enrolment):
        held = record.ends_at if record.status in OUTCOMES else None
    else:
        verified = record.status is external_training.Status.VERIFIED
        held = london_time(record.training.completed_on, 0) if verified else None
    return held or record.history[-1].at, record.id


def awarded_for(record: Record, awards: Iterable[Award]) -> tuple[Award, ...]:
    """The awards that stand which it earned, by competency: their source is its id, for an enrolment with the revision it had."""
    mine = (each for each in awards if each.source == record.id or each.source.startswith(f"{record.id}."))
    return tuple(sorted((each for each in mine if not each.void), key=lambda each: each.competency))


def may_withdraw(enrolment: Enrolment, party: Party, now: datetime) -> bool:
    """Whether somebody may give this place back now: while it is open, its learner until the class starts (domain.md §2)."""
    started = enrolment.starts_at is not None and enrolment.starts_at <= now
    return may_move(enrolment.status, Status.WITHDRAWN, party) and not (started and party is Party.LEARNER)
