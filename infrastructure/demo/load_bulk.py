"""Loads a large trust by writing its rows directly, in batches of 25: the same rows that services and projector write.

Whoever does this counts seats and units again afterwards (`load_check.py`). It leaves one entry in the audit instead of one for
each change, and no events.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from itertools import chain

from chalicelib.domain import approvals
from chalicelib.domain.attendance import absence
from chalicelib.domain.calendar import london_day
from chalicelib.domain.classes import Class
from chalicelib.domain.enrolment import Status
from chalicelib.domain.exemptions import Granted
from chalicelib.domain.learner import Learner
from chalicelib.domain.message_settings import MessageSettings
from chalicelib.domain.people import NATIONAL
from chalicelib.domain.projection import Snapshot, facts_of, judge
from chalicelib.services.approvals import timer_of
from chalicelib.storage import audit, catalogue, classes, keys, people, projection, rules
from chalicelib.storage.attendance import AbsenceRow
from chalicelib.storage.awards import AwardRow, ExemptionRow
from chalicelib.storage.base import Record
from chalicelib.storage.classes import SeatsRow
from chalicelib.storage.enrolment import EnrolmentRow
from chalicelib.storage.timers import TimerRow
from chalicelib.storage.transaction import Transaction

from .load_mapping import Content, Newcomer
from .load_progress import Steps
from .load_services import ACTOR

ROWS_A_BATCH = 500
"""Rows written by one worker at a time; DynamoDB takes 25 of them in a call."""


def load_in_bulk(content: Content, now: datetime, steps: Steps) -> None:
    """Write all rows, then the versions: they say that everything is there.

    Rows have natural keys, so that an interrupted load writes them again with nothing counted twice; once the versions are
    there, nothing is written any more.
    """
    if rules.rulebook_version(content.employer).own:
        return
    steps.once("Rules", lambda: _write([*_definitions(content), *_catalogue(content)]))
    steps.once("Classes", lambda: _write(_classes(content, now)))
    by_id = {each.id: each for each in content.classes}
    steps.each("People", content.newcomers, lambda newcomer: _write(_rows_of(newcomer, by_id, now)))
    steps.each("Snapshots", list(_batches(projection.first_rows(_snapshots(content, london_day(now))))), _write)
    steps.once("Versions", lambda: _finish(content, now))


def _write(rows: Sequence[Record]) -> None:
    with Record.batch_write() as batch:
        for row in rows:
            batch.save(row)


def _definitions(content: Content) -> list[Record]:
    employer, structure = content.employer, content.structure
    return [
        rules.settings_row(employer, structure.name),
        *(rules.UnitRow.of(employer, unit) for unit in structure.units),
        *(rules.NamedRow.of(employer, target, name) for target, name in structure.names),
        *(rules.CompetencyRow.of(owner, each) for owner, own in content.competencies.items() for each in own),
        *(rules.RequirementRow.of(employer, each) for each in content.requirements),
    ]


def _catalogue(content: Content) -> list[Record]:
    subjects = [catalogue.SubjectRow.of(owner, subject) for owner, own in content.subjects.items() for subject in own]
    return [
        *subjects,
        *(catalogue.VenueRow.of(content.employer, each) for each in content.venues),
        *(catalogue.SynonymsRow.of(content.employer, each) for each in content.synonyms),
        *chain.from_iterable(catalogue.rows_of_path(path) for path in content.paths),
        *chain.from_iterable(catalogue.rows_of_course(course) for course in content.courses),
    ]


def _classes(content: Content, now: datetime) -> list[Record]:
    """The classes with the seats that the enrolments take, who waits, and what rings before them."""
    enrolments = [each for newcomer in content.newcomers for each in newcomer.enrolments]
    taken = Counter(each.class_id for each in enrolments if each.seated)
    waiting = Counter(each.class_id for each in enrolments if each.status is Status.WAITLISTED)
    rows: list[Record] = []
    for class_ in content.classes:
        for row in classes.rows_of_class(class_):
            if isinstance(row, SeatsRow):
                row.taken, row.waiting = taken[class_.id], waiting[class_.id]
            rows.append(row)
        if ahead := classes.ahead_of(class_, MessageSettings(), now):
            rows.append(TimerRow.of(ahead))
    return rows


def _rows_of(newcomer: Newcomer, classes_by_id: Mapping[str, Class], now: datetime) -> list[Record]:
    joiner = newcomer.joiner
    employer = joiner.employment.employer
    learner = _learner(newcomer)
    absences = (absence(each, learner, classes_by_id[each.class_id]) for each in newcomer.enrolments)
    requests = (each for each in newcomer.enrolments if each.status is Status.REQUESTED)
    return [
        *people.rows_of_joiner(joiner.person, joiner.employment, joiner.assignments, joiner.memberships),
        *(AwardRow.of(newcomer.person, employer, each) for each in newcomer.awards),
        *(ExemptionRow.of(newcomer.person, employer, Granted(each, ACTOR, now)) for each in newcomer.exemptions),
        *(EnrolmentRow.of(each) for each in newcomer.enrolments),
        *(AbsenceRow.of(each) for each in absences if each),
        *(TimerRow.of(timer_of(each, step, at)) for each in requests for step, at in approvals.steps(each)),
    ]


def _learner(newcomer: Newcomer) -> Learner:
    joiner = newcomer.joiner
    return Learner(
        person=joiner.person,
        employer=joiner.employment.employer,
        employment=joiner.employment,
        assignments=tuple(joiner.assignments),
        memberships=tuple(joiner.memberships),
        awards=newcomer.awards,
        exemptions=newcomer.exemptions,
        enrolments=newcomer.enrolments,
    )


def _snapshots(content: Content, day: date) -> Iterator[Snapshot]:
    """The compliance of everybody on a day, judged from the plan."""
    rules.forget()  # what has been read before the rules were written
    rulebook = rules.rulebook(content.employer)
    for newcomer in content.newcomers:
        yield from (judge(facts, rulebook, day) for facts in facts_of(_learner(newcomer), day))


def _batches(rows: Sequence[Record]) -> Iterator[Sequence[Record]]:
    return (rows[start : start + ROWS_A_BATCH] for start in range(0, len(rows), ROWS_A_BATCH))


def _finish(content: Content, now: datetime) -> None:
    transaction = Transaction()
    for owner in (content.employer, NATIONAL):
        for kind in (keys.RULES, keys.CATALOGUE):
            rules.move_version(transaction, owner, kind)
    rules.list_employer(transaction, content.employer)
    facts = {"people": len(content.newcomers), "classes": len(content.classes)}
    audit.record(transaction, audit.Entry(content.employer, ACTOR, "trust.loaded", now, facts=facts))
    transaction.commit()
