"""Rows are read quickly, and just as PynamoDB would read them."""

import json

import botocore.session
import pytest
from botocore.parsers import JSONParser
from pynamodb.exceptions import AttributeDeserializationError, AttributeNullError
from pynamodb.models import Model

from chalicelib.storage.awards import AwardRow
from chalicelib.storage.base import Record
from chalicelib.storage.classes import SeatsRow, rows_of_class
from chalicelib.storage.client import ItemParser
from chalicelib.storage.enrolment import EnrolmentRow
from chalicelib.storage.people import AssignmentRow, EmploymentRow, LoginRow, PersonRow
from tests import builders as b
from tests.seams import intercepted


def rows():
    """Rows with texts, days, instants, numbers, truth, lists and JSON, and with much that is not there."""
    learner = b.learner()
    return [
        *rows_of_class(b.class_(venue="room", only_units=("ward-9",))),
        *(AwardRow.of("1", "504", each) for each in (b.award(), b.award(level=2, expires_on=None))),
        *(EnrolmentRow.of(each) for each in (b.enrolment(), b.enrolment(attempt=2, passed_over=True, score=87.5))),
        PersonRow.of(learner.person),
        EmploymentRow.of(learner.person, learner.employment),
        *(AssignmentRow.of("1", "504", each) for each in learner.assignments),
    ]


def test_a_row_is_what_pynamodb_reads_of_its_item():
    for row in rows():
        item = row.to_dynamodb_dict()
        read, slowly = Record.from_raw_data(item), Model._instantiate.__func__(type(row), item)
        assert type(read) is type(slowly) is type(row)
        assert read.attribute_values == slowly.attribute_values
        assert read.to_dynamodb_dict() == item


def test_what_an_item_lacks_is_its_default():
    item = SeatsRow.of(b.class_(venue=None)).to_dynamodb_dict()
    del item["taken"]
    seats = SeatsRow.from_raw_data({**item, "waiting": {"NULL": True}, "something new": {"S": "that we do not know"}})
    assert (seats.taken, seats.waiting, seats.venue) == (0, 0, None)


def test_an_item_of_another_kind_or_type_is_refused():
    item = LoginRow.of("504-1", "1").to_dynamodb_dict()
    with pytest.raises(ValueError, match="LoginRow"):
        SeatsRow.from_raw_data(item)
    with pytest.raises(AttributeDeserializationError):
        LoginRow.from_raw_data({**item, "person": {"N": "1"}})


def test_a_row_is_written_as_pynamodb_would_and_not_without_what_it_needs():
    for row in rows():
        assert row._container_serialize() == Model._container_serialize(row)
    with pytest.raises(AttributeNullError):
        LoginRow("ID#504-1", "ID#504-1").get_save_kwargs_from_instance()
    with pytest.raises(ValueError, match="personn"):
        LoginRow("ID#504-1", "ID#504-1", personn="1")


def test_rows_of_any_kind_are_asked_for_without_a_list_of_kinds(aws):
    asked = []
    with intercepted(lambda _, __, request: asked.append(request) or {"Items": [], "Count": 0, "ScannedCount": 0}):
        list(Record.query("P#1"))
        list(AwardRow.query("P#1"))
    anything, awards = asked
    assert "FilterExpression" not in anything
    assert list(awards["ExpressionAttributeValues"].values()) == [{"S": "P#1"}, {"S": "award"}]


def test_the_client_gives_items_as_botocores_own_parser_does():
    model = botocore.session.get_session().get_service_model("dynamodb")
    item = {
        "pk": {"S": "P#1"},
        "number": {"N": "1.5"},
        "truth": {"BOOL": False},
        "nothing": {"NULL": True},
        "list": {"L": [{"S": "a"}, {"B": "Ynl0ZXM="}]},
        "map": {"M": {"inner": {"B": "Ynl0ZXM="}}},
        "bytes": {"B": "Ynl0ZXM="},
        "many": {"SS": ["a", "b"]},
    }
    answers = {
        "GetItem": {"Item": item},
        "Query": {"Items": [item, {}], "Count": 2, "LastEvaluatedKey": {"pk": {"S": "P#1"}}},
        "BatchGetItem": {"Responses": {"records": [item]}, "UnprocessedKeys": {}},
    }
    for operation, answer in answers.items():
        sent = {"status_code": 200, "headers": {}, "body": json.dumps(answer).encode(), "context": {}}
        shape = model.operation_model(operation).output_shape
        quick, slow = ItemParser().parse(sent, shape), JSONParser().parse(sent, shape)
        assert quick == slow
    assert slow["Responses"]["records"][0]["bytes"] == {"B": b"bytes"}


def test_the_client_parses_its_answers_with_that_parser(aws, monkeypatch):
    used = []
    parse = ItemParser.parse
    monkeypatch.setattr(ItemParser, "parse", lambda *given: used.append(type(given[0])) or parse(*given))
    list(Record.query("P#1"))
    assert used == [ItemParser]
