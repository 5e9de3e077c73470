"""A brand that changes its half-life gets other scores, from the same ledger."""

from sqlalchemy.orm import Session

from amplify.brands.policy import change_policy
from amplify.core import clock
from amplify.leaderboards.boards import find_board
from amplify.leaderboards.queries import top
from tests.leaderboards.scene import advocates_with, make_all
from tests.tracking.world import World


def _scores(world: World, session: Session) -> list[float]:
    board = find_board(session, world.brand.id)
    assert board is not None
    return [row.score for row in top(session, board, limit=10, now=clock.now())]


def test_a_new_half_life_rebuilds_the_standings_in_the_worker(world: World) -> None:
    session = world.session
    advocates_with(world, 5, 3)
    before = _scores(world, session)
    change_policy(session, world.brand, {"half_life_days": 0.5})
    assert make_all(session) > 0
    after = _scores(world, session)
    assert len(after) == len(before)
    assert all(now < then for now, then in zip(after, before, strict=True))
