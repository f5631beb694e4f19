"""An employer's units, jobs, positions, staff groups and learner groups."""

from datetime import date
from enum import StrEnum
from typing import Annotated

import msgspec
from chalice import Blueprint

from chalicelib.domain import errors
from chalicelib.domain.calendar import london_day
from chalicelib.domain.permissions import Capability
from chalicelib.domain.requirements import Target, TargetKind
from chalicelib.domain.structure import Placing, StructureChange
from chalicelib.handlers.http import Request, Routes
from chalicelib.handlers.paging import Cursor, Limit, NextCursor
from chalicelib.services import structure
from chalicelib.services.structure import Changed, Part, StructurePage
from chalicelib.storage import cursor

blueprint = Blueprint(__name__)
routes = Routes(blueprint, "Structure")

MOST = 80
"""Units and names in one request: as many as fit one transaction together with the job that follows."""


class Kind(StrEnum):
    """What a structure is made of, besides units."""

    JOB = "job"
    POSITION = "position"
    STAFF_GROUP = "staff_group"
    LEARNER_GROUP = "learner_group"


class AnyKind(StrEnum):
    """What a structure is made of."""

    UNIT = "unit"
    JOB = "job"
    POSITION = "position"
    STAFF_GROUP = "staff_group"
    LEARNER_GROUP = "learner_group"


def _target_kind(kind: Kind | AnyKind) -> TargetKind:
    return TargetKind[kind.name]


class MoveView(msgspec.Struct, frozen=True):
    """A unit comes under another."""

    from_: Annotated[date, msgspec.Meta(description="From this day on, Europe/London.")] = msgspec.field(name="from")
    parent: Annotated[str | None, msgspec.Meta(description="The unit then above.")]


class PartView(msgspec.Struct, frozen=True):
    """A unit, job, position, staff group or learner group."""

    kind: Annotated[str, msgspec.Meta(description="unit, job, position, staff_group or learner_group.")]
    id: str
    name: str
    parent: Annotated[
        str | None, msgspec.Meta(description="The unit above a unit today; null for the employer itself.")
    ]
    moves: Annotated[list[MoveView], msgspec.Meta(description="A unit's moves to come, the next first.")]

    @classmethod
    def of(cls, part: Part) -> "PartView":
        """Present a part."""
        moves = [MoveView(since, parent) for since, parent in part.moves]
        return cls(part.target.kind.name.lower(), part.target.id, part.name, part.parent, moves)


class StructureView(msgspec.Struct, frozen=True):
    """A page of an employer's structure, by kind and name."""

    parts: list[PartView]
    next_cursor: NextCursor

    @classmethod
    def of(cls, page: StructurePage) -> "StructureView":
        """Present a page."""
        return cls([PartView.of(each) for each in page.parts], cursor.seal("structure", page.next_offset))


class StructureQuery(msgspec.Struct, frozen=True):
    """Which parts of the structure."""

    kind: Annotated[list[AnyKind], msgspec.Meta(description="Only these kinds; all unless told.")] = []
    limit: Limit = 20
    cursor: Cursor | None = None


@routes.route(
    "GET",
    "/v1/structure",
    capability=Capability.EDIT_COMPETENCE_RULES,
    summary="Units, jobs, positions, staff groups, learner groups",
    query=StructureQuery,
    answer=StructureView,
)
def list_structure(request: Request) -> StructurePage:
    """The employer's organisation tree and the names that assignments and requirements refer to."""
    query = request.query
    offset = cursor.unseal("structure", query.cursor) or 0
    kinds = [_target_kind(each) for each in query.kind]
    return structure.structure(request.actor, kinds, query.limit, offset, request.now)


class UnitBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A unit as it shall be."""

    id: str
    name: str
    parent: Annotated[str | None, msgspec.Meta(description="The unit above; null for the employer itself.")] = None
    from_: (
        Annotated[
            date,
            msgspec.Meta(
                description="From which day on it is under `parent`, past or ahead, until its next move; today unless told. A new "
                "unit is under it from the beginning. The days before stay as they are."
            ),
        ]
        | None
    ) = msgspec.field(default=None, name="from")


class NamedBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A job, position, staff group or learner group as it shall be called."""

    kind: Kind
    id: str
    name: str


class StructureBody(msgspec.Struct, frozen=True):
    """What to add or to change, up to 80 in all; what is not mentioned stays."""

    units: Annotated[list[UnitBody], msgspec.Meta(max_length=MOST)] = []
    names: Annotated[list[NamedBody], msgspec.Meta(max_length=MOST)] = []


class ChangedView(msgspec.Struct, frozen=True):
    """What was changed; empty if all was so already."""

    changed: list[str]
    job_id: Annotated[
        str | None,
        msgspec.Meta(description="Follow it at GET /v1/jobs/{job_id}; null if nobody's requirements changed."),
    ]

    @classmethod
    def of(cls, result: Changed) -> "ChangedView":
        """Present what was changed."""
        return cls([f"{each.kind.name.lower()} {each.id}" for each in result.changed], result.job)


@routes.route(
    "POST",
    "/v1/structure",
    capability=Capability.EDIT_COMPETENCE_RULES,
    summary="Add or change units and names",
    body=StructureBody,
    answer=ChangedView,
    refusals=(errors.Conflict,),
)
def change_structure(request: Request) -> Changed:
    """All of it or nothing; sent again, it changes nothing. People in and below a unit that is new or moved are judged again under
    the requirements that reach it now: their own compliance says so at once, figures follow with the job.

    A move `from` a day ahead takes effect on that day; it is taken back by a move `from` the same day to where the unit is before.
    What was required on days before a move is still answered by the tree as it then was.
    """
    body = request.body
    if len(body.units) + len(body.names) > MOST:
        raise errors.Invalid(errors.FieldError("body", f"holds more than {MOST} units and names"))
    change = StructureChange(
        [Placing(each.id, each.name, each.parent, each.from_ or london_day(request.now)) for each in body.units],
        [(Target(_target_kind(each.kind), each.id), each.name) for each in body.names],
    )
    return structure.change_structure(request.actor, change, request.now)
