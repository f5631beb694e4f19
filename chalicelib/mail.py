"""E-mail: composed as MIME, handed to SES. The only module that talks to SES."""

import functools
import os
from collections.abc import Mapping
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from typing import Any

from chalicelib.config import setting
from chalicelib.domain.message_settings import MessageSettings
from chalicelib.domain.notifications import Notification
from chalicelib.domain.people import Person
from chalicelib.invitations import invitation
from chalicelib.rendering import render

SEVEN_BIT = SMTP.clone(cte_type="7bit", max_line_length=200)
"""Every server passes it on unchanged. Lines may be as long as a subject: folded at 78, one would begin with a blank."""


_ABOUT_THE_EMAIL = {"MessageRejected", "InvalidParameterValue", "ValidationError"}
_TOO_MUCH = {
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
    "LimitExceededException",
    "ServiceUnavailable",
}
_SERVER_FAULT = 500


class BadAddress(ValueError):
    """The address held is none."""


class Refused(Exception):
    """SES did not take this e-mail, for what it is. The message of this and of the next two is SES's own code."""


class Throttled(Exception):
    """SES takes no more e-mail now."""


class Barred(Exception):
    """SES takes no e-mail of ours until somebody mends what is wrong: the account, a right, a setting."""


class Unanswered(Exception):
    """SES did not answer, or that it failed: whether it took the e-mail is not known."""


def compose(
    notification: Notification, person: Person, settings: MessageSettings, possibly_repeated: bool = False
) -> EmailMessage:
    """The e-mail of a notification: text, HTML, and the meeting request both inline and as a file.

    Calendar clients act on the inline part; people whose client does not can open the file. Raises BadAddress.
    """
    rendered = render(notification.template, notification.data, person.first_name)
    message = EmailMessage(policy=SEVEN_BIT)
    message["From"] = Address(_one_line(settings.sender_name), addr_spec=setting("MAIL_SENDER"))
    message["To"] = _addressed(person.full_name, address_of(notification, person))
    if settings.reply_to:
        message["Reply-To"] = _addressed(settings.sender_name, settings.reply_to)
    message["Subject"] = rendered.subject
    message["Date"] = notification.at
    message["X-ESR-Message"] = ", ".join(notification.numbers)
    message["Message-ID"] = f"<{notification.natural_key}@esr-learning>"
    if possibly_repeated:
        message["X-Possibly-Repeated"] = "yes"
    if notification.optional:
        message["List-Unsubscribe"] = f"<{setting('PORTAL_URL')}/messages>"
    message.set_content(rendered.text)
    message.add_alternative(rendered.html, subtype="html")
    if request := invitation(notification, person):
        document = request.document.decode()
        message.add_alternative(document, subtype="calendar", params={"method": request.method})
        message.add_attachment(request.document, maintype="application", subtype="ics", filename="invite.ics")
    return message


def address_of(notification: Notification, person: Person) -> str | None:
    """Where an e-mail goes: to the enrolment's address if it holds one, else to the person's (domain.md §9). None: nowhere."""
    return notification.data.get("email") or person.email


def is_address(text: str) -> bool:
    """Whether an e-mail can be addressed to this."""
    try:
        _addressed("", text)
    except BadAddress:
        return False
    return True


def _addressed(name: str, address: str | None) -> Address:
    try:
        found = Address(_one_line(name), addr_spec=address or "")
    except (MessageError, ValueError, IndexError) as wrong:
        raise BadAddress("The address held is not an e-mail address.") from wrong
    if not found.username or not found.domain:
        raise BadAddress("The address held is not an e-mail address.")
    return found


def _one_line(text: str) -> str:
    return " ".join(text.split())


def prepare() -> None:
    """Make the client of SES: which must be done before several threads send, and not by them."""
    _ses()


@functools.cache
def _ses() -> Any:
    import boto3
    from botocore.config import Config

    # One attempt: a repeated attempt after a time-out could send twice without our knowing.
    return boto3.client("ses", config=Config(connect_timeout=1, read_timeout=5, retries={"total_max_attempts": 1}))


def send(message: EmailMessage, tags: Mapping[str, str]) -> str:
    """Hand an e-mail to SES with tags by which its reports find the notification; the id SES gave it. Raises Refused,
    Throttled, Barred or Unanswered.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    options = {}
    if configuration_set := os.environ.get("MAIL_CONFIGURATION_SET"):
        options["ConfigurationSetName"] = configuration_set
    try:
        answer = _ses().send_raw_email(
            Source=setting("MAIL_SENDER"),
            Destinations=[address.addr_spec for address in message["To"].addresses],
            RawMessage={"Data": message.as_bytes()},
            Tags=[{"Name": name, "Value": value} for name, value in tags.items()],
            **options,
        )
    except ClientError as refused:
        raise _meaning_of(refused.response) from refused
    except BotoCoreError as unanswered:
        raise Unanswered(type(unanswered).__name__) from unanswered
    return str(answer["MessageId"])


def _meaning_of(answer: Mapping[str, Any]) -> Exception:
    """What is not known to be about the e-mail is about us: one e-mail tried too often harms less than all of them parked."""
    code = answer.get("Error", {}).get("Code", "Unknown")
    if code in _ABOUT_THE_EMAIL:
        return Refused(code)
    if code in _TOO_MUCH:
        return Throttled(code)
    status = answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 400)
    return Unanswered(code) if status >= _SERVER_FAULT else Barred(code)
