"""Load the demo trust into the deployed tables and user pool.

    python -m infrastructure.demo.load --staff 500

It takes the environment of the deployed functions, and beside it USER_POOL_ID. What it tells the local runtime it writes to
DEMO_FILE. Interrupted, it goes on where it stopped when it is run again; run once more, it changes nothing.
"""

import argparse
import json
import os
import sys
from datetime import UTC, date, datetime
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console

from chalicelib.config import MissingSetting
from chalicelib.domain.calendar import london_day
from chalicelib.domain.errors import Refusal
from chalicelib.storage import rules
from chalicelib.storage.base import StorageError
from infrastructure import ROOT, Failure

from . import trust as plan
from .facts import MOST_STAFF, Facts
from .load_bulk import load_in_bulk
from .load_check import Findings, check
from .load_mapping import Content, map_trust
from .load_progress import Steps
from .load_services import book_and_grant, load_through_services, project
from .load_sign_ins import register, sign_ins_of, what_to_tell
from .plan import DEFAULT_STAFF, LEAST_STAFF, plan_trust, staff_number
from .reading import load_facts

MOST_THROUGH_SERVICES = 1_000
"""A larger trust is written in bulk: the services make two transactions for each person."""

WORKERS = 3
REASONS_IN_ONE_LINE = (Failure, MissingSetting, Refusal, StorageError, BotoCoreError, ClientError)


class NotLoaded(Failure):
    """Why the trust cannot be loaded, or what is wrong with it."""


def load(trust: plan.Trust, now: datetime, steps: Steps, *, in_bulk: bool) -> Content:
    """Load a planned trust, all but its sign-ins."""
    content = map_trust(trust)
    rules.forget()
    (load_in_bulk if in_bulk else load_through_services)(content, now, steps)
    book_and_grant(content, now, steps)
    project(content, now, steps, everybody=not in_bulk)
    return content


def run(staff: int, now: datetime, demo_file: Path, console: Console) -> None:
    """Load a trust of so many staff with its sign-ins, check it, and write what to tell."""
    facts = load_facts()
    trust = plan_trust(staff, today=day_of_plan(staff, facts, london_day(now), demo_file), facts=facts)
    console.print(f"Loading {trust.name} ({trust.employer_code}) with {staff:,} staff")
    steps = Steps(console, WORKERS)
    content = load(trust, now, steps, in_bulk=staff > MOST_THROUGH_SERVICES)
    sign_ins = sign_ins_of(trust)
    steps.once("Sign-ins", lambda: register(sign_ins))
    findings = check(content, now, steps)
    console.print(_summary(content, findings))
    if not findings.sound:
        raise NotLoaded("what was loaded is not what was planned. Start over with `make reset`.")
    demo_file.write_text(json.dumps(what_to_tell(trust, content, sign_ins, now), indent=2))


def day_of_plan(staff: int, facts: Facts, today: date, demo_file: Path) -> date:
    """The day the trust is planned for: today, or the day on which an earlier load of the same trust began."""
    note = demo_file.with_name("demo-plan.json")
    if not rules.rulebook(facts.organisation.employer.code).units:
        note.parent.mkdir(parents=True, exist_ok=True)
        note.write_text(json.dumps({"staff": staff, "day": today.isoformat()}))
        return today
    begun = json.loads(note.read_text()) if note.exists() else {}
    if begun.get("staff") != staff:
        raise NotLoaded("the tables hold another trust already. Start over with `make reset`.")
    return date.fromisoformat(begun["day"])


def _summary(content: Content, findings: Findings) -> str:
    assignments = sum(len(each.joiner.assignments) for each in content.newcomers)
    return (
        f"  {len(content.newcomers):,} people, {assignments:,} assignments, {len(content.classes):,} classes; "
        f"{findings.compliance.percent} % compliant, {len(findings.incomplete)} incomplete of {findings.sampled:,} read back; "
        f"{len(findings.seats)} differences in the seats counted again and {len(findings.units)} in the units"
    )


def main() -> int:
    """Read the command line and load; 0 if all went well."""
    parser = argparse.ArgumentParser(description="Load the demo trust.")
    parser.add_argument("--staff", type=staff_number, default=DEFAULT_STAFF, help=f"{LEAST_STAFF} to {MOST_STAFF}")
    staff: int = parser.parse_args().staff
    console = Console(highlight=False, soft_wrap=True)
    try:
        run(staff, datetime.now(UTC), Path(os.environ.get("DEMO_FILE", ROOT / ".local" / "demo.json")), console)
    except KeyboardInterrupt:
        console.print("Interrupted: run it again and it goes on.")
        return 130
    except REASONS_IN_ONE_LINE as reason:
        console.print(f"[red]✗[/] The demo trust could not be loaded: {reason}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
