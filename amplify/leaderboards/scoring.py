"""The rules a brand's standings are folded with: what they are now, and what the brand wishes them to be."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.brands.models import Brand
from amplify.core import clock
from amplify.core.bulk import insert_ignore
from amplify.core.prepared import Prepared
from amplify.leaderboards.decided import COUNTS_AS
from amplify.leaderboards.models import Scoring


class Rules(NamedTuple):
    """Half-life in days, milli-points per cause, and who stands first of equals."""

    half_life_days: float
    weights: Mapping[str, Any]
    tie_rule: str

    def milli_points(self, cause: str, given: int) -> int:
        """What an entry counts: the weight of what its cause counts as; `given`, if there is none."""
        weight = self.weights.get(COUNTS_AS.get(cause, cause))
        return given if weight is None else max(0, int(weight))

    def worth_of(self, entry: Any) -> sa.ColumnElement[int]:
        """The same for a query, of the rows of PointsEntry or of an alias of it."""
        causes = {*self.weights, *(restored for restored, cause in COUNTS_AS.items() if cause in self.weights)}
        known = [(entry.cause == cause, self.milli_points(cause, 0)) for cause in sorted(causes)]
        return sa.case(*known, else_=entry.milli_points) if known else entry.milli_points.expression


class Edition(NamedTuple):
    """The boards and days of a brand that were made by one set of rules."""

    id: int
    brand_id: int
    rules: Rules


# Columns, not the object: every board that is read asks for them.
_RULES = tuple(getattr(Scoring, name) for name in Rules._fields)
IS_SHOWN = sa.and_(Scoring.since.is_not(None), Scoring.until.is_(None))
_NOW = Prepared(
    sa.select(Scoring.id, *_RULES).where(Scoring.brand_id == sa.bindparam("brand", type_=sa.BigInteger), IS_SHOWN)
)


def wished(brand: Brand) -> Rules:
    """As the brand wants it to be."""
    return Rules(brand.half_life_days, dict(brand.weights), brand.tie_rule)


def in_force(session: Session, brand_id: int) -> Rules:
    """As the standings are folded now; what the brand wishes, while nothing has been folded."""
    found = shown(session, brand_id)
    return found.rules if found else wished(session.get_one(Brand, brand_id))


def shown(session: Session, brand_id: int) -> Edition | None:
    """The edition that everybody sees; None while nothing has been folded."""
    found = _NOW.rows(session, {"brand": brand_id})
    return Edition(found[0][0], brand_id, Rules(*found[0][1:])) if found else None


def begin(session: Session, brand_id: int) -> Edition:
    """The edition to fold into: the one that is shown, which the first fold makes, as the brand wishes it."""
    found = shown(session, brand_id)
    if found is None:
        rules = wished(session.get_one(Brand, brand_id))
        insert_ignore(session, Scoring, [{"brand_id": brand_id, **rules._asdict(), "since": clock.now()}])
        found = shown(session, brand_id)
    if found is None:
        raise RuntimeError("it was there or has just been made")
    return found


def shown_id(brand_id: int) -> sa.ScalarSelect[int]:
    """The id of the edition that everybody sees, for a condition."""
    return sa.select(Scoring.id).where(Scoring.brand_id == brand_id, IS_SHOWN).scalar_subquery()
