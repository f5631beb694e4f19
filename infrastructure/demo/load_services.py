"""Loads a trust through the application's services, so that it obeys every rule.

What is there already is left alone: a load that was interrupted goes on where it stopped, and a second one changes nothing.
"""

from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime
from itertools import chain

from chalicelib.config import setting
from chalicelib.domain.catalogue import Catalogue
from chalicelib.domain.classes import Class
from chalicelib.domain.errors import Conflict
from chalicelib.domain.requirements import Rulebook, Target, TargetKind
from chalicelib.services import (
    catalogue_items,
    classes,
    competence,
    enrolment,
    exemptions,
    identity,
    projection,
    roles,
    takeover,
    workforce,
)
from chalicelib.services.workforce import Structure
from chalicelib.storage import audit, keys, learner, rules
from chalicelib.storage import catalogue as stored
from chalicelib.storage.base import Record
from chalicelib.storage.transaction import Transaction

from .load_mapping import Booking, Content, Newcomer
from .load_progress import Steps

ACTOR = "system:demo-trust"
"""Who the audit says it was."""


def load_through_services(content: Content, now: datetime, steps: Steps) -> None:
    """Structure, rules, catalogue and people with all they bring along."""
    steps.once("Rules", lambda: _define(content, now))
    steps.once("Courses", lambda: _add_courses(content, now))
    steps.each("Classes", content.classes, lambda class_: _add_class(class_, now))
    steps.each("People", content.newcomers, lambda newcomer: _welcome(newcomer, now))


def book_and_grant(content: Content, now: datetime, steps: Steps) -> None:
    """What only the services do: the bookings of the last days, and the roles that the first administrator grants."""
    steps.once("Bookings", lambda: _book_all(content.bookings))
    steps.once("Roles", lambda: _grant_all(content, now))


def project(content: Content, now: datetime, steps: Steps, *, everybody: bool) -> None:
    """See to it that snapshots and counters follow from everybody's records, or from those of whoever has just booked.

    The projector does the same where it runs; whoever comes second finds nothing to do.
    """
    booked = {each.login for each in content.bookings}
    people = [each for each in content.newcomers if everybody or each.joiner.person.login in booked]
    steps.each("Projections", people, lambda each: projection.project(each.person, content.employer, now))


# --- structure and rules ----------------------------------------------------------------------------------------------


def _define(content: Content, now: datetime) -> None:
    rulebook = rules.rulebook(content.employer)
    if not _has_structure(rulebook, content.structure):
        workforce.define_structure(ACTOR, content.employer, content.structure, now)
    for owner, planned in content.competencies.items():
        new = [each for each in planned if rulebook.competencies.get(each.name) != each]
        competence.define_competencies(ACTOR, owner, new, now)
    required = {each for rules_of_target in rulebook.requirements.values() for each in rules_of_target}
    competence.require(ACTOR, content.employer, [each for each in content.requirements if each not in required], now)


def _has_structure(rulebook: Rulebook, structure: Structure) -> bool:
    names = [(Target(TargetKind.EMPLOYER, rulebook.employer), structure.name), *structure.names]
    return all(rulebook.units.get(unit.id) == unit for unit in structure.units) and all(
        rulebook.names.get(target) == name for target, name in names
    )


# --- catalogue --------------------------------------------------------------------------------------------------------


def _add_courses(content: Content, now: datetime) -> None:
    for owner, subjects in content.subjects.items():
        with suppress(Conflict):  # there already
            catalogue_items.add_subjects(ACTOR, owner, subjects, now)
    known = rules.catalogue_now(content.employer)
    for course in content.courses:
        if course.id not in known.courses:
            catalogue_items.add_course(ACTOR, course, now)
    _add_register(content, known, now)


def _add_register(content: Content, known: Catalogue, now: datetime) -> None:
    """Venues, synonyms and learning paths that are not there yet, in one transaction."""
    synonyms = {each.id for each in known.synonyms}
    rows: list[Record] = [
        *(stored.VenueRow.of(content.employer, each) for each in content.venues if each.id not in known.venues),
        *(stored.SynonymsRow.of(content.employer, each) for each in content.synonyms if each.id not in synonyms),
        *chain.from_iterable(stored.rows_of_path(each) for each in content.paths if each.id not in known.paths),
    ]
    if not rows:
        return
    transaction = Transaction()
    for row in rows:
        transaction.create(row)
    rules.move_version(transaction, content.employer, keys.CATALOGUE)
    facts = {"ids": [row.sk for row in rows]}
    audit.record(transaction, audit.Entry(content.employer, ACTOR, "catalogue.loaded", now, facts=facts))
    transaction.commit()


def _add_class(class_: Class, now: datetime) -> None:
    with suppress(Conflict):  # there already
        classes.add_class(ACTOR, class_, now)


# --- people -----------------------------------------------------------------------------------------------------------


def _welcome(newcomer: Newcomer, now: datetime) -> None:
    """Register somebody and take over what they bring along, as far as it is not there."""
    employer = newcomer.joiner.employment.employer
    awards, enrolments, exempt = list(newcomer.awards), list(newcomer.enrolments), newcomer.exemptions
    try:
        workforce.join(ACTOR, newcomer.joiner, now)
    except Conflict:
        known = learner.learner(newcomer.person, employer, consistent=True)
        if known is None:
            raise
        held = {(each.competency, each.awarded_on, each.source) for each in known.awards}
        enrolled = {each.id for each in known.enrolments}
        awards = [each for each in awards if (each.competency, each.awarded_on, each.source) not in held]
        enrolments = [each for each in enrolments if each.id not in enrolled]
        exempt = tuple(each for each in exempt if each.competency not in {one.competency for one in known.exemptions})
    takeover.take_over(ACTOR, employer, newcomer.person, awards, enrolments, now)
    for each in exempt:
        exemptions.take_down(ACTOR, employer, newcomer.person, each, now)


def _book_all(bookings: Iterable[Booking]) -> None:
    """One after the other: who joins a waiting list is told their place on it."""
    for each in bookings:
        _book(each)


def _book(booking: Booking) -> None:
    """Book as the learner did, at that moment; once, even if the place was given back since."""
    actor = identity.identify(booking.login, None, booking.at)
    mine = actor.learner.enrolments if actor.learner else ()
    if booking.class_id not in {each.class_id for each in mine}:
        enrolment.enrol_myself(actor, booking.class_id, booking.at)


# --- roles ------------------------------------------------------------------------------------------------------------


def _grant_all(content: Content, now: datetime) -> None:
    """The first administrator, who is appointed by being asked for, grants every role; what is held stays as it is."""
    for grant in content.grants:
        administrator = identity.identify(setting("FIRST_ADMINISTRATOR"), grant.employer, now)
        roles.grant(administrator, grant.person, grant.role, grant.subjects, now)
