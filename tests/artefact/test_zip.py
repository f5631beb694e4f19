"""What is in the zip, how large it is, how fast it starts, and that what was left out is not missed."""

import io
import json
import re
import statistics

import pytest
from pypdf import PdfReader

from infrastructure import ROOT
from infrastructure.local import startup
from infrastructure.openapi import document
from infrastructure.what_ships import SERVICES
from tests.artefact.conftest import lambda_python

LARGEST_ZIP_MB = 12
SLOWEST_IMPORT_MS = 200
LARGEST_OWN_SHARE = 0.6
HANDLERS = [
    f"app.{name}" for name in ("app", "relay", "mailer", "sweeper", "projector", "worker", "feeder", "timekeeper")
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
        names |= set(re.findall(r"^\s*(?:import|from) ([\w.]+)", file.read_text(), re.MULTILINE))
    assert lambda_python(f"import {', '.join(sorted(names))}; print('all')", unzipped) == "all\n"


def test_the_zip_describes_every_service_that_the_application_calls(unzipped):
    called = set()
    for file in (ROOT / "chalicelib").rglob("*.py"):
        called |= set(re.findall(r"boto3\.(?:client|resource)\(\s*\"([\w-]+)\"", file.read_text()))
    assert called <= SERVICES
    code = f"import boto3\nfor name in {sorted(SERVICES)}: print(boto3.client(name).meta.service_model.service_name)"
    assert set(lambda_python(code, unzipped).split()) == SERVICES


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
