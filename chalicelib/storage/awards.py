"""Awards: competencies held. And exemptions: what somebody need not hold for a while."""

from dataclasses import replace
from datetime import date

from pynamodb.attributes import BooleanAttribute, NumberAttribute, UnicodeAttribute

from chalicelib.domain.competency import Award, Origin, Voided
from chalicelib.domain.exemptions import Granted
from chalicelib.domain.requirements import Exemption
from chalicelib.storage import keys
from chalicelib.storage.base import DayAttribute, InstantAttribute, Record
from chalicelib.storage.transaction import Transaction


class AwardRow(Record, discriminator="award"):
    """`P#p` / `E#504#AWD#competency#date#source`. Competency, day and source are read from the key, to keep rows small.

    A void award says why, by whom and when; it is never deleted (domain.md §3).
    """

    level = NumberAttribute()
    expires_on = DayAttribute(null=True)
    origin = UnicodeAttribute()
    void = BooleanAttribute(null=True)
    void_reason = UnicodeAttribute(null=True)
    voided_by = UnicodeAttribute(null=True)
    voided_at = InstantAttribute(null=True)

    @classmethod
    def of(cls, person_id: str, employer: str, award: Award) -> "AwardRow":
        """The row of an award."""
        voided = award.voided
        return cls(
            keys.person(person_id),
            keys.award(employer, award.competency, award.awarded_on, award.source),
            level=award.level,
            expires_on=award.expires_on,
            origin=award.origin.value,
            void=award.void or None,
            void_reason=voided.reason if voided else None,
            voided_by=voided.by if voided else None,
            voided_at=voided.at if voided else None,
        )

    def award(self) -> Award:
        """The award of this row."""
        row = self.attribute_values  # a quarter of the time that `self.level` takes: somebody has 60 awards
        *_, competency, awarded_on, source = row["sk"].split(keys.SEPARATOR)
        voided = Voided(self.void_reason, self.voided_by, self.voided_at) if "voided_at" in row else None
        return Award(
            competency,
            int(row["level"]),
            date.fromisoformat(awarded_on),
            row.get("expires_on"),
            Origin(row["origin"]),
            source,
            bool(row.get("void")),
            voided,
        )


def void(transaction: Transaction, person_id: str, employer: str, award: Award) -> None:
    """Add to a transaction: an award that was not void becomes so, for the reason it holds now."""
    transaction.replace(AwardRow.of(person_id, employer, award), AwardRow.pk.exists() & AwardRow.void.does_not_exist())


class ExemptionRow(Record, discriminator="exemption"):
    """`P#p` / `E#504#EXM#competency#from`."""

    reason = UnicodeAttribute()
    ends_on = DayAttribute()
    granted_by = UnicodeAttribute()
    granted_at = InstantAttribute()

    @classmethod
    def of(cls, person_id: str, employer: str, granted: Granted) -> "ExemptionRow":
        """The row of an exemption."""
        exemption = granted.exemption
        return cls(
            keys.person(person_id),
            keys.exemption(employer, exemption.competency, exemption.starts_on),
            reason=exemption.reason,
            ends_on=exemption.ends_on,
            granted_by=granted.by,
            granted_at=granted.at,
        )

    def exemption(self) -> Exemption:
        """The exemption of this row."""
        *_, competency, starts_on = self.sk.split(keys.SEPARATOR)
        return Exemption(competency, self.reason, date.fromisoformat(starts_on), self.ends_on)

    def granted(self) -> Granted:
        """The exemption of this row, with who granted it and when."""
        return Granted(self.exemption(), self.granted_by, self.granted_at)


def exemptions(person_id: str, employer: str, consistent: bool = False) -> list[Granted]:
    """A person's exemptions at an employer, by competency and first day: one short query."""
    beginning = ExemptionRow.sk.startswith(keys.exemptions(employer))
    return [row.granted() for row in ExemptionRow.query(keys.person(person_id), beginning, consistent_read=consistent)]


def exempt(transaction: Transaction, person_id: str, employer: str, granted: Granted) -> None:
    """Add to a transaction: an exemption of a competency from a day on which none begins yet."""
    transaction.create(ExemptionRow.of(person_id, employer, granted))


def end_exemption(
    transaction: Transaction, person_id: str, employer: str, before: Granted, after: Exemption | None
) -> None:
    """Add to a transaction: an exemption with another last day, or gone, on condition that it still is as it was read."""
    unchanged = ExemptionRow.ends_on == before.exemption.ends_on
    if after is None:
        transaction.delete(ExemptionRow.of(person_id, employer, before), unchanged)
    else:
        transaction.replace(ExemptionRow.of(person_id, employer, replace(before, exemption=after)), unchanged)
