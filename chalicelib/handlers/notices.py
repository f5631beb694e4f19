"""Writing to people whom one chooses: trying it, sending it, following it, stopping it (domain.md §9, N23)."""

from datetime import datetime
from typing import Annotated, Any, ClassVar

import msgspec
from chalice import Blueprint

from chalicelib.domain import errors
from chalicelib.domain.compliance import Colour
from chalicelib.domain.enrolment import Status
from chalicelib.domain.notices import MOST_PEOPLE, Audience, AudienceKind, Notice
from chalicelib.domain.permissions import Capability
from chalicelib.handlers.fields import Identifier
from chalicelib.handlers.http import Request, Routes
from chalicelib.handlers.paging import NextCursor, Page
from chalicelib.services import notices
from chalicelib.services.notices import Draft, Preview, Progress
from chalicelib.storage import cursor

blueprint = Blueprint(__name__)
routes = Routes(blueprint, "Notices")

# --- what is sent -------------------------------------------------------------------------------------------


class AudienceBody(msgspec.Struct, frozen=True):
    """People to write to."""

    kind: Annotated[
        AudienceKind,
        msgspec.Meta(
            description="class (`statuses`, confirmed unless given); course (open places on its classes that are not over); "
            "organisation (a unit and those below); position; learner group; competency (`colours`, red unless given; in "
            "`unit` and below, or everywhere); people (`people`)."
        ),
    ]
    id: Annotated[
        Annotated[str, msgspec.Meta(min_length=1, max_length=300, pattern=r"^[^#\x00-\x1f]+$(?!\n)")] | None,
        msgspec.Meta(description="Of the class, course, unit, position or group; the name of the competency."),
    ] = None
    statuses: Annotated[list[Status], msgspec.Meta(max_length=len(Status))] = []
    colours: Annotated[list[Colour], msgspec.Meta(max_length=len(Colour))] = []
    unit: Identifier | None = None
    people: Annotated[
        list[Identifier],
        msgspec.Meta(max_length=MOST_PEOPLE, description=f"Person ids; {MOST_PEOPLE:,} in all audiences."),
    ] = []

    def audience(self) -> Audience:
        """The audience in the words of the rules."""
        return Audience(
            self.kind,
            self.id or "",
            tuple(dict.fromkeys(self.statuses)),
            tuple(dict.fromkeys(self.colours)),
            self.unit,
            tuple(dict.fromkeys(self.people)),
        )


class NoticeBody(msgspec.Struct, frozen=True):
    """A notice: to whom, what, and when."""

    MAX_BODY_BYTES: ClassVar[int] = 1024 * 1024  # so that whoever sends too long a text is told which field is wrong

    audience: Annotated[
        list[AudienceBody],
        msgspec.Meta(min_length=1, max_length=20, description="Several are added up; nobody is written to twice."),
    ]
    subject: Annotated[str, msgspec.Meta(min_length=1, max_length=150, description="One line.")]
    text: Annotated[
        str,
        msgspec.Meta(
            min_length=1, max_length=10_000, description="Plain text: what looks like HTML is shown as it is."
        ),
    ]
    link: Annotated[
        Annotated[str, msgspec.Meta(pattern=r"^https://[^\s<>\"']{1,500}$(?!\n)")] | None,
        msgspec.Meta(description="Where its readers are to go on; without one they are led to their inbox."),
    ] = None
    at: Annotated[
        Annotated[datetime, msgspec.Meta(tz=True)] | None,
        msgspec.Meta(
            description="When to send it, up to six minutes later, to whoever is in the audience then. Left out: at once."
        ),
    ] = None

    def draft(self) -> Draft:
        """The notice as it is to be."""
        audience = tuple(each.audience() for each in self.audience)
        return Draft(audience, self.subject, self.text, self.link, self.at)


# --- what is answered ---------------------------------------------------------------------------------------


class PreviewView(msgspec.Struct, frozen=True):
    """What sending a notice now would come to."""

    recipients: int
    without_address: Annotated[
        int,
        msgspec.Meta(description="Of the recipients, those of whom no e-mail address is held: they have the inbox."),
    ]
    left: Annotated[int, msgspec.Meta(description="In the audience, and not written to: they work here no more.")]
    outside: Annotated[
        int, msgspec.Meta(description="Listed, and not written to: unknown here, or not yours to write to.")
    ]
    subject: str
    text: Annotated[str, msgspec.Meta(description="The e-mail as you would get it.")]
    html: str

    @classmethod
    def of(cls, preview: Preview) -> "PreviewView":
        """Present a preview."""
        found, rendered = preview.gathered, preview.rendered
        return cls(
            len(found.people),
            preview.without_address,
            found.left,
            found.outside,
            rendered.subject,
            rendered.text,
            rendered.html,
        )


class AudienceView(msgspec.Struct, frozen=True, omit_defaults=True):
    """Whom a notice is for, as it was given."""

    kind: str
    id: str = ""
    statuses: list[str] = []
    colours: list[str] = []
    unit: str | None = None
    people: Annotated[int, msgspec.Meta(description="How many are listed.")] = 0

    @classmethod
    def of(cls, audience: Audience) -> "AudienceView":
        """Present an audience."""
        statuses, colours = ([each.value for each in some] for some in (audience.statuses, audience.colours))
        return cls(audience.kind.value, audience.id, statuses, colours, audience.unit, len(audience.people))


class NoticeView(msgspec.Struct, frozen=True):
    """A notice."""

    notice_id: str
    state: Annotated[
        str,
        msgspec.Meta(
            description="scheduled, sending, sent (nothing is left to write: its progress says who has it) or stopped."
        ),
    ]
    subject: str
    text: str
    link: str | None
    audience: list[AudienceView]
    written_by: Annotated[str, msgspec.Meta(description="A person's id.")]
    author: str
    made_at: datetime
    send_at: datetime
    stopped_at: datetime | None
    recipients: Annotated[int | None, msgspec.Meta(description="null until it begins: its audience is looked up then.")]

    @classmethod
    def of(cls, notice: Notice) -> "NoticeView":
        """Present a notice."""
        return cls(
            notice.id,
            notice.state.value,
            notice.subject,
            notice.text,
            notice.link,
            [AudienceView.of(each) for each in notice.audience],
            notice.by,
            notice.author,
            notice.made_at,
            notice.send_at,
            notice.stopped_at,
            notice.recipients,
        )


class NoticePage(msgspec.Struct, frozen=True):
    """A page of notices, newest first."""

    notices: list[NoticeView]
    next_cursor: NextCursor

    @classmethod
    def of(cls, result: tuple[list[Notice], Any]) -> "NoticePage":
        """Present a page."""
        page, after = result
        return cls([NoticeView.of(each) for each in page], cursor.seal("notices", after))


class UnreachedView(msgspec.Struct, frozen=True):
    """Somebody whom the e-mail of a notice did not reach; they have it in their inbox."""

    person_id: str
    name: str
    email: Annotated[str, msgspec.Meta(description="bounced, complained, suppressed or failed.")]
    why: str | None


class ProgressView(msgspec.Struct, frozen=True):
    """A notice, how far it is, and its delivery report. Numbers are of people."""

    notice: NoticeView
    percent: Annotated[
        int, msgspec.Meta(description="Of its recipients, how many have it in their inbox. 100 means all.")
    ]
    written: Annotated[int, msgspec.Meta(description="Have it in their inbox.")]
    waiting: Annotated[
        int, msgspec.Meta(description="Their e-mail is to go yet, also with the digest that they prefer.")
    ]
    sent: int
    delivered: Annotated[int, msgspec.Meta(description="Of those sent, taken by the recipient's mail system.")]
    failed: int
    stopped: Annotated[int, msgspec.Meta(description="Have it in their inbox, and their e-mail was stopped.")]
    read: Annotated[int, msgspec.Meta(description="Opened in the inbox.")]
    not_reached: Annotated[
        list[UnreachedView], msgspec.Meta(description="Up to a hundred of those whose e-mail failed.")
    ]

    @classmethod
    def of(cls, progress: Progress) -> "ProgressView":
        """Present progress."""
        of = progress.figures
        return cls(
            NoticeView.of(progress.notice),
            progress.percent,
            of.written,
            of.waiting,
            of.sent,
            of.delivered,
            of.failed,
            of.stopped,
            of.read,
            [UnreachedView(each.person, name, each.delivery.value, each.why) for each, name in progress.failed],
        )


# --- the routes ---------------------------------------------------------------------------------------------


@routes.route(
    "POST",
    "/v1/notices/preview",
    capability=Capability.NOTIFY,
    summary="See whom a notice would reach, and how it reads",
    body=NoticeBody,
    answer=PreviewView,
    refusals=(errors.NotFound,),
)
def preview_notice(request: Request) -> Preview:
    """How many people a notice would reach now, who is left out and why, and how it reads. Writes nothing."""
    return notices.preview(request.actor, request.body.draft(), request.now)


@routes.route(
    "POST",
    "/v1/notices",
    capability=Capability.NOTIFY,
    summary="Write to people",
    body=NoticeBody,
    answer=NoticeView,
    status=201,
    refusals=(errors.NotFound, errors.NobodyToTell),
)
def send_notice(request: Request) -> Notice:
    """Send a notice to everybody of an audience, now or later, each once: to their inbox and by e-mail.

    Learning administrators write to everybody, class administrators to those on classes of their subjects, instructors to those on
    their classes, managers to those of an audience who are of their team. Sending goes on after the answer: follow it by its id.
    """
    return notices.send(request.actor, request.body.draft(), request.now, request.once)


@routes.route(
    "GET",
    "/v1/notices",
    capability=Capability.NOTIFY,
    summary="Notices, newest first",
    query=Page,
    answer=NoticePage,
)
def list_notices(request: Request) -> tuple[list[Notice], Any]:
    """The employer's notices for learning administrators; for everybody else those they wrote."""
    after = cursor.unseal("notices", request.query.cursor)
    return notices.page(request.actor, request.query.limit, after)


@routes.route(
    "GET",
    "/v1/notices/{notice_id}",
    capability=Capability.NOTIFY,
    summary="What became of a notice",
    answer=ProgressView,
    refusals=(errors.NotFound,),
)
def show_notice(request: Request) -> Progress:
    """A notice, how far it is, how many have it and got its e-mail, and whom the e-mail did not reach."""
    return notices.progress(request.actor, request.path["notice_id"])


@routes.route(
    "POST",
    "/v1/notices/{notice_id}/stop",
    capability=Capability.NOTIFY,
    summary="Stop a notice",
    answer=ProgressView,
    refusals=(errors.NotFound, errors.NoticeOver),
)
def stop_notice(request: Request) -> Progress:
    """Stop a notice before its time, or while it is being sent: within moments nobody more is written to, and e-mails that have
    not gone do not go. Who has it in their inbox keeps it. Stopping twice is the same as once.
    """
    return notices.stop(request.actor, request.path["notice_id"], request.now)
