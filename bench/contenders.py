"""What `bench redirect` compares: our own server, bare ones and nginx, each a real process, and what was measured."""

import argparse
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from amplify.core import wal
from bench import servers
from bench.load import Load, Spread, drive
from bench.peers import seeding

MOST = 64  # connections
AGENT = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.6 "
    "Mobile/15E148 Safari/604.1"
)
NGINX = """daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/error;
events {{ worker_connections 512; }}
http {{ access_log off; client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
uwsgi_temp_path {folder}; scgi_temp_path {folder};
server {{ listen 127.0.0.1:{port}; location / {{ return 302 http://localhost/; }} }} }}"""


@dataclass
class Contender:
    """One server of a run. `database`: where its clicks must be found; `log`: the SQLite file no worker looks after."""

    name: str
    url: str
    pid: int
    database: str = ""
    log: Path | None = None
    spread: Spread = field(default_factory=Spread)
    slices: dict[int, list[Load]] = field(default_factory=dict)
    cpu_seconds: float = 0.0

    def measure(self, connections: int, options: argparse.Namespace) -> Load:
        """One slice. What a worker would do to SQLite's log meanwhile is done before it."""
        if self.log:
            wal.checkpoint(self.log)
        before = sum(_cpu(pid) for pid in family(self.pid))
        load = drive(
            self.url,
            connections=connections,
            seconds=options.seconds,
            agent=AGENT,
            own_client=options.own_client,
            spread=self.spread,
        )
        self.cpu_seconds += sum(_cpu(pid) for pid in family(self.pid)) - before
        self.slices.setdefault(connections, []).append(load)
        return load

    def per_second(self, connections: int = MOST) -> float:
        return statistics.median(load.per_second for load in self.slices[connections])

    def p99_ms(self, connections: int = MOST) -> float:
        return statistics.median(load.p99_ms for load in self.slices[connections])

    def p50_ms(self, connections: int = MOST) -> float:
        return statistics.median(load.p50_ms for load in self.slices[connections])

    @property
    def requests(self) -> int:
        return sum(load.requests for loads in self.slices.values() for load in loads)

    def cpu_us(self) -> float:
        """CPU of its processes for one request, over all slices: on a busy machine it says more than speed."""
        return self.cpu_seconds / max(1, self.requests) * 1e6

    def wrongs(self, before: int = 0) -> list[str]:
        """Acknowledged clicks that are not on disk, or more on disk than can have died unanswered."""
        if not self.database:
            return []
        stored = seeding.stored(self.database) - before
        unanswered = sum(connections * len(loads) for connections, loads in self.slices.items())
        failed = sum(load.failed for loads in self.slices.values() for load in loads)
        if self.requests - failed <= stored <= self.requests + unanswered:
            return []
        return [f"{self.name}: {self.requests:,} acknowledged ({failed} failed), {stored:,} stored"]

    def memory_mb(self) -> float:
        """Resident memory of its largest process."""
        sizes = [int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in family(self.pid)]
        return max(sizes) * os.sysconf("SC_PAGE_SIZE") / 1e6


def family(pid: int) -> list[int]:
    """A process and all below it."""
    found = [pid]
    for one in found:
        for file in Path(f"/proc/{one}/task").glob("*/children"):
            found += [int(child) for child in file.read_text().split()]
    return found


def _cpu(pid: int) -> float:
    try:
        numbers = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(numbers[11]) + int(numbers[12])) / os.sysconf("SC_CLK_TCK")


def _wait(port: int, child: "subprocess.Popen[bytes]") -> None:
    """Until somebody listens; a redirect would lead a client away from here."""
    until = time.monotonic() + 60
    while time.monotonic() < until and child.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError(f"{child.args!r} does not listen")


@contextmanager
def ours(name: str, database: str, *options: str, env: dict[str, str] | None = None) -> Iterator[Contender]:
    """`amplify serve` on a database that was seeded."""
    port = servers.free_port()
    base = f"http://127.0.0.1:{port}"
    with tempfile.TemporaryDirectory(prefix="amplify-bench-") as folder:
        settings = {
            "AMPLIFY_DATABASE_URL": database, "AMPLIFY_DATA_DIR": folder, "AMPLIFY_PORT": str(port),
            "AMPLIFY_BASE_URL": base, "AMPLIFY_LOG_LEVEL": "WARNING", **(env or {}),
        }  # fmt: skip
        command = (sys.executable, "-m", "amplify", "serve", *options)
        with servers.process(*command, env=settings, log=Path(folder) / "log") as child:
            servers.wait_until_it_answers(f"{base}/healthz", child, 90)
            log = wal.file_of(database) if "--no-worker" in options else None
            yield Contender(name, f"{base}/s/{seeding.CODE}", child.pid, database, log)


@contextmanager
def bare(
    name: str, target: str, path: str = "/x", *options: str, env: dict[str, str] | None = None
) -> Iterator[Contender]:
    """A WSGI application under granian itself."""
    port = servers.free_port()
    command = (sys.executable, "-m", "granian", "--interface", "wsgi", "--port", str(port), "--log-level", "error")
    with servers.process(*command, *options, target, env=env) as child:
        _wait(port, child)
        yield Contender(name, f"http://127.0.0.1:{port}{path}", child.pid)


@contextmanager
def nginx() -> Iterator[Contender]:
    """`return 302`, which stores nothing: what the machine can do at most."""
    port = servers.free_port()
    with tempfile.TemporaryDirectory(prefix="amplify-bench-") as folder:
        file = Path(folder) / "nginx.conf"
        file.write_text(NGINX.format(folder=folder, port=port))
        with servers.process("nginx", "-c", str(file), "-p", folder) as child:
            _wait(port, child)
            yield Contender("nginx return 302", f"http://127.0.0.1:{port}/x", child.pid)


def rounds(contenders: list[Contender], connections: tuple[int, ...], options: argparse.Namespace) -> None:
    """Slices of all contenders in turn, so that a disturbance meets all of them."""
    for _round in range(options.rounds):
        for number in connections:
            for one in contenders:
                one.measure(number, options)
