"""Awards: competencies held."""

from datetime import date

from pynamodb.attributes import BooleanAttribute, NumberAttribute, UnicodeAttribute

from chalicelib.domain.competency import Award, Origin
from chalicelib.storage import keys
from chalicelib.storage.base import DayAttribute, Record


class AwardRow(Record, discriminator="award"):
    """`P#p` / `E#504#AWD#competency#date#source`. Competency, day and source are read from the key, to keep rows small."""

    level = NumberAttribute()
    expires_on = DayAttribute(null=True)
    origin = UnicodeAttribute()
    void = BooleanAttribute(null=True)

    @classmethod
    def of(cls, person_id: str, employer: str, award: Award) -> "AwardRow":
        """The row of an award."""
        return cls(
            keys.person(person_id),
            keys.award(employer, award.competency, award.awarded_on, award.source),
            level=award.level,
            expires_on=award.expires_on,
            origin=award.origin.value,
            void=award.void or None,
        )

    def award(self) -> Award:
        """The award of this row."""
        *_, competency, awarded_on, source = self.sk.split(keys.SEPARATOR)
        return Award(
            competency,
            int(self.level),
            date.fromisoformat(awarded_on),
            self.expires_on,
            Origin(self.origin),
            source,
            bool(self.void),
        )
