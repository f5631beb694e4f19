"""Counting again what is kept as a counter: the difference must be zero."""

from collections.abc import Iterable, Iterator

import msgspec

from chalicelib.storage import classes, enrolment


class Difference(msgspec.Struct, frozen=True):
    """A class whose counters are not what its enrolments say: (taken, waiting) as kept and as counted."""

    class_id: str
    kept: tuple[int, int]
    counted: tuple[int, int]


def seats(employer: str, class_ids: Iterable[str]) -> Iterator[Difference]:
    """The classes whose seat counters differ from their rosters."""
    for class_id in class_ids:
        loaded = classes.class_with_seats(class_id, consistent=True)
        if loaded is None:
            continue
        kept = (loaded[1].taken, loaded[1].waiting)
        counted = enrolment.count_seats(employer, class_id)
        if kept != counted:
            yield Difference(class_id, kept, counted)
