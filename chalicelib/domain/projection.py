"""The compliance of one assignment, materialised: facts, verdicts, counts, and when time alone will change them.

A snapshot holds all facts that decide it, so that a change of rules, a new day or a draft of rules is judged from snapshots
alone. Only a change of a person's own records reads their records. `judge` agrees with `Learner.compliance_on`.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import reduce

from chalicelib.domain import reminders
from chalicelib.domain.calendar import add_months, london_day
from chalicelib.domain.competency import Award
from chalicelib.domain.compliance import Colour, Reason, Standing, evaluate
from chalicelib.domain.decisions import becomes_due, is_ending
from chalicelib.domain.enrolment import Enrolment, Status
from chalicelib.domain.learner import Learner, assignments_that_count, groups_that_count
from chalicelib.domain.people import Assignment, Employment, EmploymentKind, Membership
from chalicelib.domain.requirements import Exemption, Required, Rulebook, Target, TargetKind

UNASSIGNED = "-"
"""The number under which a learner without an assignment has their snapshot, and the view of snapshots without a unit."""


@dataclass(frozen=True, slots=True)
class Counts:
    """What BI adds up (domain.md §3): assignments, required rows, those not red, those amber, and future enrolments.

    By competency, `assignments` is the number of rows, like `required`.
    """

    assignments: int = 0
    required: int = 0
    achieved: int = 0
    expiring: int = 0
    future: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(
            self.assignments + other.assignments,
            self.required + other.required,
            self.achieved + other.achieved,
            self.expiring + other.expiring,
            self.future + other.future,
        )

    def __neg__(self) -> "Counts":
        return Counts(-self.assignments, -self.required, -self.achieved, -self.expiring, -self.future)

    def __sub__(self, other: "Counts") -> "Counts":
        return self + -other


NOTHING = Counts()


@dataclass(frozen=True, slots=True)
class Row:
    """One required competency of one assignment: level asked for, colour and why, the deciding award, and a booked class.

    `expires_on`, `achieved_level` and `awarded_on` are those of the award that decided; `future_on` is the day of the earliest
    booked class that awards what is required.
    """

    competency: str
    level: int
    colour: Colour
    reason: Reason
    expires_on: date | None = None
    achieved_level: int | None = None
    awarded_on: date | None = None
    future_on: date | None = None

    @property
    def counts(self) -> Counts:
        """What this row adds to its competency's counters."""
        amber = self.colour is Colour.AMBER
        red = self.colour is Colour.RED
        return Counts(1, 1, int(not red), int(amber), int((red or amber) and self.future_on is not None))


@dataclass(frozen=True, slots=True)
class Booked:
    """A booked class: what it awards at which level, and the London day on which it starts."""

    competency: str
    level: int
    starts_on: date


@dataclass(frozen=True, slots=True)
class Span:
    """London days, both included; None is without end, on either side."""

    starts_on: date | None
    ends_on: date | None

    def includes(self, day: date) -> bool:
        """Whether the day lies within."""
        return (self.starts_on is None or self.starts_on <= day) and (self.ends_on is None or day <= self.ends_on)


@dataclass(frozen=True, slots=True)
class Facts:
    """All that decides the compliance of one assignment from some day on; what cannot matter any more is left out.

    `validities` are those of the one assignment; under number "-" there are none. `carries` says when the requirements of the
    person's learner groups and of the person belong to this assignment: the primary one, else the first by number. Awards are
    only those that can decide: per competency, none that is beaten by another in level and in its last valid day. What
    decides nothing is left out: an award's source, an exemption's reason, a supervisor. `waits_by_need`: the person stands on a
    waiting list whose order follows from the colours (decision 0025).
    """

    person: str
    employer: str
    number: str
    employment: Employment
    validities: tuple[Assignment, ...] = ()
    carries: tuple[Span, ...] = ()
    memberships: tuple[Membership, ...] = ()
    awards: tuple[Award, ...] = ()
    exemptions: tuple[Exemption, ...] = ()
    booked: tuple[Booked, ...] = ()
    waits_by_need: bool = False

    def since(self, day: date) -> "Facts":
        """The same without what cannot matter from this day on."""
        earlier = tuple(each for each in self.employment.earlier if each.ends_on >= day)
        return replace(
            self,
            employment=replace(self.employment, earlier=earlier, offered_on=None),
            validities=tuple(each for each in self.validities if each.ends_on is None or each.ends_on >= day),
            carries=tuple(_cut(each, day) for each in self.carries if each.ends_on is None or each.ends_on >= day),
            memberships=tuple(each for each in self.memberships if each.ends_on is None or each.ends_on >= day),
            awards=deciding(self.awards, day),
            exemptions=tuple(each for each in self.exemptions if each.ends_on >= day),
            booked=tuple(each for each in self.booked if each.starts_on >= day),
        )

    def over_on(self, day: date) -> bool:
        """Whether nothing of this can count on that day or later."""
        employment = self.employment
        left = employment.ends_on is not None and employment.ends_on < day
        if left and all(each.ends_on < day for each in employment.earlier):
            return True
        ends = [*(each.ends_on for each in self.validities), *(each.ends_on for each in self.carries)]
        return all(end is not None and end < day for end in ends)

    def held_on(self, day: date) -> tuple[Assignment, ...]:
        """The validities that count on a day: one, or for an applicant perhaps several."""
        return assignments_that_count(self.employment, self.validities, day)

    def carries_own_on(self, day: date) -> bool:
        """Whether the requirements of groups and person belong to this assignment on a day."""
        return any(each.includes(day) for each in self.carries)

    def groups_on(self, day: date) -> tuple[str, ...]:
        """The person's learner groups on a day."""
        return groups_that_count(self.employment, self.memberships, day)

    def own_targets_on(self, day: date) -> tuple[Target, ...]:
        """The person's learner groups and the person, while this assignment carries them."""
        if not self.carries_own_on(day):
            return ()
        groups = tuple(Target(TargetKind.LEARNER_GROUP, group) for group in self.groups_on(day))
        return (*groups, Target(TargetKind.PERSON, self.person))

    def required_on(self, day: date, rulebook: Rulebook) -> dict[str, Required]:
        """What is required through this assignment on a day."""
        carries = self.carries_own_on(day)
        person, groups = (self.person, self.groups_on(day)) if carries else (None, ())
        return rulebook.required_of(person, self.held_on(day), groups, day, self.exemptions)

    def counted_on(self, day: date) -> bool:
        """Whether BI counts it: an assignment held that day by somebody in service, applicants from their first day."""
        employment = self.employment
        periods = [(employment.kind, employment.starts_on, employment.ends_on)]
        periods += [(each.kind, each.starts_on, each.ends_on) for each in employment.earlier]
        in_service = any(
            kind is not EmploymentKind.EXTERNAL and start <= day and (end is None or day <= end)
            for kind, start, end in periods
        )
        return in_service and any(each.active_on(day) for each in self.validities)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The verdict on one assignment as of some day and rules version, with the facts it rests on.

    `unit` is where it counts, or will for an applicant; `counted` whether it does. `next_change_on` is the earliest later day
    on which time alone changes rows, unit or counting, or on which somebody is to be reminded of a row. `revision` guards against
    two writers; 0 is not written yet.
    """

    facts: Facts
    unit: str | None
    counted: bool
    rows: tuple[Row, ...]
    next_change_on: date | None
    version: tuple[int, int]
    revision: int = 0

    def decides_enrolments(self, day: date) -> bool:
        """Whether a change of it by rules or by the date may change an enrolment of the person: their place on a waiting list by
        need, or what they may find through a post that has ended since it was written.
        """
        facts = self.facts
        return facts.waits_by_need or any(each.ends_on and each.ends_on < day for each in facts.validities)

    @property
    def total(self) -> Counts:
        """What this assignment adds to the counters of its unit."""
        if not self.counted:
            return NOTHING
        return replace(reduce(Counts.__add__, (row.counts for row in self.rows), NOTHING), assignments=1)

    @property
    def by_competency(self) -> dict[str, Counts]:
        """What it adds to the counters of each competency in its unit."""
        return {row.competency: row.counts for row in self.rows} if self.counted else {}

    def says_the_same_as(self, other: "Snapshot", day: date) -> bool:
        """Whether both say the same from that day on. Versions are not compared: rows that stand are not written again."""
        return (self.unit, self.counted, self.rows, self.next_change_on, self.facts.since(day)) == (
            other.unit,
            other.counted,
            other.rows,
            other.next_change_on,
            other.facts.since(day),
        )


# --- facts --------------------------------------------------------------------------------------------------


def facts_of(learner: Learner, day: date) -> tuple[Facts, ...]:
    """The facts of each assignment of a learner that counts on that day or may later; nothing for whoever has left.

    A learner who belongs to the employer without an assignment has one set of facts under "-".
    """
    employment = learner.employment
    if employment is None:
        return ()
    carried = _carried(employment, learner.assignments, day)
    numbers = sorted({each.number for each in learner.assignments} | ({UNASSIGNED} & carried.keys()))
    assignments = sorted(
        (replace(each, supervisor=None) for each in learner.assignments), key=lambda each: (each.number, each.starts_on)
    )
    awards = tuple(replace(each, source="") for each in learner.awards)
    exemptions = sorted(
        (replace(each, reason="") for each in learner.exemptions), key=lambda each: (each.competency, each.starts_on)
    )
    waits_by_need = any(each.waits_by_need for each in learner.enrolments)
    booked = tuple(sorted(_booked(learner.enrolments), key=lambda each: (each.starts_on, each.competency, each.level)))
    found = (
        Facts(
            person=learner.person.id,
            employer=learner.employer,
            number=number,
            employment=employment,
            validities=tuple(each for each in assignments if each.number == number),
            carries=tuple(carried.get(number, ())),
            memberships=tuple(sorted(learner.memberships, key=lambda each: (each.group, each.starts_on))),
            awards=awards,
            exemptions=tuple(exemptions),
            booked=booked,
            waits_by_need=waits_by_need,
        ).since(day)
        for number in numbers
    )
    return tuple(each for each in found if not each.over_on(day))


def _booked(enrolments: Iterable[Enrolment]) -> Iterator[Booked]:
    for enrolment in enrolments:
        if enrolment.status is Status.CONFIRMED and enrolment.starts_at is not None:
            for grant in enrolment.grants:
                yield Booked(grant.competency, grant.level, london_day(enrolment.starts_at))


def _carried(employment: Employment, assignments: tuple[Assignment, ...], day: date) -> dict[str, list[Span]]:
    """From a day on: over which days which assignment (or "-") carries the requirements of groups and person."""
    edges = sorted({day, *(edge for edge in _edges_of(employment, assignments) if edge > day)})
    carried: dict[str, list[Span]] = {}
    last = None
    for start, following in zip(edges, (*edges[1:], None), strict=True):
        carrier = _carrier(employment, assignments, start)
        end = following - timedelta(days=1) if following else None
        if carrier is not None:
            spans = carried.setdefault(carrier, [])
            first = spans.pop().starts_on if carrier == last else (None if start == day else start)
            spans.append(Span(first, end))
        last = carrier
    return carried


def _carrier(employment: Employment, assignments: tuple[Assignment, ...], day: date) -> str | None:
    if not employment.active_on(day):
        return None
    held = assignments_that_count(employment, assignments, day)
    return min(((not each.primary, each.number) for each in held), default=(True, UNASSIGNED))[1]


def _edges_of(employment: Employment, dated: Iterable[Assignment | Membership]) -> Iterator[date]:
    """Days on which a period of service, a validity or a membership begins, or is over."""
    for period in (employment, *employment.earlier, *dated):
        yield period.starts_on
        yield from _after(period.ends_on)


def _cut(span: Span, day: date) -> Span:
    return replace(span, starts_on=None) if span.starts_on and span.starts_on <= day else span


def deciding(awards: Iterable[Award], day: date) -> tuple[Award, ...]:
    """The awards that can decide a colour on that day or later, at whatever level: not void, and not beaten by another.

    One beats another of the same competency if it has its level or more, is valid as long or longer, and is made by that day
    or no later than the other.
    """
    kept: dict[str, list[Award]] = {}
    strongest_first = sorted(
        (each for each in awards if not each.void),
        key=lambda each: (each.competency, each.expires_on or date.max, each.awarded_on, each.level, each.origin),
        reverse=True,
    )
    for award in strongest_first:
        same = kept.setdefault(award.competency, [])
        if not any(_beats(other, award, day) for other in same):
            same.append(award)
    return tuple(reversed([award for same in kept.values() for award in same]))


def _beats(other: Award, award: Award, day: date) -> bool:
    """Whether another of the same competency, known to be valid as long, leaves this one nothing to decide."""
    return other.level >= award.level and (other.awarded_on <= day or other.awarded_on <= award.awarded_on)


# --- verdicts -----------------------------------------------------------------------------------------------


def judge(facts: Facts, rulebook: Rulebook, day: date) -> Snapshot:
    """The snapshot of an assignment on a day under the rules given. It is not written: its revision is 0."""
    facts = facts.since(day)
    required = facts.required_on(day, rulebook)
    # What is held and not required has no row: most of the work of an evaluation, spared.
    asked = [each for each in facts.awards if each.competency in required or each.competency in rulebook.counts_for]
    standings = evaluate(required, asked, day, rulebook.amber_months, rulebook.counts_for)
    needed = [each for each in standings if each.colour is not Colour.BLUE]
    counted = facts.counted_on(day)
    rows = tuple(_row(each, required[each.competency], facts, rulebook) for each in needed)
    return Snapshot(
        facts=facts,
        unit=_unit_on(facts, day),
        counted=counted,
        rows=rows,
        next_change_on=min(_changes_after(facts, rulebook, day, rows, counted), default=None),
        version=(rulebook.version[0], rulebook.version[1]),
    )


def _unit_on(facts: Facts, day: date) -> str | None:
    """The unit of the validity held that day, else of the first that counts (an applicant's)."""
    held = facts.held_on(day)
    return next((each.unit for each in held if each.active_on(day)), held[0].unit if held else None)


def _row(standing: Standing, required: Required, facts: Facts, rulebook: Rulebook) -> Row:
    booked = (b.starts_on for b in facts.booked if rulebook.meets(required, b.competency, b.level))
    award = standing.award
    return Row(
        competency=standing.competency,
        level=required.level,
        colour=standing.colour,
        reason=standing.reason,
        expires_on=award.expires_on if award else None,
        achieved_level=award.level if award else None,
        awarded_on=award.awarded_on if award else None,
        future_on=next(booked, None),
    )


# --- time ---------------------------------------------------------------------------------------------------


def _changes_after(facts: Facts, rulebook: Rulebook, day: date, rows: tuple[Row, ...], counted: bool) -> Iterator[date]:
    """Every later day on which time alone may change rows, unit or counting, or somebody is to be reminded, as far as the first of
    them needs.

    What begins to matter only on one of these days (a requirement of a coming validity, an award of a competency not required
    yet) is looked at on that day, when the snapshot is judged again.
    """
    edges = [*_edges_of(facts.employment, (*facts.validities, *facts.memberships))]
    for assignment in facts.held_on(day):
        edges += rulebook.moves_above(assignment.unit, day)
    spans: list[Span | Exemption] = [*facts.carries, *facts.exemptions]
    for span in spans:
        edges += [*([span.starts_on] if span.starts_on else ()), *_after(span.ends_on)]
    for target in _targets_on(facts, rulebook, day):
        for rule in rulebook.requirements.get(target, ()):
            edges += [rule.starts_on, *_after(rule.ends_on)]
            if known := rulebook.competencies.get(rule.competency):
                edges += [*([known.starts_on] if known.starts_on else ()), *_after(known.ends_on)]
    for row in rows:
        edges += _after(row.future_on)
        if row.achieved_level is not None and row.expires_on:
            edges += [amber_from(row.expires_on, rulebook.amber_months), *_after(row.expires_on)]
            edges += [becomes_due(row.expires_on)] if rulebook.auto_enrolment else []
    if rulebook.renewal_leads:
        edges += _reminders_after(rows, counted, rulebook.renewal_leads, day)
    wanted = {row.competency for row in rows}
    for award in facts.awards:
        if award.awarded_on > day and not wanted.isdisjoint(
            {award.competency, *rulebook.counts_for.get(award.competency, ())}
        ):
            edges.append(award.awarded_on)
    return (edge for edge in edges if edge > day)


def _reminders_after(rows: Iterable[Row], counted: bool, leads: Sequence[int], day: date) -> Iterator[date]:
    """The next days on which somebody may have to be told of rows: a lead before an expiry, and for managers, while one is red,
    Monday. None of what is booked in time.
    """
    red = False
    for row in rows:
        if reminders.booked_in_time(row.future_on, row.expires_on, row.colour):
            continue
        if row.colour is Colour.RED:
            red = True
        elif row.expires_on and (following := reminders.next_lead_day(row.expires_on, leads, day)):
            yield following
    if red and counted:
        yield reminders.next_monday(day)


def looks_due(before: Snapshot | None, after: Snapshot | None, rulebook: Rulebook, day: date) -> date | None:
    """Whether somebody has to be looked at, and since which day, once a snapshot is written in place of another: what time brought
    since the day on which it was to be judged again is a reminder, as far as the snapshot can say. None: nobody has.

    What they are told, if anything, is judged from their records (`reminders.renewals`). Where training arranges itself, whatever
    time or rules make due is looked at, too; what changes of their records make due follows from those (`project_under`).
    """
    if before is None or after is None:
        return None
    since = before.next_change_on
    if since and since <= day and any(_reminds(row, after.counted, rulebook, since, day) for row in after.rows):
        return since
    return day if rulebook.auto_enrolment and _newly_due(before, after, day) else None


def is_due(snapshot: Snapshot, day: date) -> bool:
    """Whether training is to be arranged for something in a snapshot (domain.md §4, rule 2), as far as it can say: no class is
    booked that awards it.
    """
    return any(_is_due(row, day) for row in snapshot.rows)


def _is_due(row: Row, day: date) -> bool:
    return row.future_on is None and (row.colour is Colour.RED or is_ending(row.expires_on, day))


def _newly_due(before: Snapshot, after: Snapshot, day: date) -> bool:
    """Whether time or rules, and no change of records, made something due since a snapshot was written."""
    if before.facts.since(day) != after.facts.since(day):
        return False
    former = {row.competency: row for row in before.rows}
    since = before.next_change_on or day
    return any(
        _is_due(row, day)
        and (former.get(row.competency) != row or (row.expires_on and since <= becomes_due(row.expires_on) <= day))
        for row in after.rows
    )


def _reminds(row: Row, counted: bool, rulebook: Rulebook, since: date, day: date) -> bool:
    leads = rulebook.renewal_leads
    if reminders.booked_in_time(row.future_on, row.expires_on, row.colour) or not leads:
        return False
    if counted and row.colour is Colour.RED and reminders.monday_passed(since, day):
        return True
    ends_on = reminders.ends_on(row.reason, row.expires_on)
    return ends_on is not None and reminders.lead_passed(ends_on, leads, since, day) is not None


def _targets_on(facts: Facts, rulebook: Rulebook, day: date) -> Iterator[Target]:
    for assignment in facts.held_on(day):
        yield from rulebook.targets_of(assignment, day)
    yield from facts.own_targets_on(day)


def _after(last_day: date | None) -> tuple[date, ...]:
    """The day after a last day; none if there is no end."""
    return () if last_day is None or last_day == date.max else (last_day + timedelta(days=1),)


def amber_from(expires_on: date, amber_months: int) -> date:
    """The first day on which an award is amber: the smallest d with expiry ≤ d plus that many months (domain.md §3)."""
    day = add_months(expires_on, -amber_months)
    return day if add_months(day, amber_months) >= expires_on else day + timedelta(days=1)
