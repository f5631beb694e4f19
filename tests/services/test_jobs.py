"""Long work in parts: each is done at least once and counted exactly once, and its progress is true."""

from datetime import timedelta

import pytest

from chalicelib.domain.errors import NotFound
from chalicelib.domain.jobs import JobKind, JobState
from chalicelib.handlers import work
from chalicelib.services import jobs, reconciliation
from chalicelib.storage.transaction import AlreadyDone, Stale, Transaction
from tests import builders as b
from tests.builders import NOW, SYSTEM
from tests.pump import Pump, plenty, queued, stream_records
from tests.seams import before_commit, colliding_transactions

LATER = NOW + timedelta(minutes=1)


def started(kind=JobKind.RULES, parts=("ward-9", "LGR#agency"), job_id=None):
    transaction = Transaction()
    started = jobs.start(transaction, "504", kind, SYSTEM, parts, {"reach": "everybody"}, NOW, job_id).id
    transaction.commit()
    return jobs.job("504", started)


def test_a_job_runs_until_its_last_part_is_finished(aws):
    job = started()
    assert (job.state, job.percent, job.finished_at) == (JobState.RUNNING, 0, None)
    jobs.finish_part(job, "ward-9", {"changed": 3}, LATER)
    assert (jobs.job("504", job.id).state, jobs.job("504", job.id).percent) == (JobState.RUNNING, 50)
    jobs.finish_part(job, "LGR#agency", {"changed": 0}, LATER)
    done = jobs.job("504", job.id)
    assert (done.state, done.percent, done.finished_at) == (JobState.DONE, 100, LATER)
    assert dict(jobs.results("504", job.id)) == {"ward-9": {"changed": 3}, "LGR#agency": {"changed": 0}}


def test_a_part_finished_twice_counts_once_and_keeps_its_first_result(aws):
    job = started()
    assert jobs.finish_part(job, "ward-9", {"changed": 3}, NOW)
    assert not jobs.finish_part(job, "ward-9", {"changed": 0}, NOW)
    assert jobs.job("504", job.id).done == 1
    assert dict(jobs.results("504", job.id)) == {"ward-9": {"changed": 3}}


def test_two_workers_that_finish_the_same_part_at_once_count_it_once(aws):
    job = started()
    with before_commit(lambda: jobs.finish_part(job, "ward-9", {"by": "other"}, NOW)):
        assert not jobs.finish_part(job, "ward-9", {"by": "me"}, NOW)
    assert jobs.job("504", job.id).done == 1


def test_parts_finished_at_once_are_all_counted(aws):
    job = started()
    with colliding_transactions(3):
        jobs.finish_part(job, "ward-9", {}, NOW)
    assert jobs.job("504", job.id).done == 1


def test_a_job_without_parts_is_done_at_once_but_a_file_is_only_begun(aws):
    assert started(parts=()).state is JobState.DONE
    assert started(JobKind.FILE, parts=()).state is JobState.RUNNING


def test_a_job_with_a_given_id_starts_once(aws):
    started(job_id="01JDZZZZZZZZZZZZZZZZZZZZZZ")
    with pytest.raises(AlreadyDone):
        started(job_id="01JDZZZZZZZZZZZZZZZZZZZZZZ")


def test_two_workers_on_one_file_cannot_both_go_on(aws):
    job = started(JobKind.FILE, parts=())
    first = jobs.advance(job, NOW, done=100, total=1000, facts={"accepted": 99})
    with pytest.raises(Stale):
        jobs.advance(job, NOW, done=100)
    last = jobs.advance(first, LATER, done=1000, state=JobState.DONE)
    assert jobs.job("504", job.id) == last
    assert (last.percent, last.finished_at, last.facts) == (100, LATER, {"accepted": 99})


def test_jobs_are_listed_newest_first_and_only_the_employers_own(aws):
    ids = [started(job_id=f"01JD{number}").id for number in range(3)]
    page, after = jobs.page("504", 2, None)
    assert [each.id for each in page] == ids[:0:-1]
    assert [each.id for each in jobs.page("504", 2, after)[0]] == ids[:1]
    assert jobs.page("505", 2, None) == ([], None)


def test_an_unknown_job_is_not_found(aws):
    with pytest.raises(NotFound):
        jobs.job("504", "nothing")


# --- from event to parts --------------------------------------------------------------------------------------


def test_a_job_that_starts_has_each_part_queued_and_done_however_often_it_is_told(aws, monkeypatch):
    done = []
    monkeypatch.setattr(jobs, "PART_DELAY_SECONDS", 0)
    monkeypatch.setitem(work.PART_WORK, JobKind.RULES, lambda job, part, now: done.append(part) or {})
    job = started(parts=[f"unit-{number}" for number in range(25)])
    for _ in range(2):
        assert work.project_events({"Records": stream_records()}) == {"batchItemFailures": []}
    messages = queued()
    assert len(messages) == 50
    assert work.do_work({"Records": messages}, plenty) == {"batchItemFailures": []}
    assert set(done) == {f"unit-{number}" for number in range(25)}
    assert jobs.job("504", job.id).done == 25
    assert jobs.job("504", job.id).state is JobState.DONE


def test_a_part_that_fails_is_delivered_again_and_the_others_go_on(aws, monkeypatch):
    def fragile(job, part, now):
        return {} if part == "b" else 1 / 0

    monkeypatch.setattr(jobs, "PART_DELAY_SECONDS", 0)
    monkeypatch.setitem(work.PART_WORK, JobKind.RULES, fragile)
    pump = Pump()
    started(parts=["a", "b"])
    pump.project()
    messages = sorted(queued(), key=lambda each: each["body"])
    failures = work.do_work({"Records": messages}, plenty)
    assert failures == {"batchItemFailures": [{"itemIdentifier": messages[0]["messageId"]}]}


@pytest.mark.parametrize("body", ["{}", "[]", "nonsense", '{"kind": "king"}', '{"kind": "part", "employer": "504"}'])
def test_a_message_that_is_no_work_fails_and_is_parked_by_the_queue(aws, body):
    assert work.do_work({"Records": [{"messageId": "1", "body": body}]}, plenty)["batchItemFailures"]


def test_weekly_and_daily_work_is_handed_to_each_employer(aws):
    b.trust()
    from chalicelib.storage import rules

    transaction = Transaction()
    rules.list_employer(transaction, "504")
    rules.list_employer(transaction, "505")
    transaction.commit()
    for kind in ("day", "reconcile"):
        work.do_work({"Records": [{"messageId": "1", "body": f'{{"kind": "{kind}"}}'}]}, plenty)
        assert sorted(each["body"] for each in queued()) == [
            f'{{"kind": "{kind}", "employer": "504"}}',
            f'{{"kind": "{kind}", "employer": "505"}}',
        ]


# --- reconciliation -------------------------------------------------------------------------------------------


def test_a_reconciliation_reports_what_differs_and_projects_the_people_concerned(aws, monkeypatch):
    from chalicelib.services import projection

    monkeypatch.setattr(projection, "LOOK_AGAIN_SECONDS", 0)
    monkeypatch.setattr(jobs, "PART_DELAY_SECONDS", 0)
    monkeypatch.setattr(work, "now", lambda: NOW)
    b.trust()
    b.person()
    pump = Pump()  # nobody has told the projector of this person
    job_id = reconciliation.start("504", "p9", NOW).job.id
    pump.run()
    found = reconciliation.progress_of("504", job_id)
    assert (found.differences, found.first[0]["person"], found.job.state) == (1, "p1", JobState.DONE)
    again = reconciliation.start("504", "p9", NOW).job.id
    pump.run()
    assert reconciliation.progress_of("504", again).differences == 0
