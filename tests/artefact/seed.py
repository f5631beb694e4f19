"""A small trust in the deployed tables, stored through the services: run as a process that is told where they are."""

from datetime import UTC, datetime, timedelta

from tests import builders as b

in_two_weeks = (datetime.now(UTC) + timedelta(days=14)).date()
b.trust()
b.offered(b.class_(sessions=[b.session(in_two_weeks)]))
print(b.person(), b.person(2, role="learning_administrator"))
