"""Where somebody stands: colours, their reasons and the rate (domain.md §3)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum
from types import MappingProxyType

from chalicelib.domain.calendar import add_months
from chalicelib.domain.competency import Award
from chalicelib.domain.requirements import Required


class Colour(StrEnum):
    """The status indicator of the brief: red, amber, green, and blue for what is held but not required."""

    RED = "red"
    AMBER = "amber"
    GREEN = "green"
    BLUE = "blue"


class Reason(StrEnum):
    """The rule that decided a colour."""

    NEVER_ACHIEVED = "never achieved"
    BELOW_LEVEL = "held below the required level"
    EXPIRED = "expired"
    EXPIRES_SOON = "expires soon"
    VALID = "valid"
    NO_EXPIRY = "valid without expiry"
    NOT_REQUIRED = "held, not required"


@dataclass(frozen=True, slots=True)
class Standing:
    """One row of compliance: the competency, its colour, the rule that decided, and the facts it used.

    `award` is the one that decided: the best at the required level, else the best held at a lower one.
    `required` is None for a blue row.
    """

    competency: str
    colour: Colour
    reason: Reason
    required: Required | None
    award: Award | None

    @property
    def expires_on(self) -> date | None:
        """The last valid day of the deciding award, if there is one and it expires."""
        return self.award.expires_on if self.award else None


def _last_valid_day(award: Award) -> date:
    return award.expires_on or date.max


def best(awards: Iterable[Award], level: int, day: date) -> Award | None:
    """The award made by that day at the level or above that is valid longest (domain.md §3)."""
    candidates = [award for award in awards if award.level >= level and award.counts_on(day)]
    return max(candidates, key=lambda award: (_last_valid_day(award), award.awarded_on), default=None)


def judge(required: Required, awards: Iterable[Award], day: date, amber_months: int) -> Standing:
    """The colour of one required competency on a day, given the awards of that competency and of those that cover it."""
    held = tuple(awards)
    award = best(held, required.level, day)
    if award is None:
        lower = best(held, 0, day)
        reason = Reason.BELOW_LEVEL if lower else Reason.NEVER_ACHIEVED
        return Standing(required.competency, Colour.RED, reason, required, lower)
    colour, reason = _colour_of(award, day, amber_months)
    return Standing(required.competency, colour, reason, required, award)


def _colour_of(award: Award, day: date, amber_months: int) -> tuple[Colour, Reason]:
    if award.expires_on is None:
        return Colour.GREEN, Reason.NO_EXPIRY
    if award.expires_on < day:
        return Colour.RED, Reason.EXPIRED
    if award.expires_on <= add_months(day, amber_months):
        return Colour.AMBER, Reason.EXPIRES_SOON
    return Colour.GREEN, Reason.VALID


def evaluate(
    required: Mapping[str, Required],
    awards: Iterable[Award],
    day: date,
    amber_months: int,
    counts_for: Mapping[str, frozenset[str]] = MappingProxyType({}),
) -> tuple[Standing, ...]:
    """Every row of Compliance and Competency on a day, red first (domain.md §3).

    `counts_for` says which other competencies an award of one satisfies too, at its own level ("covers", domain.md §1).
    """
    held: dict[str, list[Award]] = {}
    covering: dict[str, list[Award]] = {}
    for award in awards:
        held.setdefault(award.competency, []).append(award)
        for covered in counts_for.get(award.competency, ()):
            covering.setdefault(covered, []).append(award)
    rows = [
        judge(need, (*held.get(name, ()), *covering.get(name, ())), day, amber_months)
        for name, need in required.items()
    ]
    for name, awards_of in held.items():
        if name not in required and (held_award := best(awards_of, 0, day)):
            rows.append(Standing(name, Colour.BLUE, Reason.NOT_REQUIRED, None, held_award))
    return tuple(sorted(rows, key=urgency))


_ORDER = {colour: place for place, colour in enumerate(Colour)}


def urgency(standing: Standing) -> tuple[int, date, str]:
    """Sort key: red before amber, green and blue; inside red never achieved, then oldest expiry; then name."""
    never = standing.colour is Colour.RED and standing.reason is not Reason.EXPIRED
    expiry = date.min if never else standing.expires_on or date.max
    return _ORDER[standing.colour], expiry, standing.competency


def worth_of(award: Award, standing: Standing | None, day: date) -> str:
    """What one award of a competency is worth on a day, beside the one that decides the standing."""
    level = standing.required.level if standing and standing.required else 0
    if award.void:
        return "void"
    if day < award.awarded_on:
        return "not made yet"
    if standing and award == standing.award:
        return "decides"
    if award.level < level:
        return "below the required level"
    return "valid" if award.valid_on(day) else "expired"


@dataclass(frozen=True, slots=True)
class Rate:
    """Compliance as BI counts it: rows required, and rows not red."""

    required: int
    achieved: int

    @property
    def percent(self) -> Decimal | None:
        """Achieved / Required x 100 to two decimals; None ("n/a") where nothing is required (domain.md §3)."""
        if self.required == 0:
            return None
        exact = Decimal(100 * self.achieved) / Decimal(self.required)
        return exact.quantize(Decimal("0.01"), ROUND_HALF_UP)


def rate(standings: Iterable[Standing]) -> Rate:
    """The rate over required rows; blue rows stay outside every percentage (domain.md §3)."""
    counted = [row.colour for row in standings if row.colour is not Colour.BLUE]
    return Rate(len(counted), sum(colour is not Colour.RED for colour in counted))
