"""`amplify serve`: says when it is ready, keeps its worker alive, and stops everything when told."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

PATIENCE_SECONDS = 120.0


class Served:
    """A running `amplify serve` on a free port."""

    def __init__(self, environment: dict[str, str], log: Path, *arguments: str) -> None:
        self.log = log
        command = [sys.executable, "-m", "amplify", "serve", "--port", "0", "--json", *arguments]
        with log.open("wb") as errors:
            self.process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=errors)  # noqa: S603
        assert self.process.stdout
        said = self.process.stdout.readline()
        assert said, log.read_text()[-3000:]
        self.address = json.loads(said)["ready"]

    def get(self, path: str) -> str:
        with urllib.request.urlopen(self.address + path, timeout=10) as answer:  # noqa: S310
            return str(answer.read().decode())

    def answers(self) -> bool:
        try:
            return bool(self.get("/healthz"))
        except OSError:
            return False

    def until(self, said: Callable[[], Any]) -> Any:
        end = time.monotonic() + PATIENCE_SECONDS
        while not (answer := said()):
            assert time.monotonic() < end, self.log.read_text()[-3000:]
            time.sleep(0.1)
        return answer

    def workers(self) -> list[int]:
        """Process numbers of the workers that said they are ready, the last one last."""
        ready = [json.loads(line) for line in self.log.read_text().splitlines() if '"worker ready"' in line]
        return [int(line["worker"].split("-")[-2]) for line in ready]

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(90)
        if self.process.stdout:
            self.process.stdout.close()
        return code


@pytest.fixture
def served(environment: dict[str, str], tmp_path: Path) -> Iterator[Served]:
    made = Served(environment, tmp_path / "serve.log")
    yield made
    if made.process.poll() is None:
        made.stop()


def test_one_command_is_a_complete_install_that_heals_and_stops(served: Served) -> None:
    assert json.loads(served.get("/healthz")) == {"ok": True}
    served.until(lambda: json.loads(served.get("/readyz"))["workers"] == 1)
    served.until(served.workers)  # it beats before it is ready
    assert 'amplify_http_requests_total{endpoint="health.readyz"' in served.get("/metrics")

    (worker,) = served.workers()
    os.kill(worker, signal.SIGKILL)
    served.until(lambda: len(served.workers()) == 2)
    assert "worker ended, will be started again" in served.log.read_text()

    assert served.stop() == 0
    assert "worker stopped" in served.log.read_text()
    with pytest.raises(ProcessLookupError):
        os.kill(served.workers()[-1], 0)


def test_nobody_stays_behind_when_it_is_killed(served: Served) -> None:
    served.until(served.workers)
    served.process.kill()
    served.process.communicate()
    served.until(lambda: not served.answers())
    served.until(lambda: '"worker stopped"' in served.log.read_text())


def test_pages_can_be_served_without_a_worker(environment: dict[str, str], tmp_path: Path) -> None:
    served = Served(environment, tmp_path / "serve.log", "--no-worker")
    assert json.loads(served.get("/readyz"))["workers"] == 0
    assert served.stop() == 0


def test_a_known_secret_is_served_to_this_machine_only(environment: dict[str, str]) -> None:
    command = [sys.executable, "-m", "amplify", "serve", "--host", "0.0.0.0", "--port", "0"]  # noqa: S104
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)  # noqa: S603
    assert done.returncode == 1
    assert "secret_key" in done.stderr
