"""A real `amplify serve` without its worker, on a free port of this machine."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.delivery.mailserver import free_port


@contextmanager
def serve(database: str, folder: Path, **settings: object) -> "Iterator[tuple[int, subprocess.Popen[bytes]]]":
    """Port and process; it is told to stop at the end, if it still runs."""
    port = free_port()
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AMPLIFY_", "PROMETHEUS_"))}
    wanted = {"database_url": database, "data_dir": folder / "var", **settings}
    environ = kept | {f"AMPLIFY_{name.upper()}": str(value) for name, value in wanted.items()}
    command = [sys.executable, "-m", "amplify", "serve", "--no-worker", "--port", str(port), "--json"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=log)  # noqa: S603
    assert process.stdout
    assert process.stdout.readline(), (folder / "log").read_text()[-3000:]
    try:
        yield port, process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.wait(60)
        process.stdout.close()
