"""Awards of one employer that count at another: transfers of who moves, updates of who works for several (domain.md §7).

Only national competencies travel, with their own day of award. What arrived never travels on.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum

from chalicelib.domain import errors
from chalicelib.domain.calendar import EARLIEST
from chalicelib.domain.competency import Award, Competency, Origin, expiry_of
from chalicelib.domain.compliance import best
from chalicelib.domain.errors import FieldError
from chalicelib.domain.framework import owner_of
from chalicelib.domain.learner import Learner
from chalicelib.domain.people import NATIONAL, Employment, EmploymentKind

# --- what an award is worth at another employer ---------------------------------------------------------------

_ARRIVED = "transfer"


def source_at_another(employer: str, source: str) -> str:
    """The source under which an award of this employer arrives at another: `transfer.504.01J9…`.

    It is the same whichever way the award comes, so that it arrives once.
    """
    return f"{_ARRIVED}.{employer}.{source}"


def made_at(award: Award) -> tuple[str, str] | None:
    """The employer that made an award which arrived from there, and its source at that employer; None for any other award."""
    arrived, _, rest = award.source.partition(".")
    employer, _, source = rest.partition(".")
    return (employer, source) if arrived == _ARRIVED and award.origin is Origin.TRANSFER else None


def arriving(award: Award, employer: str, competency: Competency | None) -> Award:
    """An award of this employer as it counts at another: its own day, valid no longer than given, nor than its period of today
    (of a competency unknown there: as given).
    """
    ours = expiry_of(award.awarded_on, competency.renewal_months) if competency else None
    expires_on = min((each for each in (award.expires_on, ours) if each), default=None)
    source = source_at_another(employer, award.source)
    return Award(award.competency, award.level, award.awarded_on, expires_on, Origin.TRANSFER, source)


def better(award: Award, held: Iterable[Award], day: date) -> bool:
    """Whether an award is valid longer than any held of its competency, at its level or above, on a day."""
    present = best((each for each in held if each.competency == award.competency), award.level, day)
    return present is None or (present.expires_on or date.max) < (award.expires_on or date.max)


def may_travel(award: Award, day: date) -> bool:
    """Whether an award goes to another employer at all: national, made there, valid on the day."""
    return owner_of(award.competency) == NATIONAL and award.origin is not Origin.TRANSFER and award.valid_on(day)


def arrived_already(award: Award, held: Iterable[Award]) -> Award | None:
    """The award held that is this one: it arrived before, some other way. It may have been voided since."""
    same = _which(award, award.source)
    return next((each for each in held if _which(each, each.source) == same), None)


def _which(award: Award, source: str) -> tuple[str, date, str]:
    """What tells an award from any other at an employer, under its source there: one completion may award several competencies."""
    return award.competency, award.awarded_on, source


# --- what an employer has set ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Settings:
    """What an employer has set about transfers and updates.

    `automatic_release`: what another employer asks for is released at once. `recognised` are the employers whose training counts
    here without an administrator's look, by transfer or update; None: all of them.
    """

    automatic_release: bool = False
    recognised: frozenset[str] | None = None

    def recognises(self, employer: str) -> bool:
        """Whether training of that employer is recognised."""
        return self.recognised is None or employer in self.recognised


# --- several employers ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Update:
    """What one employer has to be told of awards made at another: awards that arrive, and awards void since they arrived."""

    employer: str
    arriving: tuple[Award, ...] = ()
    void: tuple[Award, ...] = ()


def update_of(
    there: Learner, here: Learner, competencies: Mapping[str, Competency], settings: Settings, day: date
) -> Update:
    """What the records at one employer (`here`) lack of those made at another (`there`) on a day; of much, as much as one
    transaction holds.

    An award arrives if both employed the person when it was made and do so now, and if a transfer would be accepted by itself.
    What was taken over is left alone: the system used before passed it on already. An award that became void goes void wherever
    it arrived. `competencies` are all known here, `settings` those of here.
    """
    arrived = [each for each in here.awards if (origin := made_at(each)) and origin[0] == there.employer]
    void = {_which(each, source_at_another(there.employer, each.source)) for each in there.awards if each.void}
    voided = tuple(each for each in arrived if not each.void and _which(each, each.source) in void)
    held = [each for each in here.awards if each not in voided]
    found: list[Award] = []
    for award in sorted(there.awards, key=_longest_first):
        if _is_for_both(award, there, here, day):
            competency = competencies.get(award.competency)
            new = arriving(award, there.employer, competency)
            weighed = _weighed(new, [*held, *found], there.employer, competency, settings, day)
            if weighed is Because.BETTER and not arrived_already(new, held):
                found.append(new)
    void_now = voided[:MOST_ITEMS]
    return Update(there.employer, tuple(found[: MOST_ITEMS - len(void_now)]), void_now)


def _is_for_both(award: Award, there: Learner, here: Learner, day: date) -> bool:
    if not may_travel(award, day) or award.origin is Origin.TAKEOVER:
        return False
    return all(employed_on(each.employment, on) for each in (there, here) for on in (award.awarded_on, day))


def may_receive(employment: Employment | None, day: date) -> bool:
    """Whether a transfer brings somebody their training on a day: applicants and employees (domain.md §7)."""
    if employment is None or not employment.active_on(day):
        return False
    return employment.kind_on(day) is not EmploymentKind.EXTERNAL


def employed_on(employment: Employment | None, day: date) -> bool:
    """Whether somebody is an employee on a day: applicants get transfers instead, and external learners are not employed."""
    return employment is not None and employment.active_on(day) and employment.kind_on(day) is EmploymentKind.EMPLOYEE


# --- a transfer and its states --------------------------------------------------------------------------------


class Status(StrEnum):
    """How far a transfer has come (domain.md §7). Received: some items wait for an administrator of the new employer."""

    INITIATED = "initiated"
    MATCHED = "matched"
    RELEASED = "released"
    RECEIVED = "received"
    APPLIED = "applied"
    PARTLY_APPLIED = "partly applied"
    REJECTED = "rejected"
    FAILED = "failed"


class Step(StrEnum):
    """What moves a transfer on."""

    MATCH = "match"
    RELEASE = "release"
    REFUSE = "refuse"
    WITHDRAW = "withdraw"
    RECEIVE = "receive"
    FINISH = "finish"
    FAIL = "fail"


class Party(StrEnum):
    """Who takes a step: administrators of the employer that asks, of the one that is asked, whose training it is, or nobody but
    the service.
    """

    NEW = "new employer"
    OLD = "old employer"
    LEARNER = "learner"
    SERVICE = "service"


_OLD, _NEW, _SERVICE = frozenset({Party.OLD}), frozenset({Party.NEW}), frozenset({Party.SERVICE})

OUTCOMES = frozenset({Status.APPLIED, Status.PARTLY_APPLIED, Status.REJECTED})
"""What a transfer is once every item of it is decided."""

MOVES: dict[tuple[Status, Step], tuple[frozenset[Status], frozenset[Party]]] = {
    (Status.INITIATED, Step.MATCH): (frozenset({Status.MATCHED}), _SERVICE),
    (Status.INITIATED, Step.FAIL): (frozenset({Status.FAILED}), _SERVICE),
    (Status.MATCHED, Step.RELEASE): (frozenset({Status.RELEASED}), _OLD | _SERVICE),
    (Status.MATCHED, Step.REFUSE): (frozenset({Status.REJECTED}), _OLD),
    (Status.MATCHED, Step.WITHDRAW): (frozenset({Status.FAILED}), _NEW | {Party.LEARNER}),
    (Status.RELEASED, Step.RECEIVE): (frozenset({Status.RECEIVED}), _SERVICE),
    (Status.RELEASED, Step.FAIL): (frozenset({Status.FAILED}), _SERVICE),
    (Status.RECEIVED, Step.FINISH): (OUTCOMES, _NEW | _SERVICE),
}
"""From which state which step leads where, and who may take it. What is not here cannot happen."""

_WAY_ON = {
    Status.INITIATED: "The person has to be found at the other employer first.",
    Status.MATCHED: "It waits for the other employer, who releases or refuses it. Who asked, or the learner, may withdraw it.",
    Status.RELEASED: "It is about to be received.",
    Status.RECEIVED: "Its items wait for an administrator of the new employer.",
    Status.APPLIED: "If an award is wrong, void it: POST /v1/people/{person_id}/awards/void.",
    Status.PARTLY_APPLIED: "Record what is missing: POST /v1/people/{person_id}/awards.",
    Status.REJECTED: "Ask again: POST /v1/people/{person_id}/transfers.",
    Status.FAILED: "Ask again: POST /v1/people/{person_id}/transfers.",
}


class Why(StrEnum):
    """Why a transfer came to a state, where nobody says so in words of their own."""

    UNKNOWN = "not known there"
    NOBODY = "nobody there can release it"
    LEFT = "left the new employer"
    NOTHING = "nothing to bring"
    WITHDRAWN = "withdrawn"
    CONSENT = "consent taken back"


class ItemState(StrEnum):
    """What became of an item."""

    WAITING = "waiting"
    ACCEPTED = "accepted"
    REJECTED = "rejected"


class Because(StrEnum):
    """The rule that decided an item, or that leaves it to an administrator (domain.md §7)."""

    BETTER = "national, in date, from a recognised employer, and better than what is held"
    ARRIVED = "it arrived before"
    NOT_RECOGNISED = "the employer is not one whose training is recognised"
    NOT_IN_USE = "the competency is not in use"
    OVER = "it is over by the period of this competency"
    NOT_BETTER = "what is held is as good or better"
    VOID = "it arrived before, and was made void here"
    ADMINISTRATOR = "an administrator decided"


@dataclass(frozen=True, slots=True)
class Item:
    """One award that a transfer carries, as the old employer holds it, and what became of it.

    `number` counts from 1. `reason` is what an administrator gave for a decision, `by` who that was.
    """

    number: int
    award: Award
    state: ItemState = ItemState.WAITING
    because: Because | None = None
    by: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class HistoryRow:
    """One change: the state reached, the UTC instant, who made it (a person id or a named system), and why: a `Why`, or the words
    of an administrator who refused.
    """

    status: Status
    at: datetime
    by: str
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Transfer:
    """The training of one person, on its way from one employer to another.

    `consented_on` is the London day on which they agreed to it. `revision` rises with every change.
    """

    id: str
    person: str
    to: str
    origin: str
    consented_on: date
    status: Status
    history: tuple[HistoryRow, ...]
    items: tuple[Item, ...] = ()
    revision: int = 1

    @property
    def asked_at(self) -> datetime:
        """When it was asked for: transfers are dealt with in this order."""
        return self.history[0].at

    @property
    def reason(self) -> str | None:
        """Why it came to its present state: a `Why`, or the words of an administrator who refused; None if nothing was said."""
        return self.history[-1].reason

    @property
    def is_open(self) -> bool:
        """Whether it still waits for somebody."""
        return self.status in {status for status, _ in MOVES}

    def those(self, state: ItemState) -> tuple[Item, ...]:
        """The items of which this became."""
        return tuple(each for each in self.items if each.state is state)

    def item(self, number: str) -> Item | None:
        """The item with this number, as written without zeros before it, or None."""
        return next((each for each in self.items if str(each.number) == number), None)

    def seen_by(self, employer: str) -> "Transfer":
        """The transfer as administrators of an employer see it: what the new one made of the items is no matter of the old one,
        whose part ends with the release (domain.md §7).
        """
        if employer == self.to or not self.items:
            return self
        upto = next(number for number, row in enumerate(self.history, 1) if row.status is Status.RELEASED)
        items = tuple(Item(each.number, each.award) for each in self.items)
        return replace(self, status=Status.RELEASED, history=self.history[:upto], items=items)

    def with_items(self, items: Iterable[Item]) -> "Transfer":
        """The same transfer with other items, its revision one higher."""
        return replace(self, items=tuple(items), revision=self.revision + 1)

    def with_item(self, item: Item) -> "Transfer":
        """The same transfer with another item in place of the one of that number."""
        return self.with_items(item if each.number == item.number else each for each in self.items)


def begun(transfer_id: str, person: str, to: str, origin: str, consented_on: date, by: str, at: datetime) -> Transfer:
    """A transfer as it is asked for. Raises OwnTransfer for one's own."""
    refuse_own(person, by)
    return Transfer(
        transfer_id, person, to, origin, consented_on, Status.INITIATED, (HistoryRow(Status.INITIATED, at, by),)
    )


def wrong_fields(
    to: str, origin: str, employers: Iterable[str], consented_on: date, today: date
) -> Iterator[FieldError]:
    """Each field of a request for a transfer that cannot be."""
    if origin == to:
        yield FieldError("from_employer", "is the employer that asks")
    elif origin not in set(employers):
        yield FieldError("from_employer", "is no employer that uses this service")
    if not EARLIEST <= consented_on <= today:
        yield FieldError("consented_on", f"lies in the future or before {EARLIEST}")


def refuse_own(person: str, by: str) -> None:
    """Raise OwnTransfer if somebody acts on a transfer of their own: nobody awards themselves (domain.md §10)."""
    if person == by:
        raise errors.OwnTransfer("This is about your own training.")


def move(
    transfer: Transfer,
    step: Step,
    who: Party,
    by: str,
    at: datetime,
    to: Status | None = None,
    reason: str | None = None,
) -> Transfer:
    """Take a step; `to` says which state, where a step has several. Raises TransferNotThere where it cannot be taken."""
    following, allowed = MOVES.get((transfer.status, step), (frozenset[Status](), frozenset[Party]()))
    if who not in allowed:
        raise errors.TransferNotThere(
            f"There is nothing to {step}: this transfer is {transfer.status}.",
            way_out=_WAY_ON[transfer.status],
            status=transfer.status.value,
        )
    (status,) = following if to is None else following & {to}
    row = HistoryRow(status, at, by, reason)
    return replace(transfer, status=status, history=(*transfer.history, row), revision=transfer.revision + 1)


# --- its items ------------------------------------------------------------------------------------------------

MOST_ITEMS = 60
"""Awards that one transfer carries, or one update brings and takes back: they are written in one transaction."""


def items_of(there: Learner, day: date) -> tuple[Item, ...]:
    """What an old employer releases: of each national competency in date the award made there at the highest level, and of
    several at that level the one valid longest.
    """
    awards = [each for each in there.awards if may_travel(each, day)]
    longest = sorted(awards, key=_longest_first)
    each_once: dict[str, Award] = {}
    for award in longest:
        each_once.setdefault(award.competency, award)
    going = list(each_once.values())[:MOST_ITEMS]
    in_order = sorted(going, key=lambda each: each.competency)
    return tuple(Item(number, award) for number, award in enumerate(in_order, 1))


def _longest_first(award: Award) -> tuple[int, int, str]:
    last = award.expires_on or date.max
    return -award.level, -last.toordinal(), award.source


def judged(
    item: Item, transfer: Transfer, here: Learner, competency: Competency | None, settings: Settings, day: date
) -> Item:
    """An item as the rule of domain.md §7 decides it at the new employer: accepted, or left to an administrator, and why."""
    award = arriving(item.award, transfer.origin, competency)
    if present := arrived_already(award, here.awards):
        state = ItemState.WAITING if present.void else ItemState.ACCEPTED
        return replace(item, state=state, because=Because.VOID if present.void else Because.ARRIVED)
    because = _weighed(award, here.awards, transfer.origin, competency, settings, day)
    state = ItemState.ACCEPTED if because is Because.BETTER else ItemState.WAITING
    return replace(item, state=state, because=because)


def _weighed(
    award: Award, held: Iterable[Award], origin: str, competency: Competency | None, settings: Settings, day: date
) -> Because:
    """What the rule of domain.md §7 says of an award that arrives from an employer: better, or what stands in its way."""
    if not settings.recognises(origin):
        return Because.NOT_RECOGNISED
    if competency is None or not competency.in_use_on(day):
        return Because.NOT_IN_USE
    if not award.valid_on(day):
        return Because.OVER
    return Because.BETTER if better(award, held, day) else Because.NOT_BETTER


def decided(item: Item, state: ItemState, by: str, reason: str | None) -> Item:
    """An item as an administrator decides it. Raises TransferNotThere for one that is decided already."""
    if item.state is not ItemState.WAITING:
        raise errors.TransferNotThere(
            f"This item was {item.state} already.",
            way_out="If its award is wrong, void it: POST /v1/people/{person_id}/awards/void.",
        )
    return replace(item, state=state, because=Because.ADMINISTRATOR, by=by, reason=reason)


def outcome(transfer: Transfer) -> Status | None:
    """What a transfer is by its items; None while some of them wait."""
    if transfer.those(ItemState.WAITING):
        return None
    accepted, rejected = transfer.those(ItemState.ACCEPTED), transfer.those(ItemState.REJECTED)
    if not accepted:
        return Status.REJECTED
    return Status.PARTLY_APPLIED if rejected else Status.APPLIED
