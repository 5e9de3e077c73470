"""The one place that asks what time it is, so that every instant is aware UTC and the demo can make a past."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from functools import cache
from zoneinfo import available_timezones

_told: ContextVar[datetime | None] = ContextVar("amplify_told_time", default=None)


def now() -> datetime:
    """The current instant, aware, in UTC."""
    return _told.get() or datetime.now(UTC)


@contextmanager
def at(instant: datetime) -> Iterator[None]:
    """Inside, it is `instant` (aware). Only the demo's history is made with it."""
    token = _told.set(instant.astimezone(UTC))
    try:
        yield
    finally:
        _told.reset(token)


@cache
def zone_names() -> frozenset[str]:
    """Every IANA time zone this machine knows. Asking zoneinfo each time walks hundreds of folders."""
    return frozenset(available_timezones())
