"""What courses and classes are put under: subjects, venues and synonyms, kept by administrators."""

from dataclasses import asdict
from typing import Annotated, Any

import msgspec
from chalice import Blueprint
from msgspec import UNSET, UnsetType

from chalicelib.domain import catalogue_editing as editing
from chalicelib.domain import errors
from chalicelib.domain.catalogue import Entry, Subject, Synonyms, Venue
from chalicelib.domain.permissions import Capability
from chalicelib.handlers.catalogue_editing import (
    CHANGING,
    DELETING,
    Name,
    NewId,
    Revision,
    WarningOfClasses,
    Warnings,
    Word,
    add,
    change,
    fields,
    remove,
)
from chalicelib.handlers.http import Request, Routes
from chalicelib.handlers.paging import NextCursor
from chalicelib.handlers.paging import Page as PageQuery
from chalicelib.services import catalogue_items
from chalicelib.services.catalogue_items import Changed, Page
from chalicelib.storage import cursor

blueprint = Blueprint(__name__)
routes = Routes(blueprint, "Catalogue keeping")

Parent = Annotated[
    str, msgspec.Meta(pattern=r"^[\w.~|-]{1,80}$(?!\n)", description="The subject above it; null at the top.")
]
Capacity = Annotated[int, msgspec.Meta(ge=1, le=editing.MOST_PLACES, description="How many it holds; null: not known.")]
Address = Annotated[str, msgspec.Meta(max_length=editing.LONGEST_ADDRESS)]
SameWords = Annotated[
    list[Word],
    msgspec.Meta(min_length=2, max_length=editing.MOST_WORDS, description="Words or phrases that mean the same."),
]

# --- subjects -------------------------------------------------------------------------------------------------


class SubjectView(msgspec.Struct, frozen=True):
    """A subject of the catalogue."""

    id: str
    name: str
    parent: Annotated[str | None, msgspec.Meta(description="The subject above it; null at the top.")]
    owner: Annotated[str, msgspec.Meta(description="NHS, or the employer's code.")]
    revision: int

    @classmethod
    def of(cls, subject: Subject) -> "SubjectView":
        """Present a subject."""
        return cls(subject.id, subject.name, subject.parent, subject.owner, subject.revision)


class SubjectPage(msgspec.Struct, frozen=True):
    """A page of subjects, by name."""

    subjects: list[SubjectView]
    total: int
    next_cursor: NextCursor

    @classmethod
    def of(cls, page: Page) -> "SubjectPage":
        """Present a page."""
        return cls([SubjectView.of(each) for each in page.entries], page.total, cursor.seal("subjects", page.after))


@routes.route(
    "GET",
    "/v1/subjects",
    capability=Capability.FIND_LEARNING,
    summary="Subjects of the catalogue",
    query=PageQuery,
    answer=SubjectPage,
)
def list_subjects(request: Request) -> Page:
    """The nation's subjects and the employer's own, by name; `parent` makes a tree of them."""
    after = cursor.unseal("subjects", request.query.cursor)
    return catalogue_items.listed(request.actor, Subject, request.query.limit, after)


class NewSubject(msgspec.Struct, frozen=True):
    """A subject to add, below another one or at the top."""

    id: NewId
    name: Name
    parent: Parent | None = None


@routes.route(
    "POST",
    "/v1/subjects",
    capability=Capability.EDIT_CATALOGUE,
    summary="Add a subject",
    body=NewSubject,
    answer=SubjectView,
    status=201,
    refusals=(errors.Conflict,),
)
def add_subject(request: Request) -> Entry:
    """Add a subject of the employer's own; an employer's may lie below a national one."""
    body = request.body
    return add(request, Subject(body.id, owner=request.actor.employer, **fields(body)))


class ChangedSubject(msgspec.Struct, frozen=True):
    """What to change of a subject; what is left out stays."""

    revision: Revision
    name: Name | UnsetType = UNSET
    parent: Parent | UnsetType | None = UNSET


@routes.route(
    "PATCH",
    "/v1/subjects/{subject_id}",
    capability=Capability.EDIT_CATALOGUE,
    summary="Rename or move a subject",
    body=ChangedSubject,
    answer=SubjectView,
    refusals=CHANGING,
)
def change_subject(request: Request) -> Any:
    """Change what is sent. Class administrators of a subject reach what is moved below it from then on."""
    return change(request, Subject, request.path["subject_id"], SubjectView).entry


@routes.route(
    "DELETE",
    "/v1/subjects/{subject_id}",
    capability=Capability.EDIT_CATALOGUE,
    summary="Delete a subject",
    status=204,
    refusals=DELETING,
)
def delete_subject(request: Request) -> None:
    """Delete a subject in which nothing stands, below which there is none, and to which no class administrator is limited."""
    remove(request, Subject, request.path["subject_id"])


# --- venues ---------------------------------------------------------------------------------------------------


class VenueFields(msgspec.Struct, frozen=True, kw_only=True):
    """A venue of the register."""

    id: str
    name: str
    capacity: Annotated[int | None, msgspec.Meta(description="How many it holds; null: not known.")]
    address: str
    in_use: Annotated[bool, msgspec.Meta(description="false: no new class is held there.")]
    owner: Annotated[str, msgspec.Meta(description="The employer's code.")]
    revision: int


class VenueView(VenueFields, frozen=True, kw_only=True):
    """A venue of the register."""

    @classmethod
    def of(cls, venue: Venue) -> "VenueView":
        """Present a venue."""
        return cls(**asdict(venue))


class VenueAfterChange(VenueFields, frozen=True, kw_only=True):
    """A venue as it is now, and the classes to come for which it is out of use or too small by the change."""

    warnings: Warnings

    @classmethod
    def of(cls, changed: Changed) -> "VenueAfterChange":
        """Present a venue that was changed."""
        detail = (
            "These classes stay there, though it is out of use or too small for them: move them, or tell who comes."
        )
        return cls(**asdict(changed.entry), warnings=WarningOfClasses.all_of(changed, detail))


class VenuePage(msgspec.Struct, frozen=True):
    """A page of venues, by name."""

    venues: list[VenueView]
    total: int
    next_cursor: NextCursor

    @classmethod
    def of(cls, page: Page) -> "VenuePage":
        """Present a page."""
        return cls([VenueView.of(each) for each in page.entries], page.total, cursor.seal("venues", page.after))


@routes.route(
    "GET",
    "/v1/venues",
    capability=Capability.FIND_LEARNING,
    summary="Venues",
    query=PageQuery,
    answer=VenuePage,
)
def list_venues(request: Request) -> Page:
    """The register of venues, those out of use included, by name."""
    after = cursor.unseal("venues", request.query.cursor)
    return catalogue_items.listed(request.actor, Venue, request.query.limit, after)


class NewVenue(msgspec.Struct, frozen=True):
    """A venue to add."""

    id: NewId
    name: Name
    capacity: Capacity | None = None
    address: Address = ""


@routes.route(
    "POST",
    "/v1/venues",
    capability=Capability.EDIT_CATALOGUE,
    summary="Add a venue",
    body=NewVenue,
    answer=VenueView,
    status=201,
    refusals=(errors.Conflict,),
)
def add_venue(request: Request) -> Entry:
    """Add a venue to the register of the employer; the nation keeps none."""
    body = request.body
    return add(request, Venue(body.id, owner=request.actor.employer, **fields(body)))


class ChangedVenue(msgspec.Struct, frozen=True):
    """What to change of a venue; what is left out stays."""

    revision: Revision
    name: Name | UnsetType = UNSET
    capacity: Capacity | UnsetType | None = UNSET
    address: Address | UnsetType = UNSET
    in_use: bool | UnsetType = UNSET


@routes.route(
    "PATCH",
    "/v1/venues/{venue_id}",
    capability=Capability.EDIT_CATALOGUE,
    summary="Change a venue, or take it out of use",
    body=ChangedVenue,
    answer=VenueAfterChange,
    refusals=CHANGING,
)
def change_venue(request: Request) -> Changed:
    """Change what is sent. Classes that are planned at a venue taken out of use stay there; `warnings` names those to come, and
    those that are larger than the venue has become.
    """
    return change(request, Venue, request.path["venue_id"], VenueView)


@routes.route(
    "DELETE",
    "/v1/venues/{venue_id}",
    capability=Capability.EDIT_CATALOGUE,
    summary="Delete a venue",
    status=204,
    refusals=DELETING,
)
def delete_venue(request: Request) -> None:
    """Delete a venue at which no class ever was, not even one cancelled or moved since. Another is taken out of use, so that past
    classes keep their place.
    """
    remove(request, Venue, request.path["venue_id"])


# --- synonyms -------------------------------------------------------------------------------------------------


class SynonymsView(msgspec.Struct, frozen=True):
    """Words that mean the same to whoever searches."""

    id: str
    words: list[str]
    owner: Annotated[str, msgspec.Meta(description="NHS, or the employer's code.")]
    revision: int

    @classmethod
    def of(cls, synonyms: Synonyms) -> "SynonymsView":
        """Present a set of synonyms."""
        return cls(synonyms.id, list(synonyms.words), synonyms.owner, synonyms.revision)


class SynonymsPage(msgspec.Struct, frozen=True):
    """A page of synonyms, by id."""

    synonyms: list[SynonymsView]
    total: int
    next_cursor: NextCursor

    @classmethod
    def of(cls, page: Page) -> "SynonymsPage":
        """Present a page."""
        return cls([SynonymsView.of(each) for each in page.entries], page.total, cursor.seal("synonyms", page.after))


@routes.route(
    "GET",
    "/v1/synonyms",
    capability=Capability.EDIT_CATALOGUE,
    summary="Synonyms",
    query=PageQuery,
    answer=SynonymsPage,
)
def list_synonyms(request: Request) -> Page:
    """The nation's sets of synonyms and the employer's own, by id."""
    after = cursor.unseal("synonyms", request.query.cursor)
    return catalogue_items.listed(request.actor, Synonyms, request.query.limit, after)


class NewSynonyms(msgspec.Struct, frozen=True):
    """A set of synonyms to add."""

    id: NewId
    words: SameWords


@routes.route(
    "POST",
    "/v1/synonyms",
    capability=Capability.EDIT_CATALOGUE,
    summary="Add synonyms",
    body=NewSynonyms,
    answer=SynonymsView,
    status=201,
    refusals=(errors.Conflict,),
)
def add_synonyms(request: Request) -> Entry:
    """Add words that find the same; searches use them at once."""
    body = request.body
    return add(request, Synonyms(body.id, owner=request.actor.employer, **fields(body)))


class ChangedSynonyms(msgspec.Struct, frozen=True):
    """The words of a set of synonyms, in place of those it has."""

    revision: Revision
    words: SameWords | UnsetType = UNSET


@routes.route(
    "PATCH",
    "/v1/synonyms/{synonyms_id}",
    capability=Capability.EDIT_CATALOGUE,
    summary="Change synonyms",
    body=ChangedSynonyms,
    answer=SynonymsView,
    refusals=CHANGING,
)
def change_synonyms(request: Request) -> Any:
    """Put these words in place of those of the set."""
    return change(request, Synonyms, request.path["synonyms_id"], SynonymsView).entry


@routes.route(
    "DELETE",
    "/v1/synonyms/{synonyms_id}",
    capability=Capability.EDIT_CATALOGUE,
    summary="Delete synonyms",
    status=204,
    refusals=(errors.NotFound, errors.NotYourItem, errors.Conflict),
)
def delete_synonyms(request: Request) -> None:
    """Delete a set of synonyms."""
    remove(request, Synonyms, request.path["synonyms_id"])
