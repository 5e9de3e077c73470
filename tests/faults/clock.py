"""Sets the clock of workers forward and back around starts on the nights when the clocks change, in five time zones.

The workers run under libfaketime, which tells them another time; nothing in the program knows. Needs Linux and that
library: the package `faketime` of Debian and its like, or `pip install libfaketime`; FAKETIME_LIBRARY names another
place.
"""

import os
import time
from argparse import Namespace
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.brands.models import Brand
from amplify.campaigns import recurrence
from amplify.campaigns import services as campaigns
from amplify.campaigns.models import Campaign, Occurrence
from amplify.core.db import reading
from amplify.rewards import services
from amplify.rewards.models import Push
from tests.campaigns.making import make_campaign
from tests.faults.site import Site, site
from tests.faults.worker import Plan, Row
from tests.rewards.making import BEFORE, REWARD_TEXTS, reward_in

ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Santiago", "Antarctica/Troll")
YEAR = 2031
TIMES, PEOPLE = 3, 2
FIRST_LOOK, HOUR, DAY = timedelta(seconds=3), timedelta(hours=1), timedelta(days=1)
PATIENCE_SECONDS, SETTLED_SECONDS = 40.0, 4.0
LIBRARIES = ("/usr/lib/*/faketime/libfaketime.so.1", "/usr/lib/faketime/libfaketime.so.1")


class Night(NamedTuple):
    """A wall time that does not exist, or comes twice, in a zone."""

    zone: str
    wall: datetime


class Due(NamedTuple):
    """A start that is to happen."""

    at: datetime
    campaign_id: int


def library() -> Path | None:
    """Where libfaketime is on this machine."""
    if named := os.environ.get("FAKETIME_LIBRARY"):
        return Path(named)
    found = [path for pattern in LIBRARIES for path in Path("/").glob(pattern[1:])]
    packaged = find_spec("libfaketime")
    if packaged is not None and packaged.origin:
        found += Path(packaged.origin).parent.glob("vendor/libfaketime/src/libfaketime.so.1")
    return found[0] if found else None


def nights(zone: str) -> Iterator[Night]:
    """The nights of the year when the clocks of a zone change, ten minutes into what is skipped or repeated."""
    info, at = ZoneInfo(zone), datetime(YEAR, 1, 1, tzinfo=UTC)
    while at.year == YEAR:
        before, after = at.astimezone(info).utcoffset(), (at + timedelta(minutes=30)).astimezone(info).utcoffset()
        assert before is not None
        assert after is not None
        at += timedelta(minutes=30)
        if before != after:
            yield Night(zone, (at + min(before, after) + timedelta(minutes=10)).replace(tzinfo=None))


class Time:
    """What the workers take for the time: the real one and so many seconds."""

    def __init__(self, folder: Path, preload: Path) -> None:
        self._file = folder / "offset"
        self.environ = {
            "LD_PRELOAD": str(preload), "FAKETIME_TIMESTAMP_FILE": str(self._file), "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1", "TZ": "UTC",
        }  # fmt: skip

    def jump(self, to: datetime) -> None:
        """From now on it is this instant for them, and goes on from there."""
        new = self._file.with_suffix(".new")
        new.write_text(f"{(to - datetime.now(UTC)).total_seconds():+.3f}s\n")
        new.replace(self._file)


def jumps(plan: Plan, zones: tuple[str, ...] = ZONES, bug: str = "") -> Row:
    """Starts of a week before, on and after each such night; around each the clock jumps."""
    began, preload = time.monotonic(), library()
    assert preload is not None  # plan_of has looked
    with site(plan.new_database(), plan.place(f"clock{bug}"), bug=bug, people=PEOPLE) as one:
        faked = Time(one.folder, preload)
        one.environ = faked.environ
        dues = sorted(due for zone in zones for night in nights(zone) for due in _schedule(one, night))
        faked.jump(dues[0].at - DAY)
        one.until_ready(*(one.start_worker(worker_poll_seconds="1.0") for _ in range(2)))
        wrongs = [wrong for number, due in enumerate(dues) for wrong in _around(one, faked, due, number)]
        faked.jump(dues[-1].at + 400 * DAY)
        time.sleep(SETTLED_SECONDS)
        wrongs += _counted(one, dues)
    did = f"{len(dues)} starts of {len(dues) // TIMES} campaigns, forward and back by an hour and a day, two workers"
    return Row(plan.database, "clock jumps", did, wrongs, time.monotonic() - began, bug=bug)


def _schedule(one: Site, night: Night) -> list[Due]:
    """A campaign that starts on that night, a week before and a week after; its starts."""
    first = night.wall - timedelta(days=7)
    repeats = {"kind": "weekly", "weekdays": [first.weekday()], "count": TIMES}
    said: dict[str, Any] = {"timezone": night.zone, "starts_local": first.strftime("%Y-%m-%dT%H:%M")}
    with Session(one.engine) as session, session.begin():
        brand = session.get_one(Brand, one.brand.id)
        made = make_campaign(session, brand, texts=REWARD_TEXTS, repeats=repeats, **said)
        services.attach(session, made, reward_in(), "user:1")
        campaigns.schedule(session, made, BEFORE, "user:1")
        found = recurrence.upcoming(made.repeats, made.starts_local, made.timezone, BEFORE, None, TIMES)
        return [Due(due.at, made.id) for due in found]


def _around(one: Site, faked: Time, due: Due, number: int) -> Iterator[str]:
    """Come to a start, then jump on, and back to the moments before it: it must come, and not again."""
    faked.jump(due.at - FIRST_LOOK)
    if not one.until(lambda: _started(one, due), PATIENCE_SECONDS):
        yield f"the start of {due.at} did not come within {PATIENCE_SECONDS:.0f} s"
    far = (HOUR, DAY)[number % 2]
    faked.jump(due.at + far)
    time.sleep(SETTLED_SECONDS / 2)
    faked.jump(due.at - FIRST_LOOK)
    time.sleep(SETTLED_SECONDS + FIRST_LOOK.total_seconds())


def _started(one: Site, due: Due) -> bool:
    early = due.at - timedelta(seconds=5)
    mine = Occurrence.campaign_id == due.campaign_id, Occurrence.number.is_not(None)
    with reading(), one.engine.connect() as connection, connection.begin():
        found = sa.select(sa.func.count()).select_from(Occurrence).where(*mine, Occurrence.due_at >= early)
        return bool(connection.scalar(found))


def _counted(one: Site, dues: list[Due]) -> list[str]:
    """What is wrong with the starts and with what they gave."""
    told = []
    with reading(), Session(one.engine) as session:
        for campaign_id, number in Counter(due.campaign_id for due in dues).items():
            campaign = session.get_one(Campaign, campaign_id)
            if campaign.occurrence != number:
                told.append(f"campaign {campaign_id} ({campaign.timezone}) started {campaign.occurrence} times")
            decided = session.scalars(sa.select(Occurrence.due_at).where(Occurrence.campaign_id == campaign_id)).all()
            if sorted(decided) != [due.at for due in dues if due.campaign_id == campaign_id]:
                told.append(f"campaign {campaign_id} ({campaign.timezone}) started at other times than it was to")
            pushes = session.scalar(sa.select(sa.func.count()).where(Push.campaign_id == campaign_id))
            if pushes != number * PEOPLE:
                told.append(f"campaign {campaign_id} gave {pushes} times instead of {number * PEOPLE}")
    return told


def run(plan: Plan) -> Iterator[Row]:
    """A clock that remembers by itself what it started comes first: it must be caught."""
    yield jumps(plan, ZONES[:1], bug="clock-is-the-memory")
    yield jumps(plan)


def plan_of(database: str, new_database: Callable[[], str], folder: Path, options: Namespace) -> Plan:
    if library() is None:
        raise SystemExit(
            "False times need libfaketime, which is not on this machine: the package faketime of Debian and others, or "
            "`.venv/bin/pip install libfaketime`; FAKETIME_LIBRARY names another place of libfaketime.so.1."
        )
    return Plan(database, new_database, folder, seed=options.seed)
