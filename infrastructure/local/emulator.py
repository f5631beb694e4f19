"""The emulator of AWS (ministack): one process on loopback that keeps its state in a folder.

It writes that state only when it is stopped cleanly, so it is always stopped with SIGTERM and given time to finish.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from infrastructure import REGION, ROOT, Failure
from infrastructure.local import processes

PYTHON = ROOT / ".venv-emulator" / "bin" / "python"
ACCOUNT = "000000000000"
PATIENCE = 60  # seconds until it must answer; it takes longer the more data it kept


class EmulatorFailed(Failure):
    """The emulator did not start."""


@dataclass
class Emulator:
    """An emulator that answers at a port."""

    port: int

    @property
    def endpoint(self) -> str:
        """The address of every AWS service in it."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs so that every AWS SDK in it talks to this emulator and to nothing else."""
        return environment(self.endpoint)

    def client(self, service: str, **options: Any) -> Any:
        """A boto3 client of this emulator, whatever the developer's own AWS configuration says."""
        import boto3

        keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"} | options
        return boto3.client(service, region_name=REGION, endpoint_url=self.endpoint, **keys)


@dataclass
class Started(Emulator):
    """One that this process has started, and stops."""

    process: subprocess.Popen[bytes]

    def stop(self) -> None:
        """Stop it cleanly; only then does it write its state."""
        processes.stop(self.process)


def environment(endpoint: str) -> dict[str, str]:
    """This process's environment with all AWS settings replaced by the emulator's."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return inherited | {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_REGION": REGION,
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def start(
    port: int,
    folder: Path,
    *,
    log: Path | None = None,
    smtp_port: int | None = None,
    proxies: Mapping[str, str] | None = None,
    enforce_iam: bool = False,
) -> Started:
    """Start the emulator and wait until it answers.

    `folder` holds its state and, unless `log` says otherwise, its log. Mail is relayed to `smtp_port`. `proxies` maps
    the name of a Lambda function to the address that answers its invocations in place of the deployed code.
    """
    state, temporary = folder / "state", folder / "tmp"
    for path in (state, temporary):
        path.mkdir(parents=True, exist_ok=True)
    _forget_stream_positions(state)
    settings = {
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "MINISTACK_HOST": "127.0.0.1",
        "MINISTACK_REGION": REGION,
        "PERSIST_STATE": "1",
        "STATE_DIR": str(state),
        "S3_PERSIST": "1",
        "S3_DATA_DIR": str(state / "s3"),
        "TMPDIR": str(temporary),
        "LOG_LEVEL": "WARNING",
        "SFTP_ENABLED": "0",
        "IOT_MTLS_ENABLED": "0",
        "AUTH": "true" if enforce_iam else "false",
    }
    if smtp_port:
        settings["SMTP_HOST"] = f"127.0.0.1:{smtp_port}"
    for function, address in (proxies or {}).items():
        settings[f"MINISTACK_LAMBDA_PROXY_{function}"] = address
    log = log or folder / "emulator.log"
    process = processes.start([str(PYTHON), "-m", "ministack"], _little_environment() | settings, log, folder)
    emulator = Started(port, process)
    _wait_until_ready(emulator, log)
    return emulator


def _little_environment() -> dict[str, str]:
    """The little that any process needs: functions that run inside the emulator inherit all that it is given."""
    return {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG", "LC_ALL")}


@contextlib.contextmanager
def private(**options: Any) -> Iterator[Started]:
    """An emulator of its own on a free port, with nothing in it, that is gone afterwards: for tests and benchmarks."""
    with TemporaryDirectory(prefix="emulator-") as folder:
        emulator = start(processes.free_port(), Path(folder), **options)
        try:
            yield emulator
        finally:
            processes.stop(emulator.process, patience=10)  # nothing is kept; it waits for functions, which wait for it


def _forget_stream_positions(state: Path) -> None:
    """Let every stream be read from its start.

    The emulator keeps how far each stream was read, but not the stream, which starts again at zero. Left alone, it would
    pass over as many new records as were read before.
    """
    file = state / "lambda.json"
    if file.exists():
        saved = json.loads(file.read_text())
        saved["payload"].pop("dynamodb_stream_positions", None)
        file.write_text(json.dumps(saved))


def _wait_until_ready(emulator: Started, log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while emulator.process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(urllib.error.URLError, ConnectionError, TimeoutError):
            urllib.request.urlopen(f"{emulator.endpoint}/_ministack/ready", timeout=2).close()
            return
        time.sleep(0.05)
    ended = emulator.process.poll() is not None
    emulator.stop()
    why = processes.last_line(log) if ended else f"no answer within {PATIENCE} s"
    raise EmulatorFailed(f"The emulator did not start: {why} (see {log})")
