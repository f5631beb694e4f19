"""How long the deployed API takes to import: what a cold start pays before its first request."""

import subprocess
import sys
import zipfile
from tempfile import TemporaryDirectory

from infrastructure import REGION
from infrastructure.package import Artefact

LIBRARIES = "chalice, pynamodb.models, aws_lambda_powertools.logging, msgspec"
"""What the API cannot do without: the part of its import that is not ours."""

RUNS = 7


def import_milliseconds(artefact: Artefact) -> list[tuple[float, float]]:
    """Processor times of importing the API from the zip, and of its libraries alone, in fresh processes taken in turn."""
    with TemporaryDirectory() as folder:
        with zipfile.ZipFile(artefact.zip) as archive:
            archive.extractall(folder)
        _once(folder, "app")  # reads the files into memory, which is no import's fault
        return [(_once(folder, "app"), _once(folder, LIBRARIES)) for _ in range(RUNS)]


def _once(folder: str, modules: str) -> float:
    """A Python that sees the zip and nothing else, as Lambda's does."""
    python = getattr(sys, "_base_executable", sys.executable)
    code = (
        f"import sys; sys.path.insert(0, {folder!r})\n"
        f"import time; began = time.process_time()\nimport {modules}\nprint((time.process_time() - began) * 1000)"
    )
    told = {"AWS_REGION": REGION, "AWS_DEFAULT_REGION": REGION}
    done = subprocess.run([python, "-I", "-S", "-c", code], env=told, capture_output=True, check=True)
    return float(done.stdout)
