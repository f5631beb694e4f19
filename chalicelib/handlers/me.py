"""About oneself: who one is, and the inbox."""

from datetime import date, datetime
from typing import Annotated, Any

import msgspec
from chalice import Blueprint

from chalicelib.domain.calendar import london_day
from chalicelib.domain.notifications import Notification
from chalicelib.domain.permissions import Capability
from chalicelib.handlers.http import Request, Routes
from chalicelib.handlers.paging import NextCursor, Page
from chalicelib.services import identity, inbox
from chalicelib.storage import cursor

blueprint = Blueprint(__name__)
routes = Routes(blueprint, "About me")


# --- GET /v1/me ---------------------------------------------------------------------------------------------


class AssignmentView(msgspec.Struct, frozen=True):
    """A job held today."""

    number: str
    unit: str
    position: str
    job: str
    staff_group: str
    primary: bool
    starts_on: date
    ends_on: date | None


class MeView(msgspec.Struct, frozen=True):
    """Who the caller is at the employer chosen. `employers` lists the others to choose from with `?employer=`."""

    person_id: str
    name: str | None
    employer: str
    employers: list[str]
    roles: Annotated[
        list[str], msgspec.Meta(description="Roles at this employer, granted or following from employment.")
    ]
    employment: Annotated[str | None, msgspec.Meta(description="employee, applicant or external learner.")]
    employee_number: str | None
    assignments: list[AssignmentView]

    @classmethod
    def of(cls, result: tuple[Request, bool]) -> "MeView":
        """Present the actor of a request."""
        request, manages = result
        actor, learner = request.actor, request.actor.learner
        employment = learner.employment if learner else None
        today = london_day(request.now)
        return cls(
            person_id=actor.person,
            name=learner.person.full_name if learner else None,
            employer=actor.employer,
            employers=list(actor.employers),
            roles=sorted({role.value for role in actor.roles} | ({"manager"} if manages else set())),
            employment=employment.kind.value if employment else None,
            employee_number=employment.number if employment else None,
            assignments=[
                AssignmentView(
                    each.number,
                    each.unit,
                    each.position,
                    each.job,
                    each.staff_group,
                    each.primary,
                    each.starts_on,
                    each.ends_on,
                )
                for each in (learner.assignments_on(today) if learner else ())
            ],
        )


@routes.route("GET", "/v1/me", capability=Capability.VIEW_PROFILE, summary="Who am I", answer=MeView)
def me(request: Request) -> Any:
    """The caller's name, employers, roles and assignments. Roles are read from the grants at every request."""
    return request, identity.manages_anyone(request.actor, request.now)


# --- GET /v1/me/notifications -------------------------------------------------------------------------------


class NotificationView(msgspec.Struct, frozen=True):
    """A message in the inbox, and what became of its e-mail."""

    id: str
    at: datetime
    subject: str
    text: str
    read: bool
    email: Annotated[str, msgspec.Meta(description="pending, sending, sent or failed.")]

    @classmethod
    def of(cls, notification: Notification) -> "NotificationView":
        """Present a notification."""
        return cls(
            notification.natural_key,
            notification.at,
            notification.subject,
            notification.text,
            notification.read_at is not None,
            notification.delivery.value,
        )


class Inbox(msgspec.Struct, frozen=True):
    """A page of messages, newest first."""

    notifications: list[NotificationView]
    next_cursor: NextCursor

    @classmethod
    def of(cls, result: tuple[list[Notification], Any]) -> "Inbox":
        """Present a page."""
        page, after = result
        return cls([NotificationView.of(each) for each in page], cursor.seal("inbox", after))


@routes.route(
    "GET",
    "/v1/me/notifications",
    capability=Capability.READ_INBOX,
    summary="My inbox",
    query=Page,
    answer=Inbox,
)
def my_notifications(request: Request) -> Any:
    """Messages to the caller, newest first. A message is here even where its e-mail could not be sent."""
    after = cursor.unseal("inbox", request.query.cursor)
    return inbox.page(request.actor.person, request.query.limit, after)
