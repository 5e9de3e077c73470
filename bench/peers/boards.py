"""Fills a database with one board of any size, set by set, and with entries that wait to be projected into it."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session

from amplify.brands.models import Brand
from amplify.campaigns.models import Campaign
from amplify.core import schema
from amplify.leaderboards.boards import WHOLE_BRAND, board_ids
from amplify.leaderboards.decay import half_lives
from amplify.leaderboards.histogram import count
from amplify.leaderboards.models import Board, PointsEntry, ScoreCount, Standing
from amplify.leaderboards.scoring import begin
from amplify.sharing.models import Advocate
from bench.peers.seeding import TARGET, TEXTS

NOW = datetime(2026, 11, 1, tzinfo=UTC)
CHUNK = 200_000
MOST_CALMING_SECONDS = 180
# Scores lie over so many half-lives, most of them in the middle.
SPREAD = 12.0
# A prime above the largest board there is a bar for: below it, every score is another one.
MODULUS = 10_000_019


def filled(engine: Engine, advocates: int) -> int:
    """The id of the board that `fill` makes; made now, if it is not there from an earlier run."""
    schema.upgrade(engine)
    with Session(engine) as session:
        counted = session.scalar(sa.select(ScoreCount.board_id).limit(1))
    return fill(engine, advocates) if counted is None else counted


def fill(engine: Engine, advocates: int) -> int:
    """A brand whose board has `advocates` on it (ids from 1), with other scores each; the board's id."""
    with Session(engine) as session, session.begin():
        brand = Brand(slug="bench", name="Bench", target_hosts=["localhost"])
        session.add(brand)
        session.flush()
        session.add(Campaign(brand_id=brand.id, name="Bench", state="live", landing_url=TARGET, texts=TEXTS))
        board = board_ids(session, begin(session, brand.id), [WHOLE_BRAND])[WHOLE_BRAND]
        brand_id, newest = brand.id, half_lives(NOW, brand.half_life_days)
    with _without_order(engine):
        for first in range(1, advocates + 1, CHUNK):
            with Session(engine) as session, session.begin():
                _people(session, brand_id, board, first, min(CHUNK, advocates + 1 - first), newest)
    with Session(engine) as session, session.begin():
        count(session, session.get_one(Board, board))
    _settle(engine)
    return board


def has_moved(engine: Engine) -> bool:
    """Whether entries were folded into the board since it was filled."""
    with Session(engine) as session:
        return session.scalar(sa.select(PointsEntry.id).limit(1)) is not None


@contextmanager
def _without_order(engine: Engine) -> Iterator[None]:
    """An index is made in a minute from all of its rows, and in an hour from one after the other."""
    table: Any = Standing.__table__
    order = next(index for index in table.indexes if index.name == "ix_standings_rank")
    order.drop(engine)
    yield
    order.create(engine)


def _people(session: Session, brand_id: int, board: int, first: int, count: int, newest: float) -> None:
    numbers = sa.select(sa.literal(first, sa.BigInteger).label("n")).cte("numbers", recursive=True)
    numbers = numbers.union_all(sa.select(numbers.c.n + 1).where(numbers.c.n < first + count - 1))
    n = numbers.c.n
    names = sa.literal("Amber Heron ") + sa.cast(n, sa.String)
    advocates = sa.select(n, sa.literal(brand_id), names)
    session.execute(sa.insert(Advocate).from_select(["id", "brand_id", "pseudonym"], advocates))
    # Sum of three: a hill. Multipliers and modulus are primes, so that the three have nothing to do with each other.
    parts = [sa.cast((n * prime) % MODULUS, sa.Float(53)) for prime in (2_654_435_761, 40_503_001, 715_827_883)]
    score = newest - SPREAD + (parts[0] + parts[1] + parts[2]) * (SPREAD / (3 * MODULUS))
    figures = {"score_log": score, "recognition_log": score, "milli_points": 5000, "human_clicks": 5}
    values = [value if isinstance(value, sa.ColumnElement) else sa.literal(value) for value in figures.values()]
    reached = sa.literal(NOW, Standing.reached_at.type)
    standings = sa.select(sa.literal(board), n, reached, *values)
    session.execute(sa.insert(Standing).from_select(["board_id", "advocate_id", "reached_at", *figures], standings))


def _settle(engine: Engine) -> None:
    """What the database does by itself some time after so many rows came."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if engine.dialect.name == "postgresql":
            connection.exec_driver_sql("SELECT setval('advocates_id_seq', (SELECT max(id) FROM advocates))")
            connection.exec_driver_sql("VACUUM ANALYZE")


def calm(engine: Engine) -> None:
    """Until PostgreSQL has done what it does by itself after so many changes: on two cores it is in everybody's way."""
    if engine.dialect.name != "postgresql":
        return
    busy = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'autovacuum worker'"
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("CHECKPOINT")
        for _second in range(MOST_CALMING_SECONDS):
            if not connection.exec_driver_sql(busy).scalar_one():
                return
            time.sleep(1)


def entries(session: Session, advocates: int, count: int) -> None:
    """So many further ledger entries, spread over the whole board."""
    first = session.scalar(sa.select(sa.func.coalesce(sa.func.max(PointsEntry.id), 0))) or 0
    brand, campaign = session.scalars(sa.select(Brand)).one(), session.scalars(sa.select(Campaign)).one()
    same: dict[str, Any] = {
        "brand_id": brand.id, "campaign_id": campaign.id, "cause": "human_click", "milli_points": 1000,
        "is_reward_eligible": True, "recorded_at": NOW,
    }  # fmt: skip
    rows = [
        {
            **same, "advocate_id": number * 7_368_787 % advocates + 1, "cause_key": f"click:{number}",
            "occurred_at": NOW + timedelta(seconds=number),
        }
        for number in range(first, first + count)
    ]  # fmt: skip
    session.execute(sa.insert(PointsEntry), rows)
