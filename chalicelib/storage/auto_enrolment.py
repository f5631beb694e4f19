"""Decisions on training that arranges itself: one row for each person and competency (domain.md §4, rule 9)."""

from pynamodb.attributes import NumberAttribute, UnicodeAttribute

from chalicelib.domain.decisions import Decision, Outcome
from chalicelib.storage import keys
from chalicelib.storage.base import DayAttribute, Record
from chalicelib.storage.transaction import Transaction


class DecisionRow(Record, discriminator="decision"):
    """`P#p` / `E#504#DEC#competency`."""

    outcome = UnicodeAttribute()
    attempt = NumberAttribute()
    decided_on = DayAttribute()
    next_try_on = DayAttribute(null=True)
    course = UnicodeAttribute(null=True)
    enrolment = UnicodeAttribute(null=True)

    @classmethod
    def of(cls, person: str, employer: str, decision: Decision) -> "DecisionRow":
        """The row of a decision."""
        return cls(
            keys.person(person),
            keys.decision(employer, decision.competency),
            outcome=decision.outcome.value,
            attempt=decision.attempt,
            decided_on=decision.decided_on,
            next_try_on=decision.next_try_on,
            course=decision.course,
            enrolment=decision.enrolment,
        )

    def decision(self) -> Decision:
        """The decision of this row."""
        return Decision(
            self.sk.split(keys.SEPARATOR, 3)[3],
            Outcome(self.outcome),
            int(self.attempt),
            self.decided_on,
            self.next_try_on,
            self.course,
            self.enrolment,
        )


def keep(transaction: Transaction, person: str, employer: str, before: Decision | None, after: Decision) -> None:
    """Add to a transaction: a decision in place of the one before, if nobody has decided since; else it raises Stale."""
    row = DecisionRow.of(person, employer, after)
    if before is None:
        transaction.create(row)
    else:
        transaction.replace(row, DecisionRow.attempt == before.attempt)
