"""A mistake in the fact files is refused with the file and the field."""

import shutil
from datetime import date
from pathlib import Path

import pytest

from infrastructure.demo.plan import plan_trust
from infrastructure.demo.reading import FACTS_FOLDER, FactsError, load_facts


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(FACTS_FOLDER, tmp_path / "facts"))


@pytest.mark.parametrize(
    ("file", "old", "new", "field", "reason"),
    [
        ("competencies.yaml", "renewal_years: 3}", "renewal_years: three}", "competencies[0].renewal_years", "int"),
        (
            "competencies.yaml",
            "renewal_years: 3}",
            "renewal_year: 3}",
            "competencies[0]",
            "unknown field `renewal_year`",
        ),
        ("competencies.yaml", "key: equality", "key: conflict", "competencies[1].key", "already used"),
        ("competencies.yaml", "owner: NHS", "owner: 457", "competencies[0].owner", "Expected `str`"),
        ("competencies.yaml", "owner: NHS", 'owner: "457"', "competencies[0].owner", "not '457'"),
        ("competencies.yaml", "framework: CSTF", "framework: LOCAL", "competencies[0].framework", "employer's own"),
        ("competencies.yaml", "competencies:", "competences:", "(top level)", "unknown field"),
        ("competencies.yaml", "{key: conflict", "{key: [conflict", "line", "not valid YAML"),
        ("organisation.yaml", "puddlewick.nhs.invalid", "nhs.net", "employer.email_domain", ".invalid"),
        ("organisation.yaml", 'code: "504"', 'code: "trust"', "employer.code", "regex"),
        ("organisation.yaml", "staff_group: AC}", "staff_group: XX}", "jobs[0].staff_group", "'XX'"),
        ("organisation.yaml", "division: COR", "division: NOWHERE", "department_kinds[0].division", "'NOWHERE'"),
        ("organisation.yaml", "directs: MED", "directs: SUR", "divisions[1]", "0 posts direct it"),
        ("organisation.yaml", "  - works", "  - moon", "growth[25]", "'moon'"),
        ("organisation.yaml", "post: learning.LAD", "post: learning.XXX", "sign_ins[1].post", "'learning.XXX'"),
        ("organisation.yaml", "least: 13, most: 25", "least: 26, most: 25", "department_staff", "decrease"),
        (
            "requirements.yaml",
            "[conflict, equality",
            "[conflict, equalty",
            "requirements[0].competencies[1]",
            "'equalty'",
        ),
        ("competencies.yaml", "covers: [children-1", "covers: [child-1", "competencies[25].covers[0]", "'child-1'"),
        ("requirements.yaml", "post: adult-ward.WM", "post: adult-ward.XX", "exemptions[0].post", "'adult-ward.XX'"),
        ("requirements.yaml", "competency: moving-2", "competency: moving", "exemptions[0].competency", "'moving'"),
        ("requirements.yaml", "of: [AC]", "of: [ACX]", "requirements[2].of[0]", "'ACX'"),
        ("requirements.yaml", "target: employer\n", "target: planet\n", "requirements[0].target", "planet"),
        ("requirements.yaml", "every: 70", "of: [nurses]", "every", "person"),
        ("catalogue.yaml", "category: conflict", "category: peace", "courses[0].category", "'peace'"),
        ("catalogue.yaml", "awards: [conflict]", "awards: [calm]", "courses[0].awards[0]", "'calm'"),
        ("catalogue.yaml", "minutes: 40", "minutes: 0", "courses[0].minutes", ">= 5"),
        ("catalogue.yaml", "parent: statutory", "parent: sundry", "categories[1].parent", "'sundry'"),
        ("catalogue.yaml", "maximum: 12, venues: [handling", "maximum: 13, venues: [handling", "maximum", "12 places"),
        ("catalogue.yaml", "    after: [children-2]", "    after: [children]", "courses[", "'children'"),
        ("catalogue.yaml", "[sepsis, falls]", "[sepsis, fall]", "learning_paths[0].sections", "'fall'"),
        ("catalogue.yaml", "[sepsis, falls]", "[sepsis, adult-bls]", "learning_paths[0].sections", "already used"),
        ("catalogue.yaml", "{id: handling, words", "{id: cpr, words", "synonyms[1].id", "already used"),
        ("catalogue.yaml", "taken: 4", "taken: 5", "showcase_classes[0].taken", "more people than places"),
        ("people.yaml", "Acorn, Biscuit,", "Acorn, Acorn,", "surname_beginnings[1]", "already used"),
        ("history.yaml", "applicants: 0.03", "applicants: 3", "staff.applicants", "<= 1.0"),
        ("history.yaml", "share: 0.55", "share: 0.5", "training.person_factors", "add up to 1"),
    ],
)
def test_a_mistake_is_named(folder: Path, file: str, old: str, new: str, field: str, reason: str) -> None:
    text = (folder / file).read_text()
    assert old in text, "the test no longer fits the facts"
    (folder / file).write_text(text.replace(old, new, 1))
    with pytest.raises(FactsError) as refused:
        load_facts(folder)
    assert refused.value.file == file
    assert field in refused.value.field
    assert reason in refused.value.reason
    assert str(refused.value) == f"{file}: {refused.value.field}: {refused.value.reason}"


def test_a_missing_file_is_named(folder: Path) -> None:
    (folder / "people.yaml").unlink()
    with pytest.raises(FactsError, match=r"^people\.yaml: \(whole file\): cannot be read"):
        load_facts(folder)


def test_an_empty_file_is_named(folder: Path) -> None:
    (folder / "history.yaml").write_text("")
    with pytest.raises(FactsError, match=r"^history\.yaml: "):
        load_facts(folder)


def test_names_too_few_for_the_largest_trust_are_refused(folder: Path) -> None:
    (folder / "people.yaml").write_text(
        "first_names: [{title: Ms, names: [Ada]}]\nsurname_beginnings: [Acorn]\nsurname_endings: [wick]\n"
    )
    with pytest.raises(FactsError, match="30000 are needed"):
        load_facts(folder)


def test_a_trust_may_replace_the_facts_with_its_own(folder: Path) -> None:
    for file in folder.iterdir():
        file.write_text(file.read_text().replace('"504"', '"457"'))
    trust = plan_trust(100, today=date(2026, 11, 23), facts=load_facts(folder))
    assert trust.employer_code == "457"
    assert trust.organisation.units[0].id == "457"
    assert "457|LOCAL|Trust Welcome Day - No Specified Renewal|" in {each.name for each in trust.framework.competencies}
