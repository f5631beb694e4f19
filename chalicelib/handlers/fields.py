"""Fields that bodies and queries of several modules share."""

from typing import Annotated

import msgspec

Identifier = Annotated[str, msgspec.Meta(pattern=r"^[\w.~-]{1,80}$(?!\n)")]
"""The id of a person, a class, an enrolment, a course."""

SaidWhy = Annotated[str, msgspec.Meta(min_length=1, max_length=500, pattern=r"\S")]
"""A reason in words. Say with it who reads it."""
