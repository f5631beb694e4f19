"""A ward whose learners ask before they are placed: p1 asks, p2 manages them, p3 manages p2, p4 is a colleague, p9 administers."""

from datetime import date

from chalicelib import rendering
from chalicelib.domain.people import EmploymentKind
from chalicelib.handlers import events
from chalicelib.storage.outbox import NotificationRow
from tests import builders as b
from tests.pump import stream_records

LEARNER, MANAGER, ABOVE, COLLEAGUE, LA = (f"504-{number}" for number in (1, 2, 3, 4, 9))
REASON = {"reason": "The ward is short of people that day."}
OVERRIDE = {"override": {"reason": "Their manager is on long leave."}}


def ward(*planned, **course_changes):
    """The people, and a course without access rules: everybody asks."""
    b.trust()
    b.offered(*(planned or (b.class_(maximum=1), b.e_learning())), **{"rules": (), **course_changes})
    b.person(1, assignments=[b.assignment("1", supervisor="p2")])
    b.person(2, assignments=[b.assignment("2", supervisor="p3")])
    b.person(3, assignments=[b.assignment("3")])
    b.person(4, assignments=[b.assignment("4")])
    b.person(9, assignments=(), role="learning_administrator")


def leave(number, last_day=date(2026, 11, 22)):
    """Somebody whose employment ended."""
    row = b.workforce.people.EmploymentRow.of(
        b.Person(f"p{number}", "Sam", f"Testfold{number}"),
        b.Employment("504", EmploymentKind.EMPLOYEE, f"200{number:05d}", date(2024, 1, 1), last_day),
    )
    row.save()


def asks(api, class_id="504-c1", as_=LEARNER):
    return api.post("/v1/me/enrolments", {"class_id": class_id}, as_=as_)


def approve(api, as_=MANAGER, enrolment="504-c1~1", body=None, person="p1"):
    return api.post(f"/v1/people/{person}/enrolments/{enrolment}/approval", body or {}, as_=as_)


def reject(api, as_=MANAGER, enrolment="504-c1~1", body=None, person="p1"):
    return api.post(f"/v1/people/{person}/enrolments/{enrolment}/rejection", body or REASON, as_=as_)


def delegate(api, to="p4", first="2026-11-23", last="2026-12-31", as_=MANAGER, **options):
    return api.post("/v1/me/delegations", {"to": to, "from": first, "until": last}, as_=as_, **options)


def slug(answer):
    return answer.json_body["type"].rpartition(":")[2]


def queue(api, as_=MANAGER, query=""):
    """The people whose requests are listed."""
    answer = api.get(f"/v1/approvals{query}", as_=as_)
    assert answer.status_code == 200, answer.json_body
    return [each["person_id"] for each in answer.json_body["requests"]]


def told():
    """Every message written so far, as person and template."""
    events.relay_events({"Records": stream_records()})
    return sorted((row.pk.removeprefix("P#"), row.template) for row in messages())


def messages():
    """The notifications that were written."""
    return [row for row in NotificationRow.scan() if isinstance(row, NotificationRow)]


def text_of(template, person):
    """The text of somebody's message."""
    return next(said(row) for row in messages() if (row.template, row.pk) == (template, f"P#{person}"))


def said(row):
    """The text of a message, as its inbox shows it."""
    return rendering.render(row.template, row.data).text
