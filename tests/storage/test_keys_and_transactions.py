"""Keys cannot be broken out of; transactions are all or nothing; cursors are ours or refused."""

import inspect
import os
import re
from datetime import UTC, date, datetime

import boto3
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.errors import Invalid
from chalicelib.storage import cursor, keys, learner
from chalicelib.storage.people import PersonRow
from chalicelib.storage.transaction import AlreadyDone, Stale, Transaction
from tests import builders as b

BUILDERS = [
    function
    for name, function in inspect.getmembers(keys, inspect.isfunction)
    if not name.startswith("_") and function.__module__ == keys.__name__
]


@pytest.mark.parametrize("builder", BUILDERS, ids=lambda builder: builder.__name__)
def test_every_builder_shows_an_example(builder):
    assert re.search(r"`[^`]+`", builder.__doc__ or "") or "shard" in builder.__doc__


@pytest.mark.parametrize("part", ["", "a#b", "#"])
def test_a_part_cannot_break_out_of_its_place(part):
    for build in (keys.person, keys.owner, keys.login):
        with pytest.raises(keys.BadKeyPart):
            build(part)
    with pytest.raises(keys.BadKeyPart):
        keys.employee_number("504", part)


def test_keys_of_different_employers_never_meet():
    days = date(2026, 1, 1)
    for build in (keys.unit_view, keys.reports_to, keys.roster, keys.membership, keys.exemption):
        arguments = (days,) if build in (keys.membership, keys.exemption) else ()
        assert build("504", "x", *arguments) != build("505", "x", *arguments)
        assert build("504", "x", *arguments).startswith("E#504#")


@given(
    st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)), st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1))
)
def test_instants_sort_as_text(first, second):
    one, two = (keys.instant(each.replace(tzinfo=UTC, microsecond=0)) for each in (first, second))
    assert (one < two) == (first.replace(microsecond=0) < second.replace(microsecond=0))


def test_undated_classes_sort_after_every_date():
    assert keys.class_sort(None, "504-e1") > keys.class_sort(datetime(2100, 1, 1, tzinfo=UTC), "504-c1")


def person(number):
    return PersonRow.of(b.Person(f"p{number}", "Sam", "Testfold"))


def count(aws_rows=PersonRow):
    return sum(1 for _ in aws_rows.scan())


def test_a_transaction_writes_everything_or_nothing(aws):
    person(1).save()
    transaction = Transaction()
    transaction.create(person(2))
    transaction.create(person(1))
    with pytest.raises(Stale):
        transaction.commit()
    assert count() == 1


def test_a_failed_condition_raises_the_exception_of_its_own_action_whatever_order_pynamodb_sends(aws):
    """PynamoDB sends checks, deletes, puts, updates; this one is declared update, put, delete, check."""
    person(1).save()
    row = person(1)
    absent = PersonRow.pk.does_not_exist()

    def attempt(failing):
        conditions = {
            name: (absent if name == failing else PersonRow.pk.exists()) for name in ("update", "delete", "check")
        }
        for number in (2, 3, 4):
            person(number).save()
        transaction = Transaction()
        transaction.update(person(2), [PersonRow.first_name.set("x")], conditions["update"], AlreadyDone("update"))
        if failing == "create":
            transaction.create(row, AlreadyDone("create"))
        else:
            transaction.create(person(9), AlreadyDone("create"))
        transaction.delete(person(3), conditions["delete"], AlreadyDone("delete"))
        transaction.check(PersonRow, "P#p4", "PROFILE", conditions["check"], AlreadyDone("check"))
        transaction.commit()

    for failing in ("update", "create", "delete", "check"):
        with pytest.raises(AlreadyDone, match=failing):
            attempt(failing)


@given(st.one_of(st.integers(0, 10**6), st.dictionaries(st.text(), st.text())))
def test_a_cursor_comes_back_as_it_was_given(position):
    assert cursor.unseal("list", cursor.seal("list", position)) == position


@given(st.text(max_size=60))
def test_no_other_text_is_a_cursor(text):
    with pytest.raises(Invalid):
        cursor.unseal("list", text)


def test_a_cursor_whose_position_was_altered_is_refused():
    sealed = cursor.seal("list", 20)
    for place in range(len(sealed)):
        changed = sealed[:place] + ("A" if sealed[place] != "A" else "B") + sealed[place + 1 :]
        if changed != sealed:
            try:
                assert cursor.unseal("list", changed) == 20  # unused bits of the last character
            except Invalid:
                continue


def test_rows_of_a_kind_that_a_reader_does_not_know_are_passed_over(aws):
    b.trust()
    b.person()
    unknown = {"pk": {"S": keys.person("p1")}, "sk": {"S": "E#504#NEW#1"}, "kind": {"S": "a kind of next year"}}
    boto3.client("dynamodb").put_item(TableName=os.environ["RECORDS_TABLE"], Item=unknown)
    assert learner.learner("p1", "504").person.id == "p1"
