"""What is in the zip, how large it is, and how fast it starts."""

import re

import pytest

from infrastructure import ROOT
from infrastructure.local import startup
from infrastructure.package import SERVICES
from tests.artefact.conftest import lambda_python

LARGEST_ZIP_MB = 12
SLOWEST_IMPORT_MS = 200
LARGEST_OWN_SHARE = 0.8  # half of it is making dataclasses
HANDLERS = [f"app.{name}" for name in ("app", "relay", "mailer", "sweeper", "projector", "worker", "feeder")]


def test_the_zip_stays_within_its_budget(artefact):
    print(f"\nzip {artefact.size_mb():.1f} MB of {LARGEST_ZIP_MB}")
    assert artefact.size_mb() <= LARGEST_ZIP_MB


def test_the_apis_own_code_adds_little_to_the_import_of_its_libraries(artefact):
    """The budget of 200 ms is a machine's; what this project answers for is its own share, whatever the machine's speed."""
    # The quickest of each counts: what else runs on the machine only ever adds.
    whole, libraries = (min(times) for times in zip(*startup.import_milliseconds(artefact), strict=True))
    print(f"\nimport {whole:.0f} ms of {SLOWEST_IMPORT_MS}, of which libraries {libraries:.0f}")
    assert whole - libraries <= LARGEST_OWN_SHARE * libraries


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
