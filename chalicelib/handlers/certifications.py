"""Certifications: kept by administrators, subscribed to, and seen as a timeline (domain.md §2 and §6, decision 0034)."""

from datetime import date, datetime
from typing import Annotated, Any

import msgspec
from chalice import Blueprint
from msgspec import UNSET, UnsetType

from chalicelib.domain import catalogue_editing as editing
from chalicelib.domain import certifications as rules_of
from chalicelib.domain import errors
from chalicelib.domain.catalogue import Catalogue, Certification, CourseStatus, Entry, Mode, Use
from chalicelib.domain.certifications import HistoryRow, Option, Period, PeriodStatus, Status
from chalicelib.domain.permissions import Capability
from chalicelib.handlers.catalogue_editing import CHANGING, Name, Revision, add, change, fields, remove
from chalicelib.handlers.catalogue_items import (
    Awards,
    AwardView,
    FirstDay,
    KeptQuery,
    LastDay,
    NewItemId,
    OtherWords,
    StatusText,
    SubjectId,
    Text,
    listed,
)
from chalicelib.handlers.fields import SaidWhy
from chalicelib.handlers.http import Request, Routes
from chalicelib.handlers.paging import Cursor, Limit, NextCursor
from chalicelib.services import catalogue_items, certifications
from chalicelib.services.catalogue_items import Page
from chalicelib.services.certifications import Shown, Subscriber, SubscriberPage
from chalicelib.storage import cursor

blueprint = Blueprint(__name__)
routes = Routes(blueprint, "Certifications")

# --- keeping them -----------------------------------------------------------------------------------------------


class ComponentBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A course that counts towards a certification."""

    course_id: Annotated[str, msgspec.Meta(pattern=r"^[\w.~|-]{1,80}$(?!\n)")]
    mode: Annotated[Mode, msgspec.Meta(description="null: however it is taken.")] | None = None
    use: Annotated[Use, msgspec.Meta(description="initial, renewal or both.")] = Use.BOTH


Components = Annotated[list[ComponentBody], msgspec.Meta(max_length=editing.MOST_COMPONENTS)]
HowMany = Annotated[
    int,
    msgspec.Meta(ge=1, le=editing.MOST_COMPONENTS, description="How many are needed; 1: any; null: all that count."),
]
Days = Annotated[int, msgspec.Meta(ge=1, le=editing.MOST_DAYS)]
Months = Annotated[
    int, msgspec.Meta(ge=1, le=editing.MOST_MONTHS, description="How long it is valid; null: for good, once.")
]
ReminderDays = Annotated[
    list[Annotated[int, msgspec.Meta(ge=0, le=editing.MOST_DAYS)]],
    msgspec.Meta(
        max_length=editing.MOST_REMINDERS, description="Days before it is due on which learners are reminded."
    ),
]
ElearningLimit = Annotated[
    int,
    msgspec.Meta(
        ge=1,
        le=editing.MOST_PERIODS,
        description="Periods in a row that may be done by e-learning alone; the next takes none. null: no limit.",
    ),
]
AutoEnrol = Annotated[bool, msgspec.Meta(description="Whether the service subscribes whoever is due by itself.")]


class ComponentView(msgspec.Struct, frozen=True):
    """A course that counts towards a certification."""

    course_id: str
    mode: Annotated[str | None, msgspec.Meta(description="null: however it is taken.")]
    use: Annotated[str, msgspec.Meta(description="initial, renewal or both.")]


class KeptCertification(msgspec.Struct, frozen=True, kw_only=True):
    """A certification as those who keep it see it. Its access rules have an address of their own."""

    id: str
    owner: Annotated[str, msgspec.Meta(description="NHS, or the employer's code.")]
    title: str
    subject: str
    description: str
    components: list[ComponentView]
    awards: list[AwardView]
    min_components: Annotated[int | None, msgspec.Meta(description="How many are needed; null: all that count.")]
    initial_days: int
    validity_months: Annotated[int | None, msgspec.Meta(description="null: for good, once.")]
    window_days: int
    reminder_days: list[int]
    max_consecutive_elearning: int | None
    auto_enrol: bool
    status: Annotated[str, msgspec.Meta(description="draft, live or withdrawn.")]
    also_called: list[str]
    starts_on: date | None
    ends_on: date | None
    access_rules: Annotated[int, msgspec.Meta(description="How many there are; none: every learner, with approval.")]
    revision: int

    @classmethod
    def of(cls, certification: Certification) -> "KeptCertification":
        """Present a certification."""
        return cls(
            id=certification.id,
            owner=certification.owner,
            title=certification.title,
            subject=certification.subject,
            description=certification.description,
            components=[
                ComponentView(each.course, each.mode.value if each.mode else None, each.use.value)
                for each in certification.components
            ],
            awards=[AwardView(each.competency, each.level) for each in certification.grants],
            min_components=certification.min_components,
            initial_days=certification.initial_days,
            validity_months=certification.validity_months,
            window_days=certification.window_days,
            reminder_days=list(certification.reminder_days),
            max_consecutive_elearning=certification.max_consecutive_elearning,
            auto_enrol=certification.auto_enrol,
            status=certification.status.value,
            also_called=list(certification.also_called),
            starts_on=certification.starts_on,
            ends_on=certification.ends_on,
            access_rules=len(certification.access_rules),
            revision=certification.revision,
        )


class KeptCertificationPage(msgspec.Struct, frozen=True):
    """A page of certifications, by title."""

    certifications: list[KeptCertification]
    total: int
    next_cursor: NextCursor

    @classmethod
    def of(cls, page: Page) -> "KeptCertificationPage":
        """Present a page."""
        shown = [KeptCertification.of(each) for each in page.entries]
        return cls(shown, page.total, cursor.seal("kept certifications", page.after))


@routes.route(
    "GET",
    "/v1/catalogue/certifications",
    capability=Capability.EDIT_CATALOGUE,
    summary="Certifications as they are kept, drafts included",
    query=KeptQuery,
    answer=KeptCertificationPage,
)
def kept_certifications(request: Request) -> Page:
    """The nation's certifications and the employer's own by title, like courses."""
    return listed(request, Certification, "kept certifications")


@routes.route(
    "GET",
    "/v1/catalogue/certifications/{certification_id}",
    capability=Capability.EDIT_CATALOGUE,
    summary="A certification as it is kept",
    answer=KeptCertification,
    refusals=(errors.NotFound,),
)
def kept_certification(request: Request) -> Entry:
    """Everything of a certification that PATCH /v1/certifications/{certification_id} changes, and the revision to send with it."""
    entry: Entry = catalogue_items.one(request.actor, Certification, request.path["certification_id"])
    return entry


class NewCertification(msgspec.Struct, frozen=True, kw_only=True):
    """A certification to add. It begins without access rules: every learner finds it once it is live, and needs approval."""

    id: NewItemId
    title: Name
    subject: SubjectId
    description: Text = ""
    components: Components
    awards: Awards = []
    min_components: HowMany | None = None
    initial_days: Days = 30
    validity_months: Months | None = None
    window_days: Days = 90
    reminder_days: ReminderDays = msgspec.field(default_factory=lambda: [90, 60, 30, 7, 0])
    max_consecutive_elearning: ElearningLimit | None = None
    auto_enrol: AutoEnrol = False
    status: StatusText = CourseStatus.DRAFT
    also_called: OtherWords = []
    starts_on: FirstDay | None = None
    ends_on: LastDay | None = None


@routes.route(
    "POST",
    "/v1/certifications",
    capability=Capability.EDIT_CATALOGUE,
    summary="Add a certification",
    body=NewCertification,
    answer=KeptCertification,
    status=201,
    refusals=(errors.Conflict,),
)
def add_certification(request: Request) -> Entry:
    """Add a certification of the employer's own, a draft unless told otherwise. Settings by which nobody could be certified are
    refused: no component, more needed than count, an e-learning limit that leaves nothing else, courses that ask for what only
    this certification awards. It awards ten competencies at most.
    """
    employer, body = request.actor.employer, request.body
    return add(request, Certification(f"{employer}-{body.id}", **fields(body)))


class ChangedCertification(msgspec.Struct, frozen=True, kw_only=True):
    """What to change of a certification; what is left out stays. Lists are put whole."""

    revision: Revision
    title: Name | UnsetType = UNSET
    subject: SubjectId | UnsetType = UNSET
    description: Text | UnsetType = UNSET
    components: Components | UnsetType = UNSET
    awards: Awards | UnsetType = UNSET
    min_components: HowMany | UnsetType | None = UNSET
    initial_days: Days | UnsetType = UNSET
    validity_months: Months | UnsetType | None = UNSET
    window_days: Days | UnsetType = UNSET
    reminder_days: ReminderDays | UnsetType = UNSET
    max_consecutive_elearning: ElearningLimit | UnsetType | None = UNSET
    auto_enrol: AutoEnrol | UnsetType = UNSET
    status: StatusText | UnsetType = UNSET
    also_called: OtherWords | UnsetType = UNSET
    starts_on: FirstDay | UnsetType | None = UNSET
    ends_on: LastDay | UnsetType | None = UNSET


@routes.route(
    "PATCH",
    "/v1/certifications/{certification_id}",
    capability=Capability.EDIT_CATALOGUE,
    summary="Change a certification, bring it out or withdraw it",
    body=ChangedCertification,
    answer=KeptCertification,
    refusals=CHANGING,
)
def change_certification(request: Request) -> Any:
    """Change what is sent. It is for periods that begin later: whoever subscribes goes on under the terms of their period."""
    return change(request, Certification, request.path["certification_id"], KeptCertification).entry


@routes.route(
    "DELETE",
    "/v1/certifications/{certification_id}",
    capability=Capability.EDIT_CATALOGUE,
    summary="Delete a draft of a certification",
    status=204,
    refusals=(errors.NotFound, errors.NotYourItem, errors.NotADraft, errors.Conflict),
)
def delete_certification(request: Request) -> None:
    """Delete a draft. A certification that has been live is withdrawn instead."""
    remove(request, Certification, request.path["certification_id"])


# --- how somebody stands to them ------------------------------------------------------------------------------------------


class OptionView(msgspec.Struct, frozen=True):
    """A course that counts for the period under way."""

    course_id: str
    title: str
    mode: Annotated[str | None, msgspec.Meta(description="null: however it is taken.")]
    done_on: Annotated[date | None, msgspec.Meta(description="When it was done for this period.")]
    available: Annotated[bool, msgspec.Meta(description="Whether it can be done now for this period.")]
    why_not: Annotated[str | None, msgspec.Meta(description="Why it cannot, in a sentence.")]

    @classmethod
    def of(cls, option: Option, known: Catalogue) -> "OptionView":
        """Present a component."""
        component, course = option.component, known.courses.get(option.component.course)
        return cls(
            component.course,
            course.title if course else component.course,
            component.mode.value if component.mode else None,
            option.done.on if option.done else None,
            option.open,
            option.why_not,
        )


class DoneView(msgspec.Struct, frozen=True):
    """What counted towards a period."""

    course_id: str
    mode: Annotated[str | None, msgspec.Meta(description="null: external training.")]
    on: date
    source: Annotated[str, msgspec.Meta(description="The id of the enrolment or the external training.")]


class PeriodView(msgspec.Struct, frozen=True):
    """One cycle: the first, or one that renews the certification."""

    number: int
    use: Annotated[str, msgspec.Meta(description="initial or renewal.")]
    status: Annotated[str, msgspec.Meta(description=f"{', '.join(PeriodStatus)}.")]
    starts_on: date
    due_on: Annotated[date, msgspec.Meta(description="Its last day.")]
    completed_on: date | None
    expires_on: Annotated[date | None, msgspec.Meta(description="Last valid day; null: not completed, or for good.")]
    done: list[DoneView]

    @classmethod
    def of(cls, period: Period) -> "PeriodView":
        """Present a period."""
        done = [
            DoneView(each.course, each.mode.value if each.mode else None, each.on, each.source) for each in period.done
        ]
        return cls(
            period.number,
            period.use.value,
            period.status.value,
            period.starts_on,
            period.due_on,
            period.completed_on,
            period.expires_on,
            done,
        )


class ChangeView(msgspec.Struct, frozen=True):
    """One change of a subscription."""

    status: str
    at: datetime
    by: Annotated[str, msgspec.Meta(description="A person id, or system:… where time did it.")]
    reason: str | None

    @classmethod
    def of(cls, row: HistoryRow) -> "ChangeView":
        """Present a change."""
        return cls(row.status.value, row.at, row.by, row.reason)


class ComingView(msgspec.Struct, frozen=True):
    """What comes."""

    on: date
    what: Annotated[str, msgspec.Meta(description="reminder, due, renewal opens, or expires.")]


class CurrentView(msgspec.Struct, frozen=True):
    """The period under way, and what completes it."""

    period: PeriodView
    overdue: bool
    left: Annotated[int, msgspec.Meta(description="How many components are still needed.")]
    options: list[OptionView]
    elearning_in_a_row: Annotated[int, msgspec.Meta(description="Periods before this done by e-learning alone.")]
    max_consecutive_elearning: Annotated[int | None, msgspec.Meta(description="null: no limit.")]


class SubscriptionView(msgspec.Struct, frozen=True):
    """How somebody stands to a certification, as a timeline: what was, what is, and what comes."""

    certification_id: str
    title: str
    status: Annotated[str, msgspec.Meta(description=f"{', '.join(Status)}.")]
    mandatory: Annotated[bool, msgspec.Meta(description="Whether it is the learning team's alone to cancel.")]
    valid_until: Annotated[date | None, msgspec.Meta(description="Last valid day of what is, or was last, held.")]
    current: Annotated[CurrentView | None, msgspec.Meta(description="null while nothing is to be done.")]
    past: Annotated[list[PeriodView], msgspec.Meta(description="Earlier periods, first first.")]
    coming: list[ComingView]
    history: list[ChangeView]

    @classmethod
    def of(cls, shown: Shown) -> "SubscriptionView":
        """Present a subscription."""
        subscription = shown.subscription
        period, held = subscription.open_period, subscription.held
        return cls(
            subscription.certification,
            shown.title,
            subscription.status.value,
            subscription.mandatory,
            held.expires_on if held else None,
            _current(shown, period) if period else None,
            [PeriodView.of(each) for each in subscription.periods if each is not period],
            [ComingView(on, what) for on, what in rules_of.ahead(subscription, shown.day)],
            [ChangeView.of(each) for each in subscription.history],
        )


def _current(shown: Shown, period: Period) -> CurrentView:
    subscription, terms = shown.subscription, shown.subscription.terms
    return CurrentView(
        PeriodView.of(period),
        subscription.overdue_on(shown.day),
        rules_of.left(subscription),
        [
            OptionView.of(each, shown.catalogue)
            for each in rules_of.options(subscription, shown.catalogue.courses, shown.day, shown.own)
        ],
        period.elearning,
        terms.max_consecutive_elearning if terms else None,
    )


class SubscriptionsView(msgspec.Struct, frozen=True):
    """Everything somebody subscribes to, or did: what goes on first, then by title."""

    subscriptions: list[SubscriptionView]

    @classmethod
    def of(cls, shown: list[Shown]) -> "SubscriptionsView":
        """Present subscriptions."""
        return cls([SubscriptionView.of(each) for each in shown])


@routes.route(
    "GET",
    "/v1/me/certifications",
    capability=Capability.VIEW_HISTORY,
    summary="My certifications",
    answer=SubscriptionsView,
)
def my_certifications(request: Request) -> list[Shown]:
    """What the caller subscribes to, each as a timeline: past periods, the one under way with what completes it, and what comes.
    Where e-learning is used up, the options say so.
    """
    return certifications.mine(request.actor, request.now)


@routes.route(
    "GET",
    "/v1/people/{person_id}/certifications",
    capability=Capability.VIEW_HISTORY,
    summary="Somebody's certifications",
    answer=SubscriptionsView,
    refusals=(errors.NotFound,),
)
def person_certifications(request: Request) -> list[Shown]:
    """The same of oneself, of somebody one supervises, or (administrators) of anybody at the employer."""
    return certifications.of_person(request.actor, request.path["person_id"], request.now)


# --- subscribing, cancelling, reinstating ---------------------------------------------------------------------------------


class SubscribeBody(msgspec.Struct, frozen=True):
    """Which certification."""

    certification_id: Annotated[str, msgspec.Meta(pattern=r"^[\w.~|-]{1,80}$(?!\n)")]


@routes.route(
    "POST",
    "/v1/me/certifications",
    capability=Capability.SELF_ENROL,
    summary="Subscribe to a certification",
    body=SubscribeBody,
    answer=SubscriptionView,
    status=201,
    refusals=(
        errors.NotFound,
        errors.AdministratorOnly,
        errors.CertificationNotOffered,
        errors.SubscriptionNotThere,
        errors.Conflict,
    ),
)
def subscribe(request: Request) -> Shown:
    """Subscribe, or ask one's manager where the certification needs approval. It gives no seat: its courses are enrolled on as any
    others. Whoever subscribes already gets that subscription.
    """
    return certifications.subscribe_myself(request.actor, request.body.certification_id, request.now, request.once)


class SubscribeOtherBody(msgspec.Struct, frozen=True):
    """Which certification, and whether the learner may cancel it."""

    certification_id: Annotated[str, msgspec.Meta(pattern=r"^[\w.~|-]{1,80}$(?!\n)")]
    mandatory: Annotated[bool, msgspec.Meta(description="Whether only the learning team cancels it.")] = True
    reason: Annotated[SaidWhy, msgspec.Meta(description="Kept in its history, which the learner reads.")] | None = None


@routes.route(
    "POST",
    "/v1/people/{person_id}/certifications",
    capability=Capability.EDIT_LEARNING_RULES,
    summary="Subscribe somebody to a certification",
    body=SubscribeOtherBody,
    answer=SubscriptionView,
    status=201,
    refusals=(errors.NotFound, errors.CertificationNotOffered, errors.Conflict),
)
def subscribe_other(request: Request) -> Shown:
    """Subscribe somebody else, whatever learner access says; they are told. For whoever subscribes already it only becomes
    mandatory or not, which their history keeps with the reason.
    """
    body, person = request.body, request.path["person_id"]
    return certifications.subscribe_other(
        request.actor, person, body.certification_id, body.mandatory, body.reason, request.now, request.once
    )


@routes.route(
    "POST",
    "/v1/me/certifications/{certification_id}/cancellation",
    capability=Capability.SELF_ENROL,
    summary="Cancel a subscription of mine",
    answer=SubscriptionView,
    refusals=(errors.NotFound, errors.MandatorySubscription, errors.SubscriptionNotThere, errors.Conflict),
)
def cancel_subscription(request: Request) -> Shown:
    """Cancel what one subscribed to oneself. What was awarded stays held."""
    return certifications.cancel_mine(request.actor, request.path["certification_id"], request.now)


class WhyBody(msgspec.Struct, frozen=True):
    """Why."""

    reason: Annotated[SaidWhy, msgspec.Meta(description="Kept in its history, which the learner reads.")]


@routes.route(
    "POST",
    "/v1/people/{person_id}/certifications/{certification_id}/cancellation",
    capability=Capability.EDIT_LEARNING_RULES,
    summary="Cancel somebody's subscription",
    body=WhyBody,
    answer=SubscriptionView,
    refusals=(errors.NotFound, errors.SubscriptionNotThere, errors.Conflict),
)
def cancel_subscription_of(request: Request) -> Shown:
    """Cancel somebody else's subscription in any state, for a reason. What was awarded stays held."""
    person, certification = request.path["person_id"], request.path["certification_id"]
    return certifications.cancel_other(request.actor, person, certification, request.body.reason, request.now)


@routes.route(
    "POST",
    "/v1/people/{person_id}/certifications/{certification_id}/reinstatement",
    capability=Capability.EDIT_LEARNING_RULES,
    summary="Reinstate somebody's subscription",
    body=WhyBody,
    answer=SubscriptionView,
    refusals=(errors.NotFound, errors.SubscriptionNotThere, errors.Conflict),
)
def reinstate_subscription(request: Request) -> Shown:
    """Bring somebody else's cancelled subscription back as it was, with its old dates, and with what time has done since: of what
    is overdue or has expired they are told.
    """
    person, certification = request.path["person_id"], request.path["certification_id"]
    return certifications.reinstate(request.actor, person, certification, request.body.reason, request.now)


@routes.route(
    "POST",
    "/v1/people/{person_id}/certifications/{certification_id}/approval",
    capability=Capability.APPROVE_REQUESTS,
    summary="Approve a subscription",
    answer=SubscriptionView,
    refusals=(errors.NotFound, errors.CertificationNotOffered, errors.SubscriptionNotThere, errors.Conflict),
)
def approve_subscription(request: Request) -> Shown:
    """Approve what somebody asked for: as who was asked, as their manager, or as an administrator. The first period begins
    today.
    """
    person, certification = request.path["person_id"], request.path["certification_id"]
    return certifications.approve(request.actor, person, certification, request.now)


@routes.route(
    "POST",
    "/v1/people/{person_id}/certifications/{certification_id}/rejection",
    capability=Capability.APPROVE_REQUESTS,
    summary="Reject a subscription",
    body=WhyBody,
    answer=SubscriptionView,
    refusals=(errors.NotFound, errors.SubscriptionNotThere, errors.Conflict),
)
def reject_subscription(request: Request) -> Shown:
    """Reject what somebody asked for, for a reason."""
    person, certification = request.path["person_id"], request.path["certification_id"]
    return certifications.reject(request.actor, person, certification, request.body.reason, request.now)


# --- who subscribes -------------------------------------------------------------------------------------------------------


class SubscriberView(msgspec.Struct, frozen=True):
    """Somebody who subscribes to a certification."""

    person_id: str
    name: str
    employee_number: str
    status: Annotated[str, msgspec.Meta(description="As it was last kept: time moves it at eight in the morning.")]
    mandatory: bool
    due_on: Annotated[date | None, msgspec.Meta(description="Last day of the period under way.")]
    overdue: bool
    valid_until: date | None

    @classmethod
    def of(cls, subscriber: Subscriber) -> "SubscriberView":
        """Present a subscriber."""
        subscription, who = subscriber.subscription, subscriber.who
        period, held = subscription.open_period, subscription.held
        return cls(
            subscription.person,
            who.name,
            who.number,
            subscription.status.value,
            subscription.mandatory,
            period.due_on if period else None,
            subscription.overdue_on(subscriber.day),
            held.expires_on if held else None,
        )


class SubscribersView(msgspec.Struct, frozen=True):
    """A page of those who subscribe to a certification: by state, and in it by what is due first."""

    subscribers: list[SubscriberView]
    next_cursor: NextCursor

    @classmethod
    def of(cls, page: SubscriberPage) -> "SubscribersView":
        """Present a page."""
        sealed = cursor.seal(_purpose(page.certification), page.after)
        return cls([SubscriberView.of(each) for each in page.subscribers], sealed)


def _purpose(certification: str) -> str:
    return f"subscribers of {certification}"


class SubscribersQuery(msgspec.Struct, frozen=True):
    """Which of them."""

    status: Status | None = None
    limit: Limit = 20
    cursor: Cursor | None = None


@routes.route(
    "GET",
    "/v1/certifications/{certification_id}/subscriptions",
    capability=Capability.EDIT_LEARNING_RULES,
    summary="Who subscribes to a certification",
    query=SubscribersQuery,
    answer=SubscribersView,
    refusals=(errors.NotFound,),
)
def certification_subscribers(request: Request) -> SubscriberPage:
    """The people of the employer who subscribe to a certification, or did: who awaits approval, is overdue, or has expired."""
    query, certification = request.query, request.path["certification_id"]
    after = cursor.unseal(_purpose(certification), query.cursor)
    return certifications.subscribers(request.actor, certification, query.status, query.limit, after, request.now)
