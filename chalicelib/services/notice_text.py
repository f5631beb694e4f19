"""The words of a notice, which are kept once and not with each of its messages (decision 0033)."""

from dataclasses import replace

from chalicelib.domain.notices import State
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
    """Whether a message is of a notice that was stopped: its e-mail does not go any more. Reads the notice anew."""
    if notification.template != TEMPLATE:
        return False
    notice = notices.notice(notification.employer, notification.data["notice"])
    return notice is not None and notice.state is State.STOPPED
