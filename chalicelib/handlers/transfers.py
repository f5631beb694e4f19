"""Transfers of training between employers: asked for, released, decided; and what an employer has set about them."""

from datetime import date, datetime
from typing import Annotated

import msgspec
from chalice import Blueprint

from chalicelib.domain import errors
from chalicelib.domain.permissions import Capability
from chalicelib.domain.transfers import Item, ItemState, Settings, Status
from chalicelib.handlers.http import Request, Routes
from chalicelib.handlers.paging import NextCursor, Page
from chalicelib.services import transfers as service
from chalicelib.services.transfers import Shown, ShownPage
from chalicelib.storage import cursor
from chalicelib.storage.transfers import Queue

blueprint = Blueprint(__name__)
routes = Routes(blueprint, "Transfers")

EmployerCode = Annotated[
    str, msgspec.Meta(pattern=r"^[A-Z0-9]{2,8}$(?!\n)", description="Of an employer of this service, such as 505.")
]
Reason = Annotated[
    str, msgspec.Meta(min_length=3, max_length=500, pattern=r"\S", description="The learner is told it. Name nobody.")
]


class TransferBody(msgspec.Struct, frozen=True):
    """Which training to ask for."""

    from_employer: EmployerCode
    consented_on: Annotated[
        date, msgspec.Meta(description="The day on which the person agreed to it: today or earlier, Europe/London.")
    ]


class EmployerView(msgspec.Struct, frozen=True):
    """An employer."""

    code: str
    name: str


class ItemView(msgspec.Struct, frozen=True):
    """One award that a transfer carries."""

    number: int
    competency: str
    title: str
    level: int
    awarded_on: date
    expires_on: Annotated[
        date | None, msgspec.Meta(description="As the old employer holds it; null: it never expires.")
    ]
    state: Annotated[
        str | None,
        msgspec.Meta(
            description="waiting (for an administrator), accepted or rejected. null, as what follows, to the old employer."
        ),
    ]
    because: Annotated[str | None, msgspec.Meta(description="The rule that decided, or left it to an administrator.")]
    decided_by: Annotated[str | None, msgspec.Meta(description="Person id of the administrator who did.")]
    reason: str | None

    @classmethod
    def of(cls, item: Item, shown: Shown) -> "ItemView":
        """Present an item."""
        award = item.award
        known = shown.competencies.get(award.competency)
        return cls(
            number=item.number,
            competency=award.competency,
            title=known.title if known else award.competency,
            level=award.level,
            awarded_on=award.awarded_on,
            expires_on=award.expires_on,
            state=None if shown.transfer.status is Status.RELEASED else item.state.value,
            because=item.because.value if item.because else None,
            decided_by=item.by,
            reason=item.reason,
        )


class StepView(msgspec.Struct, frozen=True):
    """One change of a transfer."""

    status: str
    at: datetime
    by: Annotated[str, msgspec.Meta(description="Person id, or `system:transfers`.")]
    reason: str | None


class TransferView(msgspec.Struct, frozen=True):
    """The training of one person on its way from one employer to another."""

    id: str
    person_id: str
    name: Annotated[str | None, msgspec.Meta(description="null until they belong to the employer you look from.")]
    from_employer: EmployerView
    to_employer: EmployerView
    consented_on: date
    status: Annotated[
        str,
        msgspec.Meta(
            description="initiated, matched (waits for the old employer), released, received (items wait for an administrator of "
            "the new employer), applied, partly applied, rejected or failed. To the old employer it ends with released."
        ),
    ]
    reason: Annotated[
        str | None,
        msgspec.Meta(
            description="Why it was refused, in the words of who did. Of one that failed: `not known there`, `left the new "
            "employer`, `nothing to bring`, `withdrawn` by who asked, or `consent taken back`. Of one that is matched: `nobody "
            "there can release it`, if so when it was asked for; else null."
        ),
    ]
    items: list[ItemView]
    history: list[StepView]

    @classmethod
    def of(cls, shown: Shown) -> "TransferView":
        """Present a transfer."""
        transfer = shown.transfer
        return cls(
            id=transfer.id,
            person_id=transfer.person,
            name=shown.names.get(transfer.person),
            from_employer=EmployerView(transfer.origin, shown.employers[transfer.origin]),
            to_employer=EmployerView(transfer.to, shown.employers[transfer.to]),
            consented_on=transfer.consented_on,
            status=transfer.status.value,
            reason=transfer.reason,
            items=[ItemView.of(each, shown) for each in transfer.items],
            history=[StepView(row.status.value, row.at, row.by, row.reason) for row in transfer.history],
        )


class TransferPage(msgspec.Struct, frozen=True):
    """A page of transfers."""

    transfers: list[TransferView]
    next_cursor: NextCursor

    @classmethod
    def of(cls, page: ShownPage) -> "TransferPage":
        """Present a page."""
        return cls([TransferView.of(each) for each in page.transfers], cursor.seal(_purpose(page.of), page.after))


def _purpose(list_: str) -> str:
    return f"transfers {list_}"


# --- asking and looking ---------------------------------------------------------------------------------------


@routes.route(
    "POST",
    "/v1/people/{person_id}/transfers",
    capability=Capability.EDIT_COMPETENCE_RULES,
    summary="Ask for somebody's training",
    body=TransferBody,
    answer=TransferView,
    status=201,
    refusals=(errors.NotFound, errors.OwnTransfer, errors.TransferUnderway, errors.Conflict),
)
def ask_for_transfer(request: Request) -> Shown:
    """Ask an employer where somebody works or worked for their training, once they agreed to it: for applicants and employees.

    Only national competencies in date come, with their day of award. What is better than what is held is awarded at once; the rest
    waits for an administrator. It comes at once where the other employer releases by itself. Both employers' audits keep it.
    """
    body = request.body
    return service.ask(
        request.actor,
        request.path["person_id"],
        body.from_employer,
        body.consented_on,
        request.now,
        request.once,
    )


@routes.route(
    "GET",
    "/v1/people/{person_id}/transfers",
    capability=Capability.EDIT_COMPETENCE_RULES,
    summary="Somebody's transfers",
    answer=TransferPage,
    refusals=(errors.NotFound,),
)
def transfers_of_person(request: Request) -> ShownPage:
    """All transfers of somebody that this employer asked for, or was asked for, newest first."""
    return service.of_person(request.actor, request.path["person_id"])


@routes.route(
    "GET",
    "/v1/me/transfers",
    capability=Capability.VIEW_COMPLIANCE,
    summary="My transfers",
    answer=TransferPage,
)
def my_transfers(request: Request) -> ShownPage:
    """All transfers of the caller's training to or from this employer, newest first."""
    return service.mine(request.actor)


class TransferQuery(Page, frozen=True):
    """Which transfers to list."""

    queue: Annotated[
        Queue,
        msgspec.Meta(
            description="`decision`: items wait for your decision; `release`: another employer asks for what you hold; "
            "`under-way`: you asked, and the other employer has not answered."
        ),
    ] = Queue.DECISION


@routes.route(
    "GET",
    "/v1/transfers",
    capability=Capability.EDIT_COMPETENCE_RULES,
    summary="Transfers to deal with",
    query=TransferQuery,
    answer=TransferPage,
)
def waiting_transfers(request: Request) -> ShownPage:
    """Open transfers of this employer in one of its queues, first asked first."""
    query = request.query
    after = cursor.unseal(_purpose(query.queue.value), query.cursor)
    return service.waiting(request.actor, query.queue, query.limit, after)


@routes.route(
    "GET",
    "/v1/transfers/{person_id}/{transfer_id}",
    capability=Capability.EDIT_COMPETENCE_RULES,
    summary="One transfer",
    answer=TransferView,
    refusals=(errors.NotFound,),
)
def show_transfer(request: Request) -> Shown:
    """One transfer, to administrators of either employer; to those of the old one, no further than its release."""
    return service.one(request.actor, request.path["person_id"], request.path["transfer_id"])


# --- withdrawing, releasing and deciding ----------------------------------------------------------------------

DECIDING = (errors.NotFound, errors.OwnTransfer, errors.TransferNotThere, errors.Conflict)


@routes.route(
    "POST",
    "/v1/transfers/{person_id}/{transfer_id}/withdrawal",
    capability=Capability.EDIT_COMPETENCE_RULES,
    summary="Withdraw a transfer",
    answer=TransferView,
    refusals=DECIDING,
)
def withdraw_transfer(request: Request) -> Shown:
    """Take back what you asked for, while the old employer has not answered. The learner is told."""
    return service.withdraw(request.actor, request.path["person_id"], request.path["transfer_id"], request.now)


@routes.route(
    "POST",
    "/v1/me/transfers/{transfer_id}/withdrawal",
    capability=Capability.VIEW_COMPLIANCE,
    summary="Take back my consent to a transfer",
    answer=TransferView,
    refusals=(errors.NotFound, errors.TransferNotThere, errors.Conflict),
)
def withdraw_my_transfer(request: Request) -> Shown:
    """No longer agree that your training goes to another employer, while the old one has not answered. Who asked is told."""
    return service.withdraw_own(request.actor, request.path["transfer_id"], request.now)


@routes.route(
    "POST",
    "/v1/transfers/{person_id}/{transfer_id}/release",
    capability=Capability.EDIT_COMPETENCE_RULES,
    summary="Release somebody's training",
    answer=TransferView,
    refusals=DECIDING,
)
def release_transfer(request: Request) -> Shown:
    """Let the employer that asks have what is held here, national and in date. What it makes of that is not shown here."""
    return service.release(request.actor, request.path["person_id"], request.path["transfer_id"], request.now)


class ReasonBody(msgspec.Struct, frozen=True):
    """Why not."""

    reason: Reason


@routes.route(
    "POST",
    "/v1/transfers/{person_id}/{transfer_id}/refusal",
    capability=Capability.EDIT_COMPETENCE_RULES,
    summary="Refuse a transfer",
    body=ReasonBody,
    answer=TransferView,
    refusals=DECIDING,
)
def refuse_transfer(request: Request) -> Shown:
    """Let the employer that asks have nothing. It and the learner are told why."""
    path = request.path
    return service.refuse(request.actor, path["person_id"], path["transfer_id"], request.body.reason, request.now)


def _decide(request: Request, state: ItemState, reason: str | None) -> Shown:
    path = request.path
    return service.decide(
        request.actor, path["person_id"], path["transfer_id"], path["item_number"], state, reason, request.now
    )


@routes.route(
    "POST",
    "/v1/transfers/{person_id}/{transfer_id}/items/{item_number}/acceptance",
    capability=Capability.EDIT_COMPETENCE_RULES,
    summary="Accept an item",
    answer=TransferView,
    refusals=(*DECIDING, errors.AwardVoid),
)
def accept_transfer_item(request: Request) -> Shown:
    """Award an item that waits, with its own day of award. It is valid no longer than the period of its competency."""
    return _decide(request, ItemState.ACCEPTED, None)


@routes.route(
    "POST",
    "/v1/transfers/{person_id}/{transfer_id}/items/{item_number}/rejection",
    capability=Capability.EDIT_COMPETENCE_RULES,
    summary="Reject an item",
    body=ReasonBody,
    answer=TransferView,
    refusals=DECIDING,
)
def reject_transfer_item(request: Request) -> Shown:
    """Award nothing for an item that waits. The learner is told why once every item is decided."""
    return _decide(request, ItemState.REJECTED, request.body.reason)


# --- settings -------------------------------------------------------------------------------------------------

Employers = Annotated[
    list[EmployerCode],
    msgspec.Meta(
        max_length=500,
        description="Whose training counts here without an administrator's look, by a transfer or, for who works at both, an "
        "update; null: of every employer of this service.",
    ),
]


class TransferSettings(msgspec.Struct, frozen=True):
    """What an employer has set about transfers, as sent and as answered."""

    automatic_release: Annotated[
        bool, msgspec.Meta(description="What another employer asks for is released at once, by nobody here.")
    ]
    recognised_employers: Employers | None

    @classmethod
    def of(cls, settings: Settings) -> "TransferSettings":
        """Present settings."""
        recognised = None if settings.recognised is None else sorted(settings.recognised)
        return cls(settings.automatic_release, recognised)

    def settings(self) -> Settings:
        """The settings it describes."""
        recognised = self.recognised_employers
        return Settings(self.automatic_release, None if recognised is None else frozenset(recognised))


@routes.route(
    "GET",
    "/v1/settings/transfers",
    capability=Capability.EDIT_COMPETENCE_RULES,
    summary="What is set about transfers",
    answer=TransferSettings,
)
def show_transfer_settings(request: Request) -> Settings:
    """The employer's settings about transfers."""
    return service.settings(request.actor)


@routes.route(
    "PUT",
    "/v1/settings/transfers",
    capability=Capability.EDIT_COMPETENCE_RULES,
    summary="Set what holds for transfers",
    body=TransferSettings,
    answer=TransferSettings,
)
def change_transfer_settings(request: Request) -> Settings:
    """Whether to release by itself, and whose training to recognise. It holds for transfers asked for, or released, and for updates
    from now on.
    """
    return service.change_settings(request.actor, request.body.settings(), request.now)
