"""Certifications over HTTP: kept, subscribed to, completed by registers and external training, renewed in time, and told of."""

from datetime import date, timedelta

import pytest

from chalicelib.domain.calendar import london_time
from chalicelib.domain.catalogue import AwardTiming
from chalicelib.domain.competency import Origin
from chalicelib.domain.events import EventType
from chalicelib.domain.notifications import messages
from chalicelib.domain.people import EmploymentKind
from chalicelib.domain.permissions import MATRIX, Capability, Role, Scope
from chalicelib.domain.timers import TimerKind
from chalicelib.rendering import render
from chalicelib.services import competence, takeover, timers
from chalicelib.storage import learner as learners
from chalicelib.storage import timers as stored_timers
from chalicelib.storage.audit import AuditRow
from chalicelib.storage.outbox import EventRow
from chalicelib.storage.people import EmploymentRow
from tests import builders as b
from tests import seams
from tests.builders import FIRE, INDUCTION, MOVING, NOW, SYSTEM, TODAY
from tests.catalogue_keeping import ADMINISTRATOR, delete, get, patch, post, put
from tests.learner_access import fields, problem
from tests.seams import before_commit

LEARNER, MANAGER, COLLEAGUE = "504-1", "504-2", "504-3"
TODAYS = b.session(TODAY, hour=8, hours=1)
SAFE = {
    "id": "safe",
    "title": "Safe at Work",
    "subject": "fire",
    "components": [{"course_id": "504-fire"}, {"course_id": "504-moving"}],
    "awards": [{"competency": INDUCTION}],
    "min_components": 1,
    "validity_months": 12,
    "status": "live",
}


@pytest.fixture
def trust(api):
    """Fire and moving are taught this morning; Sam has a manager, and a colleague who has none."""
    b.trust()
    b.person(1, assignments=[b.assignment("1", supervisor="p2")])
    b.person(2)
    b.person(3)
    b.person(9, role="learning_administrator")
    b.offered(b.class_(sessions=[TODAYS], maximum=40))
    moving = {"course_id": "504-moving", "title": "Moving", "grants": (MOVING,), "subject": "moving"}
    b.offered(b.class_("504-c2", "504-moving", sessions=[TODAYS], maximum=40), **moving)
    return api


def offered(api, rules=({"mode": "self-enrol"},), **changes):
    """A certification that whoever meets a rule subscribes to."""
    assert post(api, "certifications", SAFE | changes).status_code == 201
    put(api, "certifications/504-safe/access-rules", {"rules": list(rules), "revision": 1})


def subscribe(api, as_=LEARNER, **options):
    return api.post("/v1/me/certifications", {"certification_id": "504-safe"}, as_=as_, **options)


def put_down(api, person="p1", **more):
    return post(api, f"people/{person}/certifications", {"certification_id": "504-safe", **more})


def act(api, what, person="p1", as_=ADMINISTRATOR, reason="Moved to theatre."):
    body = None if what == "approval" else {"reason": reason}
    return api.post(f"/v1/people/{person}/certifications/504-safe/{what}", body, as_=as_)


def mine(api, as_=LEARNER):
    (only,) = get(api, "me/certifications", as_=as_)["subscriptions"]
    return only


def on_class(number=1, class_id="504-c1", course="504-fire"):
    at = b.class_(class_id, course, sessions=[TODAYS])
    takeover.take_over(SYSTEM, "504", f"p{number}", (), [b.enrolment(at=at, person=f"p{number}")], NOW)


def mark(api, *numbers, outcome="completed", class_id="504-c1"):
    marks = [{"person_id": f"p{each}", "outcome": outcome} for each in numbers]
    answer = api.post(f"/v1/classes/{class_id}/attendance", {"marks": marks}, as_=ADMINISTRATOR)
    assert answer.status_code == 200, answer.json_body
    return [each["result"] for each in answer.json_body["results"]]


def correct(api, outcome, class_id="504-c1"):
    body = {"outcome": outcome, "reason": "Ticked the wrong line."}
    answer = api.post(f"/v1/people/p1/enrolments/{class_id}~1/correction", body, as_=ADMINISTRATOR)
    assert answer.status_code == 200, answer.json_body


def of(number=1):
    return learners.learner(f"p{number}", "504", consistent=True)


def awarded(competency=INDUCTION, number=1):
    return [each for each in of(number).awards if each.competency == competency]


ASKING = (EventType.CERTIFICATION_REQUESTED, EventType.CERTIFICATION_DECIDED)


def events(*types):
    found = (row.event() for row in EventRow.scan() if row.pk.startswith("EVT"))
    return sorted((each for each in found if each.type in types), key=lambda each: each.at)


def told(*types):
    """Who is told what, with the subject they read."""
    return [
        (person, template, render(template, data).subject)
        for event in events(*types or (EventType.CERTIFIED, EventType.CERTIFICATION_DUE))
        for template, person, data in messages(event)
    ]


def ring_until(day, clock):
    """What the worker does each morning, five minutes late, until a day."""
    on = TODAY
    while on <= day:
        clock.now = london_time(on, 8, 5)
        assert timers.ring("504", clock.now, lambda: True)
        on += timedelta(days=1)


# --- keeping ----------------------------------------------------------------------------------------------------------


def test_a_certification_begins_as_a_draft_and_is_kept_with_everything(trust):
    given = {key: value for key, value in SAFE.items() if key != "status"}
    added = post(trust, "certifications", given)
    assert added.status_code == 201
    assert added.json_body == {
        **given,
        "id": "504-safe",
        "owner": "504",
        "description": "",
        "components": [
            {"course_id": "504-fire", "mode": None, "use": "both"},
            {"course_id": "504-moving", "mode": None, "use": "both"},
        ],
        "awards": [{"competency": INDUCTION, "level": 1}],
        "initial_days": 30,
        "window_days": 90,
        "reminder_days": [90, 60, 30, 7, 0],
        "max_consecutive_elearning": None,
        "auto_enrol": False,
        "status": "draft",
        "also_called": [],
        "starts_on": None,
        "ends_on": None,
        "access_rules": 0,
        "revision": 1,
    }
    assert get(trust, "catalogue/certifications/504-safe") == added.json_body
    assert get(trust, "catalogue/certifications")["total"] == 1
    assert delete(trust, "certifications/504-safe").status_code == 204
    assert trust.get("/v1/catalogue/certifications/504-safe", as_=ADMINISTRATOR).status_code == 404


def test_every_field_is_changed_and_what_is_left_out_stays(trust):
    before = post(trust, "certifications", SAFE).json_body
    changes = {
        "title": "Safer",
        "components": [{"course_id": "504-fire", "mode": "classroom", "use": "both"}],
        "awards": [],
        "min_components": None,
        "initial_days": 60,
        "validity_months": 24,
        "window_days": 30,
        "reminder_days": [14],
        "max_consecutive_elearning": 2,
        "auto_enrol": True,
        "also_called": ["Safety"],
        "starts_on": "2026-11-01",
        "ends_on": "2030-11-01",
        "status": "withdrawn",
    }
    for revision, (field, value) in enumerate(changes.items(), 1):
        after = patch(trust, "certifications/504-safe", revision, **{field: value}).json_body
        assert after == {**before, field: value, "revision": revision + 1}
        before = after
    assert get(trust, "catalogue/certifications/504-safe") == before


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"components": []}, ["body.components", "body.components", "body.components"]),
        ({"components": [{"course_id": "504-none"}]}, ["body.components[0].course_id"]),
        ({"components": [{"course_id": "504-fire"}] * 2}, ["body.components[1].course_id"]),
        ({"components": [{"course_id": "504-fire", "mode": "blended"}]}, ["body.components[0].mode"]),
        ({"components": [{"course_id": "504-fire", "use": "initial"}]}, ["body.components"]),
        ({"min_components": 3}, ["body.min_components", "body.min_components"]),
        ({"min_components": 0}, ["body.min_components"]),
        ({"max_consecutive_elearning": 0}, ["body.max_consecutive_elearning"]),
        ({"window_days": 336}, ["body.window_days"]),
        ({"reminder_days": [7, 7]}, ["body.reminder_days[1]"]),
        ({"awards": [{"competency": "504|LOCAL|None|"}]}, ["body.awards[0].competency"]),
        ({"subject": "none", "starts_on": "2027-01-01", "ends_on": "2026-01-01"}, ["body.subject", "body.ends_on"]),
    ],
)
def test_settings_by_which_nobody_could_be_certified_are_refused_by_field(trust, wrong, named):
    assert fields(post(trust, "certifications", SAFE | wrong)) == (400, named)


def test_a_limit_of_e_learning_leaves_something_else_to_do(trust):
    alone = [{"course_id": "504-fire", "mode": "e-learning"}]
    limited = SAFE | {"components": alone, "max_consecutive_elearning": 1}
    assert fields(post(trust, "certifications", limited)) == (400, ["body.max_consecutive_elearning"])
    limited["components"] = [*alone, {"course_id": "504-moving"}]
    assert post(trust, "certifications", limited).status_code == 201


def test_who_subscribes_again_may_have_used_e_learning_up_for_the_first_period_as_well(trust):
    alone = {"course_id": "504-fire", "mode": "e-learning", "use": "initial"}
    limited = {"components": [alone, {"course_id": "504-moving", "use": "renewal"}], "max_consecutive_elearning": 1}
    assert fields(post(trust, "certifications", SAFE | limited)) == (400, ["body.max_consecutive_elearning"])


def test_courses_that_ask_for_what_only_the_certification_awards_make_it_impossible_to_complete(trust):
    needs = {"kind": "competency", "id": INDUCTION}
    put(trust, "courses/504-fire/prerequisites", {"prerequisites": [needs], "revision": 1})
    put(
        trust,
        "courses/504-moving/prerequisites",
        {"prerequisites": [{"kind": "course", "id": "504-fire"}], "revision": 1},
    )
    assert fields(post(trust, "certifications", SAFE)) == (400, ["body.components"])
    assert post(trust, "certifications", SAFE | {"awards": []}).status_code == 201


def test_a_course_in_a_certification_is_not_deleted(trust):
    post(trust, "courses", {"id": "new", "title": "New", "subject": "fire", "duration_minutes": 60})
    post(trust, "certifications", SAFE | {"components": [{"course_id": "504-new"}], "status": "draft"})
    refused = delete(trust, "courses/504-new")
    assert problem(refused) == (409, "in-use")
    assert refused.json_body["facts"]["named_by"] == {"certifications": ["504-safe"]}


def test_learners_find_it_in_a_search_if_access_lets_them(trust):
    offered(trust)
    (found,) = [
        each for each in get(trust, "courses?words=safe at work", as_=LEARNER)["courses"] if each["id"] == "504-safe"
    ]
    assert (found["kind"], found["awards"]) == ("certification", [{"competency": INDUCTION, "level": 1}])
    hidden = {"mode": "self-enrol", "targets": [{"kind": "PERSON", "id": "p3"}]}
    put(trust, "certifications/504-safe/access-rules", {"rules": [hidden], "revision": 2})
    assert "504-safe" not in {each["id"] for each in get(trust, "courses", as_=LEARNER)["courses"]}
    assert problem(subscribe(trust)) == (404, "not-found")


# --- subscribing --------------------------------------------------------------------------------------------------------


def test_a_learner_subscribes_and_sees_what_is_to_be_done_by_when(trust):
    offered(trust)
    answer = subscribe(trust)
    assert answer.status_code == 201
    seen = mine(trust)
    assert seen == answer.json_body
    assert (seen["status"], seen["mandatory"], seen["valid_until"]) == ("subscribed", False, None)
    current = seen["current"]
    assert (current["period"]["due_on"], current["left"], current["overdue"]) == ("2026-12-23", 1, False)
    assert [(each["title"], each["available"]) for each in current["options"]] == [
        ("Fire Safety", True),
        ("Moving", True),
    ]
    assert [each["what"] for each in seen["coming"]] == ["reminder", "due", "reminder"]
    assert told() == []


def test_subscribing_twice_is_subscribing_once(trust):
    offered(trust)
    first = subscribe(trust, headers={"Idempotency-Key": "once"})
    assert subscribe(trust, headers={"Idempotency-Key": "once"}).json_body == first.json_body
    assert subscribe(trust).json_body == first.json_body
    assert len(of().subscriptions[0].history) == 1


def test_of_two_at_once_one_subscribes(trust):
    offered(trust)
    with before_commit(lambda: subscribe(trust)):
        assert subscribe(trust).json_body["status"] == "subscribed"
    assert len(of().subscriptions[0].history) == 1


def test_where_access_asks_for_it_the_manager_approves(trust):
    offered(trust, rules=())
    assert subscribe(trust).json_body["status"] == "awaiting approval"
    assert problem(act(trust, "approval", as_=COLLEAGUE)) in ((403, "not-permitted"), (404, "not-found"))
    assert act(trust, "approval", as_=MANAGER).json_body["status"] == "subscribed"
    assert act(trust, "approval", as_=MANAGER).json_body["current"]["period"]["due_on"] == "2026-12-23"
    assert problem(act(trust, "rejection", as_=MANAGER)) == (409, "subscription-not-there")
    assert sorted(told(*ASKING)) == [
        ("p1", "certification_decided", "Approved: Safe at Work"),
        ("p2", "certification_requested", "Please decide: Sam Testfold1, Safe at Work"),
    ]


def test_rejected_for_a_reason_one_may_ask_again(trust):
    offered(trust, rules=())
    subscribe(trust)
    rejected = act(trust, "rejection", as_=MANAGER, reason="Not this year.").json_body
    assert (rejected["status"], rejected["history"][-1]["reason"]) == ("rejected", "Not this year.")
    assert sorted(told(*ASKING))[0] == ("p1", "certification_decided", "Not approved: Safe at Work")
    assert subscribe(trust).json_body["status"] == "awaiting approval"
    assert act(trust, "approval").json_body["status"] == "subscribed"


def test_without_a_manager_the_learning_team_is_asked(trust):
    offered(trust, rules=())
    assert subscribe(trust, as_=COLLEAGUE).json_body["status"] == "awaiting approval"
    assert [(who, template) for who, template, _ in told(*ASKING)] == [("p9", "certification_requested")]
    assert act(trust, "approval", person="p3").json_body["status"] == "subscribed"


def test_nobody_approves_a_request_of_their_own(trust):
    offered(trust, rules=())
    assert subscribe(trust, as_=ADMINISTRATOR).json_body["status"] == "awaiting approval"
    assert problem(act(trust, "approval", person="p9")) == (403, "not-permitted")


def test_nobody_administers_a_subscription_of_their_own(trust):
    offered(trust, rules=())
    subscribe(trust, as_=ADMINISTRATOR)
    assert problem(put_down(trust, "p9", mandatory=False)) == (403, "not-permitted")
    assert problem(act(trust, "cancellation", person="p9")) == (403, "not-permitted")
    assert problem(act(trust, "reinstatement", person="p9")) == (403, "not-permitted")
    assert mine(trust, as_=ADMINISTRATOR)["status"] == "awaiting approval"
    cancelled = trust.post("/v1/me/certifications/504-safe/cancellation", as_=ADMINISTRATOR)
    assert cancelled.json_body["status"] == "cancelled"


def leave(number):
    (row,) = [each for each in EmploymentRow.scan() if isinstance(each, EmploymentRow) and each.pk == f"P#p{number}"]
    row.update([EmploymentRow.ends_on.set(TODAY - timedelta(days=1))])


def test_nothing_is_begun_for_whoever_has_left(trust):
    offered(trust, rules=())
    subscribe(trust)
    subscribe(trust, as_=COLLEAGUE)
    act(trust, "cancellation", person="p3")
    leave(1)
    leave(3)
    for what in ("approval", "rejection"):
        assert problem(act(trust, what)) == (404, "not-found")
    assert problem(act(trust, "reinstatement", person="p3")) == (404, "not-found")
    assert (of(1).subscriptions[0].status, of(3).subscriptions[0].status) == ("awaiting approval", "cancelled")


def test_who_was_asked_once_learns_nothing_of_it_later(trust, clock):
    first = b.assignment("6", supervisor="p2", ends_on=TODAY + timedelta(days=5))
    b.person(6, assignments=[first, b.assignment("6-2", supervisor="p3", primary=False)])
    offered(trust, rules=())
    subscribe(trust, as_="504-6")
    clock.now = london_time(TODAY + timedelta(days=6), 9)
    assert act(trust, "approval", person="p6", as_=MANAGER).status_code == 200
    assert act(trust, "approval", person="p6", as_=MANAGER).status_code == 200
    act(trust, "cancellation", person="p6")
    assert problem(act(trust, "approval", person="p6", as_=MANAGER)) == (404, "not-found")


def test_an_administrator_puts_somebody_down_who_is_told_and_cannot_cancel(trust):
    offered(trust, rules=({"mode": "administrator only"},))
    assert problem(subscribe(trust)) == (403, "administrator-only")
    assert put_down(trust, reason="For theatre.").json_body["mandatory"] is True
    assert told() == [
        ("p1", "certification_due", "New training for you: Safe at Work, by Wednesday 23 December 2026"),
    ]
    refused = trust.post("/v1/me/certifications/504-safe/cancellation", as_=LEARNER)
    assert problem(refused) == (403, "mandatory-subscription")
    assert put_down(trust, mandatory=False).json_body["mandatory"] is False
    cancelled = trust.post("/v1/me/certifications/504-safe/cancellation", as_=LEARNER)
    assert cancelled.json_body["status"] == "cancelled"
    assert len(told()) == 1


def test_only_what_is_offered_is_subscribed_to_by_people_who_are_here(trust):
    offered(trust)
    assert problem(put_down(trust, person="p77")) == (404, "not-found")
    patch(trust, "certifications/504-safe", 2, status="withdrawn")
    assert problem(subscribe(trust)) == (404, "not-found")
    assert problem(put_down(trust)) == (409, "certification-not-offered")
    assert problem(subscribe(trust, as_=ADMINISTRATOR)) == (409, "certification-not-offered")


# --- completing ---------------------------------------------------------------------------------------------------------


def test_a_register_completes_it_and_competencies_are_awarded_with_it(trust):
    offered(trust)
    subscribe(trust)
    on_class()
    assert mark(trust, 1) == ["marked"]
    seen = mine(trust)
    assert (seen["status"], seen["valid_until"], seen["current"]) == ("certified", "2027-11-23", None)
    assert seen["past"][0]["done"] == [
        {"course_id": "504-fire", "mode": "classroom", "on": "2026-11-23", "source": "504-c1~1"}
    ]
    assert [each["what"] for each in seen["coming"]] == ["renewal opens", "expires"]
    (award,) = awarded()
    assert (award.awarded_on, award.origin, award.source) == (TODAY, Origin.COMPLETION, "504-safe~1.2")
    assert told() == [("p1", "certified", "Certified: Safe at Work")]
    (event,) = events(EventType.CERTIFIED)
    assert "You can renew it from Wednesday 25 August 2027 on." in render("certified", event.data).text


def test_of_a_register_those_who_subscribe_are_marked_like_everybody(trust):
    offered(trust)
    for number in (1, 3):
        on_class(number)
    subscribe(trust)
    assert mark(trust, 1, 3) == ["marked", "marked"]
    assert mark(trust, 1, 3) == ["unchanged", "unchanged"]
    assert len(awarded()) == 1
    assert awarded(number=3) == []


def test_some_of_all_that_are_needed_is_progress(trust):
    offered(trust, min_components=None)
    subscribe(trust)
    on_class()
    on_class(class_id="504-c2", course="504-moving")
    mark(trust, 1)
    half = mine(trust)
    assert (half["status"], half["current"]["period"]["status"], half["current"]["left"]) == ("subscribed", "active", 1)
    mark(trust, 1, class_id="504-c2")
    assert mine(trust)["status"] == "certified"


def test_an_outcome_put_right_takes_the_certification_back_and_its_awards_with_it(trust):
    offered(trust)
    subscribe(trust)
    on_class()
    mark(trust, 1)
    correct(trust, "did not attend")
    assert (mine(trust)["status"], mine(trust)["current"]["period"]["due_on"]) == ("subscribed", "2026-12-23")
    assert [each.void for each in awarded()] == [True]
    correct(trust, "completed")
    assert mine(trust)["status"] == "certified"
    assert [each.void for each in awarded()] == [True, False]


def test_whoever_is_not_certified_any_more_is_told(trust):
    offered(trust)
    subscribe(trust)
    on_class()
    mark(trust, 1)
    for _ in range(2):  # and again, on one day
        correct(trust, "did not attend")
        correct(trust, "completed")
    correct(trust, "did not attend")
    again = ("p1", "certification_due", "Not complete any more: Safe at Work")
    assert told(EventType.CERTIFICATION_DUE) == [again] * 3
    (*_, event) = events(EventType.CERTIFICATION_DUE)
    assert (
        "does not count any more. It is due on Wednesday 23 December 2026"
        in render("certification_due", event.data).text
    )


def test_taken_back_too_late_to_do_it_again_in_time_learner_and_manager_are_told(trust, clock):
    offered(trust)
    subscribe(trust)
    on_class()
    mark(trust, 1)
    clock.now = london_time(date(2027, 1, 10), 9)
    correct(trust, "did not attend")
    ring_until(date(2027, 1, 20), clock)
    assert told(EventType.CERTIFICATION_DUE) == [
        ("p1", "certification_due", "Overdue: Safe at Work"),
        ("p2", "certification_overdue_in_team", "Overdue: Sam Testfold1, Safe at Work"),
    ]


def test_a_completion_taken_back_while_cancelled_awards_nothing_and_is_reinstated_as_open(trust):
    offered(trust)
    subscribe(trust)
    on_class()
    mark(trust, 1)
    act(trust, "cancellation")
    correct(trust, "did not attend")
    assert [each.void for each in awarded()] == [True]
    assert (mine(trust)["status"], mine(trust)["valid_until"]) == ("cancelled", None)
    assert act(trust, "reinstatement").json_body["status"] == "subscribed"


def test_one_course_completes_several_certifications_of_many_awards(trust):
    names = [f"504|LOCAL|Thing {number} - 1 Year|" for number in range(11)]
    competence.define_competencies(SYSTEM, "504", [b.competency(name) for name in names], NOW)
    many = [{"competency": name} for name in names]
    assert fields(post(trust, "certifications", SAFE | {"awards": many})) == (400, ["body.awards"])
    for number in range(5):
        changes = {"id": f"safe{number}", "awards": many[:10], "components": [{"course_id": "504-fire"}]}
        assert post(trust, "certifications", SAFE | changes).status_code == 201
        body = {"certification_id": f"504-safe{number}"}
        assert post(trust, "people/p1/certifications", body).status_code == 201
    on_class()
    assert mark(trust, 1) == ["marked"]
    assert {each.status for each in of().subscriptions} == {"certified"}
    assert len(awarded(names[0])) == 5
    correct(trust, "did not attend")
    assert all(each.void for each in awarded(names[0]))


def test_a_course_that_awards_after_verification_is_a_component_once_it_is_completed(trust):
    b.offered(
        b.class_("504-c3", "504-aid", sessions=[TODAYS], maximum=40),
        course_id="504-aid",
        title="Aid",
        award_timing=AwardTiming.AFTER_VERIFICATION,
    )
    offered(trust, components=[{"course_id": "504-aid"}])
    subscribe(trust)
    on_class(class_id="504-c3", course="504-aid")
    mark(trust, 1, class_id="504-c3")
    assert mine(trust)["status"] == "certified"


def test_verified_external_training_completes_it(trust):
    offered(trust)
    subscribe(trust)
    body = {"title": "Fire", "provider": "Elsewhere", "completed_on": str(TODAY)}
    training = post(trust, "people/p1/external-training", body).json_body["id"]
    answer = post(trust, f"external-training/p1/{training}/verification", {"awards": [{"competency": FIRE}]})
    assert answer.status_code == 200, answer.json_body
    assert (mine(trust)["status"], mine(trust)["past"][0]["done"][0]["mode"]) == ("certified", None)
    assert len(awarded()) == 1


def verified_elsewhere(trust, *competencies):
    """External training as it stands once it was verified."""
    body = {"title": "Fire", "provider": "Elsewhere", "completed_on": str(TODAY)}
    training = post(trust, "people/p1/external-training", body).json_body["id"]
    given = {"awards": [{"competency": each} for each in competencies]}
    assert post(trust, f"external-training/p1/{training}/verification", given).status_code == 200


def award_put_right(trust, competency, what="void", **more):
    (wrong,) = [each for each in awarded(competency) if not each.void]
    which = {"competency": competency, "awarded_on": str(wrong.awarded_on), "source": wrong.source}
    answer = post(trust, f"people/p1/awards/{what}", which | {"reason": "The certificate was forged."} | more)
    assert answer.status_code in (200, 201), answer.json_body


def test_external_training_that_was_none_takes_the_certification_back_and_its_awards_with_it(trust):
    offered(trust, components=[{"course_id": "504-fire"}])
    subscribe(trust)
    verified_elsewhere(trust, FIRE, MOVING)
    award_put_right(trust, MOVING)
    assert mine(trust)["status"] == "certified"
    award_put_right(trust, FIRE)
    assert mine(trust)["status"] == "subscribed"
    assert [each.void for each in awarded()] == [True]
    assert told(EventType.CERTIFICATION_DUE) == [("p1", "certification_due", "Not complete any more: Safe at Work")]


def test_external_training_done_before_the_period_began_is_taken_back_once_its_day_is_put_right(trust):
    offered(trust)
    subscribe(trust)
    verified_elsewhere(trust, FIRE)
    award_put_right(trust, FIRE, "correction", right={"awarded_on": str(TODAY - timedelta(days=1))})
    assert mine(trust)["status"] == "subscribed"


def test_a_collision_while_marking_awards_once(trust):
    offered(trust)
    subscribe(trust)
    on_class()
    with seams.colliding_transactions(2):
        assert mark(trust, 1) == ["marked"]
    assert len(awarded()) == 1


# --- time ---------------------------------------------------------------------------------------------------------------


def test_who_does_nothing_is_reminded_and_once_it_is_overdue_the_manager_is_told(trust, clock):
    offered(trust)
    subscribe(trust)
    ring_until(date(2027, 3, 1), clock)
    assert told() == [
        ("p1", "certification_due", "Due on Wednesday 23 December 2026: Safe at Work"),
        ("p1", "certification_due", "Due on Wednesday 23 December 2026: Safe at Work"),
        ("p1", "certification_due", "Overdue: Safe at Work"),
        ("p2", "certification_overdue_in_team", "Overdue: Sam Testfold1, Safe at Work"),
    ]
    assert mine(trust)["current"]["overdue"] is True
    assert stored_timers.due("504", london_time(date(2090, 1, 1), 8), 10) == []


def test_it_is_renewed_in_its_window_and_expires_where_it_is_not(trust, clock):
    offered(trust, reminder_days=[30])
    subscribe(trust)
    on_class()
    mark(trust, 1)
    ring_until(date(2027, 11, 24), clock)
    seen = mine(trust)
    assert (seen["status"], [each["status"] for each in seen["history"]]) == (
        "expired",
        ["subscribed", "certified", "renewing", "expired"],
    )
    assert [each[1:] for each in told()] == [
        ("certified", "Certified: Safe at Work"),
        ("certification_due", "Due on Tuesday 23 November 2027: Safe at Work"),
        ("certification_due", "Expired: Safe at Work"),
        ("certification_overdue_in_team", "Expired: Sam Testfold1, Safe at Work"),
    ]


def test_reading_is_right_before_the_timer_has_rung(trust, clock):
    offered(trust)
    subscribe(trust)
    on_class()
    mark(trust, 1)
    clock.now = london_time(date(2027, 8, 25), 0, 1)
    assert mine(trust)["status"] == "renewing"
    assert of().subscriptions[0].status == "certified"


def test_rung_twice_or_late_or_against_another_nothing_is_told_twice(trust, clock):
    offered(trust)
    subscribe(trust)
    due = stored_timers.due("504", london_time(date(2090, 1, 1), 8), 10)
    (timer,) = [each for each in due if each.kind is TimerKind.CERTIFICATION]
    late = london_time(date(2026, 12, 20), 9)
    with before_commit(lambda: timers.ring("504", late, lambda: True)):
        timers.ring("504", late, lambda: True)
    stored_timers.TimerRow.of(timer).save()
    timers.ring("504", late, lambda: True)
    assert len(told()) == 1


def test_what_was_cancelled_or_certified_rings_for_nothing(trust, clock):
    offered(trust)
    subscribe(trust)
    trust.post("/v1/me/certifications/504-safe/cancellation", as_=LEARNER)
    ring_until(date(2026, 12, 31), clock)
    assert told() == []


def test_a_leaver_is_told_nothing(trust, clock):
    b.person(4, kind=EmploymentKind.EXTERNAL)
    offered(trust)
    assert subscribe(trust, as_="504-4").status_code == 201
    (row,) = [each for each in EmploymentRow.scan() if isinstance(each, EmploymentRow) and each.pk == "P#p4"]
    row.update([EmploymentRow.ends_on.set(date(2026, 11, 30))])
    ring_until(date(2026, 12, 31), clock)
    assert told() == []


def test_reinstated_it_has_its_old_dates_and_goes_on_ringing(trust, clock):
    offered(trust)
    subscribe(trust)
    assert act(trust, "cancellation").json_body["status"] == "cancelled"
    assert len(act(trust, "cancellation").json_body["history"]) == 2
    ring_until(date(2026, 12, 17), clock)
    back = act(trust, "reinstatement", reason="By mistake.").json_body
    assert (back["status"], back["current"]["period"]["due_on"]) == ("subscribed", "2026-12-23")
    ring_until(date(2026, 12, 24), clock)
    assert [subject for _, _, subject in told()][-1].startswith(("Overdue", "Due"))
    assert problem(act(trust, "reinstatement")) == (409, "subscription-not-there")


def test_reinstated_when_it_is_long_overdue_learner_and_manager_are_told_once(trust, clock):
    offered(trust, initial_days=5)
    subscribe(trust)
    act(trust, "cancellation")
    ring_until(TODAY + timedelta(days=20), clock)
    act(trust, "reinstatement")
    ring_until(TODAY + timedelta(days=60), clock)
    assert told() == [
        ("p1", "certification_due", "Overdue: Safe at Work"),
        ("p2", "certification_overdue_in_team", "Overdue: Sam Testfold1, Safe at Work"),
    ]


def test_at_the_limit_of_e_learning_only_the_class_is_offered_and_the_learner_is_told_why(trust, clock):
    components = [{"course_id": "504-fire", "mode": "e-learning"}, {"course_id": "504-moving", "mode": "classroom"}]
    offered(trust, components=components, max_consecutive_elearning=1)
    subscribe(trust)
    takeover.take_over(SYSTEM, "504", "p1", (), [b.enrolment(at=b.e_learning(), person="p1")], NOW)
    b.classes.add_class(SYSTEM, b.e_learning(), NOW)
    assert mark(trust, 1, class_id="504-e1") == ["marked"]
    clock.now = london_time(date(2027, 9, 1), 9)
    current = mine(trust)["current"]
    alone, room = current["options"]
    assert (current["elearning_in_a_row"], current["max_consecutive_elearning"]) == (1, 1)
    assert (alone["available"], room["available"]) == (False, True)
    assert alone["why_not"].startswith("You have done this once by e-learning alone")
    (team,) = get(trust, "people/p1/certifications", as_=MANAGER)["subscriptions"]
    assert team["current"]["options"][0]["why_not"].startswith("This has been done once by e-learning alone")
    ring_until(date(2027, 8, 25), clock)
    (event,) = events(EventType.CERTIFICATION_DUE)
    assert event.data["options"] == [{"title": "Moving", "mode": "classroom"}]
    assert "This time, go to a class." in render("certification_due", event.data).text


# --- who sees and does what -----------------------------------------------------------------------------------------------


def test_a_manager_sees_their_peoples_and_a_colleague_nothing(trust):
    offered(trust)
    subscribe(trust)
    path = "/v1/people/p1/certifications"
    assert [trust.get(path, as_=each).status_code for each in (MANAGER, ADMINISTRATOR, LEARNER, COLLEAGUE)] == [
        200,
        200,
        200,
        404,
    ]


def test_administrators_list_who_subscribes_by_state_page_by_page(trust):
    offered(trust)
    for login in (LEARNER, MANAGER, COLLEAGUE):
        subscribe(trust, as_=login)
    on_class()
    mark(trust, 1)
    path = "certifications/504-safe/subscriptions"
    assert [each["person_id"] for each in get(trust, f"{path}?status=certified")["subscribers"]] == ["p1"]
    first = get(trust, f"{path}?limit=2")
    rest = get(trust, f"{path}?limit=2&cursor={first['next_cursor']}")
    assert [each["person_id"] for each in first["subscribers"] + rest["subscribers"]] == ["p1", "p2", "p3"]
    assert rest["next_cursor"] is None
    assert problem(trust.get(f"/v1/{path}", as_=LEARNER)) == (403, "not-permitted")


def test_every_change_is_audited_by_ids(trust):
    offered(trust)
    subscribe(trust)
    act(trust, "cancellation", reason="Moved to theatre.")
    act(trust, "reinstatement", reason="Came back.")
    changes = [each for each in AuditRow.scan() if each.action == "subscription.changed"]
    assert {(each.actor, each.facts["before"], each.facts["status"]) for each in changes} == {
        ("p1", None, "subscribed"),
        ("p9", "subscribed", "cancelled"),
        ("p9", "cancelled", "subscribed"),
    }
    assert {each.facts.get("note") for each in changes} == {None, "Moved to theatre.", "Came back."}
    assert all("Testfold" not in str(each.facts) for each in changes)


def test_what_becomes_mandatory_or_not_is_kept_with_the_reason_given_for_it(trust):
    offered(trust)
    put_down(trust, reason="After the incident.")
    put_down(trust, mandatory=False, reason="Now voluntary.")
    on_class()
    mark(trust, 1)
    changes = [each.facts for each in AuditRow.scan() if each.action == "subscription.changed"]
    kept = {(each["before"], each["status"], each.get("mandatory"), each.get("note")) for each in changes}
    assert kept == {
        (None, "subscribed", True, "After the incident."),
        ("subscribed", "subscribed", False, "Now voluntary."),
        ("subscribed", "certified", None, None),
    }
    (certified,) = [each for each in changes if each["status"] == "certified"]
    assert [each["competency"] for each in certified["awards"]] == [INDUCTION]
    assert [each["reason"] for each in mine(trust)["history"][:2]] == ["After the incident.", "Now voluntary."]


def test_administrators_alone_keep_them():
    row = MATRIX[Capability.EDIT_LEARNING_RULES]
    assert {role for role in Role if row[role] is Scope.ALLOW} == {Role.LEARNING_ADMINISTRATOR}
