"""Courses with their offerings and access rules; classes with their seats and sessions."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime

from pynamodb.attributes import BooleanAttribute, JSONAttribute, NumberAttribute, UnicodeAttribute

from chalicelib.domain.access import AccessMode, AccessRule
from chalicelib.domain.catalogue import (
    Class,
    ClassStatus,
    Course,
    CourseStatus,
    Grants,
    Mode,
    Offering,
    Seats,
    Session,
    owner_of,
)
from chalicelib.domain.requirements import Target, TargetKind
from chalicelib.storage import keys
from chalicelib.storage.base import DayAttribute, InstantAttribute, Record


class CategoryRow(Record, discriminator="category"):
    """`E#504` / `CAT#subject`: a subject of the catalogue."""

    name = UnicodeAttribute()

    @classmethod
    def of(cls, owner: str, subject: str, name: str) -> "CategoryRow":
        """The row of a subject."""
        return cls(keys.owner(owner), keys.category(subject), name=name)


def subjects(owners: Iterable[str]) -> list[str]:
    """The ids of the subjects of some owners' catalogues."""
    prefix = "CAT" + keys.SEPARATOR
    rows = (row for owner in owners for row in CategoryRow.query(keys.owner(owner), CategoryRow.sk.startswith(prefix)))
    return [row.sk.removeprefix(prefix) for row in rows]


class CourseRow(Record, discriminator="course"):
    """`E#504#CRS` / `c#META`."""

    title = UnicodeAttribute()
    subject = UnicodeAttribute()
    description = UnicodeAttribute()
    duration_minutes = NumberAttribute()
    grants = JSONAttribute()
    status = UnicodeAttribute()
    joining_instructions = UnicodeAttribute(null=True)

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
        )


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


class ClassRow(Record, discriminator="class"):
    """`E#504#CLS#k` / `META`."""

    course = UnicodeAttribute()
    offering = UnicodeAttribute()
    title = UnicodeAttribute()
    mode = UnicodeAttribute()
    starts_at = InstantAttribute(null=True)
    ends_at = InstantAttribute(null=True)
    minimum = NumberAttribute()
    venue = UnicodeAttribute(null=True)
    instructor = UnicodeAttribute(null=True)
    enrol_from = DayAttribute(null=True)
    enrol_until = DayAttribute(null=True)

    @classmethod
    def of(cls, class_: Class) -> "ClassRow":
        """The row of a class without what its seats say."""
        return cls(
            keys.class_(owner_of(class_.id), class_.id),
            keys.META,
            course=class_.course,
            offering=class_.offering,
            title=class_.title,
            mode=class_.mode.value,
            starts_at=class_.starts_at,
            ends_at=class_.ends_at,
            minimum=class_.minimum,
            venue=class_.venue,
            instructor=class_.instructor,
            enrol_from=class_.enrol_from,
            enrol_until=class_.enrol_until,
        )


class SeatsRow(Record, discriminator="seats"):
    """`E#504#CLS#k` / `SEATS`: status, maximum, taken, waiting; unversioned, changed only by guarded updates.

    It carries what a list of classes shows, and stands in the index by month (gsi1) and by course (gsi2): decision 0003.
    """

    status = UnicodeAttribute()
    maximum = NumberAttribute(null=True)
    taken = NumberAttribute(default=0)
    waiting = NumberAttribute(default=0)
    minimum = NumberAttribute()
    title = UnicodeAttribute()
    mode = UnicodeAttribute()
    offering = UnicodeAttribute()
    venue = UnicodeAttribute(null=True)
    starts_at = InstantAttribute(null=True)
    ends_at = InstantAttribute(null=True)

    @classmethod
    def key_of(cls, class_id: str) -> "SeatsRow":
        """A row that holds nothing but its key, to update through."""
        return cls(keys.class_(owner_of(class_id), class_id), keys.SEATS)

    @classmethod
    def of(cls, class_: Class) -> "SeatsRow":
        """The row of a new class, with no seat taken."""
        owner = owner_of(class_.id)
        sort = keys.class_sort(class_.starts_at, class_.id)
        return cls(
            keys.class_(owner, class_.id),
            keys.SEATS,
            gsi1pk=keys.classes_of_month(owner, class_.starts_at) if class_.starts_at else None,
            gsi1sk=sort if class_.starts_at else None,
            gsi2pk=keys.classes_of_course(owner, class_.course),
            gsi2sk=sort,
            status=class_.status.value,
            maximum=class_.maximum,
            minimum=class_.minimum,
            title=class_.title,
            mode=class_.mode.value,
            offering=class_.offering,
            venue=class_.venue,
            starts_at=class_.starts_at,
            ends_at=class_.ends_at,
        )

    def seats(self) -> Seats:
        """The places of the class."""
        maximum = None if self.maximum is None else int(self.maximum)
        return Seats(maximum, int(self.taken), int(self.waiting))

    def summary(self) -> tuple[Class, Seats]:
        """The class as lists show it (without sessions, instructor and enrolment dates) and its places."""
        seats = self.seats()
        summary = Class(
            id=self.pk.rpartition(keys.SEPARATOR)[2],
            course=self.gsi2pk.rpartition(keys.SEPARATOR)[2],
            offering=self.offering,
            title=self.title,
            mode=Mode(self.mode),
            status=ClassStatus(self.status),
            starts_at=self.starts_at,
            ends_at=self.ends_at,
            minimum=int(self.minimum),
            maximum=seats.maximum,
            venue=self.venue,
        )
        return summary, seats


class SessionRow(Record, discriminator="session"):
    """`E#504#CLS#k` / `SES#n`; gsi1 by venue, gsi2 by instructor."""

    starts_at = InstantAttribute()
    ends_at = InstantAttribute()

    @classmethod
    def of(cls, class_: Class, number: int, session: Session) -> "SessionRow":
        """The row of the nth session of a class."""
        owner = owner_of(class_.id)
        start = keys.class_sort(session.starts_at, class_.id)
        return cls(
            keys.class_(owner, class_.id),
            keys.session(number),
            gsi1pk=keys.venue(owner, class_.venue) if class_.venue else None,
            gsi1sk=start if class_.venue else None,
            gsi2pk=keys.instructor(owner, class_.instructor) if class_.instructor else None,
            gsi2sk=start if class_.instructor else None,
            starts_at=session.starts_at,
            ends_at=session.ends_at,
        )


def rows_of_course(course: Course) -> list[Record]:
    """Every row of a course."""
    return [
        CourseRow.of(course),
        *(OfferingRow.of(course.id, offering) for offering in course.offerings),
        *(AccessRuleRow.of(course.id, rule) for rule in course.access_rules),
    ]


def rows_of_class(class_: Class) -> list[Record]:
    """Every row of a new class."""
    return [
        ClassRow.of(class_),
        SeatsRow.of(class_),
        *(SessionRow.of(class_, number, session) for number, session in enumerate(class_.sessions, 1)),
    ]


def _course_from(rows: Iterable[Record]) -> Course | None:
    meta: CourseRow | None = None
    offerings: list[Offering] = []
    rules: list[AccessRule] = []
    for row in rows:
        if isinstance(row, CourseRow):
            meta = row
        elif isinstance(row, OfferingRow):
            offerings.append(row.offering())
        elif isinstance(row, AccessRuleRow):
            rules.append(row.rule())
    if meta is None:
        return None
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
    )


def courses(owner: str) -> Iterator[Course]:
    """The whole catalogue of an owner, by one paged query, strongly consistent.

    For the cache, which would otherwise keep a stale answer until the next change. It reads with the size of the catalogue.
    """
    by_course: dict[str, list[Record]] = defaultdict(list)
    for row in Record.query(keys.courses(owner), consistent_read=True):
        by_course[row.sk.partition(keys.SEPARATOR)[0]].append(row)
    for rows in by_course.values():
        if course := _course_from(rows):
            yield course


def class_with_seats(class_id: str, consistent: bool = False) -> tuple[Class, Seats] | None:
    """A class with its sessions and places, by one query; None if there is none."""
    meta: ClassRow | None = None
    seats_row: SeatsRow | None = None
    sessions: list[Session] = []
    for row in Record.query(keys.class_(owner_of(class_id), class_id), consistent_read=consistent):
        if isinstance(row, ClassRow):
            meta = row
        elif isinstance(row, SeatsRow):
            seats_row = row
        elif isinstance(row, SessionRow):
            sessions.append(Session(row.starts_at, row.ends_at))
    if meta is None or seats_row is None:
        return None
    seats = seats_row.seats()
    class_ = Class(
        id=class_id,
        course=meta.course,
        offering=meta.offering,
        title=meta.title,
        mode=Mode(meta.mode),
        status=ClassStatus(seats_row.status),
        starts_at=meta.starts_at,
        ends_at=meta.ends_at,
        minimum=int(meta.minimum),
        maximum=seats.maximum,
        venue=meta.venue,
        instructor=meta.instructor,
        enrol_from=meta.enrol_from,
        enrol_until=meta.enrol_until,
        sessions=tuple(sessions),
    )
    return class_, seats


def classes_of_course(course_id: str, employer: str, since: datetime, limit: int) -> list[tuple[Class, Seats]]:
    """The next classes of a course from an instant on, then e-learning: its owner's, and the employer's own of a national course.

    Two index queries for each owner, so that many dates do not hide the e-learning.
    """
    dated: list[tuple[Class, Seats]] = []
    undated: list[tuple[Class, Seats]] = []
    for owner in dict.fromkeys((owner_of(course_id), employer)):
        pk = keys.classes_of_course(owner, course_id)
        from_now_on = Record.gsi2sk.between(keys.instant(since), keys.UNDATED)
        dated += [row.summary() for row in Record.gsi2.query(pk, from_now_on, limit=limit) if isinstance(row, SeatsRow)]
        without_date = Record.gsi2sk.startswith(keys.UNDATED)
        undated += [
            row.summary() for row in Record.gsi2.query(pk, without_date, limit=limit) if isinstance(row, SeatsRow)
        ]
    dated.sort(key=lambda found: keys.class_sort(found[0].starts_at, found[0].id))
    return [*dated[:limit], *undated[:limit]]
