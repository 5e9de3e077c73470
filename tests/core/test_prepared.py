"""Statements sent straight to the driver give what SQLAlchemy gives, and their errors are SQLAlchemy's."""

from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.core.prepared import Prepared, ask
from amplify.leaderboards.boards import WHOLE_BRAND, board_ids
from amplify.leaderboards.models import Standing
from amplify.leaderboards.scoring import begin
from tests.tracking.world import NOON, make_world

COLUMNS: tuple[Any, ...] = (Standing.advocate_id, Standing.score_log, Standing.reached_at, Standing.tie)


def test_values_and_parameters_are_those_that_sqlalchemy_knows(session: Session) -> None:
    world = make_world(session)
    board = board_ids(session, begin(session, world.brand.id), [WHOLE_BRAND])[WHOLE_BRAND]
    people = [world.advocate().id for _ in range(3)]
    for who, score in zip(people, (1 / 3, None, 2.0), strict=True):
        session.add(Standing(board_id=board, advocate_id=who, score_log=score, reached_at=NOON, tie=b"a\0"))
    since = sa.bindparam("since", type_=Standing.reached_at.type)
    mine = Standing.board_id == sa.bindparam("board", type_=sa.BigInteger), Standing.reached_at >= since
    asked = sa.select(*COLUMNS).where(*mine, Standing.shares == 0).order_by(Standing.advocate_id)
    values = {"board": board, "since": NOON}
    found = Prepared(asked).rows(session, values)
    assert found == [tuple(row) for row in session.execute(asked, values)]
    assert [row[2] for row in found] == [NOON] * 3
    assert Prepared(asked).rows(session, {"board": board + 1, "since": NOON}) == []


def test_an_error_is_raised_as_sqlalchemy_raises_it(session: Session) -> None:
    with pytest.raises(sa.exc.DBAPIError):
        ask(session, "SELECT nothing FROM nowhere", ())
