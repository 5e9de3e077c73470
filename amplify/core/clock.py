"""The one place that asks what time it is, so that a test can move it and every instant is aware UTC."""

from datetime import UTC, datetime


def now() -> datetime:
    """The current instant, aware, in UTC."""
    return datetime.now(UTC)
