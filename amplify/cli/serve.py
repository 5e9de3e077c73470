"""`amplify serve`: the pages and, unless told otherwise, one worker; on SQLite alone a complete small install."""

import http.client
import json
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import click
import structlog
from granian.constants import Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server import MPServer

from amplify.cli.common import json_option
from amplify.cli.starting import check_secret, prepare
from amplify.core import jobs, logs, metrics
from amplify.core.settings import PREFIX, Settings, load, read
from amplify.leaderboards.streams import LET_GO

# A worker that lives shorter than this came down with something: the next start waits longer.
HEALTHY_SECONDS = 30.0
LONGEST_WAIT_SECONDS = 30.0
STOP_SECONDS = 30.0
READY_SECONDS = 60.0

log = structlog.get_logger(__name__)


def web() -> Any:
    """What granian runs in its process: the front."""
    signal.signal(LET_GO, signal.SIG_IGN)  # until the front listens to it
    from amplify import front  # late: the process that only watches the others needs no application

    logs.configure(load(), process="web")
    made = front.create()
    threading.Thread(target=jobs.warm_up, daemon=True).start()
    return made


class Supervisor:
    """Keeps one worker process running, in a thread."""

    def __init__(self) -> None:
        self._stopping = threading.Event()
        self._child: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._keep, name="supervisor", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Tell the worker to stop, wait for it, and kill it if it does not."""
        self._stopping.set()
        if self._child and self._child.poll() is None:
            self._child.terminate()
        self._thread.join(STOP_SECONDS)
        if self._child and self._child.poll() is None:
            log.warning("worker killed", pid=self._child.pid)
            self._child.kill()
            self._child.wait()

    def _keep(self) -> None:
        wait = 0.5
        while not self._stopping.is_set():
            began = time.monotonic()
            code = self._run()
            if self._stopping.is_set():
                return
            wait = 0.5 if time.monotonic() - began > HEALTHY_SECONDS else min(LONGEST_WAIT_SECONDS, wait * 2)
            log.error("worker ended, will be started again", exit_code=code, wait_seconds=wait)
            self._stopping.wait(wait)

    def _run(self) -> int:
        # A group of its own: a Ctrl-C in the terminal is told to it by us, once.
        command = [sys.executable, "-m", "amplify", "worker", "--supervised"]
        self._child = subprocess.Popen(command, start_new_session=True)  # noqa: S603
        if self._stopping.is_set():  # told to stop between our look and the start
            self._child.terminate()
        return self._child.wait()


def free_port(host: str) -> int:
    """A port that nobody listens on just now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
    return port


def settle(host: str | None, port: int | None) -> Settings:
    """The settings with these addresses, told to the child processes by their environment."""
    settings, given = read(os.environ, {"host": host, "port": port})
    chosen = {"host": settings.host, "port": str(settings.port or free_port(settings.host))}
    if given["base_url"].origin == "default":
        shown = f"[{chosen['host']}]" if ":" in chosen["host"] else chosen["host"]
        chosen["base_url"] = f"http://{shown}:{chosen['port']}"
    for name, value in chosen.items():
        os.environ[f"{PREFIX}{name.upper()}"] = value
        os.environ.pop(f"{PREFIX}{name.upper()}_FILE", None)
    return load()


def once_ready(settings: Settings, say: Callable[[], None]) -> None:
    """Call `say` as soon as the pages answer."""
    address = ("127.0.0.1" if settings.host in ("0.0.0.0", "::") else settings.host, settings.port)  # noqa: S104
    until = time.monotonic() + READY_SECONDS
    while time.monotonic() < until:
        if _answers(address, urlsplit(settings.base_url).netloc):
            say()
            return
        time.sleep(0.05)
    log.error("the pages do not answer", seconds=READY_SECONDS)


def _answers(address: tuple[str, int], host: str) -> bool:
    connection = http.client.HTTPConnection(*address, timeout=2)
    try:
        connection.request("GET", "/healthz", headers={"Host": host})
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


class Server(MPServer):
    """granian; the pages are told first that it stops, for it waits for answers, and some would never end."""

    def signal_handler_interrupt(self, *args: Any, **kwargs: Any) -> None:
        for worker in self.wrks:
            with suppress(ProcessLookupError):
                os.kill(worker.inner.pid, LET_GO)
        super().signal_handler_interrupt(*args, **kwargs)  # type: ignore[no-untyped-call]  # granian's


def server(settings: Settings) -> MPServer:
    """granian, bound to these addresses; one process, whose threads the front keeps itself."""
    return Server(
        "amplify.cli.serve:web",
        factory=True,
        address=settings.host,
        port=settings.port,
        interface=Interfaces.RSGI,
        websockets=False,
        respawn_failed_workers=True,
        workers_kill_timeout=int(STOP_SECONDS),
        log_level=LogLevels.warning,
        # Its lines go the way of ours.
        log_dictconfig={"loggers": {"_granian": {"propagate": True}}},
        # A client that sends its headers a byte at a time is let go.
        http1_settings=HTTP1Settings(header_read_timeout=15_000),
    )


@click.command("serve")
@click.option("--host", help="The address to listen on (setting host).")
@click.option("--port", type=click.IntRange(0, 65535), help="The port; 0 finds a free one (setting port).")
@click.option("--no-worker", is_flag=True, help="Only the pages; run `amplify worker` beside them.")
@json_option
def command(host: str | None, port: int | None, no_worker: bool, as_json: bool) -> None:
    """Serve the pages and run one worker until SIGTERM or Ctrl-C."""
    settings = settle(host, port)

    def say() -> None:
        said = json.dumps({"ready": settings.base_url, "pid": os.getpid()})
        click.echo(said if as_json else f"Amplify is ready: {settings.base_url}  (Ctrl-C stops it)")

    run(settings, worker=not no_worker, say=say)


def run(settings: Settings, *, worker: bool, say: Callable[[], None]) -> None:
    """Serve with these settings, which the environment carries too, until SIGTERM or Ctrl-C; `say` when it is ready."""
    logs.configure(settings, process="serve")
    check_secret(settings, settings.host)
    prepare(settings)
    metrics.share(settings.data_dir / "metrics")
    # A fresh process for the pages: a forked one would copy our threads' locks, and count for itself alone.
    multiprocessing.set_start_method("spawn", force=True)
    granian = server(settings)
    supervisor = Supervisor() if worker else None
    if supervisor:
        granian.on_startup(supervisor.start)
    granian.on_startup(threading.Thread(target=once_ready, args=(settings, say), daemon=True).start)
    try:
        granian.serve()
    finally:
        if supervisor:
            supervisor.stop()
