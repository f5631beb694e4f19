"""Training that arranges itself: who is due, what there is to choose from, and what is done (domain.md §4, decision 0035).

The nine rules in their order, as pure decisions that carry their reasons. Rule 1 is `left_out`, 2 is `due_on`, 3 and 9 are
`state_of` and `propose`, 4 to 6 are `propose`; 7 and 8 (approval, notices) are the service's.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from functools import cached_property

from chalicelib.domain import access, certifications, prerequisites
from chalicelib.domain.access import Access, Standpoint
from chalicelib.domain.calendar import london_day
from chalicelib.domain.catalogue import Catalogue, Certification, Course, Mode, live_on
from chalicelib.domain.certifications import Subscription
from chalicelib.domain.classes import Class, ClassStatus, Seats
from chalicelib.domain.compliance import Colour, Standing
from chalicelib.domain.decisions import ARRANGED, Decision, Outcome, is_ending
from chalicelib.domain.enrolment import Enrolment, HistoryRow, Party, Status, completed_courses
from chalicelib.domain.learner import Learner
from chalicelib.domain.people import NATIONAL, EmploymentKind
from chalicelib.domain.placing import Verdict, by_seats, day_that_counts, judge_placing
from chalicelib.domain.prerequisites import Achieved, Checked
from chalicelib.domain.requirements import Required, Rulebook

EARLIEST_DAYS, LATEST_DAYS = 14, 90
"""A class is booked for somebody only if it starts so many days ahead (rule 5): time to plan a rota, and no later than needed."""

RETRY_DAYS = 14
"""After a failure or a withdrawal nothing is tried for this many days (rules 8 and 9)."""

DEEPEST = 5
"""Prerequisites of prerequisites that are followed (rule 6)."""

Offered = tuple[Class, Seats]
Classes = Callable[[Course], Iterable[Offered]]
"""The classes to come of a course as lists show them, by start, e-learning among them; asked for only of courses that are left to
choose from.
"""

AsItStands = Callable[[Offered], Offered]
"""A class of such a list as it is now, with its sessions and enrolment dates; asked for only of a class that may be taken."""


# --- who and when (rules 1 to 3, 9) -------------------------------------------------------------------------------


class LeftOut(StrEnum):
    """Why nothing is arranged for somebody at all (rule 1)."""

    SWITCHED_OFF = "switched off"
    NOT_HERE = "not employed"
    APPLICANT = "applicant"
    NO_ASSIGNMENT = "no assignment"


def left_out(learner: Learner, rulebook: Rulebook, day: date) -> LeftOut | None:
    """Why training is not arranged for somebody on a day; None if it is."""
    employment = learner.employment
    if not rulebook.auto_enrolment:
        return LeftOut.SWITCHED_OFF
    if employment is None or not employment.active_on(day):
        return LeftOut.NOT_HERE
    if employment.kind_on(day) is EmploymentKind.APPLICANT and not rulebook.auto_enrol_applicants:
        return LeftOut.APPLICANT
    return None if learner.assignments_on(day) else LeftOut.NO_ASSIGNMENT


def due_on(standing: Standing, day: date) -> bool:
    """Whether something required is due on a day: red, or its award ends within 90 days. What is not required never is."""
    if standing.required is None:
        return False
    return standing.colour is Colour.RED or is_ending(standing.expires_on, day)


class State(StrEnum):
    """How one requirement stands with arranging (rules 2, 3 and 9)."""

    NOT_DUE = "not due"
    UNDER_WAY = "under way"
    PAUSED = "paused"
    DUE = "due"


def state_of(standing: Standing, learner: Learner, rulebook: Rulebook, day: date) -> State:
    """How one requirement of somebody stands on a day, without a look at the catalogue."""
    required = standing.required
    if required is None or not due_on(standing, day):
        return State.NOT_DUE
    if under_way(learner, required, rulebook):
        return State.UNDER_WAY
    decision = decided(learner, required.competency)
    return State.PAUSED if decision and decision.pauses_on(day) else State.DUE


def under_way(learner: Learner, required: Required, rulebook: Rulebook) -> Enrolment | None:
    """The enrolment that would give what is required, or lead to it: open, or completed and still to be verified (rule 3)."""
    decision = decided(learner, required.competency)
    booked = learner.enrolment(decision.enrolment) if decision else None
    if booked and booked.open:
        return booked
    for each in learner.enrolments:
        to_come = (*(each.grants if each.open else ()), *each.to_verify)
        if rulebook.given_by(required, to_come):
            return each
    return None


def decided(learner: Learner, competency: str) -> Decision | None:
    """What was decided last about a competency."""
    return next((each for each in learner.decisions if each.competency == competency), None)


def to_decide(learner: Learner, rulebook: Rulebook, day: date) -> list[Standing]:
    """What is to be arranged for somebody on a day, the most urgent first. Reads nothing but what is known of them."""
    if left_out(learner, rulebook, day):
        return []
    standings = learner.compliance_on(day, rulebook)
    return [each for each in standings if state_of(each, learner, rulebook, day) is State.DUE]


# --- what there is to choose from (rules 4 to 6) ------------------------------------------------------------------


class Struck(StrEnum):
    """The rule that strikes a course out."""

    LEVEL = "awards a level that is too low"
    NOT_LIVE = "is not offered today"
    NOT_AUTOMATIC = "is not for automatic enrolment"
    ACCESS = "is not open to this learner"
    SUBSCRIBED = "is subscribed to already, and does not lead to this now"
    IN_CERTIFICATION = "is part of a certification, which comes first"
    E_LEARNING = "has been done by e-learning as often as is allowed"
    OWN_FIRST = "is national, and the employer has a course of its own"
    PREREQUISITE = "asks for something else first"
    NO_CLASS = "has no class to come that is open"
    NO_DATE = "has no class in the days in which one is booked"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A course or certification that awards what is due, and the rule that struck it out; None: it is left to choose from."""

    item: Course | Certification
    struck: Struck | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """A class with its seats as they were read, on which the learner may be placed as the verdict says, through an assignment."""

    course: Course
    class_: Class
    seats: Seats
    access: Access
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Proposal:
    """What is to be done about something due: the outcome, every course considered, and the place to take if there is one.

    `options` are the courses to choose from where the choice is left to people. `first_for` is the course for which the one booked
    is the prerequisite. `certification` is the one whose component it is, `subscribes`: to which the learner is subscribed first.
    """

    required: Required
    outcome: Outcome
    candidates: tuple[Candidate, ...] = ()
    place: Place | None = None
    options: tuple[Course | Certification, ...] = ()
    first_for: Course | None = None
    certification: Certification | None = None
    subscribes: bool = False
    until: date | None = None

    @property
    def competency(self) -> str:
        """Its full name."""
        return self.required.competency

    @property
    def course(self) -> Course | None:
        """The course booked, or the only one there is to choose."""
        if self.place:
            return self.place.course
        courses = [each for each in self.options if isinstance(each, Course)]
        return courses[0] if courses and len(self.options) == 1 else None


@dataclass(frozen=True)
class Case:
    """One learner, whose training is arranged: all that the decision rests on."""

    learner: Learner
    rulebook: Rulebook
    catalogue: Catalogue
    classes: Classes
    as_it_stands: AsItStands
    now: datetime

    @cached_property
    def day(self) -> date:
        """Today in London."""
        return london_day(self.now)

    @cached_property
    def standpoints(self) -> tuple[Standpoint, ...]:
        """The ways in which the learner meets access rules."""
        return self.learner.standpoints_on(self.day, self.rulebook)

    def access_to(self, item: Course | Certification, only_units: Iterable[str] = ()) -> Access:
        """The learner's access to a course or certification, or to a class that is narrowed to units."""
        return access.decide(item.access_rules, access.within(self.standpoints, only_units), self.day)

    def finds(self, item: Course | Certification) -> bool:
        """Whether the learner can find a course or certification."""
        return live_on(item, self.day) and self.access_to(item).visible

    def checked(self, course: Course, on: date) -> tuple[Checked, ...]:
        """The prerequisites of a course as the learner meets them on a day."""
        everywhere = (*self.learner.enrolments, *self.learner.elsewhere)
        achieved = Achieved(self.learner.awards, completed_courses(everywhere))
        return prerequisites.check(course, achieved, on, self.rulebook, self.catalogue, self.finds)

    def with_learner(self, learner: Learner) -> "Case":
        """The same case once something was booked for the learner."""
        return replace(self, learner=learner)


def propose(case: Case, required: Required) -> Proposal | None:
    """What is to be done about something due (rules 4 to 6, and the pause of rule 9); None where what leads to it is under way."""
    if until := paused_until(case, required):
        return Proposal(required, Outcome.WITHDRAWN, until=until)
    subscribed = _subscribed(case, required)
    for certification, subscription in subscribed:
        if certification and certification.auto_enrol:
            return _inside(case, required, certification, subscription, ())
    if subscribed:
        return None
    certified = [
        each for each in case.catalogue.certifications.values() if case.rulebook.given_by(required, each.grants)
    ]
    names = case.rulebook.counting_for(required.competency)
    awarding = {course.id: course for name in names for course in case.catalogue.awarding.get(name, ())}
    considered = _considered(case, required, [*certified, *awarding.values()])
    return _choose(case, required, considered, 0)


def paused_until(case: Case, required: Required) -> date | None:
    """Until when nothing is tried because somebody gave back, or lost by somebody's decision, what would have given it (rule 9)."""
    decision = decided(case.learner, required.competency)
    booked = decision.enrolment if decision else None
    ended = (
        each.history[-1]
        for each in _given_back(case)
        if each.id == booked or case.rulebook.given_by(required, each.grants)
    )
    left = (each.history[-1] for each in case.learner.subscriptions if each.ended and _leads(case, each, required))
    return _rests_until((*ended, *left), case.day)


def _given_back_until(case: Case, course: Course) -> date | None:
    """Until when somebody is not placed on a course because they gave it back, or lost it by somebody's decision (rule 9): whatever
    it would have been for now.
    """
    return _rests_until((each.history[-1] for each in _given_back(case) if each.course == course.id), case.day)


def _given_back(case: Case) -> Iterator[Enrolment]:
    """What somebody gave back, or what was taken from them alone: not what ended with its class."""
    by_decision = (Status.WITHDRAWN, Status.REJECTED, Status.CANCELLED)
    ended = (each for each in case.learner.enrolments if each.status in by_decision)
    return (each for each in ended if each.status is not Status.CANCELLED or not _ended_with_class(case, each))


def _ended_with_class(case: Case, enrolment: Enrolment) -> bool:
    """Whether the class of an enrolment, still to come, was cancelled for everybody."""
    course = case.catalogue.courses.get(enrolment.course)
    listed = case.classes(course) if course and enrolment.starts_at and case.now < enrolment.starts_at else ()
    return any(each.id == enrolment.class_id and each.status is ClassStatus.CANCELLED for each, _ in listed)


def _rests_until(ends: Iterable[HistoryRow | certifications.HistoryRow], day: date) -> date | None:
    """Until when what was ended rests, after a day; None if it does not.

    What the service ended itself (a list at the start of its class, a leaver's place) is nobody's decision.
    """
    until = (london_day(each.at) + timedelta(days=RETRY_DAYS) for each in ends if not each.by.startswith("system:"))
    return max((each for each in until if day < each), default=None)


def _leads(case: Case, subscription: Subscription, required: Required) -> bool:
    """Whether a subscription is to something that is required: by its terms, or its certification's before it has any."""
    source = subscription.terms or case.catalogue.certifications.get(subscription.certification)
    return source is not None and case.rulebook.given_by(required, source.grants)


def _subscribed(case: Case, required: Required) -> list[tuple[Certification | None, Subscription]]:
    """The open subscriptions by which somebody comes to what is required (rule 3), as they stand today, with their certifications
    (None: it is in no catalogue any more). One that asks for nothing before its renewal leads to nothing now.
    """
    found = []
    for each in case.learner.subscriptions:
        certification = case.catalogue.certifications.get(each.certification)
        current = certifications.as_of(each, case.day, certification)
        opened = current.open_period or current.status is certifications.Status.AWAITING_APPROVAL
        if opened and _leads(case, current, required):
            found.append((certification, current))
    return found


def _considered(
    case: Case, required: Required | None, items: Sequence[Course | Certification]
) -> tuple[Candidate, ...]:
    """Each course or certification with the rule of step 4 that strikes it out; `required` is None for a prerequisite."""
    found = tuple(Candidate(each, _struck(case, required, each)) for each in items)
    left = [each.item for each in found if each.struck is None]
    own = {each.id for each in left if each.owner != NATIONAL}
    parts = {part.course for each in left if isinstance(each, Certification) for part in each.components}
    found = _striking(found, {each.id for each in left} - own if own else set(), Struck.OWN_FIRST)
    return _striking(found, parts, Struck.IN_CERTIFICATION)


def _striking(considered: Iterable[Candidate], items: set[str], rule: Struck) -> tuple[Candidate, ...]:
    """The same candidates, of which a rule strikes out these, where none before it has."""
    return tuple(
        replace(each, struck=rule) if each.struck is None and each.item.id in items else each for each in considered
    )


def _struck(case: Case, required: Required | None, course: Course | Certification) -> Struck | None:
    if required and not case.rulebook.given_by(required, course.grants):
        return Struck.LEVEL
    if not live_on(course, case.day):
        return Struck.NOT_LIVE
    if not course.auto_enrol:
        return Struck.NOT_AUTOMATIC
    if not case.access_to(course).visible:
        return Struck.ACCESS
    subscription = case.learner.subscription(course.id)
    return Struck.SUBSCRIBED if subscription and not subscription.ended else None


def _choose(case: Case, required: Required, considered: tuple[Candidate, ...], depth: int) -> Proposal | None:
    """Step 5 among what is left: nothing, one, or several, of which people choose."""
    left = [each.item for each in considered if each.struck is None]
    open_to = {each.id: _open_classes(case, each) for each in left if isinstance(each, Course)}
    candidates = _striking(considered, {key for key, found in open_to.items() if not found}, Struck.NO_CLASS)
    options = tuple(each.item for each in candidates if each.struck is None)
    if not options:
        return Proposal(required, Outcome.NO_OPTION, candidates)
    if len(options) > 1:
        return Proposal(required, Outcome.MULTIPLE_OPTIONS, candidates, options=options)
    (only,) = options
    if isinstance(only, Certification):
        return _subscribe(case, required, only, candidates)
    return _take(case, required, only, open_to[only.id], candidates, depth)


def _subscribe(
    case: Case, required: Required, certification: Certification, candidates: tuple[Candidate, ...]
) -> Proposal:
    """One certification: subscribe, then choose inside it. What is under way there already is left to go on. Nobody is subscribed
    while they are left alone.
    """
    inside = _inside(case, required, certification, subscription_to(case, certification), candidates)
    if inside and inside.outcome is Outcome.WITHDRAWN:
        return inside
    found = inside or Proposal(required, Outcome.SUBSCRIBED, candidates, certification=certification)
    return replace(found, subscribes=True)


def subscription_to(case: Case, certification: Certification) -> Subscription:
    """The subscription that is made for somebody."""
    learner, before = case.learner, case.learner.subscription(certification.id)
    return certifications.begun(
        before, certification, learner.person.id, learner.employer, case.day, "", case.now, mandatory=True
    )


def _inside(
    case: Case,
    required: Required,
    certification: Certification,
    subscription: Subscription,
    candidates: tuple[Candidate, ...],
) -> Proposal | None:
    """The choice among the components of the open period, one at a time; None if one is under way, or no period is open.

    Where all are needed the first that can be arranged is; where there is more to choose from than needed, the one that is
    e-learning, and else people choose. E-learning done too often in a row is no way (domain.md §6).
    """
    options = certifications.options(subscription, case.catalogue.courses, case.day)
    courses = {each.component.course for each in options}
    if not options or any(each.open and each.course in courses for each in case.learner.enrolments):
        return None
    components = [each for each in options if each.done is None]
    tried: list[tuple[Course, Proposal | None]] = []
    parts: list[Candidate] = []
    for each in components:
        course = case.catalogue.courses.get(each.component.course)
        if course is None or not case.finds(course):
            continue
        offered = _open_classes(case, course)
        modes = {class_.mode for class_, _ in offered if each.component.mode in (None, class_.mode)}
        taken = {mode for mode in modes if subscription.takes(mode)}
        rule = None if taken else Struck.E_LEARNING if modes else Struck.NO_CLASS
        parts.append(Candidate(course, rule))
        if taken:
            allowed = [one for one in offered if one[0].mode in taken]
            tried.append((course, _take(case, required, course, allowed, (), 0)))
    proposal = _best_inside(required, tried, certifications.left(subscription))
    if proposal is None:
        return None
    return replace(proposal, candidates=(*candidates, *parts), certification=certification)


def _best_inside(required: Required, tried: list[tuple[Course, Proposal | None]], needed: int) -> Proposal | None:
    """Of the components tried, the one to take: None where a prerequisite of one is under way. One given back lately stops all."""
    found = [proposal for _, proposal in tried if proposal]
    if len(found) < len(tried):
        return None
    if not found:
        return Proposal(required, Outcome.NO_OPTION)
    if rests := next((each for each in found if each.outcome is Outcome.WITHDRAWN), None):
        return rests
    if len(found) <= needed:
        return next((each for each in found if each.outcome in ARRANGED), found[0])
    online = [each for each in found if each.place and each.place.class_.mode is Mode.E_LEARNING]
    if len(online) == 1:
        return online[0]
    courses = tuple(dict.fromkeys(course for course, _ in tried))
    return Proposal(required, Outcome.MULTIPLE_OPTIONS, options=courses)


def _open_classes(case: Case, course: Course) -> list[Offered]:
    """Classes to come that the learner can find and that take people."""
    return [
        (class_, seats)
        for class_, seats in case.classes(course)
        if class_.status is ClassStatus.NORMAL and case.access_to(course, class_.only_units).visible
    ]


def _take(
    case: Case,
    required: Required,
    course: Course,
    offered: list[Offered],
    candidates: tuple[Candidate, ...],
    depth: int,
) -> Proposal | None:
    """The one course left: its prerequisite first, its e-learning, a date to choose, or a class that is booked."""
    if until := _given_back_until(case, course):
        return Proposal(required, Outcome.WITHDRAWN, candidates, until=until)
    missing = [each for each in case.checked(course, case.day) if each.missing]
    if missing:
        return _first(case, required, course, missing, candidates, depth)
    online = [each for each in offered if each[0].mode is Mode.E_LEARNING]
    places = list(_places(case, course, online))
    by_offering = {each.class_.offering: each for each in reversed(places)}
    if len(by_offering) > 1:
        return Proposal(required, Outcome.MULTIPLE_OPTIONS, candidates, options=(course,))
    if places:
        return Proposal(required, Outcome.BOOKED, candidates, places[0])
    return _book(case, required, course, [each for each in offered if each[0].mode is not Mode.E_LEARNING], candidates)


def _book(
    case: Case, required: Required, course: Course, dated: list[Offered], candidates: tuple[Candidate, ...]
) -> Proposal:
    """The earliest class with a seat within the days in which one is booked, if one is; all full, the earliest waiting list.

    The earliest of them lies before the award ends, if any does: it ends within the same days. What is full by the list is looked
    at only once nothing else is left.
    """
    if not dated:
        return Proposal(required, Outcome.NO_OPTION, _striking(candidates, {course.id}, Struck.NO_CLASS))
    if not course.auto_book:
        return Proposal(required, Outcome.CHOOSE_DATE, candidates, options=(course,))
    first, last = (case.day + timedelta(days=days) for days in (EARLIEST_DAYS, LATEST_DAYS))
    within = [each for each in dated if each[0].starts_at and first <= london_day(each[0].starts_at) <= last]
    within.sort(key=lambda offered: (offered[0].starts_at, offered[0].id))
    with_seat = (each for each in within if by_seats(*each) is Status.CONFIRMED)
    seated = (place for place in _places(case, course, with_seat) if place.verdict.status is Status.CONFIRMED)
    if place := next(seated, None) or next(_places(case, course, within), None):
        booked = place.verdict.status is Status.CONFIRMED
        return Proposal(required, Outcome.BOOKED if booked else Outcome.WAITLISTED, candidates, place)
    if within and all(seats.free == 0 for _, seats in within):
        return Proposal(required, Outcome.ALL_FULL, candidates, options=(course,))
    return Proposal(
        required, Outcome.CHOOSE_DATE, _striking(candidates, {course.id}, Struck.NO_DATE), options=(course,)
    )


def _places(case: Case, course: Course, offered: Iterable[Offered]) -> Iterator[Place]:
    """The places that can be had on classes, in their order; each class is looked at only when it is asked for."""
    return (place for each in offered if (place := _place(case, course, each)))


def _place(case: Case, course: Course, offered: Offered) -> Place | None:
    """A place on a class by every rule of placing, as the learning team would give it: nobody has to approve (rule 7)."""
    class_, seats = case.as_it_stands(offered)
    if class_.status is not ClassStatus.NORMAL:
        return None
    granted = case.access_to(course, class_.only_units)
    verdict = judge_placing(
        course,
        class_,
        seats,
        granted,
        (*case.learner.enrolments, *case.learner.elsewhere),
        case.learner.employment,
        case.now,
        case.checked(course, day_that_counts(class_, case.now)),
        Party.ADMINISTRATOR,
    )
    return Place(course, class_, seats, granted, verdict) if verdict.refusal is None else None


def _first(
    case: Case,
    required: Required,
    course: Course,
    missing: list[Checked],
    candidates: tuple[Candidate, ...],
    depth: int,
) -> Proposal | None:
    """Step 6: the first prerequisite that is missing is tried; None if it is under way, PREREQUISITE if it cannot be arranged."""
    candidates = _striking(candidates, {course.id}, Struck.PREREQUISITE)
    sources = missing[0].courses
    if any(each.open and each.course in {source.id for source in sources} for each in case.learner.enrolments):
        return None
    if depth < DEEPEST:
        tried = _choose(case, required, _considered(case, None, sources), depth + 1)
        if tried is None:
            return None
        if tried.outcome in ARRANGED or tried.outcome is Outcome.WITHDRAWN:
            return replace(tried, candidates=candidates, first_for=course)
    return Proposal(required, Outcome.PREREQUISITE, candidates, options=tuple(sources))


def decision_of(proposal: Proposal, before: Decision | None, day: date, enrolment: str | None = None) -> Decision:
    """What is kept of a proposal once it is done: the next attempt, and when the one after it may be (rule 9)."""
    again = None if proposal.outcome in ARRANGED else proposal.until or day + timedelta(days=RETRY_DAYS)
    return Decision(
        proposal.competency,
        proposal.outcome,
        before.attempt + 1 if before else 1,
        day,
        again,
        proposal.course.id if proposal.course else None,
        enrolment,
    )
