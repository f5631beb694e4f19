"""Whether the service can do its work."""

from chalicelib.domain.people import NATIONAL
from chalicelib.storage import rules


def check() -> str:
    """Reads the nation's version row; raises the storage's error if the table does not answer."""
    rules.rulebook_version(NATIONAL)
    return "ok"
