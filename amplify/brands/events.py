"""Facts about brands that other floors react to."""

from dataclasses import dataclass

from amplify.brands.models import Brand


@dataclass(frozen=True)
class ScoringChanged:
    """The weights or the half-life changed: standings are rebuilt from the ledger (product.md, Score)."""

    brand: Brand
