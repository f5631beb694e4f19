"""Plans the competencies and who needs them, and answers which apply to an assignment."""

from collections.abc import Iterator
from datetime import date, timedelta

from dateutil.relativedelta import relativedelta

from .facts import CompetencyFact, Facts, RequirementFact
from .organisation import Department, holders
from .trust import Assignment, Competency, Exemption, Framework, Organisation, Requirement, RequirementTarget


def competency_name(fact: CompetencyFact) -> str:
    """OWNER|FRAMEWORK|Subject[ - Level n][ - Detail] - period|, the trailing pipe included."""
    parts = [fact.subject]
    if fact.level is not None:
        parts.append(f"Level {fact.level}")
    if fact.detail is not None:
        parts.append(fact.detail)
    parts.append(_period(fact.renewal_years))
    return f"{fact.owner}|{fact.framework}|{' - '.join(parts)}|"


def _period(years: int | None) -> str:
    if years is None:
        return "No Specified Renewal"
    return "1 Year" if years == 1 else f"{years} Years"


def competency_names(facts: Facts) -> dict[str, str]:
    """Full name by the key used in the files."""
    return {fact.key: competency_name(fact) for fact in facts.competencies.competencies}


def plan_framework(facts: Facts, departments: list[Department], organisation: Organisation, today: date) -> Framework:
    """All competencies, and requirements and exemptions written out for the units, positions and people they mean."""
    names = competency_names(facts)
    competencies = tuple(
        Competency(
            name=names[fact.key],
            owner=fact.owner,
            framework=fact.framework,
            subject=fact.subject,
            level=fact.level,
            detail=fact.detail,
            renewal_months=None if fact.renewal_years is None else 12 * fact.renewal_years,
            covers=tuple(names[key] for key in fact.covers),
        )
        for fact in facts.competencies.competencies
    )
    requirements = tuple(
        Requirement(kind, target_id, names[key], today - relativedelta(months=fact.since_months))
        for fact in facts.requirements.requirements
        for kind, target_id in _targets(facts, fact, departments, organisation)
        for key in fact.competencies
    )
    held = holders(departments, organisation.people)
    exemptions = tuple(
        Exemption(held[fact.post][0].id, names[fact.competency], fact.reason, today, today + timedelta(days=fact.days))
        for fact in facts.requirements.exemptions
        if fact.post in held
    )
    return Framework(competencies, requirements, exemptions)


def _targets(
    facts: Facts, fact: RequirementFact, departments: list[Department], organisation: Organisation
) -> Iterator[tuple[RequirementTarget, str]]:
    """What a requirement of the facts means in this trust; departments not opened yet are left out."""
    match fact.target:
        case "employer":
            yield "employer", facts.organisation.employer.code
        case "division":
            yield from (("unit", division) for division in fact.of)
        case "department kind":
            yield from (("unit", each.unit.id) for each in departments if each.kind.id in fact.of)
        case "post":
            for department in departments:
                for post in department.kind.posts:
                    if f"{department.kind.id}.{post.id}" in fact.of and post in department.places:
                        yield "position", department.position_id(post)
        case "person":
            employees = [person for person in organisation.people if person.status == "employee"]
            every = fact.every or 1
            yield from (("person", person.id) for person in employees[every - 1 :: every])
        case "staff group" | "job" | "learner group" as target:
            yield from ((target, target_id) for target_id in fact.of)


class RequirementIndex:
    """Which competencies apply to an assignment or a learner group on a day, whatever the size of the trust."""

    def __init__(self, framework: Framework, organisation: Organisation, today: date) -> None:
        self._by_target: dict[tuple[str, str], list[str]] = {}
        for requirement in framework.requirements:
            if requirement.valid_from <= today:
                target = (requirement.target_kind, requirement.target_id)
                self._by_target.setdefault(target, []).append(requirement.competency)
        self._parents = {unit.id: unit.parent_id for unit in organisation.units}
        self._groups_of = {member: group.id for group in organisation.learner_groups for member in group.member_ids}
        self._shared: dict[tuple[str, str], frozenset[str]] = {}
        self._exempt: dict[str, set[str]] = {}
        for exemption in framework.exemptions:
            self._exempt.setdefault(exemption.person_id, set()).add(exemption.competency)

    def of_assignment(self, assignment: Assignment) -> frozenset[str]:
        """Competencies required of an assignment, each once."""
        place = (assignment.unit_id, assignment.position_id)
        if place not in self._shared:
            self._shared[place] = frozenset(self._of_place(assignment))
        required = self._shared[place].union(self._by_target.get(("person", assignment.person_id), ()))
        return required - self._exempt.get(assignment.person_id, set())

    def of_external_learner(self, person_id: str) -> frozenset[str]:
        """Competencies required of somebody without an assignment, through their learner group."""
        group = self._groups_of.get(person_id, "")
        return frozenset(self._by_target.get(("learner group", group), ()))

    def _of_place(self, assignment: Assignment) -> Iterator[str]:
        targets = [
            ("position", assignment.position_id),
            ("job", assignment.job_id),
            ("staff group", assignment.staff_group_id),
        ]
        unit: str | None = assignment.unit_id
        while unit is not None:
            targets += [("unit", unit), ("employer", unit)]
            unit = self._parents[unit]
        for target in targets:
            yield from self._by_target.get(target, ())
