"""Enrolments and the seats they take."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from pynamodb.attributes import (
    BooleanAttribute,
    JSONAttribute,
    ListAttribute,
    NumberAttribute,
    UnicodeAttribute,
)

from chalicelib.domain.catalogue import Grants, Mode, owner_of
from chalicelib.domain.classes import Class, ClassStatus, Session
from chalicelib.domain.enrolment import Enrolment, HistoryRow, Need, Post, Status
from chalicelib.domain.learner import Learner
from chalicelib.domain.people import NATIONAL
from chalicelib.storage import keys
from chalicelib.storage.base import InstantAttribute, Record
from chalicelib.storage.classes import SeatsRow
from chalicelib.storage.people import BookingRow
from chalicelib.storage.transaction import Transaction

_RANK = {Status.WAITLISTED: 1, Status.CONFIRMED: 2, Status.REQUESTED: 3}
RANK_OF_OTHERS = 4
"""Closed enrolments come last on a roster."""


class EnrolmentRow(Record, discriminator="enrolment"):
    """`P#p` / `E#504#ENR#class#attempt`; gsi2 is the roster of the class, waiting list first; gsi1, while it is requested, what
    waits for its approver, while it waits for a national class, the list of every employer, and while its completion waits to be
    verified, what administrators have to verify.
    """

    course = UnicodeAttribute()
    title = UnicodeAttribute()
    mode = UnicodeAttribute()
    grants = JSONAttribute()
    starts_at = InstantAttribute(null=True)
    ends_at = InstantAttribute(null=True)
    sessions = JSONAttribute(null=True)
    venue = UnicodeAttribute(null=True)
    status = UnicodeAttribute()
    placed_at = InstantAttribute()
    history = JSONAttribute()
    revision = NumberAttribute()
    counted = BooleanAttribute(default=False)
    class_revision = NumberAttribute(default=1)
    link = UnicodeAttribute(null=True)
    passed_over = BooleanAttribute(null=True)
    post = ListAttribute(null=True, of=UnicodeAttribute)
    approver = UnicodeAttribute(null=True)
    need = NumberAttribute(null=True)
    overridden = ListAttribute(null=True, of=UnicodeAttribute)
    score = NumberAttribute(null=True)
    to_verify = JSONAttribute(null=True)
    email = UnicodeAttribute(null=True)

    @classmethod
    def of(cls, enrolment: Enrolment) -> "EnrolmentRow":
        """The row of an enrolment."""
        waits_where, place = _waits_where(enrolment)
        post = enrolment.post
        return cls(
            keys.person(enrolment.person),
            keys.enrolment(enrolment.employer, enrolment.class_id, enrolment.attempt),
            gsi1pk=waits_where,
            gsi1sk=place,
            gsi2pk=keys.roster(enrolment.employer, enrolment.class_id),
            gsi2sk=place_on_roster(enrolment),
            course=enrolment.course,
            title=enrolment.title,
            mode=enrolment.mode.value,
            grants=[[grant.competency, grant.level] for grant in enrolment.grants],
            starts_at=enrolment.starts_at,
            ends_at=enrolment.ends_at,
            sessions=[[each.starts_at.isoformat(), each.ends_at.isoformat()] for each in enrolment.sessions] or None,
            venue=enrolment.venue,
            status=enrolment.status.value,
            placed_at=enrolment.placed_at,
            history=[[row.status.value, row.at.isoformat(), row.by, row.reason] for row in enrolment.history],
            revision=enrolment.revision,
            counted=enrolment.counted,
            class_revision=enrolment.class_revision,
            link=enrolment.link,
            passed_over=enrolment.passed_over or None,
            post=[post.assignment, post.unit, post.position] if post else None,
            approver=enrolment.approver,
            need=enrolment.need,
            overridden=list(enrolment.overridden) or None,
            score=enrolment.score,
            to_verify=[[grant.competency, grant.level] for grant in enrolment.to_verify] or None,
            email=enrolment.email,
        )

    def enrolment(self) -> Enrolment:
        """The enrolment of this row."""
        row = self.attribute_values  # a quarter of the time that `self.course` takes: somebody may have hundreds
        _, employer, _, class_id, attempt = row["sk"].split(keys.SEPARATOR)
        return Enrolment(
            person=row["pk"].split(keys.SEPARATOR)[1],
            employer=employer,
            class_id=class_id,
            attempt=int(attempt),
            course=row["course"],
            title=row["title"],
            mode=Mode(row["mode"]),
            grants=tuple(Grants(competency, level) for competency, level in row["grants"]),
            starts_at=row.get("starts_at"),
            ends_at=row.get("ends_at"),
            sessions=sessions_from(row.get("sessions")),
            venue=row.get("venue"),
            status=Status(row["status"]),
            placed_at=row["placed_at"],
            history=tuple(
                HistoryRow(Status(status), datetime.fromisoformat(at), by, reason)
                for status, at, by, reason in row["history"]
            ),
            revision=int(row["revision"]),
            counted=bool(row["counted"]),
            class_revision=int(row["class_revision"]),
            link=row.get("link"),
            passed_over=bool(row.get("passed_over")),
            post=Post(*map(str, post)) if (post := row.get("post")) else None,
            approver=row.get("approver"),
            need=Need(int(need)) if (need := row.get("need")) else None,
            overridden=tuple(map(str, row.get("overridden") or ())),
            score=None if (score := row.get("score")) is None else float(score),
            to_verify=tuple(Grants(competency, int(level)) for competency, level in row.get("to_verify") or ()),
            email=row.get("email"),
        )


def _waits_where(enrolment: Enrolment) -> tuple[str, str] | tuple[None, None]:
    """Partition and place of an enrolment in gsi1: for whom a request waits, on which list of every employer, or to be verified."""
    if enrolment.status is Status.REQUESTED:
        place = keys.enrolment_approval_sort(
            enrolment.approver, enrolment.placed_at, enrolment.person, enrolment.class_id, enrolment.attempt
        )
        return keys.enrolment_approvals(enrolment.employer), place
    if enrolment.status is Status.WAITLISTED and owner_of(enrolment.class_id) == NATIONAL:
        return keys.national_waiting_list(enrolment.class_id), place_on_roster(enrolment)
    if enrolment.to_verify:
        return keys.completions_to_verify(enrolment.employer), place_to_verify(enrolment)
    return None, None


def place_to_verify(enrolment: Enrolment) -> str:
    """Where a completion stands among those to verify: first noted first."""
    noted = enrolment.history[-1].at
    return keys.completion_to_verify_sort(noted, enrolment.person, enrolment.class_id, enrolment.attempt)


def to_verify(employer: str, limit: int, after: str | None) -> list[Enrolment]:
    """Up to `limit` completions that administrators have to verify, first noted first, behind the `place_to_verify` of one. May lag
    a moment behind.
    """
    behind = Record.gsi1sk > after if after else None
    rows = Record.gsi1.query(keys.completions_to_verify(employer), behind, limit=limit)
    return [row.enrolment() for row in rows if isinstance(row, EnrolmentRow)]


def sessions_from(pairs: Any) -> tuple[Session, ...]:
    """Sessions from their stored pairs of ISO instants."""
    return tuple(Session(datetime.fromisoformat(start), datetime.fromisoformat(end)) for start, end in pairs or ())


def count_seats(employer: str, class_id: str) -> tuple[int, int]:
    """Seats taken and people waiting, counted from the roster one by one: what the class's counters must equal."""
    taken = waiting = 0
    for row in Record.gsi2.query(keys.roster(employer, class_id)):
        if isinstance(row, EnrolmentRow):
            enrolment = row.enrolment()
            taken += enrolment.seated
            waiting += enrolment.awaiting
    return taken, waiting


def one(person_id: str, employer: str, class_id: str, attempt: int) -> Enrolment | None:
    """One enrolment of somebody, strongly consistent, or None."""
    try:
        key = keys.enrolment(employer, class_id, attempt)
        return EnrolmentRow.get(keys.person(person_id), key, consistent_read=True).enrolment()
    except EnrolmentRow.DoesNotExist:
        return None


def exists(enrolment: Enrolment) -> bool:
    """Whether this attempt is written already, read strongly consistent."""
    key = EnrolmentRow.of(enrolment)
    return bool(EnrolmentRow.count(key.pk, EnrolmentRow.sk == key.sk, consistent_read=True))


def place_on_roster(enrolment: Enrolment) -> str:
    """Where an enrolment stands on the roster of its class: by state, on a waiting list by need, then by when it was placed."""
    rank = _RANK.get(enrolment.status, RANK_OF_OTHERS)
    need = enrolment.need if enrolment.status is Status.WAITLISTED and enrolment.need else 0
    return keys.roster_sort(rank, enrolment.placed_at, enrolment.person, need)


def take_over(transaction: Transaction, enrolment: Enrolment) -> None:
    """Add to a transaction: an enrolment made elsewhere, and its seat or place on the list, whatever the maximum."""
    transaction.create(EnrolmentRow.of(enrolment))
    seats = SeatsRow.key_of(enrolment.class_id)
    if enrolment.seated:
        transaction.update(seats, [SeatsRow.taken.add(1)], SeatsRow.pk.exists())
    elif enrolment.awaiting:
        transaction.update(seats, [SeatsRow.waiting.add(1)], SeatsRow.pk.exists())


def create(transaction: Transaction, learner: Learner, *placed: Enrolment) -> None:
    """Add to a transaction that takes the places for them (`take_place`): enrolments of one learner on different classes, and the
    learner's booking revision moved.

    The three conditions together are the guards of architecture §3 (seats): never one seat too many, and never two clashing
    bookings of one person.
    """
    for enrolment in placed:
        transaction.create(EnrolmentRow.of(enrolment))
    move_booking_revision(transaction, learner)


def take_place(transaction: Transaction, class_: Class, status: Status, people: int = 1) -> None:
    """Add to a transaction: what that many people take of a class who are placed on it in a state, while it is as it was read.

    The class's revision stands for everything that was read of it: nobody is placed on dates that have just changed. A seat is
    taken only while there is one and nobody waits for it; a place on the waiting list only while there is none, or others wait, so
    that nobody waits in vain. A class without a maximum, and a request, count nobody.
    """
    seats = SeatsRow.key_of(class_.id)
    as_read = (SeatsRow.revision == class_.revision) & (SeatsRow.status == class_.status.value)
    if status is Status.WAITLISTED:
        if class_.status is ClassStatus.NORMAL:
            as_read &= (SeatsRow.taken >= SeatsRow.maximum) | (SeatsRow.waiting > 0)
        transaction.update(seats, [SeatsRow.waiting.add(people)], as_read)
    elif status is Status.CONFIRMED and class_.maximum is not None:
        free = (SeatsRow.taken <= class_.maximum - people) & (SeatsRow.maximum == class_.maximum)
        transaction.update(seats, [SeatsRow.taken.add(people)], as_read & free & (SeatsRow.waiting == 0))
    elif status is Status.CONFIRMED:
        transaction.check(SeatsRow, seats.pk, seats.sk, as_read & SeatsRow.maximum.does_not_exist())
    else:
        transaction.check(SeatsRow, seats.pk, seats.sk, as_read)


def withdraw(transaction: Transaction, learner: Learner, before: Enrolment, after: Enrolment) -> None:
    """Add to a transaction: the enrolment withdrawn if nobody changed it since, its seat or its place on the waiting list given
    back, the revision moved.
    """
    rewrite(transaction, before, after)
    seats = SeatsRow.key_of(before.class_id)
    if before.seated:
        transaction.update(seats, [SeatsRow.taken.add(-1)], SeatsRow.taken > 0)
    elif before.awaiting:
        transaction.update(seats, [SeatsRow.waiting.add(-1)], SeatsRow.waiting > 0)
    move_booking_revision(transaction, learner)


def follow_class(
    transaction: Transaction, learner: Learner, class_: Class, before: Enrolment, after: Enrolment
) -> None:
    """Add to a transaction: an enrolment as its class leaves it, if nobody changed either since they were read; the counters of
    the class with it, and the booking revision moved.

    A seat is given only while the class, as it was read, still stands so and has one: nobody is promoted beyond the maximum.
    """
    rewrite(transaction, before, after)
    seats = SeatsRow.key_of(class_.id)
    taken, waiting = after.seated - before.seated, after.awaiting - before.awaiting
    unchanged = SeatsRow.revision == class_.revision
    if taken > 0:
        unchanged &= (SeatsRow.status == class_.status.value) & (SeatsRow.taken < SeatsRow.maximum)
    steps = [SeatsRow.taken.add(taken)] if taken else []
    steps += [SeatsRow.waiting.add(waiting)] if waiting else []
    if steps:
        transaction.update(seats, steps, unchanged)
    else:
        transaction.check(SeatsRow, seats.pk, seats.sk, unchanged)
    move_booking_revision(transaction, learner)


def count_as_waiting(transaction: Transaction, after: Enrolment) -> None:
    """Add to a transaction: a place on a waiting list that counts again, if nobody changed it since. The caller moves the
    booking revision.
    """
    transaction.replace(EnrolmentRow.of(after), EnrolmentRow.revision == after.revision - 1)
    transaction.update(SeatsRow.key_of(after.class_id), [SeatsRow.waiting.add(1)], SeatsRow.pk.exists())


def rewrite(transaction: Transaction, before: Enrolment, after: Enrolment) -> None:
    """Add to a transaction: an enrolment of which something changes that takes and gives no place, if nobody changed it since."""
    transaction.replace(EnrolmentRow.of(after), EnrolmentRow.revision == before.revision)


_WAITING = str(_RANK[Status.WAITLISTED]) + keys.SEPARATOR
_ASKING = str(_RANK[Status.REQUESTED]) + keys.SEPARATOR


def waiting_list(class_id: str) -> Iterator[Enrolment]:
    """Everybody waiting for a class, as seats are given: by need where it counts, then time, then id. Page by page as it is taken;
    may lag a moment behind.
    """
    index, pk, place = _list_of(class_id)
    for row in index.query(pk, place.startswith(_WAITING)):
        if isinstance(row, EnrolmentRow):
            yield row.enrolment()


def requested(employer: str, class_id: str) -> Iterator[Enrolment]:
    """An employer's people who ask for a place on a class, page by page as they are taken. May lag a moment behind."""
    for row in Record.gsi2.query(keys.roster(employer, class_id), Record.gsi2sk.startswith(_ASKING)):
        if isinstance(row, EnrolmentRow):
            yield row.enrolment()


def waiting_before(waiting: Enrolment) -> int:
    """How many the list of a class has in front of somebody waiting, those passed over left out: one query that reads them and
    returns their number. May lag a moment behind.
    """
    index, pk, place = _list_of(waiting.class_id)
    return int(
        index.count(
            pk,
            place.between(_WAITING, place_on_roster(waiting)),
            filter_condition=EnrolmentRow.passed_over.does_not_exist() & (Record.pk != keys.person(waiting.person)),
        )
    )


def _list_of(class_id: str) -> tuple[Any, str, Any]:
    """The index of a class's waiting list, its partition there, and what it is sorted by: of a national class that of every
    employer, else the roster of the owner, whose people alone can be on it.
    """
    owner = owner_of(class_id)
    if owner == NATIONAL:
        return Record.gsi1, keys.national_waiting_list(class_id), Record.gsi1sk
    return Record.gsi2, keys.roster(owner, class_id), Record.gsi2sk


def move_booking_revision(transaction: Transaction, learner: Learner) -> None:
    """Move the learner's booking revision, on condition that it is still the one that was read."""
    row = BookingRow(keys.person(learner.person.id), keys.BOOKING, revision=learner.booking_revision + 1)
    if learner.booking_revision == 0:
        transaction.create(row)
    else:
        transaction.replace(row, BookingRow.revision == learner.booking_revision)
