"""Role grants: granted, listed and revoked, with effect from the next request (architecture §2)."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from chalicelib.domain.actor import Actor
from chalicelib.domain.calendar import london_day
from chalicelib.domain.errors import FieldError, Invalid, NotFound, OwnGrant, RoleNotGrantable
from chalicelib.domain.learner import RoleGrant
from chalicelib.domain.people import NATIONAL, Person
from chalicelib.domain.permissions import GRANTABLE, Role
from chalicelib.storage import audit, keys, learner, people, rules
from chalicelib.storage.base import Record, new_id
from chalicelib.storage.cursor import going_on
from chalicelib.storage.idempotency import Idempotency
from chalicelib.storage.people import AppointmentRow, GrantRow, PersonRow
from chalicelib.storage.transaction import Stale, Transaction, retried

SYSTEM = "system:first-administrator"


def _may_grant(actor: Actor, grant: RoleGrant) -> None:
    if grant.person == actor.person:
        raise OwnGrant("Nobody grants or revokes a role of their own.")
    if grant.role not in GRANTABLE:
        raise RoleNotGrantable(
            f"{grant.role} follows from an employment or from supervising somebody.",
            way_out="Change the employment or the assignment instead.",
        )
    nationally = Role.NATIONAL_ADMINISTRATOR in actor.roles
    if (grant.role is Role.NATIONAL_ADMINISTRATOR) is not (actor.employer == NATIONAL and nationally):
        raise RoleNotGrantable(
            "National administrators are granted at employer NHS, by one of them, and no other role is.",
            way_out="Name employer NHS for a national administrator, and the employer concerned for any other role.",
        )
    if grant.subjects and grant.role is not Role.CLASS_ADMINISTRATOR:
        raise Invalid(FieldError("body.subjects", "only class administrators are limited to subjects"))
    if grant.role is Role.CLASS_ADMINISTRATOR and not grant.subjects:
        raise Invalid(FieldError("body.subjects", "a class administrator needs at least one subject"))


@retried
def grant(
    actor: Actor, person: str, role: Role, subjects: Sequence[str], now: datetime, once: Idempotency | None = None
) -> RoleGrant:
    """Give somebody a role at the actor's employer, or change the subjects of one they hold. Granting again changes nothing."""
    wanted = RoleGrant(person, actor.employer, role, tuple(sorted(set(subjects))))
    _may_grant(actor, wanted)
    at_employer = learner.learner(person, actor.employer, consistent=True)
    known = at_employer is not None or (actor.employer == NATIONAL and people.person(person) is not None)
    if not known or (at_employer and at_employer.has_left(london_day(now))):
        raise NotFound("There is no such person at this employer.", person=person)
    _check_subjects(actor.employer, subjects)
    held = {each.role: each for each in at_employer.grants} if at_employer else {}
    transaction = Transaction()
    if held.get(role) != wanted:
        transaction.replace(GrantRow.of(wanted), _unchanged(held.get(role)))
        transaction.check(PersonRow, keys.person(person), keys.PROFILE, PersonRow.pk.exists())
        _audit(transaction, actor.person, "role.granted", wanted, now)
    if once:
        once.remember(transaction, wanted, now)
    transaction.commit()
    return wanted


def _check_subjects(employer: str, subjects: Sequence[str]) -> None:
    if not subjects:
        return
    unknown = sorted(set(subjects) - set(rules.catalogue_now(employer).subjects))
    if unknown:
        raise Invalid(FieldError("body.subjects", f"{unknown[0]} is not a subject of the catalogue"))


def _unchanged(before: RoleGrant | None) -> Any:
    if before is None:
        return GrantRow.pk.does_not_exist()
    return GrantRow.subjects == list(before.subjects) if before.subjects else GrantRow.subjects.does_not_exist()


@retried
def revoke(actor: Actor, person: str, role: Role, now: datetime) -> None:
    """Take a role away at the actor's employer; the next request of that person no longer has it."""
    wanted = RoleGrant(person, actor.employer, role)
    if person == actor.person:
        raise OwnGrant("Nobody grants or revokes a role of their own.")
    if role is Role.NATIONAL_ADMINISTRATOR and Role.NATIONAL_ADMINISTRATOR not in actor.roles:
        raise RoleNotGrantable("Only the national administrator revokes this role.")
    at_employer = learner.learner(person, actor.employer, consistent=True)
    if at_employer is None or role not in {each.role for each in at_employer.grants}:
        raise NotFound("This person does not hold this role here.", person=person, role=role.value)
    transaction = Transaction()
    transaction.delete(GrantRow.of(wanted), GrantRow.pk.exists())
    _audit(transaction, actor.person, "role.revoked", wanted, now)
    transaction.commit()


def holders(actor: Actor, role: Role, limit: int, after: Any = None) -> tuple[list[RoleGrant], Any]:
    """A page of who holds a role at the actor's employer, and where to go on."""
    pk = keys.grant(actor.employer, role)
    query = Record.gsi1.query(pk, limit=limit, last_evaluated_key=going_on(after, "gsi1pk", pk))
    page = [row.grant() for row in query if isinstance(row, GrantRow)]
    return page, query.last_evaluated_key


def limited_to(employer: str, subject: str) -> list[str]:
    """The class administrators of an employer who are limited to a subject, by person. May lag a moment."""
    rows = Record.gsi1.query(keys.grant(employer, Role.CLASS_ADMINISTRATOR))
    grants = (row.grant() for row in rows if isinstance(row, GrantRow))
    return [each.person for each in grants if subject in each.subjects]


def appoint_first_administrator(login: str, known: str | None, now: datetime) -> str | None:
    """Make the login that the deployment names the national administrator, once in the life of an installation.

    `known` is the person who has this login already, if anybody. Returns the person's id; None if the first administrator was
    appointed before (the parameter no longer has an effect, so that revoking the grant lasts).
    """
    person = Person(known or new_id(now), "First", "Administrator", login=login)
    appointed = RoleGrant(person.id, NATIONAL, Role.NATIONAL_ADMINISTRATOR)
    transaction = Transaction()
    transaction.create(AppointmentRow.new())
    for row in [] if known else people.rows_of_person(person):
        transaction.create(row)
    transaction.create(GrantRow.of(appointed))
    _audit(transaction, SYSTEM, "role.granted", appointed, now)
    try:
        transaction.commit()
    except Stale:
        return None
    return person.id


def _audit(transaction: Transaction, actor: str, action: str, grant: RoleGrant, now: datetime) -> None:
    facts = {"role": grant.role.value, "subjects": list(grant.subjects)}
    audit.record(transaction, audit.Entry(grant.employer, actor, action, now, grant.person, facts))
