"""The arithmetic of the score."""

import math
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amplify.leaderboards.decay import entry_log, in_hundredths, log_add, log_of, score_at, worth_now
from tests.tracking.world import NOON

INSTANTS = st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
ENTRIES = st.lists(st.tuples(st.integers(1, 10**7), INSTANTS), min_size=1, max_size=30)


def test_points_lose_half_of_their_worth_in_a_half_life() -> None:
    log = entry_log(20_000, NOON, 30.0)
    assert score_at(log, NOON, 30.0) == pytest.approx(20.0)
    assert score_at(log, NOON + timedelta(days=30), 30.0) == pytest.approx(10.0)
    assert score_at(log, NOON + timedelta(days=60), 30.0) == pytest.approx(5.0)


def test_nothing_is_worth_nothing() -> None:
    assert entry_log(0, NOON, 30.0) is None
    assert score_at(None, NOON, 30.0) == 0.0
    assert log_add(None, None) is None
    assert log_add(None, 1.5) == log_add(1.5, None) == 1.5


@given(ENTRIES, st.floats(0.5, 400), INSTANTS)
def test_the_kept_logarithm_is_the_formula(
    entries: list[tuple[int, datetime]], half_life: float, later: datetime
) -> None:
    """Against the sum in linear space, relative to the newest entry so that it cannot overflow."""
    kept = None
    for milli, at in entries:
        kept = log_add(kept, entry_log(milli, at, half_life))
    newest = max(at for _, at in entries)
    direct = math.fsum(worth_now(milli, at, newest, half_life) for milli, at in entries)
    assert score_at(kept, newest, half_life) == pytest.approx(direct, rel=1e-9)


@given(ENTRIES, ENTRIES, st.floats(0.5, 400), st.timedeltas(timedelta(0), timedelta(days=4000)))
def test_the_order_never_changes_by_itself(
    left: list[tuple[int, datetime]], right: list[tuple[int, datetime]], half_life: float, later: timedelta
) -> None:
    def total(entries: list[tuple[int, datetime]]) -> float:
        kept = None
        for milli, at in entries:
            kept = log_add(kept, entry_log(milli, at, half_life))
        assert kept is not None
        return kept

    a, b = total(left), total(right)
    now = max(at for _, at in left + right)
    scores = [[score_at(one, at, half_life) for one in (a, b)] for at in (now, now + later)]
    if a < b - 1e-9:
        assert all(mine <= yours for mine, yours in scores)


def test_a_minimum_score_compares_with_stored_standings() -> None:
    log = entry_log(8_000, NOON - timedelta(days=30), 30.0)
    assert log is not None
    assert log >= log_of(4.0 - 1e-9, NOON, 30.0)
    assert log < log_of(4.0 + 1e-9, NOON, 30.0)


@given(st.lists(st.floats(-1000, 1000, allow_nan=False), max_size=60))
def test_listed_values_add_up_to_the_rounded_sum(values: list[float]) -> None:
    shown = in_hundredths(values)
    running = 0.0
    for value in values:
        running += value
    assert sum(shown) == round(running * 100)
    assert all(abs(one - value * 100) <= 1.001 for one, value in zip(shown, values, strict=True))
