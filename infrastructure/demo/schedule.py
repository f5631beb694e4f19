"""Plans the dated classes: mornings and afternoons of training days, no room and no instructor twice at once."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from random import Random

from dateutil.easter import easter
from dateutil.relativedelta import MO, relativedelta

from .catalogue import offering_id
from .facts import ClassesFact, CourseFact, Facts, Mode, ShowcaseClassFact
from .trust import Catalogue, ClassStatus, LearningClass

MORNING, AFTERNOON = 0, 1
STARTS = (time(9, 15), time(13, 30))
# A class longer than this takes the morning and the afternoon.
HALF_DAY_MINUTES = 225
LUNCH = timedelta(minutes=45)

# The number of classes in the facts is for a trust of this many staff.
STAFF_OF_CLASS_RATE = 500


def training_days(first: date, last: date) -> list[date]:
    """Mondays to Fridays that are no bank holiday and not between Christmas and New Year."""
    days = (first + timedelta(days=index) for index in range((last - first).days + 1))
    return [day for day in days if day.weekday() < 5 and not _closed(day)]


def _closed(day: date) -> bool:
    """The bank holidays of England; the centre stays closed around New Year, which covers their substitute days."""
    if (day.month, day.day) >= (12, 24) or (day.month, day.day) <= (1, 3):
        return True
    sunday = easter(day.year)
    return day in (
        sunday - timedelta(days=2),
        sunday + timedelta(days=1),
        date(day.year, 5, 1) + relativedelta(weekday=MO(1)),
        date(day.year, 5, 31) + relativedelta(weekday=MO(-1)),
        date(day.year, 8, 31) + relativedelta(weekday=MO(-1)),
    )


@dataclass(frozen=True, slots=True)
class ShowcaseClass:
    """A class whose places are to be filled exactly so, and for which some ask who need approval."""

    learning_class: LearningClass
    taken: int
    waiting: int
    asking: int


@dataclass(frozen=True, slots=True)
class Schedule:
    """The dated classes: held, to come, and those with a story to show."""

    past: list[LearningClass]
    coming: list[LearningClass]
    showcase: list[ShowcaseClass]


def plan_schedule(facts: Facts, catalogue: Catalogue, staff: int, today: date) -> Schedule:
    """Classes of the past and the coming weeks; none today, so that no class is under way while the trust is loaded."""
    weeks = facts.history.classes
    past = training_days(today - timedelta(weeks=weeks.past_weeks), today - timedelta(days=1))
    coming = training_days(today + timedelta(days=1), today + timedelta(weeks=weeks.coming_weeks))
    timetable = _Timetable(facts, catalogue)
    # The showcase first: it must have its room.
    showcase = list(timetable.showcase(past, coming, today))
    return Schedule(
        past=list(timetable.regular("P", past, weeks.past_weeks * staff / STAFF_OF_CLASS_RATE)),
        coming=list(timetable.regular("C", coming, weeks.coming_weeks * staff / STAFF_OF_CLASS_RATE)),
        showcase=showcase,
    )


class _Timetable:
    """Remembers which rooms and instructors are taken on which half days."""

    def __init__(self, facts: Facts, catalogue: Catalogue) -> None:
        self._courses = {course.id: course for course in facts.catalogue.courses if course.classes}
        self._showcase = facts.catalogue.showcase_classes
        self._instructors: dict[str, list[str]] = {}
        for instructor in catalogue.instructors:
            for course_id in instructor.course_ids:
                self._instructors.setdefault(course_id, []).append(instructor.person_id)
        self._taken: set[tuple[str, date, int]] = set()

    def showcase(self, past: list[date], coming: list[date], today: date) -> Iterator[ShowcaseClass]:
        for number, fact in enumerate(self._showcase, 1):
            course = self._courses[fact.course]
            day = today + timedelta(days=fact.in_days)
            if fact.in_days > 0:
                days = [each for each in coming if each >= day] + [each for each in coming if each < day]
            else:
                days = [each for each in reversed(past) if each <= day]
            rng = Random(f"showcase {number}")
            planned = self._place(course, f"S{number:02d}", rng, days, course.modes[0], fact)
            if planned is not None:
                yield ShowcaseClass(planned, fact.taken, fact.waiting, fact.asking)

    def regular(self, series: str, days: list[date], weeks: float) -> Iterator[LearningClass]:
        """The courses' classes in turn, at least one of each; as many as rooms and instructors allow."""
        counts = {id_: _class_count(course.classes, weeks) for id_, course in self._courses.items()}
        for number in range(1, max(counts.values(), default=0) + 1):
            for course in self._courses.values():
                if number > counts[course.id]:
                    continue
                rng = Random(f"class {course.id} {series} {number}")
                first = rng.randrange(len(days))
                modes = [mode for mode in course.modes if mode != "e-learning"]
                mode = modes[(number - 1) % len(modes)]
                placed = self._place(course, f"{series}{number:03d}", rng, days[first:] + days[:first], mode)
                if placed is not None:
                    yield placed

    def _place(
        self,
        course: CourseFact,
        number: str,
        rng: Random,
        days: list[date],
        mode: Mode,
        showcase: ShowcaseClassFact | None = None,
    ) -> LearningClass | None:
        """The first of the days with a free half day (or whole day), room and instructor; None if there is none."""
        classes = course.classes
        assert classes is not None  # only courses with classes are on the timetable
        whole_day = course.minutes > HALF_DAY_MINUTES
        venues: list[str | None] = [*classes.venues] if mode == "classroom" else [None]
        slot = self._book(rng, days, venues, self._teachers(course.id, rng, showcase), whole_day)
        if slot is None:
            return None
        start, venue, instructor = slot
        limits: ClassesFact | ShowcaseClassFact = showcase or classes
        status: ClassStatus = showcase.status if showcase else "Normal"
        return LearningClass(
            id=f"{course.id}-{number}",
            course_id=course.id,
            offering_id=offering_id(course, mode),
            title=course.title,
            start=start,
            end=start + timedelta(minutes=course.minutes) + (LUNCH if whole_day else timedelta()),
            minimum=limits.minimum,
            maximum=limits.maximum,
            venue_id=venue,
            instructor_id=instructor,
            status=status,
            by_need=showcase.by_need if showcase else False,
        )

    def _teachers(self, course_id: str, rng: Random, showcase: ShowcaseClassFact | None) -> list[str]:
        """Whoever teaches a course, in turn; for a class with a story first whoever one can sign in as."""
        teachers = self._instructors[course_id]
        turn = 0 if showcase else rng.randrange(len(teachers))
        return teachers[turn:] + teachers[:turn]

    def _book(
        self, rng: Random, days: list[date], venues: list[str | None], teachers: list[str], whole_day: bool
    ) -> tuple[datetime, str | None, str] | None:
        """Start, room and instructor of the first possibility, which is then taken."""
        preferred = rng.choice((MORNING, AFTERNOON))
        halves = [(MORNING, AFTERNOON)] if whole_day else [(preferred,), (1 - preferred,)]
        for day in days:
            for half in halves:
                rooms = [each for each in venues if self._free(each, day, half)]
                free = [each for each in teachers if self._free(each, day, half)]
                if rooms and free:
                    self._taken |= {(who, day, part) for who in (rooms[0], free[0]) if who for part in half}
                    return datetime.combine(day, STARTS[half[0]]), rooms[0], free[0]
        return None

    def _free(self, who: str | None, day: date, half: tuple[int, ...]) -> bool:
        return who is None or not any((who, day, part) in self._taken for part in half)


def _class_count(classes: ClassesFact | None, weeks: float) -> int:
    return 0 if classes is None else max(1, round(classes.per_week * weeks))
