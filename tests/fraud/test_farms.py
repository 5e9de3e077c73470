"""What is planted is found, who is honest is left alone, and a farm's visits move nobody."""

from random import Random

import pytest
import sqlalchemy as sa

from amplify.fraud.models import RiskCase
from tests.fraud.farms import Group, a_family, a_ring, moved, tell_orders
from tests.fraud.scene import cases, catch_up
from tests.tracking.world import World

# Visitor keys of one farm; and what part of the board it may move whoever it was sent to.
KEYS, MOST = 10_000, 0.01


def test_a_click_farm_moves_its_owner_by_less_than_one_per_cent_of_the_board(world: World) -> None:
    """Nor a rival to whom it was sent: nobody can know who sent it, so it may neither lift nor take down."""
    found = moved(world, 7, (0.01, 0.1, 0.5), advocates=500, keys=KEYS)
    assert all(abs(part) < MOST for part in found.values()), found
    held = sa.select(RiskCase.kind, sa.func.count()).where(RiskCase.state.in_(("held", "refused")))
    assert dict(world.session.execute(held.group_by(RiskCase.kind)).all()) == {"day": 6}


def test_without_the_check_the_same_farm_would_win_the_board(world: World) -> None:
    world.brand.risk_hold = world.brand.risk_refuse = 100
    assert moved(world, 7, (0.5,), advocates=100, keys=500)[0.5] > 0.4


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
