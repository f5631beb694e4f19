"""Notices on their way: each reader once, whatever is repeated, dies, or is stopped in between; and what became of them."""

import json
from datetime import timedelta

import pytest

from chalicelib import mail
from chalicelib.domain import notices as rules
from chalicelib.domain.errors import NobodyToTell, NoticeOver
from chalicelib.domain.notices import Audience, AudienceKind, State
from chalicelib.domain.notifications import Delivery
from chalicelib.handlers import events, work
from chalicelib.services import identity, notices, outbox, preferences, timers
from chalicelib.services.notices import Draft
from chalicelib.storage import jobs as stored_jobs
from chalicelib.storage import outbox as stored
from chalicelib.storage.outbox import NotificationKey, NotificationRow
from chalicelib.storage.people import GrantRow
from chalicelib.storage.timers import TimerRow
from chalicelib.storage.transaction import Stale
from tests import builders as b
from tests.approving import leave
from tests.builders import NOW
from tests.pump import Pump, plenty, queued, stream_records
from tests.seams import before_commit, intercepted
from tests.services.test_outbox import Ses

READERS = [f"p{number}" for number in range(1, 8)]
WARD = Audience(AudienceKind.ORGANISATION, "ward-9")
LATER = NOW + timedelta(hours=3)
SETTLED = LATER + timedelta(minutes=2)


@pytest.fixture(name="ses")
def _ses(monkeypatch):
    fake = Ses()
    monkeypatch.setattr(mail, "_ses", lambda: fake)
    return fake


@pytest.fixture(name="trust")
def _trust(aws, ses, nothing_waits, monkeypatch):
    """Seven people on a ward; an administrator who works nowhere in particular. Notices go to two a part, one an event."""
    monkeypatch.setattr(rules, "PART", 2)
    monkeypatch.setattr(rules, "TOGETHER", 1)
    b.trust()
    for number in range(1, 8):
        b.person(number, assignments=[b.assignment(str(number))])
    b.person(9, assignments=(), role="learning_administrator")
    return Pump()


def ada(now=NOW):
    return identity.identify("504-9", None, now)


def draft(*audience, **changes):
    given = {"subject": "Fire drill", "text": "There is a drill.\nBring <b>nothing</b>.\n\nThank you."}
    return Draft(audience or (WARD,), **(given | changes))


def sent(**changes):
    return notices.send(ada(), draft(**changes), NOW)


def parts():
    """The parts of notices that wait in the queue."""
    return [each for each in queued() if '"part"' in each["body"]]


def do(part):
    return work.do_work({"Records": [part]}, plenty)


def relayed():
    events.relay_events({"Records": stream_records()})
    return rows()


def rows():
    found = [row for row in NotificationRow.scan() if isinstance(row, NotificationRow)]
    return sorted((row for row in found if row.template == "notice"), key=lambda row: row.pk)


def readers():
    return [row.pk.removeprefix("P#") for row in rows()]


def key_of(row):
    return NotificationKey(row.pk, row.sk)


def mail_all(now=NOW):
    for row in rows():
        outbox.deliver(key_of(row), now)


def figures(notice):
    return notices.progress(ada(), notice.id).figures


def state(notice):
    return notices.progress(ada(), notice.id).notice.state


# --- each reader once -------------------------------------------------------------------------------------------


def test_everybody_of_the_audience_gets_it_once(trust, ses):
    notice = sent()
    trust.run()
    relayed()
    mail_all()
    assert readers() == READERS
    assert len({request["Destinations"][0] for request in ses.accepted}) == len(ses.accepted) == len(READERS)
    assert (state(notice), figures(notice).sent) == (State.SENT, 7)


def test_work_delivered_again_and_again_tells_nobody_twice(trust, ses):
    sent()
    trust.project()
    waiting = parts()
    assert len(waiting) == 4
    for each in (*waiting, *reversed(waiting), *waiting):
        assert do(each) == {"batchItemFailures": []}
        relayed()
    assert readers() == READERS
    mail_all()
    mail_all()
    assert len(ses.accepted) == len(READERS)


def test_a_worker_that_dies_before_it_counts_is_followed_by_one_that_finishes(trust, monkeypatch):
    notice = sent()
    trust.project()
    waiting = parts()
    with monkeypatch.context() as broken:
        broken.setattr(work.jobs, "finish_part", lambda *_: (_ for _ in ()).throw(Stale()))
        assert all(do(each)["batchItemFailures"] for each in waiting)
    assert state(notice) is State.SENDING
    for each in waiting:
        do(each)
    relayed()
    assert readers() == READERS
    assert state(notice) is State.SENT


def test_two_notices_of_the_same_words_are_two(trust):
    sent()
    sent()
    trust.run()
    relayed()
    assert readers() == sorted(READERS * 2)


def test_its_row_stays_small_however_long_the_text_and_the_e_mail_has_all_of_it(trust, ses):
    words = "Wörter ohne Ende. " * 500
    sent(text=words, link="https://trust.invalid/drill", subject="D" * 150)
    trust.run()
    (first, *_) = relayed()
    assert len(str(first.serialize())) < 1_500  # of which a third is DynamoDB's notation
    mail_all()
    message = ses.message()
    assert words.strip() in message.get_body(("plain",)).get_content().replace("=\n", "").replace("\n", " ")
    assert 'href="https://trust.invalid/drill"' in message.get_body(("html",)).get_content()


def test_the_e_mail_keeps_lines_escapes_html_and_can_be_unsubscribed_from(trust, ses):
    sent()
    trust.run()
    relayed()
    mail_all()
    message = ses.message()
    assert message["Subject"] == "Fire drill"
    assert message["List-Unsubscribe"].startswith("<https://portal.test/")
    plain = message.get_body(("plain",)).get_content().replace("\r\n", "\n")
    assert "There is a drill.\nBring <b>nothing</b>.\n\nThank you." in plain
    html = message.get_body(("html",)).get_content()
    assert "There is a drill.<br>Bring &lt;b&gt;nothing&lt;/b&gt;.</p>" in html
    assert "This message is from Sam Testfold9." in html


def test_a_notice_whose_words_are_no_longer_kept_still_shows_its_subject(trust):
    from chalicelib.rendering import render

    rendered = render("notice", {"notice": "gone", "heading": "Fire drill"})
    assert rendered.subject == "Fire drill"
    assert "no longer kept" in rendered.text


# --- stopping ---------------------------------------------------------------------------------------------------


def test_stopped_between_two_parts_the_others_hear_nothing_and_no_e_mail_goes_that_has_not_gone(trust, ses):
    notice = sent()
    trust.project()
    first, second, *others = parts()
    do(first)
    relayed()
    mail_all()
    do(second)
    relayed()
    stopped = notices.stop(ada(), notice.id, NOW)
    assert stopped.notice.state is State.STOPPED
    for each in others:
        assert do(each) == {"batchItemFailures": []}
    relayed()
    mail_all()
    found = figures(notice)
    assert (found.written, found.sent, found.stopped, len(ses.accepted)) == (4, 2, 2, 2)
    assert stored_jobs.job("504", notice.job).percent == 100
    assert notices.stop(ada(), notice.id, NOW).notice.revision == stopped.notice.revision


def test_what_has_gone_to_everybody_cannot_be_stopped(trust):
    notice = sent()
    trust.run()
    relayed()
    notices.progress(ada(), notice.id)
    mail_all()
    with pytest.raises(NoticeOver):
        notices.stop(ada(), notice.id, NOW)


def test_what_is_written_and_not_yet_relayed_can_still_be_stopped(trust, ses):
    notice = sent()
    trust.run()
    notices.stop(ada(), notice.id, NOW)
    relayed()
    mail_all()
    assert ses.accepted == []
    assert figures(notice).stopped == 7


# --- at its time ------------------------------------------------------------------------------------------------


def ring(now=SETTLED):
    return timers.ring("504", now, lambda: True)


def test_a_planned_notice_goes_at_its_time_to_whoever_is_in_the_audience_then(trust):
    notice = notices.send(ada(), draft(send_at=LATER), NOW)
    assert (notice.state, notice.recipients) == (State.SCHEDULED, None)
    assert ring(NOW + timedelta(hours=1))
    trust.run()
    assert relayed() == []
    leave(7)
    b.person(11, assignments=[b.assignment("11")])
    assert ring()
    assert ring()
    trust.run()
    relayed()
    assert readers() == ["p1", "p11", "p2", "p3", "p4", "p5", "p6"]
    assert state(notice) is State.SENT
    assert not [row for row in TimerRow.scan() if isinstance(row, TimerRow)]


def test_a_notice_stopped_before_its_time_is_never_sent(trust):
    notice = notices.send(ada(), draft(send_at=LATER), NOW)
    notices.stop(ada(), notice.id, NOW)
    assert ring()
    trust.run()
    assert relayed() == []
    assert state(notice) is State.STOPPED


def test_a_stop_and_its_time_at_the_same_moment_are_one_after_the_other(trust):
    notice = notices.send(ada(), draft(send_at=LATER), NOW)
    with before_commit(lambda: notices.stop(ada(), notice.id, SETTLED)):
        assert ring()
    trust.run()
    assert relayed() == []
    assert state(notice) is State.STOPPED


@pytest.mark.parametrize("gone", ["role", "employment"])
def test_whoever_may_not_write_any_more_by_its_time_reaches_nobody(trust, gone):
    notice = notices.send(ada(), draft(send_at=LATER), NOW)
    if gone == "role":
        (grant,) = [row for row in GrantRow.scan() if isinstance(row, GrantRow)]
        grant.delete()
    else:
        leave(9)
    assert ring()
    trust.run()
    assert relayed() == []
    b.person(10, assignments=(), role="learning_administrator")
    found = notices.progress(identity.identify("504-10", None, NOW), notice.id)
    assert (found.notice.state, found.notice.recipients) == (State.SENT, 0)


def test_a_manager_who_has_left_by_its_time_reaches_nobody_though_assignments_still_name_them(trust):
    b.person(8, assignments=[b.assignment("8")])
    b.person(11, assignments=[b.assignment("11", supervisor="p8")])
    manager = identity.identify("504-8", None, NOW)
    notice = notices.send(manager, draft(send_at=LATER), NOW)
    leave(8)
    assert ring()
    trust.run()
    assert relayed() == []
    assert notices.progress(ada(), notice.id).notice.recipients == 0


def test_an_audience_of_nobody_is_refused_also_for_later(trust):
    with pytest.raises(NobodyToTell):
        notices.send(ada(), draft(Audience(AudienceKind.ORGANISATION, "estates"), send_at=LATER), NOW)
    assert not [row for row in TimerRow.scan() if isinstance(row, TimerRow)]


# --- what became of it ------------------------------------------------------------------------------------------


def test_the_report_counts_each_reader_and_names_whom_the_e_mail_did_not_reach(trust):
    notice = sent()
    trust.run()
    relayed()
    mail_all()
    by_person = dict(zip(readers(), rows(), strict=True))
    stored.report(key_of(by_person["p1"]), Delivery.DELIVERED, NOW, None)
    stored.report(key_of(by_person["p2"]), Delivery.BOUNCED, NOW, "no such mailbox")
    by_person["p3"].update([NotificationRow.read_at.set(NOW)])
    found = notices.progress(ada(), notice.id)
    numbers = found.figures
    assert (numbers.written, numbers.sent, numbers.delivered, numbers.failed, numbers.read) == (7, 6, 1, 1, 1)
    ((unreached, name),) = found.failed
    assert (unreached.person, unreached.why, name) == ("p2", "no such mailbox", "Sam Testfold2")


def test_of_whoever_prefers_a_digest_the_report_says_what_became_of_that(trust, ses):
    preferences.prefer_digest(identity.identify("504-1", None, NOW), True, NOW)
    notice = sent()
    trust.run()
    relayed()
    mail_all()
    assert (figures(notice).waiting, figures(notice).sent) == (1, 6)
    (digest,) = [row for row in NotificationRow.scan() if isinstance(row, NotificationRow) and row.template == "digest"]
    outbox.deliver(key_of(digest), NOW.replace(hour=16))
    assert (figures(notice).waiting, figures(notice).sent) == (0, 7)
    stored.report(key_of(digest), Delivery.BOUNCED, NOW.replace(hour=17), "5.1.1")
    report = notices.progress(ada(), notice.id)
    assert [(each.person, each.delivery, each.why) for each, _ in report.failed] == [("p1", Delivery.BOUNCED, "5.1.1")]
    with pytest.raises(NoticeOver):
        notices.stop(ada(), notice.id, LATER)


def test_progress_is_of_what_is_in_inboxes_and_not_of_what_is_about_to_be(trust, ses):
    notice = sent()
    trust.run()
    assert notices.progress(ada(), notice.id).percent == 0
    relayed()
    assert notices.progress(ada(), notice.id).percent == 100


def test_before_each_e_mail_the_notice_itself_is_not_read_again_however_long_it_is(trust, ses):
    notice = sent(text="Long. " * 1_000)
    trust.run()
    relayed()
    read = []

    def listen(call, operation, request):
        read.append(json.dumps(request, default=str))
        return call(operation, request)

    with intercepted(listen):
        mail_all()
    assert sum(notice.id in each and "STOPPED" not in each and '"E#504#NTC"' in each for each in read) <= 1
    assert len(ses.accepted) == len(READERS)
