"""Catches the mail that the emulator relays, one file per message, and reads it back."""

from __future__ import annotations

import mimetypes
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from functools import lru_cache
from pathlib import Path

from aiosmtpd.smtp import SMTP, Envelope, Session


@dataclass(frozen=True)
class Part:
    """Something in a message besides the text that a mail program would show."""

    index: int
    name: str
    content_type: str
    content: bytes

    @property
    def is_calendar(self) -> bool:
        """Whether a calendar program would open it."""
        return self.content_type == "text/calendar"

    def text(self) -> str:
        """Its content as text."""
        return self.content.decode("utf-8", errors="replace")


@dataclass(frozen=True)
class Mail:
    """One sent message."""

    name: str
    """When it arrived, in nanoseconds since 1970, and a few random digits."""
    message: EmailMessage

    @property
    def at(self) -> datetime:
        """When it arrived."""
        return datetime.fromtimestamp(int(self.name.partition("-")[0]) / 1e9, UTC)

    @property
    def arrived(self) -> str:
        """In the time of this machine, e.g. `12 Dec 2026, 14:05:09`."""
        return self.at.astimezone().strftime("%d %b %Y, %H:%M:%S")

    def header(self, name: str) -> str:
        """A header's value, decoded; empty if there is none."""
        return str(self.message.get(name, ""))

    def text(self) -> str:
        """What a program that shows no HTML would show."""
        return self._body("plain")

    def html(self) -> str:
        """What most programs would show."""
        return self._body("html")

    def parts(self) -> list[Part]:
        """Attachments and calendar parts, in the message's order."""
        return [_part(index, part) for index, part in enumerate(self.message.walk()) if _is_attached(part)]

    def _body(self, subtype: str) -> str:
        body = self.message.get_body((subtype,))
        return str(body.get_content()) if body else ""


class Sink:
    """The SMTP side: keeps every message it is given. The name of a file sorts by time of arrival."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Keep a message: the name of this method is how aiosmtpd finds it."""
        name = f"{time.time_ns():020d}-{os.urandom(3).hex()}"
        half_written = self.folder / f"{name}.part"
        half_written.write_bytes(envelope.original_content or b"")
        half_written.rename(self.folder / f"{name}.eml")
        return "250 Message kept"


class Mailbox:
    """The reading side."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def names(self) -> list[str]:
        """All messages, newest first."""
        return sorted((file.stem for file in self.folder.glob("*.eml")), reverse=True)

    def mails(self, names: list[str]) -> Iterator[Mail]:
        """The messages of these names."""
        return (_read(self.folder / f"{name}.eml") for name in names)

    def mail(self, name: str) -> Mail | None:
        """One message, if there is one of this name."""
        return next(self.mails([name])) if name in self.names() else None


@lru_cache(maxsize=256)
def _read(file: Path) -> Mail:
    """Messages never change, so those on the last pages looked at stay parsed."""
    message = message_from_bytes(file.read_bytes(), policy=policy.default)
    assert isinstance(message, EmailMessage)
    return Mail(file.stem, message)


def _is_attached(part: EmailMessage) -> bool:
    if part.is_multipart():
        return False
    return part.is_attachment() or part.get_content_type() not in ("text/plain", "text/html")


def _part(index: int, part: EmailMessage) -> Part:
    content_type = part.get_content_type()
    name = part.get_filename() or f"part-{index}{mimetypes.guess_extension(content_type) or '.bin'}"
    payload = part.get_payload(decode=True)
    return Part(index, Path(name).name, content_type, payload if isinstance(payload, bytes) else b"")
