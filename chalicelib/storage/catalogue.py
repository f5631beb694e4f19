"""The catalogue: subjects, venues, synonyms, courses with their offerings and access rules, learning paths.

All of an owner's catalogue lies in one partition, so that a cache reads it by one query (decision 0003).
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from pynamodb.attributes import BooleanAttribute, JSONAttribute, ListAttribute, NumberAttribute, UnicodeAttribute

from chalicelib.domain.access import AccessMode, AccessRule
from chalicelib.domain.catalogue import (
    AwardTiming,
    Catalogue,
    Certification,
    Component,
    Course,
    CourseStatus,
    Entry,
    Grants,
    Item,
    LearningPath,
    Mode,
    Offering,
    Prerequisite,
    PrerequisiteKind,
    Section,
    Subject,
    Synonyms,
    Use,
    Venue,
    owner_of,
)
from chalicelib.domain.requirements import Target, TargetKind
from chalicelib.storage import keys
from chalicelib.storage.base import DayAttribute, Record
from chalicelib.storage.transaction import Transaction


class SubjectRow(Record, discriminator="category"):
    """`E#504#CRS` / `CAT#fire`: a subject of the catalogue."""

    name = UnicodeAttribute()
    parent = UnicodeAttribute(null=True)
    revision = NumberAttribute(default=1)

    @classmethod
    def of(cls, owner: str, subject: Subject) -> "SubjectRow":
        """The row of a subject."""
        return cls(
            keys.courses(owner),
            keys.category(subject.id),
            name=subject.name,
            parent=subject.parent,
            revision=subject.revision,
        )

    def subject(self) -> Subject:
        """The subject of this row."""
        return Subject(_id_of(self), self.name, self.parent, _owner_of(self), int(self.revision))


class VenueRow(Record, discriminator="venue"):
    """`E#504#CRS` / `VEN#seminar-1`: a venue of the register."""

    name = UnicodeAttribute()
    capacity = NumberAttribute(null=True)
    address = UnicodeAttribute(null=True)
    in_use = BooleanAttribute(default=True)
    revision = NumberAttribute(default=1)

    @classmethod
    def of(cls, owner: str, venue: Venue) -> "VenueRow":
        """The row of a venue."""
        return cls(
            keys.courses(owner),
            keys.venue_entry(venue.id),
            name=venue.name,
            capacity=venue.capacity,
            address=venue.address or None,
            in_use=venue.in_use,
            revision=venue.revision,
        )

    def venue(self) -> Venue:
        """The venue of this row."""
        return Venue(
            _id_of(self),
            self.name,
            _whole(self.capacity),
            self.address or "",
            bool(self.in_use),
            _owner_of(self),
            int(self.revision),
        )


class SynonymsRow(Record, discriminator="synonyms"):
    """`E#504#CRS` / `SYN#cpr`: words that mean the same."""

    words = ListAttribute(of=UnicodeAttribute)
    revision = NumberAttribute(default=1)

    @classmethod
    def of(cls, owner: str, synonyms: Synonyms) -> "SynonymsRow":
        """The row of a set of synonyms."""
        key = keys.courses(owner), keys.synonyms(synonyms.id)
        return cls(*key, words=list(synonyms.words), revision=synonyms.revision)

    def synonyms(self) -> Synonyms:
        """The synonyms of this row."""
        return Synonyms(_id_of(self), tuple(map(str, self.words)), _owner_of(self), int(self.revision))


def _id_of(row: Record) -> str:
    """The id behind the kind in a sort key: `fire` of `CAT#fire`."""
    return str(row.sk.partition(keys.SEPARATOR)[2])


def _owner_of(row: Record) -> str:
    """The owner in the key of a partition: `504` of `E#504#CRS`."""
    return str(row.pk.split(keys.SEPARATOR)[1])


class CourseRow(Record, discriminator="course"):
    """`E#504#CRS` / `c#META`."""

    title = UnicodeAttribute()
    subject = UnicodeAttribute()
    description = UnicodeAttribute()
    duration_minutes = NumberAttribute()
    grants = JSONAttribute()
    status = UnicodeAttribute()
    joining_instructions = UnicodeAttribute(null=True)
    prerequisites = JSONAttribute(null=True)
    award_timing = UnicodeAttribute(default=AwardTiming.AUTOMATIC.value)
    cost_pence = NumberAttribute(null=True)
    auto_enrol = BooleanAttribute(null=True)
    auto_book = BooleanAttribute(null=True)
    also_called = ListAttribute(null=True, of=UnicodeAttribute)
    starts_on = DayAttribute(null=True)
    ends_on = DayAttribute(null=True)
    revision = NumberAttribute(default=1)

    @classmethod
    def of(cls, course: Course) -> "CourseRow":
        """The row of a course without its offerings and rules."""
        return cls(
            keys.courses(owner_of(course.id)),
            keys.course(course.id),
            title=course.title,
            subject=course.subject,
            description=course.description,
            duration_minutes=course.duration_minutes,
            grants=[[grant.competency, grant.level] for grant in course.grants],
            status=course.status.value,
            joining_instructions=course.joining_instructions or None,
            prerequisites=[[each.kind.value, each.id, each.level, each.mandatory] for each in course.prerequisites]
            or None,
            award_timing=course.award_timing.value,
            cost_pence=course.cost_pence,
            auto_enrol=course.auto_enrol or None,
            auto_book=course.auto_book or None,
            also_called=list(course.also_called) or None,
            starts_on=course.starts_on,
            ends_on=course.ends_on,
            revision=course.revision,
        )


class PathRow(Record, discriminator="learning path"):
    """`E#504#CRS` / `p#META`: a learning path; its access rules sort right after it, like a course's."""

    title = UnicodeAttribute()
    subject = UnicodeAttribute()
    description = UnicodeAttribute()
    sections = JSONAttribute()
    status = UnicodeAttribute()
    also_called = ListAttribute(null=True, of=UnicodeAttribute)
    starts_on = DayAttribute(null=True)
    ends_on = DayAttribute(null=True)
    revision = NumberAttribute(default=1)

    @classmethod
    def of(cls, path: LearningPath) -> "PathRow":
        """The row of a learning path without its access rules."""
        return cls(
            keys.courses(owner_of(path.id)),
            keys.course(path.id),
            title=path.title,
            subject=path.subject,
            description=path.description,
            sections=[[each.title, list(each.courses)] for each in path.sections],
            status=path.status.value,
            also_called=list(path.also_called) or None,
            starts_on=path.starts_on,
            ends_on=path.ends_on,
            revision=path.revision,
        )

    def path(self, rules: Sequence[AccessRule]) -> LearningPath:
        """The learning path of this row, with its access rules."""
        return LearningPath(
            id=self.sk.partition(keys.SEPARATOR)[0],
            title=self.title,
            subject=self.subject,
            description=self.description,
            sections=tuple(Section(title, tuple(courses)) for title, courses in self.sections),
            status=CourseStatus(self.status),
            access_rules=tuple(rules),
            also_called=tuple(map(str, self.also_called or ())),
            starts_on=self.starts_on,
            ends_on=self.ends_on,
            revision=int(self.revision),
        )


class CertificationRow(Record, discriminator="certification"):
    """`E#504#CRS` / `t#META`: a certification; its access rules sort right after it, like a course's."""

    title = UnicodeAttribute()
    subject = UnicodeAttribute()
    description = UnicodeAttribute()
    components = JSONAttribute()
    grants = JSONAttribute()
    min_components = NumberAttribute(null=True)
    initial_days = NumberAttribute()
    validity_months = NumberAttribute(null=True)
    window_days = NumberAttribute()
    reminder_days = JSONAttribute()
    max_consecutive_elearning = NumberAttribute(null=True)
    auto_enrol = BooleanAttribute(null=True)
    status = UnicodeAttribute()
    also_called = ListAttribute(null=True, of=UnicodeAttribute)
    starts_on = DayAttribute(null=True)
    ends_on = DayAttribute(null=True)
    revision = NumberAttribute(default=1)

    @classmethod
    def of(cls, certification: Certification) -> "CertificationRow":
        """The row of a certification without its access rules."""
        return cls(
            keys.courses(owner_of(certification.id)),
            keys.course(certification.id),
            title=certification.title,
            subject=certification.subject,
            description=certification.description,
            components=components_kept(certification.components),
            grants=[[each.competency, each.level] for each in certification.grants],
            min_components=certification.min_components,
            initial_days=certification.initial_days,
            validity_months=certification.validity_months,
            window_days=certification.window_days,
            reminder_days=list(certification.reminder_days),
            max_consecutive_elearning=certification.max_consecutive_elearning,
            auto_enrol=certification.auto_enrol or None,
            status=certification.status.value,
            also_called=list(certification.also_called) or None,
            starts_on=certification.starts_on,
            ends_on=certification.ends_on,
            revision=certification.revision,
        )

    def certification(self, rules: Sequence[AccessRule]) -> Certification:
        """The certification of this row, with its access rules."""
        return Certification(
            id=self.sk.partition(keys.SEPARATOR)[0],
            title=self.title,
            subject=self.subject,
            description=self.description,
            components=components_of(self.components),
            grants=tuple(Grants(competency, level) for competency, level in self.grants),
            min_components=_whole(self.min_components),
            initial_days=int(self.initial_days),
            validity_months=_whole(self.validity_months),
            window_days=int(self.window_days),
            reminder_days=tuple(self.reminder_days),
            max_consecutive_elearning=_whole(self.max_consecutive_elearning),
            auto_enrol=bool(self.auto_enrol),
            status=CourseStatus(self.status),
            access_rules=tuple(rules),
            also_called=tuple(map(str, self.also_called or ())),
            starts_on=self.starts_on,
            ends_on=self.ends_on,
            revision=int(self.revision),
        )


def components_kept(components: Iterable[Component]) -> list[list[str | None]]:
    """Components as a row keeps them: course, mode and use of each."""
    return [[each.course, each.mode.value if each.mode else None, each.use.value] for each in components]


def components_of(kept: Any) -> tuple[Component, ...]:
    """The components that a row keeps."""
    return tuple(Component(course, Mode(mode) if mode else None, Use(use)) for course, mode, use in kept)


def _whole(number: float | None) -> int | None:
    return None if number is None else int(number)


class OfferingRow(Record, discriminator="offering"):
    """`E#504#CRS` / `c#OFF#o`."""

    mode = UnicodeAttribute()
    language = UnicodeAttribute()

    @classmethod
    def of(cls, course_id: str, offering: Offering) -> "OfferingRow":
        """The row of an offering."""
        return cls(
            keys.courses(owner_of(course_id)),
            keys.offering(course_id, offering.id),
            mode=offering.mode.value,
            language=offering.language,
        )

    def offering(self) -> Offering:
        """The offering of this row."""
        return Offering(self.sk.rpartition(keys.SEPARATOR)[2], Mode(self.mode), self.language)


class AccessRuleRow(Record, discriminator="access rule"):
    """`E#504#CRS` / `c#ACC#n`."""

    mode = UnicodeAttribute()
    targets = JSONAttribute()
    include_below = BooleanAttribute(default=True)
    starts_on = DayAttribute(null=True)
    ends_on = DayAttribute(null=True)

    @classmethod
    def of(cls, course_id: str, rule: AccessRule) -> "AccessRuleRow":
        """The row of an access rule."""
        return cls(
            keys.courses(owner_of(course_id)),
            keys.access_rule(course_id, rule.id),
            mode=rule.mode.value,
            targets=[[target.kind.value, target.id] for target in rule.targets],
            include_below=rule.include_below,
            starts_on=rule.starts_on,
            ends_on=rule.ends_on,
        )

    def rule(self) -> AccessRule:
        """The access rule of this row."""
        return AccessRule(
            self.sk.rpartition(keys.SEPARATOR)[2],
            AccessMode(self.mode),
            tuple(Target(TargetKind(kind), target) for kind, target in self.targets),
            bool(self.include_below),
            self.starts_on,
            self.ends_on,
        )


def rows_of_course(course: Course) -> list[Record]:
    """Every row of a course."""
    return [
        CourseRow.of(course),
        *(OfferingRow.of(course.id, offering) for offering in course.offerings),
        *(AccessRuleRow.of(course.id, rule) for rule in course.access_rules),
    ]


def rows_of_path(path: LearningPath) -> list[Record]:
    """Every row of a learning path."""
    return [PathRow.of(path), *(AccessRuleRow.of(path.id, rule) for rule in path.access_rules)]


def rows_of_certification(certification: Certification) -> list[Record]:
    """Every row of a certification."""
    rules = (AccessRuleRow.of(certification.id, rule) for rule in certification.access_rules)
    return [CertificationRow.of(certification), *rules]


# --- changes ------------------------------------------------------------------------------------------------------


def rows_of(entry: Entry) -> list[Record]:
    """Every row of something that stands in the catalogue."""
    match entry:
        case Course():
            return rows_of_course(entry)
        case LearningPath():
            return rows_of_path(entry)
        case Certification():
            return rows_of_certification(entry)
        case Subject():
            return [SubjectRow.of(entry.owner, entry)]
        case Venue():
            return [VenueRow.of(entry.owner, entry)]
        case Synonyms():
            return [SynonymsRow.of(entry.owner, entry)]


@dataclass(frozen=True, slots=True)
class Difference:
    """The rows to put and those to delete, so that something is kept as it is now."""

    put: list[Record]
    gone: list[Record]

    @classmethod
    def between(cls, before: Entry | None, after: Entry | None) -> "Difference":
        """What changes between two states of the same thing; None: it is not there."""
        old = {row.sk: row for row in rows_of(before)} if before else {}
        new = {row.sk: row for row in rows_of(after)} if after else {}
        return cls(
            [row for key, row in new.items() if key not in old or row.serialize() != old[key].serialize()],
            [row for key, row in old.items() if key not in new],
        )

    def __len__(self) -> int:
        return len(self.put) + len(self.gone)

    def add_to(self, transaction: Transaction) -> None:
        """Add these writes to a transaction."""
        for row in self.put:
            transaction.put(row)
        for row in self.gone:
            transaction.delete(row)


# --- reading ------------------------------------------------------------------------------------------------------


def _course_from(meta: CourseRow, offerings: Sequence[Offering], rules: Sequence[AccessRule]) -> Course:
    return Course(
        id=meta.sk.partition(keys.SEPARATOR)[0],
        title=meta.title,
        subject=meta.subject,
        description=meta.description,
        duration_minutes=int(meta.duration_minutes),
        grants=tuple(Grants(competency, level) for competency, level in meta.grants),
        status=CourseStatus(meta.status),
        joining_instructions=meta.joining_instructions or "",
        offerings=tuple(offerings),
        access_rules=tuple(rules),
        prerequisites=tuple(
            Prerequisite(PrerequisiteKind(kind), required, level, mandatory)
            for kind, required, level, mandatory in meta.prerequisites or ()
        ),
        award_timing=AwardTiming(meta.award_timing),
        cost_pence=_whole(meta.cost_pence),
        auto_enrol=bool(meta.auto_enrol),
        auto_book=bool(meta.auto_book),
        also_called=tuple(map(str, meta.also_called or ())),
        starts_on=meta.starts_on,
        ends_on=meta.ends_on,
        revision=int(meta.revision),
    )


def item_from(rows: Iterable[Record]) -> Item | None:
    """A course, learning path or certification from its rows; None if they hold none."""
    meta: CourseRow | PathRow | CertificationRow | None = None
    offerings: list[Offering] = []
    rules: list[AccessRule] = []
    for row in rows:
        if isinstance(row, CourseRow | PathRow | CertificationRow):
            meta = row
        elif isinstance(row, OfferingRow):
            offerings.append(row.offering())
        elif isinstance(row, AccessRuleRow):
            rules.append(row.rule())
    if isinstance(meta, CourseRow):
        return _course_from(meta, offerings, rules)
    if isinstance(meta, CertificationRow):
        return meta.certification(rules)
    return meta.path(rules) if meta else None


@dataclass(frozen=True, slots=True)
class Part:
    """What one owner keeps of the catalogue."""

    owner: str
    subjects: dict[str, Subject]
    venues: dict[str, Venue]
    synonyms: tuple[Synonyms, ...]
    items: tuple[Item, ...]


def part_of(owner: str) -> Part:
    """An owner's part of the catalogue, by one paged query, strongly consistent. It reads with the size of the part.

    For the cache, which would otherwise keep a stale answer until the next change.
    """
    subjects: dict[str, Subject] = {}
    venues: dict[str, Venue] = {}
    synonyms: list[Synonyms] = []
    items: dict[str, list[Record]] = defaultdict(list)
    for row in Record.query(keys.courses(owner), consistent_read=True):
        if isinstance(row, SubjectRow):
            subject = row.subject()
            subjects[subject.id] = subject
        elif isinstance(row, VenueRow):
            venue = row.venue()
            venues[venue.id] = venue
        elif isinstance(row, SynonymsRow):
            synonyms.append(row.synonyms())
        else:
            items[row.sk.partition(keys.SEPARATOR)[0]].append(row)
    found = tuple(item for rows in items.values() if (item := item_from(rows)))
    return Part(owner, subjects, venues, tuple(synonyms), found)


def catalogue_of(version: tuple[int, int], own: Part, *others: Part) -> Catalogue:
    """An employer's catalogue: its own part and the nation's, which the employers share and which wins where subjects have one id.

    What another owner still drafts is left out: nobody else can name it before it is live. Venues are the employer's own: the
    nation keeps none.
    """
    parts = (own, *others)
    known = [item for part in parts for item in part.items if part is own or item.status is not CourseStatus.DRAFT]
    return Catalogue(
        employer=own.owner,
        version=version,
        subjects={key: subject for part in parts for key, subject in part.subjects.items()},
        courses={each.id: each for each in known if isinstance(each, Course)},
        paths={each.id: each for each in known if isinstance(each, LearningPath)},
        venues=own.venues,
        synonyms=tuple(each for part in parts for each in part.synonyms),
        certifications={each.id: each for each in known if isinstance(each, Certification)},
    )
