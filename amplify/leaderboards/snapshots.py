"""Choosing the most engaged advocates by an audience rule."""

import math
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session

from amplify.core.errors import Invalid
from amplify.core.i18n import lazy_gettext as _l
from amplify.leaderboards import histogram
from amplify.leaderboards.boards import audience_board, find_board
from amplify.leaderboards.decay import log_of, score_at
from amplify.leaderboards.models import Standing
from amplify.leaderboards.scoring import Rules, in_force


@sa.event.listens_for(Engine, "connect")
def _power(connection: Any, record: Any) -> None:
    """SQLite is not always built with its mathematics; PostgreSQL has pow() of its own."""
    if isinstance(connection, sqlite3.Connection):
        connection.create_function("pow", 2, pow, deterministic=True)


# What a snapshot row keeps of a standing.
KEPT = ("advocate_id", "score_log", "human_clicks", "conversions", "reached_at", "tie")


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


def chosen(session: Session, brand_id: int, audience: dict[str, Any], now: datetime) -> list[Chosen]:
    """Whom the audience would choose now, best first: the same choice that `freeze` makes, kept nowhere.

    Audience kinds: "top_n" (the first `value`), "top_percent" (`value` percent of those ranked, rounded up) and
    "min_score" (at least `value` points now), on the board of its location or business line, else the brand's. Only
    advocates with reward-eligible points are ranked at all; hiding from the board changes nothing here.
    Raises Invalid("audience.kind") for another kind.
    """
    rules = in_force(session, brand_id)
    board = find_board(session, brand_id, audience_board(audience))
    if board is None:
        return []
    rows = session.execute(_choice(session, rules, board.id, audience, now))
    return [Chosen(score=score_at(row.score_log, now, rules.half_life_days), **row._mapping) for row in rows]


def _choice(session: Session, rules: Rules, board_id: int, audience: dict[str, Any], now: datetime) -> sa.Select[Any]:
    """rank and KEPT of the chosen, best first."""
    order = ranking_order()
    rank = sa.func.row_number().over(order_by=order).label("rank")
    ranked = sa.select(rank, *columns()).where(*is_ranked(board_id), *is_enough(rules, audience, now)).order_by(*order)
    return ranked.limit(most_of(audience, lambda: histogram.ranked_on(session, board_id)))


def columns() -> list[Any]:
    """The columns of KEPT."""
    return [getattr(Standing, name) for name in KEPT]


def most_of(audience: dict[str, Any], ranked: Callable[[], int]) -> int | None:
    """How many an audience takes at most of those `ranked`; None: as many as fit. Raises Invalid("audience.kind")."""
    kind, value = audience.get("kind"), audience.get("value") or 0
    if kind == "top_n":
        return int(value)
    if kind == "top_percent":
        return math.ceil(ranked() * float(value) / 100)
    if kind == "min_score":
        return None
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
