"""How much memory the running local service takes: the supervisor and everything that it started.

Run as `python -m infrastructure.local.memory`, beside a `make run`.
"""

from __future__ import annotations

import sys

import psutil

from infrastructure.local import settings

MEGABYTE = 1e6  # bytes


def of_tree(pid: int) -> dict[str, float]:
    """Megabytes that a process and its descendants take, by name. Shared pages are counted once, in equal parts."""
    root = psutil.Process(pid)
    return {
        _name(process): process.memory_full_info().pss / MEGABYTE for process in [root, *root.children(recursive=True)]
    }


def of_running_service() -> dict[str, float] | None:
    """The same of the `make run` that is up at this moment, or None."""
    try:
        return of_tree(int(settings.PID_FILE.read_text()))
    except (FileNotFoundError, psutil.NoSuchProcess):
        return None


def _name(process: psutil.Process) -> str:
    """The module that a process runs, e.g. `infrastructure.local.host`, and its number."""
    command = process.cmdline()
    module = command[command.index("-m") + 1] if "-m" in command else process.name()
    return f"{module} ({process.pid})"


def main() -> int:
    """Print one line a process and the sum."""
    processes = of_running_service()
    if processes is None:
        print("Nothing is running: start it with `make run`.", file=sys.stderr)
        return 1
    for name, megabytes in processes.items():
        print(f"{megabytes:7.1f} MB  {name}")
    print(f"{sum(processes.values()):7.1f} MB  together")
    return 0


if __name__ == "__main__":
    sys.exit(main())
