"""The class list and the register to sign, for administrators and for the class's instructor."""

from datetime import date, datetime
from typing import Annotated, Literal

import msgspec
from chalice import Blueprint

from chalicelib.domain import class_list
from chalicelib.domain.calendar import london_day
from chalicelib.domain.class_list import ClassList, Listed
from chalicelib.domain.errors import ListTooLong, NothingToSign
from chalicelib.domain.permissions import Capability
from chalicelib.handlers.http import Request, Routes
from chalicelib.handlers.parsing import Csv, Pdf
from chalicelib.services import class_documents

blueprint = Blueprint(__name__)
routes = Routes(blueprint, "Classes")


class ListedView(msgspec.Struct, frozen=True):
    """Somebody on a class."""

    person_id: str
    name: str
    employee_number: str
    unit: Annotated[str, msgspec.Meta(description="Where they work on the day of the class; empty without assignment.")]
    status: str
    placed_on: date
    position: Annotated[
        int | None, msgspec.Meta(description="On the waiting list, from 1; null while a clash holds them up.")
    ]
    score: Annotated[float | None, msgspec.Meta(description="Per cent.")]
    did_not_attend: Annotated[
        int | None,
        msgspec.Meta(
            description="How many classes in the twelve months up to the day of this one; null without dates."
        ),
    ]

    @classmethod
    def of(cls, each: Listed) -> "ListedView":
        """Present somebody."""
        placed_on = london_day(each.placed_at)
        return cls(
            each.person,
            each.name,
            each.number,
            each.unit,
            each.status,
            placed_on,
            each.position,
            each.score,
            each.absences,
        )


class ClassListView(msgspec.Struct, frozen=True):
    """A class and who is on it: seats by last name, then the waiting list, then requests, then who is no longer on it."""

    class_id: str
    title: str
    course: str
    starts_at: datetime | None
    venue: str
    instructor: str
    minimum: int
    maximum: int | None
    confirmed: int
    waiting: int
    by_need: Annotated[bool, msgspec.Meta(description="Whether the waiting list goes by need, then by time.")]
    free: int | None
    status: str
    people: list[ListedView]

    @classmethod
    def of(cls, found: ClassList) -> "ClassListView":
        """Present a class list."""
        class_, seats = found.class_, found.seats
        return cls(
            class_.id,
            class_.title,
            found.course_title,
            class_.starts_at,
            found.venue,
            found.instructor,
            class_.minimum,
            seats.maximum,
            found.confirmed,
            seats.waiting,
            class_.by_need,
            seats.free,
            found.status,
            [ListedView.of(each) for each in found.people],
        )


class ListQuery(msgspec.Struct, frozen=True):
    """In which form."""

    format: Annotated[Literal["json", "csv"], msgspec.Meta(description="`csv` for a spreadsheet.")] = "json"


@routes.route(
    "GET",
    "/v1/classes/{class_id}/class-list",
    capability=Capability.UPDATE_STATUS,
    summary="Who is on a class",
    query=ListQuery,
    answer=ClassListView,
    refusals=(ListTooLong,),
)
def show_class_list(request: Request) -> ClassList | Csv:
    """Everybody of the employer who is on a class, or was, with their latest status there. With `format=csv` as text/csv, a row for
    each person: class, course, start (London), venue, instructor, min, max, confirmed, waitlisted, free, status; name,
    employee_number, unit, enrolment_status, placed_on, position, score, did_not_attend_in_12_months. An instructor sees their own
    classes, a class administrator those of their subjects.
    """
    found = class_documents.listing(request.actor, request.path["class_id"], request.now)
    return Csv(class_list.as_csv(found).encode()) if request.query.format == "csv" else found


@routes.route(
    "GET",
    "/v1/classes/{class_id}/register",
    capability=Capability.UPDATE_STATUS,
    summary="The register of a class, to print and sign",
    answer=Pdf,
    refusals=(NothingToSign, ListTooLong),
)
def print_register(request: Request) -> Pdf:
    """A PDF of A4 pages: for each session a table of those who hold a seat, by last name, with room to sign, or with the outcome
    that is noted. Send `Accept: application/pdf`.
    """
    class_id = request.path["class_id"]
    return Pdf(class_documents.register(request.actor, class_id, request.now), f"register-{class_id}.pdf")
