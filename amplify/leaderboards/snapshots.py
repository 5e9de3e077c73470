"""Choosing the most engaged advocates by an audience rule, and freezing the choice when a campaign starts."""

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
from amplify.campaigns.models import Campaign
from amplify.core.db import insert_ignore
from amplify.core.errors import Invalid
from amplify.core.i18n import lazy_gettext as _l
from amplify.leaderboards import histogram
from amplify.leaderboards.boards import audience_board, board_ids, find_board
from amplify.leaderboards.decay import half_lives, log_of, score_at
from amplify.leaderboards.models import Snapshot, SnapshotRow, Standing


@sa.event.listens_for(Engine, "connect")
def _power(connection: Any, record: Any) -> None:
    """SQLite is not always built with its mathematics; PostgreSQL has pow() of its own."""
    if isinstance(connection, sqlite3.Connection):
        connection.create_function("pow", 2, pow, deterministic=True)


# What a snapshot row keeps of a standing.
KEPT = ("advocate_id", "score_log", "human_clicks", "conversions", "reached_at")


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


def chosen(session: Session, brand_id: int, audience: dict[str, Any], now: datetime) -> list[Chosen]:
    """Whom the audience would choose now, best first: the same choice that `freeze` makes, kept nowhere.

    Audience kinds: "top_n" (the first `value`), "top_percent" (`value` percent of those ranked, rounded up) and
    "min_score" (at least `value` points now), on the board of its location or business line, else the brand's. Only
    advocates with reward-eligible points are ranked at all; hiding from the board changes nothing here.
    Raises Invalid("audience.kind") for another kind.
    """
    brand = session.get_one(Brand, brand_id)
    board = find_board(session, brand_id, audience_board(audience))
    if board is None:
        return []
    rows = session.execute(_choice(session, brand, board.id, audience, now))
    return [Chosen(score=score_at(row.score_log, now, brand.half_life_days), **row._mapping) for row in rows]


def freeze(session: Session, campaign: Campaign, audience: dict[str, Any], now: datetime) -> Snapshot:
    """Write down the ranking a start rests on, once per start: asked again, the first snapshot is the answer."""
    brand = session.get_one(Brand, campaign.brand_id)
    name = audience_board(audience)
    board_id = board_ids(session, brand.id, [name])[name]
    row = {
        "brand_id": brand.id,
        "campaign_id": campaign.id,
        "occurrence": campaign.occurrence,
        "board_id": board_id,
        "audience": audience,
        "ranked": histogram.ranked_on(session, board_id),
        "taken_at": now,
    }
    is_new = insert_ignore(session, Snapshot, [row]) == 1
    mine = Snapshot.campaign_id == campaign.id, Snapshot.occurrence == campaign.occurrence
    snapshot = session.scalars(sa.select(Snapshot).where(*mine)).one()
    if is_new:
        _freeze_rows(session, snapshot, brand, audience, now)
    return snapshot


def _freeze_rows(session: Session, snapshot: Snapshot, brand: Brand, audience: dict[str, Any], now: datetime) -> None:
    """One statement, however many are chosen."""
    choice = _choice(session, brand, snapshot.board_id, audience, now).subquery()
    worth = sa.func.pow(2.0, choice.c.score_log - half_lives(now, brand.half_life_days))
    source = sa.select(sa.literal(snapshot.id), choice.c.rank, worth, *(choice.c[name] for name in KEPT))
    session.execute(sa.insert(SnapshotRow).from_select(["snapshot_id", "rank", "score", *KEPT], source))


def _choice(session: Session, brand: Brand, board_id: int, audience: dict[str, Any], now: datetime) -> sa.Select[Any]:
    """rank and KEPT of the chosen, best first."""
    order = ranking_order()
    rank = sa.func.row_number().over(order_by=order).label("rank")
    ranked = sa.select(rank, *(getattr(Standing, name) for name in KEPT)).where(*is_ranked(board_id)).order_by(*order)
    kind, value = audience.get("kind"), audience.get("value") or 0
    if kind == "top_n":
        return ranked.limit(int(value))
    if kind == "top_percent":
        return ranked.limit(math.ceil(histogram.ranked_on(session, board_id) * float(value) / 100))
    if kind == "min_score":
        # Everybody ranked has some points, so a minimum of nothing asks nothing.
        return ranked.where(Standing.score_log >= log_of(value, now, brand.half_life_days)) if value > 0 else ranked
    raise Invalid("audience.kind", "audience-kind", _l("There is no such kind of audience."))


def is_ranked(board_id: int) -> Sequence[sa.ColumnElement[bool]]:
    """Who stands on a board at all: advocates with points that count toward rewards (without any there is no score)."""
    return Standing.board_id == board_id, Standing.score_log.is_not(None)


def ranking_order() -> tuple[sa.ColumnElement[Any], ...]:
    """Best first. Equal scores: whoever reached it first, then who became an advocate first."""
    return Standing.score_log.desc(), Standing.reached_at.asc(), Standing.advocate_id.asc()
