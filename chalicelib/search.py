"""Finding words in a catalogue: an index in memory (decision 0016).

Words match in any order, each as a whole word in the singular or plural or, from two letters on, as the beginning of one. A word
that nothing visible begins with is read as those that a slip of the keyboard would turn into it, or cut in two. What
administrators call synonyms finds the same. If nothing has every word, whatever has some is found. Relevance is BM25 over
weighted fields.
"""

import math
import re
import unicodedata
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import lru_cache

from chalicelib.domain.catalogue import Catalogue, Certification, Course, Item

_TITLE, _ALSO_CALLED, _AWARDS, _SUBJECT, _TEXT = 8.0, 6.0, 4.0, 1.5, 1.0
"""What a word weighs by where it stands."""

_WHOLE, _SYNONYM, _BEGINNING, _SLIP = 1.0, 0.9, 0.7, 0.6
"""What a match is worth by how close it is to what was typed."""

_SATURATION, _LENGTH = 5.0, 0.5
"""The constants of BM25: how fast repetition stops counting, and how much a long text counts less. Chosen so that what is in
the text or the subject only, even thrice, is worth less than 0.6 of what is in a title."""

_SMALL_WORDS = frozenset(
    ["a", "an", "and", "at", "by", "can", "do", "for", "from", "how", "i", "in", "is", "my", "of", "on", "or", "the", "to",
     "what", "with", "your", "course", "elearning", "module", "refresher", "session", "training"]
)  # fmt: skip
"""Words that people type beside what they look for: they count a little where they are found and are asked of nothing."""

_SMALL = 0.3
_MOST_READINGS = 5
"""Readings of one misspelt word that are looked for."""

_Scores = dict[int, float]
"""How well items match, by their place in the index."""

_Phrase = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Matches:
    """For each word that was typed (or several with a synonym together) the items it is in, and how misspelt words were read."""

    parts: tuple[tuple[_Phrase, _Scores], ...]
    small: tuple[_Scores, ...]
    read_as: Mapping[str, tuple[str, ...]]

    def among(self, places: AbstractSet[int]) -> dict[int, float]:
        """Those of some items that have every word, or if none has, those that have some, with their relevance."""
        found: defaultdict[int, list[float]] = defaultdict(list)
        for _, scores in self.parts:
            for at in places & scores.keys():
                found[at].append(scores[at])
        most = max(map(len, found.values()), default=0)
        least = most if most == len(self.parts) else 1
        relevance = {at: sum(each) * len(each) for at, each in found.items() if len(each) >= least}
        for scores in self.small:
            for at in relevance.keys() & scores.keys():
                relevance[at] += _SMALL * scores[at]
        return relevance

    def left_out(self, at: int) -> list[str]:
        """The words that an item does not have."""
        return [word for words, scores in self.parts if at not in scores for word in words]


class Index:
    """The words of a catalogue's items, which are known by their place in `items`: all of them by title."""

    def __init__(self, catalogue: Catalogue) -> None:
        every: tuple[Item, ...] = (
            *catalogue.courses.values(),
            *catalogue.paths.values(),
            *catalogue.certifications.values(),
        )
        self.items = tuple(sorted(every, key=lambda item: (item.title.casefold(), item.id)))
        self._scores, self._written = _scored([_fields(item, catalogue) for item in self.items])
        self._synonyms, self._means = _synonyms(catalogue, self._written)
        self._words = sorted(self._written)

    def find(self, text: str, seen: AbstractSet[int]) -> Matches:
        """The items with words of a text, misspelt ones read as words of items that are `seen`: what is hidden corrects nothing."""
        typed = list(dict.fromkeys(words_of(text)))
        wanted = _telling(typed)
        readings = {word: self._read(stem(word), seen) for word in wanted}
        return Matches(
            tuple(self._parts(wanted, readings)),
            tuple(self._scores.get(stem(word), {}) for word in typed if word not in readings),
            {
                word: tuple(" ".join(self._written[each] for each in phrase) for phrase in read)
                for word, read in readings.items()
                if read and (stem(word),) not in read
            },
        )

    def _parts(
        self, wanted: Sequence[str], readings: Mapping[str, tuple[_Phrase, ...]]
    ) -> Iterator[tuple[_Phrase, _Scores]]:
        at = 0
        while at < len(wanted):
            together, others = self._synonyms_at([readings[word] for word in wanted[at:]])
            words = tuple(wanted[at : at + together])
            as_typed = _all([self._as_read(stem(word), readings[word]) for word in words])
            yield words, _any([as_typed, *(_times(self._phrase(each), _SYNONYM) for each in others)])
            at += together

    def _synonyms_at(self, readings: Sequence[tuple[_Phrase, ...]]) -> tuple[int, tuple[_Phrase, ...]]:
        """How many words from here on are the longest phrase that has synonyms, and these; one word if none has."""
        for first in (each[0] for each in readings[0]):
            for phrase, others in self._synonyms.get(first, ()):
                if len(phrase) <= len(readings) and all(
                    (word,) in read for word, read in zip(phrase, readings, strict=False)
                ):
                    return len(phrase), others
        return 1, ()

    def _as_read(self, word: str, readings: tuple[_Phrase, ...]) -> _Scores:
        found = _any(map(self._phrase, readings))
        return found if (word,) in readings else _times(found, _SLIP)

    def _phrase(self, words: _Phrase) -> _Scores:
        return _all([self._beginning(word) for word in words])

    def _beginning(self, word: str) -> _Scores:
        """Items with words that begin so; the whole word counts most. A single letter is a whole word only."""
        whole = self._scores.get(word, {})
        if len(word) == 1:
            return whole
        longer = [self._scores[each] for each in self._words_with(word) if each != word and each in self._scores]
        return _any([whole, _times(_any(longer), _BEGINNING)])

    def _words_with(self, beginning: str) -> Sequence[str]:
        first = bisect_left(self._words, beginning)
        return self._words[first : bisect_left(self._words, beginning + chr(0x10FFFF), first)]

    # --- reading what was typed, by what may be seen ---

    def _read(self, word: str, seen: AbstractSet[int]) -> tuple[_Phrase, ...]:
        """The word itself if something seen begins so, else what was meant: the closest words, or the two it is made of, or
        those that begin like the most of it.
        """
        if any(self._shows(each, seen) for each in self._words_with(word)):
            return ((word,),)
        slips = 2 if len(word) >= 8 else 1 if len(word) >= 4 else 0
        closest = slips and self._closest(word, self._words, slips, seen)
        if not closest and len(word) >= 6:
            closest = self._closest(word, [each[: len(word)] for each in self._words], slips, seen)
        return tuple((each,) for each in closest) if closest else self._cut(word, seen)

    def _closest(self, word: str, known: Sequence[str], slips: int, seen: AbstractSet[int]) -> list[str]:
        """Those with the fewest letters wrong, missing, too many or swapped, up to `slips`."""
        from rapidfuzz import process
        from rapidfuzz.distance import OSA

        found = process.extract(word, known, scorer=OSA.distance, score_cutoff=slips, limit=None)
        shown = [(distance, self._words[at]) for _, distance, at in found if self._shows(self._words[at], seen)]
        return [each for distance, each in shown if distance == shown[0][0]][:_MOST_READINGS]

    def _cut(self, word: str, seen: AbstractSet[int]) -> tuple[_Phrase, ...]:
        """The two words it is made of (fire|safety), the one it begins with (hand|washing), or those that begin like two thirds of
        it (phlebotom|ist).
        """
        heads = [word[:end] for end in range(len(word) - 1, 3, -1)] if len(word) >= 6 else []
        for head in heads:
            tail = word[len(head) :]
            if len(tail) >= 3 and self._shows(head, seen) and self._shows(tail, seen):
                return ((head, tail),)
        for head in heads:
            if self._shows(head, seen):
                return ((head,),)
            begun = self._words_with(head) if 3 * len(head) >= 2 * len(word) else ()
            if shown := [(each,) for each in begun if self._shows(each, seen)]:
                return tuple(shown[:_MOST_READINGS])
        return ()

    def _shows(self, word: str, seen: AbstractSet[int]) -> bool:
        """Whether a word stands in something seen, or among synonyms of what does."""
        if not seen.isdisjoint(self._scores.get(word, ())):
            return True
        return any(not seen.isdisjoint(self._phrase(phrase)) for phrase in self._means.get(word, ()))


_REWRITTEN = (
    (re.compile(r"['’](?:s\b)?"), ""),  # children's
    (re.compile(r"\be[- ]?learning\b"), "elearning"),
    (re.compile(r"\bl(\d)\b"), r"level \1"),
    (re.compile(r"\b(\w) ?& ?(\w)\b"), r"\1\2"),  # E&D, A & E
)


def words_of(text: str) -> list[str]:
    """The words of a text without accents and capitals; the same for what is sought and what is searched."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    plain = "".join(each for each in plain if not unicodedata.combining(each))
    for written, meant in _REWRITTEN:
        plain = written.sub(meant, plain)
    return re.findall(r"\w+", plain)


@lru_cache(maxsize=20_000)
def stem(word: str) -> str:
    """A word without the ending of an English plural: what is sought and what is searched meet there."""
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 4 and word.endswith(("sses", "xes", "ches", "shes")):
        return word[:-2]
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")) else word


def _telling(words: list[str]) -> list[str]:
    """Those that are not small, or all if all are."""
    return [word for word in words if stem(word) not in _SMALL_WORDS] or words


# --- building it ----------------------------------------------------------------------------------------------

_Fields = Sequence[tuple[float, str]]


def _fields(item: Item, catalogue: Catalogue) -> _Fields:
    """The texts of an item with their weights. A path's courses are left out: a learner may not be able to find them."""
    subjects = (catalogue.subjects.get(each) for each in catalogue.subject_and_above(item.subject))
    if isinstance(item, Course | Certification):
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


def _scored(items: Sequence[_Fields]) -> tuple[dict[str, _Scores], dict[str, str]]:
    """For each stem, the items it is in and how much it says about each of them, and how it is written.

    BM25 of the field that says most, not of all together: a name that repeats the title says no more about the item.
    """
    written: dict[str, str] = {}
    counted = [[(weight, Counter(_stems(words_of(text), written))) for weight, text in fields] for fields in items]
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
                    scores[at] = max(scores.get(at, 0.0), each * count)
    for scores in weighed.values():
        rare = math.log(1 + (len(items) - len(scores) + 0.5) / (len(scores) + 0.5))
        for at, weight in scores.items():
            scores[at] = rare * weight / (_SATURATION + weight)
    return dict(weighed), written


def _stems(words: Iterable[str], written: dict[str, str]) -> _Phrase:
    """The stems of words; notes how each is written where it comes first."""
    for word in words:
        written.setdefault(stem(word), word)
    return tuple(map(stem, words))


def _synonyms(
    catalogue: Catalogue, written: dict[str, str]
) -> tuple[dict[str, list[tuple[_Phrase, tuple[_Phrase, ...]]]], dict[str, set[_Phrase]]]:
    """By the first word of each phrase, the longest first, all others that mean the same; and for each word all that are meant
    by a phrase it is in. A phrase may stand in several sets: the nation and the employer keep their own.
    """
    together: defaultdict[_Phrase, dict[_Phrase, None]] = defaultdict(dict)
    for synonyms in catalogue.synonyms:
        every = [_stems(_telling(words_of(each)), written) for each in synonyms.words]
        phrases = dict.fromkeys(each for each in every if each)
        for phrase in phrases:
            together[phrase].update(phrases)
    by_first: defaultdict[str, list[tuple[_Phrase, tuple[_Phrase, ...]]]] = defaultdict(list)
    means: defaultdict[str, set[_Phrase]] = defaultdict(set)
    for phrase in sorted(together, key=len, reverse=True):
        by_first[phrase[0]].append((phrase, tuple(each for each in together[phrase] if each != phrase)))
        for word in phrase:
            means[word].update(together[phrase])
    return dict(by_first), dict(means)


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
