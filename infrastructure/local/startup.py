"""How long the deployed API takes to import: what a cold start pays before its first request."""

import subprocess
import sys
import zipfile
from tempfile import TemporaryDirectory

from infrastructure import REGION
from infrastructure.package import Artefact

LIBRARIES = "chalice, pynamodb.models, aws_lambda_powertools.logging, msgspec"
"""What the API cannot do without: the part of its import that is not ours."""

RUNS = 11


def import_milliseconds(artefact: Artefact) -> list[tuple[float, float]]:
    """Processor times of importing the API from the zip, and of its libraries alone, each pair in a fresh process.

    The libraries come first and the rest of the API after them, so that what is ours is measured and not the difference between two
    processes, of which each has its own noise.
    """
    with TemporaryDirectory() as folder:
        with zipfile.ZipFile(artefact.zip) as archive:
            archive.extractall(folder)
        _once(folder)  # reads the files into memory, which is no import's fault
        return [_once(folder) for _ in range(RUNS)]


def _once(folder: str) -> tuple[float, float]:
    """A Python that sees the zip and nothing else, as Lambda's does."""
    python = getattr(sys, "_base_executable", sys.executable)
    code = (
        f"import sys; sys.path.insert(0, {folder!r})\n"
        f"from time import process_time; began = process_time()\nimport {LIBRARIES}\nlibraries = process_time()\n"
        "import app\nprint((process_time() - began) * 1000, (libraries - began) * 1000)"
    )
    told = {"AWS_REGION": REGION, "AWS_DEFAULT_REGION": REGION}
    done = subprocess.run([python, "-I", "-S", "-c", code], env=told, capture_output=True, check=True)
    whole, libraries = map(float, done.stdout.split())
    return whole, libraries
