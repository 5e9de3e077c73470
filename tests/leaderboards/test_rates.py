"""Rates: shrunk toward the brand's mean, with an interval; luck does not top the board."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amplify.core import clock
from amplify.leaderboards.boards import WHOLE_BRAND, find_board
from amplify.leaderboards.models import Standing
from amplify.leaderboards.rated import MIN_CLICKS, Rated, rated
from amplify.leaderboards.rates import STRONGEST, WEAKEST, distribution, prior_of, quantile, rate_of
from amplify.leaderboards.schemas import BoardFilter
from amplify.leaderboards.windows import fold_windows
from amplify.sharing.models import Advocate
from amplify.sharing.services import show_name
from tests.leaderboards.scene import catch_up
from tests.leaderboards.test_services import convert
from tests.tracking.world import World, click

SHAPES = st.floats(0.05, 500)
SHARES = st.floats(0.001, 0.999)


def test_the_distribution_is_the_textbooks() -> None:
    assert distribution(3, 5, 0.4) == pytest.approx(0.580096)  # a binomial tail: P(X >= 3 of 7 at 0.4)
    assert quantile(2, 1, 0.25) == pytest.approx(0.5)
    assert quantile(0.5, 0.5, 0.1) == pytest.approx(0.0244717418)  # the arcsine law: sin(0.1 * pi / 2) ** 2
    assert (distribution(2, 3, 0.0), distribution(2, 3, 1.0)) == (0.0, 1.0)


@given(SHAPES, SHAPES, SHARES)
def test_a_share_of_the_distribution_lies_below_its_quantile(a: float, b: float, share: float) -> None:
    value = quantile(a, b, share)
    if 1e-9 < value < 1 - 1e-9:
        assert distribution(a, b, value) == pytest.approx(share, abs=1e-6)


@pytest.mark.parametrize(("a", "b"), [(2, 38), (5, 20)])
def test_the_brands_rates_are_found_again_from_what_they_made(a: float, b: float) -> None:
    chance = random.Random(11)  # noqa: S311
    pairs = []
    for _ in range(4_000):
        rate, n = chance.betavariate(a, b), chance.randint(1, 120)
        pairs.append((n, sum(chance.random() < rate for _ in range(n)), 1))
    prior = prior_of(pairs)
    assert prior.mean == pytest.approx(a / (a + b), rel=0.05)
    assert prior.strength == pytest.approx(a + b, rel=0.15)


def test_nothing_and_sameness_have_a_prior_too() -> None:
    assert prior_of([]) == (0.5, WEAKEST)
    assert prior_of([(100, 5, 50)]).strength == STRONGEST
    assert prior_of([(1, 1, 1)]).strength == WEAKEST


@given(st.lists(st.tuples(st.integers(1, 400), st.integers(0, 60), st.integers(1, 30)), max_size=20))
def test_a_rate_lies_between_the_persons_own_and_the_brands(seen: list[tuple[int, int, int]]) -> None:
    prior = prior_of([(n, min(x, n), count) for n, x, count in seen] + [(50, 5, 10)])
    for n, x in ((1, 1), (200, 40), (30, 0)):
        rate = rate_of(prior, n, x)
        assert min(prior.mean, x / n) - 1e-9 <= rate.mean <= max(prior.mean, x / n) + 1e-9
        assert rate.low <= rate.mean <= rate.high


def brought(world: World, clicks: int, purchases: int) -> Advocate:
    """An advocate with so many on their boards."""
    advocate = world.advocate()
    link = world.link(advocate)
    for visitor in range(clicks):
        click(world, link, visitor=visitor)
    for number in range(purchases):
        convert(world, link, f"{advocate.id}-{number}")
    catch_up(world)
    while fold_windows(world.session, 500):
        pass
    return advocate


def rates(world: World, **wanted: str) -> Rated:
    found = BoardFilter.model_validate_strings(wanted)
    return rated(world.session, world.brand.id, found, 50, clock.now())


@pytest.mark.parametrize("wanted", [{}, {"window": "30"}, {"window": "30", "channel": "x"}])
def test_one_lucky_conversion_does_not_top_forty_of_two_hundred(world: World, wanted: dict[str, str]) -> None:
    brought(world, 1, 1)
    brought(world, 4, 3)
    solid, small = brought(world, 200, 40), brought(world, 25, 5)
    assert brought(world, 30, 0)
    found = rates(world, **wanted)
    assert [(row.rank, row.advocate_id) for row in found.rows] == [(1, solid.id), (2, small.id)]
    assert (found.ranked, found.too_few) == (2, 2)
    best, second = (row.rate for row in found.rows)
    assert best.high - best.low < second.high - second.low
    assert best.n == 200


def test_who_left_the_board_keeps_the_rank_and_equals_go_by_age(world: World) -> None:
    advocates = [brought(world, 20, 2) for _ in range(3)]
    show_name(world.session, advocates[1], None, on_board=False)
    found = rates(world)
    assert [(row.rank, row.advocate_id) for row in found.rows] == [(1, advocates[0].id), (3, advocates[2].id)]
    assert found.ranked == 3


def test_the_order_is_that_of_the_lower_ends(world: World) -> None:
    chance = random.Random(3)  # noqa: S311
    brought(world, 1, 0)
    board = find_board(world.session, world.brand.id, WHOLE_BRAND, days=90)
    assert board is not None
    for _ in range(60):
        n = chance.randint(10, 60)
        figures = {"human_clicks": n, "conversions": chance.randint(0, n // 3)}
        who = world.advocate().id
        world.session.add(Standing(board_id=board.id, advocate_id=who, reached_at=clock.now(), **figures))
    world.session.flush()
    found = rates(world, window="90")
    lows = [row.rate.low for row in found.rows]
    assert lows == sorted(lows, reverse=True)
    assert all(row.human_clicks >= MIN_CLICKS for row in found.rows)
    assert [row.rank for row in found.rows] == list(range(1, len(found.rows) + 1))
