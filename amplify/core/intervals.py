"""How sure a measured figure is: 95 % intervals of a proportion, of a difference of two, and of a difference of means.

Each formula names its source. None of them draws at random, so the same data always say the same.
"""

from math import sqrt
from statistics import NormalDist
from typing import NamedTuple

CONFIDENCE = 0.95
Z = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)


class Interval(NamedTuple):
    """Where the true figure lies, in 95 of 100 such measurements."""

    low: float
    high: float

    @property
    def holds_zero(self) -> bool:
        """Nothing has been shown: no difference at all would fit as well."""
        return self.low <= 0 <= self.high

    def times(self, factor: float) -> "Interval":
        """The interval of the figure times a factor that is not negative."""
        return Interval(self.low * factor, self.high * factor)


class Sums(NamedTuple):
    """How many values there are, their sum, and the sum of their squares: all that a mean and its variance take."""

    n: int
    total: float
    squares: float

    @property
    def mean(self) -> float | None:
        return self.total / self.n if self.n else None

    @property
    def variance(self) -> float:
        """Of the sample, with n - 1; 0 for fewer than two values."""
        if self.n < 2:
            return 0.0
        return max(0.0, (self.squares - self.total**2 / self.n) / (self.n - 1))


def wilson(part: int, whole: int) -> Interval | None:
    """Of a proportion: the score interval (E. B. Wilson, JASA 22, 1927, 209-212), good for few and rare cases too."""
    if not whole:
        return None
    p, z2 = part / whole, Z * Z / whole
    centre, reach = p + z2 / 2, Z * sqrt(p * (1 - p) / whole + z2 / whole / 4)
    return Interval(max(0.0, (centre - reach) / (1 + z2)), min(1.0, (centre + reach) / (1 + z2)))


def newcombe(part: int, whole: int, other_part: int, other_whole: int) -> Interval | None:
    """Of the difference of two independent proportions: the hybrid of their Wilson intervals (R. G. Newcombe,
    Statistics in Medicine 17, 1998, 873-890, method 10)."""
    one, other = wilson(part, whole), wilson(other_part, other_whole)
    if one is None or other is None:
        return None
    p, q = part / whole, other_part / other_whole
    below = sqrt((p - one.low) ** 2 + (other.high - q) ** 2)
    above = sqrt((one.high - p) ** 2 + (q - other.low) ** 2)
    return Interval(p - q - below, p - q + above)


def welch(one: Sums, other: Sums) -> Interval | None:
    """Of the difference of two means whose variances may differ (B. L. Welch, Biometrika 34, 1947, 28-35), with the
    degrees of freedom of Satterthwaite (Biometrics Bulletin 2, 1946, 110-114). None for groups of fewer than two."""
    if one.n < 2 or other.n < 2:
        return None
    share, other_share = one.variance / one.n, other.variance / other.n
    error = share + other_share
    if not error:
        return None
    freedom = error**2 / (share**2 / (one.n - 1) + other_share**2 / (other.n - 1))
    difference, reach = one.total / one.n - other.total / other.n, t_quantile(freedom) * sqrt(error)
    return Interval(difference - reach, difference + reach)


def t_quantile(freedom: float) -> float:
    """Student's t that 95 % lie within, by the expansion in powers of 1/freedom (Abramowitz and Stegun, 26.7.5);
    right to 0.1 % from four degrees of freedom on."""
    z = Z
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92_160,
    )
    return z + sum(term / freedom**power for power, term in enumerate(terms, 1))
