"""Which training counts at another employer, until when, and how far a transfer has come (domain.md §7)."""

from dataclasses import replace
from datetime import date, timedelta
from itertools import product

import pytest

from chalicelib.domain import transfers as t
from chalicelib.domain.calendar import add_months
from chalicelib.domain.competency import Origin
from chalicelib.domain.errors import OwnTransfer, TransferNotThere
from chalicelib.domain.people import Employment, EmploymentKind
from chalicelib.domain.transfers import Because, ItemState, Party, Settings, Status, Step
from tests import builders as b
from tests.builders import FIRE, INDUCTION, MOVING, NOW, PREVENT, TODAY

COMPETENCIES = b.rulebook().competencies
LAST_WEEK = TODAY - timedelta(days=7)
EVERYBODY = Settings()


def at(employer, *awards, kind=EmploymentKind.EMPLOYEE, starts_on=date(2024, 1, 1), ends_on=None):
    return b.learner(
        kind, employer=employer, employment=Employment(employer, kind, "1", starts_on, ends_on), awards=awards
    )


def arrived(award, employer="505"):
    return t.arriving(award, employer, b.competency(award.competency))


def update(there, here):
    return t.update_of(there, here, COMPETENCIES, EVERYBODY, TODAY)


# --- what an award is worth -----------------------------------------------------------------------------------


def test_what_arrives_keeps_its_own_day_and_level_and_says_where_it_was_made():
    there = b.award(awarded_on=LAST_WEEK, level=2, source="504-c1~1.01J9")
    here = arrived(there)
    assert (here.awarded_on, here.level, here.origin) == (LAST_WEEK, 2, Origin.TRANSFER)
    assert t.made_at(here) == ("505", "504-c1~1.01J9")
    assert t.made_at(there) is None


@pytest.mark.parametrize(
    ("given", "months", "until"),
    [
        (date(2027, 3, 1), 12, date(2027, 3, 1)),
        (date(2030, 1, 1), 12, add_months(LAST_WEEK, 12)),
        (None, 12, add_months(LAST_WEEK, 12)),
        (date(2027, 3, 1), None, date(2027, 3, 1)),
        (None, None, None),
    ],
)
def test_it_is_valid_no_longer_than_given_nor_than_the_period_here(given, months, until):
    award = b.award(awarded_on=LAST_WEEK, expires_on=given)
    assert t.arriving(award, "505", b.competency(FIRE, months)).expires_on == until


def test_better_is_what_is_valid_longer_at_the_level_or_above():
    given = b.award_expiring(date(2027, 6, 1))
    assert t.better(given, [], TODAY)
    assert t.better(given, [b.award_expiring(date(2027, 5, 31))], TODAY)
    assert not t.better(given, [b.award_expiring(date(2027, 6, 1))], TODAY)
    assert not t.better(given, [b.award_expiring(None)], TODAY)
    assert not t.better(given, [b.award_expiring(date(2027, 6, 1), level=2)], TODAY)
    assert t.better(replace(given, level=2), [b.award_expiring(None)], TODAY)
    assert t.better(given, [b.award_expiring(None, void=True), b.award_expiring(None, name=MOVING)], TODAY)


# --- several employers ----------------------------------------------------------------------------------------


def test_a_national_award_arrives_at_the_other_employer():
    made = b.award(awarded_on=LAST_WEEK)
    assert update(at("505", made), at("504")) == t.Update("505", (arrived(made),), ())


@pytest.mark.parametrize(
    "award",
    [
        b.award(INDUCTION, awarded_on=LAST_WEEK),
        b.award(awarded_on=LAST_WEEK, void=True),
        b.award_expiring(TODAY - timedelta(days=1)),
        b.award(awarded_on=TODAY + timedelta(days=1)),
        b.award("NHS|CSTF|Forgotten - 1 Year|", awarded_on=LAST_WEEK),
        replace(b.award(awarded_on=LAST_WEEK), origin=Origin.TAKEOVER),
        replace(b.award(awarded_on=LAST_WEEK), origin=Origin.TRANSFER),
        b.award(PREVENT, awarded_on=date(2023, 12, 31)),
    ],
    ids=["local", "void", "expired", "dated ahead", "unknown here", "taken over", "arrived there", "before employment"],
)
def test_no_other_award_arrives(award):
    assert update(at("505", award), at("504")) == t.Update("505")


def test_an_update_obeys_the_rules_of_a_transfer():
    there, here = at("505", b.award(awarded_on=LAST_WEEK)), at("504")
    ended = {FIRE: replace(COMPETENCIES[FIRE], ends_on=LAST_WEEK)}
    only = {each: Settings(recognised=frozenset({each})) for each in ("505", "506")}
    assert t.update_of(there, here, COMPETENCIES, only["505"], TODAY).arriving
    assert not t.update_of(there, here, COMPETENCIES, only["506"], TODAY).arriving
    assert not t.update_of(there, here, ended, EVERYBODY, TODAY).arriving


def test_an_update_holds_no_more_than_one_transaction():
    names = [f"NHS|CSTF|Skill {number} - 1 Year|" for number in range(100)]
    made = [b.award(each, awarded_on=LAST_WEEK, source=each) for each in names]
    known = {each: b.competency(each) for each in names}
    new = t.update_of(at("505", *made), at("504"), known, EVERYBODY, TODAY)
    assert len(new.arriving) == t.MOST_ITEMS
    here = at("504", *(t.arriving(each, "505", known[each.competency]) for each in made[:70]))
    gone = [replace(each, void=True) for each in made[:50]]
    both = t.update_of(at("505", *gone, *made[50:]), here, known, EVERYBODY, TODAY)
    assert (len(both.void), len(both.arriving)) == (50, t.MOST_ITEMS - 50)


def test_what_is_held_and_as_good_stays_alone():
    made = b.award(awarded_on=LAST_WEEK)
    assert not update(at("505", made), at("504", b.award(awarded_on=TODAY))).arriving
    assert not update(at("505", made), at("504", arrived(made))).arriving
    assert not update(at("505", made), at("504", replace(arrived(made), void=True))).arriving
    assert update(at("505", made), at("504", b.award(awarded_on=date(2026, 1, 1)))).arriving


def test_of_several_awards_of_a_competency_the_one_valid_longest_arrives_alone():
    older, newer = b.award(awarded_on=date(2026, 5, 1), source="a"), b.award(awarded_on=LAST_WEEK, source="b")
    assert update(at("505", older, newer), at("504")).arriving == (arrived(newer),)


@pytest.mark.parametrize("kind", [EmploymentKind.APPLICANT, EmploymentKind.EXTERNAL])
def test_applicants_and_external_learners_get_no_updates(kind):
    made = b.award(awarded_on=LAST_WEEK)
    assert not update(at("505", made), at("504", kind=kind)).arriving
    assert not update(at("505", made, kind=kind), at("504")).arriving


def test_who_has_left_either_employer_gets_no_updates():
    made, left = b.award(awarded_on=LAST_WEEK), TODAY - timedelta(days=1)
    assert not update(at("505", made), at("504", ends_on=left)).arriving
    assert not update(at("505", made, ends_on=left), at("504")).arriving
    assert update(at("505", made), at("504", ends_on=TODAY)).arriving


def test_what_is_made_void_where_it_was_made_goes_void_wherever_it_arrived():
    made = b.award(awarded_on=LAST_WEEK)
    here = at("504", arrived(made), b.award(awarded_on=LAST_WEEK))
    assert update(at("505", replace(made, void=True)), here) == t.Update("505", (), (arrived(made),))
    assert not update(at("506", replace(made, void=True)), here).void
    gone = at("505", replace(made, void=True), ends_on=TODAY - timedelta(days=1))
    assert update(gone, here).void


def test_of_two_awards_of_one_completion_the_one_that_is_good_stays():
    made = [b.award(each, awarded_on=LAST_WEEK, source="504-c1~1") for each in (FIRE, MOVING)]
    here = at("504", *map(arrived, made))
    assert update(at("505", replace(made[0], void=True), made[1]), here).void == (arrived(made[0]),)


def test_a_corrected_award_arrives_in_place_of_the_wrong_one():
    wrong, right = b.award(awarded_on=TODAY, source="a"), b.award(awarded_on=LAST_WEEK, source="b")
    there, here = at("505", replace(wrong, void=True), right), at("504", arrived(wrong))
    assert update(there, here) == t.Update("505", (arrived(right),), (arrived(wrong),))


def test_updates_come_to_rest():
    """Whatever is passed on in whatever order, between three employers, in the end there is nothing more to pass on."""
    made = {
        "504": [b.award(awarded_on=LAST_WEEK, source="a"), b.award(MOVING, source="m")],
        "505": [b.award(awarded_on=TODAY, source="b")],
        "506": [b.award(PREVENT, awarded_on=LAST_WEEK, source="p")],
    }
    held = {employer: at(employer, *awards) for employer, awards in made.items()}
    for turn in range(3):
        count = 0
        for one, other in product(held, held):
            if one != other:
                new = update(held[one], held[other]).arriving
                held[other] = replace(held[other], awards=(*held[other].awards, *new))
                count += len(new)
        assert (count == 0) is (turn > 0)
    assert all({each.competency for each in one.awards} == {FIRE, MOVING, PREVENT} for one in held.values())


# --- states ---------------------------------------------------------------------------------------------------


def transfer(status=Status.INITIATED, *items):
    begun = t.begun("t1", "p1", "504", "505", TODAY, "p9", NOW)
    return replace(begun, status=status, items=items)


def test_every_state_is_reached_and_those_without_a_way_on_are_final():
    reached = {Status.INITIATED, *(status for to, _ in t.MOVES.values() for status in to)}
    assert reached == set(Status)
    assert {each for each in Status if not transfer(each).is_open} == {*t.OUTCOMES, Status.FAILED}


@pytest.mark.parametrize(("status", "step", "party"), product(Status, Step, Party))
def test_a_step_is_taken_where_the_table_says_and_by_whom_it_says(status, step, party):
    before = transfer(status)
    to, allowed = t.MOVES.get((status, step), (frozenset(), frozenset()))
    if party not in allowed:
        with pytest.raises(TransferNotThere) as refused:
            t.move(before, step, party, "p8", NOW)
        assert refused.value.way_out
        return
    for end in to:
        after = t.move(before, step, party, "p8", NOW, end, "why")
        assert (after.status, after.reason, after.revision) == (end, "why", before.revision + 1)


def test_only_the_old_employer_refuses_and_only_it_or_its_setting_releases():
    assert t.MOVES[Status.MATCHED, Step.REFUSE][1] == {Party.OLD}
    assert t.MOVES[Status.MATCHED, Step.RELEASE][1] == {Party.OLD, Party.SERVICE}


def test_the_old_employer_sees_a_transfer_no_further_than_its_release():
    matched = replace(transfer(Status.MATCHED), items=(t.Item(1, b.award()),))
    released = t.move(matched, Step.RELEASE, Party.OLD, "p8", NOW)
    after = t.move(released, Step.RECEIVE, Party.SERVICE, "system", NOW).with_items(
        [t.Item(1, b.award(), ItemState.REJECTED, Because.ADMINISTRATOR, "p9", "why")]
    )
    assert after.seen_by("504") is after
    theirs = after.seen_by("505")
    assert (theirs.status, theirs.items) == (Status.RELEASED, (t.Item(1, b.award()),))
    assert theirs.history == released.history


def test_nobody_asks_for_their_own():
    with pytest.raises(OwnTransfer):
        t.begun("t1", "p1", "504", "505", TODAY, "p1", NOW)


def test_every_wrong_field_of_a_request_is_named():
    assert not list(t.wrong_fields("504", "505", ["504", "505"], TODAY, TODAY))
    wrong = t.wrong_fields("504", "504", ["504"], TODAY + timedelta(days=1), TODAY)
    assert [each.field for each in wrong] == ["from_employer", "consented_on"]
    assert [each.field for each in t.wrong_fields("504", "599", ["504"], TODAY, TODAY)] == ["from_employer"]


# --- items ----------------------------------------------------------------------------------------------------


def test_what_is_released_is_national_in_date_made_there_and_the_best_of_each():
    best = b.award(awarded_on=LAST_WEEK, source="best")
    there = at(
        "505",
        best,
        b.award(awarded_on=date(2026, 3, 1), source="older"),
        b.award(INDUCTION),
        b.award_expiring(TODAY - timedelta(days=1), name=MOVING),
        replace(b.award(PREVENT), origin=Origin.TRANSFER),
        ends_on=date(2026, 6, 30),
    )
    assert [(each.number, each.award) for each in t.items_of(there, TODAY)] == [(1, best)]


def test_a_level_above_goes_before_what_is_valid_longer():
    lower, upper = b.award(awarded_on=TODAY), b.award(awarded_on=LAST_WEEK, level=2)
    assert [each.award for each in t.items_of(at("505", lower, upper), TODAY)] == [upper]


def test_no_more_goes_than_one_transaction_holds():
    many = [b.award(f"NHS|CSTF|Skill {number} - 1 Year|") for number in range(100)]
    assert len(t.items_of(at("505", *many), TODAY)) == t.MOST_ITEMS


def judged(award, *held, settings=EVERYBODY, competency=COMPETENCIES[FIRE]):
    item = t.judged(t.Item(1, award), transfer(Status.RELEASED), at("504", *held), competency, settings, TODAY)
    return item.state, item.because


def test_what_is_better_than_what_is_held_is_accepted_by_itself():
    given = b.award(awarded_on=LAST_WEEK)
    assert judged(given) == (ItemState.ACCEPTED, Because.BETTER)
    assert judged(given, b.award(awarded_on=date(2026, 1, 1))) == (ItemState.ACCEPTED, Because.BETTER)
    assert judged(given, arrived(given)) == (ItemState.ACCEPTED, Because.ARRIVED)
    assert judged(given, settings=Settings(recognised=frozenset({"505"}))) == (ItemState.ACCEPTED, Because.BETTER)


def test_everything_else_waits_for_an_administrator_with_its_reason():
    given = b.award(awarded_on=LAST_WEEK)
    over = b.award(awarded_on=date(2025, 1, 1), expires_on=date(2028, 1, 1))
    ended = replace(COMPETENCIES[FIRE], ends_on=LAST_WEEK)
    found = [
        judged(given, b.award(awarded_on=TODAY)),
        judged(given, replace(arrived(given), void=True)),
        judged(given, settings=Settings(recognised=frozenset())),
        judged(given, competency=ended),
        judged(given, competency=None),
        judged(over),
    ]
    why = [
        Because.NOT_BETTER,
        Because.VOID,
        Because.NOT_RECOGNISED,
        Because.NOT_IN_USE,
        Because.NOT_IN_USE,
        Because.OVER,
    ]
    assert found == [(ItemState.WAITING, each) for each in why]


def test_an_item_is_decided_once():
    item = t.Item(1, b.award())
    rejected = t.decided(item, ItemState.REJECTED, "p9", "too old")
    assert (rejected.state, rejected.by, rejected.reason) == (ItemState.REJECTED, "p9", "too old")
    with pytest.raises(TransferNotThere):
        t.decided(rejected, ItemState.ACCEPTED, "p9", None)


@pytest.mark.parametrize(
    ("states", "outcome"),
    [
        ("AA", Status.APPLIED),
        ("AR", Status.PARTLY_APPLIED),
        ("RR", Status.REJECTED),
        ("AW", None),
        ("RW", None),
    ],
)
def test_a_transfer_is_what_its_items_are_once_all_are_decided(states, outcome):
    letters = {"A": ItemState.ACCEPTED, "R": ItemState.REJECTED, "W": ItemState.WAITING}
    items = [t.Item(number, b.award(), letters[each]) for number, each in enumerate(states, 1)]
    assert t.outcome(transfer(Status.RECEIVED, *items)) is outcome
