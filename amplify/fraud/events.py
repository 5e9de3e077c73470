"""Facts about misuse that other floors react to."""

from collections.abc import Collection
from dataclasses import dataclass


@dataclass(frozen=True)
class HoldsChanged:
    """What is held or refused of these advocates is another now: ask holds.in_force."""

    advocate_ids: Collection[int]
