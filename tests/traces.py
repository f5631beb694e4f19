"""What changes have left behind, to be compared between runs: nothing of it depends on when or how often they were tried."""

from collections import Counter, defaultdict
from itertools import pairwise

from chalicelib.domain.enrolment import MOVES, OPEN, SEATED, Status
from chalicelib.services import recount
from chalicelib.storage.attendance import AbsenceRow
from chalicelib.storage.audit import AuditRow
from chalicelib.storage.awards import AwardRow
from chalicelib.storage.base import Record
from chalicelib.storage.classes import SeatsRow
from chalicelib.storage.enrolment import EnrolmentRow
from chalicelib.storage.external_training import ExternalTrainingRow
from chalicelib.storage.outbox import EventRow
from chalicelib.storage.timers import TimerRow

UNCHANGING = frozenset({"enrolment.changed", "enrolment.passed-over", "enrolment.ranked", "enrolment.moved"})
"""Audited or told, though the state stays the same."""
APPROVED = "enrolment.approved"
"""Told beside what comes of it."""


class Traces:
    """Everything there is, read once.

    `found` is, by person: enrolments with their histories, awards, absences, external training, and how often which event and which
    audit entry is there. By class: its seats. By employer: the timers.
    """

    def __init__(self):
        self._enrolments = []
        self._audit = [row for row in AuditRow.scan() if row.person_pk]
        self._events = list(EventRow.scan())
        found = defaultdict(list)
        for row in Record.scan():
            person = row.pk.removeprefix("P#")
            match row:
                case EnrolmentRow():
                    self._enrolments.append(row.enrolment())
                    found[person].append(_of(row.enrolment()))
                case AwardRow():
                    award = row.award()
                    found[person].append((award.competency, award.level, award.void, str(award.awarded_on)))
                case AbsenceRow():
                    found[row.person].append(("absent", row.class_id, int(row.attempt)))
                case ExternalTrainingRow():
                    found[person].append(("external training", row.status, int(row.revision)))
                case SeatsRow():
                    found[row.pk].append(("seats", int(row.taken), int(row.waiting), row.maximum, row.status))
                case TimerRow():
                    found[row.pk].append((str(row.at), row.sk))
        for row in self._events:
            if whose := row.person or row.data.get(
                "person"
            ):  # a reminder is about somebody, and no change of their records
                found[whose].append(("event", row.type))
        for row in self._audit:
            found[row.person_pk.removeprefix("P#")].append(("audit", row.action, row.actor))
        self.found = {whose: tuple(sorted(map(repr, each))) for whose, each in found.items()}

    def check(self, employer="504"):
        """What always holds: seats are what counting gives, nobody is on a class twice or in two places at once, and every change
        is one that can happen, in the history, and told and audited once.
        """
        live, confirmed, history, audited = Counter(), defaultdict(list), Counter(), Counter()
        for each in self._enrolments:
            live[each.person, each.class_id] += each.status in OPEN | SEATED
            states = [None, *(row.status for row in each.history)]
            for before, after in pairwise(states):
                assert after in MOVES[before], (each.id, before, after)
            assert states[-1] is each.status
            history.update((each.person, each.id, row.status.value, row.by) for row in each.history)
            if each.status is Status.CONFIRMED:
                assert not any(other.overlaps(each) for other in confirmed[each.person]), each.person
                confirmed[each.person].append(each)
        for row in self._audit:
            if row.action.startswith("enrolment.") and row.action not in UNCHANGING:
                audited[row.person_pk[2:], row.facts["enrolment"], row.facts["status"], row.actor] += 1
        assert audited == history
        told = Counter(
            (row.person, row.data["enrolment"])
            for row in self._events
            if row.type.startswith("enrolment.") and row.type not in {*UNCHANGING, APPROVED}
        )
        assert told == Counter((person, enrolment) for person, enrolment, *_ in history.elements())
        assert max(live.values(), default=0) <= 1
        assert list(recount.seats(employer, {each.class_id for each in self._enrolments})) == []


def _of(enrolment):
    return (
        enrolment.id,
        enrolment.status.value,
        [(row.status.value, row.by) for row in enrolment.history],
        enrolment.approver,
        enrolment.passed_over,
        enrolment.need,
        enrolment.counted,
        enrolment.post,
        enrolment.overridden,
        enrolment.score,
    )
