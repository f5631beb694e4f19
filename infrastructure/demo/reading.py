"""Reads the fact files, strictly.

A wrong type, a field too many, a name that leads nowhere or a share above one is refused with the file and the field,
so that somebody who replaces a file with their own trust's facts is told where to look.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar

import msgspec
import yaml

from infrastructure import Failure

from .facts import (
    MOST_STAFF,
    CatalogueFacts,
    CompetencyFacts,
    CourseFact,
    Fact,
    Facts,
    HistoryFacts,
    OrganisationFacts,
    PeopleFacts,
    RequirementFacts,
)

FACTS_FOLDER = Path(__file__).parent / "facts"

# Top-level domains that never reach anybody (RFC 2606): the demo trust may write e-mails, but only to these.
RESERVED_DOMAINS = (".invalid", ".example", ".test")

# One name for everybody of the largest trust, and for as many applicants and external learners.
NAME_PAIRS = 3 * MOST_STAFF

FactsFile = TypeVar("FactsFile", bound=Fact)


class FactsError(Failure):
    """A fact that cannot be used: which file, which field, and why."""

    def __init__(self, file: str, field: str, reason: str) -> None:
        super().__init__(f"{file}: {field}: {reason}")
        self.file = file
        self.field = field
        self.reason = reason


def load_facts(folder: Path = FACTS_FOLDER) -> Facts:
    """Read and check all fact files of a folder; FactsError names the file and the field of the first mistake."""
    facts = Facts(
        organisation=_read(folder, "organisation.yaml", OrganisationFacts),
        competencies=_read(folder, "competencies.yaml", CompetencyFacts),
        requirements=_read(folder, "requirements.yaml", RequirementFacts),
        catalogue=_read(folder, "catalogue.yaml", CatalogueFacts),
        people=_read(folder, "people.yaml", PeopleFacts),
        history=_read(folder, "history.yaml", HistoryFacts),
    )
    _check_organisation(facts)
    _check_competencies(facts)
    _check_requirements(facts)
    _check_catalogue(facts)
    _check_people(facts)
    _check_rates(facts)
    return facts


def _read(folder: Path, file: str, kind: type[FactsFile]) -> FactsFile:
    try:
        text = (folder / file).read_text(encoding="utf-8")
    except OSError as error:
        raise FactsError(file, "(whole file)", f"cannot be read: {error.strerror}") from error
    try:
        content = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        where = f"line {error.problem_mark.line + 1}" if error.problem_mark else "(whole file)"
        raise FactsError(file, where, f"not valid YAML: {error.problem}") from error
    except yaml.YAMLError as error:
        raise FactsError(file, "(whole file)", f"not valid YAML: {error}") from error
    try:
        return msgspec.convert(content, kind)
    except msgspec.ValidationError as error:
        reason, _, path = str(error).partition(" - at `$")
        raise FactsError(file, path.strip("`.") or "(top level)", reason) from error


# --- Checks across records and files ----------------------------------------------------------------------------------


def _unique(file: str, field: str, values: Iterable[str]) -> None:
    seen: dict[str, int] = {}
    for index, value in enumerate(values):
        if value in seen:
            raise FactsError(file, field.format(index), f"'{value}' is already used by {field.format(seen[value])}")
        seen[value] = index


def _known(file: str, field: str, value: str, known: Iterable[str], what: str) -> None:
    if value not in known:
        raise FactsError(file, field, f"no {what} is called '{value}'")


def _check_organisation(facts: Facts) -> None:
    file, organisation = "organisation.yaml", facts.organisation
    if not organisation.employer.email_domain.endswith(RESERVED_DOMAINS):
        raise FactsError(file, "employer.email_domain", f"must end in one of {', '.join(RESERVED_DOMAINS)}")
    size = organisation.department_staff
    if not size.least <= size.most <= size.limit:
        raise FactsError(file, "department_staff", "least, most and limit must not decrease")

    _unique(file, "staff_groups[{}].id", (group.id for group in organisation.staff_groups))
    _unique(file, "jobs[{}].id", (job.id for job in organisation.jobs))
    _unique(file, "divisions[{}].id", (division.id for division in organisation.divisions))
    _unique(file, "department_kinds[{}].id", (kind.id for kind in organisation.department_kinds))
    groups = {group.id for group in organisation.staff_groups}
    for index, job in enumerate(organisation.jobs):
        _known(file, f"jobs[{index}].staff_group", job.staff_group, groups, "staff group")
    _check_department_kinds(organisation)
    _check_posts_filled(organisation)


def _check_department_kinds(organisation: OrganisationFacts) -> None:
    file = "organisation.yaml"
    divisions = {division.id for division in organisation.divisions}
    jobs = {job.id for job in organisation.jobs}
    names: dict[str, str] = {}
    directed: list[str] = []
    for number, kind in enumerate(organisation.department_kinds):
        field = f"department_kinds[{number}]"
        _known(file, f"{field}.division", kind.division, divisions, "division")
        _unique(file, field + ".posts[{}].id", (post.id for post in kind.posts))
        if kind.posts[0].count != 1 or kind.posts[0].weight:
            raise FactsError(file, f"{field}.posts[0].count", "the first post manages the department and is held once")
        for name in kind.names:
            if name in names:
                raise FactsError(file, f"{field}.names", f"'{name}' is already used by {names[name]}")
            names[name] = field
        for index, post in enumerate(kind.posts):
            _known(file, f"{field}.posts[{index}].job", post.job, jobs, "job")
            if post.directs is not None:
                _known(file, f"{field}.posts[{index}].directs", post.directs, divisions, "division")
                directed.append(post.directs)
    for index, division in enumerate(organisation.divisions):
        if directed.count(division.id) != 1:
            raise FactsError(file, f"divisions[{index}]", f"{directed.count(division.id)} posts direct it, not one")


def _check_posts_filled(organisation: OrganisationFacts) -> None:
    """Headquarters have a fixed staff, growing departments have weights, and every sign-in leads to a post."""
    file = "organisation.yaml"
    kinds = {kind.id: kind for kind in organisation.department_kinds}
    for index, kind_id in enumerate(organisation.headquarters):
        _known(file, f"headquarters[{index}]", kind_id, kinds, "department kind")
    for index, kind_id in enumerate(organisation.growth):
        _known(file, f"growth[{index}]", kind_id, kinds, "department kind")
        posts = kinds[kind_id].posts
        if sum(post.count for post in posts) > organisation.department_staff.least:
            raise FactsError(file, f"growth[{index}]", f"'{kind_id}' has more counted posts than the least staff")
        if not any(post.weight for post in posts):
            raise FactsError(file, f"growth[{index}]", f"'{kind_id}' has no post with a weight")
    for division_kind in (kinds[kind_id] for kind_id in organisation.headquarters):
        if any(post.weight for post in division_kind.posts):
            raise FactsError(file, "headquarters", f"'{division_kind.id}' may have counted posts only")
    post_names = organisation.post_names()
    _unique(file, "sign_ins[{}].role", (sign_in.role for sign_in in organisation.sign_ins))
    for index, sign_in in enumerate(organisation.sign_ins):
        without_post = sign_in.role in ("applicant", "external learner")
        if without_post != (sign_in.post is None):
            raise FactsError(file, f"sign_ins[{index}].post", "needed by every role but applicant and external learner")
        if sign_in.post is not None:
            _known(file, f"sign_ins[{index}].post", sign_in.post, post_names, "post")
            kind_id, post_id = sign_in.post.split(".")
            always = kind_id in (*organisation.headquarters, organisation.growth[0])
            if not always or not any(post.id == post_id and post.count for post in kinds[kind_id].posts):
                raise FactsError(
                    file,
                    f"sign_ins[{index}].post",
                    "must be a counted post of the headquarters or of the first department of growth",
                )


def _check_competencies(facts: Facts) -> None:
    file, competencies = "competencies.yaml", facts.competencies.competencies
    _unique(file, "competencies[{}].key", (competency.key for competency in competencies))
    keys = {competency.key for competency in competencies}
    for index, competency in enumerate(competencies):
        _check_owner(facts, file, f"competencies[{index}]", competency.owner)
        if (competency.framework == "LOCAL") == (competency.owner == "NHS"):
            raise FactsError(file, f"competencies[{index}].framework", "LOCAL is for the employer's own, and only them")
        for number, key in enumerate(competency.covers):
            _known(file, f"competencies[{index}].covers[{number}]", key, keys, "competency")


def _check_owner(facts: Facts, file: str, field: str, owner: str) -> None:
    if owner not in ("NHS", facts.organisation.employer.code):
        raise FactsError(file, f"{field}.owner", f"must be NHS or the employer's code, not '{owner}'")


def _check_requirements(facts: Facts) -> None:
    file, organisation = "requirements.yaml", facts.organisation
    _unique(file, "learner_groups[{}].id", (group.id for group in facts.requirements.learner_groups))
    keys = {competency.key for competency in facts.competencies.competencies}
    targets: dict[str, set[str]] = {
        "division": {division.id for division in organisation.divisions},
        "department kind": {kind.id for kind in organisation.department_kinds},
        "staff group": {group.id for group in organisation.staff_groups},
        "job": {job.id for job in organisation.jobs},
        "post": set(organisation.post_names()),
        "learner group": {group.id for group in facts.requirements.learner_groups},
    }
    for number, requirement in enumerate(facts.requirements.requirements):
        field = f"requirements[{number}]"
        for index, key in enumerate(requirement.competencies):
            _known(file, f"{field}.competencies[{index}]", key, keys, "competency")
        if (requirement.target == "person") != (requirement.every is not None):
            raise FactsError(file, f"{field}.every", "belongs to the target person, and only there")
        if (requirement.target in targets) != bool(requirement.of):
            raise FactsError(file, f"{field}.of", f"wrong for the target {requirement.target}")
        for index, target in enumerate(requirement.of):
            _known(file, f"{field}.of[{index}]", target, targets[requirement.target], requirement.target)
    for number, exemption in enumerate(facts.requirements.exemptions):
        _known(file, f"exemptions[{number}].post", exemption.post, targets["post"], "post")
        _known(file, f"exemptions[{number}].competency", exemption.competency, keys, "competency")


def _check_catalogue(facts: Facts) -> None:
    file, catalogue = "catalogue.yaml", facts.catalogue
    _unique(file, "categories[{}].id", (category.id for category in catalogue.categories))
    _unique(file, "venues[{}].id", (venue.id for venue in catalogue.venues))
    _unique(file, "courses[{}].id", (course.id for course in catalogue.courses))
    categories = [category.id for category in catalogue.categories]
    for index, category in enumerate(catalogue.categories):
        if category.parent is not None:
            # Only an earlier category may be the parent: so that there is no circle.
            _known(file, f"categories[{index}].parent", category.parent, categories[:index], "earlier category")
    for index, course in enumerate(catalogue.courses):
        _check_course(facts, f"courses[{index}]", course)
    _check_paths(facts)
    taught = {course.id: course for course in catalogue.courses if course.classes}
    for index, showcase in enumerate(catalogue.showcase_classes):
        _known(file, f"showcase_classes[{index}].course", showcase.course, taught, "course with classes")
        _check_places(facts, f"showcase_classes[{index}]", showcase.minimum, showcase.maximum, taught[showcase.course])
        if showcase.taken > showcase.maximum:
            raise FactsError(file, f"showcase_classes[{index}].taken", "more people than places")
        if showcase.waiting and showcase.taken < showcase.maximum:
            raise FactsError(file, f"showcase_classes[{index}].waiting", "nobody waits while places are free")
    for number, sign_in in enumerate(facts.organisation.sign_ins):
        for index, subject in enumerate(sign_in.subjects):
            _known("organisation.yaml", f"sign_ins[{number}].subjects[{index}]", subject, categories, "category")


def _check_paths(facts: Facts) -> None:
    file, catalogue = "catalogue.yaml", facts.catalogue
    _unique(file, "synonyms[{}].id", (synonyms.id for synonyms in catalogue.synonyms))
    _unique(file, "learning_paths[{}].id", (path.id for path in catalogue.learning_paths))
    courses = {course.id for course in catalogue.courses}
    for index, path in enumerate(catalogue.learning_paths):
        field = f"learning_paths[{index}]"
        _check_owner(facts, file, field, path.owner)
        _known(file, f"{field}.category", path.category, {each.id for each in catalogue.categories}, "category")
        named = [course for section in path.sections for course in section.courses]
        _unique(file, f"{field}.sections, course {{}}", named)
        for course in named:
            _known(file, f"{field}.sections", course, courses, "course")


def _check_course(facts: Facts, field: str, course: CourseFact) -> None:
    file = "catalogue.yaml"
    keys = {competency.key for competency in facts.competencies.competencies}
    posts = facts.organisation.post_names()
    venues = {venue.id for venue in facts.catalogue.venues}
    _check_owner(facts, file, field, course.owner)
    _known(file, f"{field}.category", course.category, {each.id for each in facts.catalogue.categories}, "category")
    for index, key in enumerate(course.awards):
        _known(file, f"{field}.awards[{index}]", key, keys, "competency")
    for name, required in (("after", course.after), ("better_after", course.better_after)):
        for index, key in enumerate(required):
            _known(file, f"{field}.{name}[{index}]", key, keys, "competency")
    for index, post in enumerate(course.only_posts):
        _known(file, f"{field}.only_posts[{index}]", post, posts, "post")
        if post.split(".")[0] not in facts.organisation.headquarters:
            raise FactsError(file, f"{field}.only_posts[{index}]", "must be a post of the headquarters")
    if (course.modes == ["e-learning"]) != (course.classes is None):
        raise FactsError(file, f"{field}.classes", "needed by classroom modes, and only by them")
    if course.classes is None:
        return
    for index, post in enumerate(course.classes.taught_by):
        _known(file, f"{field}.classes.taught_by[{index}]", post, posts, "post")
        if post.split(".")[0] not in facts.organisation.headquarters:
            raise FactsError(file, f"{field}.classes.taught_by[{index}]", "must be a post of the headquarters")
    for index, venue in enumerate(course.classes.venues):
        _known(file, f"{field}.classes.venues[{index}]", venue, venues, "venue")
    if ("classroom" in course.modes) != bool(course.classes.venues):
        raise FactsError(file, f"{field}.classes.venues", "needed by the mode classroom, and only there")
    _check_places(facts, f"{field}.classes", course.classes.minimum, course.classes.maximum, course)


def _check_places(facts: Facts, field: str, minimum: int, maximum: int, course: CourseFact) -> None:
    if minimum > maximum:
        raise FactsError("catalogue.yaml", f"{field}.minimum", "more than maximum")
    places = {venue.id: venue.places for venue in facts.catalogue.venues}
    for venue in course.classes.venues if course.classes else []:
        if places[venue] < maximum:
            raise FactsError("catalogue.yaml", f"{field}.maximum", f"the venue {venue} has only {places[venue]} places")


def _check_people(facts: Facts) -> None:
    file, people = "people.yaml", facts.people
    _unique(file, "first_names, name {}", (name for names in people.first_names for name in names.names))
    _unique(file, "surname_beginnings[{}]", people.surname_beginnings)
    _unique(file, "surname_endings[{}]", people.surname_endings)
    first_names = sum(len(names.names) for names in people.first_names)
    pairs = first_names * len(people.surname_beginnings) * len(people.surname_endings)
    if pairs < NAME_PAIRS:
        raise FactsError(file, "(whole file)", f"makes {pairs} different names; {NAME_PAIRS} are needed")


def _check_rates(facts: Facts) -> None:
    file, training = "history.yaml", facts.history.training
    keys = {competency.key for competency in facts.competencies.competencies}
    for index, key in enumerate(training.development_competencies):
        _known(file, f"training.development_competencies[{index}]", key, keys, "competency")
    if abs(sum(factor.share for factor in training.person_factors) - 1) > 1e-6:
        raise FactsError(file, "training.person_factors", "the shares must add up to 1")
    classes = facts.history.classes
    for name, filled in (("past_filled", classes.past_filled), ("coming_filled", classes.coming_filled)):
        if filled.least > filled.most:
            raise FactsError(file, f"classes.{name}", "least is more than most")
