"""How long it takes to remove single clicks that are kept no longer, and the longest transaction of it.

`python3 run.py bench retention [--clicks N] [--db sqlite|postgresql|both]`. A year of judged clicks is stored by the
database itself; then the brand keeps 30 days, and the worker's round is called as a worker calls it.
"""

import argparse
import time
from itertools import count
from pathlib import Path

import sqlalchemy as sa
from flask import Flask
from sqlalchemy.orm import Session

from amplify.app import create_app
from amplify.brands.models import Brand
from amplify.core import wal
from amplify.core.db import db, is_sqlite
from amplify.core.pace import MOST_ROWS
from amplify.core.settings import Settings
from amplify.tracking import cursors
from amplify.tracking.models import Click, ClickCount
from amplify.tracking.retention import remove_old_clicks
from bench import servers
from bench.peers import seeding
from bench.report import table

LINKS = 1_000
COLUMNS = ("database", "removed", "seconds", "per second", "transactions", "median ms", "99 of 100 ms", "longest ms")
VERDICTS = """INSERT INTO click_verdicts (click_id, link_id, verdict, rule, rules_version, judged_at)
SELECT id, link_id, 'human', 'first-click', 1, at FROM clicks"""
COUNTS = """INSERT INTO click_counts (link_id, hour, verdict, rule, brand_id, n, removed)
SELECT link_id, {hour}, 'human', 'first-click', :brand, count(*), 0 FROM clicks GROUP BY 1, 2"""
HOURS = {
    True: "CAST(strftime('%s', at) AS INTEGER) / 3600",
    False: "CAST(floor(extract(epoch FROM at) / 3600) AS integer)",
}


def judge(session: Session) -> None:
    """Verdicts and roll-ups of all clicks; the tracker is behind the last, and the brand keeps 30 days."""
    brand = session.scalars(sa.select(Brand)).one()
    brand.keep_clicks_days = 30
    session.execute(sa.text(VERDICTS))
    session.execute(sa.text(COUNTS.format(hour=HOURS[is_sqlite(session)])), {"brand": brand.id})
    cursor = cursors.take(session, cursors.TRACKER)
    assert cursor is not None
    cursor.move(session.scalars(sa.select(sa.func.max(Click.id))).one())
    session.commit()


def measure(app: Flask, address: str, number: int) -> tuple[list[float], int, str]:
    """The seconds of each transaction, how many clicks left, and what was wrong."""
    seeding.seed(address, links=LINKS, clicks=number)
    file = wal.file_of(address)
    took = []
    with app.app_context():
        session = db.session
        judge(session)
        for turn in count(1):
            began = time.perf_counter()
            moved = remove_old_clicks(session, MOST_ROWS)
            session.commit()
            took.append(time.perf_counter() - began)
            if not moved:
                break
            if file is not None and turn % 20 == 0:
                wal.checkpoint(file)
        kept, said = sa.select(sa.func.count(Click.id)), sa.select(sa.func.sum(ClickCount.n - ClickCount.removed))
        left, counted = session.scalars(kept).one(), session.scalars(said).one()
        db.engine.dispose()
    return took, number - left, "" if left == counted else f"{left} are there, {counted} are counted"


def main(arguments: list[str]) -> dict[str, object]:
    """Measure, print, and give the figures; "ok": the roll-ups say how many are left."""
    parser = argparse.ArgumentParser(prog="bench retention", description=__doc__)
    parser.add_argument("--clicks", type=int, default=1_000_000)
    parser.add_argument("--db", choices=("sqlite", "postgresql", "both"), default="both")
    sizes = parser.parse_args(arguments)
    wanted = ("sqlite", "postgresql") if sizes.db == "both" else (sizes.db,)
    figures: dict[str, object] = {"ok": True}
    rows = []
    for name in wanted:
        with servers.databases((name,)) as addresses:
            app = create_app(Settings(env="test", database_url=addresses[name], data_dir=Path(servers.ROOT / "var")))
            took, removed, wrong = measure(app, addresses[name], sizes.clicks)
        in_order = [1_000 * one for one in sorted(took)]
        middle, slow, longest = in_order[len(took) // 2], in_order[len(took) * 99 // 100], in_order[-1]
        rows.append((name, removed, sum(took), removed / sum(took), len(took), middle, slow, longest))
        print(f"WRONG: {wrong}\n" if wrong else "", end="")
        figures |= {name: round(removed / sum(took), 1), f"{name}: longest ms": round(longest, 1)}
        figures["ok"] = bool(figures["ok"]) and not wrong
    table("retention", COLUMNS, rows)
    return figures
