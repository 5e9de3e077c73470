"""Counts by range of score: they follow every move, on both sides of zero, and ranks come out of them."""

from math import nextafter

import pytest
import sqlalchemy as sa

from amplify.leaderboards import histogram
from amplify.leaderboards.boards import WHOLE_BRAND, board_ids
from amplify.leaderboards.models import ScoreCount, Standing
from amplify.leaderboards.scoring import begin
from tests.tracking.world import NOON, World


def put(world: World, *scores: float | None) -> tuple[int, list[int]]:
    """A board of people with these scores; its id and theirs."""
    board = board_ids(world.session, begin(world.session, world.brand.id), [WHOLE_BRAND])[WHOLE_BRAND]
    people = [world.advocate().id for _ in scores]
    for advocate_id, score in zip(people, scores, strict=True):
        world.session.add(Standing(board_id=board, advocate_id=advocate_id, score_log=score, reached_at=NOON))
    world.session.flush()
    histogram.apply(world.session, [(board, None, score) for score in scores])
    return board, people


def ranks(world: World, board: int, people: list[int]) -> list[int | None]:
    places = [histogram.place_of(world.session, board, who) for who in people]
    return [place and place.rank for place in places]


def test_a_score_stands_in_one_range_of_each_width() -> None:
    three = (0, 5, 10)
    assert histogram.changes([(7, None, 691.26)], three) == {(7, 0, 691): 1, (7, 1, 22120): 1, (7, 2, 707850): 1}
    assert histogram.changes([(7, None, -0.01)], three) == {(7, 0, -1): 1, (7, 1, -1): 1, (7, 2, -11): 1}


def test_a_small_move_changes_only_the_narrow_ranges() -> None:
    three = (0, 5, 10)
    assert histogram.changes([(7, 5.01, 5.012)], three) == {(7, 2, 5130): -1, (7, 2, 5132): 1}
    assert histogram.changes([(7, 5.01, 5.01), (7, None, None)], three) == {}
    assert histogram.changes([(7, 5.5, None)], three) == {(7, 0, 5): -1, (7, 1, 176): -1, (7, 2, 5632): -1}


@pytest.mark.parametrize("edge", [700.0, 700 + 1 / 16, 700 + 1 / 256, 700 + 1 / 4096, 0.0, -1 / 4096, -3.0])
def test_ranks_are_true_at_the_edge_of_a_range_and_below_zero(world: World, edge: float) -> None:
    scores = [edge + 40, edge + 1, nextafter(edge, 1e9), edge, nextafter(edge, -1e9), edge - 1 / 32, edge - 2, None]
    board, people = put(world, *scores)
    assert ranks(world, board, people) == [1, 2, 3, 4, 5, 6, 7, None]
    assert histogram.ranked_on(world.session, board) == 7


def test_equal_scores_of_one_instant_go_to_the_older_advocate(world: World) -> None:
    board, people = put(world, 700.5, 700.5, 700.5)
    assert ranks(world, board, people) == [1, 2, 3]


def test_a_range_that_everybody_left_counts_nobody(world: World) -> None:
    board, _people = put(world, 700.5, 700.5)
    histogram.apply(world.session, [(board, 700.5, 701.5), (board, 700.5, None)])
    counted = sa.select(ScoreCount.bucket, ScoreCount.n).where(ScoreCount.level == 0, ScoreCount.n > 0)
    assert [tuple(row) for row in world.session.execute(counted)] == [(701, 1)]
