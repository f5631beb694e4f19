"""Who may do what: the matrix of domain.md §10 as one table.

Roles come from two places. Learning administrator, class administrator, instructor, national administrator and
workforce feed are *grants*, kept per person and employer and revocable at once. Employee, applicant and external learner
follow from the employment; manager follows from supervising somebody's assignment.
"""

from enum import StrEnum

from chalicelib.domain.people import EmploymentKind


class Role(StrEnum):
    """A responsibility profile (URP)."""

    NATIONAL_ADMINISTRATOR = "national_administrator"
    LEARNING_ADMINISTRATOR = "learning_administrator"
    CLASS_ADMINISTRATOR = "class_administrator"
    INSTRUCTOR = "instructor"
    WORKFORCE_FEED = "workforce_feed"
    EMPLOYEE = "employee"
    MANAGER = "manager"
    EXTERNAL_LEARNER = "external_learner"
    APPLICANT = "applicant"


GRANTABLE = frozenset(
    {
        Role.NATIONAL_ADMINISTRATOR,
        Role.LEARNING_ADMINISTRATOR,
        Role.CLASS_ADMINISTRATOR,
        Role.INSTRUCTOR,
        Role.WORKFORCE_FEED,
    }
)
"""Roles that are granted; the others follow from employments and assignments."""

ROLE_OF_EMPLOYMENT = {
    EmploymentKind.EMPLOYEE: Role.EMPLOYEE,
    EmploymentKind.APPLICANT: Role.APPLICANT,
    EmploymentKind.EXTERNAL: Role.EXTERNAL_LEARNER,
}


class Scope(StrEnum):
    """How far a permission reaches: nothing, one's own record, one's own classes, one's team, one's subjects, the employer.

    NATIONAL reaches what belongs to the nation, which is what is done at the owner NHS, and nothing of an employer's.
    """

    DENY = "deny"
    OWN = "own"
    OWN_CLASSES = "own classes"
    TEAM = "team"
    SUBJECT = "subject"
    NATIONAL = "national items"
    ALLOW = "allow"


class Capability(StrEnum):
    """What a route lets somebody do; one row of the matrix of domain.md §10."""

    EDIT_CATALOGUE = "edit catalogue"
    EDIT_CLASSES = "create, copy and schedule classes"
    EDIT_ENROLMENTS = "add, update and remove enrolments"
    UPDATE_STATUS = "update status of existing learners"
    SELF_ENROL = "self-enrol and withdraw"
    FIND_LEARNING = "search the catalogue"
    PLAY_ELEARNING = "play e-learning"
    VIEW_COMPLIANCE = "view compliance"
    VIEW_HISTORY = "view learning history"
    ADD_EXTERNAL_TRAINING = "add external training"
    APPROVE_REQUESTS = "approve requests"
    VIEW_CALENDAR = "view calendar"
    EDIT_LEARNING_RULES = "edit access, prerequisites, certifications and auto settings"
    EDIT_FRAMEWORK = "edit competencies"
    EDIT_COMPETENCE_RULES = "edit requirements, structure, settings and transfers"
    EDIT_AWARDS = "record awards and exemptions"
    MODERATE_FORUMS = "moderate chats and forums"
    NOTIFY = "notify"
    VIEW_DASHBOARD = "view the Learning Dashboard"
    VIEW_REPORTS = "view reports"
    FIND_LEARNERS = "search for learners"
    READ_INBOX = "read one's own notifications"
    VIEW_PROFILE = "see who one is"
    GRANT_ROLES = "grant, list and revoke roles"
    FEED_WORKFORCE = "send joiners, movers and leavers"
    FOLLOW_JOBS = "follow long work"
    FOLLOW_MESSAGES = "see what became of messages"


_COLUMNS = (
    Role.LEARNING_ADMINISTRATOR,
    Role.CLASS_ADMINISTRATOR,
    Role.INSTRUCTOR,
    Role.EMPLOYEE,
    Role.MANAGER,
    Role.EXTERNAL_LEARNER,
    Role.APPLICANT,
    Role.NATIONAL_ADMINISTRATOR,
    Role.WORKFORCE_FEED,
)

_LETTERS = {
    "-": Scope.DENY,
    "O": Scope.OWN,
    "K": Scope.OWN_CLASSES,
    "T": Scope.TEAM,
    "S": Scope.SUBJECT,
    "N": Scope.NATIONAL,
    "Y": Scope.ALLOW,
}

# Columns: LA CA LI Employee Manager External Applicant | National administrator, workforce feed (ours).
# The last eight rows are ours: Learner Search belongs to the Learning Dashboard, and everybody may search the catalogue, read
# their messages and see who they are. "Competencies, requirements, transfers" of §10 are three, since only frameworks have
# national items.
_TABLE = {
    Capability.EDIT_CATALOGUE: "Y - - - - - - N -",
    Capability.EDIT_CLASSES: "Y S - - - - - N -",
    Capability.EDIT_ENROLMENTS: "Y S - - T - - - -",
    Capability.UPDATE_STATUS: "Y S K - - - - - -",
    Capability.SELF_ENROL: "- - - O O O O - -",
    Capability.PLAY_ELEARNING: "- - - O O O O - -",
    Capability.VIEW_COMPLIANCE: "Y Y - O T O O - -",
    Capability.VIEW_HISTORY: "Y Y K O T O O - -",
    Capability.ADD_EXTERNAL_TRAINING: "Y - - O T O O - -",
    Capability.APPROVE_REQUESTS: "Y - - - T - - - -",
    Capability.VIEW_CALENDAR: "Y S K O T O O - -",
    Capability.EDIT_LEARNING_RULES: "Y - - - - - - N -",
    Capability.EDIT_FRAMEWORK: "Y - - - - - - N -",
    Capability.EDIT_COMPETENCE_RULES: "Y - - - - - - - -",
    Capability.EDIT_AWARDS: "Y - - - - - - - -",
    Capability.MODERATE_FORUMS: "Y - Y - - - - - -",
    Capability.NOTIFY: "Y S K - T - - - -",
    Capability.VIEW_DASHBOARD: "Y Y Y - - - - - -",
    Capability.VIEW_REPORTS: "Y S S - T - - - -",
    Capability.FIND_LEARNING: "Y Y Y Y Y Y Y Y -",
    Capability.FIND_LEARNERS: "Y Y Y - - - - - -",
    Capability.READ_INBOX: "O O O O O O O O -",
    Capability.VIEW_PROFILE: "O O O O O O O O O",
    Capability.GRANT_ROLES: "Y - - - - - - Y -",
    Capability.FEED_WORKFORCE: "Y - - - - - - - Y",
    Capability.FOLLOW_JOBS: "Y - - - - - - - -",
    Capability.FOLLOW_MESSAGES: "Y - - - - - - - -",
}

MATRIX: dict[Capability, dict[Role, Scope]] = {
    capability: dict(zip(_COLUMNS, (_LETTERS[letter] for letter in row.split()), strict=True))
    for capability, row in _TABLE.items()
}


def scopes(capability: Capability, roles: frozenset[Role]) -> frozenset[Scope]:
    """How far the roles together reach for a capability; empty if they do not reach at all."""
    row = MATRIX[capability]
    return frozenset(row[role] for role in roles) - {Scope.DENY}
