"""Start the desk and its SMTP sink.

Run as `DESK='{"port": 4620, ...}' python -m infrastructure.local.desk`.
"""

from __future__ import annotations

import os
from pathlib import Path

import waitress
from aiosmtpd.controller import Controller

from infrastructure.local.desk.app import create_app
from infrastructure.local.desk.mailbox import Sink
from infrastructure.local.desk.settings import Settings

LARGEST_MAIL = 40 * 1024 * 1024  # bytes, as SES accepts


def main() -> None:
    """Serve until told to end."""
    settings = Settings.from_json(os.environ["DESK"])
    sink = Sink(Path(settings.mail_folder))
    Controller(sink, "127.0.0.1", settings.smtp_port, data_size_limit=LARGEST_MAIL).start()
    waitress.serve(create_app(settings), host="127.0.0.1", port=settings.port, threads=8, ident="esr-learning-desk")


main()
