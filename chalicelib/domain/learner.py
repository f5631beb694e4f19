"""Everything one employer knows of one learner: what a single query brings."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from chalicelib.domain.access import Standpoint, standpoints
from chalicelib.domain.competency import Award
from chalicelib.domain.compliance import Standing, evaluate
from chalicelib.domain.decisions import Decision
from chalicelib.domain.enrolment import Enrolment
from chalicelib.domain.people import Assignment, Employment, EmploymentKind, Membership, Person
from chalicelib.domain.permissions import ROLE_OF_EMPLOYMENT, Role
from chalicelib.domain.requirements import Exemption, HeldBack, Rulebook

if TYPE_CHECKING:
    from chalicelib.domain.certifications import Subscription


@dataclass(frozen=True, slots=True)
class RoleGrant:
    """A role held at an employer, with the catalogue subjects it is limited to (class administrators)."""

    person: str
    employer: str
    role: Role
    subjects: tuple[str, ...] = ()


def assignments_that_count(
    employment: Employment, assignments: Iterable[Assignment], day: date
) -> tuple[Assignment, ...]:
    """Those of an employment's assignments that count on a day; an applicant's count from the offer on, as they will begin."""
    if not employment.active_on(day):
        return ()
    if employment.kind_on(day) is EmploymentKind.APPLICANT:
        not_over = [each for each in assignments if each.ends_on is None or day <= each.ends_on]
        latest_first = sorted(not_over, key=lambda each: each.starts_on, reverse=True)
        return tuple({each.number: each for each in latest_first}.values())
    return tuple(each for each in assignments if each.active_on(day))


def groups_that_count(employment: Employment, memberships: Iterable[Membership], day: date) -> tuple[str, ...]:
    """The learner groups somebody is in on a day, while the employment lasts; an applicant also in those they are to join."""
    if not employment.active_on(day):
        return ()
    joining = employment.kind_on(day) is EmploymentKind.APPLICANT
    found = {each.group for each in memberships if each.active_on(day) or (joining and day < each.starts_on)}
    return tuple(sorted(found))


@dataclass(frozen=True, slots=True)
class Learner:
    """A person and their records at one employer.

    `elsewhere` are their enrolments at other employers, which matter for clashes alone; `also_at` are the other employers they
    belong to, or once did. `decisions` are those on training that arranges itself, one for each competency. `booking_revision`
    guards against two clashing bookings at once. `never_served`: there was an employment here, but every period of service was
    cancelled.
    """

    person: Person
    employer: str
    employment: Employment | None
    assignments: tuple[Assignment, ...] = ()
    memberships: tuple[Membership, ...] = ()
    awards: tuple[Award, ...] = ()
    exemptions: tuple[Exemption, ...] = ()
    enrolments: tuple[Enrolment, ...] = ()
    elsewhere: tuple[Enrolment, ...] = ()
    grants: tuple[RoleGrant, ...] = ()
    subscriptions: tuple[Subscription, ...] = ()
    decisions: tuple[Decision, ...] = ()
    booking_revision: int = 0
    never_served: bool = False
    also_at: tuple[str, ...] = ()

    def enrolment(self, enrolment_id: str | None) -> Enrolment | None:
        """The enrolment with this id at this employer, or None."""
        return next((each for each in self.enrolments if each.id == enrolment_id), None)

    def subscription(self, certification: str) -> Subscription | None:
        """How they stand to a certification; None if they never subscribed to it."""
        return next((each for each in self.subscriptions if each.certification == certification), None)

    def roles_on(self, day: date) -> frozenset[Role]:
        """Roles from the employment on that day and from grants; whoever has left holds none."""
        if self.has_left(day):
            return frozenset()
        roles = {grant.role for grant in self.grants}
        if self.employment and self.employment.active_on(day):
            roles.add(ROLE_OF_EMPLOYMENT[self.employment.kind_on(day)])
        return frozenset(roles)

    def has_left(self, day: date) -> bool:
        """Whether the employment ended before that day, or never was. People without one (administrators of the service) never
        leave.
        """
        return self.never_served or (self.employment is not None and self.employment.left_before(day))

    def assignments_on(self, day: date) -> tuple[Assignment, ...]:
        """Assignments that count on a day. An applicant's count from the offer on, before their first day."""
        return assignments_that_count(self.employment, self.assignments, day) if self.employment else ()

    def groups_on(self, day: date) -> tuple[str, ...]:
        """Learner groups on a day, while the employment lasts; an applicant's count from the offer on, like assignments."""
        return groups_that_count(self.employment, self.memberships, day) if self.employment else ()

    def supervised_by(self, person: str, day: date) -> bool:
        """Whether an assignment that counts on a day names this person as supervisor."""
        return any(each.supervisor == person for each in self.assignments_on(day))

    def _self_on(self, day: date) -> str | None:
        """The person as a target of requirements: like groups, while the employment lasts."""
        return self.person.id if self.employment and self.employment.active_on(day) else None

    def compliance_on(self, day: date, rulebook: Rulebook) -> tuple[Standing, ...]:
        """Every row of Compliance and Competency on a day, under the rules given, red first."""
        required = rulebook.required_of(
            self._self_on(day), self.assignments_on(day), self.groups_on(day), day, self.exemptions
        )
        return evaluate(required, self.awards, day, rulebook.amber_months, rulebook.counts_for)

    def held_back_on(self, day: date, rulebook: Rulebook) -> dict[str, HeldBack]:
        """What rules ask for on a day without its being required, and why."""
        return rulebook.held_back_from(
            self._self_on(day), self.assignments_on(day), self.groups_on(day), day, self.exemptions
        )

    def standpoints_on(self, day: date, rulebook: Rulebook) -> tuple[Standpoint, ...]:
        """The ways in which this learner meets access rules: one for each assignment, one if there is none."""
        return standpoints(self.person.id, self.groups_on(day), self.assignments_on(day), rulebook, day)
