"""Planning a start, from the frozen ranking to the push ledger, against the raw copy of the same rows in the same run.

    python3 run.py bench campaign [--advocates 100000,1000000,3000000] [--db sqlite|postgresql|both] [--bars]

--bars   the exit code says whether every bar of the run was reached (for a quiet machine)

What is planned: everybody on a board, each with a generated code. The raw side is one `INSERT ... SELECT` of the
snapshot's rows and one of the ledger's, into empty tables with the same columns, keys and indexes.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session

from amplify.app import create_app
from amplify.brands.models import Brand
from amplify.brands.services import create_brand
from amplify.campaigns import services as campaigns
from amplify.campaigns.models import Campaign
from amplify.campaigns.schemas import CampaignIn, read
from amplify.core import clock, schema, wal
from amplify.core.bulk import insert_many
from amplify.core.db import Base, db, reading
from amplify.core.jobs import find, warm_up
from amplify.core.settings import Settings
from amplify.customers.models import Customer
from amplify.leaderboards import histogram
from amplify.leaderboards.boards import WHOLE_BRAND, board_ids
from amplify.leaderboards.models import Snapshot, SnapshotRow, Standing
from amplify.rewards import planning, writing
from amplify.rewards.models import Push, Reward
from amplify.rewards.schemas import RewardIn
from amplify.sharing.models import Advocate
from bench import servers
from bench.loop import TEXTS
from bench.report import table

MOST_OF_RAW, MOST_GROWTH, LONGEST_SECONDS = 3.0, 1.3, 0.3
FILL = 20_000
COLUMNS = ("advocates", "seconds", "us a row", "raw us a row", "of the raw", "longest s", "memory MB")
HALF_LIFE_LOG = 40.0  # where scores begin; only their order matters here


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


def fill(session: Session, number: int) -> int:
    """A brand with so many people on its board, all of whom may be written to; the id of its scheduled campaign."""
    brand = create_brand(session, slug="bench", name="Bench", target_hosts=["shop.example"])
    board = board_ids(session, brand.id, [WHOLE_BRAND])[WHOLE_BRAND]
    now = datetime.now(UTC)
    for start in range(1, number + 1, FILL):
        people = range(start, min(start + FILL, number + 1))
        mails = [f"p{i}@mail.example" for i in people]
        known = {"brand_id": brand.id, "name": "", "consent": True, "consent_source": "", "is_employee": False}
        own: dict[str, Any] = {"id": people, "email": mails, "email_normal": mails}
        insert_many(session, Customer, {**known, "locale": "en", "created_at": now}, own)
        promised = {"brand_id": brand.id, "on_board": True, "token_epoch": 0, "terms_version": "", "created_at": now}
        own = {"id": people, "customer_id": people, "pseudonym": [f"Bird {i}" for i in people]}
        insert_many(session, Advocate, _known(Advocate, promised), own)
        stood = {"board_id": board, "milli_points": 1000, "human_clicks": 1, "conversions": 0, "shares": 0, "tie": b""}
        # Spread like real ranks: no order of theirs is the order of the ids.
        logs = [HALF_LIFE_LOG + (i * 2654435761 % 2**32) / 2**32 for i in people]
        insert_many(session, Standing, {**stood, "reached_at": now}, {"advocate_id": people, "score_log": logs})
        histogram.apply(session, [(board, None, score) for score in logs])
        session.commit()
    return scheduled(session, brand, number)


def _known(model: Any, values: dict[str, Any]) -> dict[str, Any]:
    """Those of the values that the table has a column for."""
    return {name: value for name, value in values.items() if name in sa.inspect(model).local_table.c}


def scheduled(session: Session, brand: Brand, number: int) -> int:
    """A campaign that gives everybody a generated code."""
    given = {
        "name": "Thank you", "landing_url": "https://shop.example/stay", "texts": {"en": TEXTS, "es": TEXTS},
        "audience": {"kind": "top_n", "value": number}, "timezone": "UTC", "starts_local": "2099-01-01T09:00",
    }  # fmt: skip
    reward = {
        "type": "generated_code", "name": {"en": "20 % off"}, "value_minor": 500, "currency": brand.currency,
        "settings": {"pattern": "THANKS-####-####"}, "budget_minor": 500 * number,
    }  # fmt: skip
    made = writing.create(session, brand, read(CampaignIn, given), read(RewardIn, reward), "bench")
    campaigns.schedule(session, made, clock.now())
    session.commit()
    return made.id


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


@contextmanager
def installation(address: str, folder: Path) -> Iterator[Engine]:
    """The application on an empty database."""
    app = create_app(Settings(env="test", database_url=address, data_dir=folder))
    with app.app_context():
        schema.upgrade(db.engine)
        yield db.engine
        db.session.close()
        db.engine.dispose()


def measure(name: str, number: int) -> Row:
    """One size on a new database."""
    with (
        servers.databases((name,)) as addresses,
        tempfile.TemporaryDirectory(prefix="amplify-campaign-") as folder,
        installation(addresses[name], Path(folder)) as engine,
    ):
        campaign_id = fill(db.session, number)
        _settle(engine)
        clocked = Clocked()
        clocked.watch(engine)
        warm_up()
        forget_peak()
        seconds = plan(campaign_id)
        longest, memory = clocked.longest, peak_memory_mb()
        _settle(engine)
        return Row(number, seconds, copy_raw(engine), longest, memory, wrongs(engine, number))


def peak_memory_mb() -> float:
    """The most this process had in memory since `forget_peak` (Linux)."""
    told = Path("/proc/self/status").read_text()
    return int(told.partition("VmHWM:")[2].split()[0]) / 1024


def forget_peak() -> None:
    """Begin to watch for the most anew: proc(5), clear_refs."""
    Path("/proc/self/clear_refs").write_text("5")


def _settle(engine: Engine) -> None:
    """What the worker does beside: SQLite's log is folded in, PostgreSQL knows how large its tables are."""
    if engine.dialect.name == "sqlite":
        wal.checkpoint(Path(str(engine.url.database)))
        return
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("VACUUM ANALYZE")


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


def main(arguments: list[str]) -> dict[str, object]:
    """Measure, print, and give the figures; "ok": everybody has one push and one code, and the budget is right."""
    parser = argparse.ArgumentParser(prog="bench campaign", description=__doc__)
    parser.add_argument("--advocates", default="100000,1000000,3000000")
    parser.add_argument("--db", choices=("sqlite", "postgresql", "both"), default="both")
    parser.add_argument("--bars", action="store_true")
    options = parser.parse_args(arguments)
    sizes = sorted(int(size) for size in options.advocates.split(","))
    figures: dict[str, object] = {"ok": True}
    for name in ("sqlite", "postgresql") if options.db == "both" else (options.db,):
        rows = [measure(name, size) for size in sizes]
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
