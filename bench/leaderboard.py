"""Boards of a million and more: exact rank, top, neighbours and projection, beside a Redis sorted set of the same data.

    python3 run.py bench leaderboard [--advocates 1000000,10000000] [--db sqlite|postgresql|both] [--bars]
        [--keep FOLDER [--fill]] [--peers]

Reads go through the functions that the pages call. Redis gives the same: for the top and the neighbours also what a
page says of each, from one hash a person. It is asked by a client of thirty lines that only parses, and with --peers
also by redis-py, which a service would use; the bars are against the bare one. The board is filled in bulk; entries
are projected by the worker's own round.
"""

import argparse
import random
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session

from amplify.core import bulk, pace, wal
from amplify.core.db import reading
from amplify.leaderboards import queries
from amplify.leaderboards.models import Board, Standing
from amplify.leaderboards.services import project
from amplify.leaderboards.windows import fold_windows
from bench import servers
from bench.peers import boards, redis
from bench.peers.pages import looked_at
from bench.peers.seeding import engine_of
from bench.redirect import Findings
from bench.report import table

TOP, NEIGHBOURS = 100, 2
READS = ("rank", "top 100", "around", "count")
# What a line of a board shows beside the score.
SHOWN = ("pseudonym", "shown_name", "on_board", "erased_at", "recognition", "clicks", "conversions", "shares")
ROUNDS = 5
# Unmeasured questions, and below twice the entries: a PostgreSQL that was just started has nothing in its own memory.
WARM = 100
# Entries that one round folds in one transaction, and how many a worker with a heap of them takes (core/pace.py).
BATCHES = (500, 5_000)
TAKES = {"sqlite": pace.MOST_ROWS, "postgresql": pace.FREE_ROWS}


Ask = Callable[[int], object]


@dataclass
class Reads:
    """Milliseconds of each read on one store, round by round."""

    name: str
    ms: dict[str, list[list[float]]] = field(default_factory=dict)

    def p50(self, read: str) -> float:
        return statistics.median(chain.from_iterable(self.ms[read]))

    def p99(self, read: str) -> float:
        """Of the round in the middle: what else happens on the machine for a second is no property of a store."""
        return statistics.median(sorted(taken)[int(len(taken) * 0.99)] for taken in self.ms[read])

    def cells(self) -> list[object]:
        return [self.name, *(figure for read in READS for figure in (self.p50(read), self.p99(read)))]


def in_turns(stores: Sequence[tuple[Reads, Mapping[str, Ask]]], people: list[int]) -> None:
    """Ask each store about one person after the other, by turns, so that a disturbance meets all of them."""
    for read in stores[0][1]:
        for _found, asks in stores:
            for who in people[:WARM]:
                asks[read](who)
        for first in range(0, len(people), len(people) // ROUNDS):
            taken: list[list[float]] = [[] for _store in stores]
            for who in people[first : first + len(people) // ROUNDS]:
                for (_found, asks), times in zip(stores, taken, strict=True):
                    began = time.perf_counter()
                    asks[read](who)
                    times.append((time.perf_counter() - began) * 1000)
            for (found, _asks), times in zip(stores, taken, strict=True):
                found.ms.setdefault(read, []).append(times)


def read_all(
    engine: Engine, board_id: int, askers: Mapping[str, redis.Asker], pid: int | None, people: list[int], name: str
) -> list[Reads]:
    """Ours first, by the functions that the pages call in a transaction that only reads; beside it each of Redis's."""
    boards.calm(engine)
    with reading(), Session(engine) as session:
        stores = [(Reads(name), _of_database(session, session.get_one(Board, board_id)))]
        stores += [(Reads(who), _of_redis(asker)) for who, asker in askers.items()]
        with servers.apart([*_served_by(session), *([pid] if pid else [])]):
            in_turns(stores, people)
    return [found for found, _asks in stores]


def _of_database(session: Session, board: Board) -> dict[str, Ask]:
    return {
        "rank": lambda who: queries.rank_of(session, board, who),
        "top 100": lambda _who: queries.top(session, board, TOP, boards.NOW),
        "around": lambda who: queries.around(session, board, who, NEIGHBOURS, boards.NOW),
        "count": lambda _who: queries.size(session, board),
    }


def _served_by(session: Session) -> list[int]:
    """The process that answers this session; SQLite has none."""
    on_sqlite = session.get_bind().dialect.name == "sqlite"
    return [] if on_sqlite else [session.execute(sa.text("SELECT pg_backend_pid()")).scalar_one()]


def _of_redis(server: redis.Asker) -> dict[str, Ask]:
    """The same from a sorted set and a hash for each person."""

    def lines(first: int, last: int) -> list[Any]:
        best = server.ask("ZREVRANGE", "board", first, last, "WITHSCORES")
        scores = [float(score) for score in best[1::2]]
        facts = server.ask_all([("HMGET", f"who:{int(who)}", *SHOWN) for who in best[::2]])
        return list(zip(best[::2], scores, facts, strict=True))

    def around(who: int) -> list[Any]:
        rank = server.ask("ZREVRANK", "board", who)
        return lines(max(0, rank - NEIGHBOURS), rank + NEIGHBOURS)

    return {
        "rank": lambda who: server.ask("ZREVRANK", "board", who),
        "top 100": lambda _who: lines(0, TOP - 1),
        "around": around,
        "count": lambda _who: server.ask("ZCARD", "board"),
    }


def copy(engine: Engine, board_id: int, server: redis.Redis) -> None:
    """The board into Redis, if it is not there from an earlier run; hashes only for the best, since no others are ever
    asked for more than once."""
    if server.ask("ZCARD", "board"):
        return
    with reading(), Session(engine) as session:
        mine = sa.select(Standing.advocate_id, Standing.score_log).where(Standing.board_id == board_id)
        for part in session.execute(mine, execution_options={"yield_per": 2_000}).partitions():
            server.ask("ZADD", "board", *(word for who, score in part for word in (repr(score), who)))
    for who in server.ask("ZREVRANGE", "board", 0, 2 * TOP):
        server.ask("HSET", f"who:{int(who)}", *(word for name in SHOWN for word in (name, "Amber Heron")))


def wrongs(engine: Engine, board_id: int, server: redis.Redis | None, people: list[int]) -> list[str]:
    """Ranks that are not what counting, and Redis, say."""
    found = []
    with reading(), Session(engine) as session:
        board = session.get_one(Board, board_id)
        for who in people:
            score, better, equal = _counted(session, board_id, who)
            said, counted = queries.rank_of(session, board, who), better + equal + 1
            if said != counted or (server and server.ask("ZCOUNT", "board", f"({score!r}", "+inf") != better):
                found.append(f"{engine.dialect.name}: advocate {who} has rank {said}, counted {counted}")
    return found


def _counted(session: Session, board_id: int, who: int) -> tuple[float | None, int, int]:
    """Someone's score, how many have a better one, and how many an equal one and stand before them."""
    score, reached_at = session.execute(
        sa.select(Standing.score_log, Standing.reached_at).where(
            Standing.board_id == board_id, Standing.advocate_id == who
        )
    ).one()
    on_board = sa.select(sa.func.count()).where(Standing.board_id == board_id)
    earlier = sa.or_(
        Standing.reached_at < reached_at, sa.and_(Standing.reached_at == reached_at, Standing.advocate_id < who)
    )
    better = session.scalar(on_board.where(Standing.score_log > score)) or 0
    return score, better, session.scalar(on_board.where(Standing.score_log == score, earlier)) or 0


def projected(engine: Engine, advocates: int, count: int, batch: int) -> float:
    """Entries folded a second, by the worker's round, each round a durable transaction."""
    with Session(engine) as session, session.begin():
        boards.entries(session, advocates, count)
    return folded(engine, project, count, batch)


def folded(engine: Engine, work: Callable[[Session, int], int], count: int, batch: int) -> float:
    """Entries a second of a round that has so many to fold."""
    began, done = time.perf_counter(), 0
    while done < count:
        with Session(engine) as session, session.begin():
            done += work(session, batch)
    seconds = time.perf_counter() - began
    if file := wal.file_of(engine.url.render_as_string(hide_password=False)):
        wal.checkpoint(file)
    return count / seconds


@dataclass
class Sized:
    """All about one size on one database."""

    reads: Reads
    # Redis by its barest client, then by the one that a service would use; none where there is no Redis.
    peers: list[Reads]
    rates: dict[int, float]
    windows: float
    grown_mb: float
    web_mb: float


def at_size(kind: str, advocates: int, options: argparse.Namespace, findings: Findings) -> Sized:
    """Fill, read, project, read again, and count after."""
    chance = random.Random(advocates)  # noqa: S311
    people = [chance.randint(1, advocates) for _ in range(options.reads)]
    kept = kept_in(options, kind, advocates)
    beside = redis.server(kept) if redis.is_there() else nullcontext()
    with servers.databases((kind,), kept, large=True) as addresses, beside as server:
        engine = engine_of(addresses[kind])
        board_id = boards.filled(engine, advocates)
        askers: dict[str, redis.Asker] = {"redis": server} if server else {}
        if server:
            copy(engine, board_id, server)
        if server and options.peers:
            askers["redis-py"] = redis.Client(server)
        beside_it = askers, server.pid if server else None
        # A board that is kept has moved on since Redis got its copy.
        findings.wrongs += wrongs(engine, board_id, None if boards.has_moved(engine) else server, people[:5])
        # A board that is used.
        projected(engine, advocates, 2 * options.events, max(BATCHES))
        found, *peers = read_all(engine, board_id, *beside_it, people, kind)
        with looked_at(engine, addresses[kind]) as pages:
            before = servers.memory_mb()
            rates = {batch: projected(engine, advocates, options.events, batch) for batch in BATCHES}
            in_windows = folded(engine, fold_windows, len(BATCHES) * options.events, max(BATCHES))
            grown, web = servers.memory_mb() - before, pages.grown_mb()
        again = read_all(engine, board_id, *beside_it, people, f"{kind}, after updates")
        findings.wrongs += wrongs(engine, board_id, None, people[:5])
        rows = [one.cells() for one in (found, *peers, *again)]
        heads = [head for read in READS for head in (f"{read} p50 ms", "p99")]
        table(f"{advocates:,} on a board", ["", *heads], rows)
        if server:
            print(f"Redis: {servers.memory_mb(server.pid):,.0f} MB")
        engine.dispose()
    return Sized(found, peers, rates, in_windows, grown, web)


def kept_in(options: argparse.Namespace, kind: str, advocates: int) -> Path | None:
    """Where a board of this size stays, if it stays."""
    return Path(options.keep) / f"{kind}-{advocates}" if options.keep else None


def fill_only(kind: str, advocates: int, options: argparse.Namespace) -> None:
    """What takes minutes and is measured later, perhaps again and again."""
    kept, began = kept_in(options, kind, advocates), time.perf_counter()
    with servers.databases((kind,), kept, large=True) as addresses:
        engine = engine_of(addresses[kind])
        board_id = boards.filled(engine, advocates)
        if redis.is_there():
            with redis.server(kept) as server:
                copy(engine, board_id, server)
                server.ask("SAVE")
        print(f"{kind}, {advocates:,}: filled in {time.perf_counter() - began:,.0f} s", flush=True)
        engine.dispose()


def judge(kind: str, sized: dict[int, Sized], findings: Findings) -> None:
    """The bars of one database."""
    times, p99 = (1, 3) if kind == "sqlite" else (5, 6)
    for advocates, one in sized.items():
        name = f"{kind}, {advocates:,}:"
        for read in ("rank", "top 100"):
            ratios = [one.reads.p50(read) / peer.p50(read) for peer in one.peers]
            if ratios:
                findings.bar(f"{name} {read} / Redis", ratios[0], most=times)
            if ratios[1:]:
                findings.figures[f"{name} {read} / redis-py"] = round(ratios[1], 3)
            findings.bar(f"{name} {read} p99 ms", one.reads.p99(read), most=p99)
        for batch, rate in one.rates.items():
            if batch == TAKES[kind]:
                findings.bar(f"{name} events/s by {batch:,}", rate, least=8_000)
            findings.figures[f"{name} events/s by {batch:,}"] = round(rate)
        findings.figures[f"{name} events/s into the windows"] = round(one.windows)
        findings.bar(f"{name} memory grown by projecting, MB", one.grown_mb, most=64)
        findings.bar(f"{name} memory of the web process grown meanwhile, MB", one.web_mb, most=16)
    small, large = min(sized), max(sized)
    if small < large:
        for read in READS:
            ratio = sized[large].reads.p50(read) / sized[small].reads.p50(read)
            findings.bar(f"{kind}: {read}, {large:,} / {small:,}", ratio, most=2)


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench leaderboard", description=__doc__)
    parser.add_argument("--advocates", default="100000,1000000", help="sizes of the board")
    parser.add_argument("--db", choices=("sqlite", "postgresql", "both"), default="both")
    parser.add_argument("--reads", type=int, default=1_000, help="how often each is asked for")
    parser.add_argument("--events", type=int, default=20_000, help="entries projected with each size of a batch")
    parser.add_argument("--keep", metavar="FOLDER", help="keep the boards there, and take those that are there already")
    parser.add_argument("--fill", action="store_true", help="only fill the boards to keep, measure nothing")
    parser.add_argument("--peers", action="store_true", help="ask Redis by redis-py, too; installs it")
    parser.add_argument("--bars", action="store_true", help="the exit code says whether every bar was reached")
    options = parser.parse_args(arguments)
    options.advocates = [int(size) for size in options.advocates.split(",")]
    return options


def main(arguments: list[str]) -> dict[str, Any]:
    """Measure, print, and give the figures; "ok": every rank that was looked after is right (and, asked, every bar)."""
    options, findings = parse(arguments), Findings()
    bulk.expect_many_rows()  # as a worker does
    for kind in ("sqlite", "postgresql") if options.db == "both" else (options.db,):
        if options.fill:
            for size in options.advocates:
                fill_only(kind, size, options)
            continue
        judge(kind, {size: at_size(kind, size, options, findings) for size in options.advocates}, findings)
    bars = [[name, figure, "pass" if reached else "FAIL"] for name, (reached, figure) in findings.bars.items()]
    table("bars", ["", "measured (wanted)", ""], bars)
    print("\n".join(f"WRONG: {wrong}" for wrong in findings.wrongs), end="\n" if findings.wrongs else "")
    reached = all(one for one, _figure in findings.bars.values())
    ok = not findings.wrongs and (reached or not options.bars)
    return {"ok": ok, "bars_reached": reached, "wrongs": findings.wrongs, **findings.figures}
