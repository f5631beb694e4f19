"""The demo trust in one call: the same facts, staff number and day always give the same plan."""

import argparse
from datetime import date

from .bookings import BookingPlanner
from .catalogue import plan_catalogue
from .facts import MOST_STAFF, Facts
from .framework import plan_framework
from .history import HistoryPlanner, all_awards
from .organisation import plan_departments, plan_organisation
from .reading import load_facts
from .schedule import plan_schedule
from .trust import Trust

LEAST_STAFF = 100
DEFAULT_STAFF = 500


def plan_trust(staff: int = DEFAULT_STAFF, *, today: date, facts: Facts | None = None) -> Trust:
    """Plan a trust of `staff` employees (100 to 10,000), with applicants and external learners beside them.

    `today` is the day the plan is for, Europe/London. Without `facts`, those beside this module are read.
    """
    if not LEAST_STAFF <= staff <= MOST_STAFF:
        raise ValueError(f"the demo trust has between {LEAST_STAFF} and {MOST_STAFF} staff, not {staff}")
    facts = facts or load_facts()
    departments = plan_departments(facts.organisation, staff)
    organisation = plan_organisation(facts, departments, today)
    framework = plan_framework(facts, departments, organisation, today)
    catalogue = plan_catalogue(facts, departments, organisation)
    schedule = plan_schedule(facts, catalogue, staff, today)
    records = HistoryPlanner(facts, organisation, framework, catalogue, today).records()
    bookings = BookingPlanner(facts, framework.competencies, catalogue, schedule, records, organisation, today)
    enrolments = bookings.enrolments()
    return Trust(
        employer_code=facts.organisation.employer.code,
        name=facts.organisation.employer.name,
        today=today,
        organisation=organisation,
        framework=framework,
        catalogue=catalogue,
        classes=bookings.classes(enrolments),
        awards=all_awards(records),
        enrolments=enrolments,
    )


def staff_number(text: str) -> int:
    """The staff number of a command line; argparse tells what is wrong with another."""
    if not text.isdecimal() or not LEAST_STAFF <= int(text) <= MOST_STAFF:
        raise argparse.ArgumentTypeError(f"{text} is not a number of staff between {LEAST_STAFF} and {MOST_STAFF:,}")
    return int(text)
