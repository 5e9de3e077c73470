"""What is planted is found, who is honest is left alone, and a farm's visits do not move its owner."""

from random import Random

import pytest
import sqlalchemy as sa

from amplify.fraud.models import RiskCase
from amplify.leaderboards.boards import find_board
from amplify.leaderboards.models import Standing
from amplify.leaderboards.snapshots import ranking_order
from tests.fraud.farms import Group, a_board, a_family, a_ring, send_farm, tell_orders
from tests.fraud.scene import cases, catch_up
from tests.tracking.world import World


def ranks(world: World) -> dict[int, int]:
    """Advocate -> rank on the brand's board."""
    board = find_board(world.session, world.brand.id)
    assert board is not None
    ranked = sa.select(Standing.advocate_id).where(Standing.board_id == board.id, Standing.score_log.is_not(None))
    order = world.session.scalars(ranked.order_by(*ranking_order()))
    return {advocate_id: rank for rank, advocate_id in enumerate(order, 1)}


@pytest.mark.parametrize("place", [0.1, 0.5, 0.9])
def test_a_click_farm_lifts_its_owner_by_less_than_one_per_cent_of_the_board(world: World, place: float) -> None:
    """Nor does it take a rival down by much: on a board as small as this one, a visit is worth a place or two."""
    random = Random(7)  # noqa: S311
    board = a_board(world, random, 200)
    catch_up(world)
    before = ranks(world)
    owner_id = sorted(before, key=before.__getitem__)[int(place * len(before))]
    owner = next(link for link in board.links if link.advocate_id == owner_id)
    send_farm(board, random, 1_000, owner)
    catch_up(world)
    lifted = before[owner_id] - ranks(world)[owner_id]
    assert -0.03 * len(before) < lifted < 0.01 * len(before)
    held = [case.kind for case in cases(world, owner.advocate).values() if case.state == "held"]
    assert held == ["day", "day"]


def flagged(world: World, group: Group) -> bool:
    """Whether anything of anybody in the group is held or refused."""
    among = RiskCase.advocate_id.in_([one.id for one in group.members]), RiskCase.state.in_(("held", "refused"))
    return world.session.scalar(sa.select(sa.func.count(RiskCase.id)).where(*among)) != 0


@pytest.mark.parametrize("seed", [1, 2])
def test_planted_rings_are_found_and_no_family_of_friends_is_flagged(world: World, seed: int) -> None:
    random = Random(seed)  # noqa: S311
    rings = [a_ring(world, random) for _ in range(12)]
    families = [a_family(world, random) for _ in range(30)]
    everybody = [*rings, *families]
    random.shuffle(everybody)
    for group in everybody:
        tell_orders(world, random, group)
        catch_up(world)
    assert [flagged(world, group) for group in rings] == [True] * 12
    assert [flagged(world, group) for group in families] == [False] * 30
    everyone = {one.id for group in rings for one in group.members}
    whole = {case.advocate_id for case in cases(world).values() if case.kind == "advocate" and case.state != "clear"}
    assert whole == everyone
