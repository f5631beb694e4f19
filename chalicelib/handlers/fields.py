"""Fields that bodies and queries of several modules share."""

from typing import Annotated

import msgspec

Identifier = Annotated[str, msgspec.Meta(pattern=r"^[\w.~-]{1,80}$(?!\n)")]
"""The id of a person, a class, an enrolment, a course."""

EmailAddress = Annotated[
    str,
    msgspec.Meta(
        max_length=254,
        pattern=r"^(?!.{65,}@)[A-Za-z0-9_!#$%&'*+/=?^`{|}~-]+(\.[A-Za-z0-9_!#$%&'*+/=?^`{|}~-]+)*"
        r"@([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,63}$(?!\n)",
        description="An e-mail address.",
    ),
]

SaidWhy = Annotated[str, msgspec.Meta(min_length=1, max_length=500, pattern=r"\S")]
"""A reason in words. Say with it who reads it."""
