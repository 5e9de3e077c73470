"""Facts about clicks and conversions that other floors react to."""

from dataclasses import dataclass

from amplify.sharing.models import ShareLink
from amplify.tracking.models import Click, Conversion, Refund


@dataclass(frozen=True)
class HumanClicked:
    """A click was judged human and the first of its visitor on this link within 24 hours."""

    click: Click
    link: ShareLink


@dataclass(frozen=True)
class Converted:
    """A conversion was stored and attributed to a link."""

    conversion: Conversion
    link: ShareLink


@dataclass(frozen=True)
class ConversionRefunded:
    """An attributed conversion was fully refunded."""

    conversion: Conversion
    refund: Refund
    link: ShareLink
