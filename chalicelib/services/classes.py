"""Classes: made, changed, copied and cancelled, each in one transaction with what tells of it (domain.md §2)."""

from dataclasses import replace
from datetime import datetime

from chalicelib.domain.catalogue import owner_of
from chalicelib.domain.classes import Class, Session
from chalicelib.storage import audit
from chalicelib.storage import classes as stored
from chalicelib.storage.transaction import Transaction


def add_class(actor: str, class_: Class, now: datetime) -> None:
    """Add a class with its sessions; places are free from the start. Raises Conflict if it exists.

    A dated class without sessions gets one, from its start to its end. For what was planned elsewhere: nothing is checked.
    """
    if class_.starts_at and class_.ends_at and not class_.sessions:
        class_ = replace(class_, sessions=(Session(class_.starts_at, class_.ends_at),))
    transaction = Transaction()
    for row in stored.rows_of_class(class_):
        transaction.create(row)
    facts = {"ids": [class_.id]}
    audit.record(transaction, audit.Entry(owner_of(class_.id), actor, "class.added", now, facts=facts))
    transaction.commit_new("There is a class of this id already.")
