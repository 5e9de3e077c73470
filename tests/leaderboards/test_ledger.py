"""Reading some people's entries costs what they have, not what everybody has."""

from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.core.db import Base
from amplify.leaderboards.ledger import ledgers
from amplify.leaderboards.models import PointsEntry
from tests.tracking.world import NOON

EACH = 4


def steps(session: Session, advocates: list[int]) -> int:
    """How many hundred steps SQLite takes to read these people's ledgers."""
    driver: Any = session.connection().connection.driver_connection
    taken: list[None] = []
    driver.set_progress_handler(lambda: taken.append(None), 100)
    found = dict(ledgers(session, advocates, up_to=10**9))
    driver.set_progress_handler(None, 0)
    assert {who: len(entries) for who, entries in found.items()} == dict.fromkeys(advocates, EACH)
    return len(taken)


def add(session: Session, first: int, last: int) -> None:
    same = {"brand_id": 1, "campaign_id": 1, "cause": "human_click", "milli_points": 1000, "is_reward_eligible": True}
    rows = [
        {**same, "advocate_id": who, "cause_key": f"click:{who}:{n}", "occurred_at": NOON, "recorded_at": NOON}
        for who in range(first, last)
        for n in range(EACH)
    ]
    session.execute(sa.insert(PointsEntry), rows)


def test_on_sqlite_the_ledgers_of_a_few_are_found_without_reading_all_of_the_brand(tmp_path: Path) -> None:
    engine = sa.create_engine(f"sqlite:///{tmp_path}/amplify.db")
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        # Nothing is kept: whose entries these are need not be there.
        session.execute(sa.text("PRAGMA defer_foreign_keys=ON"))
        add(session, 1, 101)
        few = steps(session, [7, 8, 9])
        add(session, 101, 3_001)
        assert steps(session, [7, 8, 9]) <= 2 * few + 2
        session.rollback()
    engine.dispose()
