"""One service call is one transaction: everything of it happens, or nothing (architecture §1).

A failed condition means that what the service read is out of date. The service then reads again and asks the domain again,
which either refuses with its reason or lets it try once more; so storage need not know why a condition failed.
"""

import random
import time
from collections.abc import Callable, Iterable
from functools import wraps
from typing import ParamSpec, TypeVar

from pynamodb.exceptions import TransactWriteError
from pynamodb.expressions.condition import Condition
from pynamodb.expressions.operand import Path
from pynamodb.expressions.update import Action
from pynamodb.models import Model
from pynamodb.transactions import TransactWrite

from chalicelib.domain.errors import Conflict, Refusal, Unavailable
from chalicelib.storage import base

P = ParamSpec("P")
T = TypeVar("T")

ATTEMPTS = 6
"""How often a change is read, judged and tried before the caller is told of the conflict."""

_ABSENT = Path(["pk"]).does_not_exist()
_STALE_CODES = {"ConditionalCheckFailed", "TransactionConflict", "DuplicateItem"}
_CONFLICT_ERRORS = {"TransactionConflictException", "TransactionInProgressException"}


class Stale(Exception):
    """A condition failed or another transaction held one of the items: read again and judge again."""


class AlreadyDone(Exception):
    """The Idempotency-Key of this change was committed before."""


class Transaction:
    """Up to 100 writes over the three tables, committed together.

    `otherwise` names the exception for a failed condition of that one action; without it the failure is `Stale`.
    """

    def __init__(self) -> None:
        # PynamoDB sends checks, deletes, puts, updates, and the reasons come back in that order: so four lists.
        self._checks: list[tuple[Callable[[TransactWrite], None], Exception | None]] = []
        self._deletes: list[tuple[Callable[[TransactWrite], None], Exception | None]] = []
        self._puts: list[tuple[Callable[[TransactWrite], None], Exception | None]] = []
        self._updates: list[tuple[Callable[[TransactWrite], None], Exception | None]] = []

    def check(
        self, model: type[Model], pk: str, sk: str, condition: Condition, otherwise: Exception | None = None
    ) -> None:
        """Commit only if this condition holds for an item the transaction does not write."""
        self._checks.append((lambda write: write.condition_check(model, pk, sk, condition=condition), otherwise))

    def delete(self, row: Model, condition: Condition | None = None, otherwise: Exception | None = None) -> None:
        """Delete a row."""
        self._deletes.append((lambda write: write.delete(row, condition=condition), otherwise))

    def create(self, row: Model, otherwise: Exception | None = None) -> None:
        """Put a row that must not exist yet."""
        self._puts.append((lambda write: write.save(row, condition=_ABSENT), otherwise))

    def put(self, row: Model) -> None:
        """Put a row whatever was there: for definitions, which are written whole."""
        self._puts.append((lambda write: write.save(row), None))

    def replace(self, row: Model, condition: Condition, otherwise: Exception | None = None) -> None:
        """Put a whole row in place of one that meets the condition."""
        self._puts.append((lambda write: write.save(row, condition=condition), otherwise))

    def update(
        self,
        row: Model,
        actions: Iterable[Action],
        condition: Condition | None = None,
        otherwise: Exception | None = None,
    ) -> None:
        """Change attributes of the row with this key."""
        changes = list(actions)
        self._updates.append((lambda write: write.update(row, actions=changes, condition=condition), otherwise))

    def commit(self) -> None:
        """Write everything or nothing. Raises an action's `otherwise`, Stale, or Unavailable."""
        steps = [*self._checks, *self._deletes, *self._puts, *self._updates]
        if not steps:
            return  # DynamoDB refuses an empty transaction
        try:
            with TransactWrite(connection=base.connection) as write:
                for add, _ in steps:
                    add(write)
        except TransactWriteError as failure:
            raise self._meaning_of(failure, [otherwise for _, otherwise in steps]) from failure

    def commit_new(self, already: str) -> None:
        """Commit what must not exist yet; raises Conflict with this sentence if it does."""
        try:
            self.commit()
        except Stale as there:
            raise Conflict(already) from there

    @staticmethod
    def _meaning_of(failure: TransactWriteError, otherwise: list[Exception | None]) -> Exception:
        if base.code_of(failure) in _CONFLICT_ERRORS:
            return Stale()
        reasons = list(failure.cancellation_reasons)
        failed = {reason.code for reason in reasons if reason}
        if not failed or failed - _STALE_CODES:
            return Unavailable("The change could not be written.")
        for reason, named in zip(reasons, otherwise, strict=True):
            if reason and reason.code == "ConditionalCheckFailed" and named:
                return named
        return Stale()


def retried(change: Callable[P, T]) -> Callable[P, T]:
    """Run a read-judge-commit function again when what it read was stale, with a short random pause in between."""

    @wraps(change)
    def attempt(*args: P.args, **kwargs: P.kwargs) -> T:
        for number in range(ATTEMPTS):
            try:
                return change(*args, **kwargs)
            except Stale:
                time.sleep(random.uniform(0, 0.01 * 2**number))
        raise _exhausted()

    return attempt


def _exhausted() -> Refusal:
    return Conflict("Others changed the same records at the same time, again and again.")
