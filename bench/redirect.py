"""The tracked link against bare servers and peers, in interleaved slices; acknowledged clicks are looked for on disk.

    python3 run.py bench redirect [--parts basic,worker,mixed,slow,growth] [--bars] [--kutt DIR] ...

--bars   the exit code says whether every bar of the run was reached (for a quiet machine)
--kutt   a folder whose file `url` holds the loopback address of a short link of a running peer
--links, --clicks   the large side of `growth`
--keep   a folder that keeps the large side, so that a later run need not fill it again
"""

import argparse
import os
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import threading
import time
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from amplify.core import wal
from bench import servers
from bench.contenders import AGENT, MOST, Contender, bare, family, nginx, ours, rounds
from bench.load import Spread, drive
from bench.peers import seeding
from bench.report import table

PARTS = ("basic", "worker", "mixed", "slow", "growth")
CONNECTIONS = (1, 16, MOST)
FEW_LINKS = 1_000
# Until then it forks short-lived children, and has not begun to judge.
WORKER_STARTS_SECONDS = 4.0
SHIM = Path(__file__).with_name("peers") / "slow_disk.c"


@dataclass
class Findings:
    """What a run came to: bars by name (reached or not, and the figure), and what was wrong."""

    bars: dict[str, tuple[bool, str]] = field(default_factory=dict)
    figures: dict[str, float] = field(default_factory=dict)
    wrongs: list[str] = field(default_factory=list)

    def bar(self, name: str, figure: float, least: float | None = None, most: float | None = None) -> None:
        """One bar: the figure is at least, or at most, so much."""
        reached = (least is None or figure >= least) and (most is None or figure <= most)
        wanted = f">= {least:g}" if least is not None else f"<= {most:g}"
        self.bars[name] = (reached, f"{figure:.2f} ({wanted})")
        self.figures[name] = round(figure, 3)


def basic(options: argparse.Namespace, databases: dict[str, str], findings: Findings) -> None:
    """Ours against bare servers, at 1, 16 and 64 connections."""
    with ExitStack() as stack:
        mine = []
        for kind, address in databases.items():
            seeding.seed(address)
            mine.append(stack.enter_context(ours(f"amplify on {kind}", address, "--no-worker")))
        flask = stack.enter_context(bare("bare Flask hello", "bench.peers.hello_flask:app"))
        wsgi = stack.enter_context(bare("bare WSGI hello", "bench.peers.hello_wsgi:app"))
        others = [flask, wsgi, *([stack.enter_context(nginx())] if shutil.which("nginx") else [])]
        if options.kutt:
            address = (options.kutt / "url").read_text().strip()
            others.append(Contender("kutt", address, os.getpid()))
        rounds([*mine, *others], options.connections, options)
        most = options.connections[-1]
        rows = []
        for one in [*mine, *others]:
            loads = [
                figure for c in options.connections for figure in (one.per_second(c), one.p50_ms(c), one.p99_ms(c))
            ]
            ratio = one.per_second(most) / flask.per_second(most)
            rows.append([one.name, *loads, ratio, one.per_second(most) / wsgi.per_second(most), one.cpu_us()])
            findings.wrongs += one.wrongs()
        heads = [head for c in options.connections for head in (f"{c}: req/s", "p50 ms", "p99 ms")]
        table("redirect", ["", *heads, "/ Flask", "/ WSGI", "CPU us"], rows)
        for one in mine:
            kind = one.name.rpartition(" ")[2]
            findings.bar(
                f"{kind} / bare Flask hello",
                one.per_second(most) / flask.per_second(most),
                5 if kind == "sqlite" else 2,
            )
        if "sqlite" not in databases:
            return
        findings.bar("sqlite / bare WSGI hello", mine[0].per_second(most) / wsgi.per_second(most), 0.6)
        findings.bar("sqlite p99 ms", mine[0].p99_ms(most), most=40)


def worker(options: argparse.Namespace, databases: dict[str, str], findings: Findings) -> None:
    """The same with a worker that judges the clicks meanwhile; it stands still while the other one is measured."""
    rows = []
    for kind, address in databases.items():
        seeding.seed(address)
        with ours(f"{kind} with its worker", address) as one:
            time.sleep(WORKER_STARTS_SECONDS)
            workers = [p for p in family(one.pid) if b"--supervised" in Path(f"/proc/{p}/cmdline").read_bytes()]
            alone = Contender(f"{kind} alone", one.url, one.pid)
            for _round in range(options.rounds):
                for contender, sign in ((alone, signal.SIGSTOP), (one, signal.SIGCONT)):
                    _signal(workers, sign, wal.file_of(address))
                    contender.measure(MOST, options)
            one.slices[MOST] += alone.slices[MOST]  # one database: its clicks are counted together
            findings.wrongs += one.wrongs()
            one.slices[MOST] = one.slices[MOST][: options.rounds]
            kept = one.per_second() / alone.per_second()
            rows.append([kind, alone.per_second(), alone.p99_ms(), one.per_second(), one.p99_ms(), kept])
            findings.bar(f"{kind} while its worker judges / alone", kept, 0.7)
    table("with the worker", ["", "alone req/s", "p99 ms", "with worker", "p99 ms", "kept"], rows)


def _signal(workers: list[int], sign: signal.Signals, file: Path | None) -> None:
    """Tell all workers; one that is made to stand still must not do so with SQLite's lock in its hand."""
    for _try in range(200):
        for pid in workers:
            os.kill(pid, sign)
        if sign is signal.SIGCONT or file is None or _is_free(file):
            return
        for pid in workers:
            os.kill(pid, signal.SIGCONT)
        time.sleep(0.01)
    raise RuntimeError("the worker never lets go of the database")


def _is_free(file: Path) -> bool:
    with closing(sqlite3.connect(file, timeout=0.1, isolation_level=None)) as connection:
        connection.execute("PRAGMA wal_autocheckpoint=0")
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            return False
        connection.execute("ROLLBACK")
    return True


def mixed(options: argparse.Namespace, databases: dict[str, str], findings: Findings) -> None:
    """Pages behind the front against granian's own WSGI, and clicks while pages are busy."""
    address = databases["sqlite"]
    seeding.seed(address)
    env = {"AMPLIFY_DATABASE_URL": address, "AMPLIFY_LOG_LEVEL": "WARNING"}
    flags = ("--factory", "--blocking-threads", "8")
    with (
        ours("front", address, "--no-worker") as one,
        bare("WSGI", "amplify.app:create_app", "/login", *flags, env=env) as own,
    ):
        pages = Contender("front", one.url.replace(f"/s/{seeding.CODE}", "/login"), one.pid)
        rounds([pages, own], (16,), options)
        kept = pages.per_second(16) / own.per_second(16)
        rounds([one], (MOST,), options)
        alone_ms = one.p99_ms()
        one.slices.clear()
        busy = threading.Thread(
            target=lambda: drive(pages.url, connections=16, seconds=options.rounds * (options.seconds + 1), agent=AGENT)
        )
        busy.start()
        rounds([one], (MOST,), options)
        busy.join()
    rows = [["pages: front / granian's own WSGI", pages.per_second(16), own.per_second(16), kept]]
    rows.append(["clicks p99 ms: pages busy / quiet", one.p99_ms(), alone_ms, one.p99_ms() / alone_ms])
    table("mixed", ["", "one", "other", "ratio"], rows)
    findings.bar("pages behind the front / own WSGI", kept, 0.7)
    findings.bar("clicks p99 ms while pages are busy", one.p99_ms(), most=40)


def slow(options: argparse.Namespace, databases: dict[str, str], findings: Findings) -> None:
    """5 ms more for every fsync, against the naive design."""
    if not shutil.which("gcc"):
        print("slow: left out, there is no gcc here to build the slow disk with")
        return
    with tempfile.TemporaryDirectory(prefix="amplify-bench-") as folder, ExitStack() as stack:
        library = f"{folder}/slow_disk.so"
        subprocess.run(["gcc", "-shared", "-fPIC", "-O2", "-o", library, str(SHIM), "-ldl"], check=True)
        env = {"LD_PRELOAD": library, "SLOW_DISK_US": "5000"}
        seeding.seed(databases["sqlite"])
        one = stack.enter_context(ours("amplify", databases["sqlite"], "--no-worker", env=env))
        naive_env = {**env, "NAIVE_DATABASE": f"{folder}/naive.db"}
        naive = stack.enter_context(bare("naive", "bench.peers.naive:app", "/s/hot", env=naive_env))
        rounds([one, naive], (MOST,), options)
        findings.wrongs += one.wrongs()
    rows = [[each.name, each.per_second(), each.p50_ms(), each.p99_ms()] for each in (one, naive)]
    table("5 ms more for every fsync", ["", "req/s", "p50 ms", "p99 ms"], rows)
    findings.bar("slow disk: sqlite / naive design", one.per_second() / naive.per_second(), 30)


def growth(options: argparse.Namespace, databases: dict[str, str], findings: Findings) -> None:
    """Few links and no clicks, against many of both: as many links in use, then any of the many."""
    rows = []
    with servers.databases(tuple(databases), options.keep) as large:
        for kind, address in databases.items():
            few = min(FEW_LINKS, options.links)
            seeding.seed(address, links=few + 1)
            seeding.seed(large[kind], links=options.links + 1, clicks=options.clicks)
            before = seeding.stored(large[kind])
            with ours("few", address, "--no-worker") as small, ours("many", large[kind], "--no-worker") as big:
                small.spread = Spread(few)
                big.spread = Spread(few, options.links // few)
                anywhere = replace(big, name="any", spread=Spread(options.links), slices={}, cpu_seconds=0.0)
                rounds([small, big, anywhere], (MOST,), options)
                cpu = big.cpu_us() / small.cpu_us()
                per_second = [one.per_second() for one in (small, big, anywhere)]
                rows.append(
                    [kind, *per_second, big.per_second() / small.per_second(), cpu, small.memory_mb(), big.memory_mb()]
                )
                findings.bar(f"{kind}: large / small", big.per_second() / small.per_second(), 0.9)
                big.slices[MOST] += anywhere.slices[MOST]  # one database: its clicks are counted together
                findings.wrongs += small.wrongs() + big.wrongs(before=before)
    title = f"growth: {few:,} links and no clicks, against {options.links:,} and {options.clicks:,}"
    heads = ["", "few: req/s", "many, as many used", "many, any", "many / few", "CPU ratio", "few MB", "many MB"]
    table(title, heads, rows)


def parse(arguments: list[str]) -> argparse.Namespace:
    """The options; bounded by default to about three minutes."""
    parser = argparse.ArgumentParser(prog="bench redirect", description=__doc__)
    parser.add_argument("--parts", default="basic,worker,mixed,slow", help=f"of {', '.join(PARTS)}")
    parser.add_argument("--databases", default="sqlite,postgresql")
    parser.add_argument("--seconds", type=float, default=1.0, help="of one slice")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--connections", default=",".join(map(str, CONNECTIONS)))
    parser.add_argument("--links", type=int, default=1_000_000)
    parser.add_argument("--clicks", type=int, default=1_000_000)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--kutt", type=Path)
    parser.add_argument("--bars", action="store_true")
    parser.add_argument("--own-client", action="store_true")
    options = parser.parse_args(arguments)
    options.parts, options.databases = options.parts.split(","), tuple(options.databases.split(","))
    options.connections = tuple(int(number) for number in options.connections.split(","))
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    return options


def main(arguments: list[str]) -> dict[str, Any]:
    """Measure, print, and give the figures; "ok" is that every acknowledged click was found (and, asked, every bar)."""
    options = parse(arguments)
    findings = Findings()
    for name in options.parts:
        with servers.databases(options.databases) as databases:
            globals()[name](options, databases, findings)
    bars = [[name, figure, "pass" if reached else "FAIL"] for name, (reached, figure) in findings.bars.items()]
    table("bars", ["", "measured (wanted)", ""], bars)
    for wrong in findings.wrongs:
        print(f"WRONG: {wrong}")
    reached = all(one for one, _figure in findings.bars.values())
    return {
        "ok": not findings.wrongs and (reached or not options.bars),
        "bars_reached": reached,
        "wrongs": findings.wrongs,
        **findings.figures,
    }
