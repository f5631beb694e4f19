"""A catalogue as a file for spreadsheets, there and back."""

from typing import Annotated

import msgspec
from chalice import Blueprint

from chalicelib.domain import errors
from chalicelib.domain.permissions import Capability
from chalicelib.handlers.http import Request, Routes
from chalicelib.handlers.parsing import Csv
from chalicelib.services import catalogue_files
from chalicelib.services.catalogue_files import Imported

blueprint = Blueprint(__name__)
routes = Routes(blueprint, "Catalogue keeping")


class CatalogueQuery(msgspec.Struct, frozen=True):
    """Whose catalogue."""

    owner: (
        Annotated[
            str,
            msgspec.Meta(pattern=r"^[A-Z0-9]{2,8}$(?!\n)", description="NHS, or the employer's code; it unless told."),
        ]
        | None
    ) = None


@routes.route(
    "GET",
    "/v1/catalogue/file",
    capability=Capability.EDIT_CATALOGUE,
    summary="A catalogue as CSV",
    query=CatalogueQuery,
    answer=Csv,
)
def export_catalogue(request: Request) -> Csv:
    """The employer's own catalogue, or the nation's (`owner=NHS`), as a file for spreadsheets that can be sent back changed: a row
    for each subject, venue, set of synonyms, course and learning path, with the `revision` that it has. Several things in a cell
    stand one to a line: awards as `level; competency`, offerings as `id; mode; language`, prerequisites as `mandatory or advisory;
    course or competency; level; id`, access rules as `mode; KIND id + KIND id; below or exact; first day; last day`, sections as
    `title: course, course`.
    """
    actor = request.actor
    return Csv(catalogue_files.exported(actor, request.query.owner or actor.employer).encode())


class ImportedView(msgspec.Struct, frozen=True):
    """How many rows of the file were added, changed, or as they were already."""

    added: int
    changed: int
    unchanged: int

    @classmethod
    def of(cls, imported: Imported) -> "ImportedView":
        """Present what became of a file."""
        return cls(imported.added, imported.changed, imported.unchanged)


@routes.route(
    "POST",
    "/v1/catalogue/file",
    capability=Capability.EDIT_CATALOGUE,
    summary="Send a catalogue as CSV",
    body=Csv,
    answer=ImportedView,
    refusals=(errors.Conflict, errors.PrerequisiteCycle),
)
def import_catalogue(request: Request) -> Imported:
    """Add and change what stands in the employer's own catalogue by a file of up to 5,000 rows and 5 MB, in UTF-8, with the columns
    of GET /v1/catalogue/file. A row is put whole. All or nothing: what is wrong is listed by row, as a spreadsheet counts, and
    column, such as `row 12.awards`. What the file does not name stays as it is; nothing is deleted by a file. A row that changes
    something carries the `revision` that it has, as it went out: if somebody has changed it since, the row is refused
    (`row 12.revision`). A row for something new leaves it empty.
    """
    return catalogue_files.imported(request.actor, request.body.content, request.now)
