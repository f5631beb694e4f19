"""Make the deployment artefact of a stage: a CloudFormation template and the zip that all its functions share.

Chalice does the work; this module finishes it. It merges `infrastructure/template.yaml`, keeps of the packages what a Lambda reads
(`what_ships.py`), and writes down which module holds which route. An artefact is kept under `.build/<stage>/` and made again
only if one of its inputs has changed.
Run as `python -m infrastructure.package --stage dev`.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml

from infrastructure import REGION, ROOT, Failure, tool, what_ships

BUILD = ROOT / ".build"
INPUTS = (
    "app.py",
    "chalicelib",
    "requirements.txt",
    ".chalice/config.json",
    ".chalice/policy-*.json",
    "infrastructure/package.py",
    "infrastructure/template.yaml",
    "infrastructure/what_ships.py",
)

MODULES_OF_PATHS = "chalicelib/handlers/modules_of_paths.json"
EARLIEST_ZIP_DATE = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Artefact:
    """What CloudFormation needs for one stage, and the digest of all that it was made from."""

    template: Path
    zip: Path
    digest: str

    def template_body(self) -> dict[str, object]:
        """The template as CloudFormation reads it."""
        return dict(json.loads(self.template.read_text()))

    def size_mb(self) -> float:
        """Size of the zip in megabytes (10^6 bytes)."""
        return self.zip.stat().st_size / 1e6


class PackagingFailed(Failure):
    """Chalice could not package the application."""


def package(stage: str) -> Artefact:
    """The artefact of a stage, made from the working copy or reused if nothing it depends on has changed."""
    folder = BUILD / stage
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # tests and a run may want it at the same time
        return _make_or_reuse(stage, folder)


def _make_or_reuse(stage: str, folder: Path) -> Artefact:
    artefact = Artefact(folder / "template.json", folder / "deployment.zip", _digest(stage))
    mark = folder / "digest"
    if mark.exists() and mark.read_text() == artefact.digest:
        return artefact
    mark.unlink(missing_ok=True)
    with TemporaryDirectory(dir=BUILD) as work:
        made = Path(work) / "made"
        _run_chalice(stage, made)
        artefact.template.write_text(json.dumps(_template(made / "sam.yaml"), indent=1))
        _finish_zip(made / "deployment.zip", Path(work) / "code", artefact.zip)
    mark.write_text(artefact.digest)
    return artefact


def lint(artefact: Artefact) -> str:
    """What cfn-lint, which expands the SAM transform first, says against the template; empty if nothing."""
    mark = artefact.template.with_name("linted")
    if mark.exists() and mark.read_text() == artefact.digest:
        return ""
    command = [tool("cfn-lint"), "--regions", REGION, "--", str(artefact.template)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        mark.write_text(artefact.digest)
        return ""
    return (done.stdout + done.stderr).strip()


def _digest(stage: str) -> str:
    """Digest of the artefact's inputs. The Lambda runtime is that of the Python that packages."""
    digest = hashlib.sha256(f"{stage} {sys.version_info[:2]}".encode())
    for file in sorted(_input_files()):
        digest.update(str(file.relative_to(ROOT)).encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()


def _input_files() -> Iterator[Path]:
    for pattern in INPUTS:
        for path in ROOT.glob(pattern):
            files = path.rglob("*") if path.is_dir() else [path]
            yield from (file for file in files if file.is_file() and "__pycache__" not in file.parts)


def _run_chalice(stage: str, folder: Path) -> None:
    command = [tool("chalice"), "package", "--stage", stage]
    command += ["--merge-template", "infrastructure/template.yaml", str(folder)]
    environment = {**os.environ, "AWS_DEFAULT_REGION": REGION, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = (done.stdout + done.stderr).strip().splitlines() or ["no message"]
        raise PackagingFailed(f"Packaging failed: {lines[-1]}")


def _template(file: Path) -> dict[str, object]:
    """Chalice's template without our anchor blocks. JSON, because CloudFormation reads no YAML aliases."""
    template = yaml.safe_load(file.read_text())
    return {name: block for name, block in template.items() if not name.startswith("x-")}


def _finish_zip(source: Path, code: Path, target: Path) -> None:
    with zipfile.ZipFile(source) as archive:
        archive.extractall(code, [name for name in archive.namelist() if what_ships.ships(name)])
    (code / MODULES_OF_PATHS).write_text(_modules_of_paths())
    _python("-X", "no_debug_ranges", "-m", "infrastructure.what_ships", str(code))
    half_written = target.with_suffix(".part")
    with zipfile.ZipFile(half_written, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for file in sorted(path for path in code.rglob("*") if path.is_file()):
            # A fixed date and order: the same inputs give the same bytes, and so the same digest in S3.
            entry = zipfile.ZipInfo(str(file.relative_to(code)), EARLIEST_ZIP_DATE)
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, file.read_bytes(), zipfile.ZIP_DEFLATED)
    shutil.move(half_written, target)


def _modules_of_paths() -> str:
    """Where the routes are, so that a Lambda need not import every module to find one: told by a fresh Python that did."""
    return _python("-c", "import json, app; print(json.dumps(app.app.modules_of_paths(), sort_keys=True))")


def _python(*arguments: str) -> str:
    """What a fresh Python prints."""
    done = subprocess.run([sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise PackagingFailed(f"Packaging failed: {done.stderr.strip().splitlines()[-1]}")
    return done.stdout


def main() -> int:
    """Make the artefact, lint it, say how large it is."""
    parser = argparse.ArgumentParser(description="Make the deployment artefact of a stage.")
    parser.add_argument("--stage", choices=["dev", "prod"], default="dev")
    stage = parser.parse_args().stage
    try:
        artefact = package(stage)
    except PackagingFailed as failure:
        print(failure, file=sys.stderr)
        return 1
    findings = lint(artefact)
    if findings:
        print(f"cfn-lint on {artefact.template.relative_to(ROOT)}:\n{findings}", file=sys.stderr)
        return 1
    print(f"{artefact.template.relative_to(ROOT)}: no finding")
    print(f"{artefact.zip.relative_to(ROOT)}: {artefact.size_mb():.1f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
