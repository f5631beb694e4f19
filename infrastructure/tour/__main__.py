"""Play the tour on the running stack, wait for its mail, and show which message came how often.

python -m infrastructure.tour
"""

from __future__ import annotations

import json
import os
import sys
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from infrastructure import Failure
from infrastructure.local import settings
from infrastructure.local.desk.mailbox import Mail, Mailbox

from .stack import Stack

NUMBERS = [f"N{number}" for number in range(1, 25)]
"""Every message of domain.md §9."""

ONCE_A_DAY = "N24"

KIND = "X-ESR-Message"
"""The header of an e-mail that says which of them it brings: one, or all that a digest gathers."""


def main() -> int:
    """Play all stories; 1 if a message of the catalogue did not come."""
    console = Console(highlight=False)
    try:
        mails = by_number(play(console))
    except Failure as failure:
        console.print(f"[red]✗[/] {failure}", soft_wrap=True)
        return 1
    console.print(table(mails))
    console.print(f"Read them: {settings.DESK_URL}/mailbox")
    missing = [number for number in NUMBERS if number not in mails]
    if missing:
        console.print(f"[red]✗[/] Nothing came of {', '.join(missing)}.")
    return 1 if missing else 0


def play(console: Console) -> list[Mail]:
    """Play every story; the e-mails that it brought, oldest first."""
    stack = Stack()
    os.environ.update(stack.environment)
    from .cast import Cast  # the application reads the names of its tables when it is imported
    from .stories import STORIES, digest_hour

    before = set(Mailbox(settings.MAIL).names())
    cast = Cast.gather(json.loads(settings.DEMO_FILE.read_text()), datetime.now(UTC), stack)
    with Progress(console=console) as progress:
        bar = progress.add_task("", total=len(STORIES) + 1)
        for story in STORIES:
            progress.update(bar, description=(story.__doc__ or "").strip())
            story(cast)
            progress.advance(bar)
        progress.update(bar, description="What is due by now happens, and the mail goes out.")
        stack.settle()
        stack.let_time_do_its_work()
        digest_hour(cast)
        stack.settle()
        progress.advance(bar)
    mailbox = Mailbox(settings.MAIL)
    return [mail for mail in mailbox.mails(sorted(mailbox.names())) if mail.name not in before or _of_today(mail)]


def _of_today(mail: Mail) -> bool:
    """Whether it is what administrators are told once a day, and were told today by an earlier tour."""
    return ONCE_A_DAY in mail.header(KIND) and mail.at.date() == datetime.now(UTC).date()


def by_number(mails: Iterable[Mail]) -> dict[str, list[Mail]]:
    """E-mails by the messages that they bring."""
    found = defaultdict(list)
    for mail in mails:
        for number in {each for each in mail.header(KIND).replace(",", " ").split() if each in NUMBERS}:
            found[number].append(mail)
    return dict(found)


def table(mails: dict[str, list[Mail]]) -> Table:
    """Each message of the catalogue: how many e-mails, and the subject of the first."""
    shown = Table(header_style="bold", title="What the mailbox shows of domain.md §9")
    for heading in ("", "E-mails", "For example"):
        shown.add_column(heading)
    for number in NUMBERS:
        found = mails.get(number, [])
        shown.add_row(number, str(len(found)), found[0].header("Subject") if found else "[red]none[/]")
    return shown


if __name__ == "__main__":
    sys.exit(main())
