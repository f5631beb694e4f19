"""The words of a notice, which are kept once and not with each of its messages (decision 0033)."""

from dataclasses import replace

from chalicelib.domain.notifications import Notification
from chalicelib.storage import notices

TEMPLATE = "notice"


def spelled_out(notification: Notification) -> Notification:
    """A message with the words of its notice, if it is of one; any other as it is."""
    if notification.template != TEMPLATE:
        return notification
    notice = notices.words(notification.employer, notification.data["notice"])
    if notice is None:
        return notification
    words = {"text": notice.text, "link": notice.link, "author": notice.author}
    return replace(notification, data=notification.data | words)


def was_stopped(notification: Notification) -> bool:
    """Whether a message is of a notice that was stopped: its e-mail does not go any more."""
    return notification.template == TEMPLATE and notices.was_stopped(notification.employer, notification.data["notice"])
