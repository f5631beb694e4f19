"""Who is asking, for which employer, and with which roles."""

from dataclasses import dataclass
from datetime import date

from chalicelib.domain.catalogue import Catalogue
from chalicelib.domain.learner import Learner
from chalicelib.domain.people import NATIONAL
from chalicelib.domain.permissions import Capability, Role, Scope, scopes


@dataclass(frozen=True, slots=True)
class Actor:
    """A signed-in person at one employer.

    `learner` is the person's own record there; None for a national administrator at an employer not their own.
    `employers` are those where the person has a role today.
    """

    person: str
    employer: str
    roles: frozenset[Role]
    learner: Learner | None
    employers: tuple[str, ...] = ()

    def may_see(self, capability: Capability, target: Learner, day: date) -> bool:
        """Whether a capability reaches this learner: as an administrator, as oneself, or as their supervisor that day.

        A manager is whoever supervises; the role exists towards their people only (domain.md §10).
        """
        manages = target.supervised_by(self.person, day)
        reach = scopes(capability, self.roles | {Role.MANAGER} if manages else self.roles)
        themselves = target.person.id == self.person
        return Scope.ALLOW in reach or Scope.TEAM in reach or (Scope.OWN in reach and themselves)

    @property
    def subjects(self) -> tuple[str, ...]:
        """The subjects a class administrator is limited to, at this employer."""
        grants = self.learner.grants if self.learner else ()
        return tuple(subject for grant in grants for subject in grant.subjects)

    def reaches(
        self, capability: Capability, subject: str, catalogue: Catalogue, instructor: str | None = None
    ) -> bool:
        """Whether a capability reaches what lies in a subject: everywhere, in one's subjects and below, or on one's own classes.

        `instructor` is who teaches the class in question, if it is about a class (domain.md §10).
        """
        reach = self.scopes(capability)
        if not reach.isdisjoint({Scope.ALLOW, Scope.NATIONAL}):
            return True
        own_subject = Scope.SUBJECT in reach and catalogue.within(subject, self.subjects)
        return own_subject or (Scope.OWN_CLASSES in reach and instructor == self.person)

    def scopes(self, capability: Capability) -> frozenset[Scope]:
        """How far this actor's roles reach for a capability at this employer; empty if they do not."""
        reach = scopes(capability, self.roles)
        return reach if self.employer == NATIONAL else reach - {Scope.NATIONAL}
