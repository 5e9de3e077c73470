"""Which visits of a rush wait: those through its links in its hours, but for as many as are usual there.

Anybody can send machines to anybody. So a rush must not lift whoever it was sent to, nor cost them what friends bring
on the same day: what came through other links, and before and after the rush, counts at once.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from math import sqrt
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.fraud.counting import WEEKS
from amplify.sharing.models import ShareLink
from amplify.tracking.counting import hour_of
from amplify.tracking.models import ClickCount

# A link younger than this has its visits taken over so many days all the same: one good day is not a habit.
SOME_DAYS = 7

# Link -> hour since the Unix epoch -> human clicks.
Hourly = Mapping[int, Mapping[int, int]]


class Rush(NamedTuple):
    """The clicks of a link from one hour to another (since the Unix epoch, both included), but for the first few."""

    link_id: int
    first: int
    last: int
    keeps: int

    def covers(self, link_id: int | None, at: datetime) -> bool:
        """Whether a click lies in it."""
        return link_id == self.link_id and self.first <= hour_of(at) <= self.last


def read(session: Session, advocate_id: int, days: Iterable[str]) -> Hourly:
    """An advocate's human clicks on these days and in the four weeks before them, by link and hour."""
    hours: dict[int, dict[int, int]] = defaultdict(dict)
    begins = [_first_hour(day) for day in days]
    since = min(begins) - WEEKS.days * 24, max(begins) + 24
    mine = sa.select(ClickCount.link_id, ClickCount.hour, sa.func.sum(ClickCount.n))
    mine = mine.join(ShareLink, ShareLink.id == ClickCount.link_id).where(ShareLink.advocate_id == advocate_id)
    human = mine.where(ClickCount.verdict == "human", ClickCount.hour >= since[0], ClickCount.hour < since[1])
    for link_id, hour, n in session.execute(human.group_by(ClickCount.link_id, ClickCount.hour)):
        hours[link_id][hour] = int(n)
    return hours


def rushes_of(hourly: Hourly, day: str, busy: Iterable[str], threshold: int) -> list[Rush]:
    """What waits of a day with a rush. `busy` are all the advocate's days with one: they say nothing of what is usual.

    Links on which hardly anything happened are left alone, unless they make a rush of `threshold` clicks together.
    """
    begin = _first_hour(day)
    usual = {link_id: _usual(hours, day, busy) for link_id, hours in hourly.items()}
    counts = {link_id: _on_day(hours, begin) for link_id, hours in hourly.items()}
    calm = [one for one in counts if sum(counts[one].values()) <= _bearable(usual[one])]
    if sum(sum(counts[one].values()) for one in calm) >= threshold:
        calm = []
    loud = [one for one in sorted(counts) if one not in calm and counts[one]]
    return [_rush(one, counts[one], begin, usual[one]) for one in loud]


def _rush(link_id: int, hours: Mapping[int, int], begin: int, usual: float) -> Rush:
    """From the hour before more had come than can be chance to the one after which no more came than can be."""
    first, last = begin, begin + 23
    if sum(hours.values()) > _bearable(usual):
        first = max(begin, _exceeds(sorted(hours.items()), usual) - 1)
        last = min(begin + 23, _exceeds(sorted(hours.items(), reverse=True), usual) + 1)
    so_far = min(last, max(hours)) - first + 1
    return Rush(link_id, first, last, round(usual * so_far / 24))


def _exceeds(hours: Iterable[tuple[int, int]], usual: float) -> int:
    """The hour with which more has come than can be chance."""
    come = 0
    for hour, n in hours:
        come += n
        if come > _bearable(usual):
            return hour
    raise ValueError("nothing exceeds")


def _bearable(usual: float) -> float:
    """So many clicks may come where so many are usual: three standard deviations of chance (Poisson), and two more
    where next to nothing is usual."""
    return usual + 3 * sqrt(usual) + 2


def _usual(hours: Mapping[int, int], day: str, busy: Iterable[str]) -> float:
    """Human clicks of the link's average day in the four weeks before, since its first one, leaving out busy days."""
    end = _first_hour(day)
    start = max(end - WEEKS.days * 24, min(hours) // 24 * 24)
    out = {_first_hour(one) for one in busy}
    days = [one for one in range(start, end, 24) if one not in out]
    calm = sum(n for hour, n in hours.items() if start <= hour < end and hour // 24 * 24 not in out)
    return calm / max(SOME_DAYS, len(days))


def _on_day(hours: Mapping[int, int], begin: int) -> dict[int, int]:
    return {hour: n for hour, n in hours.items() if begin <= hour < begin + 24}


def _first_hour(day: str) -> int:
    return (date.fromisoformat(day) - date(1970, 1, 1)) // timedelta(hours=1)


def as_json(rushes: Iterable[Rush]) -> list[Any]:
    """Plain lists, for the row."""
    return [list(rush) for rush in rushes]
