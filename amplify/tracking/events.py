"""Facts about clicks and conversions that other floors react to."""

from collections.abc import Sequence
from dataclasses import dataclass

from amplify.sharing.models import ShareLink
from amplify.tracking.models import ClickFacts, Conversion, Refund


@dataclass(frozen=True)
class HumansClicked:
    """These clicks were judged human, each the first of its visitor on its link within 24 hours; in their order.

    One fact for a batch: when a post goes viral, its points are one statement rather than thousands.
    """

    clicks: Sequence[tuple[ClickFacts, ShareLink]]


@dataclass(frozen=True)
class ClicksReclassified:
    """Judged again, these clicks are a person's first after all, and those are not; each in their order.

    Under other rules, or since what came behind them shows them to be the beginning of a burst.
    """

    gained: Sequence[tuple[ClickFacts, ShareLink]]
    lost: Sequence[tuple[ClickFacts, ShareLink]]


@dataclass(frozen=True)
class Converted:
    """A conversion was stored and attributed to a link."""

    conversion: Conversion
    link: ShareLink


@dataclass(frozen=True)
class OrderClaimed:
    """An order known already was told with a click on another link; it was refused, and this is noted."""

    conversion: Conversion
    link: ShareLink


@dataclass(frozen=True)
class ConversionRefunded:
    """A conversion was fully refunded; `link` is the one it was attributed to, or that the shop named."""

    conversion: Conversion
    refund: Refund
    link: ShareLink
