"""Learner search, and a person's learning history."""

from datetime import date
from typing import Annotated

import msgspec
from chalice import Blueprint

from chalicelib.domain import errors
from chalicelib.domain.permissions import Capability
from chalicelib.handlers.enrolment import EnrolmentPage, EnrolmentQuery, EnrolmentView, purpose_of
from chalicelib.handlers.http import Request, Routes
from chalicelib.handlers.paging import Cursor, Limit, NextCursor
from chalicelib.services import learning, people
from chalicelib.services.learning import Shown, ShownPage
from chalicelib.services.people import FoundPage
from chalicelib.storage import cursor
from chalicelib.storage.people import Found

blueprint = Blueprint(__name__)
routes = Routes(blueprint, "People")


class PersonView(msgspec.Struct, frozen=True):
    """Somebody found."""

    person_id: str
    name: str
    employment: Annotated[str, msgspec.Meta(description="employee, applicant or external learner.")]
    employee_number: str
    employed_from: Annotated[date, msgspec.Meta(description="The first day of the latest period of service.")]
    employed_until: Annotated[date | None, msgspec.Meta(description="Its last day; those who have left are found too.")]

    @classmethod
    def of(cls, found: Found) -> "PersonView":
        """Present somebody."""
        employment = found.employment
        return cls(
            found.person,
            found.name,
            employment.kind.value,
            employment.number,
            employment.starts_on,
            employment.ends_on,
        )


class PeoplePage(msgspec.Struct, frozen=True):
    """A page of people, by name."""

    people: list[PersonView]
    next_cursor: NextCursor

    @classmethod
    def of(cls, page: FoundPage) -> "PeoplePage":
        """Present a page."""
        return cls([PersonView.of(each) for each in page.people], cursor.seal("people", page.after))


class PeopleSearch(msgspec.Struct, frozen=True):
    """Whom to look for: by `name` or by `number`, not both."""

    name: (
        Annotated[
            str,
            msgspec.Meta(
                min_length=1,
                max_length=80,
                pattern=r"^[^#\x00-\x1f]+$(?!\n)",
                description="The beginning of a last name, or a last name and the beginning of a first: `testfold`, `testfold sa`, "
                "`van dyke an`. A single letter is a whole last name.",
            ),
        ]
        | None
    ) = None
    number: Annotated[str, msgspec.Meta(pattern=r"^[\w-]{1,20}$(?!\n)", description="The employee number.")] | None = (
        None
    )
    limit: Limit = 20
    cursor: Cursor | None = None


@routes.route(
    "POST",
    "/v1/people/search",
    capability=Capability.FIND_LEARNERS,
    summary="Learner search",
    body=PeopleSearch,
    answer=PeoplePage,
)
def search_people(request: Request) -> FoundPage:
    """People of the employer by name or employee number. A POST, so that names stand in no address and no access log."""
    body = request.body
    if (body.name is None) == (body.number is None):
        raise errors.Invalid(errors.FieldError("body", "give either name or number"))
    if body.name is not None and not body.name.strip():
        raise errors.Invalid(errors.FieldError("body.name", "is empty"))
    after = cursor.unseal("people", body.cursor, "body.cursor")
    return people.search(request.actor, body.name, body.number, body.limit, after)


@routes.route(
    "GET",
    "/v1/people/{person_id}/enrolments",
    capability=Capability.VIEW_HISTORY,
    summary="Somebody's learning history",
    query=EnrolmentQuery,
    answer=EnrolmentPage,
)
def person_enrolments(request: Request) -> ShownPage:
    """The enrolments of oneself, somebody one supervises, (administrators) anybody, or (instructors) those of somebody on their own
    classes: open ones first, then closed ones.
    """
    query, person = request.query, request.path["person_id"]
    offset = cursor.unseal(purpose_of(person), query.cursor) or 0
    return learning.enrolments_of(request.actor, person, query.open, query.limit, offset, request.now)


@routes.route(
    "GET",
    "/v1/people/{person_id}/enrolments/{enrolment_id}",
    capability=Capability.VIEW_HISTORY,
    summary="One enrolment of somebody",
    answer=EnrolmentView,
    refusals=(errors.NotFound,),
)
def person_enrolment(request: Request) -> Shown:
    """One enrolment with its history, for whoever may see it in the list: whom or what it waits for, and what can be done."""
    return learning.one_of(request.actor, request.path["person_id"], request.path["enrolment_id"], request.now)
