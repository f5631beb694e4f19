"""What became of messages, for administrators (domain.md §9)."""

from typing import Any

from chalicelib.domain.actor import Actor
from chalicelib.domain.errors import NotFound
from chalicelib.domain.notifications import Notification
from chalicelib.storage import outbox, people


def of_person(actor: Actor, person_id: str, limit: int, after: Any) -> tuple[list[Notification], Any]:
    """A page of what the actor's employer has told somebody, newest first, and where to go on. Raises NotFound for nobody of
    theirs.
    """
    if not people.belongs_to(person_id, actor.employer):
        raise NotFound("There is nobody of this id.")
    return outbox.of_person(person_id, actor.employer, limit, after)
