"""A brand at a fixed noon, as for the boards."""

from tests.leaderboards.conftest import noon, world

__all__ = ["noon", "world"]
