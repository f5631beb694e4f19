"""Joiners, movers and leavers, sent as messages; and those from the bus that were refused."""

from datetime import date, datetime
from typing import Annotated, Any, ClassVar

import msgspec
from chalice import Blueprint

from chalicelib.domain import errors, workforce
from chalicelib.domain.people import EmploymentKind
from chalicelib.domain.permissions import Capability
from chalicelib.domain.workforce import Change
from chalicelib.handlers.http import Request, Routes
from chalicelib.handlers.paging import NextCursor, Page
from chalicelib.handlers.problems import FieldProblem
from chalicelib.services import workforce as service
from chalicelib.services.workforce import Outcome
from chalicelib.storage import cursor
from chalicelib.storage.workforce import Refused

blueprint = Blueprint(__name__)
routes = Routes(blueprint, "Workforce")

Day = Annotated[date, msgspec.Meta(description="A London day, `2026-11-23`.")]


class PersonSection(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who somebody is. Said whole: what is left out is not held any longer."""

    first_name: str
    last_name: str
    title: str | None = None
    email: str | None = None
    login: Annotated[str | None, msgspec.Meta(description="The user name in the identity provider.")] = None


class EmploymentSection(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A period of service, told apart from others by its first day. Somebody who comes back has another."""

    kind: EmploymentKind
    starts_on: Day
    ends_on: Annotated[date | None, msgspec.Meta(description="The last day of service.")] = None
    cancelled: Annotated[bool, msgspec.Meta(description="It never was: an offer taken back.")] = False


class AssignmentSection(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An assignment as it stands from a day on: until `ends_on`, or until it is said to stand otherwise."""

    number: str
    starts_on: Day
    ends_on: date | None = None
    unit: str | None = None
    position: str | None = None
    job: str | None = None
    staff_group: str | None = None
    supervisor: Annotated[
        str | None, msgspec.Meta(description="The supervisor's employee number; they may be sent later.")
    ] = None
    primary: bool = True
    ended: Annotated[bool, msgspec.Meta(description="Not held from this day on. Then no facts are needed.")] = False
    cancelled: Annotated[bool, msgspec.Meta(description="What was said from this day on never was.")] = False


class GroupSection(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Being in a learner group from a day on. To leave it, say the same group and first day again with the last day."""

    group: str
    starts_on: Day
    ends_on: Annotated[date | None, msgspec.Meta(description="The last day in the group.")] = None
    cancelled: Annotated[bool, msgspec.Meta(description="It never was.")] = False


class ChangeMessage(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One message about one person. A section left out says nothing; somebody new needs `person` and `employment`."""

    id: Annotated[str, msgspec.Meta(description="Of this message. Sent again, it changes nothing.")]
    sequence: Annotated[
        int, msgspec.Meta(description="Orders messages about one person: a lower one never overwrites a higher one.")
    ]
    employee_number: str
    person: PersonSection | None = None
    employment: EmploymentSection | None = None
    assignments: list[AssignmentSection] = []
    learner_groups: list[GroupSection] = []
    person_id: Annotated[
        str | None, msgspec.Meta(description="Somebody whom another employer registered, joining this one too.")
    ] = None

    def change(self) -> Change:
        """The message as the domain takes it."""
        person, employment = self.person, self.employment
        return Change(
            self.id,
            self.sequence,
            self.employee_number,
            workforce.PersonSection(**msgspec.structs.asdict(person)) if person else None,
            workforce.ServiceSection(**msgspec.structs.asdict(employment)) if employment else None,
            tuple(workforce.AssignmentSection(**msgspec.structs.asdict(each)) for each in self.assignments),
            tuple(workforce.GroupSection(**msgspec.structs.asdict(each)) for each in self.learner_groups),
            self.person_id,
        )


class WorkforceChanges(msgspec.Struct, frozen=True):
    """Messages to take in, in this order."""

    MAX_BODY_BYTES: ClassVar[int] = 512 * 1024  # 100 messages as full as they may be

    changes: Annotated[list[ChangeMessage], msgspec.Meta(min_length=1, max_length=100)]


class ChangeResult(msgspec.Struct, frozen=True):
    """What became of a message."""

    id: str
    state: Annotated[
        str,
        msgspec.Meta(description="accepted; unchanged (a repetition, late, or known already); or refused."),
    ]
    person_id: str | None
    changed: Annotated[list[str], msgspec.Meta(description="The sections whose content changed.")]
    errors: Annotated[list[FieldProblem], msgspec.Meta(description="Every wrong field; then nothing changed.")]
    warnings: Annotated[list[str], msgspec.Meta(description="What was done otherwise than asked.")]


class ChangeResults(msgspec.Struct, frozen=True):
    """What became of each message, in the order sent."""

    results: list[ChangeResult]

    @classmethod
    def of(cls, outcomes: list[tuple[Change, Outcome]]) -> "ChangeResults":
        """Present outcomes."""
        return cls(
            [
                ChangeResult(
                    change.id,
                    outcome.state,
                    outcome.person,
                    list(outcome.changed),
                    [FieldProblem(each.field, each.reason) for each in outcome.errors],
                    list(outcome.warnings),
                )
                for change, outcome in outcomes
            ]
        )


@routes.route(
    "POST",
    "/v1/workforce/changes",
    capability=Capability.FEED_WORKFORCE,
    summary="Joiners, movers and leavers",
    body=WorkforceChanges,
    answer=ChangeResults,
    refusals=(errors.Conflict,),
)
def change_workforce(request: Request) -> list[tuple[Change, Outcome]]:
    """Up to 100 messages, in 512 kB, each taken in by itself: one that is refused holds up none of the others. Any of them may be
    sent again, and in any order: repetitions and late ones change nothing. A change dated ahead takes effect on its day.
    """
    return service.apply_all(request.actor, [each.change() for each in request.body.changes], request.now)


class RefusalView(msgspec.Struct, frozen=True):
    """A message from the bus that was refused; nothing of it was taken in."""

    at: datetime
    message_id: Annotated[str | None, msgspec.Meta(description="Null if it had none that could be kept.")]
    employee_number: str | None
    errors: list[FieldProblem]

    @classmethod
    def of(cls, refused: Refused) -> "RefusalView":
        """Present a refusal."""
        wrong = [FieldProblem(each.field, each.reason) for each in refused.errors]
        return cls(refused.at, refused.message, refused.employee_number, wrong)


class RefusalPage(msgspec.Struct, frozen=True):
    """A page of refusals, newest first."""

    refusals: list[RefusalView]
    next_cursor: NextCursor

    @classmethod
    def of(cls, result: tuple[list[Refused], Any]) -> "RefusalPage":
        """Present a page."""
        page, after = result
        return cls([RefusalView.of(each) for each in page], cursor.seal("workforce-refusals", after))


@routes.route(
    "GET",
    "/v1/workforce/refusals",
    capability=Capability.FEED_WORKFORCE,
    summary="Messages from the bus that were refused",
    query=Page,
    answer=RefusalPage,
)
def list_workforce_refusals(request: Request) -> Any:
    """Joiners, movers and leavers that came over the event bus and could not be taken in, with every wrong field; kept 90 days."""
    after = cursor.unseal("workforce-refusals", request.query.cursor)
    return service.refusals(request.actor, request.query.limit, after)
