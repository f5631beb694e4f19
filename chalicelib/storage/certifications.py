"""Subscriptions to certifications, with their periods.

Every request knows the row and few meet one, so what reading it takes is imported then.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from pynamodb.attributes import BooleanAttribute, JSONAttribute, NumberAttribute, UnicodeAttribute

from chalicelib.domain.catalogue import Grants, Mode, Use
from chalicelib.domain.timers import Timer, TimerKind
from chalicelib.storage import keys
from chalicelib.storage.base import DayAttribute, Record
from chalicelib.storage.cursor import going_on
from chalicelib.storage.transaction import Transaction

if TYPE_CHECKING:
    from chalicelib.domain.certifications import Period, Status, Subscription, Terms


class SubscriptionRow(Record, discriminator="subscription"):
    """`P#p` / `E#504#SUB#504-als`; gsi1 lists everybody who subscribes to a certification."""

    status = UnicodeAttribute()
    history = JSONAttribute()
    mandatory = BooleanAttribute(null=True)
    terms = JSONAttribute(null=True)
    periods = JSONAttribute(null=True)
    told_on = DayAttribute(null=True)
    approver = UnicodeAttribute(null=True)
    revision = NumberAttribute()

    @classmethod
    def of(cls, subscription: Subscription) -> SubscriptionRow:
        """The row of a subscription."""
        latest = subscription.open_period or subscription.held
        due_on = (latest.expires_on or latest.due_on) if latest else None
        return cls(
            keys.person(subscription.person),
            keys.subscription(subscription.employer, subscription.certification),
            gsi1pk=keys.subscribers(subscription.employer, subscription.certification),
            gsi1sk=keys.subscriber_sort(subscription.status.value, due_on, subscription.person),
            status=subscription.status.value,
            history=[[each.status.value, each.at.isoformat(), each.by, each.reason] for each in subscription.history],
            mandatory=subscription.mandatory or None,
            terms=_terms_kept(subscription.terms) if subscription.terms else None,
            periods=[_period_kept(each) for each in subscription.periods] or None,
            told_on=subscription.told_on,
            approver=subscription.approver,
            revision=subscription.revision,
        )

    def subscription(self) -> Subscription:
        """The subscription of this row."""
        from chalicelib.domain.certifications import HistoryRow, Status, Subscription

        _, employer, _, certification = self.sk.split(keys.SEPARATOR)
        return Subscription(
            person=self.pk.split(keys.SEPARATOR)[1],
            employer=employer,
            certification=certification,
            status=Status(self.status),
            history=tuple(
                HistoryRow(Status(status), datetime.fromisoformat(at), by, reason)
                for status, at, by, reason in self.history
            ),
            mandatory=bool(self.mandatory),
            terms=_terms(self.terms) if self.terms else None,
            periods=tuple(_period(each) for each in self.periods or ()),
            told_on=self.told_on,
            approver=self.approver,
            revision=int(self.revision),
        )


def _terms_kept(terms: Terms) -> list[Any]:
    from chalicelib.storage.catalogue import components_kept

    return [
        components_kept(terms.components),
        [[each.competency, each.level] for each in terms.grants],
        terms.min_components,
        terms.validity_months,
        terms.window_days,
        list(terms.reminder_days),
        terms.max_consecutive_elearning,
    ]


def _terms(kept: Sequence[Any]) -> Terms:
    from chalicelib.domain.certifications import Terms
    from chalicelib.storage.catalogue import components_of

    components, grants, minimum, months, window, reminders, limit = kept
    awarded = tuple(Grants(competency, level) for competency, level in grants)
    return Terms(components_of(components), awarded, minimum, months, window, tuple(reminders), limit)


def _period_kept(period: Period) -> list[Any]:
    return [
        period.number,
        period.use.value,
        period.starts_on.isoformat(),
        period.due_on.isoformat(),
        period.status.value,
        period.elearning,
        [
            [each.course, each.mode.value if each.mode else None, each.on.isoformat(), each.source]
            for each in period.done
        ],
        period.completed_on.isoformat() if period.completed_on else None,
        period.expires_on.isoformat() if period.expires_on else None,
    ]


def _period(kept: Sequence[Any]) -> Period:
    from chalicelib.domain.certifications import Done, Period, PeriodStatus

    number, use, starts_on, due_on, status, elearning, done, completed_on, expires_on = kept
    return Period(
        number,
        Use(use),
        date.fromisoformat(starts_on),
        date.fromisoformat(due_on),
        PeriodStatus(status),
        elearning,
        tuple(
            Done(course, Mode(mode) if mode else None, date.fromisoformat(on), source)
            for course, mode, on, source in done
        ),
        date.fromisoformat(completed_on) if completed_on else None,
        date.fromisoformat(expires_on) if expires_on else None,
    )


def keep(transaction: Transaction, before: Subscription | None, after: Subscription) -> None:
    """Add to a transaction: a subscription as it is now, if nobody changed it since it was read."""
    row = SubscriptionRow.of(after)
    if before is None:
        transaction.create(row)
    else:
        transaction.replace(row, SubscriptionRow.revision == before.revision)


def one(person_id: str, employer: str, certification: str) -> Subscription | None:
    """Somebody's subscription to a certification, read strongly consistent; None if there is none."""
    try:
        row = SubscriptionRow.get(
            keys.person(person_id), keys.subscription(employer, certification), consistent_read=True
        )
    except SubscriptionRow.DoesNotExist:
        return None
    return row.subscription()


def subscribers(
    employer: str, certification: str, status: Status | None, limit: int, after: Any
) -> tuple[list[Subscription], Any]:
    """A page of the subscriptions to a certification, of one state if it is named: those due first come first. May lag a moment."""
    pk, beginning = keys.subscribers(employer, certification), f"{status.value}{keys.SEPARATOR}" if status else ""
    after = going_on(going_on(after, "gsi1pk", pk), "gsi1sk", beginning, begins=True)
    narrowed = Record.gsi1sk.startswith(beginning) if beginning else None
    query = Record.gsi1.query(pk, narrowed, limit=limit, last_evaluated_key=after)
    return [row.subscription() for row in query if isinstance(row, SubscriptionRow)], query.last_evaluated_key


def timer_of(subscription: Subscription, at: datetime) -> Timer:
    """The timer that looks at a subscription at an instant."""
    facts = {"person": subscription.person, "certification": subscription.certification}
    subject = f"{subscription.person}~{subscription.certification}"
    return Timer(subscription.employer, at, TimerKind.CERTIFICATION, subject, facts)
