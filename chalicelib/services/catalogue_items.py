"""What stands in the catalogue, kept by administrators: subjects, venues, synonyms, courses and learning paths (domain.md §1)."""

from collections.abc import Iterable
from datetime import datetime

from chalicelib.domain.catalogue import Course, Subject, owner_of
from chalicelib.storage import audit, catalogue, keys, rules
from chalicelib.storage.transaction import Transaction


def add_subjects(actor: str, owner: str, subjects: Iterable[Subject], now: datetime) -> None:
    """Add subjects to an owner's catalogue, up to 90 in one transaction. Raises Conflict if one exists."""
    transaction = Transaction()
    added = list(subjects)
    for subject in added:
        transaction.create(catalogue.SubjectRow.of(owner, subject))
    rules.move_version(transaction, owner, keys.CATALOGUE)
    _audit(transaction, actor, owner, "subjects.added", now, [subject.id for subject in added])
    transaction.commit_new("One of these subjects exists already.")


def add_course(actor: str, course: Course, now: datetime) -> None:
    """Add a course with its offerings and access rules; every cache reads it again. Raises Conflict if it exists."""
    transaction = Transaction()
    for row in catalogue.rows_of_course(course):
        transaction.create(row)
    rules.move_version(transaction, owner_of(course.id), keys.CATALOGUE)
    _audit(transaction, actor, owner_of(course.id), "course.added", now, [course.id])
    transaction.commit_new("There is a course of this id already.")


def _audit(transaction: Transaction, actor: str, owner: str, action: str, now: datetime, ids: list[str]) -> None:
    audit.record(transaction, audit.Entry(owner, actor, action, now, facts={"ids": ids}))
