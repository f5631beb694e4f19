"""Two people, one seat; one person, two classes; reads that lag; transactions that collide."""

import pytest

from chalicelib.domain import errors
from chalicelib.domain.enrolment import Status
from chalicelib.services import catalogue, enrolment, identity, recount, roles, takeover
from chalicelib.storage import classes as stored
from chalicelib.storage.enrolment import EnrolmentRow
from chalicelib.storage.outbox import EventRow
from tests import builders as b
from tests import seams
from tests.builders import NOW


@pytest.fixture
def last_seat(aws):
    b.trust()
    b.offered(b.class_(maximum=1), b.class_("504-c2", sessions=[b.session(hour=11)]))
    b.person(1)
    b.person(2)


def actor(number):
    return identity.identify(f"504-{number}", None, NOW)


def book(number, class_id="504-c1"):
    return enrolment.enrol_myself(actor(number), class_id, NOW)


def taken(class_id="504-c1"):
    return stored.class_with_seats(class_id, consistent=True)[1].taken


def confirmed():
    return sum(row.type == "enrolment.confirmed" for row in EventRow.scan())


def no_difference():
    return list(recount.seats("504", ["504-c1", "504-c2"])) == []


def test_whoever_loses_the_last_seat_is_on_the_waiting_list(last_seat):
    with seams.before_commit(lambda: book(2)):
        assert book(1).status is Status.WAITLISTED
    assert (taken(), confirmed()) == (1, 1)
    assert no_difference()


def test_one_person_cannot_book_two_clashing_classes_at_once(last_seat):
    with seams.before_commit(lambda: book(1, "504-c2")), pytest.raises(errors.Clash):
        book(1, "504-c1")
    assert (taken("504-c1"), taken("504-c2")) == (0, 1)


def test_one_person_booking_twice_at_once_has_one_place(last_seat):
    with seams.before_commit(lambda: book(1)), pytest.raises(errors.AlreadyEnrolled):
        book(1)
    assert (taken(), confirmed()) == (1, 1)


def test_one_person_withdrawing_twice_at_once_frees_one_seat(last_seat):
    enrolled, me = book(1), actor(1)
    me_now = actor(1)
    with (
        seams.before_commit(lambda: enrolment.withdraw_myself(me_now, enrolled.id, NOW)),
        pytest.raises(errors.NotOpenToWithdraw),
    ):
        enrolment.withdraw_myself(actor(1), enrolled.id, NOW)
    assert me is not None
    assert taken() == 0
    assert no_difference()


def test_a_class_closed_while_somebody_books_takes_nobody(last_seat):
    def close():
        stored.SeatsRow.key_of("504-c1").update([stored.SeatsRow.status.set("closed")])

    with seams.before_commit(close), pytest.raises(errors.ClassNotOpen):
        book(1)
    assert taken() == 0


def test_whoever_books_while_somebody_joins_the_waiting_list_does_not_get_in_before_them(last_seat):
    def wait():
        waiting = b.enrolment(Status.WAITLISTED, person="p2")
        takeover.take_over(b.SYSTEM, "504", "p2", [], [waiting], NOW)

    with seams.before_commit(wait):
        assert book(1).status is Status.WAITLISTED
    assert taken() == 0
    assert no_difference()


def test_a_class_given_a_maximum_while_somebody_books_is_judged_again(last_seat):
    b.classes.add_class(b.SYSTEM, b.class_("504-c9", maximum=None, sessions=[b.session(b.date(2026, 12, 9))]), NOW)

    def limit():
        stored.SeatsRow.key_of("504-c9").update([stored.SeatsRow.maximum.set(1)])

    with seams.before_commit(limit):
        book(1, "504-c9")
    assert taken("504-c9") == 1


def test_dates_moved_a_moment_ago_count_although_reads_lag(last_seat):
    with seams.lagging_reads():
        row = stored.ClassRow.get("E#504#CLS#504-c1", "META", consistent_read=True)
        row.update([stored.ClassRow.enrol_until.set(b.date(2026, 11, 22))])
        with pytest.raises(errors.EnrolmentNotOpen):
            book(1)


def test_withdrawing_moves_the_revision_that_bookings_wait_for(last_seat):
    enrolled = book(1)

    def withdraw_and_book_elsewhere():
        enrolment.withdraw_myself(actor(1), enrolled.id, NOW)

    with seams.before_commit(withdraw_and_book_elsewhere), pytest.raises(errors.NotOpenToWithdraw):
        enrolment.withdraw_myself(actor(1), enrolled.id, NOW)
    revision = b.workforce.people.BookingRow.get("P#p1", "BOOK").revision
    assert revision == 2


def test_reads_that_lag_can_delay_but_neither_oversell_nor_double_book(last_seat):
    with seams.lagging_reads():
        book(2)
        assert book(1).status is Status.WAITLISTED
        with pytest.raises(errors.AlreadyEnrolled):
            book(2)
    assert (taken(), confirmed()) == (1, 1)


def test_withdrawing_on_lagging_reads_frees_one_seat(last_seat):
    enrolled = book(1)
    with seams.lagging_reads():
        enrolment.withdraw_myself(actor(1), enrolled.id, NOW)
        with pytest.raises(errors.NotOpenToWithdraw):
            enrolment.withdraw_myself(actor(1), enrolled.id, NOW)
    assert taken() == 0


def test_the_guard_against_clashes_holds_for_the_second_booking_too(last_seat):
    b.offered(b.class_("504-c3", course="504-other", sessions=[b.session(b.date(2026, 12, 9))]), course_id="504-other")
    book(1, "504-c3")
    with seams.before_commit(lambda: book(1, "504-c2")), pytest.raises(errors.Clash):
        book(1, "504-c1")


def test_an_enrolment_somebody_else_has_just_changed_is_judged_again(last_seat):
    enrolled = book(1)

    def mark_as_completed():
        row = EnrolmentRow.get("P#p1", "E#504#ENR#504-c1#001")
        row.update([EnrolmentRow.status.set("completed"), EnrolmentRow.revision.set(2)])

    with seams.before_commit(mark_as_completed), pytest.raises(errors.NotOpenToWithdraw):
        enrolment.withdraw_myself(actor(1), enrolled.id, NOW)
    assert taken() == 1


def test_a_lagging_read_never_puts_an_old_catalogue_into_the_cache(last_seat):
    with seams.lagging_reads():
        b.offered(course_id="504-new", title="New course")
        assert catalogue.course_detail(actor(1), "504-new", NOW).course.title == "New course"


def test_a_lagging_read_never_puts_old_rules_into_the_cache(last_seat):
    with seams.lagging_reads():
        b.competence.require(b.SYSTEM, "504", [b.requirement(b.MOVING)], NOW)
        structure = b.workforce.Structure("Trust", [*b.UNITS, b.Unit("new", "New ward", "504")], [])
        b.workforce.define_structure(b.SYSTEM, "504", structure, NOW)
        rulebook = b.workforce.rules.rulebook("504")
    assert len(rulebook.requirements[b.requirement().target]) == 2
    assert "new" in rulebook.units


def test_a_change_of_the_nation_reaches_every_employers_cache(last_seat):
    before = b.workforce.rules.rulebook_and_catalogue("504")
    b.competence.define_competencies(b.SYSTEM, "NHS", [b.competency("NHS|CSTF|New Subject - 1 Year|")], NOW)
    b.offered(course_id="NHS-new")
    after = b.workforce.rules.rulebook_and_catalogue("504")
    assert "NHS|CSTF|New Subject - 1 Year|" in after[0].competencies.keys() - before[0].competencies.keys()
    assert "NHS-new" in after[1].courses.keys() - before[1].courses.keys()


def test_defining_the_structure_again_leaves_the_amber_window_as_it_was_set(last_seat):
    settings = b.workforce.rules.SettingsRow
    settings.get("E#504", "SETTINGS").update([settings.amber_months.set(6)])
    b.workforce.define_structure(b.SYSTEM, "504", b.workforce.Structure("Renamed", b.UNITS, []), NOW)
    assert b.workforce.rules.rulebook("504").amber_months == 6


def test_collisions_are_retried(last_seat):
    with seams.colliding_transactions(3) as left:
        book(1)
    assert left == [0]
    assert (taken(), confirmed()) == (1, 1)


def test_endless_collisions_end_in_a_conflict_that_changed_nothing(last_seat):
    with seams.colliding_transactions(100), pytest.raises(errors.Conflict):
        book(1)
    assert (taken(), confirmed()) == (0, 0)


def test_a_throttled_transaction_is_unavailable_and_changes_nothing(last_seat):
    with (
        seams.failing_calls("TransactWriteItems", "ProvisionedThroughputExceededException"),
        pytest.raises(errors.Unavailable),
    ):
        book(1)
    assert (taken(), confirmed()) == (0, 0)


def test_an_answer_lost_after_the_commit_is_found_by_the_repetition(last_seat):
    with (
        seams.failing_calls("TransactWriteItems", "InternalServerError", after=True),
        pytest.raises(errors.Unavailable),
    ):
        book(1)
    with pytest.raises(errors.AlreadyEnrolled):
        book(1)
    assert (taken(), confirmed()) == (1, 1)


def test_two_administrators_granting_at_once_leave_one_grant(last_seat):
    b.person(8, role="learning_administrator")
    b.person(9, role="learning_administrator")

    def other():
        roles.grant(actor(9), "p1", b.Role.INSTRUCTOR, [], NOW)

    with seams.before_commit(other):
        granted = roles.grant(actor(8), "p1", b.Role.INSTRUCTOR, [], NOW)
    assert granted.role is b.Role.INSTRUCTOR
    assert roles.holders(actor(8), b.Role.INSTRUCTOR, 10)[0] == [granted]
