"""Certifications: how somebody comes to one, renews it and loses it (domain.md §2 and §6, decision 0034).

A subscription says how a person stands to a certification; its periods are the first one and those that renew it. A period keeps
the terms under which it began, so that a change of the certification is for later periods only. Time is judged when somebody
looks: `as_of` says how things stand on a day, whatever was stored last.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum

from chalicelib.domain import errors
from chalicelib.domain.calendar import add_months, london_time
from chalicelib.domain.catalogue import Certification, Component, Course, Grants, Mode, Use, components_for, live_on

# --- states -----------------------------------------------------------------------------------------------------


class Status(StrEnum):
    """How somebody stands to a certification (domain.md §2). *Overdue* is no state: see `Subscription.overdue_on`."""

    AWAITING_APPROVAL = "awaiting approval"
    REJECTED = "rejected"
    SUBSCRIBED = "subscribed"
    CERTIFIED = "certified"
    RENEWING = "renewing"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


class PeriodStatus(StrEnum):
    """How far a period has come. One that expired can still be completed, until it is cancelled."""

    ENROLLED = "enrolled"
    ACTIVE = "active"
    COMPLETED = "completed"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


class Party(StrEnum):
    """As who somebody moves a subscription. Nobody is the approver or an administrator of a request of their own."""

    LEARNER = "learner"
    APPROVER = "approver"
    ADMINISTRATOR = "administrator"
    SYSTEM = "system"


class Step(StrEnum):
    """What can be done with a subscription, or becomes of it."""

    REQUEST = "request"
    SUBSCRIBE = "subscribe to"
    APPROVE = "approve"
    REJECT = "reject"
    CERTIFY = "certify"
    OPEN_WINDOW = "open the renewal of"
    EXPIRE = "expire"
    TAKE_BACK = "take back"
    CANCEL = "cancel"
    REINSTATE = "reinstate"


_SUBSCRIBING = frozenset({Party.LEARNER, Party.ADMINISTRATOR, Party.SYSTEM})
_DECIDING = frozenset({Party.APPROVER, Party.ADMINISTRATOR})
_SYSTEM = frozenset({Party.SYSTEM})
_CANCELLING = frozenset({Party.LEARNER, Party.ADMINISTRATOR})
_ADMINISTRATOR = frozenset({Party.ADMINISTRATOR})
_AGAIN = (None, Status.REJECTED, Status.CANCELLED)
_BEGUN = (Status.SUBSCRIBED, Status.CERTIFIED, Status.RENEWING, Status.EXPIRED)

MOVES: Mapping[tuple[Status | None, Step], tuple[Status | None, frozenset[Party]]] = {
    **{(before, Step.REQUEST): (Status.AWAITING_APPROVAL, frozenset({Party.LEARNER})) for before in _AGAIN},
    **{(before, Step.SUBSCRIBE): (Status.SUBSCRIBED, _SUBSCRIBING) for before in _AGAIN},
    (Status.AWAITING_APPROVAL, Step.SUBSCRIBE): (Status.SUBSCRIBED, frozenset({Party.ADMINISTRATOR, Party.SYSTEM})),
    (Status.AWAITING_APPROVAL, Step.APPROVE): (Status.SUBSCRIBED, _DECIDING),
    (Status.AWAITING_APPROVAL, Step.REJECT): (Status.REJECTED, _DECIDING),
    (Status.AWAITING_APPROVAL, Step.CANCEL): (Status.CANCELLED, _CANCELLING),
    (Status.SUBSCRIBED, Step.CERTIFY): (Status.CERTIFIED, _SYSTEM),
    (Status.RENEWING, Step.CERTIFY): (Status.CERTIFIED, _SYSTEM),
    (Status.EXPIRED, Step.CERTIFY): (Status.CERTIFIED, _SYSTEM),
    (Status.CERTIFIED, Step.OPEN_WINDOW): (Status.RENEWING, _SYSTEM),
    (Status.RENEWING, Step.EXPIRE): (Status.EXPIRED, _SYSTEM),
    **{(before, Step.TAKE_BACK): (None, _SYSTEM) for before in (Status.CERTIFIED, Status.RENEWING, Status.EXPIRED)},
    **{(before, Step.CANCEL): (Status.CANCELLED, _CANCELLING) for before in _BEGUN},
    (Status.CANCELLED, Step.REINSTATE): (None, _ADMINISTRATOR),
}
"""From which state which step leads where (None: to where it was before), and who may take it. What is not here cannot happen.

Reaching and losing a certification follows from completions and from time alone, so that its party is the system, whoever notes a
completion or takes one back.
"""

_WAY_ON = {
    None: "Subscribe first.",
    Status.AWAITING_APPROVAL: "It waits for approval: approve or reject it.",
    Status.REJECTED: "Subscribe again if things have changed.",
    Status.CANCELLED: "Have it reinstated by an administrator, or subscribe again.",
}

MOST_HISTORY = 50
"""Changes that a subscription keeps, the latest; the audit keeps all."""

_OPEN_PERIOD = (PeriodStatus.ENROLLED, PeriodStatus.ACTIVE, PeriodStatus.EXPIRED)


def move(before: Status | None, step: Step, party: Party) -> Status | None:
    """Where a step leads. Raises SubscriptionNotThere, or NotPermitted where only others may take it."""
    following = MOVES.get((before, step))
    if following is None:
        raise errors.SubscriptionNotThere(
            f"There is nothing to {step}: the subscription is {before or 'not there'}.",
            way_out=_WAY_ON.get(before),
            status=before.value if before else None,
        )
    status, allowed = following
    if party not in allowed:
        raise errors.NotPermitted("Only the learning team may do this.", way_out="Ask the learning team.")
    return status


# --- what there is ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Terms:
    """The settings of a certification under which a period began (domain.md §6: changes are for later periods only)."""

    components: tuple[Component, ...]
    grants: tuple[Grants, ...]
    min_components: int | None
    validity_months: int | None
    window_days: int
    reminder_days: tuple[int, ...]
    max_consecutive_elearning: int | None

    @classmethod
    def of(cls, certification: Certification) -> "Terms":
        """The terms of a certification as it is now."""
        return cls(
            certification.components,
            certification.grants,
            certification.min_components,
            certification.validity_months,
            certification.window_days,
            certification.reminder_days,
            certification.max_consecutive_elearning,
        )

    @property
    def renewable(self) -> bool:
        """Whether there are components enough to renew by."""
        return 0 < needed(self, Use.RENEWAL) <= len(components_for(Use.RENEWAL, self.components))


@dataclass(frozen=True, slots=True)
class Done:
    """What counted towards a period: which course, how it was taken (None: external training), on which London day, and the id of
    the enrolment or external training.
    """

    course: str
    mode: Mode | None
    on: date
    source: str


@dataclass(frozen=True, slots=True)
class Period:
    """One cycle: the first (INITIAL), or one that renews the certification. `due_on` is its last day.

    `elearning` is how many periods before it were done by e-learning alone, one after the other. `expires_on` (None: never) is set
    with its completion.
    """

    number: int
    use: Use
    starts_on: date
    due_on: date
    status: PeriodStatus = PeriodStatus.ENROLLED
    elearning: int = 0
    done: tuple[Done, ...] = ()
    completed_on: date | None = None
    expires_on: date | None = None

    @property
    def elearning_after(self) -> int:
        """The same count with this period: one more if it was done by e-learning alone, else none (domain.md §6)."""
        alone = bool(self.done) and all(each.mode is Mode.E_LEARNING for each in self.done)
        return self.elearning + 1 if alone else 0


@dataclass(frozen=True, slots=True)
class HistoryRow:
    """One change: the state reached, the UTC instant, who made it, and why if they said so."""

    status: Status
    at: datetime
    by: str
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Subscription:
    """How one person stands to one certification at one employer, with all their periods.

    `mandatory`: the learner cannot cancel it. `terms` are those of the latest period (None before there was one). `told_on` is the
    last London day for which the learner has been reminded. `approver` is who is asked while it awaits approval, None the learning
    administrators. `revision` rises with every change.
    """

    person: str
    employer: str
    certification: str
    status: Status
    history: tuple[HistoryRow, ...]
    mandatory: bool = False
    terms: Terms | None = None
    periods: tuple[Period, ...] = ()
    told_on: date | None = None
    approver: str | None = None
    revision: int = 1

    @property
    def open_period(self) -> Period | None:
        """The period that can be completed now, if there is one."""
        last = self.periods[-1] if self.periods else None
        begun = self.status in (Status.SUBSCRIBED, Status.RENEWING, Status.EXPIRED)
        return last if begun and last and last.status in _OPEN_PERIOD else None

    @property
    def held(self) -> Period | None:
        """The completed period by which the certification is, or was last, held."""
        return next((each for each in reversed(self.periods) if each.status is PeriodStatus.COMPLETED), None)

    @property
    def ended(self) -> bool:
        """Whether nothing more comes of it unless somebody subscribes again or reinstates it."""
        return self.status in (Status.REJECTED, Status.CANCELLED)

    @property
    def window_opens_on(self) -> date | None:
        """The day from which on what is completed renews the certification; None while nothing is to be renewed."""
        held = self.held
        if self.status is not Status.CERTIFIED or held is None or held.expires_on is None or self.terms is None:
            return None
        return held.expires_on - timedelta(days=self.terms.window_days)

    def overdue_on(self, day: date) -> bool:
        """Whether the open period was due before a day."""
        period = self.open_period
        return period is not None and period.due_on < day

    def takes(self, mode: Mode | None) -> bool:
        """Whether the open period takes what was done this way: e-learning only below the limit (domain.md §6)."""
        limit = self.terms.max_consecutive_elearning if self.terms else None
        period = self.open_period
        return mode is not Mode.E_LEARNING or limit is None or period is None or period.elearning < limit

    def moved_to(self, status: Status, at: datetime, by: str, reason: str | None = None) -> "Subscription":
        """The same in another state, its history one row longer and its revision one higher."""
        row = HistoryRow(status, at, by, reason)
        return replace(self, status=status, history=(*self.history, row)[-MOST_HISTORY:], revision=self.revision + 1)


def needed(terms: Terms, use: Use) -> int:
    """How many components complete a period of this use."""
    counting = components_for(use, terms.components)
    return len(counting) if terms.min_components is None else terms.min_components


def fulfilled(period: Period, terms: Terms) -> dict[Component, Done]:
    """The components of a period that are done, each by what was done for it; one thing done counts once."""
    left, found = list(period.done), {}
    for component in sorted(components_for(period.use, terms.components), key=lambda each: each.mode is None):
        done = next((each for each in left if _counts_as(component, each.course, each.mode)), None)
        if done:
            left.remove(done)
            found[component] = done
    return found


def _counts_as(component: Component, course: str, mode: Mode | None) -> bool:
    """Whether a course taken this way is a component. External training is, whatever the mode asked for."""
    return component.course == course and (mode is None or component.mode in (None, mode))


@dataclass(frozen=True, slots=True)
class Option:
    """A component of the open period: what was done for it, or whether it can be done now, and else why not, in a sentence."""

    component: Component
    done: Done | None
    why_not: str | None = None

    @property
    def open(self) -> bool:
        """Whether it can be done now."""
        return self.done is None and self.why_not is None


def options(
    subscription: Subscription, courses: Mapping[str, Course], today: date, own: bool = True
) -> tuple[Option, ...]:
    """The components that count for the open period, in the order of the certification; none if no period is open. `own`: told to
    the learner, not to others of them.
    """
    period, terms = subscription.open_period, subscription.terms
    if period is None or terms is None:
        return ()
    have = fulfilled(period, terms)
    return tuple(
        Option(each, have.get(each), None if each in have else _why_not(each, subscription, courses, today, own))
        for each in components_for(period.use, terms.components)
    )


def _why_not(
    component: Component, subscription: Subscription, courses: Mapping[str, Course], today: date, own: bool
) -> str | None:
    """Why a component cannot be done now, if it cannot: its course is not offered, or e-learning is used up (domain.md §6)."""
    course = courses.get(component.course)
    if course is None or not live_on(course, today):
        return "This course is not offered now."
    modes = {component.mode} if component.mode else {each.mode for each in course.offerings}
    if not modes or any(map(subscription.takes, modes)):
        return None
    period = subscription.open_period
    times = _times(period.elearning if period else 0)
    done, wanted = ("You have done this", "go to") if own else ("This has been done", "it takes")
    return f"{done} {times} by e-learning alone, which is as often as is allowed. This time, {wanted} a class."


def _times(number: int) -> str:
    return "once" if number == 1 else "twice" if number == 2 else f"{number} times"


def left(subscription: Subscription) -> int:
    """How many components the open period still needs."""
    period, terms = subscription.open_period, subscription.terms
    return needed(terms, period.use) - len(fulfilled(period, terms)) if period and terms else 0


# --- beginning, deciding, ending -----------------------------------------------------------------------------------


def requested(
    before: Subscription | None, certification: str, person: str, employer: str, approver: str | None, at: datetime
) -> Subscription:
    """Its learner asks for it: it waits for `approver`, or (None) for the learning administrators."""
    asked = replace(_or_new(before, certification, person, employer), approver=approver, mandatory=False)
    return asked.moved_to(Status.AWAITING_APPROVAL, at, person)


def begun(
    before: Subscription | None,
    certification: Certification,
    person: str,
    employer: str,
    today: date,
    by: str,
    at: datetime,
    reason: str | None = None,
    mandatory: bool = False,
) -> Subscription:
    """The first period begins, due in the initial days of the certification. Only what is completed from today on counts."""
    due_on = today + timedelta(days=certification.initial_days)
    after = _or_new(before, certification.id, person, employer)
    after = _with_period(after, Terms.of(certification), Use.INITIAL, today, due_on)
    return replace(after.moved_to(Status.SUBSCRIBED, at, by, reason), told_on=today, mandatory=mandatory)


def _or_new(before: Subscription | None, certification: str, person: str, employer: str) -> Subscription:
    return before or Subscription(person, employer, certification, Status.CANCELLED, (), revision=0)


def _with_period(subscription: Subscription, terms: Terms, use: Use, starts_on: date, due_on: date) -> Subscription:
    """The subscription with one more period. One that was cancelled before anything was done is kept no longer, but its number is
    never given again.
    """
    last = subscription.periods[-1] if subscription.periods else None
    elearning = 0 if last is None else last.elearning_after if last.completed_on else last.elearning
    period = Period(last.number + 1 if last else 1, use, starts_on, due_on, elearning=elearning)
    kept = (each for each in subscription.periods if each.done or each.status is not PeriodStatus.CANCELLED)
    return replace(subscription, terms=terms, periods=(*kept, period))


def cancelled(
    subscription: Subscription, party: Party, by: str, at: datetime, reason: str | None = None
) -> Subscription:
    """Nothing more is asked of the learner. What was awarded stays. Raises MandatorySubscription for its learner."""
    move(subscription.status, Step.CANCEL, party)
    if party is Party.LEARNER and subscription.mandatory:
        raise errors.MandatorySubscription("You were subscribed because you need this certification.")
    after = _with_last(subscription, PeriodStatus.CANCELLED) if subscription.open_period else subscription
    return after.moved_to(Status.CANCELLED, at, by, reason)


def reinstated(subscription: Subscription, by: str, at: datetime, reason: str) -> Subscription:
    """As it was before it was cancelled, with the old dates (domain.md §2), but for what was taken back meanwhile. What time did
    since, `as_of` adds.
    """
    move(subscription.status, Step.REINSTATE, Party.ADMINISTRATOR)
    before = subscription.history[-2].status
    last = subscription.periods[-1] if subscription.periods else None
    if last and before in _BEGUN:
        late = before is Status.EXPIRED and last.use is Use.RENEWAL
        if last.status is PeriodStatus.CANCELLED:
            last = replace(last, status=PeriodStatus.EXPIRED if late else _progress(last.done))
        subscription = replace(subscription, periods=(*subscription.periods[:-1], last))
        before = _standing_in(last)
    return subscription.moved_to(before, at, by, reason)


def _standing_in(period: Period) -> Status:
    """The state of a subscription whose latest period this is, once it is under way or completed."""
    if period.status is PeriodStatus.COMPLETED:
        return Status.CERTIFIED
    if period.use is Use.INITIAL:
        return Status.SUBSCRIBED
    return Status.EXPIRED if period.status is PeriodStatus.EXPIRED else Status.RENEWING


def _with_last(subscription: Subscription, status: PeriodStatus) -> Subscription:
    *earlier, last = subscription.periods
    return replace(subscription, periods=(*earlier, replace(last, status=status)))


def _progress(done: Sequence[Done]) -> PeriodStatus:
    return PeriodStatus.ACTIVE if done else PeriodStatus.ENROLLED


# --- time -----------------------------------------------------------------------------------------------------------

TIME = "system:certifications"
"""Who opens windows and lets certifications expire, in history and audit."""


def as_of(subscription: Subscription, day: date, certification: Certification | None) -> Subscription:
    """How things stand on a day; the very same one if time has changed nothing.

    From the window on a period renews it, on the terms of the certification as it is then; the old terms go on where it is in no
    catalogue any more (None) or was made to be done once, with nothing that renews it. After its last day it has expired, and can
    still be renewed.
    """
    opens, held = subscription.window_opens_on, subscription.held
    if opens is not None and opens <= day and held and held.expires_on and subscription.terms:
        terms = Terms.of(certification) if certification else subscription.terms
        terms = terms if terms.renewable else subscription.terms
        after = _with_period(subscription, terms, Use.RENEWAL, opens, held.expires_on)
        subscription = _by_time(after, Status.RENEWING, opens)
    period = subscription.open_period
    if subscription.status is Status.RENEWING and period and period.due_on < day:
        after = _with_last(subscription, PeriodStatus.EXPIRED)
        subscription = _by_time(after, Status.EXPIRED, period.due_on + timedelta(days=1))
    return subscription


def _by_time(subscription: Subscription, status: Status, day: date) -> Subscription:
    """Moved by time on a day: from its first minute on, or from when it was moved last (reinstated, with old dates)."""
    return subscription.moved_to(status, max(london_time(day, 0), subscription.history[-1].at), TIME)


class News(StrEnum):
    """What the learner is told (domain.md §9, N15): of time, but for the first two."""

    SUBSCRIBED = "subscribed"
    OPEN_AGAIN = "open again"
    DUE = "due"
    OVERDUE = "overdue"
    EXPIRED = "expired"


def news_on(subscription: Subscription, day: date) -> News | None:
    """What is to be told on a day, once: the latest of what has come since the learner was last told, if anything has."""
    since = [(at, news) for at, news in _marks(subscription) if at <= day and (_told(subscription) < at)]
    return max(since)[1] if since else None


def _told(subscription: Subscription) -> date:
    return subscription.told_on or date.min


def _marks(subscription: Subscription) -> list[tuple[date, News]]:
    """The days on which the learner is told something of the open period."""
    period, terms = subscription.open_period, subscription.terms
    if period is None or terms is None:
        return []
    leads = (period.due_on - timedelta(days=each) for each in terms.reminder_days)
    late = News.OVERDUE if period.use is Use.INITIAL else News.EXPIRED
    return [
        *((each, News.DUE) for each in leads if period.starts_on <= each),
        (period.due_on + timedelta(days=1), late),
    ]


def next_on(subscription: Subscription, today: date) -> date | None:
    """The next day, after today, on which time alone changes something or somebody is told; None: never."""
    days = [each for each, _ in _marks(subscription)]
    if opens := subscription.window_opens_on:
        days.append(opens)
    return min((each for each in days if today < each), default=None)


def ahead(subscription: Subscription, today: date) -> list[tuple[date, str]]:
    """What comes, in words, by day: reminders, the last day of the open period, or the window and the end of what is held."""
    period, held = subscription.open_period, subscription.held
    coming = [(at, "reminder") for at, news in _marks(subscription) if news is News.DUE and _told(subscription) < at]
    if period:
        coming.append((period.due_on, "due" if period.use is Use.INITIAL else "expires"))
    elif subscription.window_opens_on and held and held.expires_on:
        coming += [(subscription.window_opens_on, "renewal opens"), (held.expires_on, "expires")]
    return sorted(each for each in coming if today <= each[0])


# --- completing and taking back -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Completion:
    """Something completed on a London day: a course, taken this way; or external training, by what was awarded for it.

    `source` is the id of the enrolment or the external training.
    """

    source: str
    on: date
    course: str | None = None
    mode: Mode | None = None
    awards: tuple[Grants, ...] = ()

    def stands_for(self, component: Component, courses: Mapping[str, Course]) -> bool:
        """Whether it is a component: its course in its mode, or training that awarded all that its course does."""
        if self.course is not None:
            return _counts_as(component, self.course, self.mode)
        course = courses.get(component.course)
        wanted = course.grants if course else ()
        return bool(wanted) and all(any(_meets(each, one) for each in self.awards) for one in wanted)


def _meets(given: Grants, wanted: Grants) -> bool:
    return given.competency == wanted.competency and given.level >= wanted.level


def counts(subscription: Subscription, completion: Completion, courses: Mapping[str, Course]) -> bool:
    """Whether something completed counts for the open period of a subscription."""
    return bool(_new(subscription, completion, courses))


def _new(subscription: Subscription, completion: Completion, courses: Mapping[str, Course]) -> tuple[Done, ...]:
    period, terms = subscription.open_period, subscription.terms
    if period is None or terms is None or completion.on < period.starts_on or not subscription.takes(completion.mode):
        return ()
    if completion.source in {each.source for each in period.done}:
        return ()
    have = fulfilled(period, terms)
    fits = [
        each
        for each in components_for(period.use, terms.components)
        if each not in have and completion.stands_for(each, courses)
    ]
    chosen = fits if completion.course is None else fits[:1]
    return tuple(Done(each.course, completion.mode, completion.on, completion.source) for each in chosen)


def progressed(
    subscription: Subscription, completion: Completion, courses: Mapping[str, Course], by: str, at: datetime
) -> Subscription:
    """With one more thing completed; the very same one if it counts for nothing here.

    It counts for the open period, if it was done since that began: earlier completion does not renew (domain.md §6). Enough of it
    certifies: from the day of the last, for the months that the period's terms say.
    """
    period = subscription.open_period
    new = _new(subscription, completion, courses)
    if period is None or not new:
        return subscription
    status = period.status if period.status is PeriodStatus.EXPIRED else PeriodStatus.ACTIVE
    period = replace(period, done=(*period.done, *new), status=status)
    after = replace(subscription, periods=(*subscription.periods[:-1], period))
    certified = _certified(after, by, at)
    return replace(after, revision=after.revision + 1) if certified is after else certified


def _certified(subscription: Subscription, by: str, at: datetime) -> Subscription:
    """Certified, if enough is done for the open period; the very same one if not."""
    period, terms = subscription.open_period, subscription.terms
    if period is None or terms is None or len(fulfilled(period, terms)) < needed(terms, period.use):
        return subscription
    day = max(each.on for each in period.done)
    until = add_months(day, terms.validity_months) if terms.validity_months is not None else None
    period = replace(period, status=PeriodStatus.COMPLETED, completed_on=day, expires_on=until)
    return replace(subscription, periods=(*subscription.periods[:-1], period)).moved_to(Status.CERTIFIED, at, by)


def taken_back(
    subscription: Subscription, counted: Callable[[Period, Done], bool], by: str, at: datetime, reason: str
) -> Subscription:
    """Without what turned out not to be completed (of a period, what `counted` says); the very same one if nothing here came of it,
    or not any more.

    A period that was complete by it is open again with its old dates; one that was to renew it is gone, and what was done for that
    counts for the one open again. Somebody who has cancelled or subscribed again since stays as they are, but not certified by it.
    Where a later period has been completed since, nothing changes: the certification is held by that.
    """
    place = next((at for at, each in enumerate(subscription.periods) if _without(each, counted) != each.done), None)
    if place is None:
        return subscription
    earlier, period, later = (
        subscription.periods[:place],
        subscription.periods[place],
        subscription.periods[place + 1 :],
    )
    if any(each.status is PeriodStatus.COMPLETED for each in later):
        return subscription
    done = _without(period, counted)
    if period.status is not PeriodStatus.COMPLETED:
        status = _progress(done) if period.status is PeriodStatus.ACTIVE else period.status
        periods = (*earlier, replace(period, done=done, status=status), *later)
        return replace(subscription, periods=periods, revision=subscription.revision + 1)
    period = replace(period, done=done, status=PeriodStatus.CANCELLED, completed_on=None, expires_on=None)
    if any(each.use is Use.INITIAL for each in later):
        return replace(subscription, periods=(*earlier, period, *later), revision=subscription.revision + 1)
    done = (*done, *(one for each in later for one in each.done))
    if subscription.status not in _BEGUN:
        after = replace(subscription, periods=(*earlier, replace(period, done=done)))
        return replace(after, revision=after.revision + 1)
    period = replace(period, done=done, status=_progress(done))
    after = replace(subscription, periods=(*earlier, period)).moved_to(_standing_in(period), at, by, reason)
    return _certified(after, by, at)


def _without(period: Period, counted: Callable[[Period, Done], bool]) -> tuple[Done, ...]:
    return tuple(each for each in period.done if not counted(period, each))


def awarded_by(subscription: Subscription, period: Period) -> str:
    """The record from which the awards of a completed period come, as the beginning of their source."""
    return f"{subscription.certification}~{period.number}"
