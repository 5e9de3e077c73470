"""What is held or refused right now: for the floors above, which keep its points and rewards back."""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.core.bulk import is_among
from amplify.fraud.models import IN_FORCE, RiskCase


@dataclass
class Holds:
    """Of one advocate: everything ("held" or "refused"), the clicks of some days, some orders."""

    whole: str | None = None
    days: set[str] = field(default_factory=set)
    orders: set[int] = field(default_factory=set)

    def cover_click(self, at: datetime) -> bool:
        """Whether a human click of that time is held."""
        return self.whole is not None or at.date().isoformat() in self.days

    def cover_order(self, conversion_id: int) -> bool:
        """Whether an order is held."""
        return self.whole is not None or conversion_id in self.orders


def in_force(session: Session, advocate_ids: Collection[int]) -> dict[int, Holds]:
    """The holds of those of these advocates who have any."""
    mine = is_among(session, RiskCase.advocate_id, advocate_ids), RiskCase.state.in_(IN_FORCE)
    columns = sa.select(RiskCase.advocate_id, RiskCase.kind, RiskCase.state, RiskCase.day, RiskCase.conversion_id)
    found: dict[int, Holds] = {}
    for advocate_id, kind, state, day, conversion_id in session.execute(columns.where(*mine)):
        holds = found.setdefault(advocate_id, Holds())
        if kind == "advocate":
            holds.whole = state
        elif kind == "day":
            holds.days.add(day)
        elif conversion_id is not None:
            holds.orders.add(conversion_id)
    return found


def wholly(session: Session, advocate_ids: Collection[int]) -> dict[int, str]:
    """Those of these advocates who are held or refused as a whole, and which of both."""
    return {who: holds.whole for who, holds in in_force(session, advocate_ids).items() if holds.whole}


def is_whole(advocate_id: sa.ColumnElement[int] | sa.orm.InstrumentedAttribute[int]) -> sa.Exists:
    """The condition, for a query, that an advocate is held or refused as a whole."""
    whole = RiskCase.kind == "advocate", RiskCase.state.in_(IN_FORCE)
    return sa.exists().where(RiskCase.advocate_id == advocate_id, *whole)
