"""Who is asking, for which employer, and with which roles."""

from dataclasses import dataclass

from chalicelib.domain.learner import Learner
from chalicelib.domain.permissions import Capability, Role, Scope, scopes


@dataclass(frozen=True, slots=True)
class Actor:
    """A signed-in person at one employer.

    `learner` is the person's own record there; None for a national administrator at an employer not their own.
    """

    person: str
    employer: str
    roles: frozenset[Role]
    learner: Learner | None

    def scopes(self, capability: Capability) -> frozenset[Scope]:
        """How far this actor's roles reach for a capability; empty if they do not."""
        return scopes(capability, self.roles)
