"""Intervals: the values of the papers, and how often they hold the truth."""

import random
from collections import Counter
from itertools import pairwise

import pytest

from amplify.core.intervals import Interval, Sums, newcombe, t_quantile, welch, wilson

WEIGHTS_WITHOUT = (0.80, 0.14, 0.04, 0.02)  # none, one, two or three conversions: one in five has any
WEIGHTS_WITH = (0.76, 0.168, 0.048, 0.024)  # each of them a fifth more often


def test_wilsons_interval_is_that_of_newcombes_tables() -> None:
    for part, whole, low, high in (
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ):
        found = wilson(part, whole)
        assert found is not None
        assert tuple(found) == pytest.approx((low, high), abs=5e-5)
    assert wilson(0, 0) is None


def test_newcombes_interval_is_that_of_his_table() -> None:
    for given, low, high in (
        ((56, 70, 48, 80), 0.0524, 0.3339),
        ((9, 10, 3, 10), 0.1705, 0.8090),
        ((10, 10, 0, 10), 0.6075, 1.0),
    ):
        found = newcombe(*given)
        assert found is not None
        assert tuple(found) == pytest.approx((low, high), abs=5e-5)
    assert newcombe(1, 2, 0, 0) is None


@pytest.mark.parametrize(("freedom", "t"), [(4, 2.7764), (10, 2.2281), (30, 2.0423), (1000, 1.9623)])
def test_students_t_is_that_of_the_tables(freedom: float, t: float) -> None:
    assert t_quantile(freedom) == pytest.approx(t, rel=1e-3)


def test_welchs_interval_is_that_of_the_values_themselves() -> None:
    one, other = [27.5, 21.0, 19.0, 23.6, 17.0, 17.9], [27.1, 22.0, 20.8, 23.4, 23.4, 23.5]
    found = welch(*(Sums(len(values), sum(values), sum(v * v for v in values)) for values in (one, other)))
    assert found is not None
    assert tuple(found) == pytest.approx((-6.634, 1.900), abs=0.002)  # 7.64 degrees of freedom: t = 2.325
    assert welch(Sums(1, 3, 9), Sums(5, 3, 9)) is None
    assert welch(Sums(5, 0, 0), Sums(5, 0, 0)) is None  # nothing happened to anybody: nothing is known


def drawn(chance: random.Random, weights: tuple[float, ...], people: int) -> tuple[int, Sums]:
    """How many of so many people converted, and the sums of their conversions."""
    found = Counter(chance.choices(range(4), weights, k=people))
    return people - found[0], Sums(
        people, sum(k * n for k, n in found.items()), sum(k * k * n for k, n in found.items())
    )


def lifts(seed: int, weights: tuple[float, ...], rewarded: int, held_out: int) -> tuple[Interval, Interval]:
    """What both estimators say of one measured campaign: of people who converted, and of conversions a person."""
    chance = random.Random(seed)  # noqa: S311 - it draws a sample, no secret
    (part, sums), (other_part, other_sums) = drawn(chance, weights, rewarded), drawn(chance, WEIGHTS_WITHOUT, held_out)
    rates, means = newcombe(part, rewarded, other_part, held_out), welch(sums, other_sums)
    assert rates is not None
    assert means is not None
    return rates, means


def test_without_an_effect_the_interval_holds_zero_in_95_of_100_runs() -> None:
    """1,000 seeded campaigns of 5,000 people, 10 % of them kept back, one in five converting in both groups."""
    found = [lifts(seed, WEIGHTS_WITHOUT, 4_500, 500) for seed in range(1_000)]
    for holding in zip(*((rates.holds_zero, means.holds_zero) for rates, means in found), strict=True):
        assert 930 <= sum(holding) <= 970


def test_an_effect_of_a_fifth_is_found_in_nearly_every_run() -> None:
    """200 seeded campaigns of 20,000 people, 10 % kept back, 20 % converting without and 24 % with the reward."""
    found = [lifts(seed, WEIGHTS_WITH, 18_000, 2_000) for seed in range(200)]
    assert sum(rates.low > 0 for rates, _means in found) >= 190
    assert sum(means.low > 0 for _rates, means in found) >= 180


def test_more_people_make_a_narrower_interval() -> None:
    found = [wilson(whole // 5, whole) for whole in (10, 100, 1_000, 10_000)]
    widths = [one.high - one.low for one in found if one is not None]
    assert all(narrow < wide for wide, narrow in pairwise(widths))
