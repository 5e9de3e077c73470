"""A measured start as figures people can trust: each with its definition and, where it was measured, its interval."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

from amplify.core.charts import Chart, Series
from amplify.core.i18n import gettext as _
from amplify.core.i18n import lazy_gettext as _l
from amplify.core.intervals import Interval, newcombe, welch, wilson
from amplify.insights.measuring import Group, Measured

Unit = Literal["percent", "number", "money"]
# Below this many in a group a figure says little, and the page says so.
FEW = 30


@dataclass(frozen=True)
class Rate:
    """A part of a whole, with its interval."""

    name: str
    label: Any
    definition: Any
    part: int
    whole: int

    @property
    def interval(self) -> Interval | None:
        return wilson(self.part, self.whole)


@dataclass(frozen=True)
class Comparison:
    """One outcome in both groups, and by how much they differ. Money in minor units."""

    name: str
    label: Any
    definition: Any
    unit: Unit
    rewarded: float | None
    held_out: float | None
    interval: Interval | None

    @property
    def difference(self) -> float | None:
        return None if self.rewarded is None or self.held_out is None else self.rewarded - self.held_out


@dataclass(frozen=True)
class Gain:
    """What the rewards brought beyond what would have been anyway, over all who were rewarded."""

    conversions: float
    conversions_interval: Interval | None
    revenue_minor: float
    revenue_interval: Interval | None
    cost_minor: int

    @property
    def cost_per_conversion(self) -> float | None:
        """None: no conversion more than without."""
        return self.cost_minor / self.conversions if self.conversions > 0 else None

    @property
    def cost_interval(self) -> tuple[float, float | None] | None:
        """From the most to the fewest conversions it may have brought; no end where it may have brought none."""
        within = self.conversions_interval
        if within is None or within.high <= 0:
            return None
        return self.cost_minor / within.high, self.cost_minor / within.low if within.low > 0 else None


RATES = (
    ("sent", _l("Delivered"), _l("Pushes that the other side took, of all pushes.")),
    ("failed", _l("Bounced"), _l("Pushes that were refused for good, of all pushes.")),
    ("redeemed", _l("Redeemed"), _l("Rewards that were used, of those delivered.")),
)
# Only of a brand that counts them, and never the truth: redemption is.
OPENED = (
    "opened",
    _l("Opened (unreliable)"),
    _l(
        "Mails whose picture was loaded, of those delivered, but for loads known to be a machine's. Programs load it "
        "unasked and people read without it: go by what was redeemed."
    ),
)
SHARES = (
    ("shares", _l("Shared"), _l("People with a share, opened in the window, that a person's click confirmed.")),
    ("clicks", _l("Were followed"), _l("People whose shares of the window a person followed in it.")),
    ("conversions", _l("Converted"), _l("People whose shares of the window led to a purchase in it, not refunded.")),
)
MEANS: tuple[tuple[str, Any, Any, Unit], ...] = (
    ("shares", _l("Shares a person"), _l("Confirmed shares, per person of the group."), "number"),
    ("clicks", _l("Human clicks a person"), _l("Visits by people through shares of the window, per person."), "number"),
    ("conversions", _l("Conversions a person"), _l("Purchases through shares of the window, per person."), "number"),
    ("revenue", _l("Revenue a person"), _l("What those purchases came to, less refunds, per person."), "money"),
)


def rates(measured: Measured) -> list[Rate]:
    """What became of the pushes."""
    told = measured.delivered
    wholes = {"sent": told.pushed, "failed": told.pushed, "redeemed": told.sent, "opened": told.sent}
    shown = [*RATES, *([OPENED] if told.opened or told.opened_by_machines else [])]
    return [Rate(name, label, said, getattr(told, name), wholes[name]) for name, label, said in shown]


def comparisons(measured: Measured) -> list[Comparison]:
    """Each outcome in both groups: first how many people had any, then how much there was of it per person."""
    one, other = measured.rewarded, measured.held_out
    return [
        *(
            Comparison(f"{name}_rate", label, said, "percent", *_shares(name, one, other))
            for name, label, said in SHARES
        ),
        *(Comparison(name, label, said, unit, *_means(name, one, other)) for name, label, said, unit in MEANS),
    ]


def gain(measured: Measured) -> Gain | None:
    """What was gained; None where nobody was kept back, so that nothing can be compared."""
    one, other = measured.rewarded, measured.held_out
    if not one.people or not other.people:
        return None

    def of(name: str) -> tuple[float, Interval | None]:
        rewarded, held_out, interval = _means(name, one, other)
        return one.people * ((rewarded or 0) - (held_out or 0)), interval and interval.times(one.people)

    return Gain(*of("conversions"), *of("revenue"), measured.delivered.whole_cost_minor)


def told(measured: Measured) -> dict[str, Any]:
    """The same for programs: plain values by name, each difference with its interval; money in minor units."""
    gained = gain(measured)
    return {
        "since": measured.since.isoformat(),
        "until": measured.until.isoformat(),
        "currency": measured.currency,
        "rewarded": measured.rewarded.people,
        "held_out": measured.held_out.people,
        **asdict(measured.delivered),
        "compared": {
            one.name: {"rewarded": one.rewarded, "held_out": one.held_out, "interval": one.interval}
            for one in comparisons(measured)
        },
        "gained": asdict(gained) | {"cost_per_conversion": gained.cost_per_conversion} if gained else None,
    }


def picture(measured: Measured) -> Chart:
    """The shares of both groups side by side."""
    shown = [one for one in comparisons(measured) if one.unit == "percent"]
    return Chart(
        kind="columns",
        title=str(_("People with an outcome, by group")),
        axis=str(_("Outcome")),
        categories=[str(one.label) for one in shown],
        series=[
            Series(str(_("Rewarded")), [one.rewarded for one in shown], "accent"),
            Series(str(_("Kept back")), [one.held_out for one in shown], "muted"),
        ],
        unit="percent",
        note=str(
            _(
                "Of %(rewarded)s people rewarded and %(kept)s kept back.",
                rewarded=measured.rewarded.people,
                kept=measured.held_out.people,
            )
        ),
    )


def _shares(name: str, one: Group, other: Group) -> tuple[float | None, float | None, Interval | None]:
    parts = one.having[name], one.people, other.having[name], other.people
    return _ratio(*parts[:2]), _ratio(*parts[2:]), newcombe(*parts)


def _means(name: str, one: Group, other: Group) -> tuple[float | None, float | None, Interval | None]:
    sums = one.sums[name], other.sums[name]
    return sums[0].mean, sums[1].mean, welch(*sums)


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None
