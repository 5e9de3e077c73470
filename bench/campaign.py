"""Planning a start, from the frozen ranking to the push ledger, against the raw copy of the same rows in the same run.

    python3 run.py bench campaign [--advocates 100000,1000000,3000000] [--db sqlite|postgresql|both] [--bars]
                                  [--keep FOLDER [--fill]]

--bars   the exit code says whether every bar of the run was reached (for a quiet machine)
--keep   filled databases stay in this folder for the next run; what is planned on is a copy
--fill   fill them, and measure nothing

What is planned: everybody on a board, each with a generated code, in a process set up as a worker is, with the worker's
thread that shortens SQLite's log beside it. The raw side is one `INSERT ... SELECT` of the snapshot's rows and one of
the ledger's, into empty tables with the same columns, keys and indexes, in the same process. PostgreSQL has the memory
that docs/operations.md gives it where people are counted in millions.
"""

import argparse
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session

from amplify.campaigns import services as campaigns
from amplify.campaigns.models import Campaign
from amplify.core import bulk, clock, wal
from amplify.core.db import Base, db, reading
from amplify.core.jobs import find, warm_up
from amplify.leaderboards.models import Snapshot, SnapshotRow
from amplify.rewards import planning
from amplify.rewards.models import Push, Reward
from amplify.worker import LOG_SECONDS
from bench import filled
from bench.report import table

MOST_OF_RAW, MOST_GROWTH, LONGEST_SECONDS = 3.0, 1.3, 0.3
COLUMNS = ("advocates", "seconds", "us a row", "raw us a row", "of the raw", "longest s", "memory MB")


@dataclass
class Clocked:
    """How long each transaction of an engine was open for writing."""

    longest: float = 0.0
    began: float = 0.0

    def watch(self, engine: Engine) -> None:
        sa.event.listen(engine, "begin", self._begin)
        sa.event.listen(engine, "commit", self._commit)

    def _begin(self, connection: Any) -> None:
        self.began = time.perf_counter()

    def _commit(self, connection: Any) -> None:
        self.longest = max(self.longest, time.perf_counter() - self.began)


@dataclass(frozen=True)
class Row:
    """One size on one database."""

    advocates: int
    seconds: float
    raw_seconds: float
    longest: float
    memory_mb: float
    wrongs: list[str] = field(default_factory=list)

    @property
    def us(self) -> float:
        return self.seconds / self.advocates * 1e6

    @property
    def of_raw(self) -> float:
        return self.seconds / self.raw_seconds

    def cells(self) -> tuple[object, ...]:
        raw = self.raw_seconds / self.advocates * 1e6
        return self.advocates, self.seconds, self.us, raw, self.of_raw, self.longest, self.memory_mb


def plan(campaign_id: int) -> float:
    """Start it and plan it to the end, as the worker does; how long that took."""
    session, began = db.session, time.perf_counter()
    campaigns.start_now(session, session.get_one(Campaign, campaign_id), clock.now(), "bench")
    session.commit()
    snapshot_id = session.scalars(sa.select(Snapshot.id)).one()
    find(planning.NAME)({"campaign_id": campaign_id, "snapshot_id": snapshot_id})
    return time.perf_counter() - began


def copy_raw(engine: Engine) -> float:
    """The same rows by one statement for each table, into empty tables of the same make; how long that took."""
    seconds, copy = 0.0, sa.MetaData(naming_convention=Base.metadata.naming_convention)
    for known in Base.metadata.tables.values():
        known.to_metadata(copy)
    models: tuple[Any, ...] = (SnapshotRow, Push)
    for model in models:
        original = sa.inspect(model).local_table
        twin = original.to_metadata(copy, name=f"bench_{original.name}")
        named: list[Any] = [*twin.indexes, *twin.constraints]
        for one in named:
            one.name = f"bench_{one.name}"
        with engine.begin() as connection:
            twin.create(connection)
        began = time.perf_counter()
        with engine.begin() as connection:
            rows = sa.select(original).order_by(original.c.rank)
            connection.execute(sa.insert(twin).from_select(list(original.c.keys()), rows))
        seconds += time.perf_counter() - began
        with engine.begin() as connection:
            twin.drop(connection)
    return seconds


def wrongs(engine: Engine, number: int) -> list[str]:
    """What is wrong with the ledger: somebody without a push or with two, a code twice, a budget that does not fit."""
    with reading(), Session(engine) as session:
        counts = sa.func.count(), sa.func.count(Push.advocate_id.distinct()), sa.func.count(Push.code.distinct())
        found = tuple(session.execute(sa.select(*counts)).one())
        spent = session.scalar(sa.select(Reward.spent_minor))
    told = [] if found == (number,) * 3 else [f"pushes, people, codes: {found} instead of {number:,}"]
    return told if spent == 500 * number else [*told, f"the budget says {spent}"]


def measure(name: str, number: int, keep: Path | None) -> Row:
    """One size on a new database."""
    with (
        filled.database(name, number, keep) as address,
        tempfile.TemporaryDirectory(prefix="amplify-campaign-") as folder,
        filled.installation(address, Path(folder)) as engine,
    ):
        filled.settle(engine)
        clocked = Clocked()
        clocked.watch(engine)
        warm_up()
        forget_peak()
        with log_shortened(engine):
            seconds = plan(db.session.scalars(sa.select(Campaign.id).where(Campaign.state == "scheduled")).one())
        longest, memory = clocked.longest, peak_memory_mb()
        filled.settle(engine)
        return Row(number, seconds, copy_raw(engine), longest, memory, wrongs(engine, number))


@contextmanager
def log_shortened(engine: Engine) -> Iterator[None]:
    """The worker's thread that moves SQLite's log into the database, until the block ends."""
    ending, moved = threading.Event(), wal.Mark(b"", 0)
    file = Path(str(engine.url.database))

    def shorten() -> None:
        nonlocal moved
        while not ending.wait(LOG_SECONDS):
            if wal.needs_checkpoint(wal.mark(file), moved) and wal.checkpoint(file):
                moved = wal.mark(file)

    thread = threading.Thread(target=shorten, daemon=True)
    if engine.dialect.name == "sqlite":
        thread.start()
    yield
    ending.set()
    if thread.is_alive():
        thread.join()


def peak_memory_mb() -> float:
    """The most this process had in memory since `forget_peak` (Linux)."""
    told = Path("/proc/self/status").read_text()
    return int(told.partition("VmHWM:")[2].split()[0]) / 1024


def forget_peak() -> None:
    """Begin to watch for the most anew: proc(5), clear_refs."""
    Path("/proc/self/clear_refs").write_text("5")


def bars(rows: list[Row]) -> dict[str, tuple[bool, str]]:
    """The bars of one database: name -> (reached, figure)."""
    of_raw = max(row.of_raw for row in rows)
    growth = rows[-1].us / rows[0].us
    longest = max(row.longest for row in rows)
    return {
        "of the raw copy": (of_raw <= MOST_OF_RAW, f"{of_raw:.2f} (<= {MOST_OF_RAW})"),
        "cost per row, largest to smallest": (growth <= MOST_GROWTH, f"{growth:.2f} (<= {MOST_GROWTH})"),
        "longest transaction, s": (longest <= LONGEST_SECONDS, f"{longest:.3f} (<= {LONGEST_SECONDS})"),
    }


def fill(options: argparse.Namespace, sizes: list[int]) -> dict[str, object]:
    """Only fill what is kept."""
    for name in ("sqlite", "postgresql") if options.db == "both" else (options.db,):
        for size in sizes:
            with filled.database(name, size, options.keep, copy=False):
                print(f"{name}: {size:,} are there", flush=True)
    return {"ok": True}


def main(arguments: list[str]) -> dict[str, object]:
    """Measure, print, and give the figures; "ok": everybody has one push and one code, and the budget is right."""
    parser = argparse.ArgumentParser(prog="bench campaign", description=__doc__)
    parser.add_argument("--advocates", default="100000,1000000,3000000")
    parser.add_argument("--db", choices=("sqlite", "postgresql", "both"), default="both")
    parser.add_argument("--bars", action="store_true")
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--fill", action="store_true")
    options = parser.parse_args(arguments)
    sizes = sorted(int(size) for size in options.advocates.split(","))
    figures: dict[str, object] = {"ok": True}
    bulk.expect_many_rows()  # as a worker does
    if options.fill:
        return fill(options, sizes)
    for name in ("sqlite", "postgresql") if options.db == "both" else (options.db,):
        rows = []
        for size in sizes:
            rows.append(measure(name, size, options.keep))
            print(f"{name}: {dict(zip(COLUMNS, rows[-1].cells(), strict=True))}", flush=True)
        table(f"planning a start on {name}", COLUMNS, [row.cells() for row in rows])
        told, reached = [wrong for row in rows for wrong in row.wrongs], bars(rows)
        for bar, (is_reached, figure) in reached.items():
            print(f"{'reached' if is_reached else 'MISSED ':8} {bar}: {figure}")
        print("\n".join(f"WRONG: {wrong}" for wrong in told), end="\n" if told else "", flush=True)
        figures[name] = {f"{row.advocates}": [round(row.us, 2), round(row.of_raw, 2)] for row in rows}
        missed = options.bars and not all(is_reached for is_reached, _figure in reached.values())
        figures["ok"] = bool(figures["ok"]) and not told and not missed
    return figures


if __name__ == "__main__":
    sys.exit(0 if main(sys.argv[1:])["ok"] else 1)
