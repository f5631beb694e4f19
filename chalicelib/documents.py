"""Documents to print, as PDF: the signature register of a class (domain.md §11), and certificates.

The letters come from Source Sans Pro, which has those of Welsh, Polish and most languages written in Latin letters, Greek or
Cyrillic. A letter that it lacks is printed as a question mark; the employee number beside the name still says who it is.
"""

import io
import secrets
import unicodedata
import warnings
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from chalicelib.domain.calendar import LONDON, london_day, long_day
from chalicelib.domain.certificates import Certificate, Paper, code_written
from chalicelib.domain.class_list import ClassList, Listed
from chalicelib.domain.classes import Session
from chalicelib.domain.competency import title_of
from chalicelib.domain.enrolment import OUTCOMES

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
    foot = f"Class {listing.class_.id}  ·  printed {_moment(printed_at)}"
    pdf = _document(f"Register: {listing.class_.title}", foot, printed_at)
    sessions = listing.class_.sessions
    for number, session in enumerate(sessions, 1):
        pdf.add_page()
        _heading(pdf, listing, session, number, len(sessions))
        _people(pdf, listing)
        _instructor(pdf)
    return _written(pdf)


def _written(pdf: "FPDF") -> bytes:
    written = io.BytesIO()
    pdf.output(written)
    return written.getvalue()


def _document(title: str, foot: str, at: datetime) -> "FPDF":
    from font_source_sans_pro import font_files_ttf

    with warnings.catch_warnings():  # that Pillow is missing, which only images need: it does not ship (decision 0021)
        warnings.simplefilter("ignore")
        from fpdf import FPDF

    pages = secrets.token_hex(4)  # stands for their number, which is known at the end; a title cannot hold it by intent

    class Document(FPDF):
        def footer(self) -> None:
            self.set_y(-_FOOT + 5)
            self.set_font(_FONT, size=8)
            self.set_text_color(*_GREY)
            self.cell(0, 5, f"{foot}  ·  page {self.page_no()} of {pages}", align="C")
            self.set_text_color(0)

    pdf = Document(format="A4")
    pdf.alias_nb_pages(pages)
    pdf.add_font(_FONT, fname=font_files_ttf["SourceSansPro"])
    pdf.add_font(_FONT, style="B", fname=font_files_ttf["SourceSansProBold"])
    pdf.set_margins(_MARGIN, _MARGIN, _MARGIN)
    pdf.set_auto_page_break(True, margin=_FOOT)
    pdf.set_title(title)
    pdf.set_lang("en-GB")
    pdf.set_creation_date(at)
    return pdf


# --- the register -----------------------------------------------------------------------------------------------


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


def _heading_style() -> Any:
    from fpdf.fonts import FontFace

    return FontFace(emphasis="BOLD", fill_color=_SHADE)


def _line(pdf: "FPDF", text: str, height: float) -> None:
    pdf.multi_cell(0, height, _printable(pdf, text), align="L", new_x="LMARGIN", new_y="NEXT")


def _printable(pdf: "FPDF", text: str) -> str:
    """The text in letters the font has: the library would leave others out, and log them, though they are somebody's name."""
    font: Any = pdf.fonts[_FONT.lower()]
    return "".join(each if ord(each) in font.cmap else "?" for each in unicodedata.normalize("NFC", text))


def _people(pdf: "FPDF", listing: ClassList) -> None:
    people = listing.to_sign()
    pdf.set_font(_FONT, size=10)
    if not people:
        _line(pdf, "Nobody holds a place on this class.", 6)
    with pdf.table(
        col_widths=_WIDTHS,
        width=sum(_WIDTHS),
        text_align="LEFT",
        line_height=_LINE_HEIGHT,
        padding=1,
        headings_style=_heading_style(),
    ) as table:
        table.row(_HEADINGS)
        for number, each in enumerate(people, 1):
            cells = (str(number), each.name, each.number, each.unit, _noted(each))
            table.row(tuple(_printable(pdf, text) for text in cells), min_height=_ROW_HEIGHT)
        for _ in range(_WALK_INS):
            table.row(("",) * len(_WIDTHS), min_height=_ROW_HEIGHT)


def _noted(listed: Listed) -> str:
    """What is noted already of somebody, in place of their signature."""
    if listed.status not in OUTCOMES:
        return ""
    score = "" if listed.score is None else f", {listed.score:g} %"
    return f"{listed.status.capitalize()}{score}"


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


# --- certificates -----------------------------------------------------------------------------------------------

_BLUE = (0, 94, 184)
_CERTIFICATE_WIDTHS = (100, 41, 41)
_CERTIFICATE_HEADINGS = ("Competency", "Awarded", "Valid until")


def certificate(issued: Certificate, checked_at: str) -> bytes:
    """A certificate as a PDF, of one page unless it awards very much; `checked_at` is the address where its code is checked.

    It is the same whenever it is printed again.
    """
    paper, code = issued.paper, code_written(issued.code)
    pdf = _document(f"Certificate: {paper.course}", f"Certificate {code}", issued.issued_at)
    pdf.add_page()
    with pdf.local_context(fill_color=_BLUE):  # else the cells of the table would be filled with it
        pdf.rect(0, 0, pdf.w, 8, style="F")
    pdf.set_y(34)
    _centred(pdf, paper.employer, 13, 7)
    _centred(pdf, "Certificate of completion", 26, 13, bold=True)
    pdf.ln(12)
    _centred(pdf, "This is to certify that", 12, 7)
    _centred(pdf, paper.name, 22, 11, bold=True)
    if paper.number:
        _centred(pdf, f"Employee number {paper.number}", 10, 6)
    _centred(pdf, "has completed", 12, 7)
    _centred(pdf, paper.course, 18, 9, bold=True)
    _centred(pdf, f"on {long_day(paper.completed_on)}.", 12, 7)
    pdf.ln(10)
    if paper.awards:
        _competencies(pdf, paper)
    _how_to_check(pdf, issued, code, checked_at)
    return _written(pdf)


def _centred(pdf: "FPDF", text: str, size: float, height: float, bold: bool = False) -> None:
    pdf.set_font(_FONT, style="B" if bold else "", size=size)
    pdf.multi_cell(0, height, _printable(pdf, text), align="C", new_x="LMARGIN", new_y="NEXT")


def _competencies(pdf: "FPDF", paper: Paper) -> None:
    pdf.set_font(_FONT, size=10)
    with pdf.table(
        col_widths=_CERTIFICATE_WIDTHS,
        width=sum(_CERTIFICATE_WIDTHS),
        text_align="LEFT",
        line_height=_LINE_HEIGHT,
        padding=1.5,
        headings_style=_heading_style(),
    ) as table:
        table.row(_CERTIFICATE_HEADINGS)
        for each, level in zip(paper.awards, paper.levels, strict=True):
            title = title_of(each.competency) + (f", level {each.level}: {level}" if level else "")
            until = _day(each.expires_on) if each.expires_on else "no expiry"
            table.row((_printable(pdf, title), _day(each.awarded_on), until))


def _how_to_check(pdf: "FPDF", issued: Certificate, code: str, checked_at: str) -> None:
    if pdf.will_page_break(30):
        pdf.add_page()
    pdf.ln(12)
    _centred(pdf, code, 13, 7, bold=True)
    pdf.set_text_color(*_GREY)
    _centred(pdf, f"Whether this certificate still stands can be checked with its code: {checked_at}/{code}", 9, 5)
    _centred(pdf, f"Issued on {_day(london_day(issued.issued_at))}.", 9, 5)
    pdf.set_text_color(0)


def _day(day: date) -> str:
    return f"{day.day} {day:%B %Y}"
