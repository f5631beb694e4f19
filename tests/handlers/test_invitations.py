"""Meeting requests as a calendar reads them: by a reader of RFC 5545 made for these tests and the time zones of another library."""

import io
from collections import defaultdict
from datetime import UTC, date, datetime, timedelta

import pytest
from dateutil import parser as dates
from dateutil import tz

from chalicelib.domain.calendar import london_time
from chalicelib.domain.classes import Session
from chalicelib.invitations import invitation
from chalicelib.services import classes, identity
from chalicelib.storage import classes as stored
from chalicelib.storage import people
from tests import builders as b
from tests.approving import messages, told
from tests.builders import NOW
from tests.pump import Pump

LA, LEARNER = "504-99", "504-1"


def at(day, hour, hours=3):
    """A sitting at civil times, which last as long by the clock on the wall."""
    return Session(london_time(day, hour), london_time(day, hour + hours))


BEFORE_AND_AFTER = (at(date(2027, 3, 24), 9), at(date(2027, 3, 31), 9), at(date(2027, 4, 7), 13))
"""Around 28 March 2027, when the clocks go forward."""


@pytest.fixture(name="trust")
def _trust(api, nothing_waits):
    """A class of three sessions, a learner with a manager, and an administrator."""
    b.trust()
    b.offered(
        b.class_(sessions=BEFORE_AND_AFTER), b.e_learning(), subject="fire", joining_instructions="Wear flat shoes."
    )
    b.person(99, role="learning_administrator")
    b.person(2)
    b.person(1, assignments=[b.assignment("1", supervisor="p2")])
    return api


# --- a small reader of calendars --------------------------------------------------------------------------------


class Calendar:
    """A calendar as its lines say: properties and events, times as instants."""

    def __init__(self, document):
        text = document.decode()
        assert "\r\n" in text
        assert all(len(line.encode()) <= 75 for line in text.split("\r\n")), "RFC 5545: folded at 75 octets"
        lines = text.replace("\r\n ", "").split("\r\n")
        zones = tz.tzical(io.StringIO(text.replace("\r\n", "\n"))) if "BEGIN:VTIMEZONE" in text else None
        self.properties, self.events = {}, []
        inside = []
        for line in filter(None, lines):
            name, value = split(line)
            if name == "BEGIN":
                inside.append(value)
                if value == "VEVENT":
                    self.events.append(defaultdict(list))
            elif name == "END":
                assert inside.pop() == value
            elif inside == ["VCALENDAR"]:
                self.properties[name.partition(";")[0]] = value
            elif inside[-1] == "VEVENT":
                self.events[-1][name.partition(";")[0]] += times(name, value, zones)
        assert inside == []

    def occurrences(self):
        """Start and end of every occurrence, as a calendar shows them once it has read the request."""
        series, *others = self.events
        (start,), (end,) = series["DTSTART"], series["DTEND"]
        found = {each: each + (end - start) for each in [start, *series["RDATE"]]}
        for each in series["EXDATE"]:
            found.pop(each, None)
        for each in others:
            assert each["UID"] == series["UID"]
            assert each["SEQUENCE"] == series["SEQUENCE"]
            del found[each["RECURRENCE-ID"][0]]
            found[each["DTSTART"][0]] = each["DTEND"][0]
        return sorted(found.items())

    @property
    def uids(self):
        return {uid for each in self.events for uid in each["UID"]}

    @property
    def sequence(self):
        (found,) = {value for each in self.events for value in each["SEQUENCE"]}
        return int(found)


def split(line):
    """Name with parameters, and value; a colon inside quotes belongs to a parameter."""
    quoted = False
    for place, letter in enumerate(line):
        quoted ^= letter == '"'
        if letter == ":" and not quoted:
            return line[:place], line[place + 1 :]
    raise AssertionError(line)


def times(name, value, zones):
    kind, *parameters = name.split(";")
    if kind not in ("DTSTART", "DTEND", "RDATE", "EXDATE", "RECURRENCE-ID"):
        return [value]
    given = dict(each.split("=") for each in parameters)
    zone = zones.get(given["TZID"]) if "TZID" in given else UTC
    return [dates.parse(each).replace(tzinfo=zone).astimezone(UTC) for each in value.split(",")]


def newest(template, person="p1"):
    """The latest message of a kind, with its method and calendar."""
    told()
    found = [each for each in messages() if (each.template, each.pk) == (template, f"P#{person}")]
    notification = max(found, key=lambda each: (each.data["attempt"], each.data["revision"])).notification()
    request = invitation(notification, people.person(person))
    return request.method, Calendar(request.document)


def spans(sessions):
    return [(each.starts_at, each.ends_at) for each in sessions]


def enrol(api, body=None, as_=LEARNER, status=201):
    answer = api.post("/v1/me/enrolments", {"class_id": "504-c1"} | (body or {}), as_=as_)
    assert answer.status_code == status, answer.json_body
    return answer.json_body


def withdraw(api, enrolment):
    return api.post(f"/v1/me/enrolments/{enrolment['id']}/withdrawal", as_=LEARNER)


def move(*sessions):
    ada = identity.identify(LA, None, NOW)
    revision = stored.class_with_seats("504-c1", consistent=True)[0].revision
    pump = Pump()
    classes.change(ada, "504-c1", revision, {"sessions": sessions}, NOW, accept_cautions=True)
    pump.run()


# --- what a calendar makes of it ----------------------------------------------------------------------------------


def test_several_sessions_are_several_events_at_their_times_across_a_change_of_the_clocks(trust):
    enrol(trust)
    method, calendar = newest("enrolment_confirmed")
    assert (method, calendar.properties["METHOD"], calendar.properties["VERSION"]) == ("REQUEST", "REQUEST", "2.0")
    assert calendar.occurrences() == spans(BEFORE_AND_AFTER)
    civil = [start.astimezone(tz.gettz("Europe/London")).hour for start, _ in calendar.occurrences()]
    assert civil == [9, 9, 13]
    assert len(calendar.uids) == 1
    first = calendar.events[0]
    assert (first["SUMMARY"], first["STATUS"]) == (["Fire Safety"], ["CONFIRMED"])
    assert first["ATTENDEE"] == ["mailto:person1@trust.invalid"]
    assert first["DESCRIPTION"] == ["Wear flat shoes."]


def test_a_session_in_the_hour_that_comes_twice_keeps_its_length(trust):
    night = Session(datetime(2027, 10, 30, 21, tzinfo=UTC), datetime(2027, 10, 31, 6, tzinfo=UTC))  # 22:00 to 6:00
    move(night)
    enrol(trust)
    assert newest("enrolment_confirmed")[1].occurrences() == [(night.starts_at, night.ends_at)]


def test_every_change_goes_to_the_same_event_with_a_higher_sequence(trust):
    taken = enrol(trust)
    _, confirmed = newest("enrolment_confirmed")
    fewer = BEFORE_AND_AFTER[:2]
    move(*fewer)
    _, changed = newest("enrolment_changed")
    later = tuple(Session(each.starts_at + timedelta(days=7), each.ends_at + timedelta(days=7)) for each in fewer)
    move(*later)
    _, again = newest("enrolment_changed")
    withdraw(trust, taken)
    method, gone = newest("enrolment_withdrawn")
    assert changed.occurrences() == spans(fewer)
    assert again.occurrences() == spans(later)
    assert (method, gone.events[0]["STATUS"]) == ("CANCEL", ["CANCELLED"])
    one_after_the_other = [confirmed, changed, again, gone]
    assert len({uid for each in one_after_the_other for uid in each.uids}) == 1
    sequences = [each.sequence for each in one_after_the_other]
    assert sequences == sorted(set(sequences))


def test_booking_again_is_another_event(trust):
    withdraw(trust, enrol(trust))
    _, gone = newest("enrolment_withdrawn")
    enrol(trust)
    _, again = newest("enrolment_confirmed")
    assert gone.uids.isdisjoint(again.uids)


def test_a_cancelled_class_leaves_the_calendar(trust):
    enrol(trust)
    pump = Pump()
    trust.post("/v1/classes/504-c1/cancellation", {"reason": "The trainer is ill."}, as_=LA)
    pump.run()
    method, gone = newest("enrolment_cancelled")
    assert (method, gone.properties["METHOD"], len(gone.events)) == ("CANCEL", "CANCEL", 1)


def test_e_learning_and_copies_are_in_nobodys_calendar(trust):
    enrol(trust, {"class_id": "504-e1"})
    taken = enrol(trust)
    withdraw(trust, taken)
    told()
    found = [each.notification() for each in messages() if each.template.startswith("enrolment")]
    undated = [each for each in found if each.data["class"] == "504-e1" or each.person == "p2"]
    assert {each.template for each in undated} == {"enrolment_confirmed", "enrolment_withdrawn_in_team"}
    assert [invitation(each, people.person(each.person)) for each in undated] == [None] * len(undated)


# --- the address of an enrolment ----------------------------------------------------------------------------------


def test_the_request_goes_to_the_address_given_with_the_enrolment(trust):
    taken = enrol(trust, {"email": "sam.at.home@mail.invalid"})
    assert newest("enrolment_confirmed")[1].events[0]["ATTENDEE"] == ["mailto:sam.at.home@mail.invalid"]
    withdraw(trust, taken)
    assert newest("enrolment_withdrawn")[1].events[0]["ATTENDEE"] == ["mailto:sam.at.home@mail.invalid"]


def test_whoever_places_somebody_may_give_it_and_check_it_and_from_then_on_the_learner_alone_sees_it(trust):
    body = {"class_id": "504-c1", "email": "sam@agency.invalid"}
    answer = trust.post("/v1/people/p1/enrolments", body, as_=LA)
    assert (answer.status_code, answer.json_body["email"]) == (201, "sam@agency.invalid")
    item = answer.json_body["id"]
    assert trust.get(f"/v1/people/p1/enrolments/{item}", as_=LA).json_body["email"] is None
    assert trust.get(f"/v1/me/enrolments/{item}", as_=LEARNER).json_body["email"] == "sam@agency.invalid"


@pytest.mark.parametrize(
    "wrong",
    [
        "nobody",
        "@trust.invalid",
        "sam@",
        "sam@trust",
        "sam@trust.invalid\r\nBcc: all@trust.invalid",
        "sam@trust.invalid\n",
        "sam test@trust.invalid",
        "sam@trust.invalid, pat@trust.invalid",
        "Sam <sam@trust.invalid>",
        ".sam.@trust.invalid",
        "säm@trust.invalid",
        "sam@-trust-.invalid",
        f"{'s' * 65}@trust.invalid",
        f"sam@{'t' * 250}.invalid",
        7,
        "",
    ],
)
def test_what_is_no_address_is_refused_by_name_and_nothing_is_taken(trust, wrong):
    for path, as_ in (("/v1/me/enrolments", LEARNER), ("/v1/people/p1/enrolments", LA)):
        answer = trust.post(path, {"class_id": "504-c1", "email": wrong}, as_=as_)
        assert (answer.status_code, answer.json_body["errors"][0]["field"]) == (400, "body.email")
    assert stored.class_with_seats("504-c1", consistent=True)[1].taken == 0


def test_the_address_is_in_no_log_and_no_audit(trust, logged):
    from chalicelib.storage.audit import AuditRow

    enrol(trust, {"email": "sam.at.home@mail.invalid"})
    assert "sam.at.home" not in logged()
    assert "sam.at.home" not in str([row.attribute_values for row in AuditRow.scan()])
