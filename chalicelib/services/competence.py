"""Frameworks of competencies, and what an employer requires."""

from collections.abc import Sequence
from datetime import datetime

from chalicelib.domain.competency import Competency
from chalicelib.domain.requirements import Requirement
from chalicelib.services import definitions
from chalicelib.storage import rules


def define_competencies(actor: str, owner: str, competencies: Sequence[Competency], now: datetime) -> None:
    """Add or update competencies of an owner's framework."""
    rows = [rules.CompetencyRow.of(owner, each) for each in competencies]
    definitions.define(actor, owner, "competencies.defined", rows, now)


def require(actor: str, employer: str, requirements: Sequence[Requirement], now: datetime) -> None:
    """Add or update requirements of an employer; everybody's compliance follows with their next look."""
    rows = [rules.RequirementRow.of(employer, each) for each in requirements]
    definitions.define(actor, employer, "requirements.defined", rows, now)
