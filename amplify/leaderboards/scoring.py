"""The rules a brand's standings are folded with: what they are now, and what the brand wishes them to be."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.brands.models import Brand
from amplify.core import clock
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


# Columns, not the object: every board that is read asks for them.
_NOW = Prepared(
    sa.select(Scoring.half_life_days, Scoring.weights, Scoring.tie_rule).where(
        Scoring.brand_id == sa.bindparam("brand", type_=sa.BigInteger)
    )
)


def wished(brand: Brand) -> Rules:
    """As the brand wants it from the next rebuild on."""
    return Rules(brand.half_life_days, dict(brand.weights), brand.tie_rule)


def in_force(session: Session, brand_id: int) -> Rules:
    """As the standings are folded now; what the brand wishes, while nothing has been folded."""
    return _now(session, brand_id) or wished(session.get_one(Brand, brand_id))


def begin(session: Session, brand_id: int) -> Rules:
    """The rules to fold with: those in force, which the first fold sets."""
    return _now(session, brand_id) or enforce(session, session.get_one(Brand, brand_id))


def _now(session: Session, brand_id: int) -> Rules | None:
    found = _NOW.rows(session, {"brand": brand_id})
    return Rules(*found[0]) if found else None


def enforce(session: Session, brand: Brand) -> Rules:
    """The brand's wishes become the rules: by a rebuild, in its transaction."""
    rules = wished(brand)
    session.merge(Scoring(brand_id=brand.id, **rules._asdict(), since=clock.now()))
    session.flush()
    return rules
