"""What is held or refused right now: for the floors above, which keep its points and rewards back."""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.core.bulk import is_among
from amplify.fraud.models import IN_FORCE, RiskCase


@dataclass
class Holds:
    """Of one advocate: everything ("held" or "refused"), some orders, and the clicks of some days but for the first few
    (as many as are usual for them)."""

    whole: str | None = None
    days: dict[str, int] = field(default_factory=dict)
    orders: set[int] = field(default_factory=set)

    def cover_click(self, day: str, nth: int) -> bool:
        """Whether the nth (1, 2, ...) human click of a day is held."""
        return self.whole is not None or nth > self.days.get(day, nth)

    def cover_order(self, conversion_id: int) -> bool:
        """Whether an order is held."""
        return self.whole is not None or conversion_id in self.orders


def in_force(session: Session, advocate_ids: Collection[int]) -> dict[int, Holds]:
    """The holds of those of these advocates who have any."""
    mine = is_among(session, RiskCase.advocate_id, advocate_ids), RiskCase.state.in_(IN_FORCE)
    columns: Any = sa.select(RiskCase.advocate_id, RiskCase.kind, RiskCase.state, RiskCase.day)
    columns = columns.add_columns(RiskCase.keeps, RiskCase.conversion_id)
    found: dict[int, Holds] = {}
    for advocate_id, kind, state, day, keeps, conversion_id in session.execute(columns.where(*mine)):
        holds = found.setdefault(advocate_id, Holds())
        if kind == "advocate":
            holds.whole = state
        elif kind == "day":
            holds.days[day] = keeps
        elif conversion_id is not None:
            holds.orders.add(conversion_id)
    return found


def wholly(session: Session, advocate_ids: Collection[int]) -> dict[int, str]:
    """Those of these advocates who are held or refused as a whole, and which of both."""
    return {who: holds.whole for who, holds in in_force(session, advocate_ids).items() if holds.whole}


def is_whole(advocate_id: Any, *states: str) -> sa.Exists:
    """The condition, for a query, that an advocate is held or refused (or only one of both) as a whole."""
    whole = RiskCase.kind == "advocate", RiskCase.state.in_(states or IN_FORCE)
    return sa.exists().where(RiskCase.advocate_id == advocate_id, *whole)
