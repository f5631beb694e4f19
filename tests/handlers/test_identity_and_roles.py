"""Who is asking: tokens, employers, roles, and grants that take effect at once."""

import time

import pytest

from chalicelib.domain import errors
from chalicelib.domain.people import EmploymentKind
from chalicelib.domain.permissions import Role
from chalicelib.storage.audit import AuditRow
from tests import builders as b
from tests import tokens


def slug(answer):
    return answer.json_body["type"].rpartition(":")[2]


@pytest.fixture
def trust(api):
    b.trust()
    return api


# --- tokens -------------------------------------------------------------------------------------------------


def test_me_names_the_person_their_roles_and_jobs(trust):
    b.person(2, assignments=[b.assignment("2", supervisor="p1")])
    b.person(1, role="instructor")
    answer = trust.get("/v1/me", as_="504-1").json_body
    assert (answer["person_id"], answer["name"], answer["employer"]) == ("p1", "Sam Testfold1", "504")
    assert answer["roles"] == ["employee", "instructor", "manager"]
    assert answer["assignments"][0]["unit"] == "ward-9"


@pytest.mark.parametrize(
    "changes",
    [
        {"signed_with": "somebody else"},
        {"algorithm": "HS256"},
        {"exp": int(time.time()) - 60},
        {"iss": "https://issuer.test/another-pool"},
        {"client_id": "another-app"},
        {"token_use": "id"},
        {"username": None},
        {"kid": "unknown"},
    ],
)
def test_a_forged_expired_or_foreign_token_is_refused(trust, changes):
    b.person()
    answer = trust.get("/v1/me", token=tokens.access_token("504-1", **changes))
    assert (answer.status_code, slug(answer)) == (401, "not-signed-in")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize(
    "header", [{}, {"Authorization": "Basic eDp5"}, {"Authorization": "Bearer"}, {"Authorization": "Bearer é"}]
)
def test_no_token_is_no_access(trust, header):
    assert trust.get("/v1/me", headers=header).status_code == 401


def test_an_unsigned_token_is_refused(trust):
    b.person()
    header, payload, _ = tokens.access_token("504-1").split(".")
    unsigned = "eyJhbGciOiJub25lIiwia2lkIjoiazEifQ." + payload + "."
    assert trust.get("/v1/me", token=unsigned).status_code == 401
    assert trust.get("/v1/me", token=f"{header}.{payload}.").status_code == 401


def test_a_login_nobody_here_has_is_refused(trust):
    assert slug(trust.get("/v1/me", as_="504-99")) == "not-signed-in"


# --- employers ----------------------------------------------------------------------------------------------


def test_another_employer_is_refused_whether_it_exists_or_not(trust):
    b.person()
    for employer in ("505", "999"):
        answer = trust.get(f"/v1/me?employer={employer}", as_="504-1")
        assert (answer.status_code, slug(answer)) == (403, "employer-not-yours")


def test_a_role_at_the_nation_reaches_no_employer_but_the_national_administrators(trust):
    login = b.person()
    b.grant("p1", Role.LEARNING_ADMINISTRATOR, "NHS")
    assert trust.get("/v1/me?employer=504", as_=login).json_body["roles"] == ["employee"]
    assert trust.get("/v1/me?employer=505", as_=login).status_code == 403


def test_an_employer_one_has_left_is_no_choice_any_more(trust):
    b.person()
    left = b.Employment("505", EmploymentKind.EMPLOYEE, "9", b.date(2020, 1, 1), b.date(2026, 1, 1))
    b.workforce.people.EmploymentRow.of(b.Person("p1", "Sam", "Testfold1"), left).save()
    answer = trust.get("/v1/me", as_="504-1").json_body
    assert (answer["employer"], answer["employers"]) == ("504", ["504"])


def test_a_leaver_keeps_no_administrator_role_and_is_granted_none(trust):
    b.person(1, role="learning_administrator")
    b.person(2, role="learning_administrator")
    row = b.workforce.people.EmploymentRow.get("P#p2", "E#504#WHO")
    row.update([b.workforce.people.EmploymentRow.ends_on.set(b.date(2026, 11, 1))])
    assert trust.get("/v1/role-grants?role=instructor", as_="504-2").status_code == 403
    assert grant(trust, "p2").status_code == 404


def test_who_supervised_somebody_until_yesterday_is_no_manager(trust):
    b.person(2, assignments=[b.assignment("2", supervisor="p1", ends_on=b.date(2026, 11, 22))])
    b.person(1)
    assert trust.get("/v1/me", as_="504-1").json_body["roles"] == ["employee"]


def test_a_login_belongs_to_one_person(trust):
    b.person(1)
    with pytest.raises(errors.Conflict):
        b.person(2, login="504-1")


@pytest.mark.parametrize("login", ["", "a#b", "a b", "x" * 200])
def test_a_token_with_a_login_that_is_none_is_refused(trust, login):
    assert trust.get("/v1/me", as_=None, token=tokens.access_token(login)).status_code == 401


def test_people_of_two_employers_say_which(trust):
    login = b.person()
    b.grant("p1", Role.INSTRUCTOR, "505")
    assert slug(trust.get("/v1/me", as_=login)) == "employer-needed"
    assert trust.get("/v1/me?employer=505", as_=login).json_body["roles"] == ["instructor"]
    assert trust.get("/v1/me?employer=504", as_=login).json_body["roles"] == ["employee"]


def test_a_leaver_has_no_role_left(trust, clock):
    login = b.person(kind=EmploymentKind.EMPLOYEE)
    row = b.workforce.people.EmploymentRow.get("P#p1", "E#504#WHO")
    row.update([b.workforce.people.EmploymentRow.ends_on.set(b.TODAY)])
    assert trust.get("/v1/me", as_=login).status_code == 200
    clock.now = b.NOW.replace(day=24)
    assert slug(trust.get("/v1/me", as_=login)) == "employer-not-yours"


@pytest.mark.parametrize("employer", ["", "5%230", "x", "504&employer=505", "toolongemployer"])
def test_an_employer_that_is_no_code_is_refused_by_field(trust, employer):
    b.person()
    answer = trust.get(f"/v1/me?employer={employer}", as_="504-1")
    assert (answer.status_code, answer.json_body["errors"][0]["field"]) == (400, "query.employer")


# --- role grants --------------------------------------------------------------------------------------------


@pytest.fixture
def administrator(trust):
    b.person(1, role="learning_administrator")
    b.person(2)
    return trust


def grant(api, person="p2", role="instructor", as_="504-1", **more):
    return api.post("/v1/role-grants", {"person_id": person, "role": role, **more}, as_=as_)


def roles_of(api, login):
    return api.get("/v1/me", as_=login).json_body["roles"]


def test_a_grant_counts_from_the_next_request_and_a_revocation_too(administrator):
    assert grant(administrator).status_code == 201
    assert roles_of(administrator, "504-2") == ["employee", "instructor"]
    assert administrator.delete("/v1/role-grants/p2/instructor", as_="504-1").status_code == 204
    assert roles_of(administrator, "504-2") == ["employee"]
    actions = [row.action for row in AuditRow.scan() if row.action.startswith("role.")]
    assert sorted(actions) == ["role.granted", "role.revoked"]


def test_holders_of_a_role_are_listed_by_pages(administrator):
    b.person(3)
    grant(administrator, "p2")
    grant(administrator, "p3")
    first = administrator.get("/v1/role-grants?role=instructor&limit=1", as_="504-1").json_body
    second = administrator.get(
        f"/v1/role-grants?role=instructor&limit=1&cursor={first['next_cursor']}", as_="504-1"
    ).json_body
    assert [each["person_id"] for each in first["grants"] + second["grants"]] == ["p2", "p3"]


def test_granting_again_changes_nothing_and_new_subjects_replace_the_old(administrator):
    grant(administrator, role="class_administrator", subjects=["fire"])
    grant(administrator, role="class_administrator", subjects=["fire"])
    grant(administrator, role="class_administrator", subjects=["moving", "fire"])
    listed = administrator.get("/v1/role-grants?role=class_administrator", as_="504-1").json_body["grants"]
    assert [each["subjects"] for each in listed] == [["fire", "moving"]]
    assert sum(row.action == "role.granted" for row in AuditRow.scan()) == 2


def test_nobody_grants_or_revokes_a_role_of_their_own(administrator):
    assert slug(grant(administrator, "p1")) == "own-grant"
    assert slug(administrator.delete("/v1/role-grants/p1/learning_administrator", as_="504-1")) == "own-grant"


@pytest.mark.parametrize("role", ["employee", "manager", "applicant", "external_learner"])
def test_a_role_that_follows_from_employment_is_not_granted(administrator, role):
    assert slug(grant(administrator, role=role)) == "role-not-grantable"


def test_a_learning_administrator_does_not_appoint_national_administrators(administrator):
    assert slug(grant(administrator, role="national_administrator")) == "role-not-grantable"


def test_subjects_belong_to_class_administrators_and_they_need_one(administrator):
    assert grant(administrator, subjects=["fire"]).json_body["errors"][0]["field"] == "body.subjects"
    assert grant(administrator, role="class_administrator").json_body["errors"][0]["field"] == "body.subjects"


def test_somebody_of_another_employer_is_not_found(administrator):
    b.person(9, employer="505")
    assert slug(grant(administrator, "p9")) == "not-found"


def test_a_subject_of_no_catalogue_is_refused_by_field(administrator):
    answer = grant(administrator, role="class_administrator", subjects=["juggling"])
    assert (answer.status_code, answer.json_body["errors"][0]["field"]) == (400, "body.subjects")


def test_a_cursor_of_another_employer_is_refused(administrator):
    b.person(3)
    grant(administrator, "p2")
    grant(administrator, "p3")
    cursor = administrator.get("/v1/role-grants?role=instructor&limit=1", as_="504-1").json_body["next_cursor"]
    b.grant("p1", Role.LEARNING_ADMINISTRATOR, "505")
    answer = administrator.get(f"/v1/role-grants?role=instructor&employer=505&cursor={cursor}", as_="504-1")
    assert (answer.status_code, answer.json_body["errors"][0]["field"]) == (400, "query.cursor")


def test_revoking_what_is_not_held_is_not_found(administrator):
    assert slug(administrator.delete("/v1/role-grants/p2/instructor", as_="504-1")) == "not-found"
    assert administrator.delete("/v1/role-grants/p2/king", as_="504-1").json_body["errors"][0]["field"] == "path.role"


def test_an_employee_grants_nothing(administrator):
    assert slug(grant(administrator, "p1", as_="504-2")) == "not-permitted"


# --- the first administrator --------------------------------------------------------------------------------


def test_the_first_administrator_comes_from_the_deployment_and_can_appoint_others(trust, monkeypatch):
    monkeypatch.setenv("FIRST_ADMINISTRATOR", "the-first")
    b.person()
    assert roles_of(trust, "the-first") == ["national_administrator"]
    granted = trust.post(
        "/v1/role-grants?employer=504", {"person_id": "p1", "role": "learning_administrator"}, as_="the-first"
    )
    assert granted.status_code == 201
    nationally = {"person_id": "p1", "role": "national_administrator"}
    assert trust.post("/v1/role-grants?employer=NHS", nationally, as_="the-first").status_code == 201


def test_somebody_registered_before_may_be_the_first_administrator(trust, monkeypatch):
    login = b.person()
    monkeypatch.setenv("FIRST_ADMINISTRATOR", login)
    assert roles_of(trust, login) == ["employee", "national_administrator"]
    assert trust.get("/v1/me", as_=login).json_body["person_id"] == "p1"


def test_a_first_administrator_who_was_revoked_stays_revoked_and_can_be_granted_again(trust, monkeypatch):
    monkeypatch.setenv("FIRST_ADMINISTRATOR", "the-first")
    first = trust.get("/v1/me", as_="the-first").json_body["person_id"]
    b.person()
    b.grant("p1", Role.NATIONAL_ADMINISTRATOR, "NHS")
    revoked = trust.delete(f"/v1/role-grants/{first}/national_administrator?employer=NHS", as_="504-1")
    assert revoked.status_code == 204
    answer = trust.get("/v1/me", as_="the-first")
    assert (answer.status_code, slug(answer)) == (403, "employer-not-yours")
    again = {"person_id": first, "role": "national_administrator"}
    assert trust.post("/v1/role-grants?employer=NHS", again, as_="504-1").status_code == 201
    assert roles_of(trust, "the-first") == ["national_administrator"]


def test_national_administrators_are_granted_at_the_nation_only_and_nothing_else_is(trust):
    b.person(1)
    b.person(2)
    b.grant("p1", Role.NATIONAL_ADMINISTRATOR, "NHS")
    at_504 = {"person_id": "p2", "role": "national_administrator"}
    assert slug(trust.post("/v1/role-grants?employer=504", at_504, as_="504-1")) == "role-not-grantable"
    at_nhs = {"person_id": "p2", "role": "learning_administrator"}
    assert slug(trust.post("/v1/role-grants?employer=NHS", at_nhs, as_="504-1")) == "role-not-grantable"


def test_a_learning_administrator_revokes_no_national_administrator(trust):
    b.person(1, role="learning_administrator")
    b.person(2)
    b.grant("p2", Role.NATIONAL_ADMINISTRATOR, "504")
    answer = trust.delete("/v1/role-grants/p2/national_administrator", as_="504-1")
    assert slug(answer) == "role-not-grantable"


def test_there_is_one_first_administrator_in_the_life_of_an_installation(trust, monkeypatch):
    monkeypatch.setenv("FIRST_ADMINISTRATOR", "the-first")
    trust.get("/v1/me", as_="the-first")
    monkeypatch.setenv("FIRST_ADMINISTRATOR", "another")
    assert trust.get("/v1/me", as_="another").status_code == 401
