"""What may be defined in a framework of competencies, and what to warn of (domain.md §1 and §3, decision 0008)."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from graphlib import CycleError, TopologicalSorter

from chalicelib.domain.competency import ONE_LEVEL, Competency, CompetencyName, MalformedName, parse_name
from chalicelib.domain.csv_file import begins_like_formula
from chalicelib.domain.errors import FieldError
from chalicelib.domain.requirements import Requirement

LONGEST_NAME = 200
LONGEST_LEVEL = 80
MOST_LEVELS = 10
MOST_COVERS = 50
LONGEST_PERIOD = 600
"""Months."""

_MOST_CIRCLES = 100
_SHOWN = 5


def define(
    name: str,
    renewal_months: int | None,
    levels: Iterable[str] = ONE_LEVEL,
    covers: Iterable[str] = (),
    starts_on: date | None = None,
    ends_on: date | None = None,
) -> Competency:
    """A competency with title and subject from its name. Of a name that follows no pattern (`wrong_fields` says so) both are it."""
    parsed = _parsed(name)
    title, subject = (parsed.title, parsed.subject) if parsed else (name, name)
    return Competency(name, title, subject, renewal_months, tuple(levels), tuple(covers), starts_on, ends_on)


def period_by_name(name: str) -> int | None:
    """The months of renewal a name speaks of; None if it speaks of none or follows no pattern."""
    parsed = _parsed(name)
    return parsed.renewal_months if parsed else None


def owner_of(name: str) -> str:
    """The owner a full name begins with."""
    return name.partition("|")[0]


def _parsed(name: str) -> CompetencyName | None:
    try:
        return parse_name(name)
    except MalformedName:
        return None


# --- what is refused ----------------------------------------------------------------------------------------


def wrong_fields(
    changed: Sequence[Competency], owner: str, known: Mapping[str, Competency]
) -> list[tuple[int, FieldError]]:
    """Every field that is wrong with competencies that are to be added or changed together: the place in `changed`, and why.

    `known` are those the owner's people may have to do with, by name. No two of `changed` have the same name.
    """
    after = {**known, **{each.name: each for each in changed}}
    wrong = [(place, error) for place, each in enumerate(changed) for error in _wrong_with(each, owner, after)]
    places = {each.name: place for place, each in enumerate(changed)}
    for circle in _circles(after):
        error = FieldError("covers", f"goes round in a circle: {_around(circle)}")
        wrong += [(places[name], error) for name in circle if name in places]
    return sorted(wrong, key=lambda each: each[0])


def _wrong_with(competency: Competency, owner: str, known: Collection[str]) -> Iterator[FieldError]:
    if reason := _wrong_name(competency.name, owner):
        yield FieldError("name", reason)
    months = competency.renewal_months
    if months is not None and not 1 <= months <= LONGEST_PERIOD:
        yield FieldError("renewal_months", f"is not between 1 and {LONGEST_PERIOD}")
    if reason := _wrong_levels(competency.levels):
        yield FieldError("levels", reason)
    unknown = [each for each in competency.covers if each not in known]
    if len(competency.covers) > MOST_COVERS:
        yield FieldError("covers", f"names more than {MOST_COVERS}")
    elif len(set(competency.covers)) < len(competency.covers):
        yield FieldError("covers", "names one twice")
    elif unknown:
        yield FieldError("covers", f"names what stands in no framework of yours: {unknown[0][:LONGEST_NAME]}")
    if competency.starts_on and competency.ends_on and competency.ends_on < competency.starts_on:
        yield FieldError("ends_on", "lies before starts_on")


def _wrong_name(name: str, owner: str) -> str | None:
    if len(name) > LONGEST_NAME:
        return f"is longer than {LONGEST_NAME} characters"
    if not _is_plain(name):
        return "has blanks around it or two together, or a character that cannot be printed"
    try:
        parsed = parse_name(name)
    except MalformedName as malformed:
        return str(malformed)
    if name not in parsed.spellings:
        return f"is written otherwise: {parsed}"
    if parsed.owner != owner:
        return f"does not begin with {owner}|, whose framework this is"
    return None


def _is_plain(text: str) -> bool:
    return text.isprintable() and text == " ".join(text.split())


def _wrong_levels(levels: Sequence[str]) -> str | None:
    if not 1 <= len(levels) <= MOST_LEVELS:
        return f"takes 1 to {MOST_LEVELS} names, that of level 1 first"
    if any(not level or len(level) > LONGEST_LEVEL or not _is_plain(level) for level in levels):
        return f"has a name that is empty, longer than {LONGEST_LEVEL}, or with blanks around it or two together"
    if any(map(begins_like_formula, levels)):
        return "has a name that begins like a formula: with =, +, - or @"
    if len({level.casefold() for level in levels}) < len(levels):
        return "names one twice"
    return None


def _circles(framework: Mapping[str, Competency]) -> Iterator[tuple[str, ...]]:
    """Circles in what covers what, each in the direction of covering; of those that share a competency, one."""
    covers = {name: set(each.covers) for name, each in framework.items() if each.covers}
    for _ in range(_MOST_CIRCLES):
        try:
            TopologicalSorter(covers).prepare()
        except CycleError as found:
            # graphlib lists a circle from covered to covering, and its first name again at the end
            circle = tuple(reversed(found.args[1][1:]))
            yield circle
            for name in circle:
                covers.pop(name, None)
        else:
            return


def _around(circle: tuple[str, ...]) -> str:
    shown = circle if len(circle) <= _SHOWN else (*circle[:_SHOWN], f"{len(circle) - _SHOWN} more, of which the last")
    return " covers ".join((*shown, circle[0]))


# --- what is warned of --------------------------------------------------------------------------------------


class Care(StrEnum):
    """The rule behind a caution."""

    ANOTHER_PERIOD = "period differs from the name"
    NOT_IN_USE = "required while not in use"
    LEVEL_GONE = "required at a level that does not exist"


@dataclass(frozen=True, slots=True)
class Caution:
    """Something allowed that may not be meant: the rule, a sentence, and the owner's own requirements that it is about."""

    rule: Care
    sentence: str
    requirements: tuple[Requirement, ...] = ()


def cautions(
    competency: Competency, required: Iterable[tuple[str, Requirement]], owner: str, day: date
) -> tuple[Caution, ...]:
    """What to warn of. `required` are the requirements of this competency, each with its employer; past ones do not matter."""
    lasting = [(employer, each) for employer, each in required if each.ends_on is None or each.ends_on >= day]
    idle = [(employer, each) for employer, each in lasting if not _in_use_throughout(competency, each, day)]
    beyond = [(employer, each) for employer, each in lasting if not competency.has_level(each.minimum_level)]
    found = []
    if sentence := _another_period(competency):
        found.append(Caution(Care.ANOTHER_PERIOD, sentence))
    if idle:
        sentence = f"While it is not in use, it is not required, though asked for by {_told(idle)}."
        found.append(Caution(Care.NOT_IN_USE, sentence, _own(idle, owner)))
    if beyond:
        sentence = f"Its scale ends at level {len(competency.levels)}, and nobody can meet {_told(beyond)}."
        found.append(Caution(Care.LEVEL_GONE, sentence, _own(beyond, owner)))
    return tuple(found)


def _another_period(competency: Competency) -> str | None:
    parsed = _parsed(competency.name)
    if parsed is None or str(parsed) != competency.name or parsed.renewal_months == competency.renewal_months:
        return None
    says = parsed.title.rpartition(" - ")[2]
    months = competency.renewal_months
    valid = "without end" if months is None else f"for {months} month{'s' if months > 1 else ''}"
    return f"The name says {says}, but new awards will be valid {valid}."


def _in_use_throughout(competency: Competency, requirement: Requirement, day: date) -> bool:
    """Whether the competency is in use on every day, from `day` on, on which this requires it."""
    first, last = max(day, requirement.starts_on), requirement.ends_on
    begun = competency.starts_on is None or competency.starts_on <= first
    ends_before = competency.ends_on is not None and (last is None or competency.ends_on < last)
    return begun and not ends_before


def _own(required: Iterable[tuple[str, Requirement]], owner: str) -> tuple[Requirement, ...]:
    return tuple(each for employer, each in required if employer == owner)


def _told(required: Sequence[tuple[str, Requirement]]) -> str:
    employers = len({employer for employer, _ in required})
    many = f"{len(required)} requirement{'s' if len(required) > 1 else ''}"
    return many if employers == 1 else f"{many} of {employers} employers"
