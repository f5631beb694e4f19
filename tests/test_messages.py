"""Every message of domain.md §9, with all that can be known and with as little as may be: whole, plain, and safe to read."""

import re
from html import unescape
from pathlib import Path

import pyphen
import pytest
from jinja2 import meta, nodes

from chalicelib import rendering
from chalicelib.domain.events import EventType
from chalicelib.domain.notifications import TEMPLATES, TOLD
from infrastructure import ROOT

FOLDER = Path(rendering.__file__).parent / "templates" / "email"
NAMES = sorted(each.name for each in FOLDER.iterdir() if each.is_dir())
FORMS = ("subject.txt", "text.txt", "body.html")

SESSIONS = [
    ["2026-12-01T09:00:00+00:00", "2026-12-01T12:00:00+00:00"],
    ["2026-12-08T09:00:00+00:00", "2026-12-08T12:30:00+00:00"],
]
AWARDS = [{"title": "Fire Safety", "until": "1 December 2027"}]
COURSE = {"id": "504-fire", "title": "Fire Safety"}
TAKING = {"what": "late", "title": "First Aid", "day": "8 December 2026", "enrolment": "504-c1~1"}
ARRANGED = [
    {"title": "Fire Safety", "online": True, "waits": False, "day": None, "first_for": "First Aid", "subscribed": None},
    {
        "title": "First Aid",
        "online": False,
        "waits": True,
        "day": "8 December 2026",
        "first_for": None,
        "subscribed": "Safe Care",
    },
]
LEFT = [
    {
        "title": f"Safety {number}",
        "until": "1 December 2026",
        "outcome": outcome,
        "course": "Fire Safety",
        "subscribed": "Safe Care",
    }
    for number, outcome in enumerate(
        ("choose a date", "several options", "all full", "prerequisite missing", "no option"), 1
    )
]

FULL = {
    "author": "Sam Testfold",
    "accepted": ["Fire Safety, until 1 December 2027"],
    "added": True,
    "approver_name": "Sam Testfold",
    "arranged": ARRANGED,
    "arrived": ["Fire Safety, until 1 December 2027"],
    "asked_at": "2026-11-20T09:00:00+00:00",
    "awards": AWARDS,
    "certification": "504-life-support",
    "days": 7,
    "due": "1 December 2026",
    "news": "due",
    "no_elearning": True,
    "options": [{"title": "Fire Safety", "mode": "classroom"}, {"title": "First Aid", "mode": None}],
    "renew_from": "1 September 2027",
    "renewal": True,
    "to_go": 1,
    "by_need": True,
    "by_whom": "your manager",
    "claims": ["Fire Safety", "First Aid"],
    "clash": "First Aid",
    "class": "504-c1",
    "classes": [{"class": "504-c1", "sessions": SESSIONS}, {"class": "504-c2", "sessions": SESSIONS[:1]}],
    "completed_on": "1 December 2026",
    "confirmed": 2,
    "count": 3,
    "course": "504-fire",
    "day": "1 December 2026",
    "enrolment": "504-c1~1",
    "evidence": 2,
    "former": {"sessions": SESSIONS[:1], "venue": "Room 2", "link": "https://meet.test/old"},
    "from": "1 December 2026",
    "heading": "The tour begins earlier",
    "in_calendar": True,
    "joining_instructions": "Wear flat shoes.",
    "learner": "Alex Testfold",
    "left": LEFT,
    "minimum": 6,
    "link": "https://meet.test/new",
    "needed": ["First Aid"],
    "now_void": ["First Aid"],
    "number": 2,
    "parts": 2,
    "of_people": [{"id": "RC0x", "subject": "Booked: Sam Testfold, Fire Safety"}],
    "of_you": [{"id": "Ti0x", "subject": "Your training was verified: Fire Safety"}],
    "other_employer": "Harbour Trust",
    "passed_on": True,
    "people": [{"name": "Sam Testfold", "why": "we hold no address"}],
    "person": "p1",
    "position": 3,
    "provider": "Thistledown School",
    "reason": "the room is closed",
    "renewals": [
        {"title": "Fire Safety", "until": "1 December 2026", "days": 7, "taking": None, "courses": [COURSE, COURSE]},
        {"title": "First Aid", "until": "2 December 2026", "days": 8, "taking": TAKING, "courses": []},
    ],
    "refused": True,
    "rejected": ["First Aid: it is over"],
    "repeats": 2,
    "seat": True,
    "sessions": SESSIONS,
    "stage": "received",
    "status": "verified",
    "team": [
        {"title": "Fire Safety", "until": "1 December 2026", "days": -3, "taking": TAKING},
        {"title": "First Aid", "until": None, "days": None, "taking": None},
    ],
    "text": "Come to the front door at nine.\n\nBring a friend.",
    "title": "Fire Safety",
    "to_decide": ["First Aid: what is held is as good or better"],
    "to_verify": True,
    "training": "01JDTRAINING",
    "transfer": "01JDTRANSFER",
    "until": "8 December 2026",
    "venue": "Room 1",
    "waited": True,
    "waiting": 3,
    "waits_since": "20 November 2026",
    "why_waiting": "the class is full",
}
"""What events can say, by the name under which templates know it."""

SPARSE = FULL | {
    "days": -1,
    "news": "overdue",
    "no_elearning": False,
    "options": [],
    "renew_from": None,
    "renewal": False,
    "accepted": [],
    "added": False,
    "arranged": [],
    "arrived": [],
    "awards": [],
    "claims": [],
    "evidence": 0,
    "former": {"sessions": [], "venue": None, "link": None},
    "in_calendar": False,
    "joining_instructions": "",
    "left": [{"title": "Fire Safety", "until": None, "outcome": "no option", "course": None, "subscribed": None}],
    "link": None,
    "needed": [],
    "now_void": [],
    "number": 1,
    "of_people": [],
    "passed_on": False,
    "rejected": [],
    "renewals": [{"title": "Fire Safety", "until": "1 December 2026", "days": 0, "taking": None, "courses": []}],
    "repeats": 1,
    "seat": False,
    "sessions": [],
    "team": [{"title": "Fire Safety", "until": None, "days": None, "taking": None}],
    "to_decide": [],
    "to_verify": False,
    "venue": None,
    "waited": False,
    "waiting": 0,
    "waits_since": None,
}
"""What they say at least. What a template takes as optional is left out altogether."""

OF_ITS_OWN = {"notice": {"link": "https://portal.test/courses/504-fire"}}
"""What is another thing in this message than in others: a notice's link is what its author wants to be seen."""

NOT_ALWAYS = {
    "approval_due": {"approver_name": None},
    "approval_requested": {"approver_name": None},
    "approvals_delegated": {"approver_name": None},
    "enrolment_changed": {"clash": None},
    "enrolment_requested": {"approver_name": None, "reason": None},
}
"""What an event of this message may lack, and that of others never."""

HOSTILE = "<script>alert('x')</script> & \"Co\""
"""What somebody may write wherever text is free."""


def wanted_by(template):
    """The names that a template, and what it extends and imports, looks up in the data of its event."""
    environment = rendering._environment()
    tree = environment.parse((FOLDER / template).read_text())
    imported = {each.target for each in tree.find_all(nodes.Import)}
    above = [wanted_by(each) for each in meta.find_referenced_templates(tree)]
    return set().union(meta.find_undeclared_variables(tree) - imported, *above) - {
        "portal_url",
        "first_name",
        "subject",
    }


def data_of(name, words):
    return {each: words[each] for form in FORMS for each in wanted_by(f"{name}/{form}")}


def full(name):
    return data_of(name, FULL | OF_ITS_OWN.get(name, {}))


def sparse(name):
    data = data_of(name, SPARSE | OF_ITS_OWN.get(name, {})) | NOT_ALWAYS.get(name, {})
    for each in sorted(data):
        try:
            rendering.render(name, {key: value for key, value in data.items() if key != each})
        except rendering.Incomplete:
            continue
        del data[each]
    return data


def variants(name):
    """What it may be told of: all, as little as may be, and all but one thing."""
    data = full(name)
    yield from (data, sparse(name))
    without = data_of(name, SPARSE | OF_ITS_OWN.get(name, {})) | NOT_ALWAYS.get(name, {})
    yield from (data | {each: value} for each, value in without.items() if value != data[each])


def with_words(value, words):
    """Data in which every free text, however deep, is these words; `outcome` is a code."""
    if isinstance(value, dict):
        return {each: one if each == "outcome" else with_words(one, words) for each, one in value.items()}
    if isinstance(value, list):
        return [with_words(one, words) for one in value]
    return words if isinstance(value, str) and " " in value else value


def links(text):
    return re.findall(r"https://portal\.test[^\s\"<]*", unescape(text))


def syllables(word):
    return len(pyphen.Pyphen(lang="en_GB").positions(word)) + 1


def grade(text):
    """The school year (of the United States; age less five) in which one reads it easily, by Flesch and Kincaid."""
    sentences = [each for each in re.split(r"[.!?]\s|\n", text) if len(each.split()) > 5]
    words = re.findall(r"[A-Za-z']+", " ".join(sentences))
    return 0.39 * len(words) / len(sentences) + 11.8 * sum(map(syllables, words)) / len(words) - 15.59


def test_every_message_is_in_the_catalogue_and_has_a_subject_a_text_and_a_page():
    assert set(NAMES) == {*TEMPLATES, "digest"}
    assert {form for name in NAMES for form in FORMS if not (FOLDER / name / form).exists()} == set()


def test_every_message_follows_from_an_event_and_every_number_of_the_domain_has_one():
    assert {template for told in TOLD.values() for template, _ in told} == set(TEMPLATES)
    assert {each.number for each in TEMPLATES.values()} == {f"N{number}" for number in range(1, 25)}
    assert set(TOLD) <= set(EventType)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("data", [full, sparse])
def test_it_has_one_line_of_subject_and_one_way_to_what_it_is_about(name, data):
    message = rendering.render(name, data(name), "Alex")
    assert 5 < len(message.subject) < 100
    assert "None" not in message.subject + message.text
    assert set(links(message.text)) == set(links(message.html))
    assert len(set(links(message.text))) == 1
    assert message.text.startswith("Hello Alex,")


@pytest.mark.parametrize("name", NAMES)
def test_it_reads_easily_at_eleven(name):
    text = rendering.render(name, full(name)).text
    assert grade(text) <= 6, text


@pytest.mark.parametrize("name", NAMES)
def test_whatever_somebody_writes_is_shown_and_never_run(name):
    message = rendering.render(name, with_words(full(name), HOSTILE), HOSTILE)
    assert "<script>" not in message.html
    assert message.html.count("&lt;script&gt;") > 1
    assert "\n" not in message.subject


LISTED = re.compile(r"- |  |[A-Z][a-z, ]{1,30}: \S")
"""A line of a list: an item, what belongs to one, or a fact under its name."""


@pytest.mark.parametrize("name", NAMES)
def test_whatever_is_left_out_a_text_has_its_paragraphs_apart_and_says_what_its_link_is_for(name):
    for data in variants(name):
        text = rendering.render(name, data, "Alex").text
        assert "\n\n\n" not in text
        for line, following in zip(text.splitlines(), text.splitlines()[1:], strict=False):
            if LISTED.match(line) and following:
                assert LISTED.match(following), text
            if following.startswith("https://"):
                assert line.endswith(":"), text


@pytest.mark.parametrize("name", [each for each in NAMES if each.endswith("_in_team")])
def test_a_managers_copy_is_about_somebody_else(name):
    for data in variants(name):
        assert not re.search(r"\byour?s?\b", rendering.render(name, data).text, re.IGNORECASE)


ONLY_OF_CLASSES = {
    "class_cancelled_for_instructor",
    "class_changed_for_instructor",
    "class_reminder",
    "enrolment_passed_over",
    "minimum_not_met",
}


@pytest.mark.parametrize("name", [each for each in NAMES if "sessions" in full(each) and each not in ONLY_OF_CLASSES])
def test_of_elearning_which_has_no_dates_nothing_is_said_of_a_date_or_a_calendar(name):
    message = rendering.render(name, full(name) | {"sessions": [], "venue": None, "link": None, "classes": []})
    for form in (message.text, message.html):
        said = form.replace("without dates", "")
        assert not re.search(r"\b(dates?|meeting request|cannot come|where)\b|(changes|out of) your calendar", said), (
            form
        )


def arranged(title, **how):
    plain = {"online": False, "waits": False, "day": None, "first_for": None, "subscribed": None}
    return {"title": title, **plain, **how}


def left(title, outcome):
    return {"title": title, "until": None, "outcome": outcome, "course": None, "subscribed": None}


SEAT = arranged("First Aid", day="8 December 2026")
ONLINE = arranged("Fire Safety", online=True)
WAITS = arranged("First Aid", day="8 December 2026", waits=True)
SUBSCRIBED = arranged("Safe Care", subscribed="Safe Care")
CHOICE = left("Lifting", "several options")
NO_OPTION = left("Lifting", "no option")


@pytest.mark.parametrize(
    ("found", "not_done", "subject", "of_them"),
    [
        ([SEAT, ONLINE, WAITS], [CHOICE], "Booked for you: First Aid and 1 more", "Training booked: Sam, First Aid"),
        ([WAITS], [], "Waiting list: First Aid", "Waiting list: Sam, First Aid"),
        ([SUBSCRIBED], [], "Signed up: Safe Care", "Signed up: Sam, Safe Care"),
        ([], [NO_OPTION, CHOICE], "Please choose: Lifting", "Not booked yet: Sam, Lifting and 1 more"),
        ([], [NO_OPTION], "Not booked yet: Lifting", "Not booked yet: Sam, Lifting"),
    ],
)
def test_booked_is_what_has_a_seat_and_to_choose_is_where_there_is_a_choice(found, not_done, subject, of_them):
    data = {"arranged": found, "left": not_done, "learner": "Sam", "person": "p1", "course": None}
    assert rendering.render("training_arranged", data).subject == subject
    assert rendering.render("training_arranged_in_team", data).subject.startswith(of_them)


@pytest.mark.parametrize("found", [[ONLINE], [SUBSCRIBED], []])
def test_a_date_that_does_not_suit_is_spoken_of_where_there_is_one(found):
    data = {"arranged": found, "left": [NO_OPTION], "course": None}
    assert "does not suit" in rendering.render("training_arranged", data | {"arranged": [*found, SEAT]}).text
    assert "does not suit" not in rendering.render("training_arranged", data).text


@pytest.mark.parametrize("leads_to", [{"course": "504-fire"}, {}])
def test_a_reminder_leads_to_the_course_and_promises_no_date(leads_to):
    due = {"title": "Fire Safety", "until": "1 December 2026", "days": 7, "courses": [COURSE]}
    message = rendering.render("renewal_due", {"renewals": [due], **leads_to})
    for form in (message.text, message.html):
        assert "date" not in unescape(form).split("up to date", 1)[1]


@pytest.mark.parametrize("name", NAMES)
def test_the_page_is_headed_by_its_subject(name):
    message = rendering.render(name, full(name))
    assert f"<h1>{message.subject}</h1>" in message.html


def test_the_check_of_plain_words_is_not_blind():
    assert grade("You have a place on Fire Safety. It is in Room 1. Tell us if you cannot come.") < 5
    assert (
        grade("Notwithstanding organisational prioritisation, mandatory certification necessitates authorisation.") > 12
    )


def test_the_page_of_messages_names_every_one_with_its_number_and_when_it_goes():
    rows = [
        [cell.strip() for cell in line.split("|")[1:-1]]
        for line in (ROOT / "docs" / "messages.md").read_text().splitlines()
        if line.startswith("|")
    ]
    listed, number = {}, ""
    for first, names, _, _, goes in rows:
        number = first or number
        listed |= dict.fromkeys(re.findall("`(.+?)`", names), (number, goes))
    assert listed == {name: (each.number, each.timing.value) for name, each in TEMPLATES.items()}
