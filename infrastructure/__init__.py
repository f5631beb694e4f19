"""Everything around the application: its CloudFormation template, its packaging, and the local runtime."""

import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
REGION = "eu-west-2"


class Failure(Exception):
    """Something went wrong that one line explains: it is shown to the person as it is, without a traceback."""


def tool(name: str) -> str:
    """A command of the virtual environment that this Python belongs to."""
    return str(Path(sys.executable).with_name(name))
