"""The demo trust's workforce file: its good rows are good, and its mistakes are the ones it tells of."""

from datetime import date

import pytest

from chalicelib.domain.requirements import Rulebook, Target, TargetKind
from chalicelib.domain.workforce import wrong_fields
from chalicelib.domain.workforce_file import COLUMNS, as_column, row_of
from infrastructure.demo.organisation import plan_departments, plan_organisation
from infrastructure.demo.reading import load_facts
from infrastructure.demo.workforce_csv import MISTAKES, lines

TODAY = date(2026, 11, 23)


@pytest.fixture(scope="module")
def rulebook():
    facts = load_facts()
    planned = plan_organisation(facts, plan_departments(facts.organisation, 200), TODAY)
    named = {
        TargetKind.UNIT: planned.units,
        TargetKind.POSITION: planned.positions,
        TargetKind.JOB: planned.jobs,
        TargetKind.STAFF_GROUP: planned.staff_groups,
    }
    names = {Target(kind, each.id): "" for kind, things in named.items() for each in things}
    return Rulebook("504", (1, 1), {}, {}, {}, names=names)


def found_wrong(line, rulebook):
    row = row_of(line.number, line.fields, COLUMNS, f"job:{line.number}")
    errors = row.errors or tuple(map(as_column, wrong_fields(row.change, rulebook)))
    return [each.field for each in errors]


def test_every_kind_of_mistake_is_found_in_its_column_and_nothing_else(rulebook):
    made = list(lines(60, len(MISTAKES), 200, TODAY))
    assert [found_wrong(line, rulebook) for line in made] == [[line.wrong] if line.wrong else [] for line in made]
    assert {line.wrong for line in made if line.wrong} == {each.column for each in MISTAKES}


def test_the_same_arguments_give_the_same_people_each_with_a_number_of_their_own():
    one, other = list(lines(50, 0, 200, TODAY)), list(lines(50, 0, 200, TODAY))
    assert one == other
    assert len({line.fields[COLUMNS.index("employee_number")] for line in one}) == 50
