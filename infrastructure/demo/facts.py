"""The facts the demo trust is made from: one struct for each record of the YAML files beside this module."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Text = Annotated[str, Meta(min_length=1, max_length=300)]
Key = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9-]{0,39}$")]
PostName = Annotated[str, Meta(pattern=r"^[A-Za-z0-9-]+\.[A-Za-z0-9-]+$", description="kind.POST")]
Share = Annotated[float, Meta(ge=0, le=1)]
Factor = Annotated[float, Meta(ge=0)]
Count = Annotated[int, Meta(ge=0)]
Positive = Annotated[int, Meta(ge=1)]

Mode = Literal["e-learning", "classroom", "online classroom"]
Role = Literal[
    "national administrator",
    "learning administrator",
    "class administrator",
    "instructor",
    "workforce feed",
    "manager",
    "employee",
    "applicant",
    "external learner",
]


# The largest trust that can be planned.
MOST_STAFF = 10_000


class Fact(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Base of every record in the files: unknown fields are mistakes, not extras."""


# --- organisation.yaml ------------------------------------------------------------------------------------------------


class Employer(Fact, frozen=True):
    """The trust: its numeric code, its name and the domain of its e-mail addresses."""

    code: Annotated[str, Meta(pattern=r"^[0-9]{3}$")]
    name: Text
    email_domain: Text


class StaffGroupFact(Fact, frozen=True):
    """A national staff group; `person_title` is how its members are addressed (Dr), if not by their own title."""

    id: Key
    name: Text
    person_title: str | None = None


class JobFact(Fact, frozen=True):
    """A job role and the staff group it belongs to."""

    id: Key
    title: Text
    staff_group: str


class DivisionFact(Fact, frozen=True):
    """A part of the trust below the employer."""

    id: Key
    name: Text


class StaffRange(Fact, frozen=True):
    """Staff of one department: drawn between `least` and `most`, stretched to `limit` for the last few people."""

    least: Positive
    most: Positive
    limit: Positive


class PostFact(Fact, frozen=True):
    """A post of a kind of department: `count` places first, then a share of the rest by `weight`."""

    id: Key
    title: Text
    job: str
    count: Count = 0
    weight: Count = 0
    directs: str | None = None


class DepartmentKind(Fact, frozen=True):
    """What a department of this kind is called and which posts it has; the first post manages it."""

    id: Key
    division: str
    names: Annotated[list[Text], Meta(min_length=1)]
    posts: Annotated[list[PostFact], Meta(min_length=1)]


class SignInFact(Fact, frozen=True):
    """A role to try: the first holder of a post, or the first person of that kind."""

    role: Role
    post: PostName | None = None
    subjects: list[str] = []


class OrganisationFacts(Fact, frozen=True):
    """organisation.yaml."""

    employer: Employer
    staff_groups: list[StaffGroupFact]
    jobs: list[JobFact]
    divisions: list[DivisionFact]
    department_staff: StaffRange
    department_kinds: list[DepartmentKind]
    headquarters: Annotated[list[str], Meta(min_length=1)]
    growth: Annotated[list[str], Meta(min_length=1)]
    sign_ins: list[SignInFact]

    def post_names(self) -> list[str]:
        """Every post as kind.POST."""
        return [f"{kind.id}.{post.id}" for kind in self.department_kinds for post in kind.posts]


# --- competencies.yaml ------------------------------------------------------------------------------------------------


class CompetencyFact(Fact, frozen=True):
    """The parts of a competency's name; no `renewal_years` means that it is never renewed. `covers`: counts for those, too."""

    key: Key
    owner: Text
    framework: Literal["CSTF", "MAND", "LOCAL"]
    subject: Text
    level: Positive | None = None
    detail: str | None = None
    renewal_years: Positive | None = None
    covers: list[str] = []


class CompetencyFacts(Fact, frozen=True):
    """competencies.yaml."""

    competencies: list[CompetencyFact]


# --- requirements.yaml ------------------------------------------------------------------------------------------------


class LearnerGroupFact(Fact, frozen=True):
    """A group that external learners are dealt to."""

    id: Key
    name: Text


class RequirementFact(Fact, frozen=True):
    """Competencies needed by a target, in force since so many months ago (negative: in so many months)."""

    target: Literal["employer", "division", "department kind", "staff group", "job", "post", "learner group", "person"]
    competencies: Annotated[list[str], Meta(min_length=1)]
    since_months: int
    of: list[str] = []
    every: Positive | None = None


class ExemptionFact(Fact, frozen=True):
    """The first holder of a post need not hold a competency for so many days more."""

    post: PostName
    competency: str
    days: Positive
    reason: Text


class RequirementFacts(Fact, frozen=True):
    """requirements.yaml."""

    learner_groups: list[LearnerGroupFact]
    requirements: list[RequirementFact]
    exemptions: list[ExemptionFact] = []


# --- catalogue.yaml ---------------------------------------------------------------------------------------------------


class CategoryFact(Fact, frozen=True):
    """A subject of the catalogue, perhaps under another."""

    id: Key
    title: Text
    parent: str | None = None


class VenueFact(Fact, frozen=True):
    """A room, how many people it takes, and where it is."""

    id: Key
    name: Text
    places: Positive
    address: str = ""


class SynonymsFact(Fact, frozen=True):
    """Words that mean the same to whoever searches."""

    id: Key
    words: Annotated[list[Text], Meta(min_length=2)]


class ClassesFact(Fact, frozen=True):
    """Regular classes of a course: `per_week` for every 500 staff, with fewest and most places."""

    per_week: Factor
    minimum: Positive
    maximum: Positive
    taught_by: Annotated[list[PostName], Meta(min_length=1)]
    venues: list[str] = []


class CourseFact(Fact, frozen=True):
    """A course; the comment at the head of catalogue.yaml explains every field."""

    id: Key
    owner: Text
    title: Text
    category: str
    modes: Annotated[list[Mode], Meta(min_length=1)]
    awards: list[str]
    minutes: Annotated[int, Meta(ge=5, le=480)]
    description: Text
    joining: str = ""
    search_words: list[str] = []
    access: Literal["self-enrol", "approval"] = "self-enrol"
    only_posts: list[PostName] = []
    after: list[str] = []
    better_after: list[str] = []
    classes: ClassesFact | None = None


class SectionFact(Fact, frozen=True):
    """A part of a learning path."""

    title: Text
    courses: Annotated[list[str], Meta(min_length=1)]


class PathFact(Fact, frozen=True):
    """A learning path: courses in the order in which they are best taken."""

    id: Key
    owner: Text
    title: Text
    category: str
    description: Text
    sections: Annotated[list[SectionFact], Meta(min_length=1)]


class ShowcaseClassFact(Fact, frozen=True):
    """A class with a given number of people Confirmed (`taken`) and Waitlisted (`waiting`), about `in_days` ahead.

    `asking`: so many of the manager's team have asked for a place. One of days gone by (negative) was held and not yet marked.
    """

    course: str
    minimum: Positive
    maximum: Positive
    taken: Count
    waiting: Count
    in_days: int
    status: Literal["Planned", "Normal", "Cancelled"] = "Normal"
    asking: Count = 0
    by_need: bool = False


class CatalogueFacts(Fact, frozen=True):
    """catalogue.yaml."""

    categories: list[CategoryFact]
    venues: list[VenueFact]
    synonyms: list[SynonymsFact]
    courses: list[CourseFact]
    learning_paths: list[PathFact]
    showcase_classes: list[ShowcaseClassFact]


# --- people.yaml ------------------------------------------------------------------------------------------------------


class FirstNames(Fact, frozen=True):
    """First names that go with a form of address."""

    title: Text
    names: Annotated[list[Text], Meta(min_length=1)]


class PeopleFacts(Fact, frozen=True):
    """Names put together from parts; together they must make NAME_PAIRS different people."""

    first_names: Annotated[list[FirstNames], Meta(min_length=1)]
    surname_beginnings: Annotated[list[Text], Meta(min_length=1)]
    surname_endings: Annotated[list[Text], Meta(min_length=1)]


# --- history.yaml -----------------------------------------------------------------------------------------------------


class StaffRates(Fact, frozen=True):
    """How the staff is made up: `service_years` in years, the others as shares."""

    service_years: Annotated[float, Meta(gt=0)]
    fixed_term: Share
    second_assignment: Share
    applicants: Share
    external_learners: Share


class PersonFactor(Fact, frozen=True):
    """A share of the people, and how often they fall behind."""

    share: Share
    factor: Factor


class TrainingRates(Fact, frozen=True):
    """What people have achieved; the comments of history.yaml explain each rate."""

    red: Share
    department_factors: Annotated[list[Factor], Meta(min_length=1)]
    person_factors: Annotated[list[PersonFactor], Meta(min_length=1)]
    classroom_factor: Factor
    newcomer_factor: Factor
    newcomer_days: Positive
    never: Share
    overdue_days: Positive
    transferred: Share
    earlier: Share
    development: Share
    development_competencies: list[str]


class Filled(Fact, frozen=True):
    """Bounds of the share of places given out."""

    least: Share
    most: Share


class ClassRates(Fact, frozen=True):
    """What becomes of places: spans in weeks, the others as shares."""

    past_weeks: Positive
    coming_weeks: Positive
    past_filled: Filled
    coming_filled: Filled
    did_not_attend: Share
    not_completed: Share
    requested: Share
    withdrawn: Share


class HistoryFacts(Fact, frozen=True):
    """history.yaml."""

    staff: StaffRates
    training: TrainingRates
    classes: ClassRates


class Facts(msgspec.Struct, frozen=True):
    """All files together, checked against each other."""

    organisation: OrganisationFacts
    competencies: CompetencyFacts
    requirements: RequirementFacts
    catalogue: CatalogueFacts
    people: PeopleFacts
    history: HistoryFacts
