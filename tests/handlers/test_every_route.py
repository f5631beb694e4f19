"""Every route, walked: with no token, as each role, at a foreign employer, and with bad input. None answers 5xx."""

import re

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app import app
from chalicelib.domain import catalogue_file, errors
from chalicelib.domain.people import EmploymentKind
from chalicelib.domain.permissions import MATRIX, Capability, Role, Scope
from chalicelib.handlers import problems
from chalicelib.handlers.http import OPERATIONS, PUBLIC
from chalicelib.handlers.parsing import Csv
from tests import builders as b

GUARDED = [operation for operation in OPERATIONS if operation.capability != PUBLIC]
SCHEDULE = {
    "copy_of": "504-c1",
    "pattern": {"repeats": "weekly", "starts_on": "2027-01-12", "count": 2},
    "accept_cautions": True,
}
BODIES = {
    "enrol": {"class_id": "504-c1"},
    "define_competency": {"name": "504|LOCAL|Medical Devices - 2 Years|"},
    "change_settings": {"amber_months": 2},
    "grant_role": {"person_id": "p2", "role": "instructor"},
    "try_draft": {"amber_months": 4},
    "preview_requirement": {"target_kind": "ORG", "target": "504", "competency": b.FIRE},
    "search_people": {"name": "testfold"},
    "sign_in": {"login": "x", "password": "y"},
    "renew_sign_in": {"refresh_token": "x"},
    "change_workforce": {"changes": [{"id": "m1", "sequence": 1, "employee_number": "1", "assignments": []}]},
    "change_structure": {"units": [{"id": "ward-11", "name": "504 Ward 11", "parent": "surgery"}]},
    "record_award": {"competency": b.FIRE, "awarded_on": "2026-11-02", "note": "certificate seen"},
    "void_award": {"competency": b.FIRE, "awarded_on": "2026-11-02", "source": "x", "reason": "a mistake"},
    "correct_award": {
        "competency": b.FIRE,
        "awarded_on": "2026-11-02",
        "source": "x",
        "right": {"awarded_on": "2026-11-01"},
        "reason": "a mistake",
    },
    "offer_workforce_file": {"name": "people.csv"},
    "save_requirement": {"target_kind": "ORG", "target": "504", "competency": b.FIRE},
    "grant_exemption": {"competency": b.FIRE, "reason": "On long leave.", "ends_on": "2027-03-31"},
    "make_calendar_feed": {"name": "Phone"},
    "preview_schedule": SCHEDULE,
    "make_schedule": SCHEDULE,
    "change_schedule": {"title": "Fire Safety"},
    "cancel_schedule": {"reason": "The room was flooded."},
    "end_exemption": {"competency": b.FIRE, "starts_on": "2026-11-23", "ends_on": "2026-12-31"},
}
BODIES |= {
    "set_course_rules": {"rules": [], "revision": 1},
    "set_path_rules": {"rules": [], "revision": 1},
    "course_audience": {"on": "2026-12-01"},
    "path_audience": {"on": "2026-12-01"},
    "set_course_prerequisites": {"prerequisites": [], "revision": 1},
    "create_class": {"course_id": "504-fire", "offering": "e-learning"},
    "change_class": {"revision": 1, "minimum": 3},
    "cancel_class": {"reason": "The room is flooded."},
    "copy_class": {"day": "2026-12-08"},
}
TRAINING = {"title": "Fire Safety", "provider": "Elsewhere", "completed_on": "2026-11-02"}
BODIES |= {
    **dict.fromkeys(("add_external_training", "add_external_training_for"), TRAINING),
    "offer_evidence": {"content_type": "application/pdf", "bytes": 1000},
    "reject_external_training": {"reason": "Nothing shows it."},
    "verify_external_training": {"awards": []},
}
BODIES |= {
    "enrol_other": {"class_id": "504-c1"},
    "enrol_many": {"people": [{"person_id": "p2"}]},
    "withdraw_other": {},
    **{each: {"reason": "The ward is short of staff."} for each in ("cancel_other", "promote_other", "send_back")},
}
BODIES |= {
    "mark_attendance": {"rest": "completed"},
    "correct_attendance": {"outcome": "confirmed", "reason": "Ticked the wrong line."},
}
BODIES |= {
    "add_subject": {"id": "drills", "name": "Drills"},
    "add_venue": {"id": "room-9", "name": "Room 9"},
    "add_synonyms": {"id": "blaze", "words": ["blaze", "fire"]},
    "add_course": {"id": "drills", "title": "Drills", "subject": "fire", "duration_minutes": 60},
    "add_path": {"id": "week", "title": "First Week", "subject": "fire"},
    **{f"change_{kind}": {"revision": 1} for kind in ("subject", "venue", "synonyms", "course", "path")},
}
BODIES |= {
    "approve_enrolment": {},
    "reject_enrolment": {"reason": "The ward is short of people."},
    "decide_on_requests": {"decisions": [{"person_id": "p2", "enrolment_id": "504-c1~1", "decision": "approve"}]},
    "delegate_approvals": {"to": "p2", "from": "2026-11-23", "until": "2026-12-31"},
}
BODIES |= {
    "ask_for_transfer": {"from_employer": "505", "consented_on": "2026-11-20"},
    **{each: {"reason": "The certificate was withdrawn."} for each in ("refuse_transfer", "reject_transfer_item")},
    "change_transfer_settings": {"automatic_release": True, "recognised_employers": None},
}
BODIES |= {"dry_run": {}, "set_auto_enrolment": {"on": True}}
BODIES |= {
    "set_preferences": {"digest": True},
    "change_message_settings": {
        "sender_name": "Demonstration Trust",
        "reply_to": "learning@trust.invalid",
        "daily_cap": 1000,
        "digest_hour": 7,
        "class_reminder_days": [7, 1],
        "minimum_check_days": [7],
    },
}
BODIES |= {
    "add_certification": {
        "id": "safe",
        "title": "Safe",
        "subject": "fire",
        "components": [{"course_id": "504-fire"}],
    },
    "change_certification": {"revision": 1},
    "set_certification_rules": {"rules": [], "revision": 1},
    "subscribe": {"certification_id": "504-safe"},
    "subscribe_other": {"certification_id": "504-safe"},
    "cancel_subscription_of": {"reason": "Moved to theatre."},
    "reinstate_subscription": {"reason": "Moved to theatre."},
    "reject_subscription": {"reason": "Moved to theatre."},
}
NOTICE = {
    "audience": [{"kind": "organisation", "id": "504"}],
    "subject": "Fire drill",
    "text": "There is a drill on Monday.",
}
BODIES |= dict.fromkeys(("preview_notice", "send_notice"), NOTICE)
FILES = {"import_framework": "name,renewal_months,levels,covers,starts_on,ends_on\n504|LOCAL|Pumps|,,,,,\n"}
FILES["import_catalogue"] = (
    f"{','.join(catalogue_file.COLUMNS)}\nsubject,drills,Drills{',' * (len(catalogue_file.COLUMNS) - 3)}\n"
)
QUERIES = {
    "take_back_requirement": "target_kind=ORG&target=504&starts_on=2026-12-01&competency="
    "NHS%7CCSTF%7CFire%20Safety%20-%201%20Year%7C",
    "list_grants": "role=instructor",
    **dict.fromkeys(("explain_course", "explain_path"), "person_id=p2"),
    "explain_compliance": "competency=NHS%7CCSTF%7CFire%20Safety%20-%201%20Year%7C",
}
PATHS = {
    "course_id": "504-fire",
    "class_id": "504-c1",
    "path_id": "504-new-starter",
    "certification_id": "504-safe",
    "enrolment_id": "504-c1~1",
    "unit_id": "ward-9",
    "subject_id": "fire",
    "venue_id": "room-1",
    "synonyms_id": "burning",
    "person_id": "p2",
    "job_id": "01JDZZZZZZZZZZZZZZZZZZZZZZ",
    "role": "instructor",
    "batch_id": "01JDZZZZZZZZZZZZZZZZZZZZZZ",
    "feed_id": "0" * 64,
    "code": "0" * 20,
    "secret": "0" * 43,
    "transfer_id": "01JDZZZZZZZZZZZZZZZZZZZZZZ",
    "item_number": "1",
    "training_id": "01JDZZZZZZZZZZZZZZZZZZZZZZ",
    "notification_id": "TiMy",
    "notice_id": "01JDZZZZZZZZZZZZZZZZZZZZZZ",
    "delegation_id": "01JDZZZZZZZZZZZZZZZZZZZZZZ",
}

EMPLOYMENTS = {
    Role.EMPLOYEE: EmploymentKind.EMPLOYEE,
    Role.EXTERNAL_LEARNER: EmploymentKind.EXTERNAL,
    Role.APPLICANT: EmploymentKind.APPLICANT,
}


def sent(operation):
    """What a right request to the route sends."""
    if operation.body is Csv:
        return {"raw": FILES[operation.name], "headers": {"Content-Type": "text/csv"}}
    return {"body": BODIES.get(operation.name)}


def call(api, operation, login, employer=None, **options):
    path = re.sub(r"{(\w+)}", lambda match: PATHS[match[1]], operation.path)
    query = "&".join(filter(None, [QUERIES.get(operation.name), f"employer={employer}" if employer else None]))
    if "body" not in options:
        options = sent(operation) | options
    return api.call(operation.method, f"{path}?{query}", as_=login, **options)


def by_name(operation):
    return operation.name


@pytest.fixture
def trust(api):
    b.trust()
    b.offered(b.class_())
    return api


def person_with_only(role):
    """A login whose only role at 504 is this one (a manager is an employee who supervises somebody)."""
    if role in EMPLOYMENTS:
        return b.person(kind=EMPLOYMENTS[role])
    if role is Role.MANAGER:
        b.person(3, assignments=[b.assignment("3", supervisor="p1")])
        return b.person()
    login = b.person(employer="505")
    b.grant("p1", role, "NHS" if role is Role.NATIONAL_ADMINISTRATOR else "504")
    return login


def test_every_capability_says_something_of_every_role():
    assert set(MATRIX) == set(Capability)
    assert all(set(row) == set(Role) for row in MATRIX.values())


def test_without_a_token_there_is_no_answer(trust):
    for operation in GUARDED:
        answer = call(trust, operation, None)
        refused = (answer.status_code, answer.headers["Content-Type"])
        assert refused == (401, "application/problem+json"), operation.name


@pytest.mark.parametrize("role", Role)
def test_each_role_may_do_what_the_matrix_says_and_nothing_else(trust, role):
    login = person_with_only(role)
    b.person(2)
    for operation in GUARDED:
        allowed = MATRIX[operation.capability][role] not in (Scope.DENY, Scope.NATIONAL)
        if role is Role.MANAGER:  # an employee as well
            allowed = allowed or MATRIX[operation.capability][Role.EMPLOYEE] is not Scope.DENY
        answer = call(trust, operation, login, "504")
        refused = answer.status_code == 403 and answer.json_body["type"].endswith("not-permitted")
        assert refused is not allowed, f"{operation.name} as {role}: {answer.status_code}"
        assert answer.status_code < 500


NATIONAL_ITEMS = {"list_competencies", "define_competency", "export_framework", "import_framework"}
NATIONAL_ITEMS |= {
    *("course_rules", "set_course_rules", "path_rules", "set_path_rules", "course_audience", "path_audience"),
    *("course_prerequisites", "set_course_prerequisites", "explain_course", "explain_path"),
    *("create_class", "kept_class", "change_class", "copy_class", "cancel_class", "show_job"),
    *(
        "list_schedules",
        "preview_schedule",
        "make_schedule",
        "show_schedule",
        "change_schedule",
        "complete_schedule",
        "cancel_schedule",
    ),
    *("add_subject", "change_subject", "delete_subject", "add_venue", "change_venue", "delete_venue"),
    *("list_synonyms", "add_synonyms", "change_synonyms", "delete_synonyms"),
    *("kept_courses", "kept_course", "add_course", "change_course", "delete_course"),
    *("kept_paths", "kept_path", "add_path", "change_path", "delete_path"),
    *("export_catalogue", "import_catalogue"),
    *("kept_certifications", "kept_certification", "add_certification", "change_certification", "delete_certification"),
    *("certification_rules", "set_certification_rules", "certification_subscribers"),
    *("subscribe_other", "cancel_subscription_of", "reinstate_subscription"),
}
OF_ONE_EMPLOYER = {
    *("record_award", "void_award", "correct_award", "grant_exemption", "end_exemption"),
    *("list_requirements", "save_requirement", "take_back_requirement", "preview_requirement"),
    *("try_draft", "draft_outcome", "start_reconciliation"),
    *("list_structure", "change_structure", "show_settings", "change_settings"),
    *(
        "ask_for_transfer",
        "transfers_of_person",
        "waiting_transfers",
        "show_transfer",
        "release_transfer",
        "refuse_transfer",
        "withdraw_transfer",
    ),
    *("accept_transfer_item", "reject_transfer_item", "show_transfer_settings", "change_transfer_settings"),
    *("show_message_settings", "change_message_settings"),
    *("dry_run", "show_auto_enrolment", "set_auto_enrolment"),
}


def test_the_nation_keeps_the_national_framework_and_nothing_of_any_employer(trust):
    login = person_with_only(Role.NATIONAL_ADMINISTRATOR)
    b.person(2)
    may = {
        employer: {each.name for each in GUARDED if call(trust, each, login, employer).status_code != 403}
        for employer in ("NHS", "504")
    }
    assert may["NHS"] - may["504"] == NATIONAL_ITEMS
    assert may["504"].isdisjoint(OF_ONE_EMPLOYER | NATIONAL_ITEMS)
    assert may["NHS"].isdisjoint(OF_ONE_EMPLOYER)
    assert {each.name for each in GUARDED} >= OF_ONE_EMPLOYER


def test_the_workforce_feed_sees_no_work_but_its_files(trust):
    login = person_with_only(Role.WORKFORCE_FEED)
    jobs = {each.name: call(trust, each, login, "504").status_code for each in GUARDED if each.tag == "Jobs"}
    assert set(jobs.values()) == {403}


def test_a_foreign_employer_is_refused_everywhere(trust):
    login = b.person(role="learning_administrator")
    b.person(7, employer="505")
    for operation in GUARDED:
        answer = call(trust, operation, login, "505")
        refused = (answer.status_code, answer.json_body["type"].rpartition(":")[2])
        assert refused == (403, "employer-not-yours"), operation.name


def test_public_routes_are_the_ones_meant_to_be():
    assert {each.name for each in OPERATIONS if each.capability == PUBLIC} == {
        "sign_in",
        "renew_sign_in",
        "health",
        "openapi",
        "calendar_feed",
        "check_certificate",
    }


def test_every_route_of_the_app_is_declared_through_the_wrapper():
    routes = {(path, method) for path, methods in app.routes.items() for method in methods}
    assert routes == {(each.path, each.method) for each in OPERATIONS}


def test_every_field_of_every_body_and_query_can_be_read():
    """A bound on what it does not fit (a length on a string that may be null) is found only when somebody sends it."""
    for shape in {each for operation in OPERATIONS for each in (operation.body, operation.query) if each}:
        for field in msgspec.structs.fields(shape):
            msgspec.json.Decoder(field.type)


def test_every_refusal_has_a_problem_type_of_its_own():
    def below(kind):
        return {kind, *(each for sub in kind.__subclasses__() for each in below(sub))}

    assert below(errors.Refusal) - {errors.Refusal} == set(problems.TABLE)
    assert len({each.slug for each in problems.TABLE.values()}) == len(problems.TABLE)


# --- bad input ----------------------------------------------------------------------------------------------


NO_BODIES = ["", "null", "[]", "{", "NaN", '"x"', "[" * 5000, "\x00", '{"a":1}', "9" * 70_000]


@pytest.mark.parametrize("operation", [each for each in OPERATIONS if each.body and each.body is not Csv], ids=by_name)
def test_a_body_that_is_none_is_refused_by_field(trust, operation):
    login = b.person(role="learning_administrator")
    for raw in NO_BODIES:
        answer = call(trust, operation, login, raw=raw)
        assert answer.status_code == 400, raw[:20]
        assert all(each["field"].startswith("body") for each in answer.json_body["errors"])


@pytest.mark.parametrize("operation", [each for each in OPERATIONS if each.body is Csv], ids=by_name)
def test_a_file_that_is_none_is_refused_as_such(trust, operation):
    login = b.person(role="learning_administrator")
    for raw in (*NO_BODIES, "9" * 5_300_000, b"\xff\xfe", b"\xe9", '"'):
        answer = call(trust, operation, login, raw=raw)
        assert (answer.status_code, answer.json_body["errors"][0]["field"]) == (400, "body"), raw[:20]
        assert call(trust, operation, login, raw=raw, headers={}).status_code == 415


def test_every_wrong_field_is_named_not_only_the_first(trust):
    login = b.person(role="learning_administrator")
    answer = trust.post("/v1/role-grants", {"role": "king", "subjects": "fire", "colour": "red"}, as_=login)
    named = {each["field"]: each["reason"] for each in answer.json_body["errors"]}
    assert set(named) == {"body.person_id", "body.role", "body.subjects", "body.colour"}
    assert named["body.person_id"] == "is missing"
    assert named["body.colour"] == "is not known here"


def test_an_unknown_query_parameter_is_refused(trust):
    login = b.person(role="learning_administrator")
    for operation in GUARDED:
        path = re.sub(r"{(\w+)}", lambda match: PATHS[match[1]], operation.path) + "?colour=red"
        answer = trust.call(operation.method, path, as_=login, **sent(operation))
        assert answer.status_code in (400, 403), operation.name
        if answer.status_code == 400:
            assert "query.colour" in {each["field"] for each in answer.json_body["errors"]}, operation.name


def test_a_path_that_is_no_identifier_is_refused(trust):
    login = b.person(role="learning_administrator")
    for operation in (each for each in GUARDED if "{" in each.path):
        for value in ("x" * 200, "%23", "a%20b", "%00", "a%2Fb", "é"):
            answer = trust.call(operation.method, re.sub(r"{(\w+)}", value, operation.path), as_=login)
            assert answer.status_code in (400, 403, 404), (operation.name, value[:20])


def test_a_page_size_out_of_bounds_is_refused_by_field(trust):
    login = b.person()
    for limit in ("0", "101", "-1", "x", "1.5", "", "1&limit=2"):
        answer = trust.get(f"/v1/courses?limit={limit}", as_=login)
        assert (answer.status_code, answer.json_body["errors"][0]["field"]) == (400, "query.limit"), limit


def test_another_content_type_is_refused(trust):
    answer = trust.post(
        "/v1/me/enrolments", {"class_id": "504-c1"}, as_=b.person(), headers={"Content-Type": "text/csv"}
    )
    assert answer.status_code == 415


def test_another_method_is_refused_in_the_shape_of_every_error(trust):
    event = {
        "requestContext": {"resourcePath": "/v1/me", "httpMethod": "PATCH"},
        "headers": {},
        "multiValueHeaders": {},
        "pathParameters": None,
        "stageVariables": None,
        "multiValueQueryStringParameters": None,
        "body": None,
        "isBase64Encoded": False,
    }
    answer = app(event, None)
    assert (answer["statusCode"], answer["headers"]["Content-Type"]) == (405, "application/problem+json")
    assert answer["headers"]["Allow"] == "GET"


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from([each for each in OPERATIONS if each.body]),
    st.dictionaries(
        st.sampled_from(["class_id", "person_id", "role", "subjects", "login", "password", "refresh_token", "x"]),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(max_size=40), lambda inner: st.lists(inner, max_size=3)
        ),
    ),
)
def test_no_body_whatever_gives_a_5xx(prepared, operation, body):
    answer = call(prepared, operation, "504-1", body=body)
    assert answer.status_code < 500


@pytest.fixture(name="prepared")
def _prepared(trust, monkeypatch):
    from chalicelib import cognito

    def refuse(*_):
        raise errors.SignInRefused("The sign-in was refused.")

    monkeypatch.setattr(cognito, "_initiate", refuse)
    b.person(role="learning_administrator")
    return trust


# --- what never leaves --------------------------------------------------------------------------------------


def test_names_and_addresses_never_reach_the_log(trust, logged):
    login = b.person()
    for operation in GUARDED:
        call(trust, operation, login)
    text = logged()
    assert '"route":"GET /v1/me"' in text
    assert "Testfold" not in text
    assert "@" not in text
    assert login not in text
