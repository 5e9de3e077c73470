"""Choosing the most engaged advocates by an audience rule."""

import math
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session

from amplify.brands.models import Brand
from amplify.core.errors import Invalid
from amplify.core.i18n import lazy_gettext as _l
from amplify.leaderboards import histogram
from amplify.leaderboards.boards import audience_board, find_board
from amplify.leaderboards.decay import half_lives, log_of
from amplify.leaderboards.models import Standing
from amplify.leaderboards.scoring import Rules, in_force
from amplify.leaderboards.segments import in_segment


@sa.event.listens_for(Engine, "connect")
def _power(connection: Any, record: Any) -> None:
    """SQLite is not always built with its mathematics; PostgreSQL has pow() of its own."""
    if isinstance(connection, sqlite3.Connection):
        connection.create_function("pow", 2, pow, deterministic=True)


# What a snapshot row keeps of a standing.
KEPT = ("advocate_id", "score_log", "human_clicks", "conversions", "reached_at", "tie")
# Tiers of a ranking: after which percent of it each begins, and where it ends. 1 gold, 2 silver, 3 bronze.
TIERS = {1: (0, 5), 2: (5, 20), 3: (20, 50)}


@dataclass(frozen=True)
class Chosen:
    """One advocate an audience rule chooses. `score` in points, at the moment of choosing."""

    advocate_id: int
    rank: int
    score_log: float
    score: float
    human_clicks: int
    conversions: int
    reached_at: datetime
    tie: bytes


def chosen(
    session: Session, brand_id: int, audience: dict[str, Any], now: datetime, first: int | None = None
) -> list[Chosen]:
    """Whom the audience would choose now, best first (the `first` so many): what `freeze` writes down, kept nowhere.

    Audience kinds: "top_n" (the first `value`), "top_percent" (`value` percent of those ranked, rounded up), "tier"
    (TIERS) and "min_score" (at least `value` points now), on the board of its location, business line or campaign, else
    the brand's, among the members of its segment. Only advocates with reward-eligible points are ranked at all; hiding
    from the board changes nothing here. Raises Invalid("audience.kind") for another kind.
    """
    found = choice(session, brand_id, audience, now)
    return [] if found is None else [Chosen(**row._mapping) for row in session.execute(found.limit(first))]


def choice(session: Session, brand_id: int, audience: dict[str, Any], now: datetime) -> sa.Select[Any] | None:
    """The same as rows of the database, of the columns of `Chosen` and best first; None: there is no such board."""
    brand, rules = session.get_one(Brand, brand_id), in_force(session, brand_id)
    board = find_board(session, brand_id, audience_board(audience))
    if board is None:
        return None
    order = ranking_order()
    rank = sa.func.row_number().over(order_by=order).label("rank")
    score = worth(Standing.score_log, now, rules.half_life_days).label("score")
    fits = (*is_ranked(board.id), *is_enough(rules, audience, now), *in_segment(brand, audience))
    skip, most = bounds_of(audience, ranked_among(session, brand, board.id, audience))
    ranked = sa.select(rank, score, *columns()).where(*fits).order_by(*order).limit(most).offset(skip).subquery()
    return sa.select(ranked).order_by(ranked.c.rank)


def how_many(session: Session, brand_id: int, audience: dict[str, Any], now: datetime) -> int:
    """How many the audience would choose now."""
    found = choice(session, brand_id, audience, now)
    return 0 if found is None else session.scalar(sa.select(sa.func.count()).select_from(found.subquery())) or 0


def worth(score_log: Any, now: datetime, half_life_days: float) -> Any:
    """Decayed points at a moment, in SQL."""
    return sa.func.pow(2.0, score_log - half_lives(now, half_life_days))


def columns() -> list[Any]:
    """The columns of KEPT."""
    return [getattr(Standing, name) for name in KEPT]


def ranked_among(session: Session, brand: Brand, board_id: int, audience: dict[str, Any]) -> int:
    """How many of the audience's segment stand on a board."""
    segment = in_segment(brand, audience)
    if not segment:
        return histogram.ranked_on(session, board_id)
    return session.scalar(sa.select(sa.func.count(Standing.advocate_id)).where(*is_ranked(board_id), *segment)) or 0


def bounds_of(audience: dict[str, Any], ranked: int) -> tuple[int, int | None]:
    """How many of those `ranked` an audience passes over, and how many it takes then at most; None: as many as fit.

    Raises Invalid("audience.kind").
    """
    kind, value = audience.get("kind"), audience.get("value") or 0
    if kind == "top_n":
        return 0, int(value)
    if kind == "top_percent":
        return 0, math.ceil(ranked * float(value) / 100)
    if kind == "tier":
        begin, end = (math.ceil(ranked * percent / 100) for percent in TIERS.get(int(value), (0, 0)))
        return begin, end - begin
    if kind == "min_score":
        return 0, None
    raise Invalid("audience.kind", "audience-kind", _l("There is no such kind of audience."))


def is_enough(rules: Rules, audience: dict[str, Any], now: datetime) -> Sequence[sa.ColumnElement[bool]]:
    """What an audience asks of a standing besides its rank."""
    value = audience.get("value") or 0
    # Everybody ranked has some points, so a minimum of nothing asks nothing.
    if audience.get("kind") != "min_score" or value <= 0:
        return ()
    return (Standing.score_log >= log_of(value, now, rules.half_life_days),)


def is_ranked(board_id: int) -> Sequence[sa.ColumnElement[bool]]:
    """Who stands on a board at all: advocates with points that count toward rewards (without any there is no score)."""
    return Standing.board_id == board_id, Standing.score_log.is_not(None)


def ranking_order() -> tuple[sa.ColumnElement[Any], ...]:
    """Best first. Equal scores: by the brand's rule, whoever reached it first, then who became an advocate first."""
    return Standing.score_log.desc(), Standing.tie.asc(), Standing.reached_at.asc(), Standing.advocate_id.asc()
