"""From clicks to standings."""

import sqlalchemy as sa

from amplify.leaderboards import boards, services
from amplify.leaderboards.models import Standing
from amplify.tracking.services import track
from tests.tracking.world import World, click


def standing(world: World, advocate_id: int, board: boards.BoardName = boards.WHOLE_BRAND) -> Standing:
    found = boards.find_board(world.session, world.brand.id, board)
    assert found is not None
    mine = Standing.board_id == found.id, Standing.advocate_id == advocate_id
    return world.session.scalars(sa.select(Standing).where(*mine).execution_options(populate_existing=True)).one()


def test_two_visitors_clicks_stand_on_the_board_once_each(world: World) -> None:
    advocate = world.advocate()
    link = world.link(advocate)
    for visitor in (1, 2, 2, 1):
        click(world, link, visitor=visitor)
    assert track(world.session, 100) == 4
    assert services.project(world.session, 100) == 2
    assert standing(world, advocate.id).human_clicks == 2
    assert track(world.session, 100) == services.project(world.session, 100) == 0
