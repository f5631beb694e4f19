"""A catalogue as CSV, there and back: what is written is read back the same (decision 0015).

A row is one subject, venue, set of synonyms, course or learning path, whole: with its offerings, rules and sections one to a line
within their cells. All or nothing: every row is checked, every wrong cell named by row and column.
"""

import csv
import io
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from enum import StrEnum
from typing import Any, NamedTuple, TypeVar

from chalicelib.domain import access, catalogue_editing, csv_file, prerequisites
from chalicelib.domain.access import AccessMode, AccessRule
from chalicelib.domain.catalogue import (
    AwardTiming,
    Catalogue,
    Course,
    CourseStatus,
    Entry,
    Grants,
    LearningPath,
    Mode,
    Offering,
    Prerequisite,
    PrerequisiteKind,
    Section,
    Subject,
    Synonyms,
    Venue,
)
from chalicelib.domain.catalogue_editing import WORDS, Kind, entries, one_line
from chalicelib.domain.csv_file import FileRefused, Position, Records, begins_like_formula, is_blank
from chalicelib.domain.errors import FieldError, Invalid
from chalicelib.domain.requirements import Rulebook, Target, TargetKind

COLUMNS = (
    "kind",
    "id",
    "title",
    "subject",
    "status",
    "description",
    "duration_minutes",
    "cost_pence",
    "awards",
    "award_timing",
    "offerings",
    "joining_instructions",
    "also_called",
    "starts_on",
    "ends_on",
    "prerequisites",
    "access_rules",
    "sections",
    "capacity",
    "address",
)
"""Every column; none may be left out, so that leaving one out cannot mean to empty it."""

MOST_ROWS = 5_000
MOST_ERRORS = 100
"""Wrong cells that are listed; of the others, how many there are."""

MOST_RULES = MOST_PREREQUISITES = 20
MOST_TARGETS = 6

IN_USE, OUT_OF_USE = "in use", "out of use"
"""The status of a venue."""

_BYTE_ORDER_MARK = "\ufeff"
_LOST = "\ufffd"
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_NUMBER = re.compile(r"[0-9]{1,9}")
_IDENTIFIER = re.compile(r"[\w.~|-]{1,80}")

Cells = Mapping[str, str]
T = TypeVar("T")
S = TypeVar("S", bound=StrEnum)


class Malformed(Exception):
    """A cell that cannot be read, and why."""


# --- cells, there and back ------------------------------------------------------------------------------------


def _armoured(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula, from which `_bare` makes the same again."""
    return f"'{cell}" if begins_like_formula(cell.lstrip("'")) else cell


def _bare(cell: str) -> str:
    return cell[1:] if cell.startswith("'") and begins_like_formula(cell.lstrip("'")) else cell


def _lines(cell: str) -> list[str]:
    return [line for each in cell.splitlines() if (line := one_line(each))]


def _listed(cell: str, read: Callable[[str], T]) -> tuple[T, ...]:
    """One thing to a line; says which line is wrong."""
    found = []
    for number, line in enumerate(_lines(cell), 1):
        try:
            found.append(read(line))
        except Malformed as wrong:
            raise Malformed(f"line {number}: {wrong}") from None
    return tuple(found)


def _parts(line: str, least: int, most: int, pattern: str) -> list[str]:
    """The parts of a line between semicolons; the last may hold some itself. Those left out are empty."""
    parts = [each.strip() for each in line.split(";", most - 1)]
    if len(parts) < least:
        raise Malformed(f"is not written like `{pattern}`")
    return parts + [""] * (most - len(parts))


def _one_of(kind: type[S], text: str) -> S:
    try:
        return kind(text)
    except ValueError:
        raise Malformed(f"names none of {', '.join(each.value for each in kind)}") from None


def _number(text: str) -> int:
    if not _NUMBER.fullmatch(text):
        raise Malformed("is not a whole number")
    return int(text)


def _maybe_number(text: str) -> int | None:
    return _number(text) if text else None


def _day(text: str) -> date | None:
    if not text:
        return None
    try:
        if _DAY.fullmatch(text):  # Python reads 20261123 and 2026-W48-1 as well
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise Malformed("is not a day written like 2026-11-23")


def _shown(value: object) -> str:
    return "" if value is None else str(value)


AWARD = "level; competency"


def _award(line: str) -> Grants:
    level, name = _parts(line, 2, 2, AWARD)
    return Grants(name, _number(level))


OFFERING = "id; mode; language"


def _offering(line: str) -> Offering:
    id_, mode, language = _parts(line, 2, 3, OFFERING)
    return Offering(id_, _one_of(Mode, mode), language or "en-GB")


PREREQUISITE = "mandatory or advisory; course or competency; level; id"


def _prerequisite(line: str) -> Prerequisite:
    force, kind, level, id_ = _parts(line, 4, 4, PREREQUISITE)
    if force not in ("mandatory", "advisory"):
        raise Malformed("is neither mandatory nor advisory")
    return Prerequisite(_one_of(PrerequisiteKind, kind), id_, _number(level), force == "mandatory")


RULE = "mode; KIND id + KIND id; below or exact; first day; last day"


def _rule(line: str) -> AccessRule:
    mode, targets, reach, first, last = _parts(line, 1, 5, RULE)
    if reach not in ("", "below", "exact"):
        raise Malformed("includes units neither `below` nor `exact`")
    aimed_at = tuple(_target(each.strip()) for each in targets.split("+") if each.strip())
    if len(aimed_at) > MOST_TARGETS:
        raise Malformed(f"has more than {MOST_TARGETS} targets")
    return AccessRule("", _one_of(AccessMode, mode), aimed_at, reach != "exact", _day(first), _day(last))


def _target(text: str) -> Target:
    kind, _, id_ = text.partition(" ")
    if not _IDENTIFIER.fullmatch(id_):
        raise Malformed("has a target that is not written like `UNIT ward-9`")
    return Target(_one_of(TargetKind, kind), id_)


def _said_rule(rule: AccessRule) -> str:
    targets = " + ".join(f"{each.kind.value} {each.id}" for each in rule.targets)
    reach = "below" if rule.include_below else "exact"
    return "; ".join((rule.mode.value, targets, reach, _shown(rule.starts_on), _shown(rule.ends_on)))


SECTION = "title: course, course"


def _section(line: str) -> Section:
    title, colon, courses = line.rpartition(":")
    if not colon:
        raise Malformed(f"is not written like `{SECTION}`")
    return Section(title.strip(), tuple(each.strip() for each in courses.split(",") if each.strip()))


def _in_use(cell: str) -> bool:
    if cell not in (IN_USE, OUT_OF_USE):
        raise Malformed(f"is neither `{IN_USE}` nor `{OUT_OF_USE}`")
    return cell == IN_USE


def _numbered(rules: Sequence[AccessRule]) -> tuple[AccessRule, ...]:
    return tuple(replace(rule, id=f"{number:02d}") for number, rule in enumerate(rules, 1))


# --- writing --------------------------------------------------------------------------------------------------


def write(catalogue: Catalogue, owner: str, with_drafts: bool) -> str:
    """Everything of an owner's in a catalogue, one to a row, by kind and id; `with_drafts`: also what was never live.

    With a byte order mark, by which Excel knows UTF-8, and no cell that a spreadsheet takes for a formula.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, restval="")
    writer.writeheader()
    for kind, word in WORDS.items():
        own = [
            each
            for each in entries(catalogue, kind).values()
            if each.owner == owner and (with_drafts or getattr(each, "status", None) is not CourseStatus.DRAFT)
        ]
        for each in sorted(own, key=lambda entry: entry.id):
            cells = {"kind": word, "id": each.id, **_cells(each)}
            writer.writerow({column: _armoured(cell) for column, cell in cells.items()})
    return _BYTE_ORDER_MARK + text.getvalue()


def _cells(entry: Entry) -> dict[str, str]:
    match entry:
        case Subject():
            return {"title": entry.name, "subject": entry.parent or ""}
        case Venue():
            status = IN_USE if entry.in_use else OUT_OF_USE
            capacity = _shown(entry.capacity)
            return {"title": entry.name, "status": status, "capacity": capacity, "address": entry.address}
        case Synonyms():
            return {"also_called": "\n".join(entry.words)}
        case Course():
            return _cells_of_item(entry) | _cells_of_course(entry)
        case LearningPath():
            sections = (f"{each.title}: {', '.join(each.courses)}" for each in entry.sections)
            return _cells_of_item(entry) | {"sections": "\n".join(sections)}


def _cells_of_item(item: Course | LearningPath) -> dict[str, str]:
    return {
        "title": item.title,
        "subject": item.subject,
        "status": item.status.value,
        "description": item.description,
        "also_called": "\n".join(item.also_called),
        "starts_on": _shown(item.starts_on),
        "ends_on": _shown(item.ends_on),
        "access_rules": "\n".join(map(_said_rule, item.access_rules)),
    }


def _cells_of_course(course: Course) -> dict[str, str]:
    return {
        "duration_minutes": str(course.duration_minutes),
        "cost_pence": _shown(course.cost_pence),
        "awards": "\n".join(f"{each.level}; {each.competency}" for each in course.grants),
        "award_timing": course.award_timing.value,
        "offerings": "\n".join(f"{each.id}; {each.mode.value}; {each.language}" for each in course.offerings),
        "joining_instructions": course.joining_instructions,
        "prerequisites": "\n".join(
            f"{'mandatory' if each.mandatory else 'advisory'}; {each.kind.value}; {each.level}; {each.id}"
            for each in course.prerequisites
        ),
    }


# --- reading --------------------------------------------------------------------------------------------------

_OF_AN_ITEM: dict[str, tuple[str, Callable[[str], Any]]] = {
    "title": ("title", one_line),
    "subject": ("subject", one_line),
    "status": ("status", lambda cell: _one_of(CourseStatus, cell)),
    "description": ("description", str),
    "also_called": ("also_called", lambda cell: tuple(_lines(cell))),
    "starts_on": ("starts_on", _day),
    "ends_on": ("ends_on", _day),
    "access_rules": ("access_rules", lambda cell: _numbered(_listed(cell, _rule))),
}

_READERS: dict[Kind, dict[str, tuple[str, Callable[[str], Any]]]] = {
    Subject: {"title": ("name", one_line), "subject": ("parent", lambda cell: one_line(cell) or None)},
    Venue: {
        "title": ("name", one_line),
        "status": ("in_use", _in_use),
        "capacity": ("capacity", _maybe_number),
        "address": ("address", str),
    },
    Synonyms: {"also_called": ("words", lambda cell: tuple(_lines(cell)))},
    Course: _OF_AN_ITEM
    | {
        "duration_minutes": ("duration_minutes", _number),
        "cost_pence": ("cost_pence", _maybe_number),
        "awards": ("grants", lambda cell: _listed(cell, _award)),
        "award_timing": ("award_timing", lambda cell: _one_of(AwardTiming, cell)),
        "offerings": ("offerings", lambda cell: _listed(cell, _offering)),
        "joining_instructions": ("joining_instructions", str),
        "prerequisites": ("prerequisites", lambda cell: _listed(cell, _prerequisite)),
    },
    LearningPath: _OF_AN_ITEM | {"sections": ("sections", lambda cell: _listed(cell, _section))},
}
"""For each kind: its columns, the field of the domain that each is, and how a cell is read."""

_AS_THEY_ARE = ("description", "joining_instructions", "address")
"""Columns of free text, whose blanks are kept."""


class Sheet:
    """The rows of a file, as far as each can be understood alone: what stands in a row, and what is wrong by row and column."""

    def __init__(self, raw: bytes, owner: str) -> None:
        self.found: dict[int, Entry] = {}
        self.wrong: list[tuple[int, FieldError]] = []
        self._owner = owner
        self._rows: dict[tuple[str, str], int] = {}
        taken = 0
        records = Records((raw,), Position())
        columns = csv_file.header(records, COLUMNS, COLUMNS, "catalogue")
        for cells in records:
            if is_blank(cells):
                continue
            taken += 1
            if taken > MOST_ROWS:
                raise FileRefused(f"The file has more than {MOST_ROWS} rows.", "Send it in parts.")
            if len(cells) == len(columns):
                self._take(records.at.row, dict(zip(columns, map(_bare, cells), strict=True)))
            else:
                self._refuse(records.at.row, "", f"has {len(cells)} fields where the header has {len(columns)}")

    def people(self) -> set[str]:
        """The people at whom access rules of the file are aimed."""
        items = (each for each in self.found.values() if isinstance(each, Course | LearningPath))
        targets = (target for item in items for rule in item.access_rules for target in rule.targets)
        return {target.id for target in targets if target.kind is TargetKind.PERSON}

    def _refuse(self, row: int, column: str, reason: str) -> None:
        self.wrong.append((row, FieldError(column, reason)))

    def _take(self, row: int, cells: Cells) -> None:
        for column, cell in cells.items():
            if _LOST in cell:  # a gateway on the way replaces what it cannot read
                self._refuse(row, column, "has a character that was lost on the way: the file was not UTF-8")
        kind = next((kind for kind, word in WORDS.items() if word == one_line(cells["kind"])), None)
        if kind is None:
            self._refuse(row, "kind", f"is none of {', '.join(WORDS.values())}")
            return
        id_ = one_line(cells["id"])
        shared = WORDS[LearningPath if kind is Course else kind]  # courses and learning paths share their ids
        first = self._rows.setdefault((shared, id_), row)
        if first != row:
            self._refuse(row, "id", f"stands in row {first} already")
            return
        fields = self._fields(row, kind, cells)
        if fields is not None:
            whose: dict[str, Any] = {} if kind in (Course, LearningPath) else {"owner": self._owner}
            self.found[row] = kind(id_, **fields, **whose)

    def _fields(self, row: int, kind: Kind, cells: Cells) -> dict[str, Any] | None:
        """The fields of a row; None if one of them cannot be read."""
        readers = _READERS[kind]
        fields: dict[str, Any] = {}
        for column, cell in cells.items():
            if column in readers:
                field, read = readers[column]
                try:
                    fields[field] = read(cell if column in _AS_THEY_ARE else cell.strip())
                except Malformed as wrong:
                    self._refuse(row, column, str(wrong))
            elif cell.strip() and column not in ("kind", "id"):
                self._refuse(row, column, f"is nothing that {WORDS[kind]} has")
        return fields if len(fields) == len(readers) else None


def parse(raw: bytes, owner: str) -> Sheet:
    """The rows of a file for an owner's catalogue. Raises Invalid for a file that is none; its rows are judged by `judge`."""
    try:
        return Sheet(raw, owner)
    except FileRefused as refused:
        columns = (FieldError(f"row 1.{each.field}", each.reason) for each in refused.errors)
        raise Invalid(FieldError("body", f"{refused.sentence} {refused.way_out}"), *columns) from refused


# --- judging --------------------------------------------------------------------------------------------------


class Row(NamedTuple):
    """A row of a file: what stood there before (None: nothing), and what is to stand there now."""

    number: int
    before: Entry | None
    after: Entry

    @property
    def changes(self) -> bool:
        """Whether anything is to be written."""
        return self.before != self.after


class Known(NamedTuple):
    """What rows are judged by: the catalogue and rulebook of their owner, all employers (for national items), and those people of
    the employer at whom the file's access rules are aimed.
    """

    catalogue: Catalogue
    rulebook: Rulebook
    employers: Collection[str]
    people: Collection[str]


def judge(sheet: Sheet, owner: str, known: Known) -> tuple[Row, ...]:
    """What a file changes. Raises Invalid naming every wrong cell by row, as a spreadsheet numbers them, and column.

    A row that is as it was is right whatever it holds; the others are judged by the catalogue as the whole file makes it.
    """
    rows = [_row(number, after, owner, known.catalogue) for number, after in sheet.found.items()]
    changing = [row for row in rows if row.changes]
    becoming = known._replace(
        catalogue=catalogue_editing.with_entries(known.catalogue, (row.after for row in changing))
    )
    named = {(number, wrong.field) for number, wrong in sheet.wrong}
    taken = {
        row.number for row in changing if not row.before and catalogue_editing.is_taken(row.after, known.catalogue)
    }
    together = [(number, FieldError("id", "is taken by something else")) for number in sorted(taken)]
    together += [(row.number, each) for row in changing for each in _wrong_with(row, owner, becoming)]
    wrong = sheet.wrong + [each for each in together if (each[0], each[1].field) not in named]
    if wrong:
        raise Invalid(*_told(wrong))
    return tuple(rows)


def _row(number: int, after: Entry, owner: str, catalogue: Catalogue) -> Row:
    """A row beside what stands in the catalogue, with the revision it would get."""
    before: Entry | None = entries(catalogue, type(after)).get(after.id)
    if before is None or before.owner != owner:
        return Row(number, None, after)
    after = _in_the_order_of(before, replace(after, revision=before.revision))
    return Row(number, before, after if after == before else replace(after, revision=before.revision + 1))


def _in_the_order_of(before: Entry, after: Entry) -> Entry:
    """The same, with offerings in the order and access rules by the numbers they had, if they are the same ones."""
    if isinstance(before, Course | LearningPath) and isinstance(after, Course | LearningPath):
        same_rules = _numbered(before.access_rules) == after.access_rules
        after = replace(after, access_rules=before.access_rules if same_rules else after.access_rules)
    if isinstance(before, Course) and isinstance(after, Course):
        same_offerings = before.offerings == catalogue_editing.in_order(after.offerings)
        after = replace(after, offerings=before.offerings if same_offerings else after.offerings)
    return after


def _wrong_with(row: Row, owner: str, known: Known) -> Iterator[FieldError]:
    """What is wrong with a row that changes something, by column."""
    after, before = row.after, row.before
    if after.owner != owner:
        yield FieldError("id", f"does not begin with {owner}-, whose catalogue this is")
        return
    if before is None and (wrong := catalogue_editing.wrong_id(after)):
        yield wrong
    if before and (moved := catalogue_editing.wrong_move(before, after)):
        yield moved
    found = [*catalogue_editing.wrong_fields(after, known.catalogue, known.rulebook)]
    if isinstance(after, Course | LearningPath):
        found += _wrong_rules(after, known)
    if isinstance(after, Course):
        found += prerequisites.wrong_fields(after, known.catalogue, known.rulebook)
        if len(after.prerequisites) > MOST_PREREQUISITES:
            found.append(FieldError("prerequisites", f"are more than {MOST_PREREQUISITES}"))
    columns = {field: column for column, (field, _) in _READERS[type(after)].items()}
    yield from (_of_column(each, columns) for each in found)


def _wrong_rules(item: Course | LearningPath, known: Known) -> Iterator[FieldError]:
    rules = item.access_rules
    if len(rules) > MOST_RULES:
        yield FieldError("access_rules", f"are more than {MOST_RULES}")
    for each in access.wrong_fields(rules, known.rulebook, known.employers):
        yield FieldError(each.field.replace("rules", "access_rules", 1), each.reason)
    for place, rule in enumerate(rules):
        if any(each.kind is TargetKind.PERSON and each.id not in known.people for each in rule.targets):
            yield FieldError(f"access_rules[{place}]", "is aimed at somebody who is no person of this employer")


_PLACE = re.compile(r"(?P<field>\w+)(?:\[(?P<place>\d+)\])?(?P<within>.*)")


def _of_column(wrong: FieldError, columns: Mapping[str, str]) -> FieldError:
    """What is wrong with a field, told of its column: which line of the cell, and what in it."""
    match = _PLACE.fullmatch(wrong.field)
    assert match
    column = columns.get(match["field"], match["field"])
    if match["place"] is None:
        return FieldError(column, wrong.reason)
    within = match["within"].replace("[", " ").replace("]", "").replace(".", " ").strip()
    line = f"line {int(match['place']) + 1}"
    return FieldError(column, f"{line}, {within}: {wrong.reason}" if within else f"{line}: {wrong.reason}")


def _told(wrong: Iterable[tuple[int, FieldError]]) -> Iterator[FieldError]:
    ordered = sorted(wrong, key=lambda each: each[0])
    for row, error in ordered[:MOST_ERRORS]:
        yield FieldError(f"row {row}.{error.field}" if error.field else f"row {row}", error.reason)
    if len(ordered) > MOST_ERRORS:
        yield FieldError("body", f"has {len(ordered) - MOST_ERRORS} more wrong fields than are listed")
