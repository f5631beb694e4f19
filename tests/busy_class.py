"""A class of nurses, who enrol themselves, and of porters, who ask: how it may stand when somebody does something to it."""

from datetime import timedelta

from chalicelib.domain.access import AccessMode, AccessRule
from chalicelib.domain.attendance import Mark
from chalicelib.domain.enrolment import Status
from chalicelib.domain.requirements import Target, TargetKind
from chalicelib.services import attendance, enrolment, identity
from chalicelib.storage.awards import AwardRow
from chalicelib.storage.people import AssignmentRow
from tests import builders as b
from tests.builders import NOW

NURSES = AccessRule("01", AccessMode.SELF_ENROL, (Target(TargetKind.UNIT, "surgery"),))
PORTERS = AccessRule("02", AccessMode.APPROVAL, (Target(TargetKind.UNIT, "estates"),))
START = b.session().starts_at
LATE = timedelta(minutes=2)
ASKING, INSTRUCTOR, MANAGER, ADMINISTRATOR, OTHER = 5, 7, 8, 9, 10
"""Numbers of people. 1 to 4 are nurses, who enrol themselves; 5 is a porter, who asks."""


def actor(number, at=NOW):
    return identity.identify(f"504-{number}", None, at)


def trust(maximum, **changes):
    b.trust()
    taught = {"instructor": f"p{INSTRUCTOR}", "minimum": 0, **changes}
    b.offered(b.class_(maximum=maximum, **taught), rules=(NURSES, PORTERS))
    b.offered(b.class_("504-c2", "504-lift", sessions=[b.session(hour=11)]), course_id="504-lift", grants=(b.MOVING,))
    for number in (1, 2, 3, 4, MANAGER):
        b.person(number, assignments=[b.assignment(str(number), supervisor=f"p{MANAGER}")])
    b.person(ASKING, assignments=[b.assignment(str(ASKING), "estates", supervisor=f"p{MANAGER}")])
    b.person(INSTRUCTOR, role="instructor")
    for number in (ADMINISTRATOR, OTHER):
        b.person(number, role="learning_administrator")


def joined(*numbers, at=NOW):
    for number in numbers:
        enrolment.enrol_myself(actor(number), "504-c1", at + number * timedelta(seconds=1))


def one_seat_left():
    """1 has a seat, another is free, 5 has asked for one."""
    trust(2)
    joined(1, ASKING)


def taken():
    """1 has the only seat."""
    trust(1)
    joined(1)


def full(**changes):
    """1 has the only seat, 2 and 3 wait, 5 has asked."""
    trust(1, **changes)
    joined(1, 2, 3, ASKING)


def freed(**changes):
    """As when it was full, and 1 has withdrawn: nobody has been promoted yet."""
    full(**changes)
    enrolment.withdraw_myself(actor(1), "504-c1~1", NOW)


def freed_by_need():
    """2, who needs it no more by now, stands before 3 on a list by need; nobody has ranked them again."""
    freed(by_need=True)
    AwardRow.of("p2", "504", b.award()).save()


def moving():
    """2, who is the next to get a seat, works where the course is for nobody by now; nobody has judged that yet."""
    freed()
    AssignmentRow.of("p2", "504", b.assignment("2", "504", supervisor=f"p{MANAGER}")).save()


def held():
    """1 and 2 had seats on a class that has started."""
    trust(2)
    joined(1, 2)


def marked():
    """1 has completed a class, which awarded something; 2 is still to be marked."""
    held()
    attendance.mark(actor(INSTRUCTOR), "504-c1", [Mark("p1", Status.COMPLETED)], None, START, lambda: True)
