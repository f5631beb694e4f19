"""An employer's structure and rules, kept in memory by version (architecture §3).

Two version rows decide whether what is in memory still holds: the employer's and the nation's. Reading both is one round trip
of one read unit; only when one has moved is anything else read.
"""

from collections import OrderedDict, defaultdict
from collections.abc import Iterable
from datetime import date
from typing import NamedTuple, TypeVar

from pynamodb.attributes import BooleanAttribute, JSONAttribute, ListAttribute, NumberAttribute, UnicodeAttribute

from chalicelib.domain.catalogue import Catalogue
from chalicelib.domain.competency import ONE_LEVEL, Competency
from chalicelib.domain.people import NATIONAL, Unit
from chalicelib.domain.requirements import RENEWAL_LEADS, Requirement, Rulebook, Target, TargetKind
from chalicelib.storage import catalogue, keys
from chalicelib.storage.base import DayAttribute, Record
from chalicelib.storage.catalogue import Part
from chalicelib.storage.transaction import Transaction

DEFAULT_AMBER_MONTHS = 3


class SettingsRow(Record, discriminator="settings"):
    """`E#504` / `SETTINGS`: what an employer may set."""

    name = UnicodeAttribute()
    amber_months = NumberAttribute(default=DEFAULT_AMBER_MONTHS)
    renewal_leads = JSONAttribute(null=True)
    auto_enrolment = BooleanAttribute(null=True)
    auto_enrol_applicants = BooleanAttribute(null=True)


class VersionRow(Record, discriminator="version"):
    """`E#504` / `RULES` or `CATALOGUE`: a number that every change under it moves."""

    number = NumberAttribute(default=0)


class UnitRow(Record, discriminator="unit"):
    """`E#504` / `UNIT#u`: `parent` is the one from the beginning, `moves` are pairs of a day and the parent from then on."""

    name = UnicodeAttribute()
    parent = UnicodeAttribute(null=True)
    moves = JSONAttribute(null=True)

    @classmethod
    def of(cls, employer: str, unit: Unit) -> "UnitRow":
        """The row of a unit."""
        moves = [[since.isoformat(), parent] for since, parent in unit.moves] or None
        return cls(keys.owner(employer), keys.unit(unit.id), name=unit.name, parent=unit.first_parent, moves=moves)

    def unit(self) -> Unit:
        """The unit of this row."""
        moves = tuple((date.fromisoformat(since), parent) for since, parent in self.moves or ())
        return Unit(self.sk.partition(keys.SEPARATOR)[2], self.name, self.parent, moves)


class NamedRow(Record, discriminator="named"):
    """`E#504` / `JOB#j`, `POS#p`, `GRP#g` or `LGR#g`: something with an id and a name."""

    name = UnicodeAttribute()

    @classmethod
    def of(cls, employer: str, target: Target, name: str) -> "NamedRow":
        """The row that names a job, position, staff group or learner group."""
        return cls(keys.owner(employer), _NAMED[target.kind](target.id), name=name)


_NAMED = {
    TargetKind.JOB: keys.job,
    TargetKind.POSITION: keys.position,
    TargetKind.STAFF_GROUP: keys.staff_group,
    TargetKind.LEARNER_GROUP: keys.learner_group,
}


def settings_row(employer: str, name: str, amber_months: int = DEFAULT_AMBER_MONTHS) -> SettingsRow:
    """The settings of an employer: its name, and how many calendar months before expiry amber begins."""
    return SettingsRow(keys.owner(employer), keys.SETTINGS, name=name, amber_months=amber_months)


def name_employer(transaction: Transaction, employer: str, name: str) -> None:
    """Add to a transaction: the employer's name, leaving its other settings as they are."""
    transaction.update(
        SettingsRow(keys.owner(employer), keys.SETTINGS),
        [SettingsRow.kind.set(SettingsRow), SettingsRow.name.set(name)],
    )


def set_settings(transaction: Transaction, employer: str, amber_months: int, renewal_leads: Iterable[int]) -> None:
    """Add to a transaction: how many calendar months before expiry amber begins, and on which days before it people are reminded.
    Stale if the employer has no settings.
    """
    transaction.update(
        SettingsRow(keys.owner(employer), keys.SETTINGS),
        [SettingsRow.amber_months.set(amber_months), SettingsRow.renewal_leads.set(list(renewal_leads))],
        SettingsRow.pk.exists(),
    )


def set_auto_enrolment(transaction: Transaction, employer: str, on: bool, applicants: bool) -> None:
    """Add to a transaction: whether training is arranged for whoever is due, and for applicants. Stale without settings."""
    transaction.update(
        SettingsRow(keys.owner(employer), keys.SETTINGS),
        [SettingsRow.auto_enrolment.set(on), SettingsRow.auto_enrol_applicants.set(applicants)],
        SettingsRow.pk.exists(),
    )


class CompetencyRow(Record, discriminator="competency"):
    """`E#NHS#FRW` / full name: a competency of a framework. What most of them share is left out, to keep rows small."""

    title = UnicodeAttribute()
    subject = UnicodeAttribute()
    renewal_months = NumberAttribute(null=True)
    levels = ListAttribute(null=True, of=UnicodeAttribute)
    covers = ListAttribute(null=True, of=UnicodeAttribute)
    starts_on = DayAttribute(null=True)
    ends_on = DayAttribute(null=True)

    @classmethod
    def of(cls, owner: str, competency: Competency) -> "CompetencyRow":
        """The row of a competency."""
        return cls(
            keys.framework(owner),
            competency.name,
            title=competency.title,
            subject=competency.subject,
            renewal_months=competency.renewal_months,
            levels=None if competency.levels == ONE_LEVEL else list(competency.levels),
            covers=list(competency.covers) or None,
            starts_on=competency.starts_on,
            ends_on=competency.ends_on,
        )

    def competency(self) -> Competency:
        """The competency of this row."""
        return Competency(
            name=self.sk,
            title=self.title,
            subject=self.subject,
            renewal_months=None if self.renewal_months is None else int(self.renewal_months),
            levels=tuple(map(str, self.levels)) if self.levels else ONE_LEVEL,
            covers=tuple(map(str, self.covers or ())),
            starts_on=self.starts_on,
            ends_on=self.ends_on,
        )


class RequirementRow(Record, discriminator="requirement"):
    """`E#504#REQ` / `UNIT#u#competency#from`; gsi1 finds where a competency is required."""

    minimum_level = NumberAttribute()
    ends_on = DayAttribute(null=True)

    @classmethod
    def of(cls, employer: str, requirement: Requirement) -> "RequirementRow":
        """The row of a requirement."""
        kind, target = requirement.target.kind.value, requirement.target.id
        return cls(
            keys.requirements(employer),
            keys.requirement(kind, target, requirement.competency, requirement.starts_on),
            gsi1pk=keys.requirement_of(requirement.competency),
            gsi1sk=keys.requirement_of_sort(employer, kind, target, requirement.starts_on),
            minimum_level=requirement.minimum_level,
            ends_on=requirement.ends_on,
        )

    def requirement(self) -> Requirement:
        """The requirement of this row."""
        kind, target, competency, starts_on = self.sk.split(keys.SEPARATOR)
        return Requirement(
            Target(TargetKind(kind), target),
            competency,
            int(self.minimum_level),
            date.fromisoformat(starts_on),
            self.ends_on,
        )


def required_anywhere(competency: str) -> list[tuple[str, Requirement]]:
    """The requirements of a competency at every employer, each with its employer. May lag a moment."""
    rows = RequirementRow.gsi1.query(keys.requirement_of(competency))
    return [(row.pk.split(keys.SEPARATOR)[1], row.requirement()) for row in rows if isinstance(row, RequirementRow)]


class Versions(NamedTuple):
    """The versions of rules or catalogue: the employer's and the nation's."""

    own: int
    national: int


MOST_KEPT = 16
"""Employers whose rules and catalogue stay in memory, the last used ones; the nation's part of the catalogue is kept once."""

_rulebooks: OrderedDict[str, Rulebook] = OrderedDict()
_catalogues: OrderedDict[str, Catalogue] = OrderedDict()
_parts: OrderedDict[str, tuple[int, Part]] = OrderedDict()
T = TypeVar("T")


def forget() -> None:
    """Empty the caches (tests, and a function that switches tables)."""
    for each in (_rulebooks, _catalogues, _parts):
        each.clear()


def _keep(cache: "OrderedDict[str, T]", key: str, value: T) -> T:
    """Keep something as what was used last, and let go of what was not used for longest."""
    cache[key] = value
    cache.move_to_end(key)
    if len(cache) > MOST_KEPT:
        cache.popitem(last=False)
    return value


def _versions(employer: str, *kinds: str, consistent: bool = False) -> dict[str, Versions]:
    """The current versions of each kind, by one batch read of the employer's and the nation's rows."""
    wanted = {(keys.owner(owner), kind) for kind in kinds for owner in (employer, NATIONAL)}
    found = {(row.pk, row.sk): int(row.number) for row in VersionRow.batch_get(wanted, consistent_read=consistent)}
    return {
        kind: Versions(
            found.get((keys.owner(employer), kind), 0),
            found.get((keys.owner(NATIONAL), kind), 0),
        )
        for kind in kinds
    }


def rulebook(employer: str) -> Rulebook:
    """The employer's rulebook: one round trip while the version stands, a few more once after it has moved."""
    return _rulebook_at(employer, rulebook_version(employer))


def rulebook_version(employer: str) -> Versions:
    """The versions of an employer's rules: one round trip of one read unit."""
    return _versions(employer, keys.RULES)[keys.RULES]


def versions_now(employer: str) -> Versions:
    """The versions of an employer's rules, strongly consistent: what a projection works under and looks at again afterwards."""
    return _versions(employer, keys.RULES, consistent=True)[keys.RULES]


def rulebook_now(employer: str) -> Rulebook:
    """The employer's rulebook under the version read strongly consistent: what a change is judged by."""
    return rulebook_at(employer, versions_now(employer))


def rulebook_at(employer: str, versions: Versions) -> Rulebook:
    """The rulebook under versions just read: from memory, or read now, in which case it may hold newer rules already."""
    return _rulebook_at(employer, versions)


def rulebook_and_catalogue(employer: str, consistent: bool = False) -> tuple[Rulebook, Catalogue]:
    """The rulebook and the catalogue of an employer, still one round trip when cached."""
    versions = _versions(employer, keys.RULES, keys.CATALOGUE, consistent=consistent)
    return _rulebook_at(employer, versions[keys.RULES]), _catalogue_at(employer, versions[keys.CATALOGUE])


def catalogue_now(employer: str) -> Catalogue:
    """The catalogue under the version read strongly consistent: what a change of it is judged by."""
    return _catalogue_at(employer, _versions(employer, keys.CATALOGUE, consistent=True)[keys.CATALOGUE])


def _rulebook_at(employer: str, versions: Versions) -> Rulebook:
    cached = _rulebooks.get(employer)
    if cached is None or cached.version != versions:
        cached = _read_rulebook(employer, versions)
    return _keep(_rulebooks, employer, cached)


def _catalogue_at(employer: str, versions: Versions) -> Catalogue:
    cached = _catalogues.get(employer)
    if cached is None or cached.version != versions:
        owners = {employer: versions.own, NATIONAL: versions.national}
        cached = catalogue.catalogue_of(versions, *(_part_at(owner, version) for owner, version in owners.items()))
    return _keep(_catalogues, employer, cached)


def _part_at(owner: str, version: int) -> Part:
    cached = _parts.get(owner)
    if cached is None or cached[0] != version:
        cached = version, catalogue.part_of(owner)
    return _keep(_parts, owner, cached)[1]


def _read_rulebook(employer: str, versions: Versions) -> Rulebook:
    """Read all rules. The version was read before them, so rules newer than their label are only ever read again."""
    units: dict[str, Unit] = {}
    names: dict[Target, str] = {}
    amber_months = DEFAULT_AMBER_MONTHS
    renewal_leads: tuple[int, ...] = RENEWAL_LEADS
    automatic = for_applicants = False
    for row in Record.query(keys.owner(employer), consistent_read=True):
        if isinstance(row, UnitRow):
            unit = row.unit()
            units[unit.id] = unit
            names[Target(TargetKind.UNIT, unit.id)] = unit.name
        elif isinstance(row, NamedRow):
            kind, _, named = row.sk.partition(keys.SEPARATOR)
            names[Target(TargetKind(kind), named)] = row.name
        elif isinstance(row, SettingsRow):
            amber_months = DEFAULT_AMBER_MONTHS if row.amber_months is None else int(row.amber_months)
            renewal_leads = RENEWAL_LEADS if row.renewal_leads is None else tuple(row.renewal_leads)
            automatic, for_applicants = bool(row.auto_enrolment), bool(row.auto_enrol_applicants)
            names[Target(TargetKind.EMPLOYER, employer)] = row.name
    requirements: dict[Target, list[Requirement]] = defaultdict(list)
    for row in RequirementRow.query(keys.requirements(employer), consistent_read=True):
        requirement = row.requirement()
        requirements[requirement.target].append(requirement)
    return Rulebook(
        employer=employer,
        version=versions,
        requirements={target: tuple(rules) for target, rules in requirements.items()},
        units=units,
        competencies={each.name: each for owner in (NATIONAL, employer) for each in competencies(owner)},
        amber_months=amber_months,
        renewal_leads=renewal_leads,
        auto_enrolment=automatic,
        auto_enrol_applicants=for_applicants,
        names=names,
    )


def competencies(owner: str) -> Iterable[Competency]:
    """The competencies of an owner's framework."""
    return [row.competency() for row in CompetencyRow.query(keys.framework(owner), consistent_read=True)]


def move_version(transaction: Transaction, owner: str, kind: str, expected: int | None = None) -> None:
    """Add to a transaction: move the version of an owner's rules or catalogue, so that every cache reads them again.

    `expected` makes it conditional on being the next change after that version.
    """
    condition = None
    if expected is not None:
        condition = VersionRow.number == expected if expected else VersionRow.number.does_not_exist()
    transaction.update(VersionRow(keys.owner(owner), kind), [VersionRow.number.add(1)], condition)


class EmployerRow(Record, discriminator="employer"):
    """`EMPLOYERS` / `E#504`: an employer that uses the service."""

    @classmethod
    def of(cls, employer: str) -> "EmployerRow":
        """The row of an employer."""
        return cls(keys.EMPLOYERS, keys.owner(employer))


def list_employer(transaction: Transaction, employer: str) -> None:
    """Add to a transaction: the employer on the list of all, so that daily and weekly runs find it."""
    transaction.put(EmployerRow.of(employer))


def employers() -> list[str]:
    """Every employer that uses the service."""
    rows = EmployerRow.query(keys.EMPLOYERS, consistent_read=True)
    return [str(row.sk.partition(keys.SEPARATOR)[2]) for row in rows]
