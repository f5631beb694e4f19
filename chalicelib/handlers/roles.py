"""Role grants: who administers, and since this moment."""

from typing import Annotated, Any

import msgspec
from chalice import Blueprint

from chalicelib.domain import errors
from chalicelib.domain.learner import RoleGrant
from chalicelib.domain.permissions import Capability, Role
from chalicelib.handlers.http import Request, Routes
from chalicelib.handlers.paging import Cursor, Limit, NextCursor
from chalicelib.services import roles
from chalicelib.storage import cursor

blueprint = Blueprint(__name__)
routes = Routes(blueprint, "Role grants")

Id = Annotated[str, msgspec.Meta(pattern=r"^[\w.-]{1,80}$(?!\n)")]


class GrantView(msgspec.Struct, frozen=True):
    """A role somebody holds at an employer."""

    person_id: str
    employer: str
    role: str
    subjects: Annotated[list[str], msgspec.Meta(description="Catalogue subjects a class administrator is limited to.")]

    @classmethod
    def of(cls, grant: RoleGrant) -> "GrantView":
        """Present a grant."""
        return cls(grant.person, grant.employer, grant.role.value, list(grant.subjects))


class GrantRole(msgspec.Struct, frozen=True):
    """A role to grant."""

    person_id: Id
    role: Annotated[
        Role,
        msgspec.Meta(
            description="One of the roles that are granted; employee, manager and the like follow from employments."
        ),
    ]
    subjects: Annotated[
        list[Id], msgspec.Meta(max_length=50, description="Class administrators only: their subjects.")
    ] = []


@routes.route(
    "POST",
    "/v1/role-grants",
    capability=Capability.GRANT_ROLES,
    summary="Grant a role",
    body=GrantRole,
    answer=GrantView,
    status=201,
    refusals=(errors.NotFound, errors.OwnGrant, errors.RoleNotGrantable, errors.Conflict),
)
def grant_role(request: Request) -> RoleGrant:
    """Give somebody a role at the employer, from their next request on. Granting again replaces the subjects."""
    body = request.body
    return roles.grant(request.actor, body.person_id, body.role, body.subjects, request.now, request.once)


class GrantQuery(msgspec.Struct, frozen=True):
    """Whose grants to list."""

    role: Annotated[Role, msgspec.Meta(description="The role.")]
    limit: Limit = 20
    cursor: Cursor | None = None


class GrantPage(msgspec.Struct, frozen=True):
    """A page of grants."""

    grants: list[GrantView]
    next_cursor: NextCursor

    @classmethod
    def of(cls, result: tuple[Role, list[RoleGrant], Any]) -> "GrantPage":
        """Present a page."""
        role, grants, after = result
        return cls([GrantView.of(each) for each in grants], cursor.seal(f"grants-{role}", after))


@routes.route(
    "GET",
    "/v1/role-grants",
    capability=Capability.GRANT_ROLES,
    summary="Who holds a role",
    query=GrantQuery,
    answer=GrantPage,
)
def list_grants(request: Request) -> Any:
    """Everybody who holds a granted role at the employer."""
    role = request.query.role
    after = cursor.unseal(f"grants-{role}", request.query.cursor)
    return role, *roles.holders(request.actor, role, request.query.limit, after)


@routes.route(
    "DELETE",
    "/v1/role-grants/{person_id}/{role}",
    capability=Capability.GRANT_ROLES,
    summary="Revoke a role",
    status=204,
    refusals=(errors.NotFound, errors.OwnGrant, errors.RoleNotGrantable, errors.Conflict),
)
def revoke_role(request: Request) -> None:
    """Take a role away; the person's next request no longer has it."""
    roles.revoke(request.actor, request.path["person_id"], _role(request.path["role"]), request.now)


def _role(text: str) -> Role:
    try:
        return Role(text)
    except ValueError:
        raise errors.Invalid(errors.FieldError("path.role", "is not a role of this service")) from None
