"""Finding words in a catalogue: an index in memory, kept by the catalogue's version (decision 0016).

Words match in any order, each as a whole word or, from two letters on, as the beginning of one; small words count only if there
are no others. A word that nothing begins with is read as those that differ by a slip of the keyboard. What administrators call
synonyms finds the same. Every word must be found; relevance is BM25 over weighted fields.
"""

import math
import re
import unicodedata
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from chalicelib.domain.access import AccessRule
from chalicelib.domain.catalogue import Catalogue, Course, Item

_TITLE, _ALSO_CALLED, _AWARDS, _SUBJECT, _TEXT = 8.0, 6.0, 4.0, 2.0, 1.0
"""What a word weighs by where it stands."""

_WHOLE, _SYNONYM, _BEGINNING, _SLIP = 1.0, 0.9, 0.7, 0.6
"""What a match is worth by how close it is to what was typed."""

_SATURATION, _LENGTH = 1.2, 0.75
"""The usual constants of BM25: how fast repetition stops counting, and how much a long text counts less."""

_SMALL_WORDS = frozenset(
    ["a", "an", "and", "at", "by", "for", "from", "in", "of", "on", "or", "the", "to", "with", "your"]
)
_MOST_SLIPS = 5
"""Readings of one misspelt word that are looked for."""

_Scores = dict[int, float]
"""How well items match, by their place in the index."""


@dataclass(frozen=True, slots=True)
class Matches:
    """The items found with their relevance (higher is better), and misspelt words with what they were read as."""

    relevance: Mapping[str, float]
    read_as: Mapping[str, tuple[str, ...]]


class Index:
    """The words of a catalogue's items. `items` are all of them by title.

    `same_rules` numbers their access rules: items with the same rules share a number, so that a search decides each once.
    """

    def __init__(self, catalogue: Catalogue) -> None:
        every: tuple[Item, ...] = (*catalogue.courses.values(), *catalogue.paths.values())
        self.items = tuple(sorted(every, key=lambda item: (item.title.casefold(), item.id)))
        numbers: dict[tuple[AccessRule, ...], int] = {}
        self.same_rules = {item.id: numbers.setdefault(item.access_rules, len(numbers)) for item in self.items}
        self._scores = _scored([_fields(item, catalogue) for item in self.items])
        self._synonyms = _by_first_word(catalogue)
        synonyms = {word for phrases in self._synonyms.values() for phrase, _ in phrases for word in phrase}
        self._words = sorted(synonyms.union(self._scores))

    def find(self, text: str) -> Matches:
        """The items in which every word of a text is found."""
        typed = words_of(text)
        wanted = [word for word in typed if word not in _SMALL_WORDS] or typed
        readings = {word: self._read(word) for word in wanted}
        found: _Scores | None = None
        for scores in self._each(wanted, readings):
            found = scores if found is None else {at: found[at] + scores[at] for at in found.keys() & scores.keys()}
        slips = {word: read for word, read in readings.items() if read and word not in read}
        return Matches({self.items[at].id: score for at, score in (found or {}).items()}, slips)

    def _each(self, wanted: Sequence[str], readings: Mapping[str, tuple[str, ...]]) -> Iterator[_Scores]:
        """The items of each word, or of several that have a synonym together."""
        at = 0
        while at < len(wanted):
            phrase, others = self._synonym_at(wanted, readings, at)
            together = wanted[at : at + len(phrase)] or [wanted[at]]
            as_typed = _all([self._word(word, readings[word]) for word in together])
            yield _any(
                [as_typed, *(_times(_all([self._beginning(word) for word in each]), _SYNONYM) for each in others)]
            )
            at += len(together)

    def _synonym_at(
        self, wanted: Sequence[str], readings: Mapping[str, tuple[str, ...]], at: int
    ) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
        """The longest phrase that begins here and has synonyms, and these; empty if none has."""
        for first in readings[wanted[at]]:
            for phrase, others in self._synonyms.get(first, ()):
                here = wanted[at : at + len(phrase)]
                if len(here) == len(phrase) and all(
                    word in readings[typed] for word, typed in zip(phrase, here, strict=True)
                ):
                    return phrase, others
        return (), ()

    def _word(self, word: str, readings: tuple[str, ...]) -> _Scores:
        if word in readings:
            return self._beginning(word)
        return _times(_any([self._beginning(each) for each in readings]), _SLIP)

    def _beginning(self, word: str) -> _Scores:
        """Items with words that begin so; the whole word counts most. A single letter is a whole word only."""
        whole = self._scores.get(word, {})
        if len(word) == 1:
            return whole
        longer = [self._scores[each] for each in self._beginning_with(word) if each != word and each in self._scores]
        return _any([whole, _times(_any(longer), _BEGINNING)])

    def _beginning_with(self, word: str) -> Sequence[str]:
        first = bisect_left(self._words, word)
        return self._words[first : bisect_left(self._words, word + chr(0x10FFFF), first)]

    def _read(self, word: str) -> tuple[str, ...]:
        """The word itself if something begins so, else the closest words that a slip would turn into it."""
        if self._beginning_with(word):
            return (word,)
        slips = 2 if len(word) >= 8 else 1 if len(word) >= 4 else 0
        if not slips:
            return ()
        beginnings = [each[: len(word)] for each in self._words]
        closest = _closest(word, self._words, slips) or _closest(word, beginnings, slips)
        return tuple(self._words[at] for at in closest)


def _closest(word: str, known: Sequence[str], slips: int) -> list[int]:
    """Where those stand that have the fewest letters wrong, missing, too many or swapped, up to `slips`."""
    from rapidfuzz import process
    from rapidfuzz.distance import OSA

    found = process.extract(word, known, scorer=OSA.distance, score_cutoff=slips, limit=_MOST_SLIPS)
    return [at for _, distance, at in found if distance == found[0][1]]


def words_of(text: str) -> list[str]:
    """The words of a text without accents and capitals; the same for what is sought and what is searched."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    return re.findall(r"\w+", "".join(each for each in plain if not unicodedata.combining(each)))


# --- building it ----------------------------------------------------------------------------------------------

_Fields = Sequence[tuple[float, str]]


def _fields(item: Item, catalogue: Catalogue) -> _Fields:
    """The texts of an item with their weights. A path's courses are left out: a learner may not be able to find them."""
    subjects = (catalogue.subjects.get(each) for each in catalogue.subject_and_above(item.subject))
    if isinstance(item, Course):
        awards = (grant.competency.replace("|", " ") for grant in item.grants)
    else:
        awards = (section.title for section in item.sections)
    return (
        (_TITLE, item.title),
        (_ALSO_CALLED, " ".join(item.also_called)),
        (_AWARDS, " ".join(awards)),
        (_SUBJECT, " ".join(subject.name for subject in subjects if subject)),
        (_TEXT, item.description),
    )


def _scored(items: Sequence[_Fields]) -> dict[str, _Scores]:
    """For each word, the items it is in and how much it says about each of them (BM25F)."""
    counted = [[(weight, Counter(words_of(text))) for weight, text in fields] for fields in items]
    lengths: defaultdict[float, float] = defaultdict(float)
    for fields in counted:
        for weight, words in fields:
            lengths[weight] += words.total() / len(items)
    weighed: defaultdict[str, _Scores] = defaultdict(dict)
    for at, fields in enumerate(counted):
        for weight, words in fields:
            if words:
                each = weight / (1 - _LENGTH + _LENGTH * words.total() / lengths[weight])
                for word, count in words.items():
                    scores = weighed[word]
                    scores[at] = scores.get(at, 0.0) + each * count
    for scores in weighed.values():
        rare = math.log(1 + (len(items) - len(scores) + 0.5) / (len(scores) + 0.5))
        for at, weight in scores.items():
            scores[at] = rare * weight / (_SATURATION + weight)
    return dict(weighed)


_Phrase = tuple[str, ...]


def _by_first_word(catalogue: Catalogue) -> dict[str, list[tuple[_Phrase, tuple[_Phrase, ...]]]]:
    """Synonyms by the first word of each, the longest first, with the others that mean the same."""
    found: defaultdict[str, list[tuple[_Phrase, tuple[_Phrase, ...]]]] = defaultdict(list)
    for synonyms in catalogue.synonyms:
        phrases = tuple(dict.fromkeys(tuple(words_of(each)) for each in synonyms.words if words_of(each)))
        for phrase in phrases:
            found[phrase[0]].append((phrase, tuple(each for each in phrases if each != phrase)))
    return {first: sorted(phrases, key=lambda each: -len(each[0])) for first, phrases in found.items()}


def _any(each: Iterable[_Scores]) -> _Scores:
    """Items in any of these, each at its best."""
    found: _Scores = {}
    for scores in each:
        if not found:
            found = dict(scores)
            continue
        for at, score in scores.items():
            if score > found.get(at, 0.0):
                found[at] = score
    return found


def _all(each: Sequence[_Scores]) -> _Scores:
    """Items in all of these, with their sum."""
    both = set(each[0]).intersection(*each[1:])
    return {at: sum(scores[at] for scores in each) for at in both}


def _times(scores: _Scores, factor: float) -> _Scores:
    return {at: score * factor for at, score in scores.items()}


# --- keeping it -----------------------------------------------------------------------------------------------

MOST_KEPT = 16
"""Employers whose index a function keeps: one of 3,000 courses takes some 15 MB."""

_indexes: dict[str, tuple[Catalogue, Index]] = {}


def index_of(catalogue: Catalogue) -> Index:
    """The index of a catalogue: from memory as long as this is the catalogue in the cache, and its employer one of the last."""
    kept = _indexes.pop(catalogue.employer, None)
    if kept is None or kept[0] is not catalogue:
        kept = (catalogue, Index(catalogue))
    _indexes[catalogue.employer] = kept
    while len(_indexes) > MOST_KEPT:
        del _indexes[next(iter(_indexes))]
    return kept[1]
