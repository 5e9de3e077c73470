"""The Net Promoter Score of a group of answers, with the interval that says how far it can be trusted."""

from dataclasses import dataclass
from math import sqrt

# Fewer answers than this and a score says more about luck than about the group: it is marked and never tops a list.
# With 30 answers the 95 % interval is still about 25 points to each side.
ENOUGH = 30
Z95 = 1.959964  # the 97.5 % point of the normal distribution


@dataclass(frozen=True)
class NpsRow:
    """One group: how many answers, how they split, the NPS (-100..100) and its 95 % interval; None without answers."""

    key: str | None
    name: str | None
    n: int
    promoters: int
    passives: int
    detractors: int
    nps: float | None
    low: float | None
    high: float | None

    @property
    def is_small(self) -> bool:
        """Too few answers to be compared with others."""
        return self.n < ENOUGH


def score(promoters: int, passives: int, detractors: int) -> float | None:
    """Percentage of promoters minus percentage of detractors, -100 to 100; None without answers."""
    n = promoters + passives + detractors
    return 100 * (promoters - detractors) / n if n else None


def interval(promoters: int, passives: int, detractors: int) -> tuple[float, float] | None:
    """The 95 % interval of the NPS, within -100..100; None without answers.

    Adjusted Wald AW(3, T): three answers are added in the proportions 1/4, 1/2, 1/4 to promoters, passives and
    detractors, then the normal approximation with the multinomial variance p + d - (p - d)^2 is used. B. Rocks,
    "Interval Estimation for the 'Net Promoter Score'", The American Statistician 70(4), 2016, 365-372, found its
    coverage the best of the methods compared; the plain normal interval is far too short for few answers.
    """
    if not promoters + passives + detractors:
        return None
    n = promoters + passives + detractors + 3
    p, d = (promoters + 0.75) / n, (detractors + 0.75) / n
    margin = Z95 * sqrt((p + d - (p - d) ** 2) / n)
    return max(-100.0, 100 * (p - d - margin)), min(100.0, 100 * (p - d + margin))


def row(key: str | None, name: str | None, promoters: int, passives: int, detractors: int) -> NpsRow:
    """The counts of a group as a row with score and interval."""
    low, high = interval(promoters, passives, detractors) or (None, None)
    return NpsRow(
        key=key,
        name=name,
        n=promoters + passives + detractors,
        promoters=promoters,
        passives=passives,
        detractors=detractors,
        nps=score(promoters, passives, detractors),
        low=low,
        high=high,
    )


def ranked(rows: list[NpsRow]) -> list[NpsRow]:
    """Best first, but groups with too few answers after all others, the largest of them first."""
    return sorted(rows, key=lambda r: (r.is_small, -r.n if r.is_small else 0, -(r.nps or 0.0), r.name or ""))
