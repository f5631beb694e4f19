"""Query parameters of every list that pages."""

from typing import Annotated

import msgspec

Limit = Annotated[int, msgspec.Meta(ge=1, le=100, description="How many items at most; 20 unless told.")]
Cursor = Annotated[
    str,
    msgspec.Meta(min_length=1, max_length=2000, description="`next_cursor` of the page before; leave out to begin."),
]
NextCursor = Annotated[str | None, msgspec.Meta(description="Send as `cursor` for the next page; null at the end.")]


class Page(msgspec.Struct, frozen=True):
    """Where a list begins and how long a page is."""

    limit: Limit = 20
    cursor: Cursor | None = None
