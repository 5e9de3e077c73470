"""Rates from few observations, shrunk toward the brand's own mean (empirical Bayes, beta-binomial), with an interval.

Of n human clicks x led to a purchase. Every advocate's rate is taken to come from one beta distribution, the brand's,
whose mean and strength (how many clicks it is worth) are estimated from everybody by moments (Kleinman, JASA 68, 1973,
section 3, with weights n). The rate shown is the mean of the posterior, Beta(mean * strength + x, ... + n - x).
"""

import math
from collections.abc import Iterable
from typing import NamedTuple

# Whatever few people suggest, the brand is worth at least so many clicks, and never so many that nobody can differ.
WEAKEST, STRONGEST = 10.0, 10_000.0
TAIL = 0.025  # outside the interval, on each side
TINY, CLOSE = 1e-300, 1e-12

# (clicks, purchases, how many have both)
Pair = tuple[int, int, int]


class Prior(NamedTuple):
    """What is known of a brand's rates before looking at one person."""

    mean: float
    strength: float


class Rate(NamedTuple):
    """A shrunk rate, its credible interval of 95 %, and the clicks it rests on."""

    mean: float
    low: float
    high: float
    n: int


def prior_of(pairs: Iterable[Pair]) -> Prior:
    """The brand's prior from everybody with at least one click; half a purchase in one click while there is nothing."""
    people = clicks = bought = squares = 0
    spread = 0.0
    for n, x, count in pairs:
        people, clicks, bought = people + count, clicks + n * count, bought + x * count
        squares, spread = squares + n * n * count, spread + x * x / n * count
    mean = (bought + 0.5) / (clicks + 1)
    odds = mean * (1 - mean)
    freedom = clicks - squares / clicks - (people - 1) if clicks else 0.0
    if freedom <= 0:
        return Prior(mean, WEAKEST)
    between = (spread - bought * bought / clicks - odds * (people - 1)) / (odds * freedom)
    strength = STRONGEST if between <= 0 else (1 - between) / between
    return Prior(mean, min(max(strength, WEAKEST), STRONGEST))


def rate_of(prior: Prior, n: int, x: int) -> Rate:
    """The rate of somebody with x purchases of n clicks."""
    a, b = _posterior(prior, n, x)
    return Rate(a / (a + b), quantile(a, b, TAIL), quantile(a, b, 1 - TAIL), n)


def lowest(prior: Prior, n: int, x: int) -> float:
    """The lower end of that interval."""
    return quantile(*_posterior(prior, n, x), TAIL)


def _posterior(prior: Prior, n: int, x: int) -> tuple[float, float]:
    return prior.mean * prior.strength + x, (1 - prior.mean) * prior.strength + n - x


def quantile(a: float, b: float, p: float) -> float:
    """The value below which a share p of Beta(a, b) lies: Newton's steps, kept inside a shrinking bracket."""
    low, high, x = 0.0, 1.0, a / (a + b)
    scale = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
    for _step in range(200):
        error = distribution(a, b, x) - p
        low, high = (low, x) if error > 0 else (x, high)
        density = math.exp(scale + (a - 1) * math.log(x) + (b - 1) * math.log1p(-x))
        further = x - error / density if density > TINY else 0.0
        if not low < further < high:
            further = (low + high) / 2
        if abs(further - x) <= CLOSE * x or high - low < TINY:
            return further
        x = further
    return x


def distribution(a: float, b: float, x: float) -> float:
    """The share of Beta(a, b) below x: the regularized incomplete beta function (DLMF 8.17.22 and 8.17.4)."""
    if x <= 0 or x >= 1:
        return float(x >= 1)
    if x > (a + 1) / (a + b + 2):
        return 1 - distribution(b, a, 1 - x)
    scale = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) - math.log(a)
    return math.exp(scale + a * math.log(x) + b * math.log1p(-x)) * _fraction(a, b, x)


def _fraction(a: float, b: float, x: float) -> float:
    """The continued fraction of DLMF 8.17.22, by Lentz's method (Thompson and Barnett, J. Comp. Phys. 64, 1986)."""
    c, d = 1.0, 1 / (1 - (a + b) * x / (a + 1))
    value = d
    for m in range(1, 10_000):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            d = 1 / ((1 + term * d) or TINY)
            c = (1 + term / c) or TINY
            value *= c * d
        if abs(c * d - 1) < CLOSE:
            break
    return value
