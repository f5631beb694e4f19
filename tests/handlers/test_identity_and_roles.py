"""Who is asking: tokens, employers, roles, and grants that take effect at once."""

import time

import pytest

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


def test_there_is_one_first_administrator_in_the_life_of_an_installation(trust, monkeypatch):
    monkeypatch.setenv("FIRST_ADMINISTRATOR", "the-first")
    trust.get("/v1/me", as_="the-first")
    monkeypatch.setenv("FIRST_ADMINISTRATOR", "another")
    assert trust.get("/v1/me", as_="another").status_code == 401
