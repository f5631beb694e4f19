"""What tests of keeping the catalogue share: a small trust, and the requests of its administrator."""

from tests import builders as b
from tests.builders import INDUCTION

ADMINISTRATOR, LEARNER = "504-9", "504-1"

FIRST_AID = {
    "id": "first-aid",
    "title": "First Aid",
    "subject": "fire",
    "description": "What to do until help comes.\n- breathing\n- bleeding",
    "duration_minutes": 180,
    "awards": [{"competency": INDUCTION}],
    "offerings": [{"id": "room", "mode": "classroom"}, {"id": "alone", "mode": "e-learning", "language": "cy-GB"}],
    "joining_instructions": "Bring water.",
    "cost_pence": 4500,
    "also_called": ["CPR", "life support"],
    "starts_on": "2026-11-01",
    "ends_on": "2027-10-31",
}
WEEK = {
    "id": "week",
    "title": "First Week",
    "subject": "moving",
    "sections": [{"title": "Day one", "courses": ["504-fire"]}, {"title": "Later", "courses": []}],
}


def small_trust():
    """A trust with one live course, a learner and an administrator."""
    b.trust()
    b.offered()
    b.person(1)
    b.person(9, role="learning_administrator")


def nation(trust):
    """The national administrator, who has subjects and a live course to keep."""
    login = b.person(7, employer="505")
    b.grant("p7", "national_administrator", "NHS")
    post(trust, "subjects?employer=NHS", {"id": "care", "name": "Care"}, as_=login)
    body = {"id": "care", "title": "Care", "subject": "care", "duration_minutes": 60, "status": "live"}
    post(trust, "courses?employer=NHS", body, as_=login)
    return login


def post(api, path, body, as_=ADMINISTRATOR, **options):
    return api.post(f"/v1/{path}", body, as_=as_, **options)


def patch(api, path, revision=1, as_=ADMINISTRATOR, **changes):
    return api.call("PATCH", f"/v1/{path}", body={"revision": revision, **changes}, as_=as_)


def get(api, path, as_=ADMINISTRATOR):
    return api.get(f"/v1/{path}", as_=as_).json_body


def delete(api, path, as_=ADMINISTRATOR):
    return api.delete(f"/v1/{path}", as_=as_)


def put(api, path, body):
    assert api.call("PUT", f"/v1/{path}", body=body, as_=ADMINISTRATOR).status_code == 200
