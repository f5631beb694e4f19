"""Writing to people over HTTP: who may write to whom, what is refused, and what a reader gets."""

from datetime import timedelta

import pytest

from chalicelib.domain.compliance import Colour
from chalicelib.storage.audit import AuditRow
from chalicelib.storage.notices import NoticeRow
from tests import builders as b
from tests.approving import leave, messages
from tests.pump import Pump

ADA, CAS, INA, MO = "504-9", "504-8", "504-7", "504-6"
"""A learning administrator, a class administrator of fire safety, an instructor, and a manager."""
WORDS = {"subject": "Fire drill on Monday", "text": "There is a drill.\n\nBring <b>nothing</b> & walk."}
EVERYBODY = {"kind": "organisation", "id": "504"}


@pytest.fixture
def trust(api, nothing_waits):
    """p1 and p2 on Ward 9 and p3 on Ward 10, of whom Mo manages p1 and p3; p1 and p2 are on Ina's class. p4 is in the agency."""
    b.trust()
    on_class = [b.enrolment(person=f"p{number}") for number in (1, 2)]
    b.offered(b.class_(instructor="p7"))
    b.offered(b.class_("504-m1", "504-moving"), course_id="504-moving", title="Moving", subject="moving")
    b.person(1, assignments=[b.assignment("1", supervisor="p6")], awards=[b.award()], enrolments=on_class[:1])
    b.person(2, assignments=[b.assignment("2", position="sister-9")], enrolments=on_class[1:], email=None)
    b.person(3, assignments=[b.assignment("3", unit="ward-10", supervisor="p6")])
    b.person(4, kind=b.EmploymentKind.EXTERNAL, groups=["agency"])
    b.person(6, assignments=())
    b.person(7, assignments=(), role="instructor")
    b.person(8, assignments=(), role="class_administrator", subjects=["fire"])
    b.person(9, assignments=(), role="learning_administrator")
    Pump()
    return api


def body(*audience, **changes):
    return {"audience": list(audience or [EVERYBODY]), **WORDS, **changes}


def preview(api, *audience, as_=ADA, **changes):
    return api.post("/v1/notices/preview", body(*audience, **changes), as_=as_)


def send(api, *audience, as_=ADA, headers=None, **changes):
    return api.post("/v1/notices", body(*audience, **changes), as_=as_, headers=headers)


def reached(api, *audience, as_=ADA):
    """The people a notice reaches, by sending it."""
    before = {(row.pk, row.sk) for row in messages()}
    pump = Pump()
    answer = send(api, *audience, as_=as_)
    if answer.status_code != 201:
        return answer.json_body["type"].rpartition(":")[2]
    pump.run()
    told()
    return sorted(row.pk.removeprefix("P#") for row in messages() if (row.pk, row.sk) not in before)


def told():
    from tests.approving import told

    return [person for person, template in told() if template == "notice"]


def fields(answer):
    assert answer.status_code == 400, answer.json_body
    return {each["field"] for each in answer.json_body["errors"]}


def people(*numbers):
    return {"kind": "people", "people": [f"p{number}" for number in numbers]}


CLASS = {"kind": "class", "id": "504-c1"}
COURSE = {"kind": "course", "id": "504-fire"}
OTHER = {"kind": "class", "id": "504-m1"}


# --- audiences --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("audience", "expected"),
    [
        (CLASS, ["p1", "p2"]),
        ({**CLASS, "statuses": ["waitlisted", "withdrawn"]}, "nobody-to-tell"),
        (COURSE, ["p1", "p2"]),
        (OTHER, "nobody-to-tell"),
        (EVERYBODY, ["p1", "p2", "p3"]),
        ({"kind": "organisation", "id": "ward-10"}, ["p3"]),
        ({"kind": "organisation", "id": "surgery"}, ["p1", "p2", "p3"]),
        ({"kind": "organisation", "id": "estates"}, "nobody-to-tell"),
        ({"kind": "position", "id": "nurse-9"}, ["p1", "p3"]),
        ({"kind": "learner group", "id": "agency"}, ["p4"]),
        (people(1, 4, 99), ["p1", "p4"]),
    ],
)
def test_an_audience_is_who_it_says(trust, audience, expected):
    assert reached(trust, audience) == expected


def test_everyone_red_in_fire_safety_in_surgery_can_be_written_to(trust):
    pump = Pump()
    pump.seen.clear()
    pump.run()
    red = {"kind": "competency", "id": b.FIRE, "unit": "surgery"}
    assert reached(trust, red) == ["p2", "p3"]
    assert reached(trust, {**red, "colours": [Colour.GREEN.value]}) == ["p1"]
    assert reached(trust, {**red, "unit": "ward-10"}) == ["p3"]
    assert reached(trust, {"kind": "competency", "id": b.FIRE}, as_=MO) == ["p3"]


def test_who_is_in_several_lists_is_written_to_once(trust):
    assert reached(trust, EVERYBODY, CLASS, people(1, 1), COURSE) == ["p1", "p2", "p3"]


def test_who_has_left_is_counted_and_not_written_to(trust):
    leave(2)
    answer = preview(trust, EVERYBODY, people(1, 2, 55)).json_body
    assert (answer["recipients"], answer["left"], answer["outside"]) == (2, 1, 1)


def test_an_audience_of_nobody_is_refused_and_leaves_nothing(trust):
    answer = send(trust, OTHER)
    assert (answer.status_code, answer.json_body["type"].rpartition(":")[2]) == (409, "nobody-to-tell")
    assert not [row for row in NoticeRow.scan() if isinstance(row, NoticeRow)]


# --- who may write to whom (domain.md §10) ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("who", "audience", "expected"),
    [
        (CAS, CLASS, ["p1", "p2"]),
        (CAS, COURSE, ["p1", "p2"]),
        (CAS, OTHER, "not-found"),
        (CAS, EVERYBODY, "nobody-to-tell"),
        (CAS, people(1), "nobody-to-tell"),
        (INA, CLASS, ["p1", "p2"]),
        (INA, COURSE, "not-found"),
        (INA, OTHER, "not-found"),
        (INA, people(1), "nobody-to-tell"),
        (MO, EVERYBODY, ["p1", "p3"]),
        (MO, CLASS, ["p1"]),
        (MO, people(1, 2, 3), ["p1", "p3"]),
        (MO, OTHER, "nobody-to-tell"),
        ("504-1", EVERYBODY, "not-permitted"),
        ("504-4", EVERYBODY, "not-permitted"),
    ],
)
def test_everybody_writes_within_their_reach(trust, who, audience, expected):
    assert reached(trust, audience, as_=who) == expected


def test_a_manager_does_not_learn_how_others_stand(trust):
    answer = preview(trust, {"kind": "competency", "id": b.FIRE, "unit": "ward-9"}, as_=MO).json_body
    assert (answer["recipients"], answer["left"], answer["outside"]) == (0, 0, 0)


def test_people_of_another_employer_are_not_reached(trust):
    b.person(77, employer="505", assignments=())
    assert reached(trust, people(1, 77)) == ["p1"]


def test_others_do_not_find_a_notice_and_the_learning_team_finds_all(trust, clock):
    by_mo = send(trust, EVERYBODY, as_=MO).json_body["notice_id"]
    clock.now += timedelta(minutes=1)
    by_ada = send(trust, EVERYBODY).json_body["notice_id"]
    assert trust.get(f"/v1/notices/{by_mo}", as_=MO).status_code == 200
    assert trust.get(f"/v1/notices/{by_mo}", as_=ADA).status_code == 200
    assert trust.get(f"/v1/notices/{by_ada}", as_=MO).status_code == 404
    assert trust.post(f"/v1/notices/{by_ada}/stop", as_=MO).status_code == 404
    assert [each["notice_id"] for each in trust.get("/v1/notices", as_=ADA).json_body["notices"]] == [by_ada, by_mo]
    assert [each["notice_id"] for each in trust.get("/v1/notices", as_=MO).json_body["notices"]] == [by_mo]
    first = trust.get("/v1/notices?limit=1", as_=ADA).json_body
    second = trust.get(f"/v1/notices?limit=1&cursor={first['next_cursor']}", as_=ADA).json_body
    assert [each["notice_id"] for each in (*first["notices"], *second["notices"])] == [by_ada, by_mo]


# --- what a reader gets -----------------------------------------------------------------------------------------


def test_a_preview_counts_and_shows_the_message_without_writing(trust):
    answer = preview(trust, EVERYBODY).json_body
    assert (answer["recipients"], answer["without_address"], answer["subject"]) == (3, 1, WORDS["subject"])
    assert "Bring <b>nothing</b> & walk." in answer["text"]
    assert "Bring &lt;b&gt;nothing&lt;/b&gt; &amp; walk." in answer["html"]
    assert not [row for row in NoticeRow.scan() if isinstance(row, NoticeRow)]


def test_a_reader_finds_the_text_in_their_inbox_and_the_row_does_not_keep_it(trust):
    reached(trust, people(1))
    (row,) = messages()
    assert "drill." not in str(row.attribute_values)
    (listed,) = trust.get("/v1/me/notifications", as_="504-1").json_body["notifications"]
    shown = trust.get(f"/v1/me/notifications/{listed['id']}", as_="504-1").json_body
    assert "There is a drill.\n\nBring <b>nothing</b> & walk." in shown["text"]
    assert "This message is from Sam Testfold9." in shown["text"]


# --- bad input --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({"text": "x" * 10_001}, {"body.text"}),
        ({"text": "x" * 300_000}, {"body.text"}),
        ({"text": " \n "}, {"body.text"}),
        ({"text": "a\x00b"}, {"body.text"}),
        ({"subject": "x" * 151, "text": ""}, {"body.subject", "body.text"}),
        ({"subject": "Drill\r\nBcc: everybody@trust.invalid"}, {"body.subject"}),
        ({"subject": "Drill\u2028Bcc: x"}, {"body.subject"}),
        ({"subject": " ", "text": "a\x07"}, {"body.subject", "body.text"}),
        ({"link": "javascript:alert(1)"}, {"body.link"}),
        ({"link": 'https://trust.invalid/"><script>'}, {"body.link"}),
        ({"at": "2026-11-23T09:59:00Z"}, {"body.at"}),
        ({"at": "2028-01-01T09:00:00Z"}, {"body.at"}),
        ({"at": "2026-12-01T09:00:00"}, {"body.at"}),
        ({"at": "tomorrow"}, {"body.at"}),
    ],
)
def test_words_that_will_not_do_are_named(trust, changes, wrong):
    for answer in (send(trust, **changes), preview(trust, **changes)):
        assert fields(answer) == wrong


@pytest.mark.parametrize(
    ("audience", "wrong"),
    [
        ({"kind": "class"}, {"id"}),
        ({"kind": "people"}, {"people"}),
        ({"kind": "people", "people": [f"p{each}" for each in range(1_001)]}, {"people"}),
        ({"kind": "everybody", "id": "504"}, {"kind"}),
        ({"kind": "organisation", "id": "ward-99"}, {"id"}),
        ({"kind": "position", "id": "king"}, {"id"}),
        ({"kind": "learner group", "id": "x"}, {"id"}),
        ({"kind": "competency", "id": "x", "unit": "ward-99"}, {"id", "unit"}),
        ({"kind": "competency", "id": b.FIRE, "colours": ["pink"]}, {"colours"}),
        ({"kind": "course", "id": "504-fire", "statuses": ["confirmed"], "people": ["p1"]}, {"statuses", "people"}),
        ({"kind": "class", "id": "a#b"}, {"id"}),
    ],
)
def test_an_audience_that_is_none_is_named_by_its_place(trust, audience, wrong):
    found = fields(send(trust, EVERYBODY, audience))
    assert {each.split("[1]")[1].split(".")[1].split("[")[0] for each in found} == wrong


def test_all_audiences_together_list_a_thousand_people_so_that_a_notice_fits_its_row(trust):
    longest = [f"p1.{number:077d}" for number in range(1_000)]
    within = [{"kind": "people", "people": each} for each in (longest[:500], [*longest[500:999], "p1"])]
    assert send(trust, *within, text="\U0001f525" * 10_000).status_code == 201
    assert fields(send(trust, *within, {"kind": "people", "people": ["p2"]})) == {"body.audience"}


def test_an_unknown_class_course_or_notice_is_not_found(trust):
    for audience in (
        {"kind": "class", "id": "504-zz"},
        {"kind": "class", "id": "505-c1"},
        {"kind": "course", "id": "x"},
    ):
        assert send(trust, audience).status_code == 404
    assert trust.get("/v1/notices/01JDZZZZZZZZZZZZZZZZZZZZZZ", as_=ADA).status_code == 404


def test_sending_twice_with_one_key_is_sending_once(trust):
    key = {"Idempotency-Key": "drill-1"}
    first, second = send(trust, headers=key), send(trust, headers=key)
    assert first.json_body == second.json_body
    assert second.headers["Idempotency-Replayed"] == "true"
    assert len([row for row in NoticeRow.scan() if isinstance(row, NoticeRow)]) == 1


def test_the_audit_knows_who_wrote_to_which_audience_and_nothing_of_the_words(trust):
    send(trust, EVERYBODY, people(1, 2))
    (entry,) = [row for row in AuditRow.scan() if row.action == "notice.sent"]
    assert entry.actor == "p9"
    assert entry.facts["audience"] == [["organisation", "504"], ["people", 2]]
    assert entry.facts["recipients"] == 3
    assert "drill" not in str(entry.facts).lower()
