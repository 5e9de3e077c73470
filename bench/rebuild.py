"""A brand's boards made again from a ledger of millions: how long it takes, and how much memory.

    python3 run.py bench rebuild [--advocates 1000000] [--entries 10000000] [--db sqlite|postgresql|both]
        [--alone]

What runs is what a worker does after a change of weights: standings of all time, days, windows and counts, from
nothing, beside those that are shown, in turns of as many rows as a worker's, without its rests. The longest turn is how
long a click may have to wait on SQLite. The entries lie over half a year, so about half of them stand in windows too.

Then the same again by a real worker, while people follow a link, some hundred a second: how long they wait, with and
without it, and how many clicks were not stored (the way on then says no click id).
"""

import argparse
import time
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session

from amplify.brands.models import Brand
from amplify.campaigns.models import Campaign
from amplify.core import bulk, clock, wal
from amplify.core.pace import FREE_ROWS, MOST_ROWS
from amplify.leaderboards import services, windows
from amplify.leaderboards.models import PointsEntry, Scoring, Standing
from amplify.leaderboards.scoring import IS_SHOWN
from amplify.sharing.models import ShareLink
from amplify.tracking import cursors
from bench import client, servers
from bench.contenders import AGENT
from bench.peers import boards
from bench.peers.seeding import CODE, TARGET, engine_of
from bench.report import table

DAYS, CHUNK = 180, 200_000
# Who follows the link meanwhile: groups of so many people, a part of a second apart.
GROUP, CONNECTIONS, REST_SECONDS, QUIET_GROUPS = 30, 10, 0.2, 40


def ledger(engine: Engine, advocates: int, entries: int) -> None:
    """So many clicks of these advocates, folded as far as the cursors know."""
    since = clock.now() - timedelta(days=DAYS)
    for first in range(0, entries, CHUNK):
        count = min(CHUNK, entries - first)
        with Session(engine) as session, session.begin():
            brand, campaign = session.scalars(sa.select(Brand)).one(), session.scalars(sa.select(Campaign)).one()
            shared = {
                "brand_id": brand.id, "campaign_id": campaign.id, "cause": "human_click", "milli_points": 1000,
                "is_reward_eligible": True, "recorded_at": since, "channel": "",
            }  # fmt: skip
            numbers = range(first, first + count)
            columns: dict[str, Any] = {
                "advocate_id": [number * 7_368_787 % advocates + 1 for number in numbers],
                "cause_key": [f"click:{number}" for number in numbers],
                "occurred_at": [since + timedelta(days=DAYS * number / entries) for number in numbers],
            }
            bulk.insert_many(session, PointsEntry, shared, columns)
    with Session(engine) as session, session.begin():
        last = session.scalar(sa.select(sa.func.max(PointsEntry.id))) or 0
        for name in (services.CURSOR, windows.CURSOR):
            cursor = cursors.take(session, name, wait=True)
            if cursor:
                cursor.move(last - 1)
        session.flush()
        # The last one by the rounds, which make what is not there yet.
        services.project(session, 1)
        windows.fold_windows(session, 1)


def link(engine: Engine) -> None:
    """A link of somebody on the board."""
    with Session(engine) as session, session.begin():
        campaign = session.scalars(sa.select(Campaign)).one()
        facts = {"brand_id": campaign.brand_id, "campaign_id": campaign.id, "channel": "x", "target_url": TARGET}
        session.add(ShareLink(advocate_id=1, code=CODE, **facts))


def _turns(engine: Engine, limit: int) -> Iterator[float]:
    """How long each transaction took, until the new standings are in force."""
    with Session(engine) as session:
        making = services.order(session, session.scalars(sa.select(Brand)).one())
        session.commit()
        moved, file = 1, wal.file_of(str(engine.url))
        while moved:
            began = time.perf_counter()
            moved = services.go_on(session, making, limit)
            session.commit()
            yield time.perf_counter() - began
            if file is not None:
                wal.checkpoint(file)  # as the worker's own thread does


def measured(kind: str, options: argparse.Namespace) -> dict[str, float]:
    """Seconds and megabytes on one database."""
    with servers.databases((kind,)) as addresses:
        engine = engine_of(addresses[kind])
        boards.filled(engine, options.advocates)
        ledger(engine, options.advocates, options.entries)
        before, began = servers.memory_mb(), time.perf_counter()
        turns = list(_turns(engine, MOST_ROWS if kind == "sqlite" else FREE_ROWS))
        grown, seconds = servers.memory_mb() - before, time.perf_counter() - began
        with Session(engine) as session:
            made = services.made(session, session.scalars(sa.select(Scoring).where(IS_SHOWN)).one())
            stored = session.scalar(sa.select(sa.func.count()).select_from(Standing)) or 0
        clicks = {} if options.alone else _meanwhile(engine, addresses[kind])
        engine.dispose()
    return {
        "seconds": seconds,
        "entries_per_second": options.entries / seconds,
        "longest_turn": max(turns),
        "mb": grown,
        "made": made,
        "rows": stored,
        **clicks,
    }


def _meanwhile(engine: Engine, address: str) -> dict[str, float]:
    """People's clicks without a making, and until one is in force."""
    link(engine)
    with servers.amplify(env={"AMPLIFY_DATABASE_URL": address, "AMPLIFY_LOG_LEVEL": "WARNING"}) as base:
        quiet = [_follow(base, n) for n in range(QUIET_GROUPS)]
        with Session(engine, expire_on_commit=False) as session:  # and no transaction of ours meanwhile
            making = services.order(session, session.scalars(sa.select(Brand)).one())
            session.commit()
            busy: list[client.Sent] = []
            began = time.perf_counter()
            while making.since is None:
                busy.append(_follow(base, QUIET_GROUPS + len(busy)))
                session.refresh(making)
                session.commit()
        seconds = time.perf_counter() - began
    return {
        "worker_seconds": seconds,
        "quiet_p99_ms": _p99_ms(quiet),
        "busy_p99_ms": _p99_ms(busy),
        "longest_ms": max(max(one.latencies) for one in busy) * 1_000,
        "clicks": sum(len(one.latencies) for one in busy),
        "lost": sum(len(one.latencies) - one.proven for one in [*quiet, *busy]),
    }


def _follow(base: str, group: int) -> client.Sent:
    """So many people at the same time, and a rest."""
    agents = (f"{AGENT} Build/{group}.{n}" for n in range(GROUP))
    requests = [client.request("GET", f"{base}/s/{CODE}", {"User-Agent": agent}) for agent in agents]
    sent = client.send(base, requests, connections=CONNECTIONS, proof=b"amplify_click=")
    time.sleep(REST_SECONDS)
    return sent


def _p99_ms(groups: Sequence[client.Sent]) -> float:
    return client.Sent(latencies=[one for group in groups for one in group.latencies]).percentile_ms(99)


def main(arguments: list[str]) -> dict[str, Any]:
    """Measure, print, and give the figures."""
    parser = argparse.ArgumentParser(prog="bench rebuild", description=__doc__)
    parser.add_argument("--advocates", type=int, default=1_000_000)
    parser.add_argument("--entries", type=int, default=10_000_000)
    parser.add_argument("--db", choices=("sqlite", "postgresql", "both"), default="both")
    parser.add_argument("--alone", action="store_true", help="not again beside people's clicks")
    options = parser.parse_args(arguments)
    bulk.expect_many_rows()  # as a worker does
    kinds = ("sqlite", "postgresql") if options.db == "both" else (options.db,)
    found = {kind: measured(kind, options) for kind in kinds}
    heads = ["", "seconds", "entries/s", "longest turn s", "memory grown MB", "standings of all time", "standings"]
    if not options.alone:
        heads += ["by a worker s", "clicks' p99 ms before", "meanwhile", "longest ms", "clicks", "lost"]
    rows = [[kind, *figures.values()] for kind, figures in found.items()]
    table(f"{options.entries:,} entries of {options.advocates:,} advocates", heads, rows)
    return {"ok": all(figures["made"] > 0 and not figures.get("lost") for figures in found.values()), **found}
