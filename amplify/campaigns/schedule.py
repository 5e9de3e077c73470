"""From the wall time a marketer types to the one instant it means, also on the nights when it means none or two."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Literal
from zoneinfo import ZoneInfo

from amplify.core import clock
from amplify.core.errors import Invalid
from amplify.core.i18n import lazy_gettext as _l

# Nobody plans further; the rules of time zones say nothing about it either.
LAST_YEAR = 2200
LOCAL = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}")
Case = Literal["exact", "gap", "overlap"]


@dataclass(frozen=True)
class Reading:
    """A wall time as it was understood: the instant, and whether a clock change had to be decided.

    gap: that wall time does not exist there (spring), the next moment that exists was taken.
    overlap: it exists twice (autumn), the first was taken.
    """

    instant: datetime
    case: Case


@lru_cache(maxsize=1)
def zone_names() -> tuple[str, ...]:
    """The zones a marketer may choose, sorted; only the ones named after places, and UTC."""
    return ("UTC", *sorted(name for name in clock.zone_names() if "/" in name and not name.startswith("Etc/")))


def zone_of(name: str, field: str = "timezone") -> ZoneInfo:
    """The zone. Raises Invalid naming `field`."""
    if name not in clock.zone_names():
        raise Invalid(field, "timezone", _l("This time zone is not known."))
    return ZoneInfo(name)


def read_local(local: str, zone: str, field: str = "starts_local") -> Reading:
    """What "2026-03-29T02:30" means in "Europe/Berlin". Raises Invalid naming `field` or "timezone"."""
    tz = zone_of(zone)
    wall = _parse(local, field)
    first, second = (wall.replace(tzinfo=tz, fold=fold) for fold in (0, 1))
    if first.utcoffset() == second.utcoffset():
        return Reading(first.astimezone(UTC), "exact")
    if first.astimezone(UTC).astimezone(tz).replace(tzinfo=None) == wall:
        return Reading(first.astimezone(UTC), "overlap")
    return Reading(_end_of_gap(first.astimezone(UTC), second.astimezone(UTC), tz), "gap")


def instant_of(local: str, zone: str) -> datetime:
    """The instant alone, aware UTC; see `read_local`."""
    return read_local(local, zone).instant


def local_of(instant: datetime, zone: str) -> str:
    """The wall time of an instant in a zone, as a form field writes it."""
    return instant.astimezone(ZoneInfo(zone)).strftime("%Y-%m-%dT%H:%M")


def _parse(local: str, field: str) -> datetime:
    refused = Invalid(field, "local-time", _l("Give date and time as 2026-11-22T09:00."))
    if not LOCAL.fullmatch(local) or not local.isascii():
        raise refused
    try:
        wall = datetime.strptime(local, "%Y-%m-%dT%H:%M")  # noqa: DTZ007 - a wall time has no zone yet
    except ValueError:
        raise refused from None
    if not 2000 <= wall.year <= LAST_YEAR:
        raise refused
    return wall


def _end_of_gap(late: datetime, early: datetime, tz: ZoneInfo) -> datetime:
    """The instant of the clock change. In a gap fold=0 reads with the offset before it and so lands after it; fold=1
    reads with the one after it and lands before: the change lies between, to the second."""
    after = late.astimezone(tz).utcoffset()
    low, high = early, late
    while high - low > timedelta(seconds=1):
        middle = low + (high - low) // 2
        middle = middle.replace(microsecond=0)
        low, high = (low, middle) if middle.astimezone(tz).utcoffset() == after else (middle, high)
    return high
