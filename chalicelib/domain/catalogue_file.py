"""A catalogue as CSV, there and back: what is written is read back the same (decision 0015).

A row is one subject, venue, set of synonyms, course or learning path, whole: with its offerings, rules and sections one to a line
within their cells. All or nothing: every row is checked, every wrong cell named by row and column.
"""

import csv
import io
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from enum import StrEnum
from typing import Any, NamedTuple, TypeVar

from chalicelib.domain import access, catalogue_editing, csv_file, prerequisites
from chalicelib.domain.access import AccessMode, AccessRule
from chalicelib.domain.catalogue import (
    AwardTiming,
    Catalogue,
    Certification,
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
from chalicelib.domain.csv_file import BYTE_ORDER_MARK, Table, begins_like_formula
from chalicelib.domain.errors import FieldError
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
    "auto_enrol",
    "auto_book",
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
    "revision",
)
"""Every column; none may be left out, so that leaving one out cannot mean to empty it."""

MOST_RULES = MOST_PREREQUISITES = 20
MOST_TARGETS = 6

IN_USE, OUT_OF_USE = "in use", "out of use"
"""The status of a venue."""

_NUMBER = re.compile(r"[0-9]{1,9}")
_ID_TEXT = r"[\w.~|-]{1,80}"
_IDENTIFIER = re.compile(_ID_TEXT)

Cells = Mapping[str, str]
T = TypeVar("T")
S = TypeVar("S", bound=StrEnum)


class Malformed(Exception):
    """A cell that cannot be read, and each reason why."""


# --- cells, there and back ------------------------------------------------------------------------------------


def _armoured(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula, from which `_bare` makes the same again."""
    return f"'{cell}" if begins_like_formula(cell.lstrip("'")) else cell


def _bare(cell: str) -> str:
    return cell[1:] if cell.startswith("'") and begins_like_formula(cell.lstrip("'")) else cell


def _lines(cell: str) -> list[str]:
    """Its lines as they stand, blanks within included: names of competencies may hold some."""
    return [line for each in cell.split("\n") if (line := each.strip())]


def _words(cell: str) -> tuple[str, ...]:
    return tuple(map(one_line, _lines(cell)))


def _listed(cell: str, read: Callable[[str], T]) -> tuple[T, ...]:
    """One thing to a line; says which lines are wrong."""
    found, wrong = [], []
    for number, line in enumerate(_lines(cell), 1):
        try:
            found.append(read(line))
        except Malformed as malformed:
            wrong += [f"line {number}: {reason}" for reason in malformed.args]
    if wrong:
        raise Malformed(*wrong)
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
    try:
        return csv_file.day(text)
    except ValueError:
        raise Malformed(csv_file.NO_DAY) from None


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


def _yes(cell: str) -> bool:
    if cell not in ("yes", "no", ""):
        raise Malformed("is neither `yes` nor `no`")
    return cell == "yes"


def _yes_or_no(flag: bool) -> str:
    return "yes" if flag else "no"


def _numbered(rules: Sequence[AccessRule]) -> tuple[AccessRule, ...]:
    return tuple(replace(rule, id=f"{number:02d}") for number, rule in enumerate(rules, 1))


# --- writing --------------------------------------------------------------------------------------------------


FILED = {kind: word for kind, word in WORDS.items() if kind is not Certification}
"""What stands in a file of the catalogue: certifications are kept one by one (decision 0034)."""


def write(catalogue: Catalogue, owner: str, with_drafts: bool) -> str:
    """Everything of an owner's in a catalogue, one to a row, by kind and id; `with_drafts`: also what was never live.

    With a byte order mark, by which Excel knows UTF-8, and no cell that a spreadsheet takes for a formula.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, restval="")
    writer.writeheader()
    for kind, word in FILED.items():
        own = [
            each
            for each in entries(catalogue, kind).values()
            if each.owner == owner and (with_drafts or getattr(each, "status", None) is not CourseStatus.DRAFT)
        ]
        for each in sorted(own, key=lambda entry: entry.id):
            cells = {"kind": word, "id": each.id, **_cells(each), "revision": str(each.revision)}
            writer.writerow({column: _armoured(cell) for column, cell in cells.items()})
    return BYTE_ORDER_MARK + text.getvalue()


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
        case Certification():
            raise TypeError("Certifications stand in no file.")


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
        "auto_enrol": _yes_or_no(course.auto_enrol),
        "auto_book": _yes_or_no(course.auto_book),
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
    "also_called": ("also_called", _words),
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
    Synonyms: {"also_called": ("words", _words)},
    Course: _OF_AN_ITEM
    | {
        "duration_minutes": ("duration_minutes", _number),
        "cost_pence": ("cost_pence", _maybe_number),
        "awards": ("grants", lambda cell: _listed(cell, _award)),
        "award_timing": ("award_timing", lambda cell: _one_of(AwardTiming, cell)),
        "auto_enrol": ("auto_enrol", _yes),
        "auto_book": ("auto_book", _yes),
        "offerings": ("offerings", lambda cell: _listed(cell, _offering)),
        "joining_instructions": ("joining_instructions", str),
        "prerequisites": ("prerequisites", lambda cell: _listed(cell, _prerequisite)),
    },
    LearningPath: _OF_AN_ITEM | {"sections": ("sections", lambda cell: _listed(cell, _section))},
}
"""For each kind: its columns, the field of the domain that each is, and how a cell is read."""

_AS_THEY_ARE = ("description", "joining_instructions", "address")
"""Columns of free text, whose blanks are kept."""


_STAND_INS: dict[str, Any] = {"duration_minutes": 0, "grants": (), "sections": ()}
"""What stands for a field of something new whose cell cannot be read, so that the rest of its row can be judged."""

_PERSON = re.compile(rf"\b{TargetKind.PERSON} ({_ID_TEXT})")


class Line(NamedTuple):
    """A row of a file as it was sent: what it is of, and its cells."""

    kind: Kind
    id: str
    cells: Cells


class Sheet:
    """The rows of a file whose kind and id can be understood, by row; what is wrong with the others stands in its table."""

    def __init__(self, raw: bytes) -> None:
        """Raises Invalid for a file that is no catalogue."""
        self.table = Table(raw, COLUMNS, "catalogue")
        self.lines: dict[int, Line] = {}
        self._rows: dict[tuple[str, str], int] = {}
        for row, cells in self.table.rows.items():
            self._take(row, {column: _bare(cell) for column, cell in cells.items()})

    def people(self) -> set[str]:
        """The people at whom access rules of the file are aimed."""
        return {id_ for line in self.lines.values() for id_ in _PERSON.findall(line.cells["access_rules"])}

    def _take(self, row: int, cells: Cells) -> None:
        kind = next((kind for kind, word in FILED.items() if word == one_line(cells["kind"])), None)
        if kind is None:
            self.table.refuse(row, "kind", f"is none of {', '.join(FILED.values())}")
            return
        id_ = one_line(cells["id"])
        shared = WORDS[LearningPath if kind is Course else kind]  # courses and learning paths share their ids
        first = self._rows.setdefault((shared, id_), row)
        if first != row:
            self.table.refuse(row, "id", f"stands in row {first} already")
            return
        self.lines[row] = Line(kind, id_, cells)


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


def judge(sheet: Sheet, owner: str, known: Known, written: Collection[int] = ()) -> tuple[Row, ...]:
    """What a file changes. Raises Invalid naming every wrong cell by row, as a spreadsheet numbers them, and column.

    A row that is as it was is right whatever it holds; the others carry the revision that they change, and are judged by the
    catalogue as the whole file makes it. What was `written` already is left out: others may have changed it since.
    """
    wrong: list[tuple[int, FieldError]] = []
    rows = [
        _row(number, line, owner, known.catalogue, wrong)
        for number, line in sheet.lines.items()
        if number not in written
    ]
    unread = {number for number, _ in wrong}
    changing = [row for row in rows if row.changes or row.number in unread]
    becoming = known._replace(
        catalogue=catalogue_editing.with_entries(known.catalogue, (row.after for row in changing))
    )
    unreadable = {(number, error.field) for number, error in wrong}
    for row in changing:
        found = [*_wrong_beside(row, sheet.lines[row.number].cells["revision"].strip(), known.catalogue)]
        found += _wrong_with(row, owner, becoming)
        wrong += [(row.number, each) for each in found if (row.number, each.field) not in unreadable]
    sheet.table.refuse_all_wrong(wrong)
    return tuple(rows)


def _row(number: int, line: Line, owner: str, catalogue: Catalogue, wrong: list[tuple[int, FieldError]]) -> Row:
    """A row beside what stands in the catalogue, with the revision it would get. Adds to `wrong` what cannot be read."""
    kind, id_, cells = line
    before: Entry | None = entries(catalogue, kind).get(id_)
    if before is not None and before.owner != owner:
        before = None
    fields, unreadable = _fields(kind, cells, before)
    wrong += [(number, each) for each in unreadable]
    if before is None:
        whose: dict[str, Any] = {} if kind in (Course, LearningPath) else {"owner": owner}
        names = {field for field, _ in _READERS[kind].values()}
        stand_ins = {name: value for name, value in _STAND_INS.items() if name in names}
        return Row(number, None, kind(id_, **stand_ins | fields, **whose))
    after: Entry = _in_the_order_of(before, replace(before, **fields))
    return Row(number, before, after if after == before else replace(after, revision=before.revision + 1))


def _fields(kind: Kind, cells: Cells, before: Entry | None) -> tuple[dict[str, Any], list[FieldError]]:
    """The fields that a row changes or gives to something new, as far as its cells can be read, and what is wrong with the others.

    A cell that is as it goes out is not read: what it holds stands in the catalogue already, however odd.
    """
    readers = _READERS[kind]
    known = _cells(before) if before else {}
    fields: dict[str, Any] = {}
    wrong: list[FieldError] = []
    for column, cell in cells.items():
        if column in ("kind", "id", "revision") or (before and cell == known.get(column, "")):
            continue
        if csv_file.is_lost(cell):
            wrong.append(FieldError(column, csv_file.LOST))
        elif column not in readers:
            wrong += [FieldError(column, f"is nothing that {WORDS[kind]} has")] if cell.strip() else []
        else:
            field, read = readers[column]
            try:
                fields[field] = read(cell if column in _AS_THEY_ARE else cell.strip())
            except Malformed as malformed:
                wrong += [FieldError(column, reason) for reason in malformed.args]
    return fields, wrong


def _wrong_beside(row: Row, revision: str, catalogue: Catalogue) -> Iterator[FieldError]:
    """Why a row cannot stand in place of what is there now, if it cannot."""
    if row.before is None:
        if catalogue_editing.is_taken(row.after, catalogue):
            yield FieldError("id", "is taken by something else")
        elif revision:
            yield FieldError("revision", "is of something that is not there (any more); to add it, leave this empty")
    elif revision != str(row.before.revision):
        now = f"it has revision {row.before.revision} now"
        reason = f"this was changed since the file went out: {now}" if revision else f"is empty, but this exists: {now}"
        yield FieldError("revision", reason)


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
