"""Every combination of what an access rule can say, against a second implementation that is as plain as the rules are written.

domain.md §5: AND inside a rule, OR between rules, any rule restricts, the most permissive mode over assignments, dates with both
days, units with or without those below, and a class that narrows its course by unit.
"""

import time
from datetime import date, timedelta
from itertools import chain, combinations, product

from chalicelib.domain.access import AccessMode, AccessRule, decide, explain, within
from chalicelib.domain.people import EmploymentKind
from chalicelib.domain.requirements import Target, TargetKind
from tests import builders as b
from tests.builders import TODAY

DAY = timedelta(days=1)
NURSE = b.assignment("1")
PORTER = b.assignment("2", unit="estates", position="porter-1", job="porter", staff_group="estates")
SURGEON = b.assignment("3", unit="surgery", position="surgeon-1", job="surgeon", staff_group="medical")
OVER = b.assignment("4", unit="estates", job="porter", ends_on=TODAY - DAY)

LEARNERS = {
    "nurse": b.learner(),
    "nurse and porter": b.learner(assignments=(NURSE, PORTER)),
    "surgeon in the agency group": b.learner(assignments=(SURGEON,), groups=("agency",)),
    "nurse who was a porter": b.learner(assignments=(NURSE, OVER)),
    "external in the agency group": b.learner(EmploymentKind.EXTERNAL, assignments=(), groups=("agency",)),
    "external": b.learner(EmploymentKind.EXTERNAL, assignments=()),
}
TARGETS = (
    Target(TargetKind.EMPLOYER, "504"),
    Target(TargetKind.UNIT, "ward-9"),
    Target(TargetKind.UNIT, "surgery"),
    Target(TargetKind.UNIT, "504"),
    Target(TargetKind.UNIT, "estates"),
    Target(TargetKind.STAFF_GROUP, "nursing"),
    Target(TargetKind.JOB, "porter"),
    Target(TargetKind.POSITION, "nurse-9"),
    Target(TargetKind.LEARNER_GROUP, "agency"),
    Target(TargetKind.PERSON, "p1"),
    Target(TargetKind.PERSON, "p2"),
)
DATES = (
    (None, None),
    (TODAY, TODAY),
    (TODAY + DAY, None),
    (None, TODAY - DAY),
    (date(2026, 1, 1), date(2026, 12, 31)),
)
MODES = (AccessMode.SELF_ENROL, AccessMode.APPROVAL, AccessMode.ADMINISTRATOR)
NARROWED = ((), ("surgery",), ("estates",), ("ward-10",), ("ward-9", "estates"))

PARENTS = {"ward-9": "surgery", "ward-10": "surgery", "surgery": "504", "estates": "504", "504": None}


def lies_in(unit, top):
    while unit is not None:
        if unit == top:
            return True
        unit = PARENTS[unit]
    return False


def meets(target, below, job, groups):
    """Whether somebody who holds this job (None: none) and is in these groups is who a target means."""
    kind, id_ = target.kind, target.id
    if kind is TargetKind.EMPLOYER:
        return id_ == "504"
    if kind is TargetKind.PERSON:
        return id_ == "p1"
    if kind is TargetKind.LEARNER_GROUP:
        return id_ in groups
    if job is None:
        return False
    if kind is TargetKind.UNIT:
        return lies_in(job.unit, id_) if below else job.unit == id_
    held = {TargetKind.JOB: job.job, TargetKind.POSITION: job.position, TargetKind.STAFF_GROUP: job.staff_group}
    return held[kind] == id_


def plainly(rules, learner, only_units):
    """The mode as the text of domain.md §5 gives it, word by word."""
    jobs = [each for each in learner.assignments if each.ends_on is None or each.ends_on >= TODAY] or [None]
    groups = {each.group for each in learner.memberships}
    if only_units:
        jobs = [each for each in jobs if each and any(lies_in(each.unit, unit) for unit in only_units)]
    if not rules:
        return AccessMode.APPROVAL if jobs else None
    modes = set()
    for rule in rules:
        if rule.starts_on and rule.starts_on > TODAY:
            continue
        if rule.ends_on and rule.ends_on < TODAY:
            continue
        for job in jobs:
            if all(meets(target, rule.include_below, job, groups) for target in rule.targets):
                modes.add(rule.mode)
    return next((mode for mode in MODES if mode in modes), None)


def rule(targets, mode=AccessMode.SELF_ENROL, below=True, dates=(None, None)):
    return AccessRule("01", mode, tuple(targets), below, *dates)


def one_rule():
    """Up to two targets of every kind x units below or not x dates x mode."""
    some = chain.from_iterable(combinations(TARGETS, size) for size in (0, 1, 2))
    for targets, below, dates, mode in product(some, (True, False), DATES, MODES):
        yield (rule(targets, mode, below, dates),)


def two_rules():
    """Every pair of single targets x every pair of modes, one of them out of its dates or not."""
    for (one, other), modes, dates in product(combinations(TARGETS, 2), product(MODES, MODES), DATES[:3]):
        yield (rule([one], modes[0], dates=dates), rule([other], modes[1]))


def test_every_combination_of_rules_says_what_the_text_says():
    book, tried, verdicts = b.rulebook(), 0, set()
    seen = {name: each.standpoints_on(TODAY, book) for name, each in LEARNERS.items()}
    for rules in chain([()], one_rule(), two_rules()):
        for (name, learner), units in product(LEARNERS.items(), NARROWED):
            open_to = within(seen[name], units)
            found = decide(rules, open_to, TODAY)
            assert found.mode is plainly(rules, learner, units), (name, units, rules)
            verdicts.add((found.mode, bool(units)))
            tried += 1
    assert tried > 100_000
    assert verdicts == set(product((*MODES, None), (True, False)))


def test_an_explanation_agrees_with_the_verdict_it_explains():
    book = b.rulebook()
    for rules in two_rules():
        for learner, units in product(LEARNERS.values(), NARROWED[:3]):
            seen = learner.standpoints_on(TODAY, book)
            met = [each for each in explain(rules, seen, TODAY, units) if each.met]
            found = decide(rules, within(seen, units), TODAY)
            assert found.visible is bool(met)
            assert not met or (found.rule, found.assignment) in [
                (each.rule, each.standpoint.assignment) for each in met
            ]


def test_a_verdict_takes_microseconds(capsys):
    """Architecture: 50 µs. Three rules of two targets, two assignments; the bound here is loose, for a busy machine."""
    seen = LEARNERS["nurse and porter"].standpoints_on(TODAY, b.rulebook())
    rules = tuple(rule(TARGETS[place : place + 2], dates=DATES[4]) for place in (7, 3, 1))
    times = []
    for _ in range(20):
        began = time.perf_counter()
        for _ in range(100):
            decide(rules, seen, TODAY)
        times.append((time.perf_counter() - began) / 100)
    with capsys.disabled():
        print(f"\naccess verdict: {min(times) * 1e6:.1f} µs")
    assert min(times) < 250e-6
