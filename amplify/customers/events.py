"""Facts about people that other floors react to."""

from dataclasses import dataclass


@dataclass(frozen=True)
class PersonErased:
    """A person of this brand asked to be forgotten: whatever waits to be read in may name them, too."""

    brand_id: int
