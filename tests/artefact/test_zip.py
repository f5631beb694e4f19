"""What is in the zip, how large it is, how fast it starts, and that what was left out is not missed."""

import ast
import functools
import gzip
import io
import json
import re
import statistics
from pathlib import Path

import boto3
import botocore
import pytest
from botocore.model import ListShape, MapShape, ServiceModel, StructureShape
from pynamodb.connection import base as pynamodb_connection
from pypdf import PdfReader

from infrastructure import ROOT
from infrastructure.local import startup
from infrastructure.openapi import document
from infrastructure.what_ships import OPERATIONS
from tests.artefact.conftest import lambda_python

LARGEST_ZIP_MB = 12
SLOWEST_IMPORT_MS = 200
LARGEST_OWN_SHARE = 0.6
HANDLERS = [
    f"app.{name}"
    for name in ("app", "relay", "mailer", "feedback", "sweeper", "projector", "worker", "feeder", "timekeeper")
]


def test_the_zip_stays_within_its_budget(artefact):
    print(f"\nzip {artefact.size_mb():.1f} MB of {LARGEST_ZIP_MB}")
    assert artefact.size_mb() <= LARGEST_ZIP_MB


def test_the_apis_own_code_adds_little_to_the_import_of_its_libraries(artefact):
    """The budget of 200 ms is a machine's; what this project answers for is its own share, whatever the machine's speed."""
    # Of each process its own share, which another load on the machine leaves as it is, and of the shares the middle one.
    times = startup.import_milliseconds(artefact)
    share = statistics.median((whole - libraries) / libraries for whole, libraries in times)
    whole, libraries = (min(each) for each in zip(*times, strict=True))
    print(f"\nimport {whole:.0f} ms of {SLOWEST_IMPORT_MS}, of which libraries {libraries:.0f}; own share {share:.2f}")
    assert share <= LARGEST_OWN_SHARE


@pytest.mark.parametrize("handler", HANDLERS)
def test_every_handler_is_found_in_a_fresh_process(unzipped, handler):
    module, _, name = handler.partition(".")
    assert lambda_python(f"import {module}; print(callable({module}.{name}))", unzipped) == "True\n"


def test_the_handlers_are_those_of_the_template(template):
    resources = template["Resources"].values()
    assert {each["Properties"]["Handler"] for each in resources if "Handler" in each["Properties"]} == set(HANDLERS)


def test_the_zip_holds_everything_that_the_application_imports_late(unzipped):
    """Heavy libraries are imported inside the functions that need them, so that importing the app does not show a gap."""
    names = set()
    for file in (ROOT / "chalicelib").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                names.add(node.module)
    assert lambda_python(f"import {', '.join(sorted(names))}; print('all')", unzipped) == "all\n"


# --- what botocore describes ---------------------------------------------------------------------------------

ON_TABLES = {"CreateTable", "DeleteTable", "DescribeTable", "ListTables", "UpdateTable", "UpdateTimeToLive"}
MADE_OF = {
    "upload_fileobj": {
        "PutObject",
        "CreateMultipartUpload",
        "UploadPart",
        "CompleteMultipartUpload",
        "AbortMultipartUpload",
    }
}
"""Methods of boto3 that are no operation of the service."""
CALLED_BY_LAMBDA = {
    *("dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:ListStreams"),
    *("logs:CreateLogStream", "logs:PutLogEvents"),
    *("sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"),
}
"""Actions that a policy permits so that Lambda itself may fetch what starts a function, and keep its log."""
PERMITS = {
    "dynamodb:ConditionCheckItem": "TransactWriteItems",
    "s3:GetObjectVersion": "GetObject",
    "s3:ListBucket": "HeadBucket",
}
"""Actions that are not called as the operation that they permit."""


def test_the_zip_describes_just_the_operations_that_ship(unzipped):
    code = f"""
import boto3, json
print(json.dumps({{each: sorted(boto3.client(each).meta.method_to_api_mapping.values()) for each in {list(OPERATIONS)}}}))
"""
    expected = {service: sorted(operations) for service, operations in OPERATIONS.items()}
    assert json.loads(lambda_python(code, unzipped)) == expected


def test_every_operation_that_the_application_calls_ships():
    """If this fails: add the operation to OPERATIONS in what_ships.py. Without it, the call fails in Lambda alone."""
    called = _called()
    assert len(called) > 1
    assert {each for each in called if each[1] not in OPERATIONS[each[0]]} == set()


def test_every_operation_on_items_that_pynamodb_can_send_ships():
    sent = set()
    for node in ast.walk(ast.parse(Path(pynamodb_connection.__file__).read_text())):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "self.dispatch":
            sent.add(getattr(pynamodb_connection, ast.unparse(node.args[0])))
    assert sent - ON_TABLES == OPERATIONS["dynamodb"]


def test_every_operation_that_a_policy_permits_ships():
    """Nothing else can be called, but for signing in, which needs no permission."""
    permitted = set()
    for policy in (ROOT / ".chalice").glob("policy-*.json"):
        for statement in json.loads(policy.read_text())["Statement"]:
            permitted |= set(statement["Action"])
    shipped = {f"{service}:{operation}" for service, operations in OPERATIONS.items() for operation in operations}
    needed = {
        f"{action.split(':')[0]}:{PERMITS.get(action, action.split(':')[1])}" for action in permitted - CALLED_BY_LAMBDA
    }
    assert needed <= shipped


@pytest.mark.parametrize("service", OPERATIONS)
def test_an_operation_that_ships_is_described_in_full(unzipped, service):
    """As in the whole library, by botocore's own way from an operation to the fields of its answers and errors."""
    (packed,) = (Path(botocore.__file__).parent / "data" / service).glob("*/service-2.json.gz")
    (unpacked,) = (unzipped / "botocore/data" / service).glob("*/service-2.json")
    whole, shipped = (_description(text) for text in (gzip.decompress(packed.read_bytes()), unpacked.read_bytes()))
    assert {**shipped, "operations": 0, "shapes": 0} == {**whole, "operations": 0, "shapes": 0}
    assert shipped["operations"] == {name: whole["operations"][name] for name in OPERATIONS[service]}
    assert shipped["shapes"] == {name: whole["shapes"][name] for name in shipped["shapes"]}
    extras = unpacked.with_suffix(".sdk-extras.json")
    merged = json.loads(extras.read_text())["merge"]["shapes"] if extras.exists() else {}
    ours, theirs = (ServiceModel({**each, "shapes": {**each["shapes"], **merged}}) for each in (shipped, whole))
    assert _shapes_reached(ours, service) == _shapes_reached(theirs, service)


def test_every_operation_asks_and_understands_from_the_zip_what_it_does_in_the_whole_library(unzipped):
    code = f"""
import boto3, io, itertools
from botocore.awsrequest import AWSResponse
from botocore.config import Config
class Raw(io.BytesIO):
    def stream(self):
        yield self.read()
def sample(shape):
    if shape.name == "AttributeValue":
        return {{"S": "word"}}
    match shape.type_name:
        case "structure": return {{name: sample(member) for name, member in shape.members.items()}}
        case "list": return [sample(shape.member)]
        case "map": return {{"name": sample(shape.value)}}
        case "string": return (shape.enum or ["word"])[0]
        case "blob": return b"bytes"
    return 1
def answer(request, **_):
    body = request.body
    print(request.method, request.url, body.read() if hasattr(body, "read") else body)
    return AWSResponse(request.url, next(statuses), {{}}, Raw(b""))
config = Config(parameter_validation=False, retries={{"total_max_attempts": 1}})
for service, region in itertools.product({list(OPERATIONS)}, ["eu-west-2", "us-east-1"]):
    client = boto3.client(service, region, config=config, aws_access_key_id="any", aws_secret_access_key="any")
    client.meta.events.register("before-send", answer)
    for method, operation in sorted(client.meta.method_to_api_mapping.items()):
        if operation in {sorted(set().union(*OPERATIONS.values()))}:
            for status in (200, 400):
                statuses = itertools.repeat(status)
                try:
                    given = sample(client.meta.service_model.operation_model(operation).input_shape)
                    told = getattr(client, method)(**given)
                    told.pop("Body", None)  # a stream
                    print(operation, told)
                except Exception as refusal:
                    print(operation, repr(refusal))
"""
    told = lambda_python(code, unzipped)
    for service in ("email", "sqs", "dynamodb", "cognito-idp"):
        assert f"POST https://{service}.eu-west-2.amazonaws.com/" in told
    assert (
        "https://s3.eu-west-2.amazonaws.com/word/word" in told or "https://word.s3.eu-west-2.amazonaws.com/word" in told
    )
    assert told == lambda_python(code, Path(botocore.__file__).parents[1])


def test_a_file_of_any_size_is_sent_from_the_zip_and_an_upload_that_fails_is_given_up(unzipped):
    code = """
import io
from botocore.awsrequest import AWSResponse
from chalicelib.domain.errors import Unavailable
from chalicelib.storage import files
class Raw(io.BytesIO):
    def stream(self):
        yield self.read()
called, refused = [], []
def answer(request, event_name, **_):
    operation = event_name.rpartition(".")[2]
    called.append(operation)
    body = b"<_><UploadId>1</UploadId></_>" if operation == "CreateMultipartUpload" else b"<_></_>"
    return AWSResponse(request.url, 403 if operation in refused else 200, {"ETag": '"1"'}, Raw(body))
files._s3().meta.events.register("before-send.s3", answer)
files.keep_stream("short", [b"x"])
files.keep_stream("long", [bytes(2**20)] * 9)
refused.append("UploadPart")
try:
    files.keep_stream("long", [bytes(2**20)] * 9)
except Unavailable:
    called.append("Unavailable")
print(*called)
"""
    keys = {"AWS_ACCESS_KEY_ID": "any", "AWS_SECRET_ACCESS_KEY": "any", "FILES_BUCKET": "files"}
    short, start, part, complete = "PutObject", "CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload"
    expected = [short, start, part, part, complete, start, part, "AbortMultipartUpload", "Unavailable"]
    assert lambda_python(code, unzipped, keys).split() == expected


def _called():
    """The services and operations that the code names: it calls a client only as `_maker_of_the_client().method(…)`."""
    trees = [ast.parse(file.read_text()) for file in (ROOT / "chalicelib").rglob("*.py")]
    trees.append(ast.parse((ROOT / "app.py").read_text()))
    nodes = [node for tree in trees for node in ast.walk(tree)]
    makers = {
        function.name: call.args[0].value
        for function in nodes
        if isinstance(function, ast.FunctionDef)
        for call in ast.walk(function)
        if isinstance(call, ast.Call) and ast.unparse(call.func) == "boto3.client"
    }
    text = "\n".join(ast.unparse(tree) for tree in trees)
    other_ways = r"from boto3 import|boto3\.(?!client\(|s3\.transfer import)|create_client|get_paginator|get_waiter"
    assert re.findall(other_ways, text) == []
    assert text.count("boto3.client(") == len(makers)

    called, uses = set(), 0
    for node in nodes:
        # By itself on a line, it makes the client beforehand.
        uses += isinstance(node, ast.Expr) and ast.unparse(node.value).removesuffix("()") in makers
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            maker = ast.unparse(node.func.value).removesuffix("()")
            if maker in makers:
                uses += 1
                called |= {(makers[maker], operation) for operation in _operations(makers[maker], node)}
    # A client that is given a name or handed on would escape from the above.
    assert uses == sum(len(re.findall(rf"(?<!def )\b{maker}\b", text)) for maker in makers)
    return called


def _operations(service, call):
    method = call.func.attr
    if method in MADE_OF:
        return MADE_OF[method]
    if method == "generate_presigned_url":
        method = call.args[0].value
    return {_methods(service)[method]}


@functools.cache
def _methods(service):
    return boto3.client(service, region_name="eu-west-2").meta.method_to_api_mapping


def _description(text):
    """Without documentation, which nobody reads in a Lambda."""
    return json.loads(
        text,
        object_hook=lambda part: {
            name: each for name, each in part.items() if name != "documentation" or not isinstance(each, str)
        },
    )


def _shapes_reached(model, service):
    reached = {}
    # In one order for both models: what the first way to a shape adds to it is kept.
    for operation in map(model.operation_model, sorted(OPERATIONS[service])):
        waiting = [operation.input_shape, operation.output_shape, *operation.error_shapes]
        while waiting:
            shape = waiting.pop()
            if shape is None or shape.name in reached:
                continue
            reached[shape.name] = (shape.type_name, shape.metadata)
            match shape:
                case StructureShape():
                    waiting += shape.members.values()
                case ListShape():
                    waiting.append(shape.member)
                case MapShape():
                    waiting += (shape.key, shape.value)
    return reached


# --- what is imported late ------------------------------------------------------------------------------------


def test_a_route_is_imported_when_it_is_first_asked_for_and_answers_as_if_it_always_was_there(unzipped):
    """API Gateway's event for a route without a token, and for a method that the path lacks: both without a table to read."""
    code = """
import sys, app, json
def answer(method, path):
    event = {"requestContext": {"resourcePath": path, "httpMethod": method}, "httpMethod": method, "headers": {},
             "multiValueQueryStringParameters": None, "pathParameters": {"unit": "u"}, "body": None, "stageVariables": None,
             "isBase64Encoded": False}
    return app.app(event, None)["statusCode"]
before = "chalicelib.handlers.roles" in sys.modules
answers = [answer("GET", "/v1/role-grants"), answer("PATCH", "/v1/role-grants"), answer("GET", "/v1/openapi.json")]
print(json.dumps([before, "chalicelib.handlers.roles" in sys.modules, answers]))
"""
    # Whatever is logged on the way comes first.
    assert json.loads(lambda_python(code, unzipped).splitlines()[-1]) == [False, True, [401, 405, 200]]


def test_the_zip_describes_the_api_as_the_working_copy_does(unzipped):
    """Docstrings are left out but for those that the document tells."""
    code = "import app, json; from chalicelib.handlers import openapi; app.app.load_all(); print(json.dumps(openapi.document()))"
    assert json.loads(lambda_python(code, unzipped)) == document()


def test_every_route_of_the_template_is_in_the_table_of_modules(unzipped, template):
    table = json.loads((unzipped / "chalicelib/handlers/modules_of_paths.json").read_text())
    assert table.keys() == template["Resources"]["RestAPI"]["Properties"]["DefinitionBody"]["paths"].keys()
    assert all(table.values())


def test_a_register_is_written_from_the_zip_with_the_letters_of_wales_and_poland(unzipped):
    """fpdf2 without Pillow, and two thirds of fontTools left out."""
    code = """
import sys
from datetime import UTC, date, datetime
from chalicelib.documents import register
from chalicelib.domain.catalogue import Mode
from chalicelib.domain.class_list import ClassList, Listed
from chalicelib.domain.classes import Class, ClassStatus, Seats, Session
from chalicelib.domain.enrolment import Status
when = datetime(2026, 12, 1, 9, tzinfo=UTC)
session = Session(when, when.replace(hour=12))
class_ = Class("504-1", "504-fire", "room", "Diogelwch Tân i'r Tŷ", Mode.CLASSROOM, ClassStatus.NORMAL, when, when, 1, 40,
               sessions=(session,))
people = tuple(Listed(f"p{n}", f"Łucja Ŵyn {n}", f"ŵyn {n}", str(n), "Ward 9", Status.CONFIRMED, when) for n in range(40))
listing = ClassList(class_, Seats(40, 40, 0), "Fire", "Room 1", "", "Żaneta Ąk", people)
print(register(listing, when).hex())
"""
    document = PdfReader(io.BytesIO(bytes.fromhex(lambda_python(code, unzipped))))
    text = "".join(page.extract_text() for page in document.pages)
    assert len(document.pages) > 1
    for wanted in ("Diogelwch Tân i'r Tŷ", "Łucja Ŵyn 39", "Żaneta Ąk"):
        assert wanted in text


def test_bank_holidays_are_known_in_the_zip(unzipped):
    """holidays without any other country."""
    code = """
from datetime import date
from chalicelib.recurrence import bank_holiday
print(bank_holiday(date(2027, 3, 29)), bank_holiday(date(2027, 3, 30)), bank_holiday(date(2027, 12, 27)) is not None)
"""
    assert lambda_python(code, unzipped) == "Easter Monday None True\n"


def test_slips_of_the_keyboard_are_measured_by_compiled_code_in_the_zip(unzipped):
    code = """
from rapidfuzz import process
from rapidfuzz.distance import OSA
print(process.extract("resusitation", ["fire", "resuscitation"], scorer=OSA.distance, score_cutoff=2), OSA.distance.__module__)
"""
    assert lambda_python(code, unzipped) == "[('resuscitation', 1, 1)] rapidfuzz.distance.metrics_cpp\n"
