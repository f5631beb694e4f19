"""Ask for known vulnerabilities of every pinned package. Offline, say so and carry on.

Run as `python -m infrastructure.audit`.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from infrastructure import ROOT, tool

COMMAND = ["-r", "constraints.txt", "--no-deps", "--disable-pip", "--progress-spinner", "off", "--format", "json"]


def main() -> int:
    """0 if nothing is known against any package, or if the service that knows cannot be reached."""
    done = subprocess.run([tool("pip-audit"), *COMMAND], cwd=ROOT, capture_output=True, text=True, check=False)
    try:
        packages: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except ValueError:
        packages = []
    vulnerable = [package for package in packages if package.get("vulns")]
    unknown = [package for package in packages if "skip_reason" in package]
    for package in vulnerable:
        for flaw in package["vulns"]:
            mended = ", ".join(flaw["fix_versions"]) or "no version yet"
            print(f"{package['name']} {package['version']}: {flaw['id']}, mended in {mended}", file=sys.stderr)
    if len(unknown) == len(packages):
        print(
            "Warning: known vulnerabilities were NOT checked: the service that knows them cannot be reached from here."
        )
    else:
        print(
            f"Known vulnerabilities: {len(vulnerable)} of {len(packages)} packages; {len(unknown)} unknown to the service."
        )
    return 1 if vulnerable else 0


if __name__ == "__main__":
    sys.exit(main())
