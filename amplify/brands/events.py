"""Facts about brands that other floors react to."""

from dataclasses import dataclass

from amplify.brands.models import Brand


@dataclass(frozen=True)
class ScoringChanged:
    """Weights, half-life or the rule for equal scores changed: standings are rebuilt from the ledger (product.md)."""

    brand: Brand


@dataclass(frozen=True)
class RiskPolicyChanged:
    """The risk from which things are held or refused is another."""

    brand: Brand
