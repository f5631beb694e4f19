"""Messages from their templates: `templates/email/<name>/` holds subject, text and HTML of each (domain.md §9)."""

import functools
import re
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from chalicelib.config import setting
from chalicelib.domain.calendar import LONDON, long_day

if TYPE_CHECKING:
    from jinja2 import Environment

_TEMPLATES = Path(__file__).parent / "templates" / "email"


class Rendered(msgspec.Struct, frozen=True):
    """A message in its three forms."""

    subject: str
    text: str
    html: str


class Incomplete(Exception):
    """The data lack something the template names, or hold something that is no date."""


def render(template: str, data: dict[str, Any], first_name: str | None = None) -> Rendered:
    """Render a message. Without a first name it greets nobody: that is how the inbox keeps it. Its subject heads the page, and a
    part that is left out leaves no hole in the text: never more than one blank line.

    Raises Incomplete if the data lack something the template names.
    """
    from jinja2 import TemplateError

    context = {**data, "first_name": first_name, "portal_url": setting("PORTAL_URL")}
    environment = _environment()

    def form(name: str) -> str:
        return environment.get_template(f"{template}/{name}").render(context).strip()

    try:
        context["subject"] = " ".join(form("subject.txt").split())
        return Rendered(context["subject"], re.sub(r"\n{3,}", "\n\n", form("text.txt")), form("body.html"))
    except (TemplateError, ValueError, TypeError, LookupError) as wrong:
        raise Incomplete(template) from wrong


@functools.cache
def _environment() -> "Environment":
    from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(day=_day_of, times=_times_of)
    return environment


def clock(instant: datetime) -> str:
    """`9am` or `1:30pm`, in Europe/London."""
    local = instant.astimezone(LONDON)
    hour = local.hour % 12 or 12
    minutes = f":{local.minute:02d}" if local.minute else ""
    return f"{hour}{minutes}{'am' if local.hour < 12 else 'pm'}"


def _day_of(session: list[str]) -> str:
    return long_day(datetime.fromisoformat(session[0]).astimezone(LONDON).date())


def _times_of(session: list[str]) -> str:
    start, end = (datetime.fromisoformat(each) for each in session)
    return f"{clock(start)} to {clock(end)}"
