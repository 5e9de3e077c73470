"""What is held or refused right now: for the floors above, which keep its points and rewards back."""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.core.bulk import is_among
from amplify.fraud.models import IN_FORCE, RiskCase
from amplify.fraud.rushes import Rush


@dataclass
class Holds:
    """Of one advocate: everything ("held" or "refused"), some orders, and the clicks of some rushes but for the first
    few (as many as are usual there)."""

    whole: str | None = None
    rushes: list[Rush] = field(default_factory=list)
    orders: set[int] = field(default_factory=set)

    def rush_of(self, link_id: int | None, at: datetime) -> Rush | None:
        """The rush that a click lies in."""
        return next((rush for rush in self.rushes if rush.covers(link_id, at)), None)

    def cover_order(self, conversion_id: int) -> bool:
        """Whether an order is held."""
        return self.whole is not None or conversion_id in self.orders


def in_force(session: Session, advocate_ids: Collection[int]) -> dict[int, Holds]:
    """The holds of those of these advocates who have any."""
    mine = is_among(session, RiskCase.advocate_id, advocate_ids), RiskCase.state.in_(IN_FORCE)
    columns: Any = sa.select(RiskCase.advocate_id, RiskCase.kind, RiskCase.state)
    columns = columns.add_columns(RiskCase.rushes, RiskCase.conversion_id)
    found: dict[int, Holds] = {}
    for advocate_id, kind, state, rushes, conversion_id in session.execute(columns.where(*mine)):
        holds = found.setdefault(advocate_id, Holds())
        if kind == "advocate":
            holds.whole = state
        elif kind == "day":
            holds.rushes += [Rush(*rush) for rush in rushes]
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
