"""Who did not attend a class, by month."""

from collections.abc import Iterator
from datetime import date

from pynamodb.attributes import NumberAttribute, UnicodeAttribute

from chalicelib.domain.attendance import Absence
from chalicelib.storage import keys
from chalicelib.storage.base import DayAttribute, Record
from chalicelib.storage.transaction import Transaction


class AbsenceRow(Record, discriminator="absence"):
    """`E#504#DNA#2026-12` / `2026-12-01#p#504-c17~001`: somebody did not attend a class. It follows from their enrolment."""

    person = UnicodeAttribute()
    class_id = UnicodeAttribute()
    attempt = NumberAttribute()
    course = UnicodeAttribute()
    title = UnicodeAttribute()
    day = DayAttribute()
    unit = UnicodeAttribute(null=True)
    supervisor = UnicodeAttribute(null=True)
    instructor = UnicodeAttribute(null=True)

    @classmethod
    def of(cls, absence: Absence) -> "AbsenceRow":
        """The row of an absence."""
        return cls(
            keys.absences(absence.employer, absence.day),
            keys.absence_sort(absence.day, absence.person, absence.class_id, absence.attempt),
            person=absence.person,
            class_id=absence.class_id,
            attempt=absence.attempt,
            course=absence.course,
            title=absence.title,
            day=absence.day,
            unit=absence.unit,
            supervisor=absence.supervisor,
            instructor=absence.instructor,
        )

    def absence(self) -> Absence:
        """The absence of this row."""
        return Absence(
            self.person,
            self.pk.split(keys.SEPARATOR)[1],
            self.class_id,
            int(self.attempt),
            self.course,
            self.title,
            self.day,
            self.unit,
            self.supervisor,
            self.instructor,
        )


def keep(transaction: Transaction, before: Absence | None, after: Absence | None) -> None:
    """Add to a transaction that changes an enrolment: the absence that followed from it gone, the one that follows now written."""
    if before and (after is None or sort_of(before) != sort_of(after)):
        transaction.delete(AbsenceRow.of(before))
    if after:
        transaction.put(AbsenceRow.of(after))


def absences(employer: str, month: date) -> Iterator[Absence]:
    """An employer's absences of the month in which a day lies, by day. Page by page as they are taken."""
    for row in AbsenceRow.query(keys.absences(employer, month)):
        yield row.absence()


def sort_of(absence: Absence) -> str:
    """Where an absence stands in its month."""
    return keys.absence_sort(absence.day, absence.person, absence.class_id, absence.attempt)
