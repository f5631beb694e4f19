"""Where somebody's e-mail goes and whether it gets there (domain.md §9 N24, decision 0029)."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum


class Unreached(StrEnum):
    """Why an e-mail cannot reach somebody."""

    BOUNCE = "bounce"
    COMPLAINT = "complaint"
    NO_ADDRESS = "no address"
    NO_SUCH_FORM = "not an address"


BOUNCES_COUNT_FOR = timedelta(days=30)
"""As long nothing goes to an address that bounced. Then it is tried again: it may have been its mail server that was wrong."""


@dataclass(frozen=True, slots=True)
class Undeliverable:
    """That e-mail does not reach an address (None: there is none), since when it is known, and what the mail system said of it."""

    address: str | None
    at: datetime
    kind: Unreached
    why: str

    def holds_for(self, address: str | None) -> bool:
        """Whether this is about the address that is held now: another one is tried."""
        return same(self.address) == same(address)

    def lasts(self, now: datetime) -> bool:
        """Whether it still counts: a bounce for thirty days, everything else until there is another address."""
        return self.kind is not Unreached.BOUNCE or now - self.at < BOUNCES_COUNT_FOR

    def says(self, other: "Undeliverable") -> bool:
        """Whether this is the same news of the same address."""
        return self.kind is other.kind and self.holds_for(other.address)


@dataclass(frozen=True, slots=True)
class Mailbox:
    """How somebody wants their messages, and the address that does not take them, if it bounced or they complained.

    `digest`: what is not urgent comes once a day in one e-mail. `others`: addresses beside their own that take none, as `same`
    writes them.
    """

    digest: bool = False
    undeliverable: Undeliverable | None = None
    others: frozenset[str] = frozenset()

    def refuses(self, address: str) -> bool:
        """Whether this address is known not to take e-mail."""
        return same(address) in self.others or bool(self.undeliverable and self.undeliverable.holds_for(address))


def same(address: str | None) -> str | None:
    """An address in the one form in which addresses are compared."""
    return address.strip().casefold() if address else None
