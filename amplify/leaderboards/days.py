"""Windows are whole days in UTC: today and the days before it."""

from datetime import UTC, datetime

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# A week, a month, a quarter.
WINDOWS = (7, 30, 90)


def day_of(at: datetime) -> int:
    """The day of an instant, counted from the Unix epoch."""
    return (at - EPOCH).days


def first_day(days: int, now: datetime) -> int:
    """The oldest day that a window of so many days still holds."""
    return day_of(now) - days + 1
