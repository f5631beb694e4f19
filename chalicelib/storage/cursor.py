"""Signed opaque cursors: where a list goes on. A cursor that was altered, or made for another list, is refused."""

import base64
import hashlib
import hmac
import json
from typing import Any

from chalicelib.config import setting
from chalicelib.domain.errors import FieldError, Invalid

_SIGNATURE_BYTES = 16


def _sign(purpose: str, payload: bytes) -> bytes:
    secret = setting("CURSOR_SECRET").encode()
    return hmac.new(secret, purpose.encode() + b"\0" + payload, hashlib.sha256).digest()[:_SIGNATURE_BYTES]


def seal(purpose: str, position: Any) -> str | None:
    """A cursor for a position in the list named by `purpose`; None at the end."""
    if position is None:
        return None
    payload = json.dumps(position, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(_sign(purpose, payload) + payload).decode().rstrip("=")


def going_on(after: Any, attribute: str, expected: str, begins: bool = False) -> Any:
    """A position, if it lies in the partition (or, with `begins`, under the prefix) that is being listed; Invalid otherwise."""
    if after is not None:
        found = after.get(attribute, {}).get("S", "") if isinstance(after, dict) else ""
        if not (found.startswith(expected) if begins else found == expected):
            raise Invalid(FieldError("query.cursor", "is not a cursor given out for this list"))
    return after


def unseal(purpose: str, cursor: str | None, field: str = "query.cursor") -> Any:
    """The position of a cursor; None for the beginning. Raises Invalid for a cursor this service did not make."""
    if cursor is None:
        return None
    try:
        raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        signature, payload = raw[:_SIGNATURE_BYTES], raw[_SIGNATURE_BYTES:]
        if hmac.compare_digest(signature, _sign(purpose, payload)):
            return json.loads(payload)
    except ValueError:
        pass
    raise Invalid(FieldError(field, "is not a cursor given out for this list"))
