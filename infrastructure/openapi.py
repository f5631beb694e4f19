"""The committed OpenAPI document: written from the routes, and compared with them.

python -m infrastructure.openapi            write docs/openapi.json
python -m infrastructure.openapi --check    fail, naming the first difference, if the routes say something else
"""

import argparse
import difflib
import json
import sys

import app as _routes  # noqa: F401  importing the app declares every route
from chalicelib.handlers.openapi import document
from infrastructure import ROOT

PATH = ROOT / "docs" / "openapi.json"
SHOWN = 20


def rendered() -> str:
    """The document of the routes as they are now."""
    return json.dumps(document(), indent=2, ensure_ascii=False) + "\n"


def main() -> int:
    """Write or compare; 1 if they differ."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    now = rendered()
    if not parser.parse_args().check:
        PATH.write_text(now)
        return 0
    committed = PATH.read_text() if PATH.exists() else ""
    changes = list(difflib.unified_diff(committed.splitlines(), now.splitlines(), "committed", "routes", lineterm=""))
    if changes:
        print(
            "docs/openapi.json is not what the routes say; run `.venv/bin/python -m infrastructure.openapi` and commit it.",
            file=sys.stderr,
        )
        print("\n".join(changes[:SHOWN]), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
