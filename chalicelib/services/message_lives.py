"""What became of messages and of the e-mails that tell them (domain.md §9)."""

from datetime import datetime
from typing import Any

import msgspec

from chalicelib.domain.actor import Actor
from chalicelib.domain.errors import NotFound
from chalicelib.domain.notifications import Notification
from chalicelib.services import digests
from chalicelib.storage import outbox, people
from chalicelib.storage.digests import DIGEST


class Life(msgspec.Struct, frozen=True):
    """A message and what became of it. `told_by` is the digest that tells it, if it goes with one: its e-mail is that one's."""

    notification: Notification
    told_by: Notification | None

    @property
    def e_mail(self) -> Notification:
        """Whose e-mail tells it: its own, or its digest's."""
        return self.told_by or self.notification

    @property
    def steps(self) -> list[tuple[str, datetime]]:
        """Its steps in order, from its own beginning to the end of its e-mail."""
        return [("created", self.notification.at), *(each for each in self.e_mail.life() if each[0] != "created")]

    @property
    def tells(self) -> list[dict[str, str]]:
        """Of a digest: the ids and subjects of what it tells, news of one's people first."""
        if self.notification.template != DIGEST:
            return []
        return [*self.notification.data["of_people"], *self.notification.data["of_you"]]


def of_person(actor: Actor, person_id: str, limit: int, after: Any) -> tuple[list[Life], Any]:
    """A page of what the actor's employer has told somebody, newest first, and where to go on. Raises NotFound for nobody of
    theirs.
    """
    if not people.belongs_to(person_id, actor.employer):
        raise NotFound("There is nobody of this id.")
    found, following = outbox.of_person(person_id, actor.employer, limit, after)
    return [Life(*each) for each in zip(found, digests.that_tell(found), strict=True)], following
