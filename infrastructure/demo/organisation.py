"""Plans who works where: departments opened until everybody has a place, people, their assignments and supervisors."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from math import gcd
from random import Random
from re import sub

from .facts import MOST_STAFF, DepartmentKind, Facts, OrganisationFacts, PeopleFacts, PostFact
from .trust import (
    Assignment,
    Job,
    LearnerGroup,
    Organisation,
    Person,
    PersonStatus,
    Position,
    RoleGrant,
    SignIn,
    StaffGroup,
    Unit,
)

# First employee number of each kind of person; the demo trust's numbers are 8 digits long.
FIRST_NUMBER: dict[PersonStatus, int] = {
    "employee": 20_050_001,
    "applicant": 30_000_001,
    "external learner": 40_000_001,
}
# Where each kind of person begins in the list of all names, so that a larger trust renames nobody.
FIRST_NAME: dict[PersonStatus, int] = {"employee": 0, "applicant": MOST_STAFF, "external learner": 2 * MOST_STAFF}

LONGEST_SERVICE_DAYS = 30 * 365
SHORTEST_SERVICE_DAYS = 7


@dataclass(frozen=True, slots=True)
class Department:
    """A department and its places: one post for each member of staff, the manager's first."""

    kind: DepartmentKind
    unit: Unit
    places: tuple[PostFact, ...]

    def position_id(self, post: PostFact) -> str:
        """The id of a post of this department: women-003-MW."""
        return f"{self.unit.id}-{post.id}"


def plan_departments(facts: OrganisationFacts, staff: int) -> list[Department]:
    """Headquarters, then departments in the order of growth, with `staff` places altogether."""
    kinds = {kind.id: kind for kind in facts.department_kinds}
    opened: list[tuple[DepartmentKind, int]] = [
        (kinds[kind_id], sum(post.count for post in kinds[kind_id].posts)) for kind_id in facts.headquarters
    ]
    left = staff - sum(size for _, size in opened)
    if left < facts.department_staff.least:
        raise ValueError(f"{staff} staff leave no department beside the headquarters")
    sizes = _sizes(facts, left)
    opened += [(kinds[facts.growth[index % len(facts.growth)]], size) for index, size in enumerate(sizes)]

    departments: list[Department] = []
    in_division: dict[str, int] = {}
    of_kind: dict[str, int] = {}
    for kind, size in opened:
        in_division[kind.division] = in_division.get(kind.division, 0) + 1
        unit = Unit(
            id=f"{kind.division}-{in_division[kind.division]:03d}",
            name=f"{facts.employer.code} {_department_name(kind, of_kind.get(kind.id, 0))}",
            parent_id=kind.division,
            level="department",
        )
        of_kind[kind.id] = of_kind.get(kind.id, 0) + 1
        departments.append(Department(kind, unit, _places(kind, unit.id, size)))
    return departments


def _sizes(facts: OrganisationFacts, staff: int) -> list[int]:
    """Sizes of the growing departments. People too few for one more department join the last ones."""
    limits = facts.department_staff
    sizes: list[int] = []
    left = staff
    while left >= limits.least:
        size = min(left, Random(f"department size {len(sizes)}").randint(limits.least, limits.most))
        sizes.append(size)
        left -= size
    for index in reversed(range(len(sizes))):
        extra = min(left, limits.limit - sizes[index])
        sizes[index] += extra
        left -= extra
    sizes[-1] += left
    return sizes


def _department_name(kind: DepartmentKind, number: int) -> str:
    """The kind's names in turn; from the second round on with a number: "Otter Ward 2"."""
    round_, index = divmod(number, len(kind.names))
    return kind.names[index] + (f" {round_ + 1}" if round_ else "")


def _places(kind: DepartmentKind, unit_id: str, size: int) -> tuple[PostFact, ...]:
    counted = [post for post in kind.posts for _ in range(post.count)]
    weights = [post.weight for post in kind.posts]
    drawn = [Random(f"place {unit_id} {place}").choices(kind.posts, weights)[0] for place in range(len(counted), size)]
    return tuple(counted + drawn)


def plan_organisation(facts: Facts, departments: list[Department], today: date) -> Organisation:
    """The tree, the posts and the people in them, and who may sign in as what."""
    organisation = facts.organisation
    staff = _Staff(facts, departments, today)
    return Organisation(
        units=_units(organisation, departments),
        staff_groups=tuple(StaffGroup(group.id, group.name) for group in organisation.staff_groups),
        jobs=tuple(Job(job.id, job.title, job.staff_group) for job in organisation.jobs),
        positions=_positions(organisation, departments),
        people=tuple(staff.people),
        assignments=tuple(staff.assignments),
        learner_groups=staff.learner_groups(),
        grants=staff.grants(),
        sign_ins=staff.sign_ins(),
    )


def _units(facts: OrganisationFacts, departments: list[Department]) -> tuple[Unit, ...]:
    code = facts.employer.code
    employer = Unit(code, f"{code} {facts.employer.name}", None, "employer")
    divisions = [Unit(each.id, f"{code} {each.name}", code, "division") for each in facts.divisions]
    return (employer, *divisions, *(department.unit for department in departments))


def _positions(facts: OrganisationFacts, departments: list[Department]) -> tuple[Position, ...]:
    groups = {job.id: job.staff_group for job in facts.jobs}
    return tuple(
        Position(department.position_id(post), post.title, post.job, groups[post.job], department.unit.id)
        for department in departments
        for post in department.kind.posts
        if post in department.places
    )


def holders(departments: list[Department], people: tuple[Person, ...] | list[Person]) -> dict[str, list[Person]]:
    """Employees by the name of their post, kind.POST, in order of employee number."""
    held: dict[str, list[Person]] = {}
    for person, (department, post) in zip(people, _all_places(departments), strict=False):
        held.setdefault(f"{department.kind.id}.{post.id}", []).append(person)
    return held


def _all_places(departments: list[Department]) -> Iterator[tuple[Department, PostFact]]:
    """Every place of the trust: the n-th belongs to the n-th employee."""
    return ((department, post) for department in departments for post in department.places)


class _Names:
    """All names in an order that mixes them.

    Steps round the list of all pairs by a number coprime to its length, which meets each pair once.
    """

    def __init__(self, facts: PeopleFacts) -> None:
        self._first = [(names.title, name) for names in facts.first_names for name in names.names]
        self._beginnings = facts.surname_beginnings
        self._endings = facts.surname_endings
        self._surnames = len(self._beginnings) * len(self._endings)
        self._count = len(self._first) * self._surnames
        self._step = int(self._count * 0.618)
        while gcd(self._step, self._count) != 1:
            self._step += 1

    def __getitem__(self, index: int) -> tuple[str, str, str]:
        """Title, first name and last name number `index`."""
        place = index * self._step % self._count
        first, surname = divmod(place, self._surnames)
        ending, beginning = divmod(surname, len(self._beginnings))
        title, first_name = self._first[first]
        return title, first_name, self._beginnings[beginning] + self._endings[ending]


class _Staff:
    """People and assignments, department by department."""

    def __init__(self, facts: Facts, departments: list[Department], today: date) -> None:
        self._facts = facts
        self._rates = facts.history.staff
        self._departments = departments
        self._growing = departments[len(facts.organisation.headquarters) :]
        self._today = today
        self._names = _Names(facts.people)
        self._groups = {job.id: job.staff_group for job in facts.organisation.jobs}
        self._courtesies = {group.id: group.person_title for group in facts.organisation.staff_groups}
        self.people: list[Person] = []
        self.assignments: list[Assignment] = []
        self._employ()
        self._employees = len(self.people)
        self._offer_posts()
        self._welcome_external_learners()

    # --- Employees ---

    def _employ(self) -> None:
        self.people = [
            self._person("employee", index, self._service_start(index), self._groups[post.job])
            for index, (_, post) in enumerate(_all_places(self._departments))
        ]
        self._manager_ids = self._find_managers()
        places = list(_all_places(self._departments))
        growing_before = {department.unit.id: index for index, department in enumerate(self._growing)}
        for index, (person, (department, post)) in enumerate(zip(self.people, places, strict=True)):
            self.assignments.append(self._first_assignment(index, person, department, post))
            earlier = self._growing[: growing_before.get(department.unit.id, 0)]
            self._maybe_second_assignment(person, department, post, earlier)

    def _find_managers(self) -> dict[str, str]:
        """The manager of each department and division, by unit id."""
        managers: dict[str, str] = {}
        for person, (department, post) in zip(self.people, _all_places(self._departments), strict=True):
            managers.setdefault(department.unit.id, person.id)
            if post.directs is not None:
                managers.setdefault(post.directs, person.id)
        return managers

    def _service_start(self, index: int) -> date:
        rng = Random(f"service {index}")
        days = SHORTEST_SERVICE_DAYS + int(rng.expovariate(1 / (self._rates.service_years * 365)))
        return self._today - timedelta(days=min(days, LONGEST_SERVICE_DAYS))

    def _first_assignment(self, index: int, person: Person, department: Department, post: PostFact) -> Assignment:
        manages = post is department.places[0]
        rng = Random(f"term {index}")
        fixed_term = not manages and rng.random() < self._rates.fixed_term
        return self._assignment(
            number=person.employee_number,
            person_id=person.id,
            department=department,
            post=post,
            supervisor_id=self._above(department) if manages else self._manager_ids[department.unit.id],
            start=person.start,
            # Far enough ahead to outlast every planned class.
            end=self._today + timedelta(days=rng.randint(100, 300)) if fixed_term else None,
        )

    def _above(self, department: Department) -> str | None:
        """Whom a department's manager reports to: the division's director; the head of the trust to nobody."""
        if department is self._departments[0]:
            return None
        return self._manager_ids[department.kind.division]

    def _maybe_second_assignment(
        self, person: Person, department: Department, post: PostFact, earlier: list[Department]
    ) -> None:
        """Some work in a second department as well, if they can in their own staff group; never as its manager."""
        rng = Random(f"second post {person.employee_number}")
        if not earlier or post is department.places[0] or rng.random() >= self._rates.second_assignment:
            return
        for _ in range(8):
            other = rng.choice(earlier)
            other_post = rng.choice(other.places[1:])
            if self._groups[other_post.job] == self._groups[post.job]:
                break
        days = (self._today - person.start).days
        second = self._assignment(
            number=f"{person.employee_number}-2",
            person_id=person.id,
            department=other,
            post=other_post,
            supervisor_id=self._manager_ids[other.unit.id],
            start=person.start + timedelta(days=rng.randint(0, days)),
            end=None,
            primary=False,
        )
        self.assignments.append(second)

    def _assignment(
        self,
        *,
        number: str,
        person_id: str,
        department: Department,
        post: PostFact,
        supervisor_id: str | None,
        start: date,
        end: date | None,
        primary: bool = True,
    ) -> Assignment:
        return Assignment(
            number=number,
            person_id=person_id,
            unit_id=department.unit.id,
            position_id=department.position_id(post),
            job_id=post.job,
            staff_group_id=self._groups[post.job],
            supervisor_id=supervisor_id,
            primary=primary,
            start=start,
            end=end,
        )

    # --- Applicants and external learners ---

    def _offer_posts(self) -> None:
        for index in range(round(self._employees * self._rates.applicants)):
            rng = Random(f"applicant {index}")
            # Only among departments that a smaller trust has too, so that growing moves no offer.
            department = rng.choice(self._growing[: max(1, index)])
            post = rng.choice(department.places[1:])
            start = self._today + timedelta(days=rng.randint(7, 56))
            person = self._person("applicant", index, start, self._groups[post.job])
            self.people.append(person)
            self.assignments.append(
                self._assignment(
                    number=person.employee_number,
                    person_id=person.id,
                    department=department,
                    post=post,
                    supervisor_id=self._manager_ids[department.unit.id],
                    start=start,
                    end=None,
                )
            )

    def _welcome_external_learners(self) -> None:
        for index in range(round(self._employees * self._rates.external_learners)):
            start = self._today - timedelta(days=Random(f"external {index}").randint(10, 300))
            self.people.append(self._person("external learner", index, start, None))

    def learner_groups(self) -> tuple[LearnerGroup, ...]:
        """External learners are dealt to the groups in turn."""
        members = [person.id for person in self.people if person.status == "external learner"]
        groups = self._facts.requirements.learner_groups
        return tuple(
            LearnerGroup(group.id, group.name, tuple(members[index :: len(groups)]))
            for index, group in enumerate(groups)
        )

    # --- People ---

    def _person(self, status: PersonStatus, index: int, start: date, staff_group: str | None) -> Person:
        title, first_name, last_name = self._names[FIRST_NAME[status] + index]
        courtesy = self._courtesies[staff_group] if staff_group else None
        number = str(FIRST_NUMBER[status] + index)
        employer = self._facts.organisation.employer
        return Person(
            id=f"P{number}",
            title=courtesy or title,
            first_name=first_name,
            last_name=last_name,
            employee_number=number,
            email=f"{_mailbox(first_name)}.{_mailbox(last_name)}@{employer.email_domain}",
            login=f"{employer.code}-{number}",
            status=status,
            start=start,
        )

    # --- Roles ---

    def grants(self) -> tuple[RoleGrant, ...]:
        """Administrators as the sign-ins say; instructor for everybody who holds a teaching post."""
        held = holders(self._departments, self.people)
        granted: list[RoleGrant] = []
        for sign_in in self._facts.organisation.sign_ins:
            if sign_in.post is None:
                continue
            match sign_in.role:
                case (
                    "national administrator"
                    | "learning administrator"
                    | "class administrator"
                    | "workforce feed" as role
                ):
                    granted.append(RoleGrant(held[sign_in.post][0].id, role, tuple(sign_in.subjects)))
        courses = self._facts.catalogue.courses
        teaching = {post: None for course in courses if course.classes for post in course.classes.taught_by}
        granted += [RoleGrant(person.id, "instructor") for post in teaching for person in held.get(post, [])]
        return tuple(granted)

    def sign_ins(self) -> tuple[SignIn, ...]:
        held = holders(self._departments, self.people)
        for status in ("applicant", "external learner"):
            held[status] = [person for person in self.people if person.status == status]
        ready = [(each.role, held[each.post or each.role][0]) for each in self._facts.organisation.sign_ins]
        return tuple(SignIn(role, person.id, person.login) for role, person in ready)


def _mailbox(name: str) -> str:
    """A name as part of an e-mail address: "O'Waffle" → "owaffle"."""
    return sub(r"[^a-z0-9]", "", name.lower())
