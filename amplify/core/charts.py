"""What a chart is, apart from how it is drawn: ECharts draws it; the page always prints its figures as a table too."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

Tone = Literal["", "accent", "promoter", "passive", "detractor", "muted"]
KINDS = ("bars", "columns", "stacked", "lines")


@dataclass(frozen=True)
class Series:
    """One row of figures, one per category; None is a gap (nothing measured), which is not zero."""

    name: str
    values: Sequence[float | int | None]
    tone: Tone = ""


@dataclass(frozen=True)
class Chart:
    """`bars` lie, `columns` stand, `stacked` lie and add up, `lines` run over time.

    `unit` "percent" takes ratios (0.25 is printed as 25 %). `axis` names the categories ("Business line").
    `note` is the small print: numerator, denominator, window.
    """

    kind: Literal["bars", "columns", "stacked", "lines"]
    title: str
    axis: str
    categories: Sequence[str]
    series: Sequence[Series]
    unit: Literal["number", "percent"] = "number"
    note: str = ""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"kind {self.kind!r} is none of {KINDS}")
        for series in self.series:
            if len(series.values) != len(self.categories):
                raise ValueError(
                    f"series {series.name!r}: {len(series.values)} values, {len(self.categories)} categories"
                )

    def spec(self) -> dict[str, Any]:
        """What static/js/charts.js reads; plain JSON types only (lazy translations are rendered here)."""
        return {
            "kind": self.kind,
            "title": str(self.title),
            "unit": self.unit,
            "categories": [str(name) for name in self.categories],
            "series": [{"name": str(one.name), "values": list(one.values), "tone": one.tone} for one in self.series],
        }
