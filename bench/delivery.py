"""A campaign's mails, written and sent: our worker against Dramatiq and Celery on Redis, one task a mail, in one run.

    python3 run.py bench delivery [--mails N] [--db sqlite|postgresql|both] [--workers N] [--idle SECONDS] [--peers]
                                  [--bars]

--peers  the others, too; installs them into a folder of their own below .venv if they are not there; needs redis-server
--bars   the exit code says whether every bar of the run was reached (for a quiet machine)

All write the same mails with the same templates (ours one of a group, whose other readers' words are filled in; the
others each mail for itself), send them to the same server over connections that they keep. The others have two
processes, ours as many as `amplify serve` starts: one, unless --workers says more. A rate is that from the first tenth
of the mails to the last. Ours looks at each push and orders its mail, looks at it again at the moment of sending, and
notes the outcome in the ledger; the others read a row that is there already and mark it. While ours sends, a page is
asked for 50 times a second, as before.
"""

import argparse
import http.client
import json
import os
import shutil
import smtplib
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.app import create_app
from amplify.brands.models import Brand
from amplify.core import schema
from amplify.core.db import db
from amplify.core.jobs import warm_up
from amplify.core.settings import Settings
from amplify.delivery.models import Message
from amplify.rewards import delivering
from amplify.rewards.models import Push
from bench import campaign, filled, servers
from bench.peers import redis
from bench.report import table

WANTED = ("dramatiq[redis]", "celery[redis]")
PROCESSES, THREADS = 2, 4
OF_DRAMATIQ, OF_CELERY, MOST_P99 = 1.5, 4.0, 1.2
PATIENCE_SECONDS = 300.0
ASK_EVERY_SECONDS = 0.02
COLUMNS = ("who", "mails", "a second", "of Dramatiq", "of Celery", "page's p50 / p99 ms", "idle")

OTHERS = {
    "Dramatiq": ("dramatiq", "bench.peers.mails_dramatiq", "--processes", str(PROCESSES), "--threads", str(THREADS)),
    "Celery": (
        "celery", "-A", "bench.peers.mails_celery", "worker", "--pool", "prefork", "-c", str(PROCESSES),
        "--loglevel", "error",
    ),
}  # fmt: skip


@dataclass
class Sender:
    """One contender: how fast, and how a page fared meanwhile."""

    name: str
    per_second: float
    mails: int
    wrongs: list[str] = field(default_factory=list)
    pages_ms: tuple[float, float] = (0.0, 0.0)
    idle_ms: tuple[float, float] = (0.0, 0.0)

    def cells(self, rates: dict[str, float]) -> tuple[object, ...]:
        of = [self.per_second / rates[name] if name in rates else "-" for name in ("Dramatiq", "Celery")]
        pages, idle = (f"{p50:.1f} / {p99:.1f}" if p99 else "-" for p50, p99 in (self.pages_ms, self.idle_ms))
        return self.name, self.mails, self.per_second, *of, pages, idle


class Sink:
    """The mail server, seen from here."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._line = smtplib.SMTP("127.0.0.1", port, local_hostname="bench")

    def reset(self) -> None:
        self._line.docmd("XRESET")

    def count(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self._line.docmd("XCOUNT")[1])
        return found

    def watch(self, name: str, mails: int) -> Sender:
        """Until all have arrived, or nothing comes any more."""
        end = time.monotonic() + PATIENCE_SECONDS
        while (found := self.count())["message_ids"] < mails and time.monotonic() < end:
            time.sleep(0.1)
        seconds = found["last"] - found["tenth"]
        wrongs = [] if found["mails"] == found["message_ids"] == mails else [f"{name}: {found} instead of {mails}"]
        return Sender(name, 0.9 * found["mails"] / seconds if seconds else 0.0, found["mails"], wrongs)


@contextmanager
def mail_server() -> Iterator[Sink]:
    """In a process of its own."""
    port = servers.free_port()
    with servers.process(sys.executable, "-m", "bench.peers.mail_sink", str(port)):
        servers.wait_until_it_listens(port)
        yield Sink(port)


def seed(address: str, mails: int, folder: Path) -> int:
    """A brand, so many people, and a campaign that has started and is planned; the campaign."""
    schema.upgrade(sa.create_engine(address))
    app = create_app(Settings(env="test", database_url=address, data_dir=folder))
    with app.app_context():
        campaign_id = filled.fill(db.session, mails)
        brand = db.session.scalars(sa.select(Brand)).one()
        brand.quiet_from_hour = brand.quiet_until_hour = 0  # it may be night where this runs
        db.session.commit()
        campaign.plan(campaign_id)
        db.engine.dispose()
    return campaign_id


class Pages:
    """Asks for a page again and again, and notes how long each took."""

    def __init__(self, base: str) -> None:
        self._parts = urlsplit(base)
        self._took_ms: list[float] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._ask, daemon=True)
        self._thread.start()

    def _ask(self) -> None:
        line = http.client.HTTPConnection(self._parts.hostname or "", self._parts.port, timeout=10)
        while not self._over.wait(ASK_EVERY_SECONDS):
            began = time.perf_counter()
            try:
                line.request("GET", "/login")
                line.getresponse().read()
            except (OSError, http.client.HTTPException):  # it was closed in between
                line.close()
                continue
            self._took_ms.append((time.perf_counter() - began) * 1_000)

    def since(self, begin: int = 0) -> tuple[float, float]:
        """p50 and p99 of what was asked since the `begin`th."""
        took = self._took_ms[begin:]
        cuts = statistics.quantiles(took if len(took) > 1 else self._took_ms[-2:], n=100)
        return cuts[49], cuts[98]

    def asked(self) -> int:
        return len(self._took_ms)

    def stop(self) -> None:
        self._over.set()
        self._thread.join(15)


def ours(address: str, sink: Sink, options: argparse.Namespace, folder: Path) -> Sender:
    """`amplify worker`, so many processes, and `amplify serve` beside them."""
    campaign_id = seed(address, options.mails, folder / "var")
    env = {
        "AMPLIFY_DATABASE_URL": address, "AMPLIFY_DATA_DIR": str(folder / "var"), "AMPLIFY_MAIL": "smtp",
        "AMPLIFY_SMTP_PORT": str(sink.port),
    }  # fmt: skip
    sink.reset()
    with servers.amplify("--no-worker", env=env, log=folder / "serve.log") as base, ExitStack() as workers:
        pages = Pages(base)
        time.sleep(2)
        begin = pages.asked()
        time.sleep(options.idle)
        idle = pages.since(begin)
        for number in range(options.workers):
            command = (sys.executable, "-m", "amplify", "worker")
            child_env = {**env, "AMPLIFY_BASE_URL": base}
            workers.enter_context(servers.process(*command, env=child_env, log=folder / f"worker-{number}.log"))
        while not sink.count()["mails"]:
            time.sleep(0.02)
        begin = pages.asked()
        found = sink.watch(f"ours, {sa.make_url(address).get_backend_name()}", options.mails)
        found.pages_ms, found.idle_ms = pages.since(begin), idle
        pages.stop()
        found.wrongs += _unsent(address, campaign_id, options.mails)
    return found


def _unsent(address: str, campaign_id: int, mails: int) -> list[str]:
    """What the ledger says at the end."""
    sent = sa.select(sa.func.count()).where(Push.campaign_id == campaign_id, Push.state == "sent")
    engine, end = sa.create_engine(address), time.monotonic() + 20
    with Session(engine) as session:
        while (found := session.scalar(sent) or 0) < mails and time.monotonic() < end:
            session.rollback()
            time.sleep(0.2)
    engine.dispose()
    return [] if found == mails else [f"the ledger calls {found} sent instead of {mails}"]


# --- the others -------------------------------------------------------------------------------------------


def install() -> Path:
    """The folder of Dramatiq and Celery. Raises SystemExit where there is no Redis."""
    if not redis.is_there():
        raise SystemExit("Dramatiq and Celery need redis-server, which is not installed here.")
    return servers.installed("tasks", *WANTED)


def peers(address: str, sink: Sink, options: argparse.Namespace, folder: Path) -> Iterator[Sender]:
    """Both, one after the other, on PostgreSQL: their rows are the mails of the same campaign."""
    campaign_id = seed(address, options.mails, folder / "var")
    engine = sa.create_engine(address)
    with Session(engine) as session:
        while delivering.order(session, campaign_id, 1, 1, options.mails):
            session.commit()
    with redis.server() as broker:
        env = {
            "BENCH_DATABASE": address, "BENCH_SMTP_PORT": str(sink.port), "BENCH_REDIS": str(broker.path),
            "BENCH_DIR": str(folder / "var"), "PYTHONPATH": str(install()),
        }  # fmt: skip
        for name, command in OTHERS.items():
            with engine.begin() as connection:
                first, last = connection.execute(sa.select(sa.func.min(Message.id), sa.func.max(Message.id))).one()
                connection.execute(sa.update(Message).values(state="queued", sent_at=None))
            sink.reset()
            fill = [sys.executable, "-m", f"bench.peers.mails_{name.lower()}", str(first), str(last)]
            subprocess.run(fill, cwd=servers.ROOT, env={**os.environ, **env}, check=True)
            with servers.process(sys.executable, "-m", *command, env=env, log=folder / f"{name}.log"):
                yield sink.watch(name, options.mails)
    engine.dispose()


def main(arguments: list[str]) -> dict[str, object]:
    """Measure, print, and give the figures; "ok": every mail arrived once and the ledger says so."""
    parser = argparse.ArgumentParser(prog="bench delivery", description=__doc__)
    parser.add_argument("--mails", type=int, default=10_000)
    parser.add_argument("--db", choices=("sqlite", "postgresql", "both"), default="both")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--idle", type=float, default=8.0, help="seconds in which the page is asked for alone")
    parser.add_argument("--peers", action="store_true", help="compare with Dramatiq and Celery; installs them")
    parser.add_argument("--bars", action="store_true", help="fail if a bar is not reached")
    options = parser.parse_args(arguments)
    warm_up()
    if options.peers:
        install()
    found = []
    for name in ("sqlite", "postgresql") if options.db == "both" else (options.db,):
        with mail_server() as sink, servers.databases((name,)) as at, _folder() as folder:
            found.append(ours(at[name], sink, options, folder))
    if options.peers:
        with mail_server() as sink, servers.databases(("postgresql",)) as at, _folder() as folder:
            found += peers(at["postgresql"], sink, options, folder)
    rates = {one.name: one.per_second for one in found}
    table("delivery", COLUMNS, [one.cells(rates) for one in found])
    print("\n".join(_bars(found, rates)))
    wrongs = [wrong for one in found for wrong in one.wrongs]
    ok = not wrongs and not (options.bars and any("NOT" in bar for bar in _bars(found, rates)))
    return {"ok": ok, "wrongs": wrongs, **{name: round(rate, 1) for name, rate in rates.items()}}


def _bars(found: list[Sender], rates: dict[str, float]) -> list[str]:
    """Each bar of the run as a line."""
    lines = []
    for one in found:
        if not one.name.startswith("ours"):
            continue
        for name, bar in (("Dramatiq", OF_DRAMATIQ), ("Celery", OF_CELERY)):
            if name in rates:
                lines.append(_bar(f"{one.name}: of {name}", one.per_second / rates[name], bar, at_least=True))
        lines.append(
            _bar(f"{one.name}: page's p99 to idle", one.pages_ms[1] / one.idle_ms[1], MOST_P99, at_least=False)
        )
    return lines


def _bar(what: str, value: float, bar: float, *, at_least: bool) -> str:
    is_reached = value >= bar if at_least else value <= bar
    wanted = f"at {'least' if at_least else 'most'} {bar}"
    return f"{what}: {value:.2f}, wanted {wanted}: {'' if is_reached else 'NOT '}reached"


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="amplify-delivery-") as folder:
        yield Path(folder)
        for log in Path(folder).glob("*.log"):
            if os.environ.get("BENCH_LOGS"):
                shutil.copy(log, os.environ["BENCH_LOGS"])
