"""The score: points that lose half their worth every half-life, kept so that the order never changes by itself.

Forward decay (Cormode, Shkapenyuk, Srivastava, Xu: ICDE 2009) in the log domain: a standing keeps
L = log2 sum(w_i * 2^(t_i/H)), one float, t_i/H in half-lives since the Unix epoch; the score now is 2^(L - now/H).
Weights come in whole milli-points and are scaled to points here.
"""

import math
from collections.abc import Callable
from datetime import datetime

DAY_SECONDS = 86_400.0
LN2 = math.log(2.0)


def half_lives(at: datetime, half_life_days: float) -> float:
    """An instant as half-lives since the Unix epoch."""
    return at.timestamp() / (DAY_SECONDS * half_life_days)


def entry_log(milli_points: int, at: datetime, half_life_days: float) -> float | None:
    """L of a single entry; None for one without points."""
    if milli_points <= 0:
        return None
    return math.log2(milli_points / 1000) + half_lives(at, half_life_days)


def log_add(left: float | None, right: float | None) -> float | None:
    """L of two sums together: log2(2^left + 2^right), without leaving the log domain."""
    if left is None or right is None:
        return left if right is None else right
    high, low = (left, right) if left > right else (right, left)
    return high + math.log1p(math.exp2(low - high)) / LN2


def score_at(score_log: float | None, now: datetime, half_life_days: float) -> float:
    """The points a standing is worth now."""
    return scorer(now, half_life_days)(score_log)


def scorer(now: datetime, half_life_days: float) -> Callable[[float | None], float]:
    """`score_at` for many standings at one moment."""
    age = half_lives(now, half_life_days)
    return lambda score_log: 0.0 if score_log is None else math.exp2(score_log - age)


def log_of(points: float, now: datetime, half_life_days: float) -> float:
    """The L that is worth `points` now (points > 0): to compare a minimum score with stored standings."""
    return math.log2(points) + half_lives(now, half_life_days)


def worth_now(milli_points: int, at: datetime, now: datetime, half_life_days: float) -> float:
    """What one entry is worth now, in points, with its sign."""
    age = half_lives(now, half_life_days) - half_lives(at, half_life_days)
    return milli_points / 1000 * math.exp2(-age)


def in_hundredths(values: list[float]) -> list[int]:
    """Each value in hundredths, so that the roundings add up exactly to the rounded sum: each step of the running sum
    is rounded, not each value (so a value may be shown one hundredth off)."""
    shown, running, said = [], 0.0, 0
    for value in values:
        running += value
        shown.append(round(running * 100) - said)
        said += shown[-1]
    return shown
