"""About oneself: who one is."""

from datetime import date
from typing import Annotated, Any

import msgspec
from chalice import Blueprint

from chalicelib.domain.calendar import london_day
from chalicelib.domain.permissions import Capability
from chalicelib.handlers.http import Request, Routes
from chalicelib.services import identity

blueprint = Blueprint(__name__)
routes = Routes(blueprint, "About me")


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
