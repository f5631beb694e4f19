"""Documents to print, as PDF: the signature register of a class (domain.md §11).

The letters come from Source Sans Pro, which has those of Welsh, Polish and most languages written in Latin letters, Greek or
Cyrillic. A letter that it lacks is printed as a question mark; the employee number still says who it is.
"""

import io
import secrets
import unicodedata
import warnings
from datetime import datetime
from typing import TYPE_CHECKING, Any

from chalicelib.domain.calendar import LONDON, long_day
from chalicelib.domain.class_list import ClassList
from chalicelib.domain.classes import Session

if TYPE_CHECKING:
    from fpdf import FPDF

_FONT = "SourceSansPro"
_MARGIN, _FOOT = 14, 18
_WIDTHS = (9, 56, 24, 51, 42)
_HEADINGS = ("", "Name", "Employee number", "Unit", "Signature")
_ROW_HEIGHT, _LINE_HEIGHT = 11.0, 4.6
_WALK_INS = 5
_GREY = (110, 110, 110)
_SHADE = (232, 237, 238)
"""Millimetres and red-green-blue: A4 upright, rows high enough to sign in, a few left empty for who comes unannounced."""


def register(listing: ClassList, printed_at: datetime) -> bytes:
    """The signature register of a class as a PDF: a table for each session, each on a page of its own, headings repeated.

    A class without sessions (e-learning) has none; who calls has made sure that it is not one.
    """
    pdf = _document(listing, printed_at)
    sessions = listing.class_.sessions
    for number, session in enumerate(sessions, 1):
        pdf.add_page()
        _heading(pdf, listing, session, number, len(sessions))
        _people(pdf, listing)
        _instructor(pdf)
    written = io.BytesIO()
    pdf.output(written)
    return written.getvalue()


def _document(listing: ClassList, printed_at: datetime) -> "FPDF":
    from font_source_sans_pro import font_files_ttf

    with warnings.catch_warnings():  # that Pillow is missing, which only images need: it does not ship (decision 0021)
        warnings.simplefilter("ignore")
        from fpdf import FPDF

    pages = secrets.token_hex(4)  # stands for their number, which is known at the end; a title cannot hold it by intent
    foot = f"Class {listing.class_.id}  ·  printed {_moment(printed_at)}"

    class Register(FPDF):
        def footer(self) -> None:
            self.set_y(-_FOOT + 5)
            self.set_font(_FONT, size=8)
            self.set_text_color(*_GREY)
            self.cell(0, 5, f"{foot}  ·  page {self.page_no()} of {pages}", align="C")
            self.set_text_color(0)

    pdf = Register(format="A4")
    pdf.alias_nb_pages(pages)
    pdf.add_font(_FONT, fname=font_files_ttf["SourceSansPro"])
    pdf.add_font(_FONT, style="B", fname=font_files_ttf["SourceSansProBold"])
    pdf.set_margins(_MARGIN, _MARGIN, _MARGIN)
    pdf.set_auto_page_break(True, margin=_FOOT)
    pdf.set_title(f"Register: {listing.class_.title}")
    pdf.set_lang("en-GB")
    pdf.set_creation_date(printed_at)
    return pdf


def _heading(pdf: "FPDF", listing: ClassList, session: Session, number: int, sessions: int) -> None:
    pdf.set_font(_FONT, style="B", size=17)
    _line(pdf, listing.class_.title, 7.5)
    if listing.course_title != listing.class_.title:
        pdf.set_font(_FONT, size=11)
        _line(pdf, listing.course_title, 5.5)
    pdf.set_font(_FONT, style="B", size=12)
    of = f"Session {number} of {sessions}: " if sessions > 1 else ""
    _line(pdf, f"{of}{_times(session)}", 6.5)
    pdf.set_font(_FONT, size=10)
    where = ", ".join(filter(None, (listing.venue, listing.address)))
    for label, value in (("Venue", where), ("Instructor", listing.instructor)):
        if value:
            _line(pdf, f"{label}: {value}", 5)
    pdf.ln(3)


def _line(pdf: "FPDF", text: str, height: float) -> None:
    pdf.multi_cell(0, height, _printable(pdf, text), align="L", new_x="LMARGIN", new_y="NEXT")


def _printable(pdf: "FPDF", text: str) -> str:
    """The text in letters the font has: the library would leave others out, and log them, though they are somebody's name."""
    font: Any = pdf.fonts[_FONT.lower()]
    return "".join(each if ord(each) in font.cmap else "?" for each in unicodedata.normalize("NFC", text))


def _people(pdf: "FPDF", listing: ClassList) -> None:
    from fpdf.fonts import FontFace

    people = listing.to_sign()
    pdf.set_font(_FONT, size=10)
    if not people:
        _line(pdf, "Nobody holds a place on this class.", 6)
    style: Any = FontFace(emphasis="BOLD", fill_color=_SHADE)
    with pdf.table(
        col_widths=_WIDTHS,
        width=sum(_WIDTHS),
        text_align="LEFT",
        line_height=_LINE_HEIGHT,
        padding=1,
        headings_style=style,
    ) as table:
        table.row(_HEADINGS)
        for number, each in enumerate(people, 1):
            cells = (_printable(pdf, text) for text in (str(number), each.name, each.number, each.unit, ""))
            table.row(tuple(cells), min_height=_ROW_HEIGHT)
        for _ in range(_WALK_INS):
            table.row(("",) * len(_WIDTHS), min_height=_ROW_HEIGHT)


def _instructor(pdf: "FPDF") -> None:
    """Where the instructor signs; on one page with its line."""
    if pdf.will_page_break(20):
        pdf.add_page()
    pdf.ln(12)
    pdf.set_font(_FONT, size=10)
    pdf.cell(0, 5, "Instructor’s signature ______________________________      Date ____________________")


def _moment(at: datetime) -> str:
    local = at.astimezone(LONDON)
    return f"{local.day} {local:%B %Y, %H:%M}"


def _times(session: Session) -> str:
    start, end = session.starts_at.astimezone(LONDON), session.ends_at.astimezone(LONDON)
    if start.date() == end.date():
        return f"{long_day(start.date())}, {start:%H:%M} to {end:%H:%M}"
    return f"{long_day(start.date())}, {start:%H:%M} to {long_day(end.date())}, {end:%H:%M}"
