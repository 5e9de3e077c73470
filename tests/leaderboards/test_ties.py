"""Who stands first of those with equal scores is the brand's choice: in the top, in ranks, around, and frozen."""

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from amplify.brands.policy import change_policy
from amplify.core.errors import Invalid
from amplify.leaderboards import queries
from amplify.leaderboards.boards import WHOLE_BRAND, find_board
from amplify.leaderboards.models import Snapshot, SnapshotRow
from amplify.leaderboards.services import freeze
from amplify.leaderboards.ties import by_conversions, by_pseudonym, window_score
from amplify.leaderboards.windows import fold_windows
from amplify.sharing.models import Advocate
from tests.leaderboards.scene import catch_up, make_all
from tests.leaderboards.test_services import convert
from tests.tracking.world import NOON, World, click

ALL = {"kind": "top_percent", "value": 100}


@pytest.fixture
def equals(world: World) -> dict[str, Advocate]:
    """Three with 20 points of one instant: Zoe by an order, Ána and bea by twenty clicks."""
    world.brand.weights = {"human_click": 1000, "conversion": 20_000}
    made = {name: world.advocate(name) for name in ("bea", "Zoe", "Ána")}
    for name, advocate in made.items():
        link = world.link(advocate)
        if name == "Zoe":
            convert(world, link, "A")
        else:
            for visitor in range(20):
                click(world, link, visitor=visitor)
    catch_up(world)
    while fold_windows(world.session, 500):
        pass
    return made


def choose(world: World, rule: str) -> None:
    change_policy(world.session, world.brand, {"tie_rule": rule})
    make_all(world.session)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [("earliest", ["bea", "Zoe", "Ána"]), ("conversions", ["Zoe", "bea", "Ána"]), ("pseudonym", ["Ána", "bea", "Zoe"])],
)
def test_the_rule_decides_in_top_ranks_and_around(
    world: World, equals: dict[str, Advocate], rule: str, expected: list[str]
) -> None:
    choose(world, rule)
    for days in (7, 30, 90):
        board = find_board(world.session, world.brand.id, WHOLE_BRAND, days=days)
        assert board is not None
        assert [row.name for row in queries.top(world.session, board, 9, NOON)] == expected
        assert [queries.rank_of(world.session, board, equals[name].id) for name in expected] == [1, 2, 3]
        near = queries.around(world.session, board, equals[expected[1]].id, 1, NOON)
        assert [(row.rank, row.name) for row in near] == list(enumerate(expected, 1))


def test_a_frozen_ranking_keeps_the_rule_it_was_made_under(world: World, equals: dict[str, Advocate]) -> None:
    choose(world, "pseudonym")
    world.campaign.occurrence = 1
    snapshot = freeze(world.session, world.campaign, ALL, NOON)
    before = frozen(world)
    choose(world, "conversions")
    assert frozen(world) == before
    assert world.session.get_one(Snapshot, snapshot.id).tie_rule == "pseudonym"
    world.campaign.occurrence = 2
    assert freeze(world.session, world.campaign, ALL, NOON).tie_rule == "conversions"
    assert len(equals) == len(before)


def frozen(world: World) -> list[int]:
    return list(world.session.scalars(sa.select(SnapshotRow.advocate_id).order_by(SnapshotRow.rank)))


def test_an_unknown_rule_is_refused(world: World) -> None:
    with pytest.raises(Invalid) as refused:
        change_policy(world.session, world.brand, {"tie_rule": "luck"})
    assert (refused.value.field, refused.value.rule) == ("tie_rule", "tie-rule")


@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_more_purchases_come_first(more: int, less: int) -> None:
    assert (by_conversions(more) < by_conversions(less)) == (more > less)


@given(st.tuples(st.integers(1, 10**6), st.text(max_size=9)), st.tuples(st.integers(1, 10**6), st.text(max_size=9)))
def test_the_score_of_a_window_never_contradicts_points_and_ties(left: tuple[int, str], right: tuple[int, str]) -> None:
    first, second = sorted(((-milli, by_pseudonym(name)) for milli, name in (left, right)))
    scores = [window_score(-milli, "pseudonym", NOON, 0, tie) or 0 for milli, tie in (first, second)]
    assert scores[0] >= scores[1]
    assert first[0] == second[0] or scores[0] > scores[1]
