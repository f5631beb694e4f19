"""What tests of learner access share: a small trust, and the requests of its administrator."""

from chalicelib.domain.catalogue import LearningPath, Section
from chalicelib.domain.people import EmploymentKind
from chalicelib.storage import catalogue as stored
from chalicelib.storage import keys, rules
from chalicelib.storage.transaction import Transaction
from tests import builders as b

ADMINISTRATOR, NURSE, PORTER, AGENCY, CLASSES = "504-9", "504-1", "504-2", "504-3", "504-8"
ESTATES = {"kind": "UNIT", "id": "estates"}


def small_trust():
    """A nurse on ward 9, a porter in estates, agency staff, and administrators. Fire may be taken by everybody; a path holds it."""
    b.trust()
    b.offered(b.class_(), b.e_learning())
    b.person(1)
    b.person(2, assignments=[b.assignment("2", unit="estates", position="porter-1", job="porter")])
    b.person(3, kind=EmploymentKind.EXTERNAL, groups=["agency"])
    b.person(8, assignments=[b.assignment("8", unit="ward-10")], role="class_administrator", subjects=("fire",))
    b.person(9, assignments=[b.assignment("9", unit="ward-10")], role="learning_administrator")
    keep(*stored.rows_of_path(LearningPath("504-week", "First Week", "moving", "…", (Section("One", ("504-fire",)),))))


def keep(*rows, owner="504"):
    """Rows of the catalogue, written as if somebody entitled had."""
    transaction = Transaction()
    for row in rows:
        transaction.put(row)
    rules.move_version(transaction, owner, keys.CATALOGUE)
    transaction.commit()


def rule(*targets, mode="self-enrol", **changes):
    return {"mode": mode, "targets": list(targets), **changes}


def put_rules(api, *given, revision=1, item="courses/504-fire", as_=ADMINISTRATOR):
    body = {"rules": list(given), "revision": revision}
    return api.call("PUT", f"/v1/{item}/access-rules", body=body, as_=as_)


def put_before(api, *given, revision=1, course="504-fire", as_=ADMINISTRATOR):
    body = {"prerequisites": list(given), "revision": revision}
    return api.call("PUT", f"/v1/courses/{course}/prerequisites", body=body, as_=as_)


def fields(answer):
    return answer.status_code, [each["field"] for each in answer.json_body["errors"]]


def problem(answer):
    return answer.status_code, answer.json_body["type"].rpartition(":")[2]


def position(id_):
    return {"kind": "POS", "id": id_}


def needs(name=b.FIRE, **changes):
    return {"kind": "competency", "id": name, **changes}


def advanced(api, *before, **changes):
    """A course with prerequisites and a class on 1 December."""
    b.offered(
        b.class_("504-c7", course="504-advanced"),
        course_id="504-advanced", title="Fire Advanced", grants=(b.INDUCTION,), **changes,
    )  # fmt: skip
    return put_before(api, *before, course="504-advanced")
